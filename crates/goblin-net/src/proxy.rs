//! Proxies an operator names: HTTP `CONNECT` (RFC 9110 §9.3.6), absolute-form for plain http (RFC 9112 §3.2.2), and
//! SOCKS5 with or without a password (RFC 1928, RFC 1929). The environment's proxies are never taken.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Uri};
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use thiserror::Error;
use tower::{Service, service_fn};

use crate::connect::{BoxError, Socket};
use crate::error::ProxyFailed;

/// Longest user name or password of SOCKS5 (RFC 1929 §2), in bytes.
const MAX_SOCKS_TEXT: usize = 255;

/// Why a text names no proxy. `Display` says what to write instead, and repeats no password.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ProxyError {
    /// Not a URL at all, or without a host.
    #[error(
        "it is no address of a proxy; write it like http://proxy.example:3128 or socks5://127.0.0.1:1080"
    )]
    Malformed,
    /// Not a kind of proxy that is spoken.
    #[error("`{0}` is no kind of proxy; http, https, socks5 and socks5h are")]
    Scheme(String),
    /// Something after the host and port.
    #[error("it has a path, query or fragment; give scheme, host and port only")]
    Path,
    /// A user name or password that cannot be said.
    #[error("its user name or password cannot be sent; percent-encode it, and keep each below 256 bytes")]
    Credentials,
    /// A cloud metadata service.
    #[error("it is a cloud metadata service")]
    Metadata,
}

/// How a proxy is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// HTTP over plain TCP, or over TLS.
    Http { tls: bool },
    /// SOCKS5. Names are resolved here, or by the proxy.
    Socks5 { remote_names: bool },
}

/// A proxy, with what proves who we are to it. Neither `Debug` nor `Display` shows that.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    kind: Kind,
    uri: Uri,
    host: String,
    port: u16,
    login: Option<(String, String)>,
}

impl Proxy {
    /// Reads `http://…`, `https://…`, `socks5://…` (names are resolved here) or `socks5h://…` (by the proxy), with or
    /// without `user:password@`.
    ///
    /// # Errors
    /// [`ProxyError`], whose sentence is fit for whoever wrote the address.
    pub fn parse(text: &str) -> Result<Self, ProxyError> {
        let url = url::Url::parse(text.trim()).map_err(|_| ProxyError::Malformed)?;
        let (kind, default_port) = match url.scheme() {
            "http" => (Kind::Http { tls: false }, 80),
            "https" => (Kind::Http { tls: true }, 443),
            "socks5" => (Kind::Socks5 { remote_names: false }, 1080),
            "socks5h" => (Kind::Socks5 { remote_names: true }, 1080),
            other => return Err(ProxyError::Scheme(other.chars().take(20).collect())),
        };
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(ProxyError::Path);
        }
        let host = url
            .host_str()
            .filter(|h| !h.is_empty())
            .ok_or(ProxyError::Malformed)?;
        let port = url.port().unwrap_or(default_port);
        // The scheme decides nothing from here on, and an `http` address is judged like any other.
        let plain = format!("http://{host}:{port}/");
        let judged = crate::Url::parse(&plain).map_err(|_| ProxyError::Malformed)?;
        crate::Guard::Operator
            .check_url(&judged)
            .map_err(|_| ProxyError::Metadata)?;
        Ok(Self {
            kind,
            uri: plain.parse().map_err(|_| ProxyError::Malformed)?,
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            login: login(&url, kind)?,
        })
    }

    /// The proxy's `host:port`, for operators.
    pub fn address(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    /// Whom to connect to.
    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Its name, without brackets.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Is it spoken to over TLS?
    pub(crate) fn is_tls(&self) -> bool {
        self.kind == Kind::Http { tls: true }
    }

    /// Does it take requests for plain http themselves, instead of being asked for a connection?
    pub(crate) fn forwards(&self) -> bool {
        matches!(self.kind, Kind::Http { .. })
    }

    /// Is it given names, so that where they lead is for it to decide?
    pub(crate) fn resolves_names(&self) -> bool {
        self.kind != (Kind::Socks5 { remote_names: false })
    }

    /// What a request that it forwards must carry.
    pub(crate) fn authorization(&self) -> Option<HeaderValue> {
        let (user, password) = self.login.as_ref().filter(|_| self.forwards())?;
        let basic = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        // Base64 is always a header value.
        let mut value = HeaderValue::from_str(&basic).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Asks the proxy at the other end of `socket` for a connection to `target`, which has host and port.
    pub(crate) async fn open(&self, socket: Socket, target: Uri) -> Result<Socket, ProxyFailed> {
        let mut given = Some(TokioIo::new(socket));
        let connected = service_fn(move |_: Uri| {
            std::future::ready(given.take().ok_or_else(|| std::io::Error::other("asked twice")))
        });
        let asked = target.authority().map(ToString::to_string).unwrap_or_default();
        let opened: Result<TokioIo<Socket>, BoxError> = match self.kind {
            Kind::Http { .. } => {
                let mut tunnel = Tunnel::new(self.uri.clone(), connected);
                if let Some(value) = self.authorization() {
                    tunnel = tunnel.with_auth(value);
                }
                tunnel.call(target).await.map_err(Into::into)
            }
            Kind::Socks5 { .. } => {
                let mut socks = SocksV5::new(self.uri.clone(), connected);
                if let Some((user, password)) = &self.login {
                    socks = socks.with_auth(user.clone(), password.clone());
                }
                socks.call(target).await.map_err(Into::into)
            }
        };
        opened.map(TokioIo::into_inner).map_err(|error| ProxyFailed {
            proxy: self.address(),
            reason: self.refusal(&error.to_string(), &asked),
        })
    }

    /// Why the proxy gave no connection. The library's errors have no public kinds, only their words.
    fn refusal(&self, said: &str, target: &str) -> String {
        let has = |part: &str| said.contains(part);
        if has("authorization required") || has("credentials") || has("authentication") {
            return self.wants_login();
        }
        if has("unsuccessful") {
            return format!("it refuses to connect to {target}");
        }
        if has("unexpected end of file") || has("io error") {
            return format!("it hung up when asked for {target}");
        }
        let words = said
            .trim_start_matches("SOCKS error: ")
            .trim_start_matches("tunnel error: ");
        format!("it does not connect to {target}: {words}")
    }

    /// Why it refuses everything.
    pub(crate) fn wants_login(&self) -> String {
        match self.login {
            Some(_) => "it refuses the user name and password".to_owned(),
            None => "it wants a user name and password".to_owned(),
        }
    }
}

fn login(url: &url::Url, kind: Kind) -> Result<Option<(String, String)>, ProxyError> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let decoded = |text: &str| {
        let text = percent_decode_str(text).decode_utf8();
        text.map(|t| t.into_owned()).map_err(|_| ProxyError::Credentials)
    };
    let (user, password) = (
        decoded(url.username())?,
        decoded(url.password().unwrap_or_default())?,
    );
    let sayable = match kind {
        // RFC 7617 §2: a colon ends the name.
        Kind::Http { .. } => !user.contains(':'),
        Kind::Socks5 { .. } => user.len() <= MAX_SOCKS_TEXT && password.len() <= MAX_SOCKS_TEXT,
    };
    match sayable {
        true => Ok(Some((user, password))),
        false => Err(ProxyError::Credentials),
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address())
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("kind", &self.kind)
            .field("address", &self.address())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_read_with_their_usual_ports_and_their_passwords_are_not_shown() {
        for (text, address) in [
            ("http://proxy.lan:3128", "proxy.lan:3128"),
            ("https://user:se%3Acret@proxy.example", "proxy.example:443"),
            ("socks5://127.0.0.1", "127.0.0.1:1080"),
            ("socks5h://user:secret@[::1]:9050/", "[::1]:9050"),
        ] {
            let proxy = Proxy::parse(text).unwrap();
            assert_eq!(proxy.address(), address, "{text}");
            assert!(!format!("{proxy:?} {proxy}").contains("secret"), "{proxy:?}");
        }
        let proxy = Proxy::parse("http://Aladdin:open%20sesame@p").unwrap();
        // RFC 7617 §2.
        assert_eq!(
            proxy.authorization().unwrap(),
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
        );
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_its_password() {
        let long = format!("socks5://{}:p@h", "u".repeat(256));
        for (text, error) in [
            ("proxy.lan", ProxyError::Malformed),
            ("", ProxyError::Malformed),
            ("socks4://h", ProxyError::Scheme("socks4".into())),
            ("http://u:secret@h/path", ProxyError::Path),
            ("http://u%3Av:secret@h", ProxyError::Credentials),
            ("http://u:%ff@h", ProxyError::Credentials),
            (long.as_str(), ProxyError::Credentials),
            ("http://169.254.169.254:80", ProxyError::Metadata),
        ] {
            let refused = Proxy::parse(text).unwrap_err();
            assert_eq!(refused, error, "{text}");
            assert!(!refused.to_string().contains("secret"));
        }
    }
}
