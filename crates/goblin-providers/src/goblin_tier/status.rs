//! How a tier is: its list of models and its own forecast of each, asked for together and believed for a moment.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use goblin_core::model::{ModelInfo, ModelState, QueueReport};
use goblin_core::provider::{Health, ProviderStatus};
use goblin_core::tier_status::{self, InstanceState, InstanceStatus, TierStatus};
use goblin_core::wire::openai::ListedModels;
use http::Method;

use super::Tier;

/// How much longer than the quickest answer so far the way may have become before that is believed: one slow answer is
/// the tier's work, not the way to it.
const SLOWER: f64 = 1.25;

/// What was learnt last.
#[derive(Default)]
pub(super) struct Known {
    last: Option<(Instant, ProviderStatus)>,
    /// There and back, at its quickest lately.
    way: Option<Duration>,
}

/// What the tier answered, and how soon.
struct Told {
    status: TierStatus,
    took: Duration,
}

impl Tier {
    /// How it is; what its queues were is said with its age.
    pub(super) async fn status(&self) -> ProviderStatus {
        let mut known = self.known.lock().await;
        if let Some((asked_at, status)) = &known.last
            && asked_at.elapsed() < self.status_ttl
        {
            return aged(status.clone(), asked_at.elapsed());
        }
        let ours = self.sent.now();
        let (listed, told) = tokio::join!(self.upstream.list_models(), self.ask_status());
        if let Some(told) = &told {
            let slower = known.way.map_or(told.took, |way| way.mul_f64(SLOWER));
            known.way = Some(told.took.min(slower));
        }
        let way = known.way.unwrap_or_default();
        let instances = told.map(|told| told.status.instances).unwrap_or_default();
        let status = match listed {
            Ok(listed) => answering(listed, &instances, &ours, way),
            Err(health) => ProviderStatus {
                health: self.explained(health),
                ..answering(ListedModels::default(), &instances, &ours, way)
            },
        };
        known.last = Some((Instant::now(), status.clone()));
        status
    }

    /// `None`: it does not say. An older tier has no such door; without it there is still the list.
    async fn ask_status(&self) -> Option<Told> {
        let began = Instant::now();
        let url = self.upstream.base.join("goblin/status");
        let read = match self.upstream.ask(Method::GET, url, Bytes::new()).await {
            Ok(body) => tier_status::parse(&body),
            Err(health) => Err(format!("{health:?}")),
        };
        match read {
            Ok(status) => Some(Told {
                status,
                took: began.elapsed(),
            }),
            Err(why) => {
                tracing::debug!(
                    tier = &*self.upstream.id,
                    why,
                    "a model tier does not say how it is"
                );
                None
            }
        }
    }

    /// A key of a tier may be good and still not open its lists.
    fn explained(&self, health: Health) -> Health {
        match health {
            Health::Refused(why) if why.contains("403") => Health::Refused(format!(
                "{why}: the key needs the scopes `infer` and `read`; `goblin models keys` on that machine gives them"
            )),
            other => other,
        }
    }
}

fn aged(mut status: ProviderStatus, age: Duration) -> ProviderStatus {
    for queue in status.models.iter_mut().filter_map(|m| m.queue.as_mut()) {
        queue.age = age;
    }
    status
}

fn answering(
    listed: ListedModels,
    instances: &[InstanceStatus],
    ours: &HashMap<String, u32>,
    way: Duration,
) -> ProviderStatus {
    let mut models: Vec<ModelInfo> = listed.models;
    for model in &mut models {
        if let Some(instance) = instance_of(&model.name, instances) {
            let ours = ours.get(&model.name).copied().unwrap_or(0);
            describe(model, instance, ours, way);
        }
    }
    // The list leaves out models whose server is away, and is not there at all while nothing answers.
    for instance in instances {
        let known = models.iter().any(|m| names(&m.name, instance));
        if !known && matches!(instance.state, InstanceState::Down | InstanceState::Loading) {
            let mut model = ModelInfo {
                capabilities: instance.capabilities.clone(),
                ..ModelInfo::named(instance.model.clone())
            };
            describe(&mut model, instance, 0, way);
            models.push(model);
        }
    }
    ProviderStatus {
        health: Health::Ok,
        models,
        slots: listed.extras.slots,
        free_slots: listed.extras.free_slots,
        decode_tokens_per_second: listed.extras.decode_tokens_per_second,
        prefill_tokens_per_second: listed.extras.prefill_tokens_per_second,
    }
}

/// Is this the name the tier lists the instance under? A name two of its servers share is listed with the server's.
fn names(listed: &str, instance: &InstanceStatus) -> bool {
    let with_provider = listed.strip_prefix(&instance.provider);
    listed == instance.model
        || with_provider.and_then(|rest| rest.strip_prefix('/')) == Some(instance.model.as_str())
}

/// Of several servers with the same model, one that is up.
fn instance_of<'a>(listed: &str, instances: &'a [InstanceStatus]) -> Option<&'a InstanceStatus> {
    let named = || instances.iter().filter(|i| names(listed, i));
    named()
        .find(|i| i.state != InstanceState::Down)
        .or_else(|| named().next())
}

fn describe(model: &mut ModelInfo, instance: &InstanceStatus, ours: u32, way: Duration) {
    model.local = model.local && instance.local;
    model.state = ModelState::from(instance.state);
    model.context_window = instance.context_window.or(model.context_window);
    model.memory_bytes = instance.memory_bytes;
    model.slots = instance.slots;
    model.decode_tokens_per_second = instance.decode_tokens_per_second;
    model.prefill_tokens_per_second = instance.prefill_tokens_per_second;
    model.queue = Some(QueueReport {
        running: instance.running,
        queued: instance.queued,
        ours,
        wait: Duration::from_millis(instance.predicted_wait_ms),
        first_token: instance.predicted_first_token_ms.map(Duration::from_millis),
        way,
        age: Duration::ZERO,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(provider: &str, model: &str, state: InstanceState) -> InstanceStatus {
        InstanceStatus {
            provider: provider.into(),
            model: model.into(),
            local: true,
            state,
            running: 2,
            queued: 1,
            slots: Some(2),
            predicted_wait_ms: 1500,
            predicted_first_token_ms: Some(80),
            decode_tokens_per_second: Some(30.0),
            prefill_tokens_per_second: Some(200.0),
            context_window: Some(4096),
            capabilities: vec![goblin_core::model::Capability::Chat],
            memory_bytes: Some(1 << 30),
            digest: None,
            roles: Vec::new(),
            keep_alive_seconds: None,
        }
    }

    #[test]
    fn the_list_says_which_models_and_the_status_how_each_is() {
        let listed = ListedModels {
            models: vec![
                ModelInfo::named("m"),
                ModelInfo::named("two/n"),
                ModelInfo::named("x"),
            ],
            ..ListedModels::default()
        };
        let far = InstanceStatus {
            local: false,
            ..instance("away", "gone", InstanceState::Down)
        };
        let instances = [
            instance("away", "m", InstanceState::Down),
            instance("one", "m", InstanceState::Loaded),
            instance("two", "n", InstanceState::Loading),
            far,
        ];
        let ours = HashMap::from([("m".to_owned(), 2)]);
        let way = Duration::from_millis(3);
        let status = answering(listed, &instances, &ours, way);
        let states: Vec<_> = status.models.iter().map(|m| (m.name.as_str(), m.state)).collect();
        let expected = [
            ("m", ModelState::Loaded),
            ("two/n", ModelState::Loading),
            ("x", ModelState::Available),
            ("gone", ModelState::Down),
        ];
        assert_eq!(states, expected);
        let local: Vec<bool> = status.models.iter().map(|m| m.local).collect();
        assert_eq!(
            local,
            [true, true, true, false],
            "also of one the list leaves out"
        );
        let m = &status.models[0];
        assert_eq!(
            (m.slots, m.memory_bytes, m.context_window),
            (Some(2), Some(1 << 30), Some(4096))
        );
        let queue = QueueReport {
            running: 2,
            queued: 1,
            ours: 2,
            wait: Duration::from_millis(1500),
            first_token: Some(Duration::from_millis(80)),
            way,
            age: Duration::ZERO,
        };
        assert_eq!(m.queue, Some(queue));
        assert_eq!(status.models[2].queue, None, "an older tier says nothing of it");
        let later = aged(status, Duration::from_secs(1));
        assert_eq!(later.models[0].queue.unwrap().age, Duration::from_secs(1));
    }
}
