//! The model tier: OpenAI's shape behind a key, and nothing else.

use goblin_core::provider::Health;
use http::Method;
use serde_json::{Value, json};

use crate::client::{Call, guard};
use crate::test_app::{KEY, TestApp};

fn ask() -> Value {
    json!({"model": "parrot", "messages": [{"role": "user", "content": "hi"}]})
}

#[tokio::test]
async fn a_key_is_required_in_either_header_and_a_wrong_one_is_told_what_is_missing() {
    let app = TestApp::tier().await;
    let paths = [
        (Method::POST, "/v1/chat/completions"),
        (Method::POST, "/chat/completions"),
        (Method::GET, "/v1/models"),
        (Method::GET, "/v1/models/parrot"),
        (Method::GET, "/models"),
        (Method::GET, "/metrics"),
    ];
    for (method, path) in paths {
        for (name, value) in [
            ("x-none", ""),
            ("x-api-key", "wrong"),
            ("authorization", "Bearer wrong"),
        ] {
            let mut reply = Call::new(app.address, method.clone(), path)
                .header(name, value)
                .json(&ask())
                .send()
                .await;
            assert_eq!(reply.status, 401, "{path} {name}");
            assert_eq!(reply.header("www-authenticate"), "Bearer");
            let body = reply.json().await;
            assert_eq!(body["error"]["code"], "unauthorized", "{path}");
            assert_eq!(body["detail"].is_string(), !path.starts_with("/v1"), "{path}");
        }
        let own = Call::new(app.address, method.clone(), path).header("x-api-key", KEY);
        assert_eq!(own.json(&ask()).send().await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn models_have_bare_names_and_tell_how_many_places_there_are() {
    let app = TestApp::tier().await;
    let list = app.get("/v1/models").await.json().await;
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    assert_eq!(
        (
            list["data"][0]["id"].clone(),
            list["data"][0]["goblin"]["slots"].clone()
        ),
        (json!("parrot"), json!(8))
    );
    assert_eq!(list["goblin"]["slots"], 8);
    let legacy = app.get("/models").await.json().await;
    assert_eq!(legacy, json!({"models": {"ollama": [], "llamacpp": ["parrot"]}}));
}

#[tokio::test]
async fn the_tier_has_no_page_no_chats_and_no_documents() {
    let app = TestApp::tier().await;
    for path in ["/api/chats", "/docs", "/openapi.json", "/api/status"] {
        let mut reply = app.get(path).await;
        assert_eq!(reply.status, 404, "{path}");
        let said = if path.starts_with("/api/") {
            "error"
        } else {
            "detail"
        };
        assert!(reply.json().await[said].is_string(), "{path}");
    }
}

#[tokio::test]
async fn a_tier_whose_model_server_is_away_says_so_and_recovers() {
    let app = TestApp::tier().await;
    app.provider
        .set_health(Health::Down("10.0.0.7:11434 refused".into()));
    for path in ["/v1/chat/completions", "/chat/completions"] {
        let mut reply = app.post(path, &ask()).await;
        assert_eq!(reply.status, 503, "{path}");
        let body = reply.json().await;
        assert_eq!(body["error"]["code"], "no_provider");
        assert!(
            body["error"]["message"]
                .as_str()
                .unwrap()
                .contains("cannot be reached")
        );
        assert!(!body.to_string().contains("10.0.0.7"));
    }
    app.provider.set_health(Health::Ok);
    assert_eq!(app.post("/v1/chat/completions", &ask()).await.status, 200);
}

#[tokio::test]
async fn a_tier_without_an_answering_model_server_does_not_list_no_models() {
    let app = TestApp::tier().await;
    for (health, code) in [
        (Health::Starting("41 %".into()), "unavailable"),
        (Health::Down("10.0.0.7:11434 refused".into()), "no_provider"),
    ] {
        app.provider.set_health(health);
        let mut reply = app.get("/v1/models").await;
        assert_eq!(reply.status, 503);
        assert_eq!(reply.json().await["error"]["code"], code);
    }
    app.provider.set_health(Health::Ok);
    assert_eq!(app.get("/v1/models").await.status, 200);
}

#[tokio::test]
async fn a_name_that_is_no_text_is_a_model_that_is_not_there() {
    // The model tier refuses such a path before it asks for models.
    let app = TestApp::local().await;
    let mut reply = app.get("/v1/models/%FF").await;
    assert_eq!(reply.status, 404);
    assert_eq!(reply.json().await["error"]["code"], "model_not_found");
}

#[tokio::test]
async fn a_client_that_leaves_cancels_the_answer() {
    let app = TestApp::tier().await;
    let (reply, played) = app.begun().await;
    assert_eq!(reply.status, 200);
    drop(reply);
    guard(played.dropped()).await;
}
