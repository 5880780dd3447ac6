//! Every difference between a database and what the migrations make is found and said.

use goblin_store::schema::NEWEST;
use goblin_store::store::Database;

use crate::content::{columns_at, fill, name_of, tamper};
use crate::desk::{Desk, cluster, on_both_kept};

on_both_kept! {
    a_database_as_the_migrations_make_it_has_no_difference,
    each_thing_lost_or_added_by_hand_is_named,
    missing_migrations_are_named_and_what_is_there_is_compared,
    what_a_newer_release_added_is_no_difference,
}

async fn sentences(desk: &Desk) -> Vec<String> {
    let found = desk.store.verify().await.unwrap();
    found.differences.into_iter().map(|d| d.sentence).collect()
}

async fn a_database_as_the_migrations_make_it_has_no_difference(desk: &Desk) {
    assert_eq!(sentences(desk).await, [""; 0]);
    fill(desk).await;
    assert_eq!(sentences(desk).await, [""; 0]);
    desk.store.migrate_down(0).await.unwrap();
    desk.store.migrate_up(None).await.unwrap();
    assert_eq!(sentences(desk).await, [""; 0]);
}

async fn each_thing_lost_or_added_by_hand_is_named(desk: &Desk) {
    let database = desk.store.database();
    for (statement, says) in [
        (
            "DROP INDEX chats_newest",
            "Index `chats_newest` of `chats` (on (tenant_id, user_id, updated_at, id)) is missing.",
        ),
        (
            "CREATE UNIQUE INDEX chats_newest ON chats (id, user_id) WHERE title IS NULL",
            "Index `chats_newest` of `chats` is unique, on (id, user_id) where ",
        ),
        (
            "DROP INDEX chats_newest",
            "(on (tenant_id, user_id, updated_at, id)) is missing.",
        ),
        (
            "CREATE INDEX chats_newest ON chats (tenant_id, user_id, updated_at, id)",
            "",
        ),
        (
            "CREATE INDEX by_hand ON usage (door)",
            "Index `by_hand` of `usage` (on (door)) is there, and no migration makes it.",
        ),
        ("DROP INDEX by_hand", ""),
        (
            "ALTER TABLE chats ADD COLUMN colour TEXT",
            "Column `chats.colour` is there, and no migration makes it.",
        ),
        ("ALTER TABLE chats DROP COLUMN colour", ""),
        (
            "ALTER TABLE chats RENAME COLUMN folder TO drawer",
            "Column `chats.folder` is missing.",
        ),
        ("ALTER TABLE chats RENAME COLUMN drawer TO folder", ""),
        (
            "CREATE TABLE strangers (id TEXT)",
            "Table `strangers` is there, and no migration makes it.",
        ),
        ("DROP TABLE strangers", ""),
        ("DROP TABLE labels", "Table `labels` is missing."),
    ] {
        tamper(database, statement).await;
        let found = sentences(desk).await;
        assert_eq!(found.is_empty(), says.is_empty(), "{statement}: {found:?}");
        assert!(
            says.is_empty() || found.iter().any(|sentence| sentence.contains(says)),
            "{statement}: {found:?}"
        );
    }
}

async fn missing_migrations_are_named_and_what_is_there_is_compared(desk: &Desk) {
    desk.store.migrate_down(NEWEST - 1).await.unwrap();
    let found = sentences(desk).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with(&format!("Migration {NEWEST} `")),
        "{found:?}"
    );
    tamper(desk.store.database(), "DROP INDEX chats_newest").await;
    assert_eq!(sentences(desk).await.len(), 2);
    desk.store.migrate_down(0).await.unwrap();
    let known = desk.store.migration_status().await.unwrap().len();
    assert_eq!(sentences(desk).await.len(), known, "and no table is missing");
}

async fn what_a_newer_release_added_is_no_difference(desk: &Desk) {
    let database = desk.store.database();
    for statement in [
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         SELECT version + 1, 'later', TRUE, checksum, 0 FROM _sqlx_migrations ORDER BY version DESC LIMIT 1",
        "CREATE TABLE later (id TEXT)",
        "ALTER TABLE chats ADD COLUMN colour TEXT",
    ] {
        tamper(database, statement).await;
    }
    assert_eq!(sentences(desk).await, [""; 0]);
    tamper(database, "DROP INDEX chats_newest").await;
    assert_eq!(
        sentences(desk).await.len(),
        1,
        "what this release needs is missed all the same"
    );
}

#[tokio::test]
async fn what_only_a_server_can_change_is_named_too() {
    let desk = Desk::on_postgres().await;
    for (statement, says) in [
        (
            "ALTER TABLE chats ALTER COLUMN parameters_json DROP NOT NULL",
            "Column `chats.parameters_json` may be NULL, and the migrations make it NOT NULL.",
        ),
        (
            "ALTER TABLE usage ALTER COLUMN at TYPE INTEGER",
            "Column `usage.at` is of type integer, and the migrations make it bigint.",
        ),
        (
            "ALTER TABLE chats ALTER COLUMN title SET DEFAULT 'new'",
            "The default of column `chats.title` is 'new'::text, and the migrations make it not set.",
        ),
        (
            "ALTER TABLE traces ALTER COLUMN turn_id TYPE TEXT COLLATE \"POSIX\"",
            "The order of letters of column `traces.turn_id` is POSIX, and the migrations make it C.",
        ),
        (
            "ALTER TABLE usage DROP CONSTRAINT usage_pkey",
            "The primary key of `usage` is not set, and the migrations make it (id).",
        ),
        (
            "ALTER TABLE turns DROP CONSTRAINT turns_chat_id_fkey",
            "The foreign key of `turns` on (chat_id) to `chats` (id) (on delete cascade, on update no action) is missing.",
        ),
    ] {
        tamper(desk.store.database(), statement).await;
        let found = sentences(&desk).await;
        assert!(found.iter().any(|s| s == says), "{statement}: {found:?}");
    }
    assert_eq!(sentences(&desk).await.len(), 6, "each once");
}

/// A backup carries values as these kinds, so a column must be of the same kind on both.
#[tokio::test]
async fn both_kinds_of_database_have_the_same_tables_and_columns() {
    let kinds = [
        ("TEXT", "text"),
        ("BIGINT", "bigint"),
        ("BOOLEAN", "boolean"),
        ("BLOB", "bytea"),
        ("DOUBLE PRECISION", "double precision"),
    ];
    let of_file = columns_at(NEWEST).await;
    let desk = Desk::on_postgres().await;
    let Database::Postgres(_) = desk.store.database() else {
        unreachable!()
    };
    let of_server = cluster().sql(
        &name_of(desk.store.database()),
        "SELECT table_name || ' ' || column_name || ' ' || data_type FROM information_schema.columns
         WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations' ORDER BY 1",
    );
    let mut of_server: Vec<&str> = of_server.lines().collect();
    of_server.sort_unstable();
    let mut expected = Vec::new();
    for (table, columns) in &of_file {
        for (column, kind) in columns {
            let kind = kinds.iter().find(|(name, _)| name == kind);
            let (_, kind) = kind.unwrap_or_else(|| panic!("{table}.{column} has a type no backup carries"));
            expected.push(format!("{table} {column} {kind}"));
        }
    }
    expected.sort_unstable();
    assert_eq!(of_server, expected);
}
