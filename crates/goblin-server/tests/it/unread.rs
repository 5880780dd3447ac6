//! Requests whose head cannot be read or does not arrive: refused before any handler, with a sentence, an id and a
//! line in the log all the same.

use std::time::Duration;

use goblin_core::id::is_id;
use serde_json::{Value, json};

use crate::client::RawConnection;
use crate::log::Lines;
use crate::test_app::{KEY, Setup, TestApp};

/// An answer, read: status, its only id, and body.
struct Said {
    status: u16,
    id: String,
    body: Value,
}

fn read(answer: &str) -> Said {
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("{answer:?}"));
    let named = |line: &str| {
        line.to_lowercase()
            .strip_prefix("x-correlation-id: ")
            .map(str::to_owned)
    };
    let ids: Vec<String> = head.lines().filter_map(named).collect();
    assert_eq!(ids.len(), 1, "{answer}");
    Said {
        status: head[9..12].parse().unwrap(),
        id: ids[0].clone(),
        body: serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {answer}")),
    }
}

/// Sends `request` byte for byte and reads all that comes back.
async fn ask(app: &TestApp, request: impl AsRef<[u8]>) -> Said {
    let mut raw = RawConnection::open(app.address).await;
    raw.write(request).await;
    read(&raw.read_to_end().await)
}

/// What the HTTP library refuses by itself, and the status.
fn unreadable() -> Vec<(String, u16)> {
    let many: String = (0..10_000).map(|n| format!("x-{n}: {n}\r\n")).collect();
    let get = "GET /v1/models HTTP/1.1\r\nhost: localhost\r\n";
    vec![
        (format!("{get}{many}\r\n"), 431),
        (format!("{get}x: {}\r\n\r\n", "y".repeat(300_000)), 431),
        (format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(66_000)), 431),
        (format!("{get}space : a\r\n\r\n"), 400),
        (
            format!("{get}content-length: 4\r\ncontent-length: 5\r\n\r\n"),
            400,
        ),
        ("nonsense\r\n\r\n".to_owned(), 400),
    ]
}

#[tokio::test]
async fn what_the_http_library_refuses_has_a_code_an_id_and_a_line_in_the_log() {
    let lines = Lines::default();
    let _listening = lines.listen();
    let (local, tier) = (TestApp::local().await, TestApp::tier().await);
    let mut ids = Vec::new();
    for (request, status) in unreadable() {
        for (app, is_tier) in [(&local, false), (&tier, true)] {
            let shown: String = request.chars().take(70).collect();
            let said = ask(app, &request).await;
            assert_eq!(said.status, status, "{shown}");
            assert_eq!(
                said.body["error"]["code"], "invalid_request",
                "{shown}: {}",
                said.body
            );
            assert_eq!(said.body["error"]["param"], "head", "{shown}");
            assert_eq!(said.body["detail"], said.body["error"]["message"], "{shown}");
            assert!(is_id(&said.id), "{shown}: {}", said.id);
            let (access, others) = lines.about(&said.id);
            assert_eq!(others.len(), 1, "{shown}: {others:?}");
            assert_eq!(others[0]["fields"]["status"], status, "{others:?}");
            assert_eq!(others[0]["fields"]["address"], "127.0.0.1", "{others:?}");
            assert_eq!(access.len(), usize::from(is_tier), "{shown}: {access:?}");
            ids.push(said.id);
        }
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 12, "every refusal has an id of its own");
    let metrics = local.get("/metrics").await.text().await;
    for status in [400, 431] {
        let counted =
            format!("goblin_http_requests_total{{method=\"OTHER\",route=\"unread\",status=\"{status}\"}}");
        assert!(metrics.contains(&counted), "{counted} in {metrics}");
    }
}

/// Where a refusal says why in the dialect of a path: a pointer into its body, and what stands there.
type Told = (&'static str, &'static str, Value);

fn doors_of_the_backend() -> Vec<Told> {
    let code = || json!("request_timeout");
    vec![
        ("/v1/chat/completions", "/error/code", code()),
        ("/api/chat/completions", "/error/code", code()),
        ("/chat/completions", "/error/code", code()),
        ("/api/chats", "/code", code()),
        ("/api/chats", "/status", json!(408)),
    ]
}

fn doors_of_the_tier() -> Vec<Told> {
    let code = || json!("request_timeout");
    let sentence = json!("The request did not arrive within 1 seconds. Send it faster.");
    vec![
        ("/v1/chat/completions", "/error/code", code()),
        ("/v1/embeddings", "/error/code", code()),
        ("/v1/systemone", "/error/code", code()),
        ("/v1/messages", "/error/type", json!("timeout_error")),
        ("/v1/messages", "/error/message", sentence.clone()),
        ("/api/chat", "/error", sentence.clone()),
        ("/api/embed", "/error", sentence.clone()),
        ("/chat/completions", "/error/code", code()),
        ("/chat/completions", "/detail", sentence),
    ]
}

/// A request is too slow for both surfaces; `rest` is what comes of it after the request line.
async fn is_too_slow(rest: impl Fn(&TestApp) -> String) {
    for (surface, doors) in [
        (goblin_server::app::Surface::Backend, doors_of_the_backend()),
        (goblin_server::app::Surface::Tier, doors_of_the_tier()),
    ] {
        let mut setup = Setup {
            surface,
            ..Setup::default()
        };
        setup.options.header_timeout = Duration::from_millis(50);
        setup.options.body_timeout = Duration::from_millis(50);
        let app = TestApp::start(setup).await;
        for (path, at, expected) in doors {
            let said = ask(&app, format!("POST {path} HTTP/1.1\r\n{}", rest(&app))).await;
            assert_eq!(said.status, 408, "{path}: {}", said.body);
            assert_eq!(said.body.pointer(at), Some(&expected), "{path}: {}", said.body);
            assert!(is_id(&said.id), "{path}");
        }
    }
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_408_in_the_dialect_of_every_path() {
    is_too_slow(|app| {
        let port = app.address.port();
        format!("host: localhost:{port}\r\nx-api-key: {KEY}\r\ncontent-length: 100\r\n\r\n{{\"mod")
    })
    .await;
}

#[tokio::test]
async fn a_head_that_does_not_arrive_is_408_in_the_dialect_of_every_path() {
    is_too_slow(|_| "host: local".to_owned()).await;
}

#[tokio::test]
async fn a_late_head_has_its_line_in_the_log() {
    let lines = Lines::default();
    let _listening = lines.listen();
    let app = TestApp::with_options(|o| o.header_timeout = Duration::from_millis(50)).await;
    let said = ask(&app, "GET /hea").await;
    assert_eq!(
        (said.status, &said.body["error"]["code"]),
        (408, &json!("request_timeout"))
    );
    let (_, others) = lines.about(&said.id);
    assert_eq!(others.len(), 1, "{others:?}");
    assert_eq!(others[0]["fields"]["code"], "request_timeout");
}
