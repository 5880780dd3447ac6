//! The commands that do something and end.

pub(crate) mod config;
pub(crate) mod look;
pub(crate) mod migrate;
pub(crate) mod models;
