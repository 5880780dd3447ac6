//! `goblin deploy check`: the settings of three hosts against each other, and those of the backend as it reads them itself.

use std::path::Path;

use anyhow::Context;
use goblin_core::deploy::{self, Backend, Mismatch, Secret, Targets};
use serde_json::{Map, Value, json};

use crate::cli::DeployCommand;
use crate::config::{self, Environment, Request, Written};
use crate::output::{Colour, Output};

/// Largest file that another one names, in bytes.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// Runs the command. `Ok(false)`: something does not agree.
///
/// # Errors
///
/// When the file cannot be read, or is no TOML.
pub(crate) fn run(command: &DeployCommand, output: Output) -> anyhow::Result<bool> {
    let DeployCommand::Check { file, json } = command;
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let folder = file.parent().unwrap_or_else(|| Path::new("."));
    let settings = toml::from_str(&text).map_err(|error| not_understood(file, &text, &error))?;
    let found = check(&settings, folder);
    if *json {
        output.json(&json!({"agree": found.is_empty(), "mismatches": found}));
    } else if found.is_empty() {
        output.line(output.coloured("Page, backend and models agree.", Colour::Green));
    } else {
        for one in &found {
            output.line(format_args!(
                "{}: {}.",
                output.coloured(&one.key, Colour::Bold),
                one.problem
            ));
            output.line(format_args!("  {}", one.fix));
        }
        output.line(format_args!("\n{} of the settings do not agree.", found.len()));
    }
    Ok(found.is_empty())
}

/// Everything that does not agree, each setting once, whoever found it. Files are looked for in `folder`.
fn check(settings: &Map<String, Value>, folder: &Path) -> Vec<Mismatch> {
    let (mut targets, mut found) = Targets::read(settings);
    for (name, secret) in secrets(&mut targets) {
        if let Secret::File { file } = secret {
            *secret = match read(&folder.join(&*file)) {
                Ok(text) => Secret::Value(text),
                Err(problem) => {
                    found.push(unreadable(name, problem));
                    Secret::None
                }
            };
        }
    }
    let routes = match targets.page.vercel_json.as_str() {
        "" => None,
        path => read(&folder.join(path))
            .map_err(|problem| found.push(unreadable("page.vercel_json", problem)))
            .ok(),
    };
    // What was reported first stands: a setting that could not be taken is not missing as well.
    for more in [
        deploy::check(&targets, routes.as_deref()),
        refused(&targets.backend),
    ] {
        let known: Vec<String> = found.iter().map(|one| one.key.clone()).collect();
        found.extend(more.into_iter().filter(|one| !known.contains(&one.key)));
    }
    found
}

/// What the backend would refuse to start with, given these variables and no others.
fn refused(backend: &Backend) -> Vec<Mismatch> {
    let variables = backend.variables();
    let mut all: Vec<(&str, &str)> = variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    // Nothing is kept there; without one, and without a home, it would be missing.
    all.push(("GOBLIN_DATA__DIR", "/"));
    let environment = Environment::of(&all);
    let request = Request {
        serve: true,
        ..Request::default()
    };
    let mut written = Written::read(&environment, &request);
    let problems = config::check(&mut written, &environment)
        .err()
        .unwrap_or_default();
    problems
        .iter()
        .map(|problem| {
            let variable = config::variable_of(&problem.key).unwrap_or(&problem.key);
            let given = variables.iter().find(|(name, _)| *name == variable);
            let mut message = problem.message.clone();
            // An address may carry a password.
            for item in given.iter().flat_map(|(_, value)| value.split(',')) {
                message = message.replace(&format!("`{}`", item.trim()), "what is given");
            }
            let (problem, fix) = message
                .split_once(". ")
                .unwrap_or((message.trim_end_matches('.'), ""));
            Mismatch {
                key: format!("backend.{}", variable.to_lowercase()),
                problem: problem.to_owned(),
                fix: match fix {
                    "" => format!("goblin.default.toml says what {variable} may be."),
                    fix => fix.to_owned(),
                },
            }
        })
        .collect()
}

/// What is wrong with the file. Never the line itself, nor a value of it: either may be a secret.
fn not_understood(file: &Path, text: &str, error: &toml::de::Error) -> anyhow::Error {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.unwrap_or_default().matches('\n').count() + 1;
    let said = error.message();
    anyhow::anyhow!("{} cannot be understood: line {line}: {said}", file.display())
}

/// Every secret of the file, by its key.
fn secrets(targets: &mut Targets) -> [(&'static str, &mut Secret); 14] {
    let Targets {
        page,
        backend,
        models,
    } = targets;
    [
        ("page.origin_secret", &mut page.origin_secret),
        ("backend.origin_secret", &mut backend.origin_secret),
        ("backend.database_url", &mut backend.database_url),
        ("backend.database_direct_url", &mut backend.database_direct_url),
        ("backend.redis_url", &mut backend.redis_url),
        ("backend.jwt_secret_key", &mut backend.jwt_secret_key),
        ("backend.jwt_current_key", &mut backend.jwt_current_key),
        ("backend.jwt_standby_key", &mut backend.jwt_standby_key),
        (
            "backend.settings_encryption_key",
            &mut backend.settings_encryption_key,
        ),
        ("backend.local_llm_api_key", &mut backend.local_llm_api_key),
        ("backend.google_client_secret", &mut backend.google_client_secret),
        ("backend.oidc_client_secret", &mut backend.oidc_client_secret),
        ("backend.smtp_url", &mut backend.smtp_url),
        ("models.key", &mut models.key),
    ]
}

/// Reads a small file, or says what is wrong with it in a clause.
fn read(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let size = std::fs::metadata(path).map(|found| found.len());
    let size = size.map_err(|error| format!("{shown} cannot be read: {error}"))?;
    if size > MAX_FILE_BYTES {
        return Err(format!(
            "{shown} has {size} bytes, and {MAX_FILE_BYTES} are the most"
        ));
    }
    std::fs::read_to_string(path).map_err(|error| format!("{shown} cannot be read: {error}"))
}

fn unreadable(key: &str, problem: String) -> Mismatch {
    Mismatch {
        key: key.to_owned(),
        problem,
        fix: "Correct the path, which begins where this file is, or its rights.".to_owned(),
    }
}

#[cfg(test)]
mod tests;
