//! Core words → the body of `POST /v1/responses` of OpenAI. What its models take is as in a chat: only the words differ.
//!
//! Source: as of the whole module. Never run against the live service.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::decode::SEAL;
use crate::chat::{ChatRequest, Message, Part, Role, Think, ToolCall};
use crate::limits::MAX_JSON_DEPTH;
use crate::maker::Maker;
use crate::provider::ProviderError;
use crate::wire::files;
use crate::wire::json::depth_within;
use crate::wire::openai::makers::{body_for, reasons, unsupported};
use crate::wire::openai::upstream::{put, written};

/// Fewest tokens of an answer that the API takes as a limit.
const LEAST_ANSWER_TOKENS: u64 = 16;

/// How a chat chooses tokens, and a response does not.
const ONLY_IN_CHATS: [&str; 5] = [
    "stop",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
];

/// The body to ask OpenAI's Responses with: always a stream, and nothing is kept there (`store` is false). What a
/// reasoning model thought before its calls is asked for in its sealed form, and goes back with them.
///
/// # Errors
/// [`ProviderError::Unsupported`] naming the first field that cannot be said in this dialect, or that the model does not
/// take. Where goblin chose the model ([`ChatRequest::automatic`]), what says how tokens are chosen is left out instead.
pub fn encode_responses(request: &ChatRequest) -> Result<Bytes, ProviderError> {
    let mut body = body_for(Maker::OpenAi, request)?;
    for field in ONLY_IN_CHATS {
        let value = body.remove(field);
        let is_default = field.ends_with("_penalty") && value.as_ref().and_then(Value::as_f64) == Some(0.0);
        if value.is_some() && !is_default && !request.automatic {
            return Err(unsupported(
                field,
                "OpenAI's Responses do not take it. Leave it out, or have the operator ask by chat completions \
                 (`upstream.openai_api`).",
            ));
        }
    }
    body.remove("messages");
    body.remove("stream_options");
    let thinks = reasons(Maker::OpenAi, &request.model);
    put(&mut body, "input", Some(input(&request.messages, thinks)?));
    put(&mut body, "store", Some(false));
    put_limit(&mut body, request)?;
    put_tools(&mut body);
    put_format(&mut body);
    put_reasoning(&mut body, request.think.filter(|_| thinks));
    put_include(&mut body, thinks);
    Ok(written(body))
}

fn put_limit(body: &mut Map<String, Value>, request: &ChatRequest) -> Result<(), ProviderError> {
    let Some(limit) = body.remove("max_completion_tokens").and_then(|n| n.as_u64()) else {
        return Ok(());
    };
    if limit < LEAST_ANSWER_TOKENS && !request.automatic {
        return Err(unsupported(
            "max_tokens",
            "OpenAI's Responses take no limit below 16 tokens. Allow more.",
        ));
    }
    put(body, "max_output_tokens", Some(limit.max(LEAST_ANSWER_TOKENS)));
    Ok(())
}

/// A chat says more than once what kind a thing is: `{"type": KIND, KIND: {…}}` is `{"type": KIND, …}` here.
fn flat(value: Value, kind: &str) -> Value {
    match value {
        Value::Object(mut fields) => {
            if let Some(Value::Object(inner)) = fields.remove(kind) {
                fields.extend(inner);
            }
            Value::Object(fields)
        }
        word => word,
    }
}

fn put_tools(body: &mut Map<String, Value>) {
    let tools = body.remove("tools").and_then(|tools| match tools {
        Value::Array(tools) => Some(tools),
        _ => None,
    });
    let tools = tools.map(|tools| {
        let tools = tools.into_iter().map(|tool| {
            let mut tool = flat(tool, "function");
            if !tool["parameters"].is_object() {
                tool["parameters"] = json!({"type": "object", "properties": {}});
            }
            // Where it is not said the API takes it for granted, and refuses schemas that leave anything open.
            if !tool["strict"].is_boolean() {
                tool["strict"] = false.into();
            }
            tool
        });
        tools.collect::<Vec<_>>()
    });
    put(body, "tools", tools);
    let choice = body.remove("tool_choice");
    put(body, "tool_choice", choice.map(|choice| flat(choice, "function")));
}

fn put_format(body: &mut Map<String, Value>) {
    let format = body.remove("response_format");
    let format = format.map(|format| json!({"format": flat(format, "json_schema")}));
    put(body, "text", format);
}

/// How much to think, and where thinking was wished for, that it is told in short.
fn put_reasoning(body: &mut Map<String, Value>, think: Option<Think>) {
    let effort = body.remove("reasoning_effort");
    let mut reasoning = Map::new();
    put(&mut reasoning, "effort", effort.clone());
    let is_told = think.is_some_and(|think| think != Think::Off);
    put(&mut reasoning, "summary", is_told.then_some("auto"));
    if effort.is_some() || is_told {
        put(body, "reasoning", Some(reasoning));
    }
}

fn put_include(body: &mut Map<String, Value>, thinks: bool) {
    let logprobs = body.remove("logprobs").map(|_| "message.output_text.logprobs");
    let thoughts = thinks.then_some("reasoning.encrypted_content");
    let include: Vec<&str> = logprobs.into_iter().chain(thoughts).collect();
    put(body, "include", (!include.is_empty()).then_some(include));
}

fn input(messages: &[Message], thinks: bool) -> Result<Vec<Value>, ProviderError> {
    let mut items = Vec::with_capacity(messages.len());
    for (i, message) in messages.iter().enumerate() {
        // A result may repeat the name of its tool, which its call has said.
        if message.name.is_some() && message.role != Role::Tool {
            return Err(unsupported(
                &format!("messages[{i}].name"),
                "OpenAI's Responses know no names of participants. Write it into the text.",
            ));
        }
        match message.role {
            Role::System => items.push(said("system", message)),
            Role::User => items.push(said("user", message)),
            Role::Assistant => {
                if thinks {
                    items.extend(message.tool_calls.iter().filter_map(sealed_thoughts).flatten());
                }
                let text = message.joined_text();
                if !text.is_empty() {
                    items.push(json!({"type": "message", "role": "assistant", "content": text}));
                }
                items.extend(message.tool_calls.iter().map(call_item));
            }
            Role::Tool => items.push(json!({
                "type": "function_call_output", "call_id": message.tool_call_id, "output": message.joined_text(),
            })),
        }
    }
    Ok(items)
}

fn said(role: &str, message: &Message) -> Value {
    let content = match message.parts.as_slice() {
        [Part::Text { text }] => Value::from(text.as_str()),
        parts => parts.iter().map(part_json).collect(),
    };
    json!({"type": "message", "role": role, "content": content})
}

fn part_json(part: &Part) -> Value {
    match part {
        Part::Text { text } => json!({"type": "input_text", "text": text}),
        Part::Image { url } => json!({"type": "input_image", "detail": "auto", "image_url": url}),
        Part::File { name, url } => {
            json!({"type": "input_file", "filename": files::name_of(name.as_deref()), "file_data": url})
        }
    }
}

fn call_item(call: &ToolCall) -> Value {
    json!({"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments})
}

/// The items of reasoning that [`super::decode`] put into a call's seal.
fn sealed_thoughts(call: &ToolCall) -> Option<Vec<Value>> {
    let sealed = call.seal.as_deref()?.strip_prefix(SEAL)?;
    let items: Value = depth_within(sealed.as_bytes(), MAX_JSON_DEPTH)
        .then(|| serde_json::from_str(sealed).ok())
        .flatten()?;
    let all = items.as_array()?;
    all.iter()
        .all(|item| item["type"] == "reasoning")
        .then(|| all.clone())
}
