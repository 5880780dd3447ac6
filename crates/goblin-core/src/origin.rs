//! Where a request to a model comes from: what whoever answers it is told, so that one question can be followed
//! through every machine it passes.
//!
//! Source: W3C Trace Context, level 1 (`traceparent`, version 00, and `tracestate`).

use std::sync::Arc;
use std::time::Duration;

/// Longest `tracestate` passed on, in bytes: the least that the standard has everybody pass on.
const MAX_TRACESTATE: usize = 512;
/// Longest deadline a tier takes, in milliseconds: one hour.
const MAX_DEADLINE_MS: u64 = 3_600_000;

/// What a request brings with it from whoever caused it. Work that nobody asked for has none of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The correlation id (`x-correlation-id`).
    pub request_id: Option<Arc<str>>,
    /// The trace it belongs to.
    pub trace: Option<Trace>,
    /// What is left of the caller's deadline for the whole answer when the request is handed to a provider.
    pub left: Option<Duration>,
}

impl Origin {
    /// The same request, handed on with `left` of its deadline.
    #[must_use]
    pub fn with(&self, left: Option<Duration>) -> Self {
        Self { left, ..self.clone() }
    }

    /// What is left in whole milliseconds, rounded up so that the caller's own clock is the one that decides; absent
    /// when there is no deadline, or more is left than a tier takes.
    pub fn deadline_ms(&self) -> Option<u64> {
        let left = self.left?;
        let ms = u64::try_from(left.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        (ms <= MAX_DEADLINE_MS).then_some(ms.max(1))
    }
}

/// A trace a request belongs to: one that was begun elsewhere, or here. Without an exporter for spans it is passed on
/// unchanged; with one, each piece of work passes its own span on as the next one's parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    parent: Arc<str>,
    state: Option<Arc<str>>,
}

impl Trace {
    /// Reads the headers `traceparent` and `tracestate`. `None` for a parent that is malformed; a state that cannot be
    /// passed on as it is is left out.
    pub fn read(parent: &str, state: Option<&str>) -> Option<Self> {
        let fit = |text: &&str| {
            (1..=MAX_TRACESTATE).contains(&text.len()) && text.bytes().all(|b| (0x20..0x7f).contains(&b))
        };
        is_parent(parent).then(|| Self {
            parent: parent.into(),
            state: state.map(str::trim).filter(fit).map(Arc::from),
        })
    }

    /// A trace that begins with `span`. `trace_id`: 32 lower-case hexadecimal digits, `span`: 16.
    pub fn begun(trace_id: &str, span: &str, sampled: bool) -> Self {
        Self {
            parent: parent_of(trace_id, span, sampled),
            state: None,
        }
    }

    /// The same trace, with `span` as the parent of what comes next.
    #[must_use]
    pub fn child(&self, span: &str, sampled: bool) -> Self {
        Self {
            parent: parent_of(self.trace_id(), span, sampled),
            state: self.state.clone(),
        }
    }

    /// The trace's own id: 32 hexadecimal digits.
    pub fn trace_id(&self) -> &str {
        &self.parent[3..35]
    }

    /// The span that is the parent of what comes next: 16 hexadecimal digits.
    pub fn span_id(&self) -> &str {
        &self.parent[36..52]
    }

    /// Is it recorded?
    pub fn is_sampled(&self) -> bool {
        u8::from_str_radix(&self.parent[53..], 16).is_ok_and(|flags| flags & 1 == 1)
    }

    /// `00-<trace>-<span>-<flags>`.
    pub fn parent(&self) -> &str {
        &self.parent
    }

    /// What vendors add.
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }
}

fn parent_of(trace_id: &str, span: &str, sampled: bool) -> Arc<str> {
    debug_assert!(trace_id.len() == 32 && span.len() == 16, "{trace_id} {span}");
    format!("00-{trace_id}-{span}-0{}", u8::from(sampled)).into()
}

/// Version 00, lower-case hexadecimal digits, and neither id all zeros.
fn is_parent(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut next = || parts.next().unwrap_or_default();
    let (version, trace, span, flags) = (next(), next(), next(), next());
    let is_hex = |part: &str, length| {
        part.len() == length && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_id = |part: &str, length| is_hex(part, length) && part.bytes().any(|b| b != b'0');
    version == "00" && is_id(trace, 32) && is_id(span, 16) && is_hex(flags, 2) && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn only_a_well_formed_trace_is_taken_over() {
        let trace = Trace::read(PARENT, Some(" congo=t61rcWkgMzE ")).unwrap();
        assert_eq!(
            (trace.parent(), trace.state()),
            (PARENT, Some("congo=t61rcWkgMzE"))
        );
        for state in ["", "a=\u{7}", &"x".repeat(513)] {
            assert_eq!(Trace::read(PARENT, Some(state)).unwrap().state(), None, "{state}");
        }
        for bad in [
            "",
            "00",
            "01-4bf9-00f0-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            &format!("{PARENT}-x"),
        ] {
            assert_eq!(Trace::read(bad, None), None, "{bad}");
        }
    }

    #[test]
    fn a_trace_says_its_parts() {
        let trace = Trace::read(PARENT, None).unwrap();
        assert_eq!(trace.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(trace.span_id(), "00f067aa0ba902b7");
        assert!(trace.is_sampled());
        let inside = trace.child("b7ad6b7169203331", false);
        assert_eq!(
            inside.parent(),
            "00-4bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331-00"
        );
        assert!(!inside.is_sampled());
    }

    #[test]
    fn what_is_left_is_told_in_whole_milliseconds_and_never_as_nothing() {
        let told = |left| Origin::default().with(left).deadline_ms();
        assert_eq!(told(None), None);
        assert_eq!(told(Some(Duration::ZERO)), Some(1));
        assert_eq!(told(Some(Duration::from_micros(1500))), Some(2));
        assert_eq!(told(Some(Duration::from_secs(3600))), Some(3_600_000));
        assert_eq!(told(Some(Duration::from_secs(3601))), None, "no tier takes more");
        assert_eq!(told(Some(Duration::MAX)), None);
    }
}
