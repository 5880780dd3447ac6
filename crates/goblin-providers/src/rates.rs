//! How fast a server was lately.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use goblin_core::event::Spent;

/// How much the newest answer counts.
const NEWEST: f64 = 0.2;
/// Fewer tokens say nothing about speed.
const LEAST_TOKENS: u32 = 8;

/// Tokens per second, smoothed over the answers.
#[derive(Debug, Default)]
pub(crate) struct Rates(Mutex<(Option<f64>, Option<f64>)>);

impl Rates {
    /// Takes an answer's figures in.
    pub(crate) fn learn(&self, spent: &Spent) {
        let mut rates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let evaluated = spent
            .usage
            .prompt_tokens
            .saturating_sub(spent.usage.cached_tokens);
        smooth(&mut rates.0, spent.usage.completion_tokens, spent.eval);
        smooth(&mut rates.1, evaluated, spent.prompt_eval);
    }

    /// What a server measured itself, before there is anything of ours.
    pub(crate) fn begin_with(&self, decode: Option<f64>, prefill: Option<f64>) {
        let mut rates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rates.0 = rates.0.or(decode);
        rates.1 = rates.1.or(prefill);
    }

    /// Tokens per second: generated, and of prompts evaluated.
    pub(crate) fn now(&self) -> (Option<f64>, Option<f64>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn smooth(rate: &mut Option<f64>, tokens: u32, time: Duration) {
    if tokens < LEAST_TOKENS || time.is_zero() {
        return;
    }
    let new = f64::from(tokens) / time.as_secs_f64();
    *rate = Some(rate.map_or(new, |old| old + NEWEST * (new - old)));
}
