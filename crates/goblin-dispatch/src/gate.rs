//! The queue in front of each provider: [`goblin_core::admission::desk`] behind a lock, and the waking of those it
//! calls.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use goblin_core::admission::desk::{Admitted, Desk, Load, Newcomer, Refusal, Terms, Ticket};
use goblin_core::admission::estimate::Estimate;
use goblin_core::admission::forecast::Forecast;
use goblin_core::admission::rates::{Seen, Work};
use goblin_core::context_rule::likely_tokens;
use goblin_core::event::Usage;
use goblin_core::model::{ModelInfo, ModelState};
use goblin_core::resilience::breaker::{Breaker, Resting};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout};

/// How often a waiter looks whether a reason to wait ended by itself. Others wake it at once.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The desks of all providers.
pub(crate) struct Gates {
    epoch: Instant,
    gates: Mutex<HashMap<Arc<str>, Arc<Gate>>>,
}

impl Default for Gates {
    fn default() -> Self {
        Self {
            epoch: Instant::now(),
            gates: Mutex::default(),
        }
    }
}

impl Gates {
    /// The gate of a provider, made when it is first asked for.
    pub(crate) fn of(&self, provider: &Arc<str>) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let gate = gates.entry(Arc::clone(provider)).or_insert_with(|| {
            Arc::new(Gate {
                epoch: self.epoch,
                desk: Mutex::default(),
                changed: Notify::new(),
            })
        });
        Arc::clone(gate)
    }

    /// Forgets providers that are gone. Answers under way keep their gate.
    pub(crate) fn retain(&self, there: impl Fn(&str) -> bool) {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        gates.retain(|id, _| there(id));
    }
}

/// The desk of one provider, and those who wait at it.
pub(crate) struct Gate {
    epoch: Instant,
    desk: Mutex<Waiting>,
    /// Told whenever somebody comes or goes.
    changed: Notify,
}

#[derive(Default)]
struct Waiting {
    desk: Desk,
    /// What each model's content was when its provider last said so.
    digests: HashMap<Arc<str>, String>,
    /// Contents that what is expected of a model was measured on.
    measured_on: HashMap<Arc<str>, String>,
    /// Of models that failed lately.
    breakers: HashMap<Arc<str>, Breaker>,
    calls: HashMap<Ticket, oneshot::Sender<Call>>,
}

/// What a waiter hears.
enum Call {
    Begin,
    /// Its place in the queue went to another key.
    Displaced,
}

impl Waiting {
    fn call(&mut self, now: Duration) {
        for ticket in self.desk.call(now) {
            if let Some(waiter) = self.calls.remove(&ticket) {
                // One who just left gives its ticket back when its `Place` is dropped.
                let _left = waiter.send(Call::Begin);
            }
        }
    }
}

/// What a request brings to a gate.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    pub(crate) key: Arc<str>,
    pub(crate) verdict: bool,
    /// Bytes of its prompt.
    pub(crate) bytes: usize,
    /// Tokens of its prompt, when they were counted.
    pub(crate) tokens: Option<u32>,
    /// Most tokens to generate.
    pub(crate) limit: Option<u32>,
    /// What the request to a model that was made with it is booked as, once there is one.
    pub(crate) asked: Option<usize>,
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// The provider says which models it offers and which of them are in memory. What was measured of another model
    /// that had the same name is forgotten.
    pub(crate) fn look(&self, models: &[ModelInfo]) {
        let in_memory = |m: &&ModelInfo| matches!(m.state, ModelState::Loaded | ModelState::Loading);
        let loaded: Vec<Arc<str>> = models
            .iter()
            .filter(in_memory)
            .map(|m| Arc::from(m.name.as_str()))
            .collect();
        let mut waiting = self.lock();
        waiting.desk.look(&loaded);
        waiting.desk.retain(|name| models.iter().any(|m| m.name == name));
        waiting
            .breakers
            .retain(|name, _| models.iter().any(|m| m.name == **name));
        for (model, digest) in models.iter().filter_map(|m| Some((m, m.digest.as_ref()?))) {
            if waiting.digests.get(model.name.as_str()) != Some(digest) {
                waiting.digests.insert(model.name.as_str().into(), digest.clone());
            }
            let other = |on: &String| on != digest;
            if waiting.measured_on.get(model.name.as_str()).is_some_and(other) {
                waiting.measured_on.remove(model.name.as_str());
                waiting.desk.expect(&model.name.as_str().into(), None);
            }
        }
        waiting
            .digests
            .retain(|name, _| models.iter().any(|m| m.name == **name));
    }

    /// What an earlier process or a benchmark found of a model with this content.
    pub(crate) fn expect(&self, model: &Arc<str>, known: Estimate, digest: Option<String>) {
        let mut waiting = self.lock();
        match digest {
            Some(digest) => waiting.measured_on.insert(Arc::clone(model), digest),
            None => waiting.measured_on.remove(model),
        };
        waiting.desk.expect(model, Some(known));
    }

    /// What answers of this process have shown: of each model its name, its content and its speed.
    pub(crate) fn measured(&self) -> Vec<(Arc<str>, Option<String>, Estimate)> {
        let waiting = self.lock();
        let measured = waiting.desk.measured();
        measured
            .map(|(model, known)| (Arc::clone(model), waiting.digests.get(model).cloned(), known))
            .collect()
    }

    /// Waits until nothing runs and nobody waits, `but` for this model.
    pub(crate) async fn until_idle(&self, but: Option<&str>) {
        self.until(|desk| desk.is_idle(but)).await;
    }

    /// Waits until somebody comes for another model than `but`.
    pub(crate) async fn until_wanted(&self, but: &str) {
        self.until(|desk| !desk.is_idle(Some(but))).await;
    }

    async fn until(&self, so: impl Fn(&Desk) -> bool) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // From here on nothing that changes is missed.
            changed.as_mut().enable();
            if so(&self.lock().desk) {
                return;
            }
            changed.await;
        }
    }

    /// Models anybody came for.
    pub(crate) fn models(&self) -> Vec<Arc<str>> {
        self.lock().desk.models().cloned().collect()
    }

    pub(crate) fn load(&self, model: &Arc<str>) -> Load {
        self.lock().desk.load(model, self.now())
    }

    /// What a visit would have to expect.
    pub(crate) fn forecast(&self, model: &Arc<str>, visit: &Visit, cold: bool, terms: &Terms) -> Forecast {
        let now = self.now();
        let desk = &self.lock().desk;
        desk.forecast(model, &newcomer(desk, model, visit, cold, now), terms, now)
    }

    /// An instance could not begin an answer, and that says nothing about the next.
    pub(crate) fn failed(&self, model: &Arc<str>) {
        self.lock().desk.failed(model, self.now());
    }

    /// An instance could not begin an answer, or broke it off. Returns whether it is left alone now.
    pub(crate) fn failed_itself(&self, model: &Arc<str>) -> bool {
        let now = self.now();
        let mut waiting = self.lock();
        waiting.desk.failed(model, now);
        let breaker = waiting.breakers.entry(Arc::clone(model)).or_default();
        breaker.failed(now)
    }

    /// May the model be asked, or did it fail too often?
    ///
    /// # Errors
    /// For how long it is left alone.
    pub(crate) fn admit(&self, model: &str) -> Result<(), Resting> {
        let now = self.now();
        match self.lock().breakers.get_mut(model) {
            Some(breaker) => breaker.admit(now),
            None => Ok(()),
        }
    }

    /// Waits for a place.
    ///
    /// # Errors
    /// Why it may not even wait, or had to give up its place in the queue.
    pub(crate) async fn enter(
        self: &Arc<Self>,
        model: &Arc<str>,
        visit: &Visit,
        cold: bool,
        terms: &Terms,
    ) -> Result<Place, Refusal> {
        let now = self.now();
        let (mut place, mut called) = {
            let mut waiting = self.lock();
            let who = newcomer(&waiting.desk, model, visit, cold, now);
            let admitted = waiting.desk.arrive(model, &who, terms, now);
            if !visit.verdict {
                tell_predicted(&admitted);
            }
            let admitted = admitted?;
            let (call, called) = oneshot::channel();
            waiting.calls.insert(admitted.ticket, call);
            if let Some(displaced) = admitted.displaced.and_then(|t| waiting.calls.remove(&t)) {
                let _left = displaced.send(Call::Displaced);
            }
            waiting.call(now);
            let place = Place {
                gate: Arc::clone(self),
                model: Arc::clone(model),
                ticket: admitted.ticket,
                forecast: admitted.forecast,
                arrived: Instant::now(),
                began: None,
                last: None,
                one_piece: false,
                seen: Seen {
                    work: who.work,
                    prompt_bytes: visit.bytes,
                    ..Seen::default()
                },
            };
            (place, called)
        };
        self.changed.notify_waiters();
        loop {
            match timeout(LOOK_AGAIN, &mut called).await {
                Ok(Ok(Call::Begin)) => {
                    place.began = Some(Instant::now());
                    return Ok(place);
                }
                Ok(Ok(Call::Displaced) | Err(_)) => return Err(Refusal::Full(place.forecast)),
                Err(_still_waiting) => self.lock().call(self.now()),
            }
        }
    }
}

/// Measured on arrival, so that whoever is turned away for it counts as well.
fn tell_predicted(admitted: &Result<Admitted, Refusal>) {
    let (Ok(Admitted { forecast, .. }) | Err(Refusal::Full(forecast) | Refusal::TooLate(forecast))) =
        admitted;
    metrics::histogram!("goblin_predicted_wait_seconds").record(forecast.wait.as_secs_f64());
}

fn newcomer(desk: &Desk, model: &Arc<str>, visit: &Visit, cold: bool, now: Duration) -> Newcomer {
    let ratio = desk.load(model, now).rates.bytes_per_token();
    Newcomer {
        key: Arc::clone(&visit.key),
        verdict: visit.verdict,
        work: Work {
            prompt_tokens: visit.tokens.unwrap_or_else(|| likely_tokens(visit.bytes, ratio)),
            limit: visit.limit,
            cold: desk.is_cold(model, cold, now),
        },
    }
}

/// A place, or one in the queue. Dropping it gives it back, calls the next, and lets the gate learn from the answer.
pub(crate) struct Place {
    gate: Arc<Gate>,
    model: Arc<str>,
    ticket: Ticket,
    /// What was predicted on arrival.
    pub(crate) forecast: Forecast,
    arrived: Instant,
    began: Option<Instant>,
    last: Option<Instant>,
    one_piece: bool,
    seen: Seen,
}

/// How a place came about.
#[derive(Clone, Debug)]
pub(crate) struct Begun {
    /// How long it was waited for.
    pub(crate) waited: Duration,
    /// What was predicted on arrival.
    pub(crate) forecast: Forecast,
    /// Since when it is held.
    pub(crate) since: Option<Instant>,
}

impl Place {
    /// How it came about.
    pub(crate) fn begun(&self) -> Begun {
        let waited = |began: Instant| began.duration_since(self.arrived);
        Begun {
            waited: self.began.map_or(Duration::ZERO, waited),
            forecast: self.forecast,
            since: self.began,
        }
    }

    /// A piece of content came.
    pub(crate) fn content(&mut self) {
        let Some(began) = self.began else { return };
        let now = Instant::now();
        if self.seen.first_token.is_none() {
            // What was spent in the provider's own queue is forecast apart, so it must not be learnt as reading.
            let since = now.duration_since(began);
            self.seen.first_token = Some(since.saturating_sub(self.forecast.elsewhere));
            let mut waiting = self.gate.lock();
            waiting.desk.began(&self.model, self.gate.now());
            waiting.breakers.remove(&self.model);
        } else if let Some(last) = self.last {
            self.seen.generating += now.duration_since(last);
        }
        self.last = Some(now);
        self.seen.completion_tokens += 1;
    }

    /// What the provider counted.
    pub(crate) fn usage(&mut self, usage: Usage) {
        self.seen.prompt_tokens = (usage.prompt_tokens > 0).then_some(usage.prompt_tokens);
        self.seen.cached_tokens = usage.cached_tokens;
        self.seen.completion_tokens = usage.completion_tokens;
    }

    /// The answer comes in one piece: its first token is never seen.
    pub(crate) fn in_one_piece(&mut self) {
        self.one_piece = true;
    }

    /// The answer came to its own end.
    pub(crate) fn ended(&mut self) {
        self.seen.whole = true;
        self.gate.lock().breakers.remove(&self.model);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = self.gate.lock();
        waiting.calls.remove(&self.ticket);
        if self.seen.first_token.is_some() {
            if self.one_piece {
                self.seen.held = self.seen.first_token.take();
            }
            waiting.desk.observe(&self.model, &self.seen);
        }
        waiting.desk.leave(&self.model, self.ticket);
        waiting.call(self.gate.now());
        drop(waiting);
        self.gate.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> (Gates, Arc<Gate>, Arc<str>) {
        let gates = Gates::default();
        let gate = gates.of(&"p".into());
        (gates, gate, "m".into())
    }

    fn visit(key: &str) -> Visit {
        Visit {
            key: key.into(),
            verdict: false,
            bytes: 10,
            tokens: None,
            limit: None,
            asked: None,
        }
    }

    fn one_place(max_waiting: usize) -> Terms {
        Terms {
            slots: Some(1),
            max_waiting,
            ..Terms::default()
        }
    }

    #[tokio::test]
    async fn the_wait_that_is_predicted_is_measured_also_for_who_is_turned_away() {
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        let measured = recorder.handle();
        let _here = metrics::set_default_local_recorder(&recorder);
        let (_gates, gate, m) = gate();
        let (terms, a) = (one_place(0), visit("a"));
        let _place = gate.enter(&m, &a, false, &terms).await.unwrap();
        let full = gate.enter(&m, &a, false, &terms).await;
        assert!(matches!(full, Err(Refusal::Full(_))));
        let verdict = Visit {
            verdict: true,
            ..visit("a")
        };
        let _ = gate.enter(&m, &verdict, false, &terms).await;
        let rendered = measured.render();
        assert!(
            rendered.contains("goblin_predicted_wait_seconds_count 2"),
            "{rendered}"
        );
    }

    #[tokio::test]
    async fn a_leaving_waiter_makes_room_in_the_queue() {
        let (_gates, gate, m) = gate();
        let (terms, a) = (one_place(1), visit("a"));
        let place = gate.enter(&m, &a, false, &terms).await.unwrap();
        let mut waiter = Box::pin(gate.enter(&m, &a, false, &terms));
        assert!(futures_util::poll!(&mut waiter).is_pending());
        let full = gate.enter(&m, &a, false, &terms).await;
        assert!(matches!(full, Err(Refusal::Full(_))), "the queue of one is full");
        drop(waiter);
        assert_eq!(gate.load(&m).waiting, 0);
        let mut next = Box::pin(gate.enter(&m, &a, false, &terms));
        assert!(futures_util::poll!(&mut next).is_pending());
        drop(place);
        assert!(next.await.is_ok());
    }

    #[tokio::test]
    async fn a_waiter_that_was_called_and_leaves_passes_the_place_on() {
        let (_gates, gate, m) = gate();
        let (terms, a) = (one_place(4), visit("a"));
        let place = gate.enter(&m, &a, false, &terms).await.unwrap();
        let mut called = Box::pin(gate.enter(&m, &a, false, &terms));
        let mut after = Box::pin(gate.enter(&m, &a, false, &terms));
        assert!(futures_util::poll!(&mut called).is_pending());
        assert!(futures_util::poll!(&mut after).is_pending());
        drop(place);
        drop(called);
        assert!(futures_util::poll!(&mut after).is_ready());
    }

    #[tokio::test]
    async fn a_displaced_waiter_is_told() {
        let (_gates, gate, m) = gate();
        let terms = one_place(2);
        let (greedy, modest) = (visit("greedy"), visit("modest"));
        let place = gate.enter(&m, &greedy, false, &terms).await.unwrap();
        let mut first = Box::pin(gate.enter(&m, &greedy, false, &terms));
        let mut second = Box::pin(gate.enter(&m, &greedy, false, &terms));
        assert!(futures_util::poll!(&mut first).is_pending());
        assert!(futures_util::poll!(&mut second).is_pending());
        let mut other = Box::pin(gate.enter(&m, &modest, false, &terms));
        assert!(futures_util::poll!(&mut other).is_pending());
        assert!(matches!(second.await, Err(Refusal::Full(_))));
        drop(place);
        assert!(first.await.is_ok());
        assert!(other.await.is_ok());
    }

    #[tokio::test]
    async fn a_wait_beyond_the_deadline_is_refused_at_once() {
        let (_gates, gate, m) = gate();
        let terms = Terms {
            deadline: Some(Duration::from_millis(1)),
            ..one_place(8)
        };
        let _place = gate.enter(&m, &visit("a"), false, &terms).await.unwrap();
        let refused = gate.enter(&m, &visit("a"), false, &terms).await;
        let Err(Refusal::TooLate(told)) = refused else {
            panic!("it waits");
        };
        assert!(told.wait > Duration::from_millis(1));
    }
}
