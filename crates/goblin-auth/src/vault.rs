//! Keys of providers: sealed when they are set, opened where a provider is called, never shown again but for their last
//! four characters.

use goblin_core::clock::{Clock, Timestamp};
use goblin_core::error::ApiError;
use goblin_store::provider_keys::{ProviderKeyRow, Sealed};
use goblin_store::store::Store;
use secrecy::{ExposeSecret, SecretString};

use crate::identity::deed;
use crate::presented::is_sendable;
use crate::principal::Principal;
use crate::sealing::{KeyRing, Rewrap};
use crate::visit::Visit;

/// Most characters of a provider's id.
const MAX_PROVIDER_CHARS: usize = 64;
/// Fewest characters of a key whose last four are shown: of a shorter one they would say too much.
const SHOWN_FROM: usize = 12;

/// Sealed secrets at work. Cloning shares them.
#[derive(Clone, Debug)]
pub struct Vault {
    store: Store,
    clock: Clock,
    ring: Option<KeyRing>,
}

/// A provider's key as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderKeyShown {
    /// The provider's id.
    pub provider: String,
    /// The last four characters; empty for a short key.
    pub last_four: String,
    /// When it was set.
    pub updated_at: Timestamp,
    /// The id of who set it.
    pub updated_by: String,
}

impl From<ProviderKeyRow> for ProviderKeyShown {
    fn from(row: ProviderKeyRow) -> Self {
        Self {
            provider: row.provider,
            last_four: row.last_four,
            updated_at: row.updated_at,
            updated_by: row.updated_by,
        }
    }
}

impl Vault {
    /// Secrets of a store under these master keys; `None`: nothing can be sealed or opened.
    pub fn new(store: Store, clock: Clock, ring: Option<KeyRing>) -> Self {
        Self { store, clock, ring }
    }

    fn ring(&self) -> Result<&KeyRing, ApiError> {
        self.ring.as_ref().ok_or_else(|| {
            ApiError::conflict(
                "Keys of providers on PostgreSQL need a master key that every copy knows. Set SETTINGS_ENCRYPTION_KEY to \
                 `ID:` and what `openssl rand -base64 32` prints, restart, and try again.",
            )
        })
    }

    /// Keeps a provider's key, in the place of the one before.
    ///
    /// # Errors
    /// 422 for a name or key that cannot be, 409 without a master key, 503 when somebody else is just setting it.
    pub async fn set_provider_key(
        &self,
        caller: &Principal,
        visit: &Visit,
        provider: &str,
        key: &SecretString,
    ) -> Result<ProviderKeyShown, ApiError> {
        check_provider(provider)?;
        let text = key.expose_secret().trim();
        if !is_sendable(text) {
            return Err(ApiError::invalid(
                "key",
                "`key` must be 1 to 512 visible ASCII characters without spaces.",
            ));
        }
        let (ring, tenant) = (self.ring()?, &caller.owner.tenant);
        let version = self.store.next_provider_key_version(tenant, provider).await;
        let version = version.map_err(ApiError::from)?;
        let place = Sealed::provider_key(tenant, provider, version);
        let row = ProviderKeyRow {
            tenant: tenant.clone(),
            provider: provider.to_owned(),
            version,
            envelope: ring.seal(&place, &text.to_owned().into())?,
            last_four: last_four(text),
            updated_by: caller.owner.user.clone(),
            updated_at: self.clock.now(),
        };
        let audit = deed(&caller.owner, "provider_key.set", Some(provider), visit);
        self.store
            .put_provider_key(&row, &audit)
            .await
            .map_err(ApiError::from)?;
        Ok(row.into())
    }

    /// The keys of the caller's tenant, as they are shown.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_provider_keys(&self, caller: &Principal) -> Result<Vec<ProviderKeyShown>, ApiError> {
        let all = self.store.list_provider_keys().await.map_err(ApiError::from)?;
        let own = all.into_iter().filter(|row| row.tenant == caller.owner.tenant);
        Ok(own.map(ProviderKeyShown::from).collect())
    }

    /// A provider's key as it is shown.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_provider_key(
        &self,
        caller: &Principal,
        provider: &str,
    ) -> Result<Option<ProviderKeyShown>, ApiError> {
        let found = self.store.find_provider_key(&caller.owner.tenant, provider).await;
        Ok(found.map_err(ApiError::from)?.map(ProviderKeyShown::from))
    }

    /// Forgets a provider's key.
    ///
    /// # Errors
    /// 404.
    pub async fn delete_provider_key(
        &self,
        caller: &Principal,
        visit: &Visit,
        provider: &str,
    ) -> Result<(), ApiError> {
        let audit = deed(&caller.owner, "provider_key.removed", Some(provider), visit);
        let done = self
            .store
            .delete_provider_key(&caller.owner.tenant, provider, &audit)
            .await;
        Ok(done?)
    }

    /// A provider's key itself, to call the provider with.
    ///
    /// # Errors
    /// 503 when it does not open; why is for the operator.
    pub async fn open_provider_key(
        &self,
        tenant: &str,
        provider: &str,
    ) -> Result<Option<SecretString>, ApiError> {
        let found = self
            .store
            .find_provider_key(tenant, provider)
            .await
            .map_err(ApiError::from)?;
        found.map(|row| self.open(&row)).transpose()
    }

    /// Opens a row that was read before.
    ///
    /// # Errors
    /// As [`Self::open_provider_key`].
    pub fn open(&self, row: &ProviderKeyRow) -> Result<SecretString, ApiError> {
        let place = Sealed::provider_key(&row.tenant, &row.provider, row.version);
        Ok(self.ring()?.open(&place, &row.envelope)?)
    }
}

/// Puts every secret of a store under the first master key of a ring. Returns how many were not yet.
///
/// # Errors
/// [`Rewrap`]; then nothing is changed.
pub async fn rotate(store: &Store, ring: &KeyRing) -> Result<u64, Rewrap> {
    store
        .rewrap_secrets(|place, envelope| ring.rewrap(place, envelope))
        .await
}

fn check_provider(provider: &str) -> Result<(), ApiError> {
    let fits = (1..=MAX_PROVIDER_CHARS).contains(&provider.len())
        && provider
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b));
    fits.then_some(()).ok_or_else(|| {
        ApiError::invalid(
            "provider",
            format!("A provider's id is 1 to {MAX_PROVIDER_CHARS} small letters, digits, `-`, `_` and `.`."),
        )
    })
}

fn last_four(key: &str) -> String {
    if key.len() < SHOWN_FROM {
        return String::new();
    }
    key.chars().skip(key.chars().count() - 4).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_key_four_characters_are_shown_and_of_a_short_one_none() {
        assert_eq!(last_four("sk-0123456789abcd"), "abcd");
        assert_eq!(last_four("0123456789ab"), "89ab");
        assert_eq!(last_four("0123456789a"), "");
        assert_eq!(last_four(""), "");
    }

    #[test]
    fn ids_of_providers_are_plain() {
        assert!(check_provider("openai-eu_2.x").is_ok());
        for bad in ["", "OpenAI", "a b", "../x", "a/b", "'", &"a".repeat(65)] {
            assert_eq!(
                check_provider(bad).unwrap_err().param.as_deref(),
                Some("provider"),
                "{bad}"
            );
        }
    }
}
