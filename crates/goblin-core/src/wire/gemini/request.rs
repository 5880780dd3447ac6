//! Core words → the body of `generateContent`.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::catalogue::{Catalogue, Entry};
use crate::chat::{ChatRequest, Message, Part, ResponseFormat, Role, Think, ToolCall, ToolChoice};
use crate::limits::MAX_JSON_DEPTH;
use crate::maker::Maker;
use crate::provider::ProviderError;
use crate::wire::anthropic::{call_input, inline_image};
use crate::wire::files;
use crate::wire::json::depth_within;
use crate::wire::openai::unsupported;

/// Most stop texts the API takes.
const MAX_STOPS: usize = 5;
/// Stands for a signature that was lost, where the API insists on one. Google's own word for it.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// The body to ask Gemini with. The model stands in the address, not in the body.
///
/// # Errors
/// [`ProviderError::Unsupported`] naming the first field that cannot be said in this dialect. Where goblin chose the model
/// ([`ChatRequest::automatic`]), what says how tokens are chosen is left out instead.
pub fn encode_request(request: &ChatRequest) -> Result<Bytes, ProviderError> {
    if let Some(field) = request.untranslated.first() {
        return Err(unsupported(
            field,
            "it has no place in Gemini's dialect. Leave it out.",
        ));
    }
    if request.parallel_tool_calls == Some(false) && !request.tools.is_empty() {
        return Err(unsupported(
            "parallel_tool_calls",
            "Gemini cannot be kept from making several calls.",
        ));
    }
    let entry = Catalogue::embedded().find(Maker::Gemini.id(), &request.model);
    let mut body = Map::new();
    put_contents(&mut body, request)?;
    put_tools(&mut body, request);
    let mut config = Map::new();
    put_sampling(&mut config, request, entry)?;
    put_format(&mut config, request)?;
    put_thinking(&mut config, request, entry)?;
    if !config.is_empty() {
        body.insert("generationConfig".into(), config.into());
    }
    Ok(Value::Object(body).to_string().into())
}

fn put_contents(body: &mut Map<String, Value>, request: &ChatRequest) -> Result<(), ProviderError> {
    let mut system = Vec::new();
    let mut contents: Vec<(&str, Vec<Value>)> = Vec::new();
    for (i, message) in request.messages.iter().enumerate() {
        // A result may repeat the name of its tool, which its call has said.
        if message.name.is_some() && message.role != Role::Tool {
            return Err(unsupported(
                &format!("messages[{i}].name"),
                "Gemini knows no names of participants. Write it into the text.",
            ));
        }
        let (role, parts) = match message.role {
            Role::System => {
                system.extend(text_parts(&message.parts));
                continue;
            }
            Role::User => ("user", said_parts(&message.parts, i)?),
            Role::Assistant => ("model", model_parts(message, i, signs(&request.model))?),
            Role::Tool => ("user", vec![result_part(&request.messages, i)?]),
        };
        match contents.last_mut() {
            Some((last, before)) if *last == role => before.extend(parts),
            _ if parts.is_empty() => {}
            _ => contents.push((role, parts)),
        }
    }
    let all = contents
        .into_iter()
        .map(|(role, parts)| json!({"role": role, "parts": parts}));
    body.insert("contents".into(), all.collect());
    if !system.is_empty() {
        body.insert("systemInstruction".into(), json!({"parts": system}));
    }
    Ok(())
}

/// Does the model want its signatures back? From its third generation on.
fn signs(model: &str) -> bool {
    let number = model
        .strip_prefix("gemini-")
        .and_then(|rest| rest.split(['.', '-']).next());
    number.and_then(|n| n.parse::<u32>().ok()).is_some_and(|n| n >= 3)
}

fn text_parts(parts: &[Part]) -> Vec<Value> {
    let texts = parts.iter().filter_map(|part| match part {
        Part::Text { text } if !text.is_empty() => Some(json!({"text": text})),
        _ => None,
    });
    texts.collect()
}

fn said_parts(parts: &[Part], message: usize) -> Result<Vec<Value>, ProviderError> {
    let mut out = Vec::with_capacity(parts.len());
    for (j, part) in parts.iter().enumerate() {
        match part {
            Part::Text { text } => out.push(json!({"text": text})),
            Part::Image { url } => {
                let Some((kind, data)) = inline_image(url) else {
                    return Err(unsupported(
                        &format!("messages[{message}].content[{j}].image_url.url"),
                        "Gemini fetches no images. Send the bytes as a `data:` URL in base64.",
                    ));
                };
                out.push(json!({"inlineData": {"mimeType": kind, "data": data}}));
            }
            // A name has no place here, and the bytes say what the file is.
            Part::File { url, .. } => {
                let data = json!({"mimeType": files::PDF, "data": files::bytes_of(url)});
                out.push(json!({"inlineData": data}));
            }
        }
    }
    Ok(out)
}

fn model_parts(message: &Message, i: usize, signs: bool) -> Result<Vec<Value>, ProviderError> {
    let mut parts = text_parts(&message.parts);
    for (j, call) in message.tool_calls.iter().enumerate() {
        let path = format!("messages[{i}].tool_calls[{j}].function.arguments");
        let args = call_input(&call.arguments).ok_or_else(|| {
            unsupported(
                &path,
                "they are no JSON object, which Gemini wants. Correct them.",
            )
        })?;
        let mut part = json!({"functionCall": {"name": call.name, "args": args}});
        if let Some(id) = own_id(call) {
            part["functionCall"]["id"] = id.into();
        }
        let signature = call.seal.as_deref().and_then(|seal| seal.strip_prefix("gemini:"));
        // Of calls made together only the first is signed.
        match signature {
            Some(signature) => part["thoughtSignature"] = signature.into(),
            None if signs && j == 0 => part["thoughtSignature"] = NO_SIGNATURE.into(),
            None => {}
        }
        parts.push(part);
    }
    Ok(parts)
}

/// The id Gemini gave the call, unless this server had to make one up.
fn own_id(call: &ToolCall) -> Option<&str> {
    Some(call.id.as_str()).filter(|id| !id.is_empty() && !id.starts_with("call_"))
}

/// A result names its function; the call it answers says which that is.
fn result_part(messages: &[Message], i: usize) -> Result<Value, ProviderError> {
    let message = &messages[i];
    let id = message.tool_call_id.as_deref().unwrap_or_default();
    let calls = messages[..i].iter().rev().flat_map(|m| &m.tool_calls);
    let Some(call) = calls.into_iter().find(|call| call.id == id) else {
        return Err(unsupported(
            &format!("messages[{i}].tool_call_id"),
            "no earlier message makes the call it answers. Send that message as well.",
        ));
    };
    let text = message.joined_text();
    let response = depth_within(text.as_bytes(), MAX_JSON_DEPTH)
        .then(|| serde_json::from_str::<Value>(&text).ok())
        .flatten()
        .filter(Value::is_object)
        .unwrap_or_else(|| json!({"output": text}));
    let mut part = json!({"functionResponse": {"name": call.name, "response": response}});
    if let Some(id) = own_id(call) {
        part["functionResponse"]["id"] = id.into();
    }
    Ok(part)
}

fn put_tools(body: &mut Map<String, Value>, request: &ChatRequest) {
    if request.tools.is_empty() {
        return;
    }
    let declared = request.tools.iter().map(|tool| {
        let mut value = json!({"name": tool.name});
        if let Some(description) = &tool.description {
            value["description"] = description.as_str().into();
        }
        if tool.parameters.is_object() {
            value["parametersJsonSchema"] = tool.parameters.clone();
        }
        value
    });
    let declared: Vec<Value> = declared.collect();
    body.insert("tools".into(), json!([{"functionDeclarations": declared}]));
    let calling = match &request.tool_choice {
        ToolChoice::Auto => return,
        ToolChoice::None => json!({"mode": "NONE"}),
        ToolChoice::Required => json!({"mode": "ANY"}),
        ToolChoice::Named(name) => json!({"mode": "ANY", "allowedFunctionNames": [name]}),
    };
    body.insert("toolConfig".into(), json!({"functionCallingConfig": calling}));
}

fn put_sampling(
    config: &mut Map<String, Value>,
    request: &ChatRequest,
    entry: Option<&Entry>,
) -> Result<(), ProviderError> {
    let sampling = &request.sampling;
    let decimal = |n: f32| n.to_string().parse::<f64>().ok().map(Value::from);
    let free = !entry.is_some_and(|e| e.can("fixed_sampling"));
    let mut chosen = |field: &str, name: &str, value: Option<Value>, takes: bool| match value {
        Some(value) if takes => {
            config.insert(name.to_owned(), value);
            Ok(())
        }
        Some(_) if !request.automatic => {
            Err(unsupported(field, "this model does not take it. Leave it out."))
        }
        _ => Ok(()),
    };
    let wished = |n: Option<f32>, default: f32| n.filter(|n| free || *n != default).and_then(decimal);
    chosen(
        "temperature",
        "temperature",
        wished(sampling.temperature, 1.0),
        free,
    )?;
    chosen("top_p", "topP", wished(sampling.top_p, 1.0), free)?;
    let top_k = sampling.top_k.filter(|k| *k > 0).map(Value::from);
    chosen("top_k", "topK", top_k, free)?;
    let penalty = |n: Option<f32>| n.filter(|n| *n != 0.0).and_then(decimal);
    chosen(
        "presence_penalty",
        "presencePenalty",
        penalty(sampling.presence_penalty),
        free,
    )?;
    chosen(
        "frequency_penalty",
        "frequencyPenalty",
        penalty(sampling.frequency_penalty),
        free,
    )?;
    let seed = sampling.seed.map(|seed| seed as i64);
    let small = seed.is_none_or(|seed| i32::try_from(seed).is_ok());
    chosen("seed", "seed", seed.map(Value::from), small)?;
    chosen(
        "logprobs",
        "responseLogprobs",
        sampling.logprobs.map(|_| true.into()),
        true,
    )?;
    let rivals = sampling.logprobs.filter(|n| *n > 0).map(Value::from);
    chosen("top_logprobs", "logprobs", rivals, true)?;
    for (field, is_set) in [
        ("min_p", sampling.min_p.is_some()),
        (
            "repeat_penalty",
            sampling.repeat_penalty.is_some_and(|p| p != 1.0),
        ),
        ("logit_bias", !sampling.logit_bias.is_empty()),
    ] {
        chosen(field, field, is_set.then_some(Value::Null), false)?;
    }
    if sampling.stop.len() > MAX_STOPS {
        return Err(unsupported(
            "stop",
            "Gemini takes at most 5 stop texts. Send fewer.",
        ));
    }
    if !sampling.stop.is_empty() {
        config.insert("stopSequences".into(), sampling.stop.clone().into());
    }
    if let Some(most) = sampling.max_tokens {
        config.insert("maxOutputTokens".into(), most.into());
    }
    Ok(())
}

fn put_format(config: &mut Map<String, Value>, request: &ChatRequest) -> Result<(), ProviderError> {
    match &request.format {
        ResponseFormat::Text => return Ok(()),
        ResponseFormat::JsonObject => {}
        ResponseFormat::JsonSchema { schema, .. } => {
            config.insert("responseJsonSchema".into(), schema.clone());
        }
        ResponseFormat::Grammar(_) => {
            return Err(unsupported(
                "grammar",
                "only models of one's own machines take grammars. Send a JSON schema.",
            ));
        }
    }
    config.insert("responseMimeType".into(), "application/json".into());
    Ok(())
}

/// The third generation thinks by levels, the second by a budget of tokens.
fn put_thinking(
    config: &mut Map<String, Value>,
    request: &ChatRequest,
    entry: Option<&Entry>,
) -> Result<(), ProviderError> {
    let Some(think) = request.think else { return Ok(()) };
    if entry.is_some_and(|e| !e.can("reasoning")) {
        return match think {
            Think::Off => Ok(()),
            _ if request.automatic => Ok(()),
            _ => Err(unsupported(
                "reasoning_effort",
                "this model does not think. Leave it out.",
            )),
        };
    }
    let always = || {
        unsupported(
            "reasoning_effort",
            "this model always thinks. Choose `low`, or another model.",
        )
    };
    let how = if signs(&request.model) {
        match think {
            Think::Off if entry.is_some_and(|e| e.can("minimal")) => json!({"thinkingLevel": "minimal"}),
            Think::Off => return Err(always()),
            Think::On => json!({"includeThoughts": true}),
            Think::Low => json!({"includeThoughts": true, "thinkingLevel": "low"}),
            Think::Medium => json!({"includeThoughts": true, "thinkingLevel": "medium"}),
            Think::High | Think::Max => json!({"includeThoughts": true, "thinkingLevel": "high"}),
        }
    } else {
        match think {
            Think::Off if request.model.contains("pro") => return Err(always()),
            Think::Off => json!({"thinkingBudget": 0}),
            Think::On => json!({"includeThoughts": true, "thinkingBudget": -1}),
            Think::Low => json!({"includeThoughts": true, "thinkingBudget": 1024}),
            Think::Medium => json!({"includeThoughts": true, "thinkingBudget": 8192}),
            Think::High | Think::Max => json!({"includeThoughts": true, "thinkingBudget": 24576}),
        }
    };
    config.insert("thinkingConfig".into(), how);
    Ok(())
}
