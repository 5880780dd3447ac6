//! Does a prompt fit a context? What can be said without asking the model's tokenizer, and when it must be asked.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::chat::{ChatRequest, Part};

/// Tokens a chat template may add around one message, generously.
const TEMPLATE_TOKENS: usize = 32;
/// Bytes of one token of ordinary text, when nothing was measured.
pub const USUAL_BYTES_PER_TOKEN: f64 = 4.0;
/// A context of unknown size is taken to hold at least this many tokens.
const LEAST_CONTEXT: u32 = 1024;

/// How a number of prompt tokens was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CountMethod {
    /// The model's own tokenizer, after its chat template.
    Tokenizer,
    /// Bytes, divided by the bytes per token measured on this model's earlier answers.
    MeasuredRatio,
    /// Bytes, divided by the usual four.
    Estimate,
}

impl CountMethod {
    /// The wire form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tokenizer => "tokenizer",
            Self::MeasuredRatio => "measured_ratio",
            Self::Estimate => "estimate",
        }
    }
}

/// Bytes of everything in the request that becomes prompt text. Images and files are not counted.
pub fn prompt_bytes(request: &ChatRequest) -> usize {
    let messages = request.messages.iter().map(|m| {
        let parts = m.parts.iter().map(|p| match p {
            Part::Text { text } => text.len(),
            Part::Image { .. } | Part::File { .. } => 0,
        });
        let calls = m.tool_calls.iter().map(|c| c.name.len() + c.arguments.len());
        parts.sum::<usize>() + calls.sum::<usize>() + m.reasoning.as_ref().map_or(0, String::len)
    });
    let tools = request
        .tools
        .iter()
        .map(|t| t.name.len() + t.description.as_ref().map_or(0, String::len) + json_bytes(&t.parameters));
    messages.sum::<usize>() + tools.sum::<usize>()
}

/// Roughly the bytes of a JSON value's text, without writing it.
fn json_bytes(value: &serde_json::Value) -> usize {
    use serde_json::Value;
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => 2 + items.iter().map(|v| json_bytes(v) + 1).sum::<usize>(),
        Value::Object(fields) => {
            2 + fields
                .iter()
                .map(|(k, v)| k.len() + 4 + json_bytes(v))
                .sum::<usize>()
        }
    }
}

/// More tokens than the prompt can have: no tokenizer makes more tokens than there are bytes. `None` when an image
/// or a file is in it, whose tokens depend on the model.
pub fn most_tokens(request: &ChatRequest) -> Option<u32> {
    if request.messages.iter().any(|m| m.has_image() || m.has_file()) {
        return None;
    }
    let around = (request.messages.len() + request.tools.len() + 1) * TEMPLATE_TOKENS;
    Some(u32::try_from(prompt_bytes(request) + around).unwrap_or(u32::MAX))
}

/// The likely number of tokens of this many bytes; `bytes_per_token` where it was measured.
pub fn likely_tokens(bytes: usize, bytes_per_token: Option<f64>) -> u32 {
    let ratio = bytes_per_token
        .filter(|r| *r > 0.1)
        .unwrap_or(USUAL_BYTES_PER_TOKEN);
    // `as` saturates.
    (bytes as f64 / ratio).ceil() as u32
}

/// Must the prompt be counted exactly before it is sent? Not when it fits in any case.
pub fn must_count(request: &ChatRequest, context_window: Option<u32>) -> bool {
    let window = context_window.unwrap_or(LEAST_CONTEXT);
    most_tokens(request).is_none_or(|most| most >= window)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Message, Role};

    fn saying(text: &str) -> ChatRequest {
        ChatRequest {
            messages: vec![Message::text(Role::User, text)],
            ..ChatRequest::default()
        }
    }

    #[test]
    fn a_short_prompt_is_never_counted_and_a_long_one_always() {
        assert!(!must_count(&saying("hi"), Some(2048)));
        assert!(!must_count(&saying("hi"), None));
        assert!(must_count(&saying(&"word ".repeat(500)), Some(2048)));
        assert!(must_count(&saying(&"word ".repeat(500)), None));
    }

    #[test]
    fn an_image_is_always_counted() {
        let mut request = saying("look");
        request.messages[0].parts.push(Part::Image {
            url: "data:image/png;base64,AA==".into(),
        });
        assert!(must_count(&request, Some(1 << 20)));
    }

    #[test]
    fn tools_and_calls_are_part_of_the_prompt() {
        let mut request = saying("");
        let bare = prompt_bytes(&request);
        request.tools.push(crate::chat::Tool {
            name: "look_up".into(),
            description: Some("Looks something up.".into()),
            parameters: serde_json::json!({"type": "object", "properties": {"q": {"type": "string"}}}),
            strict: None,
        });
        assert!(prompt_bytes(&request) > bare + 40);
    }

    #[test]
    fn a_measured_ratio_is_better_than_the_usual_one() {
        assert_eq!(likely_tokens(400, None), 100);
        assert_eq!(likely_tokens(400, Some(2.0)), 200);
        assert_eq!(likely_tokens(400, Some(0.0)), 100, "nonsense is not believed");
    }
}
