//! What only the model tier answers: its state, and exact counts.

use axum::Json;
use axum::extract::State;
use goblin_core::tier_status::TierStatus;
use goblin_core::wire::openai::parse_chat_request;
use serde_json::{Value, json};

use crate::app::AppState;
use crate::asking::Ticket;
use crate::caller::{Caller, Reader};
use crate::extract::RawBody;
use crate::refusal::Refusal;

/// How every model is, its queue, and what a newcomer would have to expect.
pub(super) async fn get_status(State(app): State<AppState>, _: Reader) -> Json<TierStatus> {
    Json(app.dispatch.tier_status().await)
}

/// Counts the tokens of a chat request's prompt, and says how they were counted. The body is that of
/// `/v1/chat/completions`.
pub(super) async fn tokenize(
    State(app): State<AppState>,
    _: Caller,
    ticket: Ticket,
    RawBody(body): RawBody,
) -> Result<Json<Value>, Refusal> {
    let mut request = parse_chat_request(&body)?.request;
    request.origin = ticket.origin;
    let counted = app.dispatch.count(request).await?;
    Ok(Json(json!({
        "model": counted.model_id,
        "prompt_tokens": counted.prompt_tokens,
        "context_window": counted.context_window,
        "method": counted.method,
    })))
}
