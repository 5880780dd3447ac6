//! Which models there are, which are in memory, who uses them and who waits for one.

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use goblin_core::chat::KeepAlive;
use goblin_core::clock::Timestamp;
use goblin_core::id::Ids;
use goblin_core::provider::ProviderError;
use tokio::sync::watch;

use super::catalogue::{self, Entry, Facts, ListModels};
use super::{READ_AGAIN, ResidentOptions, TRY_AGAIN};
use crate::engine::{Among, Engine};
use crate::handle::stopped;
use crate::memory;
use crate::options::{self, EngineError, EngineOptions, EnginePlan};
use crate::turnstile::Turnstile;

/// Wakes the keeper.
#[derive(Debug, Default)]
pub(super) struct Signal {
    raised: Mutex<bool>,
    changed: Condvar,
}

impl Signal {
    pub(super) fn raise(&self) {
        *self.raised.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }

    /// Waits until it is raised, at most for `longest`.
    pub(super) fn wait(&self, longest: Option<Duration>) {
        let mut raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        while !*raised {
            raised = match longest {
                None => self.changed.wait(raised).unwrap_or_else(PoisonError::into_inner),
                Some(longest) => {
                    let waited = self.changed.wait_timeout(raised, longest);
                    let (mut raised, _) = waited.unwrap_or_else(PoisonError::into_inner);
                    *raised = false;
                    return;
                }
            };
        }
        *raised = false;
    }
}

/// Everything about the models.
pub(super) struct House {
    pub(super) options: ResidentOptions,
    list: ListModels,
    pub(super) ids: Ids,
    among: Among,
    pub(super) signal: Arc<Signal>,
    changed: watch::Sender<()>,
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    /// In the order of the list.
    pub(super) models: Vec<Model>,
    /// In the order of their arrival.
    pub(super) wants: Vec<Want>,
    /// The model that stays.
    pub(super) default: Option<String>,
    /// The model the start waits for.
    pub(super) starting: Option<String>,
    /// Why the last model the start tried is not there.
    pub(super) problem: Option<String>,
    /// Busy models that must go for one that has waited long: they begin no new answers.
    pub(super) closing: BTreeSet<String>,
    pub(super) stopping: bool,
    read_at: Option<Timestamp>,
    used: u64,
    wanted: u64,
}

/// A model on offer, or still in memory.
pub(super) struct Model {
    pub(super) entry: Entry,
    /// How it is run, by the memory there was when its file was first seen.
    pub(super) plan: Option<Result<EnginePlan, EngineError>>,
    /// Is it in the list?
    pub(super) listed: bool,
    /// What is in memory was loaded from another file than what is on offer now.
    pub(super) outdated: bool,
    pub(super) stage: Stage,
    /// Answers under way.
    pub(super) answers: usize,
    /// Rises with every use of any model.
    pub(super) used: u64,
    pub(super) idle_since: Timestamp,
    pub(super) keep: Option<KeepAlive>,
    /// Unload it as soon as it is idle.
    pub(super) leaves: bool,
    /// Bytes of weights that the machine counts as free though they are in use: pages of the file.
    pub(super) hidden: u64,
    pub(super) failed: Option<Failure>,
}

/// Why a model could not be loaded.
pub(super) struct Failure {
    pub(super) since: Timestamp,
    pub(super) why: String,
    /// Trying the same file again would change nothing.
    pub(super) for_good: bool,
}

/// Where a model is.
pub(super) enum Stage {
    /// On disk.
    Out,
    /// Its load has been decided.
    Begins,
    Loading {
        engine: Arc<Engine>,
        /// Memory of this process, files aside, when the load began.
        before: Option<u64>,
    },
    In(Arc<Engine>),
    Leaves,
}

/// Somebody, or several, want a model that is not in memory.
pub(super) struct Want {
    pub(super) id: u64,
    pub(super) model: String,
    pub(super) since: Timestamp,
    waiters: usize,
    /// Its load has begun.
    pub(super) begun: bool,
    /// Why it will not be.
    pub(super) refused: Option<ProviderError>,
}

/// What came of asking for a model.
pub(super) enum Taken {
    /// It is in memory, and held.
    Engine(Arc<Engine>),
    /// It is to be waited for.
    Queued { want: u64, loads: bool },
}

impl State {
    pub(super) fn find(&self, name: &str) -> Option<&Model> {
        self.models.iter().find(|m| m.entry.offer.name == name)
    }

    pub(super) fn find_mut(&mut self, name: &str) -> Option<&mut Model> {
        self.models.iter_mut().find(|m| m.entry.offer.name == name)
    }

    /// Is somebody being answered, or was promised an answer?
    pub(super) fn is_busy(&self, model: &Model) -> bool {
        let promised = |w: &Want| w.begun && w.refused.is_none() && w.model == model.entry.offer.name;
        model.answers > 0 || self.wants.iter().any(promised)
    }

    fn use_now(&mut self) -> u64 {
        self.used += 1;
        self.used
    }

    /// The want for `name` that one more may join, or a new one.
    fn join(&mut self, name: &str, since: Timestamp) -> &mut Want {
        let is_in = self
            .find(name)
            .is_some_and(|m| matches!(m.stage, Stage::In(_) | Stage::Leaves));
        let open = |w: &Want| w.model == name && w.refused.is_none() && !(w.begun && is_in);
        let at = match self.wants.iter().position(open) {
            Some(at) => at,
            None => {
                self.wanted += 1;
                self.wants.push(Want {
                    id: self.wanted,
                    model: name.to_owned(),
                    since,
                    waiters: 0,
                    begun: false,
                    refused: None,
                });
                self.wants.len() - 1
            }
        };
        let want = &mut self.wants[at];
        want.waiters += 1;
        want
    }
}

impl Model {
    pub(super) fn name(&self) -> &str {
        &self.entry.offer.name
    }

    /// The engine, from the moment its load began.
    pub(super) fn engine(&self) -> Option<&Arc<Engine>> {
        match &self.stage {
            Stage::Loading { engine, .. } | Stage::In(engine) => Some(engine),
            Stage::Out | Stage::Begins | Stage::Leaves => None,
        }
    }

    /// Why it cannot be used now, when that is known.
    pub(super) fn problem(&self, now: Timestamp) -> Option<String> {
        if let Err(error) = &self.entry.facts {
            return Some(error.to_string());
        }
        if let (Stage::Out, Some(Err(error))) = (&self.stage, &self.plan) {
            return Some(error.to_string());
        }
        let failed = self.failed.as_ref()?;
        let recent = Duration::from_millis(now.ms_since(failed.since)) < TRY_AGAIN;
        (failed.for_good || recent).then(|| failed.why.clone())
    }
}

impl House {
    /// Reads the list for the first time.
    pub(super) fn open(options: ResidentOptions, list: ListModels, ids: Ids) -> Arc<Self> {
        let signal = Arc::new(Signal::default());
        let wakes = Arc::clone(&signal);
        let house = Arc::new(Self {
            options,
            list,
            ids,
            among: Among {
                turnstile: Arc::new(Turnstile::default()),
                settled: Some(Arc::new(move || wakes.raise())),
            },
            signal,
            changed: watch::Sender::new(()),
            state: Mutex::default(),
        });
        house.read_list();
        house
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.options.clock.now()
    }

    pub(super) fn among(&self) -> Among {
        self.among.clone()
    }

    /// Tells of changes that those who wait for a model should look at.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub(super) fn tell(&self) {
        self.changed.send_replace(());
    }

    /// Is the list to be read again? The one who is told so must do it.
    pub(super) fn must_read(&self) -> bool {
        let now = self.now();
        let mut state = self.lock();
        let due = state
            .read_at
            .is_none_or(|then| Duration::from_millis(now.ms_since(then)) >= READ_AGAIN);
        if due {
            state.read_at = Some(now);
        }
        due
    }

    /// Reads the list, and the headers of files that are new. Blocks.
    pub(super) fn read_list(&self) {
        let known: Vec<Entry> = self.lock().models.iter().map(|m| m.entry.clone()).collect();
        let read = catalogue::read(&self.list, &known);
        let mut state = self.lock();
        state.read_at = Some(self.now());
        match read {
            Ok(there) => merge(&mut state, there),
            Err(why) => {
                tracing::warn!(why, "the list of models cannot be read; the last one is used");
                return;
            }
        }
        // What did not fit may fit now.
        let unplanned = |m: &Model| !matches!(m.plan, Some(Ok(_))) && m.entry.facts.is_ok();
        if state.models.iter().any(unplanned) {
            let most = self.most_bytes(&state);
            for model in &mut state.models {
                if unplanned(model) {
                    let plan = model.entry.facts.clone();
                    model.plan = Some(plan.and_then(|facts| self.plan(&facts, most)));
                }
            }
        }
        drop(state);
        // What is no longer there is to leave.
        self.signal.raise();
    }

    /// Bytes that are free for one more model.
    pub(super) fn free_bytes(&self, state: &State) -> u64 {
        let there = state.models.iter().filter(|m| m.engine().is_some());
        match self.options.memory_bytes {
            Some(budget) => {
                let taken = there.filter_map(Model::held_bytes).fold(0, u64::saturating_add);
                budget.saturating_sub(taken)
            }
            None => {
                let hidden = there.map(|m| m.hidden).fold(0, u64::saturating_add);
                memory::available_bytes().map_or(u64::MAX >> 1, |free| {
                    memory::without_headroom(free).saturating_sub(hidden)
                })
            }
        }
    }

    /// Bytes that would be free if no model were in memory.
    fn most_bytes(&self, state: &State) -> u64 {
        let held = state.models.iter().filter_map(Model::held_bytes);
        held.fold(self.free_bytes(state), u64::saturating_add)
    }

    /// How a model is run where `bytes` are free.
    pub(super) fn plan(&self, facts: &Facts, bytes: u64) -> Result<EnginePlan, EngineError> {
        let trained = facts.info.context_length;
        let asked = self.options.context_tokens;
        let options = EngineOptions {
            name: "model".to_owned(),
            threads: self.options.threads,
            sequences: self.options.sequences,
            // One setting for all models: it cannot be too much for some.
            context_tokens: asked.map(|n| trained.map_or(n, |most| n.min(most))),
            memory_limit_bytes: Some(bytes),
            ..EngineOptions::default()
        };
        options::plan(&options, &facts.info)
    }

    /// What `name`'s file says.
    ///
    /// # Errors
    /// When it is not on offer, or cannot be used.
    pub(super) fn facts(&self, name: &str) -> Result<Arc<Facts>, ProviderError> {
        let state = self.lock();
        let found = state
            .find(name)
            .filter(|m| m.listed)
            .ok_or_else(|| unknown(name))?;
        found
            .entry
            .facts
            .clone()
            .map_err(|error| unusable(&error.to_string()))
    }

    /// Takes `name` if it is in memory; else it is wanted. `want`: the caller waits already.
    pub(super) fn take(&self, name: &str, want: Option<u64>) -> Result<Taken, ProviderError> {
        let now = self.now();
        let mut state = self.lock();
        if state.stopping {
            return Err(stopped());
        }
        let mine = want.and_then(|id| state.wants.iter().find(|w| w.id == id));
        if let Some(refused) = mine.and_then(|w| w.refused.clone()) {
            return Err(refused);
        }
        let promised = mine.is_some_and(|w| w.begun);
        let used = state.use_now();
        let open = promised || !state.closing.contains(name);
        let model = state.find_mut(name).ok_or_else(|| unknown(name))?;
        if let Stage::In(engine) = &model.stage
            && open
            && (promised || (model.listed && !model.outdated))
        {
            let engine = Arc::clone(engine);
            model.answers += 1;
            model.used = used;
            model.leaves = false;
            return Ok(Taken::Engine(engine));
        }
        if !model.listed {
            return Err(unknown(name));
        }
        if let Some(why) = model.problem(now) {
            return Err(unusable(&why));
        }
        let loads = matches!(model.stage, Stage::Begins | Stage::Loading { .. });
        if let Some(want) = want {
            return Ok(Taken::Queued { want, loads });
        }
        let want = state.join(name, now).id;
        drop(state);
        self.signal.raise();
        Ok(Taken::Queued { want, loads })
    }

    /// An answer is over.
    pub(super) fn give_back(&self, name: &str, engine: &Arc<Engine>, keep: Option<KeepAlive>) {
        let now = self.now();
        let mut state = self.lock();
        let used = state.use_now();
        let Some(model) = state.find_mut(name) else { return };
        if !matches!(&model.stage, Stage::In(there) if Arc::ptr_eq(there, engine)) {
            return;
        }
        model.answers = model.answers.saturating_sub(1);
        (model.used, model.idle_since, model.keep) = (used, now, keep);
        if keep == Some(KeepAlive::For(Duration::ZERO)) {
            model.leaves = true;
        }
        drop(state);
        self.signal.raise();
    }

    /// One who waited has its answer, or waits no more.
    pub(super) fn stop_waiting(&self, want: u64) {
        let mut state = self.lock();
        if let Some(at) = state.wants.iter().position(|w| w.id == want) {
            let left = &mut state.wants[at];
            left.waiters = left.waiters.saturating_sub(1);
            if left.waiters == 0 {
                state.wants.remove(at);
            }
        }
        drop(state);
        self.signal.raise();
    }

    /// Forgets that `name` could not be loaded, so that it is tried again.
    pub(super) fn forgive(&self, name: &str) {
        if let Some(model) = self.lock().find_mut(name) {
            model.failed = None;
        }
    }

    /// Lets `name` leave as soon as it is idle. `false`: it is not in memory.
    pub(super) fn dismiss(&self, name: &str) -> Result<bool, ProviderError> {
        let mut state = self.lock();
        let model = state.find_mut(name).ok_or_else(|| unknown(name))?;
        let there = model.engine().is_some();
        model.leaves = there;
        drop(state);
        self.signal.raise();
        Ok(there)
    }
}

impl Model {
    fn new(entry: Entry) -> Self {
        Self {
            entry,
            plan: None,
            listed: true,
            outdated: false,
            stage: Stage::Out,
            answers: 0,
            used: 0,
            idle_since: Timestamp::default(),
            keep: None,
            leaves: false,
            hidden: 0,
            failed: None,
        }
    }

    /// Bytes that are free again once it has left; `None` when it is not in memory.
    pub(super) fn held_bytes(&self) -> Option<u64> {
        self.engine().map(|e| e.plan().needs_bytes(e.info()))
    }
}

/// Takes what was read into the list; models in memory stay in it until they have left.
fn merge(state: &mut State, there: Vec<Entry>) {
    let mut before: Vec<Model> = std::mem::take(&mut state.models);
    for entry in there {
        let at = before.iter().position(|m| m.name() == entry.offer.name);
        let model = match at.map(|at| before.remove(at)) {
            None => Model::new(entry),
            Some(same) if same.entry.is_same_file(&entry) => Model {
                entry,
                listed: true,
                ..same
            },
            // Another file by the same name.
            Some(other) => Model {
                entry,
                plan: None,
                listed: true,
                outdated: !matches!(other.stage, Stage::Out),
                failed: None,
                ..other
            },
        };
        state.models.push(model);
    }
    let in_use = before.into_iter().filter(|m| !matches!(m.stage, Stage::Out));
    state.models.extend(in_use.map(|m| Model { listed: false, ..m }));
}

pub(super) fn unknown(name: &str) -> ProviderError {
    ProviderError::ModelNotFound {
        model: name.to_owned(),
    }
}

pub(super) fn unusable(why: &str) -> ProviderError {
    ProviderError::Unavailable {
        reason: why.to_owned(),
    }
}
