//! Changing which models there are, in Ollama's words. Only for keys with the scope `admin`.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use goblin_core::error::ApiError;
use goblin_core::manage::{Action, Outcome, ProgressStream};
use goblin_core::provider::ProviderError;
use goblin_core::wire::ollama::{Change, OllamaChange, parse_digest, parse_name};
use http::StatusCode;
use serde_json::{Value, json};

use crate::app::{App, AppState};
use crate::body::arriving;
use crate::caller::{Admin, Caller};
use crate::extract::RawBody;
use crate::progress::{self, Steps};
use crate::refusal::Refusal;

/// Fetches a model from its registry.
pub(super) async fn pull_model(
    State(app): State<AppState>,
    Admin(caller): Admin,
    RawBody(body): RawBody,
) -> Result<Response, Refusal> {
    Ok(change(&app, &caller, parse_name(Change::Pull, &body)?).await?)
}

/// Gives a model to its registry.
pub(super) async fn push_model(
    State(app): State<AppState>,
    Admin(caller): Admin,
    RawBody(body): RawBody,
) -> Result<Response, Refusal> {
    Ok(change(&app, &caller, parse_name(Change::Push, &body)?).await?)
}

/// Makes a model from others or from blobs.
pub(super) async fn create_model(
    State(app): State<AppState>,
    Admin(caller): Admin,
    RawBody(body): RawBody,
) -> Result<Response, Refusal> {
    Ok(change(&app, &caller, parse_name(Change::Create, &body)?).await?)
}

/// Gives a model a second name.
pub(super) async fn copy_model(
    State(app): State<AppState>,
    Admin(caller): Admin,
    RawBody(body): RawBody,
) -> Result<StatusCode, Refusal> {
    change(&app, &caller, parse_name(Change::Copy, &body)?).await?;
    Ok(StatusCode::OK)
}

/// Forgets a model.
pub(super) async fn delete_model(
    State(app): State<AppState>,
    Admin(caller): Admin,
    RawBody(body): RawBody,
) -> Result<StatusCode, Refusal> {
    change(&app, &caller, parse_name(Change::Delete, &body)?).await?;
    Ok(StatusCode::OK)
}

/// Is a blob there?
pub(super) async fn has_blob(
    State(app): State<AppState>,
    _: Admin,
    Path(digest): Path<String>,
) -> Result<StatusCode, Refusal> {
    let digest = parse_digest(&digest)?;
    match app.dispatch.manage(None, Action::HasBlob { digest }).await? {
        Outcome::Absent => Err(ApiError::not_found("blob").into()),
        _ => Ok(StatusCode::OK),
    }
}

/// Keeps a blob. Its bytes go on as they arrive; the model server checks them against the digest.
pub(super) async fn put_blob(
    State(app): State<AppState>,
    Admin(caller): Admin,
    Path(digest): Path<String>,
    body: Body,
) -> Result<StatusCode, Refusal> {
    let digest = parse_digest(&digest)?;
    log(&caller, "put_blob", &digest);
    let (body, cut) = arriving(body);
    let kept = app.dispatch.manage(None, Action::PutBlob { digest, body }).await;
    kept.map_err(|error| cut.reason().unwrap_or(error))?;
    Ok(StatusCode::CREATED)
}

/// Does it, and says how far it is.
async fn change(app: &App, caller: &Caller, wanted: OllamaChange) -> Result<Response, ApiError> {
    let (what, model) = named(&wanted.action);
    log(caller, what, model);
    match app.dispatch.manage(None, wanted.action).await? {
        Outcome::Progress(steps) => progress::respond(app, wanted.stream, told(steps)).await,
        _ => Ok(Json(json!({"status": "success"})).into_response()),
    }
}

fn named(action: &Action) -> (&'static str, &str) {
    match action {
        Action::Pull { model } => ("pull", model),
        Action::Push { model } => ("push", model),
        Action::Create { fields } => (
            "create",
            fields.get("model").and_then(Value::as_str).unwrap_or(""),
        ),
        Action::Copy { destination, .. } => ("copy", destination),
        Action::Delete { model } => ("delete", model),
        _ => ("other", ""),
    }
}

/// Who changes which models is kept in the access log, whatever comes of it.
fn log(caller: &Caller, what: &str, model: &str) {
    caller.take_over_log();
    let (key, address) = (caller.key_name(), caller.address().map(|a| a.to_string()));
    tracing::info!(
        target: "goblin::access",
        key = key.as_deref(),
        address,
        change = what,
        model,
        "changes models"
    );
}

fn told(steps: ProgressStream) -> Steps {
    Box::pin(steps.map(|step| step.map_err(|error| failed(&error))))
}

/// Why a change did not come to its end.
fn failed(error: &ProviderError) -> ApiError {
    match error {
        ProviderError::Interrupted { reason } => ApiError {
            internal: Some(reason.clone()),
            ..ApiError::upstream_failed("The model server broke off before it was done. Ask again.")
        },
        other => ApiError::from_provider("the model server", "models", other),
    }
}
