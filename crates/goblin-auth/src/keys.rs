//! Keys of the model tier: made once, shown once, kept as hashes, compared in constant time.

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use goblin_core::clock::{Clock, Timestamp};
use goblin_core::error::ApiError;
use goblin_store::key_file::{
    KeyEntry, KeyFile, KeyFileError, KeyHash, KeyLimits, MAX_PREVIOUS, Network, PreviousSecret,
};
use goblin_store::private_file::write_private;
use http::HeaderMap;
use rand::TryCryptoRng;
use secrecy::{ExposeSecret, SecretString};
use subtle::{ConditionallySelectable, ConstantTimeEq};

use crate::key_format::{self, RANDOM_BYTES};
use crate::presented::{Presented, is_sendable};
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
    /// There is no key of that name.
    #[error("There is no key `{0}`.")]
    NotFound(String),
    /// A key that is over cannot be rotated.
    #[error("The key `{0}` is {1}, so it cannot be rotated. Make another one with `create`.")]
    Over(String, &'static str),
    /// As many secrets overlap as are kept.
    #[error(
        "The key `{0}` already has {MAX_PREVIOUS} earlier secrets whose overlap is not over. Wait for one to end, or \
         end all of them with an overlap of 0."
    )]
    TooManyPrevious(String),
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

/// What a new key is to be like.
#[derive(Clone, Debug, Default)]
pub struct NewKeyOptions {
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// How much it may use.
    pub limits: KeyLimits,
    /// From when on it is no longer good.
    pub expires_at: Option<Timestamp>,
    /// Where it may be used from; empty: anywhere.
    pub from: Vec<Network>,
}

impl NewKeyOptions {
    /// A key without limits that may do `scopes`.
    pub fn with_scopes(scopes: impl Into<Vec<Scope>>) -> Self {
        Self {
            scopes: scopes.into(),
            ..Self::default()
        }
    }
}

/// Why a request's key was refused, for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefusedKey {
    /// There is none.
    Missing,
    /// It cannot be read.
    Malformed,
    /// There are two, and they differ.
    Conflicting,
    /// It is nobody's.
    Unknown,
    /// It was taken back, or a rotation has ended it.
    Revoked,
    /// Its time is over.
    Expired,
    /// It may not be used from there.
    Address,
}

impl RefusedKey {
    /// The label of the metric.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Conflicting => "conflicting",
            Self::Unknown => "unknown",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Address => "address",
        }
    }

    /// Does it look like somebody who tries keys? Forgetting the key, or using one a day too long, does not.
    pub fn is_suspicious(self) -> bool {
        !matches!(self, Self::Missing | Self::Expired)
    }
}

/// A request without a good key.
#[derive(Debug)]
pub struct KeyRefusal {
    /// Why, for counting.
    pub reason: RefusedKey,
    /// Why, for the caller.
    pub error: Box<ApiError>,
}

impl KeyRefusal {
    pub(crate) fn new(reason: RefusedKey, message: impl Into<String>) -> Self {
        Self {
            reason,
            error: Box::new(ApiError::unauthorized(message)),
        }
    }
}

/// Whose request it is and how much they may use.
#[derive(Clone, Debug)]
pub struct KeyHolder {
    /// Who.
    pub principal: Principal,
    /// The key's name.
    pub name: String,
    /// How much.
    pub limits: KeyLimits,
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
            let options = NewKeyOptions::with_scopes([Scope::Infer, Scope::Embed]);
            Some(keys.make(FIRST_KEY, options, clock, rng)?)
        } else {
            None
        };
        Ok((keys, first))
    }

    /// The keys of `file` alone, to change them. Makes none.
    pub fn of_file(file: KeyFile) -> Self {
        Self {
            file,
            environment: None,
        }
    }

    /// Makes a key and keeps its hash. Blocks on disk.
    ///
    /// # Errors
    /// See [`TierKeysError`].
    pub fn make(
        &self,
        name: &str,
        options: NewKeyOptions,
        clock: &Clock,
        rng: &mut impl TryCryptoRng,
    ) -> Result<NewKey, TierKeysError> {
        let fits = (1..=100).contains(&name.chars().count()) && !name.chars().any(char::is_control);
        if !fits || name == ENVIRONMENT_KEY {
            return Err(TierKeysError::BadName);
        }
        let (new, sha256) = draw(name, rng)?;
        self.file.insert_key(KeyEntry {
            name: name.to_owned(),
            id: new.id.clone(),
            sha256,
            scopes: options.scopes.iter().map(|s| s.as_str().to_owned()).collect(),
            created_at: clock.now(),
            expires_at: options.expires_at,
            revoked_at: None,
            from: options.from,
            limits: options.limits,
            previous: Vec::new(),
        })?;
        Ok(new)
    }

    /// Gives the key a new secret. The old one stays good for `overlap`, and no earlier one for longer: 0 ends
    /// them all now. Blocks on disk.
    ///
    /// # Errors
    /// See [`TierKeysError`].
    pub fn rotate(
        &self,
        name: &str,
        overlap: Duration,
        clock: &Clock,
        rng: &mut impl TryCryptoRng,
    ) -> Result<NewKey, TierKeysError> {
        let now = clock.now();
        let until = now.plus_ms(i64::try_from(overlap.as_millis()).unwrap_or(i64::MAX));
        let (new, sha256) = draw(name, rng)?;
        let changed = self.file.update_key(name, |key| {
            let over = |what| TierKeysError::Over(name.to_owned(), what);
            if key.revoked_at.is_some() {
                return Err(over("revoked"));
            }
            if key.expires_at.is_some_and(|end| end <= now) {
                return Err(over("expired"));
            }
            let old = PreviousSecret {
                id: std::mem::replace(&mut key.id, new.id.clone()),
                sha256: std::mem::replace(&mut key.sha256, sha256),
                until,
            };
            key.previous.push(old);
            for earlier in &mut key.previous {
                earlier.until = earlier.until.min(until);
            }
            key.previous.retain(|earlier| earlier.until > now);
            if key.previous.len() > MAX_PREVIOUS {
                return Err(TierKeysError::TooManyPrevious(name.to_owned()));
            }
            Ok(())
        })?;
        changed.ok_or_else(|| TierKeysError::NotFound(name.to_owned()))?;
        Ok(new)
    }

    /// Takes the key back, at once and for good; its row stays, so that its holder is told. When it was taken back
    /// before, that time is kept; either is returned. Blocks on disk.
    ///
    /// # Errors
    /// See [`TierKeysError`].
    pub fn revoke(&self, name: &str, clock: &Clock) -> Result<Timestamp, TierKeysError> {
        let now = clock.now();
        let at = self.file.update_key(name, |key| {
            Ok::<_, TierKeysError>(*key.revoked_at.get_or_insert(now))
        })?;
        at.ok_or_else(|| TierKeysError::NotFound(name.to_owned()))
    }

    /// Whose request it is, at `now` from `address`.
    ///
    /// # Errors
    /// 401 without a good key, 403 for a good one from a wrong address, in words that never repeat what was sent.
    pub fn authenticate(
        &self,
        headers: &HeaderMap,
        now: Timestamp,
        address: Option<IpAddr>,
    ) -> Result<KeyHolder, KeyRefusal> {
        let Some(presented) = Presented::from_headers(headers)? else {
            return Err(KeyRefusal::new(
                RefusedKey::Missing,
                "This server needs a key. Send it as `Authorization: Bearer KEY` or `x-api-key: KEY`.",
            ));
        };
        match self.find(&presented) {
            Found::Nobody => Err(unknown(&presented)),
            Found::Environment => Ok(KeyHolder {
                principal: Principal::tier_key(ENVIRONMENT_KEY, vec![Scope::Infer, Scope::Embed]),
                name: ENVIRONMENT_KEY.to_owned(),
                limits: KeyLimits::default(),
            }),
            Found::File { entry, until } => {
                check(&entry, until, now, address)?;
                let scopes = entry.scopes.iter().filter_map(|s| Scope::parse(s)).collect();
                Ok(KeyHolder {
                    principal: Principal::tier_key(&entry.name, scopes),
                    limits: entry.limits,
                    name: entry.name,
                })
            }
        }
    }

    /// Whose key it is. Every stored hash is compared, in time that does not depend on which one matches, or
    /// whether one does.
    fn find(&self, presented: &Presented) -> Found {
        let hash = key_format::hash(presented.expose());
        let keys = self.file.keys();
        // Row 0 = nobody, 1 = the environment's, 2… = the file's. Secret 0 = the key's own, 1… = earlier ones.
        let environment = self.environment.iter().map(|stored| (1, 0, stored));
        let of_file = (2u32..).zip(keys.iter()).flat_map(|(row, key)| {
            let secrets = std::iter::once(&key.sha256).chain(key.previous.iter().map(|p| &p.sha256));
            (0u32..)
                .zip(secrets)
                .map(move |(secret, stored)| (row, secret, &stored.0))
        });
        let (mut match_row, mut match_secret) = (0u32, 0u32);
        for (row, secret, stored) in environment.chain(of_file) {
            let equal = stored.ct_eq(&hash);
            match_row.conditional_assign(&row, equal);
            match_secret.conditional_assign(&secret, equal);
        }
        let entry = (match_row as usize).checked_sub(2).and_then(|row| keys.get(row));
        match entry {
            None if match_row == 1 => Found::Environment,
            None => Found::Nobody,
            Some(entry) => {
                let earlier = (match_secret as usize).checked_sub(1);
                let until = earlier.and_then(|at| entry.previous.get(at)).map(|p| p.until);
                let entry = Box::new(entry.clone());
                Found::File { entry, until }
            }
        }
    }

    /// The file, to reload, list or remove keys.
    pub fn file(&self) -> &KeyFile {
        &self.file
    }
}

/// Whose key it is.
enum Found {
    Nobody,
    Environment,
    File {
        entry: Box<KeyEntry>,
        /// The end of a secret that was rotated away.
        until: Option<Timestamp>,
    },
}

fn draw(name: &str, rng: &mut impl TryCryptoRng) -> Result<(NewKey, KeyHash), TierKeysError> {
    let mut random = [0; RANDOM_BYTES];
    rng.try_fill_bytes(&mut random)
        .map_err(|e| TierKeysError::NoRandomness(e.to_string()))?;
    let (key, id) = key_format::write(key_format::TIER, &random);
    let hash = KeyHash(key_format::hash(&key));
    let name = name.to_owned();
    Ok((
        NewKey {
            name,
            id,
            key: key.into(),
        },
        hash,
    ))
}

/// Is a key that was recognised good now and from there? Only its holder learns why not.
fn check(
    entry: &KeyEntry,
    until: Option<Timestamp>,
    now: Timestamp,
    address: Option<IpAddr>,
) -> Result<(), KeyRefusal> {
    let name = &entry.name;
    if entry.revoked_at.is_some() {
        return Err(KeyRefusal::new(
            RefusedKey::Revoked,
            format!("The key `{name}` was revoked. Ask the operator for a new one."),
        ));
    }
    if until.is_some_and(|until| until <= now) {
        return Err(KeyRefusal::new(
            RefusedKey::Revoked,
            format!("The key `{name}` was rotated and this secret has ended. Use the new one."),
        ));
    }
    if let Some(end) = entry.expires_at.filter(|end| *end <= now) {
        let end = end.to_rfc3339();
        return Err(KeyRefusal::new(
            RefusedKey::Expired,
            format!("The key `{name}` expired at {end}. Ask the operator for a new one."),
        ));
    }
    let from_there = |address: IpAddr| entry.from.iter().any(|network| network.contains(address));
    if entry.from.is_empty() || address.is_some_and(from_there) {
        return Ok(());
    }
    let seen = address.map_or_else(
        || "an unknown address".to_owned(),
        |a| a.to_canonical().to_string(),
    );
    Err(KeyRefusal {
        reason: RefusedKey::Address,
        error: Box::new(ApiError::forbidden(format!(
            "The key `{name}` may not be used from {seen}. Its operator says from where."
        ))),
    })
}

fn unknown(presented: &Presented) -> KeyRefusal {
    let text = presented.expose();
    let message = if text.starts_with(key_format::TIER) && !key_format::is_well_formed(key_format::TIER, text)
    {
        "The key is incomplete or mistyped: its checksum is wrong. Copy it whole."
    } else {
        "The key is not known here. Use one that `goblin models keys create` or the tier's first start has printed, or \
         the one the tier was given as LOCAL_LLM_API_KEY."
    };
    KeyRefusal::new(RefusedKey::Unknown, message)
}

/// Leaves the first key in a file that only its owner can read (mode 0600), for a start nobody watches.
/// Log the path, never the key.
///
/// # Errors
/// What the system says; then the key is lost: remove it from the key file and start again.
pub fn write_first_key(path: &Path, first: &NewKey) -> io::Result<()> {
    write_private(path, format!("{}\n", first.key.expose_secret()).as_bytes())
}
