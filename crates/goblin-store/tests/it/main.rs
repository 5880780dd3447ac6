//! The store against real files and real processes' worth of trouble.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod branches;
mod concurrency;
mod data_dir;
mod desk;
mod download;
mod model_files;
mod opening;
mod rates_file;
mod roster_file;
mod story;
mod turn_log;
