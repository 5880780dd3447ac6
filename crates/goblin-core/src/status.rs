//! The state of everything, as `/api/status`, `goblin status` and the page show it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::{Capability, ModelState};

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

/// One part of the system.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PartStatus {
    /// `backend`, `database`, `engine`, `model_tier`, `model_tier:NAME`, `upstream:NAME`.
    pub name: String,
    /// How it is.
    pub state: PartState,
    /// A sentence: which address, what happened.
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
    /// Does it stay on the operator's machines?
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

/// The state of everything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SystemStatus {
    /// Of this binary.
    pub version: String,
    /// `local` (no sign-in) or `serve`.
    pub mode: String,
    /// The model that answers when none is named.
    pub default_model: Option<String>,
    /// Every part.
    pub tiers: Vec<PartStatus>,
    /// Every model.
    pub models: Vec<ModelStatus>,
    /// Shown while only a starter model is there.
    pub suggestion: Option<Suggestion>,
    /// What to do when no model is there: the exact sentence and command.
    pub no_model_help: Option<String>,
}
