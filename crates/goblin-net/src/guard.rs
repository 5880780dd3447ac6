//! Where connections may lead (server-side request forgery).
//!
//! The list of special networks follows the IANA special-purpose registries (RFC 6890 and its updates). Addresses
//! that carry another address inside (v4-mapped, v4-compatible, NAT64, 6to4) are judged by the inner one as well.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use thiserror::Error;

use crate::address::Url;

/// Where a client's connections may lead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Guard {
    /// Addresses from the operator's environment and files: anywhere but cloud metadata services.
    #[default]
    Operator,
    /// Addresses users gave: `https` on port 443 to public addresses only, and no IP literals.
    Public,
}

/// Why the guard refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    /// It hands out the machine's cloud credentials.
    #[error("it is a cloud metadata service")]
    Metadata,
    /// Not on the internet.
    #[error("it is not a public address")]
    NotPublic,
    /// Not encrypted.
    #[error("addresses given by users must be https")]
    NotHttps,
    /// An unusual port.
    #[error("addresses given by users must use port 443")]
    Port,
    /// A number instead of a name.
    #[error("addresses given by users must be names, not IP addresses")]
    Literal,
}

impl Guard {
    /// Judges an address before its name is resolved.
    ///
    /// # Errors
    /// Why it may not be connected to.
    pub fn check_url(self, url: &Url) -> Result<(), Refusal> {
        match url.host() {
            Some(url::Host::Ipv4(ip)) => self.check_ip(IpAddr::V4(ip))?,
            Some(url::Host::Ipv6(ip)) => self.check_ip(IpAddr::V6(ip))?,
            Some(url::Host::Domain(name)) => check_name(name)?,
            None => return Err(Refusal::NotPublic),
        }
        if self == Self::Operator {
            return Ok(());
        }
        match url.host() {
            _ if url.scheme() != "https" => Err(Refusal::NotHttps),
            _ if url.port() != 443 => Err(Refusal::Port),
            Some(url::Host::Ipv4(_) | url::Host::Ipv6(_)) => Err(Refusal::Literal),
            _ => Ok(()),
        }
    }

    /// Judges an address that is about to be connected to.
    ///
    /// # Errors
    /// Why it may not be.
    pub fn check_ip(self, ip: IpAddr) -> Result<(), Refusal> {
        let inner = match ip {
            IpAddr::V4(_) => None,
            IpAddr::V6(v6) => inner_v4(v6).map(IpAddr::V4),
        };
        if is_metadata(ip) || inner.is_some_and(is_metadata) {
            return Err(Refusal::Metadata);
        }
        if self == Self::Public && (!is_public(ip) || inner.is_some_and(|i| !is_public(i))) {
            return Err(Refusal::NotPublic);
        }
        Ok(())
    }
}

/// Names that lead to metadata services whatever they resolve to.
fn check_name(name: &str) -> Result<(), Refusal> {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let names = [
        "metadata.google.internal",
        "metadata.goog",
        "metadata",
        "instance-data",
        "instance-data.ec2.internal",
    ];
    match names.contains(&name.as_str()) {
        true => Err(Refusal::Metadata),
        false => Ok(()),
    }
}

fn is_metadata(ip: IpAddr) -> bool {
    match ip {
        // Link-local: AWS, Azure, Google, OpenStack, DigitalOcean. Then Alibaba, Oracle, and Azure's host.
        IpAddr::V4(v4) => {
            v4.is_link_local()
                || [[100, 100, 100, 200], [192, 0, 0, 192], [168, 63, 129, 16]].contains(&v4.octets())
        }
        // AWS's, Google's and OpenStack's.
        IpAddr::V6(v6) => [
            Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
            Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
            Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe),
        ]
        .contains(&v6),
    }
}

/// The IPv4 address inside an IPv6 address, where a network might deliver to it.
fn inner_v4(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = v6.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match s {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        // v4-mapped, v4-compatible, and v4-translated (RFC 2765).
        [0, 0, 0, 0, 0, 0xffff | 0, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => Some(join(s[6], s[7])),
        // NAT64, well-known and local-use (RFC 6052, RFC 8215).
        [0x64, 0xff9b, ..] => Some(join(s[6], s[7])),
        // 6to4.
        [0x2002, high, low, ..] => Some(join(high, low)),
        _ => None,
    }
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    let special = match (a, b) {
        (0 | 10 | 127 | 224.., _) => true,
        (100, 64..=127) => true,
        (169, 254) | (192, 168) | (198, 18 | 19) => true,
        (172, 16..=31) => true,
        (192, 0) => c == 0 || c == 2,
        (192, 88) => c == 99,
        (198, 51) => c == 100,
        (203, 0) => c == 113,
        _ => false,
    };
    !special
}

fn is_public_v6(v6: Ipv6Addr) -> bool {
    let s = v6.segments();
    // Only 2000::/3 is handed out; out of it the tunnels, documentation and test networks are taken. 64:ff9b::/96 and
    // 2002::/16 reach IPv4 networks by another way and are refused whatever is inside.
    let global = s[0] & 0xe000 == 0x2000;
    let special = matches!(
        s,
        [0x2001, 0..=0x01ff, ..] | [0x2001, 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0x0fff, ..]
    );
    global && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(guard: Guard, url: &str) -> Result<(), Refusal> {
        guard.check_url(&Url::parse(url).unwrap())
    }

    #[test]
    fn metadata_services_are_refused_to_everyone_in_every_notation() {
        for host in [
            "169.254.169.254",
            "2852039166",
            "0xA9FEA9FE",
            "0xa9.0xfe.0xa9.0xfe",
            "0251.0376.0251.0376",
            "169.254.43518",
            "169.254.170.2",
            "[::ffff:169.254.169.254]",
            "[::ffff:a9fe:a9fe]",
            "[::169.254.169.254]",
            "[64:ff9b::a9fe:a9fe]",
            "[2002:a9fe:a9fe::1]",
            "[fd00:ec2::254]",
            "[fe80::a9fe:a9fe]",
            "metadata.google.internal",
            "METADATA.google.internal.",
            "metadata",
            "100.100.100.200",
            "192.0.0.192",
            "168.63.129.16",
        ] {
            let url = format!("http://{host}/latest");
            assert_eq!(verdict(Guard::Operator, &url), Err(Refusal::Metadata), "{host}");
            assert_eq!(verdict(Guard::Public, &url), Err(Refusal::Metadata), "{host}");
        }
    }

    #[test]
    fn operators_may_reach_their_own_networks() {
        for url in [
            "http://127.0.0.1:11434",
            "http://[::1]:8002",
            "http://10.1.2.3",
            "http://nas.lan",
            "https://a.com:8443",
        ] {
            assert_eq!(verdict(Guard::Operator, url), Ok(()), "{url}");
        }
    }

    #[test]
    fn users_may_reach_only_public_https() {
        assert_eq!(verdict(Guard::Public, "https://api.example.com/v1"), Ok(()));
        assert_eq!(
            verdict(Guard::Public, "http://api.example.com/v1"),
            Err(Refusal::NotHttps)
        );
        assert_eq!(
            verdict(Guard::Public, "https://api.example.com:8443/"),
            Err(Refusal::Port)
        );
        assert_eq!(
            verdict(Guard::Public, "https://93.184.216.34/"),
            Err(Refusal::Literal)
        );
        for ip in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "::7f00:1",
            "64:ff9b::808:808",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:808:808::1",
            "3fff::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "::ffff:0:8.8.8.8",
        ] {
            let ip: IpAddr = ip.parse().unwrap();
            assert_eq!(Guard::Public.check_ip(ip), Err(Refusal::NotPublic), "{ip}");
        }
        for ip in [
            "8.8.8.8",
            "93.184.216.34",
            "172.32.0.1",
            "100.128.0.1",
            "192.0.1.1",
            "2606:4700::1111",
            "2a00:1450::1",
        ] {
            let ip: IpAddr = ip.parse().unwrap();
            assert_eq!(Guard::Public.check_ip(ip), Ok(()), "{ip}");
        }
    }
}
