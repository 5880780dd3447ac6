//! A body of NDJSON → its lines, however it was cut into pieces.

use bytes::{Bytes, BytesMut};

use crate::provider::ProviderError;

/// Most bytes of one line (10 MB).
pub const MAX_LINE_BYTES: usize = 10_000_000;

/// Cuts a body into lines. Holds at most one unfinished line of [`MAX_LINE_BYTES`] beside what was pushed last.
#[derive(Debug, Default)]
pub struct LineSplitter {
    buffer: BytesMut,
    /// Bytes at the front that hold no line end.
    searched: usize,
    too_long: bool,
}

impl LineSplitter {
    /// A splitter at the beginning of a body.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next piece of the body, cut anywhere.
    pub fn push(&mut self, piece: &[u8]) {
        if !self.too_long {
            self.buffer.extend_from_slice(piece);
        }
    }

    /// The next whole line that is not blank, without its end.
    ///
    /// # Errors
    /// [`ProviderError::Interrupted`] once, for a line that is too long; nothing comes after it.
    pub fn next_line(&mut self) -> Option<Result<Bytes, ProviderError>> {
        loop {
            let found = memchr::memchr(b'\n', &self.buffer[self.searched..]);
            let length = found.map_or(self.buffer.len(), |at| self.searched + at);
            if length > MAX_LINE_BYTES {
                self.too_long = true;
                self.buffer.clear();
                self.searched = 0;
                let reason = format!("a line of the answer is longer than {MAX_LINE_BYTES} bytes");
                return Some(Err(ProviderError::Interrupted { reason }));
            }
            self.searched = length;
            found?;
            let line = self.buffer.split_to(length + 1).freeze();
            self.searched = 0;
            if !line.trim_ascii().is_empty() {
                return Some(Ok(line.slice(..length)));
            }
        }
    }

    /// What is left at the end of the body: a line without its end.
    pub fn rest(self) -> Option<Bytes> {
        let rest = self.buffer.freeze();
        (!rest.trim_ascii().is_empty()).then_some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_same_however_the_body_was_cut() {
        let body = "{\"a\":1}\n\r\n\n{\"b\":\"é\"}\nrest".as_bytes();
        for cut in 0..=body.len() {
            let mut splitter = LineSplitter::new();
            let mut lines = Vec::new();
            for piece in [&body[..cut], &body[cut..]] {
                splitter.push(piece);
                while let Some(line) = splitter.next_line() {
                    lines.push(line.unwrap());
                }
            }
            assert_eq!(
                lines,
                ["{\"a\":1}".as_bytes(), "{\"b\":\"é\"}".as_bytes()],
                "{cut}"
            );
            assert_eq!(splitter.rest().as_deref(), Some(b"rest".as_slice()), "{cut}");
        }
    }

    #[test]
    fn a_line_without_an_end_is_given_up_at_the_limit() {
        let mut splitter = LineSplitter::new();
        let piece = vec![b'x'; MAX_LINE_BYTES];
        splitter.push(&piece);
        assert!(splitter.next_line().is_none(), "exactly the limit may still end");
        splitter.push(b"x");
        assert!(matches!(
            splitter.next_line(),
            Some(Err(ProviderError::Interrupted { .. }))
        ));
        splitter.push(&piece);
        assert!(splitter.next_line().is_none());
        assert_eq!(splitter.rest(), None, "nothing is held after it");
    }
}
