//! Answers as OpenAI's newer clients know them: one response, or its events.

use axum::Json;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use goblin_core::clock::Clock;
use goblin_core::error::ApiError;
use goblin_core::event::ChatEvent;
use goblin_core::provider::BoxFuture;
use goblin_core::trace::Trace;
use goblin_core::wire::openai::{OpenAiResponses, ResponseEncoder};
use goblin_core::wire::sse::PING;
use goblin_dispatch::answer::AnswerItem;

use super::{Encoding, Framing, told};
use crate::app::App;
use crate::caller::Caller;
use crate::kept::Keeper;

/// One response.
pub(crate) struct Responded {
    encoder: ResponseEncoder,
    clock: Clock,
    /// Why the answer comes from where it comes from, once it has been told.
    trace: Option<Box<Trace>>,
    /// Keeps it, where its caller asks for that.
    keeper: Option<Keeper>,
    /// When it ended, in seconds since 1970: the same for whoever hears it and where it is kept.
    ended: Option<i64>,
}

impl Responded {
    /// The response to `asked`.
    ///
    /// # Errors
    /// As [`Keeper::new`].
    pub(crate) fn new(app: &App, caller: &Caller, asked: &mut OpenAiResponses) -> Result<Self, ApiError> {
        let suffix = app.ids.next_id().replace('-', "");
        let created = app.clock.now().unix_seconds();
        let keeper = Keeper::new(app, caller, asked, &suffix)?;
        let model = &asked.request.model;
        Ok(Self {
            encoder: ResponseEncoder::new(&suffix, model, created, asked.repeated.clone()),
            clock: app.clock.clone(),
            trace: None,
            keeper,
            ended: None,
        })
    }

    fn now(&mut self) -> i64 {
        *self.ended.get_or_insert_with(|| self.clock.now().unix_seconds())
    }

    fn ended(&mut self) -> Option<Bytes> {
        let (now, trace) = (self.now(), self.trace.take());
        self.encoder.end(now, trace.as_deref().map(told::goblin))
    }
}

impl Encoding for Responded {
    fn chosen(&mut self, model_id: &str, _: bool) {
        self.encoder.by(model_id);
    }

    fn piece(&mut self, event: &ChatEvent) -> Option<Bytes> {
        self.encoder.encode(event)
    }

    fn end(&mut self) -> Option<Bytes> {
        self.ended()
    }

    fn before_end(&mut self) -> Option<BoxFuture<Result<(), ApiError>>> {
        let keeper = self.keeper.take()?;
        let goblin = self.trace.as_deref().map(told::goblin);
        let (now, mut whole) = (self.now(), self.encoder.clone());
        whole.end(now, None);
        Some(keeper.keep(whole.response(goblin)))
    }

    fn told(&mut self, item: AnswerItem) -> Option<Bytes> {
        match item {
            AnswerItem::Trace(trace) => self.trace = Some(trace),
            AnswerItem::Refused(refused) => return self.encoder.refuse(&refused.why),
            _ => {}
        }
        None
    }

    fn failure(&mut self, error: &ApiError) -> Bytes {
        self.encoder.fail(error)
    }

    fn question_field(&self) -> &'static str {
        "input"
    }

    fn framing(&self) -> Framing {
        Framing::Events(PING)
    }

    fn keep(&mut self, event: &ChatEvent) {
        self.encoder.encode(event);
    }

    fn keep_told(&mut self, item: AnswerItem) {
        self.told(item);
    }

    fn whole(mut self) -> Response {
        let goblin = self.trace.as_deref().map(told::goblin);
        self.ended();
        Json(self.encoder.response(goblin)).into_response()
    }
}
