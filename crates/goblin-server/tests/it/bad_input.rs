//! Bad input, each case with its status, code and field, on each door.

use std::fmt::Write as _;

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use crate::test_app::TestApp;

/// A body, and what is said about it: code and field.
type Case = (&'static str, Bytes, &'static str, Option<&'static str>);

const ONE: &str = r#"[{"role":"user","content":"hi"}]"#;

fn with(fields: &str) -> Bytes {
    format!(r#"{{"model":"fake/parrot","messages":{ONE},{fields}}}"#).into()
}

fn messages(messages: &str) -> Bytes {
    format!(r#"{{"model":"fake/parrot","messages":{messages}}}"#).into()
}

fn asking(question: &str) -> Bytes {
    messages(&format!(r#"[{{"role":"user","content":"{question}"}}]"#))
}

fn invalid_requests() -> Vec<Case> {
    let many = format!(
        "[{}]",
        vec![r#"{"role":"user","content":"hi"}"#; 100_000].join(",")
    );
    let image = r#"[{"role":"user","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}]}]"#;
    let wrong = "invalid_request";
    vec![
        ("not an object", "[]".into(), wrong, Some("body")),
        (
            "deep",
            format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)).into(),
            wrong,
            Some("body"),
        ),
        (
            "no model",
            format!(r#"{{"messages":{ONE}}}"#).into(),
            wrong,
            Some("model"),
        ),
        (
            "model of a wrong type",
            format!(r#"{{"model":7,"messages":{ONE}}}"#).into(),
            wrong,
            Some("model"),
        ),
        (
            "no messages",
            r#"{"model":"fake/parrot"}"#.into(),
            wrong,
            Some("messages"),
        ),
        ("empty messages", messages("[]"), wrong, Some("messages")),
        (
            "messages of a wrong type",
            messages(r#""hi""#),
            wrong,
            Some("messages"),
        ),
        ("100k messages", messages(&many), wrong, Some("messages")),
        (
            "unknown role",
            messages(r#"[{"role":"wizard","content":"hi"}]"#),
            wrong,
            Some("messages[0].role"),
        ),
        (
            "content of a wrong type",
            messages(r#"[{"role":"user","content":7}]"#),
            wrong,
            Some("messages[0].content"),
        ),
        (
            "NUL",
            messages(r#"[{"role":"user","content":"a\u0000b"}]"#),
            wrong,
            Some("messages[0].content"),
        ),
        (
            "negative max_tokens",
            with(r#""max_tokens":-1"#),
            wrong,
            Some("max_tokens"),
        ),
        (
            "temperature 99",
            with(r#""temperature":99"#),
            wrong,
            Some("temperature"),
        ),
        (
            "temperature of a wrong type",
            with(r#""temperature":"hot""#),
            wrong,
            Some("temperature"),
        ),
        (
            "stream of a wrong type",
            with(r#""stream":"yes""#),
            wrong,
            Some("stream"),
        ),
        (
            "image for a text model",
            messages(image),
            wrong,
            Some("messages[0].content"),
        ),
        (
            "prompt over context",
            asking("long"),
            "context_length_exceeded",
            Some("messages"),
        ),
    ]
}

fn other_refusals() -> Vec<(u16, Case)> {
    let unknown = format!(r#"{{"model":"fake/parot","messages":{ONE}}}"#);
    vec![
        (400, ("empty", "".into(), "invalid_json", None)),
        (400, ("not JSON", "{\"model\":".into(), "invalid_json", None)),
        (
            400,
            (
                "invalid UTF-8",
                Bytes::from_static(b"{\"model\":\"\xff\xfe\"}"),
                "invalid_json",
                None,
            ),
        ),
        (
            404,
            ("unknown model", unknown.into(), "model_not_found", Some("model")),
        ),
        (
            413,
            ("11 MB", vec![b' '; 11_000_000].into(), "payload_too_large", None),
        ),
        (
            422,
            (
                "the upstream says it is wrong",
                asking("rejected"),
                "unsupported_value",
                Some("temperature"),
            ),
        ),
        (429, ("busy", asking("overload"), "rate_limited", None)),
        (503, ("unreachable", asking("unreachable"), "no_provider", None)),
    ]
}

async fn check(app: &TestApp, door: &str, status: u16, case: &Case) -> Result<(), String> {
    let (name, body, code, param) = case;
    let mut reply = app.call(Method::POST, door).bytes(body.clone()).send().await;
    let said = reply.json().await;
    let error = &said["error"];
    let found = (
        reply.status.as_u16(),
        error["code"].as_str(),
        error["param"].as_str(),
    );
    let has_detail = said["detail"].is_string() != door.starts_with("/v1");
    if found == (status, Some(code), *param) && has_detail && reply.header("x-correlation-id").len() == 36 {
        return Ok(());
    }
    Err(format!(
        "{door}, {name}: wanted {:?}, got {found:?}: {said}",
        (status, code, param)
    ))
}

#[tokio::test]
async fn every_door_refuses_bad_requests_with_status_code_and_field() {
    let (local, tier) = (TestApp::local().await, TestApp::tier().await);
    let doors = [
        (&local, "/v1/chat/completions"),
        (&local, "/api/chat/completions"),
        (&local, "/chat/completions"),
        (&tier, "/v1/chat/completions"),
        (&tier, "/chat/completions"),
    ];
    let mut wrong = String::new();
    for (app, door) in doors {
        let field_status = if door.starts_with("/v1") { 400 } else { 422 };
        let invalid = invalid_requests().into_iter().map(|case| (field_status, case));
        for (status, case) in invalid.chain(other_refusals()) {
            if let Err(sentence) = check(app, door, status, &case).await {
                writeln!(wrong, "{sentence}").unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[tokio::test]
async fn an_unknown_model_names_the_nearest_and_context_errors_name_both_numbers() {
    let app = TestApp::local().await;
    let unknown = format!(r#"{{"model":"fake/parot","messages":{ONE}}}"#);
    let text = app
        .call(Method::POST, "/v1/chat/completions")
        .bytes(unknown)
        .send()
        .await
        .text()
        .await;
    assert!(text.contains("Did you mean `fake/parrot`?"), "{text}");
    let text = app
        .call(Method::POST, "/v1/chat/completions")
        .bytes(asking("long"))
        .send()
        .await
        .text()
        .await;
    assert!(text.contains("9000") && text.contains("4096"), "{text}");
}

/// Bodies for `POST /api/chats`, and the field that is named.
fn bad_chats() -> Vec<(Bytes, &'static str)> {
    let set = |field: &str, value: Value| Bytes::from(json!({ field: value }).to_string());
    vec![
        (set("titel", json!("x")), "titel"),
        (set("title", json!(7)), "title"),
        (set("title", json!("x".repeat(201))), "title"),
        (set("title", json!("  ")), "title"),
        (set("folder", json!(["x"])), "folder"),
        (set("system", json!("x".repeat(1024 * 1024 + 1))), "system"),
        (set("system", json!("a\u{0}b")), "system"),
        (set("parameters", json!("hot")), "parameters"),
        (
            set("parameters", json!({"temperature": 99})),
            "parameters.temperature",
        ),
        (
            set("parameters", json!({"max_tokens": -1})),
            "parameters.max_tokens",
        ),
        (
            set("parameters", json!({"temprature": 1})),
            "parameters.temprature",
        ),
        ("[]".into(), "body"),
        (
            format!("{{\"title\":{}1{}}}", "[".repeat(5000), "]".repeat(5000)).into(),
            "body",
        ),
    ]
}

#[tokio::test]
async fn bad_chats_are_422_naming_the_field() {
    let app = TestApp::local().await;
    let chat = app.chat(&json!({})).await;
    for (body, param) in bad_chats() {
        for (method, path) in [
            (Method::POST, "/api/chats".to_owned()),
            (Method::PATCH, format!("/api/chats/{chat}")),
        ] {
            let mut reply = app.call(method, &path).bytes(body.clone()).send().await;
            assert_eq!(
                (reply.status.as_u16(), reply.header("content-type")),
                (422, "application/problem+json"),
                "{param}"
            );
            let problem = reply.json().await;
            assert_eq!(
                (problem["code"].as_str(), problem["param"].as_str()),
                (Some("invalid_request"), Some(param))
            );
        }
    }
    for body in [&b"{"[..], b"\xff", b"{\"title\":\"\xff\"}"] {
        let mut reply = app
            .call(Method::POST, "/api/chats")
            .bytes(Bytes::from_static(body))
            .send()
            .await;
        assert_eq!(
            (reply.status.as_u16(), reply.json().await["code"].clone()),
            (400, json!("invalid_json"))
        );
    }
    let mut large = app
        .call(Method::POST, "/api/chats")
        .bytes(vec![b' '; 11_000_000])
        .send()
        .await;
    assert_eq!(
        (large.status.as_u16(), large.json().await["status"].clone()),
        (413, json!(413))
    );
}

#[tokio::test]
async fn bad_turns_are_422_naming_the_field() {
    let app = TestApp::local().await;
    let (chat, other) = (app.chat(&json!({})).await, app.chat(&json!({})).await);
    let path = format!("/api/chats/{chat}/turns");
    let events = app
        .post(&format!("/api/chats/{other}/turns"), &json!({"content": "hi"}))
        .await
        .events()
        .await;
    let foreign = crate::client::data(&events[0])["turn"]["id"].clone();
    let cases = [
        (json!({}), "content"),
        (json!({"content": ""}), "content"),
        (json!({"content": " \n"}), "content"),
        (json!({"content": "a\u{0}b"}), "content"),
        (json!({"content": 7}), "content"),
        (json!({"content": "x".repeat(1024 * 1024 + 1)}), "content"),
        (json!({"content": "hi", "parent": "x"}), "parent"),
        (json!({"content": "hi", "parent": foreign}), "parent"),
        (json!({"content": "hi", "model": 7}), "model"),
        (json!({"content": "hi", "stream": true}), "stream"),
    ];
    for (body, param) in cases {
        let mut reply = app.post(&path, &body).await;
        assert_eq!(reply.status, 422, "{param}");
        assert_eq!(reply.json().await["param"], param);
    }
    let head = json!({"head": foreign});
    let mut reply = app
        .call(Method::PATCH, &format!("/api/chats/{chat}"))
        .json(&head)
        .send()
        .await;
    assert_eq!(
        (reply.status.as_u16(), reply.json().await["param"].clone()),
        (422, json!("head"))
    );
}

#[tokio::test]
async fn bad_query_fields_are_422_naming_the_field() {
    let app = TestApp::local().await;
    let chat = app.chat(&json!({})).await;
    let turns = format!("/api/chats/{chat}/turns");
    let cases = [
        ("/api/chats?limit=0".to_owned(), "limit"),
        ("/api/chats?limit=201".to_owned(), "limit"),
        ("/api/chats?limit=ten".to_owned(), "limit"),
        ("/api/chats?cursor=zz".to_owned(), "cursor"),
        ("/api/chats?page=2".to_owned(), "page"),
        ("/api/chats?limit=1&limit=2".to_owned(), "limit"),
        (format!("{turns}?before=x"), "before"),
        (
            format!("{turns}?before=00000000-0000-7000-8000-000000000000"),
            "before",
        ),
        (format!("{turns}?after=1"), "after"),
    ];
    for (path, param) in cases {
        let mut reply = app.get(&path).await;
        assert_eq!(
            (reply.status.as_u16(), reply.json().await["param"].clone()),
            (422, json!(param)),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_bad_event_index_is_refused() {
    let app = TestApp::local().await;
    let chat = app.chat(&json!({})).await;
    let events = app
        .post(&format!("/api/chats/{chat}/turns"), &json!({"content": "hi"}))
        .await
        .events()
        .await;
    let turn = crate::client::data(&events[0])["turn"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/api/turns/{turn}/events");
    let mut reply = app
        .call(Method::GET, &path)
        .header("last-event-id", "x")
        .send()
        .await;
    assert_eq!(
        (reply.status.as_u16(), reply.json().await["param"].clone()),
        (422, json!("last-event-id"))
    );
    assert_eq!(
        app.get(&format!("{path}?after=-1")).await.json().await["param"],
        "after"
    );
    // An index beyond the end of a finished turn: nothing follows, or the turn as it was saved.
    let beyond = app.get(&format!("{path}?after=999999")).await.events().await;
    assert!(beyond.len() <= 1);
}
