//! One list of checks: what `goblin doctor` looks at before or beside a running goblin, and what `/health/all`
//! of a running one looks at. Each says what was found, and when something is wrong, why and what to do.

mod copies;
mod database;
mod judges;
mod ports;
mod roster;
mod sign_in;
mod telemetry;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use goblin_core::checks::CheckResult;
use goblin_core::clock::Clock;
use goblin_core::provider::{Health, ProviderHandle, ProviderStatus};
use goblin_core::status::PartState;
use goblin_core::tier_status::{Warning, verdicts_wait};
use goblin_store::data_dir::DataPaths;
use goblin_store::model_files::{ModelFile, ModelFiles};
use goblin_store::store::Store;

use crate::config::{Config, is_public_address};
use crate::machine;
use crate::model_choice::choose;
use crate::output::bytes;

/// Free space below this is too little to save chats for long.
const LITTLE_DISK: u64 = 1 << 30;
/// Free space below this cannot be worked with.
const NO_DISK: u64 = 64 << 20;
/// How long a disk may take to say how much of it is free.
const DISK_WAIT: Duration = Duration::from_secs(2);
/// 2026-01-01: no build of goblin is older.
const EARLIEST_MS: i64 = 1_767_225_600_000;

/// What a check found.
#[derive(Debug)]
pub(crate) struct Finding {
    state: PartState,
    found: String,
    cause: Option<String>,
    fix: Option<String>,
}

impl Finding {
    fn ok(found: impl Into<String>) -> Self {
        Self {
            state: PartState::Ok,
            found: found.into(),
            cause: None,
            fix: None,
        }
    }

    /// As the result of the check `name`, which took so long.
    fn of(self, name: &str, took: Duration) -> CheckResult {
        CheckResult {
            name: name.to_owned(),
            state: self.state,
            found: self.found,
            cause: self.cause,
            fix: self.fix,
            latency_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        }
    }

    fn bad(
        state: PartState,
        found: impl Into<String>,
        cause: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            state,
            found: found.into(),
            cause: Some(cause.into()),
            fix: Some(fix.into()),
        }
    }
}

async fn timed(name: &str, check: impl Future<Output = Finding>) -> CheckResult {
    let began = Instant::now();
    let finding = check.await;
    finding.of(name, began.elapsed())
}

/// A server, how it said it is, and how long it took to say so.
struct Asked<'a> {
    handle: &'a ProviderHandle,
    status: ProviderStatus,
    took: Duration,
}

/// Asks every server how it is, once and all together; what the checks find is read from that.
async fn ask_all(handles: &[ProviderHandle]) -> Vec<Asked<'_>> {
    let asked = handles.iter().map(|handle| async move {
        let began = Instant::now();
        let status = (handle.status)().await;
        Asked {
            handle,
            status,
            took: began.elapsed(),
        }
    });
    join_all(asked).await
}

/// Everything `goblin doctor` looks at.
pub(crate) async fn look_around(config: &Config, upstreams: &[ProviderHandle]) -> Vec<CheckResult> {
    let asked = ask_all(upstreams).await;
    let mut results = vec![
        timed("data_directory", async { data_directory(&config.data_dir) }).await,
        timed("disk", async { disk(&config.data_dir) }).await,
        timed("memory", async { memory(config) }).await,
        timed("clock", async { clock(&Clock::System) }).await,
        timed("database", database::closed(&config.database)).await,
        timed("cache", copies::of_database(config)).await,
        timed("port", ports::of_backend(config.server.address)).await,
        timed("tier_port", ports::of_tier(config.tier.address)).await,
        timed("engine", async { engine(config) }).await,
        timed("models", async { models(config, upstreams) }).await,
    ];
    if !config.upstream.has_tier() {
        results.push(timed("roster", async { roster_fits(config, &asked) }).await);
    }
    results.push(timed("verdicts", async { verdicts(&asked) }).await);
    results.push(timed("judges", async { who_judges(config, &asked) }).await);
    results.extend(asked.iter().map(|asked| upstream_result(config, asked)));
    for maker in &config.upstream.without_key {
        let found = format!(
            "the configuration has no key for it, so it is asked only with one kept on the page; {} gives it one",
            maker.key_variable()
        );
        let name = format!("upstream:{}", maker.id());
        results.push(timed(&name, async { Finding::ok(found) }).await);
    }
    if !config.upstream.has_tier() {
        results.push(
            timed("model_tier", async {
                Finding::ok("none is named; models run here or on other servers")
            })
            .await,
        );
    }
    results.extend(sign_in::sign_ins(config).await);
    results.push(timed("telemetry", telemetry::telemetry(config)).await);
    for warning in warnings(config) {
        results.push(timed("configuration", async { warning }).await);
    }
    results
}

/// What a running backend looks at.
pub(crate) async fn look_inside(
    config: &Config,
    store: Option<&Store>,
    providers: &[ProviderHandle],
) -> Vec<CheckResult> {
    let mut results = Vec::new();
    if let Some(store) = store {
        results.push(timed("database", database::open(store)).await);
        results.push(timed("cache", copies::cache(config, store, Clock::System.now())).await);
    }
    results.push(timed("disk", disk_in_time(config.data_dir.clone())).await);
    let asked = ask_all(providers).await;
    results.extend(asked.iter().map(|asked| upstream_result(config, asked)));
    results
}

fn roster_fits(config: &Config, asked: &[Asked<'_>]) -> Finding {
    let files = model_files(config).unwrap_or_default();
    roster::roster(config, asked, &files, machine::memory_bytes())
}

fn who_judges(config: &Config, asked: &[Asked<'_>]) -> Finding {
    let files = model_files(config).unwrap_or_default();
    judges::judges(config, asked, &files)
}

/// Does a short check of an answer have to wait behind long ones?
fn verdicts(asked: &[Asked<'_>]) -> Finding {
    let offered = |name: &str| {
        let names = asked.iter().flat_map(|a| &a.status.models);
        names.filter(|m| m.name == name).count()
    };
    let waits: Vec<Warning> = asked
        .iter()
        .filter_map(|a| verdicts_wait(&a.handle.id, &a.status, |name| offered(name) > 1))
        .collect();
    let Some(first) = waits.first() else {
        return Finding::ok("short checks have a place beside long answers, as far as servers say");
    };
    let found: Vec<&str> = waits.iter().map(|w| w.found.as_str()).collect();
    Finding::bad(
        PartState::Degraded,
        found.join(" "),
        "A server with one place makes everybody wait for the answer under way.",
        first.fix.clone(),
    )
}

fn upstream_result(config: &Config, asked: &Asked<'_>) -> CheckResult {
    let found = upstream(config, asked.handle, &asked.status);
    found.of(&upstream_name(asked.handle), asked.took)
}

/// [`disk`], off the runtime's threads: a network disk that hangs may hang its thread, not the server.
async fn disk_in_time(path: PathBuf) -> Finding {
    let looked = tokio::task::spawn_blocking(move || disk(&path));
    match tokio::time::timeout(DISK_WAIT, looked).await {
        Ok(Ok(finding)) => finding,
        _ => Finding::bad(
            PartState::Degraded,
            "a disk of this machine does not answer".to_owned(),
            "Asking how much space is free took too long.",
            "Look for a network disk that hangs (`df`).",
        ),
    }
}

/// `engine`, `model_tier`, `model_tier:NAME` of a further one, or `upstream:NAME`.
pub(crate) fn upstream_name(handle: &ProviderHandle) -> String {
    match &*handle.id {
        "engine" => "engine".to_owned(),
        crate::wiring::TIER_ID => "model_tier".to_owned(),
        other if is_further_tier(other) => format!("model_tier:{other}"),
        other => format!("upstream:{other}"),
    }
}

fn is_further_tier(id: &str) -> bool {
    id.strip_prefix(crate::wiring::TIER_ID)
        .is_some_and(|rest| rest.starts_with('-'))
}

fn data_directory(path: &Path) -> Finding {
    if !path.exists() {
        return Finding::ok(format!(
            "{} is not there yet; the first start makes it",
            path.display()
        ));
    }
    let probe = path.join(format!("doctor-probe-{}", std::process::id()));
    let tried = std::fs::write(&probe, b"probe").and_then(|()| std::fs::remove_file(&probe));
    match tried {
        Ok(()) => Finding::ok(format!("{} can be written", path.display())),
        Err(e) => Finding::bad(
            PartState::Down,
            format!("{} cannot be written", path.display()),
            e.to_string(),
            "Give this user write permission there, or name another directory with --data-dir.",
        ),
    }
}

fn disk(path: &Path) -> Finding {
    let Some((free, total)) = machine::disk_bytes(path) else {
        return Finding::ok("the system does not say how much space is free");
    };
    let found = format!("{} of {} free at {}", bytes(free), bytes(total), path.display());
    let fix = "Free some space, or keep the data on another disk with --data-dir.";
    match free {
        n if n < NO_DISK => Finding::bad(
            PartState::Down,
            found,
            "There is no room for the database to grow.",
            fix,
        ),
        n if n < LITTLE_DISK => Finding::bad(
            PartState::Degraded,
            found,
            "That is little for chats and models.",
            fix,
        ),
        _ => Finding::ok(found),
    }
}

fn memory(config: &Config) -> Finding {
    let total = machine::memory_bytes();
    let chosen = model_files(config).and_then(|all| choose(&all, config, total));
    let Some(model) = chosen.filter(|_| config.engine.enabled) else {
        return Finding::ok(format!("{} may be used", bytes(total)));
    };
    let size = model.size_bytes.unwrap_or(0);
    let found = format!(
        "{} may be used; `{}` has {}",
        bytes(total),
        model.name,
        bytes(size)
    );
    if size > total / 10 * 8 {
        return Finding::bad(
            PartState::Degraded,
            found,
            "The model leaves no room for its context.",
            "Choose a smaller one: `goblin models suggest` names a model that fits.",
        );
    }
    Finding::ok(found)
}

fn clock(clock: &Clock) -> Finding {
    let now = clock.now();
    if now.0 < EARLIEST_MS {
        return Finding::bad(
            PartState::Degraded,
            format!("it shows {}", now.to_rfc3339()),
            "That is before this program was written; certificates and sessions will be refused.",
            "Set the clock, for example with `timedatectl set-ntp true`.",
        );
    }
    Finding::ok(format!("it shows {}", now.to_rfc3339()))
}

/// Where a local server is reached that listens on `address`.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(a) if a.ip().is_unspecified() => (Ipv4Addr::LOCALHOST, a.port()).into(),
        SocketAddr::V6(a) if a.ip().is_unspecified() => (Ipv6Addr::LOCALHOST, a.port()).into(),
        other => other,
    }
}

#[cfg(feature = "engine")]
fn engine(config: &Config) -> Finding {
    if !config.engine.enabled {
        return Finding::ok("switched off by engine.enabled");
    }
    let threads = config
        .engine
        .threads
        .unwrap_or_else(goblin_engine::threads::default_threads);
    match goblin_engine::SystemInfo::read() {
        Ok(info) => {
            let cpu = machine::cpu_features().join(", ");
            let avx2 = if info.avx2 || info.neon {
                ""
            } else {
                "; the engine was built without AVX2 and is slow"
            };
            Finding::ok(format!("{threads} threads; this CPU has {cpu}{avx2}"))
        }
        Err(e) => Finding::bad(
            PartState::Down,
            "the engine cannot run here",
            e.to_string(),
            "Use models of another machine: set LOCAL_LLM_PROXY_URL or OLLAMA_HOST.",
        ),
    }
}

#[cfg(not(feature = "engine"))]
fn engine(_: &Config) -> Finding {
    Finding::ok("not part of this build; models come from other servers")
}

/// This machine's model files, where they can be listed.
pub(crate) fn model_files(config: &Config) -> Option<Vec<ModelFile>> {
    ModelFiles::new(&DataPaths::new(&config.data_dir), Clock::System)
        .list()
        .ok()
}

fn models(config: &Config, upstreams: &[ProviderHandle]) -> Finding {
    let files = match ModelFiles::new(&DataPaths::new(&config.data_dir), Clock::System).list() {
        Ok(files) => files,
        Err(e) => {
            return Finding::bad(
                PartState::Down,
                "they cannot be listed",
                e.to_string(),
                "Correct that file or folder.",
            );
        }
    };
    let gone: Vec<&str> = files
        .iter()
        .filter(|f| f.size_bytes.is_none())
        .map(|f| f.name.as_str())
        .collect();
    if !gone.is_empty() {
        return Finding::bad(
            PartState::Degraded,
            format!(
                "{} of {} model files are gone: {}",
                gone.len(),
                files.len(),
                gone.join(", ")
            ),
            "They were moved or deleted after they were added.",
            "Put them back, or forget them with `goblin models rm NAME`.",
        );
    }
    if files.is_empty() && upstreams.is_empty() {
        return Finding::bad(
            PartState::Degraded,
            "there is none",
            "No model file was added and no other server is named.",
            crate::wiring::NO_MODEL_HELP,
        );
    }
    let names: Vec<&str> = files.iter().map(|f| f.name.as_str()).collect();
    Finding::ok(format!("{} on this machine: {}", names.len(), names.join(", ")))
}

/// What to do about a server that does not answer because of `why`.
pub(crate) fn remedy(config: &Config, id: &str, why: &str) -> String {
    let server = config.upstream.servers.iter().find(|s| s.id == id);
    let proxy = server.and_then(|s| s.way.proxy.as_ref());
    if proxy.is_some_and(|p| why.contains(&format!("the proxy {p} "))) {
        return format!(
            "Start that proxy, or correct or remove upstream.servers.{id}.proxy; the server is used again by itself."
        );
    }
    if why.contains("cannot be trusted") {
        return format!(
            "Correct the certificate of that server, or what is known of it here (ca_file and client_cert_file of \
             upstream.servers.{id})."
        );
    }
    "Start that server, or correct its address in the configuration; it is used again by itself.".to_owned()
}

fn upstream(config: &Config, handle: &ProviderHandle, status: &ProviderStatus) -> Finding {
    match &status.health {
        Health::Ok => {
            let away = status
                .models
                .iter()
                .filter(|m| !m.stays_local(handle.local))
                .count();
            let leaves = match away {
                0 => String::new(),
                n => format!("; what {n} of them are asked leaves your machines"),
            };
            let models = status.models.len();
            Finding::ok(format!("`{}` answers; {models} models{leaves}", handle.id))
        }
        Health::Starting(how) => Finding {
            state: PartState::Starting,
            found: format!("`{}` is starting: {how}", handle.id),
            cause: None,
            fix: None,
        },
        Health::Refused(why) => Finding::bad(
            PartState::Down,
            format!("`{}` refuses our key", handle.id),
            why.clone(),
            "Correct its key in the configuration (for a model tier: LOCAL_LLM_API_KEY, one for all or one for each) and \
             start again.",
        ),
        Health::Broken(why) => Finding::bad(
            PartState::Down,
            format!("`{}` answers, but nothing that could be used", handle.id),
            why.clone(),
            "Look at that server's log, and check that its address is the right one; it is used again by itself.",
        ),
        Health::Down(why) => Finding::bad(
            PartState::Down,
            format!("`{}` does not answer", handle.id),
            why.clone(),
            remedy(config, &handle.id, why),
        ),
    }
}

/// What works but should not stay as it is.
pub(crate) fn warnings(config: &Config) -> Vec<Finding> {
    let mut all = Vec::new();
    for server in config.upstream.servers.iter().filter(|s| s.is_exposed()) {
        all.push(Finding::bad(
            PartState::Degraded,
            format!("`{}` is at {}, by {}", server.id, server.url, server.source),
            "Its key and all text travel unencrypted over a public network.",
            "Use https, or a private network such as WireGuard. upstream.proxy_require_tls refuses it.",
        ));
    }
    let server = &config.server;
    let by_tls = server
        .frontend_url
        .iter()
        .any(|origin| origin.starts_with("https://"));
    if !server.address.ip().to_canonical().is_loopback() && server.trusted_proxies.is_empty() && !by_tls {
        all.push(Finding::bad(
            PartState::Degraded,
            format!("the backend listens on {} without TLS", server.address),
            "Within a private network passwords travel unencrypted; from elsewhere nobody can sign in.",
            "Put a proxy with TLS in front and name it in TRUSTED_PROXIES, or name the page's https address in \
             FRONTEND_URL.",
        ));
    }
    if is_public_address(config.tier.address.ip()) {
        all.push(Finding::bad(
            PartState::Degraded,
            format!("the model tier listens on {} without TLS", config.tier.address),
            "Keys and all text travel unencrypted to whoever reaches that address.",
            "Listen on 127.0.0.1 or a private address behind a proxy with TLS. tier.require_tls refuses it.",
        ));
    }
    all
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.found)?;
        for part in [&self.cause, &self.fix].into_iter().flatten() {
            write!(f, " {part}")?;
        }
        Ok(())
    }
}

/// Longest a look at one server may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use goblin_core::clock::Timestamp;
    use goblin_core::id::Ids;
    use goblin_core::model::ModelInfo;
    use goblin_core::provider::BoxFuture;
    use goblin_store::store::{Database, StoreOptions};

    #[test]
    fn a_clock_before_this_program_was_written_is_reported() {
        assert_eq!(clock(&Clock::manual(Timestamp(0))).state, PartState::Degraded);
        assert_eq!(clock(&Clock::manual(Timestamp(EARLIEST_MS))).state, PartState::Ok);
    }

    #[test]
    fn a_data_directory_that_is_a_file_is_reported_with_a_fix() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let finding = data_directory(file.path());
        assert_eq!(finding.state, PartState::Down);
        assert!(finding.cause.is_some() && finding.fix.is_some());
    }

    #[test]
    fn servers_on_all_addresses_are_reached_by_loopback() {
        assert_eq!(reachable("0.0.0.0:1".parse().unwrap()).to_string(), "127.0.0.1:1");
        assert_eq!(reachable("[::]:1".parse().unwrap()).to_string(), "[::1]:1");
        assert_eq!(reachable("10.0.0.1:1".parse().unwrap()).to_string(), "10.0.0.1:1");
    }

    #[tokio::test]
    async fn a_running_backend_tells_of_its_cache() {
        let flags = vec![("data.dir".to_owned(), "/".to_owned(), "--set".to_owned())];
        let request = crate::config::Request {
            flags,
            ..crate::config::Request::default()
        };
        let environment = crate::config::Environment::of(&[("HOME", "/h")]);
        let config = crate::config::load(&environment, &request).unwrap().config;
        let options = StoreOptions {
            database: Database::Memory,
            clock: Clock::System,
            ids: Ids::Random,
        };
        let store = Store::open(options).await.unwrap();
        let results = look_inside(&config, Some(&store), &[]).await;
        let cache = results.iter().find(|r| r.name == "cache").unwrap();
        assert_eq!((cache.state, cache.found.as_str()), (PartState::Ok, "memory"));
        assert!(
            look_inside(&config, None, &[])
                .await
                .iter()
                .all(|r| r.name != "cache")
        );
    }

    /// A provider with a local model and one that leaves the machine, and how often it was asked how it is.
    fn counted() -> (ProviderHandle, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let status = move || {
            count.fetch_add(1, Ordering::SeqCst);
            let far = ModelInfo {
                local: false,
                ..ModelInfo::named("far:cloud")
            };
            let status = ProviderStatus {
                health: Health::Ok,
                models: vec![ModelInfo::named("near"), far],
                slots: Some(1),
                free_slots: None,
                decode_tokens_per_second: None,
                prefill_tokens_per_second: None,
            };
            Box::pin(async move { status }) as BoxFuture<ProviderStatus>
        };
        let chat = Arc::new(|_| Box::pin(std::future::pending()) as BoxFuture<_>);
        (ProviderHandle::new("ollama", true, chat, Arc::new(status)), asked)
    }

    #[tokio::test]
    async fn a_server_is_asked_once_however_many_checks_read_what_it_says() {
        let dir = tempfile::tempdir().unwrap();
        let set = |key: &str, value: &str| (key.to_owned(), value.to_owned(), "--set".to_owned());
        let request = crate::config::Request {
            flags: vec![
                set("data.dir", dir.path().to_str().unwrap()),
                set("server.port", "0"),
                set("tier.port", "0"),
            ],
            ..crate::config::Request::default()
        };
        let environment = crate::config::Environment::of(&[("HOME", "/h")]);
        let config = crate::config::load(&environment, &request).unwrap().config;
        let (provider, asked) = counted();
        let results = look_around(&config, &[provider]).await;
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        let found = |name: &str| &results.iter().find(|r| r.name == name).unwrap().found;
        assert!(found("verdicts").contains("one answer at a time"), "{results:?}");
        assert_eq!(
            found("upstream:ollama"),
            "`ollama` answers; 2 models; what 1 of them are asked leaves your machines"
        );
    }
}
