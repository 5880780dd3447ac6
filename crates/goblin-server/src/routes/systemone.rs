//! Typed questions about a text, answered with probabilities, by any model on offer.

use axum::Json;
use axum::extract::State;
use goblin_core::decide::DecideRequest;
use goblin_core::wire::systemone;
use serde_json::Value;

use crate::app::AppState;
use crate::asking::{Ticket, who};
use crate::caller::Caller;
use crate::extract::RawBody;
use crate::openapi::{SystemOneAnswers, SystemOneBody, SystemOneError};
use crate::refusal::Refusal;

/// Answers typed questions about a text with probabilities.
///
/// Nothing is generated: each answer is read from one token's probabilities. `noul` asks for yes or no, `choice` for one
/// of up to 255 options, `score` for one of 2 to 10 levels. `x_mass` says how much probability the model put on the
/// options together before it was scaled to one; below 0.5 the answer means little.
#[utoipa::path(
    post, path = "/v1/systemone", tag = "Decisions", security(("local" = [])),
    request_body = SystemOneBody,
    responses(
        (status = 200, description = "An answer for each question.", body = SystemOneAnswers),
        (status = "4XX", description = "Refused; the field at fault is named.", body = SystemOneError),
        (status = "5XX", description = "Failed; what was tried is said.", body = SystemOneError),
    ),
)]
pub(super) async fn decide_questions(
    State(app): State<AppState>,
    caller: Caller,
    ticket: Ticket,
    RawBody(body): RawBody,
) -> Result<Json<Value>, Refusal> {
    let asked = systemone::parse(&body)?;
    caller.principal().check_model(&asked.model)?;
    let limit = ticket.limit(&app, false);
    let request = DecideRequest {
        origin: ticket.origin,
        ..asked.to_decide()
    };
    let decided = app.dispatch.decide(who(&caller), request, limit).await?;
    Ok(Json(systemone::encode(
        &asked,
        &decided.model_id,
        &decided.response,
    )))
}
