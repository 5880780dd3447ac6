//! Every recorded answer of an upstream, streamed and in one piece, says the same at every door.

use std::path::{Path, PathBuf};

use goblin_core::chat::{ChatRequest, Tool};
use goblin_core::event::{ChatEvent, FinishReason, Parsed};
use goblin_core::wire::ollama::{AnswerDecoder, LineSplitter, PromptSize};
use goblin_core::wire::openai::{Collector, StreamDecoder};
use goblin_core::wire::sse::SseSplitter;
use serde_json::{Value, json};

use crate::answers::check_all;

/// The files of a folder of fixtures that end so, with their names.
fn fixtures(folder: &str, ending: &str) -> Vec<(String, Vec<u8>)> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(folder);
    let named = |path: &Path| {
        path.file_name()
            .expect("a good fixture")
            .to_string_lossy()
            .into_owned()
    };
    let mut found: Vec<(String, Vec<u8>)> = std::fs::read_dir(&root)
        .expect("a good fixture")
        .map(|entry| entry.expect("a good fixture").path())
        .filter(|path| named(path).ends_with(ending))
        .map(|path| (named(&path), std::fs::read(&path).expect("a good fixture")))
        .collect();
    found.sort();
    assert!(found.len() > 3, "{folder} has its fixtures");
    found
}

/// Asked with the one tool the recorded calls are of.
fn asked() -> ChatRequest {
    ChatRequest {
        model: "m".to_owned(),
        tools: vec![Tool {
            name: "look_up".to_owned(),
            description: None,
            parameters: json!({}),
            strict: None,
        }],
        ..ChatRequest::default()
    }
}

fn parsed(events: Vec<ChatEvent>) -> Vec<Parsed> {
    events.into_iter().map(|e| e.parsed).collect()
}

fn ollama(body: &[u8]) -> Vec<Parsed> {
    let mut splitter = LineSplitter::new();
    let mut decoder = AnswerDecoder::for_chat(&asked(), PromptSize::default());
    let mut events = Vec::new();
    splitter.push(body);
    while let Some(line) = splitter.next_line() {
        events.extend(
            decoder
                .decode(&line.expect("a good fixture"))
                .expect("a good fixture"),
        );
    }
    decoder.finish().expect("a good fixture");
    parsed(events)
}

/// The stream's lines as the one line Ollama answers with when no stream was asked for.
fn in_one_line(body: &[u8]) -> Vec<u8> {
    let mut message = json!({"role": "assistant", "content": ""});
    let mut whole = Value::Null;
    let mut logprobs = Vec::new();
    for line in body.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
        whole = serde_json::from_slice(line).expect("a good fixture");
        let said = &whole["message"];
        for name in ["content", "thinking"] {
            if let Some(more) = said[name].as_str().filter(|more| !more.is_empty()) {
                let before = message[name].as_str().unwrap_or_default();
                message[name] = format!("{before}{more}").into();
            }
        }
        for call in said["tool_calls"].as_array().into_iter().flatten() {
            match message["tool_calls"].as_array_mut() {
                Some(calls) => calls.push(call.clone()),
                None => message["tool_calls"] = json!([call]),
            }
        }
        logprobs.extend(whole["logprobs"].as_array().cloned().unwrap_or_default());
    }
    whole["message"] = message;
    if !logprobs.is_empty() {
        whole["logprobs"] = logprobs.into();
    }
    format!("{whole}\n").into_bytes()
}

fn openai(body: &[u8], mut decoder: StreamDecoder) -> Vec<Parsed> {
    let mut splitter = SseSplitter::new(1 << 20);
    let mut events = Vec::new();
    splitter.push(body);
    while let Some(event) = splitter.next_event() {
        events.extend(
            decoder
                .decode(&event.expect("a good fixture").data)
                .expect("a good fixture"),
        );
    }
    events.extend(decoder.leftover());
    decoder.finish().expect("a good fixture");
    parsed(events)
}

/// The answer collected, without the ids of calls: a server that names none has them counted.
fn collected(parsed: &[Parsed]) -> Value {
    let mut collector = Collector::new("id", "m", 0);
    parsed
        .iter()
        .for_each(|p| collector.push(&ChatEvent::from(p.clone())));
    collector.into_completion(None)
}

#[test]
fn what_an_ollama_answers_is_the_same_at_every_door_streamed_and_whole() {
    for (name, body) in fixtures("ollama/upstream", ".ndjson") {
        let streamed = ollama(&body);
        check_all(&name, &streamed, false);
        let whole = ollama(&in_one_line(&body));
        check_all(&name, &whole, false);
        assert_eq!(collected(&whole), collected(&streamed), "{name}");
    }
}

#[test]
fn what_an_openai_server_answers_is_the_same_at_every_door_streamed_and_whole() {
    for (name, body) in fixtures("openai/streams", ".sse") {
        let told = || StreamDecoder::new(false).without_leaks(&asked());
        let streamed = openai(&body, told());
        check_all(&name, &streamed, false);
        // The whole answer of the same server leaks as its stream does.
        let leaking = collected(&openai(&body, StreamDecoder::new(false))).to_string();
        let whole = parsed(told().decode_whole(leaking.as_bytes()).unwrap());
        check_all(&name, &whole, false);
        assert_eq!(collected(&whole), collected(&streamed), "{name}");
    }
}

fn stream(name: &str) -> Vec<u8> {
    let file = format!("{name}.sse");
    let all = fixtures("openai/streams", ".sse");
    all.into_iter()
        .find(|(known, _)| *known == file)
        .expect("a good fixture")
        .1
}

#[test]
fn thoughts_and_calls_a_local_server_leaks_are_told_from_its_words() {
    let decoder = || StreamDecoder::new(false).without_leaks(&asked());
    let thought = collected(&openai(&stream("think"), decoder()));
    let message = &thought["choices"][0]["message"];
    assert_eq!(
        (&message["reasoning_content"], &message["content"]),
        (&json!("It is asked é."), &json!("42 is it"))
    );
    let called = collected(&openai(&stream("text_calls"), decoder()));
    let choice = &called["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    assert_eq!(choice["message"]["reasoning_content"], "Two.");
    let calls = choice["message"]["tool_calls"].as_array().unwrap();
    let calls: Vec<(&Value, &Value)> = calls
        .iter()
        .map(|c| (&c["function"]["name"], &c["function"]["arguments"]))
        .collect();
    let (name, first, second) = (json!("look_up"), json!("{\"q\":\"é\"}"), json!("{\"q\":\"b\"}"));
    assert_eq!(calls, [(&name, &first), (&name, &second)]);
    // Without the tool on offer, and where the bytes are forwarded, it is text.
    let no_tools = StreamDecoder::new(false).without_leaks(&ChatRequest::default());
    let said = collected(&openai(&stream("text_calls"), no_tools));
    assert!(
        said["choices"][0]["message"]["content"]
            .as_str()
            .unwrap()
            .contains("<tool_call>")
    );
    let raw = openai(&stream("think"), StreamDecoder::new(true).without_leaks(&asked()));
    let text = |p: &Parsed| matches!(p, Parsed::Text { text, .. } if text == "<thi");
    assert!(raw.iter().any(text), "{raw:?}");
}

#[test]
fn a_stream_without_a_reason_says_what_was_held_back() {
    let say = |decoder: &mut StreamDecoder, content: &str| {
        let chunk = json!({"choices": [{"index": 0, "delta": {"content": content}}]});
        parsed(decoder.decode(&chunk.to_string().into()).unwrap())
    };
    let call = r#"{"name":"look_up","arguments":{}}"#;
    for (content, reason) in [
        (call, FinishReason::ToolCalls),
        ("{\"no\":1}", FinishReason::Stop),
    ] {
        let mut decoder = StreamDecoder::new(false).without_leaks(&asked());
        assert_eq!(say(&mut decoder, content), [Parsed::Started]);
        let last = parsed(decoder.decode(&"[DONE]".into()).unwrap());
        assert!(last[0].is_content(), "{last:?}");
        assert_eq!(last[1], Parsed::Finished { reason }, "{last:?}");
    }
}
