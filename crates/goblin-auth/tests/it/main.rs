//! Keys against real files, and local mode against requests as browsers and attackers send them.

mod keys;
mod local;
