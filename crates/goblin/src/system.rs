//! The state of everything, as `/api/status` and the page show it.

use std::sync::Arc;

use goblin_auth::identity::Identity;
use goblin_core::model::ModelState;
use goblin_core::provider::{Health, IN_PROCESS};
use goblin_core::status::{PartState, PartStatus, SystemStatus};
use goblin_core::upstream_status::{Seen, UpstreamStatus};
use goblin_dispatch::Dispatch;
use goblin_store::data_dir::DataPaths;
use goblin_store::store::Store;

use crate::config::Config;
use crate::{machine, model_choice};

/// Knows how everything is. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Describer {
    /// The accounts; the model tier has none.
    pub(crate) people: Option<Identity>,
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
        let mode = match &self.people {
            Some(people) if people.has_account().await => "accounts",
            _ => "local",
        };
        let mut upstreams = self.engine_that_did_not_start();
        let mut models = Vec::new();
        for upstream in self.dispatch.upstreams().await {
            upstreams.push(upstream.status);
            models.extend(upstream.models);
        }
        let mut tiers = vec![PartStatus {
            name: "backend".to_owned(),
            state: PartState::Ok,
            detail: "Answers requests.".to_owned(),
            fix: None,
        }];
        tiers.extend(self.database().await);
        let (default_model, no_model_help) = match self.dispatch.default_model().await {
            Ok(id) => (Some(id), None),
            Err(why) => (None, Some(why.message)),
        };
        // Another model is no help while the one that is configured only has to come back; it may have gone between the
        // two questions above.
        let mut there = models.iter().filter(|m| m.state != ModelState::Down).peekable();
        let somebody_is_away = match there.peek() {
            None => upstreams.iter().any(|u| !u.state.answers()),
            Some(_) => default_model.is_none(),
        };
        let only_starters = there.all(|m| m.starter);
        let folder = DataPaths::new(&self.config.data_dir).models();
        SystemStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            mode: mode.to_owned(),
            default_model,
            no_model_help,
            suggestion: (only_starters && !somebody_is_away)
                .then(|| model_choice::suggestion(machine::memory_bytes(), &folder))
                .flatten(),
            tiers,
            upstreams,
            models,
            outcomes: None,
        }
    }

    /// The engine, when it did not even begin to load: then it is no provider.
    fn engine_that_did_not_start(&self) -> Vec<UpstreamStatus> {
        let seen = self.engine_problem.as_ref().map(|why| {
            let health = Health::Down(why.clone());
            UpstreamStatus::of(&Seen {
                id: IN_PROCESS,
                local: true,
                health: &health,
                late: false,
                models: &[],
            })
        });
        seen.into_iter().collect()
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
