//! What is asked for with an address and answered by a letter.

use axum::Json;
use axum::extract::State;
use goblin_auth::email::Email;
use goblin_core::conversation::Problem;
use http::StatusCode;

use crate::app::AppState;
use crate::caller::{Caller, Guest};
use crate::extract::RawBody;
use crate::fields::Fields;
use crate::openapi::LegacyError;
use crate::openapi::accounts::{AddressBody, DoneAnswer, TokenBody};
use crate::refusal::Refusal;

/// Most bytes of a field; what it holds has narrower bounds of its own.
const MAX_FIELD_BYTES: usize = 16 * 1024;

/// Asks for a letter with a link to set another password. The answer is the same whether or not there is an account of
/// the address.
#[utoipa::path(
    post, path = "/auth/forgot", tag = "Signing in", security(()),
    request_body = AddressBody,
    responses(
        (status = 202, description = "Taken.", body = DoneAnswer),
        (status = "4XX", description = "Refused; 409 where no mail is sent.", body = LegacyError),
    ),
)]
pub(super) async fn send_reset_link(
    guest: Guest,
    RawBody(body): RawBody,
) -> Result<(StatusCode, Json<DoneAnswer>), Refusal> {
    let mut fields = Fields::parse(&body)?;
    let email = fields.required_text("email", MAX_FIELD_BYTES)?;
    fields.finish()?;
    guest
        .identity
        .ask_for_reset(&guest.visit, Email::parse(&email)?)
        .await?;
    let done = DoneAnswer {
        detail: "If there is an account of this address, a letter with a link is on its way there."
            .to_owned(),
    };
    Ok((StatusCode::ACCEPTED, Json(done)))
}

/// Notes that an e-mail address is its owner's, by the link that was sent there.
#[utoipa::path(
    post, path = "/auth/verification", tag = "Signing in", security(()),
    request_body = TokenBody,
    responses(
        (status = 200, description = "Noted.", body = DoneAnswer),
        (status = "4XX", description = "Refused.", body = LegacyError),
    ),
)]
pub(super) async fn verify_email(guest: Guest, RawBody(body): RawBody) -> Result<Json<DoneAnswer>, Refusal> {
    let mut fields = Fields::parse(&body)?;
    let token = fields.required_text("token", MAX_FIELD_BYTES)?;
    fields.finish()?;
    guest.identity.finish_verification(&guest.visit, &token).await?;
    Ok(Json(DoneAnswer {
        detail: "This e-mail address is yours.".to_owned(),
    }))
}

/// Asks for a letter with a link that shows that the caller's e-mail address is theirs.
#[utoipa::path(
    post, path = "/api/account/verification", tag = "Account", security(("local" = [])),
    responses(
        (status = 202, description = "Taken."),
        (status = "4XX", description = "Refused; 409 where no mail is sent.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn send_verification_link(
    State(app): State<AppState>,
    caller: Caller,
) -> Result<StatusCode, Refusal> {
    app.identity()?.ask_for_verification(caller.principal()).await?;
    Ok(StatusCode::ACCEPTED)
}
