//! A request whose head cannot be read never reaches a handler: the HTTP library answers it, with a status and
//! no word. Here such an answer gets a sentence and an id on its way out.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};

use super::unread::Unread;

/// Wraps a connection's two directions.
pub(super) struct ExplainedIo<I> {
    inner: I,
    unread: Unread,
    /// What is sent instead of an answer without words, and how much of it has been.
    instead: Option<(Vec<u8>, usize)>,
}

impl<I> ExplainedIo<I> {
    /// Wraps `inner`; `unread` words what is said in the library's place.
    pub(super) fn new(inner: I, unread: Unread) -> Self {
        Self {
            inner,
            unread,
            instead: None,
        }
    }
}

impl<I: Read + Unpin> Read for ExplainedIo<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<I: Write + Unpin> Write for ExplainedIo<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.instead.is_none() {
            this.instead = this.unread.explain(buf).map(|answer| (answer, 0));
        }
        while let Some((answer, sent)) = &mut this.instead {
            if *sent == answer.len() {
                this.instead = None;
                return Poll::Ready(Ok(buf.len()));
            }
            match ready!(Pin::new(&mut this.inner).poll_write(cx, &answer[*sent..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                more => *sent += more,
            }
        }
        Pin::new(&mut this.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // The library's own answer is one piece.
        if let [one] = bufs {
            return self.poll_write(cx, one);
        }
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }
}
