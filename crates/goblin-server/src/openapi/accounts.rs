//! The shapes of accounts and sign-ins on the wire.

use goblin_core::account::{Account, AuditEvent, Invitation, LinkKind, Role, Session, Team, TeamMember};
use goblin_core::clock::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// How people come in here.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SignInState {
    /// `local`: nobody signs in, whoever sits at this machine is the owner; `setup`: the first account has to be made;
    /// `accounts`: a sign-in is needed.
    pub mode: String,
    /// May anybody make an account with `POST /auth/register`?
    pub registration_open: bool,
    /// Does this server send mail? Then a forgotten password needs nobody else.
    pub sends_mail: bool,
    /// How one can sign in: `password`.
    pub methods: Vec<String>,
    /// `secure`: encrypted; `near`: plain HTTP within this machine or a private network, where the page should warn;
    /// `far`: plain HTTP, where nobody can sign in.
    pub way: String,
    /// Who is signed in; null when nobody is.
    pub user: Option<User>,
}

/// An account, as old clients know it, and its role.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct User {
    /// Names it.
    pub id: String,
    /// The e-mail address; null in local mode.
    pub email: Option<String>,
    /// What they are called.
    pub name: Option<String>,
    /// What they may do.
    pub role: Role,
}

impl From<Account> for User {
    fn from(account: Account) -> Self {
        Self {
            id: account.id,
            email: Some(account.email),
            name: account.name,
            role: account.role,
        }
    }
}

/// Address and password. Also taken as a form, with `username` for `email`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SignInBody {
    /// The e-mail address.
    pub email: String,
    /// The password, 1–1024 bytes.
    pub password: String,
}

/// An account to be made.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RegisterBody {
    /// The e-mail address.
    pub email: String,
    /// The password, 8–1024 bytes.
    pub password: String,
    /// What they are called, 1–200 characters.
    pub name: Option<String>,
}

/// The first account to be made.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SetupBody {
    /// What stands behind `#` in the set-up link; not needed in local mode.
    pub token: Option<String>,
    /// The e-mail address.
    pub email: String,
    /// The password, 8–1024 bytes.
    pub password: String,
    /// What they are called, 1–200 characters.
    pub name: Option<String>,
}

/// An invitation to be taken.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AcceptBody {
    /// What stands behind `#` in the invitation's link.
    pub token: String,
    /// The e-mail address; may be absent when the invitation names one.
    pub email: Option<String>,
    /// The password, 8–1024 bytes.
    pub password: String,
    /// What they are called, 1–200 characters.
    pub name: Option<String>,
}

/// Somebody just signed in. A browser (a request with `Sec-Fetch-Site` or `Origin`) gets a cookie and none of the
/// tokens; other programs get tokens and no cookie.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SignInAnswer {
    /// Sent as `Authorization: Bearer …`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_token: Option<String>,
    /// `bearer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_type: Option<String>,
    /// Seconds until the access token ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u64>,
    /// Exchanged at `POST /auth/refresh` for both anew, once. Presented twice, the whole sign-in ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// Who.
    pub user: User,
}

/// A token.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TokenBody {
    /// The token.
    pub token: String,
}

/// A refresh token.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RefreshBody {
    /// The refresh token last given.
    pub refresh_token: String,
}

/// Whether a token is good.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ValidAnswer {
    /// Is it?
    pub valid: bool,
    /// Whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<User>,
}

/// What a link is good for.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LinkAnswer {
    /// What it is good for.
    pub kind: LinkKind,
    /// Of an invitation: for whom; null: for whoever has the link.
    pub email: Option<String>,
    /// Of an invitation: as what.
    pub role: Option<Role>,
    /// When it ends.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// A password to be set by a link.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ResetBody {
    /// What stands behind `#` in the link.
    pub token: String,
    /// The password, 8–1024 bytes.
    pub password: String,
}

/// An address to send a letter to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AddressBody {
    /// The e-mail address.
    pub email: String,
}

/// What was done, in a sentence.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DoneAnswer {
    /// A sentence.
    pub detail: String,
}

/// What somebody is called from now on.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NameChange {
    /// 1–200 characters; null: nothing but the address.
    #[schema(required)]
    pub name: Option<String>,
}

/// Another password.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PasswordChange {
    /// The password as it is.
    pub current_password: String,
    /// The password to be, 8–1024 bytes.
    pub new_password: String,
}

/// An account to be ended.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AccountEnd {
    /// The password; not needed within ten minutes of signing in.
    pub password: Option<String>,
}

/// A sign-in of the caller.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SessionShown {
    /// The sign-in.
    #[serde(flatten)]
    pub session: Session,
    /// Is it the one this request is made with?
    pub current: bool,
}

/// A page of sign-ins.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SessionPage {
    /// Last used first.
    pub items: Vec<SessionShown>,
    /// Give it back as `cursor` for those that follow; null at the end.
    pub next_cursor: Option<String>,
}

/// How many sign-ins were ended.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EndedAnswer {
    /// How many.
    pub ended: u64,
}

/// A page of accounts.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AccountPage {
    /// Newest first.
    pub items: Vec<Account>,
    /// Give it back as `cursor` for those that follow; null at the end.
    pub next_cursor: Option<String>,
}

/// Changes to an account; at least one is given.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AccountChangeBody {
    /// What they may do from now on.
    pub role: Option<Role>,
    /// Shut out, or let in again.
    pub disabled: Option<bool>,
}

/// An invitation to be made.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct InvitationBody {
    /// For whom; absent: for whoever has the link.
    pub email: Option<String>,
    /// As what; absent: `member`.
    pub role: Option<Role>,
}

/// A link just made. Its address is shown this once.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LinkMade {
    /// Names it.
    pub id: String,
    /// To be given to whom it is for.
    pub url: String,
    /// The same below the page's own origin, for a page that is reached at another address than this server knows of.
    pub path: String,
    /// When it ends.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// A page of invitations.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct InvitationPage {
    /// Newest first.
    pub items: Vec<Invitation>,
    /// Give it back as `cursor` for those that follow; null at the end.
    pub next_cursor: Option<String>,
}

/// A page of what was done to accounts.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditPage {
    /// Newest first.
    pub items: Vec<AuditEvent>,
    /// Give it back as `cursor` for those that follow; null at the end.
    pub next_cursor: Option<String>,
}

/// A page of teams.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TeamPage {
    /// Newest first.
    pub items: Vec<Team>,
    /// Give it back as `cursor` for those that follow; null at the end.
    pub next_cursor: Option<String>,
}

/// A team to be made, or its other name.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TeamBody {
    /// What it is called, 1–200 characters, unlike every other.
    pub name: String,
}

/// Everybody in a team.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MembersAnswer {
    /// By address.
    pub items: Vec<TeamMember>,
}

/// A place in a team.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MemberBody {
    /// What they may do within the team; absent: `member`.
    pub role: Option<Role>,
}

/// Whether the log of what was done to accounts is as it was written.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditCheck {
    /// `position` of the first entry that was changed, or after which one is missing; null when all is well.
    pub broken_at: Option<i64>,
}
