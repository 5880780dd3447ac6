//! What is said while there is no model is true: one that comes later is noticed.
#![cfg(feature = "engine")]

use serde_json::Value;

use crate::process::{Running, starter_model, until};

fn status(goblin: &Running) -> Value {
    serde_json::from_str(&goblin.ask("GET", "/api/status", &[], "").1).unwrap()
}

#[test]
fn a_goblin_that_began_without_a_model_notices_the_first_one_by_itself() {
    let home = tempfile::tempdir().unwrap();
    let goblin = Running::start(home.path(), &["up", "--port", "0"], &[]);
    let help = status(&goblin)["no_model_help"].clone();
    assert!(help.as_str().unwrap().contains("notices it by itself"), "{help}");
    let models = home.path().join(".local/share/goblin/models");
    std::fs::create_dir_all(&models).unwrap();
    std::os::unix::fs::symlink(starter_model(), models.join("SmolLM2-135M-Instruct-Q4_1.gguf")).unwrap();
    let found = until("the model is noticed", || {
        let now = status(&goblin);
        now["no_model_help"].is_null().then_some(now)
    });
    assert_eq!(found["default_model"], "engine/smollm2-135m-instruct", "{found}");
}
