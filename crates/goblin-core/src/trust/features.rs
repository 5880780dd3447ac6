//! How likely an answer's own tokens were, summed up while it streams: smallest, low quantiles, mean, entropy.
//!
//! Quantiles and never the sum, which only says how long the answer is ([2404.10136](https://arxiv.org/abs/2404.10136)).
//! They are read from a histogram: one addition a token, no sorting, the same memory for any length. Its bins are even
//! in the square root of −ln p, so that they are finest near certainty, where most tokens are: the error is below
//! 0.001 nats at p = 0.999 and below 0.05 nats at p = 0.02.

use crate::event::TokenLogprob;
use crate::trace::TokenFeatures;

/// Bins of the histogram.
const BINS: usize = 512;
/// What is less likely than e to the power of this counts as this likely; servers write −9999 for "never".
const LEAST: f64 = -36.0;

/// Log-probabilities of one answer, so far.
#[derive(Clone, Debug, Default)]
pub struct TokenStats {
    tokens: u32,
    min: f64,
    sum: f64,
    entropy: f64,
    with_rivals: u32,
    /// Made at the first token: 2 KiB.
    bins: Option<Box<[u32; BINS]>>,
}

impl TokenStats {
    /// Takes the next token. One without a probability (not a number) is left out.
    pub fn push(&mut self, token: &TokenLogprob) {
        let logprob = f64::from(token.chosen.logprob);
        if logprob.is_nan() {
            return;
        }
        let logprob = logprob.clamp(LEAST, 0.0);
        self.min = if self.tokens == 0 {
            logprob
        } else {
            self.min.min(logprob)
        };
        self.tokens += 1;
        self.sum += logprob;
        let bins = self.bins.get_or_insert_with(|| Box::new([0; BINS]));
        if let Some(bin) = bins.get_mut(bin_of(logprob)) {
            *bin += 1;
        }
        if let Some(entropy) = entropy(token) {
            self.entropy += entropy;
            self.with_rivals += 1;
        }
    }

    /// Tokens seen.
    pub fn tokens(&self) -> u32 {
        self.tokens
    }

    /// What they come to; nothing without a token.
    pub fn features(&self) -> Option<TokenFeatures> {
        let bins = self.bins.as_deref()?;
        let [p5, p10, p25] = self.quantiles(bins, [0.05, 0.10, 0.25]);
        Some(TokenFeatures {
            tokens: self.tokens,
            min: self.min,
            p5,
            p10,
            p25,
            mean: self.sum / f64::from(self.tokens),
            entropy: (self.with_rivals > 0).then(|| self.entropy / f64::from(self.with_rivals)),
        })
    }

    /// All of them in one pass, from the least likely bin on; `shares` ascend.
    fn quantiles(&self, bins: &[u32; BINS], shares: [f64; 3]) -> [f64; 3] {
        let mut found = [0.0; 3];
        let (mut seen, mut next) = (0_u32, 0);
        for (bin, count) in bins.iter().enumerate().rev().filter(|(_, c)| **c > 0) {
            seen += count;
            while let (Some(share), Some(slot)) = (shares.get(next), found.get_mut(next)) {
                if f64::from(seen) < share * f64::from(self.tokens) {
                    break;
                }
                *slot = middle_of(bin).max(self.min);
                next += 1;
            }
        }
        found
    }
}

fn bin_of(logprob: f64) -> usize {
    let place = (logprob / LEAST).sqrt() * BINS as f64;
    (place as usize).min(BINS - 1)
}

fn middle_of(bin: usize) -> f64 {
    LEAST * ((bin as f64 + 0.5) / BINS as f64).powi(2)
}

/// Entropy in nats over the rivals reported and, as one more, everything that was not.
fn entropy(token: &TokenLogprob) -> Option<f64> {
    if token.top_logprobs.len() < 2 {
        return None;
    }
    let term = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
    let known = token.top_logprobs.iter().map(|rival| {
        let p = f64::from(rival.logprob).exp();
        if p.is_nan() { 0.0 } else { p.min(1.0) }
    });
    let (sum, total) = known.fold((0.0, 0.0), |(sum, total), p| (sum + term(p), total + p));
    Some(sum + term((1.0 - total).clamp(0.0, 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::TopLogprob;
    use proptest::prelude::*;

    fn token(logprob: f32, rivals: &[f32]) -> TokenLogprob {
        let top = |logprob| TopLogprob {
            token: String::new(),
            logprob,
            bytes: None,
        };
        TokenLogprob {
            chosen: top(logprob),
            top_logprobs: rivals.iter().copied().map(top).collect(),
        }
    }

    fn features(logprobs: &[f32]) -> TokenFeatures {
        let mut stats = TokenStats::default();
        for logprob in logprobs {
            stats.push(&token(*logprob, &[]));
        }
        stats.features().unwrap()
    }

    #[test]
    fn an_answer_without_probabilities_has_no_features() {
        assert_eq!(TokenStats::default().features(), None);
        let mut stats = TokenStats::default();
        stats.push(&token(f32::NAN, &[]));
        assert_eq!((stats.tokens(), stats.features()), (0, None));
    }

    #[test]
    fn the_length_of_an_answer_changes_nothing() {
        let once = features(&[-0.1, -0.2, -3.0, -0.05]);
        let often = features(&[-0.1, -0.2, -3.0, -0.05].repeat(1000));
        assert_eq!(
            (once.min, once.p5, once.p10, once.p25),
            (often.min, often.p5, often.p10, often.p25)
        );
        assert!((once.mean - often.mean).abs() < 1e-6);
        assert_eq!(often.tokens, 4000);
    }

    #[test]
    fn never_and_more_than_certain_are_kept_within_bounds() {
        let found = features(&[f32::NEG_INFINITY, -9999.0, 0.5, 0.0]);
        assert_eq!(found.min, LEAST);
        assert!(found.mean.is_finite() && found.p25.is_finite());
    }

    #[test]
    fn entropy_is_that_of_the_rivals_and_the_rest() {
        let mut stats = TokenStats::default();
        let half = 0.5_f32.ln();
        stats.push(&token(half, &[half, half]));
        let entropy = stats.features().unwrap().entropy.unwrap();
        assert!((entropy - 2.0_f64.ln()).abs() < 1e-6);
        stats.push(&token(-0.1, &[]));
        assert_eq!(
            stats.features().unwrap().entropy,
            Some(entropy),
            "no rivals, no entropy"
        );
    }

    proptest! {
        #[test]
        fn quantiles_are_those_of_the_sorted_tokens(logprobs in proptest::collection::vec(-30.0_f32..0.0, 1..400)) {
            let found = features(&logprobs);
            let mut sorted = logprobs.clone();
            sorted.sort_by(f32::total_cmp);
            for (share, value) in [(0.05, found.p5), (0.10, found.p10), (0.25, found.p25)] {
                let rank = ((share * sorted.len() as f64).ceil() as usize).max(1) - 1;
                let exact = f64::from(sorted[rank]);
                // One bin at −x nats is about √(36·x) / 256 nats wide.
                prop_assert!((value - exact).abs() <= 0.13, "{share}: {value} instead of {exact}");
            }
            prop_assert!(found.min <= found.p5 && found.p5 <= found.p10 && found.p10 <= found.p25);
        }
    }
}
