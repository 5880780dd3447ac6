//! What the doors of the model tier ask for beside chats.

use std::sync::{Arc, Mutex};

use goblin_core::completion::CompletionRequest;
use goblin_core::context_rule::CountMethod;
use goblin_core::decide::{DecideCost, DecideRequest, DecideResponse};
use goblin_core::embed::{EmbedRequest, EmbedResponse};
use goblin_core::error::ErrorCode;
use goblin_core::manage::{Action, Outcome};
use goblin_core::model::{Capability, ModelInfo, ModelState};
use goblin_core::provider::{Health, ProviderError, ProviderHandle};
use goblin_core::tier_status::InstanceState;
use goblin_dispatch::Options;

use crate::house::{model, read, scripted, soon};
use crate::tier::{ask, saying, tier, who};

fn able(name: &str, what: &[Capability]) -> ModelInfo {
    ModelInfo {
        capabilities: what.to_vec(),
        ..model(name)
    }
}

/// Embeds every text as its length.
fn embedding(handle: ProviderHandle) -> ProviderHandle {
    ProviderHandle {
        embed: Some(Arc::new(|request: EmbedRequest| {
            Box::pin(async move {
                Ok(EmbedResponse {
                    vectors: request
                        .inputs
                        .iter()
                        .map(|text| vec![text.len() as f32])
                        .collect(),
                    prompt_tokens: 5,
                })
            })
        })),
        ..handle
    }
}

fn embed(model: &str) -> EmbedRequest {
    EmbedRequest {
        model: model.to_owned(),
        inputs: vec!["one".into(), "three".into()],
        ..EmbedRequest::default()
    }
}

fn decide(model: &str) -> DecideRequest {
    DecideRequest {
        model: model.to_owned(),
        shared: "text".into(),
        ..DecideRequest::default()
    }
}

#[tokio::test]
async fn texts_are_embedded_by_a_model_that_can() {
    let (chats, _) = scripted("chats", Some(1));
    let (embeds, _) = scripted("embeds", Some(1));
    embeds.offers(vec![able("vectors", &[Capability::Embed])]);
    let tier = tier(
        vec![chats.handle(), embedding(embeds.handle())],
        Options::default(),
    );
    for name in ["vectors", "embeds/vectors", "goblin"] {
        let done = soon(tier.embed(who("a"), embed(name), None))
            .await
            .result
            .unwrap();
        assert_eq!(done.model_id, "embeds/vectors", "{name}");
        assert_eq!(done.response.vectors, [[3.0], [5.0]]);
    }
    let status = tier.tier_status().await;
    assert!(status.instances.iter().all(|i| i.running == 0 && i.queued == 0));
}

#[tokio::test]
async fn a_model_that_lacks_an_ability_names_those_that_have_it() {
    let (chats, _) = scripted("chats", Some(1));
    let (embeds, _) = scripted("embeds", Some(1));
    embeds.offers(vec![able("vectors", &[Capability::Embed])]);
    let tier = tier(
        vec![chats.handle(), embedding(embeds.handle())],
        Options::default(),
    );
    let error = tier
        .embed(who("a"), embed("small"), None)
        .await
        .result
        .unwrap_err();
    assert_eq!(
        (error.code, error.param.as_deref()),
        (ErrorCode::InvalidRequest, Some("model"))
    );
    assert!(
        error.message.contains("`chats/small` cannot make embeddings"),
        "{error}"
    );
    assert!(error.message.contains("`embeds/vectors`"), "{error}");
    let error = tier.decide(who("a"), decide("small"), None).await.unwrap_err();
    assert!(error.message.contains("No model on offer can"), "{error}");
    let error = ask(&tier, "a", saying("vectors", "hi")).await.err().unwrap();
    assert_eq!(error.code, ErrorCode::InvalidRequest);
    assert!(error.message.contains("`chats/small`"), "{error}");
    let request = CompletionRequest {
        model: "small".into(),
        ..CompletionRequest::default()
    };
    let error = tier
        .complete(None, who("a"), "tier", "r".into(), request, None)
        .await
        .err()
        .unwrap();
    assert!(error.message.contains("cannot continue a text"), "{error}");
}

#[tokio::test]
async fn questions_are_decided_and_the_next_server_is_asked_when_one_fails() {
    let deciding = |handle: ProviderHandle, answer: Result<u32, ProviderError>| ProviderHandle {
        decide: Some(Arc::new(move |_| {
            let answer = answer.clone().map(|shared_evaluated| DecideResponse {
                decisions: vec![],
                cost: DecideCost {
                    shared_evaluated,
                    ..DecideCost::default()
                },
                ..DecideResponse::default()
            });
            Box::pin(async move { answer })
        })),
        ..handle
    };
    let (first, _) = scripted("first", Some(1));
    let (second, _) = scripted("second", Some(1));
    for provider in [&first, &second] {
        provider.offers(vec![able("judge", &[Capability::Chat, Capability::Decide])]);
    }
    let down = ProviderError::Unavailable {
        reason: "refused".into(),
    };
    let handles = vec![
        deciding(first.handle(), Err(down)),
        deciding(second.handle(), Ok(11)),
    ];
    let tier = tier(handles, Options::default());
    let done = soon(tier.decide(who("a"), decide("judge"), None)).await.unwrap();
    assert_eq!(
        (done.model_id.as_str(), done.response.cost.shared_evaluated),
        ("second/judge", 11)
    );
}

#[tokio::test]
async fn a_text_is_continued_as_a_stream() {
    let (provider, mut calls) = scripted("one", Some(1));
    let chat = provider.handle().chat;
    let handle = ProviderHandle {
        complete: Some(Arc::new(move |request: CompletionRequest| {
            chat(saying(&request.model, &request.prompt))
        })),
        ..provider.handle()
    };
    let tier = tier(vec![handle], Options::default());
    let request = CompletionRequest {
        model: "one/small".into(),
        prompt: "Once upon".into(),
        ..CompletionRequest::default()
    };
    let stream = tier
        .complete(None, who("a"), "tier", "r".into(), request, None)
        .await
        .unwrap();
    let reader = tokio::spawn(read(stream));
    let call = soon(calls.recv()).await.unwrap();
    assert_eq!(
        (
            call.request.model.as_str(),
            call.request.messages[0].joined_text().as_str()
        ),
        ("small", "Once upon")
    );
    call.text(" a time");
    call.finish();
    assert_eq!(
        soon(reader).await.unwrap(),
        (Some("one/small".into()), " a time".into(), None)
    );
}

#[tokio::test]
async fn an_unknown_model_names_the_nearest_and_who_was_asked() {
    let (one, _) = scripted("one", Some(1));
    let (two, _) = scripted("two", Some(1));
    let tier = tier(vec![one.handle(), two.handle()], Options::default());
    let error = ask(&tier, "a", saying("smal", "hi")).await.err().unwrap();
    assert_eq!(error.code, ErrorCode::ModelNotFound);
    assert!(error.message.contains("Did you mean"), "{error}");
    assert!(error.message.contains("Asked: `one`, `two`."), "{error}");
    two.is(Health::Down("10.0.0.7:11434 refused".into()));
    let error = ask(&tier, "a", saying("unheard", "hi")).await.err().unwrap();
    assert_eq!(error.code, ErrorCode::NoProvider, "it may be there: {error}");
    let error = ask(&tier, "a", saying("one/unheard", "hi")).await.err().unwrap();
    assert_eq!(error.code, ErrorCode::ModelNotFound);
    assert!(error.message.contains("Not answering now: `two`."), "{error}");
    assert!(!error.message.contains("10.0.0.7"));
}

#[tokio::test]
async fn tokens_are_counted_by_the_tokenizer_else_by_what_was_measured() {
    let (counts, _) = scripted("counts", Some(1));
    let (guesses, mut calls) = scripted("guesses", Some(1));
    guesses.offers(vec![model("other")]);
    let blind = ProviderHandle {
        count: None,
        ..guesses.handle()
    };
    let tier = tier(vec![counts.handle(), blind], Options::default());
    let exact = tier.count(saying("small", "one two three")).await.unwrap();
    assert_eq!(
        (exact.prompt_tokens, exact.context_window, exact.method),
        (3, Some(4096), CountMethod::Tokenizer)
    );
    let text = "x".repeat(140);
    let guess = tier.count(saying("other", &text)).await.unwrap();
    assert_eq!((guess.prompt_tokens, guess.method), (35, CountMethod::Estimate));
    // The provider says that 140 bytes were 7 tokens.
    let reader = tokio::spawn(read(ask(&tier, "a", saying("other", &text)).await.unwrap()));
    let call = soon(calls.recv()).await.unwrap();
    call.text("answer");
    call.finish();
    soon(reader).await.unwrap();
    let measured = tier.count(saying("other", &text)).await.unwrap();
    assert_eq!(
        (measured.prompt_tokens, measured.method),
        (7, CountMethod::MeasuredRatio)
    );
}

/// Writes down what it is asked to do.
fn managed(handle: ProviderHandle, done: &Arc<Mutex<Vec<String>>>) -> ProviderHandle {
    let (id, done) = (Arc::clone(&handle.id), Arc::clone(done));
    ProviderHandle {
        makes_models: true,
        manage: Some(Arc::new(move |action| {
            let said = match action {
                Action::Pull { model } => format!("pull {model}"),
                Action::Delete { model } => format!("delete {model}"),
                Action::Copy { source, destination } => format!("copy {source} {destination}"),
                _ => "something else".to_owned(),
            };
            done.lock().unwrap().push(format!("{id}: {said}"));
            Box::pin(async { Ok(Outcome::Done) })
        })),
        ..handle
    }
}

#[tokio::test]
async fn models_are_managed_where_they_are() {
    let (engine, _) = scripted("engine", Some(1));
    engine.offers(vec![model("built-in")]);
    let (left, _) = scripted("left", Some(1));
    let (right, _) = scripted("right", Some(1));
    right.offers(vec![model("large:latest")]);
    let (loader, _) = scripted("loader", Some(1));
    let done = Arc::default();
    let handles = vec![
        engine.handle(),
        // It only brings its models into memory.
        ProviderHandle {
            makes_models: false,
            ..managed(loader.handle(), &done)
        },
        managed(left.handle(), &done),
        managed(right.handle(), &done),
    ];
    let tier = tier(handles, Options::default());
    let pull = |model: &str| Action::Pull { model: model.into() };
    let delete = |model: &str| Action::Delete { model: model.into() };
    let copy = Action::Copy {
        source: "right/large".into(),
        destination: "right/copy".into(),
    };
    for (provider, action) in [
        (None, pull("new")),
        (None, pull("right/new")),
        (Some("right"), pull("new")),
        (None, delete("large")),
        (None, delete("right/large:latest")),
        (Some("right"), copy),
    ] {
        assert!(tier.manage(provider, action).await.is_ok());
    }
    let expected = [
        "left: pull new",
        "right: pull new",
        "right: pull new",
        "right: delete large:latest",
        "right: delete large:latest",
        "right: copy large copy",
    ];
    assert_eq!(*done.lock().unwrap(), expected);
    let refused = |error: Result<Outcome, _>| error.err().map(|e: goblin_core::error::ApiError| e.code);
    let unmanaged = tier.manage(None, delete("built-in")).await;
    assert_eq!(refused(unmanaged), Some(ErrorCode::InvalidRequest));
    assert_eq!(
        refused(tier.manage(None, delete("nothing")).await),
        Some(ErrorCode::ModelNotFound)
    );
    assert_eq!(
        refused(tier.manage(Some("nobody"), pull("new")).await),
        Some(ErrorCode::NotFound)
    );
}

#[tokio::test]
async fn the_status_tells_every_instance_and_what_is_unwise() {
    let (one, mut calls) = scripted("one", Some(1));
    let one = one.generating(20.0);
    let (two, _) = scripted("two", None);
    two.offers(vec![ModelInfo {
        state: ModelState::Available,
        memory_bytes: Some(123),
        slots: Some(4),
        ..model("other")
    }]);
    let tier = tier(vec![one.handle(), two.handle()], Options::default());
    let _running = tokio::spawn(read(ask(&tier, "a", saying("small", "hi")).await.unwrap()));
    let call = soon(calls.recv()).await.unwrap();
    let status = tier.tier_status().await;
    let [small, other] = status.instances.as_slice() else {
        panic!("{status:?}");
    };
    assert_eq!(
        (small.provider.as_str(), small.model.as_str(), small.state),
        ("one", "small", InstanceState::Loaded)
    );
    assert_eq!((small.running, small.queued, small.slots), (1, 0, Some(1)));
    assert!(
        small.predicted_wait_ms > 1000,
        "an answer of 200 tokens at 20 a second: {small:?}"
    );
    assert_eq!(small.decode_tokens_per_second, Some(20.0));
    assert_eq!(
        (other.state, other.slots, other.memory_bytes),
        (InstanceState::Waiting, Some(4), Some(123))
    );
    assert_eq!(other.predicted_wait_ms, 0);
    let [warning] = status.warnings.as_slice() else {
        panic!("{:?}", status.warnings);
    };
    assert!(
        warning.contains("`one`") && warning.contains("OLLAMA_NUM_PARALLEL"),
        "{warning}"
    );
    drop(call);
    one.is(Health::Down("10.0.0.7:11434 refused".into()));
    let status = tier.tier_status().await;
    let down: Vec<_> = status
        .instances
        .iter()
        .filter(|i| i.state == InstanceState::Down)
        .collect();
    assert_eq!(down.len(), 1);
    assert_eq!(down[0].model, "small");
    assert!(
        status.warnings[0].contains("`one` cannot be reached"),
        "{:?}",
        status.warnings
    );
    assert!(!status.warnings[0].contains("10.0.0.7"));
}
