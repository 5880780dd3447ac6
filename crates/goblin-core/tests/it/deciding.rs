//! `/v1/systemone`: what is asked of a model, and what its probabilities become.

use bytes::Bytes;
use goblin_core::decide::{DecideCost, DecideRequest, DecideResponse, Decision, OptionProbability};
use goblin_core::provider::ProviderError;
use goblin_core::wire::systemone::{SystemOneRequest, decode_response, encode, encode_request, parse};
use serde_json::{Value, json};

const REQUEST: &[u8] = include_bytes!("../../fixtures/systemone/request.json");
const ANSWER: &[u8] = include_bytes!("../../fixtures/systemone/answer.json");

fn request() -> SystemOneRequest {
    parse(&Bytes::from_static(REQUEST)).expect("a request")
}

/// Answers `asked` with the probabilities `of` each question, in the options' order.
fn answered(asked: &DecideRequest, of: &[&[f64]]) -> DecideResponse {
    assert_eq!(asked.questions.len(), of.len());
    let decisions = asked
        .questions
        .iter()
        .zip(of)
        .map(|(question, probabilities)| Decision {
            id: question.id.clone(),
            options: question
                .options
                .iter()
                .zip(*probabilities)
                .map(|(option, p)| OptionProbability {
                    name: option.name.clone(),
                    probability: *p,
                })
                .collect(),
            mass: probabilities.iter().sum(),
        });
    DecideResponse {
        decisions: decisions.collect(),
        cost: DecideCost {
            shared_evaluated: 30,
            shared_cached: 10,
            question_tokens: 7,
        },
        ..DecideResponse::default()
    }
}

fn near(value: &Value, expected: f64) {
    let value = value.as_f64().expect("a number");
    assert!((value - expected).abs() < 1e-3, "{value} is not {expected}");
}

#[test]
fn each_question_is_asked_so_that_one_token_answers_it() {
    let asked = request().to_decide();
    assert!(asked.shared.contains("charged twice"));
    let ids: Vec<&str> = asked.questions.iter().map(|q| q.id.as_str()).collect();
    assert_eq!(ids, ["refund", "label", "label (other order)", "frustration"]);
    let names = |i: usize| {
        asked.questions[i]
            .options
            .iter()
            .map(|o| o.name.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(0), ["yes", "no"]);
    assert_eq!(names(1), ["billing", "bug", "account"]);
    assert_eq!(
        names(2),
        ["account", "bug", "billing"],
        "asked in the other order too"
    );
    assert_eq!(names(3), ["0", "1", "2"]);
    assert_eq!(asked.questions[2].options[0].spellings, ["A", " A"]);
    assert!(
        asked.questions[0]
            .text
            .contains("Is the customer asking for a refund?")
    );
    assert!(
        asked.questions[1]
            .text
            .contains("A. billing: Payments and refunds\n")
    );
    assert!(
        asked.questions[2]
            .text
            .contains("C. billing: Payments and refunds\n")
    );
    assert!(
        asked.questions[1].text.contains("C. account\n"),
        "an option without a description"
    );
}

#[test]
fn probabilities_are_scaled_and_both_orders_averaged() {
    let request = request();
    let asked = request.to_decide();
    let body = encode(
        &request,
        "ollama/mistral:7b",
        &answered(
            &asked,
            &[
                &[0.6, 0.2],
                &[0.1, 0.3, 0.1],
                &[0.0, 0.4, 0.4],
                &[0.0, 0.25, 0.25],
            ],
        ),
    );
    assert_eq!(body["model"], "ollama/mistral:7b");
    assert_eq!(body["usage"], json!({"input_tokens": 47, "output_tokens": 0}));
    let answers = &body["answers"];
    near(&answers["refund"]["noul"], 0.75);
    near(&answers["refund"]["x_mass"], 0.8);
    let label = &answers["label"];
    // First order: .2 .6 .2; the other one: billing .5, bug .5, account 0.
    near(&label["probabilities"]["billing"], 0.35);
    near(&label["probabilities"]["bug"], 0.55);
    near(&label["probabilities"]["account"], 0.1);
    near(&label["x_mass"], 0.65);
    assert_eq!(label["choice"], "bug");
    let score = &answers["frustration"];
    near(&score["score"], 1.5);
    assert_eq!(
        score["legend"],
        json!({"0": "calm", "1": "annoyed", "2": "angry"})
    );
    near(&score["confidence"], 1.0 - 2f64.ln() / 3f64.ln());
}

#[test]
fn a_question_of_which_nothing_was_read_has_options_that_are_alike_and_no_mass() {
    let request = request();
    let asked = request.to_decide();
    let body = encode(
        &request,
        "ollama/mistral:7b",
        &answered(
            &asked,
            &[&[0.0, 0.0], &[0.0, 0.0, 0.0], &[1.0, 0.0, 0.0], &[1.0, 0.0, 0.0]],
        ),
    );
    let refund = &body["answers"]["refund"];
    near(&refund["noul"], 0.5);
    near(&refund["x_mass"], 0.0);
    assert_eq!(
        body["answers"]["label"]["choice"], "account",
        "one of two askings is enough"
    );
    near(&body["answers"]["frustration"]["confidence"], 1.0);
}

#[test]
fn an_upstream_that_decides_by_itself_is_asked_the_same_and_read() {
    let request = request();
    let again = parse(&encode_request(&request)).unwrap();
    assert_eq!(again, request);
    let decided = decode_response(&request, ANSWER).unwrap();
    let said: Vec<(&str, f64)> = decided
        .decisions
        .iter()
        .map(|d| (d.id.as_str(), d.mass))
        .collect();
    assert_eq!(said, [("refund", 1.0), ("label", 1.0), ("frustration", 0.5)]);
    assert_eq!(decided.decisions[0].options[0].name, "yes");
    assert!((decided.decisions[0].options[0].probability - 0.99).abs() < 1e-9);
    assert!((decided.decisions[1].options[1].probability - 0.9781).abs() < 1e-9);
    // Scaled back by what the upstream says it was.
    assert!((decided.decisions[2].options[2].probability - 0.4).abs() < 1e-9);
    assert_eq!(decided.cost.shared_evaluated, 174);
}

#[test]
fn the_confidence_is_that_of_the_published_example() {
    let request = parse(&Bytes::from_static(
        br#"{"model":"nimble","state":"Our checkout has returned 500 errors since 9am.","questions":{"label":
            {"type":"score","instructions":"Which?","criteria":["billing","bug","account"]}}}"#,
    ))
    .unwrap();
    let asked = request.to_decide();
    let body = encode(
        &request,
        "ollama/mistral:7b",
        &answered(&asked, &[&[0.0125, 0.9781, 0.0093]]),
    );
    near(&body["answers"]["label"]["confidence"], 0.8906);
}

#[test]
fn questions_in_core_words_become_typed_ones() {
    let asked = request().to_decide();
    let typed = SystemOneRequest::from_decide(&asked);
    let body: Value = serde_json::from_slice(&encode_request(&typed)).unwrap();
    assert_eq!(body["state"], asked.shared);
    assert_eq!(body["questions"]["refund"]["type"], "noul");
    let criteria = &body["questions"]["label"]["criteria"];
    assert_eq!(criteria["billing"], "Payments and refunds");
    assert_eq!(criteria["account"], Value::Null);
    let instructions = &body["questions"]["refund"]["instructions"];
    assert_eq!(
        instructions, "Is the customer asking for a refund?",
        "without the words that make one token"
    );
}

#[test]
fn an_upstream_that_answers_something_else_is_interrupted() {
    let request = request();
    let deep = "[".repeat(1000);
    for body in [
        "",
        "<html>",
        "{}",
        r#"{"answers":{"refund":{"noul":1.5}}}"#,
        r#"{"answers":{"refund":{"noul":0.5}}}"#,
        &deep,
    ] {
        let error = decode_response(&request, body.as_bytes()).unwrap_err();
        assert!(
            matches!(error, ProviderError::Interrupted { .. }),
            "{body}: {error}"
        );
    }
}

/// A choice of this many options, the first of them `Billing`.
fn choice_of(options: usize) -> SystemOneRequest {
    let names = (0..options).map(|n| {
        (
            if n == 0 {
                "Billing".to_owned()
            } else {
                format!("Queue {n:03}")
            },
            json!(null),
        )
    });
    let criteria: serde_json::Map<String, Value> = names.collect();
    let body = json!({
        "model": "m",
        "state": "x",
        "questions": {"queue": {"type": "choice", "instructions": "Which?", "criteria": criteria}},
    });
    parse(&Bytes::from(body.to_string())).expect("a request")
}

#[test]
fn a_choice_of_more_options_than_letters_is_asked_in_groups_that_can_be_compared() {
    for options in [27, 128, 255] {
        let request = choice_of(options);
        let asked = request.to_decide();
        assert!(asked.questions.len() > 2 && asked.questions.len().is_multiple_of(2));
        // Every question puts 0.9 on Billing where it is offered, and on none of these where it is not.
        let said: Vec<Vec<f64>> = asked
            .questions
            .iter()
            .map(|question| {
                assert!(question.options.len() <= 26);
                let has = question.options.iter().any(|o| o.name == "Billing");
                let wanted = if has { "Billing" } else { "none of these" };
                let rest = 0.1 / (question.options.len() - 1) as f64;
                let one = |o: &goblin_core::decide::AnswerOption| if o.name == wanted { 0.9 } else { rest };
                question.options.iter().map(one).collect()
            })
            .collect();
        let said: Vec<&[f64]> = said.iter().map(Vec::as_slice).collect();
        let body = encode(&request, "m", &answered(&asked, &said));
        let queue = &body["answers"]["queue"];
        assert_eq!(queue["choice"], "Billing", "{options}");
        let probabilities = queue["probabilities"].as_object().expect("an object");
        assert_eq!(probabilities.len(), options, "the options, and nothing else");
        let sum: f64 = probabilities.values().filter_map(Value::as_f64).sum();
        assert!((sum - 1.0).abs() < 1e-9, "{sum}");
        assert!(
            probabilities["Billing"].as_f64().expect("a number") > 0.4,
            "{options}"
        );
    }
    let too_many: serde_json::Map<String, Value> = (0..256).map(|n| (n.to_string(), Value::Null)).collect();
    let body = json!({"model": "m", "state": "x", "questions": {
        "q": {"type": "choice", "instructions": "?", "criteria": too_many}}});
    let error = parse(&Bytes::from(body.to_string())).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("questions.q.criteria"));
}

#[test]
fn an_option_that_is_called_as_the_rest_is_told_apart_from_it() {
    let mut names: Vec<String> = (0..29).map(|n| format!("o{n}")).collect();
    names.push("none of these".to_owned());
    let criteria: serde_json::Map<String, Value> = names.iter().map(|n| (n.clone(), Value::Null)).collect();
    let body = json!({"model": "m", "state": "x", "questions": {
        "q": {"type": "choice", "instructions": "?", "criteria": criteria}}});
    let request = parse(&Bytes::from(body.to_string())).unwrap();
    for question in request.to_decide().questions {
        let mut names: Vec<&str> = question.options.iter().map(|o| o.name.as_str()).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}

#[test]
fn what_yes_and_no_mean_may_be_all_that_is_asked() {
    let ask = |question: Value| {
        let body = json!({"model": "m", "state": "x", "questions": {"q": question}});
        parse(&Bytes::from(body.to_string()))
    };
    let request = ask(json!({"type": "noul", "criteria": {"true": "a threat"}})).unwrap();
    let text = request.to_decide().questions[0].text.clone();
    assert_eq!(text, "Answer yes if: a threat\nAnswer with yes or no.\nAnswer:");
    let sent: Value = serde_json::from_slice(&encode_request(&request)).unwrap();
    assert_eq!(
        sent["questions"]["q"],
        json!({"type": "noul", "criteria": {"true": "a threat"}})
    );
    for question in [
        json!({"type": "noul"}),
        json!({"type": "noul", "criteria": null}),
        json!({"type": "choice", "criteria": {"a": null}}),
    ] {
        let error = ask(question).unwrap_err();
        assert_eq!(error.param.as_deref(), Some("questions.q.instructions"));
    }
}

#[test]
fn the_name_the_formats_clients_send_is_whichever_model_is_best() {
    let body = json!({"model": "jev-latest", "state": "x", "questions": {
        "q": {"type": "noul", "instructions": "?"}}});
    let request = parse(&Bytes::from(body.to_string())).unwrap();
    assert_eq!(request.to_decide().model, "goblin");
}

#[test]
fn what_stands_around_the_texts_goes_along_to_a_tier_of_ours() {
    use goblin_core::decide::Frame;
    let mut asked = request().to_decide();
    asked.frame = Frame {
        before: "<|user|>".into(),
        after: "<|assistant|>".into(),
        marks: vec!["<mark>".into()],
        exact: true,
    };
    let sent = SystemOneRequest::of_tokens(&asked, &asked.questions);
    let read = parse(&encode_request(&sent)).unwrap();
    assert_eq!(read.frame, asked.frame);
    let there = read.to_decide();
    assert_eq!((&there.frame, &there.shared), (&asked.frame, &asked.shared));
    for (frame, param) in [
        (json!(7), "goblin"),
        (json!({"before": 7}), "goblin"),
        (json!({"marks": [""]}), "goblin.marks"),
        (json!({"before": "x".repeat(5000)}), "goblin"),
    ] {
        let mut body: Value = serde_json::from_slice(&encode_request(&sent)).unwrap();
        body["goblin"] = frame;
        let error = parse(&Bytes::from(body.to_string())).unwrap_err();
        assert_eq!(error.param.as_deref(), Some(param));
    }
    // With questions of other types it means nothing.
    let mut body: Value = serde_json::from_slice(REQUEST).unwrap();
    body["goblin"] = json!(7);
    assert!(parse(&Bytes::from(body.to_string())).unwrap().frame.is_empty());
}
