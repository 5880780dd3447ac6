//! Connections: bounded, patient for a known time, drained on the way out.

use std::time::Duration;

use http::Method;

use crate::client::{Call, RawConnection, data, guard};
use crate::test_app::{Setup, TestApp};

#[tokio::test]
async fn every_response_carries_the_security_headers() {
    let app = TestApp::local().await;
    for path in ["/health", "/api/chats", "/api/nothing", "/v1/models", "/"] {
        let reply = app.get(path).await;
        let mut shown: Vec<String> = reply
            .headers
            .iter()
            .filter(|(name, _)| {
                !matches!(
                    name.as_str(),
                    "date" | "content-length" | "content-type" | "x-correlation-id"
                )
            })
            .filter(|(name, _)| name.as_str() != "content-security-policy")
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        shown.sort();
        let expected = [
            "cache-control: no-store",
            "cross-origin-opener-policy: same-origin",
            "cross-origin-resource-policy: same-origin",
            "permissions-policy: camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
            "referrer-policy: no-referrer",
            "x-content-type-options: nosniff",
            "x-frame-options: DENY",
        ];
        assert_eq!(shown, expected, "{path}");
        assert!(
            reply
                .header("content-security-policy")
                .starts_with("default-src 'none'; "),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_connection_nobody_uses_is_closed_without_a_word_before_and_after_a_request() {
    let app = TestApp::with_options(|o| o.header_timeout = Duration::from_millis(50)).await;
    let mut silent = RawConnection::open(app.address).await;
    assert_eq!(silent.read_to_end().await, "", "one that never speaks");
    let mut kept = RawConnection::open(app.address).await;
    let port = app.address.port();
    kept.write(format!(
        "GET /health/live HTTP/1.1\r\nhost: localhost:{port}\r\n\r\n"
    ))
    .await;
    let answer = kept.read_some().await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(!answer.contains("connection: close"), "it was kept: {answer}");
    assert_eq!(kept.read_to_end().await, "", "one that asks nothing more");
}

#[tokio::test]
async fn a_kept_connection_answers_one_request_after_another() {
    let app = TestApp::local().await;
    let mut kept = RawConnection::open(app.address).await;
    let port = app.address.port();
    for _ in 0..3 {
        kept.write(format!(
            "GET /health/live HTTP/1.1\r\nhost: localhost:{port}\r\n\r\n"
        ))
        .await;
        let answer = kept.read_some().await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}

/// Text of about `bytes` in which nothing comes again and again.
fn varied(bytes: usize) -> String {
    (0..bytes / 8).map(|n| format!("{n:07} ")).collect()
}

#[tokio::test]
async fn a_client_that_stops_reading_is_cut_and_the_answer_made_for_it_ends() {
    let app = TestApp::with_options(|o| o.write_timeout = Duration::from_millis(50)).await;
    let body = r#"{"model":"parrot","stream":true,"messages":[{"role":"user","content":"play"}]}"#;
    let (port, length) = (app.address.port(), body.len());
    let mut raw = RawConnection::open(app.address).await;
    raw.write(format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost:{port}\r\ncontent-length: {length}\r\n\r\n{body}"
    ))
    .await;
    let played = app.provider.played().await;
    // More than the buffers of both sides hold. The model never ends, and the client neither reads nor leaves.
    let piece = varied(1 << 20);
    for _ in 0..64 {
        played.say(&piece);
    }
    guard(played.dropped()).await;
    let rest = raw.read_to_end().await;
    assert!(
        rest.starts_with("HTTP/1.1 200 ") && !rest.ends_with("0\r\n\r\n"),
        "it was cut"
    );
}

#[tokio::test]
async fn a_body_far_over_the_limit_is_413_and_a_client_that_writes_it_all_gets_to_read_that() {
    let app = TestApp::local().await;
    let mebibyte = "x".repeat(1 << 20);
    let framings = [
        (
            "transfer-encoding: chunked",
            format!("100000\r\n{mebibyte}\r\n"),
            "0\r\n\r\n",
        ),
        ("content-length: 41943040", mebibyte.clone(), ""),
    ];
    for (header, piece, end) in framings {
        let mut raw = RawConnection::open(app.address).await;
        let port = app.address.port();
        let head =
            format!("POST /v1/chat/completions HTTP/1.1\r\nhost: localhost:{port}\r\n{header}\r\n\r\n");
        raw.write(head).await;
        for _ in 0..40 {
            raw.write(&piece).await;
        }
        raw.write(end).await;
        let answer = raw.read_to_end().await;
        let refused = answer.starts_with("HTTP/1.1 413 ") && answer.contains("payload_too_large");
        assert!(refused, "{header}: {answer}");
    }
}

#[tokio::test]
async fn more_requests_than_allowed_are_503_and_health_still_answers() {
    let app = TestApp::with_options(|o| o.max_requests = 1).await;
    let (mut first, played) = app.begun().await;
    let mut second = app.get("/api/chats").await;
    assert_eq!((second.status.as_u16(), second.header("retry-after")), (503, "1"));
    assert_eq!(second.json().await["code"], "unavailable");
    assert_eq!(app.get("/health").await.status, 200);
    played.finish();
    first.events().await;
    drop(first);
    let freed = async {
        while app.get("/api/chats").await.status != 200 {
            tokio::task::yield_now().await;
        }
    };
    guard(freed).await;
}

#[tokio::test]
async fn draining_lets_an_open_stream_finish_and_tells_newcomers_that_it_is_going() {
    let mut app = TestApp::local().await;
    let (mut reply, played) = app.begun().await;
    let mut idle = RawConnection::open(app.address).await;
    idle.write(format!(
        "GET /health HTTP/1.1\r\nhost: localhost:{}\r\n\r\n",
        app.address.port()
    ))
    .await;
    assert!(idle.read_some().await.starts_with("HTTP/1.1 200"));
    app.shutdown.cancel();
    guard(app.draining.cancelled()).await;
    assert_eq!(idle.read_to_end().await, "", "an idle connection is closed");
    let port = app.address.port();
    for (path, answer) in [("/health", "503"), ("/health/live", "200"), ("/api/chats", "503")] {
        let mut late = RawConnection::open(app.address).await;
        late.write(format!("GET {path} HTTP/1.1\r\nhost: localhost:{port}\r\n\r\n"))
            .await;
        let told = late.read_to_end().await;
        assert!(told.starts_with(&format!("HTTP/1.1 {answer}")), "{path}: {told}");
        assert!(told.contains("connection: close"), "{path}: {told}");
    }
    played.say(" two");
    played.finish();
    let events = reply.events().await;
    assert_eq!(events.last().unwrap().data, "[DONE]");
    assert_eq!(data(&events[0])["choices"][0]["delta"]["content"], "One");
    app.ended().await;
    assert!(
        tokio::net::TcpStream::connect(app.address).await.is_err(),
        "nobody listens"
    );
}

#[tokio::test]
async fn a_stream_that_does_not_finish_in_the_drain_time_is_cut() {
    let mut app = TestApp::start(Setup {
        drain: Duration::from_millis(50),
        ..Setup::default()
    })
    .await;
    let (_reply, played) = app.begun().await;
    app.shutdown.cancel();
    app.ended().await;
    guard(played.dropped()).await;
}

#[tokio::test]
async fn connections_beyond_the_bound_wait_for_a_place() {
    let app = TestApp::with_options(|o| o.max_connections = 1).await;
    let port = app.address.port();
    let mut first = RawConnection::open(app.address).await;
    first
        .write(format!("GET /health HTTP/1.1\r\nhost: localhost:{port}\r\n\r\n"))
        .await;
    assert!(first.read_some().await.starts_with("HTTP/1.1 200"));
    let second = Call::new(app.address, Method::GET, "/health/live").send();
    let mut second = std::pin::pin!(second);
    assert!(futures_util::poll!(second.as_mut()).is_pending());
    drop(first);
    assert_eq!(second.await.status, 200);
}
