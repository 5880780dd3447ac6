//! A text that grows, as it may be read while it grows: without what is to be left out of it. What was read of it is
//! nearly always the beginning of what is read next, so that a judge evaluates each part once.

use super::{Finding, Handling, LONGEST_BYTES, MAX_FINDINGS, ScreenSettings, find_after};

/// Most bytes of a word of plain letters; longer ones may be something else.
const PLAIN_WORD_BYTES: usize = 32;

/// Reads a text that grows.
#[derive(Clone, Debug)]
pub struct Growing {
    settings: ScreenSettings,
    leaves: bool,
    /// So many bytes of the text are read as `clean`, whatever follows them.
    settled: usize,
    clean: String,
}

impl Growing {
    /// Leaves out what `settings` say. `leaves`: does what is read leave the operator's machines?
    pub fn new(settings: ScreenSettings, leaves: bool) -> Self {
        Self {
            settings,
            leaves,
            settled: 0,
            clean: String::new(),
        }
    }

    /// Begins anew, with another text.
    pub fn restart(&mut self) {
        self.settled = 0;
        self.clean.clear();
    }

    /// What may be read of `text`, which begins with all that was given before. Unless the text is `over`, the words at
    /// its end that may be the beginning of something to be left out (a number, half a key) are held back.
    pub fn read(&mut self, text: &str, over: bool) -> String {
        if text.len() < self.settled {
            self.restart();
        }
        if !self.hides_anything() {
            return text.to_owned();
        }
        let hidden = self.hidden_in(text);
        let mut out = self.clean.clone();
        let end = if over { text.len() } else { open_end(text) };
        put(text, self.settled, end, &hidden, &mut out);
        self.settle(text, &hidden);
        out
    }

    /// What is further from the end than the longest thing that is found stays as it is read now.
    fn settle(&mut self, text: &str, hidden: &[Finding]) {
        let far = text.floor_char_boundary(text.len().saturating_sub(LONGEST_BYTES));
        let across = hidden.iter().find(|f| f.span.start < far && f.span.end > far);
        let to = across.map_or(far, |finding| finding.span.start);
        if to > self.settled {
            put(text, self.settled, to, hidden, &mut self.clean);
            self.settled = to;
        }
    }

    fn hides_anything(&self) -> bool {
        self.hides(self.settings.secrets) || self.hides(self.settings.personal)
    }

    fn hides(&self, handling: Handling) -> bool {
        match handling {
            Handling::Redact => true,
            Handling::RedactAway => self.leaves,
            Handling::Off | Handling::Note | Handling::Refuse => false,
        }
    }

    /// Everything to be left out behind what is settled, in order; also more of it than is told of one text.
    fn hidden_in(&self, text: &str) -> Vec<Finding> {
        let mut hidden = Vec::new();
        let mut seen = self.settled;
        loop {
            let found = find_after(text, seen);
            let (count, last) = (found.len(), found.last().map(|finding| finding.span.end));
            hidden.extend(
                found
                    .into_iter()
                    .filter(|finding| self.hides(self.settings.handling(finding.kind))),
            );
            match last {
                Some(end) if count == MAX_FINDINGS && end > seen => seen = end,
                _ => return hidden,
            }
        }
    }
}

/// Appends `text` from `from` to `to` to `out`, each finding replaced by its rule's name.
fn put(text: &str, from: usize, to: usize, hidden: &[Finding], out: &mut String) {
    let mut at = from;
    for finding in hidden.iter().filter(|finding| finding.span.end > from) {
        if finding.span.start >= to {
            break;
        }
        // One that has grown into what is settled loses its rest.
        if let Some(between) = text.get(at..finding.span.start) {
            out.push_str(between);
            out.push_str(&format!("[{} left out]", finding.rule));
        }
        at = at.max(finding.span.end);
    }
    out.push_str(text.get(at..to).unwrap_or_default());
}

/// Where the words at the end of `text` begin that may be the beginning of something. All that is ever left out is ASCII,
/// so any other letter ends a word.
fn open_end(text: &str) -> usize {
    let least = text.len().saturating_sub(LONGEST_BYTES);
    let mut from = text.len();
    loop {
        let head = text.get(..from).unwrap_or_default().trim_end();
        let parts = |c: char| c.is_whitespace() || !c.is_ascii();
        let word = head.rsplit(parts).next().unwrap_or_default();
        let begins = head.len() - word.len();
        if word.is_empty() || is_plain(word) || begins < least {
            return from;
        }
        from = begins;
    }
}

/// Letters, and what stands around words in a sentence.
fn is_plain(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphabetic() || ".,;:!?'\"()-".contains(c);
    word.len() <= PLAIN_WORD_BYTES && word.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IBAN: &str = "DE89 3704 0044 0532 0130 00";

    fn hiding() -> ScreenSettings {
        ScreenSettings {
            personal: Handling::RedactAway,
            ..ScreenSettings::default()
        }
    }

    #[test]
    fn what_is_read_grows_word_by_word_and_never_holds_what_is_left_out() {
        let text = format!("Pay it to {IBAN} please. Write to anna.smith@mail.de, she knows. Thanks a lot.");
        let whole = Growing::new(hiding(), true).read(&text, true);
        assert_eq!(
            whole,
            "Pay it to [iban left out] please. Write to [email left out], she knows. Thanks a lot."
        );
        let mut growing = Growing::new(hiding(), true);
        let mut last = String::new();
        for (at, _) in text.match_indices(' ') {
            let read = growing.read(&text[..at], false);
            assert!(read.starts_with(&last), "{last:?} then {read:?}");
            last = read;
        }
        let read = growing.read(&text, true);
        assert!(read.starts_with(&last) && read == whole);
        // Cut inside a word it may have to begin anew, but shows nothing.
        for (at, _) in text.char_indices() {
            let read = growing.read(&text[..at], false);
            assert!(!read.contains("89") && !read.contains('@'), "{read}");
        }
    }

    #[test]
    fn where_words_are_not_parted_all_is_shown_at_once() {
        let text = "天空是蓝色的。".repeat(40);
        assert_eq!(Growing::new(hiding(), true).read(&text, false), text);
    }

    #[test]
    fn a_long_text_is_read_like_a_short_one_and_no_number_of_findings_is_too_many() {
        let text = format!("Pay to {IBAN} now. ").repeat(3 * MAX_FINDINGS);
        let whole = Growing::new(hiding(), true).read(&text, true);
        assert!(!whole.contains("3704"));
        assert_eq!(whole.matches("[iban left out]").count(), 3 * MAX_FINDINGS);
        let mut growing = Growing::new(hiding(), true);
        let mut last = String::new();
        for end in (500..text.len()).step_by(700) {
            let read = growing.read(&text[..end], false);
            assert!(read.starts_with(&last));
            last = read;
        }
        assert_eq!(growing.read(&text, true), whole);
    }

    #[test]
    fn words_are_shown_at_once_and_numbers_when_they_are_over() {
        let mut growing = Growing::new(hiding(), true);
        for (text, read) in [
            ("The sum is", "The sum is"),
            ("The sum is 42", "The sum is "),
            ("The sum is 42 euros.", "The sum is 42 euros."),
        ] {
            assert_eq!(growing.read(text, false), read);
        }
        assert_eq!(growing.read("The sum is 42", true), "The sum is 42");
    }

    #[test]
    fn what_stays_here_is_read_as_it_is() {
        let mut growing = Growing::new(hiding(), false);
        assert_eq!(growing.read(IBAN, false), IBAN);
    }
}
