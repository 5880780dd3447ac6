//! Which models must leave so that another fits. Pure: numbers in, a decision out.

/// A model in memory.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) name: String,
    /// Bytes that are free again once it has left.
    pub(super) bytes: u64,
    /// Rises with every use.
    pub(super) used: u64,
    /// Somebody is being answered, or was promised an answer.
    pub(super) busy: bool,
}

/// Can a model be loaded?
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// Yes, once these have left; none of them is busy.
    After(Vec<String>),
    /// Once these, which are busy, have nothing to do.
    Busy(Vec<String>),
    /// Not even alone.
    Never {
        /// Bytes there would be.
        most: u64,
    },
}

/// Makes room for a model of `needs` bytes where `free` bytes are free and at most `max_models` models may be in
/// memory. Those used longest ago leave first, and no more of them than must.
pub(super) fn make(needs: u64, free: u64, held: &[Held], max_models: usize) -> Room {
    let most = held.iter().fold(free, |sum, h| sum.saturating_add(h.bytes));
    if needs > most {
        return Room::Never { most };
    }
    let fits = |leaving: &[&Held]| {
        let bytes = leaving.iter().fold(free, |sum, h| sum.saturating_add(h.bytes));
        needs <= bytes && held.len() - leaving.len() < max_models.max(1)
    };
    let mut order: Vec<&Held> = held.iter().collect();
    order.sort_by_key(|h| (h.busy, h.used));
    let mut leaving: Vec<&Held> = Vec::new();
    for next in order {
        if fits(&leaving) {
            break;
        }
        leaving.push(next);
    }
    // A small one may have been chosen before a large one that would have been enough.
    for at in (0..leaving.len()).rev() {
        let mut fewer = leaving.clone();
        fewer.remove(at);
        if fits(&fewer) {
            leaving = fewer;
        }
    }
    let names = |busy: bool| {
        let of = leaving.iter().filter(|h| h.busy == busy);
        of.map(|h| h.name.clone()).collect::<Vec<_>>()
    };
    match names(true) {
        busy if busy.is_empty() => Room::After(names(false)),
        busy => Room::Busy(busy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(name: &str, bytes: u64, used: u64, busy: bool) -> Held {
        Held {
            name: name.to_owned(),
            bytes,
            used,
            busy,
        }
    }

    fn after(names: &[&str]) -> Room {
        Room::After(names.iter().map(|n| (*n).to_owned()).collect())
    }

    #[test]
    fn nobody_leaves_while_there_is_room() {
        let all = [held("a", 50, 1, false)];
        assert_eq!(make(40, 40, &all, 3), after(&[]));
        assert_eq!(make(40, 40, &[], 3), after(&[]));
    }

    #[test]
    fn the_one_used_longest_ago_leaves_first_and_no_more_than_must() {
        let all = [
            held("old", 10, 1, false),
            held("middle", 60, 2, false),
            held("new", 60, 3, false),
        ];
        assert_eq!(make(15, 10, &all, 9), after(&["old"]));
        assert_eq!(
            make(60, 0, &all, 9),
            after(&["middle"]),
            "the old one would not help"
        );
        assert_eq!(make(65, 0, &all, 9), after(&["old", "middle"]));
        assert_eq!(make(1, 100, &all, 3), after(&["old"]), "three places are taken");
    }

    #[test]
    fn a_busy_model_stays_as_long_as_an_idle_one_will_do() {
        let all = [held("busy", 60, 1, true), held("idle", 60, 2, false)];
        assert_eq!(make(50, 0, &all, 9), after(&["idle"]));
        assert_eq!(make(100, 0, &all, 9), Room::Busy(vec!["busy".to_owned()]));
        let one = [held("busy", 60, 1, true)];
        assert_eq!(make(1, 100, &one, 1), Room::Busy(vec!["busy".to_owned()]));
    }

    #[test]
    fn what_does_not_fit_alone_never_fits() {
        let all = [held("a", 50, 1, true)];
        assert_eq!(make(101, 50, &all, 3), Room::Never { most: 100 });
        assert_eq!(make(1, 0, &[], 3), Room::Never { most: 0 });
    }
}
