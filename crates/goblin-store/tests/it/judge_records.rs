//! What was measured of judges, as files.

use std::fs;

use goblin_core::judge::authority::Evaluation;
use goblin_store::judge_records::{list_records, read_record, write_record};

fn measured(model: &str) -> Evaluation {
    Evaluation {
        model: model.into(),
        quantization: "Q4_K_M".into(),
        question_set: "prompt".into(),
        question_set_hash: "0123456789abcdef".into(),
        prompt_hash: "fedcba9876543210".into(),
        auroc: 0.81,
        false_refusals_xstest: Some(0.04),
        items: 100,
    }
}

#[test]
fn records_are_written_and_read_back_by_name() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("judge-records");
    assert_eq!(list_records(&folder).unwrap(), [], "no folder, no records");
    let (phi, gemma) = (measured("phi3:3.8b"), measured("../gemma:2b"));
    for evaluation in [&phi, &gemma, &phi] {
        let path = write_record(&folder, evaluation).unwrap();
        assert_eq!(
            path.parent(),
            Some(folder.as_path()),
            "no name leads out of the folder"
        );
    }
    fs::write(folder.join("notes.txt"), "not a record").unwrap();
    let found = list_records(&folder).unwrap();
    let evaluations: Vec<_> = found.iter().map(|record| &record.evaluation).collect();
    assert_eq!(evaluations, [&gemma, &phi]);
    assert_eq!(found[1].source, "phi3-3.8b-Q4-K-M-prompt.json");
    assert_eq!(found[1].given_for, None);
}

#[test]
fn what_is_no_record_is_refused_by_name_and_never_passed_over() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    let whole = serde_json::to_string(&measured("m")).unwrap();
    let changed = |from: &str, to: &str| {
        assert!(whole.contains(from), "{from} in {whole}");
        whole.replace(from, to)
    };
    for (text, why) in [
        ("{\"model\":".to_owned(), "EOF"),
        (changed("\"auroc\":0.81", "\"auroc\":1.81"), "auroc is 1.81"),
        (changed("\"auroc\":0.81,", ""), "missing field `auroc`"),
        (changed("0.04", "-0.5"), "false_refusals_xstest is -0.5"),
        (changed("\"prompt\"", "\"taste\""), "question_set is `taste`"),
        (format!("{}{whole}", " ".repeat(64 << 10)), "64 KiB"),
    ] {
        let path = folder.join("one.json");
        fs::write(&path, text).unwrap();
        let refused = list_records(folder).unwrap_err().to_string();
        assert!(
            refused.contains(why) && refused.contains("one.json"),
            "{why}: {refused}"
        );
        assert_eq!(read_record(&path, None).unwrap_err().to_string(), refused);
    }
}

#[test]
fn a_record_given_for_another_model_than_it_is_of_is_refused_with_both_names() {
    let home = tempfile::tempdir().unwrap();
    let path = write_record(home.path(), &measured("phi3:3.8b")).unwrap();
    let record = read_record(&path, Some("ollama/phi3:3.8b")).unwrap();
    assert_eq!(record.given_for.as_deref(), Some("ollama/phi3:3.8b"));
    let refused = read_record(&path, Some("gemma:2b")).unwrap_err().to_string();
    assert!(
        refused.contains("`phi3:3.8b`") && refused.contains("`gemma:2b`"),
        "{refused}"
    );
    let missing = read_record(&home.path().join("gone.json"), None)
        .unwrap_err()
        .to_string();
    assert!(missing.contains("gone.json"), "{missing}");
}
