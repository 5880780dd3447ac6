//! From what was written to what can be used: every rule is applied, and all that is broken is reported at once.

mod auth;
mod costs;
mod database;
mod federation;
mod limits;
mod mail;
mod money;
mod policy;
mod roster;
mod telemetry;
mod trust;
mod upstream;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use goblin_auth::bans::BanPolicy;
use goblin_auth::visit::OriginPattern;
use goblin_core::attachment::AttachmentLimits;
use goblin_core::deploy::is_local_name;
use goblin_core::policy::Policy;
use goblin_core::resilience::hedge::Hedging;
use goblin_core::resilience::retry::Retries;
use goblin_core::route::alias::Aliases;
use goblin_dispatch::money::MoneyOptions;
use goblin_net::Mailer;
use goblin_store::answer_cache::CacheLimits;
use goblin_store::key_file::Network;
use goblin_store::responses::KeepResponses;
use goblin_store::retention::Retention;
use goblin_store::store::Database;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::{Host, Url};

use crate::config::environment::Environment;
use crate::config::keys::{KEYS, Key, Kind, SERVERS, find, find_of_server};
use crate::config::written::{Entry, Problem, Source, Written};

pub(crate) use upstream::{
    Cloud as CloudServer, Kind as UpstreamKind, UpstreamConfig, UpstreamServer, Way as UpstreamWay,
};

pub(crate) use auth::AuthConfig;
pub(crate) use costs::CostsConfig;
pub(crate) use federation::{FederationConfig, GOOGLE_CALLBACK};
pub(crate) use limits::LimitsConfig;
pub(crate) use roster::{RegistryConfig, RoleModel};
pub(crate) use telemetry::{Otlp, TelemetryConfig};
pub(crate) use trust::TrustConfig;

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// The backend's surface.
    pub(crate) server: ServerConfig,
    /// Accounts and signing in.
    pub(crate) auth: AuthConfig,
    /// Who sends mail; `None`: nobody.
    pub(crate) mail: Option<Mailer>,
    /// Logging.
    pub(crate) log: LogConfig,
    /// Who is told what of this process.
    pub(crate) telemetry: TelemetryConfig,
    /// The data directory; it need not exist yet.
    pub(crate) data_dir: PathBuf,
    /// Where chats are kept.
    pub(crate) database: Database,
    /// With what backups are sealed; without one, whoever makes them is asked.
    pub(crate) backup_passphrase: Option<SecretString>,
    /// The model that answers when none is named.
    pub(crate) default_model: Option<String>,
    /// Names the operator gave to models.
    pub(crate) aliases: Aliases,
    /// Answers that are given again.
    pub(crate) cache: CacheConfig,
    /// The embedded engine.
    pub(crate) engine: EngineConfig,
    /// Models on other servers.
    pub(crate) upstream: UpstreamConfig,
    /// The queue and the deadline of turns.
    pub(crate) queue: QueueConfig,
    /// How often people, keys and addresses may ask.
    pub(crate) limits: LimitsConfig,
    /// The model tier's surface.
    pub(crate) tier: TierConfig,
    /// The model tier's roles and their models.
    pub(crate) roster: Vec<RoleModel>,
    /// Where models are pulled from.
    pub(crate) registry: RegistryConfig,
    /// Which role answers what, and what models are worth and cost.
    pub(crate) policy: Policy,
    /// What is booked, and what may be spent.
    pub(crate) money: MoneyOptions,
    /// What a month costs beside models.
    pub(crate) costs: CostsConfig,
    /// How answers are checked.
    pub(crate) trust: TrustConfig,
    /// How long traces are kept; `None`: for ever.
    pub(crate) trace_days: Option<u32>,
    /// How long responses are kept whose callers ask for it, and how many; `None`: they are refused.
    pub(crate) keep_responses: Option<KeepResponses>,
    /// How long everything else is kept.
    pub(crate) retention: Retention,
    /// Bounds of files attached to questions.
    pub(crate) attachments: AttachmentLimits,
}

/// The backend's surface.
#[derive(Clone, Debug)]
pub(crate) struct ServerConfig {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Origins of a page served elsewhere.
    pub(crate) frontend_url: Vec<String>,
    /// Proxies whose forwarding headers are believed.
    pub(crate) trusted_proxies: Vec<Network>,
    /// Origins of previews of the page.
    pub(crate) preview: Option<OriginPattern>,
    /// Proves that a request came through the CDN.
    pub(crate) origin_secret: Option<SecretString>,
    /// Longest wait for a request's head.
    pub(crate) header_timeout: Duration,
    /// Longest time a body may take.
    pub(crate) body_timeout: Duration,
    /// Longest time of an answer that is not streamed.
    pub(crate) answer_timeout: Duration,
    /// Largest body, in bytes.
    pub(crate) max_body_bytes: usize,
    /// Most connections.
    pub(crate) max_connections: usize,
    /// Most requests at once.
    pub(crate) max_requests: usize,
    /// How long a stop waits for streams.
    pub(crate) drain: Duration,
}

/// Logging.
#[derive(Clone, Debug)]
pub(crate) struct LogConfig {
    /// A level's name, or `off`.
    pub(crate) level: String,
    /// The form of a line.
    pub(crate) format: LogFormat,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// Human on a terminal, JSON elsewhere.
    Auto,
    /// For eyes.
    Human,
    /// For machines.
    Json,
}

/// The embedded engine.
#[derive(Clone, Debug)]
#[cfg_attr(
    not(feature = "engine"),
    allow(dead_code, reason = "read only by a build with the engine")
)]
pub(crate) struct EngineConfig {
    /// Whether models run in this process.
    pub(crate) enabled: bool,
    /// Name of an added model or path of a GGUF, loaded at the start.
    pub(crate) model: Option<String>,
    /// `None`: physical cores this process may use.
    pub(crate) threads: Option<u32>,
    /// Answers side by side.
    pub(crate) sequences: u32,
    /// `None`: the model's own, capped.
    pub(crate) context_tokens: Option<u32>,
    /// Layers on a graphics card; `None`: as many as fit.
    pub(crate) gpu_layers: Option<u32>,
    /// For all models in memory; `None`: what is free.
    pub(crate) memory_bytes: Option<u64>,
    /// Models in memory.
    pub(crate) max_models: usize,
    /// How long a model that is not the default one stays unused; `None`: always.
    pub(crate) idle_unload: Option<Duration>,
}

/// The queue and the deadline of turns.
#[derive(Clone, Debug)]
pub(crate) struct QueueConfig {
    /// Most requests waiting at one provider.
    pub(crate) max_waiting: usize,
    /// Longest a turn may take.
    pub(crate) turn_deadline: Duration,
    /// Most requests at once to one model of a cloud; `None`: as many as come.
    pub(crate) cloud_at_once: Option<u32>,
    /// How often a request that failed is made again.
    pub(crate) retries: Retries,
    /// After how long without content another model is asked beside the first.
    pub(crate) hedging: Hedging,
}

/// Answers that are given again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CacheConfig {
    /// Are any?
    pub(crate) enabled: bool,
    /// How much is kept, and for how long.
    pub(crate) limits: CacheLimits,
    /// Also to whoever asks a common question in other words and cases.
    pub(crate) common_queries: bool,
}

/// The model tier's surface.
#[derive(Clone, Debug)]
pub(crate) struct TierConfig {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// The key given by the environment.
    pub(crate) key: Option<SecretString>,
    /// The keys file; `None`: in the data directory.
    pub(crate) keys_file: Option<PathBuf>,
    /// When an address that tries keys is shut out.
    pub(crate) bans: BanPolicy,
    /// Bring the roster into memory at the start.
    pub(crate) warm_up: bool,
}

/// Turns what was written into a [`Config`].
///
/// # Errors
///
/// Every problem: those met while reading, then those of values that are out of bounds or contradict each other.
pub(crate) fn check(written: &mut Written, environment: &Environment) -> Result<Config, Vec<Problem>> {
    check_bounds(written);
    let mut reader = Reader {
        written,
        found: Vec::new(),
    };
    let server = reader.server();
    let tier = reader.tier();
    let config = Config {
        auth: reader.auth(),
        limits: reader.limits(),
        mail: reader.mail(),
        log: reader.log(),
        telemetry: reader.telemetry(),
        data_dir: reader.data_dir(environment),
        database: reader.database(environment),
        backup_passphrase: reader.secret("backup.passphrase"),
        default_model: reader.text("models.default"),
        aliases: reader.aliases(),
        cache: CacheConfig {
            enabled: reader.switch("cache.enabled"),
            limits: CacheLimits {
                keep: reader.seconds("cache.keep_seconds"),
                bytes: reader.number("cache.bytes"),
            },
            common_queries: reader.switch("cache.common_queries"),
        },
        engine: reader.engine(),
        upstream: reader.upstream(),
        queue: QueueConfig {
            max_waiting: reader.count("queue.max_waiting"),
            turn_deadline: reader.seconds("queue.turn_deadline_seconds"),
            cloud_at_once: Some(reader.small("queue.cloud_requests_at_once")).filter(|most| *most > 0),
            retries: Retries {
                most: reader.small("queue.retries"),
                longest: reader.seconds("queue.retry_longest_seconds"),
            },
            hedging: Hedging(
                Some(reader.number("queue.hedge_after_ms"))
                    .filter(|ms| *ms > 0)
                    .map(Duration::from_millis),
            ),
        },
        server,
        tier,
        roster: reader.roster(),
        registry: reader.registry(environment),
        policy: reader.policy(),
        money: reader.money(),
        costs: reader.costs(environment),
        trust: reader.trust(),
        attachments: AttachmentLimits {
            bytes_each: reader.count("attachments.bytes_each"),
            bytes_each_person: reader.number("attachments.bytes_each_person"),
        },
        trace_days: reader.days("trace.keep_days"),
        keep_responses: reader.days("responses.keep_days").map(|days| KeepResponses {
            days,
            most: reader.small("responses.most_per_user"),
            bytes: reader.number("responses.bytes_per_user"),
        }),
        retention: Retention {
            chats: reader.days("retention.chat_days"),
            usage: reader.days("retention.usage_days"),
            audit: reader.days("retention.audit_days"),
        },
    };
    let mut problems = std::mem::take(&mut reader.found);
    problems.splice(0..0, std::mem::take(&mut written.problems));
    if problems.is_empty() {
        Ok(config)
    } else {
        Err(problems)
    }
}

/// Numbers within their bounds, words among those known.
fn check_bounds(written: &mut Written) {
    let settings = KEYS.iter().filter_map(|key| {
        let entry = written.entries.get(key.path)?;
        bounds_of(key, key.path, entry)
    });
    let of_servers = written.servers.iter().flat_map(|(name, server)| {
        server.entries.iter().filter_map(move |(field, entry)| {
            bounds_of(find_of_server(field)?, &format!("{SERVERS}{name}.{field}"), entry)
        })
    });
    let found: Vec<Problem> = settings.chain(of_servers).collect();
    written.problems.extend(found);
}

fn bounds_of(key: &Key, path: &str, entry: &Entry) -> Option<Problem> {
    let fits = match (&key.kind, &entry.value) {
        (Kind::Number(low, high), Value::Number(n)) => {
            n.as_i64().is_some_and(|n| (*low..=*high).contains(&n))
        }
        (Kind::Real(low, high), value) => value.as_f64().is_some_and(|n| (*low..=*high).contains(&n)),
        (Kind::Word(words), Value::String(word)) => words.contains(&word.trim().to_lowercase().as_str()),
        _ => true,
    };
    (!fits).then(|| Problem {
        key: path.to_owned(),
        source: entry.source.clone(),
        message: format!("{} is expected, not {}.", key.kind, entry.value),
    })
}

struct Reader<'a> {
    written: &'a Written,
    found: Vec<Problem>,
}

impl Reader<'_> {
    fn value(&self, path: &str) -> &Value {
        debug_assert!(find(path).is_some(), "{path} is not in the list of settings");
        self.written.entries.get(path).map_or(&Value::Null, |e| &e.value)
    }

    fn text(&self, path: &str) -> Option<String> {
        self.value(path)
            .as_str()
            .map(str::trim)
            .filter(|t| !t.is_empty())
            .map(str::to_owned)
    }

    fn list(&self, path: &str) -> Vec<String> {
        let items = self.value(path).as_array().map_or(&[][..], Vec::as_slice);
        items
            .iter()
            .filter_map(Value::as_str)
            .map(|t| t.trim().to_owned())
            .filter(|t| !t.is_empty())
            .collect()
    }

    fn secret(&self, path: &str) -> Option<SecretString> {
        self.text(path).map(SecretString::from)
    }

    fn switch(&self, path: &str) -> bool {
        self.value(path).as_bool().unwrap_or(false)
    }

    /// A number; one out of bounds has been reported already and stands as 1.
    fn number(&self, path: &str) -> u64 {
        self.value(path).as_u64().unwrap_or(1)
    }

    fn count(&self, path: &str) -> usize {
        usize::try_from(self.number(path)).unwrap_or(usize::MAX)
    }

    fn small(&self, path: &str) -> u32 {
        u32::try_from(self.number(path)).unwrap_or(u32::MAX)
    }

    /// How many days something is kept; `None`: for ever.
    fn days(&self, path: &str) -> Option<u32> {
        Some(self.small(path)).filter(|days| *days > 0)
    }

    /// A number that need not be whole; one out of bounds has been reported already and stands as 1.
    fn real(&self, path: &str) -> f64 {
        self.value(path).as_f64().filter(|n| n.is_finite()).unwrap_or(1.0)
    }

    fn seconds(&self, path: &str) -> Duration {
        Duration::from_secs(self.number(path))
    }

    fn problem(&mut self, path: &str, message: impl Into<String>) {
        let source = self
            .written
            .entries
            .get(path)
            .map_or(Source::Default, |e| e.source.clone());
        self.problem_at(path, source, message);
    }

    fn problem_at(&mut self, path: &str, source: Source, message: impl Into<String>) {
        self.found.push(Problem {
            key: path.to_owned(),
            source,
            message: message.into(),
        });
    }

    fn address(&mut self, host: &str, port: &str) -> SocketAddr {
        let text = self.text(host).unwrap_or_default();
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        let ip = if bare == "localhost" {
            Ok(IpAddr::V4(Ipv4Addr::LOCALHOST))
        } else {
            bare.parse()
        };
        let ip = ip.unwrap_or_else(|_| {
            self.problem(
                host,
                format!(
                    "`{text}` is not an IP address. Use 127.0.0.1 for this machine only, 0.0.0.0 for all."
                ),
            );
            IpAddr::V4(Ipv4Addr::LOCALHOST)
        });
        SocketAddr::new(ip, u16::try_from(self.number(port)).unwrap_or(0))
    }

    fn server(&mut self) -> ServerConfig {
        let frontend_url = self.list("server.frontend_url");
        for origin in &frontend_url {
            if !is_origin(origin) {
                self.problem("server.frontend_url", format!("`{origin}` is not an origin. Write scheme and host only, like https://chat.example.org."));
            }
        }
        let mut trusted_proxies = Vec::new();
        for proxy in self.list("server.trusted_proxies") {
            match proxy.parse() {
                Ok(network) => trusted_proxies.push(network),
                Err(why) => self.problem("server.trusted_proxies", why),
            }
        }
        let pattern = self.text("server.preview_origin_pattern");
        let preview = pattern.as_deref().and_then(OriginPattern::parse);
        if pattern.is_some() && preview.is_none() {
            self.problem(
                "server.preview_origin_pattern",
                "it is no https origin with one `*` in the first part of its name, and something of your own before and \
                 after it. Write it like https://goblin-*-team.vercel.app.",
            );
        }
        ServerConfig {
            address: self.address("server.host", "server.port"),
            frontend_url,
            trusted_proxies,
            preview,
            origin_secret: self.secret("server.origin_secret"),
            header_timeout: self.seconds("server.header_timeout_seconds"),
            body_timeout: self.seconds("server.body_timeout_seconds"),
            answer_timeout: self.seconds("server.answer_timeout_seconds"),
            max_body_bytes: self.count("server.max_body_bytes"),
            max_connections: self.count("server.max_connections"),
            max_requests: self.count("server.max_requests"),
            drain: self.seconds("server.drain_seconds"),
        }
    }

    fn log(&self) -> LogConfig {
        let format = match self.text("log.format").map(|t| t.to_lowercase()).as_deref() {
            Some("json") => LogFormat::Json,
            Some("human") => LogFormat::Human,
            _ => LogFormat::Auto,
        };
        LogConfig {
            level: self.text("log.level").unwrap_or_default().to_lowercase(),
            format,
        }
    }

    fn data_dir(&mut self, environment: &Environment) -> PathBuf {
        if let Some(dir) = self.text("data.dir") {
            return PathBuf::from(dir);
        }
        environment.data_dir().unwrap_or_else(|| {
            self.problem(
                "data.dir",
                "neither HOME nor XDG_DATA_HOME is set, so there is no default. Set data.dir.",
            );
            PathBuf::new()
        })
    }

    fn engine(&mut self) -> EngineConfig {
        let given = |n: u32| (n > 0).then_some(n);
        let context_tokens = given(self.small("engine.context_tokens"));
        if context_tokens.is_some_and(|n| n < 256) {
            self.problem("engine.context_tokens", "it must be 0 or at least 256.");
        }
        EngineConfig {
            enabled: self.switch("engine.enabled"),
            model: self.text("engine.model"),
            threads: given(self.small("engine.threads")),
            sequences: self.small("engine.sequences"),
            context_tokens,
            gpu_layers: self
                .value("engine.gpu_layers")
                .as_u64()
                .and_then(|n| u32::try_from(n).ok()),
            memory_bytes: self.value("engine.memory_bytes").as_u64().filter(|n| *n > 0),
            max_models: self.small("engine.max_models") as usize,
            // Less than nothing is no number of seconds.
            idle_unload: self
                .value("engine.idle_unload_seconds")
                .as_u64()
                .map(Duration::from_secs),
        }
    }

    fn tier(&mut self) -> TierConfig {
        let address = self.address("tier.host", "tier.port");
        let require_tls = self.switch("tier.require_tls");
        if require_tls && is_public_address(address.ip()) {
            self.problem("tier.host", "tier.require_tls forbids a public address without TLS. Listen on 127.0.0.1 or a private address and put a proxy with TLS in front.");
        }
        let key = self.secret("tier.key");
        if key.as_ref().is_some_and(|k| k.expose_secret().contains(',')) {
            self.problem(
                "tier.key",
                "it has a comma, and a backend reads LOCAL_LLM_API_KEY as several keys then. Give this tier its own key.",
            );
        }
        TierConfig {
            address,
            key,
            keys_file: self.text("tier.keys_file").map(PathBuf::from),
            bans: self.bans(),
            warm_up: self.switch("tier.warm_up"),
        }
    }

    fn bans(&mut self) -> BanPolicy {
        let policy = BanPolicy {
            failures: self.small("tier.ban_after_failures"),
            first: self.seconds("tier.ban_minutes") * 60,
            longest: self.seconds("tier.ban_longest_minutes") * 60,
            ..BanPolicy::default()
        };
        if policy.longest < policy.first {
            self.problem(
                "tier.ban_longest_minutes",
                "it is less than tier.ban_minutes, the length of the first ban. Raise it.",
            );
        }
        policy
    }
}

/// Can the whole internet meet this address? Listening on all addresses counts as public.
pub(crate) fn is_public_address(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => !(ip.is_loopback() || ip.is_private() || ip.is_link_local()),
        IpAddr::V6(ip) => !(ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()),
    }
}

/// Does this URL name a public host? Names without a dot and those of private zones stay in the local network.
pub(crate) fn is_public_url(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => is_public_address(ip.into()),
        Some(Host::Ipv6(ip)) => is_public_address(ip.into()),
        Some(Host::Domain(name)) => !is_local_name(name),
        None => false,
    }
}

fn is_origin(text: &str) -> bool {
    Url::parse(text).is_ok_and(|u| {
        matches!(u.scheme(), "http" | "https")
            && u.origin().ascii_serialization() == text.trim_end_matches('/')
    })
}
