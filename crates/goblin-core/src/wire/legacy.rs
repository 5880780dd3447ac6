//! Errors on the legacy doors, where clients read `detail` and newer ones `error`.

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::wire::openai;

/// `{"detail": "sentence", "error": {message, type, param, code}}`.
pub fn error_body(error: &ApiError) -> Value {
    let mut body = json!({ "detail": error.message });
    body["error"] = openai::error_body(error)["error"].take();
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_client_find_the_sentence() {
        let body = error_body(&ApiError::invalid("model", "Name a model."));
        assert_eq!(body["detail"], "Name a model.");
        assert_eq!(body["error"]["message"], "Name a model.");
        assert_eq!(body["error"]["param"], "model");
    }
}
