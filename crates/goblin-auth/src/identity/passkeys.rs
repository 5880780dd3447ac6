//! Passkeys of accounts: made while signed in, used to sign in, renamed, removed.
//!
//! Each ceremony has two halves. What the first one asked is kept in the database under the hash of a secret that only
//! the asker gets, and taken by whoever answers first, rightly or not.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use goblin_core::account::Passkey;
use goblin_core::error::ApiError;
use goblin_core::owner::Owner;
use goblin_store::accounts::AccountRow;
use goblin_store::audit::NewAudit;
use goblin_store::passkeys::{Ceremony, MAX_PASSKEYS, NewPasskey, PasskeyRow};
use secrecy::SecretString;
use serde_json::Value;
use webauthn_rs::prelude::{PublicKeyCredential, RegisterPublicKeyCredential, Uuid};

use super::own::signed_in;
use super::{Identity, SignedIn, deed, fresh};
use crate::cookie;
use crate::passkey::{CEREMONY_LIFETIME, Denied, RelyingParty, credential};
use crate::password::Password;
use crate::principal::Principal;
use crate::secret;
use crate::visit::Visit;

/// What a passkey is called until its owner says otherwise.
const UNNAMED: &str = "Passkey";

/// The first half of a ceremony.
#[derive(Debug)]
pub struct CeremonyBegun {
    /// Given back with the answer.
    pub ceremony: SecretString,
    /// For `navigator.credentials`, as JSON has it.
    pub options: Value,
}

impl Identity {
    /// The pages on which passkeys can be made and used; none where there can be no passkeys.
    pub fn passkey_origins(&self) -> &[String] {
        let party = self.0.parts.relying_party.as_ref();
        party.map_or(&[], RelyingParty::origins)
    }

    /// Asks the caller's authenticator for a passkey.
    ///
    /// # Errors
    /// 409 where there can be no passkeys, for too many, and in local mode; 422 naming `password` when it is wrong or
    /// needed.
    pub async fn begin_passkey(
        &self,
        caller: &Principal,
        visit: &Visit,
        password: Option<&Password>,
    ) -> Result<CeremonyBegun, ApiError> {
        let one = signed_in(caller)?;
        let party = self.relying_party()?;
        cookie::check_way(visit.way)?;
        self.check_again(caller, visit, password).await?;
        let known = self.passkey_rows(&caller.owner).await?;
        if i64::try_from(known.len()).is_ok_and(|n| n >= MAX_PASSKEYS) {
            return Err(goblin_store::error::StoreError::TooManyPasskeys(MAX_PASSKEYS).into());
        }
        // One account has one handle, so that an authenticator shows it once.
        let handle = known
            .first()
            .and_then(|row| Uuid::parse_str(&row.user_handle).ok());
        let handle = match handle {
            Some(handle) => handle,
            None => Uuid::from_bytes(secret::random()?),
        };
        let account = self.account(caller).await?;
        let asked = party.ask_for_new(handle, &account.email, account.name.as_deref(), &known)?;
        let session = Some(one.session.clone());
        self.keep_ceremony(
            &caller.owner,
            session,
            Some(handle.to_string()),
            asked.state_json,
            asked.options,
        )
        .await
    }

    /// Keeps the passkey the caller's authenticator made.
    ///
    /// # Errors
    /// 422 naming `ceremony` when it is over, another's or was answered, and `credential` when the answer is not right;
    /// 409 for one that is there already.
    pub async fn finish_passkey(
        &self,
        caller: &Principal,
        visit: &Visit,
        ceremony: &str,
        given: Value,
        name: Option<String>,
    ) -> Result<Passkey, ApiError> {
        let one = signed_in(caller)?;
        let party = self.relying_party()?;
        let answer: RegisterPublicKeyCredential = credential(given)?;
        let begun = self.take_ceremony(ceremony).await?.filter(|begun| {
            begun.owner == caller.owner && begun.session.as_deref() == Some(one.session.as_str())
        });
        let (begun, user_handle) = begun
            .and_then(|mut begun| begun.user_handle.take().map(|handle| (begun, handle)))
            .ok_or_else(|| ApiError::invalid("ceremony", CEREMONY_OVER))?;
        // The library has one error for this and for a kind of key that was not asked for.
        let id = URL_SAFE_NO_PAD.encode(&answer.raw_id);
        let own = self.passkey_rows(&caller.owner).await?;
        if own.iter().any(|row| row.credential_id == id) {
            let said = "This passkey is not taken. It is a passkey of this account already.";
            return Err(ApiError::invalid("credential", said));
        }
        let made = party.take_new(&begun.state_json, &answer).map_err(|denied| {
            let (said, inside) = match denied {
                Denied::Copied => (COPIED.to_owned(), String::new()),
                Denied::Wrong(said, inside) => (said, inside),
            };
            ApiError {
                internal: Some(format!("a passkey was not taken: {inside}")),
                ..ApiError::invalid("credential", format!("This passkey is not taken. {said}"))
            }
        })?;
        let new = NewPasskey {
            credential_id: made.credential_id,
            user_handle,
            host: party.host().to_owned(),
            name: name.unwrap_or_else(|| UNNAMED.to_owned()),
            credential_json: made.credential_json,
        };
        let audit = deed(&caller.owner, "passkey.made", None, visit);
        Ok(self.store().insert_passkey(&caller.owner, &new, &audit).await?)
    }

    /// Asks for any passkey of ours.
    ///
    /// # Errors
    /// 409 where there can be no passkeys, 403 where others can read along, 429.
    pub async fn begin_passkey_sign_in(&self, visit: &Visit) -> Result<CeremonyBegun, ApiError> {
        cookie::check_way(visit.way)?;
        let party = self.relying_party()?;
        // Given back when it is answered rightly.
        let _tried = self.take_try(visit, None).await?;
        let asked = party.ask_for_any()?;
        self.keep_ceremony(&Owner::local(), None, None, asked.state_json, asked.options)
            .await
    }

    /// Signs in by a passkey.
    ///
    /// # Errors
    /// 401 naming `ceremony` when it is over or was answered, and `credential` when the passkey is not known, was copied
    /// or is not right, and when the account is shut out; 429.
    pub async fn finish_passkey_sign_in(
        &self,
        visit: &Visit,
        ceremony: &str,
        given: Value,
    ) -> Result<SignedIn, ApiError> {
        cookie::check_way(visit.way)?;
        let party = self.relying_party()?;
        let answer: PublicKeyCredential = credential(given)?;
        let tried = self.take_try(visit, None).await?;
        let begun = self.take_ceremony(ceremony).await?;
        let begun = begun
            .filter(|begun| begun.session.is_none())
            .ok_or_else(|| refused("ceremony", CEREMONY_OVER))?;
        let credential_id = secret::base64url(answer.get_credential_id());
        let found = self.store().find_passkey(&credential_id).await;
        let (kept, row) = found
            .map_err(ApiError::from)?
            .filter(|(kept, _)| kept.passkey.host == party.host())
            .ok_or_else(|| {
                refused(
                    "credential",
                    "This passkey is not known here: it was removed, or is of another server.",
                )
            })?;
        let credential_json = self.checked(party, visit, &begun, &answer, &kept, &row).await?;
        let is_first = self.store().update_passkey_used(&kept, &credential_json).await;
        if !is_first.map_err(ApiError::from)? {
            return Err(refused(
                "credential",
                "This passkey was used somewhere else at the same moment. Try again.",
            ));
        }
        tried.give_back().await;
        self.0.parts.throttle.forgive(visit.address).await;
        self.begin(visit, row, "passkey").await
    }

    /// Is the answer right, and may its account come in? What is refused is written down.
    async fn checked(
        &self,
        party: &RelyingParty,
        visit: &Visit,
        begun: &Ceremony,
        answer: &PublicKeyCredential,
        kept: &PasskeyRow,
        row: &AccountRow,
    ) -> Result<String, ApiError> {
        let id = kept.passkey.id.as_str();
        let (said, inside) = match party.check(&begun.state_json, answer, kept) {
            Ok(_) if kept.passkey.copied_at.is_some() => (COPIED.to_owned(), "it was copied".to_owned()),
            Ok(_) if row.account.disabled_at.is_some() => {
                let inside = "the account is shut out".to_owned();
                ("Its account is closed. Ask an owner or admin.".to_owned(), inside)
            }
            Ok(credential_json) => return Ok(credential_json),
            Err(Denied::Copied) => {
                let audit = deed(&row.owner, "passkey.copied", Some(id), visit);
                self.store()
                    .update_passkey_copied(id, &audit)
                    .await
                    .map_err(ApiError::from)?;
                (COPIED.to_owned(), "its counter went back".to_owned())
            }
            Err(Denied::Wrong(said, inside)) => (said, inside),
        };
        let audit = NewAudit {
            detail: Some("passkey".to_owned()),
            ..deed(&row.owner, "session.refused", Some(id), visit)
        };
        self.store().insert_audit(&audit).await.map_err(ApiError::from)?;
        Err(ApiError {
            internal: Some(format!("a passkey let nobody in: {inside}")),
            ..refused("credential", &format!("This passkey lets nobody in. {said}"))
        })
    }

    /// The caller's passkeys, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_passkeys(&self, caller: &Principal) -> Result<Vec<Passkey>, ApiError> {
        let rows = self.passkey_rows(&caller.owner).await?;
        Ok(rows.into_iter().map(|row| row.passkey).collect())
    }

    /// Calls one of the caller's passkeys something else.
    ///
    /// # Errors
    /// 404.
    pub async fn rename_passkey(
        &self,
        caller: &Principal,
        visit: &Visit,
        id: &str,
        name: &str,
    ) -> Result<Passkey, ApiError> {
        let audit = deed(&caller.owner, "passkey.renamed", Some(id), visit);
        let renamed = self.store().update_passkey_name(&caller.owner, id, name, &audit);
        Ok(renamed.await?)
    }

    /// Removes one of the caller's passkeys, the only way to sign in only when `even_the_last` says so.
    ///
    /// # Errors
    /// 404, 409 for the last way in.
    pub async fn remove_passkey(
        &self,
        caller: &Principal,
        visit: &Visit,
        id: &str,
        even_the_last: bool,
    ) -> Result<(), ApiError> {
        let audit = deed(&caller.owner, "passkey.removed", Some(id), visit);
        let removed = self
            .store()
            .delete_passkey(&caller.owner, id, even_the_last, &audit);
        Ok(removed.await?)
    }

    fn relying_party(&self) -> Result<&RelyingParty, ApiError> {
        self.0.parts.relying_party.as_ref().ok_or_else(|| {
            ApiError::conflict(
                "There can be no passkeys here: browsers give them to pages with a name, by https or on localhost. The \
                 operator names the page in FRONTEND_URL.",
            )
        })
    }

    async fn passkey_rows(&self, owner: &Owner) -> Result<Vec<PasskeyRow>, ApiError> {
        Ok(self.store().list_passkeys(owner).await?)
    }

    async fn keep_ceremony(
        &self,
        owner: &Owner,
        session: Option<String>,
        user_handle: Option<String>,
        state_json: String,
        options: Value,
    ) -> Result<CeremonyBegun, ApiError> {
        let (ceremony, secret_hash) = fresh()?;
        let kept = Ceremony {
            owner: owner.clone(),
            session,
            user_handle,
            state_json,
            expires_at: self.after(CEREMONY_LIFETIME),
        };
        self.store()
            .insert_ceremony(&secret_hash, &kept)
            .await
            .map_err(ApiError::from)?;
        Ok(CeremonyBegun { ceremony, options })
    }

    async fn take_ceremony(&self, ceremony: &str) -> Result<Option<Ceremony>, ApiError> {
        if !secret::is_plausible(ceremony) {
            return Ok(None);
        }
        Ok(self.store().take_ceremony(&secret::hash(ceremony)).await?)
    }
}

const CEREMONY_OVER: &str = "`ceremony` is over: it was answered once already, took longer than five minutes, or is not yours. Start again.";
const COPIED: &str = "It was used by a copy of it, so it lets nobody in any more. Sign in another way, remove it, and make another one.";

fn refused(param: &str, message: &str) -> ApiError {
    ApiError {
        param: Some(param.to_owned()),
        ..ApiError::unauthorized(message)
    }
}
