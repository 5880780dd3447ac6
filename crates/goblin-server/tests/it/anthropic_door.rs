//! Anthropic's wire on the model tier.

use std::time::Duration;

use goblin_core::provider::ProviderError;
use goblin_server::app::Surface;
use http::Method;
use serde_json::{Value, json};

use crate::able::able;
use crate::allow_list::able_tier;
use crate::client::{Reply, data, guard};
use crate::provider::Played;
use crate::test_app::{Setup, TestApp};

const MESSAGES: &str = "/v1/messages";

fn ask(question: &str, stream: bool) -> Value {
    json!({
        "model": "parrot", "max_tokens": 8, "stream": stream, "messages": [{"role": "user", "content": question}],
    })
}

async fn begun(app: &TestApp) -> (Reply, Played) {
    let speak = async {
        let played = app.provider.played().await;
        played.say("One");
        played
    };
    let body = ask("play", true);
    tokio::join!(app.post(MESSAGES, &body), speak)
}

/// What the events of a stream say, put together as a client does: the blocks of the message.
fn blocks(events: &[Value]) -> Vec<Value> {
    let mut blocks: Vec<Value> = Vec::new();
    let mut input = String::new();
    for event in events {
        match event["type"].as_str().unwrap() {
            "content_block_start" => {
                assert_eq!(event["index"], blocks.len());
                blocks.push(event["content_block"].clone());
                input.clear();
            }
            "content_block_delta" => {
                let (block, delta) = (blocks.last_mut().unwrap(), &event["delta"]);
                for (kind, field) in [("text_delta", "text"), ("thinking_delta", "thinking")] {
                    if delta["type"] == kind {
                        let so_far = block[field].as_str().unwrap_or_default().to_owned();
                        block[field] = (so_far + delta[field].as_str().unwrap()).into();
                    }
                }
                input += delta["partial_json"].as_str().unwrap_or_default();
            }
            "content_block_stop" if !input.is_empty() => {
                blocks.last_mut().unwrap()["input"] = serde_json::from_str(&input).unwrap();
            }
            _ => {}
        }
    }
    blocks
}

#[tokio::test]
async fn a_stream_says_the_same_as_the_whole_message() {
    let app = able_tier().await;
    for (question, reason) in [("hi", "end_turn"), ("weather in Rome", "tool_use")] {
        let whole = app.post(MESSAGES, &ask(question, false)).await.json().await;
        assert_eq!(
            (&whole["type"], &whole["role"], &whole["model"]),
            (&json!("message"), &json!("assistant"), &json!("parrot"))
        );
        assert_eq!(whole["stop_reason"], reason);
        assert_eq!(whole["usage"]["input_tokens"], 5);

        let mut reply = app.post(MESSAGES, &ask(question, true)).await;
        assert_eq!(reply.header("content-type"), "text/event-stream");
        let framed = reply.events().await;
        let events: Vec<Value> = framed.iter().map(data).collect();
        for (frame, event) in framed.iter().zip(&events) {
            assert_eq!(frame.event.as_deref(), event["type"].as_str());
        }
        assert_eq!(events.first().unwrap()["type"], "message_start");
        assert_eq!(events.last().unwrap()["type"], "message_stop");
        let end = &events[events.len() - 2];
        assert_eq!(
            (&end["delta"]["stop_reason"], &end["usage"]),
            (&json!(reason), &whole["usage"])
        );
        assert_eq!(json!(blocks(&events)), whole["content"], "{question}");
    }
}

#[tokio::test]
async fn instructions_reach_the_model() {
    let app = able_tier().await;
    let mut body = ask("echo", false);
    body["system"] = json!("Be kind.");
    let answer = app.post(MESSAGES, &body).await.json().await;
    let echo: Value = serde_json::from_str(answer["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!((&echo["system"], &echo["most"]), (&json!("Be kind."), &json!(8)));
}

#[tokio::test]
async fn tokens_are_counted_without_an_answer() {
    let app = able_tier().await;
    let body = json!({"model": "parrot", "messages": [{"role": "user", "content": "hi"}]});
    let counted = app.post("/v1/messages/count_tokens", &body).await.json().await;
    assert_eq!(counted, json!({"input_tokens": 5}));
}

#[tokio::test]
async fn failures_have_the_status_of_the_table_and_anthropics_shape() {
    let app = able_tier().await;
    let cases = [
        ("overload", 429, "rate_limit_error"),
        ("unreachable", 503, "api_error"),
        ("long", 400, "invalid_request_error"),
        ("panic", 500, "api_error"),
    ];
    for (question, status, kind) in cases {
        for stream in [false, true] {
            let mut reply = app.post(MESSAGES, &ask(question, stream)).await;
            assert_eq!(reply.status.as_u16(), status, "{question}");
            let body = reply.json().await;
            assert_eq!(
                (&body["type"], &body["error"]["type"]),
                (&json!("error"), &json!(kind)),
                "{body}"
            );
            assert!(!body.to_string().contains("10.0.0.7"));
        }
    }
    let fields = [
        (json!({"temperature": 99}), "temperature"),
        (json!({"max_tokens": 0}), "max_tokens"),
        (json!({"messages": []}), "messages"),
        (
            json!({"messages": [{"role": "robot", "content": "hi"}]}),
            "messages[0].role",
        ),
    ];
    for (changes, named) in fields {
        let mut body = ask("hi", false);
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        let mut reply = app.post(MESSAGES, &body).await;
        assert_eq!(reply.status, 400, "{named}");
        let said = reply.json().await;
        assert!(
            said["error"]["message"].as_str().unwrap().contains(named),
            "{named}: {said}"
        );
        assert_eq!(said["error"]["param"], named, "{said}");
    }
    let mut unknown = ask("hi", false);
    unknown["model"] = json!("parot");
    let said = app.post(MESSAGES, &unknown).await.json().await;
    assert_eq!(said["error"]["type"], "not_found_error");
    assert_eq!(said["error"]["param"], "model");
}

#[tokio::test]
async fn a_failure_in_the_stream_is_its_last_event() {
    let app = able_tier().await;
    let (mut reply, played) = begun(&app).await;
    played.fail(ProviderError::Interrupted {
        reason: "10.0.0.7 closed".into(),
    });
    let events = reply.events().await;
    let last = events.last().unwrap();
    assert_eq!(last.event.as_deref(), Some("error"));
    assert!(!data(last).to_string().contains("10.0.0.7"));
    assert!(
        events
            .iter()
            .all(|event| event.event.as_deref() != Some("message_stop"))
    );
}

#[tokio::test]
async fn a_quiet_stream_sends_pings_that_clients_know() {
    let mut setup = Setup {
        surface: Surface::Tier,
        able,
        ..Setup::default()
    };
    setup.options.wait_for_first = Duration::from_millis(10);
    setup.options.ping_every = Duration::from_millis(10);
    let app = TestApp::start(setup).await;
    let mut reply = app.post(MESSAGES, &ask("play", true)).await;
    let first = reply.event().await.unwrap();
    assert_eq!(
        (first.event.as_deref(), data(&first)),
        (Some("ping"), json!({"type": "ping"}))
    );
    drop(reply);
    guard(app.provider.played().await.dropped()).await;
}

#[tokio::test]
async fn a_client_that_leaves_cancels_the_answer_streamed_or_whole() {
    let app = able_tier().await;
    let (reply, played) = begun(&app).await;
    drop(reply);
    guard(played.dropped()).await;
    let call = app.call(Method::POST, MESSAGES).json(&ask("play", false));
    let played = tokio::select! {
        _ = call.send() => panic!("nothing was answered yet"),
        played = app.provider.played() => played,
    };
    guard(played.dropped()).await;
}
