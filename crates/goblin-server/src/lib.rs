//! The HTTP surfaces of the backend and of the model tier: doors in, encodings out.
//!
//! A request passes the layers of [`layers`] (one list, outermost first), reaches one handler of `routes`,
//! which extracts, makes one call and maps the result. Errors are [`goblin_core::error::ApiError`]s, rendered
//! once, in the shape of the door the request came in by ([`door`]).

// What is true of every request is one future of many functions (`layers`).
#![recursion_limit = "256"]

mod answer;
pub mod app;
mod asking;
mod body;
mod caller;
mod cors;
pub mod cost_reports;
pub mod door;
mod extract;
mod fields;
mod kept;
pub mod layers;
mod models;
mod ndjson;
pub mod openapi;
pub mod page_assets;
pub mod people;
mod progress;
pub mod rate;
mod refusal;
mod routes;
pub mod serve;
mod signed_in;
mod spans;
mod sse;
mod streamed;
pub mod tier_guard;
