//! What was written, layer over layer, with the place of every value. Nothing is judged here but spelling:
//! whether a key exists, and whether a text can be read as the setting's kind.

mod servers;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use goblin_core::model::nearest;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::environment::Environment;
use crate::config::keys::{KEYS, Key, Kind, NOT_YET, NOT_YET_PREFIXES, OLD, Reader, SERVERS, find};

pub(crate) use servers::Server;

/// The embedded defaults, which are also the manual.
pub(crate) const DEFAULTS: &str = include_str!("../../../../goblin.default.toml");

/// Largest configuration or secret file, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// `goblin.default.toml`, embedded.
    Default,
    /// A line of a file.
    File(PathBuf, usize),
    /// A variable.
    Environment(String),
    /// A file named by a variable.
    SecretFile(String, PathBuf),
    /// The command line.
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::SecretFile(name, path) => write!(f, "environment {name} ({})", path.display()),
            Self::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// Something wrong: which setting, where it was written, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The setting or variable; empty when a whole file is meant.
    pub(crate) key: String,
    /// Where.
    pub(crate) source: Source,
    /// What is wrong and how it is put right, in a sentence.
    pub(crate) message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = if self.key.is_empty() { "file" } else { &self.key };
        write!(f, "{key} ({}): {}", self.source, self.message)
    }
}

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// What was written, of the setting's kind.
    pub(crate) value: Value,
    /// Where.
    pub(crate) source: Source,
}

/// All layers merged: one entry for every setting, the problems met on the way and what the operator should know.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// By `section.name`.
    pub(crate) entries: BTreeMap<&'static str, Entry>,
    /// Servers with names of their own, by name.
    pub(crate) servers: BTreeMap<String, Server>,
    /// Values that could not be taken.
    pub(crate) problems: Vec<Problem>,
    /// Old spellings in use, variables without effect.
    pub(crate) notices: Vec<String>,
}

/// What decides how the layers are read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    /// The file to read instead of the one in the XDG folder (`--config`).
    pub(crate) file: Option<PathBuf>,
    /// `section.name`, value, and the flag that said so.
    pub(crate) flags: Vec<(String, String, String)>,
    /// Is this `goblin models serve`?
    pub(crate) tier: bool,
    /// Is this `goblin serve`?
    pub(crate) serve: bool,
}

impl Written {
    /// Reads every layer: defaults ← file ← environment ← flags.
    pub(crate) fn read(environment: &Environment, request: &Request) -> Self {
        let mut written = Self::default();
        written.take_toml(DEFAULTS, None);
        written.take_file(environment, request);
        written.take_environment(environment, request);
        for (path, value, flag) in &request.flags {
            written.take_text(path, value, Source::Flag(flag.clone()));
        }
        written
    }

    fn take_file(&mut self, environment: &Environment, request: &Request) {
        let named = request
            .file
            .clone()
            .or_else(|| environment.get("GOBLIN_CONFIG").map(PathBuf::from));
        let must_exist = named.is_some();
        let Some(path) = named.or_else(|| environment.config_dir().map(|d| d.join("goblin.toml"))) else {
            return;
        };
        match read_text(&path) {
            Ok(text) => self.take_toml(&text, Some(&path)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && !must_exist => {}
            Err(e) => self.problem(
                "",
                Source::File(path, 0),
                format!("it cannot be read: {e}. Correct the path or its rights."),
            ),
        }
    }

    /// Takes a TOML text; `path` is `None` for the embedded defaults.
    fn take_toml(&mut self, text: &str, path: Option<&Path>) {
        let place = |at: usize| match path {
            None => Source::Default,
            Some(path) => Source::File(path.to_owned(), line_of(text, at)),
        };
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let at = error.span().map_or(0, |s| s.start);
            self.problem("", place(at), format!("not valid TOML: {}.", error.message()));
        }
        for (section, inner) in table.get_ref() {
            let Some(keys) = inner.get_ref().as_table() else {
                let at = place(section.span().start);
                self.unknown(section.get_ref(), at);
                continue;
            };
            self.take_toml_section(section.get_ref(), keys, &place);
        }
    }

    /// Takes the settings of a section and of the sections inside it.
    fn take_toml_section(&mut self, section: &str, keys: &DeTable<'_>, place: &dyn Fn(usize) -> Source) {
        for (name, value) in keys {
            let path = format!("{section}.{}", name.get_ref());
            let inside = format!("{path}.");
            if inside == SERVERS {
                self.take_toml_servers(value, place(name.span().start), place);
                continue;
            }
            match value.get_ref().as_table() {
                Some(inner) if KEYS.iter().any(|k| k.path.starts_with(&inside)) => {
                    self.take_toml_section(&path, inner, place);
                }
                _ => self.take_toml_value(&path, value, place(name.span().start)),
            }
        }
    }

    fn take_toml_value(&mut self, path: &str, value: &Spanned<DeValue<'_>>, source: Source) {
        let Some(key) = find(path) else {
            return self.unknown(path, source);
        };
        match key.kind.of_toml(value.get_ref()) {
            Some(value) => self.put(key, value, source),
            None => self.problem(
                path,
                source,
                format!(
                    "{} is expected, not {}.",
                    key.kind,
                    article(value.get_ref().type_str())
                ),
            ),
        }
    }

    fn take_environment(&mut self, environment: &Environment, request: &Request) {
        for key in KEYS {
            let short = key.env.filter(|short| match short.reader {
                Reader::All => true,
                Reader::Backend => !request.tier,
                Reader::Tier => request.tier,
            });
            let long = key.long_name();
            let found: Vec<(String, Source)> = short
                .map(|s| s.name)
                .into_iter()
                .chain([long.as_str()])
                .filter_map(|name| self.variable(environment, key.path, key.secret, name))
                .collect();
            if let [(a, first), (b, second)] = found.as_slice()
                && a != b
            {
                let message = format!("it says something else than {second}. Unset one of them.");
                self.problem(key.path, first.clone(), message);
            } else if let Some((value, source)) = found.into_iter().next() {
                self.take_text(key.path, &value, source);
            }
        }
        if request.serve && environment.get("RENDER").is_some() && environment.get("HOST").is_none() {
            self.take_text("server.host", "0.0.0.0", Source::Environment("RENDER".to_owned()));
        }
        self.take_server_variables(environment);
        self.take_old_spellings(environment, request);
        self.notice_without_effect(environment);
    }

    /// The value of variable `name`, or of the file that `name_FILE` names when the setting is a secret.
    fn variable(
        &mut self,
        environment: &Environment,
        path: &str,
        secret: bool,
        name: &str,
    ) -> Option<(String, Source)> {
        let direct = environment
            .get(name)
            .map(|v| (v.to_owned(), Source::Environment(name.to_owned())));
        let file_name = format!("{name}_FILE");
        let Some(file) = environment.get(&file_name).filter(|_| secret).map(PathBuf::from) else {
            return direct;
        };
        if direct.is_some() {
            let message = format!("{name} and {file_name} are both set. Unset one of them.");
            self.problem(path, Source::Environment(name.to_owned()), message);
            return None;
        }
        let source = Source::SecretFile(file_name, file.clone());
        match read_text(&file) {
            Ok(text) if text.trim().is_empty() => {
                self.problem(
                    path,
                    source,
                    "the file is empty. Write the secret into it.".to_owned(),
                );
                None
            }
            Ok(text) => Some((text.trim_end_matches(['\r', '\n']).to_owned(), source)),
            Err(e) => {
                self.problem(path, source, format!("the file cannot be read: {e}."));
                None
            }
        }
    }

    fn take_old_spellings(&mut self, environment: &Environment, request: &Request) {
        for (old, new) in OLD {
            let Some(value) = environment.get(old) else {
                continue;
            };
            self.notices
                .push(format!("{old} is an old spelling; use {new} instead."));
            if environment.get(new).is_some() {
                continue;
            }
            let path = match *old {
                "KALMATURA_LLM_URL" => "upstream.proxy_url",
                "KALMATURA_LLM_API_KEY" if request.tier => "tier.key",
                "KALMATURA_LLM_API_KEY" => "upstream.proxy_key",
                _ => continue,
            };
            self.take_text(path, value, Source::Environment((*old).to_owned()));
        }
        let off = |v: &str| matches!(v.trim().to_lowercase().as_str(), "false" | "0" | "no" | "off");
        if environment.get("USE_LOCAL_LLM").is_some_and(off) {
            self.take_text(
                "upstream.proxy_url",
                "",
                Source::Environment("USE_LOCAL_LLM".to_owned()),
            );
        }
    }

    fn notice_without_effect(&mut self, environment: &Environment) {
        let known: Vec<String> = KEYS.iter().map(Key::long_name).collect();
        for name in environment.names() {
            let bare = name.strip_suffix("_FILE").unwrap_or(name);
            let later = NOT_YET.contains(&bare) || NOT_YET_PREFIXES.iter().any(|p| name.starts_with(p));
            if later {
                self.notices
                    .push(format!("{name} is set but not used by this version of goblin."));
            } else if OLD.iter().any(|(old, new)| *old == name && NOT_YET.contains(new)) {
                self.notices.push(format!(
                    "{name} is set but its feature is not part of this version of goblin."
                ));
            } else if name.starts_with(servers::VARIABLES) {
                // Taken, or reported, with the servers.
            } else if name.starts_with("GOBLIN_")
                && name.contains("__")
                && !known.iter().any(|k| k == bare || k == name)
            {
                let hint = hint(nearest(name, known.iter().map(String::as_str)));
                let message = format!("there is no such setting.{hint}");
                self.problems.push(Problem {
                    key: name.to_owned(),
                    source: Source::Environment(name.to_owned()),
                    message,
                });
            }
        }
    }

    /// Takes a text of the environment or the command line.
    fn take_text(&mut self, path: &str, text: &str, source: Source) {
        if let Some((name, field)) = path.strip_prefix(SERVERS).and_then(|p| p.split_once('.')) {
            return self.take_server_text(name, field, text, source);
        }
        let Some(key) = find(path) else {
            return self.unknown(path, source);
        };
        match key.kind.of_text(text) {
            Some(value) => self.put(key, value, source),
            None => self.problem(path, source, misread(key, text)),
        }
    }

    fn put(&mut self, key: &'static Key, value: Value, source: Source) {
        self.entries.insert(key.path, Entry { value, source });
    }

    fn unknown(&mut self, path: &str, source: Source) {
        let hint = hint(nearest(path, KEYS.iter().map(|k| k.path)));
        self.problem(path, source, format!("there is no such setting.{hint}"));
    }

    fn problem(&mut self, key: &str, source: Source, message: String) {
        self.problems.push(Problem {
            key: key.to_owned(),
            source,
            message,
        });
    }
}

impl Kind {
    /// A TOML value as this kind; `None` when it is none.
    fn of_toml(self, value: &DeValue<'_>) -> Option<Value> {
        match self {
            Self::Text | Self::Word(_) => value.as_str().map(Value::from),
            Self::Switch => value.as_bool().map(Value::from),
            Self::Number(..) => value
                .as_integer()
                .and_then(|n| i64::from_str_radix(n.as_str(), n.radix()).ok())
                .map(Value::from),
            Self::Real(..) => {
                let number = value.as_float().map(|n| n.as_str().replace('_', ""));
                let whole = value.as_integer().map(|n| n.as_str().replace('_', ""));
                number.or(whole)?.parse::<f64>().ok().map(Value::from)
            }
            Self::Several if value.as_str().is_some() => value.as_str().map(listed),
            Self::List | Self::Several => value
                .as_array()?
                .iter()
                .map(|item| item.get_ref().as_str().map(Value::from))
                .collect::<Option<Vec<_>>>()
                .map(Value::from),
        }
    }

    /// A text of the environment or the command line as this kind; `None` when it is none.
    fn of_text(self, text: &str) -> Option<Value> {
        match self {
            Self::Text | Self::Word(_) => Some(Value::from(text)),
            Self::Switch => match text.trim().to_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => Some(true.into()),
                "false" | "0" | "no" | "off" => Some(false.into()),
                _ => None,
            },
            Self::Number(..) => text.trim().parse::<i64>().ok().map(Value::from),
            Self::Real(..) => text.trim().parse::<f64>().ok().map(Value::from),
            Self::List | Self::Several => Some(listed(text)),
        }
    }
}

/// The items of a comma list; a file may also have them line by line.
fn listed(text: &str) -> Value {
    let items = text.split([',', '\n']).map(str::trim);
    items.filter(|t| !t.is_empty()).map(Value::from).collect()
}

/// Why `text` is no value of `key`; a secret is not repeated.
fn misread(key: &Key, text: &str) -> String {
    let shown: String = if key.secret {
        "a text".into()
    } else {
        format!("`{}`", text.chars().take(60).collect::<String>())
    };
    format!("{} is expected, not {shown}.", key.kind)
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("a text"),
            Self::Switch => f.write_str("true or false"),
            Self::Number(low, high) => write!(f, "a whole number from {low} to {high}"),
            Self::Real(low, high) => write!(f, "a number from {low} to {high}"),
            Self::Word(words) => write!(f, "one of {}", words.join(", ")),
            Self::List => f.write_str("a list of texts"),
            Self::Several => f.write_str("a text or a list of texts"),
        }
    }
}

fn hint(nearest: Option<&str>) -> String {
    let manual = " `goblin config print` lists all of them.".to_owned();
    nearest.map_or(manual, |n| format!(" Did you mean `{n}`?"))
}

fn article(kind: &str) -> String {
    let vowel = kind.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {kind}", if vowel { "an" } else { "a" })
}

/// The 1-based line of byte `at`.
fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|b| **b == b'\n').count() + 1
}

/// Reads a small text file; a large one or one that is not UTF-8 is refused.
pub(super) fn read_text(path: &Path) -> std::io::Result<String> {
    let size = std::fs::metadata(path)?.len();
    if size > MAX_FILE_BYTES {
        let message = format!("it has {size} bytes, more than the limit of {MAX_FILE_BYTES}");
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, message));
    }
    std::fs::read_to_string(path)
}
