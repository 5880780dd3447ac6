//! What is asked for with an address and answered by a letter.

use goblin_core::account::LinkKind;
use goblin_core::clock::Timestamp;
use goblin_core::error::ApiError;
use goblin_core::owner::Owner;
use goblin_net::Letter;
use goblin_store::accounts::AccountRow;
use goblin_store::audit::NewAudit;
use goblin_store::links::NewLink;
use secrecy::ExposeSecret;

use super::own::signed_in;
use super::{Identity, deed, fresh};
use crate::cookie;
use crate::email::Email;
use crate::letters;
use crate::post::{Errand, PostBox};
use crate::principal::Principal;
use crate::secret;
use crate::visit::Visit;

/// How long after a letter no other one of its kind goes to the same account, in milliseconds: nobody's letter box is
/// filled by others, and a link just sent stays good.
const PAUSE_MS: i64 = 5 * 60_000;

impl Identity {
    /// Can letters be sent?
    pub fn sends_mail(&self) -> bool {
        self.0.parts.post.is_some()
    }

    /// Asks for a letter with a link to set another password. The answer is the same, after the same work, whether or not
    /// there is an account of that address.
    ///
    /// # Errors
    /// 409 where no mail is sent, 429 after too many, 403 where others can read along.
    pub async fn ask_for_reset(&self, visit: &Visit, email: Email) -> Result<(), ApiError> {
        cookie::check_way(visit.way)?;
        let post = self.post()?;
        // Not given back: asking costs a place whatever comes of it.
        let _tried = self.take_try(visit, None).await?;
        post.put(Errand::Reset(email));
        Ok(())
    }

    /// Asks for a letter that shows that the caller's address is theirs.
    ///
    /// # Errors
    /// 409 where no mail is sent.
    pub async fn ask_for_verification(&self, caller: &Principal) -> Result<(), ApiError> {
        signed_in(caller)?;
        let post = self.post()?;
        let row = self.row(caller).await?;
        post.put(Errand::Verification(Email::parse(&row.account.email)?));
        Ok(())
    }

    /// Notes that an address is its owner's, by the link that was sent there.
    ///
    /// # Errors
    /// 403 when the link is not good, 429 after too many that were not.
    pub async fn finish_verification(&self, visit: &Visit, secret: &str) -> Result<(), ApiError> {
        cookie::check_way(visit.way)?;
        let tried = self.take_try(visit, None).await?;
        let link = self.good_link(secret, LinkKind::Verification).await?;
        tried.give_back().await;
        let audit = deed(&link.owner, "email.verified", Some(&link.owner.user), visit);
        let done = self
            .store()
            .verify_email_by_link(&secret::hash(secret), &audit)
            .await;
        done.map_err(ApiError::from)
    }

    fn post(&self) -> Result<&PostBox, ApiError> {
        self.0.parts.post.as_ref().ok_or_else(|| {
            ApiError::conflict(
                "This server sends no mail. Ask an owner or admin for a link to set another password.",
            )
        })
    }

    /// Sends the link of an invitation to whom it is for.
    pub(super) fn post_letter(&self, letter: impl FnOnce() -> Letter) {
        if let Some(post) = &self.0.parts.post {
            post.put(Errand::Letter(letter()));
        }
    }

    /// Asks for the letter that a new account's address is held against.
    pub(super) fn post_verification(&self, email: &Email) {
        if let Some(post) = &self.0.parts.post {
            post.put(Errand::Verification(email.clone()));
        }
    }

    /// What is to be sent for an errand, if anything.
    pub(crate) async fn write(&self, errand: Errand) -> Option<Letter> {
        let written = match errand {
            Errand::Letter(letter) => return Some(letter),
            Errand::Reset(email) => self.write_reset(&email).await,
            Errand::Verification(email) => self.write_verification(&email).await,
        };
        written.unwrap_or_else(|error| {
            let why = error.internal.as_deref().unwrap_or(&error.message);
            tracing::warn!(why, "a letter could not be written");
            None
        })
    }

    async fn write_reset(&self, email: &Email) -> Result<Option<Letter>, ApiError> {
        let Some(row) = self.to_be_written_to(email, LinkKind::Reset).await? else {
            return Ok(None);
        };
        let until = self.after(self.settings().reset_lifetime);
        let audit = NewAudit {
            detail: Some("by mail".to_owned()),
            ..deed(
                &row.owner,
                "reset.offered",
                Some(&row.owner.user),
                &Visit::nobody(),
            )
        };
        let url = self
            .letters_link(&row.owner, LinkKind::Reset, None, until, &audit)
            .await?;
        Ok(Some(letters::reset(&row.account.email, &url, until)))
    }

    async fn write_verification(&self, email: &Email) -> Result<Option<Letter>, ApiError> {
        let Some(row) = self.to_be_written_to(email, LinkKind::Verification).await? else {
            return Ok(None);
        };
        let until = self.after(self.settings().invitation_lifetime);
        let audit = deed(
            &row.owner,
            "verification.offered",
            Some(&row.owner.user),
            &Visit::nobody(),
        );
        let to = Some(row.email.clone());
        let url = self
            .letters_link(&row.owner, LinkKind::Verification, to, until, &audit)
            .await?;
        Ok(Some(letters::verification(&row.account.email, &url, until)))
    }

    /// The account of an address, unless it is shut out or was just written to.
    async fn to_be_written_to(&self, email: &Email, kind: LinkKind) -> Result<Option<AccountRow>, ApiError> {
        let found = self.store().find_account_by_email(email.canonical()).await;
        let found = found.map_err(ApiError::from)?;
        let Some(row) = found.filter(|row| row.account.disabled_at.is_none()) else {
            return Ok(None);
        };
        let since = self.now().plus_ms(-PAUSE_MS);
        let just_now = self.store().has_link_since(&row.owner, kind, since).await;
        Ok((!just_now.map_err(ApiError::from)?).then_some(row))
    }

    async fn letters_link(
        &self,
        owner: &Owner,
        kind: LinkKind,
        email: Option<String>,
        expires_at: Timestamp,
        audit: &NewAudit,
    ) -> Result<String, ApiError> {
        let (secret, secret_hash) = fresh()?;
        let link = NewLink {
            kind,
            secret_hash,
            email,
            role: None,
            expires_at,
        };
        self.store()
            .insert_link(owner, &link, audit)
            .await
            .map_err(ApiError::from)?;
        let page = if kind == LinkKind::Reset {
            "reset"
        } else {
            "verify"
        };
        Ok(self.link_url(page, secret.expose_secret()))
    }
}
