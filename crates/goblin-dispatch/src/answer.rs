//! One answer: up the ladder of candidates until one commits, then its stream to the end.
//!
//! *Commit late*: an answer is committed to a model at its first content event. Every failure before that is
//! tried on the next candidate; after it, a failure ends the stream with an error.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_stream::try_stream;
use futures_core::Stream;
use futures_util::StreamExt;
use goblin_core::chat::ChatRequest;
use goblin_core::error::ApiError;
use goblin_core::event::{ChatEvent, Parsed};
use goblin_core::owner::Owner;
use goblin_core::provider::{ChatStream, ProviderError, ProviderHandle};
use goblin_core::route::{self, Ladder, Needs, Offer};
use goblin_core::wire::openai::IncomingChat;
use tokio::time::{Instant, timeout_at};

use crate::Dispatch;
use crate::meter::Meter;
use crate::queue::Place;
use crate::table::View;

/// How long a provider that has just freed a place may take to notice.
const SETTLE: Duration = Duration::from_secs(2);

/// A request of an API door.
pub struct Ask {
    /// Who asks.
    pub owner: Owner,
    /// `openai`, `legacy` or `tier`.
    pub door: &'static str,
    /// The correlation id.
    pub request_id: String,
    /// What is asked.
    pub incoming: IncomingChat,
    /// Longest the whole answer may take.
    pub deadline: Option<Duration>,
}

/// One item of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum AnswerItem {
    /// First: the answer is committed to this model.
    Chosen {
        /// `provider/model`.
        model_id: String,
        /// Does it stay on the operator's machines?
        local: bool,
        /// Do the events carry the upstream's own bytes, to be forwarded untouched?
        pass_through: bool,
    },
    /// An event of the model's stream.
    Event(ChatEvent),
}

/// An answer. Nothing happens until it is polled; dropping it cancels; an `Err` is the last item.
pub type AnswerStream = Pin<Box<dyn Stream<Item = Result<AnswerItem, ApiError>> + Send>>;

/// Everything [`climb`] needs.
pub(crate) struct Climb {
    pub(crate) dispatch: Arc<Dispatch>,
    pub(crate) view: View,
    pub(crate) ladder: Ladder,
    pub(crate) request: ChatRequest,
    pub(crate) meter: Meter,
    pub(crate) deadline: Option<Duration>,
}

impl Dispatch {
    /// Answers a request of an API door. The route is resolved before this returns; nothing is generated until
    /// the stream is polled.
    ///
    /// # Errors
    /// `model_not_found`, `no_provider`, or `invalid_request` for a field the model cannot serve.
    pub async fn answer(self: &Arc<Self>, ask: Ask) -> Result<AnswerStream, ApiError> {
        let view = self.table.view().await;
        let local_only = ask.incoming.goblin.local_only;
        let needs = Needs::of(&ask.incoming.request, local_only);
        let ladder = self.resolve(&view, &ask.incoming.model, &needs)?;
        let mut request = ask.incoming.request;
        // Untouched bytes are for callers who named the model on a door that speaks the same dialect, and whose
        // body holds nothing meant for us.
        let same_dialect = ask.door == "openai" || ask.door == "tier";
        if !ladder.explicit || ask.incoming.goblin_given || !same_dialect {
            request.raw = None;
        }
        let sink = self.store.clone().map(|store| (store, self.tracker.clone()));
        let meter = Meter::new(sink, ask.owner, ask.door, &ask.request_id);
        let deadline = match (
            ask.deadline,
            ask.incoming.goblin.deadline_ms.map(Duration::from_millis),
        ) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Ok(climb(Climb {
            dispatch: Arc::clone(self),
            view,
            ladder,
            request,
            meter,
            deadline,
        }))
    }

    pub(crate) fn resolve(&self, view: &View, wanted: &str, needs: &Needs) -> Result<Ladder, ApiError> {
        route::resolve(
            wanted,
            needs,
            &route::Table {
                offers: &view.offers,
                absent: &view.absent,
                default_model: self.options.default_model.as_deref(),
                no_model_help: &self.options.no_model_help,
            },
        )
    }
}

/// The answer, candidate after candidate.
pub(crate) fn climb(climb: Climb) -> AnswerStream {
    let Climb {
        dispatch,
        view,
        ladder,
        request,
        mut meter,
        deadline,
    } = climb;
    let until = deadline.map(|d| Instant::now() + d);
    let budget = deadline;
    Box::pin(try_stream! {
        let mut opened = None;
        let mut failures = Failures::default();
        for candidate in &ladder.candidates {
            let attempt = open(&dispatch, &view, candidate, &request, until);
            match within(until, attempt).await.unwrap_or_else(|| Err(Attempt::late(budget))) {
                Ok(open) => {
                    opened = Some((candidate, open));
                    break;
                }
                Err(attempt) => {
                    tracing::warn!(model = candidate.id(), error = %attempt.error, internal = attempt.error.internal, "candidate failed");
                    let next = attempt.next_may_help && !(ladder.explicit && attempt.same_everywhere);
                    failures.push(candidate.id(), *attempt.error);
                    if !next {
                        break;
                    }
                }
            }
        }
        let Some((candidate, Opened { held, mut stream, _place, pass_through })) = opened else {
            meter.ended("failed");
            Err(failures.into_error())?;
            return;
        };
        meter.chosen(&candidate.provider, &candidate.model.name, candidate.local);
        yield AnswerItem::Chosen { model_id: candidate.id(), local: candidate.local, pass_through };
        for event in held {
            follow(&mut meter, &event.parsed);
            yield AnswerItem::Event(event);
        }
        loop {
            match within(until, stream.next()).await {
                None => {
                    meter.ended("failed");
                    Err(*Attempt::late(budget).error)?;
                    return;
                }
                Some(None) => break,
                Some(Some(Ok(event))) => {
                    follow(&mut meter, &event.parsed);
                    yield AnswerItem::Event(event);
                }
                Some(Some(Err(error))) => {
                    meter.ended("failed");
                    Err(ApiError::from_provider(&candidate.provider, &candidate.model.name, &error))?;
                    return;
                }
            }
        }
        meter.ended("complete");
    })
}

/// Waits for `work`, at most until the deadline.
async fn within<T>(until: Option<Instant>, work: impl Future<Output = T>) -> Option<T> {
    match until {
        None => Some(work.await),
        Some(until) => timeout_at(until, work).await.ok(),
    }
}

fn follow(meter: &mut Meter, parsed: &Parsed) {
    if parsed.is_content() {
        meter.piece();
    }
    if let Parsed::Usage(usage) = parsed {
        meter.usage(*usage);
    }
}

/// An answer that has begun: its events up to the first content, and the rest.
struct Opened {
    held: Vec<ChatEvent>,
    stream: ChatStream,
    _place: Option<Place>,
    pass_through: bool,
}

/// Why nobody began. The first choice's reason is the one told; the others are named.
#[derive(Default)]
struct Failures {
    first: Option<ApiError>,
    others: Vec<String>,
}

impl Failures {
    fn push(&mut self, candidate: String, error: ApiError) {
        match &self.first {
            None => self.first = Some(error),
            Some(_) => self.others.push(candidate),
        }
    }

    fn into_error(self) -> ApiError {
        let Some(mut error) = self.first else {
            return ApiError::internal("a ladder had no candidates");
        };
        if !self.others.is_empty() {
            let others: Vec<String> = self.others.iter().map(|id| format!("`{id}`")).collect();
            error.message = format!("{} Tried as well: {}.", error.message, others.join(", "));
        }
        error
    }
}

/// Why a candidate did not begin.
struct Attempt {
    /// Boxed: it is large, and `Result`s are moved for every answer.
    error: Box<ApiError>,
    next_may_help: bool,
    same_everywhere: bool,
}

impl Attempt {
    fn late(budget: Option<Duration>) -> Self {
        let seconds = budget.unwrap_or_default().as_secs();
        Self {
            error: Box::new(ApiError::deadline_exceeded(format!(
                "The answer was not finished within {seconds} seconds. Ask with `\"stream\": true`, allow fewer \
                 tokens, or allow more time."
            ))),
            next_may_help: false,
            same_everywhere: true,
        }
    }

    fn from_provider(candidate: &Offer, error: &ProviderError) -> Self {
        Self {
            error: Box::new(ApiError::from_provider(
                &candidate.provider,
                &candidate.model.name,
                error,
            )),
            next_may_help: !matches!(error, ProviderError::Rejected { .. }),
            same_everywhere: matches!(error, ProviderError::ContextExceeded { .. }),
        }
    }
}

async fn open(
    dispatch: &Dispatch,
    view: &View,
    candidate: &Offer,
    request: &ChatRequest,
    until: Option<Instant>,
) -> Result<Opened, Attempt> {
    let Some(provider) = view.provider(&candidate.provider) else {
        let gone = ProviderError::Unavailable {
            reason: "removed from the table".to_owned(),
        };
        return Err(Attempt::from_provider(candidate, &gone));
    };
    let place = match dispatch.table.gate(view, &candidate.provider) {
        None => None,
        Some(gate) => {
            let left = until.map(|u| u.saturating_duration_since(Instant::now()));
            let entered = gate.enter(dispatch.options.max_waiting, left).await;
            Some(entered.map_err(|wait| Attempt {
                error: Box::new(ApiError::rate_limited(
                    format!(
                        "`{}` is busy and its queue is full or too long for the deadline (about {} s). Try again then.",
                        candidate.id(),
                        wait.as_secs().max(1)
                    ),
                    wait,
                )),
                next_may_help: true,
                same_everywhere: false,
            })?)
        }
    };
    let mut wanted = request.clone();
    wanted.model.clone_from(&candidate.model.name);
    let pass_through = wanted.raw.is_some();
    let mut stream = start(provider, wanted, place.is_some())
        .await
        .map_err(|e| Attempt::from_provider(candidate, &e))?;
    let mut held = Vec::new();
    loop {
        match stream.next().await {
            Some(Ok(event)) => {
                let begun = event.parsed.is_content() || matches!(event.parsed, Parsed::Finished { .. });
                held.push(event);
                if begun {
                    return Ok(Opened {
                        held,
                        stream,
                        _place: place,
                        pass_through,
                    });
                }
            }
            Some(Err(error)) => return Err(Attempt::from_provider(candidate, &error)),
            None => {
                let empty = ProviderError::Interrupted {
                    reason: "the stream ended before it began".to_owned(),
                };
                return Err(Attempt::from_provider(candidate, &empty));
            }
        }
    }
}

/// Starts the answer. A provider whose place we hold may still be clearing it away (the engine notices a dropped
/// stream within one decode step), so being told "full" is asked again for a moment.
#[allow(
    clippy::disallowed_methods,
    reason = "a short back-off: the provider has no notification for a freed place"
)]
async fn start(
    provider: &ProviderHandle,
    request: ChatRequest,
    has_place: bool,
) -> Result<ChatStream, ProviderError> {
    let give_up = Instant::now() + SETTLE;
    let mut pause = Duration::from_millis(1);
    loop {
        match (provider.chat)(request.clone()).await {
            // One that says when to come back means it; the engine says nothing.
            Err(ProviderError::Overloaded { retry_after: None }) if has_place && Instant::now() < give_up => {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_millis(50));
            }
            other => return other,
        }
    }
}
