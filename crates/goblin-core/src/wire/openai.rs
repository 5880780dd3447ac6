//! OpenAI Chat Completions, both directions.
//!
//! Source: the public API reference of `POST /v1/chat/completions`, `POST /v1/completions`, `POST /v1/responses`,
//! `POST /v1/embeddings` and `GET /v1/models`, and the extension fields of Ollama and llama.cpp's server
//! (`reasoning_content`, `top_k`, `min_p`, `grammar`, `meta`).

mod collect;
mod completions;
pub(in crate::wire) mod embeddings;
mod errors;
mod makers;
mod messages;
mod models;
mod pass_through;
mod plain_chunk;
mod request;
mod responses;
mod stream;
pub(in crate::wire) mod tools;
mod upstream;
mod vectors;

pub use collect::Collector;
pub use completions::{OpenAiCompletion, TextCollector, TextEncoder, parse_completion};
pub use embeddings::{OpenAiEmbeddings, embeddings_body, encode_tier_embeddings, parse_embeddings};
pub(in crate::wire) use errors::excerpt;
pub use errors::{KEY_LIMIT, error_body, provider_error, scrub};
pub use makers::encode_for;
pub(in crate::wire) use makers::unsupported;
pub(in crate::wire) use models::short_count;
pub use models::{ListExtras, ListedModels, ModelEntry, model_list, model_object, parse_model_list};
pub use pass_through::{PassThrough, parse_pass_through, rewrite_for_upstream};
pub use request::{
    CacheUse, GoblinOptions, IncomingChat, parse_chat_request, parse_dry_run, parse_forwardable,
};
pub use responses::{
    OpenAiResponses, ResponseDecoder, ResponseEncoder, encode_responses, named_items, parse_responses,
    previous_response,
};
pub use stream::{ChunkEncoder, DONE};
pub(in crate::wire) use upstream::put_choosing;
pub use upstream::{
    StreamDecoder, decode_completion, encode_request, encode_tier_request, encode_whole_request,
};
pub(in crate::wire) use vectors::read_vector;
pub use vectors::{decode_embeddings, encode_embeddings};
