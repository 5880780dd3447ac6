//! Why answers came from where they came from, and what their readers say of them.

use axum::Json;
use axum::extract::State;
use goblin_core::conversation::Problem;
use goblin_core::error::ApiError;
use goblin_core::feedback::{Feedback, FeedbackChange, MAX_COMMENT_BYTES, Rating};
use goblin_core::limits::MAX_PAGE;
use goblin_core::trace::Trace;

use crate::app::AppState;
use crate::caller::Caller;
use crate::extract::{PathId, QueryFields, RawBody};
use crate::fields::{Change, Fields};
use crate::openapi::{FeedbackBody, OpenAiError, TracePage};
use crate::refusal::Refusal;

/// Lists the caller's traces in one line each, newest first.
#[utoipa::path(
    get, path = "/v1/traces", tag = "Traces", security(("local" = [])),
    params(
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
        ("limit" = Option<u32>, Query, description = "1–200 traces; 30 when absent."),
    ),
    responses(
        (status = 200, description = "A page.", body = TracePage),
        (status = "4XX", description = "Refused.", body = OpenAiError),
    ),
)]
pub(super) async fn list_traces(
    State(app): State<AppState>,
    caller: Caller,
    query: QueryFields,
) -> Result<Json<TracePage>, Refusal> {
    let query = query.only(&["cursor", "limit"])?;
    let limit = query.number("limit", 1, u64::from(MAX_PAGE))?.unwrap_or(30);
    let limit = u32::try_from(limit).unwrap_or(MAX_PAGE);
    let page = app
        .written_store()
        .await?
        .list_traces(&caller.owner(), query.text("cursor"), limit)
        .await
        .map_err(ApiError::from)?;
    Ok(Json(TracePage {
        items: page.items,
        next_cursor: page.next_cursor,
    }))
}

/// Shows why an answer came from where it came from: every decision, attempt, verdict and cost. No text of the
/// conversation is in it. It is there from the answer's end.
#[utoipa::path(
    get, path = "/v1/traces/{id}", tag = "Traces", security(("local" = [])),
    params(("id" = String, Path, description = "The trace, as `goblin.trace_id` and `x-goblin-trace-id` name it.")),
    responses(
        (status = 200, description = "The trace.", body = Trace),
        (status = "4XX", description = "Refused.", body = OpenAiError),
    ),
)]
pub(super) async fn get_trace(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId,
) -> Result<Json<Trace>, Refusal> {
    let found = app
        .written_store()
        .await?
        .find_trace(&caller.owner(), &id)
        .await
        .map_err(ApiError::from)?;
    Ok(Json(found.ok_or_else(|| ApiError::not_found("trace"))?))
}

/// Shows the trace of a turn's answer.
#[utoipa::path(
    get, path = "/api/turns/{id}/trace", tag = "Traces", security(("local" = [])),
    params(("id" = String, Path, description = "The turn.")),
    responses(
        (status = 200, description = "The trace.", body = Trace),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn get_turn_trace(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId,
) -> Result<Json<Trace>, Refusal> {
    let (store, owner) = (app.written_store().await?, caller.owner());
    let turn = store.find_turn(&owner, &id).await.map_err(ApiError::from)?;
    let turn = turn.ok_or_else(|| ApiError::not_found("turn"))?;
    let found = store
        .find_trace_of_turn(&owner, &turn.id)
        .await
        .map_err(ApiError::from)?;
    Ok(Json(found.ok_or_else(|| ApiError::not_found("trace"))?))
}

/// Says what the reader thinks of an answer: a thumb, a better answer to the same question, a comment. What is absent
/// stays as it was, null takes it back.
#[utoipa::path(
    post, path = "/api/turns/{id}/feedback", tag = "Traces", security(("local" = [])),
    params(("id" = String, Path, description = "The turn.")),
    request_body = FeedbackBody,
    responses(
        (status = 200, description = "All that is said of the turn now.", body = Feedback),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn update_feedback(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId,
    RawBody(body): RawBody,
) -> Result<Json<Feedback>, Refusal> {
    let change = feedback_change(&body)?;
    let said = app
        .store()?
        .update_label(&caller.owner(), &id, change)
        .await
        .map_err(ApiError::from)?;
    Ok(Json(said))
}

fn feedback_change(body: &[u8]) -> Result<FeedbackChange, ApiError> {
    let mut fields = Fields::parse(body)?;
    let change = FeedbackChange {
        rating: rating(&mut fields)?,
        better_turn: fields.id("better_turn")?,
        second_opinion: fields.id("second_opinion")?,
        comment: fields
            .long_text("comment", MAX_COMMENT_BYTES)?
            .map(|text| text.filter(|text| !text.trim().is_empty())),
    };
    fields.finish()?;
    if change == FeedbackChange::default() {
        let message = "Give at least one of `rating`, `better_turn`, `second_opinion` and `comment`.";
        return Err(ApiError::invalid("rating", message));
    }
    Ok(change)
}

fn rating(fields: &mut Fields) -> Result<Change<Rating>, ApiError> {
    let refused = || ApiError::invalid("rating", "`rating` must be `up`, `down` or null.");
    match fields.label("rating", 16).map_err(|_| refused())? {
        None => Ok(None),
        Some(None) => Ok(Some(None)),
        Some(Some(word)) => Rating::parse(&word)
            .map(|rating| Some(Some(rating)))
            .ok_or_else(refused),
    }
}
