//! When a second model is asked beside one that says nothing.

use std::time::Duration;

/// What the operator set: after how long without content the next of a ladder is asked beside the first; `None`: never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hedging(pub Option<Duration>);

/// How a request stands when one of its candidates is about to be asked.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// Is it the first that is asked at all?
    pub first: bool,
    /// Must what is asked stay on the operator's machines?
    pub stays_here: bool,
    /// How many stand ready after it.
    pub others: usize,
    /// How long it may take to its first content, where a deadline says so.
    pub share: Option<Duration>,
}

impl Hedging {
    /// How long to wait for the first content before another is asked beside it; `None`: nobody is. Only beside the
    /// first, so that a request is hedged once at most, and not where it would have given way to the next by then anyway.
    pub fn wait(self, at: Standing) -> Option<Duration> {
        let after = self.0?;
        let gives_way = at.share.is_some_and(|share| share <= after);
        (at.first && !at.stays_here && at.others > 0 && !gives_way).then_some(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_secs(2);
    const FIRST: Standing = Standing {
        first: true,
        stays_here: false,
        others: 1,
        share: None,
    };

    #[test]
    fn only_the_first_of_several_is_hedged_and_only_where_the_operator_wants_it() {
        assert_eq!(Hedging(Some(AFTER)).wait(FIRST), Some(AFTER));
        assert_eq!(Hedging::default().wait(FIRST), None, "it is off");
        let never = [
            Standing {
                first: false,
                ..FIRST
            },
            Standing {
                stays_here: true,
                ..FIRST
            },
            Standing { others: 0, ..FIRST },
            Standing {
                share: Some(AFTER),
                ..FIRST
            },
        ];
        for at in never {
            assert_eq!(Hedging(Some(AFTER)).wait(at), None, "{at:?}");
        }
        let longer = Standing {
            share: Some(AFTER * 2),
            ..FIRST
        };
        assert_eq!(Hedging(Some(AFTER)).wait(longer), Some(AFTER));
    }
}
