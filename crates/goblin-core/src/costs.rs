//! What a month costs: the hosts, the providers, and what answers of the operator's machines would have cost elsewhere.
//! From what is configured ([`CostPlan`]) and what was found in the database ([`CostFacts`]) to one report. Pure. What is
//! not known stays unknown: it is counted apart, and never zero.

pub mod findings;
pub mod forecast;
pub mod month;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::Timestamp;
use crate::costs::findings::Finding;
use crate::costs::month::{Month, day_text};
use crate::intent::Intent;
use crate::money::{NanoUsd, UsageGroup, usd};

/// Months of a report: the one asked for and those before it.
pub const MONTHS: i32 = 6;

/// What a part costs each month.
#[derive(Clone, Debug, PartialEq)]
pub struct FixedLine {
    /// One word: `page`, `backend`, `database`, `cache`, `models`, or any of the operator's own.
    pub name: String,
    /// Of a month; `None`: not known.
    pub monthly: Option<NanoUsd>,
    /// Where that is from.
    pub note: String,
    /// Is it a default that nobody confirmed?
    pub assumed: bool,
}

/// What the configuration says about costs.
#[derive(Clone, Debug)]
pub struct CostPlan {
    /// What people read sums in, for example `EUR`.
    pub currency: String,
    /// What a US dollar is in it.
    pub per_usd: f64,
    /// What the hosts cost.
    pub fixed: Vec<FixedLine>,
    /// At whose price answers of the operator's machines are held.
    pub baseline: Option<String>,
    /// Is a Redis configured?
    pub redis: bool,
    /// Are answers to common questions given again?
    pub gives_again: bool,
    /// Budgets of the configuration.
    pub budgets: usize,
    /// The day the list of prices was made.
    pub prices_as_of: String,
}

impl Default for CostPlan {
    fn default() -> Self {
        Self {
            currency: "USD".to_owned(),
            per_usd: 1.0,
            fixed: Vec::new(),
            baseline: None,
            redis: false,
            gives_again: false,
            budgets: 0,
            prices_as_of: String::new(),
        }
    }
}

/// What was asked about one subject, for the names that let goblin choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The subject.
    pub intent: Intent,
    /// Questions a model of the operator's machines answered first, and whose answer was checked.
    pub checked: u64,
    /// Of those: its answer was good enough.
    pub accepted: u64,
    /// Questions that went to a model elsewhere without such a model being asked.
    pub away: u64,
    /// What those cost, as far as it is known.
    pub away_cost: NanoUsd,
}

/// What was found in the database about a month.
#[derive(Clone, Debug, Default)]
pub struct CostFacts {
    /// When anything was used for the first time; `None`: nothing ever was.
    pub first_use: Option<Timestamp>,
    /// Every day of [`MONTHS`] months on which something was used, in order.
    pub days: Vec<UsageGroup>,
    /// The month by model, what cost most first.
    pub models: Vec<UsageGroup>,
    /// The month by user.
    pub users: Vec<UsageGroup>,
    /// Copies of goblin at work on the database now; `None`: none says so.
    pub copies: Option<u64>,
    /// Budgets in the database.
    pub budgets: usize,
    /// Requests that cost something and ended without an answer: failed, cancelled or interrupted.
    pub lost: u64,
    /// What those cost.
    pub lost_cost: NanoUsd,
    /// Short first questions of chats in the month; of its newest 10,000 chats.
    pub first_questions: u64,
    /// Of those: as one before it in the month, letter case aside.
    pub repeated: u64,
    /// Traces of the month that were looked at, the newest first.
    pub traces: u64,
    /// What they say, by subject.
    pub chosen: Vec<Chosen>,
}

/// A month's costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CostReport {
    /// `2026-11` (UTC).
    pub month: String,
    /// Up to when it was counted.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What people read sums in. All numbers here are US dollars.
    pub currency: String,
    /// What a US dollar is in it.
    pub currency_per_usd: f64,
    /// The model at whose price answers of the operator's machines are held.
    pub baseline: Option<String>,
    /// What each host costs in a month.
    pub fixed: Vec<FixedCost>,
    /// Those together, as far as they are known.
    pub fixed_usd: f64,
    /// Hosts whose cost is not known.
    pub fixed_unknown: u32,
    /// What providers cost, and what answers of the operator's machines would have.
    pub providers: CostItem,
    /// Hosts and providers so far, as far as it is known.
    pub total_usd: f64,
    /// Is a part of it not known: a host, or requests to a model without a price? Then all sums are "at least".
    pub at_least: bool,
    /// Where it is going.
    pub forecast: Forecast,
    /// Every day of the month so far, in order.
    pub days: Vec<CostItem>,
    /// The months before and this one, in order, from the first use on; hosts by today's configuration.
    pub months: Vec<CostItem>,
    /// By model, what cost most first; at most 1000.
    pub models: Vec<CostItem>,
    /// By user, likewise.
    pub users: Vec<CostItem>,
    /// What could cost less, or is not known, with the numbers that show it.
    pub findings: Vec<Finding>,
}

/// What a host costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FixedCost {
    /// Which.
    pub name: String,
    /// In a month; null: not known.
    pub monthly_usd: Option<f64>,
    /// Where that is from.
    pub note: String,
    /// Is it a default that nobody confirmed?
    pub assumed: bool,
}

/// What a day, a month, a model or a user cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CostItem {
    /// The day, the month, `provider/model`, or the user's id; empty of the whole, or where no model answered.
    pub id: String,
    /// The user's name, while they are there.
    pub name: Option<String>,
    /// Requests.
    pub requests: u64,
    /// What those cost whose cost is known, in US dollars.
    pub cost_usd: f64,
    /// Requests whose cost is not known.
    pub unknown_cost: u64,
    /// Requests with a part that is an estimate.
    pub estimated: u64,
    /// Requests answered on the operator's machines.
    pub local: u64,
    /// What those would have cost at the baseline.
    pub would_have_cost_usd: f64,
    /// What hosts cost meanwhile, as far as it is known; a day's is its share of the month. 0 for models and users.
    pub fixed_usd: f64,
}

/// Can the end of the month be foreseen?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Foresight {
    /// Yes.
    Ready,
    /// Too few days are over since the first use.
    TooFewDays,
    /// The month is over.
    Over,
}

/// What the month will have cost at its end, in US dollars.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Forecast {
    /// Is there one?
    pub state: Foresight,
    /// Providers, the whole month.
    pub providers_usd: Option<f64>,
    /// In one of ten such months it will be less.
    pub low_usd: Option<f64>,
    /// In one of ten it will be more.
    pub high_usd: Option<f64>,
    /// With the hosts.
    pub total_usd: Option<f64>,
    /// Finished days it is reckoned from.
    pub days_seen: u32,
    /// Finished days that are needed.
    pub days_needed: u32,
    /// How it is reckoned, in a sentence.
    pub method: String,
}

/// Puts a month's report together.
pub fn report(plan: &CostPlan, facts: &CostFacts, month: Month, now: Timestamp) -> CostReport {
    let known: NanoUsd = plan.fixed.iter().filter_map(|line| line.monthly).sum();
    let fixed_unknown = plan.fixed.iter().filter(|line| line.monthly.is_none()).count();
    let prefix = format!("{month}-");
    let of_month = facts.days.iter().filter(|day| day.id.starts_with(&prefix));
    let whole = of_month.fold(UsageGroup::default(), added);
    let days = each_day(facts, month, now, usd(known) / f64::from(month.days().max(1)));
    let fixed_usd = usd(known);
    CostReport {
        month: month.to_string(),
        at: now.min(month.ends()),
        currency: plan.currency.clone(),
        currency_per_usd: plan.per_usd,
        baseline: plan.baseline.clone(),
        fixed: plan.fixed.iter().map(fixed).collect(),
        fixed_usd,
        fixed_unknown: u32::try_from(fixed_unknown).unwrap_or(u32::MAX),
        total_usd: fixed_usd + usd(whole.cost),
        at_least: fixed_unknown > 0 || whole.unknown > 0,
        forecast: foresee(facts, month, now, fixed_usd),
        days,
        months: each_month(facts, month, fixed_usd),
        models: facts.models.iter().map(|group| item(group, 0.0)).collect(),
        users: facts.users.iter().map(|group| item(group, 0.0)).collect(),
        findings: findings::find(plan, facts, &whole, month, now),
        providers: item(&whole, fixed_usd),
    }
}

fn fixed(line: &FixedLine) -> FixedCost {
    FixedCost {
        name: line.name.clone(),
        monthly_usd: line.monthly.map(usd),
        note: line.note.clone(),
        assumed: line.assumed,
    }
}

fn item(group: &UsageGroup, fixed_usd: f64) -> CostItem {
    CostItem {
        id: group.id.clone(),
        name: group.name.clone(),
        requests: group.requests,
        cost_usd: usd(group.cost),
        unknown_cost: group.unknown,
        estimated: group.estimated,
        local: group.local,
        would_have_cost_usd: usd(group.would_have_cost),
        fixed_usd,
    }
}

fn added(sum: UsageGroup, one: &UsageGroup) -> UsageGroup {
    UsageGroup {
        requests: sum.requests + one.requests,
        cost: sum.cost.saturating_add(one.cost),
        unknown: sum.unknown + one.unknown,
        estimated: sum.estimated + one.estimated,
        local: sum.local + one.local,
        would_have_cost: sum.would_have_cost.saturating_add(one.would_have_cost),
        ..sum
    }
}

/// Every day of the month that has begun, also those on which nothing was asked.
fn each_day(facts: &CostFacts, month: Month, now: Timestamp, fixed_usd: f64) -> Vec<CostItem> {
    let begun = month.each_day().filter(|day| *day <= now).map(day_text);
    begun
        .map(|id| {
            let nothing = UsageGroup {
                id: id.clone(),
                ..UsageGroup::default()
            };
            item(
                facts.days.iter().find(|day| day.id == id).unwrap_or(&nothing),
                fixed_usd,
            )
        })
        .collect()
}

fn each_month(facts: &CostFacts, last: Month, fixed_usd: f64) -> Vec<CostItem> {
    let first = facts.first_use.map_or(last, |at| Month::of(at).min(last));
    let months = (0..MONTHS).rev().map(|back| last.plus(-back));
    months
        .filter(|month| *month >= first)
        .map(|month| {
            let prefix = format!("{month}-");
            let days = facts.days.iter().filter(|day| day.id.starts_with(&prefix));
            let empty = UsageGroup {
                id: month.to_string(),
                ..UsageGroup::default()
            };
            item(&days.fold(empty, added), fixed_usd)
        })
        .collect()
}

fn foresee(facts: &CostFacts, month: Month, now: Timestamp, fixed_usd: f64) -> Forecast {
    let today = day_text(now);
    let first = facts.first_use.map_or_else(|| today.clone(), day_text);
    let cost = |day: &String| {
        let found = facts.days.iter().find(|used| used.id == *day);
        found.map_or(0, |used| used.cost)
    };
    let days: Vec<String> = month.each_day().map(day_text).collect();
    let over: Vec<NanoUsd> = days
        .iter()
        .filter(|day| **day >= first && **day < today)
        .map(cost)
        .collect();
    let after = days.iter().filter(|day| **day > today).count();
    let estimate = forecast::forecast(&over, cost(&today), u32::try_from(after).unwrap_or(0));
    let (state, seen) = match estimate {
        _ if now >= month.ends() => (Foresight::Over, None),
        None => (Foresight::TooFewDays, None),
        seen => (Foresight::Ready, seen),
    };
    Forecast {
        state,
        providers_usd: seen.map(|of| of.expected),
        low_usd: seen.map(|of| of.low),
        high_usd: seen.map(|of| of.high),
        total_usd: seen.map(|of| of.expected + fixed_usd),
        days_seen: u32::try_from(over.len()).unwrap_or(u32::MAX),
        days_needed: u32::try_from(forecast::LEAST_DAYS).unwrap_or(u32::MAX),
        method: "Every day to come is expected to cost the mean of the month's finished days since the first use; the range \
                 holds four of five such months. Weekends and growth are not in it."
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOLLAR: NanoUsd = 1_000_000_000;

    pub(super) fn day(id: &str, cost: NanoUsd) -> UsageGroup {
        UsageGroup {
            id: id.to_owned(),
            requests: 2,
            cost,
            local: 1,
            would_have_cost: DOLLAR / 10,
            ..UsageGroup::default()
        }
    }

    pub(super) fn line(name: &str, dollars: Option<u64>) -> FixedLine {
        FixedLine {
            name: name.to_owned(),
            monthly: dollars.map(|n| n * DOLLAR),
            note: String::new(),
            assumed: false,
        }
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    fn november(now: &str, facts: &CostFacts, plan: &CostPlan) -> CostReport {
        report(plan, facts, Month::parse("2026-11").unwrap(), at(now))
    }

    #[test]
    fn hosts_and_providers_are_added_up_by_day_and_month() {
        let facts = CostFacts {
            first_use: Some(at("2026-10-30T12:00:00Z")),
            days: vec![
                day("2026-10-30", DOLLAR),
                day("2026-11-01", DOLLAR),
                day("2026-11-03", 2 * DOLLAR),
            ],
            ..CostFacts::default()
        };
        let plan = CostPlan {
            fixed: vec![line("page", Some(20)), line("backend", Some(10))],
            ..CostPlan::default()
        };
        let seen = november("2026-11-05T12:00:00Z", &facts, &plan);
        assert_eq!(
            (seen.fixed_usd, seen.providers.cost_usd, seen.total_usd),
            (30.0, 3.0, 33.0)
        );
        assert_eq!(
            (seen.providers.requests, seen.providers.local, seen.at_least),
            (4, 2, false)
        );
        let days: Vec<_> = seen
            .days
            .iter()
            .map(|d| (d.id.as_str(), d.cost_usd, d.fixed_usd))
            .collect();
        assert_eq!(days.len(), 5, "no day that has not begun: {days:?}");
        assert_eq!(days[2], ("2026-11-03", 2.0, 1.0));
        let months: Vec<_> = seen
            .months
            .iter()
            .map(|m| (m.id.as_str(), m.cost_usd, m.requests))
            .collect();
        assert_eq!(
            months,
            [("2026-10", 1.0, 2), ("2026-11", 3.0, 4)],
            "none before the first use"
        );
    }

    #[test]
    fn what_is_not_known_is_counted_and_never_zero() {
        let no_price = UsageGroup {
            unknown: 2,
            ..day("2026-11-01", 0)
        };
        let facts = CostFacts {
            days: vec![no_price],
            ..CostFacts::default()
        };
        let plan = CostPlan {
            fixed: vec![line("page", Some(20)), line("models", None)],
            ..CostPlan::default()
        };
        let seen = november("2026-11-05T12:00:00Z", &facts, &plan);
        assert!(seen.at_least);
        assert_eq!(
            (
                seen.fixed_unknown,
                seen.fixed[1].monthly_usd,
                seen.providers.unknown_cost
            ),
            (1, None, 2)
        );
        let text = serde_json::to_value(&seen).unwrap();
        assert!(text["fixed"][1]["monthly_usd"].is_null(), "{text}");
    }

    #[test]
    fn days_before_the_first_use_are_no_sample_and_a_month_that_is_over_needs_no_forecast() {
        let facts = CostFacts {
            first_use: Some(at("2026-11-21T10:00:00Z")),
            days: ["2026-11-21", "2026-11-22", "2026-11-23"]
                .map(|id| day(id, DOLLAR))
                .to_vec(),
            ..CostFacts::default()
        };
        let plan = CostPlan {
            fixed: vec![line("backend", Some(7))],
            ..CostPlan::default()
        };
        let early = november("2026-11-23T12:00:00Z", &facts, &plan).forecast;
        assert_eq!(
            (early.state, early.days_seen, early.total_usd),
            (Foresight::TooFewDays, 2, None)
        );
        let ready = november("2026-11-24T12:00:00Z", &facts, &plan).forecast;
        assert_eq!(
            (ready.state, ready.providers_usd, ready.total_usd),
            (Foresight::Ready, Some(10.0), Some(17.0))
        );
        let over = november("2026-12-01T00:00:00Z", &facts, &plan);
        assert_eq!((over.forecast.state, over.days.len()), (Foresight::Over, 30));
        assert_eq!(over.at, at("2026-12-01T00:00:00Z"));
    }
}
