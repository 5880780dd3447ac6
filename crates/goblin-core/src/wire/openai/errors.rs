//! Errors in OpenAI's shape: ours written, an upstream's read and scrubbed.

use std::time::Duration;

use serde_json::{Value, json};

use crate::error::{ApiError, ErrorCode};
use crate::limits::MAX_JSON_DEPTH;
use crate::provider::ProviderError;
use crate::wire::json::depth_within;

/// The code with which the model tier says that a key has reached its limit, not the tier its own.
pub const KEY_LIMIT: &str = "key_limit";

/// Most characters of an upstream's message that are relayed.
const MAX_RELAYED_CHARS: usize = 500;
/// Most bytes of an upstream's error body that are looked at.
const MAX_READ_BYTES: usize = 256 * 1024;

/// `{"error": {message, type, param, code}}`.
pub fn error_body(error: &ApiError) -> Value {
    let code = error.upstream_code.as_deref().unwrap_or(error.code.as_str());
    json!({"error": {"message": error.message, "type": kind(error), "param": error.param, "code": code}})
}

fn kind(error: &ApiError) -> &'static str {
    match error.code {
        ErrorCode::InsufficientQuota => "insufficient_quota",
        ErrorCode::Unauthorized => "authentication_error",
        ErrorCode::Forbidden => "permission_error",
        ErrorCode::RateLimited => "rate_limit_error",
        _ if error.status(false) >= 500 => "server_error",
        _ => "invalid_request_error",
    }
}

/// What an upstream's refusal means. `status` is its HTTP status, `body` what it said (any bytes), `model` the name
/// it was asked for, `retry_after` its `Retry-After`.
///
/// Only 400, 404, 413 and 422 in JSON are the request's fault; a page of HTML never is.
pub fn provider_error(status: u16, body: &[u8], model: &str, retry_after: Option<Duration>) -> ProviderError {
    match status {
        401 | 403 => return ProviderError::Unauthorized,
        503 if retry_after.is_none() && !says_busy(body) => {
            return ProviderError::Broken {
                reason: format!("HTTP 503: {}", excerpt(body)),
            };
        }
        429 if says_limit(body) => return ProviderError::LimitReached { retry_after },
        429 | 503 => return ProviderError::Overloaded { retry_after },
        400 | 404 | 413 | 422 => {}
        _ => {
            return ProviderError::Broken {
                reason: format!("HTTP {status}: {}", excerpt(body)),
            };
        }
    }
    let Some(error) = error_object(body) else {
        // Routers and proxies answer 404 in HTML or plain text: that is an address problem, not the caller's.
        return ProviderError::Broken {
            reason: format!("HTTP {status}, not an API's answer: {}", excerpt(body)),
        };
    };
    rejected(status, &error, model)
}

/// Is this 503 a server's own word that it is busy? A proxy in front of a dead one answers a page, a tier whose
/// model servers are away says that, and llama.cpp's server says so while it loads (`unavailable_error`).
fn says_busy(body: &[u8]) -> bool {
    error_object(body).is_some_and(|error| !says_away(&error))
}

fn says_away(error: &Value) -> bool {
    let away = [
        "no_provider",
        "unavailable",
        "judge_unavailable",
        "unavailable_error",
    ];
    let word = |name: &str| error.get(name).and_then(Value::as_str);
    let said = error.as_str().or_else(|| word("message")).unwrap_or_default();
    [word("code"), word("type")]
        .into_iter()
        .flatten()
        .any(|w| away.contains(&w))
        || said.to_lowercase().contains("loading model")
}

/// Is this 429 about our key rather than about the server's load? `key_limit` is our own tier's word.
fn says_limit(body: &[u8]) -> bool {
    error_object(body).is_some_and(|error| {
        let says = |name: &str| error.get(name).and_then(Value::as_str);
        let limits = ["insufficient_quota", KEY_LIMIT];
        [says("code"), says("type")]
            .into_iter()
            .flatten()
            .any(|word| limits.contains(&word))
    })
}

/// What an error object in the place of an answer means (the HTTP status was 200). `None` when the object says none.
pub(super) fn in_band_error(value: &Value, model: &str, after_content: bool) -> Option<ProviderError> {
    let error = value.get("error").filter(|e| !e.is_null())?;
    let status = error
        .get("code")
        .and_then(|c| c.as_u64().or_else(|| c.as_str()?.parse().ok()));
    let kind = error.get("type").and_then(Value::as_str).unwrap_or_default();
    let reason = || {
        format!(
            "error in place of an answer: {}",
            excerpt(error.to_string().as_bytes())
        )
    };
    Some(match (status, kind) {
        _ if after_content => ProviderError::Interrupted { reason: reason() },
        (_, "exceed_context_size_error") => rejected(400, error, model),
        (Some(401 | 403), _) | (_, "authentication_error" | "permission_error") => {
            ProviderError::Unauthorized
        }
        (Some(503), _) if says_away(error) => ProviderError::Broken { reason: reason() },
        (Some(429 | 503), _) | (_, "rate_limit_error" | "rate_limit_exceeded" | "overloaded_error") => {
            ProviderError::Overloaded { retry_after: None }
        }
        (Some(status @ (400 | 404 | 413 | 422)), _) => rejected(status as u16, error, model),
        (_, "invalid_request_error") => rejected(400, error, model),
        _ => ProviderError::Broken { reason: reason() },
    })
}

fn error_object(body: &[u8]) -> Option<Value> {
    if body.len() > MAX_READ_BYTES || !depth_within(body, MAX_JSON_DEPTH) {
        return None;
    }
    let value: Value = serde_json::from_slice(body).ok()?;
    match value.get("error") {
        Some(error) => Some(error.clone()),
        // Legacy doors and some servers say {"detail": …} or {"message": …}.
        None if value.get("detail").is_some() || value.get("message").is_some() => Some(value),
        None => None,
    }
}

fn rejected(status: u16, error: &Value, model: &str) -> ProviderError {
    let text = |name: &str| error.get(name).and_then(Value::as_str);
    let number = |name: &str| {
        error
            .get(name)
            .and_then(Value::as_u64)
            .and_then(|n| u32::try_from(n).ok())
    };
    let message = error
        .as_str()
        .or_else(|| text("message"))
        .or_else(|| text("detail"))
        .unwrap_or_default();
    let code = text("code").filter(|c| is_word(c)).map(str::to_owned);
    let code_or_kind = code.as_deref().or_else(|| text("type")).unwrap_or_default();
    if matches!(
        code_or_kind,
        "context_length_exceeded" | "exceed_context_size_error"
    ) {
        let said = (number("n_prompt_tokens"), number("n_ctx"));
        if let (Some(prompt_tokens), Some(context_window)) = said.or_in(message) {
            return ProviderError::ContextExceeded {
                prompt_tokens,
                context_window,
            };
        }
    }
    let names_model = text("param") == Some("model") || message.to_lowercase().contains("model");
    if code_or_kind == "model_not_found" || (status == 404 && names_model) {
        return ProviderError::ModelNotFound {
            model: model.to_owned(),
        };
    }
    ProviderError::Rejected {
        status,
        param: text("param").filter(|p| is_path(p)).map(str::to_owned),
        message: match scrub(message) {
            empty if empty.is_empty() => {
                "The model's server refused the request without saying why.".to_owned()
            }
            scrubbed => scrubbed,
        },
        code,
    }
}

/// Numbers of prompt and context, from their own fields or else from our own sentence about them.
trait OrInMessage {
    fn or_in(self, message: &str) -> Self;
}

impl OrInMessage for (Option<u32>, Option<u32>) {
    fn or_in(self, message: &str) -> Self {
        if self.0.is_some() && self.1.is_some() {
            return self;
        }
        // `ApiError::context_length_exceeded` says the prompt first, then the context; the model tier is one of us.
        let mut numbers = message
            .split(|c: char| !c.is_ascii_digit())
            .filter(|n| !n.is_empty())
            .map(|n| n.parse::<u32>().ok());
        match message.starts_with("The prompt has ") {
            true => (numbers.next().flatten(), numbers.next().flatten()),
            false => self,
        }
    }
}

fn is_word(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

fn is_path(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'[' | b']'))
}

/// An upstream's sentence made fit for a caller: one line, at most 500 characters, and without what looks like an
/// address, a path, a credential or markup.
pub fn scrub(message: &str) -> String {
    if looks_like_markup(message) {
        return String::new();
    }
    let mut words = Vec::new();
    let mut secret_next = false;
    for word in message
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|w| !w.is_empty())
    {
        let hidden = std::mem::replace(&mut secret_next, word.eq_ignore_ascii_case("bearer"));
        words.push(if hidden { "[hidden]" } else { scrub_word(word) });
    }
    let line = words.join(" ");
    match line.char_indices().nth(MAX_RELAYED_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

fn looks_like_markup(text: &str) -> bool {
    let lower = text.trim_start().get(..14).unwrap_or(text).to_lowercase();
    lower.starts_with("<!doctype") || lower.starts_with("<html") || lower.starts_with("<?xml")
}

fn scrub_word(word: &str) -> &str {
    let core = word.trim_matches(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '/' | '\\'));
    let keyish = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '*' | '+' | '=');
    let looks_secret = ["sk-", "key-", "gbl_", "eyJ", "AIza", "xai-"]
        .iter()
        .any(|p| core.starts_with(p))
        || (core.len() >= 24 && core.chars().all(keyish) && core.contains(|c: char| c.is_ascii_digit()));
    let octets = core
        .split(['.', ':', '/'])
        .take(4)
        .filter(|o| o.parse::<u8>().is_ok())
        .count();
    let looks_path =
        (core.starts_with('/') && core.len() > 1) || core.contains(":\\") || core.contains("\\\\");
    if looks_secret || core.contains("://") || octets == 4 || looks_path || core.starts_with("localhost") {
        return "[hidden]";
    }
    word
}

/// The beginning of an upstream's body, for the operators' log.
pub(in crate::wire) fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(1200)]);
    let line: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|w| !w.is_empty())
        .collect();
    let line: String = line.into_iter().map(log_word).collect::<Vec<_>>().join(" ");
    match line.is_empty() {
        true => "empty body".to_owned(),
        false => line.chars().take(200).collect(),
    }
}

/// Operators may see addresses and paths, but logs never hold credentials.
fn log_word(word: &str) -> &str {
    match word.contains("sk-") || word.contains("gbl_") || word.contains("eyJ") {
        true => "[hidden]",
        false => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_follows_the_status_and_the_upstreams_code_is_kept() {
        let body = error_body(&ApiError::invalid("n", "One."));
        assert_eq!(body["error"]["type"], "invalid_request_error");
        assert_eq!(body["error"]["code"], "invalid_request");
        let rejected = ProviderError::Rejected {
            status: 400,
            code: Some("unsupported_value".into()),
            param: Some("temperature".into()),
            message: "Too hot.".into(),
        };
        let body = error_body(&ApiError::from_provider("p", "m", &rejected));
        assert_eq!(body["error"]["code"], "unsupported_value");
        assert_eq!(body["error"]["param"], "temperature");
        assert_eq!(
            error_body(&ApiError::internal("x"))["error"]["type"],
            "server_error"
        );
    }

    #[test]
    fn a_status_and_a_body_become_the_one_right_error() {
        let wait = Some(Duration::from_secs(7));
        let rejected =
            |status, code: Option<&str>, param: Option<&str>, message: &str| ProviderError::Rejected {
                status,
                code: code.map(str::to_owned),
                param: param.map(str::to_owned),
                message: message.to_owned(),
            };
        let table: [(u16, &str, ProviderError); 12] = [
            (401, "{}", ProviderError::Unauthorized),
            (403, "<html>", ProviderError::Unauthorized),
            (429, "", ProviderError::Overloaded { retry_after: wait }),
            (
                429,
                r#"{"error":{"message":"busy","type":"rate_limit_error","code":"rate_limited"}}"#,
                ProviderError::Overloaded { retry_after: wait },
            ),
            (
                429,
                r#"{"error":{"message":"The key has reached its limit","code":"key_limit"}}"#,
                ProviderError::LimitReached { retry_after: wait },
            ),
            (
                429,
                r#"{"error":{"message":"no credit","type":"insufficient_quota","code":null}}"#,
                ProviderError::LimitReached { retry_after: wait },
            ),
            (
                503,
                "{\"error\":\"server busy\"}",
                ProviderError::Overloaded { retry_after: wait },
            ),
            (
                400,
                r#"{"error":{"message":"bad","code":"unsupported_value","param":"messages[0].role"}}"#,
                rejected(400, Some("unsupported_value"), Some("messages[0].role"), "bad"),
            ),
            (
                422,
                r#"{"detail":"field required"}"#,
                rejected(422, None, None, "field required"),
            ),
            (
                404,
                r#"{"error":{"message":"model \"x\" not found, try pulling it first"}}"#,
                ProviderError::ModelNotFound { model: "m".into() },
            ),
            (
                400,
                r#"{"error":{"code":400,"type":"exceed_context_size_error","n_prompt_tokens":9000,"n_ctx":4096}}"#,
                ProviderError::ContextExceeded {
                    prompt_tokens: 9000,
                    context_window: 4096,
                },
            ),
            (
                400,
                &error_body(&ApiError::context_length_exceeded(5000, 2048)).to_string(),
                ProviderError::ContextExceeded {
                    prompt_tokens: 5000,
                    context_window: 2048,
                },
            ),
        ];
        for (status, body, expected) in table {
            assert_eq!(
                provider_error(status, body.as_bytes(), "m", wait),
                expected,
                "{status} {body}"
            );
        }
        for (status, body) in [(500, "{}"), (404, "<html>404</html>"), (400, "nginx"), (502, "")] {
            let got = provider_error(status, body.as_bytes(), "m", None);
            assert!(matches!(got, ProviderError::Broken { .. }), "{status} {got:?}");
        }
    }

    #[test]
    fn what_is_relayed_holds_no_address_path_key_or_markup() {
        let said = "Key sk-abc123 at http://10.0.0.7:8080/v1 (10.0.0.7:11434) in /etc/goblin/key.txt,\nBearer hunter2 \
                    C:\\keys a1b2c3d4e5f6a7b8c9d0e1f2a3 localhost:99 is \u{7}wrong: `temperature` must be 0-2/3.";
        let clean = scrub(said);
        for secret in [
            "sk-abc",
            "10.0.0.7",
            "/etc",
            "hunter2",
            "C:\\",
            "a1b2",
            "localhost",
            "\n",
            "\u{7}",
        ] {
            assert!(!clean.contains(secret), "{secret:?} in {clean}");
        }
        assert!(clean.contains("`temperature` must be 0-2/3."), "{clean}");
        assert_eq!(scrub("<!DOCTYPE html><p>x"), "");
        assert!(scrub(&"word ".repeat(500)).chars().count() <= 501);
    }
}
