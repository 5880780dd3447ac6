//! Chats and turns as they are kept and shown: a *chat* is a conversation, a *turn* a question and its answer.
//! Turns form a tree: editing or regenerating makes a sibling; the chat's `head` says which branch is shown.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::attachment::Attachment;
use crate::chat::Sampling;
use crate::clock::Timestamp;
use crate::feedback::Feedback;
use crate::trace::summary::TraceSummary;

/// Sampling settings of a chat. Absent means the model's default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// 0–2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    /// 0–1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f32>,
    /// 0–1000; 0 = all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u32>,
    /// 0–1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_p: Option<f32>,
    /// 1–1,000,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Makes sampling repeatable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Up to 16 texts that end the answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// -2–2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f32>,
    /// -2–2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f32>,
}

impl Parameters {
    /// As a request's sampling settings.
    pub fn to_sampling(&self) -> Sampling {
        Sampling {
            temperature: self.temperature,
            top_p: self.top_p,
            top_k: self.top_k,
            min_p: self.min_p,
            max_tokens: self.max_tokens,
            seed: self.seed,
            stop: self.stop.clone(),
            presence_penalty: self.presence_penalty,
            frequency_penalty: self.frequency_penalty,
            ..Sampling::default()
        }
    }
}

/// A conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Chat {
    /// UUIDv7.
    pub id: String,
    /// Made from the first question when absent.
    pub title: Option<String>,
    /// The model to ask; absent = automatic.
    pub model: Option<String>,
    /// System prompt.
    pub system: Option<String>,
    /// Sampling settings.
    pub parameters: Parameters,
    /// A name to group chats by.
    pub folder: Option<String>,
    /// Newest turn of the branch shown.
    pub head: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// How far a turn is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TurnStatus {
    /// The answer is being made.
    Streaming,
    /// Answered.
    Complete,
    /// Stopped by its owner; what was there is kept.
    Stopped,
    /// The server died in the middle; what was there is kept.
    Incomplete,
    /// It failed; `error` says why and what was there is kept.
    Failed,
}

impl TurnStatus {
    /// The wire and SQL form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Streaming => "streaming",
            Self::Complete => "complete",
            Self::Stopped => "stopped",
            Self::Incomplete => "incomplete",
            Self::Failed => "failed",
        }
    }

    /// Reads [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::Streaming,
            Self::Complete,
            Self::Stopped,
            Self::Incomplete,
            Self::Failed,
        ]
        .into_iter()
        .find(|s| s.as_str() == text)
    }
}

/// An error as our own paths show it (RFC 9457, `application/problem+json`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// One of a closed set a client may branch on.
    pub code: String,
    /// A sentence: what, the limit, the fix.
    pub detail: String,
    /// The field at fault.
    #[serde(default)]
    pub param: Option<String>,
    /// Finds the log line.
    #[serde(default)]
    pub request_id: Option<String>,
    /// When to come back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
}

/// Tokens of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TurnUsage {
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Tokens of the answer.
    pub completion_tokens: u32,
    /// Both.
    pub total_tokens: u32,
    /// Of the prompt, not evaluated again.
    pub cached_tokens: u32,
}

/// How long a turn took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TurnTiming {
    /// From the question's arrival to the first text, in milliseconds.
    pub first_token_ms: u64,
    /// From the question's arrival to the end, in milliseconds.
    pub total_ms: u64,
}

/// A question and its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Turn {
    /// UUIDv7.
    pub id: String,
    /// The chat.
    pub chat_id: String,
    /// The turn before; absent for a first turn.
    pub parent: Option<String>,
    /// The question.
    pub content: String,
    /// Files attached to it, in order.
    #[serde(default)]
    pub attachments: Vec<Attachment>,
    /// The answer so far.
    pub answer: String,
    /// Reasoning text, when the model shows it.
    pub reasoning: Option<String>,
    /// How far it is.
    pub status: TurnStatus,
    /// `stop`, `length`, `tool_calls` or `content_filter`.
    pub finish_reason: Option<String>,
    /// Who answered, `provider/model`.
    pub model: Option<String>,
    /// Did it stay on the operator's machines?
    pub local: Option<bool>,
    /// Why it failed.
    pub error: Option<Problem>,
    /// Tokens.
    pub usage: Option<TurnUsage>,
    /// Older turns left out of the prompt because the context was full.
    pub left_out: u32,
    /// Times.
    pub timing: Option<TurnTiming>,
    /// Why the answer comes from where it comes from, in one line.
    pub trace: Option<TraceSummary>,
    /// What its reader said of it.
    pub feedback: Option<Feedback>,
    /// Turns with the same parent, oldest first, this one included.
    pub siblings: Vec<String>,
    /// When it was asked.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
}

/// The title of a chat whose first question is `question`: its first line, at most 60 characters.
pub fn title_from(question: &str) -> String {
    let line = question
        .lines()
        .map(str::trim)
        .find(|l| !l.is_empty())
        .unwrap_or("New chat");
    if line.chars().count() <= 60 {
        return line.to_owned();
    }
    let cut: String = line.chars().take(59).collect();
    let end = cut.rfind(' ').filter(|&i| i > 30).unwrap_or(cut.len());
    format!("{}…", cut[..end].trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_the_first_line_cut_at_a_word() {
        assert_eq!(title_from("\n  Hello there\nmore"), "Hello there");
        let long = title_from(&"word ".repeat(40));
        assert!(long.chars().count() <= 60 && long.ends_with("word…"), "{long}");
        assert_eq!(title_from(&"ü".repeat(100)).chars().count(), 60);
        assert_eq!(title_from("  "), "New chat");
    }
}
