//! Filling a database that has no tables yet, within one transaction: the schema of the backup, its rows, and then the
//! migrations that have come since.
//!
//! Rows come in any order, so foreign keys are looked at when all are there. SQLite can put that off by itself;
//! PostgreSQL is told so for each key, and told the opposite afterwards.

use std::fmt::Write;

use tokio::sync::mpsc;

use super::file::{BackupFile, Batch};
use super::{BackupError, Contents, Progress, TableContents, broken};
use crate::error::StoreError;
use crate::schema::NEWEST;
use crate::sql::{Link, Query, query};
use crate::store::Store;

/// Batches that may wait for the database.
const BATCHES: usize = 4;

/// Keys of our tables that are checked with each statement.
const PROMPT_KEYS: &str = "
    SELECT t.relname::TEXT AS table_name, f.conname::TEXT AS name
    FROM pg_catalog.pg_constraint f JOIN pg_catalog.pg_class t ON t.oid = f.conrelid
    WHERE f.contype = 'f' AND NOT f.condeferrable
      AND t.relnamespace = (SELECT relnamespace FROM pg_catalog.pg_class
                            WHERE oid = to_regclass('_sqlx_migrations'))
    ORDER BY t.relname, f.conname";

/// Makes the tables and puts everything into them.
pub(super) async fn fill(
    store: &Store,
    link: &mut Link,
    backup: BackupFile,
    progress: Progress<'_>,
) -> Result<(), BackupError> {
    let contents = backup.contents().clone();
    store.make_record(link).await?;
    store.apply_between(link, 0, contents.schema).await?;
    let keys = put_keys_off(store, link).await?;
    for table in &contents.tables {
        // What a migration put there is in the backup as well.
        Query::made(format!("DELETE FROM \"{}\"", table.name))
            .execute(link)
            .await?;
    }
    let (batches, mut waiting) = mpsc::channel(BATCHES);
    let reading = tokio::task::spawn_blocking(move || backup.send_rows(&batches));
    let inserted = insert(link, &contents, &mut waiting, progress).await;
    drop(waiting);
    let read = reading.await.map_err(broken)?;
    let inserted = inserted?;
    read?;
    if inserted != contents.rows() {
        let message = format!("{inserted} of {} rows were restored", contents.rows());
        return Err(StoreError::Unreadable(message).into());
    }
    check_keys(store, link, &keys).await?;
    store.apply_between(link, contents.schema, NEWEST).await?;
    Ok(())
}

async fn insert(
    link: &mut Link,
    contents: &Contents,
    batches: &mut mpsc::Receiver<Batch>,
    progress: Progress<'_>,
) -> Result<u64, BackupError> {
    let mut done = 0;
    while let Some(batch) = batches.recv().await {
        let Some(table) = contents.tables.get(batch.table) else {
            continue;
        };
        let mut statement = Query::made(insert_statement(table, batch.rows));
        for value in batch.values {
            statement = statement.bind(value);
        }
        done += statement.execute(link).await?;
        progress(done, contents.rows());
    }
    Ok(done)
}

/// `INSERT INTO "t" ("a", "b") VALUES ($1, $2), ($3, $4)`. Names come from a schema, never from a caller.
fn insert_statement(table: &TableContents, rows: usize) -> String {
    let columns: Vec<String> = table.columns.iter().map(|c| format!("\"{}\"", c.name)).collect();
    let mut sql = format!("INSERT INTO \"{}\" ({}) VALUES ", table.name, columns.join(", "));
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..columns.len() {
            let comma = if column == 0 { "" } else { ", " };
            let _ = write!(sql, "{comma}${}", row * columns.len() + column + 1);
        }
        sql.push(')');
    }
    sql
}

/// A foreign key of PostgreSQL: its table and its name.
type KeyName = (String, String);

async fn put_keys_off(store: &Store, link: &mut Link) -> Result<Vec<KeyName>, StoreError> {
    if !store.database().is_shared() {
        link.run_script("PRAGMA defer_foreign_keys = ON").await?;
        return Ok(Vec::new());
    }
    let rows = query(PROMPT_KEYS).fetch_all(link).await?;
    let keys = rows
        .iter()
        .map(|row| Ok((row.get("table_name")?, row.get("name")?)));
    let keys: Vec<KeyName> = keys.collect::<Result<_, StoreError>>()?;
    for key in &keys {
        alter(link, key, "DEFERRABLE INITIALLY DEFERRED").await?;
    }
    Ok(keys)
}

/// Every row that points at another one points at one that is there.
async fn check_keys(store: &Store, link: &mut Link, keys: &[KeyName]) -> Result<(), StoreError> {
    if !store.database().is_shared() {
        let broken = query("SELECT \"table\" AS broken FROM pragma_foreign_key_check LIMIT 1")
            .fetch_optional(link)
            .await?;
        return match broken {
            None => Ok(()),
            Some(row) => Err(StoreError::Unreadable(format!(
                "a row of table {} points at one that is not there",
                row.get::<String>("broken")?
            ))),
        };
    }
    link.run_script("SET CONSTRAINTS ALL IMMEDIATE").await?;
    for key in keys {
        alter(link, key, "NOT DEFERRABLE").await?;
    }
    Ok(())
}

async fn alter(link: &mut Link, (table, key): &KeyName, how: &str) -> Result<(), StoreError> {
    Query::made(format!(
        "ALTER TABLE \"{table}\" ALTER CONSTRAINT \"{key}\" {how}"
    ))
    .execute(link)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{ColumnContents, Kind};
    use super::*;

    #[test]
    fn rows_of_one_statement_are_numbered_through() {
        let column = |name: &str| ColumnContents {
            name: name.to_owned(),
            kind: Kind::Text,
        };
        let table = TableContents {
            name: "t".to_owned(),
            columns: vec![column("a"), column("b")],
            rows: 3,
        };
        assert_eq!(
            insert_statement(&table, 3),
            "INSERT INTO \"t\" (\"a\", \"b\") VALUES ($1, $2), ($3, $4), ($5, $6)"
        );
    }
}
