//! What a month costs.

use axum::Json;
use axum::extract::State;
use goblin_core::conversation::Problem;
use goblin_core::costs::month::Month;
use goblin_core::costs::{CostReport, report};
use goblin_core::error::ApiError;
use goblin_store::error::StoreError;

use crate::app::AppState;
use crate::caller::Caller;
use crate::extract::QueryFields;
use crate::refusal::Refusal;

/// Says what a month costs: hosts, providers, what answers of the operator's machines would have cost, where it is
/// going, and what could cost less. Everybody's, for owners and admins.
#[utoipa::path(
    get, path = "/api/costs", tag = "Usage", security(("local" = [])),
    params(("month" = Option<String>, Query, description = "The month (`2026-11`, UTC); this one when absent.")),
    responses(
        (status = 200, description = "What it costs.", body = CostReport),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn get_costs(
    State(app): State<AppState>,
    caller: Caller,
    query: QueryFields,
) -> Result<Json<CostReport>, Refusal> {
    let now = app.clock.now();
    let query = query.only(&["month"])?;
    let month = match query.text("month") {
        None => Month::of(now),
        Some(text) => Month::parse(text)
            .filter(|month| month.begins() <= now)
            .ok_or_else(|| ApiError::invalid("month", "`month` must be one that has begun, like 2026-11."))?,
    };
    let (store, tenant) = (app.store()?, &caller.owner().tenant);
    // It is read from all that was used in months, so it is given again for a moment.
    let made = async {
        let facts = store.find_cost_facts(tenant, month).await?;
        Ok::<_, StoreError>(report(&app.options.costs, &facts, month, now))
    };
    let report = app.cost_reports.get((tenant, month), now, made).await;
    Ok(Json(report.map_err(ApiError::from)?))
}
