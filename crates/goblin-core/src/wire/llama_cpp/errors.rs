//! What a llama-server's refusal means, where its words differ from OpenAI's.

use std::time::Duration;

use serde_json::Value;

use crate::limits::MAX_JSON_DEPTH;
use crate::provider::ProviderError;
use crate::wire::json::depth_within;
use crate::wire::openai::{provider_error, scrub};

/// What a refusal means: its HTTP status, what it said (any bytes), the model asked for, its `Retry-After`.
///
/// Beyond [`provider_error`]: 501 is something this server was not started for, an image for a model without eyes is the
/// request's fault though it comes as 500, a text too large for one batch is a prompt over the context, and a router's
/// "not found" comes as 400.
pub fn upstream_error(status: u16, body: &[u8], model: &str, retry_after: Option<Duration>) -> ProviderError {
    let said = said(body);
    let words = said.as_deref().unwrap_or_default();
    let rejected = |message: String| ProviderError::Rejected {
        status: 400,
        code: None,
        param: None,
        message,
    };
    if let Some((prompt_tokens, context_window)) = too_large(words) {
        return ProviderError::ContextExceeded {
            prompt_tokens,
            context_window,
        };
    }
    match (status, said.as_deref()) {
        (501, Some(words)) => rejected(scrub(words)),
        (400 | 404, Some(words)) if words.starts_with("model") && words.ends_with("not found") => {
            ProviderError::ModelNotFound {
                model: model.to_owned(),
            }
        }
        (500, Some(words)) if words.contains("input is not supported") => {
            let kind = words.split(' ').next().unwrap_or("image");
            rejected(format!(
                "The model takes no {}. Leave it out, or ask a model that does.",
                scrub(kind)
            ))
        }
        _ => provider_error(status, body, model, retry_after),
    }
}

/// `input (900 tokens) is too large to process. increase the physical batch size (current batch size: 512)`, and its
/// like about the context.
fn too_large(words: &str) -> Option<(u32, u32)> {
    let known = ["is too large to process", "is larger than the max context size"];
    if !known.iter().any(|sentence| words.contains(sentence)) {
        return None;
    }
    let mut numbers = words
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|n| n.parse::<u32>().ok());
    Some((numbers.next()?, numbers.next()?))
}

/// The sentence of an `{"error": {"message": …}}`.
fn said(body: &[u8]) -> Option<String> {
    if !depth_within(body, MAX_JSON_DEPTH) {
        return None;
    }
    let value: Value = serde_json::from_slice(body).ok()?;
    value.get("error")?.get("message")?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_one_meaning() {
        let rejected = |message: &str| ProviderError::Rejected {
            status: 400,
            code: None,
            param: None,
            message: message.into(),
        };
        let exceeded = |prompt_tokens, context_window| ProviderError::ContextExceeded {
            prompt_tokens,
            context_window,
        };
        for (status, message, expected) in [
            (
                500,
                "input (900 tokens) is too large to process. increase the physical batch size (current batch size: 512)",
                exceeded(900, 512),
            ),
            (
                400,
                "input (900 tokens) is larger than the max context size (256 tokens). skipping",
                exceeded(900, 256),
            ),
            (
                501,
                "This model is not a decision model",
                rejected("This model is not a decision model"),
            ),
            (
                500,
                "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj",
                rejected("The model takes no image. Leave it out, or ask a model that does."),
            ),
            (
                400,
                "model 'm' not found",
                ProviderError::ModelNotFound { model: "m".into() },
            ),
            (401, "Invalid API Key", ProviderError::Unauthorized),
        ] {
            let body = serde_json::json!({"error": {"message": message, "code": status}}).to_string();
            assert_eq!(
                upstream_error(status, body.as_bytes(), "m", None),
                expected,
                "{status} {message}"
            );
        }
        for (status, body) in [
            // Not full: it has nothing to answer with yet.
            (503, r#"{"error":{"message":"Loading model","code":503}}"#),
            (500, r#"{"error":{"message":"boom"}}"#),
            (501, "<html>"),
            (404, ""),
        ] {
            let got = upstream_error(status, body.as_bytes(), "m", None);
            assert!(matches!(got, ProviderError::Broken { .. }), "{status} {got:?}");
        }
    }
}
