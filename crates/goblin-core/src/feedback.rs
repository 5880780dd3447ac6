//! What a reader said of an answer: the labels that judges are measured by.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::Timestamp;

/// Most bytes of a comment.
pub const MAX_COMMENT_BYTES: usize = 4096;

/// A thumb.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rating {
    /// A good answer.
    Up,
    /// A bad one.
    Down,
}

impl Rating {
    /// The wire and SQL form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }

    /// Reads [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Up, Self::Down].into_iter().find(|r| r.as_str() == text)
    }
}

/// What a reader said of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Feedback {
    /// The thumb.
    pub rating: Option<Rating>,
    /// Another answer to the same question that is better.
    pub better_turn: Option<String>,
    /// Answers to the same question that this one was said to be better than.
    #[serde(default)]
    pub better_than: Vec<String>,
    /// Another answer to the same question that was asked of another model to compare.
    pub second_opinion: Option<String>,
    /// In the reader's words.
    pub comment: Option<String>,
    /// When it last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// What changes of it. `None` leaves a field alone, `Some(None)` clears it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedbackChange {
    /// The thumb.
    pub rating: Option<Option<Rating>>,
    /// A better answer to the same question.
    pub better_turn: Option<Option<String>>,
    /// An answer asked for to compare.
    pub second_opinion: Option<Option<String>>,
    /// In the reader's words.
    pub comment: Option<Option<String>>,
}
