//! An answer's stream becomes a response: pieces for those who asked for a stream, one body for others. One path
//! for every kind of client; what differs is the [`Encoding`].

use std::future::ready;
use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_core::Stream;
use futures_util::StreamExt;
use futures_util::future::Either;
use futures_util::stream::{iter, once};
use goblin_core::error::ApiError;
use goblin_core::event::{ChatEvent, Parsed};
use goblin_core::provider::BoxFuture;
use goblin_dispatch::answer::{AnswerItem, AnswerStream};
use goblin_dispatch::once::Traced;
use http::{HeaderName, HeaderValue};
use serde_json::Value;
use tokio::time::timeout;

use crate::app::App;
use crate::refusal::Refusal;
use crate::{ndjson, sse};

pub(crate) mod anthropic;
pub(crate) mod completion;
pub(crate) mod ollama;
pub(crate) mod openai;
pub(crate) mod responses;
mod told;

/// What errors call the field with the question.
const MESSAGES: &str = "messages";

/// Names the trace of an answer, also of one that failed.
const TRACE_ID: HeaderName = HeaderName::from_static("x-goblin-trace-id");

/// Names the fields of a request that were left out because the model cannot take them.
const DROPPED: HeaderName = HeaderName::from_static("x-goblin-dropped");

/// One answer in the words of one kind of client: in pieces, or as a whole.
pub(crate) trait Encoding: Send + 'static {
    /// The answer is committed to this model. `pass_through`: its events carry bytes to be forwarded untouched.
    fn chosen(&mut self, model_id: &str, pass_through: bool);
    /// The framed piece of a stream that says `event`; `None` when nothing is to be sent for it.
    fn piece(&mut self, event: &ChatEvent) -> Option<Bytes>;
    /// What ends a stream that has not failed.
    fn end(&mut self) -> Option<Bytes>;
    /// What is to be done once everything has been taken in and before the end is told; when it fails, that is told
    /// instead.
    fn before_end(&mut self) -> Option<BoxFuture<Result<(), ApiError>>> {
        None
    }
    /// The framed piece of a stream that says why it ends here.
    fn failure(&mut self, error: &ApiError) -> Bytes;
    /// How the pieces travel, and what fills silence.
    fn framing(&self) -> Framing;
    /// Takes `event` into the whole answer.
    fn keep(&mut self, event: &ChatEvent);
    /// The whole answer.
    fn whole(self) -> Response;
    /// The framed piece of a stream that tells something beside the answer's events; `None` where it has no place. Only
    /// answers that are checked tell anything.
    fn told(&mut self, _: AnswerItem) -> Option<Bytes> {
        None
    }
    /// Takes what is told beside the events into the whole answer.
    fn keep_told(&mut self, _: AnswerItem) {}
    /// The field of the request that holds the question, where it is not `messages`.
    fn question_field(&self) -> &'static str {
        MESSAGES
    }
    /// Has a refused answer a status of its own here? Then one that is refused before anything of it was sent is sent as a
    /// whole, also to who asked for a stream.
    fn refuses_by_status(&self) -> bool {
        false
    }
}

/// How the pieces of a stream travel.
pub(crate) enum Framing {
    /// Server-sent events; silence is filled with this one, which says nothing.
    Events(&'static [u8]),
    /// Lines of JSON; silence is filled with what this makes.
    Lines(Box<dyn FnMut() -> Bytes + Send>),
}

/// How an answer is to be sent, whatever its words.
pub(crate) struct Manner {
    stream: bool,
    request_id: String,
    wait_for_first: Duration,
    silence: Duration,
    answer_timeout: Duration,
}

impl Manner {
    /// As `app` is set; in pieces when `stream`.
    pub(crate) fn new(app: &App, stream: bool, request_id: &str) -> Self {
        Self {
            stream,
            request_id: request_id.to_owned(),
            wait_for_first: app.options.wait_for_first,
            silence: app.options.ping_every,
            answer_timeout: app.options.answer_timeout,
        }
    }
}

/// Answers with `answer` in the words of `encoding`, its trace named in a header; with a refusal for what failed before the
/// first byte. Later failures are part of the stream. Dropping the response's body drops `answer`, which cancels it.
pub(crate) async fn respond(manner: Manner, encoding: impl Encoding, answer: AnswerStream) -> Response {
    let trace_id = answer.trace_id().map(str::to_owned);
    let field = encoding.question_field();
    let responded = if manner.stream {
        stream(manner, encoding, answer).await
    } else {
        collect(manner.answer_timeout, encoding, answer).await
    };
    let response = responded.unwrap_or_else(|error| Refusal(in_field(error, field)).into_response());
    naming(trace_id, response)
}

/// The same error of a question in `field`: what is wrong with some of its messages is wrong with that.
pub(crate) fn in_field(mut error: ApiError, field: &str) -> ApiError {
    if field != MESSAGES
        && let Some(param) = error.param.take_if(|param| param.starts_with(MESSAGES))
    {
        error.message = error
            .message
            .replace(&format!("`{param}`"), &format!("`{field}`"));
        error.param = Some(field.to_owned());
    }
    error
}

/// Answers with what came in one piece, its trace named in a header.
pub(crate) fn tell<T>(made: Traced<T>, body: impl FnOnce(&T) -> Value) -> Response {
    let response = match made.result {
        Ok(made) => Json(body(&made)).into_response(),
        Err(error) => Refusal(error).into_response(),
    };
    naming(made.trace_id, response)
}

fn naming(trace_id: Option<String>, mut response: Response) -> Response {
    if let Some(id) = trace_id.and_then(|id| HeaderValue::try_from(id).ok()) {
        response.headers_mut().insert(TRACE_ID, id);
    }
    response
}

/// The response, with the fields that were left out in a header. Their names are our own words.
fn listing(dropped: &[String], mut response: Response) -> Response {
    if !dropped.is_empty()
        && let Ok(names) = HeaderValue::try_from(dropped.join(", "))
    {
        response.headers_mut().insert(DROPPED, names);
    }
    response
}

async fn collect(
    limit: Duration,
    mut encoding: impl Encoding,
    mut answer: impl Stream<Item = Result<AnswerItem, ApiError>> + Unpin,
) -> Result<Response, ApiError> {
    let mut left_out = Vec::new();
    let whole = async {
        while let Some(item) = answer.next().await {
            match item? {
                AnswerItem::Chosen {
                    model_id,
                    pass_through,
                    dropped,
                    ..
                } => {
                    encoding.chosen(&model_id, pass_through);
                    left_out = dropped;
                }
                AnswerItem::Event(event) => encoding.keep(&event),
                told => encoding.keep_told(told),
            }
        }
        if let Some(work) = encoding.before_end() {
            work.await?;
        }
        Ok::<_, ApiError>(listing(&left_out, encoding.whole()))
    };
    let seconds = limit.as_secs();
    timeout(limit, whole).await.map_err(|_| {
        ApiError::deadline_exceeded(format!(
            "The answer was not finished within {seconds} seconds. Ask with `\"stream\": true`, or allow fewer tokens."
        ))
    })?
}

/// Holds the status line until the answer has begun, so that a failure or a refusal before that has a status of its own;
/// not longer than `wait_for_first`, so that proxies do not give up.
async fn stream(
    manner: Manner,
    encoding: impl Encoding,
    mut answer: AnswerStream,
) -> Result<Response, ApiError> {
    let mut head = Vec::new();
    // Not in time: what is there is sent, and the rest when it comes.
    if let Ok(begun) = timeout(manner.wait_for_first, begin(&mut answer, &mut head)).await {
        begun?;
    }
    let left_out = head.iter().rev().find_map(|item| match item {
        AnswerItem::Chosen { dropped, .. } => Some(dropped.clone()),
        _ => None,
    });
    let refused = matches!(head.last(), Some(AnswerItem::Refused(_)));
    let items = iter(head.into_iter().map(Ok)).chain(answer);
    if refused && encoding.refuses_by_status() {
        return collect(manner.answer_timeout, encoding, items).await;
    }
    let (silence, framing) = (manner.silence, encoding.framing());
    let pieces = pieces(manner.request_id, encoding, items);
    let response = match framing {
        Framing::Events(empty) => sse::response(pieces, silence, empty),
        Framing::Lines(empty) => ndjson::response(pieces, silence, empty),
    };
    Ok(listing(&left_out.unwrap_or_default(), response))
}

/// Puts the items of an answer into `head`, up to the one by which it has begun: its first content, or that there will be
/// none.
async fn begin(answer: &mut AnswerStream, head: &mut Vec<AnswerItem>) -> Result<(), ApiError> {
    while let Some(item) = answer.next().await {
        let item = item?;
        let begun = match &item {
            AnswerItem::Event(event) => {
                event.parsed.is_content() || matches!(event.parsed, Parsed::Finished { .. })
            }
            AnswerItem::Refused(_) => true,
            _ => false,
        };
        head.push(item);
        if begun {
            return Ok(());
        }
    }
    match head.is_empty() {
        true => Err(ApiError::internal("an answer ended before it began")),
        false => Ok(()),
    }
}

/// Every item's piece, and the piece that ends them unless the last item was a failure.
fn pieces(
    request_id: String,
    encoding: impl Encoding,
    items: impl Stream<Item = Result<AnswerItem, ApiError>> + Send + 'static,
) -> impl Stream<Item = Bytes> + Send + 'static {
    let mut writing = Some((request_id, encoding));
    let mut write = move |item: Option<Result<AnswerItem, ApiError>>| {
        let Some(item) = item else {
            return (None, writing.take());
        };
        let Some((request_id, encoding)) = &mut writing else {
            return (None, None);
        };
        let piece = match item {
            Ok(AnswerItem::Chosen {
                model_id,
                pass_through,
                ..
            }) => {
                encoding.chosen(&model_id, pass_through);
                None
            }
            Ok(AnswerItem::Event(event)) => encoding.piece(&event),
            Ok(told) => encoding.told(told),
            Err(error) => {
                let failure = failure(request_id, encoding, error);
                writing = None;
                Some(failure)
            }
        };
        (piece, None)
    };
    items
        .map(Some)
        .chain(once(ready(None)))
        .filter_map(move |item| match write(item) {
            (_, Some((request_id, encoding))) => Either::Left(end(request_id, encoding)),
            (piece, None) => Either::Right(ready(piece)),
        })
}

/// What ends a stream that has not failed so far.
async fn end(request_id: String, mut encoding: impl Encoding) -> Option<Bytes> {
    let done = match encoding.before_end() {
        Some(work) => work.await,
        None => Ok(()),
    };
    match done {
        Ok(()) => encoding.end(),
        Err(error) => Some(failure(&request_id, &mut encoding, error)),
    }
}

fn failure(request_id: &str, encoding: &mut impl Encoding, error: ApiError) -> Bytes {
    log_failure(request_id, &error);
    let field = encoding.question_field();
    encoding.failure(&in_field(error, field))
}

/// The status line is gone, so the failure is a piece of the stream, and this is where it is logged.
fn log_failure(request_id: &str, error: &ApiError) {
    let (code, internal) = (error.code.as_str(), error.internal.as_deref());
    tracing::warn!(request_id, code, internal, "an answer failed in its stream");
}
