//! Carries a turn out: resolves who answers, waits for a place, streams the answer, meters it, and, for chats,
//! saves it. Meets models only as [`goblin_core::provider::ProviderHandle`].
//!
//! Two kinds of callers, two meanings of leaving. An API door polls an [`answer::AnswerStream`]: dropping it cancels
//! the upstream. A chat turn runs in a tracked task that owns saving: readers come and go, and only stop, deadline
//! or the end of the process ends it.

pub mod answer;
pub mod cache;
pub mod cascade;
pub mod chat_turn;
pub mod context;
pub mod evaluate;
pub mod judge;
pub mod measured;
pub mod money;
pub mod once;
pub mod plan;
pub mod traces;
pub mod upstreams;
pub mod warm_up;

mod attachments;
mod attempt;
mod books;
mod checkpoint;
mod choose;
mod climb;
mod continuation;
mod gate;
mod hedge;
mod job;
mod last_known;
mod manage;
mod meter;
mod prompt;
mod runner;
pub mod span;
mod table;
mod tier;

use std::sync::Arc;
use std::time::Duration;

use goblin_core::chat::{ChatRequest, Untranslated};
use goblin_core::clock::Clock;
use goblin_core::error::ApiError;
use goblin_core::id::Ids;
use goblin_core::policy::Policy;
use goblin_core::provider::{ProviderHandle, ProviderStatus};
use goblin_core::resilience::hedge::Hedging;
use goblin_core::resilience::retry::Retries;
use goblin_core::roster::Roster;
use goblin_core::route::alias::Aliases;
use goblin_core::route::{AUTOMATIC, Offer};
use goblin_core::telemetry::span::Listener;
use goblin_store::store::Store;
use goblin_store::turn_log::TurnLog;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cache::Caching;
use crate::cascade::Trust;
use crate::money::MoneyOptions;
use crate::plan::Question;

/// What the operator may set.
#[derive(Clone, Debug)]
pub struct Options {
    /// Most requests waiting for a place at one model of one provider, verdicts apart.
    pub max_waiting: usize,
    /// Longest a chat turn may take, from question to last token.
    pub turn_deadline: Duration,
    /// How often a request that failed before its first content is made again, when nobody else can answer it. The model
    /// tier makes none again: who asks it does.
    pub retries: Retries,
    /// After how long without content the next model is asked beside the first. The model tier asks none: who asks it does.
    pub hedging: Hedging,
    /// Are models that keep failing left alone for a while?
    pub breaks: bool,
    /// What becomes of a wish that a model cannot take. The model tier refuses it: who asks it leaves it out and tells.
    pub untranslated: Untranslated,
    /// The preferred model, `provider/model` or a bare name.
    pub default_model: Option<String>,
    /// Names the operator gave to models.
    pub aliases: Aliases,
    /// Where answers are kept to be given again; the model tier has none.
    pub caching: Option<Caching>,
    /// Most requests at once to one model of a provider that is not the operator's and does not say how many it takes;
    /// `None`: as many as come.
    pub cloud_at_once: Option<u32>,
    /// What to run when no model is there: a sentence with the command.
    pub no_model_help: String,
    /// How often open turns are saved, all in one transaction.
    pub checkpoint_every: Duration,
    /// The models that are to be held ready, and for how long each; none where another tier looks after that.
    pub roster: Roster,
    /// Which role answers what, and what models are worth and cost.
    pub policy: Policy,
    /// How answers are checked that are not those of a model addressed by its own name.
    pub trust: Arc<Trust>,
    /// Names traces.
    pub ids: Ids,
    /// What holds for money.
    pub money: MoneyOptions,
    /// Who hears of spans. Without one, a trace that comes in is passed on as it is.
    pub spans: Option<Listener>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_waiting: 64,
            turn_deadline: Duration::from_secs(600),
            retries: Retries::NONE,
            hedging: Hedging::default(),
            breaks: false,
            untranslated: Untranslated::default(),
            default_model: None,
            aliases: Aliases::default(),
            caching: None,
            cloud_at_once: Some(256),
            no_model_help: "There is no model yet. Run `make models` to fetch the starter model, or \
                            `goblin models add FILE.gguf` to use one of yours."
                .to_owned(),
            checkpoint_every: Duration::from_secs(1),
            roster: Roster::default(),
            policy: Policy::default(),
            trust: Arc::default(),
            ids: Ids::Random,
            money: MoneyOptions::default(),
            spans: None,
        }
    }
}

/// What a [`Dispatch`] is made of.
pub struct Parts {
    /// Where turns and usage are kept; the model tier has none.
    pub store: Option<Store>,
    /// Where running turns are read from.
    pub turn_log: TurnLog,
    /// Time.
    pub clock: Clock,
    /// Every task spawned here is tracked by it.
    pub tracker: TaskTracker,
    /// Cancelled when the process begins to drain: no new chat turns.
    pub draining: CancellationToken,
    /// Settings.
    pub options: Options,
}

/// The room that carries turns out. Cheap to clone through its `Arc`.
pub struct Dispatch {
    pub(crate) store: Option<Store>,
    pub(crate) turn_log: TurnLog,
    pub(crate) clock: Clock,
    pub(crate) tracker: TaskTracker,
    pub(crate) draining: CancellationToken,
    pub(crate) options: Options,
    /// Names the policy in force.
    pub(crate) policy_version: String,
    pub(crate) table: table::Table,
    pub(crate) sessions: choose::Sessions,
    /// Answers that are being made and may be given to others as well.
    pub(crate) flights: cache::Flights,
    /// What requests left behind, on its way into the database.
    pub(crate) books: books::Books,
    pub(crate) open_turns: checkpoint::OpenTurns,
    pub(crate) traces: traces::Traces,
    pub(crate) purse: Arc<money::Purse>,
    /// What the warm-up brings into memory now.
    pub(crate) warming: warm_up::Warming,
    /// Cancelled when running turns must end.
    pub(crate) cut: CancellationToken,
}

impl Dispatch {
    /// A dispatch without providers; [`Self::replace_providers`] gives it some. Must be called inside a tokio
    /// runtime: it starts the task that saves open turns.
    pub fn new(parts: Parts) -> Arc<Self> {
        let purse = money::Purse::new(
            parts.store.clone(),
            parts.options.policy.clone(),
            parts.options.money.clone(),
            parts.clock.clone(),
            parts.options.ids.clone(),
        );
        let books = books::Books::new(parts.store.clone(), parts.clock.clone(), parts.tracker.clone());
        let dispatch = Arc::new(Self {
            purse,
            traces: traces::Traces::new(parts.store.clone(), parts.tracker.clone(), books.clone()),
            store: parts.store,
            turn_log: parts.turn_log,
            clock: parts.clock,
            table: table::Table::new(parts.tracker.clone(), parts.options.cloud_at_once),
            tracker: parts.tracker,
            draining: parts.draining,
            policy_version: parts.options.policy.version(),
            options: parts.options,
            sessions: choose::Sessions::default(),
            flights: cache::Flights::default(),
            books,
            open_turns: checkpoint::OpenTurns::default(),
            warming: warm_up::Warming::default(),
            cut: CancellationToken::new(),
        });
        if let Some(store) = dispatch.store.clone() {
            let saver = Arc::clone(&dispatch);
            dispatch.tracker.spawn(checkpoint::save_while_open(saver, store));
        }
        dispatch
    }

    /// Replaces the live table of providers. Answers under way keep the handle they have.
    pub fn replace_providers(&self, providers: Vec<ProviderHandle>) {
        self.table.replace(providers);
    }

    /// Every model of every provider that answers now.
    pub async fn offers(&self) -> Vec<Offer> {
        self.table.view().await.offers
    }

    /// The model that `goblin` means now, `provider/model`.
    ///
    /// # Errors
    /// Why there is none: what to run, or who is away.
    pub async fn default_model(&self) -> Result<String, ApiError> {
        let view = self.table.view().await;
        let request = ChatRequest::default();
        let ladder = self
            .choose(&view, &Question::bare(AUTOMATIC[0], &request))
            .await?
            .ladder;
        let first = ladder.candidates.first().map(Offer::id);
        first.ok_or_else(|| ApiError::no_provider(self.options.no_model_help.clone()))
    }

    /// Every provider.
    pub fn providers(&self) -> Vec<ProviderHandle> {
        self.table.providers()
    }

    /// Every provider and how it is, asked concurrently.
    pub async fn providers_status(&self) -> Vec<(ProviderHandle, ProviderStatus)> {
        self.table.statuses().await
    }

    /// Names the policy in force: another one has another version.
    pub fn policy_version(&self) -> &str {
        &self.policy_version
    }

    /// The operator's settings.
    pub fn options(&self) -> &Options {
        &self.options
    }
}
