//! Judges: which model is asked whether a question and its answer are safe and good enough, what it is asked, how its
//! answer is read, and whether that answer may act. Pure: asking is done elsewhere.
//!
//! A verdict is a probability read from one token ([`crate::decide`]). It may act only with authority: by an evaluation
//! of this model, these questions and this quantisation, or by a grant ([`authority`]). Everything else is advice.

pub mod authority;
pub mod choose;
pub mod questions;
pub mod settings;
pub mod transcript;

mod guard;
mod reading;
mod template;

pub use template::in_turns;

use sha2::{Digest, Sha256};

use crate::judge::guard::Guard;
use crate::judge::questions::QuestionSet;
use crate::judge::template::Template;
use crate::trace::{Authority, Concern};

/// Below this much probability on the valid options together there is no verdict.
pub const LEAST_MASS: f64 = 0.5;

/// A model that judges one concern.
#[derive(Clone, Debug, PartialEq)]
pub struct Judge {
    /// `provider/model`: the name it is asked by.
    pub model: String,
    /// Does what it is asked stay on the operator's machines?
    pub local: bool,
    /// Is it the model that answers?
    pub self_judged: bool,
    /// What it judges.
    pub concern: Concern,
    /// Tokens its context holds, when known.
    pub context_window: Option<u32>,
    /// How it is asked.
    pub(crate) manner: Manner,
    /// For each set of questions about its concern: may the answer act, and why.
    pub(crate) standing: Vec<(QuestionSet, Standing)>,
}

/// How a model is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Any chat model: marks, then a question, in the turns it knows.
    Chat(Template),
    /// A model trained to judge: its own words.
    Guard(Guard),
}

/// Whether a judge's answers to one set of questions may act.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Standing {
    pub(crate) authority: Authority,
    /// A sentence for people.
    pub(crate) why: String,
}

impl Judge {
    /// May its answers to `set` act?
    pub fn authority(&self, set: QuestionSet) -> Authority {
        let found = self.standing.iter().find(|(of, _)| *of == set);
        found.map_or(Authority::None, |(_, standing)| standing.authority)
    }

    /// The same model asked about the concern of `other` as well, in one request.
    #[must_use]
    pub fn also(mut self, other: &Self) -> Self {
        for standing in &other.standing {
            if !self.standing.iter().any(|(set, _)| *set == standing.0) {
                self.standing.push(standing.clone());
            }
        }
        self
    }

    /// May any of its answers act?
    pub fn acts(&self) -> bool {
        self.standing
            .iter()
            .any(|(_, standing)| standing.authority.acts())
    }

    /// Why its answers may act or may not, in sentences for people: each once.
    pub fn reasons(&self) -> Vec<&str> {
        let mut out: Vec<&str> = Vec::new();
        for (_, standing) in &self.standing {
            if !out.contains(&standing.why.as_str()) {
                out.push(&standing.why);
            }
        }
        out
    }

    /// Was it trained to judge?
    pub fn is_guard(&self) -> bool {
        matches!(self.manner, Manner::Guard(_))
    }
}

/// Who judges an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Judges {
    /// Whether it is safe.
    pub safety: SafetyJudge,
    /// Whether it is correct and complete: first choice first. The model that answers, where it is among them, comes
    /// last and never acts.
    pub confidence: Vec<Judge>,
    /// What is not as configured: sentences for people.
    pub notes: Vec<String>,
}

/// Who judges safety.
#[derive(Clone, Debug, PartialEq)]
pub enum SafetyJudge {
    /// Nobody: none of the judges that may is offered by a provider that answers.
    Absent {
        /// A sentence for people that names who was looked for.
        why: String,
    },
    /// This one.
    Judge(Box<Judge>),
}

impl Judges {
    /// The judge of safety, if there is one.
    pub fn safety_judge(&self) -> Option<&Judge> {
        match &self.safety {
            SafetyJudge::Judge(judge) => Some(judge),
            SafetyJudge::Absent { .. } => None,
        }
    }

    /// The first judge of confidence that may act, else the first there is.
    pub fn confidence_judge(&self) -> Option<&Judge> {
        let acting = self.confidence.iter().find(|judge| judge.acts());
        acting.or(self.confidence.first())
    }
}

/// The first `digits` hexadecimal digits of `bytes`.
pub(crate) fn hex(bytes: &[u8], digits: usize) -> String {
    let mut out: String = bytes
        .iter()
        .take(digits.div_ceil(2))
        .map(|b| format!("{b:02x}"))
        .collect();
    out.truncate(digits);
    out
}

/// 16 hexadecimal digits of the SHA-256 of `parts`, each told apart from the next.
pub(crate) fn fingerprint<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hex(&hash.finalize(), 16)
}

#[cfg(test)]
mod tests;
