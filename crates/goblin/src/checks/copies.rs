//! Do copies of goblin count together? Where two work on one database and no Redis counts for both, each lets through as
//! much as all of them should. Every deploy overlaps for a while, so that is an error only when it lasts.

use goblin_core::clock::{Clock, Timestamp};
use goblin_core::id::Ids;
use goblin_core::status::PartState;
use goblin_store::rate_limits::{RedisAddress, RedisLimiter};
use goblin_store::store::{Store, StoreOptions};

use super::Finding;
use crate::config::Config;

/// How long copies may overlap, in milliseconds.
const OVERLAP_MS: u64 = 15 * 60_000;

const FIX: &str = "Set REDIS_URL to a Redis that all copies reach, or stop all copies but one.";

/// What counts, and whether that is enough for the copies there are.
pub(super) async fn cache(config: &Config, store: &Store, now: Timestamp) -> Finding {
    if let Some(address) = &config.limits.redis {
        return redis(address).await;
    }
    match store.list_processes().await {
        Ok(begun) => alone(&begun, now),
        // The database's own check says why.
        Err(_) => Finding::ok("memory"),
    }
}

/// The same for `goblin doctor`, which is a process of its own and no copy.
pub(super) async fn of_database(config: &Config) -> Finding {
    if let Some(address) = &config.limits.redis {
        return redis(address).await;
    }
    if !config.database.is_shared() {
        return Finding::ok("memory");
    }
    let options = StoreOptions {
        database: config.database.clone(),
        clock: Clock::System,
        ids: Ids::Random,
    };
    match Store::open_as_it_is(options).await {
        Ok(store) => {
            let finding = cache(config, &store, Clock::System.now()).await;
            store.close().await;
            finding
        }
        Err(_) => Finding::ok("memory"),
    }
}

/// `begun`: when each copy that is alive began.
pub(super) fn alone(begun: &[Timestamp], now: Timestamp) -> Finding {
    if begun.len() < 2 {
        return Finding::ok("memory");
    }
    let copies = begun.len();
    let lasting = begun.iter().filter(|at| now.ms_since(**at) >= OVERLAP_MS).count() >= 2;
    let (state, how_long) = if lasting {
        (PartState::Down, "for more than 15 minutes")
    } else {
        (PartState::Degraded, "for a while, as every deploy has it")
    };
    Finding::bad(
        state,
        format!("memory, of each of {copies} copies apart, {how_long}"),
        format!(
            "{copies} copies of goblin work on one database and no Redis counts for all: limits hold for each copy, so \
                 together they let through {copies} times as much."
        ),
        FIX,
    )
}

async fn redis(address: &RedisAddress) -> Finding {
    let answer = match RedisLimiter::new(address.clone()) {
        Ok(redis) => redis.ping().await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(()) => Finding::ok(format!("Redis at {address}")),
        Err(error) => Finding::bad(
            PartState::Degraded,
            format!("Redis at {address} does not answer"),
            format!(
                "{error}. Until it does, limits hold as limits.sign_ins_without_redis and limits.requests_without_redis say."
            ),
            "Start it, or correct REDIS_URL.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_may_overlap_for_a_deploy_and_no_longer() {
        let now = Timestamp(1_795_471_200_000);
        let ago = |minutes: i64| now.plus_ms(-minutes * 60_000);
        for (begun, state) in [
            (vec![], PartState::Ok),
            (vec![ago(600)], PartState::Ok),
            (vec![ago(600), ago(0)], PartState::Degraded),
            (vec![ago(600), ago(14)], PartState::Degraded),
            (vec![ago(600), ago(15)], PartState::Down),
            (vec![ago(600), ago(3), ago(20)], PartState::Down),
        ] {
            let finding = alone(&begun, now);
            assert_eq!(finding.state, state, "{begun:?}");
            assert_eq!(finding.fix.is_some(), state != PartState::Ok);
        }
    }
}
