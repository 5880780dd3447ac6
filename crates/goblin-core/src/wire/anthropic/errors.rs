//! Errors in Anthropic's shape.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::error::{ApiError, ErrorCode};
use crate::wire::sse::encode_event;

/// `{"type": "error", "error": {type, message}}`. Where a field is at fault, `param` names it beside them: Anthropic's
/// own errors have no such field, and its clients keep what they do not know.
pub fn error_body(error: &ApiError) -> Value {
    let mut body = json!({"type": "error", "error": {"type": kind(error), "message": error.message}});
    if let Some(param) = &error.param {
        body["error"]["param"] = json!(param);
    }
    body
}

/// The same as the last event of a stream whose status line is long sent.
pub fn error_event(error: &ApiError) -> Bytes {
    encode_event(None, Some("error"), error_body(error).to_string().as_bytes())
}

fn kind(error: &ApiError) -> &'static str {
    match (error.code, error.status(false)) {
        (ErrorCode::DeadlineExceeded | ErrorCode::RequestTimeout, _) => "timeout_error",
        (_, 401) => "authentication_error",
        (_, 403) => "permission_error",
        (_, 404) => "not_found_error",
        (_, 413) => "request_too_large",
        (_, 429) => "rate_limit_error",
        (ErrorCode::Unavailable, _) => "overloaded_error",
        (_, status) if status >= 500 => "api_error",
        _ => "invalid_request_error",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_error_has_the_type_clients_branch_on() {
        let table = [
            (ApiError::invalid("model", "Name one."), "invalid_request_error"),
            (ApiError::invalid_json("x"), "invalid_request_error"),
            (ApiError::unauthorized("No."), "authentication_error"),
            (ApiError::forbidden("No."), "permission_error"),
            (ApiError::model_not_found("m", None), "not_found_error"),
            (ApiError::payload_too_large(1), "request_too_large"),
            (
                ApiError::rate_limited("Later.", Duration::from_secs(1)),
                "rate_limit_error",
            ),
            (ApiError::unavailable("Later."), "overloaded_error"),
            (ApiError::no_provider("Away."), "api_error"),
            (ApiError::deadline_exceeded("Late."), "timeout_error"),
            (ApiError::request_timeout(1), "timeout_error"),
            (ApiError::internal("x"), "api_error"),
        ];
        for (error, kind) in table {
            assert_eq!(error_body(&error)["error"]["type"], kind, "{error}");
        }
        let field = error_body(&ApiError::invalid("messages[0].role", "Who?"))["error"].take();
        assert_eq!(field["param"], "messages[0].role");
        assert!(
            error_body(&ApiError::unavailable("Later."))["error"]
                .get("param")
                .is_none()
        );
        let event = error_event(&ApiError::unavailable("Later."));
        assert_eq!(
            event,
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Later.\"}}\n\n"
        );
    }
}
