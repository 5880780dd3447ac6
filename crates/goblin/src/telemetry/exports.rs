//! Who is told what: queues and listeners made from the configuration, and the tasks that empty them.

use std::sync::Arc;
use std::time::Duration;

use goblin_core::clock::Clock;
use goblin_core::id::Ids;
use goblin_core::telemetry::otlp::{self, Protocol, Resource};
use goblin_core::telemetry::page::PageReport;
use goblin_core::telemetry::posthog::{self, ProductEvent};
use goblin_core::telemetry::prometheus;
use goblin_core::telemetry::sentry::{self, ErrorReport, Side};
use goblin_core::telemetry::span::{Listener, Span};
use goblin_net::{HttpClient, NetOptions, Url};
use goblin_server::app::{PageReports, RenderMetrics};
use goblin_store::rate_limits::RateLimiter;
use http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::queue::{Queue, Sink, Waiting, empty, queue};
use crate::config::{Otlp, TelemetryConfig};
use crate::up::Mode;

/// Most spans in one request.
const SPANS_AT_ONCE: usize = 512;
/// Most events of the page in one request.
const EVENTS_AT_ONCE: usize = 100;
/// Most errors waiting: each is a request of its own, and many alike say no more than one.
const MOST_ERRORS: usize = 128;
/// How long an error waits for nothing.
const NO_PAUSE: Duration = Duration::from_millis(100);
/// How long the last of it may take to be sent when the process ends.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// Largest answer that is read.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Everything that is told, not yet being told.
pub(crate) struct Exports {
    config: TelemetryConfig,
    service: String,
    clock: Clock,
    ids: Ids,
    spans: Option<(Queue<Span>, Waiting<Span>)>,
    errors: Option<(Queue<ErrorReport>, Waiting<ErrorReport>)>,
    events: Option<(Queue<ProductEvent>, Waiting<ProductEvent>)>,
}

impl Exports {
    /// Queues for whoever is configured.
    pub(crate) fn new(config: &TelemetryConfig, mode: Mode) -> Self {
        let own = match mode {
            Mode::Up | Mode::Serve => "goblin-backend",
            Mode::Tier => "goblin-models",
        };
        let most = config.queue;
        Self {
            service: config.service.clone().unwrap_or_else(|| own.to_owned()),
            clock: Clock::System,
            ids: Ids::Random,
            spans: config
                .traces
                .is_some()
                .then(|| queue("otlp_traces", most, SPANS_AT_ONCE)),
            errors: config
                .sentry
                .is_some()
                .then(|| queue("sentry", most.min(MOST_ERRORS), 1)),
            events: config
                .posthog
                .is_some()
                .then(|| queue("posthog", most, EVENTS_AT_ONCE)),
            config: config.clone(),
        }
    }

    /// Who hears of spans; `None` when nobody is told of them.
    pub(crate) fn spans(&self) -> Option<Listener> {
        let (queue, _) = self.spans.as_ref()?;
        let queue = queue.clone();
        Some(Listener::new(move |span| queue.offer(span)))
    }

    /// Where errors are put.
    pub(super) fn errors(&self) -> Option<Queue<ErrorReport>> {
        self.errors.as_ref().map(|(queue, _)| queue.clone())
    }

    /// Tells on what the page tells of itself; `None` when nobody wants it.
    pub(crate) fn page(&self) -> Option<PageReports> {
        let (errors, events) = (
            self.errors(),
            self.events.as_ref().map(|(queue, _)| queue.clone()),
        );
        if errors.is_none() && events.is_none() {
            return None;
        }
        let (clock, ids) = (self.clock.clone(), self.ids.clone());
        Some(PageReports {
            errors: errors.is_some(),
            events: events.is_some(),
            limiter: RateLimiter::memory(self.clock.clone()),
            forward: Arc::new(move |report: PageReport| {
                let at = clock.now();
                for error in errors.iter().flat_map(|_| &report.errors) {
                    let seen = ErrorReport {
                        id: ids.next_trace_id(),
                        at,
                        side: Side::Page,
                        fatal: false,
                        kind: error.plain_kind().to_owned(),
                        message: error.plain_message(),
                        frames: error.frames(),
                        tags: vec![("page", error.page.as_str().to_owned())],
                        trace: None,
                    };
                    errors.iter().for_each(|queue| queue.offer(seen.clone()));
                }
                for event in events.iter().flat_map(|_| &report.events) {
                    let done = ProductEvent {
                        id: ids.next_id(),
                        at,
                        visit: report.visit.clone(),
                        name: event.name,
                        page: event.page,
                    };
                    events.iter().for_each(|queue| queue.offer(done.clone()));
                }
            }),
        })
    }

    /// Begins to tell. `render` says what was counted. Must be called inside the runtime.
    ///
    /// # Errors
    /// When a client cannot be set up.
    pub(crate) fn start(mut self, render: RenderMetrics) -> anyhow::Result<Telling> {
        let telling = Telling {
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        self.tell_spans(&telling)?;
        self.tell_metrics(&telling, render)?;
        let Self {
            config,
            service,
            errors,
            events,
            ..
        } = self;
        let client = client(&config, None)?;
        let sink = |name, url, media_type| Sink {
            name,
            client: client.clone(),
            url,
            headers: HeaderMap::new(),
            media_type,
            wait: config.wait,
            failing: false,
        };
        if let (Some((_, items)), Some(dsn)) = (errors, &config.sentry) {
            let mut sink = sink(
                "sentry",
                Url::parse(dsn.endpoint())?,
                "application/x-sentry-envelope",
            );
            let mut authorization = HeaderValue::try_from(dsn.authorization())?;
            authorization.set_sensitive(true);
            let name = HeaderName::from_static("x-sentry-auth");
            sink.headers.insert(name, authorization);
            let origin = sentry::Origin {
                release: format!("goblin@{}", env!("CARGO_PKG_VERSION")),
                environment: config.environment.clone(),
                service: service.clone(),
            };
            let write = move |items: &[ErrorReport]| {
                let written = items.iter().map(|report| sentry::envelope(&origin, report));
                written.flatten().collect()
            };
            telling.tell(items, sink, NO_PAUSE, write);
        }
        if let (Some((_, items)), Some(posthog)) = (events, config.posthog) {
            let sink = sink("posthog", posthog.url, "application/json");
            let write =
                move |items: &[ProductEvent]| posthog::batch(posthog.key.expose_secret(), &service, items);
            telling.tell(items, sink, config.batch, write);
        }
        Ok(telling)
    }

    fn resource(&self) -> Resource {
        let own = [
            ("service.name", self.service.as_str()),
            ("service.version", env!("CARGO_PKG_VERSION")),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let given = self.config.attributes.iter();
        // The name has a variable of its own, which holds (OpenTelemetry's specification).
        let given = given.filter(|(name, _)| name != "service.name").cloned();
        Resource(own.into_iter().chain(given).collect())
    }

    fn otlp_sink(&self, name: &'static str, to: &Otlp) -> anyhow::Result<Sink> {
        Ok(Sink {
            name,
            client: client(&self.config, self.config.roots_pem.clone())?,
            url: to.url.clone(),
            headers: to.headers.clone(),
            media_type: to.protocol.media_type(),
            wait: self.config.wait,
            failing: false,
        })
    }

    fn tell_spans(&mut self, telling: &Telling) -> anyhow::Result<()> {
        let (Some((_, items)), Some(to)) = (self.spans.take(), self.config.traces.clone()) else {
            return Ok(());
        };
        let sink = self.otlp_sink("otlp_traces", &to)?;
        let resource = self.resource();
        let write = move |spans: &[Span]| otlp::traces(to.protocol, &resource, spans);
        telling.tell(items, sink, self.config.batch, write);
        Ok(())
    }

    /// Every so often, and at the end, everything that was counted since the start.
    fn tell_metrics(&self, telling: &Telling, render: RenderMetrics) -> anyhow::Result<()> {
        let Some(to) = self.config.metrics.clone() else {
            return Ok(());
        };
        let mut sink = self.otlp_sink("otlp_metrics", &to)?;
        let (resource, clock, every) = (self.resource(), self.clock.clone(), self.config.metrics_every);
        let since = now_ns(&clock);
        let stop = telling.stop.clone();
        telling.tasks.spawn(async move {
            let mut over = false;
            while !over {
                over = tokio::time::timeout(every, stop.cancelled()).await.is_ok();
                let families = prometheus::read(&render());
                let body = otlp::metrics(to.protocol, &resource, &families, since, now_ns(&clock));
                sink.deliver(body, families.len()).await;
            }
        });
        Ok(())
    }
}

fn now_ns(clock: &Clock) -> u64 {
    u64::try_from(clock.now().0)
        .unwrap_or(0)
        .saturating_mul(1_000_000)
}

fn client(config: &TelemetryConfig, roots_pem: Option<Vec<u8>>) -> anyhow::Result<HttpClient> {
    let options = NetOptions {
        first_byte_timeout: config.wait,
        idle_timeout: config.wait,
        max_body_bytes: MAX_ANSWER_BYTES,
        max_idle_per_host: 1,
        roots_pem,
        ..NetOptions::default()
    };
    Ok(HttpClient::build(options)?)
}

/// Does a collector take requests? It is asked with an empty one.
///
/// # Errors
/// Why not, in words for the operator.
pub(crate) async fn reach(config: &TelemetryConfig, to: &Otlp) -> Result<(), String> {
    let sink = Sink {
        name: "otlp",
        client: client(config, config.roots_pem.clone()).map_err(|error| error.to_string())?,
        url: to.url.clone(),
        headers: to.headers.clone(),
        media_type: to.protocol.media_type(),
        wait: config.wait.min(LAST_WORDS),
        failing: false,
    };
    let nothing = match to.protocol {
        Protocol::Protobuf => Vec::new(),
        Protocol::Json => b"{}".to_vec(),
    };
    sink.takes(nothing).await
}

/// What is being told. It goes on until [`Self::close`].
pub(crate) struct Telling {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Telling {
    fn tell<T: Send + Sync + 'static>(
        &self,
        items: Waiting<T>,
        sink: Sink,
        collect: Duration,
        write: impl Fn(&[T]) -> Vec<u8> + Send + Sync + 'static,
    ) {
        self.tasks
            .spawn(empty(items, sink, collect, write, self.stop.clone()));
    }

    /// Sends what is left, as far as a few seconds allow.
    pub(crate) async fn close(self) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(LAST_WORDS, self.tasks.wait()).await.is_err() {
            tracing::warn!("the last of the telemetry could not be delivered in time");
        }
    }
}
