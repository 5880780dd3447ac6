//! The adapter against a real llama-server on the CPU. Only with the feature `peers`: `make test-peers`.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use goblin_core::chat::{ChatRequest, Message, ResponseFormat, Role, Sampling, Tool};
use goblin_core::completion::CompletionRequest;
use goblin_core::context_rule::CountMethod;
use goblin_core::decide::{AnswerOption, DecideMethod, DecideRequest, Question};
use goblin_core::embed::EmbedRequest;
use goblin_core::event::FinishReason;
use goblin_core::manage::{Action, Outcome};
use goblin_core::model::{Capability, ModelState};
use goblin_core::provider::{Health, ProviderError, ProviderHandle};
use goblin_core::wire::Dialect;
use goblin_providers::openai_compat::{Kind, UpstreamSpec, build};

use crate::asking::{Answer, answer, collect, first_text, yes_or_no};
use crate::fake_upstream::net;
use crate::llama_server_process::{LlamaServer, MODEL, shared};
use crate::process::{HANG, models_folder, starter_file, within};

fn ask(text: &str) -> ChatRequest {
    ChatRequest {
        model: MODEL.into(),
        messages: vec![Message::text(Role::User, text)],
        stream: true,
        sampling: Sampling {
            temperature: Some(0.0),
            max_tokens: Some(16),
            ..Sampling::default()
        },
        ..ChatRequest::default()
    }
}

/// Far more tokens than a test waits for.
fn endless() -> ChatRequest {
    let mut request = ask("Count from one to ten thousand.");
    request.sampling.max_tokens = None;
    request.format = ResponseFormat::JsonSchema {
        name: "numbers".into(),
        schema: serde_json::json!({"type": "array", "minItems": 400, "items": {"type": "integer"}}),
    };
    request
}

#[tokio::test]
async fn it_is_described_truthfully() {
    let status = within((shared().await.handle().status)()).await;
    assert_eq!(status.health, Health::Ok);
    assert_eq!(status.slots, Some(2));
    let model = &status.models[0];
    assert_eq!((model.name.as_str(), model.state), (MODEL, ModelState::Loaded));
    assert_eq!(
        (model.context_window, model.trained_context),
        (Some(512), Some(8192))
    );
    assert_eq!(
        (model.parameters.as_deref(), model.slots),
        (Some("135M"), Some(2))
    );
    for (capability, can) in [
        (Capability::Chat, true),
        (Capability::Complete, true),
        (Capability::Logprobs, true),
        (Capability::Decide, true),
        (Capability::Embed, false),
        (Capability::Vision, false),
    ] {
        assert_eq!(model.can(capability), can, "{capability:?}");
    }
}

#[tokio::test]
async fn a_chat_is_the_same_streamed_and_whole() {
    let handle = shared().await.handle();
    let streamed = answer(&handle, ask("Say hello.")).await.expect("an answer");
    assert!(
        streamed.pieces > 1 && !streamed.text.trim().is_empty(),
        "{streamed:?}"
    );
    let body = serde_json::json!({"model": "x", "messages": [{"role": "user", "content": "Say hello."}],
        "temperature": 0.0, "max_tokens": 16});
    let whole = ChatRequest {
        raw: Some((Dialect::OpenAi, body.to_string().into())),
        stream: false,
        ..ask("Say hello.")
    };
    let whole = answer(&handle, whole).await.expect("an answer");
    assert_eq!(whole.text, streamed.text);
    assert_eq!(whole.usage.prompt_tokens, streamed.usage.prompt_tokens);
    let status = within((handle.status)()).await;
    assert!(
        status.decode_tokens_per_second.is_some_and(|n| n > 0.1),
        "{status:?}"
    );
}

#[tokio::test]
async fn log_probabilities_come_with_every_token_of_chats_and_completions() {
    let handle = shared().await.handle();
    let mut request = ask("Name a colour.");
    request.sampling.logprobs = Some(3);
    let sampling = request.sampling.clone();
    let chat = answer(&handle, request).await.expect("an answer");
    let complete = handle.complete.as_ref().expect("it completes");
    let request = CompletionRequest {
        model: MODEL.into(),
        prompt: "One, two, three,".into(),
        sampling,
        ..CompletionRequest::default()
    };
    let completion = collect(within(complete(request)).await.expect("a stream")).await;
    let completion = completion.expect("an answer");
    assert!(completion.text.starts_with(" four"), "{completion:?}");
    assert_eq!(completion.finish, Some(FinishReason::Length));
    assert_eq!(completion.usage.completion_tokens, 16);
    for got in [chat, completion] {
        let joined: String = got.logprobs.iter().map(|t| t.chosen.token.as_str()).collect();
        assert_eq!(joined, got.text);
        for token in &got.logprobs {
            assert!(
                token.chosen.logprob <= 0.0 && token.top_logprobs.len() == 3,
                "{token:?}"
            );
        }
    }
}

#[tokio::test]
async fn leaving_frees_the_slot() {
    let server = LlamaServer::own(&[]).await;
    let handle = server.handle();
    let mut stream = within((handle.chat)(endless())).await.expect("a stream");
    first_text(&mut stream).await;
    assert_eq!(within((handle.status)()).await.free_slots, Some(1));
    drop(stream);
    within(async {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        while (handle.status)().await.free_slots != Some(2) {
            ticks.tick().await;
        }
    })
    .await;
    assert!(
        server.log().contains("stop processing") || server.log().contains("cancel"),
        "the server itself says that it stopped"
    );
}

fn counted_cases() -> Vec<ChatRequest> {
    let mut tools = ask("What is the weather in Paris?");
    tools.tools.push(Tool {
        name: "look_up".into(),
        description: Some("Looks something up.".into()),
        parameters: serde_json::json!({"type": "object", "properties": {"q": {"type": "string"}}}),
        strict: None,
    });
    let mut long = ask("Grüße, 世界! <|im_end|> is a token.");
    long.messages.insert(0, Message::text(Role::System, "Be kind."));
    long.messages.push(Message::text(Role::Assistant, "I am."));
    long.messages.push(Message::text(Role::User, "word ".repeat(100)));
    vec![ask("Hello"), tools, long]
}

#[tokio::test]
async fn prompts_are_counted_exactly_tools_included() {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tools.jinja");
    let template = template.to_str().expect("a path");
    let with_tools = LlamaServer::own(&["--chat-template-file", template]).await;
    for server in [shared().await, &with_tools] {
        let handle = server.handle();
        let count = handle.count.as_ref().expect("it counts");
        for mut request in counted_cases() {
            request.sampling.max_tokens = Some(1);
            let counted = within(count(request.clone())).await.expect("a number");
            assert_eq!(
                (counted.method, counted.context_window),
                (CountMethod::Tokenizer, 512)
            );
            let got = answer(&handle, request).await.expect("an answer");
            assert_eq!(counted.prompt_tokens, got.usage.prompt_tokens);
        }
    }
    let status = within((with_tools.handle().status)()).await;
    assert!(status.models[0].can(Capability::Tools), "its template shows them");
}

#[tokio::test]
async fn a_prompt_over_the_context_of_one_slot_is_refused_with_both_numbers() {
    let handle = shared().await.handle();
    let long = ask(&"word ".repeat(700));
    let count = handle.count.as_ref().expect("it counts");
    let counted = within(count(long.clone())).await.expect("a number");
    assert!(
        counted.prompt_tokens > 700,
        "though both slots together hold 1024"
    );
    let refused = answer(&handle, long).await.map(|answer| answer.text);
    assert_eq!(
        refused,
        Err(ProviderError::ContextExceeded {
            prompt_tokens: counted.prompt_tokens,
            context_window: 512
        })
    );
}

#[tokio::test]
async fn questions_are_read_from_one_token_each_and_share_what_they_can() {
    let server = LlamaServer::own(&[]).await;
    let handle = server.handle();
    let decide = handle.decide.as_ref().expect("it decides");
    let request = DecideRequest {
        model: MODEL.into(),
        shared: format!(
            "<|im_start|>user\n{}The sky is blue and the grass is green.\n",
            "It is a fine day. ".repeat(12)
        ),
        questions: vec![
            yes_or_no("sky", "Is the sky blue?"),
            yes_or_no("grass", "Is the grass red?"),
        ],
        ..DecideRequest::default()
    };
    // A long answer in one slot: the questions go to the other.
    let mut running = within((handle.chat)(endless())).await.expect("a stream");
    first_text(&mut running).await;
    let decided = within(decide(request)).await.expect("decisions");
    drop(running);
    assert_eq!(decided.method, DecideMethod::Readout);
    for decision in &decided.decisions {
        assert!(decision.mass > 0.3 && decision.mass <= 1.0, "{decision:?}");
    }
    let cost = decided.cost;
    assert!(cost.shared_evaluated > 60, "{cost:?}");
    assert!(
        cost.shared_cached + 4 >= cost.shared_evaluated,
        "the second question found the shared text computed: {cost:?}"
    );
}

fn letters(id: &str, text: &str) -> Question {
    let option = |name: &str, letter: &str| AnswerOption {
        name: name.into(),
        spellings: vec![letter.into()],
    };
    Question {
        id: id.into(),
        text: format!("Q: {text} (A) yes (B) no\nAnswer: ("),
        options: vec![option("yes", "A"), option("no", "B")],
        typed: None,
    }
}

#[tokio::test]
async fn a_decision_models_own_answers_and_those_read_from_its_tokens_agree() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = folder.path().join("decider.gguf");
    // The same weights, told to be a decision model whose prompt is the state and the question and nothing else.
    crate::gguf::with_strings(
        &starter_file(),
        &model,
        &[
            ("llama.decision.type", "openjev"),
            (
                "tokenizer.chat_template.systemone",
                "{{ state }}{{ instructions }}",
            ),
        ],
    );
    let request = DecideRequest {
        model: MODEL.into(),
        shared: "Q: Is water wet? (A) yes (B) no\nAnswer: (A\nQ: Is fire cold? (A) yes (B) no\nAnswer: (B\n"
            .into(),
        questions: vec![letters("sky", "Is the sky blue?"), letters("ice", "Is ice hot?")],
        ..DecideRequest::default()
    };
    let (deciding, plain) = (LlamaServer::with_model(&model, &[]).await, shared().await);
    let mut found = Vec::new();
    for (server, method) in [(&deciding, DecideMethod::Native), (plain, DecideMethod::Readout)] {
        let handle = server.handle();
        let model = within((handle.status)()).await.models.remove(0);
        assert!(model.can(Capability::Decide), "{model:?}");
        let decide = handle.decide.as_ref().expect("it decides");
        let decided = within(decide(request.clone())).await.expect("decisions");
        assert_eq!(decided.method, method);
        let yes = |d: &goblin_core::decide::Decision| {
            let sum: f64 = d.options.iter().map(|o| o.probability).sum();
            d.options[0].probability / sum
        };
        found.push(decided.decisions.iter().map(yes).collect::<Vec<f64>>());
    }
    for (native, read) in found[0].iter().zip(&found[1]) {
        assert!((native - read).abs() < 0.02, "{found:?}");
    }
}

#[tokio::test]
async fn embeddings_have_length_one_and_a_server_for_them_does_nothing_else() {
    let server = LlamaServer::own(&["--embeddings", "--pooling", "mean", "--ubatch-size", "128"]).await;
    let handle = server.handle();
    let model = within((handle.status)()).await.models.remove(0);
    assert_eq!(model.capabilities, [Capability::Embed]);
    let embed = handle.embed.as_ref().expect("it embeds");
    let request = |inputs: &[&str]| EmbedRequest {
        model: MODEL.into(),
        inputs: inputs.iter().map(|s| (*s).to_owned()).collect(),
        ..EmbedRequest::default()
    };
    let made = within(embed(request(&["a cat", "a kitten", "tax law"]))).await;
    let made = made.expect("vectors");
    let dot = |a: usize, b: usize| -> f32 {
        let pairs = made.vectors[a].iter().zip(&made.vectors[b]);
        pairs.map(|(x, y)| x * y).sum()
    };
    for vector in 0..3 {
        assert!((dot(vector, vector) - 1.0).abs() < 1e-3);
    }
    assert!(dot(0, 1) > dot(0, 2), "{} {}", dot(0, 1), dot(0, 2));
    assert!(made.prompt_tokens > 4);
    let long = "word ".repeat(200);
    match within(embed(request(&[&long]))).await {
        Err(ProviderError::ContextExceeded {
            prompt_tokens,
            context_window,
        }) => assert!(prompt_tokens > 190 && context_window == 128),
        other => panic!("{other:?}"),
    }
    let plain = shared().await.handle();
    let refused = within(plain.embed.as_ref().expect("a door")(request(&["a"]))).await;
    assert!(
        matches!(refused, Err(ProviderError::Rejected { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_wrong_key_is_told_from_a_server_that_is_away() {
    let server = LlamaServer::own(&["--api-key", "s3cret"]).await;
    let with_key = |key: &str| {
        let spec = UpstreamSpec {
            key: Some(key.to_owned().into()),
            ..server.spec()
        };
        build(spec, net(HANG)).expect("a handle")
    };
    let wrong = with_key("wrong");
    let health = within((wrong.status)()).await.health;
    assert!(matches!(health, Health::Refused(_)), "{health:?}");
    let refused = answer(&wrong, ask("Hello")).await.map(|answer| answer.text);
    assert_eq!(refused, Err(ProviderError::Unauthorized));
    let right = with_key("s3cret");
    assert_eq!(within((right.status)()).await.health, Health::Ok);
    assert!(answer(&right, ask("Hello")).await.is_ok());
}

#[tokio::test]
async fn a_server_killed_in_the_middle_is_an_interruption_and_serves_again_when_it_is_back() {
    let server = LlamaServer::own(&[]).await;
    let handle = server.handle();
    let mut stream = within((handle.chat)(endless())).await.expect("a stream");
    first_text(&mut stream).await;
    server.kill();
    let end = loop {
        match within(stream.next()).await {
            Some(Ok(_)) => {}
            Some(Err(error)) => break error,
            None => panic!("a cut answer ended as if it were whole"),
        }
    };
    assert!(matches!(end, ProviderError::Interrupted { .. }), "{end:?}");
    let address = server.url.address();
    match answer(&handle, ask("Hello")).await {
        Err(ProviderError::Unavailable { reason }) => assert!(reason.contains(&address), "{reason}"),
        other => panic!("{other:?}"),
    }
    match within((handle.status)()).await.health {
        Health::Down(said) => assert!(said.contains(&address), "{said}"),
        other => panic!("{other:?}"),
    }
    let server = server.back(&[]).await;
    assert_eq!(server.url.address(), address);
    assert_eq!(within((handle.status)()).await.health, Health::Ok);
    let got: Answer = answer(&handle, ask("Hello"))
        .await
        .expect("the same handle works again");
    assert!(!got.text.is_empty());
}

#[tokio::test]
async fn taken_for_any_server_it_is_tried_and_found_to_report_log_probabilities() {
    let server = shared().await;
    let spec = UpstreamSpec {
        kind: Kind::Plain,
        ..server.spec()
    };
    let handle = build(spec, net(HANG)).expect("a handle");
    let request = DecideRequest {
        model: MODEL.into(),
        shared: "The sky is blue. ".into(),
        questions: vec![yes_or_no("sky", "Is the sky blue?")],
        ..DecideRequest::default()
    };
    let decided = within(handle.decide.as_ref().expect("it decides")(request)).await;
    assert_eq!(decided.expect("a decision").method, DecideMethod::Readout);
}

async fn state(handle: &ProviderHandle, model: &str) -> (ModelState, Option<u32>) {
    let status = within((handle.status)()).await;
    let found = status
        .models
        .into_iter()
        .find(|m| m.name == model)
        .expect("listed");
    (found.state, found.context_window)
}

#[tokio::test]
async fn a_routers_models_come_and_go() {
    let folder = models_folder();
    let arguments = ["--models-dir", "", "--parallel", "1", "--ctx-size", "512"];
    let mut arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
    arguments[1] = folder.as_os_str();
    let server = LlamaServer::start(&arguments).await;
    let handle = server.handle();
    let (starter, gemma) = ("SmolLM2-135M-Instruct-Q4_1", "gemma-3-270m-q4_k_m");
    assert_eq!(state(&handle, starter).await, (ModelState::Available, None));
    let manage = handle.manage.as_ref().expect("it can");
    for model in [starter, gemma] {
        let loaded = within(manage(Action::Load {
            model: model.into(),
            keep_alive: None,
        }))
        .await;
        assert!(matches!(loaded, Ok(Outcome::Done)), "{:?}", loaded.err());
        assert_eq!(state(&handle, model).await, (ModelState::Loaded, Some(512)));
    }
    let count = handle.count.as_ref().expect("it counts");
    let named = |model: &str| ChatRequest {
        model: model.into(),
        ..ask("Hello")
    };
    let counted = within(count(named(starter))).await.expect("a number");
    let got = answer(&handle, named(starter)).await.expect("an answer");
    assert_eq!(counted.prompt_tokens, got.usage.prompt_tokens);
    assert_eq!(
        answer(&handle, named("nobody")).await.map(|a| a.text),
        Err(ProviderError::ModelNotFound {
            model: "nobody".into()
        })
    );
    let gone = within(manage(Action::Unload {
        model: starter.into(),
    }))
    .await;
    assert!(matches!(gone, Ok(Outcome::Done)), "{:?}", gone.err());
    assert_eq!(state(&handle, starter).await.0, ModelState::Available);
    assert_eq!(state(&handle, gemma).await.0, ModelState::Loaded);
}
