//! Money on its way: what one answer uses and costs, which budgets bound it, and what is reserved for it.
//!
//! A [`Tab`] goes with a request from its beginning to its end. Every model that is asked for it, judges too, is asked
//! through [`Tab::ask`], which reserves what that may cost at most before anything is sent. Once a second what requests
//! under way have used is written down, so that a process that dies takes no more than that with it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use goblin_core::api_key::ApiKey;
use goblin_core::budget::{Bound, BudgetKind, OnReached, Reached, Rule, Spender, bounds};
use goblin_core::clock::{Clock, Timestamp};
use goblin_core::error::ApiError;
use goblin_core::event::{Parsed, Usage};
use goblin_core::money::{Asking, Bill, Ledger, NanoUsd, usd};
use goblin_core::owner::Owner;
use goblin_core::policy::Policy;
use goblin_core::route::{LOCAL, Ladder, Offer};
use goblin_core::trust::Settings;
use goblin_store::error::StoreError;
use goblin_store::spending::{Booking, Hold, OpenUsage, Reserved, Spent};
use goblin_store::store::Store;
use goblin_store::usage::NewUsage;

use crate::Dispatch;
use crate::answer::Who;
use crate::attempt::Attempt;
use crate::job::Job;
use crate::plan::Question;
use crate::table::View;

/// How old what is known of a tenant's budgets may be.
const KNOWN_FOR_MS: u64 = 1_000;

/// What the operator set about money.
#[derive(Clone, Debug, Default)]
pub struct MoneyOptions {
    /// `provider/model` at whose price local answers are held.
    pub baseline: Option<String>,
    /// Budgets of the configuration; those in the database stand beside them.
    pub budgets: Arc<[Rule]>,
}

/// What every tab of a process shares.
pub(crate) struct Purse {
    /// The model tier has none: nothing is booked there.
    store: Option<Store>,
    policy: Policy,
    options: MoneyOptions,
    clock: Clock,
    ids: goblin_core::id::Ids,
    /// The budgets of each tenant.
    known: Mutex<HashMap<String, Known>>,
    /// Requests under way that cost something.
    open: Mutex<Vec<Weak<Inner>>>,
}

/// The budgets of a tenant, and when they were read.
struct Known {
    at: Timestamp,
    rules: Arc<[Rule]>,
}

/// Why a model may not be asked.
#[derive(Debug)]
pub(crate) enum Denied {
    /// A budget has no room for it.
    Reached(Box<Reached>),
    /// It has no price, and there is a budget.
    NoPrice,
    /// The database could not be asked.
    Away(StoreError),
}

/// Everything one request uses.
#[derive(Clone)]
pub struct Tab(Arc<Inner>);

struct Inner {
    purse: Arc<Purse>,
    /// The id its row in the usage will have.
    id: String,
    owner: Owner,
    key: Option<Arc<ApiKey>>,
    request_id: String,
    door: String,
    turn: OnceLock<String>,
    /// Does somebody book it in the end? Only then is something reserved.
    booked: bool,
    state: Mutex<State>,
    /// One after the other: what is reserved is reckoned from all that was asked before.
    reserving: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    ledger: Ledger,
    /// The budgets that bound it, once that was looked up.
    bounds: Option<Arc<[Bound]>>,
    /// What is reserved of each.
    held: Vec<NanoUsd>,
    /// What was written down of each.
    written: Vec<NanoUsd>,
    /// Did it change since it was last written down?
    grew: bool,
    /// Is there, or will there be, a row of it?
    opened: bool,
    over: bool,
    /// The budget that had no room.
    reached: Option<Reached>,
    notes: Vec<String>,
    /// How it was closed, for whoever books it together with something else.
    closed: Option<NewUsage>,
}

impl Purse {
    pub(crate) fn new(
        store: Option<Store>,
        policy: Policy,
        options: MoneyOptions,
        clock: Clock,
        ids: goblin_core::id::Ids,
    ) -> Arc<Self> {
        Arc::new(Self {
            store,
            policy,
            options,
            clock,
            ids,
            known: Mutex::default(),
            open: Mutex::default(),
        })
    }

    /// Every budget of a tenant, as it was a second ago at the earliest.
    async fn rules(&self, store: &Store, tenant: &str) -> Result<Arc<[Rule]>, StoreError> {
        let now = self.clock.now();
        if let Some(known) = lock(&self.known).get(tenant)
            && now.ms_since(known.at) < KNOWN_FOR_MS
        {
            return Ok(Arc::clone(&known.rules));
        }
        let kept = store.list_budgets(tenant).await?;
        let all = self.options.budgets.iter().cloned();
        let all: Arc<[Rule]> = all.chain(kept.into_iter().map(|row| row.rule)).collect();
        let known = Known {
            at: now,
            rules: Arc::clone(&all),
        };
        lock(&self.known).insert(tenant.to_owned(), known);
        Ok(all)
    }

    /// Is nothing under way that costs something?
    pub(crate) fn is_idle(&self) -> bool {
        lock(&self.open).iter().all(|tab| tab.strong_count() == 0)
    }

    /// Writes down how requests under way stand.
    pub(crate) async fn write_down(&self) {
        let Some(store) = &self.store else { return };
        let mut grown = Vec::new();
        lock(&self.open).retain(|tab| {
            let Some(inner) = tab.upgrade() else { return false };
            let tab = Tab(inner);
            if let Some(open) = tab.grown() {
                grown.push((tab.clone(), open));
            }
            !tab.state().over
        });
        let rows: Vec<OpenUsage> = grown.iter().map(|(_, open)| open.clone()).collect();
        match store.checkpoint_usage(&rows).await {
            Ok(()) => {
                for (tab, open) in &grown {
                    tab.state().written = open.spent.iter().map(|(_, nano)| *nano).collect();
                }
            }
            Err(error) => {
                tracing::error!(%error, requests = rows.len(), "what requests cost was not written down; trying again");
                for (tab, _) in &grown {
                    tab.state().grew = true;
                }
            }
        }
    }
}

impl Tab {
    /// Of a request. `booked`: somebody books it in the end.
    pub(crate) fn new(purse: &Arc<Purse>, who: &Who, door: &str, request_id: &str, booked: bool) -> Self {
        Self(Arc::new(Inner {
            purse: Arc::clone(purse),
            id: purse.ids.next_id(),
            owner: who.owner.clone(),
            key: who.api_key.clone(),
            request_id: request_id.to_owned(),
            door: door.to_owned(),
            turn: OnceLock::new(),
            booked: booked && purse.store.is_some(),
            state: Mutex::default(),
            reserving: tokio::sync::Mutex::new(()),
        }))
    }

    /// It is that of a chat's turn.
    pub(crate) fn is_of_turn(&self, turn: &str) {
        // Said once.
        let _ = self.0.turn.set(turn.to_owned());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }

    /// A model is about to be asked: what it may cost is reserved. Gives the number of the request to it.
    pub(crate) async fn ask(&self, asking: Asking) -> Result<usize, Denied> {
        if asking.local || !self.0.booked {
            let mut state = self.state();
            state.grew = true;
            return Ok(state.ledger.ask(asking));
        }
        let _turn = self.0.reserving.lock().await;
        self.reserve(&asking).await?;
        let mut state = self.state();
        let first = !state.ledger.is_paid();
        state.grew = true;
        let call = state.ledger.ask(asking);
        drop(state);
        if first {
            lock(&self.0.purse.open).push(Arc::downgrade(&self.0));
        }
        Ok(call)
    }

    async fn reserve(&self, asking: &Asking) -> Result<(), Denied> {
        let Some(store) = &self.0.purse.store else {
            return Ok(());
        };
        let bounds = self.bounds(store).await.map_err(Denied::Away)?;
        let counting: Vec<usize> = (0..bounds.len())
            .filter(|at| bounds[*at].scope.counts(&asking.model))
            .collect();
        if counting.is_empty() {
            return Ok(());
        }
        let (mut ledger, held) = {
            let state = self.state();
            (state.ledger.clone(), state.held.clone())
        };
        ledger.ask(asking.clone());
        let mut holds = Vec::new();
        for at in &counting {
            let bound = &bounds[*at];
            let most = ledger.most(&self.0.purse.policy, |model| bound.scope.counts(model));
            let nano = most.ok_or(Denied::NoPrice)?.max(held[*at]);
            let bound = bound.clone();
            holds.push(Hold { bound, nano });
        }
        if counting
            .iter()
            .zip(&holds)
            .all(|(at, hold)| hold.nano <= held[*at])
        {
            return Ok(());
        }
        let open = self.open_row(&self.state());
        match store.reserve(&open, &holds).await.map_err(Denied::Away)? {
            Reserved::Held => {
                let mut state = self.state();
                state.opened = true;
                for (at, hold) in counting.iter().zip(holds) {
                    state.held[*at] = hold.nano;
                }
                Ok(())
            }
            Reserved::Reached(reached) => {
                self.state().reached = Some((*reached).clone());
                Err(Denied::Reached(reached))
            }
        }
    }

    /// The budgets that bound it.
    async fn bounds(&self, store: &Store) -> Result<Arc<[Bound]>, StoreError> {
        if let Some(bounds) = &self.state().bounds {
            return Ok(Arc::clone(bounds));
        }
        let Owner { tenant, user } = &self.0.owner;
        let rules = self.0.purse.rules(store, tenant).await?;
        let teams = match rules.iter().any(|rule| rule.kind == BudgetKind::Team) {
            true => store.list_team_ids(tenant, user).await?,
            false => Vec::new(),
        };
        let spender = Spender {
            user,
            key: self.0.key.as_deref(),
            teams: &teams,
        };
        let found: Arc<[Bound]> = bounds(&rules, spender, self.0.purse.clock.now()).into();
        let mut state = self.state();
        state.held = vec![0; found.len()];
        state.written = vec![0; found.len()];
        state.bounds = Some(Arc::clone(&found));
        Ok(found)
    }

    /// The used-up budget because of which only local models may be asked, when there is one.
    pub(crate) async fn keeps_local(&self) -> Result<Option<String>, StoreError> {
        let Some(store) = self.0.purse.store.as_ref().filter(|_| self.0.booked) else {
            return Ok(None);
        };
        let bounds = self.bounds(store).await?;
        let whole =
            |bound: &&Bound| bound.on_reached == OnReached::Local && bound.scope.kind != BudgetKind::Model;
        for bound in bounds.iter().filter(whole) {
            let (spent, reserved) = store.find_spending(&self.0.owner.tenant, &bound.scope).await?;
            let reached = Reached {
                bound: bound.clone(),
                spent,
                reserved,
                needed: 0,
            };
            if reached.is_used_up() {
                return Ok(Some(local_because(&reached)));
            }
        }
        Ok(None)
    }

    /// Why a local model is to answer instead, when the budget that had no room wants that.
    pub(crate) fn degrades(&self) -> Option<String> {
        let state = self.state();
        let reached = state.reached.as_ref()?;
        (reached.bound.on_reached == OnReached::Local).then(|| local_because(reached))
    }

    /// The budget that had no room, as an error.
    pub(crate) fn refusal(&self) -> Option<ApiError> {
        let now = self.0.purse.clock.now();
        self.state().reached.as_ref().map(|reached| reached.error(now))
    }

    /// A sentence for the trace.
    pub(crate) fn note(&self, note: String) {
        let mut state = self.state();
        if !state.notes.contains(&note) {
            state.notes.push(note);
        }
    }

    /// What the trace is to say.
    pub(crate) fn notes(&self) -> Vec<String> {
        self.state().notes.clone()
    }

    /// An event of a model's answer.
    pub(crate) fn said(&self, call: usize, parsed: &Parsed) {
        let mut state = self.state();
        state.ledger.said(call, parsed);
        state.grew = true;
    }

    /// How often a model was asked to answer.
    pub(crate) fn times_asked(&self, model: &str) -> usize {
        self.state().ledger.times_asked(model)
    }

    /// A model's server counted this.
    pub(crate) fn counted(&self, call: usize, usage: Usage) {
        self.said(call, &Parsed::Usage(usage));
    }

    /// A model's server failed.
    pub(crate) fn failed(&self, call: usize) {
        self.state().ledger.failed(call);
    }

    /// What a request to a model used so far, and what that cost in US dollars; `None`: it has no price.
    pub(crate) fn came_to(&self, call: usize) -> (Usage, Option<f64>) {
        let (used, cost) = self.state().ledger.came_to(call, &self.0.purse.policy);
        (used, cost.map(usd))
    }

    /// What it comes to; `delivered`: the model whose answer it is.
    pub(crate) fn bill(&self, delivered: Option<&str>) -> Bill {
        let Purse { policy, options, .. } = &*self.0.purse;
        self.state()
            .ledger
            .bill(policy, delivered, options.baseline.as_deref())
    }

    /// Leaves the row it was closed with to whoever books it.
    pub(crate) fn leave(&self, row: NewUsage) {
        self.state().closed = Some(row);
    }

    /// Takes that row.
    pub(crate) fn take_closed(&self) -> Option<NewUsage> {
        self.state().closed.take()
    }

    /// Ends it: fills `row` with what it used and cost. Nothing is written down of it any more.
    pub(crate) fn close(&self, row: &mut NewUsage) {
        let delivered = row.provider.as_ref().zip(row.model.as_ref());
        let delivered = delivered.map(|(provider, model)| format!("{provider}/{model}"));
        let bill = self.bill(delivered.as_deref());
        row.tokens = bill.tokens;
        row.cost = bill.cost;
        row.estimated = bill.estimated;
        row.would_have_cost = bill.would_have_cost;
        row.key = self.0.key.as_ref().map(|key| key.id.clone());
        let mut state = self.state();
        state.over = true;
        if delivered.is_none() && bill.tokens.total() > 0 {
            // Nothing of it was seen, but its model was at work.
            if let Some((model, local)) = state.ledger.last_asked() {
                (row.provider, row.model) = split(model);
                row.local = Some(local);
            }
        }
        if !state.opened {
            return;
        }
        let spent = self.spent(&state).into_iter().zip(&state.written);
        row.booking = Booking {
            id: self.0.id.clone(),
            spent: spent
                .map(|((scope, nano), written)| Spent {
                    scope,
                    nano,
                    written: *written,
                })
                .collect(),
        };
    }

    /// What it has used since it was last asked, when that changed and costs something.
    fn grown(&self) -> Option<OpenUsage> {
        let mut state = self.state();
        if state.over || !state.grew || !state.ledger.is_paid() {
            return None;
        }
        state.grew = false;
        state.opened = true;
        Some(self.open_row(&state))
    }

    fn spent(&self, state: &State) -> Vec<(goblin_core::budget::Scope, NanoUsd)> {
        let policy = &self.0.purse.policy;
        let of = |bound: &Bound| {
            let cost = state.ledger.cost(policy, |model| bound.scope.counts(model));
            (bound.scope.clone(), cost.unwrap_or(0))
        };
        state
            .bounds
            .iter()
            .flat_map(|bounds| bounds.iter())
            .map(of)
            .collect()
    }

    fn open_row(&self, state: &State) -> OpenUsage {
        let bill = state.ledger.bill(&self.0.purse.policy, None, None);
        let (provider, model) = state
            .ledger
            .last_asked()
            .map_or((None, None), |(id, _)| split(id));
        OpenUsage {
            id: self.0.id.clone(),
            owner: self.0.owner.clone(),
            key: self.0.key.as_ref().map(|key| key.id.clone()),
            request_id: self.0.request_id.clone(),
            door: self.0.door.clone(),
            turn: self.0.turn.get().cloned(),
            model,
            provider,
            local: state.ledger.last_asked().map(|(_, local)| local),
            tokens: bill.tokens,
            cost: bill.cost,
            at: self.0.purse.clock.now(),
            spent: self.spent(state),
        }
    }
}

impl Denied {
    /// The same as a public error about a model.
    pub(crate) fn error(&self, model: &str, tab: &Tab) -> ApiError {
        match self {
            Self::Reached(reached) => reached.error(tab.0.purse.clock.now()),
            Self::NoPrice => {
                let error = ApiError::forbidden(format!(
                    "`{model}` has no price, and what is spent is bounded by a budget. Its operator can give it one \
                     (`prices.models` in the configuration); until then ask another model."
                ));
                ApiError {
                    param: Some("model".to_owned()),
                    ..error
                }
            }
            Self::Away(error) => ApiError {
                internal: Some(error.to_string()),
                ..ApiError::unavailable("The budgets could not be looked at. Try again in a moment.")
            },
        }
    }

    /// May another model be asked instead?
    pub(crate) fn next_may_help(&self) -> bool {
        match self {
            Self::Reached(reached) => {
                reached.bound.scope.kind == BudgetKind::Model || reached.bound.on_reached == OnReached::Local
            }
            Self::NoPrice => true,
            Self::Away(_) => false,
        }
    }
}

impl Attempt {
    /// What it would cost may not be spent.
    pub(crate) fn denied(candidate: &Offer, denied: &Denied, tab: &Tab) -> Self {
        Self {
            next_may_help: denied.next_may_help(),
            ..Self::unasked(denied.error(&candidate.id(), tab))
        }
    }
}

impl Dispatch {
    /// The settings of an answer that may be checked: nothing leaves the operator's machines when a budget that is used
    /// up wants a local model, and there is one.
    ///
    /// # Errors
    /// `unavailable` when the budgets cannot be read.
    pub(crate) async fn within_means(
        &self,
        tab: &Tab,
        ladder: &Ladder,
        settings: Settings,
    ) -> Result<Settings, ApiError> {
        if !ladder.candidates.iter().any(Offer::stays_local) {
            return Ok(settings);
        }
        let because = tab.keeps_local().await;
        let Some(because) = because.map_err(|error| Denied::Away(error).error("", tab))? else {
            return Ok(settings);
        };
        tab.note(because);
        Ok(Settings {
            local_only: true,
            ..settings
        })
    }

    /// The local models that answer in the place of one there is no money for, where the budget wants that.
    pub(crate) async fn local_instead(&self, view: &View, job: &Job, tab: &Tab) -> Option<Ladder> {
        let (because, Job::Chat(request)) = (tab.degrades()?, job) else {
            return None;
        };
        let chosen = self.choose(view, &Question::bare(LOCAL, request)).await.ok()?;
        tab.note(because);
        Some(Ladder {
            explicit: true,
            ..chosen.ladder
        })
    }
}

fn local_because(reached: &Reached) -> String {
    format!("A local model was asked because {}, was reached.", reached.name())
}

/// `provider/model` apart.
fn split(id: &str) -> (Option<String>, Option<String>) {
    let parts = id.split_once('/');
    parts
        .map(|(provider, model)| (provider.to_owned(), model.to_owned()))
        .unzip()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
