//! The door a request came in by decides the shape its errors have.

use axum::body::Body;
use axum::response::Response;
use goblin_core::error::{ApiError, ErrorCode};
use goblin_core::wire;
use http::{HeaderValue, StatusCode, header};

use crate::app::Surface;

/// Which wire a path speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// `/v1/…`: OpenAI's `{"error": {…}}`.
    OpenAi,
    /// `/v1/systemone`: `{"detail": …}` as that format has it, and OpenAI's `error` beside it.
    SystemOne,
    /// `/v1/messages`: Anthropic's `{"type": "error", "error": {…}}`.
    Anthropic,
    /// Ollama's paths, which on the model tier are `/` and all of `/api/…`: `{"error": "…"}`.
    Ollama,
    /// The paths old clients know: `{"detail": …}` and `error` beside it.
    Legacy,
    /// Our own paths: `application/problem+json` (RFC 9457).
    Ours,
}

/// Ollama's paths on the backend, where the rest of `/api/…` is our own.
const OLLAMA: [&str; 8] = [
    "/api/chat",
    "/api/generate",
    "/api/embed",
    "/api/embeddings",
    "/api/tags",
    "/api/show",
    "/api/ps",
    "/api/version",
];

impl Door {
    /// The door of `path` on `surface`. Paths that do not exist have a door too.
    pub fn of(surface: Surface, path: &str) -> Self {
        let below = |prefix: &str| {
            path.strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if below("/v1/messages") {
            return Self::Anthropic;
        }
        if below("/v1/systemone") {
            return Self::SystemOne;
        }
        if below("/v1") {
            return Self::OpenAi;
        }
        let is_ollama = match surface {
            Surface::Tier => below("/api") || path == "/",
            Surface::Backend => OLLAMA.contains(&path),
        };
        if is_ollama {
            return Self::Ollama;
        }
        let legacy = [
            "/health",
            "/metrics",
            "/chat",
            "/api/chat/completions",
            "/api-keys",
            "/models",
            "/routing",
            "/auth",
        ];
        if surface == Surface::Tier || legacy.into_iter().any(below) {
            return Self::Legacy;
        }
        Self::Ours
    }

    /// The name metering knows the door by.
    pub(crate) fn name(self, surface: Surface) -> &'static str {
        match (surface, self) {
            (Surface::Tier, _) => "tier",
            (Surface::Backend, Self::OpenAi | Self::SystemOne) => "openai",
            (Surface::Backend, Self::Anthropic) => "anthropic",
            (Surface::Backend, Self::Ollama) => "ollama",
            (Surface::Backend, Self::Legacy | Self::Ours) => "legacy",
        }
    }

    /// The HTTP status `error` has here.
    pub fn status(self, error: &ApiError) -> StatusCode {
        if self == Self::SystemOne && wire::systemone::is_of_the_request(error) {
            return StatusCode::UNPROCESSABLE_ENTITY;
        }
        let own = matches!(self, Self::Legacy | Self::Ours);
        StatusCode::from_u16(error.status(own)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The body of `error` here, as JSON bytes and their content type.
    pub(crate) fn body(self, error: &ApiError, request_id: &str) -> (Vec<u8>, &'static str) {
        let json = "application/json";
        match self {
            Self::OpenAi => (to_bytes(&wire::openai::error_body(error)), json),
            Self::SystemOne => (to_bytes(&wire::systemone::error_body(error)), json),
            Self::Anthropic => (to_bytes(&wire::anthropic::error_body(error)), json),
            Self::Ollama => (to_bytes(&wire::ollama::error_body(error)), json),
            Self::Legacy => (to_bytes(&wire::legacy::error_body(error)), json),
            Self::Ours => (
                to_bytes(&wire::problem::body(error, Some(request_id))),
                "application/problem+json",
            ),
        }
    }

    /// Writes `error` into `response`, whose headers (for example `Allow`) are kept.
    pub(crate) fn render(self, error: &ApiError, request_id: &str, mut response: Response) -> Response {
        let (bytes, content_type) = self.body(error, request_id);
        *response.status_mut() = self.status(error);
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_LENGTH);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Some(seconds) = error.retry_after_seconds() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if error.code == ErrorCode::Unauthorized {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        *response.body_mut() = Body::from(bytes);
        response
    }
}

/// Error bodies are plain structures of text; should one ever fail to serialise, the status still says it.
fn to_bytes(body: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(body).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_has_the_door_of_its_prefix() {
        let cases = [
            ("/v1/chat/completions", Door::OpenAi),
            ("/v1", Door::OpenAi),
            ("/v1/systemone", Door::SystemOne),
            ("/v1/systemones", Door::OpenAi),
            ("/v1/nothing/here", Door::OpenAi),
            ("/v1/messages", Door::Anthropic),
            ("/v1/messages/count_tokens", Door::Anthropic),
            ("/v1/messagesx", Door::OpenAi),
            ("/v10", Door::Ours),
            ("/api/chat", Door::Ollama),
            ("/api/chat/", Door::Ours),
            ("/api/tags", Door::Ollama),
            ("/api/pull", Door::Ours),
            ("/api/chat/completions", Door::Legacy),
            ("/chat/completions", Door::Legacy),
            ("/health/all", Door::Legacy),
            ("/metrics", Door::Legacy),
            ("/api/chats", Door::Ours),
            ("/api/nothing", Door::Ours),
            ("/", Door::Ours),
        ];
        for (path, door) in cases {
            assert_eq!(Door::of(Surface::Backend, path), door, "{path}");
        }
    }

    #[test]
    fn the_model_tier_has_doors_of_its_own() {
        let cases = [
            ("/v1/models", Door::OpenAi),
            ("/v1/messages", Door::Anthropic),
            ("/v1/messages/count_tokens", Door::Anthropic),
            ("/v1/messagesx", Door::OpenAi),
            ("/api/chat", Door::Ollama),
            ("/api/nothing", Door::Ollama),
            ("/apis", Door::Legacy),
            ("/", Door::Ollama),
            ("/chat/completions", Door::Legacy),
            ("/anything", Door::Legacy),
        ];
        for (path, door) in cases {
            assert_eq!(Door::of(Surface::Tier, path), door, "{path}");
        }
    }
}
