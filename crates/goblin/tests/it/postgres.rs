//! The binary on a real PostgreSQL: serving, looking, migrating, and being killed.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::cluster::{Cluster, PASSWORD};
use crate::process::{Running, goblin, printed_well, run, stderr, stdout, until};

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start(None))
}

/// A home and an empty database.
pub(crate) struct Place {
    pub(crate) home: tempfile::TempDir,
    database: String,
    pub(crate) url: String,
}

pub(crate) fn place() -> Place {
    let database = cluster().new_database();
    Place {
        home: tempfile::tempdir().unwrap(),
        url: cluster().address(&database),
        database,
    }
}

impl Place {
    pub(crate) fn run(&self, arguments: &[&str]) -> std::process::Output {
        run(self.home.path(), arguments, &[("DATABASE_URL", &self.url)])
    }

    pub(crate) fn done(&self, arguments: &[&str]) -> String {
        printed_well(&self.run(arguments), arguments)
    }

    pub(crate) fn serve(&self) -> Running {
        Running::start(
            self.home.path(),
            &["serve", "--port", "0"],
            &[("DATABASE_URL", &self.url)],
        )
    }

    pub(crate) fn sql(&self, statement: &str) -> String {
        cluster().sql(&self.database, statement)
    }

    /// Keeps a table locked until what is returned is dropped.
    pub(crate) fn lock(&self, table: &str) -> (Child, ChildStdin) {
        let mut psql = cluster()
            .psql(&self.database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = psql.stdin.take().unwrap();
        writeln!(input, "BEGIN; LOCK TABLE {table}; SELECT 'locked';").unwrap();
        let mut said = String::new();
        BufReader::new(psql.stdout.take().unwrap())
            .read_line(&mut said)
            .unwrap();
        assert_eq!(said.trim(), "locked");
        (psql, input)
    }

    /// Returns once a statement waits for a lock.
    pub(crate) fn until_one_waits(&self) {
        until("a statement waits for the lock", || {
            let waiting = self.sql(
                "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
            );
            (waiting == "1").then_some(())
        });
    }

    fn applied(&self) -> Vec<bool> {
        let status = self.done(&["migrate", "status", "--json"]);
        let rows: Vec<Value> = serde_json::from_str(&status).unwrap();
        rows.iter().map(|r| r["applied"] == true).collect()
    }
}

#[test]
fn chats_kept_on_a_server_are_there_after_a_restart_and_after_a_kill() {
    let place = place();
    let mut first = place.serve();
    let (status, body) = first.ask("POST", "/api/chats", &[], "{\"title\": \"kept on a server\"}");
    assert_eq!(status, 201, "{body}");
    let (status, body) = first.ask("GET", "/health/all", &[], "");
    assert_eq!(status, 200, "{body}");
    let doctor = place.run(&["doctor"]);
    assert!(
        stdout(&doctor).contains("migrations applied"),
        "{}",
        stdout(&doctor)
    );
    assert_eq!(place.sql("SELECT COUNT(*) FROM processes"), "1");
    first.signal("TERM");
    assert_eq!(first.wait(), Some(0), "{}", first.logs());
    assert_eq!(place.sql("SELECT COUNT(*) FROM processes"), "0", "it took leave");

    let mut second = place.serve();
    let (_, body) = second.ask("GET", "/api/chats", &[], "");
    assert!(body.contains("kept on a server"), "{body}");
    second.signal("KILL");
    second.wait();
    let third = place.serve();
    let (_, body) = third.ask("GET", "/api/chats", &[], "");
    assert!(body.contains("kept on a server"), "{body}");
    for log in [first.logs(), second.logs(), third.logs(), stdout(&doctor)] {
        assert!(!log.contains(PASSWORD) && !log.contains("p%40ss"), "{log}");
    }
}

#[test]
fn a_server_that_goes_away_and_comes_back_is_said_and_used_again() {
    let cluster = Cluster::start(None);
    let url = cluster.address(&cluster.new_database());
    let home = tempfile::tempdir().unwrap();
    let running = Running::start(home.path(), &["serve", "--port", "0"], &[("DATABASE_URL", &url)]);
    let (status, _) = running.ask("POST", "/api/chats", &[], "{\"title\": \"before\"}");
    assert_eq!(status, 201);
    cluster.stop();
    let (status, body) = running.ask("GET", "/health", &[], "");
    assert_eq!(status, 503, "{body}");
    let (_, body) = running.ask("GET", "/health/all", &[], "");
    assert!(body.contains("Start the server"), "{body}");
    assert_eq!(running.ask("GET", "/health/live", &[], "").0, 200);
    assert!(cluster.start_again());
    assert_eq!(running.ask("GET", "/health", &[], "").0, 200);
    let (status, body) = running.ask("GET", "/api/chats", &[], "");
    assert!(status == 200 && body.contains("before"), "{status} {body}");
}

#[test]
fn a_server_that_refuses_ends_the_start_with_a_sentence() {
    let place = place();
    let wrong = place.url.replace("p%40ss", "wrong");
    for arguments in [&["serve", "--port", "0"][..], &["migrate", "up"]] {
        let output = run(place.home.path(), arguments, &[("DATABASE_URL", &wrong)]);
        assert_eq!(output.status.code(), Some(1));
        let said = stderr(&output);
        assert!(
            said.contains("Correct user and password in DATABASE_URL"),
            "{said}"
        );
        assert!(!said.contains("wrong"), "{said}");
    }
    let doctor = run(
        place.home.path(),
        &["doctor", "--json"],
        &[("DATABASE_URL", &wrong)],
    );
    assert!(
        stdout(&doctor).contains("Correct user and password"),
        "{}",
        stdout(&doctor)
    );
}

#[test]
fn migrations_of_a_server_go_up_and_down_with_chats_in_it() {
    let place = place();
    assert!(place.done(&["migrate", "status"]).contains("missing"));
    place.done(&["migrate", "up", "--to", "2"]);
    assert_eq!(place.applied().iter().filter(|a| **a).count(), 2);
    assert_eq!(place.run(&["migrate", "verify"]).status.code(), Some(1));
    place.done(&["migrate", "up"]);
    place.done(&["migrate", "verify"]);

    let mut serving = place.serve();
    let (status, _) = serving.ask("POST", "/api/chats", &[], "{\"title\": \"between\"}");
    assert_eq!(status, 201);
    let refused = place.run(&["migrate", "down", "--yes"]);
    assert!(
        stderr(&refused).contains("1 running goblin"),
        "{}",
        stderr(&refused)
    );
    serving.signal("TERM");
    serving.wait();
    place.done(&["migrate", "down", "--yes"]);
    place.done(&["migrate", "down", "--to", "2", "--yes"]);
    place.done(&["migrate", "up"]);
    let again = place.serve();
    let (_, body) = again.ask("GET", "/api/chats", &[], "");
    assert!(body.contains("between"), "{body}");
}

#[test]
fn ten_processes_that_start_together_migrate_once() {
    let place = place();
    let start = |_| {
        goblin(place.home.path())
            .args(["migrate", "up"])
            .env("DATABASE_URL", &place.url)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let all: Vec<Child> = (0..10).map(start).collect();
    for one in all {
        let output = one.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
    place.done(&["migrate", "verify"]);
    assert_eq!(place.sql("SELECT COUNT(*) FROM tenants"), "1");
}

#[test]
fn a_migration_killed_in_the_middle_leaves_nothing_and_the_next_one_does_it() {
    let place = place();
    place.done(&["migrate", "up", "--to", "3"]);
    // Its first statement makes a table, its second one waits for this lock.
    let (mut holder, input) = place.lock("turns");
    let mut cut = goblin(place.home.path())
        .args(["migrate", "up"])
        .env("DATABASE_URL", &place.url)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    place.until_one_waits();
    cut.kill().unwrap();
    cut.wait().unwrap();
    drop(input);
    holder.wait().unwrap();
    place.done(&["migrate", "up"]);
    place.done(&["migrate", "verify"]);
    assert_eq!(
        place.sql("SELECT COUNT(*) FROM _sqlx_migrations WHERE version = 4"),
        "1"
    );
    assert_eq!(place.sql("SELECT COUNT(*) FROM processes"), "0");
}

#[test]
fn copies_that_share_a_database_share_the_key_and_end_sign_ins_for_each_other() {
    let place = place();
    let elsewhere = |key: Option<&'static str>| {
        let mut environment = vec![
            ("DATABASE_URL", place.url.as_str()),
            ("FRONTEND_URL", "https://chat.example.org"),
        ];
        environment.extend(key.map(|key| ("JWT_SECRET_KEY", key)));
        environment
    };
    let refused = run(place.home.path(), &["serve", "--port", "0"], &elsewhere(None));
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        stderr(&refused).contains("JWT_SECRET_KEY"),
        "{}",
        stderr(&refused)
    );

    let key = Some("a key of more than thirty-two bytes");
    let one = Running::start(place.home.path(), &["serve", "--port", "0"], &elsewhere(key));
    let link = std::fs::read_to_string(place.home.path().join(".local/share/goblin/first-link")).unwrap();
    let secret = link.trim().split_once('#').unwrap().1;
    let body = serde_json::json!({"token": secret, "email": "owner@example.org", "password": "a few words in a row"});
    let (status, signed_in) = crate::accounts::post(&one, "/auth/setup", &body);
    assert_eq!(status, 200, "{signed_in}");
    let token = &signed_in["access_token"];
    let elsewhere_home = tempfile::tempdir().unwrap();
    let two = Running::start(elsewhere_home.path(), &["serve", "--port", "0"], &elsewhere(key));
    assert_eq!(crate::accounts::get(&two, "/api/chats", token), 200);
    let bearer = format!("Bearer {}", token.as_str().unwrap());
    assert_eq!(
        one.ask("POST", "/auth/logout", &[("Authorization", &bearer)], "")
            .0,
        200
    );
    assert_eq!(
        crate::accounts::get(&two, "/api/chats", token),
        401,
        "at once, everywhere"
    );
}
