//! Ollama's own wire, so that its clients work: chat, generate, embed, and what there is to see.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use goblin_core::chat::KeepAlive;
use goblin_core::error::ApiError;
use goblin_core::manage::{Action, Outcome};
use goblin_core::model::ModelInfo;
use goblin_core::route::AUTOMATIC;
use goblin_core::wire::ollama::{
    Generate, OllamaChat, OllamaEmbed, OllamaGenerate, Wanted, chat_residency_body, embed_body,
    generate_residency_body, parse_chat, parse_embed, parse_generate, parse_show, ps_body, show_body,
    tags_body, version_body,
};
use goblin_dispatch::once::Embedded;
use serde_json::Value;
use tokio::time::Instant;

use crate::answer::ollama::Lines;
use crate::app::{App, AppState, Surface};
use crate::asking::{self, Ticket};
use crate::caller::{Caller, Embedder, Reader};
use crate::extract::RawBody;
use crate::models;
use crate::openapi::doors::{
    OllamaAnswer, OllamaChatBody, OllamaEmbedBody, OllamaError, OllamaGenerateBody, OllamaModel,
    OllamaModelName, OllamaModels, OllamaVectors, OllamaVersion,
};
use crate::refusal::Refusal;

/// The version of Ollama whose wire this is, and ours. Clients ask it to learn what they may send.
const VERSION: &str = concat!("0.17.4+goblin.", env!("CARGO_PKG_VERSION"));

/// What Ollama's clients look for at the root.
pub(super) async fn say_running(_: Reader) -> &'static str {
    "Ollama is running"
}

/// Which version of Ollama's wire is spoken.
#[utoipa::path(
    get, path = "/api/version", tag = "Ollama", security(("local" = [])),
    responses(
        (status = 200, description = "The version.", body = OllamaVersion),
        (status = "4XX", description = "Refused.", body = OllamaError),
    ),
)]
pub(super) async fn get_version(_: Reader) -> Json<Value> {
    Json(version_body(VERSION))
}

/// Lists the models, as Ollama does.
#[utoipa::path(
    get, path = "/api/tags", tag = "Ollama", security(("local" = [])),
    responses(
        (status = 200, description = "The models.", body = OllamaModels),
        (status = "4XX", description = "Refused.", body = OllamaError),
        (status = "5XX", description = "No model server answers.", body = OllamaError),
    ),
)]
pub(super) async fn list_tags(
    State(app): State<AppState>,
    Reader(caller): Reader,
) -> Result<Json<Value>, Refusal> {
    Ok(Json(tags_body(&on_offer(&app, &caller).await?)))
}

/// Lists the models in memory, as Ollama does. When they will leave it is not known here.
#[utoipa::path(
    get, path = "/api/ps", tag = "Ollama", security(("local" = [])),
    responses(
        (status = 200, description = "The models.", body = OllamaModels),
        (status = "4XX", description = "Refused.", body = OllamaError),
        (status = "5XX", description = "No model server answers.", body = OllamaError),
    ),
)]
pub(super) async fn list_running(
    State(app): State<AppState>,
    Reader(caller): Reader,
) -> Result<Json<Value>, Refusal> {
    let infos = on_offer(&app, &caller).await?;
    Ok(Json(ps_body(infos.iter().map(|info| (info, None)))))
}

/// The models that `caller` may know of.
async fn on_offer(app: &App, caller: &Caller) -> Result<Vec<ModelInfo>, ApiError> {
    let mut infos = models::infos(app).await?;
    infos.retain(|info| caller.may_ask(&info.name));
    Ok(infos)
}

/// Describes a model, as Ollama does. On the model tier in its provider's words where it has some; those hold templates
/// and paths of the operator's, so that on the backend it is described from what is known here.
#[utoipa::path(
    post, path = "/api/show", tag = "Ollama", security(("local" = [])),
    request_body = OllamaModelName,
    responses(
        (status = 200, description = "The model.", body = OllamaModel),
        (status = "4XX", description = "Refused; an unknown model gets the nearest named.", body = OllamaError),
        (status = "5XX", description = "No model server answers.", body = OllamaError),
    ),
)]
pub(super) async fn show_model(
    State(app): State<AppState>,
    Reader(caller): Reader,
    RawBody(body): RawBody,
) -> Result<Json<Value>, Refusal> {
    let mut action = parse_show(&body)?;
    let Action::Show { model, .. } = &mut action else {
        return Err(ApiError::internal("show was read as another action").into());
    };
    let found = models::find(&app, model).await?;
    caller.principal().check_model(&found.id)?;
    if app.surface == Surface::Backend || !models::manageable(&app, &found.provider) {
        return Ok(Json(show_body(&found.info)));
    }
    model.clone_from(&found.info.name);
    match app.dispatch.manage(Some(&found.provider), action).await? {
        Outcome::Described(description) => Ok(Json(description.into())),
        _ => Err(ApiError::internal("a provider was asked to describe a model and did not").into()),
    }
}

/// Answers a conversation, as Ollama does; without messages, brings the model into memory or takes it out.
///
/// The answer is lines of JSON unless `"stream": false`; a failure after the first byte is a line `{"error": …}`, and the
/// stream ends there. Closing the connection cancels the answer. Names like `goblin` are answered as at
/// `/v1/chat/completions`: checked, and a refused answer has the `done_reason` `content_filter`. The header
/// `x-goblin-trace-id` names the trace.
#[utoipa::path(
    post, path = "/api/chat", tag = "Ollama", security(("local" = [])),
    request_body = OllamaChatBody,
    responses(
        (status = 200, description = "The answer, or its stream.", content(
            (OllamaAnswer = "application/x-ndjson"), (OllamaAnswer = "application/json"),
        )),
        (status = "4XX", description = "Refused; the field at fault is named.", body = OllamaError),
        (status = "5XX", description = "Failed; what was tried is said.", body = OllamaError),
    ),
)]
pub(super) async fn answer_chat(
    State(app): State<AppState>,
    caller: Caller,
    ticket: Ticket,
    RawBody(body): RawBody,
) -> Result<Response, Refusal> {
    let OllamaChat { request, wanted, .. } = parse_chat(&body)?;
    let loaded = wanted == Wanted::Load;
    if wanted != Wanted::Answer {
        reside(&app, &caller, &request.model, loaded, request.keep_alive).await?;
        let told = chat_residency_body(&request.model, app.clock.now(), loaded);
        return Ok(Json(told).into_response());
    }
    let lines = Lines::chat(&app, &request.model);
    Ok(asking::answer(&app, &caller, ticket, request, lines).await?)
}

/// Answers a prompt or goes on with it, as Ollama does; without one, brings the model into memory or takes it out.
#[utoipa::path(
    post, path = "/api/generate", tag = "Ollama", security(("local" = [])),
    request_body = OllamaGenerateBody,
    responses(
        (status = 200, description = "The answer, or its stream.", content(
            (OllamaAnswer = "application/x-ndjson"), (OllamaAnswer = "application/json"),
        )),
        (status = "4XX", description = "Refused; the field at fault is named.", body = OllamaError),
        (status = "5XX", description = "Failed; what was tried is said.", body = OllamaError),
    ),
)]
pub(super) async fn generate_text(
    State(app): State<AppState>,
    caller: Caller,
    ticket: Ticket,
    RawBody(body): RawBody,
) -> Result<Response, Refusal> {
    let OllamaGenerate {
        model,
        stream,
        keep_alive,
        wanted,
        ..
    } = parse_generate(&body)?;
    let lines = Lines::generate(&app, &model);
    let loaded = match wanted {
        Generate::Chat(request) => {
            return Ok(asking::answer(&app, &caller, ticket, request, lines).await?);
        }
        Generate::Complete(request) => {
            return Ok(asking::complete(&app, &caller, ticket, (None, request), stream, lines).await?);
        }
        Generate::Load => true,
        Generate::Unload => false,
    };
    reside(&app, &caller, &model, loaded, keep_alive).await?;
    Ok(Json(generate_residency_body(&model, app.clock.now(), loaded)).into_response())
}

/// Brings a model into memory or takes it out. Where it is not for us to say, the first answer brings it in.
async fn reside(
    app: &App,
    caller: &Caller,
    name: &str,
    loaded: bool,
    keep_alive: Option<KeepAlive>,
) -> Result<(), ApiError> {
    caller.principal().check_model(name)?;
    let found = models::find(app, name).await?;
    if !loaded && AUTOMATIC.contains(&&*found.info.name) {
        let message = format!("`{name}` stands for several models. Name the one that is to leave memory.");
        return Err(ApiError::invalid("model", message));
    }
    if loaded && !models::manageable(app, &found.provider) {
        return Ok(());
    }
    let model = found.info.name;
    let action = if loaded {
        Action::Load { model, keep_alive }
    } else {
        Action::Unload { model }
    };
    app.dispatch.manage(Some(&found.provider), action).await.map(drop)
}

/// Turns texts into vectors, as Ollama's `/api/embed` and its older `/api/embeddings`.
#[utoipa::path(
    post, path = "/api/embed", tag = "Ollama", security(("local" = [])),
    request_body = OllamaEmbedBody,
    responses(
        (status = 200, description = "The vectors.", body = OllamaVectors),
        (status = "4XX", description = "Refused; the field at fault is named.", body = OllamaError),
        (status = "5XX", description = "Failed; what was tried is said.", body = OllamaError),
    ),
)]
pub(super) async fn embed_texts(
    State(app): State<AppState>,
    Embedder(caller): Embedder,
    ticket: Ticket,
    RawBody(body): RawBody,
) -> Result<Response, Refusal> {
    let begun = Instant::now();
    let OllamaEmbed { request, legacy } = parse_embed(&body)?;
    let model = request.model.clone();
    let written = |made: &Embedded| embed_body(&model, &made.response, legacy, begun.elapsed());
    Ok(asking::embed(&app, &caller, ticket, request, written).await?)
}
