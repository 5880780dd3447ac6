//! Talking to an upstream that speaks this dialect: requests written, answers read.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::collect::tool_call_json;
use super::errors::in_band_error;
use super::plain_chunk;
use super::request::{THINK, keep_alive_seconds};
use super::stream::DONE;
use crate::chat::{ChatRequest, Message, Part, Purpose, ResponseFormat, Role, Sampling, Think, ToolChoice};
use crate::event::{ChatEvent, FinishReason, Parsed, Spent, TokenLogprob, Usage};
use crate::limits::MAX_JSON_DEPTH;
use crate::maker::Maker;
use crate::provider::ProviderError;
use crate::wire::Dialect;
use crate::wire::cloud_errors::cloud_error_in_band;
use crate::wire::files;
use crate::wire::json::depth_within;
use crate::wire::leaks::Leaks;
use crate::wire::llama_cpp::read_timings;
use crate::wire::logprobs::read_logprobs;
use crate::wire::reading::interrupted;

/// The body to ask an upstream with: always a stream, always with usage. Settings that are not set are left out, and
/// so is what servers of other makers do not know: whether to think at all, the context, how long the model stays,
/// the purpose, earlier reasoning. A wish how much to think becomes `reasoning_effort`.
pub fn encode_request(request: &ChatRequest) -> Bytes {
    let mut body = request_object(request);
    let effort = match request.think {
        Some(Think::Low) => Some("low"),
        Some(Think::Medium) => Some("medium"),
        // Few servers know a word beyond this one.
        Some(Think::High | Think::Max) => Some("high"),
        Some(Think::On | Think::Off) | None => None,
    };
    put(&mut body, "reasoning_effort", effort);
    written(body)
}

/// As [`encode_request`], for an answer in one piece: what costs a token or two needs no stream.
pub fn encode_whole_request(request: &ChatRequest) -> Bytes {
    let mut body = request_object(request);
    put(&mut body, "stream", Some(false));
    body.remove("stream_options");
    written(body)
}

/// As [`encode_request`], for a tier of our own, which reads all of it back with [`super::parse_chat_request`]: which
/// requests belong to one conversation (`prompt_cache_key`, nobody else's business), the assistant's earlier reasoning
/// (`reasoning_content` of its messages), and in the `goblin` object `think`, `context_tokens`, `keep_alive_seconds`
/// and `purpose`. The object is left out when none of them is set.
pub fn encode_tier_request(request: &ChatRequest) -> Bytes {
    let mut body = request_object(request);
    put(&mut body, "prompt_cache_key", request.session.as_deref());
    if let Some(messages) = body.get_mut("messages").and_then(Value::as_array_mut) {
        for (value, message) in messages.iter_mut().zip(&request.messages) {
            if let Some(reasoning) = message
                .reasoning
                .as_deref()
                .filter(|_| message.role == Role::Assistant)
            {
                value["reasoning_content"] = reasoning.into();
            }
        }
    }
    let mut goblin = Map::new();
    let word = |think: Think| THINK.iter().find(|(_, t)| *t == think).map(|(word, _)| *word);
    put(&mut goblin, "think", request.think.and_then(word));
    put(&mut goblin, "context_tokens", request.context_tokens);
    put(
        &mut goblin,
        "keep_alive_seconds",
        request.keep_alive.map(keep_alive_seconds),
    );
    let verdict = (request.purpose == Purpose::Verdict).then_some("verdict");
    put(&mut goblin, "purpose", verdict);
    put(&mut body, "goblin", (!goblin.is_empty()).then_some(goblin));
    written(body)
}

pub(super) fn written(body: Map<String, Value>) -> Bytes {
    Value::Object(body).to_string().into()
}

pub(super) fn put<T: Into<Value>>(body: &mut Map<String, Value>, name: &str, value: Option<T>) {
    if let Some(value) = value {
        body.insert(name.to_owned(), value.into());
    }
}

pub(super) fn request_object(request: &ChatRequest) -> Map<String, Value> {
    let mut body = Map::new();
    put(&mut body, "model", Some(request.model.as_str()));
    put(
        &mut body,
        "messages",
        Some(request.messages.iter().map(message_json).collect::<Vec<_>>()),
    );
    put(&mut body, "stream", Some(true));
    put(&mut body, "stream_options", Some(json!({"include_usage": true})));
    if !request.tools.is_empty() {
        let tools: Vec<Value> = request
            .tools
            .iter()
            .map(|t| json!({"type": "function", "function": t}))
            .collect();
        put(&mut body, "tools", Some(tools));
        let choice = match &request.tool_choice {
            ToolChoice::Auto => None,
            ToolChoice::None => Some(json!("none")),
            ToolChoice::Required => Some(json!("required")),
            ToolChoice::Named(name) => Some(json!({"type": "function", "function": {"name": name}})),
        };
        put(&mut body, "tool_choice", choice);
        put(&mut body, "parallel_tool_calls", request.parallel_tool_calls);
    }
    put_sampling(&mut body, &request.sampling);
    put_format(&mut body, &request.format);
    put(&mut body, "user", request.user.as_deref());
    body
}

fn put_sampling(body: &mut Map<String, Value>, sampling: &Sampling) {
    put_choosing(body, sampling);
    put(body, "max_tokens", sampling.max_tokens);
    if let Some(top) = sampling.logprobs {
        put(body, "logprobs", Some(true));
        put(body, "top_logprobs", (top > 0).then_some(top));
    }
}

/// How tokens are chosen, in the words that llama.cpp's own API shares.
pub(in crate::wire) fn put_choosing(body: &mut Map<String, Value>, sampling: &Sampling) {
    let decimal = |n: Option<f32>| n.and_then(|n| n.to_string().parse::<f64>().ok());
    put(body, "temperature", decimal(sampling.temperature));
    put(body, "top_p", decimal(sampling.top_p));
    put(body, "top_k", sampling.top_k);
    put(body, "min_p", decimal(sampling.min_p));
    put(body, "seed", sampling.seed.map(|seed| seed as i64));
    put(
        body,
        "stop",
        (!sampling.stop.is_empty()).then(|| sampling.stop.clone()),
    );
    put(body, "presence_penalty", decimal(sampling.presence_penalty));
    put(body, "frequency_penalty", decimal(sampling.frequency_penalty));
    put(body, "repeat_penalty", decimal(sampling.repeat_penalty));
    if !sampling.logit_bias.is_empty() {
        let bias: Map<String, Value> = sampling
            .logit_bias
            .iter()
            .map(|(id, bias)| (id.to_string(), json!(decimal(Some(*bias)))))
            .collect();
        put(body, "logit_bias", Some(bias));
    }
}

fn put_format(body: &mut Map<String, Value>, format: &ResponseFormat) {
    match format {
        ResponseFormat::Text => {}
        ResponseFormat::JsonObject => put(body, "response_format", Some(json!({"type": "json_object"}))),
        ResponseFormat::JsonSchema { name, schema } => {
            let inner = json!({"name": name, "schema": schema, "strict": true});
            put(
                body,
                "response_format",
                Some(json!({"type": "json_schema", "json_schema": inner})),
            );
        }
        ResponseFormat::Grammar(grammar) => put(body, "grammar", Some(grammar.as_str())),
    }
}

fn message_json(message: &Message) -> Value {
    let role = match message.role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    };
    let content = match message.parts.as_slice() {
        [] => Value::Null,
        [Part::Text { text }] => Value::from(text.as_str()),
        parts => parts.iter().map(part_json).collect(),
    };
    let mut value = json!({"role": role, "content": content});
    if let Some(name) = &message.name {
        value["name"] = name.as_str().into();
    }
    if !message.tool_calls.is_empty() {
        value["tool_calls"] = message.tool_calls.iter().map(tool_call_json).collect();
    }
    if let Some(id) = &message.tool_call_id {
        value["tool_call_id"] = id.as_str().into();
    }
    value
}

fn part_json(part: &Part) -> Value {
    match part {
        Part::Text { text } => json!({"type": "text", "text": text}),
        Part::Image { url } => json!({"type": "image_url", "image_url": {"url": url}}),
        Part::File { name, url } => {
            let name = files::name_of(name.as_deref());
            json!({"type": "file", "file": {"filename": name, "file_data": url}})
        }
    }
}

/// Reads an upstream's stream, one `data:` payload at a time. One per answer.
#[derive(Clone, Debug)]
pub struct StreamDecoder {
    keep_raw: bool,
    model: String,
    leaks: Option<Leaks>,
    /// Were there calls written as text?
    written_calls: bool,
    started: bool,
    content: bool,
    finished: bool,
    done: bool,
    early_usage: Option<Usage>,
    usage_said: bool,
    calls: Vec<Call>,
    spent: Option<Spent>,
    maker: Option<Maker>,
}

/// A tool call seen so far: where the upstream counts it, and its id.
#[derive(Clone, Debug)]
struct Call {
    wire_index: Option<u64>,
    id: Option<String>,
    named: bool,
}

impl StreamDecoder {
    /// With `keep_raw` every payload also rides on the first event it became; further events of the same payload
    /// carry empty bytes, and payloads that say nothing new become [`Parsed::Opaque`].
    pub fn new(keep_raw: bool) -> Self {
        Self {
            keep_raw,
            model: String::new(),
            leaks: None,
            written_calls: false,
            started: false,
            content: false,
            finished: false,
            done: false,
            early_usage: None,
            usage_said: false,
            calls: Vec::new(),
            spent: None,
            maker: None,
        }
    }

    /// What the answer cost, where the server says so beside its usage (`timings` of llama.cpp's server).
    pub fn spent(&self) -> Option<Spent> {
        self.spent
    }

    /// Reads what only this maker says, and counts as it does.
    #[must_use]
    pub fn of_maker(mut self, maker: Maker) -> Self {
        self.maker = Some(maker);
        self
    }

    /// Names the model asked for, so that an upstream's "no such model" can be told from other refusals.
    #[must_use]
    pub fn for_model(mut self, model: &str) -> Self {
        model.clone_into(&mut self.model);
        self
    }

    /// Tells `<think>` and calls of `request`'s tools from the text they were written into, as local servers do whose
    /// template does not take them out. A text that may be nothing but calls is held back until the answer ends. What
    /// is forwarded raw stays as it is.
    #[must_use]
    pub fn without_leaks(mut self, request: &ChatRequest) -> Self {
        self.leaks = (!self.keep_raw).then(|| Leaks::of(request));
        self
    }

    /// Did the stream say `[DONE]`?
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Reads one payload.
    ///
    /// # Errors
    /// [`ProviderError::Interrupted`] for what is not JSON, for an error after content and for a `[DONE]` in place
    /// of an answer; what an error object before any content says otherwise.
    pub fn decode(&mut self, data: &Bytes) -> Result<Vec<ChatEvent>, ProviderError> {
        if self.done {
            return Ok(Vec::new());
        }
        if data.trim_ascii() == DONE {
            return self.take_done();
        }
        let mut parsed = Vec::new();
        if let Some(text) = plain_chunk::text_of(data) {
            self.begin(&mut parsed);
            self.say(text, Vec::new(), &mut parsed);
            self.content |= parsed.iter().any(Parsed::is_content);
            return Ok(self.with_raw(parsed, data));
        }
        if !depth_within(data, MAX_JSON_DEPTH) {
            return Err(interrupted("a chunk of the stream is nested too deep"));
        }
        let chunk: Value = serde_json::from_slice(data)
            .map_err(|e| interrupted(format!("a chunk of the stream is not JSON: {e}")))?;
        if let Some(error) = self.error_in(&chunk) {
            return Err(error);
        }
        if let Some(choice) = first_choice(&chunk) {
            self.refuse_if_starved(choice)?;
            self.read_choice(choice, choice.get("delta"), &mut parsed);
        }
        self.read_usage(&chunk, &mut parsed);
        self.spent = read_timings(&chunk).or(self.spent);
        Ok(self.with_raw(parsed, data))
    }

    /// What is left to say when the stream has ended: usage that came before the end of the answer.
    pub fn leftover(&mut self) -> Vec<ChatEvent> {
        match self.early_usage.take() {
            Some(usage) if self.finished && !std::mem::replace(&mut self.usage_said, true) => {
                vec![self.inferred(Parsed::Usage(usage))]
            }
            _ => Vec::new(),
        }
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

    fn take_done(&mut self) -> Result<Vec<ChatEvent>, ProviderError> {
        self.done = true;
        let mut events = Vec::new();
        if !self.finished {
            let mut last = Vec::new();
            self.end_leaks(&mut last);
            self.content |= last.iter().any(Parsed::is_content);
            events.extend(last.into_iter().map(ChatEvent::from));
            if !self.content {
                return Err(interrupted("the stream said [DONE] without an answer"));
            }
            // Some servers leave the reason out; [DONE] proves that nothing was cut.
            self.finished = true;
            let reason = self.reason(FinishReason::Stop);
            events.push(self.inferred(Parsed::Finished { reason }));
        }
        events.extend(self.leftover());
        Ok(events)
    }

    /// An event no payload of its own said; nothing is to be forwarded for it.
    fn inferred(&self, parsed: Parsed) -> ChatEvent {
        ChatEvent {
            parsed,
            raw: self.keep_raw.then(|| (Dialect::OpenAi, Bytes::new())),
        }
    }

    fn with_raw(&self, parsed: Vec<Parsed>, data: &Bytes) -> Vec<ChatEvent> {
        if !self.keep_raw {
            return parsed.into_iter().map(ChatEvent::from).collect();
        }
        let parsed = if parsed.is_empty() {
            vec![Parsed::Opaque]
        } else {
            parsed
        };
        let raw = |i| if i == 0 { data.clone() } else { Bytes::new() };
        parsed
            .into_iter()
            .enumerate()
            .map(|(i, parsed)| ChatEvent {
                parsed,
                raw: Some((Dialect::OpenAi, raw(i))),
            })
            .collect()
    }

    fn begin(&mut self, out: &mut Vec<Parsed>) {
        if !std::mem::replace(&mut self.started, true) {
            out.push(Parsed::Started);
        }
    }

    fn say(&mut self, said: String, logprobs: Vec<TokenLogprob>, out: &mut Vec<Parsed>) {
        match &mut self.leaks {
            Some(leaks) => leaks.push(&said, logprobs, out),
            None if said.is_empty() && logprobs.is_empty() => {}
            None => out.push(Parsed::Text { text: said, logprobs }),
        }
    }

    /// `delta` is the chunk's `delta` or the whole answer's `message`: the same words.
    fn read_choice(&mut self, choice: &Value, delta: Option<&Value>, out: &mut Vec<Parsed>) {
        self.begin(out);
        let text = |name: &str| {
            delta
                .and_then(|d| d.get(name))
                .map(plain_text)
                .unwrap_or_default()
        };
        let reasoning = match text("reasoning_content") {
            empty if empty.is_empty() => text("reasoning"),
            reasoning => reasoning,
        };
        if !reasoning.is_empty() {
            out.push(Parsed::Reasoning { text: reasoning });
        }
        let said = match text("content") {
            empty if empty.is_empty() => text("refusal"),
            content => content,
        };
        let logprobs = read_logprobs(choice.get("logprobs").and_then(|l| l.get("content")));
        self.say(said, logprobs, out);
        let calls = delta.and_then(|d| d.get("tool_calls")).and_then(Value::as_array);
        for call in calls.into_iter().flatten() {
            if let Some(leaks) = &mut self.leaks {
                leaks.give_up(out);
            }
            out.push(self.read_tool_call(call));
        }
        let reason = choice
            .get("finish_reason")
            .and_then(Value::as_str)
            .filter(|r| !r.is_empty());
        if let Some(reason) = reason
            && !std::mem::replace(&mut self.finished, true)
        {
            self.end_leaks(out);
            // Words of other servers (`eos`, `end_turn` …) all mean that the model was done.
            let reason = self.reason(FinishReason::parse(reason).unwrap_or(FinishReason::Stop));
            out.push(Parsed::Finished { reason });
        }
        self.content |= out.iter().any(Parsed::is_content);
    }

    /// The answer has ended: what was held back of its text is said, as text or as calls.
    fn end_leaks(&mut self, out: &mut Vec<Parsed>) {
        let Some(mut leaks) = self.leaks.take() else {
            return;
        };
        for (name, arguments) in leaks.finish(out) {
            let call = json!({"function": {"name": name, "arguments": arguments}});
            out.push(self.read_tool_call(&call));
            self.written_calls = true;
        }
        leaks.rest(out);
    }

    fn error_in(&self, value: &Value) -> Option<ProviderError> {
        match self.maker {
            Some(maker) => cloud_error_in_band(maker, value, &self.model, self.content),
            None => in_band_error(value, &self.model, self.content),
        }
    }

    /// DeepSeek breaks an answer off with a reason of its own when its servers are full.
    fn refuse_if_starved(&self, choice: &Value) -> Result<(), ProviderError> {
        match choice.get("finish_reason").and_then(Value::as_str) {
            Some("insufficient_system_resource") if self.content => Err(interrupted(
                "its servers ran out of resources in the middle of the answer",
            )),
            Some("insufficient_system_resource") => Err(ProviderError::Overloaded { retry_after: None }),
            _ => Ok(()),
        }
    }

    /// A server that did not see the calls says `stop`.
    fn reason(&self, said: FinishReason) -> FinishReason {
        match said {
            FinishReason::Stop if self.written_calls => FinishReason::ToolCalls,
            said => said,
        }
    }

    /// Counts calls as they come: some servers leave `index` out, some give every call the index 0.
    fn read_tool_call(&mut self, call: &Value) -> Parsed {
        let wire_index = call.get("index").and_then(Value::as_u64);
        let id = call.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
        let function = call.get("function");
        let name = function
            .and_then(|f| f.get("name"))
            .and_then(Value::as_str)
            .filter(|n| !n.is_empty());
        let known = self
            .calls
            .iter()
            .rposition(|seen| match (wire_index, id, &seen.id) {
                (_, Some(id), Some(seen_id)) if id != seen_id => false,
                (Some(index), ..) => seen.wire_index == Some(index),
                (None, Some(id), seen_id) => seen_id.as_deref() == Some(id),
                // Without index and id: a name begins a new call, anything else continues the last one.
                (None, None, _) => name.is_none(),
            });
        let arguments = match function.and_then(|f| f.get("arguments")) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        let position = known.unwrap_or_else(|| {
            let id = id.map_or_else(|| format!("call_{}", self.calls.len()), str::to_owned);
            self.calls.push(Call {
                wire_index,
                id: Some(id),
                named: false,
            });
            self.calls.len() - 1
        });
        let call = &mut self.calls[position];
        let name = name.filter(|_| !call.named).map(str::to_owned);
        call.named |= name.is_some();
        Parsed::ToolCall {
            index: u32::try_from(position).unwrap_or(u32::MAX),
            id: if known.is_none() { call.id.clone() } else { None },
            name,
            arguments,
        }
    }

    fn read_usage(&mut self, chunk: &Value, out: &mut Vec<Parsed>) {
        let Some(usage) = chunk.get("usage").filter(|u| u.is_object()) else {
            return;
        };
        let count = |of: &Value, name: &str| of.get(name).and_then(Value::as_u64).map_or(0, clamp);
        let detail = |group: &str, name: &str| usage.get(group).map_or(0, |g| count(g, name));
        let reasoning_tokens = detail("completion_tokens_details", "reasoning_tokens");
        let apart = match self.maker {
            // Grok counts what it thought beside what it said.
            Some(Maker::Grok) => reasoning_tokens,
            _ => 0,
        };
        let usage = Usage {
            prompt_tokens: count(usage, "prompt_tokens"),
            completion_tokens: count(usage, "completion_tokens").saturating_add(apart),
            cached_tokens: match detail("prompt_tokens_details", "cached_tokens") {
                // DeepSeek's own name for it.
                0 => count(usage, "prompt_cache_hit_tokens"),
                cached => cached,
            },
            reasoning_tokens,
        };
        if !self.finished {
            // Running totals; the last one counts.
            self.early_usage = Some(usage);
        } else if !std::mem::replace(&mut self.usage_said, true) {
            self.early_usage = None;
            out.push(Parsed::Usage(usage));
        }
    }
}

fn clamp(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// The choice with index 0; a single choice without an index is that one. Other choices are only forwarded.
fn first_choice(value: &Value) -> Option<&Value> {
    let choices = value.get("choices")?.as_array()?;
    choices
        .iter()
        .find(|c| c.get("index").and_then(Value::as_u64).unwrap_or(0) == 0)
}

/// A string, or the text parts of an array of parts.
fn plain_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .filter_map(|p| p.get("text").and_then(Value::as_str))
            .collect(),
        _ => String::new(),
    }
}

/// Reads a whole `chat.completion`, for upstreams that answer so: the same events its stream would have had.
///
/// # Errors
/// As [`StreamDecoder::decode_whole`].
pub fn decode_completion(body: &[u8]) -> Result<Vec<ChatEvent>, ProviderError> {
    StreamDecoder::new(false).decode_whole(body)
}

impl StreamDecoder {
    /// Reads an answer in one piece, as [`decode_completion`].
    ///
    /// # Errors
    /// As [`StreamDecoder::decode`]; [`ProviderError::Interrupted`] for a body that is empty, cut or no answer.
    pub fn decode_whole(mut self, body: &[u8]) -> Result<Vec<ChatEvent>, ProviderError> {
        if body.trim_ascii().is_empty() {
            return Err(interrupted("the answer is empty"));
        }
        if !depth_within(body, MAX_JSON_DEPTH) {
            return Err(interrupted("the answer is nested too deep"));
        }
        let whole: Value =
            serde_json::from_slice(body).map_err(|e| interrupted(format!("the answer is not JSON: {e}")))?;
        if let Some(error) = self.error_in(&whole) {
            return Err(error);
        }
        let mut parsed = Vec::new();
        let choice = first_choice(&whole).ok_or_else(|| interrupted("the answer has no choices"))?;
        self.refuse_if_starved(choice)?;
        self.read_choice(choice, choice.get("message"), &mut parsed);
        if !self.finished {
            self.end_leaks(&mut parsed);
            if !parsed.iter().any(Parsed::is_content) {
                return Err(interrupted("the answer says nothing"));
            }
            self.finished = true;
            let reason = self.reason(FinishReason::Stop);
            parsed.push(Parsed::Finished { reason });
        }
        self.read_usage(&whole, &mut parsed);
        Ok(parsed.into_iter().map(ChatEvent::from).collect())
    }
}
