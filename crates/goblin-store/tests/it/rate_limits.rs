//! Limits, counted in memory and in a real Redis: the same story on both, and what only one that is shared can show.

use std::sync::Arc;
use std::time::Duration;

use goblin_core::clock::{Clock, Timestamp};
use goblin_store::rate_limits::{Rate, RateLimiter, RedisAddress, RedisLimiter, Standing, Subject, Taken};
use tokio::task::JoinSet;

use crate::redis_server::RedisServer;

fn subject(name: &str, burst: u32, every_ms: u32) -> Subject {
    Subject {
        name: name.into(),
        rate: Rate { burst, every_ms },
    }
}

fn redis(server: &RedisServer) -> RateLimiter {
    RateLimiter::Redis(RedisLimiter::new(server.address()).unwrap())
}

async fn is_through(limiter: &RateLimiter, subjects: &[Subject]) -> bool {
    matches!(limiter.take(subjects).await.unwrap(), Taken::Through(_))
}

/// What holds wherever it is counted. An hour between two, so that the time the test takes does not matter.
async fn whole_life(limiter: &RateLimiter) {
    const HOUR: u32 = 3_600_000;
    let ada = [subject("user ada", 3, HOUR)];
    for left in [2, 1, 0] {
        let Taken::Through(Standing {
            limit,
            remaining,
            reset,
        }) = limiter.take(&ada).await.unwrap()
        else {
            panic!("refused with {left} left");
        };
        assert_eq!((limit, remaining), (3, left));
        assert!(reset <= Duration::from_secs(3 * 3_600), "{reset:?}");
    }
    let Taken::Refused {
        retry_after,
        standing,
    } = limiter.take(&ada).await.unwrap()
    else {
        panic!("a fourth at once");
    };
    assert!(retry_after > Duration::from_secs(3_500) && retry_after <= Duration::from_secs(3_600));
    assert_eq!((standing.limit, standing.remaining), (3, 0));

    // Where one subject may not, nothing is counted for any.
    let both = [subject("address 192.0.2.1", 5, HOUR), ada[0].clone()];
    for _ in 0..10 {
        assert!(!is_through(limiter, &both).await);
    }
    let Taken::Through(standing) = limiter.take(&both[..1]).await.unwrap() else {
        panic!("refused");
    };
    assert_eq!(standing.remaining, 4);

    // Names are data, whatever they hold.
    for name in ["", "'; FLUSHALL", "a\r\nFLUSHALL\r\n", "{x}", "漢字 \u{0}"] {
        let one = [subject(name, 1, HOUR)];
        assert!(is_through(limiter, &one).await, "{name}");
        assert!(!is_through(limiter, &one).await, "{name}");
    }
    assert!(!is_through(limiter, &ada).await, "still counted");
    assert!(is_through(limiter, &[]).await);

    // Many at once are counted one after the other.
    let mut asking = JoinSet::new();
    let limiter = Arc::new(limiter.clone());
    for _ in 0..200 {
        let limiter = Arc::clone(&limiter);
        asking.spawn(async move { is_through(&limiter, &[subject("many", 20, HOUR)]).await });
    }
    let through = asking
        .join_all()
        .await
        .into_iter()
        .filter(|through| *through)
        .count();
    assert_eq!(through, 20);
}

#[tokio::test]
async fn limits_live_their_whole_life_in_memory() {
    whole_life(&RateLimiter::memory(Clock::manual(Timestamp(1_795_471_200_000)))).await;
}

#[tokio::test]
async fn limits_live_their_whole_life_in_redis() {
    let server = RedisServer::start().await;
    whole_life(&redis(&server)).await;
}

#[tokio::test]
async fn two_copies_on_one_redis_count_together_and_a_place_comes_back_with_time() {
    let server = RedisServer::start().await;
    let (one, other) = (redis(&server), redis(&server));
    let who = [subject("user", 2, 3_600_000)];
    assert!(is_through(&one, &who).await && is_through(&other, &who).await);
    assert!(!is_through(&one, &who).await && !is_through(&other, &who).await);
    let soon = [subject("soon", 1, 50)];
    assert!(is_through(&one, &soon).await);
    let mut tries = 0;
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    while !is_through(&other, &soon).await {
        tries += 1;
        assert!(tries < 1_000, "it never comes back");
        ticks.tick().await;
    }
}

#[tokio::test]
async fn a_redis_that_is_away_is_said_within_a_second_and_used_again_when_it_is_back() {
    let mut server = RedisServer::start().await;
    let limiter = redis(&server);
    let who = [subject("user", 1_000, 1)];
    assert!(is_through(&limiter, &who).await);
    server.stop();
    let began = std::time::Instant::now();
    assert!(limiter.take(&who).await.is_err());
    assert!(began.elapsed() < Duration::from_secs(20), "a hang");
    server.again().await;
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    for _ in 0..1_000 {
        if limiter.take(&who).await.is_ok() {
            return;
        }
        ticks.tick().await;
    }
    panic!("it is not used again");
}

#[test]
fn addresses_of_redis_are_read_and_their_passwords_never_shown() {
    let read = |text: &str| RedisAddress::parse(&text.to_owned().into());
    let address = read("redis://goblin:hunter2@cache.example.org:6380/1").unwrap();
    assert_eq!(address.to_string(), "cache.example.org:6380");
    assert!(!format!("{address:?}").contains("hunter2"));
    assert!(read("rediss://cache.example.org").is_ok());
    for bad in [
        "",
        "cache:6379",
        "http://hunter2@cache",
        "redis://hunter2@cache:seven",
    ] {
        let sentence = read(bad).unwrap_err();
        assert!(
            sentence.contains("redis://") && !sentence.contains("hunter2"),
            "{bad}: {sentence}"
        );
    }
}
