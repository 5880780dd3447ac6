//! Rates of counted things, and how far off they may be.

use serde::{Deserialize, Serialize};
use statrs::function::beta::beta_reg;

/// Intervals of the reports hold the truth this often.
pub const CONFIDENCE: f64 = 0.95;
/// Halvings of an interval: more than a 64-bit number has digits.
const HALVINGS: usize = 64;

/// Where the truth may lie, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// Is `value` in it?
    pub fn holds(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// A part of something counted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// How many.
    pub count: usize,
    /// Of how many.
    pub of: usize,
    /// The first by the second, 0–1; absent of nothing.
    pub rate: Option<f64>,
    /// Clopper and Pearson's interval at [`CONFIDENCE`].
    pub interval: Interval,
}

impl Rate {
    /// `count` of `of`; more than all are all.
    pub fn new(count: usize, of: usize) -> Self {
        let count = count.min(of);
        Self {
            count,
            of,
            rate: (of > 0).then(|| count as f64 / of as f64),
            interval: clopper_pearson(count, of, CONFIDENCE),
        }
    }
}

/// The exact interval of a rate of which `count` of `of` were seen, both sides together wrong at most `1 − confidence`
/// of the times. Of nothing it is everything.
///
/// C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
/// Biometrika 26 (1934).
pub fn clopper_pearson(count: usize, of: usize, confidence: f64) -> Interval {
    let one_side = (1.0 - confidence.clamp(0.0, 1.0)) / 2.0;
    Interval {
        low: lower_bound(count, of, one_side),
        high: upper_bound(count, of, one_side),
    }
}

/// The rate below which the truth lies with a probability of at most `delta`.
pub fn lower_bound(count: usize, of: usize, delta: f64) -> f64 {
    let count = count.min(of);
    if count == 0 {
        return 0.0;
    }
    let (a, b) = (count as f64, (of - count) as f64 + 1.0);
    quantile_of_beta(a, b, delta)
}

/// The rate above which the truth lies with a probability of at most `delta`.
pub fn upper_bound(count: usize, of: usize, delta: f64) -> f64 {
    let count = count.min(of);
    if count == of {
        return 1.0;
    }
    let (a, b) = (count as f64 + 1.0, (of - count) as f64);
    quantile_of_beta(a, b, 1.0 - delta)
}

/// Where the distribution function of Beta(a, b) reaches `probability`, by halving: it only grows.
fn quantile_of_beta(a: f64, b: f64, probability: f64) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if beta_reg(a, b, middle) < probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 5e-5
    }

    #[test]
    fn the_interval_is_the_published_one() {
        // R: binom.test(x, n)$conf.int; the last is 1 − 0.025^(1/n).
        for (count, of, low, high) in [
            (0, 10, 0.0, 0.30850),
            (10, 10, 0.69150, 1.0),
            (1, 10, 0.00253, 0.44502),
            (5, 10, 0.18709, 0.81291),
            (81, 263, 0.25272, 0.36761),
            (0, 6, 0.0, 0.45926),
        ] {
            let found = clopper_pearson(count, of, 0.95);
            assert!(near(found.low, low), "{count}/{of}: {found:?}");
            assert!(near(found.high, high), "{count}/{of}: {found:?}");
        }
    }

    #[test]
    fn of_nothing_everything_is_possible() {
        let rate = Rate::new(0, 0);
        assert_eq!(rate.rate, None);
        assert_eq!(rate.interval, Interval { low: 0.0, high: 1.0 });
    }

    /// P(X ≤ k) for X of n tries with rate p, summed term by term; in logarithms, because (1 − p)ⁿ may be no number.
    fn at_most(k: usize, n: usize, p: f64) -> f64 {
        let mut ways = 0.0_f64;
        let mut sum = 0.0;
        for i in 0..=k {
            sum += (ways + i as f64 * p.ln() + (n - i) as f64 * (1.0 - p).ln()).exp();
            ways += ((n - i) as f64 / (i + 1) as f64).ln();
        }
        sum
    }

    proptest! {
        #[test]
        fn at_each_end_what_was_seen_is_as_unlikely_as_was_asked(of in 1_usize..120, part in 0.0..1.0_f64) {
            let count = ((of as f64) * part) as usize;
            let Interval { low, high } = clopper_pearson(count, of, 0.9);
            let seen = count as f64 / of as f64;
            prop_assert!(low <= seen && seen <= high);
            if count < of {
                prop_assert!((at_most(count, of, high) - 0.05).abs() < 1e-6);
            }
            if count > 0 {
                prop_assert!((1.0 - at_most(count - 1, of, low) - 0.05).abs() < 1e-6);
            }
        }

        #[test]
        fn more_confidence_is_a_wider_interval(of in 1_usize..200, count in 0_usize..200) {
            let narrow = clopper_pearson(count, of, 0.8);
            let wide = clopper_pearson(count, of, 0.99);
            prop_assert!(wide.low <= narrow.low && narrow.high <= wide.high);
        }
    }
}
