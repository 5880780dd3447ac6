//! Which rung comes next, and what it may cost.

use super::cascade::Cascade;
use super::{Failure, Price, Rung};
use crate::event::Usage;

const TOO_LATE: &str = "it would not begin before the deadline";

/// What is spent, in US dollars.
pub(super) fn cost(rung: &Rung, usage: Option<Usage>, tokens: u32) -> f64 {
    let Price {
        input_usd,
        output_usd,
    } = price(rung).unwrap_or_default();
    let (prompt, answer) = match usage {
        Some(usage) => (usage.prompt_tokens, usage.completion_tokens),
        None => (rung.prompt_tokens, tokens),
    };
    f64::from(prompt) * input_usd + f64::from(answer) * output_usd
}

/// What a rung's answer cost in US dollars; nothing when it has no price.
pub fn cost_usd(rung: &Rung, usage: Usage) -> Option<f64> {
    price(rung).map(|_| cost(rung, Some(usage), 0))
}

fn price(rung: &Rung) -> Option<Price> {
    if rung.local {
        return Some(Price::default());
    }
    let usable = |usd: f64| usd.is_finite() && usd >= 0.0;
    rung.price.filter(|p| usable(p.input_usd) && usable(p.output_usd))
}

impl Cascade {
    /// Tokens of an answer there is money for: `Ok(None)` without a limit; an error when there is not enough for one,
    /// or for the answer that is expected.
    fn affordable(&self, rung: &Rung) -> Result<Option<u32>, &'static str> {
        let Some(most) = self.settings.max_cost_usd else {
            return Ok(None);
        };
        let price = price(rung).ok_or("it has no price, and the answer has a limit of cost")?;
        let left = most - self.spent_usd - f64::from(rung.prompt_tokens) * price.input_usd;
        let expected = f64::from(rung.answer_tokens.max(1)) * price.output_usd;
        if left < expected {
            return Err("it would cost more than the answer may");
        }
        if price.output_usd == 0.0 {
            return Ok(None);
        }
        let tokens = (left / price.output_usd).floor();
        Ok(Some(if tokens >= f64::from(u32::MAX) {
            u32::MAX
        } else {
            tokens as u32
        }))
    }

    /// May this rung be asked now? The tokens there is money for, or why not.
    fn admits(&self, index: usize, rung: &Rung) -> Result<Option<u32>, &'static str> {
        if self.tried.contains(&index) {
            return Err("it was asked already");
        }
        if self.local_only && !rung.local {
            return Err("it is not on this operator's machines");
        }
        if self.steps >= self.settings.max_steps {
            return Err("no more models may be asked");
        }
        let arrives = self
            .now_ms
            .saturating_add(rung.first_token_ms.unwrap_or_default());
        if self.deadline_at().is_some_and(|deadline| arrives >= deadline) {
            return Err(TOO_LATE);
        }
        self.affordable(rung)
    }

    fn open(&self) -> impl Iterator<Item = (usize, &Rung, Option<u32>)> {
        let all = self.rungs.iter().enumerate();
        all.filter_map(|(i, rung)| Some((i, rung, self.admits(i, rung).ok()?)))
    }

    /// How many rungs may still be asked.
    pub fn ready(&self) -> usize {
        self.open().count()
    }

    /// The first rung in the ladder's order that may be asked.
    pub(super) fn any_next(&self) -> Option<(usize, Option<u32>)> {
        self.open().next().map(|(i, _, tokens)| (i, tokens))
    }

    /// The rung that gains most for its cost over the one at `from`: local ones first, in the ladder's order; of the
    /// others the one with the most quality gained for a dollar, those without quality or price last.
    pub(super) fn better_than(&self, from: usize) -> Option<(usize, Option<u32>)> {
        let from = self.rungs.get(from)?;
        let gain = |rung: &Rung| Some(rung.quality? - from.quality?);
        let better = || {
            self.open().filter(|(_, rung, _)| {
                let other = rung.model != from.model || rung.model.is_empty();
                other && !rung.spare && gain(rung).is_none_or(|gain| gain > 0.0)
            })
        };
        if let Some((i, _, tokens)) = better().find(|(_, rung, _)| rung.local) {
            return Some((i, tokens));
        }
        let worth = |rung: &Rung| {
            let priced = price(rung).is_some();
            let usd = cost(rung, None, rung.answer_tokens.max(1)).max(f64::MIN_POSITIVE);
            gain(rung)
                .filter(|_| priced)
                .map_or(f64::NEG_INFINITY, |gain| gain / usd)
        };
        let best = better().reduce(|best, next| {
            let more = worth(next.1) > worth(best.1);
            if more { next } else { best }
        });
        best.map(|(i, _, tokens)| (i, tokens))
    }

    /// Why nobody can be asked.
    pub(super) fn why_no_rung(&self) -> Failure {
        let late = |(i, rung): (usize, &Rung)| self.admits(i, rung) == Err(TOO_LATE);
        if self.rungs.iter().enumerate().any(late) {
            Failure::Deadline
        } else {
            Failure::NoRung
        }
    }

    /// A sentence for each rung that is ruled out from the beginning.
    pub(super) fn ruled_out(&self) -> Vec<String> {
        let all = self.rungs.iter().enumerate();
        all.filter_map(|(i, rung)| {
            let why = self.admits(i, rung).err()?;
            Some(format!("`{}` was left out: {why}.", rung.id))
        })
        .collect()
    }
}
