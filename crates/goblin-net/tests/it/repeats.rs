//! Requests that met a connection which was dead already.

use bytes::Bytes;
use goblin_net::{HttpClient, NetError, Request, Url};
use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::raw_server::{client, soon};

/// A server that answers the first request of each connection and hangs up at the second one, which it has read.
async fn impatient() -> (Url, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let (told, seen) = mpsc::unbounded_channel();
    let tracker = TaskTracker::new();
    let tasks = tracker.clone();
    tracker.spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let told = told.clone();
            tasks.spawn(async move {
                let _ = told.send(read(&mut stream).await);
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
                stream.write_all(answer).await.unwrap();
                let _ = told.send(format!("cut {}", read(&mut stream).await));
            });
        }
    });
    (url, seen)
}

/// A request with the body `ask`.
async fn read(stream: &mut TcpStream) -> String {
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\nask") && stream.read_buf(&mut seen).await.is_ok_and(|n| n > 0) {}
    let text = String::from_utf8(seen).unwrap();
    text.lines().next().unwrap_or("nothing").to_owned()
}

fn post(url: &Url, path: &str) -> Request {
    Request {
        body: Bytes::from_static(b"ask"),
        ..Request::new(Method::POST, url.join(path))
    }
}

async fn answered(client: &HttpClient, request: Request) {
    let response = soon(client.send(request)).await.unwrap();
    assert_eq!(soon(response.body.collect()).await.unwrap(), "hi");
    // The connection goes back to the pool by a task of its own; let it run.
    for _ in 0..32 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_request_on_a_connection_that_was_closed_while_idle_is_repeated_on_a_new_one() {
    let (url, mut seen) = impatient().await;
    let client = client(|_| ());
    answered(&client, post(&url, "one")).await;
    answered(&client, post(&url, "two")).await;
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push(soon(seen.recv()).await.unwrap());
    }
    assert_eq!(all[0], "POST /one HTTP/1.1");
    all[1..].sort();
    assert_eq!(all[1..], ["POST /two HTTP/1.1", "cut POST /two HTTP/1.1"]);
}

#[tokio::test]
async fn a_streamed_body_is_not_repeated() {
    let (url, mut seen) = impatient().await;
    let client = client(|_| ());
    answered(&client, post(&url, "one")).await;
    let piece = futures_util::stream::iter([Ok(Bytes::from_static(b"ask"))]);
    let mut request = Request::new(Method::POST, url.join("two"));
    request.headers.insert("content-length", 3.into());
    let error = soon(client.send_streaming(request, piece)).await.unwrap_err();
    assert!(matches!(error, NetError::Reset { .. }), "{error}");
    assert_eq!(soon(seen.recv()).await.unwrap(), "POST /one HTTP/1.1");
    assert_eq!(soon(seen.recv()).await.unwrap(), "cut POST /two HTTP/1.1");
    assert!(seen.try_recv().is_err());
}
