//! A connection with patience of known length: a client that stops reading is given up, and a connection is
//! closed so that a client still writing gets to read the answer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use tokio::time::{Instant, Sleep};

/// How long a closing connection is read on after the last byte that came.
const LINGER_QUIET: Duration = Duration::from_millis(500);
/// How long a closing connection is read on at most.
const LINGER_MOST: Duration = Duration::from_secs(5);

/// Wraps a connection's two directions.
///
/// Closing while the client still writes makes the kernel answer with a reset, and the client may lose a
/// response (413, 431) it has not read. So `shutdown` ends our direction first, then reads and forgets what
/// comes, until the client closes, falls silent, or the time is up (a *lingering close*).
pub(super) struct PatientIo<I> {
    inner: I,
    /// How long a write may make no progress.
    patience: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
    lingering: Option<Linger>,
}

struct Linger {
    until: Instant,
    quiet: Pin<Box<Sleep>>,
}

impl<I> PatientIo<I> {
    /// Wraps `inner`; a write that makes no progress for `patience` fails.
    pub(super) fn new(inner: I, patience: Duration) -> Self {
        Self {
            inner,
            patience,
            stalled: None,
            lingering: None,
        }
    }

    /// Turns a write that is pending for too long into an error.
    fn watch<T>(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.stalled = None;
            return result;
        }
        let patience = self.patience;
        let timer = self
            .stalled
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + patience)));
        match timer.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<I: Read + Unpin> Read for PatientIo<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<I: Read + Write + Unpin> Write for PatientIo<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.watch(cx, result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_flush(cx);
        self.watch(cx, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.lingering.is_none() {
            ready!(Pin::new(&mut this.inner).poll_shutdown(cx))?;
        }
        let now = Instant::now();
        let linger = this.lingering.get_or_insert_with(|| Linger {
            until: now + LINGER_MOST,
            quiet: Box::pin(tokio::time::sleep_until(now + LINGER_QUIET)),
        });
        let mut forgotten = [0_u8; 16 * 1024];
        loop {
            let mut buf = ReadBuf::new(&mut forgotten);
            match Pin::new(&mut this.inner).poll_read(cx, buf.unfilled()) {
                Poll::Ready(Ok(())) if buf.filled().is_empty() => return Poll::Ready(Ok(())),
                Poll::Ready(Err(_)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(())) => {
                    let now = Instant::now();
                    if now >= linger.until {
                        return Poll::Ready(Ok(()));
                    }
                    linger
                        .quiet
                        .as_mut()
                        .reset((now + LINGER_QUIET).min(linger.until));
                }
                Poll::Pending => return linger.quiet.as_mut().poll(cx).map(Ok),
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.watch(cx, result)
    }
}
