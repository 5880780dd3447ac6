//! Whose turn it is to compute, among the models of one process.
//!
//! Each model's step uses all the threads there are. Two steps at once would use twice as many as there are cores,
//! and llama.cpp's threads wait for each other actively. So models take turns, step by step, in the order in which
//! they came. A model that is alone passes without waiting.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// One step at a time, first come first served.
#[derive(Debug, Default)]
pub(crate) struct Turnstile {
    tickets: Mutex<Tickets>,
    turned: Condvar,
}

#[derive(Debug, Default)]
struct Tickets {
    /// The next one to be given out.
    next: u64,
    /// Whose turn it is.
    serving: u64,
}

/// A turn. Dropping it lets the next one in.
pub(crate) struct Turn<'a>(&'a Turnstile);

impl Turnstile {
    fn lock(&self) -> MutexGuard<'_, Tickets> {
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn: at most one step of each other model.
    pub(crate) fn enter(&self) -> Turn<'_> {
        let mut tickets = self.lock();
        let mine = tickets.next;
        tickets.next += 1;
        while tickets.serving != mine {
            tickets = self.turned.wait(tickets).unwrap_or_else(PoisonError::into_inner);
        }
        Turn(self)
    }

    /// Does another model compute or wait now? To be asked without holding a turn.
    pub(crate) fn is_busy(&self) -> bool {
        let tickets = self.lock();
        tickets.next != tickets.serving
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut tickets = self.0.lock();
        tickets.serving += 1;
        if tickets.next != tickets.serving {
            self.0.turned.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn one_computes_at_a_time_and_nobody_is_overtaken_twice() {
        let turnstile = Turnstile::default();
        let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let order = Mutex::new(Vec::new());
        let first = turnstile.enter();
        assert!(turnstile.is_busy());
        std::thread::scope(|scope| {
            for who in 0..3 {
                let (turnstile, inside, most, order) = (&turnstile, &inside, &most, &order);
                scope.spawn(move || {
                    for _ in 0..50 {
                        let _turn = turnstile.enter();
                        most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        order.lock().unwrap().push(who);
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
            // All three stand in line before the first one may pass.
            while turnstile.lock().next < 4 {
                std::thread::yield_now();
            }
            drop(first);
        });
        assert_eq!(most.load(Ordering::SeqCst), 1);
        assert_eq!(order.lock().unwrap().len(), 150);
        assert!(!turnstile.is_busy());
    }
}
