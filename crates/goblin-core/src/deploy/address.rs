//! Addresses of the three targets, as far as they are compared.

use std::net::{IpAddr, Ipv6Addr};

/// Ends of names that only a network of one's own knows.
const PRIVATE_ZONES: [&str; 6] = [
    "localhost",
    ".localhost",
    ".local",
    ".internal",
    ".lan",
    ".home.arpa",
];

/// An address of the web.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) is_tls: bool,
    /// Host and port, in small letters.
    pub(super) host: String,
    /// Everything behind, with its `/`; empty when there is nothing.
    pub(super) path: String,
}

impl Address {
    /// Reads `http://…` or `https://…`; none with a user's name, or with a host or port that cannot be.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (is_tls, rest) = match text.split_once("://")? {
            ("https", rest) => (true, rest),
            ("http", rest) => (false, rest),
            _ => return None,
        };
        let at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (host, path) = rest.split_at(at);
        let (name, port) = split(host)?;
        let is_name = match name.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
            Some(v6) => v6.parse::<Ipv6Addr>().is_ok(),
            None => {
                !name.is_empty()
                    && name
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
            }
        };
        let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        (is_name && is_port).then(|| Self {
            is_tls,
            host: host.to_ascii_lowercase(),
            path: path.to_owned(),
        })
    }

    /// Scheme and host alone.
    pub(super) fn origin(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        format!("{scheme}://{}", self.host)
    }

    /// Is it a host nobody else reaches: this machine, or a private network?
    pub(super) fn is_private(&self) -> bool {
        let name = split(&self.host).map_or(self.host.as_str(), |(name, _)| name);
        let address: Option<IpAddr> = name.trim_matches(['[', ']']).parse().ok();
        match address {
            Some(IpAddr::V4(v4)) => v4.is_loopback() || v4.is_private(),
            Some(IpAddr::V6(v6)) => v6.is_loopback() || v6.is_unique_local(),
            None => is_local_name(name),
        }
    }
}

/// Does this name of a host stay in the local network: without a dot, or in a private zone?
pub fn is_local_name(name: &str) -> bool {
    !name.contains('.') || PRIVATE_ZONES.iter().any(|zone| name.ends_with(zone))
}

/// A host's name and its port; `None` when a bracket is not closed.
fn split(host: &str) -> Option<(&str, Option<&str>)> {
    if !host.starts_with('[') {
        return Some(
            host.split_once(':')
                .map_or((host, None), |(name, port)| (name, Some(port))),
        );
    }
    let (name, rest) = host.split_at(host.find(']')? + 1);
    match rest.strip_prefix(':') {
        Some(port) => Some((name, Some(port))),
        None => rest.is_empty().then_some((name, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_cannot_be_are_no_addresses() {
        for bad in [
            "chat.example.org",
            "ftp://chat.example.org",
            "https://",
            "https://a b",
            "https://u:p@chat.example.org",
            "https://chat.example.org:",
            "https://chat.example.org:0",
            "https://chat.example.org:99999",
            "https://[::1",
            "https://[::1]8001",
            "https://[nothing]",
            "https://chat.example.org*",
        ] {
            assert_eq!(Address::read(bad), None, "{bad}");
        }
        let whole = Address::read("https://Chat.Example.org:8443/a?b").unwrap();
        assert_eq!(
            (whole.origin().as_str(), whole.path.as_str()),
            ("https://chat.example.org:8443", "/a?b")
        );
    }

    #[test]
    fn private_hosts_are_told_from_public_ones() {
        for private in [
            "[::1]",
            "[::1]:8001",
            "127.0.0.1",
            "10.0.0.2:8002",
            "[fd00::2]",
            "localhost",
            "box.local",
            "db",
        ] {
            assert!(
                Address::read(&format!("http://{private}")).unwrap().is_private(),
                "{private}"
            );
        }
        for public in [
            "203.0.113.7",
            "[2001:db8::1]",
            "[2001:db8::1]:8002",
            "models.example.org",
            "mylocalhost.org",
        ] {
            assert!(
                !Address::read(&format!("http://{public}")).unwrap().is_private(),
                "{public}"
            );
        }
    }
}
