//! Taking everything along, and going for good.

use goblin_core::account::Account;
use goblin_core::error::ApiError;
use goblin_core::owner::Owner;
use goblin_store::audit::{DELETED, NewAudit};
use tokio::sync::OwnedSemaphorePermit;

use super::own::signed_in;
use super::{Identity, deed};
use crate::email::Email;
use crate::password::{Check, Password};
use crate::principal::{Principal, SignedInAs};
use crate::visit::Visit;

/// How long ago somebody may have signed in to need no password, in milliseconds.
const JUST_NOW_MS: u64 = 10 * 60_000;

impl Identity {
    /// Writes down that somebody takes everything along, and holds a place for that until it is dropped: reading all of
    /// somebody's rows is work.
    ///
    /// # Errors
    /// 429 while as many others do.
    pub async fn begin_export(
        &self,
        caller: &Principal,
        visit: &Visit,
    ) -> Result<OwnedSemaphorePermit, ApiError> {
        let place = std::sync::Arc::clone(&self.0.exports).try_acquire_owned();
        let place = place.map_err(|_| {
            ApiError::rate_limited(
                "Others are taking their data along right now. Try again in a minute.",
                std::time::Duration::from_secs(60),
            )
        })?;
        let audit = deed(&caller.owner, "account.exported", Some(&caller.owner.user), visit);
        self.store().insert_audit(&audit).await.map_err(ApiError::from)?;
        Ok(place)
    }

    /// Ends the caller's account and erases everything of it. Whoever signed in more than ten minutes ago says their
    /// password again.
    ///
    /// # Errors
    /// 403 for a sign-in that is older and no password, 422 for a wrong one, 429 after too many, 409 for the last owner.
    pub async fn leave(
        &self,
        caller: &Principal,
        visit: &Visit,
        password: Option<&Password>,
    ) -> Result<(), ApiError> {
        let one = signed_in(caller)?;
        self.check_again(caller, one, visit, password).await?;
        // Nothing of how they went is kept either.
        let audit = NewAudit {
            address: None,
            device: None,
            ..deed(&caller.owner, DELETED, Some(&caller.owner.user), visit)
        };
        self.end(&caller.owner, &audit).await.map(|_| ())
    }

    /// Ends somebody else's account and erases everything of it.
    ///
    /// # Errors
    /// As [`Self::update_user`].
    pub async fn delete_user(&self, caller: &Principal, visit: &Visit, user: &str) -> Result<(), ApiError> {
        let target = self.target(caller, user).await?;
        let audit = deed(&caller.owner, DELETED, Some(user), visit);
        self.end(&target.owner, &audit).await.map(|_| ())
    }

    /// The same for whoever may read the database itself. Returns the account as it was.
    ///
    /// # Errors
    /// 404 for an address nobody has, 409 for the last owner.
    pub async fn delete_here(&self, email: &Email) -> Result<Account, ApiError> {
        let owner = self.owner_of(email).await?;
        let audit = NewAudit {
            detail: Some("by the command line".to_owned()),
            ..deed(&owner, DELETED, Some(&owner.user), &Visit::nobody())
        };
        self.end(&owner, &audit).await
    }

    /// Whose rows the account of an address sees, for whoever may read the database itself.
    ///
    /// # Errors
    /// 404 for an address nobody has.
    pub async fn owner_of(&self, email: &Email) -> Result<Owner, ApiError> {
        let found = self.store().find_account_by_email(email.canonical()).await;
        let found = found.map_err(ApiError::from)?;
        found
            .map(|row| row.owner)
            .ok_or_else(|| ApiError::not_found("account"))
    }

    /// The one place where an account ends.
    async fn end(&self, owner: &Owner, audit: &NewAudit) -> Result<Account, ApiError> {
        let was = self
            .store()
            .delete_account(owner, audit)
            .await
            .map_err(ApiError::from)?;
        // From here on it is gone. What cannot be erased now is erased when the process next looks for what is left.
        let _ = self.store().erase(owner).await;
        Ok(was)
    }

    /// Is it still them? A sign-in left open somewhere is not enough for what cannot be taken back.
    async fn check_again(
        &self,
        caller: &Principal,
        one: &SignedInAs,
        visit: &Visit,
        password: Option<&Password>,
    ) -> Result<(), ApiError> {
        let Some(password) = password else {
            let found = self
                .store()
                .find_session(&one.session)
                .await
                .map_err(ApiError::from)?;
            let is_fresh =
                found.is_some_and(|row| self.now().ms_since(row.session.created_at) <= JUST_NOW_MS);
            return is_fresh.then_some(()).ok_or_else(|| {
                ApiError::forbidden(
                    "You signed in a while ago. Send your `password`, or sign in again and repeat this within ten minutes.",
                )
            });
        };
        let row = self.row(caller).await?;
        let email = Email::parse(&row.account.email)?;
        let tried = self.take_try(visit, Some((&email, true)))?;
        if self
            .0
            .hasher
            .check(password, row.password_hash.as_deref())
            .await?
            == Check::Wrong
        {
            return Err(ApiError::invalid("password", "This is not the password."));
        }
        tried.give_back(self.now());
        Ok(())
    }
}
