//! Typed questions put to a server without a door for them: read from log-probabilities where they come back, else
//! written as one word under a JSON schema where that is kept to.

use futures_util::StreamExt;
use goblin_core::chat::{ChatRequest, Message, Purpose, ResponseFormat, Role, Sampling};
use goblin_core::decide::{DecideCost, DecideMethod, DecideRequest, DecideResponse, Question};
use goblin_core::event::{Parsed, TokenLogprob, Usage};
use goblin_core::provider::ProviderError;
use goblin_core::wire::Dialect;
use goblin_core::wire::openai::encode_whole_request;
use serde_json::{Value, json};

use super::Server;

/// Rivals asked for, most first: OpenAI's limit, and that of servers that report few.
const RIVALS: [u8; 2] = [20, 5];
/// A reply that keeps to a schema of one word fits; one that chats does not matter.
const WORD_TOKENS: u32 = 32;
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
        let (mut cost, mut decisions) = (DecideCost::default(), Vec::new());
        let method = self.method(&request.model).await?;
        let rivals = self.seen_of(&request.model).rivals.unwrap_or(0);
        for (place, question) in request.questions.iter().enumerate() {
            let text = format!("{}{}", request.shared, question.text);
            let asked = match method {
                DecideMethod::Constrained => one_word(&request.model, text, &words(question)),
                DecideMethod::Native | DecideMethod::Readout => one_token(&request.model, text, rivals),
            };
            let reply = self.reply(asked).await?;
            cost.add_question(place, &request.shared, question, reply.usage);
            decisions.push(match method {
                DecideMethod::Constrained => question.written(chosen(&reply.text, &words(question))),
                DecideMethod::Native | DecideMethod::Readout => question.read(reply.first.as_ref()),
            });
        }
        Ok(DecideResponse {
            decisions,
            cost,
            method,
        })
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
            false => Err(ProviderError::Broken {
                reason: format!(
                    "{}: {model} reports no log-probabilities and keeps to no JSON schema, so it cannot decide",
                    self.upstream.base.address()
                ),
            }),
        }
    }

    async fn try_logprobs(&self, model: &str) -> Result<u8, ProviderError> {
        let mut found = 0;
        for rivals in RIVALS {
            let asked = one_token(model, "Is water wet? Answer yes or no.".to_owned(), rivals);
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
        let keeps = match self.reply(one_word(model, "Say hello.".to_owned(), &words)).await {
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

fn asking(model: &str, text: String, sampling: Sampling) -> ChatRequest {
    ChatRequest {
        model: model.to_owned(),
        messages: vec![Message::text(Role::User, text)],
        sampling,
        purpose: Purpose::Verdict,
        ..ChatRequest::default()
    }
}

fn one_token(model: &str, text: String, rivals: u8) -> ChatRequest {
    let sampling = Sampling {
        temperature: Some(0.0),
        max_tokens: Some(1),
        logprobs: Some(rivals),
        ..Sampling::default()
    };
    asking(model, text, sampling)
}

fn one_word(model: &str, text: String, words: &[String]) -> ChatRequest {
    let sampling = Sampling {
        temperature: Some(0.0),
        max_tokens: Some(WORD_TOKENS),
        ..Sampling::default()
    };
    let schema = json!({
        "type": "object",
        "properties": {"answer": {"type": "string", "enum": words}},
        "required": ["answer"],
        "additionalProperties": false,
    });
    ChatRequest {
        format: ResponseFormat::JsonSchema {
            name: "answer".to_owned(),
            schema,
        },
        ..asking(model, text, sampling)
    }
}

/// The word that stands for each option.
fn words(question: &Question) -> Vec<String> {
    let first = |option: &goblin_core::decide::AnswerOption| {
        let spelling = option.spellings.first().unwrap_or(&option.name);
        spelling.trim().to_owned()
    };
    question.options.iter().map(first).collect()
}

/// Which of the words was written.
fn chosen(text: &str, words: &[String]) -> Option<usize> {
    let value: Value = serde_json::from_str(text.trim()).ok()?;
    let word = value.get("answer")?.as_str()?;
    words.iter().position(|w| w == word)
}
