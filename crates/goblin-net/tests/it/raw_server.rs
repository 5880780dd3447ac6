//! A TCP server that says exactly what a test wants, and tells what it saw.

use std::future::Future;
use std::time::Duration;

use goblin_net::{HttpClient, NetOptions, Request, Url};
use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

/// Far above anything that happens; a test that takes this long hangs.
pub(crate) const HANG_GUARD: Duration = Duration::from_secs(20);
/// The limits under test: short enough to wait for.
pub(crate) const SHORT: Duration = Duration::from_millis(500);

/// Awaits under the hang guard.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANG_GUARD, what).await.expect("hangs")
}

/// One accepted connection.
pub(crate) struct Peer(TcpStream);

impl Peer {
    /// The connection itself.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.0
    }

    /// Reads a request without a body.
    pub(crate) async fn read_request(&mut self) -> String {
        let mut seen = Vec::new();
        while !seen.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).await.expect("a whole request");
            seen.push(byte[0]);
        }
        String::from_utf8(seen).expect("text")
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.expect("write");
    }

    /// Waits until the client has closed the connection.
    pub(crate) async fn closed(&mut self) {
        let mut byte = [0];
        let seen = soon(self.0.read(&mut byte)).await;
        assert!(matches!(seen, Ok(0) | Err(_)), "the client said more: {seen:?}");
    }
}

/// Starts a server that runs `script` for its first connection. Gives its address and what the script returns.
pub(crate) async fn serve<T, F>(
    script: impl FnOnce(Peer) -> F + Send + 'static,
) -> (Url, tokio::task::JoinHandle<T>)
where
    F: Future<Output = T> + Send,
    T: Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let url = Url::parse(&format!("http://{}/", listener.local_addr().expect("address"))).expect("url");
    let running = TaskTracker::new().spawn(async move {
        let (stream, _) = listener.accept().await.expect("accept");
        script(Peer(stream)).await
    });
    (url, running)
}

pub(crate) fn client(change: impl FnOnce(&mut NetOptions)) -> HttpClient {
    let mut options = NetOptions {
        connect_timeout: HANG_GUARD,
        first_byte_timeout: HANG_GUARD,
        idle_timeout: HANG_GUARD,
        ..NetOptions::default()
    };
    change(&mut options);
    HttpClient::build(options).expect("client")
}

pub(crate) fn get(url: &Url) -> Request {
    Request::new(Method::GET, url.clone())
}
