//! Counts in Redis (7 or later, or Valkey), by one script, so that what several processes do at once is counted one after
//! the other. The time is that of Redis: clocks of the processes do not matter. All keys carry the same hash tag, so that
//! a cluster has them on one node and the script may use several.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Script};
use secrecy::{ExposeSecret, SecretString};

use super::{LimiterAway, Subject, Taken, outcome};

/// How long Redis may take to answer, and to be reached; whoever waits for it is somebody's request.
const WAIT: Duration = Duration::from_millis(500);

/// Counts one for each key, or none: `ARGV` holds burst and interval in milliseconds of each. Answers 1 or 0, then how
/// far ahead of now each key's moment is.
const GCRA: &str = r"
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local ahead, through = {}, 1
for i, key in ipairs(KEYS) do
    local burst, every = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
    ahead[i] = math.max(tonumber(redis.call('GET', key) or now) - now, 0)
    if ahead[i] + every > burst * every then through = 0 end
end
if through == 1 then
    for i, key in ipairs(KEYS) do
        ahead[i] = ahead[i] + tonumber(ARGV[2 * i])
        redis.call('SET', key, string.format('%.0f', now + ahead[i]), 'PX', ahead[i])
    end
end
table.insert(ahead, 1, through)
return ahead
";

/// Takes one of each key back: `ARGV` holds the interval in milliseconds of each.
const GIVE_BACK: &str = r"
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
for i, key in ipairs(KEYS) do
    local ahead = tonumber(redis.call('GET', key) or now) - now - tonumber(ARGV[i])
    if ahead > 0 then
        redis.call('SET', key, string.format('%.0f', now + ahead), 'PX', ahead)
    else
        redis.call('DEL', key)
    end
end
return 0
";

/// Where Redis is. Its password is never shown.
#[derive(Clone)]
pub struct RedisAddress {
    url: SecretString,
    shown: String,
}

impl PartialEq for RedisAddress {
    fn eq(&self, other: &Self) -> bool {
        self.url.expose_secret() == other.url.expose_secret()
    }
}

impl fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisAddress({})", self.shown)
    }
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl RedisAddress {
    /// Reads a `REDIS_URL`: `redis://USER:PASSWORD@HOST:PORT/DB`, or `rediss://` for TLS.
    ///
    /// # Errors
    /// A sentence that does not repeat the address.
    pub fn parse(url: &SecretString) -> Result<Self, String> {
        let text = url.expose_secret();
        let client = Client::open(text).map_err(|_| {
            "it must be written as `redis://USER:PASSWORD@HOST:PORT/DB`, or with `rediss://` for TLS. Special characters \
             of the password are written as %XX."
                .to_owned()
        })?;
        Ok(Self {
            shown: client.get_connection_info().addr().to_string(),
            url: url.clone(),
        })
    }
}

/// Counts in Redis. Cloning shares the connection, which is made anew when it is lost.
#[derive(Clone)]
pub struct RedisLimiter(Arc<Inner>);

struct Inner {
    address: RedisAddress,
    connection: ConnectionManager,
    take: Script,
    give_back: Script,
}

impl fmt::Debug for RedisLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedisLimiter").field(&self.0.address).finish()
    }
}

impl RedisLimiter {
    /// Counts there. Connects when it is needed first: a Redis that is away does not keep goblin from starting.
    ///
    /// # Errors
    /// When a connection cannot even be tried.
    pub fn new(address: RedisAddress) -> Result<Self, LimiterAway> {
        Ok(Self(Arc::new(Inner {
            connection: connect(&address)?,
            address,
            take: Script::new(GCRA),
            give_back: Script::new(GIVE_BACK),
        })))
    }

    /// Where it counts.
    pub fn address(&self) -> &RedisAddress {
        &self.0.address
    }

    /// Does it answer?
    ///
    /// # Errors
    /// [`LimiterAway`].
    pub async fn ping(&self) -> Result<(), LimiterAway> {
        let mut connection = self.0.connection.clone();
        bounded(async { redis::cmd("PING").query_async::<String>(&mut connection).await })
            .await
            .map(|_| ())
    }

    /// As [`super::RateLimiter::take`].
    ///
    /// # Errors
    /// [`LimiterAway`].
    pub async fn take(&self, subjects: &[Subject]) -> Result<Taken, LimiterAway> {
        if subjects.is_empty() {
            return Ok(outcome(subjects, &[], true));
        }
        let mut call = self.0.take.prepare_invoke();
        for subject in subjects {
            call.key(key_of(subject));
        }
        for subject in subjects {
            call.arg(subject.rate.burst).arg(subject.rate.every_ms);
        }
        let mut connection = self.0.connection.clone();
        let said: Vec<i64> = bounded(async { call.invoke_async(&mut connection).await }).await?;
        match said.split_first() {
            Some((through, ahead)) if ahead.len() == subjects.len() => {
                Ok(outcome(subjects, ahead, *through == 1))
            }
            _ => Err(LimiterAway("its answer is not that of our script".to_owned())),
        }
    }

    /// As [`super::RateLimiter::give_back`].
    ///
    /// # Errors
    /// [`LimiterAway`].
    pub async fn give_back(&self, subjects: &[Subject]) -> Result<(), LimiterAway> {
        if subjects.is_empty() {
            return Ok(());
        }
        let mut call = self.0.give_back.prepare_invoke();
        for subject in subjects {
            call.key(key_of(subject));
        }
        for subject in subjects {
            call.arg(subject.rate.every_ms);
        }
        let mut connection = self.0.connection.clone();
        bounded(async { call.invoke_async::<i64>(&mut connection).await })
            .await
            .map(|_| ())
    }
}

/// A connection that is made when it is needed first, and anew when it is lost.
pub(crate) fn connect(address: &RedisAddress) -> Result<ConnectionManager, LimiterAway> {
    let away = |error: redis::RedisError| LimiterAway(error.to_string());
    let client = Client::open(address.url.expose_secret()).map_err(away)?;
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(WAIT))
        .set_response_timeout(Some(WAIT))
        .set_number_of_retries(1)
        .set_max_delay(WAIT);
    ConnectionManager::new_lazy_with_config(client, config).map_err(away)
}

/// What a subject is kept under.
fn key_of(subject: &Subject) -> String {
    format!("goblin:{{limits}}:{}", subject.name)
}

/// The answer, or that there was none in time.
pub(crate) async fn bounded<T>(work: impl Future<Output = redis::RedisResult<T>>) -> Result<T, LimiterAway> {
    match tokio::time::timeout(2 * WAIT, work).await {
        Ok(Ok(answer)) => Ok(answer),
        // What Redis says of itself holds no password; what was asked holds names of subjects only.
        Ok(Err(error)) => Err(LimiterAway(error.to_string())),
        Err(_) => Err(LimiterAway("it does not answer in time".to_owned())),
    }
}
