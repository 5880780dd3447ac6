//! How the models are, in the provider's words and in Ollama's.

use std::sync::Arc;

use goblin_core::clock::Timestamp;
use goblin_core::model::{ModelInfo, ModelState};
use goblin_core::provider::{Health, ProviderError, ProviderStatus};
use goblin_core::wire::ollama::show_body;
use serde_json::{Map, Value, json};

use super::house::{House, Model, Stage, State, unknown};
use crate::engine::Engine;
use crate::gguf::GgufInfo;
use crate::handle::{capabilities, loading};
use crate::options::EnginePlan;

impl House {
    /// How everything is.
    pub(super) fn status(&self) -> ProviderStatus {
        let now = self.now();
        let state = self.lock();
        let mut listed: Vec<&Model> = state.models.iter().filter(|m| m.listed).collect();
        let is_default = |m: &Model| state.default.as_deref() == Some(m.name());
        listed.sort_by_key(|m| (!is_default(m), !matches!(m.stage, Stage::In(_))));
        let there: Vec<&Arc<Engine>> = state.models.iter().filter_map(in_memory).collect();
        let latest = state.models.iter().filter(|m| in_memory(m).is_some());
        let latest = latest.max_by_key(|m| m.used).and_then(in_memory);
        let places = there.iter().map(|e| e.plan().sequences).sum::<u32>();
        let free = |e: &&Arc<Engine>| u32::try_from(e.shared().chat_places.available_permits()).unwrap_or(0);
        let models: Vec<ModelInfo> = listed.iter().map(|m| self.info(m, now)).collect();
        let is_usable = models.iter().any(|m| m.state != ModelState::Down);
        ProviderStatus {
            health: health(&state, &listed, now, is_usable),
            models,
            slots: Some(places.max(self.sequences())),
            free_slots: Some(there.iter().map(free).sum()),
            decode_tokens_per_second: latest.and_then(|e| e.shared().counting.decode_rate()),
            prefill_tokens_per_second: latest.and_then(|e| e.shared().counting.prefill_rate()),
        }
    }

    fn sequences(&self) -> u32 {
        self.options
            .sequences
            .unwrap_or(crate::options::DEFAULT_SEQUENCES)
    }

    fn info(&self, model: &Model, now: Timestamp) -> ModelInfo {
        let offer = &model.entry.offer;
        let state = match &model.stage {
            // Its thread is on its way out.
            Stage::Leaves if model.failed.is_some() => ModelState::Down,
            Stage::In(_) | Stage::Leaves => ModelState::Loaded,
            Stage::Begins | Stage::Loading { .. } => ModelState::Loading,
            Stage::Out if model.problem(now).is_some() => ModelState::Down,
            Stage::Out => ModelState::Available,
        };
        let named = ModelInfo {
            state,
            capabilities: Vec::new(),
            starter: offer.starter,
            digest: offer.digest.clone(),
            slots: Some(self.sequences()),
            ..ModelInfo::named(offer.name.clone())
        };
        let Some(facts) = known(model) else { return named };
        ModelInfo {
            context_window: plan(model).map(|p| p.context_tokens),
            capabilities: capabilities(&facts.info, facts.tools),
            size_bytes: Some(facts.info.file_bytes),
            parameters: Some(facts.info.parameters.clone()),
            family: Some(facts.info.architecture.clone()),
            quantization: facts.info.quantisation.map(str::to_owned),
            memory_bytes: in_memory(model).and_then(|_| model.held_bytes()),
            slots: plan(model).map(|p| p.sequences).or(named.slots),
            trained_context: facts.info.context_length,
            ..named
        }
    }

    /// A model in the words of Ollama's `show`. Its tensors and tokens are not told.
    ///
    /// # Errors
    /// When it is not on offer.
    pub(super) fn describe(&self, name: &str) -> Result<Map<String, Value>, ProviderError> {
        let now = self.now();
        let state = self.lock();
        let model = state
            .find(name)
            .filter(|m| m.listed)
            .ok_or_else(|| unknown(name))?;
        let mut told = match show_body(&self.info(model, now)) {
            Value::Object(told) => told,
            _ => Map::new(),
        };
        let Some(facts) = known(model) else {
            return Ok(told);
        };
        let info = &facts.info;
        told.insert(
            "template".to_owned(),
            info.chat_template.as_deref().unwrap_or("").into(),
        );
        told.insert("model_info".to_owned(), model_info(info).into());
        if let Some(plan) = plan(model) {
            told.insert(
                "parameters".to_owned(),
                format!("num_ctx {}", plan.context_tokens).into(),
            );
        }
        Ok(told)
    }
}

fn known(model: &Model) -> Option<&super::catalogue::Facts> {
    model.entry.facts.as_deref().ok()
}

fn in_memory(model: &Model) -> Option<&Arc<Engine>> {
    match &model.stage {
        Stage::In(engine) => Some(engine),
        _ => None,
    }
}

/// How it is run, or would be.
fn plan(model: &Model) -> Option<EnginePlan> {
    let planned = || model.plan.as_ref().and_then(|p| p.as_ref().ok()).copied();
    model.engine().map(|e| e.plan()).or_else(planned)
}

fn health(state: &State, listed: &[&Model], now: Timestamp, is_usable: bool) -> Health {
    if state.stopping {
        return Health::Down("the engine was shut down".to_owned());
    }
    if let Some(name) = &state.starting {
        let engine = state.find(name).and_then(Model::engine);
        return Health::Starting(match engine {
            Some(engine) => loading(engine.shared()),
            None => format!("{name} is loading"),
        });
    }
    if is_usable || listed.is_empty() {
        return Health::Ok;
    }
    let first = listed.iter().find_map(|m| m.problem(now));
    Health::Down(state.problem.clone().or(first).unwrap_or_default())
}

fn model_info(info: &GgufInfo) -> Map<String, Value> {
    let family = &info.architecture;
    let mut out = Map::new();
    let mut put = |key: String, value: Value| out.insert(key, value);
    put("general.architecture".to_owned(), family.as_str().into());
    put("general.parameter_count".to_owned(), info.parameter_count.into());
    if let Some(name) = &info.name {
        put("general.basename".to_owned(), name.as_str().into());
    }
    if let Some(tokens) = info.context_length {
        put(format!("{family}.context_length"), tokens.into());
    }
    put(format!("{family}.block_count"), info.layers.into());
    put(format!("{family}.embedding_length"), info.embedding_length.into());
    put("tokenizer.ggml.tokens".to_owned(), json!(null));
    out
}
