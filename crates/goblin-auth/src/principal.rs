//! Who a request comes from, once that is settled, and what they may do.

use std::sync::Arc;

use goblin_core::account::{Role, SessionKind};
use goblin_core::api_key::{ApiKey, allows_model};
use goblin_core::error::ApiError;
use goblin_core::owner::Owner;

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Ask models for text and decisions; see lists and states.
    Infer,
    /// Turn text into vectors; see lists and states.
    Embed,
    /// See lists and states.
    Read,
    /// Everything, also change which models there are: pull, create, copy, delete.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 4] = [Self::Infer, Self::Embed, Self::Read, Self::Admin];

    /// The form kept in key files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Infer => "infer",
            Self::Embed => "embed",
            Self::Read => "read",
            Self::Admin => "admin",
        }
    }

    /// Reads [`Self::as_str`]; unknown words grant nothing.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }

    /// Does having this one grant `other` as well?
    fn grants(self, other: Self) -> bool {
        self == other || self == Self::Admin || other == Self::Read
    }
}

/// How somebody was recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrincipalKind {
    /// The owner of local mode: whoever sits at this machine.
    Local,
    /// The holder of a key of the model tier.
    TierKey {
        /// The key's name.
        name: String,
    },
    /// Somebody with an account, signed in.
    SignedIn(SignedInAs),
    /// The holder of a key of the API, who acts for whoever made it.
    ApiKey(KeyUse),
}

/// A key of the API in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// The key.
    pub key: Arc<ApiKey>,
    /// What its user may do: the key may nothing beyond that.
    pub role: Role,
}

/// Somebody with an account, signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedInAs {
    /// The sign-in's id.
    pub session: String,
    /// What holds it.
    pub kind: SessionKind,
    /// What they may do.
    pub role: Role,
}

/// Who a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Whose rows they see.
    pub owner: Owner,
    /// How they were recognised.
    pub kind: PrincipalKind,
    /// The ids of the teams they are in, for what teams are bounded by.
    pub teams: Vec<String>,
    scopes: Vec<Scope>,
}

impl Principal {
    /// The owner of local mode, who may do everything.
    pub fn local() -> Self {
        let scopes = vec![Scope::Admin];
        Self {
            owner: Owner::local(),
            kind: PrincipalKind::Local,
            teams: Vec::new(),
            scopes,
        }
    }

    /// The holder of a tier key. The tier keeps nothing per user, so the owner is the local one.
    pub fn tier_key(name: impl Into<String>, scopes: Vec<Scope>) -> Self {
        Self {
            owner: Owner::local(),
            kind: PrincipalKind::TierKey { name: name.into() },
            teams: Vec::new(),
            scopes,
        }
    }

    /// Somebody with an account, by a sign-in. Which routes are theirs, [`crate::permission`] says; the scopes say what
    /// of an answer they see.
    pub fn signed_in(owner: Owner, session: impl Into<String>, kind: SessionKind, role: Role) -> Self {
        let scopes = match role {
            Role::Owner | Role::Admin => vec![Scope::Admin],
            Role::Member => vec![Scope::Infer, Scope::Embed],
            Role::Viewer => vec![Scope::Read],
        };
        let session = session.into();
        Self {
            owner,
            kind: PrincipalKind::SignedIn(SignedInAs { session, kind, role }),
            teams: Vec::new(),
            scopes,
        }
    }

    /// The holder of a key of the API. The key's scopes say what of its user's rights it has, and never that of an admin.
    pub fn api_key(owner: Owner, key: Arc<ApiKey>, role: Role) -> Self {
        let scopes = key.scopes.iter().filter_map(|s| Scope::parse(s));
        let scopes = scopes.filter(|scope| *scope != Scope::Admin).collect();
        Self {
            owner,
            kind: PrincipalKind::ApiKey(KeyUse { key, role }),
            teams: Vec::new(),
            scopes,
        }
    }

    /// The same, as one of these teams.
    #[must_use]
    pub fn in_teams(self, teams: Vec<String>) -> Self {
        Self { teams, ..self }
    }

    /// The key of the API they hold.
    pub fn key_use(&self) -> Option<&KeyUse> {
        match &self.kind {
            PrincipalKind::ApiKey(key) => Some(key),
            PrincipalKind::Local | PrincipalKind::TierKey { .. } | PrincipalKind::SignedIn(_) => None,
        }
    }

    /// May they ask the model a request names?
    ///
    /// # Errors
    /// 403 for a key that is bound to others.
    pub fn check_model(&self, model: &str) -> Result<(), ApiError> {
        let allowed = self.key_use().and_then(|used| used.key.models.as_deref());
        match allowed {
            Some(allowed) if !allows_model(allowed, model) => {
                let shown: String = model.chars().take(100).collect();
                let mut error = ApiError::forbidden(format!(
                    "This key may not ask `{shown}`. It may ask: {}.",
                    allowed.join(", ")
                ));
                error.param = Some("model".to_owned());
                Err(error)
            }
            _ => Ok(()),
        }
    }

    /// What they may do to others, when they have an account.
    pub fn signed_in_as(&self) -> Option<&SignedInAs> {
        match &self.kind {
            PrincipalKind::SignedIn(one) => Some(one),
            PrincipalKind::Local | PrincipalKind::TierKey { .. } | PrincipalKind::ApiKey(_) => None,
        }
    }

    /// May they do that?
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.iter().any(|s| s.grants(scope))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_scopes_grant_nothing() {
        assert_eq!(Scope::parse("Admin"), None);
        let named = ["infer", "root", ""]
            .iter()
            .filter_map(|s| Scope::parse(s))
            .collect();
        let principal = Principal::tier_key("laptop", named);
        assert!(principal.may(Scope::Infer) && !principal.may(Scope::Admin));
        assert!(!Principal::tier_key("nothing", Vec::new()).may(Scope::Read));
    }

    #[test]
    fn admin_may_everything_and_every_scope_may_look() {
        use Scope::{Admin, Embed, Infer, Read};
        for (has, may) in [
            (Infer, &[Infer, Read][..]),
            (Embed, &[Embed, Read]),
            (Read, &[Read]),
            (Admin, &[Infer, Embed, Read, Admin]),
        ] {
            let principal = Principal::tier_key("k", vec![has]);
            for scope in Scope::ALL {
                assert_eq!(principal.may(scope), may.contains(&scope), "{has:?} {scope:?}");
                assert!(Principal::local().may(scope));
            }
            assert_eq!(Scope::parse(has.as_str()), Some(has));
        }
    }
}
