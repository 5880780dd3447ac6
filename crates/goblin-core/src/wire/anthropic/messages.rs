//! The `messages` of a request and their content blocks → core messages.

use serde_json::value::RawValue;

use super::events::SEALED;
use crate::chat::{Message, Part, Role, ToolCall};
use crate::error::ApiError;
use crate::limits::MAX_MESSAGES;
use crate::wire::base64::is_base64;
use crate::wire::fields::{
    Object, array, boolean, expect_kind, get, object, one_of, optional, required, string,
};
use crate::wire::files;
use crate::wire::json::kind;

/// Most blocks of one message.
const MAX_BLOCKS: usize = 1000;

const ROLES: [(&str, Role); 2] = [("user", Role::User), ("assistant", Role::Assistant)];

/// Reads every message, at least one.
pub(super) fn read_messages(fields: &Object<'_>) -> Result<Vec<Message>, ApiError> {
    let items = required(fields, "", "messages", array::<MAX_MESSAGES>)?;
    if items.is_empty() {
        return Err(ApiError::invalid(
            "messages",
            "`messages` is empty. Send at least one message.",
        ));
    }
    let mut messages = Vec::with_capacity(items.len());
    for (i, raw) in items.into_iter().enumerate() {
        read_message(raw, &format!("messages[{i}]"), &mut messages)?;
    }
    Ok(messages)
}

fn read_message(raw: &RawValue, path: &str, out: &mut Vec<Message>) -> Result<(), ApiError> {
    let fields = object(raw, path)?;
    let role = required(&fields, path, "role", |r, p| one_of(r, p, &ROLES))?;
    let mut message = Message::text(role, "");
    message.parts.clear();
    let path = format!("{path}.content");
    let Some(content) = get(&fields, "content") else {
        return Err(ApiError::invalid(
            path,
            "The message has no content. Send a string or an array of blocks.",
        ));
    };
    let mut said = Said {
        message,
        results: Vec::new(),
        reasoning: String::new(),
        seal: None,
    };
    match kind(content) {
        "a string" => said.message.parts.push(text_part(string(content, &path)?)),
        "an array" => {
            let items = array::<MAX_BLOCKS>(content, &path)?;
            if items.is_empty() {
                return Err(ApiError::invalid(
                    path,
                    "The message's content is empty. Send at least one block.",
                ));
            }
            for (i, raw) in items.into_iter().enumerate() {
                said.read_block(raw, &format!("{path}[{i}]"), out)?;
            }
        }
        other => {
            let message = format!("`{path}` must be a string or an array of blocks, not {other}.");
            return Err(ApiError::invalid(path, message));
        }
    }
    said.put(out);
    Ok(())
}

/// One wire message, on its way to become one or more core messages.
struct Said {
    message: Message,
    results: Vec<Message>,
    reasoning: String,
    /// What the next call brings back to the maker of its model.
    seal: Option<String>,
}

#[derive(Clone, Copy)]
enum Block {
    Text,
    Image,
    Document,
    ToolUse,
    ToolResult,
    Thinking,
    HiddenThinking,
}

const BLOCKS: [(&str, Block); 7] = [
    ("text", Block::Text),
    ("image", Block::Image),
    ("document", Block::Document),
    ("tool_use", Block::ToolUse),
    ("tool_result", Block::ToolResult),
    ("thinking", Block::Thinking),
    ("redacted_thinking", Block::HiddenThinking),
];

impl Said {
    /// `before` is what was said before.
    fn read_block(&mut self, raw: &RawValue, path: &str, before: &[Message]) -> Result<(), ApiError> {
        let fields = object(raw, path)?;
        let block = required(&fields, path, "type", |r, p| one_of(r, p, &BLOCKS))?;
        let whose = match block {
            Block::Text => None,
            Block::Image | Block::Document | Block::ToolResult => Some(Role::User),
            Block::ToolUse | Block::Thinking | Block::HiddenThinking => Some(Role::Assistant),
        };
        if whose.is_some_and(|role| role != self.message.role) {
            let path = format!("{path}.type");
            let message = format!("`{path}` names a block that messages of this role cannot hold.");
            return Err(ApiError::invalid(path, message));
        }
        match block {
            Block::Text => {
                let text = required(&fields, path, "text", string)?;
                self.message.parts.push(text_part(text));
            }
            Block::Image => self.message.parts.push(read_image(&fields, path)?),
            Block::Document => self.message.parts.extend(read_document(&fields, path)?),
            Block::ToolUse => self.message.tool_calls.push(ToolCall {
                id: required(&fields, path, "id", non_empty)?,
                name: required(&fields, path, "name", non_empty)?,
                arguments: required(&fields, path, "input", |r, p| {
                    expect_kind(r, p, "an object").map(|()| r.get().to_owned())
                })?,
                seal: self.seal.take(),
            }),
            Block::ToolResult => self.read_result(&fields, path, before)?,
            Block::Thinking => {
                let thought = required(&fields, path, "thinking", string)?;
                self.reasoning.push_str(&thought);
            }
            // Only its maker could read it, and ours goes back to its maker with the call that follows.
            Block::HiddenThinking => {
                let data = optional(&fields, path, "data", string)?.unwrap_or_default();
                self.seal = data.strip_prefix(SEALED).map(str::to_owned);
            }
        }
        Ok(())
    }

    fn read_result(&mut self, fields: &Object<'_>, path: &str, before: &[Message]) -> Result<(), ApiError> {
        let mut result = Message::text(Role::Tool, "");
        let call = required(fields, path, "tool_use_id", non_empty)?;
        let is_made = before
            .iter()
            .flat_map(|m| &m.tool_calls)
            .any(|made| made.id == call);
        result.tool_call_id = Some(call);
        let id_path = format!("{path}.tool_use_id");
        let failed = optional(fields, path, "is_error", boolean)?.unwrap_or(false);
        let mut text = if failed { "The tool failed: " } else { "" }.to_owned();
        let path = format!("{path}.content");
        match get(fields, "content") {
            None => {}
            Some(raw) if kind(raw) == "a string" => text.push_str(&string(raw, &path)?),
            Some(raw) => {
                for (i, raw) in array::<MAX_BLOCKS>(raw, &path)?.into_iter().enumerate() {
                    let path = format!("{path}[{i}]");
                    let fields = object(raw, &path)?;
                    let kinds = [
                        ("text", Block::Text),
                        ("image", Block::Image),
                        ("document", Block::Document),
                    ];
                    match required(&fields, &path, "type", |r, p| one_of(r, p, &kinds))? {
                        Block::Image => self.message.parts.push(read_image(&fields, &path)?),
                        Block::Document => {
                            for part in read_document(&fields, &path)? {
                                match part {
                                    Part::Text { text: document } => text.push_str(&document),
                                    file => self.message.parts.push(file),
                                }
                            }
                        }
                        _ => text.push_str(&required(&fields, &path, "text", string)?),
                    }
                }
            }
        }
        if !is_made {
            let message =
                format!("`{id_path}` names a call that no message before it makes. Send its `tool_use` too.");
            return Err(ApiError::invalid(id_path, message));
        }
        result.parts = vec![Part::Text { text }];
        self.results.push(result);
        Ok(())
    }

    fn put(mut self, out: &mut Vec<Message>) {
        let only_results = !self.results.is_empty() && self.message.parts.is_empty();
        out.append(&mut self.results);
        self.message.reasoning = Some(self.reasoning).filter(|r| !r.is_empty());
        if !only_results {
            out.push(self.message);
        }
    }
}

fn text_part(text: impl Into<String>) -> Part {
    Part::Text { text: text.into() }
}

fn non_empty(raw: &RawValue, path: &str) -> Result<String, ApiError> {
    crate::wire::fields::short_string(raw, path, 256).map(String::from)
}

/// A string, or blocks of text.
pub(super) fn blocks_of_text(raw: &RawValue, path: &str) -> Result<Vec<Part>, ApiError> {
    if kind(raw) == "a string" {
        let text = string(raw, path)?;
        return Ok(if text.is_empty() {
            Vec::new()
        } else {
            vec![text_part(text)]
        });
    }
    if kind(raw) != "an array" {
        return Err(ApiError::invalid(
            path,
            format!(
                "`{path}` must be a string or an array of text blocks, not {}.",
                kind(raw)
            ),
        ));
    }
    let items = array::<MAX_BLOCKS>(raw, path)?.into_iter().enumerate();
    let read = |(i, raw): (usize, &RawValue)| {
        let path = format!("{path}[{i}]");
        let fields = object(raw, &path)?;
        required(&fields, &path, "type", |r, p| one_of(r, p, &[("text", ())]))?;
        required(&fields, &path, "text", string).map(text_part)
    };
    items.map(read).collect()
}

fn read_image(fields: &Object<'_>, path: &str) -> Result<Part, ApiError> {
    let source_path = format!("{path}.source");
    let source = required(fields, path, "source", object)?;
    let kinds = [("base64", true), ("url", false)];
    if required(&source, &source_path, "type", |r, p| one_of(r, p, &kinds))? {
        let media = ["image/jpeg", "image/png", "image/gif", "image/webp"].map(|m| (m, m));
        let media = required(&source, &source_path, "media_type", |r, p| one_of(r, p, &media))?;
        let data = required(&source, &source_path, "data", string)?;
        if !is_base64(&data) {
            let path = format!("{source_path}.data");
            let message = format!("`{path}` must be the image's bytes in base64.");
            return Err(ApiError::invalid(path, message));
        }
        return Ok(Part::Image {
            url: format!("data:{media};base64,{data}"),
        });
    }
    let url = required(&source, &source_path, "url", string)?;
    let scheme = url.get(..8).unwrap_or_default();
    if !scheme.eq_ignore_ascii_case("https://") {
        let path = format!("{source_path}.url");
        let message = format!("`{path}` must begin with `https://`.");
        return Err(ApiError::invalid(path, message));
    }
    Ok(Part::Image {
        url: url.into_owned(),
    })
}

/// A document of text, as text the model can tell from the question; a PDF as it is, behind what is said about it.
fn read_document(fields: &Object<'_>, path: &str) -> Result<Vec<Part>, ApiError> {
    let source_path = format!("{path}.source");
    let source = required(fields, path, "source", object)?;
    let kind_path = format!("{source_path}.type");
    let title = optional(fields, path, "title", string)?.unwrap_or_default();
    let context = optional(fields, path, "context", string)?.unwrap_or_default();
    let text = match required(&source, &source_path, "type", string)?.as_ref() {
        "text" => required(&source, &source_path, "data", string)?.into_owned(),
        "content" => {
            let parts = required(&source, &source_path, "content", blocks_of_text)?;
            let mut message = Message::text(Role::User, "");
            message.parts = parts;
            message.joined_text()
        }
        "base64" => {
            required(&source, &source_path, "media_type", |r, p| {
                one_of(r, p, &[(files::PDF, ())])
            })?;
            let data = required(&source, &source_path, "data", string)?;
            let name = Some(title.into_owned()).filter(|title| !title.is_empty());
            let pdf = files::pdf_of_bytes(&data, name, &format!("{source_path}.data"))?;
            let about = (!context.is_empty()).then(|| text_part(context));
            return Ok(about.into_iter().chain([pdf]).collect());
        }
        _ => {
            return Err(ApiError::invalid(
                kind_path.clone(),
                format!(
                    "`{kind_path}` must be `base64` (a PDF), `text` or `content`: this server keeps no files and fetches \
                     none. Send the bytes."
                ),
            ));
        }
    };
    let mut document = String::from("<document>\n");
    for about in [title, context] {
        if !about.is_empty() {
            document.push_str(&about);
            document.push('\n');
        }
    }
    document.push_str(&text);
    document.push_str("\n</document>");
    Ok(vec![Part::Text { text: document }])
}
