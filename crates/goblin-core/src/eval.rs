//! How good judges and the router are, in numbers with their uncertainty, and the report made of them. Pure: running
//! the cases is done elsewhere.
//!
//! A judge's probability always means *good*: P(safe), or P(correct and complete). A case is *good* when its label says
//! so. What a judge is there for is to find the others.

pub mod bounds;
pub mod calibration;
pub mod cases;
pub mod discrimination;
pub mod judged;
pub mod page;
pub mod report;
pub mod routed;
pub mod run;
pub mod selective;
pub mod spread;

mod plot;
mod says;

use serde::{Deserialize, Serialize};

use crate::trace::Concern;

/// What is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EvalSet {
    /// Questions and answers: is the answer safe?
    Safety,
    /// Questions and answers: is the answer correct and complete?
    Confidence,
    /// A fixed part of XSTest: questions that look unsafe and are not, and ones that are.
    Xstest,
    /// All of XSTest.
    XstestAll,
    /// Questions: what are they about?
    Routing,
}

impl EvalSet {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Safety,
        Self::Confidence,
        Self::Xstest,
        Self::XstestAll,
        Self::Routing,
    ];

    /// Its name on the command line and in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Safety => "safety",
            Self::Confidence => "confidence",
            Self::Xstest => "xstest",
            Self::XstestAll => "xstest-all",
            Self::Routing => "routing",
        }
    }

    /// Reads [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.as_str() == text)
    }

    /// What a judge is asked about its cases; `None`: no judge is asked.
    pub fn concern(self) -> Option<Concern> {
        match self {
            Self::Safety | Self::Xstest | Self::XstestAll => Some(Concern::Safety),
            Self::Confidence => Some(Concern::Confidence),
            Self::Routing => None,
        }
    }

    /// What it is, in a sentence.
    pub fn about(self) -> &'static str {
        match self {
            Self::Safety => "Questions with an answer: is the answer safe?",
            Self::Confidence => "Questions with an answer: is the answer correct and complete?",
            Self::Xstest => {
                "A fixed part of XSTest: questions that only look unsafe, and questions that are. Is the question safe?"
            }
            Self::XstestAll => {
                "All of XSTest: questions that only look unsafe, and questions that are. Is the question safe?"
            }
            Self::Routing => "Questions as people write them: what are they about?",
        }
    }
}

/// A probability and what was true.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    probability: f64,
    good: bool,
}

impl Scored {
    /// `None` when `probability` is no number from 0 to 1.
    pub fn new(probability: f64, good: bool) -> Option<Self> {
        (0.0..=1.0)
            .contains(&probability)
            .then_some(Self { probability, good })
    }

    /// That it is good, 0–1.
    pub fn probability(self) -> f64 {
        self.probability
    }

    /// Is it?
    pub fn good(self) -> bool {
        self.good
    }
}

/// Cases with one probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Tied {
    pub(crate) probability: f64,
    pub(crate) good: usize,
    pub(crate) bad: usize,
}

/// Cases by their probability, the lowest first. Everything that ranks works on these, so that the order of cases with
/// the same probability never counts.
pub(crate) fn tied(cases: &[Scored]) -> Vec<Tied> {
    let mut sorted = cases.to_vec();
    sorted.sort_by(|a, b| a.probability.total_cmp(&b.probability));
    let mut out: Vec<Tied> = Vec::new();
    for case in sorted {
        let (good, bad) = (usize::from(case.good), usize::from(!case.good));
        match out.last_mut() {
            // 0 and -0 are one probability.
            Some(last) if last.probability >= case.probability => {
                last.good += good;
                last.bad += bad;
            }
            _ => out.push(Tied {
                probability: case.probability,
                good,
                bad,
            }),
        }
    }
    out
}

/// `1 case`, `2 cases`.
pub(crate) fn counts_of(cases: usize) -> String {
    match cases {
        1 => "1 case".to_owned(),
        n => format!("{n} cases"),
    }
}

/// How many are good, and how many are not.
pub(crate) fn counts(cases: &[Scored]) -> (usize, usize) {
    let good = cases.iter().filter(|case| case.good).count();
    (good, cases.len() - good)
}

#[cfg(test)]
pub(crate) fn scored(cases: &[(f64, bool)]) -> Vec<Scored> {
    cases
        .iter()
        .map(|(probability, good)| Scored::new(*probability, *good).expect("a probability"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_probability_is_no_case() {
        for wrong in [f64::NAN, f64::INFINITY, -0.01, 1.01] {
            assert_eq!(Scored::new(wrong, true), None, "{wrong}");
        }
        assert!(Scored::new(1.0, true).is_some_and(Scored::good));
    }

    #[test]
    fn every_set_is_read_by_its_name() {
        for set in EvalSet::ALL {
            assert_eq!(EvalSet::parse(set.as_str()), Some(set));
            let wire = serde_json::to_value(set).expect("a word");
            assert_eq!(wire.as_str(), Some(set.as_str()));
        }
        assert_eq!(EvalSet::parse("Safety"), None);
    }

    #[test]
    fn cases_with_one_probability_are_one_group() {
        let groups = tied(&scored(&[(0.5, true), (0.0, false), (-0.0, true), (0.5, false)]));
        assert_eq!(groups.len(), 2);
        assert_eq!((groups[0].good, groups[0].bad), (1, 1));
        assert_eq!((groups[1].good, groups[1].bad), (1, 1));
    }
}
