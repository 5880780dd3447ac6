//! The HTTP/1.1 client: pooled connections, time limits, no proxies, and no redirects unless asked for.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use futures_util::TryStreamExt;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::address::Url;
use crate::body::Body;
use crate::connect::TimedConnector;
use crate::error::{NetError, Waiting, classify};
use crate::guard::Guard;

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
    /// Certificate authorities to trust beside the public ones (PEM).
    pub extra_roots_pem: Option<Vec<u8>>,
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
            extra_roots_pem: None,
            pinned_hosts: HashMap::new(),
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
    /// Its body. Dropping it closes the connection at once, unless the body had already ended.
    pub body: Body,
}

/// The body of a request under way.
type Outgoing = UnsyncBoxBody<Bytes, std::io::Error>;

/// An HTTP/1.1 client. Cloning shares the connections.
#[derive(Clone)]
pub struct HttpClient {
    client: Client<TimedConnector, Outgoing>,
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
    /// [`NetError::Setup`] when the extra certificates cannot be used.
    pub fn build(options: NetOptions) -> Result<Self, NetError> {
        let connector = TimedConnector::build(&options)?;
        // Connection tasks end with their connection, which ends with the pool; shutdown need not wait for them.
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(options.pool_idle_timeout)
            .pool_max_idle_per_host(options.max_idle_per_host)
            .build(connector);
        Ok(Self {
            client,
            options: Arc::new(options),
        })
    }

    /// The client's limits.
    pub fn options(&self) -> &NetOptions {
        &self.options
    }

    /// Sends a request and waits for the answer's headers. Dropping the future abandons the request and closes its
    /// connection.
    ///
    /// # Errors
    /// [`NetError`], naming `host:port`.
    pub async fn send(&self, mut request: Request) -> Result<Response, NetError> {
        let body = Full::new(std::mem::take(&mut request.body));
        self.send_body(request, body.map_err(|never| match never {}).boxed_unsync())
            .await
    }

    /// As [`Self::send`], with a body that arrives bit by bit in the place of [`Request::body`]; an error in it abandons
    /// the request. The limit for the first byte of the answer includes the time the body takes.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn send_streaming(
        &self,
        request: Request,
        body: impl Stream<Item = Result<Bytes, std::io::Error>> + Send + 'static,
    ) -> Result<Response, NetError> {
        let frames = body.map_ok(http_body::Frame::data);
        self.send_body(request, BodyExt::boxed_unsync(StreamBody::new(frames)))
            .await
    }

    async fn send_body(&self, request: Request, body: Outgoing) -> Result<Response, NetError> {
        let address = request.url.address();
        self.options
            .guard
            .check_url(&request.url)
            .map_err(|refusal| NetError::Blocked {
                address: address.clone(),
                refusal,
            })?;
        let mut outgoing = http::Request::new(body);
        *outgoing.method_mut() = request.method;
        *outgoing.uri_mut() = request.url.as_str().parse().map_err(|_| NetError::Protocol {
            address: address.clone(),
            reason: "the address cannot be written in a request".to_owned(),
        })?;
        *outgoing.headers_mut() = request.headers;
        let limit = request
            .first_byte_timeout
            .unwrap_or(self.options.first_byte_timeout);
        let answer = tokio::time::timeout(limit, self.client.request(outgoing))
            .await
            .map_err(|_| NetError::Timeout {
                address: address.clone(),
                what: Waiting::FirstByte,
                seconds: seconds(limit),
            })?;
        let answer =
            answer.map_err(|e| classify(&e, address.clone(), seconds(self.options.connect_timeout)))?;
        let (head, incoming) = answer.into_parts();
        let idle = request.idle_timeout.unwrap_or(self.options.idle_timeout);
        let cap = request.max_body_bytes.unwrap_or(self.options.max_body_bytes);
        Ok(Response {
            status: head.status,
            headers: head.headers,
            body: Body::new(incoming, address, idle, cap),
        })
    }
}

/// `2`, `0.25`.
pub(crate) fn seconds(limit: Duration) -> String {
    limit.as_secs_f64().to_string()
}
