//! Reading Anthropic's answers: stream events, or one message, → core events.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::event::{ChatEvent, FinishReason, Parsed, Usage};
use crate::limits::MAX_ANSWER_BYTES;
use crate::maker::Maker;
use crate::provider::ProviderError;
use crate::wire::Dialect;
use crate::wire::cloud_errors::cloud_error_in_band;
use crate::wire::reading::{interrupted, read_json};

/// Reads one answer, a `data:` payload at a time.
#[derive(Clone, Debug, Default)]
pub struct EventDecoder {
    model: String,
    started: bool,
    content: bool,
    finished: bool,
    done: bool,
    usage: Usage,
    calls: u32,
    /// The block that is open, by what it is.
    open: Option<Open>,
    /// Signed thoughts of this answer, to go back with its first call.
    thoughts: Vec<Value>,
    kept_bytes: usize,
    /// Do the events carry the bytes they came as?
    forwarding: bool,
}

#[derive(Clone, Debug)]
enum Open {
    Text,
    Thinking {
        text: String,
        signature: String,
    },
    Call(u32),
    /// Something this server does not know; nothing of it is said.
    Other,
}

impl EventDecoder {
    /// For the answer of `model`.
    pub fn new(model: &str) -> Self {
        Self {
            model: model.to_owned(),
            ..Self::default()
        }
    }

    /// The same decoder, whose events carry the payload they came as, to be forwarded. What a payload says beyond its first
    /// event carries no bytes; one that says nothing is [`Parsed::Opaque`].
    #[must_use]
    pub fn forwarding(self) -> Self {
        Self {
            forwarding: true,
            ..self
        }
    }

    /// Did the stream say `message_stop`?
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Reads one payload.
    ///
    /// # Errors
    /// [`ProviderError::Interrupted`] for what is no event, and for an error after content; before it what the error says.
    pub fn decode(&mut self, data: &Bytes) -> Result<Vec<ChatEvent>, ProviderError> {
        if self.done {
            return Ok(Vec::new());
        }
        let event = read_json(data, "an event of the stream")?;
        if let Some(error) = cloud_error_in_band(Maker::Anthropic, &event, &self.model, self.content) {
            return Err(error);
        }
        let mut out = Vec::new();
        match event["type"].as_str().unwrap_or_default() {
            "message_start" => {
                self.begin(&mut out);
                self.count(&event["message"]["usage"]);
            }
            "content_block_start" => {
                self.begin(&mut out);
                self.start_block(&event["content_block"], &mut out);
            }
            "content_block_delta" => self.delta(&event["delta"], &mut out),
            "content_block_stop" => self.end_block(),
            "message_delta" => {
                self.count(&event["usage"]);
                self.end(event["delta"]["stop_reason"].as_str(), &mut out);
            }
            "message_stop" => {
                self.done = true;
                if !self.finished {
                    return Err(interrupted("the stream ended its message without a reason"));
                }
                out.push(Parsed::Usage(self.usage));
            }
            // `ping`, and events of later versions.
            _ => {}
        }
        self.content |= out.iter().any(Parsed::is_content);
        if !self.forwarding {
            return Ok(out.into_iter().map(ChatEvent::from).collect());
        }
        if out.is_empty() {
            out.push(Parsed::Opaque);
        }
        let mut payload = data.clone();
        let carrying = |parsed| ChatEvent {
            parsed,
            raw: Some((Dialect::Anthropic, std::mem::take(&mut payload))),
        };
        Ok(out.into_iter().map(carrying).collect())
    }

    /// Reads an answer in one piece.
    ///
    /// # Errors
    /// As [`Self::decode`]; [`ProviderError::Interrupted`] for a body that is no message.
    pub fn decode_whole(mut self, body: &[u8]) -> Result<Vec<ChatEvent>, ProviderError> {
        let message = read_json(body, "the answer")?;
        if let Some(error) = cloud_error_in_band(Maker::Anthropic, &message, &self.model, false) {
            return Err(error);
        }
        let Some(blocks) = message["content"].as_array() else {
            return Err(interrupted("the answer has no content"));
        };
        let mut out = Vec::new();
        self.begin(&mut out);
        for block in blocks {
            self.whole_block(block, &mut out);
        }
        self.count(&message["usage"]);
        self.end(message["stop_reason"].as_str().or(Some("end_turn")), &mut out);
        out.push(Parsed::Usage(self.usage));
        Ok(out.into_iter().map(ChatEvent::from).collect())
    }

    /// To be asked when the stream has ended.
    ///
    /// # Errors
    /// [`ProviderError::Interrupted`] when it ended before the answer did.
    pub fn finish(&self) -> Result<(), ProviderError> {
        match (self.finished, self.started) {
            (true, _) => Ok(()),
            (false, true) => Err(interrupted("the stream was cut before the answer ended")),
            (false, false) => Err(interrupted("the stream ended without an answer")),
        }
    }

    /// What is left to say when the stream has ended without `message_stop`.
    pub fn leftover(&mut self) -> Vec<ChatEvent> {
        match self.finished && !std::mem::replace(&mut self.done, true) {
            true => vec![Parsed::Usage(self.usage).into()],
            false => Vec::new(),
        }
    }

    fn begin(&mut self, out: &mut Vec<Parsed>) {
        if !std::mem::replace(&mut self.started, true) {
            out.push(Parsed::Started);
        }
    }

    fn start_block(&mut self, block: &Value, out: &mut Vec<Parsed>) {
        let text = |name: &str| block[name].as_str().unwrap_or_default().to_owned();
        self.open = Some(match block["type"].as_str().unwrap_or_default() {
            "text" => {
                say(text("text"), out);
                Open::Text
            }
            "thinking" => {
                let thought = text("thinking");
                if !thought.is_empty() {
                    out.push(Parsed::Reasoning {
                        text: thought.clone(),
                    });
                }
                Open::Thinking {
                    text: thought,
                    signature: text("signature"),
                }
            }
            "redacted_thinking" => {
                self.keep(json!({"type": "redacted_thinking", "data": text("data")}));
                Open::Other
            }
            "tool_use" => self.start_call(block, String::new(), out),
            _ => Open::Other,
        });
    }

    fn start_call(&mut self, block: &Value, arguments: String, out: &mut Vec<Parsed>) -> Open {
        let index = self.calls;
        self.calls += 1;
        let text = |name: &str| block[name].as_str().map(str::to_owned);
        out.push(Parsed::ToolCall {
            index,
            id: text("id").or_else(|| Some(format!("call_{index}"))),
            name: text("name"),
            arguments,
        });
        if !self.thoughts.is_empty() {
            let thoughts = Value::Array(std::mem::take(&mut self.thoughts));
            out.push(Parsed::Sealed {
                index,
                seal: format!("anthropic:{thoughts}"),
            });
        }
        Open::Call(index)
    }

    fn delta(&mut self, delta: &Value, out: &mut Vec<Parsed>) {
        let text = |name: &str| delta[name].as_str().unwrap_or_default();
        match (&mut self.open, delta["type"].as_str().unwrap_or_default()) {
            (Some(Open::Text), "text_delta") => say(text("text").to_owned(), out),
            (Some(Open::Thinking { text: whole, .. }), "thinking_delta") => {
                let thought = text("thinking");
                if self.kept_bytes + whole.len() + thought.len() <= MAX_ANSWER_BYTES {
                    whole.push_str(thought);
                }
                if !thought.is_empty() {
                    out.push(Parsed::Reasoning {
                        text: thought.to_owned(),
                    });
                }
            }
            (Some(Open::Thinking { signature, .. }), "signature_delta") => {
                let piece = text("signature");
                if signature.len() + piece.len() <= MAX_ANSWER_BYTES {
                    signature.push_str(piece);
                }
            }
            (Some(Open::Call(index)), "input_json_delta") => {
                let arguments = text("partial_json").to_owned();
                if !arguments.is_empty() {
                    out.push(Parsed::ToolCall {
                        index: *index,
                        id: None,
                        name: None,
                        arguments,
                    });
                }
            }
            _ => {}
        }
    }

    fn end_block(&mut self) {
        if let Some(Open::Thinking { text, signature }) = self.open.take()
            && !signature.is_empty()
        {
            self.keep(json!({"type": "thinking", "thinking": text, "signature": signature}));
        }
    }

    fn whole_block(&mut self, block: &Value, out: &mut Vec<Parsed>) {
        if block["type"] == "tool_use" {
            let input = match &block["input"] {
                Value::Object(fields) => Value::Object(fields.clone()),
                _ => Value::Object(Map::new()),
            };
            self.start_call(block, input.to_string(), out);
            return;
        }
        self.start_block(block, out);
        self.end_block();
    }

    /// Remembers what goes back with the next call, within what an answer may have.
    fn keep(&mut self, thought: Value) {
        self.kept_bytes += thought.to_string().len();
        if self.kept_bytes <= MAX_ANSWER_BYTES {
            self.thoughts.push(thought);
        }
    }

    fn end(&mut self, reason: Option<&str>, out: &mut Vec<Parsed>) {
        let Some(reason) = reason else { return };
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        let reason = match reason {
            "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
            "tool_use" => FinishReason::ToolCalls,
            "refusal" => FinishReason::ContentFilter,
            // `end_turn`, `stop_sequence`, `pause_turn`.
            _ => FinishReason::Stop,
        };
        out.push(Parsed::Finished { reason });
    }

    /// Counts are totals so far; what is not said stays as it was. Tokens of the prompt that were read from or written to
    /// a cache are counted apart there, and are part of the prompt here.
    fn count(&mut self, usage: &Value) {
        let tokens = |name: &str| usage[name].as_u64().map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        if let Some(fresh) = tokens("input_tokens") {
            let cached = tokens("cache_read_input_tokens").unwrap_or(0);
            let written = tokens("cache_creation_input_tokens").unwrap_or(0);
            let prompt = fresh.saturating_add(cached).saturating_add(written);
            // The end of a stream may leave the prompt out, or say 0 for it.
            if prompt > 0 {
                self.usage.prompt_tokens = prompt;
                self.usage.cached_tokens = cached;
            }
        }
        if let Some(output) = tokens("output_tokens") {
            self.usage.completion_tokens = output;
        }
        let details = &usage["output_tokens_details"]["thinking_tokens"];
        if let Some(thought) = details.as_u64() {
            self.usage.reasoning_tokens = u32::try_from(thought).unwrap_or(u32::MAX);
        }
    }
}

fn say(text: String, out: &mut Vec<Parsed>) {
    if !text.is_empty() {
        let logprobs = Vec::new();
        out.push(Parsed::Text { text, logprobs });
    }
}
