//! Accounts and signing in: how long things are good, what hashing costs, and the keys tokens are signed with.

use std::time::Duration;

use goblin_auth::access_token::SigningKeys;
use goblin_auth::identity::Settings;
use goblin_auth::password::HashCost;
use goblin_auth::sealing::KeyRing;
use secrecy::SecretString;

use crate::config::check::{FederationConfig, Reader};

/// Least product of memory in KiB and passes: what OWASP recommends at least, however the two are weighed.
const LEAST_WORK: u32 = 36_864;

/// Accounts and signing in.
#[derive(Clone, Debug)]
pub(crate) struct AuthConfig {
    /// How accounts and sign-ins are to be.
    pub(crate) settings: Settings,
    /// What tokens are signed with, when it was given.
    pub(crate) keys: Option<SigningKeys>,
    /// The same as they were given: the one that signs first, then the others.
    pub(crate) given_keys: Vec<SecretString>,
    /// The master keys, when they were given.
    pub(crate) ring: Option<KeyRing>,
    /// Who else vouches for people.
    pub(crate) federation: FederationConfig,
}

impl Reader<'_> {
    pub(super) fn auth(&mut self) -> AuthConfig {
        let hours = |n: u64| Duration::from_secs(n * 3_600);
        let minutes = |n: u64| Duration::from_secs(n * 60);
        let settings = Settings {
            registration_open: self.switch("auth.registration_open"),
            session_idle: hours(self.number("auth.session_idle_hours")),
            session_lifetime: hours(24 * self.number("auth.session_days")),
            token_lifetime: minutes(self.number("auth.token_minutes")),
            invitation_lifetime: hours(self.number("auth.invitation_hours")),
            reset_lifetime: minutes(self.number("auth.reset_minutes")),
            hash_cost: self.hash_cost(),
            hashes_at_once: self.count("auth.hashes_at_once"),
            ..Settings::default()
        };
        let given_keys = self.signing_keys();
        let keys = given_keys.split_first().and_then(|(current, others)| {
            // Each has been tried when it was read.
            SigningKeys::new(current, &others.iter().collect::<Vec<_>>()).ok()
        });
        AuthConfig {
            settings,
            keys,
            given_keys,
            ring: self.master_keys(),
            federation: self.federation(),
        }
    }

    fn master_keys(&mut self) -> Option<KeyRing> {
        let given = self.secret("secrets.master_keys")?;
        KeyRing::parse(&given)
            .map_err(|why| self.problem("secrets.master_keys", why.to_string()))
            .ok()
    }

    fn hash_cost(&mut self) -> HashCost {
        let cost = HashCost {
            memory_kib: self.small("auth.hash_memory_kib"),
            passes: self.small("auth.hash_passes"),
        };
        if cost.memory_kib.saturating_mul(cost.passes) < LEAST_WORK {
            self.problem(
                "auth.hash_passes",
                format!(
                    "auth.hash_memory_kib times auth.hash_passes is {}; passwords would be too cheap to guess. It must \
                     be at least {LEAST_WORK}.",
                    cost.memory_kib.saturating_mul(cost.passes)
                ),
            );
        }
        cost
    }

    /// The current key signs, the secret one when there is no current one; all that were given are accepted.
    fn signing_keys(&mut self) -> Vec<SecretString> {
        let paths = [
            "auth.jwt_current_key",
            "auth.jwt_secret_key",
            "auth.jwt_standby_key",
        ];
        let mut given: Vec<SecretString> = Vec::new();
        for path in paths {
            let Some(key) = self.secret(path) else {
                continue;
            };
            if path == "auth.jwt_standby_key" && given.is_empty() {
                self.problem(
                    path,
                    "there is no key it would follow. Set JWT_CURRENT_KEY or JWT_SECRET_KEY as well.",
                );
                return Vec::new();
            }
            if let Err(short) = SigningKeys::new(&key, &[]) {
                self.problem(path, short.to_string());
                return Vec::new();
            }
            given.push(key);
        }
        given
    }
}
