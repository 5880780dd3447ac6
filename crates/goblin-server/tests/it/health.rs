//! Health, status, metrics, and what every response carries.

use goblin_auth::keys::NewKeyOptions;
use goblin_auth::principal::Scope;
use goblin_core::provider::Health;
use http::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::test_app::{Setup, TestApp};

#[tokio::test]
async fn health_is_200_while_requests_can_be_taken_and_503_when_the_database_is_away() {
    let app = TestApp::local().await;
    assert_eq!(
        app.get("/health").await.json().await,
        json!({"status": "healthy"})
    );
    app.store.as_ref().unwrap().close().await;
    let mut away = app.get("/health").await;
    assert_eq!(away.status, 503);
    let body = away.json().await;
    assert!(body["detail"].as_str().unwrap().contains("database"));
    assert_eq!(body["error"]["code"], "unavailable");
    assert_eq!(app.get("/health/live").await.status, 200);
}

#[tokio::test]
async fn health_is_503_once_draining_has_begun_while_the_process_still_lives() {
    for app in [TestApp::local().await, TestApp::tier().await] {
        app.draining.cancel();
        let mut draining = app.get("/health").await;
        assert_eq!(draining.status, 503);
        assert!(
            draining.json().await["detail"]
                .as_str()
                .unwrap()
                .contains("shutting down")
        );
        assert_eq!(app.get("/health/live").await.status, 200);
    }
}

#[tokio::test]
async fn all_checks_run_at_most_every_two_seconds_and_tell_details_only_in_local_mode() {
    let app = TestApp::local().await;
    let body = app.get("/health/all").await.json().await;
    assert_eq!(body["status"], "degraded");
    assert_eq!(body["checks"]["database"]["status"], "ok");
    assert_eq!(body["checks"]["database"]["found"], "/var/lib/goblin/goblin.db");
    assert_eq!(body["checks"]["providers"][0]["fake"]["status"], "down");
    assert_eq!(body["checks"]["providers"][0]["fake"]["enabled"], true);
    app.clock.advance_ms(1_999);
    app.get("/health/all").await;
    assert_eq!(app.checks_run(), 1);
    app.clock.advance_ms(1);
    app.get("/health/all").await;
    assert_eq!(app.checks_run(), 2);
    let stranger = app
        .call(Method::GET, "/health/all")
        .header("host", "evil.example");
    let text = stranger.send().await.text().await;
    assert!(
        text.contains("degraded") && !text.contains("/var/lib") && !text.contains("10.0.0.7"),
        "{text}"
    );
}

#[tokio::test]
async fn status_tells_how_every_part_is() {
    let app = TestApp::local().await;
    let status = app.get("/api/status").await.json().await;
    assert_eq!(
        (status["mode"].clone(), status["tiers"][0]["state"].clone()),
        (json!("local"), json!("ok"))
    );
}

#[tokio::test]
async fn only_admins_are_told_where_upstreams_are_and_what_they_said() {
    let app = TestApp::start(Setup {
        keys: true,
        ..Setup::default()
    })
    .await;
    let with = |name: &str, scope| {
        let options = NewKeyOptions::with_scopes([scope]);
        let made = app
            .tier
            .keys
            .make(name, options, &app.clock, &mut rand::rngs::OsRng);
        let bearer = format!("Bearer {}", made.unwrap().key.expose_secret());
        app.call(Method::GET, "/api/status")
            .header("authorization", &bearer)
    };
    let mut reply = with("plain", Scope::Infer).send().await;
    assert_eq!(reply.status, 200);
    let public = reply.text().await;
    for secret in ["10.0.0.7", "8002", " refused", "/var/lib"] {
        assert!(!public.contains(secret), "{secret} in {public}");
    }
    let public: Value = serde_json::from_str(&public).unwrap();
    let upstream = &public["upstreams"][0];
    assert_eq!(
        (&upstream["state"], &upstream["name"], &upstream["admin_detail"]),
        (&json!("down"), &json!("Model tier"), &Value::Null)
    );
    let all = with("boss", Scope::Admin).send().await.json().await;
    assert_eq!(
        all["upstreams"][0]["admin_detail"],
        "http://10.0.0.7:8002 refused"
    );
}

#[tokio::test]
async fn metrics_are_labelled_by_route_template_and_never_by_path_or_invented_method() {
    let app = TestApp::local().await;
    let id = "01234567-89ab-7def-8123-456789abcdef";
    app.get(&format!("/api/chats/{id}")).await;
    app.get("/v1/models/secret/model").await;
    app.get("/wp-admin-probe").await;
    app.call(Method::from_bytes(b"BREW").unwrap(), "/health")
        .send()
        .await;
    let mut metrics = app.get("/metrics").await;
    assert!(metrics.header("content-type").starts_with("text/plain"));
    let text = metrics.text().await;
    for part in [
        r#"goblin_http_requests_total{method="GET",route="/api/chats/{id}",status="404"}"#,
        r#"route="/v1/models/{*id}""#,
        r#"route="unmatched""#,
        r#"method="OTHER""#,
        "goblin_http_requests_in_flight",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    for raw in [id, "secret", "wp-admin", "BREW"] {
        assert!(!text.contains(raw), "{raw} in {text}");
    }
}

#[tokio::test]
async fn the_tier_is_healthy_only_while_a_model_server_answers() {
    let app = TestApp::tier().await;
    let bare = |path| crate::client::Call::new(app.address, Method::GET, path);
    assert_eq!(
        bare("/health").send().await.json().await,
        json!({"status": "healthy"})
    );
    app.provider
        .set_health(Health::Down("10.0.0.7:11434 refused".into()));
    let mut down = bare("/health").send().await;
    assert_eq!(down.status, 503);
    assert!(!down.text().await.contains("10.0.0.7"));
}

#[tokio::test]
async fn a_valid_correlation_id_is_taken_over_and_any_other_replaced_on_every_response() {
    let app = TestApp::local().await;
    let long = "x".repeat(129);
    for path in [
        "/health",
        "/v1/models",
        "/api/nothing",
        "/v1/nothing",
        "/nothing.js",
        "/api/chats/x",
    ] {
        let kept = app
            .call(Method::GET, path)
            .header("x-correlation-id", "abc-123:x")
            .send()
            .await;
        assert_eq!(kept.header("x-correlation-id"), "abc-123:x", "{path}");
        for bad in ["", &long, "t\u{e4}b"] {
            let mut made = app
                .call(Method::GET, path)
                .header("x-correlation-id", bad)
                .send()
                .await;
            assert_eq!(made.header("x-correlation-id").len(), 36, "{path} {bad:?}");
            made.bytes().await;
        }
    }
    let refused = app
        .call(Method::POST, "/v1/chat/completions")
        .bytes("{")
        .send()
        .await;
    assert_eq!(refused.header("x-correlation-id").len(), 36);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_refused_in_the_shape_of_their_door() {
    let app = TestApp::local().await;
    let openai = app.get("/v1/nothing").await.json().await;
    assert_eq!(openai["error"]["code"], "not_found");
    let ours = app.get("/api/nothing").await.json().await;
    assert_eq!(
        (ours["status"].clone(), ours["code"].clone()),
        (json!(404), json!("not_found"))
    );
    let legacy = app.get("/chat/nothing").await.json().await;
    assert!(legacy["detail"].is_string() && legacy["error"]["code"] == "not_found");
    let mut method = app.call(Method::DELETE, "/v1/models").send().await;
    assert_eq!(
        (method.status.as_u16(), method.header("allow")),
        (405, "GET,HEAD")
    );
    assert!(
        method.json().await["error"]["message"]
            .as_str()
            .unwrap()
            .contains("DELETE")
    );
    let mut method = app.call(Method::PUT, "/api/chats").send().await;
    assert_eq!(method.status, 405);
    assert_eq!(method.json().await["status"], 405);
}

#[tokio::test]
async fn the_description_and_its_page_need_nobody_else() {
    let app = TestApp::local().await;
    assert_eq!(app.get("/openapi.json").await.json().await["openapi"], "3.1.0");
    let mut docs = app.get("/docs").await;
    assert!(
        docs.header("content-security-policy")
            .starts_with("default-src 'none'; style-src 'self'")
    );
    let page = docs.text().await;
    assert!(page.contains("/api/chats/{id}/turns") && !page.contains("<script"));
    assert_eq!(
        app.get("/docs/style.css").await.header("content-type"),
        "text/css; charset=utf-8"
    );
}
