//! Answers, written and read.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::decide::{Asking, NO, YES, askings};
use super::request::{Kind, SystemOneQuestion, SystemOneRequest, said};
use crate::decide::{DecideCost, DecideMethod, DecideResponse, Decision, OptionProbability};
use crate::limits::MAX_JSON_DEPTH;
use crate::provider::ProviderError;
use crate::wire::json::depth_within;

/// The answers to `request` by `model`, from those to [`SystemOneRequest::to_decide`]. `output_tokens` is 0: nothing is
/// generated.
pub fn encode(request: &SystemOneRequest, model: &str, response: &DecideResponse) -> Value {
    let mut decisions = response.decisions.iter();
    let mut answers = Map::new();
    for question in &request.questions {
        let askings = askings(question);
        let asked: Vec<(&Asking, &Decision)> = askings.iter().zip(decisions.by_ref()).collect();
        let answer = match (&question.kind, asked.as_slice()) {
            (Kind::Token(_), [(_, decision)]) => token_json(decision),
            _ => {
                let (probabilities, mass) = distribution(&question.kind, &asked);
                answer_json(question, &probabilities, mass)
            }
        };
        answers.insert(question.id.clone(), answer);
    }
    let cost = &response.cost;
    let input = cost
        .shared_evaluated
        .saturating_add(cost.shared_cached)
        .saturating_add(cost.question_tokens);
    let mut usage = json!({"input_tokens": input, "output_tokens": 0});
    if request.is_of_tokens() {
        usage["goblin"] = json!(cost);
        usage["goblin"]["method"] = json!(response.method);
    }
    json!({"model": model, "answers": answers, "usage": usage})
}

/// As it was read: not scaled.
fn token_json(decision: &Decision) -> Value {
    let said = decision
        .options
        .iter()
        .map(|o| (o.name.clone(), json!(o.probability)));
    let said: Map<String, Value> = said.collect();
    json!({"type": "token", "probabilities": said, "mass": decision.mass})
}

/// The options' names, in order.
fn names(kind: &Kind) -> Vec<String> {
    match kind {
        Kind::Noul { .. } => vec![YES.to_owned(), NO.to_owned()],
        Kind::Choice(options) => options.iter().map(|(name, _)| name.clone()).collect(),
        Kind::Score(levels) => (0..levels.len()).map(|level| level.to_string()).collect(),
        Kind::Token(options) => options.iter().map(|o| o.name.clone()).collect(),
    }
}

/// Probabilities of the options that sum to one, and what was on valid options before: the mean of several askings.
/// Where nothing was read at all the options are alike, and the mass is 0.
fn distribution(kind: &Kind, asked: &[(&Asking, &Decision)]) -> (Vec<f64>, f64) {
    let names = names(kind);
    let mut mean = vec![0.0; names.len()];
    let (mut mass, mut counted) = (0.0, 0.0);
    for (asking, decision) in asked {
        let said: f64 = decision.options.iter().map(|o| o.probability.max(0.0)).sum();
        if !(said.is_finite() && said > 0.0) {
            continue;
        }
        let last = asking.options.end.min(names.len());
        for place in asking.options.start..last {
            let option = decision.options.iter().find(|o| o.name == names[place]);
            mean[place] += option.map_or(0.0, |o| o.probability.max(0.0)) / said;
        }
        mass += decision.mass;
        counted += 1.0;
    }
    let total: f64 = mean.iter().sum();
    if counted == 0.0 || total <= 0.0 {
        let alike = 1.0 / names.len().max(1) as f64;
        return (vec![alike; names.len()], 0.0);
    }
    mean.iter_mut().for_each(|p| *p /= total);
    (mean, mass / counted)
}

/// One minus the entropy over that of a flat distribution: 1 when one option has everything, 0 when all are alike.
fn confidence(probabilities: &[f64]) -> f64 {
    if probabilities.len() < 2 {
        return 1.0;
    }
    let entropy: f64 = probabilities
        .iter()
        .filter(|p| **p > 0.0)
        .map(|p| -p * p.ln())
        .sum();
    (1.0 - entropy / (probabilities.len() as f64).ln()).clamp(0.0, 1.0)
}

fn answer_json(question: &SystemOneQuestion, probabilities: &[f64], mass: f64) -> Value {
    let by_name = || -> Map<String, Value> {
        let names = names(&question.kind).into_iter();
        names.zip(probabilities.iter().map(|p| json!(p))).collect()
    };
    match &question.kind {
        Kind::Noul { .. } => json!({"type": "noul", "noul": probabilities[0], "x_mass": mass}),
        Kind::Token(_) => json!({"type": "token", "probabilities": by_name(), "mass": mass}),
        Kind::Choice(options) => {
            // Of equals the first, as the caller listed them.
            let best = probabilities
                .iter()
                .enumerate()
                .fold(0, |best, (i, p)| if *p > probabilities[best] { i } else { best });
            json!({
                "type": "choice",
                "choice": options.get(best).map(|(name, _)| name),
                "probabilities": by_name(),
                "confidence": confidence(probabilities),
                "x_mass": mass,
            })
        }
        Kind::Score(levels) => {
            let score: f64 = probabilities.iter().enumerate().map(|(i, p)| i as f64 * p).sum();
            let legend: Map<String, Value> = levels
                .iter()
                .enumerate()
                .map(|(i, level)| (i.to_string(), said(level).into()))
                .collect();
            json!({
                "type": "score",
                "score": score,
                "legend": legend,
                "probabilities": by_name(),
                "confidence": confidence(probabilities),
                "x_mass": mass,
            })
        }
    }
}

/// Reads an upstream's answers to [`super::encode_request`]: one decision for each question, in their order, with
/// options named as in [`SystemOneRequest::to_decide`]. An upstream scales probabilities to one; where it says what
/// they were before (`mass`, `option_mass`) that is given back to them, else the mass is 1.
///
/// # Errors
/// [`ProviderError::Interrupted`] for what is no such answer, or does not answer every question.
pub fn decode_response(request: &SystemOneRequest, body: &[u8]) -> Result<DecideResponse, ProviderError> {
    let broken = |reason: String| ProviderError::Interrupted { reason };
    if !depth_within(body, MAX_JSON_DEPTH) {
        return Err(broken("the decisions are nested too deep".to_owned()));
    }
    let value: Value =
        serde_json::from_slice(body).map_err(|e| broken(format!("the decisions are not JSON: {e}")))?;
    let mut decisions = Vec::with_capacity(request.questions.len());
    for (place, question) in request.questions.iter().enumerate() {
        let answer = value.get("answers").and_then(|answers| answers.get(&question.id));
        let decision = answer.and_then(|answer| read_answer(question, answer));
        decisions.push(decision.ok_or_else(|| broken(format!("question {place} has no answer")))?);
    }
    let usage = value.get("usage");
    let method = usage.and_then(|u| DecideMethod::deserialize(&u["goblin"]["method"]).ok());
    Ok(DecideResponse {
        decisions,
        cost: usage.map(read_cost).unwrap_or_default(),
        method: method.unwrap_or(DecideMethod::Native),
    })
}

/// As a tier of ours says it; from others only the sum is known.
fn read_cost(usage: &Value) -> DecideCost {
    let own = usage
        .get("goblin")
        .and_then(|own| DecideCost::deserialize(own).ok());
    own.unwrap_or_else(|| {
        let input = usage.get("input_tokens").and_then(Value::as_u64);
        DecideCost {
            shared_evaluated: input.map_or(0, |n| u32::try_from(n).unwrap_or(u32::MAX)),
            ..DecideCost::default()
        }
    })
}

fn read_answer(question: &SystemOneQuestion, answer: &Value) -> Option<Decision> {
    let unit = |value: &Value| value.as_f64().filter(|p| (0.0..=1.0).contains(p));
    let mass = ["x_mass", "mass", "option_mass"]
        .iter()
        .find_map(|name| answer.get(name).and_then(unit))
        .unwrap_or(1.0);
    let probabilities: Vec<f64> = match &question.kind {
        Kind::Noul { .. } => {
            let yes = unit(answer.get("noul")?)?;
            vec![yes, 1.0 - yes]
        }
        kind => {
            let said = answer.get("probabilities")?;
            names(kind)
                .iter()
                .map(|name| said.get(name).and_then(unit))
                .collect::<Option<_>>()?
        }
    };
    let scaled = match &question.kind {
        Kind::Token(_) => 1.0,
        _ => mass,
    };
    let option = |(name, p): (String, f64)| OptionProbability {
        name,
        probability: p * scaled,
    };
    Some(Decision {
        id: question.id.clone(),
        options: names(&question.kind)
            .into_iter()
            .zip(probabilities)
            .map(option)
            .collect(),
        mass,
    })
}
