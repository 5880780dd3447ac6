//! The same answer in every dialect, streamed and in one piece, says the same.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use goblin_core::clock::Timestamp;
use goblin_core::event::{ChatEvent, FinishReason, Parsed, TokenLogprob, TopLogprob, Usage};
use goblin_core::wire::ollama::{AnswerDecoder, LineEncoder, LineSplitter, PromptSize, Timings};
use goblin_core::wire::sse::SseSplitter;
use goblin_core::wire::{anthropic, ollama, openai};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::golden::golden_file;

/// An answer as a client has it in the end.
#[derive(Clone, Debug, Default, PartialEq)]
struct Heard {
    text: String,
    reasoning: String,
    /// Id, name and arguments.
    calls: Vec<(String, String, Value)>,
    /// In OpenAI's word; `tool_calls` and `stop` are one word in Ollama.
    finish: String,
    prompt_tokens: u64,
    completion_tokens: u64,
}

const CREATED: Timestamp = Timestamp(1_795_471_200_123);

fn timings() -> Timings {
    Timings {
        total: Duration::from_millis(1500),
        load: Duration::from_millis(200),
        prompt_eval: Duration::from_millis(300),
        eval: Duration::from_secs(1),
    }
}

fn text(text: &str) -> Parsed {
    Parsed::Text {
        text: text.into(),
        logprobs: Vec::new(),
    }
}

fn call(index: u32, id: Option<&str>, name: Option<&str>, arguments: &str) -> Parsed {
    Parsed::ToolCall {
        index,
        id: id.map(str::to_owned),
        name: name.map(str::to_owned),
        arguments: arguments.to_owned(),
    }
}

fn usage(prompt_tokens: u32, completion_tokens: u32, cached_tokens: u32) -> Parsed {
    Parsed::Usage(Usage {
        prompt_tokens,
        completion_tokens,
        cached_tokens,
        reasoning_tokens: 0,
    })
}

fn finished(reason: FinishReason) -> Parsed {
    Parsed::Finished { reason }
}

fn token(token: &str, logprob: f32, rivals: &[(&str, f32)]) -> TokenLogprob {
    let one = |(token, logprob): (&str, f32)| TopLogprob {
        token: token.to_owned(),
        logprob,
        bytes: Some(token.as_bytes().to_vec()),
    };
    TokenLogprob {
        chosen: one((token, logprob)),
        top_logprobs: rivals.iter().copied().map(one).collect(),
    }
}

fn answers() -> Vec<(&'static str, Vec<Parsed>)> {
    vec![
        (
            "text",
            vec![
                Parsed::Started,
                text("Grün "),
                text("ist\n\"das\" \u{1f600}"),
                text(""),
                finished(FinishReason::Stop),
                usage(12, 5, 8),
            ],
        ),
        (
            "thinking",
            vec![
                Parsed::Started,
                Parsed::Reasoning { text: "Hm. ".into() },
                Parsed::Reasoning { text: "Yes.".into() },
                text("42"),
                finished(FinishReason::Length),
                usage(3, 9, 0),
            ],
        ),
        (
            "tools",
            vec![
                Parsed::Started,
                text("Let me look."),
                call(0, Some("call_a"), Some("weather"), ""),
                call(0, None, None, "{\"city\":"),
                call(1, Some("call_b"), Some("clock"), "{"),
                call(0, None, None, "\"Oslo\"}"),
                call(1, None, None, "}"),
                finished(FinishReason::ToolCalls),
                usage(40, 20, 0),
            ],
        ),
        (
            "odd_tools",
            vec![
                call(0, None, Some("now"), ""),
                call(1, None, Some("say"), "not json"),
                finished(FinishReason::ToolCalls),
            ],
        ),
        (
            "logprobs",
            vec![
                Parsed::Text {
                    text: "Yes".into(),
                    logprobs: vec![token("Yes", -0.25, &[("Yes", -0.25), ("No", f32::NEG_INFINITY)])],
                },
                finished(FinishReason::Stop),
                usage(4, 1, 0),
            ],
        ),
        ("refused", vec![text("I"), finished(FinishReason::ContentFilter)]),
        ("cut", vec![Parsed::Started, text("half an ans")]),
        ("nothing", vec![finished(FinishReason::Stop)]),
    ]
}

fn events(parsed: &[Parsed]) -> Vec<ChatEvent> {
    parsed.iter().cloned().map(ChatEvent::from).collect()
}

/// `bytes` in two pieces.
fn pieces(bytes: &[u8], cut: usize) -> [&[u8]; 2] {
    [&bytes[..cut], &bytes[cut..]]
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

// OpenAI

fn openai_stream(parsed: &[Parsed]) -> Vec<u8> {
    let mut encoder = openai::ChunkEncoder::new("id", "m", CREATED.unix_seconds(), true);
    let mut out = Vec::new();
    for event in events(parsed) {
        if let Some(chunk) = encoder.encode(&event) {
            out.extend(goblin_core::wire::sse::encode_event(None, None, &chunk));
        }
    }
    out
}

fn openai_streamed(bytes: &[u8], cut: usize) -> Heard {
    let mut splitter = SseSplitter::new(1 << 20);
    let mut collector = openai::Collector::new("id", "m", 0);
    let mut decoder = openai::StreamDecoder::new(false);
    for piece in pieces(bytes, cut) {
        splitter.push(piece);
        while let Some(event) = splitter.next_event() {
            let events = decoder.decode(&event.expect("an event").data).expect("a chunk");
            events.iter().for_each(|e| collector.push(e));
        }
    }
    openai_whole(&collector.into_completion(None))
}

fn openai_whole(body: &Value) -> Heard {
    let message = &body["choices"][0]["message"];
    let calls = message["tool_calls"].as_array().cloned().unwrap_or_default();
    let arguments = |call: &Value| {
        let text = string(&call["function"]["arguments"]);
        match serde_json::from_str(&text) {
            Ok(object @ Value::Object(_)) => object,
            _ if text.is_empty() => json!({}),
            _ => json!({ "_raw": text }),
        }
    };
    Heard {
        text: string(&message["content"]),
        reasoning: string(&message["reasoning_content"]),
        calls: calls
            .iter()
            .map(|c| (string(&c["id"]), string(&c["function"]["name"]), arguments(c)))
            .collect(),
        finish: string(&body["choices"][0]["finish_reason"]),
        prompt_tokens: body["usage"]["prompt_tokens"].as_u64().unwrap_or(0),
        completion_tokens: body["usage"]["completion_tokens"].as_u64().unwrap_or(0),
    }
}

// Ollama

fn ollama_stream(mut encoder: LineEncoder, parsed: &[Parsed]) -> Vec<u8> {
    let mut out = Vec::new();
    for event in events(parsed) {
        out.extend(encoder.encode(&event).into_iter().flatten());
        // A quiet moment says nothing.
        out.extend(encoder.keep_alive_line());
    }
    out.extend(encoder.finish(&timings()));
    out
}

fn ollama_streamed(bytes: &[u8], cut: usize) -> Heard {
    let mut heard = Heard::default();
    let mut rest: Vec<u8> = Vec::new();
    let mut done = false;
    for piece in pieces(bytes, cut) {
        rest.extend(piece);
        while let Some(end) = rest.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            assert!(!done, "nothing follows the last line");
            let line: Value = serde_json::from_slice(&line).expect("each line is an object");
            done = line["done"]
                .as_bool()
                .expect("each line says whether it is the last");
            let more = ollama_whole(&line);
            heard.text.push_str(&more.text);
            heard.reasoning.push_str(&more.reasoning);
            heard.calls.extend(more.calls);
            heard.finish = more.finish;
            heard.prompt_tokens = more.prompt_tokens;
            heard.completion_tokens = more.completion_tokens;
        }
    }
    assert!(done && rest.is_empty(), "the stream ends with its last line");
    heard
}

fn ollama_whole(body: &Value) -> Heard {
    let chat = body.get("message");
    let said = chat.unwrap_or(body);
    let content = if chat.is_some() { "content" } else { "response" };
    let calls = said["tool_calls"].as_array().cloned().unwrap_or_default();
    let one = |call: &Value| {
        let function = &call["function"];
        (
            string(&call["id"]),
            string(&function["name"]),
            function["arguments"].clone(),
        )
    };
    Heard {
        text: string(&said[content]),
        reasoning: string(&said["thinking"]),
        calls: calls.iter().map(one).collect(),
        finish: string(&body["done_reason"]),
        prompt_tokens: body["prompt_eval_count"].as_u64().unwrap_or(0),
        completion_tokens: body["eval_count"].as_u64().unwrap_or(0),
    }
}

/// Our own lines as our own reader of Ollama's answers understands them.
fn ollama_read_back(bytes: &[u8], cut: usize) -> Heard {
    let mut splitter = LineSplitter::new();
    let mut decoder = AnswerDecoder::for_completion("m", PromptSize::default());
    let mut collector = openai::Collector::new("id", "m", 0);
    for piece in pieces(bytes, cut) {
        splitter.push(piece);
        while let Some(line) = splitter.next_line() {
            let events = decoder.decode(&line.expect("a line")).expect("events");
            events.iter().for_each(|e| collector.push(e));
        }
    }
    decoder.finish().expect("a whole answer");
    openai_whole(&collector.into_completion(None))
}

// Anthropic

fn anthropic_stream(parsed: &[Parsed]) -> Vec<u8> {
    let mut encoder = anthropic::EventEncoder::new("msg_1", "m", 0);
    let mut out = Vec::new();
    for event in events(parsed) {
        encoder.encode(&event).iter().for_each(|frame| out.extend(frame));
        out.extend(anthropic::PING);
    }
    encoder.finish().iter().for_each(|frame| out.extend(frame));
    out
}

/// Puts the message together as the public clients do, and holds the stream to its grammar.
fn anthropic_streamed(bytes: &[u8], cut: usize) -> Heard {
    let mut splitter = SseSplitter::new(1 << 20);
    let mut message = Value::Null;
    let mut blocks: Vec<(Value, String)> = Vec::new();
    let (mut open, mut stopped) = (false, false);
    for piece in pieces(bytes, cut) {
        splitter.push(piece);
        while let Some(event) = splitter.next_event() {
            let event = event.expect("an event");
            let data: Value = serde_json::from_slice(&event.data).expect("JSON");
            assert_eq!(event.event.as_deref(), data["type"].as_str(), "both names agree");
            assert!(!stopped, "nothing follows message_stop");
            match data["type"].as_str().expect("a string") {
                "ping" => {}
                "message_start" => {
                    assert!(message.is_null() && blocks.is_empty());
                    message = data["message"].clone();
                }
                "content_block_start" => {
                    assert!(!open && !message.is_null());
                    assert_eq!(data["index"], blocks.len());
                    blocks.push((data["content_block"].clone(), String::new()));
                    open = true;
                }
                "content_block_delta" => {
                    assert!(open);
                    assert_eq!(data["index"], blocks.len() - 1);
                    let delta = &data["delta"];
                    let words = match delta["type"].as_str().expect("a string") {
                        "text_delta" => "text",
                        "thinking_delta" => "thinking",
                        "input_json_delta" => "partial_json",
                        other => panic!("unknown delta {other}"),
                    };
                    blocks
                        .last_mut()
                        .expect("it is there")
                        .1
                        .push_str(delta[words].as_str().expect("a string"));
                }
                "content_block_stop" => {
                    assert!(open);
                    assert_eq!(data["index"], blocks.len() - 1);
                    open = false;
                }
                "message_delta" => {
                    assert!(!open);
                    message["stop_reason"] = data["delta"]["stop_reason"].clone();
                    message["usage"] = data["usage"].clone();
                }
                "message_stop" => stopped = true,
                other => panic!("unknown event {other}"),
            }
        }
    }
    assert!(stopped, "the stream ends with message_stop");
    let content = blocks.into_iter().map(|(mut block, words)| {
        match block["type"].as_str().expect("a string") {
            "text" => block["text"] = words.into(),
            "thinking" => block["thinking"] = words.into(),
            _ => block["input"] = serde_json::from_str(&words).expect("the input is JSON"),
        }
        block
    });
    message["content"] = content.collect();
    anthropic_whole(&message)
}

fn anthropic_whole(message: &Value) -> Heard {
    let reason = match message["stop_reason"].as_str().expect("a reason") {
        "end_turn" => "stop",
        "max_tokens" => "length",
        "tool_use" => "tool_calls",
        "refusal" => "content_filter",
        other => panic!("unknown reason {other}"),
    };
    let tokens = |name: &str| message["usage"][name].as_u64().expect("a count");
    let mut heard = Heard {
        finish: reason.to_owned(),
        prompt_tokens: tokens("input_tokens") + tokens("cache_read_input_tokens"),
        completion_tokens: tokens("output_tokens"),
        ..Heard::default()
    };
    for block in message["content"].as_array().expect("blocks") {
        match block["type"].as_str().expect("a string") {
            "text" => heard.text.push_str(block["text"].as_str().expect("a string")),
            "thinking" => heard
                .reasoning
                .push_str(block["thinking"].as_str().expect("a string")),
            _ => heard.calls.push((
                string(&block["id"]),
                string(&block["name"]),
                block["input"].clone(),
            )),
        }
    }
    heard
}

// All of them

fn whole_bodies(parsed: &[Parsed]) -> [Value; 4] {
    let mut a = openai::Collector::new("id", "m", 0);
    let mut b = ollama::Collected::chat("m", CREATED);
    let mut c = ollama::Collected::generate("m", CREATED);
    let mut d = anthropic::Collected::new("msg_1", "m");
    for event in events(parsed) {
        a.push(&event);
        b.push(&event);
        c.push(&event);
        d.push(&event);
    }
    assert_eq!((a.text(), b.usage()), (d.text(), d.usage()));
    [
        a.into_completion(None),
        b.into_body(&timings()),
        c.into_body(&timings()),
        d.into_message(),
    ]
}

/// Streams of the four doors, and how each is read.
type Reader = fn(&[u8], usize) -> Heard;

fn streams(parsed: &[Parsed]) -> [(&'static str, Vec<u8>, Reader); 4] {
    let (chat, generate) = (
        LineEncoder::chat("m", CREATED),
        LineEncoder::generate("m", CREATED),
    );
    [
        ("openai", openai_stream(parsed), openai_streamed),
        ("ollama chat", ollama_stream(chat, parsed), ollama_streamed),
        (
            "ollama generate",
            ollama_stream(generate, parsed),
            ollama_streamed,
        ),
        ("anthropic", anthropic_stream(parsed), anthropic_streamed),
    ]
}

fn in_ollamas_word(mut heard: Heard) -> Heard {
    if heard.finish == "tool_calls" {
        heard.finish = "stop".to_owned();
    }
    heard
}

/// What everybody must have heard, from the collected OpenAI answer.
pub(crate) fn check_all(name: &str, parsed: &[Parsed], every_cut: bool) {
    let [a, b, c, d] = whole_bodies(parsed);
    let expected = openai_whole(&a);
    assert_eq!(
        ollama_whole(&b),
        in_ollamas_word(expected.clone()),
        "{name}: /api/chat"
    );
    assert_eq!(
        ollama_whole(&c),
        in_ollamas_word(expected.clone()),
        "{name}: /api/generate"
    );
    assert_eq!(anthropic_whole(&d), expected, "{name}: /v1/messages");
    for (dialect, bytes, read) in streams(parsed) {
        let expected = match dialect.starts_with("ollama") {
            true => in_ollamas_word(expected.clone()),
            false => expected.clone(),
        };
        let cuts = if every_cut { 0..=bytes.len() } else { 0..=0 };
        for cut in cuts {
            assert_eq!(read(&bytes, cut), expected, "{name} in {dialect}, cut at {cut}");
        }
    }
}

#[test]
fn every_dialect_says_the_same_streamed_and_whole_and_cut_anywhere() {
    for (name, parsed) in answers() {
        check_all(name, &parsed, true);
    }
}

#[test]
fn lines_of_one_tier_are_understood_by_the_next_wherever_they_are_cut() {
    for (name, parsed) in answers() {
        // Ollama has no word for a refusal.
        if name == "refused" {
            continue;
        }
        let [whole, ..] = whole_bodies(&parsed);
        let expected = openai_whole(&whole);
        let bytes = ollama_stream(LineEncoder::chat("m", CREATED), &parsed);
        for cut in 0..=bytes.len() {
            assert_eq!(ollama_read_back(&bytes, cut), expected, "{name}, cut at {cut}");
        }
    }
}

#[test]
fn every_line_and_every_event_is_as_its_golden_file_says() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    for (name, parsed) in answers() {
        let [_, chat, generate, message] = whole_bodies(&parsed);
        let pretty = |value: &Value| serde_json::to_string_pretty(value).expect("it is there");
        let [_, chat_lines, generate_lines, frames] = streams(&parsed);
        let quiet = |bytes: &[u8], idle: &str| {
            String::from_utf8(bytes.to_vec())
                .expect("it is there")
                .replace(idle, "")
        };
        let idle = |encoder: &LineEncoder| {
            String::from_utf8(encoder.keep_alive_line().to_vec()).expect("it is there")
        };
        let (a, b) = (
            LineEncoder::chat("m", CREATED),
            LineEncoder::generate("m", CREATED),
        );
        let file =
            |dialect: &str, what: &str| root.join(dialect).join("answers").join(format!("{name}.{what}"));
        golden_file(&file("ollama", "chat.ndjson"), &quiet(&chat_lines.1, &idle(&a)));
        golden_file(
            &file("ollama", "generate.ndjson"),
            &quiet(&generate_lines.1, &idle(&b)),
        );
        golden_file(&file("ollama", "chat.json"), &pretty(&chat));
        golden_file(&file("ollama", "generate.json"), &pretty(&generate));
        let ping = String::from_utf8(anthropic::PING.to_vec()).expect("it is there");
        golden_file(&file("anthropic", "sse"), &quiet(&frames.1, &ping));
        golden_file(&file("anthropic", "json"), &pretty(&message));
    }
}

#[test]
fn an_answer_too_long_to_keep_ends_by_length_in_every_dialect() {
    let piece = text(&"x".repeat(1 << 20));
    let mut parsed = vec![piece; 6];
    parsed.push(finished(FinishReason::Stop));
    let [a, b, c, d] = whole_bodies(&parsed);
    for (heard, door) in [
        (openai_whole(&a), "openai"),
        (ollama_whole(&b), "chat"),
        (ollama_whole(&c), "generate"),
        (anthropic_whole(&d), "anthropic"),
    ] {
        assert_eq!(
            (heard.text.len(), heard.finish.as_str()),
            (4 << 20, "length"),
            "{door}"
        );
    }
}

#[test]
fn loading_a_model_is_one_line_that_says_so() {
    let loaded = ollama::generate_residency_body("m", CREATED, true);
    assert_eq!(
        loaded,
        json!({"model": "m", "created_at": "2026-11-23T22:00:00.123Z", "response": "", "done": true, "done_reason": "load"})
    );
    let gone = ollama::chat_residency_body("m", CREATED, false);
    assert_eq!(gone["message"], json!({"role": "assistant", "content": ""}));
    assert_eq!(
        (&gone["done"], &gone["done_reason"]),
        (&json!(true), &json!("unload"))
    );
}

#[test]
fn an_error_after_the_status_line_has_the_form_its_clients_look_for() {
    let error = goblin_core::error::ApiError::unavailable("The server is going down.");
    assert_eq!(
        ollama::error_line(&error),
        Bytes::from("{\"error\":\"The server is going down.\"}\n")
    );
    assert_eq!(
        ollama::error_body(&error),
        json!({"error": "The server is going down."})
    );
    let mut splitter = SseSplitter::new(1 << 16);
    splitter.push(&anthropic::error_event(&error));
    let event = splitter.next_event().expect("it is there").expect("it is there");
    assert_eq!(event.event.as_deref(), Some("error"));
    assert_eq!(
        serde_json::from_slice::<Value>(&event.data).expect("it is there"),
        anthropic::error_body(&error)
    );
}

/// Any order of events an upstream could send.
fn any_event() -> impl Strategy<Value = Parsed> {
    let words = "[a-z\"\\\\\n\u{e4} ]{0,6}";
    prop_oneof![
        Just(Parsed::Started),
        Just(Parsed::Opaque),
        words.prop_map(|t| text(&t)),
        words.prop_map(|text| Parsed::Reasoning { text }),
        (0u32..3, "(\\{\\}|\\{\"a\":1\\}|[a-z]{0,2})").prop_map(|(index, arguments)| {
            let id = format!("call-{index}");
            call(index, Some(&id), Some("f"), &arguments)
        }),
    ]
}

proptest! {
    #[test]
    fn any_order_of_events_says_the_same_in_every_dialect(mut parsed in vec(any_event(), 0..12), end in 0usize..4, count in 0u32..9) {
        let reasons = [FinishReason::Stop, FinishReason::Length, FinishReason::ToolCalls];
        if let Some(reason) = reasons.get(end) {
            parsed.push(finished(*reason));
            parsed.push(usage(count + 5, count, 5));
        }
        check_all("any", &parsed, false);
    }
}
