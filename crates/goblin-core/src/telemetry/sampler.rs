//! Which traces are recorded.
//!
//! Source: OpenTelemetry SDK configuration (`OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG`); for the share, W3C
//! Trace Context level 2: the last 56 bits of a trace's id are random, so that all processes decide alike; for the pace,
//! Jaeger's `ratelimiting` sampler.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Timestamp;
use crate::id::Ids;
use crate::origin::Trace;

/// Where a trace without a decision of its caller gets one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampler {
    /// Does the decision of whoever began the trace hold?
    pub parent_based: bool,
    /// The share of traces recorded, 0 to 1.
    pub share: f64,
}

/// The words [`Sampler::parse`] knows.
pub const WORDS: &[&str] = &[
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
];

impl Sampler {
    /// Reads one of [`WORDS`]; `share` holds for those with a ratio.
    pub fn parse(word: &str, share: f64) -> Option<Self> {
        let bare = word.strip_prefix("parentbased_");
        let share = match bare.unwrap_or(word) {
            "always_on" => 1.0,
            "always_off" => 0.0,
            "traceidratio" => share.clamp(0.0, 1.0),
            _ => return None,
        };
        Some(Self {
            parent_based: bare.is_some(),
            share,
        })
    }

    /// Takes a request in: its own span within the trace it came with, or within a new one. `room` is asked where a trace would
    /// be recorded that nobody decided to record before.
    pub fn begin(&self, came_with: Option<&Trace>, ids: &Ids, room: impl FnOnce() -> bool) -> Trace {
        let span = ids.next_span_id();
        match came_with {
            Some(trace) if self.parent_based => trace.child(&span, trace.is_sampled()),
            Some(trace) => trace.child(&span, self.takes(trace.trace_id()) && room()),
            None => {
                let trace_id = ids.next_trace_id();
                let taken = self.takes(&trace_id) && room();
                Trace::begun(&trace_id, &span, taken)
            }
        }
    }

    /// The share the page decides by when the decision of a caller holds.
    pub fn share_for_callers(&self) -> f64 {
        // Where the page's decision does not hold, whoever records decides.
        if self.parent_based || self.share <= 0.0 {
            self.share
        } else {
            1.0
        }
    }

    fn takes(&self, trace_id: &str) -> bool {
        /// 2^56.
        const ALL: f64 = 72_057_594_037_927_936.0;
        let last = trace_id
            .get(18..)
            .and_then(|hex| u64::from_str_radix(hex, 16).ok());
        #[allow(
            clippy::cast_precision_loss,
            reason = "below 2^56, and a share need not be exact"
        )]
        let random = last.unwrap_or(0) as f64;
        random >= ALL * (1.0 - self.share)
    }
}

/// How many traces are recorded in a second at most, so that what telling others costs is bounded however many ask.
#[derive(Debug)]
pub struct Pace {
    most: u32,
    /// The second, and how many were taken in it: 32 bits each.
    taken: AtomicU64,
}

impl Pace {
    /// At most so many a second; 0: as many as there are.
    pub fn new(most: u32) -> Self {
        Self {
            most,
            taken: AtomicU64::new(0),
        }
    }

    /// Takes one, where there is room for it in this second.
    pub fn takes(&self, now: Timestamp) -> bool {
        if self.most == 0 {
            return true;
        }
        const COUNT: u64 = u32::MAX as u64;
        let second = u64::try_from(now.0 / 1_000).unwrap_or(0) << 32;
        let next = |taken: u64| {
            if taken & !COUNT != second {
                return Some(second | 1);
            }
            (taken & COUNT < u64::from(self.most)).then(|| taken + 1)
        };
        self.taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn trace(text: &str) -> Trace {
        Trace::read(text, Some("a=b")).unwrap()
    }

    #[test]
    fn the_callers_decision_holds_where_it_is_to() {
        let ids = Ids::Random;
        let unsampled = SAMPLED.replace("-01", "-00");
        let all = Sampler::parse("always_on", 0.1).unwrap();
        let none = Sampler::parse("parentbased_always_off", 0.1).unwrap();
        assert!(all.begin(Some(&trace(&unsampled)), &ids, || true).is_sampled());
        assert!(none.begin(Some(&trace(SAMPLED)), &ids, || true).is_sampled());
        assert!(!none.begin(None, &ids, || true).is_sampled());
        assert!(Sampler::parse("jaeger_remote", 1.0).is_none());
        assert!(WORDS.iter().all(|word| Sampler::parse(word, 0.5).is_some()));
    }

    #[test]
    fn a_request_is_a_new_span_of_the_trace_it_came_with() {
        let begun = Sampler::parse("parentbased_always_on", 1.0).unwrap();
        let inside = begun.begin(Some(&trace(SAMPLED)), &Ids::Random, || true);
        assert_eq!(inside.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_ne!(inside.span_id(), "00f067aa0ba902b7");
        assert_eq!(inside.state(), Some("a=b"));
        assert_eq!(Trace::read(inside.parent(), Some("a=b")), Some(inside));
    }

    #[test]
    fn a_share_is_a_share_and_every_process_takes_the_same() {
        let tenth = Sampler::parse("traceidratio", 0.1).unwrap();
        let made: Vec<Trace> = (0..4_000)
            .map(|_| tenth.begin(None, &Ids::Random, || true))
            .collect();
        let taken = made.iter().filter(|trace| trace.is_sampled()).count();
        assert!((250..=550).contains(&taken), "{taken}");
        for trace in made {
            let again = tenth.begin(Some(&trace), &Ids::Random, || true);
            assert_eq!(again.is_sampled(), trace.is_sampled());
        }
    }

    #[test]
    fn of_what_is_begun_here_so_many_a_second_are_recorded_and_callers_are_believed_all_the_same() {
        let all = Sampler::parse("parentbased_always_on", 1.0).unwrap();
        let pace = Pace::new(2);
        let begun = |ms: i64, came: Option<&Trace>| {
            all.begin(came, &Ids::Random, || pace.takes(Timestamp(ms)))
                .is_sampled()
        };
        let caller = trace(SAMPLED);
        assert_eq!(
            [7_000, 7_001, 7_999].map(|at| begun(at, None)),
            [true, true, false]
        );
        assert!(begun(7_999, Some(&caller)), "a trace has no holes");
        assert_eq!(
            [8_000, 8_001, 8_002].map(|at| begun(at, None)),
            [true, true, false]
        );
        let endless = Pace::new(0);
        assert!((0..1_000).all(|_| endless.takes(Timestamp(7_000))));
    }
}
