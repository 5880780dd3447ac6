//! Keys of the API: what programs call `/v1` with.

use axum::Json;
use axum::extract::State;
use goblin_auth::identity::KeyWish;
use goblin_auth::password::Password;
use goblin_core::api_key::{ApiKey, Budget, BudgetPeriod, MAX_KEY_BOUNDS, MAX_KEY_NAME};
use goblin_core::conversation::Problem;
use goblin_core::error::ApiError;
use http::StatusCode;
use secrecy::ExposeSecret;

use crate::app::AppState;
use crate::caller::Caller;
use crate::extract::{PathId, QueryFields, RawBody};
use crate::fields::Fields;
use crate::openapi::keys::{ApiKeyBody, ApiKeyMade, ApiKeyPage};
use crate::refusal::Refusal;

/// Most bytes of one model's name or one network.
const MAX_ENTRY_BYTES: usize = 1_024;

/// Lists the caller's keys, newest first, a page at a time; never the keys themselves.
#[utoipa::path(
    get, path = "/api/keys", tag = "Keys", security(("local" = [])),
    params(
        ("everybody" = Option<bool>, Query, description = "`true`: the keys of everybody. For owners and admins."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
        ("limit" = Option<u32>, Query, description = "1–200 keys; 50 when absent."),
    ),
    responses(
        (status = 200, description = "A page.", body = ApiKeyPage),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list_keys(
    State(app): State<AppState>,
    caller: Caller,
    query: QueryFields,
) -> Result<Json<ApiKeyPage>, Refusal> {
    let (everybody, query) = query.switch("everybody")?;
    let (cursor, limit) = query.page(50)?;
    let page = app
        .identity()?
        .list_api_keys(
            caller.principal(),
            everybody.unwrap_or(false),
            cursor.as_deref(),
            limit,
        )
        .await?;
    Ok(Json(ApiKeyPage {
        items: page.items,
        next_cursor: page.next_cursor,
    }))
}

/// Makes a key. The whole key is in the answer, this once: only its hash is kept. Whoever signed in more than ten minutes
/// ago gives the password.
#[utoipa::path(
    post, path = "/api/keys", tag = "Keys", security(("local" = [])),
    request_body = ApiKeyBody,
    responses(
        (status = 201, description = "The key.", body = ApiKeyMade),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn create_key(
    State(app): State<AppState>,
    caller: Caller,
    RawBody(body): RawBody,
) -> Result<(StatusCode, Json<ApiKeyMade>), Refusal> {
    let (wish, password) = wish(&body)?;
    let made = app
        .identity()?
        .make_api_key(caller.principal(), caller.visit()?, password.as_ref(), wish)
        .await?;
    let made = ApiKeyMade {
        key: made.secret.expose_secret().to_owned(),
        api_key: made.key,
    };
    Ok((StatusCode::CREATED, Json(made)))
}

/// Takes a key back, for good: here at once, on other copies of this server within a second. One's own, or, for owners
/// and admins, somebody else's.
#[utoipa::path(
    delete, path = "/api/keys/{id}", tag = "Keys", security(("local" = [])),
    params(("id" = String, Path, description = "The key's `id`.")),
    responses(
        (status = 200, description = "The key as it is now.", body = ApiKey),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn revoke_key(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId,
) -> Result<Json<ApiKey>, Refusal> {
    let identity = app.identity()?;
    let revoked = identity
        .revoke_api_key(caller.principal(), caller.visit()?, &id)
        .await?;
    Ok(Json(revoked))
}

fn wish(body: &[u8]) -> Result<(KeyWish, Option<Password>), ApiError> {
    let mut fields = Fields::parse(body)?;
    let small = |fields: &mut Fields, field: &str| -> Result<Option<u32>, ApiError> {
        Ok(fields
            .whole(field, 1, 1_000_000)?
            .and_then(|n| u32::try_from(n).ok()))
    };
    let wish = KeyWish {
        name: fields.required_text("name", MAX_KEY_NAME * 4)?,
        scopes: fields.texts("scopes", 10, 20)?.flatten().unwrap_or_default(),
        models: fields.texts("models", MAX_KEY_BOUNDS, MAX_ENTRY_BYTES)?.flatten(),
        networks: fields
            .texts("networks", MAX_KEY_BOUNDS, MAX_ENTRY_BYTES)?
            .flatten(),
        budget: budget(&mut fields)?,
        requests_per_minute: small(&mut fields, "requests_per_minute")?,
        concurrent: small(&mut fields, "concurrent")?,
        expires_at: fields.moment("expires_at")?.flatten(),
    };
    let password = fields.presented_password("password")?;
    fields.finish()?;
    Ok((wish, password))
}

fn budget(fields: &mut Fields) -> Result<Option<Budget>, ApiError> {
    let Some(Some(mut inner)) = fields.object("budget", "budget.")? else {
        return Ok(None);
    };
    let usd = inner.real("usd", 0.0, 1e9)?;
    let usd = usd.ok_or_else(|| inner.wrong("usd", "given: a number of US dollars"))?;
    let period = match inner.label("period", 20)?.flatten() {
        None => BudgetPeriod::Month,
        Some(word) => {
            BudgetPeriod::parse(&word).ok_or_else(|| inner.wrong("period", "`day`, `month` or `total`"))?
        }
    };
    inner.finish()?;
    #[allow(clippy::cast_possible_truncation, reason = "at most 10^18")]
    let nano_usd = (usd * 1e9).round() as i64;
    Ok(Some(Budget { nano_usd, period }))
}
