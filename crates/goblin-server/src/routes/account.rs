//! One's own account: its name, its password and its sign-ins, taking everything along, and going.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{AppendHeaders, IntoResponse, Response};
use bytes::Bytes;
use futures_util::StreamExt;
use goblin_auth::cookie;
use goblin_core::conversation::Problem;
use goblin_core::error::ApiError;
use goblin_core::limits::MAX_TITLE_CHARS;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, SET_COOKIE};
use http::{HeaderName, HeaderValue, StatusCode};
use secrecy::ExposeSecret;

use crate::app::AppState;
use crate::caller::Caller;
use crate::extract::{PathId, QueryFields, RawBody};
use crate::fields::Fields;
use crate::openapi::accounts::{
    AccountEnd, EndedAnswer, NameChange, PasswordChange, SessionPage, SessionShown, User,
};
use crate::refusal::Refusal;

/// Tells a browser what to forget.
const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");
/// Most bytes of a field; what it holds has narrower bounds of its own.
const MAX_FIELD_BYTES: usize = 16 * 1024;

/// Changes what the caller is called.
#[utoipa::path(
    patch, path = "/api/account", tag = "Account", security(("local" = [])),
    request_body = NameChange,
    responses(
        (status = 200, description = "The account as it is now.", body = User),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn update_account(
    State(app): State<AppState>,
    caller: Caller,
    RawBody(body): RawBody,
) -> Result<Json<User>, Refusal> {
    let mut fields = Fields::parse(&body)?;
    let name = fields.label("name", MAX_TITLE_CHARS)?;
    fields.finish()?;
    let name =
        name.ok_or_else(|| ApiError::invalid("name", "`name` must be given: a text, or null for none."))?;
    let identity = app.identity()?;
    let account = identity
        .change_name(caller.principal(), caller.visit()?, name.as_deref())
        .await?;
    Ok(Json(account.into()))
}

/// Sets another password, or a first one. Every other sign-in of the account ends; this one goes on, a browser's with another
/// cookie. Whoever has no password yet must have signed in within ten minutes.
#[utoipa::path(
    post, path = "/api/account/password", tag = "Account", security(("local" = [])),
    request_body = PasswordChange,
    responses(
        (status = 204, description = "Set."),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn change_password(
    State(app): State<AppState>,
    caller: Caller,
    RawBody(body): RawBody,
) -> Result<Response, Refusal> {
    let mut fields = Fields::parse(&body)?;
    let current = fields.presented_password("current_password")?;
    let new = fields.required_text("new_password", MAX_FIELD_BYTES)?;
    fields.finish()?;
    let (principal, visit) = (caller.principal(), caller.visit()?);
    let cookie = app
        .identity()?
        .change_password(principal, visit, current.as_ref(), &new)
        .await?;
    let Some(cookie) = cookie else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let mut cookie = HeaderValue::try_from(cookie.expose_secret()).map_err(ApiError::internal)?;
    cookie.set_sensitive(true);
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, cookie)]).into_response())
}

/// Lists the caller's sign-ins, last used first, a page at a time.
#[utoipa::path(
    get, path = "/api/account/sessions", tag = "Account", security(("local" = [])),
    params(
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
        ("limit" = Option<u32>, Query, description = "1–200 sign-ins; 50 when absent."),
    ),
    responses(
        (status = 200, description = "A page.", body = SessionPage),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list_sessions(
    State(app): State<AppState>,
    caller: Caller,
    query: QueryFields,
) -> Result<Json<SessionPage>, Refusal> {
    let (cursor, limit) = query.page(50)?;
    let principal = caller.principal();
    let page = app
        .identity()?
        .list_sessions(principal, cursor.as_deref(), limit)
        .await?;
    let own = principal.signed_in_as().map(|one| one.session.as_str());
    let shown = page.items.into_iter().map(|session| SessionShown {
        current: own == Some(session.id.as_str()),
        session,
    });
    Ok(Json(SessionPage {
        items: shown.collect(),
        next_cursor: page.next_cursor,
    }))
}

/// Ends one of the caller's sign-ins, everywhere, at once.
#[utoipa::path(
    delete, path = "/api/account/sessions/{id}", tag = "Account", security(("local" = [])),
    params(("id" = String, Path, description = "The sign-in.")),
    responses(
        (status = 204, description = "Ended."),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn end_session(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId,
) -> Result<StatusCode, Refusal> {
    let identity = app.identity()?;
    identity
        .end_session(caller.principal(), caller.visit()?, &id)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends all of the caller's sign-ins but the one this request is made with.
#[utoipa::path(
    delete, path = "/api/account/sessions", tag = "Account", security(("local" = [])),
    responses(
        (status = 200, description = "How many were ended.", body = EndedAnswer),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn end_other_sessions(
    State(app): State<AppState>,
    caller: Caller,
) -> Result<Json<EndedAnswer>, Refusal> {
    let identity = app.identity()?;
    let ended = identity
        .end_other_sessions(caller.principal(), caller.visit()?)
        .await?;
    Ok(Json(EndedAnswer { ended }))
}

/// Everything kept of the caller as one ZIP archive: each chat as Markdown; chats, turns, traces, usage, sign-ins, links
/// and what was done to the account as JSON. It is made while it is sent.
#[utoipa::path(
    get, path = "/api/account/export", tag = "Account", security(("local" = [])),
    responses(
        (status = 200, description = "The archive.", body = [u8], content_type = "application/zip"),
        (status = "4XX", description = "Refused; 429 while too many others take theirs.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn export_account(State(app): State<AppState>, caller: Caller) -> Result<Response, Refusal> {
    let place = app
        .identity()?
        .begin_export(caller.principal(), caller.visit()?)
        .await?;
    let pieces = app.store()?.export(&caller.owner()).map(move |piece| {
        // Held until the last piece is on its way.
        let _ = &place;
        piece
            .map(Bytes::from)
            .inspect_err(|error| tracing::warn!(%error, "an export ends in the middle"))
    });
    let day: String = app.clock.now().to_rfc3339().chars().take(10).collect();
    let headers = [
        (CONTENT_TYPE, "application/zip".to_owned()),
        (
            CONTENT_DISPOSITION,
            format!("attachment; filename=\"goblin-export-{day}.zip\""),
        ),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// Ends the caller's account for good and erases everything of it: chats, turns, traces, labels, sign-ins and links. What
/// was used stays booked, on nobody. Whoever signed in more than ten minutes ago gives the password. The last owner
/// stays.
#[utoipa::path(
    delete, path = "/api/account", tag = "Account", security(("local" = [])),
    request_body = AccountEnd,
    responses(
        (status = 204, description = "Gone."),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn delete_account(
    State(app): State<AppState>,
    caller: Caller,
    RawBody(body): RawBody,
) -> Result<Response, Refusal> {
    let mut fields = Fields::parse(&body)?;
    let password = fields.presented_password("password")?;
    fields.finish()?;
    app.identity()?
        .leave(caller.principal(), caller.visit()?, password.as_ref())
        .await?;
    let cookies = cookie::clear().map(|cookie| (SET_COOKIE, cookie));
    let forget = [(CLEAR_SITE_DATA, "\"cache\", \"storage\"")];
    Ok((StatusCode::NO_CONTENT, AppendHeaders(cookies), forget).into_response())
}
