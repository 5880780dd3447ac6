use super::*;
use crate::decide::OptionProbability;
use crate::judge::questions::{QuestionSet, ask};
use crate::judge::settings::{Category, default_categories};
use crate::judge::template::Template;
use crate::judge::transcript::Transcript;
use crate::judge::{Manner, Standing};
use crate::trace::{About, Concern};

fn judge(concern: Concern) -> Judge {
    let standing = Standing {
        authority: Authority::Grant,
        why: "granted".into(),
    };
    Judge {
        model: "ollama/gemma:2b".into(),
        local: true,
        self_judged: false,
        concern,
        context_window: Some(8192),
        manner: Manner::Chat(Template::Gemma),
        standing: QuestionSet::ALL.map(|set| (set, standing.clone())).into(),
    }
}

fn categories() -> Vec<Category> {
    default_categories().into_iter().take(2).collect()
}

fn asked(set: QuestionSet, about: About) -> Asked {
    let mut transcript = Transcript::of_question("q");
    transcript.push("a");
    let mut all = ask(
        &judge(set.concern()),
        &categories(),
        &transcript,
        about,
        &[set],
        None,
    );
    assert_eq!(all.len(), 1);
    all.remove(0)
}

/// Answers each question with these probabilities, in the order of its options.
fn response(asked: &Asked, of: &[&[f64]], method: DecideMethod) -> DecideResponse {
    let decisions = asked
        .request
        .questions
        .iter()
        .zip(of)
        .map(|(question, said)| Decision {
            id: question.id.clone(),
            options: question
                .options
                .iter()
                .zip(*said)
                .map(|(option, p)| OptionProbability {
                    name: option.name.clone(),
                    probability: *p,
                })
                .collect(),
            mass: said.iter().sum(),
        });
    DecideResponse {
        decisions: decisions.collect(),
        cost: DecideCost {
            shared_evaluated: 30,
            shared_cached: 10,
            question_tokens: 7,
        },
        method,
    }
}

fn verdict(set: QuestionSet, about: About, of: &[&[f64]]) -> Verdict {
    let asked = asked(set, about);
    let response = response(&asked, of, DecideMethod::Readout);
    let mut verdicts = asked.verdicts(&judge(set.concern()), &response, 12);
    verdicts.remove(0)
}

fn near(found: Option<f64>, wanted: f64) {
    let found = found.expect("a probability");
    assert!((found - wanted).abs() < 1e-9, "{found} is not {wanted}");
}

#[test]
fn yes_to_the_prompt_is_safe_and_is_scaled_to_the_options() {
    let found = verdict(QuestionSet::Prompt, About::Prompt, &[&[0.6, 0.2]]);
    near(found.probability, 0.75);
    assert!((found.mass - 0.8).abs() < 1e-9);
    assert_eq!((found.question.as_str(), found.choice), ("prompt", None));
    assert_eq!((found.concern, found.about), (Concern::Safety, About::Prompt));
    assert_eq!(
        (
            found.ms,
            found.cached_tokens,
            found.evaluated_tokens,
            found.question_tokens
        ),
        (12, 10, 30, 7)
    );
    assert_eq!(found.authority, Authority::Grant);
    assert_eq!(found.failed, None);
}

#[test]
fn yes_to_a_category_is_unsafe() {
    let asked = asked(QuestionSet::Categories, About::Answer);
    let response = response(&asked, &[&[0.9, 0.1], &[0.0, 1.0]], DecideMethod::Readout);
    let verdicts = asked.verdicts(&judge(Concern::Safety), &response, 1);
    assert_eq!(verdicts.len(), 2);
    near(verdicts[0].probability, 0.1);
    near(verdicts[1].probability, 1.0);
    assert_eq!(
        (verdicts[0].question.as_str(), verdicts[1].question.as_str()),
        ("harm", "medical")
    );
    assert_eq!(
        (verdicts[0].question_tokens, verdicts[1].question_tokens),
        (7, 0),
        "what the request cost is told once"
    );
}

#[test]
fn a_choice_is_the_mean_of_both_orders_by_name() {
    // First order: safe, harm, medical. Second: medical, harm, safe.
    let found = verdict(
        QuestionSet::Transcript,
        About::Window(3),
        &[&[0.2, 0.6, 0.2], &[0.0, 0.4, 0.4]],
    );
    near(found.probability, 0.35);
    assert_eq!(found.choice.as_deref(), Some("harm"));
    assert!((found.mass - 0.9).abs() < 1e-9);
    assert_eq!(found.about, About::Window(3));
}

#[test]
fn below_half_of_the_mass_there_is_no_verdict() {
    for (said, there) in [([0.3, 0.19], false), ([0.3, 0.2], true), ([0.0, 0.0], false)] {
        let found = verdict(QuestionSet::Confidence, About::Answer, &[&said]);
        assert_eq!(found.probability.is_some(), there, "{said:?}");
        assert_eq!(found.failed.is_none(), there, "{said:?}");
    }
    // One order that found nothing is not made up for by the other.
    let found = verdict(
        QuestionSet::Transcript,
        About::Answer,
        &[&[1.0, 0.0, 0.0], &[0.0; 3]],
    );
    assert_eq!(found.probability, None);
    assert!(found.failed.is_some());
}

#[test]
fn what_is_no_probability_is_no_verdict() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.5, 1.5] {
        let found = verdict(QuestionSet::Confidence, About::Answer, &[&[bad, 0.5]]);
        assert_eq!(found.probability, None, "{bad}");
        assert!(
            found.failed.is_some_and(|why| why.contains("no probabilities")),
            "{bad}"
        );
        assert_eq!(found.mass, 0.0, "a trace holds no such number");
    }
}

#[test]
fn a_judge_that_leaves_questions_out_or_names_other_options_gives_no_verdict() {
    let asked = asked(QuestionSet::Confidence, About::Answer);
    let none = DecideResponse::default();
    let found = asked.verdicts(&judge(Concern::Confidence), &none, 1);
    assert_eq!(found.len(), 1);
    assert!(found[0].failed.is_some());
    let mut other = response(&asked, &[&[0.9, 0.1]], DecideMethod::Readout);
    for option in &mut other.decisions[0].options {
        option.name.push('x');
    }
    let found = asked.verdicts(&judge(Concern::Confidence), &other, 1);
    assert_eq!(found[0].probability, None);
}

#[test]
fn a_written_word_is_told_but_is_no_probability_and_never_acts() {
    let asked = asked(QuestionSet::Confidence, About::Answer);
    let response = response(&asked, &[&[0.0, 1.0]], DecideMethod::Constrained);
    let found = asked
        .verdicts(&judge(Concern::Confidence), &response, 1)
        .remove(0);
    assert_eq!(found.probability, None);
    assert_eq!(found.choice.as_deref(), Some("no"));
    assert_eq!(found.failed, None);
    assert_eq!(found.authority, Authority::None);
}

#[test]
fn a_judge_that_always_says_yes_is_read_as_it_says() {
    let found = verdict(QuestionSet::Prompt, About::Prompt, &[&[1.0, 0.0]]);
    near(found.probability, 1.0);
}

#[test]
fn a_failure_is_a_verdict_for_each_question_that_says_why() {
    let asked = asked(QuestionSet::Categories, About::Answer);
    let found = asked.failed(&judge(Concern::Safety), "it did not answer in time", 30_000);
    assert_eq!(found.len(), 2);
    for verdict in found {
        assert_eq!(verdict.failed.as_deref(), Some("it did not answer in time"));
        assert_eq!(
            (verdict.probability, verdict.mass, verdict.ms),
            (None, 0.0, 30_000)
        );
        assert_eq!(
            verdict.authority,
            Authority::Grant,
            "that it failed is a failure of a judge that may act"
        );
    }
}
