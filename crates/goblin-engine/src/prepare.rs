//! From a request to work for the decode thread. Everything here may take long (templates, tokenizing,
//! grammars) and may fail because of what the caller sent, so it runs on a blocking thread and before
//! anything is allocated in the context.

use goblin_core::chat::{ChatRequest, ResponseFormat, Role, Sampling, ToolChoice};
use goblin_core::id::Ids;
use goblin_core::provider::{ProviderError, TokenCount};
use llama_cpp_2::json_schema_to_grammar;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::sampling::LlamaSampler;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::answer::{Answer, Event};
use crate::engine::Loaded;
use crate::output::{OutputParser, ToolStyle};
use crate::sampler::Sampler;
use crate::sequence::Token;
use crate::stop::StopFilter;
use crate::template::{Prompt, TemplateError};
use crate::vocabulary;

/// Longest grammar in bytes.
const MAX_GRAMMAR_BYTES: usize = 64 * 1024;
/// Longest JSON schema in bytes.
const MAX_SCHEMA_BYTES: usize = 256 * 1024;
/// Deepest nesting of brackets in a grammar, and of values in a schema: llama.cpp's parsers recurse.
const MAX_DEPTH: usize = 64;
/// Most alternatives reported with each token (OpenAI's limit).
const MAX_TOP_LOGPROBS: u8 = 20;

/// An answer to be generated.
pub(crate) struct ChatJob {
    pub(crate) prompt: Vec<Token>,
    pub(crate) sampler: Sampler,
    pub(crate) answer: Answer,
    /// Most tokens to generate.
    pub(crate) max_tokens: u32,
    /// Write control tokens too (tool markers of some models are control tokens).
    pub(crate) special: bool,
    /// Held while the answer is generated: a free sequence.
    pub(crate) _permit: OwnedSemaphorePermit,
}

/// A request that is wrong.
pub(crate) fn rejected(param: &str, message: impl Into<String>) -> ProviderError {
    ProviderError::Rejected {
        status: 400,
        code: None,
        param: Some(param.to_owned()),
        message: message.into(),
    }
}

/// Counts the tokens of `request`'s prompt.
pub(crate) fn count(loaded: &Loaded, request: &ChatRequest) -> Result<TokenCount, ProviderError> {
    let (_, tokens) = prompt(loaded, request)?;
    Ok(TokenCount {
        prompt_tokens: number(tokens.len()),
        context_window: loaded.plan.context_tokens,
    })
}

/// Prepares an answer and the channel it is read from.
pub(crate) fn chat(
    loaded: &Loaded,
    request: &ChatRequest,
    ids: Ids,
    permit: OwnedSemaphorePermit,
) -> Result<(ChatJob, mpsc::Receiver<Event>), ProviderError> {
    check_sampling(&request.sampling, loaded.vocabulary)?;
    let tools = offered_tools(loaded, request)?;
    let (written, tokens) = prompt(loaded, request)?;
    let prompt_tokens = number(tokens.len());
    let context_window = loaded.plan.context_tokens;
    if prompt_tokens >= context_window {
        return Err(ProviderError::ContextExceeded {
            prompt_tokens,
            context_window,
        });
    }
    let grammar = grammar(&loaded.model, request, tools)?;
    let room = context_window - prompt_tokens;
    let max_tokens = request.sampling.max_tokens.unwrap_or(room).min(room);
    // A token gives at most a few events; the channel holds them all, so that a slow reader never holds up
    // the other answers.
    let (sender, receiver) = mpsc::channel(max_tokens as usize * 3 + 16);
    let stop = StopFilter::new(request.sampling.stop.iter().cloned().chain(written.stops));
    let parser = OutputParser::new(tools, loaded.template.thinks(), written.thinking);
    let job = ChatJob {
        sampler: Sampler::new(&request.sampling, grammar, &tokens),
        prompt: tokens,
        answer: Answer::new(sender, stop, parser, ids),
        max_tokens,
        special: tools.is_some(),
        _permit: permit,
    };
    Ok((job, receiver))
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// The prompt as text and as tokens.
fn prompt(loaded: &Loaded, request: &ChatRequest) -> Result<(Prompt, Vec<Token>), ProviderError> {
    if request.messages.is_empty() {
        return Err(rejected("messages", "There are no messages."));
    }
    if let Some(i) = request.messages.iter().position(|m| m.has_image()) {
        return Err(rejected(
            &format!("messages[{i}].content"),
            "This model reads text only; it cannot look at images.",
        ));
    }
    let written = loaded
        .template
        .render(request, |text| loaded.controls.neutral(text))
        .map_err(|error| match error {
            TemplateError::Refused(why) => rejected(
                "messages",
                format!("The model's chat template refuses these messages: {why}."),
            ),
            TemplateError::Broken(why) => {
                tracing::warn!(%why, "the chat template failed");
                rejected(
                    "messages",
                    "The model's chat template cannot write these messages.",
                )
            }
        })?;
    let tokens = vocabulary::prompt_tokens(&loaded.model, &written.text);
    if tokens.is_empty() {
        return Err(rejected("messages", "The prompt is empty."));
    }
    Ok((written, tokens))
}

/// How to read tool calls in this answer; `None` when no tools are on offer.
fn offered_tools(loaded: &Loaded, request: &ChatRequest) -> Result<Option<ToolStyle>, ProviderError> {
    let mentioned = request
        .messages
        .iter()
        .any(|m| m.role == Role::Tool || !m.tool_calls.is_empty());
    if loaded.template.tools().is_none() && (mentioned || !request.tools.is_empty()) {
        let param = if request.tools.is_empty() {
            "messages"
        } else {
            "tools"
        };
        return Err(rejected(
            param,
            format!(
                "The model `{}` cannot call tools: its chat template has no form for them.",
                loaded.name
            ),
        ));
    }
    let offered = !request.tools.is_empty() && request.tool_choice != ToolChoice::None;
    if !offered && matches!(request.tool_choice, ToolChoice::Required | ToolChoice::Named(_)) {
        return Err(rejected(
            "tool_choice",
            "A tool is required, but none is offered.",
        ));
    }
    if let ToolChoice::Named(name) = &request.tool_choice
        && !request.tools.iter().any(|t| t.name == *name)
    {
        return Err(rejected(
            "tool_choice",
            "The required tool is not among the tools offered.",
        ));
    }
    Ok(loaded.template.tools().filter(|_| offered))
}

fn check_sampling(sampling: &Sampling, vocabulary: u32) -> Result<(), ProviderError> {
    let ranges: [(&str, Option<f32>, f32, f32); 6] = [
        ("temperature", sampling.temperature, 0.0, 2.0),
        ("top_p", sampling.top_p, 0.0, 1.0),
        ("min_p", sampling.min_p, 0.0, 1.0),
        ("presence_penalty", sampling.presence_penalty, -2.0, 2.0),
        ("frequency_penalty", sampling.frequency_penalty, -2.0, 2.0),
        ("repeat_penalty", sampling.repeat_penalty, 0.01, 10.0),
    ];
    for (name, value, least, most) in ranges {
        if let Some(value) = value
            && !(least..=most).contains(&value)
        {
            return Err(rejected(
                name,
                format!("{name} is {value}; {least} to {most} are possible."),
            ));
        }
    }
    if let Some((token, _)) = sampling
        .logit_bias
        .iter()
        .find(|(t, b)| *t >= vocabulary || !b.is_finite())
    {
        return Err(rejected(
            "logit_bias",
            format!("There is no token {token}; this model has {vocabulary}."),
        ));
    }
    if sampling.logprobs.is_some_and(|n| n > MAX_TOP_LOGPROBS) {
        return Err(rejected(
            "top_logprobs",
            format!("top_logprobs is at most {MAX_TOP_LOGPROBS}."),
        ));
    }
    Ok(())
}

/// The constraint the answer must hold to.
fn grammar(
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
            let text = schema_grammar(&json!({"type": "object"}), "response_format")?;
            compile(model, &text, "response_format").map(Some)
        }
        ResponseFormat::JsonSchema { schema, .. } => compile(
            model,
            &schema_grammar(schema, "response_format")?,
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
    let inner = schema_grammar(&schema, "tools")?;
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

fn schema_grammar(schema: &Value, param: &str) -> Result<String, ProviderError> {
    if !schema.is_object() {
        return Err(rejected(param, "The JSON schema must be an object."));
    }
    if depth(schema, 0) > MAX_DEPTH {
        return Err(rejected(
            param,
            format!("The JSON schema is nested deeper than {MAX_DEPTH} levels."),
        ));
    }
    if has_loose_pattern(schema) {
        return Err(rejected(
            param,
            "A `pattern` in the JSON schema must begin with ^, end with $ and use no look-around, back reference or named class; this engine cannot hold an answer to others.",
        ));
    }
    let text = schema.to_string();
    if text.len() > MAX_SCHEMA_BYTES {
        return Err(rejected(
            param,
            format!("The JSON schema is longer than {MAX_SCHEMA_BYTES} bytes."),
        ));
    }
    json_schema_to_grammar(&text).map_err(|_| {
        rejected(
            param,
            "The JSON schema is not valid, or uses what this engine cannot hold an answer to.",
        )
    })
}

/// Is there a `pattern` that llama.cpp would drop with a warning, accepting any text? Only called on values
/// of bounded depth.
fn has_loose_pattern(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_loose_pattern),
        Value::Object(fields) => {
            let pattern = fields.get("pattern").and_then(Value::as_str);
            pattern.is_some_and(|p| !is_exact(p)) || fields.values().any(has_loose_pattern)
        }
        _ => false,
    }
}

/// Can an answer be held to `pattern`? Alone it must become more than the rule for any string.
fn is_exact(pattern: &str) -> bool {
    pattern.starts_with('^')
        && pattern.ends_with('$')
        && json_schema_to_grammar(&json!({"type": "string", "pattern": pattern}).to_string())
            .is_ok_and(|grammar| !grammar.lines().any(|line| line.trim() == "root ::= string"))
}

/// How deep `value` is nested; looks no deeper than one level past the limit.
fn depth(value: &Value, above: usize) -> usize {
    if above > MAX_DEPTH {
        return above;
    }
    match value {
        Value::Array(items) => items
            .iter()
            .map(|v| depth(v, above + 1))
            .max()
            .unwrap_or(above + 1),
        Value::Object(fields) => fields
            .values()
            .map(|v| depth(v, above + 1))
            .max()
            .unwrap_or(above + 1),
        _ => above,
    }
}

/// What would make llama.cpp's grammar parser recurse without bound is refused before it sees it.
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
    let mut open = 0usize;
    for c in text.chars() {
        match c {
            '(' => open += 1,
            ')' => open = open.saturating_sub(1),
            _ => {}
        }
        if open > MAX_DEPTH {
            return Err(rejected(
                "grammar",
                format!("The grammar is nested deeper than {MAX_DEPTH} levels."),
            ));
        }
    }
    Ok(())
}

fn compile(model: &LlamaModel, text: &str, param: &str) -> Result<LlamaSampler, ProviderError> {
    LlamaSampler::grammar(model, text, "root").map_err(|_| {
        rejected(param, "The grammar cannot be used: it has a syntax error, no rule `root`, an undefined rule or left recursion.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn param_of(result: Result<impl Sized, ProviderError>) -> String {
        match result {
            Err(ProviderError::Rejected {
                status: 400,
                param: Some(param),
                ..
            }) => param,
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("accepted"),
        }
    }

    #[test]
    fn sampling_out_of_range_is_refused_by_name() {
        let all = [
            (
                Sampling {
                    temperature: Some(f32::NAN),
                    ..Sampling::default()
                },
                "temperature",
            ),
            (
                Sampling {
                    temperature: Some(99.0),
                    ..Sampling::default()
                },
                "temperature",
            ),
            (
                Sampling {
                    top_p: Some(-0.1),
                    ..Sampling::default()
                },
                "top_p",
            ),
            (
                Sampling {
                    repeat_penalty: Some(0.0),
                    ..Sampling::default()
                },
                "repeat_penalty",
            ),
            (
                Sampling {
                    logit_bias: vec![(100, 1.0)],
                    ..Sampling::default()
                },
                "logit_bias",
            ),
            (
                Sampling {
                    logprobs: Some(21),
                    ..Sampling::default()
                },
                "top_logprobs",
            ),
        ];
        for (sampling, name) in all {
            assert_eq!(param_of(check_sampling(&sampling, 100)), name);
        }
        assert!(
            check_sampling(
                &Sampling {
                    logit_bias: vec![(99, 1.0)],
                    ..Sampling::default()
                },
                100
            )
            .is_ok()
        );
    }

    #[test]
    fn grammars_and_schemas_that_would_recurse_without_bound_are_refused() {
        assert_eq!(
            param_of(check_grammar(&format!("root ::= {}", "(".repeat(5000)))),
            "grammar"
        );
        assert_eq!(
            param_of(check_grammar(&"x".repeat(MAX_GRAMMAR_BYTES + 1))),
            "grammar"
        );
        let mut deep = json!({});
        for _ in 0..90 {
            deep = json!({"type": "object", "properties": {"a": deep}});
        }
        assert_eq!(
            param_of(schema_grammar(&deep, "response_format")),
            "response_format"
        );
        assert_eq!(
            param_of(schema_grammar(&json!([]), "response_format")),
            "response_format"
        );
        assert_eq!(
            param_of(schema_grammar(&json!({"type": "nonsense"}), "response_format")),
            "response_format"
        );
        for pattern in ["a+", "^a(?=b)c$", "^\\bx$", "^((((($"] {
            let schema =
                json!({"type": "object", "properties": {"a": {"type": "string", "pattern": pattern}}});
            assert_eq!(
                param_of(schema_grammar(&schema, "response_format")),
                "response_format",
                "{pattern}"
            );
        }
        let exact = json!({"type": "string", "pattern": "^[a-c]{2,3}(x|y)$"});
        assert!(schema_grammar(&exact, "response_format").is_ok());
        assert!(
            schema_grammar(&json!({"type": "object"}), "response_format")
                .unwrap()
                .contains("root ::=")
        );
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
