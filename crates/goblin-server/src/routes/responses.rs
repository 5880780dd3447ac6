//! Responses, as OpenAI's newer clients know them, and those that are kept.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use goblin_core::error::ApiError;
use goblin_core::wire::openai::parse_responses;
use goblin_store::responses::StoredResponse;
use serde_json::Value;

use crate::answer::responses::Responded;
use crate::app::{App, AppState};
use crate::asking::{self, Ticket};
use crate::caller::Caller;
use crate::extract::{QueryFields, RawBody, ResponseId};
use crate::kept;
use crate::openapi::OpenAiError;
use crate::openapi::doors::{InputItems, ResponseBody, ResponseDeleted, ResponseObject};
use crate::refusal::Refusal;

/// Answers a conversation, as OpenAI's Responses do.
///
/// Nothing is kept unless `store` is true, which is false by default; then `previous_response_id` goes on from it: what was
/// said and answered there comes before `input`, its `instructions` do not. `conversation`, `prompt` and `background` are
/// refused. Tools are functions that the caller runs. With `"stream": true` the answer is a stream of OpenAI's events, from
/// `response.created` to `response.completed`, `response.incomplete` or, where it fails, `response.failed`; it is kept
/// before its end is told, and not at all when it fails. Closing the connection cancels the answer. Names like `goblin` are
/// answered as at `/v1/chat/completions`: checked, the trace in the field `goblin`; a refused answer holds a `refusal` and is
/// incomplete by `content_filter`. The header `x-goblin-trace-id` names the trace.
#[utoipa::path(
    post, path = "/v1/responses", tag = "OpenAI", security(("local" = [])),
    request_body = ResponseBody,
    responses(
        (status = 200, description = "The response, or its events.", content(
            (ResponseObject = "application/json"), (Value = "text/event-stream"),
        )),
        (status = "4XX", description = "Refused; the field at fault is named.", body = OpenAiError),
        (status = "5XX", description = "Failed; what was tried is said.", body = OpenAiError),
    ),
)]
pub(super) async fn create_response(
    State(app): State<AppState>,
    caller: Caller,
    ticket: Ticket,
    RawBody(body): RawBody,
) -> Result<Response, Refusal> {
    let earlier = kept::earlier(&app, &caller, &body).await?;
    let mut asked = parse_responses(&body, &earlier)?;
    let responded = Responded::new(&app, &caller, &mut asked)?;
    Ok(asking::answer(&app, &caller, ticket, asked.request, responded).await?)
}

/// Shows a response that was kept, as it was given.
#[utoipa::path(
    get, path = "/v1/responses/{id}", tag = "OpenAI", security(("local" = [])),
    params(("id" = String, Path, description = "The response.")),
    responses(
        (status = 200, description = "The response.", body = ResponseObject),
        (status = "4XX", description = "Refused, or not there: not kept, another's, or too old.", body = OpenAiError),
    ),
)]
pub(super) async fn get_response(
    State(app): State<AppState>,
    caller: Caller,
    ResponseId(id): ResponseId,
    query: QueryFields,
) -> Result<Json<Value>, Refusal> {
    let query = query.only(&["stream"])?;
    if query.text("stream").is_some_and(|stream| stream != "false") {
        let message = "`stream` must be false: a kept response is given whole.";
        return Err(ApiError::invalid("stream", message).into());
    }
    Ok(Json(found(&app, &caller, &id).await?.response))
}

/// Forgets a response that was kept. Those that go on from it stay, and nothing can go on from them any more.
#[utoipa::path(
    delete, path = "/v1/responses/{id}", tag = "OpenAI", security(("local" = [])),
    params(("id" = String, Path, description = "The response.")),
    responses(
        (status = 200, description = "It is gone.", body = ResponseDeleted),
        (status = "4XX", description = "Refused, or not there.", body = OpenAiError),
    ),
)]
pub(super) async fn delete_response(
    State(app): State<AppState>,
    caller: Caller,
    ResponseId(id): ResponseId,
) -> Result<Json<ResponseDeleted>, Refusal> {
    let deleted = app.store()?.delete_response(&caller.owner(), &id).await;
    if !deleted.map_err(ApiError::from)? {
        return Err(ApiError::not_found("response").into());
    }
    Ok(Json(ResponseDeleted {
        id,
        object: "response".to_owned(),
        deleted: true,
    }))
}

/// Lists what a kept response answers: the items of the conversation it goes on from, and of its own input.
#[utoipa::path(
    get, path = "/v1/responses/{id}/input_items", tag = "OpenAI", security(("local" = [])),
    params(
        ("id" = String, Path, description = "The response."),
        ("after" = Option<String>, Query, description = "The items that follow this one, by its id."),
        ("limit" = Option<u32>, Query, description = "1–100 items; 20 when absent."),
        ("order" = Option<String>, Query, description = "`desc`, newest first, which is the default; or `asc`."),
    ),
    responses(
        (status = 200, description = "A page.", body = InputItems),
        (status = "4XX", description = "Refused, or not there.", body = OpenAiError),
    ),
)]
pub(super) async fn list_input_items(
    State(app): State<AppState>,
    caller: Caller,
    ResponseId(id): ResponseId,
    query: QueryFields,
) -> Result<Json<InputItems>, Refusal> {
    let query = query.only(&["after", "limit", "order"])?;
    let limit = query.number("limit", 1, 100)?.unwrap_or(20);
    let newest_first = match query.text("order") {
        None | Some("desc") => true,
        Some("asc") => false,
        Some(_) => return Err(ApiError::invalid("order", "`order` must be `asc` or `desc`.").into()),
    };
    let items = kept::answered(&app, &caller, &id).await?;
    let page = InputItems::page(items, newest_first, query.text("after"), limit)?;
    Ok(Json(page))
}

async fn found(app: &App, caller: &Caller, id: &str) -> Result<StoredResponse, ApiError> {
    let found = app.store()?.find_response(&caller.owner(), id).await;
    found?.ok_or_else(|| ApiError::not_found("response"))
}
