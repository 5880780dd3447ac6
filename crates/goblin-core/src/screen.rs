//! What can be found in a text without asking a model: secrets, personal data, attempts to take a model over, and too
//! much of it. Costs microseconds.
//!
//! Each rule is a pattern and, where a pattern alone would find everyday text too, a check of what it found: a checksum,
//! a range of numbers, the look of something random. All patterns are compiled once, and one pass over a text says which
//! of them occur at all; only those are looked for one by one.
//!
//! Names and addresses of people are not found: that takes a model. Neither are IP addresses: version numbers look
//! alike.

mod checks;
pub mod growing;
mod rules;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use regex::{Regex, RegexSet};
use serde::{Deserialize, Serialize};

use growing::Growing;
use rules::{RULES, Rule};

/// Most findings that are told of one text.
pub const MAX_FINDINGS: usize = 100;
/// Longest thing a rule finds, in bytes: so much of what was seen before is looked at again when a text goes on.
const LONGEST_BYTES: usize = 1024;

/// What kind of thing was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A key, a token, a password.
    Secret,
    /// Something about a person.
    Personal,
    /// Words that try to take a model over.
    Injection,
    /// More text than is allowed.
    Size,
}

impl FindingKind {
    /// The wire form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Personal => "personal",
            Self::Injection => "injection",
            Self::Size => "size",
        }
    }
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule's name, for example `iban`.
    pub rule: &'static str,
    /// What kind of thing it is.
    pub kind: FindingKind,
    /// Where: bytes of the text.
    pub span: Range<usize>,
}

/// What is done about a kind of finding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Handling {
    /// It is not looked for.
    Off,
    /// It is written down in the trace.
    #[default]
    Note,
    /// It is replaced before a model reads it. Secrets and personal data only.
    Redact,
    /// As [`Self::Redact`], where the text leaves the operator's machines; else as [`Self::Note`].
    RedactAway,
    /// The question is refused.
    Refuse,
}

/// What the operator wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScreenSettings {
    /// Keys, tokens, passwords.
    pub secrets: Handling,
    /// E-mail addresses, telephone and bank account numbers, cards.
    pub personal: Handling,
    /// Attempts to take a model over. They cannot be redacted: what is left would read on.
    pub injection: Handling,
    /// Most bytes of a question; more is refused.
    pub max_bytes: usize,
}

impl Default for ScreenSettings {
    fn default() -> Self {
        Self {
            secrets: Handling::RedactAway,
            personal: Handling::Note,
            injection: Handling::Note,
            max_bytes: crate::limits::MAX_TEXT_BYTES,
        }
    }
}

impl ScreenSettings {
    /// What is done about findings of a kind.
    pub fn handling(&self, kind: FindingKind) -> Handling {
        match kind {
            FindingKind::Secret => self.secrets,
            FindingKind::Personal => self.personal,
            FindingKind::Injection => self.injection,
            FindingKind::Size => Handling::Refuse,
        }
    }

    /// What cannot be: the setting and why. `None` when all is well.
    pub fn check(&self) -> Option<(&'static str, &'static str)> {
        match self.injection {
            Handling::Redact | Handling::RedactAway => Some((
                "injection",
                "cannot be redacted: what is left would read on. Use `off`, `note` or `refuse`",
            )),
            _ if self.max_bytes == 0 => Some(("max_bytes", "must be at least 1")),
            _ => None,
        }
    }
}

/// What screening a question came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Screened<'a> {
    /// What the model may read.
    pub text: Cow<'a, str>,
    /// What was found, by place.
    pub found: Vec<Finding>,
    /// The rule the question is refused by.
    pub refused_by: Option<&'static str>,
}

/// Looks at a question before a model reads it, as `settings` say. `leaves`: does it leave the operator's machines?
pub fn screen<'a>(text: &'a str, settings: &ScreenSettings, leaves: bool) -> Screened<'a> {
    if text.len() > settings.max_bytes {
        let too_long = Finding {
            rule: "too_long",
            kind: FindingKind::Size,
            span: settings.max_bytes..text.len(),
        };
        return Screened {
            text: Cow::Borrowed(text),
            refused_by: Some(too_long.rule),
            found: vec![too_long],
        };
    }
    let mut found = find(text);
    let text = match found.is_empty() {
        true => Cow::Borrowed(text),
        false => redacted(text, settings, leaves),
    };
    found.retain(|finding| settings.handling(finding.kind) != Handling::Off);
    let refused = found
        .iter()
        .find(|finding| settings.handling(finding.kind) == Handling::Refuse);
    Screened {
        refused_by: refused.map(|finding| finding.rule),
        text,
        found,
    }
}

/// `text` without what is to be left out; borrowed when all of it stays.
fn redacted<'a>(text: &'a str, settings: &ScreenSettings, leaves: bool) -> Cow<'a, str> {
    let clean = Growing::new(*settings, leaves).read(text, true);
    if clean == text {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(clean)
    }
}

/// Everything the rules find in `text`, by place, at most [`MAX_FINDINGS`]. Where findings overlap the longest is told.
pub fn find(text: &str) -> Vec<Finding> {
    find_after(text, 0)
}

/// What is found in `text` and ends behind its first `seen` bytes: for a text that grows, whose beginning was looked at
/// before.
pub fn find_after(text: &str, seen: usize) -> Vec<Finding> {
    let from = text.floor_char_boundary(seen.saturating_sub(LONGEST_BYTES));
    let Some(part) = text.get(from..) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for place in COMPILED.set.matches(part) {
        let (Some(rule), Some(pattern)) = (RULES.get(place), COMPILED.patterns.get(place)) else {
            continue;
        };
        let spans = pattern
            .find_iter(part)
            .filter_map(|m| rule.holds(part, m.range()));
        let behind = spans.filter(|span| from + span.end > seen).take(MAX_FINDINGS);
        found.extend(behind.map(|span| Finding {
            rule: rule.name,
            kind: rule.kind,
            span: from + span.start..from + span.end,
        }));
    }
    without_overlaps(found)
}

/// The patterns, in the order of [`RULES`].
struct Compiled {
    set: RegexSet,
    patterns: Vec<Regex>,
}

/// Every pattern is tried by a test; one that did not compile would find nothing.
static COMPILED: LazyLock<Compiled> = LazyLock::new(|| {
    let patterns: Vec<Regex> = RULES
        .iter()
        .filter_map(|rule| Regex::new(rule.pattern).ok())
        .collect();
    let all = RULES.iter().map(|rule| rule.pattern);
    Compiled {
        set: RegexSet::new(all).unwrap_or_else(|_| RegexSet::empty()),
        patterns: if patterns.len() == RULES.len() {
            patterns
        } else {
            Vec::new()
        },
    }
});

impl Rule {
    /// What of a match is it indeed.
    fn holds(&self, text: &str, range: Range<usize>) -> Option<Range<usize>> {
        let whole = text.get(range.clone())?;
        let before = text.get(..range.start)?;
        let after = text.get(range.end..)?;
        let length = (self.holds)(&checks::Found { whole, before, after })?;
        Some(range.start..range.start + length)
    }
}

fn without_overlaps(mut found: Vec<Finding>) -> Vec<Finding> {
    found.sort_by_key(|f| (f.span.start, std::cmp::Reverse(f.span.end)));
    let mut out: Vec<Finding> = Vec::with_capacity(found.len());
    for finding in found {
        match out.last_mut() {
            Some(last) if finding.span.start < last.span.end => {
                if finding.span.len() > last.span.len() {
                    *last = finding;
                }
            }
            _ => out.push(finding),
        }
    }
    out.truncate(MAX_FINDINGS);
    out
}

#[cfg(test)]
mod tests;
