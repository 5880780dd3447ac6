//! The rungs of a ladder: what the machine is told of each, and the one that runs.

use std::sync::Arc;
use std::time::Duration;

use async_stream::stream;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use goblin_core::chat::ChatRequest;
use goblin_core::context_rule::{likely_tokens, prompt_bytes};
use goblin_core::event::{ChatEvent, Parsed};
use goblin_core::model::Capability;
use goblin_core::policy::{self, EXPECTED_ANSWER_TOKENS};
use goblin_core::resilience::retry::Again;
use goblin_core::route::{Ladder, Offer};
use goblin_core::screen::ScreenSettings;
use goblin_core::trace::RouteRecord;
use goblin_core::trust::{Price, Rung};

use super::judges::{Case, Jury};
use super::screen::Screened;
use crate::Dispatch;
use crate::answer::Who;
use crate::attempt::{Attempt, pause, wait_out};
use crate::climb::{Limit, Opened, open};
use crate::continuation::{self, Continuation};
use crate::gate::Begun;
use crate::job::Job;
use crate::meter::{Meter, turn_of};
use crate::money::Tab;
use crate::table::View;

/// What a rung's stream says.
pub(super) enum FromRung {
    /// It has a place and its answer begins, without these wishes.
    Began(Begun, Vec<String>),
    /// An event of its answer.
    Said(Box<ChatEvent>),
    /// It could not begin, and is asked again in a moment.
    Again(Box<Attempt>, Duration),
    /// It broke, and is gone on with: a sentence that says where, and by whom.
    Continued(String),
    /// It could not begin, or broke. Was it asked at all?
    Failed(Box<Attempt>, bool),
    /// Its answer is over.
    Ended,
}

/// The ladder, and who on it runs.
pub(super) struct Rungs {
    dispatch: Arc<Dispatch>,
    view: Arc<View>,
    offers: Vec<Offer>,
    /// Ids of those that are worth escalating to.
    worth: Vec<String>,
    /// For models on the operator's machines, and for others.
    here: ChatRequest,
    away: ChatRequest,
    who: Who,
    /// What the answer is booked on.
    tab: Tab,
    limit: Limit,
    /// May a model go on where the stream of another breaks?
    pub(super) continues: bool,
    running: Option<(usize, BoxStream<'static, FromRung>)>,
    last: Option<usize>,
}

impl Rungs {
    pub(super) fn new(
        dispatch: &Arc<Dispatch>,
        view: &Arc<View>,
        ladder: &Ladder,
        request: ChatRequest,
        screened: &Screened,
        meter: &Meter,
        limit: Limit,
    ) -> Self {
        let who = meter.who();
        let job = Job::Chat(Box::new(request.clone()));
        let visit = job.visit(turn_of(who));
        let offers = dispatch.balanced(view, ladder, &visit, job.session());
        let with = |messages: &Option<Vec<_>>| ChatRequest {
            messages: messages.clone().unwrap_or_else(|| request.messages.clone()),
            raw: None,
            ..request.clone()
        };
        Self {
            dispatch: Arc::clone(dispatch),
            view: Arc::clone(view),
            offers,
            worth: ladder
                .candidates
                .iter()
                .take(ladder.rungs)
                .map(Offer::id)
                .collect(),
            here: with(&screened.here),
            away: with(&screened.away),
            who: who.clone(),
            tab: meter.tab().clone(),
            limit,
            continues: false,
            running: None,
            last: None,
        }
    }

    /// What the machine is told of them.
    pub(super) fn described(&self, route: &RouteRecord, jury: &Jury) -> Vec<Rung> {
        let limit = self.here.sampling.max_tokens.unwrap_or(EXPECTED_ANSWER_TOKENS);
        let tokens = likely_tokens(prompt_bytes(&self.here), None);
        let policy = &self.dispatch.options.policy;
        let of = |(rung, offer): (usize, &Offer)| {
            let id = offer.id();
            let considered = route.candidates.iter().find(|c| c.model == id);
            Rung {
                model: offer.model.name.clone(),
                local: offer.stays_local(),
                spare: !self.worth.contains(&id),
                quality: considered.map(|c| c.quality),
                price: policy.price(&id).as_ref().map(per_token),
                prompt_tokens: tokens,
                answer_tokens: limit.min(EXPECTED_ANSWER_TOKENS),
                first_token_ms: considered.and_then(|c| c.first_token_ms),
                safety: jury.safety_of(rung),
                confidence: jury.confidence_of(rung),
                calibration: None,
                id,
            }
        };
        self.offers.iter().enumerate().map(of).collect()
    }

    /// What judges are to know of the request.
    pub(super) fn case(&self) -> Case<'_> {
        Case {
            here: &self.here.messages,
            away: &self.away.messages,
            origin: self.here.origin.clone(),
            who: self.who.clone(),
        }
    }

    pub(super) fn offers(&self) -> &[Offer] {
        &self.offers
    }

    pub(super) fn offer(&self, rung: usize) -> Option<&Offer> {
        self.offers.get(rung)
    }

    /// What models cost.
    pub(super) fn policy(&self) -> &policy::Policy {
        &self.dispatch.options.policy
    }

    pub(super) fn screen(&self) -> &ScreenSettings {
        &self.dispatch.options.trust.screen
    }

    /// The rung that runs, or ran last.
    pub(super) fn last(&self) -> Option<usize> {
        self.last
    }

    pub(super) fn note(&self, offer: &Offer, attempt: &Attempt) {
        self.dispatch.note(offer, attempt);
    }

    /// Asks a rung, after which `others` may still be asked. Says what leaves the operator's machines, and to whom.
    pub(super) fn start(
        &mut self,
        rung: usize,
        max_tokens: Option<u32>,
        others: usize,
    ) -> Option<(String, u64)> {
        let offer = self.offers.get(rung)?.clone();
        let local = offer.stays_local();
        let mut request = if local {
            self.here.clone()
        } else {
            self.away.clone()
        };
        // What else costs nothing: how likely its tokens are, where its own machine says so.
        if local && offer.model.can(Capability::Logprobs) {
            request.sampling.logprobs = request.sampling.logprobs.or(Some(0));
        }
        if let Some(most) = max_tokens {
            request.sampling.max_tokens = Some(request.sampling.max_tokens.map_or(most, |own| own.min(most)));
        }
        let bytes = prompt_bytes(&request) as u64;
        let sent = (!local).then(|| (offer.provider.to_string(), bytes));
        self.last = Some(rung);
        self.running = Some((rung, self.stream(offer, request, others)));
        sent
    }

    /// Stops the rung that runs: its upstream sees the stream dropped.
    pub(super) fn cancel(&mut self) {
        self.running = None;
    }

    /// What the rung that runs says next; nothing when none runs.
    pub(super) async fn next(&mut self) -> Option<(usize, FromRung)> {
        let (rung, stream) = self.running.as_mut()?;
        let rung = *rung;
        let said = stream.next().await.unwrap_or(FromRung::Ended);
        if matches!(said, FromRung::Failed(..) | FromRung::Ended) {
            self.running = None;
        }
        Some((rung, said))
    }

    /// Who may go on where `offer` breaks: models on the operator's machines, which cost nothing and tell nobody, and it
    /// itself.
    fn successors(&self, offer: &Offer) -> Vec<Offer> {
        let here = self.offers.iter().filter(|other| other.stays_local());
        continuation::candidates(here, offer)
    }

    fn stream(&self, offer: Offer, request: ChatRequest, others: usize) -> BoxStream<'static, FromRung> {
        let (dispatch, view, limit) = (Arc::clone(&self.dispatch), Arc::clone(&self.view), self.limit);
        let job = Job::Chat(Box::new(request));
        let turn = turn_of(&self.who);
        let mut visit = job.visit(Arc::clone(&turn));
        let mut going = Continuation::of(&job, self.continues);
        let successors = self.successors(&offer);
        let tab = self.tab.clone();
        let id = offer.id();
        let before = tab.times_asked(&id);
        Box::pin(stream! {
            let mut made = 0;
            let opened = loop {
                let opening = open(&dispatch, &view, &offer, &job, &mut visit, (&tab, None), limit);
                let attempt = match limit.begin(&offer, others, opening).await {
                    Ok(opened) => break opened,
                    Err(attempt) => attempt,
                };
                // Where somebody else stands ready, nobody waits for this one.
                let again = match attempt.again {
                    Again::Soon(wanted) if others == 0 => {
                        pause(&dispatch.options.retries, made, wanted, limit.left())
                    }
                    _ => None,
                };
                let Some(again) = again else {
                    yield FromRung::Failed(Box::new(attempt), tab.times_asked(&id) > before);
                    return;
                };
                yield FromRung::Again(Box::new(attempt), again);
                wait_out(again, &offer.provider).await;
                visit.tokens = None;
                made += 1;
            };
            dispatch.sessions.settle(job.session(), &offer.model.name, &offer.provider);
            let Opened { held, stream, mut place, mut call, mut asking, dropped, .. } = opened;
            yield FromRung::Began(place.begun(), dropped);
            let mut events = futures_util::stream::iter(held.into_iter().map(Ok)).chain(stream);
            while let Some(event) = events.next().await {
                match event {
                    Ok(event) => {
                        tab.said(call, &event.parsed);
                        if going.as_mut().is_some_and(|going| !going.follow(&event.parsed)) {
                            going = None;
                        }
                        if event.parsed.is_content() {
                            place.content();
                        }
                        asking.saw(&event.parsed);
                        if let Parsed::Usage(usage) = event.parsed {
                            place.usage(usage);
                        }
                        yield FromRung::Said(Box::new(event));
                    }
                    Err(error) => {
                        let attempt = Attempt::from_provider(&offer, &error);
                        asking.failed(attempt.error.code.as_str());
                        let rest = going.as_mut().and_then(|going| going.job(&error));
                        let resumed = match rest {
                            Some(rest) => {
                                let at = (&*dispatch, &*view);
                                continuation::resume(at, successors.clone(), &rest, Arc::clone(&turn), (&tab, None), limit).await
                            }
                            None => None,
                        };
                        let (Some((other, opened)), Some(going)) = (resumed, &going) else {
                            yield FromRung::Failed(Box::new(attempt), true);
                            return;
                        };
                        dispatch.note(&offer, &attempt);
                        yield FromRung::Continued(going.note(&offer, &other));
                        place = opened.place;
                        call = opened.call;
                        asking = opened.asking;
                        events = futures_util::stream::iter(opened.held.into_iter().map(Ok)).chain(opened.stream);
                    }
                }
            }
            place.ended();
            asking.ended();
            drop(asking);
            yield FromRung::Ended;
        })
    }
}

/// The policy's prices are for a million tokens.
fn per_token(price: &policy::Price) -> Price {
    Price {
        input_usd: price.input / 1e6,
        output_usd: price.output / 1e6,
    }
}
