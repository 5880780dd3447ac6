//! What somebody may do to their own account.

use goblin_core::account::{Account, LinkKind, Session, SessionKind};
use goblin_core::error::ApiError;
use goblin_store::accounts::{AccountRow, NewPassword};
use goblin_store::chats::Page;
use secrecy::{ExposeSecret, SecretString};

use super::{Identity, deed, fresh};
use crate::cookie;
use crate::email::Email;
use crate::password::Password;
use crate::principal::{Principal, SignedInAs};
use crate::secret;
use crate::visit::Visit;

impl Identity {
    /// The caller's account.
    ///
    /// # Errors
    /// 401 when it is gone.
    pub async fn account(&self, caller: &Principal) -> Result<Account, ApiError> {
        Ok(self.row(caller).await?.account)
    }

    pub(super) async fn row(&self, caller: &Principal) -> Result<AccountRow, ApiError> {
        let found = self
            .store()
            .find_account(&caller.owner)
            .await
            .map_err(ApiError::from)?;
        found.ok_or_else(super::over)
    }

    /// Changes what the caller is called; `None`: nothing but their address.
    ///
    /// # Errors
    /// 401 when the account is gone, 409 in local mode.
    pub async fn change_name(
        &self,
        caller: &Principal,
        visit: &Visit,
        name: Option<&str>,
    ) -> Result<Account, ApiError> {
        signed_in(caller)?;
        let audit = deed(&caller.owner, "account.named", Some(&caller.owner.user), visit);
        let changed = self
            .store()
            .update_account_name(&caller.owner, name, &audit)
            .await;
        changed.map_err(ApiError::from)
    }

    /// Sets another password, or a first one. Every other sign-in ends, and a browser's own gets another cookie, which is
    /// returned as the value of `Set-Cookie`. Whoever has no password yet has signed in within ten minutes.
    ///
    /// # Errors
    /// 422 for a current password that is wrong or missing, for a sign-in that is older where there is none, and for a new
    /// one that does not serve; 429 after too many.
    pub async fn change_password(
        &self,
        caller: &Principal,
        visit: &Visit,
        current: Option<&Password>,
        new: &str,
    ) -> Result<Option<SecretString>, ApiError> {
        let one = signed_in(caller)?;
        let row = self.row(caller).await?;
        let email = Email::parse(&row.account.email)?;
        let chosen = Password::chosen("new_password", new, &email)?;
        match current {
            Some(current) => {
                let field = "current_password";
                self.check_own_password(visit, &row, current, field).await?;
            }
            None if row.account.has_password => {
                return Err(ApiError::invalid(
                    "current_password",
                    "`current_password` must be given: the account has a password.",
                ));
            }
            None if !self.is_recent(one).await? => {
                return Err(ApiError::invalid(
                    "current_password",
                    "You signed in more than ten minutes ago. Sign in again, and choose a password then.",
                ));
            }
            None => {}
        }
        let hash = self.0.hasher.hash(&chosen).await?;
        let (secret, secret_hash) = fresh()?;
        let by_cookie = one.kind == SessionKind::Browser;
        let new = NewPassword {
            hash: &hash,
            keep: Some((&one.session, by_cookie.then_some(secret_hash.as_str()))),
        };
        let audit = deed(&caller.owner, "password.changed", Some(&caller.owner.user), visit);
        self.store()
            .update_password(&caller.owner, &new, &audit)
            .await
            .map_err(ApiError::from)?;
        let lifetime = self.settings().session_lifetime;
        by_cookie
            .then(|| cookie::set(visit.way, secret.expose_secret(), lifetime).map(SecretString::from))
            .transpose()
    }

    /// Sets another password by a link an owner or admin made. Every sign-in ends; nobody is signed in by it.
    ///
    /// # Errors
    /// 403 when the link is not good, 422 when the password does not serve.
    pub async fn finish_reset(&self, visit: &Visit, secret: &str, password: &str) -> Result<(), ApiError> {
        cookie::check_way(visit.way)?;
        let tried = self.take_try(visit, None).await?;
        let link = self.good_link(secret, LinkKind::Reset).await?;
        tried.give_back().await;
        let row = self
            .store()
            .find_account(&link.owner)
            .await
            .map_err(ApiError::from)?;
        let row = row.ok_or_else(|| ApiError::not_found("user"))?;
        let chosen = Password::chosen_for("password", password, &row.email)?;
        let hash = self.0.hasher.hash(&chosen).await?;
        let audit = deed(&link.owner, "password.reset", Some(&link.owner.user), visit);
        let done = self
            .store()
            .update_password_by_link(&secret::hash(secret), &hash, &audit)
            .await;
        done.map(|_| ()).map_err(ApiError::from)
    }

    /// The caller's sign-ins, last used first.
    ///
    /// # Errors
    /// 422 for a cursor that is not ours.
    pub async fn list_sessions(
        &self,
        caller: &Principal,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<Session>, ApiError> {
        Ok(self.store().list_sessions(&caller.owner, cursor, limit).await?)
    }

    /// Ends one of the caller's sign-ins.
    ///
    /// # Errors
    /// 404.
    pub async fn end_session(&self, caller: &Principal, visit: &Visit, id: &str) -> Result<(), ApiError> {
        let audit = deed(&caller.owner, "session.ended", Some(id), visit);
        Ok(self.store().end_session(&caller.owner, id, &audit).await?)
    }

    /// Ends all of the caller's sign-ins but this one. Returns how many.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn end_other_sessions(&self, caller: &Principal, visit: &Visit) -> Result<u64, ApiError> {
        let one = signed_in(caller)?;
        let audit = deed(&caller.owner, "sessions.ended", Some(&caller.owner.user), visit);
        Ok(self
            .store()
            .end_sessions(&caller.owner, Some(&one.session), &audit)
            .await?)
    }
}

/// The sign-in of somebody who must have one.
pub(super) fn signed_in(caller: &Principal) -> Result<&SignedInAs, ApiError> {
    caller.signed_in_as().ok_or_else(|| {
        ApiError::conflict(
            "There are no accounts here yet: whoever sits at this machine is the owner. Make the first one.",
        )
    })
}
