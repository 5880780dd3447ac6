//! How many requests came in the last minute, in slots of three seconds: never more than the limit in any
//! minute, and the same few numbers whatever the limit is.

use std::time::Duration;

use goblin_core::clock::Timestamp;

const SLOT_MS: i64 = 3_000;
/// A minute, and the slot under way.
const SLOTS: usize = 21;

/// Requests of the last minute.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// By slot number modulo [`SLOTS`].
    taken: [u32; SLOTS],
    /// The number of the newest slot.
    newest: i64,
    total: u32,
}

impl Window {
    /// Takes a place among `limit` requests in any minute.
    ///
    /// # Errors
    /// How long until there is one.
    pub(super) fn take(&mut self, limit: u32, now: Timestamp) -> Result<(), Duration> {
        self.advance(now);
        if self.total >= limit {
            return Err(self.wait(limit, now));
        }
        let at = self.place(self.newest);
        self.taken[at] += 1;
        self.total += 1;
        Ok(())
    }

    /// Forgets the slots that are more than a minute old. A clock that went backwards changes nothing.
    fn advance(&mut self, now: Timestamp) {
        let current = now.0.div_euclid(SLOT_MS);
        let ahead = usize::try_from(current.saturating_sub(self.newest)).unwrap_or(0);
        for _ in 0..ahead.min(SLOTS) {
            self.newest += 1;
            let at = self.place(self.newest);
            self.total -= std::mem::take(&mut self.taken[at]);
        }
        self.newest = self.newest.max(current);
    }

    /// Until so many old slots are forgotten that one more request fits.
    fn wait(&self, limit: u32, now: Timestamp) -> Duration {
        let mut left = self.total;
        let oldest = self.newest - (SLOTS as i64 - 1);
        let mut slot = oldest;
        while slot <= self.newest && left >= limit {
            left -= self.taken[self.place(slot)];
            slot += 1;
        }
        // `slot - 1` is the last one that must be forgotten: its place is taken again `SLOTS` slots later.
        let free_at = (slot - 1 + SLOTS as i64) * SLOT_MS;
        Duration::from_millis(u64::try_from(free_at - now.0).unwrap_or(0).max(1))
    }

    fn place(&self, slot: i64) -> usize {
        slot.rem_euclid(SLOTS as i64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    #[test]
    fn a_minute_never_holds_more_than_the_limit_and_the_wait_is_true() {
        let (mut window, mut taken) = (Window::default(), VecDeque::<i64>::new());
        let mut now = 1_795_471_200_000_i64;
        let mut refused = 0;
        // Uneven steps, a fixed pattern: bursts, pauses, long silences.
        for step in [0, 1, 700, 2_999, 3_000, 61_000, 5, 0, 0, 12_345]
            .into_iter()
            .cycle()
            .take(4_000)
        {
            now += step / 7;
            match window.take(5, Timestamp(now)) {
                Ok(()) => taken.push_back(now),
                Err(wait) => {
                    refused += 1;
                    assert!(wait <= Duration::from_millis(63_000), "{wait:?}");
                    let later = now + i64::try_from(wait.as_millis()).unwrap();
                    let mut copy = Window {
                        taken: window.taken,
                        ..window
                    };
                    assert!(copy.take(5, Timestamp(later)).is_ok(), "the wait is enough");
                    let mut copy = Window {
                        taken: window.taken,
                        ..window
                    };
                    assert!(copy.take(5, Timestamp(later - 1)).is_err(), "and not too long");
                }
            }
            while taken.front().is_some_and(|first| now - first >= 60_000) {
                taken.pop_front();
            }
            assert!(taken.len() <= 5);
        }
        assert!(refused > 100, "{refused}");
    }

    #[test]
    fn a_clock_that_goes_backwards_gives_nothing_away() {
        let mut window = Window::default();
        assert!(window.take(1, Timestamp(100_000)).is_ok());
        assert!(window.take(1, Timestamp(1)).is_err());
        assert!(window.take(1, Timestamp(163_000)).is_ok());
    }
}
