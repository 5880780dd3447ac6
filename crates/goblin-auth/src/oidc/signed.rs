//! Tokens others signed (RFC 7515, RFC 7519, RFC 8725): the header looked at first, the signature checked, then the
//! claims read.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::BadToken;
use super::keys::{Allowed, KeySet};

/// Longest token that is looked at, in bytes. Those of some providers list every group somebody is in.
const MAX_BYTES: usize = 16 * 1024;
/// What a header may not ask for: extensions we do not know, and keys brought along.
const FORBIDDEN: [&str; 7] = ["crit", "jku", "jwk", "x5u", "x5c", "b64", "zip"];

/// A token, taken apart. Nothing of it is believed yet.
pub(super) struct Parts<'a> {
    signed: &'a str,
    claims: &'a str,
    signature: &'a str,
    /// `alg`, as written.
    pub(super) alg: String,
    kid: Option<String>,
}

impl<'a> Parts<'a> {
    /// Takes a token apart and looks at its header.
    pub(super) fn of(token: &'a str) -> Result<Self, BadToken> {
        if token.len() > MAX_BYTES {
            return Err(BadToken::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(BadToken::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(BadToken::Malformed)?;
        if claims.contains('.') {
            return Err(BadToken::Malformed);
        }
        let header: Map<String, Value> = decoded(header)?;
        if FORBIDDEN.iter().any(|name| header.contains_key(*name)) {
            return Err(BadToken::Header);
        }
        // Absent in many; another one says that this is another kind of token.
        let is_token = |typ: &Value| typ.as_str().is_some_and(|typ| typ.eq_ignore_ascii_case("jwt"));
        if !header.get("typ").is_none_or(is_token) {
            return Err(BadToken::Header);
        }
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return Err(BadToken::Header),
        };
        let alg = header.get("alg").and_then(Value::as_str);
        Ok(Self {
            signed,
            claims,
            signature,
            alg: alg.ok_or(BadToken::Algorithm)?.to_owned(),
            kid,
        })
    }

    /// The claims, once one of `keys` is known to have signed them.
    pub(super) fn by_keys<T: DeserializeOwned>(&self, keys: &KeySet) -> Result<T, BadToken> {
        let allowed = Allowed::parse(&self.alg).ok_or(BadToken::Algorithm)?;
        let fitting = keys.fitting(self.kid.as_deref(), allowed);
        if fitting.is_empty() {
            return Err(BadToken::Key);
        }
        if !fitting
            .into_iter()
            .any(|key| self.is_signed_by(key, allowed.algorithm))
        {
            return Err(BadToken::Signature);
        }
        decoded(self.claims)
    }

    /// The claims, once whoever knows the secret behind `key` is known to have signed them (HS256).
    pub(super) fn by_secret<T: DeserializeOwned>(&self, key: &DecodingKey) -> Result<T, BadToken> {
        if self.alg != "HS256" {
            return Err(BadToken::Algorithm);
        }
        if !self.is_signed_by(key, Algorithm::HS256) {
            return Err(BadToken::Signature);
        }
        decoded(self.claims)
    }

    /// The issuer it names, which nothing proves yet: by it is chosen who is asked.
    pub(super) fn names_issuer(&self, issuer: &str) -> bool {
        #[derive(Deserialize)]
        struct Named {
            iss: String,
        }
        decoded::<Named>(self.claims).is_ok_and(|named| named.iss == issuer)
    }

    fn is_signed_by(&self, key: &DecodingKey, algorithm: Algorithm) -> bool {
        jsonwebtoken::crypto::verify(self.signature, self.signed.as_bytes(), key, algorithm).unwrap_or(false)
    }
}

fn decoded<T: DeserializeOwned>(part: &str) -> Result<T, BadToken> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| BadToken::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| BadToken::Claims)
}
