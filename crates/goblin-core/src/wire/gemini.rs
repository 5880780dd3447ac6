//! Google's Gemini by its own API, as it is asked: `models/MODEL:streamGenerateContent?alt=sse` and the list of models.
//!
//! Source: the public API reference of `v1beta` (`generateContent`, `models`), with `parametersJsonSchema`,
//! `responseJsonSchema`, `thinkingConfig` and thought signatures as of 2026. Never run against the live service.

mod decode;
mod models;
mod request;

pub use decode::ContentDecoder;
pub use models::parse_models;
pub use request::encode_request;
