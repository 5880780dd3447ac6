//! Other people's accounts: who they are, what they may do, who is let in, and what was done. For owners and admins.

use axum::Json;
use axum::extract::State;
use goblin_auth::email::Email;
use goblin_auth::identity::{NewLinkShown, UserChange};
use goblin_core::account::{Account, Role};
use goblin_core::conversation::Problem;
use goblin_core::error::ApiError;
use http::StatusCode;
use secrecy::ExposeSecret;

use crate::app::AppState;
use crate::caller::Caller;
use crate::extract::{PathId, QueryFields, RawBody, UserId};
use crate::fields::Fields;
use crate::openapi::accounts::{
    AccountChangeBody, AccountPage, AuditCheck, AuditPage, EndedAnswer, InvitationBody, InvitationPage,
    LinkMade,
};
use crate::refusal::Refusal;

/// Most bytes of an address; what is taken as one is shorter.
const MAX_EMAIL_BYTES: usize = 1024;

/// Lists the accounts, newest first, a page at a time.
#[utoipa::path(
    get, path = "/api/users", tag = "People", security(("local" = [])),
    params(
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
        ("limit" = Option<u32>, Query, description = "1–200 accounts; 50 when absent."),
    ),
    responses(
        (status = 200, description = "A page.", body = AccountPage),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list_users(
    State(app): State<AppState>,
    caller: Caller,
    query: QueryFields,
) -> Result<Json<AccountPage>, Refusal> {
    let (cursor, limit) = query.page(50)?;
    let identity = app.identity()?;
    let page = identity
        .list_users(caller.principal(), cursor.as_deref(), limit)
        .await?;
    Ok(Json(AccountPage {
        items: page.items,
        next_cursor: page.next_cursor,
    }))
}

/// Changes what somebody may do, shuts them out or lets them in again. Their sign-ins end. An admin may change members
/// and viewers, an owner everybody but themselves; the last owner stays.
#[utoipa::path(
    patch, path = "/api/users/{id}", tag = "People", security(("local" = [])),
    params(("id" = String, Path, description = "The account.")),
    request_body = AccountChangeBody,
    responses(
        (status = 200, description = "The account as it is now.", body = Account),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn update_user(
    State(app): State<AppState>,
    caller: Caller,
    UserId(id): UserId,
    RawBody(body): RawBody,
) -> Result<Json<Account>, Refusal> {
    let mut fields = Fields::parse(&body)?;
    let change = UserChange {
        role: role(&mut fields)?,
        disabled: fields.switch("disabled")?.flatten(),
    };
    fields.finish()?;
    if change == UserChange::default() {
        return Err(ApiError::invalid("role", "Give at least one of `role` and `disabled`.").into());
    }
    let identity = app.identity()?;
    let account = identity
        .update_user(caller.principal(), caller.visit()?, &id, change)
        .await?;
    Ok(Json(account))
}

/// Ends somebody's account for good and erases everything of it: chats, turns, traces, labels, sign-ins and links. What
/// was used stays booked, on nobody. The last owner stays.
#[utoipa::path(
    delete, path = "/api/users/{id}", tag = "People", security(("local" = [])),
    params(("id" = String, Path, description = "The account.")),
    responses(
        (status = 204, description = "Gone."),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn delete_user(
    State(app): State<AppState>,
    caller: Caller,
    UserId(id): UserId,
) -> Result<StatusCode, Refusal> {
    let identity = app.identity()?;
    identity
        .delete_user(caller.principal(), caller.visit()?, &id)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends every sign-in of somebody, everywhere, at once.
#[utoipa::path(
    delete, path = "/api/users/{id}/sessions", tag = "People", security(("local" = [])),
    params(("id" = String, Path, description = "The account.")),
    responses(
        (status = 200, description = "How many were ended.", body = EndedAnswer),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn end_user_sessions(
    State(app): State<AppState>,
    caller: Caller,
    UserId(id): UserId,
) -> Result<Json<EndedAnswer>, Refusal> {
    let identity = app.identity()?;
    let ended = identity
        .end_sessions_of(caller.principal(), caller.visit()?, &id)
        .await?;
    Ok(Json(EndedAnswer { ended }))
}

/// Makes a link by which somebody sets another password. It is shown this once; one made before ends.
#[utoipa::path(
    post, path = "/api/users/{id}/reset", tag = "People", security(("local" = [])),
    params(("id" = String, Path, description = "The account.")),
    responses(
        (status = 201, description = "The link.", body = LinkMade),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn create_reset_link(
    State(app): State<AppState>,
    caller: Caller,
    UserId(id): UserId,
) -> Result<(StatusCode, Json<LinkMade>), Refusal> {
    let identity = app.identity()?;
    let made = identity
        .make_reset_link(caller.principal(), caller.visit()?, &id)
        .await?;
    Ok((StatusCode::CREATED, Json(shown(&made))))
}

/// Lists the invitations that nobody has taken yet, newest first, a page at a time.
#[utoipa::path(
    get, path = "/api/invitations", tag = "People", security(("local" = [])),
    params(
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
        ("limit" = Option<u32>, Query, description = "1–200 invitations; 50 when absent."),
    ),
    responses(
        (status = 200, description = "A page.", body = InvitationPage),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list_invitations(
    State(app): State<AppState>,
    caller: Caller,
    query: QueryFields,
) -> Result<Json<InvitationPage>, Refusal> {
    let (cursor, limit) = query.page(50)?;
    let identity = app.identity()?;
    let page = identity
        .list_invitations(caller.principal(), cursor.as_deref(), limit)
        .await?;
    Ok(Json(InvitationPage {
        items: page.items,
        next_cursor: page.next_cursor,
    }))
}

/// Invites somebody. The link is shown this once.
#[utoipa::path(
    post, path = "/api/invitations", tag = "People", security(("local" = [])),
    request_body = InvitationBody,
    responses(
        (status = 201, description = "The link.", body = LinkMade),
        (status = "4XX", description = "Refused; 409 when the address has an account.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn create_invitation(
    State(app): State<AppState>,
    caller: Caller,
    RawBody(body): RawBody,
) -> Result<(StatusCode, Json<LinkMade>), Refusal> {
    let mut fields = Fields::parse(&body)?;
    let email = fields.long_text("email", MAX_EMAIL_BYTES)?.flatten();
    let role = role(&mut fields)?.unwrap_or(Role::Member);
    fields.finish()?;
    let email = email.as_deref().map(Email::parse).transpose()?;
    let identity = app.identity()?;
    let made = identity
        .invite(caller.principal(), caller.visit()?, email.as_ref(), role)
        .await?;
    Ok((StatusCode::CREATED, Json(shown(&made))))
}

/// Takes an invitation back.
#[utoipa::path(
    delete, path = "/api/invitations/{id}", tag = "People", security(("local" = [])),
    params(("id" = String, Path, description = "The invitation.")),
    responses(
        (status = 204, description = "Taken back."),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn delete_invitation(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId,
) -> Result<StatusCode, Refusal> {
    let identity = app.identity()?;
    identity
        .end_invitation(caller.principal(), caller.visit()?, &id)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists what was done to accounts and sign-ins, newest first, a page at a time.
#[utoipa::path(
    get, path = "/api/audit", tag = "People", security(("local" = [])),
    params(
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
        ("limit" = Option<u32>, Query, description = "1–200 events; 50 when absent."),
    ),
    responses(
        (status = 200, description = "A page.", body = AuditPage),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list_audit_events(
    State(app): State<AppState>,
    caller: Caller,
    query: QueryFields,
) -> Result<Json<AuditPage>, Refusal> {
    let (cursor, limit) = query.page(50)?;
    let identity = app.identity()?;
    let page = identity
        .list_audit(caller.principal(), cursor.as_deref(), limit)
        .await?;
    Ok(Json(AuditPage {
        items: page.items,
        next_cursor: page.next_cursor,
    }))
}

/// Reads the whole log of what was done, and says whether anything was changed or taken out of it afterwards.
#[utoipa::path(
    get, path = "/api/audit/check", tag = "People", security(("local" = [])),
    responses(
        (status = 200, description = "Whether all is as it was written.", body = AuditCheck),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn check_audit(
    State(app): State<AppState>,
    caller: Caller,
) -> Result<Json<AuditCheck>, Refusal> {
    let broken_at = app.identity()?.check_audit(caller.principal()).await?;
    Ok(Json(AuditCheck { broken_at }))
}

fn role(fields: &mut Fields) -> Result<Option<Role>, ApiError> {
    let refused = || ApiError::invalid("role", "`role` must be `viewer`, `member`, `admin` or `owner`.");
    match fields.label("role", 16).map_err(|_| refused())?.flatten() {
        None => Ok(None),
        Some(word) => Role::parse(&word).map(Some).ok_or_else(refused),
    }
}

fn shown(made: &NewLinkShown) -> LinkMade {
    LinkMade {
        id: made.id.clone(),
        url: made.url.expose_secret().to_owned(),
        path: made.path.expose_secret().to_owned(),
        expires_at: made.expires_at,
    }
}
