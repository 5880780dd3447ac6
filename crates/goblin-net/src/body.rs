//! An answer's body, under a time limit between pieces and a limit of bytes.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::client::seconds;
use crate::error::{Limits, NetError, Waiting, classify};

/// An answer's body. Dropping it closes the connection at once, or resets its stream where the connection carries several
/// (HTTP/2), unless the body had already ended: the other side sees that and can stop its work.
#[derive(Debug)]
pub struct Body {
    incoming: Incoming,
    address: String,
    idle: Duration,
    limits: Limits,
    cap: usize,
    taken: usize,
    over: bool,
}

impl Body {
    pub(crate) fn new(
        incoming: Incoming,
        address: String,
        idle: Duration,
        limits: Limits,
        cap: usize,
    ) -> Self {
        Self {
            incoming,
            address,
            idle,
            limits,
            cap,
            taken: 0,
            over: false,
        }
    }

    /// The server's `host:port`, for operators.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The next piece; `None` at the end. An error is the last item.
    ///
    /// # Errors
    /// [`NetError::Timeout`], [`NetError::TooLarge`], [`NetError::Reset`] or [`NetError::Protocol`].
    pub async fn chunk(&mut self) -> Option<Result<Bytes, NetError>> {
        if self.over {
            return None;
        }
        let next = self.next_data().await;
        self.over = !matches!(next, Some(Ok(_)));
        next
    }

    async fn next_data(&mut self) -> Option<Result<Bytes, NetError>> {
        loop {
            let frame = match tokio::time::timeout(self.idle, self.incoming.frame()).await {
                Ok(frame) => frame?,
                Err(_) => {
                    let (address, seconds) = (self.address.clone(), seconds(self.idle));
                    return Some(Err(NetError::Timeout {
                        address,
                        what: Waiting::Body,
                        seconds,
                    }));
                }
            };
            let data = match frame.map(http_body::Frame::into_data) {
                Ok(Ok(data)) if data.is_empty() => continue,
                Ok(Ok(data)) => data,
                // Trailers say nothing we need.
                Ok(Err(_)) => continue,
                Err(error) => return Some(Err(self.broken(&error))),
            };
            self.taken = self.taken.saturating_add(data.len());
            if self.taken > self.cap {
                return Some(Err(NetError::TooLarge {
                    address: self.address.clone(),
                    limit: self.cap,
                }));
            }
            return Some(Ok(data));
        }
    }

    /// In the middle of a body every broken connection is a reset, whatever the system calls it.
    fn broken(&self, error: &hyper::Error) -> NetError {
        match classify(error, self.address.clone(), self.limits) {
            told @ (NetError::Protocol { .. }
            | NetError::Timeout {
                what: Waiting::Ping, ..
            }) => told,
            _ => NetError::Reset {
                address: self.address.clone(),
            },
        }
    }

    /// The whole body.
    ///
    /// # Errors
    /// As [`Self::chunk`].
    pub async fn collect(mut self) -> Result<Bytes, NetError> {
        let Some(first) = self.chunk().await.transpose()? else {
            return Ok(Bytes::new());
        };
        let Some(second) = self.chunk().await.transpose()? else {
            return Ok(first);
        };
        let mut whole = BytesMut::from(first);
        whole.extend_from_slice(&second);
        while let Some(piece) = self.chunk().await.transpose()? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    /// The pieces as a stream; an error is its last item.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, NetError>> + Send {
        futures_util::stream::unfold(self, |mut body| async move {
            body.chunk().await.map(|piece| (piece, body))
        })
    }
}
