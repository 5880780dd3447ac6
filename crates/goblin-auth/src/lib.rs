//! Who is it: keys of the model tier, and the rules of local mode, where nobody signs in.
//!
//! Decisions here take what a request says as values; nothing opens a connection.

mod key_format;
mod presented;

pub mod bans;
pub mod keys;
pub mod local;
pub mod principal;
