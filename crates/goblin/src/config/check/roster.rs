//! The roster of the model tier, and where its models come from.

use std::path::PathBuf;
use std::time::Duration;

use goblin_net::Url;
use goblin_providers::registry::Reference;
use secrecy::{ExposeSecret, SecretString};

use crate::config::check::Reader;
use crate::config::environment::Environment;

/// The roles of the model tier, in the order of the manual.
pub(crate) const ROLES: [&str; 5] = ["safety", "confidence", "reasoning", "top", "code"];

/// Where an Ollama installed as a service keeps its models.
const OLLAMA_SERVICE: &str = "/usr/share/ollama/.ollama/models";

/// Where models are pulled from.
#[derive(Clone, Debug)]
pub(crate) struct RegistryConfig {
    /// Address of a registry that speaks Ollama's protocol.
    pub(crate) ollama_url: String,
    /// Address of Hugging Face or a mirror of it.
    pub(crate) huggingface_url: String,
    /// For Hugging Face only.
    pub(crate) huggingface_token: Option<SecretString>,
    /// Models folders of an Ollama of this machine; they need not exist.
    pub(crate) ollama_stores: Vec<PathBuf>,
}

/// A role and the model that has it.
#[derive(Clone, Debug)]
pub(crate) struct RoleModel {
    /// One of [`ROLES`].
    pub(crate) role: &'static str,
    /// Its model.
    pub(crate) model: Reference,
    /// How long the model stays in memory unused; `None`: always.
    pub(crate) keep_alive: Option<Duration>,
}

impl Reader<'_> {
    pub(super) fn registry(&mut self, environment: &Environment) -> RegistryConfig {
        let token = self.secret("registry.huggingface_token");
        let fits = |t: &SecretString| t.expose_secret().bytes().all(|b| b.is_ascii_graphic());
        if token.as_ref().is_some_and(|t| !fits(t)) {
            self.problem(
                "registry.huggingface_token",
                "it has characters no token has. Copy it again, without spaces.",
            );
        }
        RegistryConfig {
            ollama_url: self.registry_url("registry.ollama_url"),
            huggingface_url: self.registry_url("registry.huggingface_url"),
            huggingface_token: token,
            ollama_stores: match self.text("registry.ollama_models") {
                Some(folder) => vec![PathBuf::from(folder)],
                None => environment
                    .get("HOME")
                    .map(|home| PathBuf::from(home).join(".ollama/models"))
                    .into_iter()
                    .chain([PathBuf::from(OLLAMA_SERVICE)])
                    .collect(),
            },
        }
    }

    fn registry_url(&mut self, path: &str) -> String {
        let text = self.text(path).unwrap_or_default();
        if let Err(error) = Url::parse(&text) {
            self.problem(path, format!("`{text}` is no address: {error}."));
        }
        text
    }

    pub(super) fn roster(&mut self) -> Vec<RoleModel> {
        let mut roles = Vec::new();
        for role in ROLES {
            let path = format!("tier.models.{role}.model");
            let Some(text) = self.text(&path) else {
                continue;
            };
            let seconds = self
                .value(&format!("tier.models.{role}.keep_alive_seconds"))
                .as_u64();
            match Reference::parse(&text) {
                Ok(model) => roles.push(RoleModel {
                    role,
                    model,
                    keep_alive: seconds.map(Duration::from_secs),
                }),
                Err(error) => self.problem(&path, error.to_string()),
            }
        }
        roles
    }
}
