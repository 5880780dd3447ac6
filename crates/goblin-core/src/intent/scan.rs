//! Which words of the lexicon a text has: one pass of one automaton, built once.

use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, MatchKind};

use super::lexicon::{Concept, WORDS};
use super::typos;

/// Different words of one concept beyond this many say nothing more.
const ENOUGH: u8 = 3;

/// How many different words of each concept a text has.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    counts: [u8; Concept::COUNT],
    /// Does one of them begin the text?
    first: [bool; Concept::COUNT],
}

impl Default for Found {
    fn default() -> Self {
        Self {
            counts: [0; Concept::COUNT],
            first: [false; Concept::COUNT],
        }
    }
}

impl Found {
    /// How many different words of `concept`, 3 at most.
    pub(super) fn count(&self, concept: Concept) -> f64 {
        f64::from(self.counts.get(concept as usize).copied().unwrap_or(0))
    }

    /// Is there one?
    pub(super) fn has(&self, concept: Concept) -> bool {
        self.count(concept) > 0.0
    }

    /// Does the text begin with one, a word or two of courtesy aside?
    pub(super) fn leads(&self, concept: Concept) -> bool {
        self.first.get(concept as usize).copied().unwrap_or(false)
    }

    /// Takes one word of `no` away from `of`: what was found was part of something else.
    pub(super) fn less(&mut self, of: Concept, no: Concept) {
        let taken = self.counts.get(no as usize).copied().unwrap_or(0);
        if let Some(count) = self.counts.get_mut(of as usize) {
            *count = count.saturating_sub(taken);
        }
    }
}

/// A word of the automaton.
struct Word {
    concept: Concept,
    /// May it be part of a longer word at its end?
    open: bool,
    /// May it stand anywhere? So it is in scripts without spaces.
    anywhere: bool,
}

struct Scanner {
    automaton: AhoCorasick,
    words: Vec<Word>,
}

fn scanner() -> Option<&'static Scanner> {
    static SCANNER: OnceLock<Option<Scanner>> = OnceLock::new();
    SCANNER.get_or_init(build).as_ref()
}

fn build() -> Option<Scanner> {
    let mut words = Vec::new();
    let mut patterns = Vec::new();
    for (concept, list) in WORDS {
        for word in *list {
            let open = word.ends_with('*');
            let pattern = word.trim_end_matches('*');
            words.push(Word {
                concept: *concept,
                open,
                anywhere: pattern.chars().next().is_some_and(has_no_spaces),
            });
            patterns.push(pattern);
        }
    }
    let automaton = AhoCorasick::builder()
        .match_kind(MatchKind::Standard)
        .build(patterns)
        .ok()?;
    Some(Scanner { automaton, words })
}

/// Is it of a script that writes no spaces between words?
pub(super) fn has_no_spaces(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{2fa1f}')
}

/// Looks through a text in lower case with plain apostrophes.
pub(super) fn scan(text: &str) -> Found {
    let mut found = Found::default();
    let Some(scanner) = scanner() else {
        return found;
    };
    let text = &*typos::repaired(text);
    // A word counts once: remembered by its place in the list.
    let mut seen = vec![false; scanner.words.len()];
    let start = courtesy(text);
    for hit in scanner.automaton.find_overlapping_iter(text) {
        let at = hit.pattern().as_usize();
        let Some(word) = scanner.words.get(at) else {
            continue;
        };
        if !stands_alone(text, hit.start(), hit.end(), word) {
            continue;
        }
        let concept = word.concept as usize;
        if hit.start() <= start {
            found.first[concept] = true;
        }
        if !std::mem::replace(&mut seen[at], true) {
            found.counts[concept] = (found.counts[concept] + 1).min(ENOUGH);
        }
    }
    found
}

fn stands_alone(text: &str, start: usize, end: usize, word: &Word) -> bool {
    if word.anywhere {
        return true;
    }
    let before = text.get(..start).and_then(|t| t.chars().next_back());
    let after = text.get(end..).and_then(|t| t.chars().next());
    let joins = |c: Option<char>| c.is_some_and(|c| (c.is_alphanumeric() && !has_no_spaces(c)) || c == '_');
    !joins(before) && (word.open || !joins(after))
}

/// Bytes of what comes before the matter: "please", "can you", "hey,".
fn courtesy(text: &str) -> usize {
    const WORDS: [&str; 30] = [
        "please", "pls", "can", "could", "would", "you", "hey", "hi", "hello", "now", "ok", "okay", "so",
        "i", "need", "want", "to", "me", "help", "bitte", "kannst", "du", "mal", "s'il", "te", "plaît",
        "peux-tu", "por", "favor", "puedes",
    ];
    let mut at = 0;
    for word in text.split_inclusive(char::is_whitespace) {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        if !bare.is_empty() && !WORDS.contains(&bare) {
            break;
        }
        at += word.len();
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_lower_case_and_stands_once_in_its_list() {
        for (concept, words) in WORDS {
            let mut sorted = words.to_vec();
            sorted.sort_unstable();
            let twice = sorted.windows(2).find(|pair| pair[0] == pair[1]);
            assert_eq!(twice, None, "{concept:?}");
            for word in *words {
                assert_eq!(*word, word.to_lowercase(), "{concept:?}");
                assert!(!word.trim_end_matches('*').trim().is_empty(), "{concept:?}");
                assert!(!word.trim_end_matches('*').contains('*'), "{word}");
            }
        }
        assert!(scanner().is_some());
    }

    #[test]
    fn words_are_bounded() {
        assert!(!scan("prescription drugs").has(Concept::CodeTermOrNot));
        assert!(scan("a script, please").has(Concept::CodeTermOrNot));
        assert!(scan("translating it").has(Concept::Translate));
        assert!(
            !scan("chit-chat about history").has(Concept::Chat),
            "`hi` within words"
        );
        assert!(
            scan("请将这段文字翻译成英文").has(Concept::Translate),
            "no spaces there"
        );
        assert!(!scan("snake_status_code").has(Concept::Status));
    }

    #[test]
    fn a_word_of_courtesy_does_not_hide_what_leads() {
        assert!(scan("please translate this").leads(Concept::Translate));
        assert!(scan("can you please explain it").leads(Concept::Explain));
        assert!(!scan("the poem you should translate").leads(Concept::Translate));
    }
}
