//! How fast a model was, as a few numbers that outlive the process: what a benchmark or finished answers showed, and
//! what the forecasts of the next process begin with.

use serde::{Deserialize, Serialize};

/// No machine is faster, in tokens per second.
const FASTEST: f64 = 1e7;
/// No answer is waited for longer, in seconds: a day.
const LONGEST: f64 = 86_400.0;
/// No prompt or answer has more tokens.
const MOST_TOKENS: f64 = 1e8;

/// What is known of one model on one server. Parts that are not known are absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Prompt tokens evaluated per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefill_tokens_per_second: Option<f64>,
    /// Tokens per second of one answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decode_tokens_per_second: Option<f64>,
    /// Seconds to the first token that do not depend on the prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_token_seconds: Option<f64>,
    /// Seconds until the model is in memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_seconds: Option<f64>,
    /// Seconds of an answer that comes in one piece.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_seconds: Option<f64>,
    /// Bytes of one token of a prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_token: Option<f64>,
    /// Tokens of the usual prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_tokens: Option<f64>,
    /// Tokens of the usual answer without a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_tokens: Option<f64>,
    /// Of a limit of up to 64 tokens: the share (0–1) that answers use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_of_64: Option<f64>,
    /// Of a limit of up to 512 tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_of_512: Option<f64>,
    /// Of a limit of up to 4,096 tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_of_4096: Option<f64>,
}

impl Estimate {
    /// Without what cannot be: a file may have been written by hand.
    #[must_use]
    pub fn plausible(self) -> Self {
        let within = |value: Option<f64>, least: f64, most: f64| {
            value.filter(|v| v.is_finite() && *v >= least && *v <= most)
        };
        let positive = f64::MIN_POSITIVE;
        Self {
            prefill_tokens_per_second: within(self.prefill_tokens_per_second, 1e-3, FASTEST),
            decode_tokens_per_second: within(self.decode_tokens_per_second, 1e-3, FASTEST),
            first_token_seconds: within(self.first_token_seconds, 0.0, LONGEST),
            load_seconds: within(self.load_seconds, 0.0, LONGEST),
            held_seconds: within(self.held_seconds, 0.0, LONGEST),
            bytes_per_token: within(self.bytes_per_token, 0.1, 1000.0),
            prompt_tokens: within(self.prompt_tokens, 1.0, MOST_TOKENS),
            answer_tokens: within(self.answer_tokens, 1.0, MOST_TOKENS),
            share_of_64: within(self.share_of_64, positive, 1.5),
            share_of_512: within(self.share_of_512, positive, 1.5),
            share_of_4096: within(self.share_of_4096, positive, 1.5),
        }
    }

    /// To three digits: what differs less has not changed.
    #[must_use]
    pub fn rounded(self) -> Self {
        let three = |value: Option<f64>| value.map(round);
        Self {
            prefill_tokens_per_second: three(self.prefill_tokens_per_second),
            decode_tokens_per_second: three(self.decode_tokens_per_second),
            first_token_seconds: three(self.first_token_seconds),
            load_seconds: three(self.load_seconds),
            held_seconds: three(self.held_seconds),
            bytes_per_token: three(self.bytes_per_token),
            prompt_tokens: three(self.prompt_tokens),
            answer_tokens: three(self.answer_tokens),
            share_of_64: three(self.share_of_64),
            share_of_512: three(self.share_of_512),
            share_of_4096: three(self.share_of_4096),
        }
    }

    /// What is known here, and beside it what only `other` knows.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            prefill_tokens_per_second: self.prefill_tokens_per_second.or(other.prefill_tokens_per_second),
            decode_tokens_per_second: self.decode_tokens_per_second.or(other.decode_tokens_per_second),
            first_token_seconds: self.first_token_seconds.or(other.first_token_seconds),
            load_seconds: self.load_seconds.or(other.load_seconds),
            held_seconds: self.held_seconds.or(other.held_seconds),
            bytes_per_token: self.bytes_per_token.or(other.bytes_per_token),
            prompt_tokens: self.prompt_tokens.or(other.prompt_tokens),
            answer_tokens: self.answer_tokens.or(other.answer_tokens),
            share_of_64: self.share_of_64.or(other.share_of_64),
            share_of_512: self.share_of_512.or(other.share_of_512),
            share_of_4096: self.share_of_4096.or(other.share_of_4096),
        }
    }
}

fn round(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    // Through text, so that the file shows 65.2 and not 65.200000000000003.
    format!("{value:.2e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_left_out_and_the_rest_stays() {
        let odd = Estimate {
            prefill_tokens_per_second: Some(-5.0),
            decode_tokens_per_second: Some(65.0),
            first_token_seconds: Some(f64::NAN),
            load_seconds: Some(1e12),
            share_of_64: Some(40.0),
            ..Estimate::default()
        };
        let kept = Estimate {
            decode_tokens_per_second: Some(65.0),
            ..Estimate::default()
        };
        assert_eq!(odd.plausible(), kept);
    }

    #[test]
    fn a_difference_behind_the_third_digit_is_none() {
        let of = |decode| {
            Estimate {
                decode_tokens_per_second: Some(decode),
                ..Estimate::default()
            }
            .rounded()
        };
        assert_eq!(of(65.2341), of(65.2499));
        assert_eq!(of(65.2341).decode_tokens_per_second, Some(65.2));
        assert_ne!(of(65.2), of(65.3));
        assert_eq!(of(0.0).decode_tokens_per_second, Some(0.0));
    }
}
