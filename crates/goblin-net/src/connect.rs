//! Making connections: names resolved and judged, TCP without Nagle's delay, a proxy's consent, TLS, all within one
//! time limit.

use std::collections::HashMap;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tower::Service;

use crate::client::{NetOptions, seconds};
use crate::error::{ConnectTimeout, Limits, NetError, ProxyFailed, RefusedAddress, Unresolved, classify};
use crate::guard::Guard;
use crate::proxy::Proxy;
use crate::tls;

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Boxed<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// Resolves names, and lets through only addresses the guard allows. Because the connector connects to exactly what
/// this returns, a name cannot lead elsewhere afterwards.
#[derive(Clone)]
pub(crate) struct GuardedResolver {
    guard: Guard,
    pinned: Arc<HashMap<String, Vec<IpAddr>>>,
    system: GaiResolver,
}

impl Service<Name> for GuardedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = Boxed<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let guard = self.guard;
        let pinned = self.pinned.get(name.as_str()).cloned();
        let mut system = self.system.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = match pinned {
                Some(addresses) => addresses.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect(),
                None => system
                    .call(name)
                    .await
                    .map_err(|e| Unresolved(e.to_string()))?
                    .collect(),
            };
            if found.is_empty() {
                return Err(Unresolved("the name has no address".to_owned()).into());
            }
            // One forbidden address among allowed ones is an attempt, not an accident.
            for address in &found {
                guard.check_ip(address.ip()).map_err(RefusedAddress)?;
            }
            Ok(found.into_iter())
        })
    }
}

/// A byte stream, encrypted or not.
pub(crate) trait Bytestream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytestream for T {}
pub(crate) type Socket = Box<dyn Bytestream>;

/// Has a connection ever answered? One that has and breaks before it answers again was closed while it was idle.
#[derive(Clone, Default)]
pub(crate) struct Past(Arc<AtomicBool>);

impl Past {
    pub(crate) fn answered(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_answered(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A connection over which requests are made.
pub(crate) struct Conn {
    io: TokioIo<Socket>,
    h2: bool,
    forwarded: bool,
    past: Past,
}

impl Connection for Conn {
    fn connected(&self) -> Connected {
        let connected = Connected::new().proxy(self.forwarded).extra(self.past.clone());
        match self.h2 {
            true => connected.negotiated_h2(),
            false => connected,
        }
    }
}

impl Read for Conn {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl Write for Conn {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }
}

/// Makes connections.
#[derive(Clone)]
pub(crate) struct Connector(Arc<Inner>);

struct Inner {
    resolver: GuardedResolver,
    tcp: HttpConnector<GuardedResolver>,
    tls: TlsConnector,
    /// HTTP/2 over plain http.
    http2: bool,
    limit: Duration,
    way: Option<Way>,
}

/// The way through a proxy.
struct Way {
    proxy: Proxy,
    limits: Limits,
    /// To the proxy itself.
    tcp: HttpConnector<GuardedResolver>,
    tls: TlsConnector,
}

impl Connector {
    pub(crate) fn build(options: &NetOptions) -> Result<Self, NetError> {
        let resolver = GuardedResolver {
            guard: options.guard,
            pinned: Arc::new(options.pinned_hosts.clone()),
            system: GaiResolver::new(),
        };
        let way = options.proxy.clone().map(|proxy| {
            // The operator named it, whatever the addresses are that it is asked for.
            let resolver = GuardedResolver {
                guard: Guard::Operator,
                ..resolver.clone()
            };
            Ok(Way {
                proxy,
                limits: options.limits(),
                tcp: tcp(resolver, options),
                tls: TlsConnector::from(Arc::new(tls::to_proxy(options)?)),
            })
        });
        Ok(Self(Arc::new(Inner {
            tcp: tcp(resolver.clone(), options),
            resolver,
            tls: TlsConnector::from(Arc::new(tls::to_server(options)?)),
            http2: options.http2,
            limit: options.connect_timeout,
            way: way.transpose()?,
        })))
    }

    /// What a request must carry for the proxy, when that forwards it.
    pub(crate) fn forwarding(&self, uri: &Uri) -> Option<&Proxy> {
        let way = self.0.way.as_ref()?;
        self.0.is_forwarded(way, uri).then_some(&way.proxy)
    }
}

fn tcp(resolver: GuardedResolver, options: &NetOptions) -> HttpConnector<GuardedResolver> {
    let mut tcp = HttpConnector::new_with_resolver(resolver);
    tcp.enforce_http(false);
    // A chunk of a stream must leave when it is written, not when the previous one was acknowledged.
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(Duration::from_secs(60)));
    tcp.set_connect_timeout(Some(options.connect_timeout));
    tcp
}

impl Inner {
    async fn connect(&self, uri: Uri) -> Result<Conn, BoxError> {
        let until = Instant::now() + self.limit;
        let (socket, forwarded) = match &self.way {
            None => (self.directly(&uri, until).await?, false),
            Some(way) => self.through(way, &uri, until).await?,
        };
        let (io, h2) = if is_https(&uri) {
            let (socket, h2) = in_time(until, encrypt(&self.tls, host_of(&uri), socket)).await??;
            (socket, h2)
        } else {
            (socket, self.http2)
        };
        Ok(Conn {
            io: TokioIo::new(io),
            h2,
            forwarded,
            past: Past::default(),
        })
    }

    async fn directly(&self, uri: &Uri, until: Instant) -> Result<Socket, BoxError> {
        let mut tcp = self.tcp.clone();
        let stream = in_time(until, tcp.call(uri.clone())).await??;
        Ok(Box::new(stream.into_inner()))
    }

    /// Through the proxy; `true`: it forwards each request.
    async fn through(&self, way: &Way, uri: &Uri, until: Instant) -> Result<(Socket, bool), BoxError> {
        let forwarded = self.is_forwarded(way, uri);
        let target = in_time(until, self.target(way, uri)).await??;
        let asked = async {
            let socket = way.reach().await?;
            match forwarded {
                true => Ok(socket),
                false => way.proxy.open(socket, target).await,
            }
        };
        let socket = in_time(until, asked).await.map_err(|_| ProxyFailed {
            proxy: way.proxy.address(),
            reason: format!("it did not make the connection within {} s", seconds(self.limit)),
        })??;
        Ok((socket, forwarded))
    }

    /// Plain http goes through an HTTP proxy request by request, unless this side decides where the name leads, or the
    /// connection speaks HTTP/2.
    fn is_forwarded(&self, way: &Way, uri: &Uri) -> bool {
        way.proxy.forwards() && !is_https(uri) && !self.http2 && !self.resolves_here(way, uri)
    }

    /// Must the name be resolved and judged on this side? Where an operator gives names to a proxy, it is the proxy
    /// that decides where they lead; addresses of users are never left to it.
    fn resolves_here(&self, way: &Way, uri: &Uri) -> bool {
        !way.proxy.resolves_names()
            || self.resolver.guard == Guard::Public
            || self.resolver.pinned.contains_key(host_of(uri))
    }

    /// What the proxy is asked for: a name, or the address it leads to; always with a port.
    async fn target(&self, way: &Way, uri: &Uri) -> Result<Uri, BoxError> {
        let port = uri.port_u16().unwrap_or(if is_https(uri) { 443 } else { 80 });
        let mut host = uri.host().unwrap_or_default().to_owned();
        let literal = host_of(uri).parse::<IpAddr>().is_ok();
        if !literal && self.resolves_here(way, uri) {
            let name = host.parse::<Name>().map_err(|e| Unresolved(e.to_string()))?;
            let found = self.resolver.clone().call(name).await?;
            // Every one of them was judged; the resolver gives at least one.
            if let Some(address) = found.into_iter().next() {
                host = match address.ip() {
                    IpAddr::V4(ip) => ip.to_string(),
                    IpAddr::V6(ip) => format!("[{ip}]"),
                };
            }
        }
        Ok(format!("http://{host}:{port}/").parse::<Uri>()?)
    }
}

impl Way {
    /// A connection to the proxy itself.
    async fn reach(&self) -> Result<Socket, ProxyFailed> {
        let failed = |error: &(dyn std::error::Error + 'static)| {
            let proxy = self.proxy.address();
            let said = classify(error, proxy.clone(), self.limits).to_string();
            let reason = match said.strip_prefix(&proxy) {
                Some(rest) => format!("it{rest}"),
                None => said,
            };
            ProxyFailed { proxy, reason }
        };
        let mut tcp = self.tcp.clone();
        let stream = tcp.call(self.proxy.uri().clone()).await.map_err(|e| failed(&e))?;
        let socket: Socket = Box::new(stream.into_inner());
        if !self.proxy.is_tls() {
            return Ok(socket);
        }
        let encrypted = encrypt(&self.tls, self.proxy.host(), socket).await;
        Ok(encrypted.map_err(|e| failed(&*e))?.0)
    }
}

/// TLS over `socket`; `true`: HTTP/2 was agreed on.
async fn encrypt(tls: &TlsConnector, host: &str, socket: Socket) -> Result<(Socket, bool), BoxError> {
    let stream = tls
        .connect(ServerName::try_from(host.to_owned())?, socket)
        .await?;
    let h2 = stream.get_ref().1.alpn_protocol() == Some(tls::H2);
    Ok((Box::new(stream), h2))
}

async fn in_time<T>(until: Instant, work: impl Future<Output = T>) -> Result<T, ConnectTimeout> {
    timeout_at(until, work).await.map_err(|_| ConnectTimeout)
}

fn is_https(uri: &Uri) -> bool {
    uri.scheme() == Some(&http::uri::Scheme::HTTPS)
}

/// The host without the brackets of an IPv6 address.
fn host_of(uri: &Uri) -> &str {
    uri.host().unwrap_or_default().trim_matches(['[', ']'])
}

impl Service<Uri> for Connector {
    type Response = Conn;
    type Error = BoxError;
    type Future = Boxed<Conn>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.connect(uri).await })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connections_do_not_wait_for_nagle() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri: Uri = format!("http://{}/", listener.local_addr().unwrap())
            .parse()
            .unwrap();
        let connector = Connector::build(&NetOptions::default()).unwrap();
        let mut tcp = connector.0.tcp.clone();
        let stream = tcp.call(uri).await.unwrap();
        assert!(stream.inner().nodelay().unwrap());
    }
}
