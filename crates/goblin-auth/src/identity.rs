//! Accounts at work: whose request it is, and everything that makes, changes and ends sign-ins.
//!
//! Truth is in the database: of an account, its role and its sign-ins nothing is remembered between two requests, so
//! what one copy of goblin ends is over for all of them at their next request. Keys of the API, which come with every
//! request of a program, are remembered for a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use goblin_core::account::{Account, SessionKind};
use goblin_core::clock::{Clock, Timestamp};
use goblin_core::error::ApiError;
use goblin_core::owner::Owner;
use goblin_store::audit::NewAudit;
use goblin_store::sessions::SessionRow;
use goblin_store::store::Store;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use secrecy::SecretString;
use tokio::sync::Semaphore;

use crate::access_token::SigningKeys;
use crate::api_keys::{CheckedKeys, presented};
use crate::oidc::Federation;
use crate::passkey::RelyingParty;
use crate::password::{HashCost, Hasher};
use crate::post::PostBox;
use crate::principal::Principal;
use crate::throttle::Throttle;
use crate::visit::{Premises, Visit};

mod again;
mod api_keys;
mod budgets;
mod elsewhere;
mod leaving;
mod linking;
mod mail;
mod others;
mod own;
mod passkeys;
mod signing_in;
mod teams;

pub use api_keys::{ApiKeyShown, KeyWish};
pub use elsewhere::{Begun, Denied, Finished, Returned, Why};
pub use linking::{IdentityShown, Token};
pub use others::{NewLinkShown, UserChange};
pub use passkeys::CeremonyBegun;
pub use signing_in::{Applicant, Given, SignedIn, Tokens};

/// How often the last use of a sign-in is noted.
const SEEN_EVERY_MS: u64 = 60_000;
/// Most people who take everything along at once.
const EXPORTS: usize = 4;
/// How old the knowledge that there is no account may be.
const LOOK_EVERY_MS: u64 = 1_000;

/// How accounts and sign-ins are to be.
#[derive(Clone, Debug)]
pub struct Settings {
    /// May anybody make an account?
    pub registration_open: bool,
    /// How long a sign-in may be unused.
    pub session_idle: Duration,
    /// How long a sign-in lasts at most.
    pub session_lifetime: Duration,
    /// How long an access token is good.
    pub token_lifetime: Duration,
    /// How long an invitation is good.
    pub invitation_lifetime: Duration,
    /// How long a link to set another password is good.
    pub reset_lifetime: Duration,
    /// How long the link for the first account is good.
    pub setup_lifetime: Duration,
    /// What hashing a password costs.
    pub hash_cost: HashCost,
    /// Most passwords hashed at once.
    pub hashes_at_once: usize,
}

impl Default for Settings {
    fn default() -> Self {
        let days = |n: u64| Duration::from_secs(n * 86_400);
        Self {
            registration_open: false,
            session_idle: days(7),
            session_lifetime: days(30),
            token_lifetime: Duration::from_secs(600),
            invitation_lifetime: days(7),
            reset_lifetime: Duration::from_secs(3_600),
            setup_lifetime: days(1),
            hash_cost: HashCost::default(),
            hashes_at_once: 2,
        }
    }
}

/// What accounts need.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Where accounts are.
    pub store: Store,
    /// Tells the time.
    pub clock: Clock,
    /// What tokens are signed with; `None`: none may be given out, so nobody can make the first account.
    pub keys: Option<SigningKeys>,
    /// How requests come here.
    pub premises: Premises,
    /// Where the page is, for links: `https://chat.example.org`.
    pub page_url: String,
    /// How accounts and sign-ins are to be.
    pub settings: Settings,
    /// Who else vouches for people.
    pub federation: Federation,
    /// Who asks for passkeys; `None`: the page is nowhere browsers have them.
    pub relying_party: Option<RelyingParty>,
    /// Where letters are handed in; `None`: none are sent.
    pub post: Option<PostBox>,
    /// Counts tries.
    pub throttle: Throttle,
}

/// Accounts at work. Cloning shares them.
#[derive(Clone, Debug)]
pub struct Identity(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    parts: Parts,
    hasher: Hasher,
    checked_keys: CheckedKeys,
    /// Places for those who take everything along.
    exports: Arc<Semaphore>,
    /// Is there an account? Once there is one, there always is.
    has_account: AtomicBool,
    /// When that was last looked at, in milliseconds.
    looked_at: AtomicI64,
}

impl Identity {
    /// Accounts of a store.
    pub fn new(parts: Parts) -> Self {
        let hasher = Hasher::new(parts.settings.hash_cost, parts.settings.hashes_at_once);
        Self(Arc::new(Inner {
            parts,
            hasher,
            checked_keys: CheckedKeys::default(),
            exports: Arc::new(Semaphore::new(EXPORTS)),
            has_account: AtomicBool::new(false),
            looked_at: AtomicI64::new(i64::MIN),
        }))
    }

    /// How requests come here.
    pub fn premises(&self) -> &Premises {
        &self.0.parts.premises
    }

    /// May anybody make an account?
    pub fn registration_open(&self) -> bool {
        self.settings().registration_open
    }

    /// Is there an account? Another copy may have made one; that is noticed within a second. While the database does
    /// not answer, what was known holds.
    pub async fn has_account(&self) -> bool {
        let inner = &self.0;
        if inner.has_account.load(Ordering::Relaxed) {
            return true;
        }
        let now = self.now();
        let looked_at = Timestamp(inner.looked_at.load(Ordering::Relaxed));
        if now.ms_since(looked_at) < LOOK_EVERY_MS {
            return false;
        }
        if let Ok(found) = self.store().has_account().await {
            inner.has_account.fetch_or(found, Ordering::Relaxed);
            inner.looked_at.store(now.0, Ordering::Relaxed);
        }
        inner.has_account.load(Ordering::Relaxed)
    }

    /// Whose request it is: by a key of the API or `Authorization: Bearer` when there is one, and then by nothing else, or
    /// by the cookie.
    ///
    /// # Errors
    /// 401 for nobody's and for what is over, 503 while the database does not answer.
    pub async fn recognise(&self, headers: &HeaderMap, visit: &Visit) -> Result<Principal, ApiError> {
        if let Some(key) = presented(headers)? {
            return self.holder_of_key(key.expose(), visit.address).await;
        }
        let row = if headers.contains_key(AUTHORIZATION) {
            let token = bearer(headers).ok_or_else(over)?;
            if let Some(principal) = self.recognise_supabase(token).await? {
                return Ok(principal);
            }
            self.row_of_token(token).await?
        } else {
            let hash = visit.cookie_hash.as_deref().ok_or_else(|| {
                ApiError::unauthorized(
                    "This needs a sign-in. Sign in on the page; a program sends `Authorization: Bearer TOKEN`.",
                )
            })?;
            let found = self
                .store()
                .find_session_by_secret(hash)
                .await
                .map_err(ApiError::from)?;
            found.filter(|row| row.session.kind == SessionKind::Browser)
        };
        let row = row.filter(|row| row.is_good(self.now())).ok_or_else(over)?;
        self.note_use(&row).await;
        Ok(
            Principal::signed_in(row.owner, row.session.id, row.session.kind, row.account.role)
                .in_teams(row.teams),
        )
    }

    /// The account of an access token; `None` when it is not good.
    ///
    /// # Errors
    /// 503 while the database does not answer.
    pub async fn account_of_token(&self, token: &str) -> Result<Option<Account>, ApiError> {
        let row = self.row_of_token(token).await?;
        Ok(row.filter(|row| row.is_good(self.now())).map(|row| row.account))
    }

    async fn row_of_token(&self, token: &str) -> Result<Option<SessionRow>, ApiError> {
        let keys = self.0.parts.keys.as_ref();
        let Some(proven) = keys.and_then(|keys| keys.check(token, self.now())) else {
            return Ok(None);
        };
        let found = self
            .store()
            .find_session(&proven.session)
            .await
            .map_err(ApiError::from)?;
        Ok(found.filter(|row| row.session.kind == SessionKind::Tokens && row.owner == proven.owner))
    }

    /// Notes now and then that a sign-in is used. Where that fails the request goes on: it is good already.
    async fn note_use(&self, row: &SessionRow) {
        let now = self.now();
        if now.ms_since(row.session.seen_at) >= SEEN_EVERY_MS {
            let idle_until = self.after(self.settings().session_idle);
            let _ = self
                .store()
                .update_session_seen(&row.session.id, idle_until)
                .await;
        }
    }

    fn store(&self) -> &Store {
        &self.0.parts.store
    }

    fn settings(&self) -> &Settings {
        &self.0.parts.settings
    }

    fn now(&self) -> Timestamp {
        self.0.parts.clock.now()
    }

    fn after(&self, time: Duration) -> Timestamp {
        self.now()
            .plus_ms(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
    }

    /// The keys tokens are signed with.
    fn keys(&self) -> Result<&SigningKeys, ApiError> {
        self.0.parts.keys.as_ref().ok_or_else(|| {
            ApiError::conflict(
                "Accounts on PostgreSQL need a signing key that every copy knows. Set JWT_SECRET_KEY to at least 32 \
                 random bytes (`openssl rand -base64 48`), restart, and try again.",
            )
        })
    }

    /// The address a person is given to use a link. The secret stands behind `#`, which browsers send to nobody.
    fn link_url(&self, page: &str, secret: &str) -> String {
        format!("{}/{page}#{secret}", self.0.parts.page_url.trim_end_matches('/'))
    }
}

/// What is written down of a deed.
pub(crate) fn deed(owner: &Owner, action: &'static str, target: Option<&str>, visit: &Visit) -> NewAudit {
    NewAudit {
        owner: owner.clone(),
        action,
        target: target.map(str::to_owned),
        detail: None,
        address: visit.address.map(|a| a.to_string()),
        device: visit.device.clone(),
    }
}

/// The token of the one `Authorization: Bearer`.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else {
        return None;
    };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn over() -> ApiError {
    ApiError::unauthorized("This sign-in is over, or never was one. Sign in again.")
}

/// A secret just made, and the form that is kept.
fn fresh() -> Result<(SecretString, String), ApiError> {
    use secrecy::ExposeSecret;
    let secret = crate::secret::draw()?;
    let hash = crate::secret::hash(secret.expose_secret());
    Ok((secret, hash))
}
