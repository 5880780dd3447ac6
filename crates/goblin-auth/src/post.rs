//! Letters on their way: a queue with a bound, and whoever carries them to the mail server in the background.
//!
//! Nobody waits for a letter. What is asked for with an address does the same work and says the same whether or not
//! there is an account; only the carrier looks. A letter a server does not take now is tried again, others go past it; one
//! that waits too long or has no place is dropped, and the log says so without saying whose it was.

use std::time::Duration;

use goblin_net::{Letter, Mailer};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::email::Email;
use crate::identity::Identity;

/// Most errands that wait.
const QUEUE: usize = 256;
/// Most letters that wait for another try.
const WAITING: usize = 256;

/// Something to be written and sent.
#[derive(Clone, Debug)]
pub(crate) enum Errand {
    /// A link to set another password, should there be an account of this address.
    Reset(Email),
    /// A link that shows that the address is its owner's, should there be an account of it.
    Verification(Email),
    /// A letter that is written.
    Letter(Letter),
}

/// Where errands are handed in. Cloning shares it.
#[derive(Clone, Debug)]
pub struct PostBox(mpsc::Sender<Errand>);

/// What carries them.
#[derive(Debug)]
pub struct Carrier(mpsc::Receiver<Errand>);

/// A box, and who empties it.
pub fn open() -> (PostBox, Carrier) {
    let (send, receive) = mpsc::channel(QUEUE);
    (PostBox(send), Carrier(receive))
}

impl PostBox {
    /// Hands an errand in. Never waits.
    pub(crate) fn put(&self, errand: Errand) {
        if self.0.try_send(errand).is_err() {
            tracing::warn!(limit = QUEUE, "too many letters wait to be sent; one was dropped");
        }
    }
}

/// How long a letter waits before each further try.
#[derive(Clone, Debug)]
pub struct Patience(pub Vec<Duration>);

impl Default for Patience {
    fn default() -> Self {
        Self([5, 60, 300, 1_200].map(Duration::from_secs).into())
    }
}

/// A letter that waits for another try.
struct Again {
    letter: Letter,
    tries: usize,
    due: Instant,
}

impl Carrier {
    /// Carries letters until every box is gone.
    pub async fn carry(mut self, identity: Identity, mailer: Mailer, patience: Patience) {
        let mut again: Vec<Again> = Vec::new();
        loop {
            let next = again.iter().map(|one| one.due).min();
            let errand = tokio::select! {
                errand = self.0.recv() => match errand {
                    Some(errand) => Some(errand),
                    None => return,
                },
                () = until(next) => None,
            };
            let one = match errand {
                Some(errand) => identity.write(errand).await.map(|letter| (letter, 0)),
                None => due(&mut again),
            };
            let Some((letter, tries)) = one else { continue };
            let Err(error) = mailer.send(&letter).await else {
                tracing::info!("a letter was sent");
                continue;
            };
            match patience.0.get(tries).filter(|_| error.is_passing()) {
                Some(wait) if again.len() < WAITING => {
                    tracing::warn!(%error, seconds = wait.as_secs(), "a letter waits for another try");
                    again.push(Again {
                        letter,
                        tries: tries + 1,
                        due: Instant::now() + *wait,
                    });
                }
                _ => tracing::warn!(%error, "a letter was dropped"),
            }
        }
    }
}

/// The first letter whose time has come.
fn due(again: &mut Vec<Again>) -> Option<(Letter, usize)> {
    let now = Instant::now();
    let at = again.iter().position(|one| one.due <= now)?;
    let one = again.swap_remove(at);
    Some((one.letter, one.tries))
}

async fn until(next: Option<Instant>) {
    match next {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
