//! What an Ollama says of itself and its models: `/api/tags`, `/api/show`, `/api/ps`, `/api/version`.
//!
//! Source: Ollama's `docs/api.md` and `docs/openapi.yaml`.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use bytes::Bytes;
use goblin_core::model::{Capability, ModelInfo, ModelState};
use goblin_core::provider::{Health, ProviderError, ProviderStatus};
use http::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::Server;
use super::context::{Facts, full_name};

/// Most bytes of an answer about models (4 MiB).
const MAX_LIST_BYTES: usize = 4 * 1024 * 1024;
/// Most models described; more are left out.
const MAX_MODELS: usize = 256;
/// Most new models asked about in one round, so that a long list does not hold everybody up.
const MAX_ASKED_AT_ONCE: usize = 16;
/// The first version that reports log-probabilities.
const LOGPROBS_SINCE: [u32; 3] = [0, 12, 11];
/// Before this version `truncate` may be unknown, and what does not fit is cut.
const REFUSES_SINCE: [u32; 3] = [0, 13, 0];

/// Does a model's name say that it runs in Ollama's cloud (`x:cloud`, `x:120b-cloud`)?
pub fn is_cloud_model(name: &str) -> bool {
    name.ends_with(":cloud")
        || name
            .rsplit_once(':')
            .is_some_and(|(_, tag)| tag.ends_with("-cloud"))
}

/// What is known of a server.
#[derive(Default)]
pub(super) struct Known {
    last: Option<(Instant, ProviderStatus)>,
    version: Option<[u32; 3]>,
    /// By digest, so that each model is asked about once.
    described: HashMap<String, Show>,
    facts: HashMap<String, Facts>,
    families: HashMap<String, String>,
    /// Models that run in Ollama's cloud, whatever they are called here.
    far: HashSet<String>,
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

impl Tag {
    /// Is it only the name of a model that runs elsewhere? Ollama hands what it is asked on to there.
    fn is_far(&self) -> bool {
        is_cloud_model(&self.name) || self.remote_host.as_deref().is_some_and(|host| !host.is_empty())
    }
}

#[derive(Default, Deserialize)]
struct Details {
    #[serde(default)]
    family: String,
    #[serde(default)]
    parameter_size: String,
    #[serde(default)]
    quantization_level: String,
}

#[derive(Clone, Default, Deserialize)]
struct Show {
    #[serde(default)]
    capabilities: Vec<String>,
    #[serde(default)]
    model_info: Map<String, Value>,
    #[serde(default)]
    parameters: String,
}

#[derive(Deserialize)]
struct Processes {
    #[serde(default)]
    models: Vec<Process>,
}

#[derive(Deserialize)]
struct Process {
    #[serde(default)]
    name: String,
    #[serde(default)]
    size: Option<u64>,
    #[serde(default)]
    context_length: Option<u32>,
}

#[derive(Deserialize)]
struct Version {
    version: String,
}

/// `0.17.4-rc1` → [0, 17, 4].
fn version_numbers(text: &str) -> Option<[u32; 3]> {
    let mut numbers = text
        .trim_start_matches('v')
        .split(['.', '-', '+'])
        .map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some([next()?, next()?, next().unwrap_or(0)])
}

impl Server {
    /// How the server is, asked for at most once in its time to live, by one question at a time.
    pub(super) async fn status(&self) -> ProviderStatus {
        let mut known = self.known.lock().await;
        if let Some((asked_at, status)) = &known.last
            && asked_at.elapsed() < self.spec.status_ttl
        {
            return status.clone();
        }
        let (health, models) = match self.look(&mut known).await {
            Ok(models) => (Health::Ok, models),
            Err(health) => (health, Vec::new()),
        };
        let (decode, prefill) = self.rates.now();
        let status = ProviderStatus {
            health,
            models,
            slots: None,
            free_slots: None,
            decode_tokens_per_second: decode,
            prefill_tokens_per_second: prefill,
        };
        known.last = Some((Instant::now(), status.clone()));
        status
    }

    /// Refuses a model of Ollama's cloud, unless those are allowed: by its name, and by what is known of the server.
    ///
    /// # Errors
    /// [`ProviderError::ModelNotFound`]: for callers, it is not there.
    pub(super) async fn refuse_cloud(&self, model: &str) -> Result<(), ProviderError> {
        if self.spec.allow_cloud {
            return Ok(());
        }
        match is_cloud_model(model) || self.known.lock().await.far.contains(&full_name(model)) {
            true => Err(ProviderError::ModelNotFound {
                model: model.to_owned(),
            }),
            false => Ok(()),
        }
    }

    /// What is known of a model. Nothing, when the server does not say.
    ///
    /// # Errors
    /// As [`Self::refuse_cloud`].
    pub(super) async fn facts(&self, model: &str) -> Result<Facts, ProviderError> {
        // Before anything is sent, and again with what the server says now.
        self.refuse_cloud(model).await?;
        self.status().await;
        self.refuse_cloud(model).await?;
        let known = self.known.lock().await;
        let unknown = Facts {
            cuts: known.version.is_none_or(|version| version < REFUSES_SINCE),
            ..Facts::default()
        };
        Ok(known.facts.get(&full_name(model)).copied().unwrap_or(unknown))
    }

    /// The family of a model, else its own name.
    pub(super) async fn family(&self, model: &str) -> String {
        let known = self.known.lock().await;
        let name = full_name(model);
        known.families.get(&name).cloned().unwrap_or(name)
    }

    async fn look(&self, known: &mut Known) -> Result<Vec<ModelInfo>, Health> {
        let tags: Tags = self.ask(Method::GET, "api/tags", Bytes::new()).await?;
        let running: Processes = self.ask(Method::GET, "api/ps", Bytes::new()).await?;
        let version: Version = self.ask(Method::GET, "api/version", Bytes::new()).await?;
        let version = version_numbers(&version.version);
        let before = std::mem::replace(&mut known.version, version);
        if before.is_some() && before != version {
            // Another program answers now: what was found out of the old one is no longer known.
            self.no_systemone
                .store(false, std::sync::atomic::Ordering::Relaxed);
            self.logprobs_seen().clear();
            self.systemone_seen().clear();
            known.described.clear();
        }
        let running: HashMap<String, Process> = running
            .models
            .into_iter()
            .map(|p| (full_name(&p.name), p))
            .collect();
        let loaded: HashSet<String> = running.keys().cloned().collect();
        self.contexts.forget_idle(&loaded);
        if known.described.len() > MAX_MODELS {
            known.described.clear();
        }
        let (mut asked, mut models) = (0, Vec::new());
        known.facts.clear();
        known.families.clear();
        let far = tags.models.iter().filter(|tag| tag.is_far());
        known.far = far.map(|tag| full_name(&tag.name)).collect();
        let on_offer = |tag: &Tag| self.spec.allow_cloud || !tag.is_far();
        for tag in tags.models.into_iter().filter(on_offer).take(MAX_MODELS) {
            if !known.described.contains_key(&tag.digest) && asked < MAX_ASKED_AT_ONCE {
                asked += 1;
                let question = json!({ "model": tag.name }).to_string().into();
                if let Ok(show) = self.ask::<Show>(Method::POST, "api/show", question).await {
                    known.described.insert(tag.digest.clone(), show);
                }
            }
            let show = known.described.get(&tag.digest);
            let process = running.get(&full_name(&tag.name));
            let trained = show.and_then(Show::trained_context);
            let here = process.and_then(|p| p.context_length).filter(|n| *n > 0);
            let facts = Facts {
                // No memory of this machine need be spared for a model in the cloud: it has all it was trained with.
                loaded: if tag.is_far() { trained } else { here },
                set: show.and_then(Show::set_context),
                trained,
                cuts: version.is_none_or(|version| version < REFUSES_SINCE),
            };
            let name = full_name(&tag.name);
            known.facts.insert(name.clone(), facts);
            known.families.insert(name, tag.details.family.clone());
            models.push(self.model_info(tag, show, process, &facts, version));
        }
        Ok(models)
    }

    fn model_info(
        &self,
        tag: Tag,
        show: Option<&Show>,
        process: Option<&Process>,
        facts: &Facts,
        version: Option<[u32; 3]>,
    ) -> ModelInfo {
        let given = |text: String| Some(text).filter(|text| !text.is_empty());
        let known_context = facts.trained.or(facts.loaded).or(facts.set);
        let mut capabilities = show.map_or_else(|| vec![Capability::Chat], Show::capabilities);
        // What the version promises, until an answer shows otherwise.
        let promised = version.is_some_and(|version| version >= LOGPROBS_SINCE);
        let shown = self.logprobs_seen().get(&tag.details.family).copied();
        if capabilities.contains(&Capability::Complete) {
            if shown.unwrap_or(promised) {
                capabilities.push(Capability::Logprobs);
            }
            // Without probabilities it is made to write one word.
            if !capabilities.contains(&Capability::Decide) {
                capabilities.push(Capability::Decide);
            }
        }
        let digest = tag
            .digest
            .strip_prefix("sha256:")
            .unwrap_or(&tag.digest)
            .to_owned();
        ModelInfo {
            local: !tag.is_far(),
            state: match process {
                Some(_) => ModelState::Loaded,
                None => ModelState::Available,
            },
            context_window: known_context.map(|_| self.contexts.cap(facts)),
            capabilities,
            size_bytes: tag.size,
            parameters: given(tag.details.parameter_size),
            family: given(tag.details.family),
            quantization: given(tag.details.quantization_level),
            digest: given(digest),
            memory_bytes: process.and_then(|p| p.size),
            trained_context: facts.trained,
            ..ModelInfo::named(tag.name)
        }
    }

    /// Asks a question about the server itself. What it says when it does not answer is for operators: it names the
    /// address and the cause.
    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str, body: Bytes) -> Result<T, Health> {
        let mut request = self.request(method, path, body);
        request.first_byte_timeout = Some(self.spec.status_timeout);
        request.idle_timeout = Some(self.spec.status_timeout);
        request.max_body_bytes = Some(MAX_LIST_BYTES);
        let address = self.root.address();
        let down = |error: goblin_net::NetError| Health::Down(format!("not reachable at {address}: {error}"));
        let response = self.net.send(request).await.map_err(down)?;
        match response.status {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err(Health::Refused(format!(
                    "{address} refused this server's key (HTTP {})",
                    response.status.as_u16()
                )));
            }
            status => {
                let status = status.as_u16();
                let what = format!("{address} answered HTTP {status} when asked for its models");
                return Err(Health::Broken(what));
            }
        }
        let body = response.body.collect().await.map_err(down)?;
        serde_json::from_slice(&body).map_err(|e| Health::Broken(format!("{address} is no Ollama: {e}")))
    }
}

impl Show {
    fn capabilities(&self) -> Vec<Capability> {
        // Versions before 0.6.4 do not say.
        let chats = self.capabilities.is_empty() || self.capabilities.iter().any(|c| c == "completion");
        let mut found = Vec::new();
        if chats {
            // Every chat model of every version is held to a schema by a grammar.
            found.extend([Capability::Chat, Capability::Complete, Capability::Grammar]);
        }
        found.extend(self.capabilities.iter().filter_map(|word| match word.as_str() {
            "tools" => Some(Capability::Tools),
            "vision" => Some(Capability::Vision),
            "thinking" => Some(Capability::Thinking),
            "embedding" => Some(Capability::Embed),
            // From 0.35 on: a model that only answers `/v1/systemone`.
            "decision" => Some(Capability::Decide),
            _ => None,
        }));
        found
    }

    fn set_context(&self) -> Option<u32> {
        let set = self.parameters.lines();
        set.filter_map(|line| line.trim().strip_prefix("num_ctx")?.trim().parse().ok())
            .next()
    }

    fn trained_context(&self) -> Option<u32> {
        let length = self
            .model_info
            .iter()
            .find(|(name, _)| name.ends_with(".context_length"));
        length.and_then(|(_, n)| u32::try_from(n.as_u64()?).ok())
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

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(version_numbers("0.17.4"), Some([0, 17, 4]));
        assert_eq!(version_numbers("v0.12.11-rc0"), Some([0, 12, 11]));
        assert_eq!(version_numbers("1.0"), Some([1, 0, 0]));
        assert!(version_numbers("0.9.6").unwrap() < LOGPROBS_SINCE);
        assert_eq!(version_numbers("unknown"), None);
    }
}
