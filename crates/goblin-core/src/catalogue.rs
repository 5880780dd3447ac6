//! What is known of models elsewhere before anybody is asked: what they hold, what they can do and what they cost.
//!
//! The data is a trimmed part of LiteLLM's list (MIT; its notice is in `catalogue/LICENSE.litellm`). Prices are whole
//! nano-dollars for a million tokens.

mod trim;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use crate::event::Usage;
use crate::model::{Capability, ModelInfo};

/// The list this version was built with.
const EMBEDDED: &str = include_str!("catalogue/models.json");
/// Most models of a list.
const MAX_MODELS: usize = 20_000;

/// Nano-dollars for a million tokens.
pub type NanoDollars = u64;

/// One model as the list has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// `provider/model`.
    pub id: String,
    /// A million tokens of the prompt.
    pub input: NanoDollars,
    /// A million tokens of the prompt that were in the provider's cache; absent: as others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<NanoDollars>,
    /// A million tokens of the answer.
    pub output: NanoDollars,
    /// A million tokens of reasoning; absent: as others of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<NanoDollars>,
    /// What longer prompts cost, for all of their tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<Above>,
    /// Tokens the prompt may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<u32>,
    /// Most tokens of an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<u32>,
    /// What it can do, as words: see [`Entry::can`].
    #[serde(default)]
    pub can: String,
    /// The day its maker ends it (`2026-12-11`), when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// The prices of prompts with more than so many tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Above {
    /// Prompts of more tokens than this.
    pub tokens: u32,
    /// A million tokens of the prompt.
    pub input: NanoDollars,
    /// A million cached tokens of the prompt; absent: as others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<NanoDollars>,
    /// A million tokens of the answer.
    pub output: NanoDollars,
}

impl Entry {
    /// Is `word` among what it can do? `chat`, `embed`, `vision`, `files` (reads PDFs), `tools`, `schema`, `reasoning`; the words of
    /// `reasoning_effort` it knows beside low, medium and high (`none`, `minimal`, `xhigh`, `max`); `adaptive` (thinks as
    /// much as it finds right), `always_thinks`; `fixed_sampling` (takes no temperature and the like).
    pub fn can(&self, word: &str) -> bool {
        self.can.split(' ').any(|w| w == word)
    }

    /// What so much of it costs, in nano-dollars, rounded up.
    pub fn cost(&self, usage: &Usage) -> u64 {
        let above = self.above.filter(|a| usage.prompt_tokens > a.tokens);
        let (input, cached, output) = match above {
            Some(a) => (a.input, a.cached.unwrap_or(a.input), a.output),
            None => (self.input, self.cached.unwrap_or(self.input), self.output),
        };
        let reasoning = self.reasoning.filter(|_| above.is_none()).unwrap_or(output);
        let from_cache = usage.cached_tokens.min(usage.prompt_tokens);
        let thought = usage.reasoning_tokens.min(usage.completion_tokens);
        let of = |tokens: u32, price: u64| u128::from(tokens) * u128::from(price);
        let sum = of(usage.prompt_tokens - from_cache, input)
            + of(from_cache, cached)
            + of(usage.completion_tokens - thought, output)
            + of(thought, reasoning);
        u64::try_from(sum.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }

    /// The model as a provider offers it.
    pub fn info(&self, name: &str) -> ModelInfo {
        let words = [
            ("chat", Capability::Chat),
            ("tools", Capability::Tools),
            ("vision", Capability::Vision),
            ("files", Capability::Files),
            ("reasoning", Capability::Thinking),
            ("schema", Capability::Grammar),
            ("embed", Capability::Embed),
        ];
        let known = words.iter().filter(|(word, _)| self.can(word));
        ModelInfo {
            context_window: self.context,
            capabilities: known.map(|(_, capability)| *capability).collect(),
            ..ModelInfo::named(name)
        }
    }
}

/// The list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalogue {
    /// Where it is from.
    pub from: String,
    /// The day it was made (`2026-11-20`).
    pub as_of: String,
    models: HashMap<String, Entry>,
}

/// The list as a file has it.
#[derive(Serialize, Deserialize)]
struct File {
    from: String,
    as_of: String,
    models: Vec<Entry>,
}

impl Catalogue {
    /// The list this version was built with.
    pub fn embedded() -> &'static Arc<Self> {
        static LIST: OnceLock<Arc<Catalogue>> = OnceLock::new();
        // A test reads it; a build whose list could not be read would know no model.
        LIST.get_or_init(|| Arc::new(Self::read(EMBEDDED.as_bytes()).unwrap_or_default()))
    }

    /// Reads a list.
    ///
    /// # Errors
    /// A sentence when it is none.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let file: File =
            serde_json::from_slice(bytes).map_err(|e| format!("it is no list of models and prices: {e}"))?;
        if file.models.len() > MAX_MODELS {
            return Err(format!("it has more than {MAX_MODELS} models"));
        }
        let models = file.models.into_iter().map(|entry| (entry.id.clone(), entry));
        Ok(Self {
            from: file.from,
            as_of: file.as_of,
            models: models.collect(),
        })
    }

    /// The list as [`Self::read`] takes it, a line for each model.
    pub fn to_text(&self) -> String {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let lines: Vec<String> = self
            .all()
            .iter()
            .filter_map(|entry| serde_json::to_string(entry).ok())
            .collect();
        format!(
            "{{\"from\": {}, \"as_of\": {}, \"models\": [\n{}\n]}}\n",
            quoted(&self.from),
            quoted(&self.as_of),
            lines.join(",\n")
        )
    }

    /// The entry of a model; a dated version of one has its price and its abilities (`gpt-5-2025-08-07`,
    /// `claude-sonnet-4-5-20250929`).
    pub fn find(&self, provider: &str, model: &str) -> Option<&Entry> {
        let of = |name: &str| self.models.get(&format!("{provider}/{name}"));
        of(model).or_else(|| of(undated(model)?))
    }

    /// [`Self::find`] by `provider/model`.
    pub fn find_id(&self, id: &str) -> Option<&Entry> {
        let (provider, model) = id.split_once('/')?;
        self.find(provider, model)
    }

    /// Every entry of a provider, by name.
    pub fn of_provider(&self, provider: &str) -> Vec<&Entry> {
        let inside = |entry: &&Entry| entry.id.split_once('/').is_some_and(|(p, _)| p == provider);
        let mut found: Vec<&Entry> = self.models.values().filter(inside).collect();
        found.sort_by(|a, b| a.id.cmp(&b.id));
        found
    }

    /// Every entry, by name.
    pub fn all(&self) -> Vec<&Entry> {
        let mut all: Vec<&Entry> = self.models.values().collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }
}

/// The name without a day at its end.
fn undated(model: &str) -> Option<&str> {
    let digits = |text: &str, count| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    let (stem, last) = model.rsplit_once('-')?;
    if digits(last, 8) {
        return Some(stem);
    }
    let (stem, month) = stem.rsplit_once('-')?;
    let (stem, year) = stem.rsplit_once('-')?;
    (digits(last, 2) && digits(month, 2) && digits(year, 4)).then_some(stem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maker::Maker;

    #[test]
    fn the_embedded_list_is_read_whole_and_knows_models_of_every_maker() {
        let list = Catalogue::read(EMBEDDED.as_bytes()).unwrap();
        for maker in Maker::ALL {
            let of = list.of_provider(maker.id());
            assert!(of.iter().any(|e| e.can("chat")), "{maker:?}");
        }
        assert!(list.as_of.as_str() > "2026" && list.from.contains("MIT"));
        let known = [
            "chat",
            "embed",
            "vision",
            "files",
            "tools",
            "schema",
            "reasoning",
            "none",
            "minimal",
            "xhigh",
            "max",
            "adaptive",
            "always_thinks",
            "fixed_sampling",
            "",
        ];
        for entry in list.all() {
            assert!(entry.can.split(' ').all(|w| known.contains(&w)), "{entry:?}");
            // A cached token never costs more than another, a million of them never more than ten thousand dollars.
            assert!(entry.cached.unwrap_or(0) <= entry.input, "{entry:?}");
            assert!(entry.output < 10_000_000_000_000, "{entry:?}");
        }
    }

    #[test]
    fn a_dated_version_is_the_model_it_is_a_version_of() {
        let list = Catalogue::embedded();
        assert_eq!(undated("gpt-5-2025-08-07"), Some("gpt-5"));
        assert_eq!(undated("claude-sonnet-4-5-20250929"), Some("claude-sonnet-4-5"));
        assert_eq!(undated("gpt-5-mini"), None);
        assert!(list.find("openai", "gpt-4o-2031-01-01").is_some());
        assert!(list.find("openai", "gpt-nobody").is_none());
        assert!(list.find_id("openai").is_none());
    }

    #[test]
    fn cached_and_reasoning_tokens_and_long_prompts_have_prices_of_their_own() {
        let entry = Entry {
            id: "x/m".into(),
            input: 1_000_000_000,
            cached: Some(100_000_000),
            output: 4_000_000_000,
            reasoning: Some(2_000_000_000),
            above: Some(Above {
                tokens: 1_000,
                input: 2_000_000_000,
                cached: None,
                output: 8_000_000_000,
            }),
            context: None,
            answer: None,
            can: String::new(),
            until: None,
        };
        let usage = |prompt, cached, completion, reasoning| Usage {
            prompt_tokens: prompt,
            cached_tokens: cached,
            completion_tokens: completion,
            reasoning_tokens: reasoning,
        };
        // A token of a dollar a million costs 1,000 nano-dollars.
        assert_eq!(entry.cost(&usage(100, 0, 10, 0)), 100_000 + 40_000);
        assert_eq!(entry.cost(&usage(100, 40, 10, 10)), 60_000 + 4_000 + 20_000);
        assert_eq!(entry.cost(&usage(1_001, 1, 1, 0)), 2_002_000 + 8_000);
        assert_eq!(
            entry.cost(&usage(5, 99, 5, 99)),
            500 + 10_000,
            "counts that cannot be are bounded"
        );
        assert_eq!(
            entry.cost(&usage(u32::MAX, 0, u32::MAX, 0)),
            42_949_672_950_000,
            "and no sum overflows"
        );
    }
}
