//! Ollama's own wire, so that its clients work: chat, generate, embed, and what there is to see.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use goblin_core::chat::KeepAlive;
use goblin_core::embed::EmbedRequest;
use goblin_core::error::ApiError;
use goblin_core::manage::{Action, Outcome};
use goblin_core::wire::ollama::{
    Generate, OllamaChat, OllamaGenerate, Wanted, chat_residency_body, embed_body, generate_residency_body,
    parse_chat, parse_embed, parse_generate, parse_show, ps_body, show_body, tags_body, version_body,
};
use serde_json::Value;
use tokio::time::Instant;

use crate::answer::ollama::Lines;
use crate::app::{App, AppState};
use crate::asking::{self, Ticket, who};
use crate::caller::{Caller, Embedder, Reader};
use crate::extract::RawBody;
use crate::models;
use crate::refusal::Refusal;

/// The version of Ollama whose wire this is, and ours. Clients ask it to learn what they may send.
const VERSION: &str = concat!("0.17.4+goblin.", env!("CARGO_PKG_VERSION"));

/// What Ollama's clients look for at the root.
pub(super) async fn say_running(_: Reader) -> &'static str {
    "Ollama is running"
}

/// Which version of the wire is spoken.
pub(super) async fn get_version(_: Reader) -> Json<Value> {
    Json(version_body(VERSION))
}

/// Lists the models.
pub(super) async fn list_tags(State(app): State<AppState>, _: Reader) -> Result<Json<Value>, Refusal> {
    Ok(Json(tags_body(&models::infos(&app).await?)))
}

/// Lists the models in memory. When they will leave it is not known here.
pub(super) async fn list_running(State(app): State<AppState>, _: Reader) -> Result<Json<Value>, Refusal> {
    let infos = models::infos(&app).await?;
    Ok(Json(ps_body(infos.iter().map(|info| (info, None)))))
}

/// Describes a model: in its provider's words where it has some.
pub(super) async fn show_model(
    State(app): State<AppState>,
    _: Reader,
    RawBody(body): RawBody,
) -> Result<Json<Value>, Refusal> {
    let mut action = parse_show(&body)?;
    let Action::Show { model, .. } = &mut action else {
        return Err(ApiError::internal("show was read as another action").into());
    };
    let found = models::find(&app, model).await?;
    if !models::manageable(&app, &found.provider) {
        return Ok(Json(show_body(&found.info)));
    }
    model.clone_from(&found.info.name);
    match app.dispatch.manage(Some(&found.provider), action).await? {
        Outcome::Described(description) => Ok(Json(description.into())),
        _ => Err(ApiError::internal("a provider was asked to describe a model and did not").into()),
    }
}

/// Answers a conversation; without messages, brings the model into memory or takes it out.
pub(super) async fn chat(
    State(app): State<AppState>,
    caller: Caller,
    ticket: Ticket,
    RawBody(body): RawBody,
) -> Result<Response, Refusal> {
    let OllamaChat { request, wanted, .. } = parse_chat(&body)?;
    let loaded = wanted == Wanted::Load;
    if wanted != Wanted::Answer {
        reside(&app, &request.model, loaded, request.keep_alive).await?;
        let told = chat_residency_body(&request.model, app.clock.now(), loaded);
        return Ok(Json(told).into_response());
    }
    let lines = Lines::chat(&app, &request.model);
    Ok(asking::answer(&app, &caller, ticket, request, lines).await?)
}

/// Answers a prompt or goes on with it; without one, brings the model into memory or takes it out.
pub(super) async fn generate(
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
            return Ok(asking::complete(&app, &caller, ticket, request, stream, lines).await?);
        }
        Generate::Load => true,
        Generate::Unload => false,
    };
    reside(&app, &model, loaded, keep_alive).await?;
    Ok(Json(generate_residency_body(&model, app.clock.now(), loaded)).into_response())
}

/// Brings a model into memory or takes it out. Where it is not for us to say, the first answer brings it in.
async fn reside(app: &App, name: &str, loaded: bool, keep_alive: Option<KeepAlive>) -> Result<(), ApiError> {
    let found = models::find(app, name).await?;
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

/// Turns texts into vectors, as `/api/embed` and as the older `/api/embeddings` asks.
pub(super) async fn embed(
    State(app): State<AppState>,
    Embedder(caller): Embedder,
    ticket: Ticket,
    RawBody(body): RawBody,
) -> Result<Json<Value>, Refusal> {
    let begun = Instant::now();
    let asked = parse_embed(&body)?;
    let model = asked.request.model.clone();
    let limit = ticket.limit(&app, false);
    let request = EmbedRequest {
        origin: ticket.origin,
        ..asked.request
    };
    let made = app.dispatch.embed(who(&caller), request, limit).await?;
    Ok(Json(embed_body(
        &model,
        &made.response,
        asked.legacy,
        begun.elapsed(),
    )))
}
