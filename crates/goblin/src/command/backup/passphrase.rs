//! The passphrase of a backup: from a file, from the configuration, or asked for.

use std::io::{IsTerminal, Read};
use std::path::Path;

use anyhow::{Context, bail};
use secrecy::{ExposeSecret, SecretString};

use crate::config::Config;

/// Shortest passphrase of a new backup, in characters. Whoever has the file may try as many as they like.
const SHORTEST: usize = 12;
/// Largest file of a passphrase, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// The passphrase. `new`: for a backup that is made now, so it is asked for twice and must not be short.
///
/// # Errors
///
/// When there is none, or it is empty, too short or mistyped.
pub(super) fn passphrase(config: &Config, file: Option<&Path>, new: bool) -> anyhow::Result<SecretString> {
    let passphrase = match (file, &config.backup_passphrase) {
        (Some(file), _) => read(file)?,
        (None, Some(configured)) => configured.clone(),
        (None, None) => ask(new)?,
    };
    let length = passphrase.expose_secret().chars().count();
    if new && length < SHORTEST {
        bail!(
            "The passphrase has {length} characters, and {SHORTEST} are the least: whoever has the file can try as many \
             as they like. Several words that do not belong together are good ones."
        );
    }
    if length == 0 {
        bail!("The passphrase is empty.");
    }
    Ok(passphrase)
}

/// What is in a file, without the end of its line.
fn read(file: &Path) -> anyhow::Result<SecretString> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().take(MAX_BYTES).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text))
    };
    read.with_context(|| format!("The passphrase cannot be read from {}", file.display()))?;
    Ok(SecretString::from(text.trim_end_matches(['\r', '\n'])))
}

/// Asks without showing what is typed.
fn ask(new: bool) -> anyhow::Result<SecretString> {
    let terminal = console::Term::stderr();
    if !terminal.is_term() || !std::io::stdin().is_terminal() {
        bail!(
            "There is no passphrase, and nobody to ask for it. Give it with --passphrase-file, \
             GOBLIN_BACKUP_PASSPHRASE_FILE or GOBLIN_BACKUP_PASSPHRASE."
        );
    }
    let prompt = |text: &str| -> anyhow::Result<SecretString> {
        terminal.write_str(text)?;
        Ok(SecretString::from(terminal.read_secure_line()?))
    };
    let first = prompt("Passphrase of the backup: ")?;
    if new && prompt("Once more: ")?.expose_secret() != first.expose_secret() {
        bail!("The two were not the same. There is no backup.");
    }
    Ok(first)
}
