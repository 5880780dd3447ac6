//! Clouds known by name: OpenAI, DeepSeek and Grok by Chat Completions, OpenAI by Responses where the operator says so,
//! Anthropic by Messages, Gemini by its own API.
//! Each a transport around `goblin_core::wire`.
//!
//! Which models there are is asked for and believed for a while; a cloud that will not say it to this key has those that
//! the built-in list knows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use goblin_core::catalogue::Catalogue;
use goblin_core::chat::{ChatRequest, Purpose};
use goblin_core::embed::{EmbedRequest, EmbedResponse};
use goblin_core::maker::Maker;
use goblin_core::model::{Capability, ModelInfo};
use goblin_core::provider::{ChatStream, Health, ProviderError, ProviderHandle, ProviderStatus};
use goblin_core::wire::cloud_errors::{Refusal, cloud_error};
use goblin_core::wire::openai::{
    ResponseDecoder, decode_embeddings, encode_embeddings, encode_responses, parse_model_list,
    rewrite_for_upstream,
};
use goblin_core::wire::{Dialect, anthropic, gemini};
use goblin_net::{HttpClient, Url};
use http::header::ACCEPT;
use http::{HeaderValue, Method, StatusCode};
use tokio::sync::Mutex;

use crate::openai_compat::answer::{Answer, Words};
use crate::openai_compat::{Api, Upstream, UpstreamSpec, before_answer};
use crate::transport::{BuildError, Refused};

/// How long it is believed that a cloud is away, or refuses the key, before it is asked again.
const AWAY_TTL: Duration = Duration::from_secs(10);
/// Longest name of a model that is put into an address.
const MAX_NAME: usize = 128;

struct Cloud {
    maker: Maker,
    api: Api,
    upstream: Upstream,
    status_ttl: Duration,
    // Held while asking: whoever comes meanwhile waits and takes the same answer.
    known: Mutex<Option<(Instant, ProviderStatus)>>,
}

/// A handle for a cloud. Nothing is connected yet.
///
/// # Errors
/// [`BuildError::Key`].
pub(crate) fn build(
    maker: Maker,
    spec: &UpstreamSpec,
    net: HttpClient,
) -> Result<ProviderHandle, BuildError> {
    let cloud = Arc::new(Cloud {
        maker,
        api: spec.api,
        upstream: Upstream::new(spec, net)?,
        status_ttl: spec.status_ttl,
        known: Mutex::default(),
    });
    let own = || Arc::clone(&cloud);
    let (chat, status) = (own(), own());
    let handle = ProviderHandle::new(
        Arc::clone(&cloud.upstream.id),
        spec.local,
        Arc::new(move |request| {
            let cloud = Arc::clone(&chat);
            Box::pin(async move { cloud.chat(request).await })
        }),
        Arc::new(move || {
            let cloud = Arc::clone(&status);
            Box::pin(async move { cloud.status().await })
        }),
    );
    let embed = own();
    Ok(match maker {
        Maker::Gemini => handle,
        Maker::Anthropic => ProviderHandle {
            forwards: Some(Dialect::Anthropic),
            ..handle
        },
        Maker::DeepSeek | Maker::Grok => ProviderHandle {
            forwards: Some(Dialect::OpenAi),
            ..handle
        },
        Maker::OpenAi => ProviderHandle {
            forwards: (spec.api == Api::Chat).then_some(Dialect::OpenAi),
            embed: Some(Arc::new(move |request| {
                let cloud = Arc::clone(&embed);
                Box::pin(async move { cloud.embed(request).await })
            })),
            ..handle
        },
    })
}

impl Cloud {
    async fn chat(&self, request: ChatRequest) -> Result<ChatStream, ProviderError> {
        // Only a request that is passed through may ask for an answer in one piece.
        let (mut streams, mut pass_through) = (true, false);
        let (url, body, words) = match self.maker {
            Maker::OpenAi if self.api == Api::Responses => (
                self.upstream.base.join("responses"),
                encode_responses(&request)?,
                Words::Responses(ResponseDecoder::new(&request.model)),
            ),
            Maker::OpenAi | Maker::DeepSeek | Maker::Grok => return self.upstream.chat(request).await,
            Maker::Anthropic => {
                let mut decoder = anthropic::EventDecoder::new(&request.model);
                let body = match &request.raw {
                    Some((Dialect::Anthropic, raw)) => {
                        (streams, pass_through) = (request.stream, true);
                        decoder = decoder.forwarding();
                        rewrite_for_upstream(raw, &request.model, false)
                    }
                    _ => anthropic::encode_request(&request)?,
                };
                let url = self.upstream.base.join("messages");
                (url, body, Words::Anthropic(decoder))
            }
            Maker::Gemini => (
                gemini_url(&self.upstream.base, &request.model)?,
                gemini::encode_request(&request)?,
                Words::Gemini(gemini::ContentDecoder::new(&request.model)),
            ),
        };
        let mut outgoing = self
            .upstream
            .carrying(url, body, &request.origin, request.purpose);
        let accept = if streams {
            "text/event-stream"
        } else {
            "application/json"
        };
        outgoing.headers.insert(ACCEPT, HeaderValue::from_static(accept));
        let response = self
            .upstream
            .net
            .send(outgoing)
            .await
            .map_err(|e| before_answer(&e))?;
        if response.status != StatusCode::OK {
            return Err(self.upstream.refusal(response, &request.model).await);
        }
        let framing = self.upstream.framing(&response.headers, streams, pass_through)?;
        Ok(Answer::new(response.body, framing, words).into_stream())
    }

    async fn embed(&self, request: EmbedRequest) -> Result<EmbedResponse, ProviderError> {
        let url = self.upstream.base.join("embeddings");
        let body = encode_embeddings(&request);
        let (model, origin) = (&request.model, &request.origin);
        let answer = self
            .upstream
            .post_whole(url, body, model, origin, Purpose::Answer)
            .await?;
        decode_embeddings(&answer, request.inputs.len())
    }

    async fn status(&self) -> ProviderStatus {
        let mut known = self.known.lock().await;
        if let Some((asked_at, status)) = &*known {
            let ttl = match status.health {
                Health::Ok => self.status_ttl,
                _ => self.status_ttl.min(AWAY_TTL),
            };
            if asked_at.elapsed() < ttl {
                return status.clone();
            }
        }
        let (health, models) = match self.models().await {
            Ok(models) => (Health::Ok, models),
            Err(health) => (health, Vec::new()),
        };
        let status = ProviderStatus {
            health,
            models,
            slots: None,
            free_slots: None,
            decode_tokens_per_second: None,
            prefill_tokens_per_second: None,
        };
        *known = Some((Instant::now(), status.clone()));
        status
    }

    async fn models(&self) -> Result<Vec<ModelInfo>, Health> {
        let address = self.upstream.base.address();
        let path = match self.maker {
            Maker::Anthropic => "models?limit=1000",
            Maker::Gemini => "models?pageSize=1000",
            _ => "models",
        };
        let url = self.upstream.base.join(path);
        let response = self.upstream.question(Method::GET, url, Bytes::new()).await?;
        if response.status == StatusCode::OK {
            let body = response
                .body
                .collect()
                .await
                .map_err(|e| Health::Down(e.to_string()))?;
            return self
                .read_models(&body)
                .map_err(|why| Health::Broken(format!("{address} answers, but {why}")));
        }
        let refused = Refused::read(response).await;
        let refusal = Refusal {
            status: refused.status,
            body: &refused.body,
            retry_after: refused.retry_after,
            model: "",
        };
        match (refused.status, cloud_error(self.maker, &refusal)) {
            // A key may be allowed to ask and not to list, and a gateway in between may have no list.
            (403 | 404 | 405 | 429 | 501, _) => Ok(self.listed()),
            (status, ProviderError::Unauthorized) => Err(Health::Refused(format!(
                "{address} refused this server's key (HTTP {status})"
            ))),
            (status, _) => Err(Health::Broken(format!(
                "{address} answered HTTP {status} when asked for its models"
            ))),
        }
    }

    fn read_models(&self, body: &[u8]) -> Result<Vec<ModelInfo>, String> {
        if self.maker == Maker::Gemini {
            return gemini::parse_models(body);
        }
        let listed = parse_model_list(body)?;
        Ok(listed
            .models
            .into_iter()
            .filter_map(|model| self.described(model))
            .collect())
    }

    /// What the built-in list knows of a model; one it does not know is what its name says. Models that neither converse
    /// nor make embeddings are left out.
    fn described(&self, model: ModelInfo) -> Option<ModelInfo> {
        let info = match Catalogue::embedded().find(self.maker.id(), &model.name) {
            Some(entry) => entry.info(&model.name),
            None if converses(&model.name) || model.can(Capability::Embed) => model,
            None => return None,
        };
        let embeds = info.can(Capability::Embed) && self.maker == Maker::OpenAi;
        (info.can(Capability::Chat) || embeds).then_some(info)
    }

    /// The models of the built-in list.
    fn listed(&self) -> Vec<ModelInfo> {
        let entries = Catalogue::embedded().of_provider(self.maker.id());
        let named = entries.into_iter().filter_map(|entry| {
            let name = entry.id.split_once('/')?.1;
            self.described(ModelInfo::named(name))
        });
        named.collect()
    }
}

/// OpenAI lists everything it has: pictures, voices and filters as well.
fn converses(name: &str) -> bool {
    let other = [
        "whisper",
        "tts",
        "dall-e",
        "image",
        "moderation",
        "babbage",
        "davinci",
        "sora",
        "realtime",
        "audio",
        "transcribe",
        "instruct",
        "embedding",
        "imagine",
        "video",
        "codex",
        "deep-research",
        "computer-use",
    ];
    !other.iter().any(|kind| name.contains(kind))
}

/// A model's name becomes part of the path, so it may hold nothing that ends one.
fn gemini_url(base: &Url, model: &str) -> Result<Url, ProviderError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if model.is_empty() || model.len() > MAX_NAME || model.contains("..") || !model.chars().all(fits) {
        return Err(ProviderError::ModelNotFound {
            model: model.chars().take(MAX_NAME).collect(),
        });
    }
    Ok(base.join(&format!("models/{model}:streamGenerateContent?alt=sse")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_name_becomes_part_of_an_address() {
        let base = Url::parse("https://h/v1beta").unwrap();
        assert_eq!(
            gemini_url(&base, "gemini-2.5-pro").unwrap().to_string(),
            "https://h/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse"
        );
        for name in ["", "..", "a/b", "a?b", "a#b", "a%2Fb", "a:b", &"x".repeat(200)] {
            assert!(gemini_url(&base, name).is_err(), "{name}");
        }
    }

    #[test]
    fn models_that_hold_no_conversation_are_known_by_their_names() {
        for name in [
            "whisper-1",
            "gpt-image-2",
            "tts-1-hd",
            "omni-moderation-latest",
            "gpt-realtime",
        ] {
            assert!(!converses(name), "{name}");
        }
        assert!(converses("gpt-77") && converses("grok-99"));
    }
}
