//! Typed questions put to a server that reports no probabilities: the model is made to write one word.

use goblin_core::chat::{ChatRequest, Message, Purpose, ResponseFormat, Role, Sampling};
use goblin_core::decide::{AnswerOption, DecideRequest, Question};
use serde_json::{Value, json};

/// A reply that keeps to a schema of one word fits; one that chats does not matter.
const WORD_TOKENS: u32 = 32;

/// A chat that asks for one of `words` under a JSON schema. The text is one message: the server puts its own turn marks
/// around it.
pub(crate) fn one_word(request: &DecideRequest, text: String, words: &[String]) -> ChatRequest {
    let schema = json!({
        "type": "object",
        "properties": {"answer": {"type": "string", "enum": words}},
        "required": ["answer"],
        "additionalProperties": false,
    });
    ChatRequest {
        model: request.model.clone(),
        messages: vec![Message::text(Role::User, text)],
        sampling: Sampling {
            temperature: Some(0.0),
            max_tokens: Some(WORD_TOKENS),
            ..Sampling::default()
        },
        format: ResponseFormat::JsonSchema {
            name: "answer".to_owned(),
            schema,
        },
        purpose: Purpose::Verdict,
        keep_alive: request.keep_alive,
        origin: request.origin.clone(),
        ..ChatRequest::default()
    }
}

/// The word that stands for each option of a question.
pub(crate) fn words(question: &Question) -> Vec<String> {
    let first = |option: &AnswerOption| {
        let spelling = option.spellings.first().unwrap_or(&option.name);
        spelling.trim().to_owned()
    };
    question.options.iter().map(first).collect()
}

/// Which of the words was written.
pub(crate) fn chosen(text: &str, words: &[String]) -> Option<usize> {
    let value: Value = serde_json::from_str(text.trim()).ok()?;
    let word = value.get("answer")?.as_str()?;
    words.iter().position(|w| w == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_word_that_was_offered_counts() {
        let words = ["yes", "no"].map(str::to_owned);
        assert_eq!(chosen(r#" {"answer": "no"} "#, &words), Some(1));
        for text in ["", "no", r#"{"answer":"maybe"}"#, r#"{"answer":1}"#, "[]"] {
            assert_eq!(chosen(text, &words), None, "{text}");
        }
    }
}
