//! How long a newcomer will wait for a place, and whether to let it queue. Pure arithmetic; the queue itself is
//! in `goblin-dispatch`.

use std::time::Duration;

/// Weight of the newest observation in the running mean.
const ALPHA: f64 = 0.2;

/// A running mean of how long one answer holds its place.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HoldTime {
    mean_seconds: Option<f64>,
}

impl HoldTime {
    /// Takes one finished answer into account.
    pub fn observe(&mut self, held: Duration) {
        let seconds = held.as_secs_f64();
        self.mean_seconds = Some(self.mean_seconds.map_or(seconds, |m| m + ALPHA * (seconds - m)));
    }

    /// Predicted wait of a newcomer who finds `ahead` others waiting and all `places` taken. Places free up at
    /// the rate `places / mean`, so the newcomer waits for `ahead + 1` of them. Unknown mean: 5 s are assumed.
    pub fn predicted_wait(&self, ahead: usize, places: u32) -> Duration {
        let mean = self.mean_seconds.unwrap_or(5.0);
        Duration::from_secs_f64(mean * (ahead as f64 + 1.0) / f64::from(places.max(1)))
    }
}

/// May a newcomer join the queue?
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Admission {
    /// Yes; this long it will probably wait.
    Queue(Duration),
    /// No: the queue is full, or the wait would outlast the caller's deadline. Come back after this long.
    Refuse(Duration),
}

/// Decides for a newcomer when every place is taken.
pub fn admit(
    hold: &HoldTime,
    ahead: usize,
    places: u32,
    max_waiting: usize,
    deadline: Option<Duration>,
) -> Admission {
    let wait = hold.predicted_wait(ahead, places);
    if ahead >= max_waiting || deadline.is_some_and(|d| wait > d) {
        Admission::Refuse(wait)
    } else {
        Admission::Queue(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_grows_with_the_queue_and_shrinks_with_places() {
        let mut hold = HoldTime::default();
        hold.observe(Duration::from_secs(4));
        assert_eq!(hold.predicted_wait(0, 4), Duration::from_secs(1));
        assert_eq!(hold.predicted_wait(3, 4), Duration::from_secs(4));
        assert!(hold.predicted_wait(3, 1) > hold.predicted_wait(3, 2));
    }

    #[test]
    fn a_full_queue_and_a_short_deadline_refuse() {
        let mut hold = HoldTime::default();
        hold.observe(Duration::from_secs(10));
        assert!(matches!(admit(&hold, 8, 1, 8, None), Admission::Refuse(_)));
        assert!(matches!(
            admit(&hold, 0, 1, 8, Some(Duration::from_secs(2))),
            Admission::Refuse(_)
        ));
        assert!(matches!(
            admit(&hold, 0, 1, 8, Some(Duration::from_secs(20))),
            Admission::Queue(_)
        ));
    }

    #[test]
    fn the_mean_follows_what_is_observed() {
        let mut hold = HoldTime::default();
        for _ in 0..50 {
            hold.observe(Duration::from_secs(2));
        }
        hold.observe(Duration::from_secs(7));
        assert!((hold.predicted_wait(0, 1).as_secs_f64() - 3.0).abs() < 1e-6);
    }
}
