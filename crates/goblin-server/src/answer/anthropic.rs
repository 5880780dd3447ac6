//! Answers as Anthropic's clients know them: one message, or its events.

use axum::Json;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use goblin_core::error::ApiError;
use goblin_core::event::ChatEvent;
use goblin_core::wire::anthropic::{Collected, EventEncoder, PING, error_event};
use http::header;

use super::{Encoding, Framing};
use crate::app::App;

/// One message.
pub(crate) struct Message {
    encoder: EventEncoder,
    collected: Collected,
}

impl Message {
    /// A message by `model`, as the caller named it.
    pub(crate) fn new(app: &App, model: &str) -> Self {
        let id = format!("msg_{}", app.ids.next_id().replace('-', ""));
        Self {
            encoder: EventEncoder::new(&id, model, 0),
            collected: Collected::new(&id, model),
        }
    }
}

impl Encoding for Message {
    /// The name the caller used is told back, not ours; what is forwarded says its own.
    fn chosen(&mut self, _: &str, pass_through: bool) {
        if pass_through {
            self.encoder = self.encoder.clone().preferring_raw();
        }
    }

    fn piece(&mut self, event: &ChatEvent) -> Option<Bytes> {
        joined(&self.encoder.encode(event))
    }

    fn end(&mut self) -> Option<Bytes> {
        joined(&self.encoder.finish())
    }

    fn failure(&mut self, error: &ApiError) -> Bytes {
        error_event(error)
    }

    fn framing(&self) -> Framing {
        Framing::Events(PING)
    }

    fn keep(&mut self, event: &ChatEvent) {
        self.collected.push(event);
    }

    fn whole(self) -> Response {
        if let Some(raw) = self.collected.raw_message() {
            return ([(header::CONTENT_TYPE, "application/json")], raw.clone()).into_response();
        }
        Json(self.collected.into_message()).into_response()
    }
}

fn joined(events: &[Bytes]) -> Option<Bytes> {
    match events {
        [] => None,
        [one] => Some(one.clone()),
        many => Some(many.concat().into()),
    }
}
