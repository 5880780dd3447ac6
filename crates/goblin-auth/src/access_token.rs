//! Access tokens: short-lived JWTs (RFC 7519, RFC 8725) for clients that are not browsers.
//!
//! Every key has one algorithm, HS256, and a token says which key signed it (`kid`). A token is only looked at when
//! its header is exactly the one we write: another algorithm, another type, a key or an address of one inside
//! (`jwk`, `jku`, `x5u`), or `crit` is refused before anything else. What a token proves is a sign-in (`sid`), which is
//! then looked up, so ending that ends the token at once.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use goblin_core::clock::Timestamp;
use goblin_core::error::ApiError;
use goblin_core::owner::Owner;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::secret;

/// Fewest bytes of a signing key.
pub const MIN_KEY_BYTES: usize = 32;
/// Longest token that is looked at, in bytes.
const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// How far the clocks of two machines may differ, in seconds.
const SKEW_SECONDS: i64 = 60;

const TYPE: &str = "at+jwt";
const ISSUER: &str = "goblin";
const AUDIENCE: &str = "goblin";

/// A signing key that does not serve.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "A signing key must have at least {MIN_KEY_BYTES} bytes; this one has {0}. Make one with `openssl rand -base64 48`."
)]
pub struct ShortKey(pub usize);

/// The keys tokens are signed and checked with. Cloning shares them.
#[derive(Clone)]
pub struct SigningKeys(Arc<RwLock<Arc<Set>>>);

struct Set {
    current: Key,
    others: Vec<Key>,
}

#[derive(Clone)]
struct Key {
    id: String,
    signs: EncodingKey,
    checks: DecodingKey,
}

impl Key {
    fn new(secret: &SecretString) -> Result<Self, ShortKey> {
        let bytes = secret.expose_secret().as_bytes();
        if bytes.len() < MIN_KEY_BYTES {
            return Err(ShortKey(bytes.len()));
        }
        Ok(Self {
            id: key_id(secret),
            signs: EncodingKey::from_secret(bytes),
            checks: DecodingKey::from_secret(bytes),
        })
    }
}

/// The `kid` of a key: names it and tells no more of it than a signature does.
pub fn key_id(secret: &SecretString) -> String {
    let digest = Sha256::new()
        .chain_update(b"goblin signing key id\0")
        .chain_update(Sha256::digest(secret.expose_secret().as_bytes()))
        .finalize();
    hex::encode(&digest[..8])
}

impl std::fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKeys")
            .field("current", &self.set().current.id)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OurHeader {
    alg: String,
    typ: String,
    kid: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    /// The user.
    sub: String,
    /// The tenant.
    tid: String,
    /// The sign-in.
    sid: String,
    jti: String,
    iat: i64,
    exp: i64,
}

/// What a good token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// Whose it is.
    pub owner: Owner,
    /// The sign-in it belongs to.
    pub session: String,
}

impl SigningKeys {
    /// Signs with `current`; accepts `others` (standby, previous) as well.
    ///
    /// # Errors
    /// [`ShortKey`].
    pub fn new(current: &SecretString, others: &[&SecretString]) -> Result<Self, ShortKey> {
        let set = Set {
            current: Key::new(current)?,
            others: others.iter().map(|key| Key::new(key)).collect::<Result<_, _>>()?,
        };
        Ok(Self(Arc::new(RwLock::new(Arc::new(set)))))
    }

    /// Takes over the keys of `other`, for all who share these.
    pub fn replace(&self, other: &Self) {
        let set = other.set();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = set;
    }

    fn set(&self) -> Arc<Set> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A new key, as text.
    ///
    /// # Errors
    /// 500 when the system gives no random numbers.
    pub fn make() -> Result<SecretString, ApiError> {
        secret::draw()
    }

    /// A token for a sign-in of `owner`, good for `lifetime` from `now` on.
    ///
    /// # Errors
    /// 500 when it cannot be signed.
    pub fn issue(
        &self,
        owner: &Owner,
        session: &str,
        now: Timestamp,
        lifetime: Duration,
    ) -> Result<SecretString, ApiError> {
        let iat = now.unix_seconds();
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: owner.user.clone(),
            tid: owner.tenant.clone(),
            sid: session.to_owned(),
            jti: hex::encode(secret::random::<16>()?),
            iat,
            exp: iat.saturating_add(i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX)),
        };
        let set = self.set();
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(set.current.id.clone());
        encode(&header, &claims, &set.current.signs)
            .map(SecretString::from)
            .map_err(|e| ApiError::internal(format!("a token could not be signed: {e}")))
    }

    /// What a token proves at `now`; `None` when it is not good, whatever is wrong with it.
    pub fn check(&self, token: &str, now: Timestamp) -> Option<Proven> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let header = URL_SAFE_NO_PAD.decode(token.split('.').next()?).ok()?;
        let header: OurHeader = serde_json::from_slice(&header).ok()?;
        if header.alg != "HS256" || header.typ != TYPE {
            return None;
        }
        let set = self.set();
        let key = std::iter::once(&set.current)
            .chain(&set.others)
            .find(|key| key.id == header.kid)?;
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_issuer(&[ISSUER]);
        rules.set_audience(&[AUDIENCE]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Times are compared below, with the clock that tests own.
        rules.validate_exp = false;
        let claims = decode::<Claims>(token, &key.checks, &rules).ok()?.claims;
        let now = now.unix_seconds();
        let is_now =
            claims.exp.saturating_add(SKEW_SECONDS) > now && claims.iat <= now.saturating_add(SKEW_SECONDS);
        is_now.then_some(Proven {
            owner: Owner {
                tenant: claims.tid,
                user: claims.sub,
            },
            session: claims.sid,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: Timestamp = Timestamp(1_795_471_200_000);
    const TEN_MINUTES: Duration = Duration::from_secs(600);

    fn secret_of(letter: &str) -> SecretString {
        letter.repeat(MIN_KEY_BYTES).into()
    }

    fn keys() -> SigningKeys {
        SigningKeys::new(&secret_of("k"), &[]).unwrap()
    }

    fn owner() -> Owner {
        Owner {
            tenant: "local".into(),
            user: "u-1".into(),
        }
    }

    fn token() -> String {
        let token = keys().issue(&owner(), "s-1", NOW, TEN_MINUTES).unwrap();
        token.expose_secret().to_owned()
    }

    fn good_header() -> Value {
        json!({"alg": "HS256", "typ": TYPE, "kid": keys().set().current.id})
    }

    fn good_claims() -> Value {
        let now = NOW.unix_seconds();
        json!({"iss": "goblin", "aud": "goblin", "sub": "u-1", "tid": "local", "sid": "s-1", "jti": "j",
               "iat": now, "exp": now + 600})
    }

    /// A token of this header and these claims, signed as HS256 with `key`.
    fn forge(header: &Value, claims: &Value, key: &[u8]) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = jsonwebtoken::crypto::sign(
            message.as_bytes(),
            &EncodingKey::from_secret(key),
            Algorithm::HS256,
        );
        format!("{message}.{}", signature.unwrap())
    }

    fn with(mut value: Value, changes: &[(&str, Value)]) -> Value {
        for (name, to) in changes {
            value[*name] = to.clone();
        }
        value
    }

    #[test]
    fn a_token_says_who_and_which_sign_in_until_it_ends() {
        let proven = keys().check(&token(), NOW).unwrap();
        assert_eq!((proven.owner, proven.session.as_str()), (owner(), "s-1"));
        assert!(
            keys().check(&token(), NOW.plus_ms(659_000)).is_some(),
            "clocks differ a little"
        );
        assert!(keys().check(&token(), NOW.plus_ms(660_000)).is_none(), "over");
        assert!(keys().check(&token(), NOW.plus_ms(-60_000)).is_some());
        assert!(
            keys().check(&token(), NOW.plus_ms(-600_000)).is_none(),
            "a clock ten minutes off"
        );
        let key = secret_of("k");
        assert!(
            keys()
                .check(
                    &forge(&good_header(), &good_claims(), key.expose_secret().as_bytes()),
                    NOW
                )
                .is_some()
        );
        assert!(!format!("{:?}", keys()).contains("kkkk"));
    }

    #[test]
    fn a_key_that_is_too_short_is_refused_by_its_length() {
        let short: SecretString = "k".repeat(MIN_KEY_BYTES - 1).into();
        assert_eq!(SigningKeys::new(&short, &[]).unwrap_err(), ShortKey(31));
        assert_eq!(
            SigningKeys::new(&secret_of("k"), &[&short]).unwrap_err(),
            ShortKey(31)
        );
        assert!(!ShortKey(31).to_string().contains("kkk"));
    }

    #[test]
    fn tokens_of_standby_and_previous_keys_are_good_and_of_others_not() {
        let old = keys();
        let rotated = SigningKeys::new(&secret_of("n"), &[&secret_of("k")]).unwrap();
        let signed_before = old.issue(&owner(), "s-1", NOW, TEN_MINUTES).unwrap();
        assert!(rotated.check(signed_before.expose_secret(), NOW).is_some());
        let signed_after = rotated.issue(&owner(), "s-1", NOW, TEN_MINUTES).unwrap();
        assert!(old.check(signed_after.expose_secret(), NOW).is_none());
        let shared = old.clone();
        old.replace(&rotated);
        assert!(
            shared.check(signed_after.expose_secret(), NOW).is_some(),
            "all who share them"
        );
        let forgotten = SigningKeys::new(&secret_of("n"), &[]).unwrap();
        assert!(forgotten.check(signed_before.expose_secret(), NOW).is_none());
    }

    #[test]
    fn tokens_that_are_not_exactly_ours_are_refused() {
        let key = secret_of("k");
        let key = key.expose_secret().as_bytes();
        let (header, claims, now) = (good_header(), good_claims(), NOW.unix_seconds());
        let none = {
            let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
            format!(
                "{}.{}.",
                part(&with(header.clone(), &[("alg", json!("none"))])),
                part(&claims)
            )
        };
        let headers = [
            ("alg", json!("none")),
            ("alg", json!("None")),
            ("alg", json!("HS384")),
            ("alg", json!("RS256")),
            ("alg", json!("EdDSA")),
            ("alg", json!(null)),
            ("typ", json!("JWT")),
            ("typ", json!("refresh")),
            ("kid", json!("../../dev/null")),
            ("kid", json!("' OR 1=1 --")),
            ("kid", json!(1)),
            ("jku", json!("https://evil.example/keys")),
            ("jwk", json!({"kty": "oct", "k": "AAAA"})),
            ("x5u", json!("https://evil.example/cert")),
            ("crit", json!(["exp"])),
        ];
        let bodies = [
            ("iss", json!("evil")),
            ("aud", json!("other")),
            ("aud", json!(null)),
            ("exp", json!(now - 61)),
            ("exp", json!("never")),
            ("exp", json!(null)),
            ("iat", json!(now + 600)),
            ("sub", json!(null)),
            ("sid", json!(null)),
            ("tid", json!(7)),
        ];
        let mut bad: Vec<String> = vec![
            none.clone(),
            format!("{none}{}", "A".repeat(43)),
            forge(&header, &claims, b"another key of thirty-two bytes!!"),
            forge(&header, &claims, b""),
            String::new(),
            ".".into(),
            "..".into(),
            "a.b.c".into(),
            format!("{}.", token()),
            format!("{}.x", token()),
            format!(" {}", token()),
            token()[..token().len() - 1].to_owned(),
            token()[1..].to_owned(),
            token().rsplit_once('.').unwrap().0.to_owned(),
            "x".repeat(1_000_000),
            forge(
                &header,
                &with(claims.clone(), &[("pad", json!("x".repeat(9_000)))]),
                key,
            ),
        ];
        bad.extend(headers.map(|(name, value)| forge(&with(header.clone(), &[(name, value)]), &claims, key)));
        bad.extend(bodies.map(|(name, value)| forge(&header, &with(claims.clone(), &[(name, value)]), key)));
        // The claims of one, the signature of another.
        let other = keys().issue(&Owner::local(), "s-2", NOW, TEN_MINUTES).unwrap();
        let parts: Vec<&str> = other.expose_secret().split('.').collect();
        let mine = token();
        let signature = mine.rsplit('.').next().unwrap();
        bad.push(format!("{}.{}.{signature}", parts[0], parts[1]));
        for token in bad {
            let shown: String = token.chars().take(80).collect();
            assert_eq!(keys().check(&token, NOW), None, "{shown}");
        }
    }

    #[test]
    fn no_change_of_a_token_is_good() {
        let token = token();
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            // The last letter of a part holds bits beyond its bytes: those are refused, or say nothing.
            if let Some(proven) = keys().check(&changed, NOW) {
                panic!("{at}: {proven:?}");
            }
        }
    }
}
