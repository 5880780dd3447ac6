//! Errors, as clients of this format read them, with OpenAI's object beside.

use serde_json::{Value, json};

use crate::error::{ApiError, ErrorCode};
use crate::wire::openai;

/// What is wrong with a request: `{"detail": [{"loc": ["body", …], "msg", "type"}]}`. Anything else:
/// `{"detail": {"error_type", "message"}}`. Both with `error` as under OpenAI's paths, which our own tiers read.
pub fn error_body(error: &ApiError) -> Value {
    let message = &error.message;
    let detail = match is_of_the_request(error) {
        true => {
            let path = error.param.iter().flat_map(|param| param.split('.'));
            let at: Vec<&str> = std::iter::once("body").chain(path).collect();
            json!([{"loc": at, "msg": message, "type": error.code.as_str()}])
        }
        false => json!({"error_type": kind(error.code), "message": message}),
    };
    json!({"detail": detail, "error": openai::error_body(error)["error"].take()})
}

/// Is the request itself at fault, so that its status is 422?
pub fn is_of_the_request(error: &ApiError) -> bool {
    error.status_override.is_none()
        && matches!(
            error.code,
            ErrorCode::InvalidJson | ErrorCode::InvalidRequest | ErrorCode::ContextLengthExceeded
        )
}

fn kind(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::Unauthorized => "authentication_error",
        ErrorCode::Forbidden => "permission_error",
        ErrorCode::NotFound | ErrorCode::ModelNotFound => "not_found_error",
        ErrorCode::RateLimited | ErrorCode::InsufficientQuota => "rate_limit_error",
        ErrorCode::UpstreamFailed | ErrorCode::NoProvider => "upstream_error",
        other => other.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_request_says_where_it_is_wrong() {
        let body = error_body(&ApiError::invalid("questions.q.type", "No such type."));
        assert_eq!(
            body["detail"],
            json!([{"loc": ["body", "questions", "q", "type"], "msg": "No such type.", "type": "invalid_request"}])
        );
        assert_eq!(body["error"]["param"], "questions.q.type");
    }

    #[test]
    fn other_errors_have_a_type_and_a_message() {
        let body = error_body(&ApiError::model_not_found("x", None));
        assert_eq!(body["detail"]["error_type"], "not_found_error");
        assert_eq!(body["detail"]["message"], body["error"]["message"]);
        assert_eq!(body["error"]["code"], "model_not_found");
    }
}
