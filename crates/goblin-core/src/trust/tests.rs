//! The cascade played by hand: a test says what happens and looks at what is done.

mod endings;
mod judges;
mod limits;
mod properties;
mod streaming;

use std::sync::Arc;

use super::cascade::Cascade;
use super::structure::Form;
use super::*;
use crate::event::{TokenLogprob, TopLogprob, Usage};

/// Short windows, so that tests are.
const SMALL: Windows = Windows {
    sentence_after: 3,
    at_most: 6,
};
/// One sentence that is one window of [`SMALL`] together with the space that begins the next.
const SENTENCE: &str = "One two three four.";

fn settings() -> Settings {
    Settings {
        windows: SMALL,
        ..Settings::default()
    }
}

fn with_events() -> Settings {
    Settings {
        events: true,
        ..settings()
    }
}

fn granted() -> Judge {
    Judge {
        authority: Authority::Grant,
        self_judged: false,
    }
}

fn advisory() -> Judge {
    Judge {
        authority: Authority::None,
        self_judged: true,
    }
}

/// A local model whose judges may act.
fn local(id: &str, quality: f64) -> Rung {
    Rung {
        id: format!("p/{id}"),
        model: id.to_owned(),
        local: true,
        quality: Some(quality),
        answer_tokens: 100,
        prompt_tokens: 10,
        safety: Some(SafetyJudge::with(Authority::Grant)),
        confidence: vec![granted()],
        ..Rung::default()
    }
}

/// A model elsewhere, at a dollar for a thousand tokens.
fn cloud(id: &str, quality: f64) -> Rung {
    Rung {
        local: false,
        price: Some(Price {
            input_usd: 0.001,
            output_usd: 0.001,
        }),
        ..local(id, quality)
    }
}

/// A model nobody judges.
fn unjudged(id: &str, quality: f64) -> Rung {
    Rung {
        safety: None,
        confidence: Vec::new(),
        ..local(id, quality)
    }
}

/// A model that is judged by one that may not act.
fn advised(id: &str, quality: f64) -> Rung {
    Rung {
        safety: Some(SafetyJudge::with(Authority::None)),
        confidence: vec![advisory()],
        ..local(id, quality)
    }
}

fn two() -> Vec<Rung> {
    vec![local("a", 0.5), local("b", 0.8)]
}

/// A cascade, and everything it did.
struct Play {
    cascade: Cascade,
    now: u64,
    done: Vec<Action>,
}

impl Play {
    fn with(settings: Settings, rungs: Vec<Rung>, prompt: Option<Judge>, form: Form) -> Self {
        Self {
            cascade: Cascade::new(settings, rungs, prompt, Arc::new(form)).unwrap(),
            now: 0,
            done: Vec::new(),
        }
    }

    /// Asked, with the prompt's judge acting and its verdict in.
    fn asked(settings: Settings, rungs: Vec<Rung>) -> Self {
        let mut play = Self::asked_without_verdict(settings, rungs);
        if play.end().is_none() {
            play.prompt(0.99);
        }
        play
    }

    /// Asked, with the prompt's judge acting and no verdict yet.
    fn asked_without_verdict(settings: Settings, rungs: Vec<Rung>) -> Self {
        let mut play = Self::with(settings, rungs, Some(granted()), Form::default());
        play.on(Event::Asked);
        play
    }

    /// Asked, without a judge of the prompt.
    fn unjudged(settings: Settings, rungs: Vec<Rung>, form: Form) -> Self {
        let mut play = Self::with(settings, rungs, None, form);
        play.on(Event::Asked);
        play
    }

    /// What an event leads to.
    fn on(&mut self, event: Event) -> Vec<Action> {
        let mut out = Vec::new();
        self.cascade.on(self.now, event, &mut out);
        self.done.extend(out.iter().cloned());
        out
    }

    fn at(&mut self, now: u64, event: Event) -> Vec<Action> {
        self.now = now;
        self.on(event)
    }

    /// Text, a word a token.
    fn say(&mut self, rung: usize, text: &str) -> Vec<Action> {
        let words = text.split_inclusive(' ').collect::<Vec<_>>();
        // A space belongs to the word after it, as with most tokenizers.
        let mut pieces: Vec<String> = Vec::new();
        for (i, word) in words.iter().enumerate() {
            let space = if i > 0 { " " } else { "" };
            pieces.push(format!("{space}{}", word.trim_end_matches(' ')));
        }
        let mut out = Vec::new();
        for text in pieces {
            let logprobs = Vec::new();
            let parsed = Parsed::Text { text, logprobs };
            out.extend(self.on(Event::Said { rung, parsed }));
        }
        out
    }

    fn said(&mut self, rung: usize, parsed: Parsed) -> Vec<Action> {
        self.on(Event::Said { rung, parsed })
    }

    fn finish_as(&mut self, rung: usize, reason: FinishReason) -> Vec<Action> {
        let mut out = self.said(rung, Parsed::Finished { reason });
        out.extend(self.on(Event::Ended { rung }));
        out
    }

    fn finish(&mut self, rung: usize) -> Vec<Action> {
        self.finish_as(rung, FinishReason::Stop)
    }

    /// The newest question that is on its way and is as wanted.
    fn open(&self, wanted: impl Fn(&Ask) -> bool) -> Option<AskId> {
        let withdrawn = |id: AskId| self.done.contains(&Action::Unask(id));
        let asks = self.done.iter().rev().filter_map(|action| match action {
            Action::Ask { id, ask } if wanted(ask) => Some(*id),
            _ => None,
        });
        asks.into_iter().find(|id| !withdrawn(*id))
    }

    fn hear(&mut self, wanted: impl Fn(&Ask) -> bool, heard: Heard) -> Vec<Action> {
        let ask = self.open(wanted).expect("no such question is on its way");
        self.on(Event::Judged { ask, heard })
    }

    fn prompt(&mut self, value: f64) -> Vec<Action> {
        self.hear(|ask| *ask == Ask::Prompt, probability(value))
    }

    fn window(&mut self, value: f64) -> Vec<Action> {
        self.hear(is_window, probability(value))
    }

    fn answer_safety(&mut self, value: f64) -> Vec<Action> {
        self.hear(is_answer, probability(value))
    }

    fn confidence(&mut self, value: f64) -> Vec<Action> {
        self.hear(is_confidence, probability(value))
    }

    /// What the reader sees now.
    fn seen(&self) -> String {
        let mut seen = String::new();
        for action in &self.done {
            match action {
                Action::Release {
                    parsed: Parsed::Text { text, .. },
                    ..
                } => seen.push_str(text),
                Action::Supersede { .. } | Action::Retract { .. } => seen.clear(),
                _ => {}
            }
        }
        seen
    }

    fn end(&self) -> Option<&End> {
        match self.done.last() {
            Some(Action::End(end)) => Some(end),
            _ => None,
        }
    }

    /// How the last step of a rung ended.
    fn outcome(&self, of: usize) -> Option<StepOutcome> {
        self.done.iter().rev().find_map(|action| match action {
            Action::StepEnded { rung, outcome, .. } if *rung == of => Some(*outcome),
            _ => None,
        })
    }

    fn started(&self) -> Vec<usize> {
        let started = self.done.iter().filter_map(|action| match action {
            Action::Start { rung, .. } => Some(*rung),
            _ => None,
        });
        started.collect()
    }

    /// Is the answer that of `rung`, and is it marked?
    fn assert_finished(&self, of: usize, marked: bool) {
        match self.end() {
            Some(End::Finished { rung, low, .. }) => {
                assert_eq!((*rung, low.is_some()), (of, marked), "{:#?}", self.done);
            }
            _ => panic!("not finished: {:#?}", self.done),
        }
    }

    fn assert_failed(&self, with: Failure, after_text: bool) {
        match self.end() {
            Some(End::Failed { failure, shown }) => assert_eq!((*failure, *shown), (with, after_text)),
            _ => panic!("not failed: {:#?}", self.done),
        }
    }
}

fn is_window(ask: &Ask) -> bool {
    matches!(
        ask,
        Ask::Safety {
            about: About::Window(_),
            ..
        }
    )
}

fn is_answer(ask: &Ask) -> bool {
    matches!(
        ask,
        Ask::Safety {
            about: About::Answer,
            ..
        }
    )
}

fn is_confidence(ask: &Ask) -> bool {
    matches!(ask, Ask::Confidence { .. })
}

fn probability(value: f64) -> Heard {
    Heard::Probability {
        value,
        mass: 0.9,
        category: (value < 0.5).then(|| "harm".to_owned()),
    }
}

fn text(text: &str) -> Parsed {
    Parsed::Text {
        text: text.to_owned(),
        logprobs: Vec::new(),
    }
}

/// A token and its log-probability.
fn likely(text: &str, logprob: f32) -> Parsed {
    let chosen = TopLogprob {
        token: text.to_owned(),
        logprob,
        bytes: None,
    };
    Parsed::Text {
        text: text.to_owned(),
        logprobs: vec![TokenLogprob {
            chosen,
            top_logprobs: Vec::new(),
        }],
    }
}

fn usage(prompt_tokens: u32, completion_tokens: u32) -> Parsed {
    Parsed::Usage(Usage {
        prompt_tokens,
        completion_tokens,
        ..Usage::default()
    })
}

fn call(name: &str, arguments: &str) -> Parsed {
    Parsed::ToolCall {
        index: 0,
        id: Some("c1".to_owned()),
        name: Some(name.to_owned()),
        arguments: arguments.to_owned(),
    }
}
