//! Who is asked first: the model by its name, those that can do what is wanted, and among several servers with the
//! same model the one that would begin soonest.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use goblin_core::context_rule::likely_tokens;
use goblin_core::error::{ApiError, ErrorCode};
use goblin_core::maker::Maker;
use goblin_core::model::{Capability, ModelState};
use goblin_core::provider::ProviderHandle;
use goblin_core::route::alias::{self, Target};
use goblin_core::route::{self, AUTOMATIC, LOCAL, Ladder, Needs, Offer};

use crate::Dispatch;
use crate::gate::Visit;
use crate::table::{View, says_cold};

/// Conversations remembered with the server that has their prefix.
const SESSIONS: usize = 4096;
/// A conversation stays with its server though another would begin this much sooner; more, where reading the prompt
/// again takes longer.
const STAY: Duration = Duration::from_millis(250);
/// Servers that begin within the same so many milliseconds are alike: then the one with fewer requests is asked.
const ALIKE_MS: u128 = 50;
/// Models named in "models that can".
const NAMED: usize = 5;

/// What a model is asked to do other than chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ability {
    Complete,
    Embed,
    Decide,
}

impl Ability {
    fn of(self, provider: &ProviderHandle, offer: &Offer) -> bool {
        match self {
            Self::Complete => {
                let can = offer.model.can(Capability::Complete) || offer.model.can(Capability::Chat);
                provider.complete.is_some() && can
            }
            Self::Embed => provider.embed.is_some() && offer.model.can(Capability::Embed),
            Self::Decide => provider.decide.is_some() && offer.model.can(Capability::Decide),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Complete => "continue a text without a chat template",
            Self::Embed => "make embeddings",
            Self::Decide => "answer typed questions with probabilities",
        }
    }
}

impl Dispatch {
    /// The candidates of a name.
    pub(crate) fn resolve(&self, view: &View, wanted: &str, needs: &Needs) -> Result<Ladder, ApiError> {
        match self.options.aliases.get(wanted) {
            Some(targets) => self.resolve_alias(view, wanted, targets, needs),
            None => self.resolve_named(view, wanted, needs),
        }
    }

    /// Those of an alias's models that are there and can do it, in its order.
    fn resolve_alias(
        &self,
        view: &View,
        wanted: &str,
        targets: &[Target],
        needs: &Needs,
    ) -> Result<Ladder, ApiError> {
        let (mut candidates, mut why) = (Vec::new(), None);
        for target in alias::ordered(targets, rand::random()) {
            match self.resolve_named(view, &target.model, needs) {
                Ok(ladder) => candidates.extend(ladder.candidates),
                Err(error) => {
                    why.get_or_insert(error);
                }
            }
        }
        match why.filter(|_| candidates.is_empty()) {
            Some(mut error) => {
                error.message = format!(
                    "None of the models `{wanted}` stands for can answer. {}",
                    error.message
                );
                Err(error)
            }
            None => Ok(Ladder {
                rungs: candidates.len(),
                candidates,
                explicit: true,
                alias: true,
            }),
        }
    }

    fn resolve_named(&self, view: &View, wanted: &str, needs: &Needs) -> Result<Ladder, ApiError> {
        let table = self.known(view);
        if needs.local_only && view.is_elsewhere(wanted) {
            return Err(route::not_local(wanted));
        }
        let found = route::resolve(wanted, needs, &table).or_else(|error| {
            // Ollama's clients leave out `:latest`, or put it in.
            let bare = wanted.rsplit('/').next().unwrap_or(wanted);
            let other = match wanted.strip_suffix(":latest") {
                Some(untagged) => Some(untagged.to_owned()),
                None => (!bare.contains(':')).then(|| format!("{wanted}:latest")),
            };
            other
                .and_then(|name| route::resolve(&name, needs, &table).ok())
                .ok_or(error)
        });
        found.map_err(|error| match self.keyless(view, wanted, &error) {
            Some(told) => told,
            None => naming_who_was_asked(error, view),
        })
    }

    /// A model of a cloud is asked for that has no key, or is switched off.
    fn keyless(&self, view: &View, wanted: &str, error: &ApiError) -> Option<ApiError> {
        let unknown = matches!(error.code, ErrorCode::ModelNotFound | ErrorCode::NoProvider);
        let (provider, _) = wanted.split_once('/').filter(|_| unknown)?;
        let maker = Maker::of(provider).filter(|maker| view.provider(maker.id()).is_none())?;
        let shown: String = wanted.chars().take(100).collect();
        Some(ApiError::no_provider(format!(
            "`{provider}` has no key on this server or is switched off, so `{shown}` cannot be asked. An admin sets it up \
             under Providers, or the server's operator sets {} and starts it again.",
            maker.key_variable()
        )))
    }

    /// What is known when choosing.
    pub(crate) fn known<'a>(&'a self, view: &'a View) -> route::Table<'a> {
        route::Table {
            offers: &view.offers,
            absent: &view.absent,
            default_model: self.options.default_model.as_deref(),
            no_model_help: &self.options.no_model_help,
        }
    }

    /// When a model's first token is expected, from now.
    pub(crate) fn begins(&self, view: &View, offer: &Offer, visit: &Visit) -> Duration {
        self.standing(view, offer, visit).begins
    }

    /// The candidates of a name for a chat. A model that only makes embeddings is none.
    pub(crate) fn resolve_chat(&self, view: &View, wanted: &str, needs: &Needs) -> Result<Ladder, ApiError> {
        let mut ladder = self.resolve(view, wanted, needs)?;
        let chats = |o: &Offer| o.model.can(Capability::Chat);
        if !ladder.candidates.iter().any(chats) {
            let who = ladder.candidates.first().map(Offer::id);
            return Err(unable(
                who,
                "hold a conversation",
                view.offers.iter().filter(|o| chats(o)),
            ));
        }
        ladder.candidates.retain(chats);
        Ok(ladder)
    }

    /// The candidates of a name that can do something other than chat.
    pub(crate) fn resolve_able(
        &self,
        view: &View,
        wanted: &str,
        ability: Ability,
    ) -> Result<Ladder, ApiError> {
        let can = |offer: &Offer| {
            view.provider(&offer.provider)
                .is_some_and(|p| ability.of(p, offer))
        };
        let automatic = AUTOMATIC.contains(&wanted);
        let mut alias = false;
        let named = if automatic {
            let local_only = wanted == LOCAL;
            let mut all: Vec<Offer> = view
                .offers
                .iter()
                .filter(|o| o.stays_local() || !local_only)
                .cloned()
                .collect();
            all.sort_by_key(|o| (o.model.starter, !o.stays_local()));
            all
        } else {
            let ladder = self.resolve(view, wanted, &Needs::default())?;
            alias = ladder.alias;
            ladder.candidates
        };
        let candidates: Vec<Offer> = named.iter().filter(|o| can(o)).cloned().collect();
        if candidates.is_empty() {
            if automatic && view.offers.is_empty() {
                return Err(naming_who_was_asked(route::nobody(&self.known(view)), view));
            }
            let who = named.first().filter(|_| !automatic).map(Offer::id);
            return Err(unable(
                who,
                ability.words(),
                view.offers.iter().filter(|o| can(o)),
            ));
        }
        Ok(Ladder {
            rungs: candidates.len(),
            candidates,
            explicit: !automatic,
            alias,
        })
    }

    /// Puts servers of the same model in the order in which they would begin; other models keep their place.
    /// Among equals the order of the configuration holds.
    pub(crate) fn balanced(&self, view: &View, ladder: &Ladder, visit: &Visit, session: u64) -> Vec<Offer> {
        if ladder.alias {
            return ladder.candidates.clone();
        }
        let mut left: VecDeque<Offer> = ladder.candidates.iter().cloned().collect();
        let mut ordered = Vec::with_capacity(left.len());
        if !ladder.explicit
            && let Some(first) = left.front()
            && self.options.default_model.as_deref() == Some(&*first.id())
        {
            // The operator prefers exactly this one.
            ordered.extend(left.pop_front());
        }
        while let Some(first) = left.pop_front() {
            let same = |o: &Offer| o.model.name == first.model.name && o.stays_local() == first.stays_local();
            let (mut group, others): (Vec<Offer>, Vec<Offer>) = left.into_iter().partition(same);
            left = others.into();
            group.insert(0, first);
            if group.len() > 1 {
                self.order_group(view, &mut group, visit, session);
            }
            ordered.append(&mut group);
        }
        ordered
    }

    fn order_group(&self, view: &View, group: &mut [Offer], visit: &Visit, session: u64) {
        let mut judged: Vec<(Standing, Offer)> = group
            .iter()
            .map(|offer| (self.standing(view, offer, visit), offer.clone()))
            .collect();
        judged.sort_by_key(|(s, _)| (s.last_choice, s.begins.as_millis() / ALIKE_MS, s.running));
        if let Some(home) = self.sessions.home(session, &judged[0].1.model.name)
            && let Some(at) = judged.iter().position(|(_, o)| o.provider == home)
        {
            let (stays, best) = (judged[at].0, judged[0].0);
            if stays.last_choice == best.last_choice && stays.begins <= best.begins + stays.reading.max(STAY)
            {
                judged[..=at].rotate_right(1);
            }
        }
        for (place, (_, offer)) in group.iter_mut().zip(judged) {
            *place = offer;
        }
    }

    fn standing(&self, view: &View, offer: &Offer, visit: &Visit) -> Standing {
        let gate = self.table.gate(&offer.provider);
        let model = Arc::from(offer.model.name.as_str());
        let terms = view
            .standing(&offer.provider)
            .terms(&offer.model, self.options.max_waiting, None);
        let load = gate.load(&model);
        let forecast = gate.forecast(&model, visit, says_cold(&offer.model), &terms);
        let tokens = visit
            .tokens
            .unwrap_or_else(|| likely_tokens(visit.bytes, load.rates.bytes_per_token()));
        let here = load.running + load.waiting;
        let way = offer.model.queue.map_or(Duration::ZERO, |queue| queue.way);
        Standing {
            last_choice: load.cooling
                || offer.model.state == ModelState::Down
                || offer.model.context_window.is_some_and(|w| tokens >= w),
            begins: forecast.until_first_token(),
            reading: forecast.first_token.unwrap_or_default().saturating_sub(way),
            running: match offer.model.queue {
                Some(queue) => queue.there(u32::try_from(here).unwrap_or(u32::MAX)) as usize,
                None => here,
            },
        }
    }
}

/// How an instance compares with another of the same model.
#[derive(Clone, Copy)]
struct Standing {
    /// It failed a moment ago, or its context is too small.
    last_choice: bool,
    /// Until the first token.
    begins: Duration,
    /// Of that, the part that a cached prefix saves.
    reading: Duration,
    /// Requests there, ours and those of others its provider tells of.
    running: usize,
}

/// "No such model" says which servers were asked.
pub(crate) fn naming_who_was_asked(mut error: ApiError, view: &View) -> ApiError {
    if error.code == ErrorCode::ModelNotFound {
        let absent = |id: &str| view.absent.iter().any(|a| &*a.provider == id);
        let (away, asked): (Vec<String>, Vec<String>) = view
            .asked()
            .map(|p| format!("`{}`", p.id))
            .partition(|id| absent(id.trim_matches('`')));
        if !asked.is_empty() {
            error.message.push_str(&format!(" Asked: {}.", asked.join(", ")));
        }
        if !away.is_empty() {
            error
                .message
                .push_str(&format!(" Not answering now: {}.", away.join(", ")));
        }
    }
    error
}

/// A 400 that names the models that can. `who` is absent when any model would have done.
fn unable<'a>(who: Option<String>, to: &str, able: impl Iterator<Item = &'a Offer>) -> ApiError {
    let mut names: Vec<String> = able.map(|o| format!("`{}`", o.id())).collect();
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let hint = match (names.is_empty(), more) {
        (true, _) => "No model on offer can.".to_owned(),
        (false, 0) => format!("Models that can: {}.", names.join(", ")),
        (false, more) => format!("Models that can: {} and {more} more.", names.join(", ")),
    };
    let message = match who {
        Some(who) => format!("`{who}` cannot {to}. {hint}"),
        None => format!("The request needs a model that can {to}. {hint}"),
    };
    ApiError::invalid("model", message)
}

/// Which server has a conversation's prefix. Bounded; the oldest conversations are forgotten.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<Homes>);

#[derive(Default)]
struct Homes {
    of: HashMap<u64, Arc<str>>,
    order: VecDeque<u64>,
}

impl Sessions {
    /// The provider that answered this conversation last.
    fn home(&self, session: u64, model: &str) -> Option<Arc<str>> {
        let homes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        homes.of.get(&with_model(session, model)).cloned()
    }

    /// The conversation's prefix for `model` is now with `provider`.
    pub(crate) fn settle(&self, session: u64, model: &str, provider: &Arc<str>) {
        let session = with_model(session, model);
        let mut homes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if homes.of.insert(session, Arc::clone(provider)).is_none() {
            homes.order.push_back(session);
            if homes.order.len() > SESSIONS
                && let Some(oldest) = homes.order.pop_front()
            {
                homes.of.remove(&oldest);
            }
        }
    }
}

fn with_model(session: u64, model: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (session, model).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversations_are_remembered_within_a_bound() {
        let sessions = Sessions::default();
        for session in 0..(SESSIONS as u64 + 10) {
            sessions.settle(session, "m", &"a".into());
            sessions.settle(session, "m", &"b".into());
        }
        assert_eq!(sessions.home(9, "m"), None);
        assert_eq!(sessions.home(SESSIONS as u64 + 9, "m").as_deref(), Some("b"));
        assert_eq!(sessions.0.lock().unwrap().of.len(), SESSIONS);
    }
}
