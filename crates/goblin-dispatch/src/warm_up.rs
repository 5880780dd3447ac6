//! The roster brought into memory at the start: one model at a time, in the order of the roles, as far as memory
//! reaches, and only while nobody wants anything of the server that would load it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use goblin_core::manage::Action;
use goblin_core::model::{ModelInfo, ModelState};
use goblin_core::provider::{Health, ProviderHandle, ProviderStatus};
use goblin_core::roster::{RosterModel, memory_needed};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::Dispatch;

/// Bytes of memory that are free for further models of a provider; `None` where that cannot be known from here.
pub type FreeMemory = Arc<dyn Fn(&str) -> Option<u64> + Send + Sync>;

/// How often a server that does not answer yet is looked for.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How often it is looked whether a model that was loaded is in the list of those that are.
const SEEN_EVERY: Duration = Duration::from_millis(250);
/// And for how long: providers believe what they heard for a moment.
const SEEN_WITHIN: Duration = Duration::from_secs(10);
/// A model is tried so often; each time somebody wanted another one meanwhile.
const TRIES: usize = 10;

/// The model that is on its way into memory, if any.
#[derive(Default)]
pub(crate) struct Warming(Mutex<Option<(Arc<str>, String)>>);

impl Warming {
    /// Is it this one?
    pub(crate) fn is(&self, provider: &Arc<str>, model: &str) -> bool {
        let now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        now.as_ref().is_some_and(|(p, m)| p == provider && m == model)
    }

    fn begin(&self, provider: &Arc<str>, model: &str) -> Ended<'_> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((Arc::clone(provider), model.to_owned()));
        Ended(self)
    }
}

/// Dropped when loading is over, however it ended.
struct Ended<'a>(&'a Warming);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// What a round knows.
struct Round {
    free: FreeMemory,
    /// Models of the roster that were brought into memory or found there, by provider.
    held: HashMap<Arc<str>, Vec<String>>,
    /// Providers that hold no further model.
    full: HashSet<Arc<str>>,
    /// References whose absence was told.
    told: HashSet<String>,
}

/// How it went with one model.
enum Tried {
    /// Nothing more to do: it is there, or it was said why not.
    Settled,
    /// A server that may have it does not answer yet.
    Later,
}

impl Dispatch {
    /// Brings the models of the roster that are present into memory. Ends when every one was settled; a server that
    /// does not answer is waited for. To be run in a task of its own; dropping it cancels what is under way.
    ///
    /// A request for a model of the same server goes first: loading is broken off and tried again when the server has
    /// nothing to do.
    pub async fn warm_up(self: Arc<Self>, free: FreeMemory) {
        let mut round = Round {
            free,
            held: HashMap::new(),
            full: HashSet::new(),
            told: HashSet::new(),
        };
        let mut left: Vec<RosterModel> = self.options.roster.models().to_vec();
        let mut looks = interval(LOOK_AGAIN);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !left.is_empty() {
            looks.tick().await;
            let mut later = Vec::new();
            for model in left {
                if let Tried::Later = self.settle(&mut round, &model).await {
                    later.push(model);
                }
            }
            left = later;
        }
        let held: Vec<&String> = round.held.values().flatten().collect();
        tracing::info!(models = ?held, "the roster's models that are here and fit are in memory");
    }

    async fn settle(&self, round: &mut Round, wanted: &RosterModel) -> Tried {
        let statuses = self.table.statuses().await;
        let Some((provider, info)) = find(&statuses, wanted) else {
            return absent(round, wanted, &statuses);
        };
        let id = &provider.id;
        if matches!(info.state, ModelState::Loaded | ModelState::Loading) {
            round.held.entry(Arc::clone(id)).or_default().push(info.name);
            return Tried::Settled;
        }
        if provider.manage.is_none() || round.full.contains(id) {
            tracing::info!(model = %named(&provider, &info), roles = wanted.roles.join(", "), "not warmed up; the first request loads it");
            return Tried::Settled;
        }
        self.load(round, &provider, &info, wanted).await;
        Tried::Settled
    }

    /// Loads one model as soon as its server has nothing else to do.
    async fn load(
        &self,
        round: &mut Round,
        provider: &ProviderHandle,
        info: &ModelInfo,
        wanted: &RosterModel,
    ) {
        let model = named(provider, info);
        let gate = self.table.gate(&provider.id);
        for _ in 0..TRIES {
            gate.until_idle(None).await;
            if !fits(round, provider, info, wanted) {
                return;
            }
            let action = Action::Load {
                model: info.name.clone(),
                keep_alive: Some(wanted.keep_alive),
            };
            let Some(manage) = &provider.manage else { return };
            let loading = self.warming.begin(&provider.id, &info.name);
            tracing::info!(model, roles = wanted.roles.join(", "), "warming up");
            let began = Instant::now();
            let loaded = tokio::select! {
                biased;
                () = gate.until_wanted(&info.name) => None,
                loaded = manage(action) => Some(loaded),
            };
            drop(loading);
            match loaded {
                None => tracing::info!(
                    model,
                    "another model of the same server is wanted; warming up later"
                ),
                Some(Ok(_)) => {
                    let seconds = began.elapsed().as_secs_f64();
                    tracing::info!(model, seconds, "in memory");
                    self.see(round, provider, info).await;
                    return;
                }
                Some(Err(error)) => {
                    tracing::warn!(model, %error, "it could not be warmed up; the first request tries again");
                    return;
                }
            }
        }
        tracing::info!(
            model,
            "its server is too busy to warm it up; the first request loads it"
        );
    }

    /// Looks whether the model that was just loaded pushed out one that had been.
    async fn see(&self, round: &mut Round, provider: &ProviderHandle, info: &ModelInfo) {
        let until = Instant::now() + SEEN_WITHIN;
        let mut looks = interval(SEEN_EVERY);
        loop {
            looks.tick().await;
            let status = (provider.status)().await;
            let in_memory = |name: &str| {
                let is_it = |m: &&ModelInfo| m.name == name;
                let state = status.models.iter().find(is_it).map(|m| m.state);
                matches!(state, Some(ModelState::Loaded | ModelState::Loading))
            };
            if !in_memory(&info.name) {
                if Instant::now() < until {
                    continue;
                }
                // It went as soon as it came, or its server does not say: nothing follows from that.
                return;
            }
            let held = round.held.entry(Arc::clone(&provider.id)).or_default();
            let gone: Vec<String> = held.extract_if(.., |name| !in_memory(name)).collect();
            held.push(info.name.clone());
            if !gone.is_empty() {
                tracing::warn!(
                    provider = %provider.id,
                    model = info.name,
                    pushed_out = gone.join(", "),
                    "this server does not hold all models of the roster at once; the rest is not warmed up. Give it \
                     more memory or let it hold more (Ollama: OLLAMA_MAX_LOADED_MODELS), or choose smaller models in \
                     [tier.models]"
                );
                round.full.insert(Arc::clone(&provider.id));
            }
            return;
        }
    }
}

/// The provider that has the model: one that holds it in memory before one that can load it before any other.
fn find(
    statuses: &[(ProviderHandle, ProviderStatus)],
    wanted: &RosterModel,
) -> Option<(ProviderHandle, ModelInfo)> {
    let healthy = statuses.iter().filter(|(_, s)| s.health == Health::Ok);
    let found = healthy.flat_map(|(provider, status)| {
        let its = status.models.iter().filter(|m| wanted.is_called(&m.name));
        its.map(move |m| (provider, m))
    });
    found
        .min_by_key(|(provider, model)| match model.state {
            ModelState::Loaded | ModelState::Loading => 0,
            _ if provider.manage.is_some() => 1,
            _ => 2,
        })
        .map(|(provider, model)| (provider.clone(), model.clone()))
}

fn absent(round: &mut Round, wanted: &RosterModel, statuses: &[(ProviderHandle, ProviderStatus)]) -> Tried {
    let starting = statuses
        .iter()
        .any(|(_, s)| matches!(s.health, Health::Starting(_)));
    if starting {
        return Tried::Later;
    }
    let away: Vec<&str> = statuses
        .iter()
        .filter(|(_, s)| s.health != Health::Ok)
        .map(|(p, _)| &*p.id)
        .collect();
    if round.told.insert(wanted.reference.clone()) {
        let not_asked = (!away.is_empty()).then(|| away.join(", "));
        tracing::warn!(
            model = wanted.reference,
            roles = wanted.roles.join(", "),
            not_answering = not_asked,
            "a model of the roster is not here; fetch it with: goblin models pull {}",
            wanted.reference
        );
    }
    if away.is_empty() {
        Tried::Settled
    } else {
        Tried::Later
    }
}

/// Is there memory for it? If not, that is said.
fn fits(round: &mut Round, provider: &ProviderHandle, info: &ModelInfo, wanted: &RosterModel) -> bool {
    let (Some(free), Some(size)) = ((round.free)(&provider.id), info.size_bytes) else {
        return true;
    };
    let needed = memory_needed(size);
    if needed <= free {
        return true;
    }
    tracing::warn!(
        model = %named(provider, info),
        roles = wanted.roles.join(", "),
        needed_mib = needed >> 20,
        free_mib = free >> 20,
        "it would not fit into memory beside what is there, so it is not warmed up; the first request loads it in the \
         place of another. Choose a smaller model in [tier.models], or add memory"
    );
    false
}

fn named(provider: &ProviderHandle, info: &ModelInfo) -> String {
    format!("{}/{}", provider.id, info.name)
}
