//! From LiteLLM's list of models to ours: five providers, chats and embeddings, what is needed here and nothing else.
//!
//! Source: `model_prices_and_context_window.json` of BerriAI/litellm (MIT), as of 1.110.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Above, Catalogue, Entry, MAX_MODELS};
use crate::limits::MAX_JSON_DEPTH;
use crate::wire::json::depth_within;

/// Their names of providers and ours.
const PROVIDERS: [(&str, &str); 5] = [
    ("openai", "openai"),
    ("anthropic", "anthropic"),
    ("gemini", "gemini"),
    ("deepseek", "deepseek"),
    ("xai", "grok"),
];
/// Dearer than this a token is taken for a mistake, in US dollars.
const MOST_USD: f64 = 1.0;

impl Catalogue {
    /// Reads LiteLLM's list. `as_of` is the day it is from (`2026-11-20`).
    ///
    /// # Errors
    /// A sentence when it is no such list, or holds no model of any provider.
    pub fn of_litellm(bytes: &[u8], as_of: &str) -> Result<Self, String> {
        if !depth_within(bytes, MAX_JSON_DEPTH) {
            return Err("it is nested too deep".to_owned());
        }
        let list: Map<String, Value> =
            serde_json::from_slice(bytes).map_err(|e| format!("it is no list of models: {e}"))?;
        let mut models: BTreeMap<String, Entry> = BTreeMap::new();
        for (name, about) in &list {
            let Some(entry) = entry(name, about) else { continue };
            // One model under two names: the one that is said to do more.
            let fuller = models
                .get(&entry.id)
                .is_none_or(|known| known.can.len() < entry.can.len());
            if fuller {
                models.insert(entry.id.clone(), entry);
            }
        }
        match models.len() {
            0 => Err("it names no model of a provider that is known here".to_owned()),
            many if many > MAX_MODELS => Err(format!("it has more than {MAX_MODELS} models")),
            _ => Ok(Self {
                from:
                    "LiteLLM's model_prices_and_context_window.json, MIT licence, Copyright (c) 2023 Berri AI"
                        .to_owned(),
                as_of: as_of.to_owned(),
                models: models.into_iter().collect(),
            }),
        }
    }
}

fn entry(name: &str, about: &Value) -> Option<Entry> {
    let theirs = about["litellm_provider"].as_str()?;
    let (_, provider) = PROVIDERS.iter().find(|(known, _)| *known == theirs)?;
    let mode = about["mode"].as_str()?;
    if !matches!(mode, "chat" | "responses" | "embedding")
        || name.starts_with("ft:")
        || name.contains("container")
    {
        return None;
    }
    let model = name.split_once('/').map_or(name, |(_, model)| model);
    let embeds = mode == "embedding";
    let output = nanos(about, "output_cost_per_token").or(embeds.then_some(0))?;
    let reasoning = nanos(about, "output_cost_per_reasoning_token").filter(|price| *price != output);
    let count = |field: &str| {
        about[field]
            .as_f64()
            .filter(|n| *n >= 1.0)
            .map(|n| n.min(f64::from(u32::MAX)) as u32)
    };
    Some(Entry {
        id: format!("{provider}/{model}"),
        input: nanos(about, "input_cost_per_token")?,
        cached: nanos(about, "cache_read_input_token_cost"),
        output,
        reasoning,
        above: above(about, output),
        context: count("max_input_tokens"),
        answer: count("max_output_tokens").filter(|_| !embeds),
        can: abilities(provider, mode, about),
        until: about["deprecation_date"]
            .as_str()
            .map(|day| day.chars().take(10).collect()),
    })
}

/// US dollars a token as nano-dollars a million tokens.
fn nanos(about: &Value, field: &str) -> Option<u64> {
    let usd = about[field]
        .as_f64()
        .filter(|usd| (0.0..=MOST_USD).contains(usd))?;
    Some((usd * 1e15).round() as u64)
}

/// The lowest step of price for long prompts.
fn above(about: &Value, output: u64) -> Option<Above> {
    let step = |field: &String| {
        let thousands = field
            .strip_prefix("input_cost_per_token_above_")?
            .strip_suffix("k_tokens")?;
        thousands.parse::<u32>().ok().filter(|n| *n < 1_000_000)
    };
    let thousands = about.as_object()?.keys().filter_map(step).min()?;
    let price = |what: &str| nanos(about, &format!("{what}_above_{thousands}k_tokens"));
    Some(Above {
        tokens: thousands * 1_000,
        input: price("input_cost_per_token")?,
        cached: price("cache_read_input_token_cost"),
        output: price("output_cost_per_token").unwrap_or(output),
    })
}

fn abilities(provider: &str, mode: &str, about: &Value) -> String {
    if mode == "embedding" {
        return "embed".to_owned();
    }
    let says = |field: &str| about[format!("supports_{field}")] == true;
    let doors = about["supported_endpoints"].as_array();
    let converses =
        doors.is_none_or(|all| all.is_empty() || all.iter().any(|door| door == "/v1/chat/completions"));
    let schema = match provider {
        "anthropic" => says("native_structured_output"),
        _ => says("response_schema"),
    };
    let words = [
        ("chat", mode == "chat" && (converses || provider != "openai")),
        ("vision", says("vision")),
        // DeepSeek's and Grok's chats have no words for a file.
        (
            "files",
            says("pdf_input") && matches!(provider, "openai" | "anthropic" | "gemini"),
        ),
        ("tools", says("function_calling")),
        ("schema", schema),
        ("reasoning", says("reasoning")),
        ("none", says("none_reasoning_effort")),
        ("minimal", says("minimal_reasoning_effort")),
        ("xhigh", says("xhigh_reasoning_effort")),
        ("max", says("max_reasoning_effort")),
        ("adaptive", says("adaptive_thinking")),
        ("always_thinks", about["thinking_always_on"] == true),
        ("fixed_sampling", about["supports_sampling_params"] == false),
    ];
    let known: Vec<&str> = words
        .iter()
        .filter(|(_, holds)| *holds)
        .map(|(word, _)| *word)
        .collect();
    known.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"{
        "sample_spec": {"litellm_provider": "one of …", "mode": "one of …"},
        "gpt-x": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1.25e-06,
            "cache_read_input_token_cost": 1.25e-07, "output_cost_per_token": 1e-05, "max_input_tokens": 272000,
            "input_cost_per_token_above_272k_tokens": 2.5e-06, "input_cost_per_token_above_400k_tokens": 5e-06,
            "supports_vision": true, "supports_none_reasoning_effort": true, "deprecation_date": "2026-12-11"},
        "gpt-x-pro": {"litellm_provider": "openai", "mode": "responses", "input_cost_per_token": 3e-05,
            "output_cost_per_token": 0.00018},
        "xai/grok-x": {"litellm_provider": "xai", "mode": "chat", "input_cost_per_token": 2.5e-09,
            "output_cost_per_token": 0},
        "text-embedding-x": {"litellm_provider": "openai", "mode": "embedding", "input_cost_per_token": 2e-08},
        "ft:gpt-x": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1, "output_cost_per_token": 1},
        "dear": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 7, "output_cost_per_token": 1},
        "unpriced": {"litellm_provider": "openai", "mode": "chat"},
        "azure/gpt-x": {"litellm_provider": "azure", "mode": "chat", "input_cost_per_token": 1, "output_cost_per_token": 1}
    }"#;

    #[test]
    fn prices_become_whole_nano_dollars_and_what_is_not_known_stays_out() {
        let list = Catalogue::of_litellm(LIST.as_bytes(), "2026-11-20").unwrap();
        let ids: Vec<&str> = list.all().iter().map(|e| e.id.as_str()).collect();
        assert_eq!(
            ids,
            [
                "grok/grok-x",
                "openai/gpt-x",
                "openai/gpt-x-pro",
                "openai/text-embedding-x"
            ]
        );
        let gpt = list.find("openai", "gpt-x").unwrap();
        assert_eq!(
            (gpt.input, gpt.cached, gpt.output),
            (1_250_000_000, Some(125_000_000), 10_000_000_000)
        );
        assert_eq!(
            gpt.above.map(|a| (a.tokens, a.input, a.output)),
            Some((272_000, 2_500_000_000, 10_000_000_000))
        );
        assert_eq!(
            (gpt.can.as_str(), gpt.until.as_deref()),
            ("chat vision none", Some("2026-12-11"))
        );
        assert_eq!(list.find("grok", "grok-x").unwrap().input, 2_500_000);
        assert!(
            !list.find("openai", "gpt-x-pro").unwrap().can("chat"),
            "it is asked by another door"
        );
    }

    #[test]
    fn what_is_no_list_is_a_sentence() {
        for text in ["", "[]", "{}", "{\"a\": 1}", "<html>"] {
            assert!(
                Catalogue::of_litellm(text.as_bytes(), "2026-11-20").is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let list = Catalogue::of_litellm(LIST.as_bytes(), "2026-11-20").unwrap();
        assert_eq!(Catalogue::read(list.to_text().as_bytes()).unwrap(), list);
        assert_eq!(
            Catalogue::read(Catalogue::embedded().to_text().as_bytes()).unwrap(),
            **Catalogue::embedded()
        );
    }
}
