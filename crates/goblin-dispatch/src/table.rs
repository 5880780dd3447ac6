//! The live table of providers, and the admission gate of each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use futures_util::future::join_all;
use goblin_core::provider::{Health, ProviderHandle, ProviderStatus};
use goblin_core::route::{Absent, Away, Offer};
use tokio_util::task::TaskTracker;

use crate::last_known::LastKnown;
use crate::queue::Gate;

/// Providers by place in the table; swapped whole.
pub(crate) struct Table {
    providers: ArcSwap<Vec<ProviderHandle>>,
    known: LastKnown,
    gates: Mutex<HashMap<Arc<str>, Arc<Gate>>>,
}

/// What the table shows at one moment.
pub(crate) struct View {
    pub(crate) offers: Vec<Offer>,
    pub(crate) absent: Vec<Absent>,
    slots: HashMap<Arc<str>, u32>,
    providers: Arc<Vec<ProviderHandle>>,
}

impl View {
    pub(crate) fn provider(&self, id: &str) -> Option<&ProviderHandle> {
        self.providers.iter().find(|p| &*p.id == id)
    }
}

impl Table {
    /// An empty table; `tracker` owns the tasks that ask providers how they are.
    pub(crate) fn new(tracker: TaskTracker) -> Self {
        Self {
            providers: ArcSwap::default(),
            known: LastKnown::new(tracker),
            gates: Mutex::default(),
        }
    }

    pub(crate) fn replace(&self, providers: Vec<ProviderHandle>) {
        self.providers.store(Arc::new(providers));
        self.known.forget();
    }

    pub(crate) fn providers(&self) -> Vec<ProviderHandle> {
        self.providers.load_full().to_vec()
    }

    pub(crate) async fn statuses(&self) -> Vec<(ProviderHandle, ProviderStatus)> {
        let providers = self.providers.load_full();
        let asked = providers
            .iter()
            .map(|p| async { (p.clone(), self.known.status(p).await) });
        join_all(asked).await
    }

    pub(crate) async fn view(&self) -> View {
        let providers = self.providers.load_full();
        let statuses = join_all(providers.iter().map(|p| self.known.status(p))).await;
        let mut view = View {
            offers: Vec::new(),
            absent: Vec::new(),
            slots: HashMap::new(),
            providers: Arc::clone(&providers),
        };
        for (provider, status) in providers.iter().zip(statuses) {
            if let Some(why) = Away::of(&status.health) {
                view.absent.push(Absent {
                    provider: Arc::clone(&provider.id),
                    why,
                });
            }
            if let Some(slots) = status.slots {
                view.slots.insert(Arc::clone(&provider.id), slots);
            }
            if status.health == Health::Ok {
                view.offers.extend(status.models.into_iter().map(|model| Offer {
                    provider: Arc::clone(&provider.id),
                    local: provider.local,
                    health: Health::Ok,
                    model,
                }));
            }
        }
        view
    }

    /// The gate of a provider that said how many answers it can make at once.
    pub(crate) fn gate(&self, view: &View, provider: &Arc<str>) -> Option<Arc<Gate>> {
        let places = *view.slots.get(provider)?;
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        match gates.get(provider) {
            Some(gate) if gate.places() == places => Some(Arc::clone(gate)),
            _ => {
                let gate = Arc::new(Gate::new(places));
                gates.insert(Arc::clone(provider), Arc::clone(&gate));
                Some(gate)
            }
        }
    }
}
