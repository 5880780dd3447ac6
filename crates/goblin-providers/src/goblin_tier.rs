//! A model tier of our own, on another machine: everything its doors offer, as one provider.
//!
//! Chats and vectors go by OpenAI's doors, decisions by `/v1/systemone` as questions of type `token` (exactly what was
//! asked, not a rendering of it), texts to be continued by Ollama's `/api/generate`, counts by `/v1/goblin/tokenize`.
//! How it is comes from two questions at once, the list of models and `/v1/goblin/status` ([`status`]).

mod completion;
mod sent;
mod status;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use goblin_core::chat::{ChatRequest, Purpose};
use goblin_core::completion::CompletionRequest;
use goblin_core::decide::{DecideCost, DecideMethod, DecideRequest, DecideResponse};
use goblin_core::embed::{EmbedRequest, EmbedResponse};
use goblin_core::provider::{ChatStream, ProviderError, ProviderHandle, TokenCount};
use goblin_core::wire::Dialect;
use goblin_core::wire::openai::{
    decode_embeddings, encode_tier_embeddings, encode_tier_request, rewrite_for_upstream,
};
use goblin_core::wire::systemone::{self, MAX_QUESTIONS, SystemOneRequest};
use goblin_core::wire::tier::decode_count;
use goblin_net::HttpClient;
use tokio::sync::Mutex;

use crate::openai_compat::{Upstream, UpstreamSpec};
use crate::transport::BuildError;
use sent::Sent;
use status::Known;

/// A tier that lives sends the head of a stream within 10 s, tokens or not, and something every 15 s after that. One
/// that has not after this is not there, however long its models may take.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// Longest wait for a count: without one the tier itself judges whether the prompt fits.
const COUNT_WITHIN: Duration = Duration::from_secs(5);

struct Tier {
    upstream: Upstream,
    status_ttl: Duration,
    sent: Sent,
    // Held while asking: whoever comes meanwhile waits and takes the same answer.
    known: Mutex<Known>,
}

/// A handle for a tier. Nothing is connected yet and nothing runs in the background.
///
/// # Errors
/// [`BuildError::Key`].
pub fn build(spec: &UpstreamSpec, net: HttpClient) -> Result<ProviderHandle, BuildError> {
    let tier = Arc::new(Tier {
        upstream: Upstream::new(spec, net)?,
        status_ttl: spec.status_ttl,
        sent: Sent::default(),
        known: Mutex::default(),
    });
    Ok(handle(&tier, spec.local))
}

fn handle(tier: &Arc<Tier>, local: bool) -> ProviderHandle {
    let own = || Arc::clone(tier);
    let (chat, status, complete) = (own(), own(), own());
    let (embed, decide, count) = (own(), own(), own());
    ProviderHandle {
        forwards: Some(Dialect::OpenAi),
        complete: Some(Arc::new(move |request| {
            let tier = Arc::clone(&complete);
            Box::pin(async move { tier.complete(request).await })
        })),
        embed: Some(Arc::new(move |request| {
            let tier = Arc::clone(&embed);
            Box::pin(async move { tier.embed(request).await })
        })),
        decide: Some(Arc::new(move |request| {
            let tier = Arc::clone(&decide);
            Box::pin(async move { tier.decide(request).await })
        })),
        count: Some(Arc::new(move |request| {
            let tier = Arc::clone(&count);
            Box::pin(async move { tier.count(request).await })
        })),
        ..ProviderHandle::new(
            Arc::clone(&tier.upstream.id),
            local,
            Arc::new(move |request| {
                let tier = Arc::clone(&chat);
                Box::pin(async move { tier.chat(request).await })
            }),
            Arc::new(move || {
                let tier = Arc::clone(&status);
                Box::pin(async move { tier.status().await })
            }),
        )
    }
}

/// The body of a chat request: the caller's own bytes, or all that core words say.
fn chat_body(request: &ChatRequest) -> Bytes {
    match &request.raw {
        Some((Dialect::OpenAi, raw)) => rewrite_for_upstream(raw, &request.model, true),
        _ => encode_tier_request(request),
    }
}

impl Tier {
    async fn chat(&self, request: ChatRequest) -> Result<ChatStream, ProviderError> {
        let there = self.sent.one(&request.model);
        let within = HEAD_WITHIN.min(self.upstream.net.options().first_byte_timeout);
        let answer = self
            .upstream
            .start_with(&request, chat_body(&request), Some(within))
            .await?;
        Ok(there.until_over(answer.into_stream()))
    }

    async fn complete(&self, request: CompletionRequest) -> Result<ChatStream, ProviderError> {
        let there = self.sent.one(&request.model);
        let stream = completion::start(&self.upstream, request).await?;
        Ok(there.until_over(stream))
    }

    async fn embed(&self, request: EmbedRequest) -> Result<EmbedResponse, ProviderError> {
        let _there = self.sent.one(&request.model);
        let url = self.upstream.base.join("embeddings");
        let body = encode_tier_embeddings(&request);
        let outgoing = self
            .upstream
            .carrying(url, body, &request.origin, Purpose::Answer);
        let answer = self.upstream.whole(outgoing, &request.model).await?;
        decode_embeddings(&answer, request.inputs.len())
    }

    /// One request for as many questions as the tier takes at once. They share a prefix there, so that only the first
    /// request pays for it.
    async fn decide(&self, request: DecideRequest) -> Result<DecideResponse, ProviderError> {
        let _there = self.sent.one(&request.model);
        let mut told = DecideResponse {
            decisions: Vec::with_capacity(request.questions.len()),
            cost: DecideCost::default(),
            method: DecideMethod::default(),
        };
        for questions in request.questions.chunks(MAX_QUESTIONS) {
            let asked = SystemOneRequest::of_tokens(&request, questions);
            let url = self.upstream.base.join("systemone");
            let body = systemone::encode_request(&asked);
            let outgoing = self
                .upstream
                .carrying(url, body, &request.origin, Purpose::Verdict);
            let answer = self.upstream.whole(outgoing, &request.model).await?;
            let part = systemone::decode_response(&asked, &answer)?;
            let named = part.decisions.into_iter().zip(questions);
            told.decisions.extend(named.map(|(mut decision, question)| {
                decision.id.clone_from(&question.id);
                decision
            }));
            told.cost = sum(told.cost, part.cost);
            told.method = part.method;
        }
        Ok(told)
    }

    async fn count(&self, request: ChatRequest) -> Result<TokenCount, ProviderError> {
        let url = self.upstream.base.join("goblin/tokenize");
        let mut outgoing = self
            .upstream
            .carrying(url, chat_body(&request), &request.origin, request.purpose);
        outgoing.first_byte_timeout = Some(COUNT_WITHIN);
        let answer = self.upstream.whole(outgoing, &request.model).await?;
        decode_count(&answer)?.ok_or_else(|| ProviderError::Broken {
            reason: format!(
                "{} does not know how much the context of its model holds",
                self.upstream.base.address()
            ),
        })
    }
}

fn sum(a: DecideCost, b: DecideCost) -> DecideCost {
    DecideCost {
        shared_evaluated: a.shared_evaluated.saturating_add(b.shared_evaluated),
        shared_cached: a.shared_cached.saturating_add(b.shared_cached),
        question_tokens: a.question_tokens.saturating_add(b.question_tokens),
    }
}
