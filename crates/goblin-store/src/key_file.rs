//! A file of keys as hashes, shared between a running goblin and the commands that change it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use goblin_core::clock::Timestamp;
use serde::{Deserialize, Serialize};

use crate::locked_file::{LockedFileError, change_toml, read_toml};

/// Most keys in one file.
pub const MAX_KEYS: usize = 1000;

/// One key, of which only the hash is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyEntry {
    /// What its owner calls it; unique in the file.
    pub name: String,
    /// The public part of the key, to recognise it by.
    pub id: String,
    /// SHA-256 of the whole key, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// What it may do, in words of `goblin-auth`.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Why a key file does not serve.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read, or is no key file.
    #[error("The key file {} cannot be used: {reason}. Correct it, or move it away and make new keys.", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A key of that name is there.
    #[error("There is already a key named `{0}`. Choose another name, or remove that one first.")]
    NameTaken(String),
    /// The file is full.
    #[error("The key file holds {MAX_KEYS} keys, which is the limit. Remove some first.")]
    TooMany,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    #[serde(default)]
    keys: Vec<KeyEntry>,
}

/// Tells one state of the file from the next: time, length, and on Unix the file's number, which changes with
/// every replacement even within one tick of the file system's clock.
type Stamp = Option<(SystemTime, u64, u64)>;

#[derive(Debug)]
struct Loaded {
    keys: Arc<Vec<KeyEntry>>,
    stamp: Stamp,
}

/// The keys as last read, and where they live. Cloning shares them.
#[derive(Clone, Debug)]
pub struct KeyFile {
    path: Arc<PathBuf>,
    loaded: Arc<Mutex<Loaded>>,
}

impl KeyFile {
    /// Reads the file; no file is no keys. Blocks on disk.
    ///
    /// # Errors
    /// [`KeyFileError::Unusable`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, KeyFileError> {
        let path = path.into();
        let stamp = stamp(&path);
        let keys = Arc::new(read(&path)?);
        Ok(Self {
            path: Arc::new(path),
            loaded: Arc::new(Mutex::new(Loaded { keys, stamp })),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The keys as last read. Does not touch the disk.
    pub fn keys(&self) -> Arc<Vec<KeyEntry>> {
        Arc::clone(&self.loaded.lock().unwrap_or_else(PoisonError::into_inner).keys)
    }

    /// Reads the file again when it has changed; true when it had. Blocks on disk: poll it each second off the
    /// runtime's threads.
    ///
    /// # Errors
    /// [`KeyFileError::Unusable`]; then the keys stay as last read.
    pub fn reload(&self) -> Result<bool, KeyFileError> {
        let stamp = stamp(&self.path);
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if loaded.stamp == stamp {
            return Ok(false);
        }
        loaded.keys = Arc::new(read(&self.path)?);
        loaded.stamp = stamp;
        Ok(true)
    }

    /// Adds a key. Blocks on disk.
    ///
    /// # Errors
    /// [`KeyFileError::NameTaken`], [`KeyFileError::TooMany`], [`KeyFileError::Unusable`].
    pub fn insert_key(&self, entry: KeyEntry) -> Result<(), KeyFileError> {
        self.change(|keys| {
            if keys.len() >= MAX_KEYS {
                return Err(KeyFileError::TooMany);
            }
            if keys.iter().any(|k| k.name == entry.name) {
                return Err(KeyFileError::NameTaken(entry.name));
            }
            keys.push(entry);
            Ok(())
        })
    }

    /// Removes the key of that name; false when there is none. Blocks on disk.
    ///
    /// # Errors
    /// [`KeyFileError::Unusable`].
    pub fn delete_key(&self, name: &str) -> Result<bool, KeyFileError> {
        self.change(|keys| {
            let before = keys.len();
            keys.retain(|k| k.name != name);
            Ok(keys.len() < before)
        })
    }

    fn change<R>(
        &self,
        change: impl FnOnce(&mut Vec<KeyEntry>) -> Result<R, KeyFileError>,
    ) -> Result<R, KeyFileError> {
        let result =
            change_toml::<Content, _, Refused>(&self.path, |c| change(&mut c.keys).map_err(Refused::Key));
        let result = result.map_err(|refused| match refused {
            Refused::Key(e) => e,
            Refused::File(e) => unusable(&self.path, &e),
        })?;
        self.reload()?;
        Ok(result)
    }
}

/// A change that was refused, or a file that could not be changed.
enum Refused {
    Key(KeyFileError),
    File(LockedFileError),
}

impl From<LockedFileError> for Refused {
    fn from(error: LockedFileError) -> Self {
        Self::File(error)
    }
}

fn read(path: &Path) -> Result<Vec<KeyEntry>, KeyFileError> {
    let content: Content = read_toml(path).map_err(|e| unusable(path, &e))?;
    let bad = |reason: String| KeyFileError::Unusable {
        path: path.to_owned(),
        reason,
    };
    if content.keys.len() > MAX_KEYS {
        return Err(bad(format!("it holds more than {MAX_KEYS} keys")));
    }
    for key in &content.keys {
        if key.sha256.len() != 64 || hex::decode(&key.sha256).is_err() {
            return Err(bad(format!(
                "the `sha256` of key `{}` is not 64 hexadecimal digits",
                key.name
            )));
        }
    }
    Ok(content.keys)
}

fn stamp(path: &Path) -> Stamp {
    let metadata = fs::metadata(path).ok()?;
    #[cfg(unix)]
    let number = std::os::unix::fs::MetadataExt::ino(&metadata);
    #[cfg(not(unix))]
    let number = 0;
    Some((metadata.modified().ok()?, metadata.len(), number))
}

fn unusable(path: &Path, error: &LockedFileError) -> KeyFileError {
    KeyFileError::Unusable {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str) -> KeyEntry {
        KeyEntry {
            name: name.into(),
            id: "abcdefgh".into(),
            sha256: "0a".repeat(32),
            scopes: vec!["infer".into()],
            created_at: Timestamp(1_795_471_200_123),
        }
    }

    #[test]
    fn keys_made_by_another_process_are_seen_after_a_reload() {
        let dir = tempfile::tempdir().unwrap();
        let running = KeyFile::open(dir.path().join("keys.toml")).unwrap();
        let command = KeyFile::open(dir.path().join("keys.toml")).unwrap();
        assert!(!running.reload().unwrap());
        command.insert_key(entry("laptop")).unwrap();
        assert!(running.keys().is_empty());
        assert!(running.reload().unwrap());
        assert_eq!(*running.keys(), [entry("laptop")]);
        assert!(command.delete_key("laptop").unwrap() && !command.delete_key("laptop").unwrap());
        assert!(running.reload().unwrap() && running.keys().is_empty());
    }

    #[test]
    fn a_name_is_taken_once_even_by_two_processes_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys.toml");
        let made: usize = std::thread::scope(|scope| {
            let each = |_| {
                let file = KeyFile::open(&path).unwrap();
                scope.spawn(move || usize::from(file.insert_key(entry("same")).is_ok()))
            };
            let threads: Vec<_> = (0..8).map(each).collect();
            threads.into_iter().map(|t| t.join().unwrap()).sum()
        });
        assert_eq!(made, 1);
        assert_eq!(KeyFile::open(&path).unwrap().keys().len(), 1);
    }

    #[test]
    fn a_broken_file_is_named_and_the_keys_in_use_stay() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys.toml");
        let file = KeyFile::open(&path).unwrap();
        file.insert_key(entry("a")).unwrap();
        for broken in [
            "keys = 3",
            "[[keys]]\nname = \"x\"",
            "[[keys]]\nname='x'\nid='x'\nsha256='zz'\ncreated_at='2026-01-01T00:00:00Z'",
        ] {
            fs::write(&path, broken).unwrap();
            let sentence = file.reload().unwrap_err().to_string();
            assert!(sentence.contains("keys.toml"), "{sentence}");
            assert_eq!(file.keys().len(), 1);
            assert!(KeyFile::open(&path).is_err());
        }
    }
}
