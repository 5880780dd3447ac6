//! Files attached to questions: taken by their bytes, given back as what they are, and only to whoever attached them.

use goblin_core::attachment::AttachmentLimits;
use http::Method;
use serde_json::{Value, json};

use crate::able::able;
use crate::client::{RawConnection, Reply, data};
use crate::people::{guest, owner, public_app};
use crate::test_app::{Setup, TestApp};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and the rest";
const NOWHERE: &str = "01977f4a-0000-7000-8000-000000000000";

async fn attach(app: &TestApp, name: &str, content: &'static [u8]) -> Reply {
    app.call(Method::POST, &format!("/api/attachments?name={name}"))
        .header("content-type", "text/html")
        .bytes(content)
        .send()
        .await
}

async fn attached(app: &TestApp, name: &str, content: &'static [u8]) -> String {
    let mut reply = attach(app, name, content).await;
    let (status, made) = (reply.status, reply.json().await);
    assert_eq!(status, 201, "{made}");
    made["id"].as_str().unwrap().to_owned()
}

async fn seeing_app() -> TestApp {
    TestApp::start(Setup {
        able,
        ..Setup::default()
    })
    .await
}

#[tokio::test]
async fn a_file_comes_back_as_its_bytes_say_and_nothing_of_it_runs() {
    let app = TestApp::local().await;
    for (name, content, kept, media_type, how) in [
        (
            "p.png",
            PNG,
            "p.png",
            "image/png",
            "inline; filename*=UTF-8''p.png",
        ),
        (
            "..%2F..%2Fx%22%0Ay.html",
            b"<script>alert(1)</script>".as_slice(),
            "x\"y.html",
            "text/plain; charset=utf-8",
            "attachment; filename*=UTF-8''x%22y.html",
        ),
        (
            "evil.svg",
            b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
            "evil.svg",
            "text/plain; charset=utf-8",
            "attachment; filename*=UTF-8''evil.svg",
        ),
    ] {
        let mut made = attach(&app, name, content).await;
        assert_eq!(made.status, 201);
        let made = made.json().await;
        assert_eq!(
            (&made["name"], &made["bytes"]),
            (&json!(kept), &json!(content.len()))
        );
        let path = format!("/api/attachments/{}", made["id"].as_str().unwrap());
        let mut back = app.get(&path).await;
        assert_eq!(
            (
                back.status.as_u16(),
                back.header("content-type"),
                back.header("content-disposition")
            ),
            (200, media_type, how)
        );
        assert_eq!(back.header("x-content-type-options"), "nosniff");
        assert_eq!(back.header("cache-control"), "no-store");
        let policy = back.header("content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && policy.contains("sandbox"),
            "{policy}"
        );
        assert_eq!(back.bytes().await, content);
    }
}

#[tokio::test]
async fn what_is_no_picture_and_no_text_is_refused() {
    let app = TestApp::local().await;
    for (content, says) in [
        (b"".as_slice(), "empty"),
        (b"%PDF-1.7\n", "PDF"),
        (b"\x7fELF\0\0", "neither a picture"),
    ] {
        let mut reply = attach(&app, "photo.png", content).await;
        let refused = reply.json().await;
        assert_eq!(
            (reply.status.as_u16(), &refused["code"]),
            (422, &json!("invalid_request"))
        );
        assert!(refused["detail"].as_str().unwrap().contains(says), "{refused}");
    }
    let mut unknown = app
        .call(Method::POST, "/api/attachments?nam=x")
        .bytes(PNG)
        .send()
        .await;
    assert_eq!(
        (unknown.status.as_u16(), &unknown.json().await["param"]),
        (422, &json!("nam"))
    );
}

#[tokio::test]
async fn a_file_that_is_too_large_is_refused_before_it_is_read() {
    let app = TestApp::local().await;
    let mut raw = RawConnection::open(app.address).await;
    // Fifty megabytes are announced, and not one of them is sent.
    raw.write(
        "POST /api/attachments?name=big.png HTTP/1.1\r\nhost: localhost\r\ncontent-length: 52428800\r\n\
         connection: close\r\n\r\n",
    )
    .await;
    let said = raw.read_some().await;
    assert!(said.starts_with("HTTP/1.1 413 "), "{said}");
    assert!(
        said.contains("20971520 bytes (`attachments.bytes_each`)"),
        "{said}"
    );
}

#[tokio::test]
async fn files_have_the_bounds_the_operator_sets_whatever_bodies_have() {
    let app = TestApp::with_options(|options| {
        options.max_body_bytes = 1024;
        options.attachments = AttachmentLimits {
            bytes_each: 2048,
            bytes_each_person: 4000,
        };
    })
    .await;
    let two = &[b'a'; 2048];
    attached(&app, "one.txt", two).await;
    let mut full = attach(&app, "two.txt", two).await;
    assert_eq!(full.status, 409);
    let said = full.json().await["detail"].to_string();
    assert!(
        said.contains("4000") && said.contains("attachments.bytes_each_person"),
        "{said}"
    );
    assert_eq!(attach(&app, "three.txt", &[b'a'; 2049]).await.status, 413);
}

#[tokio::test]
async fn a_question_shows_its_files_and_an_edit_keeps_them() {
    let app = seeing_app().await;
    let picture = attached(&app, "p.png", PNG).await;
    let notes = attached(&app, "notes.txt", b"some notes").await;
    let chat = app.chat(&json!({})).await;
    let asked = json!({"content": "What is this?", "attachments": [picture, notes]});
    let path = format!("/api/chats/{chat}/turns");
    let events = app.post(&path, &asked).await.events().await;
    let shown = |event: &Value| -> Vec<String> {
        let files = event["turn"]["attachments"].as_array().unwrap();
        files
            .iter()
            .map(|f| f["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let both = vec![picture.clone(), notes.clone()];
    assert_eq!(shown(&data(&events[0])), both);
    let done = data(events.last().unwrap());
    assert_eq!(
        (shown(&done), &done["turn"]["status"]),
        (both.clone(), &json!("complete"))
    );
    let listed = app.get(&path).await.json().await;
    assert_eq!(listed["items"][0]["attachments"][0]["media_type"], "image/png");

    let turn = done["turn"]["id"].as_str().unwrap();
    let edit = format!("/api/turns/{turn}/edit");
    for (body, files) in [
        (json!({"content": "Again"}), both),
        (
            json!({"content": "Again", "attachments": [notes]}),
            vec![notes.clone()],
        ),
    ] {
        let events = app.post(&edit, &body).await.events().await;
        assert_eq!(shown(&data(events.last().unwrap())), files);
    }
}

#[tokio::test]
async fn wrong_lists_of_files_are_named_and_nothing_is_asked() {
    let app = TestApp::local().await;
    let chat = app.chat(&json!({})).await;
    let path = format!("/api/chats/{chat}/turns");
    let picture = attached(&app, "p.png", PNG).await;
    let many: Vec<String> = (0..11)
        .map(|n| format!("01977f4a-0000-7000-8000-{n:012}"))
        .collect();
    for (attachments, status, param) in [
        (json!("p.png"), 422, json!("attachments")),
        (json!(["p.png"]), 422, json!("attachments")),
        (json!([1]), 422, json!("attachments")),
        (json!([picture, picture]), 422, json!("attachments")),
        (json!(many), 422, json!("attachments")),
        (json!([NOWHERE]), 404, Value::Null),
        // No model here sees.
        (json!([picture]), 422, json!("attachments")),
    ] {
        let body = json!({"content": "What is this?", "attachments": attachments});
        let mut reply = app.post(&path, &body).await;
        let refused = reply.json().await;
        assert_eq!(
            (reply.status.as_u16(), &refused["param"]),
            (status, &param),
            "{body}: {refused}"
        );
    }
    assert_eq!(app.get(&path).await.json().await["items"], json!([]));
    assert_eq!(app.provider.asked(), 0);
}

#[tokio::test]
async fn a_file_is_nobody_elses() {
    let app = public_app().await;
    let owner = owner(&app).await;
    let ada = guest(&app, &owner, "ada@example.org", "member").await;
    let mut made = ada
        .call(&app, Method::POST, "/api/attachments?name=a.txt")
        .bytes("hers")
        .send()
        .await;
    assert_eq!(made.status, 201);
    let id = made.json().await["id"].as_str().unwrap().to_owned();
    let path = format!("/api/attachments/{id}");
    assert_eq!(ada.get(&app, &path).await.status, 200);
    for unknown in [
        &path,
        "/api/attachments/x",
        &format!("/api/attachments/{NOWHERE}"),
    ] {
        let mut reply = owner.get(&app, unknown).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.json().await["detail"]),
            (404, &json!("There is no such attachment."))
        );
    }
    let chat = owner.post(&app, "/api/chats", &json!({})).await.json().await;
    let turns = format!("/api/chats/{}/turns", chat["id"].as_str().unwrap());
    let body = json!({"content": "read it", "attachments": [id]});
    assert_eq!(owner.post(&app, &turns, &body).await.status, 404);
    assert_eq!(app.get(&path).await.status, 401);
}
