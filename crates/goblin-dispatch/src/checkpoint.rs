//! What survives a kill -9: once a second, every open turn that grew is saved, all in one transaction.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use goblin_store::store::Store;
use goblin_store::turns::Checkpoint;
use tokio::time::MissedTickBehavior;

use crate::Dispatch;

/// Text of the turns being answered now.
#[derive(Default)]
pub(crate) struct OpenTurns {
    turns: Mutex<HashMap<String, Progress>>,
    /// Turns about to be opened: whoever saves must not go home yet.
    beginning: AtomicUsize,
}

#[derive(Default)]
struct Progress {
    chat: String,
    answer: String,
    reasoning: String,
    model: Option<(String, bool)>,
    grew: bool,
}

/// A turn about to be opened, for as long as it is held.
pub(crate) struct Beginning<'a>(&'a AtomicUsize);

impl Drop for Beginning<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl OpenTurns {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Progress>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that a turn will be opened; hold it until then.
    pub(crate) fn begin(&self) -> Beginning<'_> {
        self.beginning.fetch_add(1, Ordering::SeqCst);
        Beginning(&self.beginning)
    }

    pub(crate) fn open(&self, turn_id: &str, chat_id: &str) {
        let progress = Progress {
            chat: chat_id.to_owned(),
            ..Progress::default()
        };
        self.lock().insert(turn_id.to_owned(), progress);
    }

    pub(crate) fn grow(&self, turn_id: &str, answer: &str, reasoning: &str) {
        if let Some(p) = self.lock().get_mut(turn_id) {
            p.answer.push_str(answer);
            p.reasoning.push_str(reasoning);
            p.grew = true;
        }
    }

    /// What was there of an answer is put aside or taken back.
    pub(crate) fn restart(&self, turn_id: &str) {
        if let Some(p) = self.lock().get_mut(turn_id) {
            p.answer.clear();
            p.reasoning.clear();
            p.grew = true;
        }
    }

    /// Says who answers the turn.
    pub(crate) fn chosen(&self, turn_id: &str, model_id: &str, local: bool) {
        if let Some(p) = self.lock().get_mut(turn_id) {
            p.model = Some((model_id.to_owned(), local));
            p.grew = true;
        }
    }

    /// The text of a turn so far: (answer, reasoning).
    pub(crate) fn text(&self, turn_id: &str) -> (String, String) {
        let turns = self.lock();
        let text = turns
            .get(turn_id)
            .map(|p| (p.answer.clone(), p.reasoning.clone()));
        text.unwrap_or_default()
    }

    /// Ends a turn: its text is saved, or nothing more can be done for it.
    pub(crate) fn close(&self, turn_id: &str) {
        self.lock().remove(turn_id);
    }

    /// Is the turn being answered here?
    pub(crate) fn is_open(&self, turn_id: &str) -> bool {
        self.lock().contains_key(turn_id)
    }

    /// The turns of a chat that are being answered.
    pub(crate) fn of_chat(&self, chat_id: &str) -> Vec<String> {
        let turns = self.lock();
        let those = turns.iter().filter(|(_, p)| p.chat == chat_id);
        those.map(|(turn_id, _)| turn_id.clone()).collect()
    }

    fn is_empty(&self) -> bool {
        self.beginning.load(Ordering::SeqCst) == 0 && self.lock().is_empty()
    }

    fn take_grown(&self) -> Vec<Checkpoint> {
        let mut turns = self.lock();
        let grown = turns.iter_mut().filter(|(_, p)| p.grew);
        grown
            .map(|(turn_id, p)| {
                p.grew = false;
                let reasoning = (!p.reasoning.is_empty()).then(|| p.reasoning.clone());
                Checkpoint {
                    turn: turn_id.clone(),
                    answer: p.answer.clone(),
                    reasoning,
                    model: p.model.clone(),
                }
            })
            .collect()
    }

    /// What was taken was not saved: take it again next time.
    fn give_back(&self, taken: &[Checkpoint]) {
        let mut turns = self.lock();
        for checkpoint in taken {
            if let Some(p) = turns.get_mut(&checkpoint.turn) {
                p.grew = true;
            }
        }
    }
}

/// Saves until the process drains and no turn is open.
pub(crate) async fn save_while_open(dispatch: Arc<Dispatch>, store: Store) {
    let mut tick = tokio::time::interval(dispatch.options.checkpoint_every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = dispatch.draining.cancelled(),
                if dispatch.open_turns.is_empty() && dispatch.purse.is_idle() => return,
        }
        dispatch.purse.write_down().await;
        let grown = dispatch.open_turns.take_grown();
        if grown.is_empty() {
            continue;
        }
        if let Err(error) = store.checkpoint_turns(&grown).await {
            tracing::error!(%error, turns = grown.len(), "open turns were not saved; trying again in a moment");
            dispatch.open_turns.give_back(&grown);
        }
    }
}
