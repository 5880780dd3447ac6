//! A stream of framed pieces as a response's body: ready pieces share a write, silence is filled, and dropping
//! the body drops the source. [`crate::sse`] and [`crate::ndjson`] say what the pieces are.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use futures_util::StreamExt;
use http::{HeaderName, header};

/// Most pieces that share one write.
const COALESCE: usize = 64;

/// A 200 response of `content_type` that sends `pieces` (each framed already) and what `filler` makes after every
/// `silence` without one.
pub(crate) fn response(
    content_type: &'static str,
    pieces: impl Stream<Item = Bytes> + Send + 'static,
    silence: Duration,
    filler: impl FnMut() -> Bytes + Send + 'static,
) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store, no-transform"),
        // Asks nginx and its kin not to hold pieces back.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, Body::from_stream(writes(pieces, silence, filler))).into_response()
}

/// The writes that send `pieces`.
pub(crate) fn writes<F: FnMut() -> Bytes + Send + 'static>(
    pieces: impl Stream<Item = Bytes> + Send + 'static,
    silence: Duration,
    filler: F,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    let ready = Box::pin(pieces.ready_chunks(COALESCE));
    futures_util::stream::unfold((ready, filler), move |(mut ready, mut filler)| async move {
        let bytes = match tokio::time::timeout(silence, ready.next()).await {
            Ok(None) => return None,
            Ok(Some(mut one)) if one.len() == 1 => one.remove(0),
            Ok(Some(many)) => many.iter().fold(BytesMut::new(), joined).freeze(),
            Err(_) => filler(),
        };
        Some((Ok(bytes), (ready, filler)))
    })
}

fn joined(mut all: BytesMut, one: &Bytes) -> BytesMut {
    all.extend_from_slice(one);
    all
}
