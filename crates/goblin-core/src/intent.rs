//! What a question is about.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// Write, change or find the fault in a program.
    Code,
    /// Say how or why something is.
    Explain,
    /// Make a given text short.
    Summarize,
    /// Make something up: a story, a poem, a name.
    Creative,
    /// Say it in another language.
    Translation,
    /// Put something in one of several classes.
    Classification,
    /// How is something now?
    Status,
    /// Answer from a text that was given.
    Rag,
    /// Find something in what is stored.
    Retrieval,
    /// Talk.
    Chat,
    /// About law and contracts.
    Legal,
    /// Work something out in steps.
    Reasoning,
}

impl Intent {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Code,
        Self::Explain,
        Self::Summarize,
        Self::Creative,
        Self::Translation,
        Self::Classification,
        Self::Status,
        Self::Rag,
        Self::Retrieval,
        Self::Chat,
        Self::Legal,
        Self::Reasoning,
    ];

    /// The wire form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Explain => "explain",
            Self::Summarize => "summarize",
            Self::Creative => "creative",
            Self::Translation => "translation",
            Self::Classification => "classification",
            Self::Status => "status",
            Self::Rag => "rag",
            Self::Retrieval => "retrieval",
            Self::Chat => "chat",
            Self::Legal => "legal",
            Self::Reasoning => "reasoning",
        }
    }

    /// Reads [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|intent| intent.as_str() == text)
    }
}
