//! Errors on our own paths: `application/problem+json` (RFC 9457).

use crate::conversation::Problem;
use crate::error::ApiError;

/// The body for an error on one of our own paths. `request_id` finds the log line.
pub fn body(error: &ApiError, request_id: Option<&str>) -> Problem {
    let status = error.status(true);
    Problem {
        kind: "about:blank".to_owned(),
        title: title(status).to_owned(),
        status,
        code: error.code.as_str().to_owned(),
        detail: error.message.clone(),
        param: error.param.clone(),
        request_id: request_id.map(str::to_owned),
        retry_after_seconds: error.retry_after_seconds(),
    }
}

/// The status in words (RFC 9110 and RFC 6585 phrases).
fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        408 => "Request Timeout",
        409 => "Conflict",
        413 => "Content Too Large",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        500..=599 => "Internal Server Error",
        _ => "Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_problem_says_status_code_field_and_when_to_come_back() {
        let problem = body(&ApiError::invalid("temperature", "Too hot."), Some("r1"));
        assert_eq!(
            (problem.status, problem.title.as_str()),
            (422, "Unprocessable Content")
        );
        assert_eq!(problem.param.as_deref(), Some("temperature"));
        let wait = body(
            &ApiError::rate_limited("Full.", Duration::from_millis(1500)),
            None,
        );
        assert_eq!(
            (wait.status, wait.retry_after_seconds, wait.code.as_str()),
            (429, Some(2), "rate_limited")
        );
    }
}
