//! When the next place becomes free.

use std::time::Duration;

/// What a newcomer is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forecast {
    /// Until it has a place, here and in the provider's own queue.
    pub wait: Duration,
    /// Of that: the part spent in the provider's own queue, after it has a place here.
    pub elsewhere: Duration,
    /// From the place to the first token; `None` when nothing is known of it.
    pub first_token: Option<Duration>,
}

impl Forecast {
    /// From now to the first token, as far as it is known.
    pub fn until_first_token(&self) -> Duration {
        self.wait + self.first_token.unwrap_or_default()
    }
}

/// What is left of an answer that was expected to take `expected` and has taken `taken`. One that takes longer than
/// it was expected to is never taken to be about to end.
pub fn remaining(expected: Duration, taken: Duration) -> Duration {
    expected.saturating_sub(taken).max(expected / 10)
}

/// The wait of a newcomer at `places` places: `running` says what is left of each answer under way, `ahead` how long
/// each of those served before it will take, in their order.
pub fn wait(places: usize, running: &[Duration], ahead: &[Duration]) -> Duration {
    let places = places.max(1);
    let mut free_at: Vec<Duration> = running.to_vec();
    // More run than there are places (their number shrank): the earliest to end frees none.
    free_at.sort_unstable_by(|a, b| b.cmp(a));
    free_at.truncate(places);
    free_at.resize(places, Duration::ZERO);
    for work in ahead {
        if let Some(earliest) = free_at.iter_mut().min() {
            *earliest += *work;
        }
    }
    free_at.into_iter().min().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: &[u64]) -> Vec<Duration> {
        seconds.iter().map(|s| Duration::from_secs(*s)).collect()
    }

    #[test]
    fn the_wait_is_that_of_the_place_that_is_free_first() {
        for (places, running, ahead, expected) in [
            (1, &[][..], &[][..], 0),
            (1, &[4], &[], 4),
            (2, &[4], &[], 0),
            (2, &[4, 7], &[], 4),
            (2, &[4, 7], &[10], 7),
            (1, &[4], &[3, 3], 10),
            (3, &[9, 1, 5], &[1, 1, 1, 1], 5),
            (1, &[2, 8], &[], 8),
        ] {
            let told = wait(places, &s(running), &s(ahead));
            assert_eq!(
                told,
                Duration::from_secs(expected),
                "{places} {running:?} {ahead:?}"
            );
        }
    }

    #[test]
    fn an_answer_that_overruns_is_not_about_to_end() {
        let expected = Duration::from_secs(10);
        assert_eq!(
            remaining(expected, Duration::from_secs(4)),
            Duration::from_secs(6)
        );
        assert_eq!(
            remaining(expected, Duration::from_secs(60)),
            Duration::from_secs(1)
        );
    }
}
