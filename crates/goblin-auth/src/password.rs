//! Passwords: what is taken as one, and how it is kept (argon2id, RFC 9106, as PHC text).
//!
//! Hashing costs memory and time on purpose, so only so many run at once and only so many wait. Whether there is an
//! account makes no difference to the work: without one a hash of nobody is computed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use goblin_core::error::ApiError;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization;

use crate::email::Email;
use crate::secret;

/// Fewest bytes of a new password.
pub const MIN_PASSWORD_BYTES: usize = 8;
/// Most bytes of a password.
pub const MAX_PASSWORD_BYTES: usize = 1024;

const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;
/// Most hashes that wait for one under way; further ones are refused.
const MAX_WAITING: usize = 64;
/// Most memory a kept hash may ask for, in KiB: what is read from the database is bounded as well.
const MAX_MEMORY_KIB: u32 = 1 << 20;
const MAX_PASSES: u32 = 64;

/// A password within bounds. Letters that can be written in two ways (é) count as the same.
#[derive(Clone, Debug)]
pub struct Password(SecretString);

impl Password {
    /// Reads a password presented to sign in.
    ///
    /// # Errors
    /// 422 naming `field` when it is empty or over [`MAX_PASSWORD_BYTES`]; nothing is hashed for it.
    pub fn presented(field: &str, text: &str) -> Result<Self, ApiError> {
        if text.is_empty() || text.len() > MAX_PASSWORD_BYTES {
            let message = format!(
                "`{field}` must have 1 to {MAX_PASSWORD_BYTES} bytes; it has {}.",
                text.len()
            );
            return Err(ApiError::invalid(field, message));
        }
        Ok(Self(text.nfc().collect::<String>().into()))
    }

    /// Reads a password to be set for `email`.
    ///
    /// # Errors
    /// 422 naming `field` when it is too short, too long, or the address itself.
    pub fn chosen(field: &str, text: &str, email: &Email) -> Result<Self, ApiError> {
        Self::chosen_for(field, text, email.canonical())
    }

    /// The same for an address in its compared form.
    ///
    /// # Errors
    /// As [`Self::chosen`].
    pub fn chosen_for(field: &str, text: &str, canonical: &str) -> Result<Self, ApiError> {
        if !(MIN_PASSWORD_BYTES..=MAX_PASSWORD_BYTES).contains(&text.len()) {
            let message = format!(
                "`{field}` must have {MIN_PASSWORD_BYTES} to {MAX_PASSWORD_BYTES} bytes; it has {}. A few words in a \
                 row are easy to remember and hard to guess.",
                text.len()
            );
            return Err(ApiError::invalid(field, message));
        }
        let first = text.chars().next();
        let lower = text.to_lowercase();
        let local = canonical.split('@').next().unwrap_or(canonical);
        if text.chars().all(|c| Some(c) == first) || lower == canonical || lower == local {
            let message =
                format!("`{field}` is too easy to guess: it is one letter, or the address. Choose another.");
            return Err(ApiError::invalid(field, message));
        }
        Self::presented(field, text)
    }
}

/// What a hash costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashCost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl Default for HashCost {
    /// 19 MiB and two passes: the least of OWASP's and ASVS 5's recommendations, fit for a box of 512 MB.
    fn default() -> Self {
        Self {
            memory_kib: 19_456,
            passes: 2,
        }
    }
}

impl HashCost {
    fn params(self) -> Result<Params, ApiError> {
        Params::new(self.memory_kib, self.passes, 1, Some(HASH_BYTES))
            .map_err(|e| ApiError::internal(format!("argon2: {e}")))
    }
}

/// What became of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// It is another password, or there is none.
    Wrong,
    /// It is the password.
    Right,
    /// It is, and its hash costs something else than hashes do now.
    RightButStale,
}

/// Makes and checks hashes, a few at a time. Cloning shares the bound.
#[derive(Clone, Debug)]
pub struct Hasher {
    cost: HashCost,
    places: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
}

/// One who waits for a place.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Hasher {
    /// Hashes of `cost`, at most `at_once` at the same time.
    pub fn new(cost: HashCost, at_once: usize) -> Self {
        Self {
            cost,
            places: Arc::new(Semaphore::new(at_once.max(1))),
            waiting: Arc::default(),
        }
    }

    /// The password as it is kept.
    ///
    /// # Errors
    /// 503 while too many wait.
    pub async fn hash(&self, password: &Password) -> Result<String, ApiError> {
        let (cost, password) = (self.cost, password.clone());
        let salt = secret::random::<SALT_BYTES>()?;
        self.run(move || {
            let hash = compute(cost.params()?, &password, &salt)?;
            Ok(Phc { cost, salt, hash }.write())
        })
        .await
    }

    /// Is it the password that `kept` was made of? Without one the same work is done for nothing.
    ///
    /// # Errors
    /// 503 while too many wait.
    pub async fn check(&self, password: &Password, kept: Option<&str>) -> Result<Check, ApiError> {
        let now = self.cost;
        let found = kept.map(Phc::read);
        if let Some(None) = found {
            return Err(ApiError::internal("users.password_hash is no hash of ours"));
        }
        let there = found.flatten();
        let phc = there.unwrap_or(Phc {
            cost: now,
            salt: [0; SALT_BYTES],
            hash: [0; HASH_BYTES],
        });
        let is_there = there.is_some();
        let password = password.clone();
        self.run(move || {
            let hash = compute(phc.cost.params()?, &password, &phc.salt)?;
            let is_equal = bool::from(hash.ct_eq(&phc.hash));
            Ok(match is_equal && is_there {
                false => Check::Wrong,
                true if phc.cost == now => Check::Right,
                true => Check::RightButStale,
            })
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let gone = || ApiError::internal("the hashing thread is gone");
        let place = {
            self.waiting.fetch_add(1, Ordering::Relaxed);
            let waiting = Waiting(&self.waiting);
            if waiting.0.load(Ordering::Relaxed) > MAX_WAITING {
                let mut error = ApiError::unavailable("Too many sign in at once. Try again in a moment.");
                error.retry_after = Some(Duration::from_secs(1));
                return Err(error);
            }
            Arc::clone(&self.places)
                .acquire_owned()
                .await
                .map_err(|_| gone())?
        };
        let done = tokio::task::spawn_blocking(move || {
            // Until the work is done, also when nobody waits for it any more.
            let _place = place;
            work()
        });
        done.await.map_err(|_| gone())?
    }
}

fn compute(params: Params, password: &Password, salt: &[u8]) -> Result<[u8; HASH_BYTES], ApiError> {
    let mut hash = [0; HASH_BYTES];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password.0.expose_secret().as_bytes(), salt, &mut hash)
        .map_err(|e| ApiError::internal(format!("argon2: {e}")))?;
    Ok(hash)
}

/// A kept hash: `$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Phc {
    cost: HashCost,
    salt: [u8; SALT_BYTES],
    hash: [u8; HASH_BYTES],
}

impl Phc {
    fn write(&self) -> String {
        format!(
            "$argon2id$v=19$m={},t={},p=1${}${}",
            self.cost.memory_kib,
            self.cost.passes,
            STANDARD_NO_PAD.encode(self.salt),
            STANDARD_NO_PAD.encode(self.hash)
        )
    }

    fn read(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("$argon2id$v=19$m=")?;
        let mut parts = rest.split('$');
        let (memory, rest) = parts.next()?.split_once(",t=")?;
        let cost = HashCost {
            memory_kib: memory.parse().ok().filter(|m| (8..=MAX_MEMORY_KIB).contains(m))?,
            passes: rest
                .strip_suffix(",p=1")?
                .parse()
                .ok()
                .filter(|t| (1..=MAX_PASSES).contains(t))?,
        };
        let salt = STANDARD_NO_PAD.decode(parts.next()?).ok()?.try_into().ok()?;
        let hash = STANDARD_NO_PAD.decode(parts.next()?).ok()?.try_into().ok()?;
        parts.next().is_none().then_some(Self { cost, salt, hash })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: HashCost = HashCost {
        memory_kib: 64,
        passes: 1,
    };

    fn password(text: &str) -> Password {
        Password::presented("password", text).unwrap()
    }

    #[tokio::test]
    async fn a_password_is_known_again_and_no_other() {
        let hasher = Hasher::new(CHEAP, 2);
        let kept = hasher.hash(&password("correct horse")).await.unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=64,t=1,p=1$") && !kept.contains("horse"));
        assert_ne!(
            kept,
            hasher.hash(&password("correct horse")).await.unwrap(),
            "salted"
        );
        let check = async |text: &str, kept| hasher.check(&password(text), kept).await.unwrap();
        assert_eq!(check("correct horse", Some(kept.as_str())).await, Check::Right);
        for other in ["Correct horse", "correct horse ", "x", "' OR 1=1 --"] {
            assert_eq!(check(other, Some(kept.as_str())).await, Check::Wrong, "{other}");
        }
        assert_eq!(check("correct horse", None).await, Check::Wrong, "nobody's");
    }

    #[tokio::test]
    async fn a_hash_of_another_cost_is_right_and_stale() {
        let old = Hasher::new(CHEAP, 1)
            .hash(&password("correct horse"))
            .await
            .unwrap();
        let dearer = Hasher::new(HashCost { passes: 2, ..CHEAP }, 1);
        let found = dearer
            .check(&password("correct horse"), Some(&old))
            .await
            .unwrap();
        assert_eq!(found, Check::RightButStale);
        assert_eq!(
            dearer.check(&password("x"), Some(&old)).await.unwrap(),
            Check::Wrong
        );
    }

    #[tokio::test]
    async fn the_least_that_is_recommended_is_the_default_and_a_known_answer_is_right() {
        assert_eq!(
            (HashCost::default().memory_kib, HashCost::default().passes),
            (19_456, 2)
        );
        // From the tests of the reference implementation (P-H-C/phc-winner-argon2, src/test.c).
        let known = Params::new(256, 2, 1, Some(HASH_BYTES)).unwrap();
        assert_eq!(
            hex::encode(compute(known, &password("password"), b"somesalt").unwrap()),
            "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe"
        );
        let phc = Phc {
            cost: CHEAP,
            salt: [7; SALT_BYTES],
            hash: compute(CHEAP.params().unwrap(), &password("password"), &[7; SALT_BYTES]).unwrap(),
        };
        assert_eq!(Phc::read(&phc.write()), Some(phc));
    }

    #[tokio::test]
    async fn a_letter_written_in_two_ways_is_one_letter() {
        let hasher = Hasher::new(CHEAP, 1);
        let kept = hasher.hash(&password("caf\u{e9} au lait")).await.unwrap();
        let other = password("cafe\u{301} au lait");
        assert_eq!(hasher.check(&other, Some(&kept)).await.unwrap(), Check::Right);
    }

    #[test]
    fn hashes_that_are_not_ours_are_not_computed() {
        for bad in [
            "",
            "$argon2i$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=99999999,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=64,t=1,p=4$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=64,t=1,p=1$AAAA$AAAA",
            "plain text",
        ] {
            assert_eq!(Phc::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn passwords_out_of_bounds_are_refused_before_anything_is_hashed() {
        let email = Email::parse("adalovelace@example.org").unwrap();
        let million = "x".repeat(1_000_000);
        let long = "xy".repeat(MAX_PASSWORD_BYTES / 2 + 1);
        for bad in [
            "",
            "1234567",
            "aaaaaaaaaaaa",
            "AdaLovelace",
            "ADALOVELACE@example.org",
            long.as_str(),
            million.as_str(),
        ] {
            let error = Password::chosen("password", bad, &email).expect_err("refused");
            assert_eq!(error.param.as_deref(), Some("password"));
            assert!(error.message.len() < 300);
        }
        for good in ["12345678", "пароль пароль", &"xy".repeat(MAX_PASSWORD_BYTES / 2)] {
            assert!(Password::chosen("password", good, &email).is_ok(), "{good}");
        }
        assert!(Password::presented("password", &million).is_err());
        assert!(
            Password::presented("password", "short").is_ok(),
            "older passwords may be shorter"
        );
        let shown = format!("{:?}", password("correct horse"));
        assert!(!shown.contains("horse"), "{shown}");
    }
}
