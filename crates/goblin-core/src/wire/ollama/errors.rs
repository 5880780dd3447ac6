//! Errors in Ollama's shape.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::error::ApiError;

/// `{"error": "sentence"}`. The code is in the status only; clients show the sentence.
pub fn error_body(error: &ApiError) -> Value {
    json!({ "error": error.message })
}

/// The same as the last line of a stream whose status line is long sent.
pub fn error_line(error: &ApiError) -> Bytes {
    format!("{}\n", error_body(error)).into()
}
