//! The public keys of an issuer (RFC 7517), of the kinds that tokens may be signed with.
//!
//! A key that is not understood, weak, secret or for another use is passed over: it does not spoil those beside it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;

/// Most keys of one issuer.
const MAX_KEYS: usize = 100;
/// Bytes of a modulus: 2048 to 8192 bits.
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// What tokens of others may be signed with. None of them takes a shared secret.
const ALLOWED: [(&str, Algorithm, Family); 9] = [
    ("RS256", Algorithm::RS256, Family::Rsa),
    ("RS384", Algorithm::RS384, Family::Rsa),
    ("RS512", Algorithm::RS512, Family::Rsa),
    ("PS256", Algorithm::PS256, Family::Rsa),
    ("PS384", Algorithm::PS384, Family::Rsa),
    ("PS512", Algorithm::PS512, Family::Rsa),
    ("ES256", Algorithm::ES256, Family::P256),
    ("ES384", Algorithm::ES384, Family::P384),
    ("EdDSA", Algorithm::EdDSA, Family::Ed25519),
];

/// What a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Rsa,
    P256,
    P384,
    Ed25519,
}

/// An algorithm that is allowed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowed {
    name: &'static str,
    pub(super) algorithm: Algorithm,
    family: Family,
}

impl Allowed {
    /// Reads `alg` of a header, letter by letter.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let found = ALLOWED.iter().find(|(name, ..)| *name == text)?;
        Some(Self {
            name: found.0,
            algorithm: found.1,
            family: found.2,
        })
    }
}

#[derive(Clone)]
struct PublicKey {
    id: Option<String>,
    /// The one algorithm it is for, when it says so.
    algorithm: Option<String>,
    family: Family,
    checks: DecodingKey,
}

/// The keys of an issuer.
#[derive(Clone)]
pub(super) struct KeySet(Vec<PublicKey>);

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ids = self.0.iter().map(|key| key.id.as_deref().unwrap_or("-"));
        f.debug_list().entries(ids).finish()
    }
}

#[derive(Deserialize)]
struct WrittenSet {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct WrittenKey {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a JWK set.
    ///
    /// # Errors
    /// What is wrong with it as a whole.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let written: WrittenSet = serde_json::from_slice(bytes).map_err(|_| "its keys are not a JWK set")?;
        if written.keys.len() > MAX_KEYS {
            return Err("it has too many keys");
        }
        let keys = written.keys.into_iter();
        Ok(Self(keys.filter_map(PublicKey::of).collect()))
    }

    /// The keys a token of this header may be signed with. Without a `kid` there must be one only.
    pub(super) fn fitting(&self, kid: Option<&str>, allowed: Allowed) -> Vec<&DecodingKey> {
        let fits = |key: &&PublicKey| {
            key.family == allowed.family
                && key.algorithm.as_deref().is_none_or(|alg| alg == allowed.name)
                && kid.is_none_or(|kid| key.id.as_deref() == Some(kid))
        };
        let found: Vec<&DecodingKey> = self.0.iter().filter(fits).map(|key| &key.checks).collect();
        if kid.is_none() && found.len() > 1 {
            return Vec::new();
        }
        found
    }
}

impl PublicKey {
    fn of(written: serde_json::Value) -> Option<Self> {
        let key: WrittenKey = serde_json::from_value(written).ok()?;
        let is_for_signing = key.usage.as_deref().is_none_or(|usage| usage == "sig")
            && key
                .key_ops
                .as_ref()
                .is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !is_for_signing {
            return None;
        }
        let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
        let (family, checks) = match (key.kty.as_str(), key.crv.as_deref()) {
            ("RSA", _) => {
                let (n, e) = (bytes(&key.n)?, bytes(&key.e)?);
                let length = n.iter().skip_while(|byte| **byte == 0).count();
                if !MODULUS_BYTES.contains(&length) || e.is_empty() || e.len() > 8 {
                    return None;
                }
                (Family::Rsa, DecodingKey::from_rsa_raw_components(&n, &e))
            }
            ("EC", Some(curve @ ("P-256" | "P-384"))) => {
                let (family, length) = match curve {
                    "P-256" => (Family::P256, 32),
                    _ => (Family::P384, 48),
                };
                if bytes(&key.x)?.len() != length || bytes(&key.y)?.len() != length {
                    return None;
                }
                let checks = DecodingKey::from_ec_components(key.x.as_deref()?, key.y.as_deref()?);
                (family, checks.ok()?)
            }
            ("OKP", Some("Ed25519")) if bytes(&key.x)?.len() == 32 => (
                Family::Ed25519,
                DecodingKey::from_ed_components(key.x.as_deref()?).ok()?,
            ),
            _ => return None,
        };
        Some(Self {
            id: key.kid,
            algorithm: key.alg,
            family,
            checks,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn count(keys: serde_json::Value, kid: Option<&str>, alg: &str) -> usize {
        let set = KeySet::parse(json!({"keys": keys}).to_string().as_bytes()).unwrap();
        set.fitting(kid, Allowed::parse(alg).unwrap()).len()
    }

    fn rsa(bytes: usize) -> String {
        URL_SAFE_NO_PAD.encode(vec![0xc1; bytes])
    }

    #[test]
    fn only_what_others_can_sign_with_is_allowed() {
        for refused in [
            "none", "None", "", "HS256", "HS512", "rs256", "RS256 ", "ES256K", "RS1", "dir",
        ] {
            assert!(Allowed::parse(refused).is_none(), "{refused}");
        }
        assert!(Allowed::parse("RS256").is_some() && Allowed::parse("EdDSA").is_some());
    }

    #[test]
    fn keys_that_do_not_serve_are_passed_over_and_the_others_stay() {
        let good = json!({"kty": "RSA", "kid": "a", "n": rsa(256), "e": "AQAB"});
        for bad in [
            json!({"kty": "RSA", "kid": "a", "n": rsa(128), "e": "AQAB"}),
            json!({"kty": "RSA", "kid": "a", "n": rsa(4096), "e": "AQAB"}),
            json!({"kty": "RSA", "kid": "a", "n": rsa(256)}),
            json!({"kty": "RSA", "kid": "a", "n": rsa(256), "e": "AQAB", "use": "enc"}),
            json!({"kty": "RSA", "kid": "a", "n": rsa(256), "e": "AQAB", "key_ops": ["encrypt"]}),
            json!({"kty": "RSA", "kid": "a", "n": rsa(256), "e": "AQAB", "alg": "RS512"}),
            json!({"kty": "oct", "kid": "a", "k": "c2VjcmV0"}),
            json!({"kty": "EC", "kid": "a", "crv": "P-256", "x": "AA", "y": "AA"}),
            json!({"kty": "??"}),
            json!(7),
        ] {
            assert_eq!(count(json!([bad.clone()]), Some("a"), "RS256"), 0, "{bad}");
            assert_eq!(
                count(json!([bad.clone(), good.clone()]), Some("a"), "RS256"),
                1,
                "{bad}"
            );
        }
    }

    #[test]
    fn a_key_is_found_by_its_name_and_without_one_only_when_there_is_no_choice() {
        let key = |kid: &str| json!({"kty": "RSA", "kid": kid, "n": rsa(256), "e": "AQAB"});
        let two = json!([key("a"), key("b")]);
        assert_eq!(count(two.clone(), Some("a"), "RS256"), 1);
        assert_eq!(count(two.clone(), Some("A"), "RS256"), 0);
        assert_eq!(count(two.clone(), None, "RS256"), 0);
        assert_eq!(count(json!([key("a")]), None, "PS256"), 1);
        assert_eq!(count(json!([key("a")]), Some("a"), "ES256"), 0);
        for bad in ["", "[]", "{}", "{\"keys\":1}"] {
            assert!(KeySet::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        let many = json!({"keys": vec![key("a"); MAX_KEYS + 1]}).to_string();
        assert!(KeySet::parse(many.as_bytes()).is_err());
    }
}
