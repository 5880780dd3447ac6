//! From messages to the prompt's text, by the model's own chat template.
//!
//! Templates are Jinja as Hugging Face's `apply_chat_template` runs it
//! (<https://huggingface.co/docs/transformers/chat_templating>): blocks trimmed, Python's string methods,
//! `raise_exception`, and a `tojson` that writes as Python's `json.dumps` does.

use goblin_core::chat::{ChatRequest, Message, Role, ToolChoice};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Serde, Value};
use minijinja::{Environment, Error, ErrorKind};
use serde_json::json;

use crate::output::ToolStyle;

/// Steps one rendering may take; a template that loops for ever is stopped.
const FUEL: u64 = 50_000_000;
const NAME: &str = "chat";
/// Stands in a message's text after the first character of something that spells a control token, so that
/// the text is not read as one. A Unicode noncharacter: it means nothing in any text.
pub(crate) const BREAK: char = '\u{fdd0}';

/// Why a conversation could not be written as a prompt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TemplateError {
    /// The template itself is broken.
    Broken(String),
    /// The template refuses these messages, with its own words.
    Refused(String),
}

/// A prompt, ready to be cut into tokens.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Prompt {
    /// May hold [`BREAK`]s.
    pub(crate) text: String,
    /// Stop texts the format itself needs.
    pub(crate) stops: Vec<String>,
    /// The prompt opened `<think>` itself.
    pub(crate) thinking: bool,
}

/// How a model wants its conversations written.
#[derive(Debug)]
pub(crate) struct ChatTemplate {
    /// `None`: the model has no template, the plain format is used.
    jinja: Option<Environment<'static>>,
    tools: Option<ToolStyle>,
    thinks: bool,
    bos: String,
    /// What the tokenizer adds itself, and so must not stand at the beginning of the text.
    strip: String,
    eos: String,
}

impl ChatTemplate {
    /// Compiles `source`; `bos` and `eos` are the texts of the tokens that begin and end a text, `strip` is
    /// what the tokenizer puts in front by itself.
    pub(crate) fn new(
        source: Option<&str>,
        bos: &str,
        strip: &str,
        eos: &str,
    ) -> Result<Self, TemplateError> {
        let (bos, strip, eos) = (bos.to_owned(), strip.to_owned(), eos.to_owned());
        let Some(source) = source else {
            return Ok(Self {
                jinja: None,
                tools: None,
                thinks: false,
                bos,
                strip,
                eos,
            });
        };
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build();
        environment.set_syntax(syntax.map_err(|e| TemplateError::Broken(e.to_string()))?);
        environment.set_fuel(Some(FUEL));
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_filter("tojson", python_json);
        environment.add_function("raise_exception", |message: String| -> Result<String, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, message))
        });
        environment
            .add_template_owned(NAME, source.to_owned())
            .map_err(|e| TemplateError::Broken(e.to_string()))?;
        Ok(Self {
            jinja: Some(environment),
            tools: ToolStyle::of_template(source),
            thinks: source.contains("<think>") || source.contains("</think>"),
            bos,
            strip,
            eos,
        })
    }

    /// How this model calls tools; `None` when it does not.
    pub(crate) fn tools(&self) -> Option<ToolStyle> {
        self.tools
    }

    /// May answers begin with reasoning?
    pub(crate) fn thinks(&self) -> bool {
        self.thinks
    }

    /// Writes `request` as a prompt. `neutral` changes message text so that it cannot spell control tokens.
    pub(crate) fn render(
        &self,
        request: &ChatRequest,
        neutral: impl Fn(&str) -> String,
    ) -> Result<Prompt, TemplateError> {
        let Some(environment) = &self.jinja else {
            return Ok(plain(&request.messages, neutral));
        };
        let messages: Vec<serde_json::Value> = request
            .messages
            .iter()
            .map(|m| message_value(m, &neutral))
            .collect();
        let tools = self.tool_values(request);
        let text = match self.run(environment, &messages, tools.as_ref()) {
            Err(TemplateError::Refused(_)) if folded(&messages).is_some() => {
                // Some templates (Gemma's, early Mistral's) know no system role: the instructions then
                // stand in front of the first question.
                self.run(
                    environment,
                    &folded(&messages).unwrap_or_default(),
                    tools.as_ref(),
                )?
            }
            other => other?,
        };
        let text = text.strip_prefix(&self.strip).unwrap_or(&text).to_owned();
        let thinking = self.thinks && text.trim_end().ends_with("<think>");
        Ok(Prompt {
            text,
            stops: Vec::new(),
            thinking,
        })
    }

    fn tool_values(&self, request: &ChatRequest) -> Option<serde_json::Value> {
        if request.tools.is_empty() || request.tool_choice == ToolChoice::None || self.tools.is_none() {
            return None;
        }
        let tools = request.tools.iter().map(|tool| {
            json!({"type": "function", "function": {
                "name": tool.name, "description": tool.description.clone().unwrap_or_default(),
                "parameters": tool.parameters,
            }})
        });
        Some(tools.collect())
    }

    fn run(
        &self,
        environment: &Environment<'static>,
        messages: &[serde_json::Value],
        tools: Option<&serde_json::Value>,
    ) -> Result<String, TemplateError> {
        let template = environment
            .get_template(NAME)
            .map_err(|e| TemplateError::Broken(e.to_string()))?;
        let mut context = json!({
            "messages": messages,
            "add_generation_prompt": true,
            "bos_token": self.bos,
            "eos_token": self.eos,
        });
        if let (Some(tools), Some(fields)) = (tools, context.as_object_mut()) {
            fields.insert("tools".to_owned(), tools.clone());
        }
        template.render(Value::from(Serde(context))).map_err(|error| {
            if error.kind() == ErrorKind::InvalidOperation {
                TemplateError::Refused(error.detail().unwrap_or("the template refused it").to_owned())
            } else {
                TemplateError::Broken(error.to_string())
            }
        })
    }
}

/// The format for models without a template: each message as `Role: text`, a blank line between them, and
/// `Assistant:` at the end; `\nUser:` ends the answer. A base model continues such a dialogue.
fn plain(messages: &[Message], neutral: impl Fn(&str) -> String) -> Prompt {
    let mut text = String::new();
    for message in messages {
        let who = match message.role {
            Role::System => "System",
            Role::User => "User",
            Role::Assistant => "Assistant",
            Role::Tool => "Tool",
        };
        text.push_str(who);
        text.push_str(": ");
        text.push_str(neutral(&message.joined_text()).trim());
        text.push_str("\n\n");
    }
    text.push_str("Assistant:");
    Prompt {
        text,
        stops: vec!["\nUser:".to_owned(), "\nSystem:".to_owned()],
        thinking: false,
    }
}

fn message_value(message: &Message, neutral: &impl Fn(&str) -> String) -> serde_json::Value {
    let role = match message.role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    };
    let mut out = json!({"role": role, "content": neutral(&message.joined_text())});
    if let Some(fields) = out.as_object_mut() {
        if let Some(name) = &message.name {
            fields.insert("name".to_owned(), json!(neutral(name)));
        }
        if let Some(id) = &message.tool_call_id {
            fields.insert("tool_call_id".to_owned(), json!(neutral(id)));
        }
        if !message.tool_calls.is_empty() {
            let calls = message.tool_calls.iter().map(|call| {
                // Templates write the arguments with `tojson`, so they want them parsed.
                let text = neutral(&call.arguments);
                let arguments = serde_json::from_str(&text).unwrap_or(json!(text));
                json!({"id": call.id, "type": "function",
                       "function": {"name": neutral(&call.name), "arguments": arguments}})
            });
            fields.insert("tool_calls".to_owned(), calls.collect());
        }
    }
    out
}

/// The messages with a leading system message put in front of the first user message.
fn folded(messages: &[serde_json::Value]) -> Option<Vec<serde_json::Value>> {
    let [system, user, rest @ ..] = messages else {
        return None;
    };
    if system["role"] != "system" || user["role"] != "user" {
        return None;
    }
    let content = format!("{}\n\n{}", system["content"].as_str()?, user["content"].as_str()?);
    let mut out = vec![json!({"role": "user", "content": content})];
    out.extend_from_slice(rest);
    Some(out)
}

/// `tojson` as Hugging Face defines it: Python's `json.dumps(value, ensure_ascii=False, indent=indent)`.
fn python_json(value: Value, kwargs: Kwargs) -> Result<Value, Error> {
    let indent: Option<usize> = kwargs.get("indent")?;
    kwargs.assert_all_used().ok();
    let mut out = Vec::new();
    let result = match indent {
        Some(n) => {
            let spaces = b" ".repeat(n.min(16));
            let pretty = serde_json::ser::PrettyFormatter::with_indent(&spaces);
            serde::Serialize::serialize(
                &value,
                &mut serde_json::Serializer::with_formatter(&mut out, pretty),
            )
        }
        None => serde::Serialize::serialize(
            &value,
            &mut serde_json::Serializer::with_formatter(&mut out, PythonFormatter),
        ),
    };
    result.map_err(|e| Error::new(ErrorKind::BadSerialization, e.to_string()))?;
    Ok(Value::from_safe_string(
        String::from_utf8_lossy(&out).into_owned(),
    ))
}

/// JSON with Python's spaces: `{"a": 1, "b": [1, 2]}`.
struct PythonFormatter;

impl serde_json::ser::Formatter for PythonFormatter {
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        w: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { w.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        w: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { w.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, w: &mut W) -> std::io::Result<()> {
        w.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use goblin_core::chat::{Tool, ToolCall};

    use super::*;

    /// The template of SmolLM2-135M-Instruct (Apache-2.0), shortened.
    const CHATML: &str = "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}\
        {{ '<|im_start|>system\nBe kind<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + \
        message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}\
        {{ '<|im_start|>assistant\n' }}{% endif %}";
    /// The way Qwen 2.5 and Hermes write tools.
    const HERMES: &str = "{%- if tools %}\n    {{- '<|im_start|>system\\n# Tools\\n<tools>' }}\n    {%- for tool in tools %}\n        \
        {{- \"\\n\" }}\n        {{- tool | tojson }}\n    {%- endfor %}\n    {{- \"\\n</tools>\\nUse <tool_call>{\\\"name\\\": <name>, \
        \\\"arguments\\\": <args>}</tool_call><|im_end|>\\n\" }}\n{%- endif %}\n{%- for message in messages %}\n    \
        {%- if message.tool_calls %}\n        {%- for call in message.tool_calls %}\n            {{- '<tool_call>' }}\
        {{- call.function.arguments | tojson }}\n        {%- endfor %}\n    {%- else %}\n        {{- message.role + ': ' + \
        message.content.strip() + '\\n' }}\n    {%- endif %}\n{%- endfor %}";

    fn request(messages: Vec<Message>) -> ChatRequest {
        ChatRequest {
            messages,
            ..ChatRequest::default()
        }
    }

    fn render(template: &str, request: &ChatRequest) -> Result<String, TemplateError> {
        ChatTemplate::new(Some(template), "<s>", "<s>", "</s>")?
            .render(request, str::to_owned)
            .map(|p| p.text)
    }

    #[test]
    fn chatml_is_written_exactly() {
        let hello = request(vec![Message::text(Role::User, "Hi")]);
        assert_eq!(
            render(CHATML, &hello).unwrap(),
            "<|im_start|>system\nBe kind<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
        );
    }

    #[test]
    fn tools_and_their_calls_are_written_as_python_would() {
        let mut r = request(vec![
            Message::text(Role::User, " Weather? "),
            Message {
                tool_calls: vec![ToolCall {
                    id: "1".to_owned(),
                    name: "weather".to_owned(),
                    arguments: "{\"city\":\"Köln\",\"days\":[1,2]}".to_owned(),
                    seal: None,
                }],
                ..Message::text(Role::Assistant, "")
            },
        ]);
        r.tools = vec![Tool {
            name: "weather".to_owned(),
            description: None,
            parameters: json!({"type": "object"}),
            strict: None,
        }];
        let text = render(HERMES, &r).unwrap();
        assert!(
            text.contains("{\"type\": \"function\", \"function\": {\"name\": \"weather\""),
            "{text}"
        );
        assert!(text.contains("user: Weather?\n"), "{text}");
        assert!(
            text.contains("<tool_call>{\"city\": \"Köln\", \"days\": [1, 2]}"),
            "{text}"
        );
        r.tool_choice = ToolChoice::None;
        assert!(!render(HERMES, &r).unwrap().contains("# Tools"));
    }

    #[test]
    fn a_template_that_knows_no_system_role_gets_it_in_the_first_question() {
        let template = "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system role') }}\
                        {% endif %}{{ m.role }}={{ m.content }};{% endfor %}";
        let r = request(vec![
            Message::text(Role::System, "Be brief."),
            Message::text(Role::User, "Hi"),
        ]);
        assert_eq!(render(template, &r).unwrap(), "user=Be brief.\n\nHi;");
        let only = request(vec![Message::text(Role::System, "Be brief.")]);
        assert_eq!(
            render(template, &only),
            Err(TemplateError::Refused("no system role".to_owned()))
        );
    }

    #[test]
    fn a_broken_or_endless_template_is_an_error() {
        assert!(matches!(
            ChatTemplate::new(Some("{% if %}"), "", "", ""),
            Err(TemplateError::Broken(_))
        ));
        let endless = "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}";
        assert!(matches!(
            render(endless, &request(Vec::new())),
            Err(TemplateError::Broken(_))
        ));
    }

    #[test]
    fn the_token_that_begins_a_text_is_left_to_the_tokenizer() {
        assert_eq!(render("{{ bos_token }}Hi", &request(Vec::new())).unwrap(), "Hi");
    }

    #[test]
    fn without_a_template_a_plain_dialogue_is_written() {
        let template = ChatTemplate::new(None, "", "", "").unwrap();
        let r = request(vec![
            Message::text(Role::System, "Be kind."),
            Message::text(Role::User, "Hi"),
        ]);
        let prompt = template.render(&r, str::to_owned).unwrap();
        assert_eq!(prompt.text, "System: Be kind.\n\nUser: Hi\n\nAssistant:");
        assert_eq!(prompt.stops[0], "\nUser:");
        assert!(template.tools().is_none());
    }
}
