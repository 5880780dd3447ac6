//! How every provider is, and what a newcomer would have to expect of each of its models: for the page and the
//! command line.

use goblin_core::model::ModelState;
use goblin_core::provider::{Health, ProviderHandle};
use goblin_core::status::{ModelPrice, ModelStatus};
use goblin_core::upstream_status::{Seen, UpstreamStatus};

use crate::Dispatch;
use crate::last_known::Known;
use crate::table::says_cold;

/// One provider with its models.
#[derive(Clone, Debug, PartialEq)]
pub struct Upstream {
    /// How it is.
    pub status: UpstreamStatus,
    /// Its models; when it is away, those it had when it was last heard of.
    pub models: Vec<ModelStatus>,
}

impl Dispatch {
    /// Every provider, in the order of the configuration.
    pub async fn upstreams(&self) -> Vec<Upstream> {
        let known = self.table.known().await;
        known
            .iter()
            .map(|(provider, known)| self.upstream(provider, known))
            .collect()
    }

    fn upstream(&self, provider: &ProviderHandle, known: &Known) -> Upstream {
        let status = &known.status;
        let models: Vec<ModelStatus> = status
            .models
            .iter()
            .chain(&known.missing)
            .map(|model| {
                let told = self.instance(provider, status, model);
                let state = match status.health {
                    Health::Ok | Health::Starting(_) => model.state,
                    Health::Refused(_) | Health::Broken(_) | Health::Down(_) => ModelState::Down,
                };
                let answers = status.health == Health::Ok && state != ModelState::Down;
                let id = format!("{}/{}", provider.id, model.name);
                let local = model.stays_local(provider.local);
                ModelStatus {
                    price: self.price(&id, local),
                    id,
                    provider: provider.id.to_string(),
                    local,
                    context_window: model.context_window,
                    state,
                    capabilities: model.capabilities.clone(),
                    starter: model.starter,
                    size_bytes: model.size_bytes,
                    parameters: model.parameters.clone(),
                    memory_bytes: model.memory_bytes.filter(|_| answers),
                    must_load: state == ModelState::Available && says_cold(model),
                    queued: told.queued,
                    predicted_wait_ms: answers.then_some(told.predicted_wait_ms),
                    predicted_first_token_ms: told.predicted_first_token_ms.filter(|_| answers),
                    decode_tokens_per_second: told.decode_tokens_per_second,
                }
            })
            .collect();
        let seen = Seen {
            id: &provider.id,
            local: provider.local,
            health: &status.health,
            late: known.late,
            models: &models,
        };
        Upstream {
            status: UpstreamStatus::of(&seen),
            models,
        }
    }

    /// What a model elsewhere costs, as far as it is known.
    fn price(&self, id: &str, local: bool) -> Option<ModelPrice> {
        let price = self.options.policy.price(id).filter(|_| !local)?;
        Some(ModelPrice {
            input_usd: price.input,
            output_usd: price.output,
        })
    }
}
