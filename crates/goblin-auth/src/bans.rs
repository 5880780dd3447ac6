//! Addresses that try keys: slowed, then shut out for a while, each time for longer.
//!
//! The table is bounded: when it is full, the address that has failed least recently is forgotten. An IPv6
//! address counts as its /64, because that is what one customer is given.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use goblin_core::clock::Timestamp;

/// Failures within this time belong together.
const WINDOW: Duration = Duration::from_secs(60);
/// Failures that are answered at once: everybody mistypes.
const FREE: u32 = 2;
/// What the first slow answer waits; each further one twice as long.
const FIRST_DELAY: Duration = Duration::from_millis(250);

/// When an address is slowed and shut out.
#[derive(Clone, Debug)]
pub struct BanPolicy {
    /// Failures within a minute that lead to a ban; 0: never.
    pub failures: u32,
    /// How long the first ban lasts; each further one of that address twice as long.
    pub first: Duration,
    /// How long a ban lasts at most. An address that has been quiet for so long begins anew.
    pub longest: Duration,
    /// How long the answer to a failure waits at most.
    pub slowest: Duration,
    /// Most addresses remembered.
    pub addresses: usize,
}

impl Default for BanPolicy {
    fn default() -> Self {
        Self {
            failures: 10,
            first: Duration::from_secs(15 * 60),
            longest: Duration::from_secs(24 * 3600),
            slowest: Duration::from_secs(4),
            addresses: 10_000,
        }
    }
}

/// What a failure leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consequence {
    /// How long the answer waits.
    pub delay: Duration,
    /// The ban that begins with this failure.
    pub ban: Option<Ban>,
}

/// An address is shut out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ban {
    /// For how long.
    pub lasts: Duration,
    /// The failures that led to it.
    pub failures: u32,
    /// Which ban of this address it is, from 1.
    pub count: u32,
}

/// The addresses that failed of late.
#[derive(Debug)]
pub struct AddressBans {
    policy: BanPolicy,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    records: HashMap<IpAddr, Record>,
    /// Addresses by the order of their last failure.
    by_age: BTreeMap<u64, IpAddr>,
    /// Bans in force by their end.
    by_end: BTreeMap<(Timestamp, IpAddr), ()>,
    next: u64,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    age: u64,
    window_began: Timestamp,
    failures: u32,
    last: Timestamp,
    bans: u32,
    until: Option<Timestamp>,
}

impl AddressBans {
    /// Nobody has failed yet.
    pub fn new(policy: BanPolicy) -> Self {
        Self {
            policy,
            table: Mutex::default(),
        }
    }

    /// How much longer `address` is shut out; `None` when it is not.
    pub fn remaining(&self, address: IpAddr, now: Timestamp) -> Option<Duration> {
        let table = self.table();
        let until = table.records.get(&place(address))?.until?;
        let left = until.ms_since(now);
        (left > 0).then(|| Duration::from_millis(left))
    }

    /// `address` has presented something that is no key.
    pub fn failed(&self, address: IpAddr, now: Timestamp) -> Consequence {
        let place = place(address);
        let mut table = self.table();
        let mut record = table.take(place).unwrap_or(Record {
            age: 0,
            window_began: now,
            failures: 0,
            last: now,
            bans: 0,
            until: None,
        });
        if now.ms_since(record.last) > millis(self.policy.longest) {
            record.bans = 0;
        }
        if now.ms_since(record.window_began) > millis(WINDOW) {
            (record.window_began, record.failures) = (now, 0);
        }
        record.failures = record.failures.saturating_add(1);
        record.last = now;
        let consequence = Consequence {
            delay: self.delay(record.failures),
            ban: self.ban(place, &mut record, now),
        };
        table.put(place, record, self.policy.addresses);
        consequence
    }

    /// How many addresses are shut out now.
    pub fn banned(&self, now: Timestamp) -> usize {
        let mut table = self.table();
        while table
            .by_end
            .first_key_value()
            .is_some_and(|((end, _), ())| *end <= now)
        {
            table.by_end.pop_first();
        }
        table.by_end.len()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn delay(&self, failures: u32) -> Duration {
        match failures.checked_sub(FREE + 1) {
            None => Duration::ZERO,
            Some(doublings) => FIRST_DELAY
                .saturating_mul(1 << doublings.min(16))
                .min(self.policy.slowest),
        }
    }

    /// This machine is never shut out: whoever is on it could stop the tier anyway, and a backend beside it
    /// with an old key must work again as soon as the key is right.
    fn ban(&self, place: IpAddr, record: &mut Record, now: Timestamp) -> Option<Ban> {
        let policy = &self.policy;
        let due = policy.failures > 0 && record.failures >= policy.failures && !place.is_loopback();
        if !due || record.until.is_some_and(|until| until > now) {
            return None;
        }
        let lasts = policy
            .first
            .saturating_mul(1 << record.bans.min(16))
            .min(policy.longest);
        record.bans = record.bans.saturating_add(1);
        record.until = Some(now.plus_ms(i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX)));
        let failures = std::mem::take(&mut record.failures);
        Some(Ban {
            lasts,
            failures,
            count: record.bans,
        })
    }
}

impl Table {
    fn take(&mut self, place: IpAddr) -> Option<Record> {
        let record = self.records.remove(&place)?;
        self.by_age.remove(&record.age);
        if let Some(until) = record.until {
            self.by_end.remove(&(until, place));
        }
        Some(record)
    }

    fn put(&mut self, place: IpAddr, mut record: Record, most: usize) {
        while self.records.len() >= most.max(1) {
            let Some((_, oldest)) = self.by_age.first_key_value() else {
                break;
            };
            let oldest = *oldest;
            self.take(oldest);
        }
        record.age = self.next;
        self.next += 1;
        self.by_age.insert(record.age, place);
        if let Some(until) = record.until {
            self.by_end.insert((until, place), ());
        }
        self.records.insert(place, record);
    }
}

/// What counts as one address.
fn place(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
        other => other,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_471_200_000);

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn bans() -> AddressBans {
        AddressBans::new(BanPolicy::default())
    }

    fn fail(bans: &AddressBans, address: &str, times: u32, at: Timestamp) -> Consequence {
        let mut last = None;
        for _ in 0..times {
            last = Some(bans.failed(ip(address), at));
        }
        last.unwrap()
    }

    #[test]
    fn answers_wait_longer_with_every_failure_up_to_a_bound() {
        let bans = bans();
        let delays: Vec<u128> = (0..9)
            .map(|_| bans.failed(ip("192.0.2.1"), NOW).delay.as_millis())
            .collect();
        assert_eq!(delays, [0, 0, 250, 500, 1000, 2000, 4000, 4000, 4000]);
        let later = NOW.plus_ms(61_000);
        assert_eq!(
            bans.failed(ip("192.0.2.1"), later).delay,
            Duration::ZERO,
            "a minute later it begins anew"
        );
    }

    #[test]
    fn ten_failures_in_a_minute_shut_an_address_out_and_each_time_for_longer() {
        let bans = bans();
        assert_eq!(fail(&bans, "192.0.2.1", 9, NOW).ban, None);
        assert_eq!(bans.remaining(ip("192.0.2.1"), NOW), None);
        let first = fail(&bans, "192.0.2.1", 1, NOW).ban.unwrap();
        assert_eq!((first.lasts.as_secs(), first.failures, first.count), (900, 10, 1));
        assert_eq!(bans.remaining(ip("192.0.2.1"), NOW), Some(first.lasts));
        assert_eq!(
            (bans.remaining(ip("192.0.2.2"), NOW), bans.banned(NOW)),
            (None, 1)
        );
        let over = NOW.plus_ms(900_000);
        assert_eq!(
            (bans.remaining(ip("192.0.2.1"), over), bans.banned(over)),
            (None, 0)
        );
        let second = fail(&bans, "192.0.2.1", 10, over).ban.unwrap();
        assert_eq!((second.lasts.as_secs(), second.count), (1800, 2));
        let mut at = over;
        for _ in 0..10 {
            at = at.plus_ms(86_400_000);
            assert!(fail(&bans, "192.0.2.1", 10, at).ban.unwrap().lasts.as_secs() <= 86_400);
        }
        let quiet = at.plus_ms(86_400_001);
        assert_eq!(
            fail(&bans, "192.0.2.1", 10, quiet).ban.unwrap().count,
            1,
            "forgiven after a day of quiet"
        );
    }

    #[test]
    fn failures_spread_over_minutes_never_shut_out() {
        let bans = bans();
        let mut at = NOW;
        for _ in 0..100 {
            assert_eq!(bans.failed(ip("192.0.2.1"), at).ban, None);
            at = at.plus_ms(10_000);
        }
    }

    #[test]
    fn this_machine_is_slowed_but_never_shut_out() {
        let bans = bans();
        for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            let last = fail(&bans, address, 100, NOW);
            assert_eq!((last.ban, last.delay.as_secs()), (None, 4), "{address}");
        }
    }

    #[test]
    fn an_ipv6_network_counts_as_one_and_mapped_ipv4_as_ipv4() {
        let bans = bans();
        for n in 0..10 {
            bans.failed(ip(&format!("2001:db8:0:1::{n}")), NOW);
            bans.failed(ip(["192.0.2.9", "::ffff:192.0.2.9"][n % 2]), NOW);
        }
        assert!(bans.remaining(ip("2001:db8:0:1:ffff::7"), NOW).is_some());
        assert_eq!(bans.remaining(ip("2001:db8:0:2::1"), NOW), None);
        assert!(bans.remaining(ip("192.0.2.9"), NOW).is_some());
    }

    #[test]
    fn the_table_is_bounded_and_forgets_who_failed_longest_ago() {
        let bans = AddressBans::new(BanPolicy {
            addresses: 100,
            ..BanPolicy::default()
        });
        fail(&bans, "192.0.2.1", 10, NOW);
        fail(&bans, "192.0.2.2", 10, NOW);
        for n in 0..99u32 {
            bans.failed(IpAddr::V4((0x0A00_0000 + n).into()), NOW);
        }
        assert_eq!(bans.remaining(ip("192.0.2.1"), NOW), None, "forgotten");
        assert!(bans.remaining(ip("192.0.2.2"), NOW).is_some());
        let table = bans.table();
        assert_eq!(
            (table.records.len(), table.by_age.len(), table.by_end.len()),
            (100, 100, 1)
        );
    }

    #[test]
    fn a_policy_without_bans_only_slows() {
        let bans = AddressBans::new(BanPolicy {
            failures: 0,
            ..BanPolicy::default()
        });
        assert_eq!(fail(&bans, "192.0.2.1", 1000, NOW).ban, None);
    }
}
