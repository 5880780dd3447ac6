//! An answer's stream becomes a response: events for those who asked for a stream, one completion for others.

use std::future::ready;
use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_core::Stream;
use futures_util::StreamExt;
use futures_util::stream::{iter, once};
use goblin_core::error::ApiError;
use goblin_core::wire::openai::{ChunkEncoder, Collector, DONE, IncomingChat};
use goblin_core::wire::sse::encode_event;
use goblin_dispatch::answer::{AnswerItem, AnswerStream};
use http::header;
use tokio::time::timeout;

use crate::app::AppState;
use crate::door::Door;
use crate::sse;

/// What the response is to look like.
pub(crate) struct Shape {
    door: Door,
    id: String,
    request_id: String,
    created: i64,
    stream: bool,
    include_usage: bool,
    wait_for_first: Duration,
    ping_every: Duration,
    answer_timeout: Duration,
}

impl Shape {
    /// The shape that `incoming` asks for at `door`.
    pub(crate) fn new(app: &AppState, door: Door, incoming: &IncomingChat, request_id: &str) -> Self {
        Self {
            door,
            id: format!("chatcmpl-{}", app.ids.next_id()),
            request_id: request_id.to_owned(),
            created: app.clock.now().unix_seconds(),
            stream: incoming.stream,
            include_usage: incoming.include_usage,
            wait_for_first: app.options.wait_for_first,
            ping_every: app.options.ping_every,
            answer_timeout: app.options.answer_timeout,
        }
    }
}

/// Answers with `answer` in the given shape. Dropping the response's body drops `answer`, which cancels it.
///
/// # Errors
///
/// What failed before the first byte. Later failures are part of the stream.
pub(crate) async fn respond(shape: Shape, answer: AnswerStream) -> Result<Response, ApiError> {
    if shape.stream {
        stream(shape, answer).await
    } else {
        collect(shape, answer).await
    }
}

async fn collect(shape: Shape, mut answer: AnswerStream) -> Result<Response, ApiError> {
    let seconds = shape.answer_timeout.as_secs();
    let whole = async {
        let mut collector = Collector::new(&shape.id, "", shape.created);
        while let Some(item) = answer.next().await {
            match item? {
                AnswerItem::Chosen { model_id, .. } => {
                    collector = Collector::new(&shape.id, &model_id, shape.created);
                }
                AnswerItem::Event(event) => collector.push(&event),
            }
        }
        Ok::<_, ApiError>(collector)
    };
    let collector = timeout(shape.answer_timeout, whole).await.map_err(|_| {
        ApiError::deadline_exceeded(format!(
            "The answer was not finished within {seconds} seconds. Ask with `\"stream\": true`, or allow fewer tokens."
        ))
    })??;
    Ok(match collector.raw_completion() {
        Some(raw) => ([(header::CONTENT_TYPE, "application/json")], raw.clone()).into_response(),
        None => Json(collector.into_completion(None)).into_response(),
    })
}

/// Holds the status line until the answer has begun, so that a failure before that has a status of its own; not
/// longer than `wait_for_first`, so that proxies do not give up.
async fn stream(shape: Shape, mut answer: AnswerStream) -> Result<Response, ApiError> {
    let first = match timeout(shape.wait_for_first, answer.next()).await {
        Err(_) => None,
        Ok(Some(item)) => Some(Ok(item?)),
        Ok(None) => return Err(ApiError::internal("an answer ended before it began")),
    };
    let ping_every = shape.ping_every;
    let items = iter(first).chain(answer);
    Ok(sse::response(events(shape, items), ping_every))
}

/// Frames every item; after the last one `[DONE]`, unless it was an error.
fn events(
    shape: Shape,
    items: impl Stream<Item = Result<AnswerItem, ApiError>> + Send + 'static,
) -> impl Stream<Item = Bytes> + Send + 'static {
    let encoder = ChunkEncoder::new(&shape.id, "", shape.created, shape.include_usage);
    let mut writer = Writer {
        shape,
        encoder,
        failed: false,
    };
    items
        .map(Some)
        .chain(once(ready(None)))
        .filter_map(move |item| ready(writer.write(item)))
}

struct Writer {
    shape: Shape,
    encoder: ChunkEncoder,
    failed: bool,
}

impl Writer {
    fn write(&mut self, item: Option<Result<AnswerItem, ApiError>>) -> Option<Bytes> {
        let data = match item {
            Some(Ok(AnswerItem::Chosen {
                model_id,
                pass_through,
                ..
            })) => {
                let Shape {
                    id,
                    created,
                    include_usage,
                    ..
                } = &self.shape;
                let encoder = ChunkEncoder::new(id, &model_id, *created, *include_usage);
                self.encoder = if pass_through {
                    encoder.preferring_raw()
                } else {
                    encoder
                };
                return None;
            }
            Some(Ok(AnswerItem::Event(event))) => self.encoder.encode(&event)?,
            Some(Err(error)) => {
                self.failed = true;
                self.in_band(&error)
            }
            None if self.failed => return None,
            None => Bytes::from_static(DONE),
        };
        Some(encode_event(None, None, &data))
    }

    /// The status line is gone, so the failure is an event, and this is where it is logged.
    fn in_band(&self, error: &ApiError) -> Bytes {
        let (code, internal) = (error.code.as_str(), error.internal.as_deref());
        tracing::warn!(
            request_id = self.shape.request_id,
            code,
            internal,
            "an answer failed in its stream"
        );
        self.shape.door.body(error, &self.shape.request_id).0.into()
    }
}
