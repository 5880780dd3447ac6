//! The caller's ways in by others' word: which are linked, linking another, taking one away.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use goblin_auth::identity::Token;
use goblin_core::conversation::Problem;
use http::StatusCode;
use http::header::SET_COOKIE;
use secrecy::ExposeSecret;

use crate::app::AppState;
use crate::caller::Caller;
use crate::extract::{PathId, RawBody};
use crate::fields::Fields;
use crate::openapi::accounts::{AuthorizationUrl, IdentityList, IdentityView, LinkBody, PasswordBody};
use crate::refusal::Refusal;
use crate::signed_in::cookie_value;

/// Most bytes of a field; what it holds has narrower bounds of its own.
const MAX_FIELD_BYTES: usize = 32 * 1024;

/// Lists the accounts at providers that sign in to the caller's, newest first.
#[utoipa::path(
    get, path = "/api/account/identities", tag = "Account", security(("local" = [])),
    responses(
        (status = 200, description = "All of them.", body = IdentityList),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list_identities(
    State(app): State<AppState>,
    caller: Caller,
) -> Result<Json<IdentityList>, Refusal> {
    let found = app.identity()?.list_identities(caller.principal()).await?;
    let items = found.into_iter().map(|shown| IdentityView {
        id: shown.identity.id,
        provider: shown.provider,
        issuer: shown.identity.issuer,
        email: shown.identity.email,
        created_at: shown.identity.created_at,
        used_at: shown.identity.used_at,
    });
    Ok(Json(IdentityList {
        items: items.collect(),
    }))
}

/// Links an account at a provider to the caller's: by a token, at once, or by sending the browser there. Whoever signed in
/// more than ten minutes ago gives their password.
#[utoipa::path(
    post, path = "/api/account/identities", tag = "Account", security(("local" = [])),
    request_body = LinkBody,
    responses(
        (status = 200, description = "Where the browser goes now.", body = AuthorizationUrl),
        (status = 204, description = "Linked."),
        (status = "4XX", description = "Refused; 409 when it is linked already.", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "The provider does not answer.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn link_identity(
    State(app): State<AppState>,
    caller: Caller,
    RawBody(body): RawBody,
) -> Result<Response, Refusal> {
    let mut fields = Fields::parse(&body)?;
    let provider = fields.required_text("provider", MAX_FIELD_BYTES)?;
    let token = fields.long_text("token", MAX_FIELD_BYTES)?.flatten();
    let password = fields.presented_password("password")?;
    fields.finish()?;
    let (identity, principal, visit) = (app.identity()?, caller.principal(), caller.visit()?);
    if let Some(token) = token {
        identity
            .link_by_token(principal, visit, &provider, Token(&token), password.as_ref())
            .await?;
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let begun = identity
        .begin_linking(principal, visit, &provider, password.as_ref())
        .await?;
    let url = begun.url.expose_secret().to_owned();
    let answer = AuthorizationUrl {
        authorization_url: url.clone(),
        url,
    };
    Ok(([(SET_COOKIE, cookie_value(&begun.cookie)?)], Json(answer)).into_response())
}

/// Takes a way in away from the caller's account. The last one stays.
#[utoipa::path(
    delete, path = "/api/account/identities/{id}", tag = "Account", security(("local" = [])),
    params(("id" = String, Path, description = "The way in.")),
    request_body = Option<PasswordBody>,
    responses(
        (status = 204, description = "Taken away."),
        (status = "4XX", description = "Refused; 409 for the last way in.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn unlink_identity(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId,
    RawBody(body): RawBody,
) -> Result<StatusCode, Refusal> {
    let mut given = None;
    if !body.is_empty() {
        let mut fields = Fields::parse(&body)?;
        given = fields.presented_password("password")?;
        fields.finish()?;
    }
    let identity = app.identity()?;
    identity
        .unlink(caller.principal(), caller.visit()?, &id, given.as_ref())
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
