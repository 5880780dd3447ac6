//! Without sign-in, only this machine gets in: no rebinding name, no other page, no proxy.

use http::Method;
use serde_json::json;

use crate::test_app::TestApp;

#[tokio::test]
async fn names_pages_and_proxies_of_others_are_refused_on_every_door() {
    let app = TestApp::local().await;
    let port = app.address.port();
    let rebound = format!("evil.example:{port}");
    let other_port = "http://127.0.0.1:1".to_owned();
    let attacks = [
        ("host", rebound.as_str()),
        ("host", "goblin.localhost.evil.example"),
        ("host", "192.168.1.5"),
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("origin", &other_port),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("x-forwarded-for", "1.2.3.4"),
        ("forwarded", "for=1.2.3.4"),
        ("via", "1.1 proxy"),
        ("cf-connecting-ip", "1.2.3.4"),
    ];
    let body = json!({"model": "parrot", "messages": [{"role": "user", "content": "hi"}]});
    let doors = [
        (Method::POST, "/v1/chat/completions"),
        (Method::POST, "/chat/completions"),
        (Method::GET, "/v1/models"),
        (Method::GET, "/api/chats"),
        (Method::POST, "/api/chats"),
        (Method::GET, "/api/status"),
        (Method::GET, "/metrics"),
    ];
    for (name, value) in attacks {
        for (method, path) in doors.clone() {
            let mut reply = app
                .call(method, path)
                .json(&body)
                .header(name, value)
                .send()
                .await;
            assert_eq!(reply.status, 403, "{name}: {value} on {path}");
            assert!(reply.text().await.contains("forbidden"));
        }
    }
    assert!(
        app.get("/api/chats").await.json().await["items"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn our_own_page_and_programs_get_in() {
    let app = TestApp::local().await;
    let port = app.address.port();
    for host in ["127.0.0.1", "localhost"] {
        let (host, origin) = (format!("{host}:{port}"), format!("http://{host}:{port}"));
        let call = app.call(Method::GET, "/api/chats").header("host", &host);
        let reply = call
            .header("origin", &origin)
            .header("sec-fetch-site", "same-origin")
            .send()
            .await;
        assert_eq!(reply.status, 200, "{host}");
    }
    assert_eq!(app.get("/api/chats").await.status, 200);
}

#[tokio::test]
async fn a_link_on_another_site_may_lead_to_the_page_but_not_to_the_api() {
    let app = TestApp::local().await;
    let follow = |path| {
        let call = app.call(Method::GET, path).header("sec-fetch-site", "cross-site");
        call.header("sec-fetch-mode", "navigate")
            .header("sec-fetch-dest", "document")
            .send()
    };
    assert_eq!(
        follow("/").await.status,
        503,
        "the page is not built here, but it may be seen"
    );
    assert_eq!(follow("/api/chats").await.status, 403);
}
