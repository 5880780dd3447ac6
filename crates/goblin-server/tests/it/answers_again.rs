//! Answers given again: to the same request, once they were sound, made once for many; and to common questions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use goblin_core::maker::Maker;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::data;
use crate::cloud_doors::{faulty, good, handle, healthy, posted, question, sse, text_of};
use crate::fake_upstream::{FakeUpstream, Reply, cut};
use crate::test_app::{Setup, TestApp};

const OPENAI: &str = "/v1/chat/completions";
const NAMED: &str = "anthropic/claude-sonnet-4-5";

async fn caching(upstream: &FakeUpstream, maker: Maker, common: bool) -> TestApp {
    TestApp::start(Setup {
        upstreams: vec![handle(maker, upstream)],
        caching: Some(common),
        ..Setup::default()
    })
    .await
}

fn wanting(model: &str, stream: bool, goblin: Value) -> Value {
    let mut body = question(model, stream);
    body["goblin"] = goblin;
    body
}

#[tokio::test]
async fn the_same_request_at_temperature_0_is_answered_once() {
    let upstream = healthy(Maker::Anthropic).await;
    let app = caching(&upstream, Maker::Anthropic, false).await;
    for model in [NAMED, "goblin/best"] {
        let before = posted(&upstream).len();
        let mut body = wanting(model, false, json!({}));
        body["temperature"] = json!(0);
        assert_eq!(text_of(&app, &body).await, "Hello", "{model}");
        let mut again = app.post(OPENAI, &body).await;
        let id = again.header("x-goblin-trace-id").to_owned();
        let whole = again.json().await;
        assert_eq!(whole["choices"][0]["message"]["content"], "Hello");
        assert_eq!(whole["model"], NAMED);
        // Also as a stream, with the pieces as they came.
        body["stream"] = json!(true);
        assert_eq!(text_of(&app, &body).await, "Hello");
        assert_eq!(posted(&upstream).len(), before + 1, "{model}");
        let trace = app.get(&format!("/v1/traces/{id}")).await.json().await;
        assert_eq!(
            (&trace["cache"], &trace["cost_usd"]),
            (&json!("hit"), &json!(0.0)),
            "{trace}"
        );
        assert_eq!(trace["left_machine"], false);
        assert!(trace["steps"].as_array().unwrap().is_empty(), "{trace}");
        if model != NAMED {
            assert_eq!(whole["goblin"]["cache"], "hit", "{whole}");
        }
        body["messages"][0]["content"] = json!("hi!");
        assert_eq!(text_of(&app, &body).await, "Hello");
        assert_eq!(
            posted(&upstream).len(),
            before + 2,
            "another question is another request"
        );
    }
}

#[tokio::test]
async fn who_says_what_the_cache_may_do_is_heard() {
    let upstream = healthy(Maker::Anthropic).await;
    let app = caching(&upstream, Maker::Anthropic, false).await;
    for (goblin, temperature, asked) in [
        (json!({}), None, 1),
        (json!({}), None, 2),
        (json!({"cache": "use"}), None, 3),
        (json!({"cache": "use"}), None, 3),
        (json!({"cache": "refresh"}), None, 4),
        (json!({"cache": "use"}), None, 4),
        (json!({"cache": "off"}), Some(0), 5),
        (json!({"cache": "off"}), Some(0), 6),
    ] {
        let mut body = wanting(NAMED, true, goblin);
        if let Some(temperature) = temperature {
            body["temperature"] = json!(temperature);
        }
        assert_eq!(text_of(&app, &body).await, "Hello");
        assert_eq!(posted(&upstream).len(), asked, "{body}");
    }
    let mut wrong = app
        .post(OPENAI, &wanting(NAMED, true, json!({"cache": "yes"})))
        .await;
    assert_eq!(wrong.status, 400);
    assert_eq!(wrong.json().await["error"]["param"], "goblin.cache");
}

#[tokio::test]
async fn an_answer_that_did_not_end_well_is_not_given_again() {
    let cut_off = r#"{"choices":[{"index":0,"delta":{"content":"Hel"},"finish_reason":"length"}]}"#;
    let asked = Arc::new(AtomicUsize::new(0));
    let upstream = faulty(move || match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::Bytes(cut("text/event-stream", sse(&[cut_off, "[DONE]"]))),
        _ => good(Maker::OpenAi),
    })
    .await;
    let app = caching(&upstream, Maker::OpenAi, false).await;
    let body = wanting("openai/gpt-5-nano", true, json!({"cache": "use"}));
    assert_eq!(text_of(&app, &body).await, "Hel");
    assert_eq!(text_of(&app, &body).await, "Hello");
    assert_eq!(text_of(&app, &body).await, "Hello");
    assert_eq!(posted(&upstream).len(), 2);
}

#[tokio::test]
async fn many_who_ask_the_same_at_once_are_answered_by_one_request() {
    let upstream = healthy(Maker::Anthropic).await;
    let app = Arc::new(caching(&upstream, Maker::Anthropic, false).await);
    let mut asking = JoinSet::new();
    for _ in 0..16 {
        let app = Arc::clone(&app);
        asking.spawn(async move { text_of(&app, &wanting(NAMED, true, json!({"cache": "use"}))).await });
    }
    let said = asking.join_all().await;
    assert!(said.iter().all(|text| text == "Hello"), "{said:?}");
    assert_eq!(posted(&upstream).len(), 1);
}

#[tokio::test]
async fn a_common_question_is_answered_again_in_chats_too_and_anew_when_asked_for() {
    let upstream = healthy(Maker::Anthropic).await;
    let app = caching(&upstream, Maker::Anthropic, true).await;
    let ask =
        |text: &'static str| json!({"model": "goblin", "messages": [{"role": "user", "content": text}]});
    assert_eq!(text_of(&app, &ask("What is TLS?")).await, "Hello");
    assert_eq!(text_of(&app, &ask(" what is  tls")).await, "Hello");
    assert_eq!(posted(&upstream).len(), 1);
    assert_eq!(text_of(&app, &ask("What is DNS?")).await, "Hello");
    assert_eq!(posted(&upstream).len(), 2);
    let named = json!({"model": NAMED, "messages": [{"role": "user", "content": "What is TLS?"}]});
    assert_eq!(text_of(&app, &named).await, "Hello");
    assert_eq!(posted(&upstream).len(), 3, "who names a model gets it");

    let mut turns = Vec::new();
    for text in ["What is SSH?", "what is ssh"] {
        let chat = app.chat(&json!({})).await;
        let path = format!("/api/chats/{chat}/turns");
        let events = app.post(&path, &json!({"content": text})).await.events().await;
        let done = data(events.last().unwrap())["turn"].clone();
        assert_eq!(done["answer"], "Hello", "{done}");
        turns.push(done["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(posted(&upstream).len(), 4);
    let trace = app
        .get(&format!("/api/turns/{}/trace", turns[1]))
        .await
        .json()
        .await;
    assert_eq!(trace["cache"], "hit", "{trace}");
    let again = format!("/api/turns/{}/regenerate", turns[1]);
    app.post(&again, &json!({})).await.events().await;
    assert_eq!(posted(&upstream).len(), 5, "another answer is wanted");
}
