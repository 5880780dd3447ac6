//! The record of one answer: what becomes its [`Trace`].

use std::collections::{BTreeMap, BTreeSet, HashMap};

use goblin_core::clock::Timestamp;
use goblin_core::event::{Parsed, Usage};
use goblin_core::route::Offer;
use goblin_core::trace::{CacheUse, RouteRecord, Sent, Step, StepOutcome, TokenFeatures, Trace, Verdict};
use goblin_core::trust::cascade::Cascade;
use goblin_core::trust::ladder::cost_usd;
use goblin_core::trust::window::likely_tokens;
use goblin_core::trust::{Ask, End, Rung, Settings};

use super::KeepTrace;
use super::judges::rung_of;

/// Writes a trace while an answer is made. Dropped before its end, it keeps the trace as far as it came.
pub(super) struct Recorder {
    trace: Trace,
    /// Where the step of each rung stands in the trace.
    steps: BTreeMap<usize, usize>,
    /// What goes to a rung elsewhere, and how many bytes, until it is known whether it was asked.
    going: BTreeMap<usize, (String, u64)>,
    /// Rungs that were not asked after all.
    unasked: BTreeSet<usize>,
    /// What the judges cost so far in US dollars; `None` once one without a price was asked.
    judges_usd: Option<f64>,
    keep: Option<KeepTrace>,
}

/// The trace of an answer to a question that came at `now` and asked for `model`.
pub(super) fn begun(
    trace_id: String,
    now: Timestamp,
    settings: &Settings,
    route: RouteRecord,
    model: String,
) -> Trace {
    Trace {
        trace_id,
        created_at_ms: now.0,
        model,
        verify: settings.verify,
        thresholds: settings.thresholds,
        route,
        cache: CacheUse::Miss,
        ..Trace::default()
    }
}

impl Recorder {
    /// Goes on with a trace that has begun, and gives it to `keep` at its end.
    pub(super) fn new(trace: Trace, keep: Option<KeepTrace>) -> Self {
        Self {
            trace,
            steps: BTreeMap::new(),
            going: BTreeMap::new(),
            unasked: BTreeSet::new(),
            judges_usd: Some(0.0),
            keep,
        }
    }

    pub(super) fn note(&mut self, note: String) {
        if !self.trace.notes.contains(&note) {
            self.trace.notes.push(note);
        }
    }

    /// Judges were asked at this cost.
    pub(super) fn judges_cost(&mut self, usd: Option<f64>) {
        self.judges_usd = self.judges_usd.zip(usd).map(|(sum, usd)| sum + usd);
    }

    fn step(&mut self, rung: usize) -> Option<&mut Step> {
        let at = *self.steps.get(&rung)?;
        self.trace.steps.get_mut(at)
    }

    pub(super) fn started(&mut self, rung: usize, now_ms: u64, offer: Option<&Offer>) {
        let Some(offer) = offer else { return };
        self.steps.insert(rung, self.trace.steps.len());
        let (provider, local) = (offer.provider.to_string(), offer.stays_local());
        self.trace
            .steps
            .push(Step::begun(offer.id(), provider, local, now_ms));
    }

    pub(super) fn said(&mut self, rung: usize, now_ms: u64, parsed: &Parsed) {
        let Some(step) = self.step(rung) else { return };
        if parsed.is_content() {
            step.first_token_ms.get_or_insert(now_ms);
        }
        match parsed {
            Parsed::Text { text, logprobs } => {
                let counted = u32::try_from(logprobs.len()).unwrap_or(u32::MAX);
                step.tokens += if counted > 0 { counted } else { likely_tokens(text) };
            }
            Parsed::Reasoning { text } => step.tokens += likely_tokens(text),
            Parsed::ToolCall { arguments, .. } => step.tokens += likely_tokens(arguments),
            Parsed::Usage(usage) => {
                step.prompt_tokens = usage.prompt_tokens;
                step.tokens = usage.completion_tokens;
            }
            Parsed::Started | Parsed::Finished { .. } | Parsed::Sealed { .. } | Parsed::Opaque => {}
        }
    }

    /// Why a rung could not begin, or broke, in our own words.
    pub(super) fn failed(&mut self, rung: usize, why: &str) {
        if let Some(step) = self.step(rung) {
            step.why = Some(why.to_owned());
        }
    }

    pub(super) fn verdicts(&mut self, ask: Ask, verdicts: Vec<Verdict>) {
        match rung_of(&ask) {
            None => self.trace.prompt_verdicts.extend(verdicts),
            Some(rung) => {
                if let Some(step) = self.step(rung) {
                    step.verdicts.extend(verdicts);
                }
            }
        }
    }

    /// A rung elsewhere is about to be asked: it counts as sent unless it turns out that it was not.
    pub(super) fn sends(&mut self, rung: usize, to: String, bytes: u64) {
        self.sent(&to, bytes);
        self.going.insert(rung, (to, bytes));
    }

    /// A rung could not even be asked, and why: nothing of it left, and nothing was paid.
    pub(super) fn not_asked(&mut self, rung: usize, why: &str) {
        self.failed(rung, &format!("It was not asked, and nothing was sent. {why}"));
        self.unasked.insert(rung);
        let Some((to, bytes)) = self.going.remove(&rung) else {
            return;
        };
        let sent = &mut self.trace.sent;
        if let Some(at) = sent.iter().position(|sent| sent.to == to) {
            sent[at].bytes = sent[at].bytes.saturating_sub(bytes);
            if sent[at].bytes == 0 {
                sent.remove(at);
            }
        }
        self.trace.left_machine = !sent.is_empty();
    }

    pub(super) fn sent(&mut self, to: &str, bytes: u64) {
        self.trace.left_machine = true;
        match self.trace.sent.iter_mut().find(|sent| sent.to == to) {
            Some(sent) => sent.bytes += bytes,
            None => self.trace.sent.push(Sent {
                to: to.to_owned(),
                bytes,
            }),
        }
    }

    pub(super) fn step_ended(
        &mut self,
        rung: usize,
        now_ms: u64,
        (outcome, why, features): (StepOutcome, Option<String>, Option<TokenFeatures>),
        price: impl Fn(Usage) -> Option<f64>,
    ) {
        let unasked = self.unasked.contains(&rung);
        let Some(step) = self.step(rung) else { return };
        step.ended_ms.get_or_insert(now_ms);
        step.outcome = outcome;
        step.why = why.or_else(|| step.why.take());
        step.tokens_probability = features;
        let usage = Usage {
            prompt_tokens: step.prompt_tokens,
            completion_tokens: step.tokens,
            ..Usage::default()
        };
        step.cost_usd = if unasked { Some(0.0) } else { price(usage) };
    }

    /// The whole trace, at the end.
    pub(super) fn whole(&mut self, end: &End, machine: &Cascade, used: &HashMap<usize, Usage>) -> Trace {
        let trace = &mut self.trace;
        trace.safety = machine.safety();
        let delivered = match end {
            End::Finished { rung, confidence, .. } => {
                trace.confidence.clone_from(confidence);
                Some(*rung)
            }
            End::Rejected { confidence, .. } => {
                trace.confidence.clone_from(confidence);
                None
            }
            End::Failed { .. } | End::Left => None,
        };
        // A step that never got a price, or such a judge, makes the sum unknown.
        let answers: Option<f64> = trace.steps.iter().map(|step| step.cost_usd).sum();
        trace.cost_usd = answers
            .zip(self.judges_usd)
            .map(|(answers, judges)| answers + judges);
        let usage = delivered.and_then(|rung| used.get(&rung).copied());
        let usage = usage.unwrap_or_else(|| answered(trace, &self.steps, delivered));
        trace.would_have_cost_usd = would_have_cost(machine.rungs(), usage);
        let trace = trace.clone();
        if let Some(keep) = self.keep.take() {
            keep(trace.clone());
        }
        trace
    }
}

/// What the most expensive of the rungs that are worth asking would have cost; unknown where one of them has no price.
fn would_have_cost(rungs: &[Rung], usage: Usage) -> Option<f64> {
    let worth = rungs.iter().filter(|rung| !rung.spare);
    let costs: Option<Vec<f64>> = worth.map(|rung| cost_usd(rung, usage)).collect();
    costs?.into_iter().max_by(f64::total_cmp)
}

/// What the answer used, as far as it was counted here.
fn answered(trace: &Trace, steps: &BTreeMap<usize, usize>, rung: Option<usize>) -> Usage {
    let step = rung.and_then(|rung| trace.steps.get(*steps.get(&rung)?));
    step.map_or(Usage::default(), |step| Usage {
        prompt_tokens: step.prompt_tokens,
        completion_tokens: step.tokens,
        ..Usage::default()
    })
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let Some(keep) = self.keep.take() else { return };
        for step in &mut self.trace.steps {
            if step.outcome == StepOutcome::Running {
                step.outcome = StepOutcome::Cancelled;
                step.why = Some("The caller left.".to_owned());
            }
        }
        keep(std::mem::take(&mut self.trace));
    }
}
