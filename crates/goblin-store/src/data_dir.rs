//! The data directory: made when absent, tried for writing, and held by one process at a time.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use fs4::fs_std::FileExt;

use crate::private_file::write_private;

/// Why a directory cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another goblin works there.
    #[error(
        "The data directory {} is in use by another goblin (process {}). Stop that one, or give this one its own \
         data directory.", path.display(), pid.map_or("unknown".to_owned(), |p| p.to_string())
    )]
    AlreadyInUse {
        /// The directory.
        path: PathBuf,
        /// The other process, when it said so.
        pid: Option<u32>,
    },
    /// It cannot be written.
    #[error(
        "The data directory {} is read-only: {reason}. Give this user write permission there, or choose another \
         data directory.", path.display()
    )]
    ReadOnly {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The disk is full.
    #[error("No space is left for the data directory {}. Free some space, or choose another.", path.display())]
    NoSpace {
        /// The directory.
        path: PathBuf,
    },
    /// Anything else that keeps it from being made or used.
    #[error("The data directory {} cannot be used: {reason}. Choose another data directory.", path.display())]
    Unusable {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
}

impl DataDirError {
    fn from_io(path: &Path, error: &io::Error) -> Self {
        use io::ErrorKind as Kind;
        let (path, reason) = (path.to_owned(), error.to_string());
        match error.kind() {
            Kind::PermissionDenied | Kind::ReadOnlyFilesystem => Self::ReadOnly { path, reason },
            Kind::StorageFull | Kind::QuotaExceeded => Self::NoSpace { path },
            _ => Self::Unusable { path, reason },
        }
    }
}

/// Where each thing lives in a data directory. Costs nothing and holds nothing: commands that only look or
/// change one file use it beside a running goblin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataPaths {
    root: PathBuf,
}

impl DataPaths {
    /// The places below `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The SQLite file.
    pub fn database(&self) -> PathBuf {
        self.root.join("goblin.db")
    }

    /// The directory of model files.
    pub fn models(&self) -> PathBuf {
        self.root.join("models")
    }

    /// The list of model files.
    pub fn roster(&self) -> PathBuf {
        self.root.join("models.toml")
    }

    /// The master keys secrets in the database are sealed with.
    pub fn master_keys(&self) -> PathBuf {
        self.root.join("master-keys")
    }

    /// The model tier's keys (hashes only).
    pub fn tier_keys(&self) -> PathBuf {
        self.root.join("tier-keys.toml")
    }

    /// What the model tier's keys have used today.
    pub fn tier_usage(&self) -> PathBuf {
        self.root.join("tier-usage.toml")
    }

    /// How fast each model was.
    pub fn rates(&self) -> PathBuf {
        self.root.join("rates.toml")
    }

    /// The folder of the records of judges.
    pub fn judge_records(&self) -> PathBuf {
        self.root.join("judge-records")
    }

    /// Where the first key is left when nobody watches the start.
    pub fn first_key(&self) -> PathBuf {
        self.root.join("first-key")
    }

    /// Where the link for the first account is left when nobody watches the start.
    pub fn first_link(&self) -> PathBuf {
        self.root.join("first-link")
    }

    /// The key access tokens are signed with, when none was given.
    pub fn signing_key(&self) -> PathBuf {
        self.root.join("signing-key")
    }

    /// Held by the goblin that works here.
    pub fn lock(&self) -> PathBuf {
        self.root.join("goblin.lock")
    }
}

/// A data directory held by this process until dropped.
#[derive(Debug)]
pub struct DataDir {
    paths: DataPaths,
    /// The lock is this open file's; the file itself stays, because removing it would race with the next start.
    lock: File,
}

impl DataDir {
    /// Makes the directory when absent (mode 0700), tries that it can be written, and holds it. Blocks on disk.
    ///
    /// # Errors
    /// See [`DataDirError`].
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        let failed = |e: io::Error| DataDirError::from_io(path, &e);
        let paths = DataPaths::new(path);
        make_folder(paths.root()).map_err(failed)?;
        let mut lock = open_lock(&paths.lock()).map_err(failed)?;
        if !lock.try_lock_exclusive().map_err(failed)? {
            return Err(DataDirError::AlreadyInUse {
                path: path.to_owned(),
                pid: read_pid(&mut lock),
            });
        }
        make_folder(&paths.models()).map_err(failed)?;
        // Enough that a disk without a free block refuses it.
        let probe = paths.root().join("write-probe");
        write_private(&probe, &[0; 4096])
            .and_then(|()| fs::remove_file(&probe))
            .map_err(failed)?;
        write_pid(&mut lock).map_err(failed)?;
        Ok(Self { paths, lock })
    }

    /// Where each thing lives.
    pub fn paths(&self) -> &DataPaths {
        &self.paths
    }

    /// Bytes that can still be written there.
    ///
    /// # Errors
    /// What the system says.
    pub fn available_bytes(&self) -> io::Result<u64> {
        fs4::available_space(self.paths.root())
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        // Closing the file would do it too, unless a child process inherited it. A failure changes nothing.
        let _ = FileExt::unlock(&self.lock);
    }
}

fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn read_pid(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    lock.take(20).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn write_pid(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}", std::process::id())
}
