//! From a judge's probabilities to verdicts.

use super::questions::{Asked, Planned};
use super::{Judge, LEAST_MASS};
use crate::decide::{DecideCost, DecideMethod, DecideResponse, Decision};
use crate::trace::{Authority, Verdict};

/// What one question's answer says.
#[derive(Default)]
struct Reading {
    probability: Option<f64>,
    choice: Option<String>,
    mass: f64,
    failed: Option<String>,
}

impl Asked {
    /// The verdicts in `response`, which took `ms` milliseconds: one for each question, in order. What the request cost
    /// stands in the first.
    ///
    /// A word a model was made to write is no probability: such a verdict tells its choice and does not act.
    pub fn verdicts(&self, judge: &Judge, response: &DecideResponse, ms: u64) -> Vec<Verdict> {
        let mut decisions = response.decisions.iter();
        let mut cost = response.cost;
        let verdict = |planned: &Planned| {
            let asked: Vec<&Decision> = decisions.by_ref().take(planned.askings).collect();
            let reading = read(planned, &asked, response.method);
            let verdict = self.verdict(judge, planned, reading, response.method, ms, cost);
            cost = DecideCost::default();
            verdict
        };
        self.plan.iter().map(verdict).collect()
    }

    /// The verdicts that are not there because asking failed: `why` is a sentence for operators.
    pub fn failed(&self, judge: &Judge, why: &str, ms: u64) -> Vec<Verdict> {
        let verdict = |planned: &Planned| {
            let reading = Reading {
                failed: Some(why.to_owned()),
                ..Reading::default()
            };
            let method = DecideMethod::default();
            self.verdict(judge, planned, reading, method, ms, DecideCost::default())
        };
        self.plan.iter().map(verdict).collect()
    }

    fn verdict(
        &self,
        judge: &Judge,
        planned: &Planned,
        reading: Reading,
        backend: DecideMethod,
        ms: u64,
        cost: DecideCost,
    ) -> Verdict {
        let authority = match backend {
            DecideMethod::Constrained => Authority::None,
            DecideMethod::Native | DecideMethod::Readout => judge.authority(planned.set),
        };
        Verdict {
            concern: planned.set.concern(),
            about: self.about,
            question: planned.id.clone(),
            choice: reading.choice,
            probability: reading.probability,
            mass: reading.mass,
            model: judge.model.clone(),
            backend,
            authority,
            self_judged: judge.self_judged,
            question_hash: planned.hash.clone(),
            ms,
            cached_tokens: cost.shared_cached,
            evaluated_tokens: cost.shared_evaluated,
            question_tokens: cost.question_tokens,
            failed: reading.failed,
        }
    }
}

/// The mean of several askings. Options are told apart by their names, whatever their order.
fn read(planned: &Planned, asked: &[&Decision], method: DecideMethod) -> Reading {
    let no_verdict = |mass: f64, why: String| Reading {
        mass,
        failed: Some(why),
        ..Reading::default()
    };
    if asked.len() != planned.askings {
        return no_verdict(0.0, "the judge left the question out".to_owned());
    }
    let times = asked.len() as f64;
    let mut mean = vec![0.0; planned.weights.len()];
    let mut mass = 0.0;
    for decision in asked {
        let of = |name: &String| decision.options.iter().find(|o| o.name == *name);
        let said: Vec<f64> = planned
            .weights
            .iter()
            .map(|(name, _)| of(name).map_or(0.0, |o| o.probability))
            .collect();
        let valid = |p: &f64| p.is_finite() && (-1e-6..=1.0 + 1e-6).contains(p);
        if !said.iter().all(valid) || !valid(&decision.mass) {
            return no_verdict(0.0, "the judge's answer holds no probabilities".to_owned());
        }
        let sum: f64 = said.iter().sum();
        mass += decision.mass.clamp(0.0, 1.0) / times;
        for (mean, said) in mean.iter_mut().zip(&said) {
            *mean += if sum > 0.0 { said / sum / times } else { 0.0 };
        }
    }
    let total: f64 = mean.iter().sum();
    // One asking that found nothing at all would else count as certainty of the other.
    if mass < LEAST_MASS || total < 1.0 - 1e-6 {
        return no_verdict(
            mass,
            format!("only {mass:.2} of the probability is on the options"),
        );
    }
    let safe: f64 = mean.iter().zip(&planned.weights).map(|(p, (_, w))| p * w).sum();
    let best = best(planned, &mean);
    let written = method == DecideMethod::Constrained;
    Reading {
        probability: (!written).then_some(safe.clamp(0.0, 1.0)),
        choice: best.filter(|_| planned.tells_choice || written),
        mass,
        failed: None,
    }
}

/// The option with the most; of equals the first.
fn best(planned: &Planned, mean: &[f64]) -> Option<String> {
    let mut best: Option<(&String, f64)> = None;
    for ((name, _), p) in planned.weights.iter().zip(mean) {
        if best.is_none_or(|(_, most)| *p > most) {
            best = Some((name, *p));
        }
    }
    best.map(|(name, _)| name.clone())
}

#[cfg(test)]
mod tests;
