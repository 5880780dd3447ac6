//! The trace of an answer nobody checks, because its model was named: who was asked, when, what it cost, and what left.

use std::sync::Arc;

use goblin_core::event::Usage;
use goblin_core::route::Offer;
use goblin_core::trace::{CacheUse, RouteRecord, Sent, Step, StepOutcome, Trace, VerifyMode};

use crate::Dispatch;
use crate::cascade::KeepTrace;

/// Written while an answer is made.
pub(crate) struct Unchecked {
    dispatch: Arc<Dispatch>,
    trace: Trace,
    keep: KeepTrace,
}

/// A model that was asked beside another, and does not answer.
pub(crate) struct Beside<'a> {
    pub(crate) offer: &'a Offer,
    /// Milliseconds after the question.
    pub(crate) asked_ms: u64,
    pub(crate) bytes: u64,
    pub(crate) outcome: StepOutcome,
    pub(crate) why: String,
    pub(crate) used: Usage,
    /// `None`: it has no price.
    pub(crate) cost_usd: Option<f64>,
}

/// How an answer ended. Times are milliseconds after the question.
pub(crate) struct Ended {
    pub(crate) at_ms: u64,
    pub(crate) first_token_ms: Option<u64>,
    pub(crate) used: Usage,
    pub(crate) outcome: StepOutcome,
    pub(crate) why: Option<String>,
    /// Sentences about it.
    pub(crate) notes: Vec<String>,
}

impl Unchecked {
    /// Of an answer to a request that named `model`. At its end it is given to `keep`. The model tier keeps no traces.
    pub(crate) fn begun(dispatch: &Arc<Dispatch>, model: &str, keep: KeepTrace) -> Option<Self> {
        dispatch.store.as_ref()?;
        let trace = Trace {
            trace_id: dispatch.options.ids.next_id(),
            created_at_ms: dispatch.clock.now().0,
            model: model.to_owned(),
            verify: VerifyMode::Off,
            thresholds: dispatch.options.trust.settings.thresholds,
            route: RouteRecord {
                policy: dispatch.policy_version.clone(),
                ..RouteRecord::default()
            },
            ..Trace::default()
        };
        Some(Self {
            dispatch: Arc::clone(dispatch),
            trace,
            keep,
        })
    }

    /// Names the trace.
    pub(crate) fn id(&self) -> &str {
        &self.trace.trace_id
    }

    /// A model is asked, and `bytes` of text go there. Whoever was asked before has failed.
    pub(crate) fn asks(&mut self, offer: &Offer, at_ms: u64, bytes: u64) {
        if let Some(before) = self.trace.steps.last_mut()
            && before.outcome == StepOutcome::Running
        {
            before.outcome = StepOutcome::Failed;
            before.ended_ms = Some(at_ms);
        }
        let step = self.sends(offer, at_ms, bytes);
        self.trace.steps.push(step);
    }

    /// The step of a model that is asked; what leaves for it is noted.
    fn sends(&mut self, offer: &Offer, at_ms: u64, bytes: u64) -> Step {
        let local = offer.stays_local();
        self.trace.left_machine |= !local;
        match self
            .trace
            .sent
            .iter_mut()
            .find(|sent| *sent.to == *offer.provider)
        {
            _ if local => {}
            Some(sent) => sent.bytes += bytes,
            None => self.trace.sent.push(Sent {
                to: offer.provider.to_string(),
                bytes,
            }),
        }
        Step {
            cost_usd: local.then_some(0.0),
            ..Step::begun(offer.id(), offer.provider.to_string(), local, at_ms)
        }
    }

    /// A model could not begin: in the middle of its step, or before it was asked at all.
    pub(crate) fn failed(&mut self, offer: &Offer, why: &str, at_ms: u64) {
        let id = offer.id();
        match self.trace.steps.last_mut() {
            Some(step) if step.model == id && step.outcome == StepOutcome::Running => {
                step.outcome = StepOutcome::Failed;
                step.ended_ms = Some(at_ms);
                step.why = Some(why.to_owned());
            }
            _ => self.note(why.to_owned()),
        }
    }

    /// A model was asked beside another, and the other one answers or it failed: what came of it. Its step stands before that
    /// of the model that is being asked still.
    pub(crate) fn beside(&mut self, lost: Beside<'_>, at_ms: u64) {
        let id = lost.offer.id();
        let steps = &self.trace.steps;
        let last = steps.last().filter(|step| step.outcome == StepOutcome::Running);
        let mine = last.is_some_and(|step| step.model == id);
        let among = steps.len() - usize::from(last.is_some());
        if !mine {
            let step = self.sends(lost.offer, lost.asked_ms, lost.bytes);
            self.trace.steps.insert(among, step);
        }
        let Some(step) = self.trace.steps.get_mut(among) else {
            return;
        };
        step.outcome = lost.outcome;
        step.ended_ms = Some(at_ms);
        step.prompt_tokens = lost.used.prompt_tokens;
        step.tokens = lost.used.completion_tokens;
        step.cost_usd = lost.cost_usd;
        step.why = Some(lost.why);
    }

    /// The answer is one that was kept.
    pub(crate) fn taken_from_cache(&mut self) {
        self.trace.cache = CacheUse::Hit;
        self.note("Taken from the cache. No model was asked.".to_owned());
    }

    /// One more thing to know about the answer.
    pub(crate) fn note(&mut self, note: String) {
        if !self.trace.notes.contains(&note) {
            self.trace.notes.push(note);
        }
    }

    /// The answer is over: the trace is kept.
    pub(crate) fn over(mut self, ended: Ended) {
        // What a model used that was asked beside the one that answers stands in its own step.
        let apart = |of: fn(&Step) -> u32| {
            let before = self.trace.steps.iter().rev().skip(1);
            before.map(of).fold(0, u32::saturating_add)
        };
        let used = Usage {
            prompt_tokens: ended
                .used
                .prompt_tokens
                .saturating_sub(apart(|s| s.prompt_tokens)),
            completion_tokens: ended.used.completion_tokens.saturating_sub(apart(|s| s.tokens)),
            ..ended.used
        };
        if let Some(last) = self.trace.steps.last_mut() {
            last.first_token_ms = ended.first_token_ms;
            last.ended_ms.get_or_insert(ended.at_ms);
            last.prompt_tokens = used.prompt_tokens;
            last.tokens = used.completion_tokens;
            let policy = &self.dispatch.options.policy;
            last.cost_usd = policy.cost_of(&last.model, last.local, &used);
            if last.outcome == StepOutcome::Running {
                last.outcome = ended.outcome;
                last.why = ended.why;
            }
        }
        self.trace.notes.extend(ended.notes);
        self.trace.cost_usd = self.trace.steps.iter().map(|step| step.cost_usd).sum();
        self.trace.would_have_cost_usd = self.trace.cost_usd;
        (self.keep)(self.trace);
    }
}
