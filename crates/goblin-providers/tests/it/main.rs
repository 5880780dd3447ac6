//! Adapters against upstreams that behave well and badly.

mod cancel;
mod discovery;
mod fake_upstream;
mod faults;
mod ollama_faults;
mod ollama_process;
mod ollama_versions;
mod real_ollama;
mod registry;
mod registry_server;
mod requests;
