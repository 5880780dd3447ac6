//! Does a probability mean what it says? Of the cases given 0.8, four in five should be good.

use serde::{Deserialize, Serialize};

use super::{Scored, counts};

/// Bins of the reports.
pub const BINS: usize = 10;

/// Cases with about the same probability.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Probabilities from here.
    pub from: f64,
    /// To here; the last bin holds its end, the others do not.
    pub to: f64,
    /// How many cases.
    pub count: usize,
    /// Their mean probability; absent of none.
    pub mean_probability: Option<f64>,
    /// The part that is good; absent of none.
    pub good_rate: Option<f64>,
}

/// Mean squared distance of the probability from what was true: 0 is best, always saying 0.5 is 0.25. `None` of nothing.
///
/// G. W. Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review 78 (1950).
pub fn brier(cases: &[Scored]) -> Option<f64> {
    let squares = cases.iter().map(|case| {
        let truth = f64::from(u8::from(case.good()));
        (case.probability() - truth).powi(2)
    });
    (!cases.is_empty()).then(|| squares.sum::<f64>() / cases.len() as f64)
}

/// The [`brier`] of somebody who only knows how many cases are good, and always says that.
pub fn brier_of_base_rate(cases: &[Scored]) -> Option<f64> {
    let (good, _) = counts(cases);
    let base = good as f64 / cases.len() as f64;
    (!cases.is_empty()).then_some(base * (1.0 - base))
}

/// The cases in `bins` bins of equal width.
pub fn reliability(cases: &[Scored], bins: usize) -> Vec<Bin> {
    let bins = bins.max(1);
    let width = 1.0 / bins as f64;
    let place = |case: &&Scored| ((case.probability() * bins as f64) as usize).min(bins - 1);
    let bin = |at: usize| {
        let here: Vec<&Scored> = cases.iter().filter(|case| place(case) == at).collect();
        let count = here.len();
        let mean = |sum: f64| (count > 0).then(|| sum / count as f64);
        Bin {
            from: at as f64 * width,
            to: (at + 1) as f64 * width,
            count,
            mean_probability: mean(here.iter().map(|case| case.probability()).sum()),
            good_rate: mean(here.iter().filter(|case| case.good()).count() as f64),
        }
    };
    (0..bins).map(bin).collect()
}

/// Expected calibration error: how far each bin's mean probability is from its part of good cases, weighed by its cases.
/// `None` of nothing. With few cases it is large for any judge.
///
/// C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On Calibration of Modern Neural Networks", ICML 2017.
pub fn ece(cases: &[Scored], bins: usize) -> Option<f64> {
    let gaps = reliability(cases, bins).into_iter().map(|bin| {
        let gap = bin.mean_probability.unwrap_or(0.0) - bin.good_rate.unwrap_or(0.0);
        gap.abs() * bin.count as f64
    });
    (!cases.is_empty()).then(|| gaps.sum::<f64>() / cases.len() as f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::eval::scored;

    fn near(a: Option<f64>, b: f64) -> bool {
        a.is_some_and(|a| (a - b).abs() < 1e-9)
    }

    #[test]
    fn squares_are_counted_by_hand() {
        assert!(near(brier(&scored(&[(1.0, true), (0.0, false)])), 0.0));
        assert!(near(brier(&scored(&[(0.5, true), (0.5, false)])), 0.25));
        assert!(near(brier(&scored(&[(0.8, true), (0.6, false)])), 0.2));
        assert!(near(
            brier_of_base_rate(&scored(&[(0.1, true), (0.1, true), (0.1, true), (0.1, false)])),
            0.1875
        ));
        assert_eq!(brier(&[]), None);
        assert_eq!(brier_of_base_rate(&[]), None);
    }

    #[test]
    fn the_error_is_the_gap_weighed_by_cases() {
        // 0.75 for four cases of which three are good: no gap. 0.95 for two of which one is: a gap of 0.45.
        let cases = scored(&[
            (0.75, true),
            (0.75, true),
            (0.75, true),
            (0.75, false),
            (0.95, true),
            (0.95, false),
        ]);
        assert!(near(ece(&cases, 10), 0.45 * 2.0 / 6.0));
        assert_eq!(ece(&[], 10), None);
    }

    #[test]
    fn the_last_bin_holds_certainty() {
        let bins = reliability(&scored(&[(1.0, true), (0.1, false), (0.0, false)]), 10);
        assert_eq!(bins.len(), 10);
        let counts: Vec<usize> = bins.iter().map(|b| b.count).collect();
        assert_eq!(counts, [1, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(bins[2].good_rate, None);
    }

    proptest! {
        #[test]
        fn errors_are_from_0_to_1_and_every_case_is_in_one_bin(
            cases in proptest::collection::vec((0.0..=1.0_f64, any::<bool>()), 1..80),
            bins in 0_usize..30,
        ) {
            let all = scored(&cases);
            let error = ece(&all, bins).unwrap_or(f64::NAN);
            prop_assert!((0.0..=1.0).contains(&error));
            prop_assert!((0.0..=1.0).contains(&brier(&all).unwrap_or(f64::NAN)));
            let counted: usize = reliability(&all, bins).iter().map(|b| b.count).sum();
            prop_assert_eq!(counted, all.len());
        }

        #[test]
        fn whoever_always_says_the_base_rate_is_calibrated(good in 1_usize..40, bad in 1_usize..40) {
            let base = good as f64 / (good + bad) as f64;
            let cases: Vec<_> = (0..good + bad).map(|n| (base, n < good)).collect();
            let all = scored(&cases);
            prop_assert!(ece(&all, BINS).is_some_and(|e| e < 1e-9));
            let (own, known) = (brier(&all).unwrap_or(1.0), brier_of_base_rate(&all).unwrap_or(0.0));
            prop_assert!((own - known).abs() < 1e-9);
        }
    }
}
