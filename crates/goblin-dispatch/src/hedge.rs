//! Two models asked for one answer: the next of a ladder beside a first that says nothing. Whoever produces content first
//! answers; the other is dropped, which closes its connection. It is no failure of the other's: nothing is held against it.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use goblin_core::route::Offer;
use goblin_core::trace::StepOutcome;
use tokio::time::{Instant, timeout};

use crate::Dispatch;
use crate::attempt::Attempt;
use crate::climb::{Limit, Opened, open};
use crate::gate::Visit;
use crate::job::Job;
use crate::meter::Meter;
use crate::table::View;

/// What came of asking: who began to answer, and who failed, in the order of the ladder.
pub(crate) struct Tried {
    pub(crate) begun: Option<(Offer, Opened)>,
    pub(crate) failed: Vec<(Offer, Attempt)>,
    /// Is what failed in the trace already?
    pub(crate) told: bool,
}

impl Tried {
    /// One was asked.
    pub(crate) fn of(candidate: &Offer, result: Result<Opened, Attempt>) -> Self {
        let mut tried = Self {
            begun: None,
            failed: Vec::new(),
            told: false,
        };
        tried.add(candidate, result);
        tried
    }

    fn add(&mut self, candidate: &Offer, result: Result<Opened, Attempt>) {
        match result {
            Ok(opened) => self.begun = Some((candidate.clone(), opened)),
            Err(attempt) => self.failed.push((candidate.clone(), attempt)),
        }
    }
}

/// A candidate, and who is asked beside it.
pub(crate) struct Pair<'a> {
    pub(crate) dispatch: &'a Dispatch,
    pub(crate) view: &'a View,
    pub(crate) job: &'a Job,
    pub(crate) limit: Limit,
    pub(crate) first: &'a Offer,
    pub(crate) other: &'a Offer,
    /// How many stand ready after the first.
    pub(crate) others: usize,
    /// Do all candidates have the same model?
    pub(crate) one_model: bool,
}

impl Pair<'_> {
    /// Asks the first, and the other as well when the first has said nothing `after` this time.
    pub(crate) async fn race(&self, after: Duration, visit: &mut Visit, meter: &mut Meter) -> Tried {
        let began = Instant::now();
        let tab = meter.tab().clone();
        let mut beside = visit.clone();
        let (first, other) = {
            let booked = (&tab, Some(&mut *meter));
            let first = self.open(self.first, visit, booked, self.others);
            let mut first = pin!(first);
            if let Ok(result) = timeout(after, &mut first).await {
                return Tried::of(self.first, result);
            }
            let other = self.open(self.other, &mut beside, (&tab, None), self.others - 1);
            match select(first, pin!(other)).await {
                Either::Left((Ok(opened), _stopped)) => (Some(Ok(opened)), None),
                Either::Left((Err(attempt), other)) => {
                    let helps = attempt.helps_next(self.one_model);
                    (Some(Err(attempt)), if helps { Some(other.await) } else { None })
                }
                Either::Right((Ok(opened), _stopped)) => (None, Some(Ok(opened))),
                Either::Right((Err(attempt), first)) => (Some(first.await), Some(Err(attempt))),
            }
        };
        self.tell(meter, (visit, began), (&beside, began + after), (&first, &other));
        let mut tried = Tried {
            begun: None,
            failed: Vec::new(),
            told: true,
        };
        if let Some(result) = first {
            tried.add(self.first, result);
        }
        if let Some(result) = other {
            tried.add(self.other, result);
        }
        tried
    }

    async fn open(
        &self,
        candidate: &Offer,
        visit: &mut Visit,
        booked: (&crate::money::Tab, Option<&mut Meter>),
        others: usize,
    ) -> Result<Opened, Attempt> {
        let opening = open(
            self.dispatch,
            self.view,
            candidate,
            self.job,
            visit,
            booked,
            self.limit,
        );
        self.limit.begin(candidate, others, opening).await
    }

    /// Puts both into the trace: who was asked, and what came of it.
    fn tell(
        &self,
        meter: &mut Meter,
        (visit, began): (&Visit, Instant),
        (beside, asked): (&Visit, Instant),
        (first, other): (&Outcome, &Outcome),
    ) {
        let (one, two) = (self.first.id(), self.other.id());
        if let Some(Err(attempt)) = first {
            attempt.tell(self.first, meter);
        } else if let (Some(Ok(_)), Some(call)) = (other, visit.asked) {
            let why = format!("Hedged: `{two}` was asked beside it, began first, and answers.");
            meter.beside(
                self.first,
                (call, visit.bytes, began),
                StepOutcome::Cancelled,
                why,
            );
        } else if let Some(Ok(_)) = other {
            meter.note(format!(
                "Hedged: `{one}` had no place yet when `{two}`, asked beside it, began."
            ));
        }
        let lost = beside.asked.map(|call| (call, beside.bytes, asked));
        let outcome = match (other, lost) {
            (Some(Ok(opened)), _) => {
                meter.placed(&opened.place.begun());
                meter.asks(self.other, beside.bytes);
                "won"
            }
            (Some(Err(attempt)), Some(lost)) => {
                let why = attempt.error.message.clone();
                meter.beside(self.other, lost, StepOutcome::Failed, why);
                "failed"
            }
            (None, Some(lost)) => {
                let why = format!("Hedged: it was asked beside `{one}`, and stopped before it had begun.");
                meter.beside(self.other, lost, StepOutcome::Cancelled, why);
                "stopped"
            }
            (Some(Err(attempt)), None) => {
                attempt.tell(self.other, meter);
                "not_asked"
            }
            (None, None) => "not_asked",
        };
        let provider = self.other.provider.to_string();
        metrics::counter!("goblin_hedges_total", "provider" => provider, "outcome" => outcome).increment(1);
    }
}

/// What came of one of the two; `None`: it was stopped.
type Outcome = Option<Result<Opened, Attempt>>;
