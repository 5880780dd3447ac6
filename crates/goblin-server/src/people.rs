//! People on the backend: with accounts, or in local mode whoever sits at this machine.

use std::net::IpAddr;

use axum::extract::{MatchedPath, Request};
use axum::response::{IntoResponse, Response};
use goblin_auth::cookie;
use goblin_auth::identity::Identity;
use goblin_auth::local::{LocalMode, RequestFacts, Surface as Part};
use goblin_auth::permission::{key_scope, least_role};
use goblin_auth::principal::{Principal, PrincipalKind};
use goblin_auth::vault::Vault;
use goblin_auth::visit::{Visit, VisitFacts};
use goblin_core::error::ApiError;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, Method, Uri};

use crate::app::{Access, AppState};
use crate::rate::Limits;
use crate::refusal::Refusal;
use crate::serve::Peer;

/// Where clients of Anthropic's wire put their key.
const API_KEY: &str = "x-api-key";

/// Who may come in on the backend.
#[derive(Clone, Debug)]
pub struct People {
    /// Their accounts.
    pub identity: Identity,
    /// What holds until there is an account, when nobody else can reach this machine.
    pub local: Option<LocalMode>,
    /// How often they may ask, once there are accounts; `None`: without a bound.
    pub limits: Option<Limits>,
    /// Keys of providers.
    pub vault: Vault,
}

/// How things stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// No account, and nobody but this machine comes in.
    Local(LocalMode),
    /// No account, and others can come: only the first account can be made.
    Empty,
    /// There are accounts.
    Accounts,
}

impl People {
    pub(crate) async fn standing(&self) -> Standing {
        if self.identity.has_account().await {
            return Standing::Accounts;
        }
        self.local.map_or(Standing::Empty, Standing::Local)
    }

    /// How a request came.
    pub(crate) fn visit(&self, parts: &Parts, peer: Option<IpAddr>) -> Visit {
        self.identity
            .premises()
            .visit(&visit_facts(&parts.uri, &parts.headers, peer))
    }

    /// Whose request it is, when they may make it.
    ///
    /// # Errors
    /// 401 for nobody, 403 where the role does not reach, and until there is an owner.
    pub(crate) async fn admit(
        &self,
        parts: &Parts,
        peer: Option<IpAddr>,
    ) -> Result<(Principal, Visit), ApiError> {
        let visit = self.visit(parts, peer);
        match self.standing().await {
            Standing::Local(mode) => {
                mode.check_request(&facts(parts, Part::Api))?;
                Ok((Principal::local(), visit))
            }
            Standing::Empty => Err(ApiError::forbidden(
                "This server has no owner yet. Open the set-up link it printed when it started, or left in the file \
                 `first-link` of its data directory.",
            )),
            Standing::Accounts => {
                if let Some(limits) = &self.limits {
                    limits.take_address(parts, visit.address, false).await?;
                }
                let principal = self.identity.recognise(&parts.headers, &visit).await?;
                check_role(&principal, parts)?;
                if let Some(limits) = &self.limits {
                    limits.take_principal(parts, route_of(parts), &principal).await?;
                }
                Ok((principal, visit))
            }
        }
    }
}

/// The route's template.
fn route_of(parts: &Parts) -> &str {
    parts
        .extensions
        .get::<MatchedPath>()
        .map_or("", MatchedPath::as_str)
}

/// The one place where a role, and of a key its scopes, is held against a route.
fn check_role(principal: &Principal, parts: &Parts) -> Result<(), ApiError> {
    let route = route_of(parts);
    let least = least_role(&parts.method, route);
    let role = match &principal.kind {
        PrincipalKind::SignedIn(one) => one.role,
        PrincipalKind::ApiKey(used) => {
            check_scope(principal, &parts.method, route)?;
            used.role
        }
        PrincipalKind::Local | PrincipalKind::TierKey { .. } => {
            return Err(ApiError::unauthorized("This needs a sign-in."));
        }
    };
    if role >= least {
        return Ok(());
    }
    Err(ApiError::forbidden(format!(
        "This needs the role {}; yours is {}. An owner can change it.",
        least.as_str(),
        role.as_str()
    )))
}

fn check_scope(principal: &Principal, method: &Method, route: &str) -> Result<(), ApiError> {
    match key_scope(method, route) {
        Some(scope) if principal.may(scope) => Ok(()),
        Some(scope) => Err(ApiError::forbidden(format!(
            "This needs a key with the scope `{}`. Make another one.",
            scope.as_str()
        ))),
        None => Err(ApiError::forbidden(
            "Keys do not reach this: it is for people, who sign in. A key asks models and sees lists and traces, under \
             `/v1` and at the doors of older clients.",
        )),
    }
}

/// What local mode looks at.
pub(crate) fn facts(parts: &Parts, part: Part) -> RequestFacts<'_> {
    RequestFacts {
        method: &parts.method,
        uri: &parts.uri,
        headers: &parts.headers,
        surface: part,
    }
}

fn visit_facts<'a>(uri: &'a Uri, headers: &'a HeaderMap, peer: Option<IpAddr>) -> VisitFacts<'a> {
    VisitFacts { uri, headers, peer }
}

/// Layer: what a browser does on the strength of a cookie, and signing in, only our own page may make it do. A request
/// that says who it is by `Authorization` or `x-api-key` says so itself: no other page can make a browser do that, and
/// its cookie is not looked at.
pub(crate) async fn guard(
    app: &AppState,
    request: Request,
    next: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let Access::People(people) = &app.access else {
        return next(request).await;
    };
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let (parts, body) = request.into_parts();
    if let (Some(limits), false) = (&people.limits, is_safe)
        && parts.uri.path().starts_with("/auth/")
    {
        let peer = parts.extensions.get::<Peer>().map(|peer| peer.0);
        let address = people.visit(&parts, peer).address;
        if let Err(error) = limits.take_address(&parts, address, true).await {
            return Refusal(error).into_response();
        }
    }
    let request = Request::from_parts(parts, body);
    let headers = request.headers();
    if is_safe || headers.contains_key(AUTHORIZATION) || headers.contains_key(API_KEY) {
        return next(request).await;
    }
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    let facts = visit_facts(request.uri(), headers, peer);
    let premises = people.identity.premises();
    let signs_in = request.uri().path().starts_with("/auth/") && premises.visit(&facts).is_browser;
    if (signs_in || cookie::is_there(headers))
        && let Err(error) = premises.check_page(&facts)
    {
        return Refusal(error).into_response();
    }
    next(request).await
}
