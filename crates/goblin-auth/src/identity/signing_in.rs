//! Making accounts for oneself, signing in, going on, signing out.

use std::time::Duration;

use goblin_core::account::{Account, LinkKind, Role, SessionKind};
use goblin_core::error::ApiError;
use goblin_core::owner::Owner;
use goblin_store::accounts::{AccountRow, NewAccount};
use goblin_store::error::StoreError;
use goblin_store::links::{GoodLink, NewLink};
use goblin_store::sessions::{Exchange, NewSession};
use http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};

use super::{Identity, deed, fresh};
use crate::cookie;
use crate::email::Email;
use crate::password::{Check, Password};
use crate::secret;
use crate::throttle::{Held, Try};
use crate::visit::Visit;

/// What somebody says of themselves to get an account.
#[derive(Clone, Debug)]
pub struct Applicant {
    /// The address.
    pub email: Email,
    /// What they are called.
    pub name: Option<String>,
    /// The password they chose.
    pub password: Password,
}

/// Somebody just signed in.
#[derive(Debug)]
pub struct SignedIn {
    /// Who.
    pub account: Account,
    /// What they are given.
    pub given: Given,
}

/// What holds a sign-in, given once.
#[derive(Debug)]
pub enum Given {
    /// A browser: the value of `Set-Cookie`.
    Cookie(SecretString),
    /// Another program.
    Tokens(Tokens),
}

/// What another program holds a sign-in with.
#[derive(Debug)]
pub struct Tokens {
    /// Sent with every request.
    pub access: SecretString,
    /// Exchanged for both anew, once.
    pub refresh: SecretString,
    /// How long the access token is good.
    pub expires_in: Duration,
}

impl Identity {
    /// Makes the link for the first account and returns its address. One made before ends.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub async fn make_setup_link(&self) -> Result<SecretString, ApiError> {
        let (secret, secret_hash) = fresh()?;
        let link = NewLink {
            kind: LinkKind::Setup,
            secret_hash,
            email: None,
            role: None,
            expires_at: self.after(self.settings().setup_lifetime),
        };
        let owner = Owner::local();
        let audit = deed(&owner, "setup.offered", None, &Visit::nobody());
        self.store()
            .insert_link(&owner, &link, &audit)
            .await
            .map_err(ApiError::from)?;
        Ok(self.link_url("setup", secret.expose_secret()).into())
    }

    /// Makes the first account, an owner's, and signs it in. `secret` is the set-up link's; whoever sits at the machine
    /// in local mode (`is_local`) needs none.
    ///
    /// # Errors
    /// 403 for a link that is not good and where others can read along, 409 when there is an account.
    pub async fn set_up(
        &self,
        visit: &Visit,
        secret: Option<&str>,
        is_local: bool,
        applicant: Applicant,
    ) -> Result<SignedIn, ApiError> {
        cookie::check_way(visit.way)?;
        self.keys()?;
        if !is_local {
            let tried = self.take_try(visit, None).await?;
            self.good_link(secret.unwrap_or_default(), LinkKind::Setup)
                .await?;
            tried.give_back().await;
        }
        let new = self.new_account(applicant).await?;
        let audit = deed(&Owner::local(), "account.made", Some(Owner::LOCAL_USER), visit);
        let made = self.store().insert_first_account(&new, &audit).await;
        let made = made.map_err(|error| match error {
            StoreError::Taken(_) => ApiError::conflict("This server has an owner already. Sign in."),
            other => other.into(),
        })?;
        self.0
            .has_account
            .store(true, std::sync::atomic::Ordering::Relaxed);
        self.begin(visit, made, "setup").await
    }

    /// Makes an account for whoever asks, where that is open, and signs it in.
    ///
    /// # Errors
    /// 403 while it is closed, 400 when the address has an account.
    pub async fn register(&self, visit: &Visit, applicant: Applicant) -> Result<SignedIn, ApiError> {
        cookie::check_way(visit.way)?;
        if !self.registration_open() || !self.has_account().await {
            return Err(ApiError::forbidden(
                "Registration is closed here. Ask an owner or admin for an invitation.",
            ));
        }
        // Never given back: it says which addresses have an account.
        let _tried = self.take_try(visit, None).await?;
        let email = applicant.email.clone();
        let new = self.new_account(applicant).await?;
        let audit = deed(&Owner::local(), "account.made", None, visit);
        let tenant = Owner::LOCAL_TENANT;
        let made = self
            .store()
            .insert_account(tenant, Role::Member, &new, &audit)
            .await;
        let made = made.map_err(|error| match error {
            StoreError::Taken(_) => ApiError {
                status_override: Some(400),
                ..ApiError::invalid(
                    "email",
                    "This e-mail address has an account already. Sign in instead.",
                )
            },
            other => other.into(),
        })?;
        self.post_verification(&email);
        self.begin(visit, made, "register").await
    }

    /// What a link is good for.
    ///
    /// # Errors
    /// 403 when it is not good.
    pub async fn look_at_link(&self, visit: &Visit, secret: &str) -> Result<GoodLink, ApiError> {
        let tried = self.take_try(visit, None).await?;
        let hash = secret::is_plausible(secret).then(|| secret::hash(secret));
        let hash = hash.ok_or(StoreError::LinkOver).map_err(ApiError::from)?;
        let found = self.store().find_link(&hash).await.map_err(ApiError::from)?;
        let found = found.ok_or(StoreError::LinkOver).map_err(ApiError::from)?;
        tried.give_back().await;
        Ok(found)
    }

    /// Makes the account an invitation is for and signs it in. `email` may be absent where the invitation names one.
    ///
    /// # Errors
    /// 403 when the link is not good, 422 naming what is wrong, 409 when the address has an account.
    pub async fn accept_invitation(
        &self,
        visit: &Visit,
        secret: &str,
        email: Option<&str>,
        name: Option<String>,
        password: &str,
    ) -> Result<SignedIn, ApiError> {
        cookie::check_way(visit.way)?;
        let link = self.look_at_link(visit, secret).await?;
        let typed = match (email, &link.email) {
            (Some(typed), _) => Email::parse(typed)?,
            (None, Some(invited)) => Email::parse(invited)?,
            (None, None) => Email::parse("")?,
        };
        if link
            .email
            .as_ref()
            .is_some_and(|invited| invited != typed.canonical())
        {
            return Err(ApiError::invalid(
                "email",
                "The invitation is for another e-mail address.",
            ));
        }
        let password = Password::chosen("password", password, &typed)?;
        let new = self
            .new_account(Applicant {
                email: typed,
                name,
                password,
            })
            .await?;
        let audit = deed(&link.owner, "account.made", Some(&link.owner.user), visit);
        let hash = secret::hash(secret);
        let made = self.store().insert_invited_account(&hash, &new, &audit).await;
        self.begin(visit, made.map_err(ApiError::from)?, "invitation")
            .await
    }

    /// Signs in by address and password.
    ///
    /// # Errors
    /// 401 for a wrong password, an address nobody has and an account that is shut out, in the same words after the
    /// same work; 429 after too many of them; 403 where others can read along.
    pub async fn sign_in(
        &self,
        visit: &Visit,
        email: &Email,
        password: &Password,
    ) -> Result<SignedIn, ApiError> {
        cookie::check_way(visit.way)?;
        let store = self.store();
        let found = store
            .find_account_by_email(email.canonical())
            .await
            .map_err(ApiError::from)?;
        // The same questions whether or not there is an account.
        let owner = found.as_ref().map_or_else(Owner::local, |row| row.owner.clone());
        let address = visit.address.map(|a| a.to_string()).unwrap_or_default();
        let seen_there = store
            .has_signed_in_from(&owner, &address)
            .await
            .map_err(ApiError::from)?;
        let is_known = seen_there && found.is_some();
        let tried = self.take_try(visit, Some((email, is_known))).await?;
        let kept = found.as_ref().and_then(|row| row.password_hash.as_deref());
        let check = self.0.hasher.check(password, kept).await?;
        let Some(row) = found.filter(|row| check != Check::Wrong && row.account.disabled_at.is_none()) else {
            let audit = deed(&owner, "session.refused", None, visit);
            store.insert_audit(&audit).await.map_err(ApiError::from)?;
            return Err(ApiError::unauthorized("Invalid email or password"));
        };
        tried.give_back().await;
        if let (Check::RightButStale, Some(old)) = (check, &row.password_hash) {
            let new = self.0.hasher.hash(password).await?;
            store
                .update_password_hash(&row.owner, old, &new)
                .await
                .map_err(ApiError::from)?;
        }
        self.begin(visit, row, "password").await
    }

    /// Exchanges a refresh token for new tokens, once. One presented a second time ends its whole sign-in: either of
    /// the two who have it may be a thief.
    ///
    /// # Errors
    /// 401; 403 for a browser, which is given no tokens.
    pub async fn refresh(&self, visit: &Visit, refresh: &str) -> Result<SignedIn, ApiError> {
        cookie::check_way(visit.way)?;
        if visit.is_browser {
            return Err(ApiError::forbidden(
                "A browser holds a cookie and is given no tokens. Sign in instead.",
            ));
        }
        let refused = || ApiError::unauthorized("This refresh token is not good any more. Sign in again.");
        if !secret::is_plausible(refresh) {
            return Err(refused());
        }
        let (next, next_hash) = fresh()?;
        let idle_until = self.after(self.settings().session_idle);
        let replayed = deed(&Owner::local(), "session.replayed", None, visit);
        let exchange = self
            .store()
            .exchange_refresh(&secret::hash(refresh), &next_hash, idle_until, &replayed)
            .await
            .map_err(ApiError::from)?;
        match exchange {
            Exchange::Fresh(row) => Ok(SignedIn {
                given: Given::Tokens(self.tokens(&row.owner, &row.session.id, next)?),
                account: row.account,
            }),
            Exchange::Replayed | Exchange::Unknown => Err(refused()),
        }
    }

    /// Ends the sign-in a request is made with. Without a good one there is nothing to end.
    ///
    /// # Errors
    /// 503 while the database does not answer.
    pub async fn sign_out(&self, visit: &Visit, headers: &HeaderMap) -> Result<(), ApiError> {
        let Ok(principal) = self.recognise(headers, visit).await else {
            return Ok(());
        };
        let Some(one) = principal.signed_in_as() else {
            return Ok(());
        };
        let audit = deed(&principal.owner, "session.ended", Some(&one.session), visit);
        match self
            .store()
            .end_session(&principal.owner, &one.session, &audit)
            .await
        {
            // Ended meanwhile.
            Ok(()) | Err(StoreError::NotFound(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Counts a try; `account` says on whose account, and whether it has signed in from there.
    pub(super) async fn take_try(
        &self,
        visit: &Visit,
        account: Option<(&Email, bool)>,
    ) -> Result<Try, ApiError> {
        let (email, is_known) = match account {
            Some((email, is_known)) => (Some(email.canonical()), is_known),
            None => (None, false),
        };
        let throttle = &self.0.parts.throttle;
        let taken = throttle.take(visit.address, email, is_known).await;
        taken.map_err(|held| match held {
            Held::Wait(wait) => ApiError::rate_limited(
                "Too many tries. Wait as long as `Retry-After` says, then try again.",
                wait,
            ),
            Held::Away(away) => ApiError {
                internal: Some(away.to_string()),
                ..ApiError::unavailable("How often you tried cannot be looked up now. Try again in a moment.")
            },
        })
    }

    pub(super) async fn good_link(&self, secret: &str, kind: LinkKind) -> Result<GoodLink, ApiError> {
        let found = if secret::is_plausible(secret) {
            self.store()
                .find_link(&secret::hash(secret))
                .await
                .map_err(ApiError::from)?
        } else {
            None
        };
        let found = found.filter(|link| link.kind == kind);
        found.ok_or(StoreError::LinkOver).map_err(ApiError::from)
    }

    async fn new_account(&self, applicant: Applicant) -> Result<NewAccount, ApiError> {
        Ok(NewAccount {
            email: applicant.email.canonical().to_owned(),
            email_typed: applicant.email.typed().to_owned(),
            name: applicant.name,
            password_hash: Some(self.0.hasher.hash(&applicant.password).await?),
        })
    }

    /// Keeps a new sign-in and gives it out: to a browser a cookie, which takes the place of the one it came with, to
    /// another program tokens.
    pub(super) async fn begin(
        &self,
        visit: &Visit,
        row: AccountRow,
        signed_in_by: &'static str,
    ) -> Result<SignedIn, ApiError> {
        let (secret, secret_hash) = fresh()?;
        let settings = self.settings();
        let kind = if visit.is_browser {
            SessionKind::Browser
        } else {
            SessionKind::Tokens
        };
        let new = NewSession {
            kind,
            secret_hash,
            signed_in_by,
            address: visit.address.map(|a| a.to_string()),
            device: visit.device.clone(),
            idle_until: self.after(settings.session_idle),
            expires_at: self.after(settings.session_lifetime),
            replaces: visit.cookie_hash.clone().filter(|_| visit.is_browser),
        };
        let audit = deed(&row.owner, "session.begun", None, visit);
        let session = self.store().insert_session(&row.owner, &new, &audit).await;
        let session = session.map_err(ApiError::from)?;
        let given = match kind {
            SessionKind::Browser => {
                let cookie = cookie::set(visit.way, secret.expose_secret(), settings.session_lifetime)?;
                Given::Cookie(cookie.into())
            }
            SessionKind::Tokens => Given::Tokens(self.tokens(&row.owner, &session.id, secret)?),
        };
        let account = row.account;
        Ok(SignedIn { account, given })
    }

    fn tokens(&self, owner: &Owner, session: &str, refresh: SecretString) -> Result<Tokens, ApiError> {
        let expires_in = self.settings().token_lifetime;
        Ok(Tokens {
            access: self.keys()?.issue(owner, session, self.now(), expires_in)?,
            refresh,
            expires_in,
        })
    }
}
