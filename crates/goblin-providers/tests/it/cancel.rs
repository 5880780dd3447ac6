//! Leaving: who drops an answer hangs up on the upstream.

use std::time::Duration;

use futures_util::StreamExt;
use goblin_core::event::Parsed;
use goblin_net::Url;
use goblin_providers::openai_compat::{Kind, UpstreamSpec, build};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use crate::fake_upstream::{HANG_GUARD, Step, frame, net, question, read_request, soon, sse_head, text};

fn patient(url: Url) -> goblin_core::provider::ProviderHandle {
    build(UpstreamSpec::new("up", url, Kind::Plain), net(HANG_GUARD)).expect("handle")
}

#[tokio::test]
async fn an_upstream_sees_the_close_before_it_writes_its_next_token() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let server = TaskTracker::new().spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await.unwrap();
        for step in [sse_head(), frame(&text("first"))] {
            let Step::Say(bytes) = step else { unreachable!() };
            stream.write_all(bytes.as_bytes()).await.unwrap();
        }
        // The next token is ready only long after; the close has to come first.
        let mut byte = [0];
        tokio::select! {
            closed = stream.read(&mut byte) => matches!(closed, Ok(0) | Err(_)),
            () = next_token() => false,
        }
    });
    let handle = patient(url);
    let mut answer = soon((handle.chat)(question())).await.unwrap();
    loop {
        let event = soon(answer.next()).await.unwrap().unwrap();
        if matches!(&event.parsed, Parsed::Text { text, .. } if text == "first") {
            break;
        }
    }
    drop(answer);
    assert!(
        soon(server).await.unwrap(),
        "the close came before the next token"
    );
    drop(handle);
}

/// The slow upstream's next token.
async fn next_token() {
    let mut ticks = tokio::time::interval(Duration::from_secs(10));
    ticks.tick().await;
    ticks.tick().await;
}

#[tokio::test]
async fn leaving_before_the_headers_hangs_up_too() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let (asked, was_asked) = oneshot::channel();
    let server = TaskTracker::new().spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await.unwrap();
        asked.send(()).unwrap();
        let mut byte = [0];
        matches!(stream.read(&mut byte).await, Ok(0) | Err(_))
    });
    let handle = patient(url);
    tokio::select! {
        _ = (handle.chat)(question()) => panic!("nothing was answered"),
        _ = was_asked => {}
    }
    assert!(soon(server).await.unwrap());
}
