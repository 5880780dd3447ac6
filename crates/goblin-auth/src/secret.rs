//! Secrets of our own making: 256 random bits, written as 43 characters that fit a cookie, a header and an address.
//! Kept as SHA-256 only; with so many bits nobody guesses, so a slow hash would add nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use goblin_core::error::ApiError;
use rand::TryRngCore;
use rand::rngs::OsRng;
use secrecy::SecretString;
use sha2::{Digest, Sha256};

/// Characters of a secret.
const CHARS: usize = 43;

/// Random bytes of the system.
///
/// # Errors
/// 500 when it gives none.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], ApiError> {
    let mut bytes = [0; N];
    OsRng
        .try_fill_bytes(&mut bytes)
        .map_err(|e| ApiError::internal(format!("the system gave no random numbers: {e}")))?;
    Ok(bytes)
}

/// A new secret.
///
/// # Errors
/// 500 when the system gives no random numbers.
pub(crate) fn draw() -> Result<SecretString, ApiError> {
    Ok(URL_SAFE_NO_PAD.encode(random::<32>()?).into())
}

/// Bytes of others, as the same kind of text.
pub(crate) fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The form that is kept: SHA-256 as hex.
pub(crate) fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// Could this be a secret of ours? What cannot be is not looked for.
pub(crate) fn is_plausible(text: &str) -> bool {
    text.len() == CHARS
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn secrets_differ_have_256_bits_and_are_kept_as_hashes() {
        let (a, b) = (draw().unwrap(), draw().unwrap());
        let (a, b) = (a.expose_secret(), b.expose_secret());
        assert!(a != b && is_plausible(a) && is_plausible(b));
        assert_eq!(URL_SAFE_NO_PAD.decode(a).unwrap().len(), 32);
        assert_eq!(hash("abc").len(), 64);
        assert!(!hash(a).contains(a));
    }

    #[test]
    fn what_cannot_be_a_secret_is_not_looked_for() {
        for bad in [
            "",
            "short",
            "' OR 1=1 --                                ",
            &"x".repeat(44),
            &"é".repeat(21),
        ] {
            assert!(!is_plausible(bad), "{bad}");
        }
    }
}
