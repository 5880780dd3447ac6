//! Where a question would go, and the names that let goblin choose.

use http::Method;
use serde_json::{Value, json};

use crate::test_app::TestApp;

fn asked(question: &str) -> Value {
    json!({"messages": [{"role": "user", "content": question}]})
}

#[tokio::test]
async fn a_question_is_routed_without_anybody_being_asked() {
    let app = TestApp::local().await;
    for path in ["/api/route", "/routing/route"] {
        let mut reply = app
            .post(path, &asked("Write a Python function that sorts a list"))
            .await;
        assert_eq!(reply.status, 200, "{path}");
        let told = reply.json().await;
        assert_eq!(told["route"]["intent"], "code", "{told}");
        assert_eq!(told["route"]["role"], "code");
        assert!(told["first"].as_str().unwrap().ends_with("parrot"), "{told}");
        assert_eq!(told["local"], true);
        assert_eq!(told["may_leave_machine"], false);
        let candidates = told["route"]["candidates"].as_array().unwrap();
        let absent = candidates
            .iter()
            .find(|c| c["model"] == "deepseek-coder")
            .unwrap();
        assert_eq!(absent["passed_over"], "not installed");
    }
    assert_eq!(app.provider.asked(), 0, "nobody was asked");
}

#[tokio::test]
async fn a_model_of_the_policy_that_is_not_there_is_told_and_an_unknown_one_refused() {
    let app = TestApp::local().await;
    let mut body = asked("What's the weather like?");
    body["model"] = "mistral:7b".into();
    let mut reply = app.post("/api/route", &body).await;
    assert_eq!(reply.status, 200);
    let told = reply.json().await;
    assert_eq!(told["route"]["candidates"][0]["model"], "mistral:7b");
    assert_eq!(told["route"]["candidates"][0]["passed_over"], "not installed");
    assert!(told["nobody"].is_string());
    body["model"] = "nothing-like-it".into();
    assert_eq!(app.post("/api/route", &body).await.status, 404);
}

#[tokio::test]
async fn what_cannot_be_routed_is_refused_with_its_field() {
    let app = TestApp::local().await;
    let mut warp = asked("hello");
    warp["latency_target"] = "warp".into();
    let mut both = asked("hello");
    both["goblin"] = json!({"verify": "sometimes"});
    for (body, field) in [
        (json!({"messages": []}), "messages"),
        (warp, "latency_target"),
        (both, "goblin.verify"),
    ] {
        let mut reply = app.post("/api/route", &body).await;
        assert_eq!(reply.status, 422, "{field}");
        assert_eq!(reply.json().await["param"], field);
    }
    assert_eq!(app.call(Method::GET, "/api/route").send().await.status, 405);
}

#[tokio::test]
async fn a_dry_run_at_the_chat_door_answers_nothing_in_openais_shape() {
    let app = TestApp::local().await;
    let mut body = asked("Hello there");
    body["model"] = "goblin".into();
    body["goblin"] = json!({"dry_run": true});
    let mut reply = app.post("/v1/chat/completions", &body).await;
    let told = reply.json().await;
    assert_eq!(
        (told["object"].as_str(), &told["choices"]),
        (Some("chat.completion"), &json!([]))
    );
    assert_eq!(told["goblin"]["dry_run"]["route"]["intent"], "chat");
    body["stream"] = true.into();
    let events = app.post("/v1/chat/completions", &body).await.events().await;
    assert_eq!(events.len(), 2);
    assert_eq!(events[1].data, "[DONE]");
    assert_eq!(app.provider.asked(), 0);
}

#[tokio::test]
async fn clients_of_old_find_what_routing_knows() {
    let app = TestApp::local().await;
    let models = app.get("/chat/models").await.json().await;
    assert_eq!(models["total_count"], 1);
    assert_eq!(models["models"][0]["pricing"]["input"], 0.0);
    let info = app.get("/chat/routing-info").await.json().await;
    assert_eq!(info["intents"]["code"]["role"], "code");
    assert_eq!(info["roles"]["top"], "mistral:7b");
    assert_eq!(info["policy"].as_str().unwrap().len(), 12);
    let able = app.get("/routing/providers/chat").await.json().await;
    assert_eq!(able["providers"].as_array().unwrap().len(), 1);
    let none = app.get("/routing/providers/embed").await.json().await;
    assert_eq!(none["providers"], json!([]));
    assert_eq!(app.get("/routing/providers/telepathy").await.status, 422);
    assert_eq!(app.get("/routing/health").await.json().await["status"], "healthy");
}
