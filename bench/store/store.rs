//! What the store's most used calls cost with few rows and with many, on SQLite and on PostgreSQL, in one run; and five
//! hundred turns at once. `bench/store.sh` runs it, `bench/store.py` makes the table. Usage:
//!
//! ```text
//! store [--rows MANY] [--rounds N] [--calls N]
//! ```
//!
//! Each database has as many chats as rows, all of one user, and for each a turn and what it used. They are made by SQL,
//! past the store. In every round each database is asked in its turn. Prints one JSON object:
//!
//! * `measured`: for each database and call the microseconds of a call, one median for each round, with few rows and many
//! * `together`: for each database 500 turns at once: seconds, and what went wrong
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it prints what it measured"
)]

#[allow(dead_code, reason = "most of it is for tests")]
#[path = "../../crates/goblin-store/tests/it/cluster.rs"]
mod cluster;

use std::path::Path;
use std::time::Instant;

use goblin_core::clock::Clock;
use goblin_core::conversation::TurnStatus;
use goblin_core::id::Ids;
use goblin_core::owner::Owner;
use goblin_store::store::{Database, Store, StoreOptions};
use goblin_store::turns::{FinishedTurn, NewTurn};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::cluster::Cluster;

const FEW: u64 = 1_000;
/// Turns that are asked at once.
const TOGETHER: usize = 500;
const CALLS: [&str; 3] = ["insert turn + usage", "list chats", "find chat"];

/// `{number}` is a number from 1 to the number of rows, `{id}` an id made of it, `{with}` what SQLite makes numbers with.
const CHATS: &str = "INSERT INTO chats (id, tenant_id, user_id, title, parameters_json, head, created_at, updated_at)
    {with} SELECT {id}, 'local', 'local-owner', 'About the number ' || {number}, '{}', {id}, {number}, {number}";
const TURNS: &str = "INSERT INTO turns (id, tenant_id, user_id, chat_id, depth, content_text, answer, status, left_out,
                                        created_at, finished_at)
    {with} SELECT {id}, 'local', 'local-owner', {id}, 0, 'What is this number? It is ' || {number},
           'A number like others, between the one before and the one after.', 'complete', 0, {number}, {number}";
const USAGE: &str =
    "INSERT INTO usage (id, tenant_id, user_id, request_id, door, turn_id, prompt_tokens, completion_tokens,
                                        cached_tokens, reasoning_tokens, outcome, at)
    {with} SELECT {id}, 'local', 'local-owner', {id}, 'chats', {id}, 20, 30, 0, 0, 'complete', {number}";

struct Asked {
    rows: u64,
    rounds: usize,
    calls: usize,
}

impl Asked {
    /// What the command line says; `cargo bench` adds a flag of its own.
    fn read() -> Self {
        let mut asked = Self {
            rows: 1_000_000,
            rounds: 7,
            calls: 200,
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut number = || words.next().and_then(|n| n.parse::<u64>().ok()).unwrap();
            match word.as_str() {
                "--rows" => asked.rows = number(),
                "--rounds" => asked.rounds = number() as usize,
                "--calls" => asked.calls = number() as usize,
                _ => {}
            }
        }
        asked
    }
}

/// One database with so many rows.
struct Subject {
    engine: &'static str,
    rows: u64,
    store: Store,
    /// Which chat is looked for next.
    next: u64,
}

#[tokio::main]
async fn main() {
    let asked = Asked::read();
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(None);
    let mut subjects = Vec::new();
    for rows in [FEW, asked.rows] {
        subjects.push(of_file(&folder.path().join(format!("{rows}.db")), rows).await);
        subjects.push(of_server(&cluster, rows).await);
    }
    let mut medians: Vec<Vec<Vec<f64>>> = vec![vec![Vec::new(); CALLS.len()]; subjects.len()];
    // The first round warms up.
    for round in 0..=asked.rounds {
        for at in 0..subjects.len() {
            let at = (at + round) % subjects.len();
            for (call, medians) in medians[at].iter_mut().enumerate() {
                let median = median_of(&mut subjects[at], call, asked.calls).await;
                if round > 0 {
                    medians.push(median);
                }
            }
        }
    }
    let mut measured: Vec<Value> = Vec::new();
    for few in 0..2 {
        for (call, name) in CALLS.iter().enumerate() {
            measured.push(json!({
                "engine": subjects[few].engine, "what": name, "few_us": medians[few][call],
                "many_us": medians[few + 2][call],
            }));
        }
    }
    let mut together = Vec::new();
    for subject in &subjects[..2] {
        together.push(all_at_once(subject).await);
    }
    println!(
        "{}",
        json!({"few": FEW, "many": asked.rows, "rounds": asked.rounds, "calls": asked.calls,
               "measured": measured, "together": together})
    );
    for subject in subjects {
        subject.store.close().await;
    }
}

async fn open(database: Database) -> Store {
    Store::open(StoreOptions {
        database,
        clock: Clock::System,
        ids: Ids::Random,
    })
    .await
    .unwrap()
}

async fn of_file(path: &Path, rows: u64) -> Subject {
    let began = Instant::now();
    let store = open(Database::File(path.to_owned())).await;
    let file = sqlx::SqlitePool::connect(&format!("sqlite:{}", path.display()))
        .await
        .unwrap();
    for statement in [CHATS, TURNS, USAGE] {
        let numbers =
            format!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})");
        let sql = statement
            .replace("{with}", &numbers)
            .replace("{number}", "i")
            .replace("{id}", "printf('%012x-bench', i)");
        let sql = format!("{sql} FROM n");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(&file)
            .await
            .unwrap();
    }
    sqlx::raw_sql("ANALYZE; PRAGMA wal_checkpoint(TRUNCATE);")
        .execute(&file)
        .await
        .unwrap();
    file.close().await;
    filled("SQLite", rows, began, store)
}

async fn of_server(cluster: &Cluster, rows: u64) -> Subject {
    let began = Instant::now();
    let name = cluster.new_database();
    let store = open(Database::parse(&cluster.address(&name)).unwrap()).await;
    for statement in [CHATS, TURNS, USAGE] {
        let text = statement
            .replace("{with}", "")
            .replace("{number}", "i")
            .replace("{id}", "lpad(to_hex(i), 12, '0') || '-bench'");
        cluster.sql(&name, &format!("{text} FROM generate_series(1, {rows}) AS n (i)"));
    }
    cluster.sql(&name, "ANALYZE");
    cluster.sql(&name, "CHECKPOINT");
    filled("PostgreSQL", rows, began, store)
}

fn filled(engine: &'static str, rows: u64, began: Instant, store: Store) -> Subject {
    eprintln!(
        "{engine}: {rows} rows in each table after {:.1} s",
        began.elapsed().as_secs_f64()
    );
    Subject {
        engine,
        rows,
        store,
        next: 1,
    }
}

/// The median of so many calls, in microseconds.
async fn median_of(subject: &mut Subject, call: usize, calls: usize) -> f64 {
    let owner = Owner::local();
    let mut times = Vec::with_capacity(calls);
    for _ in 0..calls {
        // All over the table, and never twice in a row.
        subject.next = (subject.next + 7_919) % subject.rows;
        let chat = format!("{:012x}-bench", subject.next + 1);
        let began = Instant::now();
        match call {
            0 => turn(&subject.store, &owner, chat).await.unwrap(),
            1 => {
                let page = subject.store.list_chats(&owner, None, 50).await.unwrap();
                assert_eq!(page.items.len(), 50);
            }
            _ => assert!(subject.store.find_chat(&owner, &chat).await.unwrap().is_some()),
        }
        times.push(began.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Both transactions of a turn.
async fn turn(store: &Store, owner: &Owner, chat: String) -> Result<(), goblin_store::error::StoreError> {
    let new = NewTurn {
        chat,
        content: "What does this cost?".into(),
        ..NewTurn::default()
    };
    let (turn, _) = store.insert_turn(owner, new).await?;
    let end = FinishedTurn {
        turn: turn.id,
        answer: "As much as before. ".repeat(20),
        reasoning: None,
        status: TurnStatus::Complete,
        finish_reason: Some("stop".into()),
        model: Some("engine/bench".into()),
        local: Some(true),
        error: None,
        usage: None,
        left_out: 0,
        timing: None,
    };
    store.finish_turn(owner, end, Some(Default::default())).await?;
    Ok(())
}

async fn all_at_once(subject: &Subject) -> Value {
    let began = Instant::now();
    let mut turns = JoinSet::new();
    for n in 0..TOGETHER {
        let store = subject.store.clone();
        let chat = format!("{:012x}-bench", n as u64 + 1);
        turns.spawn(async move { turn(&store, &Owner::local(), chat).await });
    }
    let ended = turns.join_all().await;
    let failed: Vec<String> = ended
        .iter()
        .filter_map(|e| Some(e.as_ref().err()?.to_string()))
        .collect();
    json!({
        "engine": subject.engine, "turns": TOGETHER, "seconds": began.elapsed().as_secs_f64(),
        "failed": failed.len(), "first": failed.first(),
    })
}
