//! `goblin eval run | report`: how good judges and the router are, measured and told.

mod cases;
mod judges;
mod progress;
mod report;
mod router;

use std::path::{Path, PathBuf};

use anyhow::bail;
use goblin_core::eval::EvalSet;
use goblin_core::eval::report::Report;
use goblin_store::data_dir::DataPaths;

use crate::cli::{Eval, EvalReport, EvalRun};
use crate::config::Config;
use crate::output::Output;

/// Runs the command. `Ok(false)`: cases are left without an answer, which has been said.
///
/// # Errors
///
/// [`crate::command::Interrupted`]; else a sentence with what to do.
pub(crate) async fn run(command: &Eval, config: &Config, output: Output) -> anyhow::Result<bool> {
    match command {
        Eval::Run(wanted) => ask(wanted, config, output).await,
        Eval::Report(wanted) => tell(wanted, config, output),
    }
}

async fn ask(wanted: &EvalRun, config: &Config, output: Output) -> anyhow::Result<bool> {
    let judged: Vec<EvalSet> = wanted
        .sets
        .iter()
        .copied()
        .filter(|s| s.concern().is_some())
        .collect();
    if !judged.is_empty() && wanted.models.is_empty() {
        bail!("Which model is to judge? Name it with --model; `goblin models list` shows what is there.");
    }
    if wanted.cases.is_some() && wanted.sets.len() > 1 {
        bail!("--cases takes the place of one set's cases: name one set with it.");
    }
    let dir = folder(wanted.out.as_deref(), config);
    let mut files = Vec::new();
    if wanted.sets.contains(&EvalSet::Routing) {
        files.push(router::run(wanted, &dir).await?);
    }
    if !judged.is_empty() {
        files.extend(judges::run(wanted, &judged, &dir, config).await?);
    }
    let made = Report::of(report::read(&files)?);
    report::show(&made, wanted.json, output);
    if !wanted.json {
        output.line(format_args!(
            "\nKept in {}. Figures and plots: goblin eval report {}",
            dir.display(),
            dir.display()
        ));
    }
    Ok(report::is_whole(&made))
}

fn tell(wanted: &EvalReport, config: &Config, output: Output) -> anyhow::Result<bool> {
    let dir = folder(wanted.dir.as_deref(), config);
    let made = Report::of(report::read(&report::runs_in(&dir)?)?);
    let usual = || DataPaths::new(&config.data_dir).judge_records();
    let records = wanted.records.clone().map(|named| named.unwrap_or_else(usual));
    let written = report::write(&made, &dir, records.as_deref())?;
    report::show(&made, wanted.json, output);
    if !wanted.json {
        output.line("");
        for path in written {
            output.line(format_args!("Written: {}", path.display()));
        }
    }
    Ok(true)
}

/// Where answers are kept unless told otherwise.
fn folder(named: Option<&Path>, config: &Config) -> PathBuf {
    named.map_or_else(
        || DataPaths::new(&config.data_dir).root().join("evals"),
        Path::to_owned,
    )
}

/// A file's name for a run: the same for the same run, so that it goes on.
fn file_name(set: EvalSet, wanted: &EvalRun, questions: Option<&str>, subject: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '.' {
            c
        } else {
            '-'
        }
    };
    let mut name = format!(
        "{}-{}",
        set.as_str(),
        subject.chars().map(plain).collect::<String>()
    );
    if let Some(questions) = questions {
        name += &format!("-{questions}");
    }
    if wanted.cases.is_some() {
        name += "-own";
    }
    if let Some(limit) = wanted.limit {
        name += &format!("-{limit}-seed-{}", wanted.seed);
    }
    name + ".jsonl"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_after_its_run_and_is_one_name() {
        let wanted = EvalRun {
            sets: vec![EvalSet::Xstest],
            models: vec!["m".to_owned()],
            cases: None,
            limit: Some(5),
            seed: 3,
            out: None,
            json: false,
        };
        let name = file_name(EvalSet::Xstest, &wanted, Some("prompt"), "engine/../a b:1");
        assert_eq!(name, "xstest-engine-..-a-b-1-prompt-5-seed-3.jsonl");
        assert!(!name.contains('/'));
    }
}
