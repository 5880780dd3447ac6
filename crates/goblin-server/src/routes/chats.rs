//! Chats: conversations that are kept.

use axum::Json;
use axum::extract::State;
use goblin_core::conversation::{Chat, Problem};
use goblin_core::error::ApiError;
use goblin_core::limits::{MAX_PAGE, MAX_TEXT_BYTES, MAX_TITLE_CHARS};
use goblin_store::chats::{ChatPatch, NewChat};
use http::StatusCode;

use crate::app::AppState;
use crate::caller::Caller;
use crate::extract::{PathId, QueryFields, RawBody};
use crate::fields::{Fields, MAX_MODEL_CHARS};
use crate::openapi::{ChatBody, ChatChange, ChatPage};
use crate::refusal::Refusal;

/// Lists chats, newest first, a page at a time.
#[utoipa::path(
    get, path = "/api/chats", tag = "Chats", security(("local" = [])),
    params(
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
        ("limit" = Option<u32>, Query, description = "1–200 chats; 50 when absent."),
    ),
    responses(
        (status = 200, description = "A page.", body = ChatPage),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list_chats(
    State(app): State<AppState>,
    caller: Caller,
    query: QueryFields,
) -> Result<Json<ChatPage>, Refusal> {
    let query = query.only(&["cursor", "limit"])?;
    let limit = query.number("limit", 1, u64::from(MAX_PAGE))?.unwrap_or(50);
    let limit = u32::try_from(limit).unwrap_or(MAX_PAGE);
    let page = app
        .store()?
        .list_chats(&caller.owner(), query.text("cursor"), limit)
        .await
        .map_err(ApiError::from)?;
    Ok(Json(ChatPage {
        items: page.items,
        next_cursor: page.next_cursor,
    }))
}

/// Makes a chat.
#[utoipa::path(
    post, path = "/api/chats", tag = "Chats", security(("local" = [])),
    request_body = ChatBody,
    responses(
        (status = 201, description = "The chat.", body = Chat),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn create_chat(
    State(app): State<AppState>,
    caller: Caller,
    RawBody(body): RawBody,
) -> Result<(StatusCode, Json<Chat>), Refusal> {
    let mut fields = Fields::parse(&body)?;
    let new = NewChat {
        title: fields.label("title", MAX_TITLE_CHARS)?.flatten(),
        model: fields.label("model", MAX_MODEL_CHARS)?.flatten(),
        system: fields.long_text("system", MAX_TEXT_BYTES)?.flatten(),
        parameters: fields.parameters()?.flatten().unwrap_or_default(),
        folder: fields.label("folder", MAX_TITLE_CHARS)?.flatten(),
    };
    fields.finish()?;
    let chat = app
        .store()?
        .insert_chat(&caller.owner(), new)
        .await
        .map_err(ApiError::from)?;
    Ok((StatusCode::CREATED, Json(chat)))
}

/// Shows a chat.
#[utoipa::path(
    get, path = "/api/chats/{id}", tag = "Chats", security(("local" = [])),
    params(("id" = String, Path, description = "The chat.")),
    responses(
        (status = 200, description = "The chat.", body = Chat),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn get_chat(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId,
) -> Result<Json<Chat>, Refusal> {
    let found = app
        .store()?
        .find_chat(&caller.owner(), &id)
        .await
        .map_err(ApiError::from)?;
    Ok(Json(found.ok_or_else(|| ApiError::not_found("chat"))?))
}

/// Changes a chat. An absent field stays, `null` clears; `head` moves to the newest turn below the one named.
#[utoipa::path(
    patch, path = "/api/chats/{id}", tag = "Chats", security(("local" = [])),
    params(("id" = String, Path, description = "The chat.")),
    request_body = ChatChange,
    responses(
        (status = 200, description = "The chat as it is now.", body = Chat),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn update_chat(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId,
    RawBody(body): RawBody,
) -> Result<Json<Chat>, Refusal> {
    let mut fields = Fields::parse(&body)?;
    let change = ChatPatch {
        title: fields.label("title", MAX_TITLE_CHARS)?,
        model: fields.label("model", MAX_MODEL_CHARS)?,
        system: fields.long_text("system", MAX_TEXT_BYTES)?,
        parameters: fields.parameters()?,
        folder: fields.label("folder", MAX_TITLE_CHARS)?,
        head: fields.id("head")?.flatten(),
    };
    fields.finish()?;
    let chat = app
        .store()?
        .update_chat(&caller.owner(), &id, change)
        .await
        .map_err(ApiError::from)?;
    Ok(Json(chat))
}

/// Deletes a chat and stops its running answers. For 10 seconds it can be restored.
#[utoipa::path(
    delete, path = "/api/chats/{id}", tag = "Chats", security(("local" = [])),
    params(("id" = String, Path, description = "The chat.")),
    responses(
        (status = 204, description = "Deleted."),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn delete_chat(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId,
) -> Result<StatusCode, Refusal> {
    app.dispatch.delete_chat(&caller.owner(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Brings back a chat deleted less than 10 seconds ago.
#[utoipa::path(
    post, path = "/api/chats/{id}/restore", tag = "Chats", security(("local" = [])),
    params(("id" = String, Path, description = "The chat.")),
    responses(
        (status = 200, description = "The chat.", body = Chat),
        (status = "4XX", description = "Too late, or no such chat.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn restore_chat(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId,
) -> Result<Json<Chat>, Refusal> {
    let chat = app
        .store()?
        .restore_chat(&caller.owner(), &id)
        .await
        .map_err(ApiError::from)?;
    Ok(Json(chat))
}
