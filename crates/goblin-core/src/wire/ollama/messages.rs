//! The `messages` and `images` of an Ollama request → core messages.

use serde_json::value::RawValue;

use crate::chat::{Message, Part, Role, ToolCall};
use crate::error::ApiError;
use crate::limits::{MAX_IMAGES, MAX_MESSAGES, MAX_TOOLS};
use crate::wire::fields::{
    Object, array, expect_kind, get, object, one_of, optional, required, short_string, string,
};
use crate::wire::images;

const ROLES: [(&str, Role); 4] = [
    ("system", Role::System),
    ("user", Role::User),
    ("assistant", Role::Assistant),
    ("tool", Role::Tool),
];

/// Reads every message; none at all are none.
pub(super) fn read_messages(fields: &Object<'_>) -> Result<Vec<Message>, ApiError> {
    let Some(raw) = get(fields, "messages") else {
        return Ok(Vec::new());
    };
    let mut open = OpenCalls::default();
    let mut messages = Vec::new();
    for (i, raw) in array::<MAX_MESSAGES>(raw, "messages")?.into_iter().enumerate() {
        messages.push(read_message(raw, &format!("messages[{i}]"), &mut open)?);
    }
    images::not_too_many(&messages)?;
    Ok(messages)
}

/// Calls that no `tool` message has answered yet. Older clients know neither ids of calls nor whom a result answers,
/// only the tool's name: calls then get ids in their order, and a result answers the first open call of its tool, else
/// the first open call.
#[derive(Default)]
struct OpenCalls {
    made: Vec<String>,
    open: Vec<(String, String)>,
}

impl OpenCalls {
    fn made(&mut self, id: Option<String>, name: &str) -> String {
        let id = id.unwrap_or_else(|| format!("call_{}", self.made.len()));
        self.made.push(id.clone());
        self.open.push((id.clone(), name.to_owned()));
        id
    }

    /// The id of the call that a result answers; `None` when no call was made that it could.
    fn answered(&mut self, id: Option<String>, tool: Option<&str>) -> Option<String> {
        let by_id = |(open, _): &(String, String)| id.as_ref() == Some(open);
        let by_name = |(_, name): &(String, String)| tool == Some(name);
        let place = match &id {
            Some(_) => self.open.iter().position(by_id),
            None => self
                .open
                .iter()
                .position(by_name)
                .or((!self.open.is_empty()).then_some(0)),
        };
        let found = place.map(|place| self.open.remove(place).0);
        // A call may be answered twice.
        id.filter(|id| self.made.contains(id)).or(found)
    }
}

fn read_message(raw: &RawValue, path: &str, open: &mut OpenCalls) -> Result<Message, ApiError> {
    let fields = object(raw, path)?;
    let role = required(&fields, path, "role", |r, p| one_of(r, p, &ROLES))?;
    let text = optional(&fields, path, "content", string)?.unwrap_or_default();
    let images = read_images(&fields, path)?;
    if role != Role::User && !images.is_empty() {
        return Err(ApiError::invalid(
            format!("{path}.images"),
            "Only messages of the `user` role may hold images.",
        ));
    }
    let tool_calls = read_tool_calls(&fields, path, role, open)?;
    let mut parts = Vec::new();
    if !text.is_empty() || (tool_calls.is_empty() && images.is_empty()) {
        parts.push(Part::Text {
            text: text.into_owned(),
        });
    }
    parts.extend(images);
    let (mut name, mut tool_call_id) = (None, None);
    if role == Role::Tool {
        name = optional(&fields, path, "tool_name", |r, p| {
            short_string(r, p, 256).map(String::from)
        })?;
        let id = optional(&fields, path, "tool_call_id", |r, p| {
            short_string(r, p, 256).map(String::from)
        })?;
        let answered = open.answered(id, name.as_deref()).ok_or_else(|| {
            let message = format!(
                "`{path}` is the result of a call that no message before it makes. Send the call too."
            );
            ApiError::invalid(path, message)
        })?;
        tool_call_id = Some(answered);
    }
    let thinking = optional(&fields, path, "thinking", string)?;
    let thinking = thinking.filter(|t| role == Role::Assistant && !t.is_empty());
    Ok(Message {
        role,
        parts,
        name,
        reasoning: thinking.map(String::from),
        tool_calls,
        tool_call_id,
    })
}

/// The field `images` of the object at `path`: bytes in base64.
pub(super) fn read_images(fields: &Object<'_>, path: &str) -> Result<Vec<Part>, ApiError> {
    let read = |raw, path: &str| {
        let items = array::<MAX_IMAGES>(raw, path)?.into_iter().enumerate();
        let read = |(i, raw): (usize, &RawValue)| {
            let path = format!("{path}[{i}]");
            let url = images::url_of_bytes(&string(raw, &path)?, &path)?;
            Ok(Part::Image { url })
        };
        items.map(read).collect()
    };
    Ok(optional(fields, path, "images", read)?.unwrap_or_default())
}

fn read_tool_calls(
    fields: &Object<'_>,
    path: &str,
    role: Role,
    open: &mut OpenCalls,
) -> Result<Vec<ToolCall>, ApiError> {
    let items = optional(fields, path, "tool_calls", array::<MAX_TOOLS>)?.unwrap_or_default();
    let path = format!("{path}.tool_calls");
    if role != Role::Assistant && !items.is_empty() {
        return Err(ApiError::invalid(
            path,
            "Only messages of the `assistant` role make tool calls.",
        ));
    }
    let mut calls = Vec::new();
    for (i, raw) in items.into_iter().enumerate() {
        let path = format!("{path}[{i}]");
        let call = object(raw, &path)?;
        let id = optional(&call, &path, "id", string)?.filter(|id| !id.is_empty());
        let function_path = format!("{path}.function");
        let function = required(&call, &path, "function", object)?;
        let name = required(&function, &function_path, "name", |r, p| short_string(r, p, 256))?;
        let arguments = optional(&function, &function_path, "arguments", |r, p| {
            expect_kind(r, p, "an object").map(|()| r.get())
        })?;
        calls.push(ToolCall {
            id: open.made(id.map(String::from), &name),
            name: name.into_owned(),
            arguments: arguments.unwrap_or("{}").to_owned(),
            seal: None,
        });
    }
    Ok(calls)
}
