//! What Ollama says of its models in its own API (`GET /api/tags`, `POST /api/show`), which its OpenAI door leaves out.
//!
//! Source: Ollama's `docs/api.md` and `docs/openapi.yaml`.

use std::collections::HashMap;

use bytes::Bytes;
use goblin_core::model::{Capability, ModelInfo, ModelState};
use goblin_core::provider::Health;
use http::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Upstream;

/// Most models described; more are left out.
const MAX_MODELS: usize = 256;
/// Most new models asked about in one round, so that a long list does not hold everybody up.
const MAX_ASKED_AT_ONCE: usize = 16;

/// Does a model's name say that it runs in Ollama's cloud (`x:cloud`, `x:120b-cloud`)?
pub fn is_cloud_model(name: &str) -> bool {
    name.ends_with(":cloud")
        || name
            .rsplit_once(':')
            .is_some_and(|(_, tag)| tag.ends_with("-cloud"))
}

/// What is known of an Ollama's models, by the digest of each, so that each is asked about once.
#[derive(Default)]
pub(super) struct OllamaModels {
    described: HashMap<String, Description>,
}

#[derive(Clone)]
struct Description {
    capabilities: Vec<Capability>,
    context_window: Option<u32>,
}

#[derive(Deserialize)]
struct Tags {
    #[serde(default)]
    models: Vec<Tag>,
}

#[derive(Deserialize)]
struct Tag {
    name: String,
    #[serde(default)]
    digest: String,
    #[serde(default)]
    size: Option<u64>,
    #[serde(default)]
    remote_host: Option<String>,
    #[serde(default)]
    details: Details,
}

#[derive(Default, Deserialize)]
struct Details {
    #[serde(default)]
    parameter_size: Option<String>,
}

#[derive(Deserialize)]
struct Show {
    #[serde(default)]
    capabilities: Vec<String>,
    #[serde(default)]
    model_info: Map<String, Value>,
    #[serde(default)]
    parameters: String,
}

impl OllamaModels {
    pub(super) async fn list(&mut self, upstream: &Upstream) -> Result<Vec<ModelInfo>, Health> {
        let body = upstream
            .ask(Method::GET, upstream.root.join("api/tags"), Bytes::new())
            .await?;
        let unreadable = |e| Health::Broken(format!("{} is no Ollama: {e}", upstream.root.address()));
        let tags: Tags = serde_json::from_slice(&body).map_err(unreadable)?;
        let mut asked = 0;
        let mut models = Vec::new();
        for tag in tags.models.into_iter().take(MAX_MODELS) {
            if is_cloud_model(&tag.name) || tag.remote_host.as_deref().is_some_and(|h| !h.is_empty()) {
                continue;
            }
            if !self.described.contains_key(&tag.digest) && asked < MAX_ASKED_AT_ONCE {
                asked += 1;
                if let Some(description) = describe(upstream, &tag.name).await {
                    self.described.insert(tag.digest.clone(), description);
                }
            }
            models.push(model_info(tag, &self.described));
        }
        if self.described.len() > MAX_MODELS {
            self.described.clear();
        }
        Ok(models)
    }
}

fn model_info(tag: Tag, described: &HashMap<String, Description>) -> ModelInfo {
    let description = described
        .get(&tag.digest)
        .cloned()
        .unwrap_or_else(|| Description {
            capabilities: vec![Capability::Chat],
            context_window: None,
        });
    ModelInfo {
        state: ModelState::Available,
        context_window: description.context_window,
        capabilities: description.capabilities,
        size_bytes: tag.size,
        parameters: tag.details.parameter_size.filter(|p| !p.is_empty()),
        ..ModelInfo::named(tag.name)
    }
}

async fn describe(upstream: &Upstream, name: &str) -> Option<Description> {
    let question = json!({ "model": name }).to_string().into();
    let body = upstream
        .ask(Method::POST, upstream.root.join("api/show"), question)
        .await
        .ok()?;
    let show: Show = serde_json::from_slice(&body).ok()?;
    let mut capabilities: Vec<Capability> = show.capabilities.iter().filter_map(|c| capability(c)).collect();
    if show.capabilities.is_empty() {
        // Versions before 0.6.4 do not say.
        capabilities.push(Capability::Chat);
    }
    if capabilities.contains(&Capability::Chat) {
        // Every chat model of every version is held to a schema by a grammar.
        capabilities.push(Capability::Grammar);
    }
    Some(Description {
        capabilities,
        context_window: context_window(&show),
    })
}

fn capability(word: &str) -> Option<Capability> {
    match word {
        "completion" => Some(Capability::Chat),
        "tools" => Some(Capability::Tools),
        "vision" => Some(Capability::Vision),
        "embedding" => Some(Capability::Embed),
        _ => None,
    }
}

/// The context the model is run with when its file sets one (`num_ctx`). Otherwise unknown: what Ollama takes then
/// depends on the machine and its settings, and the length the model was trained with would promise too much.
fn context_window(show: &Show) -> Option<u32> {
    let set = show
        .parameters
        .lines()
        .find_map(|line| line.trim().strip_prefix("num_ctx")?.trim().parse().ok());
    let trained = show
        .model_info
        .iter()
        .find(|(name, _)| name.ends_with(".context_length"));
    let trained = trained
        .and_then(|(_, value)| value.as_u64())
        .and_then(|n| u32::try_from(n).ok());
    match (set, trained) {
        (Some(set), Some(trained)) => Some(trained.min(set)),
        (set, _) => set,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_in_ollamas_cloud_are_known_by_their_names() {
        for name in ["gpt-oss:120b-cloud", "glm-4.6:cloud"] {
            assert!(is_cloud_model(name), "{name}");
        }
        for name in ["mistral:7b", "cloud", "cloud:7b", "my-cloud"] {
            assert!(!is_cloud_model(name), "{name}");
        }
    }
}
