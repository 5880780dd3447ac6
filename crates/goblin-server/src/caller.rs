//! Who is asking. A handler that takes no [`Caller`] is visibly public.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use goblin_auth::local::{RequestFacts, Surface as Part};
use goblin_auth::principal::{Principal, Scope};
use goblin_core::error::ApiError;
use goblin_core::owner::Owner;
use http::request::Parts;

use crate::app::{Access, AppState};
use crate::refusal::Refusal;

/// Who is asking, known to be allowed in.
#[derive(Clone, Debug)]
pub(crate) struct Caller(Principal);

impl Caller {
    /// Whose chats and usage these are.
    pub(crate) fn owner(&self) -> Owner {
        self.0.owner.clone()
    }
}

/// Somebody who may see the page: as a [`Caller`], and a link on another site may lead here.
pub(crate) struct Visitor;

fn identify(parts: &Parts, app: &AppState, part: Part) -> Result<Principal, ApiError> {
    let facts = RequestFacts {
        method: &parts.method,
        uri: &parts.uri,
        headers: &parts.headers,
        surface: part,
    };
    match &app.access {
        Access::Local(mode) => mode.check_request(&facts).map(|()| Principal::local()),
        Access::Tier(keys) => keys.authenticate(&parts.headers),
    }
}

fn admit(parts: &Parts, app: &AppState) -> Result<Caller, ApiError> {
    let principal = identify(parts, app, Part::Api)?;
    if !principal.may(Scope::Infer) {
        return Err(ApiError::forbidden(
            "This key may not ask models. Its operator can give it the scope `infer`.",
        ));
    }
    Ok(Caller(principal))
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Refusal> {
        Ok(admit(parts, app)?)
    }
}

impl OptionalFromRequestParts<AppState> for Caller {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Option<Self>, Self::Rejection> {
        Ok(admit(parts, app).ok())
    }
}

impl FromRequestParts<AppState> for Visitor {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Refusal> {
        identify(parts, app, Part::Page)?;
        Ok(Self)
    }
}
