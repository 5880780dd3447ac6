//! The events of running turns, so that a page that went away can come back: append-only, read by index,
//! kept a while after the end.
//!
//! A writer is never held up by readers: each reader walks the kept events at its own pace. A log is bounded
//! by the longest possible answer, and all ended logs together by [`Limits`].

mod memory;

use std::pin::Pin;
use std::sync::Arc;

use futures_core::Stream;
use goblin_core::clock::Clock;
use goblin_core::limits::{MAX_ANSWER_BYTES, MAX_MAX_TOKENS};
use goblin_core::turn_event::TurnEvent;
use tokio_util::sync::CancellationToken;

/// Events with their index, from 1.
pub type Events = Pin<Box<dyn Stream<Item = (u64, Arc<TurnEvent>)> + Send>>;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most turns running at once.
    pub open_turns: usize,
    /// Most events of one turn, not counting the last.
    pub turn_events: usize,
    /// Most bytes of text in one turn's events, not counting the last.
    pub turn_bytes: usize,
    /// How long an ended log is kept, in milliseconds.
    pub kept_ms: i64,
    /// Most ended logs kept; the newest stay.
    pub kept_turns: usize,
    /// Most bytes of text in all ended logs; the newest stay.
    pub kept_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            open_turns: 1024,
            turn_events: MAX_MAX_TOKENS as usize + 1,
            // The question, the answer and the reasoning, each at its longest.
            turn_bytes: 3 * MAX_ANSWER_BYTES,
            kept_ms: 60_000,
            kept_turns: 256,
            kept_bytes: 64 * 1024 * 1024,
        }
    }
}

/// Why a log does not take something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TurnLogError {
    /// The turn has a log already.
    #[error("the turn has a log already")]
    AlreadyBegun,
    /// As many turns are running as can be logged.
    #[error("too many turns are running at once")]
    TooManyTurns,
    /// The log is full; only a last event is still taken. End the answer with `length`.
    #[error("the turn's log is full")]
    Full,
    /// The last event has been appended.
    #[error("the turn's log has ended")]
    Ended,
}

/// The logs of all running and lately ended turns. Cloning shares them.
#[derive(Clone, Debug)]
pub enum TurnLog {
    /// In this process.
    Memory(memory::MemoryLog),
}

impl TurnLog {
    /// Logs in this process.
    pub fn memory(clock: Clock, limits: Limits) -> Self {
        Self::Memory(memory::MemoryLog::new(clock, limits))
    }

    /// Begins the log of a turn. What the writer is dropped without ending, ends there, without a last event.
    ///
    /// # Errors
    /// [`TurnLogError::AlreadyBegun`], [`TurnLogError::TooManyTurns`].
    pub fn begin(&self, turn: &str) -> Result<TurnWriter, TurnLogError> {
        match self {
            Self::Memory(log) => log.begin(turn).map(TurnWriter::Memory),
        }
    }

    /// The events after index `after` (0 = all): first those there are, then live, until the last one. When
    /// the writer died, the stream ends without a last event. `None` when there is no log (any more): show the
    /// saved turn.
    pub async fn subscribe(&self, turn: &str, after: u64) -> Option<Events> {
        match self {
            Self::Memory(log) => log.subscribe(turn, after),
        }
    }

    /// Asks the turn's runner to stop. True when it is running; again is harmless.
    pub async fn request_stop(&self, turn: &str) -> bool {
        match self {
            Self::Memory(log) => log.request_stop(turn),
        }
    }

    /// How many turns are running.
    pub fn open_turns(&self) -> usize {
        match self {
            Self::Memory(log) => log.open_turns(),
        }
    }
}

/// The one that appends to a turn's log, held by its runner.
#[derive(Debug)]
pub enum TurnWriter {
    /// In this process.
    Memory(memory::MemoryWriter),
}

impl TurnWriter {
    /// Appends an event and returns its index, from 1. Never waits.
    ///
    /// # Errors
    /// [`TurnLogError::Full`] (never for a last event), [`TurnLogError::Ended`].
    pub fn append(&self, event: TurnEvent) -> Result<u64, TurnLogError> {
        match self {
            Self::Memory(writer) => writer.append(event),
        }
    }

    /// Cancelled once a stop was requested: by this process, and later by any copy of it.
    pub fn stopped(&self) -> CancellationToken {
        match self {
            Self::Memory(writer) => writer.stopped(),
        }
    }
}
