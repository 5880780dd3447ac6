//! `GET /v1/models`: our list written, an upstream's list read.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::model::{Capability, ModelInfo, ModelState};

/// One model as the list shows it.
#[derive(Clone, Copy, Debug)]
pub struct ModelEntry<'a> {
    /// The name to ask for.
    pub id: &'a str,
    /// Who offers it (`owned_by`).
    pub provider: &'a str,
    /// Does what it is asked stay on the operator's machines?
    pub local: bool,
    /// What is known of it.
    pub info: &'a ModelInfo,
}

/// What a model tier says of itself beside its models. In the list's field `goblin`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ListExtras {
    /// Answers it can generate at once.
    #[serde(default)]
    pub slots: Option<u32>,
    /// Of those, free now.
    #[serde(default)]
    pub free_slots: Option<u32>,
    /// Measured tokens per second of one stream.
    #[serde(default)]
    pub decode_tokens_per_second: Option<f64>,
    /// Measured prompt tokens per second.
    #[serde(default)]
    pub prefill_tokens_per_second: Option<f64>,
}

/// An upstream's list, read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListedModels {
    /// Its models, in its order.
    pub models: Vec<ModelInfo>,
    /// What it says of itself; empty for servers that are not of our kind.
    pub extras: ListExtras,
}

/// The `goblin` object of a model: what OpenAI's shape has no field for.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct GoblinModel {
    #[serde(default)]
    local: bool,
    #[serde(default = "available")]
    state: ModelState,
    #[serde(default)]
    context_window: Option<u32>,
    // As words, so that a capability a newer tier knows does not make its whole list unreadable.
    #[serde(default)]
    capabilities: Vec<Value>,
    #[serde(default)]
    size_bytes: Option<u64>,
    #[serde(default)]
    parameters: Option<String>,
    #[serde(default)]
    starter: bool,
}

fn available() -> ModelState {
    ModelState::Available
}

/// One model in OpenAI's shape, with our `goblin` object. `created` is 0: a model file's age is not known.
pub fn model_object(entry: &ModelEntry<'_>) -> Value {
    let info = entry.info;
    let goblin = GoblinModel {
        local: entry.local,
        state: info.state,
        context_window: info.context_window,
        capabilities: info
            .capabilities
            .iter()
            .filter_map(|c| serde_json::to_value(c).ok())
            .collect(),
        size_bytes: info.size_bytes,
        parameters: info.parameters.clone(),
        starter: info.starter,
    };
    json!({"id": entry.id, "object": "model", "created": 0, "owned_by": entry.provider, "goblin": goblin})
}

/// `{"object": "list", "data": [...]}`, with `extras` in a field `goblin` when given.
pub fn model_list(entries: &[ModelEntry<'_>], extras: Option<&ListExtras>) -> Value {
    let data: Vec<Value> = entries.iter().map(model_object).collect();
    let mut list = json!({"object": "list", "data": data});
    if let Some(extras) = extras {
        list["goblin"] = json!(extras);
    }
    list
}

#[derive(Deserialize)]
struct List {
    data: Vec<Item>,
    // llama.cpp's server repeats its models here, with capabilities.
    #[serde(default)]
    models: Vec<LlamaItem>,
    #[serde(default)]
    goblin: Option<ListExtras>,
}

#[derive(Deserialize)]
struct Item {
    id: String,
    #[serde(default)]
    meta: Option<Meta>,
    #[serde(default)]
    max_model_len: Option<u32>,
    #[serde(default)]
    goblin: Option<GoblinModel>,
}

/// llama.cpp's description of the loaded file.
#[derive(Deserialize)]
struct Meta {
    #[serde(default)]
    n_ctx: Option<u32>,
    #[serde(default)]
    n_ctx_train: Option<u32>,
    #[serde(default)]
    n_params: Option<u64>,
    #[serde(default)]
    size: Option<u64>,
}

#[derive(Deserialize)]
struct LlamaItem {
    #[serde(default)]
    name: String,
    #[serde(default)]
    capabilities: Vec<String>,
}

/// Reads an upstream's list of models. What the upstream does not say is assumed: every model answers chats and
/// calls tools, unless its name says that it makes embeddings.
///
/// # Errors
/// A sentence for operators when it is not such a list.
pub fn parse_model_list(bytes: &[u8]) -> Result<ListedModels, String> {
    let list: List =
        serde_json::from_slice(bytes).map_err(|e| format!("its list of models cannot be read: {e}"))?;
    let models = list
        .data
        .iter()
        .map(|item| read_item(item, &list.models))
        .collect();
    Ok(ListedModels {
        models,
        extras: list.goblin.unwrap_or_default(),
    })
}

fn read_item(item: &Item, llama: &[LlamaItem]) -> ModelInfo {
    if let Some(goblin) = &item.goblin {
        return ModelInfo {
            local: goblin.local,
            state: goblin.state,
            context_window: goblin.context_window,
            capabilities: goblin
                .capabilities
                .iter()
                .filter_map(|c| Capability::deserialize(c).ok())
                .collect(),
            size_bytes: goblin.size_bytes,
            parameters: goblin.parameters.clone(),
            starter: goblin.starter,
            ..ModelInfo::named(item.id.clone())
        };
    }
    let meta = item.meta.as_ref();
    let mut capabilities = match item.id.to_lowercase().contains("embed") {
        true => vec![Capability::Embed],
        false => vec![Capability::Chat, Capability::Tools],
    };
    if meta.is_some() && capabilities.contains(&Capability::Chat) {
        capabilities.extend([Capability::Logprobs, Capability::Grammar]);
    }
    if llama
        .iter()
        .any(|l| l.name == item.id && l.capabilities.iter().any(|c| c == "multimodal"))
    {
        capabilities.push(Capability::Vision);
    }
    ModelInfo {
        state: if meta.is_some() {
            ModelState::Loaded
        } else {
            ModelState::Available
        },
        context_window: meta
            .and_then(|m| m.n_ctx.or(m.n_ctx_train))
            .or(item.max_model_len),
        capabilities,
        size_bytes: meta.and_then(|m| m.size),
        parameters: meta.and_then(|m| m.n_params).map(short_count),
        ..ModelInfo::named(item.id.clone())
    }
}

/// `135M`, `7.2B`.
pub(in crate::wire) fn short_count(n: u64) -> String {
    match n {
        1_000_000_000.. => format!("{:.1}B", n as f64 / 1e9).replace(".0B", "B"),
        1_000_000.. => format!("{}M", (n as f64 / 1e6).round()),
        _ => n.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_we_wrote_is_read_back_whole() {
        let info = ModelInfo {
            state: ModelState::Loaded,
            context_window: Some(2048),
            capabilities: vec![Capability::Chat, Capability::Decide],
            size_bytes: Some(98_362_432),
            parameters: Some("135M".into()),
            starter: true,
            ..ModelInfo::named("smol")
        };
        let entry = ModelEntry {
            id: "smol",
            provider: "engine",
            local: true,
            info: &info,
        };
        let extras = ListExtras {
            slots: Some(4),
            free_slots: Some(3),
            ..ListExtras::default()
        };
        let list = model_list(&[entry], Some(&extras));
        assert_eq!(list["data"][0]["owned_by"], "engine");
        let read = parse_model_list(list.to_string().as_bytes()).unwrap();
        assert_eq!(
            read,
            ListedModels {
                models: vec![info],
                extras
            }
        );
    }

    #[test]
    fn a_model_whose_questions_leave_the_tiers_machines_is_not_read_as_local() {
        let info = ModelInfo {
            local: false,
            ..ModelInfo::named("gpt-oss:120b-cloud")
        };
        let entry = |local| ModelEntry {
            id: &info.name,
            provider: "ollama",
            local,
            info: &info,
        };
        for local in [false, true] {
            let list = model_list(&[entry(local)], None);
            assert_eq!(list["data"][0]["goblin"]["local"], local);
            let read = parse_model_list(list.to_string().as_bytes()).unwrap();
            assert_eq!(read.models[0].local, local);
        }
        let unsaid = br#"{"data":[{"id":"m","goblin":{}},{"id":"n"}]}"#;
        let read: Vec<bool> = parse_model_list(unsaid)
            .unwrap()
            .models
            .iter()
            .map(|m| m.local)
            .collect();
        assert_eq!(
            read,
            [false, true],
            "a goblin says it; of others their setting does"
        );
    }

    #[test]
    fn a_capability_of_a_newer_tier_is_passed_over() {
        let list = br#"{"data":[{"id":"m","goblin":{"capabilities":["chat","telepathy"],"new":1}}]}"#;
        let read = parse_model_list(list).unwrap();
        assert_eq!(read.models[0].capabilities, [Capability::Chat]);
        assert_eq!(read.models[0].state, ModelState::Available);
    }

    #[test]
    fn llama_cpp_and_ollama_and_vllm_are_read() {
        let llama = br#"{"models":[{"name":"g","capabilities":["completion","multimodal"]}],"object":"list",
            "data":[{"id":"g","object":"model","created":1,"owned_by":"llamacpp",
            "meta":{"vocab_type":2,"n_ctx_train":8192,"n_params":134515008,"size":98000000}}]}"#;
        let read = parse_model_list(llama).unwrap().models.remove(0);
        assert_eq!(
            (read.context_window, read.parameters.as_deref()),
            (Some(8192), Some("135M"))
        );
        assert!(read.can(Capability::Vision) && read.state == ModelState::Loaded);
        let ollama =
            br#"{"object":"list","data":[{"id":"mistral:7b","object":"model"},{"id":"nomic-embed-text"}]}"#;
        let read = parse_model_list(ollama).unwrap().models;
        assert!(
            read[0].can(Capability::Chat) && !read[1].can(Capability::Chat) && read[1].can(Capability::Embed)
        );
        let vllm = br#"{"data":[{"id":"q","max_model_len":32768}]}"#;
        assert_eq!(
            parse_model_list(vllm).unwrap().models[0].context_window,
            Some(32768)
        );
        assert!(
            parse_model_list(b"<html>")
                .unwrap_err()
                .contains("cannot be read")
        );
    }
}
