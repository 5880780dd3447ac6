//! Servers with names of their own: `[upstream.servers.NAME]` in a file, `GOBLIN_UPSTREAM__SERVERS__NAME__URL` in the
//! environment, `--set upstream.servers.NAME.url=…`.

use std::collections::BTreeMap;

use goblin_core::model::nearest;
use toml::Spanned;
use toml::de::DeValue;

use crate::config::environment::Environment;
use crate::config::keys::{SERVER_KEYS, SERVERS, find_of_server};
use crate::config::written::{Entry, Source, Written, article, hint, misread};

/// How the variables of such servers begin.
pub(super) const VARIABLES: &str = "GOBLIN_UPSTREAM__SERVERS__";
/// Longest name of a server.
const MAX_NAME: usize = 32;

/// What was written of one server.
#[derive(Debug)]
pub(crate) struct Server {
    /// Where it is first named.
    pub(crate) source: Source,
    /// By the last part of the setting's path.
    pub(crate) entries: BTreeMap<&'static str, Entry>,
}

impl Written {
    /// Takes the tables of all servers; `source` is where the first one stands.
    pub(super) fn take_toml_servers(
        &mut self,
        servers: &Spanned<DeValue<'_>>,
        source: Source,
        place: &dyn Fn(usize) -> Source,
    ) {
        let Some(tables) = servers.get_ref().as_table() else {
            let path = SERVERS.trim_end_matches('.');
            return self.problem(path, source, no_table(servers));
        };
        for (name, server) in tables {
            let source = place(name.span().start);
            let name = name.get_ref().as_ref();
            let Some(fields) = server.get_ref().as_table() else {
                self.problem(&format!("{SERVERS}{name}"), source, no_table(server));
                continue;
            };
            if !self.is_server(name, source) {
                continue;
            }
            for (field, value) in fields {
                let source = place(field.span().start);
                let path = format!("{SERVERS}{name}.{}", field.get_ref());
                let Some(key) = find_of_server(field.get_ref()) else {
                    self.unknown_of_server(&path, name, source);
                    continue;
                };
                match key.kind.of_toml(value.get_ref()) {
                    Some(value) => self.put_of_server(name, key.field(), Entry { value, source }),
                    None => {
                        let found = article(value.get_ref().type_str());
                        self.problem(&path, source, format!("{} is expected, not {found}.", key.kind));
                    }
                }
            }
        }
    }

    /// Takes every variable of a server. `_` in the name of one stands for `-`.
    pub(super) fn take_server_variables(&mut self, environment: &Environment) {
        for variable in environment.names() {
            let Some(rest) = variable.strip_prefix(VARIABLES) else {
                continue;
            };
            let Some((name, field)) = rest.split_once("__") else {
                let source = Source::Environment(variable.to_owned());
                let message = format!("it names no setting of a server. Write {VARIABLES}NAME__URL.");
                self.problem(variable, source, message);
                continue;
            };
            let (name, field) = (name.to_lowercase().replace('_', "-"), field.to_lowercase());
            // A secret's file is named by its variable with `_FILE`, unless that is a setting itself.
            let of_secret = |f: &str| find_of_server(f).is_some_and(|k| k.secret);
            let secret = field
                .strip_suffix("_file")
                .filter(|f| find_of_server(&field).is_none() && of_secret(f));
            let base = variable.strip_suffix("_FILE").filter(|_| secret.is_some());
            let field = secret.unwrap_or(&field);
            let path = format!("{SERVERS}{name}.{field}");
            let found = self.variable(environment, &path, of_secret(field), base.unwrap_or(variable));
            if let Some((text, source)) = found {
                self.take_server_text(&name, field, &text, source);
            }
        }
    }

    /// Takes a text of the environment or the command line.
    pub(super) fn take_server_text(&mut self, name: &str, field: &str, text: &str, source: Source) {
        let path = format!("{SERVERS}{name}.{field}");
        if !self.is_server(name, source.clone()) {
            return;
        }
        let Some(key) = find_of_server(field) else {
            return self.unknown_of_server(&path, name, source);
        };
        match key.kind.of_text(text) {
            Some(value) => self.put_of_server(name, key.field(), Entry { value, source }),
            None => self.problem(&path, source, misread(key, text)),
        }
    }

    /// Begins a server, unless its name is none or taken by goblin itself.
    fn is_server(&mut self, name: &str, source: Source) -> bool {
        if self.servers.contains_key(name) {
            return true;
        }
        let path = format!("{SERVERS}{name}");
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty()
            || name.len() > MAX_NAME
            || !name.chars().all(fits)
            || name.starts_with('-')
            || name.ends_with('-')
        {
            let message = format!(
                "`{name}` cannot be a server's name. Use lower-case letters, digits and, between them, `-`; at most \
                 {MAX_NAME}."
            );
            self.problem(&path, source, message);
            return false;
        }
        if ["engine", "goblin"].contains(&name) {
            let message = format!("`{name}` is goblin's own name for something else. Choose another.");
            self.problem(&path, source, message);
            return false;
        }
        let entries = BTreeMap::new();
        self.servers.insert(name.to_owned(), Server { source, entries });
        true
    }

    fn put_of_server(&mut self, name: &str, field: &'static str, entry: Entry) {
        if let Some(server) = self.servers.get_mut(name) {
            server.entries.insert(field, entry);
        }
    }

    fn unknown_of_server(&mut self, path: &str, name: &str, source: Source) {
        let known: Vec<String> = SERVER_KEYS
            .iter()
            .map(|k| format!("{SERVERS}{name}.{}", k.field()))
            .collect();
        let hint = hint(nearest(path, known.iter().map(String::as_str)));
        self.problem(path, source, format!("there is no such setting.{hint}"));
    }
}

fn no_table(value: &Spanned<DeValue<'_>>) -> String {
    let found = article(value.get_ref().type_str());
    format!("a table is expected, not {found}. Write [{SERVERS}NAME] and its settings below it.")
}
