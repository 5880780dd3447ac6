//! Chats: made, listed, changed, deleted, brought back.

use http::Method;
use serde_json::{Value, json};

use crate::test_app::TestApp;

#[tokio::test]
async fn a_chat_is_made_shown_changed_and_cleared() {
    let app = TestApp::local().await;
    let made = json!({"title": "Plans", "model": "fake/parrot", "system": "Be brief.",
        "parameters": {"temperature": 0.5, "stop": ["END"]}, "folder": "work"});
    let mut reply = app.post("/api/chats", &made).await;
    assert_eq!(reply.status, 201);
    let chat = reply.json().await;
    let path = format!("/api/chats/{}", chat["id"].as_str().unwrap());
    assert_eq!(chat["parameters"], json!({"temperature": 0.5, "stop": ["END"]}));
    assert_eq!(app.get(&path).await.json().await, chat);

    let change = json!({"title": "Other", "system": null, "parameters": {"top_k": 40}});
    let mut reply = app.call(Method::PATCH, &path).json(&change).send().await;
    assert_eq!(reply.status, 200);
    let changed = reply.json().await;
    assert_eq!(
        (changed["title"].clone(), changed["system"].clone()),
        (json!("Other"), Value::Null)
    );
    assert_eq!(
        (changed["folder"].clone(), changed["parameters"].clone()),
        (json!("work"), json!({"top_k": 40}))
    );
}

#[tokio::test]
async fn an_empty_body_makes_an_empty_chat() {
    let app = TestApp::local().await;
    for body in ["", "{}", " \n"] {
        let mut reply = app.call(Method::POST, "/api/chats").bytes(body).send().await;
        assert_eq!(reply.status, 201, "{body:?}");
        assert_eq!(reply.json().await["title"], Value::Null);
    }
}

#[tokio::test]
async fn chats_are_listed_newest_first_in_pages() {
    let app = TestApp::local().await;
    for title in ["one", "two", "three"] {
        app.chat(&json!({"title": title})).await;
        app.clock.advance_ms(1000);
    }
    let titles = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap();
        items
            .iter()
            .map(|c| c["title"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = app.get("/api/chats?limit=2").await.json().await;
    assert_eq!(titles(&first), ["three", "two"]);
    let next = format!(
        "/api/chats?limit=2&cursor={}",
        first["next_cursor"].as_str().unwrap()
    );
    let second = app.get(&next).await.json().await;
    assert_eq!(
        (titles(&second), second["next_cursor"].clone()),
        (vec!["one".to_owned()], Value::Null)
    );
}

#[tokio::test]
async fn a_deleted_chat_is_gone_and_comes_back_for_ten_seconds() {
    let app = TestApp::local().await;
    let path = format!("/api/chats/{}", app.chat(&json!({"title": "x"})).await);
    let restore = format!("{path}/restore");
    let mut gone = app.call(Method::DELETE, &path).send().await;
    assert_eq!((gone.status.as_u16(), gone.text().await.as_str()), (204, ""));
    assert_eq!(app.get(&path).await.status, 404);
    assert_eq!(app.call(Method::DELETE, &path).send().await.status, 404);
    app.clock.advance_ms(9_000);
    assert_eq!(
        app.call(Method::POST, &restore).send().await.json().await["title"],
        "x"
    );
    assert_eq!(app.get(&path).await.status, 200);
    assert_eq!(app.call(Method::DELETE, &path).send().await.status, 204);
    app.clock.advance_ms(11_000);
    assert_eq!(app.call(Method::POST, &restore).send().await.status, 404);
}

#[tokio::test]
async fn what_cannot_be_an_id_or_is_nobodys_does_not_exist() {
    let app = TestApp::local().await;
    for id in [
        "x",
        "..%2f..%2fetc",
        "%ff",
        "00000000-0000-7000-8000-000000000000",
        "'; DROP TABLE chats",
    ] {
        let path = format!("/api/chats/{}", id.replace(' ', "%20"));
        let mut reply = app.get(&path).await;
        assert_eq!(reply.status, 404, "{id}");
        assert_eq!(reply.header("content-type"), "application/problem+json");
        assert_eq!(reply.json().await["detail"], "There is no such chat.");
    }
    assert_eq!(
        app.get("/api/turns/x").await.json().await["detail"],
        "There is no such turn."
    );
}
