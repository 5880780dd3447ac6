//! The router's run in figures.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::bounds::Rate;
use super::run::RoutedLine;
use super::spread::Spread;
use crate::intent::Intent;

/// The figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Routed {
    /// Right ones of the cases whoever makes the router may look at.
    pub open: Rate,
    /// Right ones of the cases that are kept away from them: the figure to believe.
    pub held_out: Rate,
    /// By intent, of the held-out cases.
    pub intents: Vec<IntentFigures>,
    /// Cases by what they are about (row) and what was found (column), in the order of [`Intent::ALL`]; all cases.
    pub confusion: Vec<Vec<usize>>,
    /// Right ones by language, all cases.
    pub languages: Vec<(String, Rate)>,
    /// Right ones by tag, all cases.
    pub tags: Vec<(String, Rate)>,
    /// Microseconds of a decision.
    pub us: Option<Spread>,
    /// What went wrong, of the open cases only: the others are counted, not shown.
    pub mistakes: Vec<Mistake>,
}

/// How well one intent is known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct IntentFigures {
    /// Which.
    pub intent: Intent,
    /// Of the cases about it, those found.
    pub recall: Rate,
    /// Of the cases said to be about it, those that are.
    pub precision: Rate,
}

/// An open case that was taken for something else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mistake {
    /// The case.
    pub id: String,
    /// What it is about.
    pub expected: Intent,
    /// What was found.
    pub found: Intent,
    /// How sure the router was, 0–1.
    pub confidence: f64,
}

impl Routed {
    /// Of a run's lines.
    pub fn of(lines: &[RoutedLine]) -> Self {
        let right = |line: &&&RoutedLine| line.found == line.expected;
        let rate = |lines: &[&RoutedLine]| Rate::new(lines.iter().filter(right).count(), lines.len());
        let (held_out, open): (Vec<&RoutedLine>, Vec<&RoutedLine>) = lines.iter().partition(|l| l.held_out);
        let by = |keys: fn(&RoutedLine) -> Vec<String>| {
            let mut groups: BTreeMap<String, Vec<&RoutedLine>> = BTreeMap::new();
            for line in lines {
                for key in keys(line) {
                    groups.entry(key).or_default().push(line);
                }
            }
            let rates = groups.into_iter().map(|(key, lines)| (key, rate(&lines)));
            rates.collect::<Vec<_>>()
        };
        let mistakes = open.iter().filter(|l| l.found != l.expected).map(|l| Mistake {
            id: l.id.clone(),
            expected: l.expected,
            found: l.found,
            confidence: l.confidence,
        });
        Self {
            mistakes: mistakes.collect(),
            intents: Intent::ALL.map(|intent| figures(intent, &held_out)).to_vec(),
            open: rate(&open),
            held_out: rate(&held_out),
            confusion: confusion(lines),
            languages: by(|line| line.lang.iter().cloned().collect()),
            // Each trap is a tag of its own: together they are a list of words.
            tags: by(|line| line.tags.iter().filter(|t| !t.contains(':')).cloned().collect()),
            us: Spread::of(lines.iter().map(|l| l.us)),
        }
    }
}

fn figures(intent: Intent, lines: &[&RoutedLine]) -> IntentFigures {
    let count = |of: &dyn Fn(&RoutedLine) -> bool| lines.iter().filter(|l| of(l)).count();
    let found = count(&|l| l.expected == intent && l.found == intent);
    IntentFigures {
        intent,
        recall: Rate::new(found, count(&|l| l.expected == intent)),
        precision: Rate::new(found, count(&|l| l.found == intent)),
    }
}

fn confusion(lines: &[RoutedLine]) -> Vec<Vec<usize>> {
    let cell = |expected: Intent, found: Intent| {
        let here = |l: &&RoutedLine| l.expected == expected && l.found == found;
        lines.iter().filter(here).count()
    };
    Intent::ALL
        .map(|expected| Intent::ALL.map(|found| cell(expected, found)).to_vec())
        .to_vec()
}

#[cfg(test)]
pub(crate) fn line(id: &str, expected: Intent, found: Intent) -> RoutedLine {
    RoutedLine {
        id: id.to_owned(),
        case_hash: String::new(),
        lang: Some("en".to_owned()),
        tags: vec!["plain".to_owned(), "trap:code".to_owned()],
        held_out: super::cases::held_out(id),
        expected,
        found,
        confidence: 0.5,
        runner_up: None,
        us: 4.0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn held_out_cases_are_counted_apart_and_never_shown() {
        let mut lines: Vec<RoutedLine> = (0..6)
            .map(|n| line(&n.to_string(), Intent::Code, Intent::Code))
            .collect();
        for (place, line) in lines.iter_mut().enumerate() {
            line.held_out = place < 3;
        }
        lines[0].found = Intent::Chat;
        lines[5].found = Intent::Status;
        let found = Routed::of(&lines);
        assert_eq!((found.held_out.count, found.held_out.of), (2, 3));
        assert_eq!((found.open.count, found.open.of), (2, 3));
        let shown: Vec<&str> = found.mistakes.iter().map(|m| m.id.as_str()).collect();
        assert_eq!(shown, ["5"]);
        assert_eq!(found.intents.len(), 12);
        assert_eq!(
            (found.intents[0].recall.count, found.intents[0].recall.of),
            (2, 3)
        );
        assert_eq!(found.intents[0].precision.rate, Some(1.0));
        assert_eq!(found.tags.len(), 1);
        assert_eq!(found.languages[0].0, "en");
    }

    fn lines() -> impl Strategy<Value = Vec<RoutedLine>> {
        let one = (0_usize..12, 0_usize..12, any::<u32>());
        let line = one.prop_map(|(a, b, id)| line(&id.to_string(), Intent::ALL[a], Intent::ALL[b]));
        proptest::collection::vec(line, 0..60)
    }

    proptest! {
        #[test]
        fn every_case_stands_once_in_the_confusion_and_its_diagonal_is_what_was_right(lines in lines()) {
            let found = Routed::of(&lines);
            let all: usize = found.confusion.iter().flatten().sum();
            prop_assert_eq!(all, lines.len());
            let diagonal: usize = (0..12).map(|n| found.confusion[n][n]).sum();
            prop_assert_eq!(diagonal, found.open.count + found.held_out.count);
            prop_assert_eq!(found.open.of + found.held_out.of, lines.len());
            prop_assert_eq!(found.mistakes.len(), found.open.of - found.open.count);
        }
    }
}
