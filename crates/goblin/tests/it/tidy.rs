//! The walls of the house, read from manifests and sources, so that they are held by a test and not by memory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Who may see whom (`[dependencies]` only). `goblin` sees every crate.
const ARROWS: &[(&str, &[&str])] = &[
    ("goblin-core", &[]),
    ("goblin-net", &["goblin-core"]),
    ("goblin-store", &["goblin-core"]),
    ("goblin-engine", &["goblin-core"]),
    ("goblin-providers", &["goblin-net", "goblin-core"]),
    ("goblin-auth", &["goblin-store", "goblin-net", "goblin-core"]),
    ("goblin-dispatch", &["goblin-store", "goblin-core"]),
    (
        "goblin-server",
        &["goblin-dispatch", "goblin-auth", "goblin-store", "goblin-core"],
    ),
];

/// One owner for each outside world.
const OWNERS: &[(&str, &[&str])] = &[
    ("axum", &["goblin-server"]),
    ("axum-server", &["goblin-server"]),
    ("tower-http", &["goblin-server"]),
    ("utoipa-axum", &["goblin-server"]),
    ("sqlx", &["goblin-store"]),
    ("redis", &["goblin-store"]),
    ("hyper", &["goblin-net", "goblin-server"]),
    ("hyper-util", &["goblin-net", "goblin-server"]),
    ("tokio-rustls", &["goblin-net"]),
    ("reqwest", &["goblin-net"]),
    ("llama-cpp-2", &["goblin-engine"]),
    ("llama-cpp-sys-2", &["goblin-engine"]),
    ("webauthn-rs", &["goblin-auth"]),
    ("clap", &["goblin"]),
    ("anyhow", &["goblin"]),
];

/// No runtime and no framework in the core.
const NOT_IN_CORE: &[&str] = &[
    "tokio",
    "tokio-util",
    "axum",
    "tower",
    "hyper",
    "hyper-util",
    "reqwest",
    "sqlx",
    "redis",
    "tracing-subscriber",
];

const FORBIDDEN_NAMES: &[&str] = &[
    "utils", "util", "common", "helpers", "helper", "misc", "manager", "service",
];
const NOT_OURS: &[&str] = &[
    ".git",
    "target",
    "node_modules",
    "dist",
    "artifacts",
    "__pycache__",
    ".venv",
];
const MOST_LINES: usize = 700;
/// Written by a program, not by people.
const GENERATED: &[&str] = &["web/src/api/schema.ts", "web/src/api/schema.d.ts"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// Every file of the project, as a path below its root.
fn files() -> Vec<PathBuf> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let kind = entry.file_type().unwrap();
            if NOT_OURS.iter().any(|n| entry.file_name() == *n) {
                continue;
            }
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path().strip_prefix(&root).unwrap().to_owned());
            }
        }
    }
    assert!(found.len() > 100, "the walk found only {} files", found.len());
    found.sort();
    found
}

fn below(folder: &str, extension: &str) -> Vec<(PathBuf, String)> {
    let wanted = files()
        .into_iter()
        .filter(|p| p.starts_with(folder) && p.extension().is_some_and(|e| e == extension));
    wanted
        .map(|p| (p.clone(), fs::read_to_string(root().join(p)).unwrap()))
        .collect()
}

/// Each crate's manifest, by name.
fn manifests() -> BTreeMap<String, toml::Table> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let folder = entry.unwrap();
        let text = fs::read_to_string(folder.path().join("Cargo.toml")).unwrap();
        let manifest: toml::Table = text.parse().unwrap();
        let name = manifest["package"]["name"].as_str().unwrap().to_owned();
        assert_eq!(
            folder.file_name().to_str(),
            Some(name.as_str()),
            "a folder has its crate's name"
        );
        all.insert(name, manifest);
    }
    assert_eq!(all.len(), 9);
    all
}

fn dependencies(manifest: &toml::Table) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut take = |table: Option<&toml::Value>| {
        names.extend(
            table
                .and_then(toml::Value::as_table)
                .into_iter()
                .flat_map(|t| t.keys().cloned()),
        );
    };
    take(manifest.get("dependencies"));
    for target in manifest
        .get("target")
        .and_then(toml::Value::as_table)
        .into_iter()
        .flat_map(|t| t.values())
    {
        take(target.get("dependencies"));
    }
    names
}

#[test]
fn crates_see_only_whom_they_may() {
    for (name, manifest) in manifests() {
        if name == "goblin" {
            continue;
        }
        let allowed = ARROWS.iter().find(|(n, _)| *n == name).map(|(_, to)| *to);
        let allowed = allowed.unwrap_or_else(|| panic!("{name} is not in the list of arrows"));
        for to in dependencies(&manifest).iter().filter(|d| d.starts_with("goblin")) {
            assert!(
                allowed.contains(&to.as_str()),
                "{name} may not see {to}: a new arrow is an ADR"
            );
        }
        let for_tests = manifest.get("dev-dependencies").and_then(toml::Value::as_table);
        assert!(
            !for_tests.is_some_and(|d| d.contains_key("goblin")),
            "nothing sees goblin, not even tests"
        );
    }
}

#[test]
fn every_outside_world_has_one_owner() {
    for (name, manifest) in manifests() {
        for dependency in dependencies(&manifest) {
            if let Some((_, owners)) = OWNERS.iter().find(|(d, _)| *d == dependency) {
                assert!(
                    owners.contains(&name.as_str()),
                    "{dependency} belongs to {owners:?}, not to {name}"
                );
            }
            assert!(
                name != "goblin-core" || !NOT_IN_CORE.contains(&dependency.as_str()),
                "core has {dependency}"
            );
        }
    }
}

#[test]
fn every_crate_inherits_lints_edition_and_licence() {
    for (name, manifest) in manifests() {
        assert_eq!(manifest["lints"]["workspace"].as_bool(), Some(true), "{name}");
        for key in ["version", "edition", "rust-version", "license", "publish"] {
            assert_eq!(
                manifest["package"][key]["workspace"].as_bool(),
                Some(true),
                "{name}: {key}"
            );
        }
    }
}

#[test]
fn outside_crates_are_named_once_in_the_workspace() {
    for (name, manifest) in manifests() {
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for (dependency, how) in manifest
                .get(section)
                .and_then(toml::Value::as_table)
                .into_iter()
                .flatten()
            {
                let inherited = how.get("workspace").and_then(toml::Value::as_bool) == Some(true);
                assert!(inherited, "{name}: {dependency} is not taken from the workspace");
            }
        }
    }
}

#[test]
fn only_the_configuration_reads_the_environment() {
    for (path, text) in below("crates", "rs") {
        let shown = path.display().to_string();
        let ours = shown == "crates/goblin/src/config/environment.rs";
        let not_product = shown.contains("/tests/") || shown.ends_with("build.rs");
        if ours || not_product {
            continue;
        }
        for call in ["env::var", "env::vars", "env::args", "env::set_var"] {
            assert!(
                !text.contains(&format!("{call}(")) && !text.contains(&format!("{call}_os(")),
                "{shown}: {call}"
            );
        }
    }
}

#[test]
fn route_files_never_look_sideways() {
    let folder = Path::new("crates/goblin-server/src/routes");
    let all = below("crates/goblin-server/src/routes", "rs");
    let name = |p: &Path| {
        p.strip_prefix(folder)
            .unwrap()
            .iter()
            .next()
            .unwrap()
            .to_string_lossy()
            .replace(".rs", "")
    };
    let names: Vec<String> = all.iter().map(|(p, _)| name(p)).collect();
    assert!(names.len() >= 5, "{names:?}");
    for (path, text) in &all {
        // A group would hide whom it names from what follows.
        for group in ["use super::{", "use crate::routes::{"] {
            assert!(!text.contains(group), "{}: one `use` for each", path.display());
        }
        for other in names.iter().filter(|n| **n != name(path)) {
            for form in [format!("crate::routes::{other}"), format!("super::{other}")] {
                assert!(!text.contains(&form), "{} looks at {other}", path.display());
            }
        }
    }
}

#[test]
fn only_net_connects_to_others() {
    for (path, text) in below("crates", "rs") {
        let owner = path.starts_with("crates/goblin-net");
        if owner || path.iter().any(|part| part == "tests") {
            continue;
        }
        // What a file's own tests do below its code is not the product.
        let product = text.split("#[cfg(test)]").next().unwrap_or_default();
        for call in [
            "TcpStream::connect",
            "UnixStream::connect",
            "UdpSocket::",
            "ToSocketAddrs",
            "lookup_host(",
        ] {
            assert!(
                !product.contains(call),
                "{}: {call} belongs to goblin-net",
                path.display()
            );
        }
    }
}

#[test]
fn nothing_is_left_for_later() {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME")];
    for extension in ["rs", "ts", "tsx", "mjs", "py", "sh", "css", "toml", "sql"] {
        for (path, text) in below("", extension) {
            for mark in marks {
                assert!(!text.contains(mark), "{}: {mark}", path.display());
            }
        }
    }
}

#[test]
fn every_table_says_whose_its_rows_are() {
    // The schema's own row, the operator's processes, chores and keys, what belongs to a tenant, and the tables that say who there is.
    let columns = |table: &str| match table {
        "schema_floor" | "processes" | "chores" | "leaving_elsewhere" | "signing_keys" | "tenants" => &[][..],
        "users" | "teams" | "provider_keys" | "provider_settings" | "budgets" | "spending"
        | "budget_holds" => &["tenant_id TEXT NOT NULL"][..],
        _ => &["tenant_id TEXT NOT NULL", "user_id TEXT NOT NULL"][..],
    };
    let mut tables = Vec::new();
    for (path, text) in below("crates/goblin-store/migrations", "sql") {
        let text = text.replace(" COLLATE \"C\"", "");
        for made in text.split("CREATE TABLE ").skip(1) {
            let (name, rest) = made.split_once('(').unwrap();
            let (name, body) = (name.trim(), rest.split(';').next().unwrap_or_default());
            for column in columns(name) {
                assert!(
                    body.contains(column),
                    "{}: {name} lacks `{column}`",
                    path.display()
                );
            }
            tables.push(name.to_owned());
        }
    }
    assert!(tables.iter().any(|t| t == "turns"), "{tables:?}");
}

#[test]
fn dispatch_knows_no_framework() {
    for (path, text) in below("crates/goblin-dispatch", "rs") {
        assert!(
            !text.contains("axum::") && !text.contains("hyper::"),
            "{}",
            path.display()
        );
    }
}

#[test]
fn files_have_names_that_say_something() {
    for path in files() {
        assert!(
            !path.ends_with("mod.rs"),
            "{}: modules are foo.rs beside foo/",
            path.display()
        );
        for part in &path {
            let part = part.to_string_lossy().to_lowercase();
            let stem = part.split('.').next().unwrap_or_default();
            assert!(
                !FORBIDDEN_NAMES.contains(&stem),
                "{}: name it after the domain",
                path.display()
            );
        }
    }
}

#[test]
fn no_file_is_too_long_to_read() {
    for extension in ["rs", "ts", "tsx", "mjs", "js", "py", "sh", "css"] {
        for (path, text) in below("", extension) {
            if GENERATED.iter().any(|g| path == Path::new(g)) {
                continue;
            }
            let lines = text.lines().count();
            assert!(
                lines <= MOST_LINES,
                "{} has {lines} lines; {MOST_LINES} is the limit",
                path.display()
            );
        }
    }
}

#[test]
fn no_test_is_switched_off_and_none_sleeps() {
    let switched_off = concat!("#[", "ignore");
    let sleeping = concat!("thread::", "sleep(");
    let dozing = concat!("time::", "sleep(");
    for (path, text) in below("crates", "rs") {
        let shown = path.display();
        assert!(!text.contains(switched_off), "{shown}");
        assert!(
            !text.contains(sleeping),
            "{shown}: wait for what is meant instead"
        );
        let is_test = path.iter().any(|part| part == "tests");
        assert!(
            !is_test || !text.contains(dozing),
            "{shown}: wait for what is meant instead"
        );
    }
}

#[test]
fn no_journey_waits_for_a_while() {
    let waiting = concat!("waitFor", "Timeout");
    let journeys = below("e2e", "mjs");
    assert!(journeys.len() > 10, "{}", journeys.len());
    for (path, text) in journeys {
        assert!(
            !text.contains(waiting),
            "{}: wait for what is meant, with a locator or with lib/until.mjs",
            path.display()
        );
    }
}

#[test]
fn every_test_that_security_names_is_there() {
    let page = fs::read_to_string(root().join("docs/security.md")).unwrap();
    let sources: String = below("crates", "rs").into_iter().map(|(_, text)| text).collect();
    let names: Vec<&str> = page
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| name.matches('_').count() > 2 && !name.contains('.'))
        .collect();
    assert!(names.len() > 40, "{names:?}");
    for name in names {
        assert!(
            sources.contains(&format!("fn {name}(")) || sources.contains(&format!("    {name},\n")),
            "docs/security.md names the test {name}, which is not there"
        );
    }
    for (file, is_there) in page
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| name.ends_with(".mjs"))
        .map(|name| (name, root().join(name).exists()))
    {
        assert!(is_there, "{file}");
    }
}

#[test]
fn the_project_stands_alone() {
    // Put together here, so that this file does not contain them itself.
    let foreign = [
        concat!("..", "/shared"),
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/opt/wh", "eels"),
    ];
    let textual = [
        "rs", "ts", "tsx", "mjs", "js", "json", "md", "toml", "py", "sh", "yaml", "yml", "html", "css",
        "sql", "lock",
    ];
    for path in files() {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        if !textual.contains(&extension) && !extension.is_empty() {
            continue;
        }
        let Ok(text) = fs::read_to_string(root().join(&path)) else {
            continue;
        };
        for place in foreign {
            assert!(!text.contains(place), "{} mentions {place}", path.display());
        }
    }
}

#[test]
fn lock_files_name_the_public_registries_only() {
    let cargo = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for line in cargo.lines().filter(|l| l.starts_with("source = ")) {
        assert_eq!(
            line,
            "source = \"registry+https://github.com/rust-lang/crates.io-index\""
        );
    }
    for (path, text) in below("", "json")
        .iter()
        .filter(|(p, _)| p.ends_with("package-lock.json"))
    {
        for line in text.lines().filter(|l| l.contains("\"resolved\"")) {
            assert!(
                line.contains("https://registry.npmjs.org/"),
                "{}: {line}",
                path.display()
            );
        }
    }
}

#[test]
fn every_target_of_the_makefile_is_one_line() {
    let text = fs::read_to_string(root().join("Makefile")).unwrap();
    let mut recipe = 0;
    for line in text.lines() {
        recipe = if line.starts_with('\t') { recipe + 1 } else { 0 };
        assert!(recipe <= 1, "{line}: the work belongs into scripts/");
    }
    for target in [
        "up",
        "test",
        "build",
        "models",
        "web",
        "lint",
        "test-rust",
        "test-web",
        "e2e",
        "bench-engine",
        "bench-tier",
        "bench-trust",
        "clean",
    ] {
        assert!(text.contains(&format!("\n{target}:")), "{target} is missing");
    }
}
