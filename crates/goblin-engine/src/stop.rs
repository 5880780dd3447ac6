//! Stop texts: found across token borders, never sent, not even in part.

/// What may be sent after a piece of text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Released {
    /// This much, in bytes from the front of what is held, may go out.
    Upto(usize),
    /// A stop text was found: this much may go out, and then nothing more.
    Stopped(usize),
}

/// Holds back text that may be the beginning of a stop text.
#[derive(Debug, Default)]
pub(crate) struct StopFilter {
    stops: Vec<String>,
    held: String,
}

impl StopFilter {
    /// Watches for `stops`; empty ones are ignored.
    pub(crate) fn new(stops: impl IntoIterator<Item = String>) -> Self {
        Self {
            stops: stops.into_iter().filter(|s| !s.is_empty()).collect(),
            held: String::new(),
        }
    }

    /// Adds `text` and moves what may be sent to `out`. `true`: a stop text was found, the answer is over.
    pub(crate) fn push(&mut self, text: &str, out: &mut String) -> bool {
        if self.stops.is_empty() {
            out.push_str(text);
            return false;
        }
        self.held.push_str(text);
        match self.look() {
            Released::Upto(n) => {
                out.push_str(&self.held[..n]);
                self.held.drain(..n);
                false
            }
            Released::Stopped(n) => {
                out.push_str(&self.held[..n]);
                self.held.clear();
                true
            }
        }
    }

    /// The answer ended for another reason: what was held back is text after all.
    pub(crate) fn finish(&mut self, out: &mut String) {
        out.push_str(&self.held);
        self.held.clear();
    }

    fn look(&self) -> Released {
        let found = self
            .stops
            .iter()
            .filter_map(|stop| self.held.find(stop.as_str()))
            .min();
        if let Some(at) = found {
            return Released::Stopped(at);
        }
        let held = self
            .stops
            .iter()
            .map(|stop| overlap(&self.held, stop))
            .max()
            .unwrap_or(0);
        Released::Upto(self.held.len() - held)
    }
}

/// Bytes of the longest end of `text` that is a beginning of `marker` (and not all of it).
pub(crate) fn overlap(text: &str, marker: &str) -> usize {
    let (text, marker) = (text.as_bytes(), marker.as_bytes());
    let most = text.len().min(marker.len().saturating_sub(1));
    (1..=most)
        .rev()
        .find(|n| text[text.len() - n..] == marker[..*n])
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(stops: &[&str], pieces: &[&str]) -> (Vec<String>, bool) {
        let mut filter = StopFilter::new(stops.iter().map(|s| (*s).to_owned()));
        let mut sent = Vec::new();
        for piece in pieces {
            let mut out = String::new();
            let stopped = filter.push(piece, &mut out);
            sent.push(out);
            if stopped {
                return (sent, true);
            }
        }
        let mut out = String::new();
        filter.finish(&mut out);
        sent.push(out);
        (sent, false)
    }

    #[test]
    fn a_stop_text_is_found_across_pieces_and_never_sent_in_part() {
        let (sent, stopped) = run(&["\nUser:"], &["Hello", "\nUs", "er", ": x"]);
        assert!(stopped);
        assert_eq!(sent, ["Hello", "", "", ""]);
    }

    #[test]
    fn text_that_only_looked_like_a_stop_is_sent() {
        let (sent, stopped) = run(&["END"], &["the E", "N", "d"]);
        assert!(!stopped);
        assert_eq!(sent.concat(), "the ENd");
        let (sent, _) = run(&["END"], &["the EN"]);
        assert_eq!(sent, ["the ", "EN"]);
    }

    #[test]
    fn the_earliest_of_several_stops_wins() {
        let (sent, stopped) = run(&["ccc", "b"], &["a b ccc"]);
        assert!(stopped);
        assert_eq!(sent.concat(), "a ");
    }

    #[test]
    fn every_cut_of_a_text_gives_the_same_answer() {
        let text = "über alles STOP nie";
        for cut in (0..text.len()).filter(|c| text.is_char_boundary(*c)) {
            let (sent, stopped) = run(&["STOP"], &[&text[..cut], &text[cut..]]);
            assert!(stopped);
            assert_eq!(sent.concat(), "über alles ", "cut at {cut}");
        }
    }

    #[test]
    fn overlapping_beginnings_are_held() {
        assert_eq!(overlap("aab", "aabc"), 3);
        assert_eq!(overlap("xaa", "aab"), 2);
        assert_eq!(overlap("é", "é!"), 2);
        assert_eq!(overlap("abc", "abc"), 0);
    }
}
