//! How whoever just signed in is told: by a cookie or by tokens, never both.

use axum::Json;
use axum::response::{IntoResponse, Response};
use goblin_auth::identity::{Given, SignedIn};
use goblin_core::error::ApiError;
use http::HeaderValue;
use http::header::SET_COOKIE;
use secrecy::{ExposeSecret, SecretString};

use crate::openapi::accounts::SignInAnswer;
use crate::refusal::Refusal;

/// The answer to somebody just signed in.
pub(crate) fn signed_in(made: SignedIn) -> Response {
    let mut answer = SignInAnswer {
        access_token: None,
        token_type: None,
        expires_in: None,
        refresh_token: None,
        user: made.account.into(),
    };
    match made.given {
        Given::Cookie(cookie) => match cookie_value(&cookie) {
            Ok(cookie) => ([(SET_COOKIE, cookie)], Json(answer)).into_response(),
            Err(error) => Refusal(error).into_response(),
        },
        Given::Tokens(tokens) => {
            answer.access_token = Some(tokens.access.expose_secret().to_owned());
            answer.token_type = Some("bearer".to_owned());
            answer.expires_in = Some(tokens.expires_in.as_secs());
            answer.refresh_token = Some(tokens.refresh.expose_secret().to_owned());
            Json(answer).into_response()
        }
    }
}

/// A value of `Set-Cookie`, kept out of logs.
///
/// # Errors
/// 500 when it cannot travel in a header.
pub(crate) fn cookie_value(cookie: &SecretString) -> Result<HeaderValue, ApiError> {
    let mut value = HeaderValue::try_from(cookie.expose_secret()).map_err(ApiError::internal)?;
    value.set_sensitive(true);
    Ok(value)
}
