//! The constraint an answer must hold to: a grammar of the caller, a JSON schema, or a required tool call.

use goblin_core::chat::{ChatRequest, ResponseFormat, ToolChoice};
use goblin_core::provider::ProviderError;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::sampling::LlamaSampler;
use serde_json::{Value, json};

use crate::output::ToolStyle;
use crate::prepare::rejected;
use crate::{gbnf, schema};

/// Longest grammar in bytes.
const MAX_GRAMMAR_BYTES: usize = 64 * 1024;

/// The constraint the answer must hold to.
pub(crate) fn grammar(
    model: &LlamaModel,
    request: &ChatRequest,
    tools: Option<ToolStyle>,
) -> Result<Option<LlamaSampler>, ProviderError> {
    let required = match (&request.tool_choice, tools) {
        (ToolChoice::Required, Some(style)) => Some((style, None)),
        (ToolChoice::Named(name), Some(style)) => Some((style, Some(name.as_str()))),
        _ => None,
    };
    if let Some((style, only)) = required {
        if request.format != ResponseFormat::Text {
            return Err(rejected(
                "response_format",
                "A required tool call and response_format exclude each other.",
            ));
        }
        return compile(model, &tool_grammar(request, style, only)?, "tools").map(Some);
    }
    match &request.format {
        ResponseFormat::Text => Ok(None),
        ResponseFormat::JsonObject => {
            let text = schema::grammar(&json!({"type": "object"}), "response_format")?;
            compile(model, &text, "response_format").map(Some)
        }
        ResponseFormat::JsonSchema { schema, .. } => compile(
            model,
            &schema::grammar(schema, "response_format")?,
            "response_format",
        )
        .map(Some),
        ResponseFormat::Grammar(text) => {
            check_grammar(text)?;
            compile(model, text, "grammar").map(Some)
        }
    }
}

/// A grammar that allows exactly one call of one of the tools, in the model's own form.
fn tool_grammar(
    request: &ChatRequest,
    style: ToolStyle,
    only: Option<&str>,
) -> Result<String, ProviderError> {
    let field = if style == ToolStyle::Llama3 {
        "parameters"
    } else {
        "arguments"
    };
    let calls = request
        .tools
        .iter()
        .filter(|t| only.is_none_or(|name| t.name == name))
        .map(|tool| {
            let parameters = if tool.parameters.is_object() {
                tool.parameters.clone()
            } else {
                json!({"type": "object"})
            };
            json!({"type": "object", "properties": {"name": {"const": tool.name}, field: parameters},
               "required": ["name", field]})
        });
    let schema = json!({"anyOf": calls.collect::<Vec<Value>>()});
    let inner = schema::grammar(&schema, "tools")?;
    let inner: String = inner
        .lines()
        .map(|line| {
            line.strip_prefix("root ::=")
                .map_or_else(|| line.to_owned(), |rest| format!("one-call ::={rest}"))
        })
        .collect::<Vec<_>>()
        .join("\n");
    let root = match style {
        ToolStyle::Hermes => "root ::= \"<tool_call>\\n\" one-call \"\\n</tool_call>\"",
        ToolStyle::Mistral => "root ::= \"[TOOL_CALLS] [\" one-call \"]\"",
        ToolStyle::Llama3 => "root ::= one-call",
    };
    Ok(format!("{root}\n{inner}\n"))
}

/// What is no grammar for this engine is refused before llama.cpp sees it.
fn check_grammar(text: &str) -> Result<(), ProviderError> {
    if text.len() > MAX_GRAMMAR_BYTES {
        return Err(rejected(
            "grammar",
            format!("The grammar is longer than {MAX_GRAMMAR_BYTES} bytes."),
        ));
    }
    if text.contains('\0') {
        return Err(rejected("grammar", "The grammar contains a NUL byte."));
    }
    Ok(())
}

/// Compiles a grammar, the caller's or one made from a schema, after its cost was bounded.
fn compile(model: &LlamaModel, text: &str, param: &str) -> Result<LlamaSampler, ProviderError> {
    gbnf::check(text).map_err(|fault| rejected(param, format!("The grammar {fault}.")))?;
    LlamaSampler::grammar(model, text, "root").map_err(|_| {
        rejected(
            param,
            "The grammar cannot be used: it has a syntax error, no rule `root`, or an undefined rule.",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grammar_that_is_too_long_or_no_text_is_refused() {
        for text in ["x".repeat(MAX_GRAMMAR_BYTES + 1), "root ::= \"\0\"".to_owned()] {
            let Err(ProviderError::Rejected {
                status: 400, param, ..
            }) = check_grammar(&text)
            else {
                panic!("accepted")
            };
            assert_eq!(param.as_deref(), Some("grammar"));
        }
    }

    #[test]
    fn schemas_that_double_at_every_reference_are_refused_by_their_paths() {
        let mut schema = json!({"r30": {"type": "string"}});
        for i in 0..30 {
            let next = json!({"$ref": format!("#/r{}", i + 1)});
            schema[format!("r{i}")] = json!({"anyOf": [next, next]});
        }
        schema["$ref"] = json!("#/r0");
        let text = schema::grammar(&schema, "response_format").unwrap();
        assert_eq!(gbnf::check(&text), Err(gbnf::GrammarFault::Paths));
    }

    #[test]
    fn a_required_tool_call_has_a_grammar_in_the_models_form() {
        let request = ChatRequest {
            tools: vec![goblin_core::chat::Tool {
                name: "weather".to_owned(),
                description: None,
                parameters: json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}),
                strict: None,
            }],
            ..ChatRequest::default()
        };
        let text = tool_grammar(&request, ToolStyle::Hermes, Some("weather")).unwrap();
        assert_eq!(text.lines().filter(|l| l.starts_with("root ::=")).count(), 1);
        assert!(
            text.contains("one-call ::=") && text.contains("weather"),
            "{text}"
        );
    }
}
