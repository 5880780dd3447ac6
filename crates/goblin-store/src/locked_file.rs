//! Small TOML files that several processes change: read, change and replace under one lock.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::private_file::{keep_owner, write_private};

/// Such a file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockedFileError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Parse(String),
}

/// Larger files are not ours.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// The content; the default when there is no file.
pub(crate) fn read_toml<T: DeserializeOwned + Default>(path: &Path) -> Result<T, LockedFileError> {
    match fs::metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(T::default()),
        Err(e) => return Err(e.into()),
        Ok(m) if m.len() > MAX_BYTES => {
            return Err(LockedFileError::Parse(format!(
                "it is larger than {MAX_BYTES} bytes"
            )));
        }
        Ok(_) => {}
    }
    let text = fs::read_to_string(path)?;
    toml::from_str(&text).map_err(|e| {
        let at = e.span().map_or(0, |s| s.start.min(text.len()));
        let line = text.as_bytes()[..at].iter().filter(|b| **b == b'\n').count() + 1;
        LockedFileError::Parse(format!("line {line}: {}", e.message()))
    })
}

/// Reads, changes and replaces the file while no other process does. `change` says what it did, or refuses;
/// refused, the file is left as it is.
pub(crate) fn change_toml<T, R, E>(path: &Path, change: impl FnOnce(&mut T) -> Result<R, E>) -> Result<R, E>
where
    T: DeserializeOwned + Default + Serialize,
    E: From<LockedFileError>,
{
    let _lock = lock_beside(path).map_err(LockedFileError::from)?;
    let mut content: T = read_toml(path)?;
    let result = change(&mut content)?;
    let text = toml::to_string_pretty(&content).map_err(|e| LockedFileError::Parse(e.to_string()))?;
    write_private(path, text.as_bytes()).map_err(LockedFileError::from)?;
    Ok(result)
}

/// The lock is a file of its own, because the real one is replaced. Held until the `File` is dropped.
pub(crate) fn lock_beside(path: &Path) -> io::Result<File> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".lock");
    let beside: PathBuf = path.with_file_name(name);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&beside)?;
    keep_owner(&beside, path);
    fs4::fs_std::FileExt::lock_exclusive(&file)?;
    Ok(file)
}
