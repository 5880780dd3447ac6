//! What a model is, and finding one by the name a person typed.

use std::time::Duration;

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
    /// Reads PDF files as they are.
    Files,
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
    /// Does it run on its provider's own side? Not so a model that an Ollama only hands on to Ollama's cloud, or one
    /// that a model tier has from a server elsewhere: what it is asked leaves the operator's machines, wherever its
    /// provider stands. Only [`Self::stays_local`] may judge by it.
    #[serde(default = "yes")]
    pub local: bool,
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
    /// Measured tokens per second of one answer of this model, when that is known of the model rather than of its
    /// provider.
    #[serde(default)]
    pub decode_tokens_per_second: Option<f64>,
    /// Measured prompt tokens per second, likewise.
    #[serde(default)]
    pub prefill_tokens_per_second: Option<f64>,
    /// The queue its provider keeps for this model, when the provider serves others beside us and says so.
    #[serde(default)]
    pub queue: Option<QueueReport>,
}

/// What a field says where a server does not say it.
pub(crate) fn yes() -> bool {
    true
}

/// What a provider says of its own queue in front of a model. Others may stand in it beside us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueReport {
    /// Answers being made there, for everybody.
    pub running: u32,
    /// Requests waiting there, of everybody.
    pub queued: u32,
    /// Of both: those this process had there when it asked, so that they are not counted twice.
    pub ours: u32,
    /// How long a newcomer would wait there for a place.
    pub wait: Duration,
    /// From a place there to the first token of a usual prompt; absent when not known there.
    pub first_token: Option<Duration>,
    /// There and back: what an answer takes at least, however idle the provider is.
    pub way: Duration,
    /// How old the report is.
    pub age: Duration,
}

impl QueueReport {
    /// The wait of a newcomer now, when `ours_now` requests of this process are there (or go ahead of it) and each
    /// holds one of `places` for `hold`: what was reported, less the time since, more or less by what we sent since
    /// or got back.
    pub fn wait_now(&self, ours_now: u32, places: u32, hold: Duration) -> Duration {
        let places = places.max(1);
        let reported = self.wait.saturating_sub(self.age);
        let step = hold / places;
        if ours_now >= self.ours {
            let free = places.saturating_sub(self.running.saturating_add(self.queued));
            let more = (ours_now - self.ours)
                .saturating_add(1)
                .saturating_sub(free.max(1));
            reported.saturating_add(step.saturating_mul(more))
        } else {
            reported.saturating_sub(step.saturating_mul(self.ours - ours_now))
        }
    }

    /// Everybody's requests there now, when `ours_now` of them are ours.
    pub fn there(&self, ours_now: u32) -> u32 {
        let others = self.running.saturating_add(self.queued).saturating_sub(self.ours);
        others.saturating_add(ours_now)
    }
}

impl ModelInfo {
    /// A model of which only the name is known, and that it answers chats.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            local: true,
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
            decode_tokens_per_second: None,
            prefill_tokens_per_second: None,
            queue: None,
        }
    }

    /// Does what the model is asked stay on the operator's machines? `provider_local` says whether its provider is one
    /// of them. This is the one place where that is decided: routing, traces, usage, lists and the page all ask here.
    pub fn stays_local(&self, provider_local: bool) -> bool {
        provider_local && self.local
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
    fn only_a_local_model_of_a_local_provider_stays_on_the_operators_machines() {
        let model = |local| ModelInfo {
            local,
            ..ModelInfo::named("m")
        };
        for (provider_local, model_local) in [(true, true), (true, false), (false, true), (false, false)] {
            let stays = model(model_local).stays_local(provider_local);
            assert_eq!(stays, provider_local && model_local);
        }
        assert!(ModelInfo::named("m").local, "unless somebody says otherwise");
    }

    #[test]
    fn a_report_is_corrected_by_what_we_did_since() {
        let s = Duration::from_secs;
        let report = |running, queued, ours, wait| QueueReport {
            running,
            queued,
            ours,
            wait: s(wait),
            age: s(1),
            ..QueueReport::default()
        };
        let hold = s(4);
        for (what, report, ours_now, places, wait) in [
            ("nobody there", report(0, 0, 0, 0), 0, 2, 0),
            ("one place is left for us", report(1, 0, 0, 0), 0, 2, 0),
            ("we took it since", report(1, 0, 0, 0), 1, 2, 2),
            ("others fill it", report(2, 0, 0, 5), 0, 2, 4),
            ("ours are in the report already", report(2, 1, 3, 5), 3, 2, 4),
            ("we sent another since", report(2, 1, 1, 5), 2, 2, 6),
            ("one of ours ended since", report(2, 1, 1, 5), 0, 2, 2),
            ("all of it ended", report(1, 0, 1, 2), 0, 1, 0),
        ] {
            assert_eq!(report.wait_now(ours_now, places, hold), s(wait), "{what}");
        }
        assert_eq!(report(2, 3, 1, 0).there(2), 6);
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
