//! Server-sent events as a response.

use std::time::Duration;

use axum::response::Response;
use bytes::Bytes;
use futures_core::Stream;

use crate::streamed;

/// A 200 response that sends `events` (each framed already) and `empty`, a comment or an event that says nothing,
/// after every `silence`.
pub(crate) fn response(
    events: impl Stream<Item = Bytes> + Send + 'static,
    silence: Duration,
    empty: &'static [u8],
) -> Response {
    streamed::response("text/event-stream", events, silence, move || {
        Bytes::from_static(empty)
    })
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use futures_util::StreamExt;
    use goblin_core::wire::sse::PING;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_is_filled_with_comments_and_ready_events_share_a_write() {
        let (tell, hear) = tokio::sync::mpsc::unbounded_channel::<Bytes>();
        let source =
            futures_util::stream::unfold(hear, |mut hear| async { Some((hear.recv().await?, hear)) });
        let body: Body = response(source, Duration::from_secs(15), PING).into_body();
        let mut writes = body.into_data_stream();
        assert_eq!(writes.next().await.unwrap().unwrap(), ": ping\n\n");
        tell.send("data: 1\n\n".into()).unwrap();
        tell.send("data: 2\n\n".into()).unwrap();
        drop(tell);
        assert_eq!(writes.next().await.unwrap().unwrap(), "data: 1\n\ndata: 2\n\n");
        assert!(writes.next().await.is_none());
    }
}
