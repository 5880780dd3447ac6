//! Typed questions. Where the server has `/v1/systemone` it is asked that way; else each question costs one token, read
//! from its log-probabilities. The shared text stands first in every prompt, so that Ollama evaluates it once.

use std::sync::atomic::Ordering;

use goblin_core::chat::{Purpose, Sampling};
use goblin_core::completion::CompletionRequest;
use goblin_core::decide::{DecideCost, DecideMethod, DecideRequest, DecideResponse, Question};
use goblin_core::event::{Parsed, Spent, TokenLogprob};
use goblin_core::provider::ProviderError;
use goblin_core::wire::ollama::PromptSize;
use goblin_core::wire::systemone::{SystemOneRequest, decode_response, encode_request};
use http::{Method, StatusCode};

use super::{Server, in_answer};

/// The most rivals Ollama reports.
const TOP_LOGPROBS: u8 = 20;

impl Server {
    pub(super) async fn decide(&self, request: DecideRequest) -> Result<DecideResponse, ProviderError> {
        self.refuse_cloud(&request.model).await?;
        if !self.no_systemone.load(Ordering::Relaxed)
            && let Some(response) = self.systemone(&request).await?
        {
            return Ok(response);
        }
        let mut cost = DecideCost::default();
        let mut decisions = Vec::with_capacity(request.questions.len());
        for (place, question) in request.questions.iter().enumerate() {
            let (tokens, spent) = self.first_token(&request, question).await?;
            cost.add_question(place, &request.shared, question, spent.usage);
            decisions.push(question.read(tokens.first()));
        }
        Ok(DecideResponse {
            decisions,
            cost,
            method: DecideMethod::Readout,
        })
    }

    /// Asks the server's own door. `None`: it has none, which is remembered, or cannot decide with this model.
    async fn systemone(&self, request: &DecideRequest) -> Result<Option<DecideResponse>, ProviderError> {
        let asked = SystemOneRequest::from_decide(request);
        let outgoing = self.request(Method::POST, "v1/systemone", encode_request(&asked));
        let response = self.send(outgoing).await?;
        let json = response.headers.get(http::header::CONTENT_TYPE);
        let json = json.is_some_and(|v| v.as_bytes().starts_with(b"application/json"));
        match response.status {
            StatusCode::OK => {
                let body = response.body.collect().await.map_err(|e| in_answer(&e))?;
                decode_response(&asked, &body).map(Some)
            }
            // Without words of its own it is the router's answer; with them it is about the model.
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED if !json => {
                self.no_systemone.store(true, Ordering::Relaxed);
                Ok(None)
            }
            StatusCode::BAD_REQUEST => Ok(None),
            _ => Err(self
                .refusal(response, &request.model, PromptSize::default())
                .await),
        }
    }

    /// The first token after a question, with its rivals. Nothing, when the model ends there.
    async fn first_token(
        &self,
        request: &DecideRequest,
        question: &Question,
    ) -> Result<(Vec<TokenLogprob>, Spent), ProviderError> {
        let mut answer = self
            .continued(CompletionRequest {
                model: request.model.clone(),
                prompt: format!("{}{}", request.shared, question.text),
                sampling: Sampling {
                    temperature: Some(0.0),
                    max_tokens: Some(1),
                    logprobs: Some(TOP_LOGPROBS),
                    ..Sampling::default()
                },
                purpose: Purpose::Verdict,
                keep_alive: request.keep_alive,
                origin: request.origin.clone(),
                ..CompletionRequest::default()
            })
            .await?;
        let (mut tokens, mut said) = (Vec::new(), false);
        while let Some(event) = answer.next().await {
            if let Parsed::Text { text, logprobs } = event?.parsed {
                said |= !text.is_empty();
                tokens.extend(logprobs);
            }
        }
        if said || !tokens.is_empty() {
            let family = self.family(&request.model).await;
            self.logprobs_seen().insert(family, !tokens.is_empty());
        }
        if said && tokens.is_empty() {
            return Err(ProviderError::Broken {
                reason: format!("{} reports no log-probabilities", self.root.address()),
            });
        }
        Ok((tokens, answer.spent().unwrap_or_default()))
    }
}
