//! The binary from outside, and the walls of the house.
#![allow(
    clippy::unwrap_used,
    reason = "a panic is how a test fails, also in what tests share"
)]

mod accounts;
mod backup;
mod bench;
mod clouds;
#[allow(dead_code, reason = "a proxy and TLS are the store's own tests")]
#[path = "../../../goblin-store/tests/it/cluster.rs"]
mod cluster;
mod command_line;
mod costs;
mod doctor;
mod engine_doors;
mod eval;
mod idle;
mod judge_records;
mod keys;
mod licences;
mod mail;
mod model_server;
mod money;
mod no_model;
mod notify;
mod postgres;
mod privacy;
mod process;
mod pull;
#[cfg_attr(not(feature = "engine"), allow(dead_code, reason = "pulling needs an engine"))]
#[path = "../../../goblin-providers/tests/it/registry_server.rs"]
mod registry_server;
mod resident;
mod roster;
mod route;
mod secrets;
mod sink;
mod telemetry;
mod tidy;
mod tier_faults;
mod tiers;
mod trace;
