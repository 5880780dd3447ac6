//! How often somebody may try to sign in: GCRA, in memory, bounded. A try that succeeds costs nothing.
//!
//! Three bounds hold together: for one address on one account, for one address, and for one account. The last one
//! stops many addresses that try one account; so that nobody is locked out by strangers, it does not count for an
//! address the account has signed in from before.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use goblin_core::clock::Timestamp;

/// Most subjects remembered; beyond, whoever is forgiven soonest is forgotten.
const MAX_SUBJECTS: usize = 20_000;

/// So many at once, then one in every so often.
#[derive(Clone, Copy, Debug)]
struct Rate {
    burst: i64,
    every_ms: i64,
}

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
#[derive(Clone, Debug, Default)]
pub struct Throttle(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    /// By subject: the moment from which on it has its whole burst again, in milliseconds.
    until: HashMap<Arc<str>, i64>,
    by_end: BTreeSet<(i64, Arc<str>)>,
}

/// A try that was let through. Give it back when it succeeds.
#[derive(Debug)]
#[must_use = "a try that succeeds is given back"]
pub struct Try {
    throttle: Throttle,
    subjects: Vec<(Arc<str>, Rate)>,
}

impl Throttle {
    /// Takes a try of `address`, at `account` (an address of e-mail in its compared form, whether or not anybody has
    /// it) when it is about one. `is_known` says that the account has signed in from there before.
    ///
    /// # Errors
    /// How long to wait. What is refused counts for nothing.
    pub fn take(
        &self,
        address: Option<IpAddr>,
        account: Option<&str>,
        is_known: bool,
        now: Timestamp,
    ) -> Result<Try, Duration> {
        let from = from_place(address);
        let mut subjects = vec![(Arc::from(from.as_str()), ADDRESS)];
        if let Some(account) = account {
            subjects.push((Arc::from(format!("on {account} {from}")), PAIR));
            if !is_known {
                subjects.push((Arc::from(format!("on {account}")), ACCOUNT));
            }
        }
        let mut table = self.table();
        for (subject, rate) in &subjects {
            table.settle(subject, *rate, now);
        }
        let wait = subjects
            .iter()
            .map(|(subject, rate)| table.wait(subject, *rate, now))
            .max();
        if let Some(wait) = wait.filter(|wait| *wait > 0) {
            return Err(Duration::from_millis(wait.unsigned_abs()));
        }
        for (subject, rate) in &subjects {
            table.add(subject, rate.every_ms, now);
        }
        drop(table);
        Ok(Try {
            throttle: self.clone(),
            subjects,
        })
    }

    /// Gives back one try of `address` that led, in a second step, to a success.
    pub fn forgive(&self, address: Option<IpAddr>, now: Timestamp) {
        let subject = Arc::from(from_place(address).as_str());
        self.table().add(&subject, -ADDRESS.every_ms, now);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Try {
    /// It succeeded, so it costs nothing.
    pub fn give_back(self, now: Timestamp) {
        let mut table = self.throttle.table();
        for (subject, rate) in &self.subjects {
            table.add(subject, -rate.every_ms, now);
        }
    }
}

impl Table {
    /// How long until one more fits, in milliseconds; 0 or less: now.
    fn wait(&self, subject: &str, rate: Rate, now: Timestamp) -> i64 {
        let until = self.until.get(subject).copied().unwrap_or(now.0).max(now.0);
        until + rate.every_ms - rate.burst * rate.every_ms - now.0
    }

    /// Nobody owes more than a whole burst, unless the clock was set back: then they owe no more either.
    fn settle(&mut self, subject: &Arc<str>, rate: Rate, now: Timestamp) {
        let most = now.0 + rate.burst * rate.every_ms;
        if let Some(until) = self.until.get(subject).copied().filter(|until| *until > most) {
            self.add(subject, most - until, now);
        }
    }

    fn add(&mut self, subject: &Arc<str>, ms: i64, now: Timestamp) {
        let before = self.until.remove(subject);
        if let Some(before) = before {
            self.by_end.remove(&(before, Arc::clone(subject)));
        }
        let until = before.unwrap_or(now.0).max(now.0).saturating_add(ms);
        if until <= now.0 {
            return;
        }
        while self.until.len() >= MAX_SUBJECTS {
            let Some((_, forgiven)) = self.by_end.pop_first() else {
                break;
            };
            self.until.remove(&forgiven);
        }
        self.by_end.insert((until, Arc::clone(subject)));
        self.until.insert(Arc::clone(subject), until);
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
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_471_200_000);

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    /// How many of `times` tries are let through.
    fn passed(
        throttle: &Throttle,
        from: &str,
        account: &str,
        known: bool,
        times: usize,
        at: Timestamp,
    ) -> usize {
        let tries = (0..times).filter(|_| throttle.take(ip(from), Some(account), known, at).is_ok());
        tries.count()
    }

    #[test]
    fn one_address_on_one_account_has_a_few_tries_and_then_one_now_and_then() {
        let throttle = Throttle::default();
        assert_eq!(passed(&throttle, "192.0.2.1", "a@x.org", false, 10_000, NOW), 5);
        let wait = throttle
            .take(ip("192.0.2.1"), Some("a@x.org"), false, NOW)
            .unwrap_err();
        assert_eq!(wait, Duration::from_secs(10));
        let later = NOW.plus_ms(10_000);
        assert_eq!(passed(&throttle, "192.0.2.1", "a@x.org", false, 100, later), 1);
        let next_day = NOW.plus_ms(86_400_000);
        assert_eq!(passed(&throttle, "192.0.2.1", "a@x.org", false, 100, next_day), 5);
    }

    #[test]
    fn many_addresses_on_one_account_are_bounded_and_do_not_lock_out_a_known_one() {
        let throttle = Throttle::default();
        let through = (0..1000)
            .filter(|n| {
                let from = IpAddr::V4((0x0A00_0000 + n).into());
                throttle.take(Some(from), Some("a@x.org"), false, NOW).is_ok()
            })
            .count();
        assert_eq!(through, 20);
        assert!(
            throttle
                .take(ip("192.0.2.1"), Some("a@x.org"), false, NOW)
                .is_err()
        );
        assert!(throttle.take(ip("192.0.2.1"), Some("a@x.org"), true, NOW).is_ok());
        assert!(
            throttle
                .take(ip("192.0.2.1"), Some("b@x.org"), false, NOW)
                .is_ok(),
            "another account"
        );
    }

    #[test]
    fn one_address_on_many_accounts_is_bounded() {
        let throttle = Throttle::default();
        let through = (0..1000)
            .filter(|n| {
                throttle
                    .take(ip("2001:db8::1"), Some(&format!("{n}@x.org")), false, NOW)
                    .is_ok()
            })
            .count();
        assert_eq!(through, 30);
        let neighbour = throttle.take(ip("2001:db8::ffff"), Some("new@x.org"), false, NOW);
        assert!(neighbour.is_err(), "the same /64");
        assert!(
            throttle
                .take(ip("2001:db8:0:1::1"), Some("new@x.org"), false, NOW)
                .is_ok()
        );
        let mapped = throttle.take(ip("::ffff:192.0.2.7"), None, false, NOW);
        assert!(mapped.is_ok());
    }

    #[test]
    fn tries_that_succeed_cost_nothing() {
        let throttle = Throttle::default();
        for _ in 0..1000 {
            let taken = throttle.take(ip("192.0.2.1"), Some("a@x.org"), false, NOW);
            taken.unwrap().give_back(NOW);
        }
        assert!(throttle.table().until.is_empty() && throttle.table().by_end.is_empty());
    }

    #[test]
    fn a_try_that_leads_to_a_success_later_is_forgiven_and_never_more_than_was_taken() {
        let throttle = Throttle::default();
        let taken = |n: usize| {
            (0..n)
                .filter(|_| throttle.take(ip("192.0.2.1"), None, false, NOW).is_ok())
                .count()
        };
        assert_eq!(taken(100), 30);
        throttle.forgive(ip("192.0.2.1"), NOW);
        assert_eq!(taken(100), 1);
        for _ in 0..100 {
            throttle.forgive(ip("192.0.2.1"), NOW);
        }
        assert_eq!(taken(100), 30, "nothing is saved up");
    }

    #[test]
    fn tries_at_the_same_time_are_counted_before_they_are_answered() {
        let throttle = Throttle::default();
        let mut under_way = Vec::new();
        for _ in 0..100 {
            under_way.extend(throttle.take(ip("192.0.2.1"), Some("a@x.org"), false, NOW));
        }
        assert_eq!(under_way.len(), 5);
    }

    #[test]
    fn a_clock_set_back_makes_nobody_wait_longer_than_for_a_whole_burst() {
        let throttle = Throttle::default();
        assert_eq!(passed(&throttle, "192.0.2.1", "a@x.org", false, 100, NOW), 5);
        let earlier = NOW.plus_ms(-600_000);
        let wait = throttle.take(ip("192.0.2.1"), Some("a@x.org"), false, earlier);
        // The slowest of the three: that of tries at the account.
        assert_eq!(wait.unwrap_err(), Duration::from_secs(30));
        let soon = earlier.plus_ms(30_000);
        assert_eq!(passed(&throttle, "192.0.2.1", "a@x.org", false, 100, soon), 1);
    }

    #[test]
    fn the_table_is_bounded() {
        let throttle = Throttle::default();
        for n in 0..30_000u32 {
            let from = IpAddr::V4((0x0A00_0000 + n).into());
            let _ = throttle.take(Some(from), None, false, NOW);
        }
        let table = throttle.table();
        assert_eq!(
            (table.until.len(), table.by_end.len()),
            (MAX_SUBJECTS, MAX_SUBJECTS)
        );
    }
}
