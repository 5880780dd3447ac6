//! Wire dialects: bytes of the outside ↔ core words, both directions. Pure.

/// A protocol spoken by clients or upstreams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// OpenAI Chat Completions.
    OpenAi,
}
