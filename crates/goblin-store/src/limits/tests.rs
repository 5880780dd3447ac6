use std::fs;

use super::*;

const NOON: i64 = 1_795_521_600_000;

fn limits(requests_per_minute: u32, concurrent: u32, tokens_per_day: u64) -> KeyLimits {
    let given = |n: u32| (n > 0).then_some(n);
    KeyLimits {
        requests_per_minute: given(requests_per_minute),
        concurrent: given(concurrent),
        tokens_per_day: (tokens_per_day > 0).then_some(tokens_per_day),
    }
}

fn key(name: &str) -> Arc<str> {
    name.into()
}

#[test]
fn requests_are_bounded_per_key_in_any_minute() {
    let clock = Clock::manual(Timestamp(NOON));
    let meter = KeyMeter::memory(clock.clone());
    let two = limits(2, 0, 0);
    for _ in 0..2 {
        assert!(meter.admit(&key("a"), &two, Use::Ask).is_ok());
    }
    let Err(OverLimit::Requests {
        per_minute: 2,
        retry_after,
    }) = meter.admit(&key("a"), &two, Use::Ask)
    else {
        panic!("the third is one too many");
    };
    assert!(
        meter.admit(&key("b"), &two, Use::Ask).is_ok(),
        "another key has its own"
    );
    clock.advance_ms(i64::try_from(retry_after.as_millis()).unwrap());
    assert!(
        meter.admit(&key("a"), &two, Use::Ask).is_ok(),
        "after the wait there is a place"
    );
}

#[test]
fn requests_at_once_are_bounded_until_the_permit_is_gone() {
    let meter = KeyMeter::memory(Clock::manual(Timestamp(NOON)));
    let one = limits(0, 1, 0);
    let held = meter.admit(&key("a"), &one, Use::Ask).unwrap();
    let refused = meter.admit(&key("a"), &one, Use::Change);
    assert_eq!(refused.unwrap_err(), OverLimit::Concurrent { limit: 1 });
    drop(held);
    assert!(meter.admit(&key("a"), &one, Use::Ask).is_ok());
}

#[test]
fn a_refused_request_uses_nothing() {
    let clock = Clock::manual(Timestamp(NOON));
    let meter = KeyMeter::memory(clock);
    let bounds = limits(2, 1, 0);
    let held = meter.admit(&key("a"), &bounds, Use::Ask).unwrap();
    for _ in 0..10 {
        assert!(matches!(
            meter.admit(&key("a"), &bounds, Use::Ask),
            Err(OverLimit::Concurrent { .. })
        ));
    }
    drop(held);
    assert!(
        meter.admit(&key("a"), &bounds, Use::Ask).is_ok(),
        "the refused ones were not counted"
    );
}

#[test]
fn the_tokens_of_a_day_end_and_the_next_day_begins_with_all() {
    let clock = Clock::manual(Timestamp(NOON));
    let meter = KeyMeter::memory(clock.clone());
    let hundred = limits(0, 0, 100);
    meter.account(&key("a")).add(99);
    assert!(meter.admit(&key("a"), &hundred, Use::Ask).is_ok());
    meter.account(&key("a")).add(20);
    TokenAccount::default().add(1_000_000);
    let over = OverLimit::Tokens {
        per_day: 100,
        used: 119,
        retry_after: Duration::from_secs(12 * 3600),
    };
    assert_eq!(meter.admit(&key("a"), &hundred, Use::Ask).unwrap_err(), over);
    assert!(
        meter.admit(&key("a"), &hundred, Use::Change).is_ok(),
        "changing uses no tokens"
    );
    clock.advance_ms(12 * 3_600_000);
    assert_eq!(meter.tokens_today("a"), 0);
    assert!(meter.admit(&key("a"), &hundred, Use::Ask).is_ok());
}

#[test]
fn looking_has_a_rate_of_its_own_and_is_never_refused_for_the_rest() {
    let meter = KeyMeter::memory(Clock::manual(Timestamp(NOON)));
    let tight = limits(1, 1, 1);
    let _held = meter.admit(&key("a"), &tight, Use::Ask).unwrap();
    meter.account(&key("a")).add(5);
    for _ in 0..READS_PER_MINUTE {
        assert!(meter.admit(&key("a"), &tight, Use::Look).is_ok());
    }
    let refused = meter.admit(&key("a"), &tight, Use::Look).unwrap_err();
    assert!(matches!(
        refused,
        OverLimit::Requests {
            per_minute: READS_PER_MINUTE,
            ..
        }
    ));
}

#[test]
fn tokens_of_the_day_survive_a_restart_and_those_of_yesterday_do_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tier-usage.toml");
    let clock = Clock::manual(Timestamp(NOON));
    let meter = KeyMeter::open(&path, clock.clone()).unwrap();
    assert!(
        !meter.save().unwrap() && !path.exists(),
        "nothing used, nothing written"
    );
    meter.account(&key("with \"quotes\" and ünïcode")).add(7);
    assert!(meter.save().unwrap() && !meter.save().unwrap(), "written once");
    let again = KeyMeter::open(&path, clock.clone()).unwrap();
    assert_eq!(again.tokens_today("with \"quotes\" and ünïcode"), 7);
    clock.advance_ms(DAY_MS);
    let tomorrow = KeyMeter::open(&path, clock).unwrap();
    assert_eq!(tomorrow.tokens_today("with \"quotes\" and ünïcode"), 0);
}

#[test]
fn a_broken_usage_file_is_named_with_the_fix_and_an_unwritable_one_is_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tier-usage.toml");
    fs::write(&path, "day = 7").unwrap();
    let clock = Clock::manual(Timestamp(NOON));
    let sentence = KeyMeter::open(&path, clock.clone()).unwrap_err().to_string();
    assert!(
        sentence.contains("tier-usage.toml") && sentence.contains("line 1"),
        "{sentence}"
    );
    fs::remove_file(&path).unwrap();
    let meter = KeyMeter::open(&path, clock).unwrap();
    meter.account(&key("a")).add(1);
    fs::create_dir_all(path.join("in the way")).unwrap();
    assert!(meter.save().is_err());
    fs::remove_dir_all(&path).unwrap();
    assert!(meter.save().unwrap());
}

#[test]
fn the_table_stays_bounded_and_keeps_what_is_under_way() {
    let clock = Clock::manual(Timestamp(NOON));
    let meter = KeyMeter::memory(clock.clone());
    let held = meter.admit(&key("held"), &limits(0, 1, 0), Use::Ask).unwrap();
    for n in 0..MAX_COUNTED * 2 {
        clock.advance_ms(1);
        meter.account(&key(&format!("k{n}"))).add(1);
    }
    assert_eq!(meter.counted().keys.len(), MAX_COUNTED);
    let refused = meter.admit(&key("held"), &limits(0, 1, 0), Use::Ask);
    assert_eq!(refused.unwrap_err(), OverLimit::Concurrent { limit: 1 });
    drop(held);
}
