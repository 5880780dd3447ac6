//! The schema and its migrations: numbered, reversible, embedded; the same numbers and names on both databases.
//!
//! A release rolled back must run on the schema of the release after it, so a migration adds first and takes
//! away a release later. `schema_floor` says the oldest release (by its newest migration) that still fits.
//!
//! Each step is one transaction that begins with a lock, looks what is there, and changes schema and record together:
//! of several processes one does it and the others find it done, and a process that is killed in the middle leaves
//! nothing behind. The record is sqlx's table, `_sqlx_migrations`, with the SHA-384 of each migration.

use sha2::{Digest, Sha384};

use crate::error::StoreError;
use crate::sql::{Link, query};
use crate::store::{Database, Store};

/// A migration of one database.
pub(crate) struct Migration {
    version: i64,
    name: &'static str,
    /// The statements that make it.
    pub(crate) up: &'static str,
    down: &'static str,
}

macro_rules! migrations {
    ($folder:literal: $($version:literal $name:literal $file:literal,)*) => {
        &[$(Migration {
            version: $version,
            name: $name,
            up: include_str!(concat!("../migrations/", $folder, "/", $file, ".up.sql")),
            down: include_str!(concat!("../migrations/", $folder, "/", $file, ".down.sql")),
        },)*]
    };
}

/// The same list for each database.
macro_rules! all_migrations {
    ($folder:literal) => {
        migrations!($folder:
            1 "owners" "0001_owners",
            2 "chats" "0002_chats",
            3 "usage" "0003_usage",
            4 "processes" "0004_processes",
            5 "traces" "0005_traces",
            6 "identity" "0006_identity",
            7 "identities" "0007_identities",
            8 "keys" "0008_keys",
            9 "passkeys" "0009_passkeys",
            10 "people" "0010_people",
            11 "leaving" "0011_leaving",
            12 "provider_settings" "0012_provider_settings",
            13 "money" "0013_money",
            14 "attachments" "0014_attachments",
            15 "responses" "0015_responses",
            16 "by_time" "0016_by_time",
        )
    };
}

const SQLITE: &[Migration] = all_migrations!("sqlite");
const POSTGRES: &[Migration] = all_migrations!("postgres");

/// The newest migration this release knows.
pub const NEWEST: i64 = SQLITE[SQLITE.len() - 1].version;

const SQLITE_RECORD: &str = "CREATE TABLE IF NOT EXISTS _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
)";

const POSTGRES_RECORD: &str = "CREATE TABLE IF NOT EXISTS _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMPTZ NOT NULL DEFAULT now(),
    success BOOLEAN NOT NULL,
    checksum BYTEA NOT NULL,
    execution_time BIGINT NOT NULL
)";

/// One migration and whether the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationState {
    /// Its number, from 1.
    pub version: i64,
    /// Its name; `unknown` for one of a newer release.
    pub name: String,
    /// Has it been applied?
    pub applied: bool,
    /// Does this release know it?
    pub known: bool,
    /// Was it applied with another text than the one this release has?
    pub changed: bool,
}

/// A migration as the database remembers it.
struct Applied {
    version: i64,
    checksum: Vec<u8>,
}

impl Migration {
    fn checksum(&self) -> Vec<u8> {
        Sha384::digest(self.up.as_bytes()).to_vec()
    }

    /// Runs it and records that.
    async fn apply(&self, link: &mut Link) -> Result<(), StoreError> {
        link.run_script(self.up).await.map_err(|e| failed(self, e))?;
        query(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES ($1, $2, TRUE, $3, 0)",
        )
        .bind(self.version)
        .bind(self.name)
        .bind(self.checksum())
        .execute(link)
        .await?;
        Ok(())
    }

    /// Takes it back, and its record.
    async fn take_back(&self, link: &mut Link) -> Result<(), StoreError> {
        link.run_script(self.down).await.map_err(|e| failed(self, e))?;
        query("DELETE FROM _sqlx_migrations WHERE version = $1")
            .bind(self.version)
            .execute(link)
            .await?;
        Ok(())
    }
}

impl Store {
    fn migrations(&self) -> &'static [Migration] {
        match self.database() {
            Database::Postgres(_) => POSTGRES,
            Database::File(_) | Database::Memory => SQLITE,
        }
    }

    /// Applies what is missing, up to migration `to` (`None` = all), each in its own transaction.
    ///
    /// # Errors
    /// [`StoreError::Migration`] when one fails; that one is rolled back, those before it stay.
    pub async fn migrate_up(&self, to: Option<i64>) -> Result<(), StoreError> {
        let to = to.unwrap_or(NEWEST);
        // What is up to date needs no lock, and no address past the proxy.
        let applied = self.applied().await?;
        if self.next_up(&applied, to)?.is_none() {
            return Ok(());
        }
        loop {
            let mut link = self.begin_migration().await?;
            self.make_record(&mut link).await?;
            let applied = list_applied(&mut link).await?;
            let Some(next) = self.next_up(&applied, to)? else {
                return link.rollback().await;
            };
            next.apply(&mut link).await?;
            link.commit().await?;
            tracing::info!(version = next.version, name = next.name, "applied a migration");
        }
    }

    /// Takes back every migration above `to` (0 = all), newest first, each in its own transaction. What their tables
    /// held is lost.
    ///
    /// # Errors
    /// [`StoreError::Migration`] when one fails, or is of a newer release, which alone can take it back.
    pub async fn migrate_down(&self, to: i64) -> Result<(), StoreError> {
        loop {
            let mut link = self.begin_migration().await?;
            self.make_record(&mut link).await?;
            let applied = list_applied(&mut link).await?;
            let Some(newest) = applied.last().map(|a| a.version).filter(|v| *v > to) else {
                return link.commit().await;
            };
            let migration = self.known(newest, to)?;
            migration.take_back(&mut link).await?;
            link.commit().await?;
            tracing::info!(version = newest, name = migration.name, "took a migration back");
        }
    }

    /// The migrations up to `version`, oldest first.
    pub(crate) fn known_up_to(&self, version: i64) -> impl Iterator<Item = &'static Migration> {
        self.migrations().iter().filter(move |m| m.version <= version)
    }

    /// Migration `version`, which is to be taken back on the way down to `to`.
    fn known(&self, version: i64, to: i64) -> Result<&'static Migration, StoreError> {
        let known = self.migrations().iter().find(|m| m.version == version);
        known.ok_or_else(|| {
            StoreError::Migration(format!(
                "migration {version} was made by a newer release, and only that release can take it back. Run its \
                 `goblin migrate down --to {to}`"
            ))
        })
    }

    /// Within a transaction that changes the schema: takes back every migration, with what their tables hold.
    pub(crate) async fn take_everything_back(&self, link: &mut Link) -> Result<(), StoreError> {
        self.make_record(link).await?;
        for applied in list_applied(link).await?.iter().rev() {
            self.known(applied.version, 0)?.take_back(link).await?;
        }
        Ok(())
    }

    /// Within a transaction that changes the schema: applies the migrations above `from`, up to `to`.
    pub(crate) async fn apply_between(&self, link: &mut Link, from: i64, to: i64) -> Result<(), StoreError> {
        for migration in self.known_up_to(to).filter(|m| m.version > from) {
            migration.apply(link).await?;
        }
        Ok(())
    }

    /// The newest migration that was applied, known here or not; 0 before the first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn newest_applied(&self) -> Result<i64, StoreError> {
        Ok(self.applied().await?.last().map_or(0, |a| a.version))
    }

    /// The same within a transaction on a database that has a record of migrations.
    pub(crate) async fn newest_recorded(&self, link: &mut Link) -> Result<i64, StoreError> {
        Ok(list_applied(link).await?.last().map_or(0, |a| a.version))
    }

    /// Every migration known or applied, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn migration_status(&self) -> Result<Vec<MigrationState>, StoreError> {
        let applied = self.applied().await?;
        let mut all: Vec<MigrationState> = Vec::new();
        for migration in self.migrations() {
            let found = applied.iter().find(|a| a.version == migration.version);
            all.push(MigrationState {
                version: migration.version,
                name: migration.name.to_owned(),
                applied: found.is_some(),
                known: true,
                changed: found.is_some_and(|a| a.checksum != migration.checksum()),
            });
        }
        all.extend(
            applied
                .iter()
                .filter(|a| a.version > NEWEST)
                .map(|a| MigrationState {
                    version: a.version,
                    name: "unknown".to_owned(),
                    applied: true,
                    known: false,
                    changed: false,
                }),
        );
        Ok(all)
    }

    /// Refuses a database that a newer release changed beyond what this one can work with.
    pub(crate) async fn check_schema(&self) -> Result<(), StoreError> {
        let Some(found) = self.applied().await?.last().map(|a| a.version) else {
            return Ok(());
        };
        if found <= NEWEST {
            return Ok(());
        }
        let row = query("SELECT lowest_known FROM schema_floor")
            .fetch_optional(&mut self.read().await?)
            .await?;
        let floor: Option<i64> = row.map(|row| row.get("lowest_known")).transpose()?;
        if floor.is_none_or(|floor| floor > NEWEST) {
            return Err(StoreError::NewerSchema {
                file: self.database().to_string(),
                found,
                known: NEWEST,
            });
        }
        tracing::warn!(
            found,
            known = NEWEST,
            "the schema is newer than this release, which can work with it"
        );
        Ok(())
    }

    /// The first migration up to `to` that is missing.
    fn next_up(&self, applied: &[Applied], to: i64) -> Result<Option<&'static Migration>, StoreError> {
        for migration in self.migrations().iter().filter(|m| m.version <= to) {
            match applied.iter().find(|a| a.version == migration.version) {
                None => return Ok(Some(migration)),
                Some(found) if found.checksum != migration.checksum() => {
                    return Err(StoreError::Migration(format!(
                        "migration {} `{}` was applied with another text than this release has. Start the release \
                         that applied it, or restore a backup; `goblin migrate verify` lists every difference",
                        migration.version, migration.name
                    )));
                }
                Some(_) => {}
            }
        }
        Ok(None)
    }

    /// What has been applied, oldest first; nothing in a database that has no record yet.
    async fn applied(&self) -> Result<Vec<Applied>, StoreError> {
        let has_record = match self.database() {
            Database::Postgres(_) => {
                "SELECT COUNT(*) AS found FROM pg_catalog.pg_class
                 WHERE oid = to_regclass('_sqlx_migrations')"
            }
            Database::File(_) | Database::Memory => {
                "SELECT COUNT(*) AS found FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'"
            }
        };
        let mut link = self.begin_read().await?;
        let found = query(has_record).fetch_one(&mut link).await?;
        let applied = if found.get::<i64>("found")? == 0 {
            Vec::new()
        } else {
            list_applied(&mut link).await?
        };
        link.rollback().await?;
        Ok(applied)
    }

    /// Makes the table of applied migrations where there is none.
    pub(crate) async fn make_record(&self, link: &mut Link) -> Result<(), StoreError> {
        link.run_script(match self.database() {
            Database::Postgres(_) => POSTGRES_RECORD,
            Database::File(_) | Database::Memory => SQLITE_RECORD,
        })
        .await
        .map_err(|e| match e {
            StoreError::Database(e) => StoreError::Migration(format!(
                "its user may not make tables ({e}). Give it that right: GRANT CREATE ON SCHEMA public TO that user"
            )),
            other => other,
        })
    }
}

async fn list_applied(link: &mut Link) -> Result<Vec<Applied>, StoreError> {
    let rows = query("SELECT version, checksum FROM _sqlx_migrations ORDER BY version")
        .fetch_all(link)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Applied {
                version: row.get("version")?,
                checksum: row.get("checksum")?,
            })
        })
        .collect()
}

fn failed(migration: &Migration, error: StoreError) -> StoreError {
    match error {
        StoreError::Database(e) => {
            StoreError::Migration(format!("{} `{}`: {e}", migration.version, migration.name))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_migration_file_is_embedded_in_the_order_of_its_number() {
        for (folder, all) in [("sqlite", SQLITE), ("postgres", POSTGRES)] {
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("migrations")
                .join(folder);
            assert_eq!(std::fs::read_dir(folder).unwrap().count(), all.len() * 2);
            assert!(all.is_sorted_by(|a, b| a.version < b.version));
        }
    }
}
