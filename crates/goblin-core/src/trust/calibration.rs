//! From what is known of an answer to the probability that it is right: weights fitted to labelled answers of one
//! model, one set of questions and one quantisation. Without such weights nothing here is used.

use crate::trace::TokenFeatures;

/// What is known of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Known {
    /// The judge's P(correct and complete).
    pub judge: Option<f64>,
    /// How likely its tokens were.
    pub tokens: Option<TokenFeatures>,
    /// Did another model give the same answer?
    pub agrees: Option<bool>,
}

/// Weights of the token features, and where they begin.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TokenWeights {
    /// Added always.
    pub bias: f64,
    /// Of the least likely token.
    pub min: f64,
    /// Of the 5 % quantile.
    pub p5: f64,
    /// Of the 10 % quantile.
    pub p10: f64,
    /// Of the 25 % quantile.
    pub p25: f64,
    /// Of the mean.
    pub mean: f64,
    /// Of the mean entropy.
    pub entropy: f64,
}

impl TokenWeights {
    fn weigh(&self, tokens: Option<TokenFeatures>) -> Option<f64> {
        let t = match tokens {
            Some(tokens) => tokens,
            None if *self
                == Self {
                    bias: self.bias,
                    ..Self::default()
                } =>
            {
                return Some(self.bias);
            }
            None => return None,
        };
        let entropy = match t.entropy {
            Some(entropy) => entropy * self.entropy,
            None if self.entropy == 0.0 => 0.0,
            None => return None,
        };
        let quantiles = self.min * t.min + self.p5 * t.p5 + self.p10 * t.p10 + self.p25 * t.p25;
        Some(self.bias + quantiles + self.mean * t.mean + entropy)
    }
}

/// When an answer is given up before it is whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EarlyExit {
    /// Fitted to the first tokens of answers.
    pub weights: TokenWeights,
    /// A running confidence below this gives the answer up, 0–1.
    pub abort_below: f64,
}

/// Logistic weights (Platt scaling where only the judge has one).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Calibration {
    /// Of the token features.
    pub tokens: TokenWeights,
    /// Of the judge's log-odds.
    pub judge: f64,
    /// Added when another model gave the same answer, taken away when it gave another one.
    pub agreement: f64,
    /// Early exit, where it was fitted.
    pub early: Option<EarlyExit>,
}

impl Calibration {
    /// The probability that the answer is right; nothing when something that has a weight is not known.
    pub fn confidence(&self, known: &Known) -> Option<f64> {
        let judge = match known.judge {
            Some(p) => self.judge * log_odds(p),
            None if self.judge == 0.0 => 0.0,
            None => return None,
        };
        let agreement = match known.agrees {
            Some(true) => self.agreement,
            Some(false) => -self.agreement,
            None => 0.0,
        };
        probability(self.tokens.weigh(known.tokens)? + judge + agreement)
    }
}

impl EarlyExit {
    /// Should the answer be given up, seeing its first tokens?
    pub fn gives_up(&self, tokens: TokenFeatures) -> bool {
        let running = self.weights.weigh(Some(tokens)).and_then(probability);
        running.is_some_and(|running| running < self.abort_below)
    }
}

fn log_odds(p: f64) -> f64 {
    let p = p.clamp(1e-6, 1.0 - 1e-6);
    (p / (1.0 - p)).ln()
}

fn probability(log_odds: f64) -> Option<f64> {
    (!log_odds.is_nan()).then(|| 1.0 / (1.0 + (-log_odds).exp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platt_scaling_with_weight_one_is_the_judge_itself() {
        let same = Calibration {
            judge: 1.0,
            ..Calibration::default()
        };
        for p in [0.01, 0.3, 0.65, 0.99] {
            let known = Known {
                judge: Some(p),
                ..Known::default()
            };
            assert!((same.confidence(&known).unwrap() - p).abs() < 1e-9);
        }
    }

    #[test]
    fn what_has_a_weight_must_be_known() {
        let both = Calibration {
            judge: 0.5,
            tokens: TokenWeights {
                p10: 0.2,
                ..TokenWeights::default()
            },
            ..Calibration::default()
        };
        let tokens = TokenFeatures {
            p10: -1.0,
            ..TokenFeatures::default()
        };
        let known = Known {
            judge: Some(0.8),
            tokens: Some(tokens),
            agrees: None,
        };
        assert!(both.confidence(&known).is_some());
        assert_eq!(
            both.confidence(&Known {
                tokens: None,
                ..known
            }),
            None
        );
        assert_eq!(both.confidence(&Known { judge: None, ..known }), None);
    }

    #[test]
    fn agreement_makes_surer_and_disagreement_less_sure() {
        let weights = Calibration {
            judge: 1.0,
            agreement: 0.7,
            ..Calibration::default()
        };
        let with = |agrees| {
            weights.confidence(&Known {
                judge: Some(0.5),
                agrees,
                tokens: None,
            })
        };
        assert!(with(Some(true)) > with(None) && with(None) > with(Some(false)));
    }

    #[test]
    fn weights_that_are_no_numbers_give_no_confidence() {
        let broken = Calibration {
            judge: f64::NAN,
            ..Calibration::default()
        };
        let known = Known {
            judge: Some(0.5),
            ..Known::default()
        };
        assert_eq!(broken.confidence(&known), None);
    }

    #[test]
    fn an_unlikely_beginning_is_given_up() {
        let early = EarlyExit {
            weights: TokenWeights {
                bias: 2.0,
                mean: 2.0,
                ..TokenWeights::default()
            },
            abort_below: 0.3,
        };
        let with_mean = |mean| TokenFeatures {
            mean,
            ..TokenFeatures::default()
        };
        assert!(!early.gives_up(with_mean(-0.2)));
        assert!(early.gives_up(with_mean(-3.0)));
        assert!(!early.gives_up(with_mean(f64::NAN)));
    }
}
