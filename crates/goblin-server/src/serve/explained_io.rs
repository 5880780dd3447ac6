//! A request whose head cannot be read never reaches a handler: the HTTP library answers it, with a status and
//! no word. Here such an answer gets a sentence on its way out.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use goblin_core::error::ApiError;
use goblin_core::wire::legacy;
use hyper::rt::{Read, ReadBufCursor, Write};

/// The library's own answers are shorter; whatever is longer is one of ours.
const LONGEST: usize = 256;

/// Wraps a connection's two directions.
pub(super) struct ExplainedIo<I> {
    inner: I,
    /// What is sent instead of an answer without words, and how much of it has been.
    instead: Option<(Vec<u8>, usize)>,
}

impl<I> ExplainedIo<I> {
    pub(super) fn new(inner: I) -> Self {
        Self { inner, instead: None }
    }
}

/// The answer with its sentence, when `bytes` is a whole answer of the library's own.
fn explain(bytes: &[u8]) -> Option<Vec<u8>> {
    // Looked at first: nearly every write is one of ours, and long.
    let text = (bytes.len() < LONGEST).then(|| std::str::from_utf8(bytes).ok())??;
    let head = text.strip_suffix("\r\n\r\n")?;
    let (line, fields) = head.split_once("\r\n")?;
    let status: u16 = line.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
    let fields: Vec<&str> = fields.split("\r\n").collect();
    let empty = |field: &&str| field.eq_ignore_ascii_case("content-length: 0");
    let ours = |field: &&str| field.len() >= 16 && field[..16].eq_ignore_ascii_case("x-correlation-id");
    if !fields.iter().any(empty) || fields.iter().any(ours) {
        return None;
    }
    let sentence = match status {
        400 => {
            "The head of this request cannot be read: a line is malformed, or its lengths contradict each other. \
             Send one request line, plain headers and one length."
        }
        414 => "The address of this request is too long. Put what it says into the body.",
        431 => "The headers of this request are too many or too large. Send fewer and shorter ones.",
        _ => return None,
    };
    let body = serde_json::to_vec(&legacy::error_body(&ApiError::invalid("head", sentence))).ok()?;
    let mut answer = format!("{line}\r\n");
    for field in fields.iter().filter(|f| !empty(f)) {
        answer.push_str(field);
        answer.push_str("\r\n");
    }
    let length = body.len();
    answer.push_str(&format!(
        "content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    ));
    let mut answer = answer.into_bytes();
    answer.extend_from_slice(&body);
    Some(answer)
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
            this.instead = explain(buf).map(|answer| (answer, 0));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_librarys_own_answers_get_a_sentence() {
        let own = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\ndate: now\r\n\r\n";
        let said = String::from_utf8(explain(own).unwrap()).unwrap();
        let (head, body) = said.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("HTTP/1.1 431 ") && head.contains("connection: close\r\ndate: now"),
            "{head}"
        );
        assert!(
            head.ends_with(&format!("content-length: {}", body.len())),
            "{head}"
        );
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["error"]["code"], "invalid_request");
        assert_eq!(body["detail"], body["error"]["message"]);
        for other in [
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}",
            "HTTP/1.1 400 Bad Request\r\nX-Correlation-ID: a\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\nmore",
            "data: HTTP/1.1 400 \r\n\r\n",
            "",
        ] {
            assert_eq!(explain(other.as_bytes()), None, "{other}");
        }
    }
}
