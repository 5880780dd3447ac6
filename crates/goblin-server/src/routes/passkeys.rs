//! Passkeys: signing in by them, and the caller's own.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use goblin_auth::identity::CeremonyBegun;
use goblin_core::account::Passkey;
use goblin_core::conversation::Problem;
use goblin_core::error::ApiError;
use goblin_core::limits::MAX_TITLE_CHARS;
use http::StatusCode;
use secrecy::ExposeSecret;

use crate::app::AppState;
use crate::caller::{Caller, Guest};
use crate::extract::{PathId, QueryFields, RawBody};
use crate::fields::Fields;
use crate::openapi::LegacyError;
use crate::openapi::accounts::{
    PasskeyBegin, PasskeyBody, PasskeyCeremony, PasskeyList, PasskeyName, PasskeySignInBody, SignInAnswer,
};
use crate::refusal::Refusal;
use crate::signed_in::signed_in;

/// Most bytes of a field; what it holds has narrower bounds of its own.
const MAX_FIELD_BYTES: usize = 16 * 1024;

/// Begins a passkey for the caller's account. Who signed in more than ten minutes ago gives the password again.
#[utoipa::path(
    post, path = "/auth/passkey/register", tag = "Signing in", security(("local" = [])),
    request_body = PasskeyBegin,
    responses(
        (status = 200, description = "What the authenticator is asked.", body = PasskeyCeremony),
        (status = "4XX", description = "Refused; 409 where there can be no passkeys.", body = LegacyError),
    ),
)]
pub(super) async fn begin_passkey(
    State(app): State<AppState>,
    caller: Caller,
    RawBody(body): RawBody,
) -> Result<Json<PasskeyCeremony>, Refusal> {
    let mut fields = Fields::parse(&body)?;
    let password = fields.presented_password("password")?;
    fields.finish()?;
    let begun = app
        .identity()?
        .begin_passkey(caller.principal(), caller.visit()?, password.as_ref())
        .await?;
    Ok(shown(begun))
}

/// Keeps the passkey an authenticator made.
#[utoipa::path(
    post, path = "/auth/passkey/register/finish", tag = "Signing in", security(("local" = [])),
    request_body = PasskeyBody,
    responses(
        (status = 201, description = "Kept.", body = Passkey),
        (status = "4XX", description = "Refused; 422 when the answer is not right.", body = LegacyError),
    ),
)]
pub(super) async fn finish_passkey(
    State(app): State<AppState>,
    caller: Caller,
    RawBody(body): RawBody,
) -> Result<(StatusCode, Json<Passkey>), Refusal> {
    let mut fields = Fields::parse(&body)?;
    let ceremony = fields.required_text("ceremony", MAX_FIELD_BYTES)?;
    let credential = fields.required_object("credential")?;
    let name = fields.label("name", MAX_TITLE_CHARS)?.flatten();
    fields.finish()?;
    let made = app
        .identity()?
        .finish_passkey(caller.principal(), caller.visit()?, &ceremony, credential, name)
        .await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// Begins a sign-in by a passkey.
#[utoipa::path(
    post, path = "/auth/passkey/login", tag = "Signing in", security(()),
    responses(
        (status = 200, description = "What the authenticator is asked.", body = PasskeyCeremony),
        (status = "4XX", description = "Refused; 409 where there can be no passkeys, 429 after too many.", body = LegacyError),
    ),
)]
pub(super) async fn begin_passkey_sign_in(
    guest: Guest,
    RawBody(body): RawBody,
) -> Result<Json<PasskeyCeremony>, Refusal> {
    Fields::parse(&body)?.finish()?;
    Ok(shown(guest.identity.begin_passkey_sign_in(&guest.visit).await?))
}

/// Signs in by a passkey.
#[utoipa::path(
    post, path = "/auth/passkey/login/finish", tag = "Signing in", security(()),
    request_body = PasskeySignInBody,
    responses(
        (status = 200, description = "Signed in.", body = SignInAnswer),
        (status = "4XX", description = "Refused; 401 when the passkey lets nobody in, 429 after too many.", body = LegacyError),
    ),
)]
pub(super) async fn sign_in_with_passkey(guest: Guest, RawBody(body): RawBody) -> Result<Response, Refusal> {
    let mut fields = Fields::parse(&body)?;
    let ceremony = fields.required_text("ceremony", MAX_FIELD_BYTES)?;
    let credential = fields.required_object("credential")?;
    fields.finish()?;
    let made = guest
        .identity
        .finish_passkey_sign_in(&guest.visit, &ceremony, credential)
        .await?;
    Ok(signed_in(made))
}

/// Lists the caller's passkeys, newest first; there are at most 20.
#[utoipa::path(
    get, path = "/api/account/passkeys", tag = "Account", security(("local" = [])),
    responses(
        (status = 200, description = "All of them.", body = PasskeyList),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list_passkeys(
    State(app): State<AppState>,
    caller: Caller,
    query: QueryFields,
) -> Result<Json<PasskeyList>, Refusal> {
    query.only(&[])?;
    let items = app.identity()?.list_passkeys(caller.principal()).await?;
    Ok(Json(PasskeyList { items }))
}

/// Calls one of the caller's passkeys something else.
#[utoipa::path(
    patch, path = "/api/account/passkeys/{id}", tag = "Account", security(("local" = [])),
    params(("id" = String, Path, description = "The passkey.")),
    request_body = PasskeyName,
    responses(
        (status = 200, description = "As it is now.", body = Passkey),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn update_passkey(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId,
    RawBody(body): RawBody,
) -> Result<Json<Passkey>, Refusal> {
    let mut fields = Fields::parse(&body)?;
    let name = fields.label("name", MAX_TITLE_CHARS)?.flatten();
    fields.finish()?;
    let name =
        name.ok_or_else(|| ApiError::invalid("name", "`name` must be given: a text that is not empty."))?;
    let renamed = app
        .identity()?
        .rename_passkey(caller.principal(), caller.visit()?, &id, &name)
        .await?;
    Ok(Json(renamed))
}

/// Removes one of the caller's passkeys; sign-ins made with it go on. The last way to sign in is removed only when asked
/// to expressly.
#[utoipa::path(
    delete, path = "/api/account/passkeys/{id}", tag = "Account", security(("local" = [])),
    params(
        ("id" = String, Path, description = "The passkey."),
        ("even_the_last" = Option<bool>, Query, description = "`true`: also when nothing is left to sign in with."),
    ),
    responses(
        (status = 204, description = "Removed."),
        (status = "4XX", description = "Refused; 409 for the last way to sign in.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn delete_passkey(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId,
    query: QueryFields,
) -> Result<StatusCode, Refusal> {
    let query = query.only(&["even_the_last"])?;
    let even_the_last = match query.text("even_the_last") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => {
            let message = "`even_the_last` must be `true` or `false`.";
            return Err(ApiError::invalid("even_the_last", message).into());
        }
    };
    app.identity()?
        .remove_passkey(caller.principal(), caller.visit()?, &id, even_the_last)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

fn shown(begun: CeremonyBegun) -> Json<PasskeyCeremony> {
    Json(PasskeyCeremony {
        ceremony: begun.ceremony.expose_secret().to_owned(),
        options: begun.options,
    })
}
