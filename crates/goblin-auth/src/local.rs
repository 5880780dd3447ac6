//! Local mode: on one machine, for whoever sits at it, without signing in. When it may be on, and which
//! requests it answers.
//!
//! A browser at this machine runs pages of strangers too, and any of them may send requests here. What keeps
//! them out: the name they were sent to must be this machine's own (a name of theirs that resolves to 127.0.0.1
//! is not), the page that sent them must be ours, and nothing may have passed them on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use goblin_core::error::ApiError;
use http::header::{FORWARDED, HOST, HeaderName, ORIGIN, VIA};
use http::{HeaderMap, Method, Uri};

/// What decides whether local mode may be on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// The address listened on.
    pub bind: IpAddr,
    /// Is there an account?
    pub has_account: bool,
    /// Is `FRONTEND_URL` set?
    pub frontend_url: bool,
    /// Is `TRUSTED_PROXIES` set?
    pub trusted_proxies: bool,
    /// Is `ORIGIN_SECRET` set?
    pub origin_secret: bool,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// The page and its files: a link on another site may lead here.
    Page,
    /// Everything else.
    Api,
}

/// What of a request decides.
#[derive(Clone, Copy, Debug)]
pub struct RequestFacts<'a> {
    /// The method.
    pub method: &'a Method,
    /// The target as it came, with its authority where it had one.
    pub uri: &'a Uri,
    /// The headers as they came.
    pub headers: &'a HeaderMap,
    /// What it is for.
    pub surface: Surface,
}

/// Local mode, on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalMode {
    port: u16,
}

impl LocalMode {
    /// May local mode be on, listening on `port`?
    ///
    /// # Errors
    /// Every reason against it, each a sentence.
    pub fn decide(surroundings: &Surroundings, port: u16) -> Result<Self, Vec<String>> {
        let &Surroundings {
            bind,
            has_account,
            frontend_url,
            trusted_proxies,
            origin_secret,
        } = surroundings;
        let set = |name: &str, what: &str| {
            format!(
                "{name} is set, which says that {what}; without sign-in they would all be the owner. Unset it."
            )
        };
        let reasons = [
            (!is_loopback(bind)).then(|| {
                format!(
                    "It listens on {bind}, which other machines may reach; without sign-in all of them would be the \
                     owner. Set HOST to 127.0.0.1."
                )
            }),
            has_account.then(|| "There is an account, so signing in is required.".to_owned()),
            frontend_url.then(|| set("FRONTEND_URL", "the page is served elsewhere, for people elsewhere")),
            trusted_proxies.then(|| set("TRUSTED_PROXIES", "a proxy passes on requests of other machines")),
            origin_secret.then(|| set("ORIGIN_SECRET", "a CDN passes on requests of other machines")),
        ];
        let reasons: Vec<String> = reasons.into_iter().flatten().collect();
        if reasons.is_empty() {
            Ok(Self { port })
        } else {
            Err(reasons)
        }
    }

    /// Does this request come from this machine, from our page or from a program?
    ///
    /// # Errors
    /// 403 with what is wrong.
    pub fn check_request(&self, request: &RequestFacts<'_>) -> Result<(), ApiError> {
        let headers = request.headers;
        if headers.keys().any(is_forwarding) {
            return Err(ApiError::forbidden(
                "This request was passed on by a proxy. Without sign-in only direct requests from this machine are \
                 answered.",
            ));
        }
        let host = self.host(request)?;
        self.check_origin(headers, &host)?;
        check_fetch_site(request)
    }

    /// The one authority the request names, which must be this machine.
    fn host(&self, request: &RequestFacts<'_>) -> Result<Authority, ApiError> {
        let refused = || {
            ApiError::forbidden(format!(
                "The Host of this request is not this machine's own. Without sign-in only http://localhost:{0} and \
                 http://127.0.0.1:{0} are answered.",
                self.port
            ))
        };
        let host = only(request.headers, HOST).map_err(|()| refused())?;
        let target = request.uri.authority().map(http::uri::Authority::as_str);
        let own = |text: &str| Authority::parse(text).filter(|a| a.port.is_none_or(|p| p == self.port));
        match (target, host) {
            (None, None) => Err(refused()),
            (Some(one), None) | (None, Some(one)) => own(one).ok_or_else(refused),
            (Some(a), Some(b)) => own(a).filter(|a| own(b).as_ref() == Some(a)).ok_or_else(refused),
        }
    }

    /// A page that says where it is from must be ours: the same name and port, plain http.
    fn check_origin(&self, headers: &HeaderMap, host: &Authority) -> Result<(), ApiError> {
        let refused = || {
            ApiError::forbidden(
                "Another page sent this request. Without sign-in only goblin's own page may; open it at the address \
                 goblin printed when it started.",
            )
        };
        let Some(origin) = only(headers, ORIGIN).map_err(|()| refused())? else {
            return Ok(());
        };
        let same = |from: Authority| {
            // A page on the scheme's own port leaves it out, so absence means 80 here.
            let port = from.port.unwrap_or(80);
            from.name == host.name && port == host.port.unwrap_or(port) && port == self.port
        };
        let from = origin.strip_prefix("http://").and_then(Authority::parse);
        if from.is_some_and(same) {
            Ok(())
        } else {
            Err(refused())
        }
    }
}

/// Browsers say how the sender's site relates to ours (Fetch Metadata). Programs say nothing.
fn check_fetch_site(request: &RequestFacts<'_>) -> Result<(), ApiError> {
    let said = |name| only(request.headers, HeaderName::from_static(name)).unwrap_or(Some("several"));
    match said("sec-fetch-site") {
        None | Some("same-origin" | "none") => return Ok(()),
        Some(_) => {}
    }
    let link_followed = request.surface == Surface::Page
        && request.method == Method::GET
        && said("sec-fetch-mode") == Some("navigate")
        && said("sec-fetch-dest") == Some("document");
    if link_followed {
        return Ok(());
    }
    Err(ApiError::forbidden(
        "A page of another site sent this request. Without sign-in only goblin's own page may.",
    ))
}

/// Headers that a proxy, a CDN or a tunnel adds.
fn is_forwarding(name: &HeaderName) -> bool {
    const OTHERS: [&str; 12] = [
        "x-real-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-original-host",
        "x-original-forwarded-for",
        "x-envoy-external-address",
        "true-client-ip",
        "fastly-client-ip",
        "fly-client-ip",
        "x-render-origin-server",
        "x-vercel-id",
        "x-azure-clientip",
    ];
    let text = name.as_str();
    *name == FORWARDED
        || *name == VIA
        || text.starts_with("x-forwarded")
        || text.starts_with("cf-")
        || text.starts_with("cdn-")
        || OTHERS.contains(&text)
}

/// The header's one value; an error when there are several or it is not text.
fn only(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(one), None) => one.to_str().map(Some).map_err(|_| ()),
        _ => Err(()),
    }
}

/// A loopback name or address, and a port where one is written.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Authority {
    name: Loopback,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Loopback {
    Name,
    V4(Ipv4Addr),
    V6,
}

impl Authority {
    /// Only what a browser writes for a loopback address; every other spelling is refused.
    fn parse(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix('[') {
            let (address, port) = rest.split_once(']')?;
            let address: Ipv6Addr = address.parse().ok()?;
            let name = (address == Ipv6Addr::LOCALHOST).then_some(Loopback::V6)?;
            let port = if port.is_empty() {
                None
            } else {
                Some(parse_port(port.strip_prefix(':')?)?)
            };
            return Some(Self { name, port });
        }
        let (name, port) = match text.split_once(':') {
            Some((name, port)) => (name, Some(parse_port(port)?)),
            None => (text, None),
        };
        if name.eq_ignore_ascii_case("localhost") {
            return Some(Self {
                name: Loopback::Name,
                port,
            });
        }
        let address: Ipv4Addr = name.parse().ok()?;
        address.is_loopback().then_some(Self {
            name: Loopback::V4(address),
            port,
        })
    }
}

fn parse_port(text: &str) -> Option<u16> {
    let plain = (1..=5).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| plain && !text.starts_with('0'))
}

/// Is the address reachable from this machine only? Counts IPv4 written as IPv6.
fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}
