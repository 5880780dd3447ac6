//! Translation by fixture: each file under `fixtures/openai` in both directions.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use goblin_core::event::{ChatEvent, Parsed};
use goblin_core::wire::openai::{
    ChunkEncoder, Collector, StreamDecoder, decode_completion, encode_request, parse_chat_request,
};
use goblin_core::wire::sse::SseSplitter;
use serde_json::Value;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/openai")
        .join(name)
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn golden(name: &str, actual: &str) {
    golden_file(&path(name), actual);
}

/// Compares with a golden file. A missing one is written, and the test fails once so that somebody reads it.
pub(crate) fn golden_file(file: &Path, actual: &str) {
    let name = file.display();
    match std::fs::read_to_string(file) {
        Ok(expected) => assert_eq!(expected.trim_end(), actual.trim_end(), "{name} differs"),
        Err(_) => {
            std::fs::write(file, format!("{}\n", actual.trim_end())).expect("written");
            panic!("{name} was missing and has been written: read it before committing it");
        }
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("JSON")
}

const REQUESTS: [&str; 5] = ["plain", "sampling", "conversation", "tools", "goblin"];
const STREAMS: [&str; 6] = [
    "text",
    "tools",
    "tools_without_index",
    "logprobs",
    "reasoning",
    "running_usage",
];

#[test]
fn every_request_means_what_its_golden_file_says() {
    for name in REQUESTS {
        let body = Bytes::from(read(&format!("requests/{name}.json")));
        let mut incoming = parse_chat_request(&body).unwrap_or_else(|e| panic!("{name}: {e}"));
        let (_, raw) = incoming.request.raw.take().unwrap();
        assert_eq!(raw, body, "{name}: the body is kept whole");
        golden(&format!("requests/{name}.core.txt"), &format!("{incoming:#?}"));
        let upstream: Value = serde_json::from_slice(&encode_request(&incoming.request)).unwrap();
        golden(&format!("requests/{name}.upstream.json"), &pretty(&upstream));
    }
}

#[test]
fn what_an_upstream_is_asked_means_the_same_to_it() {
    for name in REQUESTS {
        let first = parse_chat_request(&Bytes::from(read(&format!("requests/{name}.json"))))
            .unwrap()
            .request;
        let second = parse_chat_request(&encode_request(&first)).unwrap().request;
        assert_eq!(second.messages, first.messages, "{name}");
        assert_eq!(second.tools, first.tools, "{name}");
        assert_eq!(second.tool_choice, first.tool_choice, "{name}");
        assert_eq!(second.sampling, first.sampling, "{name}");
        assert_eq!(second.format, first.format, "{name}");
        assert_eq!(second.user, first.user, "{name}");
    }
}

fn decode(pieces: &[&[u8]], keep_raw: bool) -> Vec<ChatEvent> {
    let mut splitter = SseSplitter::new(1 << 20);
    let mut decoder = StreamDecoder::new(keep_raw);
    let mut events = Vec::new();
    for piece in pieces {
        splitter.push(piece);
        while let Some(event) = splitter.next_event() {
            events.extend(decoder.decode(&event.expect("an event").data).expect("events"));
        }
    }
    events.extend(decoder.leftover());
    decoder.finish().expect("a whole answer");
    events
}

fn collect(events: &[ChatEvent]) -> Value {
    let mut collector = Collector::new("chatcmpl-1", "m", 1_700_000_000);
    events.iter().for_each(|e| collector.push(e));
    collector.into_completion(None)
}

#[test]
fn every_stream_becomes_the_events_and_the_answer_of_its_golden_files() {
    for name in STREAMS {
        let bytes = read(&format!("streams/{name}.sse"));
        let events = decode(&[&bytes], false);
        let lines: Vec<String> = events.iter().map(|e| format!("{:?}", e.parsed)).collect();
        golden(&format!("streams/{name}.events.txt"), &lines.join("\n"));
        golden(
            &format!("streams/{name}.completion.json"),
            &pretty(&collect(&events)),
        );
    }
}

#[test]
fn a_stream_cut_anywhere_gives_the_same_events() {
    for name in STREAMS {
        let bytes = read(&format!("streams/{name}.sse"));
        let whole = decode(&[&bytes], true);
        for cut in 0..=bytes.len() {
            assert_eq!(
                decode(&[&bytes[..cut], &bytes[cut..]], true),
                whole,
                "{name} cut at {cut}"
            );
        }
        let singles: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(decode(&singles, true), whole, "{name} byte by byte");
    }
}

#[test]
fn a_stream_forwarded_raw_is_byte_for_byte_what_came() {
    for name in STREAMS {
        let bytes = read(&format!("streams/{name}.sse"));
        let mut encoder = ChunkEncoder::pass_through(true);
        let sent: Vec<Bytes> = decode(&[&bytes], true)
            .iter()
            .filter_map(|e| encoder.encode(e))
            .collect();
        let mut splitter = SseSplitter::new(1 << 20);
        splitter.push(&bytes);
        let came: Vec<Bytes> = std::iter::from_fn(|| splitter.next_event())
            .map(|e| e.unwrap().data)
            .collect();
        assert_eq!(
            sent,
            came[..came.len() - 1],
            "{name}: all but [DONE], which the server writes"
        );
    }
}

#[test]
fn events_written_as_chunks_and_read_again_are_the_same() {
    for name in STREAMS {
        let events = decode(&[&read(&format!("streams/{name}.sse"))], false);
        let mut encoder = ChunkEncoder::new("chatcmpl-1", "m", 1_700_000_000, true);
        let mut decoder = StreamDecoder::new(false);
        let mut again = Vec::new();
        for event in &events {
            if let Some(chunk) = encoder.encode(event) {
                again.extend(decoder.decode(&chunk).unwrap());
            }
        }
        assert_eq!(collect(&again), collect(&events), "{name}");
        let parsed = |events: &[ChatEvent]| events.iter().map(|e| e.parsed.clone()).collect::<Vec<Parsed>>();
        assert_eq!(parsed(&again), parsed(&events), "{name}");
    }
}

#[test]
fn an_answer_in_one_piece_and_the_same_answer_streamed_are_equal() {
    for name in STREAMS {
        let completion = collect(&decode(&[&read(&format!("streams/{name}.sse"))], false));
        let again = decode_completion(completion.to_string().as_bytes()).unwrap();
        assert_eq!(collect(&again), completion, "{name}");
    }
}
