//! `GET /api/tags`, `/api/ps`, `/api/version` and `POST /api/show`, written; embeddings, written.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::clock::Timestamp;
use crate::embed::EmbedResponse;
use crate::model::{Capability, ModelInfo, ModelState};
use crate::wire::openai::embeddings::vector_json;

/// Go's zero time: how Ollama's clients read "not known".
const NOT_KNOWN: &str = "0001-01-01T00:00:00Z";

fn details(info: &ModelInfo) -> Value {
    let family = info.family.as_deref().unwrap_or_default();
    let families: Vec<&str> = info.family.as_deref().into_iter().collect();
    json!({
        "parent_model": "",
        "format": "gguf",
        "family": family,
        "families": families,
        "parameter_size": info.parameters.as_deref().unwrap_or_default(),
        "quantization_level": info.quantization.as_deref().unwrap_or_default(),
    })
}

/// `{"models": [...]}`: what there is. A model's name is [`ModelInfo::name`]; when it was changed is not known.
pub fn tags_body<'a>(models: impl IntoIterator<Item = &'a ModelInfo>) -> Value {
    let one = |info: &ModelInfo| {
        json!({
            "name": info.name,
            "model": info.name,
            "modified_at": NOT_KNOWN,
            "size": info.size_bytes.unwrap_or(0),
            "digest": info.digest.as_deref().unwrap_or_default(),
            "details": details(info),
        })
    };
    json!({"models": models.into_iter().map(one).collect::<Vec<Value>>()})
}

/// `{"models": [...]}`: what is in memory, and when it will leave it where that is known. Models that are not loaded
/// are left out. How much of a model is in video memory is not known and said as 0.
pub fn ps_body<'a>(models: impl IntoIterator<Item = (&'a ModelInfo, Option<Timestamp>)>) -> Value {
    let one = |(info, expires): (&ModelInfo, Option<Timestamp>)| {
        json!({
            "name": info.name,
            "model": info.name,
            "size": info.memory_bytes.or(info.size_bytes).unwrap_or(0),
            "digest": info.digest.as_deref().unwrap_or_default(),
            "details": details(info),
            "expires_at": expires.map_or_else(|| NOT_KNOWN.to_owned(), Timestamp::to_rfc3339),
            "size_vram": 0,
            "context_length": info.context_window.unwrap_or(0),
        })
    };
    let loaded = models
        .into_iter()
        .filter(|(info, _)| info.state == ModelState::Loaded);
    json!({"models": loaded.map(one).collect::<Vec<Value>>()})
}

/// A model described from what is known of it. Template, licence and parameters are not.
pub fn show_body(info: &ModelInfo) -> Value {
    let family = info.family.as_deref().unwrap_or("unknown");
    let mut model_info = Map::new();
    if info.family.is_some() {
        model_info.insert("general.architecture".to_owned(), family.into());
    }
    if let Some(tokens) = info.trained_context.or(info.context_window) {
        model_info.insert(format!("{family}.context_length"), tokens.into());
    }
    let capabilities: Vec<&str> = info.capabilities.iter().filter_map(|c| word(*c)).collect();
    json!({
        "modelfile": "",
        "parameters": "",
        "template": "",
        "details": details(info),
        "model_info": model_info,
        "capabilities": capabilities,
        "modified_at": NOT_KNOWN,
    })
}

/// Ollama's word for an ability, where it has one.
fn word(capability: Capability) -> Option<&'static str> {
    match capability {
        Capability::Chat => Some("completion"),
        Capability::Tools => Some("tools"),
        Capability::Vision => Some("vision"),
        Capability::Thinking => Some("thinking"),
        Capability::Embed => Some("embedding"),
        Capability::Decide => Some("decision"),
        Capability::Complete | Capability::Logprobs | Capability::Grammar | Capability::Files => None,
    }
}

/// `{"version": …}`.
pub fn version_body(version: &str) -> Value {
    json!({ "version": version })
}

/// The answer of `POST /api/embed`, or with `legacy` of `/api/embeddings`, which took `total`.
pub fn embed_body(model: &str, response: &EmbedResponse, legacy: bool, total: Duration) -> Value {
    let vectors: Vec<Value> = response.vectors.iter().map(|v| vector_json(v)).collect();
    if legacy {
        let first = vectors.into_iter().next();
        return json!({"embedding": first.unwrap_or_else(|| json!([]))});
    }
    json!({
        "model": model,
        "embeddings": vectors,
        "total_duration": u64::try_from(total.as_nanos()).unwrap_or(u64::MAX),
        "load_duration": 0,
        "prompt_eval_count": response.prompt_tokens,
    })
}
