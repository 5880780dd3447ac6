//! `POST /v1/responses`: a request read, and its answer written as a response or as events; and the other way about, a
//! request written to whoever is asked by it (`encode`), and its answer read (`decode`).
//!
//! Source: the public API reference of OpenAI's Responses, and the types of the published Python client (`openai` 3.54.0
//! on PyPI, `openai/types/responses`), which say which fields are always there.
//!
//! The whole conversation comes with each request, or the name of a kept response that it goes on from: whoever keeps
//! responses hands in what was said before.

mod answer;
mod decode;
mod encode;
mod input;

use bytes::Bytes;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

pub use self::answer::ResponseEncoder;
pub use self::decode::ResponseDecoder;
pub use self::encode::encode_responses;
pub use self::input::named_items;
use super::request::{EFFORTS, read_model};
use super::tools::{read_distinct_tools, read_name, schema};
use crate::chat::{ChatRequest, Message, ResponseFormat, Role, Sampling, Think, Tool, ToolChoice};
use crate::error::ApiError;
use crate::limits::MAX_MAX_TOKENS;
use crate::wire::fields::{
    Object, array, boolean, get, integer, number, object, one_of, optional, required, short_string, string,
    top,
};
use crate::wire::json::kind;
use crate::wire::{files, images};

/// A request of `POST /v1/responses` as a client sent it.
#[derive(Clone, Debug, Default)]
pub struct OpenAiResponses {
    /// The request in core words. Its `raw` is empty: what is forwarded untouched are chat completions.
    pub request: ChatRequest,
    /// Was a stream asked for?
    pub stream: bool,
    /// What the response repeats of the request: [`REPEATED`].
    pub repeated: Map<String, Value>,
    /// The response it goes on from.
    pub previous: Option<String>,
    /// Where the response is to be kept: the items of this request's own input, as they are kept. [`named_items`] gives
    /// names to those that have none.
    pub keeps: Option<Vec<Value>>,
}

/// The kept response that the body of `POST /v1/responses` goes on from, when it names one.
///
/// # Errors
/// As [`parse_responses`].
pub fn previous_response(body: &Bytes) -> Result<Option<String>, ApiError> {
    read_previous(&top(body)?)
}

fn read_previous(fields: &Object<'_>) -> Result<Option<String>, ApiError> {
    optional(fields, "", "previous_response_id", |r, p| {
        short_string(r, p, 256).map(String::from)
    })
}

/// Reads the body of `POST /v1/responses`. `earlier` are the items of the conversation it goes on from
/// ([`previous_response`]), oldest first: what was said and what was answered.
///
/// * `instructions` become a message of the system in front of `input`.
/// * Items of an assistant that follow each other (its reasoning, a message, calls of functions) are one message of it.
/// * `include` asks for nothing but log-probabilities here: what else it names are results of tools that OpenAI runs.
///
/// # Errors
/// `invalid_json` for what is not JSON, otherwise `invalid_request` with the path of the field at fault: also for what
/// is never kept here (`conversation`, `prompt`, `background`), for tools that only OpenAI runs, and for fields that are
/// not known.
pub fn parse_responses(body: &Bytes, earlier: &[Value]) -> Result<OpenAiResponses, ApiError> {
    let fields = top(body)?;
    let model = read_model(&fields)?;
    refuse_what_is_not_here(&fields)?;
    refuse_unknown(&fields)?;
    let keeps = optional(&fields, "", "store", boolean)? == Some(true);
    let mut messages = required(&fields, "", "input", |r, p| input::read_input(r, p, earlier))?;
    if let Some(instructions) = optional(&fields, "", "instructions", string)?
        && !instructions.is_empty()
    {
        messages.insert(0, Message::text(Role::System, instructions));
    }
    images::not_too_many(&messages)?;
    files::not_too_many(&messages)?;
    let tools = read_distinct_tools(&fields, "name", read_tool)?;
    let stream = optional(&fields, "", "stream", boolean)?.unwrap_or(false);
    let (format, mut untranslated) = read_text(&fields)?;
    let request = ChatRequest {
        model,
        messages,
        tool_choice: read_tool_choice(&fields, &tools)?,
        tools,
        parallel_tool_calls: optional(&fields, "", "parallel_tool_calls", boolean)?,
        sampling: read_sampling(&fields)?,
        format,
        stream,
        session: optional(&fields, "", "prompt_cache_key", |r, p| {
            short_string(r, p, 256).map(String::from)
        })?,
        user: read_user(&fields)?,
        think: read_reasoning(&fields, &mut untranslated)?,
        untranslated,
        ..ChatRequest::default()
    };
    read_what_changes_nothing(&fields)?;
    Ok(OpenAiResponses {
        repeated: repeated(&fields),
        previous: read_previous(&fields)?,
        keeps: get(&fields, "input").filter(|_| keeps).map(input::items),
        request,
        stream,
    })
}

/// What a response repeats of its request, and what it says where the request said nothing.
const REPEATED: [(&str, &str); 20] = [
    ("background", "false"),
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("previous_response_id", "null"),
    ("prompt_cache_key", "null"),
    ("reasoning", r#"{"effort":null,"summary":null}"#),
    ("safety_identifier", "null"),
    ("service_tier", r#""default""#),
    ("store", "false"),
    ("temperature", "null"),
    ("text", r#"{"format":{"type":"text"}}"#),
    ("tool_choice", r#""auto""#),
    ("tools", "[]"),
    ("top_logprobs", "0"),
    ("top_p", "null"),
    ("truncation", r#""disabled""#),
    ("user", "null"),
];

fn repeated(fields: &Object<'_>) -> Map<String, Value> {
    let value = |(name, usual): (&str, &str)| {
        // Nothing is cut here, whatever leave there is, and there is one tier of service.
        let said = get(fields, name).filter(|_| !matches!(name, "truncation" | "service_tier"));
        let text = said.map_or(usual, RawValue::get);
        // What was read before is JSON; a number that no value holds is left out.
        let mut value: Value = serde_json::from_str(text).unwrap_or_default();
        if let ("text", Value::Object(text)) = (name, &mut value)
            && !text.contains_key("format")
        {
            text.insert("format".to_owned(), json!({"type": "text"}));
        }
        (name.to_owned(), value)
    };
    REPEATED.into_iter().map(value).collect()
}

/// What could only be answered in the background, or with what OpenAI keeps.
fn refuse_what_is_not_here(fields: &Object<'_>) -> Result<(), ApiError> {
    if optional(fields, "", "background", boolean)? == Some(true) {
        let message = "`background` must be false: this server answers while you wait. Leave it out.";
        return Err(ApiError::invalid("background", message));
    }
    for name in ["conversation", "prompt"] {
        if get(fields, name).is_some() {
            let message = format!(
                "`{name}` names something that is not on this server. Send the conversation as `input`, or go on from a \
                 kept response (`previous_response_id`)."
            );
            return Err(ApiError::invalid(name, message));
        }
    }
    Ok(())
}

/// Fields that are read beside those that are repeated, or change no answer.
const READ: [&str; 8] = [
    "model",
    "input",
    "stream",
    "stream_options",
    "include",
    "prompt_cache_retention",
    "prompt_cache_options",
    "client_metadata",
];

fn refuse_unknown(fields: &Object<'_>) -> Result<(), ApiError> {
    let is_known =
        |name: &str| READ.contains(&name) || REPEATED.iter().any(|(repeated, _)| *repeated == name);
    let unknown = fields
        .iter()
        .find(|(name, raw)| raw.get() != "null" && !is_known(name));
    let Some((name, _)) = unknown else {
        return Ok(());
    };
    let shown: String = name.chars().take(60).collect();
    let message = format!("`{shown}` is not known at /v1/responses of this server. Leave it out.");
    Err(ApiError::invalid(shown, message))
}

/// Fields that must be well formed, though no answer here depends on them: nothing is cut, and no tool runs here.
fn read_what_changes_nothing(fields: &Object<'_>) -> Result<(), ApiError> {
    optional(fields, "", "truncation", |r, p| {
        one_of(r, p, &[("disabled", ()), ("auto", ())])
    })?;
    let tiers = [("auto", ()), ("default", ())];
    optional(fields, "", "service_tier", |r, p| one_of(r, p, &tiers))?;
    optional(fields, "", "max_tool_calls", |r, p| integer(r, p, 1, 1_000_000))?;
    optional(fields, "", "stream_options", |r, p| object(r, p).map(drop))?;
    let Some(metadata) = optional(fields, "", "metadata", object)? else {
        return Ok(());
    };
    if metadata.len() > 16 {
        return Err(ApiError::invalid(
            "metadata",
            "`metadata` has more than 16 entries. Send fewer.",
        ));
    }
    for (name, value) in metadata {
        let shown: String = name.chars().take(64).collect();
        let path = format!("metadata.{shown}");
        if name.chars().count() > 64 || string(value, &path)?.chars().count() > 512 {
            let message =
                format!("`{path}` is too long: a name has at most 64 characters, a text at most 512.");
            return Err(ApiError::invalid(path, message));
        }
    }
    Ok(())
}

/// Who the end user is: `user`, or the name that field has now.
fn read_user(fields: &Object<'_>) -> Result<Option<String>, ApiError> {
    let named = |name: &str| optional(fields, "", name, |r, p| short_string(r, p, 512).map(String::from));
    let (user, identifier) = (named("user")?, named("safety_identifier")?);
    Ok(user.or(identifier))
}

fn read_sampling(fields: &Object<'_>) -> Result<Sampling, ApiError> {
    let range = |name: &str, most: f64| -> Result<Option<f32>, ApiError> {
        Ok(optional(fields, "", name, |r, p| number(r, p, 0.0, most))?.map(|n| n as f32))
    };
    let limit = |r, p: &str| integer(r, p, 1, i64::from(MAX_MAX_TOKENS));
    let rivals = optional(fields, "", "top_logprobs", |r, p| integer(r, p, 0, 20))?.map(|n| n as u8);
    // With none of them nothing is asked for.
    let rivals = rivals.filter(|n| *n > 0);
    Ok(Sampling {
        temperature: range("temperature", 2.0)?,
        top_p: range("top_p", 1.0)?,
        max_tokens: optional(fields, "", "max_output_tokens", limit)?.map(|n| n as u32),
        logprobs: rivals.or(includes_logprobs(fields)?.then_some(0)),
        ..Sampling::default()
    })
}

fn includes_logprobs(fields: &Object<'_>) -> Result<bool, ApiError> {
    let words = [
        ("message.output_text.logprobs", true),
        ("reasoning.encrypted_content", false),
        ("message.input_image.image_url", false),
        ("file_search_call.results", false),
        ("web_search_call.results", false),
        ("web_search_call.action.sources", false),
        ("code_interpreter_call.outputs", false),
        ("computer_call_output.output.image_url", false),
    ];
    let items = optional(fields, "", "include", array::<32>)?.unwrap_or_default();
    let mut wanted = false;
    for (i, raw) in items.into_iter().enumerate() {
        wanted |= one_of(raw, &format!("include[{i}]"), &words)?;
    }
    Ok(wanted)
}

/// `text`: the shape of the answer; and how wordy it is to be, which these words do not have.
fn read_text(fields: &Object<'_>) -> Result<(ResponseFormat, Vec<String>), ApiError> {
    let Some(text) = optional(fields, "", "text", object)? else {
        return Ok((ResponseFormat::Text, Vec::new()));
    };
    let words = [("low", true), ("medium", false), ("high", true)];
    let unusual = optional(&text, "text", "verbosity", |r, p| one_of(r, p, &words))?.unwrap_or(false);
    let untranslated = unusual.then(|| "text.verbosity".to_owned());
    let format = optional(&text, "text", "format", read_format)?.unwrap_or_default();
    Ok((format, untranslated.into_iter().collect()))
}

fn read_format(raw: &RawValue, path: &str) -> Result<ResponseFormat, ApiError> {
    let fields = object(raw, path)?;
    let words = [("text", 0), ("json_object", 1), ("json_schema", 2)];
    Ok(
        match required(&fields, path, "type", |r, p| one_of(r, p, &words))? {
            0 => ResponseFormat::Text,
            1 => ResponseFormat::JsonObject,
            _ => ResponseFormat::JsonSchema {
                name: read_name(&fields, path)?,
                schema: required(&fields, path, "schema", schema)?,
            },
        },
    )
}

fn read_reasoning(fields: &Object<'_>, untranslated: &mut Vec<String>) -> Result<Option<Think>, ApiError> {
    let path = "reasoning";
    let Some(reasoning) = optional(fields, "", path, object)? else {
        return Ok(None);
    };
    for (name, value) in &reasoning {
        match &**name {
            // Reasoning is given as it is, where it is given at all.
            "effort" | "summary" | "generate_summary" => {}
            "context" | "mode" if matches!(value.get(), "null" | "\"auto\"" | "\"standard\"") => {}
            "context" | "mode" => untranslated.push(format!("{path}.{name}")),
            other => {
                let path = format!("{path}.{}", other.chars().take(60).collect::<String>());
                let message = format!("`{path}` is not known here. Leave it out.");
                return Err(ApiError::invalid(path, message));
            }
        }
    }
    optional(&reasoning, path, "effort", |r, p| one_of(r, p, &EFFORTS))
}

fn read_tool(raw: &RawValue, path: &str) -> Result<Tool, ApiError> {
    let fields = object(raw, path)?;
    let type_path = format!("{path}.type");
    let kind = required(&fields, path, "type", string)?;
    if kind != "function" {
        let shown: String = kind.chars().take(40).collect();
        let message = format!(
            "`{type_path}` is `{shown}`, and this server runs no tools of its own. Offer yours as tools of the type \
             `function`."
        );
        return Err(ApiError::invalid(type_path, message));
    }
    let parameters = optional(&fields, path, "parameters", schema)?;
    Ok(Tool {
        name: read_name(&fields, path)?,
        description: optional(&fields, path, "description", string)?.map(String::from),
        parameters: parameters.unwrap_or_else(|| json!({})),
        strict: optional(&fields, path, "strict", boolean)?,
    })
}

fn read_tool_choice(fields: &Object<'_>, tools: &[Tool]) -> Result<ToolChoice, ApiError> {
    let path = "tool_choice";
    let Some(raw) = get(fields, path) else {
        return Ok(ToolChoice::Auto);
    };
    let choice = if kind(raw) == "a string" {
        match one_of(raw, path, &[("auto", 0), ("none", 1), ("required", 2)])? {
            0 => ToolChoice::Auto,
            1 => ToolChoice::None,
            _ => ToolChoice::Required,
        }
    } else {
        let choice = object(raw, path)?;
        required(&choice, path, "type", |r, p| one_of(r, p, &[("function", ())]))?;
        ToolChoice::Named(read_name(&choice, path)?)
    };
    match &choice {
        ToolChoice::Named(name) if !tools.iter().any(|t| t.name == *name) => Err(ApiError::invalid(
            "tool_choice.name",
            format!("`tool_choice` names `{name}`, which is not among `tools`."),
        )),
        ToolChoice::Required if tools.is_empty() => Err(ApiError::invalid(
            path,
            "`tool_choice` is `required`, but there are no `tools`.",
        )),
        _ => Ok(choice),
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod upstream_tests;
