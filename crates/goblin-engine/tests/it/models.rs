//! The models of these tests, loaded once each, and short words for talking to them.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use futures_util::StreamExt;
use goblin_core::chat::{ChatRequest, Message, Role, Sampling};
use goblin_core::event::{FinishReason, Parsed, TokenLogprob, Usage};
use goblin_core::id::Ids;
use goblin_core::provider::{ChatStream, ProviderError, ProviderHandle};
use goblin_engine::{Engine, EngineOptions};

/// No test takes a fraction of this; a hang must end.
pub(crate) const HANG: Duration = Duration::from_secs(300);
pub(crate) const STARTER: &str = "starter";

/// Where `make models` puts them, or where the environment says they are.
#[allow(
    clippy::disallowed_methods,
    reason = "tests find their models by the environment"
)]
fn model_file(variable: &str, file: &str) -> PathBuf {
    let named = std::env::var_os(variable).map(PathBuf::from);
    let path = named.unwrap_or_else(|| {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        cache
            .unwrap_or_else(|| home.join(".cache"))
            .join("goblin/models")
            .join(file)
    });
    assert!(
        path.is_file(),
        "{} is missing. Fetch the test models: make models",
        path.display()
    );
    path
}

pub(crate) fn starter_file() -> PathBuf {
    model_file("GOBLIN_STARTER_GGUF", "SmolLM2-135M-Instruct-Q4_1.gguf")
}

pub(crate) fn gemma_file() -> PathBuf {
    model_file("GOBLIN_GEMMA_GGUF", "gemma-3-270m-q4_k_m.gguf")
}

/// One thread: two on a busy machine wait for each other.
pub(crate) fn options(path: PathBuf) -> EngineOptions {
    EngineOptions {
        path,
        name: STARTER.to_owned(),
        threads: Some(1),
        context_tokens: Some(1024),
        sequences: Some(4),
        ..EngineOptions::default()
    }
}

/// An engine of its own, for tests that count.
pub(crate) async fn start(options: EngineOptions) -> Engine {
    let engine = Engine::start(options, Ids::counting()).expect("the engine starts");
    engine.ready().await.expect("the model loads");
    engine
}

/// The starter, shared by the tests that do not count.
pub(crate) async fn starter() -> ProviderHandle {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    let engine = ENGINE.get_or_init(|| {
        let options = EngineOptions {
            sequences: Some(32),
            ..options(starter_file())
        };
        Engine::start(options, Ids::counting()).expect("the engine starts")
    });
    engine.ready().await.expect("the model loads");
    engine.handle()
}

pub(crate) fn ask(text: &str) -> ChatRequest {
    ChatRequest {
        model: STARTER.to_owned(),
        messages: vec![Message::text(Role::User, text)],
        sampling: Sampling {
            temperature: Some(0.0),
            max_tokens: Some(16),
            ..Sampling::default()
        },
        ..ChatRequest::default()
    }
}

/// A whole answer.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) pieces: usize,
    pub(crate) logprobs: Vec<TokenLogprob>,
    pub(crate) calls: Vec<(String, String)>,
    pub(crate) finish: Option<FinishReason>,
    pub(crate) usage: Usage,
}

pub(crate) async fn collect(mut stream: ChatStream) -> Result<Answer, ProviderError> {
    let mut out = Answer::default();
    let all = async {
        while let Some(event) = stream.next().await {
            match event?.parsed {
                Parsed::Text { text, logprobs } => {
                    out.text.push_str(&text);
                    out.pieces += 1;
                    out.logprobs.extend(logprobs);
                }
                Parsed::ToolCall {
                    name, arguments, id, ..
                } => {
                    assert!(id.is_some_and(|id| id.starts_with("call_")));
                    out.calls.push((name.unwrap_or_default(), arguments));
                }
                Parsed::Finished { reason } => out.finish = Some(reason),
                Parsed::Usage(usage) => out.usage = usage,
                Parsed::Started | Parsed::Reasoning { .. } | Parsed::Sealed { .. } | Parsed::Opaque => {}
            }
        }
        Ok(out)
    };
    tokio::time::timeout(HANG, all).await.expect("the answer hangs")
}

pub(crate) async fn answer(handle: &ProviderHandle, request: ChatRequest) -> Result<Answer, ProviderError> {
    collect((handle.chat)(request).await?).await
}

/// The field at fault of a rejected request.
pub(crate) fn param_of<T>(result: Result<T, ProviderError>) -> String {
    match result {
        Err(ProviderError::Rejected {
            status: 400,
            param: Some(param),
            message,
            ..
        }) => {
            assert!(message.ends_with('.'), "not a sentence: {message}");
            param
        }
        Err(other) => panic!("rejected otherwise: {other:?}"),
        Ok(_) => panic!("accepted"),
    }
}
