//! The thread that brings models into memory and takes them out: one change at a time, so that each is decided by
//! what is true after the last.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use goblin_core::chat::KeepAlive;
use goblin_core::clock::Timestamp;
use goblin_core::provider::ProviderError;

use super::SWAP_AFTER;
use super::house::{Failure, House, Model, Stage, State, unusable};
use super::room::{self, Held, Room};
use crate::engine::{Engine, State as Progress};
use crate::memory;
use crate::options::{EngineError, EngineOptions};

/// How often the clock is looked at while something ends by itself.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
const MIB: u64 = 1 << 20;

/// What is to be done next.
enum Next {
    /// Stop everything.
    Stop(Vec<Arc<Engine>>),
    /// Take this model, which is idle, out of memory.
    Unload(String, Arc<Engine>),
    /// Begin to load this one.
    Load(EngineOptions),
    /// Nothing, until something happens; with `true`, also once the clock has moved on.
    Wait(bool),
}

/// Works until told to stop. Blocks.
pub(super) fn keep(house: &Arc<House>) {
    let mut left = None;
    loop {
        match house.next(left.take()) {
            Next::Stop(engines) => {
                engines.iter().for_each(|e| e.signal_stop());
                engines.iter().for_each(|e| e.shutdown());
                house.tell();
                return;
            }
            Next::Unload(name, engine) => {
                engine.shutdown();
                tracing::info!(model = name, "unloaded");
                left = Some(name);
            }
            Next::Load(options) => house.begin(options),
            Next::Wait(clock) => house.signal.wait(clock.then_some(LOOK_AGAIN)),
        }
    }
}

impl House {
    /// Decides. `left`: this model has just been taken out. Both in one moment, so that whoever looks never sees that
    /// a model has gone without seeing what comes in its place.
    fn next(&self, left: Option<String>) -> Next {
        let mut guard = self.lock();
        let state = &mut *guard;
        if let Some(model) = left.and_then(|name| state.find_mut(&name)) {
            (model.stage, model.outdated, model.leaves, model.hidden) = (Stage::Out, false, false, 0);
            self.tell();
        }
        state
            .models
            .retain(|m| m.listed || !matches!(m.stage, Stage::Out));
        let closing = std::mem::take(&mut state.closing);
        if state.stopping {
            let engines = state.models.iter().filter_map(Model::engine).cloned();
            return Next::Stop(engines.collect());
        }
        let now = self.now();
        let next = self
            .look_after_engines(state)
            .or_else(|| self.idle(state, now))
            .or_else(|| self.wanted(state, now));
        if state.closing != closing {
            self.tell();
        }
        next.unwrap_or_else(|| {
            let clock = state.models.iter().any(|m| self.leaves_at(state, m).is_some());
            Next::Wait(clock || state.wants.iter().any(|w| !w.begun && w.refused.is_none()))
        })
    }

    /// Loads that came to an end, and engines that ended by themselves.
    fn look_after_engines(&self, state: &mut State) -> Option<Next> {
        let now = self.now();
        for at in 0..state.models.len() {
            let model = &mut state.models[at];
            let Some(engine) = model.engine().cloned() else {
                continue;
            };
            match (engine.state(), &model.stage) {
                (Progress::Ready(_), Stage::Loading { before, .. }) => {
                    model.hidden = hidden(&engine, *before);
                    model.stage = Stage::In(engine);
                    (model.idle_since, model.keep, model.failed) = (now, None, None);
                    self.tell();
                }
                (Progress::Failed(error), stage) => {
                    let for_good = matches!((stage, &error), (Stage::Loading { .. }, EngineError::Load(_)));
                    let name = model.name().to_owned();
                    model.stage = Stage::Leaves;
                    self.fail(state, &name, &error, for_good);
                    return Some(Next::Unload(name, engine));
                }
                _ => {}
            }
        }
        None
    }

    /// `name` could not be loaded, or ended.
    fn fail(&self, state: &mut State, name: &str, error: &EngineError, for_good: bool) {
        tracing::error!(model = name, %error, "the model is not in memory");
        let (since, why) = (self.now(), error.to_string());
        for want in state.wants.iter_mut().filter(|w| w.model == name && w.begun) {
            want.refused.get_or_insert_with(|| unusable(&why));
        }
        if let Some(model) = state.find_mut(name) {
            model.failed = Some(Failure { since, why, for_good });
        }
        self.tell();
    }

    /// When an idle model is to leave by itself; `None`: it is not idle, or stays.
    fn leaves_at(&self, state: &State, model: &Model) -> Option<Timestamp> {
        if !matches!(model.stage, Stage::In(_)) || state.is_busy(model) {
            return None;
        }
        let stays = state.default.as_deref() == Some(model.name());
        let idle = match model.keep {
            Some(KeepAlive::Forever) => None,
            Some(KeepAlive::For(time)) => Some(time),
            None if stays => None,
            None => self.options.idle_unload,
        };
        let idle = i64::try_from(idle?.as_millis()).unwrap_or(i64::MAX);
        Some(model.idle_since.plus_ms(idle))
    }

    /// An idle model that is to leave: it was told to, its file is gone or is another one, or nobody came for long.
    fn idle(&self, state: &mut State, now: Timestamp) -> Option<Next> {
        let due = |m: &&Model| {
            let told = m.leaves || m.outdated || !m.listed;
            matches!(m.stage, Stage::In(_))
                && !state.is_busy(m)
                && (told || self.leaves_at(state, m).is_some_and(|at| at <= now))
        };
        let name = state.models.iter().find(due)?.name().to_owned();
        unload(state, &name)
    }

    /// The first model that is wanted and not in memory, or one that must leave for it.
    fn wanted(&self, state: &mut State, now: Timestamp) -> Option<Next> {
        let loading = |m: &Model| matches!(m.stage, Stage::Begins | Stage::Loading { .. });
        if state.models.iter().any(loading) {
            return None;
        }
        loop {
            let is_out = |name: &str| state.find(name).is_none_or(|m| matches!(m.stage, Stage::Out));
            let first = |w: &&super::house::Want| !w.begun && w.refused.is_none() && is_out(&w.model);
            let want = state.wants.iter().find(first)?;
            let (id, name, since) = (want.id, want.model.clone(), want.since);
            match self.room_for(state, &name) {
                Ok((Room::After(leaving), options)) => match leaving.first() {
                    Some(first) => return unload(state, first),
                    None => {
                        let begins = state.wants.iter_mut().filter(|w| w.model == name);
                        begins.for_each(|w| w.begun |= w.refused.is_none());
                        if let Some(model) = state.find_mut(&name) {
                            model.stage = Stage::Begins;
                        }
                        self.tell();
                        return Some(Next::Load(options));
                    }
                },
                Ok((Room::Busy(busy), _)) => {
                    // Later ones do not overtake it; and after a while it overtakes those who come for the others.
                    if Duration::from_millis(now.ms_since(since)) >= SWAP_AFTER {
                        state.closing = busy.into_iter().collect::<BTreeSet<String>>();
                    }
                    return None;
                }
                Ok((Room::Never { most }, options)) => {
                    let needs = state.find(&name).and_then(|m| m.plan.clone()?.ok());
                    let facts = state.find(&name).and_then(|m| m.entry.facts.clone().ok());
                    let needs = needs.zip(facts).map_or(0, |(p, f)| p.needs_bytes(&f.info));
                    tracing::warn!(model = %options.name, needs, most, "the model does not fit");
                    refuse(state, id, unusable(&too_large(needs, most)));
                }
                Err(error) => refuse(state, id, error),
            }
            self.tell();
        }
    }

    /// Is there room for `name`, and how it would be loaded.
    fn room_for(&self, state: &mut State, name: &str) -> Result<(Room, EngineOptions), ProviderError> {
        let free = self.free_bytes(state);
        let held = held(state);
        let model = state.find_mut(name).filter(|m| m.listed);
        let model = model.ok_or_else(|| super::house::unknown(name))?;
        let facts = model.entry.facts.clone().map_err(|e| unusable(&e.to_string()))?;
        let decide = |needs| room::make(needs, free, &held, self.options.max_models);
        let most = held.iter().fold(free, |sum, h| sum.saturating_add(h.bytes));
        let mut plan = match &model.plan {
            Some(Ok(plan)) => *plan,
            // Its file was seen when less was free, or nobody looked yet.
            _ => self.plan(&facts, most).map_err(|e| unusable(&e.to_string()))?,
        };
        let mut room = decide(plan.needs_bytes(&facts.info));
        if let Room::Never { most } = room
            && let Ok(smaller) = self.plan(&facts, most)
        {
            // Less is free than when its file was first seen: a shorter context may do.
            plan = smaller;
            room = decide(plan.needs_bytes(&facts.info));
        }
        let options = EngineOptions {
            path: model.entry.offer.path.clone(),
            name: name.to_owned(),
            threads: self.options.threads,
            context_tokens: Some(plan.context_tokens),
            sequences: Some(plan.sequences),
            gpu_layers: self.options.gpu_layers,
            memory_limit_bytes: Some(free),
            chat_template: None,
            starter: model.entry.offer.starter,
        };
        model.plan = Some(Ok(plan));
        Ok((room, options))
    }

    /// Begins to load a model that fits.
    fn begin(&self, options: EngineOptions) {
        let name = options.name.clone();
        tracing::info!(model = %name, file = %options.path.display(), "loading the model");
        let before = memory::anonymous_bytes();
        let started = Engine::start_among(options, self.ids.clone(), self.among());
        let mut state = self.lock();
        match started {
            Ok(engine) => {
                let engine = Arc::new(engine);
                if let Some(model) = state.find_mut(&name) {
                    model.stage = Stage::Loading { engine, before };
                    model.outdated = false;
                }
            }
            Err(error) => {
                if let Some(model) = state.find_mut(&name) {
                    model.stage = Stage::Out;
                }
                self.fail(&mut state, &name, &error, false);
            }
        }
    }
}

/// Begins to take `name` out of memory.
fn unload(state: &mut State, name: &str) -> Option<Next> {
    let model = state.find_mut(name)?;
    match std::mem::replace(&mut model.stage, Stage::Leaves) {
        Stage::In(engine) => Some(Next::Unload(name.to_owned(), engine)),
        other => {
            model.stage = other;
            None
        }
    }
}

fn refuse(state: &mut State, want: u64, error: ProviderError) {
    if let Some(want) = state.wants.iter_mut().find(|w| w.id == want) {
        want.refused = Some(error);
    }
}

fn held(state: &State) -> Vec<Held> {
    let one = |model: &Model| {
        Some(Held {
            name: model.name().to_owned(),
            bytes: model.held_bytes()?,
            used: model.used,
            busy: state.is_busy(model),
        })
    };
    state.models.iter().filter_map(one).collect()
}

fn too_large(needs: u64, most: u64) -> String {
    format!(
        "it needs {} MiB of memory, and {} MiB are free with every other model unloaded",
        needs.div_ceil(MIB),
        most / MIB
    )
}

/// Bytes of a loaded model's weights that the machine counts as free although they are in use, because they are pages
/// of its file. What llama.cpp copied is counted as used anyway.
fn hidden(engine: &Engine, before: Option<u64>) -> u64 {
    let weights = engine.info().file_bytes;
    let grown = before.and_then(|before| Some(memory::anonymous_bytes()?.saturating_sub(before)));
    let copied = grown.map_or(0, |grown| grown.saturating_sub(engine.plan().context_bytes));
    weights.saturating_sub(copied)
}
