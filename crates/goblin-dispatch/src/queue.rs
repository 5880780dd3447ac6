//! The bounded queue in front of a provider: as many answers at once as it has places, a bounded number waiting,
//! first come first served. What to do with a newcomer is decided by [`goblin_core::admission`].

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use goblin_core::admission::{Admission, HoldTime, admit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A queue with a fixed number of places.
pub(crate) struct Gate {
    places: u32,
    semaphore: Arc<Semaphore>,
    waiting: AtomicUsize,
    hold: Mutex<HoldTime>,
}

/// A place. Dropping it frees the place and lets the gate learn how long it was held.
pub(crate) struct Place {
    gate: Arc<Gate>,
    since: Instant,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        let held = self.since.elapsed();
        self.gate
            .hold
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .observe(held);
    }
}

/// Counts a waiter for as long as it waits, also when its caller leaves.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Gate {
    pub(crate) fn new(places: u32) -> Self {
        Self {
            places,
            semaphore: Arc::new(Semaphore::new(places.max(1) as usize)),
            waiting: AtomicUsize::new(0),
            hold: Mutex::new(HoldTime::default()),
        }
    }

    pub(crate) fn places(&self) -> u32 {
        self.places
    }

    /// Waits for a place. `Err` says when to come back: the queue is full, or the wait would outlast `deadline`.
    pub(crate) async fn enter(
        self: &Arc<Self>,
        max_waiting: usize,
        deadline: Option<Duration>,
    ) -> Result<Place, Duration> {
        if let Ok(permit) = Arc::clone(&self.semaphore).try_acquire_owned() {
            return Ok(self.place(permit));
        }
        let ahead = self.waiting.fetch_add(1, Ordering::SeqCst);
        let _waiting = Waiting(&self.waiting);
        let hold = *self.hold.lock().unwrap_or_else(PoisonError::into_inner);
        match admit(&hold, ahead, self.places, max_waiting, deadline) {
            Admission::Refuse(wait) => Err(wait),
            Admission::Queue(wait) => match Arc::clone(&self.semaphore).acquire_owned().await {
                Ok(permit) => Ok(self.place(permit)),
                Err(_closed) => Err(wait),
            },
        }
    }

    fn place(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Place {
        Place {
            gate: Arc::clone(self),
            since: Instant::now(),
            _permit: permit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_leaving_waiter_makes_room_in_the_queue() {
        let gate = Arc::new(Gate::new(1));
        let place = gate.enter(1, None).await.unwrap();
        let mut waiter = Box::pin(gate.enter(1, None));
        assert!(futures_util::poll!(&mut waiter).is_pending());
        assert!(gate.enter(1, None).await.is_err(), "the queue of one is full");
        drop(waiter);
        let mut next = Box::pin(gate.enter(1, None));
        assert!(futures_util::poll!(&mut next).is_pending());
        drop(place);
        assert!(next.await.is_ok());
    }

    #[tokio::test]
    async fn a_wait_beyond_the_deadline_is_refused_at_once() {
        let gate = Arc::new(Gate::new(1));
        let _place = gate.enter(8, None).await.unwrap();
        let refused = gate.enter(8, Some(Duration::from_millis(1))).await;
        assert!(refused.is_err_and(|wait| wait > Duration::from_millis(1)));
    }
}
