//! Requests to the model tier that try to be read in two ways, written byte by byte.

use serde_json::Value;

use crate::client::RawConnection;
use crate::test_app::{KEY, TestApp};

/// Sends `lines` (the request line and headers) with the right key and an empty body, and reads the answer.
async fn answer(app: &TestApp, lines: &str) -> String {
    let mut raw = RawConnection::open(app.address).await;
    raw.write(format!(
        "{lines}\r\nx-api-key: {KEY}\r\nconnection: close\r\n\r\n"
    ))
    .await;
    raw.read_to_end().await
}

fn status(answer: &str) -> u16 {
    answer.get(9..12).and_then(|s| s.parse().ok()).unwrap_or(0)
}

fn body(answer: &str) -> Value {
    let text = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    serde_json::from_str(text).unwrap_or(Value::Null)
}

/// Target and what is said about it. All are 400, whoever asks.
const PATHS: &[(&str, &str)] = &[
    ("//api/pull", "empty segment"),
    ("/api//pull", "empty segment"),
    ("/v1//models", "empty segment"),
    ("/api/../api/pull", "another folder"),
    ("/v1/models/../../api/pull", "another folder"),
    ("/v1/./models", "another folder"),
    ("/api/%2e%2e/api/pull", "another folder"),
    ("/v1/%2E%2E/api/pull", "another folder"),
    ("/v1/models/%2e%2e%2f%2e%2e%2fapi%2fpull", "another folder"),
    ("/api%2Fpull", "encoded slash"),
    ("/v1%2fmodels", "encoded slash"),
    ("/api/pull%00", "control character"),
    ("/api/pull%0d%0ax-api-key:%20a", "control character"),
    ("/api%5cpull", "backslash"),
    ("/v1/models/%ff", "cannot be read"),
    ("/v1/models/%", "cannot be read"),
];

#[tokio::test]
async fn paths_that_can_be_read_in_two_ways_are_refused() {
    let app = TestApp::tier().await;
    for method in ["GET", "POST"] {
        for (path, says) in PATHS {
            let said = answer(&app, &format!("{method} {path} HTTP/1.1\r\nhost: tier")).await;
            let body = body(&said);
            assert_eq!(status(&said), 400, "{method} {path}: {said}");
            // Below `/api/` errors are Ollama's: the sentence, and nothing else.
            let sentence = if path.starts_with("/api/") {
                body["error"].as_str()
            } else {
                assert_eq!(body["error"]["code"], "invalid_request", "{path}");
                assert_eq!(body["error"]["param"], "path", "{path}");
                body["error"]["message"].as_str()
            };
            assert!(sentence.unwrap().contains(says), "{path}: {body}");
        }
    }
    for path in ["/v1/models/parrot", "/v1/models/fake%2Fparrot?a=%2F..%2F"] {
        let said = answer(&app, &format!("GET {path} HTTP/1.1\r\nhost: tier")).await;
        assert!(
            [200, 404].contains(&status(&said)),
            "an id may hold an encoded slash: {said}"
        );
        assert!(!said.contains("encoded slash"), "{said}");
    }
    for path in [
        "/V1/MODELS",
        "/v1/models;a=b",
        "/v1/models%20",
        "/api/%252e%252e/pull",
    ] {
        let said = answer(&app, &format!("GET {path} HTTP/1.1\r\nhost: tier")).await;
        assert_eq!(status(&said), 404, "{path}: {said}");
    }
}

/// Request line and headers, status, code, field and sentence.
const HEADS: &[(&str, u16, &str, Option<&str>, &str)] = &[
    (
        "GET /v1/models HTTP/1.1\r\nhost: tier\r\nx-http-method-override: DELETE",
        400,
        "invalid_request",
        Some("x-http-method-override"),
        "the method itself",
    ),
    (
        "POST /v1/models HTTP/1.1\r\nhost: tier\r\nx-method-override: GET\r\ncontent-length: 0",
        400,
        "invalid_request",
        Some("x-method-override"),
        "the method itself",
    ),
    (
        "GET http://metadata.internal/v1/models HTTP/1.1\r\nhost: tier",
        400,
        "invalid_request",
        Some("target"),
        "no proxy",
    ),
    (
        "GET http://key@tier/v1/models HTTP/1.1\r\nhost: tier",
        400,
        "invalid_request",
        Some("target"),
        "no proxy",
    ),
    (
        "CONNECT metadata.internal:80 HTTP/1.1\r\nhost: metadata.internal:80",
        400,
        "invalid_request",
        Some("target"),
        "no proxy",
    ),
    (
        "GET /v1/models HTTP/1.1",
        400,
        "invalid_request",
        Some("host"),
        "exactly one",
    ),
    (
        "GET /v1/models HTTP/1.1\r\nhost: tier\r\nhost: other",
        400,
        "invalid_request",
        Some("host"),
        "exactly one",
    ),
    (
        "GET /v1/models HTTP/1.1\r\nhost: tier/../x",
        400,
        "invalid_request",
        Some("host"),
        "not a name",
    ),
    (
        "GET /v1/models HTTP/1.1\r\nhost: a@b",
        400,
        "invalid_request",
        Some("host"),
        "not a name",
    ),
    (
        "GET /v1/models HTTP/1.1\r\nhost: tier\r\norigin: https://evil.example",
        403,
        "forbidden",
        None,
        "A web page",
    ),
    (
        "GET /v1/models HTTP/1.1\r\nhost: tier\r\norigin: null",
        403,
        "forbidden",
        None,
        "A web page",
    ),
    (
        "OPTIONS /v1/chat/completions HTTP/1.1\r\nhost: tier\r\norigin: http://tier\r\n\
         access-control-request-method: POST",
        403,
        "forbidden",
        None,
        "A web page",
    ),
];

#[tokio::test]
async fn heads_that_say_two_things_are_refused() {
    let app = TestApp::tier().await;
    for (lines, wanted, code, param, says) in HEADS {
        let said = answer(&app, lines).await;
        let body = body(&said);
        assert_eq!(status(&said), *wanted, "{lines}: {said}");
        assert_eq!(body["error"]["code"].as_str(), Some(*code), "{lines}: {said}");
        assert_eq!(body["error"]["param"].as_str(), *param, "{lines}");
        assert!(
            body["error"]["message"].as_str().unwrap().contains(says),
            "{lines}: {body}"
        );
        assert!(
            !said.to_lowercase().contains("access-control-allow"),
            "{lines}: {said}"
        );
    }
}

#[tokio::test]
async fn any_host_an_operator_uses_is_answered_also_in_absolute_form() {
    let app = TestApp::tier().await;
    for host in [
        "tier",
        "10.0.0.7:8002",
        "[fd00::7]:8002",
        "models.example.org",
        "localhost",
    ] {
        let said = answer(&app, &format!("GET /v1/models HTTP/1.1\r\nhost: {host}")).await;
        assert_eq!(status(&said), 200, "{host}: {said}");
    }
    let absolute = answer(&app, "GET http://Tier:8002/v1/models HTTP/1.1\r\nhost: tier:8002").await;
    assert_eq!(status(&absolute), 200, "{absolute}");
    let old = answer(&app, "GET /v1/models HTTP/1.0").await;
    assert_eq!(status(&old), 200, "HTTP/1.0 knows no Host: {old}");
}

#[tokio::test]
async fn forwarding_headers_change_nothing() {
    let app = TestApp::tier().await;
    let lines = "GET /v1/models HTTP/1.1\r\nhost: tier\r\nx-forwarded-for: 192.0.2.1\r\nforwarded: for=192.0.2.1\r\n\
                 x-real-ip: 192.0.2.1\r\nx-original-url: /api/pull\r\nx-rewrite-url: /api/pull";
    assert_eq!(status(&answer(&app, lines).await), 200);
}

#[tokio::test]
async fn lengths_that_contradict_each_other_never_hide_a_second_request() {
    let app = TestApp::tier().await;
    let post = "POST /v1/chat/completions HTTP/1.1\r\nhost: tier";
    for lengths in [
        "content-length: 4\r\ncontent-length: 5",
        "content-length: 4, 5",
        "content-length: +4",
        "content-length: -1",
        "content-length: 0x4",
        "content-length: 99999999999999999999999",
        "transfer-encoding: chunked, identity",
        "transfer-encoding: x",
    ] {
        let said = answer(&app, &format!("{post}\r\n{lengths}")).await;
        assert_eq!(status(&said), 400, "{lengths}: {said}");
        assert_eq!(
            said.matches("HTTP/1.1 ").count(),
            1,
            "{lengths}: the connection ends: {said}"
        );
        assert_eq!(
            body(&said)["error"]["code"],
            "invalid_request",
            "{lengths}: {said}"
        );
        assert!(said.contains("its lengths contradict"), "{lengths}: {said}");
    }
    // Both: the length is ignored (RFC 9112, 6.3) and the connection ends, so a proxy that went by the length has
    // nothing to gain: what follows the last chunk is never read as a request.
    let hidden = format!("GET /v1/models HTTP/1.1\r\nhost: tier\r\nx-api-key: {KEY}\r\n\r\n");
    let length = format!("content-length: {}", hidden.len() + 5);
    let chunked = "transfer-encoding: chunked".to_owned();
    for both in [[&length, &chunked], [&chunked, &length]] {
        let mut raw = RawConnection::open(app.address).await;
        let [first, second] = both;
        raw.write(format!(
            "{post}\r\nx-api-key: {KEY}\r\n{first}\r\n{second}\r\n\r\n0\r\n\r\n{hidden}"
        ))
        .await;
        let said = raw.read_to_end().await;
        assert_eq!(
            (status(&said), said.matches("HTTP/1.1 ").count()),
            (400, 1),
            "{said}"
        );
        assert!(
            said.contains("connection: close") && said.contains("invalid_json"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_head_that_cannot_be_read_is_told_why() {
    let app = TestApp::tier().await;
    let get = "GET /v1/models HTTP/1.1\r\nhost: tier";
    let many: String = (0..200).map(|n| format!("\r\nx-{n}: {n}")).collect();
    let cases = [
        (
            format!("{get}\r\nx: {}", "y".repeat(300_000)),
            431,
            "too many or too large",
        ),
        (format!("{get}{many}"), 431, "too many or too large"),
        (
            format!("GET /{} HTTP/1.1\r\nhost: tier", "a".repeat(66_000)),
            431,
            "too many or too large",
        ),
        (format!("{get}\r\nfolded: a\r\n b"), 400, "a line is malformed"),
        (format!("{get}\r\nspace : a"), 400, "a line is malformed"),
        (
            "GET /v1/models with spaces HTTP/1.1\r\nhost: tier".to_owned(),
            400,
            "a line is malformed",
        ),
        (
            "GET /v1/models HTTP/9.9\r\nhost: tier".to_owned(),
            400,
            "a line is malformed",
        ),
    ];
    for (lines, wanted, says) in cases {
        let said = answer(&app, &lines).await;
        let (shown, body) = (lines.chars().take(80).collect::<String>(), body(&said));
        assert_eq!(status(&said), wanted, "{shown}: {said}");
        assert_eq!(body["error"]["code"], "invalid_request", "{shown}: {said}");
        assert!(body["detail"].as_str().unwrap().contains(says), "{shown}: {said}");
    }
}

#[tokio::test]
async fn health_answers_a_balancer_whatever_it_sends() {
    let app = TestApp::tier().await;
    let lines = "GET /health HTTP/1.1\r\nhost: tier\r\norigin: https://status.example";
    let mut raw = RawConnection::open(app.address).await;
    raw.write(format!("{lines}\r\nconnection: close\r\n\r\n")).await;
    assert_eq!(status(&raw.read_to_end().await), 200);
}
