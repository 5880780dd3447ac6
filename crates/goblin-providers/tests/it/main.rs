//! Adapters against upstreams that behave well and badly.

mod asking;
mod cancel;
mod clouds;
mod discovery;
mod fake_upstream;
mod faults;
#[cfg(feature = "peers")]
mod gguf;
mod llama_server;
#[cfg(feature = "peers")]
mod llama_server_process;
mod ollama_faults;
mod ollama_process;
mod ollama_versions;
mod plain_server;
mod process;
#[cfg(feature = "peers")]
mod real_llama_server;
mod real_ollama;
mod registry;
mod registry_server;
mod requests;
mod tier_doors;
