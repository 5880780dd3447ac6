//! Answers as OpenAI's clients know them: `chat.completion`, or `chat.completion.chunk` events and `[DONE]`.

use axum::Json;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use goblin_core::error::ApiError;
use goblin_core::event::ChatEvent;
use goblin_core::trace::{DryRun, Trace};
use goblin_core::wire::openai::{ChunkEncoder, Collector, DONE, IncomingChat};
use goblin_core::wire::sse::{PING, encode_event};
use goblin_dispatch::answer::{AnswerItem, Refused};
use http::{StatusCode, header};
use serde_json::json;

use super::{Encoding, Framing, told};
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
    /// Why the answer comes from where it comes from, once it has been told.
    trace: Option<Box<Trace>>,
    /// Why there is none.
    refused: Option<Refused>,
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
            trace: None,
            refused: None,
        }
    }

    /// The whole answer, with what is told of it.
    fn collected(self) -> Response {
        let trace = self.trace.as_deref();
        if let (Some(refused), Door::Legacy) = (&self.refused, self.door) {
            let (status, body) = told::legacy_refusal(refused, trace);
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
            return (status, Json(body)).into_response();
        }
        let mut completion = self.collector.into_completion(trace.map(told::goblin));
        if let Some(refused) = &self.refused {
            completion["choices"][0]["message"]["refusal"] = refused.why.clone().into();
        }
        if let Some(trace) = trace {
            told::put_legacy(&mut completion, trace);
        }
        Json(completion).into_response()
    }

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
        let done = encode_event(None, None, DONE);
        let Some(trace) = self.trace.take() else {
            return Some(done);
        };
        let trace = self.encoder.aside(told::goblin(&trace));
        let mut last = encode_event(None, None, &trace).to_vec();
        last.extend_from_slice(&done);
        Some(last.into())
    }

    fn told(&mut self, item: AnswerItem) -> Option<Bytes> {
        let data = match item {
            AnswerItem::Trace(trace) => {
                self.trace = Some(trace);
                return None;
            }
            AnswerItem::Refused(refused) => self.encoder.refusal(&refused.why),
            other => self.encoder.aside(told::aside(&other)?),
        };
        Some(encode_event(None, None, &data))
    }

    fn keep_told(&mut self, item: AnswerItem) {
        match item {
            AnswerItem::Trace(trace) => self.trace = Some(trace),
            AnswerItem::Refused(refused) => self.refused = Some(refused),
            _ => {}
        }
    }

    fn refuses_by_status(&self) -> bool {
        self.door == Door::Legacy
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
            None => self.collected(),
        }
    }
}
