//! Why a candidate did not begin, and whether another may.

use std::sync::Arc;
use std::time::Duration;

use goblin_core::admission::desk::Refusal;
use goblin_core::error::{ApiError, ErrorCode};
use goblin_core::provider::ProviderError;
use goblin_core::resilience::breaker::Resting;
use goblin_core::resilience::retry::{Again, Retries};
use goblin_core::route::Offer;
use tokio::time::Instant;

use crate::Dispatch;
use crate::meter::Meter;

/// How long a provider that has just freed a place may take to notice.
const SETTLE: Duration = Duration::from_secs(2);

/// A candidate's failure.
pub(crate) struct Attempt {
    /// Boxed: it is large, and `Result`s are moved for every answer.
    pub(crate) error: Box<ApiError>,
    pub(crate) next_may_help: bool,
    pub(crate) same_everywhere: bool,
    /// Is it the server's fault, so that another is better asked first for a moment?
    pub(crate) blames_provider: bool,
    /// Does it hold for all of the provider's models, so that another of them need not be tried?
    pub(crate) whole_provider: bool,
    /// Might the same model answer a moment later?
    pub(crate) again: Again,
    /// Does it count toward leaving the model alone? Not what a short deadline of one caller would do to all others, nor
    /// what an operator mends in a moment.
    pub(crate) trips: bool,
}

impl Attempt {
    /// It was not even asked, for a reason that is no fault of its server: another may be.
    pub(crate) fn unasked(error: ApiError) -> Self {
        Self {
            error: Box::new(error),
            next_may_help: true,
            same_everywhere: false,
            blames_provider: false,
            whole_provider: false,
            again: Again::No,
            trips: false,
        }
    }

    /// The deadline passed before the answer was over.
    pub(crate) fn late(budget: Duration) -> Self {
        let seconds = budget.as_secs_f64();
        let error = ApiError::deadline_exceeded(format!(
            "The answer was not finished within {seconds} seconds. Ask with `\"stream\": true`, allow fewer tokens, or \
             allow more time."
        ));
        Self {
            next_may_help: false,
            same_everywhere: true,
            blames_provider: true,
            ..Self::unasked(error)
        }
    }

    /// It said nothing in its share of the deadline; what is left is for another.
    pub(crate) fn stalled(candidate: &Offer, share: Duration) -> Self {
        let error = ApiError::deadline_exceeded(format!(
            "`{}` said nothing within {}, its share of the time the request allows.",
            candidate.id(),
            seconds(share)
        ));
        Self {
            blames_provider: true,
            ..Self::unasked(error)
        }
    }

    /// It failed several times in a row, and is left alone for a moment.
    pub(crate) fn resting(candidate: &Offer, resting: Resting) -> Self {
        let message = format!(
            "`{}` failed {} times in a row and is not asked for a moment. It is tried again in {}; `goblin status` \
             says how its server is.",
            candidate.id(),
            resting.failures,
            seconds(resting.wait)
        );
        Self::unasked(ApiError {
            retry_after: Some(resting.wait.max(Duration::from_secs(1))),
            ..ApiError::unavailable(message)
        })
    }

    pub(crate) fn from_provider(candidate: &Offer, error: &ProviderError) -> Self {
        let caller = matches!(
            error,
            ProviderError::Rejected { .. }
                | ProviderError::ContextExceeded { .. }
                | ProviderError::Unsupported { .. }
        );
        Self {
            error: Box::new(ApiError::from_provider(
                &candidate.provider,
                &candidate.model.name,
                error,
            )),
            next_may_help: !matches!(error, ProviderError::Rejected { .. }),
            same_everywhere: matches!(error, ProviderError::ContextExceeded { .. }),
            blames_provider: !caller,
            whole_provider: matches!(
                error,
                ProviderError::Unauthorized
                    | ProviderError::QuotaUsedUp
                    | ProviderError::LimitReached { .. }
                    | ProviderError::Unavailable { .. }
            ),
            again: Again::after(error),
            trips: matches!(
                error,
                ProviderError::Unavailable { .. }
                    | ProviderError::Broken { .. }
                    | ProviderError::Interrupted { .. }
            ),
        }
    }

    /// The gate did not let it in: 429 for a full queue; 503 when the deadline cannot be kept, so that the caller may
    /// go elsewhere at once. Both say when to come back.
    pub(crate) fn refused(candidate: &Offer, refusal: Refusal, deadline: Option<Duration>) -> Self {
        let id = candidate.id();
        let error = match refusal {
            Refusal::Full(told) => {
                let wait = told.wait.max(Duration::from_secs(1));
                ApiError::rate_limited(
                    format!(
                        "`{id}` is busy and its queue is full. A place is expected in {}. Try again then.",
                        seconds(wait)
                    ),
                    wait,
                )
            }
            Refusal::TooLate(told) => {
                let first = told.first_token.unwrap_or_default();
                let message = format!(
                    "`{id}` would begin in about {}: {} until it has a place, {} to its first token. The request \
                     allows {}. Allow more time, or ask another model.",
                    seconds(told.until_first_token()),
                    seconds(told.wait),
                    seconds(first),
                    seconds(deadline.unwrap_or_default()),
                );
                ApiError {
                    retry_after: Some(told.wait.max(Duration::from_secs(1))),
                    ..ApiError::unavailable(message)
                }
            }
        };
        Self::unasked(error)
    }

    /// Puts it into the trace. What a budget says is told with the answer of whoever may be paid.
    pub(crate) fn tell(&self, candidate: &Offer, meter: &mut Meter) {
        if self.error.code != ErrorCode::InsufficientQuota {
            meter.passed_over(candidate, &self.error.message);
        }
    }

    /// Is it worth asking the next candidate? `one_model`: see [`Ladder::is_one_model`](goblin_core::route::Ladder::is_one_model).
    pub(crate) fn helps_next(&self, one_model: bool) -> bool {
        self.next_may_help && !(one_model && self.same_everywhere)
    }
}

/// The failures of a climb, told as one: the first reason, because the first candidate is the one that was wanted; who
/// else was tried; and the soonest time to come back.
#[derive(Default)]
pub(crate) struct Failures {
    told: Option<Box<ApiError>>,
    others: Vec<String>,
}

impl Failures {
    /// One more candidate failed. A failure after which no other may help (the request is wrong, the time is over)
    /// is the one that is told.
    pub(crate) fn add(&mut self, candidate: &Offer, attempt: Attempt) {
        match &mut self.told {
            Some(told) if attempt.next_may_help => {
                self.others.push(format!("`{}`", candidate.id()));
                if told.code == attempt.error.code && attempt.error.retry_after < told.retry_after {
                    told.retry_after = attempt.error.retry_after.or(told.retry_after);
                }
            }
            _ => self.told = Some(attempt.error),
        }
    }

    pub(crate) fn told(self) -> ApiError {
        let Some(mut error) = self.told else {
            return ApiError::internal("a ladder had no candidates");
        };
        if !self.others.is_empty() {
            let others = self.others.join(", ");
            error
                .message
                .push_str(&format!(" Also tried, without an answer: {others}."));
        }
        *error
    }
}

impl Dispatch {
    /// Logs a candidate's failure; if it is the server's fault, another of the same model is asked first for a moment,
    /// and after several of them the model is left alone.
    pub(crate) fn note(&self, candidate: &Offer, attempt: &Attempt) {
        let internal = attempt.error.internal.as_deref();
        tracing::warn!(model = candidate.id(), error = %attempt.error, internal, "candidate failed");
        if !attempt.blames_provider {
            return;
        }
        let model = Arc::from(candidate.model.name.as_str());
        let gate = self.table.gate(&candidate.provider);
        if !(self.options.breaks && attempt.trips) {
            gate.failed(&model);
        } else if gate.failed_itself(&model) {
            tracing::warn!(
                model = candidate.id(),
                "it failed too often in a row and is left alone for a moment"
            );
            metrics::counter!("goblin_circuit_opened_total", "provider" => candidate.provider.to_string())
                .increment(1);
        }
    }
}

/// How long to wait before a request is made once more that failed and was made again `made` times before; nothing when
/// it is not.
pub(crate) fn pause(
    retries: &Retries,
    made: u32,
    wanted: Option<Duration>,
    left: Option<Duration>,
) -> Option<Duration> {
    retries.pause(made, wanted, rand::random(), left)
}

/// Waits before a request is made again. Dropped when its caller leaves, as everything is.
#[allow(
    clippy::disallowed_methods,
    reason = "a back-off: nothing tells when a server is well again"
)]
pub(crate) async fn wait_out(pause: Duration, provider: &str) {
    metrics::counter!("goblin_retries_total", "provider" => provider.to_owned()).increment(1);
    tokio::time::sleep(pause).await;
}

fn seconds(d: Duration) -> String {
    format!("{:.1} s", d.as_secs_f64())
}

/// Starts something at a provider. One whose place we hold may still be clearing it away (the engine notices a dropped
/// stream within one decode step), so being told "full" is asked again for a moment; not where the provider says when
/// to come back.
#[allow(
    clippy::disallowed_methods,
    reason = "a short back-off: the provider has no notification for a freed place"
)]
pub(crate) async fn settled<T, F>(gated: bool, start: impl Fn() -> F) -> Result<T, ProviderError>
where
    F: Future<Output = Result<T, ProviderError>>,
{
    let give_up = Instant::now() + SETTLE;
    let mut pause = Duration::from_millis(1);
    loop {
        match start().await {
            Err(ProviderError::Overloaded { retry_after: None }) if gated && Instant::now() < give_up => {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_millis(50));
            }
            other => return other,
        }
    }
}
