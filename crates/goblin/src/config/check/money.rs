//! What is booked, and what may be spent.

use goblin_core::budget::Rule;
use goblin_dispatch::money::MoneyOptions;

use crate::config::check::Reader;

impl Reader<'_> {
    pub(super) fn money(&mut self) -> MoneyOptions {
        let baseline = self.text("money.baseline");
        if let Some(model) = baseline.as_deref().filter(|model| !model.contains('/')) {
            self.problem(
                "money.baseline",
                format!("`{model}` is no model elsewhere. Write provider/model, like `openai/gpt-5-mini`."),
            );
        }
        let mut budgets: Vec<Rule> = Vec::new();
        for text in self.list("money.budgets") {
            let same = |rule: &Rule| {
                let is = |other: &&Rule| {
                    (other.kind, &other.subject, other.period) == (rule.kind, &rule.subject, rule.period)
                };
                budgets.iter().any(|other| is(&other))
            };
            match Rule::parse(&text) {
                Ok(rule) if same(&rule) => {
                    self.problem(
                        "money.budgets",
                        format!("`{text}`: there is one for the same already."),
                    );
                }
                Ok(rule) => budgets.push(rule),
                Err(why) => self.problem("money.budgets", why),
            }
        }
        MoneyOptions {
            baseline,
            budgets: budgets.into(),
        }
    }
}
