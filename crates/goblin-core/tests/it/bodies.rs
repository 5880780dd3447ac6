//! What the doors of the model tier say beside answers, and what requests say beside conversations.

use std::time::Duration;

use bytes::Bytes;
use goblin_core::chat::{KeepAlive, Part, Purpose, Role, Think};
use goblin_core::clock::Timestamp;
use goblin_core::embed::EmbedResponse;
use goblin_core::event::{ChatEvent, FinishReason, Parsed};
use goblin_core::model::{Capability, ModelInfo, ModelState};
use goblin_core::wire::anthropic::{Collected, EventEncoder, count_tokens_body, parse_messages};
use goblin_core::wire::ollama::{embed_body, parse_chat, ps_body, show_body, tags_body, version_body};
use goblin_core::wire::openai::{encode_request, encode_tier_request, parse_chat_request, parse_embeddings};
use serde_json::{Value, json};

fn gemma() -> ModelInfo {
    ModelInfo {
        state: ModelState::Loaded,
        context_window: Some(8192),
        capabilities: vec![Capability::Chat, Capability::Tools, Capability::Logprobs],
        size_bytes: Some(1_700_000_000),
        parameters: Some("3B".to_owned()),
        family: Some("gemma".to_owned()),
        quantization: Some("Q4_0".to_owned()),
        digest: Some("b5".repeat(32)),
        memory_bytes: Some(2_000_000_000),
        trained_context: Some(32_768),
        ..ModelInfo::named("gemma:2b")
    }
}

#[test]
fn models_are_listed_as_ollamas_clients_expect() {
    let (known, bare) = (gemma(), ModelInfo::named("x"));
    let tags = tags_body([&known, &bare]);
    assert_eq!(tags["models"][0]["name"], "gemma:2b");
    assert_eq!(tags["models"][0]["digest"], "b5".repeat(32));
    assert_eq!(
        tags["models"][0]["details"],
        json!({"parent_model": "", "format": "gguf", "family": "gemma", "families": ["gemma"],
            "parameter_size": "3B", "quantization_level": "Q4_0"})
    );
    assert_eq!(
        (&tags["models"][1]["size"], &tags["models"][1]["digest"]),
        (&json!(0), &json!(""))
    );
    let leaves = Timestamp(1_795_471_200_123);
    let running = ps_body([(&known, Some(leaves)), (&bare, None)]);
    assert_eq!(
        running["models"].as_array().map(Vec::len),
        Some(1),
        "what is not loaded does not run"
    );
    let first = &running["models"][0];
    assert_eq!(first["size"], 2_000_000_000_u64);
    assert_eq!(
        (&first["context_length"], &first["expires_at"]),
        (&json!(8192), &json!(leaves))
    );
    let shown = show_body(&known);
    assert_eq!(shown["capabilities"], json!(["completion", "tools"]));
    assert_eq!(shown["model_info"]["gemma.context_length"], 32_768);
    assert_eq!(version_body("0.17.4"), json!({"version": "0.17.4"}));
}

#[test]
fn embeddings_are_said_in_the_form_that_was_asked_for() {
    let response = EmbedResponse {
        vectors: vec![vec![0.6, 0.8]],
        prompt_tokens: 3,
    };
    let body = embed_body("m", &response, false, Duration::from_micros(5));
    assert_eq!(
        body,
        json!({"model": "m", "embeddings": [[0.6, 0.8]], "total_duration": 5000, "load_duration": 0, "prompt_eval_count": 3})
    );
    assert_eq!(
        embed_body("m", &response, true, Duration::ZERO),
        json!({"embedding": [0.6, 0.8]})
    );
    let asked = parse_embeddings(&Bytes::from_static(
        br#"{"model":"m","input":["a","b"],"encoding_format":"base64","dimensions":64}"#,
    ))
    .unwrap();
    assert!(asked.base64 && !asked.request.truncate);
    assert_eq!(
        (asked.request.inputs.len(), asked.request.dimensions),
        (2, Some(64))
    );
}

#[test]
fn a_result_of_a_tool_may_fail_and_hold_images_and_documents() {
    let body = br#"{"model":"m","max_tokens":9,"messages":[
        {"role":"assistant","content":[{"type":"tool_use","id":"a","name":"shoot","input":{}}]},
        {"role":"user","content":[
            {"type":"tool_result","tool_use_id":"a","is_error":true,"content":[{"type":"text","text":"Half of it."},
                {"type":"image","source":{"type":"base64","media_type":"image/gif","data":"R0lGOD=="}}]},
            {"type":"document","title":"Notes","source":{"type":"text","media_type":"text/plain","data":"N"}},
            {"type":"text","text":"Well?"}]}]}"#;
    let messages = parse_messages(&Bytes::from_static(body))
        .unwrap()
        .request
        .messages;
    let roles: Vec<Role> = messages.iter().map(|m| m.role).collect();
    assert_eq!(roles, [Role::Assistant, Role::Tool, Role::User]);
    assert_eq!(messages[1].tool_call_id.as_deref(), Some("a"));
    assert_eq!(messages[1].joined_text(), "The tool failed: Half of it.");
    assert!(matches!(&messages[2].parts[0], Part::Image { url } if url == "data:image/gif;base64,R0lGOD=="));
    assert_eq!(
        messages[2].joined_text(),
        "<document>\nNotes\nN\n</document>Well?"
    );
    assert_eq!(count_tokens_body(17), json!({"input_tokens": 17}));
}

fn openai(fields: &str) -> Bytes {
    Bytes::from(format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],{fields}}}"#
    ))
}

#[test]
fn how_much_to_think_reaches_each_kind_of_server_in_its_words() {
    for (word, think, plain) in [
        ("none", Think::Off, None),
        ("minimal", Think::Low, Some("low")),
        ("medium", Think::Medium, Some("medium")),
        ("xhigh", Think::Max, Some("high")),
    ] {
        let body = openai(&format!(r#""reasoning_effort":"{word}""#));
        let request = parse_chat_request(&body).unwrap().request;
        assert_eq!(request.think, Some(think), "{word}");
        let asked: Value = serde_json::from_slice(&encode_request(&request)).unwrap();
        assert_eq!(
            asked.get("reasoning_effort").and_then(Value::as_str),
            plain,
            "{word}"
        );
        let again = parse_chat_request(&encode_tier_request(&request))
            .unwrap()
            .request;
        assert_eq!(again.think, Some(think), "{word}");
    }
}

#[test]
fn options_for_our_own_tier_are_read_and_bounded() {
    let body = openai(
        r#""goblin":{"think":"on","context_tokens":4096,"keep_alive_seconds":-1,"purpose":"verdict","deadline_ms":5}"#,
    );
    let incoming = parse_chat_request(&body).unwrap();
    let request = incoming.request;
    assert_eq!(
        (request.think, request.purpose),
        (Some(Think::On), Purpose::Verdict)
    );
    assert_eq!(
        (request.context_tokens, request.keep_alive),
        (Some(4096), Some(KeepAlive::Forever))
    );
    assert_eq!(incoming.goblin.deadline_ms, Some(5));
    for (option, param) in [
        (r#""think":"hard""#, "goblin.think"),
        (r#""context_tokens":0"#, "goblin.context_tokens"),
        (r#""keep_alive_seconds":-2"#, "goblin.keep_alive_seconds"),
        (r#""purpose":"fun""#, "goblin.purpose"),
    ] {
        let error = parse_chat_request(&openai(&format!(r#""goblin":{{{option}}}"#))).unwrap_err();
        assert_eq!(error.param.as_deref(), Some(param), "{error}");
    }
    let error = parse_chat_request(&openai(r#""reasoning_effort":"hard""#)).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("reasoning_effort"));
}

#[test]
fn a_model_stays_as_long_as_the_caller_says() {
    for (said, kept) in [
        ("300", KeepAlive::For(Duration::from_secs(300))),
        ("0", KeepAlive::For(Duration::ZERO)),
        ("1.5", KeepAlive::For(Duration::from_millis(1500))),
        ("-1", KeepAlive::Forever),
        (r#""24h""#, KeepAlive::For(Duration::from_secs(86_400))),
        (r#""-1m""#, KeepAlive::Forever),
    ] {
        let body =
            format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],"keep_alive":{said}}}"#);
        let request = parse_chat(&Bytes::from(body)).unwrap().request;
        assert_eq!(request.keep_alive, Some(kept), "{said}");
    }
}

#[test]
fn what_a_calls_maker_wants_back_goes_through_anthropics_clients_unread() {
    let call = |index, id: &str| Parsed::ToolCall {
        index,
        id: Some(id.to_owned()),
        name: Some("look_up".to_owned()),
        arguments: "{}".to_owned(),
    };
    let seal = r#"anthropic:[{"type":"thinking","thinking":"Hm.","signature":"c2ln"}]"#;
    let answer = [
        call(0, "a"),
        call(1, "b"),
        Parsed::Sealed {
            index: 1,
            seal: seal.to_owned(),
        },
        Parsed::Finished {
            reason: FinishReason::ToolCalls,
        },
    ]
    .map(ChatEvent::from);
    let mut collected = Collected::new("msg_1", "m");
    let mut encoder = EventEncoder::new("msg_1", "m", 0);
    let mut streamed = Vec::new();
    for event in &answer {
        collected.push(event);
        for frame in encoder.encode(event) {
            let text = String::from_utf8(frame.to_vec()).unwrap();
            let data: Value = serde_json::from_str(text.split_once("data: ").unwrap().1).unwrap();
            streamed.extend(data.get("content_block").cloned());
        }
    }
    let content = collected.into_message()["content"].clone();
    let kinds: Vec<&str> = content
        .as_array()
        .unwrap()
        .iter()
        .map(|block| block["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["tool_use", "redacted_thinking", "tool_use"]);
    assert_eq!(json!(streamed), content, "a stream says the same");
    let body =
        json!({"model": "m", "max_tokens": 9, "messages": [{"role": "assistant", "content": content}]});
    let message = &parse_messages(&body.to_string().into()).unwrap().request.messages[0];
    let seals: Vec<Option<&str>> = message.tool_calls.iter().map(|c| c.seal.as_deref()).collect();
    assert_eq!(seals, [None, Some(seal)]);
    // Another maker's thoughts stay where they are.
    let hidden = json!([{"type": "redacted_thinking", "data": "eA=="},
        {"type": "tool_use", "id": "a", "name": "f", "input": {}}]);
    let body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "assistant", "content": hidden}]});
    let read = parse_messages(&body.to_string().into()).unwrap();
    assert_eq!(read.request.messages[0].tool_calls[0].seal, None);
}
