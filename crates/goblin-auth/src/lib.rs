//! Who is it: accounts, passwords and sign-ins of the backend; keys of the model tier; and the rules of local mode,
//! where nobody signs in.
//!
//! Decisions here take what a request says as values; nothing opens a connection.

mod key_format;
mod letters;
mod presented;
mod secret;

pub mod access_token;
pub mod bans;
pub mod cookie;
pub mod email;
pub mod identity;
pub mod keys;
pub mod local;
pub mod password;
pub mod permission;
pub mod post;
pub mod principal;
pub mod throttle;
pub mod visit;
