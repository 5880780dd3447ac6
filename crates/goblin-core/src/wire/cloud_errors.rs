//! What a cloud's refusal means. Quota is not rate limit is not overload is not a bad request is not a bad key: each maker
//! says these with statuses and words of its own. Pure.
//!
//! Sources: the error pages of OpenAI, Anthropic, DeepSeek, Google (AIP-193) and xAI. Never run against the live services.

use std::time::Duration;

use serde_json::Value;

use crate::limits::MAX_JSON_DEPTH;
use crate::maker::Maker;
use crate::provider::ProviderError;
use crate::wire::json::depth_within;
use crate::wire::openai::{excerpt, scrub};

/// When to come back where a limit of our key does not say it.
const USUAL_WAIT: Duration = Duration::from_secs(5);
/// Most bytes of a refusal that are looked at.
const MAX_READ_BYTES: usize = 256 * 1024;

/// A refusal as it came.
#[derive(Clone, Copy, Debug)]
pub struct Refusal<'a> {
    /// The HTTP status.
    pub status: u16,
    /// Its body, any bytes.
    pub body: &'a [u8],
    /// Its `Retry-After`.
    pub retry_after: Option<Duration>,
    /// The model asked for.
    pub model: &'a str,
}

/// What a refusal by `maker` means.
pub fn cloud_error(maker: Maker, refusal: &Refusal<'_>) -> ProviderError {
    let said = Said::read(refusal.body);
    let status = refusal.status;
    let broken = || ProviderError::Broken {
        reason: format!("HTTP {status}: {}", excerpt(refusal.body)),
    };
    let limited = || ProviderError::LimitReached {
        retry_after: Some(refusal.retry_after.or(said.retry_delay).unwrap_or(USUAL_WAIT)),
    };
    let overloaded = || ProviderError::Overloaded {
        retry_after: refusal.retry_after.or(said.retry_delay),
    };
    if said.is_quota(maker, status) {
        return ProviderError::QuotaUsedUp;
    }
    if said.is_key(maker) && matches!(status, 400 | 401 | 403) {
        return ProviderError::Unauthorized;
    }
    match status {
        401 | 403 => ProviderError::Unauthorized,
        429 if said.mentions(&["overloaded", "engine is currently overloaded"]) => overloaded(),
        429 => limited(),
        503 | 529 => match said.known {
            // A page of a proxy is no word of the maker's.
            true => overloaded(),
            false => broken(),
        },
        400 | 404 | 413 | 422 if said.known => rejected(refusal, &said),
        _ => broken(),
    }
}

/// What an error in the place of an answer means, or in the middle of it. `None` when `value` holds none.
pub fn cloud_error_in_band(
    maker: Maker,
    value: &Value,
    model: &str,
    after_content: bool,
) -> Option<ProviderError> {
    let error = value.get("error").filter(|e| !e.is_null())?;
    let body = value.to_string();
    let reason = format!("error in place of an answer: {}", excerpt(body.as_bytes()));
    if after_content {
        return Some(ProviderError::Interrupted { reason });
    }
    let word = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
    let number = error.get("code").and_then(Value::as_u64);
    let status = number.and_then(|n| u16::try_from(n).ok()).unwrap_or_else(|| {
        match (word("type"), word("status"), word("code")) {
            ("invalid_request_error", ..) | (_, "INVALID_ARGUMENT" | "FAILED_PRECONDITION", _) => 400,
            ("authentication_error", ..) | (_, "UNAUTHENTICATED", _) => 401,
            ("permission_error", ..) | (_, "PERMISSION_DENIED", _) => 403,
            ("not_found_error", ..) | (_, "NOT_FOUND", _) => 404,
            ("request_too_large", ..) => 413,
            ("rate_limit_error", ..) | (_, "RESOURCE_EXHAUSTED", _) | (.., "rate_limit_exceeded") => 429,
            ("overloaded_error", ..) | (_, "UNAVAILABLE", _) => 529,
            ("insufficient_quota", ..) | (.., "insufficient_quota") => 429,
            _ => 500,
        }
    });
    let refusal = Refusal {
        status,
        body: body.as_bytes(),
        retry_after: None,
        model,
    };
    Some(match cloud_error(maker, &refusal) {
        ProviderError::Broken { .. } => ProviderError::Broken { reason },
        other => other,
    })
}

/// What a refusal says, whoever said it.
#[derive(Debug, Default)]
struct Said {
    /// Is it an API's own refusal, and no page?
    known: bool,
    /// `code`, `type`, `status` and the reasons of details.
    words: Vec<String>,
    code: Option<String>,
    param: Option<String>,
    message: String,
    retry_delay: Option<Duration>,
    /// A limit for a day, not for a minute.
    daily: bool,
}

impl Said {
    fn read(body: &[u8]) -> Self {
        if body.len() > MAX_READ_BYTES || !depth_within(body, MAX_JSON_DEPTH) {
            return Self::default();
        }
        let Ok(whole) = serde_json::from_slice::<Value>(body) else {
            return Self::default();
        };
        // Gemini's streams wrap it in an array.
        let whole = whole.get(0).unwrap_or(&whole);
        let Some(error) = whole.get("error").filter(|e| !e.is_null()) else {
            return Self::default();
        };
        let mut said = Self {
            known: true,
            message: error
                .as_str()
                .or_else(|| text(error, "message"))
                .unwrap_or_default()
                .to_owned(),
            param: text(error, "param").map(str::to_owned),
            code: text(error, "code").map(str::to_owned),
            ..Self::default()
        };
        // xAI says its code beside the sentence.
        let words = [
            text(error, "code"),
            text(error, "type"),
            text(error, "status"),
            text(whole, "code"),
        ];
        said.words.extend(words.into_iter().flatten().map(str::to_owned));
        for detail in error
            .get("details")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            said.words.extend(text(detail, "reason").map(str::to_owned));
            said.retry_delay = text(detail, "retryDelay").and_then(seconds).or(said.retry_delay);
            for violation in detail
                .get("violations")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                said.daily |= text(violation, "quotaId").is_some_and(|id| id.contains("PerDay"));
            }
        }
        said
    }

    fn is_word(&self, any: &[&str]) -> bool {
        self.words.iter().any(|word| any.contains(&word.as_str()))
    }

    fn mentions(&self, any: &[&str]) -> bool {
        let message = self.message.to_lowercase();
        let codes = self.words.iter().map(|w| w.to_lowercase());
        any.iter().any(|part| message.contains(part))
            || codes.into_iter().any(|c| any.iter().any(|p| c.contains(p)))
    }

    /// Is what the account was granted used up, so that coming back soon does not help?
    fn is_quota(&self, maker: Maker, status: u16) -> bool {
        match maker {
            Maker::OpenAi => {
                matches!(status, 402 | 403 | 429)
                    && self.is_word(&[
                        "insufficient_quota",
                        "billing_hard_limit_reached",
                        "billing_not_active",
                    ])
            }
            Maker::Anthropic => {
                status == 402
                    || self.is_word(&["billing_error"])
                    || self.mentions(&["credit balance is too low"])
            }
            Maker::DeepSeek => status == 402 || self.mentions(&["insufficient balance"]),
            Maker::Gemini => status == 429 && self.daily,
            Maker::Grok => matches!(status, 402 | 403 | 429) && self.mentions(&["credits", "spending limit"]),
        }
    }

    /// Is it about our key?
    fn is_key(&self, maker: Maker) -> bool {
        match maker {
            Maker::Gemini => self.is_word(&["API_KEY_INVALID", "API_KEY_SERVICE_BLOCKED"]),
            Maker::Grok => self.mentions(&["incorrect api key", "invalid api key"]),
            _ => self.is_word(&["invalid_api_key", "authentication_error"]),
        }
    }
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

/// `12s`, `1.5s`.
fn seconds(text: &str) -> Option<Duration> {
    let number = text.strip_suffix('s')?.parse::<f64>().ok()?;
    Duration::try_from_secs_f64(number)
        .ok()
        .map(|d| d.min(Duration::from_secs(3600)))
}

fn rejected(refusal: &Refusal<'_>, said: &Said) -> ProviderError {
    let too_long = [
        "context_length_exceeded",
        "prompt is too long",
        "maximum context length",
        "input token count",
        "maximum prompt length",
    ];
    let names_model = said.param.as_deref() == Some("model")
        || said.is_word(&["model_not_found"])
        || said.message.to_lowercase().contains("model");
    if refusal.status == 404 && names_model {
        return ProviderError::ModelNotFound {
            model: refusal.model.to_owned(),
        };
    }
    if said.mentions(&too_long)
        && let Some((prompt_tokens, context_window)) = both_numbers(&said.message)
    {
        return ProviderError::ContextExceeded {
            prompt_tokens,
            context_window,
        };
    }
    let is_path = |p: &String| {
        (1..=128).contains(&p.len())
            && p.bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'[' | b']'))
    };
    ProviderError::Rejected {
        status: refusal.status,
        param: said.param.clone().filter(is_path),
        code: said.code.clone().filter(is_path),
        message: match scrub(&said.message) {
            empty if empty.is_empty() => {
                "The model's provider refused the request without saying why.".to_owned()
            }
            scrubbed => scrubbed,
        },
    }
}

/// The prompt's tokens and what the context holds: of the two largest numbers in the sentence the larger is the prompt's,
/// since it is over the other.
fn both_numbers(message: &str) -> Option<(u32, u32)> {
    let plain = message.replace(',', "");
    let mut numbers: Vec<u32> = plain
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|n| n.parse().ok())
        .filter(|n| *n > 255)
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    match numbers.as_slice() {
        [.., smaller, larger] => Some((*larger, *smaller)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(maker: Maker, status: u16, body: &str) -> ProviderError {
        let refusal = Refusal {
            status,
            body: body.as_bytes(),
            retry_after: None,
            model: "m",
        };
        cloud_error(maker, &refusal)
    }

    fn kind(error: &ProviderError) -> &'static str {
        match error {
            ProviderError::QuotaUsedUp => "quota",
            ProviderError::LimitReached { .. } => "rate",
            ProviderError::Overloaded { .. } => "overload",
            ProviderError::Unauthorized => "key",
            ProviderError::Rejected { .. } => "request",
            ProviderError::ContextExceeded { .. } => "context",
            ProviderError::ModelNotFound { .. } => "model",
            ProviderError::Broken { .. } => "broken",
            _ => "other",
        }
    }

    #[test]
    fn each_makers_refusals_are_told_apart() {
        use Maker::{Anthropic, DeepSeek, Gemini, Grok, OpenAi};
        let table: [(Maker, u16, &str, &str); 36] = [
            (
                OpenAi,
                401,
                r#"{"error":{"message":"Incorrect API key provided: sk-x","type":"invalid_request_error","code":"invalid_api_key"}}"#,
                "key",
            ),
            (
                OpenAi,
                403,
                r#"{"error":{"message":"Country, region, or territory not supported","code":"unsupported_country_region_territory"}}"#,
                "key",
            ),
            (
                OpenAi,
                429,
                r#"{"error":{"message":"You exceeded your current quota, please check your plan","type":"insufficient_quota","code":"insufficient_quota"}}"#,
                "quota",
            ),
            (
                OpenAi,
                429,
                r#"{"error":{"message":"Rate limit reached for gpt-4o","type":"tokens","code":"rate_limit_exceeded"}}"#,
                "rate",
            ),
            (
                OpenAi,
                429,
                r#"{"error":{"message":"The engine is currently overloaded, please try again later"}}"#,
                "overload",
            ),
            (OpenAi, 503, r#"{"error":{"message":"Slow Down"}}"#, "overload"),
            (OpenAi, 503, "<html>upstream connect error</html>", "broken"),
            (
                OpenAi,
                500,
                r#"{"error":{"message":"The server had an error"}}"#,
                "broken",
            ),
            (
                OpenAi,
                400,
                r#"{"error":{"message":"Unsupported parameter: 'temperature'","param":"temperature","code":"unsupported_parameter"}}"#,
                "request",
            ),
            (
                OpenAi,
                404,
                r#"{"error":{"message":"The model `m` does not exist","code":"model_not_found"}}"#,
                "model",
            ),
            (OpenAi, 404, "<html>", "broken"),
            (
                OpenAi,
                400,
                r#"{"error":{"message":"This model's maximum context length is 128000 tokens. However, your messages resulted in 130512 tokens.","code":"context_length_exceeded"}}"#,
                "context",
            ),
            (
                Anthropic,
                401,
                r#"{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}"#,
                "key",
            ),
            (
                Anthropic,
                403,
                r#"{"type":"error","error":{"type":"permission_error","message":"no"}}"#,
                "key",
            ),
            (
                Anthropic,
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}"#,
                "quota",
            ),
            (
                Anthropic,
                429,
                r#"{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your rate limit"}}"#,
                "rate",
            ),
            (
                Anthropic,
                529,
                r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
                "overload",
            ),
            (
                Anthropic,
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: too large"}}"#,
                "request",
            ),
            (
                Anthropic,
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#,
                "context",
            ),
            (
                Anthropic,
                404,
                r#"{"type":"error","error":{"type":"not_found_error","message":"model: claude-0"}}"#,
                "model",
            ),
            (
                Anthropic,
                413,
                r#"{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}"#,
                "request",
            ),
            (
                Anthropic,
                500,
                r#"{"type":"error","error":{"type":"api_error","message":"Internal server error"}}"#,
                "broken",
            ),
            (
                DeepSeek,
                401,
                r#"{"error":{"message":"Authentication Fails","type":"authentication_error","code":"invalid_request_error"}}"#,
                "key",
            ),
            (
                DeepSeek,
                402,
                r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","code":"invalid_request_error"}}"#,
                "quota",
            ),
            (
                DeepSeek,
                422,
                r#"{"error":{"message":"Invalid parameters","type":"invalid_request_error"}}"#,
                "request",
            ),
            (
                DeepSeek,
                429,
                r#"{"error":{"message":"You are sending requests too quickly."}}"#,
                "rate",
            ),
            (
                DeepSeek,
                503,
                r#"{"error":{"message":"Server overloaded"}}"#,
                "overload",
            ),
            (
                Gemini,
                400,
                r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}"#,
                "key",
            ),
            (
                Gemini,
                400,
                r#"{"error":{"code":400,"message":"Invalid value at 'contents'","status":"INVALID_ARGUMENT"}}"#,
                "request",
            ),
            (
                Gemini,
                429,
                r#"{"error":{"code":429,"message":"Quota exceeded","status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]},{"retryDelay":"41s"}]}}"#,
                "quota",
            ),
            (
                Gemini,
                429,
                r#"{"error":{"code":429,"message":"Quota exceeded","status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel"}]},{"retryDelay":"12s"}]}}"#,
                "rate",
            ),
            (
                Gemini,
                503,
                r#"[{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}]"#,
                "overload",
            ),
            (
                Gemini,
                404,
                r#"{"error":{"code":404,"message":"models/m is not found for API version v1beta","status":"NOT_FOUND"}}"#,
                "model",
            ),
            (
                Grok,
                400,
                r#"{"code":"Client specified an invalid argument","error":"Incorrect API key provided: xa***. You can obtain an API key from https://console.x.ai."}"#,
                "key",
            ),
            (
                Grok,
                429,
                r#"{"code":"Some resource has been exhausted","error":"Your team has either used all available credits or reached its monthly spending limit."}"#,
                "quota",
            ),
            (
                Grok,
                429,
                r#"{"code":"Some resource has been exhausted","error":"Too many requests for team"}"#,
                "rate",
            ),
        ];
        for (maker, status, body, expected) in table {
            let error = of(maker, status, body);
            assert_eq!(kind(&error), expected, "{maker:?} {status} {body} {error:?}");
        }
    }

    #[test]
    fn when_to_come_back_is_what_the_maker_says_or_a_moment() {
        let limited = |body: &str, retry_after| {
            let refusal = Refusal {
                status: 429,
                body: body.as_bytes(),
                retry_after,
                model: "m",
            };
            match cloud_error(Maker::Gemini, &refusal) {
                ProviderError::LimitReached { retry_after } => retry_after.unwrap(),
                other => panic!("{other:?}"),
            }
        };
        let delayed = r#"{"error":{"status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"1.5s"}]}}"#;
        assert_eq!(limited(delayed, None), Duration::from_millis(1500));
        assert_eq!(
            limited(delayed, Some(Duration::from_secs(9))),
            Duration::from_secs(9)
        );
        assert_eq!(limited("{}", None), USUAL_WAIT);
    }

    #[test]
    fn an_error_in_a_stream_means_what_its_words_say_and_after_content_that_it_broke() {
        let value: Value = serde_json::from_str(
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
        )
        .unwrap();
        let before = cloud_error_in_band(Maker::Anthropic, &value, "m", false).unwrap();
        assert_eq!(kind(&before), "overload");
        let after = cloud_error_in_band(Maker::Anthropic, &value, "m", true).unwrap();
        assert!(matches!(after, ProviderError::Interrupted { .. }));
        assert_eq!(
            cloud_error_in_band(Maker::OpenAi, &serde_json::json!({"error": null}), "m", false),
            None
        );
    }

    #[test]
    fn no_key_or_address_of_a_refusal_is_relayed() {
        let error = of(
            Maker::OpenAi,
            400,
            r#"{"error":{"message":"See https://x.test/a with sk-abcdef","param":"a b"}}"#,
        );
        let ProviderError::Rejected { message, param, .. } = error else {
            panic!("{error:?}");
        };
        assert!(
            !message.contains("sk-") && !message.contains("https"),
            "{message}"
        );
        assert_eq!(param, None);
    }
}
