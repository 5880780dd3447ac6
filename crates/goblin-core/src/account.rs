//! Accounts: who may sign in, as what, and what each role may do to others.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::Timestamp;

/// What an account may do. Each role may do what the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks: what is theirs, what models there are. Asks nothing.
    Viewer,
    /// Asks, and keeps chats.
    Member,
    /// Lets members and viewers in and out.
    Admin,
    /// Everything. There is always at least one.
    Owner,
}

impl Role {
    /// Every role, the least first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Member, Self::Admin, Self::Owner];

    /// The wire and SQL form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// Reads [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.as_str() == text)
    }

    /// May somebody of this role change an account of role `other`, or make one? An owner may change everybody, an
    /// admin only whoever is less: an admin who could reset an owner's password would be an owner.
    pub fn manages(self, other: Self) -> bool {
        match self {
            Self::Owner => true,
            Self::Admin => other < Self::Admin,
            Self::Member | Self::Viewer => false,
        }
    }
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Account {
    /// Names it.
    pub id: String,
    /// The e-mail address as it was typed.
    pub email: String,
    /// What they are called.
    pub name: Option<String>,
    /// What they may do.
    pub role: Role,
    /// When they were shut out; null while they may sign in.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub disabled_at: Option<Timestamp>,
    /// Have they a password? Whoever came by a provider or a passkey may have none yet.
    pub has_password: bool,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// What holds a sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionKind {
    /// A browser, by a cookie.
    Browser,
    /// Another program, by tokens.
    Tokens,
}

impl SessionKind {
    /// The wire and SQL form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::Tokens => "tokens",
        }
    }

    /// Reads [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Browser, Self::Tokens]
            .into_iter()
            .find(|k| k.as_str() == text)
    }
}

/// A sign-in that has not ended, as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Names it. It is no secret.
    pub id: String,
    /// A browser or another program.
    pub kind: SessionKind,
    /// `password`, `passkey`, `setup`, `register`, `invitation`, `google`, `oidc` or `supabase`.
    pub signed_in_by: String,
    /// The network address it was begun from.
    pub address: Option<String>,
    /// What the client calls itself.
    pub device: Option<String>,
    /// When it was begun.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last used, to about a minute.
    #[schema(value_type = String, format = DateTime)]
    pub seen_at: Timestamp,
    /// When it ends unless it is used before.
    #[schema(value_type = String, format = DateTime)]
    pub idle_until: Timestamp,
    /// When it ends in any case.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// A way to sign in by somebody else's word: an account at a provider, linked to one here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LinkedIdentity {
    /// Names it.
    pub id: String,
    /// Who vouches: the provider's issuer.
    pub issuer: String,
    /// The e-mail address the account has there, as the provider last said.
    pub email: Option<String>,
    /// When it was linked.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last used to sign in.
    #[schema(value_type = String, format = DateTime)]
    pub used_at: Timestamp,
}

/// A passkey, as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Passkey {
    /// Names it.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// The host of the page it works on.
    pub host: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last used to sign in; null: never.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub used_at: Option<Timestamp>,
    /// When its counter went back, so that two must have it; it signs nobody in any more. Null: never.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub copied_at: Option<Timestamp>,
}

/// What a link is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LinkKind {
    /// Making the first account.
    Setup,
    /// Making an account.
    Invitation,
    /// Choosing another password.
    Reset,
    /// Showing that an e-mail address is its owner's.
    Verification,
}

impl LinkKind {
    /// The wire and SQL form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Invitation => "invitation",
            Self::Reset => "reset",
            Self::Verification => "verification",
        }
    }

    /// Reads [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Setup, Self::Invitation, Self::Reset, Self::Verification]
            .into_iter()
            .find(|k| k.as_str() == text)
    }
}

/// An invitation that has not been taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Invitation {
    /// Names it. It is no secret.
    pub id: String,
    /// For whom; null: for whoever has the link.
    pub email: Option<String>,
    /// As what.
    pub role: Role,
    /// The id of who invites.
    pub invited_by: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it ends.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// People who belong together. A team owns nothing: chats, traces and usage are one person's each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Team {
    /// Names it.
    pub id: String,
    /// What it is called, unlike every other.
    pub name: String,
    /// How many are in it.
    pub members: u64,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// Somebody in a team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TeamMember {
    /// The account's id.
    pub id: String,
    /// The account's e-mail address.
    pub email: String,
    /// What they are called.
    pub name: Option<String>,
    /// What they may do within the team.
    pub role: Role,
    /// Since when they are in it.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// Something that was done to accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEvent {
    /// Names it.
    pub id: String,
    /// Its place, from 1, without gaps.
    pub position: i64,
    /// The id of who did it, or whom it was about when nobody was signed in.
    pub user: String,
    /// What: `session.begun`, `account.made` …
    pub action: String,
    /// What it was done to: an id.
    pub target: Option<String>,
    /// More about it. Never a secret.
    pub detail: Option<String>,
    /// The network address it came from.
    pub address: Option<String>,
    /// What the client calls itself.
    pub device: Option<String>,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
        }
        for bad in ["Owner", "root", ""] {
            assert_eq!(Role::parse(bad), None);
        }
        for kind in [
            LinkKind::Setup,
            LinkKind::Invitation,
            LinkKind::Reset,
            LinkKind::Verification,
        ] {
            assert_eq!(LinkKind::parse(kind.as_str()), Some(kind));
        }
        for kind in [SessionKind::Browser, SessionKind::Tokens] {
            assert_eq!(SessionKind::parse(kind.as_str()), Some(kind));
        }
    }

    #[test]
    fn nobody_manages_who_is_as_much_as_they_are_but_an_owner() {
        for actor in Role::ALL {
            for other in Role::ALL {
                let expected = actor == Role::Owner || (actor == Role::Admin && other <= Role::Member);
                assert_eq!(actor.manages(other), expected, "{actor:?} {other:?}");
            }
        }
    }
}
