//! A server that speaks OpenAI's dialect and of which nothing more is known: vLLM, LM Studio, a cloud.
//!
//! What such a server claims and what it does differ (some drop `logprobs` without a word), so each ability is tried on
//! the first request that needs it, once for each model, and tried anew after the server was away. Until then it is said
//! of a chat model that it decides, because otherwise nobody would ask it; that it reports log-probabilities or keeps to
//! a schema is only said when it was seen to.

mod decide;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use goblin_core::chat::Purpose;
use goblin_core::embed::{EmbedRequest, EmbedResponse};
use goblin_core::model::{Capability, ModelInfo};
use goblin_core::provider::{Health, ProviderError, ProviderHandle, ProviderStatus};
use goblin_core::wire::Dialect;
use goblin_core::wire::openai::{decode_embeddings, encode_embeddings};
use goblin_net::HttpClient;
use http::StatusCode;

use super::discovery::Discovery;
use super::{Upstream, UpstreamSpec, in_answer};
use crate::transport::BuildError;

/// What was seen of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    /// Does it answer typed questions by itself? `None`: not tried.
    native: Option<bool>,
    /// Rivals it reports of each token; 0: it reports nothing. `None`: not tried.
    rivals: Option<u8>,
    /// Does it keep to a JSON schema? `None`: not tried.
    schema: Option<bool>,
    /// Does it make embeddings? `None`: not tried.
    embeds: Option<bool>,
}

struct Server {
    upstream: Arc<Upstream>,
    discovery: Discovery,
    seen: Mutex<HashMap<String, Seen>>,
    /// One trial at a time: whoever comes meanwhile takes its result.
    trial: tokio::sync::Mutex<()>,
}

/// A handle that chats, makes embeddings and decides. Nothing is connected or tried yet.
///
/// # Errors
/// [`BuildError::Key`].
pub(super) fn build(spec: UpstreamSpec, net: HttpClient) -> Result<ProviderHandle, BuildError> {
    let upstream = Arc::new(Upstream::new(&spec, net)?);
    let server = Arc::new(Server {
        discovery: Discovery::new(Arc::clone(&upstream), spec.status_ttl),
        upstream,
        seen: Mutex::default(),
        trial: tokio::sync::Mutex::default(),
    });
    let own = || Arc::clone(&server);
    let (chat, status, embed, decide) = (own(), own(), own(), own());
    Ok(ProviderHandle {
        forwards: Some(Dialect::OpenAi),
        embed: Some(Arc::new(move |request| {
            let server = Arc::clone(&embed);
            Box::pin(async move { server.embed(request).await })
        })),
        decide: Some(Arc::new(move |request| {
            let server = Arc::clone(&decide);
            Box::pin(async move { server.decide(request).await })
        })),
        ..ProviderHandle::new(
            Arc::clone(&server.upstream.id),
            spec.local,
            Arc::new(move |request| {
                let server = Arc::clone(&chat);
                Box::pin(async move { server.upstream.chat(request).await })
            }),
            Arc::new(move || {
                let server = Arc::clone(&status);
                Box::pin(async move { server.status().await })
            }),
        )
    })
}

impl Server {
    async fn status(&self) -> ProviderStatus {
        let mut status = self.discovery.status().await;
        let mut seen = self.seen();
        if status.health != Health::Ok {
            seen.clear();
        }
        for model in &mut status.models {
            let seen = seen.get(&model.name).copied().unwrap_or_default();
            correct(model, seen);
        }
        drop(seen);
        status
    }

    async fn embed(&self, request: EmbedRequest) -> Result<EmbedResponse, ProviderError> {
        let url = self.upstream.base.join("embeddings");
        let response = self
            .upstream
            .post(url, encode_embeddings(&request), &request.origin, Purpose::Answer)
            .await?;
        let status = response.status;
        if status == StatusCode::OK {
            let body = response.body.collect().await.map_err(|e| in_answer(&e))?;
            let made = decode_embeddings(&body, request.inputs.len())?;
            self.note(&request.model, |seen| seen.embeds = Some(true));
            return Ok(made);
        }
        if matches!(
            status,
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED
        ) {
            self.note(&request.model, |seen| seen.embeds = Some(false));
        }
        Err(self.upstream.refusal(response, &request.model).await)
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<String, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen_of(&self, model: &str) -> Seen {
        self.seen().get(model).copied().unwrap_or_default()
    }

    fn note(&self, model: &str, what: impl FnOnce(&mut Seen)) {
        what(self.seen().entry(model.to_owned()).or_default());
    }
}

/// What the list says of a model, corrected by what was seen of it.
fn correct(model: &mut ModelInfo, seen: Seen) {
    let mut set = |capability: Capability, can: bool| {
        model.capabilities.retain(|c| *c != capability);
        if can {
            model.capabilities.push(capability);
        }
    };
    if let Some(embeds) = seen.embeds {
        set(Capability::Embed, embeds);
    }
    if let Some(rivals) = seen.rivals {
        set(Capability::Logprobs, rivals > 0);
    }
    if let Some(schema) = seen.schema {
        set(Capability::Grammar, schema);
    }
    let cannot_decide = seen.native != Some(true) && seen.rivals == Some(0) && seen.schema == Some(false);
    let chats = model.can(Capability::Chat);
    let decides = chats && !cannot_decide;
    model.capabilities.retain(|c| *c != Capability::Decide);
    if decides {
        model.capabilities.push(Capability::Decide);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corrected(seen: Seen) -> Vec<Capability> {
        let mut model = ModelInfo::named("m");
        correct(&mut model, seen);
        model.capabilities
    }

    #[test]
    fn only_what_was_seen_is_said() {
        use Capability::{Chat, Decide, Embed, Grammar, Logprobs};
        let untried = Seen::default();
        assert_eq!(corrected(untried), [Chat, Decide]);
        let reports = Seen {
            rivals: Some(20),
            ..untried
        };
        assert_eq!(corrected(reports), [Chat, Logprobs, Decide]);
        let keeps = Seen {
            rivals: Some(0),
            schema: Some(true),
            ..untried
        };
        assert_eq!(corrected(keeps), [Chat, Grammar, Decide]);
        let neither = Seen {
            rivals: Some(0),
            schema: Some(false),
            embeds: Some(true),
            ..untried
        };
        assert_eq!(corrected(neither), [Chat, Embed]);
    }
}
