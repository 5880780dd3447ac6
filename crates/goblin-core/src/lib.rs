//! Words and decisions of goblin: what a chat, a turn, a model, a provider and an error *are*, and every
//! choice that needs no I/O to make.
//!
//! Nothing in here opens a socket, a file or a clock of its own, and nothing depends on a runtime or a web
//! framework: time and ids are parameters, streams are plain [`futures_core::Stream`]s.

pub mod account;
pub mod admission;
pub mod answer_cache;
pub mod api_key;
pub mod attachment;
pub mod budget;
pub mod catalogue;
pub mod chat;
pub mod checks;
pub mod clock;
pub mod completion;
pub mod context_rule;
pub mod conversation;
pub mod costs;
pub mod cpu;
pub mod decide;
pub mod deploy;
pub mod embed;
pub mod error;
pub mod eval;
pub mod event;
pub mod feedback;
pub mod id;
pub mod intent;
pub mod judge;
pub mod limits;
pub mod maker;
pub mod manage;
pub mod model;
pub mod money;
pub mod origin;
pub mod owner;
pub mod policy;
pub mod provider;
pub mod provider_settings;
pub mod resilience;
pub mod roster;
pub mod route;
pub mod runaway;
pub mod screen;
pub mod status;
pub mod telemetry;
pub mod tier_status;
pub mod trace;
pub mod trust;
pub mod turn_event;
pub mod upstream_status;
pub mod wire;
