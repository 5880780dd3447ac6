//! Changing which models are in memory: a router loads and unloads, a server with a model of its own only describes it.

use std::time::Duration;

use goblin_core::chat::Purpose;
use goblin_core::manage::{Action, Outcome};
use goblin_core::model::ModelState;
use goblin_core::origin::Origin;
use goblin_core::provider::{Health, ProviderError};
use goblin_core::wire::ollama::show_body;
use serde_json::{Value, json};

use super::Server;

/// Most time for a model to be loaded or to leave.
const LONG: Duration = Duration::from_secs(900);
/// Between two looks at how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(100);

impl Server {
    pub(super) async fn manage(&self, action: Action) -> Result<Outcome, ProviderError> {
        match action {
            Action::Show { model, .. } => self.show(&model).await,
            Action::Load { model, .. } => self.bring(&model, true).await,
            Action::Unload { model } => self.bring(&model, false).await,
            _ => Err(rejected(
                "llama-server keeps no store of models that could be changed from here. Put the file into its models \
                 directory, or start it with that model.",
            )),
        }
    }

    async fn show(&self, model: &str) -> Result<Outcome, ProviderError> {
        let Some((info, template)) = self.described(model).await else {
            return Err(absent(model));
        };
        let mut described = match show_body(&info) {
            Value::Object(fields) => fields,
            _ => serde_json::Map::new(),
        };
        if let Some(template) = template {
            described.insert("template".to_owned(), template.into());
        }
        Ok(Outcome::Described(described))
    }

    /// Into memory, or out of it; done when it is.
    async fn bring(&self, model: &str, in_memory: bool) -> Result<Outcome, ProviderError> {
        let router = self.is_router().await;
        let served = self.readiness(model).await.map_err(unavailable)?;
        let served = served.ok_or_else(|| absent(model))?;
        if (served.state == ModelState::Loaded) == in_memory {
            return Ok(Outcome::Done);
        }
        if !router {
            return Err(rejected(
                "This llama-server holds one model for as long as it runs: stop the server to take the model out of \
                 memory.",
            ));
        }
        let door = if in_memory { "models/load" } else { "models/unload" };
        let body = json!({"model": served.name}).to_string();
        let asked = self
            .upstream
            .post_whole(
                self.root.join(door),
                body.into(),
                model,
                &Origin::default(),
                Purpose::Answer,
            )
            .await;
        match asked {
            // Somebody else was quicker.
            Err(ProviderError::Rejected { message, .. }) if message.contains("already running") => {}
            asked => {
                asked?;
            }
        }
        let done = tokio::time::timeout(LONG, self.settled(&served.name, in_memory)).await;
        self.forget_status().await;
        done.map_err(|_| ProviderError::Broken {
            reason: format!("{model} is not done after {} s", LONG.as_secs()),
        })?
    }

    async fn settled(&self, model: &str, in_memory: bool) -> Result<Outcome, ProviderError> {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        loop {
            looks.tick().await;
            let served = self.readiness(model).await.map_err(unavailable)?;
            let served = served.ok_or_else(|| absent(model))?;
            match (served.failed, served.state) {
                (_, ModelState::Loaded) if in_memory => return Ok(Outcome::Done),
                (Some(code), _) if in_memory => {
                    return Err(ProviderError::Broken {
                        reason: format!(
                            "the server of {model} ended with {code} while loading it; see its log"
                        ),
                    });
                }
                (_, ModelState::Available) if !in_memory => return Ok(Outcome::Done),
                _ => {}
            }
        }
    }
}

fn absent(model: &str) -> ProviderError {
    ProviderError::ModelNotFound {
        model: model.to_owned(),
    }
}

fn rejected(message: &str) -> ProviderError {
    ProviderError::Rejected {
        status: 400,
        code: None,
        param: None,
        message: message.to_owned(),
    }
}

fn unavailable(health: Health) -> ProviderError {
    match health {
        Health::Refused(_) => ProviderError::Unauthorized,
        Health::Broken(reason) => ProviderError::Broken { reason },
        Health::Starting(reason) | Health::Down(reason) => ProviderError::Unavailable { reason },
        Health::Ok => ProviderError::Broken {
            reason: "no answer".to_owned(),
        },
    }
}
