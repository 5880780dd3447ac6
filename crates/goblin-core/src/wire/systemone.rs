//! `POST /v1/systemone`: typed questions about a state, answered as probabilities.
//!
//! Sources, read in November 2026: the documentation of LiteLLM ("/v1/systemone", `docs/decisions/systemone_format`),
//! of Ollama (≥ 0.35, `docs/api/systemone`), of llama.cpp's server ("Decision Models", pull request 29818), of Databricks
//! ("Query models with the TypeSafe System One API"), and the wire types of the public clients `typesafe-ai`,
//! `maple-sdk` and `strands-decider`. They agree on this:
//!
//! * request: `model`, `state` (string, object or array), `questions`: an object of named questions, each with `type`,
//!   `instructions` (string, object or array) and `criteria`: for `noul` optional `{"true": …, "false": …}`, for `choice`
//!   an object of options, each with a description or null, for `score` an array of levels from low to high;
//! * answer: `model`, `answers` under the same names, `usage` with `input_tokens` and `output_tokens`; a `noul` answer is
//!   the probability of yes, a `choice` answer has `choice`, `probabilities` and `confidence`, a `score` answer `score`
//!   (the expected level, counted from 0), `legend`, `probabilities` and `confidence`.
//!
//! Assumed, because they differ or are silent: `confidence` is one minus the entropy over the logarithm of the number
//! of options, which reproduces Ollama's published example (others compute it otherwise: threshold on probabilities);
//! an answer also carries `x_mass`, the probability the model put on all valid options together before it was scaled to
//! one (another server calls it `option_mass`); a question whose options got no probability at all is answered with
//! options that are alike and an `x_mass` of 0; an `images` field is refused. A choice has 1 to 255 options, a score 2 to
//! 10 levels, as the conformance suite `jevcompat` 0.1.1 asks; it also asks that a `noul` may have `criteria` without
//! `instructions` and that the model `jev-latest` is answered.
//!
//! Ours alone, between a backend and its model tier, so that questions which are answered by one token come through
//! exactly: a question of type `token`. Its `instructions` follow the `state` as they stand, its `criteria` name the
//! options, each with the spellings it is read by; its answer has `probabilities` over the whole vocabulary, not scaled,
//! and `mass`. A request asks only such questions or none; if so, its `goblin` says what stands around the texts
//! ([`crate::decide::Frame`]), and `goblin` in the answer's `usage` what was evaluated and what came from a cache.

mod answer;
mod decide;
mod refusal;
mod request;

pub use answer::{decode_response, encode};
pub use refusal::{error_body, is_of_the_request};
pub use request::{Kind, MAX_QUESTIONS, SystemOneQuestion, SystemOneRequest, encode_request, parse};
