//! The schema on its way up and down, with data in it, by several at once, and given up in the middle.

use goblin_store::error::StoreError;
use goblin_store::schema::NEWEST;
use goblin_store::store::{Database, Store};
use goblin_store::turns::Parent;
use tokio::task::JoinSet;

use crate::concurrency::polled_at_most;
use crate::content::{columns_at, content, fill, options, tamper};
use crate::desk::{Desk, complete, on_both_kept, postgres};

on_both_kept! {
    every_step_down_and_up_again_keeps_what_is_below_it,
    with_rows_in_every_table_down_and_up_keeps_every_row_below,
    a_migration_with_another_text_is_found_and_refused,
    what_a_newer_release_applied_only_it_takes_back,
}

async fn applied(store: &Store) -> usize {
    let all = store.migration_status().await.unwrap();
    all.iter().filter(|m| m.applied).count()
}

/// How many migrations this release knows up to a version. Numbers may be left out.
async fn known_up_to(store: &Store, version: i64) -> usize {
    let all = store.migration_status().await.unwrap();
    all.iter().filter(|m| m.known && m.version <= version).count()
}

async fn every_step_down_and_up_again_keeps_what_is_below_it(desk: &Desk) {
    let chat = desk.chat().await;
    let turn = desk.ask(&chat, Parent::Head, "before").await;
    desk.store
        .finish_turn(&desk.owner, complete(&turn, "kept"), Some(Default::default()))
        .await
        .unwrap();
    for down_to in (0..NEWEST).rev() {
        desk.store.migrate_down(down_to).await.unwrap();
        let left = known_up_to(&desk.store, down_to).await;
        assert_eq!(applied(&desk.store).await, left, "down to {down_to}");
        desk.store.migrate_up(None).await.unwrap();
        assert_eq!(applied(&desk.store).await, known_up_to(&desk.store, NEWEST).await);
        let answer = desk
            .store
            .find_turn(&desk.owner, &turn.id)
            .await
            .unwrap()
            .map(|t| t.answer);
        assert_eq!(
            answer.as_deref(),
            (down_to >= 2).then_some("kept"),
            "down to {down_to}"
        );
        let booked = desk
            .store
            .list_usage(&desk.owner, None, 10)
            .await
            .unwrap()
            .items
            .len();
        assert_eq!(booked, usize::from(down_to >= 3), "down to {down_to}");
        desk.chat().await;
    }
}

async fn with_rows_in_every_table_down_and_up_keeps_every_row_below(desk: &Desk) {
    fill(desk).await;
    let database = desk.store.database();
    for down_to in (0..NEWEST).rev() {
        let below = columns_at(down_to).await;
        let before = content(database, &below).await;
        desk.store.migrate_down(down_to).await.unwrap();
        assert_eq!(content(database, &below).await, before, "down to {down_to}");
        desk.store.migrate_up(None).await.unwrap();
        assert_eq!(
            content(database, &below).await,
            before,
            "down to {down_to} and up"
        );
        let found = desk.store.verify().await.unwrap().differences;
        assert!(found.is_empty(), "down to {down_to} and up: {found:?}");
    }
    let all = columns_at(NEWEST).await;
    let left = content(database, &all).await;
    assert_eq!(left["tenants"].len(), 1, "as on the first day");
}

async fn a_migration_with_another_text_is_found_and_refused(desk: &Desk) {
    let sound = desk.store.migration_status().await.unwrap();
    assert!(sound.iter().all(|m| m.applied && m.known && !m.changed));
    tamper(
        desk.store.database(),
        "UPDATE _sqlx_migrations SET checksum = (SELECT checksum FROM _sqlx_migrations WHERE version = 1)
         WHERE version = 2",
    )
    .await;
    let all = desk.store.migration_status().await.unwrap();
    let changed: Vec<i64> = all.iter().filter(|m| m.changed).map(|m| m.version).collect();
    assert_eq!(changed, [2]);
    let refused = Store::open(options(desk.store.database())).await;
    let sentence = refused.expect_err("refused").to_string();
    assert!(
        sentence.contains("2 `chats`") && sentence.contains("goblin migrate verify"),
        "{sentence}"
    );
}

async fn what_a_newer_release_applied_only_it_takes_back(desk: &Desk) {
    tamper(
        desk.store.database(),
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         SELECT version + 1, 'later', TRUE, checksum, 0 FROM _sqlx_migrations ORDER BY version DESC LIMIT 1",
    )
    .await;
    let known = Store::open(options(desk.store.database())).await.unwrap();
    let status = known.migration_status().await.unwrap();
    assert_eq!(
        status.last().map(|m| (m.version, m.known, m.applied)),
        Some((NEWEST + 1, false, true))
    );
    let refused = known.migrate_down(0).await.expect_err("refused").to_string();
    assert!(refused.contains("newer release"), "{refused}");
    let all = known_up_to(&known, NEWEST).await;
    assert_eq!(applied(&known).await, all + 1, "nothing was taken back");

    tamper(
        desk.store.database(),
        "UPDATE schema_floor SET lowest_known = 1000",
    )
    .await;
    let error = Store::open(options(desk.store.database()))
        .await
        .expect_err("refused");
    assert!(matches!(error, StoreError::NewerSchema { .. }), "{error:?}");
    assert!(error.to_string().contains("newer release"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_that_start_together_migrate_a_server_once() {
    ten_at_once(&postgres()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_that_start_together_migrate_a_file_once() {
    let folder = tempfile::tempdir().unwrap();
    ten_at_once(&Database::File(folder.path().join("goblin.db"))).await;
}

async fn ten_at_once(database: &Database) {
    let mut starting = JoinSet::new();
    for _ in 0..10 {
        starting.spawn(Store::open(options(database)));
    }
    let stores: Vec<Store> = starting
        .join_all()
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    for store in &stores {
        assert_eq!(applied(store).await, known_up_to(store, NEWEST).await);
    }
    // Applied twice, the first migration would have failed, or made a second owner.
    stores[0].ping().await.unwrap();
    assert_eq!(stores[0].count_others().await.unwrap(), 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn migrations_given_up_at_any_moment_go_on_where_they_were() {
    let folder = tempfile::tempdir().unwrap();
    for polls in 0..24 {
        for database in [
            Database::File(folder.path().join(format!("{polls}.db"))),
            postgres(),
        ] {
            let first = Store::open_as_it_is(options(&database)).await.unwrap();
            polled_at_most(polls, first.migrate_up(None)).await;
            let next = Store::open(options(&database)).await.unwrap();
            assert_eq!(applied(&next).await, known_up_to(&next, NEWEST).await);
            next.insert_chat(&goblin_core::owner::Owner::local(), Default::default())
                .await
                .unwrap();
            next.close().await;
            first.close().await;
        }
    }
}
