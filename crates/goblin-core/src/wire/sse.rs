//! Server-sent events: splitting a byte stream into events, and writing them.
//!
//! Source of the format: the WHATWG HTML standard, "Server-sent events", "Interpreting an event stream".

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;

/// A comment that keeps proxies from closing a quiet stream; readers ignore it.
pub const PING: &[u8] = b": ping\n\n";

/// One event as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SseEvent {
    /// The `event:` field, when the event had one.
    pub event: Option<String>,
    /// The `data:` lines, joined by `\n`.
    pub data: Bytes,
    /// The `id:` field, when *this* event had one.
    pub id: Option<String>,
}

/// Why a stream cannot be split any further.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SseError {
    /// An event (or a line of it) is over the limit.
    #[error("an event of the stream is over the limit of {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
}

/// Splits a byte stream that arrives in pieces of any size into events. Line ends may be `\n`, `\r\n` or `\r`,
/// and a piece may end anywhere, even between the two bytes of a line end or inside a character.
///
/// An event that was not ended by an empty line when the stream ends is never reported.
#[derive(Debug)]
pub struct SseSplitter {
    max_event_bytes: usize,
    line: Vec<u8>,
    data: BytesMut,
    has_data: bool,
    event: Option<String>,
    id: Option<String>,
    skip_line_feed: bool,
    at_start: bool,
    broken: bool,
    ready: VecDeque<Result<SseEvent, SseError>>,
}

impl SseSplitter {
    /// A splitter that refuses events of more than `max_event_bytes` bytes.
    pub fn new(max_event_bytes: usize) -> Self {
        Self {
            max_event_bytes,
            line: Vec::new(),
            data: BytesMut::new(),
            has_data: false,
            event: None,
            id: None,
            skip_line_feed: false,
            at_start: true,
            broken: false,
            ready: VecDeque::new(),
        }
    }

    /// Takes the next piece of the stream. What it completes is then had from [`Self::next_event`]. After an
    /// error further pieces are ignored.
    pub fn push(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while !rest.is_empty() && !self.broken {
            if std::mem::take(&mut self.skip_line_feed) && rest[0] == b'\n' {
                rest = &rest[1..];
                continue;
            }
            let Some(end) = memchr::memchr2(b'\n', b'\r', rest) else {
                self.keep(rest);
                return;
            };
            let ended_by = rest[end];
            if self.line.is_empty() {
                self.take_line(&rest[..end]);
            } else {
                self.keep(&rest[..end]);
                let line = std::mem::take(&mut self.line);
                self.take_line(&line);
                self.line = line;
                self.line.clear();
            }
            self.skip_line_feed = ended_by == b'\r';
            rest = &rest[end + 1..];
        }
    }

    /// The next whole event, if there is one. An error is reported once and is the last item.
    pub fn next_event(&mut self) -> Option<Result<SseEvent, SseError>> {
        self.ready.pop_front()
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.line.len() + self.data.len() + bytes.len() > self.max_event_bytes + LINE_SLACK {
            self.refuse();
        } else {
            self.line.extend_from_slice(bytes);
        }
    }

    fn refuse(&mut self) {
        self.broken = true;
        self.line = Vec::new();
        self.data = BytesMut::new();
        self.ready.push_back(Err(SseError::TooLarge {
            limit: self.max_event_bytes,
        }));
    }

    fn take_line(&mut self, line: &[u8]) {
        let line = match std::mem::take(&mut self.at_start) {
            true => line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line),
            false => line,
        };
        if self.broken {
            return;
        }
        if line.is_empty() {
            self.dispatch();
            return;
        }
        let (field, value) = match memchr::memchr(b':', line) {
            Some(0) => return,
            Some(colon) => {
                let value = &line[colon + 1..];
                (&line[..colon], value.strip_prefix(b" ").unwrap_or(value))
            }
            None => (line, &line[line.len()..]),
        };
        match field {
            b"data" => self.take_data(value),
            b"event" => self.event = Some(String::from_utf8_lossy(value).into_owned()),
            b"id" if !value.contains(&0) => self.id = Some(String::from_utf8_lossy(value).into_owned()),
            _ => {}
        }
    }

    fn take_data(&mut self, value: &[u8]) {
        if self.data.len() + value.len() + 1 > self.max_event_bytes {
            self.refuse();
            return;
        }
        if self.has_data {
            self.data.put_u8(b'\n');
        }
        self.data.extend_from_slice(value);
        self.has_data = true;
    }

    fn dispatch(&mut self) {
        let (event, id) = (self.event.take(), self.id.take());
        if std::mem::take(&mut self.has_data) {
            let data = self.data.split().freeze();
            self.ready.push_back(Ok(SseEvent {
                event: event.filter(|e| !e.is_empty()),
                data,
                id,
            }));
        }
    }
}

/// Room for a line's field name, colon and space beside the data it carries.
const LINE_SLACK: usize = 16;

/// Writes one event. `data` may hold line ends; it then becomes several `data:` lines. Line ends in `event` are
/// left out.
pub fn encode_event(id: Option<u64>, event: Option<&str>, data: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(data.len() + 48);
    if let Some(id) = id {
        out.put_slice(b"id: ");
        out.put_slice(id.to_string().as_bytes());
        out.put_u8(b'\n');
    }
    if let Some(event) = event {
        out.put_slice(b"event: ");
        out.extend(event.bytes().filter(|b| !matches!(b, b'\n' | b'\r')));
        out.put_u8(b'\n');
    }
    let mut rest = data;
    loop {
        out.put_slice(b"data: ");
        let Some(end) = memchr::memchr2(b'\n', b'\r', rest) else {
            out.put_slice(rest);
            break;
        };
        out.put_slice(&rest[..end]);
        out.put_u8(b'\n');
        let crlf = rest[end] == b'\r' && rest.get(end + 1) == Some(&b'\n');
        rest = &rest[end + 1 + usize::from(crlf)..];
    }
    out.put_slice(b"\n\n");
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(pieces: &[&[u8]]) -> Vec<Result<SseEvent, SseError>> {
        let mut splitter = SseSplitter::new(1024);
        pieces.iter().for_each(|p| splitter.push(p));
        std::iter::from_fn(|| splitter.next_event()).collect()
    }

    fn data(text: &str) -> Result<SseEvent, SseError> {
        Ok(SseEvent {
            event: None,
            data: Bytes::copy_from_slice(text.as_bytes()),
            id: None,
        })
    }

    #[test]
    fn every_line_end_ends_a_line_and_cuts_do_not_matter() {
        for end in ["\n", "\r\n", "\r"] {
            let text = format!(
                "\u{feff}: hello{end}data: ä1{end}data:2{end}id: 7{end}event: e{end}{end}data{end}{end}retry: 5{end}{end}data: x{end}{end}"
            );
            let bytes = text.as_bytes();
            let whole = split(&[bytes]);
            assert_eq!(whole.len(), 3, "{end:?} {whole:?}");
            assert_eq!(
                whole[0],
                Ok(SseEvent {
                    event: Some("e".into()),
                    data: "ä1\n2".into(),
                    id: Some("7".into())
                })
            );
            assert_eq!(whole[1..], [data(""), data("x")]);
            for cut in 0..=bytes.len() {
                assert_eq!(split(&[&bytes[..cut], &bytes[cut..]]), whole, "cut at {cut}");
            }
            let singles: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(split(&singles), whole);
        }
    }

    #[test]
    fn an_event_the_stream_did_not_finish_is_not_reported() {
        assert_eq!(split(&[b"data: 1\n\ndata: 2\n"]), [data("1")]);
    }

    #[test]
    fn an_event_over_the_limit_is_an_error_and_the_last_item() {
        for piece in [vec![b'x'; 2000], [b"data: ".as_slice(), &[b'x'; 2000]].concat()] {
            let got = split(&[&piece, b"\n\n", b"data: 1\n\n"]);
            assert_eq!(got, [Err(SseError::TooLarge { limit: 1024 })]);
        }
        let many_lines = b"data: 12345678\n".repeat(200);
        assert_eq!(split(&[&many_lines, b"\n"]).len(), 1);
    }

    #[test]
    fn what_is_written_is_read_back() {
        for text in ["", "x", "a\nb", "a\n\nb", "end\n", "\n"] {
            let wire = encode_event(Some(9), Some("delta"), text.as_bytes());
            let got = split(&[&wire]);
            let expected = SseEvent {
                event: Some("delta".into()),
                data: text.to_owned().into(),
                id: Some("9".into()),
            };
            assert_eq!(got, [Ok(expected)], "{text:?}");
        }
        assert_eq!(split(&[PING]), []);
        assert_eq!(encode_event(None, None, b"[DONE]"), "data: [DONE]\n\n");
    }
}
