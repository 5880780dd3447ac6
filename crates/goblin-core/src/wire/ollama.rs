//! Ollama's own API.
//!
//! Source: Ollama's `docs/api.md`, `api/types.go` and `server/routes.go` of versions 0.12 to 0.33. Streams are NDJSON:
//! one object on each line, the last with `done`: true; an error in the middle is a line `{"error": …}`.

mod errors;
mod lines;
mod manage;
mod messages;
mod models;
mod options;
mod request;
mod upstream;

pub use errors::{error_body, error_line};
pub use lines::{Collected, LineEncoder, Timings, chat_residency_body, generate_residency_body};
pub use manage::{Change, OllamaChange, parse_digest, parse_name, parse_show};
pub use models::{embed_body, ps_body, show_body, tags_body, version_body};
pub use request::{
    Generate, OllamaChat, OllamaEmbed, OllamaGenerate, Wanted, parse_chat, parse_embed, parse_generate,
};
pub use upstream::{
    AnswerDecoder, LineSplitter, MAX_LINE_BYTES, PromptSize, decode_embed, encode_chat, encode_completion,
    encode_embed, keep_alive_json, upstream_error,
};
