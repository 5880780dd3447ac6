//! Starting, holding and stopping the engine.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

use goblin_core::id::Ids;
use goblin_core::provider::ProviderHandle;
use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::{LlamaContextParams, LlamaPoolingType};
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::{LogOptions, send_logs_to_tracing};
use tokio::sync::{Semaphore, watch};

use crate::counters::{Counting, EngineCounters};
use crate::decide::BRANCHES;
use crate::embed::Embedder;
use crate::gguf::{self, GgufInfo, Pooling};
use crate::handle::{self, Job};
use crate::options::{self, EMBED_TEXTS, EngineError, EngineOptions, EnginePlan, UBATCH};
use crate::template::{ChatTemplate, TemplateError};
use crate::turnstile::Turnstile;
use crate::vocabulary::{ControlTexts, push_piece};
use crate::worker::{self, Worker};

/// Requests to the decider that may wait.
const DECIDE_PLACES: usize = 32;
/// Tokens in one call of decode (llama.cpp's `n_batch`); it cuts them into pieces of [`UBATCH`].
pub(crate) const BATCH: u32 = 2048;

/// One model, loaded or on its way, and the thread that runs it.
pub struct Engine {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What llama.cpp reports about this machine and its own build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemInfo {
    /// The C++ uses AVX2.
    pub avx2: bool,
    /// The C++ uses FMA.
    pub fma: bool,
    /// The C++ uses F16C.
    pub f16c: bool,
    /// The C++ uses AVX-512.
    pub avx512: bool,
    /// The C++ uses NEON.
    pub neon: bool,
}

/// What the engine and its handles share.
pub(crate) struct Shared {
    pub(crate) options: EngineOptions,
    pub(crate) info: GgufInfo,
    pub(crate) plan: EnginePlan,
    pub(crate) ids: Ids,
    pub(crate) state: watch::Sender<State>,
    pub(crate) jobs: SyncSender<Job>,
    /// Free sequences.
    pub(crate) chat_places: Arc<Semaphore>,
    pub(crate) decide_places: Arc<Semaphore>,
    pub(crate) counting: Counting,
    pub(crate) stopping: AtomicBool,
    pub(crate) among: Among,
}

/// What an engine has in common with others in the process.
#[derive(Clone, Default)]
pub(crate) struct Among {
    /// Whose turn it is to compute.
    pub(crate) turnstile: Arc<Turnstile>,
    /// Called when the model is in memory, and when its thread ends.
    pub(crate) settled: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl Shared {
    pub(crate) fn turnstile(&self) -> &Turnstile {
        &self.among.turnstile
    }

    fn settle(&self, state: State) {
        self.state.send_replace(state);
        if let Some(settled) = &self.among.settled {
            settled();
        }
    }
}

/// How far the engine is.
#[derive(Clone)]
pub(crate) enum State {
    /// 0–1.
    Loading(f32),
    Ready(Arc<Loaded>),
    Failed(EngineError),
}

/// A model in memory.
pub(crate) struct Loaded {
    pub(crate) name: String,
    pub(crate) model: Arc<LlamaModel>,
    pub(crate) template: ChatTemplate,
    pub(crate) controls: ControlTexts,
    pub(crate) plan: EnginePlan,
    /// Tokens in the vocabulary.
    pub(crate) vocabulary: u32,
    /// Can the model go back to a shorter text? Recurrent ones keep one state for all of it.
    pub(crate) rewinds: bool,
}

impl Engine {
    /// Checks the CPU, the file, the options and the memory, then begins to load the model on a thread of
    /// its own. The handle's status tells how far it is.
    ///
    /// # Errors
    /// What can be known before loading: [`EngineError::CpuTooOld`], [`EngineError::Gguf`],
    /// [`EngineError::Template`], [`EngineError::Option`], [`EngineError::OutOfMemory`]. What happens later is told by
    /// [`Engine::ready`] and the handle's status.
    pub fn start(options: EngineOptions, ids: Ids) -> Result<Self, EngineError> {
        Self::start_among(options, ids, Among::default())
    }

    /// [`Self::start`], beside other engines.
    pub(crate) fn start_among(options: EngineOptions, ids: Ids, among: Among) -> Result<Self, EngineError> {
        options::check_cpu()?;
        let info = usable(&options.path, options.chat_template.as_deref())?;
        let plan = options::plan(&options, &info)?;
        let places = plan.sequences as usize;
        let (jobs, work) = sync_channel(places + DECIDE_PLACES + 2);
        let shared = Arc::new(Shared {
            options,
            info,
            plan,
            ids,
            state: watch::Sender::new(State::Loading(0.0)),
            jobs,
            chat_places: Arc::new(Semaphore::new(places)),
            decide_places: Arc::new(Semaphore::new(DECIDE_PLACES)),
            counting: Counting::default(),
            stopping: AtomicBool::new(false),
            among,
        });
        let for_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("goblin-engine".to_owned())
            .spawn(move || run(&for_thread, &work))
            .map_err(|e| EngineError::Load(format!("no thread could be started: {e}")))?;
        Ok(Self {
            shared,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Waits until the model is in memory.
    ///
    /// # Errors
    /// Why it is not, and will not be.
    pub async fn ready(&self) -> Result<(), EngineError> {
        let mut state = self.shared.state.subscribe();
        let reached = state.wait_for(|s| !matches!(s, State::Loading(_))).await;
        match reached.as_deref() {
            Ok(State::Failed(error)) => Err(error.clone()),
            Ok(State::Ready(_) | State::Loading(_)) => Ok(()),
            Err(_) => Err(EngineError::Stopped),
        }
    }

    /// The engine as a provider: chat, decide, count and status, under the id [`crate::PROVIDER_ID`].
    pub fn handle(&self) -> ProviderHandle {
        handle::handle(&self.shared)
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// How far it is; what it can answer with, once it is there.
    pub(crate) fn state(&self) -> State {
        self.shared.state.borrow().clone()
    }

    /// Work done since the start.
    pub fn counters(&self) -> EngineCounters {
        self.shared.counting.read()
    }

    /// Threads, sequences and context in use.
    pub fn plan(&self) -> EnginePlan {
        self.shared.plan
    }

    /// What the model's file says about it.
    pub fn info(&self) -> &GgufInfo {
        &self.shared.info
    }

    /// Stops: running answers end with [`goblin_core::provider::ProviderError::Interrupted`], the memory is
    /// freed. Blocks until the decode thread has ended, one decode step at most (or one moment of loading);
    /// a runtime calls it on a blocking thread.
    pub fn shutdown(&self) {
        self.signal_stop();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the engine's thread had panicked");
        }
    }

    /// Tells the thread to stop, without waiting for it.
    pub(crate) fn signal_stop(&self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // When the channel is full the thread is awake anyway.
        let _ = self.shared.jobs.try_send(Job::Wake);
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.signal_stop();
    }
}

impl SystemInfo {
    /// Asks llama.cpp.
    ///
    /// # Errors
    /// [`EngineError::CpuTooOld`] where its code must not even be called.
    pub fn read() -> Result<Self, EngineError> {
        options::check_cpu()?;
        #[allow(unsafe_code, reason = "llama-cpp-2 has no safe form of these questions")]
        // SAFETY: these functions take nothing, change nothing and return a constant.
        let of = |ask: unsafe extern "C" fn() -> std::os::raw::c_int| unsafe { ask() != 0 };
        Ok(Self {
            avx2: of(llama_cpp_sys_2::ggml_cpu_has_avx2),
            fma: of(llama_cpp_sys_2::ggml_cpu_has_fma),
            f16c: of(llama_cpp_sys_2::ggml_cpu_has_f16c),
            avx512: of(llama_cpp_sys_2::ggml_cpu_has_avx512),
            neon: of(llama_cpp_sys_2::ggml_cpu_has_neon),
        })
    }
}

/// Checks, without llama.cpp, that the file at `path` is a model that can answer or make vectors of texts: its header,
/// its architecture, its tokenizer and its chat template (or `chat_template` in its place).
///
/// # Errors
/// [`EngineError::Gguf`] or [`EngineError::Template`].
pub fn usable(path: &Path, chat_template: Option<&str>) -> Result<GgufInfo, EngineError> {
    let info = gguf::inspect(path)?;
    info.check_usable()?;
    described_template(&info, chat_template)?;
    Ok(info)
}

/// The model's chat template, as far as it can be known without the model. One that makes vectors needs none.
pub(crate) fn described_template(
    info: &GgufInfo,
    instead: Option<&str>,
) -> Result<ChatTemplate, EngineError> {
    let source = instead.or(info.chat_template.as_deref());
    ChatTemplate::new(source.filter(|_| !info.embeds()), "", "", "").map_err(broken)
}

fn broken(error: TemplateError) -> EngineError {
    match error {
        TemplateError::Broken(why) | TemplateError::Refused(why) => EngineError::Template(why),
    }
}

/// The life of the engine's thread.
fn run(shared: &Arc<Shared>, work: &Receiver<Job>) {
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| serve(shared, work)));
    let error = match outcome {
        Ok(Ok(())) => EngineError::Stopped,
        Ok(Err(error)) => error,
        Err(_) => EngineError::Load("the engine's thread panicked".to_owned()),
    };
    if error != EngineError::Stopped {
        tracing::error!(%error, "the engine ended");
    }
    shared.settle(State::Failed(error));
}

/// Loads, then works until told to stop.
fn serve(shared: &Arc<Shared>, work: &Receiver<Job>) -> Result<(), EngineError> {
    let backend = backend()?;
    let model = Arc::new(load_model(backend, shared)?);
    let context = new_context(backend, &model, shared)?;
    let template = template(shared, &model)?;
    let loaded = Arc::new(Loaded {
        name: shared.options.name.clone(),
        controls: ControlTexts::of(&model),
        vocabulary: u32::try_from(model.n_vocab()).unwrap_or(0),
        plan: shared.plan,
        rewinds: shared.info.rewinds && !shared.info.embeds() && !model.is_recurrent() && !model.is_hybrid(),
        template,
        model: Arc::clone(&model),
    });
    shared.settle(State::Ready(Arc::clone(&loaded)));
    tracing::info!(
        model = shared.options.name,
        threads = shared.plan.threads,
        sequences = shared.plan.sequences,
        context_tokens = shared.plan.context_tokens,
        context_bytes = shared.plan.context_bytes,
        "the engine is ready"
    );
    if shared.info.embeds() {
        Embedder::new(shared, context).run(work);
    } else {
        Worker::new(shared, &loaded, context).run(work);
    }
    Ok(())
}

/// llama.cpp is initialised once per process, with its log sent to `tracing`.
fn backend() -> Result<&'static LlamaBackend, EngineError> {
    static BACKEND: OnceLock<Result<LlamaBackend, String>> = OnceLock::new();
    let made = BACKEND.get_or_init(|| {
        send_logs_to_tracing(LogOptions::default());
        LlamaBackend::init().map_err(|e| e.to_string())
    });
    made.as_ref().map_err(|e| EngineError::Load(e.clone()))
}

fn load_model(backend: &LlamaBackend, shared: &Arc<Shared>) -> Result<LlamaModel, EngineError> {
    let for_callback = Arc::clone(shared);
    let mut params = LlamaModelParams::default()
        .with_use_mmap(true)
        .with_progress_callback(move |done| {
            for_callback
                .state
                .send_replace(State::Loading(done.clamp(0.0, 1.0)));
            !for_callback.stopping.load(Ordering::SeqCst)
        });
    if let Some(layers) = shared.options.gpu_layers {
        params = params.with_n_gpu_layers(layers);
    }
    let loaded = LlamaModel::load_from_file(backend, &shared.options.path, &params);
    if shared.stopping.load(Ordering::SeqCst) {
        return Err(EngineError::Stopped);
    }
    loaded.map_err(|_| {
        let architecture = &shared.info.architecture;
        EngineError::Load(format!(
            "it refused the file (architecture {architecture}); its log says why"
        ))
    })
}

fn new_context<'m>(
    backend: &LlamaBackend,
    model: &'m LlamaModel,
    shared: &Shared,
) -> Result<LlamaContext<'m>, EngineError> {
    let plan = &shared.plan;
    let threads = i32::try_from(plan.threads).unwrap_or(1);
    let params = LlamaContextParams::default()
        .with_n_ctx(NonZeroU32::new(plan.total_cells))
        .with_n_threads(threads)
        .with_n_threads_batch(threads)
        // One pool of cells for all sequences: a shared prefix exists once.
        .with_kv_unified(true)
        // Sliding windows are kept whole, because a prefix cut short could not be reused.
        .with_swa_full(true);
    let params = match shared.info.pooling {
        None => params
            .with_n_batch(BATCH)
            .with_n_ubatch(UBATCH)
            .with_n_seq_max(worker::sequence_count(plan.sequences, BRANCHES)),
        // A vector is made of a whole text, so a step is computed in one piece.
        Some(pooling) => params
            .with_n_batch(plan.total_cells)
            .with_n_ubatch(plan.total_cells)
            .with_n_seq_max(EMBED_TEXTS)
            .with_embeddings(true)
            .with_pooling_type(match pooling {
                Pooling::Mean => LlamaPoolingType::Mean,
                Pooling::First => LlamaPoolingType::Cls,
                Pooling::Last => LlamaPoolingType::Last,
            }),
    };
    model
        .new_context(backend, params)
        .map_err(|_| EngineError::Load("the context could not be made; llama.cpp's log says why".to_owned()))
}

fn template(shared: &Shared, model: &LlamaModel) -> Result<ChatTemplate, EngineError> {
    let source = shared
        .options
        .chat_template
        .as_deref()
        .or(shared.info.chat_template.as_deref())
        .filter(|_| !shared.info.embeds());
    let text_of = |token: llama_cpp_2::token::LlamaToken| {
        let mut bytes = Vec::new();
        if (0..model.n_vocab()).contains(&token.0) {
            push_piece(model, token.0, true, &mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let vocab = model.vocab();
    let (bos, eos) = (text_of(vocab.bos()), text_of(vocab.eos()));
    // Where the tokenizer adds no token at the beginning, the template's own must stay.
    let bos_to_strip = if vocab.should_add_bos() { bos.as_str() } else { "" };
    ChatTemplate::new(source, &bos, bos_to_strip, &eos).map_err(broken)
}
