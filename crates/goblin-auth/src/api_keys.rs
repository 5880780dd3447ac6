//! Keys of the API: how one is presented, what a good one is, and those that were checked within the last second.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use goblin_core::account::Role;
use goblin_core::api_key::ApiKey;
use goblin_core::clock::Timestamp;
use goblin_core::error::ApiError;
use goblin_core::owner::Owner;
use goblin_store::api_keys::ApiKeyRow;
use goblin_store::key_file::Network;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use subtle::ConstantTimeEq;

use crate::key_format::{self, LIVE, TIER};
use crate::presented::Presented;

/// How long a key that was found good is not looked for again, in milliseconds: what another copy of goblin took back
/// is good here for at most so long.
pub const CHECKED_FOR_MS: u64 = 1_000;
/// Most keys remembered; beyond, all are forgotten and looked for again.
const MAX_CHECKED: usize = 10_000;

/// The key of a request: what `x-api-key` holds, or a bearer that is written like one. `None`: it says by something
/// else whose it is.
///
/// # Errors
/// 401 for one that cannot be read, and for two that differ.
pub(crate) fn presented(headers: &HeaderMap) -> Result<Option<Presented>, ApiError> {
    let by_bearer = || {
        headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.split_once(' '))
            .is_some_and(|(_, key)| key.trim_start().starts_with("gbl_"))
    };
    if !headers.contains_key("x-api-key") && !by_bearer() {
        return Ok(None);
    }
    Presented::from_headers(headers).map_err(|refusal| *refusal.error)
}

/// The public part of a key of the API.
///
/// # Errors
/// 401 for what is none, in words that never repeat what was sent.
pub(crate) fn public_id(key: &str) -> Result<&str, ApiError> {
    key_format::public_id(LIVE, key).ok_or_else(|| {
        ApiError::unauthorized(if key.starts_with(LIVE) {
            "The key is incomplete or mistyped: its checksum is wrong. Copy it whole."
        } else if key.starts_with(TIER) {
            "This is a key of a model tier. The backend takes keys that begin with `gbl_live_`; make one in the page."
        } else {
            "This is no key of this server's. Its keys begin with `gbl_live_`; make one in the page, or with `goblin \
             keys create`."
        })
    })
}

/// A key that was found, ready to be held against requests.
#[derive(Debug)]
pub(crate) struct CheckedKey {
    pub(crate) owner: Owner,
    pub(crate) key: Arc<ApiKey>,
    pub(crate) role: Role,
    pub(crate) teams: Vec<String>,
    disabled: bool,
    networks: Option<Vec<Network>>,
    /// When its use was last noted, in milliseconds.
    noted_at: AtomicI64,
}

impl CheckedKey {
    /// The row, when the whole key's hash is the one that was kept.
    pub(crate) fn of(row: ApiKeyRow, hash: &[u8; 32]) -> Option<Self> {
        let kept = hex::decode(&row.secret_hash).unwrap_or_default();
        if !bool::from(kept.as_slice().ct_eq(hash)) {
            return None;
        }
        let networks = row.key.networks.as_ref().map(|all| {
            // One that cannot be read is nowhere.
            all.iter().filter_map(|one| one.parse().ok()).collect()
        });
        Some(Self {
            owner: row.owner,
            role: row.role,
            teams: row.teams,
            disabled: row.disabled_at.is_some(),
            networks,
            noted_at: AtomicI64::new(row.key.last_used_at.map_or(i64::MIN, |at| at.0)),
            key: Arc::new(row.key),
        })
    }

    /// Is it good at `now` from there? Only its holder learns why not.
    ///
    /// # Errors
    /// 401; 403 for a good one from elsewhere.
    pub(crate) fn check(&self, now: Timestamp, address: Option<IpAddr>) -> Result<(), ApiError> {
        let name = &self.key.name;
        if self.key.revoked_at.is_some() {
            return Err(ApiError::unauthorized(format!(
                "The key `{name}` was revoked. Make another one."
            )));
        }
        if let Some(end) = self.key.expires_at.filter(|end| *end <= now) {
            let end = end.to_rfc3339();
            return Err(ApiError::unauthorized(format!(
                "The key `{name}` expired at {end}. Make another one."
            )));
        }
        if self.disabled {
            return Err(ApiError::unauthorized(format!(
                "The account the key `{name}` belongs to is shut out. An owner or admin lets it in again."
            )));
        }
        let from_there = |address: IpAddr| {
            self.networks
                .as_ref()
                .is_none_or(|all| all.iter().any(|network| network.contains(address)))
        };
        if self.networks.is_none() || address.is_some_and(from_there) {
            return Ok(());
        }
        let seen = address.map_or_else(
            || "an unknown address".to_owned(),
            |a| a.to_canonical().to_string(),
        );
        Err(ApiError::forbidden(format!(
            "The key `{name}` may not be used from {seen}. Its owner says from where."
        )))
    }

    /// Is its use to be noted now? Says so once in `every_ms`, however many ask.
    pub(crate) fn is_to_be_noted(&self, now: Timestamp, every_ms: i64) -> bool {
        let noted = self.noted_at.load(Ordering::Relaxed);
        noted <= now.0.saturating_sub(every_ms)
            && self
                .noted_at
                .compare_exchange(noted, now.0, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

/// By the whole key's hash: when it was read, in milliseconds, and what was read.
type Table = HashMap<[u8; 32], (i64, Arc<CheckedKey>)>;

/// Keys that were found.
#[derive(Debug, Default)]
pub(crate) struct CheckedKeys {
    table: Mutex<Table>,
    /// Counts what was taken back: what was read before that is not remembered after it.
    changes: AtomicU64,
}

impl CheckedKeys {
    /// The key of a hash, when it was read within the last second.
    pub(crate) fn find(&self, hash: &[u8; 32], now: Timestamp) -> Option<Arc<CheckedKey>> {
        let table = self.table();
        let (read_at, key) = table.get(hash)?;
        let is_fresh = *read_at <= now.0 && now.ms_since(Timestamp(*read_at)) < CHECKED_FOR_MS;
        is_fresh.then(|| Arc::clone(key))
    }

    /// To be asked before a key is read, and given to [`Self::keep`].
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// Remembers a key that was read at `now`.
    pub(crate) fn keep(&self, hash: [u8; 32], now: Timestamp, changes: u64, key: &Arc<CheckedKey>) {
        let mut table = self.table();
        if self.changes() != changes {
            return;
        }
        if table.len() >= MAX_CHECKED {
            table.retain(|_, (read_at, _)| now.ms_since(Timestamp(*read_at)) < CHECKED_FOR_MS);
        }
        if table.len() >= MAX_CHECKED {
            table.clear();
        }
        table.insert(hash, (now.0, Arc::clone(key)));
    }

    /// Something was taken back: everything is looked for again.
    pub(crate) fn forget(&self) {
        let mut table = self.table();
        self.changes.fetch_add(1, Ordering::SeqCst);
        table.clear();
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_471_200_000);

    fn row() -> ApiKeyRow {
        ApiKeyRow {
            owner: Owner::local(),
            key: ApiKey {
                id: "k".into(),
                public_id: "abcdefgh".into(),
                name: "ci".into(),
                user: Owner::LOCAL_USER.into(),
                scopes: vec!["infer".into()],
                models: None,
                networks: Some(vec!["10.0.0.0/8".into(), "nonsense".into()]),
                budget: None,
                requests_per_minute: None,
                concurrent: None,
                created_at: NOW,
                expires_at: Some(NOW.plus_ms(5_000)),
                last_used_at: None,
                revoked_at: None,
            },
            secret_hash: hex::encode([7; 32]),
            role: Role::Member,
            disabled_at: None,
            teams: Vec::new(),
        }
    }

    #[test]
    fn a_key_is_good_with_its_secret_in_its_time_from_its_places() {
        assert!(CheckedKey::of(row(), &[8; 32]).is_none());
        let damaged = ApiKeyRow {
            secret_hash: "07".into(),
            ..row()
        };
        assert!(CheckedKey::of(damaged, &[7; 32]).is_none());
        let key = CheckedKey::of(row(), &[7; 32]).unwrap();
        let from = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        assert!(key.check(NOW, from("10.1.2.3")).is_ok());
        assert!(key.check(NOW, from("::ffff:10.1.2.3")).is_ok());
        for elsewhere in [None, from("11.1.2.3")] {
            assert_eq!(key.check(NOW, elsewhere).unwrap_err().status(false), 403);
        }
        let over = key.check(NOW.plus_ms(5_000), from("10.1.2.3")).unwrap_err();
        assert!(over.status(false) == 401 && over.message.contains("expired"));
        for (row, said) in [
            (
                ApiKeyRow {
                    disabled_at: Some(NOW),
                    ..row()
                },
                "shut out",
            ),
            (
                ApiKeyRow {
                    key: ApiKey {
                        revoked_at: Some(NOW),
                        ..row().key
                    },
                    ..row()
                },
                "revoked",
            ),
        ] {
            let error = CheckedKey::of(row, &[7; 32])
                .unwrap()
                .check(NOW, from("10.0.0.1"));
            assert!(error.unwrap_err().message.contains(said));
        }
    }

    #[test]
    fn what_was_read_before_something_was_taken_back_is_not_remembered() {
        let (keys, key) = (
            CheckedKeys::default(),
            Arc::new(CheckedKey::of(row(), &[7; 32]).unwrap()),
        );
        let before = keys.changes();
        keys.keep([7; 32], NOW, before, &key);
        assert!(keys.find(&[7; 32], NOW.plus_ms(999)).is_some());
        assert!(
            keys.find(&[7; 32], NOW.plus_ms(1_000)).is_none(),
            "a second later"
        );
        assert!(
            keys.find(&[7; 32], NOW.plus_ms(-1)).is_none(),
            "the clock went back"
        );
        keys.forget();
        assert!(keys.find(&[7; 32], NOW).is_none());
        keys.keep([7; 32], NOW, before, &key);
        assert!(keys.find(&[7; 32], NOW).is_none(), "read before, kept after");
        for n in 0..=MAX_CHECKED {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&n.to_be_bytes());
            keys.keep(hash, NOW, keys.changes(), &key);
        }
        assert!(keys.table().len() <= MAX_CHECKED);
    }

    #[test]
    fn its_use_is_noted_once_a_minute() {
        let key = CheckedKey::of(row(), &[7; 32]).unwrap();
        assert!(key.is_to_be_noted(NOW, 60_000));
        assert!(!key.is_to_be_noted(NOW.plus_ms(59_999), 60_000));
        assert!(key.is_to_be_noted(NOW.plus_ms(60_000), 60_000));
    }

    #[test]
    fn a_key_is_read_from_either_header_and_a_token_is_none() {
        let headers = |all: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in all {
                headers.append(*name, value.parse().unwrap());
            }
            headers
        };
        for all in [
            &[("x-api-key", "gbl_live_x")][..],
            &[("authorization", "bearer gbl_live_x")],
            &[
                ("authorization", "Bearer gbl_live_x"),
                ("x-api-key", "gbl_live_x"),
            ],
        ] {
            let found = presented(&headers(all)).unwrap().unwrap();
            assert_eq!(found.expose(), "gbl_live_x");
        }
        for all in [
            &[][..],
            &[("authorization", "Bearer ey.j.w")],
            &[("authorization", "Basic Zzz=")],
        ] {
            assert!(presented(&headers(all)).unwrap().is_none(), "{all:?}");
        }
        for all in [
            &[("x-api-key", "")][..],
            &[("x-api-key", "a"), ("x-api-key", "a")],
            &[("x-api-key", "a"), ("authorization", "Bearer b")],
            &[("x-api-key", "a b")],
        ] {
            assert!(presented(&headers(all)).is_err(), "{all:?}");
        }
        for bad in ["", "gbl_live_", "gbl_tier_x", "sk-1", "gbl_live_' OR 1=1 --"] {
            let error = public_id(bad).unwrap_err();
            assert!(
                error.message.len() > 40 && !error.message.contains("OR 1"),
                "{bad}"
            );
        }
    }
}
