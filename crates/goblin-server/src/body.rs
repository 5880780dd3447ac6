//! Bodies with bounds: a request's body is bounded in size and in time, a response's body keeps its place
//! among the requests under way until it has been sent.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};

/// Why a request's body was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyRefusal {
    /// More than this many bytes.
    TooLarge(usize),
    /// Not all there after this long.
    TooSlow(Duration),
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

/// A response's body that keeps its place among the requests under way until it was sent or dropped.
pub(crate) struct HeldBody {
    inner: Body,
    _place: Place,
}

impl HeldBody {
    pub(crate) fn new(inner: Body, place: Place) -> Self {
        Self { inner, _place: place }
    }
}

impl HttpBody for HeldBody {
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

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_refused_in_time() {
        let never = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        let read = read_all(Body::new(GuardedBody::new(never, 5, Duration::from_secs(3)))).await;
        assert!(matches!(read, Err(ReadError::Refused(BodyRefusal::TooSlow(t))) if t.as_secs() == 3));
    }
}
