//! How often something may be done, by GCRA (the generic cell rate algorithm, ITU-T I.371): so many at once, then one in
//! every so often. Counted in this process's memory, or in a Redis that several processes share.

use std::sync::Arc;
use std::time::Duration;

use goblin_core::clock::Clock;

mod memory;
mod redis;

pub use redis::{RedisAddress, RedisLimiter};
pub(crate) use redis::{bounded, connect};

use memory::Memory;

/// So many at once, then one in every so often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    /// How many at once; at least 1.
    pub burst: u32,
    /// One in every so many milliseconds; at least 1.
    pub every_ms: u32,
}

impl Rate {
    /// So many in any minute, evenly, and as many at once.
    pub fn per_minute(most: u32) -> Self {
        let most = most.max(1);
        Self {
            burst: most,
            every_ms: (60_000 / most).max(1),
        }
    }
}

/// Something that is counted: who, and how often they may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Names it among all that is counted: `user …`, `address …`.
    pub name: Arc<str>,
    /// How often.
    pub rate: Rate,
}

/// How a subject stands after it was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How many at once.
    pub limit: u32,
    /// How many more now.
    pub remaining: u32,
    /// Until the whole of it is there again.
    pub reset: Duration,
}

/// Was it let through?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Yes; how the subject with the least left stands.
    Through(Standing),
    /// No, and nothing was counted.
    Refused {
        /// When to come back.
        retry_after: Duration,
        /// How the subject that refuses stands.
        standing: Standing,
    },
}

/// The Redis that counts does not answer.
#[derive(Clone, Debug, thiserror::Error)]
#[error("Redis does not count: {0}")]
pub struct LimiterAway(pub String);

/// Counts. Cloning shares the counts.
#[derive(Clone, Debug)]
pub enum RateLimiter {
    /// In this process.
    Memory(MemoryLimiter),
    /// In Redis.
    Redis(RedisLimiter),
}

/// Counts in this process's memory, bounded.
#[derive(Clone, Debug)]
pub struct MemoryLimiter {
    table: Arc<Memory>,
    clock: Clock,
}

impl MemoryLimiter {
    /// Counts from nothing.
    pub fn new(clock: Clock) -> Self {
        Self {
            table: Arc::default(),
            clock,
        }
    }

    /// As [`RateLimiter::take`]; always answers.
    pub fn take(&self, subjects: &[Subject]) -> Taken {
        self.table.take(subjects, self.clock.now())
    }

    /// As [`RateLimiter::give_back`]; always works.
    pub fn give_back(&self, subjects: &[Subject]) {
        self.table.give_back(subjects, self.clock.now());
    }
}

/// What holds while the Redis that counts does not answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WithoutRedis {
    /// This process counts alone, in memory.
    #[default]
    CountHere,
    /// Nothing is counted, everybody is let through.
    LetThrough,
    /// Nobody is let through.
    Refuse,
}

impl WithoutRedis {
    /// What is done in the place of asking Redis: counted by `here`, or `None`, let through.
    ///
    /// # Errors
    /// What Redis said, when nobody is to be let through.
    pub fn instead(
        self,
        here: &MemoryLimiter,
        subjects: &[Subject],
        away: LimiterAway,
    ) -> Result<Option<Taken>, LimiterAway> {
        match self {
            Self::CountHere => Ok(Some(here.take(subjects))),
            Self::LetThrough => Ok(None),
            Self::Refuse => Err(away),
        }
    }
}

impl RateLimiter {
    /// Counts in memory.
    pub fn memory(clock: Clock) -> Self {
        Self::Memory(MemoryLimiter::new(clock))
    }

    /// Are the counts shared with other processes?
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Redis(_))
    }

    /// Counts one for each subject, or, where one of them may not now, none for any.
    ///
    /// # Errors
    /// [`LimiterAway`], after at most a second.
    pub async fn take(&self, subjects: &[Subject]) -> Result<Taken, LimiterAway> {
        match self {
            Self::Memory(memory) => Ok(memory.take(subjects)),
            Self::Redis(redis) => redis.take(subjects).await,
        }
    }

    /// Takes one of each subject back that was counted before. Nothing is saved up by it.
    ///
    /// # Errors
    /// [`LimiterAway`], after at most a second.
    pub async fn give_back(&self, subjects: &[Subject]) -> Result<(), LimiterAway> {
        match self {
            Self::Memory(memory) => {
                memory.give_back(subjects);
                Ok(())
            }
            Self::Redis(redis) => redis.give_back(subjects).await,
        }
    }
}

/// What came of counting, from how long each subject is taken up after it (`ahead_ms`: its moment of a whole burst, minus
/// now).
fn outcome(subjects: &[Subject], ahead_ms: &[i64], through: bool) -> Taken {
    let stand = |subject: &Subject, ahead_ms: i64| {
        let (burst, every) = (i64::from(subject.rate.burst), i64::from(subject.rate.every_ms));
        let left = (burst * every - ahead_ms) / every;
        Standing {
            limit: subject.rate.burst,
            remaining: u32::try_from(left.clamp(0, burst)).unwrap_or(0),
            reset: Duration::from_millis(u64::try_from(ahead_ms).unwrap_or(0)),
        }
    };
    let wait = |subject: &Subject, ahead_ms: i64| {
        let rate = subject.rate;
        ahead_ms + i64::from(rate.every_ms) - i64::from(rate.burst) * i64::from(rate.every_ms)
    };
    let all = subjects.iter().zip(ahead_ms.iter().copied());
    let unbounded = Standing {
        limit: u32::MAX,
        remaining: u32::MAX,
        reset: Duration::ZERO,
    };
    if through {
        let least = all.map(|(s, ahead)| stand(s, ahead)).min_by_key(|s| s.remaining);
        return Taken::Through(least.unwrap_or(unbounded));
    }
    let longest = all.max_by_key(|(s, ahead)| wait(s, *ahead));
    let (retry_after, standing) =
        longest.map_or((0, unbounded), |(s, ahead)| (wait(s, ahead), stand(s, ahead)));
    Taken::Refused {
        retry_after: Duration::from_millis(u64::try_from(retry_after).unwrap_or(0).max(1)),
        standing,
    }
}
