//! Bodies with bounds: a request's body is bounded in size and in time, a response's body keeps its place
//! among the requests under way until it has been sent.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use goblin_core::error::ApiError;
use goblin_core::manage::ByteStream;
use goblin_core::telemetry::page::MAX_REPORT_BYTES;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};

use crate::app::{App, Surface};

/// Largest blob of a model, in bytes (64 GiB). Blobs are passed on as they arrive, never held.
const MAX_BLOB_BYTES: usize = 64 << 30;
/// Longest time a blob may take to arrive.
const MAX_BLOB_TIME: Duration = Duration::from_secs(6 * 60 * 60);

/// Longest time a file for a question may take to arrive, unless any body may take longer.
const MAX_FILE_TIME: Duration = Duration::from_secs(120);

/// Largest body of a request that signs in or changes an account, in bytes.
const MAX_SIGN_IN_BYTES: usize = 64 * 1024;

/// The bounds of the body of a request for `path`: its bytes, and the time it may take to arrive.
pub(crate) fn bounds(app: &App, path: &str) -> (usize, Duration) {
    if app.surface == Surface::Tier && path.starts_with("/api/blobs/") {
        return (MAX_BLOB_BYTES, MAX_BLOB_TIME);
    }
    if app.surface == Surface::Backend && (path.starts_with("/auth/") || path.starts_with("/api/account/")) {
        return (
            MAX_SIGN_IN_BYTES.min(app.options.max_body_bytes),
            app.options.body_timeout,
        );
    }
    if app.surface == Surface::Backend && path == "/api/telemetry" {
        return (
            MAX_REPORT_BYTES.min(app.options.max_body_bytes),
            app.options.body_timeout,
        );
    }
    if app.surface == Surface::Backend && path == "/api/attachments" {
        return (
            app.options.attachments.bytes_each,
            app.options.body_timeout.max(MAX_FILE_TIME),
        );
    }
    (app.options.max_body_bytes, app.options.body_timeout)
}

/// Why a request's body was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyRefusal {
    /// More than this many bytes.
    TooLarge(usize),
    /// Not all there after this long.
    TooSlow(Duration),
}

impl From<BodyRefusal> for ApiError {
    fn from(refusal: BodyRefusal) -> Self {
        match refusal {
            BodyRefusal::TooLarge(limit) => Self::payload_too_large(limit),
            BodyRefusal::TooSlow(limit) => Self::request_timeout(limit.as_secs().max(1)),
        }
    }
}

impl std::fmt::Display for BodyRefusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooLarge(limit) => write!(f, "body over {limit} bytes"),
            Self::TooSlow(limit) => write!(f, "body slower than {limit:?}"),
        }
    }
}

impl std::error::Error for BodyRefusal {}

/// A request's body that ends with a [`BodyRefusal`] when it is too large or too slow. The time starts with
/// the first read, so a handler that refuses earlier waits for nothing. A body that says it is too large is
/// refused unread: the connection's lingering close lets the client finish writing.
pub(crate) struct GuardedBody {
    inner: Body,
    limit: usize,
    time: Duration,
    seen: usize,
    ended: bool,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl GuardedBody {
    /// Bounds `inner` to `limit` bytes and to `time` from the first read to the end.
    pub(crate) fn new(inner: Body, limit: usize, time: Duration) -> Self {
        Self {
            inner,
            limit,
            time,
            seen: 0,
            ended: false,
            deadline: None,
        }
    }

    fn refuse(&mut self, refusal: BodyRefusal) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.ended = true;
        Poll::Ready(Some(Err(refusal.into())))
    }

    fn declared_too_large(&self) -> bool {
        let limit = u64::try_from(self.limit).unwrap_or(u64::MAX);
        self.inner
            .size_hint()
            .exact()
            .is_some_and(|declared| declared > limit)
    }
}

impl HttpBody for GuardedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        if this.deadline.is_none() {
            this.deadline = Some(Box::pin(tokio::time::sleep_until(Instant::now() + this.time)));
            if this.declared_too_large() {
                return this.refuse(BodyRefusal::TooLarge(this.limit));
            }
        }
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                this.seen = this.seen.saturating_add(frame.data_ref().map_or(0, Bytes::len));
                if this.seen > this.limit {
                    return this.refuse(BodyRefusal::TooLarge(this.limit));
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(e))) => Poll::Ready(Some(Err(e.into()))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => match this.deadline.as_mut().map(|d| d.as_mut().poll(cx)) {
                Some(Poll::Ready(())) => this.refuse(BodyRefusal::TooSlow(this.time)),
                _ => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A request's body that tells whether it was dropped before its end.
pub(crate) struct WatchedBody {
    inner: Body,
    ended: bool,
    left: Arc<AtomicBool>,
}

impl WatchedBody {
    /// Watches `inner`. The flag becomes true when it is dropped unread.
    pub(crate) fn new(inner: Body) -> (Self, Arc<AtomicBool>) {
        let left = Arc::new(AtomicBool::new(false));
        let watched = Self {
            ended: false,
            left: Arc::clone(&left),
            inner,
        };
        (watched, left)
    }
}

impl Drop for WatchedBody {
    fn drop(&mut self) {
        let left = !self.ended && !self.inner.is_end_stream();
        self.left.store(left, Ordering::Relaxed);
    }
}

impl HttpBody for WatchedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        self.ended |= matches!(polled, Poll::Ready(None));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Why [`read_all`] has no body.
pub(crate) enum ReadError {
    /// A bound was passed.
    Refused(BodyRefusal),
    /// The client went away or broke the framing.
    Broken,
}

/// Reads a whole request body; the [`GuardedBody`] around it holds the bounds.
pub(crate) async fn read_all(mut body: Body) -> Result<Bytes, ReadError> {
    let mut out = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| refusal_in(&e).map_or(ReadError::Broken, ReadError::Refused))?;
        if let Ok(data) = frame.into_data() {
            if out.is_empty() && body.is_end_stream() {
                return Ok(data);
            }
            out.extend_from_slice(&data);
        }
    }
    Ok(out.freeze())
}

/// Why a body that is passed on as it arrives did not arrive whole, once that is known.
#[derive(Clone, Default)]
pub(crate) struct CutShort(Arc<OnceLock<ApiError>>);

impl CutShort {
    /// What to tell the client instead of what happened further on.
    pub(crate) fn reason(&self) -> Option<ApiError> {
        self.0.get().cloned()
    }
}

/// A request's body as it arrives. Whoever reads it learns only that it broke; why is in the [`CutShort`].
pub(crate) fn arriving(body: Body) -> (ByteStream, CutShort) {
    let cut = CutShort::default();
    let noted = cut.clone();
    let pieces = body.into_data_stream().map(move |piece| {
        piece.map_err(|error| {
            let reason = refusal_in(&error).map_or_else(
                || ApiError::invalid("body", "The body ended before it was whole. Send it again."),
                ApiError::from,
            );
            let _ = noted.0.set(reason);
            std::io::Error::other("the client's body broke off")
        })
    });
    (Box::pin(pieces), cut)
}

fn refusal_in(error: &(dyn std::error::Error + 'static)) -> Option<BodyRefusal> {
    let mut at = Some(error);
    while let Some(e) = at {
        if let Some(refusal) = e.downcast_ref::<BodyRefusal>() {
            return Some(*refusal);
        }
        at = e.source();
    }
    None
}

/// A response's body that keeps a place (among the requests under way, or among those of its key) until it was
/// sent or dropped.
pub(crate) struct HeldBody<P> {
    inner: Body,
    _place: P,
}

impl<P> HeldBody<P> {
    pub(crate) fn new(inner: Body, place: P) -> Self {
        Self { inner, _place: place }
    }
}

impl<P: Unpin> HttpBody for HeldBody<P> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A place among the requests under way, counted in `goblin_http_requests_in_flight`.
pub(crate) struct Place(#[allow(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl Place {
    pub(crate) fn take(permit: OwnedSemaphorePermit) -> Self {
        metrics::gauge!("goblin_http_requests_in_flight").increment(1.0);
        Self(permit)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        metrics::gauge!("goblin_http_requests_in_flight").decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guarded(chunks: Vec<&'static [u8]>, limit: usize) -> Body {
        let stream = futures_util::stream::iter(
            chunks
                .into_iter()
                .map(|c| Ok::<_, std::convert::Infallible>(Bytes::from_static(c))),
        );
        Body::new(GuardedBody::new(
            Body::from_stream(stream),
            limit,
            Duration::from_secs(60),
        ))
    }

    #[tokio::test]
    async fn a_chunked_body_is_taken_up_to_the_limit_and_refused_beyond() {
        let whole = read_all(guarded(vec![b"abc", b"de"], 5)).await;
        assert!(matches!(whole, Ok(bytes) if bytes == "abcde"));
        let over = read_all(guarded(vec![b"abc", b"def", b"g"], 5)).await;
        assert!(matches!(over, Err(ReadError::Refused(BodyRefusal::TooLarge(5)))));
    }

    #[tokio::test]
    async fn a_body_passed_on_as_it_arrives_says_why_it_broke() {
        let (pieces, cut) = arriving(guarded(vec![b"abc", b"def", b"g"], 5));
        let arrived: Vec<_> = pieces.collect().await;
        assert_eq!(arrived[0].as_ref().unwrap(), "abc");
        assert!(arrived[1].is_err() && arrived.len() == 2);
        assert_eq!(cut.reason().unwrap().status(false), 413);
        let (pieces, cut) = arriving(guarded(vec![b"abc"], 5));
        assert_eq!(pieces.count().await, 1);
        assert_eq!(cut.reason(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_refused_in_time() {
        let never = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        let read = read_all(Body::new(GuardedBody::new(never, 5, Duration::from_secs(3)))).await;
        assert!(matches!(read, Err(ReadError::Refused(BodyRefusal::TooSlow(t))) if t.as_secs() == 3));
    }
}
