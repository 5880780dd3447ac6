//! What the store's most used calls cost with few rows and with many, on SQLite and on PostgreSQL, in one run; and five
//! hundred turns at once. `bench/store.sh` runs it, `bench/store.py` makes the table. Usage:
//!
//! ```text
//! store [--rows MANY] [--rounds N] [--calls N] [--engine sqlite|postgresql] [--only TEXT]
//! ```
//!
//! Each database has as many chats as rows, all of one user, for each a turn and what it used, and as many sign-ins and
//! keys of the API, and a tenth as many traces. They are made by SQL, past the store, all within one month. In every round
//! each database is asked in its turn. With `--only` nothing but calls with that in their name. Prints one JSON object:
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

use goblin_auth::identity::{Identity, KeyWish, Parts, Settings};
use goblin_auth::oidc::Federation;
use goblin_auth::visit::{Premises, VisitFacts};
use goblin_core::account::SessionKind;
use goblin_core::clock::Clock;
use goblin_core::conversation::TurnStatus;
use goblin_core::costs::month::Month;
use goblin_core::id::Ids;
use goblin_core::intent::Intent;
use goblin_core::owner::Owner;
use goblin_core::trace::Trace;
use goblin_store::accounts::NewAccount;
use goblin_store::audit::NewAudit;
use goblin_store::sessions::NewSession;
use goblin_store::store::{Database, Store, StoreOptions};
use goblin_store::turns::{FinishedTurn, NewTurn};
use http::{HeaderMap, Uri};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::task::JoinSet;

use crate::cluster::Cluster;

const FEW: u64 = 1_000;
/// Turns that are asked at once.
const TOGETHER: usize = 500;
const CALLS: [&str; 7] = [
    "insert turn + usage",
    "list chats",
    "find chat",
    "sign-in check",
    "key check, looked for",
    "key check, remembered",
    COSTS,
];
/// Everything the report of a month's costs is made from.
const COSTS: &str = "facts of a month's costs";
/// They take so long that few of them are enough.
const COSTS_CALLS: usize = 3;
/// A remembered key takes so little that many checks are timed together.
const KEY_CHECKS: u32 = 1_000;

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
/// `{trace}` is a trace as JSON.
const TRACES: &str =
    "INSERT INTO traces (id, tenant_id, user_id, request_id, model, outcome, left_machine, summary_json,
                                          trace_json, created_at)
    {with} SELECT {id}, 'local', 'local-owner', {id}, 'goblin', 'answered', FALSE, '{}', '{trace}', {number}";
/// Of how many rows one has a trace.
const TRACED: u64 = 10;

const SESSIONS: &str = "INSERT INTO sessions (id, tenant_id, user_id, kind, secret_hash, signed_in_by, created_at, seen_at,
                                              idle_until, expires_at)
    {with} SELECT {id}, 'local', 'local-owner', 'browser', {id}, 'password', {number}, {number}, {number}, {number}";
const KEYS: &str =
    "INSERT INTO api_keys (id, tenant_id, user_id, public_id, secret_hash, name, scopes, created_at,
                                          revoked_at)
    {with} SELECT {id}, 'local', 'local-owner', {id}, {id}, 'Key ' || {number}, 'infer', {number}, {number}";

struct Asked {
    rows: u64,
    rounds: usize,
    calls: usize,
    /// Empty: both.
    engine: String,
    /// Empty: all.
    only: String,
}

impl Asked {
    /// What the command line says; `cargo bench` adds a flag of its own.
    fn read() -> Self {
        let mut asked = Self {
            rows: 1_000_000,
            rounds: 7,
            calls: 200,
            engine: String::new(),
            only: String::new(),
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap();
            match word.as_str() {
                "--rows" => asked.rows = value().parse().unwrap(),
                "--rounds" => asked.rounds = value().parse().unwrap(),
                "--calls" => asked.calls = value().parse().unwrap(),
                "--engine" => asked.engine = value().to_lowercase(),
                "--only" => asked.only = value(),
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
    /// A request with a cookie, and one with a key.
    cookie: HeaderMap,
    key: HeaderMap,
    /// Remembers the key.
    identity: Identity,
}

#[tokio::main]
async fn main() {
    let asked = Asked::read();
    let folder = tempfile::tempdir().unwrap();
    let wants = |engine: &str| asked.engine.is_empty() || asked.engine == engine;
    let cluster = wants("postgresql").then(|| Cluster::start(None));
    let mut subjects = Vec::new();
    for rows in [FEW, asked.rows] {
        if wants("sqlite") {
            subjects.push(of_file(&folder.path().join(format!("{rows}.db")), rows).await);
        }
        if let Some(cluster) = &cluster {
            subjects.push(of_server(cluster, rows).await);
        }
    }
    let engines = subjects.len() / 2;
    let chosen = |name: &str| name.contains(&asked.only);
    let mut medians: Vec<Vec<Vec<f64>>> = vec![vec![Vec::new(); CALLS.len()]; subjects.len()];
    // The first round warms up.
    for round in 0..=asked.rounds {
        for at in 0..subjects.len() {
            let at = (at + round) % subjects.len();
            for (call, medians) in medians[at].iter_mut().enumerate() {
                if !chosen(CALLS[call]) {
                    continue;
                }
                let median = median_of(&mut subjects[at], call, asked.calls).await;
                if round > 0 {
                    medians.push(median);
                }
            }
        }
    }
    let mut measured: Vec<Value> = Vec::new();
    for few in 0..engines {
        for (call, name) in CALLS.iter().enumerate().filter(|(_, name)| chosen(name)) {
            measured.push(json!({
                "engine": subjects[few].engine, "what": name, "few_us": medians[few][call],
                "many_us": medians[few + engines][call],
            }));
        }
    }
    let mut together = Vec::new();
    for subject in subjects[..engines].iter().filter(|_| asked.only.is_empty()) {
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

/// What fills a database, and for which numbers.
fn statements() -> Vec<(String, String)> {
    let all =
        [CHATS, TURNS, USAGE, SESSIONS, KEYS].map(|statement| (statement.to_owned(), "i > 0".to_owned()));
    let mut trace = Trace::default();
    trace.route.intent = Some(Intent::Code);
    let traces = TRACES.replace("{trace}", &serde_json::to_string(&trace).unwrap());
    let mut all = Vec::from(all);
    all.push((traces, format!("i % {TRACED} = 0")));
    all
}

async fn of_file(path: &Path, rows: u64) -> Subject {
    let began = Instant::now();
    let store = open(Database::File(path.to_owned())).await;
    let file = sqlx::SqlitePool::connect(&format!("sqlite:{}", path.display()))
        .await
        .unwrap();
    for (statement, which) in statements() {
        let numbers =
            format!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})");
        let sql = statement
            .replace("{with}", &numbers)
            .replace("{number}", "i")
            .replace("{id}", "printf('%012x-bench', i)");
        let sql = format!("{sql} FROM n WHERE {which}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(&file)
            .await
            .unwrap();
    }
    // No `ANALYZE`: goblin never runs it, and SQLite chooses other indexes when it knows how many rows there are.
    sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE);")
        .execute(&file)
        .await
        .unwrap();
    file.close().await;
    filled("SQLite", rows, began, store).await
}

async fn of_server(cluster: &Cluster, rows: u64) -> Subject {
    let began = Instant::now();
    let name = cluster.new_database();
    let store = open(Database::parse(&cluster.address(&name)).unwrap()).await;
    for (statement, which) in statements() {
        let text = statement
            .replace("{with}", "")
            .replace("{number}", "i")
            .replace("{id}", "lpad(to_hex(i), 12, '0') || '-bench'");
        cluster.sql(
            &name,
            &format!("{text} FROM generate_series(1, {rows}) AS n (i) WHERE {which}"),
        );
    }
    cluster.sql(&name, "ANALYZE");
    cluster.sql(&name, "CHECKPOINT");
    filled("PostgreSQL", rows, began, store).await
}

async fn filled(engine: &'static str, rows: u64, began: Instant, store: Store) -> Subject {
    eprintln!(
        "{engine}: {rows} rows in each table after {:.1} s",
        began.elapsed().as_secs_f64()
    );
    let (cookie, key) = credentials(&store).await;
    Subject {
        engine,
        rows,
        next: 1,
        cookie,
        key,
        identity: identity(&store),
        store,
    }
}

fn identity(store: &Store) -> Identity {
    Identity::new(Parts {
        store: store.clone(),
        clock: Clock::System,
        keys: None,
        premises: Premises::default(),
        page_url: String::new(),
        settings: Settings::default(),
        federation: Federation::default(),
        relying_party: None,
        post: None,
        throttle: goblin_auth::throttle::Throttle::memory(Clock::System),
    })
}

/// An account, a browser signed in and a key, as requests show them.
async fn credentials(store: &Store) -> (HeaderMap, HeaderMap) {
    let deed = NewAudit {
        owner: Owner::local(),
        action: "bench",
        target: None,
        detail: None,
        address: None,
        device: None,
    };
    let account = NewAccount {
        email: "bench@example.org".into(),
        email_typed: "bench@example.org".into(),
        name: None,
        password_hash: None,
    };
    store.insert_first_account(&account, &deed).await.unwrap();
    let secret = "b".repeat(43);
    let end = Clock::System.now().plus_ms(86_400_000);
    let session = NewSession {
        kind: SessionKind::Browser,
        secret_hash: hex::encode(Sha256::digest(&secret)),
        signed_in_by: "password",
        address: None,
        device: None,
        idle_until: end,
        expires_at: end,
        replaces: None,
    };
    store
        .insert_session(&Owner::local(), &session, &deed)
        .await
        .unwrap();
    let wish = KeyWish {
        name: "bench".into(),
        ..KeyWish::default()
    };
    let made = identity(store).make_api_key_here(&Owner::local(), wish).await;
    let made = made.unwrap_or_else(|error| panic!("{error:?}"));
    let headers = |name: &'static str, value: String| {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        headers.insert("host", "127.0.0.1".parse().unwrap());
        headers
    };
    (
        headers("cookie", format!("goblin-sid={secret}")),
        headers("x-api-key", made.secret.expose_secret().to_owned()),
    )
}

/// Who a request is from, as for every request of the server.
async fn recognise(identity: &Identity, headers: &HeaderMap) {
    let uri = Uri::from_static("/v1/models");
    let visit = identity.premises().visit(&VisitFacts {
        uri: &uri,
        headers,
        peer: Some([127, 0, 0, 1].into()),
    });
    identity.recognise(headers, &visit).await.unwrap();
}

/// The median of so many calls, in microseconds.
async fn median_of(subject: &mut Subject, call: usize, calls: usize) -> f64 {
    let owner = Owner::local();
    let calls = if CALLS[call] == COSTS {
        calls.min(COSTS_CALLS)
    } else {
        calls
    };
    let mut times = Vec::with_capacity(calls);
    for _ in 0..calls {
        // All over the table, and never twice in a row.
        subject.next = (subject.next + 7_919) % subject.rows;
        let chat = format!("{:012x}-bench", subject.next + 1);
        let fresh = identity(&subject.store);
        let mut together = 1;
        let began = Instant::now();
        match call {
            0 => turn(&subject.store, &owner, chat).await.unwrap(),
            1 => {
                let page = subject.store.list_chats(&owner, None, 50).await.unwrap();
                assert_eq!(page.items.len(), 50);
            }
            2 => assert!(subject.store.find_chat(&owner, &chat).await.unwrap().is_some()),
            3 => recognise(&subject.identity, &subject.cookie).await,
            4 => recognise(&fresh, &subject.key).await,
            6 => {
                // Rows are numbered by the milliseconds since 1970.
                let month = Month::parse("1970-01").unwrap();
                let facts = subject.store.find_cost_facts(&owner.tenant, month).await.unwrap();
                assert!(facts.traces > 0 && facts.first_questions > 0);
            }
            _ => {
                together = KEY_CHECKS;
                for _ in 0..together {
                    recognise(&subject.identity, &subject.key).await;
                }
            }
        }
        times.push(began.elapsed().as_secs_f64() * 1e6 / f64::from(together));
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
