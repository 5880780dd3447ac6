//! Core events → the events of a response, and the response itself, which grows with them: a response in one piece is the
//! same events, unsaid.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::error::{ApiError, ErrorCode};
use crate::event::{ChatEvent, FinishReason, Parsed, TokenLogprob, Usage};
use crate::limits::MAX_TOOLS;
use crate::wire::answer::Room;
use crate::wire::logprobs::logprob_json;
use crate::wire::sse::encode_event;

/// One item of the output.
#[derive(Clone, Debug)]
enum Item {
    Reasoning {
        text: String,
    },
    Message {
        /// The text, once there is some: a refused answer may have none.
        text: Option<String>,
        logprobs: Vec<TokenLogprob>,
        refusal: Option<String>,
    },
    Call {
        /// The number it has in the answer's stream.
        number: u32,
        call_id: String,
        name: String,
        arguments: String,
        seal: Option<String>,
    },
}

/// An item, and whether it is over.
#[derive(Clone, Debug)]
struct Entry {
    item: Item,
    done: bool,
}

/// How the response stands.
#[derive(Clone, Debug)]
enum Standing {
    InProgress,
    Ended(FinishReason),
    Failed(Box<ApiError>),
}

/// Writes an answer's events as those of a response, framed, and keeps the response. One per answer. Holds at most
/// [`MAX_ANSWER_BYTES`](crate::limits::MAX_ANSWER_BYTES) of text; what is beyond is left out, and the response is incomplete by `max_output_tokens`.
#[derive(Clone, Debug)]
pub struct ResponseEncoder {
    /// Begins the names of its items.
    suffix: String,
    model: String,
    created: i64,
    repeated: Map<String, Value>,
    output: Vec<Entry>,
    standing: Standing,
    finish: Option<FinishReason>,
    usage: Option<Usage>,
    completed: Option<i64>,
    sequence: u64,
    begun: bool,
    room: Room,
    frames: Vec<u8>,
}

impl ResponseEncoder {
    /// For the response `resp_SUFFIX` by `model`, begun at `created` (seconds since 1970), which repeats this of its
    /// request ([`super::OpenAiResponses::repeated`]).
    pub fn new(suffix: &str, model: &str, created: i64, repeated: Map<String, Value>) -> Self {
        Self {
            suffix: suffix.to_owned(),
            model: model.to_owned(),
            created,
            repeated,
            output: Vec::new(),
            standing: Standing::InProgress,
            finish: None,
            usage: None,
            completed: None,
            sequence: 0,
            begun: false,
            room: Room::default(),
            frames: Vec::new(),
        }
    }

    /// The same of another model; nothing was written yet.
    pub fn by(&mut self, model: &str) {
        model.clone_into(&mut self.model);
    }

    /// Takes an event of the answer in. Returns its events, framed; `None` when there are none.
    ///
    /// Calls stay open till the end, because pieces of several may come mixed; each piece names its item.
    pub fn encode(&mut self, event: &ChatEvent) -> Option<Bytes> {
        match &event.parsed {
            Parsed::Started => self.begin(),
            Parsed::Text { text, logprobs } if !text.is_empty() || !logprobs.is_empty() => {
                self.text(text, logprobs);
            }
            Parsed::Reasoning { text } if !text.is_empty() => self.reasoning(text),
            Parsed::ToolCall {
                index,
                id,
                name,
                arguments,
            } => self.call(*index, id.as_deref(), name.as_deref(), arguments),
            Parsed::Sealed { index, seal } => self.seal(*index, seal),
            Parsed::Finished { reason } => self.finish = Some(*reason),
            Parsed::Usage(usage) => self.usage = Some(*usage),
            Parsed::Text { .. } | Parsed::Reasoning { .. } | Parsed::Opaque => {}
        }
        self.taken()
    }

    /// The answer is refused, and why.
    pub fn refuse(&mut self, why: &str) -> Option<Bytes> {
        self.begin();
        let at = self.open_message();
        if let Item::Message { text: Some(_), .. } = &self.output[at].item {
            self.end_text(at);
        }
        let Item::Message { text, refusal, .. } = &mut self.output[at].item else {
            return self.taken();
        };
        let part = usize::from(text.is_some());
        *refusal = Some(why.to_owned());
        let place = self.place(at, Some(part));
        let empty = json!({"type": "refusal", "refusal": ""});
        self.say("response.content_part.added", &place, json!({"part": empty}));
        self.say("response.refusal.delta", &place, json!({"delta": why}));
        self.say("response.refusal.done", &place, json!({"refusal": why}));
        let whole = json!({"type": "refusal", "refusal": why});
        self.say("response.content_part.done", &place, json!({"part": whole}));
        self.end_item(at);
        self.taken()
    }

    /// The events that end the response, with our `goblin` object in it when given; `now` in seconds since 1970. An answer
    /// that did not say why it ended was cut, and is incomplete by `max_output_tokens`.
    pub fn end(&mut self, now: i64, goblin: Option<Value>) -> Option<Bytes> {
        self.begin();
        let reason = self.room.finish(self.finish);
        self.standing = Standing::Ended(reason);
        self.close_all();
        let event = match reason {
            FinishReason::Stop | FinishReason::ToolCalls => {
                self.completed = Some(now);
                "response.completed"
            }
            FinishReason::Length | FinishReason::ContentFilter => "response.incomplete",
        };
        let response = self.response(goblin);
        self.say(event, &Map::new(), json!({"response": response}));
        self.taken()
    }

    /// The last event of a response that failed: with what there is of it, or by itself when there is nothing.
    pub fn fail(&mut self, error: &ApiError) -> Bytes {
        if !self.begun {
            let code = error.upstream_code.as_deref().unwrap_or(error.code.as_str());
            let said = json!({"code": code, "message": error.message, "param": error.param});
            self.say("error", &Map::new(), said);
            return self.taken().unwrap_or_default();
        }
        self.standing = Standing::Failed(Box::new(error.clone()));
        let response = self.response(None);
        self.say("response.failed", &Map::new(), json!({"response": response}));
        self.taken().unwrap_or_default()
    }

    /// The response as it stands, with our `goblin` object in it when given.
    pub fn response(&self, goblin: Option<Value>) -> Value {
        let (status, incomplete, error) = match &self.standing {
            Standing::InProgress => ("in_progress", Value::Null, Value::Null),
            Standing::Ended(FinishReason::Length) => {
                ("incomplete", json!({"reason": "max_output_tokens"}), Value::Null)
            }
            Standing::Ended(FinishReason::ContentFilter) => {
                ("incomplete", json!({"reason": "content_filter"}), Value::Null)
            }
            Standing::Ended(FinishReason::Stop | FinishReason::ToolCalls) => {
                ("completed", Value::Null, Value::Null)
            }
            Standing::Failed(error) => ("failed", Value::Null, error_json(error)),
        };
        let output: Vec<Value> = (0..self.output.len()).map(|at| self.item(at)).collect();
        let mut response = json!({
            "id": format!("resp_{}", self.suffix),
            "object": "response",
            "created_at": self.created,
            "status": status,
            "completed_at": self.completed,
            "error": error,
            "incomplete_details": incomplete,
            "model": self.model,
            "output": output,
            "usage": self.usage.as_ref().map(usage_json),
        });
        if let Value::Object(response) = &mut response {
            response.extend(self.repeated.clone());
            response.extend(goblin.map(|goblin| ("goblin".to_owned(), goblin)));
        }
        response
    }

    fn begin(&mut self) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        for event in ["response.created", "response.in_progress"] {
            let response = self.response(None);
            self.say(event, &Map::new(), json!({"response": response}));
        }
    }

    fn text(&mut self, text: &str, logprobs: &[TokenLogprob]) {
        if !self.room.take(text.len() + 64 * logprobs.len()) {
            return;
        }
        self.begin();
        let at = self.open_message();
        let Item::Message {
            text: said,
            logprobs: told,
            ..
        } = &mut self.output[at].item
        else {
            return;
        };
        let is_first = said.is_none();
        said.get_or_insert_default().push_str(text);
        told.extend_from_slice(logprobs);
        let place = self.place(at, Some(0));
        if is_first {
            let part = text_part("", &[]);
            self.say("response.content_part.added", &place, json!({"part": part}));
        }
        let delta = json!({"delta": text, "logprobs": logprobs_json(logprobs)});
        self.say("response.output_text.delta", &place, delta);
    }

    fn reasoning(&mut self, thought: &str) {
        if !self.room.take(thought.len()) {
            return;
        }
        self.begin();
        let open = self.open_item(|item| matches!(item, Item::Reasoning { .. }));
        let at = match open {
            Some(at) => at,
            None => {
                let at = self.add(Item::Reasoning { text: String::new() });
                let part = json!({"type": "reasoning_text", "text": ""});
                let place = self.place(at, Some(0));
                self.say("response.content_part.added", &place, json!({"part": part}));
                at
            }
        };
        if let Item::Reasoning { text } = &mut self.output[at].item {
            text.push_str(thought);
        }
        let place = self.place(at, Some(0));
        self.say("response.reasoning_text.delta", &place, json!({"delta": thought}));
    }

    fn call(&mut self, index: u32, id: Option<&str>, given: Option<&str>, more: &str) {
        if !self.room.take(more.len()) {
            return;
        }
        self.begin();
        let is_it = |item: &Item| matches!(item, Item::Call { number, .. } if *number == index);
        let at = match self.output.iter().position(|entry| is_it(&entry.item)) {
            Some(at) => at,
            None if self.calls() == MAX_TOOLS => return,
            None => {
                self.close_said();
                self.add(Item::Call {
                    number: index,
                    call_id: id.map_or_else(|| format!("call_{index}"), str::to_owned),
                    name: given.unwrap_or_default().to_owned(),
                    arguments: String::new(),
                    seal: None,
                })
            }
        };
        if let Item::Call { name, arguments, .. } = &mut self.output[at].item {
            if let Some(given) = given {
                given.clone_into(name);
            }
            arguments.push_str(more);
        }
        if !more.is_empty() {
            let place = self.place(at, None);
            let delta = json!({"delta": more});
            self.say("response.function_call_arguments.delta", &place, delta);
        }
    }

    fn seal(&mut self, index: u32, given: &str) {
        if !self.room.take(given.len()) {
            return;
        }
        for entry in &mut self.output {
            if let Item::Call { number, seal, .. } = &mut entry.item
                && *number == index
            {
                *seal = Some(given.to_owned());
            }
        }
    }

    fn calls(&self) -> usize {
        let is_call = |entry: &&Entry| matches!(entry.item, Item::Call { .. });
        self.output.iter().filter(is_call).count()
    }

    /// The last item, when it is not over and of this kind. One of another kind that is said piece by piece is over.
    fn open_item(&mut self, is_it: impl Fn(&Item) -> bool) -> Option<usize> {
        let open = self
            .output
            .iter()
            .position(|entry| !entry.done && is_it(&entry.item));
        if open.is_none() {
            self.close_said();
        }
        open
    }

    fn open_message(&mut self) -> usize {
        match self.open_item(|item| matches!(item, Item::Message { .. })) {
            Some(at) => at,
            None => self.add(Item::Message {
                text: None,
                logprobs: Vec::new(),
                refusal: None,
            }),
        }
    }

    fn add(&mut self, item: Item) -> usize {
        self.output.push(Entry { item, done: false });
        let at = self.output.len() - 1;
        let (place, shown) = (self.place(at, None), self.item(at));
        let place = only_index(place);
        self.say("response.output_item.added", &place, json!({"item": shown}));
        at
    }

    /// What is said piece by piece, and not a call, is over.
    fn close_said(&mut self) {
        let open = |entry: &Entry| !entry.done && !matches!(entry.item, Item::Call { .. });
        if let Some(at) = self.output.iter().position(open) {
            self.close(at);
        }
    }

    fn close_all(&mut self) {
        for at in 0..self.output.len() {
            if !self.output[at].done {
                self.close(at);
            }
        }
    }

    fn close(&mut self, at: usize) {
        match &self.output[at].item {
            Item::Reasoning { text } => {
                let (said, part) = (
                    json!({"text": text}),
                    json!({"type": "reasoning_text", "text": text}),
                );
                let place = self.place(at, Some(0));
                self.say("response.reasoning_text.done", &place, said);
                self.say("response.content_part.done", &place, json!({"part": part}));
            }
            Item::Message { text: Some(_), .. } => self.end_text(at),
            Item::Message { text: None, .. } => {}
            Item::Call { arguments, name, .. } => {
                let said = json!({"arguments": arguments, "name": name});
                let place = self.place(at, None);
                self.say("response.function_call_arguments.done", &place, said);
            }
        }
        self.end_item(at);
    }

    fn end_text(&mut self, at: usize) {
        let Item::Message {
            text: Some(text),
            logprobs,
            ..
        } = &self.output[at].item
        else {
            return;
        };
        let said = json!({"text": text, "logprobs": logprobs_json(logprobs)});
        let part = text_part(text, logprobs);
        let place = self.place(at, Some(0));
        self.say("response.output_text.done", &place, said);
        self.say("response.content_part.done", &place, json!({"part": part}));
    }

    fn end_item(&mut self, at: usize) {
        self.output[at].done = true;
        let (place, shown) = (only_index(self.place(at, None)), self.item(at));
        self.say("response.output_item.done", &place, json!({"item": shown}));
    }

    /// Names the item, its place, and of a part its place in the item.
    fn place(&self, at: usize, part: Option<usize>) -> Map<String, Value> {
        let mut place = Map::new();
        place.insert("item_id".to_owned(), self.id(at).into());
        place.insert("output_index".to_owned(), at.into());
        place.extend(part.map(|part| ("content_index".to_owned(), part.into())));
        place
    }

    fn id(&self, at: usize) -> String {
        let kind = match self.output[at].item {
            Item::Reasoning { .. } => "rs",
            Item::Message { .. } => "msg",
            Item::Call { .. } => "fc",
        };
        format!("{kind}_{}_{at}", self.suffix)
    }

    /// An item as it stands. One that the end of the answer cut is incomplete.
    fn item(&self, at: usize) -> Value {
        let Entry { item, done } = &self.output[at];
        let is_last = at + 1 == self.output.len();
        let cut = match &self.standing {
            Standing::Ended(FinishReason::Length) => is_last,
            Standing::Failed(_) => !done,
            _ => false,
        };
        let status = match (cut, done) {
            (true, _) => "incomplete",
            (false, true) => "completed",
            (false, false) => "in_progress",
        };
        let id = self.id(at);
        match item {
            Item::Reasoning { text } => {
                let content = match text.is_empty() {
                    true => json!([]),
                    false => json!([{"type": "reasoning_text", "text": text}]),
                };
                json!({"id": id, "type": "reasoning", "status": status, "summary": [], "content": content})
            }
            Item::Message {
                text,
                logprobs,
                refusal,
            } => {
                let text = text.as_deref().map(|text| text_part(text, logprobs));
                let refusal = refusal
                    .as_deref()
                    .map(|why| json!({"type": "refusal", "refusal": why}));
                let content: Vec<Value> = text.into_iter().chain(refusal).collect();
                json!({"id": id, "type": "message", "status": status, "role": "assistant", "content": content})
            }
            Item::Call {
                call_id,
                name,
                arguments,
                seal,
                ..
            } => {
                let mut call = json!({
                    "id": id, "type": "function_call", "status": status, "call_id": call_id, "name": name,
                    "arguments": arguments,
                });
                if let Some(seal) = seal {
                    call["extra_content"] = json!({"goblin": {"seal": seal}});
                }
                call
            }
        }
    }

    fn say(&mut self, event: &str, place: &Map<String, Value>, said: Value) {
        let mut data = Map::new();
        data.insert("type".to_owned(), event.into());
        data.insert("sequence_number".to_owned(), self.sequence.into());
        data.extend(place.clone());
        if let Value::Object(said) = said {
            data.extend(said);
        }
        self.sequence += 1;
        let data = Value::Object(data).to_string();
        self.frames
            .extend_from_slice(&encode_event(None, Some(event), data.as_bytes()));
    }

    fn taken(&mut self) -> Option<Bytes> {
        let frames = std::mem::take(&mut self.frames);
        (!frames.is_empty()).then(|| frames.into())
    }
}

/// Events about a whole item name it by what they show.
fn only_index(mut place: Map<String, Value>) -> Map<String, Value> {
    place.shift_remove("item_id");
    place
}

fn text_part(text: &str, logprobs: &[TokenLogprob]) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs_json(logprobs)})
}

fn logprobs_json(logprobs: &[TokenLogprob]) -> Value {
    let all = |token: &TokenLogprob| {
        let mut value = logprob_json(&token.chosen);
        value["top_logprobs"] = token.top_logprobs.iter().map(logprob_json).collect();
        value
    };
    logprobs.iter().map(all).collect()
}

fn usage_json(usage: &Usage) -> Value {
    json!({
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total(),
    })
}

/// The codes clients know are few; ours stands in `type`.
fn error_json(error: &ApiError) -> Value {
    let code = match error.code {
        ErrorCode::RateLimited | ErrorCode::InsufficientQuota => "rate_limit_exceeded",
        ErrorCode::InvalidRequest | ErrorCode::ContextLengthExceeded => "invalid_prompt",
        _ => "server_error",
    };
    json!({"code": code, "message": error.message, "param": error.param, "type": error.code.as_str()})
}
