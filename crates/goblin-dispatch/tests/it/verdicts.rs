//! What a judge of a test says to one question.

use goblin_core::decide::{Decision, OptionProbability, Question};

/// Puts `value` of the mass on the option that means that all is well.
pub(crate) fn decision(question: &Question, value: f64, mass: f64) -> Decision {
    let asks_for_good = ["prompt", "correct_and_complete"].contains(&question.id.as_str());
    let good = |name: &str| match name {
        "yes" => asks_for_good,
        "no" => !asks_for_good,
        other => other == "safe",
    };
    let others = (question.options.len() - 1) as f64;
    let of = |name: &str| match good(name) {
        true => value * mass,
        false => (1.0 - value) * mass / others,
    };
    let options = question.options.iter().map(|option| OptionProbability {
        name: option.name.clone(),
        probability: of(&option.name),
    });
    Decision {
        id: question.id.clone(),
        options: options.collect(),
        mass,
    }
}
