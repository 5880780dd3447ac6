//! A whole server on a port of its own, with a scripted provider and a database in memory.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use goblin_auth::access_token::SigningKeys;
use goblin_auth::bans::BanPolicy;
use goblin_auth::identity::{Identity, Settings};
use goblin_auth::keys::TierKeys;
use goblin_auth::local::{LocalMode, Surroundings};
use goblin_auth::oidc::Federation;
use goblin_auth::passkey::RelyingParty;
use goblin_auth::password::HashCost;
use goblin_auth::post::PostBox;
use goblin_auth::sealing::KeyRing;
use goblin_auth::throttle::Throttle;
use goblin_auth::vault::Vault;
use goblin_auth::visit::Premises;
use goblin_core::chat::Untranslated;
use goblin_core::checks::CheckResult;
use goblin_core::clock::{Clock, Timestamp};
use goblin_core::error::ApiError;
use goblin_core::id::Ids;
use goblin_core::owner::Owner;
use goblin_core::policy::Policy;
use goblin_core::provider::{Health, ProviderHandle};
use goblin_core::provider_settings::{CloudHealth, CloudState, CloudTest, SetBy};
use goblin_core::resilience::retry::Retries;
use goblin_core::route::alias::Aliases;
use goblin_core::status::{PartState, PartStatus, Suggestion, SystemStatus};
use goblin_core::upstream_status::{Seen, UpstreamStatus};
use goblin_dispatch::cache::Caching;
use goblin_dispatch::cascade::Trust;
use goblin_dispatch::money::MoneyOptions;
use goblin_dispatch::{Dispatch, Options, Parts};
use goblin_server::app::{
    Access, Answered, App, AppState, ChecksCache, CloudPorts, PageReports, ServerOptions, Surface, Uploads,
};
use goblin_server::cost_reports::CostReports;
use goblin_server::page_assets::Asset;
use goblin_server::people::People;
use goblin_server::rate::{self, RateSettings};
use goblin_server::serve::serve;
use goblin_server::tier_guard::TierGuard;
use goblin_store::answer_cache::{AnswerCache, CacheLimits};
use goblin_store::key_file::KeyFile;
use goblin_store::limits::KeyMeter;
use goblin_store::rate_limits::RateLimiter;
use goblin_store::store::{Database, Store, StoreOptions};
use goblin_store::turn_log::{Limits, TurnLog};
use http::Method;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::client::{Call, Reply, guard};
use crate::provider::{self, Played, Provider};

/// The key of the model tier in tests.
pub(crate) const KEY: &str = "a-key-of-the-operators-choice";

/// Measurements are of the process, so all servers of this binary share them.
static METRICS: LazyLock<PrometheusHandle> =
    LazyLock::new(|| PrometheusBuilder::new().install_recorder().unwrap());

pub(crate) struct TestApp {
    pub(crate) address: SocketAddr,
    pub(crate) provider: Provider,
    pub(crate) clock: Clock,
    pub(crate) store: Option<Store>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) draining: CancellationToken,
    pub(crate) checks_run: Arc<AtomicUsize>,
    pub(crate) tier: TierParts,
    /// Of the backend.
    pub(crate) identity: Option<Identity>,
    /// Of the backend.
    pub(crate) vault: Option<Vault>,
    key: Option<&'static str>,
    served: JoinSet<()>,
    _files: tempfile::TempDir,
}

/// What a test changes about the server.
pub(crate) struct Setup {
    pub(crate) surface: Surface,
    pub(crate) options: ServerOptions,
    pub(crate) page: &'static [Asset],
    pub(crate) drain: Duration,
    pub(crate) bans: BanPolicy,
    /// Callers show keys with scopes, whatever is served.
    pub(crate) keys: bool,
    /// Others can come, so nobody gets in without signing in.
    pub(crate) public: bool,
    pub(crate) premises: Premises,
    pub(crate) accounts: Settings,
    /// Tells the time, and stands still unless a test moves it.
    pub(crate) clock: Clock,
    /// How often people may ask; without a bound where nothing is said.
    pub(crate) limits: Option<(RateSettings, RateLimiter)>,
    /// What secrets are sealed with.
    pub(crate) ring: Option<KeyRing>,
    /// Who else vouches for people.
    pub(crate) federation: Federation,
    /// Where letters are handed in.
    pub(crate) post: Option<PostBox>,
    /// What the provider can do beside answering chats.
    pub(crate) able: fn(ProviderHandle) -> ProviderHandle,
    /// Who answers instead of the scripted provider.
    pub(crate) upstreams: Vec<ProviderHandle>,
    /// How answers are checked.
    pub(crate) trust: Trust,
    /// Who is told of errors and events of the page.
    pub(crate) page_event: Option<PageReports>,
    /// The model tier checks nothing. Is it done all the same, because only there are doors for clients of others?
    pub(crate) checks: bool,
    /// Names of the operator's own for models, as they are configured.
    pub(crate) aliases: &'static [&'static str],
    /// Are requests that failed made again, and models that keep failing left alone?
    pub(crate) resilient: bool,
    /// What becomes of wishes that a model cannot take.
    pub(crate) untranslated: Untranslated,
    /// Are answers kept to be given again; and to common questions?
    pub(crate) caching: Option<bool>,
    /// Which models cost what.
    pub(crate) policy: Policy,
    /// Budgets, and the baseline.
    pub(crate) money: MoneyOptions,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            surface: Surface::Backend,
            options: ServerOptions::default(),
            page: &[],
            drain: Duration::from_secs(60),
            // Tests of other things are not made to wait.
            bans: BanPolicy {
                slowest: Duration::ZERO,
                ..BanPolicy::default()
            },
            keys: false,
            public: false,
            premises: Premises::default(),
            accounts: cheap(),
            clock: Clock::manual(Timestamp(1_795_471_200_000)),
            limits: None,
            ring: Some(KeyRing::parse(&KeyRing::make("tests").unwrap()).unwrap()),
            federation: Federation::default(),
            post: None,
            able: |handle| handle,
            upstreams: Vec::new(),
            trust: Trust::default(),
            page_event: None,
            checks: false,
            aliases: &[],
            resilient: false,
            untranslated: Untranslated::default(),
            caching: None,
            policy: Policy::default(),
            money: MoneyOptions::default(),
        }
    }
}

fn caching(common_queries: bool) -> Caching {
    let limits = CacheLimits {
        keep: Duration::from_secs(3600),
        bytes: 1 << 20,
    };
    Caching {
        answers: AnswerCache::memory(limits),
        common_queries,
    }
}

fn aliases(lines: &[&str]) -> Aliases {
    let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    Aliases::parse(&lines).unwrap()
}

impl TestApp {
    /// The backend in local mode.
    pub(crate) async fn local() -> Self {
        Self::start(Setup::default()).await
    }

    /// The model tier; requests carry the right key unless they say otherwise.
    pub(crate) async fn tier() -> Self {
        Self::start(Setup {
            surface: Surface::Tier,
            ..Setup::default()
        })
        .await
    }

    /// The backend with other bounds.
    pub(crate) async fn with_options(change: impl FnOnce(&mut ServerOptions)) -> Self {
        let mut setup = Setup::default();
        change(&mut setup.options);
        Self::start(setup).await
    }

    pub(crate) async fn start(setup: Setup) -> Self {
        LazyLock::force(&METRICS);
        let files = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let clock = setup.clock.clone();
        let (tracker, draining) = (TaskTracker::new(), CancellationToken::new());
        let store = match setup.surface {
            Surface::Backend => Some(memory_store(&clock).await),
            Surface::Tier => None,
        };
        let dispatch = Dispatch::new(Parts {
            store: match setup.checks {
                true => Some(memory_store(&clock).await),
                false => store.clone(),
            },
            turn_log: TurnLog::memory(clock.clone(), Limits::default()),
            clock: clock.clone(),
            tracker: tracker.clone(),
            draining: draining.clone(),
            options: Options {
                trust: Arc::new(setup.trust),
                retries: if setup.resilient {
                    Retries::default()
                } else {
                    Retries::NONE
                },
                breaks: setup.resilient,
                untranslated: setup.untranslated,
                aliases: aliases(setup.aliases),
                caching: setup.caching.map(caching),
                policy: setup.policy,
                money: setup.money,
                ..Options::default()
            },
        });
        let (handle, provider) = provider::scripted();
        dispatch.replace_providers(match setup.upstreams {
            none if none.is_empty() => vec![(setup.able)(handle)],
            upstreams => upstreams,
        });
        let tier = TierParts::new(&files, &clock, setup.bans);
        let identity = store.as_ref().map(|store| {
            Identity::new(goblin_auth::identity::Parts {
                store: store.clone(),
                clock: clock.clone(),
                keys: Some(signing_keys()),
                premises: setup.premises.clone(),
                page_url: format!("http://{address}"),
                settings: setup.accounts.clone(),
                federation: setup.federation.clone(),
                relying_party: RelyingParty::of(&setup.premises.origins, address.port()).ok(),
                post: setup.post.clone(),
                throttle: match &setup.limits {
                    Some((settings, limiter)) => {
                        Throttle::new(limiter.clone(), clock.clone(), settings.sign_ins_without_redis)
                    }
                    None => Throttle::memory(clock.clone()),
                },
            })
        });
        let vault = store
            .as_ref()
            .map(|store| Vault::new(store.clone(), clock.clone(), setup.ring.clone()));
        let people = identity.clone().map(|identity| People {
            identity,
            local: (!setup.public).then(|| local_mode(address)),
            limits: setup
                .limits
                .map(|(settings, limiter)| rate::Limits::new(settings, limiter, clock.clone())),
            vault: vault.clone().unwrap(),
        });
        let access = match setup.surface {
            Surface::Backend if !setup.keys => Access::People(people.unwrap()),
            Surface::Backend | Surface::Tier => Access::Tier(tier.guard.clone()),
        };
        let checks_run = Arc::new(AtomicUsize::new(0));
        let app = AppState(Arc::new(App {
            surface: setup.surface,
            dispatch,
            store: store.clone(),
            clock: clock.clone(),
            ids: Ids::Random,
            access,
            options: setup.options,
            render_metrics: Arc::new(|| METRICS.render()),
            checks: checks(Arc::clone(&checks_run)),
            system_status: Arc::new(|| Box::pin(async { system_status() })),
            page_event: setup.page_event,
            clouds: store.clone().map(clouds),
            draining: draining.clone(),
            tracker,
            page: setup.page,
            checks_cache: ChecksCache::default(),
            cost_reports: CostReports::default(),
            answered: Answered::default(),
            uploads: Uploads::default(),
        }));
        let shutdown = CancellationToken::new();
        let mut served = JoinSet::new();
        let stop = shutdown.clone();
        served.spawn(async move { serve(listener, app, stop, setup.drain).await.unwrap() });
        let key = (setup.keys || setup.surface == Surface::Tier).then_some(KEY);
        Self {
            address,
            provider,
            clock,
            store,
            shutdown,
            draining,
            checks_run,
            tier,
            identity,
            vault,
            key,
            served,
            _files: files,
        }
    }

    pub(crate) fn call(&self, method: Method, path: &str) -> Call {
        let call = Call::new(self.address, method, path);
        match self.key {
            Some(key) => call.header("authorization", &format!("Bearer {key}")),
            None => call,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.call(Method::GET, path).send().await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.call(Method::POST, path).json(body).send().await
    }

    /// A stream under way, and the test's hand on it. The head comes with the first content, so the model must
    /// speak while the client waits.
    pub(crate) async fn begun(&self) -> (Reply, Played) {
        let body =
            json!({"model": "parrot", "stream": true, "messages": [{"role": "user", "content": "play"}]});
        let speak = async {
            let played = self.provider.played().await;
            played.say("One");
            played
        };
        tokio::join!(self.post("/v1/chat/completions", &body), speak)
    }

    /// Makes a chat and returns its id.
    pub(crate) async fn chat(&self, body: &Value) -> String {
        let mut reply = self.post("/api/chats", body).await;
        assert_eq!(reply.status, 201);
        reply.json().await["id"].as_str().unwrap().to_owned()
    }

    /// Waits until the server has ended by itself.
    pub(crate) async fn ended(&mut self) {
        while let Some(served) = guard(self.served.join_next()).await {
            served.unwrap();
        }
    }

    pub(crate) fn checks_run(&self) -> usize {
        self.checks_run.load(Ordering::SeqCst)
    }
}

async fn memory_store(clock: &Clock) -> Store {
    let options = StoreOptions {
        database: Database::Memory,
        clock: clock.clone(),
        ids: Ids::Random,
    };
    Store::open(options).await.unwrap()
}

/// Accounts whose passwords cost next to nothing.
pub(crate) fn cheap() -> Settings {
    Settings {
        hash_cost: HashCost {
            memory_kib: 64,
            passes: 1,
        },
        ..Settings::default()
    }
}

/// What access tokens of these tests are signed with.
pub(crate) fn signing_keys() -> SigningKeys {
    SigningKeys::new(&"a signing key for tests, long enough".to_owned().into(), &[]).unwrap()
}

fn local_mode(address: SocketAddr) -> LocalMode {
    let surroundings = Surroundings {
        bind: address.ip(),
        has_account: false,
        frontend_url: false,
        trusted_proxies: false,
        origin_secret: false,
    };
    LocalMode::decide(&surroundings, address.port()).unwrap()
}

/// What guards the model tier.
pub(crate) struct TierParts {
    pub(crate) keys: TierKeys,
    pub(crate) meter: KeyMeter,
    guard: TierGuard,
}

impl TierParts {
    fn new(files: &tempfile::TempDir, clock: &Clock, policy: BanPolicy) -> Self {
        let file = KeyFile::open(files.path().join("keys.toml")).unwrap();
        let key = SecretString::from(KEY.to_owned());
        let (keys, _) = TierKeys::open(file, Some(&key), clock, &mut rand::rngs::OsRng).unwrap();
        let meter = KeyMeter::memory(clock.clone());
        let guard = TierGuard::new(keys.clone(), meter.clone(), policy, clock.clone());
        Self { keys, meter, guard }
    }
}

fn checks(run: Arc<AtomicUsize>) -> goblin_core::checks::RunChecks {
    Arc::new(move || {
        run.fetch_add(1, Ordering::SeqCst);
        let check = |name: &str, state, found: &str| CheckResult {
            name: name.to_owned(),
            state,
            found: found.to_owned(),
            cause: None,
            fix: None,
            latency_ms: 3,
        };
        Box::pin(async move {
            vec![
                check("database", PartState::Ok, "/var/lib/goblin/goblin.db"),
                check("upstream:fake", PartState::Down, "10.0.0.7:11434 refused"),
            ]
        })
    })
}

/// Two clouds without a key of the environment: what is kept of them is told, and nothing is called.
fn clouds(store: Store) -> CloudPorts {
    let describe = move || {
        let store = store.clone();
        async move {
            let keys = store.list_provider_keys().await?;
            let set = store.list_provider_settings(Owner::LOCAL_TENANT).await?;
            let state = |id: &str| {
                let key = keys
                    .iter()
                    .find(|row| row.tenant == Owner::LOCAL_TENANT && row.provider == id);
                let set = set.iter().find(|row| row.provider == id);
                CloudState {
                    id: id.to_owned(),
                    enabled: set.is_none_or(|row| row.enabled),
                    key_set_by: key.map(|_| SetBy::Page),
                    last_four: key.map(|row| row.last_four.clone()),
                    key_updated_at: key.map(|row| row.updated_at),
                    base_url: key
                        .and_then(|row| row.base_url.clone())
                        .unwrap_or_else(|| "https://api.example.com/v1".into()),
                    base_url_set_by: match key.and_then(|row| row.base_url.as_ref()) {
                        Some(_) => SetBy::Page,
                        None => SetBy::Default,
                    },
                    key_variable: "EXAMPLE_API_KEY".into(),
                    health: match key {
                        Some(_) => CloudHealth::Ok,
                        None => CloudHealth::NoKey,
                    },
                    advice: None,
                    shown_models: set.and_then(|row| row.models.clone()),
                    models: Vec::new(),
                }
            };
            Ok::<_, ApiError>(vec![state("openai"), state("deepseek")])
        }
    };
    CloudPorts {
        describe: Arc::new(move || Box::pin(describe())),
        test: Arc::new(|id| {
            let tested = CloudTest {
                id,
                health: CloudHealth::NoKey,
                advice: None,
                models: 0,
                took_ms: 0,
            };
            Box::pin(async move { Ok(tested) })
        }),
        apply: Arc::new(|| Box::pin(async {})),
    }
}

fn system_status() -> SystemStatus {
    let backend = PartStatus {
        name: "backend".into(),
        state: PartState::Ok,
        detail: "It answers.".into(),
        fix: None,
    };
    SystemStatus {
        version: "0.1.0".into(),
        mode: "local".into(),
        default_model: Some(provider::MODEL.into()),
        tiers: vec![backend],
        upstreams: vec![UpstreamStatus::of(&Seen {
            id: "tier",
            local: true,
            health: &Health::Down("http://10.0.0.7:8002 refused".into()),
            late: false,
            models: &[],
        })],
        models: Vec::new(),
        suggestion: Some(Suggestion {
            model: "Mistral".into(),
            reason: "fits".into(),
            command: "goblin models add /var/lib/goblin/models/m.gguf".into(),
        }),
        no_model_help: None,
        outcomes: None,
    }
}
