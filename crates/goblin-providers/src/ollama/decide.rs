//! Typed questions. Where the server has `/v1/systemone` it is asked that way; else each question costs one token, read
//! from its log-probabilities; versions that report none (before 0.12.11) are made to write one word under a schema. The
//! shared text stands first in every prompt, so that Ollama evaluates it once.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};

use futures_util::StreamExt;
use goblin_core::chat::{Purpose, Sampling};
use goblin_core::completion::CompletionRequest;
use goblin_core::decide::{DecideCost, DecideMethod, DecideRequest, DecideResponse, Question};
use goblin_core::event::{Parsed, Spent, TokenLogprob};
use goblin_core::provider::ProviderError;
use goblin_core::wire::ollama::PromptSize;
use goblin_core::wire::systemone::{SystemOneRequest, decode_response, encode_request};
use http::{Method, StatusCode};

use super::{Server, in_answer};
use crate::written::{chosen, one_word, words};

/// The most rivals Ollama reports.
const TOP_LOGPROBS: u8 = 20;

impl Server {
    pub(super) async fn decide(&self, request: DecideRequest) -> Result<DecideResponse, ProviderError> {
        self.refuse_cloud(&request.model).await?;
        let able = self.systemone_seen().get(&request.model).copied();
        let asked = able != Some(false) && !self.no_systemone.load(Ordering::Relaxed) && !request.frame.exact;
        if asked && let Some(response) = self.systemone(&request).await? {
            return Ok(response);
        }
        let family = self.family(&request.model).await;
        let silent = self.logprobs_seen().get(&family) == Some(&false);
        if !silent && let Some(response) = self.read_out(&request, &family).await? {
            return Ok(response);
        }
        self.written(&request).await
    }

    pub(super) fn systemone_seen(&self) -> MutexGuard<'_, HashMap<String, bool>> {
        self.systemone_seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One token for each question. `None`: it comes without its probability, which is remembered.
    async fn read_out(
        &self,
        request: &DecideRequest,
        family: &str,
    ) -> Result<Option<DecideResponse>, ProviderError> {
        let mut cost = DecideCost::default();
        let mut decisions = Vec::with_capacity(request.questions.len());
        for (place, question) in request.questions.iter().enumerate() {
            let (tokens, said, spent) = self.first_token(request, question).await?;
            if said || !tokens.is_empty() {
                self.logprobs_seen().insert(family.to_owned(), !tokens.is_empty());
            }
            if said && tokens.is_empty() {
                return Ok(None);
            }
            cost.add_question(place, request, question, spent.usage);
            decisions.push(question.read(tokens.first()));
        }
        Ok(Some(DecideResponse {
            decisions,
            cost,
            method: DecideMethod::Readout,
        }))
    }

    /// One word for each question, under a schema.
    async fn written(&self, request: &DecideRequest) -> Result<DecideResponse, ProviderError> {
        let mut cost = DecideCost::default();
        let mut decisions = Vec::with_capacity(request.questions.len());
        for (place, question) in request.questions.iter().enumerate() {
            let words = words(question);
            let text = format!("{}{}", request.shared, question.text);
            let mut answer = self.chat(one_word(request, text, &words)).await?;
            let mut written = String::new();
            while let Some(event) = answer.next().await {
                match event?.parsed {
                    Parsed::Text { text, .. } => written.push_str(&text),
                    Parsed::Usage(usage) => cost.add_question(place, request, question, usage),
                    _ => {}
                }
            }
            decisions.push(question.written(chosen(&written, &words)));
        }
        Ok(DecideResponse {
            decisions,
            cost,
            method: DecideMethod::Constrained,
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
                let read = decode_response(&asked, &body).ok();
                self.systemone_seen()
                    .insert(request.model.clone(), read.is_some());
                Ok(read)
            }
            // Without words of its own it is the router's answer; with them it is about the model.
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED if !json => {
                self.no_systemone.store(true, Ordering::Relaxed);
                Ok(None)
            }
            // It cannot decide with this model, or not about this. A door that never answered is not tried again.
            StatusCode::BAD_REQUEST | StatusCode::NOT_IMPLEMENTED | StatusCode::INTERNAL_SERVER_ERROR => {
                self.systemone_seen()
                    .entry(request.model.clone())
                    .or_insert(false);
                Ok(None)
            }
            _ => Err(self
                .refusal(response, &request.model, PromptSize::default())
                .await),
        }
    }

    /// The first token after a question, with its rivals, and whether there was any text. Nothing, when the model ends
    /// there.
    async fn first_token(
        &self,
        request: &DecideRequest,
        question: &Question,
    ) -> Result<(Vec<TokenLogprob>, bool, Spent), ProviderError> {
        let mut answer = self
            .continued(CompletionRequest {
                model: request.model.clone(),
                prompt: request.whole(question),
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
        Ok((tokens, said, answer.spent().unwrap_or_default()))
    }
}
