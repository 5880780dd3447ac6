//! Server-sent events as a response: ready events share a write, silence is filled with comments, and dropping
//! the body drops the source.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use futures_util::StreamExt;
use goblin_core::wire::sse::PING;
use http::header;

/// Most events that share one write.
const COALESCE: usize = 64;

/// A 200 response that sends `events` (each framed already) and a comment after every `ping_every` of silence.
pub(crate) fn response(events: impl Stream<Item = Bytes> + Send + 'static, ping_every: Duration) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store, no-transform"),
        // Asks nginx and its kin not to hold events back.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, Body::from_stream(writes(events, ping_every))).into_response()
}

fn writes(
    events: impl Stream<Item = Bytes> + Send + 'static,
    ping_every: Duration,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    let ready = Box::pin(events.ready_chunks(COALESCE));
    futures_util::stream::unfold(ready, move |mut ready| async move {
        let bytes = match tokio::time::timeout(ping_every, ready.next()).await {
            Ok(None) => return None,
            Ok(Some(mut one)) if one.len() == 1 => one.remove(0),
            Ok(Some(many)) => many.iter().fold(BytesMut::new(), joined).freeze(),
            Err(_) => Bytes::from_static(PING),
        };
        Some((Ok(bytes), ready))
    })
}

fn joined(mut all: BytesMut, one: &Bytes) -> BytesMut {
    all.extend_from_slice(one);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_is_filled_with_comments_and_ready_events_share_a_write() {
        let (tell, hear) = tokio::sync::mpsc::unbounded_channel::<Bytes>();
        let source =
            futures_util::stream::unfold(hear, |mut hear| async { Some((hear.recv().await?, hear)) });
        let mut writes = Box::pin(writes(source, Duration::from_secs(15)));
        assert_eq!(writes.next().await.unwrap().unwrap(), ": ping\n\n");
        tell.send("data: 1\n\n".into()).unwrap();
        tell.send("data: 2\n\n".into()).unwrap();
        drop(tell);
        assert_eq!(writes.next().await.unwrap().unwrap(), "data: 1\n\ndata: 2\n\n");
        assert!(writes.next().await.is_none());
    }
}
