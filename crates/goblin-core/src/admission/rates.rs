//! What finished answers taught about one model on one server, and what that says about the next answer.

use std::time::Duration;

use super::estimate::Estimate;

/// Weight of the newest observation in a running mean.
const ALPHA: f64 = 0.2;
/// What is left of an old observation's weight when a new one comes, in the fit of first tokens.
const KEEP: f64 = 0.95;
/// Tokens of an answer nothing is known about.
const USUAL_ANSWER: f64 = 200.0;
/// Weight of observations below which nothing was seen.
const LEAST_SEEN: f64 = 0.5;
/// Seconds an answer is taken to need when nothing at all is known.
const USUAL_SECONDS: f64 = 5.0;
/// Bytes per second a model is assumed to load at until it was measured: optimistic, so that a caller with a
/// deadline is not sent away by an assumption.
const LOAD_BYTES_PER_SECOND: f64 = 2e9;
/// Upper bounds of the classes answers are told apart by: their limit of tokens. The last class has none.
const CLASSES: [u32; 3] = [64, 512, 4096];

/// Prompts an expectation's line is drawn through, in tokens.
const DRAWN_THROUGH: [f64; 2] = [1.0, 512.0];
/// The weight of each of these, where a measured first token has the weight 1.
const DRAWN_WEIGHT: f64 = 0.5;

/// A running mean: plain over the first few observations, so that none of them lingers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Mean {
    value: Option<f64>,
    seen: u32,
}

impl Mean {
    /// What is expected counts as one observation.
    fn expecting(value: Option<f64>) -> Self {
        Self {
            value,
            seen: u32::from(value.is_some()),
        }
    }

    fn observe(&mut self, x: f64) {
        if x.is_finite() {
            self.seen = self.seen.saturating_add(1);
            let weight = (1.0 / f64::from(self.seen)).max(ALPHA);
            self.value = Some(self.value.map_or(x, |m| m + weight * (x - m)));
        }
    }
}

/// A straight line through decaying observations: seconds to the first token over prompt tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Line {
    n: f64,
    x: f64,
    y: f64,
    xx: f64,
    xy: f64,
}

impl Line {
    /// The line that is expected, until observations outweigh it.
    fn expecting(base: f64, per_token: f64) -> Self {
        let mut line = Self::default();
        for x in DRAWN_THROUGH {
            line.add(x, base + per_token * x, DRAWN_WEIGHT);
        }
        line
    }

    fn observe(&mut self, x: f64, y: f64) {
        for sum in [&mut self.n, &mut self.x, &mut self.y, &mut self.xx, &mut self.xy] {
            *sum *= KEEP;
        }
        self.add(x, y, 1.0);
    }

    fn add(&mut self, x: f64, y: f64, weight: f64) {
        self.n += weight;
        self.x += weight * x;
        self.y += weight * y;
        self.xx += weight * x * x;
        self.xy += weight * x * y;
    }

    /// Intercept and slope. Neither is ever negative. Prompts of about one size tell nothing of the slope: then all
    /// of the time is taken to grow with the prompt.
    fn fit(&self) -> Option<(f64, f64)> {
        if self.n < LEAST_SEEN {
            return None;
        }
        let spread = self.n * self.xx - self.x * self.x;
        if spread < 0.05 * self.x * self.x {
            return Some(if self.x > 0.0 {
                (0.0, self.y / self.x)
            } else {
                (self.y / self.n, 0.0)
            });
        }
        let slope = (self.n * self.xy - self.x * self.y) / spread;
        let intercept = (self.y - slope * self.x) / self.n;
        Some(if slope < 0.0 {
            (self.y / self.n, 0.0)
        } else if intercept < 0.0 {
            (0.0, self.xy / self.xx)
        } else {
            (intercept, slope)
        })
    }

    fn at(&self, x: f64) -> Option<f64> {
        self.fit().map(|(intercept, slope)| intercept + slope * x)
    }

    fn per_second(&self) -> Option<f64> {
        (self.x > 0.0 && self.y > 0.0).then(|| self.x / self.y)
    }
}

/// What the provider says of itself; used until something was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Prior {
    /// Prompt tokens per second.
    pub prefill: Option<f64>,
    /// Tokens per second of one answer.
    pub decode: Option<f64>,
    /// Bytes of the weights.
    pub size_bytes: Option<u64>,
}

/// What is about to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Tokens of the prompt, counted or estimated.
    pub prompt_tokens: u32,
    /// Most tokens to generate, where the request says; zero for what is answered in one piece.
    pub limit: Option<u32>,
    /// Must the model be brought into memory first?
    pub cold: bool,
}

/// What an answer showed. Parts that were not seen are absent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Seen {
    /// What was to be done, as it was estimated when it began.
    pub work: Work,
    /// Bytes of the prompt.
    pub prompt_bytes: usize,
    /// Tokens of the prompt, as the provider counted them.
    pub prompt_tokens: Option<u32>,
    /// Of the prompt: not evaluated, but taken from a cache.
    pub cached_tokens: u32,
    /// From the place to the first content.
    pub first_token: Option<Duration>,
    /// Tokens generated.
    pub completion_tokens: u32,
    /// From the first content to the last.
    pub generating: Duration,
    /// For an answer that came in one piece: how long that took. Its first token is not known then.
    pub held: Option<Duration>,
    /// Did it come to its own end? An answer cut short says nothing about how long answers are.
    pub whole: bool,
}

/// Everything learned about one instance.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    first: Line,
    seconds_per_token: Mean,
    /// For each class of [`CLASSES`]: the share of the limit that was used; last: tokens of answers without limit.
    lengths: [Mean; CLASSES.len() + 1],
    /// Of answers that came in one piece.
    held_seconds: Mean,
    load_seconds: Mean,
    prompt_tokens: Mean,
    bytes_per_token: Mean,
    /// Answers seen by this process.
    observed: u32,
}

fn class(limit: Option<u32>) -> usize {
    limit
        .and_then(|limit| CLASSES.iter().position(|most| limit <= *most))
        .unwrap_or(CLASSES.len())
}

impl Rates {
    /// Begins with what an earlier process or a benchmark found. It counts like one observation of each kind, so what
    /// is measured now soon outweighs it.
    pub fn expecting(known: &Estimate) -> Self {
        let known = known.plausible();
        let per_token = known.prefill_tokens_per_second.map(|rate| 1.0 / rate);
        let first = match (known.first_token_seconds, per_token) {
            (None, None) => Line::default(),
            (base, per_token) => Line::expecting(base.unwrap_or(0.0), per_token.unwrap_or(0.0)),
        };
        Self {
            first,
            seconds_per_token: Mean::expecting(known.decode_tokens_per_second.map(|rate| 1.0 / rate)),
            lengths: [
                known.share_of_64,
                known.share_of_512,
                known.share_of_4096,
                known.answer_tokens,
            ]
            .map(Mean::expecting),
            held_seconds: Mean::expecting(known.held_seconds),
            load_seconds: Mean::expecting(known.load_seconds),
            prompt_tokens: Mean::expecting(known.prompt_tokens),
            bytes_per_token: Mean::expecting(known.bytes_per_token),
            observed: 0,
        }
    }

    /// What is known now, for the next process. `None` until this one has seen an answer.
    pub fn estimate(&self) -> Option<Estimate> {
        if self.observed == 0 {
            return None;
        }
        let fit = self.first.fit();
        let [share_of_64, share_of_512, share_of_4096, answer_tokens] = self.lengths.map(|mean| mean.value);
        let per_second = |seconds: f64| (seconds > 0.0).then(|| 1.0 / seconds);
        let known = Estimate {
            prefill_tokens_per_second: fit.and_then(|(_, slope)| per_second(slope)),
            decode_tokens_per_second: self.seconds_per_token.value.and_then(per_second),
            first_token_seconds: fit.map(|(intercept, _)| intercept),
            load_seconds: self.load_seconds.value,
            held_seconds: self.held_seconds.value,
            bytes_per_token: self.bytes_per_token.value,
            prompt_tokens: self.prompt_tokens.value,
            answer_tokens,
            share_of_64,
            share_of_512,
            share_of_4096,
        };
        Some(known.plausible())
    }

    /// Has this process seen an answer?
    pub fn is_measured(&self) -> bool {
        self.observed > 0
    }

    /// Learns from an answer.
    pub fn observe(&mut self, seen: &Seen) {
        self.observed = self.observed.saturating_add(1);
        let Work { limit, cold, .. } = seen.work;
        let tokens = seen.prompt_tokens.unwrap_or(seen.work.prompt_tokens);
        if let Some(counted) = seen.prompt_tokens.filter(|t| *t > 0) {
            self.prompt_tokens.observe(f64::from(counted));
            if seen.prompt_bytes > 64 {
                self.bytes_per_token
                    .observe(seen.prompt_bytes as f64 / f64::from(counted));
            }
        }
        if let Some(first) = seen.first_token.map(|d| d.as_secs_f64()) {
            let evaluated = f64::from(tokens.saturating_sub(seen.cached_tokens).max(1));
            if cold {
                let warm = self.first.at(evaluated).unwrap_or(0.0);
                self.load_seconds.observe((first - warm).max(0.0));
            } else {
                self.first.observe(evaluated, first);
            }
        }
        if let Some(held) = seen.held.filter(|_| seen.whole) {
            self.held_seconds.observe(held.as_secs_f64());
        }
        if seen.completion_tokens >= 2 && seen.generating > Duration::ZERO {
            let each = seen.generating.as_secs_f64() / f64::from(seen.completion_tokens - 1);
            self.seconds_per_token.observe(each);
        }
        if seen.whole && seen.completion_tokens > 0 {
            let at = class(limit);
            let share = match limit {
                Some(limit) if at < CLASSES.len() => f64::from(limit.max(1)),
                _ => 1.0,
            };
            self.lengths[at].observe(f64::from(seen.completion_tokens) / share);
        }
    }

    /// Measured (else reported) prompt tokens per second.
    pub fn prefill(&self, prior: &Prior) -> Option<f64> {
        self.first.per_second().or(prior.prefill)
    }

    /// Measured (else reported) tokens per second of one answer.
    pub fn decode(&self, prior: &Prior) -> Option<f64> {
        let measured = self.seconds_per_token.value.filter(|s| *s > 0.0);
        measured.map(|s| 1.0 / s).or(prior.decode)
    }

    /// Has a first token been seen?
    pub fn has_seen_first_tokens(&self) -> bool {
        self.first.n >= LEAST_SEEN
    }

    /// Measured bytes of one token of a prompt.
    pub fn bytes_per_token(&self) -> Option<f64> {
        self.bytes_per_token.value
    }

    /// Tokens of the usual prompt.
    pub fn usual_prompt(&self) -> u32 {
        self.prompt_tokens.value.unwrap_or(USUAL_ANSWER) as u32
    }

    /// From having a place to the first token. `None` when nothing is known of it.
    pub fn first_token(&self, work: Work, prior: &Prior) -> Option<Duration> {
        let tokens = f64::from(work.prompt_tokens);
        let reported = prior.prefill.filter(|rate| *rate > 0.0).map(|rate| tokens / rate);
        let warm = self.first.at(tokens).or(reported);
        let load = work.cold.then(|| {
            let assumed = prior.size_bytes.map(|bytes| bytes as f64 / LOAD_BYTES_PER_SECOND);
            self.load_seconds.value.or(assumed).unwrap_or(0.0)
        });
        let seconds = match (warm, load) {
            (None, None) => return None,
            (warm, load) => warm.unwrap_or(0.0) + load.unwrap_or(0.0),
        };
        Some(seconds_to(seconds))
    }

    /// How long the whole answer will hold its place.
    pub fn hold(&self, work: Work, prior: &Prior) -> Duration {
        let first = self.first_token(work, prior);
        if work.limit == Some(0) {
            return first.unwrap_or(Duration::from_secs(1));
        }
        match self.decode(prior).filter(|rate| *rate > 0.0) {
            Some(rate) => seconds_to(self.length(work.limit) / rate) + first.unwrap_or_default(),
            None => seconds_to(self.held_seconds.value.unwrap_or(USUAL_SECONDS)),
        }
    }

    /// Expected tokens of an answer.
    fn length(&self, limit: Option<u32>) -> f64 {
        let at = class(limit);
        let most = limit.map_or(f64::INFINITY, f64::from);
        let expected = match (self.lengths[at].value, limit) {
            (Some(share), Some(limit)) if at < CLASSES.len() => share * f64::from(limit),
            (Some(tokens), _) => tokens,
            (None, _) => self.lengths[CLASSES.len()].value.unwrap_or(USUAL_ANSWER),
        };
        expected.min(most)
    }
}

fn seconds_to(seconds: f64) -> Duration {
    // A year is longer than anybody waits, and far from what a Duration cannot hold.
    Duration::from_secs_f64(seconds.clamp(0.0, 31_536_000.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: Duration, seconds: f64) -> bool {
        (a.as_secs_f64() - seconds).abs() < 0.02 * seconds.max(0.01)
    }

    fn answer(prompt: u32, tokens: u32, limit: Option<u32>) -> Seen {
        // 0.1 s of its own, 1,000 prompt tokens a second, 20 tokens a second.
        Seen {
            work: Work {
                prompt_tokens: prompt,
                limit,
                cold: false,
            },
            prompt_bytes: prompt as usize * 5,
            prompt_tokens: Some(prompt),
            first_token: Some(Duration::from_millis(100 + u64::from(prompt))),
            completion_tokens: tokens,
            generating: Duration::from_millis(50) * (tokens - 1),
            whole: true,
            ..Seen::default()
        }
    }

    fn ask(prompt_tokens: u32, limit: Option<u32>) -> Work {
        Work {
            prompt_tokens,
            limit,
            cold: false,
        }
    }

    #[test]
    fn the_first_token_is_predicted_from_prompts_of_other_sizes() {
        let mut rates = Rates::default();
        for prompt in [100, 2000, 500, 1000, 50, 3000] {
            rates.observe(&answer(prompt, 100, None));
        }
        for prompt in [10_u32, 800, 8000] {
            let told = rates.first_token(ask(prompt, None), &Prior::default()).unwrap();
            assert!(
                close(told, 0.1 + f64::from(prompt) / 1000.0),
                "{prompt}: {told:?}"
            );
        }
        assert!(
            close(rates.hold(ask(900, None), &Prior::default()), 1.0 + 100.0 / 20.2),
            "tokens after the first are timed"
        );
    }

    #[test]
    fn the_limit_of_a_request_says_how_long_its_answer_may_be() {
        let mut rates = Rates::default();
        for _ in 0..20 {
            rates.observe(&answer(100, 32, Some(64)));
            rates.observe(&answer(100, 500, Some(1000)));
        }
        let seconds = |limit| rates.hold(ask(100, limit), &Prior::default()).as_secs_f64() - 0.2;
        assert!(
            (seconds(Some(64)) - 1.6).abs() < 0.05,
            "half of the limit, as before"
        );
        assert!((seconds(Some(32)) - 0.8).abs() < 0.05);
        assert!((seconds(Some(1000)) - 25.0).abs() < 0.5);
        assert!(seconds(Some(0)) < 0.1, "nothing is generated");
    }

    #[test]
    fn what_the_provider_says_holds_until_something_was_measured() {
        let prior = Prior {
            prefill: Some(500.0),
            decode: Some(10.0),
            size_bytes: Some(4_000_000_000),
        };
        let mut rates = Rates::default();
        assert_eq!(rates.first_token(ask(1000, None), &Prior::default()), None);
        assert!(close(rates.first_token(ask(1000, None), &prior).unwrap(), 2.0));
        assert!(close(rates.hold(ask(1000, Some(50)), &prior), 7.0));
        rates.observe(&answer(1000, 50, None));
        assert!(close(rates.first_token(ask(1000, None), &prior).unwrap(), 1.1));
    }

    #[test]
    fn what_an_earlier_process_knew_holds_and_is_soon_outweighed() {
        let known = Estimate {
            prefill_tokens_per_second: Some(500.0),
            decode_tokens_per_second: Some(10.0),
            first_token_seconds: Some(0.5),
            load_seconds: Some(9.0),
            ..Estimate::default()
        };
        let mut rates = Rates::expecting(&known);
        assert!(
            !rates.is_measured() && rates.estimate().is_none(),
            "nothing of its own yet"
        );
        let cold = Work {
            cold: true,
            ..ask(1000, None)
        };
        assert!(close(
            rates.first_token(ask(1000, None), &Prior::default()).unwrap(),
            2.5
        ));
        assert!(close(rates.first_token(cold, &Prior::default()).unwrap(), 11.5));
        assert!(close(rates.hold(ask(1000, Some(50)), &Prior::default()), 7.5));
        for prompt in [100, 400, 900, 200, 600, 300] {
            rates.observe(&answer(prompt, 50, None));
        }
        let told = rates.first_token(ask(500, None), &Prior::default()).unwrap();
        assert!((told.as_secs_f64() - 0.6).abs() < 0.15, "{told:?}");
        let decode = rates.decode(&Prior::default()).unwrap();
        assert!(decode > 16.0, "near 20 after six answers: {decode}");
    }

    #[test]
    fn what_was_learned_survives_as_a_few_numbers() {
        let mut rates = Rates::default();
        for prompt in [100, 2000, 500, 1000, 50, 3000] {
            rates.observe(&answer(prompt, 48, Some(64)));
        }
        let again = Rates::expecting(&rates.estimate().unwrap().rounded());
        for work in [ask(80, Some(64)), ask(2500, Some(40))] {
            let (before, after) = (
                rates.hold(work, &Prior::default()),
                again.hold(work, &Prior::default()),
            );
            assert!(close(after, before.as_secs_f64()), "{before:?} {after:?}");
        }
        assert_eq!(again.bytes_per_token(), Some(5.0));
    }

    #[test]
    fn loading_is_told_apart_from_reading_the_prompt() {
        let prior = Prior {
            size_bytes: Some(4_000_000_000),
            ..Prior::default()
        };
        let cold = Work {
            cold: true,
            ..ask(100, None)
        };
        let mut rates = Rates::default();
        assert!(
            close(rates.first_token(cold, &prior).unwrap(), 2.0),
            "assumed from its size"
        );
        rates.observe(&answer(100, 10, None));
        rates.observe(&Seen {
            work: cold,
            first_token: Some(Duration::from_millis(9200)),
            ..answer(100, 10, None)
        });
        assert!(close(rates.first_token(cold, &prior).unwrap(), 9.2));
        assert!(close(rates.first_token(ask(100, None), &prior).unwrap(), 0.2));
    }

    #[test]
    fn a_cached_prefix_does_not_make_the_model_look_fast() {
        let mut rates = Rates::default();
        rates.observe(&answer(1000, 10, None));
        rates.observe(&Seen {
            cached_tokens: 990,
            first_token: Some(Duration::from_millis(110)),
            ..answer(1000, 10, None)
        });
        assert!(close(
            rates.first_token(ask(1000, None), &Prior::default()).unwrap(),
            1.1
        ));
    }

    #[test]
    fn answers_in_one_piece_say_how_long_a_place_is_held() {
        let mut rates = Rates::default();
        assert!(close(rates.hold(ask(10, None), &Prior::default()), USUAL_SECONDS));
        rates.observe(&Seen {
            first_token: None,
            generating: Duration::ZERO,
            held: Some(Duration::from_secs(2)),
            ..answer(10, 40, None)
        });
        assert!(close(rates.hold(ask(10, None), &Prior::default()), 2.0));
        assert_eq!(rates.first_token(ask(10, None), &Prior::default()), None);
    }

    #[test]
    fn an_answer_cut_short_says_nothing_about_lengths() {
        let mut rates = Rates::default();
        rates.observe(&answer(100, 300, None));
        rates.observe(&Seen {
            whole: false,
            ..answer(100, 2, None)
        });
        assert!((rates.length(None) - 300.0).abs() < 1e-9);
        assert_eq!(rates.bytes_per_token(), Some(5.0));
    }
}
