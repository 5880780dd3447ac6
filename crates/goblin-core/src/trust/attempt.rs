//! One rung's answer as it comes: its text, what of it waits, its windows, what is wrong with it.

use std::collections::VecDeque;

use super::features::TokenStats;
use super::structure::{Call, Form, add_piece};
use super::window::{Cutter, Windows, likely_tokens};
use crate::event::{FinishReason, Parsed, TokenLogprob, Usage};
use crate::runaway::Watch;
use crate::trace::Confidence;

/// Something wrong that needs no judge to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing, or only blanks.
    Empty,
    /// The same again and again.
    Loop,
    /// A limit ended it.
    CutOff,
    /// Not the form that was asked for.
    Form(&'static str),
    /// A tool call that cannot be used.
    Call(&'static str),
}

impl Fault {
    pub(super) fn why(self) -> &'static str {
        match self {
            Self::Empty => "The answer was empty.",
            Self::Loop => "The answer went round in circles.",
            Self::CutOff => "The answer was cut off.",
            Self::Form(why) | Self::Call(why) => why,
        }
    }
}

/// Answers of at most so many bytes are compared word by word.
const SHORT_BYTES: usize = 200;

/// The lowest P(safe) of several verdicts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lowest {
    pub(super) probability: f64,
    pub(super) category: Option<String>,
}

impl Lowest {
    /// Takes one more verdict into account.
    pub(super) fn note(lowest: &mut Option<Self>, probability: f64, category: Option<&str>) {
        if lowest.as_ref().is_none_or(|l| probability < l.probability) {
            *lowest = Some(Self {
                probability,
                category: category.map(str::to_owned),
            });
        }
    }
}

/// A piece that is not shown yet.
#[derive(Debug)]
struct Held {
    window: u32,
    tokens: u32,
    parsed: Parsed,
}

/// What the confidence judges of an attempt have come to.
#[derive(Clone, Debug, Default)]
pub(super) enum Sureness {
    /// Not asked, or by nobody who may act.
    #[default]
    Unknown,
    /// One is being asked.
    Waiting,
    /// This.
    Known(Confidence),
    /// All who may act have failed.
    Failed,
}

/// One rung's answer so far.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) rung: usize,
    /// The whole text.
    pub(super) text: String,
    queue: VecDeque<Held>,
    /// Of everything in the queue.
    pub(super) held_tokens: u32,
    cutter: Cutter,
    /// Where each closed window ends in the text.
    ends: Vec<usize>,
    /// Windows found safe, from the first on.
    pub(super) verified: u32,
    /// The window that holds the first text that is not blank.
    solid_in: Option<u32>,
    /// Was any of it shown? It may have been superseded since.
    pub(super) shown: bool,
    /// Has somebody been told that its text waits?
    pub(super) told_checking: bool,
    pub(super) calls: Vec<Call>,
    call_pieces: Vec<Parsed>,
    pub(super) stats: TokenStats,
    watch: Watch,
    /// Text, reasoning and tool calls.
    pub(super) tokens: u32,
    bytes: usize,
    /// Most tokens there is money for.
    pub(super) max_tokens: Option<u32>,
    pub(super) finish: Option<FinishReason>,
    pub(super) usage: Option<Usage>,
    /// Has any content come?
    pub(super) begun: bool,
    pub(super) ended: bool,
    pub(super) fault: Option<Fault>,
    /// Has the whole answer been found safe, or is there nobody to say so?
    pub(super) safe: bool,
    /// The lowest P(safe) of all verdicts about it, and its category.
    pub(super) lowest: Option<Lowest>,
    /// Did another rung give the same answer?
    pub(super) agrees: Option<bool>,
    pub(super) sureness: Sureness,
    /// The next look for an early exit comes at so many tokens.
    pub(super) look_at: u32,
}

/// What must follow from a piece.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Took {
    /// A window was closed.
    pub(super) closed: bool,
    /// It must stop: a loop, or a limit.
    pub(super) stop: Option<Fault>,
}

impl Attempt {
    pub(super) fn new(rung: usize, windows: Windows, look_at: u32, max_tokens: Option<u32>) -> Self {
        Self {
            rung,
            text: String::new(),
            queue: VecDeque::new(),
            held_tokens: 0,
            cutter: Cutter::new(windows),
            ends: Vec::new(),
            verified: 0,
            solid_in: None,
            shown: false,
            told_checking: false,
            calls: Vec::new(),
            call_pieces: Vec::new(),
            stats: TokenStats::default(),
            watch: Watch::default(),
            tokens: 0,
            bytes: 0,
            max_tokens,
            finish: None,
            usage: None,
            begun: false,
            ended: false,
            fault: None,
            safe: false,
            lowest: None,
            agrees: None,
            sureness: Sureness::Unknown,
            look_at,
        }
    }

    /// Takes a piece of the stream.
    pub(super) fn take(&mut self, parsed: Parsed, most_bytes: usize) -> Took {
        self.begun |= parsed.is_content();
        let mut took = Took::default();
        match parsed {
            Parsed::Text { text, logprobs } => took = self.take_text(text, logprobs),
            Parsed::Reasoning { text } => {
                took.stop = self.watch(&text);
                self.tokens = self.tokens.saturating_add(likely_tokens(&text));
                self.hold(Parsed::Reasoning { text });
            }
            Parsed::ToolCall { ref arguments, .. } => {
                took.stop = self.watch(arguments);
                self.tokens = self.tokens.saturating_add(likely_tokens(arguments));
                add_piece(&mut self.calls, &parsed);
                self.call_pieces.push(parsed);
            }
            Parsed::Finished { reason } => self.finish = Some(reason),
            Parsed::Usage(usage) => self.usage = Some(usage),
            Parsed::Started | Parsed::Sealed { .. } | Parsed::Opaque => {}
        }
        let over = self.bytes > most_bytes || self.max_tokens.is_some_and(|most| self.tokens > most);
        took.stop = took.stop.or(over.then_some(Fault::CutOff));
        took
    }

    fn take_text(&mut self, text: String, logprobs: Vec<TokenLogprob>) -> Took {
        let mut took = Took {
            stop: self.watch(&text),
            ..Took::default()
        };
        let counted = u32::try_from(logprobs.len()).ok().filter(|n| *n > 0);
        let tokens = counted.unwrap_or_else(|| likely_tokens(&text));
        self.tokens = self.tokens.saturating_add(tokens);
        logprobs.iter().for_each(|token| self.stats.push(token));
        let (mut rest, mut logprobs) = (text, logprobs);
        while let Some(at) = self.cutter.push(&rest, counted) {
            took.closed = true;
            let next = rest.split_off(at);
            if !rest.is_empty() {
                self.hold_text(rest, std::mem::take(&mut logprobs));
            }
            self.ends.push(self.text.len());
            rest = next;
        }
        if !rest.is_empty() || !logprobs.is_empty() {
            self.hold_text(rest, logprobs);
        }
        took
    }

    fn hold_text(&mut self, text: String, logprobs: Vec<TokenLogprob>) {
        self.text.push_str(&text);
        if self.solid_in.is_none() && !text.trim().is_empty() {
            self.solid_in = Some(self.closed());
        }
        self.hold(Parsed::Text { text, logprobs });
    }

    fn hold(&mut self, parsed: Parsed) {
        let window = self.closed();
        let tokens = match &parsed {
            Parsed::Text { text, logprobs } if logprobs.is_empty() => likely_tokens(text),
            Parsed::Text { logprobs, .. } => u32::try_from(logprobs.len()).unwrap_or(u32::MAX),
            Parsed::Reasoning { text } => likely_tokens(text),
            _ => 0,
        };
        self.held_tokens = self.held_tokens.saturating_add(tokens);
        self.queue.push_back(Held {
            window,
            tokens,
            parsed,
        });
    }

    fn watch(&mut self, said: &str) -> Option<Fault> {
        self.bytes = self.bytes.saturating_add(said.len());
        self.watch.push(said).map(|_| Fault::Loop)
    }

    /// Windows that are whole.
    pub(super) fn closed(&self) -> u32 {
        u32::try_from(self.ends.len()).unwrap_or(u32::MAX)
    }

    /// Bytes of the text up to the end of the last whole window.
    pub(super) fn closed_bytes(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Is all of its text blank?
    pub(super) fn is_blank(&self) -> bool {
        self.solid_in.is_none()
    }

    /// Takes out the next piece that may be shown, when the first `windows` windows may be (`None`: all). Reasoning
    /// and blank text wait for the answer they come before.
    pub(super) fn next_of(&mut self, windows: Option<u32>) -> Option<Parsed> {
        let within = |window: u32| windows.is_none_or(|n| window < n);
        let solid = self.shown || self.solid_in.is_some_and(within);
        self.queue.front().filter(|next| solid && within(next.window))?;
        let held = self.queue.pop_front()?;
        self.held_tokens = self.held_tokens.saturating_sub(held.tokens);
        Some(held.parsed)
    }

    /// Everything that was not shown, though it has no solid text.
    pub(super) fn rest(&mut self) -> impl Iterator<Item = Parsed> + use<> {
        std::mem::take(&mut self.queue)
            .into_iter()
            .map(|held| held.parsed)
    }

    /// Its tool calls, as they came.
    pub(super) fn take_calls(&mut self) -> Vec<Parsed> {
        std::mem::take(&mut self.call_pieces)
    }

    /// Is there text that is not shown?
    pub(super) fn waits(&self) -> bool {
        self.solid_in.is_some() && !self.queue.is_empty()
    }

    /// Is its end one that a limit made, and not the caller's own?
    fn is_cut_off(&self, caller_limit: Option<u32>) -> bool {
        if self.finish != Some(FinishReason::Length) {
            return false;
        }
        match (caller_limit, self.usage) {
            (None, _) => true,
            (Some(limit), Some(usage)) => usage.completion_tokens < limit,
            // Nobody counted: the caller's limit is the likelier one.
            (Some(_), None) => false,
        }
    }

    /// A tool call that cannot be used, however the answer ended: such a call is never handed on.
    pub(super) fn bad_call(&self, form: &Form) -> Option<Fault> {
        let calls = Some(&self.calls).filter(|calls| !calls.is_empty())?;
        form.check_calls(calls).err().map(Fault::Call)
    }

    /// What is wrong with it, its calls aside, now that it is over. One its own server has refused is not empty but refused.
    pub(super) fn judge_form(&self, form: &Form, caller_limit: Option<u32>) -> Option<Fault> {
        if self.finish == Some(FinishReason::ContentFilter) {
            return None;
        }
        if self.is_cut_off(caller_limit) {
            return Some(Fault::CutOff);
        }
        if !self.calls.is_empty() {
            return None;
        }
        if self.is_blank() {
            return Some(Fault::Empty);
        }
        // Cut off by the caller's own limit, it cannot be whole.
        if self.finish == Some(FinishReason::Length) {
            return None;
        }
        form.check_text(&self.text).err().map(Fault::Form)
    }

    /// How sure it is, when that is known.
    pub(super) fn confidence(&self) -> Option<&Confidence> {
        match &self.sureness {
            Sureness::Known(confidence) => Some(confidence),
            _ => None,
        }
    }

    /// Is it a better answer than `other`? One with a fault is worse than one without; then how sure it is counts.
    pub(super) fn beats(&self, other: &Self) -> bool {
        let rank = |a: &Self| (a.fault.is_none(), a.confidence().map_or(0.0, |c| c.value));
        rank(self) > rank(other)
    }

    /// May it be the answer, should nothing better come?
    pub(super) fn may_stand(&self) -> bool {
        self.ended && !self.is_blank() && !matches!(self.fault, Some(Fault::Call(_)))
    }

    /// A short answer without what does not change it, to be compared with another's; nothing for a long one.
    pub(super) fn normalised(&self) -> Option<String> {
        if self.text.len() > SHORT_BYTES || !self.calls.is_empty() {
            return None;
        }
        let words = self.text.split(|c: char| !c.is_alphanumeric());
        let words: Vec<String> = words.filter(|w| !w.is_empty()).map(str::to_lowercase).collect();
        (!words.is_empty()).then(|| words.join(" "))
    }
}
