use super::*;
use crate::chat::Part;
use crate::error::ErrorCode;
use crate::event::{ChatEvent, FinishReason, Parsed, TokenLogprob, TopLogprob, Usage};
use crate::wire::sse::SseSplitter;

fn read(body: &str) -> Result<OpenAiResponses, ApiError> {
    parse_responses(&Bytes::copy_from_slice(body.as_bytes()), &[])
}

/// A request with these fields besides model and input.
fn with(fields: &str) -> String {
    format!(r#"{{"model":"m","input":"hi",{fields}}}"#)
}

/// A request with this input.
fn input(items: &str) -> String {
    format!(r#"{{"model":"m","input":{items}}}"#)
}

#[test]
fn each_field_at_fault_is_named() {
    let call = r#"{"type":"function_call","call_id":"a","name":"f","arguments":"{}"}"#;
    let cases = [
        (r#"{"input":"a"}"#.to_owned(), "model"),
        (r#"{"model":"m"}"#.to_owned(), "input"),
        (input("7"), "input"),
        (input(r#""""#), "input"),
        (input("[]"), "input"),
        (input("[7]"), "input[0]"),
        (input(r#"[{"content":"a"}]"#), "input[0].role"),
        (input(r#"[{"role":"robot","content":"a"}]"#), "input[0].role"),
        (input(r#"[{"role":"user"}]"#), "input[0].content"),
        (input(r#"[{"role":"user","content":[]}]"#), "input[0].content"),
        (input(r#"[{"type":"web_search_call","id":"w"}]"#), "input[0].type"),
        (input(r#"[{"type":"item_reference","id":"w"}]"#), "input[0].type"),
        (
            input(r#"[{"role":"user","content":[{"type":"text","text":"a"}]}]"#),
            "input[0].content[0].type",
        ),
        (
            input(r#"[{"role":"user","content":[{"type":"output_text","text":"a"}]}]"#),
            "input[0].content[0].type",
        ),
        (
            input(r#"[{"role":"user","content":[{"type":"input_file","file_id":"f"}]}]"#),
            "input[0].content[0].file_id",
        ),
        (
            input(r#"[{"role":"user","content":[{"type":"input_file","file_url":"https://h/a.pdf"}]}]"#),
            "input[0].content[0].file_url",
        ),
        (
            input(r#"[{"role":"developer","content":[{"type":"input_file","file_data":"JVBERi0xLjQK"}]}]"#),
            "input[0].content[0].type",
        ),
        (
            input(r#"[{"role":"user","content":[{"type":"input_image","file_id":"f"}]}]"#),
            "input[0].content[0].file_id",
        ),
        (
            input(r#"[{"role":"user","content":[{"type":"input_image","image_url":"http://h/a.png"}]}]"#),
            "input[0].content[0].image_url",
        ),
        (
            input(
                r#"[{"role":"assistant","content":[{"type":"input_image","image_url":"https://h/a.png"}]}]"#,
            ),
            "input[0].content[0].type",
        ),
        (
            input(r#"[{"type":"function_call_output","call_id":"a","output":"x"}]"#),
            "input[0].call_id",
        ),
        (
            input(&format!(
                r#"[{call},{{"type":"function_call_output","call_id":"b","output":"x"}}]"#
            )),
            "input[1].call_id",
        ),
        (
            input(&format!(
                r#"[{call},{{"type":"function_call_output","call_id":"a"}}]"#
            )),
            "input[1].output",
        ),
        (
            input(r#"[{"type":"function_call","call_id":"a","name":"f","arguments":{}}]"#),
            "input[0].arguments",
        ),
        (with(r#""store":"yes""#), "store"),
        (with(r#""background":true"#), "background"),
        (with(r#""previous_response_id":7"#), "previous_response_id"),
        (with(r#""conversation":"conv_1""#), "conversation"),
        (with(r#""prompt":{"id":"p"}"#), "prompt"),
        (with(r#""messages":[]"#), "messages"),
        (with(r#""temperature":"1""#), "temperature"),
        (with(r#""top_p":2"#), "top_p"),
        (with(r#""max_output_tokens":0"#), "max_output_tokens"),
        (with(r#""max_output_tokens":"5""#), "max_output_tokens"),
        (with(r#""stream":"yes""#), "stream"),
        (with(r#""tools":[{"type":"web_search"}]"#), "tools[0].type"),
        (with(r#""tools":[{"type":"custom","name":"f"}]"#), "tools[0].type"),
        (with(r#""tools":[{"type":"function"}]"#), "tools[0].name"),
        (
            with(r#""tools":[{"type":"function","name":"f","parameters":7}]"#),
            "tools[0].parameters",
        ),
        (with(r#""tool_choice":"required""#), "tool_choice"),
        (with(r#""tool_choice":{"type":"mcp"}"#), "tool_choice.type"),
        (
            with(r#""tool_choice":{"type":"function","name":"f"}"#),
            "tool_choice.name",
        ),
        (with(r#""text":{"format":{"type":"xml"}}"#), "text.format.type"),
        (
            with(r#""text":{"format":{"type":"json_schema","name":"a"}}"#),
            "text.format.schema",
        ),
        (with(r#""reasoning":{"effort":"huge"}"#), "reasoning.effort"),
        (with(r#""reasoning":{"depth":1}"#), "reasoning.depth"),
        (with(r#""include":["everything"]"#), "include[0]"),
        (with(r#""metadata":{"a":7}"#), "metadata.a"),
        (with(r#""truncation":"always""#), "truncation"),
        (with(r#""instructions":[]"#), "instructions"),
        (with(r#""input":"twice""#), "input"),
    ];
    for (body, param) in cases {
        let error = read(&body).unwrap_err();
        assert_eq!(error.param.as_deref(), Some(param), "{body}: {error}");
    }
    assert_eq!(read("{").unwrap_err().code, ErrorCode::InvalidJson);
}

#[test]
fn what_an_assistant_did_is_one_message_until_it_is_answered() {
    let items = r#"[{"role":"user","content":"go"},
        {"type":"reasoning","summary":[{"type":"summary_text","text":"Plan."}]},
        {"role":"assistant","content":[{"type":"output_text","text":"Let me look."}]},
        {"type":"function_call","call_id":"a","name":"f","arguments":"{}","extra_content":{"goblin":{"seal":"gemini:x"}}},
        {"type":"function_call","call_id":"b","name":"f","arguments":"{}"},
        {"type":"function_call_output","call_id":"a","output":[]},
        {"type":"function_call_output","call_id":"b","output":"2"},
        {"role":"assistant","content":[{"type":"refusal","refusal":"No."}]},
        {"role":"assistant","content":"Yes."}]"#;
    let messages = read(&input(items)).unwrap().request.messages;
    let roles: Vec<Role> = messages.iter().map(|m| m.role).collect();
    assert_eq!(
        roles,
        [
            Role::User,
            Role::Assistant,
            Role::Tool,
            Role::Tool,
            Role::Assistant,
            Role::Assistant
        ]
    );
    let acted = &messages[1];
    assert_eq!(
        (acted.reasoning.as_deref(), acted.joined_text().as_str()),
        (Some("Plan."), "Let me look.")
    );
    assert_eq!(acted.tool_calls.len(), 2);
    assert_eq!(acted.tool_calls[0].seal.as_deref(), Some("gemini:x"));
    assert_eq!(messages[2].parts, [Part::Text { text: String::new() }]);
    assert_eq!(messages[4].joined_text(), "No.");
}

#[test]
fn a_response_repeats_its_request() {
    let body = with(
        r#""instructions":"Be kind.","metadata":{"a":"b"},"temperature":0.5,"tools":[{"type":"function","name":"f","parameters":null}],
        "text":{"verbosity":"low"},"truncation":"auto","store":null,"user":"u","top_logprobs":0"#,
    );
    let asked = read(&body).unwrap();
    let said = &asked.repeated;
    assert_eq!(
        (&said["metadata"], &said["temperature"], &said["store"]),
        (&json!({"a": "b"}), &json!(0.5), &json!(false))
    );
    assert_eq!(said["instructions"], "Be kind.");
    assert_eq!(
        said["text"],
        json!({"verbosity": "low", "format": {"type": "text"}})
    );
    assert_eq!(
        said["truncation"], "disabled",
        "nothing is cut, whatever leave there is"
    );
    assert_eq!(
        (&said["tool_choice"], &said["parallel_tool_calls"]),
        (&json!("auto"), &json!(true))
    );
    assert_eq!(asked.request.untranslated, ["text.verbosity"]);
    assert_eq!(asked.request.messages[0].role, Role::System);
    assert_eq!(asked.request.sampling.logprobs, None);
}

fn call(index: u32, id: Option<&str>, name: Option<&str>, arguments: &str) -> Parsed {
    Parsed::ToolCall {
        index,
        id: id.map(str::to_owned),
        name: name.map(str::to_owned),
        arguments: arguments.to_owned(),
    }
}

fn text(text: &str) -> Parsed {
    Parsed::Text {
        text: text.to_owned(),
        logprobs: Vec::new(),
    }
}

/// An answer with some of everything.
fn everything() -> Vec<Parsed> {
    vec![
        Parsed::Started,
        Parsed::Reasoning {
            text: "Two ".to_owned(),
        },
        Parsed::Reasoning {
            text: "places.".to_owned(),
        },
        text("Let me "),
        text("look."),
        call(0, Some("call_a"), Some("weather"), "{\"city\":"),
        call(1, Some("call_b"), Some("weather"), "{\"city\":"),
        call(0, None, None, "\"Rome\"}"),
        call(1, None, None, "\"Oslo\"}"),
        Parsed::Sealed {
            index: 1,
            seal: "gemini:x".to_owned(),
        },
        Parsed::Finished {
            reason: FinishReason::ToolCalls,
        },
        Parsed::Usage(Usage {
            prompt_tokens: 7,
            completion_tokens: 5,
            cached_tokens: 2,
            reasoning_tokens: 3,
        }),
    ]
}

fn encoder() -> ResponseEncoder {
    let repeated = read(&with(r#""metadata":{"a":"b"}"#)).unwrap().repeated;
    let mut encoder = ResponseEncoder::new("1", "asked", 1000, repeated);
    encoder.by("up/m");
    encoder
}

/// All events of an answer that ends well.
fn events(answer: Vec<Parsed>) -> Vec<Value> {
    let mut encoder = encoder();
    let mut bytes = Vec::new();
    for event in answer {
        bytes.extend(encoder.encode(&event.into()).into_iter().flatten());
    }
    bytes.extend(encoder.end(1002, None).into_iter().flatten());
    framed(&bytes)
}

fn framed(bytes: &[u8]) -> Vec<Value> {
    let mut splitter = SseSplitter::new(1 << 20);
    splitter.push(bytes);
    let mut all = Vec::new();
    while let Some(event) = splitter.next_event() {
        let event = event.unwrap();
        let data: Value = serde_json::from_slice(&event.data).unwrap();
        assert_eq!(
            event.event.as_deref(),
            data["type"].as_str(),
            "the frame is named"
        );
        all.push(data);
    }
    all
}

#[test]
fn events_are_numbered_and_build_up_to_the_response() {
    let said = events(everything());
    for (n, event) in said.iter().enumerate() {
        assert_eq!(event["sequence_number"], n);
    }
    let names: Vec<&str> = said.iter().map(|e| e["type"].as_str().unwrap()).collect();
    let expected = [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.reasoning_text.delta",
        "response.reasoning_text.delta",
        "response.reasoning_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.completed",
    ];
    assert_eq!(names, expected);
    let response = &said.last().unwrap()["response"];
    // What the events say of each item is what the response holds.
    let done: Vec<&Value> = said
        .iter()
        .filter(|e| e["type"] == "response.output_item.done")
        .map(|e| &e["item"])
        .collect();
    assert_eq!(json!(done), response["output"]);
    let pieces = |item: &Value, event: &str| -> String {
        let of_item = said
            .iter()
            .filter(|e| e["item_id"] == item["id"] && e["type"] == event);
        of_item.filter_map(|e| e["delta"].as_str()).collect()
    };
    let output = response["output"].as_array().unwrap();
    assert_eq!(pieces(&output[0], "response.reasoning_text.delta"), "Two places.");
    assert_eq!(pieces(&output[1], "response.output_text.delta"), "Let me look.");
    assert_eq!(
        pieces(&output[3], "response.function_call_arguments.delta"),
        output[3]["arguments"].as_str().unwrap()
    );
    for event in &said {
        if let Some(id) = event["item_id"].as_str() {
            let index = usize::try_from(event["output_index"].as_u64().unwrap()).unwrap();
            assert_eq!(output[index]["id"], id);
        }
    }
}

#[test]
fn the_response_holds_the_answer_in_its_order_with_what_it_used() {
    let mut encoder = encoder();
    for event in everything() {
        encoder.encode(&event.into());
    }
    encoder.end(1002, None);
    let response = encoder.response(Some(json!({"trace_id": "t"})));
    assert_eq!(
        (&response["id"], &response["object"], &response["model"]),
        (&json!("resp_1"), &json!("response"), &json!("up/m"))
    );
    assert_eq!(
        (
            &response["status"],
            &response["created_at"],
            &response["completed_at"]
        ),
        (&json!("completed"), &json!(1000), &json!(1002))
    );
    let kinds: Vec<&str> = response["output"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["reasoning", "message", "function_call", "function_call"]);
    assert_eq!(response["output"][2]["arguments"], "{\"city\":\"Rome\"}");
    assert_eq!(response["output"][3]["call_id"], "call_b");
    assert_eq!(
        response["output"][3]["extra_content"]["goblin"]["seal"],
        "gemini:x"
    );
    assert_eq!(response["usage"]["total_tokens"], 12);
    assert_eq!(response["usage"]["input_tokens_details"]["cached_tokens"], 2);
    assert_eq!(response["usage"]["output_tokens_details"]["reasoning_tokens"], 3);
    assert_eq!(
        (&response["metadata"], &response["store"]),
        (&json!({"a": "b"}), &json!(false))
    );
    assert_eq!(response["goblin"]["trace_id"], "t");
    // What was answered can be sent back as it is.
    let again = json!({"model": "m", "input": response["output"]}).to_string();
    let message = &read(&again).unwrap().request.messages[0];
    assert_eq!(message.reasoning.as_deref(), Some("Two places."));
    assert_eq!(message.joined_text(), "Let me look.");
    assert_eq!(message.tool_calls[1].seal.as_deref(), Some("gemini:x"));
}

#[test]
fn an_answer_that_was_cut_is_incomplete() {
    for ending in [
        vec![text("Half")],
        vec![
            text("Half"),
            Parsed::Finished {
                reason: FinishReason::Length,
            },
        ],
    ] {
        let said = events(ending);
        let last = said.last().unwrap();
        assert_eq!(last["type"], "response.incomplete");
        let response = &last["response"];
        assert_eq!(response["incomplete_details"]["reason"], "max_output_tokens");
        assert_eq!(response["output"][0]["status"], "incomplete");
        assert!(response["completed_at"].is_null() && response["usage"].is_null());
    }
}

#[test]
fn a_refusal_is_a_part_of_its_own_and_the_response_ends_by_content_filter() {
    for shown in [None, Some("Some of it.")] {
        let mut encoder = encoder();
        let mut bytes = Vec::new();
        if let Some(shown) = shown {
            bytes.extend(encoder.encode(&text(shown).into()).into_iter().flatten());
        }
        bytes.extend(encoder.refuse("It was found unsafe.").into_iter().flatten());
        let end = Parsed::Finished {
            reason: FinishReason::ContentFilter,
        };
        bytes.extend(encoder.encode(&end.into()).into_iter().flatten());
        bytes.extend(encoder.end(1002, Some(json!({}))).into_iter().flatten());
        let said = framed(&bytes);
        let last = said.last().unwrap();
        assert_eq!(last["type"], "response.incomplete");
        let response = &last["response"];
        assert_eq!(response["incomplete_details"]["reason"], "content_filter");
        assert_eq!(response["goblin"], json!({}));
        let content = response["output"][0]["content"].as_array().unwrap();
        assert_eq!(
            content.last().unwrap(),
            &json!({"type": "refusal", "refusal": "It was found unsafe."})
        );
        assert_eq!(content.len(), 1 + usize::from(shown.is_some()));
        let delta = said
            .iter()
            .find(|e| e["type"] == "response.refusal.delta")
            .unwrap();
        assert_eq!(delta["content_index"], usize::from(shown.is_some()));
        let done = said.iter().filter(|e| e["type"] == "response.output_item.done");
        assert_eq!(done.count(), 1);
    }
}

#[test]
fn a_failure_ends_what_was_begun_and_stands_alone_before_that() {
    let error = ApiError::upstream_failed("`up/m` broke off.");
    let alone = framed(&encoder().fail(&error));
    assert_eq!(
        (&alone[0]["type"], &alone[0]["code"], &alone[0]["message"]),
        (
            &json!("error"),
            &json!("upstream_failed"),
            &json!("`up/m` broke off.")
        )
    );
    let mut encoder = encoder();
    encoder.encode(&text("Half").into());
    let failed = framed(&encoder.fail(&error));
    assert_eq!((failed.len(), &failed[0]["type"]), (1, &json!("response.failed")));
    let response = &failed[0]["response"];
    assert_eq!(
        (&response["status"], &response["error"]["code"]),
        (&json!("failed"), &json!("server_error"))
    );
    assert_eq!(response["output"][0]["content"][0]["text"], "Half");
    assert_eq!(response["output"][0]["status"], "incomplete");
}

#[test]
fn log_probabilities_ride_with_their_text() {
    let token = TokenLogprob {
        chosen: TopLogprob {
            token: "Hi".to_owned(),
            logprob: -0.1,
            bytes: Some(vec![72, 105]),
        },
        top_logprobs: Vec::new(),
    };
    let said = events(vec![
        Parsed::Text {
            text: "Hi".to_owned(),
            logprobs: vec![token],
        },
        Parsed::Finished {
            reason: FinishReason::Stop,
        },
    ]);
    let expected = json!([{"token": "Hi", "logprob": -0.1, "bytes": [72, 105], "top_logprobs": []}]);
    let delta = said.iter().find(|e| e["type"] == "response.output_text.delta");
    assert_eq!(delta.unwrap()["logprobs"], expected);
    let response = &said.last().unwrap()["response"];
    assert_eq!(response["output"][0]["content"][0]["logprobs"], expected);
}

#[test]
fn more_than_an_answer_may_hold_is_left_out_and_said_to_be() {
    let piece = "x".repeat(1024 * 1024);
    let mut encoder = encoder();
    for _ in 0..6 {
        encoder.encode(&text(&piece).into());
    }
    let end = Parsed::Finished {
        reason: FinishReason::Stop,
    };
    let event: ChatEvent = end.into();
    encoder.encode(&event);
    encoder.end(1002, None);
    let response = encoder.response(None);
    assert_eq!(response["status"], "incomplete");
    let text = response["output"][0]["content"][0]["text"].as_str().unwrap();
    assert_eq!(text.len(), 4 * 1024 * 1024);
}

#[test]
fn a_conversation_goes_on_from_what_was_kept_of_it() {
    let first =
        read(r#"{"model":"m","store":true,"instructions":"Be brief.","input":"Who is it?"}"#).unwrap();
    let kept = named_items(first.keeps.unwrap(), "s");
    assert_eq!(
        kept,
        [
            json!({"role": "user", "content": [{"type": "input_text", "text": "Who is it?"}], "type": "message",
            "status": "completed", "id": "msg_s_in_0"})
        ]
    );
    let call = json!({"type": "function_call", "id": "fc_s_0", "call_id": "a", "name": "look_up", "arguments": "{}"});
    let result = r#"{"model":"m","store":false,"previous_response_id":"resp_s",
        "input":[{"type":"function_call_output","call_id":"a","output":"Ada"}]}"#;
    let body = Bytes::from_static(result.as_bytes());
    assert_eq!(previous_response(&body).unwrap().as_deref(), Some("resp_s"));
    let earlier = [kept, vec![call]].concat();
    let next = parse_responses(&body, &earlier).unwrap();
    let roles: Vec<Role> = next.request.messages.iter().map(|m| m.role).collect();
    assert_eq!(
        roles,
        [Role::User, Role::Assistant, Role::Tool],
        "instructions are not taken along"
    );
    assert_eq!((next.keeps, next.previous.as_deref()), (None, Some("resp_s")));
    assert_eq!(next.repeated["previous_response_id"], "resp_s");
    // Without what was kept, the call is nowhere.
    assert_eq!(
        read(result).unwrap_err().param.as_deref(),
        Some("input[0].call_id")
    );
    assert_eq!(
        previous_response(&Bytes::from_static(b"{\"previous_response_id\":null}")).unwrap(),
        None
    );
}

#[test]
fn what_is_kept_of_an_input_has_types_parts_and_names() {
    let asked = input(
        r#"[{"role":"assistant","content":"Hi."},{"id":"own","type":"message","role":"user","content":[{"type":"input_text",
            "text":"a"}]},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},
            {"type":"function_call_output","call_id":"c","output":"x"}]"#,
    )
    .replacen('{', "{\"store\":true,", 1);
    let items = named_items(read(&asked).unwrap().keeps.unwrap(), "s");
    let names: Vec<&str> = items.iter().filter_map(|item| item["id"].as_str()).collect();
    assert_eq!(names, ["msg_s_in_0", "own", "fc_s_in_2", "fco_s_in_3"]);
    assert_eq!(items[0]["content"][0]["type"], "output_text");
    assert!(items.iter().all(|item| item["status"] == "completed"));
}
