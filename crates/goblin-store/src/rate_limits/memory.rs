//! Counts in memory: bounded, and forgotten when there is nothing left to remember.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use goblin_core::clock::Timestamp;

use super::{Subject, Taken, outcome};

/// Most subjects remembered; beyond, whoever has their whole burst again soonest is forgotten.
const MAX_SUBJECTS: usize = 50_000;

#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    /// By subject: the moment from which on it has its whole burst again, in milliseconds.
    until: HashMap<Arc<str>, i64>,
    by_end: BTreeSet<(i64, Arc<str>)>,
}

impl Memory {
    pub(super) fn take(&self, subjects: &[Subject], now: Timestamp) -> Taken {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ahead: Vec<i64> = subjects.iter().map(|s| table.ahead(s, now)).collect();
        let fits = |(subject, ahead): (&Subject, &i64)| {
            let (burst, every) = (i64::from(subject.rate.burst), i64::from(subject.rate.every_ms));
            ahead + every <= burst * every
        };
        if !subjects.iter().zip(&ahead).all(fits) {
            return outcome(subjects, &ahead, false);
        }
        let mut after = Vec::with_capacity(ahead.len());
        for (subject, ahead) in subjects.iter().zip(ahead) {
            let ahead = ahead + i64::from(subject.rate.every_ms);
            table.put(&subject.name, now.0.saturating_add(ahead), now);
            after.push(ahead);
        }
        outcome(subjects, &after, true)
    }

    pub(super) fn give_back(&self, subjects: &[Subject], now: Timestamp) {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for subject in subjects {
            let ahead = table.ahead(subject, now) - i64::from(subject.rate.every_ms);
            table.put(&subject.name, now.0.saturating_add(ahead), now);
        }
    }
}

impl Table {
    /// How far ahead of now the subject's moment is. Nobody owes more than a whole burst, unless the clock was set back:
    /// then they owe no more either, from now on.
    fn ahead(&mut self, subject: &Subject, now: Timestamp) -> i64 {
        let until = self.until.get(&subject.name).copied().unwrap_or(now.0);
        let most = i64::from(subject.rate.burst) * i64::from(subject.rate.every_ms);
        if until.saturating_sub(now.0) > most {
            self.put(&subject.name, now.0.saturating_add(most), now);
        }
        until.saturating_sub(now.0).clamp(0, most)
    }

    fn put(&mut self, name: &Arc<str>, until: i64, now: Timestamp) {
        if let Some(before) = self.until.remove(name) {
            self.by_end.remove(&(before, Arc::clone(name)));
        }
        // Those that have everything again are not worth a place; two for each that comes keeps the table clean.
        for _ in 0..2 {
            match self.by_end.first() {
                Some((end, _)) if *end <= now.0 => self.forget_first(),
                _ => break,
            }
        }
        if until <= now.0 {
            return;
        }
        while self.until.len() >= MAX_SUBJECTS {
            self.forget_first();
        }
        self.by_end.insert((until, Arc::clone(name)));
        self.until.insert(Arc::clone(name), until);
    }

    fn forget_first(&mut self) {
        if let Some((_, name)) = self.by_end.pop_first() {
            self.until.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Rate;
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_471_200_000);

    fn subject(name: &str, burst: u32, every_ms: u32) -> Subject {
        Subject {
            name: name.into(),
            rate: Rate { burst, every_ms },
        }
    }

    #[test]
    fn a_burst_and_then_one_now_and_then() {
        let (memory, who) = (Memory::default(), [subject("a", 3, 1_000)]);
        for left in [2, 1, 0] {
            match memory.take(&who, NOW) {
                Taken::Through(standing) => assert_eq!((standing.limit, standing.remaining), (3, left)),
                refused => panic!("{refused:?}"),
            }
        }
        let Taken::Refused {
            retry_after,
            standing,
        } = memory.take(&who, NOW.plus_ms(400))
        else {
            panic!("a fourth at once");
        };
        assert_eq!(retry_after, Duration::from_millis(600));
        assert_eq!(
            (standing.remaining, standing.reset),
            (0, Duration::from_millis(2_600))
        );
        assert!(matches!(memory.take(&who, NOW.plus_ms(1_000)), Taken::Through(_)));
        assert!(matches!(
            memory.take(&who, NOW.plus_ms(1_000)),
            Taken::Refused { .. }
        ));
        assert!(
            matches!(memory.take(&who, NOW.plus_ms(-5_000)), Taken::Refused { .. }),
            "the clock went back"
        );
    }

    #[test]
    fn where_one_subject_may_not_nothing_is_counted_for_any() {
        let memory = Memory::default();
        let (narrow, wide) = (subject("narrow", 1, 1_000), subject("wide", 2, 1_000));
        assert!(matches!(
            memory.take(std::slice::from_ref(&narrow), NOW),
            Taken::Through(_)
        ));
        for _ in 0..10 {
            let taken = memory.take(&[wide.clone(), narrow.clone()], NOW);
            assert!(
                matches!(taken, Taken::Refused { standing, .. } if standing.limit == 1),
                "{taken:?}"
            );
        }
        let Taken::Through(standing) = memory.take(&[wide], NOW) else {
            panic!("refused");
        };
        assert_eq!(standing.remaining, 1);
        assert!(matches!(memory.take(&[], NOW), Taken::Through(_)));
    }

    #[test]
    fn the_table_is_bounded_and_what_is_over_leaves_it() {
        let memory = Memory::default();
        for n in 0..MAX_SUBJECTS + 1_000 {
            memory.take(&[subject(&n.to_string(), 1, 1_000)], NOW);
        }
        let count = || {
            let table = memory.0.lock().unwrap();
            assert_eq!(table.until.len(), table.by_end.len());
            table.until.len()
        };
        assert_eq!(count(), MAX_SUBJECTS);
        for n in 0..MAX_SUBJECTS {
            memory.take(
                &[subject(&format!("later {}", n % 10), 1_000_000, 1)],
                NOW.plus_ms(10_000),
            );
        }
        assert!(count() <= 10, "{}", count());
    }
}
