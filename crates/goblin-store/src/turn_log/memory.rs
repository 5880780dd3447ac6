//! Turn logs in this process.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::stream;
use goblin_core::clock::{Clock, Timestamp};
use goblin_core::turn_event::TurnEvent;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Events, Limits, TurnLogError};

/// How many events a reader takes at once, so that it holds the lock only briefly.
const BATCH: usize = 64;

/// All logs. Cloning shares them.
#[derive(Clone, Debug)]
pub struct MemoryLog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: Clock,
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    logs: HashMap<String, Arc<Log>>,
    /// Ended logs, oldest first.
    ended: VecDeque<EndedLog>,
    ended_bytes: usize,
}

#[derive(Debug)]
struct EndedLog {
    turn: String,
    at: Timestamp,
    bytes: usize,
}

#[derive(Debug)]
struct Log {
    content: Mutex<Content>,
    /// Counts changes, to wake readers.
    changes: watch::Sender<u64>,
    stop: CancellationToken,
}

#[derive(Debug, Default)]
struct Content {
    events: Vec<Arc<TurnEvent>>,
    bytes: usize,
    ended: bool,
}

/// Nothing that runs under these locks can leave the state half changed, so a poisoned lock is taken as it is.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryLog {
    pub(super) fn new(clock: Clock, limits: Limits) -> Self {
        Self(Arc::new(Shared {
            clock,
            limits,
            state: Mutex::default(),
        }))
    }

    pub(super) fn begin(&self, turn: &str) -> Result<MemoryWriter, TurnLogError> {
        let mut state = self.swept();
        if state.logs.contains_key(turn) {
            return Err(TurnLogError::AlreadyBegun);
        }
        if state.logs.len() - state.ended.len() >= self.0.limits.open_turns {
            return Err(TurnLogError::TooManyTurns);
        }
        let log = Arc::new(Log {
            content: Mutex::default(),
            changes: watch::Sender::new(0),
            stop: CancellationToken::new(),
        });
        state.logs.insert(turn.to_owned(), Arc::clone(&log));
        Ok(MemoryWriter {
            all: self.clone(),
            turn: turn.to_owned(),
            log,
        })
    }

    pub(super) fn subscribe(&self, turn: &str, after: u64) -> Option<Events> {
        let log = Arc::clone(self.swept().logs.get(turn)?);
        let changes = log.changes.subscribe();
        let reader = Reader {
            log,
            changes,
            next: usize::try_from(after).ok()?,
            ready: VecDeque::new(),
        };
        Some(Box::pin(stream::unfold(reader, Reader::step)))
    }

    pub(super) fn request_stop(&self, turn: &str) -> bool {
        let Some(log) = self.swept().logs.get(turn).map(Arc::clone) else {
            return false;
        };
        let running = !lock(&log.content).ended;
        if running {
            log.stop.cancel();
        }
        running
    }

    pub(super) fn open_turns(&self) -> usize {
        let state = self.swept();
        state.logs.len() - state.ended.len()
    }

    fn ended(&self, turn: &str, bytes: usize) {
        let mut state = lock(&self.0.state);
        state.ended.push_back(EndedLog {
            turn: turn.to_owned(),
            at: self.0.clock.now(),
            bytes,
        });
        state.ended_bytes += bytes;
        drop(state);
        drop(self.swept());
    }

    /// The state after logs past keeping are dropped. Readers still on one keep it until they are through.
    fn swept(&self) -> MutexGuard<'_, State> {
        let Limits {
            kept_ms,
            kept_turns,
            kept_bytes,
            ..
        } = self.0.limits;
        let now = self.0.clock.now();
        let mut state = lock(&self.0.state);
        while let Some(oldest) = state.ended.front() {
            let old = oldest.at.plus_ms(kept_ms) <= now;
            if !old && state.ended.len() <= kept_turns && state.ended_bytes <= kept_bytes {
                break;
            }
            if let Some(gone) = state.ended.pop_front() {
                state.ended_bytes -= gone.bytes;
                state.logs.remove(&gone.turn);
            }
        }
        state
    }
}

/// Appends to one turn's log.
#[derive(Debug)]
pub struct MemoryWriter {
    all: MemoryLog,
    turn: String,
    log: Arc<Log>,
}

impl MemoryWriter {
    pub(super) fn append(&self, event: TurnEvent) -> Result<u64, TurnLogError> {
        let limits = &self.all.0.limits;
        let (last, bytes) = (event.is_last(), text_bytes(&event));
        let mut content = lock(&self.log.content);
        if content.ended {
            return Err(TurnLogError::Ended);
        }
        let over = content.events.len() >= limits.turn_events || content.bytes + bytes > limits.turn_bytes;
        if over && !last {
            return Err(TurnLogError::Full);
        }
        content.events.push(Arc::new(event));
        content.bytes += bytes;
        content.ended = last;
        let (index, total) = (content.events.len() as u64, content.bytes);
        drop(content);
        self.log.changes.send_modify(|n| *n += 1);
        if last {
            self.all.ended(&self.turn, total);
        }
        Ok(index)
    }

    pub(super) fn stopped(&self) -> CancellationToken {
        self.log.stop.clone()
    }
}

impl Drop for MemoryWriter {
    fn drop(&mut self) {
        let mut content = lock(&self.log.content);
        if content.ended {
            return;
        }
        content.ended = true;
        let total = content.bytes;
        drop(content);
        self.log.changes.send_modify(|n| *n += 1);
        self.all.ended(&self.turn, total);
    }
}

fn text_bytes(event: &TurnEvent) -> usize {
    match event {
        TurnEvent::Turn { turn, .. } => turn.content.len() + turn.answer.len(),
        TurnEvent::Delta(delta) | TurnEvent::Reasoning(delta) => delta.text.len(),
        TurnEvent::Checking(_) | TurnEvent::Superseded(_) | TurnEvent::Retracted(_) => 0,
        // A few in a turn, and small.
        TurnEvent::Trace(traced) => serde_json::to_vec(&traced.trace).map_or(0, |json| json.len()),
        TurnEvent::Done(saved) | TurnEvent::Snapshot(saved) => {
            let turn = &saved.turn;
            turn.content.len() + turn.answer.len() + turn.reasoning.as_ref().map_or(0, String::len)
        }
    }
}

struct Reader {
    log: Arc<Log>,
    changes: watch::Receiver<u64>,
    /// Events already taken.
    next: usize,
    ready: VecDeque<Arc<TurnEvent>>,
}

impl Reader {
    async fn step(mut self) -> Option<((u64, Arc<TurnEvent>), Self)> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                let index = (self.next - self.ready.len()) as u64;
                return Some(((index, event), self));
            }
            self.changes.mark_unchanged();
            let ended = self.take_batch();
            if self.ready.is_empty() && (ended || self.changes.changed().await.is_err()) {
                return None;
            }
        }
    }

    /// Takes what is new; true when nothing more can come.
    fn take_batch(&mut self) -> bool {
        let content = lock(&self.log.content);
        let new = content.events.get(self.next..).unwrap_or_default();
        self.ready.extend(new.iter().take(BATCH).map(Arc::clone));
        self.next += self.ready.len();
        content.ended
    }
}
