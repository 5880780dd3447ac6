//! Who is asking. A handler that takes none of these is visibly public.
//!
//! On the backend somebody signed in may what [`goblin_auth::permission`] says of their role, and the holder of a key of
//! the API what it says of the key's scopes, whichever of these the handler takes; in local mode all of them are the
//! owner.
//!
//! On the model tier each of them is a scope of the key, and taking one counts the request against what the key
//! may use, so a handler takes one of them: [`Caller`] asks models, [`Embedder`] makes vectors, [`Reader`] looks,
//! [`Admin`] changes which models there are.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use goblin_auth::identity::Identity;
use goblin_auth::local::Surface as Part;
use goblin_auth::principal::{Principal, Scope};
use goblin_auth::visit::Visit;
use goblin_core::error::ApiError;
use goblin_core::owner::Owner;
use goblin_store::limits::TokenAccount;
use http::request::Parts;

use crate::app::{Access, AppState};
use crate::people::{Standing, facts};
use crate::refusal::Refusal;
use crate::serve::Peer;
use crate::tier_guard::{Admitted, Logged};

/// Who is asking, known to be allowed in.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    principal: Principal,
    key: Option<Arc<str>>,
    address: Option<IpAddr>,
    tokens: TokenAccount,
    logged: Logged,
    visit: Option<Visit>,
}

impl Caller {
    /// Who they are.
    pub(crate) fn principal(&self) -> &Principal {
        &self.principal
    }

    /// How their request came; only of people.
    pub(crate) fn visit(&self) -> Result<&Visit, ApiError> {
        self.visit.as_ref().ok_or_else(|| ApiError::not_found("path"))
    }

    /// Whose chats and usage these are.
    pub(crate) fn owner(&self) -> Owner {
        self.principal.owner.clone()
    }

    /// May they know of this model?
    pub(crate) fn may_ask(&self, model: &str) -> bool {
        self.principal.check_model(model).is_ok()
    }

    /// May they see addresses, and what other servers said?
    pub(crate) fn is_admin(&self) -> bool {
        self.principal.may(Scope::Admin)
    }

    /// The name of the key; people have none.
    pub(crate) fn key_name(&self) -> Option<Arc<str>> {
        self.key.clone()
    }

    /// The other end of the connection.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// Whoever calls this writes the request's line in the model tier's access log, whatever comes of it.
    pub(crate) fn take_over_log(&self) {
        self.logged.take_over();
    }

    /// Where the tokens of this request are counted; counts nothing for people.
    pub(crate) fn tokens(&self) -> TokenAccount {
        self.tokens.clone()
    }
}

/// Somebody who may turn text into vectors.
pub(crate) struct Embedder(pub(crate) Caller);

/// Somebody who may see lists and states.
pub(crate) struct Reader(pub(crate) Caller);

/// Somebody who may change which models there are.
pub(crate) struct Admin(pub(crate) Caller);

/// Somebody who may see the page: everybody, for it is where people sign in. In local mode as a [`Caller`], and a link
/// on another site may lead here.
pub(crate) struct Visitor;

/// Somebody who need not be signed in: who signs in, or uses a link.
pub(crate) struct Guest {
    /// The accounts.
    pub(crate) identity: Identity,
    /// How the request came.
    pub(crate) visit: Visit,
    /// Is it whoever sits at this machine, in local mode?
    pub(crate) is_local: bool,
}

async fn admit(parts: &Parts, app: &AppState, scope: Scope) -> Result<Caller, ApiError> {
    let address = parts.extensions.get::<Peer>().map(|peer| peer.0);
    match &app.access {
        Access::People(people) => {
            let (principal, visit) = people.admit(parts, address).await?;
            Ok(Caller {
                principal,
                key: None,
                address: visit.address,
                tokens: TokenAccount::default(),
                logged: Logged::default(),
                visit: Some(visit),
            })
        }
        Access::Tier(guard) => {
            let Admitted {
                principal,
                name,
                tokens,
                logged,
            } = guard.admit(parts, scope).await?;
            Ok(Caller {
                principal,
                key: Some(name),
                address,
                tokens,
                logged,
                visit: None,
            })
        }
    }
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Refusal> {
        Ok(admit(parts, app, Scope::Infer).await?)
    }
}

impl FromRequestParts<AppState> for Embedder {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Refusal> {
        Ok(Self(admit(parts, app, Scope::Embed).await?))
    }
}

impl FromRequestParts<AppState> for Reader {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Refusal> {
        Ok(Self(admit(parts, app, Scope::Read).await?))
    }
}

impl FromRequestParts<AppState> for Admin {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Refusal> {
        Ok(Self(admit(parts, app, Scope::Admin).await?))
    }
}

impl OptionalFromRequestParts<AppState> for Caller {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Option<Self>, Self::Rejection> {
        Ok(admit(parts, app, Scope::Infer).await.ok())
    }
}

impl FromRequestParts<AppState> for Visitor {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Refusal> {
        match &app.access {
            Access::People(people) => {
                if let Standing::Local(mode) = people.standing().await {
                    mode.check_request(&facts(parts, Part::Page))?;
                }
            }
            Access::Tier(guard) => {
                guard.admit(parts, Scope::Read).await?;
            }
        }
        Ok(Self)
    }
}

impl FromRequestParts<AppState> for Guest {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Refusal> {
        let Access::People(people) = &app.access else {
            return Err(ApiError::not_found("path").into());
        };
        let is_local = match people.standing().await {
            Standing::Local(mode) => {
                mode.check_request(&facts(parts, Part::Api))?;
                true
            }
            Standing::Empty | Standing::Accounts => false,
        };
        let peer = parts.extensions.get::<Peer>().map(|peer| peer.0);
        Ok(Self {
            identity: people.identity.clone(),
            visit: people.visit(parts, peer),
            is_local,
        })
    }
}
