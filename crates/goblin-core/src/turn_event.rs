//! What a chat turn's stream says, to the page and in the turn log.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::conversation::{Chat, Turn};

/// One event of a turn. Its SSE `event:` name is [`TurnEvent::name`], its `data:` the inner object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum TurnEvent {
    /// First: the turn as it begins, and its chat (with the title made from the question).
    Turn {
        /// The turn.
        turn: Box<Turn>,
        /// Its chat.
        chat: Box<Chat>,
    },
    /// Text to append to the answer.
    Delta(Delta),
    /// Text to append to the reasoning.
    Reasoning(Delta),
    /// Last: the turn as it was saved.
    Done(Saved),
    /// Instead of everything else, when the log is gone: the turn as it was saved.
    Snapshot(Saved),
}

/// Text to append.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Delta {
    /// The text.
    pub text: String,
}

/// A turn as it was saved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Saved {
    /// The turn.
    pub turn: Box<Turn>,
}

impl TurnEvent {
    /// The SSE `event:` name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Turn { .. } => "turn",
            Self::Delta(_) => "delta",
            Self::Reasoning(_) => "reasoning",
            Self::Done(_) => "done",
            Self::Snapshot(_) => "snapshot",
        }
    }

    /// Does the stream end with this event?
    pub fn is_last(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Snapshot(_))
    }
}
