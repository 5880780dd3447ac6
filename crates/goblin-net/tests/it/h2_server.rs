//! A server of HTTP/2 whose every frame a test decides.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use goblin_net::Url;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::authority::{Authority, serve_tls, server};
use crate::raw_server::soon;

/// A request, and the way to answer it.
pub(crate) struct Asked {
    pub(crate) request: Request<RecvStream>,
    respond: SendResponse<Bytes>,
}

impl Asked {
    /// Answers with `text`.
    pub(crate) fn answer(mut self, text: &'static str) {
        let mut body = self.respond.send_response(Response::new(()), false).unwrap();
        body.send_data(text.into(), true).unwrap();
    }

    /// Begins an answer with `text`.
    pub(crate) fn begin(mut self, text: &'static str) -> SendStream<Bytes> {
        let mut body = self.respond.send_response(Response::new(()), false).unwrap();
        body.send_data(text.into(), false).unwrap();
        body
    }

    pub(crate) fn reset(mut self, reason: Reason) {
        self.respond.send_reset(reason);
    }

    /// Waits for the client to reset the stream.
    pub(crate) async fn was_reset(mut self) -> Reason {
        soon(std::future::poll_fn(|cx| self.respond.poll_reset(cx)))
            .await
            .unwrap()
    }
}

/// Waits for the client to reset a stream whose answer has begun.
pub(crate) async fn was_reset(mut body: SendStream<Bytes>) -> Reason {
    soon(std::future::poll_fn(|cx| body.poll_reset(cx)))
        .await
        .unwrap()
}

pub(crate) struct H2Server {
    pub(crate) url: Url,
    /// Its authority; none over plain http.
    pub(crate) roots_pem: Option<Vec<u8>>,
    pub(crate) connections: Arc<AtomicUsize>,
    asked: mpsc::UnboundedReceiver<Asked>,
}

impl H2Server {
    /// Over TLS, agreed on by ALPN.
    pub(crate) async fn over_tls() -> Self {
        let authority = Authority::new();
        let config = server(&authority.certify("127.0.0.1", |_| ()), None, &["h2", "http/1.1"]);
        let (told, asked) = mpsc::unbounded_channel();
        let (url, connections) = serve_tls(config, move |stream| run(stream, told.clone(), usize::MAX)).await;
        Self {
            url,
            roots_pem: Some(authority.pem),
            connections,
            asked,
        }
    }

    /// Over plain http. Each connection takes `requests` of them and then says that it goes away.
    pub(crate) async fn plain(requests: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let (told, asked) = mpsc::unbounded_channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let (count, tracker) = (Arc::clone(&connections), TaskTracker::new());
        let tasks = tracker.clone();
        tracker.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                tasks.spawn(run(stream, told.clone(), requests));
            }
        });
        Self {
            url,
            roots_pem: None,
            connections,
            asked,
        }
    }

    pub(crate) async fn next(&mut self) -> Asked {
        soon(self.asked.recv()).await.unwrap()
    }

    /// Is no request there that was not taken?
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.asked.try_recv().is_err()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn run(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send,
    told: mpsc::UnboundedSender<Asked>,
    requests: usize,
) {
    let Ok(mut connection) = h2::server::handshake(stream).await else {
        return;
    };
    let mut left = requests;
    while let Some(Ok((request, respond))) = connection.accept().await {
        let _ = told.send(Asked { request, respond });
        left -= 1;
        if left == 0 {
            connection.graceful_shutdown();
        }
    }
}
