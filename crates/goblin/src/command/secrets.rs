//! `goblin signing-keys` and `goblin secrets`: for whoever may read the database, also while a goblin runs on it.

use std::path::Path;

use anyhow::{Context, bail};
use goblin_auth::access_token::{SigningKeys, key_id};
use goblin_auth::sealing::KeyRing;
use goblin_auth::{signing_keys, vault};
use goblin_core::clock::{Clock, Timestamp};
use goblin_store::data_dir::DataPaths;
use goblin_store::error::StoreError;
use goblin_store::private_file::write_private;
use goblin_store::signing_keys::SigningKeyRow;
use goblin_store::store::Store;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::accounts;
use crate::cli::{SecretsCommand, SigningKeysCommand};
use crate::command::users;
use crate::config::Config;
use crate::output::{Output, complain};

/// Most master keys a file keeps: backups made before the oldest of them cannot be opened any more.
const MAX_KEPT: usize = 8;

/// Runs `goblin signing-keys`.
///
/// # Errors
///
/// When there is no database or key, and sentences of the store.
pub(crate) async fn signing_keys(
    command: &SigningKeysCommand,
    config: &Config,
    output: Output,
) -> anyhow::Result<bool> {
    if !config.auth.given_keys.is_empty() {
        return given(command, &config.auth.given_keys, output).map(|()| true);
    }
    let store = users::open(config).await?;
    let outcome = match command {
        SigningKeysCommand::List { json } => list(&store, *json, output).await,
        SigningKeysCommand::Rotate => rotate(&store, config, output).await,
        SigningKeysCommand::Revoke { id } => revoke(&store, id, output).await,
    };
    store.close().await;
    outcome.map(|()| true)
}

/// The keys of the environment, which only whoever sets it can change.
fn given(command: &SigningKeysCommand, keys: &[SecretString], output: Output) -> anyhow::Result<()> {
    match command {
        SigningKeysCommand::List { json } => {
            let state = |at: usize| if at == 0 { "current" } else { "accepted" };
            let rows = keys.iter().enumerate().map(|(at, key)| (key_id(key), state(at)));
            if *json {
                let rows: Vec<Value> = rows
                    .map(|(id, state)| json!({"id": id, "state": state}))
                    .collect();
                output.json(&rows);
            } else {
                let rows = rows.map(|(id, state)| vec![id, state.to_owned(), "the environment".to_owned()]);
                output.table(&["ID", "STATE", "FROM"], rows.collect());
            }
            Ok(())
        }
        SigningKeysCommand::Rotate => {
            let made = SigningKeys::make().map_err(|error| anyhow::anyhow!("{}", error.message))?;
            complain(
                "The signing keys come from the environment, so nothing was changed. Set these on every copy, where the keys \
                 are set now, and restart one copy after the other:",
            );
            // The one that signed until now is accepted until its tokens have ended; the one that waited signs.
            let (current, waiting) = match keys {
                [current, .., standby] => (current, standby.clone()),
                [current] => (
                    current,
                    SigningKeys::make().map_err(|error| anyhow::anyhow!("{}", error.message))?,
                ),
                [] => bail!("There is no key."),
            };
            output.line(format_args!("JWT_CURRENT_KEY={}", waiting.expose_secret()));
            output.line(format_args!("JWT_STANDBY_KEY={}", made.expose_secret()));
            output.line(format_args!("JWT_SECRET_KEY={}", current.expose_secret()));
            if keys.len() == 1 {
                complain(
                    "There was no standby key: between the first restart and the last, copies refuse each other's tokens, \
                     and programs ask for another one.",
                );
            }
            Ok(())
        }
        SigningKeysCommand::Revoke { .. } => bail!(
            "The signing keys come from the environment: unset the one to be taken back where it is set, and restart."
        ),
    }
}

async fn list(store: &Store, as_json: bool, output: Output) -> anyhow::Result<()> {
    let rows = store.list_signing_keys().await?;
    if as_json {
        let rows: Vec<Value> = rows
            .iter()
            .map(|row| {
                json!({"id": row.id, "state": row.state.as_str(), "created_at": row.created_at, "since": row.changed_at})
            })
            .collect();
        output.json(&rows);
        return Ok(());
    }
    show(&rows, output);
    Ok(())
}

fn show(rows: &[SigningKeyRow], output: Output) {
    if rows.is_empty() {
        output.line("There is no signing key yet. The first start of goblin makes them.");
        return;
    }
    let rows = rows.iter().map(|row| {
        vec![
            row.id.clone(),
            row.state.as_str().to_owned(),
            until_minute(row.changed_at),
            until_minute(row.created_at),
        ]
    });
    output.table(&["ID", "STATE", "SINCE", "MADE"], rows.collect());
}

async fn rotate(store: &Store, config: &Config, output: Output) -> anyhow::Result<()> {
    let ring = ring(config).await?;
    let lifetime = config.auth.settings.token_lifetime;
    let rows = signing_keys::rotate(store, &ring, &Clock::System, lifetime).await?;
    show(&rows, output);
    Ok(())
}

async fn revoke(store: &Store, id: &str, output: Output) -> anyhow::Result<()> {
    match store.revoke_signing_key(id).await {
        Ok(()) => {}
        Err(StoreError::NotFound(_)) => bail!(
            "There is no previous signing key `{id}`. `goblin signing-keys list` shows all; the current one becomes previous \
             by `goblin signing-keys rotate`."
        ),
        Err(error) => return Err(error.into()),
    }
    output.line(format_args!("revoked {id}"));
    Ok(())
}

/// The master keys in force.
async fn ring(config: &Config) -> anyhow::Result<KeyRing> {
    if let Some(given) = &config.auth.ring {
        return Ok(given.clone());
    }
    if config.database.is_shared() {
        bail!("Set SETTINGS_ENCRYPTION_KEY to the master keys the copies of goblin have.");
    }
    accounts::kept_ring(&DataPaths::new(&config.data_dir).master_keys()).await
}

/// Runs `goblin secrets`.
///
/// # Errors
///
/// When there is no database, or a secret does not open.
pub(crate) async fn secrets(
    command: &SecretsCommand,
    config: &Config,
    output: Output,
) -> anyhow::Result<bool> {
    let SecretsCommand::Rotate = command;
    let store = users::open(config).await?;
    let outcome = rotate_secrets(&store, config, output).await;
    store.close().await;
    outcome.map(|()| true)
}

async fn rotate_secrets(store: &Store, config: &Config, output: Output) -> anyhow::Result<()> {
    let mut ring = ring(config).await?;
    let is_kept = config.auth.ring.is_none();
    if is_kept {
        let path = DataPaths::new(&config.data_dir).master_keys();
        ring = add_master_key(&path, &ring)?;
    }
    let changed = vault::rotate(store, &ring).await?;
    let ids = ring.ids();
    let (first, others) = ids.split_first().context("There is no master key.")?;
    output.line(format_args!(
        "{changed} secrets were put under the master key `{first}`"
    ));
    match (others, is_kept) {
        ([], _) => {}
        (others, true) => complain(format_args!(
            "Earlier keys ({}) stay in the file, for backups made before.",
            others.join(", ")
        )),
        (others, false) => complain(format_args!(
            "Nothing needs {} any more but backups made before: take it out of SETTINGS_ENCRYPTION_KEY when all copies have \
             the new list.",
            others.join(", ")
        )),
    }
    Ok(())
}

/// A new master key in front of those of the file.
fn add_master_key(path: &Path, ring: &KeyRing) -> anyhow::Result<KeyRing> {
    let shown = path.display();
    let known = ring.ids();
    let day: String = Clock::System.now().to_rfc3339().chars().take(10).collect();
    let id = (1..)
        .map(|n| if n == 1 { day.clone() } else { format!("{day}.{n}") })
        .find(|id| !known.contains(id))
        .context("no id is free")?;
    let made = KeyRing::make(&id).map_err(|error| anyhow::anyhow!("{}", error.message))?;
    let before = std::fs::read_to_string(path).with_context(|| format!("{shown} cannot be read"))?;
    let all: Vec<&str> = std::iter::once(made.expose_secret())
        .chain(before.trim().split(','))
        .take(MAX_KEPT)
        .collect();
    let text = SecretString::from(all.join(","));
    write_private(path, format!("{}\n", text.expose_secret()).as_bytes())
        .with_context(|| format!("{shown} cannot be written"))?;
    Ok(KeyRing::parse(&text)?)
}

/// `2027-01-31 12:00Z`.
fn until_minute(moment: Timestamp) -> String {
    let text: String = moment.to_rfc3339().chars().take(16).collect();
    format!("{}Z", text.replace('T', " "))
}
