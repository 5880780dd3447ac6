//! Making connections: names resolved and judged, TCP without Nagle's delay, TLS, all within one time limit.

use std::collections::HashMap;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::net::TcpStream;
use tower::Service;

use crate::client::NetOptions;
use crate::error::{ConnectTimeout, NetError, RefusedAddress, Unresolved};
use crate::guard::Guard;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
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

/// TCP and TLS within one time limit.
#[derive(Clone)]
pub(crate) struct TimedConnector {
    inner: HttpsConnector<HttpConnector<GuardedResolver>>,
    limit: Duration,
}

impl TimedConnector {
    pub(crate) fn build(options: &NetOptions) -> Result<Self, NetError> {
        let resolver = GuardedResolver {
            guard: options.guard,
            pinned: Arc::new(options.pinned_hosts.clone()),
            system: GaiResolver::new(),
        };
        let mut http = HttpConnector::new_with_resolver(resolver);
        http.enforce_http(false);
        // A chunk of a stream must leave when it is written, not when the previous one was acknowledged.
        http.set_nodelay(true);
        http.set_keepalive(Some(Duration::from_secs(60)));
        http.set_connect_timeout(Some(options.connect_timeout));
        let builder = HttpsConnectorBuilder::new().with_tls_config(tls_config(options)?);
        let inner = match options.guard {
            Guard::Public => builder.https_only().enable_http1().wrap_connector(http),
            Guard::Operator => builder.https_or_http().enable_http1().wrap_connector(http),
        };
        Ok(Self {
            inner,
            limit: options.connect_timeout,
        })
    }
}

fn tls_config(options: &NetOptions) -> Result<rustls::ClientConfig, NetError> {
    let setup = |reason: String| NetError::Setup { reason };
    let mut roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    if let Some(pem) = &options.extra_roots_pem {
        let mut added = 0;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate =
                certificate.map_err(|e| setup(format!("the extra certificates are not PEM: {e}")))?;
            roots
                .add(certificate)
                .map_err(|e| setup(format!("an extra certificate is no authority: {e}")))?;
            added += 1;
        }
        if added == 0 {
            return Err(setup("the extra certificates hold no certificate".to_owned()));
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| setup(e.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

impl Service<Uri> for TimedConnector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = Boxed<Self::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.inner.call(uri);
        let limit = self.limit;
        Box::pin(async move {
            tokio::time::timeout(limit, connecting)
                .await
                .map_err(|_| ConnectTimeout)?
        })
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
        let mut connector = TimedConnector::build(&NetOptions::default()).unwrap();
        match connector.call(uri).await.unwrap() {
            MaybeHttpsStream::Http(stream) => assert!(stream.inner().nodelay().unwrap()),
            MaybeHttpsStream::Https(_) => panic!("a plain address became TLS"),
        }
    }
}
