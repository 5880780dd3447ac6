//! Making a backup while the database is in use: everything is read in one transaction, which sees one moment, and
//! written by a thread that may block.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use futures_util::StreamExt;
use tokio::sync::mpsc;

use super::format::{Encoder, FORMAT, MAX_LINE};
use super::sealed::Seal;
use super::{BackupError, ColumnContents, Contents, Kind, NOT_CARRIED, Progress, TableContents, broken};
use crate::error::StoreError;
use crate::private_file::{keep_owner, temporary_beside};
use crate::schema::NEWEST;
use crate::shape::{Shape, fresh_shape};
use crate::sql::{Link, Query};
use crate::store::{Database, Store};

/// Lines go to the writing thread in pieces of about this size.
const PIECE: usize = 64 * 1024;
/// Pieces that may wait for it.
const PIECES: usize = 4;
/// Progress is told each so many rows.
const STEP: u64 = 512;

/// A backup that was made.
#[derive(Clone, Debug)]
pub struct Taken {
    /// What is in it.
    pub contents: Contents,
    /// The size of the file in bytes.
    pub bytes: u64,
    /// The SHA-256 of its lines, as hexadecimal text.
    pub sha256: String,
}

enum Piece {
    Lines(Vec<u8>),
    /// All have come.
    End,
}

impl Store {
    /// Writes everything this database holds into a new file that only its owner can read. It is as of one moment,
    /// whatever others write meanwhile, and nobody waits for it but migrations. Given up in the middle it leaves no file.
    ///
    /// # Errors
    /// [`BackupError::Exists`], [`BackupError::Unwritable`], [`BackupError::InMemory`], [`BackupError::UnknownType`],
    /// [`BackupError::RowTooLarge`], and what the database says.
    pub async fn write_backup(
        &self,
        to: &Path,
        seal: &Seal,
        progress: Progress<'_>,
    ) -> Result<Taken, BackupError> {
        if *self.database() == Database::Memory {
            return Err(BackupError::InMemory);
        }
        let schema = self.newest_applied().await?;
        if schema == 0 {
            return Err(BackupError::Store(StoreError::Migration(
                "it has no tables yet, so there is nothing to back up. The first start, or `goblin migrate up`, makes them"
                    .to_owned(),
            )));
        }
        let file = NewFile::create(to)?;
        let mut link = self.begin_snapshot().await?;
        let contents = self.list_contents(&mut link).await?;
        let (pieces, waiting) = mpsc::channel(PIECES);
        let seal = seal.clone();
        let writing = tokio::task::spawn_blocking(move || file.write(&seal, waiting));
        let read = send_rows(&mut link, &contents, &pieces, progress).await;
        drop(pieces);
        let written = writing.await.map_err(broken)?;
        let ended = link.rollback().await;
        // A disk that is full is why no more rows were taken.
        let bytes = written?;
        let (sha256, ()) = (read?, ended?);
        let bytes = bytes.ok_or_else(|| StoreError::Unreadable("the rows ended too early".to_owned()))?;
        Ok(Taken {
            contents,
            bytes,
            sha256,
        })
    }

    /// What a backup of this moment holds.
    async fn list_contents(&self, link: &mut Link) -> Result<Contents, BackupError> {
        let schema = self.newest_recorded(link).await?;
        // Tables of others may stand beside ours, and of a newer release's only the database itself knows.
        let shape = if schema <= NEWEST {
            fresh_shape(schema).await?
        } else {
            self.shape(link).await?
        };
        let mut tables = tables_of(&shape)?;
        for table in &mut tables {
            let count = Query::made(format!("SELECT COUNT(*) AS found FROM \"{}\"", table.name));
            let found: i64 = count.fetch_one(link).await?.get("found")?;
            table.rows = u64::try_from(found).unwrap_or(0);
        }
        Ok(Contents {
            format: FORMAT,
            goblin: env!("CARGO_PKG_VERSION").to_owned(),
            made_at: self.now(),
            database: if self.database().is_shared() {
                "postgresql".to_owned()
            } else {
                "sqlite".to_owned()
            },
            schema,
            tables,
        })
    }
}

/// The tables that are carried, still without rows.
pub(super) fn tables_of(shape: &Shape) -> Result<Vec<TableContents>, BackupError> {
    let carried = shape
        .tables
        .iter()
        .filter(|(name, _)| !NOT_CARRIED.contains(&name.as_str()));
    carried
        .map(|(name, table)| {
            let columns = table.columns.iter().map(|column| {
                let kind = Kind::of_type(&column.type_name).ok_or_else(|| BackupError::UnknownType {
                    column: format!("{name}.{}", column.name),
                    type_name: column.type_name.clone(),
                })?;
                Ok(ColumnContents {
                    name: column.name.clone(),
                    kind,
                })
            });
            Ok(TableContents {
                name: name.clone(),
                columns: columns.collect::<Result<_, BackupError>>()?,
                rows: 0,
            })
        })
        .collect()
}

/// All rows of a table. Names come from a schema, never from a caller.
pub(super) fn select(table: &TableContents) -> Query<'static> {
    let columns: Vec<String> = table.columns.iter().map(|c| format!("\"{}\"", c.name)).collect();
    Query::made(format!("SELECT {} FROM \"{}\"", columns.join(", "), table.name))
}

/// Hands every line to the writing thread; the checksum of them. Ends early when that has ended.
async fn send_rows(
    link: &mut Link,
    contents: &Contents,
    to: &mpsc::Sender<Piece>,
    progress: Progress<'_>,
) -> Result<String, BackupError> {
    let (all, mut done) = (contents.rows(), 0);
    let mut lines = Encoder::default();
    lines.begin(contents)?;
    for table in &contents.tables {
        let mut rows = select(table).fetch(link);
        while let Some(row) = rows.next().await {
            if lines.row(table, &row?)? > MAX_LINE {
                return Err(BackupError::RowTooLarge {
                    table: table.name.clone(),
                    limit: MAX_LINE,
                });
            }
            done += 1;
            if done % STEP == 0 {
                progress(done, all);
            }
            if lines.waiting() >= PIECE && to.send(Piece::Lines(lines.take())).await.is_err() {
                return Ok(String::new());
            }
        }
    }
    let sha256 = lines.end()?;
    for piece in [Piece::Lines(lines.take()), Piece::End] {
        if to.send(piece).await.is_err() {
            break;
        }
    }
    progress(all, all);
    Ok(sha256)
}

/// A file under another name, until everything is in it.
struct NewFile {
    place: PathBuf,
    temporary: PathBuf,
    file: Option<File>,
}

impl NewFile {
    fn create(place: &Path) -> Result<Self, BackupError> {
        if place.symlink_metadata().is_ok() {
            return Err(BackupError::Exists(place.to_owned()));
        }
        let failed = |e: io::Error| unwritable(place, &e);
        let temporary = temporary_beside(place).map_err(failed)?;
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        // Only a process of the same number, long gone, could have left one.
        let _ = fs::remove_file(&temporary);
        let file = options.open(&temporary).map_err(failed)?;
        Ok(Self {
            place: place.to_owned(),
            temporary,
            file: Some(file),
        })
    }

    /// Writes what comes. The size of the file in bytes; `None`, and no file, when not all came.
    fn write(mut self, seal: &Seal, mut pieces: mpsc::Receiver<Piece>) -> Result<Option<u64>, BackupError> {
        let Some(file) = self.file.take() else {
            return Ok(None);
        };
        let failed = |e: io::Error| unwritable(&self.place, &e);
        let mut sealing = seal.close(file).map_err(failed)?;
        while let Some(piece) = pieces.blocking_recv() {
            match piece {
                Piece::Lines(lines) => sealing.write_all(&lines).map_err(failed)?,
                Piece::End => {
                    let file = sealing.finish().map_err(failed)?;
                    file.sync_all().map_err(failed)?;
                    let bytes = file.metadata().map_err(failed)?.len();
                    return self.keep().map(|()| Some(bytes));
                }
            }
        }
        Ok(None)
    }

    /// Gives it its name, unless another file has that by now.
    fn keep(&self) -> Result<(), BackupError> {
        let failed = |e: io::Error| unwritable(&self.place, &e);
        keep_owner(&self.temporary, &self.place);
        match fs::hard_link(&self.temporary, &self.place) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                return Err(BackupError::Exists(self.place.clone()));
            }
            // Some file systems have no links.
            Err(_) if self.place.symlink_metadata().is_ok() => {
                return Err(BackupError::Exists(self.place.clone()));
            }
            Err(_) => fs::rename(&self.temporary, &self.place).map_err(failed)?,
            Ok(()) => {}
        }
        let folder = self.place.parent().filter(|p| !p.as_os_str().is_empty());
        let folder = File::open(folder.unwrap_or(Path::new("."))).map_err(failed)?;
        folder.sync_all().map_err(failed)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // Gone already where it was renamed. Left over it would only be untidy.
        let _ = fs::remove_file(&self.temporary);
    }
}

fn unwritable(file: &Path, error: &io::Error) -> BackupError {
    BackupError::Unwritable {
        file: file.to_owned(),
        reason: error.to_string(),
    }
}
