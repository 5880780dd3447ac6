//! What binds a sign-in at a provider to the browser that began it.
//!
//! The browser holds a secret in a cookie for ten minutes, the provider hands `state` back. PKCE's verifier and the
//! nonce are made of the two together, so that nobody who has only one of them, or the database, can finish the sign-in.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use goblin_core::error::ApiError;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::secret;

/// The two secrets of a sign-in on its way.
#[derive(Clone, Debug)]
pub struct Proof {
    /// Held by the browser.
    pub browser: SecretString,
    /// Sent along to the provider and back.
    pub state: SecretString,
}

impl Proof {
    /// New ones.
    ///
    /// # Errors
    /// 500 when the system gives no random numbers.
    pub fn draw() -> Result<Self, ApiError> {
        Ok(Self {
            browser: secret::draw()?,
            state: secret::draw()?,
        })
    }

    /// Those that came back; `None` when they cannot be ours.
    pub fn returned(browser: &str, state: &str) -> Option<Self> {
        (secret::is_plausible(browser) && secret::is_plausible(state)).then(|| Self {
            browser: browser.to_owned().into(),
            state: state.to_owned().into(),
        })
    }

    /// PKCE's code verifier (RFC 7636 §4.1): 43 characters.
    pub fn verifier(&self) -> SecretString {
        self.derived("pkce").into()
    }

    /// PKCE's challenge by S256 (RFC 7636 §4.2).
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier().expose_secret().as_bytes()))
    }

    /// What the ID token must repeat.
    pub fn nonce(&self) -> String {
        self.derived("nonce")
    }

    /// The form of `state` that is kept.
    pub fn state_hash(&self) -> String {
        secret::hash(self.state.expose_secret())
    }

    /// The form of the browser's secret that is kept.
    pub fn browser_hash(&self) -> String {
        secret::hash(self.browser.expose_secret())
    }

    fn derived(&self, purpose: &str) -> String {
        // Both have one length, so no two pairs read alike.
        let digest = Sha256::new()
            .chain_update(format!("goblin sign-in {purpose}\0"))
            .chain_update(self.browser.expose_secret())
            .chain_update(self.state.expose_secret())
            .finalize();
        URL_SAFE_NO_PAD.encode(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_two_secrets_make_the_same_proof_and_any_other_another() {
        let proof = Proof::draw().unwrap();
        let (browser, state) = (proof.browser.expose_secret(), proof.state.expose_secret());
        let same = Proof::returned(browser, state).unwrap();
        assert_eq!(proof.nonce(), same.nonce());
        assert_eq!(proof.challenge(), same.challenge());
        assert_eq!(proof.verifier().expose_secret().len(), 43);
        let other = Proof::draw().unwrap();
        for mixed in [
            Proof::returned(browser, other.state.expose_secret()).unwrap(),
            Proof::returned(other.browser.expose_secret(), state).unwrap(),
            Proof::returned(state, browser).unwrap(),
        ] {
            assert_ne!(mixed.nonce(), proof.nonce());
            assert_ne!(mixed.challenge(), proof.challenge());
        }
        let all = [
            proof.nonce(),
            proof.challenge(),
            proof.state_hash(),
            proof.browser_hash(),
        ];
        let verifier = proof.verifier();
        assert!(all.iter().all(|shown| shown != verifier.expose_secret()));
        assert!(!format!("{proof:?}").contains(state));
    }

    #[test]
    fn what_cannot_be_ours_is_not_looked_for() {
        let good = "A".repeat(43);
        for bad in ["", "x", "' OR 1=1 --", &"A".repeat(44), &"é".repeat(21)] {
            assert!(Proof::returned(bad, &good).is_none() && Proof::returned(&good, bad).is_none());
        }
    }

    #[test]
    fn the_challenge_is_that_of_the_rfc() {
        // RFC 7636, appendix B.
        let digest = Sha256::digest(b"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        let challenge = URL_SAFE_NO_PAD.encode(digest);
        assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
