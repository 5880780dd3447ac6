//! The chunk that comes for nearly every token, read without building a tree of it. Whatever it says beyond a piece of
//! text is for the reader of every chunk.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

/// `chat.completion.chunk` with one choice, the names that say nothing about the answer, and nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Chunk<'a> {
    #[serde(borrow)]
    choices: [Choice<'a>; 1],
    #[serde(default, rename = "usage")]
    _usage: (),
    #[serde(default, rename = "id")]
    _id: Option<IgnoredAny>,
    #[serde(default, rename = "object")]
    _object: Option<IgnoredAny>,
    #[serde(default, rename = "created")]
    _created: Option<IgnoredAny>,
    #[serde(default, rename = "model")]
    _model: Option<IgnoredAny>,
    #[serde(default, rename = "system_fingerprint")]
    _system_fingerprint: Option<IgnoredAny>,
    #[serde(default, rename = "service_tier")]
    _service_tier: Option<IgnoredAny>,
}

/// Not the last one: that has a reason. `()` is read from `null` alone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Choice<'a> {
    #[serde(default)]
    index: u64,
    #[serde(borrow)]
    delta: Delta<'a>,
    #[serde(default, rename = "logprobs")]
    _logprobs: (),
    #[serde(default, rename = "finish_reason")]
    _finish_reason: (),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Delta<'a> {
    #[serde(borrow)]
    content: Cow<'a, str>,
    #[serde(default, rename = "role")]
    _role: Option<IgnoredAny>,
}

/// The text of a chunk that says nothing else; `None` for any other chunk, and for what is no chunk.
pub(super) fn text_of(data: &[u8]) -> Option<String> {
    let chunk: Chunk = serde_json::from_slice(data).ok()?;
    let [choice] = chunk.choices;
    (choice.index == 0).then(|| choice.delta.content.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_of_text_and_nothing_else_is_read_at_once() {
        for (data, text) in [
            (
                r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","system_fingerprint":"b1","choices":[{"index":0,"delta":{"role":"assistant","content":" a\n\u00e9"},"logprobs":null,"finish_reason":null}],"usage":null}"#,
                " a\né",
            ),
            (r#"{"choices":[{"delta":{"content":""}}]}"#, ""),
        ] {
            assert_eq!(text_of(data.as_bytes()).as_deref(), Some(text), "{data}");
        }
    }

    #[test]
    fn whatever_says_more_is_left_to_the_reader_of_every_chunk() {
        for data in [
            "",
            "[DONE]",
            r#"{"choices":[]}"#,
            r#"{"choices":[{"index":1,"delta":{"content":"a"}}]}"#,
            r#"{"choices":[{"delta":{"content":"a"}},{"index":1,"delta":{"content":"b"}}]}"#,
            r#"{"choices":[{"delta":{"content":null}}]}"#,
            r#"{"choices":[{"delta":{"content":[{"type":"text","text":"a"}]}}]}"#,
            r#"{"choices":[{"delta":{"content":"a","reasoning":"b"}}]}"#,
            r#"{"choices":[{"delta":{"content":"a","tool_calls":[]}}]}"#,
            r#"{"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"delta":{"content":"a"},"logprobs":{"content":[]}}]}"#,
            r#"{"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":1}}"#,
            r#"{"choices":[{"delta":{"content":"a"}}],"error":{"message":"no"}}"#,
            r#"{"choices":[{"delta":{"content":"a"}}],"timings":{"prompt_n":1}}"#,
            r#"{"choices":[{"delta":{"content":"a"}}]} and more"#,
        ] {
            assert_eq!(text_of(data.as_bytes()), None, "{data}");
        }
    }
}
