//! Identifiers: UUIDv7 (RFC 9562), so that they sort by the time they were made.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

use crate::clock::Timestamp;

/// Where new ids come from. Cloning shares the source.
#[derive(Clone, Debug)]
pub enum Ids {
    /// Real UUIDv7s.
    Random,
    /// 1, 2, 3 … in UUID form, for tests.
    Counting(Arc<AtomicU64>),
}

impl Ids {
    /// Predictable ids for tests.
    pub fn counting() -> Self {
        Self::Counting(Arc::new(AtomicU64::new(0)))
    }

    /// A new id, hyphenated lower-case UUID text (36 characters).
    #[allow(clippy::disallowed_methods, reason = "this is the one owner of id making")]
    pub fn next_id(&self) -> String {
        match self {
            Self::Random => Uuid::now_v7().to_string(),
            Self::Counting(n) => {
                Uuid::from_u128(u128::from(n.fetch_add(1, Ordering::SeqCst) + 1)).to_string()
            }
        }
    }

    /// A new id of a trace: 32 lower-case hexadecimal digits, all of them random (W3C Trace Context wants the last 14 to be). It
    /// tells traces apart, and is no secret.
    pub fn next_trace_id(&self) -> String {
        match self {
            Self::Random => format!("{:016x}{:016x}", random(), random()),
            Self::Counting(_) => self.next_id().replace('-', ""),
        }
    }

    /// A new id of a span: 16 lower-case hexadecimal digits, never all zeros.
    pub fn next_span_id(&self) -> String {
        match self {
            Self::Random => format!("{:016x}", random().max(1)),
            Self::Counting(_) => self.next_trace_id().split_off(16),
        }
    }
}

/// A random number without a question to the system for each: every `RandomState` has random keys of its own, and what it makes
/// of nothing depends on them alone.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// When an id was made, as it says itself (`UUIDv7`); `None` when it does not.
pub fn made_at(id: &str) -> Option<Timestamp> {
    let (seconds, nanos) = Uuid::try_parse(id).ok()?.get_timestamp()?.to_unix();
    let ms = i64::try_from(seconds).ok()?.checked_mul(1_000)?;
    Some(Timestamp(ms.checked_add(i64::from(nanos / 1_000_000))?))
}

/// Is this text an id we could have made? Guards paths such as `/api/chats/{id}`.
pub fn is_id(text: &str) -> bool {
    text.len() == 36 && Uuid::try_parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_and_spans_have_ids_of_their_own_length() {
        for ids in [Ids::Random, Ids::counting()] {
            assert_eq!(ids.next_trace_id().len(), 32);
            let span = ids.next_span_id();
            assert!(span.len() == 16 && span.bytes().any(|b| b != b'0'), "{span}");
        }
    }

    #[test]
    fn ids_sort_by_the_time_they_were_made() {
        let ids = Ids::Random;
        let made: Vec<String> = (0..50).map(|_| ids.next_id()).collect();
        assert!(made.is_sorted());
        assert!(made.iter().all(|id| is_id(id)));
        assert!(!is_id("../../etc/passwd"));
        assert!(
            made.iter()
                .all(|id| made_at(id).is_some_and(|at| at.0 > 1_700_000_000_000))
        );
        for other in ["", "nonsense", "00000000-0000-0000-0000-000000000001"] {
            assert_eq!(made_at(other), None, "{other}");
        }
    }
}
