//! `goblin migrate up | down | status`.

use anyhow::bail;
use goblin_core::clock::Clock;
use goblin_core::id::Ids;
use goblin_store::data_dir::DataDir;
use goblin_store::store::{Database, Store, StoreOptions};
use serde_json::json;

use crate::cli::Migrate;
use crate::config::Config;
use crate::output::Output;

/// Runs the command.
///
/// # Errors
///
/// Sentences of the store, or that a running goblin holds the data directory.
pub(crate) async fn run(command: &Migrate, config: &Config, output: Output) -> anyhow::Result<()> {
    // Changing the schema under a running goblin would pull its tables away; looking is free.
    let _held = match command {
        Migrate::Status { .. } => None,
        Migrate::Up | Migrate::Down { .. } => Some(DataDir::open(&config.data_dir)?),
    };
    if let (Migrate::Status { .. }, Database::File(path)) = (command, &config.database)
        && !path.exists()
    {
        bail!(
            "There is no database at {} yet. The first start, or `goblin migrate up`, makes it.",
            path.display()
        );
    }
    let options = StoreOptions {
        database: config.database.clone(),
        clock: Clock::System,
        ids: Ids::Random,
    };
    let store = Store::open_as_it_is(options).await?;
    let outcome = change(command, &store, output).await;
    store.close().await;
    outcome
}

async fn change(command: &Migrate, store: &Store, output: Output) -> anyhow::Result<()> {
    match command {
        Migrate::Up => store.migrate_up(None).await?,
        Migrate::Down { to, yes } => {
            if !yes {
                bail!(
                    "This drops every table made above migration {to}, with what is in it. Add --yes to do it."
                );
            }
            store.migrate_down(*to).await?;
        }
        Migrate::Status { .. } => {}
    }
    let all = store.migration_status().await?;
    if let Migrate::Status { json: true } = command {
        let rows: Vec<_> = all
            .iter()
            .map(|m| json!({"version": m.version, "name": m.name, "applied": m.applied, "known": m.known}))
            .collect();
        output.json(&rows);
        return Ok(());
    }
    let rows = all.into_iter().map(|m| {
        let state = match (m.applied, m.known) {
            (true, true) => "applied",
            (true, false) => "applied by a newer release",
            (false, _) => "missing",
        };
        vec![m.version.to_string(), m.name, state.to_owned()]
    });
    output.table(&["NUMBER", "NAME", "STATE"], rows.collect());
    Ok(())
}
