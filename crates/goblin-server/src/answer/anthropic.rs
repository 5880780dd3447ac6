//! Answers as Anthropic's clients know them: one message, or its events.

use axum::Json;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use goblin_core::error::ApiError;
use goblin_core::event::ChatEvent;
use goblin_core::wire::anthropic::{Collected, EventEncoder, PING, error_event};

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
    /// The name the caller used is told back, not ours.
    fn chosen(&mut self, _: &str, _: bool) {}

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
