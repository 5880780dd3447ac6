//! Writes down what requests leave behind: their rows of usage and their traces. One task does it, as long as there is
//! something; whatever ends meanwhile is written with the next transaction. So any number of requests that end together
//! cost the database a few transactions, and what waits is rows, not tasks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use goblin_core::clock::Clock;
use goblin_core::error::ApiError;
use goblin_core::owner::Owner;
use goblin_store::book::{Booked, Entry};
use goblin_store::store::Store;
use goblin_store::traces::NewTrace;
use goblin_store::usage::NewUsage;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::traces;

/// Most rows of usage on their way into the database. None may be lost, so whoever asks waits when there are more.
const MOST_UNBOOKED: usize = 1024;
/// Most entries on their way, rows of usage too, at which a trace is still taken; further ones are lost.
pub(crate) const MOST_WAITING: usize = 2 * MOST_UNBOOKED;
/// Most entries of one transaction.
const AT_ONCE: usize = 512;
/// Where a transaction had this many, requests end fast: the next one waits for company. A transaction costs about as much as
/// fifty entries in it.
const BUSY: usize = 8;
/// For how long at most. What a process that is killed had not written down is lost, so this is far below a second.
const GATHER: Duration = Duration::from_millis(20);
/// Longest anybody waits for room.
const PATIENCE: Duration = Duration::from_secs(10);

/// The same for who only reads.
const PATIENCE_OF_READERS: Duration = Duration::from_secs(3);

/// What is on its way into the database. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Books(Arc<Inner>);

struct Inner {
    /// The model tier has none: nothing is written there.
    store: Option<Store>,
    clock: Clock,
    tracker: TaskTracker,
    unbooked: Arc<Semaphore>,
    waiting: Mutex<Waiting>,
    /// As many wait as one transaction takes, or somebody wants to read what waits.
    hurry: Notify,
    /// How many entries have been dealt with.
    done: watch::Sender<u64>,
}

#[derive(Default)]
struct Waiting {
    entries: Vec<Waited>,
    /// How many entries there have been.
    put: u64,
    /// Is there a task that takes them?
    writing: bool,
}

struct Waited {
    booked: Booked,
    /// Of a row of usage: its part of the room.
    room: Option<OwnedSemaphorePermit>,
}

impl Books {
    pub(crate) fn new(store: Option<Store>, clock: Clock, tracker: TaskTracker) -> Self {
        Self(Arc::new(Inner {
            store,
            clock,
            tracker,
            unbooked: Arc::new(Semaphore::new(MOST_UNBOOKED)),
            waiting: Mutex::default(),
            hurry: Notify::new(),
            done: watch::Sender::new(0),
        }))
    }

    /// Waits until what ended before is written down: answers are not made faster than they are booked, however long that
    /// goes on.
    ///
    /// # Errors
    /// `unavailable` when the database does not get on with it.
    pub(crate) async fn room(&self) -> Result<(), ApiError> {
        match timeout(PATIENCE, self.0.unbooked.acquire()).await {
            Ok(_there_is) => Ok(()),
            Err(_) => Err(ApiError::unavailable(
                "More answers have ended than the database has written down. Ask again in a moment.",
            )),
        }
    }

    /// Waits until what was put in before is written down, or lost, so that who was answered can read of it; a few seconds at
    /// most.
    pub(crate) async fn written_down(&self) {
        let put = self.lock().put;
        let mut done = self.0.done.subscribe();
        if *done.borrow_and_update() < put {
            self.0.hurry.notify_one();
            let _in_time = timeout(PATIENCE_OF_READERS, done.wait_for(|done| *done >= put))
                .await
                .is_ok();
        }
    }

    /// A request ended. Returns at once; the process does not end before it is written down.
    pub(crate) fn usage(&self, owner: Owner, row: NewUsage) {
        // Where there is none, it is one of those that were asked while there was.
        let room = Arc::clone(&self.0.unbooked).try_acquire_owned().ok();
        self.put(owner, Entry::Usage(Box::new(row)), room, self.lock());
    }

    /// The trace of a request, which is lost when too much is on its way. Returns at once.
    pub(crate) fn trace(&self, owner: &Owner, new: NewTrace) {
        let waiting = self.lock();
        if waiting.entries.len() < MOST_WAITING {
            self.put(owner.clone(), Entry::Trace(Box::new(new)), None, waiting);
        } else {
            drop(waiting);
            traces::lost(&new, "too many are waiting");
        }
    }

    fn put(
        &self,
        owner: Owner,
        entry: Entry,
        room: Option<OwnedSemaphorePermit>,
        mut waiting: MutexGuard<'_, Waiting>,
    ) {
        let Some(store) = &self.0.store else { return };
        let at = self.0.clock.now();
        let booked = Booked { owner, at, entry };
        waiting.entries.push(Waited { booked, room });
        waiting.put += 1;
        if waiting.entries.len() == AT_ONCE {
            self.0.hurry.notify_one();
        }
        if !std::mem::replace(&mut waiting.writing, true) {
            self.0.tracker.spawn(write(self.clone(), store.clone()));
        }
    }

    /// The next ones to write. Without any the task that asks ends, and the next entry begins another.
    fn next(&self) -> Option<Vec<Waited>> {
        let mut waiting = self.lock();
        if waiting.entries.is_empty() {
            waiting.entries = Vec::new();
            waiting.writing = false;
            return None;
        }
        let count = waiting.entries.len().min(AT_ONCE);
        Some(waiting.entries.drain(..count).collect())
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn write(books: Books, store: Store) {
    while let Some(next) = books.next() {
        let count = next.len();
        let (entries, rooms): (Vec<Booked>, Vec<_>) = next.into_iter().map(|it| (it.booked, it.room)).unzip();
        if let Err(error) = store.book(&entries).await {
            tracing::warn!(%error, entries = entries.len(), "what requests left behind could not be written together; trying each alone");
            write_each(&store, entries).await;
        }
        drop(rooms);
        let dealt_with = u64::try_from(count).unwrap_or(0);
        books.0.done.send_modify(|done| *done += dealt_with);
        if count >= BUSY {
            let _gathered = timeout(GATHER, books.0.hurry.notified()).await;
        }
    }
}

/// One of them may be what the database does not take: the others are kept all the same.
async fn write_each(store: &Store, entries: Vec<Booked>) {
    for booked in entries {
        let Err(error) = store.book(std::slice::from_ref(&booked)).await else {
            continue;
        };
        match &booked.entry {
            Entry::Usage(row) => {
                tracing::error!(%error, request_id = row.request_id, "usage was not recorded")
            }
            Entry::Trace(new) => traces::lost(new, &error.to_string()),
        }
    }
}
