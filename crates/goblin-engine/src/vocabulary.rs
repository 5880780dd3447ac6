//! Text to tokens and back, safely for text that strangers wrote.

use std::collections::HashMap;

use goblin_core::provider::ProviderError;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;

use crate::sequence::Token;
use crate::template::BREAK;

/// Above this many bytes a text is cut into tokens on a thread with a stack of its own.
const LONG_TEXT: usize = 16 * 1024;
/// Stack for each byte of a long text: the pre-tokenizers of some models run `std::regex`, which recurses
/// once for each character of a run.
const STACK_PER_BYTE: usize = 1024;
/// Stack a long text gets at least and at most, in bytes. Only what is used becomes real memory.
const STACK: (usize, usize) = (16 << 20, 2 << 30);

/// The texts that spell control tokens, so that a message cannot.
#[derive(Debug, Default)]
pub(crate) struct ControlTexts {
    by_first: HashMap<u8, Vec<String>>,
}

impl ControlTexts {
    /// The control tokens of `model`.
    pub(crate) fn of(model: &LlamaModel) -> Self {
        let vocab = model.vocab();
        let texts = vocab.tokens().filter(|t| vocab.is_control(*t)).filter_map(|t| {
            vocab
                .text(t)
                .and_then(|text| text.to_str().ok())
                .map(str::to_owned)
        });
        Self::new(texts)
    }

    fn new(texts: impl IntoIterator<Item = String>) -> Self {
        let mut out = Self::default();
        for text in texts {
            // One letter cannot be broken in two, and spells no markup.
            if text.chars().count() > 1
                && let Some(first) = text.bytes().next()
            {
                out.by_first.entry(first).or_default().push(text);
            }
        }
        out
    }

    /// `text` with a [`BREAK`] inside everything that spells a control token.
    pub(crate) fn neutral(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for (at, c) in text.char_indices() {
            if c == BREAK {
                out.push(char::REPLACEMENT_CHARACTER);
                continue;
            }
            out.push(c);
            let spells = self
                .by_first
                .get(&text.as_bytes()[at])
                .is_some_and(|texts| texts.iter().any(|t| text[at..].starts_with(t.as_str())));
            if spells {
                out.push(BREAK);
            }
        }
        out
    }
}

/// The tokens of a whole prompt: special tokens are read as such, except where a [`BREAK`] stands.
///
/// # Errors
/// [`ProviderError::Unavailable`] without memory for the thread a long text needs.
pub(crate) fn prompt_tokens(model: &LlamaModel, text: &str) -> Result<Vec<Token>, ProviderError> {
    let mut out = Vec::new();
    for (i, part) in text.split(BREAK).enumerate() {
        out.extend(tokenize(model, part, i == 0, true)?);
    }
    Ok(out)
}

/// The tokens of a text in which nothing is special. `begins`: with the model's token that begins a text.
///
/// # Errors
/// As [`prompt_tokens`].
pub(crate) fn text_tokens(model: &LlamaModel, text: &str, begins: bool) -> Result<Vec<Token>, ProviderError> {
    tokenize(model, text, begins, false)
}

/// The tokens of a text of our own that stands inside a prompt: special tokens are read as such.
///
/// # Errors
/// As [`prompt_tokens`].
pub(crate) fn mark_tokens(model: &LlamaModel, text: &str) -> Result<Vec<Token>, ProviderError> {
    tokenize(model, text, false, true)
}

/// The tokens of a text in which nothing is special but `marks`. `begins`: with the model's token that begins a text.
///
/// # Errors
/// As [`prompt_tokens`].
pub(crate) fn marked_tokens(
    model: &LlamaModel,
    text: &str,
    marks: &[String],
    begins: bool,
) -> Result<Vec<Token>, ProviderError> {
    let mut out = Vec::new();
    let mut rest = text;
    let mut begins = begins;
    while let Some((at, mark)) = first_mark(rest, marks) {
        let (plain, from_mark) = rest.split_at(at);
        if begins || !plain.is_empty() {
            out.extend(tokenize(model, plain, begins, false)?);
            begins = false;
        }
        out.extend(tokenize(model, mark, false, true)?);
        rest = &from_mark[mark.len()..];
    }
    if begins || !rest.is_empty() {
        out.extend(tokenize(model, rest, begins, false)?);
    }
    Ok(out)
}

/// The mark that stands first in `text`, and where.
fn first_mark<'a>(text: &str, marks: &'a [String]) -> Option<(usize, &'a str)> {
    let found = marks.iter().filter(|mark| !mark.is_empty());
    found
        .filter_map(|mark| Some((text.find(mark.as_str())?, mark.as_str())))
        .min_by_key(|(at, mark)| (*at, std::cmp::Reverse(mark.len())))
}

fn tokenize(
    model: &LlamaModel,
    text: &str,
    begins: bool,
    special: bool,
) -> Result<Vec<Token>, ProviderError> {
    let run = || model.vocab().tokenize(text.as_bytes(), begins, special);
    let tokens: Vec<LlamaToken> = if text.len() <= LONG_TEXT {
        run()
    } else {
        let stack = text.len().saturating_mul(STACK_PER_BYTE).clamp(STACK.0, STACK.1);
        on_stack(stack, run)?
    };
    Ok(tokens.into_iter().map(|t| t.0).collect())
}

/// Runs `work` on a thread with `stack` bytes of stack. A text whose thread cannot start is an error: without
/// its tokens the prompt would be another.
fn on_stack<T: Send>(stack: usize, work: impl FnOnce() -> T + Send) -> Result<T, ProviderError> {
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .stack_size(stack)
            .spawn_scoped(scope, work)
            .ok()
            .and_then(|thread| thread.join().ok())
            .ok_or_else(|| ProviderError::Unavailable {
                reason: "there is no memory for the thread that cuts a long text into tokens".to_owned(),
            })
    })
}

/// Appends the bytes of `token` to `out`. `special`: control tokens are written too.
pub(crate) fn push_piece(model: &LlamaModel, token: Token, special: bool, out: &mut Vec<u8>) {
    out.reserve(32);
    model
        .vocab()
        .token_to_piece_into(LlamaToken(token), out, special, None);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_mark_is_found_and_of_two_at_one_place_the_longer() {
        let marks = ["<a>", "<a><b>", ""].map(str::to_owned);
        assert_eq!(first_mark("x<a>y", &marks), Some((1, "<a>")));
        assert_eq!(first_mark("<a><b>", &marks), Some((0, "<a><b>")));
        assert_eq!(first_mark("plain", &marks), None);
    }

    #[test]
    fn a_thread_that_cannot_start_is_an_error_and_not_an_empty_text() {
        assert_eq!(on_stack(1 << 20, || 7), Ok(7));
        // More than any address space.
        let refused = on_stack(usize::MAX >> 8, || 7);
        assert!(
            matches!(refused, Err(ProviderError::Unavailable { .. })),
            "{refused:?}"
        );
    }

    #[test]
    fn what_spells_a_control_token_is_broken_and_nothing_else_is_touched() {
        let controls = ControlTexts::new(["<|im_end|>".to_owned(), "</s>".to_owned(), "x".to_owned()]);
        assert_eq!(controls.neutral("a < b </b> x é"), "a < b </b> x é");
        assert_eq!(
            controls.neutral("hi<|im_end|>é</s>"),
            "hi<\u{fdd0}|im_end|>é<\u{fdd0}/s>"
        );
        assert_eq!(controls.neutral("\u{fdd0}"), "\u{fffd}");
    }
}
