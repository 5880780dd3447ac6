//! How often somebody may try to sign in: GCRA, counted where all copies of goblin count. A try that succeeds costs nothing.
//!
//! Three bounds hold together: for one address on one account, for one address, and for one account. The last one
//! stops many addresses that try one account; so that nobody is locked out by strangers, it does not count for an
//! address the account has signed in from before.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use goblin_core::clock::Clock;
use goblin_store::rate_limits::{
    LimiterAway, MemoryLimiter, Rate, RateLimiter, Subject, Taken, WithoutRedis,
};

use crate::secret;

const PAIR: Rate = Rate {
    burst: 5,
    every_ms: 10_000,
};
const ADDRESS: Rate = Rate {
    burst: 30,
    every_ms: 2_000,
};
const ACCOUNT: Rate = Rate {
    burst: 20,
    every_ms: 30_000,
};

/// Counts tries. Cloning shares the counts.
#[derive(Clone, Debug)]
pub struct Throttle(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limiter: RateLimiter,
    /// Counts while Redis is away.
    here: MemoryLimiter,
    without: WithoutRedis,
}

/// A try that was let through. Give it back when it succeeds.
#[derive(Debug)]
#[must_use = "a try that succeeds is given back"]
pub struct Try {
    throttle: Throttle,
    subjects: Vec<Subject>,
    /// Was it counted in this process because Redis was away?
    here: bool,
}

/// Why a try was not let through.
#[derive(Clone, Debug)]
pub enum Held {
    /// There were too many; one more is let through after so long. What is refused counts for nothing.
    Wait(Duration),
    /// Nobody counts, and then nobody is let through.
    Away(LimiterAway),
}

impl Throttle {
    /// Counts by `limiter`; while that is away, as `without` says.
    pub fn new(limiter: RateLimiter, clock: Clock, without: WithoutRedis) -> Self {
        Self(Arc::new(Inner {
            limiter,
            here: MemoryLimiter::new(clock),
            without,
        }))
    }

    /// Counts in this process alone.
    pub fn memory(clock: Clock) -> Self {
        Self::new(RateLimiter::memory(clock.clone()), clock, WithoutRedis::CountHere)
    }

    /// Takes a try of `address`, at `account` (an address of e-mail in its compared form, whether or not anybody has
    /// it) when it is about one. `is_known` says that the account has signed in from there before.
    ///
    /// # Errors
    /// [`Held`].
    pub async fn take(
        &self,
        address: Option<IpAddr>,
        account: Option<&str>,
        is_known: bool,
    ) -> Result<Try, Held> {
        let from = from_place(address);
        let mut subjects = vec![subject(from.clone(), ADDRESS)];
        if let Some(account) = account {
            // Nobody's address is kept where it is counted.
            let account = secret::hash(account);
            subjects.push(subject(format!("on {account} {from}"), PAIR));
            if !is_known {
                subjects.push(subject(format!("on {account}"), ACCOUNT));
            }
        }
        let inner = &self.0;
        let (taken, here) = match inner.limiter.take(&subjects).await {
            Ok(taken) => (Some(taken), false),
            Err(away) => {
                let instead = inner.without.instead(&inner.here, &subjects, away);
                (instead.map_err(Held::Away)?, true)
            }
        };
        if let Some(Taken::Refused { retry_after, .. }) = taken {
            return Err(Held::Wait(retry_after));
        }
        Ok(Try {
            throttle: self.clone(),
            subjects: if taken.is_some() { subjects } else { Vec::new() },
            here,
        })
    }

    /// Gives back one try of `address` that led, in a second step, to a success.
    pub async fn forgive(&self, address: Option<IpAddr>) {
        self.give_back(&[subject(from_place(address), ADDRESS)], false)
            .await;
    }

    async fn give_back(&self, subjects: &[Subject], here: bool) {
        if here || self.0.limiter.give_back(subjects).await.is_err() {
            // What Redis cannot take back runs out by itself within minutes.
            self.0.here.give_back(subjects);
        }
    }
}

impl Try {
    /// It succeeded, so it costs nothing.
    pub async fn give_back(self) {
        self.throttle.give_back(&self.subjects, self.here).await;
    }
}

fn subject(name: String, rate: Rate) -> Subject {
    Subject {
        name: format!("tries {name}").into(),
        rate,
    }
}

/// All tries of one address.
fn from_place(address: Option<IpAddr>) -> String {
    address.map_or_else(|| "from nowhere".to_owned(), |a| format!("from {}", place(a)))
}

/// What counts as one address: of IPv6 the /64, because that is what one customer is given.
fn place(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use goblin_core::clock::Timestamp;

    use super::*;

    const NOW: Timestamp = Timestamp(1_795_471_200_000);

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    fn at_now() -> (Throttle, Clock) {
        let clock = Clock::manual(NOW);
        (Throttle::memory(clock.clone()), clock)
    }

    /// How many of `times` tries are let through.
    async fn passed(throttle: &Throttle, from: &str, account: &str, times: usize) -> usize {
        let mut through = 0;
        for _ in 0..times {
            through += usize::from(throttle.take(ip(from), Some(account), false).await.is_ok());
        }
        through
    }

    async fn wait(throttle: &Throttle, from: &str, account: &str) -> Duration {
        match throttle.take(ip(from), Some(account), false).await {
            Err(Held::Wait(wait)) => wait,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn one_address_on_one_account_has_a_few_tries_and_then_one_now_and_then() {
        let (throttle, clock) = at_now();
        assert_eq!(passed(&throttle, "192.0.2.1", "a@x.org", 10_000).await, 5);
        assert_eq!(
            wait(&throttle, "192.0.2.1", "a@x.org").await,
            Duration::from_secs(10)
        );
        clock.advance_ms(10_000);
        assert_eq!(passed(&throttle, "192.0.2.1", "a@x.org", 100).await, 1);
        clock.advance_ms(86_400_000);
        assert_eq!(passed(&throttle, "192.0.2.1", "a@x.org", 100).await, 5);
    }

    #[tokio::test]
    async fn many_addresses_on_one_account_are_bounded_and_do_not_lock_out_a_known_one() {
        let (throttle, _) = at_now();
        let mut through = 0;
        for n in 0..1000u32 {
            let from = IpAddr::V4((0x0A00_0000 + n).into());
            through += usize::from(throttle.take(Some(from), Some("a@x.org"), false).await.is_ok());
        }
        assert_eq!(through, 20);
        let one = ip("192.0.2.1");
        assert!(throttle.take(one, Some("a@x.org"), false).await.is_err());
        assert!(throttle.take(one, Some("a@x.org"), true).await.is_ok());
        let other = throttle.take(one, Some("b@x.org"), false).await;
        assert!(other.is_ok(), "another account");
    }

    #[tokio::test]
    async fn one_address_on_many_accounts_is_bounded() {
        let (throttle, _) = at_now();
        let mut through = 0;
        for n in 0..1000 {
            through += passed(&throttle, "2001:db8::1", &format!("{n}@x.org"), 1).await;
        }
        assert_eq!(through, 30);
        let neighbour = throttle
            .take(ip("2001:db8::ffff"), Some("new@x.org"), false)
            .await;
        assert!(neighbour.is_err(), "the same /64");
        let next = throttle
            .take(ip("2001:db8:0:1::1"), Some("new@x.org"), false)
            .await;
        assert!(next.is_ok());
        assert!(throttle.take(ip("::ffff:192.0.2.7"), None, false).await.is_ok());
    }

    #[tokio::test]
    async fn tries_that_succeed_cost_nothing() {
        let (throttle, _) = at_now();
        for _ in 0..1000 {
            let taken = throttle.take(ip("192.0.2.1"), Some("a@x.org"), false).await;
            taken.unwrap().give_back().await;
        }
        assert_eq!(passed(&throttle, "192.0.2.1", "a@x.org", 100).await, 5);
    }

    #[tokio::test]
    async fn a_try_that_leads_to_a_success_later_is_forgiven_and_never_more_than_was_taken() {
        let (throttle, _) = at_now();
        let one = ip("192.0.2.1");
        let taken = || async {
            let mut through = 0;
            for _ in 0..100 {
                through += usize::from(throttle.take(one, None, false).await.is_ok());
            }
            through
        };
        assert_eq!(taken().await, 30);
        throttle.forgive(one).await;
        assert_eq!(taken().await, 1);
        for _ in 0..100 {
            throttle.forgive(one).await;
        }
        assert_eq!(taken().await, 30, "nothing is saved up");
    }

    #[tokio::test]
    async fn tries_at_the_same_time_are_counted_before_they_are_answered() {
        let (throttle, _) = at_now();
        let mut under_way = Vec::new();
        for _ in 0..100 {
            under_way.extend(throttle.take(ip("192.0.2.1"), Some("a@x.org"), false).await);
        }
        assert_eq!(under_way.len(), 5);
    }

    #[tokio::test]
    async fn a_clock_set_back_makes_nobody_wait_longer_than_for_a_whole_burst() {
        let (throttle, clock) = at_now();
        assert_eq!(passed(&throttle, "192.0.2.1", "a@x.org", 100).await, 5);
        clock.advance_ms(-600_000);
        // The slowest of the three: that of tries at the account.
        assert_eq!(
            wait(&throttle, "192.0.2.1", "a@x.org").await,
            Duration::from_secs(30)
        );
        clock.advance_ms(30_000);
        assert_eq!(passed(&throttle, "192.0.2.1", "a@x.org", 100).await, 1);
    }
}
