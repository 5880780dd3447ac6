//! Who is it: accounts, passwords and sign-ins of the backend, also by others' word; keys of the model tier; and the
//! rules of local mode, where nobody signs in.
//!
//! Decisions here take what a request says as values. Only [`oidc`] asks others, through `goblin-net`.

mod key_format;
mod letters;
mod presented;
mod secret;

pub mod access_token;
pub mod api_keys;
pub mod bans;
pub mod cookie;
pub mod email;
pub mod identity;
pub mod keys;
pub mod local;
pub mod oidc;
pub mod passkey;
pub mod password;
pub mod permission;
pub mod post;
pub mod principal;
pub mod sealing;
pub mod signing_keys;
pub mod throttle;
pub mod vault;
pub mod visit;
