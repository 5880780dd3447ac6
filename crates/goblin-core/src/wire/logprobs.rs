//! Log-probabilities of tokens, which OpenAI and Ollama write alike: only where the list of them stands differs.

use serde_json::{Value, json};

use crate::event::{TokenLogprob, TopLogprob};

/// The entries of a list of tokens; none when there is no list.
pub(super) fn read_logprobs(tokens: Option<&Value>) -> Vec<TokenLogprob> {
    let tokens = tokens.and_then(Value::as_array);
    let rivals = |token: &Value| {
        let rivals = token.get("top_logprobs").and_then(Value::as_array);
        rivals.into_iter().flatten().map(read_logprob).collect()
    };
    let read = |token: &Value| TokenLogprob {
        chosen: read_logprob(token),
        top_logprobs: rivals(token),
    };
    tokens.into_iter().flatten().map(read).collect()
}

fn read_logprob(token: &Value) -> TopLogprob {
    let byte = |n: &Value| n.as_u64().and_then(|n| u8::try_from(n).ok());
    let bytes = token.get("bytes").and_then(Value::as_array);
    TopLogprob {
        token: token
            .get("token")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        logprob: token.get("logprob").and_then(Value::as_f64).unwrap_or(-9999.0) as f32,
        bytes: bytes.map(|bytes| bytes.iter().filter_map(byte).collect()),
    }
}

/// A token and how likely it was.
pub(super) fn logprob_json(token: &TopLogprob) -> Value {
    json!({"token": token.token, "logprob": written(token.logprob), "bytes": token.bytes})
}

/// The shortest decimal that reads back as the same `f32`. JSON has no infinity; OpenAI writes -9999 for
/// "practically never".
pub(super) fn written(logprob: f32) -> f64 {
    match logprob.is_finite() {
        true => logprob.to_string().parse().unwrap_or(f64::from(logprob)),
        false => -9999.0,
    }
}
