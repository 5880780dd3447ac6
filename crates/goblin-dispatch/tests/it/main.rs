//! Dispatch against scripted providers and a real SQLite store.

mod api_doors;
mod chat_turns;
mod house;
