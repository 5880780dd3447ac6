//! A queue that takes turns between keys: round robin over the keys that wait, first come first served within one.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// The queue. A key that has nothing waiting is forgotten.
#[derive(Clone, Debug)]
pub struct Fair<T> {
    /// Keys in the order of their turns.
    turns: VecDeque<Arc<str>>,
    waiting: HashMap<Arc<str>, VecDeque<T>>,
    length: usize,
}

impl<T> Default for Fair<T> {
    fn default() -> Self {
        Self {
            turns: VecDeque::new(),
            waiting: HashMap::new(),
            length: 0,
        }
    }
}

impl<T> Fair<T> {
    /// How many wait.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Does nobody wait?
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Joins behind the others of `key`. A new key gets its turn after every key that waits.
    pub fn push(&mut self, key: &Arc<str>, item: T) {
        let line = self.waiting.entry(Arc::clone(key)).or_default();
        if line.is_empty() {
            self.turns.push_back(Arc::clone(key));
        }
        line.push_back(item);
        self.length += 1;
    }

    /// Who is next.
    pub fn peek(&self) -> Option<&T> {
        self.waiting.get(self.turns.front()?)?.front()
    }

    /// Takes who is next; the turn goes to the next key.
    pub fn pop(&mut self) -> Option<T> {
        let key = self.turns.pop_front()?;
        let line = self.waiting.get_mut(&key)?;
        let item = line.pop_front();
        if line.is_empty() {
            self.waiting.remove(&key);
        } else {
            self.turns.push_back(key);
        }
        self.length -= usize::from(item.is_some());
        item
    }

    /// Takes out the first for which `is` holds, wherever it waits.
    pub fn remove(&mut self, is: impl Fn(&T) -> bool) -> Option<T> {
        let (key, at) = self
            .waiting
            .iter()
            .find_map(|(key, line)| Some((Arc::clone(key), line.iter().position(&is)?)))?;
        self.take(&key, at)
    }

    /// Who would be served before a newcomer of `key`, if nobody else came.
    pub fn ahead_of(&self, key: &str) -> Vec<&T> {
        let own = self.waiting.get(key).map_or(0, VecDeque::len);
        let mut before = true;
        let mut ahead = Vec::new();
        for turn in &self.turns {
            let is_own = &**turn == key;
            // The newcomer is served in its key's round number `own`; a key whose turn comes earlier has had one more.
            let rounds = if is_own {
                before = false;
                own
            } else {
                own + usize::from(before)
            };
            ahead.extend(self.waiting.get(turn).into_iter().flatten().take(rounds));
        }
        ahead
    }

    /// Makes room in a full queue for a newcomer of `key`: takes out the last of the key with the most waiting, if
    /// that key would still have at least as many as `key` then has. `None`: the newcomer's own key is the greediest.
    pub fn displace_for(&mut self, key: &str) -> Option<T> {
        let own = self.waiting.get(key).map_or(0, VecDeque::len);
        let (greediest, most) = self
            .turns
            .iter()
            .map(|k| (k, self.waiting.get(k).map_or(0, VecDeque::len)))
            .max_by_key(|(_, n)| *n)?;
        if most < own + 2 {
            return None;
        }
        let greediest = Arc::clone(greediest);
        self.take(&greediest, most - 1)
    }

    fn take(&mut self, key: &Arc<str>, at: usize) -> Option<T> {
        let line = self.waiting.get_mut(key)?;
        let item = line.remove(at);
        if line.is_empty() {
            self.waiting.remove(key);
            self.turns.retain(|k| k != key);
        }
        self.length -= usize::from(item.is_some());
        item
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn queue(items: &[&str]) -> Fair<String> {
        let mut fair = Fair::default();
        for item in items {
            fair.push(&Arc::from(&item[..1]), (*item).to_owned());
        }
        fair
    }

    fn drain(mut fair: Fair<String>) -> Vec<String> {
        std::iter::from_fn(|| fair.pop()).collect()
    }

    #[test]
    fn keys_take_turns_and_one_key_is_first_come_first_served() {
        let fair = queue(&["a1", "a2", "a3", "b1", "c1", "b2"]);
        assert_eq!(drain(fair), ["a1", "b1", "c1", "a2", "b2", "a3"]);
    }

    #[test]
    fn a_key_with_a_thousand_waiting_delays_another_by_one() {
        let mut fair = Fair::default();
        for i in 0..1000 {
            fair.push(&"greedy".into(), i);
        }
        fair.push(&"modest".into(), -1);
        assert_eq!((fair.pop(), fair.pop()), (Some(0), Some(-1)));
    }

    #[test]
    fn leaving_forgets_the_turn_of_a_key_with_nothing_left() {
        let mut fair = queue(&["a1", "b1", "a2"]);
        assert_eq!(fair.remove(|i| i == "b1").as_deref(), Some("b1"));
        assert_eq!(fair.remove(|i| i == "b1"), None);
        assert_eq!(fair.len(), 2);
        assert_eq!(drain(fair), ["a1", "a2"]);
    }

    #[test]
    fn a_full_queue_gives_up_the_last_of_the_greediest() {
        let mut fair = queue(&["a1", "a2", "a3", "b1"]);
        assert_eq!(fair.displace_for("c").as_deref(), Some("a3"));
        assert_eq!(fair.displace_for("b"), None, "a has two, b would have two");
        assert_eq!(fair.displace_for("a"), None);
    }

    proptest! {
        #[test]
        fn who_is_ahead_is_who_is_served_first(items in proptest::collection::vec("[a-d]", 0..40), key in "[a-e]", skip in 0_usize..6) {
            let mut fair = Fair::default();
            for (i, item) in items.iter().enumerate() {
                fair.push(&Arc::from(item.as_str()), i);
            }
            for _ in 0..skip {
                fair.pop();
            }
            let mut ahead: Vec<usize> = fair.ahead_of(&key).into_iter().copied().collect();
            fair.push(&Arc::from(key.as_str()), usize::MAX);
            let mut served: Vec<usize> = std::iter::from_fn(|| fair.pop()).take_while(|i| *i != usize::MAX).collect();
            ahead.sort_unstable();
            served.sort_unstable();
            prop_assert_eq!(ahead, served);
        }
    }
}
