//! What a server does to a transaction in the middle: no space, only reading, gone. Each is answered for what it is,
//! with 503, and leaves nothing half written. SQLite's own faults are tested beside `sqlite.rs`, which holds its
//! connections.

use std::process::{Child, ChildStdin, Stdio};

use goblin_core::conversation::TurnStatus;
use goblin_core::error::ApiError;
use goblin_store::error::StoreError;
use goblin_store::turns::Parent;
use tokio::task::JoinSet;

use crate::concurrency::HANG;
use crate::content::{name_of, tamper};
use crate::desk::{Desk, cluster, complete};

/// A full disk, as the server says it of any table.
const NO_SPACE: &str = "
    CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
    CREATE TRIGGER no_space BEFORE INSERT ON usage FOR EACH ROW EXECUTE FUNCTION no_space();";

fn status(error: StoreError) -> u16 {
    let public = ApiError::from(error);
    assert!(!public.message.contains("device"), "{}", public.message);
    public.status(true)
}

/// A turn whose answer is still to be saved, and how many requests are booked.
async fn running_turn(desk: &Desk) -> goblin_core::conversation::Turn {
    let chat = desk.chat().await;
    desk.ask(&chat, Parent::Head, "q").await
}

/// Nothing of the end of the turn was saved; then all of it is, once.
async fn is_untouched_and_can_be_finished(desk: &Desk, turn: &goblin_core::conversation::Turn) {
    let found = desk
        .store
        .find_turn(&desk.owner, &turn.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((found.status, found.answer.as_str()), (TurnStatus::Streaming, ""));
    assert!(
        desk.store
            .list_usage(&desk.owner, None, 10)
            .await
            .unwrap()
            .items
            .is_empty()
    );
    let end = complete(turn, "the answer");
    desk.store
        .finish_turn(&desk.owner, end, Some(Default::default()))
        .await
        .unwrap();
    assert_eq!(
        desk.store
            .list_usage(&desk.owner, None, 10)
            .await
            .unwrap()
            .items
            .len(),
        1
    );
}

#[tokio::test]
async fn a_server_without_space_takes_back_the_whole_turn() {
    let desk = Desk::on_postgres().await;
    let turn = running_turn(&desk).await;
    tamper(desk.store.database(), NO_SPACE).await;
    // The turn's own row is changed before the request is booked.
    let end = complete(&turn, "the answer");
    let error = desk
        .store
        .finish_turn(&desk.owner, end, Some(Default::default()))
        .await;
    let error = error.expect_err("no space");
    assert!(matches!(error, StoreError::Full), "{error:?}");
    assert_eq!(status(error), 503);
    tamper(desk.store.database(), "DROP TRIGGER no_space ON usage").await;
    is_untouched_and_can_be_finished(&desk, &turn).await;
}

#[tokio::test]
async fn a_server_that_may_only_be_read_says_so_and_can_still_be_read() {
    let desk = Desk::on_postgres().await;
    let turn = running_turn(&desk).await;
    let name = name_of(desk.store.database());
    let only_read = |value: &str| {
        let cluster = cluster();
        cluster.sql(
            "postgres",
            &format!("ALTER DATABASE {name} SET default_transaction_read_only = {value}"),
        );
        // What is connected keeps what it began with.
        cluster.sql(
            "postgres",
            &format!("SELECT COUNT(pg_terminate_backend(pid, 60000)) FROM pg_stat_activity WHERE datname = '{name}'"),
        );
    };
    only_read("on");
    let end = complete(&turn, "the answer");
    let error = desk
        .store
        .finish_turn(&desk.owner, end, Some(Default::default()))
        .await;
    let error = error.expect_err("only reading");
    assert!(matches!(error, StoreError::ReadOnly(_)), "{error:?}");
    assert_eq!(status(error), 503);
    assert!(
        desk.store
            .find_turn(&desk.owner, &turn.id)
            .await
            .unwrap()
            .is_some()
    );
    only_read("off");
    is_untouched_and_can_be_finished(&desk, &turn).await;
}

/// Keeps a table locked until its input is dropped.
fn hold(name: &str, table: &str) -> (Child, ChildStdin) {
    use std::io::{BufRead, Write};
    let mut psql = cluster()
        .psql(name)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = psql.stdin.take().unwrap();
    writeln!(input, "BEGIN; LOCK TABLE {table}; SELECT 'locked';").unwrap();
    let mut said = String::new();
    std::io::BufReader::new(psql.stdout.take().unwrap())
        .read_line(&mut said)
        .unwrap();
    assert_eq!(said.trim(), "locked");
    (psql, input)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_lost_in_the_middle_of_a_transaction_takes_it_back() {
    let desk = Desk::on_postgres().await;
    let turn = running_turn(&desk).await;
    let name = name_of(desk.store.database());
    let (mut holder, input) = hold(&name, "usage");
    let mut finishing = JoinSet::new();
    let (store, owner, end) = (
        desk.store.clone(),
        desk.owner.clone(),
        complete(&turn, "the answer"),
    );
    finishing.spawn(async move { store.finish_turn(&owner, end, Some(Default::default())).await });
    // Its turn is changed, and its second statement waits.
    let waiting = format!("FROM pg_stat_activity WHERE datname = '{name}' AND wait_event_type = 'Lock'");
    let began = std::time::Instant::now();
    while cluster().sql("postgres", &format!("SELECT COUNT(*) {waiting}")) != "1" {
        assert!(began.elapsed() < HANG, "hangs: the second statement never waits");
        tokio::task::yield_now().await;
    }
    cluster().sql(
        "postgres",
        &format!("SELECT pg_terminate_backend(pid, 60000) {waiting}"),
    );
    let error = finishing
        .join_next()
        .await
        .unwrap()
        .unwrap()
        .expect_err("cut off");
    assert!(matches!(error, StoreError::Away(_)), "{error:?}");
    assert_eq!(status(error), 503);
    drop(input);
    holder.wait().unwrap();
    is_untouched_and_can_be_finished(&desk, &turn).await;
}
