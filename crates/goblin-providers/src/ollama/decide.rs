//! Typed questions. Where the server has `/v1/systemone` it is asked that way; else each question costs one token, read
//! from its log-probabilities. The shared text stands first in every prompt, so that Ollama evaluates it once.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use goblin_core::chat::{Purpose, Sampling};
use goblin_core::completion::CompletionRequest;
use goblin_core::decide::{DecideCost, DecideRequest, DecideResponse, Decision, OptionProbability, Question};
use goblin_core::event::{Parsed, TokenLogprob};
use goblin_core::provider::ProviderError;
use goblin_core::wire::ollama::{PromptSize, Spent};
use goblin_core::wire::systemone::{SystemOneRequest, decode_response, encode_request};
use http::{Method, StatusCode};

use super::{Server, in_answer};

/// The most rivals Ollama reports.
const TOP_LOGPROBS: u8 = 20;

impl Server {
    pub(super) async fn decide(&self, request: DecideRequest) -> Result<DecideResponse, ProviderError> {
        self.refuse_cloud(&request.model)?;
        if !self.no_systemone.load(Ordering::Relaxed)
            && let Some(response) = self.systemone(&request).await?
        {
            return Ok(response);
        }
        let mut cost = DecideCost::default();
        let mut decisions = Vec::with_capacity(request.questions.len());
        for (place, question) in request.questions.iter().enumerate() {
            let (tokens, spent) = self.first_token(&request, question).await?;
            add_cost(&mut cost, place, &request.shared, question, &spent);
            decisions.push(read(question, &tokens));
        }
        Ok(DecideResponse { decisions, cost })
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

/// What a question cost. What comes from the cache is only what the server says does.
fn add_cost(cost: &mut DecideCost, place: usize, shared: &str, question: &Question, spent: &Spent) {
    let bytes = shared.len() + question.text.len();
    let tokens = f64::from(spent.usage.prompt_tokens);
    let shared_tokens = (tokens * shared.len() as f64 / bytes.max(1) as f64).round() as u32;
    let cached = spent.usage.cached_tokens.min(shared_tokens);
    if place == 0 {
        cost.shared_evaluated = shared_tokens - cached;
    }
    cost.shared_cached = cost.shared_cached.max(cached);
    cost.question_tokens += spent.usage.prompt_tokens.saturating_sub(shared_tokens);
}

/// Reads the options' probabilities from the first token and its rivals. A spelling is read by its first token: one that
/// is the spelling, or begins it and begins no spelling of another option.
fn read(question: &Question, tokens: &[TokenLogprob]) -> Decision {
    let mut seen: BTreeMap<&str, f64> = BTreeMap::new();
    if let Some(first) = tokens.first() {
        for token in first.top_logprobs.iter().chain([&first.chosen]) {
            seen.entry(&token.token).or_insert(f64::from(token.logprob).exp());
        }
    }
    let begins = |option: usize, token: &str| {
        let spellings = &question.options[option].spellings;
        spellings.iter().any(|spelling| spelling.starts_with(token))
    };
    let mut probabilities = vec![0.0; question.options.len()];
    for (token, probability) in seen {
        let is = |option: &usize| question.options[*option].spellings.iter().any(|s| s == token);
        let all = || 0..question.options.len();
        let exact = all().find(is);
        let mut starting = all().filter(|option| !token.trim().is_empty() && begins(*option, token));
        let only = match (exact, starting.next(), starting.next()) {
            (Some(option), ..) | (None, Some(option), None) => Some(option),
            _ => None,
        };
        if let Some(option) = only {
            probabilities[option] += probability;
        }
    }
    let options = question.options.iter().zip(probabilities);
    let options: Vec<OptionProbability> = options
        .map(|(option, probability)| OptionProbability {
            name: option.name.clone(),
            probability: f64::min(probability, 1.0),
        })
        .collect();
    let mass = options.iter().map(|o| o.probability).sum::<f64>().min(1.0);
    Decision {
        id: question.id.clone(),
        options,
        mass,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use goblin_core::decide::AnswerOption;
    use goblin_core::event::TopLogprob;

    fn token(token: &str, probability: f32) -> TopLogprob {
        TopLogprob {
            token: token.into(),
            logprob: probability.ln(),
            bytes: None,
        }
    }

    fn question(options: &[(&str, &[&str])]) -> Question {
        let option = |(name, spellings): &(&str, &[&str])| AnswerOption {
            name: (*name).into(),
            spellings: spellings.iter().map(|s| (*s).into()).collect(),
        };
        Question {
            id: "q".into(),
            text: "?".into(),
            options: options.iter().map(option).collect(),
        }
    }

    fn rounded(decision: &Decision) -> Vec<f64> {
        let all = decision
            .options
            .iter()
            .map(|o| o.probability)
            .chain([decision.mass]);
        all.map(|p| (p * 100.0).round() / 100.0).collect()
    }

    #[test]
    fn spellings_are_summed_and_the_chosen_token_counts_once() {
        let question = question(&[("yes", &["yes", " yes", "Yes"]), ("no", &["no", " no"])]);
        let rivals = vec![
            token(" yes", 0.5),
            token("no", 0.2),
            token("Yes", 0.1),
            token("maybe", 0.1),
        ];
        let tokens = [TokenLogprob {
            chosen: token(" yes", 0.5),
            top_logprobs: rivals,
        }];
        assert_eq!(rounded(&read(&question, &tokens)), [0.6, 0.2, 0.8]);
    }

    #[test]
    fn a_token_that_begins_only_one_option_is_read_as_it() {
        let question = question(&[
            ("safe", &["safe"]),
            ("unsafe", &["unsafe"]),
            ("unsure", &["unsure"]),
        ]);
        let tokens = [TokenLogprob {
            chosen: token("uns", 0.4),
            top_logprobs: vec![
                token("sa", 0.3),
                token("unsu", 0.1),
                token(" ", 0.1),
                token("", 0.05),
            ],
        }];
        assert_eq!(rounded(&read(&question, &tokens)), [0.3, 0.0, 0.1, 0.4]);
    }

    #[test]
    fn a_model_that_ends_at_once_gives_no_verdict() {
        let decision = read(&question(&[("yes", &["yes"]), ("no", &["no"])]), &[]);
        assert_eq!(rounded(&decision), [0.0, 0.0, 0.0]);
    }
}
