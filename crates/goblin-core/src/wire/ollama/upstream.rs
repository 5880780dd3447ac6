//! Talking to an Ollama through its own API: requests written, answers read.
//!
//! Source: Ollama's `api/types.go` and `server/routes.go` of 0.17.4; `prompt_eval_cached_count` is from
//! docs.ollama.com/api/usage (version 0.40).

mod decode;
mod errors;
mod split;

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::chat::{ChatRequest, KeepAlive, Message, Part, ResponseFormat, Role, Sampling, Think, ToolChoice};
use crate::completion::CompletionRequest;
use crate::embed::{EmbedRequest, EmbedResponse};
use crate::limits::MAX_JSON_DEPTH;
use crate::provider::ProviderError;
use crate::wire::answer::arguments_object;
use crate::wire::base64::is_base64;
use crate::wire::json::depth_within;
use crate::wire::openai::{read_vector, unsupported};

pub use decode::AnswerDecoder;
pub use errors::{PromptSize, upstream_error};
pub use split::{LineSplitter, MAX_LINE_BYTES};

/// The body of `POST /api/chat`: always a stream. `truncate` and `shift` are refused, so that versions that know them
/// (≥ 0.12.6) refuse a prompt that does not fit instead of cutting it. Ollama cannot force a call: of
/// [`ToolChoice::Named`] only that tool is offered, [`ToolChoice::Required`] is refused, and left to the model where goblin
/// chose it.
///
/// # Errors
/// [`ProviderError::Rejected`] for what Ollama has no word for: a grammar, `logit_bias`, an image that is not a `data:`
/// URL in base64 (a local server is given bytes, never addresses). [`ProviderError::Unsupported`] for what another provider
/// may have a word for.
pub fn encode_chat(request: &ChatRequest) -> Result<Bytes, ProviderError> {
    if !request.automatic {
        has_words_for(request)?;
    }
    let mut body = Map::new();
    put(&mut body, "model", Some(request.model.as_str()));
    let messages: Result<Vec<Value>, _> = (0..request.messages.len())
        .map(|place| message_json(&request.messages, place))
        .collect();
    put(&mut body, "messages", Some(messages?));
    let offered: Vec<Value> = request
        .tools
        .iter()
        .filter(|tool| match &request.tool_choice {
            ToolChoice::None => false,
            ToolChoice::Named(name) => *name == tool.name,
            ToolChoice::Auto | ToolChoice::Required => true,
        })
        .map(|tool| {
            let (name, parameters) = (&tool.name, &tool.parameters);
            let description = tool.description.as_deref().unwrap_or_default();
            let function = json!({"name": name, "description": description, "parameters": parameters});
            json!({"type": "function", "function": function})
        })
        .collect();
    put(&mut body, "tools", (!offered.is_empty()).then_some(offered));
    put(&mut body, "think", request.think.map(think_json));
    put_settings(
        &mut body,
        &request.sampling,
        &request.format,
        request.context_tokens,
        request.keep_alive,
    )?;
    Ok(written(body))
}

/// The body of `POST /api/generate`: the text continued as it is (`raw`), or its gap filled by the model's template.
/// Always a stream.
///
/// # Errors
/// As [`encode_chat`].
pub fn encode_completion(request: &CompletionRequest) -> Result<Bytes, ProviderError> {
    let mut body = Map::new();
    put(&mut body, "model", Some(request.model.as_str()));
    put(&mut body, "prompt", Some(request.prompt.as_str()));
    match &request.suffix {
        Some(suffix) => put(&mut body, "suffix", Some(suffix.as_str())),
        None => put(&mut body, "raw", Some(true)),
    }
    put_settings(
        &mut body,
        &request.sampling,
        &request.format,
        request.context_tokens,
        request.keep_alive,
    )?;
    Ok(written(body))
}

/// The body of `POST /api/embed`. `context_tokens` is what the model is run with, so that it is not loaded anew.
pub fn encode_embed(request: &EmbedRequest, context_tokens: Option<u32>) -> Bytes {
    let mut body = Map::new();
    put(&mut body, "model", Some(request.model.as_str()));
    put(&mut body, "input", Some(request.inputs.clone()));
    put(&mut body, "truncate", Some(request.truncate));
    put(&mut body, "dimensions", request.dimensions);
    put(&mut body, "keep_alive", request.keep_alive.map(keep_alive_json));
    put(
        &mut body,
        "options",
        context_tokens.map(|tokens| json!({ "num_ctx": tokens })),
    );
    written(body)
}

/// What Ollama has no word for and another provider may have. Where goblin chose the model it is left to the model.
fn has_words_for(request: &ChatRequest) -> Result<(), ProviderError> {
    let named = request
        .messages
        .iter()
        .position(|m| m.role != Role::Tool && m.name.is_some());
    let (param, message) = if request.tool_choice == ToolChoice::Required {
        (
            "tool_choice".to_owned(),
            "Ollama cannot make a model call a tool. Choose `auto`, or name the tool.",
        )
    } else if request.parallel_tool_calls == Some(false) {
        (
            "parallel_tool_calls".to_owned(),
            "Ollama cannot keep a model from making several calls. Leave it out.",
        )
    } else if let Some(at) = named {
        (
            format!("messages[{at}].name"),
            "Ollama has no names for who says something. Put it into the content.",
        )
    } else {
        return Ok(());
    };
    Err(ProviderError::Unsupported {
        param,
        message: message.to_owned(),
    })
}

/// Reads the answer of `POST /api/embed` to `wanted` texts.
///
/// # Errors
/// [`ProviderError::Interrupted`] for what is no such answer, or has another number of vectors, or empty ones.
pub fn decode_embed(body: &[u8], wanted: usize) -> Result<EmbedResponse, ProviderError> {
    let broken = |reason: &str| ProviderError::Interrupted {
        reason: format!("the embeddings {reason}"),
    };
    if !depth_within(body, MAX_JSON_DEPTH) {
        return Err(broken("are nested too deep"));
    }
    let value: Value = serde_json::from_slice(body).map_err(|_| broken("are not JSON"))?;
    let vectors = value.get("embeddings").and_then(Value::as_array);
    let vectors: Option<Vec<Vec<f32>>> = vectors.and_then(|all| all.iter().map(read_vector).collect());
    let vectors = vectors.filter(|all| all.len() == wanted);
    Ok(EmbedResponse {
        vectors: vectors.ok_or_else(|| broken("are not one vector for each text"))?,
        prompt_tokens: decode::count(&value, "prompt_eval_count").unwrap_or(0),
    })
}

fn written(body: Map<String, Value>) -> Bytes {
    Value::Object(body).to_string().into()
}

fn put<T: Into<Value>>(body: &mut Map<String, Value>, name: &str, value: Option<T>) {
    if let Some(value) = value {
        body.insert(name.to_owned(), value.into());
    }
}

fn refused(param: impl Into<String>, message: &str) -> ProviderError {
    ProviderError::Rejected {
        status: 400,
        code: None,
        param: Some(param.into()),
        message: message.to_owned(),
    }
}

fn put_settings(
    body: &mut Map<String, Value>,
    sampling: &Sampling,
    format: &ResponseFormat,
    context_tokens: Option<u32>,
    keep_alive: Option<KeepAlive>,
) -> Result<(), ProviderError> {
    if !sampling.logit_bias.is_empty() {
        return Err(unsupported("logit_bias", "Ollama has none. Leave it out."));
    }
    let format = match format {
        ResponseFormat::Text => None,
        ResponseFormat::JsonObject => Some(json!("json")),
        ResponseFormat::JsonSchema { schema, .. } => Some(schema.clone()),
        ResponseFormat::Grammar(_) => {
            return Err(refused(
                "grammar",
                "Ollama takes no grammar; give a JSON Schema instead.",
            ));
        }
    };
    put(body, "format", format);
    put(body, "stream", Some(true));
    put(body, "truncate", Some(false));
    put(body, "shift", Some(false));
    put(body, "keep_alive", keep_alive.map(keep_alive_json));
    if let Some(top) = sampling.logprobs {
        put(body, "logprobs", Some(true));
        put(body, "top_logprobs", (top > 0).then_some(top));
    }
    let options = options_json(sampling, context_tokens);
    put(body, "options", (!options.is_empty()).then_some(options));
    Ok(())
}

fn options_json(sampling: &Sampling, context_tokens: Option<u32>) -> Map<String, Value> {
    // Through its own text, so that 0.7 is not written as 0.699999988079071.
    let decimal = |n: Option<f32>| n.and_then(|n| n.to_string().parse::<f64>().ok());
    let mut options = Map::new();
    put(&mut options, "num_ctx", context_tokens);
    put(&mut options, "num_predict", sampling.max_tokens);
    put(&mut options, "temperature", decimal(sampling.temperature));
    put(&mut options, "top_p", decimal(sampling.top_p));
    put(&mut options, "top_k", sampling.top_k);
    put(&mut options, "min_p", decimal(sampling.min_p));
    put(&mut options, "seed", sampling.seed.map(|seed| seed as i64));
    put(
        &mut options,
        "stop",
        (!sampling.stop.is_empty()).then(|| sampling.stop.clone()),
    );
    put(
        &mut options,
        "presence_penalty",
        decimal(sampling.presence_penalty),
    );
    put(
        &mut options,
        "frequency_penalty",
        decimal(sampling.frequency_penalty),
    );
    put(&mut options, "repeat_penalty", decimal(sampling.repeat_penalty));
    options
}

/// The field `keep_alive`, in Go's words for a duration; without an end: -1.
pub fn keep_alive_json(keep: KeepAlive) -> Value {
    match keep {
        KeepAlive::Forever => json!(-1),
        KeepAlive::For(Duration::ZERO) => json!(0),
        KeepAlive::For(time) => json!(format!("{}ms", time.as_millis())),
    }
}

fn think_json(think: Think) -> Value {
    match think {
        Think::Off => json!(false),
        Think::On => json!(true),
        Think::Low => json!("low"),
        Think::Medium => json!("medium"),
        Think::High => json!("high"),
        Think::Max => json!("max"),
    }
}

fn message_json(messages: &[Message], place: usize) -> Result<Value, ProviderError> {
    let message = &messages[place];
    let role = match message.role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    };
    let mut value = Map::new();
    put(&mut value, "role", Some(role));
    put(&mut value, "content", Some(message.joined_text()));
    put(&mut value, "thinking", message.reasoning.as_deref());
    let mut images = Vec::new();
    for (i, part) in message.parts.iter().enumerate() {
        if let Part::File { .. } = part {
            let path = format!("messages[{place}].content[{i}]");
            return Err(refused(path, "Ollama reads no PDF files. Send the text instead."));
        }
        if let Part::Image { url } = part {
            let bytes = base64_of(url).ok_or_else(|| {
                let path = format!("messages[{place}].content[{i}]");
                refused(
                    path,
                    "A local model is given an image's bytes: send it as a `data:` URL in base64.",
                )
            })?;
            images.push(Value::from(bytes));
        }
    }
    put(&mut value, "images", (!images.is_empty()).then_some(images));
    let calls: Vec<Value> = message
        .tool_calls
        .iter()
        .map(|call| {
            let arguments = arguments_object(&call.arguments);
            json!({"id": call.id, "function": {"name": call.name, "arguments": arguments}})
        })
        .collect();
    put(&mut value, "tool_calls", (!calls.is_empty()).then_some(calls));
    if message.role == Role::Tool {
        let called = message.tool_call_id.as_deref();
        let known = messages[..place].iter().flat_map(|m| &m.tool_calls);
        let name = known.rev().find(|call| Some(call.id.as_str()) == called);
        let name = message.name.as_deref().or(name.map(|call| call.name.as_str()));
        put(&mut value, "tool_name", name);
        put(&mut value, "tool_call_id", called);
    }
    Ok(Value::Object(value))
}

/// The base64 of a `data:` URL.
fn base64_of(url: &str) -> Option<&str> {
    let (head, bytes) = url.strip_prefix("data:")?.split_once(',')?;
    (head.ends_with(";base64") && is_base64(bytes)).then_some(bytes)
}

#[cfg(test)]
mod tests;
