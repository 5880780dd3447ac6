//! Do the settings of the three places goblin is deployed to agree? Compared before anything is pushed, without asking any
//! of them: the page (Vercel or another CDN), the backend (Render or another host), the machine of the models.

use serde::{Deserialize, Serialize};

mod address;
mod compare;

pub use compare::check;

/// The settings of all three, as one TOML file has them. Names in capitals in an environment are in small letters here.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Targets {
    /// The page.
    #[serde(default)]
    pub page: Page,
    /// The backend.
    #[serde(default)]
    pub backend: Backend,
    /// The machine of the models.
    #[serde(default)]
    pub models: Models,
}

/// A secret, given as it is or as the path of a file that holds it.
#[derive(Clone, Default, Deserialize)]
#[serde(untagged)]
pub enum Secret {
    /// Not given.
    #[default]
    None,
    /// As it is.
    Value(String),
    /// In a file.
    File {
        /// Its path.
        file: String,
    },
}

impl Secret {
    /// The secret, once files were read.
    fn value(&self) -> Option<&str> {
        match self {
            Self::Value(text) if !text.trim().is_empty() => Some(text.trim()),
            Self::None | Self::Value(_) | Self::File { .. } => None,
        }
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Value(_) => "a secret",
            Self::File { .. } => "a file",
        })
    }
}

/// What is set where the page is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Page {
    /// Its address, as people type it.
    pub url: String,
    /// Where its host sends `/api`, `/auth` and `/v1`: the backend's address in `web/vercel.json`.
    pub backend: String,
    /// `VITE_API_URL`: set when the page calls the backend itself, from another origin.
    pub vite_api_url: String,
    /// `ORIGIN_SECRET`.
    pub origin_secret: Secret,
}

/// What is set where the backend is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Backend {
    /// Its own address.
    pub url: String,
    /// Render's plan.
    pub plan: String,
    /// `FRONTEND_URL`; the canonical origin first.
    pub frontend_url: String,
    /// `PREVIEW_ORIGIN_PATTERN`.
    pub preview_origin_pattern: String,
    /// `ORIGIN_SECRET`.
    pub origin_secret: Secret,
    /// `DATABASE_URL`; without one it is SQLite in a file.
    pub database_url: Secret,
    /// `REDIS_URL`.
    pub redis_url: Secret,
    /// How many copies run.
    pub copies: u32,
    /// `JWT_SECRET_KEY`.
    pub jwt_secret_key: Secret,
    /// `SETTINGS_ENCRYPTION_KEY`.
    pub settings_encryption_key: Secret,
    /// `LOCAL_LLM_PROXY_URL`.
    pub local_llm_proxy_url: String,
    /// `LOCAL_LLM_API_KEY`.
    pub local_llm_api_key: Secret,
    /// `GOOGLE_CLIENT_ID`.
    pub google_client_id: String,
    /// `GOOGLE_REDIRECT_URI`.
    pub google_redirect_uri: String,
    /// `SMTP_URL`.
    pub smtp_url: Secret,
    /// `MAIL_FROM`.
    pub mail_from: String,
}

/// What is set on the machine of the models.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Models {
    /// `install.sh --domain`: its name, with TLS.
    pub domain: String,
    /// `install.sh --listen`: its private address, without TLS.
    pub listen: String,
    /// What is in `/etc/goblin/tier-key`.
    pub key: Secret,
    /// `install.sh --allow` and `--allow-file`: who may reach it.
    pub allow: Vec<String>,
    /// Its memory, in GiB.
    pub memory_gib: f64,
    /// What each model of the roster takes in memory, in GiB, by its name.
    pub roster_gib: std::collections::BTreeMap<String, f64>,
}

/// Two settings that do not agree, or one that cannot be right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// The setting, as the file has it: `backend.frontend_url`.
    pub key: String,
    /// What is wrong. Never a secret.
    pub problem: String,
    /// What to do.
    pub fix: String,
}
