//! Signing in at others: OpenID Connect Core 1.0, by the code flow with PKCE (RFC 7636) and the rules of RFC 9700.
//!
//! What decides is without I/O: what a provider says of itself (`discovery.rs`), which keys it signs with (`keys.rs`),
//! what a signed token proves (`signed.rs`, `id_token.rs`), what binds a sign-in to one browser (`proof.rs`). `provider.rs`
//! asks providers, through `goblin-net`, and `kept.rs` how long their answers are believed.
//!
//! Of a provider nothing is kept but issuer and subject; no token of theirs.

mod discovery;
mod id_token;
mod kept;
mod keys;
mod proof;
mod provider;
mod signed;
mod supabase;
#[cfg(test)]
mod testing;

use std::sync::Arc;

use thiserror::Error;

pub use id_token::Proven;
pub use proof::Proof;
pub use provider::{Kind, Provider, ProviderSettings, RedirectError, check_issuer, check_redirect};
pub use supabase::{Supabase, SupabaseSettings, is_admin_key, is_public_key};

/// Who else vouches for people.
#[derive(Clone, Debug, Default)]
pub struct Federation {
    /// In the order in which they are offered.
    pub providers: Vec<Arc<Provider>>,
    /// Whose tokens are taken beside our own.
    pub supabase: Option<Arc<Supabase>>,
}

impl Federation {
    /// The provider of that name.
    pub fn find(&self, id: &str) -> Option<&Arc<Provider>> {
        self.providers.iter().find(|provider| provider.id() == id)
    }

    /// What the provider behind an issuer is called.
    pub fn name_of(&self, issuer: &str) -> Option<&str> {
        let provider = self.providers.iter().find(|provider| provider.issuer() == issuer);
        let supabase = || self.supabase.as_deref().filter(|s| s.issuer() == issuer);
        provider
            .map(|provider| provider.name())
            .or_else(|| supabase().map(|_| "Supabase"))
    }
}

/// Why a signed token is not good. For logs and tests; whoever presented it learns little of it.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum BadToken {
    /// More bytes than are looked at.
    #[error("it is too long")]
    TooLong,
    /// Not three parts of base64url, or no JSON in them.
    #[error("it is no signed token")]
    Malformed,
    /// A `typ` of another kind of token, or a header that wants what we do not do (`crit`, `jku`, `jwk`, `x5u`, `x5c`).
    #[error("its header is not one of such a token")]
    Header,
    /// `none`, a shared secret where keys are public, or what we do not know.
    #[error("its algorithm is not allowed")]
    Algorithm,
    /// No key of the issuer fits.
    #[error("its key is not one of the issuer's")]
    Key,
    /// Somebody changed it, or signed it with another key.
    #[error("its signature is wrong")]
    Signature,
    /// Claims that must be there are not, or are of another kind.
    #[error("a claim is missing or malformed")]
    Claims,
    /// By another issuer.
    #[error("its issuer is another one")]
    Issuer,
    /// For somebody else.
    #[error("its audience is another one")]
    Audience,
    /// Given to somebody else.
    #[error("it was given to another client")]
    Party,
    /// Its time is over.
    #[error("its time is over")]
    Over,
    /// From the future: clocks differ.
    #[error("it was made in the future")]
    Future,
    /// Made before this sign-in began, or too long ago.
    #[error("it was made too long ago")]
    Old,
    /// Of another sign-in.
    #[error("its nonce is not that of this sign-in")]
    Nonce,
    /// Nobody's, or of a role that is no person's.
    #[error("it is of nobody who could sign in")]
    Role,
}

/// Why a provider did not vouch.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Fault {
    /// It cannot be reached, or failed.
    #[error("it cannot be reached: {0}")]
    Away(String),
    /// What it says of itself cannot be used.
    #[error("it cannot be used: {0}")]
    Unusable(String),
    /// It does not take our code.
    #[error("it refused the code: {0}")]
    Code(String),
    /// Its token is not good.
    #[error("its token is not good: {0}")]
    Token(#[from] BadToken),
}
