//! The language a question is asked in, when that is certain. Its words are the library's to know; here is only what a
//! few words of a chat let one be sure of.

use std::sync::OnceLock;

use whatlang::{Detector, Lang};

use super::scan::has_no_spaces;
use crate::chat::{Message, Role};

/// Bytes that are looked at.
const LOOKED_AT: usize = 400;
/// From this confidence on the library is believed of a text of some length.
const CONFIDENT: f64 = 0.3;
/// Letters of "some length".
const SOME_LETTERS: usize = 14;

/// English.
pub(super) const ENGLISH: &str = "eng";

/// Words that hardly occur in another language of this list, and in nearly every English sentence.
const ENGLISH_WORDS: [&str; 58] = [
    "the",
    "is",
    "are",
    "what",
    "how",
    "why",
    "of",
    "to",
    "and",
    "this",
    "that",
    "with",
    "for",
    "my",
    "your",
    "you",
    "it",
    "from",
    "can",
    "does",
    "do",
    "did",
    "please",
    "write",
    "explain",
    "which",
    "when",
    "where",
    "who",
    "should",
    "would",
    "could",
    "have",
    "has",
    "was",
    "were",
    "be",
    "been",
    "not",
    "i'm",
    "it's",
    "what's",
    "don't",
    "make",
    "give",
    "me",
    "find",
    "show",
    "tell",
    "about",
    "into",
    "between",
    "an",
    "their",
    "our",
    "summarize",
    "translate",
    "fix",
];

/// Languages told apart. A short text is misread the more easily the more there are.
const KNOWN: [Lang; 17] = [
    Lang::Eng,
    Lang::Deu,
    Lang::Fra,
    Lang::Spa,
    Lang::Ita,
    Lang::Por,
    Lang::Nld,
    Lang::Rus,
    Lang::Ukr,
    Lang::Pol,
    Lang::Tur,
    Lang::Cmn,
    Lang::Jpn,
    Lang::Kor,
    Lang::Ara,
    Lang::Hin,
    Lang::Swe,
];

/// The language of a text in lower case; of one that is too short, that of the conversation's earlier questions.
pub(super) fn of(text: &str, messages: &[Message]) -> Option<&'static str> {
    let here = certain(text);
    if here.is_some() {
        return here;
    }
    let earlier = messages.iter().rev().filter(|m| m.role == Role::User).skip(1);
    earlier
        .take(3)
        .find_map(|message| certain(&message.joined_text().to_lowercase()))
}

fn certain(text: &str) -> Option<&'static str> {
    let text = text.get(..text.floor_char_boundary(LOOKED_AT.min(text.len())))?;
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let unspaced = text.chars().filter(|c| has_no_spaces(*c)).count();
    let words = || {
        text.split(|c: char| !c.is_alphanumeric() && c != '\'')
            .filter(|w| !w.is_empty())
    };
    let english = words().filter(|word| ENGLISH_WORDS.contains(word)).count();
    let spaced = words().count();
    if english >= 2 && english * 6 >= spaced && unspaced * 2 < letters {
        return Some(ENGLISH);
    }
    if letters < 2 {
        return None;
    }
    static DETECTOR: OnceLock<Detector> = OnceLock::new();
    let detector = DETECTOR.get_or_init(|| Detector::with_allowlist(KNOWN.to_vec()));
    let info = detector.detect(text)?;
    let script = !matches!(
        info.script(),
        whatlang::Script::Latin | whatlang::Script::Cyrillic
    );
    let sure = script
        || info.is_reliable()
        || (letters >= SOME_LETTERS && info.confidence() >= CONFIDENT)
        || (english == 0 && letters >= SOME_LETTERS && info.script() == whatlang::Script::Cyrillic);
    sure.then(|| info.lang().code())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_read_in_the_language_they_are_asked_in() {
        for (text, language) in [
            ("what is the status of the deployment?", "eng"),
            ("explain quantum computing", "eng"),
            ("请将这段文字翻译成英文：人工智能正在改变世界。", "cmn"),
            ("warum ist der himmel blau und nicht grün?", "deu"),
            ("pourquoi le ciel est-il bleu et pas vert ?", "fra"),
            ("¿por qué el cielo es azul y no verde?", "spa"),
            ("почему небо голубое, а не зелёное?", "rus"),
            ("量子コンピュータの仕組みを説明してください", "jpn"),
        ] {
            let read = of(text, &[]);
            // Two words of English may be no certainty; they are never taken for another language.
            assert!(
                read == Some(language) || (language == "eng" && read.is_none()),
                "{text} {read:?}"
            );
        }
        assert_eq!(of("translate 人工智能 into english for me", &[]), Some("eng"));
        assert_eq!(of("17 * 23", &[]), None);
    }

    #[test]
    fn a_short_question_is_in_the_language_of_the_conversation() {
        let before = Message::text(
            Role::User,
            "Kannst du mir bitte erklären, wie ein Kühlschrank funktioniert?",
        );
        let now = Message::text(Role::User, "und dann?");
        assert_eq!(of("und dann?", &[before, now]), Some("deu"));
    }
}
