//! Signing in at a provider and coming back.
//!
//! A sign-in that begins leaves a row and a cookie, each good once and for ten minutes. What the provider then vouches
//! for is an identity: issuer and subject. One that is linked signs its account in. One that is not makes an account
//! only for whoever was invited at the address the provider vouches for, or where registration is open; it is never
//! linked to an account by an address that is the same.

use std::sync::Arc;
use std::time::Duration;

use goblin_core::account::Role;
use goblin_core::clock::Timestamp;
use goblin_core::error::ApiError;
use goblin_core::owner::Owner;
use goblin_store::accounts::{AccountRow, NewAccount};
use goblin_store::error::StoreError;
use goblin_store::identities::{NewIdentity, TakenIn};
use goblin_store::sign_in_flows::Flow;
use http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};

use super::{Identity, SignedIn, deed};
use crate::cookie;
use crate::email::Email;
use crate::oidc::{BadToken, Fault, Proof, Proven, Provider};
use crate::secret;
use crate::visit::Visit;

/// How long a sign-in may be on its way.
pub(super) const FLOW_LIFETIME: Duration = Duration::from_secs(600);
/// Longest code that is taken back to a provider, in bytes.
const MAX_CODE_BYTES: usize = 4096;

/// Why somebody who came from a provider is not let in. The page has a sentence for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// They, or the provider, said no there.
    Denied,
    /// The provider does not answer, or not as it should.
    ProviderDown,
    /// What the provider gave is not good.
    Refused,
    /// The clocks of the two differ.
    ClockDiffers,
    /// Nothing began here, it took too long, was finished already, or began in another browser.
    Expired,
    /// The provider does not say that the address is theirs.
    NotVerified,
    /// They have no account and nobody invited them.
    NotInvited,
    /// There is an account of that address, and this way in is not linked to it.
    NotLinked,
    /// The identity is linked already.
    Taken,
    /// The account is shut out.
    ShutOut,
    /// To link, one must be signed in still.
    SignInAgain,
    /// Too many tries.
    TooMany,
    /// Something else.
    Failed,
}

impl Why {
    /// Every reason.
    pub const ALL: [Self; 13] = [
        Self::Denied,
        Self::ProviderDown,
        Self::Refused,
        Self::ClockDiffers,
        Self::Expired,
        Self::NotVerified,
        Self::NotInvited,
        Self::NotLinked,
        Self::Taken,
        Self::ShutOut,
        Self::SignInAgain,
        Self::TooMany,
        Self::Failed,
    ];

    /// The word the page is given.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::ProviderDown => "provider_down",
            Self::Refused => "refused",
            Self::ClockDiffers => "clock_differs",
            Self::Expired => "expired",
            Self::NotVerified => "not_verified",
            Self::NotInvited => "not_invited",
            Self::NotLinked => "not_linked",
            Self::Taken => "taken",
            Self::ShutOut => "shut_out",
            Self::SignInAgain => "sign_in_again",
            Self::TooMany => "too_many",
            Self::Failed => "failed",
        }
    }

    fn error(self) -> ApiError {
        match self {
            Self::Denied => ApiError::forbidden(
                "The sign-in was not allowed at the provider. Try again, or sign in another way.",
            ),
            Self::ProviderDown => ApiError::upstream_failed(
                "The provider does not answer as it should. Try again soon, or sign in another way; this server's log \
                 says what is wrong.",
            ),
            Self::Refused => {
                ApiError::unauthorized("What the provider gave is not good. Begin the sign-in again.")
            }
            Self::ClockDiffers => ApiError::unauthorized(
                "The clocks of this server and of the provider differ by more than a minute. The operator must set \
                 this server's.",
            ),
            Self::Expired => ApiError::forbidden(
                "This sign-in is over: it took more than ten minutes, was finished already, or began in another \
                 browser. Begin it again.",
            ),
            Self::NotVerified => ApiError::forbidden(
                "The provider does not say that this e-mail address is yours. Confirm it there, then try again.",
            ),
            Self::NotInvited => ApiError::forbidden(
                "Nobody here invited the e-mail address of this account. Ask an owner or admin for an invitation to it.",
            ),
            Self::NotLinked => ApiError::forbidden(
                "There is an account of this e-mail address. Sign in to it as usual, then link this way in under Account.",
            ),
            Self::Taken => {
                ApiError::conflict("This account at the provider is linked already, to yours or another one.")
            }
            Self::ShutOut => {
                ApiError::forbidden("This account is shut out. An owner or admin lets it in again.")
            }
            Self::SignInAgain => ApiError::unauthorized(
                "You are not signed in any more as who began this. Sign in and link again.",
            ),
            Self::TooMany | Self::Failed => {
                ApiError::unavailable("This did not work. Try again in a moment.")
            }
        }
    }
}

/// A sign-in by another's word that came to nothing.
#[derive(Clone, Debug)]
pub struct Denied {
    /// Why, as a page is told.
    pub why: Why,
    /// Why, as a program is told, and the log.
    pub error: ApiError,
}

impl From<Why> for Denied {
    fn from(why: Why) -> Self {
        Self {
            why,
            error: why.error(),
        }
    }
}

impl From<ApiError> for Denied {
    fn from(error: ApiError) -> Self {
        let why = match error.status(true) {
            429 => Why::TooMany,
            _ => Why::Failed,
        };
        Self { why, error }
    }
}

impl From<StoreError> for Denied {
    fn from(error: StoreError) -> Self {
        ApiError::from(error).into()
    }
}

impl From<Denied> for ApiError {
    fn from(denied: Denied) -> Self {
        denied.error
    }
}

/// What is wrong at a provider, with the provider's name for the log.
pub(super) fn at_provider(name: &str, fault: &Fault) -> Denied {
    let why = match fault {
        Fault::Away(_) | Fault::Unusable(_) => Why::ProviderDown,
        Fault::Token(BadToken::Future) => Why::ClockDiffers,
        Fault::Code(_) | Fault::Token(_) => Why::Refused,
    };
    let error = ApiError {
        internal: Some(format!("{name}: {fault}")),
        ..why.error()
    };
    Denied { why, error }
}

/// A sign-in that has begun.
#[derive(Debug)]
pub struct Begun {
    /// Where the browser goes now.
    pub url: SecretString,
    /// The value of `Set-Cookie`.
    pub cookie: SecretString,
}

/// What a provider sends along with somebody it sends back.
#[derive(Clone, Debug, Default)]
pub struct Returned {
    /// What went there as `state`.
    pub state: Option<String>,
    /// To be exchanged for tokens.
    pub code: Option<String>,
    /// What was refused there.
    pub error: Option<String>,
    /// Who it is (RFC 9207).
    pub iss: Option<String>,
}

/// What came of it.
#[derive(Debug)]
pub enum Finished {
    /// Somebody signed in.
    SignedIn(SignedIn),
    /// Another way in was linked to the account that asked for it.
    Linked,
}

impl Identity {
    /// The providers people may sign in at: name here, and what people know it by.
    pub fn providers(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.0.parts.federation.providers.iter();
        all.map(|provider| (provider.id(), provider.name()))
    }

    /// The page's origin, where it is not the one requests come to.
    pub fn page_elsewhere(&self) -> Option<&str> {
        self.premises()
            .origins
            .first()
            .map(|origin| origin.trim_end_matches('/'))
    }

    pub(super) fn provider(&self, id: &str) -> Result<&Arc<Provider>, ApiError> {
        let found = self.0.parts.federation.find(id);
        found.ok_or_else(|| ApiError::not_found("provider"))
    }

    /// Begins a sign-in at a provider.
    ///
    /// # Errors
    /// 404 for a provider that is not configured, 403 where others can read along, 429, 502 when it does not answer.
    pub async fn begin_elsewhere(&self, visit: &Visit, provider: &str) -> Result<Begun, ApiError> {
        let provider = self.provider(provider)?;
        if !self.has_account().await {
            return Err(ApiError::forbidden(
                "This server has no owner yet. Open the set-up link it printed when it started first.",
            ));
        }
        // Never given back: each leaves a row for ten minutes.
        let _tried = self.take_try(visit, None).await?;
        self.begin_flow(visit, provider, &Owner::local(), None).await
    }

    pub(super) async fn begin_flow(
        &self,
        visit: &Visit,
        provider: &Provider,
        owner: &Owner,
        session: Option<&str>,
    ) -> Result<Begun, ApiError> {
        let way = visit.of_browser_at(provider.redirect_uri()).way;
        let proof = Proof::draw()?;
        let cookie = cookie::set_flow(way, proof.browser.expose_secret(), FLOW_LIFETIME)?;
        let url = provider
            .authorization_url(&proof)
            .await
            .map_err(|fault| at_provider(provider.id(), &fault).error)?;
        let flow = Flow {
            state_hash: proof.state_hash(),
            browser_hash: proof.browser_hash(),
            provider: provider.id().to_owned(),
            owner: owner.clone(),
            session: session.map(str::to_owned),
            created_at: self.now(),
            expires_at: self.after(FLOW_LIFETIME),
        };
        self.store().insert_flow(&flow).await.map_err(ApiError::from)?;
        Ok(Begun {
            url: url.into(),
            cookie: cookie.into(),
        })
    }

    /// Finishes a sign-in whose browser a provider sent back. `follows_link`: by a link, so that it is a browser
    /// whatever it says of itself, and gets a cookie.
    ///
    /// # Errors
    /// [`Denied`].
    pub async fn finish_elsewhere(
        &self,
        visit: &Visit,
        headers: &HeaderMap,
        provider: &str,
        returned: &Returned,
        follows_link: bool,
    ) -> Result<Finished, Denied> {
        let provider = self.provider(provider)?;
        let at_address = visit.of_browser_at(provider.redirect_uri());
        let visit = &Visit {
            is_browser: visit.is_browser || follows_link,
            ..at_address
        };
        cookie::check_way(visit.way)?;
        let tried = self.take_try(visit, None).await?;
        let (flow, proof) = self.taken_flow(visit, headers, provider, returned).await?;
        let proven = self.vouched(provider, returned, &proof, flow.created_at).await?;
        let finished = match &flow.session {
            Some(session) => {
                self.link_returned(visit, headers, &flow.owner, session, provider.issuer(), proven)
                    .await?;
                Finished::Linked
            }
            None => Finished::SignedIn(
                self.let_in(visit, provider.issuer(), provider.word(), proven)
                    .await?,
            ),
        };
        tried.give_back().await;
        Ok(finished)
    }

    /// The sign-in that `state` and the browser's cookie are of; it can be taken once.
    async fn taken_flow(
        &self,
        visit: &Visit,
        headers: &HeaderMap,
        provider: &Provider,
        returned: &Returned,
    ) -> Result<(Flow, Proof), Denied> {
        let browser = cookie::read_flow(headers, visit.way).unwrap_or_default();
        let state = returned.state.as_deref().unwrap_or_default();
        let proof = Proof::returned(browser, state).ok_or(Why::Expired)?;
        let flow = self
            .store()
            .take_flow(&proof.state_hash(), &proof.browser_hash())
            .await?;
        // What began at one provider is not finished by another.
        let flow = flow.filter(|flow| flow.provider == provider.id());
        Ok((flow.ok_or(Why::Expired)?, proof))
    }

    /// Whom the provider vouches for.
    async fn vouched(
        &self,
        provider: &Provider,
        returned: &Returned,
        proof: &Proof,
        begun: Timestamp,
    ) -> Result<Proven, Denied> {
        let wrong = |fault: Fault| at_provider(provider.id(), &fault);
        provider
            .check_sender(returned.iss.as_deref())
            .await
            .map_err(wrong)?;
        if let Some(error) = &returned.error {
            let shown: String = error.chars().filter(|c| !c.is_control()).take(60).collect();
            let internal = Some(format!("{}: it said `{shown}`", provider.id()));
            let why = match error.as_str() {
                "server_error" | "temporarily_unavailable" => Why::ProviderDown,
                _ => Why::Denied,
            };
            let error = ApiError {
                internal,
                ..why.error()
            };
            return Err(Denied { why, error });
        }
        let code = returned.code.as_deref().unwrap_or_default();
        if code.is_empty() || code.len() > MAX_CODE_BYTES {
            return Err(Why::Refused.into());
        }
        provider.redeem(code, proof, begun).await.map_err(wrong)
    }

    /// Signs in by an ID token somebody brings along (Google Identity Services). It is good once.
    ///
    /// # Errors
    /// [`Denied`].
    pub async fn sign_in_by_id_token(
        &self,
        visit: &Visit,
        provider: &str,
        token: &str,
    ) -> Result<SignedIn, Denied> {
        cookie::check_way(visit.way)?;
        let provider = self.provider(provider)?;
        let tried = self.take_try(visit, None).await?;
        let proven = self.brought(provider, token).await?;
        let made = self
            .let_in(visit, provider.issuer(), provider.word(), proven)
            .await?;
        tried.give_back().await;
        Ok(made)
    }

    /// Whom an ID token vouches for that was not presented before.
    pub(super) async fn brought(&self, provider: &Provider, token: &str) -> Result<Proven, Denied> {
        let proven = provider
            .check_brought(token)
            .await
            .map_err(|fault| at_provider(provider.id(), &fault))?;
        // A signature may be written in more than one way; what is signed may not.
        let signed = token.rsplit_once('.').map_or(token, |(signed, _)| signed);
        let until = proven.expires_at.plus_ms(120_000);
        if !self
            .store()
            .insert_presented_token(&secret::hash(signed), until)
            .await?
        {
            return Err(Why::Expired.into());
        }
        Ok(proven)
    }

    /// Signs in whom an issuer vouches for: by the account linked, or one made now.
    pub(super) async fn let_in(
        &self,
        visit: &Visit,
        issuer: &str,
        word: &'static str,
        proven: Proven,
    ) -> Result<SignedIn, Denied> {
        let found = self
            .store()
            .find_account_by_identity(issuer, &proven.subject)
            .await?;
        let row = match found {
            Some(row) if row.account.disabled_at.is_some() => {
                let audit = deed(&row.owner, "session.refused", None, visit);
                self.store().insert_audit(&audit).await?;
                return Err(Why::ShutOut.into());
            }
            Some(row) => {
                let seen = identity_of(issuer, &proven);
                self.store().update_identity_used(&seen).await?;
                row
            }
            None => self.take_in(visit, issuer, proven).await?,
        };
        Ok(self.begin(visit, row, word).await?)
    }

    /// Makes an account for somebody who has none, when they were invited or everybody is.
    async fn take_in(&self, visit: &Visit, issuer: &str, proven: Proven) -> Result<AccountRow, Denied> {
        if !self.has_account().await {
            return Err(Why::NotInvited.into());
        }
        let identity = identity_of(issuer, &proven);
        let email = proven.email.filter(|_| proven.email_verified);
        let email = email.and_then(|email| Email::parse(&email).ok());
        let email = email.ok_or(Why::NotVerified)?;
        let store = self.store();
        if store.find_account_by_email(email.canonical()).await?.is_some() {
            return Err(Why::NotLinked.into());
        }
        let new = NewAccount {
            email: email.canonical().to_owned(),
            email_typed: email.typed().to_owned(),
            name: proven.name,
            password_hash: None,
        };
        let audit = deed(&Owner::local(), "account.made", None, visit);
        let invited = store
            .insert_vouched_account(TakenIn::ByInvitation, &new, &identity, &audit)
            .await;
        let made = match invited {
            Err(StoreError::LinkOver) if self.registration_open() => {
                let openly = TakenIn::Openly {
                    tenant: Owner::LOCAL_TENANT,
                    role: Role::Member,
                };
                store
                    .insert_vouched_account(openly, &new, &identity, &audit)
                    .await
            }
            other => other,
        };
        made.map_err(|error| match error {
            StoreError::LinkOver => Why::NotInvited.into(),
            StoreError::Taken(_) => Why::NotLinked.into(),
            other => other.into(),
        })
    }
}

pub(super) fn identity_of(issuer: &str, proven: &Proven) -> NewIdentity {
    NewIdentity {
        issuer: issuer.to_owned(),
        subject: proven.subject.clone(),
        email: proven.email.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_a_word_of_its_own_and_a_sentence_that_says_what_to_do() {
        let mut words: Vec<&str> = Why::ALL.iter().map(|why| why.as_str()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Why::ALL.len());
        for why in Why::ALL {
            let error = why.error();
            assert!(
                error.message.len() > 30 && error.message.ends_with('.'),
                "{why:?}"
            );
            assert!(error.status(true) >= 400);
        }
    }

    #[test]
    fn what_a_provider_says_stays_in_the_log() {
        let fault = Fault::Unusable("its token endpoint said 400, `secret-detail`".into());
        let denied = at_provider("oidc", &fault);
        assert_eq!(denied.why, Why::ProviderDown);
        assert!(!denied.error.message.contains("secret-detail"));
        assert!(denied.error.internal.unwrap().contains("secret-detail"));
        assert_eq!(
            at_provider("oidc", &BadToken::Future.into()).why,
            Why::ClockDiffers
        );
        assert_eq!(at_provider("oidc", &BadToken::Nonce.into()).why, Why::Refused);
    }
}
