//! Streams that are not answers: each ends in the one error that says what happened.

use bytes::Bytes;
use goblin_core::event::{ChatEvent, FinishReason, Parsed};
use goblin_core::provider::ProviderError;
use goblin_core::wire::openai::{StreamDecoder, decode_completion};

const START: &str =
    r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#;
const HI: &str = r#"{"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}"#;
const STOP: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;

fn run(payloads: &[&str]) -> Result<Vec<ChatEvent>, ProviderError> {
    let mut decoder = StreamDecoder::new(false).for_model("m");
    let mut events = Vec::new();
    for payload in payloads {
        events.extend(decoder.decode(&Bytes::copy_from_slice(payload.as_bytes()))?);
    }
    decoder.finish()?;
    Ok(events)
}

fn interrupted(result: Result<Vec<ChatEvent>, ProviderError>, why: &str) {
    match result {
        Err(ProviderError::Interrupted { reason }) => assert!(reason.contains(why), "{reason}"),
        other => panic!("expected an interruption because of {why:?}, got {other:?}"),
    }
}

#[test]
fn a_stream_without_an_answer_or_without_its_end_is_interrupted() {
    interrupted(run(&[]), "without an answer");
    interrupted(run(&["[DONE]"]), "[DONE] without an answer");
    interrupted(run(&[START, "[DONE]"]), "[DONE] without an answer");
    interrupted(run(&[START]), "cut");
    interrupted(run(&[START, HI]), "cut");
    interrupted(run(&[START, r#"{"choices":[{"delta":{"cont"#]), "not JSON");
    interrupted(run(&["<html>"]), "not JSON");
    interrupted(run(&["{}"]), "without an answer");
    interrupted(
        run(&[&format!("{}{}", "[".repeat(500), "]".repeat(500))]),
        "too deep",
    );
}

#[test]
fn an_end_by_either_sign_is_an_end() {
    let finish = |events: Vec<ChatEvent>| events.last().map(|e| e.parsed.clone());
    let stop = Some(Parsed::Finished {
        reason: FinishReason::Stop,
    });
    assert_eq!(finish(run(&[START, HI, STOP]).unwrap()), stop);
    assert_eq!(finish(run(&[START, HI, "[DONE]"]).unwrap()), stop);
    assert_eq!(
        finish(run(&[START, HI, STOP, "[DONE]", "garbage after the end"]).unwrap()),
        stop
    );
    let odd = HI.replace("null", r#""eos""#);
    assert_eq!(
        finish(run(&[&odd]).unwrap()),
        stop,
        "words of other servers mean that the model was done"
    );
}

#[test]
fn an_error_in_place_of_an_answer_says_what_kind_it_is() {
    let error = |inner: &str| run(&[START, &format!(r#"{{"error":{inner}}}"#)]).unwrap_err();
    assert_eq!(
        error(r#"{"message":"slow down","code":429}"#),
        ProviderError::Overloaded { retry_after: None }
    );
    assert_eq!(
        error(r#"{"message":"x","type":"overloaded_error"}"#),
        ProviderError::Overloaded { retry_after: None }
    );
    assert_eq!(
        error(r#"{"message":"x","code":"401"}"#),
        ProviderError::Unauthorized
    );
    assert_eq!(
        error(r#"{"message":"x","code":"model_not_found","type":"invalid_request_error"}"#),
        ProviderError::ModelNotFound { model: "m".into() }
    );
    assert_eq!(
        error(r#"{"type":"exceed_context_size_error","n_prompt_tokens":9,"n_ctx":8}"#),
        ProviderError::ContextExceeded {
            prompt_tokens: 9,
            context_window: 8
        }
    );
    assert!(matches!(error(r#""it broke""#), ProviderError::Broken { .. }));
    assert!(matches!(
        error(r#"{"message":"boom","type":"server_error"}"#),
        ProviderError::Broken { .. }
    ));
    assert!(run(&[r#"{"error":null,"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]}"#]).is_ok());
}

#[test]
fn an_error_after_content_is_an_interruption_whatever_it_says() {
    interrupted(
        run(&[START, HI, r#"{"error":{"message":"slow down","code":429}}"#]),
        "slow down",
    );
}

#[test]
fn an_answer_in_one_piece_may_be_broken_too() {
    for (body, why) in [
        ("", "empty"),
        (" \n", "empty"),
        (r#"{"choices":[{"message":{"content":"Hel"#, "not JSON"),
        ("<html>hello</html>", "not JSON"),
        (r#"{"choices":[]}"#, "no choices"),
        (
            r#"{"choices":[{"index":0,"message":{"role":"assistant","content":""}}]}"#,
            "says nothing",
        ),
    ] {
        interrupted(decode_completion(body.as_bytes()), why);
    }
    let refused = decode_completion(br#"{"error":{"message":"slow down","code":429}}"#).unwrap_err();
    assert_eq!(refused, ProviderError::Overloaded { retry_after: None });
}

#[test]
fn tool_calls_are_counted_as_they_come() {
    let call = |json: &str| format!(r#"{{"choices":[{{"index":0,"delta":{{"tool_calls":[{json}]}}}}]}}"#);
    let pieces = [
        call(r#"{"function":{"name":"a","arguments":"{"}}"#),
        call(r#"{"function":{"arguments":"}"}}"#),
        call(r#"{"function":{"name":"b","arguments":"{}"}}"#),
    ];
    let pieces: Vec<&str> = pieces.iter().map(String::as_str).chain([STOP]).collect();
    let calls: Vec<(u32, Option<String>, Option<String>, String)> = run(&pieces)
        .unwrap()
        .into_iter()
        .filter_map(|e| match e.parsed {
            Parsed::ToolCall {
                index,
                id,
                name,
                arguments,
            } => Some((index, id, name, arguments)),
            _ => None,
        })
        .collect();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        calls,
        [
            (0, some("call_0"), some("a"), "{".into()),
            (0, None, None, "}".into()),
            (1, some("call_1"), some("b"), "{}".into()),
        ]
    );
}

#[test]
fn other_choices_are_forwarded_and_not_mixed_in() {
    let other = r#"{"choices":[{"index":1,"delta":{"content":"other"}}]}"#;
    let mut decoder = StreamDecoder::new(true);
    let events = decoder.decode(&Bytes::from_static(other.as_bytes())).unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].parsed, Parsed::Opaque);
    assert_eq!(
        events[0].raw.as_ref().map(|(_, raw)| raw.as_ref()),
        Some(other.as_bytes())
    );
}
