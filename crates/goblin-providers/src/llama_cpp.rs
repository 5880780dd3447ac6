//! llama.cpp's server: chats through its OpenAI door, everything else through its own.
//!
//! Source: `tools/server/README.md` of b11434. Truthful context: the server refuses what does not fit a slot, naming both
//! numbers, and prompts are counted with its own template and tokenizer before they are sent. A server without a model is
//! a router, whose models come and go.

mod count;
mod decide;
mod discovery;
mod manage;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use goblin_core::chat::{ChatRequest, Purpose};
use goblin_core::completion::CompletionRequest;
use goblin_core::embed::{EmbedRequest, EmbedResponse};
use goblin_core::provider::{ChatStream, ProviderError, ProviderHandle};
use goblin_core::wire::llama_cpp::{CompletionDecoder, encode_completion};
use goblin_core::wire::openai::{decode_embeddings, encode_embeddings};
use goblin_net::{HttpClient, Url};
use http::StatusCode;

use crate::openai_compat::answer::{Answer, Framing, Words};
use crate::openai_compat::{Upstream, UpstreamSpec};
use crate::rates::Rates;
use crate::transport::BuildError;

/// What was found out by asking, for as long as the same program answers.
#[derive(Default)]
struct Learnt {
    /// It cannot count a chat at one go.
    no_chat_count: bool,
    /// Does a model answer typed questions by itself?
    systemone: HashMap<String, bool>,
    /// Does it make embeddings with this model?
    embeds: HashMap<String, bool>,
    /// The slot that answered a model's questions last: what they share may still be in it.
    slots: HashMap<String, u32>,
}

/// What every request needs.
struct Server {
    upstream: Upstream,
    root: Url,
    status_ttl: Duration,
    rates: Arc<Rates>,
    // Held while asking: whoever comes meanwhile waits and takes the same answer.
    known: tokio::sync::Mutex<discovery::Known>,
    learnt: std::sync::Mutex<Learnt>,
    /// Slots in which questions of ours are being answered, by model.
    claimed: Arc<std::sync::Mutex<HashSet<(String, u32)>>>,
}

/// A handle for a llama-server that can do all a handle can. Nothing is connected yet and nothing runs in the background.
///
/// Special tokens in a text that is continued or decided about are taken as such. Dropping an answer closes its
/// connection, upon which the server stops.
///
/// # Errors
/// [`BuildError::Key`].
pub fn build(spec: UpstreamSpec, net: HttpClient) -> Result<ProviderHandle, BuildError> {
    let path = spec.base_url.path().trim_end_matches('/');
    let server = Arc::new(Server {
        root: spec.base_url.with_path(path.strip_suffix("/v1").unwrap_or(path)),
        upstream: Upstream::new(&spec, net)?,
        status_ttl: spec.status_ttl,
        rates: Arc::new(Rates::default()),
        known: tokio::sync::Mutex::default(),
        learnt: std::sync::Mutex::default(),
        claimed: Arc::default(),
    });
    Ok(handle(spec.local, &server))
}

fn handle(local: bool, server: &Arc<Server>) -> ProviderHandle {
    let own = || Arc::clone(server);
    let (chat, status, complete, embed) = (own(), own(), own(), own());
    let (decide, count, manage) = (own(), own(), own());
    ProviderHandle {
        forwards: Some(goblin_core::wire::Dialect::OpenAi),
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
        manage: Some(Arc::new(move |action| {
            let server = Arc::clone(&manage);
            Box::pin(async move { server.manage(action).await })
        })),
        ..ProviderHandle::new(
            Arc::clone(&server.upstream.id),
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

impl Server {
    async fn chat(&self, request: ChatRequest) -> Result<ChatStream, ProviderError> {
        let answer = self.upstream.start(request).await?;
        Ok(answer.measured_by(Arc::clone(&self.rates)).into_stream())
    }

    async fn complete(&self, request: CompletionRequest) -> Result<ChatStream, ProviderError> {
        let door = match request.suffix {
            Some(_) => "infill",
            None => "completion",
        };
        let body = encode_completion(&request);
        let response = self
            .upstream
            .post_for_stream(self.root.join(door), body, &request.origin, request.purpose)
            .await?;
        if response.status != StatusCode::OK {
            return Err(self.upstream.refusal(response, &request.model).await);
        }
        let words = Words::Text(CompletionDecoder::new(&request));
        let answer = Answer::new(response.body, Framing::Events, words);
        Ok(answer.measured_by(Arc::clone(&self.rates)).into_stream())
    }

    async fn embed(&self, request: EmbedRequest) -> Result<EmbedResponse, ProviderError> {
        let url = self.upstream.base.join("embeddings");
        let body = encode_embeddings(&request);
        let body = self
            .upstream
            .post_whole(url, body, &request.model, &request.origin, Purpose::Answer)
            .await?;
        decode_embeddings(&body, request.inputs.len())
    }

    fn learnt(&self) -> MutexGuard<'_, Learnt> {
        self.learnt.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
