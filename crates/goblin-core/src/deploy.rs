//! Do the settings of the three places goblin is deployed to agree? Compared before anything is pushed, without asking any
//! of them: the page (Vercel or another CDN), the backend (Render or another host), the machine of the models.

use serde::{Deserialize, Serialize, Serializer};

mod address;
mod compare;
mod network;
mod read;
mod rewrite;
mod vercel;

pub use address::is_local_name;
pub use compare::check;

/// The settings of all three, as one TOML file has them. Names in capitals in an environment are in small letters here.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Targets {
    /// The page.
    pub page: Page,
    /// The backend.
    pub backend: Backend,
    /// The machine of the models.
    pub models: Models,
}

/// A secret, given as it is or as the path of a file that holds it. Written out, it is nothing.
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
    /// The secret, once files were read; `None` for an empty one.
    pub fn value(&self) -> Option<&str> {
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

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

/// What is set where the page is.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Page {
    /// Its address, as people type it.
    pub url: String,
    /// The path of `web/vercel.json`, which says where its host sends `/api`, `/auth` and `/v1`.
    pub vercel_json: String,
    /// The same for a host that has no such file: the backend's address, as its routes have it.
    pub backend: String,
    /// `VITE_API_URL`: set when the page calls the backend itself, from another origin.
    pub vite_api_url: String,
    /// `ORIGIN_SECRET`.
    pub origin_secret: Secret,
}

/// What is set where the backend is.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
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
    /// `DATABASE_DIRECT_URL`.
    pub database_direct_url: Secret,
    /// `REDIS_URL`.
    pub redis_url: Secret,
    /// How many copies run.
    pub copies: u32,
    /// `JWT_SECRET_KEY`.
    pub jwt_secret_key: Secret,
    /// `JWT_CURRENT_KEY`.
    pub jwt_current_key: Secret,
    /// `JWT_STANDBY_KEY`.
    pub jwt_standby_key: Secret,
    /// `SETTINGS_ENCRYPTION_KEY`.
    pub settings_encryption_key: Secret,
    /// `TRUSTED_PROXIES`.
    pub trusted_proxies: String,
    /// `LOCAL_LLM_PROXY_URL`; of several, one is that of the models' machine.
    pub local_llm_proxy_url: String,
    /// `LOCAL_LLM_API_KEY`; one for each of those, or one for all.
    pub local_llm_api_key: Secret,
    /// `GOOGLE_CLIENT_ID`.
    pub google_client_id: String,
    /// `GOOGLE_CLIENT_SECRET`.
    pub google_client_secret: Secret,
    /// `GOOGLE_REDIRECT_URI`.
    pub google_redirect_uri: String,
    /// `OIDC_ISSUER`.
    pub oidc_issuer: String,
    /// `OIDC_CLIENT_ID`.
    pub oidc_client_id: String,
    /// `OIDC_CLIENT_SECRET`.
    pub oidc_client_secret: Secret,
    /// `SMTP_URL`.
    pub smtp_url: Secret,
    /// `MAIL_FROM`.
    pub mail_from: String,
}

/// What is set on the machine of the models.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
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

impl Backend {
    /// What is set as variables of the backend's environment, by their names there.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let secrets = [
            ("ORIGIN_SECRET", &self.origin_secret),
            ("DATABASE_URL", &self.database_url),
            ("DATABASE_DIRECT_URL", &self.database_direct_url),
            ("REDIS_URL", &self.redis_url),
            ("JWT_SECRET_KEY", &self.jwt_secret_key),
            ("JWT_CURRENT_KEY", &self.jwt_current_key),
            ("JWT_STANDBY_KEY", &self.jwt_standby_key),
            ("SETTINGS_ENCRYPTION_KEY", &self.settings_encryption_key),
            ("LOCAL_LLM_API_KEY", &self.local_llm_api_key),
            ("GOOGLE_CLIENT_SECRET", &self.google_client_secret),
            ("OIDC_CLIENT_SECRET", &self.oidc_client_secret),
            ("SMTP_URL", &self.smtp_url),
        ];
        let texts = [
            ("FRONTEND_URL", &self.frontend_url),
            ("PREVIEW_ORIGIN_PATTERN", &self.preview_origin_pattern),
            ("TRUSTED_PROXIES", &self.trusted_proxies),
            ("LOCAL_LLM_PROXY_URL", &self.local_llm_proxy_url),
            ("GOOGLE_CLIENT_ID", &self.google_client_id),
            ("GOOGLE_REDIRECT_URI", &self.google_redirect_uri),
            ("OIDC_ISSUER", &self.oidc_issuer),
            ("OIDC_CLIENT_ID", &self.oidc_client_id),
            ("MAIL_FROM", &self.mail_from),
        ];
        let secrets = secrets
            .into_iter()
            .filter_map(|(name, secret)| Some((name, secret.value()?.to_owned())));
        let texts = texts
            .into_iter()
            .filter(|(_, text)| !text.trim().is_empty())
            .map(|(name, text)| (name, text.trim().to_owned()));
        secrets.chain(texts).collect()
    }
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
