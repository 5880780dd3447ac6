//! The small file that keeps the tokens of the day over a restart.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use goblin_core::clock::Timestamp;
use serde::{Deserialize, Serialize};

use super::DAY_MS;
use crate::locked_file::read_toml;
use crate::private_file::write_private;

/// The file does not serve.
#[derive(Debug, thiserror::Error)]
#[error("The usage file {} cannot be used: {reason}. Correct it, or move it away to count the day from zero.", path.display())]
pub struct UsageFileError {
    path: PathBuf,
    reason: String,
}

/// What is written.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Usage {
    /// The day (UTC), `2026-11-24`; empty: none.
    #[serde(default)]
    day: String,
    /// Tokens by key name.
    #[serde(default)]
    pub(super) tokens: BTreeMap<String, u64>,
}

impl Usage {
    /// What was used on `day`, counted from the epoch.
    pub(super) fn new(day: i64, tokens: impl Iterator<Item = (String, u64)>) -> Self {
        let text = Timestamp(day.saturating_mul(DAY_MS)).to_rfc3339();
        Self {
            day: text.chars().take(10).collect(),
            tokens: tokens.collect(),
        }
    }

    /// The day it is about, counted from the epoch.
    pub(super) fn day(&self) -> Option<i64> {
        let midnight = Timestamp::parse_rfc3339(&format!("{}T00:00:00Z", self.day))?;
        Some(midnight.0.div_euclid(DAY_MS))
    }
}

/// Reads the file; no file is nothing used.
pub(super) fn read_usage(path: &Path) -> Result<Usage, UsageFileError> {
    read_toml(path).map_err(|e| unusable(path, &e))
}

/// Replaces the file as a whole.
pub(super) fn write_usage(path: &Path, usage: &Usage) -> Result<(), UsageFileError> {
    let text = toml::to_string_pretty(usage).map_err(|e| unusable(path, &e))?;
    write_private(path, text.as_bytes()).map_err(|e| unusable(path, &e))
}

fn unusable(path: &Path, reason: &dyn std::fmt::Display) -> UsageFileError {
    UsageFileError {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}
