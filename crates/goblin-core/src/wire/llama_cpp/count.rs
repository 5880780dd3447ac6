//! Counting a prompt's tokens with the model's own template and tokenizer.
//!
//! Newer servers count a whole chat (`/v1/chat/completions/input_tokens`, images included). Older ones write it with
//! their template (`/apply-template`) and cut the text into tokens (`/tokenize`).

use bytes::Bytes;
use serde_json::{Value, json};

use super::completion::object;
use crate::chat::ChatRequest;
use crate::provider::ProviderError;
use crate::wire::Dialect;
use crate::wire::openai::{encode_request, rewrite_for_upstream};

fn broken(what: &str) -> ProviderError {
    ProviderError::Broken {
        reason: format!("{what} is not what llama-server says"),
    }
}

/// The body to count a chat with: that of the chat itself.
pub fn encode_count(request: &ChatRequest) -> Bytes {
    match &request.raw {
        Some((Dialect::OpenAi, raw)) => rewrite_for_upstream(raw, &request.model, false),
        _ => encode_request(request),
    }
}

/// Reads the answer of `/v1/chat/completions/input_tokens`.
///
/// # Errors
/// [`ProviderError::Broken`] or [`ProviderError::Interrupted`] for anything else.
pub fn decode_input_tokens(body: &[u8]) -> Result<u32, ProviderError> {
    let value = object(body)?;
    let tokens = value.get("input_tokens").and_then(Value::as_u64);
    let tokens = tokens.ok_or_else(|| broken("a number of tokens"))?;
    Ok(u32::try_from(tokens).unwrap_or(u32::MAX))
}

/// Reads the answer of `/apply-template`: the text the model is shown.
///
/// # Errors
/// As [`decode_input_tokens`].
pub fn decode_prompt(body: &[u8]) -> Result<String, ProviderError> {
    let value = object(body)?;
    let prompt = value.get("prompt").and_then(Value::as_str);
    prompt
        .map(str::to_owned)
        .ok_or_else(|| broken("a templated prompt"))
}

/// The body of `/tokenize` for a templated prompt, cut as the server cuts prompts: special tokens are taken as such and
/// the tokenizer's own are added.
pub fn encode_tokenize(model: &str, prompt: &str) -> Bytes {
    json!({"model": model, "content": prompt, "add_special": true, "parse_special": true})
        .to_string()
        .into()
}

/// Reads the answer of `/tokenize`: how many tokens.
///
/// # Errors
/// As [`decode_input_tokens`].
pub fn decode_tokens(body: &[u8]) -> Result<u32, ProviderError> {
    let value = object(body)?;
    let tokens = value.get("tokens").and_then(Value::as_array);
    let tokens = tokens.ok_or_else(|| broken("a list of tokens"))?;
    Ok(u32::try_from(tokens.len()).unwrap_or(u32::MAX))
}
