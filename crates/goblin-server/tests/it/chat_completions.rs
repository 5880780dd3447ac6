//! The doors of OpenAI's and older clients.

use std::time::Duration;

use goblin_core::provider::ProviderError;
use goblin_core::route::AUTOMATIC;
use http::Method;
use serde_json::{Value, json};

use crate::client::{data, guard};
use crate::provider::MODEL;
use crate::test_app::TestApp;

const DOORS: [&str; 3] = [
    "/v1/chat/completions",
    "/api/chat/completions",
    "/chat/completions",
];

fn ask(question: &str, stream: bool) -> Value {
    json!({ "model": MODEL, "messages": [{"role": "user", "content": question}], "stream": stream })
}

#[tokio::test]
async fn every_door_answers_in_openais_shape() {
    let app = TestApp::local().await;
    for door in DOORS {
        let mut reply = app.post(door, &ask("hi", false)).await;
        assert_eq!(
            (reply.status.as_u16(), reply.header("content-type")),
            (200, "application/json"),
            "{door}"
        );
        let body = reply.json().await;
        assert_eq!(body["object"], "chat.completion");
        assert_eq!(body["model"], MODEL);
        assert_eq!(body["choices"][0]["message"]["content"], "Hello there.");
        assert_eq!(body["choices"][0]["finish_reason"], "stop");
        assert_eq!(body["usage"]["total_tokens"], 7);
        assert!(body["id"].as_str().unwrap().starts_with("chatcmpl-"));
    }
}

#[tokio::test]
async fn every_door_streams_chunks_and_ends_with_done() {
    let app = TestApp::local().await;
    for door in DOORS {
        let mut reply = app.post(door, &ask("hi", true)).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("content-type"), "text/event-stream");
        assert_eq!(reply.header("cache-control"), "no-store, no-transform");
        assert_eq!(reply.header("x-accel-buffering"), "no");
        let mut events = reply.events().await;
        assert_eq!(events.pop().unwrap().data, "[DONE]", "{door}");
        let chunks: Vec<Value> = events.iter().map(data).collect();
        assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
        let text: String = chunks
            .iter()
            .filter_map(|c| c["choices"][0]["delta"]["content"].as_str())
            .collect();
        assert_eq!(text, "Hello there.");
        assert!(
            chunks
                .iter()
                .all(|c| c["object"] == "chat.completion.chunk" && c["model"] == MODEL)
        );
        assert!(
            chunks.iter().all(|c| c.get("usage").is_none()),
            "usage was not asked for"
        );
    }
}

#[tokio::test]
async fn usage_comes_in_a_chunk_of_its_own_when_asked_for() {
    let app = TestApp::local().await;
    let mut body = ask("hi", true);
    body["stream_options"] = json!({"include_usage": true});
    let events = app.post("/v1/chat/completions", &body).await.events().await;
    let last = data(&events[events.len() - 2]);
    assert_eq!(last["usage"]["completion_tokens"], 2);
    assert_eq!(last["choices"], json!([]));
}

#[tokio::test]
async fn the_automatic_choice_and_a_bare_name_are_accepted() {
    let app = TestApp::local().await;
    for name in ["goblin", "goblin/local", "parrot", MODEL] {
        let mut body = ask("hi", false);
        body["model"] = name.into();
        let mut reply = app.post("/v1/chat/completions", &body).await;
        assert_eq!(reply.status, 200, "{name}");
        assert_eq!(reply.json().await["model"], MODEL);
    }
}

#[tokio::test]
async fn a_failure_before_the_first_byte_has_a_status_of_its_own() {
    let app = TestApp::local().await;
    for stream in [false, true] {
        let mut busy = app.post("/v1/chat/completions", &ask("overload", stream)).await;
        assert_eq!(
            (busy.status.as_u16(), busy.json().await["error"]["code"].clone()),
            (429, json!("rate_limited"))
        );
        assert_eq!(busy.header("retry-after"), "7");
        let mut gone = app
            .post("/v1/chat/completions", &ask("unreachable", stream))
            .await;
        assert_eq!(gone.status, 503);
        let text = gone.text().await;
        assert!(
            text.contains("no_provider") && !text.contains("10.0.0.7") && !text.contains("sk-secret"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_failure_in_the_stream_is_an_event_and_the_stream_ends_without_done() {
    let app = TestApp::local().await;
    let (mut reply, played) = app.begun().await;
    played.fail(ProviderError::Interrupted {
        reason: "10.0.0.7 closed".into(),
    });
    let events = reply.events().await;
    let last = data(events.last().unwrap());
    assert_eq!(last["error"]["code"], "upstream_failed");
    assert!(!last.to_string().contains("10.0.0.7"));
}

#[tokio::test]
async fn a_slow_start_is_answered_with_200_and_comments_and_a_later_failure_is_in_band() {
    let app = TestApp::with_options(|o| {
        o.wait_for_first = Duration::from_millis(10);
        o.ping_every = Duration::from_millis(10);
    })
    .await;
    let mut reply = app.post("/v1/chat/completions", &ask("play", true)).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.piece().await.unwrap(), ": ping\n\n");
    app.provider.played().await.fail(ProviderError::Interrupted {
        reason: "gone".into(),
    });
    let events = reply.events().await;
    assert_eq!(events.len(), 1);
    assert_eq!(data(&events[0])["error"]["code"], "upstream_failed");
}

#[tokio::test]
async fn a_client_that_leaves_a_stream_cancels_the_answer_before_its_next_token() {
    let app = TestApp::local().await;
    let (mut reply, played) = app.begun().await;
    assert!(reply.event().await.is_some());
    drop(reply);
    // No further token is ever made: the drop alone must be noticed.
    guard(played.dropped()).await;
}

#[tokio::test]
async fn a_client_that_leaves_before_a_whole_answer_cancels_it() {
    let app = TestApp::local().await;
    let call = app
        .call(Method::POST, "/v1/chat/completions")
        .json(&ask("play", false));
    let played = tokio::select! {
        _ = call.send() => panic!("nothing was answered yet"),
        played = app.provider.played() => played,
    };
    guard(played.dropped()).await;
}

#[tokio::test]
async fn a_whole_answer_that_takes_too_long_says_to_ask_for_a_stream() {
    let app = TestApp::with_options(|o| o.answer_timeout = Duration::from_millis(20)).await;
    let mut reply = app.post("/v1/chat/completions", &ask("play", false)).await;
    assert_eq!(reply.status, 504);
    let body = reply.json().await;
    assert_eq!(body["error"]["code"], "deadline_exceeded");
    assert!(
        body["error"]["message"]
            .as_str()
            .unwrap()
            .contains("\"stream\": true")
    );
    guard(app.provider.played().await.dropped()).await;
}

#[tokio::test]
async fn the_callers_own_deadline_is_honoured_and_nonsense_is_refused() {
    let app = TestApp::local().await;
    let call = |value| {
        app.call(Method::POST, "/v1/chat/completions")
            .json(&ask("play", false))
            .header("x-goblin-deadline-ms", value)
    };
    assert_eq!(call("15").send().await.status, 504);
    let mut wrong = call("soon").send().await;
    assert_eq!(
        (
            wrong.status.as_u16(),
            wrong.json().await["error"]["param"].clone()
        ),
        (400, json!("x-goblin-deadline-ms"))
    );
}

#[tokio::test]
async fn a_panic_is_a_500_without_detail() {
    let app = TestApp::local().await;
    for (door, stream) in [
        ("/v1/chat/completions", false),
        ("/v1/chat/completions", true),
        ("/chat/completions", false),
    ] {
        let mut reply = app.post(door, &ask("panic", stream)).await;
        assert_eq!(reply.status, 500);
        let text = reply.text().await;
        assert!(text.contains("internal") && !text.contains("perch"), "{text}");
    }
    assert_eq!(
        app.post("/v1/chat/completions", &ask("hi", false)).await.status,
        200
    );
}

#[tokio::test]
async fn models_are_listed_with_what_we_know_of_them() {
    let app = TestApp::local().await;
    let list = app.get("/v1/models").await.json().await;
    assert_eq!(list["object"], "list");
    let ids: Vec<&str> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids[..5], AUTOMATIC);
    assert_eq!(ids[5..], [MODEL]);
    let goblin = &list["data"][5]["goblin"];
    assert_eq!(goblin["context_window"], 4096);
    assert_eq!(goblin["capabilities"], json!(["chat"]));
    assert_eq!(
        (goblin["starter"].clone(), goblin["state"].clone()),
        (json!(true), json!("loaded"))
    );
    assert_eq!(
        (goblin["slots"].clone(), goblin["free_slots"].clone()),
        (json!(8), json!(8))
    );
    assert_eq!(goblin["size_bytes"], 98_362_432);
}

#[tokio::test]
async fn one_model_is_found_by_its_whole_or_bare_name_and_a_wrong_one_names_the_nearest() {
    let app = TestApp::local().await;
    for path in [
        "/v1/models/fake/parrot",
        "/v1/models/parrot",
        "/v1/models/fake%2Fparrot",
    ] {
        let mut reply = app.get(path).await;
        assert_eq!(
            (reply.status.as_u16(), reply.json().await["id"].clone()),
            (200, json!(MODEL)),
            "{path}"
        );
    }
    assert_eq!(app.get("/v1/models/goblin").await.json().await["id"], "goblin");
    let mut wrong = app.get("/v1/models/fake/parot").await;
    assert_eq!(wrong.status, 404);
    let body = wrong.json().await;
    assert_eq!(body["error"]["code"], "model_not_found");
    assert!(
        body["error"]["message"]
            .as_str()
            .unwrap()
            .contains("`fake/parrot`")
    );
}
