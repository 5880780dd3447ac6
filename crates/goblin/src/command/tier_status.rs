//! `goblin models status`: what the models of a running tier are doing.

use std::path::Path;

use anyhow::Context;
use goblin_net::Url;
use serde::Deserialize;

use crate::command::tier_client::TierClient;
use crate::config::Config;
use crate::output::{Colour, Output, bytes, complain};

/// What is shown of `/v1/goblin/status`. A tier may say more, or not know something.
#[derive(Deserialize)]
struct TierStatus {
    #[serde(alias = "instances")]
    models: Vec<Row>,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Deserialize)]
#[serde(default)]
struct Row {
    provider: String,
    model: String,
    local: bool,
    state: String,
    running: u64,
    queued: u64,
    slots: Option<u64>,
    predicted_wait_ms: Option<f64>,
    predicted_first_token_ms: Option<f64>,
    decode_tokens_per_second: Option<f64>,
    prefill_tokens_per_second: Option<f64>,
    context_window: Option<u64>,
    memory_bytes: Option<u64>,
    roles: Vec<String>,
    keep_alive_seconds: Option<i64>,
}

impl Default for Row {
    fn default() -> Self {
        Self {
            provider: String::new(),
            model: String::new(),
            local: true,
            state: "unknown".to_owned(),
            running: 0,
            queued: 0,
            slots: None,
            predicted_wait_ms: None,
            predicted_first_token_ms: None,
            decode_tokens_per_second: None,
            prefill_tokens_per_second: None,
            context_window: None,
            memory_bytes: None,
            roles: Vec::new(),
            keep_alive_seconds: None,
        }
    }
}

/// Asks and prints.
///
/// # Errors
///
/// That nobody answers, that the key is refused, or that what answers is no model tier; each with what to do.
pub(crate) async fn run(
    config: &Config,
    url: Option<&Url>,
    key_file: Option<&Path>,
    as_json: bool,
    output: Output,
) -> anyhow::Result<bool> {
    let tier = TierClient::new(config, url, key_file)?;
    let whole = tier.status().await?;
    if as_json {
        output.json(&whole);
        return Ok(true);
    }
    let status: TierStatus = serde_json::from_value(whole).with_context(|| {
        format!(
            "what answers at {base} is no model tier of this version",
            base = tier.base
        )
    })?;
    for warning in &status.warnings {
        complain(format_args!("warning: {warning}"));
    }
    if status.models.is_empty() {
        output.line("The tier has no model.");
        return Ok(true);
    }
    output.table(
        &[
            "MODEL",
            "ROLE",
            "STATE",
            "STAYS",
            "RUNNING",
            "QUEUED",
            "MEMORY",
            "CONTEXT",
            "TOK/S",
            "PREFILL",
            "WAIT",
            "FIRST TOKEN",
            "",
        ],
        status
            .models
            .into_iter()
            .map(|model| row(model, output))
            .collect(),
    );
    Ok(true)
}

fn row(model: Row, output: Output) -> Vec<String> {
    let dash = || "-".to_owned();
    let rate = |n: Option<f64>| n.map_or_else(dash, |n| format!("{n:.1}"));
    let ms = |n: Option<f64>| n.map_or_else(dash, |n| format!("{n:.0} ms"));
    let running = model
        .slots
        .map_or_else(|| model.running.to_string(), |s| format!("{}/{s}", model.running));
    vec![
        format!("{}/{}", model.provider, model.model),
        if model.roles.is_empty() {
            dash()
        } else {
            model.roles.join(", ")
        },
        state(&model.state, output),
        model.keep_alive_seconds.map_or_else(dash, stays),
        running,
        model.queued.to_string(),
        model.memory_bytes.map_or_else(dash, bytes),
        model.context_window.map_or_else(dash, |n| n.to_string()),
        rate(model.decode_tokens_per_second),
        rate(model.prefill_tokens_per_second),
        ms(model.predicted_wait_ms),
        ms(model.predicted_first_token_ms),
        if model.local { "" } else { "leaves your machines" }.to_owned(),
    ]
}

/// A state's word, coloured for eyes.
fn state(word: &str, output: Output) -> String {
    let colour = match word {
        "loaded" => Colour::Green,
        "loading" => Colour::Yellow,
        "down" => Colour::Red,
        _ => return word.to_owned(),
    };
    output.coloured(word, colour)
}

/// How long a model stays in memory unused.
fn stays(seconds: i64) -> String {
    match seconds {
        ..0 => "always".to_owned(),
        0..120 => format!("{seconds} s"),
        _ => format!("{} min", seconds / 60),
    }
}
