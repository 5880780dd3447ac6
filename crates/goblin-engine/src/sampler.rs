//! Choosing the next token from the logits.
//!
//! The order is llama.cpp's: logit bias and penalties, grammar, top-k, top-p, min-p, temperature, draw.
//! What is not asked for is not computed: a greedy answer reads the vocabulary once and allocates nothing.

use std::collections::{HashMap, VecDeque};

use goblin_core::chat::Sampling;
use llama_cpp_2::sampling::LlamaSampler;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::token::data::LlamaTokenData;
use llama_cpp_2::token::data_array::LlamaTokenDataArray;

use crate::sequence::Token;

/// Temperature when the request names none (llama.cpp `common_params_sampling.temp`).
pub const DEFAULT_TEMPERATURE: f32 = 0.8;
/// Top-k when the request names none (llama.cpp `common_params_sampling.top_k`).
pub const DEFAULT_TOP_K: u32 = 40;
/// Top-p when the request names none (llama.cpp `common_params_sampling.top_p`).
pub const DEFAULT_TOP_P: f32 = 0.95;
/// Min-p when the request names none (llama.cpp `common_params_sampling.min_p`).
pub const DEFAULT_MIN_P: f32 = 0.05;
/// How many of the last tokens the repeat penalty looks at (llama.cpp `penalty_last_n`).
pub const REPEAT_WINDOW: usize = 64;
/// How many of the likeliest tokens are tried against a grammar before the whole vocabulary is.
const GRAMMAR_FIRST_TRY: usize = 64;

/// A token and its logit.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Candidate {
    token: Token,
    logit: f32,
}

/// Memory that is used again for every token of every sequence.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    logits: Vec<f32>,
    candidates: Vec<Candidate>,
}

/// A token's natural log-probability over the full vocabulary, and its likeliest rivals.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Likelihood {
    pub(crate) chosen: f32,
    /// Likeliest first.
    pub(crate) top: Vec<(Token, f32)>,
}

/// A chosen token.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pick {
    pub(crate) token: Token,
    pub(crate) likelihood: Option<Likelihood>,
}

/// How one answer chooses its tokens. Holds the state that depends on what was chosen before.
pub(crate) struct Sampler {
    temperature: f32,
    top_k: usize,
    top_p: f32,
    min_p: f32,
    presence: f32,
    frequency: f32,
    repeat: f32,
    bias: Vec<(usize, f32)>,
    grammar: Option<LlamaSampler>,
    logprobs: Option<usize>,
    random: SplitMix64,
    /// How often each token was generated.
    counts: HashMap<Token, u32>,
    /// The last tokens of prompt and answer.
    recent: VecDeque<Token>,
}

impl Sampler {
    /// As `sampling` asks, holding to `grammar` if there is one. `prompt` feeds the repeat penalty.
    pub(crate) fn new(sampling: &Sampling, grammar: Option<LlamaSampler>, prompt: &[Token]) -> Self {
        let recent = prompt[prompt.len().saturating_sub(REPEAT_WINDOW)..]
            .iter()
            .copied()
            .collect();
        Self {
            temperature: sampling.temperature.unwrap_or(DEFAULT_TEMPERATURE),
            top_k: sampling.top_k.unwrap_or(DEFAULT_TOP_K) as usize,
            top_p: sampling.top_p.unwrap_or(DEFAULT_TOP_P),
            min_p: sampling.min_p.unwrap_or(DEFAULT_MIN_P),
            presence: sampling.presence_penalty.unwrap_or(0.0),
            frequency: sampling.frequency_penalty.unwrap_or(0.0),
            repeat: sampling.repeat_penalty.unwrap_or(1.0),
            bias: sampling
                .logit_bias
                .iter()
                .map(|(t, b)| (*t as usize, *b))
                .collect(),
            grammar,
            logprobs: sampling.logprobs.map(usize::from),
            random: SplitMix64::new(sampling.seed.unwrap_or_else(random_seed)),
            counts: HashMap::new(),
            recent,
        }
    }

    /// Chooses a token from `raw`, the logits of the whole vocabulary. `None`: the grammar allows nothing.
    pub(crate) fn pick(&mut self, raw: &[f32], scratch: &mut Scratch) -> Option<Pick> {
        let mut logits = std::mem::take(&mut scratch.logits);
        let adjusted = if self.changes_logits() {
            logits.clear();
            logits.extend_from_slice(raw);
            self.adjust(&mut logits);
            logits.as_slice()
        } else {
            raw
        };
        let token = self.choose(adjusted, scratch);
        scratch.logits = logits;
        let token = token?;
        self.accept(token);
        let likelihood = self.logprobs.map(|n| likelihood(raw, token, n));
        Some(Pick { token, likelihood })
    }

    fn changes_logits(&self) -> bool {
        !self.bias.is_empty()
            || (self.repeat != 1.0 && self.repeat > 0.0)
            || ((self.presence != 0.0 || self.frequency != 0.0) && !self.counts.is_empty())
    }

    /// Logit bias, OpenAI's presence and frequency penalties over the answer so far, and llama.cpp's repeat
    /// penalty over the last [`REPEAT_WINDOW`] tokens.
    fn adjust(&self, logits: &mut [f32]) {
        for (token, bias) in &self.bias {
            if let Some(logit) = logits.get_mut(*token) {
                *logit += bias;
            }
        }
        if self.presence != 0.0 || self.frequency != 0.0 {
            for (token, count) in &self.counts {
                if let Some(logit) = logits.get_mut(*token as usize) {
                    *logit -= self.presence + self.frequency * *count as f32;
                }
            }
        }
        if self.repeat != 1.0 && self.repeat > 0.0 {
            let mut seen: Vec<Token> = self.recent.iter().copied().collect();
            seen.sort_unstable();
            seen.dedup();
            for token in seen {
                if let Some(logit) = logits.get_mut(token as usize) {
                    // As in the CTRL paper: division would make a negative logit likelier.
                    *logit = if *logit > 0.0 {
                        *logit / self.repeat
                    } else {
                        *logit * self.repeat
                    };
                }
            }
        }
    }

    fn choose(&mut self, logits: &[f32], scratch: &mut Scratch) -> Option<Token> {
        let free = self.draw(logits, scratch);
        if self.allows(free) {
            return Some(free);
        }
        // The free choice breaks the grammar. A greedy answer wants the likeliest allowed token, which is
        // nearly always among the first few.
        if self.temperature <= 0.0 {
            top_k(logits, GRAMMAR_FIRST_TRY, &mut scratch.candidates);
            self.keep_allowed(&mut scratch.candidates);
            if let Some(first) = scratch.candidates.first() {
                return Some(first.token);
            }
        }
        everything(logits, &mut scratch.candidates);
        self.keep_allowed(&mut scratch.candidates);
        if scratch.candidates.is_empty() {
            return None;
        }
        sort(&mut scratch.candidates);
        if self.temperature <= 0.0 {
            return Some(scratch.candidates[0].token);
        }
        if self.top_k > 0 {
            scratch.candidates.truncate(self.top_k);
        }
        Some(self.draw_from(&mut scratch.candidates))
    }

    /// Chooses without a grammar.
    fn draw(&mut self, logits: &[f32], scratch: &mut Scratch) -> Token {
        if self.temperature <= 0.0 || self.top_k == 1 {
            return argmax(logits);
        }
        let candidates = &mut scratch.candidates;
        if self.top_k > 0 && self.top_k < logits.len() {
            top_k(logits, self.top_k, candidates);
        } else {
            everything(logits, candidates);
            if self.top_p < 1.0 || self.min_p > 0.0 {
                sort(candidates);
            }
        }
        self.draw_from(candidates)
    }

    /// Top-p, min-p, temperature and the draw, over `candidates` (likeliest first where top-p or min-p are
    /// on; never empty).
    fn draw_from(&mut self, candidates: &mut Vec<Candidate>) -> Token {
        let most = candidates
            .iter()
            .map(|c| c.logit)
            .fold(f32::NEG_INFINITY, f32::max);
        if self.top_p < 1.0 {
            let total: f64 = candidates.iter().map(|c| f64::from(c.logit - most).exp()).sum();
            let mut sum = 0.0;
            let mut keep = 0;
            for candidate in candidates.iter() {
                keep += 1;
                sum += f64::from(candidate.logit - most).exp() / total;
                if sum >= f64::from(self.top_p) {
                    break;
                }
            }
            candidates.truncate(keep);
        }
        if self.min_p > 0.0 {
            let floor = most + self.min_p.ln();
            candidates.retain(|c| c.logit >= floor);
        }
        let weight = |c: &Candidate| (f64::from(c.logit - most) / f64::from(self.temperature)).exp();
        let total: f64 = candidates.iter().map(weight).sum();
        let mut left = self.random.unit() * total;
        for candidate in candidates.iter() {
            left -= weight(candidate);
            if left <= 0.0 {
                return candidate.token;
            }
        }
        candidates.last().map_or(0, |c| c.token)
    }

    fn allows(&mut self, token: Token) -> bool {
        let Some(grammar) = &mut self.grammar else {
            return true;
        };
        let one = LlamaTokenData::new(LlamaToken(token), 0.0, 0.0);
        let mut array = LlamaTokenDataArray::new(vec![one], false);
        grammar.apply(&mut array);
        array.data.first().is_some_and(|d| d.logit() > f32::NEG_INFINITY)
    }

    fn keep_allowed(&mut self, candidates: &mut Vec<Candidate>) {
        let Some(grammar) = &mut self.grammar else { return };
        let data = candidates
            .iter()
            .map(|c| LlamaTokenData::new(LlamaToken(c.token), c.logit, 0.0));
        let mut array = LlamaTokenDataArray::from_iter(data, false);
        grammar.apply(&mut array);
        candidates.clear();
        candidates.extend(
            array
                .data
                .iter()
                .filter(|d| d.logit() > f32::NEG_INFINITY)
                .map(|d| Candidate {
                    token: d.id().0,
                    logit: d.logit(),
                }),
        );
    }

    fn accept(&mut self, token: Token) {
        if let Some(grammar) = &mut self.grammar
            && let Err(error) = grammar.try_accept(LlamaToken(token))
        {
            // The token was allowed a moment ago, so this is a contradiction inside llama.cpp; the answer
            // goes on without the constraint rather than taking the process down.
            tracing::warn!(%error, "the grammar refused a token it had allowed");
            self.grammar = None;
        }
        *self.counts.entry(token).or_default() += 1;
        if self.recent.len() >= REPEAT_WINDOW {
            self.recent.pop_front();
        }
        self.recent.push_back(token);
    }
}

/// The index of the largest logit; the first of equals.
fn argmax(logits: &[f32]) -> Token {
    // Two passes that vectorise are several times faster than one that compares pairs.
    let mut lanes = [f32::NEG_INFINITY; 8];
    let chunks = logits.chunks_exact(8);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, logit) in lanes.iter_mut().zip(chunk) {
            *lane = if *logit > *lane { *logit } else { *lane };
        }
    }
    let most = lanes
        .iter()
        .chain(rest)
        .copied()
        .fold(f32::NEG_INFINITY, f32::max);
    let at = logits.iter().position(|l| *l == most).unwrap_or(0);
    Token::try_from(at).unwrap_or(0)
}

/// The `k` largest logits, largest first, into `out`.
fn top_k(logits: &[f32], k: usize, out: &mut Vec<Candidate>) {
    out.clear();
    let room = (k * 2).max(128);
    let mut floor = f32::NEG_INFINITY;
    for (token, logit) in (0..).zip(logits) {
        if *logit > floor {
            out.push(Candidate { token, logit: *logit });
            if out.len() >= room {
                cut(out, k);
                floor = out.iter().map(|c| c.logit).fold(f32::INFINITY, f32::min);
            }
        }
    }
    cut(out, k);
    sort(out);
    if out.is_empty() {
        out.push(Candidate { token: 0, logit: 0.0 });
    }
}

fn cut(out: &mut Vec<Candidate>, k: usize) {
    if out.len() > k {
        out.select_nth_unstable_by(k, order);
        out.truncate(k);
    }
}

fn everything(logits: &[f32], out: &mut Vec<Candidate>) {
    out.clear();
    out.extend(
        (0..)
            .zip(logits)
            .map(|(token, logit)| Candidate { token, logit: *logit }),
    );
}

fn sort(candidates: &mut [Candidate]) {
    candidates.sort_unstable_by(order);
}

/// Likeliest first; equals by number, so that the result does not depend on how it was sorted.
fn order(a: &Candidate, b: &Candidate) -> std::cmp::Ordering {
    b.logit.total_cmp(&a.logit).then(a.token.cmp(&b.token))
}

/// The natural logarithm of the sum of all exponentials of `logits`: what turns a logit into a
/// log-probability.
pub(crate) fn log_sum(logits: &[f32]) -> f64 {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|l| f64::from((l - most).exp())).sum();
    f64::from(most) + sum.ln()
}

fn likelihood(raw: &[f32], token: Token, rivals: usize) -> Likelihood {
    let total = log_sum(raw);
    let of = |logit: f32| ((f64::from(logit) - total) as f32).min(0.0);
    let chosen = raw.get(token as usize).map_or(f32::NEG_INFINITY, |l| of(*l));
    let mut top = Vec::new();
    if rivals > 0 {
        top_k(raw, rivals, &mut top);
    }
    Likelihood {
        chosen,
        top: top.iter().map(|c| (c.token, of(c.logit))).collect(),
    }
}

/// A seed nobody chose: the standard library's hasher is seeded from the system's randomness.
fn random_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new()
        .build_hasher()
        .finish()
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, fast and good enough to draw tokens; the same seed gives the
/// same draws on every machine.
#[derive(Debug)]
struct SplitMix64(u64);

impl SplitMix64 {
    fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 (included) to 1 (excluded).
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampler(sampling: Sampling) -> Sampler {
        Sampler::new(&sampling, None, &[])
    }

    fn greedy() -> Sampling {
        Sampling {
            temperature: Some(0.0),
            ..Sampling::default()
        }
    }

    /// 1,000 logits without order; the largest is at 617.
    fn logits() -> Vec<f32> {
        let mut random = SplitMix64::new(1);
        let mut out: Vec<f32> = (0..1000).map(|_| random.unit() as f32 * 8.0).collect();
        out[617] = 9.0;
        out
    }

    fn token(sampling: Sampling, logits: &[f32]) -> Token {
        sampler(sampling)
            .pick(logits, &mut Scratch::default())
            .unwrap()
            .token
    }

    #[test]
    fn temperature_zero_takes_the_likeliest() {
        assert_eq!(token(greedy(), &logits()), 617);
        assert_eq!(argmax(&[1.0, 3.0, 3.0]), 1);
        assert_eq!(argmax(&[f32::NAN, 1.0]), 1);
        assert_eq!(argmax(&[]), 0);
    }

    #[test]
    fn top_k_agrees_with_a_full_sort() {
        let logits = logits();
        let mut sorted = Vec::new();
        everything(&logits, &mut sorted);
        sort(&mut sorted);
        for k in [1, 2, 40, 64, 65, 500, 999, 1000, 2000] {
            let mut found = Vec::new();
            top_k(&logits, k, &mut found);
            assert_eq!(found, sorted[..k.min(1000)], "k = {k}");
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_tokens() {
        let draw = |seed| {
            let mut s = sampler(Sampling {
                seed: Some(seed),
                temperature: Some(1.5),
                ..Sampling::default()
            });
            let mut scratch = Scratch::default();
            (0..20)
                .map(|_| s.pick(&logits(), &mut scratch).unwrap().token)
                .collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn draws_follow_the_probabilities() {
        let logits = [0.0, 2.0f32.ln(), 1.0f32.ln() - 100.0];
        let mut s = sampler(Sampling {
            seed: Some(3),
            temperature: Some(1.0),
            top_p: Some(1.0),
            top_k: Some(0),
            min_p: Some(0.0),
            ..Sampling::default()
        });
        let mut scratch = Scratch::default();
        let ones = (0..3000)
            .filter(|_| s.pick(&logits, &mut scratch).unwrap().token == 1)
            .count();
        assert!(
            (1850..2150).contains(&ones),
            "{ones} of 3000, expected about 2000"
        );
    }

    #[test]
    fn top_p_and_min_p_leave_only_the_likely() {
        let logits = [5.0, 4.9, 0.0, -1.0];
        for sampling in [
            Sampling {
                top_p: Some(0.5),
                top_k: Some(0),
                min_p: Some(0.0),
                ..Sampling::default()
            },
            Sampling {
                top_p: Some(1.0),
                top_k: Some(0),
                min_p: Some(0.95),
                ..Sampling::default()
            },
        ] {
            let sampling = Sampling {
                temperature: Some(2.0),
                seed: Some(1),
                ..sampling
            };
            let mut s = sampler(sampling);
            let mut scratch = Scratch::default();
            assert!((0..200).all(|_| s.pick(&logits, &mut scratch).unwrap().token == 0));
        }
    }

    #[test]
    fn bias_forbids_and_forces() {
        let ban = Sampling {
            logit_bias: vec![(617, -100.0)],
            ..greedy()
        };
        assert_ne!(token(ban, &logits()), 617);
        let force = Sampling {
            logit_bias: vec![(3, 100.0)],
            ..greedy()
        };
        assert_eq!(token(force, &logits()), 3);
    }

    #[test]
    fn penalties_lower_what_was_said() {
        let logits = [2.0, 1.9];
        for sampling in [
            Sampling {
                presence_penalty: Some(1.0),
                ..greedy()
            },
            Sampling {
                frequency_penalty: Some(1.0),
                ..greedy()
            },
            Sampling {
                repeat_penalty: Some(1.5),
                ..greedy()
            },
        ] {
            let mut s = sampler(sampling);
            let mut scratch = Scratch::default();
            assert_eq!(s.pick(&logits, &mut scratch).unwrap().token, 0);
            assert_eq!(s.pick(&logits, &mut scratch).unwrap().token, 1);
        }
        let mut from_prompt = Sampler::new(
            &Sampling {
                repeat_penalty: Some(1.5),
                ..greedy()
            },
            None,
            &[0],
        );
        assert_eq!(
            from_prompt.pick(&logits, &mut Scratch::default()).unwrap().token,
            1
        );
    }

    #[test]
    fn log_probabilities_are_raw_and_sum_to_one() {
        let logits = logits();
        let sampling = Sampling {
            logprobs: Some(20),
            logit_bias: vec![(5, 100.0)],
            ..greedy()
        };
        let pick = sampler(sampling).pick(&logits, &mut Scratch::default()).unwrap();
        let likelihood = pick.likelihood.unwrap();
        assert_eq!(pick.token, 5);
        assert_eq!(
            likelihood.top[0].0, 617,
            "bias must not show in the probabilities"
        );
        assert!(likelihood.top.is_sorted_by(|a, b| a.1 >= b.1));
        let all: f64 = logits
            .iter()
            .map(|l| (f64::from(*l) - log_sum(&logits)).exp())
            .sum();
        assert!((all - 1.0).abs() < 1e-5);
    }
}
