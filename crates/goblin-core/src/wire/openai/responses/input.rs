//! The `input` of a request → core messages.

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use crate::chat::{Message, Part, Role, ToolCall};
use crate::error::ApiError;
use crate::limits::MAX_MESSAGES;
use crate::wire::fields::{Object, array, get, object, one_of, optional, required, short_string, string};
use crate::wire::files;
use crate::wire::json::kind;
use crate::wire::openai::messages::read_seal;

/// Most parts of one item.
const MAX_PARTS: usize = 1000;

/// A text that a person says, or items; after `earlier`, the items of a conversation that was kept.
pub(super) fn read_input(raw: &RawValue, path: &str, earlier: &[Value]) -> Result<Vec<Message>, ApiError> {
    let mut said = Said::default();
    for item in earlier {
        let raw = to_raw_value(item).map_err(ApiError::internal)?;
        said.read_item(&raw, "previous_response_id")?;
    }
    if kind(raw) == "a string" {
        let text = string(raw, path)?;
        if text.is_empty() {
            return Err(empty(path));
        }
        said.messages.push(Message::text(Role::User, text));
        return said.not_too_long();
    }
    if kind(raw) != "an array" {
        let message = format!("`{path}` must be a text or an array of items, not {}.", kind(raw));
        return Err(ApiError::invalid(path, message));
    }
    for (i, raw) in array::<MAX_MESSAGES>(raw, path)?.into_iter().enumerate() {
        said.read_item(raw, &format!("{path}[{i}]"))?;
    }
    let messages = said.not_too_long()?;
    if messages.is_empty() {
        return Err(empty(path));
    }
    Ok(messages)
}

/// The items of an input that was read, as they are kept: each with its type, its content as parts.
pub(super) fn items(raw: &RawValue) -> Vec<Value> {
    match serde_json::from_str(raw.get()).unwrap_or_default() {
        Value::Array(items) => items.into_iter().map(whole).collect(),
        text => vec![whole(json!({"role": "user", "content": text}))],
    }
}

/// The same items, those without a name with one that begins with the response's `suffix`.
pub fn named_items(mut items: Vec<Value>, suffix: &str) -> Vec<Value> {
    for (at, item) in items.iter_mut().enumerate() {
        if item["id"].is_string() {
            continue;
        }
        let kind = match item["type"].as_str() {
            Some("function_call") => "fc",
            Some("function_call_output") => "fco",
            Some("reasoning") => "rs",
            _ => "msg",
        };
        item["id"] = format!("{kind}_{suffix}_in_{at}").into();
    }
    items
}

fn whole(mut item: Value) -> Value {
    let Value::Object(fields) = &mut item else {
        return item;
    };
    let of_assistant = fields.get("role").is_some_and(|role| role == "assistant");
    let kind = fields.entry("type").or_insert_with(|| "message".into());
    if kind == "message"
        && let Some(content) = fields.get_mut("content")
        && content.is_string()
    {
        *content = match of_assistant {
            true => json!([{"type": "output_text", "text": content.take(), "annotations": []}]),
            false => json!([{"type": "input_text", "text": content.take()}]),
        };
    }
    fields.entry("status").or_insert_with(|| "completed".into());
    item
}

fn empty(path: &str) -> ApiError {
    ApiError::invalid(
        path,
        format!("`{path}` says nothing. Send a text, or at least one message."),
    )
}

const ROLES: [(&str, Role); 4] = [
    ("user", Role::User),
    ("assistant", Role::Assistant),
    ("system", Role::System),
    ("developer", Role::System),
];

/// The conversation so far.
#[derive(Default)]
struct Said {
    messages: Vec<Message>,
}

impl Said {
    fn read_item(&mut self, raw: &RawValue, path: &str) -> Result<(), ApiError> {
        let item = object(raw, path)?;
        let type_path = format!("{path}.type");
        let kind = match get(&item, "type") {
            Some(raw) => string(raw, &type_path)?,
            // A message may leave out that it is one.
            None => "message".into(),
        };
        match &*kind {
            "message" => self.read_message(&item, path),
            "reasoning" => self.read_reasoning(&item, path),
            "function_call" => self.read_call(&item, path),
            "function_call_output" => self.read_output(&item, path),
            "item_reference" => Err(ApiError::invalid(
                type_path.clone(),
                format!(
                    "`{type_path}` names an item that is not here: nothing is kept. Send the item itself."
                ),
            )),
            other => {
                let shown: String = other.chars().take(40).collect();
                let message = format!(
                    "`{type_path}` is `{shown}`. Items here are `message`, `function_call`, `function_call_output` and \
                     `reasoning`."
                );
                Err(ApiError::invalid(type_path, message))
            }
        }
    }

    /// What the assistant says goes on in its message until it has said something else: text after its calls.
    fn assistant(&mut self, begins: impl Fn(&Message) -> bool) -> &mut Message {
        let goes_on = self
            .messages
            .last()
            .is_some_and(|m| m.role == Role::Assistant && !begins(m));
        if !goes_on {
            self.messages.push(nothing(Role::Assistant));
        }
        let last = self.messages.len() - 1;
        &mut self.messages[last]
    }

    fn read_message(&mut self, item: &Object<'_>, path: &str) -> Result<(), ApiError> {
        let role = required(item, path, "role", |r, p| one_of(r, p, &ROLES))?;
        let mut parts = required(item, path, "content", |r, p| read_content(r, p, role))?;
        if role == Role::Assistant {
            let message = self.assistant(|m| !m.parts.is_empty() || !m.tool_calls.is_empty());
            message.parts.append(&mut parts);
        } else {
            self.messages.push(Message {
                parts,
                ..nothing(role)
            });
        }
        Ok(())
    }

    /// Reasoning in plain text goes back to the model; what only its maker could read (`encrypted_content`) stays away.
    fn read_reasoning(&mut self, item: &Object<'_>, path: &str) -> Result<(), ApiError> {
        let mut thought = String::new();
        for (list, kind) in [("content", "reasoning_text"), ("summary", "summary_text")] {
            let items = optional(item, path, list, array::<MAX_PARTS>)?.unwrap_or_default();
            // The summary says the same again, shorter.
            if !thought.is_empty() {
                break;
            }
            for (i, raw) in items.into_iter().enumerate() {
                let path = format!("{path}.{list}[{i}]");
                let part = object(raw, &path)?;
                required(&part, &path, "type", |r, p| one_of(r, p, &[(kind, ())]))?;
                thought.push_str(&required(&part, &path, "text", string)?);
            }
        }
        if thought.is_empty() {
            return Ok(());
        }
        let begins = |m: &Message| !m.parts.is_empty() || !m.tool_calls.is_empty();
        let message = self.assistant(begins);
        match &mut message.reasoning {
            Some(before) => before.push_str(&thought),
            none => *none = Some(thought),
        }
        Ok(())
    }

    fn read_call(&mut self, item: &Object<'_>, path: &str) -> Result<(), ApiError> {
        let call = ToolCall {
            id: required(item, path, "call_id", |r, p| short_string(r, p, 256))?.into_owned(),
            name: required(item, path, "name", |r, p| short_string(r, p, 256))?.into_owned(),
            arguments: required(item, path, "arguments", string)?.into_owned(),
            seal: read_seal(item, path)?,
        };
        self.assistant(|_| false).tool_calls.push(call);
        Ok(())
    }

    fn read_output(&mut self, item: &Object<'_>, path: &str) -> Result<(), ApiError> {
        let call = required(item, path, "call_id", |r, p| short_string(r, p, 256))?;
        let parts = required(item, path, "output", |r, p| read_content(r, p, Role::Tool))?;
        let calls = self.messages.iter().flat_map(|m| &m.tool_calls);
        if !calls.into_iter().any(|made| made.id == call) {
            let path = format!("{path}.call_id");
            let message =
                format!("`{path}` names a call that no item before it makes. Send its `function_call` too.");
            return Err(ApiError::invalid(path, message));
        }
        // One text, for models that read the result of a call as one.
        let said = Message {
            parts,
            ..nothing(Role::Tool)
        };
        let text = said.joined_text();
        self.messages.push(Message {
            tool_call_id: Some(call.into_owned()),
            parts: vec![Part::Text { text }],
            ..said
        });
        Ok(())
    }

    /// Without reasoning that nothing followed.
    fn ended(mut self) -> Vec<Message> {
        self.messages
            .retain(|m| m.role != Role::Assistant || !m.parts.is_empty() || !m.tool_calls.is_empty());
        self.messages
    }

    fn not_too_long(self) -> Result<Vec<Message>, ApiError> {
        let messages = self.ended();
        if messages.len() > MAX_MESSAGES {
            let message = format!(
                "The conversation that `previous_response_id` goes on from has, with `input`, more than {MAX_MESSAGES} \
                 messages. Begin a new one."
            );
            return Err(ApiError::invalid("previous_response_id", message));
        }
        Ok(messages)
    }
}

fn nothing(role: Role) -> Message {
    Message {
        parts: Vec::new(),
        ..Message::text(role, "")
    }
}

#[derive(Clone, Copy)]
enum PartKind {
    Said,
    Answered,
    Refusal,
    Image,
    File,
}

const PART_KINDS: [(&str, PartKind); 5] = [
    ("input_text", PartKind::Said),
    ("output_text", PartKind::Answered),
    ("refusal", PartKind::Refusal),
    ("input_image", PartKind::Image),
    ("input_file", PartKind::File),
];

/// A text, or parts.
fn read_content(raw: &RawValue, path: &str, role: Role) -> Result<Vec<Part>, ApiError> {
    if kind(raw) == "a string" {
        return Ok(vec![Part::Text {
            text: string(raw, path)?.into_owned(),
        }]);
    }
    if kind(raw) != "an array" {
        let message = format!("`{path}` must be a text or an array of parts, not {}.", kind(raw));
        return Err(ApiError::invalid(path, message));
    }
    let items = array::<MAX_PARTS>(raw, path)?;
    if items.is_empty() && role != Role::Tool {
        let message = format!("`{path}` is empty. Send at least one part.");
        return Err(ApiError::invalid(path, message));
    }
    let read = |(i, raw)| read_part(raw, &format!("{path}[{i}]"), role);
    items.into_iter().enumerate().map(read).collect()
}

fn read_part(raw: &RawValue, path: &str, role: Role) -> Result<Part, ApiError> {
    let part = object(raw, path)?;
    let kind = required(&part, path, "type", |r, p| one_of(r, p, &PART_KINDS))?;
    let of_assistant = matches!(kind, PartKind::Answered | PartKind::Refusal);
    let type_path = format!("{path}.type");
    if of_assistant && role != Role::Assistant {
        let message = format!("`{type_path}` names a part that only messages of the `assistant` role hold.");
        return Err(ApiError::invalid(type_path, message));
    }
    let text = |field: &str| -> Result<Part, ApiError> {
        let text = required(&part, path, field, string)?;
        Ok(Part::Text {
            text: text.into_owned(),
        })
    };
    match kind {
        PartKind::Said | PartKind::Answered => text("text"),
        PartKind::Refusal => text("refusal"),
        PartKind::Image if role == Role::User => read_image(&part, path),
        PartKind::Image => Err(ApiError::invalid(
            type_path,
            "Only messages of the `user` role may hold images.",
        )),
        PartKind::File if role == Role::User => files::of_openai(&part, path),
        PartKind::File => Err(ApiError::invalid(
            type_path,
            "Only messages of the `user` role may hold files.",
        )),
    }
}

fn read_image(part: &Object<'_>, path: &str) -> Result<Part, ApiError> {
    if get(part, "file_id").is_some() {
        let path = format!("{path}.file_id");
        let message = format!("`{path}` names a file that is not here. Send the image as `image_url`.");
        return Err(ApiError::invalid(path, message));
    }
    let url = required(part, path, "image_url", string)?;
    let begins = |scheme: &str| {
        url.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    if begins("data:image/") || begins("https://") {
        return Ok(Part::Image {
            url: url.into_owned(),
        });
    }
    Err(ApiError::invalid(
        format!("{path}.image_url"),
        "An image's address must begin with `data:image/` or `https://`.",
    ))
}
