//! Texts gone on with, as OpenAI's older clients know them: one `text_completion`, or many and `[DONE]`.

use axum::Json;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use goblin_core::error::ApiError;
use goblin_core::event::ChatEvent;
use goblin_core::trace::Trace;
use goblin_core::wire::openai::{DONE, OpenAiCompletion, TextCollector, TextEncoder, error_body};
use goblin_core::wire::sse::{PING, encode_event};
use goblin_dispatch::answer::AnswerItem;

use super::{Encoding, Framing, told};
use crate::app::App;

/// One text gone on with.
pub(crate) struct TextCompletion {
    id: String,
    created: i64,
    include_usage: bool,
    echo: String,
    encoder: TextEncoder,
    collector: TextCollector,
    /// Why the answer comes from where it comes from, once it has been told.
    trace: Option<Box<Trace>>,
}

impl TextCompletion {
    /// The answer to `asked`.
    pub(crate) fn new(app: &App, asked: &OpenAiCompletion) -> Self {
        let id = format!("cmpl-{}", app.ids.next_id());
        let created = app.clock.now().unix_seconds();
        let echo = match asked.echo {
            true => asked.request.prompt.clone(),
            false => String::new(),
        };
        Self {
            encoder: TextEncoder::new(&id, "", created, asked.include_usage, &echo),
            collector: TextCollector::new(&id, "", created, &echo),
            include_usage: asked.include_usage,
            id,
            created,
            echo,
            trace: None,
        }
    }
}

impl Encoding for TextCompletion {
    fn chosen(&mut self, model_id: &str, _: bool) {
        let (id, created, echo) = (&self.id, self.created, &self.echo);
        self.encoder = TextEncoder::new(id, model_id, created, self.include_usage, echo);
        self.collector = TextCollector::new(id, model_id, created, echo);
    }

    fn piece(&mut self, event: &ChatEvent) -> Option<Bytes> {
        let data = self.encoder.encode(event)?;
        Some(encode_event(None, None, &data))
    }

    fn end(&mut self) -> Option<Bytes> {
        let mut last = Vec::new();
        if let Some(trace) = self.trace.take() {
            let aside = self.encoder.aside(told::goblin(&trace));
            last.extend_from_slice(&encode_event(None, None, &aside));
        }
        last.extend_from_slice(&encode_event(None, None, DONE));
        Some(last.into())
    }

    fn told(&mut self, item: AnswerItem) -> Option<Bytes> {
        self.keep_told(item);
        None
    }

    /// This shape has no words for a refusal but its finish reason; the trace says why.
    fn keep_told(&mut self, item: AnswerItem) {
        if let AnswerItem::Trace(trace) = item {
            self.trace = Some(trace);
        }
    }

    fn failure(&mut self, error: &ApiError) -> Bytes {
        encode_event(None, None, error_body(error).to_string().as_bytes())
    }

    fn question_field(&self) -> &'static str {
        "prompt"
    }

    fn framing(&self) -> Framing {
        Framing::Events(PING)
    }

    fn keep(&mut self, event: &ChatEvent) {
        self.collector.push(event);
    }

    fn whole(self) -> Response {
        let trace = self.trace.as_deref().map(told::goblin);
        Json(self.collector.into_completion(trace)).into_response()
    }
}
