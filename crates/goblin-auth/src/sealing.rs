//! Secrets at rest: each sealed with a key of its own, and that key with a master key (an envelope), so that another
//! master key means to seal the small keys anew and nothing else.
//!
//! XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha), whose nonces of 24 random bytes never meet by chance. The associated
//! data is the row a secret belongs to: what is put in another row's place does not open. A sealed text is the nonce,
//! then what the cipher makes; the first byte of both says the form, 1.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use goblin_core::error::ApiError;
use goblin_store::error::StoreError;
use goblin_store::provider_keys::{Envelope, Sealed};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use crate::secret;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
/// The form sealed bytes are in.
const FORM: u8 = 1;
/// Most master keys in a ring.
const MAX_KEYS: usize = 16;

/// Master keys that do not serve.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadRing {
    /// There is none.
    #[error(
        "it names no key. Write it as ID:BASE64, for example `2026-11:` and what `openssl rand -base64 32` prints."
    )]
    Empty,
    /// An entry is not `ID:BASE64`.
    #[error(
        "its entry {0} is not written as ID:BASE64, where ID is 1 to 32 letters, digits, `-`, `_` or `.`, and BASE64 is \
         32 random bytes as `openssl rand -base64 32` prints them."
    )]
    Entry(usize),
    /// Two entries have the same id.
    #[error("two of its keys are called `{0}`. Every key has an id of its own.")]
    Twice(String),
    /// There are too many.
    #[error(
        "it names more than {MAX_KEYS} keys. Run `goblin secrets rotate`, and leave out those no longer used."
    )]
    TooMany,
}

/// Why something does not open.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Unopened {
    /// It is sealed with a master key that is not in the ring.
    #[error(
        "It is sealed with the master key `{0}`, which SETTINGS_ENCRYPTION_KEY does not name. Add that key behind the others."
    )]
    NoKey(String),
    /// The master key of that id is another one, the row was changed, or it is another row's.
    #[error(
        "It does not open with the master key `{0}`: that is another key than it was sealed with, or the row was changed."
    )]
    Broken(String),
}

impl From<Unopened> for ApiError {
    fn from(error: Unopened) -> Self {
        Self {
            internal: Some(error.to_string()),
            ..Self::unavailable("A secret of this server does not open. Tell its operator.")
        }
    }
}

/// The master keys: the first one seals, all of them open. Cloning shares them.
#[derive(Clone)]
pub struct KeyRing(Arc<RwLock<Arc<[MasterKey]>>>);

#[derive(Clone)]
struct MasterKey {
    id: String,
    key: Arc<Zeroizing<[u8; KEY_BYTES]>>,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

impl KeyRing {
    /// Reads `ID:BASE64,ID:BASE64 …`; the first one seals.
    ///
    /// # Errors
    /// [`BadRing`], without repeating any of it but ids.
    pub fn parse(text: &SecretString) -> Result<Self, BadRing> {
        let mut keys: Vec<MasterKey> = Vec::new();
        let entries = text
            .expose_secret()
            .split(',')
            .map(str::trim)
            .filter(|e| !e.is_empty());
        for (at, entry) in entries.enumerate() {
            let bad = BadRing::Entry(at + 1);
            let Some((id, key)) = entry.split_once(':') else {
                return Err(bad);
            };
            let fits = (1..=32).contains(&id.len())
                && id
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
            let bytes = Zeroizing::new(STANDARD.decode(key).unwrap_or_default());
            let Ok(key) = <[u8; KEY_BYTES]>::try_from(bytes.as_slice()) else {
                return Err(bad);
            };
            if !fits {
                return Err(bad);
            }
            if keys.iter().any(|known| known.id == id) {
                return Err(BadRing::Twice(id.to_owned()));
            }
            keys.push(MasterKey {
                id: id.to_owned(),
                key: Arc::new(Zeroizing::new(key)),
            });
        }
        match keys.len() {
            0 => Err(BadRing::Empty),
            n if n > MAX_KEYS => Err(BadRing::TooMany),
            _ => Ok(Self(Arc::new(RwLock::new(keys.into())))),
        }
    }

    /// A new master key as [`Self::parse`] reads it.
    ///
    /// # Errors
    /// 500 when the system gives no random numbers.
    pub fn make(id: &str) -> Result<SecretString, ApiError> {
        let bytes = Zeroizing::new(secret::random::<KEY_BYTES>()?);
        Ok(format!("{id}:{}", STANDARD.encode(bytes.as_slice())).into())
    }

    /// Takes over the keys of another ring, for all who share this one.
    pub fn replace(&self, other: &Self) {
        let keys = other.keys();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    /// Names the keys, the one that seals first.
    pub fn ids(&self) -> Vec<String> {
        self.keys().iter().map(|key| key.id.clone()).collect()
    }

    fn keys(&self) -> Arc<[MasterKey]> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn current(&self) -> MasterKey {
        // A ring without a key cannot be made.
        self.keys()[0].clone()
    }

    /// Seals a secret of a row.
    ///
    /// # Errors
    /// 500 when the system gives no random numbers.
    pub fn seal(&self, place: &Sealed, secret: &SecretString) -> Result<Envelope, ApiError> {
        let own = Zeroizing::new(secret::random::<KEY_BYTES>()?);
        let current = self.current();
        Ok(Envelope {
            sealed: close(&own, place, secret.expose_secret().as_bytes())?,
            sealed_key: close(&current.key, place, own.as_slice())?,
            master_id: current.id,
        })
    }

    /// Opens what was sealed for this row.
    ///
    /// # Errors
    /// [`Unopened`].
    pub fn open(&self, place: &Sealed, envelope: &Envelope) -> Result<SecretString, Unopened> {
        let broken = || Unopened::Broken(envelope.master_id.clone());
        let own = self.open_key(place, envelope)?;
        let bytes = unclose(&own, place, &envelope.sealed).ok_or_else(broken)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| broken())?;
        Ok(text.to_owned().into())
    }

    fn open_key(&self, place: &Sealed, envelope: &Envelope) -> Result<Zeroizing<[u8; KEY_BYTES]>, Unopened> {
        let id = &envelope.master_id;
        let keys = self.keys();
        let master = keys
            .iter()
            .find(|key| key.id == *id)
            .ok_or_else(|| Unopened::NoKey(id.clone()))?;
        unclose(&master.key, place, &envelope.sealed_key)
            .and_then(|bytes| <[u8; KEY_BYTES]>::try_from(bytes.as_slice()).ok())
            .map(Zeroizing::new)
            .ok_or_else(|| Unopened::Broken(id.clone()))
    }

    /// The row's own key under the first master key; `None` when it is already.
    ///
    /// # Errors
    /// [`Rewrap`].
    pub fn rewrap(&self, place: &Sealed, envelope: &Envelope) -> Result<Option<(Vec<u8>, String)>, Rewrap> {
        let own = self.open_key(place, envelope)?;
        let current = self.current();
        if current.id == envelope.master_id {
            return Ok(None);
        }
        let sealed = close(&current.key, place, own.as_slice()).map_err(|e| Rewrap::Random(e.message))?;
        Ok(Some((sealed, current.id)))
    }
}

/// Why secrets were not put under another master key. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Rewrap {
    /// One of them does not open.
    #[error(transparent)]
    Unopened(#[from] Unopened),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No random numbers.
    #[error("{0}")]
    Random(String),
}

fn close(key: &[u8; KEY_BYTES], place: &Sealed, plain: &[u8]) -> Result<Vec<u8>, ApiError> {
    let nonce = secret::random::<NONCE_BYTES>()?;
    let payload = Payload {
        msg: plain,
        aad: place.as_bytes(),
    };
    let made = XChaCha20Poly1305::new(&Key::from(*key))
        .encrypt(&XNonce::from(nonce), payload)
        .map_err(|e| ApiError::internal(format!("a secret could not be sealed: {e}")))?;
    let mut sealed = Vec::with_capacity(1 + NONCE_BYTES + made.len());
    sealed.push(FORM);
    sealed.extend(nonce);
    sealed.extend(made);
    Ok(sealed)
}

fn unclose(key: &[u8; KEY_BYTES], place: &Sealed, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, made) = sealed.strip_prefix(&[FORM])?.split_at_checked(NONCE_BYTES)?;
    let nonce = <[u8; NONCE_BYTES]>::try_from(nonce).ok()?;
    let payload = Payload {
        msg: made,
        aad: place.as_bytes(),
    };
    let plain = XChaCha20Poly1305::new(&Key::from(*key)).decrypt(&XNonce::from(nonce), payload);
    plain.ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(ids: &[&str]) -> KeyRing {
        let keys: Vec<String> = ids
            .iter()
            .map(|id| format!("{id}:{}", STANDARD.encode([id.as_bytes()[0]; KEY_BYTES])))
            .collect();
        KeyRing::parse(&keys.join(", ").into()).unwrap()
    }

    fn place() -> Sealed {
        Sealed::provider_key("local", "openai", 1)
    }

    #[test]
    fn what_is_sealed_opens_in_its_own_row_only_and_not_when_changed() {
        let (ring, secret) = (ring(&["a"]), SecretString::from("sk-provider-key"));
        let envelope = ring.seal(&place(), &secret).unwrap();
        assert_eq!(
            ring.open(&place(), &envelope).unwrap().expose_secret(),
            "sk-provider-key"
        );
        for other in [
            Sealed::provider_key("local", "openai", 2),
            Sealed::provider_key("local", "anthropic", 1),
            Sealed::provider_key("others", "openai", 1),
            // The same letters, cut elsewhere.
            Sealed::provider_key("localo", "penai", 1),
            Sealed::signing_key("openai"),
        ] {
            assert!(ring.open(&other, &envelope).is_err(), "{other:?}");
        }
        for part in [0, 1] {
            let whole = envelope.clone();
            let bytes = if part == 0 {
                &whole.sealed
            } else {
                &whole.sealed_key
            };
            for at in 0..bytes.len() {
                let mut changed = envelope.clone();
                let bytes = if part == 0 {
                    &mut changed.sealed
                } else {
                    &mut changed.sealed_key
                };
                bytes[at] ^= 1;
                assert_eq!(
                    ring.open(&place(), &changed).err(),
                    Some(Unopened::Broken("a".into())),
                    "{at}"
                );
            }
        }
        for cut in [0, 1, 10, NONCE_BYTES, NONCE_BYTES + 1] {
            let short = Envelope {
                sealed: envelope.sealed[..cut].to_vec(),
                ..envelope.clone()
            };
            assert!(ring.open(&place(), &short).is_err(), "{cut}");
        }
        let again = ring.seal(&place(), &secret).unwrap();
        assert!(again.sealed != envelope.sealed && again.sealed_key != envelope.sealed_key);
    }

    #[test]
    fn another_master_key_takes_the_rows_key_over_and_the_old_one_can_go() {
        let (old, both, new) = (ring(&["a"]), ring(&["b", "a"]), ring(&["b"]));
        let envelope = old.seal(&place(), &"secret".into()).unwrap();
        assert_eq!(
            new.open(&place(), &envelope).err(),
            Some(Unopened::NoKey("a".into()))
        );
        let (sealed_key, master_id) = both.rewrap(&place(), &envelope).unwrap().unwrap();
        let rotated = Envelope {
            sealed_key,
            master_id,
            ..envelope
        };
        assert_eq!(new.open(&place(), &rotated).unwrap().expose_secret(), "secret");
        assert_eq!(both.rewrap(&place(), &rotated).unwrap(), None, "once is enough");
        assert!(new.rewrap(&Sealed::signing_key("x"), &rotated).is_err());
        let shared = old.clone();
        old.replace(&new);
        assert_eq!(shared.open(&place(), &rotated).unwrap().expose_secret(), "secret");
    }

    #[test]
    fn rings_that_do_not_serve_are_refused_without_repeating_keys() {
        let good = STANDARD.encode([7; KEY_BYTES]);
        let short = STANDARD.encode([7; KEY_BYTES - 1]);
        for (text, expected) in [
            (String::new(), BadRing::Empty),
            (" , ".into(), BadRing::Empty),
            (good.clone(), BadRing::Entry(1)),
            (format!("a:{short}"), BadRing::Entry(1)),
            (format!("a:{good},b:hunter2"), BadRing::Entry(2)),
            (format!("a b:{good}"), BadRing::Entry(1)),
            (format!(":{good}"), BadRing::Entry(1)),
            (format!("a:{good},a:{good}"), BadRing::Twice("a".into())),
            (
                (0..=MAX_KEYS).map(|n| format!("k{n}:{good},")).collect(),
                BadRing::TooMany,
            ),
        ] {
            let refused = KeyRing::parse(&text.clone().into()).unwrap_err();
            assert_eq!(refused, expected, "{text}");
            assert!(!refused.to_string().contains(&good) && !refused.to_string().contains("hunter2"));
        }
        let made = KeyRing::make("first").unwrap();
        let ring = KeyRing::parse(&made).unwrap();
        assert_eq!(ring.ids(), ["first"]);
        assert!(!format!("{ring:?}").contains(made.expose_secret().split_once(':').unwrap().1));
    }
}
