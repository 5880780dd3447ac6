//! Which path is answered by which handler. Route files never import each other.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use goblin_core::error::ApiError;
use http::{Method, StatusCode, Uri};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::{AppState, Surface};
use crate::layers;
use crate::openapi;
use crate::refusal::Refusal;

mod chats;
mod docs;
mod health;
mod metrics;
mod openai;
mod page;
mod status;
mod turns;

/// The whole surface of `app`, layers included.
pub(crate) fn router(app: &AppState) -> Router {
    let routes = match app.surface {
        Surface::Backend => backend().0,
        Surface::Tier => tier(),
    };
    layers::apply(
        routes
            .method_not_allowed_fallback(refuse_method)
            .with_state(app.clone()),
        app,
    )
}

/// The backend's routes, and the document that describes them.
pub(crate) fn backend() -> (Router<AppState>, OpenApi) {
    let (described, mut document) = OpenApiRouter::with_openapi(openapi::frame())
        .routes(routes!(openai::create_chat_completion))
        .routes(routes!(openai::list_models))
        .routes(routes!(chats::list_chats, chats::create_chat))
        .routes(routes!(chats::get_chat, chats::update_chat, chats::delete_chat))
        .routes(routes!(chats::restore_chat))
        .routes(routes!(turns::list_turns, turns::create_turn))
        .routes(routes!(turns::get_turn))
        .routes(routes!(turns::regenerate_turn))
        .routes(routes!(turns::edit_turn))
        .routes(routes!(turns::stop_turn))
        .routes(routes!(turns::follow_turn))
        .routes(routes!(status::get_status))
        .routes(routes!(health::get_health))
        .routes(routes!(health::get_liveness))
        .routes(routes!(health::get_all_health))
        .routes(routes!(metrics::get_metrics))
        .routes(routes!(docs::get_openapi))
        .split_for_parts();
    // A model's id holds slashes, which a template of OpenAPI cannot say: described apart, routed below.
    document.merge(
        OpenApiRouter::<AppState>::new()
            .routes(routes!(openai::get_model))
            .into_openapi(),
    );
    openapi::add_doors(&mut document);
    openapi::require_what_is_always_there(&mut document);
    let router = described
        .route("/v1/models/{*id}", get(openai::get_model))
        .route(
            "/api/chat/completions",
            axum::routing::post(openai::create_chat_completion),
        )
        .route(
            "/chat/completions",
            axum::routing::post(openai::create_chat_completion),
        )
        .route("/docs", get(docs::show_docs))
        .route("/docs/style.css", get(docs::show_docs_style))
        .route("/config.json", get(page::show_config))
        .fallback(page::show_page);
    (router, document)
}

/// The model tier's routes.
fn tier() -> Router<AppState> {
    Router::new()
        .route(
            "/v1/chat/completions",
            axum::routing::post(openai::create_chat_completion),
        )
        .route(
            "/chat/completions",
            axum::routing::post(openai::create_chat_completion),
        )
        .route("/v1/models", get(openai::list_models))
        .route("/v1/models/{*id}", get(openai::get_model))
        .route("/models", get(openai::list_legacy_models))
        .route("/health", get(health::get_tier_health))
        .route("/health/live", get(health::get_liveness))
        .route("/metrics", get(metrics::get_metrics))
        .fallback(refuse_path)
}

async fn refuse_path(State(_): State<AppState>, uri: Uri) -> Refusal {
    openapi::no_such_path(uri.path()).into()
}

async fn refuse_method(method: Method, uri: Uri) -> Refusal {
    let path: String = uri.path().chars().take(200).collect();
    let mut error = ApiError::not_found("method on this path");
    error.message = format!("`{path}` does not answer {method}. The header `Allow` lists what it answers.");
    error.status_override = Some(StatusCode::METHOD_NOT_ALLOWED.as_u16());
    error.into()
}
