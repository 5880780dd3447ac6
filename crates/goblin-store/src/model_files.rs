//! The model files this machine has: those in the models directory, and those elsewhere that were added.
//!
//! Knows names, places and sizes. What is inside a file is the engine's to say. Every call blocks on disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use goblin_core::clock::{Clock, Timestamp};
use serde::{Deserialize, Serialize};

use crate::data_dir::DataPaths;
use crate::locked_file::{LockedFileError, change_toml, read_toml};

/// Most models in the list.
pub const MAX_MODELS: usize = 1000;

/// Why the list of models does not serve, or refuses.
#[derive(Debug, thiserror::Error)]
pub enum ModelFilesError {
    /// The list or the directory cannot be read or written.
    #[error("{} cannot be used: {reason}", path.display())]
    Unusable {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// There is no file at that place.
    #[error("There is no file {}.", .0.display())]
    NoSuchFile(PathBuf),
    /// The name is not usable.
    #[error(
        "`{0}` is not a usable model name. Use 1 to 100 lower-case letters, digits, `-`, `_`, `.` and `:`, \
         beginning with a letter or digit."
    )]
    BadName(String),
    /// Another file has that name.
    #[error("There is already a model named `{0}`. Choose another name, or remove that one first.")]
    NameTaken(String),
    /// No model of that name.
    #[error("There is no model named `{0}`.")]
    NotFound(String),
    /// The list is full.
    #[error("The list holds {MAX_MODELS} models, which is the limit. Remove some first.")]
    TooMany,
}

/// Where a model came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelSource {
    /// Fetched at the first start to show that everything works.
    Starter,
    /// Added by the operator.
    Added,
    /// Lies in the models directory without having been added.
    Found,
    /// Pulled from a registry into the models directory.
    Pulled,
    /// Lies in the store of an installed Ollama, whose file it stays.
    OllamaStore,
}

/// Where a pulled model came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The reference it is updated by.
    pub reference: String,
    /// SHA-256 as 64 hexadecimal digits.
    pub sha256: String,
    /// The licence's name, if it is known.
    pub licence: Option<String>,
}

/// A model file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFile {
    /// Unique; the part of the model's id after `engine/`.
    pub name: String,
    /// Absolute.
    pub path: PathBuf,
    /// SHA-256 as 64 hexadecimal digits, where it was checked.
    pub sha256: Option<String>,
    /// When it was added; `None` for [`ModelSource::Found`].
    pub added_at: Option<Timestamp>,
    /// Where it came from.
    pub source: ModelSource,
    /// Bytes; `None` when the file is gone.
    pub size_bytes: Option<u64>,
    /// What it was pulled by.
    pub reference: Option<String>,
    /// The name of its licence, where its registry told it.
    pub licence: Option<String>,
}

/// What removing a model did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// What was removed.
    pub model: ModelFile,
    /// Was the file deleted too? Only one inside the models directory is.
    pub file_deleted: bool,
}

/// The content of the list file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Roster {
    #[serde(default)]
    pub(crate) models: Vec<RosterEntry>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RosterEntry {
    name: String,
    pub(crate) path: PathBuf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    source: ModelSource,
    added_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    licence: Option<String>,
}

/// The models directory and the list beside it.
#[derive(Clone, Debug)]
pub struct ModelFiles {
    folder: PathBuf,
    roster: PathBuf,
    clock: Clock,
}

impl ModelFiles {
    /// The models of a data directory. Touches nothing yet.
    pub fn new(paths: &DataPaths, clock: Clock) -> Self {
        Self {
            folder: paths.models(),
            roster: paths.roster(),
            clock,
        }
    }

    /// The directory.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Every model: the list first in the order of adding, then what lies in the directory besides, by name.
    ///
    /// # Errors
    /// [`ModelFilesError::Unusable`].
    pub fn list(&self) -> Result<Vec<ModelFile>, ModelFilesError> {
        let roster: Roster = read_toml(&self.roster).map_err(|e| unusable(&self.roster, e))?;
        let mut models: Vec<ModelFile> = roster.models.iter().map(RosterEntry::to_model).collect();
        let mut found = self.files_in_folder().map_err(|e| unusable(&self.folder, e))?;
        found.retain(|path| !models.iter().any(|m| same_file(&m.path, path)));
        for path in found {
            let name = free_name(&name_for(&path), &models);
            let entry = RosterEntry {
                name,
                path,
                sha256: None,
                source: ModelSource::Found,
                added_at: Timestamp::default(),
                reference: None,
                licence: None,
            };
            models.push(ModelFile {
                added_at: None,
                ..entry.to_model()
            });
        }
        Ok(models)
    }

    /// The model of that name.
    ///
    /// # Errors
    /// [`ModelFilesError::Unusable`].
    pub fn find(&self, name: &str) -> Result<Option<ModelFile>, ModelFilesError> {
        Ok(self.list()?.into_iter().find(|m| m.name == name))
    }

    /// Adds the file at `path` where it is, without copying it. Without a `name` the file's own is taken. A file
    /// already in the list is updated: its name when one is given, its hash, its source.
    ///
    /// # Errors
    /// [`ModelFilesError::NoSuchFile`], [`ModelFilesError::BadName`], [`ModelFilesError::NameTaken`],
    /// [`ModelFilesError::TooMany`], [`ModelFilesError::Unusable`].
    pub fn add(
        &self,
        path: &Path,
        name: Option<&str>,
        sha256: Option<String>,
        source: ModelSource,
    ) -> Result<ModelFile, ModelFilesError> {
        let missing = || ModelFilesError::NoSuchFile(path.to_owned());
        let path = std::path::absolute(path).map_err(|_| missing())?;
        if !path.is_file() {
            return Err(missing());
        }
        let given = name.map(str::to_owned);
        if let Some(name) = given.as_ref().filter(|n| !is_name(n)) {
            return Err(ModelFilesError::BadName(name.chars().take(100).collect()));
        }
        let added_at = self.clock.now();
        self.change(|models| {
            let known = models.iter().position(|m| same_file(&m.path, &path));
            let old_name = known.map(|i| models[i].name.clone());
            // Renaming a pulled model leaves it one that can be updated.
            let pulled = known
                .map(|i| &models[i])
                .filter(|m| m.source == ModelSource::Pulled);
            let pulled = pulled.filter(|_| source == ModelSource::Added).cloned();
            let name = given.or(old_name).unwrap_or_else(|| name_for(&path));
            if models
                .iter()
                .enumerate()
                .any(|(i, m)| m.name == name && Some(i) != known)
            {
                return Err(ModelFilesError::NameTaken(name));
            }
            let entry = match pulled {
                Some(pulled) => RosterEntry { name, ..pulled },
                None => RosterEntry {
                    name,
                    path,
                    sha256,
                    source,
                    added_at,
                    reference: None,
                    licence: None,
                },
            };
            let added = entry.to_model();
            match known {
                Some(i) => models[i] = entry,
                None if models.len() >= MAX_MODELS => return Err(ModelFilesError::TooMany),
                None => models.push(entry),
            }
            Ok(added)
        })
    }

    /// Puts a pulled file of the models directory into the list. A pulled model of that name is replaced: its former
    /// file is deleted when it lies in the models directory, with what lies beside it.
    ///
    /// # Errors
    /// As [`Self::add`]; [`ModelFilesError::NameTaken`] when the name is that of a model that was not pulled.
    pub fn put_pulled(&self, path: &Path, name: &str, origin: Origin) -> Result<ModelFile, ModelFilesError> {
        if !is_name(name) {
            return Err(ModelFilesError::BadName(name.chars().take(100).collect()));
        }
        if !path.is_file() {
            return Err(ModelFilesError::NoSuchFile(path.to_owned()));
        }
        let entry = RosterEntry {
            name: name.to_owned(),
            path: path.to_owned(),
            sha256: Some(origin.sha256),
            source: ModelSource::Pulled,
            added_at: self.clock.now(),
            reference: Some(origin.reference),
            licence: origin.licence,
        };
        let added = entry.to_model();
        let former = self.change(|models| {
            if let Some(known) = models.iter_mut().find(|m| m.name == entry.name) {
                return match known.source {
                    ModelSource::Pulled => Ok(Some(std::mem::replace(known, entry))),
                    _ => Err(ModelFilesError::NameTaken(entry.name)),
                };
            }
            if models.len() >= MAX_MODELS {
                return Err(ModelFilesError::TooMany);
            }
            models.push(entry);
            Ok(None)
        })?;
        if let Some(former) = former.filter(|f| !same_file(&f.path, path)) {
            self.delete_file(&former.path)?;
        }
        Ok(added)
    }

    /// Deletes a file of the models directory and the licence beside it; true when there was one. A running engine
    /// that has it open keeps what it has.
    fn delete_file(&self, path: &Path) -> Result<bool, ModelFilesError> {
        let delete = self.lies_in_folder(path) && path.is_file();
        if delete {
            // Removing a link removes the link, not what it points at.
            fs::remove_file(path).map_err(|e| unusable(path, e))?;
            let licence = licence_beside(path);
            if licence.is_file() {
                fs::remove_file(&licence).map_err(|e| unusable(&licence, e))?;
            }
        }
        Ok(delete)
    }

    /// Forgets the model of that name. Its file is deleted when it lies in the models directory; a file
    /// elsewhere is its owner's and stays, also behind a link.
    ///
    /// # Errors
    /// [`ModelFilesError::NotFound`], [`ModelFilesError::Unusable`].
    pub fn remove(&self, name: &str) -> Result<Removed, ModelFilesError> {
        let model = self
            .find(name)?
            .ok_or_else(|| ModelFilesError::NotFound(name.to_owned()))?;
        if model.source != ModelSource::Found {
            self.change(|models| {
                models.retain(|m| m.name != name);
                Ok(())
            })?;
        }
        let file_deleted = self.delete_file(&model.path)?;
        Ok(Removed { model, file_deleted })
    }

    fn lies_in_folder(&self, path: &Path) -> bool {
        let Some(parent) = path.parent() else { return false };
        match (fs::canonicalize(parent), fs::canonicalize(&self.folder)) {
            (Ok(parent), Ok(folder)) => parent.starts_with(folder),
            _ => false,
        }
    }

    fn files_in_folder(&self) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(e),
        };
        let folder = std::path::absolute(&self.folder)?;
        let mut files = Vec::new();
        for entry in entries.take(MAX_MODELS) {
            let path = folder.join(entry?.file_name());
            if is_gguf(&path) && !is_later_part(&path) && path.is_file() {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }

    fn change<R>(
        &self,
        change: impl FnOnce(&mut Vec<RosterEntry>) -> Result<R, ModelFilesError>,
    ) -> Result<R, ModelFilesError> {
        let result = change_toml::<Roster, _, Refused>(&self.roster, |roster| {
            change(&mut roster.models).map_err(Refused::Model)
        });
        result.map_err(|refused| match refused {
            Refused::Model(e) => e,
            Refused::File(e) => unusable(&self.roster, e),
        })
    }
}

/// A change that was refused, or a list that could not be changed.
enum Refused {
    Model(ModelFilesError),
    File(LockedFileError),
}

impl From<LockedFileError> for Refused {
    fn from(error: LockedFileError) -> Self {
        Self::File(error)
    }
}

impl RosterEntry {
    fn to_model(&self) -> ModelFile {
        ModelFile {
            name: self.name.clone(),
            path: self.path.clone(),
            sha256: self.sha256.clone(),
            added_at: Some(self.added_at),
            source: self.source,
            size_bytes: fs::metadata(&self.path)
                .ok()
                .filter(fs::Metadata::is_file)
                .map(|m| m.len()),
            reference: self.reference.clone(),
            licence: self.licence.clone(),
        }
    }
}

/// Where the licence of the model file at `path` is kept.
pub fn licence_beside(path: &Path) -> PathBuf {
    path.with_extension("licence.txt")
}

/// Can this be a model's name?
pub fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.:".contains(c);
    (1..=100).contains(&name.len())
        && name.chars().all(allowed)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// A name made from the file's: lower case, other characters as `-`.
fn name_for(path: &Path) -> String {
    let stem = path
        .file_stem()
        .map(|s| s.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    let stem = stem.strip_suffix(".gguf").unwrap_or(&stem);
    let whole = stem.split_once("-00001-of-").map_or(stem, |(whole, _)| whole);
    let clean = |c: char| {
        if c.is_ascii_alphanumeric() || "-_.".contains(c) {
            c
        } else {
            '-'
        }
    };
    let name: String = whole.chars().map(clean).take(100).collect();
    let name = name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    if name.is_empty() {
        "model".to_owned()
    } else {
        name.to_owned()
    }
}

fn free_name(wanted: &str, taken: &[ModelFile]) -> String {
    let free = |name: &String| !taken.iter().any(|m| m.name == *name);
    let numbered = (2..).map(|n| format!("{}-{n}", wanted.chars().take(90).collect::<String>()));
    std::iter::once(wanted.to_owned())
        .chain(numbered)
        .find(free)
        .unwrap_or_default()
}

fn is_gguf(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gguf"))
}

/// Split models are `name-00001-of-00003.gguf` …; only the first part is named.
fn is_later_part(path: &Path) -> bool {
    let stem = path
        .file_stem()
        .map(|s| s.to_string_lossy().into_owned())
        .unwrap_or_default();
    let Some((rest, total)) = stem.rsplit_once("-of-") else {
        return false;
    };
    let digits = |text: &str| text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit());
    let Some((_, part)) = rest.rsplit_once('-') else {
        return false;
    };
    digits(total) && digits(part) && part != "00001"
}

fn same_file(a: &Path, b: &Path) -> bool {
    a == b || matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

fn unusable(path: &Path, error: impl std::fmt::Display) -> ModelFilesError {
    ModelFilesError::Unusable {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_file_names() {
        for (file, name) in [
            ("Qwen2.5-3B-Instruct Q4_K_M.gguf", "qwen2.5-3b-instruct-q4_k_m"),
            ("big-00001-of-00003.gguf", "big"),
            ("../.hidden.gguf", "hidden"),
            ("ü.gguf", "model"),
        ] {
            assert_eq!(name_for(Path::new(file)), name, "{file}");
            assert!(is_name(name));
        }
        assert!(
            !is_name("") && !is_name("-a") && !is_name("a/b") && !is_name("A") && !is_name(&"a".repeat(101))
        );
    }

    #[test]
    fn only_the_first_part_of_a_split_model_counts() {
        assert!(!is_later_part(Path::new("m-00001-of-00003.gguf")));
        assert!(is_later_part(Path::new("m-00002-of-00003.gguf")));
        assert!(!is_later_part(Path::new("one-of-many.gguf")));
    }
}
