//! Linking ways in to one's own account, and Supabase's tokens.

use goblin_core::account::{LinkedIdentity, SessionKind};
use goblin_core::error::ApiError;
use goblin_core::owner::Owner;
use goblin_store::error::StoreError;
use goblin_store::identities::NewIdentity;
use http::HeaderMap;

use super::elsewhere::{Begun, Denied, Why, at_provider, identity_of};
use super::own::signed_in;
use super::{Identity, SignedIn, deed};
use crate::cookie;
use crate::oidc::{Fault, Proven, Supabase};
use crate::password::Password;
use crate::principal::Principal;
use crate::visit::Visit;

/// Supabase's name among the providers.
const SUPABASE: &str = "supabase";

/// An identity of the caller.
#[derive(Clone, Debug)]
pub struct IdentityShown {
    /// The identity.
    pub identity: LinkedIdentity,
    /// What people know its provider by; `None`: it is not configured any more.
    pub provider: Option<String>,
}

/// A token of a provider that was brought along.
#[derive(Clone, Copy, Debug)]
pub struct Token<'a>(pub &'a str);

impl Identity {
    /// The caller's identities, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_identities(&self, caller: &Principal) -> Result<Vec<IdentityShown>, ApiError> {
        let all = self.store().list_identities(&caller.owner).await;
        let federation = &self.0.parts.federation;
        let all = all.map_err(ApiError::from)?.into_iter();
        Ok(all
            .map(|identity| IdentityShown {
                provider: federation.name_of(&identity.issuer).map(str::to_owned),
                identity,
            })
            .collect())
    }

    /// Begins to link an account at a provider to the caller's, in a browser.
    ///
    /// # Errors
    /// 404 for a provider that is not configured, 422 naming `password` when it is wrong or needed, 403 for a program,
    /// 429, 502 when the provider does not answer.
    pub async fn begin_linking(
        &self,
        caller: &Principal,
        visit: &Visit,
        provider: &str,
        password: Option<&Password>,
    ) -> Result<Begun, ApiError> {
        let provider = self.provider(provider)?;
        let one = signed_in(caller)?;
        if one.kind != SessionKind::Browser {
            return Err(ApiError::forbidden(
                "A program links with a `token` of the provider; only a browser can be sent there.",
            ));
        }
        self.check_again(caller, visit, password).await?;
        self.begin_flow(visit, provider, &caller.owner, Some(&one.session))
            .await
    }

    /// Links the account a token is of to the caller's.
    ///
    /// # Errors
    /// As [`Self::begin_linking`], and when the token is not good.
    pub async fn link_by_token(
        &self,
        caller: &Principal,
        visit: &Visit,
        provider: &str,
        token: Token<'_>,
        password: Option<&Password>,
    ) -> Result<(), ApiError> {
        self.check_again(caller, visit, password).await?;
        let identity = if provider == SUPABASE {
            let supabase = self.supabase()?;
            let (subject, email) = supabase.check(token.0).await.map_err(of_supabase)?;
            NewIdentity {
                issuer: supabase.issuer().to_owned(),
                subject,
                email,
            }
        } else {
            let provider = self.provider(provider)?;
            identity_of(provider.issuer(), &self.brought(provider, token.0).await?)
        };
        Ok(self.link(visit, &caller.owner, &identity).await?)
    }

    /// Takes a way in away from the caller's account.
    ///
    /// # Errors
    /// 404, 409 for the last way in, 422 naming `password` when it is wrong or needed.
    pub async fn unlink(
        &self,
        caller: &Principal,
        visit: &Visit,
        id: &str,
        password: Option<&Password>,
    ) -> Result<(), ApiError> {
        self.check_again(caller, visit, password).await?;
        let audit = deed(&caller.owner, "identity.unlinked", Some(id), visit);
        Ok(self.store().delete_identity(&caller.owner, id, &audit).await?)
    }

    /// Links whom a provider vouches for to the account that began it, when it is still that one's browser.
    pub(super) async fn link_returned(
        &self,
        visit: &Visit,
        headers: &HeaderMap,
        owner: &Owner,
        session: &str,
        issuer: &str,
        proven: Proven,
    ) -> Result<(), Denied> {
        let caller = self.recognise(headers, visit).await.map_err(|error| {
            let is_over = error.status(true) == 401;
            if is_over {
                Why::SignInAgain.into()
            } else {
                Denied::from(error)
            }
        })?;
        let is_same =
            caller.owner == *owner && caller.signed_in_as().is_some_and(|one| one.session == session);
        if !is_same {
            return Err(Why::SignInAgain.into());
        }
        self.link(visit, owner, &identity_of(issuer, &proven)).await
    }

    async fn link(&self, visit: &Visit, owner: &Owner, identity: &NewIdentity) -> Result<(), Denied> {
        let audit = goblin_store::audit::NewAudit {
            detail: Some(identity.issuer.clone()),
            ..deed(owner, "identity.linked", Some(&owner.user), visit)
        };
        let linked = self.store().insert_identity(owner, identity, &audit).await;
        linked.map_err(|error| match error {
            StoreError::Taken(_) => Why::Taken.into(),
            other => other.into(),
        })
    }

    fn supabase(&self) -> Result<&Supabase, ApiError> {
        let found = self.0.parts.federation.supabase.as_deref();
        found.ok_or_else(|| ApiError::not_found("provider"))
    }

    /// Whose request it is by a token of Supabase; `None` when the token says it is of somebody else.
    pub(super) async fn recognise_supabase(&self, token: &str) -> Result<Option<Principal>, ApiError> {
        let supabase = self.0.parts.federation.supabase.as_deref();
        let Some(supabase) = supabase.filter(|supabase| supabase.is_named_by(token)) else {
            return Ok(None);
        };
        let (subject, _) = supabase.check(token).await.map_err(of_supabase)?;
        let found = self
            .store()
            .find_account_by_identity(supabase.issuer(), &subject)
            .await
            .map_err(ApiError::from)?;
        let row = found.ok_or_else(|| {
            ApiError::unauthorized(
                "No account here is linked to this Supabase user. Send the token once to POST /auth/supabase, or link \
                 it under Account.",
            )
        })?;
        if row.account.disabled_at.is_some() {
            return Err(super::over());
        }
        // No row stands for it: it ends with its token, and when the account is shut out.
        let session = format!("{SUPABASE}:{subject}");
        Ok(Some(
            Principal::signed_in(row.owner, session, SessionKind::Tokens, row.account.role)
                .in_teams(row.teams),
        ))
    }

    /// Signs in by a token of Supabase.
    ///
    /// # Errors
    /// [`Denied`].
    pub async fn sign_in_by_supabase(&self, visit: &Visit, token: &str) -> Result<SignedIn, Denied> {
        cookie::check_way(visit.way)?;
        let supabase = self.supabase()?;
        let tried = self.take_try(visit, None).await?;
        let wrong = |fault: Fault| at_provider(SUPABASE, &fault);
        let (subject, email) = supabase.check(token).await.map_err(wrong)?;
        let known = self
            .store()
            .find_account_by_identity(supabase.issuer(), &subject)
            .await?;
        // Asked only of somebody new: a token does not say that its address is theirs.
        let confirmed = match known {
            Some(_) => None,
            None => supabase.confirmed_email(token, &subject).await.map_err(wrong)?,
        };
        let proven = Proven {
            subject,
            email_verified: confirmed.is_some(),
            email: confirmed.or(email),
            name: None,
            expires_at: self.now(),
        };
        let made = self.let_in(visit, supabase.issuer(), SUPABASE, proven).await?;
        tried.give_back().await;
        Ok(made)
    }
}

/// What is wrong with a token of Supabase, as the API says it.
fn of_supabase(fault: Fault) -> ApiError {
    match fault {
        Fault::Token(why) => ApiError {
            internal: Some(format!("a token of Supabase: {why}")),
            ..super::over()
        },
        other => ApiError {
            internal: Some(format!("Supabase: {other}")),
            ..ApiError::unavailable(
                "Supabase does not answer, so its tokens cannot be checked now. Try again soon.",
            )
        },
    }
}
