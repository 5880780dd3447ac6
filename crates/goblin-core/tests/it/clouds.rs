//! Clouds: each is asked the same whatever the dialect the question came in, and its streams become the events of the
//! golden files, wherever they are cut.

use std::path::PathBuf;

use bytes::Bytes;
use goblin_core::chat::ChatRequest;
use goblin_core::event::{ChatEvent, Parsed};
use goblin_core::maker::Maker;
use goblin_core::provider::ProviderError;
use goblin_core::wire::openai::{ChunkEncoder, Collector, StreamDecoder, encode_for, parse_chat_request};
use goblin_core::wire::sse::SseSplitter;
use goblin_core::wire::{anthropic, gemini};
use serde_json::{Value, json};

use crate::dialects::{CONVERSATIONS, read};

/// The model each conversation is asked of.
const MODELS: [(Maker, &str); 5] = [
    (Maker::OpenAi, "gpt-5.5"),
    (Maker::Anthropic, "claude-sonnet-4-5"),
    (Maker::DeepSeek, "deepseek-v4-pro"),
    (Maker::Gemini, "gemini-2.5-flash"),
    (Maker::Grok, "grok-4.7"),
];

const STREAMS: [(Maker, &str); 13] = [
    (Maker::Anthropic, "text"),
    (Maker::Anthropic, "tools"),
    (Maker::Anthropic, "refusal"),
    (Maker::Anthropic, "server_tool"),
    (Maker::Gemini, "text"),
    (Maker::Gemini, "tools"),
    (Maker::Gemini, "blocked"),
    (Maker::Gemini, "safety"),
    (Maker::Gemini, "logprobs"),
    (Maker::OpenAi, "text"),
    (Maker::OpenAi, "refusal"),
    (Maker::DeepSeek, "reasoning"),
    (Maker::Grok, "reasoning"),
];

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/clouds")
        .join(name)
}

/// Golden files, all of which are compared, or written where they are missing, before the test fails.
#[derive(Default)]
struct Goldens {
    wrong: Vec<String>,
}

impl Goldens {
    fn compare(&mut self, name: &str, actual: &str) {
        match std::fs::read_to_string(path(name)) {
            Ok(expected) if expected.trim_end() == actual.trim_end() => {}
            Ok(expected) => self
                .wrong
                .push(format!("{name} differs:\n{expected}\n---\n{actual}")),
            Err(_) => {
                std::fs::write(path(name), format!("{}\n", actual.trim_end())).expect("written");
                self.wrong.push(format!(
                    "{name} was missing and has been written: read it before committing it"
                ));
            }
        }
    }

    fn finish(self) {
        assert!(self.wrong.is_empty(), "{}", self.wrong.join("\n"));
    }
}

fn encode(maker: Maker, request: &ChatRequest) -> Result<Bytes, ProviderError> {
    match maker {
        Maker::Anthropic => anthropic::encode_request(request),
        Maker::Gemini => gemini::encode_request(request),
        _ => encode_for(maker, request),
    }
}

/// What the maker is asked, or why it is not.
fn asked(maker: Maker, request: &ChatRequest) -> Value {
    match encode(maker, request) {
        Ok(body) => serde_json::from_slice(&body).expect("JSON"),
        Err(ProviderError::Unsupported { param, message }) => json!({"refused": param, "message": message}),
        Err(other) => panic!("{maker:?}: {other:?}"),
    }
}

#[test]
fn every_cloud_is_asked_the_same_whatever_the_dialect_was() {
    let mut goldens = Goldens::default();
    for (conversation, dialects) in CONVERSATIONS {
        for dialect in dialects {
            for (maker, model) in MODELS {
                let mut request = read(conversation, dialect);
                model.clone_into(&mut request.model);
                let body = serde_json::to_string_pretty(&asked(maker, &request)).unwrap();
                goldens.compare(&format!("requests/{conversation}.{}.json", maker.id()), &body);
            }
        }
    }
    goldens.finish();
}

#[test]
fn what_goblin_chose_itself_is_asked_without_what_the_model_does_not_take() {
    for (maker, model) in MODELS {
        let mut request = read("sampling", "openai");
        model.clone_into(&mut request.model);
        request.automatic = true;
        let body = asked(maker, &request);
        assert!(body.get("refused").is_none(), "{maker:?} {body}");
    }
}

enum Decoder {
    OpenAi(StreamDecoder),
    Anthropic(anthropic::EventDecoder),
    Gemini(gemini::ContentDecoder),
}

impl Decoder {
    fn of(maker: Maker) -> Self {
        match maker {
            Maker::Anthropic => Self::Anthropic(anthropic::EventDecoder::new("m")),
            Maker::Gemini => Self::Gemini(gemini::ContentDecoder::new("m")),
            _ => Self::OpenAi(StreamDecoder::new(false).for_model("m").of_maker(maker)),
        }
    }

    fn decode(&mut self, data: &Bytes) -> Result<Vec<ChatEvent>, ProviderError> {
        match self {
            Self::OpenAi(d) => d.decode(data),
            Self::Anthropic(d) => d.decode(data),
            Self::Gemini(d) => d.decode(data),
        }
    }

    fn end(&mut self) -> Result<Vec<ChatEvent>, ProviderError> {
        match self {
            Self::OpenAi(d) => d.finish().map(|()| d.leftover()),
            Self::Anthropic(d) => d.finish().map(|()| d.leftover()),
            Self::Gemini(d) => d.finish().map(|()| d.leftover()),
        }
    }
}

fn decode(maker: Maker, pieces: &[&[u8]]) -> Result<Vec<ChatEvent>, ProviderError> {
    let mut splitter = SseSplitter::new(1 << 20);
    let mut decoder = Decoder::of(maker);
    let mut events = Vec::new();
    for piece in pieces {
        splitter.push(piece);
        while let Some(event) = splitter.next_event() {
            events.extend(decoder.decode(&event.expect("an event").data)?);
        }
    }
    events.extend(decoder.end()?);
    Ok(events)
}

fn stream(maker: Maker, name: &str) -> Vec<u8> {
    std::fs::read(path(&format!("streams/{}.{name}.sse", maker.id()))).expect("a fixture")
}

#[test]
fn every_stream_becomes_the_events_of_its_golden_file() {
    let mut goldens = Goldens::default();
    for (maker, name) in STREAMS {
        let events = decode(maker, &[&stream(maker, name)]).expect("a whole answer");
        let lines: Vec<String> = events.iter().map(|e| format!("{:?}", e.parsed)).collect();
        goldens.compare(
            &format!("streams/{}.{name}.events.txt", maker.id()),
            &lines.join("\n"),
        );
    }
    goldens.finish();
}

#[test]
fn a_stream_cut_anywhere_gives_the_same_events() {
    for (maker, name) in STREAMS {
        let bytes = stream(maker, name);
        let whole = decode(maker, &[&bytes]).unwrap();
        for cut in (0..=bytes.len()).step_by(3) {
            let halves = decode(maker, &[&bytes[..cut], &bytes[cut..]]).unwrap();
            assert_eq!(halves, whole, "{maker:?} {name} cut at {cut}");
        }
    }
}

#[test]
fn a_stream_that_ends_before_its_answer_is_interrupted_and_no_beginning_of_one_panics() {
    for (maker, name) in STREAMS {
        let bytes = stream(maker, name);
        let ended = decode(maker, &[&bytes]).unwrap().len();
        for cut in 0..bytes.len() {
            match decode(maker, &[&bytes[..cut]]) {
                // Only what comes after the reason may be missing: the count, or the mark of the end.
                Ok(events) => assert!(
                    events.iter().any(|e| matches!(e.parsed, Parsed::Finished { .. }))
                        && events.len() <= ended,
                    "{maker:?} {name} {cut}"
                ),
                Err(error) => assert!(matches!(error, ProviderError::Interrupted { .. }), "{error:?}"),
            }
        }
    }
}

#[test]
fn an_answer_is_the_same_in_openais_words_and_its_seal_finds_its_way_back() {
    for (maker, name) in [(Maker::Anthropic, "tools"), (Maker::Gemini, "tools")] {
        let events = decode(maker, &[&stream(maker, name)]).unwrap();
        let mut collector = Collector::new("c", "m", 0);
        events.iter().for_each(|e| collector.push(e));
        let message = collector.into_completion(None)["choices"][0]["message"].clone();
        assert_eq!(message["tool_calls"].as_array().unwrap().len(), 2, "{message}");
        let mut encoder = ChunkEncoder::new("c", "m", 0, false);
        let mut streamed = events.iter().filter_map(|e| encoder.encode(e));
        assert!(streamed.any(|chunk| String::from_utf8_lossy(&chunk).contains("\"seal\"")));

        let calls = message["tool_calls"].as_array().unwrap().iter();
        let results = calls
            .map(|call| json!({"role": "tool", "tool_call_id": call["id"], "content": "{\"sky\":\"blue\"}"}));
        let mut messages = vec![json!({"role": "user", "content": "Weather?"}), message.clone()];
        messages.extend(results);
        let body = json!({"model": "m", "messages": messages, "reasoning_effort": "low", "max_tokens": 9000});
        let mut request = parse_chat_request(&Bytes::from(body.to_string()))
            .unwrap()
            .request;
        request.model = MODELS.iter().find(|(m, _)| *m == maker).unwrap().1.to_owned();
        let again = asked(maker, &request);
        let text = again.to_string();
        assert!(text.contains("c2lnbmVk"), "the signature goes back: {text}");
        if maker == Maker::Anthropic {
            let blocks = again["messages"][1]["content"].as_array().unwrap();
            let kinds: Vec<&str> = blocks.iter().map(|b| b["type"].as_str().unwrap()).collect();
            assert_eq!(
                kinds,
                ["thinking", "redacted_thinking", "text", "tool_use", "tool_use"]
            );
            assert_eq!(again["thinking"]["type"], "enabled");
            let results = again["messages"][2]["content"].as_array().unwrap();
            assert_eq!(results.len(), 2, "results stand in one message: {again}");
        } else {
            assert_eq!(
                again["contents"][2]["parts"][0]["functionResponse"]["response"]["sky"],
                "blue"
            );
        }
        // What another maker sealed is none of this one's business.
        for other in [Maker::Anthropic, Maker::Gemini, Maker::OpenAi] {
            if other != maker {
                request.model = MODELS.iter().find(|(m, _)| *m == other).unwrap().1.to_owned();
                request.sampling.max_tokens = None;
                assert!(
                    !asked(other, &request).to_string().contains("c2lnbmVk"),
                    "{other:?}"
                );
            }
        }
    }
}

#[test]
fn an_answer_in_one_piece_is_read_as_its_stream_would_be() {
    let message = json!({"id": "msg", "type": "message", "role": "assistant", "model": "m", "content": [
        {"type": "thinking", "thinking": "Hm", "signature": "c2ln"},
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}}],
        "stop_reason": "tool_use", "usage": {"input_tokens": 3, "output_tokens": 4}});
    let events = anthropic::EventDecoder::new("m")
        .decode_whole(message.to_string().as_bytes())
        .unwrap();
    let said: Vec<String> = events.iter().map(|e| format!("{:?}", e.parsed)).collect();
    assert_eq!(said.len(), 7, "{said:#?}");
    assert!(said[3].contains("toolu_1") && said[4].contains("c2ln") && said[5].contains("ToolCalls"));

    let whole = json!({"candidates": [{"content": {"parts": [{"text": "Hi"}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1}});
    for body in [whole.to_string(), json!([whole]).to_string()] {
        let events = gemini::ContentDecoder::new("m")
            .decode_whole(body.as_bytes())
            .unwrap();
        assert_eq!(events.len(), 4, "{events:?}");
    }
    for nothing in ["", "{}", "[]", "<html>", "{\"content\":3}", "[[[]]]"] {
        assert!(
            anthropic::EventDecoder::new("m")
                .decode_whole(nothing.as_bytes())
                .is_err(),
            "{nothing}"
        );
        assert!(
            gemini::ContentDecoder::new("m")
                .decode_whole(nothing.as_bytes())
                .is_err(),
            "{nothing}"
        );
    }
}

#[test]
fn an_error_before_content_says_what_it_is_and_after_it_that_the_answer_broke() {
    let overloaded = br#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let unavailable =
        br#"{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}"#;
    for (maker, error) in [
        (Maker::Anthropic, &overloaded[..]),
        (Maker::Gemini, &unavailable[..]),
        (
            Maker::OpenAi,
            &br#"{"error":{"message":"busy","code":"rate_limit_exceeded"}}"#[..],
        ),
    ] {
        let error = Bytes::copy_from_slice(error);
        let first = Decoder::of(maker).decode(&error).unwrap_err();
        assert!(
            matches!(
                first,
                ProviderError::Overloaded { .. } | ProviderError::LimitReached { .. }
            ),
            "{maker:?} {first:?}"
        );
        let mut decoder = Decoder::of(maker);
        let mut splitter = SseSplitter::new(1 << 20);
        let text = stream(maker, "text");
        splitter.push(&text[..text.len() * 2 / 3]);
        let mut content = false;
        while let Some(event) = splitter.next_event() {
            let events = decoder.decode(&event.unwrap().data).unwrap();
            content |= events.iter().any(|e| e.parsed.is_content());
        }
        assert!(content, "{maker:?}");
        assert!(
            matches!(decoder.decode(&error), Err(ProviderError::Interrupted { .. })),
            "{maker:?}"
        );
    }
    for reason in ["MALFORMED_FUNCTION_CALL", "OTHER"] {
        let piece = Bytes::from(format!(r#"{{"candidates":[{{"finishReason":"{reason}"}}]}}"#));
        let error = Decoder::of(Maker::Gemini).decode(&piece).unwrap_err();
        assert!(
            matches!(error, ProviderError::Broken { .. }),
            "another may answer: {error:?}"
        );
    }
    let starved = Bytes::from_static(
        br#"{"choices":[{"index":0,"delta":{},"finish_reason":"insufficient_system_resource"}]}"#,
    );
    let error = Decoder::of(Maker::DeepSeek).decode(&starved).unwrap_err();
    assert!(matches!(error, ProviderError::Overloaded { .. }));
}

#[test]
fn what_a_cloud_cannot_be_told_is_refused_by_the_name_of_its_field() {
    let body = |extra: Value| {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}]});
        let fields = extra.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(fields);
        parse_chat_request(&Bytes::from(body.to_string()))
            .unwrap()
            .request
    };
    let (anthropic, gemini) = (Maker::Anthropic, Maker::Gemini);
    let tool = json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]);
    let image =
        |url: &str| json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]);
    let result =
        json!([{"role": "user", "content": "x"}, {"role": "tool", "tool_call_id": "z", "content": "y"}]);
    let odd = json!([{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls":
        [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "[1]"}}]}]);
    for (maker, extra, param) in [
        (anthropic, json!({"seed": 4}), "seed"),
        (anthropic, json!({"presence_penalty": 1}), "presence_penalty"),
        (anthropic, json!({"logprobs": true}), "logprobs"),
        (anthropic, json!({"temperature": 1.5}), "temperature"),
        (
            anthropic,
            json!({"response_format": {"type": "json_object"}}),
            "response_format",
        ),
        (anthropic, json!({"audio": {"voice": "x"}}), "audio"),
        (anthropic, json!({"web_search_options": {}}), "web_search_options"),
        (anthropic, json!({"store": true}), "store"),
        (
            anthropic,
            json!({"reasoning_effort": "high", "max_tokens": 100}),
            "max_tokens",
        ),
        (
            anthropic,
            json!({"reasoning_effort": "high", "temperature": 0.5}),
            "temperature",
        ),
        (
            anthropic,
            json!({"messages": odd}),
            "messages[1].tool_calls[0].function.arguments",
        ),
        (
            anthropic,
            json!({"messages": image("data:image/bmp;base64,Qk0=")}),
            "messages[0].content[0].image_url.url",
        ),
        (
            anthropic,
            json!({"messages": [{"role": "user", "name": "eve", "content": "x"}]}),
            "messages[0].name",
        ),
        (
            gemini,
            json!({"messages": image("https://a.test/b.png")}),
            "messages[0].content[0].image_url.url",
        ),
        (gemini, json!({"messages": result}), "messages[1].tool_call_id"),
        (gemini, json!({"logit_bias": {"5": 1}}), "logit_bias"),
        (gemini, json!({"stop": ["1", "2", "3", "4", "5", "6"]}), "stop"),
        (
            gemini,
            json!({"tools": tool, "parallel_tool_calls": false}),
            "parallel_tool_calls",
        ),
        (gemini, json!({"seed": 5_000_000_000_i64}), "seed"),
        (gemini, json!({"prediction": {"type": "content"}}), "prediction"),
    ] {
        let mut request = body(extra.clone());
        request.model = MODELS.iter().find(|(m, _)| *m == maker).unwrap().1.to_owned();
        assert_eq!(asked(maker, &request)["refused"], param, "{maker:?} {extra}");
    }
    // What says nothing about the answer, or no more than the default, is no reason to refuse.
    let harmless = json!({"store": false, "metadata": {"a": "b"}, "service_tier": "auto", "verbosity": "medium",
        "temperature": 1, "presence_penalty": 0, "n": 1});
    for (maker, model) in MODELS {
        let mut request = body(harmless.clone());
        model.clone_into(&mut request.model);
        assert!(asked(maker, &request).get("refused").is_none(), "{maker:?}");
    }
}
