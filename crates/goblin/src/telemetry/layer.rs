//! Listens to what is traced: error events and panics become [`ErrorReport`]s. Only what is on a list is taken.

use std::fmt::Debug;

use goblin_core::clock::Clock;
use goblin_core::id::Ids;
use goblin_core::origin::Trace;
use goblin_core::telemetry::page::Frame;
use goblin_core::telemetry::scrub;
use goblin_core::telemetry::sentry::{ErrorReport, Side};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::queue::Queue;

/// Longest text of an attribute, in characters.
const LONGEST: usize = 200;

/// Is it an error of ours, or the request it happened in?
pub(super) fn is_trouble(metadata: &Metadata<'_>) -> bool {
    let ours = metadata.target().starts_with("goblin");
    ours && match metadata.is_span() {
        true => metadata.name() == "request",
        false => *metadata.level() == Level::ERROR,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::queue::queue;
    use tracing_subscriber::filter::filter_fn;
    use tracing_subscriber::layer::SubscriberExt;

    /// What is heard of `work`.
    fn heard(work: impl FnOnce()) -> Vec<ErrorReport> {
        let (errors, troubles) = queue("errors", 8, 8);
        let errors = Troubles {
            queue: errors,
            clock: Clock::System,
            ids: Ids::Random,
        };
        let subscriber = tracing_subscriber::registry().with(errors.with_filter(filter_fn(is_trouble)));
        tracing::subscriber::with_default(subscriber, work);
        troubles.take()
    }

    #[test]
    fn of_an_error_its_own_sentence_a_code_and_where_are_told() {
        let troubles = heard(|| {
            let request = tracing::info_span!(
                target: "goblin_server::layers",
                "request",
                request_id = "r-1",
                traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            );
            let _in = request.enter();
            let error = "my secret";
            tracing::error!(target: "goblin_store", %error, provider = "ollama", "it was not saved");
            tracing::error!(target: "goblin_server", code = "unavailable", "{}", error);
            tracing::warn!(target: "goblin_store", "a warning");
            tracing::error!(target: "hyper", "of others");
        });
        let [first, second] = troubles.as_slice() else {
            panic!("{troubles:?}");
        };
        assert_eq!(first.message, "it was not saved");
        assert_eq!(first.kind, "goblin_store");
        assert_eq!(first.frames[0].file, "crates/goblin/src/telemetry/layer.rs");
        assert!(first.tags.contains(&("request_id", "r-1".to_owned())));
        assert!(first.tags.contains(&("provider", "ollama".to_owned())));
        assert_eq!(first.trace.as_ref().unwrap().1, "00f067aa0ba902b7");
        assert_eq!(second.message, "answered with `unavailable`");
        assert!(!format!("{first:?}{second:?}").contains("my secret"));
    }

    #[test]
    fn of_a_panic_only_a_sentence_nothing_was_put_into_is_told() {
        let (queue, troubles) = queue("panics", 8, 8);
        tell_panics(queue, Clock::System, Ids::Random);
        let secret = "my secret";
        let panics = [
            std::thread::spawn(|| panic!("a literal")).join(),
            std::thread::spawn(move || panic!("with {secret}")).join(),
        ];
        drop(std::panic::take_hook());
        assert!(panics.iter().all(Result::is_err));
        let told: Vec<ErrorReport> = troubles.take();
        let of = |text: &str| told.iter().filter(|report| report.message.contains(text)).count();
        assert_eq!((of("a literal"), of("withheld"), of("my secret")), (1, 1, 0));
        assert!(
            told.iter()
                .all(|report| report.fatal && !report.frames.is_empty())
        );
    }

    #[test]
    fn a_place_names_no_folder_of_the_machine_it_was_built_on() {
        let at = |file| place(file, 1, 1).file;
        assert_eq!(
            at("/home/me/goblin/crates/goblin/src/up.rs"),
            "crates/goblin/src/up.rs"
        );
        assert_eq!(
            at("/home/me/.cargo/registry/src/x/hyper-1.12.0/src/body.rs"),
            "hyper-1.12.0/src/body.rs"
        );
    }
}
