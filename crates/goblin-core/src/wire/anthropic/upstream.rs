//! Asking Anthropic: core words → the body of `POST /v1/messages`.
//!
//! Source: Anthropic's API reference of Messages, version 2023-06-01. Never run against the live service.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::catalogue::{Catalogue, Entry};
use crate::chat::{ChatRequest, Message, Part, ResponseFormat, Role, Think, ToolCall, ToolChoice};
use crate::limits::MAX_JSON_DEPTH;
use crate::maker::Maker;
use crate::provider::ProviderError;
use crate::wire::files;
use crate::wire::json::depth_within;
use crate::wire::openai::unsupported;

/// The value of the header `anthropic-version`.
pub const VERSION: &str = "2023-06-01";

/// Most tokens of an answer when neither the caller nor the list says: the API wants a number.
const USUAL_ANSWER_TOKENS: u32 = 8_192;
/// Fewest tokens of thinking that can be asked for.
const LEAST_BUDGET: u32 = 1_024;

/// The body to ask Anthropic with: always a stream. Earlier reasoning goes back only where Anthropic signed it; it could
/// not read any other. Instructions are said before everything else, wherever they stood.
///
/// # Errors
/// [`ProviderError::Unsupported`] naming the first field that cannot be said in this dialect. Where goblin chose the model
/// ([`ChatRequest::automatic`]), what says how tokens are chosen is left out instead.
pub fn encode_request(request: &ChatRequest) -> Result<Bytes, ProviderError> {
    if let Some(field) = request.untranslated.first() {
        return Err(unsupported(
            field,
            "it has no place in Anthropic's dialect. Leave it out.",
        ));
    }
    let entry = Catalogue::embedded().find(Maker::Anthropic.id(), &request.model);
    let mut body = Map::new();
    body.insert("model".into(), request.model.as_str().into());
    let max_tokens = request
        .sampling
        .max_tokens
        .unwrap_or_else(|| entry.and_then(|e| e.answer).unwrap_or(USUAL_ANSWER_TOKENS));
    body.insert("max_tokens".into(), max_tokens.into());
    body.insert("stream".into(), true.into());
    put_messages(&mut body, request)?;
    put_tools(&mut body, request);
    let thinks = put_thinking(&mut body, request, entry, max_tokens)?;
    put_sampling(&mut body, request, entry, thinks)?;
    put_format(&mut body, request, entry)?;
    if let Some(user) = &request.user {
        body.insert("metadata".into(), json!({"user_id": user}));
    }
    Ok(Value::Object(body).to_string().into())
}

fn put_messages(body: &mut Map<String, Value>, request: &ChatRequest) -> Result<(), ProviderError> {
    let mut system = Vec::new();
    let mut messages: Vec<(&str, Vec<Value>)> = Vec::new();
    for (i, message) in request.messages.iter().enumerate() {
        // A result may repeat the name of its tool, which its call has said.
        if message.name.is_some() && message.role != Role::Tool {
            return Err(unsupported(
                &format!("messages[{i}].name"),
                "Anthropic knows no names of participants. Write it into the text.",
            ));
        }
        let (role, blocks) = match message.role {
            Role::System => {
                system.extend(text_blocks(&message.parts));
                continue;
            }
            Role::User => ("user", parts_blocks(&message.parts, i)?),
            Role::Assistant => ("assistant", assistant_blocks(message, i)?),
            Role::Tool => ("user", vec![result_block(message)]),
        };
        match messages.last_mut() {
            // The API wants user and assistant in turn; what stands side by side is one message.
            Some((last, before)) if *last == role => before.extend(blocks),
            _ if blocks.is_empty() => {}
            _ => messages.push((role, blocks)),
        }
    }
    let said = messages
        .into_iter()
        .map(|(role, content)| json!({"role": role, "content": content}));
    body.insert("messages".into(), said.collect());
    if !system.is_empty() {
        body.insert("system".into(), system.into());
    }
    Ok(())
}

fn text_blocks(parts: &[Part]) -> Vec<Value> {
    let texts = parts.iter().filter_map(|part| match part {
        // The API refuses empty texts; they say nothing.
        Part::Text { text } if !text.is_empty() => Some(json!({"type": "text", "text": text})),
        _ => None,
    });
    texts.collect()
}

fn parts_blocks(parts: &[Part], message: usize) -> Result<Vec<Value>, ProviderError> {
    let mut blocks = Vec::with_capacity(parts.len());
    for (j, part) in parts.iter().enumerate() {
        match part {
            Part::Text { text } if text.is_empty() => {}
            Part::Text { text } => blocks.push(json!({"type": "text", "text": text})),
            Part::Image { url } => {
                let path = format!("messages[{message}].content[{j}].image_url.url");
                blocks.push(json!({"type": "image", "source": image_source(url, &path)?}));
            }
            Part::File { name, url } => {
                let source =
                    json!({"type": "base64", "media_type": files::PDF, "data": files::bytes_of(url)});
                let mut block = json!({"type": "document", "source": source});
                if let Some(name) = name {
                    block["title"] = name.as_str().into();
                }
                blocks.push(block);
            }
        }
    }
    match blocks.is_empty() {
        true => Err(unsupported(
            &format!("messages[{message}].content"),
            "it is empty, which Anthropic refuses.",
        )),
        false => Ok(blocks),
    }
}

fn image_source(url: &str, path: &str) -> Result<Value, ProviderError> {
    let Some((kind, data)) = inline_image(url) else {
        return Ok(json!({"type": "url", "url": url}));
    };
    match kind {
        "image/jpeg" | "image/png" | "image/gif" | "image/webp" => {
            Ok(json!({"type": "base64", "media_type": kind, "data": data}))
        }
        _ => Err(unsupported(
            path,
            "Anthropic reads JPEG, PNG, GIF and WebP images only.",
        )),
    }
}

/// Kind and base64 of a `data:` URL.
pub(in crate::wire) fn inline_image(url: &str) -> Option<(&str, &str)> {
    let rest = url
        .get(5..)
        .filter(|_| url.get(..5).is_some_and(|s| s.eq_ignore_ascii_case("data:")))?;
    let (head, data) = rest.split_once(',')?;
    let kind = head.split(';').next().unwrap_or_default();
    Some((kind, data.trim()))
}

/// What was thought before a call, where Anthropic signed it; then the text; then the calls.
fn assistant_blocks(message: &Message, i: usize) -> Result<Vec<Value>, ProviderError> {
    let mut blocks: Vec<Value> = message
        .tool_calls
        .iter()
        .filter_map(sealed_thoughts)
        .flatten()
        .collect();
    blocks.extend(text_blocks(&message.parts));
    for (j, call) in message.tool_calls.iter().enumerate() {
        let path = format!("messages[{i}].tool_calls[{j}].function.arguments");
        let input = call_input(&call.arguments).ok_or_else(|| {
            unsupported(
                &path,
                "they are no JSON object, which Anthropic wants. Correct them.",
            )
        })?;
        blocks.push(json!({"type": "tool_use", "id": plain_id(&call.id), "name": call.name, "input": input}));
    }
    Ok(blocks)
}

/// A call's arguments as an object; none are an empty one.
pub(in crate::wire) fn call_input(arguments: &str) -> Option<Value> {
    if arguments.trim().is_empty() {
        return Some(json!({}));
    }
    let parsed: Value = depth_within(arguments.as_bytes(), MAX_JSON_DEPTH)
        .then(|| serde_json::from_str(arguments).ok())
        .flatten()?;
    parsed.is_object().then_some(parsed)
}

/// The signed blocks of thinking that [`super::decode`] put into a call's seal.
fn sealed_thoughts(call: &ToolCall) -> Option<Vec<Value>> {
    let sealed = call.seal.as_deref()?.strip_prefix("anthropic:")?;
    let blocks: Value = depth_within(sealed.as_bytes(), MAX_JSON_DEPTH)
        .then(|| serde_json::from_str(sealed).ok())
        .flatten()?;
    let is_thought = |b: &Value| matches!(b["type"].as_str(), Some("thinking" | "redacted_thinking"));
    blocks
        .as_array()
        .filter(|all| all.iter().all(is_thought))
        .cloned()
}

fn result_block(message: &Message) -> Value {
    let id = plain_id(message.tool_call_id.as_deref().unwrap_or_default());
    json!({"type": "tool_result", "tool_use_id": id, "content": message.joined_text()})
}

/// Ids may hold letters, digits, `_` and `-` only; call and result are changed alike.
fn plain_id(id: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    id.chars().map(|c| if fits(c) { c } else { '_' }).collect()
}

fn put_tools(body: &mut Map<String, Value>, request: &ChatRequest) {
    if request.tools.is_empty() {
        return;
    }
    let tools = request.tools.iter().map(|tool| {
        let schema = match &tool.parameters {
            Value::Object(_) => tool.parameters.clone(),
            _ => json!({"type": "object"}),
        };
        let mut value = json!({"name": tool.name, "input_schema": schema});
        if let Some(description) = &tool.description {
            value["description"] = description.as_str().into();
        }
        if tool.strict == Some(true) {
            value["strict"] = true.into();
        }
        value
    });
    body.insert("tools".into(), tools.collect());
    let mut choice = match &request.tool_choice {
        ToolChoice::Auto => json!({"type": "auto"}),
        ToolChoice::None => json!({"type": "none"}),
        ToolChoice::Required => json!({"type": "any"}),
        ToolChoice::Named(name) => json!({"type": "tool", "name": name}),
    };
    if request.parallel_tool_calls == Some(false) && request.tool_choice != ToolChoice::None {
        choice["disable_parallel_tool_use"] = true.into();
    } else if request.tool_choice == ToolChoice::Auto {
        return;
    }
    body.insert("tool_choice".into(), choice);
}

/// Is the answer to be thought over? A turn under way whose thoughts were not given back goes on without: the API refuses
/// thinking there.
fn put_thinking(
    body: &mut Map<String, Value>,
    request: &ChatRequest,
    entry: Option<&Entry>,
    max_tokens: u32,
) -> Result<bool, ProviderError> {
    let can = |word: &str| entry.is_some_and(|e| e.can(word));
    let Some(think) = request.think else {
        return Ok(can("always_thinks"));
    };
    if think == Think::Off {
        if can("always_thinks") {
            return Err(unsupported(
                "reasoning_effort",
                "this model always thinks. Choose `low`, or another model.",
            ));
        }
        if can("reasoning") {
            body.insert("thinking".into(), json!({"type": "disabled"}));
        }
        return Ok(false);
    }
    if entry.is_some() && !can("reasoning") {
        return match request.automatic {
            true => Ok(false),
            false => Err(unsupported(
                "reasoning_effort",
                "this model does not think. Leave it out.",
            )),
        };
    }
    if lost_thoughts(&request.messages) {
        return Ok(false);
    }
    if can("adaptive") {
        body.insert("thinking".into(), json!({"type": "adaptive"}));
        let effort = match think {
            Think::Low => Some("low"),
            Think::Medium => Some("medium"),
            Think::High => Some("high"),
            Think::Max if can("max") => Some("max"),
            Think::Max => Some("high"),
            Think::On | Think::Off => None,
        };
        if let Some(effort) = effort {
            body.insert("output_config".into(), json!({"effort": effort}));
        }
        return Ok(true);
    }
    let wished = match think {
        Think::Low => LEAST_BUDGET,
        Think::Medium | Think::On | Think::Off => 8_192,
        Think::High => 16_384,
        Think::Max => 32_768,
    };
    // Thinking is part of what the answer may have; half of it at least is for what is said.
    let budget = wished.min(max_tokens / 2);
    if budget < LEAST_BUDGET {
        return match request.automatic {
            true => Ok(false),
            false => Err(unsupported(
                "max_tokens",
                "Thinking takes at least 1024 tokens of the answer. Allow at least 2048, or do not ask for thinking.",
            )),
        };
    }
    body.insert(
        "thinking".into(),
        json!({"type": "enabled", "budget_tokens": budget}),
    );
    Ok(true)
}

/// Are there calls of the turn under way whose thoughts did not come back?
fn lost_thoughts(messages: &[Message]) -> bool {
    let question = messages.iter().rposition(|m| m.role == Role::User).unwrap_or(0);
    let mut of_turn = messages.iter().skip(question);
    of_turn.any(|m| !m.tool_calls.is_empty() && m.tool_calls.iter().all(|c| sealed_thoughts(c).is_none()))
}

fn put_sampling(
    body: &mut Map<String, Value>,
    request: &ChatRequest,
    entry: Option<&Entry>,
    thinks: bool,
) -> Result<(), ProviderError> {
    let sampling = &request.sampling;
    let decimal = |n: f32| n.to_string().parse::<f64>().ok();
    let fixed = thinks || entry.is_some_and(|e| e.can("fixed_sampling"));
    let mut chosen = |field: &str, value: Option<Value>, takes: bool| match value {
        Some(value) if takes => {
            body.insert(field.to_owned(), value);
            Ok(())
        }
        Some(_) if !request.automatic => Err(unsupported(
            field,
            "this model does not take it, or not now that it thinks. Leave it out.",
        )),
        _ => Ok(()),
    };
    let temperature = sampling.temperature.filter(|t| !(fixed && *t == 1.0));
    let usual = temperature.is_none_or(|t| t <= 1.0);
    chosen(
        "temperature",
        temperature.and_then(decimal).map(Value::from),
        !fixed && usual,
    )?;
    let top_p = sampling.top_p.filter(|p| *p != 1.0).and_then(decimal);
    chosen("top_p", top_p.map(Value::from), !fixed)?;
    let top_k = sampling.top_k.filter(|k| *k > 0);
    chosen("top_k", top_k.map(Value::from), !fixed)?;
    for (field, is_set) in [
        ("min_p", sampling.min_p.is_some()),
        ("seed", sampling.seed.is_some()),
        (
            "presence_penalty",
            sampling.presence_penalty.is_some_and(|p| p != 0.0),
        ),
        (
            "frequency_penalty",
            sampling.frequency_penalty.is_some_and(|p| p != 0.0),
        ),
        (
            "repeat_penalty",
            sampling.repeat_penalty.is_some_and(|p| p != 1.0),
        ),
        ("logit_bias", !sampling.logit_bias.is_empty()),
        ("logprobs", sampling.logprobs.is_some()),
    ] {
        chosen(field, is_set.then_some(Value::Null), false)?;
    }
    if !sampling.stop.is_empty() {
        body.insert("stop_sequences".into(), sampling.stop.clone().into());
    }
    Ok(())
}

fn put_format(
    body: &mut Map<String, Value>,
    request: &ChatRequest,
    entry: Option<&Entry>,
) -> Result<(), ProviderError> {
    let schema = match &request.format {
        ResponseFormat::Text => return Ok(()),
        ResponseFormat::JsonSchema { schema, .. } if entry.is_none_or(|e| e.can("schema")) => schema,
        ResponseFormat::JsonSchema { .. } => {
            return Err(unsupported(
                "response_format",
                "this model keeps to no schema. Choose another.",
            ));
        }
        ResponseFormat::JsonObject => {
            return Err(unsupported(
                "response_format",
                "Anthropic has no mode for any JSON object. Send a schema (`json_schema`), or choose another model.",
            ));
        }
        ResponseFormat::Grammar(_) => {
            return Err(unsupported(
                "grammar",
                "only models of one's own machines take grammars. Send a JSON schema.",
            ));
        }
    };
    let config = body.entry("output_config").or_insert_with(|| json!({}));
    config["format"] = json!({"type": "json_schema", "schema": schema});
    Ok(())
}
