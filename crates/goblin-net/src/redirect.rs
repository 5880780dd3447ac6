//! Following redirects, for downloads: registries hand their files out through other hosts.
//!
//! RFC 9110 §15.4. Every address on the way is judged by the client's guard; from https it never goes on over plain
//! http; what proves who we are is said to the first host only.

use http::header::{AUTHORIZATION, COOKIE, LOCATION, PROXY_AUTHORIZATION};
use http::{Method, StatusCode};

use crate::client::{HttpClient, Request, Response};
use crate::error::NetError;

/// Most redirects of one request.
pub const MAX_REDIRECTS: usize = 5;

impl HttpClient {
    /// As [`Self::send`], for `GET` and `HEAD`, and goes where the answer sends it, at most [`MAX_REDIRECTS`] times.
    /// `authorization`, `proxy-authorization` and `cookie` are dropped as soon as scheme, host or port change, and stay
    /// dropped. Other headers, `range` among them, are sent again.
    ///
    /// # Errors
    /// As [`Self::send`]; [`NetError::Redirect`] when a redirect may not be followed, leads nowhere, or is one too many.
    pub async fn send_following(&self, mut request: Request) -> Result<Response, NetError> {
        let followed = [Method::GET, Method::HEAD].contains(&request.method);
        for _ in 0..=MAX_REDIRECTS {
            let answer = self.send(request.clone()).await?;
            if !followed || !is_redirect(answer.status) {
                return Ok(answer);
            }
            let refused = |reason: &str| NetError::Redirect {
                address: request.url.address(),
                reason: reason.to_owned(),
            };
            let location = answer.headers.get(LOCATION).and_then(|l| l.to_str().ok());
            let location = location.ok_or_else(|| refused("it does not say where"))?;
            let next = request.url.redirected(location).map_err(refused)?;
            if !next.same_origin(&request.url) {
                for secret in [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE] {
                    request.headers.remove(secret);
                }
            }
            request.url = next;
        }
        Err(NetError::Redirect {
            address: request.url.address(),
            reason: format!("it is the last of {} in a row", MAX_REDIRECTS + 1),
        })
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}
