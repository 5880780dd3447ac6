//! How the model tier is: every model of every provider, its queue, and how long a newcomer would wait.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::{Capability, ModelState};

/// Is a model of the tier ready?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InstanceState {
    /// In memory.
    Loaded,
    /// On its way into memory.
    Loading,
    /// Known, but not in memory (or its server does not say): the first answer may have to load it.
    Waiting,
    /// Its server does not answer.
    Down,
}

impl From<ModelState> for InstanceState {
    fn from(state: ModelState) -> Self {
        match state {
            ModelState::Loaded => Self::Loaded,
            ModelState::Loading => Self::Loading,
            ModelState::Available => Self::Waiting,
            ModelState::Down => Self::Down,
        }
    }
}

/// One model on one server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InstanceStatus {
    /// The provider.
    pub provider: String,
    /// The model, as its provider knows it.
    pub model: String,
    /// Readiness.
    pub state: InstanceState,
    /// Answers being made.
    pub running: u32,
    /// Requests waiting for a place.
    pub queued: u32,
    /// Answers it can make at once; absent when unknown (then nobody waits here, only at the server itself).
    pub slots: Option<u32>,
    /// How long a newcomer with a new key would wait for a place, in milliseconds.
    pub predicted_wait_ms: u64,
    /// From having a place to the first token of a prompt of the usual size, loading included, in milliseconds;
    /// absent until something was measured or reported.
    pub predicted_first_token_ms: Option<u64>,
    /// Measured tokens per second of one answer, when known.
    pub decode_tokens_per_second: Option<f64>,
    /// Measured prompt tokens per second, when known.
    pub prefill_tokens_per_second: Option<f64>,
    /// Tokens of prompt and answer together, when known.
    pub context_window: Option<u32>,
    /// What it can do now.
    pub capabilities: Vec<Capability>,
    /// Bytes it takes in memory now, when known.
    pub memory_bytes: Option<u64>,
    /// The content's digest, 64 hexadecimal digits, when known.
    #[serde(default)]
    pub digest: Option<String>,
    /// The roles of the roster it has.
    #[serde(default)]
    pub roles: Vec<String>,
    /// How long its roles let it stay in memory unused, in seconds; -1 is always. Absent where it has no role.
    #[serde(default)]
    pub keep_alive_seconds: Option<i64>,
}

/// The model tier.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TierStatus {
    /// Every model of every provider, in the order of the configuration.
    pub instances: Vec<InstanceStatus>,
    /// What is wrong or unwise, one sentence each. They name providers and models, never addresses.
    pub warnings: Vec<String>,
}
