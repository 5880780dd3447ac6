//! Which requests of ours are at the tier: its report of its queue counts them, and so do we.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt;
use goblin_core::provider::ChatStream;

type Counts = Arc<Mutex<HashMap<String, u32>>>;

/// How many requests are at the tier, for each model.
#[derive(Default)]
pub(super) struct Sent(Counts);

impl Sent {
    /// One more, until what is returned is dropped.
    pub(super) fn one(&self, model: &str) -> There {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(model.to_owned()).or_default() += 1;
        There {
            counts: Arc::clone(&self.0),
            model: model.to_owned(),
        }
    }

    /// All of them now.
    pub(super) fn now(&self) -> HashMap<String, u32> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A request at the tier.
pub(super) struct There {
    counts: Counts,
    model: String,
}

impl There {
    /// It is there until its answer is over, or nobody reads it any more.
    pub(super) fn until_over(self, stream: ChatStream) -> ChatStream {
        Box::pin(stream.map(move |item| {
            let _there = &self;
            item
        }))
    }
}

impl Drop for There {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.model) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.model);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_counted_until_its_answer_is_dropped() {
        let sent = Sent::default();
        let first = sent.one("m");
        let second = sent
            .one("m")
            .until_over(Box::pin(futures_util::stream::pending()));
        assert_eq!(sent.now().get("m"), Some(&2));
        drop(second);
        assert_eq!(sent.now().get("m"), Some(&1));
        drop(first);
        assert!(sent.now().is_empty());
    }
}
