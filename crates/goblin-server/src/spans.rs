//! A request told as a span, where spans are exported and its trace is recorded: from its head until the last of its
//! answer was sent.

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::response::Response;
use goblin_core::origin::Trace;
use goblin_core::telemetry::span::Kind;
use goblin_dispatch::span::OpenSpan;
use http::HeaderValue;

use crate::app::AppState;
use crate::body::HeldBody;
use crate::extract::{TRACEPARENT, trace};
use crate::layers::{is_about_health, method_label};

/// The span of a request.
pub(crate) struct RequestSpan(Option<OpenSpan>);

impl RequestSpan {
    /// From here on the request belongs to its own span: whoever reads its trace finds that as the parent. The page and
    /// what asks after our health are told of by nobody. The trace is what the log names: one that came from elsewhere, or
    /// that is recorded.
    pub(crate) fn begin(app: &AppState, request: &mut Request) -> (Self, Option<Trace>) {
        let came_with = trace(request.headers());
        let Some(telling) = &app.options.spans else {
            return (Self(None), came_with);
        };
        let route = request.extensions().get::<MatchedPath>().cloned();
        let Some(route) = route.filter(|route| !is_about_health(route.as_str())) else {
            return (Self(None), came_with);
        };
        let own = telling.sampler.begin(came_with.as_ref(), &app.ids, || {
            telling.pace.takes(app.clock.now())
        });
        if let Ok(parent) = HeaderValue::from_str(own.parent()) {
            request.headers_mut().insert(TRACEPARENT, parent);
        }
        if !own.is_sampled() {
            return (Self(None), came_with.map(|_| own));
        }
        let method = method_label(request.method());
        let name = format!("{method} {}", route.as_str());
        let parent = came_with.as_ref().map(Trace::span_id);
        let mut span = OpenSpan::begin(&telling.listener, &app.clock, &own, parent, &name, Kind::Server);
        span.set("http.request.method", method);
        span.set("http.route", route.as_str());
        (Self(Some(span)), Some(own))
    }

    /// The span ends with the answer's body.
    pub(crate) fn answered(self, response: Response) -> Response {
        let Some(mut span) = self.0 else { return response };
        let status = response.status();
        span.set("http.response.status_code", u32::from(status.as_u16()));
        if status.is_server_error() {
            span.set("error.type", status.as_str());
        }
        response.map(|body| Body::new(HeldBody::new(body, span)))
    }
}
