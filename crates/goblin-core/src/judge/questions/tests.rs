use super::*;
use crate::judge::guard::Guard;
use crate::judge::settings::default_categories;

fn judge(manner: Manner, context_window: Option<u32>) -> Judge {
    Judge {
        model: "up/m".into(),
        local: true,
        self_judged: false,
        concern: Concern::Safety,
        context_window,
        manner,
        standing: Vec::new(),
    }
}

fn chat() -> Judge {
    judge(Manner::Chat(Template::Plain), None)
}

fn transcript() -> Transcript {
    let mut transcript = Transcript::of_question("Is the moon cheese?");
    transcript.push("No, it is rock.");
    transcript
}

fn asked(judge: &Judge, about: About, sets: &[QuestionSet]) -> Vec<Asked> {
    ask(judge, &default_categories(), &transcript(), about, sets, None)
}

#[test]
fn the_question_comes_last_and_behind_the_closing_mark() {
    for set in QuestionSet::ALL {
        let about = match set {
            QuestionSet::Prompt => About::Prompt,
            _ => About::Answer,
        };
        let all = asked(&chat(), about, &[set]);
        for question in &all[0].request.questions {
            let who = if set == QuestionSet::Prompt {
                "user"
            } else {
                "answer"
            };
            assert!(
                question.text.starts_with(&format!("\n[[END {who} ")),
                "{}",
                question.text
            );
            assert!(question.text.ends_with("\nAnswer:"), "{}", question.text);
        }
    }
}

#[test]
fn all_sets_are_asked_in_one_request_behind_one_text() {
    let sets = [
        QuestionSet::Transcript,
        QuestionSet::Categories,
        QuestionSet::Confidence,
    ];
    let all = asked(&chat(), About::Answer, &sets);
    assert_eq!(all.len(), 1);
    let ids: Vec<&str> = all[0].request.questions.iter().map(|q| q.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "transcript",
            "transcript (other order)",
            "harm",
            "medical",
            "legal",
            "financial",
            "self_harm",
            "privacy",
            "injection",
            "hallucination",
            "overconfidence",
            "correct_and_complete",
        ]
    );
    assert_eq!(all[0].request.model, "up/m");
}

#[test]
fn a_choice_of_two_options_is_asked_once_and_of_more_in_both_orders() {
    for (categories, times) in [(1, 1), (2, 2), (9, 2)] {
        let some: Vec<Category> = default_categories().into_iter().take(categories).collect();
        let all = ask(
            &chat(),
            &some,
            &transcript(),
            About::Answer,
            &[QuestionSet::Transcript],
            None,
        );
        let questions = &all[0].request.questions;
        assert_eq!(questions.len(), times);
        let names = |q: &Question| q.options.iter().map(|o| o.name.clone()).collect::<Vec<_>>();
        if let [first, other] = questions.as_slice() {
            let mut reversed = names(other);
            reversed.reverse();
            assert_eq!(names(first), reversed);
            assert_eq!(first.options[0].spellings, ["A", " A"]);
            assert_eq!(other.options[0].spellings, ["A", " A"]);
        }
    }
}

#[test]
fn every_category_has_a_letter_of_its_own_up_to_the_most_there_may_be() {
    let many: Vec<Category> = (0..crate::judge::settings::MAX_CATEGORIES)
        .map(|n| Category {
            name: format!("c{n}"),
            meaning: "m".into(),
        })
        .collect();
    let all = ask(
        &chat(),
        &many,
        &transcript(),
        About::Answer,
        &[QuestionSet::Transcript],
        None,
    );
    let options = &all[0].request.questions[0].options;
    assert_eq!(options.len(), 26);
    assert_eq!(options[25].spellings[0], "Z");
}

#[test]
fn turn_marks_of_the_model_stand_around_and_are_part_of_the_fingerprint() {
    let categories = default_categories();
    let mut seen = Vec::new();
    for template in [
        Template::Plain,
        Template::Gemma,
        Template::Phi3,
        Template::Mistral,
    ] {
        let judge = judge(Manner::Chat(template), None);
        let all = asked(&judge, About::Answer, &[QuestionSet::Confidence]);
        assert_eq!(all[0].request.frame, template.frame());
        let hash = judge.prompt_hash(&categories, QuestionSet::Confidence);
        assert_eq!(hash.len(), 16);
        assert!(!seen.contains(&hash));
        seen.push(hash);
    }
    assert_eq!(seen[0], question_set_hash(&categories, QuestionSet::Confidence));
}

#[test]
fn fingerprints_change_with_the_questions_and_with_nothing_else() {
    let categories = default_categories();
    let mut other = categories.clone();
    other[0].meaning.push('!');
    let hash = |set, of: &[Category]| question_set_hash(of, set);
    for set in [QuestionSet::Transcript, QuestionSet::Categories] {
        assert_ne!(hash(set, &categories), hash(set, &other), "{set:?}");
    }
    for set in [QuestionSet::Prompt, QuestionSet::Confidence] {
        assert_eq!(hash(set, &categories), hash(set, &other), "{set:?}");
    }
    let of = |text: &str| {
        let transcript = Transcript::of_question(text);
        let all = ask(
            &chat(),
            &categories,
            &transcript,
            About::Prompt,
            &[QuestionSet::Prompt],
            None,
        );
        all[0].plan[0].hash.clone()
    };
    assert_eq!(
        of("one text"),
        of("another text"),
        "the material is no part of it"
    );
}

#[test]
fn a_guard_is_asked_its_one_question_about_what_it_can_judge() {
    let guard = judge(Manner::Guard(Guard::LlamaGuard3), None);
    let all = asked(&guard, About::Prompt, &[QuestionSet::Prompt]);
    assert_eq!(all[0].request.questions.len(), 1);
    assert!(all[0].request.frame.exact);
    let sets = [QuestionSet::Transcript, QuestionSet::Categories];
    let all = asked(&guard, About::Answer, &sets);
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].plan.len(), 1);
    assert!(asked(&guard, About::Answer, &[QuestionSet::Confidence]).is_empty());
    assert!(asked(&guard, About::Answer, &[QuestionSet::Prompt]).is_empty());
}

#[test]
fn a_judge_with_a_small_context_is_shown_parts() {
    let small = judge(Manner::Chat(Template::Plain), Some(1024));
    let mut long = Transcript::of_question(&"A question that goes on. ".repeat(200));
    let all = ask(
        &small,
        &default_categories(),
        &long,
        About::Prompt,
        &[QuestionSet::Prompt],
        None,
    );
    assert!(all.len() > 2 && all.iter().all(|a| a.partial));
    long.push("An answer.");
    let all = ask(
        &small,
        &default_categories(),
        &long,
        About::Answer,
        &[QuestionSet::Confidence],
        None,
    );
    assert_eq!(all.len(), 1);
    assert!(all[0].partial && all[0].request.shared.contains("left out"));
    let whole = ask(
        &chat(),
        &default_categories(),
        &long,
        About::Answer,
        &[QuestionSet::Confidence],
        None,
    );
    assert!(!whole[0].partial);
    let smaller = smaller_room(&whole).unwrap();
    assert_eq!(smaller, whole[0].request.shared.len() / 2);
    assert_eq!(
        smaller_room(&asked(&chat(), About::Prompt, &[QuestionSet::Prompt])),
        None
    );
}

#[test]
fn as_typed_questions_they_say_what_is_asked_without_letters() {
    use crate::wire::systemone::{SystemOneRequest, encode_request};
    let all = asked(
        &chat(),
        About::Answer,
        &[QuestionSet::Transcript, QuestionSet::Confidence],
    );
    let typed = SystemOneRequest::from_decide(&all[0].request);
    let body: serde_json::Value = serde_json::from_slice(&encode_request(&typed)).unwrap();
    let questions = &body["questions"];
    assert_eq!(questions["transcript"]["type"], "choice");
    assert_eq!(questions["transcript"]["instructions"], WHICH);
    assert!(
        questions["transcript"]["criteria"]["harm"]
            .as_str()
            .unwrap()
            .contains("hurt")
    );
    assert_eq!(questions["correct_and_complete"]["type"], "noul");
    assert_eq!(questions["correct_and_complete"]["instructions"], CONFIDENCE);
}

#[test]
fn sets_are_read_by_the_name_they_are_written_with() {
    for set in QuestionSet::ALL {
        assert_eq!(QuestionSet::parse(set.as_str()), Some(set));
    }
    assert_eq!(QuestionSet::parse("Prompt"), None);
}
