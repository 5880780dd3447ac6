//! Tokens of Supabase Auth: signed with a public key of the project, or, only where the operator has configured it, with
//! the project's old shared secret (HS256).
//!
//! Each kind of key checks its own algorithms only, so a public key is never taken for a secret. The keys a project
//! gives to programs (`anon`, `service_role`) are of nobody who could sign in; the new ones (`sb_publishable_…`,
//! `sb_secret_…`) are no tokens at all.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use goblin_core::clock::{Clock, Timestamp};
use goblin_net::{NetError, Request};
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use jsonwebtoken::DecodingKey;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Number;
use url::Url;

use super::id_token::{OneOrMore, SKEW_MS, check_subject, moment};
use super::kept::Kept;
use super::keys::KeySet;
use super::provider::{Asker, KEYS_MS, address, bearer, read};
use super::signed::Parts;
use super::{BadToken, Fault};

/// The header in which Supabase wants the project's public key.
const API_KEY: HeaderName = HeaderName::from_static("apikey");
/// The role, and the audience, of people who signed in.
const PEOPLE: &str = "authenticated";

/// A Supabase project, as the operator names it.
#[derive(Clone, Debug)]
pub struct SupabaseSettings {
    /// Where it is: `https://PROJECT.supabase.co`.
    pub url: String,
    /// The key it gives to pages: `sb_publishable_…`, or the old `anon` token.
    pub public_key: Option<SecretString>,
    /// The old shared secret.
    pub jwt_secret: Option<SecretString>,
    /// The key that may do everything (`sb_secret_…`, or the old `service_role` token), with which people are removed there
    /// who go here.
    pub admin_key: Option<SecretString>,
}

/// A Supabase project at work.
pub struct Supabase {
    issuer: String,
    keys_url: Url,
    user_url: Url,
    users_url: Url,
    public_key: Option<SecretString>,
    admin_key: Option<SecretString>,
    secret: Option<DecodingKey>,
    asker: Asker,
    clock: Clock,
    keys: Kept<KeySet>,
}

impl std::fmt::Debug for Supabase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Supabase")
            .field("issuer", &self.issuer)
            .field("legacy", &self.secret.is_some())
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: OneOrMore,
    exp: Number,
    iat: Number,
    role: String,
    #[serde(default)]
    is_anonymous: bool,
    email: Option<String>,
}

#[derive(Deserialize)]
struct User {
    id: String,
    email: Option<String>,
    email_confirmed_at: Option<String>,
}

impl Supabase {
    /// A project; nothing is asked yet.
    ///
    /// # Errors
    /// [`Fault::Unusable`] when its address is none.
    pub fn build(settings: &SupabaseSettings, clock: Clock) -> Result<Self, Fault> {
        let base = settings.url.trim_end_matches('/');
        let place = |path: &str| {
            Url::parse(&format!("{base}/auth/v1{path}"))
                .map_err(|_| Fault::Unusable("its address is none".to_owned()))
        };
        let away = |error: NetError| Fault::Unusable(error.to_string());
        Ok(Self {
            issuer: format!("{base}/auth/v1"),
            keys_url: place("/.well-known/jwks.json")?,
            user_url: place("/user")?,
            users_url: place("/admin/users/")?,
            public_key: settings.public_key.clone(),
            admin_key: settings.admin_key.clone(),
            secret: settings
                .jwt_secret
                .as_ref()
                .map(|secret| DecodingKey::from_secret(secret.expose_secret().as_bytes())),
            asker: Asker::build(base).map_err(away)?,
            keys: Kept::new(KEYS_MS, clock.clone()),
            clock,
        })
    }

    /// Who signs its tokens.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Are its keys there?
    ///
    /// # Errors
    /// That the project cannot be asked.
    pub async fn look(&self) -> Result<(), Fault> {
        self.keys.get(self.asker.keys(&self.keys_url)).await?;
        Ok(())
    }

    /// Does a token say it is of this project? Nothing proves that yet.
    pub fn is_named_by(&self, token: &str) -> bool {
        Parts::of(token).is_ok_and(|parts| parts.names_issuer(&self.issuer))
    }

    /// Whom a token is of, and the address it names, which nothing says is theirs.
    ///
    /// # Errors
    /// [`Fault::Token`] when it is not good, else that the project cannot be asked.
    pub async fn check(&self, token: &str) -> Result<(String, Option<String>), Fault> {
        let parts = Parts::of(token)?;
        let claims = match (&self.secret, parts.alg.as_str()) {
            (Some(secret), "HS256") => parts.by_secret(secret)?,
            _ => {
                let keys = self.keys.get(self.asker.keys(&self.keys_url)).await?;
                match parts.by_keys(&keys) {
                    Err(BadToken::Key) => {
                        let keys = self.keys.renew(self.asker.keys(&self.keys_url)).await?;
                        parts.by_keys(&keys)?
                    }
                    other => other?,
                }
            }
        };
        Ok(self.judge(claims, self.clock.now())?)
    }

    fn judge(&self, claims: Claims, now: Timestamp) -> Result<(String, Option<String>), BadToken> {
        if claims.iss != self.issuer {
            return Err(BadToken::Issuer);
        }
        if claims.role != PEOPLE || claims.is_anonymous {
            return Err(BadToken::Role);
        }
        let audiences = claims.aud.all();
        if audiences.is_empty() || audiences.iter().any(|audience| audience != PEOPLE) {
            return Err(BadToken::Audience);
        }
        if moment(&claims.iat)? > now.plus_ms(SKEW_MS) {
            return Err(BadToken::Future);
        }
        if moment(&claims.exp)?.plus_ms(SKEW_MS) <= now {
            return Err(BadToken::Over);
        }
        check_subject(&claims.sub)?;
        Ok((claims.sub, claims.email))
    }

    /// The address Supabase has made sure is theirs. A token does not say that: what it holds of it, its owner can write.
    ///
    /// # Errors
    /// When the project cannot be asked, or its public key was not named.
    pub async fn confirmed_email(&self, token: &str, subject: &str) -> Result<Option<String>, Fault> {
        let Some(key) = &self.public_key else {
            return Err(Fault::Unusable("SUPABASE_ANON_KEY is not set".to_owned()));
        };
        let mut request = Request::new(Method::GET, address(&self.user_url)?);
        request
            .headers
            .insert(AUTHORIZATION, bearer(&token.to_owned().into())?);
        request.headers.insert(API_KEY, header(key, "SUPABASE_ANON_KEY")?);
        let (status, bytes) = self.asker.ask(&self.user_url, request).await?;
        match status {
            StatusCode::OK => {}
            // Signed out there meanwhile.
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(BadToken::Over.into()),
            other => return Err(Fault::Away(format!("Supabase said {other}"))),
        }
        let user: User = read(&bytes, "what it knows of the person")?;
        if user.id != subject {
            return Err(Fault::Unusable("it told of somebody else".to_owned()));
        }
        Ok(user.email.filter(|_| user.email_confirmed_at.is_some()))
    }

    /// May people be removed there?
    pub fn may_remove(&self) -> bool {
        self.admin_key.is_some()
    }

    /// Removes a person there, for good. One who is not there any more is removed.
    ///
    /// From Supabase's Auth API: `DELETE /admin/users/{user_id}`, with the service key as `apikey` and as bearer token.
    ///
    /// # Errors
    /// When the project cannot be asked or refuses, or its key was not named.
    pub async fn remove(&self, subject: &str) -> Result<(), Fault> {
        let Some(key) = &self.admin_key else {
            return Err(Fault::Unusable("SUPABASE_SERVICE_ROLE_KEY is not set".to_owned()));
        };
        // As one segment of the path, whatever is in it.
        let mut url = self.users_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push(subject);
        }
        let mut request = Request::new(Method::DELETE, address(&url)?);
        request.headers.insert(AUTHORIZATION, bearer(key)?);
        request
            .headers
            .insert(API_KEY, header(key, "SUPABASE_SERVICE_ROLE_KEY")?);
        match self.asker.ask(&url, request).await?.0 {
            StatusCode::OK | StatusCode::NO_CONTENT | StatusCode::NOT_FOUND => Ok(()),
            other => Err(Fault::Away(format!("Supabase said {other}"))),
        }
    }
}

/// A key as a header that no log shows.
fn header(key: &SecretString, name: &str) -> Result<HeaderValue, Fault> {
    let mut value = HeaderValue::from_str(key.expose_secret())
        .map_err(|_| Fault::Unusable(format!("{name} cannot travel in a header")))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Is it a key that may be public: a new one, or the old `anon` token?
pub fn is_public_key(key: &str) -> bool {
    key.starts_with("sb_publishable_") || role_of(key).as_deref() == Some("anon")
}

/// Is it a key that may do everything: a new one, or the old `service_role` token?
pub fn is_admin_key(key: &str) -> bool {
    key.starts_with("sb_secret_") || role_of(key).as_deref() == Some("service_role")
}

/// The role an old key says it has. Nothing proves it; it only tells one setting from another.
fn role_of(key: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        role: String,
    }
    let claims = URL_SAFE_NO_PAD.decode(key.split('.').nth(1)?).ok()?;
    Some(serde_json::from_slice::<Named>(&claims).ok()?.role)
}

#[cfg(test)]
mod tests;
