//! What the wire module promises: golden files, refusals, broken streams, properties.

mod broken_streams;
mod encoder;
mod golden;
mod properties;
mod refusals;
