//! What is done about models that fail: they are asked again, left alone, and gone on for by others; and names of the
//! operator's own lead from one to the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use goblin_core::maker::Maker;
use serde_json::{Value, json};

use crate::client::data;
use crate::cloud_doors::{faulty, good, handle, healthy, patient_handle, posted, question, sse, text_of};
use crate::fake_upstream::{FakeUpstream, Reply, cut};
use crate::test_app::{Setup, TestApp};

const OPENAI: &str = "/v1/chat/completions";
const NAMED: &str = "openai/gpt-5-nano";
const BOTH: &[&str] = &["both openai/gpt-5-nano anthropic/claude-sonnet-4-5"];

/// OpenAI with one model, which fails so many times in this way and then answers.
async fn failing(times: usize, fault: Reply) -> FakeUpstream {
    let failed = Arc::new(AtomicUsize::new(0));
    faulty(move || match failed.fetch_add(1, Ordering::SeqCst) < times {
        true => fault.clone(),
        false => good(Maker::OpenAi),
    })
    .await
}

fn status(line: &str, headers: &str) -> Reply {
    let body = r#"{"error":{"message":"boom","type":"server_error"}}"#;
    let head = format!(
        "HTTP/1.1 {line}\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    Reply::Bytes(format!("{head}{body}").into_bytes())
}

/// A stream of this text that breaks in the middle.
fn broken(said: &str) -> Reply {
    let event = json!({"choices": [{"index": 0, "delta": {"content": said}, "finish_reason": null}]});
    Reply::Bytes(cut("text/event-stream", sse(&[&event.to_string()])))
}

async fn alone(first: &FakeUpstream) -> TestApp {
    TestApp::start(Setup {
        upstreams: vec![handle(Maker::OpenAi, first)],
        resilient: true,
        ..Setup::default()
    })
    .await
}

async fn pair(first: &FakeUpstream, second: &FakeUpstream) -> TestApp {
    TestApp::start(Setup {
        upstreams: vec![handle(Maker::OpenAi, first), handle(Maker::Anthropic, second)],
        aliases: BOTH,
        resilient: true,
        ..Setup::default()
    })
    .await
}

/// The trace of an answer, once it is kept.
async fn trace(app: &TestApp, id: &str) -> Value {
    for _ in 0..200 {
        let mut reply = app.get(&format!("/v1/traces/{id}")).await;
        if reply.status == 200 {
            return reply.json().await;
        }
        tokio::task::yield_now().await;
    }
    panic!("the trace {id} was not kept");
}

#[tokio::test]
async fn what_passes_is_asked_again_and_every_attempt_is_in_the_trace() {
    for fault in [status("503 Service Unavailable", ""), Reply::Reset] {
        let upstream = failing(2, fault).await;
        let app = alone(&upstream).await;
        let mut reply = app.post(OPENAI, &question(NAMED, true)).await;
        assert_eq!(reply.status, 200);
        let id = reply.header("x-goblin-trace-id").to_owned();
        assert_eq!(&reply.events().await.last().unwrap().data[..], b"[DONE]");
        assert_eq!(posted(&upstream).len(), 3);
        let steps = trace(&app, &id).await["steps"].clone();
        let outcomes: Vec<&str> = steps
            .as_array()
            .unwrap()
            .iter()
            .map(|step| step["outcome"].as_str().unwrap())
            .collect();
        assert_eq!(outcomes, ["failed", "failed", "accepted"], "{steps}");
        assert!(
            steps[0]["why"].as_str().is_some_and(|why| !why.is_empty()),
            "{steps}"
        );
    }
}

#[tokio::test]
async fn what_stays_wrong_is_not_asked_again() {
    for (line, headers, expected) in [
        ("400 Bad Request", "", 400),
        ("401 Unauthorized", "", 502),
        ("429 Too Many Requests", "retry-after: 60\r\n", 429),
    ] {
        let upstream = failing(9, status(line, headers)).await;
        let app = alone(&upstream).await;
        let reply = app.post(OPENAI, &question(NAMED, false)).await;
        assert_eq!(
            (reply.status.as_u16(), posted(&upstream).len()),
            (expected, 1),
            "{line}"
        );
        if expected == 429 {
            assert_eq!(reply.header("retry-after"), "60");
        }
    }
}

#[tokio::test]
async fn a_limit_that_is_lifted_soon_is_waited_for() {
    let upstream = failing(1, status("429 Too Many Requests", "retry-after: 1\r\n")).await;
    let app = alone(&upstream).await;
    assert_eq!(text_of(&app, &question(NAMED, true)).await, "Hello");
    assert_eq!(posted(&upstream).len(), 2);
}

#[tokio::test]
async fn a_model_that_keeps_failing_is_left_alone_and_another_answers_at_once() {
    let first = failing(usize::MAX, status("500 Internal Server Error", "")).await;
    let second = healthy(Maker::Anthropic).await;
    let app = pair(&first, &second).await;
    for _ in 0..2 {
        assert_eq!(app.post(OPENAI, &question(NAMED, false)).await.status, 503);
    }
    let asked = posted(&first).len();
    assert!((5..=6).contains(&asked), "{asked}");
    let mut refused = app.post(OPENAI, &question(NAMED, false)).await;
    assert_eq!(refused.status, 503);
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=5).contains(&wait), "{wait}");
    let error = refused.json().await["error"].clone();
    assert!(error["message"].as_str().unwrap().contains("in a row"), "{error}");
    assert_eq!(text_of(&app, &question("both", true)).await, "Hello");
    assert_eq!(posted(&first).len(), asked, "it was asked no more");
}

#[tokio::test]
async fn a_name_of_the_operators_own_leads_from_one_model_to_the_next() {
    let first = failing(1, status("503 Service Unavailable", "")).await;
    let second = healthy(Maker::Anthropic).await;
    let app = pair(&first, &second).await;
    let whole = app.post(OPENAI, &question("both", false)).await.json().await;
    assert_eq!(whole["choices"][0]["message"]["content"], "Hello");
    assert_eq!(whole["model"], "anthropic/claude-sonnet-4-5");
    assert_eq!(text_of(&app, &question("both", true)).await, "Hello");
    assert_eq!(
        (posted(&first).len(), posted(&second).len()),
        (2, 1),
        "nobody waits where another stands ready"
    );
    let listed = app.get("/v1/models/both").await.json().await;
    assert_eq!(
        listed["goblin"]["alias_of"],
        json!([NAMED, "anthropic/claude-sonnet-4-5"])
    );
    let mut unknown = app.post(OPENAI, &question("bothh", false)).await;
    assert_eq!(unknown.status, 404);
    let message = unknown.json().await["error"]["message"].clone();
    assert!(message.as_str().unwrap().contains("`bothh`"), "{message}");
}

#[tokio::test]
async fn one_that_says_nothing_leaves_time_for_the_next() {
    let first = faulty(|| Reply::Silence).await;
    let second = healthy(Maker::Anthropic).await;
    let app = TestApp::start(Setup {
        upstreams: vec![
            patient_handle(Maker::OpenAi, &first, Duration::from_secs(60)),
            handle(Maker::Anthropic, &second),
        ],
        aliases: BOTH,
        resilient: true,
        ..Setup::default()
    })
    .await;
    for model in ["both", "goblin/best"] {
        let mut body = question(model, true);
        body["goblin"] = json!({"deadline_ms": 3000});
        assert_eq!(text_of(&app, &body).await, "Hello", "{model}");
    }
    assert_eq!((posted(&first).len(), posted(&second).len()), (2, 2));
}

#[tokio::test]
async fn a_broken_stream_is_gone_on_with_by_another_model_for_who_wants_that() {
    let first = faulty(|| broken("Once upon ")).await;
    let second = healthy(Maker::Anthropic).await;
    let app = pair(&first, &second).await;
    let mut body = question("both", true);
    body["goblin"] = json!({"continue": true});
    let mut reply = app.post(OPENAI, &body).await;
    let id = reply.header("x-goblin-trace-id").to_owned();
    let events = reply.events().await;
    let said: String = events[..events.len() - 1]
        .iter()
        .map(data)
        .filter_map(|chunk| Some(chunk["choices"][0]["delta"]["content"].as_str()?.to_owned()))
        .collect();
    assert_eq!(
        (&*said, &events.last().unwrap().data[..]),
        ("Once upon Hello", &b"[DONE]"[..])
    );
    let asked: Value = serde_json::from_str(&posted(&second)[0].body).unwrap();
    assert_eq!(
        asked["messages"][1]["content"][0]["text"], "Once upon ",
        "{asked}"
    );
    let trace = trace(&app, &id).await;
    assert!(
        trace["notes"][0].as_str().unwrap().contains("went on from there"),
        "{trace}"
    );
    assert_eq!(trace["steps"][0]["outcome"], "failed");
    assert_eq!(trace["steps"][1]["model"], "anthropic/claude-sonnet-4-5");
}

#[tokio::test]
async fn a_broken_stream_ends_with_an_error_for_everybody_else() {
    let first = faulty(|| broken("Once upon ")).await;
    let second = healthy(Maker::Anthropic).await;
    let app = pair(&first, &second).await;
    let events = app.post(OPENAI, &question("both", true)).await.events().await;
    let last = data(events.last().unwrap());
    assert_eq!(last["error"]["code"], "upstream_failed", "{last}");
    assert!(posted(&second).is_empty());
}

#[tokio::test]
async fn a_checked_answer_whose_stream_breaks_is_gone_on_with_as_well() {
    let failed = Arc::new(AtomicUsize::new(0));
    let first = faulty(move || match failed.fetch_add(1, Ordering::SeqCst) {
        0 => broken("Once upon "),
        _ => good(Maker::OpenAi),
    })
    .await;
    let app = alone(&first).await;
    let mut body = question("goblin/best", true);
    body["goblin"] = json!({"continue": true, "verify": "off"});
    assert_eq!(text_of(&app, &body).await, "Once upon Hello");
    assert_eq!(posted(&first).len(), 2);
}
