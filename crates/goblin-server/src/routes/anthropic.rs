//! Messages, as Anthropic's clients know them.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use goblin_core::wire::anthropic::{count_tokens_body, parse_count_tokens, parse_messages};
use serde_json::Value;

use crate::answer::anthropic::Message;
use crate::app::AppState;
use crate::asking::{self, Ticket};
use crate::caller::Caller;
use crate::extract::RawBody;
use crate::refusal::Refusal;

/// Answers a conversation.
pub(super) async fn create_message(
    State(app): State<AppState>,
    caller: Caller,
    ticket: Ticket,
    RawBody(body): RawBody,
) -> Result<Response, Refusal> {
    let request = parse_messages(&body)?.request;
    let message = Message::new(&app, &request.model);
    Ok(asking::answer(&app, &caller, ticket, request, message).await?)
}

/// Counts the tokens of a conversation without answering it.
pub(super) async fn count_tokens(
    State(app): State<AppState>,
    _: Caller,
    RawBody(body): RawBody,
) -> Result<Json<Value>, Refusal> {
    let counted = app.dispatch.count(parse_count_tokens(&body)?).await?;
    Ok(Json(count_tokens_body(counted.prompt_tokens)))
}
