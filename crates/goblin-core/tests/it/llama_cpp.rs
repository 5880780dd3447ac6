//! What a real llama-server said (`fixtures/llama_cpp`), read.

use bytes::Bytes;
use goblin_core::completion::CompletionRequest;
use goblin_core::decide::{AnswerOption, DecideMethod, DecideRequest, Question};
use goblin_core::event::{ChatEvent, FinishReason, Parsed, Spent};
use goblin_core::model::{Capability, ModelState};
use goblin_core::provider::ProviderError;
use goblin_core::wire::llama_cpp::{
    CompletionDecoder, decode_input_tokens, decode_prompt, decode_readout, decode_tokens, encode_completion,
    encode_readout, model_info, parse_metrics, parse_props, parse_served, parse_slots, upstream_error,
};
use goblin_core::wire::openai::{StreamDecoder, decode_completion};
use goblin_core::wire::sse::SseSplitter;
use goblin_core::wire::systemone::{SystemOneRequest, decode_response};

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/fixtures/llama_cpp/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Splits `pieces` into payloads and reads each.
fn read<T>(pieces: &[&[u8]], mut decode: impl FnMut(&Bytes) -> Vec<T>) -> Vec<T> {
    let mut splitter = SseSplitter::new(1 << 20);
    let mut out = Vec::new();
    for piece in pieces {
        splitter.push(piece);
        while let Some(event) = splitter.next_event() {
            out.extend(decode(&event.expect("an event").data));
        }
    }
    out
}

fn chat(pieces: &[&[u8]]) -> (Vec<ChatEvent>, Spent) {
    let mut decoder = StreamDecoder::new(true);
    let events = read(pieces, |data| decoder.decode(data).expect("events"));
    decoder.finish().expect("a whole answer");
    (events, decoder.spent().expect("timings"))
}

fn continued(pieces: &[&[u8]]) -> (Vec<ChatEvent>, Spent) {
    let mut request = CompletionRequest::default();
    request.sampling.logprobs = Some(1);
    let mut decoder = CompletionDecoder::new(&request);
    let events = read(pieces, |data| decoder.decode(data).expect("events"));
    decoder.finish().expect("a whole answer");
    (events, decoder.spent().expect("timings"))
}

#[test]
fn a_stream_cut_anywhere_gives_the_same_events() {
    type Reader = fn(&[&[u8]]) -> (Vec<ChatEvent>, Spent);
    let streams: [(&str, Reader); 3] = [
        ("chat.logprobs.sse", chat),
        ("chat.tools.sse", chat),
        ("completion.sse", continued),
    ];
    for (name, reader) in streams {
        let bytes = fixture(name);
        let whole = reader(&[&bytes]);
        for cut in 0..=bytes.len() {
            assert_eq!(
                reader(&[&bytes[..cut], &bytes[cut..]]),
                whole,
                "{name} cut at {cut}"
            );
        }
        let singles: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(reader(&singles), whole, "{name} byte by byte");
    }
}

#[test]
fn a_stream_that_is_cut_short_is_never_whole() {
    let bytes = fixture("completion.sse");
    let last = bytes
        .windows(6)
        .rposition(|w| w == b"data: ")
        .expect("a last event");
    let mut decoder = CompletionDecoder::new(&CompletionRequest::default());
    read(&[&bytes[..last]], |data| decoder.decode(data).expect("events"));
    assert!(matches!(decoder.finish(), Err(ProviderError::Interrupted { .. })));
    let failed = Bytes::from(format!(r#"{{"error":{}}}"#, r#"{"code":500,"message":"boom"}"#));
    let after = decoder.decode(&failed);
    assert!(
        matches!(after, Err(ProviderError::Interrupted { .. })),
        "{after:?}"
    );
    let before = CompletionDecoder::new(&CompletionRequest::default()).decode(&failed);
    assert!(matches!(before, Err(ProviderError::Broken { .. })), "{before:?}");
}

#[test]
fn a_continued_text_has_its_log_probabilities_and_its_cost() {
    let (events, spent) = continued(&[&fixture("completion.sse")]);
    let (mut text, mut tokens) = (String::new(), Vec::new());
    for event in &events {
        if let Parsed::Text { text: said, logprobs } = &event.parsed {
            text.push_str(said);
            tokens.extend(logprobs.clone());
        }
    }
    assert!(text.starts_with(" four,"), "{text}");
    let joined: String = tokens.iter().map(|t| t.chosen.token.as_str()).collect();
    assert_eq!(joined, text);
    assert!(
        tokens.iter().all(|t| t.top_logprobs.len() == 1),
        "as many as asked for"
    );
    let ends: Vec<&Parsed> = events.iter().rev().take(2).map(|e| &e.parsed).collect();
    assert_eq!(ends[0], &Parsed::Usage(spent.usage));
    assert_eq!(
        ends[1],
        &Parsed::Finished {
            reason: FinishReason::Length
        }
    );
    assert_eq!((spent.usage.prompt_tokens, spent.usage.completion_tokens), (6, 5));
    assert!(!spent.eval.is_zero() && !spent.prompt_eval.is_zero());
}

#[test]
fn a_tool_call_is_the_same_streamed_and_whole() {
    let calls = |events: &[ChatEvent]| {
        let mut name = String::new();
        let mut said = String::new();
        for event in events {
            if let Parsed::ToolCall {
                name: named,
                arguments,
                ..
            } = &event.parsed
            {
                name.push_str(named.as_deref().unwrap_or_default());
                said.push_str(arguments);
            }
        }
        (name, said)
    };
    let (events, spent) = chat(&[&fixture("chat.tools.sse")]);
    let whole = decode_completion(&fixture("chat.tools.json")).expect("an answer");
    assert_eq!(calls(&events), calls(&whole));
    assert_eq!(calls(&whole).0, "look_up");
    assert!(calls(&whole).1.contains("Paris"));
    assert!(
        spent.usage.prompt_tokens > 200,
        "tools are part of the prompt: {spent:?}"
    );
}

#[test]
fn what_it_says_of_itself_is_read_whole() {
    let props = parse_props(&fixture("props.json")).expect("properties");
    assert_eq!(
        (props.context_tokens, props.slots),
        (Some(512), Some(2)),
        "of one slot"
    );
    assert_eq!(props.tools, Some(false));
    assert!(props.shows_slots && props.shows_metrics && !props.router && !props.vision);
    let served = parse_served(&fixture("models.json")).expect("models").remove(0);
    let info = model_info(&served, Some(&props), false);
    assert_eq!((info.name.as_str(), info.state), ("starter", ModelState::Loaded));
    assert_eq!(
        (info.context_window, info.trained_context),
        (Some(512), Some(8192))
    );
    assert_eq!(
        (info.parameters.as_deref(), info.quantization.as_deref()),
        (Some("135M"), Some("Q4_1"))
    );
    assert_eq!(info.slots, Some(2));
    for (capability, can) in [
        (Capability::Chat, true),
        (Capability::Complete, true),
        (Capability::Logprobs, true),
        (Capability::Decide, true),
        (Capability::Tools, false),
        (Capability::Vision, false),
        (Capability::Embed, false),
    ] {
        assert_eq!(info.can(capability), can, "{capability:?}");
    }
    let tools = parse_props(&fixture("props.tools.json")).expect("properties");
    assert!(model_info(&served, Some(&tools), false).can(Capability::Tools));
    let slots = parse_slots(&fixture("slots.json")).expect("slots");
    assert_eq!(
        slots.iter().map(|s| (s.id, s.busy)).collect::<Vec<_>>(),
        [(0, false), (1, false)]
    );
    let measured = parse_metrics(&String::from_utf8(fixture("metrics.txt")).expect("text"));
    assert!(
        measured.decode_tokens_per_second.is_some_and(|n| n > 1.0),
        "{measured:?}"
    );
    assert!(
        measured.prefill_tokens_per_second.is_some_and(|n| n > 1.0),
        "{measured:?}"
    );
}

#[test]
fn a_router_says_how_each_model_is() {
    let props = parse_props(&fixture("router/props.json")).expect("properties");
    assert!(props.router && !props.shows_slots);
    let states = |name: &str| -> Vec<(String, ModelState, Option<u32>)> {
        let models = parse_served(&fixture(name)).expect("models");
        let told = models.into_iter().map(|m| (m.name, m.state, m.context_tokens));
        told.collect()
    };
    let (gemma, starter) = ("gemma-3-270m-q4_k_m", "SmolLM2-135M-Instruct-Q4_1");
    let of = |name: &str, file: &str| {
        let found = states(file).into_iter().find(|(n, ..)| n == name);
        found.map(|(_, state, context)| (state, context)).expect(name)
    };
    assert_eq!(
        of(starter, "router/models.idle.json"),
        (ModelState::Available, None)
    );
    assert_eq!(
        of(starter, "router/models.loading.json"),
        (ModelState::Loading, None)
    );
    assert_eq!(
        of(starter, "router/models.loaded.json"),
        (ModelState::Loaded, Some(512))
    );
    assert_eq!(
        of(gemma, "router/models.loaded.json"),
        (ModelState::Available, None)
    );
    let of_model = parse_props(&fixture("router/props.model.json")).expect("properties");
    assert_eq!((of_model.router, of_model.context_tokens), (false, Some(512)));
}

#[test]
fn a_question_costs_one_token_and_shares_what_it_can() {
    let body = encode_readout("m", "shared and question", Some(1));
    let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!((&body["n_predict"], &body["id_slot"]), (&1.into(), &1.into()));
    assert_eq!(body["cache_prompt"], true);
    let (first, spent) = decode_readout(&fixture("readout.json"), "m").expect("an answer");
    assert_eq!((spent.usage.prompt_tokens, spent.usage.cached_tokens), (21, 0));
    let first = first.expect("a token, though the model ends there");
    assert_eq!(first.chosen.token, "");
    let question = Question {
        id: "q".into(),
        text: String::new(),
        options: vec![AnswerOption {
            name: "no".into(),
            spellings: vec!["no".into(), " No".into()],
        }],
        typed: None,
    };
    let no = question.read(Some(&first)).options[0].probability;
    assert!((0.08..0.1).contains(&no), "{no}");
    let (_, second) = decode_readout(&fixture("readout.second.json"), "m").expect("an answer");
    assert_eq!(
        second.usage.cached_tokens, 10,
        "what both begin with was not computed again"
    );
    for broken in ["", "{}", "[1]", r#"{"stop":false}"#] {
        assert!(decode_readout(broken.as_bytes(), "m").is_err(), "{broken}");
    }
}

#[test]
fn a_decision_models_own_answer_is_read() {
    let option = |name: &str| AnswerOption {
        name: name.into(),
        spellings: vec![name.into()],
    };
    let asked = SystemOneRequest::from_decide(&DecideRequest {
        model: "decider".into(),
        shared: "The sky is blue.\n".into(),
        questions: vec![Question {
            id: "sky".into(),
            text: "Is the sky blue?".into(),
            options: vec![option("yes"), option("no")],
            typed: None,
        }],
        ..DecideRequest::default()
    });
    let answer = decode_response(&asked, &fixture("systemone.json")).expect("an answer");
    assert_eq!(answer.method, DecideMethod::Native);
    let yes = answer.decisions[0].options[0].probability;
    assert!((0.9..1.0).contains(&yes), "{yes}");
}

#[test]
fn tokens_are_counted_with_the_models_own_template() {
    assert_eq!(decode_input_tokens(&fixture("input_tokens.json")), Ok(31));
    let prompt = decode_prompt(&fixture("template.json")).expect("a prompt");
    assert!(prompt.ends_with("<|im_start|>assistant\n"), "{prompt}");
    assert!(decode_tokens(&fixture("tokenize.json")).is_ok_and(|n| n > 4));
    for broken in ["", "{}", "[]", r#"{"tokens":1,"input_tokens":"x","prompt":[]}"#] {
        assert!(decode_input_tokens(broken.as_bytes()).is_err(), "{broken}");
        assert!(decode_prompt(broken.as_bytes()).is_err(), "{broken}");
        assert!(decode_tokens(broken.as_bytes()).is_err(), "{broken}");
    }
}

#[test]
fn every_recorded_refusal_has_its_one_meaning() {
    let said = |name: &str, status| upstream_error(status, &fixture(name), "m", None);
    let exceeded = ProviderError::ContextExceeded {
        prompt_tokens: 3031,
        context_window: 512,
    };
    assert_eq!(said("error.context.json", 400), exceeded);
    assert_eq!(said("error.key.json", 401), ProviderError::Unauthorized);
    // Not full: it has nothing to answer with yet.
    assert!(matches!(
        said("error.loading.json", 503),
        ProviderError::Broken { .. }
    ));
    let absent = ProviderError::ModelNotFound { model: "m".into() };
    assert_eq!(said("router/error.model.json", 400), absent);
    for (name, status) in [
        ("error.image.json", 500),
        ("error.embeddings.json", 501),
        ("error.systemone.json", 501),
        ("router/error.running.json", 400),
        ("router/error.not_loaded.json", 400),
        ("router/error.embeddings.json", 501),
    ] {
        let got = said(name, status);
        assert!(
            matches!(got, ProviderError::Rejected { status: 400, .. }),
            "{name}: {got:?}"
        );
    }
}

#[test]
fn a_text_to_be_continued_is_written_in_its_words() {
    let mut request = CompletionRequest {
        model: "m".into(),
        prompt: "One".into(),
        ..CompletionRequest::default()
    };
    request.sampling.temperature = Some(0.7);
    request.sampling.logprobs = Some(0);
    let body: serde_json::Value = serde_json::from_slice(&encode_completion(&request)).expect("JSON");
    let expected = serde_json::json!({"model": "m", "prompt": "One", "stream": true, "cache_prompt": true,
        "n_predict": -1, "n_probs": 1, "temperature": 0.7});
    assert_eq!(body, expected);
    request.suffix = Some("three".into());
    let body: serde_json::Value = serde_json::from_slice(&encode_completion(&request)).expect("JSON");
    assert_eq!(
        (&body["input_prefix"], &body["input_suffix"]),
        (&"One".into(), &"three".into())
    );
    assert!(body.get("prompt").is_none());
}
