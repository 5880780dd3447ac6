//! The metrics of a trace. Every label has few values: words of ours, or providers the operator named.

use std::sync::atomic::{AtomicU64, Ordering};

use goblin_core::decide::DecideMethod;
use goblin_core::status::Outcomes;
use goblin_core::trace::{Authority, Concern, Step, StepOutcome, Thresholds, Trace, Verdict};

/// Longest label taken from what the operator configured.
const MOST_LABEL_BYTES: usize = 40;

/// What came of answers, as [`Outcomes`] tells it.
#[derive(Debug, Default)]
pub(super) struct Tally {
    answers: AtomicU64,
    failed: AtomicU64,
    attempts_failed: AtomicU64,
}

impl Tally {
    /// Counts what a trace says, here and in the metrics.
    pub(super) fn count(&self, trace: &Trace) {
        let failed = |step: &&Step| step.outcome == StepOutcome::Failed;
        let attempts = trace.steps.iter().filter(failed).count();
        self.answers.fetch_add(1, Ordering::Relaxed);
        if trace.steps.last().as_ref().is_some_and(failed) {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        self.attempts_failed
            .fetch_add(u64::try_from(attempts).unwrap_or(0), Ordering::Relaxed);
        count(trace);
    }

    /// So far; of requests nothing is known here.
    pub(super) fn outcomes(&self) -> Outcomes {
        Outcomes {
            answers: self.answers.load(Ordering::Relaxed),
            answers_failed: self.failed.load(Ordering::Relaxed),
            attempts_failed: self.attempts_failed.load(Ordering::Relaxed),
            ..Outcomes::default()
        }
    }
}

fn count(trace: &Trace) {
    for verdict in trace.verdicts() {
        count_verdict(verdict, &trace.thresholds);
    }
    for step in &trace.steps {
        let place = if step.local { "local" } else { "cloud" };
        metrics::counter!("goblin_steps_total", "outcome" => step.outcome.as_str(), "place" => place)
            .increment(1);
        if let Some(nano) = step.cost_usd.and_then(nano_usd) {
            metrics::counter!("goblin_cost_nano_usd_total", "provider" => step.provider.clone())
                .increment(nano);
        }
    }
    for pair in trace.steps.windows(2) {
        if let [from, to] = pair
            && from.outcome == StepOutcome::Escalated
        {
            let to = if to.local { "local" } else { "cloud" };
            metrics::counter!("goblin_escalations_total", "to" => to).increment(1);
        }
    }
    if let Some(confidence) = trace.confidence.as_ref().filter(|c| c.value.is_finite()) {
        let calibrated = if confidence.calibrated { "yes" } else { "no" };
        metrics::histogram!("goblin_confidence_ratio", "calibrated" => calibrated).record(confidence.value);
    }
    if let Some(rule) = trace.refused_by() {
        metrics::counter!("goblin_refusals_total", "rule" => label(rule)).increment(1);
    }
    for sent in &trace.sent {
        metrics::counter!("goblin_sent_bytes_total", "provider" => sent.to.clone()).increment(sent.bytes);
    }
}

fn count_verdict(verdict: &Verdict, thresholds: &Thresholds) {
    let concern = match verdict.concern {
        Concern::Safety => "safety",
        Concern::Confidence => "confidence",
    };
    let backend = match verdict.backend {
        DecideMethod::Native => "native",
        DecideMethod::Readout => "readout",
        DecideMethod::Constrained => "constrained",
    };
    let authority = match verdict.authority {
        Authority::Record => "record",
        Authority::Grant => "grant",
        Authority::None => "none",
    };
    let labels = [
        ("concern", concern),
        ("backend", backend),
        ("authority", authority),
        ("outcome", outcome(verdict, thresholds)),
    ];
    metrics::counter!("goblin_verdicts_total", &labels).increment(1);
    let labels = [("concern", concern), ("backend", backend)];
    #[allow(clippy::cast_precision_loss, reason = "milliseconds of one verdict")]
    let seconds = verdict.ms as f64 / 1000.0;
    metrics::histogram!("goblin_verdict_duration_seconds", &labels).record(seconds);
    let tokens = [
        ("evaluated", verdict.evaluated_tokens),
        ("cached", verdict.cached_tokens),
        ("question", verdict.question_tokens),
    ];
    for (kind, tokens) in tokens {
        metrics::counter!("goblin_verdict_tokens_total", "kind" => kind).increment(u64::from(tokens));
    }
}

/// What a verdict said, compared with the threshold of its concern.
fn outcome(verdict: &Verdict, thresholds: &Thresholds) -> &'static str {
    let least = match verdict.concern {
        Concern::Safety => thresholds.safety,
        Concern::Confidence => thresholds.confidence,
    };
    match verdict.probability {
        _ if verdict.failed.is_some() => "failed",
        None => "none",
        Some(probability) if probability >= least => "above",
        Some(_) => "below",
    }
}

/// A rule's name, when it is short and plain as ours are.
fn label(rule: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_:-".contains(c);
    if rule.len() <= MOST_LABEL_BYTES && rule.chars().all(plain) {
        rule.to_owned()
    } else {
        "other".to_owned()
    }
}

/// Billionths of a dollar: counters are whole numbers.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positive, and a cast of a float stops at the edge"
)]
fn nano_usd(usd: f64) -> Option<u64> {
    (usd > 0.0).then(|| (usd * 1e9).round() as u64)
}

#[cfg(test)]
mod tests {
    use goblin_core::trace::{About, Confidence, Safety, Sent, Step};

    use super::*;

    fn verdict(concern: Concern, probability: Option<f64>, failed: Option<&str>) -> Verdict {
        Verdict {
            concern,
            about: About::Answer,
            question: "q".into(),
            choice: None,
            probability,
            mass: 0.9,
            model: "ollama/gemma:2b".into(),
            backend: DecideMethod::Readout,
            authority: Authority::Grant,
            self_judged: false,
            question_hash: "h".into(),
            ms: 12,
            cached_tokens: 5,
            evaluated_tokens: 40,
            question_tokens: 7,
            failed: failed.map(str::to_owned),
        }
    }

    fn step(provider: &str, local: bool, outcome: StepOutcome, cost_usd: f64) -> Step {
        Step {
            cost_usd: Some(cost_usd),
            verdicts: vec![
                verdict(Concern::Safety, Some(0.9), None),
                verdict(Concern::Confidence, Some(0.3), None),
                verdict(Concern::Confidence, None, None),
                verdict(Concern::Confidence, None, Some("timed out")),
            ],
            outcome,
            ..Step::begun(format!("{provider}/m"), provider.into(), local, 0)
        }
    }

    fn rendered(trace: &Trace) -> String {
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || count(trace));
        recorder.handle().render()
    }

    #[test]
    fn a_trace_is_counted_by_what_happened_and_never_by_who_asked() {
        let trace = Trace {
            thresholds: Thresholds {
                safety: 0.7,
                confidence: 0.65,
                critical: 0.4,
            },
            steps: vec![
                step("ollama", true, StepOutcome::Escalated, 0.0),
                step("openai", false, StepOutcome::Accepted, 0.000_25),
            ],
            confidence: Some(Confidence {
                value: 0.8,
                calibrated: false,
                method: "judge".into(),
                authority: Authority::Grant,
                self_judged: false,
            }),
            sent: vec![Sent {
                to: "openai".into(),
                bytes: 1200,
            }],
            ..Trace::default()
        };
        let text = rendered(&trace);
        let labels = |concern, outcome| {
            format!(
                "goblin_verdicts_total{{concern=\"{concern}\",backend=\"readout\",authority=\"grant\",outcome=\"{outcome}\"}} 2"
            )
        };
        for line in [
            labels("safety", "above"),
            labels("confidence", "below"),
            labels("confidence", "none"),
            labels("confidence", "failed"),
            "goblin_escalations_total{to=\"cloud\"} 1".to_owned(),
            "goblin_steps_total{outcome=\"escalated\",place=\"local\"} 1".to_owned(),
            "goblin_steps_total{outcome=\"accepted\",place=\"cloud\"} 1".to_owned(),
            "goblin_cost_nano_usd_total{provider=\"openai\"} 250000".to_owned(),
            "goblin_sent_bytes_total{provider=\"openai\"} 1200".to_owned(),
            "goblin_verdict_tokens_total{kind=\"evaluated\"} 320".to_owned(),
            "goblin_confidence_ratio_count{calibrated=\"no\"} 1".to_owned(),
        ] {
            assert!(text.contains(&line), "{line} in {text}");
        }
        assert!(!text.contains("goblin_refusals_total"), "{text}");
    }

    #[test]
    fn a_rule_that_is_no_plain_word_is_counted_as_other() {
        for (rule, shown) in [
            ("safety:self_harm", "safety:self_harm"),
            ("Whatever \"the\" operator wrote", "other"),
            (&"x".repeat(41), "other"),
        ] {
            let trace = Trace {
                safety: Some(Safety {
                    probability: None,
                    category: None,
                    authority: Authority::Record,
                    found: Vec::new(),
                    refused_by: Some(rule.to_owned()),
                }),
                ..Trace::default()
            };
            let line = format!("goblin_refusals_total{{rule=\"{shown}\"}} 1");
            assert!(rendered(&trace).contains(&line), "{line}");
        }
    }
}
