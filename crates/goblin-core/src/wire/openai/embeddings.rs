//! `POST /v1/embeddings`: a request read, vectors written.
//!
//! Source: the public API reference of OpenAI's embeddings. With `encoding_format` `base64` a vector is the base64 of
//! its numbers as 32-bit little-endian floats, which is what OpenAI's own clients ask for.

use bytes::Bytes;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::request::{keep_alive_seconds, read_keep_alive, read_model};
use crate::embed::{EmbedRequest, EmbedResponse};
use crate::error::ApiError;
use crate::limits::MAX_EMBED_INPUTS;
use crate::origin::Origin;
use crate::wire::base64;
use crate::wire::fields::{
    array, boolean, expect_kind, integer, object, one_of, optional, required, short_string, string, top,
};
use crate::wire::json::kind;

/// Longest vector a caller may ask for.
const MAX_DIMENSIONS: i64 = 65_536;

/// A request for embeddings as a client sent it.
#[derive(Clone, Debug, Default)]
pub struct OpenAiEmbeddings {
    /// The request in core words. A text that is too long is refused, never cut, unless `goblin.truncate` gives leave.
    pub request: EmbedRequest,
    /// Are the vectors wanted in base64?
    pub base64: bool,
}

/// Reads the body of `POST /v1/embeddings`.
///
/// # Errors
/// `invalid_json` for what is not JSON, otherwise `invalid_request` with the path of the field at fault.
pub fn parse_embeddings(body: &Bytes) -> Result<OpenAiEmbeddings, ApiError> {
    let fields = top(body)?;
    let model = read_model(&fields)?;
    let inputs = required(&fields, "", "input", embed_inputs)?;
    if inputs.iter().any(String::is_empty) {
        return Err(ApiError::invalid(
            "input",
            "`input` holds an empty text, which has no embedding. Leave it out.",
        ));
    }
    let formats = [("float", false), ("base64", true)];
    let base64 = optional(&fields, "", "encoding_format", |r, p| one_of(r, p, &formats))?;
    optional(&fields, "", "user", |r, p| short_string(r, p, 512).map(drop))?;
    let own = optional(&fields, "", "goblin", object)?.unwrap_or_default();
    Ok(OpenAiEmbeddings {
        request: EmbedRequest {
            model,
            inputs,
            dimensions: optional(&fields, "", "dimensions", dimensions)?,
            truncate: optional(&own, "goblin", "truncate", boolean)?.unwrap_or(false),
            keep_alive: optional(&own, "goblin", "keep_alive_seconds", read_keep_alive)?,
            origin: Origin::default(),
        },
        base64: base64.unwrap_or(false),
    })
}

/// The length of vector asked for.
pub(in crate::wire) fn dimensions(raw: &RawValue, path: &str) -> Result<u32, ApiError> {
    Ok(integer(raw, path, 1, MAX_DIMENSIONS)? as u32)
}

/// A text, or an array of at least one and at most [`MAX_EMBED_INPUTS`].
pub(in crate::wire) fn embed_inputs(raw: &RawValue, path: &str) -> Result<Vec<String>, ApiError> {
    if kind(raw) == "a string" {
        return Ok(vec![string(raw, path)?.into_owned()]);
    }
    if kind(raw) != "an array" {
        return Err(ApiError::invalid(
            path,
            format!(
                "`{path}` must be a string or an array of strings, not {}.",
                kind(raw)
            ),
        ));
    }
    let items = array::<MAX_EMBED_INPUTS>(raw, path)?;
    if items.is_empty() {
        return Err(ApiError::invalid(
            path,
            format!("`{path}` is empty. Send at least one text."),
        ));
    }
    let read = |(i, item): (usize, &RawValue)| {
        let path = format!("{path}[{i}]");
        if matches!(kind(item), "a number" | "an array") {
            let message =
                format!("`{path}` must be a text: token ids mean nothing to another model's tokenizer.");
            return Err(ApiError::invalid(path, message));
        }
        expect_kind(item, &path, "a string")?;
        string(item, &path).map(String::from)
    };
    items.into_iter().enumerate().map(read).collect()
}

/// `{"object": "list", "data": [...], "model", "usage"}`.
pub fn embeddings_body(model: &str, response: &EmbedResponse, base64: bool) -> Value {
    let written = |vector: &Vec<f32>| match base64 {
        true => {
            let bytes: Vec<u8> = vector.iter().flat_map(|n| n.to_le_bytes()).collect();
            Value::from(base64::encode(&bytes))
        }
        false => vector_json(vector),
    };
    let data: Vec<Value> = response
        .vectors
        .iter()
        .enumerate()
        .map(|(i, vector)| json!({"object": "embedding", "index": i, "embedding": written(vector)}))
        .collect();
    let tokens = response.prompt_tokens;
    json!({
        "object": "list",
        "data": data,
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    })
}

/// The body to ask a tier of our own with. What OpenAI's shape has no field for is in the object `goblin`, left out
/// when there is nothing of it.
pub fn encode_tier_embeddings(request: &EmbedRequest) -> Bytes {
    let mut body = json!({"model": request.model, "input": request.inputs});
    if let Some(dimensions) = request.dimensions {
        body["dimensions"] = dimensions.into();
    }
    if request.truncate {
        body["goblin"]["truncate"] = true.into();
    }
    if let Some(keep) = request.keep_alive {
        body["goblin"]["keep_alive_seconds"] = keep_alive_seconds(keep).into();
    }
    body.to_string().into()
}

/// The shortest decimals that read back as the same `f32`s.
pub(in crate::wire) fn vector_json(vector: &[f32]) -> Value {
    let written = |n: &f32| n.to_string().parse::<f64>().unwrap_or(0.0);
    vector.iter().map(|n| Value::from(written(n))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::KeepAlive;

    #[test]
    fn what_a_backend_asks_and_a_tier_answers_comes_through_whole() {
        let request = EmbedRequest {
            model: "m".into(),
            inputs: vec!["one".into(), "two".into()],
            dimensions: Some(2),
            truncate: true,
            keep_alive: Some(KeepAlive::Forever),
            origin: Origin::default(),
        };
        let read = parse_embeddings(&encode_tier_embeddings(&request))
            .unwrap()
            .request;
        assert_eq!((read.inputs, read.dimensions), (request.inputs, Some(2)));
        assert_eq!((read.truncate, read.keep_alive), (true, Some(KeepAlive::Forever)));
    }

    #[test]
    fn vectors_are_written_as_asked() {
        let response = EmbedResponse {
            vectors: vec![vec![0.1, -1.0], vec![0.0, 1.0]],
            prompt_tokens: 7,
        };
        let plain = embeddings_body("m", &response, false);
        assert_eq!(plain["data"][0]["embedding"], json!([0.1, -1.0]));
        assert_eq!(
            (&plain["data"][1]["index"], &plain["usage"]["total_tokens"]),
            (&json!(1), &json!(7))
        );
        let coded = embeddings_body("m", &response, true);
        assert_eq!(coded["data"][1]["embedding"], "AAAAAAAAgD8=");
    }
}
