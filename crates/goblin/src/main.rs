//! goblin
mod config;
fn main() {}
