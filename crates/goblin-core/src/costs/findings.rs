//! What could cost less, and what of the costs is not known: only what the numbers of a month show. Each finding has its
//! numbers and says what to do. Pure.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::Timestamp;
use crate::costs::month::Month;
use crate::costs::{CostFacts, CostPlan};
use crate::money::{UsageGroup, dollars, usd};

/// Questions, and answers, from which on a share says something.
const ENOUGH: u64 = 20;
/// Share of answers that were good enough, in percent, from which on a model would do.
const GOOD: u64 = 90;
/// Share of questions, in percent, from which on it is worth to answer them once.
const MANY: u64 = 10;
/// Share of what was spent, in percent, from which on lost answers are worth a look.
const LOST: u64 = 5;
/// How old prices may be.
const OLD_PRICES_MS: u64 = 120 * 86_400_000;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// Models without a price were asked.
    UnknownPrices,
    /// A host's cost is not known.
    UnknownHosts,
    /// Redis is configured, but one copy runs.
    RedisForOne,
    /// Models elsewhere answer what those of the operator's machines answer well enough.
    LocalWouldDo,
    /// The same questions are answered anew.
    Repeats,
    /// The models' machine costs more than its answers would elsewhere.
    MachineDearer,
    /// Answers that nobody got were paid for.
    Lost,
    /// Nothing bounds what is spent.
    NoBudget,
    /// The list of prices is old.
    OldPrices,
}

/// A number that shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Evidence {
    /// Of what.
    pub name: String,
    /// How much.
    pub value: f64,
    /// `requests`, `percent`, `usd`, `copies`, `days` or `hosts`.
    pub unit: String,
}

/// What could cost less, or is not known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// Which.
    pub kind: FindingKind,
    /// A sentence.
    pub found: String,
    /// The numbers it is read from.
    pub evidence: Vec<Evidence>,
    /// What to do.
    pub fix: String,
    /// What that saves in a month at most, in US dollars; null: not known, or nothing.
    pub saves_usd: Option<f64>,
}

/// Everything a month shows. `whole`: all that was used in it.
pub fn find(
    plan: &CostPlan,
    facts: &CostFacts,
    whole: &UsageGroup,
    month: Month,
    now: Timestamp,
) -> Vec<Finding> {
    let seen = Seen {
        plan,
        facts,
        whole,
        month,
        now,
    };
    let mut all: Vec<Finding> = [
        seen.unknown_prices(),
        seen.unknown_hosts(),
        seen.redis_for_one(),
        seen.repeats(),
        seen.machine_dearer(),
        seen.lost(),
        seen.no_budget(),
        seen.old_prices(),
    ]
    .into_iter()
    .flatten()
    .collect();
    all.extend(seen.local_would_do());
    all
}

struct Seen<'a> {
    plan: &'a CostPlan,
    facts: &'a CostFacts,
    whole: &'a UsageGroup,
    month: Month,
    now: Timestamp,
}

impl Seen<'_> {
    fn unknown_prices(&self) -> Option<Finding> {
        let models: Vec<&str> = self
            .facts
            .models
            .iter()
            .filter(|model| model.unknown > 0 && !model.id.is_empty())
            .map(|model| model.id.as_str())
            .collect();
        (self.whole.unknown > 0).then(|| Finding {
            kind: FindingKind::UnknownPrices,
            found: match models.is_empty() {
                true => "Models without a price were asked.".to_owned(),
                false => format!("Models without a price were asked: {}.", shown(&models)),
            },
            evidence: vec![
                requests("requests of unknown cost", self.whole.unknown),
                requests("requests in all", self.whole.requests),
            ],
            fix: "Say what they cost in prices.models, or fetch a newer list with `goblin prices update`. What is booked \
                  already stays unknown."
                .to_owned(),
            saves_usd: None,
        })
    }

    fn unknown_hosts(&self) -> Option<Finding> {
        let unknown = self.plan.fixed.iter().filter(|line| line.monthly.is_none());
        let names: Vec<&str> = unknown.map(|line| line.name.as_str()).collect();
        (!names.is_empty()).then(|| Finding {
            kind: FindingKind::UnknownHosts,
            found: format!("What these hosts cost is not known: {}.", shown(&names)),
            evidence: vec![evidence(
                "hosts of unknown cost",
                count(names.len() as u64),
                "hosts",
            )],
            fix: "Write what they cost in a month into costs.hosts.".to_owned(),
            saves_usd: None,
        })
    }

    fn monthly(&self, name: &str) -> Option<f64> {
        let line = self.plan.fixed.iter().find(|line| line.name == name)?;
        line.monthly.map(usd)
    }

    fn redis_for_one(&self) -> Option<Finding> {
        let copies = self.facts.copies.filter(|copies| *copies == 1)?;
        let costs = self.monthly("cache");
        let mut numbers = vec![evidence("copies of goblin at work", count(copies), "copies")];
        numbers.extend(costs.map(|usd| money("cost of the cache in a month", usd)));
        self.plan.redis.then(|| Finding {
            kind: FindingKind::RedisForOne,
            found: "Redis is configured, but one copy of goblin runs, which could keep all of it in memory.".to_owned(),
            evidence: numbers,
            fix: "Leave REDIS_URL empty and end that service, unless more copies are to come. Limits are then counted, and \
                  answers kept, in memory, and begin anew with each start."
                .to_owned(),
            saves_usd: costs.filter(|usd| *usd > 0.0),
        })
    }

    fn repeats(&self) -> Option<Finding> {
        let (all, again) = (self.facts.first_questions, self.facts.repeated);
        let enough = all >= ENOUGH && percent(again, all) >= MANY;
        (enough && !self.plan.gives_again).then(|| Finding {
            kind: FindingKind::Repeats,
            found: format!(
                "{} % of the questions that begin a chat were asked before in the month, and answered anew.",
                percent(again, all)
            ),
            evidence: vec![
                requests("short first questions of chats", all),
                requests("asked before, letter case aside", again),
            ],
            fix: "Set cache.enabled and cache.common_queries: accepted answers to common questions are then given again, \
                  also to others."
                .to_owned(),
            saves_usd: None,
        })
    }

    /// Only of a month that is over: before that its answers are not all there.
    fn machine_dearer(&self) -> Option<Finding> {
        let costs = self.monthly("models")?;
        let would = usd(self.whole.would_have_cost);
        let baseline = self.plan.baseline.as_deref()?;
        let over = self.now >= self.month.ends() && self.whole.local > 0;
        (over && would > 0.0 && would < costs).then(|| Finding {
            kind: FindingKind::MachineDearer,
            found: format!("The models' machine cost more than its answers would have at {baseline}."),
            evidence: vec![
                money("cost of the models' machine in the month", costs),
                money("its answers at the baseline's price", would),
                requests("requests it answered", self.whole.local),
            ],
            fix: "Rent a smaller machine, or keep it for what must not leave your machines: that has no price here."
                .to_owned(),
            saves_usd: Some(costs - would),
        })
    }

    fn lost(&self) -> Option<Finding> {
        let (cost, all) = (self.facts.lost_cost, self.whole.cost);
        let enough = cost > 0 && percent(cost, all) >= LOST;
        enough.then(|| Finding {
            kind: FindingKind::Lost,
            found: format!("{} % of what providers cost went into answers that nobody got.", percent(cost, all)),
            evidence: vec![
                requests("paid requests that failed, were cancelled or cut", self.facts.lost),
                money("what they cost", usd(cost)),
                money("what all requests cost", usd(all)),
            ],
            fix: "Look for why in `goblin trace list` and the log. Clients that leave early can ask for less with max_tokens."
                .to_owned(),
            saves_usd: Some(usd(cost)),
        })
    }

    fn no_budget(&self) -> Option<Finding> {
        let unbound = self.plan.budgets + self.facts.budgets == 0 && self.whole.cost > 0;
        unbound.then(|| Finding {
            kind: FindingKind::NoBudget,
            found: "Providers cost money, and no budget bounds it.".to_owned(),
            evidence: vec![money("what providers cost in the month", usd(self.whole.cost))],
            fix: "Set a budget on Administration › Budgets, or in money.budgets, for example \"everybody 50 month local\"."
                .to_owned(),
            saves_usd: None,
        })
    }

    fn old_prices(&self) -> Option<Finding> {
        let made = Timestamp::parse_rfc3339(&format!("{}T00:00:00Z", self.plan.prices_as_of))?;
        let age = self.now.ms_since(made);
        let matters = age > OLD_PRICES_MS && (self.whole.cost > 0 || self.whole.unknown > 0);
        matters.then(|| Finding {
            kind: FindingKind::OldPrices,
            found: format!("The list of prices is of {}.", self.plan.prices_as_of),
            evidence: vec![evidence("age of the list", count(age / 86_400_000), "days")],
            fix: "Fetch a newer one with `goblin prices update`.".to_owned(),
            saves_usd: None,
        })
    }

    fn local_would_do(&self) -> Vec<Finding> {
        let would_do = self.facts.chosen.iter().filter(|of| {
            of.checked >= ENOUGH
                && percent(of.accepted, of.checked) >= GOOD
                && of.away > 0
                && of.away_cost > 0
        });
        would_do
            .map(|of| {
                let intent = of.intent.as_str();
                Finding {
                    kind: FindingKind::LocalWouldDo,
                    found: format!(
                        "Questions about `{intent}` went to models elsewhere for {} USD, while yours answer {} % of such \
                         questions well enough.",
                        dollars(of.away_cost),
                        percent(of.accepted, of.checked)
                    ),
                    evidence: vec![
                        requests("answers of your models that were checked", of.checked),
                        requests("of those good enough", of.accepted),
                        requests("questions sent elsewhere at once", of.away),
                        money("what those cost", usd(of.away_cost)),
                        requests("newest traces looked at", self.facts.traces),
                    ],
                    fix: format!(
                        "Let a role of your machines answer first: policy.intents.{intent}.role. What it cannot answer well \
                         enough still goes on."
                    ),
                    saves_usd: Some(usd(of.away_cost)),
                }
            })
            .collect()
    }
}

/// Rounded down; of nothing, nothing.
fn percent(part: u64, whole: u64) -> u64 {
    let share = u128::from(part) * 100 / u128::from(whole.max(1));
    u64::try_from(share).unwrap_or(u64::MAX)
}

#[allow(clippy::cast_precision_loss, reason = "counts are shown, not reckoned with")]
fn count(n: u64) -> f64 {
    n as f64
}

fn evidence(name: &str, value: f64, unit: &str) -> Evidence {
    Evidence {
        name: name.to_owned(),
        value,
        unit: unit.to_owned(),
    }
}

fn requests(name: &str, n: u64) -> Evidence {
    evidence(name, count(n), "requests")
}

fn money(name: &str, dollars: f64) -> Evidence {
    evidence(name, dollars, "usd")
}

/// The first few of them, and how many more there are.
fn shown(names: &[&str]) -> String {
    const FEW: usize = 5;
    let first = names.iter().take(FEW).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(FEW) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::costs::Chosen;
    use crate::costs::tests::{day, line};
    use crate::intent::Intent;

    const DOLLAR: u64 = 1_000_000_000;

    fn kinds(plan: &CostPlan, facts: &CostFacts, whole: &UsageGroup) -> Vec<FindingKind> {
        let month = Month::parse("2026-11").unwrap();
        let all = find(plan, facts, whole, month, month.ends());
        for one in &all {
            assert!(!one.evidence.is_empty() && one.fix.ends_with('.'), "{one:?}");
            assert!(one.saves_usd.is_none_or(|usd| usd > 0.0), "{one:?}");
        }
        all.iter().map(|one| one.kind).collect()
    }

    #[test]
    fn nothing_used_and_nothing_configured_finds_nothing() {
        assert!(
            kinds(
                &CostPlan::default(),
                &CostFacts::default(),
                &UsageGroup::default()
            )
            .is_empty()
        );
    }

    #[test]
    fn redis_for_one_copy_is_found_and_for_two_or_nobody_is_not() {
        let plan = CostPlan {
            redis: true,
            fixed: vec![line("cache", Some(10))],
            ..CostPlan::default()
        };
        for (copies, found) in [(Some(1), true), (Some(2), false), (None, false)] {
            let facts = CostFacts {
                copies,
                ..CostFacts::default()
            };
            let kinds = kinds(&plan, &facts, &UsageGroup::default());
            assert_eq!(kinds.contains(&FindingKind::RedisForOne), found, "{copies:?}");
        }
    }

    #[test]
    fn spending_without_a_budget_and_on_lost_answers_is_found() {
        let whole = day("2026-11-01", 10 * DOLLAR);
        let mut facts = CostFacts {
            lost: 3,
            lost_cost: DOLLAR,
            ..CostFacts::default()
        };
        let mut plan = CostPlan::default();
        assert_eq!(
            kinds(&plan, &facts, &whole),
            [FindingKind::Lost, FindingKind::NoBudget]
        );
        facts.lost_cost = DOLLAR / 10;
        plan.budgets = 1;
        assert!(kinds(&plan, &facts, &whole).is_empty());
    }

    #[test]
    fn what_is_not_known_is_found() {
        let whole = UsageGroup {
            unknown: 4,
            ..day("up/odd", 0)
        };
        let facts = CostFacts {
            models: vec![whole.clone()],
            ..CostFacts::default()
        };
        let plan = CostPlan {
            fixed: vec![line("models", None)],
            prices_as_of: "2026-01-01".to_owned(),
            ..CostPlan::default()
        };
        let found = kinds(&plan, &facts, &whole);
        let all = [
            FindingKind::UnknownPrices,
            FindingKind::UnknownHosts,
            FindingKind::OldPrices,
        ];
        assert_eq!(found, all);
    }

    #[test]
    fn questions_that_repeat_are_found_while_none_are_given_again() {
        let mut facts = CostFacts {
            first_questions: 40,
            repeated: 4,
            ..CostFacts::default()
        };
        let mut plan = CostPlan::default();
        assert_eq!(
            kinds(&plan, &facts, &UsageGroup::default()),
            [FindingKind::Repeats]
        );
        facts.first_questions = 41;
        assert!(
            kinds(&plan, &facts, &UsageGroup::default()).is_empty(),
            "less than one in ten"
        );
        facts.first_questions = 10;
        assert!(
            kinds(&plan, &facts, &UsageGroup::default()).is_empty(),
            "too few to say"
        );
        facts.first_questions = 40;
        plan.gives_again = true;
        assert!(kinds(&plan, &facts, &UsageGroup::default()).is_empty());
    }

    #[test]
    fn local_models_that_would_do_are_found_by_subject() {
        let of = |intent, checked, accepted, away| Chosen {
            intent,
            checked,
            accepted,
            away,
            away_cost: away * DOLLAR,
        };
        let facts = CostFacts {
            traces: 200,
            chosen: vec![
                of(Intent::Code, 50, 46, 3),
                of(Intent::Chat, 50, 44, 3),
                of(Intent::Legal, 5, 5, 3),
                of(Intent::Explain, 50, 50, 0),
            ],
            ..CostFacts::default()
        };
        let month = Month::parse("2026-11").unwrap();
        let all = find(
            &CostPlan::default(),
            &facts,
            &UsageGroup::default(),
            month,
            month.begins(),
        );
        assert_eq!(all.len(), 1, "{all:?}");
        assert!(
            all[0].found.contains("`code`") && all[0].found.contains("92 %"),
            "{all:?}"
        );
        assert_eq!(all[0].saves_usd, Some(3.0));
    }

    #[test]
    fn a_machine_dearer_than_its_answers_is_found_once_the_month_is_over() {
        let plan = CostPlan {
            baseline: Some("openai/gpt-5-mini".to_owned()),
            fixed: vec![line("models", Some(40))],
            ..CostPlan::default()
        };
        let whole = UsageGroup {
            cost: 0,
            ..day("2026-11", 0)
        };
        assert_eq!(
            kinds(&plan, &CostFacts::default(), &whole),
            [FindingKind::MachineDearer]
        );
        let month = Month::parse("2026-11").unwrap();
        let early = find(&plan, &CostFacts::default(), &whole, month, month.begins());
        assert!(early.is_empty(), "{early:?}");
    }
}
