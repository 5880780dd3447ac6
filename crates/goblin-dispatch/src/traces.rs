//! Keeps why each answer came from where it came from, and counts it. No answer waits for that, and no answer fails
//! because of it: a trace that cannot be kept is logged and counted as lost.

mod counted;
pub(crate) mod unchecked;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use goblin_core::owner::Owner;
use goblin_core::status::Outcomes;
use goblin_core::trace::Trace;
use goblin_store::store::Store;
use goblin_store::traces::NewTrace;
use tokio_util::task::TaskTracker;

use crate::Dispatch;
use crate::books::Books;
use crate::cascade::KeepTrace;

/// Longest a chat's turn waits for its trace, after its answer is whole.
const PATIENCE: Duration = Duration::from_secs(3);

impl Dispatch {
    /// Counts a trace and keeps it in the background. Returns at once; the process does not end before it is kept.
    pub fn keep_trace(&self, owner: &Owner, new: NewTrace) {
        self.traces.keep(owner, new);
    }

    /// What came of answers since this process began; of requests nothing is known here.
    pub fn outcomes(&self) -> Outcomes {
        self.traces.tally.outcomes()
    }

    /// Waits until the traces and the usage of what ended before can be read, a few seconds at most.
    pub async fn written_down(&self) {
        self.books.written_down().await;
    }

    /// What keeps the trace of a request of an API door, once it is whole or its caller has left.
    pub(crate) fn keeper(self: &Arc<Self>, owner: &Owner, request_id: &str) -> KeepTrace {
        let (dispatch, owner, request_id) = (Arc::clone(self), owner.clone(), request_id.to_owned());
        Box::new(move |trace| {
            let new = NewTrace {
                request_id,
                turn: None,
                trace,
            };
            dispatch.keep_trace(&owner, new);
        })
    }

    /// [`Self::keep_trace`] for a chat's turn, to be called before the turn's end is saved: who then reads the turn finds its
    /// trace. Waits a few seconds at most; after that it goes on in the background.
    pub async fn keep_turn_trace(&self, owner: &Owner, new: NewTrace) {
        self.traces.keep_with_turn(owner, new).await;
    }
}

/// Holds the trace of a chat's turn from the end of its answer until the turn is saved.
#[derive(Clone, Default)]
pub(crate) struct Slot(Arc<Mutex<Option<Trace>>>);

impl Slot {
    /// What puts a trace in here.
    pub(crate) fn filler(&self) -> KeepTrace {
        let slot = self.clone();
        Box::new(move |trace| *slot.lock() = Some(trace))
    }

    /// The trace, if the answer had one.
    pub(crate) fn take(&self) -> Option<Trace> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Trace>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where traces go.
pub(crate) struct Traces {
    /// The model tier has none: there they are only counted.
    store: Option<Store>,
    tracker: TaskTracker,
    books: Books,
    tally: counted::Tally,
}

impl Traces {
    pub(crate) fn new(store: Option<Store>, tracker: TaskTracker, books: Books) -> Self {
        Self {
            store,
            tracker,
            books,
            tally: counted::Tally::default(),
        }
    }

    fn keep(&self, owner: &Owner, new: NewTrace) {
        self.tally.count(&new.trace);
        self.books.trace(owner, new);
    }

    async fn keep_with_turn(&self, owner: &Owner, new: NewTrace) {
        self.tally.count(&new.trace);
        let Some(store) = self.store.clone() else {
            return;
        };
        let owner = owner.clone();
        let saved = self
            .tracker
            .spawn(async move { save(&store, &owner, &new).await });
        // Not in time, or panicked: the turn ends all the same.
        let _kept = tokio::time::timeout(PATIENCE, saved).await;
    }
}

async fn save(store: &Store, owner: &Owner, new: &NewTrace) {
    if let Err(error) = store.insert_trace(owner, new).await {
        lost(new, &error.to_string());
    }
}

pub(crate) fn lost(new: &NewTrace, why: &str) {
    metrics::counter!("goblin_traces_lost_total").increment(1);
    tracing::error!(
        trace = new.trace.trace_id,
        request_id = new.request_id,
        why,
        "a trace was not kept"
    );
}

#[cfg(test)]
mod tests {
    use goblin_core::clock::{Clock, Timestamp};
    use goblin_core::id::Ids;
    use goblin_store::store::{Database, StoreOptions};

    use super::*;
    use crate::books;

    async fn store() -> Store {
        let options = StoreOptions {
            database: Database::Memory,
            clock: Clock::manual(Timestamp(0)),
            ids: Ids::counting(),
        };
        Store::open(options).await.unwrap()
    }

    fn traces_of(store: &Store, tracker: &TaskTracker) -> Traces {
        let books = Books::new(Some(store.clone()), Clock::manual(Timestamp(0)), tracker.clone());
        Traces::new(Some(store.clone()), tracker.clone(), books)
    }

    fn named(id: &str) -> NewTrace {
        NewTrace {
            trace: Trace {
                trace_id: id.into(),
                ..Trace::default()
            },
            ..NewTrace::default()
        }
    }

    #[tokio::test]
    async fn a_trace_is_there_when_the_work_in_the_background_is_done() {
        let (store, tracker) = (store().await, TaskTracker::new());
        let traces = traces_of(&store, &tracker);
        traces.keep(&Owner::local(), named("t-1"));
        tracker.close();
        tracker.wait().await;
        assert!(store.find_trace(&Owner::local(), "t-1").await.unwrap().is_some());
    }

    #[tokio::test]
    async fn who_asks_right_after_an_answer_finds_its_trace_also_where_many_end() {
        let (store, tracker) = (store().await, TaskTracker::new());
        let traces = traces_of(&store, &tracker);
        // After as many as these the next transaction waits for company.
        for n in 0..20 {
            traces.keep(&Owner::local(), named(&format!("t-{n}")));
        }
        for id in ["t-20", "t-21"] {
            traces.keep(&Owner::local(), named(id));
            traces.books.written_down().await;
            assert!(
                store.find_trace(&Owner::local(), id).await.unwrap().is_some(),
                "{id}"
            );
        }
    }

    #[tokio::test]
    async fn a_turn_ends_after_its_trace_is_there() {
        let store = store().await;
        let traces = traces_of(&store, &TaskTracker::new());
        traces.keep_with_turn(&Owner::local(), named("t-1")).await;
        assert!(store.find_trace(&Owner::local(), "t-1").await.unwrap().is_some());
    }

    #[tokio::test]
    async fn what_does_not_fit_or_cannot_be_saved_is_lost_and_counted_and_nobody_waits_for_it() {
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        let measured = recorder.handle();
        let _here = metrics::set_default_local_recorder(&recorder);
        let lost = |n: usize| {
            let (line, rendered) = (format!("goblin_traces_lost_total {n}"), measured.render());
            assert!(rendered.contains(&line), "{line} in {rendered}");
        };
        let (store, tracker) = (store().await, TaskTracker::new());
        let traces = traces_of(&store, &tracker);
        // Nothing in the background runs before this test waits: all places are taken.
        for n in 0..=books::MOST_WAITING {
            traces.keep(&Owner::local(), named(&format!("t-{n}")));
        }
        lost(1);
        tracker.close();
        tracker.wait().await;
        lost(1);
        store.close().await;
        traces.keep_with_turn(&Owner::local(), named("late")).await;
        lost(2);
        let later = TaskTracker::new();
        let traces = traces_of(&store, &later);
        for id in ["later", "latest"] {
            traces.keep(&Owner::local(), named(id));
        }
        later.close();
        later.wait().await;
        lost(4);
    }
}
