//! How a request came: from which address, encrypted or not, from a browser or another program, from which page.
//!
//! A browser says of each request how the page that sent it relates to where it goes (`Sec-Fetch-Site`), and of those
//! that change something which page it was (`Origin`). A page of another site can make a browser send requests with
//! our cookie, but cannot make it lie about these. Over plain HTTP to another machine browsers leave
//! `Sec-Fetch-Site` out, so `Origin` alone also tells a browser.

use std::net::IpAddr;

use goblin_core::error::ApiError;
use goblin_store::key_file::Network;
use http::header::{FORWARDED, HOST, HeaderName, ORIGIN, USER_AGENT};
use http::{HeaderMap, Uri};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::{cookie, secret};

/// Most characters of what a client calls itself.
const MAX_DEVICE_CHARS: usize = 200;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const ORIGIN_VERIFY: HeaderName = HeaderName::from_static("x-origin-verify");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What the operator says of how requests come here.
#[derive(Clone, Debug, Default)]
pub struct Premises {
    /// Proxies whose forwarding headers are believed.
    pub proxies: Vec<Network>,
    /// Origins of the page, when it is served elsewhere: `https://chat.example.org`.
    pub origins: Vec<String>,
    /// Origins of previews of the page, with one `*`.
    pub preview: Option<OriginPattern>,
    /// What a CDN in front of everything adds to its requests, in `x-origin-verify`: of such a request it is believed
    /// where it came from.
    pub origin_secret: Option<SecretString>,
}

/// An origin with one `*`, which stands for letters, digits and hyphens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginPattern {
    before: String,
    after: String,
}

impl OriginPattern {
    /// Reads a pattern like `https://goblin-*-team.vercel.app`: https, one star, in the first label of the host, with
    /// something of one's own around it.
    pub fn parse(text: &str) -> Option<Self> {
        let (before, after) = text.trim().split_once('*')?;
        let label = before.strip_prefix("https://")?;
        let fits = |part: &str, dots: bool| {
            part.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || (dots && b == b'.'))
        };
        let (own, domain) = after.split_once('.')?;
        let is_narrow = !label.is_empty() && !own.is_empty() && domain.contains('.');
        (is_narrow && fits(label, false) && fits(after, true)).then(|| Self {
            before: before.to_owned(),
            after: after.to_owned(),
        })
    }

    fn matches(&self, origin: &str) -> bool {
        let middle = origin
            .strip_prefix(&self.before)
            .and_then(|rest| rest.strip_suffix(&self.after));
        middle.is_some_and(|m| {
            !m.is_empty()
                && m.bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        })
    }
}

/// Whether others can read along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Encrypted.
    Secure,
    /// Plain, within this machine or a private network.
    Near,
    /// Plain, as far as is known.
    Far,
}

/// Where a request came from, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// The client's address: the other end, or what a trusted proxy says.
    pub address: Option<IpAddr>,
    /// What the client calls itself.
    pub device: Option<String>,
    /// Can others read along?
    pub way: Way,
    /// Is it a browser?
    pub is_browser: bool,
    /// The hash of the cookie it carries, when that could be one of ours.
    pub cookie_hash: Option<String>,
}

impl Visit {
    /// As a browser that was sent to `address`, which the operator wrote: a browser that follows a link says neither who
    /// it is nor from which page it comes. Where the address is https the cookies set are for encrypted ways only.
    #[must_use]
    pub(crate) fn of_browser_at(&self, address: &str) -> Self {
        Self {
            way: match address.starts_with("https://") {
                true => Way::Secure,
                false => self.way,
            },
            is_browser: true,
            ..self.clone()
        }
    }

    /// Nobody came: goblin does something by itself, or by the command line.
    pub(crate) fn nobody() -> Self {
        Self {
            address: None,
            device: None,
            way: Way::Near,
            is_browser: false,
            cookie_hash: None,
        }
    }
}

/// What of a request is looked at.
#[derive(Clone, Copy, Debug)]
pub struct VisitFacts<'a> {
    /// The target as it came.
    pub uri: &'a Uri,
    /// The headers as they came.
    pub headers: &'a HeaderMap,
    /// The other end of the connection.
    pub peer: Option<IpAddr>,
}

impl VisitFacts<'_> {
    /// The one authority the request names.
    fn host(&self) -> Option<&str> {
        match self.uri.authority() {
            Some(authority) => Some(authority.as_str()),
            None => one(self.headers, &HOST),
        }
    }
}

impl Premises {
    /// How this request came.
    pub fn visit(&self, facts: &VisitFacts<'_>) -> Visit {
        let way = self.way(facts);
        Visit {
            address: self.client(facts),
            device: one(facts.headers, &USER_AGENT)
                .map(shortened)
                .filter(|d| !d.is_empty()),
            way,
            is_browser: facts.headers.contains_key(FETCH_SITE) || facts.headers.contains_key(ORIGIN),
            cookie_hash: cookie::read(facts.headers, way)
                .filter(|text| secret::is_plausible(text))
                .map(secret::hash),
        }
    }

    /// Was this request sent by our own page? Asked of requests that change something on the strength of a cookie, and
    /// of those that sign in.
    ///
    /// # Errors
    /// 403.
    pub fn check_page(&self, facts: &VisitFacts<'_>) -> Result<(), ApiError> {
        let refused = || {
            Err(ApiError::forbidden(
                "Another page sent this request, or it does not say which page did. Only goblin's own page may act for \
                 you. A page served elsewhere is named by FRONTEND_URL; a program uses a token instead of the cookie.",
            ))
        };
        if facts.headers.get_all(ORIGIN).iter().count() > 1
            || facts.headers.get_all(FETCH_SITE).iter().count() > 1
        {
            return refused();
        }
        let origin = one(facts.headers, &ORIGIN);
        if origin.is_some_and(|origin| self.is_trusted(origin)) {
            return Ok(());
        }
        match one(facts.headers, &FETCH_SITE) {
            Some("same-origin") => Ok(()),
            Some(_) => refused(),
            None if origin.is_some_and(|origin| is_of_host(origin, facts.host())) => Ok(()),
            None => refused(),
        }
    }

    fn is_trusted(&self, origin: &str) -> bool {
        self.origins
            .iter()
            .any(|known| known.trim_end_matches('/') == origin)
            || self
                .preview
                .as_ref()
                .is_some_and(|pattern| pattern.matches(origin))
    }

    fn is_proxy(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|network| network.contains(address))
    }

    /// Does the request carry the CDN's secret?
    fn is_by_cdn(&self, facts: &VisitFacts<'_>) -> bool {
        match (&self.origin_secret, one(facts.headers, &ORIGIN_VERIFY)) {
            (Some(secret), Some(shown)) => {
                // Hashed first, so that not even the length is told by the time.
                let (secret, shown) = (secret::hash(secret.expose_secret()), secret::hash(shown));
                secret.as_bytes().ct_eq(shown.as_bytes()).into()
            }
            _ => false,
        }
    }

    /// The last address of the chain that is no trusted proxy.
    fn client(&self, facts: &VisitFacts<'_>) -> Option<IpAddr> {
        let mut client = facts.peer?;
        let values = facts.headers.get_all(FORWARDED_FOR).iter();
        let chain: Vec<&str> = values
            .filter_map(|v| v.to_str().ok())
            .flat_map(|v| v.split(','))
            .collect();
        // The CDN is the outermost of all, and its addresses are many: it proves itself by the secret, once.
        let mut by_cdn = self.is_by_cdn(facts);
        for named in chain.into_iter().rev() {
            if !self.is_proxy(client) && !std::mem::take(&mut by_cdn) {
                break;
            }
            match named.trim().parse::<IpAddr>() {
                Ok(address) => client = address,
                Err(_) => break,
            }
        }
        Some(client.to_canonical())
    }

    fn way(&self, facts: &VisitFacts<'_>) -> Way {
        let by_proxy = facts.peer.is_some_and(|peer| self.is_proxy(peer)) || self.is_by_cdn(facts);
        let proto = by_proxy.then(|| one(facts.headers, &FORWARDED_PROTO)).flatten();
        if proto.is_some_and(|all| {
            all.rsplit(',')
                .next()
                .is_some_and(|p| p.trim().eq_ignore_ascii_case("https"))
        }) {
            return Way::Secure;
        }
        // A browser on a page that came encrypted sends nothing plain.
        let page = one(facts.headers, &ORIGIN).filter(|origin| origin.starts_with("https://"));
        if page.is_some_and(|origin| self.is_trusted(origin) || is_of_host(origin, facts.host())) {
            return Way::Secure;
        }
        let passed_on = facts.headers.contains_key(FORWARDED_FOR)
            || facts.headers.contains_key(FORWARDED_PROTO)
            || facts.headers.contains_key(FORWARDED);
        let is_near = facts.peer.is_some_and(is_near_address)
            && facts.host().is_some_and(is_near_host)
            && (by_proxy || !passed_on);
        if is_near { Way::Near } else { Way::Far }
    }
}

/// Is `origin` the one the request was sent to, plain or encrypted?
fn is_of_host(origin: &str, host: Option<&str>) -> bool {
    let named = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://"));
    match (named, host) {
        (Some(named), Some(host)) => {
            let is_https = origin.starts_with("https://");
            // A browser leaves the scheme's own port out of both.
            let bare = |text: &str| {
                let own = if is_https { ":443" } else { ":80" };
                text.strip_suffix(own).unwrap_or(text).to_ascii_lowercase()
            };
            !named.is_empty() && bare(named) == bare(host)
        }
        _ => false,
    }
}

/// Is it this machine, or one of a private network?
fn is_near_address(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// Is it a name for this machine, or of a private network?
fn is_near_host(authority: &str) -> bool {
    let name = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => authority.split(':').next().unwrap_or(authority),
    };
    if let Ok(address) = name.parse::<IpAddr>() {
        return is_near_address(address);
    }
    let name = name.to_ascii_lowercase();
    let zones = [".localhost", ".local", ".internal", ".lan", ".home.arpa"];
    let is_name = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
    is_name && (!name.contains('.') || zones.iter().any(|zone| name.ends_with(zone)))
}

/// The header's one value; none when there are several, or it is not text.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok().map(str::trim),
        _ => None,
    }
}

fn shortened(device: &str) -> String {
    device
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_DEVICE_CHARS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in all {
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        headers
    }

    fn premises() -> Premises {
        Premises {
            proxies: vec!["10.0.0.0/8".parse().unwrap()],
            origins: vec!["https://chat.example.org".into()],
            preview: OriginPattern::parse("https://goblin-*-team.vercel.app"),
            origin_secret: Some("through the CDN".to_owned().into()),
        }
    }

    fn visit(peer: &str, all: &[(&str, &str)]) -> Visit {
        let (uri, headers) = (Uri::from_static("/auth/login"), headers(all));
        let facts = VisitFacts {
            uri: &uri,
            headers: &headers,
            peer: Some(peer.parse().unwrap()),
        };
        premises().visit(&facts)
    }

    #[test]
    fn a_cdn_that_proves_itself_says_where_a_request_came_from_and_nobody_else_does() {
        let address = |peer: &str, all: &[(&str, &str)]| visit(peer, all).address.unwrap().to_string();
        let proof = ("x-origin-verify", "through the CDN");
        let (client, through_both) = (
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-for", "198.51.100.9, 192.0.2.1, 76.76.21.21"),
        );
        assert_eq!(address("76.76.21.21", &[client, proof]), "192.0.2.1");
        assert_eq!(
            address("10.0.0.1", &[through_both, proof]),
            "192.0.2.1",
            "behind a proxy of ours as well"
        );
        assert_eq!(address("10.0.0.1", &[through_both]), "76.76.21.21");
        for wrong in ["", "through the cdn", "through the CDN."] {
            assert_eq!(
                address("76.76.21.21", &[client, ("x-origin-verify", wrong)]),
                "76.76.21.21"
            );
        }
        assert_eq!(
            address("76.76.21.21", &[client, proof, proof]),
            "76.76.21.21",
            "twice proves nothing"
        );
        let encrypted = [
            ("host", "chat.example.org"),
            ("x-forwarded-proto", "https"),
            proof,
        ];
        assert_eq!(visit("76.76.21.21", &encrypted).way, Way::Secure);
        assert_eq!(visit("76.76.21.21", &encrypted[..2]).way, Way::Far);
    }

    fn page(all: &[(&str, &str)]) -> bool {
        let (uri, headers) = (Uri::from_static("/auth/login"), headers(all));
        let facts = VisitFacts {
            uri: &uri,
            headers: &headers,
            peer: None,
        };
        premises().check_page(&facts).is_ok()
    }

    #[test]
    fn only_our_own_page_acts_with_a_cookie() {
        let host = ("host", "goblin.example.org");
        for good in [
            &[host, ("sec-fetch-site", "same-origin")][..],
            &[
                host,
                ("sec-fetch-site", "same-origin"),
                ("origin", "https://goblin.example.org"),
            ],
            &[host, ("origin", "https://goblin.example.org")],
            &[host, ("origin", "http://goblin.example.org:80")],
            &[
                host,
                ("origin", "https://chat.example.org"),
                ("sec-fetch-site", "same-site"),
            ],
            &[host, ("origin", "https://goblin-pr-7-team.vercel.app")],
            &[
                ("host", "192.168.1.5:8001"),
                ("origin", "http://192.168.1.5:8001"),
            ],
        ] {
            assert!(page(good), "{good:?}");
        }
        for bad in [
            &[host][..],
            &[host, ("sec-fetch-site", "none")],
            &[host, ("sec-fetch-site", "cross-site")],
            &[host, ("sec-fetch-site", "same-site")],
            &[
                host,
                ("sec-fetch-site", "cross-site"),
                ("origin", "https://goblin.example.org"),
            ],
            &[host, ("origin", "null")],
            &[host, ("origin", "https://evil.example")],
            &[host, ("origin", "https://goblin.example.org.evil.example")],
            &[host, ("origin", "https://chat.example.org:8443")],
            &[host, ("origin", "http://chat.example.org")],
            &[host, ("origin", "https://goblin-x.evil.example/-team.vercel.app")],
            &[host, ("origin", "https://goblin-.evil.-team.vercel.app")],
            &[host, ("origin", "https://goblin-a-team.vercel.app.evil.example")],
            &[
                host,
                ("origin", "https://chat.example.org"),
                ("origin", "https://evil.example"),
            ],
            &[
                host,
                ("sec-fetch-site", "same-origin"),
                ("sec-fetch-site", "cross-site"),
            ],
            &[host, ("host", "evil.example"), ("origin", "https://evil.example")],
            &[("origin", "https://")],
        ] {
            assert!(!page(bad), "{bad:?}");
        }
    }

    #[test]
    fn patterns_of_previews_are_narrow() {
        for bad in [
            "*",
            "https://*",
            "https://*.vercel.app",
            "https://goblin-*.vercel.app",
            "https://goblin-*-team.app",
            "http://goblin-*-team.vercel.app",
            "https://goblin-*-*-team.vercel.app",
            "https://a.goblin-*-team.vercel.app",
            "https://goblin-*-team.vercel.app/x",
        ] {
            assert_eq!(OriginPattern::parse(bad), None, "{bad}");
        }
    }

    /// The other end, the headers, and what is to be found.
    type Case = (&'static str, &'static [(&'static str, &'static str)], Way);

    #[test]
    fn whether_others_can_read_along_is_not_what_a_stranger_says() {
        let cases: &[Case] = &[
            ("127.0.0.1", &[("host", "localhost:8001")], Way::Near),
            ("192.168.1.9", &[("host", "192.168.1.5:8001")], Way::Near),
            ("192.168.1.9", &[("host", "box.local:8001")], Way::Near),
            ("192.168.1.9", &[("host", "box")], Way::Near),
            ("::1", &[("host", "[::1]:8001")], Way::Near),
            ("192.168.1.9", &[("host", "goblin.example.org")], Way::Far),
            ("203.0.113.9", &[("host", "192.168.1.5")], Way::Far),
            (
                "203.0.113.9",
                &[("host", "goblin.example.org"), ("x-forwarded-proto", "https")],
                Way::Far,
            ),
            (
                "192.168.1.9",
                &[("host", "box"), ("x-forwarded-for", "203.0.113.9")],
                Way::Far,
            ),
            (
                "10.0.0.1",
                &[("host", "goblin.example.org"), ("x-forwarded-proto", "https")],
                Way::Secure,
            ),
            (
                "10.0.0.1",
                &[
                    ("host", "goblin.example.org"),
                    ("x-forwarded-proto", "https, http"),
                ],
                Way::Far,
            ),
            (
                "203.0.113.9",
                &[("host", "g.example.org"), ("origin", "https://g.example.org")],
                Way::Secure,
            ),
            (
                "203.0.113.9",
                &[("host", "g.example.org"), ("origin", "https://chat.example.org")],
                Way::Secure,
            ),
            (
                "203.0.113.9",
                &[("host", "g.example.org"), ("origin", "https://evil.example")],
                Way::Far,
            ),
            (
                "203.0.113.9",
                &[("host", "g.example.org"), ("origin", "http://g.example.org")],
                Way::Far,
            ),
            ("127.0.0.1", &[("host", "evil.example:8001")], Way::Far),
            (
                "127.0.0.1",
                &[("host", "localhost"), ("host", "evil.example")],
                Way::Far,
            ),
            ("127.0.0.1", &[], Way::Far),
        ];
        for (peer, headers, way) in cases {
            assert_eq!(visit(peer, headers).way, *way, "{peer} {headers:?}");
        }
    }

    #[test]
    fn the_client_is_the_last_address_that_is_no_trusted_proxy() {
        let client = |peer: &str, chain: &str| {
            visit(peer, &[("x-forwarded-for", chain)])
                .address
                .unwrap()
                .to_string()
        };
        assert_eq!(
            client("203.0.113.9", "192.0.2.1"),
            "203.0.113.9",
            "a stranger is not believed"
        );
        assert_eq!(client("10.0.0.1", "192.0.2.1"), "192.0.2.1");
        assert_eq!(
            client("10.0.0.1", "6.6.6.6, 192.0.2.1, 10.9.9.9"),
            "192.0.2.1",
            "what a client put before"
        );
        assert_eq!(client("10.0.0.1", "nonsense"), "10.0.0.1");
        assert_eq!(client("10.0.0.1", "10.1.1.1"), "10.1.1.1");
        assert_eq!(client("::ffff:10.0.0.1", "::ffff:192.0.2.1"), "192.0.2.1");
    }

    #[test]
    fn what_a_client_calls_itself_is_bounded_and_a_browser_is_told_by_what_it_says() {
        let long = "x".repeat(500);
        let seen = visit("127.0.0.1", &[("user-agent", &long)]);
        assert_eq!((seen.device.unwrap().len(), seen.is_browser), (200, false));
        assert!(visit("127.0.0.1", &[("sec-fetch-site", "same-origin")]).is_browser);
        assert!(visit("127.0.0.1", &[("origin", "http://192.168.1.5")]).is_browser);
    }
}
