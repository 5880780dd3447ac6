//! Ollama of versions newer than the one at hand, played from fixtures written after its sources.

use std::time::Duration;

use futures_util::StreamExt;
use goblin_core::chat::{ChatRequest, Sampling, Tool};
use goblin_core::completion::CompletionRequest;
use goblin_core::decide::{AnswerOption, DecideMethod, DecideRequest, DecideResponse, Frame, Question};
use goblin_core::embed::EmbedRequest;
use goblin_core::event::{FinishReason, Parsed, Usage};
use goblin_core::model::{Capability, ModelState};
use goblin_core::provider::{ProviderError, ProviderHandle};
use goblin_providers::openai_compat::{Kind, UpstreamSpec};

use crate::fake_upstream::{FakeUpstream, Step, answer, json, question, response, said, soon};

const TAGS: &str = include_str!("../../../goblin-core/fixtures/ollama/wire_0.35/tags.json");
const PS: &str = include_str!("../../../goblin-core/fixtures/ollama/wire_0.35/ps.json");
const SHOW: &str = include_str!("../../../goblin-core/fixtures/ollama/wire_0.35/show.json");
const SHOW_DECISION: &str = include_str!("../../../goblin-core/fixtures/ollama/wire_0.35/show_decision.json");
const CHAT: &str = include_str!("../../../goblin-core/fixtures/ollama/wire_0.35/chat.ndjson");
const CHAT_TOOLS: &str = include_str!("../../../goblin-core/fixtures/ollama/wire_0.35/chat_tools.ndjson");
const CHAT_ERROR: &str = include_str!("../../../goblin-core/fixtures/ollama/wire_0.35/chat_error.ndjson");
const GENERATE: &str = include_str!("../../../goblin-core/fixtures/ollama/wire_0.35/generate.ndjson");
const EMBED: &str = include_str!("../../../goblin-core/fixtures/ollama/wire_0.35/embed.json");
const DECIDED: &str = include_str!("../../../goblin-core/fixtures/ollama/wire_0.35/systemone_200.json");
const UNDECIDED: &str = include_str!("../../../goblin-core/fixtures/ollama/wire_0.35/systemone_400.json");
const NO_DECIDER: &str = include_str!("../../../goblin-core/fixtures/ollama/wire_0.35/systemone_404.json");

const MODEL: &str = "m:latest";
const DECIDER: &str = "decider:latest";

/// A server of `version` that gives `scripts` for the questions after it has said how it is.
async fn server(version: &str, scripts: Vec<Vec<Step>>) -> (FakeUpstream, ProviderHandle) {
    let version = format!(r#"{{"version":"{version}"}}"#);
    let state = [TAGS, PS, &version, SHOW, SHOW_DECISION].map(|body| json("200 OK", body));
    let upstream = FakeUpstream::start([state.to_vec(), scripts].concat()).await;
    let handle = upstream.handle_with(UpstreamSpec {
        status_ttl: Duration::from_secs(3600),
        ..UpstreamSpec::new("up", upstream.url.clone(), Kind::Ollama)
    });
    (upstream, handle)
}

fn lines(body: &str) -> Vec<Step> {
    response("200 OK", "content-type: application/x-ndjson\r\n", body)
}

fn asked() -> ChatRequest {
    ChatRequest {
        model: MODEL.to_owned(),
        tools: vec![Tool {
            name: "look_up".to_owned(),
            description: None,
            parameters: serde_json::json!({}),
            strict: None,
        }],
        sampling: Sampling {
            logprobs: Some(2),
            ..Sampling::default()
        },
        ..question()
    }
}

#[tokio::test]
async fn what_the_models_of_newer_versions_can_do_is_read() {
    for version in ["0.30.2", "0.35.0", "0.40.4"] {
        let (_upstream, handle) = server(version, vec![]).await;
        let models = soon((handle.status)()).await.models;
        let names: Vec<&str> = models.iter().map(|m| m.name.as_str()).collect();
        assert_eq!(
            names,
            [MODEL, DECIDER],
            "{version}: what runs in a cloud is left out"
        );
        let chats = &models[0];
        for capability in [
            Capability::Chat,
            Capability::Tools,
            Capability::Thinking,
            Capability::Embed,
            Capability::Logprobs,
            Capability::Decide,
        ] {
            assert!(chats.can(capability), "{version} {capability:?}");
        }
        assert_eq!(chats.state, ModelState::Loaded);
        assert_eq!(chats.memory_bytes, Some(3_169_064_960));
        assert_eq!(chats.trained_context, Some(40_960));
        let decides = &models[1];
        assert_eq!(decides.capabilities, [Capability::Decide], "{version}");
    }
}

#[tokio::test]
async fn thoughts_words_log_probabilities_and_what_was_cached_are_read() {
    let (_upstream, handle) = server("0.35.0", vec![lines(CHAT)]).await;
    let (events, end) = answer(&handle, asked()).await;
    assert_eq!(end, Ok(()));
    let parsed: Vec<&Parsed> = events.iter().map(|e| &e.parsed).collect();
    let thought: String = parsed
        .iter()
        .filter_map(|p| match p {
            Parsed::Reasoning { text } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!((thought.as_str(), said(&events).as_str()), ("Short one.", "Grün"));
    let rivals = parsed.iter().find_map(|p| match p {
        Parsed::Text { logprobs, .. } => Some(logprobs[0].top_logprobs.len()),
        _ => None,
    });
    assert_eq!(rivals, Some(2));
    let usage = Usage {
        prompt_tokens: 31,
        completion_tokens: 3,
        cached_tokens: 16,
        reasoning_tokens: 0,
    };
    assert_eq!(parsed.last(), Some(&&Parsed::Usage(usage)));
}

#[tokio::test]
async fn calls_keep_the_ids_and_the_order_newer_versions_give_them() {
    let (_upstream, handle) = server("0.35.0", vec![lines(CHAT_TOOLS)]).await;
    let (events, end) = answer(&handle, asked()).await;
    assert_eq!(end, Ok(()));
    let calls: Vec<(u32, &str, &str)> = events
        .iter()
        .filter_map(|e| match &e.parsed {
            Parsed::ToolCall {
                index, id, arguments, ..
            } => Some((*index, id.as_deref().unwrap_or_default(), arguments.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(
        calls,
        [
            (0, "call_a1b2c3d4", r#"{"q":"é"}"#),
            (1, "call_e5f6a7b8", r#"{"q":"b"}"#)
        ]
    );
    let reason = FinishReason::ToolCalls;
    assert!(events.iter().any(|e| e.parsed == Parsed::Finished { reason }));
}

#[tokio::test]
async fn an_error_in_the_stream_interrupts_the_answer() {
    let (_upstream, handle) = server("0.35.0", vec![lines(CHAT_ERROR)]).await;
    let (events, end) = answer(&handle, asked()).await;
    assert_eq!(said(&events), "Half");
    assert!(matches!(end, Err(ProviderError::Interrupted { .. })), "{end:?}");
}

#[tokio::test]
async fn texts_are_continued_and_embedded() {
    let (_upstream, handle) = server("0.35.0", vec![lines(GENERATE), json("200 OK", EMBED)]).await;
    let complete = handle.complete.as_ref().unwrap();
    let request = CompletionRequest {
        model: MODEL.to_owned(),
        prompt: "a or".to_owned(),
        ..CompletionRequest::default()
    };
    let mut stream = soon(complete(request)).await.unwrap();
    let mut events = Vec::new();
    while let Some(event) = soon(stream.next()).await {
        events.push(event.unwrap());
    }
    assert_eq!(said(&events), " b");
    let embed = handle.embed.as_ref().unwrap();
    let request = EmbedRequest {
        model: MODEL.to_owned(),
        inputs: vec!["one".to_owned(), "two".to_owned()],
        ..EmbedRequest::default()
    };
    let made = soon(embed(request)).await.unwrap();
    assert_eq!(made.vectors, [[0.6, 0.8], [-1.0, 0.0]]);
    assert_eq!(made.prompt_tokens, 8);
}

/// Decides between `a` and `b`.
async fn decide(handle: &ProviderHandle, model: &str) -> Result<DecideResponse, ProviderError> {
    let option = |name: &str| AnswerOption {
        name: name.to_owned(),
        spellings: vec![format!(" {name}")],
    };
    let request = DecideRequest {
        model: model.to_owned(),
        shared: "a or".to_owned(),
        questions: vec![Question {
            id: "which".to_owned(),
            text: "?".to_owned(),
            options: vec![option("a"), option("b")],
            typed: None,
        }],
        ..DecideRequest::default()
    };
    soon((handle.decide.as_ref().expect("it decides"))(request)).await
}

fn of_b(decided: &DecideResponse) -> f64 {
    decided.decisions[0].options[1].probability
}

#[tokio::test]
async fn decisions_are_made_by_the_servers_own_door_where_it_has_one() {
    let (upstream, handle) = server("0.35.0", vec![json("200 OK", DECIDED)]).await;
    soon((handle.status)()).await;
    let decided = decide(&handle, DECIDER).await.unwrap();
    assert!((of_b(&decided) - 0.8).abs() < 1e-6, "{decided:?}");
    assert_eq!(decided.cost.shared_evaluated, 123);
    let asked = upstream.asked();
    assert!(
        asked[5].head.starts_with("post /v1/systemone "),
        "{}",
        asked[5].head
    );
}

#[tokio::test]
async fn a_version_without_that_door_is_asked_for_log_probabilities_and_not_again() {
    let router = response(
        "404 Not Found",
        "content-type: text/plain\r\n",
        "404 page not found",
    );
    let scripts = vec![router, lines(GENERATE), lines(GENERATE)];
    let (upstream, handle) = server("0.30.2", scripts).await;
    soon((handle.status)()).await;
    for _ in 0..2 {
        let decided = decide(&handle, MODEL).await.unwrap();
        assert!((of_b(&decided) - 0.8).abs() < 1e-3, "{decided:?}");
    }
    let doors = upstream.asked();
    let own = doors.iter().filter(|a| a.head.starts_with("post /v1/systemone "));
    assert_eq!(own.count(), 1);
}

#[tokio::test]
async fn a_version_that_reports_no_probabilities_writes_a_word() {
    let router = response(
        "404 Not Found",
        "content-type: text/plain\r\n",
        "404 page not found",
    );
    let silent = lines(
        r#"{"model":"m","response":" b","done":true,"done_reason":"length","prompt_eval_count":4,"eval_count":1}"#,
    );
    let written = lines(
        r#"{"model":"m","message":{"role":"assistant","content":"{\"answer\": \"b\"}"},"done":true,"done_reason":"stop","prompt_eval_count":9,"eval_count":5}"#,
    );
    let scripts = vec![router, silent, written.clone(), written];
    let (upstream, handle) = server("0.11.10", scripts).await;
    let models = soon((handle.status)()).await.models;
    let model = models.iter().find(|m| m.name == MODEL).expect("the model");
    assert!(model.can(Capability::Decide) && !model.can(Capability::Logprobs));
    for _ in 0..2 {
        let decided = decide(&handle, MODEL).await.unwrap();
        assert_eq!(decided.method, DecideMethod::Constrained);
        assert_eq!(of_b(&decided), 1.0);
    }
    let asked = upstream.asked();
    let tried = asked.iter().filter(|a| a.path() == "/api/generate").count();
    assert_eq!(tried, 1, "what is known is not tried again");
    let chat = asked.iter().find(|a| a.path() == "/api/chat").expect("a chat");
    assert!(chat.body.contains(r#""enum":["a","b"]"#), "{}", chat.body);
}

#[tokio::test]
async fn a_door_that_refused_a_model_is_not_asked_about_it_again() {
    let scripts = vec![
        json("400 Bad Request", UNDECIDED),
        lines(GENERATE),
        lines(GENERATE),
    ];
    let (upstream, handle) = server("0.35.0", scripts).await;
    soon((handle.status)()).await;
    for _ in 0..2 {
        decide(&handle, MODEL).await.unwrap();
    }
    let own = upstream
        .asked()
        .into_iter()
        .filter(|a| a.path() == "/v1/systemone");
    assert_eq!(own.count(), 1);
}

#[tokio::test]
async fn a_text_a_model_was_trained_on_is_never_put_into_other_words() {
    let (upstream, handle) = server("0.35.0", vec![lines(GENERATE)]).await;
    soon((handle.status)()).await;
    let request = DecideRequest {
        model: MODEL.to_owned(),
        shared: "a or".to_owned(),
        questions: vec![Question {
            id: "which".to_owned(),
            text: "?".to_owned(),
            options: vec![AnswerOption {
                name: "b".to_owned(),
                spellings: vec![" b".to_owned()],
            }],
            typed: None,
        }],
        frame: Frame {
            before: "<|user|>".to_owned(),
            after: "<|assistant|>".to_owned(),
            exact: true,
            ..Frame::default()
        },
        ..DecideRequest::default()
    };
    soon((handle.decide.as_ref().unwrap())(request)).await.unwrap();
    let asked = upstream.asked();
    assert!(asked.iter().all(|a| a.path() != "/v1/systemone"));
    let last = asked.last().expect("a request");
    assert!(last.body.contains("<|user|>a or?<|assistant|>"), "{}", last.body);
}

#[tokio::test]
async fn a_question_that_door_refuses_is_read_from_log_probabilities() {
    let scripts = vec![json("400 Bad Request", UNDECIDED), lines(GENERATE)];
    let (_upstream, handle) = server("0.35.0", scripts).await;
    soon((handle.status)()).await;
    let decided = decide(&handle, MODEL).await.unwrap();
    assert!((of_b(&decided) - 0.8).abs() < 1e-3, "{decided:?}");
}

#[tokio::test]
async fn a_decider_that_is_not_there_is_a_model_that_is_not_there() {
    let (_upstream, handle) = server("0.35.0", vec![json("404 Not Found", NO_DECIDER)]).await;
    soon((handle.status)()).await;
    let error = decide(&handle, DECIDER).await.unwrap_err();
    assert_eq!(
        error,
        ProviderError::ModelNotFound {
            model: DECIDER.to_owned()
        }
    );
}

#[tokio::test]
async fn an_ollama_upgraded_underneath_is_asked_anew_what_it_can_do() {
    let version = |number: &str| json("200 OK", &format!(r#"{{"version":"{number}"}}"#));
    let look = |number: &str| [json("200 OK", TAGS), json("200 OK", PS), version(number)];
    let shows = || [json("200 OK", SHOW), json("200 OK", SHOW_DECISION)];
    let router = response(
        "404 Not Found",
        "content-type: text/plain\r\n",
        "404 page not found",
    );
    // The old one is looked at once more before it is asked for a token.
    let old = look("0.30.2").into_iter().chain(shows()).chain([router]);
    let old = old.chain(look("0.30.2")).chain([lines(GENERATE)]);
    let new = look("0.35.0")
        .into_iter()
        .chain(shows())
        .chain([json("200 OK", DECIDED)]);
    let upstream = FakeUpstream::start(old.chain(new).collect()).await;
    let handle = upstream.handle_with(UpstreamSpec {
        status_ttl: Duration::ZERO,
        ..UpstreamSpec::new("up", upstream.url.clone(), Kind::Ollama)
    });
    for (cost, doors) in [(false, 1), (true, 2)] {
        soon((handle.status)()).await;
        let decided = decide(&handle, DECIDER).await;
        let decided = decided.unwrap_or_else(|e| panic!("{e}: {:?}", upstream.asked()));
        assert!((of_b(&decided) - 0.8).abs() < 1e-3, "{decided:?}");
        assert_eq!(
            decided.cost.shared_evaluated == 123,
            cost,
            "its own door says what it cost"
        );
        let asked = upstream.asked();
        let own = asked.iter().filter(|a| a.head.starts_with("post /v1/systemone "));
        assert_eq!(own.count(), doors);
    }
    let shown = upstream
        .asked()
        .iter()
        .filter(|a| a.path() == "/api/show")
        .count();
    assert_eq!(shown, 4, "what its models can do is read again");
}
