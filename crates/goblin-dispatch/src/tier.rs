//! How the tier is, instance by instance.

use std::sync::Arc;
use std::time::Duration;

use goblin_core::model::{ModelInfo, ModelState};
use goblin_core::provider::{Health, ProviderHandle, ProviderStatus};
use goblin_core::roster::keep_alive_seconds;
use goblin_core::tier_status::{InstanceState, InstanceStatus, TierStatus, verdicts_wait};

use crate::Dispatch;
use crate::gate::Visit;
use crate::table::{Standing, says_cold};

impl Dispatch {
    /// Every model of every provider: its queue, and what a newcomer would have to expect; and what is unwise.
    pub async fn tier_status(&self) -> TierStatus {
        let statuses = self.table.statuses().await;
        let mut told = TierStatus::default();
        for (provider, status) in &statuses {
            if status.health == Health::Ok {
                let instances = status.models.iter().map(|m| self.instance(provider, status, m));
                told.instances.extend(instances);
            } else {
                self.away(provider, status, &mut told);
            }
        }
        for (provider, status) in &statuses {
            let has_second = |name: &str| told.instances.iter().filter(|i| i.model == name).count() > 1;
            let waits = verdicts_wait(&provider.id, status, has_second);
            told.warnings
                .extend(waits.map(|w| format!("{} {}", w.found, w.fix)));
        }
        told
    }

    pub(crate) fn instance(
        &self,
        provider: &ProviderHandle,
        status: &ProviderStatus,
        model: &ModelInfo,
    ) -> InstanceStatus {
        let gate = self.table.gate(&provider.id);
        let name = Arc::from(model.name.as_str());
        let load = gate.load(&name);
        let terms = Standing::of(status).terms(model, self.options.max_waiting, None);
        let visit = Visit {
            key: Arc::from(""),
            verdict: false,
            bytes: 0,
            tokens: Some(load.rates.usual_prompt()),
            limit: None,
            asked: None,
        };
        let in_roster = self.options.roster.find(&model.name);
        let forecast = gate.forecast(&name, &visit, says_cold(model), &terms);
        // A provider with a queue of its own counts everybody's requests, ours among them.
        let there = model.queue.unwrap_or_default();
        InstanceStatus {
            provider: provider.id.to_string(),
            model: model.name.clone(),
            local: model.stays_local(provider.local),
            state: match model.state {
                ModelState::Available if self.warming.is(&provider.id, &model.name) => InstanceState::Loading,
                state => state.into(),
            },
            running: count(load.running).max(there.running),
            queued: count(load.waiting).max(there.queued),
            slots: terms.slots,
            predicted_wait_ms: ms(forecast.wait),
            predicted_first_token_ms: forecast.first_token.map(ms),
            decode_tokens_per_second: load.rates.decode(&terms.prior),
            prefill_tokens_per_second: load.rates.prefill(&terms.prior),
            context_window: model.context_window,
            capabilities: model.capabilities.clone(),
            memory_bytes: model.memory_bytes,
            digest: model.digest.clone(),
            roles: in_roster.map(|m| m.roles.clone()).unwrap_or_default(),
            keep_alive_seconds: in_roster.map(|m| keep_alive_seconds(m.keep_alive)),
        }
    }

    /// A provider that does not serve: what it said it has, else what anybody ever asked it for, is down.
    fn away(&self, provider: &ProviderHandle, status: &ProviderStatus, told: &mut TierStatus) {
        let id = &provider.id;
        let (state, warning) = match &status.health {
            Health::Ok => return,
            Health::Starting(_) => (InstanceState::Loading, format!("`{id}` is still starting.")),
            Health::Refused(_) => (
                InstanceState::Down,
                format!("`{id}` refuses this server's key. Its operator must correct the key."),
            ),
            Health::Broken(_) => (
                InstanceState::Down,
                format!("`{id}` answers, but nothing that could be used; `goblin doctor` says what."),
            ),
            Health::Down(_) => (
                InstanceState::Down,
                format!(
                    "The server behind `{id}` cannot be reached; `goblin doctor` names the address and the cause."
                ),
            ),
        };
        told.warnings.push(warning);
        let mut models = status.models.clone();
        for name in self.table.gate(id).models() {
            if models.iter().all(|m| m.name != *name) {
                models.push(ModelInfo {
                    capabilities: Vec::new(),
                    ..ModelInfo::named(&*name)
                });
            }
        }
        told.instances.extend(models.iter().map(|model| InstanceStatus {
            state,
            ..self.instance(provider, status, model)
        }));
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn ms(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}
