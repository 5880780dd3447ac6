//! Which models a question goes to: the one that was named, or the policy's ladder over the models that are there. Also
//! as a dry run, which asks nobody.

use std::sync::Arc;
use std::time::Duration;

use goblin_core::chat::ChatRequest;
use goblin_core::context_rule::{CountMethod, likely_tokens, most_tokens, prompt_bytes};
use goblin_core::error::{ApiError, ErrorCode};
use goblin_core::intent;
use goblin_core::provider::IN_PROCESS;
use goblin_core::route::plan::{Hints, Matter, Plan, Planning, named, not_installed, plan};
use goblin_core::route::{AUTOMATIC, Ladder, Needs, Offer};
use goblin_core::trace::{DryRun, RouteRecord};
use goblin_core::wire::openai::IncomingChat;

use crate::Dispatch;
use crate::choose::naming_who_was_asked;
use crate::context::counted;
use crate::gate::Visit;
use crate::table::View;

/// A prompt that cannot have more tokens than this fits everywhere; it is not counted to choose a model.
const SURELY_SHORT: u32 = 2_048;

/// A question whose model is to be found.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// The name asked for.
    pub wanted: &'a str,
    /// What is asked.
    pub request: &'a ChatRequest,
    /// What its caller says.
    pub hints: Hints,
    /// Is there a document the answer must use?
    pub has_document: bool,
    /// Only models on the operator's machines.
    pub local_only: bool,
}

impl<'a> Question<'a> {
    /// A request of which nothing more is said.
    pub fn bare(wanted: &'a str, request: &'a ChatRequest) -> Self {
        Self {
            wanted,
            request,
            hints: Hints::default(),
            has_document: false,
            local_only: false,
        }
    }

    /// A request as it came in.
    pub fn of(incoming: &'a IncomingChat) -> Self {
        Self {
            wanted: &incoming.model,
            request: &incoming.request,
            hints: incoming.hints(),
            has_document: incoming.has_document(),
            local_only: incoming.goblin.local_only,
        }
    }
}

/// The models of a question, and why these.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    pub(crate) ladder: Ladder,
    /// Why these; `None` where a model was named: [`Dispatch::record_of`] says it to who wants to know.
    pub(crate) record: Option<RouteRecord>,
    /// For a request that names no sampling temperature; `None` where a model was named.
    pub(crate) temperature: Option<f32>,
}

impl Dispatch {
    /// The models a question goes to.
    ///
    /// # Errors
    /// `model_not_found`, `no_provider`, or `invalid_request` for what no model that is meant can do.
    pub(crate) async fn choose(&self, view: &View, question: &Question<'_>) -> Result<Chosen, ApiError> {
        if AUTOMATIC.contains(&question.wanted) {
            let plan = self.planned(view, question, true).await.climbable();
            let Plan {
                ladder,
                record,
                temperature,
                ..
            } = plan.map_err(|error| naming_who_was_asked(error, view))?;
            return Ok(Chosen {
                ladder,
                record: Some(record),
                temperature: Some(temperature),
            });
        }
        let mut needs = Needs::of(question.request, question.local_only);
        if is_left_to_its_provider(view, question) {
            needs.files = None;
        }
        let ladder = self.resolve_chat(view, question.wanted, &needs)?;
        Ok(Chosen {
            ladder,
            record: None,
            temperature: None,
        })
    }

    /// What would happen to a question. Nobody is asked: a prompt is counted only by a model of this process.
    ///
    /// # Errors
    /// `model_not_found` for a name that is neither offered nor of the policy; `invalid_request` as [`Self::answer`].
    pub async fn route(&self, question: &Question<'_>) -> Result<DryRun, ApiError> {
        let view = self.table.view_for(question.wanted, question.local_only).await;
        let (ladder, record, nobody) = if AUTOMATIC.contains(&question.wanted) {
            let plan = self.planned(&view, question, false).await;
            (plan.ladder, plan.record, plan.nobody)
        } else {
            let needs = Needs::of(question.request, question.local_only);
            match self.resolve_chat(&view, question.wanted, &needs) {
                Ok(ladder) => {
                    let record = self.record_of(&view, &ladder, question);
                    (ladder, record, None)
                }
                Err(error) => match self.not_installed(&view, question.wanted, &error) {
                    Some(record) => (Ladder::nobody(), record, Some(error)),
                    None => return Err(error),
                },
            }
        };
        Ok(dry_run(question.wanted, &ladder, record, nobody))
    }

    /// The policy's plan. The prompt is counted exactly when its length may matter.
    async fn planned(&self, view: &View, question: &Question<'_>, may_ask: bool) -> Plan {
        let request = question.request;
        let bytes = prompt_bytes(request);
        let mut matter = Matter {
            reading: intent::read(&request.messages, question.has_document),
            hints: question.hints.clone(),
            needs: Needs::of(request, question.local_only),
            prompt_tokens: likely_tokens(bytes, None),
            counted: CountMethod::Estimate,
            tools: !request.tools.is_empty(),
        };
        let first = self.plan_once(view, question.wanted, &matter, bytes);
        if most_tokens(request).is_some_and(|most| most <= SURELY_SHORT) {
            return first;
        }
        let counts = |offer: &&Offer| may_ask || &*offer.provider == IN_PROCESS;
        let Some(offer) = first.ladder.candidates.first().filter(counts) else {
            return first;
        };
        let Some(provider) = view.provider(&offer.provider) else {
            return first;
        };
        let Some(count) = counted(provider, offer, request).await else {
            return first;
        };
        matter.prompt_tokens = count.prompt_tokens;
        matter.counted = count.method;
        self.plan_once(view, question.wanted, &matter, bytes)
    }

    fn plan_once(&self, view: &View, wanted: &str, matter: &Matter, bytes: usize) -> Plan {
        let first_token = |offer: &Offer| self.predicted(view, offer, bytes, matter.prompt_tokens);
        plan(wanted, matter, &self.planning(view, &first_token))
    }

    fn planning<'a>(
        &'a self,
        view: &'a View,
        first_token: &'a dyn Fn(&Offer) -> Option<Duration>,
    ) -> Planning<'a> {
        Planning {
            policy: &self.options.policy,
            version: &self.policy_version,
            table: self.known(view),
            first_token,
        }
    }

    /// When a model's first token is expected, from now.
    fn predicted(&self, view: &View, offer: &Offer, bytes: usize, tokens: u32) -> Option<Duration> {
        let visit = Visit {
            key: Arc::from(""),
            verdict: false,
            bytes,
            tokens: Some(tokens),
            limit: None,
            asked: None,
        };
        Some(self.begins(view, offer, &visit)).filter(|time| !time.is_zero())
    }

    /// Why a named model: because it was named.
    pub(crate) fn record_of(&self, view: &View, ladder: &Ladder, question: &Question<'_>) -> RouteRecord {
        let bytes = prompt_bytes(question.request);
        let tokens = likely_tokens(bytes, None);
        let read = || intent::read(&question.request.messages, question.has_document).intent;
        let intent = question.hints.intent.unwrap_or_else(read);
        let first_token = |offer: &Offer| self.predicted(view, offer, bytes, tokens);
        named(intent, tokens, ladder, &self.planning(view, &first_token))
    }

    /// The record of a model that the policy names and nobody offers.
    fn not_installed(&self, view: &View, wanted: &str, error: &ApiError) -> Option<RouteRecord> {
        matches!(error.code, ErrorCode::ModelNotFound | ErrorCode::NoProvider)
            .then(|| not_installed(wanted, &self.planning(view, &|_| None)))
            .flatten()
    }
}

/// Is the question forwarded as it came in? Then whether its files can be read is for its provider to judge.
fn is_left_to_its_provider(view: &View, question: &Question<'_>) -> bool {
    let Some((dialect, _)) = &question.request.raw else {
        return false;
    };
    let named = question.wanted.split_once('/');
    let provider = named.and_then(|(provider, _)| view.provider(provider));
    provider.is_some_and(|provider| provider.forwards == Some(*dialect))
}

fn dry_run(wanted: &str, ladder: &Ladder, record: RouteRecord, nobody: Option<ApiError>) -> DryRun {
    let rungs = || ladder.candidates.iter().take(ladder.rungs);
    let first = ladder.candidates.first();
    let considered = first.and_then(|first| record.candidates.iter().find(|c| c.model == first.id()));
    let costs = || {
        record
            .candidates
            .iter()
            .filter(|c| rungs().any(|o| o.id() == c.model))
    };
    let each: Option<Vec<f64>> = costs().map(|c| c.cost_usd).collect();
    DryRun {
        model: wanted.to_owned(),
        first: first.map(Offer::id),
        local: first.map(Offer::stays_local),
        may_leave_machine: rungs().any(|offer| !offer.stays_local()),
        expected_cost_usd: considered.and_then(|c| c.cost_usd),
        most_cost_usd: each.map(|costs| costs.iter().sum()),
        first_token_ms: considered.and_then(|c| c.first_token_ms),
        nobody: nobody.map(|error| error.message),
        route: record,
    }
}
