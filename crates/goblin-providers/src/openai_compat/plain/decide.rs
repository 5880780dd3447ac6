//! Typed questions: put to the server's own door for them where it has one (LiteLLM does), else read from
//! log-probabilities where they come back, else written as one word under a JSON schema where that is kept to. What a
//! model's server can do is tried once, and given up when it stops doing it.

use futures_util::StreamExt;
use goblin_core::chat::{ChatRequest, Message, Purpose, Role, Sampling};
use goblin_core::decide::{DecideCost, DecideMethod, DecideRequest, DecideResponse};
use goblin_core::event::{Parsed, TokenLogprob, Usage};
use goblin_core::provider::ProviderError;
use goblin_core::wire::Dialect;
use goblin_core::wire::openai::encode_whole_request;
use goblin_core::wire::systemone::{SystemOneRequest, decode_response, encode_request};
use http::StatusCode;

use super::Server;
use crate::written::{chosen, one_word, words};

/// Rivals asked for, most first: OpenAI's limit, and that of servers that report few.
const RIVALS: [u8; 2] = [20, 5];
/// Words no model writes by itself.
const ODD_WORDS: [&str; 2] = ["zq7", "xk3"];

/// One short reply.
#[derive(Default)]
struct Reply {
    text: String,
    first: Option<TokenLogprob>,
    usage: Usage,
}

impl Server {
    pub(super) async fn decide(&self, request: DecideRequest) -> Result<DecideResponse, ProviderError> {
        let outcome = self.answered(&request).await;
        if matches!(outcome, Err(ProviderError::Unavailable { .. })) {
            // Whatever answers there next is tried anew.
            self.seen().remove(&request.model);
        }
        outcome
    }

    async fn answered(&self, request: &DecideRequest) -> Result<DecideResponse, ProviderError> {
        if let Some(response) = self.systemone(request).await? {
            return Ok(response);
        }
        let method = self.method(&request.model).await?;
        match self.asked(request, method).await? {
            Some(response) => Ok(response),
            // What came back on the trial comes back no more.
            None => {
                self.note(&request.model, |seen| seen.rivals = Some(0));
                let method = self.method(&request.model).await?;
                let response = self.asked(request, method).await?;
                response.ok_or_else(|| self.unable(&request.model))
            }
        }
    }

    /// Asks the server's own door for typed questions. `None`: it has none, or cannot decide with this model, which is
    /// remembered.
    async fn systemone(&self, request: &DecideRequest) -> Result<Option<DecideResponse>, ProviderError> {
        let native = self.seen_of(&request.model).native;
        if request.frame.exact || native == Some(false) {
            return Ok(None);
        }
        let asked = SystemOneRequest::from_decide(request);
        let url = self.upstream.base.join("systemone");
        let response = self
            .upstream
            .post(url, encode_request(&asked), &request.origin, Purpose::Verdict)
            .await?;
        let found = match response.status {
            StatusCode::OK => {
                let body = response.body.collect().await.map_err(|e| super::in_answer(&e))?;
                decode_response(&asked, &body).ok()
            }
            // It has no time now; that says nothing of what it can do.
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                return Err(self.upstream.refusal(response, &request.model).await);
            }
            _ => None,
        };
        // One request it cannot answer says little of a door that has answered before.
        if found.is_some() || native.is_none() {
            self.note(&request.model, |seen| seen.native = Some(found.is_some()));
        }
        Ok(found)
    }

    /// One chat for each question. `None`: no log-probabilities came back though they were asked for.
    async fn asked(
        &self,
        request: &DecideRequest,
        method: DecideMethod,
    ) -> Result<Option<DecideResponse>, ProviderError> {
        let (mut cost, mut decisions) = (DecideCost::default(), Vec::new());
        let rivals = self.seen_of(&request.model).rivals.unwrap_or(0);
        for (place, question) in request.questions.iter().enumerate() {
            // The server puts its own turn marks around the text.
            let text = format!("{}{}", request.shared, question.text);
            let asked = match method {
                DecideMethod::Constrained => one_word(request, text, &words(question)),
                DecideMethod::Native | DecideMethod::Readout => one_token(request, text, rivals),
            };
            let reply = self.reply(asked).await?;
            cost.add_question(place, request, question, reply.usage);
            decisions.push(match method {
                DecideMethod::Constrained => question.written(chosen(&reply.text, &words(question))),
                DecideMethod::Native | DecideMethod::Readout => {
                    if reply.first.is_none() && !reply.text.is_empty() {
                        return Ok(None);
                    }
                    question.read(reply.first.as_ref())
                }
            });
        }
        Ok(Some(DecideResponse {
            decisions,
            cost,
            method,
        }))
    }

    fn unable(&self, model: &str) -> ProviderError {
        ProviderError::Broken {
            reason: format!(
                "{}: {model} reports no log-probabilities and keeps to no JSON schema, so it cannot decide",
                self.upstream.base.address()
            ),
        }
    }

    /// The best way this model can be asked, tried once.
    async fn method(&self, model: &str) -> Result<DecideMethod, ProviderError> {
        let _one_at_a_time = self.trial.lock().await;
        let seen = self.seen_of(model);
        let rivals = match seen.rivals {
            Some(rivals) => rivals,
            None => self.try_logprobs(model).await?,
        };
        if rivals > 0 {
            return Ok(DecideMethod::Readout);
        }
        let schema = match seen.schema {
            Some(schema) => schema,
            None => self.try_schema(model).await?,
        };
        match schema {
            true => Ok(DecideMethod::Constrained),
            false => Err(self.unable(model)),
        }
    }

    async fn try_logprobs(&self, model: &str) -> Result<u8, ProviderError> {
        let mut found = 0;
        for rivals in RIVALS {
            let asked = one_token(&of(model), "Is water wet? Answer yes or no.".to_owned(), rivals);
            let reports = match self.reply(asked).await {
                Ok(reply) => reply.first.is_some_and(|first| !first.top_logprobs.is_empty()),
                Err(error) => refused(error)?,
            };
            if reports {
                found = rivals;
                break;
            }
        }
        self.note(model, |seen| seen.rivals = Some(found));
        Ok(found)
    }

    async fn try_schema(&self, model: &str) -> Result<bool, ProviderError> {
        let words = ODD_WORDS.map(str::to_owned);
        let asked = one_word(&of(model), "Say hello.".to_owned(), &words);
        let keeps = match self.reply(asked).await {
            Ok(reply) => chosen(&reply.text, &words).is_some(),
            Err(error) => refused(error)?,
        };
        self.note(model, |seen| seen.schema = Some(keeps));
        Ok(keeps)
    }

    async fn reply(&self, request: ChatRequest) -> Result<Reply, ProviderError> {
        let body = encode_whole_request(&request);
        let request = ChatRequest {
            raw: Some((Dialect::OpenAi, body)),
            ..request
        };
        let mut answer = self.upstream.chat(request).await?;
        let mut reply = Reply::default();
        while let Some(event) = answer.next().await {
            match event?.parsed {
                Parsed::Text { text, logprobs } => {
                    reply.text.push_str(&text);
                    reply.first = reply.first.or_else(|| logprobs.into_iter().next());
                }
                Parsed::Usage(usage) => reply.usage = usage,
                _ => {}
            }
        }
        Ok(reply)
    }
}

/// A server that calls a trial wrong cannot do what was tried; any other failure says nothing about it.
fn refused(error: ProviderError) -> Result<bool, ProviderError> {
    match error {
        ProviderError::Rejected { .. } => Ok(false),
        other => Err(other),
    }
}

/// A request of which only the model matters.
fn of(model: &str) -> DecideRequest {
    DecideRequest {
        model: model.to_owned(),
        ..DecideRequest::default()
    }
}

fn one_token(request: &DecideRequest, text: String, rivals: u8) -> ChatRequest {
    ChatRequest {
        model: request.model.clone(),
        messages: vec![Message::text(Role::User, text)],
        sampling: Sampling {
            temperature: Some(0.0),
            max_tokens: Some(1),
            logprobs: Some(rivals),
            ..Sampling::default()
        },
        purpose: Purpose::Verdict,
        origin: request.origin.clone(),
        ..ChatRequest::default()
    }
}
