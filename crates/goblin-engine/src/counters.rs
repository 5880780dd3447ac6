//! What the engine has done, counted where it happens, so that tests and metrics can tell work from reuse.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Totals since the engine started, unless said otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineCounters {
    /// Calls of llama.cpp's decode.
    pub decode_steps: u64,
    /// Tokens evaluated, prompts and answers together.
    pub evaluated_tokens: u64,
    /// Of those, tokens of prompts.
    pub prefill_tokens: u64,
    /// Prompt tokens that were not evaluated because a sequence held them.
    pub cached_tokens: u64,
    /// Tokens generated.
    pub generated_tokens: u64,
    /// Most sequences that generated in one step.
    pub widest_step: u64,
    /// Turns of the decode thread's loop. They stand still while there is nothing to do.
    pub loop_turns: u64,
    /// Tokens in the context that belong to nobody now, kept for a next turn.
    pub idle_tokens: u64,
}

/// The counters and rates, written by the decode thread and read by anybody.
#[derive(Debug, Default)]
pub(crate) struct Counting {
    pub(crate) decode_steps: AtomicU64,
    pub(crate) evaluated_tokens: AtomicU64,
    pub(crate) prefill_tokens: AtomicU64,
    pub(crate) cached_tokens: AtomicU64,
    pub(crate) generated_tokens: AtomicU64,
    pub(crate) widest_step: AtomicU64,
    pub(crate) loop_turns: AtomicU64,
    pub(crate) idle_tokens: AtomicU64,
    /// Tokens per second as bits of an `f64`; 0 before the first measurement.
    decode_rate: AtomicU64,
    prefill_rate: AtomicU64,
}

/// Weight of the newest measurement in the moving average.
const NEWEST: f64 = 0.2;

impl Counting {
    pub(crate) fn read(&self) -> EngineCounters {
        let get = |a: &AtomicU64| a.load(Ordering::SeqCst);
        EngineCounters {
            decode_steps: get(&self.decode_steps),
            evaluated_tokens: get(&self.evaluated_tokens),
            prefill_tokens: get(&self.prefill_tokens),
            cached_tokens: get(&self.cached_tokens),
            generated_tokens: get(&self.generated_tokens),
            widest_step: get(&self.widest_step),
            loop_turns: get(&self.loop_turns),
            idle_tokens: get(&self.idle_tokens),
        }
    }

    /// A step that took `took` evaluated `prompt` prompt tokens and one token for each of `answers` streams.
    pub(crate) fn step(&self, prompt: usize, answers: usize, took: Duration) {
        self.decode_steps.fetch_add(1, Ordering::SeqCst);
        self.evaluated_tokens
            .fetch_add((prompt + answers) as u64, Ordering::SeqCst);
        self.prefill_tokens.fetch_add(prompt as u64, Ordering::SeqCst);
        self.widest_step.fetch_max(answers as u64, Ordering::SeqCst);
        let seconds = took.as_secs_f64().max(1e-6);
        if prompt > 0 {
            // A few tokens at the end of a prompt say nothing about the rate.
            if prompt >= 16 {
                average(&self.prefill_rate, prompt as f64 / seconds);
            }
        } else if answers > 0 {
            average(&self.decode_rate, 1.0 / seconds);
        }
    }

    /// Tokens per second of one stream.
    pub(crate) fn decode_rate(&self) -> Option<f64> {
        rate(&self.decode_rate)
    }

    /// Prompt tokens per second.
    pub(crate) fn prefill_rate(&self) -> Option<f64> {
        rate(&self.prefill_rate)
    }
}

fn rate(bits: &AtomicU64) -> Option<f64> {
    Some(f64::from_bits(bits.load(Ordering::Relaxed))).filter(|r| *r > 0.0)
}

/// Only the decode thread writes, so load and store need not be one operation.
fn average(bits: &AtomicU64, measured: f64) {
    let new = rate(bits).map_or(measured, |old| old + NEWEST * (measured - old));
    bits.store(new.to_bits(), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_averages_of_their_own_kind_of_step() {
        let counting = Counting::default();
        assert_eq!(counting.decode_rate(), None);
        counting.step(0, 3, Duration::from_millis(100));
        counting.step(100, 3, Duration::from_secs(1));
        assert!((counting.decode_rate().unwrap() - 10.0).abs() < 1e-9);
        assert!((counting.prefill_rate().unwrap() - 100.0).abs() < 1e-9);
        counting.step(0, 1, Duration::from_millis(50));
        assert!((counting.decode_rate().unwrap() - 12.0).abs() < 1e-9);
        let all = counting.read();
        assert_eq!(
            (all.decode_steps, all.evaluated_tokens, all.widest_step),
            (3, 107, 3)
        );
    }
}
