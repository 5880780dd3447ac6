//! The shapes of accounts and sign-ins on the wire.

use goblin_core::account::{
    Account, AuditEvent, Invitation, LinkKind, Passkey, Role, Session, Team, TeamMember,
};
use goblin_core::clock::Timestamp;
use serde::Serialize;
use serde_json::Value;
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
    /// How one can sign in: `password`, `passkey`, `provider` (at one of `providers`).
    pub methods: Vec<String>,
    /// The pages on which passkeys can be made and used, the canonical one first; none: there can be none.
    pub passkey_origins: Vec<String>,
    /// Who else vouches for people, in the order in which they are offered. A browser is sent to the address that
    /// `GET /auth/oidc/{id}/url` gives.
    pub providers: Vec<ProviderShown>,
    /// `secure`: encrypted; `near`: plain HTTP within this machine or a private network, where the page should warn;
    /// `far`: plain HTTP, where nobody can sign in.
    pub way: String,
    /// Who is signed in; null when nobody is.
    pub user: Option<User>,
}

/// A provider people may sign in at.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProviderShown {
    /// Its name in paths: `google`, `oidc`, `oidc-2` …
    pub id: String,
    /// What people know it by.
    pub name: String,
}

/// Where a browser goes to sign in at a provider.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuthorizationUrl {
    /// The address.
    pub authorization_url: String,
    /// The same, as other clients call it.
    pub url: String,
}

/// An ID token of Google, under either name.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct IdTokenBody {
    /// The token.
    pub token: Option<String>,
    /// The token, as Google's own script calls it.
    pub credential: Option<String>,
}

/// What a provider sent back with a browser.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CallbackBody {
    /// To be exchanged at the provider.
    pub code: String,
    /// What went there as `state`.
    pub state: String,
}

/// A way in to be linked.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LinkBody {
    /// The provider, as `/auth/state` names it, or `supabase`.
    pub provider: String,
    /// A token of it (Google's ID token, Supabase's access token); absent: the browser is sent there.
    pub token: Option<String>,
    /// The caller's password; needed unless they signed in within the last ten minutes.
    pub password: Option<String>,
}

/// The caller's password.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PasswordBody {
    /// Needed unless they signed in within the last ten minutes.
    pub password: Option<String>,
}

/// An account at a provider that signs in to the caller's.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct IdentityView {
    /// Names it.
    pub id: String,
    /// What people know its provider by; null when that is not configured any more.
    pub provider: Option<String>,
    /// The provider's issuer.
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

/// The caller's ways in by others' word.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct IdentityList {
    /// Newest first; at most 20.
    pub items: Vec<IdentityView>,
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
    /// Have they a password? Whoever came by a provider or a passkey may have none yet.
    pub has_password: bool,
}

impl From<Account> for User {
    fn from(account: Account) -> Self {
        Self {
            id: account.id,
            email: Some(account.email),
            name: account.name,
            role: account.role,
            has_password: account.has_password,
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
    /// The password as it is; absent where there is none yet.
    pub current_password: Option<String>,
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

/// What begins a passkey; a browser's sign-in of the last ten minutes needs none of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PasskeyBegin {
    /// The caller's password, when the sign-in is older.
    pub password: Option<String>,
}

/// The first half of a ceremony, good for five minutes and one answer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PasskeyCeremony {
    /// Given back with the answer.
    pub ceremony: String,
    /// For `PublicKeyCredential.parseCreationOptionsFromJSON` or `parseRequestOptionsFromJSON`.
    pub options: Value,
}

/// The answer of an authenticator that made a passkey.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PasskeyBody {
    /// What the first half gave.
    pub ceremony: String,
    /// What `navigator.credentials.create` gave, as its `toJSON` writes it.
    pub credential: Value,
    /// What to call it, 1–200 characters.
    pub name: Option<String>,
}

/// The answer of an authenticator that a passkey was used on.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PasskeySignInBody {
    /// What the first half gave.
    pub ceremony: String,
    /// What `navigator.credentials.get` gave, as its `toJSON` writes it.
    pub credential: Value,
}

/// Another name for a passkey.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PasskeyName {
    /// 1–200 characters.
    pub name: String,
}

/// The caller's passkeys.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PasskeyList {
    /// Newest first.
    pub items: Vec<Passkey>,
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
