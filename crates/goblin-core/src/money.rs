//! What an answer costs, in whole nano-dollars: every request to a model that was made for it, added up. What is
//! not known stays unknown and is never zero.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::event::{Parsed, Usage};
use crate::policy::Policy;
use crate::trust::window::likely_tokens;

/// Whole nano-dollars: 10^-9 US dollars.
pub type NanoUsd = u64;

/// Tokens of an answer whose model names no limit, when the most it may cost is reckoned.
const UNKNOWN_LIMIT: u32 = 16_384;

/// By what usage is added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UsageBy {
    /// The day (UTC).
    Day,
    /// The model that answered.
    Model,
    /// The key of the API.
    Key,
    /// The user.
    User,
}

impl UsageBy {
    /// Every way.
    pub const ALL: [Self; 4] = [Self::Day, Self::Model, Self::Key, Self::User];

    /// The wire form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Model => "model",
            Self::Key => "key",
            Self::User => "user",
        }
    }

    /// Reads [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.as_str() == text)
    }
}

/// What was used by one model, key or user, or on one day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageGroup {
    /// The day (`2026-11-27`), `provider/model`, or the id of the key or user; empty: none.
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
    /// What those requests cost whose cost is known.
    pub cost: NanoUsd,
    /// Requests whose cost is not known.
    pub unknown: u64,
    /// Requests with a part that is an estimate.
    pub estimated: u64,
    /// Requests answered on the operator's machines.
    pub local: u64,
    /// What those would have cost at the baseline, as far as that has a price.
    pub would_have_cost: NanoUsd,
}

/// What a request to a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It answers.
    Answer,
    /// It judges an answer: paid for, but none of the answer's tokens.
    Verdict,
}

/// A request to a model that is about to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking {
    /// `provider/model`.
    pub model: String,
    /// Does it run on the operator's machines? Then it costs nothing.
    pub local: bool,
    /// What it is for.
    pub purpose: Purpose,
    /// Tokens its prompt likely has.
    pub prompt: u32,
    /// More tokens than its prompt can have.
    pub most_prompt: u32,
    /// Most tokens it may answer, where the request or the model says so.
    pub most_answer: Option<u32>,
    /// How many answers are asked for.
    pub answers: u32,
}

/// How a request to a model stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    /// It was sent; what it used so far is an estimate.
    Open,
    /// Its server counted.
    Counted,
    /// Its server failed before it said anything. No provider bills that.
    Void,
}

/// One request to a model, and what it used.
#[derive(Clone, Debug, PartialEq)]
struct Call {
    asking: Asking,
    used: Usage,
    stand: Stand,
}

/// Everything one answer used, request by request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    calls: Vec<Call>,
}

/// What an answer comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bill {
    /// Tokens of all models that answered, judges apart.
    pub tokens: Usage,
    /// What all of it cost, judges included; `None`: a model without a price was asked.
    pub cost: Option<NanoUsd>,
    /// Is a part of it not counted by its model's server: an answer that was cut, or a server that never counts?
    pub estimated: bool,
    /// What an answer of the operator's machines would have cost at the baseline; `None` for others, and without a price.
    pub would_have_cost: Option<NanoUsd>,
}

impl Ledger {
    /// A model is about to be asked. Gives the number of the request.
    pub fn ask(&mut self, asking: Asking) -> usize {
        let used = Usage {
            prompt_tokens: asking.prompt,
            ..Usage::default()
        };
        self.calls.push(Call {
            asking,
            used,
            stand: Stand::Open,
        });
        self.calls.len() - 1
    }

    /// An event of its answer. Text counts by its length until the server's own count comes.
    pub fn said(&mut self, call: usize, parsed: &Parsed) {
        let Some(call) = self.calls.get_mut(call) else {
            return;
        };
        if let Parsed::Usage(usage) = parsed {
            call.used = *usage;
            call.stand = Stand::Counted;
            return;
        }
        if call.stand != Stand::Open {
            return;
        }
        let (tokens, thought) = match parsed {
            Parsed::Text { text, logprobs } if logprobs.is_empty() => (likely_tokens(text), 0),
            Parsed::Text { logprobs, .. } => (u32::try_from(logprobs.len()).unwrap_or(u32::MAX), 0),
            Parsed::Reasoning { text } => (likely_tokens(text), likely_tokens(text)),
            Parsed::ToolCall { arguments, .. } => (likely_tokens(arguments).max(1), 0),
            _ => return,
        };
        call.used.completion_tokens = call.used.completion_tokens.saturating_add(tokens);
        call.used.reasoning_tokens = call.used.reasoning_tokens.saturating_add(thought);
    }

    /// Its server counted this.
    pub fn counted(&mut self, call: usize, usage: Usage) {
        self.said(call, &Parsed::Usage(usage));
    }

    /// Its server failed. What it had said by then is billed; nothing said is nothing billed.
    pub fn failed(&mut self, call: usize) {
        if let Some(call) = self.calls.get_mut(call)
            && call.stand == Stand::Open
            && call.used.completion_tokens == 0
        {
            call.stand = Stand::Void;
        }
    }

    /// What one request used so far, and what it cost; `None`: its model has no price.
    pub fn came_to(&self, call: usize, policy: &Policy) -> (Usage, Option<NanoUsd>) {
        let Some(Call { asking, used, stand }) = self.calls.get(call) else {
            return (Usage::default(), Some(0));
        };
        match stand {
            Stand::Void => (Usage::default(), Some(0)),
            _ => (*used, policy.nano_cost(&asking.model, asking.local, used)),
        }
    }

    /// Was anything asked that costs money?
    pub fn is_paid(&self) -> bool {
        self.billed().any(|call| !call.asking.local)
    }

    /// How often a model was asked to answer.
    pub fn times_asked(&self, model: &str) -> usize {
        let is_it = |call: &&Call| call.asking.purpose == Purpose::Answer && call.asking.model == model;
        self.calls.iter().filter(is_it).count()
    }

    /// The model that was asked last to answer, and whether it is local.
    pub fn last_asked(&self) -> Option<(&str, bool)> {
        let answers = |call: &&Call| call.asking.purpose == Purpose::Answer;
        let last = self.calls.iter().rev().find(answers)?;
        Some((&last.asking.model, last.asking.local))
    }

    fn billed(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(|call| call.stand != Stand::Void)
    }

    /// What the requests to models that `of` says yes to cost so far; `None`: one of them has no price.
    pub fn cost(&self, policy: &Policy, of: impl Fn(&str) -> bool) -> Option<NanoUsd> {
        let mine = self.billed().filter(|call| of(&call.asking.model));
        let each = mine.map(|call| policy.nano_cost(&call.asking.model, call.asking.local, &call.used));
        each.sum()
    }

    /// The most they may come to: what was counted by its count, what is open by what it may still become.
    pub fn most(&self, policy: &Policy, of: impl Fn(&str) -> bool) -> Option<NanoUsd> {
        let mine = self.billed().filter(|call| of(&call.asking.model));
        mine.map(|call| call.most(policy)).sum()
    }

    /// All of it together. `delivered`: the model whose answer it is; `None`: the last one's. `baseline`: the model at
    /// whose price local answers are held. Both `provider/model`.
    pub fn bill(&self, policy: &Policy, delivered: Option<&str>, baseline: Option<&str>) -> Bill {
        let answers = || {
            self.billed()
                .filter(|call| call.asking.purpose == Purpose::Answer)
        };
        let tokens = answers().fold(Usage::default(), |sum, call| Usage {
            prompt_tokens: sum.prompt_tokens.saturating_add(call.used.prompt_tokens),
            completion_tokens: sum.completion_tokens.saturating_add(call.used.completion_tokens),
            cached_tokens: sum.cached_tokens.saturating_add(call.used.cached_tokens),
            reasoning_tokens: sum.reasoning_tokens.saturating_add(call.used.reasoning_tokens),
        });
        let is_it = |call: &&Call| delivered.is_none_or(|model| call.asking.model == model);
        // The baseline would have been asked once, whoever else was asked before.
        let local = answers().filter(is_it).last().filter(|call| call.asking.local);
        let would_have_cost = local.zip(baseline).and_then(|(call, baseline)| {
            let used = Usage {
                cached_tokens: 0,
                ..call.used
            };
            policy.nano_cost(baseline, false, &used)
        });
        Bill {
            tokens,
            cost: self.cost(policy, |_| true),
            estimated: self.billed().any(|call| call.stand == Stand::Open),
            would_have_cost,
        }
    }
}

impl Call {
    fn most(&self, policy: &Policy) -> Option<NanoUsd> {
        let Asking { model, local, .. } = &self.asking;
        if self.stand == Stand::Counted || *local {
            return policy.nano_cost(model, *local, &self.used);
        }
        let listed = policy.catalogue.find_id(model).and_then(|entry| entry.answer);
        let answer = self.asking.most_answer.or(listed).unwrap_or(UNKNOWN_LIMIT);
        let answer = answer.saturating_mul(self.asking.answers.max(1));
        let all = Usage {
            prompt_tokens: self.asking.most_prompt.max(self.used.prompt_tokens),
            completion_tokens: answer.max(self.used.completion_tokens),
            ..Usage::default()
        };
        // Whichever is dearer, an answer or thinking; and a longer prompt may have a price of its own.
        let thought = Usage {
            reasoning_tokens: all.completion_tokens,
            ..all
        };
        let plain = policy.nano_cost(model, false, &all)?;
        Some(plain.max(policy.nano_cost(model, false, &thought)?))
    }
}

/// US dollars as people read them: `2.50`, or as many digits as it takes.
pub fn dollars(nano: NanoUsd) -> String {
    let (whole, rest) = (nano / 1_000_000_000, nano % 1_000_000_000);
    let digits = format!("{rest:09}");
    let digits = digits.trim_end_matches('0');
    format!("{whole}.{digits:0<2}")
}

/// Nano-dollars as US dollars, for the wire.
#[allow(
    clippy::cast_precision_loss,
    reason = "exact to the nano-dollar up to nine million dollars"
)]
pub fn usd(nano: NanoUsd) -> f64 {
    nano as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Price;

    fn policy() -> Policy {
        let price = |model: &str, input, output| Price {
            model: model.to_owned(),
            input,
            output,
        };
        Policy {
            prices: vec![price("up/m", 1.0, 2.0), price("up/dear", 10.0, 30.0)],
            ..Policy::default()
        }
    }

    fn asking(model: &str, local: bool) -> Asking {
        Asking {
            model: model.to_owned(),
            local,
            purpose: Purpose::Answer,
            prompt: 10,
            most_prompt: 40,
            most_answer: Some(100),
            answers: 1,
        }
    }

    fn text(text: &str) -> Parsed {
        Parsed::Text {
            text: text.to_owned(),
            logprobs: Vec::new(),
        }
    }

    fn used(prompt: u32, completion: u32) -> Usage {
        Usage {
            prompt_tokens: prompt,
            completion_tokens: completion,
            ..Usage::default()
        }
    }

    #[test]
    fn what_was_counted_is_billed_and_what_was_cut_is_estimated_and_says_so() {
        let mut ledger = Ledger::default();
        let call = ledger.ask(asking("up/m", false));
        ledger.said(call, &text("one"));
        ledger.said(call, &text(" two"));
        let cut = ledger.bill(&policy(), None, None);
        assert!(cut.estimated);
        assert_eq!((cut.tokens, cut.cost), (used(10, 2), Some(14_000)));
        ledger.counted(call, used(7, 5));
        ledger.said(call, &text(" late"));
        let whole = ledger.bill(&policy(), None, None);
        assert!(!whole.estimated);
        assert_eq!((whole.tokens, whole.cost), (used(7, 5), Some(17_000)));
    }

    #[test]
    fn an_unknown_price_makes_the_whole_unknown_and_never_zero() {
        let mut ledger = Ledger::default();
        let local = ledger.ask(asking("engine/m", true));
        ledger.counted(local, used(1, 1));
        assert_eq!(ledger.bill(&policy(), None, None).cost, Some(0));
        ledger.ask(asking("up/unknown", false));
        assert_eq!(ledger.bill(&policy(), None, None).cost, None);
        assert_eq!(ledger.most(&policy(), |model| model == "engine/m"), Some(0));
    }

    #[test]
    fn who_failed_before_a_word_is_not_billed_and_who_broke_off_is() {
        let mut ledger = Ledger::default();
        let silent = ledger.ask(asking("up/dear", false));
        ledger.failed(silent);
        let broke = ledger.ask(asking("up/m", false));
        ledger.said(broke, &text("a"));
        ledger.failed(broke);
        let bill = ledger.bill(&policy(), None, None);
        assert_eq!((bill.cost, bill.estimated), (Some(12_000), true));
        assert_eq!(ledger.last_asked(), Some(("up/m", false)));
    }

    #[test]
    fn judges_are_paid_and_their_tokens_are_none_of_the_answers() {
        let mut ledger = Ledger::default();
        let answer = ledger.ask(asking("engine/m", true));
        ledger.counted(answer, used(20, 4));
        let judge = ledger.ask(Asking {
            purpose: Purpose::Verdict,
            ..asking("up/m", false)
        });
        ledger.counted(judge, used(100, 1));
        let bill = ledger.bill(&policy(), None, Some("up/dear"));
        assert_eq!((bill.tokens, bill.cost), (used(20, 4), Some(102_000)));
        assert_eq!(bill.would_have_cost, Some(20 * 10_000 + 4 * 30_000));
        assert_eq!(
            ledger.bill(&policy(), None, Some("up/unknown")).would_have_cost,
            None
        );
    }

    #[test]
    fn only_local_answers_would_have_cost_something_else() {
        let mut ledger = Ledger::default();
        let first = ledger.ask(asking("engine/m", true));
        ledger.counted(first, used(20, 4));
        let better = ledger.ask(asking("up/m", false));
        ledger.counted(better, used(20, 4));
        assert_eq!(
            ledger.bill(&policy(), None, Some("up/dear")).would_have_cost,
            None
        );
        let kept = ledger.bill(&policy(), Some("engine/m"), Some("up/dear"));
        assert_eq!(kept.would_have_cost, Some(20 * 10_000 + 4 * 30_000));
    }

    #[test]
    fn the_most_is_never_less_than_what_it_comes_to() {
        let policy = policy();
        let mut ledger = Ledger::default();
        let call = ledger.ask(asking("up/m", false));
        assert_eq!(ledger.most(&policy, |_| true), Some(40_000 + 200_000));
        ledger.counted(call, used(40, 100));
        assert_eq!(ledger.most(&policy, |_| true), ledger.cost(&policy, |_| true));
        let several = ledger.ask(Asking {
            answers: 3,
            most_answer: None,
            ..asking("up/dear", false)
        });
        let of_it = ledger.most(&policy, |model| model == "up/dear").unwrap();
        assert_eq!(of_it, 40 * 10_000 + 3 * u64::from(UNKNOWN_LIMIT) * 30_000);
        ledger.failed(several);
        assert_eq!(ledger.most(&policy, |model| model == "up/dear"), Some(0));
    }

    #[test]
    fn money_is_written_with_two_digits_or_as_many_as_it_takes() {
        for (nano, text) in [
            (0, "0.00"),
            (2_500_000_000, "2.50"),
            (1, "0.000000001"),
            (1_000_000_000_000, "1000.00"),
            (123_400_000, "0.1234"),
        ] {
            assert_eq!(dollars(nano), text);
        }
    }
}
