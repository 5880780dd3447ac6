//! Servers of which only the dialect is known: what they claim is tried once, when it is needed, and never before.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use goblin_core::decide::{AnswerOption, DecideMethod, DecideRequest, DecideResponse, Question};
use goblin_core::embed::EmbedRequest;
use goblin_core::model::Capability;
use goblin_core::provider::{ProviderError, ProviderHandle};
use goblin_providers::openai_compat::{Kind, UpstreamSpec};

use crate::fake_upstream::{Asked, FakeUpstream, Step, answer, json, question, soon};

const LIST: &str = r#"{"data":[{"id":"m"}]}"#;

/// An answer in one piece that says `content`, with or without log-probabilities.
fn said(content: &str, logprobs: &str) -> Vec<Step> {
    let content = serde_json::Value::from(content);
    json(
        "200 OK",
        &format!(
            r#"{{"choices":[{{"index":0,"message":{{"role":"assistant","content":{content}}},"logprobs":{logprobs},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":9,"completion_tokens":1}}}}"#
        ),
    )
}

const REPORTED: &str = r#"{"content":[{"token":"Yes","logprob":-0.22314355,"top_logprobs":[{"token":"Yes","logprob":-0.22314355},{"token":" no","logprob":-2.3025851}]}]}"#;

fn handle(upstream: &FakeUpstream) -> ProviderHandle {
    upstream.handle_with(UpstreamSpec {
        status_ttl: Duration::ZERO,
        ..UpstreamSpec::new("up", upstream.url.clone(), Kind::Plain)
    })
}

async fn capabilities(handle: &ProviderHandle) -> Vec<Capability> {
    soon((handle.status)()).await.models.remove(0).capabilities
}

async fn decided(handle: &ProviderHandle) -> Result<DecideResponse, ProviderError> {
    let option = |name: &str, spellings: [&str; 2]| AnswerOption {
        name: name.into(),
        spellings: spellings.map(String::from).to_vec(),
    };
    let request = DecideRequest {
        model: "m".into(),
        shared: "The sky is blue. ".into(),
        questions: vec![Question {
            id: "sky".into(),
            text: "Is it blue?".into(),
            options: vec![option("yes", ["yes", "Yes"]), option("no", ["no", " no"])],
            typed: None,
        }],
        ..DecideRequest::default()
    };
    soon(handle.decide.as_ref().expect("it decides")(request)).await
}

fn chats(upstream: &FakeUpstream) -> Vec<Asked> {
    let asked = upstream.asked().into_iter();
    asked.filter(|a| a.path() == "/v1/chat/completions").collect()
}

#[tokio::test]
async fn log_probabilities_that_come_back_are_read_and_tried_for_only_once() {
    let upstream = FakeUpstream::answering(|asked| match asked.path() {
        "/v1/models" => json("200 OK", LIST),
        _ => said("Yes", REPORTED),
    })
    .await;
    let handle = handle(&upstream);
    assert!(
        !capabilities(&handle).await.contains(&Capability::Logprobs),
        "not seen yet"
    );
    assert_eq!(answer(&handle, question()).await.1, Ok(()));
    assert_eq!(chats(&upstream).len(), 1, "a chat needs no trial");
    for _ in 0..2 {
        let decided = decided(&handle).await.expect("a decision");
        assert_eq!(decided.method, DecideMethod::Readout);
        let found: Vec<f64> = decided.decisions[0]
            .options
            .iter()
            .map(|o| o.probability)
            .collect();
        assert!(
            (found[0] - 0.8).abs() < 1e-3 && (found[1] - 0.1).abs() < 1e-3,
            "{found:?}"
        );
        assert!((decided.decisions[0].mass - 0.9).abs() < 1e-3);
    }
    assert_eq!(chats(&upstream).len(), 1 + 1 + 2, "one trial for two decisions");
    assert!(capabilities(&handle).await.contains(&Capability::Logprobs));
}

#[tokio::test]
async fn a_server_that_drops_them_but_keeps_to_a_schema_writes_one_word() {
    let upstream = FakeUpstream::answering(|asked| match asked.path() {
        "/v1/models" => json("200 OK", LIST),
        _ if asked.body.contains("zq7") => said(r#"{"answer":"zq7"}"#, "null"),
        _ if asked.body.contains("response_format") => said(r#"{"answer": "no"}"#, "null"),
        _ => said("Yes", "null"),
    })
    .await;
    let handle = handle(&upstream);
    let decided = decided(&handle).await.expect("a decision");
    assert_eq!(decided.method, DecideMethod::Constrained);
    let found: Vec<f64> = decided.decisions[0]
        .options
        .iter()
        .map(|o| o.probability)
        .collect();
    assert_eq!(found, [0.0, 1.0]);
    let now = capabilities(&handle).await;
    assert!(now.contains(&Capability::Grammar) && now.contains(&Capability::Decide));
    assert!(!now.contains(&Capability::Logprobs));
}

#[tokio::test]
async fn a_server_that_can_neither_says_so_and_is_asked_anew_when_it_comes_back() {
    let (away, able) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (is_away, is_able) = (Arc::clone(&away), Arc::clone(&able));
    let upstream = FakeUpstream::answering(move |asked| match asked.path() {
        "/v1/models" if is_away.load(Ordering::SeqCst) => json("500 Internal Server Error", "{}"),
        "/v1/models" => json("200 OK", LIST),
        _ if is_able.load(Ordering::SeqCst) => said("Yes", REPORTED),
        _ if asked.body.contains("\"logprobs\":true") => json(
            "400 Bad Request",
            r#"{"error":{"message":"`logprobs` is not supported"}}"#,
        ),
        _ => said("Hello!", "null"),
    })
    .await;
    let handle = handle(&upstream);
    assert!(
        capabilities(&handle).await.contains(&Capability::Decide),
        "not tried yet"
    );
    match decided(&handle).await {
        Err(ProviderError::Broken { reason }) => assert!(reason.contains("no log-probabilities"), "{reason}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(capabilities(&handle).await, [Capability::Chat, Capability::Tools]);
    let tried = chats(&upstream).len();
    assert!(decided(&handle).await.is_err());
    assert_eq!(chats(&upstream).len(), tried, "what is known is not tried again");
    away.store(true, Ordering::SeqCst);
    soon((handle.status)()).await;
    away.store(false, Ordering::SeqCst);
    able.store(true, Ordering::SeqCst);
    assert_eq!(
        decided(&handle).await.expect("a decision").method,
        DecideMethod::Readout
    );
}

#[tokio::test]
async fn a_failure_that_says_nothing_about_an_ability_is_not_remembered_as_its_lack() {
    let busy = Arc::new(AtomicBool::new(true));
    let is_busy = Arc::clone(&busy);
    let upstream = FakeUpstream::answering(move |asked| match asked.path() {
        _ if is_busy.swap(false, Ordering::SeqCst) => {
            json("429 Too Many Requests", r#"{"error":{"message":"slow down"}}"#)
        }
        "/v1/systemone" => json("404 Not Found", "{}"),
        _ => said("Yes", REPORTED),
    })
    .await;
    let handle = handle(&upstream);
    assert!(matches!(
        decided(&handle).await,
        Err(ProviderError::Overloaded { .. })
    ));
    assert_eq!(
        decided(&handle).await.expect("a decision").method,
        DecideMethod::Readout
    );
}

#[tokio::test]
async fn embeddings_are_believed_when_they_were_seen() {
    let upstream = FakeUpstream::answering(|asked| match asked.path() {
        "/v1/models" => json("200 OK", r#"{"data":[{"id":"m"},{"id":"nomic-embed"}]}"#),
        _ if asked.body.contains("nomic") => json("404 Not Found", r#"{"error":{"message":"no such door"}}"#),
        _ => json(
            "200 OK",
            r#"{"data":[{"index":0,"embedding":[3,4]}],"usage":{"prompt_tokens":2}}"#,
        ),
    })
    .await;
    let handle = handle(&upstream);
    let embed = handle.embed.as_ref().expect("it embeds");
    let request = |model: &str| EmbedRequest {
        model: model.into(),
        inputs: vec!["a".into()],
        ..EmbedRequest::default()
    };
    let made = soon(embed(request("m"))).await.expect("a vector");
    assert_eq!((made.vectors, made.prompt_tokens), (vec![vec![0.6, 0.8]], 2));
    assert!(soon(embed(request("nomic-embed"))).await.is_err());
    let models = soon((handle.status)()).await.models;
    assert!(models[0].can(Capability::Embed) && !models[1].can(Capability::Embed));
}

const DECIDED: &str = r#"{"model":"m","answers":{"sky":{"type":"noul","noul":0.9}},"usage":{"input_tokens":12,"output_tokens":0}}"#;

#[tokio::test]
async fn a_server_with_a_door_for_typed_questions_is_asked_there() {
    let upstream = FakeUpstream::answering(|asked| match asked.path() {
        "/v1/models" => json("200 OK", LIST),
        "/v1/systemone" => json("200 OK", DECIDED),
        _ => said("Yes", REPORTED),
    })
    .await;
    let handle = handle(&upstream);
    for _ in 0..2 {
        let decided = decided(&handle).await.expect("a decision");
        assert_eq!(decided.method, DecideMethod::Native);
        assert!((decided.decisions[0].options[0].probability - 0.9).abs() < 1e-9);
    }
    assert!(chats(&upstream).is_empty(), "no trial, no chat");
}

#[tokio::test]
async fn a_door_that_is_not_there_is_tried_once() {
    let upstream = FakeUpstream::answering(|asked| match asked.path() {
        "/v1/models" => json("200 OK", LIST),
        "/v1/systemone" => json("404 Not Found", r#"{"error":{"message":"no such path"}}"#),
        _ => said("Yes", REPORTED),
    })
    .await;
    let handle = handle(&upstream);
    for _ in 0..2 {
        assert_eq!(
            decided(&handle).await.expect("a decision").method,
            DecideMethod::Readout
        );
    }
    let own = upstream
        .asked()
        .into_iter()
        .filter(|a| a.path() == "/v1/systemone");
    assert_eq!(own.count(), 1);
}

#[tokio::test]
async fn log_probabilities_that_stop_coming_back_are_given_up_for_a_word() {
    let dropped = Arc::new(AtomicBool::new(false));
    let are_dropped = Arc::clone(&dropped);
    let upstream = FakeUpstream::answering(move |asked| match asked.path() {
        "/v1/models" => json("200 OK", LIST),
        "/v1/systemone" => json("404 Not Found", "{}"),
        _ if asked.body.contains("zq7") => said(r#"{"answer":"zq7"}"#, "null"),
        _ if asked.body.contains("response_format") => said(r#"{"answer": "yes"}"#, "null"),
        _ if are_dropped.load(Ordering::SeqCst) => said("Yes", "null"),
        _ => said("Yes", REPORTED),
    })
    .await;
    let handle = handle(&upstream);
    assert_eq!(
        decided(&handle).await.expect("a decision").method,
        DecideMethod::Readout
    );
    dropped.store(true, Ordering::SeqCst);
    for _ in 0..2 {
        let now = decided(&handle).await.expect("a decision");
        assert_eq!(now.method, DecideMethod::Constrained);
        assert_eq!(now.decisions[0].options[0].probability, 1.0);
    }
}
