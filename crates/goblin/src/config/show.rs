//! The configuration as a person or a machine wants to see it. Secrets are never shown.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::config::keys::{
    KEYS, Key, Kind, NOT_YET, NOT_YET_PREFIXES, Reader, SERVER_KEYS, SERVERS, find_of_server,
};
use crate::config::written::{DEFAULTS, Entry, Written};

/// What stands for a secret that is set.
const HIDDEN: &str = "(hidden)";

/// The value as it may be shown.
fn shown(key: &Key, entry: &Entry) -> Value {
    let text = entry.value.as_str().unwrap_or_default();
    // The address of an SQLite file holds no password, and operators look for it.
    let several = entry.value.as_array().is_some_and(|list| !list.is_empty());
    if key.secret && (several || !text.is_empty()) && !text.starts_with("sqlite:") {
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

/// Every setting: where it is, its section, its name, and what was written.
fn settings(written: &Written) -> impl Iterator<Item = (&'static Key, String, &'static str, &Entry)> {
    let plain = KEYS.iter().filter_map(|key| {
        let (section, name) = key.path.rsplit_once('.')?;
        Some((key, section.to_owned(), name, written.entries.get(key.path)?))
    });
    let of_servers = written.servers.iter().flat_map(|(name, server)| {
        server.entries.iter().filter_map(move |(field, entry)| {
            Some((find_of_server(field)?, format!("{SERVERS}{name}"), *field, entry))
        })
    });
    plain.chain(of_servers)
}

fn print_json(written: &Written, sources: bool) -> String {
    let mut out = Map::new();
    for (key, section, name, entry) in settings(written) {
        let value = shown(key, entry);
        let item = if sources {
            json!({"value": value, "source": entry.source.to_string()})
        } else {
            value
        };
        place(&mut out, &format!("{section}.{name}"), item);
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
    let mut open = String::new();
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
        let mut property = property(key);
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
    let mut server = object();
    for key in SERVER_KEYS {
        server["properties"][key.field()] = property(key);
    }
    whole["properties"]["upstream"]["properties"]["servers"] = json!({
        "type": "object",
        "description": "Further servers, each under a name of its own.",
        "propertyNames": {"pattern": "^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$"},
        "additionalProperties": server,
    });
    whole["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    whole["title"] = "goblin.toml".into();
    whole["x-environment"] = variables(&defaults);
    whole
}

/// The short names in the environment, so that what a host sets can be held against what is read: `setting`, `type` and
/// `default` of each, who reads it (`all`, `backend` or `tier`), whether it is a secret (and can come as `NAME_FILE`),
/// and whether this release reads it at all.
fn variables(defaults: &Value) -> Value {
    let read = KEYS.iter().filter_map(|key| {
        let name = key.env?;
        let pointer = format!("/{}", key.path.replace('.', "/"));
        Some(json!({
            "name": name.name,
            "setting": key.path,
            "type": property(key)["type"],
            "default": defaults.pointer(&pointer),
            "reader": match name.reader {
                Reader::All => "all",
                Reader::Backend => "backend",
                Reader::Tier => "tier",
            },
            "secret": key.secret,
            "read": true,
        }))
    });
    let not_yet = |name: &str| json!({"name": name, "reader": "backend", "read": false});
    let families = NOT_YET_PREFIXES
        .iter()
        .map(|prefix| not_yet(&format!("{prefix}*")));
    let unread = NOT_YET.iter().map(|name| not_yet(name)).chain(families);
    Value::Array(read.chain(unread).collect())
}

fn property(key: &Key) -> Value {
    let mut property = match key.kind {
        Kind::Text => json!({"type": "string"}),
        Kind::Switch => json!({"type": "boolean"}),
        Kind::Number(low, high) => json!({"type": "integer", "minimum": low, "maximum": high}),
        Kind::Real(low, high) => json!({"type": "number", "minimum": low, "maximum": high}),
        Kind::Word(words) => json!({"type": "string", "enum": words}),
        Kind::List => json!({"type": "array", "items": {"type": "string"}}),
        Kind::Several => json!({"type": ["string", "array"], "items": {"type": "string"}}),
    };
    property["description"] = description(key.path).into();
    property
}

/// The part of the manual about servers with names of their own, which is commented out there.
pub(crate) fn servers_manual() -> String {
    let begin = format!("# [{SERVERS}NAME]");
    let lines = DEFAULTS.lines().skip_while(|line| *line != begin);
    lines
        .map_while(|line| line.strip_prefix("# "))
        .flat_map(|line| [line, "\n"])
        .collect()
}

/// The comment above a setting in the manual, on one line.
pub(crate) fn description(path: &str) -> String {
    if path.starts_with(SERVERS) {
        return described(&servers_manual(), path);
    }
    described(DEFAULTS, path)
}

fn described(manual: &str, path: &str) -> String {
    let (wanted, name) = path.rsplit_once('.').unwrap_or(("", path));
    let mut section = "";
    let mut comment: Vec<&str> = Vec::new();
    for line in manual.lines().map(str::trim) {
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
