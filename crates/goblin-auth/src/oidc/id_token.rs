//! What an ID token must say to be believed (OpenID Connect Core 1.0 §3.1.3.7). Pure.

use goblin_core::clock::Timestamp;
use serde::Deserialize;
use serde_json::{Number, Value};
use subtle::ConstantTimeEq;

use super::BadToken;
use super::keys::KeySet;
use super::signed::Parts;

/// How far the clocks of two machines may differ, in milliseconds.
pub(super) const SKEW_MS: i64 = 60_000;
/// How old a token may be that answers no sign-in begun here, in milliseconds.
const MAX_AGE_MS: i64 = 600_000;
/// Longest `sub` (§2).
const MAX_SUBJECT_BYTES: usize = 255;
/// Longest name of a person that is taken over, in characters.
const MAX_NAME_CHARS: usize = 200;

/// What a good token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// Whom the issuer means.
    pub subject: String,
    /// The address it says they have.
    pub email: Option<String>,
    /// Does it say that they receive mail there?
    pub email_verified: bool,
    /// What they are called.
    pub name: Option<String>,
    /// When the token ends.
    pub expires_at: Timestamp,
}

/// What is expected of a token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected<'a> {
    /// The issuer, in each way it may write itself.
    pub(super) issuers: &'a [String],
    /// Who we are there.
    pub(super) client_id: &'a str,
    /// The nonce and the begin of the sign-in it answers; `None`: it answers none begun here.
    pub(super) answers: Option<(&'a str, Timestamp)>,
    /// Now.
    pub(super) now: Timestamp,
}

/// One or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    pub(super) fn all(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::More(more) => more,
        }
    }
}

#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: OneOrMore,
    azp: Option<String>,
    exp: Number,
    iat: Number,
    nbf: Option<Number>,
    nonce: Option<String>,
    email: Option<String>,
    email_verified: Option<Value>,
    name: Option<String>,
}

/// What a token proves that was signed with one of `keys`.
pub(super) fn check(token: &str, keys: &KeySet, expected: &Expected<'_>) -> Result<Proven, BadToken> {
    let claims: Claims = Parts::of(token)?.by_keys(keys)?;
    if !expected.issuers.contains(&claims.iss) {
        return Err(BadToken::Issuer);
    }
    let audiences = claims.aud.all();
    if audiences.is_empty() || audiences.iter().any(|audience| audience != expected.client_id) {
        return Err(BadToken::Audience);
    }
    if claims.azp.as_ref().is_some_and(|azp| azp != expected.client_id) {
        return Err(BadToken::Party);
    }
    let expires_at = check_times(&claims, expected)?;
    if let Some((nonce, _)) = expected.answers {
        let given = claims.nonce.as_deref().unwrap_or_default();
        if !bool::from(given.as_bytes().ct_eq(nonce.as_bytes())) {
            return Err(BadToken::Nonce);
        }
    }
    check_subject(&claims.sub)?;
    Ok(Proven {
        subject: claims.sub,
        email: claims.email,
        email_verified: claims.email_verified.as_ref().is_some_and(is_true),
        name: claims.name.as_deref().and_then(shown_name),
        expires_at,
    })
}

fn check_times(claims: &Claims, expected: &Expected<'_>) -> Result<Timestamp, BadToken> {
    let (expires_at, made_at) = (moment(&claims.exp)?, moment(&claims.iat)?);
    let now = expected.now;
    let not_before = claims.nbf.as_ref().map(moment).transpose()?;
    let is_future = |at: Timestamp| at > now.plus_ms(SKEW_MS);
    if is_future(made_at) || not_before.is_some_and(is_future) {
        return Err(BadToken::Future);
    }
    if expires_at.plus_ms(SKEW_MS) <= now {
        return Err(BadToken::Over);
    }
    let earliest = expected
        .answers
        .map_or(now.plus_ms(-MAX_AGE_MS), |(_, begun)| begun);
    // Tokens tell whole seconds.
    if made_at < earliest.plus_ms(-SKEW_MS - 1_000) {
        return Err(BadToken::Old);
    }
    Ok(expires_at)
}

/// A moment as tokens write it: seconds since 1970, perhaps with a fraction (RFC 7519 §2).
pub(super) fn moment(seconds: &Number) -> Result<Timestamp, BadToken> {
    let whole = seconds
        .as_i64()
        .or_else(|| seconds.as_f64().filter(|s| s.is_finite()).map(|s| s as i64));
    let ms = whole.and_then(|s| s.checked_mul(1_000));
    ms.map(Timestamp).ok_or(BadToken::Claims)
}

/// 1 to 255 printable characters of ASCII (§2).
pub(super) fn check_subject(subject: &str) -> Result<(), BadToken> {
    let fits = (1..=MAX_SUBJECT_BYTES).contains(&subject.len())
        && subject.bytes().all(|b| (0x20..0x7f).contains(&b));
    fits.then_some(()).ok_or(BadToken::Claims)
}

/// Some write the word.
pub(super) fn is_true(value: &Value) -> bool {
    value.as_bool().unwrap_or(false) || value.as_str() == Some("true")
}

fn shown_name(name: &str) -> Option<String> {
    let shown: String = name
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_NAME_CHARS)
        .collect();
    let shown = shown.trim();
    (!shown.is_empty()).then(|| shown.to_owned())
}

#[cfg(test)]
mod tests;
