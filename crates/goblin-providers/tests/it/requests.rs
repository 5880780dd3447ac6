//! What an upstream is asked, and what its good answers become.

use bytes::Bytes;
use goblin_core::chat::ChatRequest;
use goblin_core::event::{FinishReason, Parsed, Usage};
use goblin_core::provider::ProviderError;
use goblin_core::wire::Dialect;
use goblin_core::wire::openai::{ChunkEncoder, Collector};
use goblin_providers::openai_compat::{Kind, UpstreamSpec};
use serde_json::Value;

use crate::fake_upstream::{
    FakeUpstream, STOP, answer, end, frame, good_stream, json, question, said, sse_head, text,
};

const USAGE: &str = r#"{"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":2,"total_tokens":6},"timings":{"x":1.50}}"#;
const COMPLETION: &str = r#"{"id":"up-1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"Hi there","odd":1.50},"finish_reason":"stop"}],"usage":{"prompt_tokens":4,"completion_tokens":2}}"#;

fn raw(body: &str, stream: bool) -> ChatRequest {
    ChatRequest {
        raw: Some((Dialect::OpenAi, Bytes::from(body.to_owned()))),
        stream,
        ..question()
    }
}

#[tokio::test]
async fn a_good_stream_is_asked_for_with_usage_and_read_whole() {
    let mut steps = vec![
        sse_head(),
        frame(&text("Hi")),
        frame(&text(" there")),
        frame(STOP),
        frame(USAGE),
    ];
    steps.extend([frame("[DONE]"), end()]);
    let upstream = FakeUpstream::start(vec![steps]).await;
    let (events, outcome) = answer(&upstream.handle(Kind::Plain), question()).await;
    assert_eq!(outcome, Ok(()));
    let parsed: Vec<Parsed> = events.into_iter().map(|e| e.parsed).collect();
    let word = |text: &str| Parsed::Text {
        text: text.into(),
        logprobs: Vec::new(),
    };
    let usage = Usage {
        prompt_tokens: 4,
        completion_tokens: 2,
        ..Usage::default()
    };
    let end = [
        Parsed::Finished {
            reason: FinishReason::Stop,
        },
        Parsed::Usage(usage),
    ];
    assert_eq!(
        parsed,
        [vec![Parsed::Started, word("Hi"), word(" there")], end.to_vec()].concat()
    );
    let asked = upstream.asked().remove(0);
    assert!(
        asked.head.starts_with("post /v1/chat/completions http/1.1\r\n"),
        "{}",
        asked.head
    );
    assert!(!asked.head.contains("authorization"), "no key, no header");
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    assert_eq!((&body["model"], &body["stream"]), (&"m".into(), &true.into()));
    assert_eq!(body["stream_options"]["include_usage"], true);
}

#[tokio::test]
async fn the_key_travels_as_a_bearer_and_to_our_own_tier_also_as_x_api_key() {
    for (kind, own) in [(Kind::Plain, false), (Kind::GoblinTier, true)] {
        let upstream = FakeUpstream::start(vec![good_stream(&["ok"])]).await;
        let spec = UpstreamSpec {
            key: Some("s3cret".to_owned().into()),
            ..UpstreamSpec::new("up", upstream.url.join("v1"), kind)
        };
        let handle = upstream.handle_with(spec);
        let request = ChatRequest {
            session: Some("chat-1".into()),
            ..question()
        };
        assert_eq!(answer(&handle, request).await.1, Ok(()));
        let asked = upstream.asked().remove(0);
        assert!(
            asked.head.starts_with("post /v1/chat/completions "),
            "{}",
            asked.head
        );
        assert!(
            asked.head.contains("authorization: bearer s3cret\r\n"),
            "{}",
            asked.head
        );
        assert_eq!(asked.head.contains("x-api-key: s3cret\r\n"), own);
        assert_eq!(
            asked.body.contains("chat-1"),
            own,
            "only our own tier learns which requests belong together"
        );
        assert!(!format!("{handle:?}").contains("s3cret"));
    }
}

#[tokio::test]
async fn a_request_passed_through_keeps_its_bytes_but_for_the_model_and_the_usage_flag() {
    let chunks = [text("Hi"), STOP.to_owned(), USAGE.to_owned()];
    let mut steps = vec![sse_head()];
    steps.extend(chunks.iter().map(|c| frame(c)));
    steps.extend([frame("[DONE]"), end()]);
    let upstream = FakeUpstream::start(vec![steps]).await;
    let body =
        r#"{ "model":"up/m", "stream" : true,"x":1.50,"messages":[ {"role":"user","content":"\u0048i"}]}"#;
    let (events, outcome) = answer(&upstream.handle(Kind::Plain), raw(body, true)).await;
    assert_eq!(outcome, Ok(()));
    let expected = body.replace("\"up/m\"", r#""m","stream_options":{"include_usage":true}"#);
    assert_eq!(upstream.asked()[0].body, expected);
    for (include_usage, sent) in [(true, 3), (false, 2)] {
        let mut encoder = ChunkEncoder::pass_through(include_usage);
        let out: Vec<Bytes> = events.iter().filter_map(|e| encoder.encode(e)).collect();
        assert_eq!(out, chunks[..sent], "byte for byte");
    }
}

#[tokio::test]
async fn a_request_passed_through_without_stream_gets_the_upstreams_own_answer() {
    let upstream = FakeUpstream::start(vec![json("200 OK", COMPLETION)]).await;
    let body = r#"{"model":"up/m","messages":[{"role":"user","content":"x"}]}"#;
    let (events, outcome) = answer(&upstream.handle(Kind::Plain), raw(body, false)).await;
    assert_eq!(outcome, Ok(()));
    let mut collector = Collector::new("c", "m", 0);
    events.iter().for_each(|e| collector.push(e));
    assert_eq!(
        collector.raw_completion().map(|b| b.as_ref()),
        Some(COMPLETION.as_bytes())
    );
    assert_eq!(
        collector.into_completion(None)["choices"][0]["message"]["content"],
        "Hi there"
    );
    assert_eq!(upstream.asked()[0].body, body.replace("up/m", "m"));
}

#[tokio::test]
async fn an_answer_in_one_piece_to_a_request_for_a_stream_is_an_answer() {
    for request in [
        question(),
        raw(r#"{"model":"up/m","stream":true,"messages":[{}]}"#, true),
    ] {
        let upstream = FakeUpstream::start(vec![json("200 OK", COMPLETION)]).await;
        let (events, outcome) = answer(&upstream.handle(Kind::Plain), request).await;
        assert_eq!((said(&events).as_str(), outcome), ("Hi there", Ok(())));
        assert!(
            events.iter().all(|e| e.raw.is_none()),
            "nothing of it is a chunk to forward"
        );
    }
}

#[tokio::test]
async fn one_connection_serves_answer_after_answer() {
    let upstream = FakeUpstream::start(vec![good_stream(&["one"]), good_stream(&["two"])]).await;
    let handle = upstream.handle(Kind::Plain);
    for word in ["one", "two"] {
        let (events, outcome) = answer(&handle, question()).await;
        assert_eq!((said(&events).as_str(), outcome), (word, Ok(())));
    }
    assert_eq!(upstream.asked().len(), 2);
}

#[tokio::test]
async fn a_model_in_ollamas_cloud_is_not_asked() {
    let upstream = FakeUpstream::start(vec![good_stream(&["leaked"])]).await;
    let request = ChatRequest {
        model: "gpt-oss:120b-cloud".into(),
        ..question()
    };
    let (_, outcome) = answer(&upstream.handle(Kind::Ollama), request).await;
    assert_eq!(
        outcome,
        Err(ProviderError::ModelNotFound {
            model: "gpt-oss:120b-cloud".into()
        })
    );
    assert!(upstream.asked().is_empty(), "nothing was sent");
}
