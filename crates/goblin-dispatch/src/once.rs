//! Answers that come in one piece: embeddings, and decisions.

use std::sync::Arc;
use std::time::Duration;

use goblin_core::context_rule::likely_tokens;
use goblin_core::decide::{DecideRequest, DecideResponse};
use goblin_core::embed::{EmbedRequest, EmbedResponse};
use goblin_core::error::ApiError;
use goblin_core::event::Usage;
use goblin_core::judge::in_turns;
use goblin_core::money::{self, Purpose};
use goblin_core::origin::Origin;
use goblin_core::provider::{BoxFuture, ProviderError, ProviderHandle};
use goblin_core::route::Offer;

use crate::Dispatch;
use crate::answer::Who;
use crate::attempt::{Attempt, Failures, settled};
use crate::choose::Ability;
use crate::climb::{Limit, enter, provider_of};
use crate::gate::Visit;
use crate::meter::{Meter, turn_of};
use crate::span::Asking;
use crate::table::View;
use crate::traces::unchecked::Unchecked;

/// What came of a request, and the trace it left.
#[derive(Clone, Debug, PartialEq)]
pub struct Traced<T> {
    /// The id of the trace, where there is one: somebody was to be asked, and traces are kept.
    pub trace_id: Option<String>,
    /// What came of it.
    pub result: Result<T, ApiError>,
}

/// Tokens that templates and instructions put around a text that is only read, generously.
const MOST_AROUND: u32 = 512;
/// Tokens that all decisions of one request take, generously.
const MOST_DECISIONS: u32 = 64;

/// Embeddings, and who made them.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedded {
    /// `provider/model`.
    pub model_id: String,
    /// The vectors.
    pub response: EmbedResponse,
}

/// Decisions, and who made them.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// `provider/model`.
    pub model_id: String,
    /// The probabilities.
    pub response: DecideResponse,
}

/// What is asked of a provider, for a model, and where that comes from: `None` when it cannot.
type Work<'a, T> =
    dyn Fn(&ProviderHandle, &str, Origin) -> Option<BoxFuture<Result<T, ProviderError>>> + Send + Sync + 'a;

/// One request, and how its answer is counted.
struct Errand<'a, T> {
    ability: Ability,
    wanted: &'a str,
    visit: Visit,
    operation: &'static str,
    origin: &'a Origin,
    work: &'a Work<'a, T>,
    usage: fn(&T) -> Usage,
    /// Tokens it writes, where its server does not count them: one for each question.
    written: u32,
    limit: Limit,
}

impl Dispatch {
    /// Makes embeddings; `request.model` is the name asked for. It fails as [`Self::answer`] does, in its stream too, and
    /// with `invalid_request` naming models that can, when this one cannot.
    pub async fn embed(
        self: &Arc<Self>,
        who: Who,
        request: EmbedRequest,
        deadline: Option<Duration>,
    ) -> Traced<Embedded> {
        let visit = Visit {
            key: turn_of(&who),
            verdict: false,
            bytes: request.inputs.iter().map(String::len).sum(),
            tokens: None,
            limit: Some(0),
            asked: None,
        };
        let errand = Errand {
            ability: Ability::Embed,
            wanted: &request.model,
            visit,
            operation: "embeddings",
            origin: &request.origin,
            work: &|provider, model, origin| {
                let embed = provider.embed.as_ref()?;
                let mut request = request.clone();
                model.clone_into(&mut request.model);
                request.keep_alive = request
                    .keep_alive
                    .or_else(|| self.options.roster.keep_alive(model));
                request.origin = origin;
                Some(embed(request))
            },
            written: 0,
            usage: |response: &EmbedResponse| Usage {
                prompt_tokens: response.prompt_tokens,
                ..Usage::default()
            },
            limit: Limit::from_now(deadline),
        };
        let id = request.origin.request_id.as_deref().unwrap_or_default();
        if let Err(error) = self.books.room().await {
            return Traced {
                trace_id: None,
                result: Err(error),
            };
        }
        let trace = Unchecked::begun(self, &request.model, self.keeper(&who.owner, id));
        let mut meter = Meter::new(self, true, who, "embed", id);
        let made = self.run(errand, &mut meter, trace).await;
        Traced {
            trace_id: meter.trace_id(),
            result: made.map(|(model_id, response)| Embedded { model_id, response }),
        }
    }

    /// Answers typed questions; `request.model` is the name asked for. It counts as a verdict: it never waits behind
    /// long answers where a place can be kept for it.
    ///
    /// # Errors
    /// As [`Self::embed`].
    pub async fn decide(
        self: &Arc<Self>,
        who: Who,
        request: DecideRequest,
        deadline: Option<Duration>,
    ) -> Result<Decided, ApiError> {
        let id = request.origin.request_id.as_deref().unwrap_or_default();
        self.books.room().await?;
        let meter = Meter::new(self, true, who, "decide", id);
        self.decide_metered(meter, request, deadline).await
    }

    /// As [`Self::decide`], for a verdict about an answer that is being made for `who`: it is a part of that answer's
    /// work, so that it has no row of its own in the usage and counts toward no limit.
    pub(crate) async fn decide_as_verdict(
        self: &Arc<Self>,
        who: Who,
        request: DecideRequest,
        deadline: Option<Duration>,
    ) -> Result<Decided, ApiError> {
        let id = request.origin.request_id.as_deref().unwrap_or_default();
        let meter = Meter::of_verdict(self, who, id);
        self.decide_metered(meter, request, deadline).await
    }

    async fn decide_metered(
        self: &Arc<Self>,
        mut meter: Meter,
        request: DecideRequest,
        deadline: Option<Duration>,
    ) -> Result<Decided, ApiError> {
        let questions = request.questions.iter().map(|q| q.text.len());
        let visit = Visit {
            key: turn_of(meter.who()),
            verdict: true,
            bytes: request.shared.len() + questions.sum::<usize>(),
            tokens: None,
            limit: Some(0),
            asked: None,
        };
        let errand = Errand {
            ability: Ability::Decide,
            wanted: &request.model,
            visit,
            operation: "decide",
            origin: &request.origin,
            work: &|provider, model, origin| {
                let decide = provider.decide.as_ref()?;
                let mut request = in_turns(request.clone(), model);
                model.clone_into(&mut request.model);
                request.keep_alive = request
                    .keep_alive
                    .or_else(|| self.options.roster.keep_alive(model));
                request.origin = origin;
                Some(decide(request))
            },
            written: u32::try_from(request.questions.len()).unwrap_or(u32::MAX),
            usage: |response: &DecideResponse| {
                let cost = response.cost;
                Usage {
                    prompt_tokens: cost
                        .shared_evaluated
                        .saturating_add(cost.shared_cached)
                        .saturating_add(cost.question_tokens),
                    cached_tokens: cost.shared_cached,
                    ..Usage::default()
                }
            },
            limit: Limit::from_now(deadline),
        };
        let (model_id, response) = self.run(errand, &mut meter, None).await?;
        Ok(Decided { model_id, response })
    }

    /// Candidate after candidate, until one answers. It leaves `trace` once there is somebody to be asked.
    async fn run<T>(
        &self,
        errand: Errand<'_, T>,
        meter: &mut Meter,
        trace: Option<Unchecked>,
    ) -> Result<(String, T), ApiError> {
        let view = self.table.view_for(errand.wanted, false).await;
        let ladder = self
            .resolve_able(&view, errand.wanted, errand.ability)
            .inspect_err(|e| meter.failed(e.code.as_str()))?;
        meter.leaves(trace);
        let mut failures = Failures::default();
        for candidate in self.balanced(&view, &ladder, &errand.visit, 0) {
            let attempt = self.attempt(&view, &candidate, &errand, meter);
            let attempt = match errand.limit.within(attempt).await {
                Ok(Ok((answer, usage))) => {
                    meter.chosen(
                        &candidate.provider,
                        &candidate.model.name,
                        candidate.stays_local(),
                    );
                    meter.usage(usage);
                    meter.ended("complete");
                    return Ok((candidate.id(), answer));
                }
                Ok(Err(attempt)) | Err(attempt) => attempt,
            };
            self.note(&candidate, &attempt);
            let next = attempt.helps_next(ladder.is_one_model());
            failures.add(&candidate, attempt);
            if !next {
                break;
            }
        }
        let error = failures.told();
        meter.failed(error.code.as_str());
        Err(error)
    }

    async fn attempt<T>(
        &self,
        view: &View,
        candidate: &Offer,
        errand: &Errand<'_, T>,
        meter: &mut Meter,
    ) -> Result<(T, Usage), Attempt> {
        let provider = provider_of(view, candidate)?;
        let mut place = enter(self, view, candidate, &errand.visit, errand.limit).await?;
        meter.placed(&place.begun());
        let tab = meter.tab().clone();
        let asked = tab.ask(booked(candidate, &errand.visit, meter.purpose())).await;
        let call = asked.map_err(|denied| Attempt::denied(candidate, &denied, &tab))?;
        meter.asks(candidate, errand.visit.bytes);
        let mut asking = Asking::begin(self, errand.origin, errand.operation, candidate);
        let origin = asking.origin();
        let start = || async {
            let unable = ProviderError::Unavailable {
                reason: "it has lost this ability".to_owned(),
            };
            match (errand.work)(provider, &candidate.model.name, origin.with(errand.limit.left())) {
                Some(work) => work.await,
                None => Err(unable),
            }
        };
        let answer = settled(view.is_gated(candidate), start).await;
        let answer = answer.map_err(|error| {
            tab.failed(call);
            let attempt = Attempt::from_provider(candidate, &error);
            asking.failed(attempt.error.code.as_str());
            attempt
        })?;
        let usage = (errand.usage)(&answer);
        let written = usage.completion_tokens.max(errand.written);
        tab.counted(
            call,
            Usage {
                completion_tokens: written,
                ..usage
            },
        );
        asking.counted(usage);
        asking.ended();
        place.content();
        place.usage(usage);
        place.ended();
        Ok((answer, usage))
    }
}

/// What a text that is only read is booked as.
fn booked(candidate: &Offer, visit: &Visit, purpose: Purpose) -> money::Asking {
    let bytes = u32::try_from(visit.bytes).unwrap_or(u32::MAX);
    money::Asking {
        model: candidate.id(),
        local: candidate.stays_local(),
        purpose,
        prompt: likely_tokens(visit.bytes, None),
        most_prompt: bytes.saturating_add(MOST_AROUND),
        most_answer: Some(MOST_DECISIONS),
        answers: 1,
    }
}
