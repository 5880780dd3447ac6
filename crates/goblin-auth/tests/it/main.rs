//! Keys against real files and databases, and local mode against requests as browsers and attackers send them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod keys;
mod local;
mod signing_keys;
