//! What the doctor finds beside a goblin that runs.

use serde_json::Value;

use crate::process::{Running, run, stderr};

#[test]
fn the_doctor_knows_a_model_tier_on_its_port_and_shows_it_no_key() {
    let home = tempfile::tempdir().unwrap();
    let key = ("LOCAL_LLM_API_KEY", "a-key-for-this-test-only-0123456789");
    let serve = ["models", "serve", "--port", "0", "--set", "engine.enabled=false"];
    let tier = Running::start(home.path(), &serve, &[key]);
    let port = format!("tier.port={}", tier.address.port());
    let elsewhere = tempfile::tempdir().unwrap();
    let doctor = ["doctor", "--json", "--set", "server.port=0", "--set", &port];
    let quiet = ["--set", "upstream.discover=false"];
    let output = run(elsewhere.path(), &[&doctor[..], &quiet[..]].concat(), &[key]);
    let results: Vec<Value> =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", stderr(&output)));
    let found = results.iter().find(|r| r["name"] == "tier_port").unwrap();
    let address = tier.address;
    assert_eq!(
        found["found"],
        format!("a goblin model tier is running on {address}"),
        "{found}"
    );
    assert_eq!(found["state"], "ok");
    assert!(
        tier.logs().contains("refused"),
        "it was asked without its key: {}",
        tier.logs()
    );
}
