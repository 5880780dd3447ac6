//! One list of checks behind `goblin doctor` and `/health/all`: what is looked at, what was found, what to do.

use serde::Serialize;
use utoipa::ToSchema;

use crate::provider::BoxFuture;
use crate::status::PartState;

/// The outcome of one check.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct CheckResult {
    /// What was looked at (`database`, `disk`, `port`, `engine` …).
    pub name: String,
    /// How it is.
    pub state: PartState,
    /// What was found, for operators: may name addresses and paths.
    pub found: String,
    /// Why, when something is wrong.
    pub cause: Option<String>,
    /// What to do, when something is wrong.
    pub fix: Option<String>,
    /// How long the check took, in milliseconds.
    pub latency_ms: u64,
}

/// Runs every check. A port: wiring fills it in, `server` and the command line call it.
pub type RunChecks = std::sync::Arc<dyn Fn() -> BoxFuture<Vec<CheckResult>> + Send + Sync>;
