//! Measured rates: taken by `goblin models bench`, learned by a tier at work, and known to the next start.
#![cfg(feature = "engine")]

use std::path::Path;

use serde_json::{Value, json};

use crate::process::{Running, run, stderr, stdout, until};
use crate::tiers::{KEY, MODEL, home_with_model, start};

const QUICK: &[&str] = &[
    "models",
    "bench",
    "--repeat",
    "1",
    "--tokens",
    "8",
    "--prompt-tokens",
    "64",
];
const ONE_THREAD: &[(&str, &str)] = &[
    ("GOBLIN_ENGINE__THREADS", "1"),
    ("GOBLIN_ENGINE__SEQUENCES", "2"),
    ("GOBLIN_ENGINE__CONTEXT_TOKENS", "1024"),
    ("GOBLIN_UPSTREAM__DISCOVER", "false"),
];

fn rates(home: &Path) -> Option<toml::Table> {
    let file = home.join(".local/share/goblin/rates.toml");
    std::fs::read_to_string(file).ok()?.parse().ok()
}

fn rates_of(table: &toml::Table, provider: &str) -> Option<toml::Table> {
    let all = table["models"].as_array().unwrap();
    let found = all
        .iter()
        .find(|m| m["provider"].as_str() == Some(provider) && m["model"].as_str() == Some(MODEL));
    found.and_then(toml::Value::as_table).cloned()
}

fn instance(tier: &Running) -> Value {
    until("the model is loaded", || {
        let (status, said) = tier.ask("GET", "/v1/goblin/status", &[("x-api-key", KEY)], "");
        assert_eq!(status, 200, "{said}");
        let said: Value = serde_json::from_str(&said).unwrap();
        let one = said["instances"][0].clone();
        (one["state"] == "loaded").then_some(one)
    })
}

#[test]
fn a_tier_is_measured_and_its_next_start_knows_it() {
    let home = home_with_model();
    let key = [("LOCAL_LLM_API_KEY", KEY)];
    let data = home.path().join(".local/share/goblin");
    std::fs::write(data.join("rates.toml"), "not TOML [").unwrap();
    let mut tier = start(home.path(), &["models", "serve", "--port", "0"], &key);
    assert!(
        instance(&tier)["decode_tokens_per_second"].is_null(),
        "nothing is known yet"
    );
    assert!(tier.logs().contains("rates.toml"), "a warning: {}", tier.logs());
    until("what is absent is told", || {
        tier.logs().contains("goblin models pull gemma:2b").then_some(())
    });

    let url = format!("http://{}", tier.address);
    let arguments = [QUICK, &["--url", &url, "--json"]].concat();
    let measured = run(home.path(), &arguments, &key);
    assert_eq!(measured.status.code(), Some(0), "{}", stderr(&measured));
    let said: Value = serde_json::from_slice(&measured.stdout).unwrap();
    let one = &said["models"][0];
    assert_eq!(
        (&one["provider"], &one["model"]),
        (&json!("engine"), &json!(MODEL))
    );
    for what in [
        "prefill_tokens_per_second",
        "decode_tokens_per_second",
        "first_token_ms",
    ] {
        assert!(one[what]["median"].as_f64().unwrap() > 0.0, "{what}: {said}");
    }
    let kept = rates(home.path()).unwrap();
    assert_eq!(kept["version"].as_integer(), Some(1));
    let ours = rates_of(&kept, "engine").unwrap();
    assert_eq!(ours["measured_by"].as_str(), Some("bench"));
    assert!(rates_of(&kept, "tier").is_some(), "as a backend knows it: {kept}");

    tier.signal("TERM");
    assert_eq!(tier.wait(), Some(0), "{}", tier.logs());
    let kept = rates(home.path()).unwrap();
    let learned = rates_of(&kept, "engine").unwrap();
    assert_eq!(
        learned["measured_by"].as_str(),
        Some("answers"),
        "what it answered it has learned: {kept}"
    );
    let again = start(home.path(), &["models", "serve", "--port", "0"], &key);
    let known = instance(&again);
    for what in ["decode_tokens_per_second", "predicted_first_token_ms"] {
        assert!(known[what].as_f64().is_some_and(|n| n > 0.0), "{what}: {known}");
    }
}

#[test]
fn without_a_tier_this_machines_models_are_measured_and_unknown_ones_are_told() {
    let home = home_with_model();
    // A port nobody listens on.
    let nowhere = [&[("GOBLIN_TIER__PORT", "1")], ONE_THREAD].concat();
    let measured = run(home.path(), QUICK, &nowhere);
    assert_eq!(measured.status.code(), Some(0), "{}", stderr(&measured));
    assert!(stderr(&measured).contains("no model tier is running"));
    let said = stdout(&measured);
    for part in [
        &format!("engine/{MODEL}"),
        "PREFILL tok/s",
        "Median of 1",
        "rates.toml",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert!(rates_of(&rates(home.path()).unwrap(), "engine").is_some());

    let unknown = run(home.path(), &["models", "bench", "smollm3"], &nowhere);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(
        stderr(&unknown).contains("no model `smollm3`"),
        "{}",
        stderr(&unknown)
    );
    let wrong = run(home.path(), &["models", "bench", "--repeat", "0"], &nowhere);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(stderr(&wrong).contains("--repeat"), "{}", stderr(&wrong));
    let away = run(
        home.path(),
        &["models", "bench", "--url", "http://127.0.0.1:1"],
        &nowhere,
    );
    assert_eq!(away.status.code(), Some(1));
    assert!(
        stderr(&away).contains("No model tier answers"),
        "{}",
        stderr(&away)
    );
}
