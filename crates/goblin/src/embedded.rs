//! The engine inside this process: choosing its model, starting it, stopping it.

use goblin_core::provider::ProviderHandle;

#[cfg(feature = "engine")]
use crate::config::Config;
use crate::wiring::Process;

/// The engine, or why there is none.
pub(crate) struct Embedded {
    #[cfg(feature = "engine")]
    engine: Option<std::sync::Arc<goblin_engine::Engine>>,
    problem: Option<String>,
}

impl Embedded {
    /// Without an engine.
    pub(crate) fn none() -> Self {
        Self {
            #[cfg(feature = "engine")]
            engine: None,
            problem: None,
        }
    }

    /// Why a model that is there was not loaded.
    pub(crate) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    #[cfg(feature = "engine")]
    fn failed(problem: String) -> Self {
        tracing::error!(%problem, "the engine did not start");
        Self {
            engine: None,
            problem: Some(problem),
        }
    }
}

#[cfg(not(feature = "engine"))]
impl Embedded {
    /// This build has no engine.
    #[allow(clippy::unused_async, reason = "the same shape as with the engine")]
    pub(crate) async fn start(_: &Process) -> Self {
        Self::none()
    }

    /// None.
    pub(crate) fn handle(&self) -> Option<ProviderHandle> {
        None
    }

    /// Nothing to stop.
    #[allow(clippy::unused_async, reason = "the same shape as with the engine")]
    pub(crate) async fn stop(self) {}
}

#[cfg(feature = "engine")]
impl Embedded {
    /// Begins to load the model this machine should use. A model that cannot be loaded is reported, and the rest
    /// of goblin works without it.
    pub(crate) async fn start(process: &Process) -> Self {
        let config = std::sync::Arc::clone(&process.config);
        let ids = process.ids.clone();
        let started = tokio::task::spawn_blocking(move || begin(&config, ids)).await;
        let engine = match started {
            Ok(Ok(Some(engine))) => std::sync::Arc::new(engine),
            Ok(Ok(None)) => return Self::none(),
            Ok(Err(problem)) => return Self::failed(problem),
            Err(_) => return Self::failed("its start was interrupted".to_owned()),
        };
        Self {
            engine: Some(engine),
            problem: None,
        }
    }

    /// The engine as a provider.
    pub(crate) fn handle(&self) -> Option<ProviderHandle> {
        self.engine.as_ref().map(|engine| engine.handle())
    }

    /// Ends running answers and frees the memory.
    pub(crate) async fn stop(self) {
        if let Some(engine) = self.engine {
            // A panic while stopping changes nothing: the process ends.
            let _ = tokio::task::spawn_blocking(move || engine.shutdown()).await;
        }
    }
}

/// Chooses and starts. `None`: no model is there, or the engine is switched off.
#[cfg(feature = "engine")]
fn begin(config: &Config, ids: goblin_core::id::Ids) -> Result<Option<goblin_engine::Engine>, String> {
    use goblin_core::clock::Clock;
    use goblin_store::data_dir::DataPaths;
    use goblin_store::model_files::ModelFiles;

    use crate::{machine, model_choice};

    if !config.engine.enabled {
        return Ok(None);
    }
    let files = ModelFiles::new(&DataPaths::new(&config.data_dir), Clock::System);
    let all = model_choice::list_models(&files).map_err(|e| e.to_string())?;
    let Some(model) = model_choice::choose(&all, config, machine::memory_bytes()) else {
        return match &config.engine.model {
            Some(name) => Err(format!(
                "there is no model `{name}`; `goblin models list` shows what is there"
            )),
            None => Ok(None),
        };
    };
    let starter = model_choice::is_starter(&model);
    let options = goblin_engine::EngineOptions {
        path: model.path.clone(),
        name: model.name.clone(),
        threads: config.engine.threads,
        context_tokens: config.engine.context_tokens,
        sequences: Some(config.engine.sequences),
        gpu_layers: config.engine.gpu_layers,
        starter,
        ..goblin_engine::EngineOptions::default()
    };
    tracing::info!(model = %options.name, file = %options.path.display(), "loading the model");
    let engine = goblin_engine::Engine::start(options, ids, |_| {}).map_err(|e| e.to_string())?;
    Ok(Some(engine))
}
