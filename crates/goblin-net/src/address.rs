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
    /// `http://h/v1/models`.
    #[must_use]
    pub fn join(&self, path: &str) -> Self {
        let mut url = self.0.clone();
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
