//! The key of a request, as it came.

use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use crate::keys::{KeyRefusal, MAX_KEY_BYTES, RefusedKey};

/// A key as a request presents it, within bounds but not checked.
#[derive(Debug)]
pub(crate) struct Presented(SecretString);

impl Presented {
    /// The key of `x-api-key` or of `Authorization: Bearer`; `None` when there is neither. An `Authorization` of
    /// another scheme beside `x-api-key` is somebody else's business.
    ///
    /// # Errors
    /// One that is empty, too long, repeated or not visible ASCII, and two that differ.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Result<Option<Self>, KeyRefusal> {
        let own = match one(headers, "x-api-key")? {
            Some(value) => Some(value.to_str().map_err(|_| malformed())?.trim()),
            None => None,
        };
        let bearer = match one(headers, AUTHORIZATION.as_str())? {
            Some(value) => match bearer(value) {
                None if own.is_some() => None,
                None => return Err(malformed()),
                some => some,
            },
            None => None,
        };
        if let (Some(a), Some(b)) = (own, bearer)
            && a != b
        {
            return Err(KeyRefusal::new(
                RefusedKey::Conflicting,
                "The request carries two different keys, in `x-api-key` and in `Authorization`. Send one.",
            ));
        }
        match own.or(bearer) {
            Some(text) if is_sendable(text) => Ok(Some(Self(text.into()))),
            Some(_) => Err(malformed()),
            None => Ok(None),
        }
    }

    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// The header's one value.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a HeaderValue>, KeyRefusal> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (first, None) => Ok(first),
        (_, Some(_)) => Err(malformed()),
    }
}

fn bearer(value: &HeaderValue) -> Option<&str> {
    let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

fn malformed() -> KeyRefusal {
    KeyRefusal::new(
        RefusedKey::Malformed,
        "The key cannot be read. Send it once, as `Authorization: Bearer KEY` or `x-api-key: KEY`.",
    )
}

/// Can this text travel as a key at all?
pub(crate) fn is_sendable(key: &str) -> bool {
    (1..=MAX_KEY_BYTES).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic())
}
