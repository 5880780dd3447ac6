//! What the engine refuses, and what it stops doing, as seen through HTTP: the real program with the real starter model.
#![cfg(feature = "engine")]

use serde_json::{Value, json};

use crate::process::{Running, until};
use crate::tier_faults::{first_text, long};
use crate::tiers::{KEY, MODEL, ask_until_loaded, home_with_model, question, start};

const AUTH: &[(&str, &str)] = &[("x-api-key", KEY)];
/// What each of these servers is started with.
const CONTEXT: u64 = 1024;
/// A picture of one pixel.
const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

fn tier() -> (Running, tempfile::TempDir) {
    let home = home_with_model();
    let serve = ["models", "serve", "--port", "0"];
    let tier = start(home.path(), &serve, &[("LOCAL_LLM_API_KEY", KEY)]);
    until("the model is in memory", || {
        let one = instance(&tier);
        (one["state"] == "loaded").then_some(())
    });
    (tier, home)
}

/// What a tier says of its only model.
fn instance(tier: &Running) -> Value {
    let (status, told) = tier.ask("GET", "/v1/goblin/status", AUTH, "");
    assert_eq!(status, 200, "{told}");
    let told: Value = serde_json::from_str(told.trim()).unwrap();
    told["instances"][0].clone()
}

fn post(server: &Running, path: &str, body: &Value) -> (u16, Value) {
    let (status, answer) = server.ask("POST", path, AUTH, &body.to_string());
    let read = serde_json::from_str(answer.trim());
    (status, read.unwrap_or_else(|_| panic!("{path}: {answer}")))
}

/// The doors of a backend and of a tier that end at the engine, and the status of a field that is wrong there.
const BACKEND: &[(&str, u16)] = &[
    ("/v1/chat/completions", 400),
    ("/api/chat/completions", 422),
    ("/chat/completions", 422),
];
const TIER: &[(&str, u16)] = &[
    ("/v1/chat/completions", 400),
    ("/v1/messages", 400),
    ("/api/chat", 400),
    ("/chat/completions", 422),
];

/// A question with a picture, in the words of the door.
fn with_picture(path: &str) -> Value {
    let mut body = json!({"model": MODEL, "max_tokens": 4, "stream": false});
    let url = format!("data:image/png;base64,{PIXEL}");
    body["messages"] = match path {
        "/api/chat" => json!([{"role": "user", "content": "What is this?", "images": [PIXEL]}]),
        "/v1/messages" => {
            let source = json!({"type": "base64", "media_type": "image/png", "data": PIXEL});
            json!([{"role": "user", "content": [{"type": "image", "source": source}]}])
        }
        _ => json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]),
    };
    body
}

/// What a refusal says, wherever its door puts it.
fn message(body: &Value) -> &str {
    let error = &body["error"];
    let said = error["message"].as_str().or(error.as_str());
    said.unwrap_or_else(|| panic!("no message: {body}"))
}

/// Asks through each door and expects it to refuse.
fn all_refuse(server: &Running, doors: &[(&str, u16)], body: impl Fn(&str) -> Value, says: &[&str]) {
    for (path, expected) in doors {
        let (status, refused) = post(server, path, &body(path));
        assert_eq!(status, *expected, "{path}: {refused}");
        for part in says {
            assert!(message(&refused).contains(part), "{path}: {part} in {refused}");
        }
    }
}

/// A prompt that is longer than the context.
fn too_long() -> Value {
    json!({"model": MODEL, "max_tokens": 4, "stream": false,
           "messages": [{"role": "user", "content": "goblin ".repeat(1500)}]})
}

#[test]
fn a_backend_says_that_a_text_model_sees_no_picture_and_names_both_numbers_of_a_prompt_too_long() {
    let home = home_with_model();
    let server = start(home.path(), &["up", "--port", "0"], &[]);
    ask_until_loaded(&server, &question(false));
    all_refuse(&server, BACKEND, with_picture, &["reads text only"]);
    let (_, refused) = post(&server, BACKEND[0].0, &with_picture(BACKEND[0].0));
    assert_eq!(refused["error"]["param"], "messages[0].content", "{refused}");

    let context = format!("holds {CONTEXT} tokens");
    all_refuse(&server, BACKEND, |_| too_long(), &["The prompt has ", &context]);
    let (_, refused) = post(&server, BACKEND[0].0, &too_long());
    assert_eq!(refused["error"]["code"], "context_length_exceeded", "{refused}");
    let (status, answer) = post(&server, BACKEND[0].0, &question(false));
    assert_eq!(status, 200, "a refusal costs nobody his answer: {answer}");
}

#[test]
fn every_door_of_a_tier_says_the_same_with_the_exact_number_of_tokens() {
    let (tier, _home) = tier();
    all_refuse(&tier, TIER, with_picture, &["reads text only"]);
    let (status, counted) = post(&tier, "/v1/goblin/tokenize", &too_long());
    assert_eq!(
        (status, &counted["method"], &counted["context_window"]),
        (200, &json!("tokenizer"), &json!(CONTEXT)),
        "{counted}"
    );
    let tokens = counted["prompt_tokens"].as_u64().unwrap();
    assert!(tokens > CONTEXT, "{counted}");
    let numbers = [format!("has {tokens} tokens"), format!("holds {CONTEXT} tokens")];
    all_refuse(&tier, TIER, |_| too_long(), &[&*numbers[0], &*numbers[1]]);
}

/// The access log's lines of answers whose caller left.
fn cancelled(tier: &Running) -> Vec<Value> {
    let logs = tier.logs();
    let lines = logs
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .filter(|line| line["target"] == "goblin::access" && line["outcome"] == "cancelled")
        .collect()
}

#[test]
fn a_client_that_leaves_in_the_middle_frees_its_place_and_nothing_is_computed_for_it_any_more() {
    let (tier, _home) = tier();
    let body = long(MODEL);
    let mut streams = Vec::new();
    for running in 1..=2 {
        let (status, mut stream) = tier.begin("POST", "/v1/chat/completions", AUTH, &body.to_string());
        assert_eq!(status, 200, "{}", tier.logs());
        first_text(&mut stream);
        assert_eq!(instance(&tier)["running"], running, "both places are taken");
        streams.push(stream);
    }
    drop(streams);
    until("both places are free", || {
        let one = instance(&tier);
        (one["running"] == 0 && one["queued"] == 0).then_some(())
    });
    let left = until("both are told in the log", || {
        let left = cancelled(&tier);
        (left.len() == 2).then_some(left)
    });
    for line in &left {
        let tokens = line["completion_tokens"].as_u64().unwrap();
        assert!((1..900).contains(&tokens), "it was far from its end: {line}");
    }
    // What is left of the two answers would take many times that.
    #[cfg(target_os = "linux")]
    assert!(crate::idle::until_it_sleeps(&tier) < crate::idle::YARDSTICK);
    assert_eq!(cancelled(&tier), left);
    let (status, answer) = post(&tier, "/v1/chat/completions", &question(false));
    assert_eq!(status, 200, "the places can be used: {answer}");
}
