//! Ollama, through its own API (its OpenAI door leaves out most of what it can do).
//!
//! Source: Ollama's `docs/api.md`, `api/types.go` and `server/routes.go` of version 0.17.4.
//!
//! Truthful context: a prompt is answered whole or refused. See [`OllamaSpec::max_context_tokens`].

mod answer;
mod context;
mod decide;
mod discovery;
mod manage;

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use goblin_core::chat::{ChatRequest, Purpose};
use goblin_core::completion::CompletionRequest;
use goblin_core::embed::{EmbedRequest, EmbedResponse};
use goblin_core::origin::Origin;
use goblin_core::provider::{ChatStream, ProviderError, ProviderHandle, TokenCount};
use goblin_core::wire::ollama::{
    AnswerDecoder, PromptSize, decode_embed, encode_chat, encode_completion, encode_embed, upstream_error,
};
use goblin_net::{HttpClient, NetError, Request, Response, Url};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use secrecy::SecretString;

use answer::Answer;
use context::{Contexts, Plan, Prompt, Running};

use crate::origin;
use crate::rates::Rates;
use crate::transport::{BuildError, Refused, bearer};

pub use discovery::is_cloud_model;

/// An Ollama to reach.
#[derive(Clone, Debug)]
pub struct OllamaSpec {
    /// Its name in `provider/model`.
    pub id: String,
    /// Its address, with or without `/v1`.
    pub base_url: Url,
    /// The key it wants, where a proxy stands in front of it.
    pub key: Option<SecretString>,
    /// Does it stay on the operator's machines?
    pub local: bool,
    /// May models be used that run in Ollama's cloud? They are never local, whatever [`Self::local`] says.
    pub allow_cloud: bool,
    /// The most tokens a model's context is raised to (`num_ctx`), where it was trained with more. Memory grows with it.
    pub max_context_tokens: u32,
    /// How long its state is believed before it is asked again.
    pub status_ttl: Duration,
    /// Most time for each question about its state.
    pub status_timeout: Duration,
}

impl OllamaSpec {
    /// An Ollama `id` at `base_url` without a key, with the usual limits: no cloud models, 16,384 tokens of context,
    /// state believed for 2 s, asked for within 2 s.
    pub fn new(id: impl Into<String>, base_url: Url) -> Self {
        Self {
            id: id.into(),
            base_url,
            key: None,
            local: true,
            allow_cloud: false,
            max_context_tokens: 16_384,
            status_ttl: Duration::from_secs(2),
            status_timeout: Duration::from_secs(2),
        }
    }
}

/// What every request needs.
struct Server {
    spec: OllamaSpec,
    root: Url,
    headers: HeaderMap,
    net: HttpClient,
    contexts: Arc<Contexts>,
    rates: Arc<Rates>,
    // Held while asking: whoever comes meanwhile waits and takes the same answer.
    known: tokio::sync::Mutex<discovery::Known>,
    /// This version has no `/v1/systemone`.
    no_systemone: AtomicBool,
    /// By model: does it answer typed questions at that door?
    systemone_seen: std::sync::Mutex<HashMap<String, bool>>,
    /// By family: did an answer that was asked for log-probabilities have them?
    logprobs_seen: std::sync::Mutex<HashMap<String, bool>>,
}

/// A handle for an Ollama that can do all a handle can. Nothing is connected yet and nothing runs in the background.
///
/// Every request of a model carries the same `num_ctx`; dropping an answer closes its connection, upon which Ollama
/// stops. Special tokens in a text that is continued or decided about are taken as such.
///
/// # Errors
/// [`BuildError::Key`].
pub fn build(spec: OllamaSpec, net: HttpClient) -> Result<ProviderHandle, BuildError> {
    let path = spec.base_url.path().trim_end_matches('/');
    let root = spec.base_url.with_path(path.strip_suffix("/v1").unwrap_or(path));
    let mut headers = HeaderMap::new();
    if let Some(key) = &spec.key {
        headers.insert(AUTHORIZATION, bearer(key, &spec.id)?);
    }
    let (id, local): (Arc<str>, bool) = (spec.id.as_str().into(), spec.local);
    let server = Arc::new(Server {
        root,
        headers,
        net,
        contexts: Arc::new(Contexts::new(spec.max_context_tokens)),
        rates: Arc::new(Rates::default()),
        known: tokio::sync::Mutex::default(),
        no_systemone: AtomicBool::new(false),
        systemone_seen: std::sync::Mutex::default(),
        logprobs_seen: std::sync::Mutex::default(),
        spec,
    });
    Ok(handle(id, local, &server))
}

fn handle(id: Arc<str>, local: bool, server: &Arc<Server>) -> ProviderHandle {
    let own = || Arc::clone(server);
    let (chat, status, complete, embed) = (own(), own(), own(), own());
    let (decide, count, manage) = (own(), own(), own());
    ProviderHandle {
        complete: Some(Arc::new(move |request| {
            let server = Arc::clone(&complete);
            Box::pin(async move { server.complete(request).await })
        })),
        embed: Some(Arc::new(move |request| {
            let server = Arc::clone(&embed);
            Box::pin(async move { server.embed(request).await })
        })),
        decide: Some(Arc::new(move |request| {
            let server = Arc::clone(&decide);
            Box::pin(async move { server.decide(request).await })
        })),
        count: Some(Arc::new(move |request| {
            let server = Arc::clone(&count);
            Box::pin(async move { server.count(&request).await })
        })),
        makes_models: true,
        manage: Some(Arc::new(move |action| {
            let server = Arc::clone(&manage);
            Box::pin(async move { server.manage(action).await })
        })),
        ..ProviderHandle::new(
            id,
            local,
            Arc::new(move |request| {
                let server = Arc::clone(&chat);
                Box::pin(async move { server.chat(request).await })
            }),
            Arc::new(move || {
                let server = Arc::clone(&status);
                Box::pin(async move { server.status().await })
            }),
        )
    }
}

/// What an answer's reader must know of its request.
struct Asked {
    model: String,
    bytes: usize,
    plan: Plan,
    _running: Running,
    size: PromptSize,
}

impl Server {
    async fn chat(&self, mut request: ChatRequest) -> Result<ChatStream, ProviderError> {
        let asked = self.plan(&request.model, Prompt::of(&request)).await?;
        request.context_tokens = Some(asked.plan.context_tokens);
        let body = encode_chat(&request)?;
        let decoder = AnswerDecoder::for_chat(&request, asked.size);
        let outgoing = self.carrying("api/chat", body, &request.origin, request.purpose);
        Ok(self.answer(outgoing, decoder, asked).await?.into_stream())
    }

    async fn complete(&self, request: CompletionRequest) -> Result<ChatStream, ProviderError> {
        Ok(self.continued(request).await?.into_stream())
    }

    async fn continued(&self, mut request: CompletionRequest) -> Result<Answer, ProviderError> {
        let bytes = request.prompt.len() + request.suffix.as_ref().map_or(0, String::len);
        let prompt = Prompt::of_text(bytes, request.context_tokens, request.sampling.max_tokens);
        let asked = self.plan(&request.model, prompt).await?;
        request.context_tokens = Some(asked.plan.context_tokens);
        let body = encode_completion(&request)?;
        let decoder = AnswerDecoder::for_completion(&request.model, asked.size);
        let outgoing = self.carrying("api/generate", body, &request.origin, request.purpose);
        self.answer(outgoing, decoder, asked).await
    }

    async fn embed(&self, request: EmbedRequest) -> Result<EmbedResponse, ProviderError> {
        let facts = self.facts(&request.model).await?;
        let longest = request.inputs.iter().map(String::len).max().unwrap_or(0);
        let context = self.contexts.remembered(&request.model);
        let prompt = Prompt::of_text(longest, None, None);
        let counted = self.contexts.count(&request.model, &prompt, &facts);
        let size = PromptSize {
            prompt_tokens: counted.prompt_tokens,
            context_tokens: context.or(facts.loaded).unwrap_or(counted.context_window),
        };
        let body = encode_embed(&request, context);
        let outgoing = self.carrying("api/embed", body, &request.origin, Purpose::Answer);
        let response = self.send(outgoing).await?;
        if response.status != StatusCode::OK {
            return Err(self.refusal(response, &request.model, size).await);
        }
        let body = response.body.collect().await.map_err(|e| in_answer(&e))?;
        decode_embed(&body, request.inputs.len())
    }

    async fn count(&self, request: &ChatRequest) -> Result<TokenCount, ProviderError> {
        let facts = self.facts(&request.model).await?;
        Ok(self.contexts.count(&request.model, &Prompt::of(request), &facts))
    }

    async fn plan(&self, model: &str, prompt: Prompt) -> Result<Asked, ProviderError> {
        let facts = self.facts(model).await?;
        let (plan, running) = self.contexts.plan(model, &prompt, &facts)?;
        Ok(Asked {
            model: model.to_owned(),
            bytes: prompt.measurable_bytes(),
            plan,
            _running: running,
            size: PromptSize {
                prompt_tokens: plan.likely_tokens,
                context_tokens: plan.context_tokens,
            },
        })
    }

    async fn answer(
        &self,
        outgoing: Request,
        decoder: AnswerDecoder,
        asked: Asked,
    ) -> Result<Answer, ProviderError> {
        let response = self.send(outgoing).await?;
        if response.status != StatusCode::OK {
            return Err(self.refusal(response, &asked.model, asked.size).await);
        }
        let kind = response.headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
        let kind = kind
            .unwrap_or_default()
            .split(';')
            .next()
            .unwrap_or_default()
            .trim();
        if !matches!(kind, "" | "application/x-ndjson" | "application/json") {
            let (address, kind): (_, String) = (self.root.address(), kind.chars().take(60).collect());
            return Err(ProviderError::Broken {
                reason: format!("{address} answered with `{kind}` where an answer of a model was expected"),
            });
        }
        let (contexts, rates) = (Arc::clone(&self.contexts), Arc::clone(&self.rates));
        Ok(Answer::new(response.body, decoder, asked, contexts, rates))
    }

    fn logprobs_seen(&self) -> MutexGuard<'_, HashMap<String, bool>> {
        self.logprobs_seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request that says where it comes from.
    fn carrying(&self, path: &str, body: Bytes, origin: &Origin, purpose: Purpose) -> Request {
        let mut request = self.request(Method::POST, path, body);
        origin::put(&mut request.headers, origin, purpose, self.spec.local);
        request
    }

    fn request(&self, method: Method, path: &str, body: Bytes) -> Request {
        let mut request = Request::new(method, self.root.join(path));
        request.headers = self.headers.clone();
        if !body.is_empty() {
            request
                .headers
                .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        request.body = body;
        request
    }

    async fn send(&self, request: Request) -> Result<Response, ProviderError> {
        self.net.send(request).await.map_err(|e| self.before_answer(&e))
    }

    /// A failure before the answer's headers: nothing was said yet.
    fn before_answer(&self, error: &NetError) -> ProviderError {
        ProviderError::Unavailable {
            reason: format!("not reachable at {}: {error}", self.root.address()),
        }
    }

    /// Reads what a refusal says.
    async fn refusal(&self, response: Response, model: &str, size: PromptSize) -> ProviderError {
        let Refused {
            status,
            retry_after,
            body,
        } = Refused::read(response).await;
        upstream_error(status, &body, model, retry_after, size)
    }
}

/// A failure in the middle of an answer's body.
fn in_answer(error: &NetError) -> ProviderError {
    ProviderError::Interrupted {
        reason: error.to_string(),
    }
}
