//! Signing keys that live sealed in the database: standby → current → previous → revoked. Every copy knows the standby
//! key before it signs, and a previous one as long as a token of its can be good, so changing them ends nobody's sign-in.

use std::time::Duration;

use goblin_core::clock::Clock;
use goblin_core::error::ApiError;
use goblin_store::error::StoreError;
use goblin_store::provider_keys::Sealed;
use goblin_store::signing_keys::{KeyState, NewSigningKey, SigningKeyRow};
use goblin_store::store::Store;
use secrecy::SecretString;

use crate::access_token::{ShortKey, SigningKeys, key_id};
use crate::sealing::{KeyRing, Unopened};

/// How much longer than a token a previous key is kept: clocks of copies differ, and not all notice at once.
const MARGIN: Duration = Duration::from_secs(300);

/// Why signing keys cannot be used or changed.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeysError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// One of them does not open.
    #[error("The signing key {0} does not open. {1}")]
    Unopened(String, Unopened),
    /// One of them is too short.
    #[error(transparent)]
    Short(#[from] ShortKey),
    /// The system gave no random numbers, or a key could not be sealed.
    #[error("{0}")]
    Random(String),
    /// There are none.
    #[error("There are no signing keys yet. The first start of goblin makes them.")]
    None,
}

impl From<ApiError> for SigningKeysError {
    fn from(error: ApiError) -> Self {
        Self::Random(error.internal.unwrap_or(error.message))
    }
}

/// The keys of a store, made when there are none: `first` then signs, or one that is drawn.
///
/// # Errors
/// [`SigningKeysError`].
pub async fn load_or_make(
    store: &Store,
    ring: &KeyRing,
    first: Option<SecretString>,
) -> Result<SigningKeys, SigningKeysError> {
    let mut rows = store.list_signing_keys().await?;
    if rows.is_empty() {
        let first = match first {
            Some(first) => first,
            None => SigningKeys::make()?,
        };
        SigningKeys::new(&first, &[])?;
        let (current, standby) = (seal(ring, &first)?, draw(ring)?);
        rows = store.insert_first_signing_keys(&current, &standby).await?;
    }
    of_rows(ring, &rows)
}

/// Looks for changes another process made.
///
/// # Errors
/// [`SigningKeysError`]; then `keys` stay as they are.
pub async fn reload(store: &Store, ring: &KeyRing, keys: &SigningKeys) -> Result<(), SigningKeysError> {
    let rows = store.list_signing_keys().await?;
    keys.replace(&of_rows(ring, &rows)?);
    Ok(())
}

/// The standby key signs from now on, and a new one waits. Previous keys of which no token can be good any more are
/// forgotten.
///
/// # Errors
/// [`SigningKeysError`].
pub async fn rotate(
    store: &Store,
    ring: &KeyRing,
    clock: &Clock,
    token_lifetime: Duration,
) -> Result<Vec<SigningKeyRow>, SigningKeysError> {
    let kept = token_lifetime.saturating_add(MARGIN);
    let before = clock
        .now()
        .plus_ms(-i64::try_from(kept.as_millis()).unwrap_or(i64::MAX));
    match store.rotate_signing_keys(&draw(ring)?, before).await {
        Err(StoreError::NotFound(_)) => Err(SigningKeysError::None),
        other => Ok(other?),
    }
}

fn draw(ring: &KeyRing) -> Result<NewSigningKey, SigningKeysError> {
    seal(ring, &SigningKeys::make()?)
}

fn seal(ring: &KeyRing, secret: &SecretString) -> Result<NewSigningKey, SigningKeysError> {
    let id = key_id(secret);
    let envelope = ring.seal(&Sealed::signing_key(&id), secret)?;
    Ok(NewSigningKey { id, envelope })
}

fn of_rows(ring: &KeyRing, rows: &[SigningKeyRow]) -> Result<SigningKeys, SigningKeysError> {
    let (mut current, mut others) = (None, Vec::new());
    for row in rows.iter().filter(|row| row.state != KeyState::Revoked) {
        let opened = ring.open(&Sealed::signing_key(&row.id), &row.envelope);
        let secret = opened.map_err(|why| SigningKeysError::Unopened(row.id.clone(), why))?;
        if row.state == KeyState::Current {
            current = Some(secret);
        } else {
            others.push(secret);
        }
    }
    let current = current.ok_or(SigningKeysError::None)?;
    Ok(SigningKeys::new(&current, &others.iter().collect::<Vec<_>>())?)
}
