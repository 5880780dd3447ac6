//! How the prompts that wait share the room of a step.

/// Divides `room` tokens among prompts of which `left` tokens are still to be evaluated, in the order of their
/// arrival. Half of the room is divided equally, oldest first, so that nobody starves; the rest goes to whoever
/// is done soonest, so that a short question does not wait for a long prompt.
pub(crate) fn shares(left: &[usize], room: usize) -> Vec<usize> {
    let mut out = vec![0; left.len()];
    let waiting = left.iter().filter(|n| **n > 0).count();
    if waiting == 0 {
        return out;
    }
    let mut rest = room;
    let equal = (room / 2 / waiting).max(1);
    for (share, left) in out.iter_mut().zip(left) {
        *share = equal.min(*left).min(rest);
        rest -= *share;
    }
    let mut soonest: Vec<usize> = (0..left.len()).collect();
    soonest.sort_by_key(|at| left[*at]);
    for at in soonest {
        let more = (left[at] - out[at]).min(rest);
        out[at] += more;
        rest -= more;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_is_done_first_and_the_longest_goes_on() {
        assert_eq!(shares(&[4000, 20], 128), [108, 20]);
        assert_eq!(shares(&[4000, 100], 128), [32, 96]);
        assert_eq!(shares(&[4000, 3000, 90], 120), [20, 20, 80]);
        assert_eq!(shares(&[4000], 128), [128]);
    }

    #[test]
    fn nothing_is_given_twice_and_the_oldest_never_starves() {
        assert_eq!(shares(&[0, 10, 0], 128), [0, 10, 0]);
        assert_eq!(shares(&[], 128), Vec::<usize>::new());
        assert_eq!(shares(&[5, 5], 0), [0, 0]);
        let many = [[5000].as_slice(), &[3; 100]].concat();
        let got = shares(&many, 32);
        assert_eq!(got[0], 1);
        assert_eq!(got.iter().sum::<usize>(), 32);
    }
}
