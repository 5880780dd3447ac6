//! The roster and the keys of a model tier as one small file, to move them to another machine or to get them back.
//!
//! It holds no secret: keys are hashes there as in the keys file. Weights are not in it; a model that was pulled is
//! pulled again by its reference. Every call blocks on disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use goblin_core::clock::Timestamp;
use serde::{Deserialize, Serialize};

use crate::data_dir::DataPaths;
use crate::key_file::KeyFile;
use crate::locked_file::{lock_beside, read_toml};
use crate::model_files::Roster;
use crate::private_file::write_private;

/// The form of the file.
const VERSION: u32 = 1;
/// Largest file that is read, in bytes.
const MAX_BYTES: u64 = 16 << 20;

/// Why a backup is not written or not restored.
#[derive(Debug, thiserror::Error)]
pub enum RosterFileError {
    /// The file for the backup is there.
    #[error("{} is already there. Name another file, or add --force to replace it.", .0.display())]
    Exists(PathBuf),
    /// What would be restored over is not empty.
    #[error(
        "This machine already has {models} models in its list and {keys} keys, which would be replaced. Add --force to \
         do it; `goblin models backup FILE` keeps them first."
    )]
    NotEmpty {
        /// Models in the list.
        models: usize,
        /// Keys.
        keys: usize,
    },
    /// A file cannot be read or written, or is not what it should be.
    #[error("{} cannot be used: {reason}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// A role of the roster, as it was configured when the backup was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleEntry {
    /// For example `safety`.
    pub role: String,
    /// The reference of its model.
    pub model: String,
    /// How long the model stays in memory unused, in seconds; absent: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_alive_seconds: Option<u64>,
}

/// Roster and keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RosterFile {
    version: u32,
    /// When it was made.
    pub made_at: Timestamp,
    /// Where the models directory was; files below it are looked for in the new one.
    models_folder: PathBuf,
    /// The configured roles.
    #[serde(default)]
    pub roles: Vec<RoleEntry>,
    /// The list of models, as `models.toml` has it.
    #[serde(default)]
    list: Roster,
    /// The content of the keys file, as it is.
    #[serde(default)]
    keys: toml::Table,
}

/// What was restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Models in the list.
    pub models: usize,
    /// Keys.
    pub keys: usize,
}

impl RosterFile {
    /// Reads what is there now.
    ///
    /// # Errors
    /// [`RosterFileError::Unusable`].
    pub fn take(
        paths: &DataPaths,
        keys_file: &Path,
        roles: Vec<RoleEntry>,
        made_at: Timestamp,
    ) -> Result<Self, RosterFileError> {
        // Only a good keys file is worth keeping.
        KeyFile::open(keys_file).map_err(|e| unusable(keys_file, e))?;
        Ok(Self {
            version: VERSION,
            made_at,
            models_folder: std::path::absolute(paths.models()).map_err(|e| unusable(&paths.models(), e))?,
            roles,
            list: read_toml(&paths.roster()).map_err(|e| unusable(&paths.roster(), e))?,
            keys: read_toml(keys_file).map_err(|e| unusable(keys_file, e))?,
        })
    }

    /// Models in the list, and keys.
    pub fn counts(&self) -> Restored {
        Restored {
            models: self.list.models.len(),
            keys: count_keys(&self.keys),
        }
    }

    /// Writes it, readable by its owner only. `force`: over a file that is there.
    ///
    /// # Errors
    /// [`RosterFileError::Exists`], [`RosterFileError::Unusable`].
    pub fn write(&self, path: &Path, force: bool) -> Result<(), RosterFileError> {
        if !force && path.symlink_metadata().is_ok() {
            return Err(RosterFileError::Exists(path.to_owned()));
        }
        let text = toml::to_string_pretty(self).map_err(|e| unusable(path, e))?;
        write_private(path, text.as_bytes()).map_err(|e| unusable(path, e))
    }

    /// Reads a backup.
    ///
    /// # Errors
    /// [`RosterFileError::Unusable`].
    pub fn read(path: &Path) -> Result<Self, RosterFileError> {
        let size = fs::metadata(path).map_err(|e| unusable(path, e))?.len();
        if size > MAX_BYTES {
            return Err(unusable(path, format!("it is larger than {MAX_BYTES} bytes")));
        }
        let text = fs::read_to_string(path).map_err(|e| unusable(path, e))?;
        let plain: toml::Table = toml::from_str(&text).map_err(|e| unusable(path, no_backup(e.message())))?;
        match plain.get("version").and_then(toml::Value::as_integer) {
            Some(version) if version == i64::from(VERSION) => {}
            Some(version) => {
                let reason = format!(
                    "it has version {version}, and this goblin knows version {VERSION}. Use the goblin that wrote it, \
                     or a newer one"
                );
                return Err(unusable(path, reason));
            }
            None => return Err(unusable(path, no_backup("it has no version"))),
        }
        toml::from_str(&text).map_err(|e| unusable(path, no_backup(e.message())))
    }

    /// Puts list and keys in the place of those that are there: both, or neither. Everything is checked before
    /// anything is replaced. `force`: also when models or keys are there.
    ///
    /// # Errors
    /// [`RosterFileError::NotEmpty`], [`RosterFileError::Unusable`].
    pub fn restore(
        &self,
        paths: &DataPaths,
        keys_file: &Path,
        force: bool,
    ) -> Result<Restored, RosterFileError> {
        let (list_path, folder) = (paths.roster(), paths.models());
        for place in [&list_path, keys_file] {
            let above = place.parent().filter(|p| !p.as_os_str().is_empty());
            above
                .map_or(Ok(()), fs::create_dir_all)
                .map_err(|e| unusable(place, e))?;
        }
        let _list_lock = lock_beside(&list_path).map_err(|e| unusable(&list_path, e))?;
        let _keys_lock = lock_beside(keys_file).map_err(|e| unusable(keys_file, e))?;
        if !force {
            // A file that cannot even be read is worth keeping until someone says otherwise.
            let list: Roster = read_toml(&list_path).map_err(|e| unusable(&list_path, e))?;
            let keys: toml::Table = read_toml(keys_file).map_err(|e| unusable(keys_file, e))?;
            let (models, keys) = (list.models.len(), count_keys(&keys));
            if models + keys > 0 {
                return Err(RosterFileError::NotEmpty { models, keys });
            }
        }
        let mut list = self.list.clone();
        let folder = std::path::absolute(&folder).map_err(|e| unusable(&folder, e))?;
        for model in &mut list.models {
            if let Ok(below) = model.path.strip_prefix(&self.models_folder) {
                model.path = folder.join(below);
            }
        }
        let new_list = stage(&list_path, &list)?;
        let new_keys = stage(keys_file, &self.keys)?;
        let outcome = KeyFile::open(&new_keys)
            .map_err(|e| unusable(keys_file, e))
            .and_then(|_| replace_both((&new_list, &list_path), (&new_keys, keys_file)));
        for staged in [&new_list, &new_keys] {
            // Gone after a success; after a failure only untidy.
            let _ = fs::remove_file(staged);
        }
        outcome.map(|()| self.counts())
    }
}

fn count_keys(table: &toml::Table) -> usize {
    table
        .get("keys")
        .and_then(toml::Value::as_array)
        .map_or(0, Vec::len)
}

/// Writes the content beside its place.
fn stage(place: &Path, content: &impl Serialize) -> Result<PathBuf, RosterFileError> {
    let mut name = place.as_os_str().to_owned();
    name.push(".restoring");
    let staged = PathBuf::from(name);
    let text = toml::to_string_pretty(content).map_err(|e| unusable(place, e))?;
    write_private(&staged, text.as_bytes()).map_err(|e| unusable(&staged, e))?;
    Ok(staged)
}

/// Renames both; when the second cannot be, the first is put back.
fn replace_both(first: (&Path, &Path), second: (&Path, &Path)) -> Result<(), RosterFileError> {
    let before = match fs::read(first.1) {
        Ok(bytes) => Some(bytes),
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        Err(e) => return Err(unusable(first.1, e)),
    };
    fs::rename(first.0, first.1).map_err(|e| unusable(first.1, e))?;
    fs::rename(second.0, second.1).map_err(|error| {
        let back = match before {
            Some(bytes) => write_private(first.1, &bytes),
            None => fs::remove_file(first.1),
        };
        let also = back.err().map_or_else(String::new, |e| {
            format!("; and {} could not be put back: {e}", first.1.display())
        });
        unusable(second.1, format!("{error}{also}"))
    })
}

fn no_backup(why: &str) -> String {
    format!("it is no backup made by `goblin models backup`: {why}")
}

fn unusable(path: &Path, reason: impl std::fmt::Display) -> RosterFileError {
    RosterFileError::Unusable {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}
