//! The page: files put into the binary, `index.html` for every address a person may type or reload.

use axum::Json;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use serde_json::{Value, json};

use crate::app::AppState;
use crate::caller::Visitor;
use crate::openapi::no_such_path;
use crate::page_assets::Asset;
use crate::refusal::Refusal;

/// What the page may load and do: its own files, nothing inline, nothing from elsewhere.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
     font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; \
     form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types goblin#worker";

/// Prefixes that never show the page, so that a mistyped API path is an error and not a page.
const API_PREFIXES: [&str; 10] = [
    "/api",
    "/api-keys",
    "/v1",
    "/auth",
    "/health",
    "/metrics",
    "/chat",
    "/config.json",
    "/openapi.json",
    "/models",
];

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Goblin</title>\
     <h1>The page was not built</h1><p>This binary was built without its page. The API works. To build the \
     page, run <code>make web</code>, then build the binary again.</p></html>";

/// Says where the API is: at this very origin; and what the page is to tell of itself, where somebody wants it.
pub(super) async fn show_config(State(app): State<AppState>) -> Json<Value> {
    let mut config = json!({ "api_origin": "" });
    let reports = app.page_event.as_ref();
    let (errors, events) = reports.map_or((false, false), |r| (r.errors, r.events));
    let traces = app
        .options
        .spans
        .as_ref()
        .map_or(0.0, |telling| telling.sampler.share_for_callers());
    if errors || events || traces > 0.0 {
        config["telemetry"] = json!({ "errors": errors, "events": events, "traces": traces });
    }
    Json(config)
}

/// Whatever no other route answers.
pub(super) async fn show_page(
    State(app): State<AppState>,
    _: Visitor,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let path = uri.path();
    let below = |prefix: &str| {
        path.strip_prefix(prefix)
            .is_some_and(|r| r.is_empty() || r.starts_with('/'))
    };
    if API_PREFIXES.into_iter().any(below) || !matches!(method, Method::GET | Method::HEAD) {
        return Err(no_such_path(path).into());
    }
    let assets = app.page;
    let find = |name: &str| assets.iter().find(|asset| asset.path == name);
    let name = path.trim_start_matches('/');
    if let Some(asset) = find(name).filter(|asset| asset.path != "index.html") {
        return Ok(file(asset, &headers));
    }
    if !is_navigation(name, &headers) {
        return Err(no_such_path(path).into());
    }
    Ok(match find("index.html") {
        Some(index) => file(index, &headers),
        None => (StatusCode::SERVICE_UNAVAILABLE, [policy()], Html(NOT_BUILT)).into_response(),
    })
}

/// Would a person see the answer to this? A missing script must be a 404, not a page.
fn is_navigation(name: &str, headers: &HeaderMap) -> bool {
    let last = name.rsplit('/').next().unwrap_or("");
    let text = |name: HeaderName| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or("");
    let wanted = match text(HeaderName::from_static("sec-fetch-mode")) {
        "" => name.is_empty() || text(header::ACCEPT).contains("text/html"),
        mode => mode == "navigate",
    };
    wanted && (name == "index.html" || !last.contains('.'))
}

fn policy() -> (HeaderName, HeaderValue) {
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(PAGE_POLICY),
    )
}

fn file(asset: &Asset, headers: &HeaderMap) -> Response {
    let caching = if asset.is_immutable() {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let common = [
        (header::ETAG, HeaderValue::from_static(asset.tag)),
        (header::CACHE_CONTROL, HeaderValue::from_static(caching)),
        (header::VARY, HeaderValue::from_static("accept-encoding")),
        policy(),
    ];
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|v| v.to_str().ok())
        .unwrap_or("");
    if known
        .split(',')
        .any(|tag| tag.trim().trim_start_matches("W/") == asset.tag)
    {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let kind = [(header::CONTENT_TYPE, asset.media_type())];
    match asset.brotli.filter(|_| takes_brotli(headers)) {
        Some(small) => (common, kind, [(header::CONTENT_ENCODING, "br")], small).into_response(),
        None => (common, kind, asset.plain).into_response(),
    }
}

fn takes_brotli(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|v| v.to_str().ok())
        .unwrap_or("");
    accepted.split(',').any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        parts.next() == Some("br") && !parts.any(|p| matches!(p, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}
