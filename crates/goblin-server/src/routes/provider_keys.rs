//! Keys of providers: set, forgotten, and never shown again but for their last four characters. The paths below
//! `/api-keys` are those of old clients.

use axum::Json;
use axum::extract::State;
use goblin_auth::vault::ProviderKeyShown;
use goblin_core::conversation::Problem;
use goblin_core::error::ApiError;
use http::StatusCode;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::app::{App, AppState};
use crate::caller::Caller;
use crate::extract::{ProviderId, RawBody};
use crate::fields::{Fields, MAX_KEY_BYTES};
use crate::openapi::keys::{ProviderKeyBody, ProviderKeyList, ProviderKeyState};
use crate::refusal::Refusal;

fn shown(key: ProviderKeyShown) -> ProviderKeyState {
    ProviderKeyState {
        provider: key.provider,
        last_four: key.last_four,
        updated_at: key.updated_at,
        updated_by: key.updated_by,
    }
}

/// Lists which providers have a key, with its last four characters.
#[utoipa::path(
    get, path = "/api/provider-keys", tag = "Keys", security(("local" = [])),
    responses(
        (status = 200, description = "By provider.", body = ProviderKeyList),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list_provider_keys(
    State(app): State<AppState>,
    caller: Caller,
) -> Result<Json<ProviderKeyList>, Refusal> {
    let all = app.vault()?.list_provider_keys(caller.principal()).await?;
    Ok(Json(ProviderKeyList {
        items: all.into_iter().map(shown).collect(),
    }))
}

/// Keeps the key a provider is called with, sealed, in the place of the one before.
#[utoipa::path(
    put, path = "/api/provider-keys/{provider}", tag = "Keys", security(("local" = [])),
    params(("provider" = String, Path, description = "The provider's id, for example `openai`.")),
    request_body = ProviderKeyBody,
    responses(
        (status = 200, description = "It is kept.", body = ProviderKeyState),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn set_provider_key(
    State(app): State<AppState>,
    caller: Caller,
    ProviderId(provider): ProviderId,
    RawBody(body): RawBody,
) -> Result<Json<ProviderKeyState>, Refusal> {
    let key = key_of(&body)?;
    let kept = app
        .vault()?
        .set_provider_key(caller.principal(), caller.visit()?, &provider, &key)
        .await?;
    apply(&app).await;
    Ok(Json(shown(kept)))
}

/// Forgets the key a provider is called with.
#[utoipa::path(
    delete, path = "/api/provider-keys/{provider}", tag = "Keys", security(("local" = [])),
    params(("provider" = String, Path, description = "The provider's id.")),
    responses(
        (status = 204, description = "It is forgotten."),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn delete_provider_key(
    State(app): State<AppState>,
    caller: Caller,
    ProviderId(provider): ProviderId,
) -> Result<StatusCode, Refusal> {
    app.vault()?
        .delete_provider_key(caller.principal(), caller.visit()?, &provider)
        .await?;
    apply(&app).await;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /api-keys/{provider}`: is there a key, and a hint of it.
pub(super) async fn get_legacy_key(
    State(app): State<AppState>,
    caller: Caller,
    ProviderId(provider): ProviderId,
) -> Result<Json<Value>, Refusal> {
    let found = app
        .vault()?
        .find_provider_key(caller.principal(), &provider)
        .await?;
    let found = found.ok_or_else(|| ApiError::not_found("key"))?;
    Ok(Json(
        json!({"provider": provider, "configured": true, "hint": hint(&found.last_four)}),
    ))
}

/// `POST /api-keys/{provider}`: keeps a key.
pub(super) async fn set_legacy_key(
    State(app): State<AppState>,
    caller: Caller,
    ProviderId(provider): ProviderId,
    RawBody(body): RawBody,
) -> Result<Json<Value>, Refusal> {
    let key = key_of(&body)?;
    let kept = app
        .vault()?
        .set_provider_key(caller.principal(), caller.visit()?, &provider, &key)
        .await?;
    apply(&app).await;
    Ok(Json(
        json!({"provider": provider, "configured": true, "hint": hint(&kept.last_four)}),
    ))
}

/// `DELETE /api-keys/{provider}`: forgets a key.
pub(super) async fn delete_legacy_key(
    State(app): State<AppState>,
    caller: Caller,
    ProviderId(provider): ProviderId,
) -> Result<Json<Value>, Refusal> {
    app.vault()?
        .delete_provider_key(caller.principal(), caller.visit()?, &provider)
        .await?;
    apply(&app).await;
    Ok(Json(json!({"provider": provider, "configured": false})))
}

/// The next request is called with what is kept now.
async fn apply(app: &App) {
    if let Some(clouds) = &app.clouds {
        (clouds.apply)().await;
    }
}

fn hint(last_four: &str) -> String {
    format!("…{last_four}")
}

/// `{"key": …}`, or `{"api_key": …}` as some old clients have it.
fn key_of(body: &[u8]) -> Result<SecretString, ApiError> {
    let mut fields = Fields::parse(body)?;
    let name = if !fields.has("key") && fields.has("api_key") {
        "api_key"
    } else {
        "key"
    };
    let key = fields.required_text(name, MAX_KEY_BYTES)?;
    fields.finish()?;
    Ok(key.into())
}
