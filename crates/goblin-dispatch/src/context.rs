//! Truthful context: a prompt that does not fit is refused with both numbers, never cut.

use std::sync::Arc;

use goblin_core::chat::ChatRequest;
use goblin_core::context_rule::{CountMethod, likely_tokens, must_count, prompt_bytes};
use goblin_core::error::ApiError;
use goblin_core::provider::{ProviderError, ProviderHandle, TokenCount};
use goblin_core::route::Offer;

use crate::Dispatch;
use crate::plan::Question;

/// How many tokens a prompt has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// `provider/model` that would answer.
    pub model_id: String,
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Tokens of prompt and answer together, when known.
    pub context_window: Option<u32>,
    /// How they were counted.
    pub method: CountMethod,
}

/// Counts a prompt that may not fit, where its provider can count. Returns the tokens when it did.
///
/// # Errors
/// [`ProviderError::ContextExceeded`].
pub(crate) async fn check_context(
    provider: &ProviderHandle,
    candidate: &Offer,
    request: &ChatRequest,
) -> Result<Option<u32>, ProviderError> {
    let asked = request.context_tokens;
    let window = candidate.model.context_window;
    let known = window.map_or(asked, |w| Some(asked.map_or(w, |a| a.min(w))));
    if provider.count.is_none() || !must_count(request, known) {
        return Ok(None);
    }
    let Some(count) = counted(provider, candidate, request).await else {
        return Ok(None);
    };
    let TokenCount {
        prompt_tokens,
        context_window,
        method,
    } = count;
    if method != CountMethod::Tokenizer {
        // A guess is no ground for a refusal; whoever guesses watches the real number.
        return Ok(None);
    }
    if prompt_tokens >= context_window {
        return Err(ProviderError::ContextExceeded {
            prompt_tokens,
            context_window,
        });
    }
    Ok(Some(prompt_tokens))
}

/// Counts a prompt for a candidate, where its provider can.
pub(crate) async fn counted(
    provider: &ProviderHandle,
    candidate: &Offer,
    request: &ChatRequest,
) -> Option<TokenCount> {
    let count = provider.count.as_ref()?;
    let mut request = request.clone();
    request.model.clone_from(&candidate.model.name);
    match count(request).await {
        Ok(counted) => Some(counted),
        Err(error) => {
            tracing::warn!(%error, model = candidate.id(), "tokens could not be counted");
            None
        }
    }
}

impl Dispatch {
    /// Counts a prompt without answering it; `request.model` is the name asked for.
    ///
    /// # Errors
    /// As [`Self::answer`] before its stream.
    pub async fn count(&self, request: ChatRequest) -> Result<Counted, ApiError> {
        let view = self.table.view_for(&request.model, false).await;
        let question = Question::bare(&request.model, &request);
        let ladder = self.choose(&view, &question).await?.ladder;
        for candidate in &ladder.candidates {
            if let Some(provider) = view.provider(&candidate.provider)
                && let Some(count) = counted(provider, candidate, &request).await
            {
                return Ok(Counted {
                    model_id: candidate.id(),
                    prompt_tokens: count.prompt_tokens,
                    context_window: Some(count.context_window),
                    method: count.method,
                });
            }
        }
        let Some(first) = ladder.candidates.first() else {
            return Err(ApiError::internal("a ladder had no candidates"));
        };
        let model = Arc::from(first.model.name.as_str());
        let ratio = self
            .table
            .gate(&first.provider)
            .load(&model)
            .rates
            .bytes_per_token();
        Ok(Counted {
            model_id: first.id(),
            prompt_tokens: likely_tokens(prompt_bytes(&request), ratio),
            context_window: first.model.context_window,
            method: if ratio.is_some() {
                CountMethod::MeasuredRatio
            } else {
                CountMethod::Estimate
            },
        })
    }
}
