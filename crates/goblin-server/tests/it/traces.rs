//! Traces and feedback over HTTP: shown to their owner, refused with a reason, labels checked.

use goblin_core::id::Ids;
use goblin_core::owner::Owner;
use goblin_core::provider::ProviderHandle;
use goblin_core::trace::Trace;
use goblin_store::traces::NewTrace;
use http::Method;
use serde_json::{Value, json};

use crate::checked::kept;
use crate::client::data;
use crate::test_app::{Setup, TestApp};

const COMPLETIONS: &str = "/v1/chat/completions";

/// A chat's first turn as it ended.
async fn answered(app: &TestApp, chat: &Value) -> Value {
    let chat = app.chat(chat).await;
    let body = json!({"content": "hi"});
    let mut reply = app.post(&format!("/api/chats/{chat}/turns"), &body).await;
    let events = reply.events().await;
    data(events.last().unwrap())["turn"].clone()
}

/// The id of a turn of a model that was named, so that nobody checked its answer.
async fn unchecked(app: &TestApp) -> String {
    let turn = answered(app, &json!({"model": "fake/parrot"})).await;
    turn["id"].as_str().unwrap().to_owned()
}

/// Keeps a trace as the one who answers does, and returns its id.
async fn traced(app: &TestApp, turn: Option<&str>, model: &str) -> String {
    let id = Ids::Random.next_id();
    let new = NewTrace {
        request_id: "r-1".into(),
        turn: turn.map(str::to_owned),
        trace: Trace {
            trace_id: id.clone(),
            created_at_ms: app.clock.now().0,
            model: model.into(),
            ..Trace::default()
        },
    };
    let store = app.store.as_ref().unwrap();
    store.insert_trace(&Owner::local(), &new).await.unwrap();
    id
}

#[tokio::test]
async fn a_turn_of_a_model_that_was_named_ends_with_a_short_trace_shown_by_its_id_and_by_its_turn() {
    let app = TestApp::local().await;
    let turn = answered(&app, &json!({"model": "fake/parrot"})).await;
    let (line, turn) = (&turn["trace"], turn["id"].as_str().unwrap());
    assert_eq!(
        (&line["asked_for"], &line["verify"], &line["checked"]),
        (&json!("fake/parrot"), &json!("off"), &json!(false))
    );
    let id = line["trace_id"].as_str().unwrap();
    for path in [format!("/v1/traces/{id}"), format!("/api/turns/{turn}/trace")] {
        let mut shown = app.get(&path).await;
        assert_eq!(shown.status, 200, "{path}");
        let trace = shown.json().await;
        assert_eq!(trace["trace_id"], id);
        let step = &trace["steps"][0];
        assert_eq!(
            (&step["model"], &step["outcome"], &step["tokens"]),
            (&json!("fake/parrot"), &json!("accepted"), &json!(2))
        );
        assert!(!trace.to_string().contains("Hello there"), "{trace}");
    }
    app.clock.advance_ms(1);
    app.store.as_ref().unwrap().delete_old_traces(0).await.unwrap();
    let mut gone = app.get(&format!("/api/turns/{turn}/trace")).await;
    assert_eq!(gone.status, 404);
    assert_eq!(gone.json().await["detail"], "There is no such trace.");
}

#[tokio::test]
async fn of_several_traces_of_a_turn_the_newest_is_shown() {
    let app = TestApp::local().await;
    let turn = unchecked(&app).await;
    app.clock.advance_ms(1);
    let id = traced(&app, Some(&turn), "goblin").await;
    let shown = app.get(&format!("/api/turns/{turn}/trace")).await.json().await;
    assert_eq!(shown["trace_id"], id);
    let turn = app.get(&format!("/api/turns/{turn}")).await.json().await;
    assert_eq!(turn["trace"]["trace_id"], id);
}

#[tokio::test]
async fn a_checked_answer_ends_with_its_trace_which_is_there_from_then_on() {
    let app = TestApp::local().await;
    let turn = answered(&app, &json!({})).await;
    let id = turn["trace"]["trace_id"].as_str().unwrap();
    assert_eq!(turn["trace"]["asked_for"], "goblin");
    assert_eq!(turn["trace"]["model"], "fake/parrot");
    let trace = app.get(&format!("/v1/traces/{id}")).await.json().await;
    assert_eq!(trace["steps"][0]["model"], "fake/parrot");
    let text = trace.to_string();
    assert!(
        !text.contains("Hello there"),
        "no text of the conversation: {text}"
    );
}

fn named(question: &str, stream: bool) -> Value {
    json!({"model": "fake/parrot", "messages": [{"role": "user", "content": question}], "stream": stream})
}

#[tokio::test]
async fn an_answer_of_a_model_that_was_named_leaves_a_short_trace_which_its_header_names() {
    let app = TestApp::local().await;
    for stream in [false, true] {
        let mut reply = app.post(COMPLETIONS, &named("hi", stream)).await;
        assert_eq!(reply.status, 200);
        let text = reply.text().await;
        assert!(
            !text.contains("goblin"),
            "nothing is added to what a client knows: {text}"
        );
        let trace = kept(&app, &reply).await;
        assert_eq!(
            (&trace["model"], &trace["verify"], &trace["safety"]),
            (&json!("fake/parrot"), &json!("off"), &Value::Null)
        );
        let steps = trace["steps"].as_array().unwrap();
        assert_eq!(steps.len(), 1);
        let step = &steps[0];
        for (field, value) in [
            ("model", json!("fake/parrot")),
            ("provider", json!("fake")),
            ("local", json!(true)),
            ("outcome", json!("accepted")),
            ("prompt_tokens", json!(5)),
            ("tokens", json!(2)),
            ("cost_usd", json!(0.0)),
        ] {
            assert_eq!(step[field], value, "{field}");
        }
        assert!(step["first_token_ms"].as_u64() <= step["ended_ms"].as_u64());
        assert_eq!(
            (&trace["left_machine"], &trace["sent"]),
            (&json!(false), &json!([]))
        );
        assert!(!trace.to_string().contains("Hello there"), "{trace}");
    }
    let reply = app.post(COMPLETIONS, &named("unreachable", true)).await;
    assert_eq!(reply.status, 503);
    let step = kept(&app, &reply).await["steps"][0].clone();
    let why = step["why"].as_str().unwrap();
    assert_eq!(
        (&step["outcome"], why.contains("cannot be reached")),
        (&json!("failed"), true),
        "{step}"
    );
}

#[tokio::test]
async fn what_left_for_a_model_that_was_named_is_in_its_trace() {
    let app = TestApp::start(Setup {
        able: |handle| ProviderHandle {
            local: false,
            ..handle
        },
        ..Setup::default()
    })
    .await;
    let reply = app.post(COMPLETIONS, &named("hi there", false)).await;
    let trace = kept(&app, &reply).await;
    assert_eq!(trace["left_machine"], true);
    assert_eq!(trace["sent"][0]["to"], "fake");
    assert!(trace["sent"][0]["bytes"].as_u64().unwrap() >= "hi there".len() as u64);
    assert_eq!(
        (&trace["cost_usd"], &trace["would_have_cost_usd"]),
        (&Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn traces_are_listed_newest_first_by_page() {
    let app = TestApp::local().await;
    for model in ["a", "b", "c"] {
        app.clock.advance_ms(1);
        traced(&app, None, model).await;
    }
    let page = app.get("/v1/traces?limit=2").await.json().await;
    let asked = |page: &Value, at: usize| page["items"][at]["asked_for"].clone();
    assert_eq!((asked(&page, 0), asked(&page, 1)), (json!("c"), json!("b")));
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = app.get(&format!("/v1/traces?cursor={cursor}")).await.json().await;
    assert_eq!(
        (asked(&rest, 0), rest["next_cursor"].clone()),
        (json!("a"), Value::Null)
    );
}

#[tokio::test]
async fn what_is_no_trace_is_refused_in_the_shape_of_its_door() {
    let app = TestApp::local().await;
    let unknown = Ids::Random.next_id();
    for path in [format!("/v1/traces/{unknown}"), "/v1/traces/x".to_owned()] {
        let mut refused = app.get(&path).await;
        assert_eq!(refused.status, 404, "{path}");
        let said = refused.json().await;
        assert_eq!(said["error"]["message"], "There is no such trace.", "{path}");
    }
    let mut refused = app.get(&format!("/api/turns/{unknown}/trace")).await;
    assert_eq!(refused.status, 404);
    assert_eq!(refused.json().await["detail"], "There is no such turn.");
    for (query, param) in [("limit=0", "limit"), ("cursor=zz", "cursor"), ("page=2", "page")] {
        let mut refused = app.get(&format!("/v1/traces?{query}")).await;
        assert_eq!(refused.status, 400, "{query}");
        assert_eq!(refused.json().await["error"]["param"], param, "{query}");
    }
    let elsewhere = app
        .call(Method::GET, &format!("/v1/traces/{unknown}"))
        .header("origin", "https://evil.example")
        .send()
        .await;
    assert_eq!(elsewhere.status, 403);
}

#[tokio::test]
async fn feedback_is_kept_field_by_field_and_shown_with_its_turn() {
    let app = TestApp::local().await;
    let turn = unchecked(&app).await;
    let mut again = app
        .post(&format!("/api/turns/{turn}/regenerate"), &json!({}))
        .await;
    let other = data(again.events().await.last().unwrap())["turn"]["id"].clone();
    let path = format!("/api/turns/{turn}/feedback");
    let mut said = app.post(&path, &json!({"rating": "down"})).await;
    assert_eq!(said.status, 200);
    let said = said.json().await;
    assert_eq!(
        (&said["rating"], &said["better_turn"]),
        (&json!("down"), &Value::Null)
    );
    let change = json!({"better_turn": other, "second_opinion": other, "comment": "It is too short."});
    let said = app.post(&path, &change).await.json().await;
    assert_eq!(
        (&said["rating"], &said["better_turn"], &said["comment"]),
        (&json!("down"), &other, &json!("It is too short."))
    );
    let shown = app.get(&format!("/api/turns/{turn}")).await.json().await;
    assert_eq!(shown["feedback"], said);
    let taken_back = json!({"rating": null, "comment": "  "});
    let said = app.post(&path, &taken_back).await.json().await;
    assert_eq!(
        (&said["rating"], &said["comment"], &said["better_turn"]),
        (&Value::Null, &Value::Null, &other)
    );
}

#[tokio::test]
async fn feedback_that_makes_no_sense_is_refused_naming_the_field() {
    let app = TestApp::local().await;
    let turn = unchecked(&app).await;
    let path = format!("/api/turns/{turn}/feedback");
    for (body, param) in [
        (json!({}), "rating"),
        (json!({"rating": "sideways"}), "rating"),
        (json!({"rating": 5}), "rating"),
        (json!({"better_turn": "x"}), "better_turn"),
        (json!({"better_turn": turn}), "better_turn"),
        (json!({"second_opinion": turn}), "second_opinion"),
        (json!({"comment": "x".repeat(4097)}), "comment"),
        (json!({"stars": 5}), "stars"),
    ] {
        let mut refused = app.post(&path, &body).await;
        assert_eq!(refused.status, 422, "{body}");
        let problem = refused.json().await;
        assert_eq!(
            (&problem["code"], &problem["param"]),
            (&json!("invalid_request"), &json!(param)),
            "{body}"
        );
    }
    let unknown = format!("/api/turns/{}/feedback", Ids::Random.next_id());
    let refused = app.post(&unknown, &json!({"rating": "up"})).await;
    assert_eq!(refused.status, 404);
    let elsewhere = app
        .call(Method::POST, &path)
        .json(&json!({"rating": "up"}))
        .header("origin", "https://evil.example")
        .send()
        .await;
    assert_eq!(elsewhere.status, 403);
}
