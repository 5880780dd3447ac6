//! The database: opening, closing, and the two ways in (one writer, several readers).

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use goblin_core::clock::{Clock, Timestamp};
use goblin_core::id::Ids;
use goblin_core::owner::Owner;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use crate::error::{SQLITE_CORRUPT, SQLITE_NOTADB, StoreError, sqlite_code};

/// Where one waits for a lock or a free connection at most, before [`StoreError::Busy`].
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections that only read.
const READERS: u32 = 4;
/// Files up to this size are checked page by page when opened (64 MiB takes a fraction of a second).
const CHECK_BYTES: u64 = 64 * 1024 * 1024;

/// A transaction that may write.
pub(crate) type WriteTransaction = sqlx::Transaction<'static, sqlx::Sqlite>;

/// Which database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// An SQLite file, made when absent.
    File(PathBuf),
    /// In memory, gone when closed.
    Memory,
}

impl Database {
    /// Reads a `DATABASE_URL`: `sqlite:PATH`, `sqlite://PATH`, `sqlite::memory:`.
    ///
    /// # Errors
    /// [`StoreError::Address`] for anything else, without repeating the address, which may hold a password.
    pub fn parse(url: &str) -> Result<Self, StoreError> {
        if url == "sqlite::memory:" || url == "sqlite://:memory:" {
            return Ok(Self::Memory);
        }
        if let Some(rest) = url.strip_prefix("sqlite:") {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            let path = path.split_once('?').map_or(path, |(path, _)| path);
            if path.is_empty() {
                return Err(StoreError::Address(
                    "`sqlite:` must be followed by the path of a file.".to_owned(),
                ));
            }
            return Ok(Self::File(PathBuf::from(path)));
        }
        if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            return Err(StoreError::Address(
                "this release works with SQLite only; PostgreSQL is not built in yet. Leave DATABASE_URL unset \
                 to use a file in the data directory."
                    .to_owned(),
            ));
        }
        Err(StoreError::Address(
            "it must begin with `sqlite:`, for example `sqlite:/var/lib/goblin/goblin.db`.".to_owned(),
        ))
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Memory => f.write_str("in memory"),
        }
    }
}

/// What a store needs from outside.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Which database.
    pub database: Database,
    /// Where "now" comes from.
    pub clock: Clock,
    /// Where ids come from.
    pub ids: Ids,
}

/// The database. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    database: Database,
    writer: SqlitePool,
    readers: SqlitePool,
    clock: Clock,
    ids: Ids,
}

impl Store {
    /// Opens the database and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::NotOurs`], [`StoreError::CannotOpen`],
    /// [`StoreError::NewerSchema`], [`StoreError::Migration`]: each a sentence that names the file and the fix.
    /// A file that is refused is not changed.
    pub async fn open(options: StoreOptions) -> Result<Self, StoreError> {
        let store = Self::open_as_it_is(options).await?;
        store.migrate_up(None).await?;
        Ok(store)
    }

    /// Opens the database and leaves its schema alone, for `goblin migrate`.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_as_it_is(options: StoreOptions) -> Result<Self, StoreError> {
        let StoreOptions { database, clock, ids } = options;
        let (writer, readers) = match &database {
            Database::File(path) => open_file(path).await?,
            Database::Memory => {
                let one = memory_pool().await?;
                (one.clone(), one)
            }
        };
        let store = Self(Arc::new(Inner {
            database,
            writer,
            readers,
            clock,
            ids,
        }));
        store.check_schema().await?;
        Ok(store)
    }

    /// Waits for running statements and closes every connection; later calls fail.
    pub async fn close(&self) {
        self.0.readers.close().await;
        self.0.writer.close().await;
    }

    /// Does the database answer?
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let one: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM tenants")
            .fetch_one(self.readers())
            .await?;
        if one == 0 {
            return Err(StoreError::Unreadable("tenants is empty".to_owned()));
        }
        Ok(())
    }

    /// Makes a tenant and a user of it, unless they are there. The local owner is there from the beginning.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn insert_owner(&self, owner: &Owner, name: Option<&str>) -> Result<(), StoreError> {
        let now = self.now();
        let mut tx = self.begin_write().await?;
        sqlx::query(
            "INSERT INTO tenants (id, name, created_at) VALUES ($1, $1, $2) ON CONFLICT (id) DO NOTHING",
        )
        .bind(&owner.tenant)
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "INSERT INTO users (id, tenant_id, name, created_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (tenant_id, id) DO NOTHING",
        )
        .bind(&owner.user)
        .bind(&owner.tenant)
        .bind(name)
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Which database this is.
    pub fn database(&self) -> &Database {
        &self.0.database
    }

    pub(crate) fn writer(&self) -> &SqlitePool {
        &self.0.writer
    }

    pub(crate) fn readers(&self) -> &SqlitePool {
        &self.0.readers
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    pub(crate) fn next_id(&self) -> String {
        self.0.ids.next_id()
    }

    /// A transaction that holds the write lock from its first moment: one that reads first and asks for the
    /// lock later can be refused at once, without waiting, when another process wrote in between.
    pub(crate) async fn begin_write(&self) -> Result<WriteTransaction, StoreError> {
        Ok(self.0.writer.begin_with("BEGIN IMMEDIATE").await?)
    }
}

fn base_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .busy_timeout(PATIENCE)
        .disable_statement_logging()
}

async fn open_file(path: &Path) -> Result<(SqlitePool, SqlitePool), StoreError> {
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

async fn memory_pool() -> Result<SqlitePool, StoreError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn database_addresses_are_read_and_bad_ones_answered_without_repeating_them() {
        assert_eq!(Database::parse("sqlite::memory:").unwrap(), Database::Memory);
        for url in [
            "sqlite:/a b/g.db",
            "sqlite:///a b/g.db",
            "sqlite:///a b/g.db?mode=rwc",
        ] {
            assert_eq!(
                Database::parse(url).unwrap(),
                Database::File("/a b/g.db".into()),
                "{url}"
            );
        }
        for bad in [
            "postgres://u:hunter2@h/db",
            "mysql://u:hunter2@h/db",
            "sqlite:",
            "",
        ] {
            let sentence = Database::parse(bad).unwrap_err().to_string();
            assert!(sentence.len() > 40 && !sentence.contains("hunter2"), "{sentence}");
        }
    }
}
