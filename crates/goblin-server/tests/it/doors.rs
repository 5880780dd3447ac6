//! The doors of other clients on the backend, as their tests play them: OpenAI's older and newer ones, Anthropic's,
//! Ollama's.

use serde_json::{Value, json};

use crate::client::{Reply, data};

pub(crate) const TRACE_ID: &str = "x-goblin-trace-id";

/// A door for conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Completions,
    Responses,
    Messages,
    Chat,
    Generate,
}

impl Door {
    pub(crate) const ALL: [Self; 5] = [
        Self::Completions,
        Self::Responses,
        Self::Messages,
        Self::Chat,
        Self::Generate,
    ];

    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Completions => "/v1/completions",
            Self::Responses => "/v1/responses",
            Self::Messages => "/v1/messages",
            Self::Chat => "/api/chat",
            Self::Generate => "/api/generate",
        }
    }

    /// The name usage knows it by.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Completions | Self::Responses => "openai",
            Self::Messages => "anthropic",
            Self::Chat | Self::Generate => "ollama",
        }
    }

    pub(crate) fn ask(self, model: &str, question: &str, stream: bool) -> Value {
        let messages = json!([{"role": "user", "content": question}]);
        match self {
            Self::Completions => {
                json!({"model": model, "stream": stream, "prompt": question, "max_tokens": 50})
            }
            Self::Responses => json!({"model": model, "stream": stream, "input": question}),
            Self::Messages => {
                json!({"model": model, "stream": stream, "max_tokens": 50, "messages": messages})
            }
            Self::Chat => json!({"model": model, "stream": stream, "messages": messages}),
            Self::Generate => json!({"model": model, "stream": stream, "prompt": question}),
        }
    }

    /// The text of an answer, streamed or whole.
    pub(crate) async fn text(self, reply: &mut Reply, stream: bool) -> String {
        assert_eq!(reply.status, 200, "{self:?}");
        let piece = |value: &Value| match (self, stream) {
            (Self::Completions, _) => value["choices"][0]["text"].clone(),
            (Self::Responses, true) if value["type"] == "response.output_text.delta" => {
                value["delta"].clone()
            }
            (Self::Responses, true) => Value::Null,
            (Self::Responses, false) => value["output"][0]["content"][0]["text"].clone(),
            (Self::Messages, true) => value["delta"]["text"].clone(),
            (Self::Messages, false) => value["content"][0]["text"].clone(),
            (Self::Chat, _) => value["message"]["content"].clone(),
            (Self::Generate, _) => value["response"].clone(),
        };
        let pieces = self.pieces(reply, stream).await;
        pieces
            .iter()
            .filter_map(|value| piece(value).as_str().map(str::to_owned))
            .collect()
    }

    /// What came: the events of a stream, its lines, or the whole.
    pub(crate) async fn pieces(self, reply: &mut Reply, stream: bool) -> Vec<Value> {
        if !stream {
            return vec![reply.json().await];
        }
        match self {
            Self::Chat | Self::Generate => {
                assert_eq!(reply.header("content-type"), "application/x-ndjson");
                let text = reply.text().await;
                text.lines()
                    .map(|line| serde_json::from_str(line).unwrap())
                    .collect()
            }
            Self::Completions | Self::Responses | Self::Messages => {
                assert_eq!(reply.header("content-type"), "text/event-stream");
                let mut events = reply.events().await;
                if self == Self::Completions {
                    assert_eq!(&*events.pop().unwrap().data, b"[DONE]");
                }
                events.iter().map(data).collect()
            }
        }
    }

    /// An error in this door's shape: its message, and the field at fault where the shape has a place for it.
    pub(crate) fn error(self, body: &Value) -> (String, Option<String>) {
        let (message, param) = match self {
            Self::Completions | Self::Responses => (&body["error"]["message"], &body["error"]["param"]),
            Self::Messages => {
                assert_eq!(body["type"], "error", "{body}");
                (&body["error"]["message"], &body["error"]["param"])
            }
            Self::Chat | Self::Generate => (&body["error"], &Value::Null),
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        (
            text(message).unwrap_or_else(|| panic!("{self:?}: {body}")),
            text(param),
        )
    }
}
