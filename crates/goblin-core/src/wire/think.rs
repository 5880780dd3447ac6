//! `<think>…</think>` at the beginning of an answer, from models whose template does not take it out.

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// Text of an answer, told apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) reasoning: String,
    pub(super) text: String,
}

#[derive(Clone, Debug, Default)]
enum Place {
    /// Nothing but white space and part of the opening mark was seen.
    #[default]
    Start,
    Inside,
    /// Behind the closing mark, before the answer's first word.
    Gap,
    After,
}

/// Tells reasoning from answer, across pieces. Only a mark at the very beginning counts: later it is the answer's own.
#[derive(Clone, Debug, Default)]
pub(super) struct ThinkSplitter {
    place: Place,
    held: String,
}

impl ThinkSplitter {
    pub(super) fn push(&mut self, piece: &str) -> Told {
        let mut told = Told::default();
        if matches!(self.place, Place::After) {
            told.text.push_str(piece);
            return told;
        }
        self.held.push_str(piece);
        if matches!(self.place, Place::Start) {
            let begun = self.held.trim_start();
            if let Some(rest) = begun.strip_prefix(OPEN) {
                self.held = rest.to_owned();
                self.place = Place::Inside;
            } else if !OPEN.starts_with(begun) {
                self.place = Place::After;
                told.text = std::mem::take(&mut self.held);
            }
        }
        if matches!(self.place, Place::Inside) {
            match self.held.split_once(CLOSE) {
                Some((thought, rest)) => {
                    told.reasoning.push_str(thought);
                    self.held = rest.to_owned();
                    self.place = Place::Gap;
                }
                None => {
                    let keep = self.held.len() - partial_end(&self.held, CLOSE);
                    told.reasoning.extend(self.held.drain(..keep));
                }
            }
        }
        if matches!(self.place, Place::Gap) {
            let rest = self.held.trim_start();
            if !rest.is_empty() {
                told.text.push_str(rest);
                self.place = Place::After;
            }
            self.held.clear();
        }
        told
    }

    /// What was held back at the end of the answer.
    pub(super) fn finish(&mut self) -> Told {
        let held = std::mem::take(&mut self.held);
        match self.place {
            Place::Inside => Told {
                reasoning: held,
                text: String::new(),
            },
            _ => Told {
                reasoning: String::new(),
                text: held,
            },
        }
    }
}

/// Length of the longest end of `text` that begins `mark`.
fn partial_end(text: &str, mark: &str) -> usize {
    let lengths = (1..mark.len()).rev();
    lengths
        .into_iter()
        .find(|n| text.ends_with(&mark[..*n]))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tell(pieces: &[&str]) -> (String, String) {
        let mut splitter = ThinkSplitter::default();
        let mut all = Told::default();
        let parts: Vec<Told> = pieces.iter().map(|piece| splitter.push(piece)).collect();
        for told in parts.into_iter().chain([splitter.finish()]) {
            all.reasoning.push_str(&told.reasoning);
            all.text.push_str(&told.text);
        }
        (all.reasoning, all.text)
    }

    #[test]
    fn reasoning_is_told_from_the_answer_wherever_it_is_cut() {
        for (whole, reasoning, text) in [
            ("\n<think>a <b> é</thin></think>\n\nyes", "a <b> é</thin>", "yes"),
            ("<think></think>x", "", "x"),
            ("<think>never ends </thi", "never ends </thi", ""),
            ("<thinking> is a word", "", "<thinking> is a word"),
            ("say <think>x</think>", "", "say <think>x</think>"),
            ("<thi", "", "<thi"),
            (" plain", "", " plain"),
        ] {
            for cut in (0..=whole.len()).filter(|cut| whole.is_char_boundary(*cut)) {
                let (front, back) = whole.split_at(cut);
                assert_eq!(
                    tell(&[front, back]),
                    (reasoning.to_owned(), text.to_owned()),
                    "{whole} at {cut}"
                );
            }
            let letters: Vec<String> = whole.chars().map(String::from).collect();
            let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
            assert_eq!(tell(&letters), (reasoning.to_owned(), text.to_owned()), "{whole}");
        }
    }
}
