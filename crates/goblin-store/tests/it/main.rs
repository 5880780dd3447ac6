//! The store against real files and real processes' worth of trouble.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod accounts;
mod accounts_together;
mod answer_cache;
mod attachments;
mod backup;
mod bad_backups;
mod branches;
#[allow(dead_code, reason = "stopping it is a test of the binary")]
mod cluster;
mod concurrency;
mod content;
mod data_dir;
mod desk;
mod download;
mod faults;
mod identities;
mod judge_records;
mod keys;
mod migrations;
mod model_files;
mod money;
mod opening;
mod passkeys;
mod people;
mod postgres;
mod processes;
mod rate_limits;
mod rates_file;
mod redis_server;
mod responses;
mod roster_file;
mod story;
mod traces;
mod turn_log;
mod verify;
