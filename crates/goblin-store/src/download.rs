//! A large file on its way into a folder: kept as `NAME.part` until it is whole and its checksum is right, so that it
//! can be resumed after anything that happens to the process.
//!
//! Beside the part lies `NAME.part.json`, which says what the part is a part of; a part of something else is thrown
//! away. Every call blocks on disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::private_file::write_private;

/// Space that stays free on the disk, in bytes.
const SPARE_BYTES: u64 = 64 << 20;
/// Largest state file that is read, in bytes.
const MAX_STATE_BYTES: u64 = 64 << 10;

/// Why a file does not arrive.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The disk refuses.
    #[error("{} cannot be written: {source}", path.display())]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It would not fit.
    #[error(
        "{} needs {needed} bytes more, and only {available} are free there ({SPARE_BYTES} stay free). Free some space, \
         or choose another data directory.", folder.display()
    )]
    NoSpace {
        /// Where it would go.
        folder: PathBuf,
        /// Bytes still to come.
        needed: u64,
        /// Bytes that are free.
        available: u64,
    },
    /// Another process fetches the same file.
    #[error("Another goblin is fetching {} right now. Wait for it, or stop it.", .0.display())]
    InUse(PathBuf),
    /// More came than the file has.
    #[error("More than the announced {size_bytes} bytes came.")]
    TooLong {
        /// The announced length.
        size_bytes: u64,
    },
    /// It ended early.
    #[error("Only {received} of {size_bytes} bytes came.")]
    TooShort {
        /// What came.
        received: u64,
        /// The announced length.
        size_bytes: u64,
    },
    /// It is not what was announced. The part has been thrown away.
    #[error(
        "What came is not the announced file: its SHA-256 is {actual}, not {expected}. It was thrown away."
    )]
    Checksum {
        /// What was announced.
        expected: String,
        /// What came.
        actual: String,
    },
}

/// The file that is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Its name in the folder: one path component.
    pub file_name: String,
    /// Its length in bytes.
    pub size_bytes: u64,
    /// SHA-256 as 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Where it comes from, for whoever finds the part.
    pub source: String,
}

/// What was there.
#[derive(Debug)]
pub enum Begun {
    /// All of it, checked.
    There(PathBuf),
    /// A part, or nothing yet.
    Partly(Box<Download>),
}

/// A file that arrives. Dropping it leaves the part to be resumed.
#[derive(Debug)]
pub struct Download {
    wanted: Wanted,
    folder: PathBuf,
    /// Locked as long as it is open.
    part: File,
    hasher: Sha256,
    received: u64,
}

/// A file that has arrived whole and is what was announced, but has not taken its place yet.
#[derive(Debug)]
pub struct Arrived {
    part: PathBuf,
    place: PathBuf,
    /// Keeps the lock.
    _open: File,
}

impl Wanted {
    fn part(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.part", self.file_name))
    }

    fn state(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.part.json", self.file_name))
    }

    /// The same content, wherever it comes from.
    fn same_content(&self, other: &Self) -> bool {
        (&self.sha256, self.size_bytes) == (&other.sha256, other.size_bytes)
    }
}

impl Download {
    /// Looks what is there of a file, makes room for the rest, and holds the part. What is there is read once, to
    /// compute the checksum onwards from it.
    ///
    /// # Errors
    /// [`DownloadError::Disk`], [`DownloadError::NoSpace`], [`DownloadError::InUse`].
    pub fn begin(folder: &Path, wanted: Wanted) -> Result<Begun, DownloadError> {
        fs::create_dir_all(folder).map_err(|e| disk(folder, e))?;
        let place = folder.join(&wanted.file_name);
        if place.file_name() != Some(wanted.file_name.as_ref()) {
            return Err(disk(&place, io::ErrorKind::InvalidInput.into()));
        }
        if is_that(&place, &wanted).map_err(|e| disk(&place, e))? {
            return Ok(Begun::There(place));
        }
        let path = wanted.part(folder);
        let mut part = open_part(&path).map_err(|e| disk(&path, e))?;
        if !fs4::fs_std::FileExt::try_lock_exclusive(&part).map_err(|e| disk(&path, e))? {
            return Err(DownloadError::InUse(place));
        }
        // Whoever held it before may have finished, and then what is open here is the finished file.
        if !is_same(&part, &path) {
            return match is_that(&place, &wanted).map_err(|e| disk(&place, e))? {
                true => Ok(Begun::There(place)),
                false => Err(DownloadError::InUse(place)),
            };
        }
        let state = wanted.state(folder);
        let usable = read_state(&state).is_some_and(|s| s.same_content(&wanted));
        let there = part.metadata().map_err(|e| disk(&path, e))?.len();
        if !usable || there > wanted.size_bytes {
            part.set_len(0).map_err(|e| disk(&path, e))?;
        }
        let (hasher, received) = hash(&mut part).map_err(|e| disk(&path, e))?;
        let needed = wanted.size_bytes.saturating_sub(received);
        let available = fs4::available_space(folder).map_err(|e| disk(folder, e))?;
        if needed.saturating_add(SPARE_BYTES) > available {
            return Err(DownloadError::NoSpace {
                folder: folder.to_owned(),
                needed,
                available,
            });
        }
        let text = serde_json::to_vec(&wanted).map_err(|e| disk(&state, e.into()))?;
        write_private(&state, &text).map_err(|e| disk(&state, e))?;
        Ok(Begun::Partly(Box::new(Self {
            wanted,
            folder: folder.to_owned(),
            part,
            hasher,
            received,
        })))
    }

    /// Bytes that are there, from the beginning of the file.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// What is fetched.
    pub fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// Throws away what is there: the other side can only begin anew.
    ///
    /// # Errors
    /// [`DownloadError::Disk`].
    pub fn restart(&mut self) -> Result<(), DownloadError> {
        let path = self.wanted.part(&self.folder);
        self.part
            .set_len(0)
            .and_then(|()| self.part.rewind())
            .map_err(|e| disk(&path, e))?;
        self.hasher = Sha256::new();
        self.received = 0;
        Ok(())
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`DownloadError::TooLong`], before anything is written; [`DownloadError::Disk`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), DownloadError> {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let after = self.received.saturating_add(length);
        if after > self.wanted.size_bytes {
            return Err(DownloadError::TooLong {
                size_bytes: self.wanted.size_bytes,
            });
        }
        let written = self.part.write_all(bytes);
        written.map_err(|e| disk(&self.wanted.part(&self.folder), e))?;
        self.hasher.update(bytes);
        self.received = after;
        Ok(())
    }

    /// All has come: forces it to disk and compares the checksum. A wrong one throws the part away.
    ///
    /// # Errors
    /// [`DownloadError::TooShort`] (the part stays), [`DownloadError::Checksum`], [`DownloadError::Disk`].
    pub fn finish(self) -> Result<Arrived, DownloadError> {
        if self.received < self.wanted.size_bytes {
            return Err(DownloadError::TooShort {
                received: self.received,
                size_bytes: self.wanted.size_bytes,
            });
        }
        let part = self.wanted.part(&self.folder);
        self.part.sync_all().map_err(|e| disk(&part, e))?;
        let arrived = Arrived {
            place: self.folder.join(&self.wanted.file_name),
            part,
            _open: self.part,
        };
        let actual = hex::encode(self.hasher.finalize());
        if actual != self.wanted.sha256 {
            arrived.discard()?;
            return Err(DownloadError::Checksum {
                expected: self.wanted.sha256,
                actual,
            });
        }
        Ok(arrived)
    }
}

impl Arrived {
    /// Where it is now, to be looked into.
    pub fn path(&self) -> &Path {
        &self.part
    }

    /// Puts it in its place, at once and whole.
    ///
    /// # Errors
    /// [`DownloadError::Disk`]; then the part stays.
    pub fn accept(self) -> Result<PathBuf, DownloadError> {
        fs::rename(&self.part, &self.place).map_err(|e| disk(&self.place, e))?;
        if let Some(folder) = self.place.parent() {
            // The rename itself is on disk only once the folder is.
            let synced = File::open(folder).and_then(|f| f.sync_all());
            synced.map_err(|e| disk(folder, e))?;
        }
        remove_if_there(&state_of(&self.part))?;
        Ok(self.place)
    }

    /// Throws it away.
    ///
    /// # Errors
    /// [`DownloadError::Disk`].
    pub fn discard(self) -> Result<(), DownloadError> {
        remove_if_there(&self.part)?;
        remove_if_there(&state_of(&self.part))
    }
}

/// Is what `bytes` hold what the checksum says?
pub fn has_sha256(bytes: &[u8], expected: &str) -> bool {
    hex::encode(Sha256::digest(bytes)) == expected
}

fn state_of(part: &Path) -> PathBuf {
    let mut name = part.as_os_str().to_owned();
    name.push(".json");
    PathBuf::from(name)
}

fn read_state(path: &Path) -> Option<Wanted> {
    let small = fs::metadata(path).ok()?.len() <= MAX_STATE_BYTES;
    let text = small.then(|| fs::read(path).ok()).flatten()?;
    serde_json::from_slice(&text).ok()
}

/// Is the whole file at `path`, with the right checksum?
fn is_that(path: &Path, wanted: &Wanted) -> io::Result<bool> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(e),
    };
    if file.metadata()?.len() != wanted.size_bytes {
        return Ok(false);
    }
    let (hasher, _) = hash(&mut file)?;
    Ok(hex::encode(hasher.finalize()) == wanted.sha256)
}

/// The checksum so far and the length of all that is in the file, which is then at its end.
fn hash(file: &mut File) -> io::Result<(Sha256, u64)> {
    file.seek(SeekFrom::Start(0))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut length = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((hasher, length)),
            n => {
                hasher.update(&buffer[..n]);
                length += u64::try_from(n).unwrap_or_default();
            }
        }
    }
}

fn open_part(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.open(path)
}

/// Is `path` still the name of this open file?
#[cfg(unix)]
fn is_same(open: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |m: fs::Metadata| (m.dev(), m.ino());
    let open = open.metadata().map(id);
    open.is_ok_and(|open| fs::metadata(path).is_ok_and(|m| id(m) == open))
}

/// Is `path` still the name of an open file?
#[cfg(not(unix))]
fn is_same(_: &File, path: &Path) -> bool {
    path.is_file()
}

fn remove_if_there(path: &Path) -> Result<(), DownloadError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(disk(path, e)),
        _ => Ok(()),
    }
}

fn disk(path: &Path, source: io::Error) -> DownloadError {
    DownloadError::Disk {
        path: path.to_owned(),
        source,
    }
}
