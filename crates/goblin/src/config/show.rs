//! The configuration as a person or a machine wants to see it. Secrets are never shown.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::config::keys::{KEYS, Key, Kind};
use crate::config::written::{DEFAULTS, Entry, Written};

/// What stands for a secret that is set.
const HIDDEN: &str = "(hidden)";

/// The value as it may be shown.
fn shown(key: &Key, entry: &Entry) -> Value {
    let text = entry.value.as_str().unwrap_or_default();
    // The address of an SQLite file holds no password, and operators look for it.
    if key.secret && !text.is_empty() && !text.starts_with("sqlite:") {
        HIDDEN.into()
    } else {
        entry.value.clone()
    }
}

/// Every setting in force. As TOML, or as JSON; with `sources`, where each value comes from.
pub(crate) fn print(written: &Written, as_json: bool, sources: bool) -> String {
    if as_json {
        print_json(written, sources)
    } else {
        print_toml(written, sources)
    }
}

fn settings(written: &Written) -> impl Iterator<Item = (&'static Key, &'static str, &'static str, &Entry)> {
    KEYS.iter().filter_map(|key| {
        let (section, name) = key.path.rsplit_once('.')?;
        Some((key, section, name, written.entries.get(key.path)?))
    })
}

fn print_json(written: &Written, sources: bool) -> String {
    let mut out = Map::new();
    for (key, _, _, entry) in settings(written) {
        let value = shown(key, entry);
        let item = if sources {
            json!({"value": value, "source": entry.source.to_string()})
        } else {
            value
        };
        place(&mut out, key.path, item);
    }
    format!("{:#}\n", Value::Object(out))
}

/// Puts a value where its dotted path says.
fn place(out: &mut Map<String, Value>, path: &str, item: Value) {
    let Some((section, rest)) = path.split_once('.') else {
        out.insert(path.to_owned(), item);
        return;
    };
    let inner = out.entry(section).or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(inner) = inner {
        place(inner, rest, item);
    }
}

fn print_toml(written: &Written, sources: bool) -> String {
    let mut out = String::new();
    let mut open = "";
    for (key, section, name, entry) in settings(written) {
        if section != open {
            let gap = if open.is_empty() { "" } else { "\n" };
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{gap}[{section}]");
            open = section;
        }
        let value =
            toml::Value::try_from(shown(key, entry)).map_or_else(|_| "\"\"".to_owned(), |v| v.to_string());
        let source = if sources {
            format!("  # {}", entry.source)
        } else {
            String::new()
        };
        let _ = writeln!(out, "{name} = {value}{source}");
    }
    out
}

/// JSON Schema (draft 2020-12) of `goblin.toml`, made from the list of settings and the manual's sentences.
pub(crate) fn schema() -> Value {
    let defaults = toml::from_str::<Value>(DEFAULTS).unwrap_or_default();
    let object = || json!({"type": "object", "additionalProperties": false, "properties": {}});
    let mut whole = object();
    for key in KEYS {
        let Some((section, name)) = key.path.rsplit_once('.') else {
            continue;
        };
        let mut property = match key.kind {
            Kind::Text => json!({"type": "string"}),
            Kind::Switch => json!({"type": "boolean"}),
            Kind::Number(low, high) => json!({"type": "integer", "minimum": low, "maximum": high}),
            Kind::Word(words) => json!({"type": "string", "enum": words}),
            Kind::List => json!({"type": "array", "items": {"type": "string"}}),
        };
        property["description"] = description(key.path).into();
        let pointer = format!("/{}", key.path.replace('.', "/"));
        property["default"] = defaults.pointer(&pointer).cloned().unwrap_or_default();
        let mut entry = &mut whole;
        for part in section.split('.') {
            entry = &mut entry["properties"][part];
            if entry.is_null() {
                *entry = object();
            }
        }
        entry["properties"][name] = property;
    }
    whole["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    whole["title"] = "goblin.toml".into();
    whole
}

/// The comment above a setting in the manual, on one line.
pub(crate) fn description(path: &str) -> String {
    let (wanted, name) = path.rsplit_once('.').unwrap_or(("", path));
    let mut section = "";
    let mut comment: Vec<&str> = Vec::new();
    for line in DEFAULTS.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix('#') {
            comment.push(text.trim());
            continue;
        }
        if let Some(inner) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            section = inner;
        } else if section == wanted && line.split_once('=').is_some_and(|(key, _)| key.trim() == name) {
            return comment.join(" ");
        }
        comment.clear();
    }
    String::new()
}
