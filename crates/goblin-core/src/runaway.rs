//! Sees when an answer has become a loop: the same words again and again, without end.
//!
//! Every byte is compared with the byte one *period* earlier; a period is proposed when the last [`GRAM`] bytes were
//! seen before. One hash update, at most one look into a table and one comparison a byte, and a fixed amount of
//! memory, however long the answer is.
//!
//! It is meant never to be wrong about text somebody wants: rulers, tables of zeros, refrains, "write it a hundred
//! times" all end before [`LEAST_BYTES`] and [`LEAST_TURNS`] are reached *without a single byte that differs*.
//! Counting, numbered lists and anything else that moves on is never a loop.

/// Bytes that must be equal before a period is proposed.
const GRAM: usize = 16;
/// Longest period, in bytes.
const LONGEST: usize = 2048;
/// A loop has at least this many bytes…
pub const LEAST_BYTES: usize = 6144;
/// …and goes round at least this often.
pub const LEAST_TURNS: usize = 12;
/// Bytes remembered: a power of two, above [`LONGEST`] + [`GRAM`].
const KEPT: usize = 4096;
/// Places in the table of grams: a power of two.
const PLACES: usize = 4096;
/// Multiplier of the rolling hash (odd, from Knuth's multiplicative hashing).
const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

/// What goes round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loop {
    /// Bytes that are the same again and again.
    pub period: usize,
    /// How often they were seen, one after the other.
    pub turns: usize,
}

/// Bytes of an answer that nothing is remembered of: most that are this short are no loops, and need no memory then.
const SHORT: usize = 512;

/// Watches one answer. 20 KiB, made once it is longer than [`SHORT`].
#[derive(Debug, Default)]
pub struct Watch {
    /// Bytes before there was a memory.
    before: usize,
    memory: Option<Box<Memory>>,
}

#[derive(Debug)]
struct Memory {
    kept: [u8; KEPT],
    /// Bytes so far.
    length: usize,
    /// Of the last [`GRAM`] bytes.
    hash: u64,
    /// Where a gram with this hash ended last, plus one; 0 = nowhere. Wraps with the answers no one makes (4 GiB).
    ends: [u32; PLACES],
    period: usize,
    /// Bytes in a row that equal the byte one period earlier.
    same: usize,
}

/// [`FACTOR`] to the power of [`GRAM`]: what the byte that leaves the window weighs.
const fn leaving() -> u64 {
    let (mut power, mut i) = (1_u64, 0);
    while i < GRAM {
        power = power.wrapping_mul(FACTOR);
        i += 1;
    }
    power
}

impl Watch {
    /// Takes the next piece of the answer. Returns the loop as soon as it is certain.
    pub fn push(&mut self, piece: &str) -> Option<Loop> {
        if self.memory.is_none() {
            self.before += piece.len();
            if self.before <= SHORT {
                return None;
            }
        }
        let memory = self.memory.get_or_insert_with(|| {
            Box::new(Memory {
                kept: [0; KEPT],
                length: 0,
                hash: 0,
                ends: [0; PLACES],
                period: 0,
                same: 0,
            })
        });
        piece.bytes().find_map(|byte| memory.push(byte))
    }
}

impl Memory {
    fn back(&self, by: usize) -> u8 {
        self.kept[self.length.wrapping_sub(by) % KEPT]
    }

    fn push(&mut self, byte: u8) -> Option<Loop> {
        let left = if self.length >= GRAM { self.back(GRAM) } else { 0 };
        let goes_on = self.period > 0 && self.back(self.period) == byte;
        self.kept[self.length % KEPT] = byte;
        self.length += 1;
        // One is added so that a zero byte also weighs something.
        let weight = |b: u8| u64::from(b) + 1;
        self.hash = self.hash.wrapping_mul(FACTOR).wrapping_add(weight(byte));
        if self.length > GRAM {
            self.hash = self.hash.wrapping_sub(weight(left).wrapping_mul(leaving()));
        }
        if goes_on {
            self.same += 1;
            return self.is_endless();
        }
        (self.period, self.same) = (0, 0);
        if self.length >= GRAM {
            self.propose();
        }
        None
    }

    /// Was this gram here before? Then its distance may be the period.
    fn propose(&mut self) {
        let place = (self.hash >> 52) as usize % PLACES;
        let before = self.ends[place] as usize;
        self.ends[place] = self.length as u32;
        if before > 0 && before < self.length && self.length - before <= LONGEST {
            let distance = self.length - before;
            if (1..=GRAM).all(|i| self.back(i) == self.back(i + distance)) {
                (self.period, self.same) = (distance, GRAM);
            }
        }
    }

    fn is_endless(&self) -> Option<Loop> {
        let turns = self.same / self.period;
        (self.same >= LEAST_BYTES && turns >= LEAST_TURNS).then_some(Loop {
            period: self.period,
            turns,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn watch(text: &str) -> Option<Loop> {
        Watch::default().push(text)
    }

    #[test]
    fn loops_of_every_length_are_seen() {
        let paragraph = "The quick brown fox jumps over the lazy dog, and the dog does not mind at all. "
            .repeat(5)
            + "Then it starts again.\n";
        for unit in [
            "!",
            "\n",
            " \t",
            "ha ",
            "I am sorry, but I ",
            "你好。",
            paragraph.as_str(),
        ] {
            let text = format!("An ordinary beginning. {}", unit.repeat(40_000 / unit.len()));
            let found = watch(&text).unwrap_or_else(|| panic!("{unit:?} was not seen"));
            assert_eq!(found.period % unit.len().max(1), 0, "{unit:?}: {found:?}");
            assert!(found.turns >= LEAST_TURNS);
        }
    }

    #[test]
    fn how_the_answer_is_cut_into_pieces_does_not_matter() {
        let text = "again and again ".repeat(1000);
        let whole = watch(&text);
        let mut by_word = Watch::default();
        let pieces = text.split_inclusive(' ').find_map(|word| by_word.push(word));
        assert!(whole.is_some());
        assert_eq!(whole, pieces);
    }

    #[test]
    fn text_that_somebody_wants_is_left_alone() {
        let counting: String = (1..5000).map(|i| format!("{i}\n")).collect();
        let list: String = (1..900)
            .map(|i| format!("{i}. I will not talk in class.\n"))
            .collect();
        let zeros = format!("static const uint8_t T[1024] = {{\n{}}};", "0, ".repeat(1024));
        let table: String = (0..256)
            .map(|i| format!("    0x{:02x}, 0x{:02x}, 0x00, 0x00,\n", i, 255 - i))
            .collect();
        let poem: String = (1..40)
            .map(|i| format!("Verse {i} says its own thing, and then:\nNevermore, nevermore!\nNevermore, nevermore!\n\n"))
            .collect();
        let bottles: String = (1..99)
            .rev()
            .map(|i| {
                format!(
                    "{i} bottles of beer on the wall, {i} bottles of beer. Take one down, pass it around.\n"
                )
            })
            .collect();
        let markdown = format!(
            "{}\n|{}\n|{}\n",
            "-".repeat(400),
            "---|".repeat(30),
            " a | b |".repeat(30)
        )
        .repeat(3);
        let lines = "I will not talk in class.\n".repeat(200);
        let json: String = (0..500)
            .map(|i| format!("{{\"id\": {i}, \"value\": null, \"tags\": []}},\n"))
            .collect();
        let csv: String = (0..1000)
            .map(|i| format!("2026-01-01,{},0,0,0,0,0,0\n", i * 7))
            .collect();
        let decimals = "0.3333333333333333 + 0.6666666666666667 = 1.0\n".repeat(100);
        for (name, text) in [
            ("counting", &counting),
            ("a numbered list", &list),
            ("a table of zeros", &zeros),
            ("a code table", &table),
            ("a poem with a refrain", &poem),
            ("a counting song", &bottles),
            ("markdown rulers", &markdown),
            ("two hundred equal lines", &lines),
            ("JSON objects", &json),
            ("CSV", &csv),
            ("decimals", &decimals),
        ] {
            assert_eq!(watch(text), None, "{name} was called a loop");
        }
    }

    #[test]
    fn a_loop_that_ends_in_time_is_forgotten() {
        let mut watch = Watch::default();
        for i in 0..50 {
            assert_eq!(watch.push(&"=".repeat(3000)), None);
            assert_eq!(watch.push(&format!("\nchapter {i}\n")), None);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn words_that_vary_are_never_a_loop(words in proptest::collection::vec("[a-z]{1,9}", 3000)) {
            prop_assert_eq!(watch(&words.join(" ")), None);
        }

        #[test]
        fn any_text_may_be_said_eleven_times(unit in "[a-z .,\n]{1,500}") {
            prop_assert_eq!(watch(&unit.repeat(11)), None);
        }

        #[test]
        fn any_text_said_without_end_is_stopped(start in ".{0,300}", unit in ".{1,200}") {
            let turns = 2 * (LEAST_BYTES / unit.len() + LEAST_TURNS + GRAM);
            let endless = start + &unit.repeat(turns);
            prop_assert!(watch(&endless).is_some());
        }
    }
}
