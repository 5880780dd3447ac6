//! Signing in by others' word: Google, other providers of OpenID Connect, Supabase.

use axum::Json;
use axum::response::{AppendHeaders, IntoResponse, Response};
use goblin_auth::cookie;
use goblin_auth::identity::{Begun, Denied, Finished, Given, Returned, SignedIn, Why};
use goblin_core::error::ApiError;
use http::header::{LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};
use secrecy::ExposeSecret;

use crate::caller::Guest;
use crate::extract::{ProviderId, QueryFields, RawBody};
use crate::fields::Fields;
use crate::openapi::LegacyError;
use crate::openapi::accounts::{AuthorizationUrl, CallbackBody, IdTokenBody, SignInAnswer, TokenBody};
use crate::refusal::Refusal;
use crate::signed_in::{cookie_value, signed_in};

/// Google's name among the providers.
const GOOGLE: &str = "google";
/// Most bytes of a token or a code; what it holds has narrower bounds of its own.
const MAX_FIELD_BYTES: usize = 32 * 1024;
/// Where the page is led to: its beginning, where whoever is not signed in signs in, and where ways in are linked.
const HOME: &str = "/";
const LINKED_PAGE: &str = "/account/linked";

/// Begins a sign-in at Google: where the browser goes now. The sign-in is bound to this browser by a cookie.
#[utoipa::path(
    get, path = "/auth/google/url", tag = "Signing in", security(()),
    responses(
        (status = 200, description = "Where to.", body = AuthorizationUrl),
        (status = "4XX", description = "Refused; 404 when Google is not configured.", body = LegacyError),
        (status = "5XX", description = "Google does not answer.", body = LegacyError),
    ),
)]
pub(super) async fn get_google_url(guest: Guest, query: QueryFields) -> Result<Response, Refusal> {
    begin(&guest, GOOGLE, query).await
}

/// Begins a sign-in at a provider: where the browser goes now. The sign-in is bound to this browser by a cookie.
#[utoipa::path(
    get, path = "/auth/oidc/{provider}/url", tag = "Signing in", security(()),
    params(("provider" = String, Path, description = "As `/auth/state` names it.")),
    responses(
        (status = 200, description = "Where to.", body = AuthorizationUrl),
        (status = "4XX", description = "Refused; 404 for one that is not configured.", body = LegacyError),
        (status = "5XX", description = "The provider does not answer.", body = LegacyError),
    ),
)]
pub(super) async fn get_provider_url(
    guest: Guest,
    ProviderId(provider): ProviderId,
    query: QueryFields,
) -> Result<Response, Refusal> {
    begin(&guest, &provider, query).await
}

async fn begin(guest: &Guest, provider: &str, query: QueryFields) -> Result<Response, Refusal> {
    // Where people end up afterwards is not for a request to say.
    query.only(&[])?;
    let Begun { url, cookie } = guest.identity.begin_elsewhere(&guest.visit, provider).await?;
    let url = url.expose_secret().to_owned();
    let answer = AuthorizationUrl {
        authorization_url: url.clone(),
        url,
    };
    Ok(([(SET_COOKIE, cookie_value(&cookie)?)], Json(answer)).into_response())
}

/// Signs in by an ID token of Google, as its own script gives it to a page. Each is good once.
#[utoipa::path(
    post, path = "/auth/google", tag = "Signing in", security(()),
    request_body = IdTokenBody,
    responses(
        (status = 200, description = "Signed in.", body = SignInAnswer),
        (status = "4XX", description = "Refused; 401 for a token that is not good, 403 for somebody nobody invited.", body = LegacyError),
        (status = "5XX", description = "Google does not answer.", body = LegacyError),
    ),
)]
pub(super) async fn sign_in_with_google(guest: Guest, RawBody(body): RawBody) -> Result<Response, Refusal> {
    let mut fields = Fields::parse(&body)?;
    let name = if fields.has("credential") && !fields.has("token") {
        "credential"
    } else {
        "token"
    };
    let token = fields.required_text(name, MAX_FIELD_BYTES)?;
    fields.finish()?;
    let made = guest
        .identity
        .sign_in_by_id_token(&guest.visit, GOOGLE, &token)
        .await
        .map_err(ApiError::from)?;
    Ok(signed_in(made))
}

/// Where Google sends browsers back to: signs in and leads to the page. What went wrong, the page says.
#[utoipa::path(
    get, path = "/auth/google/callback", tag = "Signing in", security(()),
    params(
        ("state" = Option<String>, Query, description = "As it went there."),
        ("code" = Option<String>, Query, description = "To be exchanged at Google."),
        ("error" = Option<String>, Query, description = "What was refused there."),
        ("iss" = Option<String>, Query, description = "Who sends back."),
    ),
    responses((status = 302, description = "To the page: signed in with a cookie, or with `error` in the address.")),
)]
pub(super) async fn return_from_google(guest: Guest, headers: HeaderMap, query: QueryFields) -> Response {
    lead_to_page(&guest, &headers, GOOGLE, &query).await
}

/// Where a provider sends browsers back to: signs in and leads to the page. What went wrong, the page says.
#[utoipa::path(
    get, path = "/auth/oidc/{provider}/callback", tag = "Signing in", security(()),
    params(
        ("provider" = String, Path, description = "As `/auth/state` names it."),
        ("state" = Option<String>, Query, description = "As it went there."),
        ("code" = Option<String>, Query, description = "To be exchanged at the provider."),
        ("error" = Option<String>, Query, description = "What was refused there."),
        ("iss" = Option<String>, Query, description = "Who sends back."),
    ),
    responses((status = 302, description = "To the page: signed in with a cookie, or with `error` in the address.")),
)]
pub(super) async fn return_from_provider(
    guest: Guest,
    ProviderId(provider): ProviderId,
    headers: HeaderMap,
    query: QueryFields,
) -> Response {
    lead_to_page(&guest, &headers, &provider, &query).await
}

/// Finishes a sign-in at Google for a client that was handed `code` and `state` itself. The cookie that was set when it
/// began must come along.
#[utoipa::path(
    post, path = "/auth/google/callback", tag = "Signing in", security(()),
    request_body = CallbackBody,
    responses(
        (status = 200, description = "Signed in.", body = SignInAnswer),
        (status = "4XX", description = "Refused.", body = LegacyError),
        (status = "5XX", description = "Google does not answer.", body = LegacyError),
    ),
)]
pub(super) async fn finish_google(
    guest: Guest,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<Response, Refusal> {
    let mut fields = Fields::parse(&body)?;
    let returned = Returned {
        code: Some(fields.required_text("code", MAX_FIELD_BYTES)?),
        state: Some(fields.required_text("state", MAX_FIELD_BYTES)?),
        iss: fields.long_text("iss", MAX_FIELD_BYTES)?.flatten(),
        error: None,
    };
    fields.finish()?;
    let finished = guest
        .identity
        .finish_elsewhere(&guest.visit, &headers, GOOGLE, &returned, false)
        .await
        .map_err(ApiError::from)?;
    match finished {
        Finished::SignedIn(made) => Ok(signed_in(made)),
        Finished::Linked => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

/// Signs in by an access token of Supabase Auth. Somebody new is taken in by an invitation for the address Supabase has
/// confirmed, or where registration is open; from then on such tokens are also taken as `Authorization: Bearer`.
#[utoipa::path(
    post, path = "/auth/supabase", tag = "Signing in", security(()),
    request_body = TokenBody,
    responses(
        (status = 200, description = "Signed in.", body = SignInAnswer),
        (status = "4XX", description = "Refused; 401 for a token that is not good, 404 when Supabase is not configured.", body = LegacyError),
        (status = "5XX", description = "Supabase does not answer.", body = LegacyError),
    ),
)]
pub(super) async fn sign_in_with_supabase(guest: Guest, RawBody(body): RawBody) -> Result<Response, Refusal> {
    let mut fields = Fields::parse(&body)?;
    let token = fields.required_text("token", MAX_FIELD_BYTES)?;
    fields.finish()?;
    let made = guest
        .identity
        .sign_in_by_supabase(&guest.visit, &token)
        .await
        .map_err(ApiError::from)?;
    Ok(signed_in(made))
}

/// Finishes a sign-in and leads the browser to a place of the page: one of three, whatever came along.
async fn lead_to_page(guest: &Guest, headers: &HeaderMap, provider: &str, query: &QueryFields) -> Response {
    let text = |name: &str| query.single(name).map(str::to_owned);
    let returned = Returned {
        state: text("state"),
        code: text("code"),
        error: text("error"),
        iss: text("iss"),
    };
    let finished = guest
        .identity
        .finish_elsewhere(&guest.visit, headers, provider, &returned, true)
        .await;
    let led = match finished {
        Ok(Finished::SignedIn(SignedIn { given, .. })) => match given {
            Given::Cookie(cookie) => cookie_value(&cookie).map(|cookie| (HOME.to_owned(), Some(cookie))),
            Given::Tokens(_) => Err(ApiError::internal("a browser was given tokens")),
        },
        Ok(Finished::Linked) => Ok((format!("{LINKED_PAGE}?linked={provider}"), None)),
        Err(denied) => Ok((refused(guest, headers, &denied, provider).await, None)),
    };
    let (place, cookie) = match led {
        Ok(led) => led,
        Err(error) => (refused(guest, headers, &error.into(), provider).await, None),
    };
    let base = guest.identity.page_elsewhere().unwrap_or_default();
    let Ok(location) = HeaderValue::try_from(format!("{base}{place}")) else {
        return Refusal(ApiError::internal("a place of the page that is none")).into_response();
    };
    let gone = cookie::clear_flow().map(|cookie| (SET_COOKIE, cookie));
    let given = cookie.map(|cookie| (SET_COOKIE, cookie));
    (
        StatusCode::FOUND,
        [(LOCATION, location)],
        AppendHeaders(gone),
        AppendHeaders(given),
    )
        .into_response()
}

/// Where the page says why it came to nothing. The reason goes to the log here: a redirect carries no refusal.
async fn refused(guest: &Guest, headers: &HeaderMap, denied: &Denied, provider: &str) -> String {
    let (why, internal) = (denied.why.as_str(), denied.error.internal.as_deref());
    let provider: String = provider.chars().take(40).collect();
    if matches!(denied.why, Why::ProviderDown | Why::Failed) {
        tracing::warn!(provider, why, internal, "a sign-in at a provider failed");
    } else {
        tracing::info!(provider, why, internal, "a sign-in at a provider was refused");
    }
    let is_signed_in = guest.identity.recognise(headers, &guest.visit).await.is_ok();
    let page = if is_signed_in { LINKED_PAGE } else { HOME };
    format!("{page}?error={why}")
}
