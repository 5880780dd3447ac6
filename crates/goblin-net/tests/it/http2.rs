//! HTTP/2: one connection for many requests, and each of them can be given up.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use goblin_net::{HttpClient, NetError, NetOptions, Response, Waiting};
use h2::Reason;
use tokio_util::task::TaskTracker;

use crate::h2_server::{H2Server, was_reset};
use crate::raw_server::{SHORT, client, get, serve, soon};

fn speaking_to(server: &H2Server, change: impl FnOnce(&mut NetOptions)) -> HttpClient {
    client(|o| {
        o.http2 = server.roots_pem.is_none();
        o.roots_pem = server.roots_pem.clone();
        change(o);
    })
}

/// Asks in a task of its own.
fn asking(client: &HttpClient, server: &H2Server) -> tokio::task::JoinHandle<Result<Response, NetError>> {
    let (client, request) = (client.clone(), get(&server.url));
    TaskTracker::new().spawn(async move { client.send(request).await })
}

async fn text(response: Result<Response, NetError>) -> Bytes {
    soon(response.unwrap().body.collect()).await.unwrap()
}

#[tokio::test]
async fn many_requests_at_once_share_one_connection() {
    let mut server = H2Server::over_tls().await;
    let client = speaking_to(&server, |_| ());
    let first = asking(&client, &server);
    server.next().await.answer("first");
    assert_eq!(text(soon(first).await.unwrap()).await, "first");
    let asking: Vec<_> = (0..5).map(|_| asking(&client, &server)).collect();
    let mut asked = Vec::new();
    for _ in 0..5 {
        asked.push(server.next().await);
    }
    assert_eq!(asked[0].request.version(), http::Version::HTTP_2);
    for one in asked {
        one.answer("hi");
    }
    for answer in join_all(asking).await {
        assert_eq!(text(answer.unwrap()).await, "hi");
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn dropping_an_answer_resets_its_stream_and_leaves_the_others_alone() {
    let mut server = H2Server::over_tls().await;
    let client = speaking_to(&server, |_| ());
    let first = asking(&client, &server);
    let dropped = server.next().await.begin("some");
    let mut answer = soon(first).await.unwrap().unwrap();
    assert_eq!(soon(answer.body.chunk()).await.unwrap().unwrap(), "some");
    let second = asking(&client, &server);
    let mut kept = server.next().await.begin("more");
    let other = soon(second).await.unwrap();
    drop(answer);
    assert_eq!(
        was_reset(dropped).await,
        Reason::CANCEL,
        "before anything else was sent"
    );
    kept.send_data(" and more".into(), true).unwrap();
    assert_eq!(text(other).await, "more and more");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn dropping_a_request_that_waits_resets_its_stream() {
    let mut server = H2Server::over_tls().await;
    let client = speaking_to(&server, |_| ());
    let waiting = asking(&client, &server);
    let asked = server.next().await;
    waiting.abort();
    assert_eq!(asked.was_reset().await, Reason::CANCEL);
    let again = asking(&client, &server);
    server.next().await.answer("hi");
    assert_eq!(text(soon(again).await.unwrap()).await, "hi");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn the_limits_between_pieces_and_for_the_first_hold_as_well() {
    let mut server = H2Server::plain(usize::MAX).await;
    let client = speaking_to(&server, |o| {
        o.idle_timeout = SHORT;
        o.first_byte_timeout = SHORT;
    });
    let silent = asking(&client, &server);
    let asked = server.next().await;
    let error = soon(silent).await.unwrap().unwrap_err();
    assert!(
        matches!(
            &error,
            NetError::Timeout {
                what: Waiting::FirstByte,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(asked.was_reset().await, Reason::CANCEL);
    let stalled = asking(&client, &server);
    let body = server.next().await.begin("some");
    let mut answer = soon(stalled).await.unwrap().unwrap();
    assert_eq!(soon(answer.body.chunk()).await.unwrap().unwrap(), "some");
    let error = soon(answer.body.chunk()).await.unwrap().unwrap_err();
    assert!(
        matches!(
            &error,
            NetError::Timeout {
                what: Waiting::Body,
                ..
            }
        ),
        "{error}"
    );
    drop(answer);
    assert_eq!(was_reset(body).await, Reason::CANCEL);
}

#[tokio::test]
async fn over_plain_http_it_is_spoken_only_where_that_was_said() {
    let mut server = H2Server::plain(usize::MAX).await;
    let client = speaking_to(&server, |_| ());
    let asked = asking(&client, &server);
    server.next().await.answer("hi");
    assert_eq!(text(soon(asked).await.unwrap()).await, "hi");
    let (url, seen) = serve(|mut peer| async move {
        let request = peer.read_request().await;
        peer.say("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        request
    })
    .await;
    soon(crate::raw_server::client(|_| ()).send(get(&url)))
        .await
        .unwrap();
    assert!(soon(seen).await.unwrap().starts_with("GET / HTTP/1.1\r\n"));
}

#[tokio::test]
async fn a_server_that_does_not_speak_it_after_all_is_told_apart() {
    let (url, _server) = serve(|mut peer| async move {
        assert_eq!(peer.read_request().await, "PRI * HTTP/2.0\r\n\r\n");
        peer.say("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
            .await;
        peer
    })
    .await;
    let error = soon(client(|o| o.http2 = true).send(get(&url)))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, NetError::Protocol { reason, .. } if reason.contains("no HTTP/2")),
        "{error}"
    );
}

#[tokio::test]
async fn a_stream_that_was_refused_unread_is_asked_again_once() {
    let mut server = H2Server::plain(usize::MAX).await;
    let client = speaking_to(&server, |_| ());
    let asked = asking(&client, &server);
    server.next().await.reset(Reason::REFUSED_STREAM);
    server.next().await.answer("hi");
    assert_eq!(text(soon(asked).await.unwrap()).await, "hi");

    let asked = asking(&client, &server);
    for _ in 0..2 {
        server.next().await.reset(Reason::REFUSED_STREAM);
    }
    let error = soon(asked).await.unwrap().unwrap_err();
    assert!(
        matches!(&error, NetError::Reset { address } if *address == server.url.address()),
        "{error}"
    );
    assert!(server.is_quiet());
}

#[tokio::test]
async fn a_stream_that_was_worked_on_or_streamed_is_never_asked_again() {
    let mut server = H2Server::plain(usize::MAX).await;
    let client = speaking_to(&server, |_| ());
    let asked = asking(&client, &server);
    server.next().await.answer("the connection has answered before");
    soon(asked).await.unwrap().unwrap();
    let asked = asking(&client, &server);
    server.next().await.reset(Reason::INTERNAL_ERROR);
    assert!(matches!(soon(asked).await.unwrap(), Err(NetError::Reset { .. })));
    let (streaming, request) = (client.clone(), get(&server.url));
    let piece = futures_util::stream::iter([Ok(Bytes::from_static(b"piece"))]);
    let asked = TaskTracker::new().spawn(async move { streaming.send_streaming(request, piece).await });
    server.next().await.reset(Reason::REFUSED_STREAM);
    assert!(matches!(soon(asked).await.unwrap(), Err(NetError::Reset { .. })));
    assert!(server.is_quiet());
}

#[tokio::test]
async fn a_server_that_goes_away_is_connected_to_anew() {
    let mut server = H2Server::plain(1).await;
    let client = speaking_to(&server, |_| ());
    for said in ["one", "two", "three"] {
        let asked = asking(&client, &server);
        server.next().await.answer(said);
        assert_eq!(text(soon(asked).await.unwrap()).await, said);
    }
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn a_peer_that_gives_no_sign_of_life_is_given_up() {
    let (url, _frozen) = serve(|peer| async move {
        let mut connection = h2::server::handshake(peer.into_stream()).await.unwrap();
        let asked = connection.accept().await;
        // Nobody reads this connection or answers its pings any more, and it stays open.
        std::future::pending::<()>().await;
        drop((asked, connection));
    })
    .await;
    let client = client(|o| {
        o.http2 = true;
        o.ping_interval = Duration::from_millis(50);
        o.ping_timeout = SHORT;
    });
    let error = soon(client.send(get(&url))).await.unwrap_err();
    assert_eq!(
        error,
        NetError::Timeout {
            address: url.address(),
            what: Waiting::Ping,
            seconds: "0.5".into()
        }
    );
}
