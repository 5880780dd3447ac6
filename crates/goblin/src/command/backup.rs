//! `goblin backup` and `goblin restore`.

mod passphrase;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use goblin_core::clock::{Clock, Timestamp};
use goblin_core::id::Ids;
use goblin_store::backup::Contents;
use goblin_store::backup::file::BackupFile;
use goblin_store::backup::restore::{RestoreOptions, Restored, restore};
use goblin_store::backup::sealed::Seal;
use goblin_store::data_dir::DataDir;
use goblin_store::store::{Database, Store, StoreOptions};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::cli::{Backup, Restore};
use crate::command::Interrupted;
use crate::config::Config;
use crate::output::{Output, bytes};
use passphrase::passphrase;

/// Writes a backup.
///
/// # Errors
///
/// [`Interrupted`]; sentences of the store; that there is no passphrase, or a short one.
pub(crate) async fn take(asked: &Backup, config: &Config, output: Output) -> anyhow::Result<bool> {
    if let Database::File(path) = &config.database
        && !path.exists()
    {
        bail!(
            "There is no database at {} yet, so there is nothing to back up.",
            path.display()
        );
    }
    let file = named(asked.to.as_deref(), Clock::System.now());
    if file.exists() {
        bail!(
            "{} is there already and was not touched. Name another file.",
            file.display()
        );
    }
    let seal = Seal::new(passphrase(config, asked.passphrase_file.as_deref(), true)?);
    let store = Store::open_as_it_is(StoreOptions {
        database: config.database.clone(),
        clock: Clock::System,
        ids: Ids::Random,
    })
    .await?;
    let bar = bar("backing up");
    let shown = |done, all| show(&bar, done, all);
    let taken = tokio::select! {
        taken = store.write_backup(&file, &seal, &shown) => taken,
        _ = tokio::signal::ctrl_c() => {
            bar.finish_and_clear();
            // A statement that waits for a lock is not waited for.
            return Err(Interrupted("Stopped. There is no backup.").into());
        }
    };
    bar.finish_and_clear();
    store.close().await;
    let taken = taken?;
    if asked.json {
        let mut about = described(&taken.contents);
        about["file"] = json!(file);
        about["bytes"] = json!(taken.bytes);
        about["sha256"] = json!(taken.sha256);
        output.json(&about);
        return Ok(true);
    }
    output.line(format_args!(
        "{}: {} rows of {} tables of {}, as of {}; {}, sealed. Without the passphrase nobody can open it.",
        file.display(),
        taken.contents.rows(),
        taken.contents.tables.len(),
        config.database,
        taken.contents.made_at.to_rfc3339(),
        bytes(taken.bytes)
    ));
    Ok(true)
}

/// Restores a backup, or says what is in it.
///
/// # Errors
///
/// [`Interrupted`]; sentences of the store; that a running goblin uses the database, or that there is no passphrase.
pub(crate) async fn put_back(asked: &Restore, config: &Config, output: Output) -> anyhow::Result<bool> {
    // Before the passphrase is asked for: it would be asked for in vain.
    let _held = match &config.database {
        Database::File(_) | Database::Memory if !asked.dry_run => Some(DataDir::open(&config.data_dir)?),
        _ => None,
    };
    if !asked.file.is_file() {
        bail!("{} is no file.", asked.file.display());
    }
    let seal = Seal::new(passphrase(config, asked.passphrase_file.as_deref(), false)?);
    let backup = check(&asked.file, seal).await?;
    if asked.dry_run {
        print_contents(&backup, asked.json, output);
        return Ok(true);
    }
    let options = RestoreOptions {
        database: config.database.clone(),
        clock: Clock::System,
        ids: Ids::Random,
        replace: asked.replace,
    };
    let bar = bar("restoring");
    let shown = |done, all| show(&bar, done, all);
    let restored = tokio::select! {
        restored = restore(backup, options, &shown) => restored.map_err(anyhow::Error::from),
        _ = tokio::signal::ctrl_c() => Err(Interrupted("Stopped. Nothing was changed.").into()),
    };
    bar.finish_and_clear();
    print_restored(&restored?, config, asked.json, output);
    Ok(true)
}

/// Reads the whole file. Ctrl-C ends the program meanwhile: nothing has begun.
async fn check(file: &Path, seal: Seal) -> anyhow::Result<BackupFile> {
    let (file, bar) = (file.to_owned(), bar("checking"));
    let showing = bar.clone();
    let opening = tokio::task::spawn_blocking(move || {
        BackupFile::open(&file, &seal, &|done, all| show(&showing, done, all))
    });
    let opened = opening.await.context("reading the backup broke off");
    bar.finish_and_clear();
    Ok(opened??)
}

/// The file to be written: the one named, or one named by the time in the folder named.
fn named(to: Option<&Path>, now: Timestamp) -> PathBuf {
    let stamp: String = now.to_rfc3339().chars().take_while(|c| *c != '.').collect();
    let stamp = stamp.trim_end_matches('Z').replace(['-', ':'], "");
    let name = format!("goblin-backup-{stamp}Z.age");
    match to {
        None => PathBuf::from(name),
        Some(folder) if folder.is_dir() => folder.join(name),
        Some(file) => file.to_owned(),
    }
}

fn described(contents: &Contents) -> Value {
    let tables = contents
        .tables
        .iter()
        .map(|t| json!({"name": t.name, "rows": t.rows}));
    json!({
        "format": contents.format,
        "goblin": contents.goblin,
        "made_at": contents.made_at,
        "database": contents.database,
        "schema": contents.schema,
        "rows": contents.rows(),
        "tables": tables.collect::<Vec<_>>(),
    })
}

fn print_contents(backup: &BackupFile, as_json: bool, output: Output) {
    let contents = backup.contents();
    if as_json {
        let mut about = described(contents);
        about["file"] = json!(backup.path());
        about["bytes"] = json!(backup.bytes());
        about["sha256"] = json!(backup.sha256());
        output.json(&about);
        return;
    }
    let rows = contents
        .tables
        .iter()
        .map(|t| vec![t.name.clone(), t.rows.to_string()]);
    output.table(&["TABLE", "ROWS"], rows.collect());
    output.line(format_args!(
        "\n{} is whole: made of {} by goblin {} at {}, schema {}, {}. Nothing was changed.",
        backup.path().display(),
        kind(&contents.database),
        contents.goblin,
        contents.made_at.to_rfc3339(),
        contents.schema,
        bytes(backup.bytes())
    ));
}

fn print_restored(restored: &Restored, config: &Config, as_json: bool, output: Output) {
    let contents = &restored.contents;
    if as_json {
        let mut about = described(contents);
        about["restored_into"] = json!(config.database.to_string());
        about["restored_schema"] = json!(restored.schema);
        about["kept"] = json!(restored.aside);
        output.json(&about);
        return;
    }
    output.line(format_args!(
        "{}: {} rows of {} tables restored, as of {}.",
        config.database,
        contents.rows(),
        contents.tables.len(),
        contents.made_at.to_rfc3339()
    ));
    if contents.schema < restored.schema {
        output.line(format_args!(
            "The backup had schema {}; it was brought up to {}.",
            contents.schema, restored.schema
        ));
    }
    if let Some(aside) = &restored.aside {
        output.line(format_args!(
            "What was there before is kept as {}. Delete it when it is not needed any more.",
            aside.display()
        ));
    }
}

fn kind(database: &str) -> &str {
    match database {
        "sqlite" => "SQLite",
        "postgresql" => "PostgreSQL",
        other => other,
    }
}

/// A bar for eyes; logs and programs get the result alone.
fn bar(what: &'static str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0).with_message(what);
    if let Ok(style) = ProgressStyle::with_template("{msg} [{bar:30}] {pos}/{len} rows {elapsed} left {eta}")
    {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

fn show(bar: &ProgressBar, done: u64, all: u64) {
    bar.set_length(all);
    bar.set_position(done);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_is_named_by_its_time_unless_a_file_is_named() {
        let at = Timestamp(1_795_471_200_123);
        let own = named(None, at);
        let name = own.to_str().unwrap();
        assert!(
            name.starts_with("goblin-backup-2026") && name.ends_with("Z.age"),
            "{name}"
        );
        assert!(!name.contains(':'));
        assert_eq!(named(Some(Path::new("monday.age")), at), Path::new("monday.age"));
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(named(Some(folder.path()), at), folder.path().join(own));
    }
}
