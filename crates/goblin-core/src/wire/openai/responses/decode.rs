//! Reading OpenAI's responses: the typed events of a stream, or one response, → core events.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::event::{ChatEvent, FinishReason, Parsed, TokenLogprob, Usage};
use crate::limits::MAX_ANSWER_BYTES;
use crate::maker::Maker;
use crate::provider::ProviderError;
use crate::wire::cloud_errors::cloud_error_in_band;
use crate::wire::logprobs::read_logprobs;
use crate::wire::reading::{interrupted, read_json};

/// Begins the seal of a call that OpenAI's model thought before.
pub(super) const SEAL: &str = "openai:";

/// Reads one answer, a `data:` payload at a time.
#[derive(Clone, Debug, Default)]
pub struct ResponseDecoder {
    model: String,
    started: bool,
    content: bool,
    finished: bool,
    /// What was said so far of each item of the output, by its index there.
    items: BTreeMap<u64, Item>,
    calls: u32,
    /// Sealed thoughts of this answer, to go back with its first call after them.
    thoughts: Vec<Value>,
    kept_bytes: usize,
}

/// What was said of an item: so that what says the whole of it again says nothing twice.
#[derive(Clone, Debug, Default)]
struct Item {
    /// Its text, its reasoning or its arguments.
    said: bool,
    /// Which call of the answer it is, once it is known to be one.
    call: Option<u32>,
    /// Is its reasoning told in full? The summary says the same again, shorter.
    in_full: bool,
    /// Is it over?
    done: bool,
}

impl ResponseDecoder {
    /// For the answer of `model`.
    pub fn new(model: &str) -> Self {
        Self {
            model: model.to_owned(),
            ..Self::default()
        }
    }

    /// Did the stream say how the response ended?
    pub fn is_done(&self) -> bool {
        self.finished
    }

    /// Reads one payload.
    ///
    /// # Errors
    /// [`ProviderError::Interrupted`] for what is no event, and for an error after content; before it what the error says.
    pub fn decode(&mut self, data: &Bytes) -> Result<Vec<ChatEvent>, ProviderError> {
        if self.finished {
            return Ok(Vec::new());
        }
        let event = read_json(data, "an event of the stream")?;
        let mut out = Vec::new();
        match event["type"].as_str().unwrap_or_default() {
            "error" => return Err(self.refused(event.get("error").unwrap_or(&event))),
            "response.failed" => return Err(self.refused(&event["response"]["error"])),
            "response.completed" | "response.incomplete" | "response.cancelled" => {
                self.end(&event["response"], &mut out)?;
            }
            _ if event.get("error").is_some_and(|e| !e.is_null()) => {
                return Err(self.refused(&event["error"]));
            }
            kind => self.read(kind, &event, &mut out),
        }
        self.content |= out.iter().any(Parsed::is_content);
        Ok(out.into_iter().map(ChatEvent::from).collect())
    }

    /// Reads an answer in one piece.
    ///
    /// # Errors
    /// As [`Self::decode`]; [`ProviderError::Interrupted`] for a body that is no response.
    pub fn decode_whole(mut self, body: &[u8]) -> Result<Vec<ChatEvent>, ProviderError> {
        let response = read_json(body, "the answer")?;
        if let Some(error) = response.get("error").filter(|e| !e.is_null()) {
            return Err(self.refused(error));
        }
        if !response["output"].is_array() {
            return Err(interrupted("the answer has no output"));
        }
        let mut out = Vec::new();
        self.end(&response, &mut out)?;
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

    /// An event of an answer under way. What is said of tools that OpenAI runs itself is none of it: none are offered.
    fn read(&mut self, kind: &str, event: &Value, out: &mut Vec<Parsed>) {
        let at = event["output_index"].as_u64().unwrap_or_default();
        let delta = || event["delta"].as_str().unwrap_or_default();
        match kind {
            "response.created" | "response.in_progress" | "response.queued" => self.begin(out),
            "response.output_text.delta" => {
                self.say(at, delta(), read_logprobs(event.get("logprobs")), out);
            }
            "response.refusal.delta" => self.say(at, delta(), Vec::new(), out),
            "response.reasoning_text.delta" => {
                self.item(at).in_full = true;
                self.think(at, delta(), out);
            }
            "response.reasoning_summary_text.delta" if !self.item(at).in_full => {
                self.think(at, delta(), out);
            }
            "response.reasoning_summary_part.added" if self.item(at).said && !self.item(at).in_full => {
                self.think(at, "\n\n", out);
            }
            "response.output_item.added" if event["item"]["type"] == "function_call" => {
                self.call(at, &event["item"], out);
            }
            "response.function_call_arguments.delta" => {
                let index = self.call(at, event, out);
                self.argue(at, index, delta(), out);
            }
            "response.output_item.done" => self.whole_item(at, &event["item"], out),
            _ => {}
        }
    }

    fn item(&mut self, at: u64) -> &mut Item {
        self.items.entry(at).or_default()
    }

    fn begin(&mut self, out: &mut Vec<Parsed>) {
        if !std::mem::replace(&mut self.started, true) {
            out.push(Parsed::Started);
        }
    }

    fn say(&mut self, at: u64, text: &str, logprobs: Vec<TokenLogprob>, out: &mut Vec<Parsed>) {
        if text.is_empty() && logprobs.is_empty() {
            return;
        }
        self.begin(out);
        self.item(at).said = true;
        let text = text.to_owned();
        out.push(Parsed::Text { text, logprobs });
    }

    fn think(&mut self, at: u64, text: &str, out: &mut Vec<Parsed>) {
        if text.is_empty() {
            return;
        }
        self.begin(out);
        self.item(at).said = true;
        out.push(Parsed::Reasoning {
            text: text.to_owned(),
        });
    }

    /// The number of the call that stands at `at`; one not heard of before begins here, with what `item` says of it.
    fn call(&mut self, at: u64, item: &Value, out: &mut Vec<Parsed>) -> u32 {
        if let Some(index) = self.items.get(&at).and_then(|item| item.call) {
            return index;
        }
        self.begin(out);
        let index = self.calls;
        self.calls = self.calls.saturating_add(1);
        let arguments = item["arguments"].as_str().unwrap_or_default().to_owned();
        let known = self.item(at);
        known.call = Some(index);
        known.said = !arguments.is_empty();
        let id = item["call_id"]
            .as_str()
            .map_or_else(|| format!("call_{index}"), str::to_owned);
        out.push(Parsed::ToolCall {
            index,
            id: Some(id),
            name: Some(item["name"].as_str().unwrap_or_default().to_owned()),
            arguments,
        });
        if !self.thoughts.is_empty() {
            let thoughts = Value::Array(std::mem::take(&mut self.thoughts));
            let seal = format!("{SEAL}{thoughts}");
            out.push(Parsed::Sealed { index, seal });
        }
        index
    }

    fn argue(&mut self, at: u64, index: u32, more: &str, out: &mut Vec<Parsed>) {
        if more.is_empty() {
            return;
        }
        self.item(at).said = true;
        out.push(Parsed::ToolCall {
            index,
            id: None,
            name: None,
            arguments: more.to_owned(),
        });
    }

    /// An item as a whole: what was not said of it piece by piece is said now.
    fn whole_item(&mut self, at: u64, item: &Value, out: &mut Vec<Parsed>) {
        let known = self.item(at);
        if std::mem::replace(&mut known.done, true) {
            return;
        }
        let said = known.said;
        match item["type"].as_str().unwrap_or_default() {
            "message" if !said => {
                for part in item["content"].as_array().into_iter().flatten() {
                    let text = part["text"].as_str().or_else(|| part["refusal"].as_str());
                    let logprobs = read_logprobs(part.get("logprobs"));
                    self.say(at, text.unwrap_or_default(), logprobs, out);
                }
            }
            "reasoning" => {
                if !said {
                    self.think(at, &thought_of(item), out);
                }
                self.keep(item);
            }
            "function_call" => {
                let index = self.call(at, item, out);
                if !self.items.get(&at).is_some_and(|known| known.said) {
                    self.argue(at, index, item["arguments"].as_str().unwrap_or_default(), out);
                }
            }
            _ => {}
        }
    }

    /// What only OpenAI can read of its reasoning, for the call that follows.
    fn keep(&mut self, item: &Value) {
        let Some(sealed) = item["encrypted_content"].as_str() else {
            return;
        };
        self.kept_bytes = self.kept_bytes.saturating_add(sealed.len());
        if self.kept_bytes <= MAX_ANSWER_BYTES {
            let summary = item.get("summary").cloned().unwrap_or_else(|| json!([]));
            self.thoughts.push(
                json!({"type": "reasoning", "id": item["id"], "summary": summary, "encrypted_content": sealed}),
            );
        }
    }

    /// The response as it ended.
    fn end(&mut self, response: &Value, out: &mut Vec<Parsed>) -> Result<(), ProviderError> {
        let status = response["status"].as_str().unwrap_or("completed");
        match status {
            "failed" => return Err(self.refused(&response["error"])),
            "completed" | "incomplete" => {}
            _ => return Err(interrupted("the answer was called off where it was made")),
        }
        self.begin(out);
        for (at, item) in (0_u64..).zip(response["output"].as_array().into_iter().flatten()) {
            self.whole_item(at, item, out);
        }
        let reason = match response["incomplete_details"]["reason"].as_str() {
            Some("content_filter") => FinishReason::ContentFilter,
            Some(_) => FinishReason::Length,
            None if status == "incomplete" => FinishReason::Length,
            None if self.calls > 0 => FinishReason::ToolCalls,
            None => FinishReason::Stop,
        };
        self.finished = true;
        out.push(Parsed::Finished { reason });
        out.extend(read_usage(&response["usage"]).map(Parsed::Usage));
        Ok(())
    }

    /// What an error in the place of an answer means, or in the middle of it. Its code is all that says whose fault it is.
    fn refused(&self, error: &Value) -> ProviderError {
        let mut error = match error {
            Value::Object(_) => error.clone(),
            _ => json!({"code": "server_error", "message": "the response failed"}),
        };
        let code = error["code"].as_str().unwrap_or_default();
        let kind = error["type"].as_str().filter(|kind| *kind != "error");
        if let Some(kind) = kind.or_else(|| kind_of(code)).map(str::to_owned) {
            error["type"] = kind.into();
        }
        let whole = json!({"error": error});
        cloud_error_in_band(Maker::OpenAi, &whole, &self.model, self.content)
            .unwrap_or_else(|| interrupted("the answer failed"))
    }
}

/// The kind of error in a chat's words: those about the request, the key and the model; others tell their own.
fn kind_of(code: &str) -> Option<&'static str> {
    match code {
        "invalid_api_key" => Some("authentication_error"),
        "model_not_found" => Some("not_found_error"),
        "context_length_exceeded" | "data_residency_mismatch" | "empty_image_file" => {
            Some("invalid_request_error")
        }
        code if code.starts_with("invalid_")
            || code.starts_with("image_")
            || code.ends_with("_image")
            || code.ends_with("_policy")
            || code.ends_with("_violation")
            || code.starts_with("unsupported_") =>
        {
            Some("invalid_request_error")
        }
        _ => None,
    }
}

/// Reasoning in plain text, or its summary where there is no more.
fn thought_of(item: &Value) -> String {
    let texts = |list: &str| -> Vec<String> {
        let parts = item[list].as_array().into_iter().flatten();
        let said = parts.filter_map(|part| part["text"].as_str());
        said.map(str::to_owned).collect()
    };
    match texts("content") {
        empty if empty.is_empty() => texts("summary").join("\n\n"),
        full => full.concat(),
    }
}

fn read_usage(usage: &Value) -> Option<Usage> {
    let count = |n: &Value| n.as_u64().map_or(0, |n| u32::try_from(n).unwrap_or(u32::MAX));
    usage.is_object().then(|| Usage {
        prompt_tokens: count(&usage["input_tokens"]),
        completion_tokens: count(&usage["output_tokens"]),
        cached_tokens: count(&usage["input_tokens_details"]["cached_tokens"]),
        reasoning_tokens: count(&usage["output_tokens_details"]["reasoning_tokens"]),
    })
}
