//! People on the backend: with accounts, or in local mode whoever sits at this machine.

use std::net::IpAddr;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use goblin_auth::cookie;
use goblin_auth::identity::Identity;
use goblin_auth::local::{LocalMode, RequestFacts, Surface as Part};
use goblin_auth::permission::least_role;
use goblin_auth::principal::Principal;
use goblin_auth::visit::{Visit, VisitFacts};
use goblin_core::error::ApiError;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, Method, Uri};

use crate::app::{Access, AppState};
use crate::refusal::Refusal;
use crate::serve::Peer;

/// Who may come in on the backend.
#[derive(Clone, Debug)]
pub struct People {
    /// Their accounts.
    pub identity: Identity,
    /// What holds until there is an account, when nobody else can reach this machine.
    pub local: Option<LocalMode>,
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
                let principal = self.identity.recognise(&parts.headers, &visit).await?;
                check_role(&principal, parts)?;
                Ok((principal, visit))
            }
        }
    }
}

/// The one place where a role is held against a route.
fn check_role(principal: &Principal, parts: &Parts) -> Result<(), ApiError> {
    let route = parts
        .extensions
        .get::<MatchedPath>()
        .map_or("", MatchedPath::as_str);
    let least = least_role(&parts.method, route);
    match principal.signed_in_as() {
        Some(one) if one.role >= least => Ok(()),
        Some(one) => Err(ApiError::forbidden(format!(
            "This needs the role {}; yours is {}. An owner can change it.",
            least.as_str(),
            one.role.as_str()
        ))),
        None => Err(ApiError::unauthorized("This needs a sign-in.")),
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
/// that says who it is by `Authorization` says so itself: no other page can make a browser do that.
pub(crate) async fn guard(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let Access::People(people) = &app.access else {
        return next.run(request).await;
    };
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let headers = request.headers();
    if is_safe || headers.contains_key(AUTHORIZATION) {
        return next.run(request).await;
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
    next.run(request).await
}
