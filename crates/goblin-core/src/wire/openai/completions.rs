//! `POST /v1/completions`: a text to be gone on with, read, and how it goes on, written.
//!
//! Source: the public API reference of OpenAI's completions.

mod answer;

use bytes::Bytes;
use serde_json::value::RawValue;

pub use self::answer::{TextCollector, TextEncoder};
use super::request::{read_choosing, read_include_usage, read_model};
use super::tools::read_format;
use crate::chat::{ChatRequest, Message, Role, Sampling};
use crate::completion::CompletionRequest;
use crate::error::ApiError;
use crate::limits::MAX_MAX_TOKENS;
use crate::wire::fields::{Object, array, boolean, integer, optional, required, short_string, string, top};
use crate::wire::json::kind;

/// Most tokens of an answer to a request that says nothing of it, as the reference has it.
const USUAL_MAX_TOKENS: u32 = 16;

/// A text to be gone on with as a client sent it.
#[derive(Clone, Debug, Default)]
pub struct OpenAiCompletion {
    /// The request in core words.
    pub request: CompletionRequest,
    /// Was a stream asked for?
    pub stream: bool,
    /// Was a usage chunk asked for?
    pub include_usage: bool,
    /// Is the prompt put in front of the answer?
    pub echo: bool,
    /// Who the end user is.
    pub user: Option<String>,
}

impl OpenAiCompletion {
    /// The same for a model that only answers: the text is what a person says.
    ///
    /// # Errors
    /// `invalid_request` for a `suffix`, of which no answer takes notice.
    pub fn into_chat(self) -> Result<ChatRequest, ApiError> {
        let CompletionRequest {
            model,
            prompt,
            suffix,
            sampling,
            format,
            ..
        } = self.request;
        if suffix.is_some() {
            let message = format!(
                "`suffix` is for a model that fills gaps, and `{model}` only answers. Name another model, or put both \
                 sides of the gap into `prompt`."
            );
            return Err(ApiError::invalid("suffix", message));
        }
        Ok(ChatRequest {
            model,
            messages: vec![Message::text(Role::User, prompt)],
            sampling,
            format,
            stream: self.stream,
            user: self.user,
            ..ChatRequest::default()
        })
    }
}

/// Reads the body of `POST /v1/completions`. One text gets one answer: several texts, `n` and `best_of` are refused, as
/// are fields that are not known, since none of them could be handed on.
///
/// # Errors
/// `invalid_json` for what is not JSON, otherwise `invalid_request` with the path of the field at fault.
pub fn parse_completion(body: &Bytes) -> Result<OpenAiCompletion, ApiError> {
    let fields = top(body)?;
    let model = read_model(&fields)?;
    refuse_unknown(&fields)?;
    let prompt = required(&fields, "", "prompt", read_prompt)?;
    for name in ["n", "best_of"] {
        optional(&fields, "", name, one_answer)?;
    }
    let limit = |r, p: &str| integer(r, p, 1, i64::from(MAX_MAX_TOKENS));
    let max_tokens = optional(&fields, "", "max_tokens", limit)?.map_or(USUAL_MAX_TOKENS, |n| n as u32);
    let logprobs = optional(&fields, "", "logprobs", |r, p| integer(r, p, 0, 5))?.map(|n| n as u8);
    let echo = optional(&fields, "", "echo", boolean)?.unwrap_or(false);
    if echo && logprobs.is_some() {
        return Err(ApiError::invalid(
            "echo",
            "`echo` cannot go with `logprobs`: how likely the prompt's own tokens are is not known. Send one of them.",
        ));
    }
    let suffix = optional(&fields, "", "suffix", |r, p| string(r, p).map(String::from))?;
    let stream = optional(&fields, "", "stream", boolean)?.unwrap_or(false);
    Ok(OpenAiCompletion {
        request: CompletionRequest {
            model,
            prompt,
            suffix: suffix.filter(|s| !s.is_empty()),
            sampling: Sampling {
                max_tokens: Some(max_tokens),
                logprobs,
                ..read_choosing(&fields)?
            },
            format: read_format(&fields)?,
            ..CompletionRequest::default()
        },
        stream,
        include_usage: stream && read_include_usage(&fields)?,
        echo,
        user: optional(&fields, "", "user", |r, p| {
            short_string(r, p, 512).map(String::from)
        })?,
    })
}

/// Fields that are read.
const READ: [&str; 25] = [
    "model",
    "prompt",
    "suffix",
    "echo",
    "stream",
    "stream_options",
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "seed",
    "stop",
    "presence_penalty",
    "frequency_penalty",
    "repeat_penalty",
    "repetition_penalty",
    "logit_bias",
    "logprobs",
    "response_format",
    "grammar",
    "n",
    "best_of",
    "user",
    "metadata",
];

fn refuse_unknown(fields: &Object<'_>) -> Result<(), ApiError> {
    let unknown = |(name, raw): &&(std::borrow::Cow<'_, str>, &RawValue)| {
        raw.get() != "null" && !READ.contains(&name.as_ref())
    };
    let Some((name, _)) = fields.iter().find(unknown) else {
        return Ok(());
    };
    let shown: String = name.chars().take(60).collect();
    let message = format!(
        "There is no field `{shown}` at /v1/completions. Leave it out, or ask at /v1/chat/completions, which knows more."
    );
    Err(ApiError::invalid(shown, message))
}

fn one_answer(raw: &RawValue, path: &str) -> Result<(), ApiError> {
    match integer(raw, path, 1, 128)? {
        1 => Ok(()),
        _ => Err(ApiError::invalid(
            path,
            format!("`{path}` must be 1: a request gets one answer. Send it again for another."),
        )),
    }
}

/// A text, or an array of one.
fn read_prompt(raw: &RawValue, path: &str) -> Result<String, ApiError> {
    let (raw, path) = match kind(raw) {
        "an array" => match array::<2048>(raw, path)?[..] {
            [one] => (one, format!("{path}[0]")),
            [] => (raw, path.to_owned()),
            [first, ..] if kind(first) == "a number" => return Err(token_ids(path)),
            [..] => {
                let message =
                    format!("`{path}` holds several texts. Send each of them in a request of its own.");
                return Err(ApiError::invalid(path, message));
            }
        },
        _ => (raw, path.to_owned()),
    };
    match kind(raw) {
        "a string" => {}
        "a number" | "an array" if raw.get() != "[]" => return Err(token_ids(&path)),
        other => {
            let message = format!("`{path}` must be a text, or an array of one, not {other}.");
            return Err(ApiError::invalid(path, message));
        }
    }
    let text = string(raw, &path)?;
    if text.is_empty() {
        let message = format!("`{path}` is empty. Send the text that is to be gone on with.");
        return Err(ApiError::invalid(path, message));
    }
    Ok(text.into_owned())
}

fn token_ids(path: &str) -> ApiError {
    let message = format!("`{path}` must be a text: token ids mean nothing to another model's tokenizer.");
    ApiError::invalid(path, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn param_of(body: &str) -> Option<String> {
        let error = parse_completion(&Bytes::copy_from_slice(body.as_bytes())).unwrap_err();
        assert!(!error.message.is_empty());
        error.param
    }

    #[test]
    fn each_field_at_fault_is_named() {
        let cases = [
            (r#"{"prompt":"a"}"#, "model"),
            (r#"{"model":"m"}"#, "prompt"),
            (r#"{"model":"m","prompt":7}"#, "prompt"),
            (r#"{"model":"m","prompt":""}"#, "prompt"),
            (r#"{"model":"m","prompt":[]}"#, "prompt"),
            (r#"{"model":"m","prompt":[""]}"#, "prompt[0]"),
            (r#"{"model":"m","prompt":[1,2]}"#, "prompt"),
            (r#"{"model":"m","prompt":[1]}"#, "prompt[0]"),
            (r#"{"model":"m","prompt":[[1,2]]}"#, "prompt[0]"),
            (r#"{"model":"m","prompt":["a","b"]}"#, "prompt"),
            (r#"{"model":"m","prompt":"a","n":2}"#, "n"),
            (r#"{"model":"m","prompt":"a","best_of":3}"#, "best_of"),
            (r#"{"model":"m","prompt":"a","max_tokens":"5"}"#, "max_tokens"),
            (r#"{"model":"m","prompt":"a","max_tokens":0}"#, "max_tokens"),
            (r#"{"model":"m","prompt":"a","temperature":"hot"}"#, "temperature"),
            (r#"{"model":"m","prompt":"a","logprobs":6}"#, "logprobs"),
            (r#"{"model":"m","prompt":"a","logprobs":1,"echo":true}"#, "echo"),
            (r#"{"model":"m","prompt":"a","stream":1}"#, "stream"),
            (r#"{"model":"m","prompt":"a","messages":[]}"#, "messages"),
            (r#"{"model":"m","prompt":"a","goblin":{}}"#, "goblin"),
            (r#"{"model":"m","prompt":"a","prompt":"b"}"#, "prompt"),
        ];
        for (body, param) in cases {
            assert_eq!(param_of(body).as_deref(), Some(param), "{body}");
        }
        assert_eq!(param_of("{"), None);
    }

    #[test]
    fn a_text_is_read_with_how_it_is_to_go_on() {
        let body = r#"{"model":"m","prompt":["Once"],"suffix":" end","stop":"\n","n":1,"best_of":1,"temperature":0.5,
            "logprobs":2,"stream":true,"stream_options":{"include_usage":true},"user":"u","echo":null}"#;
        let read = parse_completion(&Bytes::from_static(body.as_bytes())).unwrap();
        let request = &read.request;
        assert_eq!(
            (&*request.prompt, request.suffix.as_deref()),
            ("Once", Some(" end"))
        );
        let sampling = &request.sampling;
        assert_eq!((sampling.max_tokens, sampling.logprobs), (Some(16), Some(2)));
        assert_eq!(
            (sampling.temperature, &sampling.stop[..]),
            (Some(0.5), &["\n".to_owned()][..])
        );
        assert!(read.stream && read.include_usage && !read.echo);
        assert_eq!(
            read.into_chat().unwrap_err().param.as_deref(),
            Some("suffix"),
            "no answer takes notice of it"
        );
    }

    #[test]
    fn a_model_that_only_answers_is_asked_with_the_text() {
        let body = r#"{"model":"m","prompt":"Once","max_tokens":7,"seed":-1,"user":"u","suffix":""}"#;
        let chat = parse_completion(&Bytes::from_static(body.as_bytes())).unwrap();
        let chat = chat.into_chat().unwrap();
        assert_eq!(chat.messages, [Message::text(Role::User, "Once")]);
        assert_eq!(
            (chat.sampling.max_tokens, chat.user.as_deref(), chat.stream),
            (Some(7), Some("u"), false)
        );
    }
}
