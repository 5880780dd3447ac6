//! Runs read back, and what is made of them: a table for eyes, JSON, the page, and records.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use goblin_core::eval::page::page;
use goblin_core::eval::report::{Figures, Report, Reported};
use goblin_core::eval::run::{Run, read_run};
use goblin_core::judge::authority::Evaluation;
use goblin_store::judge_records::write_record;

use crate::output::Output;

/// The runs in a folder, by name.
///
/// # Errors
///
/// When there is none.
pub(super) fn runs_in(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let none = || {
        format!(
            "There are no runs in {}. Make one: goblin eval run --help",
            dir.display()
        )
    };
    let entries = fs::read_dir(dir).with_context(none)?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "jsonl"))
        .collect();
    files.sort();
    if files.is_empty() {
        bail!(none());
    }
    Ok(files)
}

/// Reads runs.
///
/// # Errors
///
/// The first file that is none, and why.
pub(super) fn read(files: &[PathBuf]) -> anyhow::Result<Vec<Run>> {
    let one = |path: &PathBuf| {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        read_run(&text).with_context(|| format!("{} is no run", path.display()))
    };
    files.iter().map(one).collect()
}

/// Has every case of every run an answer?
pub(super) fn is_whole(report: &Report) -> bool {
    report.runs.iter().all(|reported| match &reported.figures {
        Figures::Judge(judged) => judged.missing == 0,
        Figures::Router(routed) => routed.open.of + routed.held_out.of == reported.run.cases,
    })
}

/// Writes the report into `dir`, and the records. Returns what was written.
///
/// # Errors
///
/// When the disk refuses.
pub(super) fn write(report: &Report, dir: &Path, records: Option<&Path>) -> anyhow::Result<Vec<PathBuf>> {
    let files = [
        (dir.join("report.json"), report.to_json() + "\n"),
        (dir.join("report.html"), page(report)),
    ];
    let mut written = Vec::new();
    for (path, text) in files {
        fs::write(&path, text).with_context(|| path.display().to_string())?;
        written.push(path);
    }
    if let Some(folder) = records {
        for evaluation in largest(report) {
            written.push(write_record(folder, evaluation)?);
        }
    }
    Ok(written)
}

/// Of several records of one model, quantisation and questions, that with the most cases.
fn largest(report: &Report) -> impl Iterator<Item = &Evaluation> {
    let mut out: BTreeMap<_, &Evaluation> = BTreeMap::new();
    for found in report.evaluations() {
        let subject = (&found.model, &found.quantization, &found.question_set);
        if out.get(&subject).is_none_or(|known| known.items < found.items) {
            out.insert(subject, found);
        }
    }
    out.into_values()
}

/// Prints the report.
pub(super) fn show(report: &Report, as_json: bool, output: Output) {
    if as_json {
        output.line(report.to_json());
        return;
    }
    let judges: Vec<Vec<String>> = report.runs.iter().filter_map(judge_row).collect();
    if !judges.is_empty() {
        let headings = [
            "SET",
            "MODEL",
            "QUESTIONS",
            "CASES",
            "AUROC (95 %)",
            "ECE",
            "REFUSED OF GOOD",
            "ms",
            "AUTHORITY",
        ];
        output.table(&headings, judges);
    }
    for reported in &report.runs {
        let questions = reported
            .run
            .questions
            .as_deref()
            .map_or_else(String::new, |q| format!(" · {q}"));
        output.line(format_args!(
            "\n{} · {}{questions}",
            reported.run.set.as_str(),
            reported.run.subject
        ));
        for sentence in &reported.says {
            output.line(format_args!("  {sentence}"));
        }
    }
}

fn judge_row(reported: &Reported) -> Option<Vec<String>> {
    let Figures::Judge(judged) = &reported.figures else {
        return None;
    };
    let dash = || "-".to_owned();
    let interval = judged.auroc_interval;
    let area = |a: f64| format!("{a:.2} ({:.2}–{:.2})", interval.low, interval.high);
    let record = reported.record.as_ref();
    let authority = match record.and_then(|r| r.evaluation.as_ref()) {
        None => "no record",
        Some(_) if record.is_some_and(|r| r.gives_authority) => "yes",
        Some(_) => "no",
    };
    Some(vec![
        reported.run.set.as_str().to_owned(),
        reported.run.subject.clone(),
        reported.run.questions.clone().unwrap_or_else(dash),
        format!("{}/{}", judged.asked, reported.run.cases),
        judged.auroc.map_or_else(dash, area),
        judged.ece.map_or_else(dash, |e| format!("{e:.2}")),
        format!("{}/{}", judged.refused_good.count, judged.refused_good.of),
        judged.ms.map_or_else(dash, |ms| format!("{:.0}", ms.median)),
        authority.to_owned(),
    ])
}
