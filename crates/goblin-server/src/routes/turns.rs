//! Turns of a chat: asked, asked again, stopped, followed. Leaving a stream here never stops the turn.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use futures_util::StreamExt;
use goblin_core::conversation::{Problem, Turn};
use goblin_core::error::ApiError;
use goblin_core::limits::{MAX_ATTACHMENTS, MAX_PAGE, MAX_TEXT_BYTES};
use goblin_core::owner::Owner;
use goblin_core::turn_event::TurnEvent;
use goblin_core::wire::sse::{PING, encode_event};
use goblin_dispatch::chat_turn::{EditedTurn, NewTurn};
use http::HeaderMap;

use crate::app::AppState;
use crate::caller::Caller;
use crate::extract::{CameFrom, PathId, QueryFields, RawBody, last_event_id};
use crate::fields::{Fields, MAX_MODEL_CHARS};
use crate::openapi::{ModelChoice, TurnBody, TurnEdit, TurnPage};
use crate::refusal::Refusal;
use crate::sse;

/// Lists the turns of the branch a chat shows, oldest first, the last page when `before` is absent.
#[utoipa::path(
    get, path = "/api/chats/{id}/turns", tag = "Turns", security(("local" = [])),
    params(
        ("id" = String, Path, description = "The chat."),
        ("before" = Option<String>, Query, description = "Only turns above this one."),
        ("limit" = Option<u32>, Query, description = "1–200 turns; 30 when absent."),
    ),
    responses(
        (status = 200, description = "A page.", body = TurnPage),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list_turns(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId,
    query: QueryFields,
) -> Result<Json<TurnPage>, Refusal> {
    let query = query.only(&["before", "limit"])?;
    let limit = query.number("limit", 1, u64::from(MAX_PAGE))?.unwrap_or(30);
    let limit = u32::try_from(limit).unwrap_or(MAX_PAGE);
    let before = query.id("before")?;
    let page = app
        .store()?
        .list_branch(&caller.owner(), &id, before, limit)
        .await
        .map_err(ApiError::from)?;
    Ok(Json(TurnPage {
        items: page.items,
        has_more: page.has_more,
    }))
}

/// Asks a question; the answer is a stream of turn events.
///
/// `id: N`, `event: turn|delta|reasoning|checking|superseded|retracted|trace|done|snapshot`, `data:` the event's
/// object. The first event is `turn`, the last `done` (or `snapshot`, instead of all others, when the turn ended long
/// ago). After `superseded` and `retracted` the answer begins again, from nothing. Leaving does not stop the turn;
/// `GET /api/turns/{id}/events` goes on where a reader left.
#[utoipa::path(
    post, path = "/api/chats/{id}/turns", tag = "Turns", security(("local" = [])),
    params(("id" = String, Path, description = "The chat.")),
    request_body = TurnBody,
    responses(
        (status = 200, description = "Turn events.", body = TurnEvent, content_type = "text/event-stream"),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "Nobody can answer.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn create_turn(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId,
    CameFrom(origin): CameFrom,
    RawBody(body): RawBody,
) -> Result<Response, Refusal> {
    let mut fields = Fields::parse(&body)?;
    let new = NewTurn {
        content: fields.required_text("content", MAX_TEXT_BYTES)?,
        attachments: fields.ids("attachments", MAX_ATTACHMENTS)?.unwrap_or_default(),
        parent: fields.id("parent")?,
        model: fields.label("model", MAX_MODEL_CHARS)?.flatten(),
        origin,
    };
    fields.finish()?;
    let turn = app.dispatch.create_turn(&caller.owner(), &id, new).await?;
    Ok(events_of(&app, &caller.owner(), &turn, 0).await?)
}

/// Answers a turn's question again, as a sibling.
#[utoipa::path(
    post, path = "/api/turns/{id}/regenerate", tag = "Turns", security(("local" = [])),
    params(("id" = String, Path, description = "The turn.")),
    request_body = ModelChoice,
    responses(
        (status = 200, description = "Turn events.", body = TurnEvent, content_type = "text/event-stream"),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "Nobody can answer.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn regenerate_turn(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId,
    CameFrom(origin): CameFrom,
    RawBody(body): RawBody,
) -> Result<Response, Refusal> {
    let mut fields = Fields::parse(&body)?;
    let model = fields.label("model", MAX_MODEL_CHARS)?.flatten();
    fields.finish()?;
    let turn = app
        .dispatch
        .regenerate_turn(&caller.owner(), &id, model, origin)
        .await?;
    Ok(events_of(&app, &caller.owner(), &turn, 0).await?)
}

/// Asks another question in a turn's place, as a sibling.
#[utoipa::path(
    post, path = "/api/turns/{id}/edit", tag = "Turns", security(("local" = [])),
    params(("id" = String, Path, description = "The turn.")),
    request_body = TurnEdit,
    responses(
        (status = 200, description = "Turn events.", body = TurnEvent, content_type = "text/event-stream"),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "Nobody can answer.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn edit_turn(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId,
    CameFrom(origin): CameFrom,
    RawBody(body): RawBody,
) -> Result<Response, Refusal> {
    let mut fields = Fields::parse(&body)?;
    let edited = EditedTurn {
        content: fields.required_text("content", MAX_TEXT_BYTES)?,
        attachments: fields.ids("attachments", MAX_ATTACHMENTS)?,
        model: fields.label("model", MAX_MODEL_CHARS)?.flatten(),
        origin,
    };
    fields.finish()?;
    let turn = app.dispatch.edit_turn(&caller.owner(), &id, edited).await?;
    Ok(events_of(&app, &caller.owner(), &turn, 0).await?)
}

/// Stops a turn; what was answered is kept. A turn that has ended is shown as it is.
#[utoipa::path(
    post, path = "/api/turns/{id}/stop", tag = "Turns", security(("local" = [])),
    params(("id" = String, Path, description = "The turn.")),
    responses(
        (status = 200, description = "The turn.", body = Turn),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn stop_turn(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId,
) -> Result<Json<Turn>, Refusal> {
    Ok(Json(app.dispatch.stop_turn(&caller.owner(), &id).await?))
}

/// Shows a turn as it is saved.
#[utoipa::path(
    get, path = "/api/turns/{id}", tag = "Turns", security(("local" = [])),
    params(("id" = String, Path, description = "The turn.")),
    responses(
        (status = 200, description = "The turn.", body = Turn),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn get_turn(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId,
) -> Result<Json<Turn>, Refusal> {
    let found = app
        .store()?
        .find_turn(&caller.owner(), &id)
        .await
        .map_err(ApiError::from)?;
    Ok(Json(found.ok_or_else(|| ApiError::not_found("turn"))?))
}

/// Follows a turn: replays what came after the event named, goes on live, then ends.
#[utoipa::path(
    get, path = "/api/turns/{id}/events", tag = "Turns", security(("local" = [])),
    params(
        ("id" = String, Path, description = "The turn."),
        ("after" = Option<u64>, Query, description = "Index of the last event seen; 0 or absent = from the start."),
        ("Last-Event-ID" = Option<u64>, Header, description = "The same, as browsers send it; goes before `after`."),
    ),
    responses(
        (status = 200, description = "Turn events.", body = TurnEvent, content_type = "text/event-stream"),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn follow_turn(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId,
    query: QueryFields,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let query = query.only(&["after"])?;
    let after = match last_event_id(&headers)? {
        Some(index) => index,
        None => query.number("after", 0, u64::MAX)?.unwrap_or(0),
    };
    Ok(events_of(&app, &caller.owner(), &id, after).await?)
}

async fn events_of(app: &AppState, owner: &Owner, turn_id: &str, after: u64) -> Result<Response, ApiError> {
    let events = app.dispatch.turn_events(owner, turn_id, after).await?;
    let framed = events.filter_map(|(index, event)| std::future::ready(frame(index, &event)));
    Ok(sse::response(framed, app.options.ping_every, PING))
}

fn frame(index: u64, event: &Arc<TurnEvent>) -> Option<bytes::Bytes> {
    match serde_json::to_vec(&**event) {
        Ok(data) => Some(encode_event(Some(index), Some(event.name()), &data)),
        Err(error) => {
            tracing::error!(%error, index, "a turn event could not be written");
            None
        }
    }
}
