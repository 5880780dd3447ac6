//! The HTTP client: HTTP/1.1 and HTTP/2, pooled connections, time limits, only the proxy it is given, and no redirects
//! unless asked for.
//!
//! Over https the server chooses the version (ALPN). A request that certainly was not worked on is repeated once: one
//! that the server refused unread (HTTP/2: `REFUSED_STREAM`, or a stream after `GOAWAY`, RFC 9113 §8.7), or that met a
//! pooled connection which turns out to be closed. Never once an answer has begun, and never with a streamed body.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_core::Stream;
use futures_util::TryStreamExt;
use http::header::PROXY_AUTHORIZATION;
use http::{Extensions, HeaderMap, Method, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::address::Url;
use crate::body::Body;
use crate::connect::{Connector, Past};
use crate::error::{Limits, NetError, Waiting, cause, classify};
use crate::guard::Guard;
use crate::proxy::Proxy;

/// What an answer that is not read may hold back on a connection of HTTP/2: several of them leave room for others.
const STREAM_WINDOW: u32 = 2 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;
/// A connection that was closed while idle says so at once. Later, the request was being worked on when it broke.
const STALE_WITHIN: Duration = Duration::from_secs(2);

/// What proves who we are in a TLS handshake (mutual TLS).
#[derive(Clone)]
pub struct Identity {
    /// The certificate, and those between it and its authority (PEM).
    pub certificate_pem: Vec<u8>,
    /// Its private key (PEM).
    pub key_pem: Vec<u8>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

/// How a client behaves.
#[derive(Clone, Debug)]
pub struct NetOptions {
    /// Where its connections may lead.
    pub guard: Guard,
    /// Most time for name resolution, TCP and TLS together.
    pub connect_timeout: Duration,
    /// Most time from sending a request to the answer's headers.
    pub first_byte_timeout: Duration,
    /// Most time between two pieces of an answer's body.
    pub idle_timeout: Duration,
    /// Most bytes of an answer's body.
    pub max_body_bytes: usize,
    /// Connections kept open for each host while unused.
    pub max_idle_per_host: usize,
    /// How long an unused connection is kept.
    pub pool_idle_timeout: Duration,
    /// Certificate authorities to trust in the place of the public ones (PEM).
    pub roots_pem: Option<Vec<u8>>,
    /// The certificate to show to servers that ask for one.
    pub identity: Option<Identity>,
    /// Speak HTTP/2 over plain http, to servers that are known to understand it (RFC 9113 §3.3).
    pub http2: bool,
    /// How often a kept connection of HTTP/2 must give a sign of life.
    pub ping_interval: Duration,
    /// How long that may take before the connection is given up.
    pub ping_timeout: Duration,
    /// Through whom all connections are made. The guard judges the addresses of requests, and where their names lead as
    /// far as that is decided here; where a proxy is given a name, it decides.
    pub proxy: Option<Proxy>,
    /// Names that are resolved here instead of by the system. The guard judges their addresses too.
    pub pinned_hosts: HashMap<String, Vec<IpAddr>>,
}

impl Default for NetOptions {
    fn default() -> Self {
        Self {
            guard: Guard::Operator,
            connect_timeout: Duration::from_secs(5),
            first_byte_timeout: Duration::from_secs(120),
            idle_timeout: Duration::from_secs(60),
            max_body_bytes: 64 * 1024 * 1024,
            max_idle_per_host: 32,
            pool_idle_timeout: Duration::from_secs(30),
            roots_pem: None,
            identity: None,
            http2: false,
            ping_interval: Duration::from_secs(15),
            ping_timeout: Duration::from_secs(10),
            proxy: None,
            pinned_hosts: HashMap::new(),
        }
    }
}

impl NetOptions {
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            connect: self.connect_timeout,
            ping: self.ping_timeout,
        }
    }
}

/// A request. `None` limits are the client's.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `POST` …
    pub method: Method,
    /// Whom to ask.
    pub url: Url,
    /// Headers; `host` and `content-length` are added.
    pub headers: HeaderMap,
    /// The body; empty for none.
    pub body: Bytes,
    /// Overrides [`NetOptions::first_byte_timeout`].
    pub first_byte_timeout: Option<Duration>,
    /// Overrides [`NetOptions::idle_timeout`].
    pub idle_timeout: Option<Duration>,
    /// Overrides [`NetOptions::max_body_bytes`].
    pub max_body_bytes: Option<usize>,
}

impl Request {
    /// A request without headers or body, under the client's limits.
    pub fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            first_byte_timeout: None,
            idle_timeout: None,
            max_body_bytes: None,
        }
    }
}

/// An answer whose body has yet to arrive.
#[derive(Debug)]
pub struct Response {
    /// Redirects too are just answers.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body. Dropping it closes the connection (HTTP/2: resets the stream) at once, unless the body had ended.
    pub body: Body,
}

/// The body of a request under way.
type Outgoing = UnsyncBoxBody<Bytes, std::io::Error>;

/// An HTTP client. Cloning shares the connections.
#[derive(Clone)]
pub struct HttpClient {
    client: Client<Connector, Outgoing>,
    connector: Connector,
    options: Arc<NetOptions>,
}

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpClient")
            .field("guard", &self.options.guard)
            .finish_non_exhaustive()
    }
}

impl HttpClient {
    /// Sets up a client; nothing is connected yet.
    ///
    /// # Errors
    /// [`NetError::Setup`] when the certificates or the key cannot be used.
    pub fn build(options: NetOptions) -> Result<Self, NetError> {
        let connector = Connector::build(&options)?;
        // Connection tasks end with their connection, which ends with the pool; shutdown need not wait for them.
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(options.pool_idle_timeout)
            .pool_max_idle_per_host(options.max_idle_per_host)
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            .http2_keep_alive_interval(options.ping_interval)
            .http2_keep_alive_timeout(options.ping_timeout)
            .http2_keep_alive_while_idle(true)
            .build(connector.clone());
        Ok(Self {
            client,
            connector,
            options: Arc::new(options),
        })
    }

    /// The client's limits.
    pub fn options(&self) -> &NetOptions {
        &self.options
    }

    /// Sends a request and waits for the answer's headers. Dropping the future abandons the request and closes its
    /// connection (HTTP/2: resets its stream).
    ///
    /// # Errors
    /// [`NetError`], naming `host:port`.
    pub async fn send(&self, mut request: Request) -> Result<Response, NetError> {
        let body = std::mem::take(&mut request.body);
        let (asked, head) = self.prepare(request)?;
        let whole = |head: http::Request<()>, body: Bytes| {
            let body = Full::new(body).map_err(|never| match never {});
            self.client.request(head.map(|()| body.boxed_unsync()))
        };
        let again = head.clone();
        let sending = async {
            let sent = Instant::now();
            match whole(head, body.clone()).await {
                Err(error) if was_unread(&error, sent.elapsed(), self.options.limits()) => {
                    whole(again, body).await
                }
                other => other,
            }
        };
        self.answer(asked, sending).await
    }

    /// As [`Self::send`], with a body that arrives bit by bit in the place of [`Request::body`]; an error in it abandons
    /// the request. The limit for the first byte of the answer includes the time the body takes. It is never repeated.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn send_streaming(
        &self,
        request: Request,
        body: impl Stream<Item = Result<Bytes, std::io::Error>> + Send + 'static,
    ) -> Result<Response, NetError> {
        let frames = body.map_ok(http_body::Frame::data);
        let body = BodyExt::boxed_unsync(StreamBody::new(frames));
        let (asked, head) = self.prepare(request)?;
        self.answer(asked, self.client.request(head.map(|()| body))).await
    }

    /// The limits of a request, and the request without its body, once its address was judged.
    fn prepare(&self, request: Request) -> Result<(Asked, http::Request<()>), NetError> {
        let address = request.url.address();
        if let Err(refusal) = self.options.guard.check_url(&request.url) {
            return Err(NetError::Blocked { address, refusal });
        }
        let mut head = http::Request::new(());
        *head.method_mut() = request.method;
        *head.uri_mut() = request.url.as_str().parse().map_err(|_| NetError::Protocol {
            address: address.clone(),
            reason: "the address cannot be written in a request".to_owned(),
        })?;
        *head.headers_mut() = request.headers;
        let forwarding = self.connector.forwarding(head.uri());
        if let Some(value) = forwarding.and_then(Proxy::authorization) {
            head.headers_mut().insert(PROXY_AUTHORIZATION, value);
        }
        let options = &self.options;
        let asked = Asked {
            address,
            forwarded: forwarding.is_some(),
            first_byte: request.first_byte_timeout.unwrap_or(options.first_byte_timeout),
            idle: request.idle_timeout.unwrap_or(options.idle_timeout),
            cap: request.max_body_bytes.unwrap_or(options.max_body_bytes),
        };
        Ok((asked, head))
    }

    async fn answer(
        &self,
        asked: Asked,
        sending: impl Future<Output = Result<http::Response<Incoming>, ClientError>>,
    ) -> Result<Response, NetError> {
        let limits = self.options.limits();
        let Asked { address, .. } = &asked;
        let answer = tokio::time::timeout(asked.first_byte, sending)
            .await
            .map_err(|_| NetError::Timeout {
                address: address.clone(),
                what: Waiting::FirstByte,
                seconds: seconds(asked.first_byte),
            })?;
        let answer = answer.map_err(|e| classify(&e, address.clone(), limits))?;
        let (head, incoming) = answer.into_parts();
        if let Some(past) = head.extensions.get::<Past>() {
            past.answered();
        }
        if head.status == StatusCode::PROXY_AUTHENTICATION_REQUIRED
            && let Some(proxy) = self.options.proxy.as_ref().filter(|_| asked.forwarded)
        {
            return Err(NetError::Proxy {
                proxy: proxy.address(),
                reason: proxy.wants_login(),
            });
        }
        Ok(Response {
            status: head.status,
            headers: head.headers,
            body: Body::new(incoming, asked.address, asked.idle, limits, asked.cap),
        })
    }
}

/// Whom a request goes to, and its limits.
struct Asked {
    address: String,
    /// A proxy passes it on.
    forwarded: bool,
    first_byte: Duration,
    idle: Duration,
    cap: usize,
}

/// Is it certain, or as good as certain, that the server never worked on the request?
fn was_unread(error: &ClientError, after: Duration, limits: Limits) -> bool {
    if let Some(h2) = cause::<h2::Error>(error)
        && !h2.is_io()
    {
        return h2.is_remote() && (h2.is_go_away() || h2.reason() == Some(h2::Reason::REFUSED_STREAM));
    }
    let mut extras = Extensions::new();
    if let Some(connection) = error.connect_info() {
        connection.get_extras(&mut extras);
    }
    let pooled = extras.get::<Past>().is_some_and(Past::has_answered);
    pooled && after < STALE_WITHIN && matches!(classify(error, String::new(), limits), NetError::Reset { .. })
}

/// `2`, `0.25`.
pub(crate) fn seconds(limit: Duration) -> String {
    limit.as_secs_f64().to_string()
}
