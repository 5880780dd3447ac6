//! Core events → Anthropic's stream events, and the same answer as one message.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::chat::ToolCall;
use crate::event::{ChatEvent, FinishReason, Parsed, Usage};
use crate::wire::Dialect;
use crate::wire::answer::{Answer, Calls, arguments_object};
use crate::wire::sse::encode_event;

/// An event that keeps proxies from closing a quiet stream; clients ignore it.
pub const PING: &[u8] = b"event: ping\ndata: {\"type\":\"ping\"}\n\n";

/// Begins the hidden block in front of a call that holds what its maker wants back.
pub(super) const SEALED: &str = "goblin:";

/// The last event of a stream.
const STOP: &str = "message_stop";

/// Which block of the answer is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Text,
    Thinking,
}

/// Writes an answer's events as server-sent events, framed. One per answer.
#[derive(Clone, Debug)]
pub struct EventEncoder {
    id: String,
    model: String,
    input_tokens: u32,
    started: bool,
    open: Option<Open>,
    blocks: usize,
    calls: Calls,
    finish: Option<FinishReason>,
    usage: Option<Usage>,
    prefer_raw: bool,
    /// Of a forwarded stream: the type of its last event.
    forwarded: Option<String>,
}

impl EventEncoder {
    /// Events of the answer `id` by `model`. `input_tokens` are those of the prompt as far as known before the answer
    /// (0 when not); the end of the stream says the true number.
    pub fn new(id: &str, model: &str, input_tokens: u32) -> Self {
        Self {
            id: id.to_owned(),
            model: model.to_owned(),
            input_tokens,
            started: false,
            open: None,
            blocks: 0,
            calls: Calls::default(),
            finish: None,
            usage: None,
            prefer_raw: false,
            forwarded: None,
        }
    }

    /// The same encoder, forwarding each event's own bytes where it has them in this dialect.
    #[must_use]
    pub fn preferring_raw(self) -> Self {
        Self {
            prefer_raw: true,
            ..self
        }
    }

    /// The events for one of the answer's, each framed; often one, sometimes none. Tool calls are said whole, when the
    /// answer ends: this dialect knows one block at a time, while the pieces of several calls may come mixed. What a call's
    /// maker wants back stands before it in a `redacted_thinking`, which clients give back unread. Log-probabilities have no place in it.
    pub fn encode(&mut self, event: &ChatEvent) -> Vec<Bytes> {
        let mut out = Vec::new();
        if self.prefer_raw
            && let Some((Dialect::Anthropic, raw)) = &event.raw
        {
            // No bytes: this event came out of the same payload as the one before it.
            if !raw.is_empty() {
                let kind = type_of(raw).unwrap_or_default();
                out.push(encode_event(None, Some(&kind), raw));
                self.forwarded = Some(kind);
            }
            return out;
        }
        match &event.parsed {
            Parsed::Started => self.start(&mut out),
            Parsed::Text { text, .. } if !text.is_empty() => {
                self.open(Open::Text, &mut out);
                self.delta(json!({"type": "text_delta", "text": text}), &mut out);
            }
            Parsed::Reasoning { text } if !text.is_empty() => {
                self.open(Open::Thinking, &mut out);
                self.delta(json!({"type": "thinking_delta", "thinking": text}), &mut out);
            }
            Parsed::ToolCall { .. } | Parsed::Sealed { .. } => self.calls.push(&event.parsed),
            Parsed::Finished { reason } => {
                self.finish = Some(*reason);
                self.put_calls(&mut out);
            }
            Parsed::Usage(usage) => self.usage = Some(*usage),
            Parsed::Text { .. } | Parsed::Reasoning { .. } | Parsed::Opaque => {}
        }
        out
    }

    /// The events that end the answer: what is still open is closed, then why it ended and what it used. An answer
    /// that did not say why it ended was cut, and ends by `max_tokens`.
    pub fn finish(&mut self) -> Vec<Bytes> {
        let mut out = Vec::new();
        if let Some(last) = &self.forwarded {
            if last != STOP {
                out.push(frame(&json!({"type": STOP})));
            }
            return out;
        }
        self.put_calls(&mut out);
        self.close(&mut out);
        let reason = stop_reason(self.finish.unwrap_or(FinishReason::Length));
        let before = Usage {
            prompt_tokens: self.input_tokens,
            ..Usage::default()
        };
        out.push(frame(&json!({
            "type": "message_delta",
            "delta": {"stop_reason": reason, "stop_sequence": null},
            "usage": usage_json(&self.usage.unwrap_or(before)),
        })));
        out.push(frame(&json!({"type": STOP})));
        out
    }

    fn start(&mut self, out: &mut Vec<Bytes>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let usage = Usage {
            prompt_tokens: self.input_tokens,
            ..Usage::default()
        };
        let message = message_json(&self.id, &self.model, &[], Value::Null, &usage);
        out.push(frame(&json!({"type": "message_start", "message": message})));
    }

    fn open(&mut self, wanted: Open, out: &mut Vec<Bytes>) {
        if self.open == Some(wanted) {
            return;
        }
        self.close(out);
        let block = match wanted {
            Open::Text => json!({"type": "text", "text": ""}),
            Open::Thinking => json!({"type": "thinking", "thinking": "", "signature": ""}),
        };
        self.block(block, out);
        self.open = Some(wanted);
    }

    fn block(&mut self, block: Value, out: &mut Vec<Bytes>) {
        self.start(out);
        let index = self.blocks;
        out.push(frame(
            &json!({"type": "content_block_start", "index": index, "content_block": block}),
        ));
    }

    fn delta(&self, delta: Value, out: &mut Vec<Bytes>) {
        out.push(frame(
            &json!({"type": "content_block_delta", "index": self.blocks, "delta": delta}),
        ));
    }

    fn end_block(&mut self, out: &mut Vec<Bytes>) {
        out.push(frame(
            &json!({"type": "content_block_stop", "index": self.blocks}),
        ));
        self.blocks += 1;
    }

    fn close(&mut self, out: &mut Vec<Bytes>) {
        self.start(out);
        if self.open.take().is_some() {
            self.end_block(out);
        }
    }

    fn put_calls(&mut self, out: &mut Vec<Bytes>) {
        for call in self.calls.take() {
            self.close(out);
            if let Some(hidden) = hidden_json(&call) {
                self.block(hidden, out);
                self.end_block(out);
            }
            self.block(tool_use_json(&call, json!({})), out);
            let input = arguments_object(&call.arguments).to_string();
            self.delta(json!({"type": "input_json_delta", "partial_json": input}), out);
            self.end_block(out);
        }
    }
}

/// What a payload says it is.
fn type_of(payload: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Typed {
        #[serde(rename = "type")]
        kind: String,
    }
    let typed: Typed = serde_json::from_slice(payload).ok()?;
    Some(typed.kind)
}

fn frame(value: &Value) -> Bytes {
    let event = value.get("type").and_then(Value::as_str);
    encode_event(None, event, value.to_string().as_bytes())
}

fn stop_reason(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop => "end_turn",
        FinishReason::Length => "max_tokens",
        FinishReason::ToolCalls => "tool_use",
        FinishReason::ContentFilter => "refusal",
    }
}

/// What the maker of the model wants back with a call, as a block that clients do not look into and give back as it is.
fn hidden_json(call: &ToolCall) -> Option<Value> {
    let seal = call.seal.as_deref()?;
    Some(json!({"type": "redacted_thinking", "data": format!("{SEALED}{seal}")}))
}

fn tool_use_json(call: &ToolCall, input: Value) -> Value {
    json!({"type": "tool_use", "id": call.id, "name": call.name, "input": input})
}

/// Tokens read from a cache are counted apart from the others.
fn usage_json(usage: &Usage) -> Value {
    json!({
        "input_tokens": usage.prompt_tokens.saturating_sub(usage.cached_tokens),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.completion_tokens,
    })
}

fn message_json(id: &str, model: &str, content: &[Value], stop_reason: Value, usage: &Usage) -> Value {
    json!({
        "id": id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": null,
        "usage": usage_json(usage),
    })
}

/// Collects one answer for a caller that asked for no stream. Holds at most [`crate::limits::MAX_ANSWER_BYTES`] of
/// text.
#[derive(Clone, Debug)]
pub struct Collected {
    id: String,
    model: String,
    answer: Answer,
    raw: Option<Bytes>,
}

impl Collected {
    /// For the answer `id` by `model`.
    pub fn new(id: &str, model: &str) -> Self {
        Self {
            id: id.to_owned(),
            model: model.to_owned(),
            answer: Answer::default(),
            raw: None,
        }
    }

    /// Takes the next event into the answer.
    pub fn push(&mut self, event: &ChatEvent) {
        self.answer.push(&event.parsed);
        if let (Parsed::Opaque, Some((Dialect::Anthropic, raw)), None) =
            (&event.parsed, &event.raw, &self.raw)
            && type_of(raw).as_deref() == Some("message")
        {
            self.raw = Some(raw.clone());
        }
    }

    /// The upstream's own message, byte for byte, when a request for one in one piece was passed through.
    pub fn raw_message(&self) -> Option<&Bytes> {
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

    /// The whole message: thinking, text, then tool calls.
    pub fn into_message(self) -> Value {
        let answer = &self.answer;
        let mut content = Vec::new();
        if !answer.reasoning.is_empty() {
            content.push(json!({"type": "thinking", "thinking": answer.reasoning, "signature": ""}));
        }
        if !answer.text.is_empty() {
            content.push(json!({"type": "text", "text": answer.text}));
        }
        for call in answer.tool_calls() {
            content.extend(hidden_json(call));
            content.push(tool_use_json(call, arguments_object(&call.arguments)));
        }
        let usage = answer.usage.unwrap_or_default();
        let reason = stop_reason(answer.finish());
        message_json(&self.id, &self.model, &content, reason.into(), &usage)
    }
}
