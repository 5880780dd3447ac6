//! llama.cpp's server (`llama-server`): what it has beside its OpenAI doors.
//!
//! Source: `tools/server/README.md` and `server-context.cpp`, `server-task.cpp`, `server-models.cpp` of b11434. Texts are
//! continued by `/completion`: server-sent events, each a JSON object with `content`, the last with `stop`: true and
//! without `[DONE]`. A server that was given no model is a *router*: it starts one server for each model it is asked for
//! and passes requests on by their `model`.

mod about;
mod completion;
mod count;
mod errors;
mod timings;

pub use about::{
    Measured, Props, Served, Slot, model_info, parse_metrics, parse_props, parse_served, parse_slots,
};
pub use completion::{CompletionDecoder, decode_readout, encode_completion, encode_readout};
pub use count::{decode_input_tokens, decode_prompt, decode_tokens, encode_count, encode_tokenize};
pub use errors::upstream_error;
pub(in crate::wire) use timings::read_timings;
