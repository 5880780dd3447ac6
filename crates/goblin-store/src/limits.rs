//! What keys use, measured against what they may: requests in any minute, requests at once, tokens in a day.
//!
//! Everything is kept in memory, bounded, and costs the same for every request. The tokens of the day are also
//! kept in a small file, so that a restart does not begin the day anew. One process counts: two model tiers on
//! one data directory count apart, and the file holds what the last of them wrote.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use goblin_core::clock::{Clock, Timestamp};

use crate::key_file::{KeyLimits, MAX_KEYS};

mod usage_file;
mod window;

pub use usage_file::UsageFileError;

use usage_file::{Usage, read_usage, write_usage};
use window::Window;

/// Requests in any minute that only look (lists, status). They are no load, so they are counted apart, and a
/// program that polls does not use up what is meant for questions.
pub const READS_PER_MINUTE: u32 = 600;
/// Most keys counted at once: more than a file holds, because removed ones are forgotten late.
const MAX_COUNTED: usize = MAX_KEYS * 2;
const DAY_MS: i64 = 86_400_000;

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Lists and states. Counted by [`READS_PER_MINUTE`] only.
    Look,
    /// Changes which models there are. Uses no tokens.
    Change,
    /// Asks a model: uses tokens.
    Ask,
}

/// A limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverLimit {
    /// As many requests as may be in a minute.
    Requests {
        /// The limit.
        per_minute: u32,
        /// When the next one is taken.
        retry_after: Duration,
    },
    /// As many requests under way as may be.
    Concurrent {
        /// The limit.
        limit: u32,
    },
    /// The day's tokens are used up.
    Tokens {
        /// The limit.
        per_day: u64,
        /// What was used.
        used: u64,
        /// When the next day begins.
        retry_after: Duration,
    },
}

/// Counts what every key uses. Cloning shares the counts.
#[derive(Clone, Debug)]
pub struct KeyMeter(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    /// Where tokens of the day are kept; `None`: nowhere.
    path: Option<PathBuf>,
    counted: Mutex<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    keys: HashMap<Arc<str>, Count>,
    /// Were tokens counted since the file was written?
    unsaved: bool,
}

#[derive(Debug, Default)]
struct Count {
    asked: Window,
    looked: Window,
    under_way: u32,
    day: i64,
    tokens: u64,
    last: Timestamp,
}

impl Count {
    /// The tokens of `day`; what was counted on another day is over.
    fn tokens_on(&mut self, day: i64) -> &mut u64 {
        if self.day != day {
            self.day = day;
            self.tokens = 0;
        }
        &mut self.tokens
    }
}

impl KeyMeter {
    /// Counts in memory only.
    pub fn memory(clock: Clock) -> Self {
        Self::build(clock, None)
    }

    /// Counts on from what `path` says of today; no file is nothing used. Blocks on disk.
    ///
    /// # Errors
    /// When the file cannot be read, in a sentence with the fix.
    pub fn open(path: impl Into<PathBuf>, clock: Clock) -> Result<Self, UsageFileError> {
        let path = path.into();
        let today = day(clock.now());
        let usage = read_usage(&path)?;
        let meter = Self::build(clock, Some(path));
        if usage.day() == Some(today) {
            let mut counted = meter.counted();
            for (name, tokens) in usage.tokens.into_iter().take(MAX_COUNTED) {
                let count = Count {
                    day: today,
                    tokens,
                    ..Count::default()
                };
                counted.keys.insert(name.into(), count);
            }
        }
        Ok(meter)
    }

    fn build(clock: Clock, path: Option<PathBuf>) -> Self {
        Self(Arc::new(Inner {
            clock,
            path,
            counted: Mutex::default(),
        }))
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.0.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a request of `key` within `limits`. Hold the permit until the answer has been sent.
    ///
    /// # Errors
    /// The first limit that is reached; then nothing is counted.
    pub fn admit(&self, key: &Arc<str>, limits: &KeyLimits, what: Use) -> Result<UsePermit, OverLimit> {
        let now = self.0.clock.now();
        let mut counted = self.counted();
        let count = counted.of(key, now);
        if what == Use::Look {
            count
                .looked
                .take(READS_PER_MINUTE, now)
                .map_err(|retry_after| OverLimit::Requests {
                    per_minute: READS_PER_MINUTE,
                    retry_after,
                })?;
            return Ok(UsePermit(None));
        }
        let used = *count.tokens_on(day(now));
        if let Some(per_day) = limits
            .tokens_per_day
            .filter(|most| what == Use::Ask && used >= *most)
        {
            return Err(OverLimit::Tokens {
                per_day,
                used,
                retry_after: until_tomorrow(now),
            });
        }
        if let Some(limit) = limits.concurrent.filter(|most| count.under_way >= *most) {
            return Err(OverLimit::Concurrent { limit });
        }
        let per_minute = limits.requests_per_minute.unwrap_or(u32::MAX);
        count
            .asked
            .take(per_minute, now)
            .map_err(|retry_after| OverLimit::Requests {
                per_minute,
                retry_after,
            })?;
        count.under_way = count.under_way.saturating_add(1);
        Ok(UsePermit(Some((self.clone(), Arc::clone(key)))))
    }

    /// Where the tokens of `key` are counted.
    pub fn account(&self, key: &Arc<str>) -> TokenAccount {
        TokenAccount(Some((self.clone(), Arc::clone(key))))
    }

    /// What `key` has used today, in tokens.
    pub fn tokens_today(&self, key: &str) -> u64 {
        let today = day(self.0.clock.now());
        let counted = self.counted();
        counted
            .keys
            .get(key)
            .filter(|c| c.day == today)
            .map_or(0, |c| c.tokens)
    }

    /// Writes the tokens of the day to the file when they have changed; true when it wrote. Blocks on disk: call
    /// it every few seconds off the runtime's threads, and once at the end.
    ///
    /// # Errors
    /// When the file cannot be written; the next call tries again.
    pub fn save(&self) -> Result<bool, UsageFileError> {
        let Some(path) = &self.0.path else {
            return Ok(false);
        };
        let today = day(self.0.clock.now());
        let usage = {
            let mut counted = self.counted();
            if !std::mem::take(&mut counted.unsaved) {
                return Ok(false);
            }
            let used = counted
                .keys
                .iter()
                .filter(|(_, c)| c.day == today && c.tokens > 0);
            Usage::new(today, used.map(|(name, c)| (name.to_string(), c.tokens)))
        };
        write_usage(path, &usage).inspect_err(|_| self.counted().unsaved = true)?;
        Ok(true)
    }

    fn spend(&self, key: &Arc<str>, tokens: u64) {
        let now = self.0.clock.now();
        let mut counted = self.counted();
        let spent = counted.of(key, now).tokens_on(day(now));
        *spent = spent.saturating_add(tokens);
        counted.unsaved = true;
    }

    fn release(&self, key: &str) {
        if let Some(count) = self.counted().keys.get_mut(key) {
            count.under_way = count.under_way.saturating_sub(1);
        }
    }
}

impl Counted {
    /// The counts of `key`. Only keys that were accepted come here, so the table is full only after many were
    /// removed; then the one that has been idle longest is forgotten.
    fn of(&mut self, key: &Arc<str>, now: Timestamp) -> &mut Count {
        if self.keys.len() >= MAX_COUNTED && !self.keys.contains_key(key) {
            let idle = self.keys.iter().filter(|(_, c)| c.under_way == 0);
            let longest = idle.min_by_key(|(_, c)| c.last).map(|(name, _)| Arc::clone(name));
            longest.map(|name| self.keys.remove(&name));
        }
        let count = self.keys.entry(Arc::clone(key)).or_default();
        count.last = now;
        count
    }
}

/// A request that was taken. Dropping it ends the request.
#[derive(Debug)]
pub struct UsePermit(Option<(KeyMeter, Arc<str>)>);

impl Drop for UsePermit {
    fn drop(&mut self) {
        if let Some((meter, key)) = self.0.take() {
            meter.release(&key);
        }
    }
}

/// Where the tokens of one key are counted. The default counts nothing: for callers without a key.
#[derive(Clone, Debug, Default)]
pub struct TokenAccount(Option<(KeyMeter, Arc<str>)>);

impl TokenAccount {
    /// Counts `tokens` of prompt and answer. Call it once the number is known, also for an answer that was cut:
    /// an answer under way is never stopped by it, the next request is refused.
    pub fn add(&self, tokens: u64) {
        if let Some((meter, key)) = self.0.as_ref().filter(|_| tokens > 0) {
            meter.spend(key, tokens);
        }
    }
}

/// Days since the epoch (UTC).
fn day(at: Timestamp) -> i64 {
    at.0.div_euclid(DAY_MS)
}

fn until_tomorrow(now: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(DAY_MS - now.0.rem_euclid(DAY_MS)).unwrap_or(0))
}

#[cfg(test)]
mod tests;
