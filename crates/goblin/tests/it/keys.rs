//! The model tier's keys, from the command line to a tier that runs.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::model_server;
use crate::process::{Running, run, stderr, stdout, until};

fn home() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn keys(home: &Path, arguments: &str) -> Output {
    let mut all = vec!["models", "keys"];
    all.extend(arguments.split_whitespace());
    run(home, &all, &[])
}

/// A command that must work; what it printed.
fn done(home: &Path, arguments: &str) -> String {
    let output = keys(home, arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments}: {}", stderr(&output));
    stdout(&output)
}

fn listed(home: &Path) -> Vec<Value> {
    serde_json::from_str(&done(home, "list --json")).unwrap()
}

#[test]
fn a_new_key_goes_alone_into_a_pipe_and_is_never_shown_again() {
    let home = home();
    let made = keys(home.path(), "create backend");
    assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
    let key = stdout(&made);
    assert!(
        key.starts_with("gbl_tier_") && key.len() == 67 && key.ends_with('\n'),
        "{key:?}"
    );
    assert!(stderr(&made).contains("`backend`") && !stderr(&made).contains(key.trim()));
    let file = home.path().join(".local/share/goblin/tier-keys.toml");
    let kept = std::fs::read_to_string(&file).unwrap();
    for text in [kept, done(home.path(), "list"), done(home.path(), "list --json")] {
        assert!(text.contains("backend") && text.contains(&key[9..17]), "{text}");
        assert!(
            !text.contains(key.trim()) && !text.contains(&key[17..60]),
            "{text}"
        );
    }
    assert_eq!(listed(home.path())[0]["scopes"], json!(["infer", "embed"]));
}

#[test]
fn what_a_key_may_is_listed_for_people_and_programs() {
    let home = home();
    assert!(done(home.path(), "list").contains("goblin models keys create"));
    let options = "create student --scope read --scope infer --requests-per-minute 20 --concurrent 2 \
                   --tokens-per-day 200000 --expires 2127-01-31 --from 10.0.0.0/8 --from fd00::7 --json";
    let made: Value = serde_json::from_str(&done(home.path(), options)).unwrap();
    assert!(made["key"].as_str().unwrap().starts_with("gbl_tier_"));
    let rows = listed(home.path());
    let row = &rows[0];
    assert_eq!(
        row["limits"],
        json!({"requests_per_minute": 20, "concurrent": 2, "tokens_per_day": 200_000})
    );
    assert_eq!(row["from"], json!(["10.0.0.0/8", "fd00::7"]));
    assert_eq!(row["expires_at"], "2127-02-01T00:00:00Z");
    assert_eq!((&row["state"], &row["tokens_today"]), (&json!("good"), &json!(0)));
    assert!(row["key"].is_null(), "{row}");
    let table = done(home.path(), "list");
    for cell in [
        "NAME",
        "STATE",
        "read,infer",
        "20/min, 2 at once, 0 of 200000 tokens/day",
        "10.0.0.0/8",
        "good",
    ] {
        assert!(table.contains(cell), "{cell} in {table}");
    }
}

#[test]
fn rotating_and_revoking_show_in_the_list() {
    let home = home();
    let old = done(home.path(), "create ci");
    let new = done(home.path(), "rotate ci --overlap 2h");
    assert_ne!(old, new);
    assert_eq!(listed(home.path())[0]["previous"][0]["id"], old[9..17]);
    assert!(done(home.path(), "list").contains("old secret until"));
    let now = keys(home.path(), "rotate ci --overlap 0s");
    assert!(stderr(&now).contains("No older secret"), "{}", stderr(&now));
    assert_eq!(listed(home.path())[0]["previous"], json!([]));
    assert!(done(home.path(), "revoke ci").contains("revoked `ci`"));
    assert_eq!(listed(home.path())[0]["state"], "revoked");
    let taken = keys(home.path(), "create ci");
    assert!(
        stderr(&taken).contains("already a key named `ci`"),
        "{}",
        stderr(&taken)
    );
    let over = keys(home.path(), "rotate ci");
    assert_eq!(over.status.code(), Some(1));
    assert!(stderr(&over).contains("is revoked"), "{}", stderr(&over));
    done(home.path(), "revoke ci --forget");
    assert_eq!(listed(home.path()), [] as [Value; 0]);
    done(home.path(), "create ci");
}

#[test]
fn what_is_wrong_on_the_command_line_is_said_with_the_fix() {
    let home = home();
    done(home.path(), "create prometheus");
    for (arguments, code, says) in [
        ("revoke promethus", 1, "Did you mean `prometheus`?"),
        ("rotate prometheu", 1, "Did you mean `prometheus`?"),
        ("revoke somebody-else-entirely", 1, "goblin models keys list"),
        ("revoke environment", 1, "LOCAL_LLM_API_KEY"),
        ("create prometheus", 1, "already a key named"),
        ("create environment", 1, "not `environment`"),
        ("create late --expires 2020-01-01", 1, "Choose a later end"),
        ("create a --scope infre", 2, "Did you mean `infer`?"),
        ("create a --expires soon", 2, "30d"),
        ("create a --from 10.0.0.5/8", 2, "Write 10.0.0.0/8"),
        ("create a --requests-per-minute 0", 2, "requests-per-minute"),
        ("rotate prometheus --overlap 1y", 2, "24h"),
        ("create", 2, "Usage"),
    ] {
        let output = keys(home.path(), arguments);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments}: {}",
            stderr(&output)
        );
        assert!(stderr(&output).contains(says), "{arguments}: {}", stderr(&output));
        assert_eq!(stdout(&output), "", "{arguments}");
    }
    assert_eq!(listed(home.path()).len(), 1);
    let help = done(home.path(), "--help");
    assert!(
        help.contains("Examples:") && help.contains("Exit codes"),
        "{help}"
    );
}

#[test]
fn a_running_tier_learns_of_new_rotated_and_revoked_keys() {
    let home = home();
    let first = done(home.path(), "create first");
    let tier = Running::start(home.path(), &["models", "serve", "--port", "0"], &[]);
    let ask = |key: &str| tier.ask("GET", "/v1/models", &[("x-api-key", key.trim())], "").0;
    let reads = |times: usize| {
        let read = || tier.logs().matches("the keys file was read again").count() >= times;
        until("the tier reads its keys again", || read().then_some(()));
    };
    assert_eq!(ask(&first), 200);
    let second = done(home.path(), "create second");
    reads(1);
    assert_eq!(ask(&second), 200);
    let third = done(home.path(), "rotate second");
    reads(2);
    assert_eq!((ask(&second), ask(&third)), (200, 200), "the old secret overlaps");
    done(home.path(), "revoke second");
    reads(3);
    assert_eq!((ask(&second), ask(&third), ask(&first)), (401, 401, 200));
}

#[test]
fn a_key_in_the_address_is_refused_and_never_logged() {
    let home = home();
    let key = done(home.path(), "create laptop");
    let key = key.trim();
    let mut tier = Running::start(
        home.path(),
        &["models", "serve", "--port", "0", "--log-level", "trace"],
        &[],
    );
    for field in ["key", "api_key", "token"] {
        let path = format!("/v1/models?{field}={key}");
        let (status, body) = tier.ask("GET", &path, &[], "");
        assert!(
            status == 401 && body.contains("x-api-key: KEY") && !body.contains(key),
            "{body}"
        );
    }
    assert_eq!(tier.ask("GET", "/v1/models", &[("x-api-key", key)], "").0, 200);
    tier.signal("TERM");
    assert_eq!(tier.wait(), Some(0), "{}", tier.logs());
    let logs = tier.logs();
    assert!(logs.contains("refused"), "{logs}");
    assert!(
        !logs.contains(&key[17..]) && !logs.contains("gbl_tier_"),
        "{logs}"
    );
}

#[test]
fn a_damaged_usage_file_stops_the_start_with_the_fix() {
    let home = home();
    done(home.path(), "create laptop");
    let file = home.path().join(".local/share/goblin/tier-usage.toml");
    std::fs::write(&file, "day = 7\n").unwrap();
    let output = run(home.path(), &["models", "serve", "--port", "0"], &[]);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(
        said.contains("tier-usage.toml") && said.contains("move it away"),
        "{said}"
    );
}

/// The lines of the access log so far.
fn access_log(tier: &Running) -> Vec<Value> {
    let lines = tier.logs();
    let parsed = lines
        .lines()
        .filter_map(|l| serde_json::from_str::<Value>(l).ok());
    parsed.filter(|l| l["target"] == "goblin::access").collect()
}

#[test]
fn the_access_log_says_who_asked_what_and_what_came_of_it_also_of_those_turned_away() {
    let home = home();
    let key = done(home.path(), "create laptop --requests-per-minute 2");
    let reader = done(home.path(), "create looker --scope read");
    let ollama = model_server::start().to_string();
    let tier = Running::start(
        home.path(),
        &["models", "serve", "--port", "0"],
        &[("OLLAMA_HOST", &ollama)],
    );
    let question = json!({"model": "m:latest", "stream": false,
        "messages": [{"role": "user", "content": "a-prompt-nobody-logs"}]});
    let ask = |id: &str, path: &str, key: &str, body: &Value| {
        let headers = [("x-correlation-id", id), ("x-api-key", key.trim())];
        tier.ask("POST", path, &headers, &body.to_string()).0
    };
    let chat = "/v1/chat/completions";
    assert_eq!(ask("good", chat, &key, &question), 200, "{}", tier.logs());
    let text = json!({"model": "m:latest", "input": "a-prompt-nobody-logs"});
    assert_eq!(
        ask("embeds", "/v1/embeddings", &key, &text),
        200,
        "{}",
        tier.logs()
    );
    assert_eq!(ask("over", chat, &key, &question), 429);
    assert_eq!(ask("scope", chat, &reader, &question), 403);
    assert_eq!(ask("wrong", chat, "no-such-key", &question), 401);
    let query = format!("{chat}?api_key=no-such-key");
    assert_eq!(ask("query", &query, &key, &question), 401);
    let all = until("the last line is written", || {
        let all = access_log(&tier);
        all.iter().any(|l| l["request_id"] == "query").then_some(all)
    });
    let expected = [
        ("good", json!("laptop"), "complete", Value::Null),
        ("embeds", json!("laptop"), "complete", Value::Null),
        ("over", json!("laptop"), "refused", json!("rate_limited")),
        ("scope", json!("looker"), "refused", json!("forbidden")),
        ("wrong", Value::Null, "refused", json!("unauthorized")),
        ("query", Value::Null, "refused", json!("unauthorized")),
    ];
    assert_eq!(all.len(), expected.len(), "{all:?}");
    for (id, who, outcome, code) in expected {
        let line = all.iter().find(|l| l["request_id"] == id).unwrap();
        assert_eq!(
            (&line["key"], &line["outcome"], &line["code"], &line["address"]),
            (&who, &json!(outcome), &code, &json!("127.0.0.1")),
            "{line}"
        );
    }
    let good = all.iter().find(|l| l["request_id"] == "good").unwrap();
    assert_eq!(
        (&good["model"], &good["prompt_tokens"], &good["completion_tokens"]),
        (&json!("ollama/m:latest"), &json!(9), &json!(1)),
        "{good}"
    );
    assert!(good["queue_ms"].is_u64() && good["run_ms"].is_u64(), "{good}");
    let logs = tier.logs();
    assert!(
        !logs.contains("a-prompt-nobody-logs") && !logs.contains("no-such-key"),
        "{logs}"
    );
}
