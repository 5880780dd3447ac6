//! One item of a model's answer stream.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::wire::Dialect;

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model was done, or a stop text appeared.
    Stop,
    /// `max_tokens` or the context was reached.
    Length,
    /// The model called tools.
    ToolCalls,
    /// Refused or cut for safety.
    ContentFilter,
}

impl FinishReason {
    /// OpenAI's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
        }
    }

    /// Reads OpenAI's word; unknown words are `None`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "stop" => Some(Self::Stop),
            "length" => Some(Self::Length),
            "tool_calls" | "function_call" => Some(Self::ToolCalls),
            "content_filter" => Some(Self::ContentFilter),
            _ => None,
        }
    }
}

/// Tokens counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt, cached ones included.
    pub prompt_tokens: u32,
    /// Tokens generated.
    pub completion_tokens: u32,
    /// Of the prompt: taken from a prefix cache instead of evaluated.
    #[serde(default)]
    pub cached_tokens: u32,
    /// Of the generated: spent on reasoning.
    #[serde(default)]
    pub reasoning_tokens: u32,
}

impl Usage {
    /// Prompt and completion.
    pub fn total(&self) -> u32 {
        self.prompt_tokens.saturating_add(self.completion_tokens)
    }
}

/// What an answer cost, where its server says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Tokens.
    pub usage: Usage,
    /// Evaluating what was not cached of the prompt.
    pub prompt_eval: Duration,
    /// Generating.
    pub eval: Duration,
}

/// A token and how likely it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TopLogprob {
    /// The token as text (lossy where it is not whole UTF-8).
    pub token: String,
    /// Natural logarithm of the probability over the full vocabulary, before temperature.
    pub logprob: f32,
    /// The token's bytes.
    #[serde(default)]
    pub bytes: Option<Vec<u8>>,
}

/// A generated token, how likely it was, and its likeliest rivals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenLogprob {
    /// The token.
    #[serde(flatten)]
    pub chosen: TopLogprob,
    /// Rivals, likeliest first.
    #[serde(default)]
    pub top_logprobs: Vec<TopLogprob>,
}

/// What an event says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parsed {
    /// The model began (role chunk). Not yet content: the status line is still held.
    Started,
    /// Text was added to the answer. Text may be empty when only logprobs arrive.
    Text {
        /// The text.
        text: String,
        /// One entry for each token of it, when asked for.
        logprobs: Vec<TokenLogprob>,
    },
    /// Reasoning text (`<think>`), not part of the answer.
    Reasoning {
        /// The text.
        text: String,
    },
    /// A tool call began or grew.
    ToolCall {
        /// Which call of this answer, from 0.
        index: u32,
        /// Present on the first piece.
        id: Option<String>,
        /// Present on the first piece.
        name: Option<String>,
        /// Argument text to append.
        arguments: String,
    },
    /// What the model's maker wants back with a tool call: see [`ToolCall::seal`](crate::chat::ToolCall::seal). Comes
    /// after the call's first piece.
    Sealed {
        /// Which call of this answer, from 0.
        index: u32,
        /// The seal.
        seal: String,
    },
    /// The answer ended.
    Finished {
        /// Why.
        reason: FinishReason,
    },
    /// What it used. At most one, after [`Parsed::Finished`].
    Usage(Usage),
    /// Nothing we need to understand (forwarded raw only).
    Opaque,
}

impl Parsed {
    /// Is this the kind of event after which the answer is committed to its model?
    pub fn is_content(&self) -> bool {
        match self {
            Self::Text { text, .. } | Self::Reasoning { text } => !text.is_empty(),
            Self::ToolCall { .. } => true,
            _ => false,
        }
    }
}

/// One event, and the bytes it came as when its dialect may be forwarded untouched.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatEvent {
    /// What it says.
    pub parsed: Parsed,
    /// Its wire form: for SSE dialects the `data:` payload without framing.
    pub raw: Option<(Dialect, Bytes)>,
}

impl From<Parsed> for ChatEvent {
    fn from(parsed: Parsed) -> Self {
        Self { parsed, raw: None }
    }
}
