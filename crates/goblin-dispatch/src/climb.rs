//! One answer: up the ladder of candidates until one commits, then its stream to the end.
//!
//! *Commit late*: an answer is committed to a model at its first content event. Every failure before that is
//! tried on the next candidate; after it, a failure ends the stream with an error.

use std::sync::Arc;
use std::time::Duration;

use async_stream::try_stream;
use futures_util::StreamExt;
use goblin_core::chat::{ChatRequest, Untranslated};
use goblin_core::error::ApiError;
use goblin_core::event::{ChatEvent, FinishReason, Parsed};
use goblin_core::provider::{ChatStream, ProviderError, ProviderHandle};
use goblin_core::resilience::hedge::{Hedging, Standing};
use goblin_core::resilience::retry::Again;
use goblin_core::resilience::share::share;
use goblin_core::route::{Ladder, Offer};
use goblin_core::runaway::{Loop, Watch};
use tokio::time::{Instant, timeout_at};

use crate::Dispatch;
use crate::answer::{AnswerItem, AnswerStream, Items};
use crate::attempt::{Attempt, Failures, pause, settled, wait_out};
use crate::context::check_context;
use crate::continuation::{self, Continuation};
use crate::gate::{Place, Visit};
use crate::hedge::{Pair, Tried};
use crate::job::Job;
use crate::meter::{Meter, turn_of};
use crate::money::Tab;
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
    /// May another model go on where a stream breaks?
    pub(crate) continues: bool,
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

    /// Waits for `candidate` to begin: as long as its share of the time allows, when `others` stand ready after it.
    pub(crate) async fn begin<T>(
        self,
        candidate: &Offer,
        others: usize,
        work: impl Future<Output = Result<T, Attempt>>,
    ) -> Result<T, Attempt> {
        let Some(left) = self.left().filter(|_| others > 0) else {
            return self.within(work).await.flatten();
        };
        let share = share(left, others);
        let until = Instant::now().checked_add(share);
        let stalled = |_| Attempt::stalled(candidate, share);
        match until {
            None => work.await,
            Some(until) => timeout_at(until, work).await.map_err(stalled).flatten(),
        }
    }
}

/// The answer, candidate after candidate.
pub(crate) fn climb(climb: Climb) -> AnswerStream {
    AnswerStream::new(climb.meter.trace_id(), answered(climb))
}

fn answered(climb: Climb) -> Items {
    Box::pin(try_stream! {
        let Climb { dispatch, view, ladder, job, mut meter, deadline, continues } = climb;
        let limit = Limit::from_now(deadline);
        // The way to the first content needs much memory for its steps; the rest of the answer, which takes longer, does not.
        let (mut candidate, opened) = match Box::pin(ascend(&dispatch, &view, &ladder, &job, &mut meter, limit, dispatch.options.hedging)).await {
            Ok(opened) => opened,
            Err(error) => {
                let local = Box::pin(dispatch.local_instead(&view, &job, meter.tab())).await.ok_or(error)?;
                Box::pin(ascend(&dispatch, &view, &local, &job, &mut meter, limit, Hedging::default())).await?
            }
        };
        let pass_through = opened.pass_through;
        let dropped = opened.dropped.clone();
        let mut answer = Running::of(opened, watch_of(&job), Continuation::of(&job, continues));
        meter.chosen(&candidate.provider, &candidate.model.name, candidate.stays_local());
        yield AnswerItem::Chosen { model_id: candidate.id(), local: candidate.stays_local(), pass_through, dropped };
        loop {
            let next = limit.within(answer.next()).await.map_err(|late| answer.fail(&mut meter, *late.error))?;
            let event = match next {
                None => break,
                Some(Ok(event)) => event,
                Some(Err(error)) => {
                    let failed = Attempt::from_provider(&candidate, &error);
                    // The next question is better asked of another server with this model.
                    dispatch.note(&candidate, &failed);
                    let from = (&*dispatch, &view, &ladder, &candidate, &error);
                    answer.asking.failed(failed.error.code.as_str());
                    match Box::pin(answer.go_on(from, &failed, &mut meter, limit)).await {
                        Some(other) => candidate = other,
                        None => Err(fail(&mut meter, *failed.error))?,
                    }
                    continue;
                }
            };
            let looped = answer.follow(&meter, &event.parsed);
            yield AnswerItem::Event(event);
            if let Some(looped) = looped {
                meter.ended("runaway");
                answer.asking.failed("runaway");
                tracing::warn!(model = candidate.id(), period = looped.period, turns = looped.turns, "a runaway answer was stopped");
                if job.is_streamed() {
                    Err(runaway(&candidate, looped))?;
                }
                let reason = FinishReason::Length;
                yield AnswerItem::Event(Parsed::Finished { reason }.into());
                return;
            }
        }
        answer.place.ended();
        answer.asking.ended();
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

/// An answer that has begun, and everything that follows it.
struct Running {
    held: std::vec::IntoIter<ChatEvent>,
    stream: ChatStream,
    place: Place,
    asking: Asking,
    watch: Option<Watch>,
    /// What it is booked as.
    call: usize,
    /// While it may be gone on with.
    continuation: Option<Continuation>,
    /// Did another model go on with it?
    seam: bool,
}

impl Running {
    fn of(opened: Opened, watch: Option<Watch>, continuation: Option<Continuation>) -> Self {
        Self {
            held: opened.held.into_iter(),
            stream: opened.stream,
            place: opened.place,
            asking: opened.asking,
            call: opened.call,
            watch,
            continuation,
            seam: false,
        }
    }

    async fn next(&mut self) -> Option<Result<ChatEvent, ProviderError>> {
        loop {
            let next = match self.held.next() {
                Some(event) => Some(Ok(event)),
                None => self.stream.next().await,
            };
            match next {
                // An answer begins once.
                Some(Ok(ChatEvent {
                    parsed: Parsed::Started,
                    ..
                })) if self.seam => {}
                next => return next,
            }
        }
    }

    fn fail(&mut self, meter: &mut Meter, error: ApiError) -> ApiError {
        self.asking.failed(error.code.as_str());
        fail(meter, error)
    }

    /// Counts and times the event. Returns the loop the answer is in, once that is certain.
    fn follow(&mut self, meter: &Meter, parsed: &Parsed) -> Option<Loop> {
        meter.tab().said(self.call, parsed);
        if parsed.is_content() {
            self.place.content();
        }
        self.asking.saw(parsed);
        if let Parsed::Usage(usage) = parsed {
            self.place.usage(*usage);
        }
        if self
            .continuation
            .as_mut()
            .is_some_and(|going| !going.follow(parsed))
        {
            self.continuation = None;
        }
        let said = match parsed {
            Parsed::Text { text, .. } | Parsed::Reasoning { text } => text,
            Parsed::ToolCall { arguments, .. } => arguments,
            _ => return None,
        };
        self.watch.as_mut()?.push(said)
    }

    /// It broke: whoever goes on with it, when somebody may and does.
    async fn go_on(
        &mut self,
        (dispatch, view, ladder, broke, error): (&Dispatch, &View, &Ladder, &Offer, &ProviderError),
        failed: &Attempt,
        meter: &mut Meter,
        limit: Limit,
    ) -> Option<Offer> {
        let going = self.continuation.as_mut()?;
        let job = going.job(error)?;
        meter.passed_over(broke, &failed.error.message);
        let turn = turn_of(meter.who());
        let candidates = continuation::candidates(ladder.candidates.iter(), broke);
        let tab = meter.tab().clone();
        let booked = (&tab, Some(&mut *meter));
        let (other, opened) =
            continuation::resume((dispatch, view), candidates, &job, turn, booked, limit).await?;
        meter.note(going.note(broke, &other));
        meter.answered_by(&other.provider, &other.model.name, other.stays_local());
        self.held = opened.held.into_iter();
        self.stream = opened.stream;
        self.place = opened.place;
        self.call = opened.call;
        self.asking = opened.asking;
        self.seam = true;
        Some(other)
    }
}

/// One way up a ladder: who is to be tried, and what was seen.
struct Ascent<'a> {
    dispatch: &'a Dispatch,
    view: &'a View,
    job: &'a Job,
    limit: Limit,
    visit: Visit,
    session: u64,
    /// Do all candidates have the same model?
    one_model: bool,
    failures: Failures,
    /// Providers of which nothing more is to be expected.
    away: Vec<Arc<str>>,
    /// Rounds after the first.
    made: u32,
    /// Taken when the first is asked.
    hedging: Hedging,
}

/// How a round ended without an answer.
enum Round {
    /// Nobody can help.
    Over,
    /// These may answer a moment later, the soonest after this time where one named it.
    Again(Vec<Offer>, Option<Duration>),
}

/// Tries the candidates in order, servers of the same model in the order in which they would begin. Those that failed by
/// something that passes are tried again when all have failed.
async fn ascend(
    dispatch: &Dispatch,
    view: &View,
    ladder: &Ladder,
    job: &Job,
    meter: &mut Meter,
    limit: Limit,
    hedging: Hedging,
) -> Result<(Offer, Opened), ApiError> {
    let mut ascent = Ascent {
        dispatch,
        view,
        job,
        limit,
        visit: job.visit(turn_of(meter.who())),
        session: job.session(),
        one_model: ladder.is_one_model(),
        failures: Failures::default(),
        away: Vec::new(),
        made: 0,
        hedging,
    };
    let mut candidates = dispatch.balanced(view, ladder, &ascent.visit, ascent.session);
    loop {
        let (again, wanted) = match ascent.round(&candidates, meter).await {
            Ok(opened) => return Ok(opened),
            Err(Round::Over) => break,
            Err(Round::Again(again, wanted)) => (again, wanted),
        };
        let first = again.first().map_or("none", |offer| &*offer.provider);
        let Some(pause) = pause(&dispatch.options.retries, ascent.made, wanted, limit.left()) else {
            break;
        };
        wait_out(pause, first).await;
        ascent.made += 1;
        candidates = again;
    }
    Err(fail(meter, ascent.failures.told()))
}

impl Ascent<'_> {
    async fn round(&mut self, candidates: &[Offer], meter: &mut Meter) -> Result<(Offer, Opened), Round> {
        let mut again = Later::default();
        let mut beside = None;
        for (at, candidate) in candidates.iter().enumerate() {
            if self.away.contains(&candidate.provider) || beside.as_ref() == Some(candidate) {
                continue;
            }
            let others = candidates[at + 1..].iter();
            let others: Vec<&Offer> = others.filter(|o| !self.away.contains(&o.provider)).collect();
            let Tried { begun, failed, told } = self.attempt(candidate, &others, meter).await;
            beside = failed.get(1).map(|(offer, _)| offer.clone());
            for (offer, attempt) in failed {
                if !told {
                    attempt.tell(&offer, meter);
                }
                let goes_on = self.failed(&offer, attempt, &mut again);
                if !goes_on && begun.is_none() {
                    return Err(Round::Over);
                }
            }
            if let Some((offer, opened)) = begun {
                let name = &offer.model.name;
                self.dispatch.sessions.settle(self.session, name, &offer.provider);
                return Ok((offer, opened));
            }
        }
        match again.soonest {
            Some(wanted) => Err(Round::Again(again.who, wanted)),
            None => Err(Round::Over),
        }
    }

    /// A candidate failed. May another help?
    fn failed(&mut self, candidate: &Offer, attempt: Attempt, again: &mut Later) -> bool {
        self.dispatch.note(candidate, &attempt);
        if let Again::Soon(wanted) = attempt.again {
            again.add(candidate, wanted);
        } else if attempt.whole_provider {
            self.away.push(Arc::clone(&candidate.provider));
        }
        let next = attempt.helps_next(self.one_model);
        // A round that is made again says nothing new, unless nobody can help any more.
        if self.made == 0 || !attempt.next_may_help {
            self.failures.add(candidate, attempt);
        }
        next
    }

    async fn attempt(&mut self, candidate: &Offer, others: &[&Offer], meter: &mut Meter) -> Tried {
        let standing = Standing {
            first: true,
            stays_here: self.view.is_from_here(),
            others: others.len(),
            share: self.limit.left().map(|left| share(left, others.len())),
        };
        // Only the first is hedged.
        let wait = std::mem::take(&mut self.hedging).wait(standing);
        self.visit.tokens = None;
        self.visit.asked = None;
        if let Some((after, other)) = wait.zip(others.first()) {
            let pair = Pair {
                one_model: self.one_model,
                dispatch: self.dispatch,
                view: self.view,
                job: self.job,
                limit: self.limit,
                first: candidate,
                other,
                others: others.len(),
            };
            return Box::pin(pair.race(after, &mut self.visit, meter)).await;
        }
        let tab = meter.tab().clone();
        let (visit, booked) = (&mut self.visit, (&tab, Some(meter)));
        let opening = open(
            self.dispatch,
            self.view,
            candidate,
            self.job,
            visit,
            booked,
            self.limit,
        );
        Tried::of(
            candidate,
            self.limit.begin(candidate, others.len(), opening).await,
        )
    }
}

/// Who may answer a moment later.
#[derive(Default)]
struct Later {
    who: Vec<Offer>,
    /// The soonest, where one may.
    soonest: Option<Option<Duration>>,
}

impl Later {
    fn add(&mut self, candidate: &Offer, wanted: Option<Duration>) {
        self.soonest = Some(match self.soonest {
            None => wanted,
            Some(before) => before.min(wanted),
        });
        self.who.push(candidate.clone());
    }
}

/// An answer that has begun: its events up to the first content, and the rest.
pub(crate) struct Opened {
    pub(crate) held: Vec<ChatEvent>,
    pub(crate) stream: ChatStream,
    pub(crate) place: Place,
    /// What it is booked as.
    pub(crate) call: usize,
    pub(crate) asking: Asking,
    /// Wishes it goes without.
    pub(crate) dropped: Vec<String>,
    pass_through: bool,
}

/// Asks a candidate and waits for its first content. `meter` is told of the place it has.
pub(crate) async fn open(
    dispatch: &Dispatch,
    view: &View,
    candidate: &Offer,
    job: &Job,
    visit: &mut Visit,
    (tab, meter): (&Tab, Option<&mut Meter>),
    limit: Limit,
) -> Result<Opened, Attempt> {
    let failed = |e: ProviderError| Attempt::from_provider(candidate, &e);
    let provider = provider_of(view, candidate)?;
    let gate = dispatch.table.gate(&candidate.provider);
    gate.admit(&candidate.model.name)
        .map_err(|resting| Attempt::resting(candidate, resting))?;
    let mut given = Given::whole(job, dispatch.options.untranslated);
    if let Job::Chat(request) = job {
        while let Err(error) = is_translated(given.chat().unwrap_or(request)) {
            given = given.without(error).map_err(failed)?;
        }
        let counted = check_context(provider, candidate, request).await;
        visit.tokens = counted.map_err(|e| Attempt {
            // Another server may run the same model with a longer context.
            same_everywhere: false,
            ..failed(e)
        })?;
    }
    let mut place = enter(dispatch, view, candidate, visit, limit).await?;
    let asked = tab.ask(job.asking(candidate, visit)).await;
    let call = asked.map_err(|denied| Attempt::denied(candidate, &denied, tab))?;
    visit.asked = Some(call);
    let failed = |e: ProviderError| {
        tab.failed(call);
        failed(e)
    };
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
    let broken = |error, asking: &mut Asking| {
        let attempt = failed(error);
        asking.failed(attempt.error.code.as_str());
        attempt
    };
    let mut stream = loop {
        let start = || {
            let origin = origin.with(limit.left());
            given.job().start(provider, &candidate.model.name, roster, origin)
        };
        match settled(view.is_gated(candidate), start).await {
            Ok(stream) => break stream,
            Err(error) => given = given.without(error).map_err(|error| broken(error, &mut asking))?,
        }
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
                        call,
                        asking,
                        dropped: given.dropped,
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

/// What a candidate is asked: the whole, or without wishes that it cannot take.
struct Given<'a> {
    whole: &'a Job,
    left: Option<Job>,
    dropped: Vec<String>,
    rule: Untranslated,
}

impl<'a> Given<'a> {
    fn whole(whole: &'a Job, rule: Untranslated) -> Self {
        Self {
            whole,
            left: None,
            dropped: Vec::new(),
            rule,
        }
    }

    fn job(&self) -> &Job {
        self.left.as_ref().unwrap_or(self.whole)
    }

    fn chat(&self) -> Option<&ChatRequest> {
        match self.job() {
            Job::Chat(request) => Some(request),
            Job::Complete(_) => None,
        }
    }

    /// Without the field that `error` says cannot be taken; the error again, where that is no wish or must be told.
    fn without(mut self, error: ProviderError) -> Result<Self, ProviderError> {
        let ProviderError::Unsupported { param, .. } = &error else {
            return Err(error);
        };
        let Some(mut less) = self.chat().filter(|_| self.rule == Untranslated::Header).cloned() else {
            return Err(error);
        };
        if !less.leave_out(param) {
            return Err(error);
        }
        self.dropped.push(param.clone());
        self.left = Some(Job::Chat(Box::new(less)));
        Ok(self)
    }
}

/// A field that was read by nobody reaches a provider with the caller's own bytes, or not at all, which is said.
fn is_translated(request: &ChatRequest) -> Result<(), ProviderError> {
    match request.untranslated.first() {
        Some(field) if request.raw.is_none() => Err(ProviderError::Unsupported {
            param: field.clone(),
            message: "it is not translated for this request. Leave it out.".to_owned(),
        }),
        _ => Ok(()),
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
