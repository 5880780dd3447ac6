//! Tool calls a model wrote into its text, where its template did not take them out.

use serde_json::Value;

use crate::limits::{MAX_JSON_DEPTH, MAX_TOOLS};
use crate::wire::json::depth_within;

/// Most bytes of text held back because they may be calls (64 KiB).
const MAX_HELD_BYTES: usize = 64 * 1024;
const OPEN: &str = "<tool_call>";
const CLOSE: &str = "</tool_call>";

/// Holds an answer back while it may be nothing but tool calls.
#[derive(Clone, Debug)]
pub(super) struct TextCalls {
    known: Vec<String>,
    held: String,
    holding: bool,
}

/// A call: the tool's name and its arguments as JSON text.
pub(super) type Written = (String, String);

impl TextCalls {
    /// `known` are the names of the tools on offer; without any nothing is held back.
    pub(super) fn new(known: Vec<String>) -> Self {
        let holding = !known.is_empty();
        Self {
            known,
            held: String::new(),
            holding,
        }
    }

    /// Takes the answer's next text, and gives back what may be said now.
    pub(super) fn push(&mut self, text: String) -> String {
        if !self.holding {
            return text;
        }
        self.held.push_str(&text);
        let begun = self.held.trim_start();
        let may_be = begun.is_empty()
            || begun.starts_with(['{', '['])
            || begun.starts_with(OPEN)
            || OPEN.starts_with(begun);
        if may_be && self.held.len() <= MAX_HELD_BYTES {
            return String::new();
        }
        self.give_up()
    }

    /// Lets go of what was held: the calls come otherwise, or there are none.
    pub(super) fn give_up(&mut self) -> String {
        self.holding = false;
        std::mem::take(&mut self.held)
    }

    /// At the end of the answer: the calls, if the whole text is nothing else.
    pub(super) fn finish(&mut self) -> Option<Vec<Written>> {
        let calls = read_calls(&self.held, &self.known)?;
        self.give_up();
        Some(calls)
    }
}

/// The calls a text consists of: an object `{"name", "arguments"|"parameters"}`, an array of such, or such between
/// `<tool_call>` marks. `None` when anything else is in it, or a name is not `known`.
fn read_calls(text: &str, known: &[String]) -> Option<Vec<Written>> {
    let mut calls = Vec::new();
    let mut rest = text.trim();
    if !rest.starts_with(OPEN) {
        read_value(rest, known, &mut calls)?;
        return Some(calls);
    }
    while !rest.is_empty() {
        let (inside, after) = rest.strip_prefix(OPEN)?.split_once(CLOSE)?;
        read_value(inside.trim(), known, &mut calls)?;
        rest = after.trim();
    }
    Some(calls)
}

fn read_value(text: &str, known: &[String], calls: &mut Vec<Written>) -> Option<()> {
    if !depth_within(text.as_bytes(), MAX_JSON_DEPTH) {
        return None;
    }
    let value: Value = serde_json::from_str(text).ok()?;
    match &value {
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                calls.push(read_call(item, known)?);
            }
        }
        other => calls.push(read_call(other, known)?),
    }
    (calls.len() <= MAX_TOOLS).then_some(())
}

fn read_call(value: &Value, known: &[String]) -> Option<Written> {
    let object = value.as_object()?;
    let name = object.get("name")?.as_str()?;
    let arguments = object.get("arguments").or_else(|| object.get("parameters"))?;
    let nothing_else = object
        .keys()
        .all(|key| matches!(key.as_str(), "name" | "arguments" | "parameters" | "id" | "type"));
    let plain = arguments.is_object() && nothing_else && known.iter().any(|k| k == name);
    plain.then(|| (name.to_owned(), arguments.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Vec<Written>> {
        read_calls(text, &["look_up".to_owned()])
    }

    #[test]
    fn only_text_that_is_nothing_but_calls_of_known_tools_is_calls() {
        let one = Some(vec![("look_up".to_owned(), r#"{"q":"x"}"#.to_owned())]);
        for text in [
            r#" {"name":"look_up","arguments":{"q":"x"}} "#,
            r#"{"name":"look_up","parameters":{"q":"x"}}"#,
            r#"[{"name":"look_up","arguments":{"q":"x"}}]"#,
            "<tool_call>\n{\"name\":\"look_up\",\"arguments\":{\"q\":\"x\"}}\n</tool_call>",
        ] {
            assert_eq!(read(text), one, "{text}");
        }
        for text in [
            r#"{"name":"look_up"}"#,
            r#"{"name":"other","arguments":{}}"#,
            r#"{"name":"look_up","arguments":"x"}"#,
            r#"{"name":"look_up","arguments":{},"price":1}"#,
            r#"I call {"name":"look_up","arguments":{}}"#,
            r#"{"name":"look_up","arguments":{}} and more"#,
            "<tool_call>{\"name\":\"look_up\",\"arguments\":{}}",
            "[]",
            "",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn text_that_cannot_be_a_call_is_not_held_back() {
        let mut calls = TextCalls::new(vec!["look_up".to_owned()]);
        assert_eq!(calls.push(" ".into()), "");
        assert_eq!(calls.push("Hello".into()), " Hello");
        assert_eq!(calls.push("{".into()), "{");
        let mut calls = TextCalls::new(Vec::new());
        assert_eq!(calls.push("{".into()), "{", "no tools, no holding");
        let mut calls = TextCalls::new(vec!["look_up".to_owned()]);
        let long = format!("{{{}", "x".repeat(MAX_HELD_BYTES));
        assert_eq!(calls.push(long.clone()), long, "held only so long");
    }
}
