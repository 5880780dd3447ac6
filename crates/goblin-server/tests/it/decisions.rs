//! `/v1/systemone` on the backend: typed questions to any model on offer.

use goblin_server::app::Surface;
use http::Method;
use serde_json::{Value, json};

use crate::able::able;
use crate::test_app::{Setup, TestApp};

async fn backend() -> TestApp {
    TestApp::start(Setup {
        surface: Surface::Backend,
        able,
        ..Setup::default()
    })
    .await
}

fn asking(model: &str, questions: Value) -> Value {
    json!({"model": model, "state": "hello", "questions": questions})
}

fn kind() -> Value {
    json!({"kind": {"type": "noul", "instructions": "Is it kind?"}})
}

#[tokio::test]
async fn a_model_is_asked_by_any_of_its_names_and_says_who_it_is() {
    let app = backend().await;
    for name in ["fake/parrot", "parrot", "goblin", "goblin/local", "jev-latest"] {
        let answered = app
            .post("/v1/systemone", &asking(name, kind()))
            .await
            .json()
            .await;
        assert_eq!(answered["model"], "fake/parrot", "{name}: {answered}");
        assert!(
            answered["answers"]["kind"]["noul"].is_number(),
            "{name}: {answered}"
        );
        assert_eq!(answered["usage"]["output_tokens"], 0);
    }
}

#[tokio::test]
async fn every_type_of_question_is_answered_in_its_shape() {
    let app = backend().await;
    let questions = json!({
        "kind": {"type": "noul", "criteria": {"true": "it greets"}},
        "mood": {"type": "choice", "instructions": "Which mood?", "criteria": {"glad": null, "sad": "not glad", "odd": ["a", "b"]}},
        "warmth": {"type": "score", "instructions": {"scale": "warmth"}, "criteria": ["cold", {"level": "warm"}]},
    });
    let answered = app
        .post("/v1/systemone", &asking("parrot", questions))
        .await
        .json()
        .await;
    let answers = &answered["answers"];
    assert_eq!(answers["kind"]["type"], "noul");
    let mood = &answers["mood"];
    let names: Vec<&String> = mood["probabilities"]
        .as_object()
        .expect("an object")
        .keys()
        .collect();
    assert_eq!(names, ["glad", "sad", "odd"]);
    let sum: f64 = mood["probabilities"]
        .as_object()
        .unwrap()
        .values()
        .filter_map(Value::as_f64)
        .sum();
    assert!((sum - 1.0).abs() < 1e-9);
    assert!(mood["confidence"].is_number() && mood["x_mass"].is_number());
    assert_eq!(answers["warmth"]["legend"]["0"], "cold");
    assert!(answers["warmth"]["legend"]["1"].is_string());
}

#[tokio::test]
async fn what_is_wrong_is_said_as_the_format_has_it_and_as_openai_has_it() {
    let app = backend().await;
    let essay = json!({"kind": {"type": "essay", "instructions": "?"}});
    for (body, at) in [
        (
            asking("parrot", essay),
            json!(["body", "questions", "kind", "type"]),
        ),
        (asking("parrot", json!({})), json!(["body", "questions"])),
        (
            json!({"model": "parrot", "questions": kind()}),
            json!(["body", "state"]),
        ),
        (asking("mute", kind()), json!(["body", "model"])),
    ] {
        let mut reply = app.post("/v1/systemone", &body).await;
        assert_eq!(reply.status, 422, "{body}");
        let said = reply.json().await;
        assert_eq!(said["detail"][0]["loc"], at, "{said}");
        assert_eq!(said["detail"][0]["msg"], said["error"]["message"]);
    }
    let mut reply = app
        .call(Method::POST, "/v1/systemone")
        .bytes(b"{\"model\": ".to_vec())
        .send()
        .await;
    assert_eq!(reply.status, 422);
    assert_eq!(reply.json().await["detail"][0]["loc"], json!(["body"]));
    let mut reply = app.post("/v1/systemone", &asking("no-such-model", kind())).await;
    assert_eq!(reply.status, 404);
    let said = reply.json().await;
    assert_eq!(said["detail"]["error_type"], "not_found_error");
    assert_eq!(said["error"]["code"], "model_not_found");
}
