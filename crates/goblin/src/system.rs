//! The state of everything, as `/api/status` and the page show it.

use std::sync::Arc;

use goblin_core::provider::{Health, ProviderHandle, ProviderStatus};
use goblin_core::status::{ModelStatus, PartState, PartStatus, SystemStatus};
use goblin_dispatch::Dispatch;
use goblin_store::data_dir::DataPaths;
use goblin_store::store::Store;

use crate::checks::upstream_name;
use crate::config::Config;
use crate::{machine, model_choice};

/// Knows how everything is. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Describer {
    /// In force.
    pub(crate) config: Arc<Config>,
    /// Knows the providers.
    pub(crate) dispatch: Arc<Dispatch>,
    /// The database; the model tier has none.
    pub(crate) store: Option<Store>,
    /// Why the engine did not even begin to load.
    pub(crate) engine_problem: Option<String>,
}

impl Describer {
    /// Asks every part.
    pub(crate) async fn describe(&self) -> SystemStatus {
        let providers = self.dispatch.providers_status().await;
        let mut tiers = vec![PartStatus {
            name: "backend".to_owned(),
            state: PartState::Ok,
            detail: "Answers requests.".to_owned(),
            fix: None,
        }];
        tiers.extend(self.database().await);
        tiers.extend(self.engine_problem.as_ref().map(|why| PartStatus {
            name: "engine".to_owned(),
            state: PartState::Down,
            detail: format!("The model was not loaded: {why}."),
            fix: Some("`goblin doctor` looks closer; `goblin models list` shows the files.".to_owned()),
        }));
        tiers.extend(providers.iter().map(|(handle, status)| part(handle, status)));
        let models: Vec<ModelStatus> = providers
            .iter()
            .flat_map(|(handle, status)| models(handle, status))
            .collect();
        let (default_model, no_model_help) = match self.dispatch.default_model().await {
            Ok(id) => (Some(id), None),
            Err(why) => (None, Some(why.message)),
        };
        // Another model is no help while the one that is configured only has to come back; it may have gone between the
        // two questions above.
        let somebody_is_away = (models.is_empty() || default_model.is_none()) && !providers.is_empty();
        let only_starters = models.iter().all(|m| m.starter);
        let folder = DataPaths::new(&self.config.data_dir).models();
        SystemStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            mode: "local".to_owned(),
            default_model,
            no_model_help,
            suggestion: (only_starters && !somebody_is_away)
                .then(|| model_choice::suggestion(machine::memory_bytes(), &folder))
                .flatten(),
            tiers,
            models,
        }
    }

    async fn database(&self) -> Option<PartStatus> {
        let store = self.store.as_ref()?;
        let (state, detail, fix) = match store.ping().await {
            Ok(()) => (PartState::Ok, "Chats are saved.".to_owned(), None),
            Err(error) => {
                tracing::error!(%error, "the database does not answer");
                let fix = "`goblin doctor` names the cause.".to_owned();
                (
                    PartState::Down,
                    "The database does not answer.".to_owned(),
                    Some(fix),
                )
            }
        };
        Some(PartStatus {
            name: "database".to_owned(),
            state,
            detail,
            fix,
        })
    }
}

fn part(handle: &ProviderHandle, status: &ProviderStatus) -> PartStatus {
    let name = upstream_name(handle);
    let (state, detail, fix) = match &status.health {
        Health::Ok => (
            PartState::Ok,
            format!("Answers with {} models.", status.models.len()),
            None,
        ),
        Health::Starting(how) => (PartState::Starting, how.clone(), None),
        Health::Refused(why) => (
            PartState::Down,
            why.clone(),
            Some("Correct its key (for a model tier: LOCAL_LLM_API_KEY) and start again.".to_owned()),
        ),
        Health::Broken(why) | Health::Down(why) => {
            let fix = match name.as_str() {
                "engine" => "Choose another model with engine.model; `goblin doctor` looks closer.",
                _ => "Start that server, or correct its address; it is used again by itself.",
            };
            (PartState::Down, why.clone(), Some(fix.to_owned()))
        }
    };
    PartStatus {
        name,
        state,
        detail,
        fix,
    }
}

fn models(handle: &ProviderHandle, status: &ProviderStatus) -> Vec<ModelStatus> {
    let of = |model: &goblin_core::model::ModelInfo| ModelStatus {
        id: format!("{}/{}", handle.id, model.name),
        provider: handle.id.to_string(),
        local: handle.local,
        context_window: model.context_window,
        state: model.state,
        capabilities: model.capabilities.clone(),
        starter: model.starter,
        size_bytes: model.size_bytes,
        parameters: model.parameters.clone(),
    };
    status.models.iter().map(of).collect()
}
