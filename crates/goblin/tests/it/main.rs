//! The binary from outside, and the walls of the house.
#![allow(
    clippy::unwrap_used,
    reason = "a panic is how a test fails, also in what tests share"
)]

mod command_line;
mod licences;
mod process;
mod tidy;
mod tiers;
