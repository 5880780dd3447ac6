//! An answer's events, collected into one `chat.completion`: a non-streaming answer is the same stream, collected.

use bytes::Bytes;
use serde_json::{Value, json};

use super::stream::{logprobs_json, usage_json};
use crate::chat::ToolCall;
use crate::event::{ChatEvent, FinishReason, Parsed, TokenLogprob, Usage};
use crate::limits::{MAX_ANSWER_BYTES, MAX_TOOLS};
use crate::wire::Dialect;

/// Collects one answer. Holds at most [`MAX_ANSWER_BYTES`] of text; what is beyond is left out and the answer says
/// that it ended by `length`.
#[derive(Clone, Debug)]
pub struct Collector {
    id: String,
    model: String,
    created: i64,
    text: String,
    reasoning: String,
    logprobs: Vec<TokenLogprob>,
    tool_calls: Vec<ToolCall>,
    kept_bytes: usize,
    overflowed: bool,
    finish: Option<FinishReason>,
    usage: Option<Usage>,
    raw: Option<Bytes>,
}

impl Collector {
    /// For the answer `id` by `model`, begun at `created` (seconds since 1970).
    pub fn new(id: &str, model: &str, created: i64) -> Self {
        Self {
            id: id.to_owned(),
            model: model.to_owned(),
            created,
            text: String::new(),
            reasoning: String::new(),
            logprobs: Vec::new(),
            tool_calls: Vec::new(),
            kept_bytes: 0,
            overflowed: false,
            finish: None,
            usage: None,
            raw: None,
        }
    }

    /// Takes the next event into the answer.
    pub fn push(&mut self, event: &ChatEvent) {
        match &event.parsed {
            Parsed::Started => {}
            Parsed::Text { text, logprobs } => {
                if self.has_room(text.len() + 64 * logprobs.len()) {
                    self.text.push_str(text);
                    self.logprobs.extend_from_slice(logprobs);
                }
            }
            Parsed::Reasoning { text } => {
                if self.has_room(text.len()) {
                    self.reasoning.push_str(text);
                }
            }
            Parsed::ToolCall {
                index,
                id,
                name,
                arguments,
            } => {
                self.push_tool_call(*index as usize, id.as_deref(), name.as_deref(), arguments);
            }
            Parsed::Finished { reason } => self.finish = Some(*reason),
            Parsed::Usage(usage) => self.usage = Some(*usage),
            Parsed::Opaque => {
                if let Some((Dialect::OpenAi, raw)) = &event.raw
                    && self.raw.is_none()
                {
                    self.raw = Some(raw.clone());
                }
            }
        }
    }

    /// The upstream's own `chat.completion`, byte for byte, when a non-streaming request was passed through.
    pub fn raw_completion(&self) -> Option<&Bytes> {
        self.raw.as_ref()
    }

    /// The answer's text so far.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the answer used, once it has said so.
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// The whole answer in OpenAI's shape, with our `goblin` object when given.
    pub fn into_completion(self, goblin: Option<Value>) -> Value {
        let finish = match self.finish {
            // An answer that did not say why it ended, or does not fit, was cut.
            None => FinishReason::Length,
            Some(_) if self.overflowed => FinishReason::Length,
            Some(reason) => reason,
        };
        let content = match self.text.is_empty() && !self.tool_calls.is_empty() {
            true => Value::Null,
            false => Value::from(self.text),
        };
        let mut message = json!({"role": "assistant", "content": content, "refusal": null});
        if !self.reasoning.is_empty() {
            message["reasoning_content"] = self.reasoning.into();
        }
        if !self.tool_calls.is_empty() {
            message["tool_calls"] = self.tool_calls.iter().map(tool_call_json).collect();
        }
        let logprobs = if self.logprobs.is_empty() {
            Value::Null
        } else {
            logprobs_json(&self.logprobs)
        };
        let mut completion = json!({
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": [{"index": 0, "message": message, "logprobs": logprobs, "finish_reason": finish.as_str()}],
        });
        if let Some(usage) = &self.usage {
            completion["usage"] = usage_json(usage);
        }
        if let Some(goblin) = goblin {
            completion["goblin"] = goblin;
        }
        completion
    }

    fn has_room(&mut self, bytes: usize) -> bool {
        if self.overflowed || self.kept_bytes + bytes > MAX_ANSWER_BYTES {
            self.overflowed = true;
            return false;
        }
        self.kept_bytes += bytes;
        true
    }

    fn push_tool_call(&mut self, index: usize, id: Option<&str>, name: Option<&str>, arguments: &str) {
        if index >= MAX_TOOLS || !self.has_room(arguments.len()) {
            return;
        }
        if self.tool_calls.len() <= index {
            let empty = ToolCall {
                id: String::new(),
                name: String::new(),
                arguments: String::new(),
            };
            self.tool_calls.resize(index + 1, empty);
        }
        let call = &mut self.tool_calls[index];
        if let Some(id) = id {
            id.clone_into(&mut call.id);
        }
        if let Some(name) = name {
            name.clone_into(&mut call.name);
        }
        call.arguments.push_str(arguments);
    }
}

/// A whole tool call in OpenAI's shape.
pub(super) fn tool_call_json(call: &ToolCall) -> Value {
    json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}})
}
