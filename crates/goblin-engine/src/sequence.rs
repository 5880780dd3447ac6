//! Which sequence answers, and how much of its prompt is already there.
//!
//! Pure bookkeeping: every sequence remembers the tokens whose keys and values it holds. A new prompt takes
//! the free sequence it destroys least in, and whatever prefix any sequence holds is copied, not recomputed.

/// A token's number in the vocabulary.
pub(crate) type Token = i32;

/// What one sequence holds.
#[derive(Debug, Default)]
struct Held {
    tokens: Vec<Token>,
    busy: bool,
    /// When it was last used: larger is later.
    used_at: u64,
}

/// Where a prompt goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placement {
    /// The sequence that takes it.
    pub(crate) sequence: usize,
    /// Tokens of the prompt that are there without evaluating them.
    pub(crate) cached: usize,
    /// The sequence to copy them from; `None` when they are the sequence's own.
    pub(crate) copy_from: Option<usize>,
}

/// All sequences of one context.
#[derive(Debug)]
pub(crate) struct Sequences {
    held: Vec<Held>,
    /// The first `chats` of them answer chats; the rest are reserved (the decider's shared text).
    chats: usize,
    clock: u64,
    /// May a prefix be kept or copied at all? Recurrent models cannot go back.
    reuse: bool,
    /// Most tokens all free sequences may hold together.
    idle_tokens: usize,
}

impl Sequences {
    /// `chats` sequences for chats and `reserved` more that are only taken by number. Free ones may hold
    /// `idle_tokens` together.
    pub(crate) fn new(chats: usize, reserved: usize, reuse: bool, idle_tokens: usize) -> Self {
        let held = (0..chats + reserved).map(|_| Held::default()).collect();
        Self {
            held,
            chats,
            clock: 0,
            reuse,
            idle_tokens,
        }
    }

    /// Takes a free chat sequence for `prompt`. `None` when all are busy.
    pub(crate) fn take(&mut self, prompt: &[Token]) -> Option<Placement> {
        // The last token is always evaluated anew, because its logits are what is wanted.
        let wanted = &prompt[..prompt.len().saturating_sub(1)];
        let sequence = self.victim(wanted, self.available(wanted))?;
        Some(self.occupy(sequence, wanted))
    }

    /// Takes sequence `sequence`, free or not, for `wanted`, keeping or copying all it can.
    pub(crate) fn occupy(&mut self, sequence: usize, wanted: &[Token]) -> Placement {
        let own = self.prefix_of(sequence, wanted);
        let (copy_from, cached) = match self.longest_prefix(wanted) {
            Some((source, n)) if n > own && source != sequence => (Some(source), n),
            _ => (None, own),
        };
        self.clock += 1;
        let held = &mut self.held[sequence];
        held.busy = true;
        held.used_at = self.clock;
        held.tokens.clear();
        held.tokens.extend_from_slice(&wanted[..cached]);
        Placement {
            sequence,
            cached,
            copy_from,
        }
    }

    /// Sequence `sequence` now also holds `tokens`.
    pub(crate) fn extend(&mut self, sequence: usize, tokens: &[Token]) {
        self.held[sequence].tokens.extend_from_slice(tokens);
    }

    /// Nobody uses sequence `sequence` any more; what it holds stays until another prompt needs the place.
    pub(crate) fn release(&mut self, sequence: usize) {
        self.clock += 1;
        self.held[sequence].busy = false;
        self.held[sequence].used_at = self.clock;
    }

    /// May prompts share what is evaluated?
    pub(crate) fn reuses(&self) -> bool {
        self.reuse
    }

    /// Tokens that free sequences hold.
    pub(crate) fn idle(&self) -> usize {
        let free = self.held.iter().filter(|h| !h.busy);
        free.map(|h| h.tokens.len()).sum()
    }

    /// Forgets free sequences, the one used longest ago first, until the rest hold no more than they may. The one
    /// used last stays, and what a prompt of `wanted` would reuse. The caller clears those named: every cell in use
    /// costs every step, whoever it belongs to.
    pub(crate) fn drop_idle<'p>(&mut self, wanted: impl Iterator<Item = &'p [Token]>) -> Vec<usize> {
        let mut idle = self.idle();
        if idle <= self.idle_tokens {
            return Vec::new();
        }
        let kept: Vec<usize> = wanted
            .filter_map(|prompt| self.longest_prefix(prompt).map(|(sequence, _)| sequence))
            .collect();
        let mut free: Vec<usize> = (0..self.held.len())
            .filter(|s| !self.held[*s].busy && !self.held[*s].tokens.is_empty())
            .collect();
        free.sort_by_key(|s| self.held[*s].used_at);
        free.pop();
        let mut dropped = Vec::new();
        for sequence in free.into_iter().filter(|s| !kept.contains(s)) {
            if idle <= self.idle_tokens {
                break;
            }
            idle -= self.held[sequence].tokens.len();
            self.held[sequence].tokens = Vec::new();
            dropped.push(sequence);
        }
        dropped
    }

    /// Forgets everything (the context was cleared).
    pub(crate) fn forget_all(&mut self) {
        for held in &mut self.held {
            held.tokens.clear();
        }
    }

    /// How much of `wanted` is there in any sequence.
    pub(crate) fn available(&self, wanted: &[Token]) -> usize {
        self.longest_prefix(wanted).map_or(0, |(_, n)| n)
    }

    #[cfg(test)]
    /// Tokens sequence `sequence` holds.
    pub(crate) fn length(&self, sequence: usize) -> usize {
        self.held[sequence].tokens.len()
    }

    /// How much of `wanted` a sequence holds and may keep.
    fn prefix_of(&self, sequence: usize, wanted: &[Token]) -> usize {
        if self.reuse {
            common_prefix(&self.held[sequence].tokens, wanted)
        } else {
            0
        }
    }

    /// The sequence, busy or not, with the longest prefix of `wanted`.
    fn longest_prefix(&self, wanted: &[Token]) -> Option<(usize, usize)> {
        (0..self.held.len())
            .map(|s| (s, self.prefix_of(s, wanted)))
            .filter(|(_, n)| *n > 0)
            .max_by_key(|(s, n)| (*n, std::cmp::Reverse(*s)))
    }

    /// The free chat sequence to use: one whose content goes on in this prompt, else an empty one, else the
    /// one used longest ago.
    fn victim(&self, wanted: &[Token], best: usize) -> Option<usize> {
        let free = || (0..self.chats).filter(|s| !self.held[*s].busy);
        let same_chat = free()
            .map(|s| (s, self.prefix_of(s, wanted)))
            // The same conversation: the best prefix there is, and more than half of what the sequence
            // holds. A shared system prompt in front of another conversation is not enough.
            .filter(|(s, n)| *n > 0 && *n == best && n * 2 > self.held[*s].tokens.len())
            .max_by_key(|(s, _)| self.held[*s].used_at)
            .map(|(s, _)| s);
        same_chat
            .or_else(|| free().find(|s| self.held[*s].tokens.is_empty()))
            .or_else(|| free().min_by_key(|s| self.held[*s].used_at))
    }
}

/// How many tokens two texts begin with in common.
pub(crate) fn common_prefix(a: &[Token], b: &[Token]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(n: Token) -> Vec<Token> {
        (0..n).collect()
    }

    fn finish(seqs: &mut Sequences, at: Placement, prompt: &[Token], answer: &[Token]) {
        seqs.extend(at.sequence, &prompt[at.cached..]);
        seqs.extend(at.sequence, answer);
        seqs.release(at.sequence);
    }

    #[test]
    fn the_next_turn_of_a_chat_keeps_everything_it_has() {
        let mut seqs = Sequences::new(2, 0, true, 10_000);
        let first = all(10);
        let at = seqs.take(&first).unwrap();
        assert_eq!(at.cached, 0);
        finish(&mut seqs, at, &first, &[100, 101]);
        let second: Vec<Token> = [first, vec![100, 101, 200, 201]].concat();
        let again = seqs.take(&second).unwrap();
        assert_eq!(
            again,
            Placement {
                sequence: at.sequence,
                cached: 12,
                copy_from: None
            }
        );
    }

    #[test]
    fn the_last_token_of_a_repeated_prompt_is_evaluated_anew() {
        let mut seqs = Sequences::new(1, 0, true, 10_000);
        let prompt = all(10);
        let at = seqs.take(&prompt).unwrap();
        finish(&mut seqs, at, &prompt, &[]);
        assert_eq!(seqs.take(&prompt).unwrap().cached, 9);
    }

    #[test]
    fn a_shared_system_prompt_is_copied_even_from_a_busy_sequence() {
        let mut seqs = Sequences::new(3, 0, true, 10_000);
        let a: Vec<Token> = [all(50), vec![1000]].concat();
        let b: Vec<Token> = [all(50), vec![2000]].concat();
        let at_a = seqs.take(&a).unwrap();
        seqs.extend(at_a.sequence, &a);
        let at_b = seqs.take(&b).unwrap();
        assert_eq!(
            at_b,
            Placement {
                sequence: 1,
                cached: 50,
                copy_from: Some(at_a.sequence)
            }
        );
    }

    #[test]
    fn another_chat_with_the_same_system_prompt_does_not_destroy_a_long_one() {
        let mut seqs = Sequences::new(2, 0, true, 10_000);
        let long: Vec<Token> = [all(50), (5000..6000).collect()].concat();
        let at = seqs.take(&long).unwrap();
        finish(&mut seqs, at, &long, &[]);
        let other: Vec<Token> = [all(50), vec![7]].concat();
        let placed = seqs.take(&other).unwrap();
        assert_ne!(placed.sequence, at.sequence);
        assert_eq!(placed.cached, 50);
    }

    #[test]
    fn without_room_the_sequence_used_longest_ago_is_given_up() {
        let mut seqs = Sequences::new(2, 0, true, 10_000);
        for start in [100, 200] {
            let prompt: Vec<Token> = (start..start + 10).collect();
            let at = seqs.take(&prompt).unwrap();
            finish(&mut seqs, at, &prompt, &[]);
        }
        let placed = seqs.take(&[1, 2, 3]).unwrap();
        assert_eq!((placed.sequence, placed.cached), (0, 0));
        assert_eq!(seqs.length(0), 0);
    }

    #[test]
    fn when_all_are_busy_there_is_no_place_and_reserved_ones_are_never_taken() {
        let mut seqs = Sequences::new(1, 1, true, 10_000);
        assert!(seqs.take(&[1, 2]).is_some());
        assert!(seqs.take(&[1, 2]).is_none());
        assert_eq!(seqs.occupy(1, &[1, 2]).sequence, 1);
    }

    /// Four chats of ten tokens each, over, in their order; free sequences may hold `idle_tokens`.
    fn four_over(idle_tokens: usize) -> (Sequences, Vec<Vec<Token>>) {
        let mut seqs = Sequences::new(5, 1, true, idle_tokens);
        let prompts: Vec<Vec<Token>> = (1..5).map(|c| (c * 100..c * 100 + 10).collect()).collect();
        for prompt in &prompts {
            let at = seqs.take(prompt).unwrap();
            finish(&mut seqs, at, prompt, &[]);
        }
        (seqs, prompts)
    }

    fn drop_idle(seqs: &mut Sequences, wanted: &[&[Token]]) -> Vec<usize> {
        seqs.drop_idle(wanted.iter().copied())
    }

    #[test]
    fn what_rests_is_kept_within_its_bound_and_the_oldest_goes_first() {
        let (mut seqs, _) = four_over(40);
        assert_eq!((seqs.idle(), drop_idle(&mut seqs, &[])), (40, vec![]));
        let (mut seqs, _) = four_over(25);
        assert_eq!(drop_idle(&mut seqs, &[]), [0, 1]);
        assert_eq!((seqs.idle(), seqs.length(0), seqs.length(2)), (20, 0, 10));
        assert_eq!(drop_idle(&mut seqs, &[]), Vec::<usize>::new());
    }

    #[test]
    fn what_a_prompt_wants_is_never_dropped_for_it_nor_the_chat_that_spoke_last() {
        let (mut seqs, prompts) = four_over(25);
        assert_eq!(drop_idle(&mut seqs, &[&prompts[0]]), [1, 2]);
        assert_eq!(seqs.take(&prompts[0]).unwrap().cached, 9);
        // Even a bound of nothing leaves the next turn of the last chat its tokens.
        let (mut seqs, prompts) = four_over(0);
        assert_eq!(drop_idle(&mut seqs, &[]), [0, 1, 2]);
        assert_eq!(seqs.take(&prompts[3]).unwrap().cached, 9);
    }

    #[test]
    fn a_busy_sequence_neither_counts_nor_goes() {
        let (mut seqs, prompts) = four_over(25);
        seqs.take(&prompts[0]).unwrap();
        assert_eq!(seqs.idle(), 30);
        assert_eq!(drop_idle(&mut seqs, &[]), [1]);
        assert_eq!(seqs.length(0), 9);
    }

    #[test]
    fn models_that_cannot_go_back_reuse_nothing() {
        let mut seqs = Sequences::new(1, 0, false, 10_000);
        let prompt = all(10);
        let at = seqs.take(&prompt).unwrap();
        finish(&mut seqs, at, &prompt, &[]);
        assert_eq!(seqs.take(&prompt).unwrap().cached, 0);
    }
}
