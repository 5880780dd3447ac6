//! `goblin models bench`: how fast the models are, measured through a running tier, else on this machine directly, and
//! kept where forecasts begin.
//!
//! Each round asks twice: a short prompt with a long answer, and a long prompt with a short answer. The difference of
//! the two first tokens is the prompt's; what is left of the short one is the same for every prompt. Every prompt
//! begins with something new, so that no cache answers.

mod sample;
mod subject;

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use anyhow::Context;
use goblin_core::admission::estimate::Estimate;
use goblin_core::clock::Clock;
use goblin_dispatch::measured::Measured;
use goblin_store::data_dir::DataPaths;
use goblin_store::rates_file::{MeasuredBy, RatesFile};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::cli::Bench;
use crate::command::bench::sample::{Sample, sample};
use crate::command::bench::subject::{Subject, Subjects};
use crate::config::Config;
use crate::output::{Output, complain};
use crate::{machine, rates};

/// Tokens of a short prompt.
const SHORT_PROMPT: u32 = 16;
/// Tokens of a short answer.
const SHORT_ANSWER: u32 = 2;
/// No further round is begun for a model that has taken so long: a slow one is known well enough by fewer.
const ENOUGH: Duration = Duration::from_secs(300);
/// Longest wait for a model to be loaded.
const LOADING: Duration = Duration::from_secs(600);

/// Runs the command. `Ok(false)`: a model could not be measured, or what was measured not be kept.
///
/// # Errors
///
/// A sentence with what to do, when there is nothing to measure.
pub(crate) async fn run(bench: &Bench, config: &Config, output: Output) -> anyhow::Result<bool> {
    let Subjects { all, embedded } = Subjects::find(bench, config).await?;
    let bar = progress(all.len(), bench);
    let (mut results, mut well) = (Vec::new(), true);
    for subject in &all {
        bar.set_message(subject.id.clone());
        match measure(subject, bench, &bar).await {
            Ok(result) => results.push(result),
            Err(error) => {
                well = false;
                bar.suspend(|| complain(format_args!("error: {}: {error:#}", subject.id)));
            }
        }
    }
    bar.finish_and_clear();
    embedded.stop().await;
    show(&results, bench, output);
    if results.is_empty() {
        return Ok(false);
    }
    match keep(&results, config) {
        Ok(file) if !bench.json => output.line(format_args!("\nKept in {file} for the forecasts.")),
        Ok(_) => {}
        Err(error) => {
            complain(format_args!("error: {error:#}"));
            well = false;
        }
    }
    Ok(well)
}

fn progress(subjects: usize, bench: &Bench) -> ProgressBar {
    if bench.json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    // Loading, one round to warm up, and the rounds that count.
    let steps = subjects as u64 * (2 + u64::from(bench.repeat));
    let bar = ProgressBar::new(steps);
    if let Ok(style) = ProgressStyle::with_template("[{bar:30}] {pos}/{len} {elapsed} {msg}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

/// What was measured of one model.
struct Measurement<'a> {
    subject: &'a Subject,
    load: Option<f64>,
    first: Spread,
    prefill: Spread,
    decode: Spread,
    base: Spread,
    /// Tokens of the long prompts.
    prompt_tokens: u32,
    bytes_per_token: f64,
}

/// The middle of several measurements, and their ends.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    /// `None` of nothing.
    fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().filter(|v| v.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let half = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[half]
        } else {
            f64::midpoint(values[half - 1], values[half])
        };
        Some(Self { median, least, most })
    }

    fn json(self) -> Value {
        json!({"median": self.median, "min": self.least, "max": self.most})
    }

    fn words(self, digits: usize) -> String {
        let Self { median, least, most } = self;
        format!("{median:.digits$} ({least:.digits$}–{most:.digits$})")
    }
}

async fn measure<'a>(
    subject: &'a Subject,
    bench: &Bench,
    bar: &ProgressBar,
) -> anyhow::Result<Measurement<'a>> {
    let load = match subject.load(LOADING).await {
        Ok(load) => load,
        Err(error) => {
            bar.suspend(|| {
                complain(format_args!(
                    "note: {}: loading was not timed: {error:#}",
                    subject.id
                ))
            });
            None
        }
    };
    bar.inc(1);
    let long = subject.longest_prompt(bench.prompt_tokens, bench.tokens);
    if long < bench.prompt_tokens {
        let why = format!(
            "its context holds a prompt of {long} tokens, not of {}",
            bench.prompt_tokens
        );
        bar.suspend(|| complain(format_args!("note: {}: {why}", subject.id)));
    }
    // Not counted: whatever a first answer does that later ones do not.
    sample(subject, SHORT_PROMPT, SHORT_ANSWER).await?;
    bar.inc(1);
    let (mut rounds, began) = (Vec::new(), Instant::now());
    for n in 0..bench.repeat {
        if n > 0 && began.elapsed() > ENOUGH {
            let why = format!("it is slow; {n} rounds were measured, not {}", bench.repeat);
            bar.suspend(|| complain(format_args!("note: {}: {why}", subject.id)));
            break;
        }
        let short = sample(subject, SHORT_PROMPT, bench.tokens).await?;
        let long = sample(subject, long, SHORT_ANSWER).await?;
        rounds.push((short, long));
        bar.inc(1);
    }
    let too_little = || "its answers were too short to be timed".to_owned();
    let prompt = |(short, long): &(Sample, Sample)| prefill(short, long);
    let prefill = Spread::of(rounds.iter().map(prompt)).with_context(too_little)?;
    let base = |(short, _): &(Sample, Sample)| {
        (short.first - f64::from(short.prompt_tokens) / prefill.median).max(0.0)
    };
    let last = rounds.last().map(|(_, long)| *long).unwrap_or_default();
    Ok(Measurement {
        subject,
        load,
        first: Spread::of(rounds.iter().map(|(_, long)| long.first)).with_context(too_little)?,
        decode: Spread::of(rounds.iter().filter_map(|(short, _)| short.decode())).with_context(too_little)?,
        base: Spread::of(rounds.iter().map(base)).with_context(too_little)?,
        prefill,
        prompt_tokens: last.prompt_tokens,
        bytes_per_token: last.prompt_bytes as f64 / f64::from(last.prompt_tokens.max(1)),
    })
}

/// Prompt tokens per second: from what the long prompt took more, or, where that is lost in noise, from all it took.
fn prefill(short: &Sample, long: &Sample) -> f64 {
    let tokens = f64::from(long.prompt_tokens.saturating_sub(short.prompt_tokens));
    let seconds = long.first - short.first;
    if tokens > 0.0 && seconds > 0.1 * long.first {
        tokens / seconds
    } else {
        f64::from(long.prompt_tokens.max(1)) / long.first.max(1e-6)
    }
}

fn show(results: &[Measurement<'_>], bench: &Bench, output: Output) {
    if bench.json {
        let row = |m: &Measurement<'_>| {
            json!({
                "provider": &*m.subject.provider, "model": &*m.subject.model, "digest": m.subject.digest,
                "load_seconds": m.load, "prompt_tokens": m.prompt_tokens,
                "first_token_ms": in_ms(m.first).json(), "fixed_first_token_ms": in_ms(m.base).json(),
                "prefill_tokens_per_second": m.prefill.json(), "decode_tokens_per_second": m.decode.json(),
            })
        };
        let models: Vec<Value> = results.iter().map(row).collect();
        output.json(&json!({"repeat": bench.repeat, "tokens": bench.tokens, "models": models}));
        return;
    }
    let row = |m: &Measurement<'_>| {
        vec![
            m.subject.id.clone(),
            m.load.map_or_else(|| "-".to_owned(), |s| format!("{s:.2} s")),
            m.prompt_tokens.to_string(),
            in_ms(m.first).words(0),
            m.prefill.words(1),
            m.decode.words(1),
        ]
    };
    let headings = [
        "MODEL",
        "LOAD",
        "PROMPT",
        "FIRST TOKEN ms",
        "PREFILL tok/s",
        "TOK/S",
    ];
    output.table(&headings, results.iter().map(row).collect());
    output.line(format_args!("Median of {} (least–most).", bench.repeat));
}

fn in_ms(spread: Spread) -> Spread {
    Spread {
        median: spread.median * 1000.0,
        least: spread.least * 1000.0,
        most: spread.most * 1000.0,
    }
}

/// Writes what was measured; a tier's models also under the name a backend knows them by. Returns the file's path.
fn keep(results: &[Measurement<'_>], config: &Config) -> anyhow::Result<String> {
    let paths = DataPaths::new(&config.data_dir);
    std::fs::create_dir_all(paths.root())
        .with_context(|| format!("the data directory {} cannot be made", paths.root().display()))?;
    let file = RatesFile::new(paths.rates());
    let now = Clock::System.now();
    let entries: Vec<_> = results
        .iter()
        .flat_map(|m| {
            let known = Estimate {
                prefill_tokens_per_second: Some(m.prefill.median),
                decode_tokens_per_second: Some(m.decode.median),
                first_token_seconds: Some(m.base.median),
                load_seconds: m.load,
                bytes_per_token: Some(m.bytes_per_token),
                ..Estimate::default()
            };
            m.subject
                .known_as()
                .into_iter()
                .map(move |(provider, model)| Measured {
                    provider,
                    model,
                    digest: m.subject.digest.clone(),
                    known,
                })
        })
        .map(|one| rates::entry(&one, machine::cores(), now, MeasuredBy::Bench))
        .collect();
    file.merge(&entries)?;
    Ok(file.path().display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_counts_and_the_ends_are_shown() {
        let spread = Spread::of([3.0, 1.0, 100.0]).unwrap();
        assert_eq!(spread.words(1), "3.0 (1.0–100.0)");
        assert_eq!(
            Spread::of([1.0, 2.0]).unwrap().median.to_bits(),
            1.5_f64.to_bits()
        );
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn what_both_prompts_take_is_not_the_prompts() {
        let of = |prompt_tokens, first| Sample {
            prompt_tokens,
            first,
            ..Sample::default()
        };
        // 0.5 s whatever the prompt, 100 tokens a second.
        let rate = prefill(&of(10, 0.6), &of(510, 5.6));
        assert!((rate - 100.0).abs() < 1e-6, "{rate}");
        assert!(prefill(&of(10, 0.6), &of(510, 0.59)) > 0.0, "noise is no rate");
    }
}
