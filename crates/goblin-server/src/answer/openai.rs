//! Answers as OpenAI's clients know them: `chat.completion`, or `chat.completion.chunk` events and `[DONE]`.

use axum::Json;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use goblin_core::error::ApiError;
use goblin_core::event::ChatEvent;
use goblin_core::trace::DryRun;
use goblin_core::wire::openai::{ChunkEncoder, Collector, DONE, IncomingChat};
use goblin_core::wire::sse::{PING, encode_event};
use http::header;
use serde_json::json;

use super::{Encoding, Framing};
use crate::app::App;
use crate::door::Door;

/// One chat completion.
pub(crate) struct Completion {
    door: Door,
    request_id: String,
    id: String,
    created: i64,
    include_usage: bool,
    encoder: ChunkEncoder,
    collector: Collector,
}

impl Completion {
    /// The completion that answers `incoming` at `door`.
    pub(crate) fn new(app: &App, door: Door, incoming: &IncomingChat, request_id: &str) -> Self {
        let id = format!("chatcmpl-{}", app.ids.next_id());
        let created = app.clock.now().unix_seconds();
        Self {
            door,
            request_id: request_id.to_owned(),
            encoder: ChunkEncoder::new(&id, "", created, incoming.include_usage),
            collector: Collector::new(&id, "", created),
            id,
            created,
            include_usage: incoming.include_usage,
        }
    }
}

impl Completion {
    /// Instead of an answer: what would happen. `choices` is empty, because nobody was asked.
    pub(crate) fn dry_run(self, stream: bool, told: &DryRun) -> Response {
        let object = if stream {
            "chat.completion.chunk"
        } else {
            "chat.completion"
        };
        let body = json!({
            "id": self.id,
            "object": object,
            "created": self.created,
            "model": told.first.as_deref().unwrap_or(&told.model),
            "choices": [],
            "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
            "goblin": {"dry_run": told},
        });
        if !stream {
            return Json(body).into_response();
        }
        let mut events = encode_event(None, None, body.to_string().as_bytes()).to_vec();
        events.extend_from_slice(&encode_event(None, None, DONE));
        ([(header::CONTENT_TYPE, "text/event-stream")], events).into_response()
    }
}

impl Encoding for Completion {
    fn chosen(&mut self, model_id: &str, pass_through: bool) {
        self.collector = Collector::new(&self.id, model_id, self.created);
        let encoder = ChunkEncoder::new(&self.id, model_id, self.created, self.include_usage);
        self.encoder = if pass_through {
            encoder.preferring_raw()
        } else {
            encoder
        };
    }

    fn piece(&mut self, event: &ChatEvent) -> Option<Bytes> {
        let data = self.encoder.encode(event)?;
        Some(encode_event(None, None, &data))
    }

    fn end(&mut self) -> Option<Bytes> {
        Some(encode_event(None, None, DONE))
    }

    fn failure(&mut self, error: &ApiError) -> Bytes {
        encode_event(None, None, &self.door.body(error, &self.request_id).0)
    }

    fn framing(&self) -> Framing {
        Framing::Events(PING)
    }

    fn keep(&mut self, event: &ChatEvent) {
        self.collector.push(event);
    }

    fn whole(self) -> Response {
        match self.collector.raw_completion() {
            Some(raw) => ([(header::CONTENT_TYPE, "application/json")], raw.clone()).into_response(),
            None => Json(self.collector.into_completion(None)).into_response(),
        }
    }
}
