//! The models of this machine as one provider: all are on offer, those in memory are the ones that were asked for last
//! and fit.
//!
//! A request for a model that is not in memory waits until it is, at most [`LOAD_WAIT`] once its load has begun; all
//! who wait share one load. To make room, models that are idle leave, the one used longest ago first. A model that is
//! answering never leaves. When only busy ones could make room, the request waits for at most [`ROOM_WAIT`]; after
//! [`SWAP_AFTER`] those models begin no new answers until it has had its turn, so that nobody is starved and nothing is
//! swapped more often than that. A model that fits nowhere is refused with both numbers.
//!
//! Changes are made by one thread, the keeper. Dropping a [`Resident`] stops everything.

mod catalogue;
mod described;
mod house;
mod keeper;
mod lease;
mod room;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use goblin_core::admission::desk;
use goblin_core::chat::{ChatRequest, KeepAlive};
use goblin_core::clock::Clock;
use goblin_core::decide::{DecideRequest, DecideResponse};
use goblin_core::embed::{EmbedRequest, EmbedResponse};
use goblin_core::id::Ids;
use goblin_core::manage::{Action, Outcome};
use goblin_core::provider::{ChatStream, ProviderError, ProviderHandle, ProviderStatus, TokenCount};

use crate::handle::{answers, chat, count, decide_request, decides, embed_request, embeds, stopped};
use crate::options::{self, EngineError};
use crate::{PROVIDER_ID, prepare};
use house::{House, Stage};
use lease::{Answer, acquire};

pub use catalogue::{ListModels, OnOffer};

/// The list of models is read again when it is this old.
pub const READ_AGAIN: Duration = Duration::from_secs(2);
/// A model that could not be loaded is tried again after this.
pub const TRY_AGAIN: Duration = Duration::from_secs(30);
/// Longest wait for busy models to make room.
pub const ROOM_WAIT: Duration = Duration::from_secs(60);
/// Longest wait for a model that is being loaded.
pub const LOAD_WAIT: Duration = Duration::from_secs(600);
/// After such a wait the models that must make room begin no new answers.
pub const SWAP_AFTER: Duration = desk::SWAP_AFTER;

/// How models are run.
#[derive(Clone, Debug)]
pub struct ResidentOptions {
    /// Threads of a step; models take turns. `None`: [`crate::threads::default_threads`].
    pub threads: Option<u32>,
    /// Tokens of context of each answer, less where a model was trained for less. `None`: see
    /// [`crate::EngineOptions::context_tokens`].
    pub context_tokens: Option<u32>,
    /// Answers generated at once on each model. `None`: [`crate::DEFAULT_SEQUENCES`].
    pub sequences: Option<u32>,
    /// Layers computed on the GPU. `None`: as many as llama.cpp likes to.
    pub gpu_layers: Option<u32>,
    /// Most memory for all models, in bytes. `None`: what is free when one is loaded, but for a reserve.
    pub memory_bytes: Option<u64>,
    /// Most models in memory.
    pub max_models: usize,
    /// For so long an idle model stays in memory, except the default one. `None`: for ever.
    pub idle_unload: Option<Duration>,
    /// Tells when a model has been idle for long.
    pub clock: Clock,
}

/// All models of this machine, and the thread that keeps them.
pub struct Resident {
    house: Arc<House>,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

impl Resident {
    /// Reads the list of models; loads nothing yet. Blocks on the disk.
    ///
    /// # Errors
    /// [`EngineError::CpuTooOld`]; [`EngineError::Load`] without a thread. A list that cannot be read, or a file that
    /// cannot be used, is none: the status tells.
    pub fn open(options: ResidentOptions, list: ListModels, ids: Ids) -> Result<Self, EngineError> {
        options::check_cpu()?;
        let house = House::open(options, list, ids);
        let kept = Arc::clone(&house);
        let keeper = std::thread::Builder::new()
            .name("goblin-models".to_owned())
            .spawn(move || keeper::keep(&kept))
            .map_err(|e| EngineError::Load(format!("no thread could be started: {e}")))?;
        Ok(Self {
            house,
            keeper: Mutex::new(Some(keeper)),
        })
    }

    /// Brings the first of `candidates` that can be loaded into memory, where it stays however long it is idle. One that
    /// makes embeddings is passed over, unless it is the only one. Until
    /// the returned future has ended, the status says that the engine is starting; without it, it is not.
    pub fn bring_up(&self, candidates: Vec<String>) -> impl Future<Output = ()> + Send + use<> {
        let house = Arc::clone(&self.house);
        {
            let now = house.now();
            let mut state = house.lock();
            let can = |name: &&String| state.find(name).is_some_and(|m| m.problem(now).is_none());
            let first = candidates.iter().find(can).cloned();
            state.starting = first;
            state.problem = candidates
                .iter()
                .rev()
                .find_map(|name| state.find(name)?.problem(now));
        }
        async move {
            let up = first_up(&house, candidates).await;
            let mut state = house.lock();
            (state.starting, state.default) = (None, up);
            drop(state);
            house.signal.raise();
        }
    }

    /// All models as a provider, under the id [`crate::PROVIDER_ID`]: chat, embed, decide, count, status, and of
    /// [`Action`] what brings models into memory, takes them out and describes them.
    pub fn handle(&self) -> ProviderHandle {
        handle(&self.house)
    }

    /// Stops: running answers end with [`ProviderError::Interrupted`], the memory is freed. Blocks until all threads
    /// have ended.
    pub fn shutdown(&self) {
        self.signal_stop();
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(keeper) = keeper
            && keeper.join().is_err()
        {
            tracing::error!("the thread that keeps the models had panicked");
        }
    }

    fn signal_stop(&self) {
        self.house.lock().stopping = true;
        self.house.signal.raise();
        self.house.tell();
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        self.signal_stop();
    }
}

/// Loads one after the other until one is in memory.
async fn first_up(house: &Arc<House>, candidates: Vec<String>) -> Option<String> {
    let mut problem: Option<(String, String)> = None;
    let several = candidates.len() > 1;
    for name in candidates {
        if several && house.facts(&name).is_ok_and(|facts| facts.info.embeds()) {
            continue;
        }
        if let Some((tried, problem)) = problem.take() {
            tracing::warn!(model = tried, %problem, instead = name, "the model cannot be used; trying another");
        }
        house.lock().starting = Some(name.clone());
        let why = match load(house, &name, None).await {
            Ok(()) => return Some(name),
            Err(_) if house.lock().stopping => return None,
            Err(ProviderError::Unavailable { reason }) => reason,
            Err(error) => error.to_string(),
        };
        house.lock().problem = Some(why.clone());
        problem = Some((name, why));
    }
    if let Some((model, problem)) = problem {
        tracing::error!(model, %problem, "the engine starts without a model");
    }
    None
}

async fn load(house: &Arc<House>, name: &str, keep: Option<KeepAlive>) -> Result<(), ProviderError> {
    house.forgive(name);
    acquire(house, name, keep).await.map(drop)
}

fn handle(house: &Arc<House>) -> ProviderHandle {
    let [for_chat, for_embed, for_decide, for_count, for_manage, for_status] =
        std::array::from_fn(|_| Arc::clone(house));
    ProviderHandle {
        embed: Some(Arc::new(move |request| {
            Box::pin(embed_with(Arc::clone(&for_embed), request))
        })),
        decide: Some(Arc::new(move |request| {
            Box::pin(decide_with(Arc::clone(&for_decide), request))
        })),
        count: Some(Arc::new(move |request| {
            Box::pin(count_with(Arc::clone(&for_count), request))
        })),
        manage: Some(Arc::new(move |action| {
            Box::pin(manage(Arc::clone(&for_manage), action))
        })),
        ..ProviderHandle::new(
            PROVIDER_ID,
            true,
            Arc::new(move |request| Box::pin(chat_with(Arc::clone(&for_chat), request))),
            Arc::new(move || Box::pin(status(Arc::clone(&for_status)))),
        )
    }
}

async fn chat_with(house: Arc<House>, request: ChatRequest) -> Result<ChatStream, ProviderError> {
    answers(&known(&house, &request.model).await?.info, &request.model)?;
    let lease = acquire(&house, &request.model, request.keep_alive).await?;
    let stream = chat(lease.shared(), request).await?;
    Ok(Box::pin(Answer::new(stream, lease)))
}

async fn embed_with(house: Arc<House>, request: EmbedRequest) -> Result<EmbedResponse, ProviderError> {
    embeds(&known(&house, &request.model).await?.info, &request.model)?;
    let lease = acquire(&house, &request.model, request.keep_alive).await?;
    embed_request(lease.shared(), request).await
}

async fn decide_with(house: Arc<House>, request: DecideRequest) -> Result<DecideResponse, ProviderError> {
    let facts = known(&house, &request.model).await?;
    answers(&facts.info, &request.model)?;
    decides(facts.info.rewinds, &request.model)?;
    let lease = acquire(&house, &request.model, request.keep_alive).await?;
    decide_request(lease.shared(), request).await
}

/// Counts where the model is in memory; nobody is loaded for a number.
async fn count_with(house: Arc<House>, request: ChatRequest) -> Result<TokenCount, ProviderError> {
    let engine = {
        let state = house.lock();
        state.find(&request.model).and_then(|m| match &m.stage {
            Stage::In(engine) => Some(Arc::clone(engine)),
            _ => None,
        })
    };
    let engine = engine.ok_or_else(|| house::unusable("the model is not in memory, so it cannot count"))?;
    count(Arc::clone(engine.shared()), request).await
}

async fn status(house: Arc<House>) -> ProviderStatus {
    if house.must_read() {
        read_list(&house).await;
    }
    house.status()
}

/// What the model's file says; the list is read again for a model that is not in it.
async fn known(house: &Arc<House>, name: &str) -> Result<Arc<catalogue::Facts>, ProviderError> {
    match house.facts(name) {
        Err(ProviderError::ModelNotFound { .. }) => {
            read_list(house).await;
            house.facts(name)
        }
        other => other,
    }
}

async fn read_list(house: &Arc<House>) {
    let house = Arc::clone(house);
    if tokio::task::spawn_blocking(move || house.read_list())
        .await
        .is_err()
    {
        tracing::error!("reading the list of models failed");
    }
}

async fn manage(house: Arc<House>, action: Action) -> Result<Outcome, ProviderError> {
    let refused = |instead: &str| {
        Err(prepare::rejected(
            "model",
            format!("The models inside this program are not changed from here. {instead}"),
        ))
    };
    match action {
        Action::Show { model, .. } => {
            let _on_offer = known(&house, &model).await;
            house.describe(&model).map(Outcome::Described)
        }
        Action::Load { model, keep_alive } => {
            known(&house, &model).await?;
            load(&house, &model, keep_alive).await.map(|()| Outcome::Done)
        }
        Action::Unload { model } => unload(&house, &model).await.map(|()| Outcome::Done),
        Action::Pull { .. } => refused("On its machine: `goblin models pull NAME`."),
        Action::Delete { .. } => refused("On its machine: `goblin models rm NAME`."),
        Action::Copy { .. } => refused("On its machine: `goblin models add FILE --name NAME`."),
        Action::Push { .. } | Action::Create { .. } | Action::HasBlob { .. } | Action::PutBlob { .. } => {
            refused("An Ollama can make models.")
        }
    }
}

/// Takes a model out of memory: at once when it is idle, else after its answers.
async fn unload(house: &Arc<House>, name: &str) -> Result<(), ProviderError> {
    let mut changed = house.changes();
    if !house.dismiss(name)? {
        return Ok(());
    }
    let is_leaving = || {
        let state = house.lock();
        if state.stopping {
            return Err(stopped());
        }
        let model = state.find(name);
        let waits = |m: &house::Model| match m.stage {
            Stage::Out => false,
            Stage::Leaves => true,
            _ => m.leaves && !state.is_busy(m),
        };
        Ok(model.is_some_and(waits))
    };
    while is_leaving()? {
        if changed.changed().await.is_err() {
            break;
        }
    }
    Ok(())
}
