//! Responses, as OpenAI's newer clients know them.

use axum::extract::State;
use axum::response::Response;
use goblin_core::wire::openai::parse_responses;

use crate::answer::responses::Responded;
use crate::app::AppState;
use crate::asking::{self, Ticket};
use crate::caller::Caller;
use crate::extract::RawBody;
use crate::openapi::OpenAiError;
use crate::openapi::doors::{ResponseBody, ResponseObject};
use crate::refusal::Refusal;

/// Answers a conversation, as OpenAI's Responses do.
///
/// Nothing is kept: the whole conversation comes as `input` each time, and `store`, `previous_response_id`, `conversation`
/// and `background` are refused. Tools are functions that the caller runs. With `"stream": true` the answer is a stream of
/// OpenAI's events, from `response.created` to `response.completed`, `response.incomplete` or, where it fails,
/// `response.failed`. Closing the connection cancels the answer. Names like `goblin` are answered as at
/// `/v1/chat/completions`: checked, the trace in the field `goblin`; a refused answer holds a `refusal` and is incomplete by
/// `content_filter`. The header `x-goblin-trace-id` names the trace.
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
    let asked = parse_responses(&body)?;
    let responded = Responded::new(&app, &asked);
    Ok(asking::answer(&app, &caller, ticket, asked.request, responded).await?)
}
