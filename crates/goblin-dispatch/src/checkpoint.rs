//! What survives a kill -9: once a second, every open turn that grew is saved, all in one transaction.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use goblin_store::store::Store;
use goblin_store::turns::Checkpoint;
use tokio::time::MissedTickBehavior;

use crate::Dispatch;

/// Text of the turns being answered now.
#[derive(Default)]
pub(crate) struct OpenTurns {
    turns: Mutex<HashMap<String, Progress>>,
}

#[derive(Default)]
struct Progress {
    answer: String,
    reasoning: String,
    grew: bool,
}

impl OpenTurns {
    pub(crate) fn open(&self, turn_id: &str) {
        self.turns
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(turn_id.to_owned(), Progress::default());
    }

    pub(crate) fn grow(&self, turn_id: &str, answer: &str, reasoning: &str) {
        if let Some(p) = self
            .turns
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_mut(turn_id)
        {
            p.answer.push_str(answer);
            p.reasoning.push_str(reasoning);
            p.grew = true;
        }
    }

    /// Ends a turn and hands back its text: (answer, reasoning).
    pub(crate) fn close(&self, turn_id: &str) -> (String, String) {
        let closed = self
            .turns
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(turn_id);
        closed.map(|p| (p.answer, p.reasoning)).unwrap_or_default()
    }

    fn is_empty(&self) -> bool {
        self.turns
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_empty()
    }

    fn take_grown(&self) -> Vec<Checkpoint> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let grown = turns.iter_mut().filter(|(_, p)| p.grew);
        grown
            .map(|(turn_id, p)| {
                p.grew = false;
                let reasoning = (!p.reasoning.is_empty()).then(|| p.reasoning.clone());
                Checkpoint {
                    turn: turn_id.clone(),
                    answer: p.answer.clone(),
                    reasoning,
                }
            })
            .collect()
    }
}

/// Saves until the process drains and no turn is open.
pub(crate) async fn save_while_open(dispatch: Arc<Dispatch>, store: Store) {
    let mut tick = tokio::time::interval(dispatch.options.checkpoint_every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = dispatch.draining.cancelled(), if dispatch.open_turns.is_empty() => return,
        }
        let grown = dispatch.open_turns.take_grown();
        if grown.is_empty() {
            continue;
        }
        if let Err(error) = store.checkpoint_turns(&grown).await {
            tracing::error!(%error, turns = grown.len(), "open turns were not saved; trying again in a moment");
        }
    }
}
