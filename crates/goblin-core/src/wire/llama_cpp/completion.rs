//! `/completion`: a text continued, and one token read after a text.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::errors::upstream_error;
use super::timings::read_timings;
use crate::chat::ResponseFormat;
use crate::completion::CompletionRequest;
use crate::event::{ChatEvent, FinishReason, Parsed, Spent, TokenLogprob, Usage};
use crate::limits::MAX_JSON_DEPTH;
use crate::provider::ProviderError;
use crate::wire::json::depth_within;
use crate::wire::logprobs::read_logprobs;
use crate::wire::openai::put_choosing;

/// Rivals read for one question: enough that spellings of likely options are among them.
const READOUT_RIVALS: u32 = 100;

fn interrupted(reason: impl Into<String>) -> ProviderError {
    ProviderError::Interrupted {
        reason: reason.into(),
    }
}

/// An answer's JSON object.
pub(super) fn object(body: &[u8]) -> Result<Value, ProviderError> {
    if !depth_within(body, MAX_JSON_DEPTH) {
        return Err(interrupted("the answer is nested too deep"));
    }
    let value: Value =
        serde_json::from_slice(body).map_err(|e| interrupted(format!("the answer is not JSON: {e}")))?;
    match value.is_object() {
        true => Ok(value),
        false => Err(interrupted("the answer is no JSON object")),
    }
}

/// The body of `/completion`, or with a suffix that of `/infill`: always a stream. Without a limit of its own the answer
/// may fill the context.
pub fn encode_completion(request: &CompletionRequest) -> Bytes {
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| {
        body.insert(name.to_owned(), value);
    };
    put("model", request.model.as_str().into());
    match &request.suffix {
        Some(suffix) => {
            put("input_prefix", request.prompt.as_str().into());
            put("input_suffix", suffix.as_str().into());
        }
        None => put("prompt", request.prompt.as_str().into()),
    }
    put("stream", true.into());
    put("cache_prompt", true.into());
    let limit = request.sampling.max_tokens;
    put("n_predict", limit.map_or(json!(-1), Value::from));
    match &request.format {
        ResponseFormat::Text => {}
        ResponseFormat::JsonObject => put("json_schema", json!({"type": "object"})),
        ResponseFormat::JsonSchema { schema, .. } => put("json_schema", schema.clone()),
        ResponseFormat::Grammar(grammar) => put("grammar", grammar.as_str().into()),
    }
    // With 0 it reports nothing at all.
    if let Some(top) = request.sampling.logprobs {
        put("n_probs", u32::from(top.max(1)).into());
    }
    put_choosing(&mut body, &request.sampling);
    Value::Object(body).to_string().into()
}

/// The body of `/completion` that asks for the one token after `prompt`, with its rivals. Texts that begin alike share
/// what was computed when they go to the same `slot`; `None` leaves the choice to the server.
pub fn encode_readout(model: &str, prompt: &str, slot: Option<u32>) -> Bytes {
    json!({
        "model": model,
        "prompt": prompt,
        "n_predict": 1,
        "n_probs": READOUT_RIVALS,
        "temperature": 0.0,
        "cache_prompt": true,
        "id_slot": slot.map_or(-1, i64::from),
        "stream": false,
    })
    .to_string()
    .into()
}

/// Reads the answer to [`encode_readout`]: the token, and what it cost. No token when the model ends there.
///
/// # Errors
/// [`ProviderError::Interrupted`] for what is no such answer; what the error says, when it is one.
pub fn decode_readout(body: &[u8], model: &str) -> Result<(Option<TokenLogprob>, Spent), ProviderError> {
    let value = object(body)?;
    if value.get("error").is_some() {
        return Err(refusal_in_place(&value, model));
    }
    if value.get("stop").and_then(Value::as_bool) != Some(true) {
        return Err(interrupted("the answer does not say that it ended"));
    }
    let tokens = read_logprobs(value.get("completion_probabilities"));
    Ok((tokens.into_iter().next(), spent(&value)))
}

/// An error where an answer was expected; its own code is the status.
fn refusal_in_place(value: &Value, model: &str) -> ProviderError {
    let status = value
        .get("error")
        .and_then(|e| e.get("code"))
        .and_then(Value::as_u64);
    let status = status.and_then(|code| u16::try_from(code).ok()).unwrap_or(500);
    upstream_error(status, value.to_string().as_bytes(), model, None)
}

fn spent(value: &Value) -> Spent {
    let count = |name: &str| value.get(name).and_then(Value::as_u64);
    let clamp = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    let timed = read_timings(value).unwrap_or_default();
    let usage = Usage {
        prompt_tokens: count("tokens_evaluated").map_or(timed.usage.prompt_tokens, clamp),
        completion_tokens: count("tokens_predicted").map_or(timed.usage.completion_tokens, clamp),
        ..timed.usage
    };
    Spent { usage, ..timed }
}

/// Reads an answer of `/completion` or `/infill`, one `data:` payload at a time. One for each answer.
#[derive(Clone, Debug)]
pub struct CompletionDecoder {
    model: String,
    rivals: usize,
    started: bool,
    content: bool,
    spent: Option<Spent>,
}

impl CompletionDecoder {
    /// For the answer to `request`.
    pub fn new(request: &CompletionRequest) -> Self {
        Self {
            model: request.model.clone(),
            rivals: request.sampling.logprobs.map_or(0, usize::from),
            started: false,
            content: false,
            spent: None,
        }
    }

    /// What the answer cost, once it has ended.
    pub fn spent(&self) -> Option<Spent> {
        self.spent
    }

    /// Reads one payload.
    ///
    /// # Errors
    /// [`ProviderError::Interrupted`] for what is not JSON, and for an error after content; before it what the error
    /// says.
    pub fn decode(&mut self, data: &Bytes) -> Result<Vec<ChatEvent>, ProviderError> {
        if self.spent.is_some() {
            return Ok(Vec::new());
        }
        let value = object(data)?;
        if value.get("error").is_some() {
            return Err(match self.content {
                true => {
                    let said: String = value["error"].to_string().chars().take(200).collect();
                    interrupted(format!("error in the middle of the answer: {said}"))
                }
                false => refusal_in_place(&value, &self.model),
            });
        }
        let mut out = Vec::new();
        if !std::mem::replace(&mut self.started, true) {
            out.push(Parsed::Started);
        }
        let text = value
            .get("content")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let mut logprobs = read_logprobs(value.get("completion_probabilities"));
        for token in &mut logprobs {
            token.top_logprobs.truncate(self.rivals);
        }
        if !text.is_empty() || !logprobs.is_empty() {
            out.push(Parsed::Text { text, logprobs });
        }
        if value.get("stop").and_then(Value::as_bool) == Some(true) {
            let reason = match value.get("stop_type").and_then(Value::as_str) {
                Some("limit") => FinishReason::Length,
                _ => FinishReason::Stop,
            };
            out.push(Parsed::Finished { reason });
            let spent = spent(&value);
            self.spent = Some(spent);
            out.push(Parsed::Usage(spent.usage));
        }
        self.content |= out.iter().any(Parsed::is_content);
        Ok(out.into_iter().map(ChatEvent::from).collect())
    }

    /// To be asked when the stream has ended.
    ///
    /// # Errors
    /// [`ProviderError::Interrupted`] when it ended before the answer did.
    pub fn finish(&self) -> Result<(), ProviderError> {
        match (self.spent, self.started) {
            (Some(_), _) => Ok(()),
            (None, true) => Err(interrupted("the stream was cut before the answer ended")),
            (None, false) => Err(interrupted("the stream ended without an answer")),
        }
    }
}
