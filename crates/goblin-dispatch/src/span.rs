//! What is told of work as spans, for whoever exports them: a turn, a judge's question, a request to a model. Without an
//! exporter, and in traces that are not recorded, a span is nothing and the trace is passed on as it came.
//!
//! Requests to models are measured here too, whether spans are exported or not.

use std::time::Duration;

use goblin_core::event::{Parsed, Usage};
use goblin_core::origin::Origin;
use goblin_core::route::Offer;
use goblin_core::telemetry::names::{TARGET, provider};
use tokio::time::Instant;
use tracing::field::Empty;

use crate::Dispatch;

/// Some work, and what others are told of where it comes from.
pub(crate) struct Work {
    span: tracing::Span,
    origin: Origin,
}

impl Work {
    fn begin(dispatch: &Dispatch, origin: &Origin, kind: &str, name: &str) -> Self {
        let recorded = origin.trace.as_ref().filter(|trace| trace.is_sampled());
        let Some(above) = recorded.filter(|_| dispatch.options.spans) else {
            return Self {
                span: tracing::Span::none(),
                origin: origin.clone(),
            };
        };
        let own = above.child(&dispatch.options.ids.next_span_id(), true);
        let span = tracing::info_span!(
            target: TARGET,
            "span",
            trace_id = own.trace_id(),
            span_id = own.span_id(),
            parent_span_id = above.span_id(),
            name,
            kind,
            "gen_ai.operation.name" = Empty,
            "gen_ai.provider.name" = Empty,
            "gen_ai.request.model" = Empty,
            "gen_ai.response.finish_reasons" = Empty,
            "gen_ai.response.time_to_first_chunk" = Empty,
            "gen_ai.usage.input_tokens" = Empty,
            "gen_ai.usage.output_tokens" = Empty,
            "gen_ai.usage.cache_read.input_tokens" = Empty,
            "goblin.local" = Empty,
            "goblin.judge.about" = Empty,
            "goblin.judge.questions" = Empty,
            "goblin.turn.status" = Empty,
            "error.type" = Empty,
        );
        Self {
            span,
            origin: Origin {
                trace: Some(own),
                ..origin.clone()
            },
        }
    }

    /// A chat's turn, from its beginning until it is saved.
    pub(crate) fn turn(dispatch: &Dispatch, origin: &Origin) -> Self {
        Self::begin(dispatch, origin, "internal", "turn")
    }

    /// Questions to a judge, all of one batch.
    pub(crate) fn judge(dispatch: &Dispatch, origin: &Origin, about: &str, questions: usize) -> Self {
        let work = Self::begin(dispatch, origin, "internal", "judge");
        work.span.record("goblin.judge.about", about);
        work.span.record("goblin.judge.questions", questions);
        work
    }

    /// What whoever is asked within this work is told.
    pub(crate) fn origin(&self) -> Origin {
        self.origin.clone()
    }

    /// How a turn ended.
    pub(crate) fn status(&self, status: &'static str) {
        self.span.record("goblin.turn.status", status);
    }

    /// It failed, with this error's code.
    pub(crate) fn failed(&self, code: &str) {
        self.span.record("error.type", code);
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
        let work = Work::begin(dispatch, origin, "client", &format!("{operation} {model}"));
        let named = provider(&candidate.provider).to_owned();
        work.span.record("gen_ai.operation.name", operation);
        work.span.record("gen_ai.provider.name", named.as_str());
        work.span.record("gen_ai.request.model", model.as_str());
        work.span.record("goblin.local", candidate.stays_local());
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
                    .record("gen_ai.response.finish_reasons", reason.as_str());
            }
            said if said.is_content() && self.first.is_none() => {
                let first = self.started.elapsed();
                self.first = Some(first);
                self.work
                    .span
                    .record("gen_ai.response.time_to_first_chunk", first.as_secs_f64());
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
        let span = &self.work.span;
        let [operation, provider, model] = self.labels();
        if let Some(usage) = self.usage {
            span.record("gen_ai.usage.input_tokens", usage.prompt_tokens);
            span.record("gen_ai.usage.output_tokens", usage.completion_tokens);
            if usage.cached_tokens > 0 {
                span.record("gen_ai.usage.cache_read.input_tokens", usage.cached_tokens);
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
            span.record("error.type", code);
        }
    }
}
