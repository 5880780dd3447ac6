//! Puts the rooms together: configuration → store, providers, engine → dispatch → the server's `App`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use goblin_core::chat::Untranslated;
use goblin_core::clock::Clock;
use goblin_core::id::Ids;
use goblin_core::judge::authority::Record;
use goblin_core::provider::{Health, IN_PROCESS, ProviderHandle};
use goblin_core::resilience::hedge::Hedging;
use goblin_core::resilience::retry::Retries;
use goblin_core::telemetry::sampler::Pace;
use goblin_core::telemetry::span::Listener;
use goblin_core::trust::Settings;
use goblin_dispatch::cache::Caching;
use goblin_dispatch::cascade::Trust;
use goblin_dispatch::{Dispatch, Options, Parts};
use goblin_net::{Guard, HttpClient, NetOptions, Url};
use goblin_providers::openai_compat::{self, Api, Kind, UpstreamSpec};
use goblin_server::app::{
    Access, Answered, App, AppState, ChecksCache, PageReports, RenderMetrics, ServerOptions, Surface,
    TellSpans, Uploads,
};
use goblin_server::cost_reports::CostReports;
use goblin_store::answer_cache::AnswerCache;
use goblin_store::store::Store;
use goblin_store::turn_log::{Limits, TurnLog};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::checks;
use crate::config::{Config, UpstreamKind, UpstreamServer, UpstreamWay};
use crate::embedded::Embedded;
use crate::{clouds, roster, system};

#[cfg(test)]
mod tests;

/// The model tier's name as a provider; of several, the first one's.
pub(crate) const TIER_ID: &str = "tier";

/// What to do when there is no model. A goblin that runs models itself looks again at the files there are whenever it
/// is asked.
pub(crate) const NO_MODEL_HELP: &str = "There is no model yet. Run `make models` to fetch the starter model, or \
                                        `goblin models add FILE.gguf` to use one of yours; a goblin that runs \
                                        notices it by itself.";
/// What to do when there is none and this process runs none itself: files would not help it.
const NO_SERVER_HELP: &str = "This goblin runs no models itself, and no server with models is named. Set \
                              LOCAL_LLM_PROXY_URL or OLLAMA_HOST and start it again, or let `goblin up` run models \
                              itself (engine.enabled).";
/// The same when servers are named, which answer and have none.
const EMPTY_SERVERS_HELP: &str = "No server named to this goblin has a model yet. Give one of them a model: `ollama \
                                  pull NAME`, or on the machine of a model tier `goblin models pull NAME`. It is \
                                  noticed by itself.";

/// What to do when a process with these providers has no model.
pub(crate) fn no_model_help(providers: &[ProviderHandle]) -> &'static str {
    match providers {
        [] => NO_SERVER_HELP,
        some if some.iter().any(|p| *p.id == *IN_PROCESS) => NO_MODEL_HELP,
        _ => EMPTY_SERVERS_HELP,
    }
}

/// Where an Ollama of this machine listens unless told otherwise.
const USUAL_OLLAMA: &str = "http://127.0.0.1:11434";

/// How often a process says in a shared database that it is alive; four times before it counts as ended.
const ALIVE_PERIOD: Duration = Duration::from_millis(goblin_store::processes::SILENT_MS.unsigned_abs() / 4);
/// How often the schema is compared with what this release expects.
const SCHEMA_PERIOD: Duration = Duration::from_secs(3_600);

/// What everything in the process shares.
#[derive(Clone)]
pub(crate) struct Process {
    /// In force.
    pub(crate) config: Arc<Config>,
    /// Time.
    pub(crate) clock: Clock,
    /// Ids.
    pub(crate) ids: Ids,
    /// Owns every task.
    pub(crate) tracker: TaskTracker,
    /// Cancelled when the process begins to stop.
    pub(crate) draining: CancellationToken,
    /// Who hears of spans.
    pub(crate) spans: Option<Listener>,
}

impl Process {
    /// A process that has just begun.
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config: Arc::new(config),
            clock: Clock::System,
            ids: Ids::Random,
            tracker: TaskTracker::new(),
            draining: CancellationToken::new(),
            spans: None,
        }
    }
}

/// A client for models on another server.
pub(crate) fn net(config: &Config, way: &UpstreamWay, guard: Guard) -> anyhow::Result<HttpClient> {
    let options = NetOptions {
        guard,
        connect_timeout: config.upstream.connect_timeout,
        first_byte_timeout: config.upstream.first_event_timeout,
        idle_timeout: config.upstream.idle_timeout,
        http2: way.http2,
        proxy: way.proxy.clone(),
        roots_pem: way.roots_pem.clone(),
        identity: way.identity.clone(),
        ..NetOptions::default()
    };
    Ok(HttpClient::build(options)?)
}

/// A handle for every server the configuration names. `tier`: this process is the model tier itself, which passes
/// nothing on to another one.
///
/// # Errors
///
/// When a key cannot travel in a header.
pub(crate) fn upstreams(config: &Config, tier: bool) -> anyhow::Result<Vec<ProviderHandle>> {
    let servers = config.upstream.servers.iter();
    servers
        .filter(|server| !(tier && matches!(server.kind, UpstreamKind::Goblin | UpstreamKind::Cloud(_))))
        .map(|server| {
            Ok(openai_compat::build(
                spec(config, server)?,
                net(config, &server.way, Guard::Operator)?,
            )?)
        })
        .collect()
}

/// What is to be built for a server.
///
/// # Errors
///
/// When its address cannot be used.
pub(crate) fn spec(config: &Config, server: &UpstreamServer) -> anyhow::Result<UpstreamSpec> {
    let kind = match server.kind {
        UpstreamKind::Goblin => Kind::GoblinTier,
        UpstreamKind::Ollama => Kind::Ollama,
        UpstreamKind::LlamaCpp => Kind::LlamaCpp,
        UpstreamKind::OpenAi => Kind::Plain,
        UpstreamKind::Cloud(maker) => {
            let url = Url::parse(server.url.as_str())?;
            return Ok(UpstreamSpec {
                id: server.id.clone(),
                local: server.local,
                api: match config.upstream.openai_responses {
                    true => Api::Responses,
                    false => Api::Chat,
                },
                ..UpstreamSpec::cloud(maker, url, server.key.clone())
            });
        }
    };
    Ok(UpstreamSpec {
        key: server.key.clone(),
        local: server.local,
        allow_cloud: server
            .allow_cloud_models
            .unwrap_or(config.upstream.allow_cloud_models),
        ..UpstreamSpec::new(&server.id, Url::parse(server.url.as_str())?, kind)
    })
}

/// An Ollama that runs on this machine and has a model, when nothing was configured and looking is allowed.
///
/// # Errors
///
/// When the client it would be asked with cannot be built.
pub(crate) async fn discover(config: &Config) -> anyhow::Result<Option<ProviderHandle>> {
    discover_at(USUAL_OLLAMA, config).await
}

/// The same at another address. What is found there is logged, also when it is of no use.
async fn discover_at(address: &str, config: &Config) -> anyhow::Result<Option<ProviderHandle>> {
    let named = &config.upstream;
    let own = |server: &UpstreamServer| !matches!(server.kind, UpstreamKind::Cloud(_));
    if !named.discover || named.servers.iter().any(own) {
        return Ok(None);
    }
    let handle = openai_compat::build(
        UpstreamSpec {
            allow_cloud: config.upstream.allow_cloud_models,
            ..UpstreamSpec::ollama(Url::parse(address)?)
        },
        net(config, &UpstreamWay::default(), Guard::Operator)?,
    )?;
    let status = (handle.status)().await;
    let models = status.models.len();
    match status.health {
        Health::Ok if models > 0 => {
            tracing::info!(address, models, "found an Ollama on this machine");
            return Ok(Some(handle));
        }
        Health::Ok => tracing::info!(
            address,
            "the Ollama on this machine has no model yet; `ollama pull` fetches one"
        ),
        Health::Starting(why) | Health::Refused(why) | Health::Broken(why) | Health::Down(why) => {
            tracing::info!(address, why, "found no Ollama on this machine that can be used");
        }
    }
    Ok(None)
}

/// The room that carries turns out, with its providers. `measured`: what is known of judges.
pub(crate) fn dispatch(
    process: &Process,
    store: Option<Store>,
    providers: Vec<ProviderHandle>,
    measured: Arc<[Record]>,
) -> Arc<Dispatch> {
    let config = &process.config;
    let is_backend = store.is_some();
    let caching = caching(config).filter(|_| is_backend);
    let dispatch = Dispatch::new(Parts {
        store,
        turn_log: TurnLog::memory(process.clock.clone(), Limits::default()),
        clock: process.clock.clone(),
        tracker: process.tracker.clone(),
        draining: process.draining.clone(),
        options: Options {
            max_waiting: config.queue.max_waiting,
            turn_deadline: config.queue.turn_deadline,
            // The model tier leaves this to who asks it.
            retries: if is_backend {
                config.queue.retries
            } else {
                Retries::NONE
            },
            hedging: if is_backend {
                config.queue.hedging
            } else {
                Hedging::default()
            },
            breaks: is_backend,
            untranslated: if is_backend {
                config.upstream.untranslated
            } else {
                Untranslated::Refuse
            },
            cloud_at_once: config.queue.cloud_at_once,
            aliases: config.aliases.clone(),
            caching,
            default_model: config.default_model.clone(),
            no_model_help: no_model_help(&providers).to_owned(),
            roster: roster::for_providers(config, &providers),
            policy: config.policy.clone(),
            trust: Arc::new(trust(config, measured)),
            ids: process.ids.clone(),
            money: config.money.clone(),
            spans: process.spans.clone(),
            ..Options::default()
        },
    });
    dispatch.replace_providers(providers);
    dispatch
}

/// Where answers are kept to be given again: with other copies, where there is a Redis.
fn caching(config: &Config) -> Option<Caching> {
    let cache = config.cache;
    let shared = config
        .limits
        .redis
        .as_ref()
        .map(|redis| AnswerCache::redis(redis, cache.limits));
    let answers = match shared {
        Some(Ok(redis)) => redis,
        Some(Err(error)) => {
            tracing::warn!(%error, "answers are kept in memory");
            AnswerCache::memory(cache.limits)
        }
        None => AnswerCache::memory(cache.limits),
    };
    cache.enabled.then_some(Caching {
        answers,
        common_queries: cache.common_queries,
    })
}

/// How answers are checked, as it is configured.
fn trust(config: &Config, records: Arc<[Record]>) -> Trust {
    let trust = &config.trust;
    Trust {
        settings: Settings {
            verify: trust.verify,
            thresholds: trust.thresholds,
            max_steps: trust.max_steps,
            ..Settings::default()
        },
        judges: trust.judges.clone(),
        records,
        screen: trust.screen,
    }
}

/// The server's state. `embedded` tells how the engine is when it could not even start.
pub(crate) fn app(
    process: &Process,
    surface: Surface,
    access: Access,
    dispatch: Arc<Dispatch>,
    store: Option<Store>,
    embedded: &Embedded,
    (render_metrics, page_event): (RenderMetrics, Option<PageReports>),
) -> AppState {
    let config = Arc::clone(&process.config);
    let clouds = match (&access, &store) {
        (Access::People(people), Some(store)) => {
            Some(clouds::ports(process, &dispatch, store, &people.vault))
        }
        _ => None,
    };
    let for_checks = (Arc::clone(&config), store.clone(), Arc::clone(&dispatch));
    let describe = system::Describer {
        people: match &access {
            Access::People(people) => Some(people.identity.clone()),
            Access::Tier(_) => None,
        },
        config: Arc::clone(&config),
        dispatch: Arc::clone(&dispatch),
        store: store.clone(),
        engine_problem: embedded.problem().map(str::to_owned),
    };
    AppState(Arc::new(App {
        surface,
        dispatch,
        store,
        clock: process.clock.clone(),
        ids: process.ids.clone(),
        access,
        options: server_options(&config, process.spans.clone()),
        render_metrics,
        checks: Arc::new(move || {
            let (config, store, dispatch) = for_checks.clone();
            Box::pin(async move { checks::look_inside(&config, store.as_ref(), &dispatch.providers()).await })
        }),
        system_status: Arc::new(move || {
            let describe = describe.clone();
            Box::pin(async move { describe.describe().await })
        }),
        page_event,
        clouds,
        draining: process.draining.clone(),
        tracker: process.tracker.clone(),
        page: match surface {
            Surface::Backend => goblin_server::page_assets::embedded(),
            Surface::Tier => &[],
        },
        checks_cache: ChecksCache::default(),
        cost_reports: CostReports::default(),
        answered: Answered::default(),
        uploads: Uploads::default(),
    }))
}

fn server_options(config: &Config, spans: Option<Listener>) -> ServerOptions {
    let server = &config.server;
    ServerOptions {
        max_body_bytes: server.max_body_bytes,
        header_timeout: server.header_timeout,
        body_timeout: server.body_timeout,
        answer_timeout: server.answer_timeout,
        max_connections: server.max_connections,
        max_requests: server.max_requests,
        keep_responses: config.keep_responses,
        attachments: config.attachments,
        spans: spans.map(|listener| TellSpans {
            sampler: config.telemetry.sampler,
            pace: Arc::new(Pace::new(config.telemetry.traces_per_second)),
            listener,
        }),
        costs: config.cost_plan(),
        ..ServerOptions::default()
    }
}

/// Runs `work` every `period` until the process begins to stop.
pub(crate) fn repeat<F, W>(process: &Process, period: Duration, mut work: F)
where
    F: FnMut() -> W + Send + 'static,
    W: Future<Output = ()> + Send,
{
    let draining = process.draining.clone();
    process.tracker.spawn(async move {
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while draining.run_until_cancelled(ticks.tick()).await.is_some() {
            work().await;
        }
    });
}

/// Opens the store, ends the turns the process before left open, keeps deleted chats only as long as they can be
/// restored, and traces and responses only as long as the operator wants them.
///
/// # Errors
///
/// When the database does not open: a sentence with the place and the fix.
pub(crate) async fn open_store(process: &Process) -> anyhow::Result<Store> {
    let options = goblin_store::store::StoreOptions {
        database: process.config.database.clone(),
        clock: process.clock.clone(),
        ids: process.ids.clone(),
    };
    let store = Store::open(options).await?;
    let cut = store
        .mark_interrupted()
        .await
        .context("turns left open by the last run")?;
    if cut > 0 {
        tracing::warn!(
            turns = cut,
            "the last run ended in the middle of answers; what was answered is kept"
        );
    }
    if store.database().is_shared() {
        stay_known(process, &store);
    }
    watch_schema(process, &store);
    let sweeper = store.clone();
    let trace_days = process.config.trace_days;
    repeat(process, Duration::from_secs(60), move || {
        let store = sweeper.clone();
        async move {
            if let Err(error) = store.purge_deleted().await {
                tracing::warn!(%error, "deleted chats could not be swept");
            }
            if let Some(days) = trace_days
                && let Err(error) = store.delete_old_traces(days).await
            {
                tracing::warn!(%error, "old traces could not be swept");
            }
            if let Err(error) = store.delete_old_responses().await {
                tracing::warn!(%error, "old responses could not be swept");
            }
        }
    });
    Ok(store)
}

/// Counts now and then what of the schema is not as this release expects it.
fn watch_schema(process: &Process, store: &Store) {
    let store = store.clone();
    repeat(process, SCHEMA_PERIOD, move || {
        let store = store.clone();
        async move {
            match store.verify().await {
                Ok(found) => {
                    // A gauge is a float; there are far fewer than it loses whole numbers at.
                    metrics::gauge!("goblin_schema_differences").set(found.differences.len() as f64);
                    if let Some(first) = found.differences.first() {
                        tracing::warn!(
                            differences = found.differences.len(),
                            first = first.sentence,
                            "the database is not as this release expects it; `goblin migrate verify` names everything"
                        );
                    }
                }
                Err(error) => tracing::warn!(%error, "whether the database is as expected could not be seen"),
            }
        }
    });
}

/// Says now and then that this process is alive, and ends the turns of those that are not.
fn stay_known(process: &Process, store: &Store) {
    let store = store.clone();
    let apart = process.config.limits.redis.is_none();
    let others_before = Arc::new(AtomicU64::new(0));
    repeat(process, ALIVE_PERIOD, move || {
        let (store, others_before) = (store.clone(), Arc::clone(&others_before));
        async move {
            if let Err(error) = store.say_alive().await {
                tracing::warn!(%error, "the database was not told that this process is alive");
                return;
            }
            if let (true, Ok(others)) = (apart, store.count_others().await)
                && others_before.swap(others, Ordering::Relaxed) < others
            {
                tracing::warn!(
                    others,
                    "other copies of goblin work on this database and no REDIS_URL is set: limits hold for each copy apart"
                );
            }
            match store.mark_interrupted().await {
                Ok(0) => {}
                Ok(turns) => tracing::warn!(
                    turns,
                    "another process ended in the middle of answers; what was answered is kept"
                ),
                Err(error) => tracing::warn!(%error, "turns of ended processes could not be ended"),
            }
        }
    });
}
