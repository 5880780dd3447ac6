//! Who is asking. A handler that takes none of these is visibly public.
//!
//! On the model tier each of them is a scope of the key, and taking one counts the request against what the key
//! may use, so a handler takes one of them: [`Caller`] asks models, [`Embedder`] makes vectors, [`Reader`] looks,
//! [`Admin`] changes which models there are. In local mode all of them are the owner.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use goblin_auth::local::{RequestFacts, Surface as Part};
use goblin_auth::principal::{Principal, Scope};
use goblin_core::error::ApiError;
use goblin_core::owner::Owner;
use goblin_store::limits::TokenAccount;
use http::request::Parts;

use crate::app::{Access, AppState};
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
}

impl Caller {
    /// Whose chats and usage these are.
    pub(crate) fn owner(&self) -> Owner {
        self.principal.owner.clone()
    }

    /// May they see addresses, and what other servers said?
    pub(crate) fn is_admin(&self) -> bool {
        self.principal.may(Scope::Admin)
    }

    /// The name of the key; `None` in local mode.
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

    /// Where the tokens of this request are counted; counts nothing in local mode.
    pub(crate) fn tokens(&self) -> TokenAccount {
        self.tokens.clone()
    }
}

/// Somebody who may turn text into vectors.
pub(crate) struct Embedder(pub(crate) Caller);

/// Somebody who may see lists and states.
pub(crate) struct Reader;

/// Somebody who may change which models there are.
pub(crate) struct Admin(pub(crate) Caller);

/// Somebody who may see the page: as a [`Caller`], and a link on another site may lead here.
pub(crate) struct Visitor;

fn facts(parts: &Parts, part: Part) -> RequestFacts<'_> {
    RequestFacts {
        method: &parts.method,
        uri: &parts.uri,
        headers: &parts.headers,
        surface: part,
    }
}

async fn admit(parts: &Parts, app: &AppState, scope: Scope) -> Result<Caller, ApiError> {
    let address = parts.extensions.get::<Peer>().map(|peer| peer.0);
    match &app.access {
        Access::Local(mode) => {
            mode.check_request(&facts(parts, Part::Api))?;
            Ok(Caller {
                principal: Principal::local(),
                key: None,
                address,
                tokens: TokenAccount::default(),
                logged: Logged::default(),
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
        admit(parts, app, Scope::Read).await?;
        Ok(Self)
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
            Access::Local(mode) => mode.check_request(&facts(parts, Part::Page))?,
            Access::Tier(guard) => {
                guard.admit(parts, Scope::Read).await?;
            }
        }
        Ok(Self)
    }
}
