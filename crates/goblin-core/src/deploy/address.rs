//! Addresses of the three targets, as far as they are compared.

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
    /// Reads `http://…` or `https://…`.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (is_tls, rest) = match text.split_once("://")? {
            ("https", rest) => (true, rest),
            ("http", rest) => (false, rest),
            _ => return None,
        };
        let at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (host, path) = rest.split_at(at);
        let is_host = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c == '@');
        is_host.then(|| Self {
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

    /// Without its port, is it a host nobody else reaches: this machine, or a private network?
    pub(super) fn is_private(&self) -> bool {
        let host = self
            .host
            .rsplit_once(':')
            .map_or(self.host.as_str(), |(host, _)| host);
        let address: Option<std::net::IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        match address {
            Some(std::net::IpAddr::V4(v4)) => v4.is_loopback() || v4.is_private(),
            Some(std::net::IpAddr::V6(v6)) => v6.is_loopback() || v6.is_unique_local(),
            None => host == "localhost",
        }
    }
}
