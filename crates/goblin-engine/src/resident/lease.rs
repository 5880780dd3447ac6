//! Holding on to a model: while it answers, and while it is waited for.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use goblin_core::chat::KeepAlive;
use goblin_core::provider::{ChatStream, ProviderError};
use tokio::time::{Instant, timeout_at};

use super::house::{House, Taken};
use super::{LOAD_WAIT, ROOM_WAIT, SWAP_AFTER};
use crate::answer::Event;
use crate::engine::{Engine, Shared};

/// A model that stays in memory as long as this lives.
pub(super) struct Lease {
    house: Arc<House>,
    engine: Arc<Engine>,
    name: String,
    keep: Option<KeepAlive>,
}

impl Lease {
    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(self.engine.shared())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.house.give_back(&self.name, &self.engine, self.keep);
    }
}

/// Somebody waits for a model. Dropping it says that nobody waits here any more; a load that others wait for, or that
/// has begun, goes on.
pub(super) struct Waiting {
    pub(super) house: Arc<House>,
    pub(super) want: u64,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.house.stop_waiting(self.want);
    }
}

/// Waits until `name` is in memory, loading it if need be.
///
/// # Errors
/// Why it cannot be; [`ProviderError::Overloaded`] when that takes too long.
pub(super) async fn acquire(
    house: &Arc<House>,
    name: &str,
    keep: Option<KeepAlive>,
) -> Result<Lease, ProviderError> {
    let mut changed = house.changes();
    let until_begun = Instant::now() + ROOM_WAIT;
    let mut until_loaded = None;
    let mut waiting: Option<Waiting> = None;
    loop {
        changed.borrow_and_update();
        let until = match house.take(name, waiting.as_ref().map(|w| w.want))? {
            Taken::Engine(engine) => {
                return Ok(Lease {
                    house: Arc::clone(house),
                    engine,
                    name: name.to_owned(),
                    keep,
                });
            }
            Taken::Queued { want, loads } => {
                if waiting.is_none() {
                    waiting = Some(Waiting {
                        house: Arc::clone(house),
                        want,
                    });
                }
                if loads {
                    *until_loaded.get_or_insert_with(|| Instant::now() + LOAD_WAIT)
                } else {
                    until_begun
                }
            }
        };
        if timeout_at(until, changed.changed()).await.is_err() {
            tracing::warn!(model = name, "nobody made room, or it loads too long");
            return Err(ProviderError::Overloaded {
                retry_after: Some(SWAP_AFTER),
            });
        }
    }
}

/// An answer, and the model it comes from.
pub(super) struct Answer {
    stream: ChatStream,
    lease: Option<Lease>,
}

impl Answer {
    pub(super) fn new(stream: ChatStream, lease: Lease) -> Self {
        Self {
            stream,
            lease: Some(lease),
        }
    }
}

impl Stream for Answer {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let next = self.stream.as_mut().poll_next(cx);
        if matches!(next, Poll::Ready(None | Some(Err(_)))) {
            self.lease = None;
        }
        next
    }
}
