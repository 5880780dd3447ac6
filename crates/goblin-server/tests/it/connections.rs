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
async fn ten_thousand_headers_are_431() {
    let app = TestApp::local().await;
    let mut raw = RawConnection::open(app.address).await;
    let headers: String = (0..10_000).map(|n| format!("x-{n}: {n}\r\n")).collect();
    raw.write(format!(
        "GET /health HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n"
    ))
    .await;
    let answer = raw.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn one_huge_header_is_431() {
    let app = TestApp::local().await;
    let mut raw = RawConnection::open(app.address).await;
    raw.write(format!(
        "GET /health HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n",
        "y".repeat(300_000)
    ))
    .await;
    let answer = raw.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn a_client_that_never_finishes_its_headers_is_hung_up_on() {
    let app = TestApp::with_options(|o| o.header_timeout = Duration::from_millis(50)).await;
    let mut raw = RawConnection::open(app.address).await;
    raw.write("GET /health HTTP/1.1\r\nhost: local").await;
    let answer = raw.read_to_end().await;
    assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    let mut idle = RawConnection::open(app.address).await;
    assert_eq!(
        idle.read_to_end().await,
        "",
        "a connection that never speaks is closed too"
    );
}

#[tokio::test]
async fn a_body_that_never_arrives_is_408_in_the_shape_of_its_door() {
    let app = TestApp::with_options(|o| o.body_timeout = Duration::from_millis(50)).await;
    for (path, code) in [
        ("/v1/chat/completions", "\"code\":\"request_timeout\""),
        ("/chat/completions", "\"detail\""),
        ("/api/chats", "\"status\":408"),
    ] {
        let mut raw = RawConnection::open(app.address).await;
        let port = app.address.port();
        raw.write(format!(
            "POST {path} HTTP/1.1\r\nhost: localhost:{port}\r\ncontent-length: 100\r\n\r\n{{\"mod"
        ))
        .await;
        let answer = raw.read_to_end().await;
        assert!(
            answer.starts_with("HTTP/1.1 408 ") && answer.contains(code),
            "{answer}"
        );
    }
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
