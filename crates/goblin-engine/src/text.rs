//! Bytes to characters, across tokens: a token may end in the middle of one.

/// Joins pieces of bytes into whole characters.
#[derive(Debug, Default)]
pub(crate) struct Utf8Joiner {
    /// The beginning of a character whose rest has not come yet: at most three bytes.
    pending: Vec<u8>,
}

impl Utf8Joiner {
    /// Adds `bytes` and appends every character that is now whole to `out`. Bytes that can never become a
    /// character are shown as U+FFFD, so that what goes out is always valid.
    pub(crate) fn push(&mut self, bytes: &[u8], out: &mut String) {
        self.pending.extend_from_slice(bytes);
        let mut rest = self.pending.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(text) => {
                    out.push_str(text);
                    rest = &[];
                    break;
                }
                Err(error) => {
                    let (good, bad) = rest.split_at(error.valid_up_to());
                    out.push_str(std::str::from_utf8(good).unwrap_or_default());
                    let Some(length) = error.error_len() else {
                        rest = bad;
                        break;
                    };
                    out.push(char::REPLACEMENT_CHARACTER);
                    rest = &bad[length..];
                }
            }
        }
        let kept = rest.len();
        let all = self.pending.len();
        self.pending.drain(..all - kept);
    }

    /// Bytes that wait for the rest of their character.
    pub(crate) fn waiting(&self) -> usize {
        self.pending.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(pieces: &[&[u8]]) -> String {
        let mut joiner = Utf8Joiner::default();
        let mut out = String::new();
        for piece in pieces {
            joiner.push(piece, &mut out);
        }
        out
    }

    #[test]
    fn characters_cut_at_every_byte_arrive_whole() {
        let text = "a é 漢 🙂 z";
        for cut in 0..=text.len() {
            let bytes = text.as_bytes();
            assert_eq!(joined(&[&bytes[..cut], &bytes[cut..]]), text);
        }
        let single: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(joined(&single), text);
    }

    #[test]
    fn an_unfinished_character_is_never_sent() {
        let mut joiner = Utf8Joiner::default();
        let mut out = String::new();
        joiner.push(&"🙂".as_bytes()[..3], &mut out);
        assert_eq!(out, "");
        assert_eq!(joiner.waiting(), 3);
    }

    #[test]
    fn bytes_that_are_no_text_become_replacement_characters() {
        assert_eq!(joined(&[b"a\xff", b"b\xe2\x28c"]), "a\u{fffd}b\u{fffd}(c");
    }
}
