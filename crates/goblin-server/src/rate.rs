//! How often people, keys and addresses may ask, and how many answers each has under way. What a request was counted as
//! is told in `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` (seconds), and a refusal in `Retry-After`.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use goblin_auth::permission::asks_a_model;
use goblin_auth::principal::{Principal, PrincipalKind};
use goblin_core::clock::Clock;
use goblin_core::error::ApiError;
use goblin_store::rate_limits::{
    LimiterAway, MemoryLimiter, Rate, RateLimiter, Standing, Subject, Taken, WithoutRedis,
};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method};

use crate::body::HeldBody;

/// How often and how many. `None`: without a bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateSettings {
    /// Requests that sign in or use a link, in any minute, from one address.
    pub sign_ins_per_minute: Option<u32>,
    /// Requests in any minute from one address, whoever sends them.
    pub address_per_minute: Option<u32>,
    /// Requests in any minute of one user, signed in.
    pub user_per_minute: Option<u32>,
    /// Requests in any minute of everybody in one team together, signed in or by keys.
    pub team_per_minute: Option<u32>,
    /// Requests in any minute of one key that has no bound of its own.
    pub key_per_minute: Option<u32>,
    /// Answers of models at once of one user.
    pub user_concurrent: Option<u32>,
    /// Answers of models at once of one key that has no bound of its own.
    pub key_concurrent: Option<u32>,
    /// What holds for signing in while Redis is away.
    pub sign_ins_without_redis: WithoutRedis,
    /// What holds for all else.
    pub requests_without_redis: WithoutRedis,
}

/// Counts requests. Cloning shares the counts.
#[derive(Clone, Debug)]
pub struct Limits(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: RateSettings,
    limiter: RateLimiter,
    /// Counts while Redis is away.
    here: MemoryLimiter,
    under_way: UnderWay,
}

impl Limits {
    /// Counts by `limiter`.
    pub fn new(settings: RateSettings, limiter: RateLimiter, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            settings,
            limiter,
            here: MemoryLimiter::new(clock),
            under_way: UnderWay::default(),
        }))
    }

    /// Counts a request before it is known whose it is. `signs_in`: it signs somebody in, or uses a link.
    ///
    /// # Errors
    /// 429; 503 while Redis is away and that is to be refused.
    pub(crate) async fn take_address(
        &self,
        parts: &Parts,
        address: Option<IpAddr>,
        signs_in: bool,
    ) -> Result<(), ApiError> {
        let settings = &self.0.settings;
        let (what, most, without) = if signs_in {
            (
                "sign-in",
                settings.sign_ins_per_minute,
                settings.sign_ins_without_redis,
            )
        } else {
            (
                "address",
                settings.address_per_minute,
                settings.requests_without_redis,
            )
        };
        let Some(most) = most else { return Ok(()) };
        let place = address.map_or_else(|| "nowhere".to_owned(), |a| place(a).to_string());
        let subjects = [subject(format!("{what} {place}"), most)];
        self.count(parts, &subjects, without).await
    }

    /// Counts a request of somebody, and gives it a place among their answers under way when it asks a model.
    ///
    /// # Errors
    /// As [`Self::take_address`].
    pub(crate) async fn take_principal(
        &self,
        parts: &Parts,
        route: &str,
        principal: &Principal,
    ) -> Result<(), ApiError> {
        let settings = &self.0.settings;
        let (name, most, at_once) = match &principal.kind {
            PrincipalKind::SignedIn(_) => (
                format!("user {}/{}", principal.owner.tenant, principal.owner.user),
                settings.user_per_minute,
                settings.user_concurrent,
            ),
            PrincipalKind::ApiKey(used) => (
                format!("key {}", used.key.id),
                used.key.requests_per_minute.or(settings.key_per_minute),
                used.key.concurrent.or(settings.key_concurrent),
            ),
            PrincipalKind::Local | PrincipalKind::TierKey { .. } => return Ok(()),
        };
        let teams = principal.teams.iter().filter_map(|team| {
            let most = settings.team_per_minute?;
            Some(subject(format!("team {}/{team}", principal.owner.tenant), most))
        });
        let own = most.map(|most| subject(name.clone(), most));
        let subjects: Vec<Subject> = own.into_iter().chain(teams).collect();
        if !subjects.is_empty() {
            self.count(parts, &subjects, settings.requests_without_redis)
                .await?;
        }
        if let Some(most) = at_once.filter(|_| asks_a_model(&parts.method, route)) {
            let place = self.0.under_way.take(name, most)?;
            if let Some(told) = parts.extensions.get::<Told>() {
                told.hold(place);
            }
        }
        Ok(())
    }

    async fn count(
        &self,
        parts: &Parts,
        subjects: &[Subject],
        without: WithoutRedis,
    ) -> Result<(), ApiError> {
        let taken = match self.0.limiter.take(subjects).await {
            Ok(taken) => taken,
            Err(away) => {
                metrics::counter!("goblin_limiter_failures_total").increment(1);
                tracing::debug!(%away, "counted without Redis");
                match without.instead(&self.0.here, subjects, away) {
                    Ok(Some(taken)) => taken,
                    Ok(None) => return Ok(()),
                    Err(away) => return Err(uncounted(&away)),
                }
            }
        };
        let told = parts.extensions.get::<Told>();
        match taken {
            Taken::Through(standing) => {
                told.inspect(|told| told.stand(standing));
                Ok(())
            }
            Taken::Refused {
                retry_after,
                standing,
            } => {
                told.inspect(|told| told.stand(standing));
                let most = standing.limit;
                Err(ApiError::rate_limited(
                    format!("More than {most} requests in a minute. Wait as long as `Retry-After` says."),
                    retry_after,
                ))
            }
        }
    }

    /// Is what is counted shared with other processes?
    pub fn is_shared(&self) -> bool {
        self.0.limiter.is_shared()
    }
}

/// So many requests in any minute of whoever that is.
fn subject(name: String, most: u32) -> Subject {
    Subject {
        name: name.into(),
        rate: Rate::per_minute(most),
    }
}

/// Redis does not count, and then nobody is let through.
fn uncounted(away: &LimiterAway) -> ApiError {
    ApiError {
        internal: Some(away.to_string()),
        retry_after: Some(Duration::from_secs(5)),
        ..ApiError::unavailable("How often you may ask cannot be looked up now. Try again in a moment.")
    }
}

/// What counts as one address: of IPv6 the /64, because that is what one customer is given.
pub(crate) fn place(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
        other => other,
    }
}

/// Answers under way, by whose they are. Of this process alone: one that dies takes its own along.
#[derive(Clone, Debug, Default)]
struct UnderWay(Arc<Mutex<HashMap<String, u32>>>);

impl UnderWay {
    fn take(&self, name: String, most: u32) -> Result<UnderWayPlace, ApiError> {
        let mut table = self.table();
        let count = table.entry(name.clone()).or_insert(0);
        if *count >= most {
            return Err(ApiError::rate_limited(
                format!("{most} answers are under way, as many as may be at once. Wait for one to end."),
                Duration::from_secs(1),
            ));
        }
        *count += 1;
        drop(table);
        Ok(UnderWayPlace {
            name,
            table: self.clone(),
        })
    }

    fn table(&self) -> MutexGuard<'_, HashMap<String, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among the answers under way, given back when it is dropped.
#[derive(Debug)]
struct UnderWayPlace {
    name: String,
    table: UnderWay,
}

impl Drop for UnderWayPlace {
    fn drop(&mut self) {
        let mut table = self.table.table();
        if let Some(count) = table.get_mut(&self.name) {
            *count -= 1;
            if *count == 0 {
                table.remove(&self.name);
            }
        }
    }
}

/// What a request was counted as, for its answer. It travels with the request because whose it is only its handler asks.
#[derive(Clone, Debug, Default)]
struct Told(Arc<Counted>);

#[derive(Debug, Default)]
struct Counted {
    standing: Mutex<Option<Standing>>,
    place: OnceLock<UnderWayPlace>,
}

impl Told {
    /// The last one counts: whoever was refused by it, or the one with a name.
    fn stand(&self, standing: Standing) {
        *self.0.standing.lock().unwrap_or_else(PoisonError::into_inner) = Some(standing);
    }

    fn hold(&self, place: UnderWayPlace) {
        let _ = self.0.place.set(place);
    }
}

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// Layer: tells how whoever asked stands, and keeps their place until the answer was sent.
pub(crate) async fn tell(mut request: Request, next: impl AsyncFnOnce(Request) -> Response) -> Response {
    let told = Told::default();
    if *request.method() != Method::OPTIONS {
        request.extensions_mut().insert(told.clone());
    }
    let mut response = next(request).await;
    let standing = *told.0.standing.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(standing) = standing {
        // Up, so that who waits so long need not wait again.
        let seconds = standing.reset.as_millis().div_ceil(1_000);
        let all = [
            (LIMIT, u128::from(standing.limit)),
            (REMAINING, u128::from(standing.remaining)),
            (RESET, seconds),
        ];
        for (name, value) in all {
            if let Ok(value) = HeaderValue::try_from(value.to_string()) {
                response.headers_mut().insert(name, value);
            }
        }
    }
    if told.0.place.get().is_some() {
        return response.map(|body| Body::new(HeldBody::new(body, told)));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_given_back_and_nobody_is_remembered_for_nothing() {
        let under_way = UnderWay::default();
        let places: Vec<_> = (0..2).map(|_| under_way.take("a".into(), 2).unwrap()).collect();
        let refused = under_way.take("a".into(), 2).unwrap_err();
        assert_eq!(refused.status(false), 429);
        assert!(refused.retry_after.is_some());
        assert!(under_way.take("b".into(), 1).is_ok(), "another's");
        drop(places);
        assert!(under_way.table().is_empty());
    }

    #[test]
    fn of_the_newer_addresses_a_whole_network_counts_as_one() {
        let at = |text: &str| place(text.parse().unwrap()).to_string();
        assert_eq!(at("2001:db8::1"), at("2001:db8::ffff"));
        assert_ne!(at("2001:db8::1"), at("2001:db8:0:1::1"));
        assert_eq!(at("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(at("::1"), "::1");
    }
}
