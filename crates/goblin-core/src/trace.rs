//! Why an answer came from where it came from: everything that was decided on its way, as it is stored, returned in
//! the `goblin` object of an answer, and shown.
//!
//! Nothing in a trace is text of the conversation: it may be kept where the conversation is not.

pub mod summary;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::decide::DecideMethod;
use crate::intent::Intent;

/// How an answer is checked on its way to the reader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VerifyMode {
    /// Not at all.
    Off,
    /// Everything is held until the end.
    Final,
    /// Each window is released when its verdict is in.
    #[default]
    Hold,
    /// Each window is released at once, and taken back when its verdict says so.
    Optimistic,
}

impl VerifyMode {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Off, Self::Final, Self::Hold, Self::Optimistic];

    /// The wire form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Final => "final",
            Self::Hold => "hold",
            Self::Optimistic => "optimistic",
        }
    }

    /// Reads [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text)
    }
}

/// One thing the choice was made by, and its value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Feature {
    /// For example `words:translate`, `code_block`, `context_tokens`.
    pub name: String,
    /// What it weighed, or how much of it there was.
    pub value: f64,
}

/// A model that could have answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Considered {
    /// `provider/model`; a model of the policy that nobody offers stands under the policy's name.
    pub model: String,
    /// Role of the policy it stands for, when it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Does it run on the operator's machines?
    pub local: bool,
    /// Place on the ladder, from 0; absent when it was passed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rung: Option<u32>,
    /// Expected quality for this intent, 0–1, before cost.
    pub quality: f64,
    /// Expected cost of the answer in US dollars; local 0, absent when there is no price.
    pub cost_usd: Option<f64>,
    /// Predicted time to the first token, in milliseconds, when known.
    pub first_token_ms: Option<u64>,
    /// Why it is not on the ladder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passed_over: Option<String>,
}

/// How the ladder was made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RouteRecord {
    /// Version of the policy that decided: a hash of what is in force.
    pub policy: String,
    /// What the question is about; absent when a model was named.
    pub intent: Option<Intent>,
    /// 0–1; 1 when the caller named the intent.
    pub intent_confidence: f64,
    /// The next likely intent.
    pub runner_up: Option<Intent>,
    /// Language of the question (ISO 639-3), when certain.
    pub language: Option<String>,
    /// Role of the policy that answers first.
    pub role: Option<String>,
    /// What the choice was made by.
    pub features: Vec<Feature>,
    /// Every model that was looked at, those of the ladder first, in order.
    pub candidates: Vec<Considered>,
}

/// What a verdict is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "part", content = "window", rename_all = "snake_case")]
pub enum About {
    /// The question.
    Prompt,
    /// The answer up to the end of this window, from 0.
    Window(u32),
    /// The whole answer.
    Answer,
}

/// What a verdict is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Concern {
    /// Is it safe?
    Safety,
    /// Is it correct and complete?
    Confidence,
}

/// May a judge's verdict act?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Authority {
    /// An evaluation of this model, these questions and this quantisation is good enough.
    Record,
    /// Granted by the policy or the operator, not measured.
    Grant,
    /// No: the verdict is shown, and changes nothing.
    None,
}

impl Authority {
    /// May the verdict refuse, take back or escalate?
    pub fn acts(self) -> bool {
        self != Self::None
    }
}

/// One question that was asked about a text, and its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Verdict {
    /// What it is for.
    pub concern: Concern,
    /// What it is about.
    pub about: About,
    /// Which question of its set.
    pub question: String,
    /// Of the options, the one with the most probability; for example a category of harm. Absent for yes and no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<String>,
    /// P(safe), or P(correct and complete), among the valid options; absent when there is no verdict.
    pub probability: Option<f64>,
    /// Probability on the valid options together. Below 0.5 there is no verdict.
    pub mass: f64,
    /// Who judged, `provider/model`.
    pub model: String,
    /// How it was read.
    #[schema(value_type = String)]
    pub backend: DecideMethod,
    /// May it act?
    pub authority: Authority,
    /// Is the judge the model that answered?
    pub self_judged: bool,
    /// Hash of the question as asked, template included.
    pub question_hash: String,
    /// How long the answer took.
    pub ms: u64,
    /// Tokens of the shared text taken from a cache.
    pub cached_tokens: u32,
    /// Tokens of the shared text evaluated.
    pub evaluated_tokens: u32,
    /// Tokens of the questions themselves.
    pub question_tokens: u32,
    /// Why there is no verdict: it failed, came too late, or could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// How an attempt of one model ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// It answers still.
    Running,
    /// Its answer is the answer.
    Accepted,
    /// Its answer is the answer, though it is not sure: nothing better was possible any more.
    LowConfidence,
    /// A better model was asked instead.
    Escalated,
    /// Refused.
    Rejected,
    /// The provider failed.
    Failed,
    /// Stopped: the caller left, or a limit ended it.
    Cancelled,
}

/// One model's attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Step {
    /// `provider/model`.
    pub model: String,
    /// The provider.
    pub provider: String,
    /// Did what it was asked stay on the operator's machines?
    pub local: bool,
    /// When it began, in milliseconds after the question.
    pub started_ms: u64,
    /// Its first token, likewise.
    pub first_token_ms: Option<u64>,
    /// When it ended, likewise.
    pub ended_ms: Option<u64>,
    /// Tokens of its prompt, when counted.
    pub prompt_tokens: u32,
    /// Tokens it made.
    pub tokens: u32,
    /// What it cost in US dollars; local 0, absent when there is no price.
    pub cost_usd: Option<f64>,
    /// What was asked about its answer.
    pub verdicts: Vec<Verdict>,
    /// How likely its own tokens were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_probability: Option<TokenFeatures>,
    /// How it ended.
    pub outcome: StepOutcome,
    /// Why it ended so, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Step {
    /// An attempt of `provider`'s `model` (`provider/model`) that begins `started_ms` after the question.
    pub fn begun(model: String, provider: String, local: bool, started_ms: u64) -> Self {
        Self {
            model,
            provider,
            local,
            started_ms,
            first_token_ms: None,
            ended_ms: None,
            prompt_tokens: 0,
            tokens: 0,
            cost_usd: None,
            verdicts: Vec::new(),
            tokens_probability: None,
            outcome: StepOutcome::Running,
            why: None,
        }
    }
}

/// Natural logarithms of the probabilities of an answer's own tokens, summed up in numbers that do not depend on its
/// length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TokenFeatures {
    /// Tokens seen.
    pub tokens: u32,
    /// The least likely.
    pub min: f64,
    /// 5 % are less likely.
    pub p5: f64,
    /// 10 % are less likely.
    pub p10: f64,
    /// 25 % are less likely.
    pub p25: f64,
    /// The mean.
    pub mean: f64,
    /// Mean entropy in nats over the rivals reported, when there were any.
    pub entropy: Option<f64>,
}

/// How sure the answer is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Confidence {
    /// 0–1.
    pub value: f64,
    /// Does the number mean what it says: was it fitted to labelled answers of this model and question set?
    pub calibrated: bool,
    /// How it was made, for example `judge`.
    pub method: String,
    /// May it act?
    pub authority: Authority,
    /// Is the judge the model that answered?
    pub self_judged: bool,
}

/// How safe question and answer are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Safety {
    /// P(safe): the lowest of all verdicts; absent when nobody judged.
    pub probability: Option<f64>,
    /// The category that was most likely where it was lowest, unless that is `safe`.
    pub category: Option<String>,
    /// May it act?
    pub authority: Authority,
    /// What the checks inside this process found, by rule.
    pub found: Vec<String>,
    /// The rule an answer was refused by.
    pub refused_by: Option<String>,
}

/// What left the operator's machines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sent {
    /// To which provider.
    pub to: String,
    /// Bytes of text.
    pub bytes: u64,
}

/// Where an answer in the cache stood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CacheUse {
    /// Made anew.
    #[default]
    Miss,
    /// Taken from the cache.
    Hit,
}

/// The figures verdicts were compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Thresholds {
    /// P(safe) below this is unsafe.
    pub safety: f64,
    /// A confidence from this on is accepted.
    pub confidence: f64,
    /// A confidence below this is refused where no rung is left.
    pub critical: f64,
}

/// Why an answer came from where it came from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Trace {
    /// Names it; also in the header `x-goblin-trace-id`.
    pub trace_id: String,
    /// Milliseconds since 1970 at the question.
    pub created_at_ms: i64,
    /// The model asked for.
    pub model: String,
    /// How it was checked.
    pub verify: VerifyMode,
    /// What verdicts were compared with.
    pub thresholds: Thresholds,
    /// How the ladder was made.
    pub route: RouteRecord,
    /// Each model's attempt, in order.
    pub steps: Vec<Step>,
    /// What was asked about the question.
    pub prompt_verdicts: Vec<Verdict>,
    /// How sure the answer is; absent when nobody judged.
    pub confidence: Option<Confidence>,
    /// How safe it is; absent when nothing was checked.
    pub safety: Option<Safety>,
    /// What was not as configured, and what was done instead: sentences for people.
    pub notes: Vec<String>,
    /// What it cost in US dollars, its judges included; absent when a model without a price was asked.
    pub cost_usd: Option<f64>,
    /// What the most expensive model of the ladder would have cost; absent when one of them has no price.
    pub would_have_cost_usd: Option<f64>,
    /// Did anything leave the operator's machines?
    pub left_machine: bool,
    /// What left them.
    pub sent: Vec<Sent>,
    /// Was it taken from the cache?
    pub cache: CacheUse,
}

/// What would happen to a question, without anybody being asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DryRun {
    /// The model asked for.
    pub model: String,
    /// How the ladder was made.
    pub route: RouteRecord,
    /// Who would be asked first, `provider/model`; absent when nobody can answer.
    pub first: Option<String>,
    /// Would that stay on the operator's machines?
    pub local: Option<bool>,
    /// Could a later rung leave them?
    pub may_leave_machine: bool,
    /// What the first answer is expected to cost in US dollars; absent without a price.
    pub expected_cost_usd: Option<f64>,
    /// The most an answer may cost when it is escalated to the end of the ladder; absent without a price for each.
    pub most_cost_usd: Option<f64>,
    /// Predicted time to the first token, in milliseconds, when known.
    pub first_token_ms: Option<u64>,
    /// Why nobody can answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nobody: Option<String>,
}
