//! An answer's events put together, for every dialect: a non-streaming answer is the same stream, collected.

use serde_json::{Map, Value, json};

use crate::chat::ToolCall;
use crate::event::{FinishReason, Parsed, TokenLogprob, Usage};
use crate::limits::{MAX_ANSWER_BYTES, MAX_JSON_DEPTH, MAX_TOOLS};
use crate::wire::json::depth_within;

/// One answer so far. Holds at most [`MAX_ANSWER_BYTES`] of text; what is beyond is left out and the answer says that
/// it ended by `length`.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) reasoning: String,
    pub(super) logprobs: Vec<TokenLogprob>,
    pub(super) usage: Option<Usage>,
    calls: Calls,
    room: Room,
    finish: Option<FinishReason>,
}

impl Answer {
    /// Takes the next event into the answer.
    pub(super) fn push(&mut self, parsed: &Parsed) {
        match parsed {
            Parsed::Started | Parsed::Opaque => {}
            Parsed::Text { text, logprobs } => {
                if self.room.take(text.len() + 64 * logprobs.len()) {
                    self.text.push_str(text);
                    self.logprobs.extend_from_slice(logprobs);
                }
            }
            Parsed::Reasoning { text } => {
                if self.room.take(text.len()) {
                    self.reasoning.push_str(text);
                }
            }
            Parsed::Sealed { seal, .. } => {
                if self.room.take(seal.len()) {
                    self.calls.push(parsed);
                }
            }
            Parsed::ToolCall { arguments, .. } => {
                if self.room.take(arguments.len()) {
                    self.calls.push(parsed);
                }
            }
            Parsed::Finished { reason } => self.finish = Some(*reason),
            Parsed::Usage(usage) => self.usage = Some(*usage),
        }
    }

    /// Why it ended. An answer that did not say so, or does not fit, was cut.
    pub(super) fn finish(&self) -> FinishReason {
        self.room.finish(self.finish)
    }

    /// The calls it makes.
    pub(super) fn tool_calls(&self) -> &[ToolCall] {
        &self.calls.calls
    }
}

/// How much of an answer is held: at most [`MAX_ANSWER_BYTES`], and nothing behind the first that does not fit.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::wire) struct Room {
    kept_bytes: usize,
    overflowed: bool,
}

impl Room {
    /// Takes room for so many bytes, if they fit.
    pub(in crate::wire) fn take(&mut self, bytes: usize) -> bool {
        if self.overflowed || self.kept_bytes + bytes > MAX_ANSWER_BYTES {
            self.overflowed = true;
            return false;
        }
        self.kept_bytes += bytes;
        true
    }

    /// Why the answer ended that `said` this of itself. One that did not say so, or does not fit, was cut.
    pub(in crate::wire) fn finish(self, said: Option<FinishReason>) -> FinishReason {
        said.filter(|_| !self.overflowed).unwrap_or(FinishReason::Length)
    }
}

/// Tool calls that arrive in pieces, for dialects that say them whole. At most [`MAX_TOOLS`], in the order they began.
#[derive(Clone, Debug, Default)]
pub(super) struct Calls {
    calls: Vec<ToolCall>,
    /// The number each has in its stream.
    numbers: Vec<u32>,
}

impl Calls {
    /// Takes the next piece; other events are ignored.
    pub(super) fn push(&mut self, parsed: &Parsed) {
        if let Parsed::Sealed { index, seal } = parsed {
            let place = self.numbers.iter().position(|number| number == index);
            if let Some(call) = place.and_then(|place| self.calls.get_mut(place)) {
                call.seal = Some(seal.clone());
            }
            return;
        }
        let Parsed::ToolCall {
            index,
            id,
            name,
            arguments,
        } = parsed
        else {
            return;
        };
        let place = match self.numbers.iter().position(|number| number == index) {
            Some(place) => place,
            None if self.calls.len() == MAX_TOOLS => return,
            None => {
                self.numbers.push(*index);
                self.calls.push(ToolCall {
                    id: format!("call_{index}"),
                    name: String::new(),
                    arguments: String::new(),
                    seal: None,
                });
                self.calls.len() - 1
            }
        };
        let call = &mut self.calls[place];
        if let Some(id) = id {
            id.clone_into(&mut call.id);
        }
        if let Some(name) = name {
            name.clone_into(&mut call.name);
        }
        call.arguments.push_str(arguments);
    }

    /// The calls so far, which are then forgotten.
    pub(super) fn take(&mut self) -> Vec<ToolCall> {
        self.numbers.clear();
        std::mem::take(&mut self.calls)
    }
}

/// A call's arguments as the object some dialects want. No arguments are an empty object; a text that is no JSON
/// object is kept whole in the field `_raw`, so that nothing the model wrote is lost.
pub(super) fn arguments_object(arguments: &str) -> Value {
    if arguments.trim().is_empty() {
        return Value::Object(Map::new());
    }
    let parsed = depth_within(arguments.as_bytes(), MAX_JSON_DEPTH)
        .then(|| serde_json::from_str(arguments).ok())
        .flatten();
    match parsed {
        Some(object @ Value::Object(_)) => object,
        _ => json!({ "_raw": arguments }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_an_object_whatever_the_model_wrote() {
        assert_eq!(
            arguments_object(r#"{"b":1,"a":[2]}"#).to_string(),
            r#"{"b":1,"a":[2]}"#
        );
        assert_eq!(arguments_object("  "), json!({}));
        assert_eq!(arguments_object("[1]"), json!({"_raw": "[1]"}));
        assert_eq!(arguments_object("{\"a\":"), json!({"_raw": "{\"a\":"}));
        let deep = "[".repeat(10_000);
        assert_eq!(arguments_object(&deep), json!({ "_raw": deep }));
    }

    #[test]
    fn pieces_of_several_calls_may_come_mixed() {
        let piece = |index, id: Option<&str>, name: Option<&str>, arguments: &str| Parsed::ToolCall {
            index,
            id: id.map(str::to_owned),
            name: name.map(str::to_owned),
            arguments: arguments.to_owned(),
        };
        let mut calls = Calls::default();
        calls.push(&piece(0, Some("x"), Some("f"), "{\"a\""));
        calls.push(&piece(1, None, Some("g"), "{"));
        calls.push(&piece(0, None, None, ":1}"));
        calls.push(&piece(1, None, None, "}"));
        // A number left out is no call.
        calls.push(&piece(4_000_000_000, Some("z"), Some("h"), "{}"));
        let calls = calls.take();
        let said: Vec<_> = calls.iter().map(|c| (&*c.id, &*c.name, &*c.arguments)).collect();
        assert_eq!(
            said,
            [("x", "f", "{\"a\":1}"), ("call_1", "g", "{}"), ("z", "h", "{}")]
        );
        let mut many = Calls::default();
        (0..1000).for_each(|i| many.push(&piece(i, None, None, "")));
        assert_eq!(many.take().len(), MAX_TOOLS);
    }
}
