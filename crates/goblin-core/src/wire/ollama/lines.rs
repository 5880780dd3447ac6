//! Core events → lines of NDJSON.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::chat::ToolCall;
use crate::clock::Timestamp;
use crate::event::{ChatEvent, FinishReason, Parsed, TokenLogprob, Usage};
use crate::wire::answer::{Answer, Calls, arguments_object};
use crate::wire::logprobs::logprob_json;

/// How long the parts of an answer took. What is not known is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// From the request to the end of the answer.
    pub total: Duration,
    /// Bringing the model into memory.
    pub load: Duration,
    /// Evaluating the prompt.
    pub prompt_eval: Duration,
    /// Generating the answer.
    pub eval: Duration,
}

/// Whose shape an answer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    Chat,
    Generate,
}

/// What every object of one answer begins with.
#[derive(Clone, Debug)]
struct Head {
    door: Door,
    model: String,
    created_at: String,
}

impl Head {
    fn new(door: Door, model: &str, created: Timestamp) -> Self {
        Self {
            door,
            model: model.to_owned(),
            created_at: created.to_rfc3339(),
        }
    }

    /// An object that says this much of an answer.
    fn object(&self, text: &str, thinking: &str, calls: &[ToolCall]) -> Map<String, Value> {
        let mut object = Map::new();
        object.insert("model".to_owned(), self.model.as_str().into());
        object.insert("created_at".to_owned(), self.created_at.as_str().into());
        let mut said = Map::new();
        if !thinking.is_empty() {
            said.insert("thinking".to_owned(), thinking.into());
        }
        if !calls.is_empty() {
            let calls: Vec<Value> = calls.iter().enumerate().map(tool_call_json).collect();
            said.insert("tool_calls".to_owned(), calls.into());
        }
        match self.door {
            Door::Chat => {
                let mut message = Map::new();
                message.insert("role".to_owned(), "assistant".into());
                message.insert("content".to_owned(), text.into());
                message.extend(said);
                object.insert("message".to_owned(), message.into());
            }
            Door::Generate => {
                object.insert("response".to_owned(), text.into());
                object.extend(said);
            }
        }
        object
    }

    /// Makes `object` the end of an answer.
    fn end(object: &mut Map<String, Value>, reason: &str, timings: &Timings, usage: Option<Usage>) {
        let usage = usage.unwrap_or_default();
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let fields = json!({
            "done": true,
            "done_reason": reason,
            "total_duration": nanoseconds(timings.total),
            "load_duration": nanoseconds(timings.load),
            "prompt_eval_count": usage.prompt_tokens,
            "prompt_eval_duration": nanoseconds(timings.prompt_eval),
            "eval_count": usage.completion_tokens,
            "eval_duration": nanoseconds(timings.eval),
        });
        if let Value::Object(fields) = fields {
            object.extend(fields);
        }
    }
}

/// Ollama says `stop` also when tools were called; for a refused answer it has no word, and gets OpenAI's.
fn done_reason(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop | FinishReason::ToolCalls => "stop",
        FinishReason::Length => "length",
        FinishReason::ContentFilter => "content_filter",
    }
}

fn tool_call_json((index, call): (usize, &ToolCall)) -> Value {
    let arguments = arguments_object(&call.arguments);
    json!({"id": call.id, "function": {"index": index, "name": call.name, "arguments": arguments}})
}

fn logprobs_json(logprobs: &[TokenLogprob]) -> Value {
    let all = |token: &TokenLogprob| {
        let mut value = logprob_json(&token.chosen);
        if !token.top_logprobs.is_empty() {
            value["top_logprobs"] = token.top_logprobs.iter().map(logprob_json).collect();
        }
        value
    };
    logprobs.iter().map(all).collect()
}

fn line(object: Map<String, Value>) -> Bytes {
    let mut text = Value::Object(object).to_string();
    text.push('\n');
    text.into()
}

/// Writes an answer's events as lines, each with its line end. One per answer.
#[derive(Clone, Debug)]
pub struct LineEncoder {
    head: Head,
    calls: Calls,
    finish: Option<FinishReason>,
    usage: Option<Usage>,
}

impl LineEncoder {
    /// Lines of `POST /api/chat`, by `model`, begun at `created`.
    pub fn chat(model: &str, created: Timestamp) -> Self {
        Self::new(Door::Chat, model, created)
    }

    /// Lines of `POST /api/generate`.
    pub fn generate(model: &str, created: Timestamp) -> Self {
        Self::new(Door::Generate, model, created)
    }

    fn new(door: Door, model: &str, created: Timestamp) -> Self {
        Self {
            head: Head::new(door, model, created),
            calls: Calls::default(),
            finish: None,
            usage: None,
        }
    }

    /// The line for an event; `None` when nothing is to be sent for it. Tool calls are said whole, all in one line,
    /// when the answer ends.
    pub fn encode(&mut self, event: &ChatEvent) -> Option<Bytes> {
        match &event.parsed {
            Parsed::Text { text, logprobs } if !text.is_empty() || !logprobs.is_empty() => {
                let mut object = self.head.object(text, "", &[]);
                object.insert("done".to_owned(), false.into());
                if !logprobs.is_empty() {
                    object.insert("logprobs".to_owned(), logprobs_json(logprobs));
                }
                Some(line(object))
            }
            Parsed::Reasoning { text } if !text.is_empty() => Some(self.more("", text, &[])),
            Parsed::ToolCall { .. } => {
                self.calls.push(&event.parsed);
                None
            }
            Parsed::Finished { reason } => {
                self.finish = Some(*reason);
                let calls = self.calls.take();
                (!calls.is_empty()).then(|| self.more("", "", &calls))
            }
            Parsed::Usage(usage) => {
                self.usage = Some(*usage);
                None
            }
            Parsed::Text { .. }
            | Parsed::Reasoning { .. }
            | Parsed::Sealed { .. }
            | Parsed::Started
            | Parsed::Opaque => None,
        }
    }

    fn more(&self, text: &str, thinking: &str, calls: &[ToolCall]) -> Bytes {
        let mut object = self.head.object(text, thinking, calls);
        object.insert("done".to_owned(), false.into());
        line(object)
    }

    /// The last line, with why the answer ended, what it used and how long it took. An answer that did not say why it
    /// ended was cut, and ends by `length`.
    pub fn finish(&mut self, timings: &Timings) -> Bytes {
        let calls = self.calls.take();
        let mut object = self.head.object("", "", &calls);
        let reason = done_reason(self.finish.unwrap_or(FinishReason::Length));
        Head::end(&mut object, reason, timings, self.usage);
        line(object)
    }

    /// A line that says nothing: NDJSON has no comments, and a quiet stream would be closed on the way.
    pub fn keep_alive_line(&self) -> Bytes {
        self.more("", "", &[])
    }
}

/// Collects one answer for `"stream": false`. Bounded as [`LineEncoder`]'s answers are not: at most
/// [`crate::limits::MAX_ANSWER_BYTES`] of text.
#[derive(Clone, Debug)]
pub struct Collected {
    head: Head,
    answer: Answer,
}

impl Collected {
    /// An answer of `POST /api/chat`, by `model`, begun at `created`.
    pub fn chat(model: &str, created: Timestamp) -> Self {
        Self {
            head: Head::new(Door::Chat, model, created),
            answer: Answer::default(),
        }
    }

    /// An answer of `POST /api/generate`.
    pub fn generate(model: &str, created: Timestamp) -> Self {
        Self {
            head: Head::new(Door::Generate, model, created),
            answer: Answer::default(),
        }
    }

    /// Takes the next event into the answer.
    pub fn push(&mut self, event: &ChatEvent) {
        self.answer.push(&event.parsed);
    }

    /// The answer's text so far.
    pub fn text(&self) -> &str {
        &self.answer.text
    }

    /// What the answer used, once it has said so.
    pub fn usage(&self) -> Option<Usage> {
        self.answer.usage
    }

    /// The whole answer.
    pub fn into_body(self, timings: &Timings) -> Value {
        let answer = &self.answer;
        let mut object = self
            .head
            .object(&answer.text, &answer.reasoning, answer.tool_calls());
        if !answer.logprobs.is_empty() {
            object.insert("logprobs".to_owned(), logprobs_json(&answer.logprobs));
        }
        Head::end(&mut object, done_reason(answer.finish()), timings, answer.usage);
        Value::Object(object)
    }
}

fn resident(door: Door, model: &str, created: Timestamp, loaded: bool) -> Value {
    let mut object = Head::new(door, model, created).object("", "", &[]);
    object.insert("done".to_owned(), true.into());
    let reason = if loaded { "load" } else { "unload" };
    object.insert("done_reason".to_owned(), reason.into());
    Value::Object(object)
}

/// The one object `POST /api/chat` answers a request without messages with, streaming or not: the model was loaded,
/// or unloaded.
pub fn chat_residency_body(model: &str, created: Timestamp, loaded: bool) -> Value {
    resident(Door::Chat, model, created, loaded)
}

/// The same for `POST /api/generate` without a prompt.
pub fn generate_residency_body(model: &str, created: Timestamp, loaded: bool) -> Value {
    resident(Door::Generate, model, created, loaded)
}
