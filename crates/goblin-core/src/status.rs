//! The state of everything, as `/api/status`, `goblin status` and the page show it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::{Capability, ModelState};
use crate::upstream_status::UpstreamStatus;

/// How a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PartState {
    /// Works.
    Ok,
    /// Not yet.
    Starting,
    /// Works with something missing.
    Degraded,
    /// Does not work.
    Down,
}

/// One part of this process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PartStatus {
    /// `backend`, `database`.
    pub name: String,
    /// How it is.
    pub state: PartState,
    /// A sentence: what happened. Never an address.
    pub detail: String,
    /// What to do, when something is to be done.
    pub fix: Option<String>,
}

/// A model as the picker shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelStatus {
    /// `provider/model`.
    pub id: String,
    /// The provider.
    pub provider: String,
    /// Does what it is asked stay on the operator's machines? A model in Ollama's cloud is not local, though its Ollama
    /// may be.
    pub local: bool,
    /// Tokens of prompt and answer together.
    pub context_window: Option<u32>,
    /// Readiness.
    pub state: ModelState,
    /// What it can do now.
    pub capabilities: Vec<Capability>,
    /// A small model that only shows that everything works.
    pub starter: bool,
    /// Bytes of the weights.
    pub size_bytes: Option<u64>,
    /// For example `135M`.
    pub parameters: Option<String>,
    /// Bytes it takes in memory now, when it is loaded and known.
    pub memory_bytes: Option<u64>,
    /// Its server says that it is not in memory: the next question loads it first.
    pub must_load: bool,
    /// Requests waiting for a place at it.
    pub queued: u32,
    /// How long a newcomer would wait for a place, in milliseconds.
    pub predicted_wait_ms: Option<u64>,
    /// From having a place to the first token of a prompt of the usual size, loading included, in milliseconds;
    /// `null` until something was measured or reported.
    pub predicted_first_token_ms: Option<u64>,
    /// Measured tokens per second of one answer, when known.
    pub decode_tokens_per_second: Option<f64>,
    /// What it costs; `null`: nothing on the operator's machines, else unknown.
    pub price: Option<ModelPrice>,
}

/// What a model costs, in US dollars per million tokens, for prompts of the usual length.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelPrice {
    /// Of the prompt.
    pub input_usd: f64,
    /// Of the answer.
    pub output_usd: f64,
}

/// A better model for this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Suggestion {
    /// Its name.
    pub model: String,
    /// Why it is suggested.
    pub reason: String,
    /// What to run.
    pub command: String,
}

/// What came of requests since this process began. Each number only grows: whoever looks twice has the rate between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Outcomes {
    /// Requests, but for those about health.
    pub requests: u64,
    /// Of these: refused for what the caller sent, or may not do (status 400 to 499).
    pub refused: u64,
    /// Of these: failed for what was wrong here or behind (status 500 and above, before the first byte).
    pub failed: u64,
    /// Answers of models.
    pub answers: u64,
    /// Of these: failed, also after they had begun, and also where the model server refused the question.
    pub answers_failed: u64,
    /// Times a model server failed or refused, whether another one answered in its place or not.
    pub attempts_failed: u64,
}

/// The state of everything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SystemStatus {
    /// Of this binary.
    pub version: String,
    /// `local` (no sign-in) or `accounts`.
    pub mode: String,
    /// The model that answers when none is named.
    pub default_model: Option<String>,
    /// The parts of this process.
    pub tiers: Vec<PartStatus>,
    /// Every server that answers questions, in the order they are preferred.
    pub upstreams: Vec<UpstreamStatus>,
    /// Every model, also those of servers that are away, as far as they were ever heard of.
    pub models: Vec<ModelStatus>,
    /// Shown while only a starter model is there.
    pub suggestion: Option<Suggestion>,
    /// What to do when no model is there: the exact sentence and command.
    pub no_model_help: Option<String>,
    /// What came of requests; only admins are told.
    #[serde(default)]
    pub outcomes: Option<Outcomes>,
}

impl SystemStatus {
    /// What somebody who does not run this server may see: no address, no upstream's words, no path.
    #[must_use]
    pub fn for_everybody(mut self) -> Self {
        for upstream in &mut self.upstreams {
            upstream.admin_detail = None;
        }
        self.outcomes = None;
        // It names a folder of this machine, and only who runs it can add a model.
        self.suggestion = None;
        self
    }
}
