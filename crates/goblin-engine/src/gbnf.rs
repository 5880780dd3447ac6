//! What a grammar would cost llama.cpp, computed before llama.cpp sees it.
//!
//! llama.cpp walks every path of leftmost rules when it looks for left recursion, and again when it advances,
//! so forty-five rules of two alternatives each would keep it busy for ever. This reader understands GBNF as
//! `llama-grammar.cpp` does, expands groups and repetitions into the same rules, and counts the paths by
//! visiting each rule once.

use std::collections::HashMap;

use thiserror::Error;

/// Deepest nesting of brackets: llama.cpp's parser recurses.
const MAX_NESTING: usize = 64;
/// Most elements after expansion; llama.cpp spends some tens of bytes on each.
const MAX_ELEMENTS: usize = 1_000_000;
/// Most paths of leftmost rules that begin at one rule.
const MAX_PATHS: u64 = 100_000;
/// Most paths from all rules together.
const MAX_ALL_PATHS: u64 = 2_000_000;
/// Longest chain of leftmost rules: llama.cpp recurses once for each.
const MAX_CHAIN: usize = 2_000;
/// `MAX_REPETITION_THRESHOLD` of llama.cpp: more repetitions are refused, or read as no limit.
const MAX_REPETITIONS: u64 = 2_000;

/// Why a grammar is refused. `Display` is the end of a sentence about it.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum GrammarFault {
    #[error("has a syntax error at byte {0}")]
    Syntax(usize),
    #[error("is nested deeper than {MAX_NESTING} levels")]
    Nesting,
    #[error("becomes longer than {MAX_ELEMENTS} elements when its repetitions are written out")]
    Long,
    #[error("is left-recursive: a rule begins with itself")]
    LeftRecursion,
    #[error("has more than {MAX_PATHS} ways to begin a rule; give alternatives different first texts")]
    Paths,
    #[error("has a chain of more than {MAX_CHAIN} rules that begin with one another")]
    Chain,
}

/// Checks that llama.cpp can take `text` in reasonable time and stack.
pub(crate) fn check(text: &str) -> Result<(), GrammarFault> {
    let mut parser = Parser::new(text);
    parser.grammar()?;
    bound_paths(&parser.rules)
}

/// One element of a rule, as far as costs go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    /// So many characters or classes.
    Text(usize),
    Rule(usize),
    Or,
}

/// The parser of `llama-grammar.cpp`, with its way of naming the rules it makes up.
struct Parser<'t> {
    text: &'t [u8],
    at: usize,
    symbols: HashMap<Vec<u8>, usize>,
    rules: Vec<Vec<Element>>,
    elements: usize,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            text: text.as_bytes(),
            at: 0,
            symbols: HashMap::new(),
            rules: Vec::new(),
            elements: 0,
        }
    }

    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    fn syntax<T>(&self) -> Result<T, GrammarFault> {
        Err(GrammarFault::Syntax(self.at))
    }

    fn space(&mut self, newline: bool) {
        loop {
            match self.peek() {
                b' ' | b'\t' => self.at += 1,
                b'\r' | b'\n' if newline => self.at += 1,
                b'#' => {
                    while !matches!(self.peek(), 0 | b'\r' | b'\n') {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }

    fn name(&mut self) -> Result<&'t [u8], GrammarFault> {
        let begin = self.at;
        while is_word(self.peek()) {
            self.at += 1;
        }
        if begin == self.at {
            return self.syntax();
        }
        Ok(&self.text[begin..self.at])
    }

    fn number(&mut self) -> Result<u64, GrammarFault> {
        let begin = self.at;
        let mut value = 0u64;
        while self.peek().is_ascii_digit() {
            value = value
                .saturating_mul(10)
                .saturating_add(u64::from(self.peek() - b'0'));
            self.at += 1;
        }
        if begin == self.at {
            self.syntax()
        } else {
            Ok(value)
        }
    }

    fn symbol(&mut self, name: &[u8]) -> usize {
        let next = self.symbols.len();
        *self.symbols.entry(name.to_vec()).or_insert(next)
    }

    /// A name llama.cpp makes up; it may hide a rule of the same name, exactly as there.
    fn made_up(&mut self, base: &[u8]) -> usize {
        let next = self.symbols.len();
        let name = [base, b"_", next.to_string().as_bytes()].concat();
        self.symbols.insert(name, next);
        next
    }

    fn define(&mut self, rule: usize, elements: Vec<Element>) {
        if self.rules.len() <= rule {
            self.rules.resize(rule + 1, Vec::new());
        }
        self.rules[rule] = elements;
    }

    fn spend(&mut self, elements: u64) -> Result<(), GrammarFault> {
        let elements = usize::try_from(elements).unwrap_or(usize::MAX);
        self.elements = self.elements.saturating_add(elements);
        if self.elements > MAX_ELEMENTS {
            return Err(GrammarFault::Long);
        }
        Ok(())
    }

    fn grammar(&mut self) -> Result<(), GrammarFault> {
        self.space(true);
        while self.at < self.text.len() {
            let name = self.name()?;
            self.space(false);
            let rule = self.symbol(name);
            if self.text.get(self.at..self.at + 3) != Some(b"::=") {
                return self.syntax();
            }
            self.at += 3;
            self.space(true);
            self.alternates(name, rule, 0)?;
            if self.at < self.text.len() && !matches!(self.peek(), b'\r' | b'\n') {
                return self.syntax();
            }
            self.space(true);
        }
        Ok(())
    }

    fn alternates(&mut self, name: &[u8], rule: usize, nesting: usize) -> Result<(), GrammarFault> {
        if nesting > MAX_NESTING {
            return Err(GrammarFault::Nesting);
        }
        let mut elements = Vec::new();
        self.sequence(name, &mut elements, nesting)?;
        while self.peek() == b'|' {
            elements.push(Element::Or);
            self.at += 1;
            self.space(true);
            self.sequence(name, &mut elements, nesting)?;
        }
        self.define(rule, elements);
        Ok(())
    }

    fn sequence(&mut self, name: &[u8], rule: &mut Vec<Element>, nesting: usize) -> Result<(), GrammarFault> {
        // Where the element a repetition would repeat begins. One element here is one there or a text.
        let mut last = rule.len();
        loop {
            let element = match self.peek() {
                b'"' => Some(self.until(b'"')?),
                b'[' => {
                    if self.text.get(self.at + 1) == Some(&b'^') {
                        self.at += 1;
                    }
                    Some(self.until(b']')?)
                }
                b'<' | b'!' => Some(self.token()?),
                b'.' => {
                    self.at += 1;
                    Some(Element::Text(1))
                }
                b'(' => Some(self.group(name, nesting)?),
                c if is_word(c) => {
                    let name = self.name()?;
                    Some(Element::Rule(self.symbol(name)))
                }
                _ => None,
            };
            if let Some(element) = element {
                last = rule.len();
                // An empty text is no element.
                if element != Element::Text(0) {
                    rule.push(element);
                }
                self.spend(1)?;
            } else {
                let Some((least, most)) = self.repetition(nesting > 0)? else {
                    return Ok(());
                };
                if last == rule.len() {
                    return self.syntax();
                }
                self.repeat(name, rule, last, least, most)?;
                continue;
            }
            self.space(nesting > 0);
        }
    }

    /// A literal or a class, from the character before its first to after its `end`.
    fn until(&mut self, end: u8) -> Result<Element, GrammarFault> {
        self.at += 1;
        let begin = self.at;
        loop {
            match self.peek() {
                0 => return self.syntax(),
                b'\\' => self.at += 2,
                c if c == end => break,
                _ => self.at += 1,
            }
        }
        let length = self.at.min(self.text.len()) - begin;
        self.at += 1;
        self.spend(length as u64)?;
        Ok(Element::Text(length))
    }

    fn token(&mut self) -> Result<Element, GrammarFault> {
        if self.peek() == b'!' {
            self.at += 1;
        }
        if self.peek() != b'<' {
            return self.syntax();
        }
        while self.peek() != b'>' {
            if self.peek() == 0 {
                return self.syntax();
            }
            self.at += 1;
        }
        self.at += 1;
        Ok(Element::Text(1))
    }

    fn group(&mut self, name: &[u8], nesting: usize) -> Result<Element, GrammarFault> {
        self.at += 1;
        self.space(true);
        let rule = self.made_up(name);
        self.alternates(name, rule, nesting + 1)?;
        if self.peek() != b')' {
            return self.syntax();
        }
        self.at += 1;
        Ok(Element::Rule(rule))
    }

    /// Least and most repetitions of what came before; most is `None` without a limit.
    fn repetition(&mut self, newline: bool) -> Result<Option<(u64, Option<u64>)>, GrammarFault> {
        let found = match self.peek() {
            b'*' => (0, None),
            b'+' => (1, None),
            b'?' => (0, Some(1)),
            b'{' => return self.counted(newline).map(Some),
            _ => return Ok(None),
        };
        self.at += 1;
        self.space(newline);
        Ok(Some(found))
    }

    fn counted(&mut self, newline: bool) -> Result<(u64, Option<u64>), GrammarFault> {
        self.at += 1;
        self.space(newline);
        let least = self.number()?;
        self.space(newline);
        let mut most = Some(least);
        if self.peek() == b',' {
            self.at += 1;
            self.space(newline);
            most = None;
            if self.peek().is_ascii_digit() {
                most = Some(self.number()?).filter(|n| *n <= MAX_REPETITIONS);
                self.space(newline);
            }
        }
        if self.peek() != b'}' || least > MAX_REPETITIONS || most.is_some_and(|n| n < least) {
            return self.syntax();
        }
        self.at += 1;
        self.space(newline);
        Ok((least, most))
    }

    /// Writes a repetition of `rule[last..]` out, as llama.cpp's `handle_repetitions` does.
    fn repeat(
        &mut self,
        name: &[u8],
        rule: &mut Vec<Element>,
        last: usize,
        least: u64,
        most: Option<u64>,
    ) -> Result<(), GrammarFault> {
        let repeated = rule[last..].to_vec();
        let length: u64 = repeated
            .iter()
            .map(|e| if let Element::Text(n) = e { *n as u64 } else { 1 })
            .sum();
        let optional = most.map_or(1, |most| most - least);
        self.spend(
            length
                .saturating_mul(least)
                .saturating_add((length + 3).saturating_mul(optional)),
        )?;
        if least == 0 {
            rule.truncate(last);
        }
        for _ in 1..least {
            rule.extend_from_slice(&repeated);
        }
        let mut inner = None;
        for _ in 0..optional {
            let made = self.made_up(name);
            let mut elements = repeated.clone();
            if most.is_none() {
                elements.push(Element::Rule(made));
            } else {
                elements.extend(inner.map(Element::Rule));
            }
            elements.push(Element::Or);
            self.define(made, elements);
            inner = Some(made);
        }
        rule.extend(inner.map(Element::Rule));
        Ok(())
    }
}

fn is_word(c: u8) -> bool {
    c.is_ascii_alphanumeric() || c == b'-'
}

/// What is known of a rule.
#[derive(Clone, Copy)]
enum Mark {
    Unseen,
    Open,
    Done { paths: u64, chain: usize },
}

/// Counts the paths of leftmost rules, each rule once.
fn bound_paths(rules: &[Vec<Element>]) -> Result<(), GrammarFault> {
    let empty: Vec<bool> = rules
        .iter()
        .map(|rule| rule.split(|e| *e == Element::Or).any(<[Element]>::is_empty))
        .collect();
    let mut marks = vec![Mark::Unseen; rules.len()];
    let mut all = 0u64;
    for first in 0..rules.len() {
        // Rules to enter, and rules to close after those above them.
        let mut todo = vec![(first, false)];
        while let Some((rule, close)) = todo.pop() {
            let alternatives = || {
                rules[rule]
                    .split(|e| *e == Element::Or)
                    .map(|a| leftmost(a, &empty))
            };
            match (marks[rule], close) {
                (Mark::Open, true) => {
                    let mark = closed(alternatives(), &marks)?;
                    if let Mark::Done { paths, .. } = mark {
                        all = all.saturating_add(paths);
                    }
                    marks[rule] = mark;
                }
                (Mark::Unseen, _) => {
                    marks[rule] = Mark::Open;
                    todo.push((rule, true));
                    for next in alternatives().flatten() {
                        match marks.get(next) {
                            Some(Mark::Open) => return Err(GrammarFault::LeftRecursion),
                            Some(Mark::Unseen) => todo.push((next, false)),
                            Some(Mark::Done { .. }) | None => {}
                        }
                    }
                }
                _ => {}
            }
        }
        if all > MAX_ALL_PATHS {
            return Err(GrammarFault::Paths);
        }
    }
    Ok(())
}

/// The sum of a rule whose leftmost rules are done. An open one among them begins with this rule.
fn closed(alternatives: impl Iterator<Item = Vec<usize>>, marks: &[Mark]) -> Result<Mark, GrammarFault> {
    let (mut paths, mut chain) = (1u64, 1);
    for alternative in alternatives {
        let mut here = 0u64;
        for rule in alternative {
            match marks.get(rule) {
                Some(Mark::Done { paths, chain: below }) => {
                    here = here.saturating_add(*paths);
                    chain = chain.max(below + 1);
                }
                Some(Mark::Open) => return Err(GrammarFault::LeftRecursion),
                // Not defined: llama.cpp refuses it by name.
                Some(Mark::Unseen) | None => {}
            }
        }
        paths = paths.saturating_add(here.max(1));
    }
    if paths > MAX_PATHS {
        return Err(GrammarFault::Paths);
    }
    if chain > MAX_CHAIN {
        return Err(GrammarFault::Chain);
    }
    Ok(Mark::Done { paths, chain })
}

/// The rules an alternative may begin with.
fn leftmost(alternative: &[Element], empty: &[bool]) -> Vec<usize> {
    let mut out = Vec::new();
    for element in alternative {
        let Element::Rule(rule) = element else { break };
        out.push(*rule);
        if !empty.get(*rule).copied().unwrap_or(false) {
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `levels` rules that each begin with two of the next.
    fn doubling(levels: usize) -> String {
        let mut text = "root ::= r1 | r1\n".to_owned();
        for i in 1..levels {
            text.push_str(&format!("r{i} ::= r{next} | r{next}\n", next = i + 1));
        }
        text + &format!("r{levels} ::= \"a\"\n")
    }

    #[test]
    fn paths_that_double_with_every_rule_are_refused_at_once() {
        assert_eq!(check(&doubling(45)), Err(GrammarFault::Paths));
        assert_eq!(check(&doubling(2000)), Err(GrammarFault::Paths));
        assert_eq!(check(&doubling(8)), Ok(()));
        // The same behind a first letter, in groups, and through what may be empty.
        let behind = format!("{}start ::= \"x\" root\n", doubling(45));
        assert_eq!(check(&behind), Err(GrammarFault::Paths));
        let groups: String = (0..45)
            .map(|i| format!("r{i} ::= (r{n})? (r{n})? \"b\"\n", n = i + 1))
            .collect();
        assert_eq!(
            check(&format!("root ::= r0\n{groups}r45 ::= \"a\"\n")),
            Err(GrammarFault::Paths)
        );
    }

    #[test]
    fn long_chains_and_long_repetitions_are_refused() {
        let chain: String = (0..5000).map(|i| format!("r{i} ::= r{}\n", i + 1)).collect();
        assert_eq!(
            check(&format!("root ::= r0\n{chain}r5000 ::= \"a\"\n")),
            Err(GrammarFault::Chain)
        );
        assert_eq!(
            check(&format!("root ::= {}", "\"x\"{0,2000} ".repeat(5000))),
            Err(GrammarFault::Long)
        );
        let long = "y".repeat(50_000);
        assert_eq!(
            check(&format!("root ::= \"{long}\"{{1000}}")),
            Err(GrammarFault::Long)
        );
    }

    #[test]
    fn left_recursion_and_bad_writing_are_named() {
        assert_eq!(check("root ::= root \"a\""), Err(GrammarFault::LeftRecursion));
        assert_eq!(
            check("root ::= a \"x\"\na ::= b? root"),
            Err(GrammarFault::LeftRecursion)
        );
        assert_eq!(check("root ::= \"unclosed"), Err(GrammarFault::Syntax(18)));
        assert_eq!(check("root ::= *"), Err(GrammarFault::Syntax(10)));
        assert_eq!(
            check(&format!("root ::= {}", "(".repeat(5000))),
            Err(GrammarFault::Nesting)
        );
        assert!(check("nonsense").is_err() && check("root ::= [a-").is_err());
    }

    #[test]
    fn ordinary_grammars_pass() {
        let all = [
            "root ::= (\"maybe\" | \"perhaps\") \"!\"",
            "# a comment\nroot ::= item+ # the list\nitem ::= \"- \" [^\\r\\n\\x0b\\]]{1,80} \"\\n\"\n",
            "root ::= expr\nexpr ::= term ([-+*/] term)*\nterm ::= num | \"(\" expr \")\"\nnum ::= [0-9]+ (\n  \".\" [0-9]+\n)?\n",
            "root ::= <think> !<[5]>* .\r\n",
            "root ::= \"\\\"\" \"\" \"a\"{2,} | \"b\"{0,9999}\n\n",
        ];
        for text in all {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }
}
