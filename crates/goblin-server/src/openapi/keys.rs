//! The shapes of keys on the wire.

use goblin_core::api_key::{ApiKey, Budget};
use goblin_core::clock::Timestamp;
use goblin_core::provider_settings::CloudState;
use serde::Serialize;
use utoipa::ToSchema;

/// A key to be made.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ApiKeyBody {
    /// Who or what uses it, 1–100 characters.
    pub name: String,
    /// What it may do: `infer` (ask models), `embed` (vectors), `read` (lists and states, part of the others). Absent:
    /// `infer` and `embed`.
    pub scopes: Option<Vec<String>>,
    /// Models it may ask, by the names requests give; a `*` at the end stands for any rest. Absent: every model.
    pub models: Option<Vec<String>>,
    /// Addresses and networks it may be used from, like 10.0.0.0/8. Absent: anywhere.
    pub networks: Option<Vec<String>>,
    /// What it may spend. Absent: no bound of its own.
    pub budget: Option<Budget>,
    /// Most requests in any minute, 1–1,000,000. Absent: what holds for everybody.
    pub requests_per_minute: Option<u32>,
    /// Most requests at once, streams included, 1–1,000,000. Absent: what holds for everybody.
    pub concurrent: Option<u32>,
    /// When it ends. Absent: never.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// The password; not needed within ten minutes of signing in.
    pub password: Option<String>,
}

/// A key just made.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ApiKeyMade {
    /// The whole key, shown this once. It is sent as `Authorization: Bearer KEY` or `x-api-key: KEY`.
    pub key: String,
    /// What is shown of it later too.
    pub api_key: ApiKey,
}

/// A page of keys.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ApiKeyPage {
    /// Newest first; those that are over too.
    pub items: Vec<ApiKey>,
    /// Give it back as `cursor` for those that follow; null at the end.
    pub next_cursor: Option<String>,
}

/// The key a provider is to be called with.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProviderKeyBody {
    /// The key: 1–512 visible ASCII characters. It is kept sealed and never returned.
    pub key: String,
}

/// That a provider has a key.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProviderKeyState {
    /// The provider's id.
    pub provider: String,
    /// The key's last four characters; empty for a short key.
    pub last_four: String,
    /// When it was set.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// The id of who set it.
    pub updated_by: String,
}

/// The providers that have a key.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProviderKeyList {
    /// By provider.
    pub items: Vec<ProviderKeyState>,
}

/// The clouds known by name.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProviderList {
    /// In the order in which they are listed everywhere.
    pub items: Vec<CloudState>,
}

/// A change to a cloud. An absent field stays.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProviderChange {
    /// The key it is called with: 1–512 visible ASCII characters. It is kept sealed and never returned.
    pub key: Option<String>,
    /// May it be asked?
    pub enabled: Option<bool>,
    /// Where it is called: a public https address. A key goes only to the address it was given for, so `key` must come
    /// with it. Null: where the configuration says.
    pub base_url: Option<String>,
    /// The models it offers, by their names there, at most 1000. Null: all.
    pub shown_models: Option<Vec<String>>,
}
