//! The binary from outside, and the walls of the house.

mod command_line;
mod licences;
mod process;
mod tidy;
mod tiers;
