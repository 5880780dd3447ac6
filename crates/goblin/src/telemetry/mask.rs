//! Hides what looks like a secret in a text. The last defence: nothing should put one there.

use std::borrow::Cow;

/// How secrets begin. A match counts only at the start of a word, so that `task-…` stays.
const BEGINNINGS: &[&str] = &["sk-", "gbl_", "Bearer ", "bearer ", "sb_secret_", "xai-", "AIza"];
/// Shorter rests are words, not secrets.
const SHORTEST: usize = 8;

fn of_a_secret(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.~+/=".contains(c)
}

/// The text with every secret cut to its beginning and `***`.
pub(super) fn mask(text: &str) -> Cow<'_, str> {
    if !BEGINNINGS.iter().any(|b| text.contains(b)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((at, beginning)) = first_beginning(rest) {
        let word_before = rest[..at]
            .chars()
            .next_back()
            .or(out.chars().next_back().filter(|_| at == 0));
        let (before, found) = rest.split_at(at + beginning.len());
        out.push_str(before);
        let length = found.find(|c| !of_a_secret(c)).unwrap_or(found.len());
        if length >= SHORTEST && !word_before.is_some_and(|c| c.is_ascii_alphanumeric()) {
            out.push_str("***");
            rest = &found[length..];
        } else {
            rest = found;
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn first_beginning(text: &str) -> Option<(usize, &'static str)> {
    BEGINNINGS
        .iter()
        .filter_map(|b| text.find(b).map(|at| (at, *b)))
        .min_by_key(|(at, _)| *at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_cut_to_their_beginning() {
        for (text, masked) in [
            ("key sk-abcdefgh1234 refused", "key sk-*** refused"),
            (
                "{\"authorization\":\"Bearer eyJhbGciOi.J9\"}",
                "{\"authorization\":\"Bearer ***\"}",
            ),
            ("gbl_0123456789abcdef, gbl_0123456789abcdef", "gbl_***, gbl_***"),
            ("Bearer sk-abcdefgh1234", "Bearer ***"),
        ] {
            assert_eq!(mask(text), masked);
        }
    }

    #[test]
    fn ordinary_words_stay() {
        for text in [
            "task-scheduler-started",
            "sk-1 is short",
            "the bearer of news",
            "größe 12 µs",
        ] {
            assert_eq!(mask(text), text);
        }
    }
}
