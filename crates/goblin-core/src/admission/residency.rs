//! Which models a provider holds that cannot hold all it offers.
//!
//! No server says how many models it can hold; it shows when one model's arrival was another's departure. From then
//! on requests are grouped: those for a model that is out wait until one that is in has nothing left to do (or until
//! they have waited long enough), instead of the server loading and unloading for every other request.

use std::sync::Arc;
use std::time::Duration;

/// Models remembered; the least recently begun are forgotten.
const REMEMBERED: usize = 256;

/// What is known about one provider's memory.
#[derive(Clone, Debug, Default)]
pub struct Residency {
    /// Most recently begun first, and since when each is out.
    recent: Vec<(Arc<str>, Duration)>,
    /// How many models fit, once one was seen to push out another.
    room: Option<usize>,
    /// What was loaded when last looked.
    loaded: Vec<Arc<str>>,
}

impl Residency {
    /// The provider says that these are loaded.
    pub fn look(&mut self, loaded: &[Arc<str>]) {
        let came = loaded.iter().any(|m| !self.loaded.contains(m));
        let went = self.loaded.iter().any(|m| !loaded.contains(m));
        if came && went {
            self.room = Some(loaded.len());
        } else if self.room.is_some_and(|room| loaded.len() > room) {
            self.room = None;
        }
        if came || went {
            self.loaded = loaded.to_vec();
        }
    }

    /// An answer of `model` begins: it is in, and another may be out.
    pub fn begins(&mut self, model: &Arc<str>, now: Duration) {
        let was_out = self.out_since(model).is_some();
        self.recent.retain(|(m, _)| m != model);
        self.recent.insert(0, (Arc::clone(model), now));
        self.recent.truncate(REMEMBERED);
        if was_out && let Some(pushed) = self.room.and_then(|room| self.recent.get_mut(room)) {
            pushed.1 = now;
        }
    }

    /// Since when `model` is not held; `None` when it is, or would fit beside the others.
    pub fn out_since(&self, model: &Arc<str>) -> Option<Duration> {
        let room = self.room?;
        match self.recent.iter().position(|(m, _)| m == model) {
            Some(at) if at < room => None,
            Some(at) => Some(self.recent[at].1),
            None if self.recent.len() < room => None,
            None => Some(Duration::ZERO),
        }
    }

    /// The models that are in, when not all fit.
    pub fn inside(&self) -> impl Iterator<Item = &Arc<str>> {
        self.recent.iter().take(self.room.unwrap_or(0)).map(|(m, _)| m)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(all: &[&str]) -> Vec<Arc<str>> {
        all.iter().map(|n| Arc::from(*n)).collect()
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn everything_fits_until_one_model_pushes_out_another() {
        let mut held = Residency::default();
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        held.begins(&a, at(1));
        held.begins(&b, at(2));
        held.look(&names(&["a"]));
        assert_eq!(held.out_since(&a), None);
        held.look(&names(&["b"]));
        assert_eq!((held.out_since(&a), held.out_since(&b)), (Some(at(1)), None));
        held.begins(&a, at(9));
        assert_eq!(
            (held.out_since(&a), held.out_since(&b)),
            (None, Some(at(9))),
            "b is out since a began"
        );
    }

    #[test]
    fn an_idle_model_that_goes_away_pushes_out_nobody() {
        let mut held = Residency::default();
        held.begins(&"a".into(), at(1));
        held.look(&names(&["a", "b"]));
        held.look(&names(&["a"]));
        held.look(&names(&[]));
        held.look(&names(&["b"]));
        assert_eq!(held.out_since(&"a".into()), None);
        assert_eq!(held.inside().count(), 0);
    }

    #[test]
    fn more_models_than_thought_are_seen_and_believed() {
        let mut held = Residency::default();
        for model in names(&["a", "b"]) {
            held.begins(&model, at(1));
        }
        held.look(&names(&["a"]));
        held.look(&names(&["b"]));
        assert!(held.out_since(&"a".into()).is_some());
        held.look(&names(&["b", "a"]));
        assert_eq!(held.out_since(&"a".into()), None);
    }
}
