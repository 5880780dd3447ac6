//! A small HTTP client over one real connection per request. Dropping a [`Reply`] hangs up.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use goblin_core::wire::sse::{SseEvent, SseSplitter};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// A request being put together.
pub(crate) struct Call {
    address: SocketAddr,
    request: http::request::Builder,
    body: Bytes,
}

impl Call {
    pub(crate) fn new(address: SocketAddr, method: Method, path: &str) -> Self {
        let host = format!("127.0.0.1:{}", address.port());
        let request = Request::builder().method(method).uri(path).header("host", host);
        Self {
            address,
            request,
            body: Bytes::new(),
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        if let Some(headers) = self.request.headers_mut() {
            let name: http::HeaderName = name.parse().unwrap();
            headers.insert(name, value.parse().unwrap());
        }
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.bytes(body.to_string())
            .header("content-type", "application/json")
    }

    pub(crate) fn bytes(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends it and waits for the head of the answer.
    pub(crate) async fn send(self) -> Reply {
        let request = self.request.body(Full::new(self.body)).unwrap();
        guard(exchange(self.address, request)).await
    }
}

async fn exchange(address: SocketAddr, request: Request<Full<Bytes>>) -> Reply {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    let mut connected = JoinSet::new();
    connected.spawn(async move {
        let _ = connection.await;
    });
    let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
    Reply {
        status: parts.status,
        headers: parts.headers,
        body,
        splitter: SseSplitter::new(1 << 20),
        _connected: connected,
    }
}

/// An answer: its head, and a body that is still coming.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    body: Incoming,
    splitter: SseSplitter,
    // Dropping it ends the connection.
    _connected: JoinSet<()>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or("")
    }

    pub(crate) async fn bytes(&mut self) -> Bytes {
        guard((&mut self.body).collect()).await.unwrap().to_bytes()
    }

    pub(crate) async fn text(&mut self) -> String {
        String::from_utf8(self.bytes().await.to_vec()).unwrap()
    }

    pub(crate) async fn json(&mut self) -> Value {
        let text = self.text().await;
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
    }

    /// The next raw piece of the body.
    pub(crate) async fn piece(&mut self) -> Option<Bytes> {
        let frame = guard(self.body.frame()).await?.ok()?;
        frame.into_data().ok()
    }

    /// The next event of a stream; `None` at its end.
    pub(crate) async fn event(&mut self) -> Option<SseEvent> {
        loop {
            if let Some(event) = self.splitter.next_event() {
                return Some(event.unwrap());
            }
            let piece = self.piece().await?;
            self.splitter.push(&piece);
        }
    }

    /// All events to the end of the stream.
    pub(crate) async fn events(&mut self) -> Vec<SseEvent> {
        let mut all = Vec::new();
        while let Some(event) = self.event().await {
            all.push(event);
        }
        all
    }
}

/// An event's data as JSON.
pub(crate) fn data(event: &SseEvent) -> Value {
    serde_json::from_slice(&event.data).unwrap()
}

/// A connection to write to and read from byte by byte.
pub(crate) struct RawConnection(TcpStream);

impl RawConnection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    /// Writes everything; a peer that resets the connection meanwhile is a failure.
    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        guard(self.0.write_all(bytes.as_ref())).await.unwrap();
    }

    /// Reads until the peer closes.
    pub(crate) async fn read_to_end(&mut self) -> String {
        let mut all = Vec::new();
        let _ = guard(self.0.read_to_end(&mut all)).await;
        String::from_utf8_lossy(&all).into_owned()
    }

    /// Reads once.
    pub(crate) async fn read_some(&mut self) -> String {
        let mut some = vec![0; 64 * 1024];
        let n = guard(self.0.read(&mut some)).await.unwrap();
        String::from_utf8_lossy(&some[..n]).into_owned()
    }
}

/// Nothing in these tests may hang.
pub(crate) async fn guard<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), work)
        .await
        .expect("it hangs")
}
