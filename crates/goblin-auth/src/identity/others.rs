//! What owners and admins may do to other accounts.

use goblin_core::account::{Account, AuditEvent, Invitation, LinkKind, Role};
use goblin_core::clock::Timestamp;
use goblin_core::error::ApiError;
use goblin_core::owner::Owner;
use goblin_net::Letter;
use goblin_store::accounts::{AccountChange, AccountRow};
use goblin_store::audit::NewAudit;
use goblin_store::chats::Page;
use goblin_store::links::NewLink;
use secrecy::{ExposeSecret, SecretString};

use super::own::signed_in;
use super::{Identity, deed, fresh};
use crate::email::Email;
use crate::letters;
use crate::principal::Principal;
use crate::visit::Visit;

/// A change of an account by somebody else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserChange {
    /// What they may do from now on.
    pub role: Option<Role>,
    /// Shut out, or let in again.
    pub disabled: Option<bool>,
}

/// A link just made. The only time its secret is known.
#[derive(Debug)]
pub struct NewLinkShown {
    /// Names it.
    pub id: String,
    /// Where it leads.
    pub url: SecretString,
    /// The same without the page's origin.
    pub path: SecretString,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl Identity {
    /// The accounts of the caller's tenant, newest first.
    ///
    /// # Errors
    /// 422 for a cursor that is not ours.
    pub async fn list_users(
        &self,
        caller: &Principal,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<Account>, ApiError> {
        Ok(self
            .store()
            .list_accounts(&caller.owner.tenant, cursor, limit)
            .await?)
    }

    /// Changes what somebody else may do. Their sign-ins end.
    ///
    /// # Errors
    /// 403 for somebody who is as much as the caller, 404, 409 for oneself and the last owner.
    pub async fn update_user(
        &self,
        caller: &Principal,
        visit: &Visit,
        user: &str,
        change: UserChange,
    ) -> Result<Account, ApiError> {
        let target = self.target(caller, user).await?;
        let role = signed_in(caller)?.role;
        if change.role.is_some_and(|to| !role.manages(to)) {
            return Err(not_theirs());
        }
        let said = [
            change.role.map(|role| format!("role {}", role.as_str())),
            change
                .disabled
                .map(|off| if off { "shut out" } else { "let in" }.to_owned()),
        ];
        let audit = NewAudit {
            detail: Some(said.into_iter().flatten().collect::<Vec<_>>().join(", ")),
            ..deed(&caller.owner, "account.changed", Some(user), visit)
        };
        let change = AccountChange {
            role: change.role,
            disabled: change.disabled,
        };
        let changed = self.store().update_account(&target.owner, change, &audit).await;
        self.forget_keys();
        Ok(changed?)
    }

    /// Ends every sign-in of somebody else. Returns how many.
    ///
    /// # Errors
    /// As [`Self::update_user`].
    pub async fn end_sessions_of(
        &self,
        caller: &Principal,
        visit: &Visit,
        user: &str,
    ) -> Result<u64, ApiError> {
        let target = self.target(caller, user).await?;
        let audit = deed(&caller.owner, "sessions.ended", Some(user), visit);
        Ok(self.store().end_sessions(&target.owner, None, &audit).await?)
    }

    /// Makes a link by which somebody else sets another password. One made before ends.
    ///
    /// # Errors
    /// As [`Self::update_user`].
    pub async fn make_reset_link(
        &self,
        caller: &Principal,
        visit: &Visit,
        user: &str,
    ) -> Result<NewLinkShown, ApiError> {
        let target = self.target(caller, user).await?;
        let audit = deed(&caller.owner, "reset.offered", Some(user), visit);
        let expires_at = self.after(self.settings().reset_lifetime);
        let link = (LinkKind::Reset, None, None, expires_at);
        self.make_link(&target.owner, "reset", link, &audit).await
    }

    /// The same for whoever may read the database itself: an owner who has forgotten the password has nobody above.
    ///
    /// # Errors
    /// 404 for an address nobody has, 409 for an account that is shut out.
    pub async fn make_reset_link_here(&self, email: &Email) -> Result<NewLinkShown, ApiError> {
        let found = self.store().find_account_by_email(email.canonical()).await;
        let found = found
            .map_err(ApiError::from)?
            .ok_or_else(|| ApiError::not_found("account"))?;
        if found.account.disabled_at.is_some() {
            return Err(ApiError::conflict(
                "This account is shut out. An owner or admin lets it in again first.",
            ));
        }
        let audit = NewAudit {
            detail: Some("by the command line".to_owned()),
            ..deed(
                &found.owner,
                "reset.offered",
                Some(&found.owner.user),
                &Visit::nobody(),
            )
        };
        let expires_at = self.after(self.settings().reset_lifetime);
        let link = (LinkKind::Reset, None, None, expires_at);
        self.make_link(&found.owner, "reset", link, &audit).await
    }

    /// Invites somebody: `email`, or whoever has the link.
    ///
    /// # Errors
    /// 403 for a role the caller may not give, 409 when the address has an account.
    pub async fn invite(
        &self,
        caller: &Principal,
        visit: &Visit,
        email: Option<&Email>,
        role: Role,
    ) -> Result<NewLinkShown, ApiError> {
        if !signed_in(caller)?.role.manages(role) {
            return Err(not_theirs());
        }
        if let Some(email) = email {
            let found = self.store().find_account_by_email(email.canonical()).await;
            if found.map_err(ApiError::from)?.is_some() {
                return Err(ApiError::conflict("This e-mail address has an account already."));
            }
        }
        let audit = NewAudit {
            detail: Some(format!("role {}", role.as_str())),
            ..deed(&caller.owner, "invitation.made", None, visit)
        };
        let to = email.map(|email| email.canonical().to_owned());
        let expires_at = self.after(self.settings().invitation_lifetime);
        let link = (LinkKind::Invitation, to, Some(role), expires_at);
        let made = self.make_link(&caller.owner, "invitation", link, &audit).await?;
        if let (true, Some(email)) = (self.sends_mail(), email) {
            let by = self.account(caller).await?;
            let name = by.name.unwrap_or(by.email);
            self.post_letter(|| {
                letters::invitation(email.typed(), made.url.expose_secret(), expires_at, &name, role)
            });
        }
        Ok(made)
    }

    /// The same for whoever may read the database itself, on behalf of the first owner. Returns the letter to be sent as
    /// well.
    ///
    /// # Errors
    /// 409 when there is no owner yet, or the address has an account.
    pub async fn invite_here(&self, email: &Email, role: Role) -> Result<(NewLinkShown, Letter), ApiError> {
        let store = self.store();
        let owner = store
            .find_first_owner(Owner::LOCAL_TENANT)
            .await
            .map_err(ApiError::from)?;
        let owner = owner.ok_or_else(|| {
            ApiError::conflict("There is no owner yet. Make the first account by the set-up link.")
        })?;
        let found = store.find_account_by_email(email.canonical()).await;
        if found.map_err(ApiError::from)?.is_some() {
            return Err(ApiError::conflict("This e-mail address has an account already."));
        }
        let audit = NewAudit {
            detail: Some(format!("role {}, by the command line", role.as_str())),
            ..deed(&owner.owner, "invitation.made", None, &Visit::nobody())
        };
        let expires_at = self.after(self.settings().invitation_lifetime);
        let to = Some(email.canonical().to_owned());
        let link = (LinkKind::Invitation, to, Some(role), expires_at);
        let made = self.make_link(&owner.owner, "invitation", link, &audit).await?;
        let name = owner.account.name.unwrap_or(owner.account.email);
        let letter = letters::invitation(email.typed(), made.url.expose_secret(), expires_at, &name, role);
        Ok((made, letter))
    }

    async fn make_link(
        &self,
        owner: &Owner,
        page: &str,
        (kind, email, role, expires_at): (LinkKind, Option<String>, Option<Role>, Timestamp),
        audit: &NewAudit,
    ) -> Result<NewLinkShown, ApiError> {
        let (secret, secret_hash) = fresh()?;
        let link = NewLink {
            kind,
            secret_hash,
            email,
            role,
            expires_at,
        };
        let secret = secret.expose_secret();
        Ok(NewLinkShown {
            id: self
                .store()
                .insert_link(owner, &link, audit)
                .await
                .map_err(ApiError::from)?,
            url: self.link_url(page, secret).into(),
            path: format!("/{page}#{secret}").into(),
            expires_at,
        })
    }

    /// The invitations of the caller's tenant that are good, newest first.
    ///
    /// # Errors
    /// 422 for a cursor that is not ours.
    pub async fn list_invitations(
        &self,
        caller: &Principal,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<Invitation>, ApiError> {
        Ok(self
            .store()
            .list_invitations(&caller.owner.tenant, cursor, limit)
            .await?)
    }

    /// Takes an invitation back.
    ///
    /// # Errors
    /// 403 for one of a role the caller may not give, 404.
    pub async fn end_invitation(&self, caller: &Principal, visit: &Visit, id: &str) -> Result<(), ApiError> {
        let tenant = &caller.owner.tenant;
        let found = self
            .store()
            .find_invitation(tenant, id)
            .await
            .map_err(ApiError::from)?;
        let found = found.ok_or_else(|| ApiError::not_found("invitation"))?;
        if !signed_in(caller)?.role.manages(found.role) {
            return Err(not_theirs());
        }
        let audit = deed(&caller.owner, "invitation.ended", Some(id), visit);
        Ok(self.store().end_invitation(tenant, id, &audit).await?)
    }

    /// What was done to the accounts of the caller's tenant, newest first.
    ///
    /// # Errors
    /// 422 for a cursor that is not ours.
    pub async fn list_audit(
        &self,
        caller: &Principal,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<AuditEvent>, ApiError> {
        Ok(self
            .store()
            .list_audit(&caller.owner.tenant, cursor, limit)
            .await?)
    }

    /// The number of the first entry of that log which is not as it was written, or after which one is missing; `None`
    /// when all is well. Reads every entry.
    ///
    /// # Errors
    /// 503 while the database does not answer.
    pub async fn check_audit(&self, caller: &Principal) -> Result<Option<i64>, ApiError> {
        Ok(self.store().find_broken_audit(&caller.owner.tenant).await?)
    }

    /// Somebody else of the caller's tenant, whom the caller may change.
    pub(super) async fn target(&self, caller: &Principal, user: &str) -> Result<AccountRow, ApiError> {
        let role = signed_in(caller)?.role;
        if user == caller.owner.user {
            return Err(ApiError::conflict(
                "This is your own account. Somebody else has to change it; your password you change yourself.",
            ));
        }
        let owner = Owner {
            tenant: caller.owner.tenant.clone(),
            user: user.to_owned(),
        };
        let found = self.store().find_account(&owner).await.map_err(ApiError::from)?;
        let found = found.ok_or_else(|| ApiError::not_found("user"))?;
        if !role.manages(found.account.role) {
            return Err(not_theirs());
        }
        Ok(found)
    }
}

fn not_theirs() -> ApiError {
    ApiError::forbidden(
        "Your role does not reach that far: an admin manages members and viewers, an owner everybody.",
    )
}
