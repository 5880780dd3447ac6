//! Asking an upstream for embeddings: `POST /v1/embeddings`.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::embed::{EmbedRequest, EmbedResponse};
use crate::limits::MAX_JSON_DEPTH;
use crate::provider::ProviderError;
use crate::wire::json::depth_within;

/// The body: vectors as numbers. That a text may be cut is not said, because the dialect has no word for it.
pub fn encode_embeddings(request: &EmbedRequest) -> Bytes {
    let mut body = json!({"model": request.model, "input": request.inputs, "encoding_format": "float"});
    if let Some(dimensions) = request.dimensions {
        body["dimensions"] = dimensions.into();
    }
    body.to_string().into()
}

/// Reads the vectors of `wanted` texts, in the order of the texts, scaled to length one where they are not.
///
/// # Errors
/// [`ProviderError::Interrupted`] for what is no such answer, or has another number of vectors, or empty ones.
pub fn decode_embeddings(body: &[u8], wanted: usize) -> Result<EmbedResponse, ProviderError> {
    let broken = |reason: &str| ProviderError::Interrupted {
        reason: format!("the embeddings {reason}"),
    };
    if !depth_within(body, MAX_JSON_DEPTH) {
        return Err(broken("are nested too deep"));
    }
    let value: Value = serde_json::from_slice(body).map_err(|_| broken("are not JSON"))?;
    let data = value.get("data").and_then(Value::as_array);
    let data = data.filter(|data| data.len() == wanted);
    let data = data.ok_or_else(|| broken("are not one vector for each text"))?;
    let mut vectors: Vec<Option<Vec<f32>>> = vec![None; wanted];
    for (place, item) in data.iter().enumerate() {
        let index = item.get("index").and_then(Value::as_u64);
        let index = index.map_or(place, |n| usize::try_from(n).unwrap_or(usize::MAX));
        let vector = item.get("embedding").and_then(read_vector);
        let (Some(vector), Some(slot)) = (vector, vectors.get_mut(index)) else {
            return Err(broken("hold what is no vector"));
        };
        *slot = Some(normalised(vector));
    }
    let vectors: Option<Vec<Vec<f32>>> = vectors.into_iter().collect();
    let tokens = value.get("usage").and_then(|u| u.get("prompt_tokens"));
    Ok(EmbedResponse {
        vectors: vectors.ok_or_else(|| broken("are not one vector for each text"))?,
        prompt_tokens: tokens
            .and_then(Value::as_u64)
            .map_or(0, |n| u32::try_from(n).unwrap_or(u32::MAX)),
    })
}

/// A vector written as numbers; `None` for anything else, and for an empty one.
pub(in crate::wire) fn read_vector(value: &Value) -> Option<Vec<f32>> {
    let numbers = value.as_array()?.iter().map(|n| n.as_f64().map(|n| n as f32));
    numbers.collect::<Option<Vec<f32>>>().filter(|v| !v.is_empty())
}

/// Scaled to length one; what has no length stays.
fn normalised(vector: Vec<f32>) -> Vec<f32> {
    let length = vector
        .iter()
        .map(|n| f64::from(*n) * f64::from(*n))
        .sum::<f64>()
        .sqrt();
    if !(length.is_finite() && length > 0.0) || (length - 1.0).abs() < 1e-4 {
        return vector;
    }
    vector
        .into_iter()
        .map(|n| (f64::from(n) / length) as f32)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_put_in_order_and_scaled() {
        let body = br#"{"data":[{"index":1,"embedding":[0,2]},{"index":0,"embedding":[3,4]}],"usage":{"prompt_tokens":7}}"#;
        let read = decode_embeddings(body, 2).unwrap();
        assert_eq!(read.vectors, [vec![0.6, 0.8], vec![0.0, 1.0]]);
        assert_eq!(read.prompt_tokens, 7);
    }

    #[test]
    fn what_is_not_one_vector_for_each_text_is_refused() {
        for body in [
            "",
            "{}",
            r#"{"data":[]}"#,
            r#"{"data":[{"embedding":[]}]}"#,
            r#"{"data":[{"index":9,"embedding":[1]}]}"#,
            r#"{"data":[{"embedding":"AACA"}]}"#,
            r#"{"data":[{"embedding":[1,null]}]}"#,
        ] {
            let got = decode_embeddings(body.as_bytes(), 1);
            assert!(matches!(got, Err(ProviderError::Interrupted { .. })), "{body}");
        }
        let twice = br#"{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}"#;
        assert!(decode_embeddings(twice, 2).is_err());
    }

    #[test]
    fn a_shorter_vector_is_asked_for_only_when_wanted() {
        let request = EmbedRequest {
            model: "m".into(),
            inputs: vec!["a".into()],
            ..EmbedRequest::default()
        };
        let plain: Value = serde_json::from_slice(&encode_embeddings(&request)).unwrap();
        assert_eq!(
            plain,
            json!({"model": "m", "input": ["a"], "encoding_format": "float"})
        );
        let short = EmbedRequest {
            dimensions: Some(64),
            ..request
        };
        let short: Value = serde_json::from_slice(&encode_embeddings(&short)).unwrap();
        assert_eq!(short["dimensions"], 64);
    }
}
