//! Is a database as this release expects it: its migrations, and what they made.

use crate::error::StoreError;
use crate::schema::{MigrationState, NEWEST};
use crate::shape::differences::differences;
use crate::store::Store;

/// What was found.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Every migration known or applied, oldest first.
    pub migrations: Vec<MigrationState>,
    /// Everything that is not as this release expects it.
    pub differences: Vec<Difference>,
}

/// One difference between a database and what this release expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The table; empty where no table is meant.
    pub table: String,
    /// What differs, in a sentence.
    pub sentence: String,
}

impl Store {
    /// Compares the migrations that were applied with those of this release, and the tables with what those make: a
    /// column or an index that was lost or added by hand is found. Changes nothing. Of a schema that a newer release
    /// made only what this release needs is compared.
    ///
    /// # Errors
    /// When the database cannot be read; on PostgreSQL also when no temporary tables may be made there.
    pub async fn verify(&self) -> Result<Verified, StoreError> {
        let migrations = self.migration_status().await?;
        let mut found: Vec<Difference> = migrations.iter().filter_map(of_migration).collect();
        let newest = self.newest_applied().await?;
        if newest > 0 {
            let mut link = self.begin_snapshot().await?;
            let actual = self.shape(&mut link).await?;
            link.rollback().await?;
            let expected = self.expected_shape(newest.min(NEWEST)).await?;
            found.extend(differences(&expected, &actual, newest <= NEWEST));
        }
        Ok(Verified {
            migrations,
            differences: found,
        })
    }
}

fn of_migration(migration: &MigrationState) -> Option<Difference> {
    let MigrationState { version, name, .. } = migration;
    let sentence = match (migration.applied, migration.changed) {
        (false, _) => format!("Migration {version} `{name}` is missing."),
        (true, true) => {
            format!("Migration {version} `{name}` was applied with another text than this release has.")
        }
        (true, false) => return None,
    };
    Some(Difference {
        table: String::new(),
        sentence,
    })
}
