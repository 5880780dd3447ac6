//! What an answer of a registry means.

use std::time::Duration;

use goblin_net::Response;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RETRY_AFTER};
use serde::de::DeserializeOwned;

use crate::registry::RegistryError;

/// Longest wait a registry may ask for that is passed on; a longer one is cut.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);

/// The answer, when it is a good one.
pub(crate) fn expect_success(
    response: Response,
    address: &str,
    what: &str,
) -> Result<Response, RegistryError> {
    let status = response.status.as_u16();
    let address = address.to_owned();
    Err(match status {
        200 | 206 => return Ok(response),
        404 | 410 => RegistryError::NotFound {
            address,
            what: what.to_owned(),
            hint: String::new(),
        },
        401 | 403 => RegistryError::Unauthorized {
            address,
            what: what.to_owned(),
            status,
            hint: "it is private, needs a licence to be accepted first, or does not exist",
        },
        408 | 429 | 500 | 502..=504 => RegistryError::Busy {
            address,
            status,
            retry_after: retry_after(&response.headers),
        },
        _ => RegistryError::NotARegistry {
            address,
            reason: format!("status {status}"),
        },
    })
}

/// A web page where a file or JSON belongs comes from a gateway that wants a sign-in, or from a wrong address.
pub(crate) fn refuse_pages(response: &Response, address: &str) -> Result<(), RegistryError> {
    let kind = response.headers.get(CONTENT_TYPE).and_then(|t| t.to_str().ok());
    match kind {
        Some(kind) if kind.trim_start().to_lowercase().starts_with("text/html") => {
            Err(RegistryError::NotARegistry {
                address: address.to_owned(),
                reason: "it answers with a web page. Is there a network sign-in in between, or is it the wrong address?"
                    .to_owned(),
            })
        }
        _ => Ok(()),
    }
}

/// The answer's JSON.
pub(crate) async fn json<T: DeserializeOwned>(
    response: Response,
    address: &str,
    url: &str,
) -> Result<T, RegistryError> {
    refuse_pages(&response, address)?;
    let body = response.body.collect().await;
    let body = body.map_err(|source| RegistryError::Network {
        url: url.to_owned(),
        source,
    })?;
    serde_json::from_slice(&body).map_err(|error| RegistryError::NotARegistry {
        address: address.to_owned(),
        reason: format!("its answer is not the JSON that is expected ({error})"),
    })
}

/// At which byte the body begins. `from`: the byte that was asked for; `size`: the file's length as announced.
pub(crate) fn check_extent(
    response: &Response,
    address: &str,
    from: u64,
    size: u64,
) -> Result<u64, RegistryError> {
    let wrong = |reason: String| RegistryError::NotARegistry {
        address: address.to_owned(),
        reason,
    };
    let start = if response.status.as_u16() == 206 {
        let text = response.headers.get(CONTENT_RANGE).and_then(|r| r.to_str().ok());
        let (first, total) = text
            .and_then(content_range)
            .ok_or_else(|| wrong("it sends a part of the file without saying which".to_owned()))?;
        if first != from || total.is_some_and(|total| total != size) {
            return Err(wrong(format!(
                "it sends another part of the file than the one asked for ({})",
                text.unwrap_or_default()
            )));
        }
        from
    } else {
        0
    };
    let left = size.saturating_sub(start);
    let announced = response
        .headers
        .get(CONTENT_LENGTH)
        .and_then(|l| l.to_str().ok()?.parse::<u64>().ok());
    match announced {
        Some(length) if length != left => Err(wrong(format!(
            "it sends {length} bytes where {left} were announced"
        ))),
        _ => Ok(start),
    }
}

/// First byte and length of `bytes 5-9/10`; the length may be `*` (RFC 9110 §14.4).
fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, _) = range.split_once('-')?;
    let total = match total {
        "*" => None,
        number => Some(number.parse().ok()?),
    };
    Some((first.trim().parse().ok()?, total))
}

/// `Retry-After` in seconds (the form with a date is not read).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}

/// `sha256:` and 64 hexadecimal digits, or the digits alone; lower case.
pub(crate) fn sha256(text: &str) -> Option<String> {
    let digits = text.trim().trim_matches('"');
    let digits = digits.strip_prefix("sha256:").unwrap_or(digits).to_lowercase();
    (digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit())).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_digests_are_read_strictly() {
        assert_eq!(content_range("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(content_range("bytes 0-9/*"), Some((0, None)));
        for bad in [
            "",
            "bytes",
            "bytes */10",
            "items 0-1/2",
            "bytes x-1/2",
            "bytes 0-1/y",
        ] {
            assert_eq!(content_range(bad), None, "{bad}");
        }
        let digits = "0aF1".repeat(16);
        assert_eq!(sha256(&format!("sha256:{digits}")), Some(digits.to_lowercase()));
        assert_eq!(sha256(&format!("\"{digits}\"")), Some(digits.to_lowercase()));
        for bad in [
            "",
            "sha256:",
            "sha256:../../etc",
            "zz",
            &"g".repeat(64),
            &"0".repeat(65),
        ] {
            assert_eq!(sha256(bad), None, "{bad}");
        }
    }
}
