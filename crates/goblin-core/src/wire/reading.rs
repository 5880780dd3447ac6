//! What reading an upstream's answer takes in every dialect.

use serde_json::Value;

use crate::limits::MAX_JSON_DEPTH;
use crate::provider::ProviderError;
use crate::wire::json::depth_within;

/// The answer broke off, or is none.
pub(super) fn interrupted(reason: impl Into<String>) -> ProviderError {
    ProviderError::Interrupted {
        reason: reason.into(),
    }
}

/// The JSON of `what`: a payload of a stream, or a whole answer.
///
/// # Errors
/// [`ProviderError::Interrupted`] for what is empty, nested too deep or no JSON.
pub(super) fn read_json(bytes: &[u8], what: &str) -> Result<Value, ProviderError> {
    if bytes.trim_ascii().is_empty() {
        return Err(interrupted(format!("{what} is empty")));
    }
    if !depth_within(bytes, MAX_JSON_DEPTH) {
        return Err(interrupted(format!("{what} is nested too deep")));
    }
    serde_json::from_slice(bytes).map_err(|e| interrupted(format!("{what} is not JSON: {e}")))
}
