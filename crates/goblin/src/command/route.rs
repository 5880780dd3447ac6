//! `goblin route`: where a question would go.

use anyhow::Context;
use goblin_core::trace::{Considered, DryRun};
use serde_json::json;

use crate::client;
use crate::config::Config;
use crate::output::Output;

/// What is asked about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// The question.
    pub(crate) question: &'a str,
    /// The model asked for.
    pub(crate) model: &'a str,
    /// How soon the first token is wanted.
    pub(crate) latency: Option<&'a str>,
    /// Only models on the operator's machines.
    pub(crate) local_only: bool,
}

/// `goblin route`. `Ok(false)`: nobody would answer.
///
/// # Errors
///
/// When no goblin answers where it was looked for, or it refuses the question.
pub(crate) async fn run(
    config: &Config,
    url: Option<&str>,
    asked: Asked<'_>,
    as_json: bool,
    output: Output,
) -> anyhow::Result<bool> {
    let base = client::base(config, url);
    let mut body = json!({
        "model": asked.model,
        "messages": [{"role": "user", "content": asked.question}],
        "goblin": {"local_only": asked.local_only},
    });
    if let Some(target) = asked.latency {
        body["latency_target"] = target.into();
    }
    let answer = client::ask(&base, "api/route", &body).await.with_context(|| {
        format!("{base} did not say. Start a goblin with `goblin up`, or name another address with --url")
    })?;
    let told: DryRun =
        serde_json::from_value(answer).context("what answers there is no goblin of this version")?;
    if as_json {
        output.json(&told);
    } else {
        show(&told, output);
    }
    Ok(told.nobody.is_none())
}

fn show(told: &DryRun, output: Output) {
    let route = &told.route;
    if let Some(intent) = route.intent {
        let runner_up = route
            .runner_up
            .map_or_else(String::new, |other| format!(", else {}", other.as_str()));
        output.line(format_args!(
            "{} ({:.0} % sure{runner_up}){}",
            intent.as_str(),
            route.intent_confidence * 100.0,
            route
                .language
                .as_deref()
                .map_or_else(String::new, |l| format!(", in {l}")),
        ));
    }
    let role = route
        .role
        .as_deref()
        .map_or_else(String::new, |role| format!(" as {role}"));
    match &told.first {
        Some(first) => output.line(format_args!("goes to {first}{role}")),
        None => output.line(format_args!("goes to nobody{role}")),
    }
    output.line(match (told.local, told.may_leave_machine) {
        (Some(true), false) => "stays on your machines",
        (Some(true), true) => "begins on your machines; escalated, it may leave them",
        _ => "leaves your machines",
    });
    if let Some(why) = &told.nobody {
        output.line(why);
    }
    output.line("");
    let rows = route.candidates.iter().map(row);
    output.table(
        &["MODEL", "ROLE", "QUALITY", "COST", "FIRST WORD", ""],
        rows.collect(),
    );
    output.line(format_args!("\npolicy {}", route.policy));
}

fn row(considered: &Considered) -> Vec<String> {
    let place = considered.rung.map(|rung| format!("{}.", rung + 1));
    vec![
        considered.model.clone(),
        considered.role.clone().unwrap_or_default(),
        format!("{:.2}", considered.quality),
        match considered.cost_usd {
            Some(0.0) => "none".to_owned(),
            Some(cost) => format!("${cost:.4}"),
            None => "unknown".to_owned(),
        },
        considered
            .first_token_ms
            .map_or_else(String::new, |ms| format!("{}.{} s", ms / 1000, ms % 1000 / 100)),
        considered.passed_over.clone().or(place).unwrap_or_default(),
    ]
}
