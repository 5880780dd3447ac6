//! One usage row, a few metrics and, on the model tier, one line of the access log for every answer, also for one
//! whose caller left. And the trace of an answer nobody checks.

use std::sync::Arc;
use std::time::Duration;

use goblin_core::event::Usage;
use goblin_core::money::Purpose;
use goblin_core::route::Offer;
use goblin_core::trace::StepOutcome;
use goblin_store::usage::NewUsage;
use tokio::time::Instant;

use crate::Dispatch;
use crate::answer::Who;
use crate::books::Books;
use crate::gate::Begun;
use crate::money::Tab;
use crate::traces::unchecked::{Beside, Ended, Unchecked};

/// Follows one answer; what it saw is recorded when it is dropped.
pub(crate) struct Meter {
    /// Where its row goes.
    books: Option<Books>,
    row: NewUsage,
    who: Who,
    /// What the request uses and costs; of a verdict, that of the answer it is about.
    tab: Tab,
    started: Instant,
    /// Since when it has had a place.
    running: Option<Instant>,
    queue: Duration,
    predicted: Option<Duration>,
    predicted_first: Option<Duration>,
    /// From its place to the first content.
    first: Option<Duration>,
    /// The code of the error it ended with.
    code: Option<&'static str>,
    /// Is a line of the access log written?
    access: bool,
    /// Is it a verdict about an answer, and so a part of that answer's work?
    verdict: bool,
    /// The trace of an answer that nobody checks.
    trace: Option<Unchecked>,
}

impl Meter {
    /// `saves` is false where nothing is booked, because nobody is asked.
    pub(crate) fn new(dispatch: &Dispatch, saves: bool, who: Who, door: &str, request_id: &str) -> Self {
        let tab = Tab::new(&dispatch.purse, &who, door, request_id, saves);
        Self::on(tab, dispatch, saves, who, door, request_id)
    }

    /// For a chat's turn, whose task books what it used together with the turn's end.
    pub(crate) fn of_turn(dispatch: &Dispatch, who: Who, turn_id: &str) -> Self {
        let tab = Tab::new(&dispatch.purse, &who, "chats", turn_id, true);
        tab.is_of_turn(turn_id);
        Self::on(tab, dispatch, false, who, "chat", turn_id)
    }

    fn on(tab: Tab, dispatch: &Dispatch, saves: bool, who: Who, door: &str, request_id: &str) -> Self {
        let row = NewUsage {
            request_id: request_id.to_owned(),
            door: door.to_owned(),
            outcome: "cancelled".to_owned(),
            ..NewUsage::default()
        };
        Self {
            books: (saves && dispatch.store.is_some()).then(|| dispatch.books.clone()),
            row,
            who: Who {
                tab: Some(tab.clone()),
                ..who
            },
            tab,
            started: Instant::now(),
            running: None,
            queue: Duration::ZERO,
            predicted: None,
            predicted_first: None,
            first: None,
            code: None,
            // The backend keeps usage rows and traces; the model tier keeps nothing and logs instead.
            access: dispatch.store.is_none(),
            verdict: false,
            trace: None,
        }
    }

    /// It leaves this trace.
    pub(crate) fn traced(mut self, trace: Option<Unchecked>) -> Self {
        self.leaves(trace);
        self
    }

    /// It leaves this trace from here on.
    pub(crate) fn leaves(&mut self, trace: Option<Unchecked>) {
        self.trace = trace;
    }

    /// The id of the trace it leaves.
    pub(crate) fn trace_id(&self) -> Option<String> {
        self.trace.as_ref().map(|trace| trace.id().to_owned())
    }

    /// A model is asked, and `bytes` of text go there.
    pub(crate) fn asks(&mut self, candidate: &Offer, bytes: usize) {
        let at = ms(self.started.elapsed());
        if let Some(trace) = &mut self.trace {
            trace.asks(candidate, at, bytes as u64);
        }
    }

    /// A model that was asked beside another since `asked` does not answer: `why`, and whether it failed or was stopped. `call`
    /// is what it is booked as; its cost so far is in its step.
    pub(crate) fn beside(
        &mut self,
        candidate: &Offer,
        (call, bytes, asked): (usize, usize, Instant),
        outcome: StepOutcome,
        why: String,
    ) {
        let (used, cost_usd) = self.tab.came_to(call);
        let at = ms(self.started.elapsed());
        let lost = Beside {
            offer: candidate,
            asked_ms: ms(asked.saturating_duration_since(self.started)),
            bytes: bytes as u64,
            outcome,
            why,
            used,
            cost_usd,
        };
        if let Some(trace) = &mut self.trace {
            trace.beside(lost, at);
        }
    }

    /// The answer is one that was kept: nobody is asked.
    pub(crate) fn taken_from_cache(&mut self) {
        if let Some(trace) = &mut self.trace {
            trace.taken_from_cache();
        }
    }

    /// One more thing to know about the answer.
    pub(crate) fn note(&mut self, note: String) {
        if let Some(trace) = &mut self.trace {
            trace.note(note);
        }
    }

    /// A model that was to answer could not begin, or could not even be asked.
    pub(crate) fn passed_over(&mut self, candidate: &Offer, why: &str) {
        let at = ms(self.started.elapsed());
        if let Some(trace) = &mut self.trace {
            trace.failed(candidate, why, at);
        }
    }

    /// For a verdict about an answer that is being made for `who`. It has metrics of its own, no row in the usage, and
    /// counts toward no limit; what it costs is part of what that answer costs.
    pub(crate) fn of_verdict(dispatch: &Dispatch, who: Who, request_id: &str) -> Self {
        let who = Who { tokens: None, ..who };
        let own = || Tab::new(&dispatch.purse, &who, "verdict", request_id, false);
        let tab = who.tab.clone().unwrap_or_else(own);
        let mut meter = Self::on(tab, dispatch, false, who, "verdict", request_id);
        meter.access = false;
        meter.verdict = true;
        meter
    }

    /// What the request uses and costs.
    pub(crate) fn tab(&self) -> &Tab {
        &self.tab
    }

    /// Is it a verdict about an answer?
    pub(crate) fn purpose(&self) -> Purpose {
        if self.verdict {
            Purpose::Verdict
        } else {
            Purpose::Answer
        }
    }

    /// Who asks.
    pub(crate) fn who(&self) -> &Who {
        &self.who
    }

    /// It has a place at an instance, which may not be the last it is tried on.
    pub(crate) fn placed(&mut self, place: &Begun) {
        self.running = place.since.or_else(|| Some(Instant::now()));
        self.queue += place.waited;
        self.predicted = Some(self.predicted.unwrap_or_default() + place.forecast.wait);
        self.predicted_first = place.forecast.first_token;
        metrics::histogram!("goblin_queue_wait_seconds").record(place.waited.as_secs_f64());
    }

    /// The answer is that of this model, though another was begun with.
    pub(crate) fn answered_by(&mut self, provider: &str, model: &str, local: bool) {
        self.row.provider = Some(provider.to_owned());
        self.row.model = Some(model.to_owned());
        self.row.local = Some(local);
    }

    /// The answer is committed to this model.
    pub(crate) fn chosen(&mut self, provider: &str, model: &str, local: bool) {
        self.answered_by(provider, model, local);
        self.first = self.running.map(|since| since.elapsed());
        let waited = self.started.elapsed().as_secs_f64();
        metrics::histogram!("goblin_first_content_seconds", "provider" => provider.to_owned()).record(waited);
    }

    /// What the judge's provider counted.
    pub(crate) fn usage(&mut self, usage: Usage) {
        self.row.tokens = usage;
    }

    /// How it ended: `complete`, or `runaway`. Without a word: `cancelled`.
    pub(crate) fn ended(&mut self, outcome: &str) {
        outcome.clone_into(&mut self.row.outcome);
    }

    /// It failed, with this error's code.
    pub(crate) fn failed(&mut self, code: &'static str) {
        self.ended("failed");
        self.code = Some(code);
    }

    /// A request to a judge. What it said is counted with the trace: one request may hold several questions, and one
    /// question may be asked in two orders.
    fn count_verdict(&self) {
        let provider = self.row.provider.clone().unwrap_or_else(|| "none".to_owned());
        let outcome = self.row.outcome.clone();
        metrics::counter!("goblin_verdict_requests_total", "provider" => provider.clone(), "outcome" => outcome)
            .increment(1);
        metrics::counter!("goblin_tokens_total", "provider" => provider, "kind" => "verdict")
            .increment(u64::from(self.row.tokens.prompt_tokens));
        metrics::histogram!("goblin_verdict_request_duration_seconds")
            .record(self.started.elapsed().as_secs_f64());
    }

    fn end_trace(&mut self) {
        let Some(trace) = self.trace.take() else { return };
        let (outcome, why) = match self.row.outcome.as_str() {
            "complete" => (StepOutcome::Accepted, None),
            "cancelled" => (StepOutcome::Cancelled, Some("The caller left.".to_owned())),
            other => {
                let code = self.code.unwrap_or(other);
                (StepOutcome::Failed, Some(format!("It ended with `{code}`.")))
            }
        };
        let first = self.running.zip(self.first);
        trace.over(Ended {
            notes: self.tab.notes(),
            at_ms: ms(self.started.elapsed()),
            first_token_ms: first.map(|(since, first)| ms(since.duration_since(self.started) + first)),
            used: self.row.tokens,
            outcome,
            why,
        });
    }

    /// The line of the access log. It says who, what and how long; never what was said.
    fn log(&self) {
        let (provider, name) = (self.row.provider.as_deref(), self.row.model.as_deref());
        let model = provider.zip(name).map(|(p, m)| format!("{p}/{m}"));
        tracing::info!(
            target: "goblin::access",
            key = self.who.key.as_deref(),
            address = self.who.address.map(|a| a.to_string()),
            door = self.row.door,
            request_id = (!self.row.request_id.is_empty()).then_some(self.row.request_id.as_str()),
            model,
            local = self.row.local,
            prompt_tokens = self.row.tokens.prompt_tokens,
            completion_tokens = self.row.tokens.completion_tokens,
            queue_ms = ms(self.queue),
            predicted_queue_ms = self.predicted.map(ms),
            first_token_ms = self.first.map(ms),
            predicted_first_token_ms = self.predicted_first.map(ms),
            run_ms = self.running.map_or(0, |since| ms(since.elapsed())),
            outcome = self.row.outcome,
            code = self.code,
            "answered"
        );
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if !self.verdict {
            self.tab.close(&mut self.row);
        }
        if self.access {
            self.log();
        }
        self.end_trace();
        if let Some(tell) = &self.who.tokens {
            tell(u64::from(self.row.tokens.total()));
        }
        if self.verdict {
            self.count_verdict();
            return;
        }
        let row = std::mem::take(&mut self.row);
        let provider = row.provider.clone().unwrap_or_else(|| "none".to_owned());
        metrics::counter!("goblin_answers_total", "provider" => provider.clone(), "outcome" => row.outcome.clone())
            .increment(1);
        metrics::counter!("goblin_tokens_total", "provider" => provider.clone(), "kind" => "prompt")
            .increment(u64::from(row.tokens.prompt_tokens));
        metrics::counter!("goblin_tokens_total", "provider" => provider, "kind" => "completion")
            .increment(u64::from(row.tokens.completion_tokens));
        metrics::histogram!("goblin_turn_duration_seconds").record(self.started.elapsed().as_secs_f64());
        match self.books.take() {
            Some(books) => books.usage(self.who.owner.clone(), row),
            None => self.tab.leave(row),
        }
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Whose turn a request takes: its key's, else its user's.
pub(crate) fn turn_of(who: &Who) -> Arc<str> {
    match &who.key {
        Some(key) => Arc::clone(key),
        None => format!("{}/{}", who.owner.tenant, who.owner.user).into(),
    }
}
