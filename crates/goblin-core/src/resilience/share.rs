//! How the time a request allows is divided among those that may answer it.

use std::time::Duration;

/// The longest a model may take to its first content, when so much is `left` for all and so many `others` stand ready
/// after it: half of it, so that one that says nothing leaves time for the next, and that one's own half for the one
/// after. The last has all there is.
pub fn share(left: Duration, others: usize) -> Duration {
    match others {
        0 => left,
        _ => left / 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_stands_ready_finds_time_left_and_the_last_has_all_of_it() {
        let all = Duration::from_secs(60);
        assert_eq!(share(all, 0), all);
        assert_eq!(share(all, 1), all / 2);
        let mut left = all;
        for others in (0..4).rev() {
            let part = share(left, others);
            assert!(!part.is_zero(), "{others}");
            left -= part;
        }
        assert_eq!(left, Duration::ZERO, "nothing is kept back");
    }
}
