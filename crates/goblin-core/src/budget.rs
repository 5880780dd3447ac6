//! What may be spent: budgets, whom each bounds, when it begins anew, and what is said when it is reached.
//!
//! A budget counts what was spent and what is reserved for requests under way. A request is let through when what it
//! may cost at most fits beside both; when it is over, what it cost takes the place of what was reserved for it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::{Date, OffsetDateTime, Time};
use utoipa::ToSchema;

use crate::api_key::{ApiKey, BudgetPeriod, allows_model};
use crate::clock::Timestamp;
use crate::error::ApiError;
use crate::money::{NanoUsd, dollars};

/// Most budgets of one tenant.
pub const MAX_BUDGETS: usize = 500;
/// Most bytes of what a budget is for.
pub const MAX_SUBJECT: usize = 200;
/// Most a budget may be: a billion US dollars.
pub const MAX_BUDGET: NanoUsd = 1_000_000_000_000_000_000;
/// Stands for each user, team or key, every one with a budget of its own.
pub const EACH: &str = "*";

/// Whose spending a budget bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BudgetKind {
    /// Everybody's together.
    Everybody,
    /// That of one user, or of each.
    User,
    /// That of everybody in one team together, or of each team.
    Team,
    /// That of one key of the API, or of each.
    Key,
    /// What goes to one model, or to all whose names begin alike, whoever asks.
    Model,
}

impl BudgetKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Everybody, Self::User, Self::Team, Self::Key, Self::Model];

    /// The wire and SQL form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Everybody => "everybody",
            Self::User => "user",
            Self::Team => "team",
            Self::Key => "key",
            Self::Model => "model",
        }
    }

    /// Reads [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What happens to a request for which there is no money left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnReached {
    /// It is refused, and told by which budget.
    #[default]
    Refuse,
    /// A model of the operator's machines answers, and the trace says why; refused where there is none.
    Local,
}

impl OnReached {
    /// The wire and SQL form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Local => "local",
        }
    }

    /// Reads [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Refuse, Self::Local]
            .into_iter()
            .find(|r| r.as_str() == text)
    }
}

/// A budget as it is set.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    /// Whose spending.
    pub kind: BudgetKind,
    /// The id of the user, team or key, or [`EACH`]; a model as `provider/model`, where `*` at the end stands for any rest;
    /// empty for everybody.
    pub subject: String,
    /// The most.
    pub limit: NanoUsd,
    /// In each of these.
    pub period: BudgetPeriod,
    /// What happens then.
    pub on_reached: OnReached,
}

impl Rule {
    /// Reads `KIND[:SUBJECT] USD PERIOD [ON_REACHED]`, as the configuration has it: `everybody 50 month`,
    /// `user:* 5 day local`, `model:openai/* 20 month refuse`.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (whom, usd, period, then) = match words[..] {
            [whom, usd, period] => (whom, usd, period, OnReached::Refuse.as_str()),
            [whom, usd, period, then] => (whom, usd, period, then),
            _ => {
                return Err(format!(
                    "`{text}` is no budget. Write whose, US dollars, `day` or `month`, and `refuse` or `local`, like \
                     `user:* 5 month local`."
                ));
            }
        };
        let (kind, subject) = whom.split_once(':').unwrap_or((whom, ""));
        let kind = BudgetKind::parse(kind).ok_or_else(|| {
            let kinds = BudgetKind::ALL.map(BudgetKind::as_str).join(", ");
            format!("`{kind}` in `{text}` is not whose a budget can be: {kinds}.")
        })?;
        let usd: f64 = usd
            .parse()
            .map_err(|_| format!("`{usd}` in `{text}` is no number of US dollars."))?;
        let period = BudgetPeriod::parse(period)
            .filter(|period| *period != BudgetPeriod::Total)
            .ok_or_else(|| format!("`{period}` in `{text}` must be `day` or `month`."))?;
        let on_reached = OnReached::parse(then)
            .ok_or_else(|| format!("`{then}` in `{text}` must be `refuse` or `local`."))?;
        Self::new(kind, subject, usd, period, on_reached).map_err(|(_, why)| format!("`{text}`: {why}"))
    }

    /// A budget of `usd` US dollars.
    ///
    /// # Errors
    /// The field at fault and a sentence.
    pub fn new(
        kind: BudgetKind,
        subject: &str,
        usd: f64,
        period: BudgetPeriod,
        on_reached: OnReached,
    ) -> Result<Self, (&'static str, String)> {
        let nobody = subject.is_empty();
        if (kind == BudgetKind::Everybody) != nobody {
            let why = match nobody {
                true => format!("`{}` needs whose: an id, or `{EACH}` for each.", kind.as_str()),
                false => "`everybody` is everybody: leave `subject` out.".to_owned(),
            };
            return Err(("subject", why));
        }
        if subject.len() > MAX_SUBJECT || subject.chars().any(|c| c.is_whitespace() || c.is_control()) {
            let why = format!("At most {MAX_SUBJECT} bytes, without spaces.");
            return Err(("subject", why));
        }
        if kind == BudgetKind::Model && !subject.contains('/') && !subject.ends_with('*') {
            let why = "A model is written as `provider/model`; a `*` at the end stands for any rest.";
            return Err(("subject", why.to_owned()));
        }
        // `as` saturates, and makes 0 of what is no number.
        let limit = (usd * 1e9).round() as NanoUsd;
        if !(1..=MAX_BUDGET).contains(&limit) {
            let why = "The limit must be from 0.000000001 to 1000000000 US dollars.";
            return Err(("usd", why.to_owned()));
        }
        Ok(Self {
            kind,
            subject: subject.to_owned(),
            limit,
            period,
            on_reached,
        })
    }
}

/// What one budget counts: whose, and since when.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// Whose spending.
    pub kind: BudgetKind,
    /// Of whom; never [`EACH`].
    pub subject: String,
    /// `day`, `month` or `total`.
    pub period: &'static str,
    /// The beginning of the period.
    pub since: Timestamp,
}

/// A budget that bounds a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// What it counts.
    pub scope: Scope,
    /// The most.
    pub limit: NanoUsd,
    /// When it begins anew; `None`: never.
    pub until: Option<Timestamp>,
    /// What happens then.
    pub on_reached: OnReached,
}

impl Scope {
    /// Does what goes to this model (`provider/model`) count?
    pub fn counts(&self, model: &str) -> bool {
        let one = std::slice::from_ref(&self.subject);
        self.kind != BudgetKind::Model || allows_model(one, model)
    }
}

/// Who spends.
#[derive(Clone, Copy, Debug)]
pub struct Spender<'a> {
    /// The user's id.
    pub user: &'a str,
    /// The key the request came with.
    pub key: Option<&'a ApiKey>,
    /// The ids of the user's teams.
    pub teams: &'a [String],
}

/// Every budget that bounds what `spender` asks for at `now`, a key's own included, in the one order in which they are
/// always looked at. Of two for the same, the stricter one holds.
pub fn bounds(rules: &[Rule], spender: Spender<'_>, now: Timestamp) -> Vec<Bound> {
    let mut found: Vec<Bound> = rules
        .iter()
        .flat_map(|rule| of_rule(rule, spender, now))
        .collect();
    let own = spender.key.and_then(|key| Some((key, key.budget?)));
    if let Some((key, budget)) = own {
        let rule = Rule {
            kind: BudgetKind::Key,
            subject: key.id.clone(),
            limit: u64::try_from(budget.nano_usd).unwrap_or(0),
            period: budget.period,
            on_reached: OnReached::Refuse,
        };
        found.extend(of_rule(&rule, spender, now));
    }
    found.sort_by(|a, b| a.scope.cmp(&b.scope).then(a.limit.cmp(&b.limit)));
    found.dedup_by(|later, first| later.scope == first.scope);
    found
}

fn of_rule(rule: &Rule, spender: Spender<'_>, now: Timestamp) -> Vec<Bound> {
    let meant = |id: &str| rule.subject == EACH || rule.subject == id;
    let subjects: Vec<String> = match rule.kind {
        BudgetKind::Everybody => vec![String::new()],
        BudgetKind::Model => vec![rule.subject.clone()],
        BudgetKind::User => meant(spender.user)
            .then(|| spender.user.to_owned())
            .into_iter()
            .collect(),
        BudgetKind::Team => spender.teams.iter().filter(|team| meant(team)).cloned().collect(),
        BudgetKind::Key => {
            let key = spender.key.filter(|key| meant(&key.id) || meant(&key.public_id));
            key.map(|key| key.id.clone()).into_iter().collect()
        }
    };
    let bound = |subject| Bound {
        scope: Scope {
            kind: rule.kind,
            subject,
            period: rule.period.as_str(),
            since: begins(rule.period, now),
        },
        limit: rule.limit,
        until: begins_anew(rule.period, now),
        on_reached: rule.on_reached,
    };
    subjects.into_iter().map(bound).collect()
}

fn day_of(now: Timestamp) -> Date {
    let at = OffsetDateTime::from_unix_timestamp(now.unix_seconds());
    at.unwrap_or(OffsetDateTime::UNIX_EPOCH).date()
}

fn midnight(day: Date) -> Timestamp {
    Timestamp(day.with_time(Time::MIDNIGHT).assume_utc().unix_timestamp() * 1000)
}

/// The beginning of the period `now` is in, UTC; of what never begins anew, the beginning of time.
pub fn begins(period: BudgetPeriod, now: Timestamp) -> Timestamp {
    let day = day_of(now);
    match period {
        BudgetPeriod::Day => midnight(day),
        BudgetPeriod::Month => midnight(day.replace_day(1).unwrap_or(day)),
        BudgetPeriod::Total => Timestamp(0),
    }
}

/// The beginning of the next one.
pub fn begins_anew(period: BudgetPeriod, now: Timestamp) -> Option<Timestamp> {
    let day = day_of(now);
    let next = match period {
        BudgetPeriod::Day => day.next_day()?,
        BudgetPeriod::Month => {
            let last = day.month().length(day.year());
            day.replace_day(last).ok()?.next_day()?
        }
        BudgetPeriod::Total => return None,
    };
    Some(midnight(next))
}

/// A request for which a budget has no room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// Which.
    pub bound: Bound,
    /// What was spent of it.
    pub spent: NanoUsd,
    /// What is reserved for other requests under way.
    pub reserved: NanoUsd,
    /// The most this request may cost.
    pub needed: NanoUsd,
}

impl Reached {
    /// Is there nothing left of it, whatever is asked?
    pub fn is_used_up(&self) -> bool {
        self.spent >= self.bound.limit
    }

    /// The budget, in words: whose, how much, how often.
    pub fn name(&self) -> String {
        let scope = &self.bound.scope;
        let whose = match scope.kind {
            BudgetKind::Everybody => "this server".to_owned(),
            BudgetKind::User => "this user".to_owned(),
            BudgetKind::Team => "this team".to_owned(),
            BudgetKind::Key => "this key".to_owned(),
            BudgetKind::Model => format!("`{}`", scope.subject),
        };
        let often = match scope.period {
            "day" => " a day",
            "month" => " a month",
            _ => " in all",
        };
        format!("the budget of {whose}, {} USD{often}", dollars(self.bound.limit))
    }

    /// The same as a public error: 429 `insufficient_quota`.
    pub fn error(&self, now: Timestamp) -> ApiError {
        let name = self.name();
        let mut name = name.chars();
        let name: String = name
            .next()
            .into_iter()
            .flat_map(char::to_uppercase)
            .chain(name)
            .collect();
        let anew = match self.bound.until {
            Some(at) => format!("It begins anew at {}.", at.to_rfc3339()),
            None => "It does not begin anew; whoever set it can raise it.".to_owned(),
        };
        let left = self.bound.limit.saturating_sub(self.spent);
        let why = match (self.is_used_up(), self.reserved) {
            (true, _) => "is used up.".to_owned(),
            (false, 0) => format!(
                "has {} USD left, and this could cost up to {} USD. Allow fewer tokens with `max_tokens`, or ask a \
                 cheaper model.",
                dollars(left),
                dollars(self.needed)
            ),
            (false, reserved) => format!(
                "has {} USD left, of which up to {} USD are reserved for requests under way, and this could cost up to \
                 {} USD. Try again soon, or allow fewer tokens with `max_tokens`.",
                dollars(left),
                dollars(reserved),
                dollars(self.needed)
            ),
        };
        let wait = match self.is_used_up() {
            true => self.bound.until.map(|at| Duration::from_millis(at.ms_since(now))),
            false => (self.reserved > 0).then_some(Duration::from_secs(5)),
        };
        ApiError::insufficient_quota(format!("{name}, {why} {anew}"), wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api_key::Budget;
    use crate::error::ErrorCode;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    fn key() -> ApiKey {
        ApiKey {
            id: "k1".into(),
            public_id: "abcdefgh".into(),
            name: "n".into(),
            user: "u1".into(),
            scopes: Vec::new(),
            models: None,
            networks: None,
            budget: None,
            requests_per_minute: None,
            concurrent: None,
            created_at: Timestamp(0),
            expires_at: None,
            last_used_at: None,
            revoked_at: None,
        }
    }

    fn rules(texts: &[&str]) -> Vec<Rule> {
        texts.iter().map(|text| Rule::parse(text).unwrap()).collect()
    }

    #[test]
    fn periods_begin_at_midnight_utc_and_months_have_their_own_lengths() {
        use BudgetPeriod::{Day, Month, Total};
        for (now, day, next_day, month, next_month) in [
            (
                "2026-02-28T23:59:59.999Z",
                "02-28",
                "2026-03-01",
                "02-01",
                "2026-03-01",
            ),
            (
                "2026-12-31T00:00:00Z",
                "12-31",
                "2027-01-01",
                "12-01",
                "2027-01-01",
            ),
        ] {
            let now = at(now);
            let whole = |day: &str| at(&format!("{day}T00:00:00Z"));
            assert_eq!(begins(Day, now), whole(&format!("2026-{day}")));
            assert_eq!(begins_anew(Day, now), Some(whole(next_day)));
            assert_eq!(begins(Month, now), whole(&format!("2026-{month}")));
            assert_eq!(begins_anew(Month, now), Some(whole(next_month)));
            assert_eq!(
                (begins(Total, now), begins_anew(Total, now)),
                (Timestamp(0), None)
            );
        }
    }

    #[test]
    fn a_budget_is_read_as_the_configuration_has_it_and_refused_with_the_word_at_fault() {
        let rule = Rule::parse("user:* 5 month local").unwrap();
        let expected = Rule {
            kind: BudgetKind::User,
            subject: EACH.to_owned(),
            limit: 5_000_000_000,
            period: BudgetPeriod::Month,
            on_reached: OnReached::Local,
        };
        assert_eq!(rule, expected);
        assert_eq!(
            Rule::parse("everybody 0.5 day").unwrap().on_reached,
            OnReached::Refuse
        );
        for (text, word) in [
            ("everybody", "is no budget"),
            ("nobody 5 day", "`nobody`"),
            ("user 5 day", "needs whose"),
            ("everybody:x 5 day", "leave `subject` out"),
            ("user:* five day", "`five`"),
            ("user:* NaN day", "must be from"),
            ("user:* -1 day", "must be from"),
            ("user:* 5 total", "`total`"),
            ("user:* 5 day stop", "`stop`"),
            ("model:gpt 5 day", "provider/model"),
        ] {
            let why = Rule::parse(text).unwrap_err();
            assert!(why.contains(word), "{text}: {why}");
        }
    }

    #[test]
    fn whoever_is_meant_is_bound_and_of_two_budgets_for_the_same_the_stricter_holds() {
        let now = at("2026-11-27T12:00:00Z");
        let rules = rules(&[
            "everybody 100 month",
            "user:* 5 month",
            "user:u1 3 month",
            "user:u2 1 month",
            "team:* 50 day",
            "team:t2 20 day",
            "key:abcdefgh 2 day",
            "model:openai/* 10 month local",
        ]);
        let (key, teams) = (
            ApiKey {
                budget: Some(Budget {
                    nano_usd: 7,
                    period: BudgetPeriod::Total,
                }),
                ..key()
            },
            ["t1".to_owned(), "t2".to_owned()],
        );
        let spender = Spender {
            user: "u1",
            key: Some(&key),
            teams: &teams,
        };
        let found: Vec<(BudgetKind, String, NanoUsd)> = bounds(&rules, spender, now)
            .into_iter()
            .map(|bound| (bound.scope.kind, bound.scope.subject, bound.limit))
            .collect();
        let usd = 1_000_000_000;
        let expected = [
            (BudgetKind::Everybody, "", 100 * usd),
            (BudgetKind::User, "u1", 3 * usd),
            (BudgetKind::Team, "t1", 50 * usd),
            (BudgetKind::Team, "t2", 20 * usd),
            (BudgetKind::Key, "k1", 2 * usd),
            (BudgetKind::Key, "k1", 7),
            (BudgetKind::Model, "openai/*", 10 * usd),
        ];
        let expected = expected.map(|(kind, subject, limit)| (kind, subject.to_owned(), limit));
        assert_eq!(found, expected);
        let nobody = Spender {
            user: "u9",
            key: None,
            teams: &[],
        };
        assert_eq!(bounds(&rules[2..4], nobody, now), Vec::new());
    }

    #[test]
    fn a_models_budget_counts_what_goes_to_it_and_the_others_everything() {
        let now = at("2026-11-27T12:00:00Z");
        let spender = Spender {
            user: "u1",
            key: None,
            teams: &[],
        };
        let found = bounds(&rules(&["everybody 1 day", "model:openai/* 1 day"]), spender, now);
        let counted = |model: &str| {
            found
                .iter()
                .map(|bound| bound.scope.counts(model))
                .collect::<Vec<_>>()
        };
        assert_eq!(counted("openai/gpt"), [true, true]);
        assert_eq!(counted("grok/x"), [true, false]);
    }

    #[test]
    fn who_is_refused_is_told_which_budget_its_limit_and_when_it_begins_anew() {
        let now = at("2026-11-27T12:00:00Z");
        let spender = Spender {
            user: "u1",
            key: None,
            teams: &[],
        };
        let bound = bounds(&rules(&["user:* 2.5 day"]), spender, now).remove(0);
        let mut reached = Reached {
            bound,
            spent: 2_500_000_000,
            reserved: 0,
            needed: 10,
        };
        let error = reached.error(now);
        assert_eq!(error.code, ErrorCode::InsufficientQuota);
        assert_eq!(
            error.message,
            "The budget of this user, 2.50 USD a day, is used up. It begins anew at 2026-11-28T00:00:00Z."
        );
        assert_eq!(error.retry_after_seconds(), Some(12 * 3600));
        reached.spent = 2_000_000_000;
        let error = reached.error(now);
        assert!(error.message.contains("has 0.50 USD left") && error.message.contains("0.00000001 USD"));
        assert_eq!(error.retry_after, None);
        reached.reserved = 400_000_000;
        assert!(reached.error(now).message.contains("0.40 USD are reserved"));
    }
}
