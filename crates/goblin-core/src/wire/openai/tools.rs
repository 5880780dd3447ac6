//! `tools`, `tool_choice`, `response_format` and `grammar` of a request → core words.

use serde_json::Value;
use serde_json::value::RawValue;

use crate::chat::{ResponseFormat, Tool, ToolChoice};
use crate::error::ApiError;
use crate::limits::{MAX_TEXT_BYTES, MAX_TOOLS};
use crate::wire::fields::{Object, array, boolean, expect_kind, get, object, one_of, short_string, string};

/// Most bytes of all tools, or of a schema, as JSON text (256 KiB). It bounds the memory their built form takes.
pub(in crate::wire) const MAX_SCHEMA_BYTES: usize = 256 * 1024;

/// Reads `tools`.
pub(in crate::wire) fn read_tools(fields: &Object<'_>) -> Result<Vec<Tool>, ApiError> {
    read_distinct_tools(fields, "function.name", read_tool)
}

/// Reads `tools`, one by one with `read_tool`; `name` is where each has its name.
pub(in crate::wire) fn read_distinct_tools(
    fields: &Object<'_>,
    name: &str,
    read_tool: fn(&RawValue, &str) -> Result<Tool, ApiError>,
) -> Result<Vec<Tool>, ApiError> {
    let Some(raw) = get(fields, "tools") else {
        return Ok(Vec::new());
    };
    let items = array::<MAX_TOOLS>(raw, "tools")?;
    within(raw, "tools", MAX_SCHEMA_BYTES)?;
    let mut tools: Vec<Tool> = Vec::with_capacity(items.len());
    for (i, item) in items.into_iter().enumerate() {
        let tool = read_tool(item, &format!("tools[{i}]"))?;
        if tools.iter().any(|t| t.name == tool.name) {
            return Err(ApiError::invalid(
                format!("tools[{i}].{name}"),
                format!(
                    "Two tools are named `{}`. Give each a name of its own.",
                    tool.name
                ),
            ));
        }
        tools.push(tool);
    }
    Ok(tools)
}

pub(in crate::wire) fn within(raw: &RawValue, path: &str, limit: usize) -> Result<(), ApiError> {
    if raw.get().len() <= limit {
        return Ok(());
    }
    Err(ApiError::invalid(
        path,
        format!("`{path}` is over the limit of {limit} bytes. Send less."),
    ))
}

fn read_tool(raw: &RawValue, path: &str) -> Result<Tool, ApiError> {
    let fields = object(raw, path)?;
    let kind_path = format!("{path}.type");
    match get(&fields, "type") {
        Some(raw) => one_of(raw, &kind_path, &[("function", ())])?,
        None => {
            return Err(ApiError::invalid(
                kind_path,
                "A tool must say what it is: `type` must be `function`.",
            ));
        }
    }
    let path = format!("{path}.function");
    let Some(raw) = get(&fields, "function") else {
        return Err(ApiError::invalid(path, "The tool has no `function`."));
    };
    let function = object(raw, &path)?;
    Ok(Tool {
        name: read_name(&function, &path)?,
        description: get(&function, "description")
            .map(|raw| string(raw, &format!("{path}.description")).map(String::from))
            .transpose()?,
        parameters: match get(&function, "parameters") {
            Some(raw) => schema(raw, &format!("{path}.parameters"))?,
            None => Value::Object(serde_json::Map::new()),
        },
        strict: get(&function, "strict")
            .map(|raw| boolean(raw, &format!("{path}.strict")))
            .transpose()?,
    })
}

/// A function's or schema's name.
pub(in crate::wire) fn read_name(fields: &Object<'_>, path: &str) -> Result<String, ApiError> {
    let path = format!("{path}.name");
    let Some(raw) = get(fields, "name") else {
        return Err(ApiError::invalid(path.clone(), format!("`{path}` is missing.")));
    };
    let name = short_string(raw, &path, 64)?;
    if name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
    {
        return Ok(name.into_owned());
    }
    Err(ApiError::invalid(
        path.clone(),
        format!("`{path}` may hold letters, digits, `_` and `-` only."),
    ))
}

pub(in crate::wire) fn schema(raw: &RawValue, path: &str) -> Result<Value, ApiError> {
    expect_kind(raw, path, "an object")?;
    within(raw, path, MAX_SCHEMA_BYTES)?;
    serde_json::from_str(raw.get()).map_err(|_| {
        ApiError::invalid(
            path,
            format!("`{path}` holds a number or escape that cannot be read."),
        )
    })
}

/// Reads `tool_choice`, which must fit `tools`.
pub(super) fn read_tool_choice(fields: &Object<'_>, tools: &[Tool]) -> Result<ToolChoice, ApiError> {
    let Some(raw) = get(fields, "tool_choice") else {
        return Ok(ToolChoice::Auto);
    };
    let choice = if raw.get().starts_with('"') {
        let words = [("auto", 0), ("none", 1), ("required", 2)];
        match one_of(raw, "tool_choice", &words)? {
            0 => ToolChoice::Auto,
            1 => ToolChoice::None,
            _ => ToolChoice::Required,
        }
    } else {
        let choice = object(raw, "tool_choice")?;
        if let Some(kind) = get(&choice, "type") {
            one_of(kind, "tool_choice.type", &[("function", ())])?;
        }
        let Some(function) = get(&choice, "function") else {
            return Err(ApiError::invalid(
                "tool_choice.function",
                "`tool_choice` must name a function.",
            ));
        };
        ToolChoice::Named(read_name(
            &object(function, "tool_choice.function")?,
            "tool_choice.function",
        )?)
    };
    match &choice {
        ToolChoice::Named(name) if !tools.iter().any(|t| t.name == *name) => Err(ApiError::invalid(
            "tool_choice.function.name",
            format!("`tool_choice` names `{name}`, which is not among `tools`."),
        )),
        ToolChoice::Required if tools.is_empty() => Err(ApiError::invalid(
            "tool_choice",
            "`tool_choice` is `required`, but there are no `tools`.",
        )),
        _ => Ok(choice),
    }
}

/// Reads `response_format` and llama.cpp's `grammar`.
pub(super) fn read_format(fields: &Object<'_>) -> Result<ResponseFormat, ApiError> {
    let format = match get(fields, "response_format") {
        Some(raw) => read_response_format(raw)?,
        None => ResponseFormat::Text,
    };
    let Some(raw) = get(fields, "grammar") else {
        return Ok(format);
    };
    if format != ResponseFormat::Text {
        return Err(ApiError::invalid(
            "grammar",
            "`grammar` and `response_format` exclude each other. Send one.",
        ));
    }
    within(raw, "grammar", MAX_TEXT_BYTES)?;
    Ok(ResponseFormat::Grammar(
        short_string(raw, "grammar", MAX_SCHEMA_BYTES)?.into_owned(),
    ))
}

fn read_response_format(raw: &RawValue) -> Result<ResponseFormat, ApiError> {
    let fields = object(raw, "response_format")?;
    let Some(kind) = get(&fields, "type") else {
        return Err(ApiError::invalid(
            "response_format.type",
            "`response_format.type` is missing.",
        ));
    };
    let words = [("text", 0), ("json_object", 1), ("json_schema", 2)];
    match one_of(kind, "response_format.type", &words)? {
        0 => Ok(ResponseFormat::Text),
        1 => match get(&fields, "schema") {
            // llama.cpp's way of giving a schema.
            Some(raw) => Ok(ResponseFormat::JsonSchema {
                name: "answer".to_owned(),
                schema: schema(raw, "response_format.schema")?,
            }),
            None => Ok(ResponseFormat::JsonObject),
        },
        _ => {
            let path = "response_format.json_schema";
            let Some(raw) = get(&fields, "json_schema") else {
                return Err(ApiError::invalid(path, format!("`{path}` is missing.")));
            };
            let inner = object(raw, path)?;
            let Some(raw) = get(&inner, "schema") else {
                return Err(ApiError::invalid(
                    format!("{path}.schema"),
                    format!("`{path}.schema` is missing."),
                ));
            };
            Ok(ResponseFormat::JsonSchema {
                name: read_name(&inner, path)?,
                schema: schema(raw, &format!("{path}.schema"))?,
            })
        }
    }
}
