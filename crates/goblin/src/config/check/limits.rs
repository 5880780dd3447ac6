//! How often and how many, and where that is counted.

use goblin_server::rate::RateSettings;
use goblin_store::rate_limits::{RedisAddress, WithoutRedis};

use crate::config::check::Reader;

/// How often and how many.
#[derive(Clone, Debug)]
pub(crate) struct LimitsConfig {
    /// The bounds.
    pub(crate) settings: RateSettings,
    /// Where copies count together.
    pub(crate) redis: Option<RedisAddress>,
}

impl Reader<'_> {
    pub(super) fn limits(&mut self) -> LimitsConfig {
        let redis = self.secret("limits.redis_url").and_then(|url| {
            RedisAddress::parse(&url)
                .map_err(|why| self.problem("limits.redis_url", why))
                .ok()
        });
        LimitsConfig {
            settings: RateSettings {
                sign_ins_per_minute: self.bound("limits.sign_ins_per_minute"),
                address_per_minute: self.bound("limits.address_per_minute"),
                user_per_minute: self.bound("limits.user_per_minute"),
                team_per_minute: self.bound("limits.team_per_minute"),
                key_per_minute: self.bound("limits.key_per_minute"),
                user_concurrent: self.bound("limits.user_concurrent"),
                key_concurrent: self.bound("limits.key_concurrent"),
                sign_ins_without_redis: self.without_redis("limits.sign_ins_without_redis"),
                requests_without_redis: self.without_redis("limits.requests_without_redis"),
            },
            redis,
        }
    }

    fn bound(&self, path: &str) -> Option<u32> {
        Some(self.small(path)).filter(|most| *most > 0)
    }

    fn without_redis(&self, path: &str) -> WithoutRedis {
        match self.text(path).map(|word| word.to_lowercase()).as_deref() {
            Some("let_through") => WithoutRedis::LetThrough,
            Some("refuse") => WithoutRedis::Refuse,
            _ => WithoutRedis::CountHere,
        }
    }
}
