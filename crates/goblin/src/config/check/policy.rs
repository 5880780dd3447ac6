//! The policy of routing: the models of its roles, its table, its numbers.

use std::collections::BTreeMap;

use goblin_core::intent::Intent;
use goblin_core::policy::{IntentPolicy, Policy, PolicyRole, Price, RoleModel};
use goblin_core::route::alias::Aliases;
use goblin_providers::registry::Reference;

use crate::config::check::Reader;

impl Reader<'_> {
    pub(super) fn policy(&mut self) -> Policy {
        let known = Policy::default();
        let mut roles = BTreeMap::new();
        for role in PolicyRole::ALL
            .into_iter()
            .filter(|role| *role != PolicyRole::Cloud)
        {
            let path = format!("roster.{}", role.as_str());
            if let Some(text) = self.text(&path) {
                // What it holds is known of the models the policy comes with, and told by a provider of any other.
                let usual = known.roles.get(&role).filter(|model| model.reference == text);
                let context_tokens = usual.and_then(|model| model.context_tokens);
                roles.insert(
                    role,
                    RoleModel {
                        context_tokens,
                        ..role_model(&text)
                    },
                );
            }
        }
        let multilingual = self
            .list("policy.multilingual")
            .iter()
            .map(|text| role_model(text))
            .collect();
        let mut intents = BTreeMap::new();
        for intent in Intent::ALL {
            let row = self.intent(intent);
            intents.insert(intent, row);
        }
        Policy {
            roles,
            intents,
            multilingual,
            cost_weight: self.real("policy.cost_weight"),
            cost_priority_weight: self.real("policy.cost_priority_weight"),
            long_text_tokens: self.small("policy.long_text_tokens"),
            prices: self.prices(),
            catalogue: known.catalogue,
        }
    }

    pub(super) fn aliases(&mut self) -> Aliases {
        Aliases::parse(&self.list("models.aliases")).unwrap_or_else(|problems| {
            for problem in problems {
                self.problem("models.aliases", problem);
            }
            Aliases::default()
        })
    }

    fn intent(&mut self, intent: Intent) -> IntentPolicy {
        let path = |field: &str| format!("policy.intents.{}.{field}", intent.as_str());
        let role_of = |text: &str| PolicyRole::parse(&text.trim().to_lowercase());
        let role = self.text(&path("role")).and_then(|text| role_of(&text));
        let role = role.unwrap_or(PolicyRole::Top);
        let mut next: Vec<PolicyRole> = Vec::new();
        for text in self.list(&path("next")) {
            match role_of(&text) {
                Some(other) if other == role || next.contains(&other) => self.problem(
                    &path("next"),
                    format!(
                        "`{text}` would be asked twice. Each role stands once in a row, its own included."
                    ),
                ),
                Some(other) => next.push(other),
                None => self.problem(&path("next"), not_a_role(&text)),
            }
        }
        let mut quality = BTreeMap::new();
        for text in self.list(&path("quality")) {
            let (name, number) = text.split_once(char::is_whitespace).unwrap_or((&text, ""));
            match (role_of(name), number.trim().parse::<f64>()) {
                (Some(role), Ok(share)) if (0.0..=1.0).contains(&share) => {
                    quality.insert(role, share);
                }
                (None, _) => self.problem(&path("quality"), not_a_role(name)),
                (Some(_), _) => self.problem(
                    &path("quality"),
                    format!(
                        "`{text}` has no number from 0 to 1. Write a role and its share, like `top 0.66`."
                    ),
                ),
            }
        }
        IntentPolicy {
            role,
            next,
            temperature: self.real(&path("temperature")) as f32,
            quality,
        }
    }

    fn prices(&mut self) -> Vec<Price> {
        let mut prices: Vec<Price> = Vec::new();
        for text in self.list("prices.models") {
            let parts: Vec<&str> = text.split_whitespace().collect();
            let number = |text: &str| text.parse::<f64>().ok().filter(|n| (0.0..=1e6).contains(n));
            let price = match parts[..] {
                [model, input, output] if model.contains('/') => {
                    number(input).zip(number(output)).map(|(input, output)| Price {
                        model: model.to_owned(),
                        input,
                        output,
                    })
                }
                _ => None,
            };
            match price {
                Some(price) if prices.iter().any(|other| other.model == price.model) => {
                    self.problem("prices.models", format!("`{}` has two prices.", price.model));
                }
                Some(price) => prices.push(price),
                None => self.problem(
                    "prices.models",
                    format!(
                        "`{text}` is no price. Write provider/model and the US dollars of a million tokens of prompt and of \
                         answer, like `openai/gpt-5 1.25 10`."
                    ),
                ),
            }
        }
        prices
    }
}

fn not_a_role(text: &str) -> String {
    let roles = PolicyRole::ALL.map(PolicyRole::as_str).join(", ");
    format!("`{text}` is no role. The roles are {roles}.")
}

/// A model by the name it is configured under and by the names it has on this machine.
fn role_model(text: &str) -> RoleModel {
    let mut model = RoleModel::named(text);
    if let Ok(reference) = Reference::parse(text) {
        for name in [reference.to_string(), reference.local_name()] {
            if !model.names.contains(&name) {
                model.names.push(name);
            }
        }
    }
    model
}
