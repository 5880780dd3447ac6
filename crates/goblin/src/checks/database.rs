//! Does the database open, and is it as this release expects it?

use goblin_core::clock::Clock;
use goblin_core::id::Ids;
use goblin_core::status::PartState;
use goblin_store::schema::MigrationState;
use goblin_store::store::{Database, Store, StoreOptions};

use super::Finding;

/// Of one that no goblin need have open.
pub(super) async fn closed(database: &Database) -> Finding {
    if *database == Database::Memory {
        return Finding::ok("in memory");
    }
    if let Database::File(path) = database
        && !path.exists()
    {
        return Finding::ok(format!(
            "{} is not there yet; the first start makes it",
            path.display()
        ));
    }
    let options = StoreOptions {
        database: database.clone(),
        clock: Clock::System,
        ids: Ids::Random,
    };
    match Store::open_as_it_is(options).await {
        Ok(store) => {
            let finding = schema(&store, &database.to_string()).await;
            store.close().await;
            finding
        }
        Err(e) => Finding::bad(
            PartState::Down,
            format!("{database} does not open"),
            e.to_string(),
            "The sentence above says what to do; nothing was changed.",
        ),
    }
}

async fn schema(store: &Store, place: &str) -> Finding {
    match store.migration_status().await {
        Ok(all) => of_migrations(&all, place),
        Err(e) => Finding::bad(
            PartState::Down,
            place.to_owned(),
            e.to_string(),
            "Run `goblin migrate status`.",
        ),
    }
}

/// What the record of migrations says.
fn of_migrations(all: &[MigrationState], place: &str) -> Finding {
    if let Some(changed) = all.iter().find(|m| m.changed) {
        return Finding::bad(
            PartState::Down,
            place.to_owned(),
            format!(
                "migration {} was applied with another text than this release has.",
                changed.version
            ),
            "Start the release that applied it, or restore a backup.",
        );
    }
    let applied = all.iter().filter(|m| m.applied).count();
    let pending: Vec<i64> = all.iter().filter(|m| !m.applied).map(|m| m.version).collect();
    match pending.as_slice() {
        _ if applied == 0 => Finding::ok(format!("{place}: empty; the first start makes its tables")),
        [] => Finding::ok(format!("{place}: {applied} of {} migrations applied", all.len())),
        [first, ..] => Finding::bad(
            PartState::Degraded,
            format!("{place}: {applied} of {} migrations applied", all.len()),
            format!(
                "{} of this release are pending, from {first} on: its tables are those of an older release.",
                pending.len()
            ),
            "Start this release, or run `goblin migrate up` first where it may not change tables itself.",
        ),
    }
}

/// Of the one this process has open.
pub(super) async fn open(store: &Store) -> Finding {
    match store.ping().await {
        Ok(()) => Finding::ok(format!("{} answers", store.database())),
        Err(e) => Finding::bad(
            PartState::Down,
            format!("{} does not answer", store.database()),
            e.to_string(),
            "Look at the disk and the file's rights, or at the server; `goblin doctor` looks closer.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pending_migrations_are_counted_and_an_empty_database_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let database = Database::File(dir.path().join("goblin.db"));
        let options = StoreOptions {
            database: database.clone(),
            clock: Clock::System,
            ids: Ids::Random,
        };
        let store = Store::open_as_it_is(options).await.unwrap();
        assert_eq!(
            schema(&store, "here").await.found,
            "here: empty; the first start makes its tables"
        );
        store.migrate_up(Some(1)).await.unwrap();
        let old = closed(&database).await;
        let all = store.migration_status().await.unwrap().len();
        assert_eq!(old.state, PartState::Degraded);
        let cause = old.cause.unwrap();
        assert!(
            cause.contains(&format!("{} of this release are pending, from 2 on", all - 1)),
            "{cause}"
        );
        assert!(old.fix.unwrap().contains("goblin migrate up"));
        store.migrate_up(None).await.unwrap();
        let new = closed(&database).await;
        assert_eq!(new.state, PartState::Ok);
        assert!(
            new.found.ends_with(&format!("{all} of {all} migrations applied")),
            "{}",
            new.found
        );
    }
}
