//! What is measured: the models of a running tier, else those of this machine's servers and of the engine.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use goblin_core::chat::KeepAlive;
use goblin_core::manage::Action;
use goblin_core::model::{Capability, ModelState, nearest};
use goblin_core::provider::{Health, ProviderHandle};
use goblin_core::tier_status::{InstanceState, InstanceStatus, TierStatus};
use goblin_net::{HttpClient, NetError, NetOptions};
use goblin_providers::openai_compat::{self, UpstreamSpec};
use serde_json::json;
use tokio::time::interval;

use crate::cli::Bench;
use crate::command::tier_client::TierClient;
use crate::config::Config;
use crate::embedded::Embedded;
use crate::output::complain;
use crate::wiring::{Process, TIER_ID};
use crate::{roster, wiring};

/// Longest wait for the first byte of an answer, and for the next.
const SILENCE: Duration = Duration::from_secs(300);
/// Longest wait for a model to leave memory.
const LEAVING: Duration = Duration::from_secs(20);
/// How often a state is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// Longest wait for the engine's model.
const STARTING: Duration = Duration::from_secs(600);

/// One model.
pub(super) struct Subject {
    /// `provider/model`, for people.
    pub(super) id: String,
    pub(super) provider: Arc<str>,
    pub(super) model: Arc<str>,
    pub(super) digest: Option<String>,
    /// Who is asked.
    pub(super) handle: ProviderHandle,
    /// And by what name.
    pub(super) asked: String,
    /// Does what it is asked stay on the operator's machines?
    local: bool,
    context: Option<u32>,
    /// Does somebody else use it now?
    busy: bool,
    keep_alive: Option<KeepAlive>,
    /// The tier it belongs to, and its name there for a backend.
    tier: Option<(Arc<TierClient>, String)>,
}

/// All of them, and what lives as long.
pub(super) struct Subjects {
    pub(super) all: Vec<Subject>,
    /// The engine, where it was started for this; to be stopped at the end.
    pub(super) embedded: Embedded,
}

impl Subjects {
    /// Finds what is to be measured.
    ///
    /// # Errors
    ///
    /// When there is nothing, or a name is not known.
    pub(super) async fn find(bench: &Bench, config: &Config) -> anyhow::Result<Self> {
        let tier = TierClient::new(config, bench.url.as_ref(), bench.key_file.as_deref())?;
        let (mut all, embedded) = match tier.status().await {
            Ok(status) => {
                let status: TierStatus = serde_json::from_value(status).with_context(|| {
                    format!("what answers at {} is no model tier of this version", tier.base)
                })?;
                (of_tier(tier, status)?, Embedded::none())
            }
            Err(error) if bench.url.is_none() && error.downcast_ref::<NetError>().is_some() => {
                complain("note: no model tier is running; this machine's models are measured directly");
                of_this_machine(config).await?
            }
            Err(error) => return Err(error),
        };
        if let Err(error) = choose(&mut all, bench, config) {
            embedded.stop().await;
            return Err(error);
        }
        Ok(Self { all, embedded })
    }
}

/// Keeps what was asked for.
fn choose(all: &mut Vec<Subject>, bench: &Bench, config: &Config) -> anyhow::Result<()> {
    if bench.roster {
        let roster = roster::of(config);
        for absent in roster
            .models()
            .iter()
            .filter(|m| !all.iter().any(|s| m.is_called(&s.model)))
        {
            complain(format_args!(
                "note: `{0}` ({1}) is not here; fetch it with: goblin models pull {0}",
                absent.reference,
                absent.roles.join(", ")
            ));
        }
        all.retain(|s| roster.find(&s.model).is_some());
    }
    let untagged = |name: &str| name.strip_suffix(":latest").unwrap_or(name).to_owned();
    let means =
        |s: &Subject, name: &str| untagged(&s.model) == untagged(name) || untagged(&s.id) == untagged(name);
    for name in &bench.models {
        if !all.iter().any(|s| means(s, name)) {
            let hint = nearest(name, all.iter().map(|s| s.id.as_str()));
            let hint = hint.map_or_else(String::new, |n| format!(" Did you mean `{n}`?"));
            bail!("There is no model `{name}` that chats.{hint}");
        }
    }
    if bench.models.is_empty() {
        for far in all.iter().filter(|s| !s.local) {
            complain(format_args!(
                "note: `{}` is passed over: what it is asked leaves your machines. Name it to measure it.",
                far.id
            ));
        }
        all.retain(|s| s.local);
    } else {
        all.retain(|s| bench.models.iter().any(|name| means(s, name)));
    }
    if all.is_empty() {
        bail!("There is no model to measure. {}", wiring::NO_MODEL_HELP);
    }
    Ok(())
}

fn of_tier(tier: TierClient, status: TierStatus) -> anyhow::Result<Vec<Subject>> {
    let net = HttpClient::build(NetOptions {
        first_byte_timeout: SILENCE,
        idle_timeout: SILENCE,
        ..NetOptions::default()
    })?;
    let spec = UpstreamSpec::goblin_tier(TIER_ID, tier.base.clone(), tier.key.clone());
    let handle = openai_compat::build(spec, net)?;
    let tier = Arc::new(tier);
    let shared = |model: &str| status.instances.iter().filter(|i| i.model == model).count() > 1;
    let subject = |i: &InstanceStatus| {
        let id = format!("{}/{}", i.provider, i.model);
        let listed = if shared(&i.model) {
            id.clone()
        } else {
            i.model.clone()
        };
        Subject {
            provider: i.provider.as_str().into(),
            model: i.model.as_str().into(),
            digest: i.digest.clone(),
            handle: handle.clone(),
            asked: id.clone(),
            local: i.local,
            context: i.context_window,
            busy: i.running + i.queued > 0,
            keep_alive: None,
            tier: Some((Arc::clone(&tier), listed)),
            id,
        }
    };
    let able =
        |i: &&InstanceStatus| i.state != InstanceState::Down && i.capabilities.contains(&Capability::Chat);
    Ok(status.instances.iter().filter(able).map(subject).collect())
}

async fn of_this_machine(config: &Config) -> anyhow::Result<(Vec<Subject>, Embedded)> {
    let process = Process::new(config.clone());
    let mut providers = wiring::upstreams(config, true)?;
    providers.extend(wiring::discover(config).await?);
    let embedded = Embedded::start(&process).await;
    if let Some(problem) = embedded.problem() {
        complain(format_args!("note: the engine did not start: {problem}"));
    }
    providers.extend(embedded.handle());
    let roster = roster::of(config);
    let mut all = Vec::new();
    for handle in providers {
        let status = settled(&handle).await;
        if status.health != Health::Ok {
            complain(format_args!(
                "note: `{}` is passed over: {:?}",
                handle.id, status.health
            ));
        }
        for model in status.models.iter().filter(|m| m.can(Capability::Chat)) {
            all.push(Subject {
                id: format!("{}/{}", handle.id, model.name),
                provider: Arc::clone(&handle.id),
                model: model.name.as_str().into(),
                digest: model.digest.clone(),
                handle: handle.clone(),
                asked: model.name.clone(),
                local: model.stays_local(handle.local),
                context: model.context_window,
                busy: false,
                keep_alive: roster.keep_alive(&model.name),
                tier: None,
            });
        }
    }
    Ok((all, embedded))
}

/// How a provider is once it has started.
async fn settled(handle: &ProviderHandle) -> goblin_core::provider::ProviderStatus {
    let began = Instant::now();
    let mut looks = interval(LOOK);
    loop {
        looks.tick().await;
        let status = (handle.status)().await;
        if !matches!(status.health, Health::Starting(_)) || began.elapsed() > STARTING {
            return status;
        }
    }
}

impl Subject {
    /// The names it is kept under: its own, and that of a backend that reaches it through the tier.
    pub(super) fn known_as(&self) -> Vec<(Arc<str>, Arc<str>)> {
        let own = (Arc::clone(&self.provider), Arc::clone(&self.model));
        let backend = self
            .tier
            .as_ref()
            .map(|(_, listed)| (TIER_ID.into(), listed.as_str().into()));
        std::iter::once(own).chain(backend).collect()
    }

    /// Tokens of the longest prompt up to `wanted` that leaves room for an answer.
    pub(super) fn longest_prompt(&self, wanted: u32, answer: u32) -> u32 {
        // Words of more than one token, and the template.
        let most = self
            .context
            .map_or(u32::MAX, |c| c.saturating_sub(answer).saturating_sub(128) / 3 * 2);
        wanted.min(most.max(64))
    }

    /// Takes the model out of memory and times how long it takes to get back in. `None` where its server cannot, or
    /// while somebody else uses it.
    ///
    /// # Errors
    ///
    /// What went wrong.
    pub(super) async fn load(&self, patience: Duration) -> anyhow::Result<Option<f64>> {
        if self.busy {
            bail!("somebody uses it now");
        }
        match &self.tier {
            Some((tier, _)) => {
                let out = json!({"model": self.id, "keep_alive": 0, "stream": false});
                if tier.tell("api/generate", &out, patience).await.is_err() {
                    // It is not for us to say, or its server has no word for it.
                    return Ok(None);
                }
                self.wait_until_out(tier).await?;
                let began = Instant::now();
                let back = json!({"model": self.id, "stream": false});
                tier.tell("api/generate", &back, patience).await?;
                Ok(Some(began.elapsed().as_secs_f64()))
            }
            None => self.load_directly(patience).await,
        }
    }

    async fn wait_until_out(&self, tier: &TierClient) -> anyhow::Result<()> {
        let began = Instant::now();
        let mut looks = interval(LOOK);
        loop {
            looks.tick().await;
            let status: TierStatus = serde_json::from_value(tier.status().await?)?;
            let is_it = |i: &&InstanceStatus| *i.provider == *self.provider && *i.model == *self.model;
            let state = status.instances.iter().find(is_it).map(|i| i.state);
            if state != Some(InstanceState::Loaded) {
                return Ok(());
            }
            if began.elapsed() > LEAVING {
                bail!("it stays in memory");
            }
        }
    }

    async fn load_directly(&self, patience: Duration) -> anyhow::Result<Option<f64>> {
        let Some(manage) = &self.handle.manage else {
            return Ok(None);
        };
        let model = self.asked.clone();
        if manage(Action::Unload { model: model.clone() }).await.is_err() {
            return Ok(None);
        }
        let out = Instant::now();
        let mut looks = interval(LOOK);
        loop {
            looks.tick().await;
            let status = (self.handle.status)().await;
            let state = status.models.iter().find(|m| m.name == model).map(|m| m.state);
            if state != Some(ModelState::Loaded) {
                break;
            }
            if out.elapsed() > LEAVING {
                bail!("it stays in memory");
            }
        }
        let began = Instant::now();
        let keep_alive = self.keep_alive;
        let loading = manage(Action::Load { model, keep_alive });
        tokio::time::timeout(patience, loading)
            .await
            .context("it takes too long")??;
        Ok(Some(began.elapsed().as_secs_f64()))
    }
}
