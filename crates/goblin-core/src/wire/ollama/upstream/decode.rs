//! Lines of an answer → core events.

use std::time::Duration;

use serde_json::Value;

use super::errors::{PromptSize, said, upstream_error};
use crate::chat::ChatRequest;
use crate::event::{ChatEvent, FinishReason, Parsed, Spent, Usage};
use crate::limits::{MAX_JSON_DEPTH, MAX_TOOLS};
use crate::provider::ProviderError;
use crate::wire::json::depth_within;
use crate::wire::leaks::Leaks;
use crate::wire::logprobs::read_logprobs;

/// Reads an answer of `/api/chat` or `/api/generate`, one line at a time; an answer in one piece is one line. One for
/// each answer.
///
/// What models leak is normalised, the same for streams and whole answers: calls get numbers and ids, `<think>` at the
/// beginning becomes [`Parsed::Reasoning`], and a text that is nothing but JSON calls of tools on offer becomes those
/// calls (such a text is held back until the answer ends).
#[derive(Debug)]
pub struct AnswerDecoder {
    model: String,
    sized: PromptSize,
    leaks: Leaks,
    calls: u32,
    started: bool,
    content: bool,
    spent: Option<Spent>,
}

fn interrupted(reason: impl Into<String>) -> ProviderError {
    ProviderError::Interrupted {
        reason: reason.into(),
    }
}

/// A count the object names.
pub(super) fn count(value: &Value, name: &str) -> Option<u32> {
    let n = value.get(name)?.as_u64()?;
    Some(u32::try_from(n).unwrap_or(u32::MAX))
}

impl AnswerDecoder {
    /// For the answer to `request`, whose size is told for refusals that name no numbers.
    pub fn for_chat(request: &ChatRequest, sized: PromptSize) -> Self {
        Self::new(&request.model, Leaks::of(request), sized)
    }

    /// For a text that is continued by `model`.
    pub fn for_completion(model: &str, sized: PromptSize) -> Self {
        Self::new(model, Leaks::with_tools(Vec::new()), sized)
    }

    fn new(model: &str, leaks: Leaks, sized: PromptSize) -> Self {
        Self {
            model: model.to_owned(),
            sized,
            leaks,
            calls: 0,
            started: false,
            content: false,
            spent: None,
        }
    }

    /// What the answer cost, once its last line was read.
    pub fn spent(&self) -> Option<Spent> {
        self.spent
    }

    /// Reads one line.
    ///
    /// # Errors
    /// [`ProviderError::Interrupted`] for what is not JSON, and for an error line after content; before it what the
    /// error says.
    pub fn decode(&mut self, line: &[u8]) -> Result<Vec<ChatEvent>, ProviderError> {
        if self.spent.is_some() {
            return Ok(Vec::new());
        }
        if !depth_within(line, MAX_JSON_DEPTH) {
            return Err(interrupted("a line of the answer is nested too deep"));
        }
        let value: Value = serde_json::from_slice(line)
            .map_err(|e| interrupted(format!("a line of the answer is not JSON: {e}")))?;
        if let Some(said) = said(line) {
            return Err(match self.content {
                true => interrupted(format!(
                    "error in the middle of the answer: {}",
                    said.chars().take(200).collect::<String>()
                )),
                false => upstream_error(200, line, &self.model, None, self.sized),
            });
        }
        let mut out = Vec::new();
        if !std::mem::replace(&mut self.started, true) {
            out.push(Parsed::Started);
        }
        self.read_words(&value, &mut out);
        if value.get("done").and_then(Value::as_bool) == Some(true) {
            self.read_end(&value, &mut out);
        }
        self.content |= out.iter().any(Parsed::is_content);
        Ok(out.into_iter().map(ChatEvent::from).collect())
    }

    /// To be asked when the body has ended.
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

    fn read_words(&mut self, value: &Value, out: &mut Vec<Parsed>) {
        let message = value.get("message");
        let text = |of: Option<&Value>, name: &str| {
            let text = of.and_then(|v| v.get(name)).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let holder = message.or(Some(value));
        let thinking = text(holder, "thinking");
        if !thinking.is_empty() {
            out.push(Parsed::Reasoning { text: thinking });
        }
        let content = match message {
            Some(_) => text(message, "content"),
            None => text(Some(value), "response"),
        };
        self.leaks
            .push(&content, read_logprobs(value.get("logprobs")), out);
        let calls = holder.and_then(|h| h.get("tool_calls")).and_then(Value::as_array);
        for call in calls.into_iter().flatten() {
            self.leaks.give_up(out);
            self.read_call(call, out);
        }
    }

    fn read_call(&mut self, call: &Value, out: &mut Vec<Parsed>) {
        let function = call.get("function");
        let name = function.and_then(|f| f.get("name")).and_then(Value::as_str);
        let id = call.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
        let arguments = match function.and_then(|f| f.get("arguments")) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => "{}".to_owned(),
            Some(other) => other.to_string(),
        };
        self.call(name.unwrap_or_default().to_owned(), id, arguments, out);
    }

    /// Every call comes whole; numbers are ours, because some versions leave them out or begin again.
    fn call(&mut self, name: String, id: Option<&str>, arguments: String, out: &mut Vec<Parsed>) {
        if self.calls as usize >= MAX_TOOLS {
            return;
        }
        let index = self.calls;
        self.calls += 1;
        out.push(Parsed::ToolCall {
            index,
            id: Some(id.map_or_else(|| format!("call_{index}"), str::to_owned)),
            name: Some(name),
            arguments,
        });
    }

    fn read_end(&mut self, value: &Value, out: &mut Vec<Parsed>) {
        for (name, arguments) in self.leaks.finish(out) {
            self.call(name, None, arguments, out);
        }
        self.leaks.rest(out);
        let said = value.get("done_reason").and_then(Value::as_str);
        let reason = match said {
            Some("length") => FinishReason::Length,
            // `load` and `unload` answer requests that asked for no words; older versions say nothing at all.
            _ if self.calls > 0 => FinishReason::ToolCalls,
            _ => FinishReason::Stop,
        };
        out.push(Parsed::Finished { reason });
        let usage = Usage {
            prompt_tokens: count(value, "prompt_eval_count").unwrap_or(0),
            completion_tokens: count(value, "eval_count").unwrap_or(0),
            cached_tokens: count(value, "prompt_eval_cached_count").unwrap_or(0),
            reasoning_tokens: 0,
        };
        let time = |name: &str| Duration::from_nanos(value.get(name).and_then(Value::as_u64).unwrap_or(0));
        self.spent = Some(Spent {
            usage,
            prompt_eval: time("prompt_eval_duration"),
            eval: time("eval_duration"),
        });
        if usage != Usage::default() {
            out.push(Parsed::Usage(usage));
        }
    }
}
