//! Answers that may be given again ([`goblin_core::answer_cache`]): in this process's memory, or in a Redis that several
//! processes share. What cannot be read or kept is as if it had never been there: nobody waits for a cache that is away.

use std::sync::Arc;
use std::time::Duration;

use goblin_core::answer_cache::{Kept, Key};
use moka::future::Cache;
use redis::aio::ConnectionManager;

use crate::rate_limits::{LimiterAway, RedisAddress, bounded, connect};

/// How much is kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheLimits {
    /// How long an answer is given again.
    pub keep: Duration,
    /// Most bytes of all answers in memory; Redis has a limit of its own (`maxmemory`).
    pub bytes: u64,
}

/// Where answers are kept. Cloning shares them.
#[derive(Clone)]
pub enum AnswerCache {
    /// In this process.
    Memory(Cache<Key, Arc<Kept>>),
    /// In Redis.
    Redis {
        /// To it.
        connection: ConnectionManager,
        /// How long an answer is kept.
        keep: Duration,
    },
}

impl std::fmt::Debug for AnswerCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Memory(_) => "AnswerCache::Memory",
            Self::Redis { .. } => "AnswerCache::Redis",
        })
    }
}

impl AnswerCache {
    /// In memory. The answers that were wanted least go first when there is no room.
    pub fn memory(limits: CacheLimits) -> Self {
        let weight = |_: &Key, kept: &Arc<Kept>| u32::try_from(kept.bytes()).unwrap_or(u32::MAX);
        let cache = Cache::builder()
            .weigher(weight)
            .max_capacity(limits.bytes)
            .time_to_live(limits.keep)
            .build();
        Self::Memory(cache)
    }

    /// In Redis, which is connected to when it is needed first.
    ///
    /// # Errors
    /// When a connection cannot even be tried.
    pub fn redis(address: &RedisAddress, limits: CacheLimits) -> Result<Self, LimiterAway> {
        Ok(Self::Redis {
            connection: connect(address)?,
            keep: limits.keep,
        })
    }

    /// The answer that is kept under `key`.
    pub async fn get(&self, key: &Key) -> Option<Arc<Kept>> {
        match self {
            Self::Memory(cache) => cache.get(key).await,
            Self::Redis { connection, .. } => {
                let mut connection = connection.clone();
                let name = name_of(key);
                let asked = async { redis::cmd("GET").arg(name).query_async(&mut connection).await };
                let found: Option<Vec<u8>> = bounded(asked).await.unwrap_or_else(away);
                // One that an older release kept in other words is none.
                found
                    .and_then(|bytes| serde_json::from_slice(&bytes).ok())
                    .map(Arc::new)
            }
        }
    }

    /// Keeps an answer under `key`, in the place of the one before.
    pub async fn put(&self, key: Key, kept: Arc<Kept>) {
        match self {
            Self::Memory(cache) => cache.insert(key, kept).await,
            Self::Redis { connection, keep } => {
                let Ok(bytes) = serde_json::to_vec(&*kept) else {
                    return;
                };
                let mut connection = connection.clone();
                let (name, seconds) = (name_of(&key), keep.as_secs().max(1));
                let told = async {
                    let mut set = redis::cmd("SET");
                    set.arg(name).arg(bytes).arg("EX").arg(seconds);
                    set.query_async::<()>(&mut connection).await
                };
                bounded(told).await.unwrap_or_else(away);
            }
        }
    }
}

fn name_of(key: &Key) -> String {
    format!("goblin:answer:{}", key.to_hex())
}

fn away<T: Default>(error: LimiterAway) -> T {
    tracing::warn!(%error, "the answer cache is away; answers are made anew");
    T::default()
}
