//! From a question to a ladder: which role the policy gives it, which of the models that are there have that role or
//! come nearest to it, in which order they are tried and escalated to, and why each other one was passed over. Pure.

mod roles;
mod rungs;

use std::time::Duration;

use super::{LOCAL, Ladder, Needs, Offer, Table, lacks, nobody};
use crate::context_rule::CountMethod;
use crate::error::ApiError;
use crate::intent::{Intent, Reading};
use crate::model::{Capability, ModelState};
use crate::policy::{Policy, PolicyRole, RoleModel};
use crate::trace::{Considered, Feature, RouteRecord};

/// Tokens that an answer must at least have room for beside its prompt, or a quarter of a small context.
const ROOM_FOR_ANSWER: u32 = 256;

/// How soon the first token is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LatencyTarget {
    /// Within a second.
    UltraLow,
    /// Within 3 seconds.
    Low,
    /// Within 10 seconds.
    Medium,
    /// Whenever.
    High,
}

impl LatencyTarget {
    /// The longest wait for the first token that meets it.
    fn longest(self) -> Option<Duration> {
        match self {
            Self::UltraLow => Some(Duration::from_secs(1)),
            Self::Low => Some(Duration::from_secs(3)),
            Self::Medium => Some(Duration::from_secs(10)),
            Self::High => None,
        }
    }
}

/// What a caller says about how a question is to be answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hints {
    /// What it is about, instead of what is read from it.
    pub intent: Option<Intent>,
    /// How soon the first token is wanted.
    pub latency: Option<LatencyTarget>,
    /// Cheaper rather than better.
    pub cost_priority: bool,
    /// Most US dollars the answer may cost.
    pub max_cost_usd: Option<f64>,
}

/// A question as far as the choice of a model is concerned.
#[derive(Clone, Debug, PartialEq)]
pub struct Matter {
    /// What it was read as.
    pub reading: Reading,
    /// What its caller says.
    pub hints: Hints,
    /// What a model must be able to do.
    pub needs: Needs,
    /// Tokens of its whole prompt.
    pub prompt_tokens: u32,
    /// How they were counted.
    pub counted: CountMethod,
    /// Are there functions the model may call?
    pub tools: bool,
}

impl Matter {
    /// What it is about: what the caller says, else what was read.
    pub fn intent(&self) -> Intent {
        self.hints.intent.unwrap_or(self.reading.intent)
    }
}

/// Where a question goes.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The candidates, in order; empty when nobody can answer.
    pub ladder: Ladder,
    /// Why.
    pub record: RouteRecord,
    /// Sampling temperature when the caller names none.
    pub temperature: f32,
    /// Why nobody can answer.
    pub nobody: Option<ApiError>,
}

impl Plan {
    /// The ladder, when there is anybody on it.
    ///
    /// # Errors
    /// `no_provider` when nothing can answer; `invalid_request` when no model can do what the question needs.
    pub fn climbable(self) -> Result<Self, ApiError> {
        match self.nobody {
            Some(error) => Err(error),
            None => Ok(self),
        }
    }
}

/// Everything a plan is made by.
#[derive(Clone, Copy)]
pub struct Planning<'a> {
    /// The policy in force.
    pub policy: &'a Policy,
    /// Its version.
    pub version: &'a str,
    /// What is there.
    pub table: Table<'a>,
    /// Predicted time to the first token of a model, when known.
    pub first_token: &'a dyn Fn(&Offer) -> Option<Duration>,
}

impl std::fmt::Debug for Planning<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Planning")
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// One model that is there, judged for a question.
#[derive(Clone, Debug)]
struct Judged {
    offer: Offer,
    quality: f64,
    cost: Option<f64>,
    first_token: Option<Duration>,
    role: Option<PolicyRole>,
    /// Speaks the question's language well, or that does not matter.
    speaks: bool,
}

/// Makes the plan for a question that names no model; `wanted` is one of [`super::AUTOMATIC`].
pub fn plan(wanted: &str, matter: &Matter, planning: &Planning<'_>) -> Plan {
    let policy = planning.policy;
    let local_only = matter.needs.local_only || wanted == LOCAL;
    let needs = Needs {
        local_only,
        ..matter.needs.clone()
    };
    let intent = if wanted == "goblin/code" {
        Intent::Code
    } else {
        matter.intent()
    };
    let row = policy.row(intent);
    let roles = roles::of(wanted, intent, matter, policy, local_only);
    let (able, mut passed) = judge(intent, matter, &needs, planning);
    let weight = match matter.hints.cost_priority {
        true => policy.cost_priority_weight,
        false => policy.cost_weight,
    };
    let climb = rungs::build(&roles, &row, able, policy, &planning.table, weight);
    let climb = climb.ordered_by_latency(matter.hints.latency.and_then(LatencyTarget::longest));
    let mut candidates: Vec<Considered> = climb.considered();
    let offered = |model: &RoleModel| {
        let mut offers = planning.table.offers.iter();
        offers.any(|o| model.is(&o.provider, &o.model.name))
    };
    let missing = climb.absent.iter().filter(|(_, model)| !offered(model));
    candidates.extend(missing.map(|(role, model)| {
        let quality = row.quality.get(role).copied().unwrap_or_default();
        absent(*role, model, quality)
    }));
    candidates.append(&mut passed);
    let nobody = climb
        .all()
        .next()
        .is_none()
        .then(|| nobody_able(planning, &needs));
    Plan {
        record: RouteRecord {
            policy: planning.version.to_owned(),
            intent: Some(intent),
            intent_confidence: match matter.hints.intent.is_some() || wanted == "goblin/code" {
                true => 1.0,
                false => matter.reading.confidence,
            },
            runner_up: matter.reading.runner_up.filter(|other| *other != intent),
            language: matter.reading.language.map(str::to_owned),
            role: roles.first().map(|role| role.as_str().to_owned()),
            features: features(wanted, matter, local_only),
            candidates,
        },
        ladder: climb.into_ladder(),
        temperature: row.temperature,
        nobody,
    }
}

/// The record of models that were named: nothing was chosen, so only what is expected of each is told.
pub fn named(intent: Intent, prompt_tokens: u32, ladder: &Ladder, planning: &Planning<'_>) -> RouteRecord {
    let judged = ladder
        .candidates
        .iter()
        .map(|offer| Judged::of(offer, intent, prompt_tokens, false, planning));
    let candidates: Vec<Considered> = judged
        .enumerate()
        .map(|(at, judged)| judged.considered(Some(at), None))
        .collect();
    RouteRecord {
        policy: planning.version.to_owned(),
        role: candidates.first().and_then(|c| c.role.clone()),
        candidates,
        ..RouteRecord::default()
    }
}

/// The record of a model that was named, that the policy knows and nobody offers.
pub fn not_installed(wanted: &str, planning: &Planning<'_>) -> Option<RouteRecord> {
    let mut roles = planning.policy.roles.iter();
    let (role, model) = roles.find(|(_, model)| model.is("", wanted))?;
    Some(RouteRecord {
        policy: planning.version.to_owned(),
        role: Some(role.as_str().to_owned()),
        candidates: vec![absent(*role, model, 0.0)],
        ..RouteRecord::default()
    })
}

/// Judges every model that is there; those that cannot answer this question are told with their reason.
fn judge(
    intent: Intent,
    matter: &Matter,
    needs: &Needs,
    planning: &Planning<'_>,
) -> (Vec<Judged>, Vec<Considered>) {
    let foreign = matter.reading.is_foreign();
    let chat = planning
        .table
        .offers
        .iter()
        .filter(|o| o.model.can(Capability::Chat));
    let any_tools = chat.clone().any(|o| o.model.can(Capability::Tools));
    let mut able = Vec::new();
    let mut too_small: Vec<Judged> = Vec::new();
    let mut passed = Vec::new();
    for offer in chat {
        let judged = Judged::of(offer, intent, matter.prompt_tokens, foreign, planning);
        match obstacle(&judged, matter, needs, any_tools) {
            None if holds(&judged, matter) => able.push(judged),
            None => too_small.push(judged),
            Some(why) => passed.push(judged.considered(None, Some(why))),
        }
    }
    if able.is_empty()
        && let Some(at) = longest_context(&too_small)
    {
        // It says how much too long the prompt is, or a chat leaves its oldest turns out.
        able.push(too_small.remove(at));
    }
    passed.extend(
        too_small
            .iter()
            .map(|judged| judged.considered(None, Some(too_long(judged, matter)))),
    );
    (able, passed)
}

/// Is there room in the model's context for the prompt and an answer?
fn holds(judged: &Judged, matter: &Matter) -> bool {
    let window = judged.offer.model.context_window;
    window.is_none_or(|window| {
        matter
            .prompt_tokens
            .saturating_add(ROOM_FOR_ANSWER.min(window / 4))
            <= window
    })
}

fn too_long(judged: &Judged, matter: &Matter) -> String {
    format!(
        "its context holds {} tokens, the prompt has {} and the answer needs room",
        judged.offer.model.context_window.unwrap_or_default(),
        matter.prompt_tokens
    )
}

fn longest_context(all: &[Judged]) -> Option<usize> {
    let windows = all.iter().enumerate().rev();
    windows
        .max_by_key(|(_, judged)| judged.offer.model.context_window)
        .map(|(at, _)| at)
}

/// Why a model cannot answer this question.
fn obstacle(judged: &Judged, matter: &Matter, needs: &Needs, any_tools: bool) -> Option<String> {
    let offer = &judged.offer;
    if offer.model.state == ModelState::Down {
        return Some("does not answer now".to_owned());
    }
    if let Some(error) = lacks(offer, needs) {
        return Some(error.message);
    }
    if matter.tools && any_tools && !offer.model.can(Capability::Tools) {
        return Some("calls no functions, and the request offers some".to_owned());
    }
    match (matter.hints.max_cost_usd, judged.cost) {
        (Some(most), Some(cost)) if cost > most => Some(format!(
            "would cost about ${cost:.4}, more than the ${most:.4} the request allows"
        )),
        (Some(_), None) => Some("has no price in [prices], and the request limits the cost".to_owned()),
        _ => None,
    }
}

impl Judged {
    fn of(offer: &Offer, intent: Intent, prompt_tokens: u32, foreign: bool, planning: &Planning<'_>) -> Self {
        let policy = planning.policy;
        let (provider, name, local) = (&*offer.provider, &*offer.model.name, offer.stays_local());
        Self {
            quality: policy.quality(intent, provider, &offer.model, local),
            cost: policy.expected_cost(&offer.id(), local, prompt_tokens),
            first_token: (planning.first_token)(offer),
            role: policy.role_of(intent, provider, name),
            speaks: !foreign || policy.speaks_all(provider, name, local),
            offer: offer.clone(),
        }
    }

    fn considered(&self, rung: Option<usize>, passed_over: Option<String>) -> Considered {
        Considered {
            model: self.offer.id(),
            role: self.role.map(|role| role.as_str().to_owned()),
            local: self.offer.stays_local(),
            rung: rung.and_then(|at| u32::try_from(at).ok()),
            quality: self.quality,
            cost_usd: self.cost,
            first_token_ms: self
                .first_token
                .and_then(|time| u64::try_from(time.as_millis()).ok()),
            passed_over,
        }
    }

    /// Expected quality less what it costs. What has no price is taken to cost nothing.
    fn worth(&self, weight: f64) -> f64 {
        self.quality - weight * self.cost.unwrap_or(0.0)
    }
}

/// A model of the policy that nobody offers. It is taken to be one of the operator's.
fn absent(role: PolicyRole, model: &RoleModel, quality: f64) -> Considered {
    Considered {
        model: model.reference.clone(),
        role: Some(role.as_str().to_owned()),
        local: true,
        rung: None,
        quality,
        cost_usd: Some(0.0),
        first_token_ms: None,
        passed_over: Some("not installed".to_owned()),
    }
}

/// Why nobody can answer: what the first model there lacks, or that there is none.
fn nobody_able(planning: &Planning<'_>, needs: &Needs) -> ApiError {
    let chat = planning
        .table
        .offers
        .iter()
        .filter(|o| o.model.can(Capability::Chat));
    let lacking = |ability: Capability| {
        let able = |offer: &Offer| offer.model.can(ability) && (offer.stays_local() || !needs.local_only);
        chat.clone().next().is_some() && !chat.clone().any(able)
    };
    if let Some(field) = needs.vision.as_ref().filter(|_| lacking(Capability::Vision)) {
        return nobody_sees(field, needs.local_only);
    }
    if let Some(field) = needs.files.as_ref().filter(|_| lacking(Capability::Files)) {
        return nobody_reads_files(field, needs.local_only);
    }
    let why = chat.clone().find_map(|offer| lacks(offer, needs));
    match (why, chat.count()) {
        (Some(error), _) => error,
        (None, 0) => nobody(&planning.table),
        (None, _) => ApiError::no_provider(
            "No model that is there can take this question: they cost more than the request allows, or do not answer now. \
             POST /api/route says why for each."
                .to_owned(),
        ),
    }
}

/// No model takes the question's image; what would change that.
fn nobody_sees(field: &str, local_only: bool) -> ApiError {
    let whose = if local_only {
        "on this operator's machines"
    } else {
        "that is there"
    };
    let cloud = if local_only {
        ""
    } else {
        ", or the key of a cloud (`upstream.openai_key` and its like, or Providers on the page)"
    };
    ApiError::invalid(
        field,
        format!(
            "Every model {whose} reads text only. Remove the image, or add a model that sees: one of an Ollama or a \
             llama-server (`upstream.ollama_url`, `upstream.llamacpp_url`){cloud}."
        ),
    )
}

/// No model takes the question's PDF; what would change that.
fn nobody_reads_files(field: &str, local_only: bool) -> ApiError {
    let way_out = if local_only {
        "Models on this operator's machines read no PDF files. Send the text instead, or its pages as images to a model \
         that sees."
    } else {
        "No model that is there reads PDF files. Send the text instead, or add the key of a cloud whose models read them \
         (`upstream.openai_key`, `upstream.anthropic_key`, `upstream.gemini_key`, or Providers on the page)."
    };
    ApiError::invalid(field, way_out)
}

fn features(wanted: &str, matter: &Matter, local_only: bool) -> Vec<Feature> {
    let mut features = matter.reading.features.clone();
    let mut put = |name: &str, value: f64| {
        features.push(Feature {
            name: name.to_owned(),
            value,
        });
    };
    put("prompt_tokens", f64::from(matter.prompt_tokens));
    put(
        match matter.counted {
            CountMethod::Tokenizer => "prompt_tokens_counted",
            CountMethod::MeasuredRatio => "prompt_tokens_by_measured_ratio",
            CountMethod::Estimate => "prompt_tokens_estimated",
        },
        1.0,
    );
    for (name, holds) in [
        ("hint:intent", matter.hints.intent.is_some()),
        ("hint:cost_priority", matter.hints.cost_priority),
        ("hint:latency", matter.hints.latency.is_some()),
        ("needs:local", local_only),
        ("needs:vision", matter.needs.vision.is_some()),
        ("needs:files", matter.needs.files.is_some()),
        ("needs:tools", matter.tools),
    ] {
        if holds {
            put(name, 1.0);
        }
    }
    if wanted != "goblin" {
        put(wanted, 1.0);
    }
    features
}

#[cfg(test)]
mod tests;
