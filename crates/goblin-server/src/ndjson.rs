//! Lines of JSON as a response, as Ollama's clients read them. The format has no comments, so silence is filled
//! with a line that says nothing new.

use std::time::Duration;

use axum::response::Response;
use bytes::{BufMut, Bytes, BytesMut};
use futures_core::Stream;

use crate::streamed;

/// A 200 response that sends `lines` (each with its line end) and what `empty` makes after every `silence`.
pub(crate) fn response(
    lines: impl Stream<Item = Bytes> + Send + 'static,
    silence: Duration,
    empty: impl FnMut() -> Bytes + Send + 'static,
) -> Response {
    streamed::response("application/x-ndjson", lines, silence, empty)
}

/// `json` and a line end.
pub(crate) fn line(json: &impl serde::Serialize) -> Bytes {
    let mut out = BytesMut::new().writer();
    // A value of plain JSON cannot fail to serialise; should it, the line is empty and readers skip it.
    let _ = serde_json::to_writer(&mut out, json);
    let mut out = out.into_inner();
    out.put_u8(b'\n');
    out.freeze()
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use serde_json::json;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_is_filled_with_lines_that_say_nothing_and_ready_lines_share_a_write() {
        let (tell, hear) = tokio::sync::mpsc::unbounded_channel::<Bytes>();
        let source =
            futures_util::stream::unfold(hear, |mut hear| async { Some((hear.recv().await?, hear)) });
        let begun = tokio::time::Instant::now();
        let empty = || line(&json!({"message": {"content": ""}}));
        let mut writes = response(source, Duration::from_secs(15), empty)
            .into_body()
            .into_data_stream();
        for seconds in [15, 30] {
            let write = writes.next().await.unwrap().unwrap();
            assert_eq!(write, "{\"message\":{\"content\":\"\"}}\n");
            assert_eq!(begun.elapsed().as_secs(), seconds);
        }
        tell.send(line(&json!({"n": 1}))).unwrap();
        tell.send(line(&json!({"n": 2}))).unwrap();
        drop(tell);
        assert_eq!(writes.next().await.unwrap().unwrap(), "{\"n\":1}\n{\"n\":2}\n");
        assert!(writes.next().await.is_none());
    }
}
