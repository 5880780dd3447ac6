//! One usage row and a few metrics for every answer, also for one whose caller left.

use std::time::Instant;

use goblin_core::event::Usage;
use goblin_core::owner::Owner;
use goblin_store::store::Store;
use goblin_store::usage::NewUsage;
use tokio_util::task::TaskTracker;

/// Follows one answer; what it saw is recorded when it is dropped.
pub(crate) struct Meter {
    sink: Option<(Store, TaskTracker)>,
    row: NewUsage,
    owner: Owner,
    started: Instant,
    pieces: u32,
    counted: bool,
}

impl Meter {
    /// `sink` is absent where the answer's owner saves the usage itself (chat turns) or nothing is stored.
    pub(crate) fn new(
        sink: Option<(Store, TaskTracker)>,
        owner: Owner,
        door: &str,
        request_id: &str,
    ) -> Self {
        let row = NewUsage {
            request_id: request_id.to_owned(),
            door: door.to_owned(),
            outcome: "cancelled".to_owned(),
            ..NewUsage::default()
        };
        Self {
            sink,
            row,
            owner,
            started: Instant::now(),
            pieces: 0,
            counted: false,
        }
    }

    /// The answer is committed to this model.
    pub(crate) fn chosen(&mut self, provider: &str, model: &str, local: bool) {
        self.row.provider = Some(provider.to_owned());
        self.row.model = Some(model.to_owned());
        self.row.local = Some(local);
        let waited = self.started.elapsed().as_secs_f64();
        metrics::histogram!("goblin_first_content_seconds", "provider" => provider.to_owned()).record(waited);
    }

    /// A piece of content went out: the estimate (one token a piece) for answers whose usage never comes.
    pub(crate) fn piece(&mut self) {
        self.pieces += 1;
    }

    /// What the provider counted.
    pub(crate) fn usage(&mut self, usage: Usage) {
        self.row.tokens = usage;
        self.counted = true;
    }

    /// How it ended: `complete` or `failed`. Without this call: `cancelled`.
    pub(crate) fn ended(&mut self, outcome: &str) {
        outcome.clone_into(&mut self.row.outcome);
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        let mut row = std::mem::take(&mut self.row);
        if !self.counted {
            row.tokens.completion_tokens = self.pieces;
        }
        let provider = row.provider.clone().unwrap_or_else(|| "none".to_owned());
        metrics::counter!("goblin_answers_total", "provider" => provider.clone(), "outcome" => row.outcome.clone())
            .increment(1);
        metrics::counter!("goblin_tokens_total", "provider" => provider.clone(), "kind" => "prompt")
            .increment(u64::from(row.tokens.prompt_tokens));
        metrics::counter!("goblin_tokens_total", "provider" => provider, "kind" => "completion")
            .increment(u64::from(row.tokens.completion_tokens));
        metrics::histogram!("goblin_turn_duration_seconds").record(self.started.elapsed().as_secs_f64());
        let Some((store, tracker)) = self.sink.take() else {
            return;
        };
        let owner = self.owner.clone();
        tracker.spawn(async move {
            let request_id = row.request_id.clone();
            if let Err(error) = store.insert_usage(&owner, row).await {
                tracing::error!(%error, request_id, "usage was not recorded");
            }
        });
    }
}
