//! Checked answers at every door: refused, replaced, taken back, or not to be judged, each in the words of its client.

use std::sync::Arc;

use goblin_core::decide::{DecideCost, DecideMethod, DecideRequest, DecideResponse};
use goblin_core::event::{ChatEvent, FinishReason, Parsed, Usage};
use goblin_core::judge::settings::JudgeSettings;
use goblin_core::model::{Capability, ModelInfo, ModelState};
use goblin_core::provider::{ChatStream, Health, ProviderError, ProviderHandle, ProviderStatus};
use goblin_core::trust::Settings;
use goblin_core::trust::window::Windows;
use goblin_dispatch::cascade::Trust;
use goblin_server::app::Surface;
use serde_json::{Value, json};

use crate::client::{Reply, data, guard};
use crate::test_app::{Setup, TestApp};
use crate::verdicts::decision;

const OPENAI: &str = "/v1/chat/completions";
const LEGACY: [&str; 2] = ["/api/chat/completions", "/chat/completions"];
const TRACE_ID: &str = "x-goblin-trace-id";
/// One window, when a space follows.
const SENTENCE: &str = "One two three four.";

/// What the models say, piece by piece. Questions and answers have no words in common that judges know.
fn pieces(question: &str, first_model: bool) -> Vec<&'static str> {
    match question.trim_start_matches("hi ") {
        "poison" => vec!["Take the venom."],
        "hush" => vec!["All is silence."],
        "hopeless" => vec!["It is never so."],
        "late poison" => vec![SENTENCE, " Five", " six venom eight.", " Nine."],
        "late hush" => vec![SENTENCE, " Five", " six silence eight.", " Nine."],
        "wobble" if first_model => vec!["Perhaps so."],
        "late wobble" if first_model => vec![SENTENCE, " Perhaps", " six."],
        _ => vec!["Certainly", " so."],
    }
}

/// What a judge finds: how likely all is well.
fn verdict(question: &str, text: &str) -> Option<f64> {
    let holds = |word: &str| text.to_lowercase().contains(word);
    match question {
        "prompt" => Some(if holds("forbidden") { 0.05 } else { 0.97 }),
        _ if holds("silence") => None,
        "correct_and_complete" if holds("never") => Some(0.1),
        "correct_and_complete" if holds("perhaps") => Some(0.5),
        "correct_and_complete" => Some(0.95),
        _ => Some(if holds("venom") { 0.05 } else { 0.97 }),
    }
}

fn answered(question: &str, first_model: bool) -> ChatStream {
    let text = |text: &str| Parsed::Text {
        text: text.to_owned(),
        logprobs: Vec::new(),
    };
    let usage = Usage {
        prompt_tokens: 5,
        completion_tokens: 2,
        ..Usage::default()
    };
    let ending = [
        Parsed::Finished {
            reason: FinishReason::Stop,
        },
        Parsed::Usage(usage),
    ];
    let said: Vec<Result<ChatEvent, ProviderError>> = pieces(question, first_model)
        .into_iter()
        .map(text)
        .chain(ending)
        .map(|parsed| Ok(parsed.into()))
        .collect();
    Box::pin(futures_util::stream::iter(said))
}

fn decided(request: &DecideRequest) -> Result<DecideResponse, ProviderError> {
    let decisions = request.questions.iter().map(|question| {
        let value = verdict(&question.id, &request.shared)?;
        Some(decision(question, value, 1.0))
    });
    let silent = ProviderError::Broken {
        reason: "on purpose".to_owned(),
    };
    Ok(DecideResponse {
        decisions: decisions.collect::<Option<_>>().ok_or(silent)?,
        cost: DecideCost::default(),
        method: DecideMethod::Readout,
    })
}

fn provider(id: &str, names: [&str; 2], capability: Capability) -> ProviderHandle {
    let models = names.map(|name| ModelInfo {
        state: ModelState::Loaded,
        context_window: Some(4096),
        capabilities: vec![capability],
        ..ModelInfo::named(name)
    });
    let status = ProviderStatus {
        health: Health::Ok,
        models: models.to_vec(),
        slots: Some(8),
        free_slots: Some(8),
        decode_tokens_per_second: None,
        prefill_tokens_per_second: None,
    };
    let first = names[0].to_owned();
    ProviderHandle::new(
        id,
        true,
        Arc::new(move |request| {
            let question = request.messages.last().unwrap().joined_text();
            let stream = answered(&question, request.model == first);
            Box::pin(async move { Ok(stream) })
        }),
        Arc::new(move || {
            let status = status.clone();
            Box::pin(async move { status })
        }),
    )
}

/// Two models that answer and two that judge, all on this machine.
pub(crate) fn setup(surface: Surface) -> Setup {
    let judges = ProviderHandle {
        decide: Some(Arc::new(|request: DecideRequest| {
            Box::pin(async move { decided(&request) })
        })),
        ..provider("judges", ["watch", "sage"], Capability::Decide)
    };
    Setup {
        checks: surface == Surface::Tier,
        surface,
        upstreams: vec![
            provider("up", ["phi3:3.8b", "mistral:7b"], Capability::Chat),
            judges,
        ],
        trust: Trust {
            settings: Settings {
                windows: Windows {
                    sentence_after: 3,
                    at_most: 40,
                },
                ..Settings::default()
            },
            judges: JudgeSettings {
                safety: vec!["judges/watch".to_owned()],
                confidence: vec!["judges/sage".to_owned()],
                ..JudgeSettings::default()
            },
            ..Trust::default()
        },
        ..Setup::default()
    }
}

async fn backend() -> TestApp {
    TestApp::start(setup(Surface::Backend)).await
}

fn ask(question: &str, stream: bool, goblin: &Value) -> Value {
    let messages = json!([{"role": "user", "content": format!("hi {question}")}]);
    json!({"model": "goblin", "intent": "chat", "messages": messages, "stream": stream, "goblin": goblin})
}

/// A stream of chunks as a client takes it in.
struct Streamed {
    trace_id: String,
    chunks: Vec<Value>,
    /// Did it end as a stream that did not fail ends?
    done: bool,
}

impl Streamed {
    async fn of(app: &TestApp, path: &str, body: &Value) -> Self {
        let mut reply = app.post(path, body).await;
        assert_eq!(
            (reply.status.as_u16(), reply.header("content-type")),
            (200, "text/event-stream")
        );
        let trace_id = reply.header(TRACE_ID).to_owned();
        let mut events = reply.events().await;
        let done = events.last().is_some_and(|event| &*event.data == b"[DONE]");
        if done {
            events.pop();
        }
        Self {
            trace_id,
            chunks: events.iter().map(data).collect(),
            done,
        }
    }

    /// The text as OpenAI's own clients put it together: every piece, whatever else is told.
    fn text(&self) -> String {
        let pieces = self
            .chunks
            .iter()
            .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str());
        pieces.collect()
    }

    fn refusals(&self) -> Vec<&str> {
        let all = self.chunks.iter();
        all.filter_map(|chunk| chunk["choices"][0]["delta"]["refusal"].as_str())
            .collect()
    }

    fn finish(&self) -> Vec<&str> {
        let all = self.chunks.iter();
        all.filter_map(|chunk| chunk["choices"][0]["finish_reason"].as_str())
            .collect()
    }

    /// What is told in the middle, by name; each in a chunk that says nothing else.
    fn told(&self) -> Vec<(&str, &Value)> {
        let asides = self.chunks.iter().filter(|chunk| chunk["goblin"].is_object());
        asides
            .filter_map(|chunk| {
                assert_eq!(chunk["choices"][0]["delta"], json!({}), "{chunk}");
                Some((chunk["goblin"]["event"].as_str()?, &chunk["goblin"]))
            })
            .collect()
    }

    /// The trace, in the last chunk.
    fn trace(&self) -> &Value {
        let trace = &self.chunks.last().unwrap()["goblin"];
        assert_eq!(trace["trace_id"], self.trace_id.as_str(), "{trace}");
        trace
    }
}

/// The trace `reply` names, once it is kept.
pub(crate) async fn kept(app: &TestApp, reply: &Reply) -> Value {
    let path = format!("/v1/traces/{}", reply.header(TRACE_ID));
    let found = async {
        loop {
            let mut reply = app.get(&path).await;
            if reply.status == 200 {
                return reply.json().await;
            }
        }
    };
    guard(found).await
}

#[tokio::test]
async fn a_refused_answer_in_one_piece_is_a_content_filter_with_its_reason_and_no_text() {
    let app = backend().await;
    let mut reply = app.post(OPENAI, &ask("poison", false, &json!({}))).await;
    assert_eq!(reply.status, 200);
    let trace_id = reply.header(TRACE_ID).to_owned();
    let completion = reply.json().await;
    let choice = &completion["choices"][0];
    assert_eq!(choice["finish_reason"], "content_filter");
    assert_eq!(choice["message"]["content"], "");
    let why = choice["message"]["refusal"].as_str().unwrap();
    assert!(why.starts_with("A judge found it unsafe"), "{why}");
    let trace = &completion["goblin"];
    assert_eq!(trace["trace_id"], trace_id.as_str());
    assert!(
        trace["safety"]["refused_by"]
            .as_str()
            .unwrap()
            .starts_with("safety:")
    );
    assert_eq!(trace["steps"][0]["outcome"], "rejected");
}

#[tokio::test]
async fn a_refused_stream_says_so_once_and_ends_with_the_trace_the_header_names() {
    let app = backend().await;
    for question in ["poison", "forbidden", "hopeless"] {
        let answer = Streamed::of(&app, OPENAI, &ask(question, true, &json!({}))).await;
        assert_eq!((answer.text(), answer.refusals().len()), (String::new(), 1));
        assert_eq!((answer.finish(), answer.done), (vec!["content_filter"], true));
        let trace = answer.trace();
        let last = trace["steps"].as_array().unwrap().last().unwrap();
        assert_eq!(last["outcome"], "rejected", "{question}: {trace}");
        assert!(answer.told().is_empty());
    }
}

#[tokio::test]
async fn an_answer_that_is_refused_after_some_of_it_was_shown_ends_there() {
    let app = backend().await;
    for path in [OPENAI, LEGACY[0]] {
        let answer = Streamed::of(&app, path, &ask("late poison", true, &json!({}))).await;
        assert_eq!(answer.text(), SENTENCE, "{path}");
        assert_eq!(
            (answer.refusals().len(), answer.finish()),
            (1, vec!["content_filter"])
        );
        answer.trace();
    }
}

#[tokio::test]
async fn clients_of_old_get_a_status_for_a_refusal_also_when_they_asked_for_a_stream() {
    let app = backend().await;
    for (path, stream) in LEGACY.into_iter().flat_map(|path| [(path, false), (path, true)]) {
        let mut reply = app.post(path, &ask("poison", stream, &json!({}))).await;
        assert_eq!(reply.status, 422, "{path} {stream}");
        let trace_id = reply.header(TRACE_ID).to_owned();
        let body = reply.json().await;
        assert_eq!(body["error"]["code"], "answer_rejected");
        assert_eq!(body["detail"], body["error"]["message"]);
        assert!(body["rule"].as_str().unwrap().starts_with("safety:"), "{body}");
        assert_eq!(body["verification"]["refused_by"], body["rule"]);
        assert_eq!(body["goblin"]["trace_id"], trace_id.as_str());

        let mut reply = app.post(path, &ask("hopeless", stream, &json!({}))).await;
        assert_eq!(reply.status, 422, "{path} {stream}");
        let body = reply.json().await;
        assert_eq!(body["rule"], "confidence:critical");
        assert!(
            (body["confidence"]["value"].as_f64().unwrap() - 0.1).abs() < 1e-9,
            "{body}"
        );
    }
}

#[tokio::test]
async fn clients_of_old_get_their_fields_beside_an_answer_that_is_given() {
    let app = backend().await;
    let body = app
        .post(LEGACY[0], &ask("wobble", false, &json!({})))
        .await
        .json()
        .await;
    assert_eq!(body["choices"][0]["message"]["content"], "Certainly so.");
    assert_eq!(
        (&body["provider"], &body["intent"]),
        (&json!("up"), &json!("chat"))
    );
    assert_eq!(
        (&body["escalated"], &body["original_model"]),
        (&json!(true), &json!("up/phi3:3.8b"))
    );
    assert!(body["verification_result"]["probability"].is_number());
    assert!((body["confidence_result"]["value"].as_f64().unwrap() - 0.95).abs() < 1e-9);
}

#[tokio::test]
async fn the_doors_of_other_clients_have_refusals_of_their_own() {
    let app = TestApp::start(setup(Surface::Tier)).await;
    let messages = json!([{"role": "user", "content": "hi poison"}]);
    let body =
        |stream: bool| json!({"model": "goblin", "max_tokens": 50, "messages": messages, "stream": stream});

    let message = app.post("/v1/messages", &body(false)).await.json().await;
    assert_eq!(
        (&message["stop_reason"], &message["content"]),
        (&json!("refusal"), &json!([]))
    );
    let mut reply = app.post("/v1/messages", &body(true)).await;
    assert_eq!(reply.status, 200);
    assert!(!reply.header(TRACE_ID).is_empty());
    let events: Vec<Value> = reply.events().await.iter().map(data).collect();
    assert!(events.iter().all(|event| event["type"] != "content_block_delta"));
    let stop = events.iter().find(|event| event["type"] == "message_delta");
    assert_eq!(stop.unwrap()["delta"]["stop_reason"], "refusal");

    let whole = app.post("/api/chat", &body(false)).await.json().await;
    assert_eq!(
        (&whole["done_reason"], &whole["message"]["content"]),
        (&json!("content_filter"), &json!(""))
    );
    let mut reply = app.post("/api/chat", &body(true)).await;
    assert!(!reply.header(TRACE_ID).is_empty());
    let text = reply.text().await;
    assert!(!text.contains("venom"), "{text}");
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(last["done_reason"], "content_filter");
}

#[tokio::test]
async fn a_judge_that_fails_before_the_first_byte_is_a_503_that_names_its_trace_at_every_door() {
    let app = backend().await;
    let tier = TestApp::start(setup(Surface::Tier)).await;
    let plain = |stream: bool| {
        let messages = json!([{"role": "user", "content": "hi hush"}]);
        json!({"model": "goblin", "max_tokens": 50, "messages": messages, "stream": stream})
    };
    for stream in [false, true] {
        for path in [OPENAI, LEGACY[0], LEGACY[1]] {
            // Who takes events was told that something is being checked; that is no content.
            for goblin in [json!({}), json!({"events": true})] {
                let mut reply = app.post(path, &ask("hush", stream, &goblin)).await;
                assert_eq!(reply.status, 503, "{path} {stream} {goblin}");
                assert_eq!(reply.json().await["error"]["code"], "judge_unavailable");
                let trace = kept(&app, &reply).await;
                assert!(trace.to_string().contains("judges/watch"), "{trace}");
            }
        }
        for (path, at) in [("/v1/messages", "/error/message"), ("/api/chat", "/error")] {
            let mut reply = tier.post(path, &plain(stream)).await;
            assert_eq!(reply.status, 503, "{path} {stream}");
            assert!(!reply.header(TRACE_ID).is_empty());
            let body = reply.json().await;
            let said = body.pointer(at).and_then(Value::as_str).unwrap();
            assert!(said.contains("could not be checked"), "{said}");
        }
    }
}

#[tokio::test]
async fn a_judge_that_fails_after_the_first_byte_is_an_error_in_the_stream() {
    let app = backend().await;
    for path in [OPENAI, LEGACY[0]] {
        let answer = Streamed::of(&app, path, &ask("late hush", true, &json!({}))).await;
        assert_eq!((answer.text().as_str(), answer.done), (SENTENCE, false), "{path}");
        let error = &answer.chunks.last().unwrap()["error"];
        assert_eq!(error["code"], "judge_unavailable", "{path}");
        assert!(!answer.trace_id.is_empty() && answer.finish().is_empty());
    }
}

#[tokio::test]
async fn a_plain_client_gets_exactly_one_models_answer() {
    let app = backend().await;
    // In one piece nothing was seen yet: the better one.
    let whole = app
        .post(OPENAI, &ask("late wobble", false, &json!({})))
        .await
        .json()
        .await;
    assert_eq!(whole["choices"][0]["message"]["content"], "Certainly so.");
    let held = Streamed::of(&app, OPENAI, &ask("wobble", true, &json!({}))).await;
    assert_eq!(
        (held.text().as_str(), held.finish()),
        ("Certainly so.", vec!["stop"])
    );
    // Some of it was seen: that one, and how sure it is stands in the last chunk.
    let begun = Streamed::of(&app, OPENAI, &ask("late wobble", true, &json!({}))).await;
    assert_eq!(begun.text(), format!("{SENTENCE} Perhaps six."));
    assert_eq!((begun.finish(), begun.done), (vec!["stop"], true));
    let trace = begun.trace();
    assert_eq!(trace["steps"][0]["outcome"], "low_confidence");
    assert!((trace["confidence"]["value"].as_f64().unwrap() - 0.5).abs() < 1e-9);
    assert!(begun.told().is_empty() && held.told().is_empty());
}

#[tokio::test]
async fn who_takes_events_is_told_in_empty_chunks_what_replaces_and_what_is_taken_back() {
    let app = backend().await;
    let events = json!({"events": true});
    let answer = Streamed::of(&app, OPENAI, &ask("late wobble", true, &events)).await;
    let told = answer.told();
    let (_, superseded) = told.iter().find(|(name, _)| *name == "superseded").unwrap();
    assert_eq!(
        (&superseded["model"], &superseded["by"], &superseded["local"]),
        (&json!("up/phi3:3.8b"), &json!("up/mistral:7b"), &json!(true))
    );
    assert!(told.iter().any(|(name, _)| *name == "checking"));
    // A client starts over where it is told so.
    let at = |chunk: &Value| chunk["goblin"]["event"] == "superseded";
    let place = answer.chunks.iter().position(at).unwrap();
    let after = Streamed {
        trace_id: answer.trace_id.clone(),
        chunks: answer.chunks[place..].to_vec(),
        done: true,
    };
    assert_eq!(after.text(), "Certainly so.");
    assert_eq!(answer.finish(), ["stop"]);
    assert_eq!(answer.trace()["steps"][1]["outcome"], "accepted");

    let optimistic = json!({"events": true, "verify": "optimistic"});
    let answer = Streamed::of(&app, OPENAI, &ask("late poison", true, &optimistic)).await;
    let told = answer.told();
    let (_, retracted) = told.iter().find(|(name, _)| *name == "retracted").unwrap();
    assert!(retracted["rule"].as_str().unwrap().starts_with("safety:"));
    assert_eq!(answer.finish(), ["content_filter"]);
    assert_eq!(answer.refusals().len(), 1);
}
