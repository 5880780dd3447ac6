//! Backup and restore of the roster, and the status of a model tier.

use std::fs;

use serde_json::{Value, json};

use crate::process::{run, stderr, stdout};
use crate::registry_server::RegistryServer;

const STATUS: &str = "/v1/goblin/status";
const JSON: &str = "content-type: application/json\r\n";

fn home() -> tempfile::TempDir {
    tempfile::Builder::new()
        .prefix("a home with spaces ")
        .tempdir()
        .unwrap()
}

#[test]
fn roster_and_keys_are_kept_in_one_file_and_put_back_elsewhere() {
    let (here, there) = (home(), home());
    let data = here.path().join(".local/share/goblin");
    fs::create_dir_all(data.join("models")).unwrap();
    let keys = format!(
        "[[keys]]\nname = 'laptop'\nid = 'abcdefgh'\nsha256 = '{}'\nscopes = ['infer']\ncreated_at = '2026-01-01T00:00:00Z'\n",
        "0a".repeat(32)
    );
    fs::write(data.join("tier-keys.toml"), &keys).unwrap();
    let list = format!(
        "[[models]]\nname = 'gemma:2b'\npath = '{}'\nsha256 = '{}'\nsource = 'pulled'\nreference = 'gemma:2b'\n\
         added_at = '2026-01-01T00:00:00Z'\n",
        data.join("models/gemma-2b.gguf").display(),
        "ab".repeat(32)
    );
    fs::write(data.join("models.toml"), list).unwrap();
    let file = here.path().join("tier.backup");
    let file = file.to_str().unwrap();
    let environment = [("GOBLIN_TIER__MODELS__TOP__MODEL", "qwen2.5:7b")];
    let made = run(here.path(), &["models", "backup", file], &environment);
    assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
    assert!(
        stdout(&made).contains("5 roles, 1 models in the list and 1 keys"),
        "{}",
        stdout(&made)
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let again = run(here.path(), &["models", "backup", file], &[]);
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("--force"), "{}", stderr(&again));

    let restored = run(there.path(), &["models", "restore", file], &[]);
    assert_eq!(restored.status.code(), Some(0), "{}", stderr(&restored));
    let said = stdout(&restored);
    for part in [
        "restored 1 models in the list and 1 keys",
        "goblin models update gemma:2b",
        "[tier.models.top]",
        "model = \"qwen2.5:7b\"",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let list = run(there.path(), &["models", "list", "--json"], &[]);
    let rows: Vec<Value> = serde_json::from_slice(&list.stdout).unwrap();
    assert_eq!(
        (&rows[0]["name"], &rows[0]["size_bytes"]),
        (&json!("gemma:2b"), &Value::Null)
    );
    let new_keys = fs::read_to_string(there.path().join(".local/share/goblin/tier-keys.toml")).unwrap();
    assert!(new_keys.contains("laptop"), "{new_keys}");
    let over = run(there.path(), &["models", "restore", file], &[]);
    assert_eq!(over.status.code(), Some(1));
    assert!(stderr(&over).contains("--force"), "{}", stderr(&over));
    let forced = run(there.path(), &["models", "restore", file, "--force"], &[]);
    assert_eq!(forced.status.code(), Some(0), "{}", stderr(&forced));
    fs::write(file, "version = 9\n").unwrap();
    let newer = run(there.path(), &["models", "restore", file, "--force"], &[]);
    assert_eq!(newer.status.code(), Some(1));
    assert!(stderr(&newer).contains("version 9"), "{}", stderr(&newer));
}

#[test]
fn the_roster_is_shown_with_what_is_missing() {
    let home = home();
    let shown = run(home.path(), &["models", "roster"], &[]);
    assert_eq!(shown.status.code(), Some(0), "{}", stderr(&shown));
    for part in [
        "safety",
        "gemma:2b",
        "deepseek-coder:latest",
        "1800 s",
        "missing",
        "goblin models pull --roster",
    ] {
        assert!(stdout(&shown).contains(part), "{part} in {}", stdout(&shown));
    }
}

#[test]
fn the_status_of_a_tier_is_a_table_or_json() {
    let (home, tier) = (home(), RegistryServer::start());
    let status = json!({
        "instances": [
            {"provider": "ollama", "model": "gemma:2b", "state": "loaded", "running": 1, "queued": 3, "slots": 2,
             "predicted_wait_ms": 1234.5, "predicted_first_token_ms": 250.0, "decode_tokens_per_second": 61.25,
             "prefill_tokens_per_second": 240.0, "context_window": 8192, "capabilities": ["chat"],
             "memory_bytes": 1_800_000_000_u64, "roles": ["safety", "quick"], "keep_alive_seconds": 1800},
            {"provider": "engine", "model": "smollm2", "state": "available", "running": 0, "queued": 0,
             "slots": null, "predicted_wait_ms": null, "something_new": true}
        ],
        "warnings": ["OLLAMA_NUM_PARALLEL is 1"]
    });
    for _ in 0..2 {
        tier.say_once(STATUS, "200 OK", JSON, &status.to_string());
    }
    let key = [("LOCAL_LLM_API_KEY", "gbl_key")];
    let shown = run(home.path(), &["models", "status", "--url", &tier.url], &key);
    assert_eq!(shown.status.code(), Some(0), "{}", stderr(&shown));
    for part in [
        "ollama/gemma:2b",
        "loaded",
        "1/2",
        "1.7 GiB",
        "61.2",
        "1234 ms",
        "engine/smollm2",
        "safety, quick",
        "30 min",
        "8192",
    ] {
        assert!(stdout(&shown).contains(part), "{part} in {}", stdout(&shown));
    }
    assert!(stderr(&shown).contains("OLLAMA_NUM_PARALLEL is 1"));
    let file = home.path().join("key");
    fs::write(&file, "gbl_from_file\n").unwrap();
    let arguments = [
        "models",
        "status",
        "--url",
        &tier.url,
        "--json",
        "--key-file",
        file.to_str().unwrap(),
    ];
    let printed = run(home.path(), &arguments, &key);
    let printed: Value = serde_json::from_slice(&printed.stdout).unwrap();
    assert_eq!(printed, status, "all of it, also what the table leaves out");
    let asked = tier.asked();
    assert!(asked[0].contains("authorization: bearer gbl_key"));
    assert!(asked[1].contains("authorization: bearer gbl_from_file"));
}

#[test]
fn a_tier_that_is_away_or_refuses_is_told_apart() {
    let (home, tier) = (home(), RegistryServer::start());
    let ask = |url: &str, environment: &[(&str, &str)]| {
        let output = run(home.path(), &["models", "status", "--url", url], environment);
        assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
        stderr(&output)
    };
    let key = [("LOCAL_LLM_API_KEY", "gbl_hidden")];
    let away = ask("http://127.0.0.1:1", &key);
    assert!(
        away.contains("No model tier answers at http://127.0.0.1:1") && away.contains("goblin models serve")
    );
    for (status, environment, says) in [
        ("401 Unauthorized", &[][..], "set LOCAL_LLM_API_KEY"),
        ("401 Unauthorized", &key[..], "refuses the key"),
        ("403 Forbidden", &key[..], "scope `read`"),
        ("404 Not Found", &key[..], "no model tier, or an older one"),
        ("500 Internal Server Error", &key[..], "status 500"),
    ] {
        tier.say_once(STATUS, status, JSON, "{}");
        let said = ask(&tier.url, environment);
        assert!(said.contains(says) && !said.contains("gbl_hidden"), "{said}");
    }
    tier.say_once(STATUS, "200 OK", JSON, "<html>");
    assert!(ask(&tier.url, &key).contains("is no model tier"));
    let missing = run(home.path(), &["models", "status", "--key-file", "nowhere"], &[]);
    assert!(
        stderr(&missing).contains("the key file nowhere"),
        "{}",
        stderr(&missing)
    );
}
