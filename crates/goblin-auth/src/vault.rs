//! Keys of providers: sealed when they are set, opened where a provider is called, never shown again but for their last
//! four characters.

use goblin_core::clock::{Clock, Timestamp};
use goblin_core::error::{ApiError, ErrorCode};
use goblin_core::maker::Maker;
use goblin_core::provider_settings::CloudChange;
use goblin_net::{Guard, Url};
use goblin_store::provider_keys::{ProviderKeyRow, Sealed};
use goblin_store::provider_settings::ProviderSettingsRow;
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

    /// Keeps a provider's key, in the place of the one before. It is sent where that one was.
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
        check_takes_a_key(provider)?;
        check_key(key)?;
        let before = self.kept_key(caller, provider).await?;
        let base_url = before.as_ref().and_then(|row| row.base_url.clone());
        let put = Put {
            key,
            base_url,
            before,
        };
        let row = self.put_key(caller, visit, provider, put).await?;
        Ok(row.into())
    }

    /// Changes how a provider is called: its key, where that is sent, whether it may be asked and which of its models
    /// are offered. A key goes to the address it was given for and nowhere else, so another address needs the key again.
    ///
    /// # Errors
    /// As [`Self::set_provider_key`]; 422 for an address that is not public https, or without the key it needs.
    pub async fn change_provider(
        &self,
        caller: &Principal,
        visit: &Visit,
        provider: &str,
        key: Option<&SecretString>,
        change: CloudChange,
    ) -> Result<(), ApiError> {
        check_provider(provider)?;
        let base_url = match change.base_url {
            Some(Some(text)) => Some(Some(public_address(&text)?)),
            other => other,
        };
        let before = self.kept_key(caller, provider).await?;
        let kept_url = before.as_ref().and_then(|row| row.base_url.clone());
        match (key, base_url) {
            (Some(key), base_url) => {
                check_key(key)?;
                let base_url = base_url.unwrap_or(kept_url);
                let put = Put {
                    key,
                    base_url,
                    before,
                };
                self.put_key(caller, visit, provider, put).await?;
            }
            (None, Some(base_url)) if base_url != kept_url => {
                return Err(ApiError::invalid(
                    "key",
                    "A key goes only to the address it was given for. Give the key together with the new `base_url`.",
                ));
            }
            (None, _) => {}
        }
        if change.enabled.is_none() && change.models.is_none() {
            return Ok(());
        }
        let tenant = &caller.owner.tenant;
        let all = self.store.list_provider_settings(tenant).await;
        let known = all
            .map_err(ApiError::from)?
            .into_iter()
            .find(|row| row.provider == provider);
        let (enabled, models) = known.map_or((true, None), |row| (row.enabled, row.models));
        let row = ProviderSettingsRow {
            tenant: tenant.clone(),
            provider: provider.to_owned(),
            enabled: change.enabled.unwrap_or(enabled),
            models: change.models.unwrap_or(models),
            updated_by: caller.owner.user.clone(),
            updated_at: self.clock.now(),
        };
        let audit = deed(&caller.owner, "provider.changed", Some(provider), visit);
        let done = self.store.put_provider_settings(&row, &audit).await;
        Ok(done?)
    }

    /// Forgets a provider's key and all that was set about it.
    ///
    /// # Errors
    /// 404 when there was nothing.
    pub async fn forget_provider(
        &self,
        caller: &Principal,
        visit: &Visit,
        provider: &str,
    ) -> Result<(), ApiError> {
        let key = self.delete_provider_key(caller, visit, provider).await;
        let audit = deed(&caller.owner, "provider.changed", Some(provider), visit);
        let settings = self
            .store
            .delete_provider_settings(&caller.owner.tenant, provider, &audit)
            .await
            .map_err(ApiError::from);
        let nothing = |done: &Result<(), ApiError>| matches!(done, Err(e) if e.code == ErrorCode::NotFound);
        match (key, settings) {
            (key, Ok(())) if nothing(&key) => Ok(()),
            (key, settings) if nothing(&settings) => key,
            (key, settings) => key.and(settings),
        }
    }

    async fn kept_key(&self, caller: &Principal, provider: &str) -> Result<Option<ProviderKeyRow>, ApiError> {
        let found = self.store.find_provider_key(&caller.owner.tenant, provider).await;
        found.map_err(ApiError::from)
    }

    async fn put_key(
        &self,
        caller: &Principal,
        visit: &Visit,
        provider: &str,
        put: Put<'_>,
    ) -> Result<ProviderKeyRow, ApiError> {
        let (ring, tenant) = (self.ring()?, &caller.owner.tenant);
        let text = put.key.expose_secret().trim();
        let version = put.before.map_or(1, |row| row.version.saturating_add(1));
        let place = Sealed::provider_key(tenant, provider, version);
        let row = ProviderKeyRow {
            tenant: tenant.clone(),
            provider: provider.to_owned(),
            version,
            envelope: ring.seal(&place, &text.to_owned().into())?,
            last_four: last_four(text),
            base_url: put.base_url,
            updated_by: caller.owner.user.clone(),
            updated_at: self.clock.now(),
        };
        let audit = deed(&caller.owner, "provider_key.set", Some(provider), visit);
        self.store
            .put_provider_key(&row, &audit)
            .await
            .map_err(ApiError::from)?;
        Ok(row)
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
        let found = self.kept_key(caller, provider).await?;
        Ok(found.map(ProviderKeyShown::from))
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

/// A key to be kept.
struct Put<'a> {
    key: &'a SecretString,
    base_url: Option<String>,
    before: Option<ProviderKeyRow>,
}

fn check_key(key: &SecretString) -> Result<(), ApiError> {
    match is_sendable(key.expose_secret().trim()) {
        true => Ok(()),
        false => Err(ApiError::invalid(
            "key",
            "`key` must be 1 to 512 visible ASCII characters without spaces.",
        )),
    }
}

/// An address that people may set: public https. Where its name leads is judged again by every connection.
fn public_address(text: &str) -> Result<String, ApiError> {
    let refused = |why: &dyn std::fmt::Display| {
        ApiError::invalid("base_url", format!("`base_url` cannot be used: {why}."))
    };
    let url = Url::parse(text).map_err(|e| refused(&e))?;
    Guard::Public.check_url(&url).map_err(|e| refused(&e))?;
    Ok(url.to_string().trim_end_matches('/').to_owned())
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

/// A key of a provider that is never called with it would only lie there.
fn check_takes_a_key(provider: &str) -> Result<(), ApiError> {
    if Maker::of(provider).is_some() {
        return Ok(());
    }
    let known = Maker::ALL.map(|maker| format!("`{}`", maker.id())).join(", ");
    Err(ApiError {
        message: format!(
            "There is no provider `{provider}` that takes a key here; there are {known}. Keys of other servers stand in the \
             configuration (`upstream.servers`)."
        ),
        param: Some("provider".to_owned()),
        ..ApiError::not_found("provider")
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
    fn an_address_that_people_set_is_public_https() {
        assert_eq!(
            public_address("https://gateway.example.org/v1/").unwrap(),
            "https://gateway.example.org/v1"
        );
        for bad in [
            "",
            "gateway.example.org",
            "ftp://gateway.example.org",
            "http://gateway.example.org",
            "https://gateway.example.org:8443",
            "https://key:secret@gateway.example.org",
            "https://gateway.example.org/?key=1",
            "https://127.0.0.1/v1",
            "https://169.254.169.254/v1",
            "https://metadata.google.internal/v1",
        ] {
            let refused = public_address(bad).unwrap_err();
            assert_eq!(refused.param.as_deref(), Some("base_url"), "{bad}");
            assert!(!refused.message.contains("secret"), "{}", refused.message);
        }
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
