//! What a provider says of itself, kept for a while. However many ask, it is fetched once at a time, and one that fails
//! is not asked again at once.

use std::sync::Arc;

use goblin_core::clock::{Clock, Timestamp};
use tokio::sync::Mutex;

use super::Fault;

/// How long after a failure the next try waits, in milliseconds.
const RETRY_MS: u64 = 5_000;
/// How long what was kept serves while its provider cannot be reached, in milliseconds.
const STALE_MS: u64 = 3_600_000;
/// How long after a fetch nothing newer is looked for, whatever is missing in it, in milliseconds.
const RENEW_MS: u64 = 60_000;

/// A value that is fetched anew when it is too old.
#[derive(Debug)]
pub(super) struct Kept<T> {
    max_age_ms: u64,
    clock: Clock,
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    value: Option<(Arc<T>, Timestamp)>,
    /// The last failure, and what was wrong.
    failed: Option<(Timestamp, Fault)>,
}

impl<T> Kept<T> {
    pub(super) fn new(max_age_ms: u64, clock: Clock) -> Self {
        Self {
            max_age_ms,
            clock,
            state: Mutex::new(State {
                value: None,
                failed: None,
            }),
        }
    }

    /// The value, at most as old as it may be; `fetch` is only begun when it is needed.
    pub(super) async fn get(&self, fetch: impl Future<Output = Result<T, Fault>>) -> Result<Arc<T>, Fault> {
        self.not_older_than(self.max_age_ms, fetch).await
    }

    /// The value, fetched anew unless that was done just now: something is missing in it.
    pub(super) async fn renew(&self, fetch: impl Future<Output = Result<T, Fault>>) -> Result<Arc<T>, Fault> {
        self.not_older_than(RENEW_MS.min(self.max_age_ms), fetch).await
    }

    async fn not_older_than(
        &self,
        age_ms: u64,
        fetch: impl Future<Output = Result<T, Fault>>,
    ) -> Result<Arc<T>, Fault> {
        let mut state = self.state.lock().await;
        let now = self.clock.now();
        if let Some((value, at)) = &state.value
            && now.ms_since(*at) < age_ms
        {
            return Ok(Arc::clone(value));
        }
        let stale = state
            .value
            .as_ref()
            .filter(|(_, at)| now.ms_since(*at) < STALE_MS)
            .map(|(value, _)| Arc::clone(value));
        if let Some((at, fault)) = &state.failed
            && now.ms_since(*at) < RETRY_MS
        {
            return stale.ok_or_else(|| fault.clone());
        }
        match fetch.await {
            Ok(value) => {
                let value = Arc::new(value);
                *state = State {
                    value: Some((Arc::clone(&value), now)),
                    failed: None,
                };
                Ok(value)
            }
            Err(fault) => {
                state.failed = Some((now, fault.clone()));
                stale.ok_or(fault)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn away() -> Fault {
        Fault::Away("closed".into())
    }

    #[tokio::test]
    async fn it_is_fetched_when_too_old_and_anew_at_most_once_a_minute() {
        let clock = Clock::manual(Timestamp(1_795_471_200_000));
        let kept = Kept::new(600_000, clock.clone());
        let fetched = AtomicUsize::new(0);
        let fetch = || async { Ok(fetched.fetch_add(1, Ordering::SeqCst)) };
        for _ in 0..3 {
            assert_eq!(*kept.get(fetch()).await.unwrap(), 0);
            assert_eq!(*kept.renew(fetch()).await.unwrap(), 0, "just fetched");
        }
        clock.advance_ms(60_000);
        assert_eq!(*kept.get(fetch()).await.unwrap(), 0);
        for _ in 0..100 {
            assert_eq!(*kept.renew(fetch()).await.unwrap(), 1);
        }
        clock.advance_ms(600_000);
        assert_eq!(*kept.get(fetch()).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn one_that_fails_is_not_asked_at_once_and_what_was_kept_serves_for_an_hour() {
        let clock = Clock::manual(Timestamp(1_795_471_200_000));
        let kept: Kept<usize> = Kept::new(600_000, clock.clone());
        let asked = AtomicUsize::new(0);
        let fail = || async {
            asked.fetch_add(1, Ordering::SeqCst);
            Err(away())
        };
        for _ in 0..100 {
            assert_eq!(kept.get(fail()).await, Err(away()));
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        clock.advance_ms(5_000);
        assert_eq!(*kept.get(async { Ok(7) }).await.unwrap(), 7);
        clock.advance_ms(3_599_000);
        assert_eq!(*kept.get(fail()).await.unwrap(), 7, "stale, but better than none");
        clock.advance_ms(6_000);
        assert_eq!(kept.get(fail()).await, Err(away()));
    }

    #[tokio::test]
    async fn many_at_once_fetch_once() {
        let kept = Kept::new(600_000, Clock::manual(Timestamp(1_795_471_200_000)));
        let fetched = AtomicUsize::new(0);
        let fetch = || async {
            fetched.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Ok(1)
        };
        let (a, b, c) = tokio::join!(kept.get(fetch()), kept.get(fetch()), kept.renew(fetch()));
        assert!(a.is_ok() && b.is_ok() && c.is_ok());
        assert_eq!(fetched.load(Ordering::SeqCst), 1);
    }
}
