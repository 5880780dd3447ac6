//! Addresses of other servers, as an operator or user wrote them.

use std::fmt;

use thiserror::Error;

/// Why a text is no usable address. `Display` says what to write instead.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum UrlError {
    /// Not a URL at all.
    #[error("it is not a URL ({0}); write it like http://127.0.0.1:11434")]
    Malformed(String),
    /// Neither `http` nor `https`.
    #[error("its scheme is `{0}`; only http and https are spoken")]
    Scheme(String),
    /// A user name or password before the host.
    #[error("it carries a user name or password; give the key in its own setting")]
    Userinfo,
    /// Nobody to connect to.
    #[error("it names no host")]
    Host,
    /// A query or fragment.
    #[error("it has a query or fragment; give the address only")]
    Query,
}

/// The `http` or `https` address of a server: no credentials, no query, no fragment. IPv4 addresses in any notation
/// (decimal, hexadecimal, octal) have become dotted.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Url(url::Url);

impl Url {
    /// Reads an address.
    ///
    /// # Errors
    /// [`UrlError`], whose sentence is fit for whoever wrote the address.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let url = url::Url::parse(text.trim()).map_err(|e| UrlError::Malformed(e.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(UrlError::Scheme(url.scheme().chars().take(20).collect()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlError::Userinfo);
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(UrlError::Host);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(UrlError::Query);
        }
        Ok(Self(url))
    }

    /// The address with `path` (without a leading slash) under it: `http://h/v1` and `models` give
    /// `http://h/v1/models`. What follows a `?` is its query.
    #[must_use]
    pub fn join(&self, path: &str) -> Self {
        let mut url = self.0.clone();
        let (path, query) = path
            .split_once('?')
            .map_or((path, None), |(path, query)| (path, Some(query)));
        if query.is_some() {
            url.set_query(query);
        }
        let joined = format!(
            "{}/{}",
            self.0.path().trim_end_matches('/'),
            path.trim_start_matches('/')
        );
        url.set_path(&joined);
        Self(url)
    }

    /// The same server with another path.
    #[must_use]
    pub fn with_path(&self, path: &str) -> Self {
        let mut url = self.0.clone();
        url.set_path(path);
        Self(url)
    }

    /// The same address with a query of these names and values.
    #[must_use]
    pub fn with_query(&self, pairs: &[(&str, &str)]) -> Self {
        let mut url = self.0.clone();
        url.query_pairs_mut().clear().extend_pairs(pairs);
        Self(url)
    }

    /// Where a redirect leads: a whole address or one relative to this one, with any query, without a fragment. `Err`
    /// says why it may not be followed.
    pub(crate) fn redirected(&self, location: &str) -> Result<Self, &'static str> {
        let mut next = self.0.join(location).map_err(|_| "it names no address")?;
        next.set_fragment(None);
        match (self.scheme(), next.scheme()) {
            ("http", "http" | "https") | ("https", "https") => {}
            ("https", "http") => return Err("it leads from https to plain http"),
            _ => return Err("it leads to something else than http or https"),
        }
        if !next.username().is_empty() || next.password().is_some() {
            return Err("its address carries a user name or password");
        }
        if next.host_str().is_none_or(str::is_empty) {
            return Err("its address names no host");
        }
        Ok(Self(next))
    }

    /// Scheme, host and port are the same: what was meant for one may be said to the other.
    pub(crate) fn same_origin(&self, other: &Self) -> bool {
        self.0.origin() == other.0.origin()
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &str {
        self.0.scheme()
    }

    /// The path, at least `/`.
    pub fn path(&self) -> &str {
        self.0.path()
    }

    /// `host:port`, for operators.
    pub fn address(&self) -> String {
        format!("{}:{}", self.0.host_str().unwrap_or_default(), self.port())
    }

    pub(crate) fn host(&self) -> Option<url::Host<&str>> {
        self.0.host()
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(0)
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_str().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_web_addresses_are_taken() {
        for (text, error) in [
            ("http://user@host/", UrlError::Userinfo),
            ("http://:secret@host/", UrlError::Userinfo),
            ("ftp://host/", UrlError::Scheme("ftp".into())),
            ("http://host/?key=1", UrlError::Query),
            ("http://host/#x", UrlError::Query),
        ] {
            assert_eq!(Url::parse(text), Err(error), "{text}");
        }
        for text in ["", "host", "host:80", "http://", "http://[::1"] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn redirects_lead_only_where_they_may() {
        let from = |base: &str, to: &str| {
            let url = Url::parse(base).unwrap().redirected(to);
            url.map(|u| u.to_string())
        };
        for (base, to, expected) in [
            ("https://h/a/b", "/c?x=1#y", "https://h/c?x=1"),
            ("https://h/a/b", "c", "https://h/a/c"),
            ("https://h/", "//cdn/x", "https://cdn/x"),
            ("http://h/", "https://cdn/x", "https://cdn/x"),
            ("http://h/", "http://cdn/x", "http://cdn/x"),
        ] {
            assert_eq!(from(base, to).as_deref(), Ok(expected), "{base} {to}");
        }
        for to in [
            "http://h/",
            "file:///etc/passwd",
            "https://u:p@h/",
            "https://",
            "data:,x",
        ] {
            assert!(from("https://h/", to).is_err(), "{to}");
        }
        let (a, b) = (
            Url::parse("https://h/a").unwrap(),
            Url::parse("https://h:443/b").unwrap(),
        );
        assert!(a.same_origin(&b));
        for other in ["https://h:1/", "http://h/", "https://i/"] {
            assert!(!a.same_origin(&Url::parse(other).unwrap()), "{other}");
        }
        assert_eq!(
            a.with_query(&[("x", "a b&c")]).to_string(),
            "https://h/a?x=a+b%26c"
        );
    }

    #[test]
    fn paths_are_put_under_the_address() {
        for (base, expected) in [
            ("http://h", "http://h/models"),
            ("http://h/", "http://h/models"),
            ("http://h/v1", "http://h/v1/models"),
            ("http://h/v1/", "http://h/v1/models"),
        ] {
            assert_eq!(Url::parse(base).unwrap().join("models").to_string(), expected);
        }
        assert_eq!(Url::parse("https://h").unwrap().address(), "h:443");
        assert_eq!(Url::parse("http://[::1]:80/").unwrap().address(), "[::1]:80");
        assert_eq!(
            Url::parse("http://2130706433/").unwrap().address(),
            "127.0.0.1:80"
        );
    }
}
