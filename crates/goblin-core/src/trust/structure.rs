//! Is an answer what was asked for, as far as its form goes: JSON that fits the asked schema, calls of tools that
//! exist with arguments that fit? No judge is needed for that.

use std::collections::HashMap;

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use crate::chat::{ChatRequest, ResponseFormat};
use crate::event::Parsed;

/// Largest compiled pattern of a schema, in bytes.
const PATTERN_BYTES: usize = 1 << 20;

/// A tool call, as far as it has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// Which call of the answer.
    pub index: u32,
    /// The function's name.
    pub name: String,
    /// JSON text.
    pub arguments: String,
}

/// Adds a piece of a tool call to the calls of an answer.
pub fn add_piece(calls: &mut Vec<Call>, piece: &Parsed) {
    let Parsed::ToolCall {
        index,
        name,
        arguments,
        ..
    } = piece
    else {
        return;
    };
    let at = calls.iter().position(|call| call.index == *index);
    let call = match at.and_then(|at| calls.get_mut(at)) {
        Some(call) => call,
        None => {
            calls.push(Call {
                index: *index,
                ..Call::default()
            });
            let Some(new) = calls.last_mut() else { return };
            new
        }
    };
    call.name.push_str(name.as_deref().unwrap_or_default());
    call.arguments.push_str(arguments);
}

/// The form a request asks for. Schemas are compiled once for a request.
#[derive(Debug, Default)]
pub struct Form {
    /// By name. `None`: any arguments do, because the tool has no schema or one that cannot be used.
    tools: HashMap<String, Option<Validator>>,
    text: TextForm,
}

#[derive(Debug, Default)]
enum TextForm {
    #[default]
    Any,
    Object,
    Schema(Option<Box<Validator>>),
}

impl Form {
    /// What `request` asks for. A schema that cannot be compiled here (it is wrong, or refers to another document:
    /// nothing is fetched) leaves JSON as the only demand; its upstream says what is wrong with it.
    pub fn of(request: &ChatRequest) -> Self {
        let tool = |tool: &crate::chat::Tool| (tool.name.clone(), compiled(&tool.parameters));
        let text = match &request.format {
            // A grammar is held by who generates.
            ResponseFormat::Text | ResponseFormat::Grammar(_) => TextForm::Any,
            ResponseFormat::JsonObject => TextForm::Object,
            ResponseFormat::JsonSchema { schema, .. } => TextForm::Schema(compiled(schema).map(Box::new)),
        };
        Self {
            tools: request.tools.iter().map(tool).collect(),
            text,
        }
    }

    /// Does the text of an answer have to be of some form?
    pub fn binds_text(&self) -> bool {
        !matches!(self.text, TextForm::Any)
    }

    /// Checks the whole text of an answer.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence without any of its words.
    pub fn check_text(&self, text: &str) -> Result<(), &'static str> {
        let validator = match &self.text {
            TextForm::Any => return Ok(()),
            TextForm::Object => None,
            TextForm::Schema(validator) => validator.as_deref(),
        };
        let value: Value =
            serde_json::from_str(text).map_err(|_| "The answer is not the JSON it was to be.")?;
        if matches!(self.text, TextForm::Object) && !value.is_object() {
            return Err("The answer is JSON, but not an object.");
        }
        if validator.is_some_and(|v| !v.is_valid(&value)) {
            return Err("The answer does not fit the JSON schema.");
        }
        Ok(())
    }

    /// Checks the tool calls of an answer.
    ///
    /// # Errors
    /// What is wrong with the first bad one, in a sentence without any of its words.
    pub fn check_calls(&self, calls: &[Call]) -> Result<(), &'static str> {
        calls.iter().try_for_each(|call| self.check_call(call))
    }

    fn check_call(&self, call: &Call) -> Result<(), &'static str> {
        let Some(validator) = self.tools.get(&call.name) else {
            return Err("It calls a tool that does not exist.");
        };
        // Many models leave the arguments of a function without parameters empty.
        let text = match call.arguments.trim() {
            "" => "{}",
            text => text,
        };
        let arguments: Value =
            serde_json::from_str(text).map_err(|_| "The arguments of a tool call are not JSON.")?;
        if !arguments.is_object() {
            return Err("The arguments of a tool call are not a JSON object.");
        }
        if validator.as_ref().is_some_and(|v| !v.is_valid(&arguments)) {
            return Err("The arguments of a tool call do not fit the tool's schema.");
        }
        Ok(())
    }
}

/// Nothing is fetched for a schema, and its patterns match in linear time: both come from callers.
fn compiled(schema: &Value) -> Option<Validator> {
    if schema.is_null() {
        return None;
    }
    jsonschema::options()
        .offline()
        .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_BYTES))
        .build(schema)
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Tool;
    use serde_json::json;

    fn with_tool(parameters: Value) -> Form {
        Form::of(&ChatRequest {
            tools: vec![Tool {
                name: "weather".into(),
                description: None,
                parameters,
                strict: None,
            }],
            ..ChatRequest::default()
        })
    }

    fn call(name: &str, arguments: &str) -> [Call; 1] {
        [Call {
            index: 0,
            name: name.into(),
            arguments: arguments.into(),
        }]
    }

    fn with_schema(schema: Value) -> Form {
        Form::of(&ChatRequest {
            format: ResponseFormat::JsonSchema {
                name: "x".into(),
                schema,
            },
            ..ChatRequest::default()
        })
    }

    #[test]
    fn calls_are_checked_for_name_json_and_schema() {
        let form = with_tool(json!({
            "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]
        }));
        let bad = |name, arguments| form.check_calls(&call(name, arguments)).unwrap_err();
        assert_eq!(form.check_calls(&call("weather", r#"{"city":"Oslo"}"#)), Ok(()));
        assert!(bad("whether", r#"{"city":"Oslo"}"#).contains("does not exist"));
        assert!(bad("weather", r#"{"city":"Os"#).contains("not JSON"));
        assert!(bad("weather", "[1]").contains("not a JSON object"));
        assert!(bad("weather", r#"{"city":7}"#).contains("do not fit"));
        assert!(bad("weather", "").contains("do not fit"), "a city is required");
    }

    #[test]
    fn empty_arguments_do_for_a_tool_that_needs_none() {
        for schema in [
            Value::Null,
            json!({}),
            json!({"type": "object", "properties": {}}),
        ] {
            assert_eq!(with_tool(schema).check_calls(&call("weather", "")), Ok(()));
        }
    }

    #[test]
    fn pieces_of_several_calls_are_put_together_by_index() {
        let piece = |index, name: Option<&str>, arguments: &str| Parsed::ToolCall {
            index,
            id: None,
            name: name.map(str::to_owned),
            arguments: arguments.to_owned(),
        };
        let mut calls = Vec::new();
        for piece in [
            piece(0, Some("a"), "{"),
            piece(1, Some("b"), ""),
            piece(0, None, "}"),
            piece(1, None, "{}"),
        ] {
            add_piece(&mut calls, &piece);
        }
        let told: Vec<(&str, &str)> = calls
            .iter()
            .map(|c| (c.name.as_str(), c.arguments.as_str()))
            .collect();
        assert_eq!(told, [("a", "{}"), ("b", "{}")]);
    }

    #[test]
    fn text_is_checked_against_the_asked_form() {
        let object = Form::of(&ChatRequest {
            format: ResponseFormat::JsonObject,
            ..ChatRequest::default()
        });
        assert_eq!(object.check_text(" {\"a\": 1}\n"), Ok(()));
        assert!(object.check_text("[1]").is_err());
        assert!(object.check_text("```json\n{}\n```").is_err());
        let schema = with_schema(json!({"type": "array", "items": {"enum": ["yes", "no"]}}));
        assert_eq!(schema.check_text(r#"["yes"]"#), Ok(()));
        assert!(schema.check_text(r#"["maybe"]"#).is_err());
        assert!(schema.check_text("yes").is_err());
        assert_eq!(Form::default().check_text("anything"), Ok(()));
    }

    #[test]
    fn a_schema_that_refers_to_itself_or_elsewhere_or_is_wrong_harms_nobody() {
        let deep =
            |levels: usize| (0..levels).fold(json!({"type": "string"}), |inner, _| json!({"items": inner}));
        for schema in [
            json!({"$ref": "#"}),
            json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}),
            json!({"allOf": [{"$ref": "#"}]}),
            json!({"not": {"$ref": "#"}}),
            json!({"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}),
            json!({"$ref": "https://example.org/schema.json"}),
            json!({"$ref": "file:///etc/passwd"}),
            json!({"type": "nothing"}),
            json!({"type": "string", "pattern": "(a+)+$"}),
            json!({"type": "string", "pattern": "(x{1000}){1000}"}),
            json!("not a schema"),
            deep(100),
        ] {
            let form = with_schema(schema.clone());
            let text = json!("a".repeat(60) + "!").to_string();
            let first = form.check_text(&text);
            assert_eq!(first, form.check_text(&text), "{schema}");
            assert!(form.check_text("no JSON").is_err(), "{schema}");
        }
    }

    #[test]
    fn deeply_nested_answers_are_refused_not_followed() {
        let form =
            with_schema(json!({"$defs": {"n": {"items": {"$ref": "#/$defs/n"}}}, "$ref": "#/$defs/n"}));
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert_eq!(form.check_text(&nested(100)), Ok(()));
        assert!(form.check_text(&nested(100_000)).is_err());
    }
}
