//! What was measured of a judge decides whether it may act: from the evaluation's file to the trace of an answer.

use crate::process::{run, stderr};

#[test]
fn a_start_refuses_a_record_it_cannot_read_or_that_is_of_another_model() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".local/share/goblin/judge-records");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("broken.json"), "{}").unwrap();
    let broken = run(home.path(), &["serve", "--port", "0"], &[]);
    assert_eq!(broken.status.code(), Some(1));
    let said = stderr(&broken);
    assert!(
        said.contains("broken.json") && said.contains("no record of a judge"),
        "{said}"
    );
    std::fs::remove_file(folder.join("broken.json")).unwrap();

    let record = home.path().join("phi.json");
    let text = r#"{"model":"phi3:3.8b","quantization":"Q4_0","question_set":"prompt","question_set_hash":"a",
        "prompt_hash":"b","auroc":0.9,"false_refusals_xstest":0.01}"#;
    std::fs::write(&record, text).unwrap();
    let given = format!("trust.judge_records=gemma:2b={}", record.display());
    let other = run(home.path(), &["serve", "--port", "0", "--set", &given], &[]);
    assert_eq!(other.status.code(), Some(1));
    let said = stderr(&other);
    assert!(
        said.contains("`phi3:3.8b`") && said.contains("`gemma:2b`"),
        "{said}"
    );
}

#[cfg(feature = "engine")]
#[test]
fn a_granted_judge_that_was_measured_and_found_poor_only_advises() {
    use serde_json::{Value, json};

    use crate::process::{Running, printed_well};
    use crate::tiers::{MODEL, ask_until_loaded, home_with_model};

    let small = [
        ("GOBLIN_ENGINE__THREADS", "1"),
        ("GOBLIN_UPSTREAM__DISCOVER", "false"),
        ("GOBLIN_ROSTER__SAFETY", MODEL),
        // Whatever it says is safe enough: the question is whether it may act.
        ("SAFETY_THRESHOLD", "0"),
    ];
    let home = home_with_model();
    // Two cases say nothing of the judge, and how it is asked: the record must be of the same prompt.
    let asked = [
        "eval", "run", "xstest", "--model", MODEL, "--limit", "2", "--out", "runs",
    ];
    printed_well(&run(home.path(), &asked, &small), &asked);
    let runs = std::fs::read_dir(home.path().join("runs")).unwrap();
    let run_file = runs
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some())
        .unwrap();
    let text = std::fs::read_to_string(run_file).unwrap();
    let header: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let record = json!({
        "model": MODEL, "quantization": header["quantisation"], "question_set": "prompt",
        "question_set_hash": header["question_set_hash"], "prompt_hash": header["questions_hash"],
        "auroc": 0.52, "false_refusals_xstest": 0.4, "items": 100,
    });

    let trace_of = |expected: &str| {
        let goblin = Running::start(home.path(), &["up", "--port", "0"], &small);
        let body = json!({"model": "goblin", "max_tokens": 4, "messages": [{"role": "user", "content": "Name a fruit."}]});
        let answer: Value = serde_json::from_str(&ask_until_loaded(&goblin, &body)).unwrap();
        let verdict = &answer["goblin"]["prompt_verdicts"][0];
        assert_eq!(verdict["authority"], expected, "{answer}");
        (answer["goblin"]["notes"].to_string(), goblin.logs())
    };
    trace_of("grant");
    let folder = home.path().join(".local/share/goblin/judge-records");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("measured.json"), record.to_string()).unwrap();
    let (notes, logs) = trace_of("none");
    assert!(
        notes.contains("its AUROC is 0.52") && notes.contains("measured.json"),
        "{notes}"
    );
    assert!(logs.contains("only advise"), "{logs}");
}
