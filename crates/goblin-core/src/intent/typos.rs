//! Letters that changed places, the commonest slip of fast fingers: `tranlsate`, `pyhton`. Only words that say what a
//! question is about are repaired, and only in memory.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::OnceLock;

/// Words worth repairing. Shorter ones have too many neighbours.
const WORTH: [&str; 47] = [
    "translate",
    "translation",
    "summarize",
    "summarise",
    "summary",
    "explain",
    "describe",
    "difference",
    "between",
    "write",
    "script",
    "python",
    "javascript",
    "function",
    "regex",
    "class",
    "debug",
    "refactor",
    "implement",
    "search",
    "documents",
    "document",
    "emails",
    "invoice",
    "invoices",
    "find",
    "files",
    "classify",
    "category",
    "sentiment",
    "calculate",
    "solve",
    "probability",
    "story",
    "poem",
    "recommend",
    "status",
    "server",
    "deployment",
    "german",
    "french",
    "english",
    "spanish",
    "contract",
    "landlord",
    "feature",
    "lawyer",
];

/// First letter, length, and the other letters in order: what a slip leaves as it is.
type Signature = (u8, Vec<u8>);

fn signature(word: &str) -> Signature {
    let mut rest: Vec<u8> = word.bytes().skip(1).collect();
    rest.sort_unstable();
    (word.bytes().next().unwrap_or_default(), rest)
}

fn worth() -> &'static HashMap<Signature, &'static str> {
    static KNOWN: OnceLock<HashMap<Signature, &'static str>> = OnceLock::new();
    KNOWN.get_or_init(|| WORTH.into_iter().map(|word| (signature(word), word)).collect())
}

/// The text with such slips put right; the text itself when there are none.
pub(super) fn repaired(text: &str) -> Cow<'_, str> {
    // Slips are made by hand, in short texts.
    if text.len() > 400 {
        return Cow::Borrowed(text);
    }
    let mut out: Option<String> = None;
    let mut at = 0;
    for word in text.split(|c: char| !c.is_ascii_alphabetic()) {
        let start = at;
        at += word.len()
            + text
                .get(at + word.len()..)
                .and_then(|t| t.chars().next())
                .map_or(0, char::len_utf8);
        if !(5..=12).contains(&word.len()) {
            continue;
        }
        let Some(meant) = worth().get(&signature(word)).filter(|known| **known != word) else {
            continue;
        };
        // Same length, so that places stay as they are.
        let text = out.get_or_insert_with(|| text.to_owned());
        text.replace_range(start..start + word.len(), meant);
    }
    out.map_or(Cow::Borrowed(text), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_changed_places_are_put_back() {
        assert_eq!(
            repaired("tranlsate tihs to germna, é"),
            "translate tihs to german, é"
        );
        assert_eq!(repaired("wriet a pyhton scirpt"), "write a python script");
        for text in [
            "a trial of five words",
            "quiet, please",
            "",
            "über 你好 translate",
            "tears",
            "form",
        ] {
            assert!(matches!(repaired(text), Cow::Borrowed(_)), "{text}");
        }
    }
}
