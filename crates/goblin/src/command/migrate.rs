//! `goblin migrate up | down | status | verify`.

use anyhow::bail;
use goblin_core::clock::Clock;
use goblin_core::id::Ids;
use goblin_store::data_dir::DataDir;
use goblin_store::schema::MigrationState;
use goblin_store::store::{Database, Store, StoreOptions};
use serde_json::{Value, json};

use crate::cli::Migrate;
use crate::config::Config;
use crate::output::Output;

/// Runs the command. `Ok(false)`: what was verified is not as it should be.
///
/// # Errors
///
/// Sentences of the store, or that a running goblin uses the database.
pub(crate) async fn run(command: &Migrate, config: &Config, output: Output) -> anyhow::Result<bool> {
    let changes = matches!(command, Migrate::Up { .. } | Migrate::Down { .. });
    // Changing the schema under a running goblin would pull its tables away; looking is free. A server's database is
    // no matter of this machine's data directory.
    let _held = match &config.database {
        Database::File(_) | Database::Memory if changes => Some(DataDir::open(&config.data_dir)?),
        _ => None,
    };
    if let Database::File(path) = &config.database
        && !changes
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

async fn change(command: &Migrate, store: &Store, output: Output) -> anyhow::Result<bool> {
    match command {
        Migrate::Up { to } => store.migrate_up(*to).await?,
        Migrate::Down { to, yes } => down(store, *to, *yes).await?,
        Migrate::Status { .. } => {}
        Migrate::Verify { json } => return verify(store, *json, output).await,
    }
    let all = store.migration_status().await?;
    if let Migrate::Status { json: true } = command {
        output.json(&described(&all));
    } else {
        print(all, output);
    }
    Ok(true)
}

fn described(all: &[MigrationState]) -> Value {
    let each = all.iter().map(|m| {
        json!({"version": m.version, "name": m.name, "applied": m.applied, "known": m.known, "changed": m.changed})
    });
    each.collect()
}

fn print(all: Vec<MigrationState>, output: Output) {
    let rows = all.into_iter().map(|m| {
        let state = state(&m).to_owned();
        vec![m.version.to_string(), m.name, state]
    });
    output.table(&["NUMBER", "NAME", "STATE"], rows.collect());
}

async fn verify(store: &Store, as_json: bool, output: Output) -> anyhow::Result<bool> {
    let found = store.verify().await?;
    let sound = found.differences.is_empty();
    if as_json {
        let differences = found.differences.iter().map(|d| {
            let table = Some(&d.table).filter(|t| !t.is_empty());
            json!({"table": table, "sentence": d.sentence})
        });
        output.json(&json!({
            "sound": sound,
            "migrations": described(&found.migrations),
            "differences": differences.collect::<Vec<_>>(),
        }));
        return Ok(sound);
    }
    print(found.migrations, output);
    output.line("");
    for difference in &found.differences {
        output.line(format_args!("- {}", difference.sentence));
    }
    if sound {
        output.line("Tables, columns, indexes and keys are as the migrations make them.");
    } else {
        output.line(format_args!(
            "\n{} difference(s). `goblin migrate up` applies what is missing; a backup restored into an empty database has \
             the schema of the migrations again.",
            found.differences.len()
        ));
    }
    Ok(sound)
}

fn state(migration: &MigrationState) -> &'static str {
    match (migration.applied, migration.known, migration.changed) {
        (true, true, true) => "applied with another text than this release has",
        (true, true, false) => "applied",
        (true, false, _) => "applied by a newer release",
        (false, ..) => "missing",
    }
}

async fn down(store: &Store, to: Option<i64>, yes: bool) -> anyhow::Result<()> {
    let newest = || async {
        let all = store.migration_status().await?;
        let newest = all.iter().filter(|m| m.applied).map(|m| m.version).max();
        anyhow::Ok(newest.unwrap_or(0))
    };
    let to = match to {
        Some(to) => to,
        None => (newest().await? - 1).max(0),
    };
    if !yes {
        bail!("This drops every table made above migration {to}, with what is in it. Add --yes to do it.");
    }
    // On a schema that old, nobody could say so.
    let others = store.count_others().await.unwrap_or(0);
    if store.database().is_shared() && others > 0 {
        bail!(
            "{others} running goblin(s) use {} now, and would lose their tables. Stop them first; one that was killed \
             counts for a minute.",
            store.database()
        );
    }
    store.migrate_down(to).await?;
    Ok(())
}
