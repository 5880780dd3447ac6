//! One answer: up the ladder of candidates until one commits, then its stream to the end.
//!
//! *Commit late*: an answer is committed to a model at its first content event. Every failure before that is
//! tried on the next candidate; after it, a failure ends the stream with an error.

use std::sync::Arc;
use std::time::Duration;

use async_stream::try_stream;
use futures_util::StreamExt;
use goblin_core::error::ApiError;
use goblin_core::event::{ChatEvent, FinishReason, Parsed};
use goblin_core::provider::{ChatStream, ProviderError, ProviderHandle};
use goblin_core::route::{Ladder, Offer};
use goblin_core::runaway::{Loop, Watch};
use tokio::time::{Instant, timeout_at};

use crate::Dispatch;
use crate::answer::{AnswerItem, AnswerStream, Items};
use crate::attempt::{Attempt, Failures, settled};
use crate::context::check_context;
use crate::gate::{Place, Visit};
use crate::job::Job;
use crate::meter::{Meter, turn_of};
use crate::span::Asking;
use crate::table::{View, says_cold};

/// Everything [`climb`] needs.
pub(crate) struct Climb {
    pub(crate) dispatch: Arc<Dispatch>,
    pub(crate) view: View,
    pub(crate) ladder: Ladder,
    pub(crate) job: Job,
    pub(crate) meter: Meter,
    pub(crate) deadline: Option<Duration>,
}

/// How much time there is.
#[derive(Clone, Copy)]
pub(crate) struct Limit {
    budget: Option<Duration>,
    until: Option<Instant>,
}

impl Limit {
    pub(crate) fn from_now(budget: Option<Duration>) -> Self {
        Self {
            budget,
            until: budget.and_then(|d| Instant::now().checked_add(d)),
        }
    }

    /// All there was of it.
    pub(crate) fn budget(self) -> Option<Duration> {
        self.budget
    }

    /// What is left of it.
    pub(crate) fn left(self) -> Option<Duration> {
        self.until.map(|u| u.saturating_duration_since(Instant::now()))
    }

    /// Waits for `work`, at most until the deadline.
    pub(crate) async fn within<T>(self, work: impl Future<Output = T>) -> Result<T, Attempt> {
        match self.until {
            None => Ok(work.await),
            Some(until) => timeout_at(until, work)
                .await
                .map_err(|_| Attempt::late(self.budget.unwrap_or_default())),
        }
    }
}

/// The answer, candidate after candidate.
pub(crate) fn climb(climb: Climb) -> AnswerStream {
    AnswerStream::new(climb.meter.trace_id(), answered(climb))
}

fn answered(climb: Climb) -> Items {
    Box::pin(try_stream! {
        let Climb { dispatch, view, ladder, job, mut meter, deadline } = climb;
        let limit = Limit::from_now(deadline);
        let (candidate, opened) = ascend(&dispatch, &view, &ladder, &job, &mut meter, limit).await?;
        let Opened { held, mut stream, place, asking, pass_through } = opened;
        let mut follower = Follower { place, asking, watch: watch_of(&job) };
        meter.chosen(&candidate.provider, &candidate.model.name, candidate.stays_local());
        yield AnswerItem::Chosen { model_id: candidate.id(), local: candidate.stays_local(), pass_through };
        let mut held = held.into_iter();
        loop {
            let next = match held.next() {
                Some(event) => Some(Ok(event)),
                None => limit.within(stream.next()).await.map_err(|late| follower.fail(&mut meter, *late.error))?,
            };
            let event = match next {
                None => break,
                Some(Ok(event)) => event,
                Some(Err(error)) => {
                    let failed = Attempt::from_provider(&candidate, &error);
                    // The next question is better asked of another server with this model.
                    dispatch.note(&candidate, &failed);
                    Err(follower.fail(&mut meter, *failed.error))?;
                    return;
                }
            };
            let looped = follower.follow(&mut meter, &event.parsed);
            yield AnswerItem::Event(event);
            if let Some(looped) = looped {
                meter.ended("runaway");
                follower.asking.failed("runaway");
                tracing::warn!(model = candidate.id(), period = looped.period, turns = looped.turns, "a runaway answer was stopped");
                if job.is_streamed() {
                    Err(runaway(&candidate, looped))?;
                }
                let reason = FinishReason::Length;
                yield AnswerItem::Event(Parsed::Finished { reason }.into());
                return;
            }
        }
        follower.place.ended();
        follower.asking.ended();
        meter.ended("complete");
    })
}

fn fail(meter: &mut Meter, error: ApiError) -> ApiError {
    meter.failed(error.code.as_str());
    error
}

fn runaway(candidate: &Offer, looped: Loop) -> ApiError {
    let error = ApiError::upstream_failed(format!(
        "`{}` said the same {} bytes {} times in a row and was stopped. What it said before stands. Ask again with a \
         higher `repeat_penalty` or `temperature`, or set `max_tokens`.",
        candidate.id(),
        looped.period,
        looped.turns
    ));
    ApiError {
        upstream_code: Some("runaway".to_owned()),
        ..error
    }
}

/// An answer in one piece that is forwarded untouched has ended when it is seen; there is nothing to stop.
fn watch_of(job: &Job) -> Option<Watch> {
    (job.is_streamed() || !job.is_raw()).then(Watch::default)
}

/// Sees every event of an answer.
struct Follower {
    place: Place,
    asking: Asking,
    watch: Option<Watch>,
}

impl Follower {
    fn fail(&mut self, meter: &mut Meter, error: ApiError) -> ApiError {
        self.asking.failed(error.code.as_str());
        fail(meter, error)
    }

    /// Counts and times the event. Returns the loop the answer is in, once that is certain.
    fn follow(&mut self, meter: &mut Meter, parsed: &Parsed) -> Option<Loop> {
        if parsed.is_content() {
            meter.piece();
            self.place.content();
        }
        self.asking.saw(parsed);
        if let Parsed::Usage(usage) = parsed {
            meter.usage(*usage);
            self.place.usage(*usage);
        }
        let said = match parsed {
            Parsed::Text { text, .. } | Parsed::Reasoning { text } => text,
            Parsed::ToolCall { arguments, .. } => arguments,
            _ => return None,
        };
        self.watch.as_mut()?.push(said)
    }
}

/// Tries the candidates in order, servers of the same model in the order in which they would begin.
async fn ascend(
    dispatch: &Dispatch,
    view: &View,
    ladder: &Ladder,
    job: &Job,
    meter: &mut Meter,
    limit: Limit,
) -> Result<(Offer, Opened), ApiError> {
    let mut visit = job.visit(turn_of(meter.who()));
    let session = job.session();
    let mut failures = Failures::default();
    let mut away: Vec<Arc<str>> = Vec::new();
    for candidate in dispatch.balanced(view, ladder, &visit, session) {
        if away.contains(&candidate.provider) {
            continue;
        }
        visit.tokens = None;
        let attempt = open(dispatch, view, &candidate, job, &mut visit, Some(meter), limit);
        let attempt = match limit.within(attempt).await {
            Ok(Ok(opened)) => {
                let name = &candidate.model.name;
                dispatch.sessions.settle(session, name, &candidate.provider);
                return Ok((candidate, opened));
            }
            Ok(Err(attempt)) | Err(attempt) => attempt,
        };
        dispatch.note(&candidate, &attempt);
        if attempt.whole_provider {
            away.push(Arc::clone(&candidate.provider));
        }
        let next = attempt.helps_next(ladder.explicit);
        failures.add(&candidate, attempt);
        if !next {
            break;
        }
    }
    Err(fail(meter, failures.told()))
}

/// An answer that has begun: its events up to the first content, and the rest.
pub(crate) struct Opened {
    pub(crate) held: Vec<ChatEvent>,
    pub(crate) stream: ChatStream,
    pub(crate) place: Place,
    pub(crate) asking: Asking,
    pass_through: bool,
}

/// Asks a candidate and waits for its first content. `meter` is told of the place it has.
pub(crate) async fn open(
    dispatch: &Dispatch,
    view: &View,
    candidate: &Offer,
    job: &Job,
    visit: &mut Visit,
    meter: Option<&mut Meter>,
    limit: Limit,
) -> Result<Opened, Attempt> {
    let failed = |e: ProviderError| Attempt::from_provider(candidate, &e);
    let provider = provider_of(view, candidate)?;
    if let Job::Chat(request) = job {
        let counted = check_context(provider, candidate, request).await;
        visit.tokens = counted.map_err(|e| Attempt {
            // Another server may run the same model with a longer context.
            same_everywhere: false,
            ..failed(e)
        })?;
    }
    let mut place = enter(dispatch, view, candidate, visit, limit).await?;
    if let Some(meter) = meter {
        meter.placed(&place.begun());
        meter.asks(candidate, visit.bytes);
    }
    let pass_through = job.is_raw();
    if pass_through && !job.is_streamed() {
        place.in_one_piece();
    }
    let roster = &dispatch.options.roster;
    let mut asking = Asking::begin(dispatch, job.origin(), job.operation(), candidate);
    let origin = asking.origin();
    let start = || job.start(provider, &candidate.model.name, roster, origin.with(limit.left()));
    let broken = |error, asking: &mut Asking| {
        let attempt = failed(error);
        asking.failed(attempt.error.code.as_str());
        attempt
    };
    let mut stream = match settled(view.is_gated(candidate), start).await {
        Ok(stream) => stream,
        Err(error) => return Err(broken(error, &mut asking)),
    };
    let mut held = Vec::new();
    loop {
        match stream.next().await {
            Some(Ok(event)) => {
                asking.saw(&event.parsed);
                let begun = event.parsed.is_content() || matches!(event.parsed, Parsed::Finished { .. });
                held.push(event);
                if begun {
                    return Ok(Opened {
                        held,
                        stream,
                        place,
                        asking,
                        pass_through,
                    });
                }
            }
            Some(Err(error)) => return Err(broken(error, &mut asking)),
            None => {
                let reason = "the stream ended before it began".to_owned();
                return Err(broken(ProviderError::Interrupted { reason }, &mut asking));
            }
        }
    }
}

/// The handle of a candidate's provider.
pub(crate) fn provider_of<'a>(view: &'a View, candidate: &Offer) -> Result<&'a ProviderHandle, Attempt> {
    view.provider(&candidate.provider).ok_or_else(|| {
        let gone = ProviderError::Unavailable {
            reason: "removed from the table".to_owned(),
        };
        Attempt::from_provider(candidate, &gone)
    })
}

/// Waits for a place at a candidate.
pub(crate) async fn enter(
    dispatch: &Dispatch,
    view: &View,
    candidate: &Offer,
    visit: &Visit,
    limit: Limit,
) -> Result<Place, Attempt> {
    let standing = view.standing(&candidate.provider);
    let terms = standing.terms(&candidate.model, dispatch.options.max_waiting, limit.left());
    let model = Arc::from(candidate.model.name.as_str());
    let gate = dispatch.table.gate(&candidate.provider);
    gate.enter(&model, visit, says_cold(&candidate.model), &terms)
        .await
        .map_err(|refusal| Attempt::refused(candidate, refusal, terms.deadline))
}
