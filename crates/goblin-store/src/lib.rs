//! Whatever remembers: chats, turns and usage in a database, the events of running turns in memory, and the
//! files of the data directory (keys and what they have used, the models that are there).
//!
//! The database is SQLite. Every statement is written to run on PostgreSQL too: numbered parameters, text ids,
//! 64-bit milliseconds, no function that only one of them has. What differs is kept in [`store`] and [`schema`].

mod chat_rows;
mod cursor;
mod locked_file;
mod turn_rows;

pub mod branches;
pub mod chats;
pub mod data_dir;
pub mod download;
pub mod error;
pub mod key_file;
pub mod limits;
pub mod model_files;
pub mod ollama_store;
pub mod private_file;
pub mod rates_file;
pub mod roster_file;
pub mod schema;
pub mod store;
pub mod turn_log;
pub mod turns;
pub mod usage;
