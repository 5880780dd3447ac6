//! Opening what is not a sound database, or not ours, or not writable.

use std::path::{Path, PathBuf};

use goblin_core::clock::Clock;
use goblin_core::error::ApiError;
use goblin_core::id::Ids;
use goblin_store::error::StoreError;
use goblin_store::schema::NEWEST;
use goblin_store::store::{Database, Store, StoreOptions};

use crate::desk::Desk;

fn options(path: &Path) -> StoreOptions {
    StoreOptions {
        database: Database::File(path.to_owned()),
        clock: Clock::System,
        ids: Ids::Random,
    }
}

async fn refusal(path: &Path) -> StoreError {
    Store::open(options(path)).await.expect_err("refused")
}

fn snapshot(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let mut all: Vec<_> = files.map(|p| (p.clone(), std::fs::read(p).unwrap())).collect();
    all.sort();
    all
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named_and_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("goblin.db");
    for garbage in [
        &b"this is my diary, not a database"[..],
        &[0xff; 40_000],
        b"SQLite format 3\0 and then nothing",
    ] {
        std::fs::write(&path, garbage).unwrap();
        let before = snapshot(dir.path());
        let error = refusal(&path).await;
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
        let sentence = error.to_string();
        assert!(
            sentence.contains("goblin.db") && sentence.contains("backup"),
            "{sentence}"
        );
        assert_eq!(snapshot(dir.path()), before, "nothing changed, nothing was added");
        let public = ApiError::from(error);
        assert!(!public.message.contains("goblin.db"), "{}", public.message);
    }
}

#[tokio::test]
async fn a_database_with_a_damaged_page_is_refused_and_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("goblin.db");
    let desk = Desk::open(Database::File(path.clone())).await;
    let chat = desk.chat().await;
    for n in 0..200 {
        desk.ask(&chat, Default::default(), &format!("{n} {}", "words ".repeat(50)))
            .await;
    }
    desk.store.close().await;
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0xa5);
    std::fs::write(&path, &bytes).unwrap();
    let error = refusal(&path).await;
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    assert!(std::fs::read(&path).unwrap() == bytes, "the file is as it was");
}

#[tokio::test]
async fn a_sound_database_of_another_program_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("places.sqlite");
    let other = sqlx::SqlitePool::connect(&format!("sqlite:{}?mode=rwc", path.display()))
        .await
        .unwrap();
    sqlx::query("CREATE TABLE bookmarks (url TEXT)")
        .execute(&other)
        .await
        .unwrap();
    other.close().await;
    let before = snapshot(dir.path());
    let error = refusal(&path).await;
    assert!(matches!(error, StoreError::NotOurs { .. }), "{error:?}");
    assert_eq!(snapshot(dir.path()), before);
}

#[tokio::test]
async fn places_that_cannot_be_written_are_named_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("folder.db");
    std::fs::create_dir(&folder).unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    // The last cannot be written by anyone, root included.
    let places = [
        folder,
        file.join("goblin.db"),
        dir.path().join("absent/goblin.db"),
        "/proc/goblin.db".into(),
    ];
    for path in places {
        let error = refusal(&path).await;
        assert!(matches!(error, StoreError::CannotOpen { .. }), "{error:?}");
        let sentence = error.to_string();
        assert!(
            sentence.contains(&*path.to_string_lossy()) && sentence.contains("DATABASE_URL"),
            "{sentence}"
        );
    }
}

#[tokio::test]
async fn an_empty_file_becomes_a_database_readable_by_its_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a b#c?.db");
    Store::open(options(&path)).await.unwrap().close().await;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    let empty = dir.path().join("empty.db");
    std::fs::write(&empty, "").unwrap();
    Store::open(options(&empty)).await.unwrap().ping().await.unwrap();
}

#[tokio::test]
async fn a_newer_schema_opens_only_when_it_says_that_this_release_can_work_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("goblin.db");
    Store::open(options(&path)).await.unwrap().close().await;
    let newer = sqlx::SqlitePool::connect(&format!("sqlite:{}", path.display()))
        .await
        .unwrap();
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES ($1, 'later', TRUE, X'00', 0)",
    )
    .bind(NEWEST + 1)
    .execute(&newer)
    .await
    .unwrap();

    let store = Store::open(options(&path)).await.unwrap();
    let status = store.migration_status().await.unwrap();
    assert_eq!(
        status.last().map(|m| (m.version, m.known, m.applied)),
        Some((NEWEST + 1, false, true))
    );
    store.close().await;

    sqlx::query("UPDATE schema_floor SET lowest_known = $1")
        .bind(NEWEST + 1)
        .execute(&newer)
        .await
        .unwrap();
    let error = refusal(&path).await;
    assert!(matches!(error, StoreError::NewerSchema { .. }), "{error:?}");
    assert!(error.to_string().contains("newer release"), "{error}");
    assert!(Store::open_as_it_is(options(&path)).await.is_err());
}

#[tokio::test]
async fn an_unmigrated_database_can_be_opened_to_look_at_its_migrations() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open_as_it_is(options(&dir.path().join("goblin.db")))
        .await
        .unwrap();
    assert!(store.migration_status().await.unwrap().iter().all(|m| !m.applied));
    assert!(store.ping().await.is_err());
    store.migrate_up(None).await.unwrap();
    store.ping().await.unwrap();
}
