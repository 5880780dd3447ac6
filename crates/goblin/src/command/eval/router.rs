//! The router: what does it say a question is about?

use std::path::{Path, PathBuf};

use goblin_core::clock::Clock;
use goblin_core::eval::EvalSet;
use goblin_core::eval::run::{FORM, RunHeader};
use goblin_core::intent;
use goblin_dispatch::evaluate::{Evaluating, RouterSays};

use super::cases;
use crate::cli::EvalRun;

/// The router's name in runs.
const ROUTER: &str = "router";

/// Asks the router about every case anew: it takes no time, and what changed since the last run is its own code, which
/// no hash tells. Returns the run's file.
///
/// # Errors
///
/// When the cases cannot be read, or the run not be kept.
pub(super) async fn run(wanted: &EvalRun, dir: &Path) -> anyhow::Result<PathBuf> {
    let cases = cases::routed(wanted)?;
    let header = RunHeader {
        form: FORM,
        set: EvalSet::Routing,
        cases_hash: cases.hash,
        cases: cases.all.len(),
        seed: wanted.seed,
        limit: wanted.limit.map(|limit| limit as usize),
        subject: ROUTER.to_owned(),
        digest: None,
        quantisation: None,
        parameters: None,
        questions: None,
        question_set_hash: None,
        questions_hash: env!("CARGO_PKG_VERSION").to_owned(),
        threshold: None,
        goblin: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: Clock::System.now(),
    };
    let path = dir.join(super::file_name(EvalSet::Routing, wanted, None, ROUTER));
    let mut run = Evaluating::begin(&path, header).await?;
    run.route(&cases.all, |case| {
        let reading = intent::read(&case.conversation(), case.whole_context().is_some());
        RouterSays {
            intent: reading.intent,
            confidence: reading.confidence,
            runner_up: reading.runner_up,
        }
    })
    .await?;
    Ok(path)
}
