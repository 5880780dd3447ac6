//! The commands that do something and end.

pub(crate) mod api_keys;
pub(crate) mod backup;
pub(crate) mod bench;
pub(crate) mod config;
pub(crate) mod costs;
pub(crate) mod deploy;
pub(crate) mod eval;
pub(crate) mod keys;
pub(crate) mod look;
pub(crate) mod migrate;
pub(crate) mod models;
pub(crate) mod prices;
pub(crate) mod pull;
pub(crate) mod roster;
pub(crate) mod route;
pub(crate) mod secrets;
pub(crate) mod tier_client;
pub(crate) mod tier_status;
pub(crate) mod trace;
pub(crate) mod users;

use std::fmt;

/// The person stopped it, and what that means for what was done so far.
#[derive(Debug)]
pub(crate) struct Interrupted(pub(crate) &'static str);

impl Interrupted {
    /// For work that goes on where it was.
    pub(crate) const CAN_GO_ON: Self =
        Self("Stopped. What has come is kept: the same command goes on there.");
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Interrupted {}
