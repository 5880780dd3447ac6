//! What local servers leak into an answer's text: thoughts between `<think>` marks, and tool calls written as JSON. One
//! for each answer, whatever its dialect.

use super::text_calls::{TextCalls, Written};
use super::think::{ThinkSplitter, Told};
use crate::chat::{ChatRequest, ResponseFormat, ToolChoice};
use crate::event::{Parsed, TokenLogprob};

/// Tells thoughts and calls from what an answer says. Log-probabilities stay with the text they belong to.
#[derive(Clone, Debug)]
pub(super) struct Leaks {
    think: ThinkSplitter,
    text_calls: TextCalls,
    logprobs: Vec<TokenLogprob>,
}

impl Leaks {
    /// For the answer to `request`.
    pub(super) fn of(request: &ChatRequest) -> Self {
        // Where JSON was asked for, JSON is the answer and no call.
        let calls = request.format == ResponseFormat::Text && request.tool_choice != ToolChoice::None;
        let tools = request.tools.iter().filter(|_| calls).map(|t| t.name.clone());
        Self::with_tools(tools.collect())
    }

    /// For an answer that may call the tools of these names.
    pub(super) fn with_tools(known: Vec<String>) -> Self {
        Self {
            think: ThinkSplitter::default(),
            text_calls: TextCalls::new(known),
            logprobs: Vec::new(),
        }
    }

    /// Takes the answer's next text, and gives back what it says as far as that is certain.
    pub(super) fn push(&mut self, text: &str, logprobs: Vec<TokenLogprob>, out: &mut Vec<Parsed>) {
        self.logprobs.extend(logprobs);
        let told = self.think.push(text);
        self.say(told, out);
    }

    /// A call came as a call: what was held back is text.
    pub(super) fn give_up(&mut self, out: &mut Vec<Parsed>) {
        let held = self.text_calls.give_up();
        self.say_text(held, out);
    }

    /// At the end of the answer: its last text, and the calls that were written as text.
    pub(super) fn finish(&mut self, out: &mut Vec<Parsed>) -> Vec<Written> {
        let told = self.think.finish();
        self.say(told, out);
        if let Some(calls) = self.text_calls.finish() {
            return calls;
        }
        self.give_up(out);
        Vec::new()
    }

    /// Log-probabilities that no text came for.
    pub(super) fn rest(&mut self, out: &mut Vec<Parsed>) {
        if !self.logprobs.is_empty() {
            let logprobs = std::mem::take(&mut self.logprobs);
            let text = String::new();
            out.push(Parsed::Text { text, logprobs });
        }
    }

    fn say(&mut self, told: Told, out: &mut Vec<Parsed>) {
        if !told.reasoning.is_empty() {
            out.push(Parsed::Reasoning { text: told.reasoning });
            if told.text.is_empty() {
                // They belong to the reasoning.
                self.logprobs.clear();
            }
        }
        let text = self.text_calls.push(told.text);
        self.say_text(text, out);
    }

    fn say_text(&mut self, text: String, out: &mut Vec<Parsed>) {
        if !text.is_empty() {
            let logprobs = std::mem::take(&mut self.logprobs);
            out.push(Parsed::Text { text, logprobs });
        }
    }
}
