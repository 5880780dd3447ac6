//! The shapes of usage and budgets on the wire.

use goblin_core::api_key::BudgetPeriod;
use goblin_core::budget::{BudgetKind, OnReached};
use goblin_core::clock::Timestamp;
use goblin_core::money::UsageBy;
use serde::Serialize;
use utoipa::ToSchema;

/// What was used, added up.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UsageReport {
    /// The first day (`2026-11-01`, UTC).
    pub from: String,
    /// The last day.
    pub to: String,
    /// How it is added up.
    pub by: UsageBy,
    /// Is it everybody's?
    pub everybody: bool,
    /// The model at whose price answers of the operator's machines are held; null: none.
    pub baseline: Option<String>,
    /// By day in order; else what cost most comes first. At most 1000.
    pub items: Vec<UsageItem>,
    /// All of it.
    pub total: UsageItem,
}

/// What was used by one model, key or user, or on one day.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct UsageItem {
    /// The day (`2026-11-27`), `provider/model`, or the id of the key or user; empty: none, and of the whole.
    pub id: String,
    /// The name of the key or user, while it is there.
    pub name: Option<String>,
    /// Requests.
    pub requests: u64,
    /// Tokens of prompts, cached ones included.
    pub prompt_tokens: u64,
    /// Tokens of answers, reasoning included.
    pub completion_tokens: u64,
    /// Of the prompts': taken from a cache.
    pub cached_tokens: u64,
    /// Of the answers': spent on reasoning.
    pub reasoning_tokens: u64,
    /// What those requests cost whose cost is known, in US dollars; judges and every model asked on the way included.
    pub cost_usd: f64,
    /// Requests whose cost is not known: a model without a price was asked.
    pub unknown_cost: u64,
    /// Requests with a part that is an estimate: an answer that was cut, or a server that does not count.
    pub estimated: u64,
    /// Requests answered on the operator's machines.
    pub local: u64,
    /// What those would have cost at the baseline, in US dollars.
    pub would_have_cost_usd: f64,
}

/// A budget to be set.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BudgetBody {
    /// Whose spending.
    pub kind: BudgetKind,
    /// The id of the user, team or key, or `*` for each on its own; a model as `provider/model`, where `*` at the end
    /// stands for any rest; absent for everybody.
    pub subject: Option<String>,
    /// The most, in US dollars.
    pub usd: f64,
    /// `day` or `month` (UTC).
    pub period: BudgetPeriod,
    /// What happens then; `refuse` when absent.
    pub on_reached: Option<OnReached>,
}

/// A budget.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BudgetState {
    /// Names it; null: it is of the configuration, and changed there.
    pub id: Option<String>,
    /// Whose spending.
    pub kind: BudgetKind,
    /// Of whom; empty for everybody.
    pub subject: String,
    /// The most, in US dollars.
    pub usd: f64,
    /// In each of these.
    pub period: BudgetPeriod,
    /// What happens then.
    pub on_reached: OnReached,
    /// What was spent of it, in US dollars; null where each has one of their own.
    pub spent_usd: Option<f64>,
    /// What is reserved for requests under way.
    pub reserved_usd: Option<f64>,
    /// When it begins anew.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub begins_anew: Option<Timestamp>,
    /// The id of who set it.
    pub updated_by: Option<String>,
    /// When.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub updated_at: Option<Timestamp>,
}

/// Every budget.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BudgetList {
    /// Those of the configuration first.
    pub items: Vec<BudgetState>,
}
