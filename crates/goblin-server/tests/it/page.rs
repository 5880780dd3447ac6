//! The page in the binary: cached, packed, shown for addresses and never in place of a missing file.

use goblin_server::page_assets::Asset;
use http::Method;
use serde_json::json;

use crate::client::Reply;
use crate::test_app::{Setup, TestApp};

static PAGE: [Asset; 2] = [
    Asset {
        path: "assets/app-1234.js",
        tag: "\"1\"",
        plain: b"console.log(1)",
        brotli: Some(b"packed"),
    },
    Asset {
        path: "index.html",
        tag: "\"2\"",
        plain: b"<!doctype html><title>Goblin</title>",
        brotli: None,
    },
];

async fn app() -> TestApp {
    TestApp::start(Setup {
        page: &PAGE,
        ..Setup::default()
    })
    .await
}

async fn visit(app: &TestApp, path: &str) -> Reply {
    app.call(Method::GET, path)
        .header("accept", "text/html,*/*")
        .send()
        .await
}

#[tokio::test]
async fn addresses_show_the_page_with_its_policy() {
    let app = app().await;
    for path in ["/", "/c/0190-chat", "/settings", "/index.html"] {
        let mut reply = visit(&app, path).await;
        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(reply.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(reply.header("cache-control"), "no-cache");
        let policy = reply.header("content-security-policy").to_owned();
        for part in [
            "default-src 'none'",
            "script-src 'self';",
            "style-src 'self';",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert!(reply.text().await.contains("Goblin"));
    }
}

#[tokio::test]
async fn files_are_packed_for_who_can_unpack_and_cached_for_good() {
    let app = app().await;
    let call = || app.call(Method::GET, "/assets/app-1234.js");
    let mut packed = call().header("accept-encoding", "gzip, br").send().await;
    assert_eq!(packed.header("content-encoding"), "br");
    assert_eq!(
        packed.header("cache-control"),
        "public, max-age=31536000, immutable"
    );
    assert_eq!(packed.header("content-type"), "text/javascript; charset=utf-8");
    assert_eq!(packed.header("vary"), "accept-encoding");
    assert_eq!(packed.text().await, "packed");
    for refuses in ["gzip", "br;q=0", ""] {
        let mut plain = call().header("accept-encoding", refuses).send().await;
        assert_eq!(plain.header("content-encoding"), "", "{refuses:?}");
        assert_eq!(plain.text().await, "console.log(1)");
    }
    let mut known = call().header("if-none-match", "W/\"1\"").send().await;
    assert_eq!((known.status.as_u16(), known.text().await.as_str()), (304, ""));
    let mut head = app.call(Method::HEAD, "/assets/app-1234.js").send().await;
    assert_eq!((head.status.as_u16(), head.bytes().await.len()), (200, 0));
}

#[tokio::test]
async fn a_missing_file_or_api_path_is_never_a_page() {
    let app = app().await;
    for path in [
        "/assets/gone.js",
        "/favicon.ico",
        "/api",
        "/api/nothing",
        "/v1/nothing",
        "/auth/nothing",
        "/a/../b.css",
    ] {
        assert_eq!(visit(&app, path).await.status, 404, "{path}");
    }
    assert_eq!(visit(&app, "/auth/login").await.status, 405, "only signing in");
    assert_eq!(app.get("/settings").await.status, 404, "a program gets no page");
    assert_eq!(app.call(Method::POST, "/settings").send().await.status, 404);
}

#[tokio::test]
async fn the_run_time_configuration_names_this_origin() {
    let app = app().await;
    let mut config = app.get("/config.json").await;
    assert_eq!(config.header("cache-control"), "no-store");
    assert_eq!(config.json().await, json!({"api_origin": ""}));
}

#[tokio::test]
async fn a_binary_without_a_page_says_how_to_build_one() {
    let app = TestApp::local().await;
    let mut reply = visit(&app, "/").await;
    assert_eq!(reply.status, 503);
    assert!(reply.text().await.contains("make web"));
}
