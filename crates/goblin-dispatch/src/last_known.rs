//! How each provider was when it last said so, so that one that is slow to say does not hold up those who want another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures_util::poll;
use goblin_core::model::{ModelInfo, ModelState};
use goblin_core::provider::{BoxFuture, Health, ProviderHandle, ProviderStatus};
use tokio_util::task::TaskTracker;

/// How long a provider may take to say how it is before what it said last is taken.
const PATIENCE: Duration = Duration::from_millis(250);

/// What providers said last. A provider that never said anything is waited for.
pub(crate) struct LastKnown {
    tracker: TaskTracker,
    said: Arc<Mutex<HashMap<Arc<str>, Said>>>,
}

#[derive(Default)]
struct Said {
    status: Option<ProviderStatus>,
    asking: bool,
    /// Somebody waited for the open question as long as they would.
    late: bool,
    /// The models it had when it last answered.
    models: Vec<ModelInfo>,
}

/// How a provider is, and how well that is known.
pub(crate) struct Known {
    pub(crate) status: ProviderStatus,
    /// It did not say in time; `status` is what it said before.
    pub(crate) late: bool,
    /// While it is away: the models it had, all of them down.
    pub(crate) missing: Vec<ModelInfo>,
}

impl LastKnown {
    /// Questions that take a while go on in tasks of `tracker`, so that an answer that comes late is known to the next
    /// who asks.
    pub(crate) fn new(tracker: TaskTracker) -> Self {
        Self {
            tracker,
            said: Arc::default(),
        }
    }

    /// Forgets everything: the providers were replaced.
    pub(crate) fn forget(&self) {
        lock(&self.said).clear();
    }

    /// How `provider` is.
    pub(crate) async fn status(&self, provider: &ProviderHandle) -> ProviderStatus {
        {
            let mut said = lock(&self.said);
            let entry = said.entry(Arc::clone(&provider.id)).or_default();
            if let (true, Some(last)) = (entry.asking, &entry.status) {
                return last.clone();
            }
            entry.asking = true;
        }
        let id = Arc::clone(&provider.id);
        let mut asking = Box::pin(ask(Arc::clone(&self.said), id, (provider.status)()));
        // Mostly the provider said so a moment ago and says it again at once: no task for that, on every request.
        if let Poll::Ready(now) = poll!(asking.as_mut()) {
            return now;
        }
        let asked = self.tracker.spawn(asking);
        let last = lock(&self.said)
            .get(&provider.id)
            .and_then(|entry| entry.status.clone());
        let now = match last {
            None => asked.await,
            Some(last) => match tokio::time::timeout(PATIENCE, asked).await {
                Ok(now) => now,
                Err(_) => {
                    if let Some(entry) = lock(&self.said).get_mut(&provider.id) {
                        entry.late = entry.asking;
                    }
                    return last;
                }
            },
        };
        now.unwrap_or_else(|_| silent("asking how it is failed on this side"))
    }

    /// What `provider` said last; nothing when it never said anything. It is not asked.
    pub(crate) fn last(&self, provider: &ProviderHandle) -> Option<ProviderStatus> {
        lock(&self.said).get(&provider.id)?.status.clone()
    }

    /// How `provider` is, how well that is known, and what it had before it went away.
    pub(crate) async fn known(&self, provider: &ProviderHandle) -> Known {
        let status = self.status(provider).await;
        let said = lock(&self.said);
        let entry = said.get(&provider.id);
        let away = matches!(
            status.health,
            Health::Down(_) | Health::Refused(_) | Health::Broken(_)
        );
        let had = entry.filter(|_| away).map_or(&[][..], |e| &e.models);
        let gone = |model: &ModelInfo| ModelInfo {
            state: ModelState::Down,
            memory_bytes: None,
            ..model.clone()
        };
        Known {
            late: entry.is_some_and(|e| e.late),
            missing: had
                .iter()
                .filter(|m| !names(&status.models, m))
                .map(gone)
                .collect(),
            status,
        }
    }
}

fn names(models: &[ModelInfo], wanted: &ModelInfo) -> bool {
    models.iter().any(|m| m.name == wanted.name)
}

async fn ask(
    said: Arc<Mutex<HashMap<Arc<str>, Said>>>,
    provider: Arc<str>,
    status: BoxFuture<ProviderStatus>,
) -> ProviderStatus {
    let status = status.await;
    // Replaced meanwhile: there is no entry, and nobody wants to know.
    if let Some(entry) = lock(&said).get_mut(&provider) {
        entry.asking = false;
        entry.late = false;
        if entry.status.as_ref() != Some(&status) {
            if status.health == Health::Ok {
                entry.models.clone_from(&status.models);
            }
            entry.status = Some(status.clone());
        }
    }
    status
}

fn lock(said: &Mutex<HashMap<Arc<str>, Said>>) -> MutexGuard<'_, HashMap<Arc<str>, Said>> {
    said.lock().unwrap_or_else(PoisonError::into_inner)
}

fn silent(why: &str) -> ProviderStatus {
    ProviderStatus {
        health: Health::Down(why.to_owned()),
        models: Vec::new(),
        slots: None,
        free_slots: None,
        decode_tokens_per_second: None,
        prefill_tokens_per_second: None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn ok() -> ProviderStatus {
        ProviderStatus {
            health: Health::Ok,
            ..silent("")
        }
    }

    /// A provider that says how it is `times` times and is silent after that.
    fn talkative(times: usize) -> (ProviderHandle, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let status = move || {
            let asked = count.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move {
                if asked >= times {
                    std::future::pending::<()>().await;
                }
                ok()
            }) as goblin_core::provider::BoxFuture<ProviderStatus>
        };
        let provider = ProviderHandle::new(
            "slow",
            true,
            Arc::new(|_| Box::pin(std::future::pending())),
            Arc::new(status),
        );
        (provider, asked)
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_provider_is_taken_as_it_last_was_and_is_asked_once_at_a_time() {
        let known = LastKnown::new(TaskTracker::new());
        let (provider, asked) = talkative(1);
        for _ in 0..5 {
            assert_eq!(known.status(&provider).await.health, Health::Ok);
        }
        assert_eq!(
            asked.load(Ordering::SeqCst),
            2,
            "the second question is still open"
        );
        assert!(known.known(&provider).await.late, "and everybody may know that");
    }

    #[tokio::test]
    async fn models_of_a_provider_that_went_away_are_remembered_as_down() {
        let known = LastKnown::new(TaskTracker::new());
        let asked = Arc::new(AtomicUsize::new(0));
        let status = move || {
            let first = asked.fetch_add(1, Ordering::SeqCst) == 0;
            let mut status = if first { ok() } else { silent("gone") };
            if first {
                status.models = vec![ModelInfo::named("tiny")];
            }
            Box::pin(async move { status }) as goblin_core::provider::BoxFuture<ProviderStatus>
        };
        let chat = Arc::new(|_| Box::pin(std::future::pending()) as goblin_core::provider::BoxFuture<_>);
        let provider = ProviderHandle::new("one", true, chat, Arc::new(status));
        let there = known.known(&provider).await;
        assert!(there.missing.is_empty() && !there.late);
        let gone = known.known(&provider).await;
        assert!(gone.status.models.is_empty());
        let missing: Vec<_> = gone.missing.iter().map(|m| (m.name.as_str(), m.state)).collect();
        assert_eq!(missing, [("tiny", ModelState::Down)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_provider_that_never_said_anything_is_waited_for() {
        let known = LastKnown::new(TaskTracker::new());
        let (provider, _) = talkative(0);
        let waited = tokio::time::timeout(PATIENCE * 20, known.status(&provider)).await;
        assert!(waited.is_err(), "there is nothing to say instead");
    }
}
