//! What stands in front of one provider: a line for each of its models.
//!
//! - A place is free when fewer answers run than the model has slots. A model of which the number of slots is not
//!   known has no limit here, but is measured all the same.
//! - Waiting requests are bounded, and taken in turns between keys ([`super::fair`]). When the line is full, the key
//!   with the most waiting gives up its last one for a key with fewer.
//! - Verdicts have a line of their own that goes first. With two places or more, one is kept for verdicts for
//!   [`VERDICTS_EXPECTED`] after the last of them, so that they never wait behind long answers.
//! - A request whose forecast is beyond its deadline is refused at once.
//! - A provider with a queue of its own that others fill too (a model tier) says what a newcomer meets there; the
//!   longer of both waits is forecast, because ours is part of theirs.
//! - On a provider that cannot hold all its models, requests for one that is out wait until one that is in has
//!   nothing to do, or until they have waited for [`SWAP_AFTER`] ([`super::residency`]).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::estimate::Estimate;
use super::fair::Fair;
use super::forecast::{Forecast, remaining, wait};
use super::rates::{Prior, Rates, Seen, Work};
use super::residency::Residency;
use crate::model::QueueReport;

/// For so long after a verdict one place is kept for the next.
pub const VERDICTS_EXPECTED: Duration = Duration::from_secs(600);
/// A request for a model that is not in memory waits at most so long for those of the models that are.
pub const SWAP_AFTER: Duration = Duration::from_secs(15);
/// For so long after a failure an instance is the last choice.
pub const COOL_DOWN: Duration = Duration::from_secs(5);
/// A model whose answer began less than this ago is in memory, whatever an older status says.
const WARM: Duration = Duration::from_secs(30);

/// Names a request at a desk, waiting or running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(u64);

/// Who comes, and what for.
#[derive(Clone, Debug)]
pub struct Newcomer {
    /// Whose turn it takes.
    pub key: Arc<str>,
    /// Is it a verdict?
    pub verdict: bool,
    /// What is to be done.
    pub work: Work,
}

/// What holds for the instance and for this request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms {
    /// Answers the model can make at once; `None` = unknown, no limit.
    pub slots: Option<u32>,
    /// Most requests waiting, verdicts apart.
    pub max_waiting: usize,
    /// Longest until the first token.
    pub deadline: Option<Duration>,
    /// What the provider says of itself.
    pub prior: Prior,
    /// What the provider says of its own queue, which others fill too.
    pub queue: Option<QueueReport>,
}

/// A newcomer's ticket. [`Desk::call`] says when it may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Its ticket; to be given back with [`Desk::leave`], whatever becomes of it.
    pub ticket: Ticket,
    /// What to expect.
    pub forecast: Forecast,
    /// One who waited and must go, to make room.
    pub displaced: Option<Ticket>,
}

/// Why a newcomer is sent away. Come back after [`Forecast::wait`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The queue is full.
    Full(Forecast),
    /// It would take longer than the caller allows.
    TooLate(Forecast),
}

/// What is going on at one instance.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Answers being made.
    pub running: usize,
    /// Requests waiting.
    pub waiting: usize,
    /// Were verdicts asked for lately?
    pub verdicts: bool,
    /// Did it fail a moment ago?
    pub cooling: bool,
    /// What was measured.
    pub rates: Rates,
}

#[derive(Clone, Debug)]
struct Waiter {
    ticket: Ticket,
    since: Duration,
    expected: Duration,
}

#[derive(Clone, Debug)]
struct Running {
    ticket: Ticket,
    since: Duration,
    expected: Duration,
    verdict: bool,
}

#[derive(Clone, Debug, Default)]
struct Line {
    slots: Option<u32>,
    running: Vec<Running>,
    verdicts: Fair<Waiter>,
    answers: Fair<Waiter>,
    rates: Rates,
    last_verdict: Option<Duration>,
    last_content: Option<Duration>,
    failed: Option<Duration>,
}

impl Line {
    fn is_idle(&self) -> bool {
        self.running.is_empty() && self.verdicts.is_empty() && self.answers.is_empty()
    }

    fn expects_verdicts(&self, now: Duration) -> bool {
        self.last_verdict
            .is_some_and(|then| now.saturating_sub(then) < VERDICTS_EXPECTED)
    }

    /// Places answers may take. Verdicts may take any.
    fn answer_places(&self, now: Duration) -> usize {
        match self.slots {
            None => usize::MAX,
            Some(slots) if slots >= 2 && self.expects_verdicts(now) => slots as usize - 1,
            Some(slots) => slots.max(1) as usize,
        }
    }

    fn has_place(&self, verdict: bool, now: Duration) -> bool {
        let all = self.slots.map_or(usize::MAX, |s| s.max(1) as usize);
        let answers = self.running.iter().filter(|r| !r.verdict).count();
        self.running.len() < all && (verdict || answers < self.answer_places(now))
    }

    /// The wait of a newcomer, by what runs and who is ahead of it.
    fn wait(&self, key: &str, verdict: bool, now: Duration) -> Duration {
        let Some(slots) = self.slots else {
            return Duration::ZERO;
        };
        let mut ahead: Vec<Duration> = self.verdicts.ahead_of(key).iter().map(|w| w.expected).collect();
        let mut places = slots.max(1) as usize;
        let mut running: Vec<&Running> = self.running.iter().collect();
        if !verdict {
            if self.answer_places(now) < places {
                // The kept place, and the verdict that may be in it, are not in the way of answers.
                places -= 1;
                if let Some(at) = running.iter().position(|r| r.verdict) {
                    running.swap_remove(at);
                }
            }
            ahead.extend(self.answers.ahead_of(key).iter().map(|w| w.expected));
        }
        let left: Vec<Duration> = running
            .iter()
            .map(|r| remaining(r.expected, now.saturating_sub(r.since)))
            .collect();
        wait(places, &left, &ahead)
    }

    /// Requests here, running and waiting.
    fn present(&self) -> u32 {
        let all = self.running.len() + self.verdicts.len() + self.answers.len();
        u32::try_from(all).unwrap_or(u32::MAX)
    }

    /// As measured here; until then as the provider says, which knows whether the model must be loaded.
    fn first_token(&self, work: Work, terms: &Terms) -> Option<Duration> {
        let expected = self.rates.first_token(work, &terms.prior);
        match terms.queue.filter(|_| !self.rates.has_seen_first_tokens()) {
            Some(queue) => Some(queue.way + queue.first_token.max(expected).unwrap_or_default()),
            None => expected,
        }
    }

    /// When a whole line has been served.
    fn drained(&self, now: Duration) -> Duration {
        let left = self
            .running
            .iter()
            .map(|r| remaining(r.expected, now.saturating_sub(r.since)));
        let longest = left.max().unwrap_or_default();
        longest.max(self.wait("", false, now))
    }
}

/// The desk of one provider. Every time is since one epoch.
#[derive(Clone, Debug, Default)]
pub struct Desk {
    lines: BTreeMap<Arc<str>, Line>,
    /// What was known of models before anybody came for them.
    expected: BTreeMap<Arc<str>, Estimate>,
    residency: Residency,
    issued: u64,
}

impl Desk {
    /// The provider says which models are in memory (or on their way).
    pub fn look(&mut self, loaded: &[Arc<str>]) {
        self.residency.look(loaded);
    }

    /// What an earlier process or a benchmark found of `model`; `None` takes it back. It is where the forecasts begin,
    /// and changes nothing once an answer was seen.
    pub fn expect(&mut self, model: &Arc<str>, known: Option<Estimate>) {
        match known {
            Some(known) => self.expected.insert(Arc::clone(model), known),
            None => self.expected.remove(model),
        };
        let rates = self.expected_rates(model);
        if let Some(line) = self.lines.get_mut(model)
            && !line.rates.is_measured()
        {
            line.rates = rates;
        }
    }

    fn expected_rates(&self, model: &Arc<str>) -> Rates {
        self.expected.get(model).map(Rates::expecting).unwrap_or_default()
    }

    fn line(&mut self, model: &Arc<str>) -> &mut Line {
        let rates = self.expected_rates(model);
        self.lines.entry(Arc::clone(model)).or_insert_with(|| Line {
            rates,
            ..Line::default()
        })
    }

    /// Must `model` be loaded first, when its provider's last status said so?
    pub fn is_cold(&self, model: &Arc<str>, status_says_cold: bool, now: Duration) -> bool {
        let began = self.lines.get(model).and_then(|line| line.last_content);
        let just_now = began.is_some_and(|then| now.saturating_sub(then) < WARM);
        self.residency.out_since(model).is_some() || (status_says_cold && !just_now)
    }

    /// What to expect of `model`, without coming.
    pub fn forecast(&self, model: &Arc<str>, who: &Newcomer, terms: &Terms, now: Duration) -> Forecast {
        let unknown = Line {
            rates: self.expected_rates(model),
            ..Line::default()
        };
        let line = self.lines.get(model).unwrap_or(&unknown);
        let mut forecast = Forecast {
            wait: line.wait(&who.key, who.verdict, now),
            elsewhere: Duration::ZERO,
            first_token: line.first_token(who.work, terms),
        };
        if !who.verdict && !self.may_be_loaded(model, now, now) {
            let others = self.residency.inside().filter_map(|m| self.lines.get(m));
            let first = others.map(|l| l.drained(now)).min().unwrap_or_default();
            forecast.wait = forecast.wait.max(first.min(SWAP_AFTER));
        }
        // A verdict has a line of its own there as well. Ours are in the report too, so the longer of both holds.
        if let Some(queue) = terms.queue.filter(|_| !who.verdict) {
            let hold = line.rates.hold(who.work, &terms.prior);
            let there = queue.wait_now(line.present(), terms.slots.unwrap_or(1), hold);
            forecast.elsewhere = there.saturating_sub(forecast.wait);
            forecast.wait += forecast.elsewhere;
        }
        forecast
    }

    /// A newcomer. Whoever may begin is named by the next [`Self::call`], which is to follow at once.
    ///
    /// # Errors
    /// Why it may neither begin nor wait.
    pub fn arrive(
        &mut self,
        model: &Arc<str>,
        who: &Newcomer,
        terms: &Terms,
        now: Duration,
    ) -> Result<Admitted, Refusal> {
        let forecast = {
            self.line(model).slots = terms.slots;
            self.forecast(model, who, terms, now)
        };
        if terms.deadline.is_some_and(|d| forecast.until_first_token() > d) {
            return Err(Refusal::TooLate(forecast));
        }
        let may_load = who.verdict || self.may_be_loaded(model, now, now);
        let line = self.lines.entry(Arc::clone(model)).or_default();
        let begins = may_load && line.has_place(who.verdict, now);
        let queue = if who.verdict {
            line.last_verdict = Some(now);
            &mut line.verdicts
        } else {
            &mut line.answers
        };
        let mut displaced = None;
        if queue.len() >= terms.max_waiting && !(begins && queue.is_empty()) {
            let gone = queue.displace_for(&who.key).ok_or(Refusal::Full(forecast))?;
            displaced = Some(gone.ticket);
        }
        self.issued += 1;
        let ticket = Ticket(self.issued);
        let waiter = Waiter {
            ticket,
            since: now,
            expected: line.rates.hold(who.work, &terms.prior),
        };
        queue.push(&who.key, waiter);
        Ok(Admitted {
            ticket,
            forecast,
            displaced,
        })
    }

    /// Everyone who may begin now, in order. To be asked after every arrival and departure, and once in a while
    /// while somebody waits (some reasons to wait end by themselves).
    pub fn call(&mut self, now: Duration) -> Vec<Ticket> {
        let mut called = Vec::new();
        let models: Vec<Arc<str>> = self
            .lines
            .iter()
            .filter(|(_, line)| !line.verdicts.is_empty() || !line.answers.is_empty())
            .map(|(model, _)| Arc::clone(model))
            .collect();
        for model in models {
            while let Some(ticket) = self.call_one(&model, now) {
                called.push(ticket);
            }
        }
        called
    }

    fn call_one(&mut self, model: &Arc<str>, now: Duration) -> Option<Ticket> {
        let line = self.lines.get(model)?;
        let verdict = !line.verdicts.is_empty() && line.has_place(true, now);
        if !verdict {
            let oldest = line.answers.peek()?.since;
            if !line.has_place(false, now) || !self.may_be_loaded(model, oldest, now) {
                return None;
            }
        }
        let line = self.lines.get_mut(model)?;
        let next = if verdict {
            line.verdicts.pop()?
        } else {
            line.answers.pop()?
        };
        line.running.push(Running {
            ticket: next.ticket,
            since: now,
            expected: next.expected,
            verdict,
        });
        self.residency.begins(model, now);
        Some(next.ticket)
    }

    /// May an answer of `model` begin, for one who waits since `since`, as far as the provider's memory goes?
    fn may_be_loaded(&self, model: &Arc<str>, since: Duration, now: Duration) -> bool {
        let Some(out) = self.residency.out_since(model) else {
            return true;
        };
        let waited = now.saturating_sub(out.max(since));
        waited >= SWAP_AFTER
            || self
                .residency
                .inside()
                .any(|m| self.lines.get(m).is_none_or(Line::is_idle))
    }

    /// A ticket is given back: its answer is over, or its caller left while waiting. A ticket not known is nothing.
    pub fn leave(&mut self, model: &Arc<str>, ticket: Ticket) {
        let Some(line) = self.lines.get_mut(model) else {
            return;
        };
        if let Some(at) = line.running.iter().position(|r| r.ticket == ticket) {
            line.running.swap_remove(at);
        } else if line.answers.remove(|w| w.ticket == ticket).is_none() {
            line.verdicts.remove(|w| w.ticket == ticket);
        }
    }

    /// An answer's first content came.
    pub fn began(&mut self, model: &Arc<str>, now: Duration) {
        if let Some(line) = self.lines.get_mut(model) {
            (line.last_content, line.failed) = (Some(now), None);
        }
    }

    /// An answer could not begin, and not for the caller's reasons.
    pub fn failed(&mut self, model: &Arc<str>, now: Duration) {
        if let Some(line) = self.lines.get_mut(model) {
            line.failed = Some(now);
        }
    }

    /// What an answer showed.
    pub fn observe(&mut self, model: &Arc<str>, seen: &Seen) {
        if let Some(line) = self.lines.get_mut(model) {
            line.rates.observe(seen);
        }
    }

    /// What is going on at `model`; all zero when nobody came yet.
    pub fn load(&self, model: &Arc<str>, now: Duration) -> Load {
        let unknown = || Load {
            rates: self.expected_rates(model),
            ..Load::default()
        };
        self.lines.get(model).map_or_else(unknown, |line| Load {
            running: line.running.len(),
            waiting: line.verdicts.len() + line.answers.len(),
            verdicts: line.expects_verdicts(now),
            cooling: line
                .failed
                .is_some_and(|then| now.saturating_sub(then) < COOL_DOWN),
            rates: line.rates,
        })
    }

    /// Does nothing run and nobody wait here, `but` for this model?
    pub fn is_idle(&self, but: Option<&str>) -> bool {
        let mut others = self.lines.iter().filter(|(model, _)| Some(&***model) != but);
        others.all(|(_, line)| line.is_idle())
    }

    /// What answers of this process have shown of each model.
    pub fn measured(&self) -> impl Iterator<Item = (&Arc<str>, Estimate)> {
        self.lines
            .iter()
            .filter_map(|(model, line)| Some((model, line.rates.estimate()?)))
    }

    /// The models anybody ever came for.
    pub fn models(&self) -> impl Iterator<Item = &Arc<str>> {
        self.lines.keys()
    }

    /// Forgets models the provider no longer offers, unless somebody is still there.
    pub fn retain(&mut self, offered: impl Fn(&str) -> bool) {
        self.lines.retain(|model, line| offered(model) || !line.is_idle());
    }
}

#[cfg(test)]
mod tests;
