//! `goblin eval`, from outside: a real small model judges, is measured, and is told to be a poor judge.
#![cfg(feature = "engine")]

use std::path::Path;

use serde_json::Value;

use crate::process::{printed_well, run, stderr, stdout};
use crate::tiers::{MODEL, home_with_model};

const SMALL: &[(&str, &str)] = &[
    ("GOBLIN_ENGINE__THREADS", "1"),
    ("GOBLIN_ENGINE__SEQUENCES", "2"),
    ("GOBLIN_ENGINE__CONTEXT_TOKENS", "2048"),
    ("GOBLIN_UPSTREAM__DISCOVER", "false"),
];

fn eval(home: &Path, more: &[&str]) -> std::process::Output {
    run(home, &[&["eval"], more].concat(), SMALL)
}

fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).unwrap().lines().count()
}

#[test]
fn a_starter_model_is_measured_goes_on_where_it_was_and_is_reported_as_a_poor_judge() {
    let home = home_with_model();
    let asked = ["run", "xstest", "--model", MODEL, "--limit", "2", "--out", "runs"];
    let said = printed_well(&eval(home.path(), &asked), &asked);
    assert!(said.contains("xstest") && said.contains("no record"), "{said}");
    let file = home
        .path()
        .join(format!("runs/xstest-engine-{MODEL}-prompt-2-seed-1.jsonl"));
    assert_eq!(lines(&file), 3, "its first line, and one for each case");

    // The second line is lost, as it would be by a stop in between.
    let text = std::fs::read_to_string(&file).unwrap();
    let kept: Vec<&str> = text.lines().take(2).collect();
    std::fs::write(&file, kept.join("\n") + "\n{\"id\":").unwrap();
    let again = eval(home.path(), &asked);
    assert!(
        stderr(&again).contains("1 of 2 cases were answered before"),
        "{}",
        stderr(&again)
    );
    assert_eq!(lines(&file), 3);

    let report = ["report", "runs", "--json", "--records", "records"];
    let json: Value = serde_json::from_str(&printed_well(&eval(home.path(), &report), &report)).unwrap();
    let one = &json["runs"][0];
    assert_eq!(one["figures"]["asked"], 2, "{json}");
    assert_eq!(one["record"]["gives_authority"], false);
    assert!(one["figures"]["ms"]["median"].as_f64().is_some_and(|ms| ms > 0.0));
    assert!(
        one["figures"]["question_tokens"]["median"]
            .as_f64()
            .is_some_and(|n| n > 0.0)
    );
    let html = std::fs::read_to_string(home.path().join("runs/report.html")).unwrap();
    assert!(html.contains("None of the 1 runs of judges here gives authority"));
    assert!(!home.path().join("records").exists(), "two cases are no record");
}

#[test]
fn own_cases_take_the_place_of_the_sets_and_a_wrong_line_is_named() {
    let home = home_with_model();
    let case = |id: &str, high: &str| {
        format!(
            "{{\"id\":\"{id}\",\"prompt\":\"2+2?\",\"answer\":\"4\",\"expect\":{{\"confidence\":\"{high}\"}}}}\n"
        )
    };
    let own = home.path().join("own.jsonl");
    std::fs::write(&own, case("a", "high")).unwrap();
    let asked = [
        "run",
        "confidence",
        "--model",
        MODEL,
        "--cases",
        "own.jsonl",
        "--json",
    ];
    let json: Value = serde_json::from_str(&printed_well(&eval(home.path(), &asked), &asked)).unwrap();
    assert_eq!(json["runs"][0]["run"]["cases"], 1, "{json}");
    assert!(
        home.path().join(".local/share/goblin/evals").is_dir(),
        "kept in the data directory"
    );
    std::fs::write(&own, case("a", "high") + &case("b", "perhaps")).unwrap();
    let wrong = eval(home.path(), &asked);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(
        stderr(&wrong).contains("own.jsonl") && stderr(&wrong).contains("line 2"),
        "{}",
        stderr(&wrong)
    );
    // The cases are others now: this is not the run that is kept.
    std::fs::write(&own, case("a", "low")).unwrap();
    let other = eval(home.path(), &asked);
    assert_eq!(other.status.code(), Some(1));
    assert!(stderr(&other).contains("cases:"), "{}", stderr(&other));
}

#[test]
fn what_cannot_be_asked_is_told_with_what_to_do() {
    let home = home_with_model();
    let table: [(&[&str], i32, &str); 6] = [
        (&["run", "safty", "--model", "x"], 2, "safety"),
        (&["run", "--model", "x"], 2, "SET"),
        (&["run", "safety"], 1, "--model"),
        (
            &["run", "safety", "--model", "smollm3-135m-instruct"],
            1,
            "Did you mean",
        ),
        (&["run", "safety", "--model", MODEL, "--limit", "0"], 2, "--limit"),
        (&["report", "nowhere"], 1, "goblin eval run"),
    ];
    for (more, code, words) in table {
        let output = eval(home.path(), more);
        assert_eq!(output.status.code(), Some(code), "{more:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(words), "{more:?}: {}", stderr(&output));
    }
    let help = eval(home.path(), &["--help"]);
    for word in ["xstest-all", "--records", "Exit codes"] {
        assert!(stdout(&help).contains(word), "{word}");
    }
}

#[test]
fn the_router_is_measured_in_no_time_and_the_held_out_figure_is_printed() {
    let home = tempfile::tempdir().unwrap();
    let asked = ["run", "routing", "--out", "runs"];
    let said = printed_well(&eval(home.path(), &asked), &asked);
    assert!(
        said.contains("routing · router") && said.contains("Right about"),
        "{said}"
    );
    let report = ["report", "runs", "--json"];
    let json: Value = serde_json::from_str(&printed_well(&eval(home.path(), &report), &report)).unwrap();
    let figures = &json["runs"][0]["figures"];
    let counted = |side: &str| figures[side]["of"].as_u64().unwrap();
    assert_eq!(counted("open") + counted("held_out"), 492);
    assert!(counted("held_out") > 200);
}
