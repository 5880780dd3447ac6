//! An answer's events, collected into one `chat.completion`: a non-streaming answer is the same stream, collected.

use bytes::Bytes;
use serde_json::{Value, json};

use super::stream::{logprobs_json, usage_json};
use crate::chat::ToolCall;
use crate::event::{ChatEvent, Parsed, Usage};
use crate::wire::Dialect;
use crate::wire::answer::Answer;

/// Collects one answer. Holds at most [`crate::limits::MAX_ANSWER_BYTES`] of text; what is beyond is left out and the
/// answer says that it ended by `length`.
#[derive(Clone, Debug)]
pub struct Collector {
    id: String,
    model: String,
    created: i64,
    answer: Answer,
    raw: Option<Bytes>,
}

impl Collector {
    /// For the answer `id` by `model`, begun at `created` (seconds since 1970).
    pub fn new(id: &str, model: &str, created: i64) -> Self {
        Self {
            id: id.to_owned(),
            model: model.to_owned(),
            created,
            answer: Answer::default(),
            raw: None,
        }
    }

    /// Takes the next event into the answer.
    pub fn push(&mut self, event: &ChatEvent) {
        self.answer.push(&event.parsed);
        if let (Parsed::Opaque, Some((Dialect::OpenAi, raw)), None) = (&event.parsed, &event.raw, &self.raw) {
            self.raw = Some(raw.clone());
        }
    }

    /// The upstream's own `chat.completion`, byte for byte, when a non-streaming request was passed through.
    pub fn raw_completion(&self) -> Option<&Bytes> {
        self.raw.as_ref()
    }

    /// The answer's text so far.
    pub fn text(&self) -> &str {
        &self.answer.text
    }

    /// What the answer used, once it has said so.
    pub fn usage(&self) -> Option<Usage> {
        self.answer.usage
    }

    /// The whole answer in OpenAI's shape, with our `goblin` object when given.
    pub fn into_completion(self, goblin: Option<Value>) -> Value {
        let finish = self.answer.finish();
        let calls = self.answer.tool_calls().iter();
        let calls: Vec<Value> = calls.map(sealed_call_json).collect();
        let Answer {
            text,
            reasoning,
            logprobs,
            usage,
            ..
        } = self.answer;
        let content = match text.is_empty() && !calls.is_empty() {
            true => Value::Null,
            false => Value::from(text),
        };
        let mut message = json!({"role": "assistant", "content": content, "refusal": null});
        if !reasoning.is_empty() {
            message["reasoning_content"] = reasoning.into();
        }
        if !calls.is_empty() {
            message["tool_calls"] = calls.into();
        }
        let logprobs = match logprobs.is_empty() {
            true => Value::Null,
            false => logprobs_json(&logprobs),
        };
        let mut completion = json!({
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": [{"index": 0, "message": message, "logprobs": logprobs, "finish_reason": finish.as_str()}],
        });
        if let Some(usage) = &usage {
            completion["usage"] = usage_json(usage);
        }
        if let Some(goblin) = goblin {
            completion["goblin"] = goblin;
        }
        completion
    }
}

/// A whole tool call in OpenAI's shape, with what its maker wants back.
fn sealed_call_json(call: &ToolCall) -> Value {
    let mut value = tool_call_json(call);
    if let Some(seal) = &call.seal {
        value["extra_content"] = json!({"goblin": {"seal": seal}});
    }
    value
}

/// A whole tool call in OpenAI's shape.
pub(super) fn tool_call_json(call: &ToolCall) -> Value {
    json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}})
}
