//! The adapter against a real Ollama on the CPU.

use futures_util::StreamExt;
use goblin_core::chat::{ChatRequest, KeepAlive, Message, ResponseFormat, Role, Sampling};
use goblin_core::completion::CompletionRequest;
use goblin_core::context_rule::CountMethod;
use goblin_core::decide::DecideRequest;
use goblin_core::embed::EmbedRequest;
use goblin_core::event::FinishReason;
use goblin_core::manage::{Action, Outcome};
use goblin_core::model::{Capability, ModelInfo, ModelState};
use goblin_core::provider::{Health, ProviderError, ProviderHandle};
use goblin_providers::ollama::OllamaSpec;

use crate::asking::{Answer, answer, collect, first_text, yes_or_no};
use crate::fake_upstream::{net, soon};
use crate::ollama_process::{MODEL, Ollama, done, handle, own, shared};
use crate::process::{HANG, within};

fn ask(text: &str) -> ChatRequest {
    ChatRequest {
        model: MODEL.into(),
        messages: vec![Message::text(Role::User, text)],
        stream: true,
        sampling: Sampling {
            temperature: Some(0.0),
            max_tokens: Some(24),
            ..Sampling::default()
        },
        ..ChatRequest::default()
    }
}

fn load() -> Action {
    Action::Load {
        model: MODEL.into(),
        keep_alive: Some(KeepAlive::For(std::time::Duration::from_secs(600))),
    }
}

/// An answer of a few tokens.
fn brief(text: &str) -> ChatRequest {
    let mut request = ask(text);
    request.sampling.max_tokens = Some(3);
    request
}

/// A long answer: far more tokens than a test waits for.
fn endless() -> ChatRequest {
    let mut request = ask("Count from one to ten thousand in words.");
    request.sampling.max_tokens = Some(3500);
    request.format = ResponseFormat::JsonSchema {
        name: "numbers".into(),
        schema: serde_json::json!({"type": "array", "minItems": 900, "items": {"type": "integer"}}),
    };
    request
}

async fn model(handle: &ProviderHandle) -> ModelInfo {
    let status = within((handle.status)()).await;
    assert_eq!(status.health, Health::Ok);
    let found = status.models.into_iter().find(|m| m.name.starts_with(MODEL));
    found.expect("the starter is listed")
}

#[tokio::test]
async fn a_model_made_from_a_blob_is_told_of_truthfully() {
    let handle = shared().await.handle();
    let loaded = done(&handle, load()).await;
    assert!(matches!(loaded, Ok(Outcome::Done)));
    let model = model(&handle).await;
    assert_eq!(model.state, ModelState::Loaded);
    for capability in [
        Capability::Chat,
        Capability::Complete,
        Capability::Logprobs,
        Capability::Decide,
    ] {
        assert!(model.can(capability), "{capability:?} {model:?}");
    }
    assert_eq!(model.trained_context, Some(8192));
    assert_eq!(model.context_window, Some(8192), "what it can be raised to");
    assert_eq!(model.quantization.as_deref(), Some("Q4_1"));
    assert_eq!(model.family.as_deref(), Some("llama"));
    assert_eq!(model.digest.as_ref().map(String::len), Some(64));
    assert!(model.memory_bytes.is_some_and(|n| n > 50_000_000), "{model:?}");
    let show = Action::Show {
        model: MODEL.into(),
        verbose: false,
    };
    match done(&handle, show).await {
        Ok(Outcome::Described(fields)) => assert!(fields.contains_key("model_info"), "{fields:?}"),
        other => panic!("{:?}", other.err()),
    }
}

#[tokio::test]
async fn a_chat_is_streamed_and_counted() {
    let handle = shared().await.handle();
    let got = answer(&handle, ask("Say hello.")).await.expect("an answer");
    assert!(!got.text.trim().is_empty() && got.pieces > 1, "{got:?}");
    assert!(got.finish.is_some());
    assert!(
        got.usage.prompt_tokens > 5 && got.usage.completion_tokens > 1,
        "{got:?}"
    );
    let limited = ChatRequest {
        sampling: Sampling {
            max_tokens: Some(3),
            ..ask("").sampling
        },
        ..ask("Tell a long story.")
    };
    let got = answer(&handle, limited).await.expect("an answer");
    assert_eq!(
        (got.finish, got.usage.completion_tokens),
        (Some(FinishReason::Length), 3)
    );
}

#[tokio::test]
async fn log_probabilities_come_with_every_token() {
    let handle = shared().await.handle();
    let mut request = ask("Name a colour.");
    request.sampling.logprobs = Some(5);
    request.sampling.max_tokens = Some(6);
    let got = answer(&handle, request).await.expect("an answer");
    assert!(!got.logprobs.is_empty(), "{got:?}");
    for token in &got.logprobs {
        assert!(
            token.chosen.logprob <= 0.0 && token.top_logprobs.len() == 5,
            "{token:?}"
        );
    }
    let joined: String = got.logprobs.iter().map(|t| t.chosen.token.as_str()).collect();
    assert_eq!(joined, got.text);
}

fn about_the_sky() -> DecideRequest {
    DecideRequest {
        model: MODEL.into(),
        shared: "<|im_start|>user\nThe sky is blue and the grass is green.\n".into(),
        questions: vec![
            yes_or_no("sky", "Is the sky blue?"),
            yes_or_no("grass", "Is the grass red?"),
        ],
        ..DecideRequest::default()
    }
}

#[tokio::test]
async fn questions_are_answered_from_one_token_each() {
    let ollama = own().await;
    let handle = ollama.handle();
    let decide = handle.decide.as_ref().expect("it decides");
    for _ in 0..2 {
        let got = within(decide(about_the_sky())).await.expect("decisions");
        assert_eq!(
            got.decisions.iter().map(|d| &*d.id).collect::<Vec<_>>(),
            ["sky", "grass"]
        );
        for decision in &got.decisions {
            assert!(decision.mass > 0.2 && decision.mass <= 1.0, "{decision:?}");
            let sum: f64 = decision.options.iter().map(|o| o.probability).sum();
            assert!((sum - decision.mass).abs() < 1e-9, "{decision:?}");
        }
        assert!(
            got.cost.shared_evaluated > 0 && got.cost.question_tokens > 0,
            "{:?}",
            got.cost
        );
    }
    let log = ollama.log();
    let doors = log.lines().filter(|l| l.contains("/v1/systemone"));
    assert_eq!(doors.count(), 1, "its absence is remembered: {log}");
}

#[tokio::test]
async fn an_answer_keeps_to_its_schema() {
    let handle = shared().await.handle();
    let schema = serde_json::json!({
        "type": "object", "required": ["colour"], "additionalProperties": false,
        "properties": {"colour": {"type": "string", "enum": ["red", "green"]}},
    });
    let format = ResponseFormat::JsonSchema {
        name: "answer".into(),
        schema,
    };
    let got = answer(
        &handle,
        ChatRequest {
            format,
            ..ask("Which colour is grass?")
        },
    )
    .await
    .expect("an answer");
    let value: serde_json::Value = serde_json::from_str(&got.text).expect("JSON");
    assert!(value["colour"] == "red" || value["colour"] == "green", "{value}");
}

#[tokio::test]
async fn a_text_is_continued_as_it_stands() {
    let handle = shared().await.handle();
    let complete = handle.complete.as_ref().expect("it continues");
    let request = CompletionRequest {
        model: MODEL.into(),
        prompt: "One, two, three,".into(),
        sampling: Sampling {
            temperature: Some(0.0),
            max_tokens: Some(4),
            ..Sampling::default()
        },
        ..CompletionRequest::default()
    };
    let got = collect(within(complete(request)).await.expect("a stream"))
        .await
        .expect("an answer");
    assert!(got.text.contains("four"), "{got:?}");
}

#[tokio::test]
async fn texts_become_vectors_of_length_one() {
    let handle = shared().await.handle();
    let embed = handle.embed.as_ref().expect("it embeds");
    let request = EmbedRequest {
        model: MODEL.into(),
        inputs: vec!["grass".into(), "a green meadow".into()],
        ..EmbedRequest::default()
    };
    let got = within(embed(request)).await.expect("vectors");
    assert_eq!(got.vectors.len(), 2);
    for vector in &got.vectors {
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        assert!((length - 1.0).abs() < 1e-3, "{length}");
    }
}

#[tokio::test]
async fn a_model_that_is_not_there_is_named() {
    let handle = shared().await.handle();
    let absent = ProviderError::ModelNotFound {
        model: "absent:7b".into(),
    };
    let request = ChatRequest {
        model: "absent:7b".into(),
        ..ask("Hello")
    };
    assert_eq!(answer(&handle, request).await.unwrap_err(), absent);
    for action in [
        Action::Show {
            model: "absent:7b".into(),
            verbose: false,
        },
        Action::Delete {
            model: "absent:7b".into(),
        },
        Action::Load {
            model: "absent:7b".into(),
            keep_alive: None,
        },
    ] {
        assert_eq!(done(&handle, action).await.err(), Some(absent.clone()));
    }
}

#[tokio::test]
async fn a_model_gets_a_second_name_and_loses_it() {
    let handle = shared().await.handle();
    let copy = Action::Copy {
        source: MODEL.into(),
        destination: "copied".into(),
    };
    assert!(matches!(done(&handle, copy).await, Ok(Outcome::Done)));
    let listed = async || {
        let models = within((handle.status)()).await.models;
        models.iter().any(|m| m.name == "copied:latest")
    };
    assert!(listed().await);
    assert!(matches!(
        done(
            &handle,
            Action::Delete {
                model: "copied".into()
            }
        )
        .await,
        Ok(Outcome::Done)
    ));
    assert!(!listed().await);
}

#[tokio::test]
async fn tokens_are_counted_by_what_answers_cost() {
    let handle = shared().await.handle();
    let count = handle.count.as_ref().expect("it counts");
    let text = "The quick brown fox jumps over the lazy dog. ".repeat(20);
    let before = within(count(ask(&text))).await.expect("a count");
    assert_eq!(before.method, CountMethod::Estimate);
    let real = answer(&handle, ask(&text))
        .await
        .expect("an answer")
        .usage
        .prompt_tokens;
    assert!(
        before.prompt_tokens >= real,
        "cautious: {} for {real}",
        before.prompt_tokens
    );
    let after = within(count(ask(&text))).await.expect("a count");
    assert_eq!(after.method, CountMethod::MeasuredRatio);
    assert!(
        after.prompt_tokens >= real && after.prompt_tokens <= real + real / 3,
        "{after:?} for {real}"
    );
}

/// What Ollama does by itself with a prompt that does not fit: tokens it says the prompt had.
async fn cut_silently(ollama: &Ollama, text: &str) -> u64 {
    let mut request = goblin_net::Request::new(http::Method::POST, ollama.url.join("api/chat"));
    let body = serde_json::json!({"model": MODEL, "stream": false, "options": {"num_ctx": 512, "num_predict": 1},
        "messages": [{"role": "user", "content": text}]});
    request.body = body.to_string().into();
    let response = within(net(HANG).send(request)).await.expect("an answer");
    assert_eq!(response.status, 200);
    let body = within(response.body.collect()).await.expect("a body");
    let said: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    said["prompt_eval_count"].as_u64().expect("a count")
}

#[tokio::test]
async fn a_prompt_that_does_not_fit_is_never_cut() {
    let ollama = own().await;
    let huge = "word ".repeat(9000);
    assert!(cut_silently(&ollama, &huge).await <= 512, "Ollama itself cuts");
    let small = handle(OllamaSpec {
        max_context_tokens: 512,
        ..ollama.spec()
    });
    let exceeded = |outcome: Result<Answer, ProviderError>| match outcome {
        Err(ProviderError::ContextExceeded {
            prompt_tokens,
            context_window,
        }) => {
            assert!(prompt_tokens > context_window);
            context_window
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(
        exceeded(answer(&small, ask(&huge)).await),
        512,
        "refused before it is sent"
    );
    // Few enough bytes that it might fit: Ollama is asked, and refuses.
    assert_eq!(exceeded(answer(&small, ask(&"a b c d ".repeat(300))).await), 512);
    let short = answer(&small, ask("Hello")).await.expect("what fits is answered");
    assert!(short.usage.prompt_tokens < 512);
    // Where it may, the context is raised, stays so, and all of the prompt is read.
    let free = ollama.handle();
    let got = answer(&free, ask(&"word ".repeat(4200)))
        .await
        .expect("an answer");
    assert!(got.usage.prompt_tokens > 4200, "{got:?}");
    assert_eq!(
        exceeded(answer(&free, ask(&huge)).await),
        8192,
        "more than it was trained with"
    );
}

#[tokio::test]
async fn leaving_stops_the_work() {
    let ollama = own().await;
    let handle = ollama.handle();
    let request = ChatRequest {
        keep_alive: Some(KeepAlive::For(std::time::Duration::ZERO)),
        ..endless()
    };
    let mut stream = within((handle.chat)(request)).await.expect("a stream");
    first_text(&mut stream).await;
    assert_eq!(model(&handle).await.state, ModelState::Loaded);
    drop(stream);
    // It is unloaded as soon as nothing runs on it; the whole answer would take far longer than this guard.
    soon(async {
        let mut ticks = tokio::time::interval(std::time::Duration::from_millis(50));
        while model(&handle).await.state == ModelState::Loaded {
            ticks.tick().await;
        }
    })
    .await;
}

/// What Ollama says is in memory: its context, and until when.
async fn in_memory(ollama: &Ollama) -> (u64, String) {
    let request = goblin_net::Request::new(http::Method::GET, ollama.url.join("api/ps"));
    let response = within(net(HANG).send(request)).await.expect("an answer");
    let body = within(response.body.collect()).await.expect("a body");
    let said: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    let models = said["models"].as_array().expect("a list");
    assert_eq!(models.len(), 1, "{said}");
    let until = models[0]["expires_at"].as_str().expect("a time").to_owned();
    (models[0]["context_length"].as_u64().expect("a number"), until)
}

#[tokio::test]
async fn a_model_that_was_warmed_up_is_not_loaded_again_by_whatever_is_asked_first() {
    let ollama = own().await;
    let loads = || ollama.log().matches("msg=\"loaded runners\"").count();
    let handle = ollama.handle();
    done(&handle, load()).await.expect("it loads");
    let (context, until) = in_memory(&ollama).await;
    assert_eq!(loads(), 1, "{}", ollama.log());
    let decide = handle.decide.as_ref().expect("it decides");
    let embed = handle.embed.as_ref().expect("it embeds");
    let keep_alive = Some(KeepAlive::Forever);
    answer(&handle, brief("Say hello.")).await.expect("an answer");
    within(decide(about_the_sky())).await.expect("decisions");
    let (same, still) = in_memory(&ollama).await;
    assert_eq!(same, context, "one context for all of them");
    assert_eq!(loads(), 1, "nothing was loaded again: {}", ollama.log());
    assert!(
        still >= until,
        "each answer begins its time anew: {until} {still}"
    );
    let patient = DecideRequest {
        keep_alive,
        ..about_the_sky()
    };
    within(decide(patient)).await.expect("decisions");
    let texts = EmbedRequest {
        model: MODEL.into(),
        inputs: vec!["grass".into()],
        keep_alive,
        ..EmbedRequest::default()
    };
    within(embed(texts)).await.expect("vectors");
    let (_, forever) = in_memory(&ollama).await;
    assert!(forever[..4] > *"2200", "for ever is centuries there: {forever}");
    // A second handle, as after a restart of the tier, takes what it finds.
    answer(&ollama.handle(), brief("Say hello again."))
        .await
        .expect("an answer");
    assert_eq!(loads(), 1, "{}", ollama.log());
}

#[tokio::test]
async fn a_server_killed_in_the_middle_is_an_interruption_and_then_not_reachable() {
    let ollama = own().await;
    let handle = ollama.handle();
    let mut stream = within((handle.chat)(endless())).await.expect("a stream");
    first_text(&mut stream).await;
    ollama.kill();
    let end = loop {
        match within(stream.next()).await {
            Some(Ok(_)) => {}
            Some(Err(error)) => break error,
            None => panic!("a cut answer ended as if it were whole"),
        }
    };
    assert!(matches!(end, ProviderError::Interrupted { .. }), "{end:?}");
    let expected = format!("not reachable at {}", ollama.url.address());
    match answer(&handle, ask("Hello")).await {
        Err(ProviderError::Unavailable { reason }) => assert!(reason.starts_with(&expected), "{reason}"),
        other => panic!("{other:?}"),
    }
    match within((handle.status)()).await.health {
        Health::Down(said) => assert!(said.starts_with(&expected), "{said}"),
        other => panic!("{other:?}"),
    }
}
