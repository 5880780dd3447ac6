//! What is true of every request, as one list, outermost first.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use goblin_auth::visit::Way;
use goblin_core::error::ApiError;
use goblin_core::origin::Trace;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use http_body::Body as _;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::Instrument;

use crate::app::{Access, AppState};
use crate::body::{GuardedBody, HeldBody, Place, WatchedBody, bounds};
use crate::cors;
use crate::door::Door;
use crate::extract::request_id;
use crate::people;
use crate::rate;
use crate::refusal::Refusal;
use crate::serve::Peer;
use crate::spans::RequestSpan;
use crate::tier_guard;

/// Carries a request's id, in both directions.
pub const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

/// Longest id taken over from a client, in characters.
const MAX_CORRELATION_ID: usize = 128;

/// Puts every layer around `router`. Called once, after all routes and fallbacks are there.
///
/// They are functions within one future: as layers of `tower` each would clone and box all those below it, for every
/// request.
pub(crate) fn apply(router: Router, app: &AppState) -> Router {
    let places = Arc::new(Semaphore::new(app.options.max_requests));
    router.layer(from_fn_with_state((app.clone(), places), through))
}

/// All of it, outermost first: what is told of every request, and what every answer says.
async fn through(
    State((app, places)): State<(AppState, Arc<Semaphore>)>,
    request: Request,
    next: Next,
) -> Response {
    let app = &app;
    // First, so that whatever happens below can be found in the log.
    correlate(app, request, async move |request| {
        // Sees the final status, and the refusal before it becomes bytes: one log line, one measurement.
        observe(app, request, async move |request| {
            // Outside everything that answers, so that errors carry these headers too.
            harden(app, request, async move |request| {
                // Outside everything that answers: the page on its own origin reads errors too.
                cors::allow(app, request, async move |request| {
                    answered(app, request, async move |request| {
                        admitted(app, places, request, next).await
                    })
                    .await
                })
                .await
            })
            .await
        })
        .await
    })
    .await
}

/// How an answer ends.
async fn answered(
    app: &AppState,
    request: Request,
    inner: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    // Keeps the place of an answer under way until the last of it was sent.
    rate::tell(request, async move |request| {
        // Outside everything that may answer without reading the body.
        close_when_unread(request, async move |request| {
            // Errors become bytes once, in the shape of the door.
            render_refusals(app, request, async move |request| {
                // A panic becomes a refusal like any other.
                let answered = AssertUnwindSafe(inner(request)).catch_unwind().await;
                answered.unwrap_or_else(refuse_panic)
            })
            .await
        })
        .await
    })
    .await
}

/// Who comes in, and with how much.
async fn admitted(app: &AppState, places: Arc<Semaphore>, request: Request, next: Next) -> Response {
    // Whoever is shut out, or sends what is not plain, takes no place.
    tier_guard::guard(app, request, async move |request| {
        // Before anything is done: no other page acts with our cookie.
        people::guard(app, request, async move |request| {
            // On the way out only what ends soon is begun.
            refuse_while_draining(app, request, async move |request| {
                // Before the body is read: a full house costs nothing.
                bound_requests(app, places, request, async move |request| {
                    // Innermost: handlers can only read a bounded body.
                    next.run(bound_body(app, request)).await
                })
                .await
            })
            .await
        })
        .await
    })
    .await
}

async fn correlate(
    app: &AppState,
    mut request: Request,
    next: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let id = match request.headers().get(CORRELATION_ID) {
        Some(given) if is_fit(given) => given.clone(),
        _ => HeaderValue::try_from(app.ids.next_id()).unwrap_or(HeaderValue::from_static("-")),
    };
    request.headers_mut().insert(CORRELATION_ID, id.clone());
    let (told, trace) = RequestSpan::begin(app, &mut request);
    let span = tracing::info_span!(
        "request",
        request_id = id.to_str().unwrap_or("-"),
        traceparent = trace.as_ref().map(Trace::parent),
    );
    let mut response = next(request).instrument(span).await;
    response.headers_mut().insert(CORRELATION_ID, id);
    told.answered(response)
}

/// 1 to 128 printable ASCII characters: fit for a header, a log line and a search box.
fn is_fit(id: &HeaderValue) -> bool {
    (1..=MAX_CORRELATION_ID).contains(&id.len()) && id.as_bytes().iter().all(|b| (0x20..0x7f).contains(b))
}

async fn observe(app: &AppState, request: Request, next: impl AsyncFnOnce(Request) -> Response) -> Response {
    let started = Instant::now();
    let method = method_label(request.method());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let response = next(request).await;
    if !is_about_health(&route) {
        app.answered.with(response.status());
    }
    let (status, elapsed) = (response.status().as_u16(), started.elapsed());
    let labels = [
        ("method", method.to_owned()),
        ("route", route.clone()),
        ("status", status.to_string()),
    ];
    metrics::counter!("goblin_http_requests_total", &labels).increment(1);
    metrics::histogram!("goblin_http_response_head_duration_seconds", "method" => method, "route" => route.clone())
        .record(elapsed.as_secs_f64());
    let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    match response.extensions().get::<Refusal>() {
        Some(Refusal(error)) if status >= 500 => {
            let (code, internal) = (error.code.as_str(), error.internal.as_deref());
            tracing::error!(
                method,
                route,
                status,
                milliseconds,
                code,
                internal,
                "{}",
                error.message
            );
        }
        Some(Refusal(error)) => {
            let (code, param, internal) = (
                error.code.as_str(),
                error.param.as_deref(),
                error.internal.as_deref(),
            );
            tracing::info!(
                method,
                route,
                status,
                milliseconds,
                code,
                param,
                internal,
                "refused"
            );
        }
        None => tracing::info!(method, route, status, milliseconds, "answered"),
    }
    response
}

/// Clients may invent methods; labels may not grow with them.
pub(crate) fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

/// What a browser may do with a response that is not a page: nothing.
const API_POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Browsers come back encrypted only, for a year, to this host and those below it (RFC 6797).
const ENCRYPTED_ONLY: &str = "max-age=31536000; includeSubDomains";

async fn harden(app: &AppState, request: Request, next: impl AsyncFnOnce(Request) -> Response) -> Response {
    let (parts, body) = request.into_parts();
    let is_encrypted = match &app.access {
        Access::People(people) => {
            let peer = parts.extensions.get::<Peer>().map(|peer| peer.0);
            people.visit(&parts, peer).way == Way::Secure
        }
        Access::Tier(_) => false,
    };
    let mut response = next(Request::from_parts(parts, body)).await;
    let headers = response.headers_mut();
    // Over plain HTTP it would say nothing (RFC 6797, 8.1).
    if is_encrypted {
        let value = HeaderValue::from_static(ENCRYPTED_ONLY);
        headers.insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
    let always = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
        ),
    ];
    for (name, value) in always {
        headers.insert(name, HeaderValue::from_static(value));
    }
    unless_set(headers, header::CONTENT_SECURITY_POLICY, API_POLICY);
    unless_set(headers, header::CACHE_CONTROL, "no-store");
    response
}

fn unless_set(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.entry(name).or_insert(HeaderValue::from_static(value));
}

/// A request answered before its body was read leaves the rest of it on the connection, which is then closed. The
/// client is told, or it would send its next request into the closing.
async fn close_when_unread(request: Request, next: impl AsyncFnOnce(Request) -> Response) -> Response {
    if request.body().is_end_stream() {
        return next(request).await;
    }
    let (parts, body) = request.into_parts();
    let (body, left) = WatchedBody::new(body);
    let mut response = next(Request::from_parts(parts, Body::new(body))).await;
    if left.load(Ordering::Relaxed) {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}

async fn render_refusals(
    app: &AppState,
    request: Request,
    next: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let door = Door::of(app.surface, request.uri().path());
    let id = request_id(request.headers()).to_owned();
    let response = next(request).await;
    match response.extensions().get::<Refusal>().cloned() {
        Some(Refusal(error)) => door.render(&error, &id, response),
        None => response,
    }
}

fn refuse_panic(panic: Box<dyn Any + Send>) -> Response {
    let said = panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    Refusal(ApiError::internal(format!("panic: {said}"))).into_response()
}

/// While the process drains: health, and turns under way, can be asked about; nothing else is begun.
async fn refuse_while_draining(
    app: &AppState,
    request: Request,
    next: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let path = request.uri().path();
    let is_turn = path
        .strip_prefix("/api/turns/")
        .is_some_and(|rest| rest.ends_with("/events") || rest.ends_with("/stop"));
    if !app.draining.is_cancelled() || is_turn || is_about_health(path) {
        return next(request).await;
    }
    let mut error = ApiError::unavailable("The server is shutting down. Ask again in a moment.");
    error.retry_after = Some(std::time::Duration::from_secs(1));
    Refusal(error).into_response()
}

pub(crate) fn is_about_health(path: &str) -> bool {
    path == "/health" || path.starts_with("/health/") || path == "/metrics"
}

async fn bound_requests(
    app: &AppState,
    places: Arc<Semaphore>,
    request: Request,
    next: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    if is_about_health(request.uri().path()) {
        return next(request).await;
    }
    let Ok(permit) = places.try_acquire_owned() else {
        let most = app.options.max_requests;
        let message = format!("This server has its limit of {most} requests under way. Try again soon.");
        let mut error = ApiError::unavailable(message);
        error.retry_after = Some(std::time::Duration::from_secs(1));
        return Refusal(error).into_response();
    };
    let place = Place::take(permit);
    next(request)
        .await
        .map(|body| Body::new(HeldBody::new(body, place)))
}

fn bound_body(app: &AppState, request: Request) -> Request {
    let (limit, time) = bounds(app, request.uri().path());
    request.map(|body| Body::new(GuardedBody::new(body, limit, time)))
}
