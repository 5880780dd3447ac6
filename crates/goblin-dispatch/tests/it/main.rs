//! Dispatch against scripted providers and a real SQLite store.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test owns its tasks, and a panic is how it fails"
)]

mod admission;
mod api_doors;
mod attachments;
mod bench;
mod cascade;
mod chat_turns;
mod checked_records;
mod checked_texts;
mod endings;
mod evaluate;
mod hedging;
mod honesty;
mod house;
mod judging;
mod log;
mod money;
mod predictions;
mod tier;
mod tier_doors;
mod verdicts;
mod warm_up;
