//! Which path is answered by which handler. Route files never import each other.

use axum::Router;
use axum::extract::State;
use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter, get, on};
use goblin_core::error::ApiError;
use http::{Method, StatusCode, Uri};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::{AppState, Surface};
use crate::layers;
use crate::openapi;
use crate::refusal::Refusal;

mod account;
mod anthropic;
mod attachments;
mod auth;
mod chats;
mod costs;
mod docs;
mod elsewhere;
mod health;
mod identities;
mod keys;
mod letters;
mod manage;
mod metrics;
mod ollama;
mod openai;
mod page;
mod passkeys;
mod provider_keys;
mod providers;
mod responses;
mod routing;
mod status;
mod systemone;
mod teams;
mod telemetry;
mod tier;
mod traces;
mod turns;
mod usage;
mod users;

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
        .routes(routes!(auth::get_sign_in_state))
        .routes(routes!(auth::create_first_account))
        .routes(routes!(auth::register_account))
        .routes(routes!(auth::sign_in))
        .routes(routes!(auth::refresh_tokens))
        .routes(routes!(auth::validate_token))
        .routes(routes!(auth::sign_out))
        .routes(routes!(auth::get_me))
        .routes(routes!(auth::look_at_link))
        .routes(routes!(auth::accept_invitation))
        .routes(routes!(auth::reset_password))
        .routes(routes!(elsewhere::get_google_url))
        .routes(routes!(elsewhere::sign_in_with_google))
        .routes(routes!(elsewhere::return_from_google, elsewhere::finish_google))
        .routes(routes!(elsewhere::get_provider_url))
        .routes(routes!(elsewhere::return_from_provider))
        .routes(routes!(elsewhere::sign_in_with_supabase))
        .routes(routes!(passkeys::begin_passkey))
        .routes(routes!(passkeys::finish_passkey))
        .routes(routes!(passkeys::begin_passkey_sign_in))
        .routes(routes!(passkeys::sign_in_with_passkey))
        .routes(routes!(passkeys::list_passkeys))
        .routes(routes!(passkeys::update_passkey, passkeys::delete_passkey))
        .routes(routes!(account::update_account, account::delete_account))
        .routes(routes!(letters::send_reset_link))
        .routes(routes!(letters::verify_email))
        .routes(routes!(account::export_account))
        .routes(routes!(account::change_password))
        .routes(routes!(letters::send_verification_link))
        .routes(routes!(account::list_sessions, account::end_other_sessions))
        .routes(routes!(account::end_session))
        .routes(routes!(identities::list_identities, identities::link_identity))
        .routes(routes!(identities::unlink_identity))
        .routes(routes!(keys::list_keys, keys::create_key))
        .routes(routes!(keys::revoke_key))
        .routes(routes!(provider_keys::list_provider_keys))
        .routes(routes!(
            provider_keys::set_provider_key,
            provider_keys::delete_provider_key
        ))
        .routes(routes!(providers::list_providers))
        .routes(routes!(providers::update_provider, providers::delete_provider))
        .routes(routes!(providers::test_provider))
        .routes(routes!(users::list_users))
        .routes(routes!(users::update_user, users::delete_user))
        .routes(routes!(users::end_user_sessions))
        .routes(routes!(users::create_reset_link))
        .routes(routes!(users::list_invitations, users::create_invitation))
        .routes(routes!(users::delete_invitation))
        .routes(routes!(users::list_audit_events))
        .routes(routes!(teams::list_teams, teams::create_team))
        .routes(routes!(teams::update_team, teams::delete_team))
        .routes(routes!(teams::list_team_members))
        .routes(routes!(teams::put_team_member, teams::delete_team_member))
        .routes(routes!(users::check_audit))
        .routes(routes!(openai::create_chat_completion))
        .routes(routes!(openai::create_completion))
        .routes(routes!(responses::create_response))
        .routes(routes!(responses::get_response, responses::delete_response))
        .routes(routes!(responses::list_input_items))
        .routes(routes!(openai::create_embeddings))
        .routes(routes!(openai::list_models))
        .routes(routes!(anthropic::create_message))
        .routes(routes!(anthropic::count_tokens))
        .routes(routes!(ollama::answer_chat))
        .routes(routes!(ollama::generate_text))
        .routes(routes!(ollama::embed_texts))
        .routes(routes!(ollama::list_tags))
        .routes(routes!(ollama::show_model))
        .routes(routes!(ollama::list_running))
        .routes(routes!(ollama::get_version))
        .routes(routes!(systemone::decide_questions))
        .routes(routes!(chats::list_chats, chats::create_chat))
        .routes(routes!(chats::get_chat, chats::update_chat, chats::delete_chat))
        .routes(routes!(chats::restore_chat))
        .routes(routes!(attachments::create_attachment))
        .routes(routes!(attachments::get_attachment))
        .routes(routes!(turns::list_turns, turns::create_turn))
        .routes(routes!(turns::get_turn))
        .routes(routes!(turns::regenerate_turn))
        .routes(routes!(turns::edit_turn))
        .routes(routes!(turns::stop_turn))
        .routes(routes!(turns::follow_turn))
        .routes(routes!(traces::get_turn_trace))
        .routes(routes!(traces::update_feedback))
        .routes(routes!(traces::list_traces))
        .routes(routes!(traces::get_trace))
        .routes(routes!(status::get_status))
        .routes(routes!(usage::get_usage))
        .routes(routes!(costs::get_costs))
        .routes(routes!(usage::list_budgets, usage::set_budget))
        .routes(routes!(usage::delete_budget))
        .routes(routes!(routing::route_question))
        .routes(routes!(telemetry::report_telemetry))
        .routes(routes!(health::get_health))
        .routes(routes!(health::get_liveness))
        .routes(routes!(health::get_all_health))
        .routes(routes!(health::list_checks))
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
    openapi::add_sign_ins(&mut document);
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
        .route("/api/embeddings", axum::routing::post(ollama::embed_texts))
        .route(
            "/api-keys/{provider}",
            get(provider_keys::get_legacy_key)
                .post(provider_keys::set_legacy_key)
                .delete(provider_keys::delete_legacy_key),
        )
        .route("/api/dashboard/costs", get(costs::get_costs))
        .route("/routing/route", axum::routing::post(routing::route_question))
        .route("/routing/providers", get(routing::list_routing_providers))
        .route(
            "/routing/providers/{capability}",
            get(routing::list_able_providers),
        )
        .route("/routing/health", get(routing::get_routing_health))
        .route("/chat/models", get(routing::list_chat_models))
        .route("/chat/routing-info", get(routing::get_routing_info))
        .route("/docs", get(docs::show_docs))
        .route("/docs/style.css", get(docs::show_docs_style))
        .route("/config.json", get(page::show_config))
        .fallback(page::show_page);
    (router, document)
}

/// One thing the model tier answers: the method, the path, and who answers.
type Allowed = (Method, &'static str, MethodRouter<AppState>);

fn allow<H, T>(method: Method, path: &'static str, handler: H) -> Allowed
where
    H: Handler<T, AppState>,
    T: 'static,
{
    // Every method below has a filter of its own.
    let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
    (method, path, on(filter, handler))
}

/// Everything the model tier answers, and nothing else. Where GET is answered, HEAD is too, as HTTP has it.
fn allow_list() -> Vec<Allowed> {
    use Method as M;
    vec![
        allow(M::GET, "/health", health::get_tier_health),
        allow(M::GET, "/health/live", health::get_liveness),
        allow(M::GET, "/metrics", metrics::get_metrics),
        // OpenAI's wire, and the names old callers know.
        allow(M::POST, "/v1/chat/completions", openai::create_chat_completion),
        allow(M::POST, "/chat/completions", openai::create_chat_completion),
        allow(M::GET, "/v1/models", openai::list_models),
        allow(M::GET, "/v1/models/{*id}", openai::get_model),
        allow(M::GET, "/models", openai::list_legacy_models),
        allow(M::POST, "/v1/embeddings", openai::create_embeddings),
        // Anthropic's wire.
        allow(M::POST, "/v1/messages", anthropic::create_message),
        allow(M::POST, "/v1/messages/count_tokens", anthropic::count_tokens),
        // Ours.
        allow(M::POST, "/v1/systemone", systemone::decide_questions),
        allow(M::GET, "/v1/goblin/status", tier::get_status),
        allow(M::POST, "/v1/goblin/tokenize", tier::tokenize),
        // Ollama's wire.
        allow(M::GET, "/", ollama::say_running),
        allow(M::GET, "/api/version", ollama::get_version),
        allow(M::GET, "/api/tags", ollama::list_tags),
        allow(M::GET, "/api/ps", ollama::list_running),
        allow(M::POST, "/api/show", ollama::show_model),
        allow(M::POST, "/api/chat", ollama::answer_chat),
        allow(M::POST, "/api/generate", ollama::generate_text),
        allow(M::POST, "/api/embed", ollama::embed_texts),
        allow(M::POST, "/api/embeddings", ollama::embed_texts),
        // For keys with the scope `admin`.
        allow(M::POST, "/api/pull", manage::pull_model),
        allow(M::POST, "/api/push", manage::push_model),
        allow(M::POST, "/api/create", manage::create_model),
        allow(M::POST, "/api/copy", manage::copy_model),
        allow(M::DELETE, "/api/delete", manage::delete_model),
        allow(M::HEAD, "/api/blobs/{digest}", manage::has_blob),
        allow(M::POST, "/api/blobs/{digest}", manage::put_blob),
    ]
}

/// The model tier's routes.
fn tier() -> Router<AppState> {
    allow_list()
        .into_iter()
        .fold(Router::new(), |router, (_, path, handler)| {
            router.route(path, handler)
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_tier_answers_what_the_contract_names_and_nothing_else() {
        let mut listed: Vec<String> = allow_list()
            .iter()
            .map(|(method, path, _)| format!("{method} {path}"))
            .collect();
        listed.sort();
        let contract = [
            "DELETE /api/delete",
            "GET /",
            "GET /api/ps",
            "GET /api/tags",
            "GET /api/version",
            "GET /health",
            "GET /health/live",
            "GET /metrics",
            "GET /models",
            "GET /v1/goblin/status",
            "GET /v1/models",
            "GET /v1/models/{*id}",
            "HEAD /api/blobs/{digest}",
            "POST /api/blobs/{digest}",
            "POST /api/chat",
            "POST /api/copy",
            "POST /api/create",
            "POST /api/embed",
            "POST /api/embeddings",
            "POST /api/generate",
            "POST /api/pull",
            "POST /api/push",
            "POST /api/show",
            "POST /chat/completions",
            "POST /v1/chat/completions",
            "POST /v1/embeddings",
            "POST /v1/goblin/tokenize",
            "POST /v1/messages",
            "POST /v1/messages/count_tokens",
            "POST /v1/systemone",
        ];
        assert_eq!(listed, contract);
    }
}
