//! Wire dialects: bytes of the outside ↔ core words, both directions. Pure.
//!
//! Translation is always dialect ↔ core ↔ dialect, never dialect ↔ dialect.

mod answer;
pub mod anthropic;
mod base64;
pub mod cloud_errors;
mod fields;
mod files;
pub mod gemini;
pub(crate) mod images;
pub mod json;
mod leaks;
pub mod legacy;
pub mod llama_cpp;
mod logprobs;
pub mod ollama;
pub mod openai;
pub mod problem;
mod reading;
pub mod sse;
pub mod systemone;
mod text_calls;
mod think;
pub mod tier;

/// A protocol spoken by clients or upstreams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// OpenAI Chat Completions.
    OpenAi,
    /// Ollama's own API: NDJSON.
    Ollama,
    /// Anthropic Messages.
    Anthropic,
}
