//! `goblin route` asks a goblin that runs where a question would go, and nobody is asked it.

use serde_json::Value;

use crate::model_server;
use crate::process::{Running, printed_well, run, stderr, stdout};

#[test]
fn where_a_question_would_go_is_told_in_words_and_as_json() {
    let home = tempfile::tempdir().unwrap();
    let ollama = model_server::start_with(r#"{"models":[{"name":"phi3:3.8b","digest":"d"}]}"#).to_string();
    let environment = [
        ("OLLAMA_HOST", ollama.as_str()),
        ("GOBLIN_ENGINE__ENABLED", "false"),
    ];
    let goblin = Running::start(home.path(), &["serve", "--port", "0"], &environment);
    let url = format!("http://{}", goblin.address);
    let arguments = |more: &[&'static str]| -> Vec<String> {
        let all = [&["route", "Hello, how are you?"], more, &["--url", &url]].concat();
        all.into_iter().map(str::to_owned).collect()
    };
    let ask = |more: &[&'static str]| {
        let owned = arguments(more);
        let all: Vec<&str> = owned.iter().map(String::as_str).collect();
        printed_well(&run(home.path(), &all, &[]), &all)
    };
    let json: Value = serde_json::from_str(&ask(&["--json"])).unwrap();
    assert_eq!(
        (&json["first"], &json["local"], &json["may_leave_machine"]),
        (&"ollama/phi3:3.8b".into(), &true.into(), &false.into()),
        "{json}"
    );
    assert_eq!(
        (&json["route"]["intent"], &json["route"]["role"]),
        (&"chat".into(), &"chat".into())
    );
    assert_eq!(json["expected_cost_usd"], 0.0);
    let candidates = json["route"]["candidates"].as_array().unwrap();
    let mistral = candidates
        .iter()
        .find(|one| one["model"] == "mistral:7b")
        .unwrap();
    assert_eq!(mistral["passed_over"], "not installed");
    assert!(!json["route"]["policy"].as_str().unwrap().is_empty());
    let words = ask(&["--local-only"]);
    for part in [
        "goes to ollama/phi3:3.8b as chat",
        "stays on your machines",
        "not installed",
    ] {
        assert!(words.contains(part), "{part} in {words}");
    }

    let refused = run(
        home.path(),
        &["route", "Hi", "--model", "x/y", "--json", "--url", &url],
        &[],
    );
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        stderr(&refused).contains("There is no model `x/y`"),
        "{}",
        stderr(&refused)
    );
}

#[test]
fn a_question_nobody_can_answer_is_told_as_json_too_and_the_command_fails() {
    let home = tempfile::tempdir().unwrap();
    let goblin = Running::start(
        home.path(),
        &["serve", "--port", "0"],
        &[("GOBLIN_ENGINE__ENABLED", "false")],
    );
    let url = format!("http://{}", goblin.address);
    let output = run(home.path(), &["route", "Hi", "--json", "--url", &url], &[]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let json: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert!(json["first"].is_null() && json["nobody"].is_string(), "{json}");
}
