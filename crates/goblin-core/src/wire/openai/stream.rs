//! Core events → `chat.completion.chunk`s.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::event::{ChatEvent, Parsed, TokenLogprob, Usage};
use crate::wire::Dialect;
use crate::wire::logprobs::logprob_json;

/// The `data:` payload that ends a stream.
pub const DONE: &[u8] = b"[DONE]";

/// Writes an answer's events as chunks. One per answer.
#[derive(Clone, Debug)]
pub struct ChunkEncoder {
    head: String,
    include_usage: bool,
    prefer_raw: bool,
    role_sent: bool,
}

impl ChunkEncoder {
    /// Chunks of the answer `id` by `model`, begun at `created_unix` (seconds since 1970). With `include_usage` the
    /// usage event becomes a chunk of its own and all others say `"usage": null`.
    pub fn new(id: &str, model: &str, created_unix: i64, include_usage: bool) -> Self {
        let (id, model) = (Value::from(id), Value::from(model));
        Self {
            head: format!(
                r#"{{"id":{id},"object":"chat.completion.chunk","created":{created_unix},"model":{model},"choices":["#
            ),
            include_usage,
            prefer_raw: false,
            role_sent: false,
        }
    }

    /// Forwards each event's own bytes where it has them in this dialect. The usage-only chunk is withheld unless
    /// `include_usage`. Events without bytes (from a provider that is not reached over this dialect) are written
    /// with empty `id` and `model`; use [`Self::preferring_raw`] on [`Self::new`] to give them some.
    pub fn pass_through(include_usage: bool) -> Self {
        Self::new("", "", 0, include_usage).preferring_raw()
    }

    /// The same encoder, forwarding each event's own bytes where it has them in this dialect.
    #[must_use]
    pub fn preferring_raw(mut self) -> Self {
        self.prefer_raw = true;
        self
    }

    /// The `data:` payload for an event; `None` when nothing is to be sent for it.
    pub fn encode(&mut self, event: &ChatEvent) -> Option<Bytes> {
        self.encode_with_goblin(event, None)
    }

    /// As [`Self::encode`], with our `goblin` object in the chunk (which must be one that is written, not forwarded).
    pub fn encode_with_goblin(&mut self, event: &ChatEvent, goblin: Option<Value>) -> Option<Bytes> {
        if self.prefer_raw
            && let Some((Dialect::OpenAi, raw)) = &event.raw
        {
            let withheld = matches!(event.parsed, Parsed::Usage(_)) && !self.include_usage;
            // No bytes: this event came out of the same chunk as the one before it.
            return (!raw.is_empty() && !withheld).then(|| raw.clone());
        }
        let chunk = match &event.parsed {
            Parsed::Started if self.role_sent => return None,
            Parsed::Started => self.delta(r#""content":"""#, "null"),
            Parsed::Text { text, logprobs } if text.is_empty() && logprobs.is_empty() => return None,
            Parsed::Text { text, logprobs } => {
                let body = format!(r#""content":{}"#, Value::from(text.as_str()));
                let logprobs = if logprobs.is_empty() {
                    "null".to_owned()
                } else {
                    logprobs_json(logprobs).to_string()
                };
                self.delta(&body, &logprobs)
            }
            Parsed::Reasoning { text } if text.is_empty() => return None,
            Parsed::Reasoning { text } => self.delta(
                &format!(r#""reasoning_content":{}"#, Value::from(text.as_str())),
                "null",
            ),
            Parsed::ToolCall {
                index,
                id,
                name,
                arguments,
            } => {
                let call = tool_call_delta(*index, id.as_deref(), name.as_deref(), arguments);
                self.delta(&format!(r#""tool_calls":[{call}]"#), "null")
            }
            Parsed::Sealed { index, seal } => {
                let call = json!({"index": index, "extra_content": {"goblin": {"seal": seal}}});
                self.delta(&format!(r#""tool_calls":[{call}]"#), "null")
            }
            Parsed::Finished { reason } => self.choice("{}", "null", &format!("\"{}\"", reason.as_str())),
            Parsed::Usage(usage) if self.include_usage => {
                format!("{}],\"usage\":{}", self.head, usage_json(usage))
            }
            Parsed::Usage(_) | Parsed::Opaque => return None,
        };
        Some(closed(chunk, goblin))
    }

    /// A chunk that says nothing but our `goblin` object: an empty delta.
    pub fn aside(&self, goblin: Value) -> Bytes {
        closed(self.choice("{}", "null", "null"), Some(goblin))
    }

    /// A chunk that says that the answer is refused, and why.
    pub fn refusal(&mut self, why: &str) -> Bytes {
        closed(
            self.delta(&format!(r#""refusal":{}"#, Value::from(why)), "null"),
            None,
        )
    }

    fn delta(&mut self, body: &str, logprobs: &str) -> String {
        let role = if std::mem::replace(&mut self.role_sent, true) {
            ""
        } else {
            r#""role":"assistant","#
        };
        self.choice(&format!("{{{role}{body}}}"), logprobs, "null")
    }

    fn choice(&self, delta: &str, logprobs: &str, finish: &str) -> String {
        let head = &self.head;
        let usage = if self.include_usage {
            r#","usage":null"#
        } else {
            ""
        };
        format!(
            r#"{head}{{"index":0,"delta":{delta},"logprobs":{logprobs},"finish_reason":{finish}}}]{usage}"#
        )
    }
}

fn closed(mut chunk: String, goblin: Option<Value>) -> Bytes {
    if let Some(goblin) = goblin {
        chunk.push_str(r#","goblin":"#);
        chunk.push_str(&goblin.to_string());
    }
    chunk.push('}');
    chunk.into()
}

fn tool_call_delta(index: u32, id: Option<&str>, name: Option<&str>, arguments: &str) -> Value {
    let mut call = json!({ "index": index });
    if let Some(id) = id {
        call["id"] = id.into();
        call["type"] = "function".into();
    }
    call["function"] = match name {
        Some(name) => json!({"name": name, "arguments": arguments}),
        None => json!({ "arguments": arguments }),
    };
    call
}

/// `{"content": [...], "refusal": null}`.
pub(super) fn logprobs_json(logprobs: &[TokenLogprob]) -> Value {
    let content: Vec<Value> = logprobs
        .iter()
        .map(|token| {
            let mut value = logprob_json(&token.chosen);
            value["top_logprobs"] = token.top_logprobs.iter().map(logprob_json).collect();
            value
        })
        .collect();
    json!({"content": content, "refusal": null})
}

/// OpenAI's `usage` object.
pub(super) fn usage_json(usage: &Usage) -> Value {
    json!({
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total(),
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    })
}
