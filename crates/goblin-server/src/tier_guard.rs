//! The model tier's door: who is shut out, which requests are not plain, whose key it is and how much that key
//! may use. Nothing that is refused here reaches a handler.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use goblin_auth::bans::{AddressBans, BanPolicy};
use goblin_auth::keys::{KeyHolder, TierKeys};
use goblin_auth::principal::{Principal, Scope};
use goblin_core::clock::{Clock, Timestamp};
use goblin_core::error::{ApiError, ErrorCode};
use goblin_core::wire::openai::KEY_LIMIT;
use goblin_store::limits::{KeyMeter, OverLimit, TokenAccount, Use, UsePermit};
use http::request::Parts;
use http::{Extensions, HeaderMap};
use tokio::sync::Semaphore;

use crate::app::{Access, AppState};
use crate::body::HeldBody;
use crate::extract::request_id;
use crate::refusal::Refusal;
use crate::serve::Peer;

mod plain;

/// Most answers that wait at once because their key was wrong. Beyond it they do not wait, so that whoever tries
/// keys cannot fill the house with waiting requests.
const MOST_SLOWED: usize = 64;

/// The keys of the model tier, what they may use, and who has tried wrong ones. Cloning shares all of it.
#[derive(Clone, Debug)]
pub struct TierGuard(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    keys: TierKeys,
    meter: KeyMeter,
    bans: AddressBans,
    clock: Clock,
    slowed: Semaphore,
    /// What the gauge of banned addresses says.
    shown: AtomicUsize,
}

/// Somebody with a good key.
pub(crate) struct Admitted {
    pub(crate) principal: Principal,
    pub(crate) name: Arc<str>,
    pub(crate) tokens: TokenAccount,
    pub(crate) logged: Logged,
}

/// Has somebody further on taken over a request's line in the access log?
#[derive(Clone, Debug, Default)]
pub(crate) struct Logged(Arc<AtomicBool>);

impl Logged {
    /// Whoever calls this writes the line.
    pub(crate) fn take_over(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_taken_over(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Somebody who was not let in.
struct TurnedAway {
    /// The name of the key, where it was recognised.
    key: Option<String>,
    /// Boxed: it is large, and `Result`s are moved for every request.
    error: Box<ApiError>,
}

impl TurnedAway {
    fn holding(name: &str, error: ApiError) -> Self {
        Self {
            key: Some(name.to_owned()),
            error: Box::new(error),
        }
    }
}

impl From<ApiError> for TurnedAway {
    fn from(error: ApiError) -> Self {
        Self {
            key: None,
            error: Box::new(error),
        }
    }
}

impl TierGuard {
    /// A guard who has seen nobody yet.
    pub fn new(keys: TierKeys, meter: KeyMeter, policy: BanPolicy, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            keys,
            meter,
            bans: AddressBans::new(policy),
            clock,
            slowed: Semaphore::new(MOST_SLOWED),
            shown: AtomicUsize::new(usize::MAX),
        }))
    }

    /// Is the request plain, and its address not shut out?
    fn check(&self, request: &Request) -> Result<(), ApiError> {
        let now = self.0.clock.now();
        self.show_banned(now);
        let left = request
            .extensions()
            .get::<Peer>()
            .and_then(|peer| self.0.bans.remaining(peer.0, now));
        if let Some(left) = left {
            count_refused("banned");
            return Err(ApiError::rate_limited(
                "Too many requests with wrong keys came from this address, so it is shut out for a while. Correct \
                 the key and come back later.",
                left,
            ));
        }
        plain::check(request).inspect_err(|error| {
            if error.code == ErrorCode::Unauthorized {
                count_refused("in_query");
            }
        })
    }

    /// Recognises the key, and takes one request of what it may use. The permit stays with the request until its
    /// answer has been sent.
    ///
    /// # Errors
    ///
    /// 401 and 403 for a key that is not good or may not do this, 429 for one that has used up what it may. The
    /// answer to a wrong key comes the later the more of them the address has sent.
    pub(crate) async fn admit(&self, parts: &Parts, scope: Scope) -> Result<Admitted, ApiError> {
        self.recognise(parts, scope).await.map_err(|turned| {
            log_turned_away(&parts.headers, &parts.extensions, &turned);
            *turned.error
        })
    }

    async fn recognise(&self, parts: &Parts, scope: Scope) -> Result<Admitted, TurnedAway> {
        let now = self.0.clock.now();
        let address = parts.extensions.get::<Peer>().map(|peer| peer.0);
        let KeyHolder {
            principal,
            name,
            limits,
        } = match self.0.keys.authenticate(&parts.headers, now, address) {
            Ok(holder) => holder,
            Err(refusal) => {
                count_refused(refusal.reason.as_str());
                if let Some(address) = address.filter(|_| refusal.reason.is_suspicious()) {
                    self.slow(address, now).await;
                }
                return Err((*refusal.error).into());
            }
        };
        if !principal.may(scope) {
            count_refused("scope");
            return Err(TurnedAway::holding(&name, not_in_scope(&name, scope)));
        }
        let name = Arc::from(name);
        let what = match scope {
            Scope::Read => Use::Look,
            Scope::Admin => Use::Change,
            Scope::Infer | Scope::Embed => Use::Ask,
        };
        let logged = Logged::default();
        let permit = self
            .0
            .meter
            .admit(&name, &limits, what)
            .map_err(|over| TurnedAway::holding(&name, over_limit(&name, over)))?;
        if let Some(kept) = parts.extensions.get::<Kept>() {
            kept.put(Held {
                permit,
                name: Arc::clone(&name),
                logged: logged.clone(),
            });
        }
        Ok(Admitted {
            principal,
            tokens: self.0.meter.account(&name),
            name,
            logged,
        })
    }

    /// Notes a failure, and waits as long as it costs.
    async fn slow(&self, address: IpAddr, now: Timestamp) {
        let consequence = self.0.bans.failed(address, now);
        if let Some(ban) = consequence.ban {
            self.show_banned(now);
            tracing::warn!(
                event = "address_banned",
                address = %address.to_canonical(),
                failures = ban.failures,
                seconds = ban.lasts.as_secs(),
                times = ban.count,
                "an address that tried wrong keys is shut out"
            );
        }
        if let Ok(_place) = self.0.slowed.try_acquire() {
            wait(consequence.delay).await;
        }
    }

    fn show_banned(&self, now: Timestamp) {
        let banned = self.0.bans.banned(now);
        if self.0.shown.swap(banned, Ordering::Relaxed) != banned {
            // A gauge is a float; the table is bounded far below where one loses whole numbers.
            metrics::gauge!("goblin_tier_banned_addresses").set(banned as f64);
        }
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "back-off: whoever tries keys is made to wait, and nothing else ends it"
)]
async fn wait(delay: Duration) {
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
}

/// The access log's line for a request that was stopped at the door.
fn log_turned_away(headers: &HeaderMap, extensions: &Extensions, turned: &TurnedAway) {
    let (key, peer) = (turned.key.as_deref(), extensions.get::<Peer>().copied());
    log_refused(key, peer, request_id(headers), &turned.error);
}

/// The access log's line for a request whose head could not be read or did not arrive.
pub(crate) fn log_unread(peer: Peer, request_id: &str, error: &ApiError) {
    log_refused(None, Some(peer), request_id, error);
}

/// The access log's line for a request for which no model was asked: as an answer's line, as far as there is one.
fn log_refused(key: Option<&str>, peer: Option<Peer>, request_id: &str, error: &ApiError) {
    tracing::info!(
        target: "goblin::access",
        key,
        address = peer.map(|peer| peer.0.to_canonical().to_string()),
        door = "tier",
        request_id,
        outcome = "refused",
        code = error.code.as_str(),
        "refused"
    );
}

fn count_refused(reason: &'static str) {
    metrics::counter!("goblin_tier_refused_keys_total", "reason" => reason).increment(1);
}

/// The refusal of a good key that may not do this.
fn not_in_scope(name: &str, scope: Scope) -> ApiError {
    let what = match scope {
        Scope::Infer => "ask models",
        Scope::Embed => "turn text into vectors",
        Scope::Read => "see lists and states",
        Scope::Admin => "change which models there are",
    };
    let scope = scope.as_str();
    ApiError::forbidden(format!(
        "The key `{name}` may not {what}. Use a key with the scope `{scope}`."
    ))
}

/// Told apart from a full queue, so that whoever stands between can say whose limit it is.
fn key_limit(message: String, retry_after: Duration) -> ApiError {
    ApiError {
        upstream_code: Some(KEY_LIMIT.to_owned()),
        ..ApiError::rate_limited(message, retry_after)
    }
}

fn over_limit(name: &str, over: OverLimit) -> ApiError {
    let (limit, error) = match over {
        OverLimit::Requests {
            per_minute,
            retry_after,
        } => (
            "requests",
            key_limit(
                format!(
                    "The key `{name}` has reached its limit of {per_minute} requests in a minute. Try again when \
                     `Retry-After` says."
                ),
                retry_after,
            ),
        ),
        OverLimit::Concurrent { limit } => (
            "concurrent",
            key_limit(
                format!(
                    "The key `{name}` has its limit of {limit} requests under way. Try again when one has ended."
                ),
                Duration::from_secs(1),
            ),
        ),
        OverLimit::Tokens {
            per_day,
            used,
            retry_after,
        } => (
            "tokens",
            ApiError {
                code: ErrorCode::InsufficientQuota,
                ..ApiError::rate_limited(
                    format!(
                        "The key `{name}` has used {used} tokens today; its limit is {per_day} in a day (UTC). It \
                         can go on tomorrow, or its operator can raise the limit."
                    ),
                    retry_after,
                )
            },
        ),
    };
    metrics::counter!("goblin_tier_limited_requests_total", "limit" => limit).increment(1);
    error
}

/// Where an extractor leaves what the layer holds until the answer has been sent.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Option<Held>>>);

/// A request of a good key, under way.
struct Held {
    permit: UsePermit,
    name: Arc<str>,
    logged: Logged,
}

impl Kept {
    fn put(&self, held: Held) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
    }

    fn take(&self) -> Option<Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Layer: on the model tier, refuses what is not plain and who is shut out, and lets a key's request count as
/// under way until its answer has been sent. What a good key sent and no model was asked for, because it could not be
/// read or was refused before that, has its line in the access log from here. Health answers everybody: it says
/// nothing, and a balancer asks it.
pub(crate) async fn guard(
    app: &AppState,
    mut request: Request,
    next: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let Access::Tier(guard) = &app.access else {
        return next(request).await;
    };
    if matches!(request.uri().path(), "/health" | "/health/live") {
        return next(request).await;
    }
    if let Err(error) = guard.check(&request) {
        let turned = TurnedAway::from(error.clone());
        log_turned_away(request.headers(), request.extensions(), &turned);
        return Refusal(error).into_response();
    }
    let kept = Kept::default();
    request.extensions_mut().insert(kept.clone());
    let id = request_id(request.headers()).to_owned();
    let peer = request.extensions().get::<Peer>().copied();
    let response = next(request).await;
    let Some(Held { permit, name, logged }) = kept.take() else {
        return response;
    };
    if let Some(Refusal(error)) = response.extensions().get::<Refusal>()
        && !logged.is_taken_over()
    {
        log_refused(Some(&name), peer, &id, error);
    }
    response.map(|body| Body::new(HeldBody::new(body, permit)))
}

#[cfg(test)]
mod tests;
