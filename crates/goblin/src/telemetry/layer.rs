//! Listens to what is traced: spans that are to be told become [`Span`]s, error events and panics become
//! [`ErrorReport`]s. Of both only what is on a list is taken.

use std::fmt::Debug;

use goblin_core::clock::Clock;
use goblin_core::id::Ids;
use goblin_core::origin::Trace;
use goblin_core::telemetry::names::{self, TARGET};
use goblin_core::telemetry::page::Frame;
use goblin_core::telemetry::scrub;
use goblin_core::telemetry::sentry::{ErrorReport, Side};
use goblin_core::telemetry::span::{Kind, Span, Value};
use tokio::time::Instant;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::queue::Queue;

/// Longest text of an attribute, in characters.
const LONGEST: usize = 200;

/// Is it a span that is told?
pub(super) fn is_told(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target() == TARGET
}

/// Is it an error of ours, or the request it happened in?
pub(super) fn is_trouble(metadata: &Metadata<'_>) -> bool {
    let ours = metadata.target().starts_with("goblin");
    ours && match metadata.is_span() {
        true => metadata.name() == "request",
        false => *metadata.level() == Level::ERROR,
    }
}

/// Tells spans.
pub(super) struct Spans {
    pub(super) queue: Queue<Span>,
    pub(super) clock: Clock,
}

/// A span under way.
struct Open {
    begun: Instant,
    span: Span,
}

impl<S> Layer<S> for Spans
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let now = u64::try_from(self.clock.now().0).unwrap_or(0);
        let mut span = Span {
            trace_id: String::new(),
            span_id: String::new(),
            parent: None,
            name: String::new(),
            kind: Kind::Internal,
            start_ns: now.saturating_mul(1_000_000),
            end_ns: 0,
            attributes: Vec::new(),
            failed: None,
        };
        attributes.record(&mut Taking(&mut span));
        let begun = Instant::now();
        if let Some(kept) = context.span(id) {
            kept.extensions_mut().insert(Open { begun, span });
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(kept) = context.span(id)
            && let Some(open) = kept.extensions_mut().get_mut::<Open>()
        {
            values.record(&mut Taking(&mut open.span));
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(kept) = context.span(&id) else { return };
        let Some(Open { begun, mut span }) = kept.extensions_mut().remove::<Open>() else {
            return;
        };
        let took = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        span.end_ns = span.start_ns.saturating_add(took);
        self.queue.offer(span);
    }
}

/// Takes the fields of a span.
struct Taking<'a>(&'a mut Span);

impl Taking<'_> {
    fn take(&mut self, field: &Field, value: Value) {
        let span = &mut *self.0;
        let name = field.name();
        match (name, &value) {
            ("trace_id", Value::Text(id)) => span.trace_id.clone_from(id),
            ("span_id", Value::Text(id)) => span.span_id.clone_from(id),
            ("parent_span_id", Value::Text(id)) => span.parent = Some(id.clone()),
            ("name", Value::Text(text)) => span.name.clone_from(text),
            ("kind", Value::Text(word)) => span.kind = Kind::parse(word),
            _ => {
                let Some(name) = names::attribute(name) else {
                    return;
                };
                if let ("error.type", Value::Text(code)) = (name, &value) {
                    span.failed = Some(code.clone());
                }
                let value = match (name, value) {
                    ("gen_ai.response.finish_reasons", Value::Text(reason)) => Value::Texts(vec![reason]),
                    (_, value) => value,
                };
                // What is said again replaces what was said.
                span.attributes.retain(|(known, _)| *known != name);
                span.attributes.push((name, value));
            }
        }
    }
}

impl Visit for Taking<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, Value::Text(scrub::clean(value, LONGEST)));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.take(field, Value::Whole(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.take(field, Value::Whole(i64::try_from(value).unwrap_or(i64::MAX)));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.take(field, Value::Real(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.take(field, Value::Switch(value));
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {
        // What has no type may hold anything.
    }
}

/// Tells errors.
pub(super) struct Troubles {
    pub(super) queue: Queue<ErrorReport>,
    pub(super) clock: Clock,
    pub(super) ids: Ids,
}

/// The request something happened in.
#[derive(Default)]
struct InRequest {
    id: Option<String>,
    trace: Option<(String, String)>,
}

impl Visit for InRequest {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            // Clients may choose it, so only what looks like an id is one.
            "request_id" => self.id = scrub::word(value, 64),
            "traceparent" => {
                let trace = Trace::read(value, None);
                self.trace = trace.map(|t| (t.trace_id().to_owned(), t.span_id().to_owned()));
            }
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

impl<S> Layer<S> for Troubles
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut request = InRequest::default();
        attributes.record(&mut request);
        if let Some(kept) = context.span(id) {
            kept.extensions_mut().insert(request);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let mut said = Said::default();
        event.record(&mut said);
        let mut report = ErrorReport {
            id: self.ids.next_trace_id(),
            at: self.clock.now(),
            side: Side::Process,
            fatal: false,
            kind: metadata.target().to_owned(),
            message: said.message(),
            frames: metadata
                .file()
                .zip(metadata.line())
                .map(|(file, line)| place(file, line, 1))
                .into_iter()
                .collect(),
            tags: said.tags,
            trace: None,
        };
        let scope = context.event_scope(event).into_iter().flatten();
        for span in scope {
            if let Some(request) = span.extensions().get::<InRequest>() {
                let id = request.id.iter().map(|id| ("request_id", id.clone()));
                report.tags.extend(id);
                report.trace.clone_from(&request.trace);
                break;
            }
        }
        self.queue.offer(report);
    }
}

/// What an error event says, as far as it can be told on.
#[derive(Default)]
struct Said {
    message: String,
    tags: Vec<(&'static str, String)>,
}

/// Fields of events whose values are from closed sets, or names an operator chose.
const TAGS: &[&str] = &[
    "method", "route", "status", "code", "door", "provider", "model", "sink",
];

impl Said {
    /// The sentence in the code. Where there is a code, its sentence was made for a caller and may repeat what they
    /// wrote: then the code stands for it.
    fn message(&self) -> String {
        let code = self.tags.iter().find(|(name, _)| *name == "code");
        match code {
            Some((_, code)) => format!("answered with `{code}`"),
            None => self.message.clone(),
        }
    }

    fn tag(&mut self, field: &Field, value: String) {
        if let Some(name) = TAGS.iter().find(|name| **name == field.name()) {
            self.tags.push((name, value));
        }
    }
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.tag(field, scrub::clean(value, LONGEST));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.tag(field, value.to_string());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.tag(field, value.to_string());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.message = scrub::clean(&format!("{value:?}"), LONGEST);
        }
    }
}

/// From now on panics are told as well; what was done about them before still is. Only a sentence that is part of the
/// program is told on: one that was put together may hold what somebody wrote.
pub(super) fn tell_panics(queue: Queue<ErrorReport>, clock: Clock, ids: Ids) {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        before(panic);
        let literal = panic.payload().downcast_ref::<&'static str>();
        let frame = panic
            .location()
            .map(|at| place(at.file(), at.line(), at.column()));
        queue.offer(ErrorReport {
            id: ids.next_trace_id(),
            at: clock.now(),
            side: Side::Process,
            fatal: true,
            kind: "panic".to_owned(),
            message: literal
                .map_or("(message withheld; it is in the log)", |text| text)
                .to_owned(),
            frames: frame.into_iter().collect(),
            tags: Vec::new(),
            trace: None,
        });
    }));
}

/// A place in the source, without the folders of the machine it was built on.
fn place(file: &str, line: u32, column: u32) -> Frame {
    let own = file.find("crates/").map(|at| &file[at..]);
    let outside = || {
        let parts: Vec<&str> = file.rsplit('/').take(3).collect();
        parts.into_iter().rev().collect::<Vec<_>>().join("/")
    };
    Frame {
        file: own.map_or_else(outside, str::to_owned),
        line,
        column,
    }
}
