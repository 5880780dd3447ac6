//! One place, somebody in it: what the doors say to those who come meanwhile.

use std::sync::Arc;

use goblin_core::provider::ProviderHandle;
use goblin_server::app::Surface;
use http::Method;
use serde_json::{Value, json};

use crate::client::{Call, RawConnection, guard};
use crate::provider::Played;
use crate::test_app::{KEY, Setup, TestApp};

/// One answer at a time, fifty tokens a second.
fn one_slow_place(handle: ProviderHandle) -> ProviderHandle {
    let plain = Arc::clone(&handle.status);
    ProviderHandle {
        status: Arc::new(move || {
            let asked = plain();
            Box::pin(async move {
                let mut status = asked.await;
                (status.slots, status.free_slots) = (Some(1), None);
                status.decode_tokens_per_second = Some(50.0);
                status
            })
        }),
        ..handle
    }
}

/// A tier whose only place is taken.
async fn occupied() -> (TestApp, crate::client::Reply, Played) {
    let app = TestApp::start(Setup {
        surface: Surface::Tier,
        able: one_slow_place,
        ..Setup::default()
    })
    .await;
    let (reply, played) = app.begun().await;
    (app, reply, played)
}

fn question(stream: bool) -> Value {
    let messages = json!([{"role": "user", "content": "play"}]);
    json!({"model": "parrot", "max_tokens": 8, "stream": stream, "messages": messages})
}

async fn queued(app: &TestApp) -> u64 {
    let status = app.get("/v1/goblin/status").await.json().await;
    status["instances"][0]["queued"].as_u64().unwrap()
}

async fn until_queued(app: &TestApp, wanted: u64) {
    guard(async {
        while queued(app).await != wanted {
            // A key may look only so often in a minute.
            app.clock.advance_ms(1000);
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn every_door_says_at_once_that_a_deadline_cannot_be_kept_and_what_is_expected() {
    let (app, _running, _played) = occupied().await;
    for door in [
        "/v1/chat/completions",
        "/chat/completions",
        "/v1/messages",
        "/api/chat",
        "/api/generate",
    ] {
        for stream in [true, false] {
            let mut body = question(stream);
            if door == "/api/generate" {
                body = json!({"model": "parrot", "prompt": "play", "stream": stream});
            }
            let by_header = app.call(Method::POST, door).header("x-goblin-deadline-ms", "900");
            let mut calls = vec![by_header.json(&body)];
            if door.ends_with("/chat/completions") {
                body["goblin"] = json!({"deadline_ms": 900});
                calls.push(app.call(Method::POST, door).json(&body));
            }
            for call in calls {
                let mut reply = call.send().await;
                let wait: u64 = reply.header("retry-after").parse().unwrap_or(0);
                let text = reply.text().await;
                assert_eq!(reply.status, 503, "{door}: {text}");
                assert!(wait >= 1, "{door}");
                assert!(
                    text.contains("would begin in about") && text.contains("allows 0.9 s"),
                    "{door}: {text}"
                );
            }
        }
    }
    assert_eq!(queued(&app).await, 0);
    assert!(app.provider.none_played(), "nobody else was begun");
}

#[tokio::test]
async fn a_client_that_leaves_the_queue_is_gone_from_it_and_was_never_begun() {
    let (app, running, played) = occupied().await;
    for (door, stream) in [
        ("/v1/chat/completions", true),
        ("/v1/messages", true),
        ("/api/chat", false),
    ] {
        let body = question(stream).to_string();
        let mut waiting = RawConnection::open(app.address).await;
        let head = format!(
            "POST {door} HTTP/1.1\r\nhost: tier\r\nx-api-key: {KEY}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        waiting.write(head).await;
        until_queued(&app, 1).await;
        drop(waiting);
        until_queued(&app, 0).await;
    }
    drop(running);
    guard(played.dropped()).await;
    // The place is free again, and goes to the next who really waits.
    let next = Call::new(app.address, Method::POST, "/v1/chat/completions").header("x-api-key", KEY);
    let hello = json!({"model": "parrot", "messages": [{"role": "user", "content": "hi"}]});
    assert_eq!(next.json(&hello).send().await.status, 200);
    assert!(app.provider.none_played(), "who left was never begun");
}
