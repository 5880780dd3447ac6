//! Answers as Ollama's clients know them: one object, or lines of them.

use axum::Json;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use goblin_core::error::ApiError;
use goblin_core::event::ChatEvent;
use goblin_core::wire::ollama::{Collected, LineEncoder, Timings, error_line};
use tokio::time::Instant;

use super::{Encoding, Framing};
use crate::app::App;

/// One answer of `/api/chat` or `/api/generate`.
pub(crate) struct Lines {
    encoder: LineEncoder,
    collected: Collected,
    begun: Instant,
    first_content: Option<Instant>,
}

impl Lines {
    /// An answer of `POST /api/chat` by `model`, as the caller named it.
    pub(crate) fn chat(app: &App, model: &str) -> Self {
        let now = app.clock.now();
        Self::new(LineEncoder::chat(model, now), Collected::chat(model, now))
    }

    /// An answer of `POST /api/generate` by `model`.
    pub(crate) fn generate(app: &App, model: &str) -> Self {
        let now = app.clock.now();
        Self::new(LineEncoder::generate(model, now), Collected::generate(model, now))
    }

    fn new(encoder: LineEncoder, collected: Collected) -> Self {
        Self {
            encoder,
            collected,
            begun: Instant::now(),
            first_content: None,
        }
    }

    fn follow(&mut self, event: &ChatEvent) {
        if event.parsed.is_content() && self.first_content.is_none() {
            self.first_content = Some(Instant::now());
        }
    }

    /// What this server saw: waiting, loading and evaluating the prompt look the same from here.
    fn timings(&self) -> Timings {
        let now = Instant::now();
        let first = self.first_content.unwrap_or(now);
        Timings {
            total: now - self.begun,
            prompt_eval: first - self.begun,
            eval: now - first,
            ..Timings::default()
        }
    }
}

impl Encoding for Lines {
    /// The name the caller used is told back, not ours.
    fn chosen(&mut self, _: &str, _: bool) {}

    fn piece(&mut self, event: &ChatEvent) -> Option<Bytes> {
        self.follow(event);
        self.encoder.encode(event)
    }

    fn end(&mut self) -> Option<Bytes> {
        let timings = self.timings();
        Some(self.encoder.finish(&timings))
    }

    fn failure(&mut self, error: &ApiError) -> Bytes {
        error_line(error)
    }

    fn framing(&self) -> Framing {
        let empty = self.encoder.keep_alive_line();
        Framing::Lines(Box::new(move || empty.clone()))
    }

    fn keep(&mut self, event: &ChatEvent) {
        self.follow(event);
        self.collected.push(event);
    }

    fn whole(self) -> Response {
        let timings = self.timings();
        Json(self.collected.into_body(&timings)).into_response()
    }
}
