//! Requests as Ollama reads them, answers as several versions give them.

use super::*;
use crate::chat::{Tool, ToolCall};
use crate::event::{ChatEvent, FinishReason, Parsed, Usage};

fn look_up() -> Tool {
    Tool {
        name: "look_up".into(),
        description: Some("Looks it up.".into()),
        parameters: json!({"type": "object"}),
        strict: None,
    }
}

fn asking() -> ChatRequest {
    ChatRequest {
        model: "m".into(),
        messages: vec![Message::text(Role::User, "Hello")],
        ..ChatRequest::default()
    }
}

fn body(request: &ChatRequest) -> Value {
    serde_json::from_slice(&encode_chat(request).unwrap()).unwrap()
}

/// A body read in pieces that end at each of `cuts`; an error ends it.
fn read(request: &ChatRequest, body: &[u8], cuts: &[usize]) -> (Vec<ChatEvent>, Result<(), ProviderError>) {
    let mut decoder = AnswerDecoder::for_chat(request, PromptSize::default());
    let mut splitter = LineSplitter::new();
    let mut events = Vec::new();
    let mut from = 0;
    for to in cuts.iter().copied().chain([body.len()]) {
        splitter.push(&body[from..to]);
        from = to;
        while let Some(line) = splitter.next_line() {
            match line.and_then(|line| decoder.decode(&line)) {
                Ok(more) => events.extend(more),
                Err(error) => return (events, Err(error)),
            }
        }
    }
    if let Some(rest) = splitter.rest() {
        match decoder.decode(&rest) {
            Ok(more) => events.extend(more),
            Err(error) => return (events, Err(error)),
        }
    }
    let end = decoder.finish();
    (events, end)
}

/// What an answer says, pieces joined.
#[derive(Clone, Debug, Default, PartialEq)]
struct Said {
    text: String,
    reasoning: String,
    calls: Vec<(u32, String, String, String)>,
    finish: Option<FinishReason>,
    usage: Option<Usage>,
    logprobs: usize,
}

fn said(events: &[ChatEvent]) -> Said {
    let mut out = Said::default();
    for event in events {
        match event.parsed.clone() {
            Parsed::Text { text, logprobs } => {
                out.text.push_str(&text);
                out.logprobs += logprobs.len();
            }
            Parsed::Reasoning { text } => out.reasoning.push_str(&text),
            Parsed::ToolCall {
                index,
                id,
                name,
                arguments,
            } => out.calls.push((index, id.unwrap(), name.unwrap(), arguments)),
            Parsed::Finished { reason } => out.finish = Some(reason),
            Parsed::Usage(usage) => out.usage = Some(usage),
            Parsed::Started | Parsed::Sealed { .. } | Parsed::Opaque => {}
        }
    }
    out
}

#[test]
fn a_request_is_written_in_ollamas_words_and_never_lets_it_cut() {
    let request = ChatRequest {
        tools: vec![look_up()],
        think: Some(Think::Low),
        context_tokens: Some(8192),
        keep_alive: Some(KeepAlive::For(Duration::from_secs(90))),
        format: ResponseFormat::JsonObject,
        sampling: Sampling {
            temperature: Some(0.7),
            seed: Some(7),
            max_tokens: Some(16),
            stop: vec!["END".into()],
            logprobs: Some(3),
            ..Sampling::default()
        },
        ..asking()
    };
    assert_eq!(
        body(&request),
        json!({
            "model": "m",
            "messages": [{"role": "user", "content": "Hello"}],
            "tools": [{"type": "function", "function":
                {"name": "look_up", "description": "Looks it up.", "parameters": {"type": "object"}}}],
            "think": "low",
            "format": "json",
            "stream": true,
            "truncate": false,
            "shift": false,
            "keep_alive": "90000ms",
            "logprobs": true,
            "top_logprobs": 3,
            "options": {"num_ctx": 8192, "num_predict": 16, "temperature": 0.7, "seed": 7, "stop": ["END"]},
        })
    );
}

#[test]
fn calls_results_thoughts_and_images_travel() {
    let mut request = asking();
    request.messages[0].parts.push(Part::Image {
        url: "data:image/png;base64,iVBORw0KGgo=".into(),
    });
    let mut call = Message::text(Role::Assistant, "");
    call.reasoning = Some("hm".into());
    call.tool_calls = vec![ToolCall {
        id: "c1".into(),
        name: "look_up".into(),
        arguments: r#"{"q":"x"}"#.into(),
        seal: None,
    }];
    let mut result = Message::text(Role::Tool, "42");
    result.tool_call_id = Some("c1".into());
    request.messages.extend([call, result]);
    assert_eq!(
        body(&request)["messages"],
        json!([
            {"role": "user", "content": "Hello", "images": ["iVBORw0KGgo="]},
            {"role": "assistant", "content": "", "thinking": "hm",
             "tool_calls": [{"id": "c1", "function": {"name": "look_up", "arguments": {"q": "x"}}}]},
            {"role": "tool", "content": "42", "tool_name": "look_up", "tool_call_id": "c1"},
        ])
    );
}

#[test]
fn what_ollama_has_no_word_for_is_refused_by_name() {
    let param = |request: ChatRequest| match encode_chat(&request) {
        Err(ProviderError::Rejected {
            param: Some(param), ..
        })
        | Err(ProviderError::Unsupported { param, .. }) => param,
        other => panic!("{other:?}"),
    };
    for url in [
        "https://h/x.png",
        "data:image/png,plain",
        "data:image/png;base64,%%%",
        "file:///etc/passwd",
    ] {
        let mut request = asking();
        request.messages[0].parts.push(Part::Image { url: url.into() });
        assert_eq!(param(request), "messages[0].content[1]", "{url}");
    }
    let format = ResponseFormat::Grammar("root ::= \"x\"".into());
    assert_eq!(param(ChatRequest { format, ..asking() }), "grammar");
    let sampling = Sampling {
        logit_bias: vec![(1, 2.0)],
        ..Sampling::default()
    };
    assert_eq!(param(ChatRequest { sampling, ..asking() }), "logit_bias");
}

#[test]
fn only_the_tools_that_may_be_called_are_offered() {
    let other = Tool {
        name: "other".into(),
        ..look_up()
    };
    let offered = |tool_choice| {
        let tools = vec![look_up(), other.clone()];
        let body = body(&ChatRequest {
            tools,
            tool_choice,
            ..asking()
        });
        body["tools"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(offered(ToolChoice::None), 0);
    assert_eq!(offered(ToolChoice::Auto), 2);
    assert_eq!(offered(ToolChoice::Named("other".into())), 1);
}

#[test]
fn a_continuation_is_raw_and_a_gap_is_the_templates() {
    let plain = CompletionRequest {
        model: "m".into(),
        prompt: "<|im_start|>".into(),
        ..CompletionRequest::default()
    };
    let gap = CompletionRequest {
        suffix: Some("}".into()),
        ..plain.clone()
    };
    let body = |request| serde_json::from_slice::<Value>(&encode_completion(&request).unwrap()).unwrap();
    let plain = body(plain);
    assert_eq!(
        (&plain["prompt"], &plain["raw"]),
        (&json!("<|im_start|>"), &json!(true))
    );
    let gap = body(gap);
    assert_eq!((&gap["suffix"], &gap["raw"]), (&json!("}"), &Value::Null));
}

#[test]
fn embeddings_are_one_vector_for_each_text_or_nothing() {
    let request = EmbedRequest {
        model: "m".into(),
        inputs: vec!["a".into(), "b".into()],
        ..EmbedRequest::default()
    };
    let body: Value = serde_json::from_slice(&encode_embed(&request, Some(512))).unwrap();
    let expected = json!({"model": "m", "input": ["a", "b"], "truncate": false, "options": {"num_ctx": 512}});
    assert_eq!(body, expected);
    let answer = br#"{"embeddings":[[0.6,0.8],[1,0]],"prompt_eval_count":4}"#;
    let got = decode_embed(answer, 2).unwrap();
    assert_eq!((got.vectors.len(), got.prompt_tokens), (2, 4));
    for (body, wanted) in [
        (answer.as_slice(), 3),
        (b"{}", 1),
        (br#"{"embeddings":[[]]}"#, 1),
        (br#"{"embeddings":[["x"]]}"#, 1),
        (b"<html>", 1),
    ] {
        assert!(matches!(
            decode_embed(body, wanted),
            Err(ProviderError::Interrupted { .. })
        ));
    }
}

/// Answers in the words of several versions, and what each says.
fn answers() -> Vec<(&'static str, &'static str, Said)> {
    let usage = |prompt_tokens, completion_tokens, cached_tokens| {
        Some(Usage {
            prompt_tokens,
            completion_tokens,
            cached_tokens,
            reasoning_tokens: 0,
        })
    };
    vec![
        (
            "0.17",
            include_str!("../../../../fixtures/ollama/upstream/chat_0.17.ndjson"),
            Said {
                text: "Héllo!".into(),
                finish: Some(FinishReason::Stop),
                usage: usage(31, 3, 0),
                logprobs: 3,
                ..Said::default()
            },
        ),
        (
            "leaks",
            include_str!("../../../../fixtures/ollama/upstream/chat_leaks.ndjson"),
            Said {
                reasoning: "It is asked é.".into(),
                calls: vec![(0, "call_0".into(), "look_up".into(), r#"{"q":"é"}"#.into())],
                finish: Some(FinishReason::ToolCalls),
                usage: usage(50, 20, 0),
                ..Said::default()
            },
        ),
        (
            "calls",
            include_str!("../../../../fixtures/ollama/upstream/chat_calls.ndjson"),
            Said {
                reasoning: "Two.".into(),
                calls: vec![
                    (0, "call_0".into(), "look_up".into(), r#"{"q":"a"}"#.into()),
                    (1, "call_x".into(), "look_up".into(), r#"{"q":"b"}"#.into()),
                ],
                finish: Some(FinishReason::ToolCalls),
                usage: usage(60, 30, 0),
                ..Said::default()
            },
        ),
        (
            "0.40",
            include_str!("../../../../fixtures/ollama/upstream/chat_0.40.ndjson"),
            Said {
                text: "Hello! How can I help you today?".into(),
                finish: Some(FinishReason::Length),
                usage: usage(11, 18, 8),
                ..Said::default()
            },
        ),
    ]
}

#[test]
fn answers_of_every_version_say_the_same_wherever_they_are_cut() {
    let request = ChatRequest {
        tools: vec![look_up()],
        ..asking()
    };
    for (name, body, expected) in answers() {
        for cut in 0..=body.len() {
            let (events, end) = read(&request, body.as_bytes(), &[cut]);
            assert_eq!(
                (said(&events), end),
                (expected.clone(), Ok(())),
                "{name} at {cut}"
            );
        }
        let every: Vec<usize> = (1..body.len()).collect();
        let (events, _) = read(&request, body.as_bytes(), &every);
        assert_eq!(said(&events), expected, "{name} byte by byte");
    }
}

#[test]
fn an_answer_in_one_piece_says_what_its_stream_says() {
    let request = ChatRequest {
        tools: vec![look_up()],
        ..asking()
    };
    let whole = r#"{"message":{"role":"assistant","content":"<think>It is asked é.</think>\n\n{\"name\":\"look_up\",\"arguments\":{\"q\":\"é\"}}"},"done":true,"done_reason":"stop","prompt_eval_count":50,"eval_count":20}"#;
    let (events, end) = read(&request, whole.as_bytes(), &[]);
    assert_eq!(end, Ok(()));
    let leaks = answers().remove(1);
    assert_eq!(said(&events), leaks.2);
}

#[test]
fn an_answer_that_is_cut_anywhere_is_interrupted() {
    let request = asking();
    let (_, body, _) = answers().remove(0);
    let end = body.trim_end().len();
    for cut in 0..end {
        let (_, end) = read(&request, &body.as_bytes()[..cut], &[]);
        assert!(
            matches!(end, Err(ProviderError::Interrupted { .. })),
            "cut at {cut}: {end:?}"
        );
    }
    let (_, whole) = read(&request, &body.as_bytes()[..end], &[]);
    assert_eq!(whole, Ok(()), "only the last line's end is missing");
}

#[test]
fn an_error_inside_the_stream_is_an_error() {
    let first = "{\"message\":{\"role\":\"assistant\",\"content\":\"Hi\"},\"done\":false}\n";
    let error = "{\"error\":\"an error was encountered while running the model\"}\n";
    let (events, end) = read(&asking(), format!("{first}{error}").as_bytes(), &[]);
    assert_eq!(said(&events).text, "Hi");
    assert!(matches!(end, Err(ProviderError::Interrupted { .. })), "{end:?}");
    let (events, end) = read(&asking(), error.as_bytes(), &[]);
    assert!(events.is_empty());
    assert!(matches!(end, Err(ProviderError::Broken { .. })), "{end:?}");
    for garbage in ["<html>\n", "[]\u{0}\n", "{\"message\":\n"] {
        let (_, end) = read(&asking(), garbage.as_bytes(), &[]);
        assert!(
            matches!(end, Err(ProviderError::Interrupted { .. })),
            "{garbage} {end:?}"
        );
    }
}

#[test]
fn loading_and_unloading_are_answers_without_words() {
    for reason in ["load", "unload"] {
        let body =
            format!("{{\"message\":{{\"content\":\"\"}},\"done\":true,\"done_reason\":\"{reason}\"}}\n");
        let (events, end) = read(&asking(), body.as_bytes(), &[]);
        assert_eq!(end, Ok(()));
        assert_eq!(said(&events).finish, Some(FinishReason::Stop));
        assert_eq!(said(&events).usage, None);
    }
}
