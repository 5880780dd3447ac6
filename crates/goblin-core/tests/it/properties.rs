//! What holds for every input.

use bytes::Bytes;
use goblin_core::wire::json::depth_within;
use goblin_core::wire::openai::{
    parse_chat_request, parse_embeddings, parse_pass_through, rewrite_for_upstream, scrub,
};
use goblin_core::wire::sse::{SseEvent, SseSplitter, encode_event};
use goblin_core::wire::{anthropic, ollama, systemone};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

fn split(pieces: &[&[u8]]) -> Vec<SseEvent> {
    let mut splitter = SseSplitter::new(1 << 20);
    pieces.iter().for_each(|p| splitter.push(p));
    std::iter::from_fn(|| splitter.next_event())
        .map(Result::unwrap)
        .collect()
}

/// Cuts `bytes` at the given places, taken modulo its length.
fn cut<'a>(bytes: &'a [u8], places: &[usize]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = places.iter().map(|p| p % (bytes.len() + 1)).collect();
    at.sort_unstable();
    let mut pieces = Vec::new();
    let mut from = 0;
    for place in at {
        pieces.push(&bytes[from..place]);
        from = place;
    }
    pieces.push(&bytes[from..]);
    pieces
}

/// JSON values of a bounded depth, with names and texts that try to confuse.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[\\[\\]{}\"\\\\a\u{e9}\n ]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec(("(model|stream|include_usage|[a-z\"\\\\{\\[]{0,4})", inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

proptest! {
    #[test]
    fn any_bytes_cut_anywhere_split_the_same(bytes in vec(prop_oneof![
        Just(b'\n'), Just(b'\r'), Just(b':'), Just(b' '), Just(b'd'), Just(0xef), any::<u8>()], 0..200),
        places in vec(any::<usize>(), 0..6))
    {
        prop_assert_eq!(split(&cut(&bytes, &places)), split(&[&bytes]));
    }

    #[test]
    fn events_written_are_read_back(data in vec(any::<u8>(), 0..100), id in any::<u64>(), places in vec(any::<usize>(), 0..4)) {
        // Line ends of every kind come back as \n, as the format has it.
        let text = String::from_utf8_lossy(&data).replace("\r\n", "\n").replace('\r', "\n");
        let wire = encode_event(Some(id), Some("delta"), &String::from_utf8_lossy(&data).into_owned().into_bytes());
        let expected = SseEvent { event: Some("delta".into()), data: text.into(), id: Some(id.to_string()) };
        prop_assert_eq!(split(&cut(&wire, &places)), vec![expected]);
    }

    #[test]
    fn the_depth_scanner_agrees_with_the_value(value in json(), indent in any::<bool>()) {
        let text = if indent { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let depth = depth(&value);
        prop_assert!(depth_within(text.as_bytes(), depth));
        prop_assert!(depth == 0 || !depth_within(text.as_bytes(), depth - 1));
    }

    #[test]
    fn the_depth_scanner_never_panics(bytes in vec(any::<u8>(), 0..200), limit in 0usize..5) {
        let unlimited = depth_within(&bytes, usize::MAX);
        prop_assert!(unlimited);
        let opens = bytes.iter().any(|b| b"[{".contains(b));
        prop_assert!(depth_within(&bytes, limit) || opens);
    }

    #[test]
    fn rewriting_changes_the_model_and_the_usage_flag_and_nothing_else(
        before in vec(("[a-l]{1,3}", json()), 0..4),
        after in vec(("[n-r]{1,3}", json()), 0..4),
        options in proptest::option::of(json()),
        stream in any::<bool>(),
        pretty in any::<bool>(),
        model in "[ -~\u{e9}]{0,12}",
    ) {
        let mut body = serde_json::Map::new();
        body.extend(before);
        body.insert("model".into(), "old/model".into());
        body.extend(after);
        body.insert("stream".into(), stream.into());
        if let Some(options) = options {
            body.insert("stream_options".into(), options);
        }
        let body = Value::Object(body);
        let text = if pretty { serde_json::to_string_pretty(&body) } else { serde_json::to_string(&body) }.unwrap();
        // Without the usage flag the bytes around the model's value are untouched.
        let plain = rewrite_for_upstream(&Bytes::from(text.clone()), &model, false);
        let at = text.find("\"old/model\"").unwrap();
        let quoted = Value::from(model.as_str()).to_string();
        let expected = format!("{}{}{}", &text[..at], quoted, &text[at + "\"old/model\"".len()..]);
        prop_assert_eq!(plain, Bytes::from(expected));
        // With it, only that flag differs in meaning as well.
        let forced: Value = serde_json::from_slice(&rewrite_for_upstream(&Bytes::from(text), &model, true)).unwrap();
        let mut wanted = body;
        wanted["model"] = model.into();
        if stream {
            if !wanted["stream_options"].is_object() {
                wanted["stream_options"] = serde_json::json!({});
            }
            wanted["stream_options"]["include_usage"] = true.into();
        }
        prop_assert_eq!(forced, wanted);
    }

    #[test]
    fn no_request_makes_the_readers_panic(value in json(), bytes in vec(any::<u8>(), 0..100)) {
        for body in [Bytes::from(value.to_string()), Bytes::from(bytes)] {
            let wrapped = format!(r#"{{"model":"m","messages":[{value}],"tools":{value},"goblin":{value},"stop":{value}}}"#);
            for body in [body, Bytes::from(wrapped)] {
                let named = |e: goblin_core::error::ApiError| e.param.is_some() || e.code == goblin_core::error::ErrorCode::InvalidJson;
                prop_assert!(parse_chat_request(&body).map_or_else(named, |_| true));
                prop_assert!(parse_pass_through(&body).map_or_else(named, |_| true));
                prop_assert!(!rewrite_for_upstream(&body, "x", true).is_empty() || body.is_empty());
            }
        }
    }

    #[test]
    fn no_request_makes_the_readers_of_the_tier_panic(value in json(), bytes in vec(any::<u8>(), 0..100)) {
        let one = format!(r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":{value},"images":{value}}}],
            "system":{value},"prompt":{value},"input":{value},"options":{value},"keep_alive":{value},"format":{value},
            "state":"s","questions":{{"q":{{"type":"choice","instructions":{value},"criteria":{value}}}}}}}"#);
        let blocks = format!(r#"{{"model":"m","max_tokens":9,"state":{value},"questions":{value},"messages":[
            {{"role":"assistant","content":[{{"type":"tool_use","id":"a","name":"b","input":{value}}}],"tool_calls":{value}}},
            {{"role":"user","content":[{{"type":"tool_result","tool_use_id":"a","content":{value}}},{value}]}}]}}"#);
        for body in [Bytes::from(value.to_string()), Bytes::from(bytes), Bytes::from(one), Bytes::from(blocks)] {
            let errors = [
                ollama::parse_chat(&body).err(),
                ollama::parse_generate(&body).err(),
                ollama::parse_embed(&body).err(),
                ollama::parse_show(&body).err(),
                ollama::parse_name(ollama::Change::Create, &body).err(),
                anthropic::parse_messages(&body).err(),
                anthropic::parse_count_tokens(&body).err(),
                systemone::parse(&body).err(),
                parse_embeddings(&body).err(),
            ];
            for error in errors.into_iter().flatten() {
                prop_assert!(error.param.is_some() || error.code == goblin_core::error::ErrorCode::InvalidJson, "{}", error);
            }
        }
    }

    #[test]
    fn what_is_scrubbed_is_one_bounded_line(text in "\\PC{0,80}", repeat in 1usize..20) {
        let clean = scrub(&text.repeat(repeat));
        prop_assert!(clean.chars().count() <= 501);
        prop_assert!(!clean.contains(|c: char| c.is_control()));
    }
}
