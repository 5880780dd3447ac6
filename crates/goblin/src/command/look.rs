//! `goblin status`, `goblin healthcheck`, `goblin doctor` and `goblin version`: looking, changing nothing.

use std::io::IsTerminal;
use std::time::Duration;

use goblin_core::model::ModelState;
use goblin_core::status::{ModelStatus, Outcomes, PartState, SystemStatus};
use goblin_core::upstream_status::{UpstreamState, UpstreamStatus};
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior};

use crate::config::Config;
use crate::output::{Output, bytes, complain};
use crate::{checks, client, wiring};

/// `goblin status`. `Ok(false)`: something is down.
///
/// # Errors
///
/// When no goblin answers where it was looked for.
pub(crate) async fn status(
    config: &Config,
    url: Option<&str>,
    as_json: bool,
    output: Output,
) -> anyhow::Result<bool> {
    let base = client::base(config, url);
    let status = ask(&base).await?;
    if as_json {
        output.json(&status);
    } else {
        show(&status, &base, None, output);
    }
    let whole = status.tiers.iter().all(|t| t.state != PartState::Down);
    let lost = |u: &UpstreamStatus| !u.state.answers() && u.state != UpstreamState::Loading;
    Ok(whole && !status.upstreams.iter().any(lost))
}

/// `goblin status --watch`, until Ctrl-C. A goblin that does not answer may come back, so that is said and looked past; on
/// a terminal each look takes the place of the one before.
///
/// # Errors
///
/// When a sign-in is needed, which does not pass by itself.
pub(crate) async fn watch(
    config: &Config,
    url: Option<&str>,
    every: Duration,
    as_json: bool,
    output: Output,
) -> anyhow::Result<bool> {
    let base = client::base(config, url);
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before: Option<(Outcomes, Instant)> = None;
    let stopped = tokio::signal::ctrl_c();
    let mut stopped = std::pin::pin!(stopped);
    loop {
        tokio::select! {
            _ = &mut stopped => return Ok(true),
            _ = ticks.tick() => {}
        }
        let seen = tokio::select! {
            _ = &mut stopped => return Ok(true),
            seen = ask(&base) => seen,
        };
        if !as_json && std::io::stdout().is_terminal() {
            let _ = console::Term::stdout().clear_screen();
        }
        match seen {
            Ok(status) if as_json => output.line(serde_json::to_string(&status)?),
            Ok(status) => {
                let last = before.take().map(|(outcomes, at)| (outcomes, at.elapsed()));
                show(&status, &base, last, output);
                before = status.outcomes.map(|outcomes| (outcomes, Instant::now()));
            }
            Err(error) if error.is::<client::SignInNeeded>() => return Err(error),
            Err(error) => complain(format_args!("{error:#}")),
        }
    }
}

async fn ask(base: &str) -> anyhow::Result<SystemStatus> {
    client::system_status(base).await.map_err(|error| {
        if error.is::<client::SignInNeeded>() {
            error
        } else {
            error.context(client::nobody(base))
        }
    })
}

/// `goblin healthcheck`. Silent when all is well.
///
/// # Errors
///
/// When no goblin answers, or it cannot take requests: with its own sentence.
pub(crate) async fn healthcheck(config: &Config, tier: bool, url: Option<&str>) -> anyhow::Result<bool> {
    let base = match url {
        None if tier => client::base_url(config.tier.address),
        url => client::base(config, url),
    };
    client::health(&base).await.map(|()| true)
}

/// `before`: what was so at the last look, and how long ago that was.
fn show(status: &SystemStatus, base: &str, before: Option<(Outcomes, Duration)>, output: Output) {
    output.line(format_args!(
        "goblin {} at {base}, {} mode\n",
        status.version, status.mode
    ));
    let parts = status
        .tiers
        .iter()
        .map(|t| vec![t.name.clone(), output.state(t.state), t.detail.clone()]);
    let upstreams = status
        .upstreams
        .iter()
        .map(|u| vec![u.id.clone(), output.upstream(u.state), u.detail.clone()]);
    output.table(&["PART", "STATE", "DETAIL"], parts.chain(upstreams).collect());
    for part in &status.tiers {
        if let Some(fix) = &part.fix {
            output.line(format_args!("  {}: {fix}", part.name));
        }
    }
    for upstream in &status.upstreams {
        for told in upstream.fix.iter().chain(&upstream.admin_detail) {
            output.line(format_args!("  {}: {told}", upstream.id));
        }
    }
    if !status.models.is_empty() {
        output.line("");
        let models = status
            .models
            .iter()
            .map(|m| row(m, status.default_model.as_deref()));
        let headings = ["MODEL", "STATE", "CONTEXT", "SIZE", "FIRST WORD", "TOK/S", ""];
        output.table(&headings, models.collect());
    }
    if let Some(outcomes) = &status.outcomes {
        output.line(format_args!("\n{}", so_far(outcomes)));
        if let Some((before, since)) = before {
            output.line(lately(outcomes, &before, since));
        }
    }
    if let Some(help) = &status.no_model_help {
        output.line(format_args!("\n{help}"));
    }
    if let Some(better) = &status.suggestion {
        output.line(format_args!(
            "\nA better model, {}, {}:\n  {}",
            better.model, better.reason, better.command
        ));
    }
}

/// What came of requests since the process began.
fn so_far(all: &Outcomes) -> String {
    format!(
        "{} requests ({} refused, {} failed), {} answers ({} failed); a model server failed {} times",
        all.requests, all.refused, all.failed, all.answers, all.answers_failed, all.attempts_failed
    )
}

/// How fast that went since the look before. A process that began anew in between has counted less than before, and is
/// taken from its beginning.
fn lately(now: &Outcomes, before: &Outcomes, since: Duration) -> String {
    let before = if now.requests < before.requests {
        &Outcomes::default()
    } else {
        before
    };
    #[allow(clippy::cast_precision_loss, reason = "a rate with one decimal")]
    let rate = |now: u64, before: u64| {
        let more = now.saturating_sub(before) as f64;
        format!("{:.1}", more * 60.0 / since.as_secs_f64().max(0.001))
    };
    format!(
        "a minute: {} requests ({} refused, {} failed), {} answers ({} failed), {} failures of model servers",
        rate(now.requests, before.requests),
        rate(now.refused, before.refused),
        rate(now.failed, before.failed),
        rate(now.answers, before.answers),
        rate(now.answers_failed, before.answers_failed),
        rate(now.attempts_failed, before.attempts_failed),
    )
}

/// A model as the table shows it.
fn row(model: &ModelStatus, default: Option<&str>) -> Vec<String> {
    let state = match model.state {
        ModelState::Loaded => "in memory",
        ModelState::Loading => "loading",
        ModelState::Available if model.must_load => "not in memory",
        ModelState::Available => "available",
        ModelState::Down => "down",
    };
    let first = model
        .predicted_first_token_ms
        .map(|ms| ms + model.predicted_wait_ms.unwrap_or(0));
    let marks = [
        (default == Some(&model.id), "default"),
        (!model.local, "leaves your machines"),
    ];
    let marks: Vec<&str> = marks
        .iter()
        .filter(|(is, _)| *is)
        .map(|(_, mark)| *mark)
        .collect();
    vec![
        model.id.clone(),
        state.to_owned(),
        model.context_window.map_or_else(String::new, |n| n.to_string()),
        model.size_bytes.map_or_else(String::new, bytes),
        first.map_or_else(String::new, |ms| format!("{}.{} s", ms / 1000, ms % 1000 / 100)),
        model
            .decode_tokens_per_second
            .map_or_else(String::new, |rate| format!("{rate:.0}")),
        marks.join(", "),
    ]
}

/// `goblin doctor`. `Ok(false)`: something is down.
///
/// # Errors
///
/// When the configured upstreams cannot even be described.
pub(crate) async fn doctor(config: &Config, as_json: bool, output: Output) -> anyhow::Result<bool> {
    let mut upstreams = wiring::upstreams(config, false)?;
    upstreams.extend(wiring::discover(config).await?);
    let results = checks::look_around(config, &upstreams).await;
    let well = results.iter().all(|r| r.state != PartState::Down);
    if as_json {
        output.json(&results);
        return Ok(well);
    }
    for result in &results {
        output.line(format_args!(
            "{:<16} {}  {}",
            result.name,
            output.state(result.state),
            result.found
        ));
        if let Some(cause) = &result.cause {
            output.line(format_args!("{:17}cause: {cause}", ""));
        }
        if let Some(fix) = &result.fix {
            output.line(format_args!("{:17}fix:   {fix}", ""));
        }
    }
    Ok(well)
}

/// `goblin version`.
pub(crate) fn version(as_json: bool, output: Output) {
    let engine = cfg!(feature = "engine");
    let card = [
        ("cuda", cfg!(feature = "cuda")),
        ("vulkan", cfg!(feature = "vulkan")),
        ("metal", cfg!(feature = "metal")),
    ];
    let cards: Vec<&str> = card.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect();
    let version = env!("CARGO_PKG_VERSION");
    if as_json {
        output.json(&json!({"version": version, "engine": engine, "graphics": cards}));
        return;
    }
    output.line(format_args!("goblin {version}"));
    output.line(if engine {
        "with the embedded engine"
    } else {
        "without the embedded engine"
    });
    if !cards.is_empty() {
        output.line(format_args!("graphics cards: {}", cards.join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_what_came_between_two_looks_also_over_a_new_beginning() {
        let before = Outcomes {
            requests: 100,
            refused: 10,
            attempts_failed: 4,
            ..Outcomes::default()
        };
        let now = Outcomes {
            requests: 130,
            refused: 11,
            attempts_failed: 4,
            ..before
        };
        let told = lately(&now, &before, Duration::from_secs(20));
        assert!(told.contains("90.0 requests (3.0 refused, 0.0 failed)"), "{told}");
        assert!(told.contains("0.0 failures of model servers"), "{told}");
        let anew = Outcomes {
            requests: 2,
            failed: 1,
            ..Outcomes::default()
        };
        let told = lately(&anew, &now, Duration::from_secs(60));
        assert!(told.contains("2.0 requests (0.0 refused, 1.0 failed)"), "{told}");
    }
}
