use goblin_core::admission::estimate::Estimate;
use goblin_core::clock::Timestamp;
use goblin_store::data_dir::DataPaths;
use goblin_store::rates_file::{MAX_RATES, MeasuredBy, RateEntry, RatesFile};

fn entry(model: &str, decode: f64) -> RateEntry {
    RateEntry {
        provider: "ollama".into(),
        model: model.into(),
        digest: Some("ab".repeat(32)),
        cores: 2,
        measured_at: Timestamp(1_795_000_000_000),
        measured_by: MeasuredBy::Bench,
        known: Estimate {
            decode_tokens_per_second: Some(decode),
            ..Estimate::default()
        },
    }
}

#[test]
fn rates_are_kept_and_what_was_not_measured_again_stays() {
    let dir = tempfile::tempdir().unwrap();
    let file = RatesFile::new(DataPaths::new(dir.path()).rates());
    assert_eq!((file.read().unwrap(), file.stamp()), (vec![], None));
    let mut loaded = entry("gemma:2b", 31.4159);
    loaded.known.load_seconds = Some(4.0);
    let before = file.merge(&[loaded, entry("mistral:7b", 9.0)]).unwrap();
    assert_eq!(before, file.stamp());
    file.merge(&[entry("gemma:2b", 40.0)]).unwrap();
    let read = file.read().unwrap();
    let gemma = &read[0];
    assert_eq!((read.len(), &*gemma.model), (2, "gemma:2b"));
    assert_eq!(gemma.known.decode_tokens_per_second, Some(40.0));
    assert_eq!(gemma.known.load_seconds, Some(4.0), "it was not measured again");
    let mut other = entry("gemma:2b", 50.0);
    other.digest = Some("cd".repeat(32));
    file.merge(&[other]).unwrap();
    assert_eq!(
        file.read().unwrap()[0].known.load_seconds,
        None,
        "another content is another model"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_reported_and_gives_way_to_new_measurements() {
    let dir = tempfile::tempdir().unwrap();
    let file = RatesFile::new(dir.path().join("rates.toml"));
    for broken in [
        "no toml [",
        "version = 9\n",
        "version = 1\n[[models]]\nprovider = 3\n",
    ] {
        std::fs::write(file.path(), broken).unwrap();
        let told = file.read().unwrap_err().to_string();
        assert!(
            told.contains("rates.toml") && told.contains("goblin models bench"),
            "{told}"
        );
    }
    file.merge(&[entry("gemma:2b", 31.0)]).unwrap();
    assert_eq!(file.read().unwrap().len(), 1);
    std::fs::write(
        file.path(),
        "version = 1\n[[models]]\nprovider = 'p'\nmodel = 'm'\ncores = 2\nmeasured_by = 'answers'\n\
         measured_at = '2026-01-01T00:00:00Z'\nprefill_tokens_per_second = -1.0\nload_seconds = 3\n",
    )
    .unwrap();
    let by_hand = file.read().unwrap().remove(0).known;
    assert_eq!(
        (by_hand.prefill_tokens_per_second, by_hand.load_seconds),
        (None, Some(3.0))
    );
}

#[test]
fn only_so_many_models_are_kept_the_latest() {
    let dir = tempfile::tempdir().unwrap();
    let file = RatesFile::new(dir.path().join("rates.toml"));
    let many: Vec<RateEntry> = (0..MAX_RATES as i64 + 3)
        .map(|n| RateEntry {
            measured_at: Timestamp(n),
            ..entry(&format!("m{n}"), 1.0)
        })
        .collect();
    file.merge(&many).unwrap();
    let kept = file.read().unwrap();
    assert_eq!(kept.len(), MAX_RATES);
    assert!(kept.iter().all(|m| m.measured_at.0 >= 3), "the oldest went");
}
