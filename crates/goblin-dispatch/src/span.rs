//! What is told of work as spans, for whoever exports them: a turn, a judge's question, a request to a model. Without an
//! exporter, and in traces that are not recorded, a span is nothing and the trace is passed on as it came.
//!
//! Requests to models are measured here too, whether spans are exported or not.

use std::time::Duration;

use goblin_core::clock::Clock;
use goblin_core::event::{Parsed, Usage};
use goblin_core::origin::{Origin, Trace};
use goblin_core::route::Offer;
use goblin_core::telemetry::names::provider;
use goblin_core::telemetry::span::{Kind, Listener, Span, Value};
use tokio::time::Instant;

use crate::Dispatch;

/// A span under way; whoever listens hears of it when it is dropped. One that nobody hears of is nothing, and costs nothing.
#[derive(Debug)]
pub struct OpenSpan(Option<Box<Under>>);

#[derive(Debug)]
struct Under {
    span: Span,
    begun: Instant,
    listener: Listener,
}

impl OpenSpan {
    /// One that begins now: `own` names it, and whoever is asked within it has it as the parent. `parent` is the span it is
    /// part of.
    pub fn begin(
        listener: &Listener,
        clock: &Clock,
        own: &Trace,
        parent: Option<&str>,
        name: &str,
        kind: Kind,
    ) -> Self {
        let now = u64::try_from(clock.now().0)
            .unwrap_or(0)
            .saturating_mul(1_000_000);
        Self(Some(Box::new(Under {
            span: Span::begun(own.trace_id(), own.span_id(), parent, name, kind, now),
            begun: Instant::now(),
            listener: listener.clone(),
        })))
    }

    /// One that nobody hears of.
    pub fn none() -> Self {
        Self(None)
    }

    /// Says something of it, as [`Span::set`].
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        if let Some(under) = &mut self.0 {
            under.span.set(name, value.into());
        }
    }
}

impl Drop for OpenSpan {
    fn drop(&mut self) {
        if let Some(under) = self.0.take() {
            let Under {
                mut span,
                begun,
                listener,
            } = *under;
            let took = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
            span.end_ns = span.start_ns.saturating_add(took);
            listener.hear(span);
        }
    }
}

/// Some work, and what others are told of where it comes from.
pub(crate) struct Work {
    span: OpenSpan,
    origin: Origin,
}

impl Work {
    fn begin(dispatch: &Dispatch, origin: &Origin, kind: Kind, name: impl FnOnce() -> String) -> Self {
        let recorded = origin.trace.as_ref().filter(|trace| trace.is_sampled());
        let Some((above, listener)) = recorded.zip(dispatch.options.spans.as_ref()) else {
            return Self {
                span: OpenSpan::none(),
                origin: origin.clone(),
            };
        };
        let own = above.child(&dispatch.options.ids.next_span_id(), true);
        Self {
            span: OpenSpan::begin(
                listener,
                &dispatch.clock,
                &own,
                Some(above.span_id()),
                &name(),
                kind,
            ),
            origin: Origin {
                trace: Some(own),
                ..origin.clone()
            },
        }
    }

    /// A chat's turn, from its beginning until it is saved.
    pub(crate) fn turn(dispatch: &Dispatch, origin: &Origin) -> Self {
        Self::begin(dispatch, origin, Kind::Internal, || "turn".to_owned())
    }

    /// Questions to a judge, all of one batch.
    pub(crate) fn judge(dispatch: &Dispatch, origin: &Origin, about: &str, questions: usize) -> Self {
        let mut work = Self::begin(dispatch, origin, Kind::Internal, || "judge".to_owned());
        work.span.set("goblin.judge.about", about);
        let questions = i64::try_from(questions).unwrap_or(i64::MAX);
        work.span.set("goblin.judge.questions", Value::Whole(questions));
        work
    }

    /// What whoever is asked within this work is told.
    pub(crate) fn origin(&self) -> Origin {
        self.origin.clone()
    }

    /// How a turn ended.
    pub(crate) fn status(&mut self, status: &'static str) {
        self.span.set("goblin.turn.status", status);
    }

    /// It failed, with this error's code.
    pub(crate) fn failed(&mut self, code: &str) {
        self.span.set("error.type", code);
    }
}

/// A request to a model, from when it has a place until the last of its answer. One that is dropped on the way was
/// cancelled.
pub(crate) struct Asking {
    work: Work,
    operation: &'static str,
    provider: String,
    model: String,
    started: Instant,
    first: Option<Duration>,
    usage: Option<Usage>,
    error: Option<&'static str>,
}

impl Asking {
    /// A request of this kind (`chat`, `text_completion`, `embeddings`, `decide`) to this model.
    pub(crate) fn begin(
        dispatch: &Dispatch,
        origin: &Origin,
        operation: &'static str,
        candidate: &Offer,
    ) -> Self {
        let model = candidate.model.name.clone();
        let mut work = Work::begin(dispatch, origin, Kind::Client, || format!("{operation} {model}"));
        let named = provider(&candidate.provider).to_owned();
        let span = &mut work.span;
        span.set("gen_ai.operation.name", operation);
        span.set("gen_ai.provider.name", named.as_str());
        span.set("gen_ai.request.model", model.as_str());
        span.set("goblin.local", Value::Switch(candidate.stays_local()));
        Self {
            work,
            operation,
            provider: named,
            model,
            started: Instant::now(),
            first: None,
            usage: None,
            error: Some("cancelled"),
        }
    }

    /// What the server is told.
    pub(crate) fn origin(&self) -> Origin {
        self.work.origin()
    }

    /// An event of its answer.
    pub(crate) fn saw(&mut self, parsed: &Parsed) {
        match parsed {
            Parsed::Usage(usage) => self.usage = Some(*usage),
            Parsed::Finished { reason } => {
                self.work
                    .span
                    .set("gen_ai.response.finish_reasons", reason.as_str());
            }
            said if said.is_content() && self.first.is_none() => {
                let first = self.started.elapsed();
                self.first = Some(first);
                let seconds = Value::Real(first.as_secs_f64());
                self.work.span.set("gen_ai.response.time_to_first_chunk", seconds);
            }
            _ => {}
        }
    }

    /// What its server counted.
    pub(crate) fn counted(&mut self, usage: Usage) {
        self.usage = Some(usage);
    }

    /// It failed, with this error's code.
    pub(crate) fn failed(&mut self, code: &'static str) {
        self.error = Some(code);
    }

    /// It came to its end.
    pub(crate) fn ended(&mut self) {
        self.error = None;
    }

    fn labels(&self) -> [(&'static str, String); 3] {
        [
            ("operation", self.operation.to_owned()),
            ("provider", self.provider.clone()),
            ("model", self.model.clone()),
        ]
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        let [operation, provider, model] = self.labels();
        let span = &mut self.work.span;
        if let Some(usage) = self.usage {
            span.set("gen_ai.usage.input_tokens", usage.prompt_tokens);
            span.set("gen_ai.usage.output_tokens", usage.completion_tokens);
            if usage.cached_tokens > 0 {
                span.set("gen_ai.usage.cache_read.input_tokens", usage.cached_tokens);
            }
            for (kind, tokens) in [
                ("input", usage.prompt_tokens),
                ("output", usage.completion_tokens),
            ] {
                let kind = ("kind", kind.to_owned());
                let labels = [operation.clone(), provider.clone(), model.clone(), kind];
                metrics::histogram!("goblin_model_request_tokens", &labels).record(f64::from(tokens));
            }
        }
        if let Some(first) = self.first {
            let labels = [operation.clone(), provider.clone(), model.clone()];
            metrics::histogram!("goblin_model_first_chunk_seconds", &labels).record(first.as_secs_f64());
        }
        let error = ("error", self.error.unwrap_or("none").to_owned());
        let labels = [operation, provider, model, error];
        metrics::histogram!("goblin_model_request_seconds", &labels)
            .record(self.started.elapsed().as_secs_f64());
        if let Some(code) = self.error {
            span.set("error.type", code);
        }
    }
}
