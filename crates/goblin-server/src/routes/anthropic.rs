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
use crate::openapi::doors::{AnthropicError, CountBody, MessageAnswer, MessageBody, TokensCounted};
use crate::refusal::Refusal;

/// Answers a conversation, as Anthropic's Messages do.
///
/// With `"stream": true` the answer is a stream of Anthropic's events; a failure after the first byte is an `error` event,
/// and the stream ends there. Closing the connection cancels the answer. Names like `goblin` are answered as at
/// `/v1/chat/completions`: checked, and a refused answer has the stop reason `refusal`. The header `x-goblin-trace-id`
/// names the trace.
#[utoipa::path(
    post, path = "/v1/messages", tag = "Anthropic", security(("local" = [])),
    request_body = MessageBody,
    responses(
        (status = 200, description = "The answer, or its stream.", content(
            (MessageAnswer = "application/json"), (Value = "text/event-stream"),
        )),
        (status = "4XX", description = "Refused; the field at fault is named.", body = AnthropicError),
        (status = "5XX", description = "Failed; what was tried is said.", body = AnthropicError),
    ),
)]
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
#[utoipa::path(
    post, path = "/v1/messages/count_tokens", tag = "Anthropic", security(("local" = [])),
    request_body = CountBody,
    responses(
        (status = 200, description = "The count.", body = TokensCounted),
        (status = "4XX", description = "Refused; the field at fault is named.", body = AnthropicError),
        (status = "5XX", description = "Failed; what was tried is said.", body = AnthropicError),
    ),
)]
pub(super) async fn count_tokens(
    State(app): State<AppState>,
    caller: Caller,
    RawBody(body): RawBody,
) -> Result<Json<Value>, Refusal> {
    let request = parse_count_tokens(&body)?;
    caller.principal().check_model(&request.model)?;
    let counted = app.dispatch.count(request).await?;
    Ok(Json(count_tokens_body(counted.prompt_tokens)))
}
