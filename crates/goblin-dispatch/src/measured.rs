//! What is known of the models' speed across the life of a process: where the forecasts begin, and what they learned.

use std::sync::Arc;

use goblin_core::admission::estimate::Estimate;

use crate::Dispatch;

/// How fast one model of one provider is.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The provider's name.
    pub provider: Arc<str>,
    /// The model, as its provider knows it.
    pub model: Arc<str>,
    /// The content it was measured on, 64 hexadecimal digits, when known.
    pub digest: Option<String>,
    /// The numbers.
    pub known: Estimate,
}

impl Dispatch {
    /// Forecasts of these models begin with what was found earlier, until answers of this process outweigh it. What was
    /// measured on another content than the provider now has under that name is dropped once the provider says so.
    /// Providers that are not in the table are passed over.
    pub fn expect(&self, found: impl IntoIterator<Item = Measured>) {
        let there = self.table.providers();
        for one in found {
            if there.iter().any(|p| p.id == one.provider) {
                let gate = self.table.gate(&one.provider);
                gate.expect(&one.model, one.known, one.digest);
            }
        }
    }

    /// What answers of this process have shown, of every model that gave any.
    pub fn measured(&self) -> Vec<Measured> {
        let of = |provider: Arc<str>| {
            let gate = self.table.gate(&provider);
            let measured = gate.measured().into_iter();
            measured.map(move |(model, digest, known)| Measured {
                provider: Arc::clone(&provider),
                model,
                digest,
                known,
            })
        };
        let ids = self.table.providers().into_iter().map(|p| p.id);
        ids.flat_map(of).collect()
    }
}
