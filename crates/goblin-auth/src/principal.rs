//! Who a request comes from, once that is settled, and what they may do.

use goblin_core::owner::Owner;

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Ask models, list them, see their state.
    Infer,
    /// Change which models there are: pull, create, copy, delete.
    Admin,
}

impl Scope {
    /// The form kept in key files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Infer => "infer",
            Self::Admin => "admin",
        }
    }

    /// Reads [`Self::as_str`]; unknown words grant nothing.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Infer, Self::Admin]
            .into_iter()
            .find(|s| s.as_str() == text)
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
}

/// Who a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Whose rows they see.
    pub owner: Owner,
    /// How they were recognised.
    pub kind: PrincipalKind,
    scopes: Vec<Scope>,
}

impl Principal {
    /// The owner of local mode, who may do everything.
    pub fn local() -> Self {
        let scopes = vec![Scope::Infer, Scope::Admin];
        Self {
            owner: Owner::local(),
            kind: PrincipalKind::Local,
            scopes,
        }
    }

    /// The holder of a tier key. The tier keeps nothing per user, so the owner is the local one.
    pub fn tier_key(name: impl Into<String>, scopes: Vec<Scope>) -> Self {
        Self {
            owner: Owner::local(),
            kind: PrincipalKind::TierKey { name: name.into() },
            scopes,
        }
    }

    /// May they do that?
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
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
        assert!(Principal::local().may(Scope::Admin));
    }
}
