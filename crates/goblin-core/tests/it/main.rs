//! What the wire module promises: golden files, refusals, broken streams, properties.

mod answers;
mod anthropic_refusals;
mod bodies;
mod broken_streams;
mod clouds;
mod deciding;
mod dialects;
mod encoder;
mod golden;
mod llama_cpp;
mod other_refusals;
mod properties;
mod refusals;
mod routing;
mod upstream_answers;
