//! The trust cascade: which text of an answer may be shown, when a better model is asked, and when an answer is
//! refused.
//!
//! [`cascade::Cascade`] is a state machine: [`Event`]s go in, with the time they happened at, [`Action`]s come out. It does no
//! I/O and has no clock, so every order of events can be tried. Its driver is in `goblin-dispatch`.
//!
//! ```text
//!  asked ──▶ prompt question ┐                             ┌ unsafe ─────────▶ rejected
//!    └─────▶ first rung ─────┴─▶ windows ─▶ end questions ─┼ sure enough ────▶ finished
//!                 ▲                │                       └ not sure enough ┐
//!                 └── better rung ◀┴─ empty, loop, cut off, broken form ◀────┘
//! ```
//!
//! What it holds to:
//! * A verdict acts only with authority. An *advisory* one is recorded and delays no text; it is asked about the
//!   question and, once, about the whole answer. A judge that is *absent* is as if none were configured; one that
//!   *fails* fails closed for safety, and for confidence leads to the next judge, then to a better model.
//! * Under [`VerifyMode::Hold`], a window is shown when it is whole and, where a safety judge acts, found safe. At
//!   most one question about windows is on its way: the next one is about all that has come since, so that a slow
//!   judge never has a backlog. Where no judge of a rung can act and no form was asked for, its text is shown at once.
//! * Reasoning and leading blank text are not shown before the answer they belong to; tool calls not before their
//!   step is accepted.
//! * A client that does not take [`Settings::events`] sees text of one rung only. Once it has seen some, the answer
//!   finishes, marked low in confidence, or is refused; it is not replaced.
//! * A complete, safe answer that was not sure enough is kept while a better model is asked. Should that model fail
//!   or do worse, the kept one is the answer.

pub mod calibration;
pub mod cascade;
pub mod features;
pub mod ladder;
pub mod structure;
pub mod window;

mod attempt;
mod ending;
mod judging;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::event::{FinishReason, Parsed};
use crate::limits::MAX_ANSWER_BYTES;
use crate::trace::{About, Authority, Confidence, StepOutcome, Thresholds, TokenFeatures, VerifyMode};

use calibration::Calibration;
use window::Windows;

/// What a cascade is to do.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How answers are checked on their way.
    pub verify: VerifyMode,
    /// What verdicts are compared with.
    pub thresholds: Thresholds,
    /// P(safe) of the one quick question from which on the question of each category is not asked.
    pub clearly_safe: f64,
    /// How long windows are.
    pub windows: Windows,
    /// Is it asked whether answers are correct and complete?
    pub confidence: bool,
    /// May a better model be asked? A provider's failure goes on to the next in any case.
    pub escalate: bool,
    /// A running confidence is looked at after so many tokens, and again after as many more; only with a calibration
    /// that has an early exit.
    pub early_exit_after: u32,
    /// Most models that answer, those that failed before their first content not counted.
    pub max_steps: u32,
    /// Longest the whole answer may take, in milliseconds after [`Event::Asked`].
    pub deadline_ms: Option<u64>,
    /// Longest a judge may take for one question, in milliseconds; then it has failed.
    pub judge_timeout_ms: u64,
    /// Most the rungs may cost together, in US dollars. A rung without a price is then left out.
    pub max_cost_usd: Option<f64>,
    /// Nothing leaves the operator's machines.
    pub local_only: bool,
    /// Does the client take superseding and retracting?
    pub events: bool,
    /// Refuse to answer where no safety judge can act.
    pub require_judge: bool,
    /// The caller's own limit of tokens: an answer cut off by it is not the model's fault.
    pub caller_limit: Option<u32>,
    /// Most bytes of one answer, reasoning and tool calls included; beyond it, it is cut off.
    pub max_answer_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            verify: VerifyMode::Hold,
            thresholds: Thresholds {
                safety: 0.7,
                confidence: 0.65,
                critical: 0.4,
            },
            clearly_safe: 0.9,
            windows: Windows::default(),
            confidence: true,
            escalate: true,
            early_exit_after: 32,
            max_steps: 4,
            deadline_ms: None,
            judge_timeout_ms: 30_000,
            max_cost_usd: None,
            local_only: false,
            events: false,
            require_judge: false,
            caller_limit: None,
            max_answer_bytes: MAX_ANSWER_BYTES,
        }
    }
}

impl Settings {
    /// The same, but done within `limit` if that is sooner.
    #[must_use]
    pub fn within(self, limit: Option<Duration>) -> Self {
        let limit = limit.map(|limit| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
        Self {
            deadline_ms: limit.into_iter().chain(self.deadline_ms).min(),
            ..self
        }
    }
}

/// Who judges a question, or how sure an answer is, as far as the cascade must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judge {
    /// May its verdicts act?
    pub authority: Authority,
    /// Is it the model that answers?
    pub self_judged: bool,
}

/// Who judges whether an answer is safe. Authority is had for a set of questions, and there are two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SafetyJudge {
    /// May its verdict act on the one quick question: safe, or which category? Where it may not, windows are asked
    /// about thoroughly.
    pub quick: Authority,
    /// May its verdicts act on the question of each category? Where they may not, the quick question decides alone.
    pub thorough: Authority,
}

impl SafetyJudge {
    /// One that has the same authority for both.
    pub fn with(authority: Authority) -> Self {
        Self {
            quick: authority,
            thorough: authority,
        }
    }

    /// May any of its verdicts act?
    pub fn acts(&self) -> bool {
        self.quick.acts() || self.thorough.acts()
    }

    /// What authority it has at best.
    pub fn authority(&self) -> Authority {
        if self.thorough.acts() {
            self.thorough
        } else {
            self.quick
        }
    }
}

/// US dollars a token.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Price {
    /// Of the prompt.
    pub input_usd: f64,
    /// Of the answer.
    pub output_usd: f64,
}

/// One candidate of the ladder.
#[derive(Clone, Debug, Default)]
pub struct Rung {
    /// `provider/model`.
    pub id: String,
    /// The model's name: rungs of equal name are servers of one model, and none is better than another.
    pub model: String,
    /// Does what it is asked stay on the operator's machines?
    pub local: bool,
    /// Does it only stand ready for when all others fail? Nobody escalates to it.
    pub spare: bool,
    /// Expected quality, 0–1, when known.
    pub quality: Option<f64>,
    /// What it costs; nothing known = `None`. A local one costs nothing whatever stands here.
    pub price: Option<Price>,
    /// Tokens of its prompt, expected.
    pub prompt_tokens: u32,
    /// Tokens of its answer, expected.
    pub answer_tokens: u32,
    /// Predicted time to its first token in milliseconds, when known.
    pub first_token_ms: Option<u64>,
    /// Who judges whether its answer is safe; nobody = absent.
    pub safety: Option<SafetyJudge>,
    /// Who judges whether its answer is right, first choice first; none = absent.
    pub confidence: Vec<Judge>,
    /// Weights fitted to labelled answers of it.
    pub calibration: Option<Calibration>,
}

/// Why a cascade cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Nobody could be asked.
    #[error("the ladder has no rung")]
    NoRungs,
    /// The ladder comes back to a rung.
    #[error("the ladder has `{0}` twice")]
    Loop(String),
    /// Not a probability.
    #[error("`{0}` is not between 0 and 1")]
    NotAProbability(&'static str),
    /// Only rungs elsewhere, though nothing may leave.
    #[error("nothing may leave the operator's machines, and no rung is on them")]
    NothingLocal,
    /// No rung may be tried.
    #[error("`max_steps` must be at least 1")]
    NoSteps,
    /// Not an amount of money.
    #[error("`max_cost_usd` must be 0 or more")]
    NotAnAmount,
}

/// What a check inside this process found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// In what.
    pub about: About,
    /// Which rule, for example `secret:aws_key`.
    pub rule: String,
    /// What follows from it.
    pub effect: Effect,
}

/// What follows from a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is recorded.
    Note,
    /// From now on, no rung elsewhere is asked.
    KeepLocal,
    /// The answer is refused.
    Refuse,
}

/// Names a question that is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u32);

/// How thoroughly safety is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// One question: safe, or which category?
    Quick,
    /// The question of each category.
    Thorough,
}

/// A question for a judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Is it safe to answer the user's question?
    Prompt,
    /// Is the answer safe, up to a place?
    Safety {
        /// Whose answer.
        rung: usize,
        /// A window, and all before it, or the whole answer.
        about: About,
        /// How thoroughly.
        depth: Depth,
        /// The first so many bytes of [`cascade::Cascade::text`].
        upto: usize,
    },
    /// Is the whole answer correct and complete?
    Confidence {
        /// Whose answer.
        rung: usize,
        /// Which of [`Rung::confidence`].
        judge: usize,
    },
}

/// What a judge said.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// A probability.
    Probability {
        /// P(safe), or P(correct and complete).
        value: f64,
        /// Probability on all valid options together.
        mass: f64,
        /// The likeliest category where it is not `safe`.
        category: Option<String>,
    },
    /// A written word and no probability: its judge turned out to be unable to do more. It is recorded, and the judge
    /// is as absent.
    Word,
    /// It answered with an error, or too late.
    Failed,
}

/// Something happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// First: the question is there. Findings about it may come before.
    Asked,
    /// A check inside this process found something.
    Found(Found),
    /// A rung said something: text, reasoning, a tool call, its finish, its usage.
    Said {
        /// Which rung.
        rung: usize,
        /// What.
        parsed: Parsed,
    },
    /// A rung's stream is over.
    Ended {
        /// Which rung.
        rung: usize,
    },
    /// A rung could not begin, or broke.
    Failed {
        /// Which rung.
        rung: usize,
        /// Is it worth asking another? Not when the request is what is wrong.
        next_may_help: bool,
    },
    /// A judge answered.
    Judged {
        /// Which question.
        ask: AskId,
        /// What.
        heard: Heard,
    },
    /// Time has passed: see [`cascade::Cascade::wake_at`].
    Tick,
    /// The caller is gone.
    Left,
}

/// Something is to be done. In order.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Ask a rung.
    Start {
        /// Which rung.
        rung: usize,
        /// Most tokens there is money for.
        max_tokens: Option<u32>,
    },
    /// Stop a rung; what it still says is not wanted.
    Cancel {
        /// Which rung.
        rung: usize,
    },
    /// Ask a judge.
    Ask {
        /// Names the question.
        id: AskId,
        /// The question.
        ask: Ask,
    },
    /// Stop a question; its answer is not wanted any more.
    Unask(AskId),
    /// Text is there that waits for a verdict: said when the first of it comes, and when a question about it is asked.
    Checking {
        /// What is, or will be, asked about.
        about: About,
        /// Tokens that wait, about.
        held_tokens: u32,
    },
    /// Show this.
    Release {
        /// Whose it is.
        rung: usize,
        /// What.
        parsed: Parsed,
    },
    /// What was shown is replaced by what follows. Only for clients that take it.
    Supersede {
        /// Whose text was shown.
        shown: usize,
        /// Whose text follows.
        by: usize,
    },
    /// What was shown is taken back. Only for clients that take it.
    Retract {
        /// Whose text was shown.
        rung: usize,
    },
    /// A rung's step has ended so. The last one said of a rung holds.
    StepEnded {
        /// Which rung.
        rung: usize,
        /// How.
        outcome: StepOutcome,
        /// Why, in a sentence.
        why: Option<String>,
        /// How likely its tokens were, when that is known.
        features: Option<TokenFeatures>,
    },
    /// A sentence for the trace.
    Note(String),
    /// Last: nothing follows.
    End(End),
}

/// How a cascade ended.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// With an answer.
    Finished {
        /// Whose it is.
        rung: usize,
        /// Why it ended.
        reason: FinishReason,
        /// Why it is marked low in confidence, in a sentence.
        low: Option<String>,
        /// How sure it is.
        confidence: Option<Confidence>,
    },
    /// The answer, or the question, is refused.
    Rejected {
        /// By what.
        refusal: Refusal,
        /// Was text of it shown, and not taken back?
        shown: bool,
        /// How sure the answer was.
        confidence: Option<Confidence>,
    },
    /// It failed.
    Failed {
        /// How.
        failure: Failure,
        /// Was text shown?
        shown: bool,
    },
    /// The caller left.
    Left,
}

/// What an answer is refused by.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// A safety judge.
    Unsafe {
        /// What it judged.
        about: About,
        /// The likeliest category.
        category: Option<String>,
        /// P(safe).
        probability: f64,
    },
    /// A check inside this process.
    Check {
        /// The rule.
        rule: String,
    },
    /// It is most likely wrong, and no better model could be asked.
    Unsure {
        /// How sure it was.
        value: f64,
    },
}

impl Refusal {
    /// The rule's name, as it is shown and stored.
    pub fn rule(&self) -> String {
        match self {
            Self::Unsafe { category, .. } => format!("safety:{}", category.as_deref().unwrap_or("unsafe")),
            Self::Check { rule } => rule.clone(),
            Self::Unsure { .. } => "confidence:critical".to_owned(),
        }
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A safety judge with authority failed, or none is there though one is required.
    JudgeUnavailable,
    /// Every rung that could be asked failed; the driver knows how.
    Upstream,
    /// The deadline passed.
    Deadline,
    /// No rung could be paid for, or all were ruled out.
    NoRung,
    /// The tool calls that came cannot be used, and no better model could be asked.
    ToolCall,
}
