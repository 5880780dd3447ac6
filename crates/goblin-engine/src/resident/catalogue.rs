//! The models of this machine, described from their files without loading them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use crate::engine::{described_template, usable};
use crate::gguf::GgufInfo;
use crate::options::EngineError;

/// A model file on offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnOffer {
    /// The name it is offered under.
    pub name: String,
    /// The GGUF file.
    pub path: PathBuf,
    /// SHA-256 as 64 hexadecimal digits, where it is known.
    pub digest: Option<String>,
    /// A small model that only shows that everything works.
    pub starter: bool,
}

/// Says which model files there are. Called on a blocking thread, at most every [`super::READ_AGAIN`].
pub type ListModels = Arc<dyn Fn() -> Result<Vec<OnOffer>, String> + Send + Sync>;

/// What a model's file says.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) info: GgufInfo,
    /// Its template has a form for tools.
    pub(super) tools: bool,
}

/// By what a file is known to be the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    changed: Option<SystemTime>,
}

/// A model on offer, and what its file says.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) offer: OnOffer,
    stamp: Stamp,
    pub(super) facts: Result<Arc<Facts>, EngineError>,
}

impl Entry {
    /// Is it the same file, unchanged?
    pub(super) fn is_same_file(&self, other: &Self) -> bool {
        self.offer.path == other.offer.path && self.stamp == other.stamp
    }
}

/// Reads the list. What is in `known` and has not changed is not read again; a file that is gone is not on offer.
pub(super) fn read(list: &ListModels, known: &[Entry]) -> Result<Vec<Entry>, String> {
    let there = list()?;
    Ok(there
        .into_iter()
        .filter_map(|offer| entry(offer, known))
        .collect())
}

fn entry(offer: OnOffer, known: &[Entry]) -> Option<Entry> {
    let meta = std::fs::metadata(&offer.path).ok()?;
    let stamp = Stamp {
        bytes: meta.len(),
        changed: meta.modified().ok(),
    };
    let before = known
        .iter()
        .find(|e| e.offer.path == offer.path && e.stamp == stamp);
    let facts = match before {
        Some(before) => before.facts.clone(),
        None => facts(&offer).map(Arc::new),
    };
    Some(Entry { offer, stamp, facts })
}

fn facts(offer: &OnOffer) -> Result<Facts, EngineError> {
    let info = usable(&offer.path, None)?;
    let tools = described_template(&info, None)?.tools().is_some();
    Ok(Facts { info, tools })
}
