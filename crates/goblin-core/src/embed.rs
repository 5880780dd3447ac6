//! Texts as vectors.

use crate::chat::KeepAlive;
use crate::origin::Origin;

/// Texts to be embedded.
#[derive(Clone, Debug, Default)]
pub struct EmbedRequest {
    /// The model's name as its provider knows it.
    pub model: String,
    /// The texts, in order; at least one.
    pub inputs: Vec<String>,
    /// Shorter vectors, from models that can. `None` = the model's own length.
    pub dimensions: Option<u32>,
    /// May a text that is too long be cut? Without leave it is refused.
    pub truncate: bool,
    /// How long the model stays in memory.
    pub keep_alive: Option<KeepAlive>,
    /// Where it comes from.
    pub origin: Origin,
}

/// One vector a text, in the order of the texts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EmbedResponse {
    /// Vectors of length one (L2).
    pub vectors: Vec<Vec<f32>>,
    /// Tokens of all texts together; 0 when the provider does not say.
    pub prompt_tokens: u32,
}
