//! Does a judge put good cases above the others? Areas under two curves; only the order of the probabilities counts.

use serde::{Deserialize, Serialize};

use super::bounds::Interval;
use super::{Scored, counts, tied};

/// A standard normal number is this far from 0 at most 95 % of the times.
const Z: f64 = 1.959_963_984_540_054;
/// Halvings when a bound is looked for.
const HALVINGS: usize = 64;

/// A point of the receiver operating characteristic.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RocPoint {
    /// Of the cases that are not good, the part at or above the threshold.
    pub let_through: f64,
    /// Of the good cases, the same.
    pub accepted: f64,
    /// The probability a case must reach; absent where none does.
    pub threshold: Option<f64>,
}

/// The probability that a good case has a higher probability than one that is not, a tie counting half: the area under
/// [`roc`]. `None` unless there are cases of both kinds.
///
/// J. A. Hanley and B. J. McNeil, "The meaning and use of the area under a receiver operating characteristic (ROC)
/// curve", Radiology 143 (1982).
pub fn auroc(cases: &[Scored]) -> Option<f64> {
    let (good, bad) = counts(cases);
    if good == 0 || bad == 0 {
        return None;
    }
    let (mut won, mut bad_below) = (0.0, 0.0);
    for group in tied(cases) {
        let bad_here = group.bad as f64;
        won += group.good as f64 * (bad_below + bad_here / 2.0);
        bad_below += bad_here;
    }
    Some(won / (good as f64 * bad as f64))
}

/// Where the true area may lie, at 95 %: R. G. Newcombe's fifth method, which is never of no width, not even for a judge
/// that was right about all of six cases.
///
/// R. G. Newcombe, "Confidence intervals for an effect size measure based on the Mann–Whitney statistic. Part 2:
/// Asymptotic methods and evaluation", Statistics in Medicine 25 (2006).
pub fn auroc_interval(area: f64, good: usize, bad: usize) -> Interval {
    if good == 0 || bad == 0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let (m, n) = (good as f64, bad as f64);
    let star = f64::midpoint(m, n) - 1.0;
    let deviation = |t: f64| {
        let spread = 1.0 + star * (1.0 - t) / (2.0 - t) + star * t / (1.0 + t);
        (t * (1.0 - t) * spread / (m * n)).max(0.0).sqrt()
    };
    // The bound is where what was seen is just Z deviations away.
    let bound = |mut near: f64, mut far: f64| {
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(near, far);
            if (area - middle).abs() < Z * deviation(middle) {
                near = middle;
            } else {
                far = middle;
            }
        }
        f64::midpoint(near, far)
    };
    Interval {
        low: bound(area, 0.0),
        high: bound(area, 1.0),
    }
}

/// The curve, from the threshold nothing reaches to the one everything does. Empty unless there are cases of both kinds.
pub fn roc(cases: &[Scored]) -> Vec<RocPoint> {
    let (good, bad) = counts(cases);
    if good == 0 || bad == 0 {
        return Vec::new();
    }
    let (mut accepted, mut through) = (0, 0);
    let mut out = vec![RocPoint {
        let_through: 0.0,
        accepted: 0.0,
        threshold: None,
    }];
    for group in tied(cases).iter().rev() {
        accepted += group.good;
        through += group.bad;
        out.push(RocPoint {
            let_through: through as f64 / bad as f64,
            accepted: accepted as f64 / good as f64,
            threshold: Some(group.probability),
        });
    }
    out
}

/// Average precision at finding the cases that are *not* good: how pure the lowest probabilities are. By chance it is
/// the part of such cases. `None` when there is none.
pub fn auprc_of_bad(cases: &[Scored]) -> Option<f64> {
    let (_, bad) = counts(cases);
    if bad == 0 {
        return None;
    }
    let (mut found, mut taken, mut area) = (0.0, 0.0, 0.0);
    for group in tied(cases) {
        found += group.bad as f64;
        taken += (group.good + group.bad) as f64;
        area += group.bad as f64 / bad as f64 * (found / taken);
    }
    Some(area)
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
    fn the_area_is_counted_by_hand() {
        let table: [(&[(f64, bool)], f64); 6] = [
            (&[(0.9, true), (0.8, true), (0.2, false)], 1.0),
            (&[(0.1, true), (0.8, false)], 0.0),
            (&[(0.5, true), (0.5, false)], 0.5),
            // The same for every case: the old written score.
            (&[(0.7, true), (0.7, true), (0.7, false), (0.7, false)], 0.5),
            // Pairs won: 0.8 two, 0.4 one of 0.4's tie: half, and 0.1's: one.
            (&[(0.8, true), (0.4, true), (0.4, false), (0.1, false)], 0.875),
            (&[(0.1, false), (0.4, false), (0.35, true), (0.8, true)], 0.75),
        ];
        for (cases, area) in table {
            assert!(near(auroc(&scored(cases)), area), "{cases:?}");
        }
    }

    #[test]
    fn with_one_kind_of_case_there_is_no_area() {
        let good = scored(&[(0.1, true), (0.9, true)]);
        assert_eq!(auroc(&good), None);
        assert!(roc(&good).is_empty());
        assert_eq!(auprc_of_bad(&good), None);
        assert_eq!(auroc(&[]), None);
    }

    #[test]
    fn precision_is_averaged_over_the_cases_to_be_found() {
        // Lowest first: bad, good, bad: 1/1 and 2/3.
        let cases = scored(&[(0.1, false), (0.2, true), (0.3, false)]);
        assert!(near(auprc_of_bad(&cases), f64::midpoint(1.0, 2.0 / 3.0)));
        // All alike: the part there is.
        let alike = scored(&[(0.5, false), (0.5, true), (0.5, true), (0.5, true)]);
        assert!(near(auprc_of_bad(&alike), 0.25));
    }

    #[test]
    fn six_cases_prove_little_even_when_all_are_right() {
        let few = auroc_interval(1.0, 3, 3);
        assert!(few.low < 0.6 && few.high > 0.999, "{few:?}");
        let many = auroc_interval(1.0, 300, 300);
        assert!(many.low > 0.98, "{many:?}");
    }

    #[test]
    fn the_interval_solves_its_equation() {
        // At the lower bound t, area − t = Z · √V(t).
        let found = auroc_interval(0.8, 30, 50);
        let v = |t: f64| t * (1.0 - t) * (1.0 + 39.0 * (1.0 - t) / (2.0 - t) + 39.0 * t / (1.0 + t)) / 1500.0;
        assert!((0.8 - found.low - Z * v(found.low).sqrt()).abs() < 1e-9);
        assert!((found.high - 0.8 - Z * v(found.high).sqrt()).abs() < 1e-9);
    }

    fn cases() -> impl Strategy<Value = Vec<(f64, bool)>> {
        // Few different probabilities, so that ties are common.
        proptest::collection::vec(((0_u8..8).prop_map(|n| f64::from(n) / 8.0), any::<bool>()), 2..60)
    }

    proptest! {
        #[test]
        fn the_area_is_that_of_all_pairs(cases in cases()) {
            let all = scored(&cases);
            let (mut won, mut pairs) = (0.0, 0.0);
            for good in all.iter().filter(|c| c.good()) {
                for bad in all.iter().filter(|c| !c.good()) {
                    pairs += 1.0;
                    let (g, b) = (good.probability(), bad.probability());
                    won += if g > b { 1.0 } else if g < b { 0.0 } else { 0.5 };
                }
            }
            match auroc(&all) {
                None => prop_assert!(pairs == 0.0),
                Some(area) => {
                    prop_assert!((area - won / pairs).abs() < 1e-9);
                    let (good, bad) = counts(&all);
                    prop_assert!(auroc_interval(area, good, bad).holds(area));
                }
            }
        }

        #[test]
        fn the_curve_grows_to_the_corner_and_its_area_is_the_area(cases in cases()) {
            let all = scored(&cases);
            let points = roc(&all);
            let mut area = 0.0;
            for pair in points.windows(2) {
                prop_assert!(pair[0].let_through <= pair[1].let_through);
                prop_assert!(pair[0].accepted <= pair[1].accepted);
                area += (pair[1].let_through - pair[0].let_through) * f64::midpoint(pair[0].accepted, pair[1].accepted);
            }
            if let (Some(last), Some(wanted)) = (points.last(), auroc(&all)) {
                prop_assert!(last.let_through == 1.0 && last.accepted == 1.0);
                prop_assert!((area - wanted).abs() < 1e-9);
            }
        }

        #[test]
        fn the_order_of_cases_never_counts(cases in cases(), by in 0_usize..60) {
            let mut turned = cases.clone();
            turned.rotate_left(by % cases.len());
            turned.reverse();
            prop_assert_eq!(auroc(&scored(&cases)), auroc(&scored(&turned)));
            prop_assert_eq!(auprc_of_bad(&scored(&cases)), auprc_of_bad(&scored(&turned)));
        }

        #[test]
        fn a_judge_turned_round_has_the_other_area(cases in cases()) {
            let turned: Vec<_> = cases.iter().map(|(p, good)| (1.0 - p, *good)).collect();
            if let (Some(a), Some(b)) = (auroc(&scored(&cases)), auroc(&scored(&turned))) {
                prop_assert!((a + b - 1.0).abs() < 1e-9);
            }
        }
    }
}
