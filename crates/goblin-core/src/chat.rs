//! One request to a model, in core words: every wire dialect is translated to this and from this.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::origin::Origin;
use crate::wire::Dialect;

mod wishes;

pub use wishes::Untranslated;

/// Who says a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions (`system`, and OpenAI's `developer`).
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// The result of a tool call.
    Tool,
}

/// A piece of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Part {
    /// Text.
    Text {
        /// The words.
        text: String,
    },
    /// An image, as a `data:` or `https:` URL.
    Image {
        /// Where the bytes are.
        url: String,
    },
    /// A PDF, as a `data:` URL in base64.
    File {
        /// Its name, where it was said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The bytes: `data:application/pdf;base64,…`.
        url: String,
    },
}

/// A tool call the model made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The id the result refers to.
    pub id: String,
    /// The function's name.
    pub name: String,
    /// Arguments as JSON text, exactly as the model wrote them.
    pub arguments: String,
    /// What its maker wants back with it and only its maker can read (a signature of what was thought before it), behind
    /// the maker's id and a colon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<String>,
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub parts: Vec<Part>,
    /// Participant name, when given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the assistant thought before it said this, when it is given back to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// Calls the assistant made in this message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// For [`Role::Tool`]: the call this answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
}

impl Message {
    /// A message of plain text.
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        Self {
            role,
            parts: vec![Part::Text { text: text.into() }],
            name: None,
            reasoning: None,
            tool_calls: Vec::new(),
            tool_call_id: None,
        }
    }

    /// All text parts, joined.
    pub fn joined_text(&self) -> String {
        let mut out = String::new();
        for part in &self.parts {
            if let Part::Text { text } = part {
                out.push_str(text);
            }
        }
        out
    }

    /// Does the message carry an image?
    pub fn has_image(&self) -> bool {
        self.parts.iter().any(|p| matches!(p, Part::Image { .. }))
    }

    /// Does the message carry a file?
    pub fn has_file(&self) -> bool {
        self.parts.iter().any(|p| matches!(p, Part::File { .. }))
    }
}

/// A function the model may call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tool {
    /// Name, `[A-Za-z0-9_-]{1,64}`.
    pub name: String,
    /// What it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// JSON Schema of the arguments.
    #[serde(default)]
    pub parameters: serde_json::Value,
    /// OpenAI's `strict`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
}

/// May, must or must not the model call a tool?
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ToolChoice {
    /// The model decides.
    #[default]
    Auto,
    /// No calls.
    None,
    /// At least one call.
    Required,
    /// This function.
    Named(String),
}

/// The shape the answer must have.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ResponseFormat {
    /// Free text.
    #[default]
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON that fits a schema.
    JsonSchema {
        /// The schema's name.
        name: String,
        /// JSON Schema.
        schema: serde_json::Value,
    },
    /// A GBNF grammar (llama.cpp's extension field `grammar`).
    Grammar(String),
}

/// How tokens are chosen. `None` means the model's default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling {
    /// 0–2.
    pub temperature: Option<f32>,
    /// 0–1, nucleus.
    pub top_p: Option<f32>,
    /// Keep the k likeliest; 0 = all.
    pub top_k: Option<u32>,
    /// 0–1, relative to the likeliest.
    pub min_p: Option<f32>,
    /// Makes sampling repeatable.
    pub seed: Option<u64>,
    /// Up to 16 texts that end the answer (and are not part of it).
    pub stop: Vec<String>,
    /// -2–2.
    pub presence_penalty: Option<f32>,
    /// -2–2.
    pub frequency_penalty: Option<f32>,
    /// llama.cpp's multiplicative penalty, 1 = off.
    pub repeat_penalty: Option<f32>,
    /// Most tokens to generate.
    pub max_tokens: Option<u32>,
    /// Added to logits: (token id, -100…100).
    pub logit_bias: Vec<(u32, f32)>,
    /// `Some(n)`: report each token's log-probability and the `n` (0–20) likeliest alternatives.
    pub logprobs: Option<u8>,
}

/// Should the model think before it answers, and how much?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Think {
    /// Not at all.
    Off,
    /// As much as the model does by itself.
    On,
    /// A little.
    Low,
    /// Some.
    Medium,
    /// A lot.
    High,
    /// As much as the model can.
    Max,
}

/// How long a model stays in memory after its last answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepAlive {
    /// This long; zero unloads it at once.
    For(Duration),
    /// Until it is unloaded by hand.
    Forever,
}

/// What an answer is for. Decides who waits for whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// Somebody reads it.
    #[default]
    Answer,
    /// A short check of another answer (`x-goblin-purpose: verdict`): never waits behind a long generation.
    Verdict,
}

/// One request to a model.
#[derive(Clone, Debug, Default)]
pub struct ChatRequest {
    /// The model's name as its provider knows it (no `provider/` prefix).
    pub model: String,
    /// The conversation, oldest first.
    pub messages: Vec<Message>,
    /// Functions on offer.
    pub tools: Vec<Tool>,
    /// Whether to use them.
    pub tool_choice: ToolChoice,
    /// May several calls be made at once? `None` = provider's default.
    pub parallel_tool_calls: Option<bool>,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// The answer's shape.
    pub format: ResponseFormat,
    /// Did the caller ask for a stream? Upstreams are always asked for one, except in raw pass-through.
    pub stream: bool,
    /// Requests of one conversation share this, so that a provider may reuse its prefix.
    pub session: Option<String>,
    /// What the answer is for.
    pub purpose: Purpose,
    /// Thinking, where the model can. `None` = the model's default.
    pub think: Option<Think>,
    /// The context the caller asks for, in tokens (Ollama's `num_ctx`). `None` = what the model has.
    pub context_tokens: Option<u32>,
    /// How long the model stays in memory. `None` = the server's setting.
    pub keep_alive: Option<KeepAlive>,
    /// Who the end user is, for upstreams that want to know (opaque).
    pub user: Option<String>,
    /// Where it comes from.
    pub origin: Origin,
    /// Was the model goblin's choice? Then what it cannot take of how tokens are chosen is left out; who named a model is
    /// told instead.
    pub automatic: bool,
    /// Fields of the caller's own dialect that these words do not have, by name. Who forwards nothing untouched refuses
    /// them, or says why they do not matter.
    pub untranslated: Vec<String>,
    /// The caller's own bytes, when the same dialect may be forwarded untouched.
    pub raw: Option<(Dialect, Bytes)>,
}
