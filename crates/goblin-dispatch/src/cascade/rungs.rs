//! The rungs of a ladder: what the machine is told of each, and the one that runs.

use std::sync::Arc;

use async_stream::stream;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use goblin_core::chat::ChatRequest;
use goblin_core::context_rule::{likely_tokens, prompt_bytes};
use goblin_core::event::{ChatEvent, Parsed};
use goblin_core::model::Capability;
use goblin_core::policy::{self, EXPECTED_ANSWER_TOKENS};
use goblin_core::route::{Ladder, Offer};
use goblin_core::screen::ScreenSettings;
use goblin_core::trace::RouteRecord;
use goblin_core::trust::{Price, Rung};

use super::judges::{Case, Jury};
use super::screen::Screened;
use crate::Dispatch;
use crate::answer::Who;
use crate::attempt::Attempt;
use crate::climb::{Limit, Opened, open};
use crate::gate::Begun;
use crate::job::Job;
use crate::meter::turn_of;
use crate::table::View;

/// What a rung's stream says.
pub(super) enum FromRung {
    /// It has a place and its answer begins.
    Began(Begun),
    /// An event of its answer.
    Said(Box<ChatEvent>),
    /// It could not begin, or broke.
    Failed(Box<Attempt>),
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
    limit: Limit,
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
        who: &Who,
        limit: Limit,
    ) -> Self {
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
            limit,
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

    /// Asks a rung. Says what leaves the operator's machines, and to whom.
    pub(super) fn start(&mut self, rung: usize, max_tokens: Option<u32>) -> Option<(String, u64)> {
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
        self.running = Some((rung, self.stream(offer, request)));
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
        if matches!(said, FromRung::Failed(_) | FromRung::Ended) {
            self.running = None;
        }
        Some((rung, said))
    }

    fn stream(&self, offer: Offer, request: ChatRequest) -> BoxStream<'static, FromRung> {
        let (dispatch, view, limit) = (Arc::clone(&self.dispatch), Arc::clone(&self.view), self.limit);
        let job = Job::Chat(Box::new(request));
        let mut visit = job.visit(turn_of(&self.who));
        Box::pin(stream! {
            let opening = open(&dispatch, &view, &offer, &job, &mut visit, None, limit);
            let opened = match limit.within(opening).await {
                Ok(Ok(opened)) => opened,
                Ok(Err(attempt)) | Err(attempt) => {
                    yield FromRung::Failed(Box::new(attempt));
                    return;
                }
            };
            dispatch.sessions.settle(job.session(), &offer.model.name, &offer.provider);
            let Opened { held, stream, mut place, mut asking, .. } = opened;
            yield FromRung::Began(place.begun());
            let mut events = futures_util::stream::iter(held.into_iter().map(Ok)).chain(stream);
            while let Some(event) = events.next().await {
                match event {
                    Ok(event) => {
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
                        yield FromRung::Failed(Box::new(attempt));
                        return;
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
