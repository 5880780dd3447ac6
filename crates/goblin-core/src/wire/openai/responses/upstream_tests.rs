//! Asking OpenAI by its Responses, and reading what it answers.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{ResponseDecoder, encode_responses};
use crate::chat::{ChatRequest, Message, Part, ResponseFormat, Role, Think, Tool, ToolCall, ToolChoice};
use crate::event::{FinishReason, Parsed, Usage};
use crate::provider::ProviderError;

fn request(model: &str) -> ChatRequest {
    ChatRequest {
        model: model.to_owned(),
        messages: vec![Message::text(Role::User, "Hi")],
        ..ChatRequest::default()
    }
}

fn asked(request: &ChatRequest) -> Value {
    serde_json::from_slice(&encode_responses(request).unwrap()).unwrap()
}

fn refused(request: &ChatRequest) -> String {
    match encode_responses(request) {
        Err(ProviderError::Unsupported { param, .. }) => param,
        other => panic!("{other:?}"),
    }
}

fn read(events: &[Value]) -> Result<Vec<Parsed>, ProviderError> {
    let mut decoder = ResponseDecoder::new("m");
    let mut said = Vec::new();
    for event in events {
        let events = decoder.decode(&Bytes::from(event.to_string()))?;
        said.extend(events.into_iter().map(|event| event.parsed));
    }
    decoder.finish()?;
    assert!(decoder.is_done());
    Ok(said)
}

fn whole(response: &Value) -> Result<Vec<Parsed>, ProviderError> {
    let events = ResponseDecoder::new("m").decode_whole(response.to_string().as_bytes())?;
    Ok(events.into_iter().map(|event| event.parsed).collect())
}

fn text_of(parsed: &[Parsed]) -> String {
    let text = parsed.iter().filter_map(|p| match p {
        Parsed::Text { text, .. } => Some(text.as_str()),
        _ => None,
    });
    text.collect()
}

fn reasoning_of(parsed: &[Parsed]) -> String {
    let text = parsed.iter().filter_map(|p| match p {
        Parsed::Reasoning { text } => Some(text.as_str()),
        _ => None,
    });
    text.collect()
}

fn reason_of(parsed: &[Parsed]) -> Option<FinishReason> {
    parsed.iter().find_map(|p| match p {
        Parsed::Finished { reason } => Some(*reason),
        _ => None,
    })
}

fn delta(text: &str) -> Value {
    json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": text, "logprobs": []})
}

fn ended(status: &str, more: Value) -> Value {
    let mut response = json!({"status": status, "output": [], "usage": null});
    if let (Value::Object(response), Value::Object(more)) = (&mut response, more) {
        response.extend(more);
    }
    json!({"type": format!("response.{status}"), "response": response})
}

#[test]
fn a_chats_words_become_those_of_a_response() {
    let mut request = request("gpt-4o");
    request.sampling.max_tokens = Some(50);
    request.sampling.logprobs = Some(2);
    request.sampling.temperature = Some(0.5);
    request.format = ResponseFormat::JsonSchema {
        name: "s".into(),
        schema: json!({"type": "object"}),
    };
    request.tools = vec![Tool {
        name: "f".into(),
        description: Some("d".into()),
        parameters: json!({}),
        strict: None,
    }];
    request.tool_choice = ToolChoice::Named("f".into());
    request.user = Some("u".into());
    request.session = Some("k".into());
    assert_eq!(
        asked(&request),
        json!({
            "model": "gpt-4o",
            "input": [{"type": "message", "role": "user", "content": "Hi"}],
            "stream": true,
            "store": false,
            "temperature": 0.5,
            "max_output_tokens": 50,
            "top_logprobs": 2,
            "include": ["message.output_text.logprobs"],
            "tools": [{"type": "function", "name": "f", "description": "d", "parameters": {}, "strict": false}],
            "tool_choice": {"type": "function", "name": "f"},
            "text": {"format": {"type": "json_schema", "name": "s", "schema": {"type": "object"}, "strict": true}},
            "user": "u",
            "prompt_cache_key": "k",
        })
    );
}

#[test]
fn parts_calls_and_results_become_items() {
    let mut request = request("gpt-4o");
    let url = |kind: &str| format!("data:{kind};base64,AAAA");
    request.messages[0].parts.extend([
        Part::Image {
            url: url("image/png"),
        },
        Part::File {
            name: None,
            url: url("application/pdf"),
        },
    ]);
    let mut calls = Message::text(Role::Assistant, "Let me see.");
    calls.tool_calls.push(ToolCall {
        id: "c".into(),
        name: "f".into(),
        arguments: "{}".into(),
        seal: Some(r#"openai:[{"type":"reasoning","id":"rs","summary":[],"encrypted_content":"x"}]"#.into()),
    });
    let mut result = Message::text(Role::Tool, "42");
    result.tool_call_id = Some("c".into());
    result.name = Some("f".into());
    request.messages.extend([calls, result]);
    let input = json!([
        {"type": "message", "role": "user", "content": [
            {"type": "input_text", "text": "Hi"},
            {"type": "input_image", "detail": "auto", "image_url": url("image/png")},
            {"type": "input_file", "filename": "file.pdf", "file_data": url("application/pdf")},
        ]},
        {"type": "message", "role": "assistant", "content": "Let me see."},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "42"},
    ]);
    assert_eq!(
        asked(&request)["input"],
        input,
        "who does not reason gets no thoughts"
    );
    request.model = "o3".into();
    let body = asked(&request);
    assert_eq!(
        body["input"][1],
        json!({"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "x"})
    );
    assert_eq!(body["include"], json!(["reasoning.encrypted_content"]));
}

#[test]
fn what_a_response_has_no_word_for_is_refused_by_its_field_or_left_out_where_goblin_chose() {
    let with = |change: fn(&mut ChatRequest)| {
        let mut request = request("gpt-4o");
        change(&mut request);
        request
    };
    let cases: [(&str, ChatRequest); 6] = [
        ("stop", with(|r| r.sampling.stop = vec!["x".into()])),
        ("seed", with(|r| r.sampling.seed = Some(0))),
        (
            "presence_penalty",
            with(|r| r.sampling.presence_penalty = Some(0.5)),
        ),
        (
            "frequency_penalty",
            with(|r| r.sampling.frequency_penalty = Some(0.5)),
        ),
        ("logit_bias", with(|r| r.sampling.logit_bias = vec![(1, 1.0)])),
        ("max_tokens", with(|r| r.sampling.max_tokens = Some(15))),
    ];
    for (field, mut request) in cases {
        assert_eq!(refused(&request), field);
        request.automatic = true;
        let body = asked(&request);
        assert!(body.get(field).is_none(), "{field}: {body}");
    }
    assert_eq!(
        refused(&with(|r| r.messages[0].name = Some("eve".into()))),
        "messages[0].name"
    );
    assert_eq!(refused(&with(|r| r.untranslated = vec!["audio".into()])), "audio");
    let none = asked(&with(|r| r.sampling.presence_penalty = Some(0.0)));
    assert_eq!(none.get("presence_penalty"), None, "the default is no wish");
}

#[test]
fn a_wish_to_think_is_an_effort_and_asks_for_the_summary() {
    let reasoning = |model: &str, think| {
        let mut request = request(model);
        request.think = think;
        request.automatic = true;
        asked(&request).get("reasoning").cloned()
    };
    for (model, think, expected) in [
        (
            "o3",
            Some(Think::High),
            Some(json!({"effort": "high", "summary": "auto"})),
        ),
        ("o3", Some(Think::On), Some(json!({"summary": "auto"}))),
        ("o3", None, None),
        ("gpt-5.5", Some(Think::Off), Some(json!({"effort": "none"}))),
        ("gpt-4o", Some(Think::High), None),
    ] {
        assert_eq!(reasoning(model, think), expected, "{model} {think:?}");
    }
}

#[test]
fn reasoning_calls_and_usage_are_read_and_sealed_thoughts_go_with_the_call() {
    let summary = |text: &str| json!({"type": "response.reasoning_summary_text.delta", "output_index": 0, "delta": text});
    let part = json!({"type": "response.reasoning_summary_part.added", "output_index": 0});
    let item = json!({"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "ab"}],
        "encrypted_content": "x"});
    let call = |arguments: &str| json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": arguments});
    let said = read(&[
        json!({"type": "response.created", "response": {"status": "in_progress"}}),
        part.clone(),
        summary("a"),
        part,
        summary("b"),
        json!({"type": "response.output_item.done", "output_index": 0, "item": item}),
        json!({"type": "response.output_item.added", "output_index": 1, "item": call("")}),
        json!({"type": "response.function_call_arguments.delta", "output_index": 1, "delta": "{}"}),
        json!({"type": "response.output_item.done", "output_index": 1, "item": call("{}")}),
        ended(
            "completed",
            json!({"output": [item, call("{}")], "usage": {"input_tokens": 9, "output_tokens": 7,
            "input_tokens_details": {"cached_tokens": 5}, "output_tokens_details": {"reasoning_tokens": 3}}}),
        ),
    ])
    .unwrap();
    assert_eq!(reasoning_of(&said), "a\n\nb");
    let piece = |id: Option<&str>, arguments: &str| Parsed::ToolCall {
        index: 0,
        id: id.map(str::to_owned),
        name: id.map(|_| "f".to_owned()),
        arguments: arguments.to_owned(),
    };
    let calls: Vec<&Parsed> = said
        .iter()
        .filter(|p| matches!(p, Parsed::ToolCall { .. }))
        .collect();
    assert_eq!(calls, [&piece(Some("c"), ""), &piece(None, "{}")]);
    let seal = format!("openai:[{item}]");
    assert!(
        said.iter()
            .any(|p| matches!(p, Parsed::Sealed { index: 0, seal: given }
            if serde_json::from_str::<Value>(&given[7..]).unwrap() == json!([item]))),
        "{seal} in {said:?}"
    );
    assert_eq!(reason_of(&said), Some(FinishReason::ToolCalls));
    let usage = Usage {
        prompt_tokens: 9,
        completion_tokens: 7,
        cached_tokens: 5,
        reasoning_tokens: 3,
    };
    assert_eq!(said.last(), Some(&Parsed::Usage(usage)));
}

#[test]
fn a_response_in_one_piece_says_what_its_stream_would_have_said() {
    let token = json!({"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []});
    let response = json!({"status": "completed", "error": null, "output": [
        {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "short"}],
            "content": [{"type": "reasoning_text", "text": "in full"}]},
        {"type": "message", "content": [{"type": "output_text", "text": "Hi", "logprobs": [token]},
            {"type": "refusal", "refusal": " no"}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{\"a\":1}"},
        {"type": "web_search_call", "id": "w"},
    ], "usage": {"input_tokens": 1, "output_tokens": 2}});
    let said = whole(&response).unwrap();
    assert_eq!(
        (text_of(&said).as_str(), reasoning_of(&said).as_str()),
        ("Hi no", "in full")
    );
    assert!(
        said.iter()
            .any(|p| matches!(p, Parsed::Text { logprobs, .. } if logprobs.len() == 1))
    );
    assert!(
        said.iter()
            .any(|p| matches!(p, Parsed::ToolCall { arguments, .. } if arguments == "{\"a\":1}"))
    );
    let as_stream = read(&[json!({"type": "response.completed", "response": response})]).unwrap();
    assert_eq!(as_stream, said, "a server that says no deltas");
    for body in [json!({}), json!({"output": "x"}), json!([]), json!("")] {
        assert!(
            matches!(whole(&body), Err(ProviderError::Interrupted { .. })),
            "{body}"
        );
    }
}

#[test]
fn refusals_are_text_and_an_incomplete_response_says_why() {
    let refusal = json!({"type": "response.refusal.delta", "output_index": 0, "delta": "I cannot."});
    let said = read(&[refusal, ended("completed", json!({}))]).unwrap();
    assert_eq!(
        (text_of(&said).as_str(), reason_of(&said)),
        ("I cannot.", Some(FinishReason::Stop))
    );
    for (details, reason) in [
        (json!({"reason": "max_output_tokens"}), FinishReason::Length),
        (json!({"reason": "content_filter"}), FinishReason::ContentFilter),
        (Value::Null, FinishReason::Length),
    ] {
        let said = read(&[
            delta("x"),
            ended("incomplete", json!({"incomplete_details": details})),
        ])
        .unwrap();
        assert_eq!(reason_of(&said), Some(reason), "{details}");
        assert_eq!(text_of(&said), "x");
    }
}

#[test]
fn an_error_before_content_is_what_it_says_and_after_it_an_interruption() {
    let failed = |code: &str| ended("failed", json!({"error": {"code": code, "message": "m"}}));
    let kind = |error: &ProviderError| match error {
        ProviderError::LimitReached { .. } => "rate",
        ProviderError::QuotaUsedUp => "quota",
        ProviderError::Rejected { .. } => "request",
        ProviderError::Unauthorized => "key",
        ProviderError::ModelNotFound { .. } => "model",
        ProviderError::Broken { .. } => "broken",
        ProviderError::Interrupted { .. } => "cut",
        _ => "other",
    };
    for (code, expected) in [
        ("rate_limit_exceeded", "rate"),
        ("insufficient_quota", "quota"),
        ("invalid_prompt", "request"),
        ("image_too_large", "request"),
        ("invalid_api_key", "key"),
        ("model_not_found", "model"),
        ("server_error", "broken"),
    ] {
        let event = json!({"type": "error", "code": code, "message": "m the model", "param": null});
        let nested =
            json!({"type": "error", "error": {"type": "error", "code": code, "message": "m the model"}});
        let failed = failed(code);
        for event in [&event, &nested] {
            assert_eq!(
                kind(&read(std::slice::from_ref(event)).unwrap_err()),
                expected,
                "{event}"
            );
        }
        if code != "model_not_found" {
            assert_eq!(
                kind(&read(std::slice::from_ref(&failed)).unwrap_err()),
                expected,
                "{failed}"
            );
        }
        assert_eq!(kind(&read(&[delta("x"), event]).unwrap_err()), "cut", "{code}");
        assert_eq!(kind(&read(&[delta("x"), failed]).unwrap_err()), "cut", "{code}");
    }
    for events in [
        vec![],
        vec![delta("x")],
        vec![json!("[DONE]")],
        vec![delta("x"), ended("cancelled", json!({}))],
    ] {
        assert_eq!(kind(&read(&events).unwrap_err()), "cut", "{events:?}");
    }
    let nothing = json!({"type": "response.failed", "response": {"status": "failed", "error": null}});
    assert_eq!(kind(&read(&[nothing]).unwrap_err()), "broken");
}
