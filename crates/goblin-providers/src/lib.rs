//! Models reached over HTTP: one file per kind of server, each a transport around `goblin_core::wire`.

mod cloud;
pub mod goblin_tier;
pub mod llama_cpp;
pub mod ollama;
pub mod openai_compat;
mod rates;
pub mod registry;
pub mod transport;

mod origin;
mod written;
