//! Clouds known by name: listed with how they are, set up while the server runs, and tried. They are the operator's, so
//! only admins of the operator's own tenant come here.

use axum::Json;
use axum::extract::State;
use goblin_core::conversation::Problem;
use goblin_core::error::ApiError;
use goblin_core::owner::Owner;
use goblin_core::provider_settings::{CloudChange, CloudState, CloudTest, MAX_MODELS, SetBy};
use http::StatusCode;
use secrecy::SecretString;

use crate::app::{App, AppState};
use crate::caller::Caller;
use crate::extract::{ProviderId, RawBody};
use crate::fields::{Fields, MAX_KEY_BYTES, MAX_MODEL_CHARS};
use crate::openapi::keys::{ProviderChange, ProviderList};
use crate::refusal::Refusal;

/// Most characters of an address.
const MAX_URL_CHARS: usize = 2000;

/// Lists the clouds known by name: what holds for each and how it is.
#[utoipa::path(
    get, path = "/api/providers", tag = "Providers", security(("local" = [])),
    responses(
        (status = 200, description = "All of them, also those without a key.", body = ProviderList),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list_providers(
    State(app): State<AppState>,
    caller: Caller,
) -> Result<Json<ProviderList>, Refusal> {
    operators(&caller)?;
    let items = (app.clouds()?.describe)().await?;
    Ok(Json(ProviderList { items }))
}

/// Sets up a cloud: its key, its address, whether it may be asked, which models it offers. It holds at once here, and
/// within seconds on other copies.
#[utoipa::path(
    put, path = "/api/providers/{id}", tag = "Providers", security(("local" = [])),
    params(("id" = String, Path, description = "The provider's id, for example `openai`.")),
    request_body = ProviderChange,
    responses(
        (status = 200, description = "What holds now.", body = CloudState),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn update_provider(
    State(app): State<AppState>,
    caller: Caller,
    ProviderId(id): ProviderId,
    RawBody(body): RawBody,
) -> Result<Json<CloudState>, Refusal> {
    operators(&caller)?;
    let (key, change) = change_of(&body)?;
    check_locks(&find(&app, &id).await?, key.is_some(), &change)?;
    app.vault()?
        .change_provider(caller.principal(), caller.visit()?, &id, key.as_ref(), change)
        .await?;
    (app.clouds()?.apply)().await;
    Ok(Json(find(&app, &id).await?))
}

/// Forgets a cloud's key and all that was set about it: what the configuration says holds again.
#[utoipa::path(
    delete, path = "/api/providers/{id}", tag = "Providers", security(("local" = [])),
    params(("id" = String, Path, description = "The provider's id.")),
    responses(
        (status = 204, description = "It is forgotten."),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn delete_provider(
    State(app): State<AppState>,
    caller: Caller,
    ProviderId(id): ProviderId,
) -> Result<StatusCode, Refusal> {
    operators(&caller)?;
    app.vault()?
        .forget_provider(caller.principal(), caller.visit()?, &id)
        .await?;
    (app.clouds()?.apply)().await;
    Ok(StatusCode::NO_CONTENT)
}

/// Tries a cloud by asking for its models, which costs nothing; also one that is switched off.
#[utoipa::path(
    post, path = "/api/providers/{id}/test", tag = "Providers", security(("local" = [])),
    params(("id" = String, Path, description = "The provider's id.")),
    responses(
        (status = 200, description = "How it is; also when it cannot be used.", body = CloudTest),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn test_provider(
    State(app): State<AppState>,
    caller: Caller,
    ProviderId(id): ProviderId,
) -> Result<Json<CloudTest>, Refusal> {
    operators(&caller)?;
    Ok(Json((app.clouds()?.test)(id).await?))
}

/// To other tenants the operator's providers are not there.
fn operators(caller: &Caller) -> Result<(), ApiError> {
    match caller.principal().owner.tenant == Owner::LOCAL_TENANT {
        true => Ok(()),
        false => Err(ApiError::not_found("provider")),
    }
}

async fn find(app: &App, id: &str) -> Result<CloudState, ApiError> {
    let all = (app.clouds()?.describe)().await?;
    let found = all.into_iter().find(|cloud| cloud.id == id);
    found.ok_or_else(|| ApiError::not_found("provider"))
}

/// What the environment says cannot be changed here: it would not hold.
fn check_locks(cloud: &CloudState, with_key: bool, change: &CloudChange) -> Result<(), ApiError> {
    let (id, variable) = (&cloud.id, &cloud.key_variable);
    if cloud.key_set_by == Some(SetBy::Environment) && (with_key || change.base_url.is_some()) {
        return Err(ApiError::conflict(format!(
            "The key of `{id}` comes from the environment, which beats what is set here. Change {variable} there, or unset \
             it and restart."
        )));
    }
    if cloud.base_url_set_by == SetBy::Environment && matches!(change.base_url, Some(Some(_))) {
        return Err(ApiError::conflict(format!(
            "The address of `{id}` comes from the environment, which beats what is set here. Change or unset its \
             `…_BASE_URL` there and restart."
        )));
    }
    Ok(())
}

fn change_of(body: &[u8]) -> Result<(Option<SecretString>, CloudChange), ApiError> {
    let mut fields = Fields::parse(body)?;
    let key = match fields.has("key") {
        true => Some(fields.required_text("key", MAX_KEY_BYTES)?.into()),
        false => None,
    };
    let change = CloudChange {
        enabled: match fields.switch("enabled")? {
            Some(None) => return Err(ApiError::invalid("enabled", "`enabled` must be true or false.")),
            Some(said) => said,
            None => None,
        },
        base_url: fields.label("base_url", MAX_URL_CHARS)?,
        models: fields.texts("shown_models", MAX_MODELS, MAX_MODEL_CHARS)?,
    };
    fields.finish()?;
    Ok((key, change))
}

#[cfg(test)]
mod tests {
    use goblin_core::provider_settings::CloudHealth;

    use super::*;

    #[test]
    fn what_the_environment_says_is_not_changed_here() {
        let cloud = |key_set_by, base_url_set_by| CloudState {
            id: "openai".into(),
            enabled: true,
            key_set_by,
            last_four: None,
            key_updated_at: None,
            base_url: "https://api.openai.com/v1".into(),
            base_url_set_by,
            key_variable: "OPENAI_API_KEY".into(),
            health: CloudHealth::Ok,
            advice: None,
            shown_models: None,
            models: Vec::new(),
        };
        let address = |url: Option<&str>| CloudChange {
            base_url: Some(url.map(str::to_owned)),
            ..CloudChange::default()
        };
        let off = CloudChange {
            enabled: Some(false),
            ..CloudChange::default()
        };
        let locked = cloud(Some(SetBy::Environment), SetBy::Default);
        assert!(check_locks(&locked, true, &CloudChange::default()).is_err());
        assert!(check_locks(&locked, false, &address(None)).is_err());
        assert!(check_locks(&locked, false, &off).is_ok());
        let placed = cloud(None, SetBy::Environment);
        assert!(check_locks(&placed, true, &address(Some("https://a.example"))).is_err());
        assert!(check_locks(&placed, true, &address(None)).is_ok());
        assert!(check_locks(&placed, true, &off).is_ok());
        let open = cloud(Some(SetBy::File), SetBy::File);
        assert!(check_locks(&open, true, &address(Some("https://a.example"))).is_ok());
    }

    #[test]
    fn absent_fields_stay_and_null_takes_back() {
        let (key, change) = change_of(br#"{"key": "k", "base_url": null, "shown_models": ["a"]}"#).unwrap();
        assert!(key.is_some());
        assert_eq!(
            change,
            CloudChange {
                enabled: None,
                base_url: Some(None),
                models: Some(Some(vec!["a".into()])),
            }
        );
        for (body, field) in [
            (&br#"{"enabled": null}"#[..], "enabled"),
            (br#"{"key": null}"#, "key"),
            (br#"{"shown_models": [1]}"#, "shown_models"),
            (br#"{"url": "https://a.example"}"#, "url"),
        ] {
            assert_eq!(change_of(body).unwrap_err().param.as_deref(), Some(field));
        }
    }
}
