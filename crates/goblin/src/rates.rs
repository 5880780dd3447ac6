//! The measured rates across restarts: read at the start and when the file changes, written back once a minute and at
//! the end. A file that cannot be used is a warning, never a reason not to start.

use std::sync::Arc;
use std::time::Duration;

use goblin_core::clock::Timestamp;
use goblin_dispatch::Dispatch;
use goblin_dispatch::measured::Measured;
use goblin_store::data_dir::DataPaths;
use goblin_store::rates_file::{MeasuredBy, RateEntry, RatesFile, Stamp};
use tokio::sync::Mutex;

use crate::machine;
use crate::wiring::{Process, repeat};

/// How often the file is looked at.
const LOOK_PERIOD: Duration = Duration::from_secs(10);
/// How often what was learned is written.
const WRITE_PERIOD: Duration = Duration::from_secs(60);
/// Rates older than this say little of a machine that has changed since.
const STALE_DAYS: i64 = 90;
const DAY_MS: i64 = 86_400_000;

/// The file and what is known of it.
struct Kept {
    file: RatesFile,
    cores: u32,
    /// The state it was last read or written in.
    stamp: Stamp,
    /// What was last written or found, so that nothing is written twice.
    written: Vec<Measured>,
}

/// Keeps the file and the forecasts of `dispatch` in step while the process runs.
#[derive(Clone)]
pub(crate) struct Rates {
    kept: Arc<Mutex<Kept>>,
    dispatch: Arc<Dispatch>,
    process: Process,
}

impl Rates {
    /// Reads the file and begins to look after it.
    pub(crate) async fn keep(process: &Process, dispatch: &Arc<Dispatch>) -> Self {
        let file = RatesFile::new(DataPaths::new(&process.config.data_dir).rates());
        let rates = Self {
            kept: Arc::new(Mutex::new(Kept {
                file,
                cores: machine::cores(),
                stamp: None,
                written: Vec::new(),
            })),
            dispatch: Arc::clone(dispatch),
            process: process.clone(),
        };
        rates.read().await;
        let (reader, writer) = (rates.clone(), rates.clone());
        repeat(process, LOOK_PERIOD, move || {
            let rates = reader.clone();
            async move { rates.read().await }
        });
        repeat(process, WRITE_PERIOD, move || {
            let rates = writer.clone();
            async move { rates.write().await }
        });
        rates
    }

    /// Takes in what the file says, when it is another one than before.
    async fn read(&self) {
        let mut kept = self.kept.lock().await;
        let file = kept.file.clone();
        let before = kept.stamp;
        let looked = tokio::task::spawn_blocking(move || {
            let stamp = file.stamp();
            (stamp != before).then(|| (stamp, file.read()))
        });
        let Ok(Some((stamp, read))) = looked.await else {
            return;
        };
        kept.stamp = stamp;
        match read {
            Ok(entries) => {
                let found = usable(&entries, kept.cores, self.process.clock.now());
                tracing::debug!(models = found.len(), "measured rates were read");
                self.dispatch.expect(found);
            }
            Err(error) => tracing::warn!("{error}"),
        }
    }

    /// Writes what was learned since the last time, if anything.
    pub(crate) async fn write(&self) {
        let now: Vec<Measured> = self
            .dispatch
            .measured()
            .into_iter()
            .map(|one| Measured {
                known: one.known.rounded(),
                ..one
            })
            .collect();
        let mut kept = self.kept.lock().await;
        let changed: Vec<RateEntry> = now
            .iter()
            .filter(|one| !kept.written.contains(one))
            .map(|one| entry(one, kept.cores, self.process.clock.now(), MeasuredBy::Answers))
            .collect();
        if changed.is_empty() {
            return;
        }
        let file = kept.file.clone();
        match tokio::task::spawn_blocking(move || file.merge(&changed)).await {
            Ok(Ok(stamp)) => (kept.stamp, kept.written) = (stamp, now),
            Ok(Err(error)) => tracing::warn!(%error, "what was measured is not kept"),
            Err(_) => {}
        }
    }
}

/// One line of the file.
pub(crate) fn entry(one: &Measured, cores: u32, now: Timestamp, measured_by: MeasuredBy) -> RateEntry {
    RateEntry {
        provider: one.provider.to_string(),
        model: one.model.to_string(),
        digest: one.digest.clone(),
        cores,
        measured_at: now,
        measured_by,
        known: one.known,
    }
}

/// What holds on this machine. What was measured with another number of cores does not; what is old does, and is
/// mentioned.
fn usable(entries: &[RateEntry], cores: u32, now: Timestamp) -> Vec<Measured> {
    let (mut elsewhere, mut old) = (0, 0);
    let mut found = Vec::new();
    for entry in entries {
        if entry.cores != cores {
            elsewhere += 1;
            continue;
        }
        old += u32::from(entry.measured_at.plus_ms(STALE_DAYS * DAY_MS) < now);
        found.push(Measured {
            provider: entry.provider.as_str().into(),
            model: entry.model.as_str().into(),
            digest: entry.digest.clone(),
            known: entry.known,
        });
    }
    if elsewhere > 0 {
        tracing::warn!(
            models = elsewhere,
            cores,
            "rates measured on a machine with another number of cores are not used; measure anew with `goblin models \
             bench`"
        );
    }
    if old > 0 {
        tracing::warn!(
            models = old,
            days = STALE_DAYS,
            "some measured rates are old; measure anew with `goblin models bench`"
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use goblin_core::admission::estimate::Estimate;

    use super::*;

    #[test]
    fn rates_of_another_machine_are_passed_over_and_old_ones_still_hold() {
        let entry = |model: &str, cores, days: i64| RateEntry {
            provider: "ollama".into(),
            model: model.into(),
            digest: None,
            cores,
            measured_at: Timestamp(0).plus_ms(days * DAY_MS),
            measured_by: MeasuredBy::Bench,
            known: Estimate::default(),
        };
        let now = Timestamp(0).plus_ms(1000 * DAY_MS);
        let all = [
            entry("new", 2, 999),
            entry("old", 2, 1),
            entry("elsewhere", 64, 999),
        ];
        let found = usable(&all, 2, now);
        let names: Vec<&str> = found.iter().map(|m| &*m.model).collect();
        assert_eq!(names, ["new", "old"]);
    }
}
