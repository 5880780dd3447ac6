//! `POST /api/chat`, `/api/generate`, `/api/embed` and `/api/embeddings` → core words.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::messages::{read_images, read_messages};
use super::options::{Settings, read_keep_alive, read_settings};
use crate::chat::{ChatRequest, KeepAlive, Message, Part, Role, Think};
use crate::completion::CompletionRequest;
use crate::embed::EmbedRequest;
use crate::error::ApiError;
use crate::route::AUTOMATIC;
use crate::wire::fields::{Object, boolean, get, model_name, optional, required, string, top};
use crate::wire::openai::embeddings::{dimensions, embed_inputs};
use crate::wire::openai::tools::read_tools;

/// A request of `POST /api/chat`.
#[derive(Clone, Debug)]
pub struct OllamaChat {
    /// The request in core words. Its `raw` is empty: context, residency and length are this server's to decide, so
    /// the caller's own bytes are never forwarded.
    pub request: ChatRequest,
    /// Was a stream asked for? The default is yes.
    pub stream: bool,
    /// What is wanted: without messages nothing is answered.
    pub wanted: Wanted,
}

/// What a chat request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// An answer.
    Answer,
    /// The model in memory.
    Load,
    /// The model out of memory.
    Unload,
}

/// A request of `POST /api/generate`.
#[derive(Clone, Debug)]
pub struct OllamaGenerate {
    /// The model's name as the caller wrote it.
    pub model: String,
    /// Was a stream asked for? The default is yes.
    pub stream: bool,
    /// How long the model stays in memory, also for [`Generate::Load`].
    pub keep_alive: Option<KeepAlive>,
    /// The context asked for in tokens, also for [`Generate::Load`].
    pub context_tokens: Option<u32>,
    /// What is wanted.
    pub wanted: Generate,
}

/// What a generate request wants.
#[derive(Clone, Debug)]
pub enum Generate {
    /// The model in memory: an empty prompt.
    Load,
    /// The model out of memory: an empty prompt and `keep_alive` 0.
    Unload,
    /// An answer to the prompt, with the model's template.
    Chat(ChatRequest),
    /// The prompt continued as it stands (`raw`), or its gap filled (`suffix`).
    Complete(CompletionRequest),
}

/// A request of `POST /api/embed`, or of the older `/api/embeddings`.
#[derive(Clone, Debug)]
pub struct OllamaEmbed {
    /// The request in core words.
    pub request: EmbedRequest,
    /// Is the older answer wanted, `{"embedding": [...]}` of the one text?
    pub legacy: bool,
}

/// The model asked for. Clients put `:latest` behind names without a tag, also behind those that let goblin choose.
fn read_model(fields: &Object<'_>) -> Result<String, ApiError> {
    match get(fields, "model").or_else(|| get(fields, "name")) {
        Some(raw) => {
            let name = model_name(raw, "model")?;
            let untagged = name.strip_suffix(":latest").filter(|n| AUTOMATIC.contains(n));
            Ok(untagged.map_or_else(|| name.clone(), str::to_owned))
        }
        None => Err(ApiError::invalid(
            "model",
            "`model` is missing. Name one of GET /api/tags.",
        )),
    }
}

/// Is the model to leave memory at once?
fn leaves(keep_alive: Option<KeepAlive>) -> bool {
    matches!(keep_alive, Some(KeepAlive::For(time)) if time.is_zero())
}

fn chat_request(model: String, messages: Vec<Message>, settings: Settings) -> ChatRequest {
    ChatRequest {
        model,
        messages,
        sampling: settings.sampling,
        format: settings.format,
        stream: settings.stream,
        think: settings.think,
        context_tokens: settings.context_tokens,
        keep_alive: settings.keep_alive,
        ..ChatRequest::default()
    }
}

/// Reads the body of `POST /api/chat`.
///
/// # Errors
/// `invalid_json` for what is not JSON, otherwise `invalid_request` with the path of the field at fault.
pub fn parse_chat(body: &Bytes) -> Result<OllamaChat, ApiError> {
    let fields = top(body)?;
    let model = read_model(&fields)?;
    let messages = read_messages(&fields)?;
    let settings = read_settings(&fields)?;
    let wanted = match messages.is_empty() {
        false => Wanted::Answer,
        true if leaves(settings.keep_alive) => Wanted::Unload,
        true => Wanted::Load,
    };
    let stream = settings.stream;
    let mut request = chat_request(model, messages, settings);
    request.tools = read_tools(&fields)?;
    Ok(OllamaChat {
        request,
        stream,
        wanted,
    })
}

/// Reads the body of `POST /api/generate`.
///
/// # Errors
/// As [`parse_chat`]; also for `template` and `context`, which cannot be served here.
pub fn parse_generate(body: &Bytes) -> Result<OllamaGenerate, ApiError> {
    let fields = top(body)?;
    let model = read_model(&fields)?;
    refuse_what_cannot_be_said(&fields)?;
    let text = |name: &str| -> Result<String, ApiError> {
        Ok(optional(&fields, "", name, string)?.map_or_else(String::new, String::from))
    };
    let (prompt, system, suffix) = (text("prompt")?, text("system")?, text("suffix")?);
    let images = read_images(&fields, "")?;
    let raw = optional(&fields, "", "raw", boolean)?.unwrap_or(false);
    let settings = read_settings(&fields)?;
    let (stream, keep_alive, context_tokens) =
        (settings.stream, settings.keep_alive, settings.context_tokens);
    let wanted = if prompt.is_empty() && suffix.is_empty() && images.is_empty() {
        match leaves(keep_alive) {
            true => Generate::Unload,
            false => Generate::Load,
        }
    } else if raw || !suffix.is_empty() {
        refuse_beside_raw(&system, &images, settings.think)?;
        Generate::Complete(CompletionRequest {
            model: model.clone(),
            prompt,
            suffix: Some(suffix).filter(|s| !s.is_empty()),
            sampling: settings.sampling,
            format: settings.format,
            context_tokens,
            keep_alive,
            ..CompletionRequest::default()
        })
    } else {
        let mut messages = Vec::new();
        if !system.is_empty() {
            messages.push(Message::text(Role::System, system));
        }
        let mut question = Message::text(Role::User, prompt);
        question.parts.extend(images);
        messages.push(question);
        Generate::Chat(chat_request(model.clone(), messages, settings))
    };
    Ok(OllamaGenerate {
        model,
        stream,
        keep_alive,
        context_tokens,
        wanted,
    })
}

fn refuse_what_cannot_be_said(fields: &Object<'_>) -> Result<(), ApiError> {
    if let Some(template) = optional(fields, "", "template", string)?
        && !template.is_empty()
    {
        return Err(ApiError::invalid(
            "template",
            "`template` is not supported: a model is asked with its own. Send the whole text with `raw`: true instead.",
        ));
    }
    let said = |raw: &RawValue| {
        raw.get()
            .bytes()
            .filter(|b| !b.is_ascii_whitespace())
            .take(3)
            .ne(*b"[]")
    };
    if get(fields, "context").is_some_and(said) {
        return Err(ApiError::invalid(
            "context",
            "`context` is not supported: send the conversation so far as `messages` to /api/chat.",
        ));
    }
    Ok(())
}

fn refuse_beside_raw(system: &str, images: &[Part], think: Option<Think>) -> Result<(), ApiError> {
    let field = match (system.is_empty(), images.is_empty(), think) {
        (false, ..) => "system",
        (_, false, _) => "images",
        (.., Some(think)) if think != Think::Off => "think",
        _ => return Ok(()),
    };
    Err(ApiError::invalid(
        field,
        format!("`{field}` cannot go with `raw` or `suffix`: without a template there is no place for it."),
    ))
}

/// Reads the body of `POST /api/embed`, or of `/api/embeddings` (one text in `prompt`).
///
/// # Errors
/// As [`parse_chat`].
pub fn parse_embed(body: &Bytes) -> Result<OllamaEmbed, ApiError> {
    let fields = top(body)?;
    let model = read_model(&fields)?;
    let legacy = get(&fields, "input").is_none() && get(&fields, "prompt").is_some();
    let inputs = match legacy {
        true => vec![required(&fields, "", "prompt", string)?.into_owned()],
        false => required(&fields, "", "input", embed_inputs)?,
    };
    if inputs.iter().any(String::is_empty) {
        let field = if legacy { "prompt" } else { "input" };
        return Err(ApiError::invalid(
            field,
            format!("`{field}` holds an empty text, which has no embedding. Leave it out."),
        ));
    }
    Ok(OllamaEmbed {
        request: EmbedRequest {
            model,
            inputs,
            dimensions: optional(&fields, "", "dimensions", dimensions)?,
            // Ollama's default. The vector is then of the beginning of the text.
            truncate: optional(&fields, "", "truncate", boolean)?.unwrap_or(true),
            keep_alive: read_keep_alive(&fields)?,
            ..EmbedRequest::default()
        },
        legacy,
    })
}
