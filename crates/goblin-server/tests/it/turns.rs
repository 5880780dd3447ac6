//! Turns: asked, followed, left, found again, stopped, branched.

use goblin_core::provider::ProviderError;
use http::Method;
use serde_json::{Value, json};

use crate::client::{Reply, data, guard};
use crate::provider::Played;
use crate::test_app::TestApp;

/// A chat with a turn the test plays, after its first piece.
struct Asked {
    turn: String,
    reply: Reply,
    played: Played,
}

async fn ask_and_play(app: &TestApp) -> Asked {
    let chat = app.chat(&json!({})).await;
    let mut reply = app
        .post(
            &format!("/api/chats/{chat}/turns"),
            &json!({"content": "play it"}),
        )
        .await;
    assert_eq!(
        (reply.status.as_u16(), reply.header("content-type")),
        (200, "text/event-stream")
    );
    let first = reply.event().await.unwrap();
    assert_eq!(
        (first.event.as_deref(), first.id.as_deref()),
        (Some("turn"), Some("1"))
    );
    let turn = data(&first)["turn"]["id"].as_str().unwrap().to_owned();
    let played = app.provider.played().await;
    Asked { turn, reply, played }
}

async fn finished(app: &TestApp, chat: &str, question: &str) -> Value {
    let body = json!({"content": question});
    let events = app
        .post(&format!("/api/chats/{chat}/turns"), &body)
        .await
        .events()
        .await;
    data(events.last().unwrap())["turn"].clone()
}

#[tokio::test]
async fn a_question_streams_numbered_events_from_turn_to_done() {
    let app = TestApp::local().await;
    let chat = app.chat(&json!({})).await;
    let body = json!({"content": "Why is the sky blue?"});
    let events = app
        .post(&format!("/api/chats/{chat}/turns"), &body)
        .await
        .events()
        .await;
    let names: Vec<&str> = events.iter().map(|e| e.event.as_deref().unwrap()).collect();
    assert_eq!((names[0], names[names.len() - 1]), ("turn", "done"));
    let ids: Vec<String> = events.iter().map(|e| e.id.clone().unwrap()).collect();
    let counted: Vec<String> = (1..=ids.len()).map(|n| n.to_string()).collect();
    assert_eq!(ids, counted);
    let first = data(&events[0]);
    assert_eq!(first["chat"]["title"], "Why is the sky blue?");
    assert_eq!(first["turn"]["status"], "streaming");
    let text: String = events
        .iter()
        .filter(|e| e.event.as_deref() == Some("delta"))
        .map(|e| data(e)["text"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(text, "Hello there.");
    let done = data(events.last().unwrap());
    assert_eq!(
        (done["turn"]["status"].clone(), done["turn"]["answer"].clone()),
        (json!("complete"), json!("Hello there."))
    );
    assert_eq!(done["turn"]["model"], "fake/parrot");
}

#[tokio::test]
async fn leaving_does_not_stop_a_turn_and_it_is_found_again_by_event_id() {
    let app = TestApp::local().await;
    let Asked { turn, reply, played } = ask_and_play(&app).await;
    played.say("One ");
    drop(reply);
    let path = format!("/api/turns/{turn}/events");
    let mut again = app
        .call(Method::GET, &path)
        .header("last-event-id", "1")
        .send()
        .await;
    let event = again.event().await.unwrap();
    assert_eq!(
        (event.id.as_deref(), data(&event)),
        (Some("2"), json!({"text": "One "}))
    );
    let mut other = app.get(&format!("{path}?after=1")).await;
    played.say("two");
    assert_eq!(data(&again.event().await.unwrap()), json!({"text": "two"}));
    played.finish();
    for reader in [&mut again, &mut other] {
        let done = data(reader.events().await.last().unwrap());
        assert_eq!(
            (done["turn"]["answer"].clone(), done["turn"]["status"].clone()),
            (json!("One two"), json!("complete"))
        );
    }
    assert_eq!(
        app.get(&format!("/api/turns/{turn}")).await.json().await["answer"],
        "One two"
    );
}

#[tokio::test]
async fn a_turn_whose_log_is_gone_is_one_snapshot() {
    let app = TestApp::local().await;
    let chat = app.chat(&json!({})).await;
    let turn = finished(&app, &chat, "hi").await;
    app.clock.advance_ms(3_600_000);
    // Logs are looked through when another turn begins or one is asked for.
    finished(&app, &chat, "again").await;
    let events = app
        .get(&format!("/api/turns/{}/events", turn["id"].as_str().unwrap()))
        .await
        .events()
        .await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].event.as_deref(), Some("snapshot"));
    assert_eq!(data(&events[0])["turn"]["answer"], "Hello there.");
}

#[tokio::test]
async fn stop_keeps_what_was_answered_and_may_be_said_twice() {
    let app = TestApp::local().await;
    let Asked {
        turn,
        mut reply,
        played,
    } = ask_and_play(&app).await;
    played.say("Half an ans");
    assert_eq!(reply.event().await.unwrap().event.as_deref(), Some("delta"));
    let stop = format!("/api/turns/{turn}/stop");
    for _ in 0..2 {
        let mut stopped = app.call(Method::POST, &stop).send().await;
        assert_eq!(stopped.status, 200);
        let turn = stopped.json().await;
        assert_eq!(
            (turn["status"].clone(), turn["answer"].clone()),
            (json!("stopped"), json!("Half an ans"))
        );
    }
    guard(played.dropped()).await;
    assert_eq!(
        data(reply.events().await.last().unwrap())["turn"]["status"],
        "stopped"
    );
}

#[tokio::test]
async fn a_turn_that_fails_ends_with_done_and_says_why_without_internals() {
    let app = TestApp::local().await;
    let Asked {
        mut reply, played, ..
    } = ask_and_play(&app).await;
    played.say("Par");
    played.fail(ProviderError::Interrupted {
        reason: "10.0.0.7 reset".into(),
    });
    let events = reply.events().await;
    let turn = data(events.last().unwrap())["turn"].clone();
    assert_eq!(
        (turn["status"].clone(), turn["answer"].clone()),
        (json!("failed"), json!("Par"))
    );
    assert_eq!(turn["error"]["code"], "upstream_failed");
    assert!(!turn.to_string().contains("10.0.0.7"));
}

#[tokio::test]
async fn regenerate_and_edit_make_siblings_and_the_head_moves_between_branches() {
    let app = TestApp::local().await;
    let chat = app.chat(&json!({})).await;
    let first = finished(&app, &chat, "hi").await;
    let id = first["id"].as_str().unwrap();
    let events = app
        .call(Method::POST, &format!("/api/turns/{id}/regenerate"))
        .send()
        .await
        .events()
        .await;
    let second = data(events.last().unwrap())["turn"].clone();
    assert_eq!(second["content"], "hi");
    assert_eq!(second["siblings"].as_array().unwrap().len(), 2);
    let edited = app
        .post(&format!("/api/turns/{id}/edit"), &json!({"content": "hello"}))
        .await
        .events()
        .await;
    let third = data(edited.last().unwrap())["turn"].clone();
    assert_eq!(
        (
            third["content"].clone(),
            third["siblings"].as_array().unwrap().len()
        ),
        (json!("hello"), 3)
    );

    let shown = app.get(&format!("/api/chats/{chat}/turns")).await.json().await;
    assert_eq!(
        (
            shown["items"].as_array().unwrap().len(),
            shown["items"][0]["id"].clone()
        ),
        (1, third["id"].clone())
    );
    let path = format!("/api/chats/{chat}");
    let moved = app
        .call(Method::PATCH, &path)
        .json(&json!({"head": id}))
        .send()
        .await
        .json()
        .await;
    assert_eq!(moved["head"], id);
    let shown = app.get(&format!("{path}/turns")).await.json().await;
    assert_eq!(shown["items"][0]["id"], id);
}

#[tokio::test]
async fn turns_are_paged_from_the_newest_up() {
    let app = TestApp::local().await;
    let chat = app.chat(&json!({})).await;
    for question in ["a", "b", "c"] {
        finished(&app, &chat, question).await;
    }
    let page = app
        .get(&format!("/api/chats/{chat}/turns?limit=2"))
        .await
        .json()
        .await;
    assert_eq!(
        (page["items"][0]["content"].clone(), page["has_more"].clone()),
        (json!("b"), json!(true))
    );
    let before = page["items"][0]["id"].as_str().unwrap();
    let page = app
        .get(&format!("/api/chats/{chat}/turns?before={before}"))
        .await
        .json()
        .await;
    assert_eq!(
        (page["items"][0]["content"].clone(), page["has_more"].clone()),
        (json!("a"), json!(false))
    );
}

#[tokio::test]
async fn parent_null_begins_a_new_root() {
    let app = TestApp::local().await;
    let chat = app.chat(&json!({})).await;
    finished(&app, &chat, "a").await;
    let body = json!({"content": "b", "parent": null});
    let events = app
        .post(&format!("/api/chats/{chat}/turns"), &body)
        .await
        .events()
        .await;
    let turn = data(events.last().unwrap())["turn"].clone();
    assert_eq!(
        (turn["parent"].clone(), turn["siblings"].as_array().unwrap().len()),
        (Value::Null, 2)
    );
}

#[tokio::test]
async fn a_turn_nobody_can_answer_is_a_plain_problem() {
    let app = TestApp::local().await;
    let chat = app.chat(&json!({})).await;
    let path = format!("/api/chats/{chat}/turns");
    let mut wrong = app
        .post(&path, &json!({"content": "hi", "model": "fake/parot"}))
        .await;
    assert_eq!(wrong.status, 404);
    let problem = wrong.json().await;
    assert_eq!(
        (problem["code"].clone(), problem["param"].clone()),
        (json!("model_not_found"), json!("model"))
    );
    assert!(problem["detail"].as_str().unwrap().contains("fake/parrot"));
    assert_eq!(problem["request_id"], wrong.header("x-correlation-id"));
}
