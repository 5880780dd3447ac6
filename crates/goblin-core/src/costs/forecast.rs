//! What providers will have cost at the end of the month, from the days so far. Pure.
//!
//! The days of the month that are over are taken for a sample of what a day costs: their mean stands for every day to
//! come, and today counts as what it cost already where that is more. The range is the prediction interval of a sum of
//! `k` further days after `n` seen ones with standard deviation `s`, `t · s · √(k + k²/n)` (Student's t for 80 %; see
//! Hahn and Meeker, *Statistical Intervals*, chapter 4). It knows nothing of weekends and of growth.

use crate::money::{NanoUsd, usd};

/// Days that must be over before anything is said.
pub const LEAST_DAYS: usize = 3;

/// What is expected, in US dollars.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Of the whole month.
    pub expected: f64,
    /// In one of ten months it will be less.
    pub low: f64,
    /// In one of ten months it will be more.
    pub high: f64,
}

/// The whole month, from what each finished day cost (`over`, those before the first use left out), what today cost so far, and
/// how many days come after today. `None`: fewer than [`LEAST_DAYS`] are over.
pub fn forecast(over: &[NanoUsd], today: NanoUsd, after_today: u32) -> Option<Estimate> {
    if over.len() < LEAST_DAYS {
        return None;
    }
    let days: Vec<f64> = over.iter().map(|nano| usd(*nano)).collect();
    let (n, today) = (f64::from(u32::try_from(days.len()).ok()?), usd(today));
    let spent: f64 = days.iter().sum();
    let mean = spent / n;
    let variance = days.iter().map(|day| (day - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let to_come = f64::from(after_today) + 1.0;
    let expected = spent + today.max(mean) + mean * f64::from(after_today);
    let spread = t_80(days.len() - 1) * (variance * (to_come + to_come * to_come / n)).sqrt();
    Some(Estimate {
        expected,
        low: (expected - spread).max(spent + today),
        high: expected + spread,
    })
}

/// The 90 % quantile of Student's t, by degrees of freedom.
fn t_80(freedom: usize) -> f64 {
    const T: [f64; 12] = [
        3.078, 1.886, 1.638, 1.533, 1.476, 1.440, 1.415, 1.397, 1.383, 1.372, 1.363, 1.356,
    ];
    // From there on within 4 % of the normal distribution's.
    T.get(freedom.saturating_sub(1)).copied().unwrap_or(1.34)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DOLLAR: NanoUsd = 1_000_000_000;

    #[test]
    fn equal_days_go_on_as_they_are() {
        let seen = forecast(&[DOLLAR; 10], 0, 19).unwrap();
        assert_eq!((seen.expected, seen.low, seen.high), (30.0, 30.0, 30.0));
    }

    #[test]
    fn a_day_that_costs_more_than_usual_counts_as_it_is() {
        let seen = forecast(&[DOLLAR; 3], 5 * DOLLAR, 2).unwrap();
        assert_eq!(seen.expected, 3.0 + 5.0 + 2.0);
    }

    #[test]
    fn too_few_days_say_nothing() {
        assert_eq!(forecast(&[DOLLAR; 2], DOLLAR, 20), None);
        assert!(forecast(&[0; 3], 0, 20).is_some());
    }

    #[test]
    fn days_that_differ_make_a_wide_range() {
        let seen = forecast(&[0, 3 * DOLLAR, 0, 3 * DOLLAR], 0, 9).unwrap();
        assert_eq!(seen.expected, 6.0 + 15.0);
        // s = √3, k = 10, n = 4: 1.638 · √3 · √(10 + 25).
        assert!((seen.high - seen.expected - 1.638 * 3.0_f64.sqrt() * 35.0_f64.sqrt()).abs() < 1e-9);
        assert!(seen.low >= 6.0, "no less than what is spent: {seen:?}");
    }

    proptest! {
        #[test]
        fn it_is_never_less_than_what_is_spent(
            over in proptest::collection::vec(0..1_000 * DOLLAR, LEAST_DAYS..31), today in 0..1_000 * DOLLAR, left in 0..28_u32,
        ) {
            let seen = forecast(&over, today, left).unwrap();
            let spent = usd(over.iter().sum::<u64>()) + usd(today);
            prop_assert!(seen.low <= seen.expected + 1e-6 && seen.expected <= seen.high + 1e-6);
            prop_assert!(seen.low + 1e-6 >= spent && seen.expected + 1e-6 >= spent);
        }
    }
}
