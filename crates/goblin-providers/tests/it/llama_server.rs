//! What is asked of a llama-server, and what is made of its answers, with what a real one said (`fixtures/llama_cpp` of
//! `goblin-core`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use goblin_core::context_rule::CountMethod;
use goblin_core::decide::{AnswerOption, DecideMethod, DecideRequest, Question};
use goblin_core::manage::{Action, Outcome};
use goblin_core::model::{Capability, ModelState};
use goblin_core::provider::{Health, ProviderError, ProviderHandle};
use goblin_providers::openai_compat::{Kind, UpstreamSpec};
use serde_json::Value;

use crate::fake_upstream::{FakeUpstream, Step, answer, good_stream, json, question, soon};

fn fixture(name: &str) -> String {
    let path = format!(
        "{}/../goblin-core/fixtures/llama_cpp/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn good(name: &str) -> Vec<Step> {
    json("200 OK", &fixture(name))
}

fn not_here() -> Vec<Step> {
    json("501 Not Implemented", &fixture("error.embeddings.json"))
}

/// A llama-server with the starter, as it was recorded.
fn one(path: &str) -> Vec<Step> {
    match path {
        "/props" => good("props.json"),
        "/v1/models" => good("models.json"),
        "/slots" => good("slots.json"),
        "/metrics" => json("200 OK", &fixture("metrics.txt")),
        "/v1/chat/completions/input_tokens" => good("input_tokens.json"),
        "/apply-template" => good("template.json"),
        "/tokenize" => good("tokenize.json"),
        "/completion" => good("readout.json"),
        "/v1/embeddings" => not_here(),
        "/v1/systemone" => json("501 Not Implemented", &fixture("error.systemone.json")),
        _ => json("404 Not Found", &fixture("error.door.json")),
    }
}

fn handle(upstream: &FakeUpstream) -> ProviderHandle {
    upstream.handle_with(UpstreamSpec {
        status_ttl: Duration::ZERO,
        ..UpstreamSpec::new("llamacpp", upstream.url.clone(), Kind::LlamaCpp)
    })
}

fn paths(upstream: &FakeUpstream) -> Vec<String> {
    upstream.asked().iter().map(|a| a.path().to_owned()).collect()
}

#[tokio::test]
async fn a_server_is_described_by_what_it_says_and_asked_the_rest_once() {
    let upstream = FakeUpstream::answering(|asked| one(asked.path())).await;
    let handle = handle(&upstream);
    for _ in 0..2 {
        let status = soon((handle.status)()).await;
        assert_eq!(status.health, Health::Ok);
        assert_eq!((status.slots, status.free_slots), (Some(2), Some(2)));
        assert!(status.decode_tokens_per_second.is_some(), "{status:?}");
        let model = &status.models[0];
        assert_eq!(
            (model.name.as_str(), model.context_window),
            ("starter", Some(512))
        );
        assert!(model.can(Capability::Chat) && model.can(Capability::Decide));
        assert!(!model.can(Capability::Tools) && !model.can(Capability::Embed));
    }
    let round = ["/props", "/v1/models"].as_slice();
    let first = [round, &["/v1/embeddings", "/slots", "/metrics"]].concat();
    assert_eq!(paths(&upstream), [first.as_slice(), round, &["/slots"]].concat());
}

#[tokio::test]
async fn another_program_at_the_same_address_is_asked_everything_anew() {
    let embeds = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&embeds);
    let upstream = FakeUpstream::answering(move |asked| match (asked.path(), now.load(Ordering::SeqCst)) {
        ("/props", true) => json("200 OK", &fixture("props.json").replace("b0-unknown", "b2")),
        ("/v1/embeddings", true) => json(
            "400 Bad Request",
            r#"{"error":{"code":400,"message":"\"input\" or \"content\" must be provided","type":"invalid_request_error"}}"#,
        ),
        (path, _) => one(path),
    })
    .await;
    let handle = handle(&upstream);
    let capabilities = async || soon((handle.status)()).await.models[0].capabilities.clone();
    assert!(capabilities().await.contains(&Capability::Chat));
    embeds.store(true, Ordering::SeqCst);
    assert_eq!(capabilities().await, [Capability::Embed]);
}

#[tokio::test]
async fn every_way_of_not_answering_has_its_own_name() {
    let starting = |h: &Health| matches!(h, Health::Starting(_));
    let refused = |h: &Health| matches!(h, Health::Refused(_));
    let broken = |h: &Health| matches!(h, Health::Broken(_));
    type Is<'a> = &'a dyn Fn(&Health) -> bool;
    let table: [(&str, String, Is<'_>); 3] = [
        (
            "503 Service Unavailable",
            fixture("error.loading.json"),
            &starting,
        ),
        ("401 Unauthorized", fixture("error.key.json"), &refused),
        ("200 OK", "<html>".to_owned(), &broken),
    ];
    for (status, body, is) in table {
        let upstream = FakeUpstream::answering(move |_| json(status, &body)).await;
        let health = soon((handle(&upstream).status)()).await.health;
        assert!(is(&health), "{status}: {health:?}");
    }
}

#[tokio::test]
async fn something_in_front_of_it_without_properties_is_taken_by_its_list() {
    let upstream = FakeUpstream::answering(|asked| match asked.path() {
        "/v1/models" => json("200 OK", r#"{"data":[{"id":"qwen"}]}"#),
        _ => json("404 Not Found", "not found"),
    })
    .await;
    let status = soon((handle(&upstream).status)()).await;
    assert_eq!(status.health, Health::Ok);
    assert_eq!(status.models[0].name, "qwen");
}

#[tokio::test]
async fn a_prompt_is_counted_by_the_server_in_the_way_it_can() {
    for old in [false, true] {
        let upstream = FakeUpstream::answering(move |asked| match asked.path() {
            path if old && path.ends_with("/input_tokens") => one("/nothing"),
            path => one(path),
        })
        .await;
        let handle = handle(&upstream);
        let count = handle.count.as_ref().expect("it counts");
        for _ in 0..2 {
            let counted = soon(count(question())).await.expect("a number");
            assert_eq!(
                (counted.context_window, counted.method),
                (512, CountMethod::Tokenizer)
            );
            assert!(counted.prompt_tokens > 4, "{counted:?}");
        }
        let tried = paths(&upstream)
            .iter()
            .filter(|p| p.ends_with("/input_tokens"))
            .count();
        let tokenized = paths(&upstream).iter().filter(|p| *p == "/tokenize").count();
        assert_eq!((tried, tokenized), if old { (1, 2) } else { (2, 0) });
    }
}

fn two_questions() -> DecideRequest {
    let question = |id: &str| Question {
        id: id.into(),
        text: format!("{id}?"),
        options: vec![
            AnswerOption {
                name: "yes".into(),
                spellings: vec![" Yes".into(), "Yes".into()],
            },
            AnswerOption {
                name: "no".into(),
                spellings: vec![" No".into(), "No".into()],
            },
        ],
        typed: None,
    };
    DecideRequest {
        model: "starter".into(),
        shared: "The sky is blue. ".into(),
        questions: vec![question("a"), question("b")],
        ..DecideRequest::default()
    }
}

#[tokio::test]
async fn questions_go_to_one_idle_slot_and_the_server_is_asked_for_typed_ones_once() {
    let upstream = FakeUpstream::answering(|asked| match asked.path() {
        "/slots" => json(
            "200 OK",
            r#"[{"id":0,"is_processing":false},{"id":1,"is_processing":false},{"id":2,"is_processing":true}]"#,
        ),
        path => one(path),
    })
    .await;
    let handle = handle(&upstream);
    let decide = handle.decide.as_ref().expect("it decides");
    for _ in 0..2 {
        let decided = soon(decide(two_questions())).await.expect("decisions");
        assert_eq!(decided.method, DecideMethod::Readout);
        assert_eq!(decided.decisions.len(), 2);
        assert!(
            decided.decisions[0].mass > 0.05 && decided.decisions[0].mass < 0.5,
            "{decided:?}"
        );
    }
    let asked = upstream.asked();
    let bodies: Vec<Value> = asked
        .iter()
        .filter(|a| a.path() == "/completion")
        .map(|a| serde_json::from_str(&a.body).expect("JSON"))
        .collect();
    assert_eq!(bodies.len(), 4);
    assert!(bodies.iter().all(|b| b["id_slot"] == 1), "the highest idle one");
    assert_eq!(bodies[0]["prompt"], "The sky is blue. a?");
    let native = asked.iter().filter(|a| a.path() == "/v1/systemone").count();
    assert_eq!(native, 1, "it said that it cannot");
}

#[tokio::test]
async fn without_an_idle_slot_the_choice_is_the_servers() {
    let upstream = FakeUpstream::answering(|asked| match asked.path() {
        "/slots" => json("200 OK", r#"[{"id":0,"is_processing":true}]"#),
        path => one(path),
    })
    .await;
    let handle = handle(&upstream);
    let decide = handle.decide.as_ref().expect("it decides");
    soon(decide(two_questions())).await.expect("decisions");
    let asked = upstream.asked();
    let readout = asked.iter().find(|a| a.path() == "/completion").expect("asked");
    assert!(readout.body.contains(r#""id_slot":-1"#), "{}", readout.body);
}

#[tokio::test]
async fn a_chat_over_the_context_and_one_for_an_unknown_model_are_told_apart() {
    let both = fixture("error.context.json");
    let absent = fixture("router/error.model.json");
    for (body, expected) in [
        (
            both,
            ProviderError::ContextExceeded {
                prompt_tokens: 3031,
                context_window: 512,
            },
        ),
        (absent, ProviderError::ModelNotFound { model: "m".into() }),
    ] {
        let upstream = FakeUpstream::answering(move |_| json("400 Bad Request", &body)).await;
        let (_, outcome) = answer(&handle(&upstream), question()).await;
        assert_eq!(outcome, Err(expected));
    }
}

#[tokio::test]
async fn a_connection_that_streamed_is_not_used_again_because_the_server_closes_it() {
    let upstream = FakeUpstream::answering(|asked| match asked.path() {
        "/v1/chat/completions" => good_stream(&["Hi"]),
        path => one(path),
    })
    .await;
    let handle = handle(&upstream);
    assert_eq!(answer(&handle, question()).await.1, Ok(()));
    soon((handle.status)()).await;
    let closes: Vec<bool> = upstream
        .asked()
        .iter()
        .map(|a| a.head.contains("\r\nconnection: close\r\n"))
        .collect();
    assert!(
        closes[0] && closes[1..].iter().all(|closes| !closes),
        "{closes:?}"
    );
}

#[tokio::test]
async fn a_routers_model_is_loaded_when_it_says_so_and_no_question_loads_one() {
    let loads = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&loads);
    let upstream = FakeUpstream::answering(move |asked| match asked.path() {
        "/props" => good("router/props.json"),
        "/v1/models" if now.load(Ordering::SeqCst) => good("router/models.loaded.json"),
        "/v1/models" => good("router/models.idle.json"),
        "/models/load" => {
            now.store(true, Ordering::SeqCst);
            good("router/load.json")
        }
        path if path.starts_with("/props?") => good("router/props.model.json"),
        path if path.starts_with("/v1/embeddings?") => not_here(),
        _ => one("/nothing"),
    })
    .await;
    let handle = handle(&upstream);
    let status = soon((handle.status)()).await;
    assert_eq!(status.models.len(), 2);
    assert!(status.models.iter().all(|m| m.state == ModelState::Available));
    assert_eq!(status.slots, None, "each model has its own");
    let manage = handle.manage.as_ref().expect("it can");
    let model = "SmolLM2-135M-Instruct-Q4_1".to_owned();
    let load = |model: &str| Action::Load {
        model: model.to_owned(),
        keep_alive: None,
    };
    let loaded = soon(manage(load(&model))).await;
    assert!(matches!(loaded, Ok(Outcome::Done)));
    let status = soon((handle.status)()).await;
    let found = status.models.iter().find(|m| m.name == model).expect("listed");
    assert_eq!(
        (found.state, found.context_window, found.slots),
        (ModelState::Loaded, Some(512), Some(2))
    );
    let asked_of_models = paths(&upstream).into_iter().filter(|p| p.contains('?'));
    assert!(asked_of_models.clone().count() > 0);
    assert!(asked_of_models.into_iter().all(|p| p.contains("autoload=false")));
    for action in [
        Action::Pull { model: "x".into() },
        Action::Delete { model: model.clone() },
    ] {
        let outcome = soon(manage(action)).await;
        assert!(matches!(outcome, Err(ProviderError::Rejected { .. })));
    }
    let unknown = soon(manage(load("nobody"))).await;
    assert!(matches!(unknown, Err(ProviderError::ModelNotFound { .. })));
}
