//! Logs, metrics and what others are told: set up once, secrets masked before anything is written.

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use anyhow::Context;
use goblin_core::clock::Clock;
use goblin_core::id::Ids;
use goblin_core::telemetry::scrub::mask;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::config::{Config, Environment, LogFormat};
use crate::up::Mode;

pub(crate) mod exports;
mod layer;
mod log_sink;
mod queue;

use exports::Exports;
use layer::{Troubles, is_trouble, tell_panics};
use log_sink::LogSink;

/// Upper bounds of every `…_seconds` histogram: from a cached answer to a long generation.
const SECONDS: &[f64] = &[
    0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0,
];

/// Upper bounds of every `…_ratio` histogram: tenths, so that what lies around a threshold can be seen.
const RATIOS: &[f64] = &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

/// Upper bounds of every `…_tokens` histogram.
const TOKENS: &[f64] = &[
    1.0, 4.0, 16.0, 64.0, 256.0, 1_024.0, 4_096.0, 16_384.0, 65_536.0, 262_144.0,
];

/// Begins to log to standard error, and to listen for what others are told. Other crates' lines appear from `warn` on, so that `debug` stays readable.
///
/// # Errors
///
/// When something else in this process logs already.
pub(crate) fn start_logging(
    config: &Config,
    environment: &Environment,
    mode: Mode,
) -> anyhow::Result<Exports> {
    let level = &config.log.level;
    let filter = match level.as_str() {
        "off" | "error" => level.clone(),
        "trace" => "debug,goblin=trace".to_owned(),
        // llama.cpp warns of what the engine does on purpose, such as one context for many sequences.
        level => format!("warn,llama-cpp-2=error,goblin={level}"),
    };
    let terminal = std::io::stderr().is_terminal();
    let human = match config.log.format {
        LogFormat::Human => true,
        LogFormat::Json => false,
        LogFormat::Auto => terminal,
    };
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(Masked(LogSink::new(!human, &std::io::stderr())))
        .with_ansi(human && terminal && !environment.no_color());
    let lines = if human {
        lines.with_target(false).boxed()
    } else {
        lines
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .boxed()
    };
    let exports = Exports::new(&config.telemetry, mode);
    let troubles = exports.errors().map(|queue| {
        tell_panics(queue.clone(), Clock::System, Ids::Random);
        let (clock, ids) = (Clock::System, Ids::Random);
        Troubles { queue, clock, ids }.with_filter(filter_fn(is_trouble))
    });
    tracing_subscriber::registry()
        .with(lines.with_filter(EnvFilter::try_new(&filter).context("the log level")?))
        .with(troubles)
        .try_init()
        .map_err(|e| anyhow::anyhow!("logging cannot start: {e}"))?;
    Ok(exports)
}

/// What was counted.
pub(crate) struct Metrics {
    /// Writes every metric in the Prometheus text format.
    pub(crate) render: Arc<dyn Fn() -> String + Send + Sync>,
    /// Takes the samples in. Histograms keep every sample until then: to be called every few seconds.
    pub(crate) upkeep: Arc<dyn Fn() + Send + Sync>,
}

/// Begins to count.
///
/// # Errors
///
/// When something else in this process counts already.
pub(crate) fn start_metrics() -> anyhow::Result<Metrics> {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)
        .context("the metrics' buckets")?
        .set_buckets_for_metric(Matcher::Suffix("_ratio".to_owned()), RATIOS)
        .context("the metrics' buckets")?
        .set_buckets_for_metric(Matcher::Suffix("_tokens".to_owned()), TOKENS)
        .context("the metrics' buckets")?
        .build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).context("metrics cannot start")?;
    let kept = handle.clone();
    Ok(Metrics {
        render: Arc::new(move || handle.render()),
        upkeep: Arc::new(move || kept.run_upkeep()),
    })
}

/// Standard error with secrets masked. The formatter writes each event in one piece.
struct Masked(LogSink);

struct MaskedWriter<'a>(&'a LogSink);

impl<'a> MakeWriter<'a> for Masked {
    type Writer = MaskedWriter<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        MaskedWriter(&self.0)
    }
}

impl Write for MaskedWriter<'_> {
    fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(piece);
        self.0
            .line(&mut std::io::stderr().lock(), mask(&text).as_bytes())?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        // Standard error keeps nothing back.
        Ok(())
    }
}
