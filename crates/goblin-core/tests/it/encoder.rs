//! Chunks as a client sees them.

use bytes::Bytes;
use goblin_core::event::{ChatEvent, FinishReason, Parsed, Usage};
use goblin_core::wire::Dialect;
use goblin_core::wire::openai::{ChunkEncoder, Collector, encode_tier_request, parse_chat_request};
use serde_json::{Value, json};

fn text(text: &str) -> ChatEvent {
    Parsed::Text {
        text: text.into(),
        logprobs: Vec::new(),
    }
    .into()
}

fn value(chunk: Option<Bytes>) -> Value {
    serde_json::from_slice(&chunk.expect("a chunk")).expect("JSON")
}

fn finished() -> ChatEvent {
    Parsed::Finished {
        reason: FinishReason::Stop,
    }
    .into()
}

#[test]
fn the_role_comes_once_and_first() {
    let mut encoder = ChunkEncoder::new("c", "m\"q", 5, false);
    let first = value(encoder.encode(&Parsed::Started.into()));
    assert_eq!(
        first,
        json!({"id": "c", "object": "chat.completion.chunk", "created": 5, "model": "m\"q", "choices": [
            {"index": 0, "delta": {"role": "assistant", "content": ""}, "logprobs": null, "finish_reason": null}]})
    );
    assert_eq!(encoder.encode(&Parsed::Started.into()), None);
    assert_eq!(
        value(encoder.encode(&text("Hi")))["choices"][0]["delta"],
        json!({"content": "Hi"})
    );

    let mut without_start = ChunkEncoder::new("c", "m", 5, false);
    let first = value(without_start.encode(&text("Hi")));
    assert_eq!(
        first["choices"][0]["delta"],
        json!({"role": "assistant", "content": "Hi"})
    );
    assert_eq!(without_start.encode(&text("")), None);
}

#[test]
fn usage_is_a_chunk_of_its_own_only_when_asked_for() {
    let usage = ChatEvent::from(Parsed::Usage(Usage {
        prompt_tokens: 3,
        completion_tokens: 2,
        ..Usage::default()
    }));
    assert_eq!(ChunkEncoder::new("c", "m", 5, false).encode(&usage), None);
    let mut asked = ChunkEncoder::new("c", "m", 5, true);
    assert_eq!(value(asked.encode(&text("x")))["usage"], Value::Null);
    let chunk = value(asked.encode(&usage));
    assert_eq!(chunk["choices"], json!([]));
    assert_eq!(chunk["usage"]["total_tokens"], 5);
    assert_eq!(chunk["usage"]["prompt_tokens_details"]["cached_tokens"], 0);
}

#[test]
fn our_own_object_rides_on_the_chunk_it_is_given_to() {
    let mut encoder = ChunkEncoder::new("c", "m", 5, false);
    let last = value(encoder.encode_with_goblin(&finished(), Some(json!({"trace_id": "t"}))));
    assert_eq!(
        (&last["goblin"]["trace_id"], &last["choices"][0]["finish_reason"]),
        (&json!("t"), &json!("stop"))
    );
    let aside: Value = serde_json::from_slice(&encoder.aside(json!({"superseded": true}))).unwrap();
    assert_eq!(
        (&aside["choices"][0]["delta"], &aside["goblin"]["superseded"]),
        (&json!({}), &json!(true))
    );
}

#[test]
fn a_withheld_usage_chunk_is_the_only_one_withheld() {
    let raw = |parsed, bytes: &'static str| ChatEvent {
        parsed,
        raw: Some((Dialect::OpenAi, bytes.into())),
    };
    let usage = raw(Parsed::Usage(Usage::default()), "{usage}");
    for (include, expected) in [(false, None), (true, Some(Bytes::from("{usage}")))] {
        let mut encoder = ChunkEncoder::pass_through(include);
        assert_eq!(
            encoder.encode(&raw(Parsed::Opaque, "{odd}")),
            Some("{odd}".into())
        );
        assert_eq!(
            encoder.encode(&raw(Parsed::Usage(Usage::default()), "")),
            None,
            "said by the chunk before"
        );
        assert_eq!(encoder.encode(&usage), expected);
    }
    let mut named = ChunkEncoder::new("c", "m", 5, false).preferring_raw();
    assert_eq!(value(named.encode(&text("no bytes of its own")))["id"], "c");
}

#[test]
fn an_answer_that_was_cut_or_is_too_long_says_so() {
    let mut cut = Collector::new("c", "m", 5);
    cut.push(&text("half"));
    assert_eq!(cut.into_completion(None)["choices"][0]["finish_reason"], "length");
    let mut long = Collector::new("c", "m", 5);
    let piece = text(&"x".repeat(1 << 20));
    (0..6).for_each(|_| long.push(&piece));
    long.push(&finished());
    let completion = long.into_completion(Some(json!({"trace_id": "t"})));
    assert_eq!(completion["choices"][0]["finish_reason"], "length");
    assert_eq!(
        completion["choices"][0]["message"]["content"]
            .as_str()
            .map(str::len),
        Some(4 << 20)
    );
    assert_eq!(completion["goblin"]["trace_id"], "t");
}

#[test]
fn only_a_tier_of_our_own_is_told_which_requests_belong_together() {
    let body = Bytes::from_static(
        br#"{"model":"m","prompt_cache_key":"chat-1","messages":[{"role":"user","content":"x"}]}"#,
    );
    let request = parse_chat_request(&body).unwrap().request;
    assert_eq!(request.session.as_deref(), Some("chat-1"));
    let told: Value = serde_json::from_slice(&encode_tier_request(&request)).unwrap();
    assert_eq!(told["prompt_cache_key"], "chat-1");
    let others: Value = serde_json::from_slice(&goblin_core::wire::openai::encode_request(&request)).unwrap();
    assert_eq!(others.get("prompt_cache_key"), None);
}
