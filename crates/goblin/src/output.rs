//! What commands print: to standard output, coloured only for eyes.

use std::io::{IsTerminal, Write};

use goblin_core::status::PartState;
use goblin_core::upstream_status::UpstreamState;

use crate::config::Environment;

/// What a colour says: well, wait, wrong; a heading, and what matters less.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Colour {
    Green,
    Yellow,
    Red,
    Bold,
    Dim,
}

/// Standard output, as the person wants it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    colour: bool,
}

impl Output {
    /// Colours on a terminal, unless `NO_COLOR` is set.
    pub(crate) fn new(environment: &Environment) -> Self {
        Self {
            colour: std::io::stdout().is_terminal() && !environment.no_color(),
        }
    }

    /// Never with colours.
    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Self { colour: false }
    }

    /// Prints a text and a line end. A reader that went away is no error.
    pub(crate) fn line(self, text: impl std::fmt::Display) {
        let _ = writeln!(std::io::stdout().lock(), "{text}");
    }

    /// Prints a text as it is.
    pub(crate) fn text(self, text: &str) {
        let _ = std::io::stdout().lock().write_all(text.as_bytes());
    }

    /// Prints a value as indented JSON.
    pub(crate) fn json(self, value: &impl serde::Serialize) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.line(text),
            Err(error) => complain(format_args!("this cannot be written as JSON: {error}")),
        }
    }

    /// Prints rows under their headings, in columns.
    pub(crate) fn table(self, headings: &[&str], rows: Vec<Vec<String>>) {
        let headings = headings.iter().map(|h| (*h).to_owned()).collect();
        let rows: Vec<Vec<String>> = std::iter::once(headings).chain(rows).collect();
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            rows.iter()
                .filter_map(|r| r.get(column))
                .map(|c| shown_width(c))
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.push_str(&" ".repeat(width - shown_width(cell) + 2));
            }
            self.line(line.trim_end());
        }
    }

    /// A state's word, coloured for eyes.
    pub(crate) fn state(self, state: PartState) -> String {
        let (word, colour) = match state {
            PartState::Ok => ("ok", Colour::Green),
            PartState::Starting => ("starting", Colour::Yellow),
            PartState::Degraded => ("degraded", Colour::Yellow),
            PartState::Down => ("down", Colour::Red),
        };
        self.coloured(word, colour)
    }

    /// The same of a server that answers questions.
    pub(crate) fn upstream(self, state: UpstreamState) -> String {
        let colour = match state {
            UpstreamState::Up => Colour::Green,
            UpstreamState::Slow | UpstreamState::Loading => Colour::Yellow,
            UpstreamState::Down | UpstreamState::Refused | UpstreamState::Broken => Colour::Red,
        };
        self.coloured(state.word(), colour)
    }

    /// A word, coloured for eyes.
    pub(crate) fn coloured(self, word: &str, colour: Colour) -> String {
        let code = match colour {
            Colour::Green => "32",
            Colour::Yellow => "33",
            Colour::Red => "31",
            Colour::Bold => "1",
            Colour::Dim => "2",
        };
        if self.colour {
            format!("\x1b[{code}m{word}\x1b[0m")
        } else {
            word.to_owned()
        }
    }
}

/// Prints a sentence to standard error.
pub(crate) fn complain(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Characters that take room: those of a colour's code do not.
fn shown_width(text: &str) -> usize {
    let mut in_code = false;
    text.chars()
        .filter(|c| {
            let shown = !in_code && *c != '\x1b';
            in_code = (in_code || *c == '\x1b') && *c != 'm';
            shown
        })
        .count()
}

/// `23.4 GiB`, `93.8 MiB`, `0.9 KiB`.
pub(crate) fn bytes(n: u64) -> String {
    const GIB: f64 = (1u64 << 30) as f64;
    const MIB: f64 = (1u64 << 20) as f64;
    const KIB: f64 = 1024.0;
    let n = n as f64;
    if n >= GIB {
        format!("{:.1} GiB", n / GIB)
    } else if n >= MIB / 10.0 {
        format!("{:.1} MiB", n / MIB)
    } else {
        format!("{:.1} KiB", n / KIB)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_for_people() {
        assert_eq!(bytes(98_362_432), "93.8 MiB");
        assert_eq!(bytes(25_125_000_000), "23.4 GiB");
        assert_eq!(bytes(600_000), "0.6 MiB");
        assert_eq!(bytes(985), "1.0 KiB");
    }

    #[test]
    fn colours_are_left_out_without_a_terminal() {
        assert_eq!(Output { colour: false }.state(PartState::Down), "down");
        let coloured = Output { colour: true }.state(PartState::Down);
        assert!(coloured.contains("\x1b[31m"));
        assert_eq!(shown_width(&coloured), 4);
    }
}
