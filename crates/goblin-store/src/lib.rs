//! Whatever remembers: accounts, sign-ins, chats, turns, traces and usage in a database, the events of running turns in
//! memory, and the files of the data directory (keys and what they have used, the models that are there).
//!
//! The database is SQLite or PostgreSQL. Every statement is written once, for both: numbered parameters, text ids,
//! 64-bit milliseconds, no function that only one of them has. What differs is kept in [`store`], [`schema`],
//! [`postgres`], `sqlite`, `sql` and `shape`.

mod chat_rows;
mod cursor;
mod locked_file;
mod personal;
mod shape;
mod sql;
mod sqlite;
mod turn_rows;

pub mod accounts;
pub mod answer_cache;
pub mod api_keys;
pub mod attachments;
pub mod audit;
pub mod backup;
pub mod book;
pub mod branches;
pub mod budgets;
pub mod chats;
pub mod cost_facts;
pub mod data_dir;
pub mod download;
pub mod erasure;
pub mod error;
pub mod export;
pub mod identities;
pub mod judge_records;
pub mod key_file;
pub mod labels;
pub mod leaving;
pub mod limits;
pub mod links;
pub mod model_files;
pub mod ollama_store;
pub mod passkeys;
pub mod postgres;
pub mod private_file;
pub mod processes;
pub mod provider_keys;
pub mod provider_settings;
pub mod rate_limits;
pub mod rates_file;
pub mod responses;
pub mod retention;
pub mod roster_file;
pub mod run_file;
pub mod schema;
pub mod sessions;
pub mod sign_in_flows;
pub mod signing_keys;
pub mod spending;
pub mod store;
pub mod teams;
pub mod traces;
pub mod turn_log;
pub mod turns;
pub mod usage;
pub mod usage_report;
pub mod verify;
