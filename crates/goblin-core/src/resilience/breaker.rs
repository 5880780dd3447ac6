//! A circuit breaker: a model that failed several times in a row is left alone for a while, then tried by one request
//! alone (half-open), and asked again when that answers. After M. Nygard, *Release It!*, "Circuit Breaker".

use std::time::Duration;

/// So many failures in a row open the circuit.
pub const TRIPS_AFTER: u32 = 5;
/// How long a model is left alone at first; each trial that fails doubles it.
pub const FIRST_REST: Duration = Duration::from_secs(5);
/// The longest it is left alone.
pub const LONGEST_REST: Duration = Duration::from_secs(60);
/// A trial of which nothing was heard for so long is over: its caller left, or it waits for a slow model.
const TRIAL: Duration = Duration::from_secs(30);

/// One model's circuit. Times are since one epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Breaker {
    failures: u32,
    open: Option<Open>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Open {
    /// How long it is left alone this time.
    rest: Duration,
    /// Until then.
    until: Duration,
    /// When a request was let through to try it.
    trial: Option<Duration>,
}

/// A model that is not asked for the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resting {
    /// Failures in a row before it.
    pub failures: u32,
    /// When it is worth coming back.
    pub wait: Duration,
}

impl Breaker {
    /// May a request be made at `now`? Where the rest is over, the first who asks tries it for everybody.
    ///
    /// # Errors
    /// When to come back.
    pub fn admit(&mut self, now: Duration) -> Result<(), Resting> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let failures = self.failures;
        if now < open.until {
            let wait = open.until - now;
            return Err(Resting { failures, wait });
        }
        match open.trial {
            Some(since) if now.saturating_sub(since) < TRIAL => Err(Resting {
                failures,
                wait: FIRST_REST,
            }),
            _ => {
                open.trial = Some(now);
                Ok(())
            }
        }
    }

    /// It answered.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// It failed, by its own fault. Returns whether that opened the circuit, or kept it open after a trial.
    pub fn failed(&mut self, now: Duration) -> bool {
        self.failures = self.failures.saturating_add(1);
        let rest = match &self.open {
            None if self.failures < TRIPS_AFTER => return false,
            None => FIRST_REST,
            // Requests that were under way when it opened say nothing new.
            Some(open) if open.trial.is_none() => return false,
            Some(open) => (open.rest * 2).min(LONGEST_REST),
        };
        self.open = Some(Open {
            rest,
            until: now + rest,
            trial: None,
        });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    fn tripped() -> Breaker {
        let mut breaker = Breaker::default();
        for failure in 1..=TRIPS_AFTER {
            assert_eq!(breaker.admit(S(0)), Ok(()));
            assert_eq!(breaker.failed(S(0)), failure == TRIPS_AFTER);
        }
        breaker
    }

    #[test]
    fn a_model_that_keeps_failing_is_left_alone_and_an_answer_in_between_counts() {
        let mut breaker = Breaker::default();
        for _ in 0..3 {
            for _ in 1..TRIPS_AFTER {
                assert!(!breaker.failed(S(0)));
            }
            breaker.succeeded();
        }
        assert_eq!(breaker, Breaker::default());
        let mut breaker = tripped();
        let resting = breaker.admit(S(2)).unwrap_err();
        assert_eq!((resting.failures, resting.wait), (TRIPS_AFTER, S(3)));
    }

    #[test]
    fn after_its_rest_one_request_tries_it_and_its_answer_opens_the_door_for_all() {
        let mut breaker = tripped();
        assert_eq!(breaker.admit(S(5)), Ok(()), "the trial");
        assert!(breaker.admit(S(5)).is_err(), "the others wait for what it finds");
        breaker.succeeded();
        assert_eq!(breaker.admit(S(6)), Ok(()));
        assert_eq!(breaker.admit(S(6)), Ok(()));
    }

    #[test]
    fn a_trial_that_fails_doubles_the_rest_up_to_the_longest() {
        let mut breaker = tripped();
        let mut now = S(5);
        for rest in [10, 20, 40, 60, 60] {
            assert_eq!(breaker.admit(now), Ok(()));
            assert!(breaker.failed(now));
            assert_eq!(breaker.admit(now).unwrap_err().wait, S(rest));
            now += S(rest);
        }
    }

    #[test]
    fn requests_that_were_under_way_do_not_prolong_it_and_a_lost_trial_is_made_again() {
        let mut breaker = tripped();
        assert!(!breaker.failed(S(4)), "it was asked before");
        assert_eq!(breaker.admit(S(5)), Ok(()));
        assert!(breaker.admit(S(34)).is_err());
        assert_eq!(breaker.admit(S(35)), Ok(()), "nothing was heard of the first");
    }
}
