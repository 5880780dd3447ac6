//! A Messages request → core words.

use bytes::Bytes;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::messages::{blocks_of_text, read_messages};
use crate::chat::{ChatRequest, Message, ResponseFormat, Role, Sampling, Think, Tool, ToolChoice};
use crate::error::ApiError;
use crate::limits::{MAX_MAX_TOKENS, MAX_TOOLS};
use crate::wire::Dialect;
use crate::wire::fields::{
    Object, array, boolean, expect_kind, get, integer, model_name, number, object, one_of, optional,
    required, short_string, stop_texts, string, top,
};
use crate::wire::openai::tools::{MAX_SCHEMA_BYTES, read_distinct_tools, read_name, schema, within};
use crate::wire::{files, images};

/// Least tokens of a thinking budget.
const MIN_BUDGET: i64 = 1024;

/// A request of `POST /v1/messages` as a client sent it.
#[derive(Clone, Debug)]
pub struct AnthropicMessages {
    /// The request in core words; its `raw` is the whole body.
    pub request: ChatRequest,
    /// Was a stream asked for?
    pub stream: bool,
}

/// Reads the body of `POST /v1/messages`. `cache_control`, `citations`, `signature`, `service_tier` and other fields
/// that change no answer are passed over.
///
/// * `system` becomes a message of its own in front.
/// * Results of tools in a `user` message become messages of the `tool` role before it; an image in a result joins the
///   `user` message.
/// * `thinking` of type `enabled` or `adaptive` is [`Think::On`], unless `output_config.effort` says how much; a budget
///   in tokens is checked, but local models take none.
///
/// # Errors
/// `invalid_json` for what is not JSON, otherwise `invalid_request` with the path of the field at fault.
pub fn parse_messages(body: &Bytes) -> Result<AnthropicMessages, ApiError> {
    let fields = top(body)?;
    let max_tokens = match get(&fields, "max_tokens") {
        Some(raw) => integer(raw, "max_tokens", 1, i64::from(MAX_MAX_TOKENS))?,
        None => {
            return Err(ApiError::invalid(
                "max_tokens",
                format!(
                    "`max_tokens` is missing. Say how long the answer may be, from 1 to {MAX_MAX_TOKENS}."
                ),
            ));
        }
    };
    let mut request = read_request(&fields, Some(max_tokens))?;
    request.sampling.max_tokens = Some(max_tokens as u32);
    let stream = optional(&fields, "", "stream", boolean)?.unwrap_or(false);
    request.stream = stream;
    request.raw = Some((Dialect::Anthropic, body.clone()));
    Ok(AnthropicMessages { request, stream })
}

/// Reads the body of `POST /v1/messages/count_tokens`: as a message, but without `max_tokens`.
///
/// # Errors
/// As [`parse_messages`].
pub fn parse_count_tokens(body: &Bytes) -> Result<ChatRequest, ApiError> {
    read_request(&top(body)?, None)
}

/// The answer of `POST /v1/messages/count_tokens`.
pub fn count_tokens_body(tokens: u32) -> Value {
    json!({ "input_tokens": tokens })
}

fn read_request(fields: &Object<'_>, max_tokens: Option<i64>) -> Result<ChatRequest, ApiError> {
    let model = match get(fields, "model") {
        Some(raw) => model_name(raw, "model")?,
        None => {
            return Err(ApiError::invalid(
                "model",
                "`model` is missing. Name one of GET /v1/models.",
            ));
        }
    };
    refuse_what_cannot_be_done(fields)?;
    let mut messages = read_messages(fields)?;
    if let Some(parts) = optional(fields, "", "system", blocks_of_text)?
        && !parts.is_empty()
    {
        let mut system = Message::text(Role::System, "");
        system.parts = parts;
        messages.insert(0, system);
    }
    images::not_too_many(&messages)?;
    files::not_too_many(&messages)?;
    let tools = read_distinct_tools(fields, "name", read_tool)?;
    let (tool_choice, parallel_tool_calls) = read_tool_choice(fields, &tools)?;
    let (format, effort) = read_output_config(fields)?;
    let think = match read_thinking(fields, max_tokens)? {
        Some(Think::Off) => Some(Think::Off),
        other => effort.or(other),
    };
    Ok(ChatRequest {
        model,
        messages,
        tools,
        tool_choice,
        parallel_tool_calls,
        sampling: read_sampling(fields)?,
        format,
        think,
        user: read_user(fields)?,
        ..ChatRequest::default()
    })
}

fn refuse_what_cannot_be_done(fields: &Object<'_>) -> Result<(), ApiError> {
    let servers = optional(fields, "", "mcp_servers", array::<{ MAX_TOOLS }>)?;
    if servers.is_some_and(|s| !s.is_empty()) {
        return Err(ApiError::invalid(
            "mcp_servers",
            "`mcp_servers` is not supported: this server calls no tools itself. Offer them as `tools`.",
        ));
    }
    if get(fields, "container").is_some() {
        return Err(ApiError::invalid(
            "container",
            "`container` is not supported: this server runs no code. Leave it out.",
        ));
    }
    Ok(())
}

fn read_sampling(fields: &Object<'_>) -> Result<Sampling, ApiError> {
    let range = |name: &str| -> Result<Option<f32>, ApiError> {
        Ok(optional(fields, "", name, |r, p| number(r, p, 0.0, 1.0))?.map(|n| n as f32))
    };
    let top_k = optional(fields, "", "top_k", |r, p| integer(r, p, 0, 1000))?;
    Ok(Sampling {
        temperature: range("temperature")?,
        top_p: range("top_p")?,
        top_k: top_k.map(|n| n as u32),
        stop: optional(fields, "", "stop_sequences", |r, p| {
            expect_kind(r, p, "an array")?;
            stop_texts(r, p)
        })?
        .unwrap_or_default(),
        ..Sampling::default()
    })
}

fn read_user(fields: &Object<'_>) -> Result<Option<String>, ApiError> {
    let Some(metadata) = optional(fields, "", "metadata", object)? else {
        return Ok(None);
    };
    optional(&metadata, "metadata", "user_id", |r, p| {
        short_string(r, p, 512).map(String::from)
    })
}

fn read_thinking(fields: &Object<'_>, max_tokens: Option<i64>) -> Result<Option<Think>, ApiError> {
    let path = "thinking";
    let Some(thinking) = optional(fields, "", path, object)? else {
        return Ok(None);
    };
    let kinds = [("enabled", 0), ("adaptive", 1), ("disabled", 2)];
    let kind = required(&thinking, path, "type", |r, p| one_of(r, p, &kinds))?;
    if kind == 0 {
        let most = max_tokens.map_or(i64::from(MAX_MAX_TOKENS), |max| max - 1);
        required(&thinking, path, "budget_tokens", |r, p| {
            if most < MIN_BUDGET {
                return Err(ApiError::invalid(
                    p,
                    format!("`{p}` is at least {MIN_BUDGET} and less than `max_tokens`. Raise `max_tokens`."),
                ));
            }
            integer(r, p, MIN_BUDGET, most)
        })?;
    }
    Ok(Some(if kind == 2 { Think::Off } else { Think::On }))
}

/// `output_config`: the shape of the answer, and how hard to think about it. `output_format` is the older spelling of
/// the former.
fn read_output_config(fields: &Object<'_>) -> Result<(ResponseFormat, Option<Think>), ApiError> {
    let older = optional(fields, "", "output_format", read_format)?;
    let Some(config) = optional(fields, "", "output_config", object)? else {
        return Ok((older.unwrap_or_default(), None));
    };
    let efforts = [
        ("low", Think::Low),
        ("medium", Think::Medium),
        ("high", Think::High),
        ("xhigh", Think::Max),
        ("max", Think::Max),
    ];
    let effort = optional(&config, "output_config", "effort", |r, p| one_of(r, p, &efforts))?;
    let format = optional(&config, "output_config", "format", read_format)?;
    Ok((format.or(older).unwrap_or_default(), effort))
}

fn read_format(raw: &RawValue, path: &str) -> Result<ResponseFormat, ApiError> {
    let fields = object(raw, path)?;
    required(&fields, path, "type", |r, p| one_of(r, p, &[("json_schema", ())]))?;
    let schema = required(&fields, path, "schema", |r, p| {
        within(r, p, MAX_SCHEMA_BYTES)?;
        schema(r, p)
    })?;
    Ok(ResponseFormat::JsonSchema {
        name: "answer".to_owned(),
        schema,
    })
}

fn read_tool(raw: &RawValue, path: &str) -> Result<Tool, ApiError> {
    let fields = object(raw, path)?;
    let kind = optional(&fields, path, "type", string)?;
    if kind.is_some_and(|kind| kind != "custom") {
        let path = format!("{path}.type");
        let message =
            format!("`{path}` must be `custom`: this server has no tools of its own, only those you run.");
        return Err(ApiError::invalid(path, message));
    }
    Ok(Tool {
        name: read_name(&fields, path)?,
        description: optional(&fields, path, "description", string)?.map(String::from),
        parameters: required(&fields, path, "input_schema", schema)?,
        strict: optional(&fields, path, "strict", boolean)?,
    })
}

fn read_tool_choice(fields: &Object<'_>, tools: &[Tool]) -> Result<(ToolChoice, Option<bool>), ApiError> {
    let path = "tool_choice";
    let Some(choice) = optional(fields, "", path, object)? else {
        return Ok((ToolChoice::Auto, None));
    };
    let kinds = [("auto", 0), ("any", 1), ("tool", 2), ("none", 3)];
    let kind = required(&choice, path, "type", |r, p| one_of(r, p, &kinds))?;
    let single = optional(&choice, path, "disable_parallel_tool_use", boolean)?;
    let parallel = single.map(|single| !single);
    if kind == 1 && tools.is_empty() {
        return Err(ApiError::invalid(
            path,
            "`tool_choice` is `any`, but there are no `tools`.",
        ));
    }
    Ok(match kind {
        0 => (ToolChoice::Auto, parallel),
        1 => (ToolChoice::Required, parallel),
        2 => {
            let name = read_name(&choice, path)?;
            if !tools.iter().any(|t| t.name == name) {
                return Err(ApiError::invalid(
                    "tool_choice.name",
                    format!("`tool_choice` names `{name}`, which is not among `tools`."),
                ));
            }
            (ToolChoice::Named(name), parallel)
        }
        _ => (ToolChoice::None, parallel),
    })
}
