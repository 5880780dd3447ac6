//! What can happen to a file while it is in use: full, only to be read, locked, its process killed. Each is answered for
//! what it is, and leaves nothing half written.

use std::path::{Path, PathBuf};

use goblin_core::clock::Clock;
use goblin_core::conversation::{Turn, TurnStatus};
use goblin_core::error::ApiError;
use goblin_core::id::Ids;
use goblin_core::owner::Owner;
use sqlx::{Connection, SqliteConnection};

use crate::error::StoreError;
use crate::schema::NEWEST;
use crate::sql::query;
use crate::store::{Database, Store, StoreOptions};
use crate::turns::{FinishedTurn, NewTurn};

struct Place {
    folder: tempfile::TempDir,
    store: Store,
    owner: Owner,
}

fn options(path: PathBuf) -> StoreOptions {
    StoreOptions {
        database: Database::File(path),
        clock: Clock::System,
        ids: Ids::Random,
    }
}

impl Place {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(options(folder.path().join("goblin.db")))
            .await
            .unwrap();
        Self {
            folder,
            store,
            owner: Owner::local(),
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("goblin.db")
    }

    /// Says something to the one connection that writes.
    async fn writer(&self, pragma: &'static str) {
        self.store
            .write()
            .await
            .unwrap()
            .run_script(pragma)
            .await
            .unwrap();
    }

    async fn running_turn(&self) -> Turn {
        let chat = self
            .store
            .insert_chat(&self.owner, Default::default())
            .await
            .unwrap();
        let new = NewTurn {
            chat: chat.id,
            content: "q".into(),
            ..NewTurn::default()
        };
        self.store.insert_turn(&self.owner, new).await.unwrap().0
    }

    async fn finish(&self, turn: &Turn, answer: String) -> Result<Turn, StoreError> {
        let end = FinishedTurn {
            turn: turn.id.clone(),
            answer,
            reasoning: None,
            status: TurnStatus::Complete,
            finish_reason: None,
            model: None,
            local: None,
            error: None,
            usage: None,
            left_out: 0,
            timing: None,
        };
        self.store
            .finish_turn(&self.owner, end, Some(Default::default()))
            .await
    }

    async fn booked(&self) -> usize {
        self.store
            .list_usage(&self.owner, None, 10)
            .await
            .unwrap()
            .items
            .len()
    }

    /// Nothing of the end of the turn was saved, which can be read all the time; then all of it is, once.
    async fn is_untouched(&self, turn: &Turn) {
        let found = self
            .store
            .find_turn(&self.owner, &turn.id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!((found.status, found.answer.as_str()), (TurnStatus::Streaming, ""));
        assert_eq!(self.booked().await, 0);
    }

    async fn can_be_finished(&self, turn: &Turn) {
        self.is_untouched(turn).await;
        self.finish(turn, "the answer".into()).await.unwrap();
        assert_eq!(self.booked().await, 1);
    }
}

fn status(error: StoreError) -> u16 {
    ApiError::from(error).status(true)
}

#[tokio::test]
async fn a_full_disk_takes_back_the_whole_turn_and_can_still_be_read() {
    let place = Place::open().await;
    let turn = place.running_turn().await;
    // As many pages as it has: what SQLite says then is what it says of a disk without space.
    place.writer("PRAGMA max_page_count = 1").await;
    let error = place
        .finish(&turn, "long ".repeat(100_000))
        .await
        .expect_err("full");
    assert!(matches!(error, StoreError::Full), "{error:?}");
    assert_eq!(status(error), 503);
    place.is_untouched(&turn).await;
    place.writer("PRAGMA max_page_count = 1000000").await;
    place.can_be_finished(&turn).await;
}

#[tokio::test]
async fn a_file_that_may_only_be_read_says_so_and_can_still_be_read() {
    let place = Place::open().await;
    let turn = place.running_turn().await;
    place.writer("PRAGMA query_only = ON").await;
    let error = place.finish(&turn, "a".into()).await.expect_err("only reading");
    assert!(matches!(error, StoreError::ReadOnly(_)), "{error:?}");
    assert_eq!(status(error), 503);
    place.is_untouched(&turn).await;
    place.writer("PRAGMA query_only = OFF").await;
    place.can_be_finished(&turn).await;
}

#[tokio::test]
async fn a_file_locked_for_longer_than_we_wait_is_busy_and_can_still_be_read() {
    let place = Place::open().await;
    let turn = place.running_turn().await;
    let mut other = SqliteConnection::connect(&format!("sqlite:{}", place.file().display()))
        .await
        .unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE")
        .execute(&mut other)
        .await
        .unwrap();
    place.writer("PRAGMA busy_timeout = 1").await;
    let error = place.finish(&turn, "a".into()).await.expect_err("locked");
    assert!(matches!(error, StoreError::Busy), "{error:?}");
    let public = ApiError::from(error);
    assert_eq!(public.status(true), 503);
    assert!(public.retry_after.is_some());
    place.is_untouched(&turn).await;
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    place.can_be_finished(&turn).await;
}

/// A `kill -9` takes the memory of a process and leaves its files; so a copy of them at any moment is what the next
/// process finds.
async fn as_after_a_kill(file: &Path, to: &Path) -> Store {
    for companion in ["", "-wal"] {
        let of = |path: &Path| {
            let mut name = path.as_os_str().to_owned();
            name.push(companion);
            PathBuf::from(name)
        };
        std::fs::copy(of(file), of(to)).unwrap();
    }
    Store::open(options(to.to_owned())).await.unwrap()
}

#[tokio::test]
async fn a_process_killed_in_the_middle_of_a_migration_leaves_the_schema_as_it_was() {
    let place = Place::open().await;
    let chat = place
        .store
        .insert_chat(&place.owner, Default::default())
        .await
        .unwrap();
    for version in (1..=NEWEST).rev() {
        place.store.migrate_down(version - 1).await.unwrap();
        // Each changed page goes into the log at once, so that the middle is on disk.
        place
            .writer("PRAGMA cache_size = 1; PRAGMA cache_spill = 1")
            .await;
        let mut link = place.store.begin_migration().await.unwrap();
        let below = place.store.known_up_to(version - 1).count();
        for migration in place.store.known_up_to(version).skip(below) {
            link.run_script(migration.up).await.unwrap();
        }
        query("SELECT COUNT(*) FROM schema_floor")
            .fetch_one(&mut link)
            .await
            .unwrap();
        let copy = place.folder.path().join(format!("{version}.db"));
        let next = as_after_a_kill(&place.file(), &copy).await;
        link.rollback().await.unwrap();
        let found = next.verify().await.unwrap();
        assert!(found.differences.is_empty(), "{version}: {:?}", found.differences);
        let kept = next.find_chat(&place.owner, &chat.id).await.unwrap().is_some();
        assert_eq!(kept, version > 2, "{version}: what was below is kept");
        next.ping().await.unwrap();
        next.close().await;
    }
}

#[tokio::test]
async fn a_process_killed_in_the_middle_of_a_turn_leaves_none_of_it() {
    let place = Place::open().await;
    let turn = place.running_turn().await;
    place
        .writer("PRAGMA cache_size = 1; PRAGMA cache_spill = 1")
        .await;
    let mut link = place.store.begin_write().await.unwrap();
    query("UPDATE turns SET answer = $1, status = 'complete'")
        .bind("half ".repeat(100_000))
        .execute(&mut link)
        .await
        .unwrap();
    let copy = place.folder.path().join("copy.db");
    let next = as_after_a_kill(&place.file(), &copy).await;
    let found = next.find_turn(&place.owner, &turn.id).await.unwrap().unwrap();
    assert_eq!((found.status, found.answer.as_str()), (TurnStatus::Streaming, ""));
    link.rollback().await.unwrap();
    next.close().await;
}
