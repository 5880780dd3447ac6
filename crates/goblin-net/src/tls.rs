//! Who is trusted, who we are, and why a handshake failed, in words.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};

use crate::client::{Identity, NetOptions};
use crate::error::NetError;

/// HTTP/2's name in ALPN (RFC 9113 §3.1).
pub(crate) const H2: &[u8] = b"h2";
/// HTTP/1.1's name in ALPN (RFC 7301 §6).
const HTTP_1_1: &[u8] = b"http/1.1";

/// For servers: HTTP/2 or HTTP/1.1, whichever they choose.
pub(crate) fn to_server(options: &NetOptions) -> Result<ClientConfig, NetError> {
    let mut roots = RootCertStore::empty();
    match &options.roots_pem {
        Some(pem) => add_roots(&mut roots, pem)?,
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
    }
    let mut config = config(roots, options.identity.as_ref())?;
    config.alpn_protocols = vec![H2.to_vec(), HTTP_1_1.to_vec()];
    Ok(config)
}

/// For the proxy itself: the public authorities, and the private one as well.
pub(crate) fn to_proxy(options: &NetOptions) -> Result<ClientConfig, NetError> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    if let Some(pem) = &options.roots_pem {
        add_roots(&mut roots, pem)?;
    }
    config(roots, None)
}

fn config(roots: RootCertStore, identity: Option<&Identity>) -> Result<ClientConfig, NetError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| setup(e.to_string()))?
        .with_root_certificates(roots);
    let Some(identity) = identity else {
        return Ok(builder.with_no_client_auth());
    };
    let chain = certificates(&identity.certificate_pem, "the client certificate")?;
    let key = PrivateKeyDer::from_pem_slice(&identity.key_pem).map_err(|e| {
        setup(format!(
            "the key of the client certificate is not a PEM private key: {e}"
        ))
    })?;
    builder.with_client_auth_cert(chain, key).map_err(|e| {
        setup(format!(
            "the client certificate and its key do not belong together: {e}"
        ))
    })
}

fn add_roots(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), NetError> {
    for certificate in certificates(pem, "the file of authorities")? {
        roots
            .add(certificate)
            .map_err(|e| setup(format!("a certificate among the authorities is none: {e}")))?;
    }
    Ok(())
}

fn certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, NetError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|e| setup(format!("{what} is not PEM: {e}")))?;
    match found.is_empty() {
        true => Err(setup(format!("{what} holds no certificate in PEM form"))),
        false => Ok(found),
    }
}

fn setup(reason: String) -> NetError {
    NetError::Setup { reason }
}

/// Why the other side cannot be trusted, or does not trust us.
pub(crate) fn reason(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(why) => distrust(why),
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "it wants a certificate of this client; name one with client_cert_file and client_key_file"
                .to_owned()
        }
        rustls::Error::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError,
        ) => "it does not accept this client's certificate".to_owned(),
        rustls::Error::InvalidMessage(_) => {
            "it does not speak TLS on this port; is it http instead of https?".to_owned()
        }
        other => other.to_string(),
    }
}

fn distrust(why: &CertificateError) -> String {
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired; renew it there".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet; check the clocks of both machines".to_owned()
        }
        CertificateError::NotValidForName => "its certificate is for another name".to_owned(),
        CertificateError::NotValidForNameContext { expected, presented } => format!(
            "its certificate is for another name: it is for {}, not for {}",
            presented.join(", "),
            expected.to_str()
        ),
        // A bad signature is one of another authority with the same name.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "its certificate is from an authority that is not trusted here; name a private one with ca_file"
                .to_owned()
        }
        CertificateError::Revoked => "its certificate has been revoked".to_owned(),
        other => format!("its certificate is not valid ({other})"),
    }
}
