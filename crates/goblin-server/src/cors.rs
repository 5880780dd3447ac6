//! The page on another origin (`FRONTEND_URL`) may read our answers; no other page may (the Fetch Standard's CORS
//! protocol). Previews of the page may send with a cookie, and read nothing.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::app::{Access, AppState};

const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
/// What our page sends, and what programs in a page send.
const HEADERS: &str = "authorization, content-type, last-event-id, traceparent, tracestate, x-api-key, x-correlation-id, \
                       x-goblin-deadline-ms";
const EXPOSED: &str = "ratelimit-limit, ratelimit-remaining, ratelimit-reset, retry-after, x-correlation-id, \
                       x-goblin-dropped, x-goblin-trace-id";
/// How long a browser may remember the answer to its question, in seconds; browsers remember two hours at most.
const MAX_AGE: &str = "7200";

/// Layer: answers a browser that asks whether a page may send, and tells it which page may read.
pub(crate) async fn allow(
    app: &AppState,
    request: Request,
    next: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let Access::People(people) = &app.access else {
        return next(request).await;
    };
    let origins = &people.identity.premises().origins;
    if origins.is_empty() {
        return next(request).await;
    }
    let origin = trusted(request.headers(), origins);
    let asks_first =
        *request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if asks_first {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next(request).await
    };
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("origin"));
    let Some(origin) = origin else { return response };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    let mut say = |name, value| headers.insert(name, HeaderValue::from_static(value));
    say(ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    if asks_first {
        say(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        say(ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
        say(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    } else {
        say(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
    response
}

/// The request's one origin, when it is exactly one of the page's.
fn trusted(headers: &HeaderMap, origins: &[String]) -> Option<HeaderValue> {
    let mut values = headers.get_all(ORIGIN).iter();
    let (value, None) = (values.next()?, values.next()) else {
        return None;
    };
    let is_known = |known: &String| known.trim_end_matches('/').as_bytes() == value.as_bytes();
    origins.iter().any(is_known).then(|| value.clone())
}
