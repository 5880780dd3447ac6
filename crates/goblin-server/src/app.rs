//! What every handler shares.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::cost_reports::CostReports;
use crate::page_assets::Asset;
use crate::people::People;
use crate::tier_guard::TierGuard;
use goblin_auth::identity::Identity;
use goblin_auth::vault::Vault;
use goblin_core::attachment::AttachmentLimits;
use goblin_core::checks::{CheckResult, RunChecks};
use goblin_core::clock::{Clock, Timestamp};
use goblin_core::costs::CostPlan;
use goblin_core::error::ApiError;
use goblin_core::id::Ids;
use goblin_core::limits::MAX_BODY_BYTES;
use goblin_core::provider::BoxFuture;
use goblin_core::provider_settings::{CloudState, CloudTest};
use goblin_core::status::{Outcomes, SystemStatus};
use goblin_core::telemetry::page::PageReport;
use goblin_core::telemetry::sampler::{Pace, Sampler};
use goblin_core::telemetry::span::Listener;
use goblin_dispatch::Dispatch;
use goblin_store::rate_limits::RateLimiter;
use goblin_store::responses::KeepResponses;
use goblin_store::store::Store;
use http::StatusCode;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Which set of routes is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// Page, chats and API doors (port 8001).
    Backend,
    /// Models behind a key (port 8002).
    Tier,
}

/// Who may come in.
#[derive(Clone, Debug)]
pub enum Access {
    /// People with accounts; in local mode, where nobody signs in, whoever sits at this machine.
    People(People),
    /// A key is required.
    Tier(TierGuard),
}

/// Bounds of the HTTP surface. Every one has a default fit for one box.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Largest request body, in bytes.
    pub max_body_bytes: usize,
    /// Most headers of one request; more is 431.
    pub max_headers: usize,
    /// Largest request head, in bytes; more is 431.
    pub max_header_bytes: usize,
    /// Longest wait for a request's head; later is 408. Bounds the idle time of a kept-alive connection as well.
    pub header_timeout: Duration,
    /// Longest time a request's body may take to arrive; later is 408.
    pub body_timeout: Duration,
    /// How long a client may take nothing of what is written to it; then its connection is cut.
    pub write_timeout: Duration,
    /// Most connections at once; further ones wait in the kernel's backlog.
    pub max_connections: usize,
    /// Most requests at once, streams included; further ones are refused with 503. Health is exempt.
    pub max_requests: usize,
    /// How long the status line is held for the first content event.
    pub wait_for_first: Duration,
    /// How long a stream may be silent before a comment is sent.
    pub ping_every: Duration,
    /// How long a non-streaming answer may take; then 504.
    pub answer_timeout: Duration,
    /// How old a result of the checks behind `/health/all` may be.
    pub checks_max_age: Duration,
    /// How long responses are kept whose caller asks for it, and how many; `None`: they are refused.
    pub keep_responses: Option<KeepResponses>,
    /// Bounds of files attached to questions.
    pub attachments: AttachmentLimits,
    /// Which requests are told as spans, and to whom; `None`: none, and the trace a request comes with is passed on unchanged.
    pub spans: Option<TellSpans>,
    /// What the configuration says about costs.
    pub costs: CostPlan,
}

/// Requests as spans.
#[derive(Clone, Debug)]
pub struct TellSpans {
    /// Which of them.
    pub sampler: Sampler,
    /// How many of them.
    pub pace: Arc<Pace>,
    /// To whom.
    pub listener: Listener,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            max_body_bytes: MAX_BODY_BYTES,
            max_headers: 100,
            max_header_bytes: 64 * 1024,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(60),
            max_connections: 4096,
            max_requests: 1024,
            wait_for_first: Duration::from_secs(10),
            ping_every: Duration::from_secs(15),
            answer_timeout: Duration::from_secs(110),
            checks_max_age: Duration::from_secs(2),
            keep_responses: Some(KeepResponses::default()),
            attachments: AttachmentLimits::default(),
            spans: None,
            costs: CostPlan::default(),
        }
    }
}

/// Writes every metric in the Prometheus text format.
pub type RenderMetrics = Arc<dyn Fn() -> String + Send + Sync>;
/// Says how everything is.
pub type DescribeSystem = Arc<dyn Fn() -> BoxFuture<SystemStatus> + Send + Sync>;

/// Says what holds for every cloud and how it is.
pub type DescribeClouds = Arc<dyn Fn() -> BoxFuture<Result<Vec<CloudState>, ApiError>> + Send + Sync>;
/// Tries the cloud with this id.
pub type TestCloud = Arc<dyn Fn(String) -> BoxFuture<Result<CloudTest, ApiError>> + Send + Sync>;
/// Brings the clouds to what is kept of them.
pub type ApplyClouds = Arc<dyn Fn() -> BoxFuture<()> + Send + Sync>;

/// Ports to the clouds known by name, which admins set up while the server runs.
#[derive(Clone)]
pub struct CloudPorts {
    /// Says what holds for each and how it is.
    pub describe: DescribeClouds,
    /// Tries the one with this id.
    pub test: TestCloud,
    /// What is kept has changed: from now on it holds.
    pub apply: ApplyClouds,
}

/// Takes what the page tells of itself. Never waits.
pub type PageEvent = Arc<dyn Fn(PageReport) + Send + Sync>;

/// Port to whoever is told of errors and events of the page.
#[derive(Clone)]
pub struct PageReports {
    /// Are errors wanted?
    pub errors: bool,
    /// Are events?
    pub events: bool,
    /// Tells them on.
    pub forward: PageEvent,
    /// Counts reports, by address.
    pub limiter: RateLimiter,
}

/// The parts wiring puts together.
pub struct App {
    /// Which routes are served.
    pub surface: Surface,
    /// Carries turns out.
    pub dispatch: Arc<Dispatch>,
    /// Remembers chats; the model tier has none.
    pub store: Option<Store>,
    /// Tells the time.
    pub clock: Clock,
    /// Makes request ids.
    pub ids: Ids,
    /// Who may come in.
    pub access: Access,
    /// Bounds.
    pub options: ServerOptions,
    /// Port: Prometheus text.
    pub render_metrics: RenderMetrics,
    /// Port: the checks behind `/health/all`.
    pub checks: RunChecks,
    /// Port: what `/api/status` answers.
    pub system_status: DescribeSystem,
    /// Port: whoever is told of errors and events of the page; `None`: nobody.
    pub page_event: Option<PageReports>,
    /// Clouds; the model tier has none.
    pub clouds: Option<CloudPorts>,
    /// Cancelled when the process is going down: readiness turns off.
    pub draining: CancellationToken,
    /// Owns every task that outlives its request.
    pub tracker: TaskTracker,
    /// The page's files: [`crate::page_assets::embedded`].
    pub page: &'static [Asset],
    /// The last result of the checks.
    pub checks_cache: ChecksCache,
    /// The last reports of what months cost.
    pub cost_reports: CostReports,
    /// Files being taken in.
    pub uploads: Uploads,
    /// What came of requests.
    pub answered: Answered,
}

/// Counts of requests since this process began.
#[derive(Debug, Default)]
pub struct Answered {
    requests: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
}

impl Answered {
    /// A request was answered with this status.
    pub(crate) fn with(&self, status: StatusCode) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if status.is_client_error() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        } else if status.is_server_error() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl App {
    /// The store, on surfaces that have one.
    pub(crate) fn store(&self) -> Result<&Store, ApiError> {
        self.store.as_ref().ok_or_else(|| ApiError::not_found("path"))
    }

    /// The same, once what was answered before is written down: who was answered can read of it.
    pub(crate) async fn written_store(&self) -> Result<&Store, ApiError> {
        self.dispatch.written_down().await;
        self.store()
    }

    /// What came of everything that was asked.
    pub(crate) fn outcomes(&self) -> Outcomes {
        Outcomes {
            requests: self.answered.requests.load(Ordering::Relaxed),
            refused: self.answered.refused.load(Ordering::Relaxed),
            failed: self.answered.failed.load(Ordering::Relaxed),
            ..self.dispatch.outcomes()
        }
    }

    /// The accounts, on surfaces that have them.
    pub(crate) fn identity(&self) -> Result<&Identity, ApiError> {
        match &self.access {
            Access::People(people) => Ok(&people.identity),
            Access::Tier(_) => Err(ApiError::not_found("path")),
        }
    }

    /// Keys of providers, on surfaces that have them.
    pub(crate) fn vault(&self) -> Result<&Vault, ApiError> {
        match &self.access {
            Access::People(people) => Ok(&people.vault),
            Access::Tier(_) => Err(ApiError::not_found("path")),
        }
    }

    /// The clouds, on surfaces that have them.
    pub(crate) fn clouds(&self) -> Result<&CloudPorts, ApiError> {
        self.clouds.as_ref().ok_or_else(|| ApiError::not_found("path"))
    }
}

/// The last result of the checks and when it was made. The lock is held while checks run, so that many
/// callers cause one run.
#[derive(Debug, Default)]
pub struct ChecksCache(pub(crate) tokio::sync::Mutex<Option<(Timestamp, Vec<CheckResult>)>>);

/// Most files taken in at once.
const UPLOADS: usize = 8;

/// Places for files that are being taken in, each of which is whole in memory until it is kept.
#[derive(Debug)]
pub struct Uploads(Semaphore);

impl Default for Uploads {
    fn default() -> Self {
        Self(Semaphore::new(UPLOADS))
    }
}

impl Uploads {
    /// A place, in the order they were asked for; held until it is dropped.
    pub(crate) async fn take(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        self.0.acquire().await.ok()
    }
}

/// What handlers extract: a shared [`App`].
#[derive(Clone)]
pub struct AppState(pub Arc<App>);

impl std::ops::Deref for AppState {
    type Target = App;

    fn deref(&self) -> &App {
        &self.0
    }
}

impl std::fmt::Debug for AppState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppState")
            .field("surface", &self.surface)
            .finish_non_exhaustive()
    }
}
