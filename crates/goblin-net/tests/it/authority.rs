//! A private certificate authority, and servers with certificates of it.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use goblin_net::{Identity, Url};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::task::TaskTracker;

pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: Vec<u8>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // Authorities of the same name would be told apart by their keys only.
        let name = format!("authority {:x?}", &key.public_key_raw()[1..9]);
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem().into_bytes();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    pub(crate) fn certify(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity {
            certificate_pem: certificate.pem().into_bytes(),
            key_pem: key.serialize_pem().into_bytes(),
        }
    }
}

/// A server that shows `identity`, and wants a certificate of `clients` if there is one.
pub(crate) fn server(identity: &Identity, clients: Option<&Authority>, alpn: &[&str]) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots
                .add(CertificateDer::from_pem_slice(&authority.pem).unwrap())
                .unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let chain = vec![CertificateDer::from_pem_slice(&identity.certificate_pem).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(&identity.key_pem).unwrap();
    let mut config = builder.with_single_cert(chain, key).unwrap();
    config.alpn_protocols = alpn.iter().map(|p| p.as_bytes().to_vec()).collect();
    Arc::new(config)
}

/// Runs `script` for every connection whose handshake succeeds. Gives the address, and how many were accepted.
pub(crate) async fn serve_tls<F>(
    config: Arc<ServerConfig>,
    script: impl Fn(TlsStream<TcpStream>) -> F + Send + Sync + 'static,
) -> (Url, Arc<AtomicUsize>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("https://{}/", listener.local_addr().unwrap())).unwrap();
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&accepted);
    let (acceptor, script) = (TlsAcceptor::from(config), Arc::new(script));
    let tracker = TaskTracker::new();
    let connections = tracker.clone();
    tracker.spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            let (acceptor, script) = (acceptor.clone(), Arc::clone(&script));
            connections.spawn(async move {
                match acceptor.accept(stream).into_fallible().await {
                    Ok(stream) => script(stream).await,
                    // Hanging up before the client has read the alert would lose it.
                    Err((_, mut stream)) => {
                        let _ = stream.read_to_end(&mut Vec::new()).await;
                    }
                }
            });
        }
    });
    (url, accepted)
}

/// Answers every request of an HTTP/1.1 connection with `hi`.
pub(crate) async fn say_hi(mut stream: TlsStream<TcpStream>) {
    let mut seen = Vec::new();
    while stream.read_buf(&mut seen).await.is_ok_and(|n| n > 0) {
        if seen.ends_with(b"\r\n\r\n") {
            seen.clear();
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")
                .await;
        }
    }
}

/// `https://name:port/` for a server that listens on loopback.
pub(crate) fn named(url: &Url, name: &str) -> Url {
    let address = url.address();
    let port = address.rsplit(':').next().unwrap();
    Url::parse(&format!("{}://{name}:{port}/", url.scheme())).unwrap()
}
