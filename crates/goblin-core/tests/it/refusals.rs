//! Bad input, as a table: what is sent, the code, the field, and a word of the sentence.

use bytes::Bytes;
use goblin_core::error::{ApiError, ErrorCode};
use goblin_core::wire::openai::{parse_chat_request, parse_pass_through};

fn refused(body: &[u8]) -> ApiError {
    let shown = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
    match parse_chat_request(&Bytes::copy_from_slice(body)) {
        Err(error) => error,
        Ok(_) => panic!("taken, but should be refused: {shown}"),
    }
}

fn with(fields: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],{fields}}}"#)
}

fn with_message(message: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}},{message}]}}"#)
}

#[test]
fn what_is_not_json_is_called_so() {
    for body in [
        &b""[..],
        b"{",
        b"hello",
        b"{\"model\":\"m\",}",
        b"{\"model\": \"\xff\"}",
        b"\x00",
        b"{} {}",
    ] {
        let error = refused(body);
        assert_eq!(error.code, ErrorCode::InvalidJson, "{body:?}: {error}");
    }
    assert!(
        refused(b"{\"model\": \"\xff\"}")
            .message
            .contains("byte 11 is not UTF-8")
    );
}

#[test]
fn every_wrong_field_is_named_with_its_limit() {
    let long_name = "m".repeat(300);
    let table: Vec<(String, &str, &str)> = vec![
        ("[]".into(), "body", "must be a JSON object, not an array"),
        ("null".into(), "body", "not null"),
        (r#"{"messages":[]}"#.into(), "model", "missing"),
        (
            r#"{"model":7,"messages":[]}"#.into(),
            "model",
            "must be a string, not a number",
        ),
        (r#"{"model":"","messages":[]}"#.into(), "model", "1 to 256 bytes"),
        (format!(r#"{{"model":"{long_name}"}}"#), "model", "1 to 256 bytes"),
        (r#"{"model":"m"}"#.into(), "messages", "missing"),
        (r#"{"model":"m","messages":[]}"#.into(), "messages", "empty"),
        (
            r#"{"model":"m","messages":"hi"}"#.into(),
            "messages",
            "must be an array, not a string",
        ),
        (
            r#"{"model":"m","messages":[7]}"#.into(),
            "messages[0]",
            "must be an object, not a number",
        ),
        (with(r#""model":"n""#), "model", "twice"),
        (with(r#""mod\u0065l":"n""#), "model", "twice"),
        (with_message(r#"{"content":"x"}"#), "messages[1].role", "role"),
        (
            with_message(r#"{"role":"wizard","content":"x"}"#),
            "messages[1].role",
            "`tool`, not `wizard`",
        ),
        (
            with_message(r#"{"role":"user"}"#),
            "messages[1].content",
            "no content",
        ),
        (
            with_message(r#"{"role":"user","content":[]}"#),
            "messages[1].content",
            "empty",
        ),
        (
            with_message(r#"{"role":"user","content":7}"#),
            "messages[1].content",
            "not a number",
        ),
        (
            with_message(r#"{"role":"user","content":"a\u0000b"}"#),
            "messages[1].content",
            "NUL",
        ),
        (
            with_message(r#"{"role":"user","content":"\ud800"}"#),
            "messages[1].content",
            "escape",
        ),
        (
            with_message(r#"{"role":"user","content":[{"text":"x"}]}"#),
            "messages[1].content[0].type",
            "type",
        ),
        (
            with_message(r#"{"role":"user","content":[{"type":"video"}]}"#),
            "messages[1].content[0].type",
            "`video`",
        ),
        (
            with_message(r#"{"role":"user","content":[{"type":"text"}]}"#),
            "messages[1].content[0].text",
            "no `text`",
        ),
        (
            with_message(r#"{"role":"user","content":[{"type":"input_audio","input_audio":{}}]}"#),
            "messages[1].content[0].type",
            "text, images and PDF files only",
        ),
        (
            with_message(r#"{"role":"user","content":[{"type":"file","file":{"file_id":"file-1"}}]}"#),
            "messages[1].content[0].file.file_id",
            "keeps none",
        ),
        (
            with_message(
                r#"{"role":"user","content":[{"type":"file","file":{"file_data":"data:text/csv;base64,YSxi"}}]}"#,
            ),
            "messages[1].content[0].file.file_data",
            "PDF in base64",
        ),
        (
            with_message(
                r#"{"role":"assistant","content":[{"type":"file","file":{"file_data":"JVBERi0xLjQK"}}]}"#,
            ),
            "messages[1].content[0].type",
            "`user` role",
        ),
        (
            with_message(
                r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"file:///etc/passwd"}}]}"#,
            ),
            "messages[1].content[0].image_url.url",
            "https://",
        ),
        (
            with_message(
                r#"{"role":"system","content":[{"type":"image_url","image_url":{"url":"https://x/y.png"}}]}"#,
            ),
            "messages[1].content[0].type",
            "`user`",
        ),
        (
            with_message(r#"{"role":"tool","content":"x"}"#),
            "messages[1].tool_call_id",
            "tool_call_id",
        ),
        (
            with_message(
                r#"{"role":"user","content":"x","tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}]}"#,
            ),
            "messages[1].tool_calls",
            "assistant",
        ),
        (
            with_message(r#"{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f"}}]}"#),
            "messages[1].tool_calls[0].function.arguments",
            "arguments",
        ),
        (with(r#""temperature":99"#), "temperature", "from 0 to 2, not 99"),
        (
            with(r#""temperature":"hot""#),
            "temperature",
            "must be a number, not a string",
        ),
        (with(r#""temperature":-0.1"#), "temperature", "from 0 to 2"),
        (with(r#""top_p":1.1"#), "top_p", "from 0 to 1"),
        (with(r#""top_k":-1"#), "top_k", "from 0 to 1000"),
        (with(r#""min_p":2"#), "min_p", "from 0 to 1"),
        (
            with(r#""presence_penalty":3"#),
            "presence_penalty",
            "from -2 to 2",
        ),
        (
            with(r#""frequency_penalty":-3"#),
            "frequency_penalty",
            "from -2 to 2",
        ),
        (with(r#""repeat_penalty":0"#), "repeat_penalty", "from 0.01 to 10"),
        (with(r#""seed":1.5"#), "seed", "whole number"),
        (
            with(r#""max_tokens":-1"#),
            "max_tokens",
            "from 1 to 1000000, not -1",
        ),
        (with(r#""max_tokens":0"#), "max_tokens", "from 1 to 1000000"),
        (
            with(r#""max_completion_tokens":99999999999999999999"#),
            "max_completion_tokens",
            "from 1 to 1000000",
        ),
        (
            with(r#""max_tokens":5,"max_completion_tokens":6"#),
            "max_tokens",
            "differ",
        ),
        (with(r#""stop":7"#), "stop", "string or an array of up to 16"),
        (with(r#""stop":["a",""]"#), "stop[1]", "1 to 1024 bytes"),
        (
            with(&format!(r#""stop":[{}"x"]"#, r#""x","#.repeat(16))),
            "stop",
            "more than 16",
        ),
        (with(r#""logit_bias":[1]"#), "logit_bias", "must be an object"),
        (
            with(r#""logit_bias":{"hello":1}"#),
            "logit_bias.hello",
            "token ids",
        ),
        (
            with(r#""logit_bias":{"5":101}"#),
            "logit_bias.5",
            "from -100 to 100",
        ),
        (with(r#""top_logprobs":3"#), "top_logprobs", "needs `logprobs`"),
        (
            with(r#""enable_verification":false,"goblin":{"verify":"hold"}"#),
            "enable_verification",
            "`enable_verification` is false and `goblin.verify` is `hold`",
        ),
        (
            with(r#""enable_verification":true,"goblin":{"verify":"off"}"#),
            "enable_verification",
            "Send only one of them",
        ),
        (
            with(r#""logprobs":true,"top_logprobs":21"#),
            "top_logprobs",
            "from 0 to 20",
        ),
        (with(r#""logprobs":1"#), "logprobs", "boolean"),
        (with(r#""n":2"#), "n", "must be 1"),
        (with(r#""n":0"#), "n", "from 1"),
        (with(r#""stream":"yes""#), "stream", "boolean"),
        (
            with(r#""stream":true,"stream_options":{"include_usage":1}"#),
            "stream_options.include_usage",
            "boolean",
        ),
        (with(r#""functions":[]"#), "functions", "Use `tools`"),
        (
            with(r#""modalities":["text","audio"]"#),
            "modalities[1]",
            "`text`",
        ),
        (with(r#""tools":{}"#), "tools", "array"),
        (
            with(r#""tools":[{"type":"retrieval"}]"#),
            "tools[0].type",
            "`function`",
        ),
        (
            with(r#""tools":[{"type":"function","function":{}}]"#),
            "tools[0].function.name",
            "missing",
        ),
        (
            with(r#""tools":[{"type":"function","function":{"name":"a b"}}]"#),
            "tools[0].function.name",
            "letters",
        ),
        (
            with(r#""tools":[{"type":"function","function":{"name":"a","parameters":"x"}}]"#),
            "tools[0].function.parameters",
            "object",
        ),
        (
            with(
                r#""tools":[{"type":"function","function":{"name":"a"}},{"type":"function","function":{"name":"a"}}]"#,
            ),
            "tools[1].function.name",
            "own",
        ),
        (with(r#""tool_choice":"required""#), "tool_choice", "no `tools`"),
        (
            with(r#""tool_choice":{"type":"function","function":{"name":"zap"}}"#),
            "tool_choice.function.name",
            "not among",
        ),
        (
            with(r#""response_format":{"type":"xml"}"#),
            "response_format.type",
            "`json_schema`, not `xml`",
        ),
        (
            with(r#""response_format":{"type":"json_schema"}"#),
            "response_format.json_schema",
            "missing",
        ),
        (
            with(r#""grammar":"root ::= x","response_format":{"type":"json_object"}"#),
            "grammar",
            "exclude",
        ),
        (
            with(r#""latency_target":"warp""#),
            "latency_target",
            "`high`, not `warp`",
        ),
        (with(r#""intent":"poetry""#), "intent", "`poetry`"),
        (with(r#""context":5"#), "context", "string"),
        (with(r#""cost_priority":"high""#), "cost_priority", "boolean"),
        (
            with(r#""goblin":{"speed":1}"#),
            "goblin.speed",
            "There is no option",
        ),
        (
            with(r#""goblin":{"verify":"maybe"}"#),
            "goblin.verify",
            "`optimistic`, not `maybe`",
        ),
        (
            with(r#""goblin":{"max_cost_usd":-1}"#),
            "goblin.max_cost_usd",
            "from 0",
        ),
        (
            with(r#""goblin":{"deadline_ms":0}"#),
            "goblin.deadline_ms",
            "from 1",
        ),
        (with(r#""goblin":true"#), "goblin", "must be an object"),
    ];
    for (body, param, word) in table {
        let error = refused(body.as_bytes());
        assert_eq!(error.code, ErrorCode::InvalidRequest, "{body}: {error}");
        assert_eq!(error.param.as_deref(), Some(param), "{body}: {error}");
        assert!(error.message.contains(word), "{body}: {}", error.message);
    }
}

#[test]
fn hostile_sizes_are_refused_by_name() {
    let many_messages = format!(
        r#"{{"model":"m","messages":[{}{{"role":"user","content":"x"}}]}}"#,
        r#"{"role":"user","content":"x"},"#.repeat(100_000)
    );
    let deep = format!(
        r#"{{"model":"m","messages":{}{}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let deep_inside = with(&format!(
        r#""metadata":{}{}"#,
        r#"{"a":"#.repeat(150),
        "}".repeat(150)
    ));
    let many_fields = format!(
        "{{{}\"model\":\"m\"}}",
        (0..300).map(|i| format!("\"f{i}\":1,")).collect::<String>()
    );
    let many_tools = with(&format!(
        r#""tools":[{}1]"#,
        r#"{"type":"function","function":{"name":"a"}},"#.repeat(200)
    ));
    let big_schema = with(&format!(
        r#""tools":[{{"type":"function","function":{{"name":"a","description":"{}"}}}}]"#,
        "x".repeat(300_000)
    ));
    for (body, param, limit) in [
        (many_messages, "messages", "10000"),
        (deep, "body", "100"),
        (deep_inside, "body", "100"),
        (many_fields, "body", "256"),
        (many_tools, "tools", "128"),
        (big_schema, "tools", "262144"),
    ] {
        let error = refused(body.as_bytes());
        assert_eq!(
            (error.code, error.param.as_deref()),
            (ErrorCode::InvalidRequest, Some(param)),
            "{error}"
        );
        assert!(error.message.contains(limit), "{}", error.message);
    }
}

#[test]
fn unknown_fields_and_nulls_are_no_reason_to_refuse() {
    let body = with(
        r#""temperature":null,"tools":null,"goblin":{"verify":null},"stop":null,"n":null,"x_unknown":[1,{"y":2}]"#,
    );
    let incoming = parse_chat_request(&Bytes::from(body)).unwrap();
    assert_eq!(incoming.request.sampling, goblin_core::chat::Sampling::default());
    assert!(incoming.goblin_given);
    assert!(
        !parse_chat_request(&Bytes::from(with(r#""goblin":null"#)))
            .unwrap()
            .goblin_given
    );
}

#[test]
fn the_document_to_use_reaches_the_model_after_the_callers_own_instructions() {
    let body = Bytes::from_static(
        br#"{"model":"m","context":"Paris is in Texas.","messages":[{"role":"system","content":"S"},{"role":"user","content":"Q"}]}"#,
    );
    let messages = parse_chat_request(&body).unwrap().request.messages;
    assert_eq!(messages.len(), 2);
    let instructions = messages[0].joined_text();
    assert!(
        instructions.starts_with("S\n\n") && instructions.contains("Paris is in Texas."),
        "{instructions}"
    );
    let alone = Bytes::from_static(
        br#"{"model":"m","context":"Paris is in Texas.","messages":[{"role":"user","content":"Q"}]}"#,
    );
    let messages = parse_chat_request(&alone).unwrap().request.messages;
    assert_eq!(
        (messages.len(), messages[0].role),
        (2, goblin_core::chat::Role::System)
    );
    assert!(messages[0].joined_text().contains("Paris is in Texas."));
}

#[test]
fn passing_through_still_bounds_depth_messages_and_names_the_model() {
    let refused = |body: String| parse_pass_through(&Bytes::from(body)).unwrap_err();
    assert_eq!(refused("{".into()).code, ErrorCode::InvalidJson);
    let deep = with(&format!(r#""x":{}{}"#, "[".repeat(200), "]".repeat(200)));
    assert_eq!(refused(deep).param.as_deref(), Some("body"));
    let many = format!(r#"{{"model":"m","messages":[{}{{}}]}}"#, "{},".repeat(20_000));
    assert_eq!(refused(many).param.as_deref(), Some("messages"));
}
