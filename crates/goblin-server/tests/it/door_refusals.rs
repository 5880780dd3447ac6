//! What the backend refuses and what fails there, in the words of each client; and clients that leave.

use goblin_core::provider::ProviderError;
use goblin_server::app::Surface;
use http::Method;
use serde_json::{Value, json};

use crate::checked::{self, kept};
use crate::client::{Reply, guard};
use crate::doors::{Door, TRACE_ID};
use crate::provider::{MODEL, Played};
use crate::test_app::TestApp;

/// Changes of a good request, and the field each is refused for.
fn wrong(door: Door) -> Vec<(Value, &'static str)> {
    let mut all = vec![
        (json!({"model": null}), "model"),
        (json!({"model": 7}), "model"),
        (json!({"stream": "yes"}), "stream"),
    ];
    all.extend(match door {
        Door::Completions => vec![
            (json!({"prompt": null}), "prompt"),
            (json!({"prompt": ["a", "b"]}), "prompt"),
            (json!({"max_tokens": "5"}), "max_tokens"),
            (json!({"temperature": "1"}), "temperature"),
            (json!({"n": 2}), "n"),
            (json!({"suffix": "end"}), "suffix"),
            (json!({"messages": []}), "messages"),
        ],
        Door::Responses => vec![
            (json!({"input": null}), "input"),
            (json!({"max_output_tokens": "5"}), "max_output_tokens"),
            (json!({"temperature": "1"}), "temperature"),
            (json!({"background": true}), "background"),
            (json!({"store": "yes"}), "store"),
            (json!({"previous_response_id": "resp_1"}), "previous_response_id"),
            (json!({"tools": [{"type": "web_search"}]}), "tools[0].type"),
            (
                json!({"tools": [{"type": "function", "name": "f", "parameters": "none"}]}),
                "tools[0].parameters",
            ),
            (
                json!({"input": [{"type": "function_call_output", "call_id": "a", "output": "x"}]}),
                "input[0].call_id",
            ),
            (json!({"input": [{"role": "tool", "content": "x"}]}), "input[0].role"),
        ],
        Door::Messages => vec![
            (json!({"messages": null}), "messages"),
            (json!({"max_tokens": null}), "max_tokens"),
            (json!({"max_tokens": "5"}), "max_tokens"),
            (json!({"temperature": "1"}), "temperature"),
            (
                json!({"messages": [{"role": "system", "content": "x"}]}),
                "messages[0].role",
            ),
            (
                json!({"tools": [{"name": "f", "input_schema": "none"}]}),
                "tools[0].input_schema",
            ),
            (
                json!({"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a"}]}]}),
                "messages[0].content[0].tool_use_id",
            ),
        ],
        Door::Chat => vec![
            (json!({"messages": "hi"}), "messages"),
            (json!({"options": {"temperature": "1"}}), "options.temperature"),
            (json!({"messages": [{"role": "robot"}]}), "messages[0].role"),
            (
                json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": "none"}}]}),
                "tools[0].function.parameters",
            ),
            (
                json!({"messages": [{"role": "tool", "content": "x"}]}),
                "messages[0]",
            ),
            (
                json!({"messages": [{"role": "tool", "tool_call_id": "a", "content": "x"}]}),
                "messages[0]",
            ),
        ],
        Door::Generate => vec![
            (json!({"prompt": 7}), "prompt"),
            (json!({"template": "T"}), "template"),
            (json!({"options": {"num_predict": "5"}}), "options.num_predict"),
        ],
    });
    all
}

#[tokio::test]
async fn bad_input_is_refused_in_each_doors_shape_by_its_field() {
    let app = TestApp::local().await;
    for door in Door::ALL {
        for body in ["{", "[1]", "\"a\"", "\u{feff}{}"] {
            let mut reply = app.call(Method::POST, door.path()).bytes(body).send().await;
            assert_eq!(reply.status, 400, "{door:?} {body}");
            assert_eq!(reply.header("content-type"), "application/json");
            door.error(&reply.json().await);
        }
        let call = app.call(Method::POST, door.path());
        let mut large = call.bytes(vec![b' '; 11_000_000]).send().await;
        assert_eq!(large.status, 413, "{door:?}");
        door.error(&large.json().await);
        for (changes, field) in wrong(door) {
            let mut body = door.ask(MODEL, "hi", false);
            for (name, value) in changes.as_object().unwrap() {
                body[name] = value.clone();
            }
            let mut reply = app.post(door.path(), &body).await;
            let said = reply.text().await;
            assert_eq!(reply.status, 400, "{door:?} {field}: {said}");
            let (message, param) = door.error(&serde_json::from_str(&said).unwrap());
            assert!(message.contains(field), "{door:?} {field}: {message}");
            assert!(
                param.is_none_or(|param| param == field),
                "{door:?} {field}: {said}"
            );
        }
        let mut unknown = app.post(door.path(), &door.ask("fake/parot", "hi", false)).await;
        assert_eq!(unknown.status, 404, "{door:?}");
        let (message, _) = door.error(&unknown.json().await);
        assert!(message.contains("fake/parrot"), "{door:?}: {message}");
        let wrong_method = app.call(Method::DELETE, door.path()).send().await;
        assert_eq!(wrong_method.status, 405, "{door:?}");
    }
    assert_eq!(app.provider.asked(), 0, "nobody was asked");
}

#[tokio::test]
async fn failures_have_the_status_of_the_table_in_each_doors_shape() {
    let app = TestApp::local().await;
    for door in Door::ALL {
        for (question, status) in [
            ("overload", 429),
            ("unreachable", 503),
            ("long", 400),
            ("panic", 500),
        ] {
            for stream in [false, true] {
                let mut reply = app.post(door.path(), &door.ask(MODEL, question, stream)).await;
                assert_eq!(reply.status.as_u16(), status, "{door:?} {question} {stream}");
                let body = reply.json().await;
                let (message, param) = door.error(&body);
                assert!(
                    !message.contains("10.0.0.7") && !message.contains("secret"),
                    "{message}"
                );
                let field = match door {
                    Door::Completions => Some("prompt"),
                    Door::Responses => Some("input"),
                    Door::Messages => Some("messages"),
                    Door::Chat | Door::Generate => None,
                };
                assert_eq!(param.as_deref(), field.filter(|_| question == "long"), "{door:?}");
                assert_eq!(reply.header("retry-after"), if status == 429 { "7" } else { "" });
            }
        }
    }
}

/// A stream that the test answers by hand.
async fn begun(app: &TestApp, door: Door) -> (Reply, Played) {
    let speak = async {
        let played = app.provider.played().await;
        played.say("One");
        played
    };
    let body = door.ask(MODEL, "play", true);
    tokio::join!(app.post(door.path(), &body), speak)
}

#[tokio::test]
async fn a_client_that_leaves_cancels_the_answer_streamed_or_whole() {
    let app = TestApp::local().await;
    for door in Door::ALL {
        let (reply, played) = begun(&app, door).await;
        let id = reply.header(TRACE_ID).to_owned();
        assert!(!id.is_empty(), "{door:?}");
        drop(reply);
        guard(played.dropped()).await;
        let call = app
            .call(Method::POST, door.path())
            .json(&door.ask(MODEL, "play", false));
        let played = tokio::select! {
            _ = call.send() => panic!("nothing was answered yet"),
            played = app.provider.played() => played,
        };
        guard(played.dropped()).await;
    }
}

#[tokio::test]
async fn a_failure_in_the_stream_is_its_last_word() {
    let app = TestApp::local().await;
    for door in Door::ALL {
        let (mut reply, played) = begun(&app, door).await;
        played.fail(ProviderError::Interrupted {
            reason: "10.0.0.7 closed".into(),
        });
        let text = reply.text().await;
        assert!(!text.contains("10.0.0.7"), "{door:?}");
        let ended_well = ["[DONE]", "message_stop", "response.completed", "\"done\":true"];
        assert!(
            ended_well.iter().all(|end| !text.contains(end)),
            "{door:?}: {text}"
        );
        let last = match door {
            Door::Chat | Door::Generate => text.lines().last().unwrap().to_owned(),
            _ => text.trim_end().rsplit("data: ").next().unwrap().to_owned(),
        };
        let last: Value = serde_json::from_str(&last).unwrap();
        match door {
            Door::Responses => {
                assert_eq!(last["type"], "response.failed");
                assert_eq!(last["response"]["output"][0]["content"][0]["text"], "One");
            }
            other => drop(other.error(&last)),
        }
    }
}

#[tokio::test]
async fn goblin_is_checked_at_every_door_and_a_refusal_has_each_doors_form() {
    let app = TestApp::start(checked::setup(Surface::Backend)).await;
    for door in Door::ALL {
        for stream in [false, true] {
            let body = door.ask("goblin", "hi wobble", stream);
            let mut reply = app.post(door.path(), &body).await;
            let said = door.text(&mut reply, stream).await;
            assert!(said.ends_with("Certainly so."), "{door:?} {stream}: {said}");
            let trace = kept(&app, &reply).await;
            assert_eq!(trace["model"], "goblin");

            let mut reply = app
                .post(door.path(), &door.ask("goblin", "hi poison", stream))
                .await;
            assert_eq!(reply.status, 200, "{door:?} {stream}");
            let pieces = door.pieces(&mut reply, stream).await;
            assert!(!json!(pieces).to_string().contains("venom"), "{door:?}");
            let last = pieces.last().unwrap();
            match door {
                Door::Completions => {
                    let ends: Vec<&Value> = pieces
                        .iter()
                        .map(|p| &p["choices"][0]["finish_reason"])
                        .filter(|reason| !reason.is_null())
                        .collect();
                    assert_eq!(ends, ["content_filter"]);
                    assert_eq!(last["goblin"]["trace_id"], reply.header(TRACE_ID));
                }
                Door::Responses => {
                    let response = if stream { &last["response"] } else { last };
                    assert_eq!(response["incomplete_details"]["reason"], "content_filter");
                    let refusal = response["output"][0]["content"][0]["refusal"].as_str();
                    assert!(refusal.is_some_and(|why| why.contains("unsafe")), "{response}");
                    assert_eq!(response["goblin"]["trace_id"], reply.header(TRACE_ID));
                }
                Door::Messages => {
                    let reason = if stream {
                        &pieces[pieces.len() - 2]["delta"]["stop_reason"]
                    } else {
                        &last["stop_reason"]
                    };
                    assert_eq!(reason, "refusal");
                }
                Door::Chat | Door::Generate => assert_eq!(last["done_reason"], "content_filter"),
            }
            let refused = kept(&app, &reply).await;
            assert_eq!(refused["steps"][0]["outcome"], "rejected", "{door:?}");

            let mut reply = app
                .post(door.path(), &door.ask("goblin", "hi hush", stream))
                .await;
            assert_eq!(reply.status, 503, "{door:?} {stream}");
            door.error(&reply.json().await);
        }
    }
}
