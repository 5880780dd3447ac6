//! Requests that mean what they look like. The tier often stands behind a proxy with rules of its own, and a
//! request that the two read differently gets around those rules.

use axum::extract::{Query, Request};
use goblin_core::error::ApiError;
use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, Method, Uri, Version};

/// Ids of models hold slashes, and some clients encode them.
const SLASHES_BELOW: &str = "/v1/models/";

/// Fields of a query in which keys have been seen.
const KEY_FIELDS: [&str; 8] = [
    "key",
    "api_key",
    "apikey",
    "api-key",
    "x-api-key",
    "token",
    "access_token",
    "authorization",
];

/// Headers by which a request asks to be taken for one of another method.
const METHOD_OVERRIDES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];

/// Refuses a request that is not plain.
///
/// # Errors
///
/// 400 for one that could be read in two ways, 403 for one that a web page sent, 401 for a key in the address.
pub(super) fn check(request: &Request) -> Result<(), ApiError> {
    let (headers, uri) = (request.headers(), request.uri());
    check_target(request.method(), uri, headers, request.version())?;
    check_method(headers)?;
    check_path(uri.path())?;
    check_origin(headers)?;
    check_query(uri)
}

/// A malformed request is 400 on every door.
fn malformed(param: &str, message: impl Into<String>) -> ApiError {
    ApiError {
        status_override: Some(400),
        ..ApiError::invalid(param, message)
    }
}

/// One host, whichever (RFC 9112, 3.2), and the same one in the target where it is written there.
fn check_target(method: &Method, uri: &Uri, headers: &HeaderMap, version: Version) -> Result<(), ApiError> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (None, _) if version < Version::HTTP_11 => None,
        (Some(host), None) => Some(host),
        _ => {
            return Err(malformed(
                "host",
                "A request has exactly one `Host` header. Send one.",
            ));
        }
    };
    let named = host.map(|h| h.to_str().ok().and_then(authority));
    if named == Some(None) {
        return Err(malformed(
            "host",
            "The `Host` header is not a name or an address with an optional port.",
        ));
    }
    let elsewhere = match uri.authority() {
        None => false,
        Some(target) => authority(target.as_str()) != named.flatten(),
    };
    if elsewhere || method == Method::CONNECT {
        return Err(malformed(
            "target",
            "This server is no proxy: the request's target must be a path, or name the host that `Host` names.",
        ));
    }
    Ok(())
}

/// A host with an optional port; nothing else that the grammar of addresses allows.
fn authority(text: &str) -> Option<Authority> {
    text.parse()
        .ok()
        .filter(|_| !text.is_empty() && !text.contains('@'))
}

fn check_method(headers: &HeaderMap) -> Result<(), ApiError> {
    match METHOD_OVERRIDES.iter().find(|name| headers.contains_key(**name)) {
        None => Ok(()),
        Some(name) => Err(malformed(
            name,
            format!("The header `{name}` is not understood. Send the method itself in the request line."),
        )),
    }
}

fn check_path(path: &str) -> Result<(), ApiError> {
    let refused = |has: &str| {
        malformed(
            "path",
            format!("The path has {has}. Write it plainly, as the documentation does."),
        )
    };
    let Some(decoded) = decode(path) else {
        return Err(refused("an encoding that cannot be read"));
    };
    if decoded.contains("//") {
        return Err(refused("an empty segment (`//`)"));
    }
    if decoded.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err(refused("a segment that means another folder (`.` or `..`)"));
    }
    if decoded.contains('\\') || decoded.contains(char::is_control) {
        return Err(refused("a backslash or a control character"));
    }
    let slashes = |text: &str| text.matches('/').count();
    if slashes(&decoded) > slashes(path) && !path.starts_with(SLASHES_BELOW) {
        return Err(refused("an encoded slash (`%2F`)"));
    }
    Ok(())
}

/// Undoes percent encoding (RFC 3986, 2.1), once.
fn decode(path: &str) -> Option<String> {
    let mut pieces = path.split('%');
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let digits = piece
            .get(..2)
            .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(piece.get(2..)?.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

/// Browsers add `Origin` to what a page sends. A page that talks to the tier would have to hold its key.
fn check_origin(headers: &HeaderMap) -> Result<(), ApiError> {
    if headers.contains_key(ORIGIN) {
        return Err(ApiError::forbidden(
            "A web page sent this request (it has an `Origin` header). The model tier answers programs only: a page \
             would give its key away. Ask a goblin backend instead.",
        ));
    }
    Ok(())
}

/// Addresses end up in logs and histories, so a key in one is refused even when it is right.
fn check_query(uri: &Uri) -> Result<(), ApiError> {
    if uri.query().is_none() {
        return Ok(());
    }
    let fields = Query::<Vec<(String, String)>>::try_from_uri(uri);
    let fields = fields.map_err(|_| malformed("query", "The query string cannot be read."))?;
    let found = KEY_FIELDS
        .iter()
        .find(|name| fields.iter().any(|(given, _)| given.eq_ignore_ascii_case(name)));
    match found {
        None => Ok(()),
        Some(name) => Err(ApiError {
            param: Some((*name).to_owned()),
            ..ApiError::unauthorized(format!(
                "A key does not belong into the address, where logs keep it (`?{name}=`). Send it as \
                 `Authorization: Bearer KEY` or `x-api-key: KEY`, and replace this one if it was real."
            ))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_paths_pass() {
        for good in [
            "/v1/models",
            "/v1/models/",
            "/v1/models/ollama/mistral:7b",
            "/v1/models/ollama%2Fmistral%3A7b",
            "/v1/models/hf.co%2Fa..b%2Fc",
            "/api/blobs/sha256:0a",
            "/",
            "*",
        ] {
            assert_eq!(check_path(good), Ok(()), "{good}");
        }
        for (bad, says) in [
            ("//api/pull", "empty segment"),
            ("/api//pull", "empty segment"),
            ("/api/../api/pull", "another folder"),
            ("/api/./pull", "another folder"),
            ("/api/%2e%2e/pull", "another folder"),
            ("/api/%2E%2e/pull", "another folder"),
            ("/api/.%2e", "another folder"),
            ("/api%2Fpull", "encoded slash"),
            ("/api%2fpull", "encoded slash"),
            ("/%2Fapi/pull", "empty segment"),
            ("/v1/models/..%2F..%2Fapi%2Fpull", "another folder"),
            ("/v1/models/%2F%2Fa", "empty segment"),
            ("/api\\pull", "backslash"),
            ("/api%5Cpull", "backslash"),
            ("/api/pull%00", "control"),
            ("/api/%0d%0apull", "control"),
            ("/api/%zz", "cannot be read"),
            ("/api/%2", "cannot be read"),
            ("/api/%ff", "cannot be read"),
            ("/api/%+1", "cannot be read"),
        ] {
            let error = check_path(bad).unwrap_err();
            assert!(error.message.contains(says), "{bad}: {}", error.message);
            assert_eq!((error.status(true), error.status(false)), (400, 400));
        }
    }

    #[test]
    fn hosts_are_names_or_addresses() {
        for good in ["gpu.internal", "10.0.0.7:8002", "[fd00::7]:8002", "LOCALHOST"] {
            assert!(authority(good).is_some(), "{good}");
        }
        for bad in ["", "a/b", "user@host", "a b", "a\\b"] {
            assert!(authority(bad).is_none(), "{bad}");
        }
    }
}
