//! The `messages` of a request → core messages.

use serde_json::value::RawValue;

use crate::chat::{Message, Part, Role, ToolCall};
use crate::error::ApiError;
use crate::limits::{MAX_MESSAGES, MAX_TOOLS};
use crate::wire::fields::{
    Object, array, expect_kind, get, object, one_of, optional, required, short_string, string,
};
use crate::wire::files;

/// Most parts of one message.
const MAX_PARTS: usize = 1000;

const ROLES: [(&str, Role); 5] = [
    ("system", Role::System),
    ("developer", Role::System),
    ("user", Role::User),
    ("assistant", Role::Assistant),
    ("tool", Role::Tool),
];

/// The items of `messages`: at least one, at most [`MAX_MESSAGES`].
pub(super) fn message_items<'a>(fields: &Object<'a>) -> Result<Vec<&'a RawValue>, ApiError> {
    let Some(raw) = get(fields, "messages") else {
        return Err(ApiError::invalid(
            "messages",
            "`messages` is missing. Send at least one message.",
        ));
    };
    let items = array::<MAX_MESSAGES>(raw, "messages")?;
    if items.is_empty() {
        return Err(ApiError::invalid(
            "messages",
            "`messages` is empty. Send at least one message.",
        ));
    }
    Ok(items)
}

/// Reads every message.
pub(super) fn read_messages(fields: &Object<'_>) -> Result<Vec<Message>, ApiError> {
    let items = message_items(fields)?;
    items
        .into_iter()
        .enumerate()
        .map(|(i, raw)| read_message(raw, &format!("messages[{i}]")))
        .collect()
}

fn read_message(raw: &RawValue, path: &str) -> Result<Message, ApiError> {
    let fields = object(raw, path)?;
    let role_path = format!("{path}.role");
    let Some(role) = get(&fields, "role") else {
        return Err(ApiError::invalid(
            role_path,
            "A message must say whose it is: add its `role`.",
        ));
    };
    let role = one_of(role, &role_path, &ROLES)?;
    let tool_calls = read_tool_calls(&fields, path)?;
    if role != Role::Assistant && !tool_calls.is_empty() {
        return Err(ApiError::invalid(
            format!("{path}.tool_calls"),
            "Only messages of the `assistant` role make tool calls.",
        ));
    }
    let parts = read_content(&fields, path, role, !tool_calls.is_empty())?;
    Ok(Message {
        role,
        parts,
        name: get(&fields, "name")
            .map(|raw| short_string(raw, &format!("{path}.name"), 256).map(String::from))
            .transpose()?,
        tool_calls,
        reasoning: read_reasoning(&fields, path, role)?,
        tool_call_id: read_tool_call_id(&fields, path, role)?,
    })
}

/// What the assistant thought, given back to it: DeepSeek's and vLLM's `reasoning_content`.
fn read_reasoning(fields: &Object<'_>, path: &str, role: Role) -> Result<Option<String>, ApiError> {
    if role != Role::Assistant {
        return Ok(None);
    }
    let text = optional(fields, path, "reasoning_content", string)?;
    Ok(text.filter(|t| !t.is_empty()).map(String::from))
}

fn read_tool_call_id(fields: &Object<'_>, path: &str, role: Role) -> Result<Option<String>, ApiError> {
    let path = format!("{path}.tool_call_id");
    match get(fields, "tool_call_id") {
        Some(raw) => Ok(Some(short_string(raw, &path, 256)?.into_owned())),
        None if role == Role::Tool => Err(ApiError::invalid(
            path,
            "A message of the `tool` role must name the call it answers in `tool_call_id`.",
        )),
        None => Ok(None),
    }
}

fn read_content(fields: &Object<'_>, path: &str, role: Role, has_calls: bool) -> Result<Vec<Part>, ApiError> {
    let path = format!("{path}.content");
    let Some(raw) = get(fields, "content") else {
        if has_calls {
            return Ok(Vec::new());
        }
        if let Some(refusal) = get(fields, "refusal").filter(|_| role == Role::Assistant) {
            return Ok(vec![Part::Text {
                text: string(refusal, &path)?.into_owned(),
            }]);
        }
        return Err(ApiError::invalid(
            path,
            "The message has no content. Send a string or an array of parts.",
        ));
    };
    match raw.get().as_bytes().first() {
        Some(b'"') => Ok(vec![Part::Text {
            text: string(raw, &path)?.into_owned(),
        }]),
        Some(b'[') => {
            let items = array::<MAX_PARTS>(raw, &path)?;
            if items.is_empty() {
                return Err(ApiError::invalid(
                    path,
                    "The message's content is empty. Send at least one part.",
                ));
            }
            let read = |(i, item)| read_part(item, &format!("{path}[{i}]"), role);
            items.into_iter().enumerate().map(read).collect()
        }
        _ => Err(ApiError::invalid(
            path.clone(),
            format!(
                "`{path}` must be a string or an array of parts, not {}.",
                crate::wire::json::kind(raw)
            ),
        )),
    }
}

#[derive(Clone, Copy)]
enum PartKind {
    Text,
    Refusal,
    Image,
    File,
    Unreadable,
}

const PART_KINDS: [(&str, PartKind); 5] = [
    ("text", PartKind::Text),
    ("image_url", PartKind::Image),
    ("refusal", PartKind::Refusal),
    ("input_audio", PartKind::Unreadable),
    ("file", PartKind::File),
];

fn read_part(raw: &RawValue, path: &str, role: Role) -> Result<Part, ApiError> {
    let fields = object(raw, path)?;
    let kind_path = format!("{path}.type");
    let kind = match get(&fields, "type") {
        Some(raw) => one_of(raw, &kind_path, &PART_KINDS)?,
        None => {
            return Err(ApiError::invalid(
                kind_path,
                "A part must say what it is: add its `type`, for example `text`.",
            ));
        }
    };
    let text = |name: &str| {
        let path = format!("{path}.{name}");
        match get(&fields, name) {
            Some(raw) => Ok(Part::Text {
                text: string(raw, &path)?.into_owned(),
            }),
            None => Err(ApiError::invalid(path, format!("The part has no `{name}`."))),
        }
    };
    match kind {
        PartKind::Text => text("text"),
        PartKind::Refusal => text("refusal"),
        PartKind::Image if role == Role::User => Ok(Part::Image {
            url: image_url(&fields, &format!("{path}.image_url"))?,
        }),
        PartKind::Image => Err(ApiError::invalid(
            kind_path,
            "Only messages of the `user` role may hold images.",
        )),
        PartKind::File if role == Role::User => {
            files::of_openai(&required(&fields, path, "file", object)?, &format!("{path}.file"))
        }
        PartKind::File => Err(ApiError::invalid(
            kind_path,
            "Only messages of the `user` role may hold files.",
        )),
        PartKind::Unreadable => Err(ApiError::invalid(
            kind_path,
            "This server reads text, images and PDF files only. Put the content in as `text`.",
        )),
    }
}

/// The address in a part's `image_url`, which must be `data:` or `https:`.
pub(super) fn image_url(part: &Object<'_>, path: &str) -> Result<String, ApiError> {
    let url_path = format!("{path}.url");
    let Some(raw) = get(part, "image_url") else {
        return Err(ApiError::invalid(
            url_path,
            "The image has no address. Send a `data:` or `https:` URL.",
        ));
    };
    let image = object(raw, path)?;
    let Some(raw) = get(&image, "url") else {
        return Err(ApiError::invalid(
            url_path,
            "The image has no address. Send a `data:` or `https:` URL.",
        ));
    };
    let url = string(raw, &url_path)?;
    let scheme = |s: &str| {
        url.get(..s.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(s))
    };
    if scheme("data:image/") || scheme("https://") {
        return Ok(url.into_owned());
    }
    Err(ApiError::invalid(
        url_path,
        "An image's address must begin with `data:image/` or `https://`.",
    ))
}

fn read_tool_calls(fields: &Object<'_>, path: &str) -> Result<Vec<ToolCall>, ApiError> {
    let Some(raw) = get(fields, "tool_calls") else {
        return Ok(Vec::new());
    };
    let path = format!("{path}.tool_calls");
    let items = array::<MAX_TOOLS>(raw, &path)?;
    items
        .into_iter()
        .enumerate()
        .map(|(i, raw)| read_tool_call(raw, &format!("{path}[{i}]")))
        .collect()
}

/// What the maker of the model wants back with the call, as [`super::ChunkEncoder`] wrote it.
pub(super) fn read_seal(fields: &Object<'_>, path: &str) -> Result<Option<String>, ApiError> {
    let path = format!("{path}.extra_content");
    let Some(extra) = get(fields, "extra_content") else {
        return Ok(None);
    };
    let extra = object(extra, &path)?;
    let Some(ours) = get(&extra, "goblin") else {
        return Ok(None);
    };
    let path = format!("{path}.goblin");
    let seal = optional(&object(ours, &path)?, &path, "seal", string)?;
    Ok(seal.map(String::from))
}

fn read_tool_call(raw: &RawValue, path: &str) -> Result<ToolCall, ApiError> {
    let fields = object(raw, path)?;
    if let Some(kind) = get(&fields, "type") {
        one_of(kind, &format!("{path}.type"), &[("function", ())])?;
    }
    let required = |fields: &Object<'_>, name: &str, path: String| match get(fields, name) {
        Some(raw) => string(raw, &path).map(String::from),
        None => Err(ApiError::invalid(path, format!("The tool call has no `{name}`."))),
    };
    let function_path = format!("{path}.function");
    let Some(function) = get(&fields, "function") else {
        return Err(ApiError::invalid(
            function_path,
            "The tool call has no `function`.",
        ));
    };
    expect_kind(function, &function_path, "an object")?;
    let function = object(function, &function_path)?;
    Ok(ToolCall {
        seal: read_seal(&fields, path)?,
        id: required(&fields, "id", format!("{path}.id"))?,
        name: required(&function, "name", format!("{function_path}.name"))?,
        arguments: required(&function, "arguments", format!("{function_path}.arguments"))?,
    })
}
