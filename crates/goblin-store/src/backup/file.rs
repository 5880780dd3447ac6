//! A backup on disk: opened, read to its end, and only then believed.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use tokio::sync::mpsc;

use super::age::OpenError;
use super::format::{Decoder, FORMAT, Fault};
use super::sealed::{Opened, Seal};
use super::{BackupError, Contents, Progress};
use crate::sql::Arg;

/// Rows of one statement take at most so many arguments, and about so many bytes.
const BATCH_ARGUMENTS: usize = 2_000;
const BATCH_BYTES: usize = 1024 * 1024;
/// Progress is told each so many rows.
const STEP: u64 = 512;

/// A backup that was read to its end and is whole.
pub struct BackupFile {
    path: PathBuf,
    content: Opened,
    contents: Contents,
    bytes: u64,
    sha256: String,
}

/// Rows of one table, for one statement.
pub(super) struct Batch {
    /// Its number in [`Contents::tables`].
    pub(super) table: usize,
    /// How many.
    pub(super) rows: usize,
    /// Their values, one row after the other.
    pub(super) values: Vec<Arg<'static>>,
}

impl BackupFile {
    /// Opens it with its passphrase and reads it to its end, so that what follows can rely on every byte. Blocks on disk
    /// and computes: half a second for the passphrase, and then some ten megabytes a second.
    ///
    /// # Errors
    /// [`BackupError::Unreadable`], [`BackupError::NotABackup`], [`BackupError::WrongPassphrase`],
    /// [`BackupError::Damaged`], [`BackupError::Newer`] when its format is.
    pub fn open(path: &Path, seal: &Seal, progress: Progress<'_>) -> Result<Self, BackupError> {
        let unreadable = |e| unreadable(path, &e);
        let file = File::open(path).map_err(unreadable)?;
        let bytes = file.metadata().map_err(unreadable)?.len();
        let content = seal.open(file).map_err(|e| of_seal(path, e))?;
        let of_lines = |fault| of_lines(path, fault);
        let mut lines = Decoder::begin(content).map_err(of_lines)?;
        let all = lines.contents().rows();
        let mut done = 0;
        while lines.next_row().map_err(of_lines)?.is_some() {
            done += 1;
            if done % STEP == 0 {
                progress(done, all);
            }
        }
        let sha256 = lines.sha256();
        let (content, contents) = lines.into_parts();
        // What comes last has been authenticated only now.
        let content = content.again().map_err(|e| of_lines(Fault::Io(e)))?;
        Ok(Self {
            path: path.to_owned(),
            content,
            contents,
            bytes,
            sha256,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says of itself.
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// Its size in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The SHA-256 of its lines, as hexadecimal text.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// All its lines, as one text in memory. Reads it once more. Blocks.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::InvalidData`] when it changed meanwhile.
    pub fn lines(mut self) -> io::Result<String> {
        let mut lines = String::new();
        io::Read::read_to_string(&mut self.content, &mut lines)?;
        Ok(lines)
    }

    /// Reads it once more, and hands its rows out. Ends early when nobody takes them. Blocks.
    pub(super) fn send_rows(self, to: &mpsc::Sender<Batch>) -> Result<(), BackupError> {
        let Self {
            path,
            content,
            contents,
            sha256,
            ..
        } = self;
        let of_lines = |fault| of_lines(&path, fault);
        let mut lines = Decoder::begin(content).map_err(of_lines)?;
        let changed = || Fault::Damaged("it changed while it was read".to_owned());
        if *lines.contents() != contents {
            return Err(of_lines(changed()));
        }
        let mut batch = Batch::of(0);
        let mut bytes = 0;
        while let Some((table, row)) = lines.next_row().map_err(of_lines)? {
            let row_bytes = row.iter().map(weight).sum::<usize>();
            let full = batch.values.len() + row.len() > BATCH_ARGUMENTS || bytes + row_bytes > BATCH_BYTES;
            if batch.rows > 0 && (full || batch.table != table) {
                bytes = 0;
                if to
                    .blocking_send(std::mem::replace(&mut batch, Batch::of(table)))
                    .is_err()
                {
                    return Ok(());
                }
            }
            batch.table = table;
            batch.rows += 1;
            batch.values.extend(row);
            bytes += row_bytes;
        }
        if lines.sha256() != sha256 {
            return Err(of_lines(changed()));
        }
        if batch.rows > 0 {
            // Whoever takes them knows whether all came.
            let _ = to.blocking_send(batch);
        }
        Ok(())
    }
}

impl Batch {
    fn of(table: usize) -> Self {
        Self {
            table,
            rows: 0,
            values: Vec::new(),
        }
    }
}

/// About how many bytes a value takes.
fn weight(value: &Arg<'_>) -> usize {
    match value {
        Arg::Text(Some(text)) => text.len(),
        Arg::Bytes(Some(bytes)) => bytes.len(),
        _ => 8,
    }
}

fn unreadable(path: &Path, error: &io::Error) -> BackupError {
    BackupError::Unreadable {
        file: path.to_owned(),
        reason: error.to_string(),
    }
}

fn damaged(path: &Path, reason: impl ToString) -> BackupError {
    BackupError::Damaged {
        file: path.to_owned(),
        reason: reason.to_string(),
    }
}

fn of_seal(path: &Path, error: OpenError) -> BackupError {
    let not_ours = |reason: &str| BackupError::NotABackup {
        file: path.to_owned(),
        reason: reason.to_owned(),
    };
    match error {
        OpenError::Io(e) => of_io(path, &e),
        OpenError::NotSealed => not_ours("it does not begin as a sealed file does"),
        OpenError::NotByPassphrase => not_ours("its seal is not one of a passphrase"),
        OpenError::TooMuchWork(work) => BackupError::Unreadable {
            file: path.to_owned(),
            reason: format!("its seal asks for 2^{work} KiB of memory, which goblin does not spend"),
        },
        OpenError::WrongPassphrase => BackupError::WrongPassphrase(path.to_owned()),
        OpenError::Altered => damaged(path, "its first lines"),
    }
}

fn of_lines(path: &Path, fault: Fault) -> BackupError {
    match fault {
        Fault::Io(e) => of_io(path, &e),
        Fault::NotABackup(reason) => BackupError::NotABackup {
            file: path.to_owned(),
            reason,
        },
        Fault::Newer(found) => BackupError::Newer {
            file: path.to_owned(),
            what: "its format is",
            found: found.into(),
            known: FORMAT.into(),
        },
        Fault::Damaged(reason) => damaged(path, reason),
    }
}

/// A disk that cannot be read, or bytes that are not what was written.
fn of_io(path: &Path, error: &io::Error) -> BackupError {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::UnexpectedEof => damaged(path, "it ends too early"),
        Kind::InvalidData | Kind::InvalidInput => damaged(path, "its seal does not fit its content"),
        _ => unreadable(path, error),
    }
}
