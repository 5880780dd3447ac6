//! The one error of every public surface. Built by constructors that read like English, rendered once per
//! wire protocol by `goblin-server`. Nothing in it may carry SQL, upstream text, paths or secrets, except
//! [`ApiError::upstream_rejected`], whose message the provider's adapter has scrubbed.

use std::time::Duration;

use serde::Serialize;

use crate::provider::{IN_PROCESS, ProviderError};

/// What went wrong, as a client may branch on it. The wire form is snake_case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The body is not JSON.
    InvalidJson,
    /// A field is wrong, missing, or has an unknown value.
    InvalidRequest,
    /// No or bad credentials.
    Unauthorized,
    /// Not allowed.
    Forbidden,
    /// No such thing.
    NotFound,
    /// No such model.
    ModelNotFound,
    /// The thing is in a state that does not allow this.
    Conflict,
    /// Body over the limit.
    PayloadTooLarge,
    /// Prompt over the model's context.
    ContextLengthExceeded,
    /// Too many requests, or a full queue.
    RateLimited,
    /// The budget is used up.
    InsufficientQuota,
    /// The answer was refused.
    AnswerRejected,
    /// A judge with authority failed.
    JudgeUnavailable,
    /// The upstream said the request is wrong.
    UpstreamRejected,
    /// The upstream failed for good.
    UpstreamFailed,
    /// Nobody can answer: no provider, or none reachable.
    NoProvider,
    /// The deadline passed.
    DeadlineExceeded,
    /// The request took too long to arrive.
    RequestTimeout,
    /// Draining, starting, or a part is away.
    Unavailable,
    /// Our fault.
    Internal,
}

impl ErrorCode {
    /// The wire form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidJson => "invalid_json",
            Self::InvalidRequest => "invalid_request",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::ModelNotFound => "model_not_found",
            Self::Conflict => "conflict",
            Self::PayloadTooLarge => "payload_too_large",
            Self::ContextLengthExceeded => "context_length_exceeded",
            Self::RateLimited => "rate_limited",
            Self::InsufficientQuota => "insufficient_quota",
            Self::AnswerRejected => "answer_rejected",
            Self::JudgeUnavailable => "judge_unavailable",
            Self::UpstreamRejected => "upstream_rejected",
            Self::UpstreamFailed => "upstream_failed",
            Self::NoProvider => "no_provider",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::RequestTimeout => "request_timeout",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}

/// An error fit for the public.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ApiError {
    /// What went wrong.
    pub code: ErrorCode,
    /// A sentence: what, the limit, the fix.
    pub message: String,
    /// The field at fault (`messages[2].role`).
    pub param: Option<String>,
    /// Overrides the code's usual status ([`ErrorCode::UpstreamRejected`] keeps the upstream's).
    #[serde(skip)]
    pub status_override: Option<u16>,
    /// The upstream's own `code`, where it called the request wrong.
    #[serde(skip)]
    pub upstream_code: Option<String>,
    /// When to come back.
    #[serde(skip)]
    pub retry_after: Option<Duration>,
    /// For operators: logged, never sent.
    #[serde(skip)]
    pub internal: Option<String>,
}

impl ApiError {
    fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            param: None,
            status_override: None,
            upstream_code: None,
            retry_after: None,
            internal: None,
        }
    }

    /// The body is not JSON.
    pub fn invalid_json(why: impl std::fmt::Display) -> Self {
        Self::new(
            ErrorCode::InvalidJson,
            format!("The request body is not valid JSON: {why}."),
        )
    }

    /// Field `param` is wrong; `message` says the limit and the fix.
    pub fn invalid(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            param: Some(param.into()),
            ..Self::new(ErrorCode::InvalidRequest, message)
        }
    }

    /// No or bad credentials.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Unauthorized, message)
    }

    /// Not allowed, and why.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Forbidden, message)
    }

    /// No such `thing` (`chat`, `turn`, `path`).
    pub fn not_found(thing: &str) -> Self {
        Self::new(ErrorCode::NotFound, format!("There is no such {thing}."))
    }

    /// No model of that name; `nearest` is offered.
    pub fn model_not_found(model: &str, nearest: Option<&str>) -> Self {
        let shown: String = model.chars().take(100).collect();
        let hint = nearest.map_or_else(
            || " GET /v1/models lists the models on offer.".to_owned(),
            |n| format!(" Did you mean `{n}`?"),
        );
        Self {
            param: Some("model".to_owned()),
            ..Self::new(
                ErrorCode::ModelNotFound,
                format!("There is no model `{shown}`.{hint}"),
            )
        }
    }

    /// The state of the thing does not allow this.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Conflict, message)
    }

    /// The body is over `limit_bytes`.
    pub fn payload_too_large(limit_bytes: usize) -> Self {
        Self::new(
            ErrorCode::PayloadTooLarge,
            format!("The request body is over the limit of {limit_bytes} bytes. Send less."),
        )
    }

    /// The prompt does not fit; both numbers are said.
    pub fn context_length_exceeded(prompt_tokens: u32, context_window: u32) -> Self {
        Self {
            param: Some("messages".to_owned()),
            ..Self::new(
                ErrorCode::ContextLengthExceeded,
                format!(
                    "The prompt has {prompt_tokens} tokens; this model's context holds {context_window} \
                     tokens of prompt and answer together. Shorten the prompt or choose a model with a \
                     longer context."
                ),
            )
        }
    }

    /// Too many; come back after `retry_after`.
    pub fn rate_limited(message: impl Into<String>, retry_after: Duration) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(ErrorCode::RateLimited, message)
        }
    }

    /// A budget has no room for this; `retry_after` where waiting helps.
    pub fn insufficient_quota(message: impl Into<String>, retry_after: Option<Duration>) -> Self {
        Self {
            retry_after,
            ..Self::new(ErrorCode::InsufficientQuota, message)
        }
    }

    /// The upstream failed for good; `tried` says what was tried, in our words.
    pub fn upstream_failed(tried: impl Into<String>) -> Self {
        Self::new(ErrorCode::UpstreamFailed, tried)
    }

    /// Nobody can answer, why, and what to do.
    pub fn no_provider(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::NoProvider, message)
    }

    /// The deadline passed.
    pub fn deadline_exceeded(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::DeadlineExceeded, message)
    }

    /// The request did not arrive in time.
    pub fn request_timeout(seconds: u64) -> Self {
        Self::new(
            ErrorCode::RequestTimeout,
            format!("The request did not arrive within {seconds} seconds. Send it faster."),
        )
    }

    /// A part is away for now.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Unavailable, message)
    }

    /// The answer is refused; `message` says why.
    pub fn answer_rejected(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::AnswerRejected, message)
    }

    /// A judge that must be heard was not.
    pub fn judge_unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::JudgeUnavailable, message)
    }

    /// Our fault. `internal` is logged and never sent.
    pub fn internal(internal: impl std::fmt::Display) -> Self {
        Self {
            internal: Some(internal.to_string()),
            ..Self::new(
                ErrorCode::Internal,
                "Something went wrong on our side. The log has the details under this request id.",
            )
        }
    }

    /// What a provider's failure looks like from outside. `provider` and `model` are our own names.
    pub fn from_provider(provider: &str, model: &str, error: &ProviderError) -> Self {
        let internal = Some(format!("{provider}/{model}: {error}"));
        let public = match error {
            // The model inside this process speaks our own words: what it refuses is a field error like any other.
            ProviderError::Rejected {
                status: 400,
                param: Some(param),
                message,
                ..
            } if provider == IN_PROCESS => Self::invalid(param.clone(), message.clone()),
            ProviderError::Unavailable { reason } if provider == IN_PROCESS => {
                Self::no_provider(format!("`{provider}/{model}` cannot answer now: {reason}."))
            }
            ProviderError::Unavailable { .. } => Self::no_provider(format!(
                "The server behind `{provider}` cannot be reached, so `{provider}/{model}` cannot answer now. \
                 Check that it is running; `goblin doctor` names the address and the cause."
            )),
            ProviderError::Broken { .. } => Self::no_provider(format!(
                "The server behind `{provider}` answers, but cannot serve `{provider}/{model}` now. Try again soon; \
                 this server's log says what it answered."
            )),
            ProviderError::Overloaded { retry_after } => Self::rate_limited(
                format!("`{provider}/{model}` is busy and its queue is full. Try again later."),
                retry_after.unwrap_or(Duration::from_secs(5)),
            ),
            ProviderError::LimitReached {
                retry_after: Some(wait),
            } => Self::rate_limited(
                format!(
                    "The key this server uses at `{provider}` has reached its limit there. Try again when `Retry-After` \
                     says, or let its operator raise the limit."
                ),
                *wait,
            ),
            ProviderError::LimitReached { retry_after: None } => Self::upstream_failed(format!(
                "The key this server uses at `{provider}` has used up what it was granted there. Its operator must \
                 raise that."
            )),
            ProviderError::QuotaUsedUp => Self::upstream_failed(format!(
                "This server's account at `{provider}` has used up what it was granted there. Its operator must pay or \
                 raise its limit; until then ask another model."
            )),
            ProviderError::Unsupported { param, message } => Self::invalid(
                param.clone(),
                format!("`{provider}/{model}` cannot be asked that (`{param}`): {message}"),
            ),
            ProviderError::Unauthorized => Self::upstream_failed(format!(
                "`{provider}` refused this server's credentials. Its operator must correct the key."
            )),
            ProviderError::Rejected {
                status,
                code,
                param,
                message,
            } => Self {
                param: param.clone(),
                upstream_code: code.clone(),
                status_override: Some(*status),
                ..Self::new(ErrorCode::UpstreamRejected, message.clone())
            },
            ProviderError::ContextExceeded {
                prompt_tokens,
                context_window,
            } => Self::context_length_exceeded(*prompt_tokens, *context_window),
            ProviderError::ModelNotFound { model } => Self::model_not_found(model, None),
            ProviderError::Interrupted { .. } => Self::upstream_failed(format!(
                "`{provider}/{model}` stopped in the middle of its answer, or what it sent could not be read. Ask again."
            )),
        };
        Self { internal, ..public }
    }

    /// HTTP status on OpenAI-shaped, Ollama, Anthropic paths. Where `legacy` is true (our own `/api/…`, the
    /// legacy doors) field errors are 422 instead of 400.
    pub fn status(&self, legacy: bool) -> u16 {
        if let Some(status) = self.status_override {
            return status;
        }
        match self.code {
            ErrorCode::InvalidJson => 400,
            ErrorCode::InvalidRequest | ErrorCode::ContextLengthExceeded if legacy => 422,
            ErrorCode::InvalidRequest | ErrorCode::ContextLengthExceeded => 400,
            ErrorCode::Unauthorized => 401,
            ErrorCode::Forbidden => 403,
            ErrorCode::NotFound | ErrorCode::ModelNotFound => 404,
            ErrorCode::Conflict => 409,
            ErrorCode::PayloadTooLarge => 413,
            ErrorCode::AnswerRejected | ErrorCode::UpstreamRejected => 422,
            ErrorCode::RateLimited | ErrorCode::InsufficientQuota => 429,
            ErrorCode::RequestTimeout => 408,
            ErrorCode::UpstreamFailed => 502,
            ErrorCode::NoProvider | ErrorCode::Unavailable | ErrorCode::JudgeUnavailable => 503,
            ErrorCode::DeadlineExceeded => 504,
            ErrorCode::Internal => 500,
        }
    }

    /// `Retry-After` in whole seconds, at least 1.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after.map(|d| d.as_secs_f64().ceil().max(1.0) as u64)
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

impl std::error::Error for ApiError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_errors_are_400_for_openai_clients_and_422_for_ours() {
        let e = ApiError::invalid("temperature", "too hot");
        assert_eq!((e.status(false), e.status(true)), (400, 422));
    }

    #[test]
    fn provider_reasons_never_reach_the_public_message() {
        let secret = ProviderError::Unavailable {
            reason: "10.0.0.7:11434 refused sk-abc".into(),
        };
        let e = ApiError::from_provider("ollama", "mistral:7b", &secret);
        assert_eq!(e.status(false), 503);
        assert!(!e.message.contains("10.0.0.7") && !e.message.contains("sk-abc"));
        assert!(e.internal.unwrap().contains("10.0.0.7"));
    }

    #[test]
    fn what_the_model_inside_refuses_is_a_field_error_and_what_an_upstream_refuses_keeps_its_status() {
        let refused = ProviderError::Rejected {
            status: 400,
            code: None,
            param: Some("grammar".into()),
            message: "The grammar is left-recursive.".into(),
        };
        let inside = ApiError::from_provider(IN_PROCESS, "smol", &refused);
        assert_eq!(inside.code, ErrorCode::InvalidRequest);
        assert_eq!(inside.param.as_deref(), Some("grammar"));
        assert_eq!(inside.message, "The grammar is left-recursive.");
        assert_eq!((inside.status(false), inside.status(true)), (400, 422));
        let upstream = ApiError::from_provider("vllm", "smol", &refused);
        assert_eq!(upstream.code, ErrorCode::UpstreamRejected);
        assert_eq!((upstream.status(false), upstream.status(true)), (400, 400));
    }

    #[test]
    fn why_a_model_inside_cannot_answer_is_told() {
        let full = ProviderError::Unavailable {
            reason: "it needs 5000 MiB of memory, and 2000 MiB are free".into(),
        };
        let told = ApiError::from_provider(IN_PROCESS, "big", &full);
        assert_eq!(told.status(false), 503);
        assert!(told.message.contains("engine/big") && told.message.contains("5000 MiB"));
    }

    #[test]
    fn retry_after_is_whole_seconds_rounded_up() {
        let e = ApiError::rate_limited("full", Duration::from_millis(1200));
        assert_eq!(e.retry_after_seconds(), Some(2));
    }
}
