//! Clouds that speak this dialect, each in its own way: what its fields are called, what its models refuse, how it counts.
//!
//! Sources: the API references of OpenAI, DeepSeek and xAI for `POST /chat/completions`. Never run against the live
//! services.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::upstream::{put, request_object, written};
use crate::catalogue::{Catalogue, Entry};
use crate::chat::{ChatRequest, Message, ResponseFormat, Role, Think};
use crate::maker::Maker;
use crate::provider::ProviderError;

/// The body to ask `maker` with: always a stream, always with usage, in the maker's own words. Only for requests that are
/// not forwarded untouched.
///
/// # Errors
/// [`ProviderError::Unsupported`] naming the first field that the model, or the maker, does not take. Where goblin chose
/// the model ([`ChatRequest::automatic`]), what says how tokens are chosen is left out instead.
pub fn encode_for(maker: Maker, request: &ChatRequest) -> Result<Bytes, ProviderError> {
    body_for(maker, request).map(written)
}

/// As [`encode_for`], not yet written.
///
/// # Errors
/// As [`encode_for`].
pub(super) fn body_for(maker: Maker, request: &ChatRequest) -> Result<Map<String, Value>, ProviderError> {
    if let Some(field) = request.untranslated.first() {
        return Err(unsupported(
            field,
            "it is not translated for this request. Leave it out.",
        ));
    }
    let entry = Catalogue::embedded().find(maker.id(), &request.model);
    let mut asked = Asked {
        body: request_object(request),
        request,
        reasons: reasons(maker, &request.model),
        entry,
    };
    if asked
        .request
        .context_tokens
        .is_some_and(|wanted| entry.and_then(|e| e.context).is_some_and(|c| wanted > c))
    {
        return Err(unsupported(
            "goblin.context_tokens",
            "its context does not hold so many tokens.",
        ));
    }
    // Extensions of local servers.
    for field in ["top_k", "min_p", "repeat_penalty"] {
        asked.without(field, "this provider does not take it. Leave it out.")?;
    }
    if matches!(request.format, ResponseFormat::Grammar(_)) {
        return Err(unsupported(
            "grammar",
            "only models of one's own machines take grammars. Send a JSON schema.",
        ));
    }
    if maker != Maker::OpenAi
        && let Some(i) = request.messages.iter().position(Message::has_file)
    {
        return Err(unsupported(
            &format!("messages[{i}].content"),
            "this provider reads no files. Send the text instead.",
        ));
    }
    match maker {
        Maker::OpenAi => openai(&mut asked)?,
        Maker::DeepSeek => deepseek(&mut asked)?,
        Maker::Grok => grok(&mut asked)?,
        Maker::Anthropic | Maker::Gemini => {
            return Err(unsupported("model", "its provider speaks another dialect."));
        }
    }
    Ok(asked.body)
}

/// A request on its way to a maker.
struct Asked<'a> {
    body: Map<String, Value>,
    request: &'a ChatRequest,
    entry: Option<&'a Entry>,
    /// Does the model reason?
    reasons: bool,
}

impl Asked<'_> {
    /// Takes a field out that says how tokens are chosen.
    fn without(&mut self, field: &str, why: &str) -> Result<(), ProviderError> {
        match self.body.remove(field) {
            Some(_) if !self.request.automatic => Err(unsupported(field, why)),
            _ => Ok(()),
        }
    }

    fn rename(&mut self, old: &str, new: &str) {
        if let Some(value) = self.body.remove(old) {
            self.body.insert(new.to_owned(), value);
        }
    }

    fn can(&self, word: &str) -> bool {
        self.entry.is_some_and(|entry| entry.can(word))
    }

    /// Of a model that does not reason: is that what is wished?
    fn does_not_reason(&self) -> Result<(), ProviderError> {
        match self.request.think {
            None | Some(Think::Off) => Ok(()),
            Some(_) if self.request.automatic => Ok(()),
            Some(_) => Err(unsupported(
                "reasoning_effort",
                "this model does not reason. Leave it out, or choose one that does.",
            )),
        }
    }

    /// The word of `reasoning_effort` for what is wished, among those the model knows.
    fn effort(&self, think: Think) -> Result<Option<&'static str>, ProviderError> {
        let word = match think {
            Think::On => return Ok(None),
            Think::Off if self.can("none") => "none",
            Think::Off if self.can("minimal") => "minimal",
            Think::Off => {
                return Err(unsupported(
                    "reasoning_effort",
                    "this model always reasons. Choose `low`, or another model.",
                ));
            }
            Think::Low => "low",
            Think::Medium => "medium",
            Think::Max if self.can("max") => "max",
            Think::Max if self.can("xhigh") => "xhigh",
            Think::High | Think::Max => "high",
        };
        Ok(Some(word))
    }
}

/// OpenAI: `max_completion_tokens`; reasoning models take no sampling fields unless they are told not to reason.
fn openai(asked: &mut Asked<'_>) -> Result<(), ProviderError> {
    asked.rename("max_tokens", "max_completion_tokens");
    // Its caches find a conversation by it.
    put(
        &mut asked.body,
        "prompt_cache_key",
        asked.request.session.as_deref(),
    );
    strict_only_where_it_fits(asked);
    let think = asked.request.think;
    if !asked.reasons {
        return asked.does_not_reason();
    }
    let effort = think.map(|think| asked.effort(think)).transpose()?.flatten();
    put(&mut asked.body, "reasoning_effort", effort);
    let silent = match effort {
        Some(word) => word == "none",
        // Of models that can be told not to reason, that is the default.
        None => asked.can("none") && think.is_none(),
    };
    let refused: &[&str] = match silent {
        true => &["presence_penalty", "frequency_penalty", "logit_bias", "stop"],
        false => &[
            "temperature",
            "top_p",
            "presence_penalty",
            "frequency_penalty",
            "logit_bias",
            "top_logprobs",
            "logprobs",
            "stop",
        ],
    };
    drop_defaults(asked);
    for field in refused {
        asked.without(
            field,
            "this model reasons and does not take it. Leave it out, or choose another model.",
        )?;
    }
    Ok(())
}

/// What says no more than the default is no wish.
fn drop_defaults(asked: &mut Asked<'_>) {
    for (field, default) in [
        ("temperature", 1.0),
        ("top_p", 1.0),
        ("presence_penalty", 0.0),
        ("frequency_penalty", 0.0),
    ] {
        if asked.body.get(field).and_then(Value::as_f64) == Some(default) {
            asked.body.remove(field);
        }
    }
}

/// OpenAI refuses a strict schema that leaves anything open; one that is not strict is still followed.
fn strict_only_where_it_fits(asked: &mut Asked<'_>) {
    if let ResponseFormat::JsonSchema { schema, .. } = &asked.request.format
        && !is_closed(schema)
        && let Some(format) = asked.body.get_mut("response_format")
    {
        format["json_schema"]["strict"] = false.into();
    }
}

/// Does every object of the schema forbid other fields and require its own?
fn is_closed(schema: &Value) -> bool {
    match schema {
        Value::Object(fields) => {
            let properties = fields.get("properties").and_then(Value::as_object);
            let required = fields.get("required").and_then(Value::as_array);
            let requires = |name: &String| required.is_some_and(|all| all.iter().any(|n| n == name));
            let closed = properties.is_none_or(|properties| {
                fields.get("additionalProperties") == Some(&Value::Bool(false))
                    && properties.keys().all(requires)
            });
            closed && fields.values().all(is_closed)
        }
        Value::Array(items) => items.iter().all(is_closed),
        _ => true,
    }
}

/// DeepSeek: a switch for thinking instead of an effort; JSON objects but no schemas; what was thought before a tool call
/// is wanted back with it.
fn deepseek(asked: &mut Asked<'_>) -> Result<(), ProviderError> {
    let request = asked.request;
    for field in ["seed", "logit_bias"] {
        asked.without(field, "DeepSeek does not take it. Leave it out.")?;
    }
    asked.body.remove("user");
    if matches!(request.format, ResponseFormat::JsonSchema { .. }) {
        return Err(unsupported(
            "response_format",
            "DeepSeek keeps to no schema. Ask for `json_object` and say in the prompt what it holds, or choose another \
             model.",
        ));
    }
    if asked.body.remove("parallel_tool_calls") == Some(Value::Bool(false)) {
        return Err(unsupported(
            "parallel_tool_calls",
            "DeepSeek cannot be kept from making several calls.",
        ));
    }
    let always = request.model.contains("reasoner");
    let thinks = match request.think {
        Some(Think::Off) if always => {
            return Err(unsupported(
                "reasoning_effort",
                "this model always reasons. Choose another.",
            ));
        }
        Some(Think::Off) => {
            put(&mut asked.body, "thinking", Some(json!({"type": "disabled"})));
            false
        }
        Some(_) if !always => {
            put(&mut asked.body, "thinking", Some(json!({"type": "enabled"})));
            true
        }
        _ => always,
    };
    if thinks {
        drop_defaults(asked);
        let fields = [
            "temperature",
            "top_p",
            "presence_penalty",
            "frequency_penalty",
            "top_logprobs",
            "logprobs",
        ];
        for field in fields {
            asked.without(field, "DeepSeek does not take it where it reasons. Leave it out.")?;
        }
    }
    give_thoughts_back(asked);
    Ok(())
}

/// The reasoning of the turn under way, and of no earlier one.
fn give_thoughts_back(asked: &mut Asked<'_>) {
    let messages = &asked.request.messages;
    let question = messages.iter().rposition(|m| m.role == Role::User).unwrap_or(0);
    let Some(values) = asked.body.get_mut("messages").and_then(Value::as_array_mut) else {
        return;
    };
    for (value, message) in values.iter_mut().zip(messages).skip(question) {
        if let Some(reasoning) = message
            .reasoning
            .as_deref()
            .filter(|_| message.role == Role::Assistant)
        {
            value["reasoning_content"] = reasoning.into();
        }
    }
}

/// Grok: `max_completion_tokens`; reasoning models take no penalties and no stop texts, and only some an effort.
fn grok(asked: &mut Asked<'_>) -> Result<(), ProviderError> {
    asked.rename("max_tokens", "max_completion_tokens");
    asked.without("logit_bias", "Grok does not take it. Leave it out.")?;
    let model = &asked.request.model;
    if asked.reasons {
        drop_defaults(asked);
        for field in ["presence_penalty", "frequency_penalty", "stop"] {
            asked.without(
                field,
                "this model reasons and does not take it. Leave it out, or choose another model.",
            )?;
        }
    }
    if !asked.reasons {
        return asked.does_not_reason();
    }
    let fixed = model.contains("reasoning") || model.contains("code");
    let effort = match asked.request.think {
        None | Some(Think::On) => None,
        Some(_) if fixed && asked.request.automatic => None,
        Some(_) if fixed => {
            return Err(unsupported(
                "reasoning_effort",
                "how much this model reasons is fixed. Leave it out.",
            ));
        }
        Some(Think::Off) => Some("none"),
        Some(Think::Low) => Some("low"),
        Some(Think::Medium) => Some("medium"),
        Some(Think::High | Think::Max) => Some("high"),
    };
    put(&mut asked.body, "reasoning_effort", effort);
    Ok(())
}

/// Does the model reason?
pub(super) fn reasons(maker: Maker, model: &str) -> bool {
    let entry = Catalogue::embedded().find(maker.id(), model);
    entry.map_or_else(|| looks_like_reasoning(maker, model), |e| e.can("reasoning"))
}

/// A model the list does not know yet, by its name.
fn looks_like_reasoning(maker: Maker, model: &str) -> bool {
    match maker {
        Maker::OpenAi => {
            let numbered = |c: char| c.is_ascii_digit();
            let series = model
                .strip_prefix('o')
                .is_some_and(|rest| rest.starts_with(numbered));
            let generation = model.strip_prefix("gpt-").and_then(|rest| {
                rest.split(|c: char| !c.is_ascii_digit())
                    .next()?
                    .parse::<u32>()
                    .ok()
            });
            (series || generation.is_some_and(|n| n >= 5)) && !model.contains("chat")
        }
        Maker::DeepSeek => model.contains("reasoner"),
        Maker::Grok => !model.contains("non-reasoning"),
        Maker::Anthropic | Maker::Gemini => false,
    }
}

pub(in crate::wire) fn unsupported(param: &str, message: &str) -> ProviderError {
    ProviderError::Unsupported {
        param: param.to_owned(),
        message: message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Sampling, ToolCall};

    fn request(model: &str) -> ChatRequest {
        ChatRequest {
            model: model.to_owned(),
            messages: vec![Message::text(Role::User, "Hi")],
            ..ChatRequest::default()
        }
    }

    fn asked(maker: Maker, request: &ChatRequest) -> Value {
        serde_json::from_slice(&encode_for(maker, request).unwrap()).unwrap()
    }

    fn refused(maker: Maker, request: &ChatRequest) -> String {
        match encode_for(maker, request) {
            Err(ProviderError::Unsupported { param, .. }) => param,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_limit_of_the_answer_has_the_name_each_maker_knows() {
        for (maker, model, name, other) in [
            (Maker::OpenAi, "gpt-4o", "max_completion_tokens", "max_tokens"),
            (Maker::Grok, "grok-4.7", "max_completion_tokens", "max_tokens"),
            (
                Maker::DeepSeek,
                "deepseek-chat",
                "max_tokens",
                "max_completion_tokens",
            ),
        ] {
            let mut request = request(model);
            request.sampling.max_tokens = Some(7);
            let body = asked(maker, &request);
            assert_eq!(
                (&body[name], &body[other]),
                (&json!(7), &Value::Null),
                "{maker:?}"
            );
            assert_eq!(body["stream_options"]["include_usage"], true);
        }
    }

    #[test]
    fn a_reasoning_model_refuses_sampling_of_who_named_it_and_is_spared_it_otherwise() {
        let sampling: [(&str, Sampling); 4] = [
            (
                "temperature",
                Sampling {
                    temperature: Some(0.2),
                    ..Sampling::default()
                },
            ),
            (
                "top_p",
                Sampling {
                    top_p: Some(0.5),
                    ..Sampling::default()
                },
            ),
            (
                "presence_penalty",
                Sampling {
                    presence_penalty: Some(1.0),
                    ..Sampling::default()
                },
            ),
            (
                "logprobs",
                Sampling {
                    logprobs: Some(0),
                    ..Sampling::default()
                },
            ),
        ];
        for (field, sampling) in sampling {
            let mut named = ChatRequest {
                sampling,
                ..request("o3")
            };
            assert_eq!(refused(Maker::OpenAi, &named), field);
            named.automatic = true;
            assert_eq!(asked(Maker::OpenAi, &named).get(field), None, "{field}");
            named.model = "gpt-4o".into();
            named.automatic = false;
            assert!(asked(Maker::OpenAi, &named).get(field).is_some(), "{field}");
        }
        let mut usual = request("o3");
        usual.sampling.temperature = Some(1.0);
        assert_eq!(
            asked(Maker::OpenAi, &usual).get("temperature"),
            None,
            "the default is no wish"
        );
        let mut silent = request("gpt-5.5");
        silent.sampling.temperature = Some(0.5);
        assert_eq!(
            asked(Maker::OpenAi, &silent)["temperature"],
            0.5,
            "it does not reason unless told to"
        );
        silent.think = Some(Think::High);
        assert_eq!(refused(Maker::OpenAi, &silent), "temperature");
    }

    #[test]
    fn a_wish_to_think_becomes_the_word_the_model_knows() {
        let effort = |maker, model: &str, think| {
            let request = ChatRequest {
                think: Some(think),
                ..request(model)
            };
            encode_for(maker, &request).map(|body| {
                let body: Value = serde_json::from_slice(&body).unwrap();
                body.get("reasoning_effort").cloned().unwrap_or(Value::Null)
            })
        };
        for (maker, model, think, word) in [
            (Maker::OpenAi, "gpt-5", Think::Off, json!("minimal")),
            (Maker::OpenAi, "gpt-5.5", Think::Off, json!("none")),
            (Maker::OpenAi, "gpt-5.5", Think::Max, json!("xhigh")),
            (Maker::OpenAi, "o3", Think::Max, json!("high")),
            (Maker::OpenAi, "o3", Think::On, Value::Null),
            (Maker::OpenAi, "gpt-4o", Think::Off, Value::Null),
            (Maker::Grok, "grok-4.7", Think::Medium, json!("medium")),
            (
                Maker::Grok,
                "grok-4.20-0309-non-reasoning",
                Think::Off,
                Value::Null,
            ),
        ] {
            assert_eq!(effort(maker, model, think), Ok(word), "{model} {think:?}");
        }
        for (maker, model, think) in [
            (Maker::OpenAi, "o3", Think::Off),
            (Maker::OpenAi, "gpt-4o", Think::High),
            (Maker::Grok, "grok-4.20-0309-reasoning", Think::Low),
            (Maker::DeepSeek, "deepseek-reasoner", Think::Off),
        ] {
            let error = effort(maker, model, think).unwrap_err();
            assert!(
                matches!(error, ProviderError::Unsupported { param, .. } if param == "reasoning_effort"),
                "{model}"
            );
        }
    }

    #[test]
    fn deepseek_thinks_by_a_switch_and_is_given_back_the_thoughts_of_this_turn_only() {
        let mut request = request("deepseek-v4-pro");
        request.think = Some(Think::On);
        let thought = |text: &str| {
            let mut message = Message::text(Role::Assistant, "");
            message.reasoning = Some(text.to_owned());
            message.tool_calls.push(ToolCall {
                id: "c".into(),
                name: "f".into(),
                arguments: "{}".into(),
                seal: None,
            });
            message
        };
        request.messages = vec![
            Message::text(Role::User, "a"),
            thought("old"),
            Message::text(Role::User, "b"),
            thought("new"),
        ];
        let body = asked(Maker::DeepSeek, &request);
        assert_eq!(body["thinking"], json!({"type": "enabled"}));
        assert_eq!(body["messages"][1].get("reasoning_content"), None);
        assert_eq!(body["messages"][3]["reasoning_content"], "new");
        request.think = Some(Think::Off);
        assert_eq!(
            asked(Maker::DeepSeek, &request)["thinking"],
            json!({"type": "disabled"})
        );
        request.format = ResponseFormat::JsonSchema {
            name: "x".into(),
            schema: json!({}),
        };
        request.automatic = true;
        assert_eq!(
            refused(Maker::DeepSeek, &request),
            "response_format",
            "no choice of goblin's makes up for that"
        );
    }

    #[test]
    fn what_no_core_word_says_is_refused_by_its_name_and_never_dropped() {
        for maker in [Maker::OpenAi, Maker::DeepSeek, Maker::Grok] {
            let request = ChatRequest {
                untranslated: vec!["audio".into()],
                ..request("m")
            };
            assert_eq!(refused(maker, &request), "audio");
            let mut request = self::request("m");
            request.sampling.top_k = Some(4);
            assert_eq!(refused(maker, &request), "top_k");
        }
    }

    #[test]
    fn only_a_closed_schema_is_strict() {
        let strict = |schema: Value| {
            let mut request = request("gpt-4o");
            request.format = ResponseFormat::JsonSchema {
                name: "x".into(),
                schema,
            };
            asked(Maker::OpenAi, &request)["response_format"]["json_schema"]["strict"].clone()
        };
        let inner = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"],
            "additionalProperties": false});
        assert_eq!(strict(inner.clone()), true);
        assert_eq!(strict(json!({"type": "array", "items": inner})), true);
        assert_eq!(
            strict(json!({"type": "object", "properties": {"a": {}}, "required": ["a"]})),
            false
        );
        assert_eq!(
            strict(json!({"type": "object", "properties": {"a": {}}, "additionalProperties": false})),
            false
        );
    }

    #[test]
    fn a_model_nobody_has_listed_yet_is_judged_by_its_name() {
        for (maker, model, reasons) in [
            (Maker::OpenAi, "o9-mini", true),
            (Maker::OpenAi, "gpt-9", true),
            (Maker::OpenAi, "gpt-4.5-turbo", false),
            (Maker::OpenAi, "gpt-7-chat-latest", false),
            (Maker::OpenAi, "omni", false),
            (Maker::DeepSeek, "deepseek-reasoner-2", true),
            (Maker::Grok, "grok-9-non-reasoning", false),
        ] {
            assert_eq!(looks_like_reasoning(maker, model), reasons, "{model}");
        }
    }
}
