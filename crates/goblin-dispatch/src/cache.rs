//! Answers given again: looked up before anybody is asked, kept when they were sound, and made once when several ask for
//! the same at the same time.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_stream::try_stream;
use futures_util::StreamExt;
use goblin_core::answer_cache::{self, Kept, Key, MOST_BYTES, MOST_EVENTS, Scope, Use};
use goblin_core::chat::ChatRequest;
use goblin_core::event::Parsed;
use goblin_core::owner::Owner;
use goblin_core::route::Offer;
use goblin_core::trace::VerifyMode;
use goblin_core::trust::Settings;
use goblin_core::wire::openai::CacheUse as Asked;
use goblin_store::answer_cache::AnswerCache;
use tokio::sync::watch;

use crate::Dispatch;
use crate::answer::{AnswerItem, AnswerStream, Items};
use crate::cascade::{Cascading, cascade_as};
use crate::climb::{Climb, Limit, climb};

/// How the operator wants answers kept.
#[derive(Clone, Debug)]
pub struct Caching {
    /// Where.
    pub answers: AnswerCache,
    /// Are accepted first answers of the names that let goblin choose given to whoever asks the same again?
    pub common_queries: bool,
}

/// An answer that has not begun.
pub(crate) enum Source {
    Climb(Box<Climb>),
    Cascade(Box<Cascading>),
}

impl Source {
    /// An answer nobody checks.
    pub(crate) fn climb(asked: Climb) -> Self {
        Self::Climb(Box::new(asked))
    }

    /// One that is checked.
    pub(crate) fn cascade(asked: Cascading) -> Self {
        Self::Cascade(Box::new(asked))
    }

    /// The models whose answers are what was asked for; none when a budget has changed that.
    fn wanted(&self, look: &Look) -> Vec<String> {
        let ladder = match self {
            Self::Climb(asked) => &asked.ladder,
            Self::Cascade(asked) if asked.settings.local_only && !look.local_only => return Vec::new(),
            Self::Cascade(asked) => &asked.ladder,
        };
        ladder.candidates.iter().map(Offer::id).collect()
    }

    fn deadline(&self) -> Option<Duration> {
        match self {
            Self::Climb(asked) => asked.deadline,
            Self::Cascade(asked) => asked.settings.deadline_ms.map(Duration::from_millis),
        }
    }

    /// With what is left of its deadline.
    fn within(self, limit: Limit) -> Self {
        let deadline = limit.left();
        match self {
            Self::Climb(asked) => Self::climb(Climb { deadline, ..*asked }),
            Self::Cascade(asked) => Self::cascade(Cascading {
                settings: asked.settings.clone().within(deadline),
                ..*asked
            }),
        }
    }
}

/// What is looked for before it begins.
pub(crate) struct Look {
    key: Key,
    uses: Use,
    /// Is it a common question, of which only the best answers are kept?
    common: bool,
    /// Was a model on the operator's machines asked for?
    local_only: bool,
}

impl Dispatch {
    /// What is to be looked for; nothing when this request is none for the cache.
    pub(crate) fn look(
        &self,
        owner: &Owner,
        (model, explicit): (&str, bool),
        request: &ChatRequest,
        settings: Option<&Settings>,
        (asked, temperature): (Option<Asked>, Option<f32>),
    ) -> Option<Look> {
        let caching = self.options.caching.as_ref()?;
        let local_only = settings.is_some_and(|s| s.local_only);
        let uses = Use::of(asked, temperature);
        let common = uses.is_not();
        // Untouched bytes are answered by who they are for, and nothing is reckoned for who wants no kept answer.
        if request.raw.is_some() || (common && (!caching.common_queries || explicit || asked.is_some())) {
            return None;
        }
        let terms = terms(&self.policy_version, settings);
        let scope = Scope {
            tenant: &owner.tenant,
            model,
            terms: &terms,
        };
        if !common {
            let key = answer_cache::exact(scope, request)?;
            return Some(Look {
                key,
                uses,
                common,
                local_only,
            });
        }
        Some(Look {
            key: answer_cache::common(scope, request)?,
            uses: Use {
                read: true,
                write: true,
            },
            common,
            local_only,
        })
    }

    /// The answer: as it is kept, or made and then kept.
    pub(crate) fn through_cache(self: &Arc<Self>, source: Source, look: Option<Look>) -> AnswerStream {
        let trace_id = match &source {
            Source::Climb(climb) => climb.meter.trace_id(),
            Source::Cascade(_) => Some(self.options.ids.next_id()),
        };
        let caching = self.options.caching.clone();
        match look.zip(caching) {
            None => begin(source, trace_id),
            Some((look, caching)) => {
                let items = looked_up(Arc::clone(self), caching, source, look, trace_id.clone());
                AnswerStream::new(trace_id, items)
            }
        }
    }
}

/// Everything but the request that makes the answer another one.
fn terms(policy: &str, settings: Option<&Settings>) -> String {
    match settings {
        None => "unchecked".to_owned(),
        Some(s) => format!(
            "{policy} {} {} {} {} {} {:?} {:?}",
            // When it is shown makes no other answer.
            s.verify != VerifyMode::Off,
            s.confidence,
            s.escalate,
            s.local_only,
            s.max_steps,
            s.max_cost_usd,
            s.thresholds
        ),
    }
}

fn begin(source: Source, trace_id: Option<String>) -> AnswerStream {
    match source {
        Source::Climb(asked) => climb(*asked),
        Source::Cascade(asked) => cascade_as(*asked, trace_id.unwrap_or_default()),
    }
}

fn looked_up(
    dispatch: Arc<Dispatch>,
    caching: Caching,
    source: Source,
    look: Look,
    trace_id: Option<String>,
) -> Items {
    Box::pin(try_stream! {
        let limit = Limit::from_now(source.deadline());
        let mut turn = None;
        let mut looks = look.uses.read;
        while looks {
            if let Some(kept) = caching.answers.get(&look.key).await {
                metrics::counter!("goblin_cache_total", "result" => "hit").increment(1);
                for item in given_again(&dispatch, source, &kept, trace_id) {
                    yield item;
                }
                return;
            }
            match dispatch.flights.join(look.key) {
                Joined::First(flight) => {
                    turn = Some(flight);
                    looks = false;
                }
                // Whoever asked first may fail, or give what is not kept: then this one asks itself, as the next first.
                Joined::Behind(mut landed) => {
                    let _gone = limit.within(landed.changed()).await.map_err(|late| *late.error)?;
                }
            }
        }
        metrics::counter!("goblin_cache_total", "result" => "miss").increment(1);
        // What answers in the place of another, because of a budget, is not what was asked for.
        let wanted = source.wanted(&look);
        let mut answer = begin(source.within(limit), trace_id);
        let mut keeping = look.uses.write.then(Keeping::default);
        while let Some(item) = answer.next().await {
            let item = item?;
            if keeping.as_mut().is_some_and(|keeping| !keeping.take(&item)) {
                keeping = None;
            }
            yield item;
        }
        let kept = keeping.and_then(|keeping| keeping.whole(look.common));
        if let Some(kept) = kept.filter(|kept| wanted.contains(&kept.model_id)) {
            caching.answers.put(look.key, Arc::new(kept)).await;
        }
        drop(turn);
    })
}

/// A kept answer as the items of one that is made.
fn given_again(
    dispatch: &Dispatch,
    source: Source,
    kept: &Kept,
    trace_id: Option<String>,
) -> Vec<AnswerItem> {
    let (provider, model) = kept.model_id.split_once('/').unwrap_or(("", &kept.model_id));
    let mut items = vec![AnswerItem::Chosen {
        model_id: kept.model_id.clone(),
        local: kept.local,
        pass_through: false,
        dropped: Vec::new(),
    }];
    items.extend(
        kept.events
            .iter()
            .cloned()
            .map(|parsed| AnswerItem::Event(parsed.into())),
    );
    let mut meter = match source {
        Source::Climb(asked) => {
            let mut meter = asked.meter;
            meter.taken_from_cache();
            meter
        }
        Source::Cascade(asked) => {
            let now = dispatch.clock.now().0;
            let before = kept.trace.as_deref().cloned().unwrap_or_default();
            let trace = answer_cache::given_again(&before, trace_id.unwrap_or_default(), now);
            if let Some(keep) = asked.keep {
                keep(trace.clone());
            }
            items.push(AnswerItem::Trace(Box::new(trace)));
            asked.meter
        }
    };
    meter.chosen(provider, model, kept.local);
    meter.ended("complete");
    items
}

/// An answer while it is made.
#[derive(Default)]
struct Keeping {
    model: Option<(String, bool)>,
    events: Vec<Parsed>,
    bytes: usize,
    trace: Option<Box<goblin_core::trace::Trace>>,
}

impl Keeping {
    /// One more item. Returns whether the answer may still be kept.
    fn take(&mut self, item: &AnswerItem) -> bool {
        match item {
            // It is not told of an answer that is given again.
            AnswerItem::Chosen { dropped, .. } if !dropped.is_empty() => return false,
            AnswerItem::Chosen { model_id, local, .. } => {
                self.model = Some((model_id.clone(), *local));
                self.events.clear();
            }
            AnswerItem::Event(event) => {
                if let Parsed::Text { text, .. } = &event.parsed {
                    self.bytes += text.len();
                }
                self.events.push(event.parsed.clone());
            }
            AnswerItem::Checking(_) => {}
            AnswerItem::Superseded(_) | AnswerItem::Retracted(_) => self.events.clear(),
            AnswerItem::Refused(_) => return false,
            AnswerItem::Trace(trace) => self.trace = Some(trace.clone()),
        }
        self.events.len() <= MOST_EVENTS && self.bytes <= MOST_BYTES
    }

    /// The whole answer, when it is one to be given again.
    fn whole(self, common: bool) -> Option<Kept> {
        let (model_id, local) = self.model?;
        let kept = Kept {
            model_id,
            local,
            events: self.events,
            trace: self.trace,
        };
        let good = kept.is_sound() && (!common || kept.is_accepted_at_once());
        good.then_some(kept)
    }
}

/// Answers that are being made now, by key, so that others wait for them.
#[derive(Default)]
pub(crate) struct Flights(Arc<Mutex<HashMap<Key, watch::Receiver<()>>>>);

enum Joined {
    First(Flight),
    Behind(watch::Receiver<()>),
}

/// Held by who makes the answer. Dropped, everybody behind looks again.
struct Flight {
    flights: Arc<Mutex<HashMap<Key, watch::Receiver<()>>>>,
    key: Key,
    _landing: watch::Sender<()>,
}

impl Flights {
    fn join(&self, key: Key) -> Joined {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match flights.entry(key) {
            Entry::Occupied(there) => Joined::Behind(there.get().clone()),
            Entry::Vacant(free) => {
                let (landing, landed) = watch::channel(());
                free.insert(landed);
                Joined::First(Flight {
                    flights: Arc::clone(&self.0),
                    key,
                    _landing: landing,
                })
            }
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        flights.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        let scope = Scope {
            tenant: "t",
            model: "m",
            terms: "",
        };
        answer_cache::exact(scope, &ChatRequest::default()).unwrap()
    }

    #[tokio::test]
    async fn who_comes_second_waits_until_the_first_is_done_and_then_may_be_first() {
        let flights = Flights::default();
        let Joined::First(flight) = flights.join(key()) else {
            panic!("nobody was there");
        };
        let Joined::Behind(mut landed) = flights.join(key()) else {
            panic!("one is under way");
        };
        let mut waiting = Box::pin(landed.changed());
        assert!(futures_util::poll!(&mut waiting).is_pending());
        drop(flight);
        assert!(waiting.await.is_err(), "the sender is gone, which is the sign");
        assert!(matches!(flights.join(key()), Joined::First(_)));
    }
}
