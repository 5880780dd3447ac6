//! What a model is, and finding one by the name a person typed.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Something a model can do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Answers chats.
    Chat,
    /// Calls tools.
    Tools,
    /// Looks at images.
    Vision,
    /// Thinks before it answers, when asked to.
    Thinking,
    /// Continues a text without a template.
    Complete,
    /// Reports token log-probabilities.
    Logprobs,
    /// Answers typed questions with probabilities.
    Decide,
    /// Makes embeddings.
    Embed,
    /// Holds itself to a JSON schema or grammar.
    Grammar,
}

/// Is the model ready?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelState {
    /// In memory.
    Loaded,
    /// On its way into memory.
    Loading,
    /// Known, not in memory (or the upstream does not say).
    Available,
    /// Its provider does not answer.
    Down,
}

/// A model a provider offers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// The name its provider knows it by.
    pub name: String,
    /// Readiness.
    pub state: ModelState,
    /// Tokens of prompt and answer together, when known.
    pub context_window: Option<u32>,
    /// What it can do now.
    pub capabilities: Vec<Capability>,
    /// Bytes of the weights, when known.
    pub size_bytes: Option<u64>,
    /// For example `135M`, when known.
    pub parameters: Option<String>,
    /// A small model that only shows that everything works.
    pub starter: bool,
    /// The architecture's family, for example `llama`, when known.
    #[serde(default)]
    pub family: Option<String>,
    /// For example `Q4_K_M`, when known.
    #[serde(default)]
    pub quantization: Option<String>,
    /// The content's digest, 64 hexadecimal digits, when known.
    #[serde(default)]
    pub digest: Option<String>,
    /// Bytes it takes in memory now, when it is loaded and known.
    #[serde(default)]
    pub memory_bytes: Option<u64>,
    /// Answers this model can generate at once, when that is known of the model rather than of its provider.
    #[serde(default)]
    pub slots: Option<u32>,
    /// The model the file was trained with can hold this many tokens, when known; what it is run with is
    /// [`Self::context_window`].
    #[serde(default)]
    pub trained_context: Option<u32>,
}

impl ModelInfo {
    /// A model of which only the name is known, and that it answers chats.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            state: ModelState::Available,
            context_window: None,
            capabilities: vec![Capability::Chat],
            size_bytes: None,
            parameters: None,
            starter: false,
            family: None,
            quantization: None,
            digest: None,
            memory_bytes: None,
            slots: None,
            trained_context: None,
        }
    }

    /// Can the model do `capability` now?
    pub fn can(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }
}

/// The name nearest to `wanted`, for "did you mean". `None` when nothing is alike.
pub fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&wanted, &name.to_lowercase()), name))
        .filter(|(score, _)| *score > 0.65)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// A model worth fetching for a machine with some memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BetterModel {
    /// Name and quantisation, as published.
    pub name: &'static str,
    /// File name of the GGUF.
    pub file: &'static str,
    /// Where it is published (a Hugging Face repository id).
    pub repository: &'static str,
    /// The licence its makers published it under.
    pub licence: &'static str,
    /// Memory it wants with a 4K context, in bytes (weights + context + working space).
    pub needs_bytes: u64,
}

const GIB: u64 = 1 << 30;

/// Candidates, best first, only such that may be used for anything. Sizes: file size of the quantisation named, plus a 4K context, rounded up.
const BETTER: [BetterModel; 3] = [
    BetterModel {
        name: "Mistral-7B-Instruct-v0.3 Q4_K_M",
        file: "Mistral-7B-Instruct-v0.3-Q4_K_M.gguf",
        repository: "bartowski/Mistral-7B-Instruct-v0.3-GGUF",
        licence: "Apache-2.0",
        needs_bytes: 6 * GIB,
    },
    BetterModel {
        name: "Phi-3.5-mini-instruct Q4_K_M",
        file: "Phi-3.5-mini-instruct-Q4_K_M.gguf",
        repository: "bartowski/Phi-3.5-mini-instruct-GGUF",
        licence: "MIT",
        needs_bytes: 4 * GIB,
    },
    BetterModel {
        name: "Qwen2.5-1.5B-Instruct Q4_K_M",
        file: "Qwen2.5-1.5B-Instruct-Q4_K_M.gguf",
        repository: "bartowski/Qwen2.5-1.5B-Instruct-GGUF",
        licence: "Apache-2.0",
        needs_bytes: 3 * GIB / 2,
    },
];

/// The best known model that leaves half of this machine's memory to everything else.
pub fn better_model_for(memory_bytes: u64) -> Option<&'static BetterModel> {
    BETTER.iter().find(|m| m.needs_bytes <= memory_bytes / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_named() {
        let known = ["engine/smollm2-135m-instruct", "ollama/mistral:7b"];
        assert_eq!(
            nearest("engine/smolm2", known),
            Some("engine/smollm2-135m-instruct")
        );
        assert_eq!(nearest("ollama/mistral", known), Some("ollama/mistral:7b"));
        assert_eq!(nearest("zzzz", known), None);
    }

    #[test]
    fn the_suggestion_fits_in_half_the_memory() {
        assert_eq!(better_model_for(24 * GIB).map(|m| m.needs_bytes), Some(6 * GIB));
        assert_eq!(better_model_for(8 * GIB).map(|m| m.needs_bytes), Some(4 * GIB));
        assert_eq!(
            better_model_for(4 * GIB).map(|m| m.name),
            Some("Qwen2.5-1.5B-Instruct Q4_K_M")
        );
        assert_eq!(better_model_for(GIB), None);
    }
}
