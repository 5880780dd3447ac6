//! What all servers reached over HTTP have in common: their keys, and reading what they say when they refuse.

use std::time::Duration;

use goblin_net::Response;
use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

/// Most bytes of a refusal's body that are read.
const MAX_REFUSAL_BYTES: usize = 256 * 1024;
/// Most time to read a refusal's body.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest `Retry-After` believed.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// Why a handle cannot be made.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BuildError {
    /// The key holds characters that cannot travel in a header.
    #[error("the key of `{id}` holds characters that no HTTP header can carry; look for stray line ends")]
    Key {
        /// Which server.
        id: String,
    },
}

/// A key as the header `authorization` wants it.
///
/// # Errors
/// As [`secret`].
pub(crate) fn bearer(key: &SecretString, id: &str) -> Result<HeaderValue, BuildError> {
    secret(&format!("Bearer {}", key.expose_secret()), id)
}

/// A secret as a header: kept out of logs.
///
/// # Errors
/// [`BuildError::Key`]; `id` names the server in it.
pub(crate) fn secret(text: &str, id: &str) -> Result<HeaderValue, BuildError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| BuildError::Key { id: id.to_owned() })?;
    value.set_sensitive(true);
    Ok(value)
}

/// A refusal, as it came.
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    /// As much as came within bounds of size and time; may be empty.
    pub(crate) body: Vec<u8>,
}

impl Refused {
    pub(crate) async fn read(response: Response) -> Self {
        let status = response.status.as_u16();
        let retry_after = retry_after(&response.headers);
        let body = tokio::time::timeout(REFUSAL_TIMEOUT, read_at_most(response, MAX_REFUSAL_BYTES)).await;
        Self {
            status,
            retry_after,
            body: body.unwrap_or_default(),
        }
    }
}

/// As much of a body as arrives whole, up to `limit` bytes.
async fn read_at_most(mut response: Response, limit: usize) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(Ok(piece)) = response.body.chunk().await {
        let room = limit - whole.len();
        whole.extend_from_slice(&piece[..piece.len().min(room)]);
        if whole.len() == limit {
            break;
        }
    }
    whole
}

/// OpenAI's `retry-after-ms`, else `Retry-After`, in seconds or as a date (RFC 9110 section 10.2.3). A date is told from the server's own `Date`, so that
/// a clock that goes wrong on one side does not matter; without one nothing is known.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let exact = headers
        .get("retry-after-ms")
        .and_then(|v| v.to_str().ok()?.trim().parse::<f64>().ok());
    if let Some(wait) = exact.and_then(|ms| Duration::try_from_secs_f64(ms / 1000.0).ok()) {
        return Some(wait.min(MAX_RETRY_AFTER));
    }
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok()?,
        Err(_) => {
            let now = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?.trim()).ok()?;
            let then = httpdate::parse_http_date(text).ok()?;
            // A time that has passed: at once.
            then.duration_since(now).unwrap_or_default()
        }
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_in_seconds_and_bounded() {
        let read = |text: &str| retry_after(&HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]));
        assert_eq!(read("7"), Some(Duration::from_secs(7)));
        assert_eq!(read("1e300"), None);
        assert_eq!(read("999999"), Some(MAX_RETRY_AFTER));
        assert_eq!(read("-1"), None);
        let exact = [("retry-after-ms", "1500"), ("retry-after", "2")]
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
        assert_eq!(
            retry_after(&HeaderMap::from_iter(exact)),
            Some(Duration::from_millis(1500))
        );
    }

    #[test]
    fn a_date_is_told_from_the_servers_own_clock() {
        let read = |date: Option<&str>, text: &str| {
            let date = date.map(|date| (DATE, date.parse().unwrap()));
            let headers = [(RETRY_AFTER, text.parse().unwrap())].into_iter().chain(date);
            retry_after(&HeaderMap::from_iter(headers))
        };
        let now = Some("Wed, 21 Oct 2026 07:28:00 GMT");
        let later = |time: &str| read(now, &format!("Wed, 21 Oct 2026 {time} GMT"));
        assert_eq!(later("07:28:30"), Some(Duration::from_secs(30)));
        assert_eq!(later("07:00:00"), Some(Duration::ZERO), "it has passed");
        assert_eq!(later("23:28:00"), Some(MAX_RETRY_AFTER));
        assert_eq!(read(None, "Wed, 21 Oct 2026 07:28:30 GMT"), None);
        assert_eq!(read(now, "tomorrow"), None);
    }
}
