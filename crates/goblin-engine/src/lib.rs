//! Embedded inference: llama.cpp as one more provider.
//!
//! [`Resident`] is that provider: every model of this machine, those in memory that were asked for last and fit. Each of
//! them is an [`Engine`]. [`Engine::start`] checks the file, the CPU and the memory, then loads the model on a thread of its own,
//! which becomes the model's decode thread: it alone touches llama.cpp's context, and no runtime thread ever
//! computes. Everybody else meets the engine as a [`goblin_core::provider::ProviderHandle`].
//!
//! The decode thread batches continuously: each step takes one token of every answer being generated and a
//! bounded piece of the prompts that wait. Keys and values of finished answers stay until their place is
//! needed, so the next turn of a chat, or another chat with the same system prompt, evaluates only what is
//! new. A stream that is dropped stops before the next step. Without work the thread sleeps.

mod answer;
mod constraint;
mod counters;
mod decide;
mod embed;
mod engine;
mod gbnf;
pub mod gguf;
mod handle;
mod memory;
mod options;
mod output;
mod prepare;
mod resident;
mod sampler;
mod schema;
mod sequence;
mod share;
mod stop;
mod template;
mod text;
pub mod threads;
mod turnstile;
mod vocabulary;
mod worker;

pub use counters::EngineCounters;
pub use engine::{Engine, SystemInfo, usable};
pub use options::{
    DEFAULT_CONTEXT_TOKENS, DEFAULT_SEQUENCES, EngineError, EngineOptions, EnginePlan, MAX_SEQUENCES,
    MIN_CONTEXT_TOKENS,
};
pub use resident::{
    LOAD_WAIT, ListModels, OnOffer, READ_AGAIN, ROOM_WAIT, Resident, ResidentOptions, SWAP_AFTER, TRY_AGAIN,
};
pub use sampler::{DEFAULT_MIN_P, DEFAULT_TEMPERATURE, DEFAULT_TOP_K, DEFAULT_TOP_P, REPEAT_WINDOW};

/// The engine's id as a provider.
pub const PROVIDER_ID: &str = goblin_core::provider::IN_PROCESS;
