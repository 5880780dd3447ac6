//! Accepts connections and serves them, with a bound on everything a client may take, until told to stop.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::app::{AppState, ServerOptions};
use crate::routes;

mod explained_io;
mod patient_io;
mod unread;

use explained_io::ExplainedIo;
use patient_io::PatientIo;
use unread::Unread;

/// How long who comes during the drain may take to say what they want.
const LATE_PATIENCE: Duration = Duration::from_secs(2);
/// How long accepting pauses when the process is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `app` on `listener` until `shutdown` is cancelled, then drains: readiness turns off
/// (`app.draining` is cancelled), idle connections close, requests and streams under way finish. Who comes meanwhile
/// is still heard, one request a connection: health, and turns under way, which can be followed and stopped; all else
/// is refused (see `layers.rs`). What has not finished after `drain` is cut. Returns when the last connection is gone.
///
/// # Errors
///
/// None at present; connection errors end their connection and are logged.
pub async fn serve(
    listener: TcpListener,
    app: AppState,
    shutdown: CancellationToken,
    drain: Duration,
) -> io::Result<()> {
    let house = House {
        router: routes::router(&app),
        app: app.clone(),
        builder: builder(&app.options),
        head_within: app.options.header_timeout,
        stop: shutdown.clone(),
        cut: CancellationToken::new(),
    };
    let places = Arc::new(Semaphore::new(app.options.max_connections));
    let connections = TaskTracker::new();
    while let Some((stream, peer, place)) = next_connection(&listener, &places, &shutdown).await {
        connections.spawn(house.clone().host(stream, peer, place));
    }
    app.draining.cancel();
    connections.close();
    let late = House {
        builder: late_builder(&app.options),
        head_within: late_patience(&app.options),
        stop: CancellationToken::new(),
        ..house.clone()
    };
    let mut drained = std::pin::pin!(tokio::time::timeout(drain, connections.wait()));
    let never = CancellationToken::new();
    let in_time = loop {
        tokio::select! {
            biased;
            drained = &mut drained => break drained.is_ok(),
            Some((stream, peer, place)) = next_connection(&listener, &places, &never) => {
                connections.spawn(late.clone().host(stream, peer, place));
            }
        }
    };
    drop(listener);
    if !in_time {
        tracing::warn!(connections = connections.len(), "cut after the drain time");
        house.cut.cancel();
        late.stop.cancel();
        connections.wait().await;
    }
    Ok(())
}

/// The other end of a request's connection. It travels with the request because only the connection knows it;
/// headers that claim to are not believed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// What every connection shares.
#[derive(Clone)]
struct House {
    router: Router,
    app: AppState,
    builder: http1::Builder,
    /// How long a request's head may take, as the builder is told.
    head_within: Duration,
    stop: CancellationToken,
    cut: CancellationToken,
}

fn builder(options: &ServerOptions) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(options.header_timeout)
        .max_headers(options.max_headers)
        .max_header_size(options.max_header_bytes)
        .max_buf_size(options.max_header_bytes.max(64 * 1024) * 2);
    builder
}

/// For those who come during the drain: they hold up the end, so they must say at once what they want.
fn late_builder(options: &ServerOptions) -> http1::Builder {
    let mut builder = builder(options);
    builder
        .keep_alive(false)
        .header_read_timeout(late_patience(options));
    builder
}

fn late_patience(options: &ServerOptions) -> Duration {
    options.header_timeout.min(LATE_PATIENCE)
}

/// The next connection and its place; `None` when it is time to stop.
async fn next_connection(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    shutdown: &CancellationToken,
) -> Option<(TcpStream, Peer, OwnedSemaphorePermit)> {
    let accept = async {
        // A place first: while the house is full, newcomers wait in the kernel's backlog.
        let place = Arc::clone(places).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    // Tokens are small and each must leave at once.
                    let _ = stream.set_nodelay(true);
                    return Some((stream, Peer(peer.ip()), place));
                }
                Err(e) if is_about_the_client(&e) => {}
                Err(e) => {
                    tracing::error!(error = %e, "cannot accept connections");
                    pause().await;
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = shutdown.cancelled() => None,
        next = accept => next,
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "back-off: out of file descriptors, and nothing tells when one is free"
)]
async fn pause() {
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

fn is_about_the_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset
    )
}

/// Says one last thing. A client that does not take it is given up as any other.
async fn say_and_close(mut io: impl AsyncWriteExt + Unpin, said: &[u8]) {
    if io.write_all(said).await.is_ok() {
        let _ = io.shutdown().await;
    }
}

impl House {
    /// Serves one connection to its end.
    async fn host(self, stream: TcpStream, peer: Peer, _place: OwnedSemaphorePermit) {
        let unread = Unread::new(self.app.surface, self.app.ids.clone(), peer);
        let patient = PatientIo::new(TokioIo::new(stream), self.app.options.write_timeout);
        let io = ExplainedIo::new(patient, unread.clone());
        let router = self.router.map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            request
        });
        let service = TowerToHyperService::new(router);
        let mut connection = self.builder.serve_connection(io, service);
        let ended = tokio::select! {
            ended = &mut connection => ended,
            () = self.stop.cancelled() => {
                std::pin::Pin::new(&mut connection).graceful_shutdown();
                tokio::select! {
                    ended = &mut connection => ended,
                    () = self.cut.cancelled() => return,
                }
            }
        };
        let Err(error) = ended else { return };
        tracing::debug!(%error, "connection ended early");
        let parts = connection.into_parts();
        // A head that began and did not arrive is told so; a connection that was only kept is closed without a word.
        if error.is_timeout() && !parts.read_buf.is_empty() {
            let said = unread.late(&parts.read_buf, self.head_within);
            tokio::select! {
                () = say_and_close(TokioIo::new(parts.io), &said) => {}
                () = self.cut.cancelled() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn accepted_connections_send_small_pieces_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (places, never) = (Arc::new(Semaphore::new(1)), CancellationToken::new());
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (accepted, peer, _place) = next_connection(&listener, &places, &never).await.unwrap();
        assert_eq!(peer.0, client.local_addr().unwrap().ip());
        assert!(accepted.nodelay().unwrap(), "TCP_NODELAY");
        assert!(!client.nodelay().unwrap(), "which is not how a socket begins");
    }
}
