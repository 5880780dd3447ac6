//! Taking everything along, and going for good.

use std::time::Duration;

use goblin_core::account::Account;
use goblin_core::error::ApiError;
use goblin_core::owner::Owner;
use goblin_store::audit::{DELETED, NewAudit};
use goblin_store::error::StoreError;
use tokio::sync::OwnedSemaphorePermit;

use super::{Identity, deed};
use crate::email::Email;
use crate::oidc::Supabase;
use crate::password::Password;
use crate::principal::Principal;
use crate::visit::Visit;

/// Longest time that somebody who goes waits for being removed at a provider as well.
const ELSEWHERE_WAIT: Duration = Duration::from_secs(5);

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
                Duration::from_secs(60),
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
    /// 422 for a wrong password and, when the sign-in is older, for none; 429 after too many, 409 for the last owner.
    pub async fn leave(
        &self,
        caller: &Principal,
        visit: &Visit,
        password: Option<&Password>,
    ) -> Result<(), ApiError> {
        self.check_again(caller, visit, password).await?;
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
        let elsewhere = self.removes_elsewhere().map(Supabase::issuer);
        let was = self.store().delete_account(owner, elsewhere, audit).await;
        let was = was.map_err(ApiError::from)?;
        // From here on it is gone. What cannot be erased now is erased when the process next looks for what is left.
        let _ = self.store().erase(owner).await;
        // So is who cannot be removed elsewhere in time: nobody waits here for a provider that is ill.
        let _ = tokio::time::timeout(ELSEWHERE_WAIT, self.remove_elsewhere()).await;
        Ok(was)
    }

    /// Removes whom the accounts that are gone were at a provider that belongs to the operator. Who cannot be removed now
    /// stays written down, for the next call.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn remove_elsewhere(&self) -> Result<(), StoreError> {
        let Some(supabase) = self.removes_elsewhere() else {
            return Ok(());
        };
        for subject in self.store().list_leaving(supabase.issuer()).await? {
            let removed = supabase.remove(&subject).await;
            if let Err(fault) = &removed {
                tracing::warn!(%fault, "somebody whose account is gone is not removed at Supabase yet; it is tried again");
            }
            let is_done = removed.is_ok();
            self.store()
                .note_leaving(supabase.issuer(), &subject, is_done)
                .await?;
        }
        Ok(())
    }

    fn removes_elsewhere(&self) -> Option<&Supabase> {
        let supabase = self.0.parts.federation.supabase.as_deref();
        supabase.filter(|project| project.may_remove())
    }
}
