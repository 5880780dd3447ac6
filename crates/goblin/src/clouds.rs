//! Clouds known by name as admins set them up while goblin runs: keys, addresses, switches and lists of models come from
//! the configuration and from the database, and the live table of providers follows.
//!
//! What the environment says beats what an admin set, and that beats a file. Other copies change the database too, so
//! it is read again now and then; no request waits for that.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use goblin_auth::vault::Vault;
use goblin_core::error::ApiError;
use goblin_core::owner::Owner;
use goblin_core::provider::{Health, ProviderHandle};
use goblin_core::provider_settings::{CloudHealth, CloudState, CloudTest, MAX_MODELS, SetBy};
use goblin_dispatch::Dispatch;
use goblin_net::Guard;
use goblin_providers::openai_compat;
use goblin_server::app::CloudPorts;
use goblin_store::error::StoreError;
use goblin_store::provider_keys::ProviderKeyRow;
use goblin_store::provider_settings::ProviderSettingsRow;
use goblin_store::store::Store;
use tokio::sync::Mutex;

use crate::config::{CloudServer, Config, UpstreamServer, UpstreamWay};
use crate::wiring::{self, Process};

/// How often it is looked whether another process has changed something.
const LOOK_PERIOD: Duration = Duration::from_secs(5);
/// Most time for a trial.
const TEST_TIMEOUT: Duration = Duration::from_secs(15);

/// The clouds of this process.
struct Clouds {
    config: Arc<Config>,
    store: Store,
    vault: Vault,
    dispatch: Arc<Dispatch>,
    /// Every provider goblin started with, in the order in which equal models are preferred.
    at_start: Vec<ProviderHandle>,
    /// One for each of the configuration's clouds, in their order. Held while they are read, so that of two readers the
    /// later one has the last word.
    live: Mutex<Vec<Cloud>>,
}

/// A cloud as it is called now.
#[derive(Clone)]
struct Cloud {
    settled: Settled,
    /// Nothing when it has no key, or one that does not open.
    handle: Option<ProviderHandle>,
}

/// What holds for a cloud.
#[derive(Clone, PartialEq, Eq)]
struct Settled {
    enabled: bool,
    key_set_by: Option<SetBy>,
    /// The key that is kept, also where another one is in force.
    kept: Option<ProviderKeyRow>,
    base_url: String,
    base_url_set_by: SetBy,
    shown: Option<Vec<String>>,
}

/// The ports to the clouds of a process whose providers are those of `dispatch` now. They are as the database says after
/// the first [`CloudPorts::apply`].
pub(crate) fn ports(process: &Process, dispatch: &Arc<Dispatch>, store: &Store, vault: &Vault) -> CloudPorts {
    let clouds = Arc::new(Clouds {
        config: Arc::clone(&process.config),
        store: store.clone(),
        vault: vault.clone(),
        at_start: dispatch.providers(),
        dispatch: Arc::clone(dispatch),
        live: Mutex::default(),
    });
    let looking = Arc::clone(&clouds);
    wiring::repeat(process, LOOK_PERIOD, move || {
        let clouds = Arc::clone(&looking);
        async move { clouds.apply().await }
    });
    let (described, tested) = (Arc::clone(&clouds), Arc::clone(&clouds));
    CloudPorts {
        describe: Arc::new(move || {
            let clouds = Arc::clone(&described);
            Box::pin(async move { clouds.describe().await })
        }),
        test: Arc::new(move |id| {
            let clouds = Arc::clone(&tested);
            Box::pin(async move { clouds.test(&id).await })
        }),
        apply: Arc::new(move || {
            let clouds = Arc::clone(&clouds);
            Box::pin(async move { clouds.apply().await })
        }),
    }
}

impl Clouds {
    /// Brings the table to what the database says. What cannot be read now is read the next time.
    async fn apply(&self) {
        if let Err(error) = self.read().await {
            tracing::warn!(%error, "the keys and settings of providers cannot be read; those before hold");
        }
    }

    /// Reads what is kept, and changes the table if anything in it has changed. Returns the clouds.
    async fn read(&self) -> Result<Vec<Cloud>, StoreError> {
        let mut live = self.live.lock().await;
        let keys = self.store.list_provider_keys().await?;
        let settings = self.store.list_provider_settings(Owner::LOCAL_TENANT).await?;
        let mut changed = false;
        for (at, server) in self.config.upstream.clouds.iter().enumerate() {
            let id = &server.server.id;
            let key = keys
                .iter()
                .find(|row| row.tenant == Owner::LOCAL_TENANT && row.provider == *id);
            let set = settings.iter().find(|row| row.provider == *id);
            let settled = settle(server, key, set);
            let before = live.get(at);
            let is_known = before.is_some_and(|cloud| cloud.settled == settled);
            // A key that did not open may, once the master keys are others.
            let is_built = before.is_some_and(|cloud| cloud.handle.is_some()) || settled.key_set_by.is_none();
            if is_known && is_built {
                continue;
            }
            let handle = self.build(server, &settled).unwrap_or_else(|error| {
                if !is_known {
                    tracing::warn!(provider = %id, %error, "this provider cannot be called");
                }
                None
            });
            changed |= !is_known || handle.is_some();
            let cloud = Cloud { settled, handle };
            match live.get_mut(at) {
                Some(place) => *place = cloud,
                None => live.push(cloud),
            }
        }
        if changed {
            self.dispatch.replace_providers(self.table(&live));
        }
        Ok(live.clone())
    }

    /// Every provider that may be asked: those goblin started with in their places, then those that came later.
    fn table(&self, clouds: &[Cloud]) -> Vec<ProviderHandle> {
        let open = clouds.iter().filter(|cloud| cloud.settled.enabled);
        let mut open: Vec<ProviderHandle> = open
            .filter_map(|cloud| Some(showing(cloud.handle.clone()?, cloud.settled.shown.clone())))
            .collect();
        let is_cloud = |id: &str| {
            let mut clouds = self.config.upstream.clouds.iter();
            clouds.any(|cloud| cloud.server.id == id)
        };
        let mut table = Vec::new();
        for handle in &self.at_start {
            if !is_cloud(&handle.id) {
                table.push(handle.clone());
            } else if let Some(at) = open.iter().position(|cloud| cloud.id == handle.id) {
                table.push(open.remove(at));
            }
        }
        table.append(&mut open);
        table
    }

    /// What a cloud is called with; nothing without a key.
    fn build(&self, cloud: &CloudServer, settled: &Settled) -> anyhow::Result<Option<ProviderHandle>> {
        let key = match (settled.key_set_by, &settled.kept) {
            (None, _) => return Ok(None),
            (Some(SetBy::Page), Some(row)) => Some(self.vault.open(row)?),
            _ => cloud.server.key.clone(),
        };
        let is_own = settled.base_url_set_by == SetBy::Page;
        let server = UpstreamServer {
            url: url::Url::parse(&settled.base_url)?,
            key,
            local: cloud.server.local && !is_own,
            way: match is_own {
                // Certificates are the configured address's.
                true => UpstreamWay {
                    proxy: cloud.server.way.proxy.clone(),
                    ..UpstreamWay::default()
                },
                false => cloud.server.way.clone(),
            },
            ..cloud.server.clone()
        };
        let guard = match is_own {
            true => Guard::Public,
            false => Guard::Operator,
        };
        let net = wiring::net(&self.config, &server.way, guard)?;
        let spec = wiring::spec(&self.config, &server)?;
        Ok(Some(openai_compat::build(spec, net)?))
    }

    /// Every cloud as admins see it. Those that may be asked are asked how they are, all at once.
    async fn describe(&self) -> Result<Vec<CloudState>, ApiError> {
        let clouds = self.read().await.map_err(ApiError::from)?;
        let servers = self.config.upstream.clouds.iter();
        Ok(join_all(servers.zip(clouds).map(|(server, cloud)| state(server, cloud))).await)
    }

    /// Asks a cloud for its models, also one that is switched off, and past what is remembered of it.
    async fn test(&self, id: &str) -> Result<CloudTest, ApiError> {
        let clouds = self.read().await.map_err(ApiError::from)?;
        let servers = self.config.upstream.clouds.iter();
        let (server, cloud) = servers
            .zip(clouds)
            .find(|(server, _)| server.server.id == id)
            .ok_or_else(|| ApiError::not_found("provider"))?;
        let began = Instant::now();
        let (health, models) = match self.build(server, &cloud.settled) {
            Ok(None) => (CloudHealth::NoKey, 0),
            Err(_) => (CloudHealth::KeySealed, 0),
            Ok(Some(handle)) => {
                let handle = showing(handle, cloud.settled.shown.clone());
                match tokio::time::timeout(TEST_TIMEOUT, (handle.status)()).await {
                    Ok(status) => {
                        log(id, &status.health);
                        (CloudHealth::of(&status.health), status.models.len())
                    }
                    Err(_) => (CloudHealth::Down, 0),
                }
            }
        };
        Ok(CloudTest {
            id: id.to_owned(),
            health,
            advice: advice(server, &cloud.settled, health),
            models,
            took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
    }
}

/// What holds for a cloud, of what the configuration says and what is kept.
fn settle(cloud: &CloudServer, key: Option<&ProviderKeyRow>, set: Option<&ProviderSettingsRow>) -> Settled {
    let key_set_by = match (cloud.key_set_by, key) {
        (Some(SetBy::Environment), _) => Some(SetBy::Environment),
        (_, Some(_)) => Some(SetBy::Page),
        (given, None) => given,
    };
    // An address belongs to the key it was kept with.
    let own = key
        .and_then(|row| row.base_url.clone())
        .filter(|_| key_set_by == Some(SetBy::Page) && cloud.url_set_by != SetBy::Environment);
    let (base_url, base_url_set_by) = match own {
        Some(url) => (url, SetBy::Page),
        None => {
            let url = cloud.server.url.as_str().trim_end_matches('/');
            (url.to_owned(), cloud.url_set_by)
        }
    };
    Settled {
        enabled: set.is_none_or(|row| row.enabled),
        key_set_by,
        kept: key.cloned(),
        base_url,
        base_url_set_by,
        shown: set.and_then(|row| row.models.clone()),
    }
}

/// A provider that offers only these of its models; nothing said: all.
fn showing(handle: ProviderHandle, shown: Option<Vec<String>>) -> ProviderHandle {
    let Some(shown) = shown else { return handle };
    let (shown, all) = (Arc::new(shown), Arc::clone(&handle.status));
    ProviderHandle {
        status: Arc::new(move || {
            let (shown, asked) = (Arc::clone(&shown), all());
            Box::pin(async move {
                let mut status = asked.await;
                status.models.retain(|model| shown.contains(&model.name));
                status
            })
        }),
        ..handle
    }
}

async fn state(cloud: &CloudServer, now: Cloud) -> CloudState {
    let Cloud { settled, handle } = now;
    let mut models = Vec::new();
    let health = match (&handle, settled.key_set_by) {
        (_, None) => CloudHealth::NoKey,
        (None, Some(_)) => CloudHealth::KeySealed,
        _ if !settled.enabled => CloudHealth::Off,
        (Some(handle), Some(_)) => {
            let status = (handle.status)().await;
            let names = status.models.into_iter().map(|model| model.name);
            models.extend(names.take(MAX_MODELS));
            CloudHealth::of(&status.health)
        }
    };
    CloudState {
        id: cloud.server.id.clone(),
        enabled: settled.enabled,
        key_set_by: settled.key_set_by,
        last_four: settled.kept.as_ref().map(|row| row.last_four.clone()),
        key_updated_at: settled.kept.as_ref().map(|row| row.updated_at),
        advice: advice(cloud, &settled, health),
        base_url: settled.base_url,
        base_url_set_by: settled.base_url_set_by,
        key_variable: cloud.maker.key_variable().to_owned(),
        health,
        shown_models: settled.shown,
        models,
    }
}

fn advice(cloud: &CloudServer, settled: &Settled, health: CloudHealth) -> Option<String> {
    health.advice(&settled.base_url, cloud.maker.key_variable())
}

/// What an admin is told in a word, in full for the operator.
fn log(provider: &str, health: &Health) {
    match health {
        Health::Ok => {}
        Health::Starting(why) | Health::Refused(why) | Health::Broken(why) | Health::Down(why) => {
            tracing::info!(provider, why, "a provider was tried and cannot be used");
        }
    }
}

#[cfg(test)]
mod tests {
    use goblin_core::clock::Timestamp;
    use goblin_core::maker::Maker;
    use goblin_store::provider_keys::Envelope;

    use super::*;
    use crate::config::{Environment, Request, load};

    fn cloud(key_set_by: Option<SetBy>, url_set_by: SetBy) -> CloudServer {
        let environment = Environment::of(&[("HOME", "/nowhere"), ("OPENAI_API_KEY", "sk-x")]);
        let config = load(&environment, &Request::default()).unwrap().config;
        let mut clouds = config.upstream.clouds.into_iter();
        let found = clouds.find(|c| c.maker == Maker::OpenAi);
        CloudServer {
            key_set_by,
            url_set_by,
            ..found.unwrap()
        }
    }

    fn kept(base_url: Option<&str>) -> ProviderKeyRow {
        ProviderKeyRow {
            tenant: Owner::LOCAL_TENANT.into(),
            provider: "openai".into(),
            version: 1,
            envelope: Envelope {
                sealed: Vec::new(),
                sealed_key: Vec::new(),
                master_id: "m".into(),
            },
            last_four: "WXYZ".into(),
            base_url: base_url.map(str::to_owned),
            updated_by: Owner::LOCAL_USER.into(),
            updated_at: Timestamp(0),
        }
    }

    #[test]
    fn the_environment_beats_the_page_and_the_page_a_file() {
        use SetBy::{Default, Environment, File, Page};
        let own = kept(Some("https://gateway.example/v1"));
        let usual = "https://api.openai.com/v1";
        for (given, at, row, key, url, said_by) in [
            (None, Default, None, None, usual, Default),
            (
                None,
                Default,
                Some(&own),
                Some(Page),
                "https://gateway.example/v1",
                Page,
            ),
            (
                Some(File),
                File,
                Some(&own),
                Some(Page),
                "https://gateway.example/v1",
                Page,
            ),
            (Some(File), File, None, Some(File), usual, File),
            // A key of the environment never goes to an address of the page, nor does an address of the environment yield.
            (
                Some(Environment),
                Default,
                Some(&own),
                Some(Environment),
                usual,
                Default,
            ),
            (None, Environment, Some(&own), Some(Page), usual, Environment),
        ] {
            let settled = settle(&cloud(given, at), row, None);
            let found = (
                settled.key_set_by,
                settled.base_url.as_str(),
                settled.base_url_set_by,
            );
            assert_eq!(found, (key, url, said_by));
            assert!(settled.enabled && settled.shown.is_none());
        }
    }
}
