//! What the model writes, taken apart: answer, reasoning, tool calls. Pure.

use std::collections::VecDeque;

use serde_json::Value;

use crate::stop::overlap;

/// How a model family writes tool calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ToolStyle {
    /// `<tool_call>{"name": …, "arguments": {…}}</tool_call>` (Hermes, Qwen 2.5 and 3, SmolLM3).
    Hermes,
    /// `[TOOL_CALLS][{"name": …, "arguments": {…}}, …]` to the end (Mistral 7B v0.3, Nemo).
    Mistral,
    /// The whole answer is `{"name": …, "parameters": {…}}`, perhaps after `<|python_tag|>` (Llama 3.x).
    Llama3,
}

impl ToolStyle {
    /// What a chat template says about its model's tool calls. `None`: it offers no tools, or in a form this
    /// engine cannot read.
    pub(crate) fn of_template(template: &str) -> Option<Self> {
        if !template.contains("tools") {
            None
        } else if template.contains("<tool_call>") {
            // Some models write XML between the same markers (Qwen3-Coder, GLM); that is another form.
            let json = template.contains("arguments")
                && !template.contains("<function=")
                && !template.contains("<arg_key>");
            json.then_some(Self::Hermes)
        } else if template.contains("[TOOL_CALLS]") {
            Some(Self::Mistral)
        } else if template.contains("parameters") && template.contains("<|start_header_id|>") {
            Some(Self::Llama3)
        } else {
            None
        }
    }

    fn begins(self) -> &'static str {
        match self {
            Self::Hermes => "<tool_call>",
            Self::Mistral => "[TOOL_CALLS]",
            Self::Llama3 => "<|python_tag|>",
        }
    }

    /// `None`: to the end of the answer.
    fn ends(self) -> Option<&'static str> {
        match self {
            Self::Hermes => Some("</tool_call>"),
            Self::Mistral | Self::Llama3 => None,
        }
    }
}

/// One piece of output, in order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Piece {
    Text(String),
    Reasoning(String),
    Call { name: String, arguments: String },
}

/// Longest tool call in bytes; beyond it the text is shown as text.
const MAX_CALL_BYTES: usize = 256 * 1024;
const THINK: &str = "<think>";
const THINK_END: &str = "</think>";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Answer,
    Thinking,
    Calling,
}

/// Takes text as it comes and gives pieces; holds back what may be a marker.
#[derive(Debug)]
pub(crate) struct OutputParser {
    tools: Option<ToolStyle>,
    thinks: bool,
    state: State,
    held: String,
    /// Nothing but white space was given out yet.
    at_start: bool,
    /// A marker just ended: the white space after it belongs to it.
    trimming: bool,
    /// Bytes pushed so far.
    pushed: usize,
    /// Where each [`Piece::Text`] given out ends, in bytes pushed; taken by [`Self::text_end`].
    text_ends: VecDeque<usize>,
}

impl OutputParser {
    /// `tools`: the caller offered tools. `thinks`: the template knows `<think>`. `thinking`: the prompt
    /// itself opened `<think>`.
    pub(crate) fn new(tools: Option<ToolStyle>, thinks: bool, thinking: bool) -> Self {
        let state = if thinks && thinking {
            State::Thinking
        } else {
            State::Answer
        };
        Self {
            tools,
            thinks,
            state,
            held: String::new(),
            at_start: true,
            trimming: false,
            pushed: 0,
            text_ends: VecDeque::new(),
        }
    }

    /// Is everything just text? Then the parser can be left out; an answer it began with it goes on with.
    pub(crate) fn is_plain(&self) -> bool {
        self.tools.is_none() && !self.thinks && self.pushed == 0
    }

    /// Is what comes now reasoning?
    pub(crate) fn is_thinking(&self) -> bool {
        self.state == State::Thinking
    }

    /// Adds `text`; pieces that are certain go to `out`.
    pub(crate) fn push(&mut self, text: &str, out: &mut VecDeque<Piece>) {
        self.held.push_str(text);
        self.pushed += text.len();
        while self.step(out) {}
    }

    /// Where the next [`Piece::Text`] of those given out ends, in bytes pushed since the beginning.
    pub(crate) fn text_end(&mut self) -> usize {
        self.text_ends.pop_front().unwrap_or(self.pushed)
    }

    /// The answer is over: what is held is whatever it looks like.
    pub(crate) fn finish(&mut self, out: &mut VecDeque<Piece>) {
        let held = std::mem::take(&mut self.held);
        match self.state {
            State::Thinking => reason(out, held),
            State::Calling => self.calls(&held, 0, out),
            State::Answer => {
                if self.tools == Some(ToolStyle::Llama3) && held.trim_start().starts_with('{') {
                    self.calls(&held, 0, out);
                } else {
                    self.give_text(held, 0, out);
                }
            }
        }
    }

    /// One marker's worth of progress; `false` when more text is needed.
    fn step(&mut self, out: &mut VecDeque<Piece>) -> bool {
        match self.state {
            State::Answer => self.answer(out),
            State::Thinking => self.thinking(out),
            State::Calling => self.calling(out),
        }
    }

    fn answer(&mut self, out: &mut VecDeque<Piece>) -> bool {
        if self.trimming {
            self.held = self.held.trim_start().to_owned();
            if self.held.is_empty() {
                return false;
            }
            self.trimming = false;
        }
        // Reasoning comes first or not at all: a `<think>` in the middle of an answer is text about it.
        if self.thinks && self.at_start {
            let start = self.held.trim_start();
            if let Some(rest) = start.strip_prefix(THINK) {
                self.held = rest.to_owned();
                self.state = State::Thinking;
                return true;
            }
            if THINK.starts_with(start) {
                return false;
            }
        }
        if self.tools == Some(ToolStyle::Llama3) && self.at_start {
            let start = self.held.trim_start();
            if start.is_empty() || start.starts_with('{') {
                return false;
            }
        }
        let Some(style) = self.tools else {
            self.text(self.held.len(), out);
            return false;
        };
        if let Some(at) = self.held.find(style.begins()) {
            self.text(at, out);
            self.held.drain(..style.begins().len());
            self.state = State::Calling;
            return true;
        }
        let held = overlap(&self.held, style.begins());
        self.text(self.held.len() - held, out);
        false
    }

    fn text(&mut self, bytes: usize, out: &mut VecDeque<Piece>) {
        let text: String = self.held.drain(..bytes).collect();
        if !text.trim().is_empty() {
            self.at_start = false;
        }
        self.give_text(text, 0, out);
    }

    /// `text` was read up to `after` bytes before what is still held.
    fn give_text(&mut self, text: String, after: usize, out: &mut VecDeque<Piece>) {
        if !text.is_empty() {
            self.text_ends.push_back(self.pushed - self.held.len() - after);
            out.push_back(Piece::Text(text));
        }
    }

    fn thinking(&mut self, out: &mut VecDeque<Piece>) -> bool {
        if let Some(at) = self.held.find(THINK_END) {
            let text: String = self.held.drain(..at).collect();
            reason(out, text);
            self.held.drain(..THINK_END.len());
            self.trimming = true;
            self.thinks = false;
            self.state = State::Answer;
            return true;
        }
        let held = overlap(&self.held, THINK_END);
        let text: String = self.held.drain(..self.held.len() - held).collect();
        reason(out, text);
        false
    }

    fn calling(&mut self, out: &mut VecDeque<Piece>) -> bool {
        if let Some(end) = self.tools.and_then(ToolStyle::ends)
            && let Some(at) = self.held.find(end)
        {
            let call: String = self.held.drain(..at).collect();
            self.held.drain(..end.len());
            self.trimming = true;
            self.calls(&call, end.len(), out);
            self.state = State::Answer;
            return true;
        }
        if self.held.len() > MAX_CALL_BYTES {
            let held = std::mem::take(&mut self.held);
            self.give_text(held, 0, out);
            self.tools = None;
            self.state = State::Answer;
        }
        false
    }

    /// The calls in `body`, which ended `after` bytes ago; a body that holds none is given as text, because the
    /// caller should see it.
    fn calls(&mut self, body: &str, after: usize, out: &mut VecDeque<Piece>) {
        self.at_start = false;
        let parsed: Option<Value> = serde_json::from_str(body.trim()).ok();
        let calls: Option<Vec<Piece>> = match &parsed {
            Some(Value::Array(items)) if !items.is_empty() => items.iter().map(read_call).collect(),
            Some(one) => read_call(one).map(|c| vec![c]),
            None => None,
        };
        match calls {
            Some(calls) => out.extend(calls),
            None => self.give_text(body.to_owned(), after, out),
        }
    }
}

fn reason(out: &mut VecDeque<Piece>, text: String) {
    if !text.is_empty() {
        out.push_back(Piece::Reasoning(text));
    }
}

/// `{"name": …, "arguments" | "parameters": …}`.
fn read_call(value: &Value) -> Option<Piece> {
    let name = value.get("name")?.as_str()?.to_owned();
    let arguments = match value.get("arguments").or_else(|| value.get("parameters")) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => "{}".to_owned(),
    };
    Some(Piece::Call { name, arguments })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything the parser gives for `text` fed in pieces of `size` bytes, neighbours of one kind joined.
    fn parse(mut parser: OutputParser, text: &str, size: usize) -> Vec<Piece> {
        let mut out = VecDeque::new();
        let chars: Vec<char> = text.chars().collect();
        for chunk in chars.chunks(size) {
            parser.push(&chunk.iter().collect::<String>(), &mut out);
        }
        parser.finish(&mut out);
        let mut joined: Vec<Piece> = Vec::new();
        for piece in out {
            match (joined.last_mut(), piece) {
                (Some(Piece::Text(a)), Piece::Text(b)) => a.push_str(&b),
                (Some(Piece::Reasoning(a)), Piece::Reasoning(b)) => a.push_str(&b),
                (_, other) => joined.push(other),
            }
        }
        joined
    }

    fn call(name: &str, arguments: &str) -> Piece {
        Piece::Call {
            name: name.to_owned(),
            arguments: arguments.to_owned(),
        }
    }

    fn text(t: &str) -> Piece {
        Piece::Text(t.to_owned())
    }

    #[test]
    fn hermes_calls_are_read_however_the_text_is_cut() {
        let written = "Let me see.<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Köln\"}}\n\
                       </tool_call>\n<tool_call>{\"name\":\"time\",\"arguments\":{}}</tool_call>";
        for size in 1..written.len() {
            let parser = OutputParser::new(Some(ToolStyle::Hermes), false, false);
            assert_eq!(
                parse(parser, written, size),
                [
                    text("Let me see."),
                    call("weather", "{\"city\":\"Köln\"}"),
                    call("time", "{}")
                ],
                "pieces of {size}"
            );
        }
    }

    #[test]
    fn mistral_and_llama_calls_are_read() {
        let mistral = OutputParser::new(Some(ToolStyle::Mistral), false, false);
        let written = "[TOOL_CALLS] [{\"name\": \"a\", \"arguments\": {\"x\": 1}}, {\"name\": \"b\", \"arguments\": {}}]";
        assert_eq!(
            parse(mistral, written, 3),
            [call("a", "{\"x\":1}"), call("b", "{}")]
        );
        for written in [
            "{\"name\": \"a\", \"parameters\": {\"x\": 1}}",
            "<|python_tag|>{\"name\": \"a\", \"parameters\": {\"x\": 1}}",
        ] {
            let llama = OutputParser::new(Some(ToolStyle::Llama3), false, false);
            assert_eq!(parse(llama, written, 4), [call("a", "{\"x\":1}")]);
        }
    }

    #[test]
    fn what_only_looks_like_a_call_stays_text() {
        let parser = || OutputParser::new(Some(ToolStyle::Hermes), false, false);
        assert_eq!(parse(parser(), "a <tool_box> b", 2), [text("a <tool_box> b")]);
        assert_eq!(
            parse(parser(), "<tool_call>not json</tool_call>", 5),
            [text("not json")]
        );
        let llama = OutputParser::new(Some(ToolStyle::Llama3), false, false);
        assert_eq!(parse(llama, "{\"answer\": 42}", 3), [text("{\"answer\": 42}")]);
    }

    #[test]
    fn reasoning_is_told_from_the_answer() {
        let written = "<think>\nhm, 2+2\n</think>\n\nFour <think> is a tag.";
        for size in 1..written.len() {
            let parser = OutputParser::new(None, true, false);
            assert_eq!(
                parse(parser, written, size),
                [
                    Piece::Reasoning("\nhm, 2+2\n".to_owned()),
                    text("Four <think> is a tag.")
                ],
                "pieces of {size}"
            );
        }
        let opened = OutputParser::new(None, true, true);
        assert_eq!(
            parse(opened, "hm</think>4", 2),
            [Piece::Reasoning("hm".to_owned()), text("4")]
        );
        let none = OutputParser::new(None, true, false);
        assert_eq!(parse(none, "Four.", 1), [text("Four.")]);
    }

    #[test]
    fn the_style_is_read_from_the_template() {
        assert_eq!(ToolStyle::of_template("{% for m in messages %}"), None);
        assert_eq!(
            ToolStyle::of_template("{% if tools %}<tool_call>{\"name\": x, \"arguments\": y}"),
            Some(ToolStyle::Hermes)
        );
        assert_eq!(
            ToolStyle::of_template("{% if tools %}<tool_call><function=arguments"),
            None
        );
        assert_eq!(
            ToolStyle::of_template("{% if tools %}[TOOL_CALLS]"),
            Some(ToolStyle::Mistral)
        );
        assert_eq!(ToolStyle::of_template("{% if tools %}<some|other|form>"), None);
    }
}
