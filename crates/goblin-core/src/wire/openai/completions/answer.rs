//! Core events → `text_completion`s, in pieces and as a whole.

use std::mem::take;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::event::{ChatEvent, FinishReason, Parsed, TokenLogprob};
use crate::wire::answer::Answer;
use crate::wire::logprobs::written;
use crate::wire::openai::stream::usage_json;

/// What every object of one answer begins with.
#[derive(Clone, Debug)]
struct Head {
    id: String,
    model: String,
    created: i64,
}

impl Head {
    fn object(&self, choices: Value) -> Value {
        json!({
            "id": self.id,
            "object": "text_completion",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        })
    }
}

fn choice(text: &str, logprobs: Value, finish: Option<FinishReason>) -> Value {
    json!([{"text": text, "index": 0, "logprobs": logprobs, "finish_reason": finish.map(word)}])
}

/// Without tools nothing ends by a call.
fn word(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::ToolCalls => FinishReason::Stop.as_str(),
        other => other.as_str(),
    }
}

/// Tokens in the order of the text, each with where it begins: `characters` are before the first one.
fn logprobs_json(tokens: &[TokenLogprob], mut characters: usize) -> Value {
    if tokens.is_empty() {
        return Value::Null;
    }
    let mut offsets = Vec::with_capacity(tokens.len());
    for token in tokens {
        offsets.push(characters);
        characters += token.chosen.token.chars().count();
    }
    let rivals = |token: &TokenLogprob| -> Value {
        let all = token.top_logprobs.iter().chain([&token.chosen]);
        let all: Map<String, Value> = all
            .map(|t| (t.token.clone(), written(t.logprob).into()))
            .collect();
        all.into()
    };
    let has_rivals = tokens.iter().any(|token| !token.top_logprobs.is_empty());
    json!({
        "tokens": tokens.iter().map(|t| t.chosen.token.as_str()).collect::<Vec<_>>(),
        "token_logprobs": tokens.iter().map(|t| written(t.chosen.logprob)).collect::<Vec<_>>(),
        "top_logprobs": has_rivals.then(|| tokens.iter().map(rivals).collect::<Vec<_>>()),
        "text_offset": offsets,
    })
}

/// Writes an answer's events as pieces. One per answer. Reasoning has no place in this shape and is left out.
#[derive(Clone, Debug)]
pub struct TextEncoder {
    head: Head,
    include_usage: bool,
    /// The prompt, while it is still to be put in front.
    echo: String,
    characters: usize,
}

impl TextEncoder {
    /// Pieces of the answer `id` by `model`, begun at `created_unix` (seconds since 1970), with `echo` in front. With
    /// `include_usage` the usage event becomes a piece of its own and all others say `"usage": null`.
    pub fn new(id: &str, model: &str, created_unix: i64, include_usage: bool, echo: &str) -> Self {
        Self {
            head: Head {
                id: id.to_owned(),
                model: model.to_owned(),
                created: created_unix,
            },
            include_usage,
            echo: echo.to_owned(),
            characters: 0,
        }
    }

    /// The `data:` payload for an event; `None` when nothing is to be sent for it.
    pub fn encode(&mut self, event: &ChatEvent) -> Option<Bytes> {
        let (choices, usage) = match &event.parsed {
            Parsed::Text { text, logprobs } if !text.is_empty() || !logprobs.is_empty() => {
                let text = take(&mut self.echo) + text;
                let told = logprobs_json(logprobs, self.characters);
                self.characters += text.chars().count();
                (choice(&text, told, None), None)
            }
            Parsed::Finished { reason } => {
                let text = take(&mut self.echo);
                (choice(&text, Value::Null, Some(*reason)), None)
            }
            Parsed::Usage(usage) if self.include_usage => (json!([]), Some(usage_json(usage))),
            _ => return None,
        };
        Some(self.closed(choices, usage, None))
    }

    /// A piece that says nothing but our `goblin` object.
    pub fn aside(&self, goblin: Value) -> Bytes {
        self.closed(choice("", Value::Null, None), None, Some(goblin))
    }

    fn closed(&self, choices: Value, usage: Option<Value>, goblin: Option<Value>) -> Bytes {
        let mut object = self.head.object(choices);
        if self.include_usage {
            object["usage"] = usage.unwrap_or_default();
        }
        if let Some(goblin) = goblin {
            object["goblin"] = goblin;
        }
        object.to_string().into()
    }
}

/// Collects one answer. Holds at most [`crate::limits::MAX_ANSWER_BYTES`] of text; what is beyond is left out and the
/// answer says that it ended by `length`.
#[derive(Clone, Debug)]
pub struct TextCollector {
    head: Head,
    echo: String,
    answer: Answer,
}

impl TextCollector {
    /// As [`TextEncoder::new`].
    pub fn new(id: &str, model: &str, created_unix: i64, echo: &str) -> Self {
        Self {
            head: Head {
                id: id.to_owned(),
                model: model.to_owned(),
                created: created_unix,
            },
            echo: echo.to_owned(),
            answer: Answer::default(),
        }
    }

    /// Takes the next event into the answer.
    pub fn push(&mut self, event: &ChatEvent) {
        self.answer.push(&event.parsed);
    }

    /// The whole answer, with our `goblin` object when given.
    pub fn into_completion(self, goblin: Option<Value>) -> Value {
        let finish = self.answer.finish();
        let Answer {
            text,
            logprobs,
            usage,
            ..
        } = self.answer;
        let told = logprobs_json(&logprobs, 0);
        let mut object = self.head.object(choice(&(self.echo + &text), told, Some(finish)));
        if let Some(usage) = &usage {
            object["usage"] = usage_json(usage);
        }
        if let Some(goblin) = goblin {
            object["goblin"] = goblin;
        }
        object
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{TopLogprob, Usage};

    fn token(text: &str, rivals: &[&str]) -> TokenLogprob {
        let one = |token: &str, logprob| TopLogprob {
            token: token.to_owned(),
            logprob,
            bytes: None,
        };
        TokenLogprob {
            chosen: one(text, -0.5),
            top_logprobs: rivals.iter().map(|t| one(t, -1.0)).collect(),
        }
    }

    fn events() -> Vec<ChatEvent> {
        let said = [
            Parsed::Started,
            Parsed::Reasoning {
                text: "hm".to_owned(),
            },
            Parsed::Text {
                text: "né".to_owned(),
                logprobs: vec![token("né", &["no"])],
            },
            Parsed::Text {
                text: "w".to_owned(),
                logprobs: vec![token("w", &["x"])],
            },
            Parsed::Finished {
                reason: FinishReason::Length,
            },
            Parsed::Usage(Usage {
                prompt_tokens: 2,
                completion_tokens: 3,
                ..Usage::default()
            }),
        ];
        said.into_iter().map(ChatEvent::from).collect()
    }

    #[test]
    fn pieces_say_the_same_as_the_whole() {
        let mut collector = TextCollector::new("cmpl-1", "p/m", 7, "Once ");
        let mut encoder = TextEncoder::new("cmpl-1", "p/m", 7, true, "Once ");
        let mut pieces = Vec::new();
        for event in events() {
            collector.push(&event);
            pieces.extend(encoder.encode(&event));
        }
        let pieces: Vec<Value> = pieces
            .iter()
            .map(|p| serde_json::from_slice(p).unwrap())
            .collect();
        let whole = collector.into_completion(None);
        let text: String = pieces
            .iter()
            .filter_map(|p| p["choices"][0]["text"].as_str())
            .collect();
        assert_eq!(
            (text.as_str(), &whole["choices"][0]["text"]),
            ("Once néw", &json!(text))
        );
        let (last, before) = pieces.split_last().unwrap();
        assert_eq!((&last["choices"], &last["usage"]), (&json!([]), &whole["usage"]));
        assert!(
            before
                .iter()
                .all(|p| p["usage"].is_null() && p["object"] == "text_completion")
        );
        assert_eq!(before.last().unwrap()["choices"][0]["finish_reason"], "length");
        assert_eq!(whole["choices"][0]["finish_reason"], "length");
        assert_eq!(whole["usage"]["total_tokens"], 5);
    }

    #[test]
    fn log_probabilities_are_in_four_lists() {
        let tokens = [token("né", &["no"]), token("w", &[])];
        let told = logprobs_json(&tokens, 0);
        assert_eq!(told["tokens"], json!(["né", "w"]));
        assert_eq!(told["text_offset"], json!([0, 2]));
        assert_eq!(told["token_logprobs"], json!([-0.5, -0.5]));
        assert_eq!(
            told["top_logprobs"],
            json!([{"no": -1.0, "né": -0.5}, {"w": -0.5}])
        );
        assert_eq!(logprobs_json(&[], 0), Value::Null);
        assert_eq!(logprobs_json(&[token("a", &[])], 3)["top_logprobs"], Value::Null);
    }

    #[test]
    fn a_refused_answer_is_a_content_filter() {
        let mut encoder = TextEncoder::new("cmpl-1", "p/m", 7, false, "");
        let end = Parsed::Finished {
            reason: FinishReason::ContentFilter,
        };
        let piece = encoder.encode(&end.into()).unwrap();
        let piece: Value = serde_json::from_slice(&piece).unwrap();
        assert_eq!(piece["choices"][0]["finish_reason"], "content_filter");
        let aside: Value = serde_json::from_slice(&encoder.aside(json!({"trace_id": "t"}))).unwrap();
        assert_eq!(
            (&aside["goblin"]["trace_id"], &aside["choices"][0]["text"]),
            (&json!("t"), &json!(""))
        );
        assert!(aside.get("usage").is_none());
    }
}
