//! Opening an SQLite file: made when absent, looked at before anything is written, one writer and several readers.

#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use crate::error::{SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_READONLY, StoreError, sqlite_code};

/// Where one waits for a lock or a free connection at most, before [`StoreError::Busy`].
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections that only read.
const READERS: u32 = 4;
/// Files up to this size are checked page by page when opened (64 MiB takes a fraction of a second).
const CHECK_BYTES: u64 = 64 * 1024 * 1024;

fn base_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .busy_timeout(PATIENCE)
        .disable_statement_logging()
}

/// The writer and the readers of a file.
pub(crate) async fn open_file(path: &Path) -> Result<(SqlitePool, SqlitePool), StoreError> {
    let made = create_if_absent(path).map_err(|e| cannot_open(path, e.to_string()))?;
    if !made {
        let connected = base_options(path).read_only(true).connect().await;
        let mut connection = connected.map_err(|e| refused(path, e))?;
        inspect(path, &mut connection).await?;
        connection.close().await.map_err(|e| refused(path, e))?;
    }
    let writing = base_options(path)
        .journal_mode(SqliteJournalMode::Wal)
        // With a write-ahead log a crash of the machine can lose the last commits, never the database.
        .synchronous(SqliteSynchronous::Normal);
    let writer = pool(1)
        .connect_with(writing.clone())
        .await
        .map_err(|e| refused(path, e))?;
    // SQLite opens a file it may not write without a word; ask for the write lock to find out now.
    let lock = writer
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(|e| refused(path, e))?;
    lock.rollback().await.map_err(|e| refused(path, e))?;
    let readers = pool(READERS)
        .connect_with(writing.pragma("query_only", "ON"))
        .await
        .map_err(|e| refused(path, e))?;
    Ok((writer, readers))
}

/// Looks at a file before anything is written to it.
async fn inspect(path: &Path, connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let tables: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'table'")
        .fetch_all(&mut *connection)
        .await
        .map_err(|e| refused(path, e))?;
    if !tables.is_empty() && !tables.iter().any(|t| t == "_sqlx_migrations") {
        return Err(StoreError::NotOurs {
            file: path.display().to_string(),
        });
    }
    let size = std::fs::metadata(path).map_or(0, |m| m.len());
    if size > CHECK_BYTES {
        return Ok(());
    }
    let verdict: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(connection)
        .await
        .map_err(|e| refused(path, e))?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(StoreError::Corrupt {
        file: path.display().to_string(),
        reason: verdict,
    })
}

/// Makes an empty file that only its owner can read; true when it was not there.
fn create_if_absent(path: &Path) -> std::io::Result<bool> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(e),
    }
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(PATIENCE)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

/// A database that is gone when it is closed.
pub(crate) async fn open_memory() -> Result<SqlitePool, StoreError> {
    // One connection is the whole database: another would see another one.
    let options = SqliteConnectOptions::new()
        .in_memory(true)
        .foreign_keys(true)
        .disable_statement_logging();
    Ok(pool(1).min_connections(1).connect_with(options).await?)
}

fn cannot_open(path: &Path, reason: String) -> StoreError {
    StoreError::CannotOpen {
        file: path.display().to_string(),
        reason,
        fix: "Check that its directory exists and that this user may write there, or name another with \
              DATABASE_URL or the data directory's setting."
            .to_owned(),
    }
}

fn refused(path: &Path, error: sqlx::Error) -> StoreError {
    match sqlite_code(&error) {
        Some(SQLITE_CORRUPT | SQLITE_NOTADB) => StoreError::Corrupt {
            file: path.display().to_string(),
            reason: plain_reason(&error),
        },
        Some(SQLITE_READONLY) => cannot_open(path, plain_reason(&error)),
        _ => match StoreError::from(error) {
            StoreError::Database(e) => cannot_open(path, plain_reason(&e)),
            other => other,
        },
    }
}

fn plain_reason(error: &sqlx::Error) -> String {
    error
        .as_database_error()
        .map_or_else(|| error.to_string(), |e| e.message().to_owned())
}
