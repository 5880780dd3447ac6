//! Where tables differ from what the migrations make, each in a sentence. Pure.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::shape::{Column, ForeignKey, Index, Shape, Table};
use crate::verify::Difference;

/// Everything in which `actual` differs from `expected`. `additions`: does it count what is there and not expected? A
/// newer release may have added something.
pub(crate) fn differences(expected: &Shape, actual: &Shape, additions: bool) -> Vec<Difference> {
    let mut all = Vec::new();
    let names: BTreeSet<&String> = expected.tables.keys().chain(actual.tables.keys()).collect();
    for name in names {
        let mut found = Found {
            table: name,
            sentences: Vec::new(),
            additions,
        };
        match (expected.tables.get(name), actual.tables.get(name)) {
            (Some(expected), Some(actual)) => found.compare(expected, actual),
            (Some(_), None) => found.say(format!("Table `{name}` is missing.")),
            (None, _) => found.add(format!("Table `{name}` is there, and no migration makes it.")),
        }
        all.extend(found.sentences.into_iter().map(|sentence| Difference {
            table: name.clone(),
            sentence,
        }));
    }
    all
}

struct Found<'a> {
    table: &'a str,
    sentences: Vec<String>,
    additions: bool,
}

impl Found<'_> {
    fn say(&mut self, sentence: String) {
        self.sentences.push(sentence);
    }

    /// Something that is there and not expected.
    fn add(&mut self, sentence: String) {
        if self.additions {
            self.say(sentence);
        }
    }

    fn compare(&mut self, expected: &Table, actual: &Table) {
        let table = self.table;
        for wanted in &expected.columns {
            match actual.columns.iter().find(|c| c.name == wanted.name) {
                Some(there) => self.compare_column(wanted, there),
                None => self.say(format!("Column `{table}.{}` is missing.", wanted.name)),
            }
        }
        for there in &actual.columns {
            if !expected.columns.iter().any(|c| c.name == there.name) {
                self.add(format!(
                    "Column `{table}.{}` is there, and no migration makes it.",
                    there.name
                ));
            }
        }
        if expected.primary_key != actual.primary_key {
            self.say(format!(
                "The primary key of `{table}` is {}, and the migrations make it {}.",
                listed(&actual.primary_key),
                listed(&expected.primary_key)
            ));
        }
        self.compare_indexes(expected, actual);
        for wanted in expected.foreign_keys.difference(&actual.foreign_keys) {
            self.say(format!(
                "The foreign key of `{table}` {} is missing.",
                key(wanted)
            ));
        }
        for there in actual.foreign_keys.difference(&expected.foreign_keys) {
            self.add(format!(
                "The foreign key of `{table}` {} is there, and no migration makes it.",
                key(there)
            ));
        }
    }

    fn compare_column(&mut self, expected: &Column, actual: &Column) {
        let name = format!("`{}.{}`", self.table, expected.name);
        if !expected.type_name.eq_ignore_ascii_case(&actual.type_name) {
            self.say(format!(
                "Column {name} is of type {}, and the migrations make it {}.",
                actual.type_name, expected.type_name
            ));
        }
        match (expected.required, actual.required) {
            (true, false) => self.say(format!(
                "Column {name} may be NULL, and the migrations make it NOT NULL."
            )),
            (false, true) => self.say(format!(
                "Column {name} is NOT NULL, and the migrations let it be NULL."
            )),
            _ => {}
        }
        for (what, wanted, there) in [
            ("default", &expected.default, &actual.default),
            ("order of letters", &expected.collation, &actual.collation),
        ] {
            if wanted != there {
                self.say(format!(
                    "The {what} of column {name} is {}, and the migrations make it {}.",
                    there.as_deref().unwrap_or("not set"),
                    wanted.as_deref().unwrap_or("not set")
                ));
            }
        }
    }

    fn compare_indexes(&mut self, expected: &Table, actual: &Table) {
        let table = self.table;
        for (name, wanted) in &expected.indexes {
            match actual.indexes.get(name) {
                None => self.say(format!(
                    "Index `{name}` of `{table}` ({}) is missing.",
                    index(wanted)
                )),
                Some(there) if there != wanted => self.say(format!(
                    "Index `{name}` of `{table}` is {}, and the migrations make it {}.",
                    index(there),
                    index(wanted)
                )),
                Some(_) => {}
            }
        }
        for (name, there) in &actual.indexes {
            if !expected.indexes.contains_key(name) {
                self.add(format!(
                    "Index `{name}` of `{table}` ({}) is there, and no migration makes it.",
                    index(there)
                ));
            }
        }
    }
}

fn listed(columns: &[String]) -> String {
    if columns.is_empty() {
        "not set".to_owned()
    } else {
        format!("({})", columns.join(", "))
    }
}

fn index(index: &Index) -> String {
    let unique = if index.unique { "unique, " } else { "" };
    let mut text = format!("{unique}on {}", listed(&index.columns));
    if let Some(condition) = &index.condition {
        let _ = write!(text, " where {condition}");
    }
    text
}

fn key(key: &ForeignKey) -> String {
    format!(
        "on {} to `{}` {} (on delete {}, on update {})",
        listed(&key.columns),
        key.table,
        listed(&key.target),
        key.on_delete.to_lowercase(),
        key.on_update.to_lowercase()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str) -> Column {
        Column {
            name: name.into(),
            type_name: "TEXT".into(),
            required: true,
            default: None,
            collation: None,
        }
    }

    fn shape(change: impl FnOnce(&mut Table)) -> Shape {
        let mut table = Table {
            columns: vec![column("id"), column("name")],
            primary_key: vec!["id".into()],
            ..Table::default()
        };
        let by_name = Index {
            columns: vec!["name".into()],
            unique: false,
            condition: Some("name IS NOT NULL".into()),
        };
        table.indexes.insert("by_name".into(), by_name);
        table.foreign_keys.insert(ForeignKey {
            columns: vec!["name".into()],
            table: "names".into(),
            target: vec!["id".into()],
            on_delete: "CASCADE".into(),
            on_update: "NO ACTION".into(),
        });
        change(&mut table);
        Shape {
            tables: [("things".to_owned(), table)].into(),
        }
    }

    type Change = fn(&mut Table);

    #[test]
    fn each_difference_is_said_in_a_sentence_of_its_own() {
        let cases: [(Change, &[&str]); 9] = [
            (|_| {}, &[]),
            (|t| t.columns.swap(0, 1), &[]),
            (
                |t| {
                    t.columns.pop();
                },
                &["`things.name` is missing"],
            ),
            (
                |t| t.columns.push(column("extra")),
                &["`things.extra` is there, and no migration"],
            ),
            (
                |t| t.columns[1].type_name = "BLOB".into(),
                &["`things.name` is of type BLOB, and the migrations make it TEXT"],
            ),
            (
                |t| {
                    t.columns[1].required = false;
                    t.columns[1].default = Some("'x'".into());
                    t.columns[1].collation = Some("C".into());
                },
                &[
                    "may be NULL",
                    "default of column `things.name` is 'x', and the migrations make it not set",
                    "order of letters of column `things.name` is C",
                ],
            ),
            (
                |t| t.primary_key = vec!["id".into(), "name".into()],
                &["primary key of `things` is (id, name), and the migrations make it (id)"],
            ),
            (
                |t| t.indexes.values_mut().for_each(|i| i.unique = true),
                &[
                    "is unique, on (name) where name IS NOT NULL, and the migrations make it on (name) where name IS NOT NULL",
                ],
            ),
            (
                |t| {
                    t.indexes.clear();
                    t.foreign_keys.clear();
                },
                &[
                    "Index `by_name` of `things` (on (name) where name IS NOT NULL) is missing",
                    "on (name) to `names` (id) (on delete cascade, on update no action) is missing",
                ],
            ),
        ];
        let expected = shape(|_| {});
        for (change, says) in cases {
            let found = differences(&expected, &shape(change), true);
            assert_eq!(found.len(), says.len(), "{found:?}");
            for (difference, part) in found.iter().zip(says) {
                assert_eq!(difference.table, "things");
                assert!(difference.sentence.contains(part), "{part}: {difference:?}");
            }
        }
    }

    #[test]
    fn what_a_newer_release_added_counts_only_when_asked_for() {
        let expected = shape(|_| {});
        let mut newer = shape(|t| t.columns.push(column("extra")));
        newer.tables.insert("later".into(), Table::default());
        assert_eq!(differences(&expected, &newer, false), []);
        let counted = differences(&expected, &newer, true);
        assert_eq!(counted.len(), 2, "{counted:?}");
        let missing = differences(&newer, &expected, false);
        assert_eq!(missing.len(), 2, "{missing:?}");
        assert_eq!(missing[0].sentence, "Table `later` is missing.");
    }
}
