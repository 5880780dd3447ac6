//! The policy: which role answers which intent, which model has a role, what a model is expected to be worth, and what
//! it costs. A value; the configuration fills it, the defaults are the documented table.

mod quality;
mod table;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::catalogue::Catalogue;
use crate::event::Usage;
use crate::intent::Intent;
use crate::model::ModelInfo;
use crate::money::{self, NanoUsd};
use crate::roster::untagged;

/// Tokens an answer is expected to have when its cost is estimated before it is made.
pub const EXPECTED_ANSWER_TOKENS: u32 = 500;

/// A place on the ladder that the policy knows by what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyRole {
    /// Short and simple things, at once.
    Quick,
    /// Conversation.
    Chat,
    /// Reasoning, long texts, languages other than English.
    Reasoning,
    /// The best model of the operator's machines.
    Top,
    /// Programs.
    Code,
    /// Whatever does not run on the operator's machines.
    Cloud,
}

impl PolicyRole {
    /// All of them, weakest first.
    pub const ALL: [Self; 6] = [
        Self::Quick,
        Self::Chat,
        Self::Reasoning,
        Self::Top,
        Self::Code,
        Self::Cloud,
    ];

    /// The word for it in the configuration and in traces.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Chat => "chat",
            Self::Reasoning => "reasoning",
            Self::Top => "top",
            Self::Code => "code",
            Self::Cloud => "cloud",
        }
    }

    /// Reads [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

/// The model of a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RoleModel {
    /// As it is configured, for example `qwen2.5:3b`, or `provider/model` for that provider's alone; empty for a role
    /// that is any model of its kind.
    pub reference: String,
    /// Names providers may know it by.
    pub names: Vec<String>,
    /// Tokens of prompt and answer it is known to hold when no provider says, for a dry run without it.
    pub context_tokens: Option<u32>,
}

impl RoleModel {
    /// A model known by its reference alone.
    pub fn named(reference: &str) -> Self {
        Self {
            reference: reference.to_owned(),
            names: vec![reference.to_owned()],
            context_tokens: None,
        }
    }

    /// Is this the model? `m` and `m:latest` are the same.
    pub fn is(&self, provider: &str, name: &str) -> bool {
        let is = |known: &str| {
            untagged(known) == untagged(name)
                || known
                    .strip_prefix(provider)
                    .and_then(|rest| rest.strip_prefix('/'))
                    .is_some_and(|rest| untagged(rest) == untagged(name))
        };
        !self.reference.is_empty() && self.names.iter().any(|known| is(known))
    }
}

/// What the policy says of one intent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IntentPolicy {
    /// Who answers first.
    pub role: PolicyRole,
    /// Where it escalates, in order.
    pub next: Vec<PolicyRole>,
    /// Sampling temperature when the caller names none.
    pub temperature: f32,
    /// Expected quality of each role's model for this intent, 0–1: how likely its answer is good.
    pub quality: BTreeMap<PolicyRole, f64>,
}

/// What a model costs, in US dollars per million tokens.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Price {
    /// `provider/model`.
    pub model: String,
    /// Tokens of the prompt.
    pub input: f64,
    /// Tokens of the answer.
    pub output: f64,
}

/// US dollars of a million tokens as nano-dollars. `as` saturates, and makes nothing of what is no number.
fn nanos(usd: f64) -> u128 {
    (usd * 1e9).round() as u128
}

/// The policy in force.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Policy {
    /// The model of each role.
    pub roles: BTreeMap<PolicyRole, RoleModel>,
    /// The table: a row for every intent.
    pub intents: BTreeMap<Intent, IntentPolicy>,
    /// Models that speak other languages than English well, as they are configured.
    pub multilingual: Vec<RoleModel>,
    /// λ: quality given up for each US dollar an answer costs.
    pub cost_weight: f64,
    /// The same for a caller who wants it cheaper rather than better.
    pub cost_priority_weight: f64,
    /// From this many tokens on a text to be summarised goes to the role for long texts.
    pub long_text_tokens: u32,
    /// What models cost by the operator's word; local ones cost nothing.
    pub prices: Vec<Price>,
    /// What others cost; those without an entry in either are unknown.
    #[serde(serialize_with = "day")]
    pub catalogue: Arc<Catalogue>,
}

/// A list is known by its day.
fn day<S: serde::Serializer>(catalogue: &Catalogue, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&catalogue.as_of)
}

impl Default for Policy {
    fn default() -> Self {
        table::default_policy()
    }
}

impl Policy {
    /// The row of an intent. Every intent has one.
    pub fn row(&self, intent: Intent) -> Cow<'_, IntentPolicy> {
        let row = self.intents.get(&intent).map(Cow::Borrowed);
        row.unwrap_or_else(|| Cow::Owned(table::row(intent)))
    }

    /// Twelve hexadecimal digits that change when anything of the policy does.
    pub fn version(&self) -> String {
        // FNV-1a: it names a policy, it secures nothing.
        let text = serde_json::to_vec(self).unwrap_or_default();
        let hash = text.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        format!("{:012x}", hash >> 16)
    }

    /// The role whose model this is; when it has several, the one most is expected of for `intent`.
    pub fn role_of(&self, intent: Intent, provider: &str, name: &str) -> Option<PolicyRole> {
        let row = self.row(intent);
        let expected = |role: &PolicyRole| row.quality.get(role).copied().unwrap_or(0.0);
        self.roles_of(provider, name)
            .max_by(|a, b| expected(a).total_cmp(&expected(b)))
    }

    /// Every role whose model this is, weakest first.
    pub fn roles_of(&self, provider: &str, name: &str) -> impl Iterator<Item = PolicyRole> {
        self.roles
            .iter()
            .filter(move |(role, model)| **role != PolicyRole::Cloud && model.is(provider, name))
            .map(|(role, _)| *role)
    }

    /// Does this model speak other languages than English well? One the policy knows nothing of is given the benefit
    /// of the doubt when it is not the operator's own.
    pub fn speaks_all(&self, provider: &str, name: &str, local: bool) -> bool {
        !local || self.multilingual.iter().any(|model| model.is(provider, name))
    }

    /// What an answer of this model is expected to cost: `Some(0.0)` on the operator's machines, `None` without a price.
    pub fn expected_cost(&self, id: &str, local: bool, prompt_tokens: u32) -> Option<f64> {
        self.cost(id, local, prompt_tokens, EXPECTED_ANSWER_TOKENS)
    }

    /// What so many tokens of this model cost in US dollars: `Some(0.0)` on the operator's machines, `None` without a
    /// price.
    pub fn cost(&self, id: &str, local: bool, prompt_tokens: u32, answer_tokens: u32) -> Option<f64> {
        let usage = Usage {
            prompt_tokens,
            completion_tokens: answer_tokens,
            ..Usage::default()
        };
        self.cost_of(id, local, &usage)
    }

    /// What an answer that used this costs in US dollars: see [`Self::nano_cost`].
    pub fn cost_of(&self, id: &str, local: bool, usage: &Usage) -> Option<f64> {
        self.nano_cost(id, local, usage).map(money::usd)
    }

    /// What an answer that used this costs, in whole nano-dollars, rounded up: cached and reasoning tokens by their own
    /// prices, where the catalogue has them. `Some(0)` on the operator's machines, `None` without a price.
    pub fn nano_cost(&self, id: &str, local: bool, usage: &Usage) -> Option<NanoUsd> {
        if local {
            return Some(0);
        }
        if let Some(price) = self.prices.iter().find(|price| price.model == id) {
            let (prompt, answer) = (
                u128::from(usage.prompt_tokens),
                u128::from(usage.completion_tokens),
            );
            let sum = prompt * nanos(price.input) + answer * nanos(price.output);
            return Some(u64::try_from(sum.div_ceil(1_000_000)).unwrap_or(u64::MAX));
        }
        Some(self.catalogue.find_id(id)?.cost(usage))
    }

    /// The price of a model elsewhere: the operator's, else the catalogue's for prompts of the usual length.
    pub fn price(&self, id: &str) -> Option<Price> {
        let own = self.prices.iter().find(|price| price.model == id).cloned();
        own.or_else(|| {
            let entry = self.catalogue.find_id(id)?;
            Some(Price {
                model: id.to_owned(),
                input: entry.input as f64 / 1e9,
                output: entry.output as f64 / 1e9,
            })
        })
    }

    /// How likely an answer of this model to a question of this intent is good, 0–1. Of a model without a role it is
    /// guessed from its size.
    pub fn quality(&self, intent: Intent, provider: &str, model: &ModelInfo, local: bool) -> f64 {
        let row = self.row(intent);
        let of_role = |role| row.quality.get(&role).copied();
        if let Some(role) = self.role_of(intent, provider, &model.name)
            && let Some(quality) = of_role(role)
        {
            return quality;
        }
        match local {
            true => quality::of_size(model),
            false => of_role(PolicyRole::Cloud).unwrap_or(quality::CLOUD),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_documented_one() {
        let policy = Policy::default();
        use PolicyRole::{Chat, Cloud, Code, Quick, Reasoning, Top};
        let rows: [(Intent, PolicyRole, &[PolicyRole], f32); 12] = [
            (Intent::Code, Code, &[Top, Cloud], 0.0),
            (Intent::Explain, Top, &[Cloud], 0.2),
            (Intent::Creative, Top, &[Cloud], 0.6),
            (Intent::Legal, Top, &[Cloud], 0.2),
            (Intent::Summarize, Top, &[Cloud], 0.2),
            (Intent::Rag, Reasoning, &[Top, Cloud], 0.0),
            (Intent::Retrieval, Reasoning, &[Top, Cloud], 0.15),
            (Intent::Translation, Reasoning, &[Top, Cloud], 0.15),
            (Intent::Reasoning, Reasoning, &[Top, Cloud], 0.15),
            (Intent::Chat, Chat, &[Reasoning, Top, Cloud], 0.15),
            (Intent::Classification, Quick, &[Chat, Top, Cloud], 0.0),
            (Intent::Status, Quick, &[Chat, Top, Cloud], 0.15),
        ];
        for (intent, role, next, temperature) in rows {
            let row = policy.row(intent);
            assert_eq!(
                (row.role, &row.next[..], row.temperature),
                (role, next, temperature),
                "{intent:?}"
            );
        }
    }

    #[test]
    fn each_rung_is_expected_to_be_better_than_the_one_before() {
        for intent in Intent::ALL {
            let policy = Policy::default();
            let row = policy.row(intent);
            let ladder: Vec<f64> = std::iter::once(row.role)
                .chain(row.next.iter().copied())
                .filter_map(|role| row.quality.get(&role).copied())
                .collect();
            assert_eq!(ladder.len(), 1 + row.next.len(), "{intent:?} lacks a number");
            assert!(
                ladder.windows(2).all(|pair| pair[0] < pair[1]),
                "{intent:?} {ladder:?}"
            );
        }
    }

    #[test]
    fn of_a_model_with_several_roles_the_most_is_expected_that_one_of_them_promises() {
        let model = RoleModel::named("all:1b");
        let mut policy = Policy::default();
        for role in [PolicyRole::Reasoning, PolicyRole::Top, PolicyRole::Code] {
            policy.roles.insert(role, model.clone());
        }
        let info = ModelInfo::named("all:1b");
        for intent in Intent::ALL {
            let row = policy.row(intent);
            let of = |role| row.quality.get(role).copied().unwrap_or(0.0);
            let most = [PolicyRole::Reasoning, PolicyRole::Top, PolicyRole::Code]
                .iter()
                .map(of)
                .fold(0.0, f64::max);
            assert_eq!(policy.quality(intent, "ollama", &info, true), most, "{intent:?}");
            let role = policy.role_of(intent, "ollama", "all:1b").unwrap();
            assert_eq!(of(&role), most, "{intent:?}");
        }
        assert_eq!(policy.role_of(Intent::Chat, "ollama", "other:1b"), None);
    }

    #[test]
    fn a_policy_has_another_version_when_anything_of_it_changes() {
        let policy = Policy::default();
        let mut other = policy.clone();
        assert_eq!(policy.version(), other.version());
        other.cost_weight += 1.0;
        assert_ne!(policy.version(), other.version());
        assert_eq!(policy.version().len(), 12);
    }

    #[test]
    fn what_stays_here_costs_nothing_and_what_has_no_price_is_unknown() {
        let mut policy = Policy::default();
        policy.prices.push(Price {
            model: "openai/m".into(),
            input: 2.0,
            output: 8.0,
        });
        assert_eq!(policy.cost("engine/m", true, 1_000, 1_000), Some(0.0));
        assert_eq!(policy.cost("openai/other", false, 1_000, 1_000), None);
        let cost = policy.cost("openai/m", false, 500_000, 250_000).unwrap();
        assert!((cost - 3.0).abs() < 1e-9, "{cost}");
        let listed = policy.catalogue.find("openai", "gpt-4o").unwrap().clone();
        let of_list = policy.cost("openai/gpt-4o", false, 1_000_000, 0).unwrap();
        assert!((of_list - listed.input as f64 / 1e9).abs() < 1e-9, "{of_list}");
        policy.prices.push(Price {
            model: "openai/gpt-4o".into(),
            input: 7.0,
            output: 0.0,
        });
        let own = policy.cost("openai/gpt-4o", false, 1_000_000, 0);
        assert_eq!(own, Some(7.0), "the operator's word goes before the list's");
    }

    #[test]
    fn a_model_is_known_by_its_names_with_and_without_its_provider() {
        let model = RoleModel::named("qwen2.5:3b");
        assert!(model.is("ollama", "qwen2.5:3b") && !model.is("ollama", "qwen2.5:7b"));
        let only_there = RoleModel::named("tier/mistral");
        assert!(only_there.is("tier", "mistral:latest") && !only_there.is("ollama", "mistral"));
        assert!(!RoleModel::named("").is("ollama", ""));
    }
}
