//! Signing in and out: the paths old clients know, and ours beside them.

use axum::Json;
use axum::extract::State;
use axum::response::{AppendHeaders, IntoResponse, Response};
use goblin_auth::cookie;
use goblin_auth::email::Email;
use goblin_auth::identity::Applicant;
use goblin_auth::password::Password;
use goblin_auth::principal::PrincipalKind;
use goblin_auth::visit::Way;
use goblin_core::account::Role;
use goblin_core::error::ApiError;
use goblin_core::limits::MAX_TITLE_CHARS;
use goblin_core::owner::Owner;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderName, SET_COOKIE};

use crate::app::{Access, AppState};
use crate::caller::{Caller, Guest};
use crate::extract::RawBody;
use crate::fields::Fields;
use crate::openapi::LegacyError;
use crate::openapi::accounts::{
    AcceptBody, DoneAnswer, LinkAnswer, ProviderShown, RefreshBody, RegisterBody, ResetBody, SetupBody,
    SignInAnswer, SignInBody, SignInState, TokenBody, User, ValidAnswer,
};
use crate::people::Standing;
use crate::refusal::Refusal;
use crate::signed_in::signed_in;

/// Most bytes of a field; what it holds has narrower bounds of its own.
const MAX_FIELD_BYTES: usize = 16 * 1024;
const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");

/// Says how people come in here, and who is signed in.
#[utoipa::path(
    get, path = "/auth/state", tag = "Signing in", security(()),
    responses((status = 200, description = "How things stand.", body = SignInState)),
)]
pub(super) async fn get_sign_in_state(
    State(app): State<AppState>,
    guest: Guest,
    headers: HeaderMap,
) -> Result<Json<SignInState>, Refusal> {
    let Access::People(people) = &app.access else {
        return Err(ApiError::not_found("path").into());
    };
    let (mode, user) = match people.standing().await {
        Standing::Local(_) => ("local", Some(local_owner())),
        Standing::Empty => ("setup", None),
        Standing::Accounts => ("accounts", who_is_signed_in(&guest, &headers).await?),
    };
    let way = match guest.visit.way {
        Way::Secure => "secure",
        Way::Near => "near",
        Way::Far => "far",
    };
    let named = guest.identity.providers();
    let providers: Vec<ProviderShown> = named
        .map(|(id, name)| ProviderShown {
            id: id.to_owned(),
            name: name.to_owned(),
        })
        .collect();
    let passkey_origins = guest.identity.passkey_origins().to_vec();
    let mut methods = vec!["password".to_owned()];
    if !passkey_origins.is_empty() {
        methods.push("passkey".to_owned());
    }
    if !providers.is_empty() {
        methods.push("provider".to_owned());
    }
    Ok(Json(SignInState {
        mode: mode.to_owned(),
        registration_open: guest.identity.registration_open(),
        sends_mail: guest.identity.sends_mail(),
        methods,
        providers,
        passkey_origins,
        way: way.to_owned(),
        user,
    }))
}

async fn who_is_signed_in(guest: &Guest, headers: &HeaderMap) -> Result<Option<User>, ApiError> {
    match guest.identity.recognise(headers, &guest.visit).await {
        Ok(principal) => Ok(Some(guest.identity.account(&principal).await?.into())),
        Err(error) if error.status(true) == 401 => Ok(None),
        Err(error) => Err(error),
    }
}

fn local_owner() -> User {
    User {
        id: Owner::LOCAL_USER.to_owned(),
        email: None,
        name: None,
        role: Role::Owner,
        has_password: false,
    }
}

/// Makes the first account, an owner's, and signs it in. Everything made before in local mode is theirs.
#[utoipa::path(
    post, path = "/auth/setup", tag = "Signing in", security(()),
    request_body = SetupBody,
    responses(
        (status = 200, description = "Signed in.", body = SignInAnswer),
        (status = "4XX", description = "Refused.", body = LegacyError),
    ),
)]
pub(super) async fn create_first_account(guest: Guest, RawBody(body): RawBody) -> Result<Response, Refusal> {
    let mut fields = Fields::parse(&body)?;
    let token = fields.long_text("token", MAX_FIELD_BYTES)?.flatten();
    let applicant = applicant(&mut fields)?;
    fields.finish()?;
    let (visit, is_local) = (&guest.visit, guest.is_local);
    let made = guest
        .identity
        .set_up(visit, token.as_deref(), is_local, applicant)
        .await?;
    Ok(signed_in(made))
}

/// Makes an account for whoever asks and signs it in, where registration is open.
#[utoipa::path(
    post, path = "/auth/register", tag = "Signing in", security(()),
    request_body = RegisterBody,
    responses(
        (status = 200, description = "Signed in.", body = SignInAnswer),
        (status = 400, description = "The address has an account.", body = LegacyError),
        (status = "4XX", description = "Refused; 403 while registration is closed.", body = LegacyError),
    ),
)]
pub(super) async fn register_account(
    guest: Guest,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<Response, Refusal> {
    let mut fields = Fields::parse_json_or_form(content_type(&headers), &body)?;
    let applicant = applicant(&mut fields)?;
    fields.finish()?;
    Ok(signed_in(guest.identity.register(&guest.visit, applicant).await?))
}

/// Signs in by e-mail address and password.
#[utoipa::path(
    post, path = "/auth/login", tag = "Signing in", security(()),
    request_body = SignInBody,
    responses(
        (status = 200, description = "Signed in.", body = SignInAnswer),
        (status = "4XX", description = "Refused; 401 for a wrong address or password, 429 after too many.", body = LegacyError),
    ),
)]
pub(super) async fn sign_in(
    guest: Guest,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<Response, Refusal> {
    let mut fields = Fields::parse_json_or_form(content_type(&headers), &body)?;
    let email = Email::parse(&email_field(&mut fields)?)?;
    let password = fields.required_text("password", MAX_FIELD_BYTES)?;
    fields.finish()?;
    let password = Password::presented("password", &password)?;
    Ok(signed_in(
        guest.identity.sign_in(&guest.visit, &email, &password).await?,
    ))
}

/// Exchanges a refresh token for new tokens, once.
#[utoipa::path(
    post, path = "/auth/refresh", tag = "Signing in", security(()),
    request_body = RefreshBody,
    responses(
        (status = 200, description = "New tokens.", body = SignInAnswer),
        (status = "4XX", description = "Refused; 401 when it is not good any more.", body = LegacyError),
    ),
)]
pub(super) async fn refresh_tokens(
    guest: Guest,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<Response, Refusal> {
    let mut fields = Fields::parse_json_or_form(content_type(&headers), &body)?;
    let token = fields.required_text("refresh_token", MAX_FIELD_BYTES)?;
    fields.finish()?;
    Ok(signed_in(guest.identity.refresh(&guest.visit, &token).await?))
}

/// Says whether an access token is good, and whose it is.
#[utoipa::path(
    post, path = "/auth/validate", tag = "Signing in", security(()),
    request_body = TokenBody,
    responses(
        (status = 200, description = "Whether it is good.", body = ValidAnswer),
        (status = "4XX", description = "Refused.", body = LegacyError),
    ),
)]
pub(super) async fn validate_token(
    guest: Guest,
    RawBody(body): RawBody,
) -> Result<Json<ValidAnswer>, Refusal> {
    let mut fields = Fields::parse(&body)?;
    let token = fields.required_text("token", MAX_FIELD_BYTES)?;
    fields.finish()?;
    let account = guest.identity.account_of_token(&token).await?;
    Ok(Json(ValidAnswer {
        valid: account.is_some(),
        user: account.map(User::from),
    }))
}

/// Ends the sign-in this request is made with, everywhere, at once. Without one there is nothing to end.
#[utoipa::path(
    post, path = "/auth/logout", tag = "Signing in", security(()),
    responses(
        (status = 200, description = "Signed out.", body = DoneAnswer),
        (status = "4XX", description = "Refused.", body = LegacyError),
    ),
)]
pub(super) async fn sign_out(guest: Guest, headers: HeaderMap) -> Result<Response, Refusal> {
    guest.identity.sign_out(&guest.visit, &headers).await?;
    let cookies = cookie::clear().map(|cookie| (SET_COOKIE, cookie));
    let done = DoneAnswer {
        detail: "Signed out.".to_owned(),
    };
    let forget = [(CLEAR_SITE_DATA, "\"cache\"")];
    Ok((AppendHeaders(cookies), forget, Json(done)).into_response())
}

/// Shows who is signed in; in local mode the one owner.
#[utoipa::path(
    get, path = "/auth/me", tag = "Signing in", security(("local" = [])),
    responses(
        (status = 200, description = "Who.", body = User),
        (status = "4XX", description = "Refused; 401 when nobody is.", body = LegacyError),
    ),
)]
pub(super) async fn get_me(State(app): State<AppState>, caller: Caller) -> Result<Json<User>, Refusal> {
    Ok(Json(match caller.principal().kind {
        PrincipalKind::SignedIn(_) | PrincipalKind::ApiKey(_) => {
            app.identity()?.account(caller.principal()).await?.into()
        }
        PrincipalKind::Local | PrincipalKind::TierKey { .. } => local_owner(),
    }))
}

/// Says what a link (set-up, invitation, another password) is good for, before it is used.
#[utoipa::path(
    post, path = "/auth/link", tag = "Signing in", security(()),
    request_body = TokenBody,
    responses(
        (status = 200, description = "What it is good for.", body = LinkAnswer),
        (status = "4XX", description = "Refused; 403 when it is not good.", body = LegacyError),
    ),
)]
pub(super) async fn look_at_link(guest: Guest, RawBody(body): RawBody) -> Result<Json<LinkAnswer>, Refusal> {
    let mut fields = Fields::parse(&body)?;
    let token = fields.required_text("token", MAX_FIELD_BYTES)?;
    fields.finish()?;
    let link = guest.identity.look_at_link(&guest.visit, &token).await?;
    Ok(Json(LinkAnswer {
        kind: link.kind,
        email: link.email,
        role: link.role,
        expires_at: link.expires_at,
    }))
}

/// Makes the account an invitation is for and signs it in.
#[utoipa::path(
    post, path = "/auth/invitation", tag = "Signing in", security(()),
    request_body = AcceptBody,
    responses(
        (status = 200, description = "Signed in.", body = SignInAnswer),
        (status = "4XX", description = "Refused; 403 when the link is not good, 409 when the address has an account.", body = LegacyError),
    ),
)]
pub(super) async fn accept_invitation(guest: Guest, RawBody(body): RawBody) -> Result<Response, Refusal> {
    let mut fields = Fields::parse(&body)?;
    let token = fields.required_text("token", MAX_FIELD_BYTES)?;
    let email = fields.long_text("email", MAX_FIELD_BYTES)?.flatten();
    let name = fields.label("name", MAX_TITLE_CHARS)?.flatten();
    let password = fields.required_text("password", MAX_FIELD_BYTES)?;
    fields.finish()?;
    let made = guest
        .identity
        .accept_invitation(&guest.visit, &token, email.as_deref(), name, &password)
        .await?;
    Ok(signed_in(made))
}

/// Sets another password by a link that an owner or admin made. Every sign-in of the account ends.
#[utoipa::path(
    post, path = "/auth/reset", tag = "Signing in", security(()),
    request_body = ResetBody,
    responses(
        (status = 200, description = "Set. Now sign in.", body = DoneAnswer),
        (status = "4XX", description = "Refused; 403 when the link is not good.", body = LegacyError),
    ),
)]
pub(super) async fn reset_password(
    guest: Guest,
    RawBody(body): RawBody,
) -> Result<Json<DoneAnswer>, Refusal> {
    let mut fields = Fields::parse(&body)?;
    let token = fields.required_text("token", MAX_FIELD_BYTES)?;
    let password = fields.required_text("password", MAX_FIELD_BYTES)?;
    fields.finish()?;
    guest
        .identity
        .finish_reset(&guest.visit, &token, &password)
        .await?;
    Ok(Json(DoneAnswer {
        detail: "The password is set. Sign in with it.".to_owned(),
    }))
}

fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok())
}

/// `email`, which some clients call `username`.
fn email_field(fields: &mut Fields) -> Result<String, ApiError> {
    let name = if fields.has("email") || !fields.has("username") {
        "email"
    } else {
        "username"
    };
    fields.required_text(name, MAX_FIELD_BYTES)
}

fn applicant(fields: &mut Fields) -> Result<Applicant, ApiError> {
    let email = Email::parse(&email_field(fields)?)?;
    let name = fields.label("name", MAX_TITLE_CHARS)?.flatten();
    let password = fields.required_text("password", MAX_FIELD_BYTES)?;
    let password = Password::chosen("password", &password, &email)?;
    Ok(Applicant {
        email,
        name,
        password,
    })
}
