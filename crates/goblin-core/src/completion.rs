//! Text that continues a text, without roles or a template.

use crate::chat::{KeepAlive, Purpose, ResponseFormat, Sampling};
use crate::origin::Origin;

/// One request to continue a text. The answer is a [`crate::provider::ChatStream`] of text events.
#[derive(Clone, Debug, Default)]
pub struct CompletionRequest {
    /// The model's name as its provider knows it.
    pub model: String,
    /// The text so far; special tokens in it are taken as such.
    pub prompt: String,
    /// What comes after the gap, for models that fill gaps.
    pub suffix: Option<String>,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// The answer's shape.
    pub format: ResponseFormat,
    /// What the answer is for.
    pub purpose: Purpose,
    /// The context asked for, in tokens.
    pub context_tokens: Option<u32>,
    /// How long the model stays in memory.
    pub keep_alive: Option<KeepAlive>,
    /// Where it comes from.
    pub origin: Origin,
}
