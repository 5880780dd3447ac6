//! The same conversation in every dialect means the same, and reaches every kind of upstream as the same.

use std::path::PathBuf;

use bytes::Bytes;
use goblin_core::chat::{ChatRequest, Purpose};
use goblin_core::provider::ProviderError;
use goblin_core::wire::anthropic::{parse_count_tokens, parse_messages};
use goblin_core::wire::ollama::{Generate, Wanted, encode_chat, parse_chat, parse_generate};
use goblin_core::wire::openai::{encode_request, encode_tier_request, parse_chat_request, parse_responses};
use serde_json::{Value, json};

use crate::golden::golden_file;

const DIALECTS: [&str; 4] = ["openai", "ollama", "anthropic", "responses"];

/// The conversations, and the dialects that can say them.
pub(crate) const CONVERSATIONS: [(&str, &[&str]); 9] = [
    (
        "plain",
        &["openai", "ollama", "anthropic", "responses", "generate"],
    ),
    ("sampling", &["openai", "ollama", "anthropic", "generate"]),
    ("every_option", &["openai", "ollama"]),
    ("conversation", &DIALECTS),
    ("old_tools", &["openai", "ollama"]),
    ("tools", &DIALECTS),
    ("forced_tool", &["openai", "anthropic", "responses"]),
    ("schema", &DIALECTS),
    ("thinking", &DIALECTS),
];

fn path(conversation: &str, file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/dialects")
        .join(conversation)
        .join(file)
}

/// The conversation as the dialect's reader understands it.
pub(crate) fn read(conversation: &str, dialect: &str) -> ChatRequest {
    let file = path(conversation, &format!("{dialect}.json"));
    let body = Bytes::from(std::fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display())));
    let failed = |e| panic!("{conversation} in {dialect}: {e}");
    let request = match dialect {
        "openai" => parse_chat_request(&body).unwrap_or_else(failed).request,
        "ollama" => {
            let chat = parse_chat(&body).unwrap_or_else(|e| panic!("{conversation} in ollama: {e}"));
            assert_eq!(chat.wanted, Wanted::Answer);
            assert_eq!(chat.stream, chat.request.stream);
            chat.request
        }
        "generate" => {
            let asked = parse_generate(&body).unwrap_or_else(|e| panic!("{conversation} in generate: {e}"));
            let Generate::Chat(request) = asked.wanted else {
                panic!("{conversation}: a prompt is answered as a chat");
            };
            assert_eq!(asked.stream, request.stream);
            request
        }
        "responses" => {
            let asked =
                parse_responses(&body, &[]).unwrap_or_else(|e| panic!("{conversation} in responses: {e}"));
            assert_eq!(asked.stream, asked.request.stream);
            asked.request
        }
        _ => {
            let asked = parse_messages(&body).unwrap_or_else(|e| panic!("{conversation} in anthropic: {e}"));
            assert_eq!(asked.stream, asked.request.stream);
            asked.request
        }
    };
    assert_eq!(request.raw.is_some(), matches!(dialect, "openai" | "anthropic"));
    common(request)
}

/// Without what only some dialects can say.
fn common(mut request: ChatRequest) -> ChatRequest {
    request.raw = None;
    request.user = None;
    for message in &mut request.messages {
        message.name = None;
    }
    request
}

fn shown(request: &ChatRequest) -> String {
    format!("{request:#?}")
}

fn pretty(body: &Bytes) -> String {
    let value: Value = serde_json::from_slice(body).expect("JSON");
    serde_json::to_string_pretty(&value).expect("JSON")
}

#[test]
fn every_dialect_says_the_same() {
    for (conversation, dialects) in CONVERSATIONS {
        for dialect in dialects {
            let core = shown(&read(conversation, dialect));
            golden_file(&path(conversation, "core.txt"), &core);
        }
    }
}

#[test]
fn every_upstream_is_asked_the_same_whatever_the_dialect_was() {
    for (conversation, dialects) in CONVERSATIONS {
        for dialect in dialects {
            let request = read(conversation, dialect);
            golden_file(
                &path(conversation, "upstream.openai.json"),
                &pretty(&encode_request(&request)),
            );
            golden_file(
                &path(conversation, "upstream.tier.json"),
                &pretty(&encode_tier_request(&request)),
            );
            golden_file(
                &path(conversation, "upstream.ollama.json"),
                &match encode_chat(&request) {
                    Ok(body) => pretty(&body),
                    Err(ProviderError::Unsupported { param, message }) => {
                        format!("{:#}", json!({"refused": param, "message": message}))
                    }
                    Err(other) => panic!("{conversation}: {other:?}"),
                },
            );
        }
    }
}

#[test]
fn a_tier_of_our_own_reads_back_everything() {
    for (conversation, dialects) in CONVERSATIONS {
        let mut request = read(conversation, dialects[0]);
        request.session = Some("chat-1".to_owned());
        request.purpose = Purpose::Verdict;
        // An upstream is always asked for a stream.
        request.stream = true;
        let again = parse_chat_request(&encode_tier_request(&request))
            .unwrap()
            .request;
        assert_eq!(shown(&common(again)), shown(&request), "{conversation}");
    }
}

#[test]
fn an_ollama_that_is_one_of_ours_reads_back_what_it_can_be_told() {
    for (conversation, dialects) in CONVERSATIONS {
        if !dialects.contains(&"ollama") {
            continue;
        }
        let request = read(conversation, "ollama");
        let again = common(parse_chat(&encode_chat(&request).unwrap()).unwrap().request);
        assert_eq!(again.messages, request.messages, "{conversation}");
        assert_eq!(again.sampling, request.sampling, "{conversation}");
        assert_eq!(again.format, request.format, "{conversation}");
        assert_eq!(again.think, request.think, "{conversation}");
        assert_eq!(again.keep_alive, request.keep_alive, "{conversation}");
        assert_eq!(again.context_tokens, request.context_tokens, "{conversation}");
        let schemas = |r: &ChatRequest| -> Vec<(String, Value)> {
            r.tools
                .iter()
                .map(|t| (t.name.clone(), t.parameters.clone()))
                .collect()
        };
        assert_eq!(schemas(&again), schemas(&request), "{conversation}");
    }
}

#[test]
fn tokens_are_counted_of_the_same_request_that_would_be_answered() {
    for (conversation, dialects) in CONVERSATIONS {
        if !dialects.contains(&"anthropic") {
            continue;
        }
        let text = std::fs::read_to_string(path(conversation, "anthropic.json")).unwrap();
        let mut body: Value = serde_json::from_str(&text).unwrap();
        let fields = body.as_object_mut().unwrap();
        fields.remove("max_tokens");
        fields.remove("stream");
        let counted = parse_count_tokens(&Bytes::from(body.to_string())).unwrap();
        let mut asked = read(conversation, "anthropic");
        asked.sampling.max_tokens = None;
        asked.stream = false;
        assert_eq!(shown(&common(counted)), shown(&asked), "{conversation}");
    }
}
