//! From a JSON schema to a grammar, by llama.cpp, after everything that could harm it was refused.
//!
//! llama.cpp's converter recurses: once for each level of a schema, and again into what a `$ref` names. What
//! it would do is bounded here first, and it runs on a thread whose stack holds the rest.

use std::collections::{BTreeMap, BTreeSet};

use goblin_core::provider::ProviderError;
use llama_cpp_2::json_schema_to_grammar;
use serde_json::{Map, Value, json};

use crate::prepare::rejected;

/// Longest JSON schema in bytes.
const MAX_BYTES: usize = 256 * 1024;
/// Longest grammar made from a schema, in bytes.
const MAX_GRAMMAR_BYTES: usize = 4 * 1024 * 1024;
/// Deepest nesting of values in a schema.
const MAX_DEPTH: usize = 64;
/// Longest chain of references: a `$ref` whose target holds a `$ref`, and so on, loops not counted twice.
const MAX_CHAIN: usize = 64;
/// Most different places the references of a schema name.
const MAX_REFERENCES: usize = 256;
/// Most properties of a schema, all objects together.
const MAX_PROPERTIES: usize = 2_000;
/// Most properties of one object that may be left out: llama.cpp writes a rule for each that may follow.
const MAX_OPTIONAL: usize = 200;
/// Most schemas once every element of a `type` list is written out: nested lists multiply.
const MAX_SCHEMAS: u64 = 100_000;
/// Stack of the thread that converts, in bytes. Only what is used becomes real memory.
const STACK: usize = 128 << 20;

/// The grammar for `schema`, whose field is `param`.
pub(crate) fn grammar(schema: &Value, param: &str) -> Result<String, ProviderError> {
    let refuse = |message: String| rejected(param, message);
    if !schema.is_object() {
        return Err(refuse("The JSON schema must be an object.".to_owned()));
    }
    if depth(schema, 0) > MAX_DEPTH {
        return Err(refuse(format!(
            "The JSON schema is nested deeper than {MAX_DEPTH} levels."
        )));
    }
    let text = schema.to_string();
    if text.len() > MAX_BYTES {
        return Err(refuse(format!(
            "The JSON schema is longer than {MAX_BYTES} bytes."
        )));
    }
    check_size(schema).map_err(refuse)?;
    check_references(schema).map_err(refuse)?;
    if has_loose_pattern(schema) {
        return Err(rejected(
            param,
            "A `pattern` in the JSON schema must begin with ^, end with $ and use no look-around, back reference or named class; this engine cannot hold an answer to others.",
        ));
    }
    let grammar = converted(text)?.ok_or_else(|| {
        rejected(
            param,
            "The JSON schema is not valid, or uses what this engine cannot hold an answer to.",
        )
    })?;
    if grammar.len() > MAX_GRAMMAR_BYTES {
        return Err(refuse(format!(
            "The JSON schema becomes a grammar longer than {MAX_GRAMMAR_BYTES} bytes."
        )));
    }
    Ok(grammar)
}

/// llama.cpp's converter, on a thread of its own. `None`: it refuses the schema.
fn converted(text: String) -> Result<Option<String>, ProviderError> {
    std::thread::Builder::new()
        .stack_size(STACK)
        .spawn(move || json_schema_to_grammar(&text).ok())
        .ok()
        .and_then(|thread| thread.join().ok())
        .ok_or_else(|| ProviderError::Unavailable {
            reason: "no thread could be started to read the JSON schema".to_owned(),
        })
}

/// Refuses more properties and alternatives than llama.cpp takes in reasonable time.
fn check_size(schema: &Value) -> Result<(), String> {
    let mut properties = 0;
    let mut todo = vec![schema];
    while let Some(value) = todo.pop() {
        match value {
            Value::Array(items) => todo.extend(items),
            Value::Object(fields) => {
                todo.extend(fields.values());
                let Some(Value::Object(own)) = fields.get("properties") else {
                    continue;
                };
                properties += own.len();
                if own.len() > MAX_OPTIONAL && own.len() - required(fields, own) > MAX_OPTIONAL {
                    return Err(format!(
                        "An object of the JSON schema has more than {MAX_OPTIONAL} properties that are not required."
                    ));
                }
            }
            _ => {}
        }
    }
    // An allOf adds the properties of its parts together, none of them required when they are alternatives.
    if properties > MAX_PROPERTIES {
        return Err(format!(
            "The JSON schema has {properties} properties; {MAX_PROPERTIES} are possible."
        ));
    }
    if schemas(schema) > MAX_SCHEMAS {
        return Err("The lists of types in the JSON schema are nested too deeply.".to_owned());
    }
    Ok(())
}

/// How many of `own` are required.
fn required(fields: &Map<String, Value>, own: &Map<String, Value>) -> usize {
    let names = fields.get("required").and_then(Value::as_array);
    let names: BTreeSet<&str> = names.into_iter().flatten().filter_map(Value::as_str).collect();
    names.iter().filter(|name| own.contains_key(**name)).count()
}

/// How many schemas llama.cpp builds: one for each type of a list, with everything below it.
fn schemas(value: &Value) -> u64 {
    let below =
        |values: &mut dyn Iterator<Item = &Value>| values.fold(0u64, |sum, v| sum.saturating_add(schemas(v)));
    match value {
        Value::Array(items) => below(&mut items.iter()),
        Value::Object(fields) => {
            let times = fields.get("type").and_then(Value::as_array).map_or(1, |types| {
                let deep = |t: &&Value| matches!(t.as_str(), Some("object" | "array" | "string"));
                types.iter().filter(deep).count().max(1) as u64
            });
            below(&mut fields.values())
                .saturating_mul(times)
                .saturating_add(1)
        }
        _ => 0,
    }
}

/// Refuses references that are too many, too long a chain, or only point at one another.
fn check_references(schema: &Value) -> Result<(), String> {
    let mut targets: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut todo = references(schema);
    while let Some(reference) = todo.pop() {
        if targets.contains_key(reference) {
            continue;
        }
        if targets.len() == MAX_REFERENCES {
            return Err(format!(
                "The references ($ref) of the JSON schema name more than {MAX_REFERENCES} places."
            ));
        }
        // One that names nothing is refused by llama.cpp.
        let target = resolve(schema, reference);
        let next = target.map(references).unwrap_or_default();
        todo.extend(&next);
        targets.insert(reference, next);
    }
    let circular = |reference: &&&str| resolve(schema, reference).is_some_and(|at| circles(schema, at));
    if let Some(reference) = targets.keys().find(circular) {
        return Err(format!(
            "The reference {reference:?} of the JSON schema only leads back to itself."
        ));
    }
    if longest_chain(&targets) > MAX_CHAIN {
        return Err(format!(
            "The references ($ref) of the JSON schema form a chain of more than {MAX_CHAIN}."
        ));
    }
    Ok(())
}

/// Every different reference inside `value`.
fn references(value: &Value) -> Vec<&str> {
    let mut out = BTreeSet::new();
    let mut todo = vec![value];
    while let Some(value) = todo.pop() {
        match value {
            Value::Array(items) => todo.extend(items),
            Value::Object(fields) => {
                out.extend(fields.get("$ref").and_then(Value::as_str));
                todo.extend(fields.values());
            }
            _ => {}
        }
    }
    out.into_iter().collect()
}

/// The place `reference` names, found as llama.cpp finds it: steps of names or numbers, nothing decoded.
fn resolve<'v>(schema: &'v Value, reference: &str) -> Option<&'v Value> {
    let path = reference.strip_prefix("#/")?;
    path.split('/').try_fold(schema, |at, step| match at {
        Value::Object(fields) => fields.get(step),
        Value::Array(items) => {
            // std::stoull reads the digits in front.
            let step = step.trim_start().trim_start_matches('+');
            let digits = step.find(|c: char| !c.is_ascii_digit()).unwrap_or(step.len());
            items.get(step[..digits].parse::<usize>().ok()?)
        }
        _ => None,
    })
}

/// Does `at` lead from reference to reference and back, without anything between?
fn circles<'v>(schema: &'v Value, mut at: &'v Value) -> bool {
    for _ in 0..=MAX_REFERENCES {
        let next = at.get("$ref").and_then(Value::as_str);
        match next.and_then(|reference| resolve(schema, reference)) {
            Some(target) => at = target,
            None => return false,
        }
    }
    true
}

/// How many references hang one behind the other at most, when each is followed once, as llama.cpp does:
/// depth first. References into a loop of recursion do not lengthen it.
fn longest_chain(targets: &BTreeMap<&str, Vec<&str>>) -> usize {
    let mut depths: BTreeMap<&str, usize> = BTreeMap::new();
    for first in targets.keys() {
        let mut path: Vec<(&str, usize)> = vec![(first, 0)];
        while let Some((reference, seen)) = path.pop() {
            let next = targets.get(reference).and_then(|below| below.get(seen));
            match next {
                Some(next) => {
                    path.push((reference, seen + 1));
                    let open = path.iter().any(|(on_path, _)| on_path == next);
                    if !open && !depths.contains_key(next) {
                        path.push((next, 0));
                    }
                }
                None => {
                    let below = targets.get(reference).into_iter().flatten();
                    let deepest = below.filter_map(|r| depths.get(r)).max().copied().unwrap_or(0);
                    depths.insert(reference, deepest + 1);
                }
            }
        }
    }
    depths.into_values().max().unwrap_or(0)
}

/// Is there a `pattern` that llama.cpp would drop with a warning, accepting any text? Only called on values
/// of bounded depth.
fn has_loose_pattern(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_loose_pattern),
        Value::Object(fields) => {
            let pattern = fields.get("pattern").and_then(Value::as_str);
            pattern.is_some_and(|p| !is_exact(p)) || fields.values().any(has_loose_pattern)
        }
        _ => false,
    }
}

/// Can an answer be held to `pattern`? Alone it must become more than the rule for any string.
fn is_exact(pattern: &str) -> bool {
    pattern.starts_with('^')
        && pattern.ends_with('$')
        && json_schema_to_grammar(&json!({"type": "string", "pattern": pattern}).to_string())
            .is_ok_and(|grammar| !grammar.lines().any(|line| line.trim() == "root ::= string"))
}

/// How deep `value` is nested; looks no deeper than one level past the limit.
fn depth(value: &Value, above: usize) -> usize {
    if above > MAX_DEPTH {
        return above;
    }
    let deepest = |values: &mut dyn Iterator<Item = &Value>| {
        values.map(|v| depth(v, above + 1)).max().unwrap_or(above + 1)
    };
    match value {
        Value::Array(items) => deepest(&mut items.iter()),
        Value::Object(fields) => deepest(&mut fields.values()),
        _ => above,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Why `schema` is refused, under the field it came in.
    fn refusal(schema: &Value) -> String {
        match grammar(schema, "response_format") {
            Err(ProviderError::Rejected {
                status: 400,
                param,
                message,
                ..
            }) => {
                assert_eq!(param.as_deref(), Some("response_format"));
                message
            }
            other => panic!("{other:?}"),
        }
    }

    /// `links` definitions, each only a reference to the next.
    fn chain(links: usize) -> Value {
        let mut definitions = Map::new();
        for i in 0..links {
            definitions.insert(format!("d{i}"), json!({"$ref": format!("#/$defs/d{}", i + 1)}));
        }
        definitions.insert(format!("d{links}"), json!({"type": "string"}));
        json!({"$ref": "#/$defs/d0", "$defs": definitions})
    }

    #[test]
    fn chains_of_references_are_bounded() {
        let mut long: Map<String, Value> = (0..10_000)
            .map(|i| (format!("{i:x}"), json!({"$ref": format!("#/{:x}", i + 1)})))
            .collect();
        long.insert("$ref".to_owned(), json!("#/0"));
        let long = Value::Object(long);
        assert!(long.to_string().len() < MAX_BYTES);
        assert!(refusal(&long).contains("more than 256 places"));
        assert!(refusal(&chain(200)).contains("a chain of more than 64"));
        assert!(grammar(&chain(40), "response_format").is_ok());
    }

    #[test]
    fn recursion_through_properties_works_and_empty_loops_are_refused() {
        let tree = json!({
            "$defs": {"node": {"type": "object", "properties": {
                "value": {"type": "integer"},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            }, "required": ["value"]}},
            "$ref": "#/$defs/node",
        });
        assert!(
            grammar(&tree, "response_format")
                .unwrap()
                .contains("ref-defs-node")
        );
        for all in ["allOf", "anyOf"] {
            let empty = json!({all: [{"$ref": "#/a"}], "a": {"$ref": "#/b"}, "b": {"$ref": "#/a"}});
            assert!(refusal(&empty).contains("leads back to itself"), "{all}");
        }
    }

    #[test]
    fn schemas_that_would_be_written_out_without_end_are_refused() {
        let mut types = json!({"type": "string"});
        for _ in 0..28 {
            types = json!({"type": ["object", "object"], "properties": {"a": types}});
        }
        assert!(refusal(&types).contains("types"));
        let many: Map<String, Value> = (0..5_000).map(|i| (format!("p{i}"), json!({}))).collect();
        let names: Vec<&String> = many.keys().collect();
        assert!(refusal(&json!({"type": "object", "properties": many})).contains("not required"));
        let all = json!({"type": "object", "properties": many, "required": names});
        assert!(refusal(&all).contains("5000 properties"));
    }

    #[test]
    fn what_this_engine_cannot_hold_an_answer_to_is_refused() {
        let mut deep = json!({});
        for _ in 0..90 {
            deep = json!({"type": "object", "properties": {"a": deep}});
        }
        assert!(refusal(&deep).contains("deeper"));
        for schema in [
            json!([]),
            json!({"type": "nonsense"}),
            json!({"$ref": "#/nowhere"}),
        ] {
            refusal(&schema);
        }
        for pattern in ["a+", "^a(?=b)c$", "^\\bx$", "^((((($"] {
            let schema =
                json!({"type": "object", "properties": {"a": {"type": "string", "pattern": pattern}}});
            assert!(refusal(&schema).contains("pattern"), "{pattern}");
        }
        let exact = json!({"type": "string", "pattern": "^[a-c]{2,3}(x|y)$"});
        assert!(grammar(&exact, "response_format").is_ok());
        let any = grammar(&json!({"type": "object"}), "response_format").unwrap();
        assert!(any.contains("root ::="));
    }
}
