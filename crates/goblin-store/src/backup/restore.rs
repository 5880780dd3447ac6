//! Putting a backup in place: everything or nothing.
//!
//! On PostgreSQL one transaction takes the old tables away and makes the new ones. For SQLite a new file is made beside
//! the old one and takes its name when it is whole; the old one is kept under another name.

use std::path::{Path, PathBuf};

use goblin_core::clock::Clock;
use goblin_core::id::Ids;

use super::aside::{self, Building};
use super::file::BackupFile;
use super::format::Encoder;
use super::take::{select, tables_of};
use super::{BackupError, Contents, Progress, load};
use crate::error::StoreError;
use crate::processes::SILENT_MS;
use crate::schema::NEWEST;
use crate::shape::{fresh, fresh_shape};
use crate::sql::{Link, Query, query};
use crate::store::{Database, Store, StoreOptions};

/// Where a backup goes.
#[derive(Clone, Debug)]
pub struct RestoreOptions {
    /// Which database; of either kind, whatever the backup was made of.
    pub database: Database,
    /// Where "now" comes from.
    pub clock: Clock,
    /// Where ids come from.
    pub ids: Ids,
    /// Put it in the place of what is there?
    pub replace: bool,
}

/// What was restored.
#[derive(Clone, Debug)]
pub struct Restored {
    /// What the backup held.
    pub contents: Contents,
    /// The newest migration now.
    pub schema: i64,
    /// Where the database is kept that was there before; only a file is kept.
    pub aside: Option<PathBuf>,
}

/// Makes a database hold what the backup holds, and brings its schema up to this release's. The caller holds the data
/// directory, so that no goblin starts meanwhile.
///
/// # Errors
/// [`BackupError::Newer`], [`BackupError::OtherTables`], [`BackupError::NotEmpty`], [`BackupError::InUse`],
/// [`BackupError::InMemory`], and what the database or the disk says. Whatever it is, the database is as it was.
pub async fn restore(
    backup: BackupFile,
    options: RestoreOptions,
    progress: Progress<'_>,
) -> Result<Restored, BackupError> {
    let contents = backup.contents().clone();
    check_tables(&backup).await?;
    let aside = match options.database.clone() {
        Database::Memory => return Err(BackupError::InMemory),
        Database::File(path) => restore_file(backup, &path, &options, progress).await?,
        Database::Postgres(_) => {
            restore_server(backup, &options, progress).await?;
            None
        }
    };
    Ok(Restored {
        contents,
        schema: NEWEST,
        aside,
    })
}

/// Does this release make the tables that are in the backup?
async fn check_tables(backup: &BackupFile) -> Result<(), BackupError> {
    let contents = backup.contents();
    if contents.schema > NEWEST {
        return Err(BackupError::Newer {
            file: backup.path().to_owned(),
            what: "its schema is at",
            found: contents.schema,
            known: NEWEST,
        });
    }
    let other = |reason: String| BackupError::OtherTables {
        file: backup.path().to_owned(),
        schema: contents.schema,
        reason,
    };
    let expected = tables_of(&fresh_shape(contents.schema).await?)?;
    for table in &expected {
        let name = &table.name;
        let found = contents.tables.iter().find(|t| t.name == *name);
        let found = found.ok_or_else(|| other(format!("table {name} is not in it")))?;
        for column in &table.columns {
            if !found.columns.contains(column) {
                return Err(other(format!("column {name}.{} is not in it", column.name)));
            }
        }
        if found.columns.len() != table.columns.len() {
            return Err(other(format!("table {name} has more columns")));
        }
    }
    match contents
        .tables
        .iter()
        .find(|t| !expected.iter().any(|e| e.name == t.name))
    {
        Some(table) => Err(other(format!("table {} is in it", table.name))),
        None if contents.tables.len() != expected.len() => Err(other("a table is in it twice".to_owned())),
        None => Ok(()),
    }
}

async fn restore_server(
    backup: BackupFile,
    options: &RestoreOptions,
    progress: Progress<'_>,
) -> Result<(), BackupError> {
    let store = open(options, options.database.clone()).await?;
    let outcome = replace_tables(&store, backup, options.replace, progress).await;
    store.close().await;
    outcome
}

async fn replace_tables(
    store: &Store,
    backup: BackupFile,
    replace: bool,
    progress: Progress<'_>,
) -> Result<(), BackupError> {
    let has_tables = store.newest_applied().await? > 0;
    let mut link = store.begin_migration().await?;
    if has_tables {
        refuse_others(store, &mut link).await?;
        if !replace {
            refuse_content(store, &mut link).await?;
        }
    }
    store.take_everything_back(&mut link).await?;
    load::fill(store, &mut link, backup, progress).await?;
    Ok(link.commit().await?)
}

/// The file that was there before, where it is kept.
async fn restore_file(
    backup: BackupFile,
    path: &Path,
    options: &RestoreOptions,
    progress: Progress<'_>,
) -> Result<Option<PathBuf>, BackupError> {
    let there = std::fs::metadata(path).is_ok_and(|m| m.len() > 0);
    if there {
        aside::settle(path).await?;
        if !options.replace {
            let old = open(options, options.database.clone()).await?;
            let empty = refuse_content_of(&old).await;
            old.close().await;
            empty?;
        }
    }
    let building = Building::begin(path)?;
    let new = open(options, Database::File(building.place().to_owned())).await?;
    let filled = async {
        let mut link = new.begin_migration().await?;
        load::fill(&new, &mut link, backup, progress).await?;
        Ok::<_, BackupError>(link.commit().await?)
    };
    let filled = filled.await;
    new.close().await;
    filled?;
    if there {
        aside::settle(path).await?;
    }
    let keep = (there && options.replace).then(|| options.clock.now());
    building.put_in_place(path, keep)
}

async fn open(options: &RestoreOptions, database: Database) -> Result<Store, StoreError> {
    Store::open_as_it_is(StoreOptions {
        database,
        clock: options.clock.clone(),
        ids: options.ids.clone(),
    })
    .await
}

async fn refuse_content_of(store: &Store) -> Result<(), BackupError> {
    if store.newest_applied().await? == 0 {
        return Ok(());
    }
    let mut link = store.begin_read().await?;
    let outcome = refuse_content(store, &mut link).await;
    link.rollback().await?;
    outcome
}

/// Refuses a database in which more is than the migrations put there.
async fn refuse_content(store: &Store, link: &mut Link) -> Result<(), BackupError> {
    let schema = store.newest_recorded(link).await?.min(NEWEST);
    let made = fresh(schema).await?;
    let mut of_made = made.begin_read().await?;
    let mut what = Vec::new();
    for table in tables_of(&fresh_shape(schema).await?)? {
        let count = || Query::made(format!("SELECT COUNT(*) AS found FROM \"{}\"", table.name));
        let found: i64 = count().fetch_one(link).await?.get("found")?;
        let expected: i64 = count().fetch_one(&mut of_made).await?.get("found")?;
        if found != expected {
            what.push(format!("{}: {found}", table.name));
            continue;
        }
        let mut lines = Vec::new();
        for rows in [
            select(&table).fetch_all(link).await?,
            select(&table).fetch_all(&mut of_made).await?,
        ] {
            let mut encoded = Vec::new();
            for row in &rows {
                let mut line = Encoder::default();
                line.row(&table, row)?;
                encoded.push(line.take());
            }
            encoded.sort();
            lines.push(encoded);
        }
        if lines[0] != lines[1] {
            what.push(format!("{}: {found}, changed", table.name));
        }
    }
    of_made.rollback().await?;
    made.close().await;
    if what.is_empty() {
        return Ok(());
    }
    Err(BackupError::NotEmpty {
        database: store.database().to_string(),
        what: format!("rows in {}", what.join(", ")),
    })
}

/// Refuses a server's database with which another goblin works. None can say until the transaction ends that it begins.
async fn refuse_others(store: &Store, link: &mut Link) -> Result<(), BackupError> {
    if !store.shape(link).await?.tables.contains_key("processes") {
        return Ok(());
    }
    link.run_script("LOCK TABLE processes IN ACCESS EXCLUSIVE MODE")
        .await?;
    let now = store.now();
    let rows = query("SELECT seen_at FROM processes WHERE seen_at >= $1 AND id <> $2 ORDER BY seen_at DESC")
        .bind(now.0.saturating_sub(SILENT_MS))
        .bind(store.process())
        .fetch_all(link)
        .await?;
    let Some(latest) = rows.first() else {
        return Ok(());
    };
    let seconds = now.0.saturating_sub(latest.get("seen_at")?) / 1000;
    Err(BackupError::InUse {
        database: store.database().to_string(),
        who: format!(
            "{} running goblin(s), last seen {} s ago; one that was killed counts for a minute",
            rows.len(),
            seconds.max(0)
        ),
    })
}
