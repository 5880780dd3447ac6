//! Reading a question's answer from the next token and its likeliest rivals, for servers that report only those.

use std::collections::BTreeMap;

use super::{DecideCost, DecideRequest, Decision, OptionProbability, Question};
use crate::event::{TokenLogprob, Usage};

impl Question {
    /// Reads the options' probabilities from the first token after the question and its rivals; `None` when the model
    /// ended there. A spelling is read by its first token: one that is the spelling, or begins it and begins no spelling
    /// of another option.
    pub fn read(&self, first: Option<&TokenLogprob>) -> Decision {
        let mut seen: BTreeMap<&str, f64> = BTreeMap::new();
        if let Some(first) = first {
            // Every token once: the chosen one is usually among its rivals.
            for token in first.top_logprobs.iter().chain([&first.chosen]) {
                seen.entry(&token.token).or_insert(f64::from(token.logprob).exp());
            }
        }
        let mut probabilities = vec![0.0; self.options.len()];
        for (token, probability) in seen {
            if let Some(option) = self.option_of(token) {
                probabilities[option] += probability;
            }
        }
        let options = self.options.iter().zip(probabilities);
        let options: Vec<OptionProbability> = options
            .map(|(option, probability)| OptionProbability {
                name: option.name.clone(),
                probability: f64::min(probability, 1.0),
            })
            .collect();
        let mass = options.iter().map(|o| o.probability).sum::<f64>().min(1.0);
        Decision {
            id: self.id.clone(),
            options,
            mass,
        }
    }

    /// The decision when the model wrote the option of place `chosen`, or none of them.
    pub fn written(&self, chosen: Option<usize>) -> Decision {
        let options = self.options.iter().enumerate().map(|(place, option)| {
            let probability = if Some(place) == chosen { 1.0 } else { 0.0 };
            OptionProbability {
                name: option.name.clone(),
                probability,
            }
        });
        Decision {
            id: self.id.clone(),
            options: options.collect(),
            mass: if chosen.is_some() { 1.0 } else { 0.0 },
        }
    }

    /// The one option a token stands for.
    fn option_of(&self, token: &str) -> Option<usize> {
        let all = || 0..self.options.len();
        let is = |option: &usize| self.options[*option].spellings.iter().any(|s| s == token);
        if let Some(exact) = all().find(is) {
            return Some(exact);
        }
        let begins = |option: &usize| {
            let spellings = &self.options[*option].spellings;
            spellings.iter().any(|spelling| spelling.starts_with(token))
        };
        let mut starting = all().filter(|option| !token.trim().is_empty() && begins(option));
        match (starting.next(), starting.next()) {
            (Some(option), None) => Some(option),
            _ => None,
        }
    }
}

impl DecideCost {
    /// Adds what the question of this place of `request` cost, which was asked right behind its shared text. What comes
    /// from the cache is only what the server says does; where the shared text ends is judged by bytes.
    pub fn add_question(&mut self, place: usize, request: &DecideRequest, question: &Question, usage: Usage) {
        let shared = request.shared_bytes();
        let bytes = shared + question.text.len() + request.frame.after.len();
        let tokens = f64::from(usage.prompt_tokens);
        let shared_tokens = (tokens * shared as f64 / bytes.max(1) as f64).round() as u32;
        let cached = usage.cached_tokens.min(shared_tokens);
        if place == 0 {
            self.shared_evaluated = shared_tokens - cached;
        }
        self.shared_cached = self.shared_cached.max(cached);
        self.question_tokens += usage.prompt_tokens.saturating_sub(shared_tokens);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::AnswerOption;
    use crate::event::TopLogprob;

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
            typed: None,
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
        let first = TokenLogprob {
            chosen: token(" yes", 0.5),
            top_logprobs: rivals,
        };
        assert_eq!(rounded(&question.read(Some(&first))), [0.6, 0.2, 0.8]);
    }

    #[test]
    fn a_token_that_begins_only_one_option_is_read_as_it() {
        let question = question(&[
            ("safe", &["safe"]),
            ("unsafe", &["unsafe"]),
            ("unsure", &["unsure"]),
        ]);
        let first = TokenLogprob {
            chosen: token("uns", 0.4),
            top_logprobs: vec![
                token("sa", 0.3),
                token("unsu", 0.1),
                token(" ", 0.1),
                token("", 0.05),
            ],
        };
        assert_eq!(rounded(&question.read(Some(&first))), [0.3, 0.0, 0.1, 0.4]);
    }

    #[test]
    fn a_model_that_ends_at_once_gives_no_verdict() {
        let decision = question(&[("yes", &["yes"]), ("no", &["no"])]).read(None);
        assert_eq!(rounded(&decision), [0.0, 0.0, 0.0]);
    }

    #[test]
    fn a_written_answer_is_one_option_or_none() {
        let question = question(&[("yes", &["yes"]), ("no", &["no"])]);
        assert_eq!(rounded(&question.written(Some(1))), [0.0, 1.0, 1.0]);
        assert_eq!(rounded(&question.written(None)), [0.0, 0.0, 0.0]);
    }

    #[test]
    fn what_is_cached_is_counted_as_the_server_says() {
        let question = question(&[("yes", &["yes"])]);
        let mut cost = DecideCost::default();
        let usage = |prompt_tokens, cached_tokens| Usage {
            prompt_tokens,
            cached_tokens,
            ..Usage::default()
        };
        // 99 bytes shared, 1 byte of question.
        let shared = DecideRequest {
            shared: "x".repeat(99),
            ..DecideRequest::default()
        };
        cost.add_question(0, &shared, &question, usage(100, 0));
        cost.add_question(1, &shared, &question, usage(100, 98));
        let expected = DecideCost {
            shared_evaluated: 99,
            shared_cached: 98,
            question_tokens: 2,
        };
        assert_eq!(cost, expected);
    }
}
