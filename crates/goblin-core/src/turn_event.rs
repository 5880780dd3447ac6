//! What a chat turn's stream says, to the page and in the turn log.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::conversation::{Chat, Turn};
use crate::trace::{About, Trace};

/// One event of a turn. Its SSE `event:` name is [`TurnEvent::name`], its `data:` the inner object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum TurnEvent {
    /// First: the turn as it begins, and its chat (with the title made from the question).
    Turn {
        /// The turn.
        turn: Box<Turn>,
        /// Its chat.
        chat: Box<Chat>,
    },
    /// Text to append to the answer.
    Delta(Delta),
    /// Text to append to the reasoning.
    Reasoning(Delta),
    /// Text is held back until it is known to be safe. Over with whatever comes next.
    Checking(Checking),
    /// What was shown of the answer is put aside: a better model answers from the beginning.
    Superseded(Superseded),
    /// What was shown of the answer is taken back and must not be shown any more. Another answer may follow.
    Retracted(Retracted),
    /// Why the answer comes from where it comes from, as far as that is decided. A later one replaces it; the one
    /// before the last event is whole.
    Trace(Traced),
    /// Last: the turn as it was saved.
    Done(Saved),
    /// Instead of everything else, when the log is gone: the turn as it was saved.
    Snapshot(Saved),
}

/// Text to append.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Delta {
    /// The text.
    pub text: String,
}

/// A question to a judge that the reader waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Checking {
    /// What is checked.
    pub about: About,
    /// Who judges, `provider/model`; absent for the checks inside this process.
    pub judge: Option<String>,
    /// Tokens of the answer that are held back.
    pub held_tokens: u32,
}

/// An answer that was put aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Superseded {
    /// Whose answer it was, `provider/model`.
    pub model: String,
    /// Who answers now, `provider/model`.
    pub by: String,
    /// Does what is asked now stay on the operator's machines?
    pub local: bool,
    /// Why, in a sentence.
    pub why: String,
}

/// An answer that was taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Retracted {
    /// Whose answer it was, `provider/model`.
    pub model: String,
    /// The rule it was taken back by, as in [`crate::trace::Safety::refused_by`].
    pub rule: String,
    /// Why, in a sentence.
    pub why: String,
}

/// A trace, whole or so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Traced {
    /// The trace.
    pub trace: Box<Trace>,
}

/// A turn as it was saved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Saved {
    /// The turn.
    pub turn: Box<Turn>,
}

impl TurnEvent {
    /// The SSE `event:` name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Turn { .. } => "turn",
            Self::Delta(_) => "delta",
            Self::Reasoning(_) => "reasoning",
            Self::Checking(_) => "checking",
            Self::Superseded(_) => "superseded",
            Self::Retracted(_) => "retracted",
            Self::Trace(_) => "trace",
            Self::Done(_) => "done",
            Self::Snapshot(_) => "snapshot",
        }
    }

    /// Does the stream end with this event?
    pub fn is_last(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Snapshot(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn what_is_checked_put_aside_and_taken_back_has_these_words_on_the_wire() {
        let events: [(TurnEvent, &str, Value); 4] = [
            (
                TurnEvent::Checking(Checking {
                    about: About::Window(2),
                    judge: Some("ollama/gemma:2b".into()),
                    held_tokens: 52,
                }),
                "checking",
                json!({"about": {"part": "window", "window": 2}, "judge": "ollama/gemma:2b", "held_tokens": 52}),
            ),
            (
                TurnEvent::Checking(Checking {
                    about: About::Prompt,
                    judge: None,
                    held_tokens: 0,
                }),
                "checking",
                json!({"about": {"part": "prompt"}, "judge": null, "held_tokens": 0}),
            ),
            (
                TurnEvent::Superseded(Superseded {
                    model: "ollama/gemma:2b".into(),
                    by: "ollama/mistral:7b".into(),
                    local: true,
                    why: "It was not sure enough.".into(),
                }),
                "superseded",
                json!({"model": "ollama/gemma:2b", "by": "ollama/mistral:7b", "local": true,
                       "why": "It was not sure enough."}),
            ),
            (
                TurnEvent::Retracted(Retracted {
                    model: "ollama/gemma:2b".into(),
                    rule: "safety:harm".into(),
                    why: "A judge found it unsafe.".into(),
                }),
                "retracted",
                json!({"model": "ollama/gemma:2b", "rule": "safety:harm", "why": "A judge found it unsafe."}),
            ),
        ];
        for (event, name, wire) in events {
            assert_eq!(event.name(), name);
            assert!(!event.is_last());
            assert_eq!(serde_json::to_value(&event).unwrap(), wire);
            assert_eq!(serde_json::from_value::<TurnEvent>(wire).unwrap(), event);
        }
    }

    #[test]
    fn a_trace_travels_inside_an_object_of_its_own() {
        let event = TurnEvent::Trace(Traced {
            trace: Box::new(Trace {
                trace_id: "t".into(),
                ..Trace::default()
            }),
        });
        let wire = serde_json::to_value(&event).unwrap();
        assert_eq!((event.name(), &wire["trace"]["trace_id"]), ("trace", &json!("t")));
        assert_eq!(serde_json::from_value::<TurnEvent>(wire).unwrap(), event);
    }
}
