//! From a request that has been read to its answer: the steps that are the same at every door.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::response::Response;
use goblin_core::chat::{ChatRequest, Purpose};
use goblin_core::completion::CompletionRequest;
use goblin_core::embed::EmbedRequest;
use goblin_core::error::ApiError;
use goblin_core::origin::Origin;
use goblin_dispatch::answer::{Continuers, TokenSink, Who};
use goblin_dispatch::once::Embedded;
use http::request::Parts;
use serde_json::Value;

use crate::answer::{Encoding, Manner, in_field, respond, tell};
use crate::app::{App, AppState, Surface};
use crate::caller::Caller;
use crate::door::Door;
use crate::extract::{deadline_header, origin, purpose_header, request_id};
use crate::refusal::Refusal;

/// What the headers say about how a request is to be carried out.
pub(crate) struct Ticket {
    /// Names the request in logs.
    pub(crate) request_id: String,
    /// The name metering knows the door by.
    pub(crate) door: &'static str,
    /// The caller's own limit for the whole answer.
    pub(crate) deadline: Option<Duration>,
    /// What the answer is for. On the backend everything is to be read.
    pub(crate) purpose: Purpose,
    /// Where the request comes from, for whoever answers it.
    pub(crate) origin: Origin,
}

impl FromRequestParts<AppState> for Ticket {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Refusal> {
        let purpose = match app.surface {
            Surface::Tier => purpose_header(&parts.headers)?,
            Surface::Backend => Purpose::Answer,
        };
        Ok(Self {
            request_id: request_id(&parts.headers).to_owned(),
            door: Door::of(app.surface, parts.uri.path()).name(app.surface),
            deadline: deadline_header(&parts.headers)?,
            purpose,
            origin: origin(&parts.headers),
        })
    }
}

impl Ticket {
    /// Longest an answer may take: what the caller says, and, when nothing is seen before its end, what `app` says.
    pub(crate) fn limit(&self, app: &App, stream: bool) -> Option<Duration> {
        let whole = (!stream).then_some(app.options.answer_timeout);
        [whole, self.deadline].into_iter().flatten().min()
    }
}

/// The caller as dispatch knows them, which from here on writes the request's line of the access log.
pub(crate) fn who(caller: &Caller) -> Who {
    caller.take_over_log();
    let account = caller.tokens();
    let tokens: TokenSink = Arc::new(move |used| account.add(used));
    Who {
        owner: caller.owner(),
        key: caller.key_name(),
        address: caller.address(),
        tokens: Some(tokens),
        api_key: caller.principal().key_use().map(|used| Arc::clone(&used.key)),
        tab: None,
    }
}

/// Asks a model and answers in the words of `encoding`, as a stream where `request` says so.
///
/// # Errors
///
/// 403 for a key that may not ask the model; what failed before anybody was asked.
pub(crate) async fn answer(
    app: &App,
    caller: &Caller,
    ticket: Ticket,
    request: ChatRequest,
    encoding: impl Encoding,
) -> Result<Response, ApiError> {
    caller.principal().check_model(&request.model)?;
    let manner = Manner::new(app, request.stream, &ticket.request_id);
    let limit = ticket.limit(app, request.stream);
    let request = ChatRequest {
        purpose: ticket.purpose,
        origin: ticket.origin,
        ..request
    };
    let asked = app
        .dispatch
        .answer_request(who(caller), ticket.door, ticket.request_id, request, limit)
        .await
        .map_err(|error| in_field(error, encoding.question_field()))?;
    Ok(respond(manner, encoding, asked).await)
}

/// Lets a model go on with a text, as [`answer`]; `by` says which can, where that was looked for.
///
/// # Errors
///
/// What failed before anybody was asked.
pub(crate) async fn complete(
    app: &App,
    caller: &Caller,
    ticket: Ticket,
    (by, request): (Option<Continuers>, CompletionRequest),
    stream: bool,
    encoding: impl Encoding,
) -> Result<Response, ApiError> {
    caller.principal().check_model(&request.model)?;
    let manner = Manner::new(app, stream, &ticket.request_id);
    let limit = ticket.limit(app, stream);
    let request = CompletionRequest {
        purpose: ticket.purpose,
        origin: ticket.origin,
        ..request
    };
    let asked = app
        .dispatch
        .complete(by, who(caller), ticket.door, ticket.request_id, request, limit);
    Ok(respond(manner, encoding, asked.await?).await)
}

/// Turns texts into vectors; `body` says in the caller's words who made them and what they are.
///
/// # Errors
///
/// 403 for a key that may not ask the model.
pub(crate) async fn embed(
    app: &App,
    caller: &Caller,
    ticket: Ticket,
    request: EmbedRequest,
    body: impl FnOnce(&Embedded) -> Value,
) -> Result<Response, ApiError> {
    caller.principal().check_model(&request.model)?;
    let limit = ticket.limit(app, false);
    let request = EmbedRequest {
        origin: ticket.origin,
        ..request
    };
    Ok(tell(app.dispatch.embed(who(caller), request, limit).await, body))
}
