//! Why a request to another server failed.

use std::time::Duration;

use thiserror::Error;

use crate::client::seconds;
use crate::guard::Refusal;
use crate::tls;

/// What was being waited for when time ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// TCP connection and TLS handshake.
    Connect,
    /// The status line and headers.
    FirstByte,
    /// The next piece of the body.
    Body,
    /// A sign of life on a connection that is kept (HTTP/2).
    Ping,
}

impl std::fmt::Display for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connect => "accept the connection",
            Self::FirstByte => "begin its answer",
            Self::Body => "go on with its answer",
            Self::Ping => "answer a ping",
        })
    }
}

/// Why a request to another server failed. Every sentence names `host:port`, so it is for operators, not for callers.
/// None carries a path, a header or a body.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NetError {
    /// Nothing listens there.
    #[error("{address} refused the connection; nothing listens there")]
    ConnectRefused {
        /// `host:port`.
        address: String,
    },
    /// No way there.
    #[error("{address} cannot be reached: {reason}")]
    Unreachable {
        /// `host:port`.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// The name is not known.
    #[error("the name in {address} cannot be resolved: {reason}")]
    Dns {
        /// `host:port`.
        address: String,
        /// What the resolver said.
        reason: String,
    },
    /// The proxy named for it cannot be used, or does not connect to it. Of the target only what the proxy was asked for
    /// is told.
    #[error("the proxy {proxy} cannot be used: {reason}")]
    Proxy {
        /// The proxy's `host:port`.
        proxy: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The TLS handshake failed.
    #[error("{address} cannot be trusted: {reason}")]
    Tls {
        /// `host:port`.
        address: String,
        /// What is wrong with its certificate or protocol.
        reason: String,
    },
    /// It took too long.
    #[error("{address} did not {what} within {seconds} s")]
    Timeout {
        /// `host:port`.
        address: String,
        /// What was waited for.
        what: Waiting,
        /// How long, in seconds.
        seconds: String,
    },
    /// The guard forbids the address.
    #[error("{address} may not be connected to: {refusal}")]
    Blocked {
        /// `host:port`.
        address: String,
        /// Why.
        refusal: Refusal,
    },
    /// The connection broke.
    #[error("{address} closed the connection in the middle")]
    Reset {
        /// `host:port`.
        address: String,
    },
    /// What came is not HTTP, or the request cannot be said in HTTP.
    #[error("{address} does not speak HTTP as expected: {reason}")]
    Protocol {
        /// `host:port`.
        address: String,
        /// What was wrong.
        reason: String,
    },
    /// The body is over the limit.
    #[error("{address} sent more than {limit} bytes")]
    TooLarge {
        /// `host:port`.
        address: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// It sent us elsewhere, and we do not go there.
    #[error("{address} sends elsewhere, which is not followed: {reason}")]
    Redirect {
        /// `host:port` of who sent us.
        address: String,
        /// Why not.
        reason: String,
    },
    /// The client itself cannot be made.
    #[error("the HTTP client cannot be set up: {reason}")]
    Setup {
        /// What is wrong.
        reason: String,
    },
}

/// The client's guard refused while a name was being resolved. Travels through the connector as a boxed error.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct RefusedAddress(pub(crate) Refusal);

/// The resolver failed.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct Unresolved(pub(crate) String);

/// The connector took too long.
#[derive(Debug, Error)]
#[error("the connection was not made in time")]
pub(crate) struct ConnectTimeout;

/// The proxy is at fault.
#[derive(Debug, Error)]
#[error("{proxy}: {reason}")]
pub(crate) struct ProxyFailed {
    pub(crate) proxy: String,
    pub(crate) reason: String,
}

/// The limits an error may tell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) connect: Duration,
    pub(crate) ping: Duration,
}

/// The first error of this type in a chain of wrapped errors.
pub(crate) fn cause<'a, E: std::error::Error + 'static>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(e) = next {
        if let Some(found) = e.downcast_ref::<E>() {
            return Some(found);
        }
        // The custom error inside is not among its sources.
        let inside = e
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        next = match inside {
            Some(inner) => Some(inner),
            None => e.source(),
        };
    }
    None
}

/// Finds the cause that matters in a chain of wrapped errors.
pub(crate) fn classify(
    error: &(dyn std::error::Error + 'static),
    address: String,
    limits: Limits,
) -> NetError {
    if let Some(failed) = cause::<ProxyFailed>(error) {
        let (proxy, reason) = (failed.proxy.clone(), failed.reason.clone());
        return NetError::Proxy { proxy, reason };
    }
    let mut cause = Some(error);
    let mut unreachable = None;
    while let Some(e) = cause {
        if let Some(refused) = e.downcast_ref::<RefusedAddress>() {
            return NetError::Blocked {
                address,
                refusal: refused.0,
            };
        }
        if let Some(unresolved) = e.downcast_ref::<Unresolved>() {
            return NetError::Dns {
                address,
                reason: unresolved.0.clone(),
            };
        }
        if e.downcast_ref::<ConnectTimeout>().is_some() {
            return NetError::Timeout {
                address,
                what: Waiting::Connect,
                seconds: seconds(limits.connect),
            };
        }
        if let Some(tls) = e.downcast_ref::<rustls::Error>() {
            return NetError::Tls {
                address,
                reason: tls::reason(tls),
            };
        }
        if let Some(hyper) = e.downcast_ref::<hyper::Error>() {
            if hyper.is_timeout() {
                return NetError::Timeout {
                    address,
                    what: Waiting::Ping,
                    seconds: seconds(limits.ping),
                };
            }
            if hyper.is_incomplete_message() || hyper.is_canceled() || hyper.is_closed() {
                return NetError::Reset { address };
            }
            if hyper.is_parse() {
                return NetError::Protocol {
                    address,
                    reason: hyper.to_string(),
                };
            }
        }
        if let Some(h2) = e.downcast_ref::<h2::Error>() {
            if let Some(io) = h2.get_io() {
                cause = Some(io);
                continue;
            }
            if h2.is_remote() {
                return NetError::Reset { address };
            }
            let reason = format!("what it says is no HTTP/2 ({h2})");
            return NetError::Protocol { address, reason };
        }
        if let Some(io) = e.downcast_ref::<std::io::Error>() {
            match io.kind() {
                std::io::ErrorKind::ConnectionRefused => return NetError::ConnectRefused { address },
                std::io::ErrorKind::TimedOut => {
                    return NetError::Timeout {
                        address,
                        what: Waiting::Connect,
                        seconds: seconds(limits.connect),
                    };
                }
                std::io::ErrorKind::ConnectionReset
                | std::io::ErrorKind::ConnectionAborted
                | std::io::ErrorKind::BrokenPipe
                | std::io::ErrorKind::UnexpectedEof => return NetError::Reset { address },
                _ => {}
            }
            // The custom error inside is not among its sources, so it is looked at here.
            if let Some(inner) = io.get_ref() {
                cause = Some(inner);
                continue;
            }
            unreachable = Some(io.to_string());
        }
        cause = e.source();
    }
    match unreachable {
        Some(reason) => NetError::Unreachable { address, reason },
        None => NetError::Protocol {
            address,
            reason: error.to_string(),
        },
    }
}
