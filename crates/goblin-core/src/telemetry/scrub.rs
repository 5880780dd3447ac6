//! Hides what looks like a secret or an address in a text. The last defence: nothing should put one there.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

static ADDRESS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)[a-z0-9._%+'-]+(@|%40)[a-z0-9.-]+").ok());

/// Secrets and mail addresses hidden, at most `longest` characters, and no character that is not printed.
pub fn clean(text: &str, longest: usize) -> String {
    let masked = mask(text);
    let hidden = match &*ADDRESS {
        _ if !masked.contains(['@', '%']) => Cow::Borrowed(&*masked),
        Some(address) => address.replace_all(&masked, "***@***"),
        None => return String::new(),
    };
    if hidden.len() <= longest && hidden.bytes().all(|b| matches!(b, 0x20..0x7f)) {
        return hidden.into_owned();
    }
    let printed = hidden.chars().map(|c| if c.is_control() { ' ' } else { c });
    printed.take(longest).collect()
}

/// A word of a program: letters, digits and `_.:<>$-/`, with secrets and addresses hidden; `None` for anything else, and
/// for more than `longest` characters.
pub fn word(text: &str, longest: usize) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_.:<>$-/".contains(c);
    let is_word = !text.is_empty() && text.len() <= longest && text.chars().all(fits);
    is_word.then(|| clean(text, longest))
}

/// How secrets begin. A match counts only at the start of a word, so that `task-…` stays.
const BEGINNINGS: &[&str] = &["sk-", "gbl_", "Bearer ", "bearer ", "sb_secret_", "xai-", "AIza"];
/// Shorter rests are words, not secrets.
const SHORTEST: usize = 8;

/// Each beginning has one of these.
fn is_marked(byte: u8) -> bool {
    matches!(byte, b'-' | b'_' | b' ' | b'I')
}

fn of_a_secret(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.~+/=".contains(c)
}

/// The text with every secret cut to its beginning and `***`.
pub fn mask(text: &str) -> Cow<'_, str> {
    // Most texts are too short for one, and this is asked of every attribute of every span.
    let too_short = text.len() < SHORTEST + 3;
    if too_short || !text.bytes().any(is_marked) || !BEGINNINGS.iter().any(|b| text.contains(b)) {
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
    fn addresses_go_and_what_is_no_word_is_none() {
        assert_eq!(clean("mail to a.b+c@example.org\nnow", 99), "mail to ***@*** now");
        assert_eq!(clean("a%40example.org", 99), "***@***");
        assert_eq!(clean("grün", 2), "gr");
        assert_eq!(
            word("goblin_server::layers", 40).as_deref(),
            Some("goblin_server::layers")
        );
        for text in ["two words", "a@b.example", "", "long-long-long"] {
            assert_eq!(word(text, 11), None, "{text}");
        }
        assert_eq!(word("sk-abcdefgh1234", 40).as_deref(), Some("sk-***"));
    }

    #[test]
    fn no_beginning_is_overlooked() {
        for beginning in BEGINNINGS {
            assert!(beginning.bytes().any(is_marked), "{beginning}");
            assert_eq!(mask(&format!("{beginning}abcdefgh")), format!("{beginning}***"));
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
