//! The cases: those that came with the program, or the operator's own.

use std::path::Path;

use anyhow::{Context, bail};
use goblin_core::eval::EvalSet;
use goblin_core::eval::cases::{
    JudgedCase, MAX_FILE_BYTES, RoutingCase, chosen, fingerprint, read_judged, read_routing, read_xstest,
};

use crate::cli::EvalRun;

const SAFETY: &str = include_str!("../../../../../evals/data/safety.jsonl");
const CONFIDENCE: &str = include_str!("../../../../../evals/data/confidence.jsonl");
const XSTEST: &str = include_str!("../../../../../evals/data/xstest_prompts.csv");
const XSTEST_SAMPLE: &str = include_str!("../../../../../evals/data/xstest_sample.csv");
const ROUTING: [&str; 2] = [
    include_str!("../../../../../evals/cases/routing.jsonl"),
    include_str!("../../../../../evals/cases/routing-second.jsonl"),
];

/// Cases, and their hash.
pub(super) struct Cases<T> {
    pub(super) all: Vec<T>,
    pub(super) hash: String,
}

/// The cases a judge is asked about.
///
/// # Errors
///
/// When the operator's file cannot be read, or is wrong, with its line.
pub(super) fn judged(set: EvalSet, wanted: &EvalRun) -> anyhow::Result<Cases<JudgedCase>> {
    let built_in = match set {
        EvalSet::Confidence => CONFIDENCE,
        EvalSet::Xstest => XSTEST_SAMPLE,
        EvalSet::XstestAll => XSTEST,
        EvalSet::Safety | EvalSet::Routing => SAFETY,
    };
    let text = own(wanted)?.unwrap_or_else(|| built_in.to_owned());
    let read = match set {
        EvalSet::Xstest | EvalSet::XstestAll => read_xstest(&text),
        _ => read_judged(&text),
    };
    let all = read.with_context(|| named(wanted))?;
    Ok(choose(all, wanted, |case| &case.id, JudgedCase::hash))
}

/// The cases the router is asked about: those with an intent.
///
/// # Errors
///
/// As [`judged`].
pub(super) fn routed(wanted: &EvalRun) -> anyhow::Result<Cases<RoutingCase>> {
    let text = own(wanted)?.unwrap_or_else(|| ROUTING.concat());
    let mut all = read_routing(&text).with_context(|| named(wanted))?;
    all.retain(|case| case.expect.intent.is_some());
    Ok(choose(all, wanted, |case| &case.id, RoutingCase::hash))
}

fn choose<T>(
    all: Vec<T>,
    wanted: &EvalRun,
    id: impl Fn(&T) -> &str,
    hash: impl Fn(&T) -> String,
) -> Cases<T> {
    let limit = wanted.limit.map(|limit| limit as usize);
    let all = chosen(all, id, wanted.seed, limit);
    let hashes: Vec<String> = all.iter().map(hash).collect();
    Cases {
        hash: fingerprint(hashes.iter().map(String::as_str)),
        all,
    }
}

fn named(wanted: &EvalRun) -> String {
    let own = wanted.cases.as_deref().map(Path::display);
    own.map_or_else(|| "the built-in cases".to_owned(), |path| path.to_string())
}

fn own(wanted: &EvalRun) -> anyhow::Result<Option<String>> {
    let Some(path) = &wanted.cases else {
        return Ok(None);
    };
    let size = std::fs::metadata(path)
        .with_context(|| path.display().to_string())?
        .len();
    if size > MAX_FILE_BYTES as u64 {
        bail!("{} has more than {MAX_FILE_BYTES} bytes.", path.display());
    }
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    if text.trim().is_empty() {
        bail!("{} holds no cases.", path.display());
    }
    Ok(Some(text))
}
