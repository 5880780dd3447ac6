//! Backups: made while others write, and restored into either kind of database.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use goblin_store::backup::BackupError;
use goblin_store::backup::file::BackupFile;
use goblin_store::backup::restore::{RestoreOptions, Restored, restore};
use goblin_store::backup::sealed::Seal;
use goblin_store::backup::take::Taken;
use goblin_store::schema::NEWEST;
use goblin_store::store::{Database, Store};
use goblin_store::turns::{NewTurn, Parent};
use secrecy::SecretString;
use tokio::task::JoinSet;

use crate::concurrency::{HANG, polled_at_most};
use crate::content::{Content, columns_at, content, fill, name_of, options, tamper};
use crate::desk::{Desk, complete, on_both_kept, postgres};

on_both_kept! {
    everything_comes_back_row_by_row_in_a_file,
    everything_comes_back_row_by_row_in_a_server,
    a_backup_of_each_older_schema_is_brought_up_to_this_one,
    a_backup_made_while_others_write_is_of_one_moment,
    a_backup_given_up_in_the_middle_leaves_no_file,
    a_restore_given_up_in_the_middle_changes_nothing,
    a_database_that_is_not_empty_is_refused_unless_replaced,
    a_database_that_others_use_is_refused,
    what_no_migration_makes_is_not_carried,
}

const PASSPHRASE: &str = "correct horse battery staple";

/// Little work: nobody guesses here.
pub(crate) fn seal() -> Seal {
    Seal::new(SecretString::from(PASSPHRASE)).with_work(2)
}

pub(crate) fn silent(_: u64, _: u64) {}

pub(crate) struct Shelf(tempfile::TempDir);

impl Shelf {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn place(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// An SQLite file that is not there yet.
    fn new_file(&self) -> Database {
        Database::File(self.place("restored.db"))
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let all = std::fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> = all
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

pub(crate) async fn back_up(store: &Store, to: &Path) -> Taken {
    store.write_backup(to, &seal(), &silent).await.unwrap()
}

pub(crate) fn open(file: &Path) -> Result<BackupFile, BackupError> {
    BackupFile::open(file, &seal(), &silent)
}

pub(crate) async fn put_back(
    file: &Path,
    database: &Database,
    replace: bool,
) -> Result<Restored, BackupError> {
    let file = file.to_owned();
    let backup = tokio::task::spawn_blocking(move || open(&file)).await.unwrap()?;
    restore(backup, restore_options(database, replace), &silent).await
}

fn restore_options(database: &Database, replace: bool) -> RestoreOptions {
    let options = options(database);
    RestoreOptions {
        database: options.database,
        clock: options.clock,
        ids: options.ids,
        replace,
    }
}

/// Everything but who works on the database now.
pub(crate) async fn everything(database: &Database) -> Content {
    let mut columns = columns_at(NEWEST).await;
    columns.remove("processes");
    content(database, &columns).await
}

async fn everything_comes_back_row_by_row_in_a_file(desk: &Desk) {
    let shelf = Shelf::new();
    comes_back(desk, shelf.new_file()).await;
}

async fn everything_comes_back_row_by_row_in_a_server(desk: &Desk) {
    comes_back(desk, postgres()).await;
}

async fn comes_back(desk: &Desk, target: Database) {
    fill(desk).await;
    let shelf = Shelf::new();
    let file = shelf.place("b.age");
    let taken = back_up(&desk.store, &file).await;
    assert_eq!(shelf.names(), ["b.age"]);
    assert_eq!(taken.bytes, std::fs::metadata(&file).unwrap().len());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(
            std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    let before = everything(desk.store.database()).await;
    assert!(
        before.values().all(|rows| !rows.is_empty()),
        "something is in every table: {before:?}"
    );
    let said: BTreeMap<String, u64> = taken
        .contents
        .tables
        .iter()
        .map(|t| (t.name.clone(), t.rows))
        .collect();
    let counted: BTreeMap<String, u64> = before
        .iter()
        .map(|(name, rows)| (name.clone(), rows.len() as u64))
        .collect();
    assert_eq!(said, counted);

    let restored = put_back(&file, &target, false).await.unwrap();
    assert_eq!((restored.schema, restored.aside), (NEWEST, None));
    assert_eq!(restored.contents, taken.contents);
    assert_eq!(everything(&target).await, before);

    let store = Store::open(options(&target)).await.unwrap();
    let found = store.verify().await.unwrap().differences;
    assert!(found.is_empty(), "{found:?}");
    let chats = store.list_chats(&desk.owner, None, 10).await.unwrap().items;
    assert_eq!(chats.len(), 1);
    // The process that answered is not there any more.
    assert_eq!(store.mark_interrupted().await.unwrap(), 5);
    let next = NewTurn {
        chat: chats[0].id.clone(),
        content: "and then?".into(),
        ..NewTurn::default()
    };
    store.insert_turn(&desk.owner, next).await.unwrap();
    // Foreign keys act as before.
    store.delete_chat(&desk.owner, &chats[0].id).await.unwrap();
    store.close().await;
    let mut orphan = JoinSet::new();
    orphan.spawn(async move {
        tamper(
            &target,
            "INSERT INTO chats (id, tenant_id, user_id, parameters_json, created_at, updated_at)
             VALUES ('x', 'nobody', 'nobody', '{}', 0, 0)",
        )
        .await;
    });
    assert!(
        orphan.join_next().await.unwrap().is_err(),
        "a chat of nobody is refused"
    );
}

async fn a_backup_of_each_older_schema_is_brought_up_to_this_one(desk: &Desk) {
    fill(desk).await;
    let shelf = Shelf::new();
    for schema in (1..NEWEST).rev() {
        desk.store.migrate_down(schema).await.unwrap();
        let file = shelf.place(&format!("{schema}.age"));
        let taken = back_up(&desk.store, &file).await;
        let newest = desk.store.newest_applied().await.unwrap();
        assert_eq!(taken.contents.schema, newest, "at most {schema}");
        let mut columns = columns_at(schema).await;
        columns.remove("processes");
        let before = content(desk.store.database(), &columns).await;
        for target in [Database::File(shelf.place(&format!("{schema}.db"))), postgres()] {
            let restored = put_back(&file, &target, false).await.unwrap();
            assert_eq!(restored.schema, NEWEST);
            assert_eq!(content(&target, &columns).await, before, "schema {schema}");
            let store = Store::open(options(&target)).await.unwrap();
            assert!(store.verify().await.unwrap().differences.is_empty());
            store.insert_chat(&desk.owner, Default::default()).await.unwrap();
            store.close().await;
        }
    }
    desk.store.migrate_down(0).await.unwrap();
    let nothing = desk
        .store
        .write_backup(&shelf.place("0.age"), &seal(), &silent)
        .await;
    let sentence = nothing.expect_err("refused").to_string();
    assert!(sentence.contains("nothing to back up"), "{sentence}");
}

/// How many turns were written, for whoever waits for one more.
#[derive(Default)]
struct Written {
    count: Mutex<u64>,
    more: Condvar,
}

impl Written {
    fn one(&self) {
        *self.count.lock().unwrap() += 1;
        self.more.notify_all();
    }

    /// Blocks until so many more were written.
    fn wait_for(&self, more: u64) {
        let count = self.count.lock().unwrap();
        let wanted = *count + more;
        let (count, waited) = self
            .more
            .wait_timeout_while(count, HANG, |count| *count < wanted)
            .unwrap();
        drop(count);
        assert!(!waited.timed_out(), "hangs");
    }
}

async fn a_backup_made_while_others_write_is_of_one_moment(desk: &Desk) {
    let shelf = Shelf::new();
    let chat = desk.chat().await;
    // Enough rows that progress is told in the middle.
    for n in 0..300 {
        write_a_turn(desk, &chat.id, &n.to_string()).await;
    }
    let (written, stop) = (Arc::new(Written::default()), Arc::new(AtomicBool::new(false)));
    let mut writers = JoinSet::new();
    for n in 0..2 {
        let (written, stop) = (Arc::clone(&written), Arc::clone(&stop));
        let desk = desk.reopened().await;
        let chat = desk.chat().await;
        writers.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                write_a_turn(&desk, &chat.id, &n.to_string()).await;
                written.one();
            }
        });
    }
    let told = AtomicU64::new(0);
    let in_the_middle = |done: u64, all: u64| {
        assert!(done <= all);
        told.fetch_add(1, Ordering::Relaxed);
        tokio::task::block_in_place(|| written.wait_for(3));
    };
    let file = shelf.place("b.age");
    let taken = desk
        .store
        .write_backup(&file, &seal(), &in_the_middle)
        .await
        .unwrap();
    stop.store(true, Ordering::Relaxed);
    writers.join_all().await;
    assert!(told.into_inner() >= 2, "others wrote meanwhile");

    let target = shelf.new_file();
    put_back(&file, &target, false).await.unwrap();
    let (then, now) = (everything(&target).await, everything(desk.store.database()).await);
    assert_eq!(
        then.values().map(Vec::len).sum::<usize>() as u64,
        taken.contents.rows()
    );
    assert!(
        then["usage"].len() + 6 <= now["usage"].len(),
        "what came later is not in it"
    );
    // An answer and what it used are saved together, so in one moment there are as many of both.
    let store = Store::open(options(&target)).await.unwrap();
    let running = store.mark_interrupted().await.unwrap() as usize;
    assert_eq!(then["turns"].len() - running, then["usage"].len());
    store.close().await;
}

async fn write_a_turn(desk: &Desk, chat: &str, text: &str) {
    let new = NewTurn {
        chat: chat.to_owned(),
        parent: Parent::Root,
        content: text.to_owned(),
        ..NewTurn::default()
    };
    // A question has at most so many branches.
    let turn = match desk.store.insert_turn(&desk.owner, new.clone()).await {
        Ok((turn, _)) => turn,
        Err(_) => {
            let chat = desk.chat().await.id;
            let new = NewTurn { chat, ..new };
            desk.store.insert_turn(&desk.owner, new).await.unwrap().0
        }
    };
    let end = complete(&turn, text);
    desk.store
        .finish_turn(&desk.owner, end, Some(Default::default()))
        .await
        .unwrap();
}

async fn a_backup_given_up_in_the_middle_leaves_no_file(desk: &Desk) {
    fill(desk).await;
    let shelf = Shelf::new();
    for polls in 0..40 {
        let file = shelf.place("b.age");
        let seal = seal();
        let finished = polled_at_most(polls, desk.store.write_backup(&file, &seal, &silent)).await;
        if finished {
            // Given up, the writing thread ends in its own time.
            open(&file).unwrap();
            std::fs::remove_file(&file).unwrap();
        } else {
            assert!(!file.exists(), "after {polls} polls");
        }
    }
    desk.chat().await;
    let file = shelf.place("c.age");
    back_up(&desk.store, &file).await;
    let again = desk.store.write_backup(&file, &seal(), &silent).await;
    assert!(matches!(again, Err(BackupError::Exists(_))), "{again:?}");
    open(&file).unwrap();
    let nowhere = shelf.place("no such folder/b.age");
    let refused = desk.store.write_backup(&nowhere, &seal(), &silent).await;
    assert!(
        matches!(refused, Err(BackupError::Unwritable { .. })),
        "{refused:?}"
    );
}

async fn a_restore_given_up_in_the_middle_changes_nothing(desk: &Desk) {
    fill(desk).await;
    let shelf = Shelf::new();
    let file = shelf.place("b.age");
    back_up(&desk.store, &file).await;
    desk.ask(&desk.chat().await, Parent::Head, "later").await;
    desk.store.close().await;
    let database = desk.store.database();
    let (mut before, mut then) = (everything(database).await, None::<Content>);
    for polls in (0..60).step_by(3) {
        let backup = open(&file).unwrap();
        let restoring = restore(backup, restore_options(database, true), &silent);
        polled_at_most(polls, restoring).await;
        let now = everything(database).await;
        // Given up after its commit was sent, it may have been done.
        if now != before {
            let whole = then.get_or_insert_with(|| now.clone());
            assert_eq!(&now, whole, "after {polls} polls: all of it");
            before = now;
        }
    }
    put_back(&file, database, true).await.unwrap();
    let whole = everything(database).await;
    assert!(then.is_none_or(|then| then == whole));
}

async fn a_database_that_is_not_empty_is_refused_unless_replaced(desk: &Desk) {
    let shelf = Shelf::new();
    let file = shelf.place("b.age");
    back_up(&desk.store, &file).await;
    desk.store.close().await;
    let database = desk.store.database();
    // Migrated and used by nobody yet is empty.
    put_back(&file, database, false).await.unwrap();
    let empty = everything(database).await;

    let used = desk.reopened().await;
    fill(&used).await;
    used.store.close().await;
    let before = everything(database).await;
    let refused = put_back(&file, database, false).await.expect_err("refused");
    assert!(matches!(refused, BackupError::NotEmpty { .. }), "{refused:?}");
    let sentence = refused.to_string();
    assert!(
        sentence.contains("chats: 1") && sentence.contains("turns: 6") && sentence.contains("--replace"),
        "{sentence}"
    );
    assert_eq!(everything(database).await, before);

    let restored = put_back(&file, database, true).await.unwrap();
    assert_eq!(everything(database).await, empty);
    match (database, restored.aside) {
        (Database::File(_), Some(aside)) => {
            let aside = Database::File(aside);
            assert_eq!(everything(&aside).await, before, "the old one is kept whole");
            Store::open(options(&aside)).await.unwrap().close().await;
        }
        (Database::Postgres(_), None) => {}
        other => panic!("{other:?}"),
    }

    tamper(
        database,
        "UPDATE users SET name = 'Mine' WHERE id = 'local-owner'",
    )
    .await;
    let refused = put_back(&file, database, false)
        .await
        .expect_err("refused")
        .to_string();
    assert!(refused.contains("users: 1, changed"), "{refused}");
}

async fn a_database_that_others_use_is_refused(desk: &Desk) {
    fill(desk).await;
    let shelf = Shelf::new();
    let file = shelf.place("b.age");
    back_up(&desk.store, &file).await;
    let database = desk.store.database();
    let other = Store::open(options(database)).await.unwrap();
    desk.store.close().await;
    let before = everything(database).await;
    for replace in [false, true] {
        let refused = put_back(&file, database, replace).await.expect_err("refused");
        let BackupError::InUse { who, .. } = &refused else {
            panic!("{refused:?}")
        };
        let says = if database.is_shared() {
            "1 running goblin"
        } else {
            "another program"
        };
        assert!(who.contains(says), "{refused}");
        assert_eq!(everything(database).await, before);
    }
    other.ping().await.unwrap();
    other.close().await;
    put_back(&file, database, true).await.unwrap();
}

async fn what_no_migration_makes_is_not_carried(desk: &Desk) {
    fill(desk).await;
    let shelf = Shelf::new();
    let database = desk.store.database();
    tamper(
        database,
        "CREATE TABLE strangers (id INTEGER, at TIMESTAMP); INSERT INTO strangers (id) VALUES (1)",
    )
    .await;
    tamper(database, "ALTER TABLE chats ADD COLUMN colour TEXT").await;
    let file = shelf.place("b.age");
    let taken = back_up(&desk.store, &file).await;
    let names: Vec<&str> = taken.contents.tables.iter().map(|t| t.name.as_str()).collect();
    let mut expected: Vec<String> = columns_at(NEWEST).await.into_keys().collect();
    expected.retain(|name| name != "processes");
    assert_eq!(names, expected);
    let target = shelf.new_file();
    put_back(&file, &target, false).await.unwrap();
    assert_eq!(everything(&target).await, everything(database).await);
    if database.is_shared() {
        let tables = crate::desk::cluster().sql(&name_of(database), "SELECT COUNT(*) FROM strangers");
        assert_eq!(tables, "1");
    }
}

#[tokio::test]
async fn a_damaged_file_is_replaced_and_kept() {
    let shelf = Shelf::new();
    let desk = Desk::in_a_file().await;
    fill(&desk).await;
    let file = shelf.place("b.age");
    back_up(&desk.store, &file).await;
    let target = Database::File(shelf.place("goblin.db"));
    let damaged = b"this was a database once".repeat(500);
    std::fs::write(shelf.place("goblin.db"), &damaged).unwrap();
    let refused = put_back(&file, &target, false).await.expect_err("refused");
    assert!(
        refused.to_string().contains("not a readable database"),
        "{refused}"
    );
    std::fs::write(shelf.place("goblin.db-wal"), b"of the damaged one").unwrap();
    let restored = put_back(&file, &target, true).await.unwrap();
    assert_eq!(everything(&target).await, everything(desk.store.database()).await);
    let aside = restored.aside.unwrap();
    assert_eq!(std::fs::read(&aside).unwrap(), damaged);
    let mut log = aside.into_os_string();
    log.push("-wal");
    assert_eq!(std::fs::read(log).unwrap(), b"of the damaged one");
}

#[tokio::test]
async fn a_database_in_memory_has_no_backups() {
    let desk = Desk::in_memory().await;
    let shelf = Shelf::new();
    let file = shelf.place("b.age");
    let refused = desk.store.write_backup(&file, &seal(), &silent).await;
    assert!(matches!(refused, Err(BackupError::InMemory)), "{refused:?}");
    assert_eq!(shelf.names(), [""; 0]);
    back_up(&Desk::in_a_file().await.store, &file).await;
    let refused = put_back(&file, &Database::Memory, true).await;
    assert!(matches!(refused, Err(BackupError::InMemory)), "{refused:?}");
}
