//! Files of an SQLite database under other names: the new one while it is made, the old one when it is replaced.
//!
//! A write-ahead log belongs to one database only and would damage another, so none may lie beside a file that gets a
//! new content.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use goblin_core::clock::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqliteLockingMode};
use sqlx::{ConnectOptions, Connection};

use super::BackupError;
use crate::error::StoreError;
use crate::private_file::keep_owner;

/// Files that SQLite keeps beside a database.
const COMPANIONS: &[&str] = &["-wal", "-shm", "-journal"];

/// How every SQLite file begins (<https://www.sqlite.org/fileformat.html>).
const BEGINNING: &[u8] = b"SQLite format 3\0";

/// Makes sure that nobody has the file open, and that everything written is in the file itself. A file that is no
/// database, or a damaged one, is left as it is.
pub(super) async fn settle(path: &Path) -> Result<(), BackupError> {
    let mut beginning = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(BEGINNING.len() as u64).read_to_end(&mut beginning));
    if read.is_err() || beginning != BEGINNING {
        // SQLite would throw its log away.
        return Ok(());
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .busy_timeout(std::time::Duration::ZERO)
        // With a write-ahead log this asks whether there is any other connection.
        .locking_mode(SqliteLockingMode::Exclusive)
        .disable_statement_logging();
    let settled = async {
        let mut alone = options.connect().await?;
        sqlx::raw_sql("BEGIN EXCLUSIVE; COMMIT; PRAGMA wal_checkpoint(TRUNCATE);")
            .execute(&mut alone)
            .await?;
        alone.close().await
    };
    match settled.await.map_err(StoreError::from) {
        Ok(()) | Err(StoreError::Corrupt { .. }) => Ok(()),
        Err(StoreError::Busy) => Err(BackupError::InUse {
            database: path.display().to_string(),
            who: "another program has it open".to_owned(),
        }),
        Err(other) => Err(other.into()),
    }
}

/// A new file in the making, beside the one whose place it takes. Removed unless it does.
pub(super) struct Building {
    place: PathBuf,
}

impl Building {
    /// Only a name yet. What an earlier restore left there, which was killed, is removed.
    pub(super) fn begin(path: &Path) -> Result<Self, BackupError> {
        let building = Self {
            place: with_suffix(path, ".restoring"),
        };
        building.remove();
        match building.place.symlink_metadata() {
            Err(_) => Ok(building),
            Ok(_) => Err(BackupError::Exists(building.place.clone())),
        }
    }

    /// Where it is made.
    pub(super) fn place(&self) -> &Path {
        &self.place
    }

    /// Gives it its name. `keep`: the file that has that name is kept, with this time in its new name, which is returned.
    pub(super) fn put_in_place(
        self,
        path: &Path,
        keep: Option<Timestamp>,
    ) -> Result<Option<PathBuf>, BackupError> {
        let failed = |e: io::Error| BackupError::Unwritable {
            file: path.to_owned(),
            reason: e.to_string(),
        };
        let left = with_suffix(&self.place, "-wal");
        if fs::metadata(&left).is_ok_and(|m| m.len() > 0) {
            let message = "its write-ahead log could not be worked in";
            return Err(failed(io::Error::other(message)));
        }
        File::open(&self.place)
            .and_then(|file| file.sync_all())
            .map_err(failed)?;
        keep_owner(&self.place, path);
        let aside = keep.map(|at| free_name(path, at));
        for companion in COMPANIONS {
            let there = with_suffix(path, companion);
            match &aside {
                Some(aside) if there.exists() => {
                    fs::rename(&there, with_suffix(aside, companion)).map_err(failed)?;
                }
                _ => {
                    // Of an empty database nothing is lost with it.
                    let _ = fs::remove_file(&there);
                }
            }
        }
        if let Some(aside) = &aside
            && fs::hard_link(path, aside).is_err()
        {
            // Some file systems have no links. Then there is a moment without a database.
            fs::rename(path, aside).map_err(failed)?;
        }
        fs::rename(&self.place, path).map_err(failed)?;
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))
            .and_then(|folder| folder.sync_all())
            .map_err(failed)?;
        Ok(aside)
    }

    fn remove(&self) {
        let _ = fs::remove_file(&self.place);
        for companion in COMPANIONS {
            let _ = fs::remove_file(with_suffix(&self.place, companion));
        }
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        self.remove();
    }
}

/// `goblin.db.before-restore-20261127T091500Z`, with a number where that is taken.
fn free_name(path: &Path, at: Timestamp) -> PathBuf {
    let stamp: String = at
        .to_rfc3339()
        .chars()
        .take_while(|c| *c != '.')
        .filter(|c| c.is_ascii_alphanumeric())
        .collect();
    let stamp = stamp.trim_end_matches('Z');
    let first = with_suffix(path, &format!(".before-restore-{stamp}Z"));
    let others = (2..).map(|n| with_suffix(&first, &format!("-{n}")));
    std::iter::once(first.clone())
        .chain(others)
        .find(|name| name.symlink_metadata().is_err())
        .unwrap_or(first.clone())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_file_gets_a_name_that_says_when_and_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("goblin.db");
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        let at = Timestamp(1_795_471_200_123);
        let first = free_name(&path, at);
        assert!(
            name(&first).starts_with("goblin.db.before-restore-2026"),
            "{first:?}"
        );
        assert!(name(&first).ends_with('Z') && !name(&first).contains(':'));
        fs::write(&first, "").unwrap();
        assert_eq!(name(&free_name(&path, at)), format!("{}-2", name(&first)));
    }

    #[test]
    fn what_a_killed_restore_left_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("goblin.db");
        for left in [".restoring", ".restoring-wal", ".restoring-shm"] {
            fs::write(with_suffix(&path, left), "left").unwrap();
        }
        drop(Building::begin(&path).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
