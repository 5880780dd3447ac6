//! Is it still them? A sign-in left open somewhere is not enough for what cannot be taken back, and for what leaves a door
//! of one's own in somebody's account: keys, passkeys, ways in elsewhere, a first password.

use goblin_core::error::ApiError;
use goblin_store::accounts::AccountRow;

use super::Identity;
use super::own::signed_in;
use crate::email::Email;
use crate::password::{Check, Password};
use crate::principal::{Principal, SignedInAs};
use crate::visit::Visit;

/// How long ago a sign-in is recent, in milliseconds.
const RECENT_MS: u64 = 600_000;

impl Identity {
    /// Is this the caller's password or, where none is given, have they signed in within ten minutes?
    ///
    /// # Errors
    /// 422 naming `password` when it is wrong or needed, 429 after too many, 409 in local mode.
    pub(super) async fn check_again(
        &self,
        caller: &Principal,
        visit: &Visit,
        password: Option<&Password>,
    ) -> Result<(), ApiError> {
        let one = signed_in(caller)?;
        if let Some(password) = password {
            let row = self.row(caller).await?;
            return self.check_own_password(visit, &row, password, "password").await;
        }
        self.is_recent(one).await?.then_some(()).ok_or_else(|| {
            ApiError::invalid(
                "password",
                "You signed in more than ten minutes ago. Give your password as `password`, or sign in again.",
            )
        })
    }

    /// Have they signed in within ten minutes?
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(super) async fn is_recent(&self, one: &SignedInAs) -> Result<bool, ApiError> {
        let session = self.store().find_session(&one.session).await;
        let session = session.map_err(ApiError::from)?;
        Ok(session.is_some_and(|row| self.now().ms_since(row.session.created_at) < RECENT_MS))
    }

    /// Is this the password of that account? Counted as a try at it.
    ///
    /// # Errors
    /// 422 naming `field` when it is wrong, 429 after too many.
    pub(super) async fn check_own_password(
        &self,
        visit: &Visit,
        row: &AccountRow,
        password: &Password,
        field: &'static str,
    ) -> Result<(), ApiError> {
        let email = Email::parse(&row.account.email)?;
        let tried = self.take_try(visit, Some((&email, true))).await?;
        let check = self.0.hasher.check(password, row.password_hash.as_deref());
        if check.await? == Check::Wrong {
            return Err(ApiError::invalid(field, "This is not your password."));
        }
        tried.give_back().await;
        Ok(())
    }
}
