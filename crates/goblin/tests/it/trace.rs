//! `goblin trace` asks a goblin that runs, and shows what it has kept.

use std::path::Path;

use goblin_core::clock::{Clock, Timestamp};
use goblin_core::id::Ids;
use goblin_core::owner::Owner;
use goblin_core::trace::{Thresholds, Trace};
use goblin_store::store::{Database, Store, StoreOptions};
use goblin_store::traces::NewTrace;
use serde_json::Value;

use crate::process::{Running, printed_well, run, stderr};

/// Keeps a trace in the database below `home`, as a goblin that ran before did, and returns its id.
fn traced(home: &Path) -> String {
    let data = home.join(".local/share/goblin");
    std::fs::create_dir_all(&data).unwrap();
    let options = StoreOptions {
        database: Database::File(data.join("goblin.db")),
        clock: Clock::System,
        ids: Ids::Random,
    };
    let trace = Trace {
        trace_id: Ids::Random.next_id(),
        created_at_ms: Timestamp(1_795_471_200_000).0,
        model: "goblin".into(),
        thresholds: Thresholds {
            safety: 0.7,
            confidence: 0.65,
            critical: 0.4,
        },
        ..Trace::default()
    };
    let id = trace.trace_id.clone();
    let new = NewTrace {
        trace,
        ..NewTrace::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = Store::open(options).await.unwrap();
        store.insert_trace(&Owner::local(), &new).await.unwrap();
        store.close().await;
    });
    id
}

#[test]
fn a_trace_is_listed_and_shown_as_a_picture_and_as_json() {
    let home = tempfile::tempdir().unwrap();
    let id = traced(home.path());
    let goblin = Running::start(home.path(), &["serve", "--port", "0"], &[]);
    let url = format!("http://{}", goblin.address);
    let ask = |arguments: &[&str]| {
        let arguments = [arguments, &["--url", &url]].concat();
        printed_well(&run(home.path(), &arguments, &[]), &arguments)
    };
    let list = ask(&["trace", "list"]);
    assert!(list.contains(&id) && list.contains("not judged"), "{list}");
    let picture = ask(&["trace", "show", &id]);
    for part in [
        "goblin was asked for",
        "unsafe below 0.70",
        "nothing left your machines",
    ] {
        assert!(picture.contains(part), "{part} in {picture}");
    }
    assert!(!picture.contains('\x1b'), "no colours where nobody looks");
    let json: Value = serde_json::from_str(&ask(&["trace", "show", "--json", &id])).unwrap();
    assert_eq!(json["trace_id"], *id);
    let json: Value = serde_json::from_str(&ask(&["trace", "list", "--json"])).unwrap();
    assert_eq!(json["items"][0]["trace_id"], *id);
}

#[test]
fn a_trace_that_is_not_there_is_said_to_be_so_with_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str], part: &str| {
        let output = run(home.path(), arguments, &[]);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let said = stderr(&output);
        assert!(said.contains(part), "{part} in {said}");
    };
    refused(&["trace", "show", "nonsense"], "`nonsense` is no id");
    let nobody = ["--url", "http://127.0.0.1:1"];
    let unknown = Ids::Random.next_id();
    refused(
        &[&["trace", "show", &unknown], &nobody[..]].concat(),
        "No goblin answers at",
    );
    let goblin = Running::start(home.path(), &["serve", "--port", "0"], &[]);
    let url = format!("http://{}", goblin.address);
    refused(&["trace", "show", &unknown, "--url", &url], "goblin trace list");
}
