//! The live table of providers, and the admission gate of each.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::future::join_all;
use goblin_core::admission::desk::Terms;
use goblin_core::admission::rates::Prior;
use goblin_core::model::{ModelInfo, ModelState};
use goblin_core::provider::{Health, ProviderHandle, ProviderStatus};
use goblin_core::route::{Absent, Away, LOCAL, Offer};
use tokio_util::task::TaskTracker;

use crate::gate::{Gate, Gates};
use crate::last_known::{Known, LastKnown};

/// Providers by place in the table; swapped whole.
pub(crate) struct Table {
    providers: ArcSwap<Vec<ProviderHandle>>,
    known: LastKnown,
    gates: Gates,
    /// Most requests at once to a model of a provider that is not the operator's and does not say it.
    cloud_at_once: Option<u32>,
}

/// What a provider said of itself as a whole.
#[derive(Clone, Copy, Default)]
pub(crate) struct Standing {
    slots: Option<u32>,
    prefill: Option<f64>,
    decode: Option<f64>,
}

impl Standing {
    pub(crate) fn of(status: &ProviderStatus) -> Self {
        Self {
            slots: status.slots,
            prefill: status.prefill_tokens_per_second,
            decode: status.decode_tokens_per_second,
        }
    }

    /// The terms of one of its models.
    pub(crate) fn terms(self, model: &ModelInfo, max_waiting: usize, deadline: Option<Duration>) -> Terms {
        Terms {
            slots: model.slots.or(self.slots),
            max_waiting,
            deadline,
            prior: Prior {
                prefill: model.prefill_tokens_per_second.or(self.prefill),
                decode: model.decode_tokens_per_second.or(self.decode),
                size_bytes: model.size_bytes,
            },
            queue: model.queue,
        }
    }
}

/// Must the model be loaded, as far as its provider says? One that does not even know sizes does not know that.
pub(crate) fn says_cold(model: &ModelInfo) -> bool {
    match model.state {
        ModelState::Loading => true,
        ModelState::Available => model.size_bytes.is_some(),
        ModelState::Loaded | ModelState::Down => false,
    }
}

/// What the table shows at one moment.
pub(crate) struct View {
    pub(crate) offers: Vec<Offer>,
    pub(crate) absent: Vec<Absent>,
    standings: HashMap<Arc<str>, Standing>,
    providers: Arc<Vec<ProviderHandle>>,
    /// Were only those on the operator's machines asked?
    from_here: bool,
}

impl View {
    pub(crate) fn provider(&self, id: &str) -> Option<&ProviderHandle> {
        self.providers.iter().find(|p| &*p.id == id)
    }

    pub(crate) fn standing(&self, provider: &str) -> Standing {
        self.standings.get(provider).copied().unwrap_or_default()
    }

    /// Is a place here a place there: on a machine of the operator's, of which it is known how many answers this model
    /// makes at once? A cloud says "full" and means it.
    pub(crate) fn is_gated(&self, offer: &Offer) -> bool {
        let slots = offer.model.slots.or(self.standing(&offer.provider).slots);
        offer.provider_local && slots.is_some()
    }

    pub(crate) fn providers(&self) -> &[ProviderHandle] {
        &self.providers
    }

    /// Is the question one that certainly stays on the operator's machines?
    pub(crate) fn is_from_here(&self) -> bool {
        self.from_here
    }

    /// The providers that were asked how they are.
    pub(crate) fn asked(&self) -> impl Iterator<Item = &ProviderHandle> {
        self.providers.iter().filter(|p| p.local || !self.from_here)
    }

    /// Is a model of this name one of a provider that is not on the operator's machines? Also where nobody knows which
    /// models that has.
    pub(crate) fn is_elsewhere(&self, wanted: &str) -> bool {
        is_of(&self.providers, wanted, |provider| !provider.local)
    }
}

/// Does `wanted` name, as `provider/model`, a model of a provider of which `holds` is true?
fn is_of(providers: &[ProviderHandle], wanted: &str, holds: fn(&ProviderHandle) -> bool) -> bool {
    let named = wanted.split_once('/').map(|(provider, _)| provider);
    named.is_some_and(|id| providers.iter().any(|p| &*p.id == id && holds(p)))
}

impl Table {
    /// An empty table; `tracker` owns the tasks that ask providers how they are.
    pub(crate) fn new(tracker: TaskTracker, cloud_at_once: Option<u32>) -> Self {
        Self {
            providers: ArcSwap::default(),
            known: LastKnown::new(tracker),
            gates: Gates::default(),
            cloud_at_once,
        }
    }

    pub(crate) fn replace(&self, providers: Vec<ProviderHandle>) {
        self.gates.retain(|id| providers.iter().any(|p| &*p.id == id));
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

    /// As [`Self::statuses`], with how well each is known.
    pub(crate) async fn known(&self) -> Vec<(ProviderHandle, Known)> {
        let providers = self.providers.load_full();
        let asked = providers
            .iter()
            .map(|p| async { (p.clone(), self.known.known(p).await) });
        join_all(asked).await
    }

    /// Every provider is asked how it is.
    pub(crate) async fn view(&self) -> View {
        let providers = self.providers.load_full();
        let statuses = join_all(providers.iter().map(|p| self.known.status(p))).await;
        let said = providers.iter().zip(statuses);
        self.seen(&providers, said, false)
    }

    /// As [`Self::view`], for a question that certainly stays on the operator's machines: providers elsewhere are not asked
    /// how they are, so that no connection is opened to them. They are shown as they last said they were.
    pub(crate) async fn view_from_here(&self) -> View {
        let providers = self.providers.load_full();
        let asked = providers.iter().map(|provider| async move {
            match provider.local {
                true => Some(self.known.status(provider).await),
                false => self.known.last(provider),
            }
        });
        let statuses = join_all(asked).await;
        let said = providers.iter().zip(statuses);
        self.seen(
            &providers,
            said.filter_map(|(p, status)| Some((p, status?))),
            true,
        )
    }

    /// The view for a question that names `wanted`: from here, when that is a model of a provider here or the name for those.
    pub(crate) async fn view_for(&self, wanted: &str, local_only: bool) -> View {
        let is_here = || is_of(&self.providers.load(), wanted, |provider| provider.local);
        if local_only || wanted == LOCAL || is_here() {
            self.view_from_here().await
        } else {
            self.view().await
        }
    }

    /// The view of what providers said.
    fn seen<'a>(
        &self,
        providers: &'a Arc<Vec<ProviderHandle>>,
        said: impl Iterator<Item = (&'a ProviderHandle, ProviderStatus)>,
        from_here: bool,
    ) -> View {
        let mut view = View {
            offers: Vec::new(),
            absent: Vec::new(),
            standings: HashMap::new(),
            providers: Arc::clone(providers),
            from_here,
        };
        for (provider, status) in said {
            if let Some(why) = Away::of(&status.health) {
                view.absent.push(Absent {
                    provider: Arc::clone(&provider.id),
                    why,
                });
            }
            let mut standing = Standing::of(&status);
            if !provider.local {
                standing.slots = standing.slots.or(self.cloud_at_once);
            }
            view.standings.insert(Arc::clone(&provider.id), standing);
            if status.health == Health::Ok {
                self.gate(&provider.id).look(&status.models);
                view.offers.extend(status.models.into_iter().map(|model| Offer {
                    provider: Arc::clone(&provider.id),
                    provider_local: provider.local,
                    health: Health::Ok,
                    model,
                }));
            }
        }
        view
    }

    /// The gate of a provider.
    pub(crate) fn gate(&self, provider: &Arc<str>) -> Arc<Gate> {
        self.gates.of(provider)
    }
}
