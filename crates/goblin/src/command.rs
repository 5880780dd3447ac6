//! The commands that do something and end.

pub(crate) mod bench;
pub(crate) mod config;
pub(crate) mod eval;
pub(crate) mod keys;
pub(crate) mod look;
pub(crate) mod migrate;
pub(crate) mod models;
pub(crate) mod pull;
pub(crate) mod roster;
pub(crate) mod route;
pub(crate) mod tier_client;
pub(crate) mod tier_status;
pub(crate) mod trace;
