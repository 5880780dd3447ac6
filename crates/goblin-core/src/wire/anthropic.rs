//! Anthropic's Messages API, as a server speaks it, and as Anthropic is asked by it.
//!
//! Source: the public API reference of `POST /v1/messages`, `POST /v1/messages/count_tokens`, "Streaming Messages" and
//! "Errors" (version `2023-06-01`), with `thinking` of type `adaptive` and `output_config` as of 2026.

mod decode;
mod errors;
mod events;
mod messages;
mod request;
mod upstream;

pub use decode::EventDecoder;
pub use errors::{error_body, error_event};
pub use events::{Collected, EventEncoder, PING};
pub use request::{AnthropicMessages, count_tokens_body, parse_count_tokens, parse_messages};
pub use upstream::{VERSION, encode_request};
pub(in crate::wire) use upstream::{call_input, inline_image};
