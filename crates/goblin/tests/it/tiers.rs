//! The tiers as separate processes with a real model, and what is left after the power went off.
#![cfg(feature = "engine")]

use std::io::BufRead;
use std::path::Path;

use serde_json::{Value, json};

use crate::process::{Running, run, starter_model, stderr, until};

pub(crate) const KEY: &str = "a-key-for-this-test-only-0123456789";
pub(crate) const MODEL: &str = "smollm2-135m-instruct";

pub(crate) fn home_with_model() -> tempfile::TempDir {
    let home = tempfile::Builder::new()
        .prefix("a home with spaces ")
        .tempdir()
        .unwrap();
    let models = home.path().join(".local/share/goblin/models");
    std::fs::create_dir_all(&models).unwrap();
    std::os::unix::fs::symlink(starter_model(), models.join("SmolLM2-135M-Instruct-Q4_1.gguf")).unwrap();
    home
}

/// One engine thread and short contexts: several of these run side by side.
const SMALL: &[&str] = &[
    "--set",
    "engine.threads=1",
    "--set",
    "engine.sequences=2",
    "--set",
    "engine.context_tokens=1024",
];

pub(crate) fn start(home: &Path, command: &[&str], environment: &[(&str, &str)]) -> Running {
    Running::start(home, &[command, SMALL].concat(), environment)
}

/// Asks until the model has been loaded. Each refusal before must say so with 503.
pub(crate) fn ask_until_loaded(server: &Running, body: &Value) -> String {
    until("the model is loaded", || {
        let (status, answer) = server.ask("POST", "/v1/chat/completions", &[], &body.to_string());
        assert!(
            status == 200
                || (status == 503 && (answer.contains("still loading") || answer.contains("cannot serve"))),
            "{status}: {answer} {}",
            server.logs()
        );
        (status == 200).then_some(answer)
    })
}

pub(crate) fn question(stream: bool) -> Value {
    json!({"model": "goblin", "stream": stream, "max_tokens": 16, "temperature": 0,
           "messages": [{"role": "user", "content": "What is the capital of France?"}]})
}

#[test]
fn up_answers_with_the_starter_model_in_process() {
    let home = home_with_model();
    let mut server = start(home.path(), &["up", "--port", "0"], &[]);
    let answer = ask_until_loaded(&server, &question(true));
    assert!(
        answer.contains("chat.completion.chunk") && answer.contains("data: [DONE]"),
        "{answer}"
    );
    let status: Value = serde_json::from_str(&server.ask("GET", "/api/status", &[], "").1).unwrap();
    assert_eq!(status["default_model"], format!("engine/{MODEL}"));
    assert_eq!(status["models"][0]["starter"], true);
    assert!(status["no_model_help"].is_null());
    let listed = run(home.path(), &["models", "list", "--json"], &[]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(
        (&listed[0]["name"], &listed[0]["source"]),
        (&json!(MODEL), &json!("starter"))
    );
    server.signal("TERM");
    assert_eq!(server.wait(), Some(0), "{}", server.logs());
}

#[test]
fn a_backend_streams_through_the_tier_tells_when_it_is_gone_and_recovers() {
    let home = home_with_model();
    let key = [("LOCAL_LLM_API_KEY", KEY)];
    let tier = start(home.path(), &["models", "serve", "--port", "0"], &key);
    assert_eq!(tier.ask("GET", "/v1/models", &[], "").0, 401);
    assert_ne!(tier.ask("GET", "/v1/models", &[("x-api-key", KEY)], "").0, 401);
    let address = format!("http://{}", tier.address);
    let environment = [("LOCAL_LLM_PROXY_URL", address.as_str()), key[0]];
    let backend = Running::start(home.path(), &["serve", "--port", "0"], &environment);
    let answer = ask_until_loaded(&backend, &question(true));
    assert!(answer.contains("data: [DONE]"), "{answer}");
    let chat = new_chat(&backend);
    let turn = ask_in_chat(&backend, &chat, "What is the capital of France?");
    assert_eq!(
        (&turn["status"], &turn["model"]),
        (&json!("complete"), &json!(format!("tier/{MODEL}"))),
        "{turn}"
    );

    let port = tier.address.port().to_string();
    tier.signal("KILL");
    drop(tier);
    let mut body = question(false);
    body["model"] = json!(format!("tier/{MODEL}"));
    let gone = until("the tier is known to be gone", || {
        // Its state is believed for a moment; until then an answer may fail as 502.
        let (status, answer) = backend.ask("POST", "/v1/chat/completions", &[], &body.to_string());
        assert!(status == 502 || status == 503, "{status}: {answer}");
        (status == 503).then_some(answer)
    });
    assert!(
        gone.contains("cannot be reached") && !gone.contains("make models"),
        "{gone}"
    );
    let turns = format!("/api/chats/{chat}/turns");
    // Refused, or, while the tier is still believed to be there, a turn that failed.
    let (_, refused) = backend.ask(
        "POST",
        &turns,
        &[],
        &json!({"content": "And of Spain?"}).to_string(),
    );
    assert!(refused.contains("cannot be reached"), "{refused}");
    let status = until("the status says what is wrong", || {
        let status: Value = serde_json::from_str(&backend.ask("GET", "/api/status", &[], "").1).unwrap();
        (!status["no_model_help"].is_null()).then_some(status)
    });
    let help = status["no_model_help"].as_str().unwrap();
    assert!(help.contains("cannot be reached"), "{status}");
    assert!(
        status["suggestion"].is_null(),
        "another model is no remedy: {status}"
    );

    let _tier = start(home.path(), &["models", "serve", "--port", &port], &key);
    let answer = until("the tier answers again", || {
        let (status, answer) = backend.ask("POST", "/v1/chat/completions", &[], &question(true).to_string());
        assert!(status == 200 || status == 503, "{status}: {answer}");
        (status == 200).then_some(answer)
    });
    assert!(
        answer.contains("data: [DONE]"),
        "recovered without a restart: {answer}"
    );
}

#[test]
fn a_backend_with_a_wrong_key_says_that_its_key_is_refused() {
    let home = home_with_model();
    let tier = start(
        home.path(),
        &["models", "serve", "--port", "0"],
        &[("LOCAL_LLM_API_KEY", KEY)],
    );
    let address = format!("http://{}", tier.address);
    let wrong = [
        ("LOCAL_LLM_PROXY_URL", address.as_str()),
        ("LOCAL_LLM_API_KEY", "another-key-0123456789-0123456789"),
    ];
    let backend = Running::start(home.path(), &["serve", "--port", "0"], &wrong);
    for model in ["goblin".to_owned(), format!("tier/{MODEL}")] {
        let mut body = question(false);
        body["model"] = json!(model);
        let (status, answer) = backend.ask("POST", "/v1/chat/completions", &[], &body.to_string());
        assert_eq!(status, 502, "{answer}");
        assert!(
            answer.contains("refuses this server's key") && !answer.contains("another-key"),
            "{answer}"
        );
    }
}

fn new_chat(server: &Running) -> String {
    let (status, chat) = server.ask("POST", "/api/chats", &[], "{}");
    assert_eq!(status, 201, "{chat}");
    let chat: Value = serde_json::from_str(chat.trim()).unwrap();
    chat["id"].as_str().unwrap().to_owned()
}

/// Asks in a chat and reads the stream to its end: the turn as it was saved.
fn ask_in_chat(server: &Running, chat: &str, content: &str) -> Value {
    let turns = format!("/api/chats/{chat}/turns");
    let body = json!({"content": content}).to_string();
    let (status, mut stream) = server.begin("POST", &turns, &[], &body);
    assert_eq!(status, 200, "{}", server.logs());
    let (mut done, mut line) = (false, String::new());
    while stream.read_line(&mut line).unwrap() > 0 {
        if done && let Some(data) = line.strip_prefix("data: ") {
            return serde_json::from_str::<Value>(data).unwrap()["turn"].clone();
        }
        done |= line.starts_with("event: done");
        line.clear();
    }
    panic!("the stream ended without its last event: {}", server.logs());
}

#[test]
fn what_was_answered_survives_a_kill_and_is_marked_incomplete() {
    let home = home_with_model();
    let server = start(home.path(), &["up", "--port", "0"], &[]);
    ask_until_loaded(&server, &question(false));
    let turns = format!("/api/chats/{}/turns", new_chat(&server));
    let body =
        json!({"content": "Tell me a long story about a goblin and count its coins one by one."}).to_string();
    let (status, mut stream) = server.begin("POST", &turns, &[], &body);
    assert_eq!(status, 200);
    let mut deltas = 0;
    let mut line = String::new();
    while deltas < 5 && stream.read_line(&mut line).unwrap() > 0 {
        deltas += usize::from(line.starts_with("event: delta"));
        line.clear();
    }
    assert_eq!(deltas, 5, "{}", server.logs());
    let saved = until("a part of the answer is saved", || {
        let page: Value = serde_json::from_str(&server.ask("GET", &turns, &[], "").1).unwrap();
        let answer = page["items"][0]["answer"].as_str().unwrap_or_default();
        (!answer.is_empty()).then(|| answer.to_owned())
    });
    server.signal("KILL");
    drop(server);
    let server = start(home.path(), &["serve", "--port", "0"], &[]);
    let page: Value = serde_json::from_str(&server.ask("GET", &turns, &[], "").1).unwrap();
    let turn = &page["items"][0];
    assert_eq!(turn["status"], "incomplete", "{turn}");
    assert!(turn["content"].as_str().unwrap().contains("long story"));
    assert!(turn["answer"].as_str().unwrap().starts_with(&saved), "{turn}");
}

#[test]
fn a_damaged_model_does_not_keep_the_rest_from_working() {
    let home = tempfile::tempdir().unwrap();
    let models = home.path().join(".local/share/goblin/models");
    std::fs::create_dir_all(&models).unwrap();
    let whole = std::fs::read(starter_model()).unwrap();
    std::fs::write(models.join("cut.gguf"), &whole[..whole.len() / 2]).unwrap();
    let server = start(home.path(), &["up", "--port", "0"], &[]);
    let status: Value = serde_json::from_str(&server.ask("GET", "/api/status", &[], "").1).unwrap();
    let engine = status["upstreams"]
        .as_array()
        .unwrap()
        .iter()
        .find(|u| u["id"] == "engine")
        .unwrap();
    assert_eq!(engine["state"], "down");
    assert!(
        engine["admin_detail"].as_str().unwrap().contains("truncated"),
        "{engine}"
    );
}

#[test]
fn a_model_is_added_where_it_is_and_shown() {
    let home = tempfile::tempdir().unwrap();
    let model = starter_model();
    let path = model.to_str().unwrap();
    let added = run(home.path(), &["models", "add", path, "--name", "tiny"], &[]);
    assert_eq!(added.status.code(), Some(0), "{}", stderr(&added));
    let shown = run(home.path(), &["models", "show", "tiny", "--json"], &[]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["architecture"], "llama");
    assert_eq!(shown["size_bytes"], 98_362_432);
    let removed = run(home.path(), &["models", "rm", "tiny"], &[]);
    assert_eq!(removed.status.code(), Some(0));
    assert!(model.is_file(), "a file outside goblin's folder is kept");
}

#[test]
fn the_first_key_is_left_in_a_private_file_when_nobody_watches() {
    use std::os::unix::fs::PermissionsExt;
    let home = home_with_model();
    let tier = start(home.path(), &["models", "serve", "--port", "0"], &[]);
    let path = home.path().join(".local/share/goblin/first-key");
    let key = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    until("the model is loaded and the key opens the tier", || {
        let (status, answer) = tier.ask("GET", "/v1/models", &[("x-api-key", key.trim())], "");
        assert!(status == 200 || answer.contains("still loading"), "{answer}");
        (status == 200).then_some(())
    });
    assert!(!tier.logs().contains(key.trim()), "the key is never logged");
}
