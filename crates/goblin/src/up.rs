//! `goblin up`, `goblin serve` and `goblin models serve`: start, serve, stop in order.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use goblin_auth::keys::{TierKeys, write_first_key};
use goblin_dispatch::Dispatch;
use goblin_server::app::{Access, AppState, PageReports, RenderMetrics, Surface};
use goblin_server::serve::serve;
use goblin_server::tier_guard::TierGuard;
use goblin_store::data_dir::{DataDir, DataPaths};
use goblin_store::key_file::KeyFile;
use goblin_store::limits::KeyMeter;
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::embedded::Embedded;
use crate::notify::ServiceManager;
use crate::output::{Output, complain};
use crate::rates::Rates;
use crate::telemetry::exports::Exports;
use crate::wiring::{self, Process};
use crate::{accounts, checks, judge_records, roster, telemetry};

/// How long tasks may take to end after the last connection is gone.
const LAST_TASKS: Duration = Duration::from_secs(5);
/// How often the samples of metrics are taken in.
const UPKEEP_PERIOD: Duration = Duration::from_secs(5);
/// How often the tier looks whether its keys file has changed.
const KEYS_PERIOD: Duration = Duration::from_secs(2);
/// How often what the keys have used is written.
const USAGE_PERIOD: Duration = Duration::from_secs(5);

/// What to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Backend and engine.
    Up,
    /// Backend alone.
    Serve,
    /// Models alone.
    Tier,
}

/// Starts and serves until told to stop.
///
/// # Errors
///
/// Why it could not start, for the operator.
pub(crate) fn run(
    config: Config,
    mode: Mode,
    manager: ServiceManager,
    output: Output,
    exports: Exports,
) -> anyhow::Result<()> {
    let telemetry::Metrics { render, upkeep } = telemetry::start_metrics()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime")?;
    let process = Process {
        spans: exports.spans(),
        ..Process::new(config)
    };
    for warning in checks::warnings(&process.config) {
        tracing::warn!("{warning}");
    }
    runtime.block_on(async {
        wiring::repeat(&process, UPKEEP_PERIOD, move || {
            upkeep();
            std::future::ready(())
        });
        tell_alive(&process, &manager);
        let page = exports.page();
        let telling = exports.start(Arc::clone(&render))?;
        let served = match mode {
            Mode::Up | Mode::Serve => backend(process, mode, manager, output, (render, page)).await,
            Mode::Tier => tier(process, manager, output, render).await,
        };
        telling.close().await;
        served
    })
}

/// A sign of life, for as long as this runtime gets to its work.
fn tell_alive(process: &Process, manager: &ServiceManager) {
    if let Some(period) = manager.alive_every() {
        let manager = manager.clone();
        wiring::repeat(process, period, move || {
            manager.alive();
            std::future::ready(())
        });
    }
}

async fn backend(
    process: Process,
    mode: Mode,
    manager: ServiceManager,
    output: Output,
    (render_metrics, page): (RenderMetrics, Option<PageReports>),
) -> anyhow::Result<()> {
    let config = &process.config;
    // Before anything can be waited for: who reads the address may stop us at once.
    let stop = stop_signal(&process)?;
    // Held until the end: one goblin works on one data directory.
    let held = DataDir::open(&config.data_dir)?;
    let measured = judge_records::read(config)?;
    judge_records::announce(&measured);
    let listener = listen(config.server.address).await?;
    let address = listener.local_addr().context("the port")?;
    let store = wiring::open_store(&process).await?;
    let people = accounts::people(&process, &store, held.paths(), address).await?;
    let embedded = if mode == Mode::Up {
        Embedded::start(&process).await
    } else {
        Embedded::none()
    };
    let mut providers = wiring::upstreams(config, false)?;
    providers.extend(wiring::discover(config).await?);
    let nothing = providers.is_empty() && !embedded.has_something();
    providers.extend(embedded.handle());
    if nothing {
        tracing::warn!("{}", wiring::no_model_help(&providers));
    }
    let dispatch = wiring::dispatch(&process, Some(store.clone()), providers, measured);
    let rates = Rates::keep(&process, &dispatch).await;
    accounts::offer_setup(&people, held.paths(), output).await?;
    let app = wiring::app(
        &process,
        Surface::Backend,
        Access::People(people),
        Arc::clone(&dispatch),
        Some(store.clone()),
        &embedded,
        (render_metrics, page),
    );
    if let Some(clouds) = &app.clouds {
        (clouds.apply)().await;
    }
    output.line(format_args!(
        "goblin is ready: http://{}",
        checks::reachable(address)
    ));
    let until = serve_until_stopped(listener, app, stop, config.server.drain, &manager).await?;
    finish(&process, &dispatch, embedded, until).await;
    rates.write().await;
    store.close().await;
    Ok(())
}

async fn tier(
    process: Process,
    manager: ServiceManager,
    output: Output,
    render_metrics: RenderMetrics,
) -> anyhow::Result<()> {
    let config = &process.config;
    let stop = stop_signal(&process)?;
    let paths = DataPaths::new(&config.data_dir);
    std::fs::create_dir_all(paths.root())
        .with_context(|| format!("the data directory {} cannot be made", paths.root().display()))?;
    let keys = tier_keys(&process, &paths, output)?;
    let meter = key_meter(&process, &paths)?;
    let guard = TierGuard::new(
        keys,
        meter.clone(),
        config.tier.bans.clone(),
        process.clock.clone(),
    );
    let listener = listen(config.tier.address).await?;
    let address = listener.local_addr().context("the port")?;
    let embedded = Embedded::start(&process).await;
    let mut providers = wiring::upstreams(config, true)?;
    providers.extend(wiring::discover(config).await?);
    let nothing = providers.is_empty() && !embedded.has_something();
    providers.extend(embedded.handle());
    if nothing {
        tracing::warn!("{}", wiring::no_model_help(&providers));
    }
    let dispatch = wiring::dispatch(&process, None, providers, Arc::default());
    let rates = Rates::keep(&process, &dispatch).await;
    roster::warm_up(&process, &dispatch);
    let app = wiring::app(
        &process,
        Surface::Tier,
        Access::Tier(guard),
        Arc::clone(&dispatch),
        None,
        &embedded,
        (render_metrics, None),
    );
    output.line(format_args!(
        "goblin serves models: http://{} (a key is required)",
        checks::reachable(address)
    ));
    let until = serve_until_stopped(listener, app, stop, config.server.drain, &manager).await?;
    finish(&process, &dispatch, embedded, until).await;
    save_usage(meter).await;
    rates.write().await;
    Ok(())
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        Err(e) if e.kind() == std::io::ErrorKind::AddrInUse => bail!(
            "Port {} is taken by another program, or by a goblin that runs already (`goblin status` tells). Stop \
             that one, or choose another port with --port.",
            address.port()
        ),
        Err(e) => Err(e)
            .with_context(|| format!("{address} cannot be listened on; choose another with HOST and PORT")),
    }
}

/// The keys the tier accepts. The first start makes one: printed once to a terminal, else left in a private file.
fn tier_keys(process: &Process, paths: &DataPaths, output: Output) -> anyhow::Result<TierKeys> {
    let config = &process.config.tier;
    let file = KeyFile::open(config.keys_file.clone().unwrap_or_else(|| paths.tier_keys()))?;
    let (keys, first) = TierKeys::open(file, config.key.as_ref(), &process.clock, &mut rand::rngs::OsRng)?;
    if let Some(first) = first {
        if std::io::stdout().is_terminal() {
            output.line(format_args!(
                "The first key, shown this once: {}\nGive it to `goblin serve` as LOCAL_LLM_API_KEY.",
                first.key.expose_secret()
            ));
        } else {
            let path = paths.first_key();
            if let Err(error) = write_first_key(&path, &first) {
                // A key that nobody was told would lock everybody out of the next start.
                keys.file().delete_key(&first.name)?;
                return Err(error).with_context(|| format!("{} cannot be written", path.display()));
            }
            tracing::warn!(path = %path.display(), "made the first key; read it there, then delete the file");
        }
    }
    let in_file = keys.file().keys().len();
    if config.key.is_some() && in_file > 0 {
        let path = keys.file().path().display().to_string();
        tracing::warn!(
            path,
            keys = in_file,
            "the keys of the keys file are accepted beside LOCAL_LLM_API_KEY"
        );
    }
    let watched = keys.clone();
    wiring::repeat(process, KEYS_PERIOD, move || {
        let keys = watched.clone();
        async move {
            match tokio::task::spawn_blocking(move || keys.file().reload()).await {
                Ok(Ok(true)) => tracing::info!("the keys file was read again"),
                Ok(Err(error)) => {
                    tracing::warn!(%error, "the keys file cannot be read; the keys before hold")
                }
                Ok(Ok(false)) | Err(_) => {}
            }
        }
    });
    Ok(keys)
}

/// Counts what the keys use. The tokens of the day are kept in a file, written every few seconds.
fn key_meter(process: &Process, paths: &DataPaths) -> anyhow::Result<KeyMeter> {
    let meter = KeyMeter::open(paths.tier_usage(), process.clock.clone())?;
    let kept = meter.clone();
    wiring::repeat(process, USAGE_PERIOD, move || save_usage(kept.clone()));
    Ok(meter)
}

async fn save_usage(meter: KeyMeter) {
    if let Ok(Err(error)) = tokio::task::spawn_blocking(move || meter.save()).await {
        tracing::warn!(%error, "what the keys have used today is not kept");
    }
}

/// Cancelled by the first SIGTERM or SIGINT. The second one ends the process at once.
fn stop_signal(process: &Process) -> anyhow::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
    let stop = CancellationToken::new();
    let told = stop.clone();
    let drain = process.config.server.drain;
    // Not on the tracker: it waits for a second signal until the very end.
    #[allow(
        clippy::disallowed_methods,
        reason = "nothing waits for this task; it ends with the process"
    )]
    tokio::spawn(async move {
        let mut next = async || tokio::select! { _ = terminate.recv() => (), _ = interrupt.recv() => () };
        next().await;
        tracing::info!(
            seconds = drain.as_secs(),
            "stopping; streams under way may finish"
        );
        told.cancel();
        next().await;
        complain("stopped at once");
        std::process::exit(1);
    });
    Ok(stop)
}

/// Serves until told to stop and the last connection is gone. Returns when everything that runs must have ended.
async fn serve_until_stopped(
    listener: TcpListener,
    app: AppState,
    stop: CancellationToken,
    drain: Duration,
    manager: &ServiceManager,
) -> anyhow::Result<Instant> {
    manager.ready();
    let served = async {
        let served = serve(listener, app, stop.clone(), drain).await;
        stop.cancel();
        served
    };
    let told = async {
        stop.cancelled().await;
        manager.stopping();
        Instant::now()
    };
    let (served, told) = tokio::join!(served, told);
    served?;
    Ok(told + drain)
}

/// After the last connection: turns that nobody watches may finish as well, until `drain` after the signal. Then they
/// are cut, what they have is saved as incomplete, and the engine stops.
async fn finish(process: &Process, dispatch: &Dispatch, embedded: Embedded, until: Instant) {
    process.draining.cancel();
    process.tracker.close();
    let finished = tokio::time::timeout_at(until, process.tracker.wait()).await;
    dispatch.cut_turns();
    let saved = tokio::time::timeout(LAST_TASKS, process.tracker.wait()).await;
    embedded.stop().await;
    if finished.is_err()
        && saved.is_err()
        && tokio::time::timeout(LAST_TASKS, process.tracker.wait())
            .await
            .is_err()
    {
        tracing::warn!(tasks = process.tracker.len(), "tasks did not end in time");
    }
    tracing::info!("stopped");
}
