//! Where an answer is cut into windows, each checked when it is whole: at the first sentence end once it has enough
//! tokens, at a fixed number of tokens at the latest.
//!
//! Until a window has enough tokens, a piece costs one addition and a look at its last characters. A piece whose
//! tokens are known is never cut in two, so that its log-probabilities stay with it.

/// How long a window is, in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// From so many tokens on, the next sentence end closes the window.
    pub sentence_after: u32,
    /// So many close it wherever they end.
    pub at_most: u32,
}

impl Default for Windows {
    fn default() -> Self {
        Self {
            sentence_after: 48,
            at_most: 96,
        }
    }
}

/// A piece of at most so many bytes is taken for one token when nobody counted.
const ONE_TOKEN_BYTES: usize = 16;
/// Longer ones have a token for each so many bytes.
const BYTES_PER_TOKEN: usize = 4;

/// Tokens a piece has, as far as can be said without a tokenizer.
pub fn likely_tokens(piece: &str) -> u32 {
    match piece.len() {
        0 => 0,
        1..=ONE_TOKEN_BYTES => 1,
        more => u32::try_from(more.div_ceil(BYTES_PER_TOKEN)).unwrap_or(u32::MAX),
    }
}

/// Cuts one answer, piece by piece.
#[derive(Debug)]
pub struct Cutter {
    limits: Windows,
    /// In the window that is open.
    tokens: u32,
    /// Did what came last end a sentence, should a space follow?
    ended: bool,
}

/// `.` and its like: a sentence ends when a space follows.
fn is_stop(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | '…' | '؟' | '۔' | '।')
}

/// Ends a sentence whatever follows.
fn is_full_stop(c: char) -> bool {
    matches!(c, '\n' | '。' | '！' | '？' | '｡')
}

/// May stand between a stop and the space after it.
fn is_closing(c: char) -> bool {
    matches!(c, ')' | ']' | '"' | '\'' | '»' | '”' | '’' | '*' | '_' | '`')
}

impl Cutter {
    /// At the beginning of an answer.
    pub fn new(limits: Windows) -> Self {
        Self {
            limits,
            tokens: 0,
            ended: false,
        }
    }

    /// Takes the next piece, with the number of its tokens where somebody counted them. `Some(n)`: the window ends
    /// after the first `n` bytes of the piece (0: before it), and what is left of it must be given again, to the
    /// window that follows. `n` is a character's boundary.
    pub fn push(&mut self, piece: &str, counted: Option<u32>) -> Option<usize> {
        let first = piece.chars().next()?;
        if self.ended && first.is_whitespace() && self.tokens >= self.limits.sentence_after {
            return Some(self.cut(0));
        }
        let tokens = counted.unwrap_or_else(|| likely_tokens(piece));
        let after = self.tokens.saturating_add(tokens);
        if counted.is_none() && after >= self.limits.sentence_after {
            return self.cut_inside(piece, after);
        }
        self.tokens = after;
        self.ended = ends(piece, self.ended);
        let sure = piece.ends_with(is_full_stop) && after >= self.limits.sentence_after;
        (sure || after >= self.limits.at_most).then(|| self.cut(piece.len()))
    }

    /// Looks for the place inside a piece that may be cut anywhere.
    fn cut_inside(&mut self, piece: &str, after: u32) -> Option<usize> {
        let before = self.tokens;
        for (start, c) in piece.char_indices() {
            let end = start + c.len_utf8();
            let here = before.saturating_add(likely_tokens(piece.get(..end).unwrap_or(piece)));
            let enough = here >= self.limits.sentence_after;
            if enough && self.ended && c.is_whitespace() && start > 0 {
                return Some(self.cut(start));
            }
            if (enough && is_full_stop(c)) || here >= self.limits.at_most {
                return Some(self.cut(end));
            }
            self.ended = is_stop(c) || is_full_stop(c) || (self.ended && is_closing(c));
        }
        self.tokens = after;
        None
    }

    fn cut(&mut self, at: usize) -> usize {
        (self.tokens, self.ended) = (0, false);
        at
    }
}

/// Does a text that ends with `piece` end a sentence? `before` says it of the text without the piece.
fn ends(piece: &str, before: bool) -> bool {
    match piece.trim_end_matches(is_closing).chars().next_back() {
        Some(last) => is_stop(last) || is_full_stop(last),
        None => before,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SMALL: Windows = Windows {
        sentence_after: 4,
        at_most: 8,
    };

    /// The windows of an answer that comes in these pieces.
    fn windows(limits: Windows, pieces: &[&str], counted: Option<u32>) -> Vec<String> {
        let mut cutter = Cutter::new(limits);
        let mut all = vec![String::new()];
        for piece in pieces {
            let mut rest = *piece;
            while let Some(at) = cutter.push(rest, counted) {
                all.last_mut().unwrap().push_str(&rest[..at]);
                all.push(String::new());
                rest = &rest[at..];
            }
            all.last_mut().unwrap().push_str(rest);
        }
        all.retain(|w| !w.is_empty());
        all
    }

    #[test]
    fn a_window_ends_at_the_first_sentence_end_after_enough_tokens() {
        let pieces = ["One", ".", " Two", " is", " here", ".", " Three", " comes"];
        assert_eq!(
            windows(SMALL, &pieces, Some(1)),
            ["One. Two is here.", " Three comes"]
        );
    }

    #[test]
    fn a_window_ends_at_the_limit_when_no_sentence_does() {
        let pieces = [" a"; 20];
        let lengths: Vec<usize> = windows(SMALL, &pieces, Some(1)).iter().map(String::len).collect();
        assert_eq!(lengths, [16, 16, 8]);
    }

    #[test]
    fn the_usual_limits_are_48_and_96_tokens() {
        let mut pieces = vec![" word"; 60];
        pieces[59] = " end.";
        pieces.extend([" next"; 100]);
        let found = windows(Windows::default(), &pieces, Some(1));
        assert!(found[0].ends_with(" end."), "{found:?}");
        assert_eq!(found[1].len(), 96 * " next".len());
    }

    #[test]
    fn a_point_inside_a_number_or_a_name_ends_nothing() {
        let pieces = ["a", " b", " c", " 3", ".", "14", " and", " x"];
        assert_eq!(windows(SMALL, &pieces, Some(1)).len(), 1);
    }

    #[test]
    fn quotes_and_brackets_after_the_point_belong_to_the_sentence() {
        let pieces = ["He", " said", " \"", "no", ".", "\")", " Then", " he"];
        assert_eq!(windows(SMALL, &pieces, Some(1)), ["He said \"no.\")", " Then he"]);
    }

    #[test]
    fn lines_and_full_width_points_end_a_window_at_once() {
        assert_eq!(
            windows(SMALL, &["x", "=", "1", "\n", "y"], Some(1)),
            ["x=1\n", "y"]
        );
        assert_eq!(
            windows(SMALL, &["你", "好", "吗", "。", "我"], Some(1)),
            ["你好吗。", "我"]
        );
    }

    #[test]
    fn a_large_piece_nobody_counted_is_cut_inside() {
        let text = "This sentence is quite long, it has many words. And here is another one that goes on.";
        let found = windows(
            Windows {
                sentence_after: 8,
                at_most: 40,
            },
            &[text],
            None,
        );
        assert_eq!(found[0], "This sentence is quite long, it has many words.");
        assert_eq!(found.concat(), text);
    }

    #[test]
    fn a_piece_with_counted_tokens_is_never_cut_in_two() {
        let text = "One. Two. Three. Four. Five. Six. Seven. Eight.";
        assert_eq!(windows(SMALL, &[text], Some(16)), [text]);
    }

    proptest! {
        #[test]
        fn windows_are_the_answer_and_nothing_is_longer_than_the_limit(
            pieces in proptest::collection::vec("[a-c .!?\n。é😀\"]{0,40}", 0..80),
            counted in any::<bool>(),
        ) {
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            let found = windows(SMALL, &pieces, counted.then_some(1));
            prop_assert_eq!(found.concat(), pieces.concat());
            if !counted {
                // Every piece of the pieces is at least a token, and four bytes are.
                prop_assert!(found.iter().all(|w| w.len() <= 8 * ONE_TOKEN_BYTES));
            }
        }
    }
}
