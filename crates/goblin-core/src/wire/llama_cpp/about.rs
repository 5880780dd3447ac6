//! What a llama-server says of itself and its models: `/props`, `/v1/models`, `/slots`, `/metrics`.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::model::{Capability, ModelInfo, ModelState};
use crate::wire::openai::short_count;

/// What `/props` says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Props {
    /// It was given no model: it starts one server for each model.
    pub router: bool,
    /// Tokens of prompt and answer together that one slot holds.
    pub context_tokens: Option<u32>,
    /// Answers it can generate at once.
    pub slots: Option<u32>,
    /// The chat template, where there is one.
    pub template: Option<String>,
    /// Can the template show tools to the model? `None`: it does not say.
    pub tools: Option<bool>,
    /// Can it look at images?
    pub vision: bool,
    /// For example `Q4_1`.
    pub quantization: Option<String>,
    /// For example `b11434-1a2b3c4`.
    pub build: String,
    /// The model left memory because nobody asked; the next request brings it back.
    pub sleeping: bool,
    /// May `/slots` be asked?
    pub shows_slots: bool,
    /// May `/metrics` be asked?
    pub shows_metrics: bool,
}

#[derive(Deserialize)]
struct RawProps {
    #[serde(default)]
    role: Option<String>,
    #[serde(default)]
    default_generation_settings: Settings,
    #[serde(default)]
    total_slots: Option<u32>,
    #[serde(default)]
    chat_template: Option<String>,
    #[serde(default)]
    chat_template_caps: Map<String, Value>,
    #[serde(default)]
    modalities: Map<String, Value>,
    #[serde(default)]
    model_ftype: Option<String>,
    #[serde(default)]
    build_info: String,
    #[serde(default)]
    is_sleeping: bool,
    // Before it could be turned off it was there.
    #[serde(default = "crate::model::yes")]
    endpoint_slots: bool,
    #[serde(default)]
    endpoint_metrics: bool,
}

#[derive(Default, Deserialize)]
struct Settings {
    #[serde(default)]
    n_ctx: Option<u32>,
}

/// Reads `/props`.
///
/// # Errors
/// A sentence for operators when it is not that.
pub fn parse_props(bytes: &[u8]) -> Result<Props, String> {
    let raw: RawProps =
        serde_json::from_slice(bytes).map_err(|e| format!("its properties cannot be read: {e}"))?;
    let given = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let router = raw.role.as_deref() == Some("router");
    if !router && raw.default_generation_settings.n_ctx.is_none() {
        return Err("its properties name no context; is it a llama-server?".to_owned());
    }
    Ok(Props {
        router,
        context_tokens: raw.default_generation_settings.n_ctx.filter(|n| *n > 0),
        slots: raw.total_slots.filter(|n| *n > 0),
        template: given(raw.chat_template),
        tools: raw
            .chat_template_caps
            .get("supports_tools")
            .and_then(Value::as_bool),
        vision: raw.modalities.get("vision").and_then(Value::as_bool) == Some(true),
        quantization: given(raw.model_ftype),
        build: raw.build_info,
        sleeping: raw.is_sleeping,
        shows_slots: raw.endpoint_slots && !router,
        shows_metrics: raw.endpoint_metrics,
    })
}

/// A model as `/v1/models` lists it.
#[derive(Clone, Debug, PartialEq)]
pub struct Served {
    /// Its name.
    pub name: String,
    /// Other names for it.
    pub aliases: Vec<String>,
    /// Readiness. A model that failed to load is [`ModelState::Available`].
    pub state: ModelState,
    /// A router's model whose server ended by itself: its exit code.
    pub failed: Option<i64>,
    /// Tokens a slot holds.
    pub context_tokens: Option<u32>,
    /// Tokens it was trained with.
    pub trained_context: Option<u32>,
    /// How many parameters it has.
    pub parameters: Option<u64>,
    /// Bytes of the weights.
    pub size_bytes: Option<u64>,
    /// For example `Q4_1`.
    pub quantization: Option<String>,
    /// Can it look at images?
    pub vision: bool,
    /// Was it made to answer typed questions (`/v1/systemone`) instead of chats?
    pub decides: bool,
}

#[derive(Deserialize)]
struct List {
    data: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    id: String,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    meta: Option<Meta>,
    #[serde(default)]
    architecture: Option<Modalities>,
    #[serde(default)]
    status: Option<Status>,
}

#[derive(Default, Deserialize)]
struct Meta {
    #[serde(default)]
    n_ctx: Option<u32>,
    #[serde(default)]
    n_ctx_train: Option<u32>,
    #[serde(default)]
    n_params: Option<u64>,
    #[serde(default)]
    size: Option<u64>,
    #[serde(default)]
    ftype: Option<String>,
}

#[derive(Default, Deserialize)]
struct Modalities {
    #[serde(default)]
    input_modalities: Vec<String>,
    #[serde(default)]
    output_modalities: Vec<String>,
}

#[derive(Deserialize)]
struct Status {
    value: String,
    #[serde(default)]
    failed: bool,
    #[serde(default)]
    exit_code: Option<i64>,
}

/// Reads `/v1/models`.
///
/// # Errors
/// A sentence for operators when it is no such list.
pub fn parse_served(bytes: &[u8]) -> Result<Vec<Served>, String> {
    let list: List =
        serde_json::from_slice(bytes).map_err(|e| format!("its list of models cannot be read: {e}"))?;
    Ok(list.data.into_iter().map(served).collect())
}

fn served(item: Item) -> Served {
    let meta = item.meta.unwrap_or_default();
    let modalities = item.architecture.unwrap_or_default();
    // Only a router says how its models are; the one model of another server is in memory.
    let state = match item.status.as_ref().map(|s| s.value.as_str()) {
        None | Some("loaded") => ModelState::Loaded,
        Some("loading") => ModelState::Loading,
        Some(_) => ModelState::Available,
    };
    Served {
        state,
        failed: item
            .status
            .filter(|s| s.failed)
            .map(|s| s.exit_code.unwrap_or(-1)),
        context_tokens: meta.n_ctx.filter(|n| *n > 0),
        trained_context: meta.n_ctx_train.filter(|n| *n > 0),
        parameters: meta.n_params,
        size_bytes: meta.size,
        quantization: meta.ftype.filter(|text| !text.is_empty()),
        vision: modalities.input_modalities.iter().any(|m| m == "image"),
        decides: modalities.output_modalities.iter().any(|m| m == "decisions"),
        name: item.id,
        aliases: item.aliases,
    }
}

/// A model in core words, from its entry, its server's properties where they are known (a router's idle models have
/// none), and whether the server makes embeddings.
///
/// A model needs a template to chat. A server that makes embeddings does nothing else. One whose state is not known in
/// detail is taken to chat, until it is loaded and says more.
pub fn model_info(served: &Served, props: Option<&Props>, embeds: bool) -> ModelInfo {
    let sleeping = props.is_some_and(|p| p.sleeping);
    let mut capabilities = Vec::new();
    if embeds {
        capabilities.push(Capability::Embed);
    } else if served.decides {
        capabilities.push(Capability::Decide);
    } else {
        let template = props.and_then(|p| p.template.as_deref());
        if props.is_none() || template.is_some() {
            capabilities.push(Capability::Chat);
            if props.is_none_or(|p| p.tools != Some(false)) {
                capabilities.push(Capability::Tools);
            }
        }
        if served.vision || props.is_some_and(|p| p.vision) {
            capabilities.push(Capability::Vision);
        }
        if template.is_some_and(|t| t.contains("enable_thinking")) {
            capabilities.push(Capability::Thinking);
        }
        capabilities.extend([
            Capability::Complete,
            Capability::Logprobs,
            Capability::Decide,
            Capability::Grammar,
        ]);
    }
    let quantization = served.quantization.clone();
    ModelInfo {
        state: if sleeping {
            ModelState::Available
        } else {
            served.state
        },
        // What a slot holds. A router's idle model has yet to be given a context.
        context_window: props.and_then(|p| p.context_tokens).or(served.context_tokens),
        capabilities,
        size_bytes: served.size_bytes,
        parameters: served.parameters.map(short_count),
        quantization: quantization.or_else(|| props.and_then(|p| p.quantization.clone())),
        slots: props.and_then(|p| p.slots),
        trained_context: served.trained_context,
        ..ModelInfo::named(served.name.clone())
    }
}

/// A slot: a place for one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Slot {
    /// Its number.
    pub id: u32,
    /// Is an answer being made in it?
    #[serde(rename = "is_processing", default)]
    pub busy: bool,
}

/// Reads `/slots`.
///
/// # Errors
/// A sentence for operators when it is no such list.
pub fn parse_slots(bytes: &[u8]) -> Result<Vec<Slot>, String> {
    serde_json::from_slice(bytes).map_err(|e| format!("its slots cannot be read: {e}"))
}

/// Tokens per second since the server began: generated, and of prompts evaluated.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measured {
    /// Generated by one answer.
    pub decode_tokens_per_second: Option<f64>,
    /// Of prompts, what came from a cache left out.
    pub prefill_tokens_per_second: Option<f64>,
}

/// Fewest tokens that say something about speed.
const LEAST_TOKENS: f64 = 32.0;

/// Reads `/metrics` (Prometheus's text form): its counters, not its gauges, which begin anew whenever somebody asks.
pub fn parse_metrics(text: &str) -> Measured {
    let counter = |name: &str| {
        let mut lines = text.lines();
        let value = lines.find_map(|line| {
            line.strip_prefix("llamacpp:")?
                .strip_prefix(name)?
                .strip_prefix(' ')
        });
        value.and_then(|n| n.trim().parse::<f64>().ok())
    };
    let rate = |tokens: &str, seconds: &str| {
        let (tokens, seconds) = (counter(tokens)?, counter(seconds)?);
        (tokens >= LEAST_TOKENS && seconds > 0.0).then(|| tokens / seconds)
    };
    Measured {
        decode_tokens_per_second: rate("tokens_predicted_total", "tokens_predicted_seconds_total"),
        prefill_tokens_per_second: rate("prompt_tokens_total", "prompt_seconds_total"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served_named(name: &str) -> Served {
        parse_served(format!(r#"{{"data":[{{"id":"{name}"}}]}}"#).as_bytes())
            .unwrap()
            .remove(0)
    }

    #[test]
    fn what_a_model_can_do_follows_from_what_its_server_says() {
        let chats = Props {
            template: Some("{% if enable_thinking %}".into()),
            tools: Some(true),
            vision: true,
            ..Props::default()
        };
        let info = model_info(&served_named("m"), Some(&chats), false);
        for capability in [
            Capability::Chat,
            Capability::Tools,
            Capability::Vision,
            Capability::Thinking,
            Capability::Decide,
        ] {
            assert!(info.can(capability), "{capability:?}");
        }
        let bare = model_info(&served_named("m"), Some(&Props::default()), false);
        assert!(
            !bare.can(Capability::Chat) && bare.can(Capability::Complete),
            "no template, no chat"
        );
        let embeds = model_info(&served_named("m"), Some(&chats), true);
        assert_eq!(embeds.capabilities, [Capability::Embed]);
        let asleep = Props {
            sleeping: true,
            ..chats
        };
        assert_eq!(
            model_info(&served_named("m"), Some(&asleep), false).state,
            ModelState::Available
        );
    }

    #[test]
    fn a_page_is_no_llama_server() {
        for body in ["<html>", "{}", r#"{"default_generation_settings":{}}"#] {
            assert!(parse_props(body.as_bytes()).is_err(), "{body}");
        }
        assert!(parse_served(b"{}").unwrap_err().contains("cannot be read"));
        assert!(parse_slots(b"{}").unwrap_err().contains("cannot be read"));
    }

    #[test]
    fn counters_are_read_and_few_tokens_say_nothing() {
        let text = "# HELP llamacpp:prompt_tokens_total Number\nllamacpp:prompt_tokens_total 300\n\
                    llamacpp:prompt_seconds_total 1.5\nllamacpp:tokens_predicted_total 10\n\
                    llamacpp:tokens_predicted_seconds_total 1\n";
        let measured = parse_metrics(text);
        assert_eq!(measured.prefill_tokens_per_second, Some(200.0));
        assert_eq!(measured.decode_tokens_per_second, None);
        assert_eq!(parse_metrics("<html>"), Measured::default());
    }
}
