//! The engine inside this process: choosing its model, starting it, stopping it.

#[cfg(feature = "engine")]
use std::sync::{Arc, Mutex, PoisonError};

#[cfg(feature = "engine")]
use goblin_core::clock::Clock;
#[cfg(feature = "engine")]
use goblin_core::id::Ids;
use goblin_core::provider::ProviderHandle;
#[cfg(feature = "engine")]
use goblin_core::provider::{CountFn, DecideFn, ProviderError};
#[cfg(feature = "engine")]
use goblin_engine::{Engine, EngineError, EngineOptions};
#[cfg(feature = "engine")]
use goblin_store::data_dir::DataPaths;
#[cfg(feature = "engine")]
use goblin_store::model_files::{ModelFile, ModelFiles};

#[cfg(feature = "engine")]
use crate::config::Config;
use crate::wiring::Process;
#[cfg(feature = "engine")]
use crate::{machine, model_choice};

/// The engine, or why there is none.
pub(crate) struct Embedded {
    #[cfg(feature = "engine")]
    engine: Option<Arc<Current>>,
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
    /// Begins to load the model this machine should use, and the next one when that does not load. A model that
    /// cannot be loaded is reported, and the rest of goblin works without it.
    pub(crate) async fn start(process: &Process) -> Self {
        let config = Arc::clone(&process.config);
        let ids = process.ids.clone();
        let begun = tokio::task::spawn_blocking(move || {
            let mut loader = Loader::new(config, ids)?;
            Ok(loader.next().transpose()?.map(|engine| (engine, loader)))
        });
        let (engine, loader) = match begun.await {
            Ok(Ok(Some(begun))) => begun,
            Ok(Ok(None)) => return Self::none(),
            Ok(Err(problem)) => return Self::failed(problem),
            Err(_) => return Self::failed("its start was interrupted".to_owned()),
        };
        let current = Arc::new(Current::new(engine));
        let draining = process.draining.clone();
        let watched = watch(Arc::clone(&current), loader);
        process
            .tracker
            .spawn(async move { draining.run_until_cancelled(watched).await });
        Self {
            engine: Some(current),
            problem: None,
        }
    }

    /// The engine as a provider.
    pub(crate) fn handle(&self) -> Option<ProviderHandle> {
        self.engine.as_ref().map(handle)
    }

    /// Ends running answers and frees the memory.
    pub(crate) async fn stop(self) {
        if let Some(current) = self.engine {
            // A panic while stopping changes nothing: the process ends.
            let _ = tokio::task::spawn_blocking(move || current.engine().shutdown()).await;
        }
    }
}

/// The engine in use, and its handle; another one once its model did not load.
#[cfg(feature = "engine")]
struct Current(Mutex<(Arc<Engine>, Arc<ProviderHandle>)>);

#[cfg(feature = "engine")]
impl Current {
    fn new(engine: Arc<Engine>) -> Self {
        let handle = Arc::new(engine.handle());
        Self(Mutex::new((engine, handle)))
    }

    fn engine(&self) -> Arc<Engine> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner).0)
    }

    fn handle(&self) -> Arc<ProviderHandle> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner).1)
    }

    fn set(&self, engine: Arc<Engine>) {
        let handle = Arc::new(engine.handle());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (engine, handle);
    }
}

/// A provider that asks whichever engine is in use.
#[cfg(feature = "engine")]
fn handle(current: &Arc<Current>) -> ProviderHandle {
    let [for_chat, for_decide, for_count, for_status] = std::array::from_fn(|_| Arc::clone(current));
    let now = current.handle();
    let decide: DecideFn = Arc::new(move |request| match &for_decide.handle().decide {
        Some(decide) => decide(request),
        None => {
            let reason = "the model in use cannot answer typed questions".to_owned();
            Box::pin(async move { Err(ProviderError::Unavailable { reason }) })
        }
    });
    let count: CountFn = Arc::new(move |request| match &for_count.handle().count {
        Some(count) => count(request),
        None => {
            let reason = "the model in use cannot count".to_owned();
            Box::pin(async move { Err(ProviderError::Unavailable { reason }) })
        }
    });
    ProviderHandle {
        decide: now.decide.is_some().then_some(decide),
        count: now.count.is_some().then_some(count),
        ..ProviderHandle::new(
            goblin_engine::PROVIDER_ID,
            true,
            Arc::new(move |request| (for_chat.handle().chat)(request)),
            Arc::new(move || (for_status.handle().status)()),
        )
    }
}

/// Waits for the model to be in memory; loads the next one in place of one that does not get there.
#[cfg(feature = "engine")]
async fn watch(current: Arc<Current>, mut loader: Loader) {
    while let Err(error) = current.engine().ready().await {
        if error == EngineError::Stopped {
            return;
        }
        loader.failed(error.to_string());
        let next = tokio::task::spawn_blocking(move || (loader.next(), loader)).await;
        match next {
            Ok((Some(Ok(engine)), rest)) => {
                current.set(engine);
                loader = rest;
            }
            // The status goes on telling why the model before did not load.
            Ok((Some(Err(_)) | None, _)) | Err(_) => return,
        }
    }
}

/// Starts engines, the best model first.
#[cfg(feature = "engine")]
struct Loader {
    config: Arc<Config>,
    ids: Ids,
    rest: std::vec::IntoIter<ModelFile>,
    /// The model tried last.
    tried: Option<String>,
    /// Why it cannot be used.
    problem: Option<String>,
}

#[cfg(feature = "engine")]
impl Loader {
    /// Looks which models there are: none when the engine is switched off.
    fn new(config: Arc<Config>, ids: Ids) -> Result<Self, String> {
        let mut found = Vec::new();
        if config.engine.enabled {
            let files = ModelFiles::new(&DataPaths::new(&config.data_dir), Clock::System);
            let all = model_choice::list_models(&files).map_err(|e| e.to_string())?;
            found = model_choice::candidates(&all, &config, machine::memory_bytes());
            if let (true, Some(name)) = (found.is_empty(), &config.engine.model) {
                return Err(format!(
                    "there is no model `{name}`; `goblin models list` shows what is there"
                ));
            }
        }
        Ok(Self {
            config,
            ids,
            rest: found.into_iter(),
            tried: None,
            problem: None,
        })
    }

    /// The model tried last cannot be used.
    fn failed(&mut self, problem: String) {
        self.problem = Some(problem);
    }

    /// Begins to load the next model that can be used. `None`: there are no models. The error is why the last one
    /// cannot be used.
    fn next(&mut self) -> Option<Result<Arc<Engine>, String>> {
        while let Some(model) = self.rest.next() {
            if let (Some(tried), Some(problem)) = (self.tried.take(), &self.problem) {
                tracing::warn!(model = tried, %problem, instead = model.name, "the model cannot be used; trying another");
            }
            self.tried = Some(model.name.clone());
            match self.load(&model) {
                Ok(engine) => return Some(Ok(Arc::new(engine))),
                Err(error) => self.failed(error.to_string()),
            }
        }
        self.problem.clone().map(Err)
    }

    fn load(&self, model: &ModelFile) -> Result<Engine, EngineError> {
        let settings = &self.config.engine;
        let options = EngineOptions {
            path: model.path.clone(),
            name: model.name.clone(),
            threads: settings.threads,
            context_tokens: settings.context_tokens,
            sequences: Some(settings.sequences),
            gpu_layers: settings.gpu_layers,
            starter: model_choice::is_starter(model),
            ..EngineOptions::default()
        };
        tracing::info!(model = %options.name, file = %options.path.display(), "loading the model");
        Engine::start(options, self.ids.clone())
    }
}

#[cfg(all(test, feature = "engine"))]
mod tests {
    use super::*;
    use crate::config::{Environment, Request, load};

    #[test]
    fn models_that_cannot_be_used_are_passed_over_one_by_one_and_the_last_reason_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let models = dir.path().join("models");
        std::fs::create_dir_all(&models).unwrap();
        for (name, bytes) in [("page.gguf", "<html>404</html>"), ("cut.gguf", "GGUF")] {
            std::fs::write(models.join(name), bytes).unwrap();
        }
        let data_dir = dir.path().to_string_lossy().into_owned();
        let request = Request {
            flags: vec![("data.dir".to_owned(), data_dir, "--set".to_owned())],
            ..Request::default()
        };
        let config = load(&Environment::of(&[("HOME", "/h")]), &request)
            .unwrap()
            .config;
        let mut loader = Loader::new(Arc::new(config), Ids::counting()).unwrap();
        assert_eq!(loader.rest.len(), 2);
        let Some(Err(problem)) = loader.next() else {
            panic!("one was loaded")
        };
        assert!(problem.contains("model file"), "{problem}");
        assert_eq!((loader.rest.len(), loader.tried.as_deref()), (0, Some("cut")));
    }
}
