//! What a client of each door hears of an answer, streamed or whole, brought to one form.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::client::{Reply, data};

/// An answer as its client understands it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Heard {
    pub(super) text: String,
    /// Names and arguments of the tool calls, in order.
    pub(super) calls: Vec<(String, Value)>,
    pub(super) prompt_tokens: u64,
    pub(super) completion_tokens: u64,
    /// In OpenAI's words: `stop` or `tool_calls`.
    pub(super) finish: String,
}

/// The words of a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Words {
    OpenAi,
    Completions,
    Responses,
    Messages,
    Ollama,
    Generate,
}

impl Words {
    /// How files name them.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Completions => "completions",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::Ollama => "ollama",
            Self::Generate => "generate",
        }
    }

    /// Hears an answer to its end.
    pub(super) async fn hear(self, reply: &mut Reply, stream: bool) -> Heard {
        if !stream {
            let whole = reply.json().await;
            return match self {
                Self::OpenAi => chunk(&[whole], "message"),
                Self::Completions => text(&[whole]),
                Self::Responses => response(&whole),
                Self::Messages => message(&whole),
                Self::Ollama => lines(&[whole]),
                Self::Generate => generated(&[whole]),
            };
        }
        let pieces = self.pieces(reply).await;
        match self {
            Self::OpenAi => chunk(&pieces, "delta"),
            Self::Completions => text(&pieces),
            Self::Responses => streamed_response(&pieces),
            Self::Messages => streamed_message(&pieces),
            Self::Ollama => lines(&pieces),
            Self::Generate => generated(&pieces),
        }
    }

    async fn pieces(self, reply: &mut Reply) -> Vec<Value> {
        if matches!(self, Self::Ollama | Self::Generate) {
            let said = reply.text().await;
            return said
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
        }
        let mut events = reply.events().await;
        if matches!(self, Self::OpenAi | Self::Completions) {
            assert_eq!(&*events.pop().unwrap().data, b"[DONE]");
        }
        events.iter().map(data).collect()
    }

    /// The field that a refusal in this door's shape names.
    pub(super) fn param(self, body: &Value) -> Option<String> {
        let param = body["error"]["param"].as_str().map(str::to_owned);
        // Ollama's errors are one sentence; what it names stands in backticks, the model aside.
        let named = || {
            let mut quoted = body["error"].as_str()?.split('`').skip(1).step_by(2);
            quoted.find(|name| !name.contains('/')).map(str::to_owned)
        };
        param.or_else(named)
    }
}

fn push(text: &mut String, value: &Value) {
    text.push_str(value.as_str().unwrap_or_default());
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn parsed(arguments: &str) -> Value {
    serde_json::from_str(arguments).unwrap_or_else(|e| panic!("{e}: {arguments}"))
}

/// Chunks, or the one completion: what differs is whether the message comes as `delta`.
fn chunk(pieces: &[Value], message: &str) -> Heard {
    let mut heard = Heard::default();
    let mut calls: BTreeMap<u64, (String, String)> = BTreeMap::new();
    for piece in pieces {
        let choice = &piece["choices"][0];
        push(&mut heard.text, &choice[message]["content"]);
        push(&mut heard.finish, &choice["finish_reason"]);
        let said = choice[message]["tool_calls"].as_array().into_iter().flatten();
        for (at, call) in said.enumerate() {
            let at = call["index"].as_u64().unwrap_or(at as u64);
            let (name, arguments) = calls.entry(at).or_default();
            push(name, &call["function"]["name"]);
            push(arguments, &call["function"]["arguments"]);
        }
        if piece["usage"].is_object() {
            heard.prompt_tokens = count(&piece["usage"]["prompt_tokens"]);
            heard.completion_tokens = count(&piece["usage"]["completion_tokens"]);
        }
    }
    let whole = calls.into_values();
    heard.calls = whole
        .map(|(name, arguments)| (name, parsed(&arguments)))
        .collect();
    heard
}

fn text(pieces: &[Value]) -> Heard {
    let mut heard = chunk(pieces, "delta");
    for piece in pieces {
        push(&mut heard.text, &piece["choices"][0]["text"]);
    }
    heard
}

fn finish(calls: &[(String, Value)]) -> String {
    if calls.is_empty() { "stop" } else { "tool_calls" }.to_owned()
}

fn response(whole: &Value) -> Heard {
    assert_eq!(whole["status"], "completed", "{whole}");
    let mut heard = Heard {
        prompt_tokens: count(&whole["usage"]["input_tokens"]),
        completion_tokens: count(&whole["usage"]["output_tokens"]),
        ..Heard::default()
    };
    for item in whole["output"].as_array().unwrap() {
        if item["type"] == "function_call" {
            let arguments = parsed(item["arguments"].as_str().unwrap());
            heard
                .calls
                .push((item["name"].as_str().unwrap().to_owned(), arguments));
        }
        for part in item["content"].as_array().into_iter().flatten() {
            push(&mut heard.text, &part["text"]);
        }
    }
    heard.finish = finish(&heard.calls);
    heard
}

/// The last event holds the response; what was streamed before it must say the same.
fn streamed_response(events: &[Value]) -> Heard {
    let last = events.last().unwrap();
    assert_eq!(last["type"], "response.completed", "{last}");
    let heard = response(&last["response"]);
    let (mut said, mut arguments) = (String::new(), String::new());
    for event in events {
        match event["type"].as_str().unwrap() {
            "response.output_text.delta" => push(&mut said, &event["delta"]),
            "response.function_call_arguments.delta" => push(&mut arguments, &event["delta"]),
            _ => {}
        }
    }
    assert_eq!(said, heard.text);
    let whole = last["response"]["output"].as_array().unwrap().iter();
    let of_items: String = whole.filter_map(|item| item["arguments"].as_str()).collect();
    assert_eq!(arguments.len(), of_items.len(), "{arguments} {of_items}");
    heard
}

fn stopped(reason: &Value) -> String {
    match reason.as_str() {
        Some("end_turn") => "stop",
        Some("tool_use") => "tool_calls",
        other => panic!("{other:?}"),
    }
    .to_owned()
}

fn message(whole: &Value) -> Heard {
    let mut heard = Heard {
        prompt_tokens: count(&whole["usage"]["input_tokens"]),
        completion_tokens: count(&whole["usage"]["output_tokens"]),
        finish: stopped(&whole["stop_reason"]),
        ..Heard::default()
    };
    for block in whole["content"].as_array().unwrap() {
        match block["type"].as_str().unwrap() {
            "text" => push(&mut heard.text, &block["text"]),
            "tool_use" => heard
                .calls
                .push((block["name"].as_str().unwrap().to_owned(), block["input"].clone())),
            other => panic!("{other}"),
        }
    }
    heard
}

/// Puts the blocks together as Anthropic's clients do, and reads them as a whole message.
fn streamed_message(events: &[Value]) -> Heard {
    let (mut blocks, mut inputs): (Vec<Value>, Vec<String>) = (Vec::new(), Vec::new());
    let mut whole = json!({});
    for event in events {
        let at = usize::try_from(count(&event["index"])).unwrap();
        match event["type"].as_str().unwrap() {
            "message_start" => whole = event["message"].clone(),
            "content_block_start" => {
                assert_eq!(at, blocks.len());
                blocks.push(event["content_block"].clone());
                inputs.push(String::new());
            }
            "content_block_delta" => {
                let delta = &event["delta"];
                push(&mut inputs[at], &delta["partial_json"]);
                if let Some(more) = delta["text"].as_str() {
                    let before = blocks[at]["text"].as_str().unwrap().to_owned();
                    blocks[at]["text"] = (before + more).into();
                }
            }
            "message_delta" => {
                whole["stop_reason"] = event["delta"]["stop_reason"].clone();
                for (name, value) in event["usage"].as_object().unwrap() {
                    whole["usage"][name] = value.clone();
                }
            }
            "content_block_stop" | "message_stop" | "ping" => {}
            other => panic!("{other}"),
        }
    }
    for (block, input) in blocks.iter_mut().zip(&inputs) {
        if !input.is_empty() {
            block["input"] = parsed(input);
        }
    }
    whole["content"] = blocks.into();
    message(&whole)
}

/// Lines of `/api/chat`, or its one answer.
fn lines(lines: &[Value]) -> Heard {
    let mut heard = counted(lines);
    for line in lines {
        push(&mut heard.text, &line["message"]["content"]);
        for call in line["message"]["tool_calls"].as_array().into_iter().flatten() {
            let function = &call["function"];
            heard.calls.push((
                function["name"].as_str().unwrap().to_owned(),
                function["arguments"].clone(),
            ));
        }
    }
    heard.finish = finish(&heard.calls);
    heard
}

fn generated(lines: &[Value]) -> Heard {
    let mut heard = counted(lines);
    for line in lines {
        push(&mut heard.text, &line["response"]);
    }
    heard
}

/// What the last line says of the whole.
fn counted(lines: &[Value]) -> Heard {
    let last = lines.last().unwrap();
    assert_eq!(
        (&last["done"], &last["done_reason"]),
        (&json!(true), &json!("stop")),
        "{last}"
    );
    Heard {
        prompt_tokens: count(&last["prompt_eval_count"]),
        completion_tokens: count(&last["eval_count"]),
        finish: "stop".to_owned(),
        ..Heard::default()
    }
}
