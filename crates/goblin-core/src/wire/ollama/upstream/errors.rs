//! What an Ollama's refusal means.

use std::time::Duration;

use serde_json::Value;

use crate::limits::MAX_JSON_DEPTH;
use crate::provider::ProviderError;
use crate::wire::json::depth_within;
use crate::wire::openai::provider_error;

/// What is known of a request's size, for refusals that name no numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PromptSize {
    /// Likely tokens of the prompt.
    pub prompt_tokens: u32,
    /// The context that was asked for.
    pub context_tokens: u32,
}

/// Words by which the versions so far say that a prompt does not fit.
const TOO_LONG: [&str; 5] = [
    "input length exceeds",
    "exceeds maximum context",
    "exceeds the available context",
    "exceeds the context",
    "exceed_context_size",
];

/// What a refusal means: its HTTP status (200 for an error inside a stream), what it said (any bytes), the model asked
/// for, its `Retry-After`, and how large the request was. 499 (`request canceled`), 429 and 503 with Ollama's own words
/// are a full server; a page that is not Ollama's is a broken one.
pub fn upstream_error(
    status: u16,
    body: &[u8],
    model: &str,
    retry_after: Option<Duration>,
    sized: PromptSize,
) -> ProviderError {
    let said = said(body);
    let words = said.as_deref().unwrap_or_default().to_lowercase();
    if TOO_LONG.iter().any(|w| words.contains(w)) {
        return too_long(&words, sized);
    }
    match (status, said) {
        (200, Some(said)) => in_place_of_an_answer(&said, &words, model),
        (499, Some(_)) => ProviderError::Overloaded { retry_after },
        (404, Some(_)) if words.contains("model") => ProviderError::ModelNotFound {
            model: model.to_owned(),
        },
        _ => provider_error(status, body, model, retry_after),
    }
}

fn in_place_of_an_answer(said: &str, words: &str, model: &str) -> ProviderError {
    if words.contains("server busy") || words.contains("maximum pending requests") {
        return ProviderError::Overloaded { retry_after: None };
    }
    if words.contains("model") && words.contains("not found") {
        return ProviderError::ModelNotFound {
            model: model.to_owned(),
        };
    }
    let said: String = said.chars().take(200).collect();
    ProviderError::Broken {
        reason: format!("error in place of an answer: {said}"),
    }
}

/// Newer versions say both numbers (`request (9012 tokens) exceeds the available context size (512 tokens)`).
fn too_long(words: &str, sized: PromptSize) -> ProviderError {
    let mut numbers = words
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|n| n.parse::<u32>().ok());
    let (prompt_tokens, context_window) = match (numbers.next(), numbers.next()) {
        (Some(prompt), Some(context)) if prompt > context => (prompt, context),
        // It does not fit, whatever the estimate was.
        _ => (
            sized.prompt_tokens.max(sized.context_tokens.saturating_add(1)),
            sized.context_tokens,
        ),
    };
    ProviderError::ContextExceeded {
        prompt_tokens,
        context_window,
    }
}

/// The sentence of an `{"error": …}`.
pub(super) fn said(body: &[u8]) -> Option<String> {
    if !depth_within(body, MAX_JSON_DEPTH) {
        return None;
    }
    let value: Value = serde_json::from_slice(body).ok()?;
    match value.get("error")? {
        Value::String(said) => Some(said.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_one_meaning() {
        let sized = PromptSize {
            prompt_tokens: 700,
            context_tokens: 512,
        };
        let exceeded = |prompt_tokens, context_window| ProviderError::ContextExceeded {
            prompt_tokens,
            context_window,
        };
        let full = ProviderError::Overloaded { retry_after: None };
        let absent = ProviderError::ModelNotFound { model: "m".into() };
        for (status, body, expected) in [
            (404, r#"{"error":"model 'm' not found"}"#, absent.clone()),
            (
                200,
                r#"{"error":"model \"m\" not found, try pulling it first"}"#,
                absent,
            ),
            (
                503,
                r#"{"error":"server busy, please try again.  maximum pending requests exceeded"}"#,
                full.clone(),
            ),
            (200, r#"{"error":"server busy, please try again."}"#, full.clone()),
            (499, r#"{"error":"request canceled"}"#, full),
            (
                400,
                r#"{"error":"the input length exceeds the context length"}"#,
                exceeded(700, 512),
            ),
            (
                200,
                r#"{"error":"the input length exceeds the context length"}"#,
                exceeded(700, 512),
            ),
            (
                400,
                r#"{"error":"request (9012 tokens) exceeds the available context size (512 tokens), try increasing it"}"#,
                exceeded(9012, 512),
            ),
            (
                400,
                r#"{"error":"\"m\" does not support tools at http://10.0.0.1:1/x"}"#,
                ProviderError::Rejected {
                    status: 400,
                    code: None,
                    param: None,
                    message: "\"m\" does not support tools at [hidden]".into(),
                },
            ),
            (401, "{}", ProviderError::Unauthorized),
        ] {
            assert_eq!(
                upstream_error(status, body.as_bytes(), "m", None, sized),
                expected,
                "{status} {body}"
            );
        }
        for (status, body) in [
            (404, "<html>not found: model"),
            (503, "<html>bad gateway"),
            (499, "nginx"),
            (500, r#"{"error":"llama runner process has terminated"}"#),
            (
                200,
                r#"{"error":"an error was encountered while running the model: EOF"}"#,
            ),
        ] {
            let got = upstream_error(status, body.as_bytes(), "m", None, sized);
            assert!(matches!(got, ProviderError::Broken { .. }), "{status} {got:?}");
        }
    }
}
