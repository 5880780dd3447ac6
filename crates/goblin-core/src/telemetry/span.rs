//! A span: one piece of work within a trace, with its beginning and its end.

use std::sync::Arc;

use super::{names, scrub};

/// Longest text of an attribute, in characters.
const LONGEST: usize = 200;
/// Room for as many attributes as a request to a model has.
const USUAL: usize = 10;

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

impl Span {
    /// A span that begins at `start_ns`, within a trace and below a parent; without attributes.
    pub fn begun(
        trace_id: &str,
        span_id: &str,
        parent: Option<&str>,
        name: &str,
        kind: Kind,
        start_ns: u64,
    ) -> Self {
        Self {
            trace_id: trace_id.to_owned(),
            span_id: span_id.to_owned(),
            parent: parent.map(str::to_owned),
            name: scrub::clean(name, LONGEST),
            kind,
            start_ns,
            end_ns: start_ns,
            attributes: Vec::with_capacity(USUAL),
            failed: None,
        }
    }

    /// Says something of it: only what [`names::attribute`] knows is taken, and texts are cleaned. What is said again replaces
    /// what was said.
    pub fn set(&mut self, name: &str, value: Value) {
        let Some(name) = names::attribute(name) else {
            return;
        };
        let value = match (name, value) {
            ("gen_ai.response.finish_reasons", Value::Text(reason)) => {
                Value::Texts(vec![scrub::clean(&reason, LONGEST)])
            }
            (_, Value::Text(text)) => Value::Text(scrub::clean(&text, LONGEST)),
            (_, value) => value,
        };
        if let ("error.type", Value::Text(code)) = (name, &value) {
            self.failed = Some(code.clone());
        }
        self.attributes.retain(|(known, _)| *known != name);
        self.attributes.push((name, value));
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Whole(number.into())
    }
}

/// Whoever hears of spans that are over, and does not keep whoever tells them waiting. Cloning shares it.
#[derive(Clone)]
pub struct Listener(Arc<dyn Fn(Span) + Send + Sync>);

impl Listener {
    /// One that does this with each span.
    pub fn new(hears: impl Fn(Span) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hears))
    }

    /// Tells it a span.
    pub fn hear(&self, span: Span) {
        (self.0)(span);
    }
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a listener")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_span_only_what_is_on_the_list_is_told() {
        let mut span = Span::begun(
            "4bf92f3577b34da6a3ce929d0e0e4736",
            "00f067aa0ba902b7",
            None,
            "chat m",
            Kind::Client,
            7,
        );
        span.set("gen_ai.request.model", "m of a.b@example.org".into());
        span.set("prompt", "my secret".into());
        span.set("gen_ai.usage.input_tokens", 6.into());
        span.set("gen_ai.usage.input_tokens", 7.into());
        span.set("gen_ai.response.finish_reasons", "stop".into());
        span.set("error.type", "cancelled".into());
        let expected = [
            ("gen_ai.request.model", Value::from("m of ***@***")),
            ("gen_ai.usage.input_tokens", Value::Whole(7)),
            (
                "gen_ai.response.finish_reasons",
                Value::Texts(vec!["stop".to_owned()]),
            ),
            ("error.type", Value::from("cancelled")),
        ];
        assert_eq!(span.attributes, expected);
        assert_eq!(span.failed.as_deref(), Some("cancelled"));
        assert!(!format!("{span:?}").contains("my secret"));
    }
}
