//! What `rewrites` of a `vercel.json` lead where: patterns as path-to-regexp writes them.
//!
//! Source: <https://vercel.com/docs/project-configuration#rewrites>; Vercel's routing-utils reads them with path-to-regexp 6,
//! strict and sensitive to case.

use regex::Regex;

/// What a group of a pattern matches when it does not say.
const SEGMENT: &str = "[^/]+?";

/// The `source` of a rewrite.
pub(super) struct Pattern {
    regex: Regex,
    /// What each group is called; without a name, its place among those that have none, from 0.
    groups: Vec<String>,
}

impl Pattern {
    /// Reads a source; `None` for one that is none, or that looks ahead, as those of the page's own addresses do.
    pub(super) fn read(source: &str) -> Option<Self> {
        let mut reading = Reading::default();
        let mut rest = source;
        while let Some(next) = rest.chars().next() {
            rest = match next {
                '\\' => {
                    let escaped = rest[1..].chars().next()?;
                    reading.letter(escaped);
                    &rest[1 + escaped.len_utf8()..]
                }
                ':' | '(' => reading.group(rest)?,
                '{' | '}' | '*' | '+' | '?' => return None,
                _ => {
                    reading.letter(next);
                    &rest[next.len_utf8()..]
                }
            };
        }
        reading.flush();
        Some(Self {
            regex: Regex::new(&format!("^{}$", reading.regex)).ok()?,
            groups: reading.groups,
        })
    }

    /// Where a path is led by this destination, when it fits.
    pub(super) fn leads(&self, path: &str, destination: &str) -> Option<String> {
        let found = self.regex.captures(path)?;
        let value = |at: usize| found.get(at + 1).map_or("", |group| group.as_str());
        let mut leads = String::new();
        let mut rest = destination;
        while let Some(at) = rest.find([':', '$']) {
            leads.push_str(&rest[..at]);
            let (sign, after) = rest[at..].split_at(1);
            let name = word(after);
            let group = match sign {
                "$" => name.parse().ok().and_then(|n: usize| n.checked_sub(1)),
                _ => self.groups.iter().position(|group| group == name),
            };
            // A port is no name, and neither is what follows the scheme.
            match group.filter(|_| !name.is_empty()) {
                Some(group) => {
                    leads.push_str(value(group));
                    rest = after[name.len()..].trim_start_matches(['*', '+', '?']);
                }
                None => {
                    leads.push_str(sign);
                    rest = after;
                }
            }
        }
        leads.push_str(rest);
        Some(leads)
    }
}

/// The letters, digits and underscores a text begins with.
fn word(text: &str) -> &str {
    let ends = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    &text[..ends.unwrap_or(text.len())]
}

/// A pattern, half read.
#[derive(Default)]
struct Reading {
    regex: String,
    groups: Vec<String>,
    /// A `/` or `.` that belongs to the group behind it, if there is one.
    prefix: Option<char>,
}

impl Reading {
    fn letter(&mut self, letter: char) {
        self.flush();
        match letter {
            '/' | '.' => self.prefix = Some(letter),
            _ => self.regex.push_str(&regex::escape(&letter.to_string())),
        }
    }

    fn flush(&mut self) {
        if let Some(prefix) = self.prefix.take() {
            self.regex.push_str(&regex::escape(&prefix.to_string()));
        }
    }

    /// Takes a group (`:name`, `:name(expression)` or `(expression)`, each with `*`, `+` or `?` behind it), and gives what
    /// follows.
    fn group<'a>(&mut self, text: &'a str) -> Option<&'a str> {
        let named = text.strip_prefix(':');
        let name = named.map(word);
        let mut rest = name.zip(named).map_or(text, |(name, named)| &named[name.len()..]);
        if name.is_some_and(str::is_empty) {
            return None;
        }
        let mut expression = SEGMENT;
        if rest.starts_with('(') {
            let ends = closing(rest)?;
            expression = &rest[1..ends];
            rest = &rest[ends + 1..];
        }
        let unnamed = self
            .groups
            .iter()
            .filter(|group| group.parse::<usize>().is_ok())
            .count();
        self.groups
            .push(name.map_or_else(|| unnamed.to_string(), str::to_owned));
        let prefix = self
            .prefix
            .take()
            .map(|c| regex::escape(&c.to_string()))
            .unwrap_or_default();
        let again = format!("(?:{expression})(?:{prefix}(?:{expression}))*");
        let modifier = rest.chars().next().filter(|c| "*+?".contains(*c));
        self.regex.push_str(&match modifier {
            None => format!("{prefix}({expression})"),
            Some('?') => format!("(?:{prefix}({expression}))?"),
            Some('+') => format!("{prefix}({again})"),
            Some(_) => format!("(?:{prefix}({again}))?"),
        });
        Some(&rest[usize::from(modifier.is_some())..])
    }
}

/// Where the bracket that opens a text is closed. `None` when it is not, and for one that catches something of its own.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut escaped = false;
    for (at, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '(' if at > 0 && !text[at..].starts_with("(?") => return None,
            '(' => depth += 1,
            ')' if depth == 1 => return Some(at),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leads(source: &str, path: &str, destination: &str) -> Option<String> {
        Pattern::read(source)?.leads(path, destination)
    }

    #[test]
    fn a_path_is_led_where_the_pattern_says() {
        let there = "https://b.example.org";
        for (source, path, destination, expected) in [
            ("/api/:path*", "/api/a/b", "/api/:path*", Some("/api/a/b")),
            ("/api/:path*", "/api", "/api/:path*", Some("/api/")),
            ("/api/:path+", "/api", "/api/:path+", None),
            ("/api/:path", "/api/a/b", "/x/:path", None),
            ("/api/:path?", "/api/a", "/x/:path", Some("/x/a")),
            (
                "/:part(api|v1)/:rest*",
                "/v1/models",
                "/:part/:rest*",
                Some("/v1/models"),
            ),
            ("/:part(api|v1)/:rest*", "/auth/me", "/:part/:rest*", None),
            ("/(api|v1)/(.*)", "/v1/models", "/$1/$2", Some("/v1/models")),
            ("/api/(.*)", "/api/a/b", ":8443/api/$1", Some(":8443/api/a/b")),
            ("/api\\:x", "/api:x", "/y", Some("/y")),
            ("/a.b", "/axb", "/y", None),
        ] {
            let to = format!("{there}{destination}");
            let wanted = expected.map(|path| format!("{there}{path}"));
            assert_eq!(leads(source, path, &to), wanted, "{source} {path}");
        }
    }

    #[test]
    fn what_cannot_be_followed_is_no_pattern() {
        for source in ["/((?!api/).*)", "/{a}?", "/:", "/(", "/((a)b)", "/*", "/a\\"] {
            assert!(Pattern::read(source).is_none(), "{source}");
        }
    }
}
