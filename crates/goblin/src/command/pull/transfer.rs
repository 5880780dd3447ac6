//! One file from a registry to the disk, through whatever happens to the connection.

use std::time::Duration;

use anyhow::{Context, bail};
use goblin_net::NetError;
use goblin_providers::registry::{Registry, RegistryError, RemoteFile};
use goblin_store::download::{Download, DownloadError};

use crate::command::pull::progress::Progress;

/// Attempts in a row that bring nothing new, before it is given up.
const MAX_FRUITLESS: u32 = 4;
/// The first wait after such an attempt; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The longest wait a registry may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// So many bytes are written at once.
const BATCH: usize = 256 << 10;

/// Why an attempt ended.
enum Failure {
    /// The registry refused, or could not be reached.
    Registry(RegistryError),
    /// The body broke off.
    Body(NetError),
    /// The body ended early, and that was all it had.
    Short,
    /// The disk, or more bytes than announced.
    Disk(DownloadError),
}

/// Waits between attempts, as long as they bring nothing.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    fruitless: u32,
}

impl Patience {
    /// Waits; `false`: it has been enough. `asked`: what the registry asked for. `note` tells of a longer wait.
    ///
    /// # Errors
    ///
    /// That the registry asks for too long a wait.
    pub(crate) async fn wait(
        &mut self,
        asked: Option<Duration>,
        note: impl Fn(&str),
    ) -> anyhow::Result<bool> {
        self.fruitless += 1;
        if self.fruitless >= MAX_FRUITLESS {
            return Ok(false);
        }
        let wait = asked.unwrap_or(FIRST_WAIT * 2_u32.pow(self.fruitless - 1));
        if wait > LONGEST_WAIT {
            bail!(
                "It asks to come back in {} s. Run the same command then.",
                wait.as_secs()
            );
        }
        if asked.is_some_and(|a| a > Duration::ZERO) {
            note(&format!("it is busy; again in {} s", wait.as_secs()));
        }
        #[allow(clippy::disallowed_methods, reason = "a pause before the next attempt")]
        tokio::time::sleep(wait).await;
        Ok(true)
    }

    /// Something new came.
    fn reward(&mut self) {
        self.fruitless = 0;
    }
}

/// Fetches what is missing. Broken connections are taken up again at the byte where they broke.
///
/// # Errors
///
/// What made it give up. The part stays.
pub(crate) async fn fetch(
    registry: &Registry,
    file: &RemoteFile,
    mut download: Download,
    progress: &mut Progress,
) -> anyhow::Result<Download> {
    let mut patience = Patience::default();
    let mut most = download.received();
    let began_at = most;
    while download.received() < file.size_bytes {
        let (back, outcome) = attempt(registry, file, download, progress).await?;
        download = back;
        let Err(failure) = outcome else { continue };
        let came = download.received() > most;
        let asked = match &failure {
            Failure::Registry(error) if error.is_passing() => error.retry_after(),
            // What worked a moment ago may work again in a moment.
            Failure::Registry(RegistryError::Network { .. }) if most > began_at => None,
            Failure::Body(NetError::Reset { .. } | NetError::Timeout { .. }) | Failure::Short => None,
            _ => return Err(explain(failure, &download)),
        };
        if came {
            most = download.received();
            patience.reward();
            progress.note("the connection broke; going on");
            continue;
        }
        if !patience.wait(asked, |text| progress.note(text)).await? {
            return Err(explain(failure, &download));
        }
    }
    Ok(download)
}

fn explain(failure: Failure, download: &Download) -> anyhow::Error {
    let kept = format!(
        "{} of {} bytes are kept; the same command goes on there",
        download.received(),
        download.wanted().size_bytes
    );
    match failure {
        Failure::Registry(error) => anyhow::Error::new(error).context(kept),
        Failure::Body(error) => anyhow::Error::new(error).context(kept),
        Failure::Short => anyhow::anyhow!("the file ends early again and again").context(kept),
        Failure::Disk(error) => anyhow::Error::new(error).context(kept),
    }
}

/// One connection. Gives the download back with all that came.
async fn attempt(
    registry: &Registry,
    file: &RemoteFile,
    mut download: Download,
    progress: &mut Progress,
) -> anyhow::Result<(Download, Result<(), Failure>)> {
    let mut opened = match registry.open(file, download.received()).await {
        Ok(opened) => opened,
        Err(error) => return Ok((download, Err(Failure::Registry(error)))),
    };
    if opened.start != download.received() {
        progress.note("this server cannot go on in the middle; beginning anew");
        if let Err(error) = download.restart() {
            return Ok((download, Err(Failure::Disk(error))));
        }
    }
    loop {
        let mut batch = Vec::new();
        let mut size = 0;
        let ended = loop {
            match opened.body.chunk().await {
                None => break Some(None),
                Some(Err(error)) => break Some(Some(error)),
                Some(Ok(piece)) => {
                    size += piece.len();
                    batch.push(piece);
                    if size >= BATCH {
                        break None;
                    }
                }
            }
        };
        let written = off(move || {
            let written = batch.iter().try_for_each(|piece| download.write(piece));
            (download, written)
        });
        let (back, written) = written.await?;
        download = back;
        progress.at(download.received());
        if let Err(error) = written {
            return Ok((download, Err(Failure::Disk(error))));
        }
        match ended {
            None => {}
            Some(Some(error)) => return Ok((download, Err(Failure::Body(error)))),
            Some(None) if download.received() < file.size_bytes => {
                return Ok((download, Err(Failure::Short)));
            }
            Some(None) => return Ok((download, Ok(()))),
        }
    }
}

/// Runs what blocks on disk on a thread for that.
///
/// # Errors
///
/// When the thread was ended.
pub(crate) async fn off<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .context("writing to the disk was interrupted")
}
