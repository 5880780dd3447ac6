//! The schema and its migrations: numbered, reversible, embedded.
//!
//! A release rolled back must run on the schema of the release after it, so a migration adds first and takes
//! away a release later. `schema_floor` says the oldest release (by its newest migration) that still fits.

use std::borrow::Cow;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator};

use crate::error::StoreError;
use crate::store::Store;

/// Number, name, up, down.
type Source = (i64, &'static str, &'static str, &'static str);

macro_rules! migration {
    ($version:literal, $file:literal, $name:literal) => {
        (
            $version,
            $name,
            include_str!(concat!("../migrations/sqlite/", $file, ".up.sql")),
            include_str!(concat!("../migrations/sqlite/", $file, ".down.sql")),
        )
    };
}

const SQLITE: &[Source] = &[
    migration!(1, "0001_owners", "owners"),
    migration!(2, "0002_chats", "chats"),
    migration!(3, "0003_usage", "usage"),
];

/// The newest migration this release knows.
pub const NEWEST: i64 = SQLITE[SQLITE.len() - 1].0;

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
}

fn migrator() -> Migrator {
    let mut migrations = Vec::with_capacity(SQLITE.len() * 2);
    for &(version, name, up, down) in SQLITE {
        for (kind, sql) in [
            (MigrationType::ReversibleUp, up),
            (MigrationType::ReversibleDown, down),
        ] {
            migrations.push(Migration::new(
                version,
                Cow::Borrowed(name),
                kind,
                sql.into_sql_str(),
                false,
            ));
        }
    }
    let mut migrator = Migrator::with_migrations(migrations);
    // Newer ones are judged by `schema_floor` when the database is opened.
    migrator.set_ignore_missing(true);
    migrator
}

fn failed(error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(e) => StoreError::from(e),
        other => StoreError::Migration(other.to_string()),
    }
}

impl Store {
    /// Applies what is missing, up to migration `to` (`None` = all), each in its own transaction.
    ///
    /// # Errors
    /// [`StoreError::Migration`] when one fails; that one is rolled back, those before it stay.
    pub async fn migrate_up(&self, to: Option<i64>) -> Result<(), StoreError> {
        let mut connection = self.writer().acquire().await?;
        migrator()
            .run_to(to.unwrap_or(NEWEST), &mut *connection)
            .await
            .map_err(failed)
    }

    /// Takes back every migration above `to` (0 = all), newest first. What their tables held is lost.
    ///
    /// # Errors
    /// As [`Self::migrate_up`].
    pub async fn migrate_down(&self, to: i64) -> Result<(), StoreError> {
        let mut connection = self.writer().acquire().await?;
        migrator().undo(&mut *connection, to).await.map_err(failed)
    }

    /// Every migration known or applied, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn migration_status(&self) -> Result<Vec<MigrationState>, StoreError> {
        let applied = self.applied_migrations().await?;
        let known = SQLITE.iter().map(|&(version, name, ..)| MigrationState {
            version,
            name: name.to_owned(),
            applied: applied.contains(&version),
            known: true,
        });
        let newer = applied
            .iter()
            .filter(|v| !SQLITE.iter().any(|m| m.0 == **v))
            .map(|&version| MigrationState {
                version,
                name: "unknown".to_owned(),
                applied: true,
                known: false,
            });
        let mut all: Vec<_> = known.chain(newer).collect();
        all.sort_by_key(|m| m.version);
        Ok(all)
    }

    async fn applied_migrations(&self) -> Result<Vec<i64>, StoreError> {
        let mut connection = self.writer().acquire().await?;
        let table = migrator().table_name;
        connection.ensure_migrations_table(&table).await.map_err(failed)?;
        let applied = connection.list_applied_migrations(&table).await.map_err(failed)?;
        Ok(applied.into_iter().map(|m| m.version).collect())
    }

    /// Refuses a database that a newer release changed beyond what this one can work with.
    pub(crate) async fn check_schema(&self) -> Result<(), StoreError> {
        let Some(found) = self.applied_migrations().await?.into_iter().max() else {
            return Ok(());
        };
        if found <= NEWEST {
            return Ok(());
        }
        let floor: Option<i64> = sqlx::query_scalar("SELECT lowest_known FROM schema_floor")
            .fetch_optional(self.writer())
            .await?;
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_migration_file_is_embedded_and_numbered_without_gaps() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), SQLITE.len() * 2);
        assert!(SQLITE.iter().enumerate().all(|(i, m)| m.0 == i as i64 + 1));
    }
}
