//! What is left wrong when only the surest cases are accepted and the rest is handed on.

use serde::{Deserialize, Serialize};

use super::{Scored, tied};

/// A point of the curve: what accepting down to a threshold means.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CoveragePoint {
    /// The part of all cases that is accepted.
    pub coverage: f64,
    /// The part of those that is not good.
    pub risk: f64,
    /// The probability a case must reach.
    pub threshold: f64,
}

/// Risk by coverage, the surest cases first. Cases of one probability are accepted together.
///
/// Y. Geifman and R. El-Yaniv, "Selective classification for deep neural networks", NeurIPS 2017.
pub fn risk_coverage(cases: &[Scored]) -> Vec<CoveragePoint> {
    let (mut accepted, mut wrong) = (0, 0);
    tied(cases)
        .iter()
        .rev()
        .map(|group| {
            accepted += group.good + group.bad;
            wrong += group.bad;
            CoveragePoint {
                coverage: accepted as f64 / cases.len() as f64,
                risk: wrong as f64 / accepted as f64,
                threshold: group.probability,
            }
        })
        .collect()
}

/// The mean risk over all numbers of accepted cases; of tied cases, what is expected when they come in any order. By
/// chance it is the part of cases that are not good. `None` of nothing.
pub fn area_under_risk_coverage(cases: &[Scored]) -> Option<f64> {
    let (mut accepted, mut wrong, mut sum) = (0.0, 0.0, 0.0);
    for group in tied(cases).iter().rev() {
        let here = group.good + group.bad;
        let part = group.bad as f64 / here as f64;
        for taken in 1..=here {
            sum += (wrong + taken as f64 * part) / (accepted + taken as f64);
        }
        accepted += here as f64;
        wrong += group.bad as f64;
    }
    (!cases.is_empty()).then(|| sum / cases.len() as f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::eval::{counts, scored};

    #[test]
    fn the_surest_are_accepted_first() {
        let cases = scored(&[(0.9, true), (0.8, false), (0.8, true), (0.1, false)]);
        let points = risk_coverage(&cases);
        let found: Vec<(f64, f64)> = points.iter().map(|p| (p.coverage, p.risk)).collect();
        assert_eq!(found, [(0.25, 0.0), (0.75, 1.0 / 3.0), (1.0, 0.5)]);
        assert!(risk_coverage(&[]).is_empty());
    }

    #[test]
    fn the_area_is_counted_by_hand() {
        // Accepted 1, 2, 3: risk 0, 1/2, 2/3.
        let cases = scored(&[(0.9, true), (0.5, false), (0.1, false)]);
        let area = area_under_risk_coverage(&cases).expect("cases");
        assert!((area - (0.5 + 2.0 / 3.0) / 3.0).abs() < 1e-9);
        assert_eq!(area_under_risk_coverage(&[]), None);
    }

    proptest! {
        #[test]
        fn accepting_everything_risks_the_part_that_is_not_good(
            cases in proptest::collection::vec(((0_u8..6).prop_map(|n| f64::from(n) / 6.0), any::<bool>()), 1..60),
        ) {
            let all = scored(&cases);
            let (_, bad) = counts(&all);
            let part = bad as f64 / all.len() as f64;
            let points = risk_coverage(&all);
            let last = points.last().expect("a point");
            prop_assert!((last.coverage - 1.0).abs() < 1e-9 && (last.risk - part).abs() < 1e-9);
            prop_assert!(points.windows(2).all(|p| p[0].coverage < p[1].coverage));
            let area = area_under_risk_coverage(&all).unwrap_or(f64::NAN);
            prop_assert!((0.0..=1.0).contains(&area));
        }

        #[test]
        fn a_judge_that_says_the_same_of_all_has_the_area_of_chance(good in 0_usize..30, bad in 1_usize..30) {
            let cases: Vec<_> = (0..good + bad).map(|n| (0.7, n < good)).collect();
            let area = area_under_risk_coverage(&scored(&cases)).unwrap_or(f64::NAN);
            prop_assert!((area - bad as f64 / (good + bad) as f64).abs() < 1e-9);
        }
    }
}
