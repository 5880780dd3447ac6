//! Is the server there, can it take requests, and what is wrong.

use axum::Json;
use axum::extract::State;
use goblin_core::checks::CheckResult;
use goblin_core::conversation::Problem;
use goblin_core::error::ApiError;
use goblin_core::provider::{Health, IN_PROCESS, ProviderHandle, ProviderStatus};
use goblin_core::status::PartState;
use serde_json::{Map, Value, json};

use crate::app::AppState;
use crate::caller::Caller;
use crate::openapi::{AllHealth, CheckList, HealthBody, LegacyError};
use crate::refusal::Refusal;

/// Says whether the process is alive. Touches nothing.
#[utoipa::path(
    get, path = "/health/live", tag = "Health", security(()),
    responses((status = 200, description = "Alive.", body = HealthBody)),
)]
pub(super) async fn get_liveness() -> Json<HealthBody> {
    healthy()
}

/// Says whether the server can take requests.
#[utoipa::path(
    get, path = "/health", tag = "Health", security(()),
    responses(
        (status = 200, description = "Ready.", body = HealthBody),
        (status = 503, description = "Shutting down, or the database is away.", body = LegacyError),
    ),
)]
pub(super) async fn get_health(State(app): State<AppState>) -> Result<Json<HealthBody>, Refusal> {
    refuse_when_draining(&app)?;
    if let Some(store) = &app.store {
        store.ping().await.map_err(|e| ApiError {
            internal: Some(e.to_string()),
            ..ApiError::unavailable("The database does not answer. `goblin doctor` names the cause.")
        })?;
    }
    Ok(healthy())
}

/// The model tier: ready only when a model server answers; the engine of this process is one when it has a model.
/// Names no internals.
pub(super) async fn get_tier_health(State(app): State<AppState>) -> Result<Json<HealthBody>, Refusal> {
    refuse_when_draining(&app)?;
    let providers = app.dispatch.providers_status().await;
    let answers = |(provider, status): &(ProviderHandle, ProviderStatus)| {
        status.health == Health::Ok && (*provider.id != *IN_PROCESS || !status.models.is_empty())
    };
    if !providers.iter().any(answers) {
        return Err(ApiError::unavailable("No model server answers.").into());
    }
    Ok(healthy())
}

/// Runs every check. Results are at most 2 seconds old; details only for admins.
#[utoipa::path(
    get, path = "/health/all", tag = "Health", security(()),
    responses((status = 200, description = "Every check.", body = AllHealth)),
)]
pub(super) async fn get_all_health(State(app): State<AppState>, caller: Option<Caller>) -> Json<AllHealth> {
    let results = recent_checks(&app).await;
    let bad = app.draining.is_cancelled() || results.iter().any(|r| r.state != PartState::Ok);
    let status = if bad { "degraded" } else { "healthy" };
    Json(AllHealth {
        status: status.to_owned(),
        checks: rendered(&results, caller.is_some_and(|caller| caller.is_admin())),
    })
}

/// Lists every check with what was found, why, and what to do. Results are at most 2 seconds old. What `goblin doctor`
/// says of a server that runs, and what `/health/all` shows to admins; behind a CDN only paths like this one are reached.
#[utoipa::path(
    get, path = "/api/admin/health", tag = "Health", security(("local" = [])),
    responses(
        (status = 200, description = "Every check.", body = CheckList),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list_checks(State(app): State<AppState>, _admin: Caller) -> Json<CheckList> {
    Json(CheckList {
        draining: app.draining.is_cancelled(),
        items: recent_checks(&app).await,
    })
}

fn healthy() -> Json<HealthBody> {
    Json(HealthBody {
        status: "healthy".to_owned(),
    })
}

fn refuse_when_draining(app: &AppState) -> Result<(), ApiError> {
    if app.draining.is_cancelled() {
        return Err(ApiError::unavailable("The server is shutting down."));
    }
    Ok(())
}

/// The checks' results, run again when the last ones are too old. Many callers cause one run.
async fn recent_checks(app: &AppState) -> Vec<CheckResult> {
    let mut last = app.checks_cache.0.lock().await;
    let max_age = u64::try_from(app.options.checks_max_age.as_millis()).unwrap_or(u64::MAX);
    if let Some((at, results)) = &*last
        && app.clock.now().ms_since(*at) < max_age
    {
        return results.clone();
    }
    let results = (app.checks)().await;
    *last = Some((app.clock.now(), results.clone()));
    results
}

/// The shape old clients know: checks by name, upstreams as a list under `providers`.
fn rendered(results: &[CheckResult], detailed: bool) -> Value {
    let mut checks = Map::new();
    let mut providers = Vec::new();
    for result in results {
        let mut shown = json!({ "status": result.state, "latency_ms": result.latency_ms });
        if detailed {
            shown["found"] = json!(result.found);
            shown["cause"] = json!(result.cause);
            shown["fix"] = json!(result.fix);
        }
        match result.name.strip_prefix("upstream:") {
            Some(name) => {
                shown["enabled"] = json!(true);
                providers.push(json!({ name: shown }));
            }
            None => {
                checks.insert(result.name.clone(), shown);
            }
        }
    }
    checks.insert("providers".to_owned(), Value::Array(providers));
    Value::Object(checks)
}
