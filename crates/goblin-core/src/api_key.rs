//! Keys of the API: what programs call `/v1` with, in place of somebody who signs in.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::Timestamp;

/// Most keys of one user that are good, so that one who makes them in a loop is stopped.
pub const MAX_KEYS_OF_USER: u32 = 100;
/// Most characters of a key's name.
pub const MAX_KEY_NAME: usize = 100;
/// Most models, and most networks, a key may be bound to.
pub const MAX_KEY_BOUNDS: usize = 50;

/// How often a budget begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BudgetPeriod {
    /// Every day, UTC.
    Day,
    /// Every calendar month, UTC.
    Month,
    /// Never.
    Total,
}

impl BudgetPeriod {
    /// Every period.
    pub const ALL: [Self; 3] = [Self::Day, Self::Month, Self::Total];

    /// The wire and SQL form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::Total => "total",
        }
    }

    /// Reads [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.as_str() == text)
    }
}

/// What a key may spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Budget {
    /// In USD, exact to 10^-9.
    #[serde(rename = "usd", with = "nano")]
    #[schema(value_type = f64)]
    pub nano_usd: i64,
    /// How often it begins anew.
    pub period: BudgetPeriod,
}

/// Money as a number of USD on the wire, as whole nano-USD inside.
mod nano {
    use serde::{Deserialize, Deserializer, Serializer};

    #[allow(
        clippy::cast_precision_loss,
        reason = "budgets are far below 2^53 nano-USD times 1000"
    )]
    pub(super) fn serialize<S: Serializer>(nano: &i64, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_f64(*nano as f64 / 1e9)
    }

    #[allow(clippy::cast_possible_truncation, reason = "saturates")]
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<i64, D::Error> {
        Ok((f64::deserialize(d)? * 1e9).round() as i64)
    }
}

/// A key of the API as its owner and admins see it: never the key itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApiKey {
    /// Names its row.
    pub id: String,
    /// The part of the key that names it in public: the eight characters after `gbl_live_`.
    pub public_id: String,
    /// Who or what uses it.
    pub name: String,
    /// The id of the user it acts for.
    pub user: String,
    /// What it may do: `infer` (ask models), `embed` (vectors), `read` (lists and states, part of the others).
    pub scopes: Vec<String>,
    /// Models it may ask, by the names requests give; a `*` at the end stands for any rest. Null: every model.
    pub models: Option<Vec<String>>,
    /// Addresses and networks it may be used from; null: anywhere.
    pub networks: Option<Vec<String>>,
    /// What it may spend; null: no bound of its own.
    pub budget: Option<Budget>,
    /// Most requests in any minute; null: what holds for everybody.
    pub requests_per_minute: Option<u32>,
    /// Most requests at once, streams included; null: what holds for everybody.
    pub concurrent: Option<u32>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it ends; null: never.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to about a minute; null: never.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<Timestamp>,
    /// When it was taken back; null while it is good.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<Timestamp>,
}

impl ApiKey {
    /// Is it taken back or over at `now`?
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.revoked_at.is_some() || self.expires_at.is_some_and(|end| end <= now)
    }
}

/// Is `model`, as a request names it, one of `allowed`? A `*` at the end of an allowed name stands for any rest.
pub fn allows_model(allowed: &[String], model: &str) -> bool {
    allowed.iter().any(|one| match one.strip_suffix('*') {
        Some(beginning) => model.starts_with(beginning),
        None => one == model,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_at_the_end_stands_for_any_rest_and_elsewhere_for_itself() {
        let allowed = ["goblin/fast", "ollama/*", "a*b"].map(str::to_owned);
        for (model, is_allowed) in [
            ("goblin/fast", true),
            ("goblin/fast2", false),
            ("goblin", false),
            ("ollama/mistral:7b", true),
            ("ollama", false),
            ("a*b", true),
            ("axb", false),
            ("", false),
        ] {
            assert_eq!(allows_model(&allowed, model), is_allowed, "{model}");
        }
        assert!(!allows_model(&[], "goblin"));
    }

    #[test]
    fn money_keeps_its_last_digit_on_the_wire() {
        for nano_usd in [1, 999_999_999, 2_500_000_000, 1_000_000_000_000_001] {
            let budget = Budget {
                nano_usd,
                period: BudgetPeriod::Month,
            };
            let text = serde_json::to_string(&budget).unwrap();
            assert_eq!(serde_json::from_str::<Budget>(&text).unwrap(), budget, "{text}");
        }
        for period in BudgetPeriod::ALL {
            assert_eq!(BudgetPeriod::parse(period.as_str()), Some(period));
        }
    }
}
