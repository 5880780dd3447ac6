//! A span: one piece of work within a trace, with its beginning and its end.

/// What a span is of (`SpanKind` of OTLP).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Work of this process alone.
    Internal,
    /// A request that came in.
    Server,
    /// A request that went out.
    Client,
}

impl Kind {
    /// As OTLP numbers it.
    pub fn number(self) -> u64 {
        match self {
            Self::Internal => 1,
            Self::Server => 2,
            Self::Client => 3,
        }
    }

    /// Reads the word a span says of itself; without one it is internal.
    pub fn parse(word: &str) -> Self {
        match word {
            "server" => Self::Server,
            "client" => Self::Client,
            _ => Self::Internal,
        }
    }
}

/// What an attribute holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text.
    Text(String),
    /// Several texts.
    Texts(Vec<String>),
    /// A whole number.
    Whole(i64),
    /// A number.
    Real(f64),
    /// Yes or no.
    Switch(bool),
}

/// A span that is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// 32 lower-case hexadecimal digits.
    pub trace_id: String,
    /// 16 of them.
    pub span_id: String,
    /// The span it is a part of, also one of another process.
    pub parent: Option<String>,
    /// For people, from a small set: `POST /v1/chat/completions`, `chat mistral:7b`.
    pub name: String,
    /// What it is of.
    pub kind: Kind,
    /// Nanoseconds since the Unix epoch.
    pub start_ns: u64,
    /// The same for its end.
    pub end_ns: u64,
    /// Only names of [`super::names::attribute`].
    pub attributes: Vec<(&'static str, Value)>,
    /// The code of the error it ended with.
    pub failed: Option<String>,
}
