//! The engine inside this process: which models it is given, starting it, stopping it.

#[cfg(feature = "engine")]
use std::sync::Arc;

#[cfg(feature = "engine")]
use goblin_core::clock::Clock;
#[cfg(feature = "engine")]
use goblin_core::id::Ids;
use goblin_core::provider::ProviderHandle;
#[cfg(feature = "engine")]
use goblin_engine::{ListModels, OnOffer, Resident, ResidentOptions};
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
    engine: Option<Arc<Resident>>,
    has_models: bool,
    problem: Option<String>,
}

impl Embedded {
    /// Without an engine.
    pub(crate) fn none() -> Self {
        Self {
            #[cfg(feature = "engine")]
            engine: None,
            has_models: false,
            problem: None,
        }
    }

    /// Why there is no engine, when there should be one.
    pub(crate) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Did it find models, or a reason why it is not there? Models that come later are on offer too.
    pub(crate) fn has_something(&self) -> bool {
        self.has_models || self.problem.is_some()
    }

    #[cfg(feature = "engine")]
    fn failed(problem: String) -> Self {
        tracing::error!(%problem, "the engine did not start");
        Self {
            engine: None,
            has_models: false,
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
    /// Offers every model of this machine, and begins to load the one it should use; the next one when that does not
    /// load. A model that cannot be loaded is reported, and the rest of goblin works without it.
    pub(crate) async fn start(process: &Process) -> Self {
        if !process.config.engine.enabled {
            return Self::none();
        }
        let (config, clock, ids) = (
            Arc::clone(&process.config),
            process.clock.clone(),
            process.ids.clone(),
        );
        let opened = tokio::task::spawn_blocking(move || open(&config, clock, ids)).await;
        let (engine, candidates) = match opened {
            Ok(Ok(opened)) => opened,
            Ok(Err(problem)) => return Self::failed(problem),
            Err(_) => return Self::failed("its start was interrupted".to_owned()),
        };
        let has_models = !candidates.is_empty();
        let draining = process.draining.clone();
        let up = engine.bring_up(candidates);
        process
            .tracker
            .spawn(async move { draining.run_until_cancelled(up).await });
        Self {
            engine: Some(Arc::new(engine)),
            has_models,
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

/// The engine with every model of this machine, and those it may load first, the best one first.
#[cfg(feature = "engine")]
fn open(config: &Arc<Config>, clock: Clock, ids: Ids) -> Result<(Resident, Vec<String>), String> {
    let files = ModelFiles::new(&DataPaths::new(&config.data_dir), clock.clone());
    let all = model_choice::list_models(&files).map_err(|e| e.to_string())?;
    let candidates = model_choice::candidates(&all, config, machine::memory_bytes());
    if let (true, Some(name)) = (candidates.is_empty(), &config.engine.model) {
        return Err(format!(
            "there is no model `{name}`; `goblin models list` shows what is there"
        ));
    }
    let settings = &config.engine;
    let options = ResidentOptions {
        threads: settings.threads,
        context_tokens: settings.context_tokens,
        sequences: Some(settings.sequences),
        gpu_layers: settings.gpu_layers,
        memory_bytes: settings.memory_bytes,
        max_models: settings.max_models,
        idle_unload: settings.idle_unload,
        clock,
    };
    let engine = Resident::open(options, on_offer(files, Arc::clone(config)), ids);
    let engine = engine.map_err(|e| e.to_string())?;
    Ok((engine, candidates.into_iter().map(|m| m.name).collect()))
}

/// What `goblin models list` shows, and the file the configuration names by its path.
#[cfg(feature = "engine")]
fn on_offer(files: ModelFiles, config: Arc<Config>) -> ListModels {
    let offer = |model: ModelFile| OnOffer {
        starter: model_choice::is_starter(&model),
        name: model.name,
        path: model.path,
        digest: model.sha256,
    };
    Arc::new(move || {
        let all = model_choice::list_models(&files).map_err(|e| e.to_string())?;
        let named = model_choice::configured(&all, &config);
        let others = all
            .into_iter()
            .filter(|m| m.size_bytes.is_some() && named.as_ref().is_none_or(|n| n.name != m.name));
        let others: Vec<ModelFile> = others.collect();
        Ok(named.into_iter().chain(others).map(offer).collect())
    })
}

#[cfg(all(test, feature = "engine"))]
mod tests {
    use goblin_core::model::ModelState;
    use goblin_core::provider::Health;

    use super::*;
    use crate::config::{Environment, Request, load};

    fn config(dir: &std::path::Path, more: &[(&str, &str)]) -> Arc<Config> {
        let data_dir = dir.to_string_lossy().into_owned();
        let flag = |key: &str, value: &str| (key.to_owned(), value.to_owned(), "--set".to_owned());
        let mut flags = vec![flag("data.dir", &data_dir)];
        flags.extend(more.iter().map(|(key, value)| flag(key, value)));
        let request = Request {
            flags,
            ..Request::default()
        };
        let environment = Environment::of(&[("HOME", "/h")]);
        Arc::new(
            load(&environment, &request)
                .expect("the settings are sound")
                .config,
        )
    }

    #[tokio::test]
    async fn models_that_cannot_be_used_are_on_offer_as_such_and_the_last_reason_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let models = dir.path().join("models");
        std::fs::create_dir_all(&models).unwrap();
        for (name, bytes) in [("page.gguf", "<html>404</html>"), ("cut.gguf", "GGUF")] {
            std::fs::write(models.join(name), bytes).unwrap();
        }
        let config = config(dir.path(), &[]);
        let (engine, candidates) = open(&config, Clock::System, Ids::counting()).unwrap();
        assert_eq!(candidates.len(), 2);
        engine.bring_up(candidates).await;
        let status = (engine.handle().status)().await;
        let Health::Down(problem) = &status.health else {
            panic!("{status:?}")
        };
        assert!(problem.contains("model file"), "{problem}");
        assert_eq!(status.models.len(), 2);
        assert!(status.models.iter().all(|m| m.state == ModelState::Down));
        engine.shutdown();
    }

    #[test]
    fn a_configured_model_that_is_not_there_is_told_and_a_file_named_by_its_path_is_on_offer() {
        let dir = tempfile::tempdir().unwrap();
        let absent = config(dir.path(), &[("engine.model", "absent")]);
        let refused = open(&absent, Clock::System, Ids::counting()).err().unwrap();
        assert!(refused.contains("`absent`"), "{refused}");
        let file = dir.path().join("My File.gguf");
        std::fs::write(&file, "GGUF").unwrap();
        let named = config(dir.path(), &[("engine.model", file.to_str().unwrap())]);
        let files = ModelFiles::new(&DataPaths::new(&named.data_dir), Clock::System);
        let offers = on_offer(files, named)().unwrap();
        assert_eq!(offers.len(), 1);
        assert_eq!((offers[0].name.as_str(), &offers[0].path), ("my-file", &file));
    }
}
