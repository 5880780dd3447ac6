//! How fast each model was, kept over a restart: `rates.toml` in the data directory.
//!
//! `goblin models bench` and every goblin that runs on the directory write it; whoever starts begins its forecasts with
//! it. Losing it costs a few poor forecasts, so nothing fails because of it.

use std::path::{Path, PathBuf};

use goblin_core::admission::estimate::Estimate;
use goblin_core::clock::Timestamp;
use serde::{Deserialize, Serialize};

use crate::locked_file::{LockedFileError, change_toml, read_toml};

/// The form this goblin writes.
const VERSION: u32 = 1;
/// Most models kept; those measured longest ago are dropped first.
pub const MAX_RATES: usize = 512;

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("The measured rates in {} cannot be used: {reason}. Delete the file; `goblin models bench` measures anew.", path.display())]
pub struct RatesFileError {
    path: PathBuf,
    reason: String,
}

/// Who measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeasuredBy {
    /// `goblin models bench`.
    Bench,
    /// Answers of a goblin at work.
    Answers,
}

/// How fast one model of one provider was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RateEntry {
    /// The provider's name.
    pub provider: String,
    /// The model, as its provider knows it.
    pub model: String,
    /// The content it was measured on, 64 hexadecimal digits, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Cores of the machine that measured.
    pub cores: u32,
    /// When.
    pub measured_at: Timestamp,
    /// How.
    pub measured_by: MeasuredBy,
    /// The numbers.
    #[serde(flatten)]
    pub known: Estimate,
}

impl RateEntry {
    fn is_of(&self, other: &Self) -> bool {
        self.provider == other.provider && self.model == other.model
    }
}

#[derive(Default, Deserialize, Serialize)]
struct Content {
    #[serde(default)]
    version: u32,
    #[serde(default)]
    models: Vec<RateEntry>,
}

/// A state of the file: it changed when two of them differ. `None`: there is no file.
pub type Stamp = Option<(std::time::SystemTime, u64)>;

/// The file. Cheap to make; every call reads or replaces it whole.
#[derive(Clone, Debug)]
pub struct RatesFile {
    path: PathBuf,
}

impl RatesFile {
    /// The file at `path`, which need not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// When it was last replaced.
    pub fn stamp(&self) -> Stamp {
        let meta = std::fs::metadata(&self.path).ok()?;
        Some((meta.modified().ok()?, meta.len()))
    }

    /// Everything in it, without numbers that cannot be; nothing when there is no file.
    ///
    /// # Errors
    /// [`RatesFileError`], a sentence with what to do.
    pub fn read(&self) -> Result<Vec<RateEntry>, RatesFileError> {
        let content: Content = read_toml(&self.path).map_err(|e| self.unusable(e))?;
        let mut models = self.known(content)?.models;
        for entry in &mut models {
            entry.known = entry.known.plausible();
        }
        Ok(models)
    }

    /// Puts `new` in the place of what was known of the same models; what they do not know stays, when it was measured
    /// on the same content. What others wrote meanwhile stays. A file that cannot be read is replaced: it is worth
    /// less than what was just measured. Returns the state of the file after that.
    ///
    /// # Errors
    /// [`RatesFileError`] when it cannot be written.
    pub fn merge(&self, new: &[RateEntry]) -> Result<Stamp, RatesFileError> {
        let merged = |content: &mut Content| -> Result<(), LockedFileError> {
            content.version = VERSION;
            for entry in new {
                let mut entry = entry.clone();
                if let Some(at) = content.models.iter().position(|old| old.is_of(&entry)) {
                    let old = content.models.swap_remove(at);
                    if old.digest == entry.digest && old.cores == entry.cores {
                        entry.known = entry.known.or(old.known);
                    }
                }
                entry.known = entry.known.plausible().rounded();
                content.models.push(entry);
            }
            content.models.sort_by_key(|m| std::cmp::Reverse(m.measured_at));
            content.models.truncate(MAX_RATES);
            content
                .models
                .sort_by(|a, b| (&a.provider, &a.model).cmp(&(&b.provider, &b.model)));
            Ok(())
        };
        if self.read().is_err() {
            let aside = self.path.with_extension("toml.broken");
            std::fs::rename(&self.path, aside).map_err(|e| self.unusable(e))?;
        }
        change_toml(&self.path, merged).map_err(|e| self.unusable(e))?;
        Ok(self.stamp())
    }

    fn known(&self, content: Content) -> Result<Content, RatesFileError> {
        match content.version {
            VERSION => Ok(content),
            0 if content.models.is_empty() => Ok(content),
            other => Err(self.unusable(format!(
                "it has version {other}, and this goblin knows version {VERSION}"
            ))),
        }
    }

    fn unusable(&self, reason: impl std::fmt::Display) -> RatesFileError {
        RatesFileError {
            path: self.path.clone(),
            reason: reason.to_string(),
        }
    }
}
