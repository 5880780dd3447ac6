//! Who makes and runs models elsewhere: the clouds this server knows by name. Pure data.

use serde::{Deserialize, Serialize};

/// A cloud with an API of its own kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Maker {
    /// OpenAI, by Chat Completions.
    OpenAi,
    /// Anthropic, by Messages.
    Anthropic,
    /// DeepSeek, by Chat Completions.
    DeepSeek,
    /// Google's Gemini, by `generateContent`.
    Gemini,
    /// xAI's Grok, by Chat Completions.
    Grok,
}

impl Maker {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 5] = [
        Self::OpenAi,
        Self::Anthropic,
        Self::DeepSeek,
        Self::Gemini,
        Self::Grok,
    ];

    /// The provider's id: the first part of `provider/model`.
    pub fn id(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::DeepSeek => "deepseek",
            Self::Gemini => "gemini",
            Self::Grok => "grok",
        }
    }

    /// The variable that holds its key.
    pub fn key_variable(self) -> &'static str {
        match self {
            Self::OpenAi => "OPENAI_API_KEY",
            Self::Anthropic => "ANTHROPIC_API_KEY",
            Self::DeepSeek => "DEEPSEEK_API_KEY",
            Self::Gemini => "GEMINI_API_KEY",
            Self::Grok => "GROK_API_KEY",
        }
    }

    /// What its API's path begins with, where an address names none.
    pub fn api_path(self) -> &'static str {
        match self {
            Self::Gemini => "v1beta",
            _ => "v1",
        }
    }

    /// The maker with this id.
    pub fn of(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|maker| maker.id() == id)
    }
}
