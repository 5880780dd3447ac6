//! A request told as a span, where spans are exported and its trace is recorded: from its head until the last of its
//! answer was sent.

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::response::Response;
use goblin_core::origin::Trace;
use goblin_core::telemetry::names::TARGET;
use http::HeaderValue;
use tracing::field::Empty;

use crate::app::AppState;
use crate::body::HeldBody;
use crate::extract::trace;
use crate::layers::{is_about_health, method_label};

/// The span of a request.
pub(crate) struct RequestSpan(Option<tracing::Span>);

impl RequestSpan {
    /// From here on the request belongs to its own span: whoever reads its trace finds that as the parent. The page and
    /// what asks after our health are told of by nobody.
    pub(crate) fn begin(app: &AppState, request: &mut Request) -> Self {
        let Some(sampler) = &app.options.sampler else {
            return Self(None);
        };
        let route = request.extensions().get::<MatchedPath>().cloned();
        let Some(route) = route.filter(|route| !is_about_health(route.as_str())) else {
            return Self(None);
        };
        let came_with = trace(request.headers());
        let own = sampler.begin(came_with.as_ref(), &app.ids);
        if let Ok(parent) = HeaderValue::from_str(own.parent()) {
            request.headers_mut().insert("traceparent", parent);
        }
        if !own.is_sampled() {
            return Self(None);
        }
        let method = method_label(request.method());
        let span = tracing::info_span!(
            target: TARGET,
            "span",
            trace_id = own.trace_id(),
            span_id = own.span_id(),
            parent_span_id = came_with.as_ref().map(Trace::span_id),
            name = format!("{method} {}", route.as_str()),
            kind = "server",
            "http.request.method" = method,
            "http.route" = route.as_str(),
            "http.response.status_code" = Empty,
            "error.type" = Empty,
        );
        Self(Some(span))
    }

    /// The span ends with the answer's body.
    pub(crate) fn answered(self, response: Response) -> Response {
        let Some(span) = self.0 else { return response };
        let status = response.status().as_u16();
        span.record("http.response.status_code", status);
        if status >= 500 {
            span.record("error.type", status.to_string());
        }
        response.map(|body| Body::new(HeldBody::new(body, span)))
    }
}
