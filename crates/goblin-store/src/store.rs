//! The database: opening, closing, and the ways in (a transaction or a single statement, to read or to write).

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use goblin_core::clock::{Clock, Timestamp};
use goblin_core::id::Ids;
use goblin_core::owner::Owner;
use sqlx::PgPool;
use sqlx::sqlite::SqlitePool;

use crate::error::StoreError;
use crate::postgres::Postgres;
use crate::sql::{Link, query};
use crate::sqlite;

/// How long a server may take to show that it answers.
const PING: Duration = Duration::from_secs(3);

/// Which database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// An SQLite file, made when absent.
    File(PathBuf),
    /// SQLite in memory, gone when closed.
    Memory,
    /// A PostgreSQL server.
    Postgres(Box<Postgres>),
}

impl Database {
    /// Reads a `DATABASE_URL`: `sqlite:PATH`, `sqlite://PATH`, `sqlite::memory:`, `postgres://USER:PASSWORD@HOST/NAME`.
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
            return Ok(Self::Postgres(Box::new(Postgres::parse(url)?)));
        }
        Err(StoreError::Address(
            "it must begin with `sqlite:` or `postgres:`, for example `sqlite:/var/lib/goblin/goblin.db` or \
             `postgres://goblin:PASSWORD@db.example.org/goblin`."
                .to_owned(),
        ))
    }

    /// Can other processes work on it at the same time?
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Memory => f.write_str("in memory"),
            Self::Postgres(postgres) => write!(f, "PostgreSQL at {postgres}"),
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
    pools: Pools,
    clock: Clock,
    ids: Ids,
    process: String,
    /// Has this process said that it is alive?
    known: AtomicBool,
}

#[derive(Debug)]
enum Pools {
    /// SQLite allows one writer at a time.
    Sqlite { writer: SqlitePool, readers: SqlitePool },
    Postgres {
        pool: PgPool,
        /// For migrations: past a pooling proxy, where one is configured.
        direct: PgPool,
        /// Does a proxy change the server's connection between transactions?
        pooled: bool,
    },
}

impl Store {
    /// Opens the database, brings its schema up to date, and says there that this process is alive.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::NotOurs`], [`StoreError::CannotOpen`], [`StoreError::CannotConnect`],
    /// [`StoreError::NewerSchema`], [`StoreError::Migration`]: each a sentence that names the place and the fix.
    /// A file that is refused is not changed.
    pub async fn open(options: StoreOptions) -> Result<Self, StoreError> {
        let store = Self::open_as_it_is(options).await?;
        store.migrate_up(None).await?;
        store.say_alive().await?;
        Ok(store)
    }

    /// Opens the database and leaves its schema alone, for `goblin migrate`.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_as_it_is(options: StoreOptions) -> Result<Self, StoreError> {
        let StoreOptions { database, clock, ids } = options;
        let pools = match &database {
            Database::File(path) => {
                let (writer, readers) = sqlite::open_file(path).await?;
                Pools::Sqlite { writer, readers }
            }
            Database::Memory => {
                let one = sqlite::open_memory().await?;
                Pools::Sqlite {
                    writer: one.clone(),
                    readers: one,
                }
            }
            Database::Postgres(postgres) => Pools::Postgres {
                pool: postgres.connect().await?,
                direct: postgres.direct_pool()?,
                pooled: postgres.pooled,
            },
        };
        let process = ids.next_id();
        let store = Self(Arc::new(Inner {
            database,
            pools,
            clock,
            ids,
            process,
            known: AtomicBool::new(false),
        }));
        store.check_schema().await?;
        Ok(store)
    }

    /// Takes leave, waits for running statements and closes every connection; later calls fail.
    pub async fn close(&self) {
        self.say_goodbye().await;
        match &self.0.pools {
            Pools::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Pools::Postgres { pool, direct, .. } => {
                direct.close().await;
                pool.close().await;
            }
        }
    }

    /// Does the database answer? A server within a few seconds, however long others may wait for it.
    ///
    /// # Errors
    /// When it does not, and why.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let Database::Postgres(postgres) = &self.0.database else {
            return self.look_at_tenants().await;
        };
        match tokio::time::timeout(PING, self.look_at_tenants()).await {
            // Perhaps all connections are busy; a new one learns whether the server answers, and if not, why.
            Err(_) | Ok(Err(StoreError::Busy | StoreError::Away(_))) => postgres.reach(PING).await,
            Ok(answer) => answer,
        }
    }

    async fn look_at_tenants(&self) -> Result<(), StoreError> {
        let row = query("SELECT COUNT(*) AS found FROM tenants")
            .fetch_one(&mut self.read().await?)
            .await?;
        if row.get::<i64>("found")? == 0 {
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
        query("INSERT INTO tenants (id, name, created_at) VALUES ($1, $1, $2) ON CONFLICT (id) DO NOTHING")
            .bind(&owner.tenant)
            .bind(now.0)
            .execute(&mut tx)
            .await?;
        query(
            "INSERT INTO users (id, tenant_id, name, created_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (tenant_id, id) DO NOTHING",
        )
        .bind(&owner.user)
        .bind(&owner.tenant)
        .bind(name)
        .bind(now.0)
        .execute(&mut tx)
        .await?;
        tx.commit().await
    }

    /// Which database this is.
    pub fn database(&self) -> &Database {
        &self.0.database
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    pub(crate) fn next_id(&self) -> String {
        self.0.ids.next_id()
    }

    /// This process's name in the database.
    pub(crate) fn process(&self) -> &str {
        &self.0.process
    }

    /// Whether this process has said that it is alive; from now on it has, or has not.
    pub(crate) fn set_known(&self, known: bool) -> bool {
        self.0.known.swap(known, Ordering::Relaxed)
    }

    /// For one statement that reads.
    pub(crate) async fn read(&self) -> Result<Link, StoreError> {
        match &self.0.pools {
            Pools::Sqlite { readers, .. } => Ok(readers.acquire().await?.into()),
            Pools::Postgres { pool, pooled, .. } => single(pool, *pooled).await,
        }
    }

    /// For one statement that writes; to be committed.
    pub(crate) async fn write(&self) -> Result<Link, StoreError> {
        match &self.0.pools {
            Pools::Sqlite { writer, .. } => Ok(writer.acquire().await?.into()),
            Pools::Postgres { pool, pooled, .. } => single(pool, *pooled).await,
        }
    }

    /// A transaction that reads, and sees the database as it is at one moment.
    pub(crate) async fn begin_read(&self) -> Result<Link, StoreError> {
        match &self.0.pools {
            Pools::Sqlite { readers, .. } => Ok(readers.begin().await?.into()),
            Pools::Postgres { pool, pooled, .. } => {
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                Ok(named(pool.begin_with(begin).await?.into(), *pooled))
            }
        }
    }

    /// A transaction that writes. On SQLite it holds the write lock from its first moment: one that reads first and
    /// asks for the lock later can be refused at once, without waiting, when another process wrote in between. On
    /// PostgreSQL it must lock what it reads before it changes it ([`crate::sql::Query::locking`]).
    pub(crate) async fn begin_write(&self) -> Result<Link, StoreError> {
        match &self.0.pools {
            Pools::Sqlite { writer, .. } => {
                let begun = writer.begin_with("BEGIN IMMEDIATE").await;
                // When the disk is full SQLite itself takes a transaction back, and the driver goes on counting it: on
                // that connection none would begin any more.
                if let (Err(sqlx::Error::InvalidSavePointStatement), Database::File(_)) =
                    (&begun, &self.0.database)
                {
                    writer.acquire().await?.close().await?;
                    return Ok(writer.begin_with("BEGIN IMMEDIATE").await?.into());
                }
                Ok(begun?.into())
            }
            Pools::Postgres { pool, pooled, .. } => Ok(named(pool.begin().await?.into(), *pooled)),
        }
    }

    /// A transaction that changes the schema, and the only one: others wait for its end. The lock belongs to the
    /// transaction, so it goes with the process, and a pooling proxy does not matter to it.
    pub(crate) async fn begin_migration(&self) -> Result<Link, StoreError> {
        if !self.0.database.is_shared() {
            return self.begin_write().await;
        }
        let mut link = self.begin_direct("BEGIN").await?;
        link.run_script(
            "SET LOCAL lock_timeout = '5min'; SET LOCAL client_min_messages = warning; \
             SELECT pg_advisory_xact_lock(7452087310946713);",
        )
        .await?;
        Ok(link)
    }

    /// A transaction that reads the whole database as it is at one moment, however long that takes. The schema does not
    /// change meanwhile: on PostgreSQL a migration waits for its end.
    pub(crate) async fn begin_snapshot(&self) -> Result<Link, StoreError> {
        if !self.0.database.is_shared() {
            return self.begin_read().await;
        }
        loop {
            let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
            let mut link = self.begin_direct(begin).await?;
            let row = query("SELECT pg_try_advisory_xact_lock_shared(7452087310946713) AS free")
                .fetch_one(&mut link)
                .await?;
            if row.get("free")? {
                link.run_script("SET LOCAL lock_timeout = '5min'").await?;
                return Ok(link);
            }
            // What it sees is from before the migration that runs; it begins again after that one.
            link.rollback().await?;
            let mut waiting = self.begin_direct("BEGIN").await?;
            waiting
                .run_script(
                    "SET LOCAL lock_timeout = '5min'; SELECT pg_advisory_xact_lock_shared(7452087310946713);",
                )
                .await?;
            waiting.rollback().await?;
        }
    }

    /// A transaction on the way past a pooling proxy, without a limit on its time. PostgreSQL only.
    async fn begin_direct(&self, begin: &'static str) -> Result<Link, StoreError> {
        let (Pools::Postgres { direct, .. }, Database::Postgres(postgres)) =
            (&self.0.pools, &self.0.database)
        else {
            return self.begin_write().await;
        };
        let begun = direct.begin_with(begin).await.map_err(StoreError::from);
        if let Err(StoreError::Busy | StoreError::Away(_)) = &begun {
            // Why, as a connection of its own learns it.
            postgres.reach_direct(PING).await?;
        }
        let mut link = Link::from(begun?).without_names();
        link.run_script(
            "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0;",
        )
        .await?;
        Ok(link)
    }
}

/// A connection for one statement. Behind a pooling proxy even that takes two messages, which only a transaction
/// keeps on the same connection of the server.
async fn single(pool: &PgPool, pooled: bool) -> Result<Link, StoreError> {
    if pooled {
        Ok(named(pool.begin().await?.into(), true))
    } else {
        Ok(pool.acquire().await?.into())
    }
}

fn named(link: Link, pooled: bool) -> Link {
    if pooled { link.without_names() } else { link }
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
            "postgres://u:hunter2@h:seven/db",
            "postgres://u:hunter2@h/db?sslmode=hunter2",
            "postgres://u:hunter2@h/db?hunter2word=1",
            "postgres://h:5432",
            "mysql://u:hunter2@h/db",
            "sqlite:",
            "",
        ] {
            let sentence = Database::parse(bad).unwrap_err().to_string();
            assert!(
                sentence.len() > 40 && !sentence.contains("u:hunter2"),
                "{sentence}"
            );
        }
    }

    #[test]
    fn the_password_of_an_address_is_never_shown() {
        for url in [
            "postgres://u:hunter2@h:6000/db",
            "postgresql://u@h:6000/db?password=hunter2",
        ] {
            let database = Database::parse(url).unwrap();
            assert!(database.is_shared());
            assert_eq!(database.to_string(), "PostgreSQL at h:6000/db");
            assert!(!format!("{database:?}").contains("hunter2"));
        }
    }
}
