//! Keys of the model tier: made once, shown once, kept as hashes, compared in constant time.

use std::io;
use std::path::Path;

use goblin_core::clock::Clock;
use goblin_core::error::ApiError;
use goblin_store::key_file::{KeyEntry, KeyFile, KeyFileError};
use goblin_store::private_file::write_private;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use rand::TryCryptoRng;
use secrecy::{ExposeSecret, SecretString};
use subtle::{ConditionallySelectable, ConstantTimeEq};

use crate::key_format::{self, PREFIX, RANDOM_BYTES};
use crate::principal::{Principal, Scope};

/// Longest key looked at, in bytes.
pub const MAX_KEY_BYTES: usize = 512;
/// A key of the operator's choice shorter than this deserves a warning.
pub const WEAK_KEY_BYTES: usize = 24;
/// The name of the key given by the environment.
pub const ENVIRONMENT_KEY: &str = "environment";
/// The name of the key made at the first start.
pub const FIRST_KEY: &str = "first";

/// Why keys cannot be used or made.
#[derive(Debug, thiserror::Error)]
pub enum TierKeysError {
    /// The key file does not serve.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// The environment's key cannot be sent in a header.
    #[error(
        "LOCAL_LLM_API_KEY must be 1 to {MAX_KEY_BYTES} visible ASCII characters without spaces. Correct it, or \
         leave it unset to use the key file."
    )]
    BadEnvironmentKey,
    /// The name is not usable.
    #[error("A key's name is 1 to 100 characters without control characters, and not `{ENVIRONMENT_KEY}`.")]
    BadName,
    /// The system gave no random numbers.
    #[error("The system gave no random numbers: {0}")]
    NoRandomness(String),
}

/// A key just made. The only time its text is known.
#[derive(Debug)]
pub struct NewKey {
    /// Its name.
    pub name: String,
    /// Its public part.
    pub id: String,
    /// The whole key.
    pub key: SecretString,
}

/// A key as a request presents it, within bounds but not checked.
#[derive(Debug)]
pub struct Presented(SecretString);

impl Presented {
    /// The key of `x-api-key`, else of `Authorization: Bearer`; `None` when there is neither.
    ///
    /// # Errors
    /// 401 for one that is empty, too long, repeated, or not visible ASCII.
    pub fn from_headers(headers: &HeaderMap) -> Result<Option<Self>, ApiError> {
        let malformed = || {
            ApiError::unauthorized(
                "The key cannot be read. Send it once, as `Authorization: Bearer KEY` or `x-api-key: KEY`.",
            )
        };
        let one = |name: &str| {
            let mut values = headers.get_all(name).iter();
            let first = values.next();
            if values.next().is_some() {
                Err(malformed())
            } else {
                Ok(first)
            }
        };
        let (own, bearer) = (one("x-api-key")?, one(AUTHORIZATION.as_str())?);
        let text = match (own, bearer) {
            (Some(own), _) => own.to_str().map_err(|_| malformed())?.trim(),
            (None, Some(bearer)) => {
                let (scheme, key) = bearer
                    .to_str()
                    .ok()
                    .and_then(|b| b.split_once(' '))
                    .ok_or_else(malformed)?;
                if !scheme.eq_ignore_ascii_case("bearer") {
                    return Err(malformed());
                }
                key.trim()
            }
            (None, None) => return Ok(None),
        };
        if !is_sendable(text) {
            return Err(malformed());
        }
        Ok(Some(Self(text.into())))
    }
}

fn is_sendable(key: &str) -> bool {
    (1..=MAX_KEY_BYTES).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic())
}

/// The keys the model tier accepts. Cloning shares the file's.
#[derive(Clone, Debug)]
pub struct TierKeys {
    file: KeyFile,
    environment: Option<[u8; 32]>,
}

impl TierKeys {
    /// Accepts the keys of `file` and the environment's. When there is none at all, makes one, keeps its hash and
    /// returns it: show it once ([`write_first_key`] where nobody watches). Blocks on disk.
    ///
    /// # Errors
    /// See [`TierKeysError`].
    pub fn open(
        file: KeyFile,
        environment: Option<&SecretString>,
        clock: &Clock,
        rng: &mut impl TryCryptoRng,
    ) -> Result<(Self, Option<NewKey>), TierKeysError> {
        let environment = match environment.map(ExposeSecret::expose_secret) {
            Some(key) if !is_sendable(key) => return Err(TierKeysError::BadEnvironmentKey),
            other => other.map(key_format::hash),
        };
        let keys = Self { file, environment };
        let first = if keys.environment.is_none() && keys.file.keys().is_empty() {
            Some(keys.make(FIRST_KEY, &[Scope::Infer], clock, rng)?)
        } else {
            None
        };
        Ok((keys, first))
    }

    /// Makes a key and keeps its hash. Blocks on disk.
    ///
    /// # Errors
    /// See [`TierKeysError`].
    pub fn make(
        &self,
        name: &str,
        scopes: &[Scope],
        clock: &Clock,
        rng: &mut impl TryCryptoRng,
    ) -> Result<NewKey, TierKeysError> {
        let fits = (1..=100).contains(&name.chars().count()) && !name.chars().any(char::is_control);
        if !fits || name == ENVIRONMENT_KEY {
            return Err(TierKeysError::BadName);
        }
        let mut random = [0; RANDOM_BYTES];
        rng.try_fill_bytes(&mut random)
            .map_err(|e| TierKeysError::NoRandomness(e.to_string()))?;
        let (key, id) = key_format::write(&random);
        self.file.insert_key(KeyEntry {
            name: name.to_owned(),
            id: id.clone(),
            sha256: hex::encode(key_format::hash(&key)),
            scopes: scopes.iter().map(|s| s.as_str().to_owned()).collect(),
            created_at: clock.now(),
        })?;
        Ok(NewKey {
            name: name.to_owned(),
            id,
            key: key.into(),
        })
    }

    /// Whose key it is; `None` when nobody's. Takes the same time whichever key matches, and when none does.
    pub fn verify(&self, presented: &Presented) -> Option<Principal> {
        let hash = key_format::hash(presented.0.expose_secret());
        let keys = self.file.keys();
        // 0 = nobody, 1 = the environment's, 2… = the file's. Every stored key is compared.
        let mut match_at = 0u32;
        let stored = std::iter::once(self.environment).chain(keys.iter().map(stored_hash));
        for (at, stored) in (1u32..).zip(stored) {
            let equal = stored.unwrap_or_default().ct_eq(&hash) & u8::from(stored.is_some()).ct_eq(&1);
            match_at.conditional_assign(&at, equal);
        }
        match match_at {
            0 => None,
            1 => Some(Principal::tier_key(ENVIRONMENT_KEY, vec![Scope::Infer])),
            at => {
                let entry = keys.get(at as usize - 2)?;
                let scopes = entry.scopes.iter().filter_map(|s| Scope::parse(s)).collect();
                Some(Principal::tier_key(&entry.name, scopes))
            }
        }
    }

    /// Whose request it is.
    ///
    /// # Errors
    /// 401 without a valid key, in words that say what is missing and never repeat what was sent.
    pub fn authenticate(&self, headers: &HeaderMap) -> Result<Principal, ApiError> {
        let Some(presented) = Presented::from_headers(headers)? else {
            return Err(ApiError::unauthorized(
                "This server needs a key. Send it as `Authorization: Bearer KEY` or `x-api-key: KEY`.",
            ));
        };
        self.verify(&presented).ok_or_else(|| {
            let text = presented.0.expose_secret();
            if text.starts_with(PREFIX) && !key_format::is_well_formed(text) {
                ApiError::unauthorized(
                    "The key is incomplete or mistyped: its checksum is wrong. Copy it whole.",
                )
            } else {
                ApiError::unauthorized(
                    "The key is not known here. Use the one the model tier made at its first start, or the one it was given \
                     as LOCAL_LLM_API_KEY.",
                )
            }
        })
    }

    /// The file, to reload, list or remove keys.
    pub fn file(&self) -> &KeyFile {
        &self.file
    }
}

fn stored_hash(entry: &KeyEntry) -> Option<[u8; 32]> {
    hex::decode(&entry.sha256).ok()?.try_into().ok()
}

/// Leaves the first key in a file that only its owner can read (mode 0600), for a start nobody watches.
/// Log the path, never the key.
///
/// # Errors
/// What the system says; then the key is lost: remove it from the key file and start again.
pub fn write_first_key(path: &Path, first: &NewKey) -> io::Result<()> {
    write_private(path, format!("{}\n", first.key.expose_secret()).as_bytes())
}
