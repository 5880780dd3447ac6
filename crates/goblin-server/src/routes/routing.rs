//! Where a question would go, without asking anybody; and what routing knows, for clients of old.

use axum::Json;
use axum::extract::{Path, State};
use goblin_core::conversation::Problem;
use goblin_core::model::{Capability, ModelInfo};
use goblin_core::policy::{Policy, PolicyRole};
use goblin_core::provider::{Health, ProviderHandle, ProviderStatus};
use goblin_core::trace::DryRun;
use goblin_core::wire::openai::parse_dry_run;
use goblin_dispatch::plan::Question;
use serde_json::{Value, json};

use crate::app::{App, AppState};
use crate::caller::Reader;
use crate::extract::RawBody;
use crate::openapi::DryRunBody;
use crate::refusal::Refusal;

/// Says which model a question would go to and why, where it could be escalated to, what that would cost and whether it
/// would leave the operator's machines. Nobody is asked.
#[utoipa::path(
    post, path = "/api/route", tag = "Routing", security(("local" = [])),
    request_body = DryRunBody,
    responses(
        (status = 200, description = "What would happen. `nobody` says why nothing would.", body = DryRun),
        (status = "4XX", description = "Refused; the field at fault is named.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn route_question(
    State(app): State<AppState>,
    _: Reader,
    RawBody(body): RawBody,
) -> Result<Json<DryRun>, Refusal> {
    let incoming = parse_dry_run(&body)?;
    Ok(Json(app.dispatch.route(&Question::of(&incoming)).await?))
}

/// The models, as old clients know them.
pub(super) async fn list_chat_models(State(app): State<AppState>, _: Reader) -> Json<Value> {
    let models = chat_models(&app).await;
    Json(json!({
        "total_count": models.len(),
        "models": models,
        "routing_info": routing_info(&app),
    }))
}

/// By what models are chosen, from the policy in force.
pub(super) async fn get_routing_info(State(app): State<AppState>, _: Reader) -> Json<Value> {
    let mut info = routing_info(&app);
    info["models"] = chat_models(&app).await.into();
    Json(info)
}

/// The providers, and how each is.
pub(super) async fn list_routing_providers(State(app): State<AppState>, _: Reader) -> Json<Value> {
    let statuses = app.dispatch.providers_status().await;
    Json(json!({"providers": statuses.iter().map(|(p, s)| provider(p, s)).collect::<Vec<_>>()}))
}

/// The providers with a model that can do something.
pub(super) async fn list_able_providers(
    State(app): State<AppState>,
    _: Reader,
    Path(capability): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let wanted: Capability = serde_json::from_value(Value::String(capability.clone())).map_err(|_| {
        let shown: String = capability.chars().take(60).collect();
        goblin_core::error::ApiError::invalid(
            "capability",
            format!(
                "There is no ability `{shown}`. There are `chat`, `tools`, `vision`, `files`, `thinking`, `complete`, \
                 `logprobs`, `decide`, `embed` and `grammar`."
            ),
        )
    })?;
    let statuses = app.dispatch.providers_status().await;
    let able = statuses
        .iter()
        .filter(|(_, status)| status.models.iter().any(|m| m.can(wanted)));
    Ok(Json(
        json!({"providers": able.map(|(p, s)| provider(p, s)).collect::<Vec<_>>()}),
    ))
}

/// Can a question be routed to anybody?
pub(super) async fn get_routing_health(State(app): State<AppState>, _: Reader) -> Json<Value> {
    let statuses = app.dispatch.providers_status().await;
    let well = statuses
        .iter()
        .filter(|(_, status)| status.health == Health::Ok)
        .count();
    let state = match (well, statuses.len()) {
        (0, _) => "unavailable",
        (n, all) if n < all => "degraded",
        _ => "healthy",
    };
    Json(json!({"status": state, "providers": statuses.len(), "healthy": well}))
}

fn provider(provider: &ProviderHandle, status: &ProviderStatus) -> Value {
    let abilities = [
        (Capability::Chat, "chat"),
        (Capability::Tools, "tools"),
        (Capability::Vision, "vision"),
        (Capability::Files, "files"),
        (Capability::Embed, "embed"),
        (Capability::Decide, "decide"),
    ];
    let able = abilities
        .iter()
        .filter(|(ability, _)| status.models.iter().any(|m| m.can(*ability)));
    json!({
        "id": &*provider.id,
        "name": &*provider.id,
        "local": provider.local,
        "is_active": status.health == Health::Ok,
        "capabilities": able.map(|(_, name)| *name).collect::<Vec<_>>(),
        "models": status.models.iter().map(|m| m.name.as_str()).collect::<Vec<_>>(),
    })
}

async fn chat_models(app: &App) -> Vec<Value> {
    let policy = &app.dispatch.options().policy;
    let statuses = app.dispatch.providers_status().await;
    let models = statuses
        .iter()
        .filter(|(_, status)| status.health == Health::Ok)
        .flat_map(|(p, status)| {
            let chat = status.models.iter().filter(|m| m.can(Capability::Chat));
            chat.map(|m| chat_model(policy, p, m))
        });
    models.collect()
}

fn chat_model(policy: &Policy, provider: &ProviderHandle, model: &ModelInfo) -> Value {
    let id = format!("{}/{}", provider.id, model.name);
    let local = model.stays_local(provider.local);
    let price = policy.price(&id);
    let (input, output) = match (local, price) {
        (true, _) => (Some(0.0), Some(0.0)),
        (false, Some(price)) => (Some(price.input), Some(price.output)),
        (false, None) => (None, None),
    };
    let roles: Vec<PolicyRole> = policy.roles_of(&provider.id, &model.name).collect();
    let role = roles.last();
    let answers = policy.intents.iter().filter(|(_, row)| roles.contains(&row.role));
    let intents: Vec<&str> = answers.map(|(intent, _)| intent.as_str()).collect();
    json!({
        "id": id,
        "provider": &*provider.id,
        "provider_name": &*provider.id,
        "capabilities": model.capabilities,
        "context_window": model.context_window,
        "pricing": {"input": input, "output": output, "unit": "US dollars per million tokens"},
        "local": local,
        "routing_recommendation": role.map(|role| json!({"role": role.as_str(), "intents": intents})),
    })
}

fn routing_info(app: &App) -> Value {
    let options = app.dispatch.options();
    let policy = &options.policy;
    let rows: serde_json::Map<String, Value> = policy
        .intents
        .iter()
        .map(|(intent, row)| {
            let next: Vec<&str> = row.next.iter().map(|role| role.as_str()).collect();
            let row = json!({"role": row.role.as_str(), "next": next, "temperature": row.temperature});
            (intent.as_str().to_owned(), row)
        })
        .collect();
    let roles: serde_json::Map<String, Value> = policy
        .roles
        .iter()
        .map(|(role, model)| (role.as_str().to_owned(), model.reference.clone().into()))
        .collect();
    json!({
        "policy": app.dispatch.policy_version(),
        "factors": ["model", "intent", "latency_target", "context length", "language", "cost", "local_only", "health"],
        "roles": roles,
        "intents": rows,
        "latency_targets_seconds": {"ultra_low": 1, "low": 3, "medium": 10, "high": null},
        "cost_weight": policy.cost_weight,
        "long_text_tokens": policy.long_text_tokens,
    })
}
