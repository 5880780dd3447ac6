//! What was used and what it cost; what may be spent.

use axum::Json;
use axum::extract::State;
use goblin_core::api_key::BudgetPeriod;
use goblin_core::budget::{BudgetKind, EACH, MAX_SUBJECT, OnReached, Rule, Scope, begins, begins_anew};
use goblin_core::clock::Timestamp;
use goblin_core::conversation::Problem;
use goblin_core::error::ApiError;
use goblin_core::money::{UsageBy, UsageGroup, usd};
use goblin_store::budgets::BudgetRow;
use goblin_store::usage_report::{MAX_DAYS, UsageQuery};
use http::StatusCode;

use crate::app::{App, AppState};
use crate::caller::Caller;
use crate::extract::{PathId, QueryFields, RawBody};
use crate::fields::Fields;
use crate::openapi::money::{BudgetBody, BudgetList, BudgetState, UsageItem, UsageReport};
use crate::refusal::Refusal;

const DAY_MS: i64 = 86_400_000;
/// Days of a report that names none.
const USUAL_DAYS: i64 = 30;

/// Adds up what was used: the caller's own, or everybody's.
#[utoipa::path(
    get, path = "/api/usage", tag = "Usage", security(("local" = [])),
    params(
        ("by" = Option<UsageBy>, Query, description = "By what it is added up; by day when absent."),
        ("from" = Option<String>, Query, description = "The first day (`2026-11-01`, UTC); 29 days before the last when absent."),
        ("to" = Option<String>, Query, description = "The last day; today when absent. At most 400 days in all."),
        ("everybody" = Option<bool>, Query, description = "`true`: what everybody used. For owners and admins."),
    ),
    responses(
        (status = 200, description = "What was used.", body = UsageReport),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn get_usage(
    State(app): State<AppState>,
    caller: Caller,
    query: QueryFields,
) -> Result<Json<UsageReport>, Refusal> {
    let (everybody, query) = query.switch("everybody")?;
    let everybody = everybody.unwrap_or(false);
    if everybody && !caller.is_admin() {
        return Err(ApiError::forbidden(
            "What everybody used, owners and admins see. Ask without `everybody`.",
        )
        .into());
    }
    let (by, from, to) = range(&query.only(&["by", "from", "to"])?, app.clock.now())?;
    let owner = caller.owner();
    let asked = UsageQuery {
        user: (!everybody).then_some(owner.user.as_str()),
        from,
        to: to.plus_ms(DAY_MS),
        by,
    };
    let groups = app
        .written_store()
        .await?
        .report_usage(&owner.tenant, asked)
        .await
        .map_err(ApiError::from)?;
    let items: Vec<UsageItem> = groups.into_iter().map(item).collect();
    Ok(Json(UsageReport {
        from: day(from),
        to: day(to),
        by,
        everybody,
        baseline: app.dispatch.options().money.baseline.clone(),
        total: total(&items),
        items,
    }))
}

/// Lists the budgets, those of the configuration first, with what was spent of each.
#[utoipa::path(
    get, path = "/api/budgets", tag = "Usage", security(("local" = [])),
    responses(
        (status = 200, description = "Every budget.", body = BudgetList),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list_budgets(
    State(app): State<AppState>,
    caller: Caller,
) -> Result<Json<BudgetList>, Refusal> {
    let kept = app.identity()?.list_budgets(caller.principal()).await?;
    let tenant = caller.owner().tenant;
    let mut items = Vec::new();
    for rule in app.dispatch.options().money.budgets.iter() {
        items.push(state(&app, &tenant, rule, None).await?);
    }
    for row in &kept {
        items.push(state(&app, &tenant, &row.rule, Some(row)).await?);
    }
    Ok(Json(BudgetList { items }))
}

/// Sets a budget, in the place of the one for the same spending and period. It holds within a second.
#[utoipa::path(
    put, path = "/api/budgets", tag = "Usage", security(("local" = [])),
    request_body = BudgetBody,
    responses(
        (status = 200, description = "The budget.", body = BudgetState),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn set_budget(
    State(app): State<AppState>,
    caller: Caller,
    RawBody(body): RawBody,
) -> Result<Json<BudgetState>, Refusal> {
    let rule = rule(&body)?;
    let kept = app
        .identity()?
        .set_budget(caller.principal(), caller.visit()?, &rule)
        .await?;
    let tenant = caller.owner().tenant;
    Ok(Json(state(&app, &tenant, &kept.rule, Some(&kept)).await?))
}

/// Takes a budget away. What was spent stays counted, should there be such a budget again.
#[utoipa::path(
    delete, path = "/api/budgets/{id}", tag = "Usage", security(("local" = [])),
    params(("id" = String, Path, description = "The budget.")),
    responses(
        (status = 204, description = "It is gone."),
        (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn delete_budget(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId,
) -> Result<StatusCode, Refusal> {
    app.identity()?
        .delete_budget(caller.principal(), caller.visit()?, &id)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

fn rule(body: &[u8]) -> Result<Rule, ApiError> {
    let mut fields = Fields::parse(body)?;
    let kind = fields.required_text("kind", 20)?;
    let kind = BudgetKind::parse(&kind)
        .ok_or_else(|| fields.wrong("kind", "`everybody`, `user`, `team`, `key` or `model`"))?;
    let subject = fields
        .label("subject", MAX_SUBJECT)?
        .flatten()
        .unwrap_or_default();
    let usd = fields.real("usd", 0.0, 1e9)?;
    let usd = usd.ok_or_else(|| fields.wrong("usd", "given: a number of US dollars"))?;
    let period = fields.required_text("period", 20)?;
    let period = BudgetPeriod::parse(&period).filter(|period| *period != BudgetPeriod::Total);
    let period = period.ok_or_else(|| fields.wrong("period", "`day` or `month`"))?;
    let on_reached = match fields.label("on_reached", 20)?.flatten() {
        None => OnReached::Refuse,
        Some(word) => {
            OnReached::parse(&word).ok_or_else(|| fields.wrong("on_reached", "`refuse` or `local`"))?
        }
    };
    fields.finish()?;
    Rule::new(kind, &subject, usd, period, on_reached).map_err(|(field, why)| ApiError::invalid(field, why))
}

async fn state(
    app: &App,
    tenant: &str,
    rule: &Rule,
    row: Option<&BudgetRow>,
) -> Result<BudgetState, ApiError> {
    let now = app.clock.now();
    let scope = Scope {
        kind: rule.kind,
        subject: rule.subject.clone(),
        period: rule.period.as_str(),
        since: begins(rule.period, now),
    };
    let spent = match rule.subject == EACH {
        true => None,
        false => Some(app.store()?.find_spending(tenant, &scope).await?),
    };
    Ok(BudgetState {
        id: row.map(|row| row.id.clone()),
        kind: rule.kind,
        subject: rule.subject.clone(),
        usd: usd(rule.limit),
        period: rule.period,
        on_reached: rule.on_reached,
        spent_usd: spent.map(|(spent, _)| usd(spent)),
        reserved_usd: spent.map(|(_, reserved)| usd(reserved)),
        begins_anew: begins_anew(rule.period, now),
        updated_by: row.map(|row| row.updated_by.clone()),
        updated_at: row.map(|row| row.updated_at),
    })
}

/// How it is added up, and the first and last day.
fn range(query: &QueryFields, now: Timestamp) -> Result<(UsageBy, Timestamp, Timestamp), ApiError> {
    let by = match query.text("by") {
        None => UsageBy::Day,
        Some(word) => UsageBy::parse(word)
            .ok_or_else(|| ApiError::invalid("by", "`by` must be `day`, `model`, `key` or `user`."))?,
    };
    let read = |name: &str| query.text(name).map(|text| midnight(name, text)).transpose();
    let to = read("to")?.unwrap_or_else(|| begins(BudgetPeriod::Day, now));
    let from = read("from")?.unwrap_or_else(|| to.plus_ms(-(USUAL_DAYS - 1) * DAY_MS));
    let days = to.0.saturating_sub(from.0) / DAY_MS + 1;
    if from > to || days > MAX_DAYS {
        let message = format!("`from` must be no day after `to`, and the two at most {MAX_DAYS} days apart.");
        return Err(ApiError::invalid("from", message));
    }
    Ok((by, from, to))
}

fn midnight(name: &str, text: &str) -> Result<Timestamp, ApiError> {
    let is_day = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let read = is_day.then(|| Timestamp::parse_rfc3339(&format!("{text}T00:00:00Z")));
    read.flatten()
        .ok_or_else(|| ApiError::invalid(name, format!("`{name}` must be a day, like 2026-11-27.")))
}

fn day(at: Timestamp) -> String {
    at.to_rfc3339().chars().take(10).collect()
}

fn item(group: UsageGroup) -> UsageItem {
    UsageItem {
        id: group.id,
        name: group.name,
        requests: group.requests,
        prompt_tokens: group.prompt_tokens,
        completion_tokens: group.completion_tokens,
        cached_tokens: group.cached_tokens,
        reasoning_tokens: group.reasoning_tokens,
        cost_usd: usd(group.cost),
        unknown_cost: group.unknown,
        estimated: group.estimated,
        local: group.local,
        would_have_cost_usd: usd(group.would_have_cost),
    }
}

fn total(items: &[UsageItem]) -> UsageItem {
    items.iter().fold(UsageItem::default(), |sum, one| UsageItem {
        id: String::new(),
        name: None,
        requests: sum.requests + one.requests,
        prompt_tokens: sum.prompt_tokens + one.prompt_tokens,
        completion_tokens: sum.completion_tokens + one.completion_tokens,
        cached_tokens: sum.cached_tokens + one.cached_tokens,
        reasoning_tokens: sum.reasoning_tokens + one.reasoning_tokens,
        cost_usd: sum.cost_usd + one.cost_usd,
        unknown_cost: sum.unknown_cost + one.unknown_cost,
        estimated: sum.estimated + one.estimated,
        local: sum.local + one.local,
        would_have_cost_usd: sum.would_have_cost_usd + one.would_have_cost_usd,
    })
}
