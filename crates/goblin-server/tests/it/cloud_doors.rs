//! Clouds behind the doors: another one answers where the first fails before its first content, whatever the fault; what
//! is addressed by its own name is forwarded byte for byte; and what nobody can translate is refused by its field.

use std::sync::Arc;
use std::time::Duration;

use goblin_core::maker::Maker;
use goblin_core::provider::ProviderHandle;
use goblin_net::{HttpClient, NetOptions};
use goblin_providers::openai_compat::{Api, UpstreamSpec, build};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::checked::kept;
use crate::client::data;
use crate::doors::Door;
use crate::fake_upstream::{Asked, FakeUpstream, Reply, answer, cut};
use crate::test_app::{Setup, TestApp};

const OPENAI: &str = "/v1/chat/completions";
/// How long a cloud of these tests may be silent.
const PATIENCE: Duration = Duration::from_millis(400);

/// A cloud played by `upstream`.
pub(crate) fn handle(maker: Maker, upstream: &FakeUpstream) -> ProviderHandle {
    patient_handle(maker, upstream, PATIENCE)
}

/// The same, of a cloud that may be silent for so long.
pub(crate) fn patient_handle(maker: Maker, upstream: &FakeUpstream, patience: Duration) -> ProviderHandle {
    patient(spec(maker, upstream), patience)
}

/// A cloud played by `upstream`, whose state is believed for long.
pub(crate) fn spec(maker: Maker, upstream: &FakeUpstream) -> UpstreamSpec {
    UpstreamSpec {
        status_ttl: Duration::from_secs(3600),
        ..UpstreamSpec::cloud(maker, upstream.url.join("cloud/v1"), Some("k".to_owned().into()))
    }
}

/// A server that may be silent for so long.
pub(crate) fn patient(spec: UpstreamSpec, patience: Duration) -> ProviderHandle {
    let options = NetOptions {
        first_byte_timeout: patience,
        idle_timeout: patience,
        ..NetOptions::default()
    };
    build(spec, HttpClient::build(options).unwrap()).unwrap()
}

pub(crate) fn sse(events: &[&str]) -> String {
    events.iter().map(|e| format!("data: {e}\n\n")).collect()
}

/// What each cloud streams when all is well: "Hello", of four tokens and two.
pub(crate) fn good(maker: Maker) -> Reply {
    let body = match maker {
        Maker::Anthropic => sse(&[
            r#"{"type":"message_start","message":{"usage":{"input_tokens":4,"output_tokens":1}}}"#,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}"#,
            r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}"#,
            r#"{"type":"message_stop"}"#,
        ]),
        Maker::Gemini => sse(&[
            r#"{"candidates":[{"content":{"parts":[{"text":"Hello"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":2}}"#,
        ]),
        _ => sse(&[
            r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":"Hello"},"finish_reason":null}]}"#,
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
            r#"{"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":2}}"#,
            "[DONE]",
        ]),
    };
    Reply::Bytes(cut("text/event-stream", body))
}

/// The one model it lists. OpenAI's is the cheapest, so that it is asked first where goblin chooses.
pub(crate) fn model_of(maker: Maker) -> &'static str {
    match maker {
        Maker::OpenAi => "gpt-5-nano",
        Maker::Anthropic => "claude-sonnet-4-5",
        Maker::DeepSeek => "deepseek-chat",
        Maker::Gemini => "gemini-2.5-flash",
        Maker::Grok => "grok-4.7",
    }
}

pub(crate) fn list(maker: Maker) -> Reply {
    let model = model_of(maker);
    let body = match maker {
        Maker::Gemini => {
            json!({"models": [{"name": format!("models/{model}"), "supportedGenerationMethods": ["generateContent"]}]})
        }
        _ => json!({"data": [{"id": model}]}),
    };
    Reply::Bytes(answer("200 OK", "application/json", &body.to_string()))
}

pub(crate) async fn healthy(maker: Maker) -> FakeUpstream {
    FakeUpstream::start(move |asked| match asked.head.starts_with("get ") {
        true => list(maker),
        false => good(maker),
    })
    .await
}

/// OpenAI with one model, doing this instead of answering.
pub(crate) async fn faulty(fault: impl Fn() -> Reply + Send + Sync + 'static) -> FakeUpstream {
    FakeUpstream::start(move |asked: &Asked| match asked.head.starts_with("get ") {
        true => list(Maker::OpenAi),
        false => fault(),
    })
    .await
}

/// Questions to its models.
pub(crate) fn posted(upstream: &FakeUpstream) -> Vec<Asked> {
    let mut asked = upstream.questions();
    asked.retain(|a| a.head.starts_with("post "));
    asked
}

async fn backend(upstreams: Vec<ProviderHandle>) -> TestApp {
    TestApp::start(Setup {
        upstreams,
        ..Setup::default()
    })
    .await
}

pub(crate) fn question(model: &str, stream: bool) -> Value {
    json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": "hi"}]})
}

/// The text of an answer, streamed or not.
pub(crate) async fn text_of(app: &TestApp, body: &Value) -> String {
    let mut reply = app.post(OPENAI, body).await;
    let status = reply.status;
    if status != 200 {
        panic!("{status} {body}: {}", reply.text().await);
    }
    if body["stream"] != true {
        let whole = reply.json().await;
        return whole["choices"][0]["message"]["content"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
    }
    let events = reply.events().await;
    let (done, chunks) = events.split_last().expect("a stream");
    assert_eq!(&done.data[..], b"[DONE]");
    let said = chunks.iter().map(data);
    said.map(|c| {
        c["choices"][0]["delta"]["content"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    })
    .collect()
}

/// The fault matrix: what a cloud does instead of answering.
type Fault = (&'static str, Arc<dyn Fn() -> Reply + Send + Sync>);

fn faults() -> Vec<Fault> {
    let whole = |status: &'static str,
                 kind: &'static str,
                 body: &'static str|
     -> Arc<dyn Fn() -> Reply + Send + Sync> {
        Arc::new(move || Reply::Bytes(answer(status, kind, body)))
    };
    let part = |kind: &'static str, body: &'static str| -> Arc<dyn Fn() -> Reply + Send + Sync> {
        Arc::new(move || Reply::Bytes(cut(kind, body)))
    };
    let (json, events, page) = ("application/json", "text/event-stream", "text/html");
    let error = r#"{"error":{"message":"boom","type":"server_error"}}"#;
    vec![
        ("reset", Arc::new(|| Reply::Reset)),
        ("closed", Arc::new(|| Reply::Bytes(Vec::new()))),
        ("500", whole("500 Internal Server Error", json, error)),
        ("502", whole("502 Bad Gateway", page, "<html>")),
        ("503", whole("503 Service Unavailable", json, error)),
        (
            "401",
            whole(
                "401 Unauthorized",
                json,
                r#"{"error":{"message":"Incorrect API key","code":"invalid_api_key"}}"#,
            ),
        ),
        ("403", whole("403 Forbidden", json, error)),
        (
            "404",
            whole(
                "404 Not Found",
                json,
                r#"{"error":{"message":"no such model","code":"model_not_found"}}"#,
            ),
        ),
        ("408", whole("408 Request Timeout", json, error)),
        ("409", whole("409 Conflict", json, error)),
        (
            "429",
            whole(
                "429 Too Many Requests",
                json,
                r#"{"error":{"message":"slow","code":"rate_limit_exceeded"}}"#,
            ),
        ),
        (
            "quota",
            whole(
                "429 Too Many Requests",
                json,
                r#"{"error":{"message":"x","code":"insufficient_quota"}}"#,
            ),
        ),
        (
            "page",
            whole("200 OK", page, "<!DOCTYPE html><html>Sign in</html>"),
        ),
        ("page called JSON", whole("200 OK", json, "<html>")),
        ("error with 200", whole("200 OK", json, error)),
        (
            "error in the stream",
            part(events, "data: {\"error\":{\"message\":\"boom\"}}\n\n"),
        ),
        ("empty 200", whole("200 OK", json, "")),
        ("empty stream", part(events, "")),
        ("only [DONE]", part(events, "data: [DONE]\n\n")),
        ("cut JSON", part(json, "{\"choices\":[{")),
        (
            "cut before content",
            part(
                events,
                "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}}]}\n\n",
            ),
        ),
        ("noise", part(events, "data: {oops\n\n")),
        ("no headers", Arc::new(|| Reply::Silence)),
        ("stall", Arc::new(|| Reply::Stall(cut("text/event-stream", "")))),
    ]
}

/// What only a stream of responses can do instead of answering; to a chat it is noise.
fn faults_of_responses() -> Vec<Fault> {
    let events = |what: &'static str, events: &'static [&'static str]| -> Fault {
        let play = move || Reply::Bytes(cut("text/event-stream", sse(events)));
        (what, Arc::new(play))
    };
    vec![
        events(
            "response.failed",
            &[
                r#"{"type":"response.created","response":{"status":"in_progress"}}"#,
                r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"server_error","message":"boom"}}}"#,
            ],
        ),
        events(
            "event `error`",
            &[r#"{"type":"error","code":"rate_limit_exceeded","message":"slow","param":null}"#],
        ),
        events(
            "begun and cut",
            &[
                r#"{"type":"response.created","response":{"status":"in_progress"}}"#,
                r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"message","content":[]}}"#,
            ],
        ),
    ]
}

#[tokio::test]
async fn openai_by_responses_that_dies_in_the_middle_is_an_error_and_no_silence() {
    let begun = [
        r#"{"type":"response.created","response":{"status":"in_progress"}}"#,
        r#"{"type":"response.output_text.delta","output_index":0,"delta":"Hel","logprobs":[]}"#,
    ];
    let failed = r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"server_error","message":"boom"}}}"#;
    for last in [None, Some(failed)] {
        let played: Vec<&str> = begun.into_iter().chain(last).collect();
        let body = sse(&played);
        let upstream = faulty(move || Reply::Bytes(cut("text/event-stream", body.clone()))).await;
        let openai = UpstreamSpec {
            api: Api::Responses,
            ..spec(Maker::OpenAi, &upstream)
        };
        let app = backend(vec![patient(openai, PATIENCE)]).await;
        let mut reply = app.post(OPENAI, &question("openai/gpt-5-nano", true)).await;
        assert_eq!(reply.status, 200);
        let events = reply.events().await;
        let said: Vec<Value> = events
            .iter()
            .filter(|e| e.data.starts_with(b"{"))
            .map(data)
            .collect();
        assert!(
            said.iter().any(|c| c["choices"][0]["delta"]["content"] == "Hel"),
            "{said:?}"
        );
        assert!(said.iter().any(|c| c["error"]["message"].is_string()), "{said:?}");
        assert!(!said.iter().any(|c| c.to_string().contains("boom")), "{said:?}");
        assert_eq!(posted(&upstream).len(), 1);
    }
}

#[tokio::test]
async fn where_one_cloud_fails_before_its_first_content_another_answers_whatever_the_fault() {
    let both = faults()
        .into_iter()
        .chain(faults_of_responses())
        .flat_map(|(what, fault)| [Api::Chat, Api::Responses].map(|api| (what, Arc::clone(&fault), api)));
    for (what, fault, api) in both {
        let first = faulty(move || fault()).await;
        let second = healthy(Maker::Anthropic).await;
        let openai = UpstreamSpec {
            api,
            ..spec(Maker::OpenAi, &first)
        };
        let app = backend(vec![patient(openai, PATIENCE), handle(Maker::Anthropic, &second)]).await;
        for stream in [false, true] {
            let text = text_of(&app, &question("goblin/best", stream)).await;
            assert_eq!(text, "Hello", "{what}, stream: {stream}, by {api:?}");
        }
        assert_eq!((posted(&first).len(), posted(&second).len()), (2, 2), "{what}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_whole_cloud_is_not_tried_on_each_of_its_models() {
    let body = r#"{"error":{"message":"no credit","code":"insufficient_quota"}}"#;
    let first = FakeUpstream::start(move |asked| {
        Reply::Bytes(match asked.head.starts_with("get ") {
            true => answer("404 Not Found", "application/json", "{}"),
            false => answer("429 Too Many Requests", "application/json", body),
        })
    })
    .await;
    let app = backend(vec![handle(Maker::OpenAi, &first)]).await;
    let mut reply = app.post(OPENAI, &question("goblin/best", false)).await;
    assert_eq!(reply.status, 502);
    let error = reply.json().await["error"].clone();
    assert!(error["message"].as_str().unwrap().contains("used up"), "{error}");
    assert_eq!(posted(&first).len(), 1, "it has many models and one account");
}

#[tokio::test]
async fn every_cloud_answers_at_every_door_streamed_and_not() {
    let mut upstreams = Vec::new();
    let mut handles = Vec::new();
    for maker in Maker::ALL {
        let upstream = healthy(maker).await;
        handles.push(handle(maker, &upstream));
        upstreams.push(upstream);
    }
    let app = backend(handles).await;
    for model in Maker::ALL.map(|maker| format!("{}/{}", maker.id(), model_of(maker))) {
        let model = &*model;
        for stream in [false, true] {
            // An answer in one piece is forwarded as it comes, so only streams are played for those that forward.
            let forwarded = !model.starts_with("anthropic") && !model.starts_with("gemini");
            if stream || !forwarded {
                assert_eq!(
                    text_of(&app, &question(model, stream)).await,
                    "Hello",
                    "{model} {stream}"
                );
            }
            let mut asked = question(model, stream);
            asked["goblin"] = json!({});
            assert_eq!(
                text_of(&app, &asked).await,
                "Hello",
                "{model} {stream}, not forwarded"
            );
        }
        let mut legacy = app.post("/api/chat/completions", &question(model, false)).await;
        let whole = legacy.json().await;
        assert_eq!(
            whole["choices"][0]["message"]["content"], "Hello",
            "{model} {whole}"
        );
        assert_eq!(whole["usage"]["prompt_tokens"], 4);
    }
}

#[tokio::test]
async fn a_field_nobody_can_translate_is_a_400_that_names_it() {
    let upstream = healthy(Maker::Anthropic).await;
    let app = backend(vec![handle(Maker::Anthropic, &upstream)]).await;
    for (field, value) in [
        ("seed", json!(3)),
        ("audio", json!({"voice": "x"})),
        ("logit_bias", json!({"5": 1})),
        ("n", json!(2)),
    ] {
        let mut body = question("anthropic/claude-sonnet-4-5", false);
        body[field] = value;
        let mut reply = app.post(OPENAI, &body).await;
        assert_eq!(reply.status, 400, "{field}");
        let error = reply.json().await["error"].clone();
        assert_eq!(error["param"], field, "{error}");
    }
    assert!(posted(&upstream).is_empty(), "nothing was asked");
}

#[tokio::test]
async fn what_only_its_own_cloud_understands_reaches_it_untouched_and_its_refusal_comes_back() {
    let refusal = r#"{"error":{"message":"Invalid 'n'","type":"invalid_request_error","param":"n","code":"integer_above_max_value"}}"#;
    let upstream = faulty(move || Reply::Bytes(answer("400 Bad Request", "application/json", refusal))).await;
    let app = backend(vec![handle(Maker::OpenAi, &upstream)]).await;
    let body = r#"{"model":"openai/gpt-5-nano","n":900,"temperature":9,"modalities":["audio"],"messages":[{"role":"oracle","content":[{"type":"input_audio","input_audio":{"data":"AA=="}}]}]}"#;
    let call = app
        .call(http::Method::POST, OPENAI)
        .bytes(body)
        .header("content-type", "application/json");
    let mut reply = call.send().await;
    assert_eq!(reply.status, 400);
    let error = reply.json().await["error"].clone();
    assert_eq!(
        (&error["param"], &error["code"]),
        (&json!("n"), &json!("integer_above_max_value"))
    );
    assert_eq!(
        posted(&upstream)[0].body,
        body.replace("openai/gpt-5-nano", "gpt-5-nano")
    );
    // With anything meant for this server in it, it is read here, and refused here.
    let ours = body.replace("\"n\":900", "\"n\":900,\"goblin\":{}");
    let call = app
        .call(http::Method::POST, OPENAI)
        .bytes(ours)
        .header("content-type", "application/json");
    assert_eq!(call.send().await.json().await["error"]["code"], "invalid_request");
}

fn sha(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Any JSON, with the odd spellings that a parser would not write again: spaces, escapes, `1.50`.
fn odd_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("1.50".to_owned()),
        Just("null".to_owned()),
        Just(" true".to_owned()),
        Just("1E2".to_owned()),
        "[a-z ]{0,8}".prop_map(|s| format!("\"{s}\\u00e4\\/\"")),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|v| format!("[ {}]", v.join(" ,"))),
            prop::collection::vec(("[a-z]{1,6}", inner), 0..3).prop_map(|fields| {
                let mut seen = std::collections::BTreeSet::new();
                let fields: Vec<String> = fields
                    .into_iter()
                    .filter(|(name, _)| seen.insert(name.clone()))
                    .map(|(name, value)| format!("\"{name}\" :{value}"))
                    .collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

/// A request with fields nobody here knows, before and after those that are known.
fn odd_request() -> impl Strategy<Value = (String, bool)> {
    let extras = prop::collection::vec(odd_json(), 0..4);
    (extras, odd_json(), any::<bool>()).prop_map(|(extras, part, stream)| {
        let mut fields: Vec<String> = extras
            .iter()
            .enumerate()
            .map(|(i, v)| format!("\"x_{i}\": {v}"))
            .collect();
        fields.insert(fields.len() / 2, "\"model\"\t: \"openai/gpt-4o\"".to_owned());
        fields.push(format!(
            "\"messages\":[ {{\"role\":\"user\",\"content\":\"\\u0068i\",\"y\":{part}}}]"
        ));
        if stream {
            fields.push("\"stream\" :true".to_owned());
        }
        (format!("{{ {} }}\n", fields.join(" , ")), stream)
    })
}

#[test]
fn a_request_and_its_answer_are_the_same_bytes_on_both_sides_but_for_the_model_and_the_usage() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let whole = r#"{"id":"c-1" , "object":"chat.completion","odd":1.50,"choices":[{"index":0,"message":{"role":"assistant","content":"H\u0069","reasoning_content":"x"},"finish_reason":"stop"}],"timings":{"a":[ 1]},"usage":{"prompt_tokens":4,"completion_tokens":2}}"#;
    let chunks = [
        r#"{"id":"c-1" , "odd":1.50,"choices":[{"index":0,"delta":{"role":"assistant","content":"H\u0069"},"finish_reason":null}]}"#,
        r#"{"choices":[{"index":0,"delta":{"reasoning_content":"?"}, "finish_reason":"stop"}],"timings":{}}"#,
    ];
    let usage = r#"{"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":2}}"#;
    let (upstream, app) = runtime.block_on(async {
        let streamed = sse(&[chunks[0], chunks[1], usage, "[DONE]"]);
        let upstream = FakeUpstream::start(move |asked| {
            Reply::Bytes(match asked.head.starts_with("get ") {
                true => answer("200 OK", "application/json", r#"{"data":[{"id":"gpt-4o"}]}"#),
                false if asked.head.contains("accept: text/event-stream") => {
                    cut("text/event-stream", &streamed)
                }
                false => answer("200 OK", "application/json", whole),
            })
        })
        .await;
        let app = backend(vec![handle(Maker::OpenAi, &upstream)]).await;
        (upstream, app)
    });
    let mut runner = TestRunner::new(Config {
        cases: 60,
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(&odd_request(), |(body, stream)| {
        let (came_back, asked) = runtime.block_on(async {
            let call = app.call(http::Method::POST, OPENAI).bytes(body.clone());
            let mut reply = call.header("content-type", "application/json").send().await;
            let status = reply.status;
            let bytes = reply.bytes().await;
            assert_eq!(status, 200, "{body} {bytes:?}");
            (bytes, posted(&upstream).pop().unwrap().body)
        });
        let usage_asked = if stream {
            r#","stream_options":{"include_usage":true}"#
        } else {
            ""
        };
        let expected = body.replace("\"openai/gpt-4o\"", &format!("\"gpt-4o\"{usage_asked}"));
        prop_assert_eq!(
            sha(asked.as_bytes()),
            sha(expected.as_bytes()),
            "{} {}",
            asked,
            expected
        );
        let sent = match stream {
            true => sse(&[chunks[0], chunks[1], "[DONE]"]),
            false => whole.to_owned(),
        };
        prop_assert_eq!(sha(&came_back), sha(sent.as_bytes()), "{:?}", came_back);
        Ok(())
    });
    runtime.block_on(async { drop(app) });
    outcome.unwrap();
}

#[tokio::test]
async fn clients_of_others_get_the_next_cloud_when_the_first_fails_and_what_left_is_in_the_trace() {
    let failing = faulty(|| Reply::Bytes(answer("500 Oops", "application/json", "{}"))).await;
    let working = healthy(Maker::Anthropic).await;
    let app = backend(vec![
        handle(Maker::OpenAi, &failing),
        handle(Maker::Anthropic, &working),
    ])
    .await;
    for door in Door::ALL {
        for stream in [false, true] {
            let mut reply = app.post(door.path(), &door.ask("goblin", "hi", stream)).await;
            assert_eq!(door.text(&mut reply, stream).await, "Hello", "{door:?} {stream}");
            let trace = kept(&app, &reply).await;
            assert_eq!(trace["left_machine"], true);
            let answering = trace["steps"].as_array().unwrap().last().unwrap();
            assert_eq!(
                answering["model"], "anthropic/claude-sonnet-4-5",
                "{door:?}: {trace}"
            );
        }
    }
    assert!(!posted(&failing).is_empty());
}

/// A message of Anthropic's with things these words do not have, and the events that stream it.
const MESSAGE: &str = r#"{"id":"msg_1" , "type":"message","role":"assistant","odd":1.50,"model":"claude-sonnet-4-5","content":[{"type":"thinking","thinking":"H\u006d.","signature":"c2ln"},{"type":"server_tool_use","id":"s"},{"type":"text","text":"Hello","citations":[ ]}],"stop_reason":"end_turn","usage":{"input_tokens":4,"output_tokens":2}}"#;
const EVENTS: [(&str, &str); 11] = [
    (
        "message_start",
        r#"{"type":"message_start" , "message":{"id":"msg_1","odd":1.50,"usage":{"input_tokens":4,"output_tokens":1}}}"#,
    ),
    (
        "content_block_start",
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
    ),
    ("ping", r#"{"type": "ping"}"#),
    (
        "content_block_delta",
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"H\u006d."}}"#,
    ),
    (
        "content_block_delta",
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ln"}}"#,
    ),
    ("content_block_stop", r#"{"type":"content_block_stop","index":0}"#),
    (
        "content_block_start",
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":"Hello","new":true}}"#,
    ),
    ("content_block_stop", r#"{"type":"content_block_stop","index":1}"#),
    ("later_version", r#"{"type":"later_version","x":[ ]}"#),
    (
        "message_delta",
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}"#,
    ),
    ("message_stop", r#"{"type":"message_stop"}"#),
];

#[tokio::test]
async fn anthropics_clients_and_anthropic_get_each_others_bytes_but_for_the_model() {
    let streamed: String = EVENTS
        .iter()
        .map(|(event, data)| format!("event: {event}\ndata: {data}\n\n"))
        .collect();
    let sent = streamed.clone();
    let upstream = FakeUpstream::start(move |asked| {
        Reply::Bytes(match asked.head.starts_with("get ") {
            true => answer(
                "200 OK",
                "application/json",
                r#"{"data":[{"id":"claude-sonnet-4-5"}]}"#,
            ),
            false if asked.head.contains("accept: text/event-stream") => cut("text/event-stream", &sent),
            false => answer("200 OK", "application/json", MESSAGE),
        })
    })
    .await;
    let app = backend(vec![handle(Maker::Anthropic, &upstream)]).await;
    let body = |model: &str, stream: bool| {
        format!(
            r#"{{ "odd" : 1.50,"model":"{model}" , "max_tokens":50,"stream":{stream},"system":[{{"type":"text","text":"s","cache_control":{{"type":"ephemeral"}}}}],"messages":[{{"role":"user","content":"\u0068i"}}]}}"#
        )
    };
    for (stream, expected) in [(true, streamed.as_str()), (false, MESSAGE)] {
        let call = app.call(http::Method::POST, "/v1/messages");
        let mut reply = call
            .bytes(body("anthropic/claude-sonnet-4-5", stream))
            .send()
            .await;
        assert_eq!(reply.status, 200);
        let trace = kept(&app, &reply).await;
        assert_eq!(reply.text().await, expected, "{stream}");
        let asked = posted(&upstream).pop().unwrap().body;
        assert_eq!(asked, body("claude-sonnet-4-5", stream));
        let step = &trace["steps"][0];
        assert_eq!((&step["prompt_tokens"], &step["tokens"]), (&json!(4), &json!(2)));
    }
    // Where goblin chooses, nothing is forwarded: the answer is checked, in the caller's words.
    let call = app.call(http::Method::POST, "/v1/messages");
    let whole = call.bytes(body("goblin", false)).send().await.json().await;
    assert_eq!((&whole["model"], whole.get("odd")), (&json!("goblin"), None));
    assert!(!posted(&upstream).pop().unwrap().body.contains("odd"));
}
