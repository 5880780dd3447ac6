//! Chat completions, completions, embeddings and models, as OpenAI's clients know them.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use goblin_core::error::ApiError;
use goblin_core::model::nearest;
use goblin_core::wire::openai::{
    OpenAiEmbeddings, embeddings_body, parse_completion, parse_embeddings, parse_forwardable,
};
use goblin_dispatch::answer::Ask;
use goblin_dispatch::once::Embedded;
use goblin_dispatch::plan::Question;
use http::Uri;
use serde_json::{Value, json};

use crate::answer::completion::TextCompletion;
use crate::answer::openai::Completion;
use crate::answer::{Manner, respond};
use crate::app::AppState;
use crate::asking::{self, Ticket, who};
use crate::caller::{Caller, Embedder, Reader};
use crate::door::Door;
use crate::extract::{ModelName, RawBody};
use crate::models;
use crate::openapi::doors::{self, CompletionBody, EmbeddingsBody};
use crate::openapi::{
    ChatCompletion, ChatCompletionBody, ChatCompletionChunk, ModelList, ModelObject, OpenAiError,
};
use crate::refusal::Refusal;

/// Answers a conversation.
///
/// With `"stream": true` the answer is a stream of `chat.completion.chunk` events that ends with
/// `data: [DONE]`; a failure after the first byte is an event `{"error": …}` and the stream ends without
/// `[DONE]`. Closing the connection cancels the answer. The header `x-goblin-trace-id` names the answer's trace, where it
/// has one; `GET /v1/traces/{id}` shows it.
#[utoipa::path(
    post, path = "/v1/chat/completions", tag = "OpenAI", security(("local" = [])),
    request_body = ChatCompletionBody,
    responses(
        (status = 200, description = "The answer, or its stream.", content(
            (ChatCompletion = "application/json"), (ChatCompletionChunk = "text/event-stream"),
        )),
        (status = "4XX", description = "Refused; the field at fault is named.", body = OpenAiError),
        (status = "5XX", description = "Failed; what was tried is said.", body = OpenAiError),
    ),
)]
pub(super) async fn create_chat_completion(
    State(app): State<AppState>,
    caller: Caller,
    ticket: Ticket,
    uri: Uri,
    RawBody(body): RawBody,
) -> Result<Response, Refusal> {
    let mut incoming = parse_forwardable(&body)?;
    caller.principal().check_model(&incoming.model)?;
    incoming.request.purpose = ticket.purpose;
    incoming.request.origin = ticket.origin.clone();
    let door = Door::of(app.surface, uri.path());
    let manner = Manner::new(&app, incoming.stream, &ticket.request_id);
    let completion = Completion::new(&app, door, &incoming, &ticket.request_id);
    if incoming.goblin.dry_run {
        let told = app.dispatch.route(&Question::of(&incoming)).await?;
        return Ok(completion.dry_run(incoming.stream, &told));
    }
    let ask = Ask {
        who: who(&caller),
        door: ticket.door,
        deadline: ticket.limit(&app, incoming.stream),
        request_id: ticket.request_id,
        incoming,
    };
    let answer = app.dispatch.answer(ask).await?;
    Ok(respond(manner, completion, answer).await)
}

/// Goes on with a text, as OpenAI's older completions do.
///
/// A model that continues texts gets the text as it stands, without a template; any other, and whatever `goblin` chooses,
/// gets it as a question. Streams, failures, leaving and traces are as at `/v1/chat/completions`; a refused answer of
/// `goblin` has the finish reason `content_filter`.
#[utoipa::path(
    post, path = "/v1/completions", tag = "OpenAI", security(("local" = [])),
    request_body = CompletionBody,
    responses(
        (status = 200, description = "The answer, or its stream.", content(
            (doors::Completion = "application/json"), (doors::Completion = "text/event-stream"),
        )),
        (status = "4XX", description = "Refused; the field at fault is named.", body = OpenAiError),
        (status = "5XX", description = "Failed; what was tried is said.", body = OpenAiError),
    ),
)]
pub(super) async fn create_completion(
    State(app): State<AppState>,
    caller: Caller,
    ticket: Ticket,
    RawBody(body): RawBody,
) -> Result<Response, Refusal> {
    let asked = parse_completion(&body)?;
    let text = TextCompletion::new(&app, &asked);
    if let Some(by) = app.dispatch.continues(&asked.request.model).await {
        let (stream, request) = (asked.stream, (Some(by), asked.request));
        return Ok(asking::complete(&app, &caller, ticket, request, stream, text).await?);
    }
    let request = asked.into_chat()?;
    Ok(asking::answer(&app, &caller, ticket, request, text).await?)
}

/// Turns texts into vectors.
#[utoipa::path(
    post, path = "/v1/embeddings", tag = "OpenAI", security(("local" = [])),
    request_body = EmbeddingsBody,
    responses(
        (status = 200, description = "The vectors.", body = doors::Embeddings),
        (status = "4XX", description = "Refused; the field at fault is named.", body = OpenAiError),
        (status = "5XX", description = "Failed; what was tried is said.", body = OpenAiError),
    ),
)]
pub(super) async fn create_embeddings(
    State(app): State<AppState>,
    Embedder(caller): Embedder,
    ticket: Ticket,
    RawBody(body): RawBody,
) -> Result<Response, Refusal> {
    let OpenAiEmbeddings { request, base64 } = parse_embeddings(&body)?;
    let written = |made: &Embedded| embeddings_body(&made.model_id, &made.response, base64);
    Ok(asking::embed(&app, &caller, ticket, request, written).await?)
}

/// Lists the models on offer.
#[utoipa::path(
    get, path = "/v1/models", tag = "OpenAI", security(("local" = [])),
    responses(
        (status = 200, description = "The models.", body = ModelList),
        (status = "4XX", description = "Refused.", body = OpenAiError),
    ),
)]
pub(super) async fn list_models(
    State(app): State<AppState>,
    Reader(caller): Reader,
) -> Result<Json<Value>, Refusal> {
    let mut list = models::list(&app).await?;
    if let Some(models) = list["data"].as_array_mut() {
        models.retain(|model| model["id"].as_str().is_none_or(|id| caller.may_ask(id)));
    }
    Ok(Json(list))
}

/// Describes one model; its id may hold slashes.
#[utoipa::path(
    get, path = "/v1/models/{id}", tag = "OpenAI", security(("local" = [])),
    params(("id" = String, Path, description = "A model's id, for example `engine/smollm2-135m-instruct`.")),
    responses(
        (status = 200, description = "The model.", body = ModelObject),
        (status = 404, description = "There is none of this name; the nearest is named.", body = OpenAiError),
        (status = "4XX", description = "Refused.", body = OpenAiError),
    ),
)]
pub(super) async fn get_model(
    State(app): State<AppState>,
    Reader(caller): Reader,
    ModelName(id): ModelName,
) -> Result<Json<Value>, Refusal> {
    let mut objects = models::objects(&app).await;
    objects.retain(|model| model["id"].as_str().is_none_or(|id| caller.may_ask(id)));
    match objects.iter().position(|model| models::is_named(model, &id)) {
        Some(at) => Ok(Json(objects.swap_remove(at))),
        None => {
            let known = objects.iter().filter_map(|model| model["id"].as_str());
            Err(ApiError::model_not_found(&id, nearest(&id, known)).into())
        }
    }
}

/// Lists the model tier's models as old clients know them.
pub(super) async fn list_legacy_models(State(app): State<AppState>, _: Reader) -> Json<Value> {
    let (mut ollama, mut llamacpp) = (Vec::new(), Vec::new());
    for (provider, name) in models::names(&app).await {
        if &*provider == "ollama" {
            &mut ollama
        } else {
            &mut llamacpp
        }
        .push(name);
    }
    Json(json!({ "models": { "ollama": ollama, "llamacpp": llamacpp } }))
}
