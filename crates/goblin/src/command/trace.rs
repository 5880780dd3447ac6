//! `goblin trace`: asks the goblin that runs why an answer came from where it came from.

pub(crate) mod bars;
mod picture;

use anyhow::{Context, bail};
use goblin_core::clock::Timestamp;
use goblin_core::id::is_id;
use goblin_core::trace::Trace;
use goblin_core::trace::summary::TraceSummary;
use serde::{Deserialize, Serialize};

use crate::cli::TraceCommand;
use crate::client;
use crate::config::Config;
use crate::output::Output;

/// A page as `/v1/traces` gives it.
#[derive(Debug, Deserialize, Serialize)]
struct Page {
    items: Vec<TraceSummary>,
    next_cursor: Option<String>,
}

/// `goblin trace …`.
///
/// # Errors
///
/// When no goblin answers where it was looked for, or it has no such trace.
pub(crate) async fn run(command: &TraceCommand, config: &Config, output: Output) -> anyhow::Result<bool> {
    match command {
        TraceCommand::Show { id, json, url } => {
            let trace = find(&client::base(config, url.as_deref()), id).await?;
            if *json {
                output.json(&trace);
            } else {
                for line in picture::of(&trace, output) {
                    output.line(line);
                }
            }
        }
        TraceCommand::List { limit, json, url } => {
            let base = client::base(config, url.as_deref());
            let page: Option<Page> = client::find(&base, &format!("v1/traces?limit={limit}"))
                .await
                .with_context(|| client::nobody(&base))?;
            let page = page.with_context(|| format!("what answers at {base} keeps no traces"))?;
            if *json {
                output.json(&page);
            } else if page.items.is_empty() {
                output.line("No answer has been traced yet.");
            } else {
                let headings = ["TRACE", "WHEN", "ANSWERED BY", "OUTCOME", "HOW SURE", "COST", ""];
                output.table(&headings, page.items.iter().map(row).collect());
            }
        }
    }
    Ok(true)
}

/// The trace of that id, or of the turn of that id.
async fn find(base: &str, id: &str) -> anyhow::Result<Trace> {
    if !is_id(id) {
        bail!("`{id}` is no id of a trace or a turn. `goblin trace list` shows the newest ones");
    }
    for path in [format!("v1/traces/{id}"), format!("api/turns/{id}/trace")] {
        let found = client::find(base, &path)
            .await
            .with_context(|| client::nobody(base))?;
        if let Some(trace) = found {
            return Ok(trace);
        }
    }
    bail!(
        "The goblin at {base} has no trace {id}. It may be older than traces are kept (`trace.keep_days`); \
         `goblin trace list` shows the newest ones"
    )
}

fn row(line: &TraceSummary) -> Vec<String> {
    let sure = line.confidence.as_ref().map_or_else(
        || "not judged".to_owned(),
        |c| {
            let mark = if c.calibrated { "" } else { ", not calibrated" };
            format!("{:.2}{mark}", c.value)
        },
    );
    let marks = [
        (line.left_machine, "left your machines"),
        (line.steps > 1, "several models"),
    ];
    let marks: Vec<&str> = marks
        .iter()
        .filter(|(is, _)| *is)
        .map(|(_, mark)| *mark)
        .collect();
    vec![
        line.trace_id.clone(),
        Timestamp(line.created_at_ms).to_rfc3339(),
        line.model.clone().unwrap_or_else(|| "nobody".to_owned()),
        line.refused_by.as_ref().map_or_else(
            || picture::outcome_words(line.outcome).to_owned(),
            |rule| format!("refused by {rule}"),
        ),
        sure,
        line.cost_usd.map_or_else(|| "unknown".to_owned(), bars::dollars),
        marks.join(", "),
    ]
}
