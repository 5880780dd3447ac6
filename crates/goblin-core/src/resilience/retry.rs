//! Whether a request that failed before its first content is made again, and after how long.
//!
//! Exponential back-off with "equal jitter" (half of the pause is certain, half is chance), as in *Exponential Backoff And
//! Jitter*, AWS Architecture Blog, 2015. A server that says when to come back (`Retry-After`) is believed.

use std::time::Duration;

use crate::provider::ProviderError;

/// The first pause, before chance.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Chance adds so much at most to what a server asked for, so that not everybody comes back at once.
const SPREAD: Duration = Duration::from_millis(250);

/// How often a request is made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// Rounds after the first; 0 = never again.
    pub most: u32,
    /// Longest pause before a round. Whoever asks to come back later than that is not waited for.
    pub longest: Duration,
}

impl Retries {
    /// Nothing is made again: whoever asks does that.
    pub const NONE: Self = Self {
        most: 0,
        longest: Duration::ZERO,
    };
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            most: 2,
            longest: Duration::from_secs(8),
        }
    }
}

/// May the same model answer the same request a moment later?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// No: what is wrong stays wrong.
    No,
    /// It may, at the earliest after this time, when the server named one.
    Soon(Option<Duration>),
}

impl Again {
    /// What `error` says about it.
    pub fn after(error: &ProviderError) -> Self {
        match error {
            ProviderError::Unavailable { .. }
            | ProviderError::Broken { .. }
            | ProviderError::Interrupted { .. } => Self::Soon(None),
            ProviderError::Overloaded { retry_after } => Self::Soon(*retry_after),
            // Without a time nobody knows when the limit is lifted.
            ProviderError::LimitReached {
                retry_after: Some(wait),
            } => Self::Soon(Some(*wait)),
            ProviderError::LimitReached { retry_after: None }
            | ProviderError::Unauthorized
            | ProviderError::QuotaUsedUp
            | ProviderError::Rejected { .. }
            | ProviderError::Unsupported { .. }
            | ProviderError::ContextExceeded { .. }
            | ProviderError::ModelNotFound { .. } => Self::No,
        }
    }
}

impl Retries {
    /// How long to wait before a request that was made again `made` times is made once more; nothing when it is not.
    /// `wanted` is the time the server named, `chance` is in 0–1, `left` what is left of the request's deadline.
    pub fn pause(
        &self,
        made: u32,
        wanted: Option<Duration>,
        chance: f64,
        left: Option<Duration>,
    ) -> Option<Duration> {
        if made >= self.most {
            return None;
        }
        let chance = chance.clamp(0.0, 1.0);
        let pause = match wanted {
            Some(wanted) if wanted > self.longest => return None,
            Some(wanted) => wanted + SPREAD.mul_f64(chance),
            None => {
                let doubled = FIRST_PAUSE.saturating_mul(1 << made.min(16)).min(self.longest);
                doubled.mul_f64(0.5 + chance / 2.0)
            }
        };
        // Whoever is waited for until the end has no time to answer.
        left.is_none_or(|left| pause < left).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn pauses_double_up_to_the_longest_and_half_of_each_is_chance() {
        let retries = Retries {
            most: 10,
            longest: S(1),
        };
        for (made, most) in [(0, 250), (1, 500), (2, 1000), (3, 1000), (9, 1000)] {
            let pause = |chance| retries.pause(made, None, chance, None).unwrap();
            assert_eq!(pause(1.0), Duration::from_millis(most), "{made}");
            assert_eq!(pause(0.0), Duration::from_millis(most) / 2, "{made}");
        }
        assert_eq!(retries.pause(10, None, 0.5, None), None);
        assert_eq!(
            Retries {
                most: 0,
                longest: S(1)
            }
            .pause(0, None, 0.5, None),
            None
        );
    }

    #[test]
    fn a_server_that_says_when_is_believed_within_the_longest_pause() {
        let retries = Retries::default();
        assert_eq!(retries.pause(0, Some(S(3)), 0.0, None), Some(S(3)));
        assert_eq!(retries.pause(0, Some(S(3)), 1.0, None), Some(S(3) + SPREAD));
        assert_eq!(
            retries.pause(0, Some(S(9)), 0.0, None),
            None,
            "too long to wait for"
        );
    }

    #[test]
    fn a_request_is_not_made_again_when_its_time_would_be_over() {
        let retries = Retries::default();
        assert_eq!(
            retries.pause(0, None, 1.0, Some(Duration::from_millis(250))),
            None
        );
        assert!(
            retries
                .pause(0, None, 1.0, Some(Duration::from_millis(251)))
                .is_some()
        );
        assert_eq!(retries.pause(0, Some(S(5)), 0.0, Some(S(4))), None);
    }

    #[test]
    fn what_stays_wrong_is_not_asked_again() {
        let text = String::new;
        let never = [
            ProviderError::Unauthorized,
            ProviderError::QuotaUsedUp,
            ProviderError::LimitReached { retry_after: None },
            ProviderError::ModelNotFound { model: text() },
            ProviderError::Unsupported {
                param: text(),
                message: text(),
            },
        ];
        for error in never {
            assert_eq!(Again::after(&error), Again::No, "{error}");
        }
        let broken = ProviderError::Broken { reason: text() };
        assert_eq!(Again::after(&broken), Again::Soon(None));
        let limited = ProviderError::LimitReached {
            retry_after: Some(S(2)),
        };
        assert_eq!(Again::after(&limited), Again::Soon(Some(S(2))));
    }
}
