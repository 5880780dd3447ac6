//! `goblin deploy check`: the settings of three hosts against each other.

use std::path::Path;

use anyhow::Context;
use goblin_core::deploy::{self, Secret, Targets};
use serde_json::json;

use crate::cli::DeployCommand;
use crate::output::{Colour, Output};

/// Largest file of a secret, in bytes.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

/// Runs the command. `Ok(false)`: something does not agree.
///
/// # Errors
///
/// When the file, or one that it names, cannot be read or understood.
pub(crate) fn run(command: &DeployCommand, output: Output) -> anyhow::Result<bool> {
    let DeployCommand::Check { file, json } = command;
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let mut targets: Targets = toml::from_str(&text).map_err(|error| not_understood(file, &text, &error))?;
    let folder = file.parent().unwrap_or_else(|| Path::new("."));
    for (name, secret) in secrets(&mut targets) {
        resolve(name, secret, folder)?;
    }
    let found = deploy::check(&targets);
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

/// What is wrong with the file. Never the line itself, nor a value of it: either may be a secret.
fn not_understood(file: &Path, text: &str, error: &toml::de::Error) -> anyhow::Error {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.unwrap_or_default().matches('\n').count() + 1;
    let said = error.message();
    let shown = match said.starts_with("invalid type") || said.starts_with("invalid value") {
        true => "a value of another kind is expected here",
        false => said,
    };
    anyhow::anyhow!("{} cannot be understood: line {line}: {shown}", file.display())
}

/// Every secret of the file, by its key.
fn secrets(targets: &mut Targets) -> [(&'static str, &mut Secret); 9] {
    let Targets {
        page,
        backend,
        models,
    } = targets;
    [
        ("page.origin_secret", &mut page.origin_secret),
        ("backend.origin_secret", &mut backend.origin_secret),
        ("backend.database_url", &mut backend.database_url),
        ("backend.redis_url", &mut backend.redis_url),
        ("backend.jwt_secret_key", &mut backend.jwt_secret_key),
        (
            "backend.settings_encryption_key",
            &mut backend.settings_encryption_key,
        ),
        ("backend.local_llm_api_key", &mut backend.local_llm_api_key),
        ("backend.smtp_url", &mut backend.smtp_url),
        ("models.key", &mut models.key),
    ]
}

/// Reads the file a secret is in, beside the one that names it.
fn resolve(name: &str, secret: &mut Secret, folder: &Path) -> anyhow::Result<()> {
    if let Secret::File { file } = secret {
        let path = folder.join(&*file);
        let shown = path.display();
        let size = std::fs::metadata(&path).map(|found| found.len());
        let size = size.with_context(|| format!("{name}: {shown} cannot be read"))?;
        anyhow::ensure!(
            size <= MAX_SECRET_BYTES,
            "{name}: {shown} has {size} bytes, and a secret at most {MAX_SECRET_BYTES}"
        );
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("{name}: {shown} cannot be read"))?;
        *secret = Secret::Value(text);
    }
    Ok(())
}
