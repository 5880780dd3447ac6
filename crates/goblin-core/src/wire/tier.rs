//! What only our own model tier answers, read: `POST /v1/goblin/tokenize`. Its status is in [`crate::tier_status`], its
//! other doors speak the dialects beside this file.

use serde::Deserialize;

use crate::context_rule::CountMethod;
use crate::provider::{ProviderError, TokenCount};

#[derive(Deserialize)]
struct Counted {
    prompt_tokens: u32,
    context_window: Option<u32>,
    method: CountMethod,
}

/// Reads a count, and how the tier came to it. `None`: the tier does not know how much the context holds.
///
/// # Errors
/// [`ProviderError::Interrupted`] for what is no count.
pub fn decode_count(body: &[u8]) -> Result<Option<TokenCount>, ProviderError> {
    let counted: Counted = serde_json::from_slice(body).map_err(|e| ProviderError::Interrupted {
        reason: format!("the count of tokens cannot be read: {e}"),
    })?;
    Ok(counted.context_window.map(|context_window| TokenCount {
        prompt_tokens: counted.prompt_tokens,
        context_window,
        method: counted.method,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_it_was_counted_is_taken_over_as_the_tier_says_it() {
        let body =
            br#"{"model":"engine/m","prompt_tokens":31,"context_window":2048,"method":"measured_ratio"}"#;
        let told = TokenCount {
            prompt_tokens: 31,
            context_window: 2048,
            method: CountMethod::MeasuredRatio,
        };
        assert_eq!(decode_count(body), Ok(Some(told)));
        let unknown = br#"{"prompt_tokens":31,"context_window":null,"method":"estimate"}"#;
        assert_eq!(decode_count(unknown), Ok(None));
        assert!(decode_count(br#"{"prompt_tokens":31,"method":"guess"}"#).is_err());
    }
}
